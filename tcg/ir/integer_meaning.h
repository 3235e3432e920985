// tcg/ir/integer_meaning.h: the functions that the meanings of the integer rows of tcg/ir/ops.h call.
#pragma once
#include <bit>

#include "base/bits.h"
#include "tcg/flags.h"

namespace sluice::tcg::ir {

// SDIV: 0 for a zero divisor; the most negative value divided by -1 is itself.
constexpr u64 divide_signed(u64 a, u64 b, unsigned bits) {
  i64 x = i64(sign_extend(a, bits)), y = i64(sign_extend(b, bits));
  if (y == 0) return 0;
  if (y == -1) return u64{0} - u64(x);
  return u64(x / y);
}

// (high:low) >> lsb, at `bits`; lsb < bits. EXTR.
constexpr u64 extract_pair(u64 high, u64 low, unsigned lsb, unsigned bits) {
  return lsb ? (low >> lsb) | (high << (bits - lsb)) : low;
}

constexpr u64 reverse_bits(u64 v, unsigned bits) {
  u64 r = 0;
  for (unsigned i = 0; i < bits; i++) r |= (v >> i & 1) << (bits - 1 - i);
  return r;
}

// Reverses the bytes inside each `container`-bit part (16, 32 or 64). REV16, REV32, REV.
constexpr u64 reverse_bytes(u64 v, unsigned bits, unsigned container) {
  u64 r = 0;
  unsigned bytes = container / 8;
  for (unsigned i = 0; i < bits / 8; i++) {
    unsigned to = i / bytes * bytes + (bytes - 1 - i % bytes);
    r |= (v >> (i * 8) & 0xff) << (to * 8);
  }
  return r;
}

// CRC32B/H/W/X (Castagnoli: CRC32C*) over 2^log2_size bytes of `value`, bit-reflected as in the Arm
// pseudocode's Poly32Mod2.
constexpr u64 crc32_step(u32 crc, u64 value, unsigned log2_size, bool castagnoli) {
  u32 polynomial = castagnoli ? 0x82f63b78u : 0xedb88320u;
  for (unsigned i = 0; i < 1u << log2_size; i++) {
    crc ^= u32(value >> (i * 8)) & 0xff;
    for (unsigned k = 0; k < 8; k++) crc = (crc >> 1) ^ (crc & 1 ? polynomial : 0);
  }
  return crc;
}

}  // namespace sluice::tcg::ir
