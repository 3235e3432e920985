// cpu/translation/walk_cache.h: recently used translation tables by the addresses that they translate, so
// that most walks read one descriptor. Architecturally these are cached copies of table descriptors: a TLBI
// that is limited to the last level leaves them alone, any other drops those it names, and now and then a
// neighbour, which is always allowed.
#pragma once
#include <vector>

#include "base/bits.h"
#include "cpu/translation/descriptor.h"

namespace sluice::cpu {

class WalkCache {
 public:
  struct Key {
    u8 world = 0;
    u16 vmid = 0, asid = 0;
    constexpr bool operator==(const Key&) const = default;
  };
  struct Table {
    u64 address = 0;           // PA of the table
    const u8* host = nullptr;  // the same, where it is RAM
    TableLimits limits;
  };
  WalkCache() : slots_(kSlots) {}

  // The table that resolves the `shift` low bits of va.
  const Table* find(Key key, u64 va, unsigned shift) const {
    const Slot& s = slots_[index(key, va >> shift, shift)];
    return matches(s, key, va, shift) ? &s.table : nullptr;
  }
  void insert(Key key, u64 va, unsigned shift, const Table& table) {
    slots_[index(key, va >> shift, shift)] = {va >> shift, table, key, generation_, u8(shift)};
    any_ = true;
  }

  void clear() {
    if (!any_) return;
    any_ = false;
    if (++generation_ == 0) slots_.assign(kSlots, {}), generation_ = 1;
  }
  void remove_address(Key key, u64 va) {
    for (unsigned shift : kShifts)
      if (Slot& s = slots_[index(key, va >> shift, shift)]; matches(s, key, va, shift)) s.generation = 0;
  }
  void remove_asid(Key key) {
    remove_if([&](const Slot& s) { return s.key == key; });
  }
  void remove_range(Key key, bool any_asid, InclusiveRange range) {
    remove_if([&](const Slot& s) {
      Key k = s.key;
      if (any_asid) k.asid = key.asid;
      u64 first = s.number << s.shift;
      return k == key && range.overlaps({first, first + ones(s.shift)});
    });
  }
  void remove_all(u8 world, u16 vmid) {
    remove_if([&](const Slot& s) { return s.key.world == world && s.key.vmid == vmid; });
  }

 private:
  static constexpr unsigned kSlots = 512;
  static constexpr u8 kShifts[] = {21, 30, 39, 25, 36, 47, 29, 42};  // of all granules
  struct Slot {
    u64 number = 0;
    Table table;
    Key key;
    u32 generation = 0;
    u8 shift = 0;
  };
  static unsigned index(Key key, u64 number, unsigned shift) {
    u64 h = (number ^ u64{key.asid} << 24 ^ u64{key.vmid} << 40 ^ u64{key.world} << 56 ^ shift) *
            0x9e3779b97f4a7c15;
    return unsigned(h >> 55);
  }
  bool matches(const Slot& s, Key key, u64 va, unsigned shift) const {
    return s.number == va >> shift && s.shift == shift && s.key == key && s.generation == generation_;
  }
  template <class F>
  void remove_if(F&& condition) {
    if (!any_) return;
    for (Slot& s : slots_)
      if (s.generation == generation_ && condition(s)) s.generation = 0;
  }

  std::vector<Slot> slots_;
  u32 generation_ = 1;
  bool any_ = false;
};

}  // namespace sluice::cpu
