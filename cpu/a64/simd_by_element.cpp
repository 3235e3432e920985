// cpu/a64/simd_by_element.cpp: Arm ARM, "Advanced SIMD vector x indexed element" and its scalar form: the
// element of V[m] in every lane, then the operation on whole vectors.
#include "cpu/a64/groups.h"
#include "cpu/a64/simd_support.h"

namespace sluice::cpu::a64 {
namespace {

constexpr std::string_view kInteger = "<Vd.i>, <Vn.i>, <M.i>", kLong = "<Vd.w>, <Vn.i>, <M.i>",
                           kFp = "<Vd.f>, <Vn.f>, <M.f>", kHalf = "<Vd.h>, <Vn.h>, <M.h>",
                           kScalarInteger = "<Ed.i>, <En.i>, <M.i>", kScalarLong = "<Ed.w>, <En.i>, <M.i>",
                           kScalarFp = "<Ed.f>, <En.f>, <M.f>", kScalarHalf = "<Ed.H>, <En.H>, <M.h>",
                           kDot = "<Vd.t>, <Vn.b>, <M.b>", kHalfLong = "<Vd.t>, <Vn.x>, <M.h>";

// The fields that name an element: a half is V0..V15[H:L:M], a single V0..V31[H:L], a double V0..V31[H].
struct ElementFields {
  bool L, M;
  unsigned Rm;
  bool H;
};
// The element in every lane.
Value element(Emitter& e, unsigned esize, ElementFields f) {
  const unsigned hlm = unsigned(f.H) << 2 | unsigned(f.L) << 1 | f.M;
  const Reg m{u8(esize == 1 ? f.Rm : unsigned(f.M) << 4 | f.Rm)};
  return vec(e, Op::VDupLane, {e.V(m)}, esize, hlm >> (esize - 1));
}

// Operands of an instruction: the lanes, Q, and V[m] prepared.
struct Operands {
  Lanes lanes;
  bool Q;
  Value m;
  Reg Rn, Rd;
};

void multiply(Emitter& e, const Operands& o) {
  write(e, o.Q, o.Rd, vec(e, Op::VMul, {e.V(o.Rn), o.m}, o.lanes.esize));
}
template <Op op>
void accumulate(Emitter& e, const Operands& o) {
  Value product = vec(e, Op::VMul, {e.V(o.Rn), o.m}, o.lanes.esize);
  write(e, o.Q, o.Rd, vec(e, op, {e.V(o.Rd), product}, o.lanes.esize));
}
template <Op op>
void multiply_long(Emitter& e, const Operands& o) {
  e.V(o.Rd, vec(e, op, {e.V(o.Rn), o.m}, o.lanes.esize, o.Q));
}
template <Op op, Op accumulate>
void accumulate_long(Emitter& e, const Operands& o) {
  Value product = vec(e, op, {e.V(o.Rn), o.m}, o.lanes.esize, o.Q);
  e.V(o.Rd, vec(e, accumulate, {e.V(o.Rd), product}, o.lanes.esize + 1));
}
// A scalar has one lane; a vector reads half of V[n].
unsigned long_lanes(const Operands& o) { return o.lanes.count == 1 ? 1 : lanes_of_half(o.lanes.esize); }
void doubling_long(Emitter& e, const Operands& o) {
  e.V(o.Rd, vec(e, Op::VSqDMulLong, {e.V(o.Rn), o.m}, o.lanes.esize, o.Q, long_lanes(o)));
}
template <Op op>
void doubling_long_accumulate(Emitter& e, const Operands& o) {
  Value product = vec(e, Op::VSqDMulLong, {e.V(o.Rn), o.m}, o.lanes.esize, o.Q, long_lanes(o));
  e.V(o.Rd, vec(e, op, {e.V(o.Rd), product}, o.lanes.esize + 1, 0, long_lanes(o)));
}
template <Op op>
void doubling_high(Emitter& e, const Operands& o) {
  e.V(o.Rd, vec(e, op, {e.V(o.Rn), o.m}, o.lanes.esize, 0, o.lanes.count));
}
template <Op op>
void doubling_high_accumulate(Emitter& e, const Operands& o) {
  e.V(o.Rd, vec(e, op, {e.V(o.Rd), e.V(o.Rn), o.m}, o.lanes.esize, 0, o.lanes.count));
}
template <Op op>
void fp_multiply(Emitter& e, const Operands& o) {
  e.V(o.Rd, vec(e, op, {e.V(o.Rn), o.m}, o.lanes.esize, 0, o.lanes.count));
}
template <u64 negated>
void fp_multiply_add(Emitter& e, const Operands& o) {
  e.V(o.Rd, vec(e, Op::FMulAdd, {e.V(o.Rd), e.V(o.Rn), o.m}, o.lanes.esize, negated, o.lanes.count));
}

// Integers: 16 and 32 bits.
template <auto Body>
void vector(Emitter& e, bool Q, Imm<2> size, bool L, bool M, Imm<4> Rm, bool H, Reg Rn, Reg Rd) {
  if (size == 0 || size == 3) return e.unallocated();
  Body(e, Operands{{size, lane_count(Q, size)}, Q, element(e, size, {L, M, Rm, H}), Rn, Rd});
}
template <auto Body>
void scalar(Emitter& e, Imm<2> size, bool L, bool M, Imm<4> Rm, bool H, Reg Rn, Reg Rd) {
  if (size == 0 || size == 3) return e.unallocated();
  Body(e, Operands{{size, 1}, false, element(e, size, {L, M, Rm, H}), Rn, Rd});
}
template <auto Body>
void vector_fp(Emitter& e, bool Q, bool sz, bool L, bool M, Imm<4> Rm, bool H, Reg Rn, Reg Rd) {
  if (sz && (L || !Q)) return e.unallocated();
  const unsigned esize = 2u + sz;
  Body(e, Operands{{esize, lane_count(Q, esize)}, Q, element(e, esize, {L, M, Rm, H}), Rn, Rd});
}
template <auto Body>
void vector_half(Emitter& e, bool Q, bool L, bool M, Imm<4> Rm, bool H, Reg Rn, Reg Rd) {
  Body(e, Operands{{1, lane_count(Q, 1)}, Q, element(e, 1, {L, M, Rm, H}), Rn, Rd});
}
template <auto Body>
void scalar_fp(Emitter& e, bool sz, bool L, bool M, Imm<4> Rm, bool H, Reg Rn, Reg Rd) {
  if (sz && L) return e.unallocated();
  Body(e, Operands{{2u + sz, 1}, false, element(e, 2u + sz, {L, M, Rm, H}), Rn, Rd});
}
template <auto Body>
void scalar_half(Emitter& e, bool L, bool M, Imm<4> Rm, bool H, Reg Rn, Reg Rd) {
  Body(e, Operands{{1, 1}, false, element(e, 1, {L, M, Rm, H}), Rn, Rd});
}

// The element is four bytes.
template <Op op>
void dot_product(Emitter& e, bool Q, bool L, bool M, Imm<4> Rm, bool H, Reg Rn, Reg Rd) {
  write(e, Q, Rd, vec(e, op, {e.V(Rd), e.V(Rn), element(e, 2, {L, M, Rm, H})}));
}
// Signed by unsigned: USDOT with the operands exchanged.
void SUDOT(Emitter& e, bool Q, bool L, bool M, Imm<4> Rm, bool H, Reg Rn, Reg Rd) {
  write(e, Q, Rd, vec(e, Op::VUsDot, {e.V(Rd), element(e, 2, {L, M, Rm, H}), e.V(Rn)}));
}
// FMLAL, FMLSL (by element): imm as in the op FMulAddLong.
template <u64 imm>
void FMLAL(Emitter& e, bool Q, bool L, bool M, Imm<4> Rm, bool H, Reg Rn, Reg Rd) {
  Value m = element(e, 1, {L, M, Rm, H});
  e.V(Rd, vec(e, Op::FMulAddLong, {e.V(Rd), e.V(Rn), m}, 1, imm, lane_count(Q, 2)));
}
// The element is a pair: two halves at [H:L], or two singles at [H].
void FCMLA(Emitter& e, bool Q, Imm<2> size, bool L, bool M, Imm<4> Rm, Imm<2> rot, bool H, Reg Rn, Reg Rd) {
  const bool half = size == 1, single = size == 2;
  if (!half && !single) return e.unallocated();
  if (half && (!e.features.has(Feature::FP16) || (H && !Q))) return e.unallocated();
  if (single && (L || !Q)) return e.unallocated();
  Value m = element(e, size + 1, {L, M, Rm, H});
  e.V(Rd, vec(e, Op::FComplexMulAdd, {e.V(Rd), e.V(Rn), m}, size, rot * 90, lane_count(Q, size)));
}

// clang-format off
constexpr Insn kVectorRows[] = {
    insn<"0 Q 0 01111 size:2 L M Rm:4 1000 H 0 Rn:5 Rd:5", vector<multiply>>("MUL", kInteger),
    insn<"0 Q 1 01111 size:2 L M Rm:4 0000 H 0 Rn:5 Rd:5", vector<accumulate<Op::VAdd>>>("MLA", kInteger),
    insn<"0 Q 1 01111 size:2 L M Rm:4 0100 H 0 Rn:5 Rd:5", vector<accumulate<Op::VSub>>>("MLS", kInteger),
    insn<"0 Q 0 01111 size:2 L M Rm:4 1010 H 0 Rn:5 Rd:5", vector<multiply_long<Op::VSMulLong>>>(
        "SMULL", kLong),
    insn<"0 Q 0 01111 size:2 L M Rm:4 0010 H 0 Rn:5 Rd:5", vector<accumulate_long<Op::VSMulLong, Op::VAdd>>>(
        "SMLAL", kLong),
    insn<"0 Q 0 01111 size:2 L M Rm:4 0110 H 0 Rn:5 Rd:5", vector<accumulate_long<Op::VSMulLong, Op::VSub>>>(
        "SMLSL", kLong),
    insn<"0 Q 1 01111 size:2 L M Rm:4 1010 H 0 Rn:5 Rd:5", vector<multiply_long<Op::VUMulLong>>>(
        "UMULL", kLong),
    insn<"0 Q 1 01111 size:2 L M Rm:4 0010 H 0 Rn:5 Rd:5", vector<accumulate_long<Op::VUMulLong, Op::VAdd>>>(
        "UMLAL", kLong),
    insn<"0 Q 1 01111 size:2 L M Rm:4 0110 H 0 Rn:5 Rd:5", vector<accumulate_long<Op::VUMulLong, Op::VSub>>>(
        "UMLSL", kLong),
    insn<"0 Q 0 01111 size:2 L M Rm:4 1011 H 0 Rn:5 Rd:5", vector<doubling_long>>("SQDMULL", kLong),
    insn<"0 Q 0 01111 size:2 L M Rm:4 0011 H 0 Rn:5 Rd:5", vector<doubling_long_accumulate<Op::VSqAdd>>>(
        "SQDMLAL", kLong),
    insn<"0 Q 0 01111 size:2 L M Rm:4 0111 H 0 Rn:5 Rd:5", vector<doubling_long_accumulate<Op::VSqSub>>>(
        "SQDMLSL", kLong),
    insn<"0 Q 0 01111 size:2 L M Rm:4 1100 H 0 Rn:5 Rd:5", vector<doubling_high<Op::VSqDMulHigh>>>(
        "SQDMULH", kInteger),
    insn<"0 Q 0 01111 size:2 L M Rm:4 1101 H 0 Rn:5 Rd:5", vector<doubling_high<Op::VSqRDMulHigh>>>(
        "SQRDMULH", kInteger),
    insn<"0 Q 1 01111 size:2 L M Rm:4 1101 H 0 Rn:5 Rd:5",
         vector<doubling_high_accumulate<Op::VSqRDMulAddHigh>>>(
        "SQRDMLAH", kInteger, Feature::RDM),
    insn<"0 Q 1 01111 size:2 L M Rm:4 1111 H 0 Rn:5 Rd:5",
         vector<doubling_high_accumulate<Op::VSqRDMulSubHigh>>>(
        "SQRDMLSH", kInteger, Feature::RDM),
    insn<"0 Q 0 01111 00 L M Rm:4 0001 H 0 Rn:5 Rd:5", vector_half<fp_multiply_add<0>>>(
        "FMLA", kHalf, Feature::FP16),
    insn<"0 Q 0 01111 1 sz L M Rm:4 0001 H 0 Rn:5 Rd:5", vector_fp<fp_multiply_add<0>>>("FMLA", kFp),
    insn<"0 Q 0 01111 00 L M Rm:4 0101 H 0 Rn:5 Rd:5", vector_half<fp_multiply_add<2>>>(
        "FMLS", kHalf, Feature::FP16),
    insn<"0 Q 0 01111 1 sz L M Rm:4 0101 H 0 Rn:5 Rd:5", vector_fp<fp_multiply_add<2>>>("FMLS", kFp),
    insn<"0 Q 0 01111 00 L M Rm:4 1001 H 0 Rn:5 Rd:5", vector_half<fp_multiply<Op::FMul>>>(
        "FMUL", kHalf, Feature::FP16),
    insn<"0 Q 0 01111 1 sz L M Rm:4 1001 H 0 Rn:5 Rd:5", vector_fp<fp_multiply<Op::FMul>>>("FMUL", kFp),
    insn<"0 Q 1 01111 00 L M Rm:4 1001 H 0 Rn:5 Rd:5", vector_half<fp_multiply<Op::FMulX>>>(
        "FMULX", kHalf, Feature::FP16),
    insn<"0 Q 1 01111 1 sz L M Rm:4 1001 H 0 Rn:5 Rd:5", vector_fp<fp_multiply<Op::FMulX>>>("FMULX", kFp),
    insn<"0 Q 0 01111 10 L M Rm:4 1110 H 0 Rn:5 Rd:5", dot_product<Op::VSDot>>(
        "SDOT", kDot, Feature::DotProd),
    insn<"0 Q 1 01111 10 L M Rm:4 1110 H 0 Rn:5 Rd:5", dot_product<Op::VUDot>>(
        "UDOT", kDot, Feature::DotProd),
    insn<"0 Q 0 01111 10 L M Rm:4 1111 H 0 Rn:5 Rd:5", dot_product<Op::VUsDot>>("USDOT", kDot, Feature::I8MM),
    insn<"0 Q 0 01111 00 L M Rm:4 1111 H 0 Rn:5 Rd:5", SUDOT>("SUDOT", kDot, Feature::I8MM),
    insn<"0 Q 0 01111 10 L M Rm:4 0000 H 0 Rn:5 Rd:5", FMLAL<0>>("FMLAL", kHalfLong, Feature::FHM),
    insn<"0 Q 0 01111 10 L M Rm:4 0100 H 0 Rn:5 Rd:5", FMLAL<2>>("FMLSL", kHalfLong, Feature::FHM),
    insn<"0 Q 1 01111 10 L M Rm:4 1000 H 0 Rn:5 Rd:5", FMLAL<1>>("FMLAL2", kHalfLong, Feature::FHM),
    insn<"0 Q 1 01111 10 L M Rm:4 1100 H 0 Rn:5 Rd:5", FMLAL<3>>("FMLSL2", kHalfLong, Feature::FHM),
    insn<"0 Q 1 01111 size:2 L M Rm:4 0 rot:2 1 H 0 Rn:5 Rd:5", FCMLA>(
        "FCMLA", "<Vd.i>, <Vn.i>, <M.c>, <rot13>", Feature::FCMA),
};
// clang-format on
// clang-format off
constexpr Insn kScalarRows[] = {
    insn<"01 0 11111 size:2 L M Rm:4 1011 H 0 Rn:5 Rd:5", scalar<doubling_long>>("SQDMULL", kScalarLong),
    insn<"01 0 11111 size:2 L M Rm:4 0011 H 0 Rn:5 Rd:5", scalar<doubling_long_accumulate<Op::VSqAdd>>>(
        "SQDMLAL", kScalarLong),
    insn<"01 0 11111 size:2 L M Rm:4 0111 H 0 Rn:5 Rd:5", scalar<doubling_long_accumulate<Op::VSqSub>>>(
        "SQDMLSL", kScalarLong),
    insn<"01 0 11111 size:2 L M Rm:4 1100 H 0 Rn:5 Rd:5", scalar<doubling_high<Op::VSqDMulHigh>>>(
        "SQDMULH", kScalarInteger),
    insn<"01 0 11111 size:2 L M Rm:4 1101 H 0 Rn:5 Rd:5", scalar<doubling_high<Op::VSqRDMulHigh>>>(
        "SQRDMULH", kScalarInteger),
    insn<"01 1 11111 size:2 L M Rm:4 1101 H 0 Rn:5 Rd:5",
         scalar<doubling_high_accumulate<Op::VSqRDMulAddHigh>>>(
        "SQRDMLAH", kScalarInteger, Feature::RDM),
    insn<"01 1 11111 size:2 L M Rm:4 1111 H 0 Rn:5 Rd:5",
         scalar<doubling_high_accumulate<Op::VSqRDMulSubHigh>>>(
        "SQRDMLSH", kScalarInteger, Feature::RDM),
    insn<"01 0 11111 00 L M Rm:4 0001 H 0 Rn:5 Rd:5", scalar_half<fp_multiply_add<0>>>(
        "FMLA", kScalarHalf, Feature::FP16),
    insn<"01 0 11111 1 sz L M Rm:4 0001 H 0 Rn:5 Rd:5", scalar_fp<fp_multiply_add<0>>>("FMLA", kScalarFp),
    insn<"01 0 11111 00 L M Rm:4 0101 H 0 Rn:5 Rd:5", scalar_half<fp_multiply_add<2>>>(
        "FMLS", kScalarHalf, Feature::FP16),
    insn<"01 0 11111 1 sz L M Rm:4 0101 H 0 Rn:5 Rd:5", scalar_fp<fp_multiply_add<2>>>("FMLS", kScalarFp),
    insn<"01 0 11111 00 L M Rm:4 1001 H 0 Rn:5 Rd:5", scalar_half<fp_multiply<Op::FMul>>>(
        "FMUL", kScalarHalf, Feature::FP16),
    insn<"01 0 11111 1 sz L M Rm:4 1001 H 0 Rn:5 Rd:5", scalar_fp<fp_multiply<Op::FMul>>>("FMUL", kScalarFp),
    insn<"01 1 11111 00 L M Rm:4 1001 H 0 Rn:5 Rd:5", scalar_half<fp_multiply<Op::FMulX>>>(
        "FMULX", kScalarHalf, Feature::FP16),
    insn<"01 1 11111 1 sz L M Rm:4 1001 H 0 Rn:5 Rd:5", scalar_fp<fp_multiply<Op::FMulX>>>(
        "FMULX", kScalarFp),
};
// clang-format on

}  // namespace

const Group kSimdByElement{"Advanced SIMD vector x indexed element", kVectorRows, true};
const Group kSimdScalarByElement{"Advanced SIMD scalar x indexed element", kScalarRows, true};

}  // namespace sluice::cpu::a64
