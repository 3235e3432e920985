// tests/bench/guest/float.c: scalar FP, vectors (by the compiler's vector types), hashes. No contraction to
// fused operations, so that every host computes the same bits.
#include <string.h>

#include "kernels.h"

static uint64_t bits(double d) {
  uint64_t b;
  memcpy(&b, &d, sizeof b);
  return b;
}

static uint64_t matmul(uint64_t rounds) {
  enum { kN = 64 };
  static double a[kN][kN], b[kN][kN], c[kN][kN];
  for (int i = 0; i < kN; i++)
    for (int j = 0; j < kN; j++) a[i][j] = i + 0.5 * j, b[i][j] = i - 0.25 * j, c[i][j] = 0;
  for (; rounds; rounds--)
    for (int i = 0; i < kN; i++)
      for (int j = 0; j < kN; j++) {
        double sum = c[i][j] * 0.5;
        for (int k = 0; k < kN; k++) sum += a[i][k] * b[k][j];
        c[i][j] = sum;
      }
  return bits(c[13][17]) ^ bits(c[60][2]);
}

static uint64_t nbody(uint64_t rounds) {
  enum { kN = 5 };
  double p[kN][3], v[kN][3];
  for (int i = 0; i < kN; i++)
    for (int d = 0; d < 3; d++) p[i][d] = (i * 3 + d) * 1.25 - 4, v[i][d] = 0.01 * (d - i);
  for (; rounds; rounds--) {
    for (int i = 0; i < kN; i++)
      for (int j = i + 1; j < kN; j++) {
        double x = p[i][0] - p[j][0], y = p[i][1] - p[j][1], z = p[i][2] - p[j][2];
        double square = x * x + y * y + z * z + 0.01, root = __builtin_sqrt(square),
               pull = 0.001 / (square * root);
        v[i][0] -= x * pull, v[i][1] -= y * pull, v[i][2] -= z * pull;
        v[j][0] += x * pull, v[j][1] += y * pull, v[j][2] += z * pull;
      }
    for (int i = 0; i < kN; i++)
      for (int d = 0; d < 3; d++) p[i][d] += 0.001 * v[i][d];
  }
  return bits(p[0][0]) ^ bits(p[4][2]);
}

static uint64_t mandelbrot(uint64_t rounds) {
  uint64_t sum = 0;
  for (uint64_t y = 0; y < rounds; y++)
    for (uint64_t x = 0; x < rounds; x++) {
      double cr = 3.0 * (double)x / (double)rounds - 2, ci = 2.0 * (double)y / (double)rounds - 1, zr = 0,
             zi = 0;
      for (int n = 0; n < 100 && zr * zr + zi * zi < 4; n++, sum++) {
        double t = zr * zr - zi * zi + cr;
        zi = 2 * zr * zi + ci;
        zr = t;
      }
    }
  return sum;
}

typedef float floats __attribute__((vector_size(16)));
typedef uint8_t bytes __attribute__((vector_size(16)));
typedef uint16_t halves __attribute__((vector_size(32)));
typedef uint32_t words __attribute__((vector_size(16)));

static uint64_t saxpy(uint64_t rounds) {
  static floats x[256], y[256];
  for (int n = 0; n < 256; n++) x[n] = (floats){n, n + 1, n + 2, n + 3}, y[n] = (floats){1, 2, 3, 4};
  for (; rounds; rounds--) {
    for (int n = 0; n < 256; n++) y[n] = y[n] + x[n] * 0.0009765625f;
    __asm__ volatile("" ::: "memory");
  }
  return bits(y[17][0] + y[200][3]);
}

static uint64_t absolute_differences(uint64_t rounds) {
  static bytes a[256], b[256];
  for (int n = 0; n < 256; n++)
    for (int lane = 0; lane < 16; lane++)
      a[n][lane] = (uint8_t)(n * 5 + lane), b[n][lane] = (uint8_t)(n * 3 ^ lane);
  uint64_t sum = 0;
  for (; rounds; rounds--) {
    halves total = {0};
    for (int n = 0; n < 256; n++) {
      bytes larger = (bytes)(a[n] > b[n]);
      bytes d = ((a[n] - b[n]) & larger) | ((b[n] - a[n]) & ~larger);
      total += __builtin_convertvector(d, halves);
    }
    for (int lane = 0; lane < 16; lane++) sum += total[lane];
    a[rounds % 256][3]++;
    __asm__ volatile("" ::: "memory");
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

const struct kernel float_kernels[] = {{"matmul", "scalar FP", matmul, 240},
                                       {"n-body", "scalar FP", nbody, 320000},
                                       {"mandelbrot", "scalar FP", mandelbrot, 600},
                                       {"saxpy", "NEON", saxpy, 120000},
                                       {"absolute differences", "NEON", absolute_differences, 80000},
                                       {"chacha", "NEON", chacha, 1600000},
                                       {0, 0, 0, 0}};
