// tcg/fp/multiply_add.cpp: FPMulAdd, FPRecipStepFused and FPRSqrtStepFused of DDI 0487: a product of full
// width, one addition, one rounding.
#include "tcg/fp/unpacked.h"

namespace sluice::fp {

using namespace detail;

namespace {

// Like Unpacked, in units of 2^-127.
struct Wide {
  u128 mantissa;
  i32 exponent;
  bool sign;
};

inline Wide widen(const Unpacked& a) { return {u128{a.mantissa} << 64, a.exponent, a.sign}; }

inline Wide multiply(const Unpacked& a, const Unpacked& b) {
  u128 product = u128{a.mantissa} * b.mantissa;
  const unsigned shift = !(product >> 127);
  return {product << shift, a.exponent + b.exponent + 1 - int(shift), a.sign != b.sign};
}

template <class F>
inline Bits<F> round_wide(const Wide& a, int scale, Context& context) {
  const u64 mantissa = u64(a.mantissa >> 64) | (u64(a.mantissa) != 0);
  return FPRound<F>(a.sign, a.exponent + scale, mantissa, context.rounding(), context);
}

// (a + b) * 2^scale. Product and addend end in at least 22 zero bits, so no bit is lost unless the smaller
// one is more than 21 places down, where the sticky bit is enough.
template <class F>
inline Bits<F> add_and_round(const Wide& a, const Wide& b, int scale, Context& context) {
  // Swapped by masks: which one is larger is not predictable.
  const bool swap = (a.exponent < b.exponent) | ((a.exponent == b.exponent) & (a.mantissa < b.mantissa));
  const u128 mantissa_mask = (a.mantissa ^ b.mantissa) & (u128{0} - u128{swap});
  const i32 exponent_mask = (a.exponent ^ b.exponent) & -i32{swap};
  const bool result_sign = a.sign ^ (swap & (a.sign ^ b.sign));
  const u128 larger = (a.mantissa ^ mantissa_mask) >> 1;
  const i32 exponent = a.exponent ^ exponent_mask, lower_exponent = b.exponent ^ exponent_mask;
  const u128 smaller =
      shift_right_sticky((b.mantissa ^ mantissa_mask) >> 1, unsigned(exponent - lower_exponent));
  const u128 sum = larger + negate_if(a.sign != b.sign, smaller);
  if (sum == 0) return exact_zero_sum<F>(context);
  const u64 high = u64(sum >> 64);
  const unsigned shift = unsigned(high ? std::countl_zero(high) : 64 + std::countl_zero(u64(sum)));
  return round_wide<F>({sum << shift, exponent + 1 - int(shift), result_sign}, scale, context);
}

template <class F>
[[gnu::noinline]] Bits<F> multiply_add_special(Bits<F> op_addend, Bits<F> op1, Bits<F> op2,
                                               Context& context) {
  const Unpacked addend = unpack<F>(op_addend, context);
  const Unpacked a = unpack<F>(op1, context);
  const Unpacked b = unpack<F>(op2, context);
  const bool infinity = a.type == Type::Infinity || b.type == Type::Infinity;
  const bool zero = a.type == Type::Zero || b.type == Type::Zero;
  if (addend.type == Type::NaN || a.type == Type::NaN || b.type == Type::NaN) {
    if (is_qnan<F>(op_addend) && infinity && zero) return invalid_operation<F>(context);
    return FPProcessNaNs3<F>(op_addend, op1, op2, context);
  }
  const bool sign = a.sign != b.sign;
  if (infinity && (zero || (addend.type == Type::Infinity && addend.sign != sign)))
    return invalid_operation<F>(context);
  if (infinity) return FPInfinity<F>(sign);
  if (addend.type == Type::Infinity) return FPInfinity<F>(addend.sign);
  if (!zero) return round_wide<F>(multiply(a, b), 0, context);  // the addend is a zero
  if (addend.type != Type::Zero) return round_wide<F>(widen(addend), 0, context);
  return addend.sign == sign ? FPZero<F>(sign) : exact_zero_sum<F>(context);
}

// (constant + (-op1) * op2) * 2^scale, where the bits of `constant` times 2^scale are the answer to infinity
// * zero.
template <class F>
inline Bits<F> step(Bits<F> constant, int scale, Bits<F> at_infinity_times_zero, Bits<F> op1, Bits<F> op2,
                    Context& context) {
  op1 = FPNeg<F>(op1);
  const Unpacked a = unpack<F>(op1, context);
  const Unpacked b = unpack<F>(op2, context);
  if (a.type == Type::NaN || b.type == Type::NaN) return FPProcessNaNs<F>(op1, op2, context);
  const bool infinity = a.type == Type::Infinity || b.type == Type::Infinity;
  const bool zero = a.type == Type::Zero || b.type == Type::Zero;
  if (zero) return at_infinity_times_zero;  // also what an exact constant * 2^scale is
  if (infinity) return FPInfinity<F>(a.sign != b.sign);
  return add_and_round<F>(widen(unpack_exact<F>(constant)), multiply(a, b), scale, context);
}

}  // namespace

template <class F>
Bits<F> FPMulAdd(Bits<F> addend, Bits<F> op1, Bits<F> op2, Context& context) noexcept {
  const Unpacked c = unpack<F>(addend, context);
  const Unpacked a = unpack<F>(op1, context);
  const Unpacked b = unpack<F>(op2, context);
  if (c.type != Type::Nonzero || a.type != Type::Nonzero || b.type != Type::Nonzero) [[unlikely]]
    return multiply_add_special<F>(addend, op1, op2, context);
  return add_and_round<F>(widen(c), multiply(a, b), 0, context);
}

template <class F>
Bits<F> FPRecipStepFused(Bits<F> op1, Bits<F> op2, Context& context) noexcept {
  constexpr Bits<F> kTwo = small_constant<F>(false, 1, 0);
  return step<F>(kTwo, 0, kTwo, op1, op2, context);
}

template <class F>
Bits<F> FPRSqrtStepFused(Bits<F> op1, Bits<F> op2, Context& context) noexcept {
  constexpr Bits<F> kThree = small_constant<F>(false, 1, 2);
  constexpr Bits<F> kOnePointFive = small_constant<F>(false, 0, 2);
  return step<F>(kThree, -1, kOnePointFive, op1, op2, context);
}

#define INSTANTIATE(F)                                                        \
  template Bits<F> FPMulAdd<F>(Bits<F>, Bits<F>, Bits<F>, Context&) noexcept; \
  template Bits<F> FPRecipStepFused<F>(Bits<F>, Bits<F>, Context&) noexcept;  \
  template Bits<F> FPRSqrtStepFused<F>(Bits<F>, Bits<F>, Context&) noexcept;
INSTANTIATE(Half)
INSTANTIATE(Single)
INSTANTIATE(Double)
#undef INSTANTIATE

}  // namespace sluice::fp
