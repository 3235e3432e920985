// cpu/a64/simd_two_register_fp.cpp: Arm ARM, the floating-point rows of "Advanced SIMD two-register
// miscellaneous" and its scalar form, and the tables "two-register miscellaneous (FP16)".
#include "cpu/a64/groups.h"
#include "cpu/a64/simd_support.h"
#include "tcg/ir/fp_conversion.h"

namespace sluice::cpu::a64 {
namespace {

using tcg::ir::FpConversion;
constexpr u8 kTieAway = FpConversion::kTieAway, kFpcr = FpConversion::kFpcr;
constexpr std::string_view kNarrow = "<Vd.j>, <Vn.g>", kFp = "<Vd.f>, <Vn.f>", kHalf = "<Vd.h>, <Vn.h>",
                           kScalarFp = "<Ed.f>, <En.f>", kScalarHalf = "<Ed.H>, <En.H>",
                           kFpZero = "<Vd.f>, <Vn.f>, #0.0", kHalfZero = "<Vd.h>, <Vn.h>, #0.0",
                           kScalarFpZero = "<Ed.f>, <En.f>, #0.0", kScalarHalfZero = "<Ed.H>, <En.H>, #0.0";

template <Op op>
void unary(Emitter& e, Lanes l, Reg Rn, Reg Rd) {
  e.V(Rd, vec(e, op, {e.V(Rn)}, l.esize, 0, l.count));
}
// V[n] op 0, or 0 op V[n] if Swapped.
template <Op op, bool Swapped>
void compare_zero(Emitter& e, Lanes l, Reg Rn, Reg Rd) {
  Value zero = vec_zero(e), n = e.V(Rn);
  e.V(Rd, Swapped ? vec(e, op, {zero, n}, l.esize, 0, l.count) : vec(e, op, {n, zero}, l.esize, 0, l.count));
}
template <u8 rounding, bool exact = false>
void round_int(Emitter& e, Lanes l, Reg Rn, Reg Rd) {
  constexpr FpConversion c{.rounding = rounding, .exact = exact};
  e.V(Rd, vec(e, Op::FRoundInt, {e.V(Rn)}, l.esize, c.pack(), l.count));
}
template <u8 rounding, u8 size>
void round_int_sized(Emitter& e, Lanes l, Reg Rn, Reg Rd) {
  constexpr FpConversion c{.rounding = rounding, .size = size};
  e.V(Rd, vec(e, Op::FRoundIntSized, {e.V(Rn)}, l.esize, c.pack(), l.count));
}
template <u8 rounding, bool is_unsigned>
void to_fixed(Emitter& e, Lanes l, Reg Rn, Reg Rd) {
  constexpr FpConversion c{.rounding = rounding, .is_unsigned = is_unsigned};
  e.V(Rd, vec(e, Op::FToFixed, {e.V(Rn)}, l.esize, c.pack(), l.count));
}
template <bool is_unsigned>
void from_fixed(Emitter& e, Lanes l, Reg Rn, Reg Rd) {
  constexpr FpConversion c{.is_unsigned = is_unsigned};
  e.V(Rd, vec(e, Op::FFromFixed, {e.V(Rn)}, l.esize, c.pack(), l.count));
}

// Between formats: imm of the op FConvert. sz 0 is half and single, sz 1 single and double.
void FCVTN(Emitter& e, bool Q, bool sz, Reg Rn, Reg Rd) {
  write_narrow(e, Q, Rd, vec(e, Op::FConvert, {e.V(Rn)}, 2u + sz, 1u + sz, sz ? 2 : 4));
}
void FCVTL(Emitter& e, bool Q, bool sz, Reg Rn, Reg Rd) {
  e.V(Rd, vec(e, Op::FConvert, {e.V(Rn)}, 1u + sz, (2u + sz) | (Q ? 4 : 0), sz ? 2 : 4));
}
constexpr u64 kToSingleRoundingToOdd = 2 | 8;
void FCVTXN(Emitter& e, bool Q, Reg Rn, Reg Rd) {
  write_narrow(e, Q, Rd, vec(e, Op::FConvert, {e.V(Rn)}, 3, kToSingleRoundingToOdd, 2));
}
void FCVTXN_scalar(Emitter& e, Reg Rn, Reg Rd) {
  e.V(Rd, vec(e, Op::FConvert, {e.V(Rn)}, 3, kToSingleRoundingToOdd, 1));
}

// The four encodings of one instruction.
template <auto Body>
void vector(Emitter& e, bool Q, bool sz, Reg Rn, Reg Rd) {
  if (sz && !Q) return e.unallocated();
  Body(e, {2u + sz, lane_count(Q, 2u + sz)}, Rn, Rd);
}
template <auto Body>
void vector_half(Emitter& e, bool Q, Reg Rn, Reg Rd) {
  Body(e, {1, lane_count(Q, 1)}, Rn, Rd);
}
template <auto Body>
void scalar(Emitter& e, bool sz, Reg Rn, Reg Rd) {
  Body(e, {2u + sz, 1}, Rn, Rd);
}
template <auto Body>
void scalar_half(Emitter& e, Reg Rn, Reg Rd) {
  Body(e, {1, 1}, Rn, Rd);
}

// clang-format off
constexpr Insn kVectorRows[] = {
    insn<"0 Q 0 01110 1 sz 10000 01100 10 Rn:5 Rd:5", vector<compare_zero<Op::FCmpGt, false>>>(
        "FCMGT", kFpZero),
    insn<"0 Q 0 01110 1 sz 10000 01101 10 Rn:5 Rd:5", vector<compare_zero<Op::FCmpEq, false>>>(
        "FCMEQ", kFpZero),
    insn<"0 Q 0 01110 1 sz 10000 01110 10 Rn:5 Rd:5", vector<compare_zero<Op::FCmpGt, true>>>(
        "FCMLT", kFpZero),
    insn<"0 Q 1 01110 1 sz 10000 01100 10 Rn:5 Rd:5", vector<compare_zero<Op::FCmpGe, false>>>(
        "FCMGE", kFpZero),
    insn<"0 Q 1 01110 1 sz 10000 01101 10 Rn:5 Rd:5", vector<compare_zero<Op::FCmpGe, true>>>(
        "FCMLE", kFpZero),
    insn<"0 Q 0 01110 1 sz 10000 01111 10 Rn:5 Rd:5", vector<unary<Op::FAbs>>>("FABS", kFp),
    insn<"0 Q 1 01110 1 sz 10000 01111 10 Rn:5 Rd:5", vector<unary<Op::FNeg>>>("FNEG", kFp),
    insn<"0 Q 1 01110 1 sz 10000 11111 10 Rn:5 Rd:5", vector<unary<Op::FSqrt>>>("FSQRT", kFp),
    insn<"0 Q 0 01110 1 sz 10000 11101 10 Rn:5 Rd:5", vector<unary<Op::FRecipEstimate>>>("FRECPE", kFp),
    insn<"0 Q 1 01110 1 sz 10000 11101 10 Rn:5 Rd:5", vector<unary<Op::FRSqrtEstimate>>>("FRSQRTE", kFp),
    insn<"0 Q 0 01110 0 sz 10000 11000 10 Rn:5 Rd:5", vector<round_int<0>>>("FRINTN", kFp),
    insn<"0 Q 0 01110 1 sz 10000 11000 10 Rn:5 Rd:5", vector<round_int<1>>>("FRINTP", kFp),
    insn<"0 Q 0 01110 0 sz 10000 11001 10 Rn:5 Rd:5", vector<round_int<2>>>("FRINTM", kFp),
    insn<"0 Q 0 01110 1 sz 10000 11001 10 Rn:5 Rd:5", vector<round_int<3>>>("FRINTZ", kFp),
    insn<"0 Q 1 01110 0 sz 10000 11000 10 Rn:5 Rd:5", vector<round_int<kTieAway>>>("FRINTA", kFp),
    insn<"0 Q 1 01110 0 sz 10000 11001 10 Rn:5 Rd:5", vector<round_int<kFpcr, true>>>("FRINTX", kFp),
    insn<"0 Q 1 01110 1 sz 10000 11001 10 Rn:5 Rd:5", vector<round_int<kFpcr>>>("FRINTI", kFp),
    insn<"0 Q 0 01110 0 sz 10000 11010 10 Rn:5 Rd:5", vector<to_fixed<0, false>>>("FCVTNS", kFp),
    insn<"0 Q 1 01110 0 sz 10000 11010 10 Rn:5 Rd:5", vector<to_fixed<0, true>>>("FCVTNU", kFp),
    insn<"0 Q 0 01110 1 sz 10000 11010 10 Rn:5 Rd:5", vector<to_fixed<1, false>>>("FCVTPS", kFp),
    insn<"0 Q 1 01110 1 sz 10000 11010 10 Rn:5 Rd:5", vector<to_fixed<1, true>>>("FCVTPU", kFp),
    insn<"0 Q 0 01110 0 sz 10000 11011 10 Rn:5 Rd:5", vector<to_fixed<2, false>>>("FCVTMS", kFp),
    insn<"0 Q 1 01110 0 sz 10000 11011 10 Rn:5 Rd:5", vector<to_fixed<2, true>>>("FCVTMU", kFp),
    insn<"0 Q 0 01110 1 sz 10000 11011 10 Rn:5 Rd:5", vector<to_fixed<3, false>>>("FCVTZS", kFp),
    insn<"0 Q 1 01110 1 sz 10000 11011 10 Rn:5 Rd:5", vector<to_fixed<3, true>>>("FCVTZU", kFp),
    insn<"0 Q 0 01110 0 sz 10000 11100 10 Rn:5 Rd:5", vector<to_fixed<kTieAway, false>>>("FCVTAS", kFp),
    insn<"0 Q 1 01110 0 sz 10000 11100 10 Rn:5 Rd:5", vector<to_fixed<kTieAway, true>>>("FCVTAU", kFp),
    insn<"0 Q 0 01110 0 sz 10000 11101 10 Rn:5 Rd:5", vector<from_fixed<false>>>("SCVTF", kFp),
    insn<"0 Q 1 01110 0 sz 10000 11101 10 Rn:5 Rd:5", vector<from_fixed<true>>>("UCVTF", kFp),
    insn<"0 Q 0 01110 0 sz 10000 11110 10 Rn:5 Rd:5", vector<round_int_sized<3, 32>>>(
        "FRINT32Z", kFp, Feature::FRINTTS),
    insn<"0 Q 1 01110 0 sz 10000 11110 10 Rn:5 Rd:5", vector<round_int_sized<kFpcr, 32>>>(
        "FRINT32X", kFp, Feature::FRINTTS),
    insn<"0 Q 0 01110 0 sz 10000 11111 10 Rn:5 Rd:5", vector<round_int_sized<3, 64>>>(
        "FRINT64Z", kFp, Feature::FRINTTS),
    insn<"0 Q 1 01110 0 sz 10000 11111 10 Rn:5 Rd:5", vector<round_int_sized<kFpcr, 64>>>(
        "FRINT64X", kFp, Feature::FRINTTS),
    insn<"0 Q 0 01110 0 sz 10000 10110 10 Rn:5 Rd:5", FCVTN>("FCVTN", kNarrow),
    insn<"0 Q 1 01110 0 1 10000 10110 10 Rn:5 Rd:5", FCVTXN>("FCVTXN", kNarrow),
    insn<"0 Q 0 01110 0 sz 10000 10111 10 Rn:5 Rd:5", FCVTL>("FCVTL", "<Vd.g>, <Vn.j>"),
};
// clang-format on
// clang-format off
constexpr Insn kVectorHalfRows[] = {
    insn<"0 Q 0 01110 1 111100 01100 10 Rn:5 Rd:5", vector_half<compare_zero<Op::FCmpGt, false>>>(
        "FCMGT", kHalfZero, Feature::FP16),
    insn<"0 Q 0 01110 1 111100 01101 10 Rn:5 Rd:5", vector_half<compare_zero<Op::FCmpEq, false>>>(
        "FCMEQ", kHalfZero, Feature::FP16),
    insn<"0 Q 0 01110 1 111100 01110 10 Rn:5 Rd:5", vector_half<compare_zero<Op::FCmpGt, true>>>(
        "FCMLT", kHalfZero, Feature::FP16),
    insn<"0 Q 1 01110 1 111100 01100 10 Rn:5 Rd:5", vector_half<compare_zero<Op::FCmpGe, false>>>(
        "FCMGE", kHalfZero, Feature::FP16),
    insn<"0 Q 1 01110 1 111100 01101 10 Rn:5 Rd:5", vector_half<compare_zero<Op::FCmpGe, true>>>(
        "FCMLE", kHalfZero, Feature::FP16),
    insn<"0 Q 0 01110 1 111100 01111 10 Rn:5 Rd:5", vector_half<unary<Op::FAbs>>>(
        "FABS", kHalf, Feature::FP16),
    insn<"0 Q 1 01110 1 111100 01111 10 Rn:5 Rd:5", vector_half<unary<Op::FNeg>>>(
        "FNEG", kHalf, Feature::FP16),
    insn<"0 Q 1 01110 1 111100 11111 10 Rn:5 Rd:5", vector_half<unary<Op::FSqrt>>>(
        "FSQRT", kHalf, Feature::FP16),
    insn<"0 Q 0 01110 1 111100 11101 10 Rn:5 Rd:5", vector_half<unary<Op::FRecipEstimate>>>(
        "FRECPE", kHalf, Feature::FP16),
    insn<"0 Q 1 01110 1 111100 11101 10 Rn:5 Rd:5", vector_half<unary<Op::FRSqrtEstimate>>>(
        "FRSQRTE", kHalf, Feature::FP16),
    insn<"0 Q 0 01110 0 111100 11000 10 Rn:5 Rd:5", vector_half<round_int<0>>>(
        "FRINTN", kHalf, Feature::FP16),
    insn<"0 Q 0 01110 1 111100 11000 10 Rn:5 Rd:5", vector_half<round_int<1>>>(
        "FRINTP", kHalf, Feature::FP16),
    insn<"0 Q 0 01110 0 111100 11001 10 Rn:5 Rd:5", vector_half<round_int<2>>>(
        "FRINTM", kHalf, Feature::FP16),
    insn<"0 Q 0 01110 1 111100 11001 10 Rn:5 Rd:5", vector_half<round_int<3>>>(
        "FRINTZ", kHalf, Feature::FP16),
    insn<"0 Q 1 01110 0 111100 11000 10 Rn:5 Rd:5", vector_half<round_int<kTieAway>>>(
        "FRINTA", kHalf, Feature::FP16),
    insn<"0 Q 1 01110 0 111100 11001 10 Rn:5 Rd:5", vector_half<round_int<kFpcr, true>>>(
        "FRINTX", kHalf, Feature::FP16),
    insn<"0 Q 1 01110 1 111100 11001 10 Rn:5 Rd:5", vector_half<round_int<kFpcr>>>(
        "FRINTI", kHalf, Feature::FP16),
    insn<"0 Q 0 01110 0 111100 11010 10 Rn:5 Rd:5", vector_half<to_fixed<0, false>>>(
        "FCVTNS", kHalf, Feature::FP16),
    insn<"0 Q 1 01110 0 111100 11010 10 Rn:5 Rd:5", vector_half<to_fixed<0, true>>>(
        "FCVTNU", kHalf, Feature::FP16),
    insn<"0 Q 0 01110 1 111100 11010 10 Rn:5 Rd:5", vector_half<to_fixed<1, false>>>(
        "FCVTPS", kHalf, Feature::FP16),
    insn<"0 Q 1 01110 1 111100 11010 10 Rn:5 Rd:5", vector_half<to_fixed<1, true>>>(
        "FCVTPU", kHalf, Feature::FP16),
    insn<"0 Q 0 01110 0 111100 11011 10 Rn:5 Rd:5", vector_half<to_fixed<2, false>>>(
        "FCVTMS", kHalf, Feature::FP16),
    insn<"0 Q 1 01110 0 111100 11011 10 Rn:5 Rd:5", vector_half<to_fixed<2, true>>>(
        "FCVTMU", kHalf, Feature::FP16),
    insn<"0 Q 0 01110 1 111100 11011 10 Rn:5 Rd:5", vector_half<to_fixed<3, false>>>(
        "FCVTZS", kHalf, Feature::FP16),
    insn<"0 Q 1 01110 1 111100 11011 10 Rn:5 Rd:5", vector_half<to_fixed<3, true>>>(
        "FCVTZU", kHalf, Feature::FP16),
    insn<"0 Q 0 01110 0 111100 11100 10 Rn:5 Rd:5", vector_half<to_fixed<kTieAway, false>>>(
        "FCVTAS", kHalf, Feature::FP16),
    insn<"0 Q 1 01110 0 111100 11100 10 Rn:5 Rd:5", vector_half<to_fixed<kTieAway, true>>>(
        "FCVTAU", kHalf, Feature::FP16),
    insn<"0 Q 0 01110 0 111100 11101 10 Rn:5 Rd:5", vector_half<from_fixed<false>>>(
        "SCVTF", kHalf, Feature::FP16),
    insn<"0 Q 1 01110 0 111100 11101 10 Rn:5 Rd:5", vector_half<from_fixed<true>>>(
        "UCVTF", kHalf, Feature::FP16),
};
// clang-format on
// clang-format off
constexpr Insn kScalarRows[] = {
    insn<"01 0 11110 1 sz 10000 01100 10 Rn:5 Rd:5", scalar<compare_zero<Op::FCmpGt, false>>>(
        "FCMGT", kScalarFpZero),
    insn<"01 0 11110 1 sz 10000 01101 10 Rn:5 Rd:5", scalar<compare_zero<Op::FCmpEq, false>>>(
        "FCMEQ", kScalarFpZero),
    insn<"01 0 11110 1 sz 10000 01110 10 Rn:5 Rd:5", scalar<compare_zero<Op::FCmpGt, true>>>(
        "FCMLT", kScalarFpZero),
    insn<"01 1 11110 1 sz 10000 01100 10 Rn:5 Rd:5", scalar<compare_zero<Op::FCmpGe, false>>>(
        "FCMGE", kScalarFpZero),
    insn<"01 1 11110 1 sz 10000 01101 10 Rn:5 Rd:5", scalar<compare_zero<Op::FCmpGe, true>>>(
        "FCMLE", kScalarFpZero),
    insn<"01 0 11110 1 sz 10000 11101 10 Rn:5 Rd:5", scalar<unary<Op::FRecipEstimate>>>("FRECPE", kScalarFp),
    insn<"01 1 11110 1 sz 10000 11101 10 Rn:5 Rd:5", scalar<unary<Op::FRSqrtEstimate>>>("FRSQRTE", kScalarFp),
    insn<"01 0 11110 0 sz 10000 11010 10 Rn:5 Rd:5", scalar<to_fixed<0, false>>>("FCVTNS", kScalarFp),
    insn<"01 1 11110 0 sz 10000 11010 10 Rn:5 Rd:5", scalar<to_fixed<0, true>>>("FCVTNU", kScalarFp),
    insn<"01 0 11110 1 sz 10000 11010 10 Rn:5 Rd:5", scalar<to_fixed<1, false>>>("FCVTPS", kScalarFp),
    insn<"01 1 11110 1 sz 10000 11010 10 Rn:5 Rd:5", scalar<to_fixed<1, true>>>("FCVTPU", kScalarFp),
    insn<"01 0 11110 0 sz 10000 11011 10 Rn:5 Rd:5", scalar<to_fixed<2, false>>>("FCVTMS", kScalarFp),
    insn<"01 1 11110 0 sz 10000 11011 10 Rn:5 Rd:5", scalar<to_fixed<2, true>>>("FCVTMU", kScalarFp),
    insn<"01 0 11110 1 sz 10000 11011 10 Rn:5 Rd:5", scalar<to_fixed<3, false>>>("FCVTZS", kScalarFp),
    insn<"01 1 11110 1 sz 10000 11011 10 Rn:5 Rd:5", scalar<to_fixed<3, true>>>("FCVTZU", kScalarFp),
    insn<"01 0 11110 0 sz 10000 11100 10 Rn:5 Rd:5", scalar<to_fixed<kTieAway, false>>>("FCVTAS", kScalarFp),
    insn<"01 1 11110 0 sz 10000 11100 10 Rn:5 Rd:5", scalar<to_fixed<kTieAway, true>>>("FCVTAU", kScalarFp),
    insn<"01 0 11110 0 sz 10000 11101 10 Rn:5 Rd:5", scalar<from_fixed<false>>>("SCVTF", kScalarFp),
    insn<"01 1 11110 0 sz 10000 11101 10 Rn:5 Rd:5", scalar<from_fixed<true>>>("UCVTF", kScalarFp),
    insn<"01 0 11110 1 sz 10000 11111 10 Rn:5 Rd:5", scalar<unary<Op::FRecipExponent>>>("FRECPX", kScalarFp),
    insn<"01 1 11110 0 1 10000 10110 10 Rn:5 Rd:5", FCVTXN_scalar>("FCVTXN", "<Ed.S>, <En.D>"),
};
// clang-format on
// clang-format off
constexpr Insn kScalarHalfRows[] = {
    insn<"01 0 11110 1 111100 01100 10 Rn:5 Rd:5", scalar_half<compare_zero<Op::FCmpGt, false>>>(
        "FCMGT", kScalarHalfZero, Feature::FP16),
    insn<"01 0 11110 1 111100 01101 10 Rn:5 Rd:5", scalar_half<compare_zero<Op::FCmpEq, false>>>(
        "FCMEQ", kScalarHalfZero, Feature::FP16),
    insn<"01 0 11110 1 111100 01110 10 Rn:5 Rd:5", scalar_half<compare_zero<Op::FCmpGt, true>>>(
        "FCMLT", kScalarHalfZero, Feature::FP16),
    insn<"01 1 11110 1 111100 01100 10 Rn:5 Rd:5", scalar_half<compare_zero<Op::FCmpGe, false>>>(
        "FCMGE", kScalarHalfZero, Feature::FP16),
    insn<"01 1 11110 1 111100 01101 10 Rn:5 Rd:5", scalar_half<compare_zero<Op::FCmpGe, true>>>(
        "FCMLE", kScalarHalfZero, Feature::FP16),
    insn<"01 0 11110 1 111100 11101 10 Rn:5 Rd:5", scalar_half<unary<Op::FRecipEstimate>>>(
        "FRECPE", kScalarHalf, Feature::FP16),
    insn<"01 1 11110 1 111100 11101 10 Rn:5 Rd:5", scalar_half<unary<Op::FRSqrtEstimate>>>(
        "FRSQRTE", kScalarHalf, Feature::FP16),
    insn<"01 0 11110 0 111100 11010 10 Rn:5 Rd:5", scalar_half<to_fixed<0, false>>>(
        "FCVTNS", kScalarHalf, Feature::FP16),
    insn<"01 1 11110 0 111100 11010 10 Rn:5 Rd:5", scalar_half<to_fixed<0, true>>>(
        "FCVTNU", kScalarHalf, Feature::FP16),
    insn<"01 0 11110 1 111100 11010 10 Rn:5 Rd:5", scalar_half<to_fixed<1, false>>>(
        "FCVTPS", kScalarHalf, Feature::FP16),
    insn<"01 1 11110 1 111100 11010 10 Rn:5 Rd:5", scalar_half<to_fixed<1, true>>>(
        "FCVTPU", kScalarHalf, Feature::FP16),
    insn<"01 0 11110 0 111100 11011 10 Rn:5 Rd:5", scalar_half<to_fixed<2, false>>>(
        "FCVTMS", kScalarHalf, Feature::FP16),
    insn<"01 1 11110 0 111100 11011 10 Rn:5 Rd:5", scalar_half<to_fixed<2, true>>>(
        "FCVTMU", kScalarHalf, Feature::FP16),
    insn<"01 0 11110 1 111100 11011 10 Rn:5 Rd:5", scalar_half<to_fixed<3, false>>>(
        "FCVTZS", kScalarHalf, Feature::FP16),
    insn<"01 1 11110 1 111100 11011 10 Rn:5 Rd:5", scalar_half<to_fixed<3, true>>>(
        "FCVTZU", kScalarHalf, Feature::FP16),
    insn<"01 0 11110 0 111100 11100 10 Rn:5 Rd:5", scalar_half<to_fixed<kTieAway, false>>>(
        "FCVTAS", kScalarHalf, Feature::FP16),
    insn<"01 1 11110 0 111100 11100 10 Rn:5 Rd:5", scalar_half<to_fixed<kTieAway, true>>>(
        "FCVTAU", kScalarHalf, Feature::FP16),
    insn<"01 0 11110 0 111100 11101 10 Rn:5 Rd:5", scalar_half<from_fixed<false>>>(
        "SCVTF", kScalarHalf, Feature::FP16),
    insn<"01 1 11110 0 111100 11101 10 Rn:5 Rd:5", scalar_half<from_fixed<true>>>(
        "UCVTF", kScalarHalf, Feature::FP16),
    insn<"01 0 11110 1 111100 11111 10 Rn:5 Rd:5", scalar_half<unary<Op::FRecipExponent>>>(
        "FRECPX", kScalarHalf, Feature::FP16),
};
// clang-format on

}  // namespace

const Group kSimdTwoRegisterFp{"Advanced SIMD two-register miscellaneous, floating-point", kVectorRows, true};
const Group kSimdTwoRegisterFp16{"Advanced SIMD two-register miscellaneous (FP16)", kVectorHalfRows, true};
const Group kSimdScalarTwoRegisterFp{"Advanced SIMD scalar two-register miscellaneous, floating-point",
                                     kScalarRows, true};
const Group kSimdScalarTwoRegisterFp16{"Advanced SIMD scalar two-register miscellaneous FP16",
                                       kScalarHalfRows, true};

}  // namespace sluice::cpu::a64
