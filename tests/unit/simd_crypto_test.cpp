// The cryptographic instructions, used as software uses them, against the examples of the standards: FIPS 197
// appendix B, the "abc" examples of FIPS 180, GB/T 32905 and GB/T 32907, and the field of GCM (NIST SP
// 800-38D).
#include <gtest/gtest.h>

#include <array>
#include <bit>

#include "tcg/ir/vector_meaning.h"

namespace sluice::tcg::ir {
namespace {

using namespace crypto;

Vec words(u32 w0, u32 w1, u32 w2, u32 w3) { return {w0 | u64{w1} << 32, w2 | u64{w3} << 32}; }
Vec from_words(const u32* w) { return words(w[0], w[1], w[2], w[3]); }
Vec bytes(const std::array<u8, 16>& b) {
  Vec v;
  for (unsigned i = 0; i < 16; i++) v.set_lane<u8>(i, b[i]);
  return v;
}
Vec add32(const Vec& a, const Vec& b) { return lanes::add(a, b, 2); }
Vec add64(const Vec& a, const Vec& b) { return lanes::add(a, b, 3); }
Vec exclusive_or(const Vec& a, const Vec& b) { return {a.lo ^ b.lo, a.hi ^ b.hi}; }

bool is_prime(unsigned n) {
  for (unsigned d = 2; d * d <= n; d++)
    if (n % d == 0) return false;
  return true;
}
unsigned nth_prime(unsigned n) {
  unsigned p = 2;
  for (; n; n -= is_prime(p)) p++;
  return p;
}
// The first 64 bits of the fraction of p^(1/Root), exactly: SHA-2's constants.
template <unsigned Root>
u64 root_fraction(unsigned p) {
  // The largest x with (x / 2^64)^Root <= p, by long multiplication in 32-bit digits.
  auto too_large = [p](u128 x) {
    std::array<u32, 4> digit{u32(x), u32(x >> 32), u32(x >> 64), u32(x >> 96)};
    std::array<u32, 16> product{1};
    for (unsigned n = 0; n < Root; n++) {
      std::array<u32, 16> next{};
      for (unsigned i = 0; i < 12; i++) {
        u64 carry = 0;
        for (unsigned j = 0; j < 4; j++) {
          carry += u64{product[i]} * digit[j] + next[i + j];
          next[i + j] = u32(carry), carry >>= 32;
        }
        for (unsigned k = i + 4; carry; k++) carry += next[k], next[k] = u32(carry), carry >>= 32;
      }
      product = next;
    }
    return product[2 * Root] >= p;  // the integer part
  };
  u128 x = 0;
  for (int bit = 70; bit >= 0; bit--)
    if (!too_large(x | u128{1} << bit)) x |= u128{1} << bit;
  return u64(x);
}

TEST(SimdCrypto, Aes128EncryptsTheExampleOfFips197) {
  std::array<u32, 44> schedule{0x16157e2b, 0xa6d2ae28, 0x8815f7ab, 0x3c4fcf09};  // little-endian words
  u32 round_constant = 1;
  for (unsigned i = 4; i < 44; i++) {
    u32 t = schedule[i - 1];
    if (i % 4 == 0) {
      // AESE with a zero key on equal columns is SubWord.
      t = aese(words(t, t, t, t), Vec{}).lane<u32>(0);
      t = std::rotr(t, 8) ^ round_constant;
      round_constant = round_constant << 1 ^ (round_constant & 0x80 ? 0x11b : 0);
    }
    schedule[i] = schedule[i - 4] ^ t;
  }
  const Vec plain = bytes({0x32, 0x43, 0xf6, 0xa8, 0x88, 0x5a, 0x30, 0x8d,  //
                           0x31, 0x31, 0x98, 0xa2, 0xe0, 0x37, 0x07, 0x34});
  const Vec cipher = bytes({0x39, 0x25, 0x84, 0x1d, 0x02, 0xdc, 0x09, 0xfb,  //
                            0xdc, 0x11, 0x85, 0x97, 0x19, 0x6a, 0x0b, 0x32});

  Vec state = plain;
  for (unsigned round = 0; round < 10; round++) {
    state = aese(state, from_words(&schedule[4 * round]));
    if (round < 9) state = aesmc(state);
  }
  EXPECT_EQ(exclusive_or(state, from_words(&schedule[40])), cipher);

  // The same with rounds that end in the next key.
  state = exclusive_or(plain, from_words(&schedule[0]));
  for (unsigned round = 1; round < 10; round++) state = aes_round(state, from_words(&schedule[4 * round]));
  EXPECT_EQ(exclusive_or(aese(state, Vec{}), from_words(&schedule[40])), cipher);

  // The equivalent inverse cipher, FIPS 197 section 5.3.5.
  state = cipher;
  for (unsigned round = 10; round > 0; round--) {
    const Vec key = from_words(&schedule[4 * round]);
    state = aesd(state, round < 10 ? aesimc(key) : key);
    if (round > 1) state = aesimc(state);
  }
  EXPECT_EQ(exclusive_or(state, from_words(&schedule[0])), plain);

  state = exclusive_or(cipher, from_words(&schedule[40]));
  for (unsigned round = 9; round > 0; round--)
    state = aes_inverse_round(state, aesimc(from_words(&schedule[4 * round])));
  EXPECT_EQ(exclusive_or(aesd(state, Vec{}), from_words(&schedule[0])), plain);
}

TEST(SimdCrypto, Sha1OfAbc) {
  const u32 constants[] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
  const Vec initial = words(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
  std::array<Vec, 4> w{words(0x61626380, 0, 0, 0), {}, {}, words(0, 0, 0, 24)};
  Vec abcd = initial, e{0xc3d2e1f0, 0};
  for (unsigned i = 0; i < 20; i++) {
    const u32 k = constants[i / 5];
    const Vec wk = add32(w[0], words(k, k, k, k)), next_e = sha1h(abcd);
    abcd = i < 5 ? sha1c(abcd, e, wk) : i < 10 || i >= 15 ? sha1p(abcd, e, wk) : sha1m(abcd, e, wk);
    e = next_e;
    w = {w[1], w[2], w[3], sha1su1(sha1su0(w[0], w[1], w[2]), w[3])};
  }
  EXPECT_EQ(add32(abcd, initial), words(0xa9993e36, 0x4706816a, 0xba3e2571, 0x7850c26c));
  EXPECT_EQ(u32(e.lo) + 0xc3d2e1f0, 0x9cd0d89du);
}

TEST(SimdCrypto, Sha256OfAbc) {
  std::array<u32, 8> start;
  for (unsigned i = 0; i < 8; i++) start[i] = u32(root_fraction<2>(nth_prime(i)) >> 32);
  EXPECT_EQ(start[0], 0x6a09e667u);
  const Vec initial[] = {from_words(&start[0]), from_words(&start[4])};
  std::array<Vec, 4> w{words(0x61626380, 0, 0, 0), {}, {}, words(0, 0, 0, 24)};
  Vec abcd = initial[0], efgh = initial[1];
  Vec feba = words(start[5], start[4], start[1], start[0]),
      hgdc = words(start[7], start[6], start[3], start[2]);
  for (unsigned i = 0; i < 16; i++) {
    std::array<u32, 4> k;
    for (unsigned j = 0; j < 4; j++) k[j] = u32(root_fraction<3>(nth_prime(4 * i + j)) >> 32);
    const Vec wk = add32(w[0], from_words(k.data())), old = abcd;
    abcd = sha256h(abcd, efgh, wk);
    efgh = sha256h2(efgh, old, wk);
    hgdc = sha256_rounds(hgdc, feba, wk);  // two rounds: the new f:e:b:a; the old one is h:g:d:c now
    feba = sha256_rounds(feba, hgdc, Vec{wk.hi, 0});
    w = {w[1], w[2], w[3], sha256su1(sha256su0(w[0], w[1]), w[2], w[3])};
  }
  EXPECT_EQ(add32(abcd, initial[0]), words(0xba7816bf, 0x8f01cfea, 0x414140de, 0x5dae2223));
  EXPECT_EQ(add32(efgh, initial[1]), words(0xb00361a3, 0x96177a9c, 0xb410ff61, 0xf20015ad));
  EXPECT_EQ(feba, words(efgh.lane<u32>(1), efgh.lane<u32>(0), abcd.lane<u32>(1), abcd.lane<u32>(0)));
  EXPECT_EQ(hgdc, words(efgh.lane<u32>(3), efgh.lane<u32>(2), abcd.lane<u32>(3), abcd.lane<u32>(2)));
}

TEST(SimdCrypto, Sha512OfAbc) {
  std::array<u64, 8> start;
  for (unsigned i = 0; i < 8; i++) start[i] = root_fraction<2>(nth_prime(i));
  EXPECT_EQ(start[0], 0x6a09e667f3bcc908u);
  std::array<Vec, 8> w{};
  w[0] = {0x6162638000000000, 0}, w[7] = {0, 24};
  Vec ab{start[0], start[1]}, cd{start[2], start[3]}, ef{start[4], start[5]}, gh{start[6], start[7]};
  for (unsigned i = 0; i < 40; i++) {
    const Vec k{root_fraction<3>(nth_prime(2 * i)), root_fraction<3>(nth_prime(2 * i + 1))};
    const Vec wk = add64(w[0], k);
    const Vec sum = add64(gh, Vec{wk.hi, wk.lo});
    const Vec t = sha512h(sum, Vec{ef.hi, gh.lo}, Vec{cd.hi, ef.lo});
    const Vec new_ef = add64(cd, t), new_ab = sha512h2(t, cd, ab);
    gh = ef, ef = new_ef, cd = ab, ab = new_ab;
    const Vec next = sha512su1(sha512su0(w[0], w[1]), w[7], Vec{w[4].hi, w[5].lo});
    w = {w[1], w[2], w[3], w[4], w[5], w[6], w[7], next};
  }
  EXPECT_EQ(ab.lo + start[0], 0xddaf35a193617abau);
  EXPECT_EQ(ab.hi + start[1], 0xcc417349ae204131u);
  EXPECT_EQ(gh.lo + start[6], 0x454d4423643ce80eu);
  EXPECT_EQ(gh.hi + start[7], 0x2a9ac94fa54ca49fu);
}

TEST(SimdCrypto, Sm3OfAbc) {
  const std::array<u32, 8> start{0x7380166f, 0x4914b2b9, 0x172442d7, 0xda8a0600,
                                 0xa96f30bc, 0x163138aa, 0xe38dee4d, 0xb0fb0e4e};
  std::array<u32, 68> w{0x61626380};
  w[15] = 24;
  for (unsigned j = 16; j < 68; j += 4) {
    const Vec part = sm3partw1(from_words(&w[j - 16]), from_words(&w[j - 9]), from_words(&w[j - 4]));
    const Vec next = sm3partw2(part, from_words(&w[j - 6]), from_words(&w[j - 13]));
    for (unsigned i = 0; i < 4; i++) w[j + i] = next.lane<u32>(i);
  }
  Vec abcd = words(start[3], start[2], start[1], start[0]),
      efgh = words(start[7], start[6], start[5], start[4]);
  for (unsigned j = 0; j < 64; j++) {
    const u32 constant = std::rotl(j < 16 ? 0x79cc4519u : 0x7a879d8au, int(j % 32));
    const Vec ss1 = sm3ss1(abcd, efgh, words(0, 0, 0, constant));
    abcd = sm3tt(abcd, ss1, words(0, 0, w[j] ^ w[j + 4], 0), 2, j < 16 ? 0 : 1);
    efgh = sm3tt(efgh, ss1, words(0, w[j], 0, 0), 1, j < 16 ? 2 : 3);
  }
  const u32 digest[] = {0x66c7f0f4, 0x62eeedd9, 0xd1f2d46b, 0xdc10e4e2,
                        0x4167c487, 0x5cf2f7a2, 0x297da02b, 0x8f4ba8e0};
  for (unsigned i = 0; i < 4; i++) {
    EXPECT_EQ(abcd.lane<u32>(3 - i) ^ start[i], digest[i]);
    EXPECT_EQ(efgh.lane<u32>(3 - i) ^ start[4 + i], digest[4 + i]);
  }
}

TEST(SimdCrypto, Sm4EncryptsTheExampleOfTheStandard) {
  const std::array<u32, 4> key{0x01234567, 0x89abcdef, 0xfedcba98, 0x76543210};
  const std::array<u32, 4> system_parameter{0xa3b1bac6, 0x56aa3350, 0x677d9197, 0xb27022dc};
  Vec round_key = exclusive_or(from_words(key.data()), from_words(system_parameter.data()));
  Vec state = from_words(key.data());  // the plain text of the example is the key
  for (unsigned i = 0; i < 8; i++) {
    std::array<u32, 4> ck{};
    for (unsigned j = 0; j < 16; j++) ck[j / 4] |= (16 * i + j) * 7 % 256 << (24 - j % 4 * 8);
    round_key = sm4ekey(round_key, from_words(ck.data()));
    state = sm4e(state, round_key);
  }
  // The output is the last four words in reverse order.
  EXPECT_EQ(state, words(0x536e4246, 0x86b3e94f, 0xd206965e, 0x681edf34));
}

TEST(SimdCrypto, PolynomialProductsDivideBack) {
  // (x + 1)^2 = x^2 + 1; x^63 * x^63 = x^126.
  EXPECT_EQ(lanes::pmull(Vec{3, 0}, Vec{3, 0}, 3, 0), (Vec{5, 0}));
  EXPECT_EQ(lanes::pmull(Vec{0, 1ull << 63}, Vec{0, 1ull << 63}, 3, 1), (Vec{0, 1ull << 62}));
  // AES: 0x57 * 0x83 = 0x2b79 before the reduction to 0xc1 (FIPS 197 section 4.2).
  EXPECT_EQ(lanes::pmull(Vec{0x57, 0}, Vec{0x83, 0}, 0, 0).lo, 0x2b79u);
  EXPECT_EQ(lanes::pmul(Vec{0x57, 0}, Vec{0x83, 0}).lo, 0x79u);
}

TEST(SimdCrypto, Sha3RotationsAreOfSixtyFourBitLanes) {
  EXPECT_EQ(rax1(Vec{1, 2}, Vec{1ull << 63, 3}), (Vec{0, 4}));
  EXPECT_EQ(xar(Vec{0xff, 0}, Vec{0xfe, 6}, 1), (Vec{1ull << 63, 3}));
  EXPECT_EQ(xar(Vec{5, 7}, Vec{}, 0), (Vec{5, 7}));
}

}  // namespace
}  // namespace sluice::tcg::ir
