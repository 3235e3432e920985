// cpu/a64/system_helpers.h: what the system instructions do beyond exceptions and registers, as C++ under
// translated code.
#pragma once
#include "tcg/helper.h"

namespace sluice::cpu::a64 {

enum class PstateField : u8 { UAO, PAN, SPSel, SSBS, DIT };

u64 helper_wait_for_interrupt(tcg::ExecState&, u64, u64, u64) noexcept;
u64 helper_wait_for_event(tcg::ExecState&, u64, u64, u64) noexcept;
u64 helper_send_event(tcg::ExecState&, u64, u64, u64) noexcept;
u64 helper_send_event_local(tcg::ExecState&, u64, u64, u64) noexcept;
u64 helper_data_synchronization_barrier(tcg::ExecState&, u64, u64, u64) noexcept;
u64 helper_msr_immediate(tcg::ExecState&, u64 field, u64 value, u64) noexcept;
u64 helper_daif_set(tcg::ExecState&, u64 bits, u64, u64) noexcept;
u64 helper_daif_clear(tcg::ExecState&, u64 bits, u64, u64) noexcept;

inline constexpr tcg::Helper kWaitForInterrupt = tcg::make_helper("wfi", helper_wait_for_interrupt);
inline constexpr tcg::Helper kWaitForEvent = tcg::make_helper("wfe", helper_wait_for_event);
inline constexpr tcg::Helper kSendEvent = tcg::make_helper("sev", helper_send_event, false, false);
inline constexpr tcg::Helper kSendEventLocal =
    tcg::make_helper("sevl", helper_send_event_local, false, false);
inline constexpr tcg::Helper kDataSynchronizationBarrier =
    tcg::make_helper("dsb", helper_data_synchronization_barrier);
inline constexpr tcg::Helper kMsrImmediate = tcg::make_helper("msr_immediate", helper_msr_immediate);
inline constexpr tcg::Helper kDaifSet = tcg::make_helper("daif_set", helper_daif_set);
inline constexpr tcg::Helper kDaifClear = tcg::make_helper("daif_clear", helper_daif_clear);

}  // namespace sluice::cpu::a64
