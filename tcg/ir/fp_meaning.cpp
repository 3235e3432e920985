#include "tcg/ir/fp_meaning.h"

#include "base/bits.h"
#include "tcg/flags.h"
#include "tcg/ir/fp_lanes.h"

namespace sluice::tcg::ir::fpl {
namespace {

using fp::Bits;
using fp::Context;

using fp::Single;

constexpr auto kAdd = []<class F>(Bits<F> x, Bits<F> y, Context& cx) { return fp::FPAdd<F>(x, y, cx); };
constexpr auto kMax = []<class F>(Bits<F> x, Bits<F> y, Context& cx) { return fp::FPMax<F>(x, y, cx); };
constexpr auto kMin = []<class F>(Bits<F> x, Bits<F> y, Context& cx) { return fp::FPMin<F>(x, y, cx); };
constexpr auto kMaxNum = []<class F>(Bits<F> x, Bits<F> y, Context& cx) { return fp::FPMaxNum<F>(x, y, cx); };
constexpr auto kMinNum = []<class F>(Bits<F> x, Bits<F> y, Context& cx) { return fp::FPMinNum<F>(x, y, cx); };

template <class F>
Bits<F> mask_of(bool condition) {
  return condition ? Bits<F>(~Bits<F>{0}) : Bits<F>{0};
}

template <class F>
Vec pairs(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state, const F& f) {
  StateContext context(state);
  fp::Context& cx = context;
  return with_format(esize, [&]<class Format>(Format) {
    auto pair = [&](auto x, auto y) { return f.template operator()<Format>(x, y, cx); };
    return map_pairs<Bits<Format>>(count, pair, a, b);
  });
}

// Reduce(): the reduced low half with the reduced high half.
template <class Format, class F>
Bits<Format> reduce(const Vec& a, unsigned first, unsigned count, const F& f, Context& cx) {
  if (count <= 1) return a.lane<Bits<Format>>(first);
  Bits<Format> low = reduce<Format>(a, first, count / 2, f, cx);
  Bits<Format> high = reduce<Format>(a, first + count / 2, count / 2, f, cx);
  return f.template operator()<Format>(low, high, cx);
}
template <class F>
Vec across(const Vec& a, unsigned esize, unsigned count, ExecState& state, const F& f) {
  StateContext context(state);
  return with_format(esize, [&]<class Format>(Format) {
    return Vec{reduce<Format>(a, 0, count, f, context), 0};
  });
}

// The single that has the value, or the NaN payload, of a half: exact, and NaNs keep their kind.
u32 widen_half(u16 half, bool flush_denormals) {
  const u32 sign = u32(half >> 15) << 31;
  const unsigned exponent = half >> 10 & 31;
  const u32 fraction = half & 0x3ff;
  if (exponent == 31) return sign | 0xffu << 23 | fraction << 13;
  if (exponent != 0) return sign | (exponent + 127 - 15) << 23 | fraction << 13;
  if (fraction == 0 || flush_denormals) return sign;
  const unsigned shift = unsigned(std::countl_zero(fraction)) - 21;  // to bit 10
  return sign | (127 - 15 + 1 - shift) << 23 | (fraction << shift & 0x3ff) << 13;
}

}  // namespace

Vec neg(const Vec& a, unsigned esize, unsigned count) {
  return with_format(esize, [&]<class F>(F) { return map_lanes<Bits<F>>(count, fp::FPNeg<F>, a); });
}
Vec abs(const Vec& a, unsigned esize, unsigned count) {
  return with_format(esize, [&]<class F>(F) { return map_lanes<Bits<F>>(count, fp::FPAbs<F>, a); });
}
Vec add(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state) {
  return map_fp(esize, count, state, kAdd, a, b);
}
Vec sub(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state) {
  auto f = []<class F>(Bits<F> x, Bits<F> y, Context& cx) { return fp::FPSub<F>(x, y, cx); };
  return map_fp(esize, count, state, f, a, b);
}
Vec mul(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state) {
  auto f = []<class F>(Bits<F> x, Bits<F> y, Context& cx) { return fp::FPMul<F>(x, y, cx); };
  return map_fp(esize, count, state, f, a, b);
}
Vec div(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state) {
  auto f = []<class F>(Bits<F> x, Bits<F> y, Context& cx) { return fp::FPDiv<F>(x, y, cx); };
  return map_fp(esize, count, state, f, a, b);
}
Vec sqrt(const Vec& a, unsigned esize, unsigned count, ExecState& state) {
  auto f = []<class F>(Bits<F> x, Context& cx) { return fp::FPSqrt<F>(x, cx); };
  return map_fp(esize, count, state, f, a);
}
Vec mulx(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state) {
  auto f = []<class F>(Bits<F> x, Bits<F> y, Context& cx) { return fp::FPMulX<F>(x, y, cx); };
  return map_fp(esize, count, state, f, a, b);
}
Vec abd(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state) {
  auto f = []<class F>(Bits<F> x, Bits<F> y, Context& cx) { return fp::FPAbsDiff<F>(x, y, cx); };
  return map_fp(esize, count, state, f, a, b);
}
Vec muladd(const Vec& a, const Vec& b, const Vec& c, unsigned esize, unsigned count, u64 negated,
           ExecState& state) {
  auto f = [=]<class F>(Bits<F> x, Bits<F> y, Bits<F> z, Context& cx) {
    return fp::FPMulAdd<F>(negated & 1 ? fp::FPNeg<F>(x) : x, negated & 2 ? fp::FPNeg<F>(y) : y, z, cx);
  };
  return map_fp(esize, count, state, f, a, b, c);
}
Vec max(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state) {
  return map_fp(esize, count, state, kMax, a, b);
}
Vec min(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state) {
  return map_fp(esize, count, state, kMin, a, b);
}
Vec maxnum(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state) {
  return map_fp(esize, count, state, kMaxNum, a, b);
}
Vec minnum(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state) {
  return map_fp(esize, count, state, kMinNum, a, b);
}
Vec recps(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state) {
  auto f = []<class F>(Bits<F> x, Bits<F> y, Context& cx) { return fp::FPRecipStepFused<F>(x, y, cx); };
  return map_fp(esize, count, state, f, a, b);
}
Vec rsqrts(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state) {
  auto f = []<class F>(Bits<F> x, Bits<F> y, Context& cx) { return fp::FPRSqrtStepFused<F>(x, y, cx); };
  return map_fp(esize, count, state, f, a, b);
}
Vec recpe(const Vec& a, unsigned esize, unsigned count, ExecState& state) {
  auto f = []<class F>(Bits<F> x, Context& cx) { return fp::FPRecipEstimate<F>(x, cx); };
  return map_fp(esize, count, state, f, a);
}
Vec rsqrte(const Vec& a, unsigned esize, unsigned count, ExecState& state) {
  auto f = []<class F>(Bits<F> x, Context& cx) { return fp::FPRSqrtEstimate<F>(x, cx); };
  return map_fp(esize, count, state, f, a);
}
Vec recpx(const Vec& a, unsigned esize, unsigned count, ExecState& state) {
  auto f = []<class F>(Bits<F> x, Context& cx) { return fp::FPRecpX<F>(x, cx); };
  return map_fp(esize, count, state, f, a);
}

Vec addp(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state) {
  return pairs(a, b, esize, count, state, kAdd);
}
Vec maxp(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state) {
  return pairs(a, b, esize, count, state, kMax);
}
Vec minp(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state) {
  return pairs(a, b, esize, count, state, kMin);
}
Vec maxnump(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state) {
  return pairs(a, b, esize, count, state, kMaxNum);
}
Vec minnump(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state) {
  return pairs(a, b, esize, count, state, kMinNum);
}
Vec maxv(const Vec& a, unsigned esize, unsigned count, ExecState& state) {
  return across(a, esize, count, state, kMax);
}
Vec minv(const Vec& a, unsigned esize, unsigned count, ExecState& state) {
  return across(a, esize, count, state, kMin);
}
Vec maxnumv(const Vec& a, unsigned esize, unsigned count, ExecState& state) {
  return across(a, esize, count, state, kMaxNum);
}
Vec minnumv(const Vec& a, unsigned esize, unsigned count, ExecState& state) {
  return across(a, esize, count, state, kMinNum);
}

Vec cmeq(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state) {
  auto f = []<class F>(Bits<F> x, Bits<F> y, Context& cx) {
    return mask_of<F>(fp::FPCompareEQ<F>(x, y, cx));
  };
  return map_fp(esize, count, state, f, a, b);
}
Vec cmge(const Vec& a, const Vec& b, unsigned esize, unsigned count, u64 absolute, ExecState& state) {
  auto f = [=]<class F>(Bits<F> x, Bits<F> y, Context& cx) {
    if (absolute) x = fp::FPAbs<F>(x), y = fp::FPAbs<F>(y);
    return mask_of<F>(fp::FPCompareGE<F>(x, y, cx));
  };
  return map_fp(esize, count, state, f, a, b);
}
Vec cmgt(const Vec& a, const Vec& b, unsigned esize, unsigned count, u64 absolute, ExecState& state) {
  auto f = [=]<class F>(Bits<F> x, Bits<F> y, Context& cx) {
    if (absolute) x = fp::FPAbs<F>(x), y = fp::FPAbs<F>(y);
    return mask_of<F>(fp::FPCompareGT<F>(x, y, cx));
  };
  return map_fp(esize, count, state, f, a, b);
}
u32 compare(const Vec& a, const Vec& b, unsigned esize, u64 signal_nans, ExecState& state) {
  StateContext context(state);
  return with_format(esize, [&]<class F>(F) {
    const u8 nzcv = fp::FPCompare<F>(a.lane<Bits<F>>(0), b.lane<Bits<F>>(0), signal_nans & 1, context);
    return Flags::from_nzcv(nzcv).word;
  });
}
u32 cond_compare(const Vec& a, const Vec& b, const Vec& flags, unsigned esize, u64 imm, unsigned condition,
                 ExecState& state) {
  if (!condition_holds(Flags{u32(flags.lo)}, condition)) return Flags::from_nzcv(u32(imm >> 8 & 15)).word;
  return compare(a, b, esize, imm & 1, state);
}

// FCADD: the pair b, rotated by 90 or 270 degrees, is (-imaginary, real) or (imaginary, -real).
Vec cadd(const Vec& a, const Vec& b, unsigned esize, unsigned count, unsigned degrees, ExecState& state) {
  StateContext context(state);
  fp::Context& cx = context;
  return with_format(esize, [&]<class F>(F) {
    using T = Bits<F>;
    Vec r;
    for (unsigned i = 0; i + 1 < count; i += 2) {
      T real = b.lane<T>(i + 1), imaginary = b.lane<T>(i);
      (degrees == 90 ? real : imaginary) ^= T(T{1} << (F::kBits - 1));
      r.set_lane<T>(i, fp::FPAdd<F>(a.lane<T>(i), real, cx));
      r.set_lane<T>(i + 1, fp::FPAdd<F>(a.lane<T>(i + 1), imaginary, cx));
    }
    return r;
  });
}

// FCMLA: one quarter of a complex multiply-add; two of them, 90 degrees apart, make a whole.
Vec cmla(const Vec& a, const Vec& b, const Vec& c, unsigned esize, unsigned count, unsigned degrees,
         ExecState& state) {
  StateContext context(state);
  fp::Context& cx = context;
  return with_format(esize, [&]<class F>(F) {
    using T = Bits<F>;
    const bool odd = degrees == 90 || degrees == 270;  // the imaginary part of b takes part
    const bool negate_real = degrees == 90 || degrees == 180, negate_imaginary = degrees >= 180;
    Vec r;
    for (unsigned i = 0; i + 1 < count; i += 2) {
      const T multiplier = b.lane<T>(i + odd);
      T real = c.lane<T>(i + odd), imaginary = c.lane<T>(i + !odd);
      if (negate_real) real = fp::FPNeg<F>(real);
      if (negate_imaginary) imaginary = fp::FPNeg<F>(imaginary);
      r.set_lane<T>(i, fp::FPMulAdd<F>(a.lane<T>(i), multiplier, real, cx));
      r.set_lane<T>(i + 1, fp::FPMulAdd<F>(a.lane<T>(i + 1), multiplier, imaginary, cx));
    }
    return r;
  });
}

// FPMulAddH: NaNs of halves are processed like the singles that they become.
Vec mlal(const Vec& a, const Vec& b, const Vec& c, unsigned count, u64 imm, ExecState& state) {
  StateContext context(state);
  fp::Context& cx = context;
  const bool flush = cx.flush_to_zero_half();
  Vec r;
  for (unsigned i = 0; i < count && i < 4; i++) {
    const unsigned from = i + (imm & 1 ? count : 0);
    const u16 x = b.lane<u16>(from) ^ (imm & 2 ? 0x8000 : 0);
    const u32 product_operands[] = {widen_half(x, flush), widen_half(c.lane<u16>(from), flush)};
    r.set_lane<u32>(i, fp::FPMulAdd<Single>(a.lane<u32>(i), product_operands[0], product_operands[1], cx));
  }
  return r;
}

}  // namespace sluice::tcg::ir::fpl
