// base/bits.h: bit fields, named as in the Arm pseudocode.
#pragma once
#include <bit>

#include "base/types.h"

namespace sluice {

// A value with `width` low bits set; width 0..64.
constexpr u64 ones(unsigned width) { return width >= 64 ? ~u64{0} : (u64{1} << width) - 1; }
// value<lsb+width-1:lsb>; lsb 0..63.
constexpr u64 extract(u64 value, unsigned lsb, unsigned width) { return (value >> lsb) & ones(width); }
constexpr bool bit(u64 value, unsigned n) { return (value >> n) & 1; }
// `into` with `width` bits at `lsb` replaced by the low bits of `field`.
constexpr u64 deposit(u64 into, unsigned lsb, unsigned width, u64 field) {
  u64 mask = ones(width) << lsb;
  return (into & ~mask) | ((field << lsb) & mask);
}
// SignExtend(value<width-1:0>, 64); width 1..64.
constexpr u64 sign_extend(u64 value, unsigned width) {
  return u64(i64(value << (64 - width)) >> (64 - width));
}
constexpr u64 align_down(u64 value, u64 power_of_two) { return value & ~(power_of_two - 1); }
constexpr u64 align_up(u64 value, u64 power_of_two) {
  return align_down(value + power_of_two - 1, power_of_two);
}
constexpr bool is_aligned(u64 value, u64 power_of_two) { return (value & (power_of_two - 1)) == 0; }
constexpr bool is_power_of_two(u64 value) { return std::has_single_bit(value); }
// ROR(value, amount) at `width` bits (a power of two up to 64).
constexpr u64 rotate_right(u64 value, unsigned amount, unsigned width) {
  amount &= width - 1;
  value &= ones(width);
  return amount ? ((value >> amount) | (value << (width - amount))) & ones(width) : value;
}
constexpr u64 replicate(u64 element, unsigned width) {
  u64 r = element & ones(width);
  for (; width < 64; width *= 2) r |= r << width;
  return r;
}

}  // namespace sluice
