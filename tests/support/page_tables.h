// tests/support/page_tables.h: builds VMSAv8-64 translation tables in guest RAM, for tests.
#pragma once
#include "base/bits.h"
#include "memory/guest_ram.h"

namespace sluice::test {

// Attribute bits of a leaf descriptor.
namespace pte {
inline constexpr u64 kPage = 3, kBlock = 1, kTable = 3;
inline constexpr u64 kEl0 = u64{1} << 6, kReadOnly = u64{1} << 7, kInner = u64{3} << 8, kAf = u64{1} << 10,
                     kNotGlobal = u64{1} << 11, kGuarded = u64{1} << 50, kDbm = u64{1} << 51,
                     kContiguous = u64{1} << 52, kPxn = u64{1} << 53, kUxn = u64{1} << 54;
constexpr u64 attr(unsigned index) { return u64{index} << 2; }
inline constexpr u64 kNormal = kAf | kInner;  // attribute 0
}  // namespace pte

class PageTables {
 public:
  // Tables are taken from [ram_base + first_free, ...) on, as PAs. `input_bits` = 64 - TxSZ.
  PageTables(GuestRam& ram, u64 ram_base, u64 first_free, unsigned granule_bits = 12,
             unsigned input_bits = 48);

  u64 root() const { return root_; }  // for TTBR
  unsigned start_level() const { return start_; }
  unsigned shift(unsigned level) const { return granule_ + (3 - level) * (granule_ - 3); }
  // The descriptor of `va` at `level`; tables above it are made as needed. `table_bits` are or-ed into the
  // new ones.
  u64& entry(u64 va, unsigned level, u64 table_bits = 0);
  // A leaf at `level`.
  void map(u64 va, u64 pa, u64 attributes, unsigned level = 3) {
    entry(va, level) = pa | attributes | (level == 3 ? pte::kPage : pte::kBlock);
  }
  void map_range(u64 va, u64 pa, u64 size, u64 attributes, unsigned level = 3) {
    for (u64 done = 0; done < size; done += u64{1} << shift(level))
      map(va + done, pa + done, attributes, level);
  }
  u64& at(u64 pa) { return *reinterpret_cast<u64*>(ram_.host() + (pa - base_)); }
  u64 take_table();
  u64 next_free() const { return next_; }

 private:
  GuestRam& ram_;
  const u64 base_;
  u64 next_;
  const unsigned granule_, input_bits_;
  unsigned start_ = 0;
  u64 root_ = 0;
};

}  // namespace sluice::test
