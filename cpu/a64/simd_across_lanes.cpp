// cpu/a64/simd_across_lanes.cpp: Arm ARM, "Advanced SIMD across lanes" and "Advanced SIMD scalar pairwise".
#include "cpu/a64/groups.h"
#include "cpu/a64/simd_support.h"

namespace sluice::cpu::a64 {
namespace {

constexpr std::string_view kAcross = "<Ed.i>, <Vn.i>", kPair = "<Ed.f>, <Vn.p>",
                           kHalfPair = "<Ed.H>, <Vn.2h>";

template <Op op>
void across(Emitter& e, bool Q, Imm<2> size, Reg Rn, Reg Rd) {
  if (size == 3 || (size == 2 && !Q)) return e.unallocated();
  e.V(Rd, vec(e, op, {e.V(Rn)}, size, 0, lane_count(Q, size)));
}
template <Op op>
void fp_across(Emitter& e, Reg Rn, Reg Rd) {
  e.V(Rd, vec(e, op, {e.V(Rn)}, 2, 0, 4));
}
template <Op op>
void half_across(Emitter& e, bool Q, Reg Rn, Reg Rd) {
  e.V(Rd, vec(e, op, {e.V(Rn)}, 1, 0, lane_count(Q, 1)));
}

// A pair is a vector of two lanes.
void ADDP_scalar(Emitter& e, Reg Rn, Reg Rd) { e.V(Rd, vec(e, Op::VAddAcross, {e.V(Rn)}, 3, 0, 2)); }
void add_fp_pair(Emitter& e, unsigned esize, Reg Rn, Reg Rd) {
  Value n = e.V(Rn);
  e.V(Rd, vec(e, Op::FAdd, {n, vec(e, Op::VDupLane, {n}, esize, 1)}, esize, 0, 1));
}
void FADDP_scalar(Emitter& e, bool sz, Reg Rn, Reg Rd) { add_fp_pair(e, 2u + sz, Rn, Rd); }
void FADDP_scalar_half(Emitter& e, Reg Rn, Reg Rd) { add_fp_pair(e, 1, Rn, Rd); }
template <Op op>
void fp_pair(Emitter& e, bool sz, Reg Rn, Reg Rd) {
  e.V(Rd, vec(e, op, {e.V(Rn)}, 2u + sz, 0, 2));
}
template <Op op>
void half_pair(Emitter& e, Reg Rn, Reg Rd) {
  e.V(Rd, vec(e, op, {e.V(Rn)}, 1, 0, 2));
}

// clang-format off
constexpr Insn kAcrossRows[] = {
    insn<"0 Q 0 01110 size:2 11000 00011 10 Rn:5 Rd:5", across<Op::VSAddAcrossLong>>(
        "SADDLV", "<Ed.w>, <Vn.i>"),
    insn<"0 Q 1 01110 size:2 11000 00011 10 Rn:5 Rd:5", across<Op::VUAddAcrossLong>>(
        "UADDLV", "<Ed.w>, <Vn.i>"),
    insn<"0 Q 0 01110 size:2 11000 01010 10 Rn:5 Rd:5", across<Op::VSMaxAcross>>("SMAXV", kAcross),
    insn<"0 Q 1 01110 size:2 11000 01010 10 Rn:5 Rd:5", across<Op::VUMaxAcross>>("UMAXV", kAcross),
    insn<"0 Q 0 01110 size:2 11000 11010 10 Rn:5 Rd:5", across<Op::VSMinAcross>>("SMINV", kAcross),
    insn<"0 Q 1 01110 size:2 11000 11010 10 Rn:5 Rd:5", across<Op::VUMinAcross>>("UMINV", kAcross),
    insn<"0 Q 0 01110 size:2 11000 11011 10 Rn:5 Rd:5", across<Op::VAddAcross>>("ADDV", kAcross),
    insn<"0 1 1 01110 0 0 11000 01100 10 Rn:5 Rd:5", fp_across<Op::FMaxNumAcross>>(
        "FMAXNMV", "<Ed.S>, <Vn.4s>"),
    insn<"0 Q 0 01110 0 0 11000 01100 10 Rn:5 Rd:5", half_across<Op::FMaxNumAcross>>(
        "FMAXNMV", "<Ed.H>, <Vn.h>", Feature::FP16),
    insn<"0 1 1 01110 1 0 11000 01100 10 Rn:5 Rd:5", fp_across<Op::FMinNumAcross>>(
        "FMINNMV", "<Ed.S>, <Vn.4s>"),
    insn<"0 Q 0 01110 1 0 11000 01100 10 Rn:5 Rd:5", half_across<Op::FMinNumAcross>>(
        "FMINNMV", "<Ed.H>, <Vn.h>", Feature::FP16),
    insn<"0 1 1 01110 0 0 11000 01111 10 Rn:5 Rd:5", fp_across<Op::FMaxAcross>>("FMAXV", "<Ed.S>, <Vn.4s>"),
    insn<"0 Q 0 01110 0 0 11000 01111 10 Rn:5 Rd:5", half_across<Op::FMaxAcross>>(
        "FMAXV", "<Ed.H>, <Vn.h>", Feature::FP16),
    insn<"0 1 1 01110 1 0 11000 01111 10 Rn:5 Rd:5", fp_across<Op::FMinAcross>>("FMINV", "<Ed.S>, <Vn.4s>"),
    insn<"0 Q 0 01110 1 0 11000 01111 10 Rn:5 Rd:5", half_across<Op::FMinAcross>>(
        "FMINV", "<Ed.H>, <Vn.h>", Feature::FP16),
};
// clang-format on
// clang-format off
constexpr Insn kPairwiseRows[] = {
    insn<"01 0 11110 11 11000 11011 10 Rn:5 Rd:5", ADDP_scalar>("ADDP", "<Ed.D>, <Vn.2d>"),
    insn<"01 1 11110 0 sz 11000 01101 10 Rn:5 Rd:5", FADDP_scalar>("FADDP", kPair),
    insn<"01 0 11110 0 0 11000 01101 10 Rn:5 Rd:5", FADDP_scalar_half>("FADDP", kHalfPair, Feature::FP16),
    insn<"01 1 11110 0 sz 11000 01100 10 Rn:5 Rd:5", fp_pair<Op::FMaxNumAcross>>("FMAXNMP", kPair),
    insn<"01 0 11110 0 0 11000 01100 10 Rn:5 Rd:5", half_pair<Op::FMaxNumAcross>>(
        "FMAXNMP", kHalfPair, Feature::FP16),
    insn<"01 1 11110 1 sz 11000 01100 10 Rn:5 Rd:5", fp_pair<Op::FMinNumAcross>>("FMINNMP", kPair),
    insn<"01 0 11110 1 0 11000 01100 10 Rn:5 Rd:5", half_pair<Op::FMinNumAcross>>(
        "FMINNMP", kHalfPair, Feature::FP16),
    insn<"01 1 11110 0 sz 11000 01111 10 Rn:5 Rd:5", fp_pair<Op::FMaxAcross>>("FMAXP", kPair),
    insn<"01 0 11110 0 0 11000 01111 10 Rn:5 Rd:5", half_pair<Op::FMaxAcross>>(
        "FMAXP", kHalfPair, Feature::FP16),
    insn<"01 1 11110 1 sz 11000 01111 10 Rn:5 Rd:5", fp_pair<Op::FMinAcross>>("FMINP", kPair),
    insn<"01 0 11110 1 0 11000 01111 10 Rn:5 Rd:5", half_pair<Op::FMinAcross>>(
        "FMINP", kHalfPair, Feature::FP16),
};
// clang-format on

}  // namespace

const Group kSimdAcrossLanes{"Advanced SIMD across lanes", kAcrossRows, true};
const Group kSimdScalarPairwise{"Advanced SIMD scalar pairwise", kPairwiseRows, true};

}  // namespace sluice::cpu::a64
