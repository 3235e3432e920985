// tcg/fp/compare.cpp: comparisons, minimum and maximum of DDI 0487.
#include "tcg/fp/unpacked.h"

namespace sluice::fp {

using namespace detail;

namespace {

constexpr u8 kLess = 0b1000, kEqual = 0b0110, kGreater = 0b0010, kUnordered = 0b0011;  // NZCV

// Orders as the numbers do, for anything but a NaN; both zeros are 0.
template <class F>
constexpr i64 order(Bits<F> op) {
  return i64(negate_if(sign_of<F>(op), magnitude<F>(op)));
}

// Sets IOC for an unordered comparison that signals. True if it is unordered.
template <class F>
inline bool unordered(Bits<F> op1, Bits<F> op2, bool signal_nans, Context& context) {
  if (!is_nan<F>(op1) && !is_nan<F>(op2)) [[likely]]
    return false;
  if (signal_nans || is_snan<F>(op1) || is_snan<F>(op2)) context.raise(kFpsrIOC);
  return true;
}

template <class F, bool kMaximum>
inline Bits<F> choose(Bits<F> op1, Bits<F> op2, Context& context) {
  op1 = flush_input<F>(op1, context);
  op2 = flush_input<F>(op2, context);
  if (is_nan<F>(op1) || is_nan<F>(op2)) [[unlikely]]
    return FPProcessNaNs<F>(op1, op2, context);
  const i64 a = order<F>(op1), b = order<F>(op2);
  // +0 is the larger zero.
  if (a == 0 && b == 0) return kMaximum ? op1 & op2 : op1 | op2;
  return (kMaximum ? a > b : a < b) ? op1 : op2;
}

// A single quiet NaN counts as the infinity that loses.
template <class F, bool kMaximum>
inline Bits<F> choose_number(Bits<F> op1, Bits<F> op2, Context& context) {
  const bool quiet1 = is_qnan<F>(op1), quiet2 = is_qnan<F>(op2);
  if (quiet1 && !quiet2) op1 = FPInfinity<F>(kMaximum);
  if (quiet2 && !quiet1) op2 = FPInfinity<F>(kMaximum);
  return choose<F, kMaximum>(op1, op2, context);
}

}  // namespace

template <class F>
Bits<F> FPMax(Bits<F> op1, Bits<F> op2, Context& context) noexcept {
  return choose<F, true>(op1, op2, context);
}

template <class F>
Bits<F> FPMin(Bits<F> op1, Bits<F> op2, Context& context) noexcept {
  return choose<F, false>(op1, op2, context);
}

template <class F>
Bits<F> FPMaxNum(Bits<F> op1, Bits<F> op2, Context& context) noexcept {
  return choose_number<F, true>(op1, op2, context);
}

template <class F>
Bits<F> FPMinNum(Bits<F> op1, Bits<F> op2, Context& context) noexcept {
  return choose_number<F, false>(op1, op2, context);
}

template <class F>
u8 FPCompare(Bits<F> op1, Bits<F> op2, bool signal_nans, Context& context) noexcept {
  op1 = flush_input<F>(op1, context);
  op2 = flush_input<F>(op2, context);
  if (unordered<F>(op1, op2, signal_nans, context)) return kUnordered;
  const i64 a = order<F>(op1), b = order<F>(op2);
  return u8(kGreater + (a == b) * (kEqual - kGreater) + (a < b) * (kLess - kGreater));  // without branches
}

template <class F>
bool FPCompareEQ(Bits<F> op1, Bits<F> op2, Context& context) noexcept {
  op1 = flush_input<F>(op1, context);
  op2 = flush_input<F>(op2, context);
  return !unordered<F>(op1, op2, false, context) && order<F>(op1) == order<F>(op2);
}

template <class F>
bool FPCompareGE(Bits<F> op1, Bits<F> op2, Context& context) noexcept {
  op1 = flush_input<F>(op1, context);
  op2 = flush_input<F>(op2, context);
  return !unordered<F>(op1, op2, true, context) && order<F>(op1) >= order<F>(op2);
}

template <class F>
bool FPCompareGT(Bits<F> op1, Bits<F> op2, Context& context) noexcept {
  op1 = flush_input<F>(op1, context);
  op2 = flush_input<F>(op2, context);
  return !unordered<F>(op1, op2, true, context) && order<F>(op1) > order<F>(op2);
}

#define INSTANTIATE(F)                                                 \
  template Bits<F> FPMax<F>(Bits<F>, Bits<F>, Context&) noexcept;      \
  template Bits<F> FPMin<F>(Bits<F>, Bits<F>, Context&) noexcept;      \
  template Bits<F> FPMaxNum<F>(Bits<F>, Bits<F>, Context&) noexcept;   \
  template Bits<F> FPMinNum<F>(Bits<F>, Bits<F>, Context&) noexcept;   \
  template u8 FPCompare<F>(Bits<F>, Bits<F>, bool, Context&) noexcept; \
  template bool FPCompareEQ<F>(Bits<F>, Bits<F>, Context&) noexcept;   \
  template bool FPCompareGE<F>(Bits<F>, Bits<F>, Context&) noexcept;   \
  template bool FPCompareGT<F>(Bits<F>, Bits<F>, Context&) noexcept;
INSTANTIATE(Half)
INSTANTIATE(Single)
INSTANTIATE(Double)
#undef INSTANTIATE

}  // namespace sluice::fp
