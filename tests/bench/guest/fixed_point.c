// tests/bench/guest/fixed_point.c: Advanced SIMD instructions that codecs use and compilers do not:
// saturation, structures, additions across lanes, fused multiply-add by lane. The guest has them as
// intrinsics (Arm C Language Extensions), the host computes the same in plain C.
#include "kernels.h"

#ifdef __aarch64__
#include <arm_neon.h>
#endif

#ifndef __aarch64__
static int16_t saturate(int32_t x) { return (int16_t)(x > 32767 ? 32767 : x < -32768 ? -32768 : x); }
static uint8_t saturate_byte(int32_t x) { return (uint8_t)(x > 255 ? 255 : x < 0 ? 0 : x); }
#endif

// Two tracks are mixed with saturation: SQDMULH, SQADD.
static void mix_tracks(int16_t* to, const int16_t* a, const int16_t* b, int16_t volume) {
#ifdef __aarch64__
  vst1q_s16(to, vqaddq_s16(vld1q_s16(a), vqdmulhq_n_s16(vld1q_s16(b), volume)));
#else
  for (int n = 0; n < 8; n++) to[n] = saturate(a[n] + saturate(b[n] * volume * 2 >> 16));
#endif
}
static uint64_t saturated_mix(uint64_t rounds) {
  static int16_t a[1024], b[1024];
  for (int n = 0; n < 1024; n++) a[n] = (int16_t)(n * 517), b[n] = (int16_t)(n * 1201);
  for (; rounds; rounds--)
    for (int n = 0; n < 1024; n += 8)
      mix_tracks(a + n, a + n, b + (n * 5 & 1023 & ~7), (int16_t)(rounds * 77));
  uint64_t sum = 0;
  for (int n = 0; n < 1024; n++) sum = sum * 31 + (uint16_t)a[n];
  return sum;
}

// Sixteen pixels of red, green and blue to grey: LD3, UMULL, UMLAL, RSHRN.
static void to_grey(uint8_t* to, const uint8_t* rgb) {
#ifdef __aarch64__
  const uint8x16x3_t v = vld3q_u8(rgb);
  uint16x8_t low = vmull_u8(vget_low_u8(v.val[0]), vdup_n_u8(77)),
             high = vmull_high_u8(v.val[0], vdupq_n_u8(77));
  low = vmlal_u8(low, vget_low_u8(v.val[1]), vdup_n_u8(150));
  high = vmlal_high_u8(high, v.val[1], vdupq_n_u8(150));
  low = vmlal_u8(low, vget_low_u8(v.val[2]), vdup_n_u8(29));
  high = vmlal_high_u8(high, v.val[2], vdupq_n_u8(29));
  vst1q_u8(to, vrshrn_high_n_u16(vrshrn_n_u16(low, 8), high, 8));
#else
  for (int n = 0; n < 16; n++)
    to[n] = (uint8_t)((rgb[3 * n] * 77 + rgb[3 * n + 1] * 150 + rgb[3 * n + 2] * 29 + 128) >> 8);
#endif
}
static uint64_t grey(uint64_t rounds) {
  static uint8_t picture[3 * 1024], out[1024];
  for (int n = 0; n < 3 * 1024; n++) picture[n] = (uint8_t)(n * 7);
  uint64_t sum = 0;
  for (; rounds; rounds--) {
    for (int n = 0; n < 1024; n += 16) to_grey(out + n, picture + 3 * n);
    sum += out[rounds & 1023];
    picture[rounds % 3072] ^= (uint8_t)sum;
  }
  return sum;
}

// A row of a filter of six taps, rounded and narrowed to bytes: USUBL, MLA, SQRSHRUN.
static void six_taps(uint8_t* to, const uint8_t* p) {
#ifdef __aarch64__
  const int16x8_t outer = vreinterpretq_s16_u16(vaddl_u8(vld1_u8(p), vld1_u8(p + 5))),
                  middle = vreinterpretq_s16_u16(vaddl_u8(vld1_u8(p + 1), vld1_u8(p + 4))),
                  inner = vreinterpretq_s16_u16(vaddl_u8(vld1_u8(p + 2), vld1_u8(p + 3)));
  vst1_u8(to, vqrshrun_n_s16(vmlaq_n_s16(vmlaq_n_s16(outer, middle, -5), inner, 20), 5));
#else
  for (int n = 0; n < 8; n++)
    to[n] =
        saturate_byte((p[n] + p[n + 5] - 5 * (p[n + 1] + p[n + 4]) + 20 * (p[n + 2] + p[n + 3]) + 16) >> 5);
#endif
}
static uint64_t interpolation(uint64_t rounds) {
  static uint8_t in[1024 + 16], out[1024];
  for (int n = 0; n < 1024 + 16; n++) in[n] = (uint8_t)(n * n >> 3);
  uint64_t sum = 0;
  for (; rounds; rounds--) {
    for (int n = 0; n < 1024; n += 8) six_taps(out + n, in + n);
    sum += out[rounds & 1023];
    in[rounds & 1023] += (uint8_t)(rounds + sum);
  }
  return sum;
}

// Bits that are set in a map: CNT, UADDLP, UADALP, ADDV.
static uint32_t count_bits(const uint8_t* p) {
#ifdef __aarch64__
  return vaddvq_u32(
      vpadalq_u16(vpaddlq_u16(vpaddlq_u8(vcntq_u8(vld1q_u8(p)))), vpaddlq_u8(vcntq_u8(vld1q_u8(p + 16)))));
#else
  uint32_t count = 0;
  for (int n = 0; n < 32; n++) count += (uint32_t)__builtin_popcount(p[n]);
  return count;
#endif
}
static uint64_t set_bits(uint64_t rounds) {
  static uint8_t map[4096];
  for (int n = 0; n < 4096; n++) map[n] = (uint8_t)(n * 29);
  uint64_t sum = 0;
  for (; rounds; rounds--) {
    for (int n = 0; n < 4096; n += 32) sum += count_bits(map + n);
    map[rounds & 4095] ^= (uint8_t)sum;
  }
  return sum;
}

// The largest and smallest of each block, for a search: UMAXV, UMINV, UABD.
static uint32_t range_of(const uint8_t* a, const uint8_t* b) {
#ifdef __aarch64__
  const uint8x16_t d = vabdq_u8(vld1q_u8(a), vld1q_u8(b));
  return (uint32_t)(vmaxvq_u8(d) << 8 | vminvq_u8(d)) + vaddlvq_u8(d);
#else
  uint32_t most = 0, least = 255, sum = 0;
  for (int n = 0; n < 16; n++) {
    const uint32_t d = (uint32_t)(a[n] > b[n] ? a[n] - b[n] : b[n] - a[n]);
    if (d > most) most = d;
    if (d < least) least = d;
    sum += d;
  }
  return (most << 8 | least) + sum;
#endif
}
static uint64_t across_lanes(uint64_t rounds) {
  static uint8_t a[1024], b[1024];
  for (int n = 0; n < 1024; n++) a[n] = (uint8_t)(n * 7), b[n] = (uint8_t)(n * 13 >> 2);
  uint64_t sum = 0;
  for (; rounds; rounds--) {
    for (int n = 0; n < 1024; n += 16) sum += range_of(a + n, b + n);
    a[rounds & 1023] ^= (uint8_t)sum;
  }
  return sum;
}

// Points through a matrix of 4 x 4: FMUL and FMLA by element.
static void transform(float* to, const float m[16], const float* p) {
#ifdef __aarch64__
  const float32x4_t v = vld1q_f32(p);
  float32x4_t r = vmulq_laneq_f32(vld1q_f32(m), v, 0);
  r = vfmaq_laneq_f32(r, vld1q_f32(m + 4), v, 1);
  r = vfmaq_laneq_f32(r, vld1q_f32(m + 8), v, 2);
  vst1q_f32(to, vfmaq_laneq_f32(r, vld1q_f32(m + 12), v, 3));
#else
  for (int n = 0; n < 4; n++) {
    float r = m[n] * p[0];
    r = __builtin_fmaf(m[4 + n], p[1], r);
    r = __builtin_fmaf(m[8 + n], p[2], r);
    to[n] = __builtin_fmaf(m[12 + n], p[3], r);
  }
#endif
}
static uint64_t matrix_4x4(uint64_t rounds) {
  static float points[256][4], out[256][4];
  static const float m[16] = {0.5f, 0.1f,  0,     0.25f,  -0.1f, 0.5f, 0.3f, 0,
                              0,    -0.3f, 0.75f, 0.125f, 1,     2,    3,    0.5f};
  for (int n = 0; n < 1024; n++) points[n / 4][n % 4] = (float)(n % 29);
  for (; rounds; rounds--) {
    for (int n = 0; n < 256; n++) transform(out[n], m, points[n]);
    points[rounds & 255][0] = out[rounds * 3 & 255][1];
  }
  return bits_of(out[100][2]) ^ bits_of(points[7][0]);
}

// Newton's method from the estimate of a reciprocal square root: FRSQRTE would differ, so a first guess by
// bits.
static void reciprocal_roots(float* to, const float* p) {
#ifdef __aarch64__
  const float32x4_t x = vld1q_f32(p);
  float32x4_t y =
      vreinterpretq_f32_u32(vsubq_u32(vdupq_n_u32(0x5f3759df), vshrq_n_u32(vreinterpretq_u32_f32(x), 1)));
  for (int n = 0; n < 3; n++) y = vmulq_f32(y, vrsqrtsq_f32(vmulq_f32(x, y), y));
  vst1q_f32(to, y);
#else
  for (int lane = 0; lane < 4; lane++) {
    uint32_t b;
    memcpy(&b, p + lane, 4);
    b = 0x5f3759df - (b >> 1);
    float y;
    memcpy(&y, &b, 4);
    for (int n = 0; n < 3; n++) {  // FRSQRTS: (3 - a * b) / 2, rounded once; exact in double
      const float a = p[lane] * y;
      y = y * (float)((3.0 - (double)a * (double)y) * 0.5);
    }
    to[lane] = y;
  }
#endif
}
static uint64_t normalisation(uint64_t rounds) {
  static float in[256], out[256];
  for (int n = 0; n < 256; n++) in[n] = (float)(n + 1) * 0.37f;
  uint64_t sum = 0;
  for (; rounds; rounds--) {
    for (int n = 0; n < 256; n += 4) reciprocal_roots(out + n, in + n);
    sum += bits_of(out[rounds & 255]) >> 29;
    in[rounds & 255] += 0.125f;
  }
  return sum;
}

const struct kernel fixed_point_kernels[] = {
    {"saturated mix", "NEON", saturated_mix, 5000}, {"grey", "NEON", grey, 10000},
    {"interpolation", "NEON", interpolation, 5000}, {"set bits", "NEON", set_bits, 5000},
    {"across lanes", "NEON", across_lanes, 5000},   {"matrix 4x4", "NEON", matrix_4x4, 20000},
    {"normalisation", "NEON", normalisation, 8000}, {0, 0, 0, 0}};
