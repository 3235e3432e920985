// cpu/context_memo.h: the translation contexts that a PE was in lately, as translated code sees them, so that
// an exception, its return or another ASID need not work them out again. What else they depend on (SCTLR,
// TCR, MAIR, CPACR, debug registers and so on) ends the memo when it changes.
#pragma once
#include <array>

#include "base/bits.h"
#include "cpu/pstate.h"
#include "cpu/state.h"

namespace sluice::cpu {

// What may change without ending the memo: parts of PSTATE, FPCR and the ASID.
struct ContextName {
  u32 word = 0;
  bool operator==(const ContextName&) const = default;

  static ContextName of(const PeState& s, u16 asid, bool debug_in_use) {
    u32 pstate = u32(s.el) | u32(s.secure) << 2 | u32(s.sp_sel) << 3 | u32(s.pan) << 4 | u32(s.uao) << 5 |
                 u32(s.il) << 6 | u32(debug_in_use && (s.daif & kDaifD)) << 7;
    return {pstate | (s.fpcr >> 19 & 0xff) << 8 | u32{asid} << 16};  // FPCR.FZ16 to AHP
  }
};

class ContextMemo {
 public:
  struct Entry {
    bool known = false;
    bool watchpoints_armed = false;
    ContextName name;
    u64 mode = 0;
    tcg::SoftTlbSet *bank = nullptr, *unprivileged_bank = nullptr;
    tcg::JumpCacheEntry* jump_cache = nullptr;
  };
  const Entry* find(ContextName name) const {
    const Entry& e = entries_[slot(name)];
    return e.known && e.name == name ? &e : nullptr;
  }
  void add(const Entry& entry) { entries_[slot(entry.name)] = entry; }
  void clear() { entries_.fill({}); }

 private:
  static constexpr unsigned kBits = 6;
  static unsigned slot(ContextName name) { return name.word * 0x9e3779b1u >> (32 - kBits); }
  std::array<Entry, 1u << kBits> entries_{};
};

}  // namespace sluice::cpu
