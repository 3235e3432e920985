// cpu/a64/fp_data_processing.cpp: Arm ARM, "Floating-point data-processing" with one, two and three sources,
// "Floating-point immediate" and "Floating-point conditional select".
#include "cpu/a64/fp_immediate.h"
#include "cpu/a64/fp_type.h"
#include "cpu/a64/groups.h"
#include "cpu/a64/simd_support.h"
#include "tcg/ir/fp_conversion.h"

namespace sluice::cpu::a64 {
namespace {

using tcg::ir::FpConversion;
constexpr std::string_view kFdFn = "<Fd>, <Fn>", kFdFnFm = "<Fd>, <Fn>, <Fm>";

template <Op op>
void unary(Emitter& e, Imm<2> ptype, Reg Rn, Reg Rd) {
  const FpType type = fp_type(e, ptype);
  if (!type) return e.unallocated();
  e.V(Rd, vec(e, op, {e.V(Rn)}, type.esize, 0, 1));
}
template <Op op>
void binary(Emitter& e, Imm<2> ptype, Reg Rm, Reg Rn, Reg Rd) {
  const FpType type = fp_type(e, ptype);
  if (!type) return e.unallocated();
  e.V(Rd, vec(e, op, {e.V(Rn), e.V(Rm)}, type.esize, 0, 1));
}
void FNMUL(Emitter& e, Imm<2> ptype, Reg Rm, Reg Rn, Reg Rd) {
  const FpType type = fp_type(e, ptype);
  if (!type) return e.unallocated();
  Value product = vec(e, Op::FMul, {e.V(Rn), e.V(Rm)}, type.esize, 0, 1);
  e.V(Rd, vec(e, Op::FNeg, {product}, type.esize, 0, 1));
}
// negated: imm of the op FMulAdd.
template <u64 negated>
void multiply_add(Emitter& e, Imm<2> ptype, Reg Rm, Reg Ra, Reg Rn, Reg Rd) {
  const FpType type = fp_type(e, ptype);
  if (!type) return e.unallocated();
  e.V(Rd, vec(e, Op::FMulAdd, {e.V(Ra), e.V(Rn), e.V(Rm)}, type.esize, negated, 1));
}
void FMOV_register(Emitter& e, Imm<2> ptype, Reg Rn, Reg Rd) {
  const FpType type = fp_type(e, ptype);
  if (!type) return e.unallocated();
  e.V(Rd, vec(e, Op::VLowLane, {e.V(Rn)}, type.esize));
}
void FMOV_immediate(Emitter& e, Imm<2> ptype, Imm<8> imm8, Reg Rd) {
  const FpType type = fp_type(e, ptype);
  if (!type) return e.unallocated();
  e.V(Rd, vec(e, Op::VConst, {}, 0, expand_fp_immediate(u8(imm8), type.esize)));
}
void FCSEL(Emitter& e, Imm<2> ptype, Reg Rm, Imm<4> cond, Reg Rn, Reg Rd) {
  const FpType type = fp_type(e, ptype);
  if (!type) return e.unallocated();
  Value v = vec(e, Op::VSelectCondition, {e.V(Rn), e.V(Rm), e.flags()}, 0, 0, cond);
  e.V(Rd, vec(e, Op::VLowLane, {v}, type.esize));
}
// FCVT: between all pairs of formats; half needs no feature here.
void FCVT(Emitter& e, Imm<2> ptype, Imm<2> opc, Reg Rn, Reg Rd) {
  if (ptype == opc || ptype == 2 || opc == 2) return e.unallocated();
  e.V(Rd, vec(e, Op::FConvert, {e.V(Rn)}, esize_of_ptype(ptype), esize_of_ptype(opc), 1));
}
template <u8 rounding, bool exact = false>
void round_int(Emitter& e, Imm<2> ptype, Reg Rn, Reg Rd) {
  constexpr FpConversion c{.rounding = rounding, .exact = exact};
  const FpType type = fp_type(e, ptype);
  if (!type) return e.unallocated();
  e.V(Rd, vec(e, Op::FRoundInt, {e.V(Rn)}, type.esize, c.pack(), 1));
}
template <u8 rounding, u8 size>
void round_int_sized(Emitter& e, Imm<2> ptype, Reg Rn, Reg Rd) {
  constexpr FpConversion c{.rounding = rounding, .size = size};
  if (ptype > 1) return e.unallocated();
  e.V(Rd, vec(e, Op::FRoundIntSized, {e.V(Rn)}, esize_of_ptype(ptype), c.pack(), 1));
}

// clang-format off
constexpr Insn kRows[] = {
    insn<"000 11110 ptype:2 1 000000 10000 Rn:5 Rd:5", FMOV_register>("FMOV", kFdFn),
    insn<"000 11110 ptype:2 1 000001 10000 Rn:5 Rd:5", unary<Op::FAbs>>("FABS", kFdFn),
    insn<"000 11110 ptype:2 1 000010 10000 Rn:5 Rd:5", unary<Op::FNeg>>("FNEG", kFdFn),
    insn<"000 11110 ptype:2 1 000011 10000 Rn:5 Rd:5", unary<Op::FSqrt>>("FSQRT", kFdFn),
    insn<"000 11110 ptype:2 1 0001 opc:2 10000 Rn:5 Rd:5", FCVT>("FCVT", "<G15>, <Fn>"),
    insn<"000 11110 ptype:2 1 001000 10000 Rn:5 Rd:5", round_int<0>>("FRINTN", kFdFn),
    insn<"000 11110 ptype:2 1 001001 10000 Rn:5 Rd:5", round_int<1>>("FRINTP", kFdFn),
    insn<"000 11110 ptype:2 1 001010 10000 Rn:5 Rd:5", round_int<2>>("FRINTM", kFdFn),
    insn<"000 11110 ptype:2 1 001011 10000 Rn:5 Rd:5", round_int<3>>("FRINTZ", kFdFn),
    insn<"000 11110 ptype:2 1 001100 10000 Rn:5 Rd:5", round_int<FpConversion::kTieAway>>("FRINTA", kFdFn),
    insn<"000 11110 ptype:2 1 001110 10000 Rn:5 Rd:5", round_int<FpConversion::kFpcr, true>>("FRINTX", kFdFn),
    insn<"000 11110 ptype:2 1 001111 10000 Rn:5 Rd:5", round_int<FpConversion::kFpcr>>("FRINTI", kFdFn),
    insn<"000 11110 ptype:2 1 010000 10000 Rn:5 Rd:5", round_int_sized<3, 32>>(
        "FRINT32Z", kFdFn, Feature::FRINTTS),
    insn<"000 11110 ptype:2 1 010001 10000 Rn:5 Rd:5", round_int_sized<FpConversion::kFpcr, 32>>(
        "FRINT32X", kFdFn, Feature::FRINTTS),
    insn<"000 11110 ptype:2 1 010010 10000 Rn:5 Rd:5", round_int_sized<3, 64>>(
        "FRINT64Z", kFdFn, Feature::FRINTTS),
    insn<"000 11110 ptype:2 1 010011 10000 Rn:5 Rd:5", round_int_sized<FpConversion::kFpcr, 64>>(
        "FRINT64X", kFdFn, Feature::FRINTTS),
    insn<"000 11110 ptype:2 1 Rm:5 0000 10 Rn:5 Rd:5", binary<Op::FMul>>("FMUL", kFdFnFm),
    insn<"000 11110 ptype:2 1 Rm:5 0001 10 Rn:5 Rd:5", binary<Op::FDiv>>("FDIV", kFdFnFm),
    insn<"000 11110 ptype:2 1 Rm:5 0010 10 Rn:5 Rd:5", binary<Op::FAdd>>("FADD", kFdFnFm),
    insn<"000 11110 ptype:2 1 Rm:5 0011 10 Rn:5 Rd:5", binary<Op::FSub>>("FSUB", kFdFnFm),
    insn<"000 11110 ptype:2 1 Rm:5 0100 10 Rn:5 Rd:5", binary<Op::FMax>>("FMAX", kFdFnFm),
    insn<"000 11110 ptype:2 1 Rm:5 0101 10 Rn:5 Rd:5", binary<Op::FMin>>("FMIN", kFdFnFm),
    insn<"000 11110 ptype:2 1 Rm:5 0110 10 Rn:5 Rd:5", binary<Op::FMaxNum>>("FMAXNM", kFdFnFm),
    insn<"000 11110 ptype:2 1 Rm:5 0111 10 Rn:5 Rd:5", binary<Op::FMinNum>>("FMINNM", kFdFnFm),
    insn<"000 11110 ptype:2 1 Rm:5 1000 10 Rn:5 Rd:5", FNMUL>("FNMUL", kFdFnFm),
    insn<"000 11111 ptype:2 0 Rm:5 0 Ra:5 Rn:5 Rd:5", multiply_add<0>>("FMADD", "<Fd>, <Fn>, <Fm>, <Fa>"),
    insn<"000 11111 ptype:2 0 Rm:5 1 Ra:5 Rn:5 Rd:5", multiply_add<2>>("FMSUB", "<Fd>, <Fn>, <Fm>, <Fa>"),
    insn<"000 11111 ptype:2 1 Rm:5 0 Ra:5 Rn:5 Rd:5", multiply_add<3>>("FNMADD", "<Fd>, <Fn>, <Fm>, <Fa>"),
    insn<"000 11111 ptype:2 1 Rm:5 1 Ra:5 Rn:5 Rd:5", multiply_add<1>>("FNMSUB", "<Fd>, <Fn>, <Fm>, <Fa>"),
    insn<"000 11110 ptype:2 1 imm8:8 100 00000 Rd:5", FMOV_immediate>("FMOV", "<Fd>, <fimm>"),
    insn<"000 11110 ptype:2 1 Rm:5 cond:4 11 Rn:5 Rd:5", FCSEL>("FCSEL", "<Fd>, <Fn>, <Fm>, <cond>"),
};
// clang-format on

}  // namespace

const Group kFpDataProcessing{"Floating-point data-processing", kRows, true};

}  // namespace sluice::cpu::a64
