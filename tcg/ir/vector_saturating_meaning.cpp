#include <type_traits>

#include "tcg/ir/lane_loops.h"
#include "tcg/ir/saturation.h"
#include "tcg/ir/vector_meaning.h"

namespace sluice::tcg::ir::lanes {
namespace {

// Lanes of `count` in i128, saturated to the lane type of the result.
template <class F, class... V>
Vec saturate_signed(unsigned esize, unsigned count, ExecState& state, const F& f, const V&... v) {
  return with_signed(esize, [&]<class T>(T) {
    return map_lanes<T>(
        count, [&](auto... x) { return saturate<T>(f(i128(x)...), state); }, v...);
  });
}
template <class F, class... V>
Vec saturate_unsigned(unsigned esize, unsigned count, ExecState& state, const F& f, const V&... v) {
  return with_unsigned(esize, [&]<class T>(T) {
    return map_lanes<T>(
        count, [&](auto... x) { return saturate<T>(f(i128(x)...), state); }, v...);
  });
}
constexpr auto kAdd = [](i128 x, i128 y) { return x + y; };
constexpr auto kSub = [](i128 x, i128 y) { return x - y; };

template <class From, class To>
Vec narrow(const Vec& a, unsigned count, ExecState& state) {
  Vec r;
  for (unsigned i = 0; i < count && i < kLanes<From>; i++)
    r.set_lane<To>(i, saturate<To>(a.lane<From>(i), state));
  return r;
}

template <class Narrow, class Wide>
Vec doubling_long(const Vec& a, const Vec& b, unsigned count, unsigned first, ExecState& state) {
  Vec r;
  for (unsigned i = 0; i < count && i < kLanes<Wide>; i++) {
    i128 product = i128(a.lane<Narrow>(first + i)) * b.lane<Narrow>(first + i) * 2;
    r.set_lane<Wide>(i, saturate<Wide>(product, state));
  }
  return r;
}

// SQRDMULH, SQRDMLAH, SQRDMLSH: (addend << bits) + sign * 2 * x * y, rounded, high half.
template <int Sign>
Vec rounding_doubling(const Vec& a, const Vec& b, const Vec& c, unsigned esize, unsigned count,
                      ExecState& state) {
  const unsigned bits = 8u << esize;
  auto f = [=](i128 addend, i128 x, i128 y) {
    return (addend * (i128{1} << bits) + Sign * 2 * x * y + (i128{1} << (bits - 1))) >> bits;
  };
  return saturate_signed(esize, count, state, f, a, b, c);
}

}  // namespace

Vec sqadd(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state) {
  return saturate_signed(esize, count, state, kAdd, a, b);
}
Vec uqadd(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state) {
  return saturate_unsigned(esize, count, state, kAdd, a, b);
}
Vec sqsub(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state) {
  return saturate_signed(esize, count, state, kSub, a, b);
}
Vec uqsub(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state) {
  return saturate_unsigned(esize, count, state, kSub, a, b);
}
Vec suqadd(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state) {
  return with_signed(esize, [&]<class T>(T) {
    auto f = [&](T x, T y) { return saturate<T>(i128(x) + std::make_unsigned_t<T>(y), state); };
    return map_lanes<T>(count, f, a, b);
  });
}
Vec usqadd(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state) {
  return with_unsigned(esize, [&]<class T>(T) {
    auto f = [&](T x, T y) { return saturate<T>(i128(x) + std::make_signed_t<T>(y), state); };
    return map_lanes<T>(count, f, a, b);
  });
}
Vec sqabs(const Vec& a, unsigned esize, unsigned count, ExecState& state) {
  return saturate_signed(
      esize, count, state, [](i128 x) { return x < 0 ? -x : x; }, a);
}
Vec sqneg(const Vec& a, unsigned esize, unsigned count, ExecState& state) {
  return saturate_signed(
      esize, count, state, [](i128 x) { return -x; }, a);
}

Vec sqdmulh(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state) {
  const unsigned bits = 8u << esize;
  return saturate_signed(
      esize, count, state, [=](i128 x, i128 y) { return (2 * x * y) >> bits; }, a, b);
}
Vec sqrdmulh(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state) {
  return rounding_doubling<1>(Vec{}, a, b, esize, count, state);
}
Vec sqrdmlah(const Vec& a, const Vec& b, const Vec& c, unsigned esize, unsigned count, ExecState& state) {
  return rounding_doubling<1>(a, b, c, esize, count, state);
}
Vec sqrdmlsh(const Vec& a, const Vec& b, const Vec& c, unsigned esize, unsigned count, ExecState& state) {
  return rounding_doubling<-1>(a, b, c, esize, count, state);
}

Vec sqxtn(const Vec& a, unsigned esize, unsigned count, ExecState& state) {
  switch (esize) {
    case 0: return narrow<i16, i8>(a, count, state);
    case 1: return narrow<i32, i16>(a, count, state);
    default: return narrow<i64, i32>(a, count, state);
  }
}
Vec uqxtn(const Vec& a, unsigned esize, unsigned count, ExecState& state) {
  switch (esize) {
    case 0: return narrow<u16, u8>(a, count, state);
    case 1: return narrow<u32, u16>(a, count, state);
    default: return narrow<u64, u32>(a, count, state);
  }
}
Vec sqxtun(const Vec& a, unsigned esize, unsigned count, ExecState& state) {
  switch (esize) {
    case 0: return narrow<i16, u8>(a, count, state);
    case 1: return narrow<i32, u16>(a, count, state);
    default: return narrow<i64, u32>(a, count, state);
  }
}

Vec sqdmull(const Vec& a, const Vec& b, unsigned esize, unsigned count, u64 part, ExecState& state) {
  const unsigned first = part ? count : 0;
  return esize == 1 ? doubling_long<i16, i32>(a, b, count, first, state)
                    : doubling_long<i32, i64>(a, b, count, first, state);
}

}  // namespace sluice::tcg::ir::lanes
