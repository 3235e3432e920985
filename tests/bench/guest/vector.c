// tests/bench/guest/vector.c: Advanced SIMD by the compiler's vector types.
#include "kernels.h"

typedef float floats __attribute__((vector_size(16)));
typedef double doubles __attribute__((vector_size(16)));
typedef int32_t ints __attribute__((vector_size(16)));
typedef int16_t shorts __attribute__((vector_size(16)));
typedef int16_t half_shorts __attribute__((vector_size(8)));
typedef uint8_t bytes __attribute__((vector_size(16)));
typedef uint8_t half_bytes __attribute__((vector_size(8)));
typedef uint16_t halves __attribute__((vector_size(16)));
typedef uint16_t wide_halves __attribute__((vector_size(32)));
typedef uint32_t words __attribute__((vector_size(16)));

static uint64_t saxpy(uint64_t rounds) {
  static floats x[256], y[256];
  for (int n = 0; n < 256; n++) x[n] = (floats){n, n + 1, n + 2, n + 3}, y[n] = (floats){1, 2, 3, 4};
  for (; rounds; rounds--) {
    for (int n = 0; n < 256; n++) y[n] = y[n] + x[n] * 0.0009765625f;
    forget();
  }
  return bits_of(y[17][0] + y[200][3]);
}

static uint64_t absolute_differences(uint64_t rounds) {
  static bytes a[256], b[256];
  for (int n = 0; n < 256; n++)
    for (int lane = 0; lane < 16; lane++)
      a[n][lane] = (uint8_t)(n * 5 + lane), b[n][lane] = (uint8_t)(n * 3 ^ lane);
  uint64_t sum = 0;
  for (; rounds; rounds--) {
    wide_halves total = {0};
    for (int n = 0; n < 256; n++) {
      bytes larger = (bytes)(a[n] > b[n]);
      bytes d = ((a[n] - b[n]) & larger) | ((b[n] - a[n]) & ~larger);
      total += __builtin_convertvector(d, wide_halves);
    }
    for (int lane = 0; lane < 16; lane++) sum += total[lane];
    a[rounds % 256][3]++;
    forget();
  }
  return sum;
}

static uint64_t chacha(uint64_t rounds) {
  words a = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}, b = {1, 2, 3, 4}, c = {5, 6, 7, 8},
        d = {9, 10, 11, 12};
  for (; rounds; rounds--)
    for (int n = 0; n < 10; n++) {
      a += b, d ^= a, d = d << 16 | d >> 16;
      c += d, b ^= c, b = b << 12 | b >> 20;
      a += b, d ^= a, d = d << 8 | d >> 24;
      c += d, b ^= c, b = b << 7 | b >> 25;
      b = __builtin_shuffle(b, (words){1, 2, 3, 0}), c = __builtin_shuffle(c, (words){2, 3, 0, 1});
      d = __builtin_shuffle(d, (words){3, 0, 1, 2});
    }
  return (uint64_t)(a[0] ^ c[1]) << 32 | (b[2] ^ d[3]);
}

static uint64_t convert(uint64_t rounds) {
  static ints v[256];
  for (int n = 0; n < 256; n++) v[n] = (ints){n * 1000, -n * 77, n * n, 5 - n};
  for (; rounds; rounds--) {
    for (int n = 0; n < 256; n++) {
      const floats f = __builtin_convertvector(v[n], floats) * 0.75f + 3.5f;
      v[n] = __builtin_convertvector(f, ints) + v[n] / (ints){4, 4, 4, 4};
    }
    forget();
  }
  return (uint64_t)(uint32_t)v[100][0] << 32 | (uint32_t)(v[200][1] ^ v[3][2]);
}

static uint64_t byte_shuffles(uint64_t rounds) {
  static bytes v[64];
  for (int n = 0; n < 64; n++)
    for (int lane = 0; lane < 16; lane++) v[n][lane] = (uint8_t)(n * 16 + lane);
  bytes order = {3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12};
  for (; rounds; rounds--) {
    for (int n = 0; n < 64; n++) {
      const bytes a = __builtin_shuffle(v[n], order & 15);
      const bytes b = v[(n + 7) & 63];
      v[n] = __builtin_shuffle(a, b, (bytes){0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23});
    }
    order = order + (bytes){1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0};
    forget();
  }
  uint64_t sum;
  memcpy(&sum, &v[9], 8);
  return sum;
}

static uint64_t dot_product(uint64_t rounds) {
  static shorts a[256], b[256];
  for (int n = 0; n < 256; n++)
    for (int lane = 0; lane < 8; lane++)
      a[n][lane] = (int16_t)(n * 31 - lane * 77), b[n][lane] = (int16_t)(n * 7 + lane);
  uint64_t sum = 0;
  for (; rounds; rounds--) {
    ints total = {0};
    for (int n = 0; n < 256; n++) {
      half_shorts al, ah, bl, bh;
      memcpy(&al, &a[n], 8), memcpy(&ah, (char*)&a[n] + 8, 8);
      memcpy(&bl, &b[n], 8), memcpy(&bh, (char*)&b[n] + 8, 8);
      total += __builtin_convertvector(al, ints) * __builtin_convertvector(bl, ints);
      total += __builtin_convertvector(ah, ints) * __builtin_convertvector(bh, ints);
    }
    sum += (uint32_t)(total[0] + total[1] + total[2] + total[3]);
    a[rounds & 255][5]++;
    forget();
  }
  return sum;
}

static uint64_t blending(uint64_t rounds) {
  static half_bytes a[512], b[512];
  for (int n = 0; n < 512; n++)
    for (int lane = 0; lane < 8; lane++)
      a[n][lane] = (uint8_t)(n + lane * 3), b[n][lane] = (uint8_t)(n * 5 ^ lane);
  for (; rounds; rounds--) {
    const uint16_t alpha = rounds & 255;
    for (int n = 0; n < 512; n++) {
      const halves x = __builtin_convertvector(a[n], halves), y = __builtin_convertvector(b[n], halves);
      a[n] = __builtin_convertvector((x * alpha + y * (uint16_t)(255 - alpha) + 128) >> 8, half_bytes);
    }
    forget();
  }
  uint64_t sum;
  memcpy(&sum, &a[77], 8);
  return sum;
}

static uint64_t convolution(uint64_t rounds) {
  static float in[1024 + 16], out[1024];
  static const float taps[8] = {0.1f, -0.2f, 0.3f, 0.4f, 0.25f, 0.15f, -0.05f, 0.05f};
  for (int n = 0; n < 1024 + 16; n++) in[n] = (float)(n % 37 - 18);
  for (; rounds; rounds--) {
    for (int n = 0; n < 1024; n += 4) {
      floats sum = {0};
      for (int t = 0; t < 8; t++) {
        floats x;
        memcpy(&x, in + n + t, 16);
        sum += x * taps[t];
      }
      memcpy(out + n, &sum, 16);
    }
    in[rounds & 1023] = out[rounds * 5 & 1023];
  }
  return bits_of(out[3]) ^ bits_of(in[500]);
}

static uint64_t double_vectors(uint64_t rounds) {
  static doubles x[128], y[128];
  for (int n = 0; n < 128; n++) x[n] = (doubles){n, n + 0.5}, y[n] = (doubles){1.5, 2.5};
  for (; rounds; rounds--) {
    for (int n = 0; n < 128; n++) y[n] = (y[n] + x[n] * 1.5) / (y[n] * y[n] + 1.0) - x[n];
    forget();
  }
  return bits_of(y[17][0] + y[100][1]);
}

static uint64_t transposition(uint64_t rounds) {
  static words m[64];
  for (int n = 0; n < 64; n++) m[n] = (words){(uint32_t)n, (uint32_t)n * 3, (uint32_t)n * 5, (uint32_t)n * 7};
  for (; rounds; rounds--) {
    for (int n = 0; n < 64; n += 4) {
      const words lo1 = __builtin_shuffle(m[n], m[n + 1], (words){0, 4, 1, 5}),
                  hi1 = __builtin_shuffle(m[n], m[n + 1], (words){2, 6, 3, 7}),
                  lo2 = __builtin_shuffle(m[n + 2], m[n + 3], (words){0, 4, 1, 5}),
                  hi2 = __builtin_shuffle(m[n + 2], m[n + 3], (words){2, 6, 3, 7});
      m[n] = __builtin_shuffle(lo1, lo2, (words){0, 1, 4, 5}) + 1;
      m[n + 1] = __builtin_shuffle(lo1, lo2, (words){2, 3, 6, 7}) ^ 3;
      m[n + 2] = __builtin_shuffle(hi1, hi2, (words){0, 1, 4, 5});
      m[n + 3] = __builtin_shuffle(hi1, hi2, (words){2, 3, 6, 7});
    }
    forget();
  }
  return (uint64_t)m[13][2] << 32 | m[40][1];
}

// Comparisons make masks, masks choose: a threshold and the largest and smallest of it.
static uint64_t selection(uint64_t rounds) {
  static floats v[256];
  for (int n = 0; n < 256; n++) v[n] = (floats){n % 31, -n % 17, n * 0.5f, 100 - n};
  ints largest = {0}, count = {0};
  for (; rounds; rounds--) {
    const float limit = (float)(int)(rounds & 63);
    for (int n = 0; n < 256; n++) {
      const ints above = v[n] > limit;
      const ints x = __builtin_convertvector(v[n], ints);
      count -= above;
      const ints larger = x > largest;
      largest = (x & larger) | (largest & ~larger);
      v[n] = (floats)(((ints)(v[n] - 1.0f) & above) | ((ints)(v[n] + 0.25f) & ~above));
    }
    forget();
  }
  return (uint64_t)(uint32_t)(count[0] + count[1] * 3 + count[2] * 5 + count[3] * 7) << 32 |
         (uint32_t)(largest[0] ^ largest[1] << 8 ^ largest[2] << 16 ^ largest[3]);
}

const struct kernel vector_kernels[] = {{"saxpy", "NEON", saxpy, 150000},
                                        {"absolute differences", "NEON", absolute_differences, 80000},
                                        {"chacha", "NEON", chacha, 800000},
                                        {"convert", "NEON", convert, 50000},
                                        {"byte shuffles", "NEON", byte_shuffles, 200000},
                                        {"dot product", "NEON", dot_product, 60000},
                                        {"blending", "NEON", blending, 30000},
                                        {"convolution", "NEON", convolution, 20000},
                                        {"double vectors", "NEON", double_vectors, 60000},
                                        {"transposition", "NEON", transposition, 400000},
                                        {"selection", "NEON", selection, 40000},
                                        {0, 0, 0, 0}};
