// cpu/a64/simd_three_same_extra.cpp: Arm ARM, "Advanced SIMD three-register extension" and "Advanced SIMD
// scalar three same extra".
#include "cpu/a64/groups.h"
#include "cpu/a64/simd_support.h"

namespace sluice::cpu::a64 {
namespace {

constexpr std::string_view kDot = "<Vd.t>, <Vn.b>, <Vm.b>", kMatrix = "<Vd.4s>, <Vn.16b>, <Vm.16b>";

template <Op op>
void rounding_doubling(Emitter& e, bool Q, Imm<2> size, Reg Rm, Reg Rn, Reg Rd) {
  if (reserved(size, Q, kHS)) return e.unallocated();
  e.V(Rd, vec(e, op, {e.V(Rd), e.V(Rn), e.V(Rm)}, size, 0, lane_count(Q, size)));
}
template <Op op>
void scalar_rounding_doubling(Emitter& e, Imm<2> size, Reg Rm, Reg Rn, Reg Rd) {
  if (!(kHS >> size & 1)) return e.unallocated();
  e.V(Rd, vec(e, op, {e.V(Rd), e.V(Rn), e.V(Rm)}, size, 0, 1));
}
template <Op op>
void dot_product(Emitter& e, bool Q, Reg Rm, Reg Rn, Reg Rd) {
  write(e, Q, Rd, vec(e, op, {e.V(Rd), e.V(Rn), e.V(Rm)}));
}
template <Op op>
void matrix_product(Emitter& e, Reg Rm, Reg Rn, Reg Rd) {
  e.V(Rd, vec(e, op, {e.V(Rd), e.V(Rn), e.V(Rm)}));
}

// Lanes of the complex instructions: half (with FEAT_FP16), single or double.
bool reserved_complex(Emitter& e, unsigned size, bool Q) {
  return size == 0 || (size == 1 && !e.features.has(Feature::FP16)) || (size == 3 && !Q);
}
void FCMLA(Emitter& e, bool Q, Imm<2> size, Reg Rm, Imm<2> rot, Reg Rn, Reg Rd) {
  if (reserved_complex(e, size, Q)) return e.unallocated();
  e.V(Rd, vec(e, Op::FComplexMulAdd, {e.V(Rd), e.V(Rn), e.V(Rm)}, size, rot * 90, lane_count(Q, size)));
}
void FCADD(Emitter& e, bool Q, Imm<2> size, Reg Rm, bool rot, Reg Rn, Reg Rd) {
  if (reserved_complex(e, size, Q)) return e.unallocated();
  e.V(Rd, vec(e, Op::FComplexAdd, {e.V(Rn), e.V(Rm)}, size, rot ? 270 : 90, lane_count(Q, size)));
}

// clang-format off
constexpr Insn kRows[] = {
    insn<"0 Q 1 01110 size:2 0 Rm:5 1 0000 1 Rn:5 Rd:5", rounding_doubling<Op::VSqRDMulAddHigh>>(
        "SQRDMLAH", kVdVnVm, Feature::RDM),
    insn<"01 1 11110 size:2 0 Rm:5 1 0000 1 Rn:5 Rd:5", scalar_rounding_doubling<Op::VSqRDMulAddHigh>>(
        "SQRDMLAH", kScalarVdVnVm, Feature::RDM),
    insn<"0 Q 1 01110 size:2 0 Rm:5 1 0001 1 Rn:5 Rd:5", rounding_doubling<Op::VSqRDMulSubHigh>>(
        "SQRDMLSH", kVdVnVm, Feature::RDM),
    insn<"01 1 11110 size:2 0 Rm:5 1 0001 1 Rn:5 Rd:5", scalar_rounding_doubling<Op::VSqRDMulSubHigh>>(
        "SQRDMLSH", kScalarVdVnVm, Feature::RDM),
    insn<"0 Q 0 01110 10 0 Rm:5 1 0010 1 Rn:5 Rd:5", dot_product<Op::VSDot>>("SDOT", kDot, Feature::DotProd),
    insn<"0 Q 1 01110 10 0 Rm:5 1 0010 1 Rn:5 Rd:5", dot_product<Op::VUDot>>("UDOT", kDot, Feature::DotProd),
    insn<"0 Q 0 01110 10 0 Rm:5 1 0011 1 Rn:5 Rd:5", dot_product<Op::VUsDot>>("USDOT", kDot, Feature::I8MM),
    insn<"0 1 0 01110 10 0 Rm:5 1 0100 1 Rn:5 Rd:5", matrix_product<Op::VSMatMul>>(
        "SMMLA", kMatrix, Feature::I8MM),
    insn<"0 1 1 01110 10 0 Rm:5 1 0100 1 Rn:5 Rd:5", matrix_product<Op::VUMatMul>>(
        "UMMLA", kMatrix, Feature::I8MM),
    insn<"0 1 0 01110 10 0 Rm:5 1 0101 1 Rn:5 Rd:5", matrix_product<Op::VUsMatMul>>(
        "USMMLA", kMatrix, Feature::I8MM),
    insn<"0 Q 1 01110 size:2 0 Rm:5 1 10 rot:2 1 Rn:5 Rd:5", FCMLA>(
        "FCMLA", "<Vd.i>, <Vn.i>, <Vm.i>, <rot11>", Feature::FCMA),
    insn<"0 Q 1 01110 size:2 0 Rm:5 1 11 rot 0 1 Rn:5 Rd:5", FCADD>(
        "FCADD", "<Vd.i>, <Vn.i>, <Vm.i>, <rot12>", Feature::FCMA),
};
// clang-format on

}  // namespace

const Group kSimdThreeSameExtra{"Advanced SIMD three-register extension", kRows, true};

}  // namespace sluice::cpu::a64
