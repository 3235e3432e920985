// tcg/ir/integer_meaning.h: the functions that the meanings of the integer rows of tcg/ir/ops.h call.
#pragma once
#include <array>
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

// [n][byte]: the remainder of a byte that n zero bytes follow, bit-reflected.
using CrcTables = std::array<std::array<u32, 256>, 8>;
constexpr CrcTables make_crc_tables(u32 polynomial) {
  CrcTables tables{};
  for (u32 byte = 0; byte < 256; byte++) {
    u32 crc = byte;
    for (unsigned n = 0; n < 8; n++) {
      for (unsigned k = 0; k < 8; k++) crc = (crc >> 1) ^ (crc & 1 ? polynomial : 0);
      tables[n][byte] = crc;
    }
  }
  return tables;
}
inline constexpr CrcTables kCrc32Tables = make_crc_tables(0xedb88320),
                           kCrc32cTables = make_crc_tables(0x82f63b78);

// CRC32B/H/W/X (Castagnoli: CRC32C*) over 2^log2_size bytes of `value`, bit-reflected as in the Arm
// pseudocode's Poly32Mod2.
constexpr u64 crc32_step(u32 crc, u64 value, unsigned log2_size, bool castagnoli) {
  const CrcTables& tables = castagnoli ? kCrc32cTables : kCrc32Tables;
  const unsigned bytes = 1u << log2_size;
  const u64 sum = value ^ crc;
  u32 r = bytes < 4 ? crc >> (8 * bytes) : 0;
  for (unsigned i = 0; i < bytes; i++) r ^= tables[bytes - 1 - i][sum >> (8 * i) & 0xff];
  return r;
}

}  // namespace sluice::tcg::ir
