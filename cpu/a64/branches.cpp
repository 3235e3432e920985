// Arm DDI 0487, "Branches" of "Branches, Exception Generating and System instructions". A conditional branch
// forward is a side exit and the block goes on behind it; one backward ends the block, because it usually is
// a loop.
#include "base/bits.h"
#include "cpu/a64/groups.h"
#include "cpu/a64/pointer_authentication.h"
#include "cpu/emit.h"

namespace sluice::cpu::a64 {
namespace {

using pauth::KeyName;
using tcg::ir::IndirectKind;

constexpr Reg kLink{30}, kStackPointer{31};

// --- Direct ---

u64 target_of(const Emitter& e, u32 imm, unsigned width) { return e.pc + (sign_extend(imm, width) << 2); }

// After the side exit of a conditional branch.
void go_on(Emitter& e, u64 target) {
  if (target <= e.pc) e.branch_to(e.pc + 4);
}

void B(Emitter& e, Imm<26> imm26) { e.branch_to(target_of(e, imm26, 26)); }
void BL(Emitter& e, Imm<26> imm26) {
  e.X(kLink, e.ir.i64(e.pc + 4));
  e.ir.exit_to(target_of(e, imm26, 26), IndirectKind::Call);
  e.stop = true;
}
void B_cond(Emitter& e, Imm<19> imm19, Imm<4> cond) {
  u64 target = target_of(e, imm19, 19);
  if (cond >= 14) return e.branch_to(target);
  e.ir.exit_if(e.flags(), u8(cond), target);
  go_on(e, target);
}
void CBZ(Emitter& e, bool sf, Imm<19> imm19, Reg Rt) {
  u64 target = target_of(e, imm19, 19);
  e.ir.exit_if_zero(e.X(sf, Rt), target);
  go_on(e, target);
}
void CBNZ(Emitter& e, bool sf, Imm<19> imm19, Reg Rt) {
  u64 target = target_of(e, imm19, 19);
  e.ir.exit_if_nonzero(e.X(sf, Rt), target);
  go_on(e, target);
}
template <bool Set>
void test_bit(Emitter& e, bool b5, Imm<5> b40, Imm<14> imm14, Reg Rt) {
  u64 target = target_of(e, imm14, 14);
  e.ir.exit_if_bit(e.X(b5, Rt), u8(u32(b5) << 5 | b40), Set, target);
  go_on(e, target);
}

// --- Register ---

// AArch64.BranchAddr(): an ignored top byte is replaced by the extension of the address.
Value branch_address(Emitter& e, Value target) {
  u64 tbi = e.mode.get<Mode::Tbi>();
  if (!tbi) return target;
  if (e.mode.get<Mode::OneRange>()) return e.and_(target, e.ir.i64(ones(56)));
  Value extended = e.ir.unary(Op::ExtractSigned, target, u64{56} << 8);
  if (tbi == 3) return extended;
  // One range only: bit 55 tells whether the top byte counts. (x AND extended clears, x OR extended sets the
  // top byte.)
  if (tbi == 1) return e.and_(target, e.or_(extended, e.ir.i64(ones(56))));
  return e.or_(target, e.and_(extended, e.ir.i64(~ones(56))));
}

// PSTATE.BTYPE after an indirect branch.
constexpr u32 kBtypeJump = 1, kBtypeCall = 2, kBtypeGuardedJump = 3;
void set_btype(Emitter& e, u32 btype) {
  if (e.features.has(Feature::BTI)) e.ir.set_state(u32(offsetof(PeState, btype)), e.ir.i32(btype));
}

void jump(Emitter& e, Reg n, Value target) {
  bool veneer_register = n.n == 16 || n.n == 17;
  set_btype(e, e.mode.get<Mode::Guarded>() && !veneer_register ? kBtypeGuardedJump : kBtypeJump);
  e.branch_indirect(branch_address(e, target), IndirectKind::Jump);
}
void call(Emitter& e, Value target) {
  set_btype(e, kBtypeCall);
  Value address = branch_address(e, target);
  e.X(kLink, e.ir.i64(e.pc + 4));
  e.branch_indirect(address, IndirectKind::Call);
}

void BR(Emitter& e, Reg Rn) { jump(e, Rn, e.X(Rn)); }
void BLR(Emitter& e, Reg Rn) { call(e, e.X(Rn)); }
void RET(Emitter& e, Reg Rn) { e.branch_indirect(branch_address(e, e.X(Rn)), IndirectKind::Return); }

KeyName instruction_key(bool M) { return M ? KeyName::IB : KeyName::IA; }

void BRAZ(Emitter& e, bool M, Reg Rn) {
  jump(e, Rn, authenticate(e, instruction_key(M), e.X(Rn), e.ir.i64(0)));
}
void BLRAZ(Emitter& e, bool M, Reg Rn) { call(e, authenticate(e, instruction_key(M), e.X(Rn), e.ir.i64(0))); }
void BRA(Emitter& e, bool M, Reg Rn, Reg Rm) {
  jump(e, Rn, authenticate(e, instruction_key(M), e.X(Rn), e.XSP(true, Rm)));
}
void BLRA(Emitter& e, bool M, Reg Rn, Reg Rm) {
  call(e, authenticate(e, instruction_key(M), e.X(Rn), e.XSP(true, Rm)));
}
void RETA(Emitter& e, bool M) {
  Value target = authenticate(e, instruction_key(M), e.X(kLink), e.XSP(true, kStackPointer));
  e.branch_indirect(branch_address(e, target), IndirectKind::Return);
}

constexpr Insn kRows[] = {
    insn<"0 00101 imm26:26", B>("B", "<pc0:26>"),
    insn<"1 00101 imm26:26", BL>("BL", "<pc0:26>"),
    insn<"0101010 0 imm19:19 0 cond:4", B_cond>("B", "<pc5:19>"),
    insn<"sf 011010 0 imm19:19 Rt:5", CBZ>("CBZ", "<Rd>, <pc5:19>"),
    insn<"sf 011010 1 imm19:19 Rt:5", CBNZ>("CBNZ", "<Rd>, <pc5:19>"),
    insn<"b5 011011 0 b40:5 imm14:14 Rt:5", test_bit<false>>("TBZ", ""),
    insn<"b5 011011 1 b40:5 imm14:14 Rt:5", test_bit<true>>("TBNZ", ""),
    insn<"1101011 0000 11111 000000 Rn:5 00000", BR>("BR", "<Xn>"),
    insn<"1101011 0001 11111 000000 Rn:5 00000", BLR>("BLR", "<Xn>"),
    insn<"1101011 0010 11111 000000 Rn:5 00000", RET>("RET", "<Xn>"),
    insn<"1101011 0000 11111 00001 M Rn:5 11111", BRAZ>("BRA<ab10>Z", "<Xn>", Feature::PAuth),
    insn<"1101011 0001 11111 00001 M Rn:5 11111", BLRAZ>("BLRA<ab10>Z", "<Xn>", Feature::PAuth),
    insn<"1101011 0010 11111 00001 M 11111 11111", RETA>("RETA<ab10>", "", Feature::PAuth),
    insn<"1101011 1000 11111 00001 M Rn:5 Rm:5", BRA>("BRA<ab10>", "<Xn>, <Xd|SP>", Feature::PAuth),
    insn<"1101011 1001 11111 00001 M Rn:5 Rm:5", BLRA>("BLRA<ab10>", "<Xn>, <Xd|SP>", Feature::PAuth),
};

}  // namespace

const Group kBranches{"Branches", kRows, false};

}  // namespace sluice::cpu::a64
