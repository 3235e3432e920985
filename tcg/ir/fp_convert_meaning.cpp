#include "tcg/ir/fp_conversion.h"
#include "tcg/ir/fp_lanes.h"
#include "tcg/ir/fp_meaning.h"

namespace sluice::tcg::ir::fpl {
namespace {

using fp::Bits;
using fp::Context;
using fp::Double;
using fp::Half;
using fp::Rounding;
using fp::Single;

Rounding rounding_of(FpConversion c, const Context& cx) {
  return c.rounding == FpConversion::kFpcr ? cx.rounding() : Rounding(c.rounding);
}

template <class To, class From>
Vec convert_lanes(const Vec& a, unsigned count, u64 imm, ExecState& state) {
  StateContext context(state);
  fp::Context& cx = context;
  const Rounding rounding = imm & 8 ? Rounding::Odd : cx.rounding();
  const unsigned first = imm & 4 ? kLanes<Bits<From>> / 2 : 0;
  Vec r;
  for (unsigned i = 0; i < count && i < kLanes<Bits<From>> && i < kLanes<Bits<To>>; i++)
    r.set_lane<Bits<To>>(i, fp::FPConvert<To, From>(a.lane<Bits<From>>(first + i), rounding, cx));
  return r;
}

}  // namespace

Vec round_int(const Vec& a, unsigned esize, unsigned count, u64 conversion, ExecState& state) {
  const FpConversion c = FpConversion::unpack(conversion);
  auto f = [=]<class F>(Bits<F> x, Context& cx) {
    return fp::FPRoundInt<F>(x, rounding_of(c, cx), c.exact, cx);
  };
  return map_fp(esize, count, state, f, a);
}
Vec round_int_sized(const Vec& a, unsigned esize, unsigned count, u64 conversion, ExecState& state) {
  const FpConversion c = FpConversion::unpack(conversion);
  StateContext context(state);
  fp::Context& cx = context;
  const Rounding rounding = rounding_of(c, cx);
  if (esize == 2)
    return map_lanes<u32>(
        count, [&](u32 x) { return fp::FPRoundIntN<Single>(x, rounding, c.size, cx); }, a);
  return map_lanes<u64>(
      count, [&](u64 x) { return fp::FPRoundIntN<Double>(x, rounding, c.size, cx); }, a);
}
Vec to_fixed(const Vec& a, unsigned esize, unsigned count, u64 conversion, ExecState& state) {
  const FpConversion c = FpConversion::unpack(conversion);
  auto f = [=]<class F>(Bits<F> x, Context& cx) {
    return fp::FPToFixed<F>(x, c.fbits, c.is_unsigned, rounding_of(c, cx), F::kBits, cx);
  };
  return map_fp(esize, count, state, f, a);
}
Vec from_fixed(const Vec& a, unsigned esize, unsigned count, u64 conversion, ExecState& state) {
  const FpConversion c = FpConversion::unpack(conversion);
  auto f = [=]<class F>(Bits<F> x, Context& cx) {
    return fp::FixedToFP<F>(x, c.fbits, c.is_unsigned, rounding_of(c, cx), F::kBits, cx);
  };
  return map_fp(esize, count, state, f, a);
}
u64 to_int(const Vec& a, unsigned esize, u64 conversion, ExecState& state) {
  const FpConversion c = FpConversion::unpack(conversion);
  StateContext context(state);
  fp::Context& cx = context;
  return with_format(esize, [&]<class F>(F) {
    return fp::FPToFixed<F>(a.lane<Bits<F>>(0), c.fbits, c.is_unsigned, rounding_of(c, cx), c.size, cx);
  });
}
Vec from_int(u64 a, unsigned esize, u64 conversion, ExecState& state) {
  const FpConversion c = FpConversion::unpack(conversion);
  StateContext context(state);
  fp::Context& cx = context;
  return with_format(esize, [&]<class F>(F) {
    return Vec{fp::FixedToFP<F>(a, c.fbits, c.is_unsigned, rounding_of(c, cx), c.size, cx), 0};
  });
}
u64 to_int_js(const Vec& a, ExecState& state) {
  StateContext context(state);
  const fp::JavaScriptFixed result = fp::FPToFixedJS(a.lo, context);
  return result.value | (result.z ? u64{4} << 32 : 0);
}

Vec convert(const Vec& a, unsigned esize, unsigned count, u64 imm, ExecState& state) {
  switch (esize << 2 | (imm & 3)) {
    case 1 << 2 | 2: return convert_lanes<Single, Half>(a, count, imm, state);
    case 1 << 2 | 3: return convert_lanes<Double, Half>(a, count, imm, state);
    case 2 << 2 | 1: return convert_lanes<Half, Single>(a, count, imm, state);
    case 2 << 2 | 3: return convert_lanes<Double, Single>(a, count, imm, state);
    case 3 << 2 | 1: return convert_lanes<Half, Double>(a, count, imm, state);
    default: return convert_lanes<Single, Double>(a, count, imm, state);
  }
}

}  // namespace sluice::tcg::ir::fpl
