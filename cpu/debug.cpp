// Arm DDI 0487, chapter D2 "AArch64 Self-hosted Debug".
#include "cpu/debug.h"

#include "base/bits.h"
#include "cpu/pstate.h"

namespace sluice::cpu::debug {
namespace {

// DBGBCR<n>_EL1 and DBGWCR<n>_EL1.
constexpr u64 kEnable = 1;
unsigned pmc(u64 bcr) { return unsigned(extract(bcr, 1, 2)); }  // also PAC of a watchpoint
bool hmc(u64 bcr) { return bit(bcr, 13); }
unsigned ssc(u64 bcr) { return unsigned(extract(bcr, 14, 2)); }
unsigned lbn(u64 bcr) { return unsigned(extract(bcr, 16, 4)); }

enum BreakpointType : u8 {
  kAddress = 0b0000,
  kLinkedAddress = 0b0001,
  kContextId = 0b0010,
  kLinkedContextId = 0b0011,
  kMismatch = 0b0100,  // AArch32 only
};
unsigned type_of(u64 bcr) { return unsigned(extract(bcr, 20, 4)); }

// CONTEXTIDR_EL1 against a context-aware breakpoint: 32 bits.
bool context_matches(const PeState& s, unsigned n) {
  return u32(s.sysregs[Slot::CONTEXTIDR_EL1]) == u32(s.sysregs.at(Slot::DBGBVR0, n));
}

// The EL and Security state condition of AArch64.StateMatch() without EL2; EL3 takes no debug exceptions.
bool level_matches(const PeState& s, u64 control, unsigned el) {
  if (el == 3) return false;
  if (s.secure ? ssc(control) == 0b01 : ssc(control) == 0b10) return false;  // the other state only
  if (ssc(control) == 0b11 && !hmc(control) && !s.secure)
    return el == 0 && pmc(control) == 0b10;  // reserved combinations match nothing
  if (el == 0) return pmc(control) & 0b10;
  return pmc(control) & 0b01;
}

// The link of a linked address breakpoint or a linked watchpoint.
bool link_matches(const PeState& s, const CpuModel& model, u64 control) {
  unsigned n = lbn(control);
  unsigned first_aware = model.breakpoints - model.context_breakpoints;
  // DEVIATION: a link to a breakpoint that is not context aware is CONSTRAINED UNPREDICTABLE; here it never
  // matches.
  if (n >= model.breakpoints || n < first_aware) return false;
  u64 linked = s.sysregs.at(Slot::DBGBCR0, n);
  return (linked & kEnable) && type_of(linked) == kLinkedContextId && context_matches(s, n);
}

bool address_breakpoint_matches(const PeState& s, unsigned n, u64 pc) {
  u64 bcr = s.sysregs.at(Slot::DBGBCR0, n);
  // BAS of an A64 breakpoint is 0b1111; other values name halfwords of AArch32 code. The word counts when any
  // is set.
  if (extract(bcr, 5, 4) == 0) return false;
  constexpr u64 kAddressBits = ones(53) & ~u64{3};  // VA<52:2>, sign-extended by the register's RESS bits
  return ((s.sysregs.at(Slot::DBGBVR0, n) ^ pc) & kAddressBits) == 0;
}

bool one_breakpoint_matches(const PeState& s, const CpuModel& model, unsigned n, u64 pc) {
  u64 bcr = s.sysregs.at(Slot::DBGBCR0, n);
  if (!(bcr & kEnable) || !level_matches(s, bcr, s.el)) return false;
  bool context_aware = n >= unsigned(model.breakpoints - model.context_breakpoints);
  switch (type_of(bcr)) {
    case kAddress: return address_breakpoint_matches(s, n, pc);
    case kLinkedAddress: return address_breakpoint_matches(s, n, pc) && link_matches(s, model, bcr);
    case kContextId: return context_aware && context_matches(s, n);
    default: return false;  // linked ones act through the breakpoint that links to them
  }
}

// The bytes that watchpoint n covers: [first, last], from MASK or from BAS.
struct Covered {
  u64 first = 1, last = 0;
  bool any() const { return first <= last; }
};
Covered covered_by(const PeState& s, unsigned n, u64 va, u64 end) {
  u64 wcr = s.sysregs.at(Slot::DBGWCR0, n), base = s.sysregs.at(Slot::DBGWVR0, n);
  unsigned mask = unsigned(extract(wcr, 24, 5)), bas = unsigned(extract(wcr, 5, 8));
  if (mask >= 3) {
    // DEVIATION: with MASK, a BAS that is not 0xff is CONSTRAINED UNPREDICTABLE; here BAS is ignored.
    return {align_down(base, u64{1} << mask), base | ones(mask)};
  }
  // Eight bytes from a doubleword (DBGWVR<2> = 0), or BAS<3:0> from a word. The lowest selected byte in the
  // access.
  u64 start = align_down(base, 4);
  if (bit(base, 2)) bas &= 15;
  Covered c;
  for (unsigned i = 0; i < 8; i++) {
    if (!(bas >> i & 1)) continue;
    u64 byte = start + i;
    if (byte < va || byte > end) continue;
    if (!c.any()) c = {byte, byte};
    c.last = byte;
  }
  return c;
}

bool armed(const PeState& s) { return (s.sysregs[Slot::MDSCR_EL1] & kMdscrMde) && exceptions_enabled(s); }

}  // namespace

bool exceptions_enabled_from(const PeState& s, unsigned el, bool secure, bool masked) {
  constexpr u64 kOslk = 2;
  if ((s.sysregs[Slot::OSLSR_EL1] & kOslk) || el == 3) return false;
  if (secure && (s.sysregs[Slot::MDCR_EL3] & mdcr3::kSdd)) return false;
  return el == 0 || ((s.sysregs[Slot::MDSCR_EL1] & kMdscrKde) && !masked);
}

bool exceptions_enabled(const PeState& s) {
  return exceptions_enabled_from(s, s.el, s.secure, s.daif & kDaifD);
}

bool step_active(const PeState& s) {
  return (s.sysregs[Slot::MDSCR_EL1] & kMdscrSs) && exceptions_enabled(s);
}

bool breakpoints_armed(const PeState& s, const CpuModel& model) {
  if (!armed(s)) return false;
  for (unsigned n = 0; n < model.breakpoints; n++)
    if (s.sysregs.at(Slot::DBGBCR0, n) & kEnable) return true;
  return false;
}

bool watchpoints_armed(const PeState& s, const CpuModel& model) {
  if (!armed(s)) return false;
  for (unsigned n = 0; n < model.watchpoints; n++)
    if (s.sysregs.at(Slot::DBGWCR0, n) & kEnable) return true;
  return false;
}

bool breakpoint_matches(const PeState& s, const CpuModel& model, u64 pc) {
  if (!armed(s)) return false;
  for (unsigned n = 0; n < model.breakpoints; n++)
    if (one_breakpoint_matches(s, model, n, pc)) return true;
  return false;
}

bool watchpoint_matches(const PeState& s, const CpuModel& model, u64 va, unsigned size, Access access,
                        bool as_el0, u64& address) {
  if (!armed(s)) return false;
  u64 end = va + size - 1;
  for (unsigned n = 0; n < model.watchpoints; n++) {
    u64 wcr = s.sysregs.at(Slot::DBGWCR0, n);
    if (!(wcr & kEnable) || !level_matches(s, wcr, as_el0 ? 0 : s.el)) continue;
    if (!(extract(wcr, 3, 2) & u64(u8(access)))) continue;  // LSC: bit 0 loads, bit 1 stores
    if (bit(wcr, 20) && !link_matches(s, model, wcr)) continue;
    Covered c = covered_by(s, n, va, end);
    if (!c.any() || c.first > end || c.last < va) continue;
    address = c.first > va ? c.first : va;
    return true;
  }
  return false;
}

bool watchpoint_in_page(const PeState& s, const CpuModel& model, u64 va) {
  u64 first = align_down(va, 4096), last = first + 4095;
  for (unsigned n = 0; n < model.watchpoints; n++) {
    if (!(s.sysregs.at(Slot::DBGWCR0, n) & kEnable)) continue;
    Covered c = covered_by(s, n, first, last);
    if (c.any() && c.first <= last && c.last >= first) return true;
  }
  return false;
}

}  // namespace sluice::cpu::debug
