// tcg/ir/lane_loops.h: how the meanings of vector ops go over lanes.
#pragma once
#include "tcg/vec.h"

namespace sluice::tcg::ir {

// f(T{}) with T the lane type of 2^esize bytes.
template <class F>
constexpr decltype(auto) with_unsigned(unsigned esize, F&& f) {
  switch (esize) {
    case 0: return f(u8{});
    case 1: return f(u16{});
    case 2: return f(u32{});
    default: return f(u64{});
  }
}
template <class F>
constexpr decltype(auto) with_signed(unsigned esize, F&& f) {
  switch (esize) {
    case 0: return f(i8{});
    case 1: return f(i16{});
    case 2: return f(i32{});
    default: return f(i64{});
  }
}

template <class T>
inline constexpr unsigned kLanes = 16 / sizeof(T);

// Lane i of the result is f(lane i of each operand), for the first `count` lanes; the others are zero.
template <class T, class F, class... V>
Vec map_lanes(unsigned count, const F& f, const V&... v) {
  Vec r;
  for (unsigned i = 0; i < count && i < kLanes<T>; i++) r.set_lane<T>(i, T(f(v.template lane<T>(i)...)));
  return r;
}
template <class F, class... V>
Vec unsigned_lanes(unsigned esize, const F& f, const V&... v) {
  return with_unsigned(esize, [&]<class T>(T) { return map_lanes<T>(kLanes<T>, f, v...); });
}
template <class F, class... V>
Vec signed_lanes(unsigned esize, const F& f, const V&... v) {
  return with_signed(esize, [&]<class T>(T) { return map_lanes<T>(kLanes<T>, f, v...); });
}

// Lane i of the result is f(lane 2i, lane 2i + 1) of b:a, each of `count` lanes.
template <class T, class F>
Vec map_pairs(unsigned count, const F& f, const Vec& a, const Vec& b) {
  Vec r;
  for (unsigned i = 0; i < count && i < kLanes<T>; i++) {
    const Vec& from = 2 * i < count ? a : b;
    unsigned lane = 2 * i < count ? 2 * i : 2 * i - count;
    r.set_lane<T>(i, T(f(from.lane<T>(lane), from.lane<T>(lane + 1))));
  }
  return r;
}

}  // namespace sluice::tcg::ir
