// tcg/fp/arithmetic.cpp: FPAdd, FPSub, FPMul, FPMulX, FPDiv and FPSqrt of DDI 0487.
#include "tcg/fp/square_root.h"
#include "tcg/fp/unpacked.h"

namespace sluice::fp {

using namespace detail;

namespace {

// FPAdd or FPSub where an operand is a zero, an infinity or a NaN.
template <class F, bool kSubtract>
[[gnu::noinline]] Bits<F> add_special(Bits<F> op1, Bits<F> op2, Context& context) {
  const Unpacked a = unpack<F>(op1, context);
  Unpacked b = unpack<F>(op2, context);
  b.sign ^= kSubtract;
  if (a.type == Type::NaN || b.type == Type::NaN) return FPProcessNaNs<F>(op1, op2, context);
  if (a.type == Type::Infinity && b.type == Type::Infinity && a.sign != b.sign)
    return invalid_operation<F>(context);
  if (a.type == Type::Infinity) return FPInfinity<F>(a.sign);
  if (b.type == Type::Infinity) return FPInfinity<F>(b.sign);
  if (a.type == Type::Zero && b.type == Type::Zero)
    return a.sign == b.sign ? FPZero<F>(a.sign) : exact_zero_sum<F>(context);
  const Unpacked& x = a.type == Type::Zero ? b : a;
  return FPRound<F>(x.sign, x.exponent, x.mantissa, context.rounding(), context);
}

// The exact difference or sum needs at most two bits more than a mantissa and a sticky bit: all of them fit
// in 64.
template <class F, bool kSubtract>
inline Bits<F> add(Bits<F> op1, Bits<F> op2, Context& context) {
  const bool swap = magnitude<F>(op1) < magnitude<F>(op2);
  const u64 difference = (op1 ^ op2) & (u64{0} - u64{swap});
  const Unpacked a = unpack<F>(Bits<F>(op1 ^ difference), context);
  const Unpacked b = unpack<F>(Bits<F>(op2 ^ difference), context);
  if (a.type != Type::Nonzero || b.type != Type::Nonzero) [[unlikely]]
    return add_special<F, kSubtract>(op1, op2, context);

  const u64 larger = a.mantissa >> 1;  // room for the carry
  const u64 smaller = shift_right_sticky(b.mantissa >> 1, unsigned(a.exponent - b.exponent));
  const u64 sum = larger + negate_if((a.sign != b.sign) != kSubtract, smaller);
  if (sum == 0) return exact_zero_sum<F>(context);
  const unsigned shift = unsigned(std::countl_zero(sum));
  return FPRound<F>(a.sign != (kSubtract && swap), a.exponent + 1 - int(shift), sum << shift,
                    context.rounding(), context);
}

// FPMul or, with kExtended, FPMulX, where an operand is a zero, an infinity or a NaN.
template <class F, bool kExtended>
[[gnu::noinline]] Bits<F> multiply_special(Bits<F> op1, Bits<F> op2, Context& context) {
  const Unpacked a = unpack<F>(op1, context);
  const Unpacked b = unpack<F>(op2, context);
  if (a.type == Type::NaN || b.type == Type::NaN) return FPProcessNaNs<F>(op1, op2, context);
  const bool sign = a.sign != b.sign;
  const bool infinity = a.type == Type::Infinity || b.type == Type::Infinity;
  const bool zero = a.type == Type::Zero || b.type == Type::Zero;
  if (infinity && zero) return kExtended ? small_constant<F>(sign, 1, 0) : invalid_operation<F>(context);
  return infinity ? FPInfinity<F>(sign) : FPZero<F>(sign);
}

template <class F, bool kExtended>
inline Bits<F> multiply(Bits<F> op1, Bits<F> op2, Context& context) {
  const Unpacked a = unpack<F>(op1, context);
  const Unpacked b = unpack<F>(op2, context);
  if (a.type != Type::Nonzero || b.type != Type::Nonzero) [[unlikely]]
    return multiply_special<F, kExtended>(op1, op2, context);

  const u128 product = u128{a.mantissa} * b.mantissa;
  const u64 high = u64(product >> 64), low = u64(product);
  const unsigned shift = !(high >> 63);
  // Bit 0 is only sticky, so what `low` would shift into it need not be looked at on its own.
  const u64 mantissa = high << shift | (low != 0);
  return FPRound<F>(a.sign != b.sign, a.exponent + b.exponent + 1 - int(shift), mantissa, context.rounding(),
                    context);
}

template <class F>
[[gnu::noinline]] Bits<F> divide_special(Bits<F> op1, Bits<F> op2, Context& context) {
  const Unpacked a = unpack<F>(op1, context);
  const Unpacked b = unpack<F>(op2, context);
  if (a.type == Type::NaN || b.type == Type::NaN) return FPProcessNaNs<F>(op1, op2, context);
  const bool sign = a.sign != b.sign;
  if (a.type == b.type && a.type != Type::Nonzero) return invalid_operation<F>(context);  // 0/0, inf/inf
  if (a.type == Type::Infinity) return FPInfinity<F>(sign);
  if (b.type == Type::Zero) {
    context.raise(kFpsrDZC);
    return FPInfinity<F>(sign);
  }
  return FPZero<F>(sign);
}

struct Quotient {
  u64 mantissa;  // bit 63 or bit 62 is the highest set; bit 0 is sticky
};

// a / b in units of 2^-63, for mantissas of the given format.
template <class F>
inline Quotient divide_mantissas(u64 a, u64 b) {
  if constexpr (F::kBits < 64) {
    constexpr unsigned kTrailingZeros = 63 - Single::kFractionBits;  // of any mantissa that is not double
    const u64 divisor = b >> kTrailingZeros;
    const u64 quotient = a / divisor;  // a/b in units of 2^-40
    return {quotient << (63 - kTrailingZeros) | (quotient * divisor != a)};
  } else {
    const u128 dividend =
        u128{a} << 62;  // below b * 2^63, so that the hardware's 128/64 division cannot overflow
    const u64 quotient = u64(dividend / b);
    return {quotient << 1 | (u128{quotient} * b != dividend)};
  }
}

template <class F>
inline Bits<F> divide(Bits<F> op1, Bits<F> op2, Context& context) {
  const Unpacked a = unpack<F>(op1, context);
  const Unpacked b = unpack<F>(op2, context);
  if (a.type != Type::Nonzero || b.type != Type::Nonzero) [[unlikely]]
    return divide_special<F>(op1, op2, context);
  const u64 quotient = divide_mantissas<F>(a.mantissa, b.mantissa).mantissa;
  const unsigned shift = !(quotient >> 63);
  return FPRound<F>(a.sign != b.sign, a.exponent - b.exponent - int(shift), quotient << shift,
                    context.rounding(), context);
}

}  // namespace

template <class F>
Bits<F> FPAdd(Bits<F> op1, Bits<F> op2, Context& context) noexcept {
  return add<F, false>(op1, op2, context);
}

template <class F>
Bits<F> FPSub(Bits<F> op1, Bits<F> op2, Context& context) noexcept {
  return add<F, true>(op1, op2, context);
}

template <class F>
Bits<F> FPAbsDiff(Bits<F> op1, Bits<F> op2, Context& context) noexcept {
  return FPAbs<F>(add<F, true>(op1, op2, context));
}

template <class F>
Bits<F> FPMul(Bits<F> op1, Bits<F> op2, Context& context) noexcept {
  return multiply<F, false>(op1, op2, context);
}

template <class F>
Bits<F> FPMulX(Bits<F> op1, Bits<F> op2, Context& context) noexcept {
  return multiply<F, true>(op1, op2, context);
}

template <class F>
Bits<F> FPDiv(Bits<F> op1, Bits<F> op2, Context& context) noexcept {
  return divide<F>(op1, op2, context);
}

template <class F>
Bits<F> FPSqrt(Bits<F> op, Context& context) noexcept {
  const Unpacked a = unpack<F>(op, context);
  if (a.type == Type::NaN) return FPProcessNaN<F>(op, context);
  if (a.type == Type::Zero) return FPZero<F>(a.sign);
  if (a.sign) return invalid_operation<F>(context);
  if (a.type == Type::Infinity) return FPInfinity<F>(false);
  // The square of the result's mantissa (in units of 2^-63) is this one's times 2^63, or 2^64 for an odd
  // exponent.
  const bool odd = a.exponent & 1;
  u64 root;
  if constexpr (F::kBits < 64) {
    const u64 square = a.mantissa >> !odd;
    const u64 root32 = square_root64(square);
    root = root32 << 32 | (root32 * root32 != square);
  } else {
    const u128 square = u128{a.mantissa} << 63 << odd;
    root = square_root128(square);
    root |= u128{root} * root != square;
  }
  return FPRound<F>(false, a.exponent >> 1, root, context.rounding(), context);
}

#define INSTANTIATE(F)                                                \
  template Bits<F> FPAdd<F>(Bits<F>, Bits<F>, Context&) noexcept;     \
  template Bits<F> FPSub<F>(Bits<F>, Bits<F>, Context&) noexcept;     \
  template Bits<F> FPAbsDiff<F>(Bits<F>, Bits<F>, Context&) noexcept; \
  template Bits<F> FPMul<F>(Bits<F>, Bits<F>, Context&) noexcept;     \
  template Bits<F> FPMulX<F>(Bits<F>, Bits<F>, Context&) noexcept;    \
  template Bits<F> FPDiv<F>(Bits<F>, Bits<F>, Context&) noexcept;     \
  template Bits<F> FPSqrt<F>(Bits<F>, Context&) noexcept;
INSTANTIATE(Half)
INSTANTIATE(Single)
INSTANTIATE(Double)
#undef INSTANTIATE

}  // namespace sluice::fp
