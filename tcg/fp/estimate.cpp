// tcg/fp/estimate.cpp: reciprocal and reciprocal square root estimates and FPRecpX of DDI 0487.
#include <array>

#include "tcg/fp/unpacked.h"

namespace sluice::fp {

using namespace detail;

namespace {

// RecipEstimate(): 9-bit a in 256..511 stands for [0.5, 1), the result 256..511 for [1, 2).
constexpr unsigned RecipEstimate(unsigned a) {
  a = a * 2 + 1;  // the middle of the interval
  return ((1u << 19) / a + 1) / 2;
}

// RecipSqrtEstimate(): a in 128..511 stands for [0.25, 1), the result 256..511 for [1, 2).
constexpr unsigned RecipSqrtEstimate(unsigned a) {
  a = a < 256 ? a * 2 + 1 : ((a & ~1u) + 1) * 2;
  unsigned b = 512;
  while (a * (b + 1) * (b + 1) < (1u << 28)) b++;
  return (b + 1) / 2;
}

constexpr auto kRecip = [] {
  std::array<u16, 256> table{};
  for (unsigned i = 0; i < table.size(); i++) table[i] = u16(RecipEstimate(i + 256));
  return table;
}();
constexpr auto kRecipSqrt = [] {
  std::array<u16, 384> table{};
  for (unsigned i = 0; i < table.size(); i++) table[i] = u16(RecipSqrtEstimate(i + 128));
  return table;
}();

// sign : exponent : the low 8 bits of a 9-bit estimate : zeros.
template <class F>
constexpr Bits<F> estimate_result(bool sign, int exponent, u64 fraction52) {
  constexpr unsigned kFraction = Format<F>::kFraction;
  return Bits<F>(FPZero<F>(sign) | u64(exponent) << kFraction | fraction52 >> (52 - kFraction));
}

// The result of FPRecipEstimate where 1/x is above the format's range.
template <class F>
Bits<F> recip_overflow(bool sign, Context& context) {
  context.raise(kFpsrOFC | kFpsrIXC);
  return overflows_to_infinity(context.rounding(), sign) ? FPInfinity<F>(sign) : FPMaxNormal<F>(sign);
}

}  // namespace

template <class F>
Bits<F> FPRecipEstimate(Bits<F> op, Context& context) noexcept {
  const Unpacked a = unpack<F>(op, context);
  constexpr int kBias = Format<F>::kBias;
  if (a.type == Type::NaN) return FPProcessNaN<F>(op, context);
  if (a.type == Type::Infinity) return FPZero<F>(a.sign);
  if (a.type == Type::Zero) {
    context.raise(kFpsrDZC);
    return FPInfinity<F>(a.sign);
  }
  if (a.exponent < -kBias - 1) return recip_overflow<F>(a.sign, context);  // |x| < 2^-16, 2^-128, 2^-1024
  if (flushes<F>(context) && a.exponent >= kBias - 1) {                    // |x| >= 2^14, 2^126, 2^1022
    context.raise(kFpsrUFC);
    return FPZero<F>(a.sign);
  }
  const unsigned estimate = kRecip[extract(a.mantissa, 55, 8)];
  const int exponent = kBias - 1 - a.exponent;  // 29, 253 or 2045 - exp in terms of the biased exponent
  u64 fraction = u64(estimate & 0xff) << 44;
  if (exponent == 0) fraction = u64{1} << 51 | fraction >> 1;
  if (exponent == -1) fraction = u64{1} << 50 | fraction >> 2;
  return estimate_result<F>(a.sign, exponent < 0 ? 0 : exponent, fraction);
}

template <class F>
Bits<F> FPRSqrtEstimate(Bits<F> op, Context& context) noexcept {
  const Unpacked a = unpack<F>(op, context);
  if (a.type == Type::NaN) return FPProcessNaN<F>(op, context);
  if (a.type == Type::Zero) {
    context.raise(kFpsrDZC);
    return FPInfinity<F>(a.sign);
  }
  if (a.sign) return invalid_operation<F>(context);
  if (a.type == Type::Infinity) return FPZero<F>(false);
  const int biased = a.exponent + Format<F>::kBias;  // zero or negative for a denormal
  // [0.25, 1) with the parity of the exponent unchanged: 9 bits if it is even, else 8.
  const u64 scaled = biased & 1 ? a.mantissa >> 56 : a.mantissa >> 55;
  const unsigned estimate = kRecipSqrt[scaled - 128];
  const int exponent = (3 * Format<F>::kBias - 1 - biased) >> 1;
  return estimate_result<F>(false, exponent, u64(estimate & 0xff) << 44);
}

template <class F>
Bits<F> FPRecpX(Bits<F> op, Context& context) noexcept {
  constexpr unsigned kFraction = Format<F>::kFraction;
  if (is_nan<F>(op)) return FPProcessNaN<F>(op, context);
  flush_input<F>(op, context);  // for IDC; the result is the same
  const u64 exponent = exponent_field<F>(op);
  const u64 inverse = exponent == 0 ? Format<F>::kExponentMax - 1 : exponent ^ Format<F>::kExponentMax;
  return Bits<F>(FPZero<F>(sign_of<F>(op)) | inverse << kFraction);
}

u32 UnsignedRecipEstimate(u32 op) noexcept {
  if (!(op >> 31)) return ~u32{0};
  return u32{kRecip[(op >> 23) - 256]} << 23;
}

u32 UnsignedRSqrtEstimate(u32 op) noexcept {
  if (!(op >> 30)) return ~u32{0};
  return u32{kRecipSqrt[(op >> 23) - 128]} << 23;
}

#define INSTANTIATE(F)                                             \
  template Bits<F> FPRecipEstimate<F>(Bits<F>, Context&) noexcept; \
  template Bits<F> FPRSqrtEstimate<F>(Bits<F>, Context&) noexcept; \
  template Bits<F> FPRecpX<F>(Bits<F>, Context&) noexcept;
INSTANTIATE(Half)
INSTANTIATE(Single)
INSTANTIATE(Double)
#undef INSTANTIATE

}  // namespace sluice::fp
