#include "tcg/ir/vector_meaning.h"

#include <bit>
#include <type_traits>

#include "tcg/ir/lane_loops.h"

namespace sluice::tcg::ir::lanes {
namespace {

template <class T>
constexpr T mask_of(bool condition) {
  return condition ? T(~T{0}) : T{0};
}

template <class F>
Vec signed_pairs(unsigned esize, unsigned count, const F& f, const Vec& a, const Vec& b) {
  return with_signed(esize, [&]<class T>(T) { return map_pairs<T>(count, f, a, b); });
}
template <class F>
Vec unsigned_pairs(unsigned esize, unsigned count, const F& f, const Vec& a, const Vec& b) {
  return with_unsigned(esize, [&]<class T>(T) { return map_pairs<T>(count, f, a, b); });
}

constexpr auto kMax = [](auto x, auto y) { return x > y ? x : y; };
constexpr auto kMin = [](auto x, auto y) { return x < y ? x : y; };

// f over lanes 0..count-1, from the left, in 64 bits of the lane's signedness.
template <class T, class F>
auto fold(const Vec& a, unsigned count, const F& f) {
  std::conditional_t<std::is_signed_v<T>, i64, u64> sum = a.lane<T>(0);
  for (unsigned i = 1; i < count && i < kLanes<T>; i++) sum = f(sum, decltype(sum)(a.lane<T>(i)));
  return sum;
}
template <class F>
Vec signed_across(unsigned esize, unsigned count, const F& f, const Vec& a, unsigned result_esize) {
  u64 sum = with_signed(esize, [&]<class T>(T) { return u64(fold<T>(a, count, f)); });
  return {sum & ones(8u << result_esize), 0};
}
template <class F>
Vec unsigned_across(unsigned esize, unsigned count, const F& f, const Vec& a, unsigned result_esize) {
  u64 sum = with_unsigned(esize, [&]<class T>(T) { return u64(fold<T>(a, count, f)); });
  return {sum & ones(8u << result_esize), 0};
}
constexpr auto kSum = [](auto x, auto y) { return x + y; };

// Sums of neighbours; esize is the operand's.
template <class Narrow, class Wide>
Vec add_pairs_long(const Vec& a) {
  Vec r;
  for (unsigned i = 0; i < kLanes<Wide>; i++)
    r.set_lane<Wide>(i, Wide(Wide(a.lane<Narrow>(2 * i)) + Wide(a.lane<Narrow>(2 * i + 1))));
  return r;
}

}  // namespace

Vec select(const Vec& a, const Vec& b, const Vec& mask) {
  return {(a.lo & mask.lo) | (b.lo & ~mask.lo), (a.hi & mask.hi) | (b.hi & ~mask.hi)};
}

Vec add(const Vec& a, const Vec& b, unsigned esize) {
  return unsigned_lanes(
      esize, [](u64 x, u64 y) { return x + y; }, a, b);
}
Vec sub(const Vec& a, const Vec& b, unsigned esize) {
  return unsigned_lanes(
      esize, [](u64 x, u64 y) { return x - y; }, a, b);
}
Vec mul(const Vec& a, const Vec& b, unsigned esize) {
  return unsigned_lanes(
      esize, [](u64 x, u64 y) { return x * y; }, a, b);
}
Vec neg(const Vec& a, unsigned esize) {
  return unsigned_lanes(
      esize, [](u64 x) { return -x; }, a);
}
Vec abs(const Vec& a, unsigned esize) {
  return signed_lanes(
      esize, [](i64 x) { return x < 0 ? -u64(x) : u64(x); }, a);
}
Vec smax(const Vec& a, const Vec& b, unsigned esize) { return signed_lanes(esize, kMax, a, b); }
Vec smin(const Vec& a, const Vec& b, unsigned esize) { return signed_lanes(esize, kMin, a, b); }
Vec umax(const Vec& a, const Vec& b, unsigned esize) { return unsigned_lanes(esize, kMax, a, b); }
Vec umin(const Vec& a, const Vec& b, unsigned esize) { return unsigned_lanes(esize, kMin, a, b); }
Vec sabd(const Vec& a, const Vec& b, unsigned esize) {
  return signed_lanes(
      esize, [](i64 x, i64 y) { return x > y ? u64(x) - u64(y) : u64(y) - u64(x); }, a, b);
}
Vec uabd(const Vec& a, const Vec& b, unsigned esize) {
  return unsigned_lanes(
      esize, [](u64 x, u64 y) { return x > y ? x - y : y - x; }, a, b);
}
Vec shadd(const Vec& a, const Vec& b, unsigned esize) {
  return signed_lanes(
      esize, [](i128 x, i128 y) { return (x + y) >> 1; }, a, b);
}
Vec uhadd(const Vec& a, const Vec& b, unsigned esize) {
  return unsigned_lanes(
      esize, [](u128 x, u128 y) { return (x + y) >> 1; }, a, b);
}
Vec srhadd(const Vec& a, const Vec& b, unsigned esize) {
  return signed_lanes(
      esize, [](i128 x, i128 y) { return (x + y + 1) >> 1; }, a, b);
}
Vec urhadd(const Vec& a, const Vec& b, unsigned esize) {
  return unsigned_lanes(
      esize, [](u128 x, u128 y) { return (x + y + 1) >> 1; }, a, b);
}
Vec shsub(const Vec& a, const Vec& b, unsigned esize) {
  return signed_lanes(
      esize, [](i128 x, i128 y) { return (x - y) >> 1; }, a, b);
}
Vec uhsub(const Vec& a, const Vec& b, unsigned esize) {
  return unsigned_lanes(
      esize, [](u128 x, u128 y) { return (x - y) >> 1; }, a, b);
}

Vec cmeq(const Vec& a, const Vec& b, unsigned esize) {
  return unsigned_lanes(
      esize, [](auto x, auto y) { return mask_of<decltype(x)>(x == y); }, a, b);
}
Vec cmgt(const Vec& a, const Vec& b, unsigned esize) {
  return signed_lanes(
      esize, [](auto x, auto y) { return mask_of<decltype(x)>(x > y); }, a, b);
}
Vec cmge(const Vec& a, const Vec& b, unsigned esize) {
  return signed_lanes(
      esize, [](auto x, auto y) { return mask_of<decltype(x)>(x >= y); }, a, b);
}
Vec cmhi(const Vec& a, const Vec& b, unsigned esize) {
  return unsigned_lanes(
      esize, [](auto x, auto y) { return mask_of<decltype(x)>(x > y); }, a, b);
}
Vec cmhs(const Vec& a, const Vec& b, unsigned esize) {
  return unsigned_lanes(
      esize, [](auto x, auto y) { return mask_of<decltype(x)>(x >= y); }, a, b);
}
Vec cmtst(const Vec& a, const Vec& b, unsigned esize) {
  return unsigned_lanes(
      esize, [](auto x, auto y) { return mask_of<decltype(x)>((x & y) != 0); }, a, b);
}

Vec clz(const Vec& a, unsigned esize) {
  return unsigned_lanes(
      esize, [](auto x) { return std::countl_zero(x); }, a);
}
Vec cls(const Vec& a, unsigned esize) {
  return unsigned_lanes(
      esize,
      []<class T>(T x) {
        T inverted_if_negative = T(x ^ mask_of<T>(x >> (8 * sizeof(T) - 1)));
        return std::countl_zero(inverted_if_negative) - 1;
      },
      a);
}
Vec cnt(const Vec& a) {
  return unsigned_lanes(
      0, [](auto x) { return std::popcount(x); }, a);
}
Vec rbit(const Vec& a) {
  auto reversed = [](u64 x) {
    u64 r = 0;
    for (unsigned i = 0; i < 8; i++) r |= (x >> i & 1) << (7 - i);
    return r;
  };
  return unsigned_lanes(0, reversed, a);
}
Vec rev(const Vec& a, unsigned esize, unsigned log2_container) {
  const unsigned inside = (1u << (log2_container - esize)) - 1;
  return with_unsigned(esize, [&]<class T>(T) {
    Vec r;
    for (unsigned i = 0; i < kLanes<T>; i++) r.set_lane<T>(i ^ inside, a.lane<T>(i));
    return r;
  });
}

Vec addp(const Vec& a, const Vec& b, unsigned esize, unsigned count) {
  return unsigned_pairs(
      esize, count, [](u64 x, u64 y) { return x + y; }, a, b);
}
Vec smaxp(const Vec& a, const Vec& b, unsigned esize, unsigned count) {
  return signed_pairs(esize, count, kMax, a, b);
}
Vec sminp(const Vec& a, const Vec& b, unsigned esize, unsigned count) {
  return signed_pairs(esize, count, kMin, a, b);
}
Vec umaxp(const Vec& a, const Vec& b, unsigned esize, unsigned count) {
  return unsigned_pairs(esize, count, kMax, a, b);
}
Vec uminp(const Vec& a, const Vec& b, unsigned esize, unsigned count) {
  return unsigned_pairs(esize, count, kMin, a, b);
}

Vec saddlp(const Vec& a, unsigned esize) {
  switch (esize) {
    case 0: return add_pairs_long<i8, i16>(a);
    case 1: return add_pairs_long<i16, i32>(a);
    default: return add_pairs_long<i32, i64>(a);
  }
}
Vec uaddlp(const Vec& a, unsigned esize) {
  switch (esize) {
    case 0: return add_pairs_long<u8, u16>(a);
    case 1: return add_pairs_long<u16, u32>(a);
    default: return add_pairs_long<u32, u64>(a);
  }
}

Vec addv(const Vec& a, unsigned esize, unsigned count) {
  return unsigned_across(esize, count, kSum, a, esize);
}
Vec smaxv(const Vec& a, unsigned esize, unsigned count) {
  return signed_across(esize, count, kMax, a, esize);
}
Vec sminv(const Vec& a, unsigned esize, unsigned count) {
  return signed_across(esize, count, kMin, a, esize);
}
Vec umaxv(const Vec& a, unsigned esize, unsigned count) {
  return unsigned_across(esize, count, kMax, a, esize);
}
Vec uminv(const Vec& a, unsigned esize, unsigned count) {
  return unsigned_across(esize, count, kMin, a, esize);
}
Vec saddlv(const Vec& a, unsigned esize, unsigned count) {
  return signed_across(esize, count, kSum, a, esize + 1);
}
Vec uaddlv(const Vec& a, unsigned esize, unsigned count) {
  return unsigned_across(esize, count, kSum, a, esize + 1);
}

}  // namespace sluice::tcg::ir::lanes
