#include "tests/support/page_tables.h"

#include <cstring>

namespace sluice::test {

PageTables::PageTables(GuestRam& ram, u64 ram_base, u64 first_free, unsigned granule_bits,
                       unsigned input_bits)
    : ram_(ram),
      base_(ram_base),
      next_(align_up(ram_base + first_free, u64{1} << granule_bits)),
      granule_(granule_bits),
      input_bits_(input_bits) {
  while (start_ < 3 && shift(start_) >= input_bits_) start_++;
  root_ = take_table();
}

u64 PageTables::take_table() {
  u64 table = next_;
  next_ += u64{1} << granule_;
  std::memset(ram_.host() + (table - base_), 0, size_t{1} << granule_);
  return table;
}

u64& PageTables::entry(u64 va, unsigned level, u64 table_bits) {
  u64 table = root_;
  for (unsigned at_level = start_;; at_level++) {
    unsigned bits = at_level == start_ ? input_bits_ - shift(at_level) : granule_ - 3;
    u64& descriptor = at(table + extract(va, shift(at_level), bits) * 8);
    if (at_level == level) return descriptor;
    if ((descriptor & 3) != pte::kTable) descriptor = take_table() | table_bits | pte::kTable;
    table = descriptor & ones(48) & ~ones(granule_);
  }
}

}  // namespace sluice::test
