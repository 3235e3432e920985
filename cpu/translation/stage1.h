// cpu/translation/stage1.h: the stage 1 translation table walk (Arm DDI 0487, AArch64.S1Walk,
// AArch64.S1Translate).
#pragma once
#include <vector>

#include "cpu/translation/fault.h"
#include "cpu/translation/ram_window.h"
#include "cpu/translation/regime.h"
#include "cpu/translation/walk_cache.h"

namespace sluice::cpu {

// What a translation is for.
struct Purpose {
  Access access = Access::Read;
  Privilege privilege = Privilege::El1;
  bool unaligned = false;   // faults on Device memory
  bool marks_dirty = true;  // not for AT
  Intent intent = Intent::Access;
};

// A leaf: what the walk found, in its true size.
struct Mapping {
  InclusiveRange input;
  u64 output = 0;  // of input.first
  Leaf leaf{};
  u8 level = 0;
  u64 descriptor = 0;  // raw, for the log
  u64 at(u64 va) const { return output + (va - input.first); }
};

// Checks that need the leaf, in the order of the architecture: alignment, then permission. The level is the
// leaf's.
bool check_leaf(const RegimeControls& controls, const Leaf& leaf, u8 level, const Purpose& purpose,
                Fault& fault);

class Stage1Walker {
 public:
  Stage1Walker(PhysicalMemory& memory, u16 pe_number) : memory_(memory), number_(pe_number) {}

  // Translates `va` (canonical: without tag) while stage 1 is on. Updates the Access flag and the dirty state
  // where TCR says so and the purpose is not a debugger's. `guard`: begun before; without one, nothing is
  // kept in the walk cache.
  bool walk(const RegimeControls& controls, u64 va, const Purpose& purpose, FillGuard* guard, Mapping& out,
            Fault& fault);
  // While stage 1 is off: VA = PA (AArch64.S1DisabledOutput).
  static bool flat(const RegimeControls& controls, u64 va, Mapping& out, Fault& fault);

  // Every descriptor that is read from now on is appended; nullptr ends it. For people.
  struct DescriptorRead {
    u8 level;
    u64 address, value;
  };
  void trace(std::vector<DescriptorRead>* reads) { trace_ = reads; }

  WalkCache& cache() { return cache_; }
  u64 walks() const { return walks_; }
  u64 descriptors_read() const { return reads_; }

 private:
  struct Cursor;
  enum class Step : u8 { Done, Failed, Again };
  Step attempt(const RegimeControls& controls, u64 va, const Purpose& purpose, FillGuard* guard, Mapping& out,
               Fault& fault);
  bool begin(const RegimeControls& controls, u64 va, Cursor& cursor, Fault& fault) const;
  bool descend(const RegimeControls& controls, u64 va, Intent intent, FillGuard* guard, Cursor& cursor,
               Fault& fault);
  void find_table(const RegimeControls& controls, u64 va, FillGuard& guard, Cursor& cursor);
  bool read(const RegimeControls& controls, u64 va, Intent intent, Cursor& cursor, Fault& fault);
  Step update(const RegimeControls& controls, const Cursor& cursor, u64 wanted, Fault& fault);
  MemTxAttrs attrs(bool ns) const { return MemTxAttrs::walk(number_, PhysicalMemory::name(ns)); }

  PhysicalMemory& memory_;
  const u16 number_;
  WalkCache cache_;
  u64 walks_ = 0, reads_ = 0;
  std::vector<DescriptorRead>* trace_ = nullptr;
};

}  // namespace sluice::cpu
