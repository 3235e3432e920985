// cpu/debug.h: self-hosted debug (Arm DDI 0487, chapter D2): which debug exceptions are enabled now, and
// whether a hardware breakpoint or watchpoint matches.
#pragma once
#include "cpu/models.h"
#include "cpu/state.h"
#include "memory/attrs.h"

namespace sluice::cpu::debug {

inline constexpr u64 kMdscrSs = 1 << 0, kMdscrTdcc = 1 << 12, kMdscrKde = 1 << 13, kMdscrMde = 1 << 15;

// AArch64.GenerateDebugExceptions() at the current EL.
bool exceptions_enabled(const PeState& state);
// AArch64.GenerateDebugExceptionsFrom(): at `el`, with PSTATE.D = `masked`.
bool exceptions_enabled_from(const PeState& state, unsigned el, bool secure, bool masked);
bool step_active(const PeState& state);  // software step is active at the current EL
bool breakpoints_armed(const PeState& state,
                       const CpuModel& model);  // some breakpoint is enabled and may match now
bool watchpoints_armed(const PeState& state, const CpuModel& model);
// AArch64.StateMatch and friends.
bool breakpoint_matches(const PeState& state, const CpuModel& model, u64 pc);
// The address to report, when some watchpoint covers a byte of the access.
bool watchpoint_matches(const PeState& state, const CpuModel& model, u64 va, unsigned size, Access access,
                        bool as_el0, u64& address);
// Cheap: nearly always false.
inline bool any_watchpoint_enabled(const PeState& state) {
  return state.sysregs[Slot::MDSCR_EL1] & kMdscrMde;
}
// Whether the 4 KiB page of `va` has an enabled watchpoint (then it must not be cached in the soft TLB).
bool watchpoint_in_page(const PeState& state, const CpuModel& model, u64 va);

}  // namespace sluice::cpu::debug
