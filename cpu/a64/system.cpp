// Arm DDI 0487, "Branches, Exception Generating and System instructions", without the branches.
#include "base/bits.h"
#include "cpu/a64/groups.h"
#include "cpu/a64/memory_access.h"
#include "cpu/a64/pointer_authentication.h"
#include "cpu/a64/system_helpers.h"
#include "cpu/emit.h"
#include "cpu/exception.h"
#include "cpu/models.h"
#include "cpu/sysreg/el3_traps.h"
#include "cpu/sysreg/table.h"

namespace sluice::cpu::a64 {
namespace {

using sysreg::Row;
using sysreg::Storage;
using sysreg::Trap;

constexpr Reg kZero{31};

// --- Exception generation ---

void SVC(Emitter& e, Imm<16> imm16) { e.call_and_stop(kSvc, {e.ir.i64(imm16)}); }
void HVC(Emitter& e, Imm<16> imm16) { e.call_and_stop(kHvc, {e.ir.i64(imm16)}); }
void SMC(Emitter& e, Imm<16> imm16) { e.call_and_stop(kSmc, {e.ir.i64(imm16)}); }
void BRK(Emitter& e, Imm<16> imm16) { e.call_and_stop(kBrk, {e.ir.i64(imm16)}); }
void HLT(Emitter& e, Imm<16> imm16) { e.call_and_stop(kHlt, {e.ir.i64(imm16)}); }
// Debug state is never entered: there is no external debugger.
void DCPS(Emitter& e, Imm<16>, Imm<2>) { e.unallocated(); }
void DRPS(Emitter& e) { e.unallocated(); }

Value elr(Emitter& e) { return e.ir.get_state(Type::I64, u32(offsetof(PeState, elr_el)) + e.mode.el() * 8); }

void ERET(Emitter& e) {
  if (e.mode.el() == 0) return e.unallocated();
  e.call_and_stop(kEret, {elr(e)});
}
// ERETAA, ERETAB: the modifier is SP.
void ERETA(Emitter& e, bool M) {
  if (e.mode.el() == 0) return e.unallocated();
  pauth::KeyName key = M ? pauth::KeyName::IB : pauth::KeyName::IA;
  e.call_and_stop(kEret, {authenticate(e, key, elr(e), e.XSP(true, kZero))});
}

// --- Barriers ---
// x86-TSO orders everything but a store before a later load, so only barriers that order that cost anything.

constexpr u32 kLoads = 1, kStores = 2;  // CRm<1:0>: what comes before the barrier; 3 is both

void DMB(Emitter& e, Imm<4> CRm) {
  u32 types = CRm & 3;
  if (types != kLoads && types != kStores) e.ir.fence();
}
void DSB(Emitter& e, Imm<4> CRm) {
  if (CRm == 0 || CRm == 4) return;  // SSBB, PSSBB: nothing is speculated
  u32 types = CRm & 3, domain = CRm >> 2;
  if (types == kLoads) return;
  e.ir.fence();
  constexpr u32 kNonShareable = 1;
  if (types != kStores && domain != kNonShareable) e.ir.call(kDataSynchronizationBarrier);
}
// What the instructions before it changed is seen by the fetch of the next one.
void ISB(Emitter& e, Imm<4>) { e.ir.exit_to_run_loop(e.pc + 4), e.stop = true; }
void SB(Emitter&) {}
void CLREX(Emitter& e, Imm<4>) { e.ir.set_state(u32(offsetof(PeState, exclusive_size)), e.ir.i32(0)); }

// --- Hints ---

// NOP, YIELD, CSDB, ESB and PSB CSYNC (absent), DGH, BTI (checked by the decoder), and what is not allocated.
void HINT(Emitter&, Imm<4>, Imm<3>) {}
void WFE(Emitter& e) { e.ir.call(kWaitForEvent); }
void WFI(Emitter& e) { e.call_and_stop(kWaitForInterrupt); }
void SEV(Emitter& e) { e.ir.call(kSendEvent); }
void SEVL(Emitter& e) { e.ir.call(kSendEventLocal); }

// --- MSR (immediate) ---

void msr_helper(Emitter& e, PstateField field, u32 value) {
  e.call_and_stop(kMsrImmediate, {e.ir.i64(u64(field)), e.ir.i64(value)});
}
void MSR_UAO(Emitter& e, Imm<4> CRm) {
  e.mode.el() ? msr_helper(e, PstateField::UAO, CRm & 1) : e.unallocated();
}
void MSR_PAN(Emitter& e, Imm<4> CRm) {
  e.mode.el() ? msr_helper(e, PstateField::PAN, CRm & 1) : e.unallocated();
}
void MSR_SPSel(Emitter& e, Imm<4> CRm) {
  e.mode.el() ? msr_helper(e, PstateField::SPSel, CRm & 1) : e.unallocated();
}
void MSR_SSBS(Emitter& e, Imm<4> CRm) { msr_helper(e, PstateField::SSBS, CRm & 1); }
void MSR_DIT(Emitter& e, Imm<4> CRm) { msr_helper(e, PstateField::DIT, CRm & 1); }
// Interrupts that are pending are taken, and debug exceptions change, before the next instruction: the
// helpers leave when that happens, so the block goes on otherwise.
void MSR_DAIFSet(Emitter& e, Imm<4> CRm) { e.ir.call(kDaifSet, {e.ir.i64(CRm)}); }
void MSR_DAIFClr(Emitter& e, Imm<4> CRm) { e.ir.call(kDaifClear, {e.ir.i64(CRm)}); }

// --- MRS, MSR (register), SYS, SYSL ---

Value pointer(Emitter& e, const Row& row) { return e.ir.i64(reinterpret_cast<u64>(&row)); }

// Whether an access at this EL needs checks when it runs.
bool checked_at_run_time(const Emitter& e, const Row& row) {
  if (row.present) return true;
  if (e.mode.get<Mode::El3Traps>() && sysreg::el3_trap_of(row.id) != sysreg::El3Trap::None) return true;
  switch (row.trap) {
    case Trap::Never:
    case Trap::Fp: return false;
    case Trap::Dze: return !e.mode.get<Mode::ZeroBlocks>();
    case Trap::SecureTimer: return e.mode.el() != 3;
    case Trap::SpEl0: return !e.mode.get<Mode::SpSel>();
    default: return e.mode.el() == 0;
  }
}

bool traps_fp(Emitter& e, const Row& row) {
  if (row.trap != Trap::Fp || e.mode.fp_enabled()) return false;
  e.call_and_stop(kFpAccessTrap);
  return true;
}

// Registers that are one or two ops of IR. Null when `id` is none of them.
Value read_inline(Emitter& e, SysregId id) {
  constexpr SysregId kNzcv(3, 3, 4, 2, 0), kCurrentEl(3, 0, 4, 2, 2), kSpSel(3, 0, 4, 2, 0),
      kSpEl0(3, 0, 4, 1, 0), kFpcr(3, 3, 4, 4, 0);
  if (id == kNzcv) {
    Value nzcv = e.zero_extend(e.ir.emit(Op::NzcvFromFlags, Type::I32, {e.flags()}));
    return e.ir.binary(Op::Shl, nzcv, e.ir.i64(28));
  }
  if (id == kCurrentEl) return e.ir.i64(e.mode.el() << 2);
  if (id == kSpSel) return e.ir.i64(e.mode.get<Mode::SpSel>());
  if (id == kSpEl0) return e.ir.get_state(Type::I64, u32(offsetof(PeState, sp_el)));
  if (id == kFpcr) return e.zero_extend(e.ir.get_state(Type::I32, u32(offsetof(PeState, fpcr))));
  return {};
}

bool write_inline(Emitter& e, SysregId id, Reg Rt) {
  constexpr SysregId kNzcv(3, 3, 4, 2, 0), kSpEl0(3, 0, 4, 1, 0), kDcZva(1, 3, 7, 4, 1);
  if (id == kDcZva) return e.ir.zero_block(e.X(Rt), kDczBlockSize + 2, base_hint(Rt)), true;
  if (id == kNzcv) {
    Value nzcv = e.truncate(e.ir.binary(Op::Shr, e.X(Rt), e.ir.i64(28)));
    e.flags(e.ir.emit(Op::FlagsFromNzcv, Type::Flags, {nzcv}));
    return true;
  }
  if (id == kSpEl0) return e.ir.set_state(u32(offsetof(PeState, sp_el)), e.X(Rt)), true;
  return false;
}

const Row* known_row(const Emitter& e, SysregId id) {
  const Row* row = sysreg::find(id);
  return row && e.features.has(row->feature) ? row : nullptr;
}

void read(Emitter& e, SysregId id, Reg Rt) {
  Value operand = e.ir.i64(sysreg::access_operand(id, Rt.n, true));
  const Row* row = known_row(e, id);
  if (!row) return e.X(Rt, e.ir.call(sysreg::kReadUnknown, {operand}));
  if (!row->rights.read(e.mode.el())) return e.unallocated();
  if (traps_fp(e, *row)) return;
  if (checked_at_run_time(e, *row)) return e.X(Rt, e.ir.call(sysreg::kRead, {pointer(e, *row), operand}));
  if (Value v = read_inline(e, id)) return e.X(Rt, v);
  if (row->storage == Storage::Stored) return e.X(Rt, e.ir.get_state(Type::I64, row->offset));
  e.X(Rt, e.ir.call(sysreg::kReadUntrapped, {pointer(e, *row)}));
}

void write(Emitter& e, SysregId id, Reg Rt) {
  Value operand = e.ir.i64(sysreg::access_operand(id, Rt.n, false));
  const Row* row = known_row(e, id);
  if (!row) {
    e.ir.call(sysreg::kWriteUnknown, {operand, e.X(Rt)});
    return;
  }
  if (!row->rights.write(e.mode.el())) return e.unallocated();
  if (traps_fp(e, *row)) return;
  bool checked = checked_at_run_time(e, *row);
  if (!checked && write_inline(e, id, Rt)) return;
  if (!checked && row->storage == Storage::Stored && !row->write) {
    Value v = e.X(Rt);
    if (row->writable != ~u64{0})  // the other bits never change: they are as reset left them
      v = e.or_(e.and_(v, e.ir.i64(row->writable)), e.ir.i64(row->reset & ~row->writable));
    return e.ir.set_state(row->offset, v);
  }
  if (row->ends_block)
    e.call_and_stop(sysreg::kWrite, {pointer(e, *row), operand, e.X(Rt)});
  else
    e.ir.call(sysreg::kWrite, {pointer(e, *row), operand, e.X(Rt)});
}

void MRS(Emitter& e, bool o0, Imm<3> op1, Imm<4> CRn, Imm<4> CRm, Imm<3> op2, Reg Rt) {
  read(e, SysregId(2u + o0, op1, CRn, CRm, op2), Rt);
}
void MSR(Emitter& e, bool o0, Imm<3> op1, Imm<4> CRn, Imm<4> CRm, Imm<3> op2, Reg Rt) {
  write(e, SysregId(2u + o0, op1, CRn, CRm, op2), Rt);
}
void SYS(Emitter& e, Imm<3> op1, Imm<4> CRn, Imm<4> CRm, Imm<3> op2, Reg Rt) {
  write(e, SysregId(1, op1, CRn, CRm, op2), Rt);
}
void SYSL(Emitter& e, Imm<3> op1, Imm<4> CRn, Imm<4> CRm, Imm<3> op2, Reg Rt) {
  read(e, SysregId(1, op1, CRn, CRm, op2), Rt);
}

constexpr Insn kRows[] = {
    insn<"11010100 000 imm16:16 000 01", SVC>("SVC", "#<imm16>"),
    insn<"11010100 000 imm16:16 000 10", HVC>("HVC", "#<imm16>"),
    insn<"11010100 000 imm16:16 000 11", SMC>("SMC", "#<imm16>"),
    insn<"11010100 001 imm16:16 000 00", BRK>("BRK", "#<imm16>"),
    insn<"11010100 010 imm16:16 000 00", HLT>("HLT", "#<imm16>"),
    insn<"11010100 101 imm16:16 000 LL:2", DCPS>("DCPS", "#<imm16>"),
    insn<"1101011 0100 11111 0000 0 0 11111 00000", ERET>("ERET", ""),
    insn<"1101011 0100 11111 0000 1 M 11111 11111", ERETA>("ERETA<ab10>", "", Feature::PAuth),
    insn<"1101011 0101 11111 0000 0 0 11111 00000", DRPS>("DRPS", ""),

    insn<"1101010100 0 00 011 0010 CRm:4 op2:3 11111", HINT>("HINT", "#<imm>"),
    insn<"1101010100 0 00 011 0010 0000 010 11111", WFE>("WFE", ""),
    insn<"1101010100 0 00 011 0010 0000 011 11111", WFI>("WFI", ""),
    insn<"1101010100 0 00 011 0010 0000 100 11111", SEV>("SEV", ""),
    insn<"1101010100 0 00 011 0010 0000 101 11111", SEVL>("SEVL", ""),
    insn<"1101010100 0 00 011 0011 CRm:4 010 11111", CLREX>("CLREX", "#<CRm>"),
    insn<"1101010100 0 00 011 0011 CRm:4 100 11111", DSB>("DSB", "<barrier>"),
    insn<"1101010100 0 00 011 0011 CRm:4 101 11111", DMB>("DMB", "<barrier>"),
    insn<"1101010100 0 00 011 0011 CRm:4 110 11111", ISB>("ISB", ""),
    insn<"1101010100 0 00 011 0011 0000 111 11111", SB>("SB", "", Feature::SB),

    insn<"1101010100 0 00 000 0100 CRm:4 011 11111", MSR_UAO>("MSR", "UAO, #<CRm>", Feature::UAO),
    insn<"1101010100 0 00 000 0100 CRm:4 100 11111", MSR_PAN>("MSR", "PAN, #<CRm>", Feature::PAN),
    insn<"1101010100 0 00 000 0100 CRm:4 101 11111", MSR_SPSel>("MSR", "SPSel, #<CRm>"),
    insn<"1101010100 0 00 011 0100 CRm:4 001 11111", MSR_SSBS>("MSR", "SSBS, #<CRm>", Feature::SSBS2),
    insn<"1101010100 0 00 011 0100 CRm:4 010 11111", MSR_DIT>("MSR", "DIT, #<CRm>", Feature::DIT),
    insn<"1101010100 0 00 011 0100 CRm:4 110 11111", MSR_DAIFSet>("MSR", "DAIFSet, #<CRm>"),
    insn<"1101010100 0 00 011 0100 CRm:4 111 11111", MSR_DAIFClr>("MSR", "DAIFClr, #<CRm>"),

    insn<"1101010100 0 01 op1:3 CRn:4 CRm:4 op2:3 Rt:5", SYS>("SYS", "<sysop>, <Xd>"),
    insn<"1101010100 1 01 op1:3 CRn:4 CRm:4 op2:3 Rt:5", SYSL>("SYSL", "<Xd>, <sysop>"),
    insn<"1101010100 0 1 o0 op1:3 CRn:4 CRm:4 op2:3 Rt:5", MSR>("MSR", "<sysreg>, <Xd>"),
    insn<"1101010100 1 1 o0 op1:3 CRn:4 CRm:4 op2:3 Rt:5", MRS>("MRS", "<Xd>, <sysreg>"),
};

}  // namespace

const Group kSystemInstructions{"Exception generating and System instructions", kRows, false};

}  // namespace sluice::cpu::a64
