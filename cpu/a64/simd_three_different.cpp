// cpu/a64/simd_three_different.cpp: Arm ARM, "Advanced SIMD three different" and its scalar form. Q selects
// the half of the narrow operands or of the narrow result (the mnemonics that end in 2).
#include "cpu/a64/groups.h"
#include "cpu/a64/simd_support.h"

namespace sluice::cpu::a64 {
namespace {

constexpr std::string_view kLong = "<Vd.w>, <Vn.i>, <Vm.i>", kWide = "<Vd.w>, <Vn.w>, <Vm.i>",
                           kHighNarrow = "<Vd.i>, <Vn.w>, <Vm.w>";

template <Op extend, Op op>
void long_(Emitter& e, bool Q, Imm<2> size, Reg Rm, Reg Rn, Reg Rd) {
  if (size == 3) return e.unallocated();
  Value n = vec(e, extend, {e.V(Rn)}, size, Q), m = vec(e, extend, {e.V(Rm)}, size, Q);
  e.V(Rd, vec(e, op, {n, m}, size + 1));
}
template <Op extend, Op op>
void wide(Emitter& e, bool Q, Imm<2> size, Reg Rm, Reg Rn, Reg Rd) {
  if (size == 3) return e.unallocated();
  Value m = vec(e, extend, {e.V(Rm)}, size, Q);
  e.V(Rd, vec(e, op, {e.V(Rn), m}, size + 1));
}
template <Op extend, Op op>
void absolute_difference_accumulate(Emitter& e, bool Q, Imm<2> size, Reg Rm, Reg Rn, Reg Rd) {
  if (size == 3) return e.unallocated();
  Value n = vec(e, extend, {e.V(Rn)}, size, Q), m = vec(e, extend, {e.V(Rm)}, size, Q);
  e.V(Rd, vec(e, Op::VAdd, {e.V(Rd), vec(e, op, {n, m}, size + 1)}, size + 1));
}
template <Op op, Op shift>
void narrow_high(Emitter& e, bool Q, Imm<2> size, Reg Rm, Reg Rn, Reg Rd) {
  if (size == 3) return e.unallocated();
  Value sum = vec(e, op, {e.V(Rn), e.V(Rm)}, size + 1);
  Value high = vec(e, shift, {sum}, size + 1, bits_of_lane(size));
  write_narrow(e, Q, Rd, vec(e, Op::VNarrow, {high}, size));
}
template <Op op>
void multiply(Emitter& e, bool Q, Imm<2> size, Reg Rm, Reg Rn, Reg Rd) {
  if (size == 3) return e.unallocated();
  e.V(Rd, vec(e, op, {e.V(Rn), e.V(Rm)}, size, Q));
}
template <Op op, Op accumulate>
void multiply_accumulate(Emitter& e, bool Q, Imm<2> size, Reg Rm, Reg Rn, Reg Rd) {
  if (size == 3) return e.unallocated();
  Value product = vec(e, op, {e.V(Rn), e.V(Rm)}, size, Q);
  e.V(Rd, vec(e, accumulate, {e.V(Rd), product}, size + 1));
}
void PMULL(Emitter& e, bool Q, Imm<2> size, Reg Rm, Reg Rn, Reg Rd) {
  if (size == 1 || size == 2 || (size == 3 && !e.features.has(Feature::PMULL))) return e.unallocated();
  e.V(Rd, vec(e, Op::VPMulLong, {e.V(Rn), e.V(Rm)}, size, Q));
}

Value doubling_product(Emitter& e, Lanes l, bool high, Reg Rm, Reg Rn) {
  return vec(e, Op::VSqDMulLong, {e.V(Rn), e.V(Rm)}, l.esize, high, l.count);
}
void doubling(Emitter& e, Lanes l, bool high, Reg Rm, Reg Rn, Reg Rd) {
  e.V(Rd, doubling_product(e, l, high, Rm, Rn));
}
template <Op accumulate>
void doubling_accumulate(Emitter& e, Lanes l, bool high, Reg Rm, Reg Rn, Reg Rd) {
  Value product = doubling_product(e, l, high, Rm, Rn);
  e.V(Rd, vec(e, accumulate, {e.V(Rd), product}, l.esize + 1, 0, l.count));
}
template <auto Body>
void vector(Emitter& e, bool Q, Imm<2> size, Reg Rm, Reg Rn, Reg Rd) {
  if (size == 0 || size == 3) return e.unallocated();
  Body(e, {size, lanes_of_half(size)}, Q, Rm, Rn, Rd);
}
template <auto Body>
void scalar(Emitter& e, Imm<2> size, Reg Rm, Reg Rn, Reg Rd) {
  if (size == 0 || size == 3) return e.unallocated();
  Body(e, {size, 1}, false, Rm, Rn, Rd);
}

// clang-format off
constexpr Insn kVectorRows[] = {
    insn<"0 Q 0 01110 size:2 1 Rm:5 0000 00 Rn:5 Rd:5", long_<Op::VSignExtend, Op::VAdd>>("SADDL", kLong),
    insn<"0 Q 0 01110 size:2 1 Rm:5 0001 00 Rn:5 Rd:5", wide<Op::VSignExtend, Op::VAdd>>("SADDW", kWide),
    insn<"0 Q 0 01110 size:2 1 Rm:5 0010 00 Rn:5 Rd:5", long_<Op::VSignExtend, Op::VSub>>("SSUBL", kLong),
    insn<"0 Q 0 01110 size:2 1 Rm:5 0011 00 Rn:5 Rd:5", wide<Op::VSignExtend, Op::VSub>>("SSUBW", kWide),
    insn<"0 Q 0 01110 size:2 1 Rm:5 0101 00 Rn:5 Rd:5",
         absolute_difference_accumulate<Op::VSignExtend, Op::VSAbd>>(
        "SABAL", kLong),
    insn<"0 Q 0 01110 size:2 1 Rm:5 0111 00 Rn:5 Rd:5", long_<Op::VSignExtend, Op::VSAbd>>("SABDL", kLong),
    insn<"0 Q 0 01110 size:2 1 Rm:5 1000 00 Rn:5 Rd:5", multiply_accumulate<Op::VSMulLong, Op::VAdd>>(
        "SMLAL", kLong),
    insn<"0 Q 0 01110 size:2 1 Rm:5 1010 00 Rn:5 Rd:5", multiply_accumulate<Op::VSMulLong, Op::VSub>>(
        "SMLSL", kLong),
    insn<"0 Q 0 01110 size:2 1 Rm:5 1100 00 Rn:5 Rd:5", multiply<Op::VSMulLong>>("SMULL", kLong),
    insn<"0 Q 1 01110 size:2 1 Rm:5 0000 00 Rn:5 Rd:5", long_<Op::VZeroExtend, Op::VAdd>>("UADDL", kLong),
    insn<"0 Q 1 01110 size:2 1 Rm:5 0001 00 Rn:5 Rd:5", wide<Op::VZeroExtend, Op::VAdd>>("UADDW", kWide),
    insn<"0 Q 1 01110 size:2 1 Rm:5 0010 00 Rn:5 Rd:5", long_<Op::VZeroExtend, Op::VSub>>("USUBL", kLong),
    insn<"0 Q 1 01110 size:2 1 Rm:5 0011 00 Rn:5 Rd:5", wide<Op::VZeroExtend, Op::VSub>>("USUBW", kWide),
    insn<"0 Q 1 01110 size:2 1 Rm:5 0101 00 Rn:5 Rd:5",
         absolute_difference_accumulate<Op::VZeroExtend, Op::VUAbd>>(
        "UABAL", kLong),
    insn<"0 Q 1 01110 size:2 1 Rm:5 0111 00 Rn:5 Rd:5", long_<Op::VZeroExtend, Op::VUAbd>>("UABDL", kLong),
    insn<"0 Q 1 01110 size:2 1 Rm:5 1000 00 Rn:5 Rd:5", multiply_accumulate<Op::VUMulLong, Op::VAdd>>(
        "UMLAL", kLong),
    insn<"0 Q 1 01110 size:2 1 Rm:5 1010 00 Rn:5 Rd:5", multiply_accumulate<Op::VUMulLong, Op::VSub>>(
        "UMLSL", kLong),
    insn<"0 Q 1 01110 size:2 1 Rm:5 1100 00 Rn:5 Rd:5", multiply<Op::VUMulLong>>("UMULL", kLong),
    insn<"0 Q 0 01110 size:2 1 Rm:5 0100 00 Rn:5 Rd:5", narrow_high<Op::VAdd, Op::VUShrImm>>(
        "ADDHN", kHighNarrow),
    insn<"0 Q 1 01110 size:2 1 Rm:5 0100 00 Rn:5 Rd:5", narrow_high<Op::VAdd, Op::VURShrImm>>(
        "RADDHN", kHighNarrow),
    insn<"0 Q 0 01110 size:2 1 Rm:5 0110 00 Rn:5 Rd:5", narrow_high<Op::VSub, Op::VUShrImm>>(
        "SUBHN", kHighNarrow),
    insn<"0 Q 1 01110 size:2 1 Rm:5 0110 00 Rn:5 Rd:5", narrow_high<Op::VSub, Op::VURShrImm>>(
        "RSUBHN", kHighNarrow),
    insn<"0 Q 0 01110 size:2 1 Rm:5 1001 00 Rn:5 Rd:5", vector<doubling_accumulate<Op::VSqAdd>>>(
        "SQDMLAL", kLong),
    insn<"0 Q 0 01110 size:2 1 Rm:5 1011 00 Rn:5 Rd:5", vector<doubling_accumulate<Op::VSqSub>>>(
        "SQDMLSL", kLong),
    insn<"0 Q 0 01110 size:2 1 Rm:5 1101 00 Rn:5 Rd:5", vector<doubling>>("SQDMULL", kLong),
    insn<"0 Q 0 01110 size:2 1 Rm:5 1110 00 Rn:5 Rd:5", PMULL>("PMULL", kLong),
};
// clang-format on
// clang-format off
constexpr Insn kScalarRows[] = {
    insn<"01 0 11110 size:2 1 Rm:5 1001 00 Rn:5 Rd:5", scalar<doubling_accumulate<Op::VSqAdd>>>(
        "SQDMLAL", "<Ed.w>, <En.i>, <Em.i>"),
    insn<"01 0 11110 size:2 1 Rm:5 1011 00 Rn:5 Rd:5", scalar<doubling_accumulate<Op::VSqSub>>>(
        "SQDMLSL", "<Ed.w>, <En.i>, <Em.i>"),
    insn<"01 0 11110 size:2 1 Rm:5 1101 00 Rn:5 Rd:5", scalar<doubling>>("SQDMULL", "<Ed.w>, <En.i>, <Em.i>"),
};
// clang-format on

}  // namespace

const Group kSimdThreeDifferent{"Advanced SIMD three different", kVectorRows, true};
const Group kSimdScalarThreeDifferent{"Advanced SIMD scalar three different", kScalarRows, true};

}  // namespace sluice::cpu::a64
