// cpu/a64/simd_modified_immediate.h: AdvSIMDExpandImm of the Arm pseudocode.
#pragma once
#include "base/bits.h"
#include "cpu/a64/fp_immediate.h"

namespace sluice::cpu::a64 {

// Bit i of imm8 fills byte i.
constexpr u64 bytes_from_bits(u8 imm8) {
  u64 r = 0;
  for (unsigned i = 0; i < 8; i++) r |= (imm8 >> i & 1) ? u64{0xff} << (8 * i) : 0;
  return r;
}

// The 64 bits that a word of "Advanced SIMD modified immediate" stands for (op, cmode, o2 and a:b:c:d:e:f:g:h
// in their places), before MVNI and BIC invert them.
constexpr u64 expand_modified_immediate(u32 word) {
  const u8 imm8 = u8(extract(word, 16, 3) << 5 | extract(word, 5, 5));
  const unsigned cmode = unsigned(extract(word, 12, 4));
  const bool op = bit(word, 29), o2 = bit(word, 11);
  if (cmode < 8) return replicate(u64{imm8} << 8 * (cmode >> 1), 32);       // 32-bit, shifted by bytes
  if (cmode < 12) return replicate(u64{imm8} << 8 * (cmode >> 1 & 1), 16);  // 16-bit
  if (cmode == 12) return replicate(u64{imm8} << 8 | 0xff, 32);             // 32-bit, shifting ones in
  if (cmode == 13) return replicate(u64{imm8} << 16 | 0xffff, 32);
  if (cmode == 14) return op ? bytes_from_bits(imm8) : replicate(imm8, 8);
  if (o2) return replicate(expand_fp_immediate(imm8, 1), 16);
  return op ? expand_fp_immediate(imm8, 3) : replicate(expand_fp_immediate(imm8, 2), 32);
}

}  // namespace sluice::cpu::a64
