// cpu/exception.h: taking and leaving exceptions (Arm DDI 0487, AArch64.TakeException, ExceptionSyndrome,
// AArch64.ExceptionReturn), and the helpers by which translated code raises them.
#pragma once
#include "cpu/state.h"
#include "cpu/translation/fault.h"
#include "tcg/helper.h"

namespace sluice::cpu {

// ESR_ELx.EC.
enum class Ec : u8 {
  Unknown = 0x00,
  WFx = 0x01,
  FpAccess = 0x07,
  PacFail = 0x09,  // trapped PAuth use
  Bti = 0x0d,
  IllegalState = 0x0e,
  Svc64 = 0x15,
  Hvc64 = 0x16,
  Smc64 = 0x17,
  Sysreg = 0x18,
  InstructionAbortLower = 0x20,
  InstructionAbort = 0x21,
  PcAlignment = 0x22,
  DataAbortLower = 0x24,
  DataAbort = 0x25,
  SpAlignment = 0x26,
  FpException = 0x2c,
  SError = 0x2f,
  BreakpointLower = 0x30,
  Breakpoint = 0x31,
  SoftwareStepLower = 0x32,
  SoftwareStep = 0x33,
  WatchpointLower = 0x34,
  Watchpoint = 0x35,
  Brk64 = 0x3c,
};

// A synchronous exception that is about to be taken.
struct Exception {
  Ec ec = Ec::Unknown;  // the "from the same EL" member of a pair: adjusted to the EL it is taken from
  u32 iss = 0;
  bool il = true;          // the instruction was 32 bits long, or the class requires 1
  u64 return_address = 0;  // preferred: the instruction itself, or the next one for SVC/HVC/SMC
  bool far_valid = false;
  u64 far = 0;
  // The EL that takes it; 0: EL1, or the current EL when that is higher (AArch64.ExceptionTarget without
  // EL2).
  u8 target = 0;
};
enum class Interrupt : u8 { Irq, Fiq, SError };

// Each sets PSTATE, ELR, SPSR, ESR, FAR, state.pc and state.leave, and tells the PE that its context changed.
// Noexcept: they run under translated code.
void take_exception(PeState& state, const Exception& exception) noexcept;
void take_interrupt(PeState& state, Interrupt interrupt) noexcept;
void take_undefined(PeState& state) noexcept;                       // at state.pc
void take_data_abort(PeState& state, const Fault& fault) noexcept;  // at state.pc
void take_instruction_abort(PeState& state, const Fault& fault) noexcept;
// ERET: `target` and `spsr` are ELR and SPSR of the current EL (target authenticated already, for ERETAA/AB).
void exception_return(PeState& state, u64 target, u64 spsr) noexcept;

// ISS of a trapped MSR, MRS or system instruction (EC 0x18). `id` is a SysregId value.
u32 sysreg_iss(u16 id, unsigned rt, bool is_read);
// "SVC64 imm=0x0" and the like, for -d int.
const char* name_of(Ec ec);

// --- Helpers. Those that take an exception end the block (ExecState::leave). state.pc is the instruction.
u64 helper_undefined(tcg::ExecState&, u64, u64, u64) noexcept;
u64 helper_fp_access_trap(tcg::ExecState&, u64, u64, u64) noexcept;
u64 helper_svc(tcg::ExecState&, u64 imm16, u64, u64) noexcept;
u64 helper_hvc(tcg::ExecState&, u64 imm16, u64, u64) noexcept;
u64 helper_smc(tcg::ExecState&, u64 imm16, u64, u64) noexcept;
u64 helper_brk(tcg::ExecState&, u64 imm16, u64, u64) noexcept;
u64 helper_hlt(tcg::ExecState&, u64 imm16, u64, u64) noexcept;
u64 helper_sp_misaligned(tcg::ExecState&, u64, u64, u64) noexcept;
u64 helper_pc_misaligned(tcg::ExecState&, u64 target, u64, u64) noexcept;
u64 helper_bti_fail(tcg::ExecState&, u64, u64, u64) noexcept;
u64 helper_illegal_state(tcg::ExecState&, u64, u64, u64) noexcept;
u64 helper_eret(tcg::ExecState&, u64 target, u64, u64) noexcept;
u64 helper_pac_trap(tcg::ExecState&, u64, u64, u64) noexcept;
// After one instruction under software step: PSTATE.SS was 1 and is consumed; state.pc is the stepped
// instruction, `next` where it went (all ones: state.pc has been set already).
u64 helper_software_step(tcg::ExecState&, u64, u64, u64) noexcept;
// Before an instruction in a Mode::Breakpoints block: takes the Breakpoint exception if one matches at
// state.pc.
u64 helper_breakpoint_check(tcg::ExecState&, u64, u64, u64) noexcept;

// UNDEFINED: unallocated encodings, absent features, insufficient EL.
inline constexpr tcg::Helper kUndefined = tcg::make_helper("undefined", helper_undefined);
// First op of an FP/SIMD instruction when Mode::FpTrapEl is not 0.
inline constexpr tcg::Helper kFpAccessTrap = tcg::make_helper("fp_access_trap", helper_fp_access_trap);
inline constexpr tcg::Helper kSvc = tcg::make_helper("svc", helper_svc);
inline constexpr tcg::Helper kHvc = tcg::make_helper("hvc", helper_hvc);
inline constexpr tcg::Helper kSmc = tcg::make_helper("smc", helper_smc);
inline constexpr tcg::Helper kBrk = tcg::make_helper("brk", helper_brk);
inline constexpr tcg::Helper kHlt = tcg::make_helper("hlt", helper_hlt);
// For LeaveIfNonZero(SP & 15): needs no argument, ignores all.
inline constexpr tcg::Helper kSpMisaligned = tcg::make_helper("sp_misaligned", helper_sp_misaligned);
// With the misaligned target as argument; a fetch from such a pc raises the same by itself.
inline constexpr tcg::Helper kPcMisaligned = tcg::make_helper("pc_misaligned", helper_pc_misaligned);
// First op of an instruction on a guarded page that does not accept PSTATE.BTYPE.
inline constexpr tcg::Helper kBtiFail = tcg::make_helper("bti_fail", helper_bti_fail);
// Whole content of a block when Mode::IllegalState is set.
inline constexpr tcg::Helper kIllegalState = tcg::make_helper("illegal_state", helper_illegal_state);
// ERET with the return address as argument (ELR, or ELR after authentication).
inline constexpr tcg::Helper kEret = tcg::make_helper("eret", helper_eret);
// In place of a pointer authentication instruction while SCR_EL3.API is 0.
inline constexpr tcg::Helper kPacTrap = tcg::make_helper("pac_trap", helper_pac_trap);
// Mode::Step: called *before* the single instruction of a block. PSTATE.SS == 1: clears it and returns (the
// instruction then executes, and the block ends through the run loop). PSTATE.SS == 0: takes the Software
// Step exception.
inline constexpr tcg::Helper kSoftwareStep = tcg::make_helper("software_step", helper_software_step);
inline constexpr tcg::Helper kBreakpointCheck = tcg::make_helper("breakpoint_check", helper_breakpoint_check);

}  // namespace sluice::cpu
