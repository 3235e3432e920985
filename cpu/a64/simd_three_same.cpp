// cpu/a64/simd_three_same.cpp: Arm ARM, "Advanced SIMD three same" and "Advanced SIMD scalar three same",
// integer part.
#include "cpu/a64/groups.h"
#include "cpu/a64/simd_support.h"

namespace sluice::cpu::a64 {
namespace {

constexpr std::string_view kBytes = "<Vd.b>, <Vn.b>, <Vm.b>";

template <Op op, unsigned Allowed>
void three_same(Emitter& e, bool Q, Imm<2> size, Reg Rm, Reg Rn, Reg Rd) {
  if (reserved(size, Q, Allowed)) return e.unallocated();
  write(e, Q, Rd, vec(e, op, {e.V(Rn), e.V(Rm)}, size));
}
// Ops that take the number of lanes: saturating and pairwise ones.
template <Op op, unsigned Allowed>
void three_same_counted(Emitter& e, bool Q, Imm<2> size, Reg Rm, Reg Rn, Reg Rd) {
  if (reserved(size, Q, Allowed)) return e.unallocated();
  e.V(Rd, vec(e, op, {e.V(Rn), e.V(Rm)}, size, 0, lane_count(Q, size)));
}
// V[d] = V[d] +- (V[n] op V[m])
template <Op op, Op accumulate>
void three_same_accumulate(Emitter& e, bool Q, Imm<2> size, Reg Rm, Reg Rn, Reg Rd) {
  if (reserved(size, Q, kBHS)) return e.unallocated();
  Value v = vec(e, op, {e.V(Rn), e.V(Rm)}, size);
  write(e, Q, Rd, vec(e, accumulate, {e.V(Rd), v}, size));
}
template <Op op>
void scalar_three_same(Emitter& e, Reg Rm, Reg Rn, Reg Rd) {
  write(e, false, Rd, vec(e, op, {e.V(Rn), e.V(Rm)}, 3));
}
template <Op op, unsigned Allowed>
void scalar_three_same_counted(Emitter& e, Imm<2> size, Reg Rm, Reg Rn, Reg Rd) {
  if (!(Allowed >> size & 1)) return e.unallocated();
  e.V(Rd, vec(e, op, {e.V(Rn), e.V(Rm)}, size, 0, 1));
}

template <Op op>
void bitwise(Emitter& e, bool Q, Reg Rm, Reg Rn, Reg Rd) {
  write(e, Q, Rd, vec(e, op, {e.V(Rn), e.V(Rm)}));
}
void ORR_vector(Emitter& e, bool Q, Reg Rm, Reg Rn, Reg Rd) {
  if (Rn.n == Rm.n) return write(e, Q, Rd, e.V(Rn));  // MOV
  bitwise<Op::VOr>(e, Q, Rm, Rn, Rd);
}
// Where the mask is 1 the first, where it is 0 the second operand of VSelect.
void BSL(Emitter& e, bool Q, Reg Rm, Reg Rn, Reg Rd) {
  write(e, Q, Rd, vec(e, Op::VSelect, {e.V(Rn), e.V(Rm), e.V(Rd)}));
}
void BIT(Emitter& e, bool Q, Reg Rm, Reg Rn, Reg Rd) {
  write(e, Q, Rd, vec(e, Op::VSelect, {e.V(Rn), e.V(Rd), e.V(Rm)}));
}
void BIF(Emitter& e, bool Q, Reg Rm, Reg Rn, Reg Rd) {
  write(e, Q, Rd, vec(e, Op::VSelect, {e.V(Rd), e.V(Rn), e.V(Rm)}));
}

// clang-format off
constexpr Insn kVectorRows[] = {
    insn<"0 Q 0 01110 size:2 1 Rm:5 00000 1 Rn:5 Rd:5", three_same<Op::VSHAdd, kBHS>>("SHADD", kVdVnVm),
    insn<"0 Q 1 01110 size:2 1 Rm:5 00000 1 Rn:5 Rd:5", three_same<Op::VUHAdd, kBHS>>("UHADD", kVdVnVm),
    insn<"0 Q 0 01110 size:2 1 Rm:5 00010 1 Rn:5 Rd:5", three_same<Op::VSRHAdd, kBHS>>("SRHADD", kVdVnVm),
    insn<"0 Q 1 01110 size:2 1 Rm:5 00010 1 Rn:5 Rd:5", three_same<Op::VURHAdd, kBHS>>("URHADD", kVdVnVm),
    insn<"0 Q 0 01110 size:2 1 Rm:5 00100 1 Rn:5 Rd:5", three_same<Op::VSHSub, kBHS>>("SHSUB", kVdVnVm),
    insn<"0 Q 1 01110 size:2 1 Rm:5 00100 1 Rn:5 Rd:5", three_same<Op::VUHSub, kBHS>>("UHSUB", kVdVnVm),
    insn<"0 Q 0 01110 size:2 1 Rm:5 00110 1 Rn:5 Rd:5", three_same<Op::VCmpGtS, kBHSD>>("CMGT", kVdVnVm),
    insn<"0 Q 1 01110 size:2 1 Rm:5 00110 1 Rn:5 Rd:5", three_same<Op::VCmpGtU, kBHSD>>("CMHI", kVdVnVm),
    insn<"0 Q 0 01110 size:2 1 Rm:5 00111 1 Rn:5 Rd:5", three_same<Op::VCmpGeS, kBHSD>>("CMGE", kVdVnVm),
    insn<"0 Q 1 01110 size:2 1 Rm:5 00111 1 Rn:5 Rd:5", three_same<Op::VCmpGeU, kBHSD>>("CMHS", kVdVnVm),
    insn<"0 Q 0 01110 size:2 1 Rm:5 01000 1 Rn:5 Rd:5", three_same<Op::VSShl, kBHSD>>("SSHL", kVdVnVm),
    insn<"0 Q 1 01110 size:2 1 Rm:5 01000 1 Rn:5 Rd:5", three_same<Op::VUShl, kBHSD>>("USHL", kVdVnVm),
    insn<"0 Q 0 01110 size:2 1 Rm:5 01010 1 Rn:5 Rd:5", three_same<Op::VSRShl, kBHSD>>("SRSHL", kVdVnVm),
    insn<"0 Q 1 01110 size:2 1 Rm:5 01010 1 Rn:5 Rd:5", three_same<Op::VURShl, kBHSD>>("URSHL", kVdVnVm),
    insn<"0 Q 0 01110 size:2 1 Rm:5 01100 1 Rn:5 Rd:5", three_same<Op::VSMax, kBHS>>("SMAX", kVdVnVm),
    insn<"0 Q 1 01110 size:2 1 Rm:5 01100 1 Rn:5 Rd:5", three_same<Op::VUMax, kBHS>>("UMAX", kVdVnVm),
    insn<"0 Q 0 01110 size:2 1 Rm:5 01101 1 Rn:5 Rd:5", three_same<Op::VSMin, kBHS>>("SMIN", kVdVnVm),
    insn<"0 Q 1 01110 size:2 1 Rm:5 01101 1 Rn:5 Rd:5", three_same<Op::VUMin, kBHS>>("UMIN", kVdVnVm),
    insn<"0 Q 0 01110 size:2 1 Rm:5 01110 1 Rn:5 Rd:5", three_same<Op::VSAbd, kBHS>>("SABD", kVdVnVm),
    insn<"0 Q 1 01110 size:2 1 Rm:5 01110 1 Rn:5 Rd:5", three_same<Op::VUAbd, kBHS>>("UABD", kVdVnVm),
    insn<"0 Q 0 01110 size:2 1 Rm:5 10000 1 Rn:5 Rd:5", three_same<Op::VAdd, kBHSD>>("ADD", kVdVnVm),
    insn<"0 Q 1 01110 size:2 1 Rm:5 10000 1 Rn:5 Rd:5", three_same<Op::VSub, kBHSD>>("SUB", kVdVnVm),
    insn<"0 Q 0 01110 size:2 1 Rm:5 10001 1 Rn:5 Rd:5", three_same<Op::VCmpTest, kBHSD>>("CMTST", kVdVnVm),
    insn<"0 Q 1 01110 size:2 1 Rm:5 10001 1 Rn:5 Rd:5", three_same<Op::VCmpEq, kBHSD>>("CMEQ", kVdVnVm),
    insn<"0 Q 0 01110 size:2 1 Rm:5 10011 1 Rn:5 Rd:5", three_same<Op::VMul, kBHS>>("MUL", kVdVnVm),
    insn<"0 Q 1 01110 size:2 1 Rm:5 10011 1 Rn:5 Rd:5", three_same<Op::VPMul, kB>>("PMUL", kVdVnVm),
    insn<"0 Q 0 01110 size:2 1 Rm:5 00001 1 Rn:5 Rd:5", three_same_counted<Op::VSqAdd, kBHSD>>(
        "SQADD", kVdVnVm),
    insn<"0 Q 1 01110 size:2 1 Rm:5 00001 1 Rn:5 Rd:5", three_same_counted<Op::VUqAdd, kBHSD>>(
        "UQADD", kVdVnVm),
    insn<"0 Q 0 01110 size:2 1 Rm:5 00101 1 Rn:5 Rd:5", three_same_counted<Op::VSqSub, kBHSD>>(
        "SQSUB", kVdVnVm),
    insn<"0 Q 1 01110 size:2 1 Rm:5 00101 1 Rn:5 Rd:5", three_same_counted<Op::VUqSub, kBHSD>>(
        "UQSUB", kVdVnVm),
    insn<"0 Q 0 01110 size:2 1 Rm:5 01001 1 Rn:5 Rd:5", three_same_counted<Op::VSqShl, kBHSD>>(
        "SQSHL", kVdVnVm),
    insn<"0 Q 1 01110 size:2 1 Rm:5 01001 1 Rn:5 Rd:5", three_same_counted<Op::VUqShl, kBHSD>>(
        "UQSHL", kVdVnVm),
    insn<"0 Q 0 01110 size:2 1 Rm:5 01011 1 Rn:5 Rd:5", three_same_counted<Op::VSqRShl, kBHSD>>(
        "SQRSHL", kVdVnVm),
    insn<"0 Q 1 01110 size:2 1 Rm:5 01011 1 Rn:5 Rd:5", three_same_counted<Op::VUqRShl, kBHSD>>(
        "UQRSHL", kVdVnVm),
    insn<"0 Q 0 01110 size:2 1 Rm:5 10110 1 Rn:5 Rd:5", three_same_counted<Op::VSqDMulHigh, kHS>>(
        "SQDMULH", kVdVnVm),
    insn<"0 Q 1 01110 size:2 1 Rm:5 10110 1 Rn:5 Rd:5", three_same_counted<Op::VSqRDMulHigh, kHS>>(
        "SQRDMULH", kVdVnVm),
    insn<"0 Q 0 01110 size:2 1 Rm:5 10111 1 Rn:5 Rd:5", three_same_counted<Op::VAddPair, kBHSD>>(
        "ADDP", kVdVnVm),
    insn<"0 Q 0 01110 size:2 1 Rm:5 10100 1 Rn:5 Rd:5", three_same_counted<Op::VSMaxPair, kBHS>>(
        "SMAXP", kVdVnVm),
    insn<"0 Q 1 01110 size:2 1 Rm:5 10100 1 Rn:5 Rd:5", three_same_counted<Op::VUMaxPair, kBHS>>(
        "UMAXP", kVdVnVm),
    insn<"0 Q 0 01110 size:2 1 Rm:5 10101 1 Rn:5 Rd:5", three_same_counted<Op::VSMinPair, kBHS>>(
        "SMINP", kVdVnVm),
    insn<"0 Q 1 01110 size:2 1 Rm:5 10101 1 Rn:5 Rd:5", three_same_counted<Op::VUMinPair, kBHS>>(
        "UMINP", kVdVnVm),
    insn<"0 Q 0 01110 size:2 1 Rm:5 10010 1 Rn:5 Rd:5", three_same_accumulate<Op::VMul, Op::VAdd>>(
        "MLA", kVdVnVm),
    insn<"0 Q 1 01110 size:2 1 Rm:5 10010 1 Rn:5 Rd:5", three_same_accumulate<Op::VMul, Op::VSub>>(
        "MLS", kVdVnVm),
    insn<"0 Q 0 01110 size:2 1 Rm:5 01111 1 Rn:5 Rd:5", three_same_accumulate<Op::VSAbd, Op::VAdd>>(
        "SABA", kVdVnVm),
    insn<"0 Q 1 01110 size:2 1 Rm:5 01111 1 Rn:5 Rd:5", three_same_accumulate<Op::VUAbd, Op::VAdd>>(
        "UABA", kVdVnVm),
    insn<"0 Q 0 01110 00 1 Rm:5 00011 1 Rn:5 Rd:5", bitwise<Op::VAnd>>("AND", kBytes),
    insn<"0 Q 0 01110 01 1 Rm:5 00011 1 Rn:5 Rd:5", bitwise<Op::VAndNot>>("BIC", kBytes),
    insn<"0 Q 0 01110 10 1 Rm:5 00011 1 Rn:5 Rd:5", ORR_vector>("ORR", kBytes),
    insn<"0 Q 0 01110 11 1 Rm:5 00011 1 Rn:5 Rd:5", bitwise<Op::VOrNot>>("ORN", kBytes),
    insn<"0 Q 1 01110 00 1 Rm:5 00011 1 Rn:5 Rd:5", bitwise<Op::VXor>>("EOR", kBytes),
    insn<"0 Q 1 01110 01 1 Rm:5 00011 1 Rn:5 Rd:5", BSL>("BSL", kBytes),
    insn<"0 Q 1 01110 10 1 Rm:5 00011 1 Rn:5 Rd:5", BIT>("BIT", kBytes),
    insn<"0 Q 1 01110 11 1 Rm:5 00011 1 Rn:5 Rd:5", BIF>("BIF", kBytes),
};
// clang-format on
// clang-format off
constexpr Insn kScalarRows[] = {
    insn<"01 0 11110 11 1 Rm:5 00110 1 Rn:5 Rd:5", scalar_three_same<Op::VCmpGtS>>("CMGT", kScalarVdVnVm),
    insn<"01 1 11110 11 1 Rm:5 00110 1 Rn:5 Rd:5", scalar_three_same<Op::VCmpGtU>>("CMHI", kScalarVdVnVm),
    insn<"01 0 11110 11 1 Rm:5 00111 1 Rn:5 Rd:5", scalar_three_same<Op::VCmpGeS>>("CMGE", kScalarVdVnVm),
    insn<"01 1 11110 11 1 Rm:5 00111 1 Rn:5 Rd:5", scalar_three_same<Op::VCmpGeU>>("CMHS", kScalarVdVnVm),
    insn<"01 0 11110 11 1 Rm:5 01000 1 Rn:5 Rd:5", scalar_three_same<Op::VSShl>>("SSHL", kScalarVdVnVm),
    insn<"01 1 11110 11 1 Rm:5 01000 1 Rn:5 Rd:5", scalar_three_same<Op::VUShl>>("USHL", kScalarVdVnVm),
    insn<"01 0 11110 11 1 Rm:5 01010 1 Rn:5 Rd:5", scalar_three_same<Op::VSRShl>>("SRSHL", kScalarVdVnVm),
    insn<"01 1 11110 11 1 Rm:5 01010 1 Rn:5 Rd:5", scalar_three_same<Op::VURShl>>("URSHL", kScalarVdVnVm),
    insn<"01 0 11110 11 1 Rm:5 10000 1 Rn:5 Rd:5", scalar_three_same<Op::VAdd>>("ADD", kScalarVdVnVm),
    insn<"01 1 11110 11 1 Rm:5 10000 1 Rn:5 Rd:5", scalar_three_same<Op::VSub>>("SUB", kScalarVdVnVm),
    insn<"01 0 11110 11 1 Rm:5 10001 1 Rn:5 Rd:5", scalar_three_same<Op::VCmpTest>>("CMTST", kScalarVdVnVm),
    insn<"01 1 11110 11 1 Rm:5 10001 1 Rn:5 Rd:5", scalar_three_same<Op::VCmpEq>>("CMEQ", kScalarVdVnVm),
    insn<"01 0 11110 size:2 1 Rm:5 00001 1 Rn:5 Rd:5", scalar_three_same_counted<Op::VSqAdd, kBHSD>>(
        "SQADD", kScalarVdVnVm),
    insn<"01 1 11110 size:2 1 Rm:5 00001 1 Rn:5 Rd:5", scalar_three_same_counted<Op::VUqAdd, kBHSD>>(
        "UQADD", kScalarVdVnVm),
    insn<"01 0 11110 size:2 1 Rm:5 00101 1 Rn:5 Rd:5", scalar_three_same_counted<Op::VSqSub, kBHSD>>(
        "SQSUB", kScalarVdVnVm),
    insn<"01 1 11110 size:2 1 Rm:5 00101 1 Rn:5 Rd:5", scalar_three_same_counted<Op::VUqSub, kBHSD>>(
        "UQSUB", kScalarVdVnVm),
    insn<"01 0 11110 size:2 1 Rm:5 01001 1 Rn:5 Rd:5", scalar_three_same_counted<Op::VSqShl, kBHSD>>(
        "SQSHL", kScalarVdVnVm),
    insn<"01 1 11110 size:2 1 Rm:5 01001 1 Rn:5 Rd:5", scalar_three_same_counted<Op::VUqShl, kBHSD>>(
        "UQSHL", kScalarVdVnVm),
    insn<"01 0 11110 size:2 1 Rm:5 01011 1 Rn:5 Rd:5", scalar_three_same_counted<Op::VSqRShl, kBHSD>>(
        "SQRSHL", kScalarVdVnVm),
    insn<"01 1 11110 size:2 1 Rm:5 01011 1 Rn:5 Rd:5", scalar_three_same_counted<Op::VUqRShl, kBHSD>>(
        "UQRSHL", kScalarVdVnVm),
    insn<"01 0 11110 size:2 1 Rm:5 10110 1 Rn:5 Rd:5", scalar_three_same_counted<Op::VSqDMulHigh, kHS>>(
        "SQDMULH", kScalarVdVnVm),
    insn<"01 1 11110 size:2 1 Rm:5 10110 1 Rn:5 Rd:5", scalar_three_same_counted<Op::VSqRDMulHigh, kHS>>(
        "SQRDMULH", kScalarVdVnVm),
};
// clang-format on

}  // namespace

const Group kSimdThreeSame{"Advanced SIMD three same", kVectorRows, true};
const Group kSimdScalarThreeSame{"Advanced SIMD scalar three same", kScalarRows, true};

}  // namespace sluice::cpu::a64
