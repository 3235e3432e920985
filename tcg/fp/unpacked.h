// tcg/fp/unpacked.h: what the functions of fp.h share: FPUnpack, FPRound and NaN processing (DDI 0487).
// Private to tcg/fp.
#pragma once
#include <bit>
#include <limits>

#include "base/bits.h"
#include "tcg/fp/fp.h"

namespace sluice::fp::detail {

template <class F>
struct Format {
  static constexpr unsigned kFraction = F::kFractionBits;
  static constexpr u64 kExponentMax = ones(F::kExponentBits);  // the field's value in infinities and NaNs
  static constexpr int kBias = int(kExponentMax >> 1);
  static constexpr u64 kSign = u64{1} << (F::kBits - 1);
  static constexpr u64 kInfinity = kExponentMax << kFraction;
  static constexpr u64 kMaxNormal = kInfinity - 1;
  static constexpr u64 kQuiet = u64{1} << (kFraction - 1);
  static constexpr bool kIsHalf = F::kBits == 16;
};

template <class F>
constexpr Bits<F> FPZero(bool sign) {
  return Bits<F>(sign ? Format<F>::kSign : 0);
}
template <class F>
constexpr Bits<F> FPInfinity(bool sign) {
  return Bits<F>(FPZero<F>(sign) | Format<F>::kInfinity);
}
template <class F>
constexpr Bits<F> FPMaxNormal(bool sign) {
  return Bits<F>(FPZero<F>(sign) | Format<F>::kMaxNormal);
}
// 2^exponent * (1 + quarters / 4): 2.0 is (1, 0), 1.5 is (0, 2), 3.0 is (1, 2).
template <class F>
constexpr Bits<F> small_constant(bool sign, int exponent, unsigned quarters) {
  u64 biased = u64(exponent + Format<F>::kBias);
  return Bits<F>(FPZero<F>(sign) | biased << Format<F>::kFraction |
                 u64{quarters} << (Format<F>::kFraction - 2));
}

template <class F>
constexpr bool sign_of(Bits<F> op) {
  return (op & Format<F>::kSign) != 0;
}
template <class F>
constexpr u64 magnitude(Bits<F> op) {
  return op & (Format<F>::kSign - 1);
}
template <class F>
constexpr unsigned exponent_field(Bits<F> op) {
  return unsigned(magnitude<F>(op) >> Format<F>::kFraction);
}
template <class F>
constexpr u64 fraction_field(Bits<F> op) {
  return op & ones(Format<F>::kFraction);
}
template <class F>
constexpr bool is_nan(Bits<F> op) {
  return magnitude<F>(op) > Format<F>::kInfinity;
}
template <class F>
constexpr bool is_snan(Bits<F> op) {
  return is_nan<F>(op) && !(op & Format<F>::kQuiet);
}
template <class F>
constexpr bool is_qnan(Bits<F> op) {
  return is_nan<F>(op) && (op & Format<F>::kQuiet);
}

// Whether FPUnpack and FPRound flush denormals of this format.
template <class F>
constexpr bool flushes(const Context& context) {
  return context.fpcr & (Format<F>::kIsHalf ? kFpcrFZ16 : kFpcrFZ);
}

// The part of FPUnpack that can flush: a denormal becomes a zero of the same sign. Only FZ sets IDC, FZ16
// does not.
template <class F>
inline Bits<F> flush_input(Bits<F> op, Context& context) {
  if (exponent_field<F>(op) != 0 || magnitude<F>(op) == 0 || !flushes<F>(context)) return op;
  if constexpr (!Format<F>::kIsHalf) context.raise(kFpsrIDC);
  return FPZero<F>(sign_of<F>(op));
}

enum class Type : u8 { Nonzero, Zero, Infinity, NaN };

// A nonzero value is mantissa * 2^(exponent - 63), with bit 63 of the mantissa set; denormals are normalised.
struct Unpacked {
  u64 mantissa;
  i32 exponent;
  Type type;
  bool sign;
};

// FPUnpackBase of a value that has already been through flush_input, or is not to be flushed.
template <class F>
constexpr Unpacked unpack_exact(Bits<F> op, bool has_infinities = true) {
  constexpr unsigned kAlign = 63 - Format<F>::kFraction;
  bool sign = sign_of<F>(op);
  unsigned exponent = exponent_field<F>(op);
  u64 fraction = fraction_field<F>(op);
  if (exponent == 0) [[unlikely]] {
    if (fraction == 0) return {0, 0, Type::Zero, sign};
    unsigned shift = unsigned(std::countl_zero(fraction));
    return {fraction << shift, 1 - Format<F>::kBias - int(shift - kAlign), Type::Nonzero, sign};
  }
  if (exponent == Format<F>::kExponentMax && has_infinities) [[unlikely]]
    return {0, 0, fraction ? Type::NaN : Type::Infinity, sign};
  return {u64{1} << 63 | fraction << kAlign, int(exponent) - Format<F>::kBias, Type::Nonzero, sign};
}

template <class F>
inline Unpacked unpack(Bits<F> op, Context& context) {
  return unpack_exact<F>(flush_input<F>(op, context));
}

// FPProcessNaN: op is a NaN.
template <class F>
inline Bits<F> FPProcessNaN(Bits<F> op, Context& context) {
  if (!(op & Format<F>::kQuiet)) context.raise(kFpsrIOC);
  return context.default_nan() ? FPDefaultNaN<F>() : Bits<F>(op | Format<F>::kQuiet);
}

// FPProcessNaNs: at least one operand is a NaN. Signalling ones go first, then the order of the operands.
template <class F>
inline Bits<F> FPProcessNaNs(Bits<F> op1, Bits<F> op2, Context& context) {
  if (is_snan<F>(op1)) return FPProcessNaN<F>(op1, context);
  if (is_snan<F>(op2)) return FPProcessNaN<F>(op2, context);
  return FPProcessNaN<F>(is_nan<F>(op1) ? op1 : op2, context);
}

template <class F>
inline Bits<F> FPProcessNaNs3(Bits<F> op1, Bits<F> op2, Bits<F> op3, Context& context) {
  if (is_snan<F>(op1)) return FPProcessNaN<F>(op1, context);
  if (is_snan<F>(op2)) return FPProcessNaN<F>(op2, context);
  if (is_snan<F>(op3)) return FPProcessNaN<F>(op3, context);
  return FPProcessNaN<F>(is_nan<F>(op1) ? op1 : is_nan<F>(op2) ? op2 : op3, context);
}

template <class F>
inline Bits<F> invalid_operation(Context& context) {
  context.raise(kFpsrIOC);
  return FPDefaultNaN<F>();
}

// value >> amount, where a one that falls off the end stays visible in bit 0. Any amount: what is shifted out
// entirely leaves 1, as a shift by all but one place does.
template <class U>
constexpr U shift_right_sticky(U value, unsigned amount) {
  constexpr unsigned kMost = sizeof(U) * 8 - 1;
  if (amount > kMost) amount = kMost;
  return value >> amount | U((value & ((U{1} << amount) - 1)) != 0);
}

// value or 0 - value, without a branch: signs are not predictable.
template <class U>
constexpr U negate_if(bool negate, U value) {
  return (value ^ (U{0} - U{negate})) + U{negate};
}

// Whether a magnitude, cut off with remainder `rest` out of 2 * half, must grow by one.
constexpr bool rounds_away(Rounding rounding, bool sign, bool odd, u64 rest, u64 half) {
  switch (rounding) {
    case Rounding::TieEven: return rest > half || (rest == half && odd);
    case Rounding::PosInf: return rest && !sign;
    case Rounding::NegInf: return rest && sign;
    case Rounding::TieAway: return rest >= half;
    case Rounding::Zero:
    case Rounding::Odd: return false;
  }
  return false;
}

constexpr bool overflows_to_infinity(Rounding rounding, bool sign) {
  switch (rounding) {
    case Rounding::TieEven:
    case Rounding::TieAway: return true;
    case Rounding::PosInf: return !sign;
    case Rounding::NegInf: return sign;
    case Rounding::Zero:
    case Rounding::Odd: return false;
  }
  return false;
}

// The last lines of FPRound, for a result whose exponent does not fit.
template <class F>
inline Bits<F> overflow(bool sign, Rounding rounding, bool alternative, Context& context) {
  if (alternative) {
    context.raise(kFpsrIOC);
    return Bits<F>(FPZero<F>(sign) | (Format<F>::kSign - 1));
  }
  context.raise(kFpsrOFC | kFpsrIXC);
  return overflows_to_infinity(rounding, sign) ? FPInfinity<F>(sign) : FPMaxNormal<F>(sign);
}

// FPRound in full; see below.
template <class F, bool kConversion>
[[gnu::noinline]] Bits<F> round_any(bool sign, int exponent, u64 mantissa, Rounding rounding,
                                    Context& context) {
  constexpr unsigned kDrop = 63 - Format<F>::kFraction;
  constexpr u64 kHalf = u64{1} << (kDrop - 1);
  constexpr bool kCanFlush = !(kConversion && Format<F>::kIsHalf);
  const bool alternative = kConversion && Format<F>::kIsHalf && context.alternative_half();

  int biased = exponent + Format<F>::kBias;
  const bool tiny = biased <= 0;  // before rounding
  if (tiny) {
    if (kCanFlush && flushes<F>(context)) {
      context.raise(kFpsrUFC);  // and neither IXC nor a trap
      return FPZero<F>(sign);
    }
    mantissa = shift_right_sticky(mantissa, unsigned(1 - biased));
    biased = 1;
  }
  const u64 rest = mantissa & ones(kDrop);
  u64 integer = mantissa >> kDrop;
  if (rounding == Rounding::Odd && rest) integer |= 1;
  integer += rounds_away(rounding, sign, integer & 1, rest, kHalf);
  // The integer bit adds one to the exponent field; so does the carry of a fraction that was rounded up.
  const u64 packed = (u64(biased - 1) << Format<F>::kFraction) + integer;
  if (packed >= (alternative ? Format<F>::kSign : Format<F>::kInfinity))
    return overflow<F>(sign, rounding, alternative, context);
  if (rest) context.raise(tiny ? kFpsrUFC | kFpsrIXC : u32{kFpsrIXC});
  return Bits<F>(FPZero<F>(sign) | packed);
}

// FPRound of mantissa * 2^(exponent - 63), bit 63 set, bit 0 sticky. With kConversion it is FPRoundCV: FZ16
// is ignored and the half-precision format may be the alternative one. Here is the common case: round to
// nearest, and the exponent is far enough from both ends for the result to be normal.
template <class F, bool kConversion = false>
inline Bits<F> FPRound(bool sign, int exponent, u64 mantissa, Rounding rounding, Context& context) {
  constexpr unsigned kDrop = 63 - Format<F>::kFraction;
  constexpr u64 kHalf = u64{1} << (kDrop - 1);
  const u64 below = u64(i64{exponent} + Format<F>::kBias - 1);  // the exponent field less one
  if (rounding != Rounding::TieEven || below >= Format<F>::kExponentMax - 2) [[unlikely]]
    return round_any<F, kConversion>(sign, exponent, mantissa, rounding, context);
  const u64 rest = mantissa & ones(kDrop);
  const u64 integer = mantissa >> kDrop;
  const u64 carry = (rest + kHalf - 1 + (integer & 1)) >> kDrop;  // above a half, and at a half if odd
  context.raise(rest ? u32{kFpsrIXC} : 0);
  return Bits<F>(u64{sign} << (F::kBits - 1) | ((below << Format<F>::kFraction) + integer + carry));
}

// "Sign of exact zero result depends on rounding mode."
template <class F>
inline Bits<F> exact_zero_sum(const Context& context) {
  return FPZero<F>(context.rounding() == Rounding::NegInf);
}

}  // namespace sluice::fp::detail
