#include "tcg/fp/fp.h"
#include "tcg/ir/lane_loops.h"
#include "tcg/ir/vector_meaning.h"

namespace sluice::tcg::ir::lanes {
namespace {

template <class Narrow, class Wide>
Vec multiply_long(const Vec& a, const Vec& b, bool high) {
  const unsigned first = high ? kLanes<Wide> : 0;
  Vec r;
  for (unsigned i = 0; i < kLanes<Wide>; i++)
    r.set_lane<Wide>(i, Wide(Wide(a.lane<Narrow>(first + i)) * Wide(b.lane<Narrow>(first + i))));
  return r;
}

// Polynomials over {0, 1}: addition is exclusive or.
constexpr u128 multiply_polynomials(u64 a, u64 b) {
  u128 product = 0;
  for (unsigned i = 0; i < 64; i++)
    if (b >> i & 1) product ^= u128(a) << i;
  return product;
}

// Products of `length` byte lanes from `x` and `y`, summed.
template <class A, class B>
u32 dot(const Vec& a, unsigned x, const Vec& b, unsigned y, unsigned length) {
  u32 sum = 0;
  for (unsigned i = 0; i < length; i++) sum += u32(i32(a.lane<A>(x + i)) * i32(b.lane<B>(y + i)));
  return sum;
}
template <class A, class B>
Vec dot_product(const Vec& addend, const Vec& a, const Vec& b) {
  Vec r;
  for (unsigned i = 0; i < 4; i++) r.set_lane<u32>(i, addend.lane<u32>(i) + dot<A, B>(a, 4 * i, b, 4 * i, 4));
  return r;
}
// Rows of 8 bytes of a times rows of b (b is the transpose of the right operand).
template <class A, class B>
Vec matrix_product(const Vec& addend, const Vec& a, const Vec& b) {
  Vec r;
  for (unsigned row = 0; row < 2; row++)
    for (unsigned column = 0; column < 2; column++) {
      unsigned i = 2 * row + column;
      r.set_lane<u32>(i, addend.lane<u32>(i) + dot<A, B>(a, 8 * row, b, 8 * column, 8));
    }
  return r;
}

}  // namespace

Vec smull(const Vec& a, const Vec& b, unsigned esize, u64 high) {
  switch (esize) {
    case 0: return multiply_long<i8, i16>(a, b, high);
    case 1: return multiply_long<i16, i32>(a, b, high);
    default: return multiply_long<i32, i64>(a, b, high);
  }
}
Vec umull(const Vec& a, const Vec& b, unsigned esize, u64 high) {
  switch (esize) {
    case 0: return multiply_long<u8, u16>(a, b, high);
    case 1: return multiply_long<u16, u32>(a, b, high);
    default: return multiply_long<u32, u64>(a, b, high);
  }
}
Vec pmul(const Vec& a, const Vec& b) {
  return unsigned_lanes(
      0, [](u8 x, u8 y) { return multiply_polynomials(x, y); }, a, b);
}
Vec pmull(const Vec& a, const Vec& b, unsigned esize, u64 high) {
  if (esize == 3) {
    u128 product = high ? multiply_polynomials(a.hi, b.hi) : multiply_polynomials(a.lo, b.lo);
    return {u64(product), u64(product >> 64)};
  }
  Vec r;
  for (unsigned i = 0; i < 8; i++) {
    unsigned from = i + (high ? 8 : 0);
    r.set_lane<u16>(i, u16(multiply_polynomials(a.lane<u8>(from), b.lane<u8>(from))));
  }
  return r;
}

Vec sdot(const Vec& a, const Vec& b, const Vec& c) { return dot_product<i8, i8>(a, b, c); }
Vec udot(const Vec& a, const Vec& b, const Vec& c) { return dot_product<u8, u8>(a, b, c); }
Vec usdot(const Vec& a, const Vec& b, const Vec& c) { return dot_product<u8, i8>(a, b, c); }
Vec smmla(const Vec& a, const Vec& b, const Vec& c) { return matrix_product<i8, i8>(a, b, c); }
Vec ummla(const Vec& a, const Vec& b, const Vec& c) { return matrix_product<u8, u8>(a, b, c); }
Vec usmmla(const Vec& a, const Vec& b, const Vec& c) { return matrix_product<u8, i8>(a, b, c); }

Vec urecpe(const Vec& a) {
  return unsigned_lanes(
      2, [](u64 x) { return fp::UnsignedRecipEstimate(u32(x)); }, a);
}
Vec ursqrte(const Vec& a) {
  return unsigned_lanes(
      2, [](u64 x) { return fp::UnsignedRSqrtEstimate(u32(x)); }, a);
}

}  // namespace sluice::tcg::ir::lanes
