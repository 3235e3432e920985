#include "cpu/a64/system_helpers.h"

#include <sched.h>

#include "cpu/debug.h"
#include "cpu/pe_group.h"
#include "cpu/pstate.h"
#include "cpu/sysreg/table.h"

namespace sluice::cpu::a64 {
namespace {

// WFI and WFE may be trapped: at EL0 by SCTLR_EL1.nTWI, nTWE, below EL3 by SCR_EL3.TWI, TWE. True when it has
// been.
bool trapped(PeState& s, bool is_wfe) {
  constexpr unsigned kNtwi = 16, kNtwe = 18;
  bool to_el1 = s.el == 0 && !bit(s.sysregs[Slot::SCTLR_EL1], is_wfe ? kNtwe : kNtwi);
  bool to_el3 = s.el < 3 && (s.sysregs[Slot::SCR_EL3] & (is_wfe ? scr::kTwe : scr::kTwi));
  if (!to_el1 && !to_el3) return false;
  u8 target = to_el1 ? 0 : 3;
  constexpr u32 kAlways = 1u << 24 | 0xeu << 20;  // CV, COND
  take_exception(s, {.ec = Ec::WFx, .iss = kAlways | u32(is_wfe), .return_address = s.pc, .target = target});
  return true;
}

// MSR DAIFSet, DAIFClr at EL0 need SCTLR_EL1.UMA.
bool daif_trapped(PeState& s, u64 bits, unsigned op2) {
  constexpr unsigned kUma = 9;
  if (s.el != 0 || bit(s.sysregs[Slot::SCTLR_EL1], kUma)) return false;
  u32 iss = sysreg_iss(SysregId(0, 3, 4, unsigned(bits), op2).value, 31, false);
  take_exception(s, {.ec = Ec::Sysreg, .iss = iss, .return_address = s.pc});
  return true;
}

void daif_changed(PeState& s, u8 before) {
  constexpr u64 kDebugInUse = debug::kMdscrSs | debug::kMdscrMde;
  if (((before ^ s.daif) & kDaifD) && (s.sysregs[Slot::MDSCR_EL1] & kDebugInUse)) {
    pe_of(s).pstate_changed();
    s.pc += 4;
  } else if ((before & ~s.daif & (kDaifA | kDaifI | kDaifF)) && pe_of(s).interrupt_pending()) {
    s.leave |= tcg::Leave::kToRunLoop;
    s.pc += 4;
  }
}

}  // namespace

u64 helper_wait_for_interrupt(tcg::ExecState& state, u64, u64, u64) noexcept {
  PeState& s = pe_state(state);
  Pe& pe = pe_of(s);
  if (pe.interrupt_pending() || trapped(s, false)) return 0;
  s.pc += 4;
  pe.defer(Pe::Deferred::WaitForInterrupt);
  return 0;
}

u64 helper_wait_for_event(tcg::ExecState& state, u64, u64, u64) noexcept {
  PeState& s = pe_state(state);
  Pe& pe = pe_of(s);
  if (pe.take_event() || trapped(s, true)) return 0;
  // After a load-exclusive the store of another PE must end the wait, and nothing here sees that store: give
  // the core to whoever makes it, and let the guest look again.
  if (s.exclusive_size && !(pe.group() && pe.group()->icount())) {
    sched_yield();
    return 0;
  }
  s.pc += 4;
  pe.cut_slice();
  pe.defer(Pe::Deferred::WaitForEvent);
  return 0;
}

u64 helper_send_event(tcg::ExecState& state, u64, u64, u64) noexcept {
  Pe& pe = pe_of(state);
  if (pe.group())
    pe.group()->send_event_to_all();
  else
    pe.set_event_register();
  return 0;
}

u64 helper_send_event_local(tcg::ExecState& state, u64, u64, u64) noexcept {
  pe_of(state).set_event_register();
  return 0;
}

u64 helper_data_synchronization_barrier(tcg::ExecState& state, u64, u64, u64) noexcept {
  pe_of(state).data_synchronization_barrier();
  if (state.leave) state.pc += 4;  // waiting drained this PE's own mail
  return 0;
}

u64 helper_msr_immediate(tcg::ExecState& state, u64 field, u64 value, u64) noexcept {
  PeState& s = pe_state(state);
  u8 v = u8(value);
  switch (PstateField(field)) {
    case PstateField::UAO: s.uao = v; break;
    case PstateField::PAN: s.pan = v; break;
    case PstateField::SPSel: select_sp(s, s.el, v); break;
    case PstateField::SSBS: s.ssbs = v; return 0;
    case PstateField::DIT: s.dit = v; return 0;
  }
  pe_of(s).pstate_changed();
  s.pc += 4;
  return 0;
}

u64 helper_daif_set(tcg::ExecState& state, u64 bits, u64, u64) noexcept {
  PeState& s = pe_state(state);
  if (daif_trapped(s, bits, 6)) return 0;
  u8 before = s.daif;
  s.daif |= u8(bits);
  daif_changed(s, before);
  return 0;
}

u64 helper_daif_clear(tcg::ExecState& state, u64 bits, u64, u64) noexcept {
  PeState& s = pe_state(state);
  if (daif_trapped(s, bits, 7)) return 0;
  u8 before = s.daif;
  s.daif &= u8(~bits);
  daif_changed(s, before);
  return 0;
}

}  // namespace sluice::cpu::a64
