#include <bit>

#include "tcg/ir/lane_loops.h"
#include "tcg/ir/saturation.h"
#include "tcg/ir/vector_meaning.h"

namespace sluice::tcg::ir::lanes {
namespace {

constexpr i128 shift_right(i128 x, unsigned amount) { return amount > 127 ? x >> 127 : x >> amount; }
// (x + 2^(amount-1)) >> amount for a 64-bit x; from 66 on the result is 0 whatever x is.
constexpr i128 shift_right_rounding(i128 x, unsigned amount) {
  if (amount == 0) return x;
  if (amount >= 66) return 0;
  return (x + (i128{1} << (amount - 1))) >> amount;
}
// The shift amount of SSHL and its family: the low byte of the lane.
template <class T>
constexpr int amount_in(T lane) {
  return i8(u8(lane));
}
template <bool Rounding>
constexpr i128 shift_right(i128 x, int amount) {
  return Rounding ? shift_right_rounding(x, unsigned(amount)) : shift_right(x, unsigned(amount));
}

template <bool Rounding>
constexpr auto kShift = []<class T>(T x, T by) -> T {
  int amount = amount_in(by);
  if (amount >= int(8 * sizeof(T))) return 0;
  return amount >= 0 ? T(u128(i128(x)) << amount) : T(shift_right<Rounding>(x, -amount));
};

// T is the type of the operand, Result the one of the result and of the range.
template <class Result, bool Rounding, class T>
Result saturating_shift(T x, T by, ExecState& state) {
  int amount = amount_in(by);
  if (amount < 0) return saturate<Result>(shift_right<Rounding>(x, -amount), state);
  // Any set bit that is shifted by the lane width or more is out of range, as it is when shifted by 64 of 128
  // bits.
  if (amount > int(8 * sizeof(T)) - 1) amount = x == 0 ? 0 : int(8 * sizeof(T));
  if (amount == 64) return saturate<Result>(x < 0 ? -(i128{1} << 64) : i128{1} << 64, state);
  return saturate<Result>(i128(x) * (i128{1} << amount), state);
}

}  // namespace

Vec shl_imm(const Vec& a, unsigned esize, unsigned amount) {
  return unsigned_lanes(
      esize, [=](u64 x) { return u64(u128(x) << amount); }, a);
}
Vec sshr_imm(const Vec& a, unsigned esize, unsigned amount) {
  return signed_lanes(
      esize, [=](i128 x) { return x >> amount; }, a);
}
Vec ushr_imm(const Vec& a, unsigned esize, unsigned amount) {
  return unsigned_lanes(
      esize, [=](u128 x) { return x >> amount; }, a);
}
Vec srshr_imm(const Vec& a, unsigned esize, unsigned amount) {
  return signed_lanes(
      esize, [=](i128 x) { return shift_right_rounding(x, amount); }, a);
}
Vec urshr_imm(const Vec& a, unsigned esize, unsigned amount) {
  return unsigned_lanes(
      esize, [=](i128 x) { return shift_right_rounding(x, amount); }, a);
}

Vec rotl_imm(const Vec& a, unsigned esize, unsigned amount) {
  return unsigned_lanes(
      esize, [=](auto x) { return std::rotl(x, int(amount)); }, a);
}

Vec sli(const Vec& a, const Vec& b, unsigned esize, unsigned amount) {
  auto f = [=](u64 x, u64 y) { return u64((x & ones(amount)) | u64(u128(y) << amount)); };
  return unsigned_lanes(esize, f, a, b);
}
Vec sri(const Vec& a, const Vec& b, unsigned esize, unsigned amount) {
  const u64 lane_mask = ones(8u << esize);
  const u64 shifted_mask = u64(u128(lane_mask) >> amount);
  auto f = [=](u64 x, u64 y) { return (x & lane_mask & ~shifted_mask) | u64(u128(y) >> amount); };
  return unsigned_lanes(esize, f, a, b);
}

Vec sshl(const Vec& a, const Vec& b, unsigned esize) { return signed_lanes(esize, kShift<false>, a, b); }
Vec ushl(const Vec& a, const Vec& b, unsigned esize) { return unsigned_lanes(esize, kShift<false>, a, b); }
Vec srshl(const Vec& a, const Vec& b, unsigned esize) { return signed_lanes(esize, kShift<true>, a, b); }
Vec urshl(const Vec& a, const Vec& b, unsigned esize) { return unsigned_lanes(esize, kShift<true>, a, b); }

Vec sqshl(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state) {
  return with_signed(esize, [&]<class T>(T) {
    return map_lanes<T>(
        count, [&](T x, T by) { return saturating_shift<T, false>(x, by, state); }, a, b);
  });
}
Vec uqshl(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state) {
  return with_unsigned(esize, [&]<class T>(T) {
    return map_lanes<T>(
        count, [&](T x, T by) { return saturating_shift<T, false>(x, by, state); }, a, b);
  });
}
Vec sqshlu(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state) {
  return with_signed(esize, [&]<class T>(T) {
    auto f = [&](T x, T by) { return T(saturating_shift<std::make_unsigned_t<T>, false>(x, by, state)); };
    return map_lanes<T>(count, f, a, b);
  });
}
Vec sqrshl(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state) {
  return with_signed(esize, [&]<class T>(T) {
    return map_lanes<T>(
        count, [&](T x, T by) { return saturating_shift<T, true>(x, by, state); }, a, b);
  });
}
Vec uqrshl(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state) {
  return with_unsigned(esize, [&]<class T>(T) {
    return map_lanes<T>(
        count, [&](T x, T by) { return saturating_shift<T, true>(x, by, state); }, a, b);
  });
}

}  // namespace sluice::tcg::ir::lanes
