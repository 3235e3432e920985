// tcg/fp/convert.cpp: rounding to integers, fixed-point conversions and format conversions of DDI 0487.
#include "tcg/fp/unpacked.h"

namespace sluice::fp {

using namespace detail;

namespace {

// An integral magnitude and whether something was cut off.
struct Integral {
  u64 magnitude;
  bool inexact;
};

// mantissa * 2^-shift, rounded; shift >= 0.
constexpr Integral round_to_integer(bool sign, u64 mantissa, int shift, Rounding rounding) {
  if (shift == 0) return {mantissa, false};
  if (shift > 64) return {rounds_away(rounding, sign, false, 1, 2), true};
  const u64 integer = shift == 64 ? 0 : mantissa >> shift;
  const u64 rest = shift == 64 ? mantissa : mantissa & ones(unsigned(shift));
  return {integer + rounds_away(rounding, sign, integer & 1, rest, u64{1} << (shift - 1)), rest != 0};
}

// `op` is neither NaN nor infinity nor a denormal to be flushed.
template <class F>
Bits<F> round_finite(Bits<F> op, Rounding rounding, bool* inexact) {
  constexpr int kFraction = int(Format<F>::kFraction);
  const int exponent = int(exponent_field<F>(op)) - Format<F>::kBias;
  const bool sign = sign_of<F>(op);
  *inexact = false;
  if (magnitude<F>(op) == 0 || exponent >= kFraction) return op;
  if (exponent < 0) {
    const Unpacked a = unpack_exact<F>(op);
    const Integral r = round_to_integer(sign, a.mantissa, 63 - a.exponent, rounding);
    *inexact = r.inexact;
    return r.magnitude ? small_constant<F>(sign, 0, 0) : FPZero<F>(sign);
  }
  // Rounding the whole word rounds the number: a carry out of the fraction belongs in the exponent.
  const Integral r = round_to_integer(sign, magnitude<F>(op), kFraction - exponent, rounding);
  *inexact = r.inexact;
  return Bits<F>(FPZero<F>(sign) | r.magnitude << (kFraction - exponent));
}

// SatQ(): the magnitude with its sign as an integer of `size` bits.
constexpr u64 saturate(bool sign, u64 magnitude, bool is_unsigned, unsigned size, bool* overflow) {
  const u64 most_negative = u64{1} << (size - 1);
  const u64 limit = is_unsigned ? ones(size) & (u64{sign} - 1) : most_negative - 1 + u64{sign};
  *overflow = magnitude > limit;
  const u64 value = *overflow ? limit : magnitude;
  return negate_if(sign, value) & ones(size);
}

// FPConvertNaN: sign and the top fraction bits survive, and the result is quiet.
template <class To, class From>
Bits<To> FPConvertNaN(Bits<From> op) {
  const u64 fraction = (fraction_field<From>(op) << (64 - Format<From>::kFraction)) | u64{1} << 63;
  return Bits<To>(FPInfinity<To>(sign_of<From>(op)) | fraction >> (64 - Format<To>::kFraction));
}

}  // namespace

template <class F>
Bits<F> FPRoundInt(Bits<F> op, Rounding rounding, bool exact, Context& context) noexcept {
  op = flush_input<F>(op, context);
  if (is_nan<F>(op)) return FPProcessNaN<F>(op, context);
  bool inexact;
  const Bits<F> result = round_finite<F>(op, rounding, &inexact);  // leaves an infinity alone
  if (inexact && exact) context.raise(kFpsrIXC);
  return result;
}

template <class F>
Bits<F> FPRoundIntN(Bits<F> op, Rounding rounding, unsigned intsize, Context& context) noexcept {
  op = flush_input<F>(op, context);
  const Bits<F> most_negative = small_constant<F>(true, int(intsize) - 1, 0);
  bool inexact = false;
  const Bits<F> result = is_nan<F>(op) ? op : round_finite<F>(op, rounding, &inexact);
  // The only representable result of this exponent or a higher one is the most negative integer itself.
  if (magnitude<F>(result) >= magnitude<F>(most_negative) && result != most_negative) {
    context.raise(kFpsrIOC);  // without IXC
    return most_negative;
  }
  if (inexact) context.raise(kFpsrIXC);
  return result;
}

template <class F>
u64 FPToFixed(Bits<F> op, unsigned fbits, bool is_unsigned, Rounding rounding, unsigned size,
              Context& context) noexcept {
  const Unpacked a = unpack<F>(op, context);
  if (a.type == Type::Zero) return 0;
  if (a.type == Type::NaN) {
    context.raise(kFpsrIOC);
    return 0;
  }
  const int shift = 63 - a.exponent - int(fbits);
  bool too_large = a.type == Type::Infinity || shift < 0;
  Integral r{~u64{0}, false};
  if (!too_large) r = round_to_integer(a.sign, a.mantissa, shift, rounding);
  bool overflow;
  const u64 result = saturate(a.sign, r.magnitude, is_unsigned, size, &overflow);
  if (overflow || too_large) {
    context.raise(kFpsrIOC);
  } else if (r.inexact) {
    context.raise(kFpsrIXC);
  }
  return result;
}

template <class F>
Bits<F> FixedToFP(u64 op, unsigned fbits, bool is_unsigned, Rounding rounding, unsigned size,
                  Context& context) noexcept {
  const u64 value = is_unsigned ? op & ones(size) : sign_extend(op, size);
  const bool sign = !is_unsigned && value >> 63;
  const u64 magnitude = negate_if(sign, value);
  if (magnitude == 0) return FPZero<F>(false);
  const int zeros = std::countl_zero(magnitude);
  return FPRound<F>(sign, 63 - zeros - int(fbits), magnitude << zeros, rounding, context);
}

JavaScriptFixed FPToFixedJS(u64 op, Context& context) noexcept {
  const Unpacked a = unpack<Double>(op, context);
  if (a.type == Type::Zero) return {0, op == 0};  // neither -0 nor a flushed denormal is exact
  if (a.type != Type::Nonzero || a.exponent > 63) {
    // What is left of a number from 2^64 on: bits below 2^32 exist up to exponent 83.
    context.raise(kFpsrIOC);
    const bool none = a.type != Type::Nonzero || a.exponent >= 95;
    const u32 low = none ? 0 : u32(a.mantissa << (a.exponent - 63));
    return {a.sign ? 0 - low : low, false};
  }
  const Integral r = round_to_integer(a.sign, a.mantissa, 63 - a.exponent, Rounding::Zero);
  bool overflow;
  saturate(a.sign, r.magnitude, false, 32, &overflow);
  if (overflow) {
    context.raise(kFpsrIOC);
  } else if (r.inexact) {
    context.raise(kFpsrIXC);
  }
  const u32 low = u32(r.magnitude);
  return {a.sign ? 0 - low : low, !overflow && !r.inexact};
}

template <class To, class From>
Bits<To> FPConvert(Bits<From> op, Rounding rounding, Context& context) noexcept {
  const bool to_alternative = Format<To>::kIsHalf && context.alternative_half();
  const bool from_alternative = Format<From>::kIsHalf && context.alternative_half();
  if constexpr (!Format<From>::kIsHalf) op = flush_input<From>(op, context);  // FPUnpackCV ignores FZ16
  const Unpacked a = unpack_exact<From>(op, !from_alternative);
  switch (a.type) {
    case Type::NaN:
      if (to_alternative || is_snan<From>(op)) context.raise(kFpsrIOC);
      if (to_alternative) return FPZero<To>(a.sign);
      return context.default_nan() ? FPDefaultNaN<To>() : FPConvertNaN<To, From>(op);
    case Type::Infinity:
      if (to_alternative) return overflow<To>(a.sign, rounding, true, context);
      return FPInfinity<To>(a.sign);
    case Type::Zero: return FPZero<To>(a.sign);
    case Type::Nonzero: break;
  }
  return FPRound<To, true>(a.sign, a.exponent, a.mantissa, rounding, context);
}

#define INSTANTIATE(F)                                                                       \
  template Bits<F> FPRoundInt<F>(Bits<F>, Rounding, bool, Context&) noexcept;                \
  template u64 FPToFixed<F>(Bits<F>, unsigned, bool, Rounding, unsigned, Context&) noexcept; \
  template Bits<F> FixedToFP<F>(u64, unsigned, bool, Rounding, unsigned, Context&) noexcept;
INSTANTIATE(Half)
INSTANTIATE(Single)
INSTANTIATE(Double)
#undef INSTANTIATE
template Bits<Single> FPRoundIntN<Single>(Bits<Single>, Rounding, unsigned, Context&) noexcept;
template Bits<Double> FPRoundIntN<Double>(Bits<Double>, Rounding, unsigned, Context&) noexcept;

#define INSTANTIATE(To, From) template Bits<To> FPConvert<To, From>(Bits<From>, Rounding, Context&) noexcept;
INSTANTIATE(Half, Single)
INSTANTIATE(Half, Double)
INSTANTIATE(Single, Half)
INSTANTIATE(Single, Double)
INSTANTIATE(Double, Half)
INSTANTIATE(Double, Single)
#undef INSTANTIATE

}  // namespace sluice::fp
