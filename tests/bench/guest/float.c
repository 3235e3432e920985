// tests/bench/guest/float.c: scalar floating point. Nothing is contracted to fused operations, so that every
// host computes the same bits; where fused ones are meant, they are written as such.
#include "kernels.h"

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
  return bits_of(c[13][17]) ^ bits_of(c[60][2]);
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
  return bits_of(p[0][0]) ^ bits_of(p[4][2]);
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

static uint64_t conversions(uint64_t rounds) {
  static int32_t ints[256];
  static double doubles[256];
  static float floats[256];
  uint32_t seed = 2;
  uint64_t sum = 0;
  for (int n = 0; n < 256; n++) ints[n] = (int32_t)next_random(&seed) >> 8;
  for (; rounds; rounds--) {
    for (int n = 0; n < 256; n++) doubles[n] = ints[n] * 0.37;
    forget();
    for (int n = 0; n < 256; n++) floats[n] = (float)doubles[n];
    forget();
    for (int n = 0; n < 256; n++) {
      const int64_t wide = (int64_t)floats[n];
      sum += (uint64_t)wide + (uint32_t)(int32_t)(doubles[n] + (float)(wide & 0xffff));
    }
    ints[rounds & 255] += (int32_t)rounds & 1023;
  }
  return sum;
}

// --- Elementary functions as libm has them: reduction of the argument, a polynomial by fused multiply-add
static double exponential(double x) {
  const double k = __builtin_floor(x * 1.4426950408889634 + 0.5);
  const double r = __builtin_fma(-k, 0.6931471805599453, x);
  double p = 1.0 / 5040;
  static const double c[] = {1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1, 1};
  for (int n = 0; n < 7; n++) p = __builtin_fma(p, r, c[n]);
  const uint64_t power = (uint64_t)(1023 + (int64_t)k) << 52;
  double scale;
  memcpy(&scale, &power, 8);
  return p * scale;
}
static double sine(double x) {
  const double k = __builtin_floor(x * 0.3183098861837907 + 0.5);
  const double r = __builtin_fma(-k, 3.141592653589793, x), square = r * r;
  double p = -1.0 / 39916800;
  static const double c[] = {1.0 / 362880, -1.0 / 5040, 1.0 / 120, -1.0 / 6, 1};
  for (int n = 0; n < 5; n++) p = __builtin_fma(p, square, c[n]);
  return (int64_t)k & 1 ? -p * r : p * r;
}
static double logarithm(double x) {
  uint64_t b = bits_of(x);
  const int64_t e = (int64_t)(b >> 52) - 1023;
  b = (b & 0xfffffffffffffull) | 0x3ff0000000000000ull;
  double m;
  memcpy(&m, &b, 8);
  const double s = (m - 1) / (m + 1), square = s * s;
  double p = 2.0 / 11;
  static const double c[] = {2.0 / 9, 2.0 / 7, 2.0 / 5, 2.0 / 3, 2};
  for (int n = 0; n < 5; n++) p = __builtin_fma(p, square, c[n]);
  return __builtin_fma((double)e, 0.6931471805599453, p * s);
}
static uint64_t elementary_functions(uint64_t rounds) {
  double x = 0.5, sum = 0;
  for (; rounds; rounds--) {
    sum += sine(x) + exponential(-x * 0.25) + logarithm(x + 1.5);
    x += 0.618033988749895;
    if (x > 30) x -= 30;
  }
  return bits_of(sum);
}

static uint64_t fourier(uint64_t rounds) {
  enum { kN = 256 };
  static double re[kN], im[kN], wr[kN / 2], wi[kN / 2];
  for (int n = 0; n < kN / 2; n++)
    wr[n] = sine(n * 2 * 3.141592653589793 / kN + 1.5707963267948966),
    wi[n] = -sine(n * 2 * 3.141592653589793 / kN);
  for (int n = 0; n < kN; n++) re[n] = n % 17 - 8, im[n] = 0;
  for (; rounds; rounds--) {
    for (int size = kN / 2; size; size /= 2)
      for (int from = 0; from < kN; from += 2 * size)
        for (int n = 0; n < size; n++) {
          const int a = from + n, b = a + size, w = n * (kN / 2 / size);
          const double r = re[a] - re[b], i = im[a] - im[b];
          re[a] = (re[a] + re[b]) * 0.5, im[a] = (im[a] + im[b]) * 0.5;
          re[b] = (r * wr[w] - i * wi[w]) * 0.5, im[b] = (r * wi[w] + i * wr[w]) * 0.5;
        }
    for (int n = 0; n < kN; n++) re[n] += n % 13;
  }
  return bits_of(re[3]) ^ bits_of(im[77]);
}

// Divisions: the matrix is never stored.
static uint64_t spectral_norm(uint64_t rounds) {
  enum { kN = 40 };
  double u[kN], v[kN];
  for (int n = 0; n < kN; n++) u[n] = 1;
  double norm = 0;
  for (; rounds; rounds--) {
    for (int i = 0; i < kN; i++) {
      v[i] = 0;
      for (int j = 0; j < kN; j++) v[i] += u[j] / ((i + j) * (i + j + 1) / 2 + i + 1);
    }
    norm = 0;
    for (int n = 0; n < kN; n++) norm += v[n] * v[n];
    norm = __builtin_sqrt(norm);
    for (int n = 0; n < kN; n++) u[n] = v[n] / norm;
  }
  return bits_of(norm) ^ bits_of(u[7]);
}

// A chain of filters of second order in single precision: each result depends on the one before.
static uint64_t filters(uint64_t rounds) {
  float s[4][2] = {{0}}, x = 0.25f;
  for (uint64_t n = 0; n < rounds; n++) {
    x = x * 0.5f + ((n & 64) ? 1.0f : -1.0f);
    for (int f = 0; f < 4; f++) {
      const float w = x + 1.6f * s[f][0] - 0.81f * s[f][1];
      x = (w - s[f][1]) * 0.095f;
      s[f][1] = s[f][0], s[f][0] = w;
    }
  }
  return bits_of(x) ^ bits_of(s[3][0]);
}

// Rays against spheres: square roots, comparisons, branches on them.
static uint64_t rays(uint64_t rounds) {
  static const float spheres[4][4] = {{0, 0, 5, 1}, {2, 0, 6, 1.5f}, {-2, 1, 4, 0.75f}, {0, -102, 5, 100}};
  uint64_t sum = 0;
  for (uint64_t n = 0; n < rounds; n++) {
    const float x = (float)(int)(n % 97) / 48 - 1, y = (float)(int)(n % 89) / 44 - 1;
    const float scale = 1 / __builtin_sqrtf(x * x + y * y + 1);
    float nearest = 1e9f;
    int hit = 4;
    for (int s = 0; s < 4; s++) {
      const float* c = spheres[s];
      const float along = (x * c[0] + y * c[1] + c[2]) * scale;
      const float square = along * along - (c[0] * c[0] + c[1] * c[1] + c[2] * c[2]) + c[3] * c[3];
      if (square < 0) continue;
      const float t = along - __builtin_sqrtf(square);
      if (t > 0.001f && t < nearest) nearest = t, hit = s;
    }
    sum = sum * 5 + (uint64_t)hit + (uint64_t)(nearest < 1e8f ? nearest * 1000 : 0);
  }
  return sum;
}

static uint64_t roundings(uint64_t rounds) {
  double x = -1000.3, sum = 0;
  for (; rounds; rounds--) {
    sum += __builtin_floor(x) + __builtin_ceil(x * 0.5) + __builtin_trunc(x * 0.3) + __builtin_rint(x * 0.7);
    sum += x > 3 ? __builtin_fabs(x) : -x;
    x += 0.37;
    if (x > 1000) x -= 2000;
  }
  return bits_of(sum);
}

const struct kernel float_kernels[] = {{"matmul", "scalar FP", matmul, 200},
                                       {"n-body", "scalar FP", nbody, 250000},
                                       {"mandelbrot", "scalar FP", mandelbrot, 500},
                                       {"conversions", "scalar FP", conversions, 20000},
                                       {"elementary functions", "scalar FP", elementary_functions, 500000},
                                       {"Fourier", "scalar FP", fourier, 2000},
                                       {"spectral norm", "scalar FP", spectral_norm, 3000},
                                       {"filters", "scalar FP", filters, 800000},
                                       {"rays", "scalar FP", rays, 700000},
                                       {"roundings", "scalar FP", roundings, 2000000},
                                       {0, 0, 0, 0}};
