// tcg/fp/square_root.h: floor square roots of normalised integers, by Heron's iteration from an 8-bit seed:
// each step doubles the number of correct bits. Private to tcg/fp.
#pragma once
#include <array>

#include "base/types.h"

namespace sluice::fp::detail {

// The square root of (index + 64.5) * 256, rounded down: 8 bits, for the top byte of a normalised 64-bit
// number.
inline constexpr auto kSquareRootSeed = [] {
  std::array<u8, 192> seed{};
  unsigned root = 128;
  for (unsigned i = 0; i < seed.size(); i++) {
    while ((root + 1) * (root + 1) <= (i + 64) * 256 + 128) root++;
    seed[i] = u8(root);
  }
  return seed;
}();

// The square root of n >= 2^62, within one of the floor.
constexpr u64 square_root_estimate(u64 n) {
  const u64 root8 = kSquareRootSeed[(n >> 56) - 64];
  const u64 root16 = (root8 << 7) + (n >> 41) / root8;
  return (root16 << 15) + (n >> 17) / root16;
}

// floor(sqrt(n)) for n >= 2^62.
constexpr u64 square_root64(u64 n) {
  u64 root = square_root_estimate(n);
  while (u128{root} * root > n) root--;
  while (u128{root + 1} * (root + 1) <= n) root++;
  return root;
}

// floor(sqrt(n)) for n >= 2^126.
constexpr u64 square_root128(u128 n) {
  const u64 root32 = square_root_estimate(u64(n >> 64));
  const u128 estimate = (u128{root32} << 31) + (n >> 33) / root32;
  u64 root = estimate >> 64 ? ~u64{0} : u64(estimate);
  while (u128{root} * root > n) root--;
  while (root != ~u64{0} && u128{root + 1} * (root + 1) <= n) root++;
  return root;
}

}  // namespace sluice::fp::detail
