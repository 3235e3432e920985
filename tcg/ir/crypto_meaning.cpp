// tcg/ir/crypto_meaning.cpp: the cryptographic instructions, as in the Arm pseudocode, over FIPS 197 (AES),
// FIPS 180-4 (SHA-1, SHA-2), FIPS 202 (SHA-3), GB/T 32905 (SM3) and GB/T 32907 (SM4). The S-boxes are
// computed from their definitions.
#include <array>
#include <bit>

#include "tcg/ir/lane_loops.h"
#include "tcg/ir/vector_meaning.h"

namespace sluice::tcg::ir::crypto {
namespace {

using Box = std::array<u8, 256>;

constexpr u8 multiply(u8 a, u8 b, unsigned polynomial) {
  unsigned product = 0, x = a;
  for (; b; b >>= 1, x = (x << 1) ^ (x & 0x80 ? polynomial : 0))
    if (b & 1) product ^= x;
  return u8(product);
}
constexpr Box inverses(unsigned polynomial) {
  Box box{};
  for (unsigned a = 1; a < 256; a++)
    if (!box[a]) {
      // a^254 = 1/a in GF(2^8).
      u8 r = 1;
      for (unsigned i = 0; i < 254; i++) r = multiply(r, u8(a), polynomial);
      box[a] = r, box[r] = u8(a);
    }
  return box;
}
constexpr unsigned kAesPolynomial = 0x11b, kSm4Polynomial = 0x1f5;

Box make_aes_box() {
  Box box = inverses(kAesPolynomial);
  for (u8& v : box) v = u8(v ^ std::rotl(v, 1) ^ std::rotl(v, 2) ^ std::rotl(v, 3) ^ std::rotl(v, 4) ^ 0x63);
  return box;
}
// A * (1 / (A * x + C)) + C with a circulant matrix A whose first row is 0xa7, and C = 0xd3.
Box make_sm4_box() {
  const Box inverse = inverses(kSm4Polynomial);
  auto affine = [](u8 x) {
    unsigned r = 0;
    for (int i = 0; i < 8; i++) r |= unsigned(std::popcount(u8(x & std::rotl(u8{0xa7}, i))) & 1) << i;
    return u8(r ^ 0xd3);
  };
  Box box{};
  for (unsigned x = 0; x < 256; x++) box[x] = affine(inverse[affine(u8(x))]);
  return box;
}
Box make_inverse(const Box& box) {
  Box inverse{};
  for (unsigned x = 0; x < 256; x++) inverse[box[x]] = u8(x);
  return inverse;
}
const Box& aes_box() {
  static const Box box = make_aes_box();
  return box;
}
const Box& aes_inverse_box() {
  static const Box box = make_inverse(aes_box());
  return box;
}
const Box& sm4_box() {
  static const Box box = make_sm4_box();
  return box;
}

Vec exclusive_or(const Vec& a, const Vec& b) { return {a.lo ^ b.lo, a.hi ^ b.hi}; }

// Byte 4 * column + row of the state. One column times the circulant matrix with this first column.
Vec mix_columns(const Vec& a, const std::array<u8, 4>& matrix) {
  Vec r;
  for (unsigned column = 0; column < 4; column++)
    for (unsigned row = 0; row < 4; row++) {
      u8 sum = 0;
      for (unsigned k = 0; k < 4; k++)
        sum ^= multiply(a.lane<u8>(4 * column + k), matrix[(row + 4 - k) % 4], kAesPolynomial);
      r.set_lane<u8>(4 * column + row, sum);
    }
  return r;
}

using Words = std::array<u32, 4>;
Words words(const Vec& v) { return {v.lane<u32>(0), v.lane<u32>(1), v.lane<u32>(2), v.lane<u32>(3)}; }
Vec vector(const Words& w) { return {w[0] | u64{w[1]} << 32, w[2] | u64{w[3]} << 32}; }

constexpr u32 choose(u32 x, u32 y, u32 z) { return ((y ^ z) & x) ^ z; }
constexpr u32 majority(u32 x, u32 y, u32 z) { return (x & y) | ((x | y) & z); }
constexpr u32 parity(u32 x, u32 y, u32 z) { return x ^ y ^ z; }

// Four rounds of SHA-1; Sn is in lane 0 of y_in.
template <class F>
Vec sha1_rounds(const Vec& x_in, const Vec& y_in, const Vec& w_in, const F& f) {
  Words x = words(x_in);
  const Words w = words(w_in);
  u32 y = y_in.lane<u32>(0);
  for (unsigned i = 0; i < 4; i++) {
    y += std::rotl(x[0], 5) + f(x[1], x[2], x[3]) + w[i];
    const u32 next_y = x[3];
    x = {y, x[0], std::rotl(x[1], 30), x[2]};
    y = next_y;
  }
  return vector(x);
}

// SHA-256 over a:b:c:d in x and e:f:g:h in y.
struct Sha256State {
  Words x, y;
  void round(u32 w) {
    const u32 sigma1 = std::rotr(y[0], 6) ^ std::rotr(y[0], 11) ^ std::rotr(y[0], 25);
    const u32 sigma0 = std::rotr(x[0], 2) ^ std::rotr(x[0], 13) ^ std::rotr(x[0], 22);
    const u32 t = y[3] + sigma1 + choose(y[0], y[1], y[2]) + w;
    const u32 new_e = x[3] + t, new_a = t + sigma0 + majority(x[0], x[1], x[2]);
    x = {new_a, x[0], x[1], x[2]};
    y = {new_e, y[0], y[1], y[2]};
  }
};
Sha256State four_rounds(const Vec& x, const Vec& y, const Vec& w) {
  Sha256State s{words(x), words(y)};
  for (u32 word : words(w)) s.round(word);
  return s;
}

constexpr u64 sha512_sigma1(u64 x) { return std::rotr(x, 14) ^ std::rotr(x, 18) ^ std::rotr(x, 41); }
constexpr u64 sha512_sigma0(u64 x) { return std::rotr(x, 28) ^ std::rotr(x, 34) ^ std::rotr(x, 39); }

u32 sm4_substitute(u32 v) {
  const Box& box = sm4_box();
  u32 r = 0;
  for (unsigned i = 0; i < 4; i++) r |= u32{box[v >> (8 * i) & 0xff]} << (8 * i);
  return r;
}

}  // namespace

Vec aese(const Vec& a, const Vec& b) {
  const Vec state = exclusive_or(a, b);
  const Box& box = aes_box();
  Vec r;
  for (unsigned i = 0; i < 16; i++) r.set_lane<u8>(i, box[state.lane<u8>((i + 4 * (i % 4)) % 16)]);
  return r;
}
Vec aesd(const Vec& a, const Vec& b) {
  const Vec state = exclusive_or(a, b);
  const Box& box = aes_inverse_box();
  Vec r;
  for (unsigned i = 0; i < 16; i++) r.set_lane<u8>((i + 4 * (i % 4)) % 16, box[state.lane<u8>(i)]);
  return r;
}
Vec aesmc(const Vec& a) { return mix_columns(a, {2, 1, 1, 3}); }
Vec aesimc(const Vec& a) { return mix_columns(a, {14, 9, 13, 11}); }
Vec aes_round(const Vec& a, const Vec& b) { return exclusive_or(aesmc(aese(a, Vec{})), b); }
Vec aes_inverse_round(const Vec& a, const Vec& b) { return exclusive_or(aesimc(aesd(a, Vec{})), b); }

Vec sha1c(const Vec& a, const Vec& b, const Vec& c) { return sha1_rounds(a, b, c, choose); }
Vec sha1p(const Vec& a, const Vec& b, const Vec& c) { return sha1_rounds(a, b, c, parity); }
Vec sha1m(const Vec& a, const Vec& b, const Vec& c) { return sha1_rounds(a, b, c, majority); }
Vec sha1h(const Vec& a) { return {std::rotl(a.lane<u32>(0), 30), 0}; }
Vec sha1su0(const Vec& a, const Vec& b, const Vec& c) { return {a.hi ^ a.lo ^ c.lo, b.lo ^ a.hi ^ c.hi}; }
Vec sha1su1(const Vec& a, const Vec& b) {
  Words t = words(exclusive_or(a, Vec{b.lo >> 32 | b.hi << 32, b.hi >> 32}));
  return vector(
      {std::rotl(t[0], 1), std::rotl(t[1], 1), std::rotl(t[2], 1), std::rotl(t[3], 1) ^ std::rotl(t[0], 2)});
}

Vec sha256_rounds(const Vec& a, const Vec& b, const Vec& c) {
  const Words old = words(a), recent = words(b);
  Sha256State s{{recent[3], recent[2], old[3], old[2]}, {recent[1], recent[0], old[1], old[0]}};
  s.round(c.lane<u32>(0)), s.round(c.lane<u32>(1));
  return vector({s.y[1], s.y[0], s.x[1], s.x[0]});
}
Vec sha256h(const Vec& a, const Vec& b, const Vec& c) { return vector(four_rounds(a, b, c).x); }
Vec sha256h2(const Vec& a, const Vec& b, const Vec& c) { return vector(four_rounds(b, a, c).y); }
Vec sha256su0(const Vec& a, const Vec& b) {
  const Words d = words(a), t = {d[1], d[2], d[3], b.lane<u32>(0)};
  Words r;
  for (unsigned i = 0; i < 4; i++) r[i] = d[i] + (std::rotr(t[i], 7) ^ std::rotr(t[i], 18) ^ t[i] >> 3);
  return vector(r);
}
Vec sha256su1(const Vec& a, const Vec& b, const Vec& c) {
  const Words d = words(a), n = words(b), m = words(c), t0 = {n[1], n[2], n[3], m[0]};
  Words r;
  for (unsigned i = 0; i < 4; i++) {
    const u32 t1 = i < 2 ? m[i + 2] : r[i - 2];
    r[i] = d[i] + t0[i] + (std::rotr(t1, 17) ^ std::rotr(t1, 19) ^ t1 >> 10);
  }
  return vector(r);
}

Vec sha512h(const Vec& a, const Vec& b, const Vec& c) {
  const u64 high = ((c.hi & b.lo) ^ (~c.hi & b.hi)) + sha512_sigma1(c.hi) + a.hi;
  const u64 t = high + c.lo;
  return {((t & c.hi) ^ (~t & b.lo)) + sha512_sigma1(t) + a.lo, high};
}
Vec sha512h2(const Vec& a, const Vec& b, const Vec& c) {
  const u64 high = ((b.lo & c.hi) ^ (b.lo & c.lo) ^ (c.hi & c.lo)) + sha512_sigma0(c.lo) + a.hi;
  return {((high & c.lo) ^ (high & c.hi) ^ (c.hi & c.lo)) + sha512_sigma0(high) + a.lo, high};
}
Vec sha512su0(const Vec& a, const Vec& b) {
  auto sigma = [](u64 x) { return std::rotr(x, 1) ^ std::rotr(x, 8) ^ x >> 7; };
  return {a.lo + sigma(a.hi), a.hi + sigma(b.lo)};
}
Vec sha512su1(const Vec& a, const Vec& b, const Vec& c) {
  auto sigma = [](u64 x) { return std::rotr(x, 19) ^ std::rotr(x, 61) ^ x >> 6; };
  return {a.lo + sigma(b.lo) + c.lo, a.hi + sigma(b.hi) + c.hi};
}

Vec rax1(const Vec& a, const Vec& b) { return {a.lo ^ std::rotl(b.lo, 1), a.hi ^ std::rotl(b.hi, 1)}; }
Vec xar(const Vec& a, const Vec& b, unsigned rotate) {
  return {std::rotr(a.lo ^ b.lo, int(rotate)), std::rotr(a.hi ^ b.hi, int(rotate))};
}

Vec sm3ss1(const Vec& a, const Vec& b, const Vec& c) {
  const u32 sum = std::rotl(a.lane<u32>(3), 12) + b.lane<u32>(3) + c.lane<u32>(3);
  return {0, u64{std::rotl(sum, 7)} << 32};
}
Vec sm3tt(const Vec& a, const Vec& b, const Vec& c, unsigned lane, unsigned kind) {
  const Words d = words(a);
  const u32 n = b.lane<u32>(3), w = c.lane<u32>(lane & 3);
  const u32 f = kind == 1   ? majority(d[3], d[2], d[1])
                : kind == 3 ? choose(d[3], d[2], d[1])
                            : parity(d[3], d[2], d[1]);
  const bool second = kind >= 2;
  const u32 sum = f + d[0] + (second ? n : n ^ std::rotl(d[3], 12)) + w;
  const u32 last = second ? sum ^ std::rotl(sum, 9) ^ std::rotl(sum, 17) : sum;
  return vector({d[1], std::rotl(d[2], second ? 19 : 9), d[3], last});
}
Vec sm3partw1(const Vec& a, const Vec& b, const Vec& c) {
  Words r = words(exclusive_or(a, b));
  const Words m = words(c);
  for (unsigned i = 0; i < 4; i++) {
    r[i] ^= std::rotl(i < 3 ? m[i + 1] : r[0], 15);
    r[i] ^= std::rotl(r[i], 15) ^ std::rotl(r[i], 23);
  }
  return vector(r);
}
Vec sm3partw2(const Vec& a, const Vec& b, const Vec& c) {
  const Words m = words(c);
  Words t = words(b);
  for (unsigned i = 0; i < 4; i++) t[i] ^= std::rotl(m[i], 7);
  const u32 last = std::rotl(t[0], 15);
  const Vec r = exclusive_or(a, vector(t));
  return {r.lo, r.hi ^ u64{last ^ std::rotl(last, 15) ^ std::rotl(last, 23)} << 32};
}

Vec sm4e(const Vec& a, const Vec& b) {
  Words r = words(a);
  const Words key = words(b);
  for (unsigned i = 0; i < 4; i++) {
    const u32 v = sm4_substitute(r[3] ^ r[2] ^ r[1] ^ key[i]);
    const u32 mixed = v ^ std::rotl(v, 2) ^ std::rotl(v, 10) ^ std::rotl(v, 18) ^ std::rotl(v, 24);
    r = {r[1], r[2], r[3], r[0] ^ mixed};
  }
  return vector(r);
}
Vec sm4ekey(const Vec& a, const Vec& b) {
  Words r = words(a);
  const Words constants = words(b);
  for (unsigned i = 0; i < 4; i++) {
    const u32 v = sm4_substitute(r[3] ^ r[2] ^ r[1] ^ constants[i]);
    r = {r[1], r[2], r[3], r[0] ^ v ^ std::rotl(v, 13) ^ std::rotl(v, 23)};
  }
  return vector(r);
}

}  // namespace sluice::tcg::ir::crypto
