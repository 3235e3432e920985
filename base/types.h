// base/types.h: the vocabulary. Ranges are half open, sizes are in bytes, page counts say `pages`.
#pragma once
#include <compare>
#include <cstddef>
#include <cstdint>

namespace sluice {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;
using u128 = unsigned __int128;
using i128 = __int128;

// An address in one particular space. Two spaces never compare, add or convert implicitly.
template <class Space>
struct Address {
  u64 value = 0;
  constexpr auto operator<=>(const Address&) const = default;
  constexpr Address operator+(u64 n) const { return {value + n}; }
  constexpr u64 operator-(Address o) const { return value - o.value; }
};
using GuestVirtAddr = Address<struct GuestVirtSpace>;  // a VA, before stage 1
using GuestPhysAddr = Address<struct GuestPhysSpace>;  // a PA, as an AddressSpace receives it
using Iova = Address<struct IovaSpace>;                // the input address of an IOMMU

// `size` bytes from `first`. A range may end at 2^64 (first + size == 0) but size 0 means empty; the whole
// 64-bit space does not fit and is spelled with InclusiveRange.
template <class A>
struct Range {
  A first{};
  u64 size = 0;
  constexpr bool contains(A a) const { return a.value - first.value < size; }
  constexpr bool operator==(const Range&) const = default;
};

// [first, last], both inside: the only form that can name all 2^64 bytes.
struct InclusiveRange {
  u64 first = 0;
  u64 last = ~u64{0};
  constexpr bool contains(u64 a) const { return first <= a && a <= last; }
  constexpr bool overlaps(InclusiveRange o) const { return first <= o.last && o.first <= last; }
  constexpr bool operator==(const InclusiveRange&) const = default;
};

}  // namespace sluice
