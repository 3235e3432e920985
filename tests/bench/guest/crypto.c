// tests/bench/guest/crypto.c: SHA-256 (FIPS 180-4), AES rounds (FIPS 197) and CRC-32C with the Armv8
// instructions on the guest (Arm C Language Extensions), and in plain C on the host.
#include <string.h>

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

#ifdef __aarch64__
static void sha_block(uint32_t state[8], const uint32_t block[16]) {
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
}
#else
static uint32_t turn(uint32_t x, int n) { return x >> n | x << (32 - n); }
static void sha_block(uint32_t state[8], const uint32_t block[16]) {
  uint32_t w[64], s[8];
  memcpy(w, block, 64);
  memcpy(s, state, 32);
  for (int n = 16; n < 64; n++)
    w[n] = w[n - 16] + w[n - 7] + (turn(w[n - 15], 7) ^ turn(w[n - 15], 18) ^ w[n - 15] >> 3) +
           (turn(w[n - 2], 17) ^ turn(w[n - 2], 19) ^ w[n - 2] >> 10);
  for (int n = 0; n < 64; n++) {
    uint32_t t = s[7] + (turn(s[4], 6) ^ turn(s[4], 11) ^ turn(s[4], 25)) + ((s[4] & s[5]) ^ (~s[4] & s[6])) +
                 kSha[n] + w[n];
    uint32_t u =
        (turn(s[0], 2) ^ turn(s[0], 13) ^ turn(s[0], 22)) + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
    memmove(s + 1, s, 28);
    s[4] += t;
    s[0] = t + u;
  }
  for (int n = 0; n < 8; n++) state[n] += s[n];
}
#endif

static uint64_t sha256(uint64_t rounds) {
  uint32_t state[8] = {1, 2, 3, 4, 5, 6, 7, 8}, block[16];
  for (uint32_t n = 0; n < 16; n++) block[n] = n * 0x9e3779b9;
  for (; rounds; rounds--) {
    sha_block(state, block);
    block[rounds & 15] ^= state[0];
  }
  return (uint64_t)state[0] << 32 | state[7];
}

#ifdef __aarch64__
static void aes_round(uint8_t block[16], const uint8_t key[16]) {
  vst1q_u8(block, vaesmcq_u8(vaeseq_u8(vld1q_u8(block), vld1q_u8(key))));
}
static uint32_t crc_word(uint32_t crc, uint64_t word) { return __crc32cd(crc, word); }
#else
static uint8_t twice(uint8_t x) { return (uint8_t)(x << 1 ^ (x >> 7) * 0x1b); }
static uint8_t times(uint8_t a, uint8_t b) {
  uint8_t product = 0;
  for (; b; b >>= 1, a = twice(a))
    if (b & 1) product ^= a;
  return product;
}
static uint8_t substitute(uint8_t x) {
  static uint8_t table[256];
  static int made;
  for (int v = 0; !made && v < 256; v++) {
    uint8_t inverse = 0;
    for (int i = 1; i < 256; i++)
      if (times((uint8_t)v, (uint8_t)i) == 1) inverse = (uint8_t)i;
    table[v] = inverse ^ 0x63;
    for (int k = 1; k < 5; k++) table[v] ^= (uint8_t)(inverse << k | inverse >> (8 - k));
  }
  made = 1;
  return table[x];
}
static void aes_round(uint8_t block[16], const uint8_t key[16]) {
  uint8_t s[16];
  for (int n = 0; n < 16; n++) s[n] = substitute(block[(n + 4 * (n & 3)) & 15] ^ key[(n + 4 * (n & 3)) & 15]);
  for (int n = 0; n < 16; n++) {
    int c = n & ~3;
    block[n] = twice(s[n]) ^ twice(s[c + ((n + 1) & 3)]) ^ s[c + ((n + 1) & 3)] ^ s[c + ((n + 2) & 3)] ^
               s[c + ((n + 3) & 3)];
  }
}
static uint32_t crc_word(uint32_t crc, uint64_t word) {
  for (int n = 0; n < 64; n++, word >>= 1) crc = crc >> 1 ^ (0x82f63b78 & -((crc ^ (uint32_t)word) & 1));
  return crc;
}
#endif

static uint64_t aes(uint64_t rounds) {
  uint8_t block[16], key[16];
  for (int n = 0; n < 16; n++) block[n] = (uint8_t)(n * 17), key[n] = (uint8_t)(n * 29 + 3);
  for (; rounds; rounds--) aes_round(block, key);
  uint64_t sum;
  memcpy(&sum, block + 4, 8);
  return sum;
}

static uint64_t crc(uint64_t rounds) {
  uint32_t c = ~0u;
  for (; rounds; rounds--) c = crc_word(c, rounds * 0x9e3779b97f4a7c15ull);
  return c;
}

const struct kernel crypto_kernels[] = {{"SHA-256", "crypto", sha256, 300000},
                                        {"AES", "crypto", aes, 24000000},
                                        {"CRC-32C", "crypto", crc, 80000000},
                                        {0, 0, 0, 0}};
