// tcg/flags.h: the condition flags as one word.
// The layout is what x86's LAHF and SETO leave in AX, so that the back end stores flags in two instructions:
// N at bit 15, Z at bit 14, C at bit 8, V at bit 0. The other bits are ignored by every reader.
// C has Arm's meaning everywhere: after a subtraction it is NOT borrow.
#pragma once
#include "base/types.h"

namespace sluice::tcg {

struct Flags {
  static constexpr u32 kN = 1u << 15, kZ = 1u << 14, kC = 1u << 8, kV = 1u << 0;
  static constexpr u32 kAll = kN | kZ | kC | kV;
  u32 word = 0;

  static constexpr Flags of(bool n, bool z, bool c, bool v) {
    return {(n ? kN : 0) | (z ? kZ : 0) | (c ? kC : 0) | (v ? kV : 0)};
  }
  // From and to PSTATE's N:Z:C:V in bits 3..0.
  static constexpr Flags from_nzcv(u32 nzcv) { return of(nzcv & 8, nzcv & 4, nzcv & 2, nzcv & 1); }
  constexpr u32 nzcv() const { return n() << 3 | z() << 2 | c() << 1 | v(); }
  constexpr u32 n() const { return word >> 15 & 1; }
  constexpr u32 z() const { return word >> 14 & 1; }
  constexpr u32 c() const { return word >> 8 & 1; }
  constexpr u32 v() const { return word & 1; }
};

// ConditionHolds(cond): cond is the 4-bit Arm condition code; 14 and 15 always hold.
constexpr bool condition_holds(Flags f, unsigned cond) {
  bool r = false;
  switch (cond >> 1) {
    case 0: r = f.z(); break;
    case 1: r = f.c(); break;
    case 2: r = f.n(); break;
    case 3: r = f.v(); break;
    case 4: r = f.c() && !f.z(); break;
    case 5: r = f.n() == f.v(); break;
    case 6: r = f.n() == f.v() && !f.z(); break;
    default: return true;
  }
  return (cond & 1) ? !r : r;
}

// AddWithCarry(x, y, carry_in) at `bits` (32 or 64): the result and its flags.
struct SumAndFlags {
  u64 sum;
  Flags flags;
};
constexpr SumAndFlags add_with_carry(u64 x, u64 y, bool carry, unsigned bits) {
  u64 mask = bits == 64 ? ~u64{0} : u64{0xffffffff};
  x &= mask, y &= mask;
  u128 wide = u128(x) + y + carry;
  u64 sum = u64(wide) & mask;
  bool overflow = (~(x ^ y) & (x ^ sum)) >> (bits - 1) & 1;
  return {sum, Flags::of(sum >> (bits - 1) & 1, sum == 0, (wide >> bits) & 1, overflow)};
}

}  // namespace sluice::tcg
