// cpu/a64/fp_compare.cpp: Arm ARM, "Floating-point compare" and "Floating-point conditional compare".
#include "cpu/a64/fp_type.h"
#include "cpu/a64/groups.h"
#include "cpu/a64/simd_support.h"

namespace sluice::cpu::a64 {
namespace {

// FCMP, FCMPE: with V[m], or with +0.0 (then Rm is ignored).
template <bool with_zero, u64 signal_nans>
void compare(Emitter& e, Imm<2> ptype, Reg Rm, Reg Rn) {
  const FpType type = fp_type(e, ptype);
  if (!type) return e.unallocated();
  Value m = with_zero ? vec_zero(e) : e.V(Rm);
  e.flags(e.ir.emit(Op::FCompare, Type::Flags, {e.V(Rn), m}, signal_nans, u8(type.esize), 1));
}
// FCCMP, FCCMPE: if the condition fails, nothing is compared and nothing is raised.
template <u64 signal_nans>
void conditional_compare(Emitter& e, Imm<2> ptype, Reg Rm, Imm<4> cond, Reg Rn, Imm<4> nzcv) {
  const FpType type = fp_type(e, ptype);
  if (!type) return e.unallocated();
  const u64 imm = signal_nans | u64(nzcv) << 8;
  e.flags(
      e.ir.emit(Op::FCondCompare, Type::Flags, {e.V(Rn), e.V(Rm), e.flags()}, imm, u8(type.esize), u8(cond)));
}

// clang-format off
constexpr Insn kRows[] = {
    insn<"000 11110 ptype:2 1 Rm:5 00 1000 Rn:5 00 000", compare<false, 0>>("FCMP", "<Fn>, <Fm>"),
    insn<"000 11110 ptype:2 1 Rm:5 00 1000 Rn:5 01 000", compare<true, 0>>("FCMP", "<Fn>, #0.0"),
    insn<"000 11110 ptype:2 1 Rm:5 00 1000 Rn:5 10 000", compare<false, 1>>("FCMPE", "<Fn>, <Fm>"),
    insn<"000 11110 ptype:2 1 Rm:5 00 1000 Rn:5 11 000", compare<true, 1>>("FCMPE", "<Fn>, #0.0"),
    insn<"000 11110 ptype:2 1 Rm:5 cond:4 01 Rn:5 0 nzcv:4", conditional_compare<0>>(
        "FCCMP", "<Fn>, <Fm>, <u0:4>, <cond>"),
    insn<"000 11110 ptype:2 1 Rm:5 cond:4 01 Rn:5 1 nzcv:4", conditional_compare<1>>(
        "FCCMPE", "<Fn>, <Fm>, <u0:4>, <cond>"),
};
// clang-format on

}  // namespace

const Group kFpCompare{"Floating-point compare", kRows, true};

}  // namespace sluice::cpu::a64
