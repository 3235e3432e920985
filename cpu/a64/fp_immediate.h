// cpu/a64/fp_immediate.h: VFPExpandImm of the Arm pseudocode.
#pragma once
#include "base/bits.h"

namespace sluice::cpu::a64 {

// aBbbcdefgh: sign, a 3-bit exponent around that of 1.0, four fraction bits; into a half (esize 1), single
// (2) or double (3).
constexpr u64 expand_fp_immediate(u8 imm8, unsigned esize) {
  const unsigned bits = 8u << esize;
  const unsigned exponent_bits = esize == 1   ? 5
                                 : esize == 2 ? 8
                                              : 11,
                 fraction_bits = bits - exponent_bits - 1;
  const u64 sign = imm8 >> 7, b = imm8 >> 6 & 1;
  const u64 exponent =
      (b ^ 1) << (exponent_bits - 1) | (b ? ones(exponent_bits - 3) << 2 : 0) | (imm8 >> 4 & 3);
  return sign << (bits - 1) | exponent << fraction_bits | u64(imm8 & 15) << (fraction_bits - 4);
}
static_assert(expand_fp_immediate(0x70, 2) == 0x3f800000);          // 1.0
static_assert(expand_fp_immediate(0x80, 3) == 0xc000000000000000);  // -2.0
static_assert(expand_fp_immediate(0x08, 1) == 0x4200);              // 3.0

}  // namespace sluice::cpu::a64
