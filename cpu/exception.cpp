// Arm DDI 0487, "Exceptions" in the shared and aarch64 pseudocode.
#include "cpu/exception.h"

#include <algorithm>

#include "base/log.h"
#include "cpu/debug.h"
#include "cpu/emit.h"
#include "cpu/pe.h"
#include "cpu/pstate.h"

namespace sluice::cpu {
namespace {

constexpr u64 kSctlrSpan = u64{1} << 23, kSctlrDssbs = u64{1} << 44;

// The registers of the ELs that take exceptions.
constexpr Slot kVbar[] = {Slot::VBAR_EL1, Slot::VBAR_EL1, Slot::VBAR_EL1, Slot::VBAR_EL3};
constexpr Slot kEsr[] = {Slot::ESR_EL1, Slot::ESR_EL1, Slot::ESR_EL1, Slot::ESR_EL3};
constexpr Slot kFar[] = {Slot::FAR_EL1, Slot::FAR_EL1, Slot::FAR_EL1, Slot::FAR_EL3};

// The offset in the vector table by where the exception comes from.
enum class VectorKind : u16 { Synchronous = 0x000, Irq = 0x080, Fiq = 0x100, SError = 0x180 };

// AArch64.ExceptionTarget() without EL2.
unsigned target_el(const PeState& s, const Exception& e) {
  return e.target ? e.target : std::max<unsigned>(s.el, 1);
}

u64 vector_offset(const PeState& s, unsigned target, VectorKind kind) {
  u64 from = s.el < target ? 0x400 : s.sp_sel ? 0x200 : 0x000;
  return from + u64(kind);
}

// Whether SPSR.BTYPE keeps PSTATE.BTYPE: only for exceptions that are taken before the instruction has
// consumed it.
bool keeps_btype(Ec ec) {
  switch (ec) {
    case Ec::SoftwareStep:
    case Ec::PcAlignment:
    case Ec::InstructionAbort:
    case Ec::Breakpoint:
    case Ec::Brk64:
    case Ec::IllegalState:
    case Ec::Bti: return true;
    default: return false;
  }
}

// The member of a pair of exception classes for one that comes from a lower EL.
Ec from_lower_el(Ec ec) {
  switch (ec) {
    case Ec::InstructionAbort:
    case Ec::DataAbort:
    case Ec::Breakpoint:
    case Ec::SoftwareStep:
    case Ec::Watchpoint: return Ec(u8(ec) - 1);
    default: return ec;
  }
}

bool completes_instruction(Ec ec) { return ec == Ec::Svc64 || ec == Ec::Hvc64 || ec == Ec::Smc64; }

// The common part of AArch64.TakeException: everything but the syndrome.
void enter(PeState& s, unsigned target, VectorKind kind, u64 return_address, u64 saved_pstate) {
  Pe& pe = pe_of(s);
  u64 vector = s.sysregs[kVbar[target]] + vector_offset(s, target, kind);
  select_sp(s, u8(target), 1);
  pe.el_changed();
  u64 sctlr = current_sctlr(s);
  s.spsr_el[target] = saved_pstate;
  s.elr_el[target] = return_address;
  s.daif = kDaifD | kDaifA | kDaifI | kDaifF;
  s.ss = 0, s.il = 0, s.btype = 0, s.uao = 0;
  const FeatureSet& features = pe.model().features;
  if (features.has(Feature::PAN) && target == 1 && !(sctlr & kSctlrSpan)) s.pan = 1;
  if (features.has(Feature::SSBS)) s.ssbs = (sctlr & kSctlrDssbs) != 0;
  s.pc = vector;
  pe.step_in_progress = false;
  pe.exceptions_taken++;
  pe.pstate_changed();
}

void log_exception(const PeState& s, Ec ec, u64 esr, unsigned from, const Exception& e, u64 vector) {
  char far[32] = "";
  if (e.far_valid) std::snprintf(far, sizeof far, " FAR 0x%llx", static_cast<unsigned long long>(e.far));
  log_line(
      LogTopic::Int,
      "PE%u: %s EL%u -> EL%u, vector +0x%llx at 0x%llx, ESR 0x%llx (ISS 0x%x)%s, ELR 0x%llx, SPSR 0x%llx",
      s.pe->index(), name_of(ec), from, s.el, static_cast<unsigned long long>(vector & 0x7ff),
      static_cast<unsigned long long>(vector), static_cast<unsigned long long>(esr), e.iss, far,
      static_cast<unsigned long long>(s.elr_el[s.el]), static_cast<unsigned long long>(s.spsr_el[s.el]));
}

// ISS of a data or instruction abort.
u32 abort_iss(const Fault& f, bool is_data) {
  u32 iss = fault_status_code(f) | u32(f.stage1_walk) << 7 | u32(f.external_type) << 9;
  if (is_data) iss |= u32(f.write) << 6 | u32(f.cache_maintenance) << 8;
  return iss;
}

// IllegalExceptionReturn(): the state that SPSR names does not exist or is more privileged than this one.
bool illegal_return(const PeState& s, u64 spsr) {
  if (bit(spsr, spsr::kM4) || bit(spsr, 1)) return true;  // AArch32 is not implemented; M<1> is reserved
  unsigned el = unsigned(extract(spsr, spsr::kEl, 2));
  return el > s.el || el == 2 || (el == 0 && bit(spsr, spsr::kSp));
}

// DebugExceptionReturnSS().
bool step_bit_after_return(const PeState& s, u64 spsr, bool illegal) {
  if (!(s.sysregs[Slot::MDSCR_EL1] & debug::kMdscrSs)) return false;
  unsigned destination = illegal ? s.el : unsigned(extract(spsr, spsr::kEl, 2));
  bool secure = destination == 3 || s.pe->secure_el1();
  bool here = debug::exceptions_enabled(s);
  bool there = debug::exceptions_enabled_from(s, destination, secure, bit(spsr, spsr::kD));
  return !here && there && bit(spsr, spsr::kSs);
}

// AArch64.BranchAddr() in the mode that has just been entered.
u64 canonical_target(const Mode& mode, u64 target) {
  bool upper = bit(target, 55);
  if (mode.get<Mode::OneRange>()) return mode.get<Mode::Tbi>() ? target & ones(56) : target;
  if (!(mode.get<Mode::Tbi>() >> unsigned(upper) & 1)) return target;
  return sign_extend(target, 56);
}

}  // namespace

const char* name_of(Ec ec) {
  switch (ec) {
    case Ec::Unknown: return "Undefined";
    case Ec::WFx: return "Trapped WFI/WFE";
    case Ec::FpAccess: return "FP access trap";
    case Ec::PacFail: return "PAuth trap";
    case Ec::Bti: return "Branch target";
    case Ec::IllegalState: return "Illegal state";
    case Ec::Svc64: return "SVC";
    case Ec::Hvc64: return "HVC";
    case Ec::Smc64: return "SMC";
    case Ec::Sysreg: return "Trapped MSR/MRS/SYS";
    case Ec::InstructionAbortLower:
    case Ec::InstructionAbort: return "Instruction abort";
    case Ec::PcAlignment: return "PC alignment";
    case Ec::DataAbortLower:
    case Ec::DataAbort: return "Data abort";
    case Ec::SpAlignment: return "SP alignment";
    case Ec::FpException: return "FP exception";
    case Ec::SError: return "SError";
    case Ec::BreakpointLower:
    case Ec::Breakpoint: return "Breakpoint";
    case Ec::SoftwareStepLower:
    case Ec::SoftwareStep: return "Software step";
    case Ec::WatchpointLower:
    case Ec::Watchpoint: return "Watchpoint";
    case Ec::Brk64: return "BRK";
  }
  return "?";
}

u32 fault_status_code(const Fault& f) {
  switch (f.kind) {
    case Fault::Kind::None: return 0;
    case Fault::Kind::AddressSize: return 0b000000u | f.level;
    case Fault::Kind::Translation: return 0b000100u | f.level;
    case Fault::Kind::AccessFlag: return 0b001000u | f.level;
    case Fault::Kind::Permission: return 0b001100u | f.level;
    case Fault::Kind::External: return 0b010000;
    case Fault::Kind::ExternalOnWalk: return 0b010100u | f.level;
    case Fault::Kind::Alignment: return 0b100001;
    case Fault::Kind::Debug: return 0b100010;
    case Fault::Kind::TlbConflict: return 0b110000;
    case Fault::Kind::AtomicUpdate: return 0b110001;
    case Fault::Kind::UnsupportedExclusive: return 0b110101;
  }
  return 0;
}

u32 sysreg_iss(u16 id, unsigned rt, bool is_read) {
  u32 op0 = id >> 14, op1 = id >> 11 & 7, crn = id >> 7 & 15, crm = id >> 3 & 15, op2 = id & 7;
  return op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | rt << 5 | crm << 1 | u32(is_read);
}

void take_exception(PeState& s, const Exception& e) noexcept {
  Pe& pe = pe_of(s);
  unsigned target = target_el(s, e), from = s.el;
  // An instruction that faults was not stepped: PSTATE.SS is as it was before it.
  if (pe.step_in_progress && !completes_instruction(e.ec)) s.ss = 1;
  u64 saved = spsr_from_pstate(s);
  if (!keeps_btype(e.ec)) saved &= ~(u64{3} << spsr::kBtype);
  Ec ec = from < target ? from_lower_el(e.ec) : e.ec;
  u64 esr = u64(ec) << 26 | u64(e.il) << 25 | e.iss;
  s.sysregs[kEsr[target]] = esr;
  if (e.far_valid) s.sysregs[kFar[target]] = e.far;
  enter(s, target, VectorKind::Synchronous, e.return_address, saved);
  if (Log::on(LogTopic::Int)) log_exception(s, ec, esr, from, e, s.pc);
}

void take_interrupt(PeState& s, Interrupt interrupt) noexcept {
  constexpr u64 kRoute[] = {scr::kIrq, scr::kFiq, scr::kEa};
  unsigned target = pe_of(s).scr() & kRoute[unsigned(interrupt)] ? 3 : 1, from = s.el;
  constexpr VectorKind kinds[] = {VectorKind::Irq, VectorKind::Fiq, VectorKind::SError};
  constexpr const char* names[] = {"IRQ", "FIQ", "SError"};
  u64 return_address = s.pc;
  if (interrupt == Interrupt::SError) s.sysregs[kEsr[target]] = u64(Ec::SError) << 26 | u64{1} << 25;
  enter(s, target, kinds[unsigned(interrupt)], return_address, spsr_from_pstate(s));
  if (Log::on(LogTopic::Int))
    log_line(LogTopic::Int, "PE%u: %s EL%u -> EL%u, vector 0x%llx, ELR 0x%llx, SPSR 0x%llx", s.pe->index(),
             names[unsigned(interrupt)], from, s.el, static_cast<unsigned long long>(s.pc),
             static_cast<unsigned long long>(return_address),
             static_cast<unsigned long long>(s.spsr_el[target]));
}

void take_undefined(PeState& s) noexcept { take_exception(s, {.ec = Ec::Unknown, .return_address = s.pc}); }

namespace {

// SCR_EL3.EA: external aborts are EL3's.
u8 abort_target(const PeState& s, const Fault& f) {
  bool external = f.kind == Fault::Kind::External || f.kind == Fault::Kind::ExternalOnWalk;
  return external && (s.pe->scr() & scr::kEa) ? 3 : 0;
}

}  // namespace

void take_data_abort(PeState& s, const Fault& f) noexcept {
  Ec ec = f.kind == Fault::Kind::Debug ? Ec::Watchpoint : Ec::DataAbort;
  take_exception(s, {.ec = ec,
                     .iss = abort_iss(f, true),
                     .return_address = s.pc,
                     .far_valid = true,
                     .far = f.va,
                     .target = abort_target(s, f)});
}

void take_instruction_abort(PeState& s, const Fault& f) noexcept {
  take_exception(s, {.ec = Ec::InstructionAbort,
                     .iss = abort_iss(f, false),
                     .return_address = s.pc,
                     .far_valid = true,
                     .far = f.va,
                     .target = abort_target(s, f)});
}

void exception_return(PeState& s, u64 target, u64 spsr) noexcept {
  Pe& pe = pe_of(s);
  bool illegal = illegal_return(s, spsr);
  bool step = step_bit_after_return(s, spsr, illegal);
  const FeatureSet& features = pe.model().features;
  if (illegal) {
    s.nzcv = tcg::Flags::from_nzcv(u32(spsr >> spsr::kNzcv));
    s.daif = u8(extract(spsr, spsr::kF, 4));
    if (features.has(Feature::PAN)) s.pan = bit(spsr, spsr::kPan);
    s.il = 1;
    guest_error("PE%u: illegal exception return at 0x%llx, SPSR 0x%llx", pe.index(),
                static_cast<unsigned long long>(s.pc), static_cast<unsigned long long>(spsr));
  } else {
    unsigned el = unsigned(extract(spsr, spsr::kEl, 2));
    select_sp(s, u8(el), bit(spsr, spsr::kSp));
    pe.el_changed();
    set_pstate_flags(s, spsr, features);
  }
  s.ss = step;
  pe.step_in_progress = false;
  s.exclusive_size = 0;
  pe.set_event_register();
  pe.pstate_changed();
  s.pc = canonical_target(Mode{s.mode}, target);
  if (Log::on(LogTopic::Int))
    log_line(LogTopic::Int, "PE%u: ERET to EL%u at 0x%llx, SPSR 0x%llx", pe.index(), s.el,
             static_cast<unsigned long long>(s.pc), static_cast<unsigned long long>(spsr));
}

void Emitter::unallocated() { call_and_stop(kUndefined); }

// --- Helpers
// -------------------------------------------------------------------------------------------------

u64 helper_undefined(tcg::ExecState& state, u64, u64, u64) noexcept {
  take_undefined(pe_state(state));
  return 0;
}

u64 helper_fp_access_trap(tcg::ExecState& state, u64, u64, u64) noexcept {
  constexpr u32 kAlways = 1u << 24 | 0xeu << 20;  // CV and COND of an A64 instruction
  PeState& s = pe_state(state);
  u8 target = Mode{s.mode}.get<Mode::FpTrapEl>() == 3 ? 3 : 0;
  take_exception(s, {.ec = Ec::FpAccess, .iss = kAlways, .return_address = s.pc, .target = target});
  return 0;
}

u64 helper_svc(tcg::ExecState& state, u64 imm16, u64, u64) noexcept {
  take_exception(pe_state(state), {.ec = Ec::Svc64, .iss = u32(imm16), .return_address = state.pc + 4});
  return 0;
}

u64 helper_hvc(tcg::ExecState& state, u64, u64, u64) noexcept {
  PeState& s = pe_state(state);
  // Without EL2, HVC is UNDEFINED, unless the emulator stands in for the hypervisor's PSCI.
  if (s.el == 0 || pe_of(s).psci_conduit() != PsciConduit::Hvc) return take_undefined(s), 0;
  s.pc += 4;
  s.leave |= tcg::Leave::kToRunLoop;
  psci::call(pe_of(s));
  return 0;
}

u64 helper_smc(tcg::ExecState& state, u64 imm16, u64, u64) noexcept {
  PeState& s = pe_state(state);
  bool psci = pe_of(s).psci_conduit() == PsciConduit::Smc;
  if (s.el == 0 || (!psci && !pe_of(s).has_el3())) return take_undefined(s), 0;
  if (!psci) {
    if (pe_of(s).scr() & scr::kSmd) return take_undefined(s), 0;
    take_exception(s, {.ec = Ec::Smc64, .iss = u32(imm16), .return_address = s.pc + 4, .target = 3});
    return 0;
  }
  s.pc += 4;
  s.leave |= tcg::Leave::kToRunLoop;
  psci::call(pe_of(s));
  return 0;
}

u64 helper_brk(tcg::ExecState& state, u64 imm16, u64, u64) noexcept {
  take_exception(pe_state(state), {.ec = Ec::Brk64, .iss = u32(imm16), .return_address = state.pc});
  return 0;
}

u64 helper_hlt(tcg::ExecState& state, u64 imm16, u64, u64) noexcept {
  PeState& s = pe_state(state);
  constexpr u64 kSemihosting = 0xf000;
  const SemihostingHandler* host = pe_of(s).semihosting();
  if (imm16 == kSemihosting && host && (s.el != 0 || host->allows_el0())) {
    s.pc += 4;
    pe_of(s).defer(Pe::Deferred::Semihosting);
    return 0;
  }
  take_undefined(s);  // Halting debug is not allowed
  return 0;
}

u64 helper_sp_misaligned(tcg::ExecState& state, u64, u64, u64) noexcept {
  take_exception(pe_state(state), {.ec = Ec::SpAlignment, .return_address = state.pc});
  return 0;
}

u64 helper_pc_misaligned(tcg::ExecState& state, u64 target, u64, u64) noexcept {
  state.pc = target;
  take_exception(pe_state(state),
                 {.ec = Ec::PcAlignment, .return_address = target, .far_valid = true, .far = target});
  return 0;
}

u64 helper_bti_fail(tcg::ExecState& state, u64, u64, u64) noexcept {
  PeState& s = pe_state(state);
  take_exception(s, {.ec = Ec::Bti, .iss = s.btype, .return_address = s.pc});
  return 0;
}

u64 helper_illegal_state(tcg::ExecState& state, u64, u64, u64) noexcept {
  take_exception(pe_state(state), {.ec = Ec::IllegalState, .return_address = state.pc});
  return 0;
}

u64 helper_eret(tcg::ExecState& state, u64 target, u64, u64) noexcept {
  PeState& s = pe_state(state);
  exception_return(s, target, s.spsr_el[s.el]);
  return 0;
}

// Pointer authentication with SCR_EL3.API == 0.
u64 helper_pac_trap(tcg::ExecState& state, u64, u64, u64) noexcept {
  take_exception(pe_state(state), {.ec = Ec::PacFail, .return_address = state.pc, .target = 3});
  return 0;
}

u64 helper_software_step(tcg::ExecState& state, u64, u64, u64) noexcept {
  PeState& s = pe_state(state);
  Pe& pe = pe_of(s);
  if (s.ss) {  // active, not pending: this instruction is the step
    s.ss = 0;
    pe.step_in_progress = true;
    pe.stepped = true;
    return 0;
  }
  constexpr u32 kIsv = 1u << 24, kDebug = 0b100010;
  u32 iss = kDebug | (pe.stepped ? kIsv : 0);
  pe.stepped = pe.step_in_progress = false;
  take_exception(s, {.ec = Ec::SoftwareStep, .iss = iss, .return_address = s.pc});
  return 0;
}

u64 helper_breakpoint_check(tcg::ExecState& state, u64, u64, u64) noexcept {
  PeState& s = pe_state(state);
  if (!debug::breakpoint_matches(s, pe_of(s).model(), s.pc)) return 0;
  take_exception(s, {.ec = Ec::Breakpoint, .iss = 0b100010, .return_address = s.pc});
  return 0;
}

}  // namespace sluice::cpu
