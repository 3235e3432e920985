// cpu/a64/simd_shift_immediate.cpp: Arm ARM, "Advanced SIMD shift by immediate" and its scalar form. The
// highest set bit of immh gives the lane size; immh:immb is lane bits + amount (left) or 2 * lane bits -
// amount (right). With immh zero the vector encodings are those of cpu/a64/simd_modified_immediate.cpp.
#include <bit>

#include "cpu/a64/groups.h"
#include "cpu/a64/simd_support.h"
#include "tcg/ir/fp_conversion.h"

namespace sluice::cpu::a64 {
namespace {

constexpr std::string_view kRight = "<Vd.s>, <Vn.s>, <shr>", kScalarRight = "<Ed.s>, <En.s>, <shr>",
                           kLeft = "<Vd.s>, <Vn.s>, <shl>", kScalarLeft = "<Ed.s>, <En.s>, <shl>",
                           kNarrowShift = "<Vd.s>, <Vn.W>, <shr>", kLongShift = "<Vd.W>, <Vn.s>, <shl>";

using tcg::ir::FpConversion;

struct Amount {
  unsigned esize = 0, left = 0, right = 0;
};
// immh is not zero.
Amount decode(Imm<4> immh, Imm<3> immb) {
  const unsigned esize = unsigned(std::bit_width(u32(immh))) - 1, bits = bits_of_lane(esize);
  const unsigned value = immh << 3 | immb;
  return {esize, value - bits, 2 * bits - value};
}
struct Operands {
  Amount amount;
  bool Q;
  unsigned count;
  Reg Rn, Rd;
};

template <Op op>
void shift_right(Emitter& e, const Operands& o) {
  write(e, o.Q, o.Rd, vec(e, op, {e.V(o.Rn)}, o.amount.esize, o.amount.right));
}
template <Op op>
void shift_right_accumulate(Emitter& e, const Operands& o) {
  Value shifted = vec(e, op, {e.V(o.Rn)}, o.amount.esize, o.amount.right);
  write(e, o.Q, o.Rd, vec(e, Op::VAdd, {e.V(o.Rd), shifted}, o.amount.esize));
}
void SHL(Emitter& e, const Operands& o) {
  write(e, o.Q, o.Rd, vec(e, Op::VShlImm, {e.V(o.Rn)}, o.amount.esize, o.amount.left));
}
void SLI(Emitter& e, const Operands& o) {
  write(e, o.Q, o.Rd, vec(e, Op::VShlInsertImm, {e.V(o.Rd), e.V(o.Rn)}, o.amount.esize, o.amount.left));
}
void SRI(Emitter& e, const Operands& o) {
  write(e, o.Q, o.Rd, vec(e, Op::VShrInsertImm, {e.V(o.Rd), e.V(o.Rn)}, o.amount.esize, o.amount.right));
}
template <Op op>
void saturating_shift_left(Emitter& e, const Operands& o) {
  Value amount = vec_constant(e, o.amount.esize, o.amount.left);
  e.V(o.Rd, vec(e, op, {e.V(o.Rn), amount}, o.amount.esize, 0, o.count));
}
template <bool is_unsigned>
void from_fixed(Emitter& e, const Operands& o) {
  const FpConversion c{.is_unsigned = is_unsigned, .fbits = u8(o.amount.right)};
  e.V(o.Rd, vec(e, Op::FFromFixed, {e.V(o.Rn)}, o.amount.esize, c.pack(), o.count));
}
template <bool is_unsigned>
void to_fixed(Emitter& e, const Operands& o) {
  constexpr u8 kToZero = 3;
  const FpConversion c{.rounding = kToZero, .is_unsigned = is_unsigned, .fbits = u8(o.amount.right)};
  e.V(o.Rd, vec(e, Op::FToFixed, {e.V(o.Rn)}, o.amount.esize, c.pack(), o.count));
}

template <auto Body>
void vector(Emitter& e, bool Q, Imm<4> immh, Imm<3> immb, Reg Rn, Reg Rd) {
  if (immh == 0 || (immh >= 8 && !Q)) return e.unallocated();
  const Amount amount = decode(immh, immb);
  Body(e, Operands{amount, Q, lane_count(Q, amount.esize), Rn, Rd});
}
// 64-bit lanes only.
template <auto Body>
void scalar(Emitter& e, Imm<4> immh, Imm<3> immb, Reg Rn, Reg Rd) {
  if (immh < 8) return e.unallocated();
  Body(e, Operands{decode(immh, immb), false, 1, Rn, Rd});
}
template <auto Body>
void scalar_counted(Emitter& e, Imm<4> immh, Imm<3> immb, Reg Rn, Reg Rd) {
  if (immh == 0) return e.unallocated();
  Body(e, Operands{decode(immh, immb), false, 1, Rn, Rd});
}
// Lanes of a floating-point type: not bytes, halves with FEAT_FP16.
bool has_fp_lanes(Emitter& e, Imm<4> immh) {
  return immh >= 4 || (immh >= 2 && e.features.has(Feature::FP16));
}
template <auto Body>
void vector_fp(Emitter& e, bool Q, Imm<4> immh, Imm<3> immb, Reg Rn, Reg Rd) {
  if (!has_fp_lanes(e, immh)) return e.unallocated();
  vector<Body>(e, Q, immh, immb, Rn, Rd);
}
template <auto Body>
void scalar_fp(Emitter& e, Imm<4> immh, Imm<3> immb, Reg Rn, Reg Rd) {
  if (!has_fp_lanes(e, immh)) return e.unallocated();
  scalar_counted<Body>(e, immh, immb, Rn, Rd);
}

// Narrowing: the amount counts from the size of the result's lanes; Q selects the half that is written.
template <Op shift>
void narrow(Emitter& e, bool Q, Imm<4> immh, Imm<3> immb, Reg Rn, Reg Rd) {
  if (immh == 0 || immh >= 8) return e.unallocated();
  const Amount amount = decode(immh, immb);
  Value shifted = vec(e, shift, {e.V(Rn)}, amount.esize + 1, amount.right);
  write_narrow(e, Q, Rd, vec(e, Op::VNarrow, {shifted}, amount.esize));
}
template <Op shift, Op op>
void saturating_narrow(Emitter& e, bool Q, Imm<4> immh, Imm<3> immb, Reg Rn, Reg Rd) {
  if (immh == 0 || immh >= 8) return e.unallocated();
  const Amount amount = decode(immh, immb);
  Value shifted = vec(e, shift, {e.V(Rn)}, amount.esize + 1, amount.right);
  write_narrow(e, Q, Rd, vec(e, op, {shifted}, amount.esize, 0, lanes_of_half(amount.esize)));
}
template <Op shift, Op op>
void scalar_saturating_narrow(Emitter& e, Imm<4> immh, Imm<3> immb, Reg Rn, Reg Rd) {
  if (immh == 0 || immh >= 8) return e.unallocated();
  const Amount amount = decode(immh, immb);
  Value shifted = vec(e, shift, {e.V(Rn)}, amount.esize + 1, amount.right);
  e.V(Rd, vec(e, op, {shifted}, amount.esize, 0, 1));
}
// SSHLL, USHLL; SXTL and UXTL when the amount is 0.
template <Op extend>
void shift_left_long(Emitter& e, bool Q, Imm<4> immh, Imm<3> immb, Reg Rn, Reg Rd) {
  if (immh == 0 || immh >= 8) return e.unallocated();
  const Amount amount = decode(immh, immb);
  Value wide = vec(e, extend, {e.V(Rn)}, amount.esize, Q);
  e.V(Rd, amount.left ? vec(e, Op::VShlImm, {wide}, amount.esize + 1, amount.left) : wide);
}

// clang-format off
constexpr Insn kVectorRows[] = {
    insn<"0 Q 0 011110 immh:4 immb:3 00000 1 Rn:5 Rd:5", vector<shift_right<Op::VSShrImm>>>("SSHR", kRight),
    insn<"0 Q 0 011110 immh:4 immb:3 00010 1 Rn:5 Rd:5", vector<shift_right_accumulate<Op::VSShrImm>>>(
        "SSRA", kRight),
    insn<"0 Q 0 011110 immh:4 immb:3 00100 1 Rn:5 Rd:5", vector<shift_right<Op::VSRShrImm>>>("SRSHR", kRight),
    insn<"0 Q 0 011110 immh:4 immb:3 00110 1 Rn:5 Rd:5", vector<shift_right_accumulate<Op::VSRShrImm>>>(
        "SRSRA", kRight),
    insn<"0 Q 1 011110 immh:4 immb:3 00000 1 Rn:5 Rd:5", vector<shift_right<Op::VUShrImm>>>("USHR", kRight),
    insn<"0 Q 1 011110 immh:4 immb:3 00010 1 Rn:5 Rd:5", vector<shift_right_accumulate<Op::VUShrImm>>>(
        "USRA", kRight),
    insn<"0 Q 1 011110 immh:4 immb:3 00100 1 Rn:5 Rd:5", vector<shift_right<Op::VURShrImm>>>("URSHR", kRight),
    insn<"0 Q 1 011110 immh:4 immb:3 00110 1 Rn:5 Rd:5", vector<shift_right_accumulate<Op::VURShrImm>>>(
        "URSRA", kRight),
    insn<"0 Q 1 011110 immh:4 immb:3 01000 1 Rn:5 Rd:5", vector<SRI>>("SRI", kRight),
    insn<"0 Q 0 011110 immh:4 immb:3 01010 1 Rn:5 Rd:5", vector<SHL>>("SHL", kLeft),
    insn<"0 Q 1 011110 immh:4 immb:3 01010 1 Rn:5 Rd:5", vector<SLI>>("SLI", kLeft),
    insn<"0 Q 1 011110 immh:4 immb:3 01100 1 Rn:5 Rd:5", vector<saturating_shift_left<Op::VSqShlu>>>(
        "SQSHLU", kLeft),
    insn<"0 Q 0 011110 immh:4 immb:3 01110 1 Rn:5 Rd:5", vector<saturating_shift_left<Op::VSqShl>>>(
        "SQSHL", kLeft),
    insn<"0 Q 1 011110 immh:4 immb:3 01110 1 Rn:5 Rd:5", vector<saturating_shift_left<Op::VUqShl>>>(
        "UQSHL", kLeft),
    insn<"0 Q 0 011110 immh:4 immb:3 10000 1 Rn:5 Rd:5", narrow<Op::VUShrImm>>("SHRN", kNarrowShift),
    insn<"0 Q 0 011110 immh:4 immb:3 10001 1 Rn:5 Rd:5", narrow<Op::VURShrImm>>("RSHRN", kNarrowShift),
    insn<"0 Q 0 011110 immh:4 immb:3 10010 1 Rn:5 Rd:5", saturating_narrow<Op::VSShrImm, Op::VSqNarrow>>(
        "SQSHRN", kNarrowShift),
    insn<"0 Q 0 011110 immh:4 immb:3 10011 1 Rn:5 Rd:5", saturating_narrow<Op::VSRShrImm, Op::VSqNarrow>>(
        "SQRSHRN", kNarrowShift),
    insn<"0 Q 1 011110 immh:4 immb:3 10010 1 Rn:5 Rd:5", saturating_narrow<Op::VUShrImm, Op::VUqNarrow>>(
        "UQSHRN", kNarrowShift),
    insn<"0 Q 1 011110 immh:4 immb:3 10011 1 Rn:5 Rd:5", saturating_narrow<Op::VURShrImm, Op::VUqNarrow>>(
        "UQRSHRN", kNarrowShift),
    insn<"0 Q 1 011110 immh:4 immb:3 10000 1 Rn:5 Rd:5", saturating_narrow<Op::VSShrImm, Op::VSqUNarrow>>(
        "SQSHRUN", kNarrowShift),
    insn<"0 Q 1 011110 immh:4 immb:3 10001 1 Rn:5 Rd:5", saturating_narrow<Op::VSRShrImm, Op::VSqUNarrow>>(
        "SQRSHRUN", kNarrowShift),
    insn<"0 Q 0 011110 immh:4 immb:3 10100 1 Rn:5 Rd:5", shift_left_long<Op::VSignExtend>>(
        "SSHLL", kLongShift),
    insn<"0 Q 1 011110 immh:4 immb:3 10100 1 Rn:5 Rd:5", shift_left_long<Op::VZeroExtend>>(
        "USHLL", kLongShift),
    insn<"0 Q 0 011110 immh:4 immb:3 11100 1 Rn:5 Rd:5", vector_fp<from_fixed<false>>>("SCVTF", kRight),
    insn<"0 Q 1 011110 immh:4 immb:3 11100 1 Rn:5 Rd:5", vector_fp<from_fixed<true>>>("UCVTF", kRight),
    insn<"0 Q 0 011110 immh:4 immb:3 11111 1 Rn:5 Rd:5", vector_fp<to_fixed<false>>>("FCVTZS", kRight),
    insn<"0 Q 1 011110 immh:4 immb:3 11111 1 Rn:5 Rd:5", vector_fp<to_fixed<true>>>("FCVTZU", kRight),
};
// clang-format on
// clang-format off
constexpr Insn kScalarRows[] = {
    insn<"01 0 111110 immh:4 immb:3 00000 1 Rn:5 Rd:5", scalar<shift_right<Op::VSShrImm>>>(
        "SSHR", kScalarRight),
    insn<"01 0 111110 immh:4 immb:3 00010 1 Rn:5 Rd:5", scalar<shift_right_accumulate<Op::VSShrImm>>>(
        "SSRA", kScalarRight),
    insn<"01 0 111110 immh:4 immb:3 00100 1 Rn:5 Rd:5", scalar<shift_right<Op::VSRShrImm>>>(
        "SRSHR", kScalarRight),
    insn<"01 0 111110 immh:4 immb:3 00110 1 Rn:5 Rd:5", scalar<shift_right_accumulate<Op::VSRShrImm>>>(
        "SRSRA", kScalarRight),
    insn<"01 1 111110 immh:4 immb:3 00000 1 Rn:5 Rd:5", scalar<shift_right<Op::VUShrImm>>>(
        "USHR", kScalarRight),
    insn<"01 1 111110 immh:4 immb:3 00010 1 Rn:5 Rd:5", scalar<shift_right_accumulate<Op::VUShrImm>>>(
        "USRA", kScalarRight),
    insn<"01 1 111110 immh:4 immb:3 00100 1 Rn:5 Rd:5", scalar<shift_right<Op::VURShrImm>>>(
        "URSHR", kScalarRight),
    insn<"01 1 111110 immh:4 immb:3 00110 1 Rn:5 Rd:5", scalar<shift_right_accumulate<Op::VURShrImm>>>(
        "URSRA", kScalarRight),
    insn<"01 1 111110 immh:4 immb:3 01000 1 Rn:5 Rd:5", scalar<SRI>>("SRI", kScalarRight),
    insn<"01 0 111110 immh:4 immb:3 01010 1 Rn:5 Rd:5", scalar<SHL>>("SHL", kScalarLeft),
    insn<"01 1 111110 immh:4 immb:3 01010 1 Rn:5 Rd:5", scalar<SLI>>("SLI", kScalarLeft),
    insn<"01 1 111110 immh:4 immb:3 01100 1 Rn:5 Rd:5", scalar_counted<saturating_shift_left<Op::VSqShlu>>>(
        "SQSHLU", kScalarLeft),
    insn<"01 0 111110 immh:4 immb:3 01110 1 Rn:5 Rd:5", scalar_counted<saturating_shift_left<Op::VSqShl>>>(
        "SQSHL", kScalarLeft),
    insn<"01 1 111110 immh:4 immb:3 01110 1 Rn:5 Rd:5", scalar_counted<saturating_shift_left<Op::VUqShl>>>(
        "UQSHL", kScalarLeft),
    insn<"01 0 111110 immh:4 immb:3 10010 1 Rn:5 Rd:5",
         scalar_saturating_narrow<Op::VSShrImm, Op::VSqNarrow>>(
        "SQSHRN", "<Ed.s>, <En.W>, <shr>"),
    insn<"01 0 111110 immh:4 immb:3 10011 1 Rn:5 Rd:5",
         scalar_saturating_narrow<Op::VSRShrImm, Op::VSqNarrow>>(
        "SQRSHRN", "<Ed.s>, <En.W>, <shr>"),
    insn<"01 1 111110 immh:4 immb:3 10010 1 Rn:5 Rd:5",
         scalar_saturating_narrow<Op::VUShrImm, Op::VUqNarrow>>(
        "UQSHRN", "<Ed.s>, <En.W>, <shr>"),
    insn<"01 1 111110 immh:4 immb:3 10011 1 Rn:5 Rd:5",
         scalar_saturating_narrow<Op::VURShrImm, Op::VUqNarrow>>(
        "UQRSHRN", "<Ed.s>, <En.W>, <shr>"),
    insn<"01 1 111110 immh:4 immb:3 10000 1 Rn:5 Rd:5",
         scalar_saturating_narrow<Op::VSShrImm, Op::VSqUNarrow>>(
        "SQSHRUN", "<Ed.s>, <En.W>, <shr>"),
    insn<"01 1 111110 immh:4 immb:3 10001 1 Rn:5 Rd:5",
         scalar_saturating_narrow<Op::VSRShrImm, Op::VSqUNarrow>>(
        "SQRSHRUN", "<Ed.s>, <En.W>, <shr>"),
    insn<"01 0 111110 immh:4 immb:3 11100 1 Rn:5 Rd:5", scalar_fp<from_fixed<false>>>("SCVTF", kScalarRight),
    insn<"01 1 111110 immh:4 immb:3 11100 1 Rn:5 Rd:5", scalar_fp<from_fixed<true>>>("UCVTF", kScalarRight),
    insn<"01 0 111110 immh:4 immb:3 11111 1 Rn:5 Rd:5", scalar_fp<to_fixed<false>>>("FCVTZS", kScalarRight),
    insn<"01 1 111110 immh:4 immb:3 11111 1 Rn:5 Rd:5", scalar_fp<to_fixed<true>>>("FCVTZU", kScalarRight),
};
// clang-format on

}  // namespace

const Group kSimdShiftImmediate{"Advanced SIMD shift by immediate", kVectorRows, true};
const Group kSimdScalarShiftImmediate{"Advanced SIMD scalar shift by immediate", kScalarRows, true};

}  // namespace sluice::cpu::a64
