// tcg/fp/fp.h: the floating-point functions of the Arm pseudocode (DDI 0487, "shared/functions/float"), in
// integer arithmetic. They are the meaning of every floating-point IR op: bit-exact results and FPSR flags in
// every FPCR mode, and the host's own floating-point state is neither read nor written.
//
// Each function keeps the pseudocode's name and operand order. FPCR is read from, and the cumulative FPSR
// flags are OR-ed into, the Context. FEAT_AFP is not implemented, so FPCR.{AH, FIZ, NEP} are taken as 0;
// trapped exceptions are not implemented, so the trap enables are taken as 0.
#pragma once
#include "base/types.h"

namespace sluice::fp {

// The first four are the encodings of FPCR.RMode.
enum class Rounding : u8 { TieEven, PosInf, NegInf, Zero, TieAway, Odd };

enum Fpcr : u32 {
  kFpcrFZ16 = 1u << 19,
  kFpcrRModeShift = 22,
  kFpcrRMode = 3u << kFpcrRModeShift,
  kFpcrFZ = 1u << 24,
  kFpcrDN = 1u << 25,
  kFpcrAHP = 1u << 26,
  kFpcrImplemented = kFpcrFZ16 | kFpcrRMode | kFpcrFZ | kFpcrDN | kFpcrAHP,  // what these functions look at
};

enum Fpsr : u32 {
  kFpsrIOC = 1u << 0,  // invalid operation
  kFpsrDZC = 1u << 1,  // division by zero
  kFpsrOFC = 1u << 2,  // overflow
  kFpsrUFC = 1u << 3,  // underflow
  kFpsrIXC = 1u << 4,  // inexact
  kFpsrIDC = 1u << 7,  // a denormal input was flushed
  kFpsrQC = 1u << 27,  // integer saturation; never set here
  kFpsrCumulative = kFpsrIOC | kFpsrDZC | kFpsrOFC | kFpsrUFC | kFpsrIXC | kFpsrIDC,
};

struct Context {
  u32 fpcr = 0;
  u32 fpsr = 0;

  constexpr Rounding rounding() const { return Rounding((fpcr & kFpcrRMode) >> kFpcrRModeShift); }
  constexpr bool flush_to_zero() const { return fpcr & kFpcrFZ; }         // single and double
  constexpr bool flush_to_zero_half() const { return fpcr & kFpcrFZ16; }  // half, except in conversions
  constexpr bool default_nan() const { return fpcr & kFpcrDN; }
  constexpr bool alternative_half() const { return fpcr & kFpcrAHP; }  // in conversions only
  constexpr void raise(u32 flags) { fpsr |= flags; }
};

// The formats. kExponentBits and kFractionBits are E and F of the pseudocode's FPRound.
struct Half {
  using Bits = u16;
  static constexpr unsigned kBits = 16, kExponentBits = 5, kFractionBits = 10;
};
struct Single {
  using Bits = u32;
  static constexpr unsigned kBits = 32, kExponentBits = 8, kFractionBits = 23;
};
struct Double {
  using Bits = u64;
  static constexpr unsigned kBits = 64, kExponentBits = 11, kFractionBits = 52;
};
template <class F>
using Bits = typename F::Bits;

// Every template below is instantiated for F in {Half, Single, Double} unless its comment says otherwise.

// Sign operations: no flags, no NaN processing.
template <class F>
constexpr Bits<F> FPNeg(Bits<F> op) {
  return Bits<F>(op ^ (Bits<F>(1) << (F::kBits - 1)));
}
template <class F>
constexpr Bits<F> FPAbs(Bits<F> op) {
  return Bits<F>(op & ~(Bits<F>(1) << (F::kBits - 1)));
}
// +infinity's exponent with the top fraction bit set.
template <class F>
constexpr Bits<F> FPDefaultNaN() {
  return Bits<F>(((u64{1} << (F::kExponentBits + 1)) - 1) << (F::kFractionBits - 1));
}

// Arithmetic (arithmetic.cpp, multiply_add.cpp).
template <class F>
Bits<F> FPAdd(Bits<F> op1, Bits<F> op2, Context&) noexcept;
template <class F>
Bits<F> FPSub(Bits<F> op1, Bits<F> op2, Context&) noexcept;
template <class F>
Bits<F> FPAbsDiff(Bits<F> op1, Bits<F> op2, Context&) noexcept;  // FPAbs(FPSub()): FABD
template <class F>
Bits<F> FPMul(Bits<F> op1, Bits<F> op2, Context&) noexcept;
template <class F>
Bits<F> FPMulX(Bits<F> op1, Bits<F> op2, Context&) noexcept;
template <class F>
Bits<F> FPDiv(Bits<F> op1, Bits<F> op2, Context&) noexcept;
template <class F>
Bits<F> FPSqrt(Bits<F> op, Context&) noexcept;
template <class F>
Bits<F> FPMulAdd(Bits<F> addend, Bits<F> op1, Bits<F> op2, Context&) noexcept;  // fused
template <class F>
Bits<F> FPRecipStepFused(Bits<F> op1, Bits<F> op2, Context&) noexcept;  // 2 - op1 * op2
template <class F>
Bits<F> FPRSqrtStepFused(Bits<F> op1, Bits<F> op2, Context&) noexcept;  // (3 - op1 * op2) / 2

// Minimum, maximum and comparison (compare.cpp).
template <class F>
Bits<F> FPMax(Bits<F> op1, Bits<F> op2, Context&) noexcept;
template <class F>
Bits<F> FPMin(Bits<F> op1, Bits<F> op2, Context&) noexcept;
template <class F>
Bits<F> FPMaxNum(Bits<F> op1, Bits<F> op2, Context&) noexcept;
template <class F>
Bits<F> FPMinNum(Bits<F> op1, Bits<F> op2, Context&) noexcept;
// NZCV as a 4-bit number, N in bit 3.
template <class F>
u8 FPCompare(Bits<F> op1, Bits<F> op2, bool signal_nans, Context&) noexcept;
template <class F>
bool FPCompareEQ(Bits<F> op1, Bits<F> op2, Context&) noexcept;
template <class F>
bool FPCompareGE(Bits<F> op1, Bits<F> op2, Context&) noexcept;
template <class F>
bool FPCompareGT(Bits<F> op1, Bits<F> op2, Context&) noexcept;

// Estimates (estimate.cpp).
template <class F>
Bits<F> FPRecipEstimate(Bits<F> op, Context&) noexcept;
template <class F>
Bits<F> FPRSqrtEstimate(Bits<F> op, Context&) noexcept;
template <class F>
Bits<F> FPRecpX(Bits<F> op, Context&) noexcept;
u32 UnsignedRecipEstimate(u32 op) noexcept;  // URECPE
u32 UnsignedRSqrtEstimate(u32 op) noexcept;  // URSQRTE

// Rounding to an integral value (convert.cpp). Any Rounding but Odd.
template <class F>
Bits<F> FPRoundInt(Bits<F> op, Rounding, bool exact, Context&) noexcept;
// FRINT32* and FRINT64*: intsize is 32 or 64. Single and Double only.
template <class F>
Bits<F> FPRoundIntN(Bits<F> op, Rounding, unsigned intsize, Context&) noexcept;

// To and from fixed point of `size` bits (16, 32 or 64) with `fbits` fraction bits (0..size). The integer
// sits in the low `size` bits: FPToFixed zeroes what is above, FixedToFP ignores it. Any Rounding but Odd.
template <class F>
u64 FPToFixed(Bits<F> op, unsigned fbits, bool is_unsigned, Rounding, unsigned size, Context&) noexcept;
template <class F>
Bits<F> FixedToFP(u64 op, unsigned fbits, bool is_unsigned, Rounding, unsigned size, Context&) noexcept;

// FJCVTZS: modulo 2^32, towards zero. `z` is PSTATE.Z: true when the conversion was exact.
struct JavaScriptFixed {
  u32 value;
  bool z;
};
JavaScriptFixed FPToFixedJS(u64 op, Context&) noexcept;

// Between formats, each of the six pairs To != From. Half is the alternative format if FPCR.AHP is set.
// Rounding is FPCR's (FCVT) or Odd (FCVTXN).
template <class To, class From>
Bits<To> FPConvert(Bits<From> op, Rounding, Context&) noexcept;
template <class To, class From>
inline Bits<To> FPConvert(Bits<From> op, Context& context) noexcept {
  return FPConvert<To, From>(op, context.rounding(), context);
}

}  // namespace sluice::fp
