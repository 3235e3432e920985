// The check values of CRC-32 (ISO 3309) and CRC-32C (RFC 3720): of the digits 1 to 9, in pieces of all sizes.
#include <gtest/gtest.h>

#include "tcg/ir/integer_meaning.h"

namespace sluice::tcg::ir {
namespace {

constexpr u64 kDigits = 0x3837363534333231;  // "12345678"

u32 checksum(bool castagnoli, std::initializer_list<unsigned> log2_sizes) {
  u32 crc = ~u32{0};
  unsigned done = 0;
  for (unsigned size : log2_sizes) {
    crc = u32(crc32_step(crc, kDigits >> (8 * done), size, castagnoli));
    done += 1u << size;
  }
  return ~u32(crc32_step(crc, '9', 0, castagnoli));
}

TEST(Crc, OfTheDigits) {
  for (auto sizes :
       {std::initializer_list<unsigned>{3}, {2, 2}, {1, 1, 2}, {0, 0, 1, 2}, {0, 0, 0, 0, 0, 0, 0, 0}}) {
    EXPECT_EQ(checksum(false, sizes), 0xcbf43926u);
    EXPECT_EQ(checksum(true, sizes), 0xe3069283u);
  }
}

}  // namespace
}  // namespace sluice::tcg::ir
