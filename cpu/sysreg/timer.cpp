// Generic Timer registers: Arm DDI 0487, chapter D11.
#include "cpu/sysreg/rows.h"

namespace sluice::cpu::sysreg {
namespace {

GenericTimer& virt(Pe& pe) { return pe.virtual_timer(); }
GenericTimer& phys(Pe& pe) { return pe.physical_timer(); }
GenericTimer& secure(Pe& pe) { return pe.secure_timer(); }

using Which = GenericTimer& (*)(Pe&);

template <Which T>
u64 read_counter(Pe& pe, const Row&) {
  pe.catch_up_virtual_time();
  return T(pe).counter();
}
template <Which T, u64 (GenericTimer::*Get)()>
u64 read_timer(Pe& pe, const Row&) {
  pe.catch_up_virtual_time();
  return (T(pe).*Get)();
}
template <Which T, void (GenericTimer::*Set)(u64)>
void write_timer(Pe& pe, const Row&, u64 value) {
  pe.catch_up_virtual_time();
  (T(pe).*Set)(value);
  pe.cut_slice();
}

// Software (firmware) tells the frequency; the hardware's counter does not change with it. Only the highest
// implemented EL may write it.
void write_frequency(Pe& pe, const Row& row, u64 value) {
  if (pe.has_el3() && pe.state().el < 3)
    take_undefined(pe.state());
  else
    store(pe, row, value);
}

constexpr u64 kKernelControl =
    0x3 | 0x1fc | 0x3 << 8;  // EL0PCTEN EL0VCTEN, EVNTEN EVNTDIR EVNTI, EL0VTEN EL0PTEN

constexpr Row timer_row(std::string_view name, SysregId id, Read read, Write write, Trap trap) {
  return with(hook(name, id, kEl0RW, read, write), trap);
}

constexpr Row secure_row(std::string_view name, unsigned op2, Read read, Write write) {
  return with(with(hook(name, {3, 7, 14, 2, op2}, kEl1RW, read, write), Trap::SecureTimer), Feature::EL3);
}

constexpr Row kRows[] = {
    with(stored_then("CNTFRQ_EL0", {3, 3, 14, 0, 0}, kEl0ROEl1RW, Slot::CNTFRQ_EL0, ones(32), kTimerFrequency,
                     write_frequency),
         Trap::CntFrq),
    with(hook("CNTPCT_EL0", {3, 3, 14, 0, 1}, kEl0RO, read_counter<phys>, nullptr), Trap::CntPct),
    with(hook("CNTVCT_EL0", {3, 3, 14, 0, 2}, kEl0RO, read_counter<virt>, nullptr), Trap::CntVct),
    stored("CNTKCTL_EL1", {3, 0, 14, 1, 0}, kEl1RW, Slot::CNTKCTL_EL1, kKernelControl),
    timer_row("CNTP_TVAL_EL0", {3, 3, 14, 2, 0}, read_timer<phys, &GenericTimer::tval>,
              write_timer<phys, &GenericTimer::write_tval>, Trap::CntPTimer),
    timer_row("CNTP_CTL_EL0", {3, 3, 14, 2, 1}, read_timer<phys, &GenericTimer::ctl>,
              write_timer<phys, &GenericTimer::write_ctl>, Trap::CntPTimer),
    timer_row("CNTP_CVAL_EL0", {3, 3, 14, 2, 2}, read_timer<phys, &GenericTimer::cval>,
              write_timer<phys, &GenericTimer::write_cval>, Trap::CntPTimer),
    timer_row("CNTV_TVAL_EL0", {3, 3, 14, 3, 0}, read_timer<virt, &GenericTimer::tval>,
              write_timer<virt, &GenericTimer::write_tval>, Trap::CntVTimer),
    timer_row("CNTV_CTL_EL0", {3, 3, 14, 3, 1}, read_timer<virt, &GenericTimer::ctl>,
              write_timer<virt, &GenericTimer::write_ctl>, Trap::CntVTimer),
    timer_row("CNTV_CVAL_EL0", {3, 3, 14, 3, 2}, read_timer<virt, &GenericTimer::cval>,
              write_timer<virt, &GenericTimer::write_cval>, Trap::CntVTimer),
    secure_row("CNTPS_TVAL_EL1", 0, read_timer<secure, &GenericTimer::tval>,
               write_timer<secure, &GenericTimer::write_tval>),
    secure_row("CNTPS_CTL_EL1", 1, read_timer<secure, &GenericTimer::ctl>,
               write_timer<secure, &GenericTimer::write_ctl>),
    secure_row("CNTPS_CVAL_EL1", 2, read_timer<secure, &GenericTimer::cval>,
               write_timer<secure, &GenericTimer::write_cval>),
};

}  // namespace

std::span<const Row> timer_rows() { return kRows; }

}  // namespace sluice::cpu::sysreg
