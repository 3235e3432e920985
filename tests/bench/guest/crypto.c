// tests/bench/guest/crypto.c: SHA-256 and SHA-1 (FIPS 180-4), AES (FIPS 197), multiplication of polynomials
// and CRCs with the Armv8 instructions on the guest (Arm C Language Extensions), and in plain C on the host;
// SHA-256 in plain C on both.
#include "kernels.h"

#ifdef __aarch64__
#include <arm_acle.h>
#include <arm_neon.h>
#endif

static const uint32_t kSha[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

// --- SHA-256
static uint32_t turn(uint32_t x, int n) { return x >> n | x << (32 - n); }
static void sha256_block_in_c(uint32_t state[8], const uint32_t block[16]) {
  uint32_t w[64], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5],
                  g = state[6], h = state[7];
  memcpy(w, block, 64);
  for (int n = 16; n < 64; n++)
    w[n] = w[n - 16] + w[n - 7] + (turn(w[n - 15], 7) ^ turn(w[n - 15], 18) ^ w[n - 15] >> 3) +
           (turn(w[n - 2], 17) ^ turn(w[n - 2], 19) ^ w[n - 2] >> 10);
  for (int n = 0; n < 64; n++) {
    const uint32_t t = h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + kSha[n] + w[n];
    const uint32_t u = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t, d = c, c = b, b = a, a = t + u;
  }
  state[0] += a, state[1] += b, state[2] += c, state[3] += d;
  state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

static void sha256_block(uint32_t state[8], const uint32_t block[16]) {
#ifdef __aarch64__
  uint32x4_t abcd = vld1q_u32(state), efgh = vld1q_u32(state + 4), w[4];
  const uint32x4_t abcd0 = abcd, efgh0 = efgh;
  for (int n = 0; n < 4; n++) w[n] = vld1q_u32(block + 4 * n);
  for (int n = 0; n < 16; n++) {
    uint32x4_t wk = vaddq_u32(w[n & 3], vld1q_u32(kSha + 4 * n)), before = abcd;
    if (n < 12)
      w[n & 3] = vsha256su1q_u32(vsha256su0q_u32(w[n & 3], w[(n + 1) & 3]), w[(n + 2) & 3], w[(n + 3) & 3]);
    abcd = vsha256hq_u32(abcd, efgh, wk);
    efgh = vsha256h2q_u32(efgh, before, wk);
  }
  vst1q_u32(state, vaddq_u32(abcd, abcd0));
  vst1q_u32(state + 4, vaddq_u32(efgh, efgh0));
#else
  sha256_block_in_c(state, block);
#endif
}

static uint64_t hash_blocks(void (*add_block)(uint32_t[8], const uint32_t[16]), uint64_t rounds) {
  uint32_t state[8] = {1, 2, 3, 4, 5, 6, 7, 8}, block[16];
  for (uint32_t n = 0; n < 16; n++) block[n] = n * 0x9e3779b9;
  for (; rounds; rounds--) {
    add_block(state, block);
    block[rounds & 15] ^= state[0];
  }
  return (uint64_t)state[0] << 32 | (state[4] ^ state[7]);
}
static uint64_t sha256(uint64_t rounds) { return hash_blocks(sha256_block, rounds); }
static uint64_t sha256_in_c(uint64_t rounds) { return hash_blocks(sha256_block_in_c, rounds); }

// --- SHA-1
static const uint32_t kSha1[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
static void sha1_block(uint32_t state[8], const uint32_t block[16]) {
#ifdef __aarch64__
  uint32x4_t abcd = vld1q_u32(state), w[4];
  uint32_t e = state[4];
  for (int n = 0; n < 4; n++) w[n] = vld1q_u32(block + 4 * n);
  for (int n = 0; n < 20; n++) {
    const uint32x4_t wk = vaddq_u32(w[n & 3], vdupq_n_u32(kSha1[n / 5]));
    const uint32_t next = vsha1h_u32(vgetq_lane_u32(abcd, 0));
    if (n < 5)
      abcd = vsha1cq_u32(abcd, e, wk);
    else if (n < 10 || n >= 15)
      abcd = vsha1pq_u32(abcd, e, wk);
    else
      abcd = vsha1mq_u32(abcd, e, wk);
    e = next;
    w[n & 3] = vsha1su1q_u32(vsha1su0q_u32(w[n & 3], w[(n + 1) & 3], w[(n + 2) & 3]), w[(n + 3) & 3]);
  }
  vst1q_u32(state, vaddq_u32(abcd, vld1q_u32(state)));
  state[4] += e;
#else
  uint32_t w[80], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
  memcpy(w, block, 64);
  for (int n = 16; n < 80; n++) w[n] = turn(w[n - 3] ^ w[n - 8] ^ w[n - 14] ^ w[n - 16], 31);
  for (int n = 0; n < 80; n++) {
    const uint32_t f = n < 20              ? (b & c) | (~b & d)
                       : n < 40 || n >= 60 ? b ^ c ^ d
                                           : (b & c) | (b & d) | (c & d);
    const uint32_t t = turn(a, 27) + f + e + kSha1[n / 20] + w[n];
    e = d, d = c, c = turn(b, 2), b = a, a = t;
  }
  state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e;
#endif
}
static uint64_t sha1(uint64_t rounds) { return hash_blocks(sha1_block, rounds); }

// --- AES: ten rounds, the last as the others
enum { kRounds = 10, kBlock = 16 };
#ifndef __aarch64__
static uint8_t substitution[256], inverse_substitution[256], products[16][256];
static uint8_t multiply(uint8_t a, uint8_t b) {
  uint8_t product = 0;
  for (; b; b >>= 1, a = (uint8_t)(a << 1 ^ (a >> 7) * 0x1b))
    if (b & 1) product ^= a;
  return product;
}
static void make_tables(void) {
  for (int v = 0; v < 256; v++) {
    uint8_t inverse = 0, s;
    for (int i = 1; i < 256; i++)
      if (multiply((uint8_t)v, (uint8_t)i) == 1) inverse = (uint8_t)i;
    s = inverse ^ 0x63;
    for (int k = 1; k < 5; k++) s ^= (uint8_t)(inverse << k | inverse >> (8 - k));
    substitution[v] = s;
    inverse_substitution[s] = (uint8_t)v;
    for (int f = 0; f < 16; f++) products[f][v] = multiply((uint8_t)v, (uint8_t)f);
  }
}
static void mix_columns(uint8_t to[kBlock], const uint8_t s[kBlock], const uint8_t factors[4]) {
  for (int n = 0; n < kBlock; n++) {
    to[n] = 0;
    for (int k = 0; k < 4; k++) to[n] ^= products[factors[k]][s[(n & ~3) + ((n + k) & 3)]];
  }
}
#endif

static void encrypt(uint8_t block[kBlock], const uint8_t keys[kRounds][kBlock]) {
#ifdef __aarch64__
  uint8x16_t v = vld1q_u8(block);
  for (int n = 0; n < kRounds; n++) v = vaesmcq_u8(vaeseq_u8(v, vld1q_u8(keys[n])));
  vst1q_u8(block, v);
#else
  static const uint8_t factors[4] = {2, 3, 1, 1};
  uint8_t s[kBlock];
  for (int r = 0; r < kRounds; r++) {
    for (int n = 0; n < kBlock; n++)
      s[n] = substitution[block[(n + 4 * (n & 3)) & 15] ^ keys[r][(n + 4 * (n & 3)) & 15]];
    mix_columns(block, s, factors);
  }
#endif
}

static void decrypt(uint8_t block[kBlock], const uint8_t keys[kRounds][kBlock]) {
#ifdef __aarch64__
  uint8x16_t v = vld1q_u8(block);
  for (int n = 0; n < kRounds; n++) v = vaesimcq_u8(vaesdq_u8(v, vld1q_u8(keys[n])));
  vst1q_u8(block, v);
#else
  static const uint8_t factors[4] = {14, 11, 13, 9};
  uint8_t s[kBlock];
  for (int r = 0; r < kRounds; r++) {
    for (int n = 0; n < kBlock; n++)
      s[n] = inverse_substitution[block[(n - 4 * (n & 3)) & 15] ^ keys[r][(n - 4 * (n & 3)) & 15]];
    mix_columns(block, s, factors);
  }
#endif
}

// Each block is that of four before: four chains that do not wait for one another.
static uint64_t cipher(void (*apply)(uint8_t[kBlock], const uint8_t[kRounds][kBlock]), uint64_t rounds) {
  static uint8_t blocks[4][kBlock], keys[kRounds][kBlock];
#ifndef __aarch64__
  make_tables();
#endif
  for (int n = 0; n < 4 * kBlock; n++) blocks[n / kBlock][n % kBlock] = (uint8_t)(n * 17);
  for (int n = 0; n < kRounds * kBlock; n++) keys[n / kBlock][n % kBlock] = (uint8_t)(n * 29 + 3);
  for (; rounds; rounds--)
    for (int n = 0; n < 4; n++) apply(blocks[n], keys);
  uint64_t sum, other;
  memcpy(&sum, blocks[0] + 4, 8), memcpy(&other, blocks[3], 8);
  return sum ^ other;
}
static uint64_t aes(uint64_t rounds) { return cipher(encrypt, rounds); }
static uint64_t aes_inverse(uint64_t rounds) { return cipher(decrypt, rounds); }

// --- Polynomials: a 128-bit remainder takes in 128 bits at a time, as CRCs of long messages are computed
#ifndef __aarch64__
static void multiply_polynomials(uint64_t a, uint64_t b, uint64_t product[2]) {
  unsigned __int128 sum = 0;
  for (int n = 0; n < 64; n++) sum ^= ((unsigned __int128)a << n) & -(unsigned __int128)(b >> n & 1);
  product[0] ^= (uint64_t)sum, product[1] ^= (uint64_t)(sum >> 64);
}
#endif
static uint64_t folding(uint64_t rounds) {
  static uint64_t data[256][2];
  for (uint64_t n = 0; n < 512; n++) data[n / 2][n % 2] = n * 0x9e3779b97f4a7c15ull;
  const uint64_t low = 0xccaa009e, high = 0x1751997d0;
  uint64_t remainder[2] = {1, 2};
  for (; rounds; rounds--)
    for (int n = 0; n < 256; n++) {
#ifdef __aarch64__
      const uint64x2_t r = vld1q_u64(remainder);
      const uint64x2_t a = vreinterpretq_u64_p128(vmull_p64((poly64_t)vgetq_lane_u64(r, 0), (poly64_t)low)),
                       b = vreinterpretq_u64_p128(
                           vmull_high_p64(vreinterpretq_p64_u64(r), vdupq_n_p64((poly64_t)high)));
      vst1q_u64(remainder, veorq_u64(veorq_u64(a, b), vld1q_u64(data[n])));
#else
      uint64_t r[2] = {data[n][0], data[n][1]};
      multiply_polynomials(remainder[0], low, r);
      multiply_polynomials(remainder[1], high, r);
      remainder[0] = r[0], remainder[1] = r[1];
#endif
    }
  return remainder[0] ^ remainder[1];
}

// --- CRCs, reflected
#ifdef __aarch64__
static uint32_t add_castagnoli(uint32_t crc, uint64_t word) { return __crc32cd(crc, word); }
static uint32_t add_ethernet(uint32_t crc, uint64_t word) {
  return __crc32b(__crc32d(crc, word), (uint8_t)word);
}
#else
static uint32_t crc_bytes(uint32_t crc, uint64_t word, int count, uint32_t polynomial) {
  static uint32_t tables[2][256];
  uint32_t* table = tables[polynomial >> 30 & 1];
  if (!table[1])
    for (uint32_t v = 0; v < 256; v++) {
      table[v] = v;
      for (int n = 0; n < 8; n++) table[v] = table[v] >> 1 ^ (polynomial & -(table[v] & 1));
    }
  for (; count; count--, word >>= 8) crc = crc >> 8 ^ table[(crc ^ word) & 255];
  return crc;
}
static uint32_t add_castagnoli(uint32_t crc, uint64_t word) { return crc_bytes(crc, word, 8, 0x82f63b78); }
static uint32_t add_ethernet(uint32_t crc, uint64_t word) {
  return crc_bytes(crc_bytes(crc, word, 8, 0xedb88320), word, 1, 0xedb88320);
}
#endif
static uint64_t crc_castagnoli(uint64_t rounds) {
  uint32_t c = ~0u;
  for (; rounds; rounds--) c = add_castagnoli(c, rounds * 0x9e3779b97f4a7c15ull);
  return c;
}
static uint64_t crc_ethernet(uint64_t rounds) {
  uint32_t c = ~0u;
  for (; rounds; rounds--) c = add_ethernet(c, rounds * 0x9e3779b97f4a7c15ull);
  return c;
}

const struct kernel crypto_kernels[] = {{"SHA-256", "crypto", sha256, 150000},
                                        {"SHA-1", "crypto", sha1, 150000},
                                        {"AES", "crypto", aes, 800000},
                                        {"AES decryption", "crypto", aes_inverse, 800000},
                                        {"PMULL", "crypto", folding, 20000},
                                        {"CRC-32C", "crypto", crc_castagnoli, 30000000},
                                        {"CRC-32", "crypto", crc_ethernet, 5000000},
                                        {"SHA-256 in C", "integer", sha256_in_c, 100000},
                                        {0, 0, 0, 0}};
