// cpu/sysreg/table.h: every system register and system instruction of the PE as one row (Arm DDI 0487,
// chapters D19 and C5). Look-up, reset, access checks, `info registers -a`, inline access by translated code
// and the docs come from the rows; files of this folder hold them by topic.
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "base/sysreg_port.h"
#include "cpu/features.h"
#include "cpu/state.h"
#include "tcg/helper.h"

namespace sluice::cpu {

class Pe;
struct CpuModel;

namespace sysreg {

enum class Right : u8 { None = 0, Read = 1, Write = 2, Both = 3 };

// Who may access, without traps: one column for each Exception level. An access without the right is
// UNDEFINED.
struct Rights {
  Right el[4];
  constexpr bool read(unsigned l) const { return u8(el[l]) & 1; }
  constexpr bool write(unsigned l) const { return u8(el[l]) & 2; }
};
inline constexpr Right kN = Right::None, kR = Right::Read, kW = Right::Write, kRW = Right::Both;
inline constexpr Rights kEl0RW{{kRW, kRW, kRW, kRW}}, kEl0RO{{kR, kR, kR, kR}}, kEl0WO{{kW, kW, kW, kW}},
    kEl0ROEl1RW{{kR, kRW, kRW, kRW}}, kEl1RW{{kN, kRW, kRW, kRW}}, kEl1RO{{kN, kR, kR, kR}},
    kEl1WO{{kN, kW, kW, kW}}, kEl2RW{{kN, kN, kRW, kRW}}, kEl2WO{{kN, kN, kW, kW}}, kEl3RW{{kN, kN, kN, kRW}},
    kEl3RO{{kN, kN, kN, kR}}, kEl3WO{{kN, kN, kN, kW}};

// What may trap (to EL1 with EC 0x18) an access that the rights allow. All concern EL0 only, unless noted.
// What EL3 traps is in cpu/sysreg/el3_traps.h.
enum class Trap : u8 {
  Never,
  Fp,           // CPACR_EL1.FPEN, any EL: EC 0x07
  Uct,          // SCTLR_EL1.UCT: CTR_EL0
  Dze,          // SCTLR_EL1.DZE: DC ZVA
  Uci,          // SCTLR_EL1.UCI: DC C*, IC IVAU
  Uma,          // SCTLR_EL1.UMA: DAIF
  CntPct,       // CNTKCTL_EL1.EL0PCTEN
  CntVct,       // CNTKCTL_EL1.EL0VCTEN
  CntFrq,       // CNTKCTL_EL1.EL0PCTEN or EL0VCTEN
  CntPTimer,    // CNTKCTL_EL1.EL0PTEN
  CntVTimer,    // CNTKCTL_EL1.EL0VTEN
  PmEn,         // PMUSERENR_EL0.EN
  PmSw,         // .EN or .SW
  PmCycle,      // reads: .EN or .CR; writes: .EN
  PmEvent,      // reads: .EN or .ER; writes: .EN
  PmSelect,     // .EN or .ER
  Tdcc,         // MDSCR_EL1.TDCC
  SecureTimer,  // at EL1: UNDEFINED in the Non-secure state, else SCR_EL3.ST, to EL3
  SpEl0,        // UNDEFINED at EL1 and above while PSTATE.SP is 0
};

// What happens in a row. The run loop and the translator may do the first three without a call.
enum class Storage : u8 {
  Constant,  // read() gives the same value for the life of the PE; writes are ignored
  Stored,    // the 64 bits at `offset` of PeState; writes keep the bits outside `writable`
  Hook,      // read() and write()
  Command,   // write-only or instruction: write()
};

struct Row {
  std::string_view name;
  SysregId id;
  Rights rights;
  Trap trap = Trap::Never;
  Storage storage = Storage::Hook;
  u32 offset = 0;  // Stored: in PeState (written also by reset)
  u64 reset = 0;   // of what `offset` names
  u64 writable = ~u64{0};
  u64 (*read)(Pe&, const Row&) = nullptr;         // Hook, Constant
  void (*write)(Pe&, const Row&, u64) = nullptr;  // Hook, Command; Stored: called instead of the plain store
  Feature feature = Feature::Base;
  u8 index = 0;             // of a register that comes in numbers: DBGBVR<n>_EL1
  bool ends_block = false;  // a write may change how the next instruction is fetched or translated
  bool (*present)(const CpuModel&,
                  const Row&) = nullptr;  // not on every model, for reasons other than `feature`
};

// The row of an encoding, or nullptr. The encodings that the architecture reserves for ID registers share one
// row.
const Row* find(SysregId id);
const Row* find(std::string_view name);
// All rows, by encoding.
std::span<const Row* const> all();

// "S3_0_C1_C0_0" for one without a row.
std::string generic_name(SysregId id);

// What translated code calls. Any exception has been taken when they return with state.leave set.
// a: const Row*, b: operand of access_operand(), c: the value.
u64 helper_read(tcg::ExecState&, u64 row, u64 operand, u64) noexcept;
u64 helper_write(tcg::ExecState&, u64 row, u64 operand, u64 value) noexcept;
u64 helper_read_untrapped(tcg::ExecState&, u64 row, u64, u64) noexcept;
// Encodings without a row: the interrupt controller's CPU interface, or UNDEFINED.
u64 helper_read_unknown(tcg::ExecState&, u64 operand, u64, u64) noexcept;
u64 helper_write_unknown(tcg::ExecState&, u64 operand, u64 value, u64) noexcept;
inline constexpr tcg::Helper kRead = tcg::make_helper("sysreg_read", helper_read);
inline constexpr tcg::Helper kWrite = tcg::make_helper("sysreg_write", helper_write);
inline constexpr tcg::Helper kReadUntrapped =
    tcg::make_helper("sysreg_read_untrapped", helper_read_untrapped, false, false);
inline constexpr tcg::Helper kReadUnknown = tcg::make_helper("sysreg_read_unknown", helper_read_unknown);
inline constexpr tcg::Helper kWriteUnknown = tcg::make_helper("sysreg_write_unknown", helper_write_unknown);

// The encoding, Rt and direction in one word.
constexpr u64 access_operand(SysregId id, unsigned rt, bool is_read) {
  return id.value | u64(rt) << 16 | u64(is_read) << 21;
}

// Without checks of EL and traps: for the debugger, the monitor and tests.
u64 peek(Pe& pe, const Row& row);
void poke(Pe& pe, const Row& row, u64 value);
void reset_all(Pe& pe);

// The topics.
std::span<const Row> identification_rows();
std::span<const Row> control_rows();
std::span<const Row> special_rows();
std::span<const Row> timer_rows();
std::span<const Row> pmu_rows();
std::span<const Row> debug_rows();
std::span<const Row> maintenance_rows();
std::span<const Row> pointer_authentication_rows();
std::span<const Row> implementation_defined_rows();
std::span<const Row> el3_rows();

}  // namespace sysreg
}  // namespace sluice::cpu
