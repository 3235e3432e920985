// tests/unit/fp_test.cpp: tcg/fp against the host's FPU where IEEE 754 leaves no choice, and against values
// taken from the Arm pseudocode (DDI 0487) where Arm has made one.
#include "tcg/fp/fp.h"

#include <gtest/gtest.h>

#include <bit>
#include <cfenv>
#include <cmath>
#include <cstdio>
#include <random>
#include <type_traits>

#include "base/bits.h"

namespace sluice {
namespace {

using fp::Context, fp::Double, fp::Half, fp::Rounding, fp::Single;

template <class F>
using Host = std::conditional_t<F::kBits == 64, double, float>;
template <class F>
Host<F> host(typename F::Bits bits) {
  return std::bit_cast<Host<F>>(bits);
}
template <class F>
typename F::Bits bits(Host<F> value) {
  return std::bit_cast<typename F::Bits>(value);
}
template <class F>
bool is_nan(typename F::Bits op) {
  return fp::FPAbs<F>(op) > (fp::FPDefaultNaN<F>() & ~(typename F::Bits{1} << (F::kFractionBits - 1)));
}

// UFC is left out: x86 detects tininess after rounding, Arm before. UnderflowIsDetectedBeforeRounding covers
// it.
constexpr u32 kComparable = fp::kFpsrIOC | fp::kFpsrDZC | fp::kFpsrOFC | fp::kFpsrIXC;

u32 host_flags() {
  const int raised = std::fetestexcept(FE_ALL_EXCEPT);
  return (raised & FE_INVALID ? fp::kFpsrIOC : 0u) | (raised & FE_DIVBYZERO ? fp::kFpsrDZC : 0u) |
         (raised & FE_OVERFLOW ? fp::kFpsrOFC : 0u) | (raised & FE_INEXACT ? fp::kFpsrIXC : 0u);
}

struct Mode {
  int host;
  Rounding arm;
};
constexpr Mode kModes[] = {{FE_TONEAREST, Rounding::TieEven},
                           {FE_UPWARD, Rounding::PosInf},
                           {FE_DOWNWARD, Rounding::NegInf},
                           {FE_TOWARDZERO, Rounding::Zero}};

Context context_for(Mode mode, u32 fpcr = 0) { return {u32(mode.arm) << fp::kFpcrRModeShift | fpcr, 0}; }

// The operands that matter, and their neighbourhood.
template <class F>
class Operands {
 public:
  explicit Operands(u64 seed) : random_(seed) {}

  typename F::Bits operator()() {
    using B = typename F::Bits;
    const u64 r = random_();
    const B value = B(random_());
    const B exponent_one = B(ones(F::kExponentBits - 1)) << F::kFractionBits;
    const B fraction = B(value & ones(F::kFractionBits));
    const B sign = value & (B{1} << (F::kBits - 1));
    switch (r % 8) {
      case 0: return sign;             // zero
      case 1: return sign | fraction;  // denormal
      case 2: return sign | B(ones(F::kExponentBits)) << F::kFractionBits | (r & 8 ? fraction : 0);
      case 3: return sign | exponent_one | fraction;  // near one
      case 4: return sign | (exponent_one + (B(r >> 8 & 63) << F::kFractionBits)) | fraction;
      case 5: return sign | fp::FPAbs<F>(bits<F>(Host<F>(i64(value) >> (r >> 8 & 63))));  // integers
      case 6: return value & ~B(ones(unsigned(r >> 8) % F::kBits));
      default: return value;
    }
  }

 private:
  std::mt19937_64 random_;
};

u64 new_seed() {
  const u64 seed = std::random_device{}();
  std::printf("seed %lu\n", seed);
  return seed;
}

// The volatile operands keep the compiler from computing, or moving, the operation outside its rounding mode.
template <class T, class Function>
T on_host(Mode mode, u32* flags, Function function, T a, T b, T c) {
  volatile T va = a, vb = b, vc = c;
  std::fesetround(mode.host);
  std::feclearexcept(FE_ALL_EXCEPT);
  volatile T result = function(va, vb, vc);
  *flags = host_flags();
  std::fesetround(FE_TONEAREST);
  return result;
}

template <class F, class OnHost, class OnArm>
void compare_with_host(const char* name, OnHost host_function, OnArm arm_function) {
  const u64 seed = new_seed();
  Operands<F> next(seed);
  for (int i = 0; i < 200'000; i++) {
    const Mode mode = kModes[i % 4];
    const auto a = next(), b = next();
    auto c = next();
    // infinity * zero + NaN: IEEE 754 leaves IOC to the implementation. NaN addends are tested below and by
    // the oracle.
    if (is_nan<F>(c)) c = 0;
    u32 flags;
    const auto expected =
        bits<F>(on_host<Host<F>>(mode, &flags, host_function, host<F>(a), host<F>(b), host<F>(c)));
    Context cx = context_for(mode);
    const auto result = arm_function(a, b, c, cx);
    const bool same = is_nan<F>(expected) ? is_nan<F>(result) : result == expected;
    ASSERT_TRUE(same && (cx.fpsr & kComparable) == flags)
        << name << " seed " << seed << " RMode " << int(mode.arm) << std::hex << " a=" << u64(a)
        << " b=" << u64(b) << " c=" << u64(c) << "\n  ours " << u64(result) << " FPSR " << cx.fpsr
        << ", host " << u64(expected) << " flags " << flags;
  }
}

template <class F>
class FpOnHost : public testing::Test {};
using HostFormats = testing::Types<Single, Double>;
TYPED_TEST_SUITE(FpOnHost, HostFormats);

TYPED_TEST(FpOnHost, AddSubMulDivSqrt) {
  using F = TypeParam;
  using T = Host<F>;
  using B = typename F::Bits;
  compare_with_host<F>(
      "add", [](T a, T b, T) { return a + b; },
      [](B a, B b, B, Context& cx) { return fp::FPAdd<F>(a, b, cx); });
  compare_with_host<F>(
      "sub", [](T a, T b, T) { return a - b; },
      [](B a, B b, B, Context& cx) { return fp::FPSub<F>(a, b, cx); });
  compare_with_host<F>(
      "mul", [](T a, T b, T) { return a * b; },
      [](B a, B b, B, Context& cx) { return fp::FPMul<F>(a, b, cx); });
  compare_with_host<F>(
      "div", [](T a, T b, T) { return a / b; },
      [](B a, B b, B, Context& cx) { return fp::FPDiv<F>(a, b, cx); });
  compare_with_host<F>(
      "sqrt", [](T a, T, T) { return std::sqrt(a); },
      [](B a, B, B, Context& cx) { return fp::FPSqrt<F>(a, cx); });
}

TYPED_TEST(FpOnHost, FusedMultiplyAdd) {
  using F = TypeParam;
  using T = Host<F>;
  using B = typename F::Bits;
  T (*volatile fma)(T, T, T) = std::fma;
  compare_with_host<F>(
      "fma", [&](T a, T b, T c) { return fma(a, b, c); },
      [](B a, B b, B c, Context& cx) { return fp::FPMulAdd<F>(c, a, b, cx); });
}

TYPED_TEST(FpOnHost, RoundToIntegral) {
  using F = TypeParam;
  using T = Host<F>;
  using B = typename F::Bits;
  // The library's: a compiler's inline version may assume round to nearest.
  using Function = T(T);
  Function* volatile rint = nullptr;
  if constexpr (sizeof(T) == 8) {
    rint = ::rint;
  } else {
    rint = ::rintf;
  }
  compare_with_host<F>(
      "rint", [&](T a, T, T) { return rint(a); },
      [](B a, B, B, Context& cx) { return fp::FPRoundInt<F>(a, cx.rounding(), true, cx); });
}

TEST(Fp, DoubleToSingleAgreesWithTheHost) {
  const u64 seed = new_seed();
  Operands<Double> next(seed);
  for (int i = 0; i < 200'000; i++) {
    const Mode mode = kModes[i % 4];
    u64 a = next();
    if (i & 4) a = deposit(a, 52, 11, 1023 - 160 + (a >> 52) % 320);  // around the range of single precision
    std::fesetround(mode.host);
    std::feclearexcept(FE_ALL_EXCEPT);
    volatile double in = std::bit_cast<double>(a);
    volatile float out = float(in);
    const u32 flags = host_flags();
    std::fesetround(FE_TONEAREST);
    const u32 expected = std::bit_cast<u32>(float(out));
    Context cx = context_for(mode);
    const u32 result = fp::FPConvert<Single, Double>(a, cx);
    ASSERT_TRUE((is_nan<Single>(expected) ? is_nan<Single>(result) : result == expected) &&
                (cx.fpsr & kComparable) == flags)
        << "seed " << seed << std::hex << " a=" << a << " ours " << result << " FPSR " << cx.fpsr << " host "
        << expected;
  }
}

TEST(Fp, IntegerConversionsAgreeWithTheHost) {
  const u64 seed = new_seed();
  std::mt19937_64 random(seed);
  for (int i = 0; i < 200'000; i++) {
    const Mode mode = kModes[i % 4];
    const u64 r = random();
    volatile i64 value = i64(random()) >> (r & 63);
    std::fesetround(mode.host);
    std::feclearexcept(FE_ALL_EXCEPT);
    volatile double d = double(value);
    volatile float s = float(value);
    volatile double scaled = d / 8;
    volatile i64 back = std::llrint(scaled);
    std::fesetround(FE_TONEAREST);
    Context cx = context_for(mode);
    ASSERT_EQ((fp::FixedToFP<Double>(u64(value), 0, false, mode.arm, 64, cx)), std::bit_cast<u64>(double(d)))
        << seed;
    ASSERT_EQ((fp::FixedToFP<Single>(u64(value), 0, false, mode.arm, 64, cx)), std::bit_cast<u32>(float(s)))
        << seed;
    ASSERT_EQ((fp::FixedToFP<Double>(u64(value), 3, false, mode.arm, 64, cx)),
              std::bit_cast<u64>(double(scaled)))
        << seed;
    ASSERT_EQ(i64(fp::FPToFixed<Double>(std::bit_cast<u64>(double(scaled)), 0, false, mode.arm, 64, cx)),
              back)
        << seed << " " << value;
  }
}

// The sum, difference and product of two halves are exact in double precision, so one rounding remains.
TEST(Fp, HalfArithmeticIsDoubleArithmeticRoundedOnce) {
  const u64 seed = new_seed();
  std::mt19937_64 random(seed);
  for (int i = 0; i < 500'000; i++) {
    const u64 r = random();
    const u16 a = u16(r), b = u16(r >> 16);
    if (is_nan<Half>(a) || is_nan<Half>(b)) continue;
    const Mode mode = kModes[r >> 32 & 3];
    Context cx = context_for(mode), dx = context_for(mode);
    const u64 da = fp::FPConvert<Double, Half>(a, dx), db = fp::FPConvert<Double, Half>(b, dx);
    const bool product = r >> 40 & 1;
    const u16 result = product ? fp::FPMul<Half>(a, b, cx) : fp::FPAdd<Half>(a, b, cx);
    const u64 exact = product ? fp::FPMul<Double>(da, db, dx) : fp::FPAdd<Double>(da, db, dx);
    ASSERT_EQ(dx.fpsr & fp::kFpsrIXC, 0u);
    ASSERT_EQ(result, (fp::FPConvert<Half, Double>(exact, dx)))
        << "seed " << seed << std::hex << " " << a << " " << b;
    ASSERT_EQ(cx.fpsr, dx.fpsr) << "seed " << seed << std::hex << " " << a << " " << b;
  }
}

constexpr u32 kOneS = 0x3f80'0000, kInfS = 0x7f80'0000, kQNaN = 0x7fc0'1234, kSNaN = 0xff80'4321;
constexpr u32 kMinNormalS = 0x0080'0000;

TEST(Fp, NaNsPropagateInArmOrder) {
  Context cx;
  EXPECT_EQ(fp::FPAdd<Single>(kQNaN, kSNaN, cx), kSNaN | 0x40'0000u);  // signalling first
  EXPECT_EQ(cx.fpsr, fp::kFpsrIOC);
  cx.fpsr = 0;
  EXPECT_EQ(fp::FPAdd<Single>(0xffc0'0001, kQNaN, cx), 0xffc0'0001u);           // then the first operand
  EXPECT_EQ(fp::FPSub<Single>(kOneS, kQNaN, cx), kQNaN);                        // the sign of operand 2 stays
  EXPECT_EQ(fp::FPMulAdd<Single>(kQNaN, 0x7fc0'0001, 0x7fc0'0002, cx), kQNaN);  // the addend goes first
  EXPECT_EQ(fp::FPRecipStepFused<Single>(kQNaN, kOneS, cx), fp::FPNeg<Single>(kQNaN));
  EXPECT_EQ(cx.fpsr, 0u);
  cx.fpcr = fp::kFpcrDN;
  EXPECT_EQ(fp::FPAdd<Single>(kQNaN, kOneS, cx), 0x7fc0'0000u);
  EXPECT_EQ(cx.fpsr, 0u);
}

TEST(Fp, InfinityTimesZeroPlusQuietNaNIsInvalid) {
  Context cx;
  EXPECT_EQ(fp::FPMulAdd<Single>(kQNaN, kInfS, 0, cx), 0x7fc0'0000u);
  EXPECT_EQ(cx.fpsr, fp::kFpsrIOC);
  cx.fpsr = 0;
  EXPECT_EQ(fp::FPMulX<Single>(0x8000'0000, kInfS, cx), 0xc000'0000u);  // -2.0
  EXPECT_EQ(fp::FPRecipStepFused<Single>(0, kInfS, cx), 0x4000'0000u);
  EXPECT_EQ(fp::FPRSqrtStepFused<Single>(0, kInfS, cx), 0x3fc0'0000u);
  EXPECT_EQ(cx.fpsr, 0u);
}

TEST(Fp, FlushToZeroOfInputsSetsIdcExceptForHalf) {
  Context cx{fp::kFpcrFZ | fp::kFpcrFZ16, 0};
  EXPECT_EQ(fp::FPAdd<Single>(0x8000'0001, 0x8000'0000, cx), 0x8000'0000u);
  EXPECT_EQ(cx.fpsr, fp::kFpsrIDC);
  cx.fpsr = 0;
  EXPECT_EQ(fp::FPAdd<Half>(0x8001, 0x8000, cx), 0x8000u);
  EXPECT_EQ(cx.fpsr, 0u);
  EXPECT_EQ((fp::FPConvert<Single, Half>(0x0001, cx)), 0x3380'0000u);  // conversions ignore FZ16
  EXPECT_EQ(fp::FPCompare<Double>(1, 0, false, cx), 0b0110);
  EXPECT_EQ(cx.fpsr, fp::kFpsrIDC);
}

TEST(Fp, FlushToZeroOfResultsSetsUfcWithoutIxc) {
  Context cx{fp::kFpcrFZ, 0};
  EXPECT_EQ(fp::FPMul<Single>(kMinNormalS | 1, 0xbf00'0000, cx), 0x8000'0000u);
  EXPECT_EQ(cx.fpsr, fp::kFpsrUFC);
}

TEST(Fp, UnderflowIsDetectedBeforeRounding) {
  // (2 - 2^-23) * 2^-126 * 0.5 rounds up to the smallest normal number, but is below it.
  Context cx;
  EXPECT_EQ(fp::FPMul<Single>(0x00ff'ffff, 0x3f00'0000, cx), kMinNormalS);
  EXPECT_EQ(cx.fpsr, fp::kFpsrUFC | fp::kFpsrIXC);
  cx = {fp::kFpcrFZ, 0};
  EXPECT_EQ(fp::FPMul<Single>(0x00ff'ffff, 0x3f00'0000, cx), 0u);
  EXPECT_EQ(cx.fpsr, fp::kFpsrUFC);
  cx = {};
  EXPECT_EQ(fp::FPMul<Single>(kMinNormalS, 0x3f00'0000, cx), kMinNormalS >> 1);  // exact: no underflow
  EXPECT_EQ(cx.fpsr, 0u);
}

TEST(Fp, MinimumAndMaximum) {
  Context cx;
  EXPECT_EQ(fp::FPMax<Single>(0x8000'0000, 0, cx), 0u);
  EXPECT_EQ(fp::FPMin<Single>(0, 0x8000'0000, cx), 0x8000'0000u);
  EXPECT_EQ(fp::FPMax<Single>(kQNaN, kOneS, cx), kQNaN);
  EXPECT_EQ(fp::FPMaxNum<Single>(kQNaN, kOneS, cx), kOneS);
  EXPECT_EQ(fp::FPMinNum<Single>(kOneS, kQNaN, cx), kOneS);
  EXPECT_EQ(fp::FPMaxNum<Single>(kQNaN, 0x7fc0'0001, cx), kQNaN);
  EXPECT_EQ(cx.fpsr, 0u);
  EXPECT_EQ(fp::FPMinNum<Single>(kOneS, kSNaN, cx), kSNaN | 0x40'0000u);
  EXPECT_EQ(cx.fpsr, fp::kFpsrIOC);
}

TEST(Fp, ComparisonsSignalAsArmSays) {
  Context cx;
  EXPECT_EQ(fp::FPCompare<Single>(kOneS, kQNaN, false, cx), 0b0011);
  EXPECT_FALSE(fp::FPCompareEQ<Single>(kQNaN, kQNaN, cx));
  EXPECT_EQ(cx.fpsr, 0u);
  EXPECT_EQ(fp::FPCompare<Single>(kOneS, kQNaN, true, cx), 0b0011);
  EXPECT_EQ(cx.fpsr, fp::kFpsrIOC);
  cx.fpsr = 0;
  EXPECT_FALSE(fp::FPCompareGE<Single>(kOneS, kQNaN, cx));
  EXPECT_EQ(cx.fpsr, fp::kFpsrIOC);
  EXPECT_TRUE(fp::FPCompareGE<Single>(0x8000'0000, 0, cx));
  EXPECT_FALSE(fp::FPCompareGT<Single>(0, 0x8000'0000, cx));
  EXPECT_EQ(fp::FPCompare<Double>(0xbff0'0000'0000'0000, 0, false, cx), 0b1000);
  EXPECT_EQ(fp::FPCompare<Double>(0, 0xbff0'0000'0000'0000, false, cx), 0b0010);
}

TEST(Fp, Estimates) {
  Context cx;
  EXPECT_EQ(fp::FPRecipEstimate<Single>(kOneS, cx), 0x3f7f'8000u);
  EXPECT_EQ(fp::FPRSqrtEstimate<Single>(kOneS, cx), 0x3f7f'8000u);
  EXPECT_EQ(fp::UnsignedRecipEstimate(0x8000'0000), 0xff80'0000u);
  EXPECT_EQ(fp::UnsignedRecipEstimate(0x7fff'ffff), 0xffff'ffffu);
  EXPECT_EQ(fp::UnsignedRSqrtEstimate(0x4000'0000), 0xff80'0000u);
  EXPECT_EQ(fp::FPRecpX<Single>(kOneS, cx), 0x4000'0000u);
  EXPECT_EQ(fp::FPRecpX<Single>(0, cx), 0x7f00'0000u);
  EXPECT_EQ(cx.fpsr, 0u);
  EXPECT_EQ(fp::FPRecipEstimate<Single>(0x8000'0000, cx), 0xff80'0000u);
  EXPECT_EQ(cx.fpsr, fp::kFpsrDZC);
  cx = {u32(Rounding::Zero) << fp::kFpcrRModeShift, 0};
  EXPECT_EQ(fp::FPRecipEstimate<Single>(1, cx), 0x7f7f'ffffu);
  EXPECT_EQ(cx.fpsr, fp::kFpsrOFC | fp::kFpsrIXC);
  cx = {};
  EXPECT_EQ(fp::FPRSqrtEstimate<Single>(0xbf80'0000, cx), 0x7fc0'0000u);
  EXPECT_EQ(cx.fpsr, fp::kFpsrIOC);
}

TEST(Fp, AlternativeHalfPrecision) {
  Context cx{fp::kFpcrAHP, 0};
  EXPECT_EQ((fp::FPConvert<Single, Half>(0x7c00, cx)), 0x4780'0000u);  // 65536.0, not an infinity
  EXPECT_EQ((fp::FPConvert<Half, Single>(0x4780'0000, cx)), 0x7c00u);
  EXPECT_EQ(cx.fpsr, 0u);
  EXPECT_EQ((fp::FPConvert<Half, Single>(0xff80'0000, cx)), 0xffffu);  // infinity saturates
  EXPECT_EQ(cx.fpsr, fp::kFpsrIOC);
  cx.fpsr = 0;
  EXPECT_EQ((fp::FPConvert<Half, Single>(0xffc0'0000, cx)), 0x8000u);  // a NaN becomes a zero
  EXPECT_EQ(cx.fpsr, fp::kFpsrIOC);
  cx.fpsr = 0;
  EXPECT_EQ((fp::FPConvert<Half, Single>(0x4800'0000, cx)), 0x7fffu);  // 131072.0: IOC and no IXC
  EXPECT_EQ(cx.fpsr, fp::kFpsrIOC);
  EXPECT_EQ(fp::FPAdd<Half>(0x7c00, 0x3c00, cx), 0x7c00u);  // arithmetic is always IEEE
}

TEST(Fp, RoundToOddNeverReachesInfinityAndKeepsTheLowBit) {
  Context cx;
  EXPECT_EQ((fp::FPConvert<Single, Double>(0x3ff0'0000'0000'0001, Rounding::Odd, cx)), 0x3f80'0001u);
  EXPECT_EQ((fp::FPConvert<Single, Double>(0x7fe0'0000'0000'0000, Rounding::Odd, cx)), 0x7f7f'ffffu);
  EXPECT_EQ(cx.fpsr, fp::kFpsrOFC | fp::kFpsrIXC);
}

TEST(Fp, RoundToIntegerOfGivenSize) {
  Context cx;
  EXPECT_EQ(fp::FPRoundIntN<Single>(0xcf00'0000, Rounding::Zero, 32, cx), 0xcf00'0000u);  // -2^31 fits
  EXPECT_EQ(cx.fpsr, 0u);
  EXPECT_EQ(fp::FPRoundIntN<Single>(0x4f00'0000, Rounding::Zero, 32, cx), 0xcf00'0000u);  // 2^31 does not
  EXPECT_EQ(cx.fpsr, fp::kFpsrIOC);
  cx.fpsr = 0;
  EXPECT_EQ(fp::FPRoundIntN<Double>(0xc1e0'0000'0010'0000, Rounding::Zero, 32, cx), 0xc1e0'0000'0000'0000u);
  EXPECT_EQ(cx.fpsr, fp::kFpsrIXC);  // -2147483648.5
  EXPECT_EQ(fp::FPRoundIntN<Single>(kQNaN, Rounding::Zero, 64, cx), 0xdf00'0000u);
}

TEST(Fp, ToFixedSaturates) {
  Context cx;
  EXPECT_EQ(fp::FPToFixed<Single>(0xbf80'0000, 0, true, Rounding::Zero, 32, cx), 0u);  // -1 to unsigned
  EXPECT_EQ(fp::FPToFixed<Double>(0x43e0'0000'0000'0000, 0, false, Rounding::Zero, 64, cx), ~u64{0} >> 1);
  EXPECT_EQ(fp::FPToFixed<Double>(0xfff0'0000'0000'0000, 0, false, Rounding::Zero, 16, cx), 0x8000u);
  EXPECT_EQ(cx.fpsr, fp::kFpsrIOC);
  cx.fpsr = 0;
  EXPECT_EQ(fp::FPToFixed<Single>(0xbf00'0000, 0, true, Rounding::Zero, 32, cx), 0u);  // -0.5
  EXPECT_EQ(cx.fpsr, fp::kFpsrIXC);
  EXPECT_EQ(fp::FPToFixed<Double>(0xc004'0000'0000'0000, 0, false, Rounding::TieAway, 32, cx),
            0xffff'fffdu);  // -2.5
}

TEST(Fp, JavaScriptConversion) {
  Context cx;
  auto convert = [&](u64 op) { return cx.fpsr = 0, fp::FPToFixedJS(op, cx); };
  EXPECT_TRUE(convert(0).z);
  EXPECT_FALSE(convert(u64{1} << 63).z);  // -0
  EXPECT_EQ(cx.fpsr, 0u);
  auto r = convert(0x41f0'0000'0010'0000);  // 2^32 + 1
  EXPECT_EQ(r.value, 1u);
  EXPECT_FALSE(r.z);
  EXPECT_EQ(cx.fpsr, fp::kFpsrIOC);
  EXPECT_EQ(convert(0xc520'0000'0000'0001).value, 0x8000'0000u);  // -(2^83 + 2^31)
  EXPECT_EQ(convert(0x7ff0'0000'0000'0000).value, 0u);
  EXPECT_EQ(convert(0xbff8'0000'0000'0000).value, 0xffff'ffffu);  // -1.5
  EXPECT_EQ(cx.fpsr, fp::kFpsrIXC);
  cx.fpcr = fp::kFpcrFZ;
  EXPECT_FALSE(convert(1).z);  // a flushed denormal is not exact
  EXPECT_EQ(cx.fpsr, fp::kFpsrIDC);
}

// FEAT_AFP and trapped exceptions are not implemented: FPCR.{AH, FIZ, NEP} and the trap enables do nothing.
TEST(Fp, UnimplementedBitsOfFpcrAreIgnored) {
  Context cx{~fp::kFpcrImplemented, 0};
  EXPECT_EQ(fp::FPMax<Single>(0x8000'0000, 0, cx), 0u);
  EXPECT_EQ(fp::FPNeg<Single>(kQNaN), kQNaN | 0x8000'0000u);
  EXPECT_EQ(fp::FPAdd<Single>(1, 0, cx), 1u);
  EXPECT_EQ(cx.fpsr, 0u);
  EXPECT_EQ(fp::FPMul<Single>(kMinNormalS, 0x3f00'0000, cx), kMinNormalS >> 1);  // no UFC: no trap is enabled
  EXPECT_EQ(cx.fpsr, 0u);
}

TEST(Fp, FlagsAccumulateAndOtherBitsOfFpsrStay) {
  Context cx{0, fp::kFpsrQC | fp::kFpsrIOC};
  fp::FPDiv<Single>(kOneS, 0, cx);
  EXPECT_EQ(cx.fpsr, fp::kFpsrQC | fp::kFpsrIOC | fp::kFpsrDZC);
}

}  // namespace
}  // namespace sluice
