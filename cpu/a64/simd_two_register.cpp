// cpu/a64/simd_two_register.cpp: Arm ARM, "Advanced SIMD two-register miscellaneous" and its scalar form,
// integer part.
#include "cpu/a64/groups.h"
#include "cpu/a64/simd_support.h"

namespace sluice::cpu::a64 {
namespace {

constexpr std::string_view kNarrow = "<Vd.i>, <Vn.w>", kBytes = "<Vd.b>, <Vn.b>";

template <Op op, unsigned Allowed>
void unary(Emitter& e, bool Q, Imm<2> size, Reg Rn, Reg Rd) {
  if (reserved(size, Q, Allowed)) return e.unallocated();
  write(e, Q, Rd, vec(e, op, {e.V(Rn)}, size));
}
// Ops for which the encoding of `size` is fixed.
template <Op op>
void unary_bits(Emitter& e, bool Q, Reg Rn, Reg Rd) {
  write(e, Q, Rd, vec(e, op, {e.V(Rn)}));
}
template <Op op>
void scalar_unary(Emitter& e, Reg Rn, Reg Rd) {
  write(e, false, Rd, vec(e, op, {e.V(Rn)}, 3));
}
template <unsigned log2_container, unsigned Allowed>
void reverse(Emitter& e, bool Q, Imm<2> size, Reg Rn, Reg Rd) {
  if (reserved(size, Q, Allowed)) return e.unallocated();
  write(e, Q, Rd, vec(e, Op::VReverse, {e.V(Rn)}, size, log2_container));
}
template <Op op>
void add_pairs_accumulate(Emitter& e, bool Q, Imm<2> size, Reg Rn, Reg Rd) {
  if (reserved(size, Q, kBHS)) return e.unallocated();
  Value sums = vec(e, op, {e.V(Rn)}, size);
  write(e, Q, Rd, vec(e, Op::VAdd, {e.V(Rd), sums}, size + 1));
}

// V[n] op 0, or 0 op V[n] if Swapped.
template <Op op, bool Swapped>
Value compared_with_zero(Emitter& e, Reg Rn, unsigned esize) {
  Value zero = vec_zero(e), n = e.V(Rn);
  return Swapped ? vec(e, op, {zero, n}, esize) : vec(e, op, {n, zero}, esize);
}
template <Op op, bool Swapped>
void compare_zero(Emitter& e, bool Q, Imm<2> size, Reg Rn, Reg Rd) {
  if (reserved(size, Q, kBHSD)) return e.unallocated();
  write(e, Q, Rd, compared_with_zero<op, Swapped>(e, Rn, size));
}
template <Op op, bool Swapped>
void scalar_compare_zero(Emitter& e, Reg Rn, Reg Rd) {
  write(e, false, Rd, compared_with_zero<op, Swapped>(e, Rn, 3));
}

template <Op op>
void saturating_unary(Emitter& e, bool Q, Imm<2> size, Reg Rn, Reg Rd) {
  if (reserved(size, Q, kBHSD)) return e.unallocated();
  e.V(Rd, vec(e, op, {e.V(Rn)}, size, 0, lane_count(Q, size)));
}
template <Op op>
void scalar_saturating_unary(Emitter& e, Imm<2> size, Reg Rn, Reg Rd) {
  e.V(Rd, vec(e, op, {e.V(Rn)}, size, 0, 1));
}
template <Op op>
void saturating_accumulate(Emitter& e, bool Q, Imm<2> size, Reg Rn, Reg Rd) {
  if (reserved(size, Q, kBHSD)) return e.unallocated();
  e.V(Rd, vec(e, op, {e.V(Rd), e.V(Rn)}, size, 0, lane_count(Q, size)));
}
template <Op op>
void scalar_saturating_accumulate(Emitter& e, Imm<2> size, Reg Rn, Reg Rd) {
  e.V(Rd, vec(e, op, {e.V(Rd), e.V(Rn)}, size, 0, 1));
}

// XTN, XTN2 and so on: Q selects the half of V[d].
void XTN(Emitter& e, bool Q, Imm<2> size, Reg Rn, Reg Rd) {
  if (size == 3) return e.unallocated();
  write_narrow(e, Q, Rd, vec(e, Op::VNarrow, {e.V(Rn)}, size));
}
template <Op op>
void saturating_narrow(Emitter& e, bool Q, Imm<2> size, Reg Rn, Reg Rd) {
  if (size == 3) return e.unallocated();
  write_narrow(e, Q, Rd, vec(e, op, {e.V(Rn)}, size, 0, lanes_of_half(size)));
}
template <Op op>
void scalar_saturating_narrow(Emitter& e, Imm<2> size, Reg Rn, Reg Rd) {
  if (size == 3) return e.unallocated();
  e.V(Rd, vec(e, op, {e.V(Rn)}, size, 0, 1));
}
// SHLL, SHLL2: shift left by the size of the narrow lane.
void SHLL(Emitter& e, bool Q, Imm<2> size, Reg Rn, Reg Rd) {
  if (size == 3) return e.unallocated();
  Value wide = vec(e, Op::VZeroExtend, {e.V(Rn)}, size, Q);
  e.V(Rd, vec(e, Op::VShlImm, {wide}, size + 1, bits_of_lane(size)));
}

// clang-format off
constexpr Insn kVectorRows[] = {
    insn<"0 Q 0 01110 size:2 10000 00000 10 Rn:5 Rd:5", reverse<3, kBHS>>("REV64", kVdVn),
    insn<"0 Q 1 01110 size:2 10000 00000 10 Rn:5 Rd:5", reverse<2, kBH>>("REV32", kVdVn),
    insn<"0 Q 0 01110 size:2 10000 00001 10 Rn:5 Rd:5", reverse<1, kB>>("REV16", kVdVn),
    insn<"0 Q 0 01110 size:2 10000 00010 10 Rn:5 Rd:5", unary<Op::VSAddPairLong, kBHS>>(
        "SADDLP", "<Vd.l>, <Vn.i>"),
    insn<"0 Q 1 01110 size:2 10000 00010 10 Rn:5 Rd:5", unary<Op::VUAddPairLong, kBHS>>(
        "UADDLP", "<Vd.l>, <Vn.i>"),
    insn<"0 Q 0 01110 size:2 10000 00100 10 Rn:5 Rd:5", unary<Op::VCountLeadingSigns, kBHS>>("CLS", kVdVn),
    insn<"0 Q 1 01110 size:2 10000 00100 10 Rn:5 Rd:5", unary<Op::VCountLeadingZeros, kBHS>>("CLZ", kVdVn),
    insn<"0 Q 0 01110 size:2 10000 00101 10 Rn:5 Rd:5", unary<Op::VPopCount, kB>>("CNT", kVdVn),
    insn<"0 Q 0 01110 size:2 10000 01011 10 Rn:5 Rd:5", unary<Op::VAbs, kBHSD>>("ABS", kVdVn),
    insn<"0 Q 1 01110 size:2 10000 01011 10 Rn:5 Rd:5", unary<Op::VNeg, kBHSD>>("NEG", kVdVn),
    insn<"0 Q 1 01110 00 10000 00101 10 Rn:5 Rd:5", unary_bits<Op::VNot>>("NOT", kBytes),
    insn<"0 Q 1 01110 01 10000 00101 10 Rn:5 Rd:5", unary_bits<Op::VReverseBits>>("RBIT", kBytes),
    insn<"0 Q 0 01110 size:2 10000 00110 10 Rn:5 Rd:5", add_pairs_accumulate<Op::VSAddPairLong>>(
        "SADALP", "<Vd.l>, <Vn.i>"),
    insn<"0 Q 1 01110 size:2 10000 00110 10 Rn:5 Rd:5", add_pairs_accumulate<Op::VUAddPairLong>>(
        "UADALP", "<Vd.l>, <Vn.i>"),
    insn<"0 Q 0 01110 size:2 10000 01000 10 Rn:5 Rd:5", compare_zero<Op::VCmpGtS, false>>("CMGT", kVdVnZero),
    insn<"0 Q 0 01110 size:2 10000 01001 10 Rn:5 Rd:5", compare_zero<Op::VCmpEq, false>>("CMEQ", kVdVnZero),
    insn<"0 Q 0 01110 size:2 10000 01010 10 Rn:5 Rd:5", compare_zero<Op::VCmpGtS, true>>("CMLT", kVdVnZero),
    insn<"0 Q 1 01110 size:2 10000 01000 10 Rn:5 Rd:5", compare_zero<Op::VCmpGeS, false>>("CMGE", kVdVnZero),
    insn<"0 Q 1 01110 size:2 10000 01001 10 Rn:5 Rd:5", compare_zero<Op::VCmpGeS, true>>("CMLE", kVdVnZero),
    insn<"0 Q 0 01110 size:2 10000 00011 10 Rn:5 Rd:5", saturating_accumulate<Op::VSuqAdd>>("SUQADD", kVdVn),
    insn<"0 Q 1 01110 size:2 10000 00011 10 Rn:5 Rd:5", saturating_accumulate<Op::VUsqAdd>>("USQADD", kVdVn),
    insn<"0 Q 0 01110 size:2 10000 00111 10 Rn:5 Rd:5", saturating_unary<Op::VSqAbs>>("SQABS", kVdVn),
    insn<"0 Q 1 01110 size:2 10000 00111 10 Rn:5 Rd:5", saturating_unary<Op::VSqNeg>>("SQNEG", kVdVn),
    insn<"0 Q 0 01110 size:2 10000 10010 10 Rn:5 Rd:5", XTN>("XTN", kNarrow),
    insn<"0 Q 1 01110 size:2 10000 10010 10 Rn:5 Rd:5", saturating_narrow<Op::VSqUNarrow>>("SQXTUN", kNarrow),
    insn<"0 Q 0 01110 size:2 10000 10100 10 Rn:5 Rd:5", saturating_narrow<Op::VSqNarrow>>("SQXTN", kNarrow),
    insn<"0 Q 1 01110 size:2 10000 10100 10 Rn:5 Rd:5", saturating_narrow<Op::VUqNarrow>>("UQXTN", kNarrow),
    insn<"0 Q 1 01110 size:2 10000 10011 10 Rn:5 Rd:5", SHLL>("SHLL", "<Vd.w>, <Vn.i>, <shll>"),
    insn<"0 Q 0 01110 10 10000 11100 10 Rn:5 Rd:5", unary_bits<Op::VURecipEstimate>>("URECPE", kVdVn),
    insn<"0 Q 1 01110 10 10000 11100 10 Rn:5 Rd:5", unary_bits<Op::VURSqrtEstimate>>("URSQRTE", kVdVn),
};
// clang-format on
// clang-format off
constexpr Insn kScalarRows[] = {
    insn<"01 0 11110 11 10000 01000 10 Rn:5 Rd:5", scalar_compare_zero<Op::VCmpGtS, false>>(
        "CMGT", kScalarVdVnZero),
    insn<"01 0 11110 11 10000 01001 10 Rn:5 Rd:5", scalar_compare_zero<Op::VCmpEq, false>>(
        "CMEQ", kScalarVdVnZero),
    insn<"01 0 11110 11 10000 01010 10 Rn:5 Rd:5", scalar_compare_zero<Op::VCmpGtS, true>>(
        "CMLT", kScalarVdVnZero),
    insn<"01 1 11110 11 10000 01000 10 Rn:5 Rd:5", scalar_compare_zero<Op::VCmpGeS, false>>(
        "CMGE", kScalarVdVnZero),
    insn<"01 1 11110 11 10000 01001 10 Rn:5 Rd:5", scalar_compare_zero<Op::VCmpGeS, true>>(
        "CMLE", kScalarVdVnZero),
    insn<"01 0 11110 11 10000 01011 10 Rn:5 Rd:5", scalar_unary<Op::VAbs>>("ABS", kScalarVdVn),
    insn<"01 1 11110 11 10000 01011 10 Rn:5 Rd:5", scalar_unary<Op::VNeg>>("NEG", kScalarVdVn),
    insn<"01 0 11110 size:2 10000 00011 10 Rn:5 Rd:5", scalar_saturating_accumulate<Op::VSuqAdd>>(
        "SUQADD", kScalarVdVn),
    insn<"01 1 11110 size:2 10000 00011 10 Rn:5 Rd:5", scalar_saturating_accumulate<Op::VUsqAdd>>(
        "USQADD", kScalarVdVn),
    insn<"01 0 11110 size:2 10000 00111 10 Rn:5 Rd:5", scalar_saturating_unary<Op::VSqAbs>>(
        "SQABS", kScalarVdVn),
    insn<"01 1 11110 size:2 10000 00111 10 Rn:5 Rd:5", scalar_saturating_unary<Op::VSqNeg>>(
        "SQNEG", kScalarVdVn),
    insn<"01 1 11110 size:2 10000 10010 10 Rn:5 Rd:5", scalar_saturating_narrow<Op::VSqUNarrow>>(
        "SQXTUN", "<Ed.i>, <En.w>"),
    insn<"01 0 11110 size:2 10000 10100 10 Rn:5 Rd:5", scalar_saturating_narrow<Op::VSqNarrow>>(
        "SQXTN", "<Ed.i>, <En.w>"),
    insn<"01 1 11110 size:2 10000 10100 10 Rn:5 Rd:5", scalar_saturating_narrow<Op::VUqNarrow>>(
        "UQXTN", "<Ed.i>, <En.w>"),
};
// clang-format on

}  // namespace

const Group kSimdTwoRegister{"Advanced SIMD two-register miscellaneous", kVectorRows, true};
const Group kSimdScalarTwoRegister{"Advanced SIMD scalar two-register miscellaneous", kScalarRows, true};

}  // namespace sluice::cpu::a64
