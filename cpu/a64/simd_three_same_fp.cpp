// cpu/a64/simd_three_same_fp.cpp: Arm ARM, the floating-point rows of "Advanced SIMD three same" and
// "Advanced SIMD scalar three same", and the tables "three same (FP16)".
#include "cpu/a64/groups.h"
#include "cpu/a64/simd_support.h"

namespace sluice::cpu::a64 {
namespace {

constexpr std::string_view kFp = "<Vd.f>, <Vn.f>, <Vm.f>", kHalf = "<Vd.h>, <Vn.h>, <Vm.h>",
                           kScalarFp = "<Ed.f>, <En.f>, <Em.f>", kScalarHalf = "<Ed.H>, <En.H>, <Em.H>";

template <Op op, u64 imm = 0>
void fp_binary(Emitter& e, Lanes l, Reg Rm, Reg Rn, Reg Rd) {
  e.V(Rd, vec(e, op, {e.V(Rn), e.V(Rm)}, l.esize, imm, l.count));
}
template <u64 negated>
void fp_multiply_add(Emitter& e, Lanes l, Reg Rm, Reg Rn, Reg Rd) {
  e.V(Rd, vec(e, Op::FMulAdd, {e.V(Rd), e.V(Rn), e.V(Rm)}, l.esize, negated, l.count));
}
// FMLAL, FMLSL (vector): imm as in the op FMulAddLong.
template <u64 imm>
void FMLAL(Emitter& e, bool Q, Reg Rm, Reg Rn, Reg Rd) {
  e.V(Rd, vec(e, Op::FMulAddLong, {e.V(Rd), e.V(Rn), e.V(Rm)}, 1, imm, lane_count(Q, 2)));
}

// The four encodings of one instruction.
template <auto Body>
void vector(Emitter& e, bool Q, bool sz, Reg Rm, Reg Rn, Reg Rd) {
  if (sz && !Q) return e.unallocated();
  Body(e, {2u + sz, lane_count(Q, 2u + sz)}, Rm, Rn, Rd);
}
template <auto Body>
void vector_half(Emitter& e, bool Q, Reg Rm, Reg Rn, Reg Rd) {
  Body(e, {1, lane_count(Q, 1)}, Rm, Rn, Rd);
}
template <auto Body>
void scalar(Emitter& e, bool sz, Reg Rm, Reg Rn, Reg Rd) {
  Body(e, {2u + sz, 1}, Rm, Rn, Rd);
}
template <auto Body>
void scalar_half(Emitter& e, Reg Rm, Reg Rn, Reg Rd) {
  Body(e, {1, 1}, Rm, Rn, Rd);
}

// clang-format off
constexpr Insn kVectorRows[] = {
    insn<"0 Q 0 01110 0 sz 1 Rm:5 11000 1 Rn:5 Rd:5", vector<fp_binary<Op::FMaxNum>>>("FMAXNM", kFp),
    insn<"0 Q 0 01110 1 sz 1 Rm:5 11000 1 Rn:5 Rd:5", vector<fp_binary<Op::FMinNum>>>("FMINNM", kFp),
    insn<"0 Q 0 01110 0 sz 1 Rm:5 11010 1 Rn:5 Rd:5", vector<fp_binary<Op::FAdd>>>("FADD", kFp),
    insn<"0 Q 0 01110 1 sz 1 Rm:5 11010 1 Rn:5 Rd:5", vector<fp_binary<Op::FSub>>>("FSUB", kFp),
    insn<"0 Q 0 01110 0 sz 1 Rm:5 11011 1 Rn:5 Rd:5", vector<fp_binary<Op::FMulX>>>("FMULX", kFp),
    insn<"0 Q 0 01110 0 sz 1 Rm:5 11100 1 Rn:5 Rd:5", vector<fp_binary<Op::FCmpEq>>>("FCMEQ", kFp),
    insn<"0 Q 0 01110 0 sz 1 Rm:5 11110 1 Rn:5 Rd:5", vector<fp_binary<Op::FMax>>>("FMAX", kFp),
    insn<"0 Q 0 01110 1 sz 1 Rm:5 11110 1 Rn:5 Rd:5", vector<fp_binary<Op::FMin>>>("FMIN", kFp),
    insn<"0 Q 0 01110 0 sz 1 Rm:5 11111 1 Rn:5 Rd:5", vector<fp_binary<Op::FRecipStep>>>("FRECPS", kFp),
    insn<"0 Q 0 01110 1 sz 1 Rm:5 11111 1 Rn:5 Rd:5", vector<fp_binary<Op::FRSqrtStep>>>("FRSQRTS", kFp),
    insn<"0 Q 1 01110 0 sz 1 Rm:5 11000 1 Rn:5 Rd:5", vector<fp_binary<Op::FMaxNumPair>>>("FMAXNMP", kFp),
    insn<"0 Q 1 01110 1 sz 1 Rm:5 11000 1 Rn:5 Rd:5", vector<fp_binary<Op::FMinNumPair>>>("FMINNMP", kFp),
    insn<"0 Q 1 01110 0 sz 1 Rm:5 11010 1 Rn:5 Rd:5", vector<fp_binary<Op::FAddPair>>>("FADDP", kFp),
    insn<"0 Q 1 01110 1 sz 1 Rm:5 11010 1 Rn:5 Rd:5", vector<fp_binary<Op::FAbd>>>("FABD", kFp),
    insn<"0 Q 1 01110 0 sz 1 Rm:5 11011 1 Rn:5 Rd:5", vector<fp_binary<Op::FMul>>>("FMUL", kFp),
    insn<"0 Q 1 01110 0 sz 1 Rm:5 11100 1 Rn:5 Rd:5", vector<fp_binary<Op::FCmpGe>>>("FCMGE", kFp),
    insn<"0 Q 1 01110 1 sz 1 Rm:5 11100 1 Rn:5 Rd:5", vector<fp_binary<Op::FCmpGt>>>("FCMGT", kFp),
    insn<"0 Q 1 01110 0 sz 1 Rm:5 11101 1 Rn:5 Rd:5", vector<fp_binary<Op::FCmpGe, 1>>>("FACGE", kFp),
    insn<"0 Q 1 01110 1 sz 1 Rm:5 11101 1 Rn:5 Rd:5", vector<fp_binary<Op::FCmpGt, 1>>>("FACGT", kFp),
    insn<"0 Q 1 01110 0 sz 1 Rm:5 11110 1 Rn:5 Rd:5", vector<fp_binary<Op::FMaxPair>>>("FMAXP", kFp),
    insn<"0 Q 1 01110 1 sz 1 Rm:5 11110 1 Rn:5 Rd:5", vector<fp_binary<Op::FMinPair>>>("FMINP", kFp),
    insn<"0 Q 1 01110 0 sz 1 Rm:5 11111 1 Rn:5 Rd:5", vector<fp_binary<Op::FDiv>>>("FDIV", kFp),
    insn<"0 Q 0 01110 0 sz 1 Rm:5 11001 1 Rn:5 Rd:5", vector<fp_multiply_add<0>>>("FMLA", kFp),
    insn<"0 Q 0 01110 1 sz 1 Rm:5 11001 1 Rn:5 Rd:5", vector<fp_multiply_add<2>>>("FMLS", kFp),
    insn<"0 Q 0 01110 0 0 1 Rm:5 11101 1 Rn:5 Rd:5", FMLAL<0>>(
        "FMLAL", "<Vd.t>, <Vn.x>, <Vm.x>", Feature::FHM),
    insn<"0 Q 0 01110 1 0 1 Rm:5 11101 1 Rn:5 Rd:5", FMLAL<2>>(
        "FMLSL", "<Vd.t>, <Vn.x>, <Vm.x>", Feature::FHM),
    insn<"0 Q 1 01110 0 0 1 Rm:5 11001 1 Rn:5 Rd:5", FMLAL<1>>(
        "FMLAL2", "<Vd.t>, <Vn.x>, <Vm.x>", Feature::FHM),
    insn<"0 Q 1 01110 1 0 1 Rm:5 11001 1 Rn:5 Rd:5", FMLAL<3>>(
        "FMLSL2", "<Vd.t>, <Vn.x>, <Vm.x>", Feature::FHM),
};
// clang-format on
// clang-format off
constexpr Insn kVectorHalfRows[] = {
    insn<"0 Q 0 01110 0 10 Rm:5 00 000 1 Rn:5 Rd:5", vector_half<fp_binary<Op::FMaxNum>>>(
        "FMAXNM", kHalf, Feature::FP16),
    insn<"0 Q 0 01110 1 10 Rm:5 00 000 1 Rn:5 Rd:5", vector_half<fp_binary<Op::FMinNum>>>(
        "FMINNM", kHalf, Feature::FP16),
    insn<"0 Q 0 01110 0 10 Rm:5 00 010 1 Rn:5 Rd:5", vector_half<fp_binary<Op::FAdd>>>(
        "FADD", kHalf, Feature::FP16),
    insn<"0 Q 0 01110 1 10 Rm:5 00 010 1 Rn:5 Rd:5", vector_half<fp_binary<Op::FSub>>>(
        "FSUB", kHalf, Feature::FP16),
    insn<"0 Q 0 01110 0 10 Rm:5 00 011 1 Rn:5 Rd:5", vector_half<fp_binary<Op::FMulX>>>(
        "FMULX", kHalf, Feature::FP16),
    insn<"0 Q 0 01110 0 10 Rm:5 00 100 1 Rn:5 Rd:5", vector_half<fp_binary<Op::FCmpEq>>>(
        "FCMEQ", kHalf, Feature::FP16),
    insn<"0 Q 0 01110 0 10 Rm:5 00 110 1 Rn:5 Rd:5", vector_half<fp_binary<Op::FMax>>>(
        "FMAX", kHalf, Feature::FP16),
    insn<"0 Q 0 01110 1 10 Rm:5 00 110 1 Rn:5 Rd:5", vector_half<fp_binary<Op::FMin>>>(
        "FMIN", kHalf, Feature::FP16),
    insn<"0 Q 0 01110 0 10 Rm:5 00 111 1 Rn:5 Rd:5", vector_half<fp_binary<Op::FRecipStep>>>(
        "FRECPS", kHalf, Feature::FP16),
    insn<"0 Q 0 01110 1 10 Rm:5 00 111 1 Rn:5 Rd:5", vector_half<fp_binary<Op::FRSqrtStep>>>(
        "FRSQRTS", kHalf, Feature::FP16),
    insn<"0 Q 1 01110 0 10 Rm:5 00 000 1 Rn:5 Rd:5", vector_half<fp_binary<Op::FMaxNumPair>>>(
        "FMAXNMP", kHalf, Feature::FP16),
    insn<"0 Q 1 01110 1 10 Rm:5 00 000 1 Rn:5 Rd:5", vector_half<fp_binary<Op::FMinNumPair>>>(
        "FMINNMP", kHalf, Feature::FP16),
    insn<"0 Q 1 01110 0 10 Rm:5 00 010 1 Rn:5 Rd:5", vector_half<fp_binary<Op::FAddPair>>>(
        "FADDP", kHalf, Feature::FP16),
    insn<"0 Q 1 01110 1 10 Rm:5 00 010 1 Rn:5 Rd:5", vector_half<fp_binary<Op::FAbd>>>(
        "FABD", kHalf, Feature::FP16),
    insn<"0 Q 1 01110 0 10 Rm:5 00 011 1 Rn:5 Rd:5", vector_half<fp_binary<Op::FMul>>>(
        "FMUL", kHalf, Feature::FP16),
    insn<"0 Q 1 01110 0 10 Rm:5 00 100 1 Rn:5 Rd:5", vector_half<fp_binary<Op::FCmpGe>>>(
        "FCMGE", kHalf, Feature::FP16),
    insn<"0 Q 1 01110 1 10 Rm:5 00 100 1 Rn:5 Rd:5", vector_half<fp_binary<Op::FCmpGt>>>(
        "FCMGT", kHalf, Feature::FP16),
    insn<"0 Q 1 01110 0 10 Rm:5 00 101 1 Rn:5 Rd:5", vector_half<fp_binary<Op::FCmpGe, 1>>>(
        "FACGE", kHalf, Feature::FP16),
    insn<"0 Q 1 01110 1 10 Rm:5 00 101 1 Rn:5 Rd:5", vector_half<fp_binary<Op::FCmpGt, 1>>>(
        "FACGT", kHalf, Feature::FP16),
    insn<"0 Q 1 01110 0 10 Rm:5 00 110 1 Rn:5 Rd:5", vector_half<fp_binary<Op::FMaxPair>>>(
        "FMAXP", kHalf, Feature::FP16),
    insn<"0 Q 1 01110 1 10 Rm:5 00 110 1 Rn:5 Rd:5", vector_half<fp_binary<Op::FMinPair>>>(
        "FMINP", kHalf, Feature::FP16),
    insn<"0 Q 1 01110 0 10 Rm:5 00 111 1 Rn:5 Rd:5", vector_half<fp_binary<Op::FDiv>>>(
        "FDIV", kHalf, Feature::FP16),
    insn<"0 Q 0 01110 0 10 Rm:5 00 001 1 Rn:5 Rd:5", vector_half<fp_multiply_add<0>>>(
        "FMLA", kHalf, Feature::FP16),
    insn<"0 Q 0 01110 1 10 Rm:5 00 001 1 Rn:5 Rd:5", vector_half<fp_multiply_add<2>>>(
        "FMLS", kHalf, Feature::FP16),
};
// clang-format on
// clang-format off
constexpr Insn kScalarRows[] = {
    insn<"01 0 11110 0 sz 1 Rm:5 11011 1 Rn:5 Rd:5", scalar<fp_binary<Op::FMulX>>>("FMULX", kScalarFp),
    insn<"01 0 11110 0 sz 1 Rm:5 11100 1 Rn:5 Rd:5", scalar<fp_binary<Op::FCmpEq>>>("FCMEQ", kScalarFp),
    insn<"01 0 11110 0 sz 1 Rm:5 11111 1 Rn:5 Rd:5", scalar<fp_binary<Op::FRecipStep>>>("FRECPS", kScalarFp),
    insn<"01 0 11110 1 sz 1 Rm:5 11111 1 Rn:5 Rd:5", scalar<fp_binary<Op::FRSqrtStep>>>("FRSQRTS", kScalarFp),
    insn<"01 1 11110 1 sz 1 Rm:5 11010 1 Rn:5 Rd:5", scalar<fp_binary<Op::FAbd>>>("FABD", kScalarFp),
    insn<"01 1 11110 0 sz 1 Rm:5 11100 1 Rn:5 Rd:5", scalar<fp_binary<Op::FCmpGe>>>("FCMGE", kScalarFp),
    insn<"01 1 11110 1 sz 1 Rm:5 11100 1 Rn:5 Rd:5", scalar<fp_binary<Op::FCmpGt>>>("FCMGT", kScalarFp),
    insn<"01 1 11110 0 sz 1 Rm:5 11101 1 Rn:5 Rd:5", scalar<fp_binary<Op::FCmpGe, 1>>>("FACGE", kScalarFp),
    insn<"01 1 11110 1 sz 1 Rm:5 11101 1 Rn:5 Rd:5", scalar<fp_binary<Op::FCmpGt, 1>>>("FACGT", kScalarFp),
};
// clang-format on
// clang-format off
constexpr Insn kScalarHalfRows[] = {
    insn<"01 0 11110 0 10 Rm:5 00 011 1 Rn:5 Rd:5", scalar_half<fp_binary<Op::FMulX>>>(
        "FMULX", kScalarHalf, Feature::FP16),
    insn<"01 0 11110 0 10 Rm:5 00 100 1 Rn:5 Rd:5", scalar_half<fp_binary<Op::FCmpEq>>>(
        "FCMEQ", kScalarHalf, Feature::FP16),
    insn<"01 0 11110 0 10 Rm:5 00 111 1 Rn:5 Rd:5", scalar_half<fp_binary<Op::FRecipStep>>>(
        "FRECPS", kScalarHalf, Feature::FP16),
    insn<"01 0 11110 1 10 Rm:5 00 111 1 Rn:5 Rd:5", scalar_half<fp_binary<Op::FRSqrtStep>>>(
        "FRSQRTS", kScalarHalf, Feature::FP16),
    insn<"01 1 11110 1 10 Rm:5 00 010 1 Rn:5 Rd:5", scalar_half<fp_binary<Op::FAbd>>>(
        "FABD", kScalarHalf, Feature::FP16),
    insn<"01 1 11110 0 10 Rm:5 00 100 1 Rn:5 Rd:5", scalar_half<fp_binary<Op::FCmpGe>>>(
        "FCMGE", kScalarHalf, Feature::FP16),
    insn<"01 1 11110 1 10 Rm:5 00 100 1 Rn:5 Rd:5", scalar_half<fp_binary<Op::FCmpGt>>>(
        "FCMGT", kScalarHalf, Feature::FP16),
    insn<"01 1 11110 0 10 Rm:5 00 101 1 Rn:5 Rd:5", scalar_half<fp_binary<Op::FCmpGe, 1>>>(
        "FACGE", kScalarHalf, Feature::FP16),
    insn<"01 1 11110 1 10 Rm:5 00 101 1 Rn:5 Rd:5", scalar_half<fp_binary<Op::FCmpGt, 1>>>(
        "FACGT", kScalarHalf, Feature::FP16),
};
// clang-format on

}  // namespace

const Group kSimdThreeSameFp{"Advanced SIMD three same, floating-point", kVectorRows, true};
const Group kSimdThreeSameFp16{"Advanced SIMD three same (FP16)", kVectorHalfRows, true};
const Group kSimdScalarThreeSameFp{"Advanced SIMD scalar three same, floating-point", kScalarRows, true};
const Group kSimdScalarThreeSameFp16{"Advanced SIMD scalar three same FP16", kScalarHalfRows, true};

}  // namespace sluice::cpu::a64
