// cpu/a64/simd_copy.cpp: Arm ARM, "Advanced SIMD copy", "Advanced SIMD scalar copy", "Advanced SIMD permute",
// "Advanced SIMD extract" and "Advanced SIMD table lookup".
#include <bit>

#include "cpu/a64/groups.h"
#include "cpu/a64/simd_support.h"

namespace sluice::cpu::a64 {
namespace {

constexpr std::string_view kTable = "<Vd.b>, <table>, <Vm.b>";

// imm5: the lowest set bit gives the lane size, what is above it the lane.
struct Lane {
  unsigned esize, index;
};
constexpr bool names_lane(Imm<5> imm5) { return (imm5 & 15) != 0; }
constexpr Lane lane_of(Imm<5> imm5) {
  const unsigned esize = unsigned(std::countr_zero(u32(imm5)));
  return {esize, imm5 >> (esize + 1)};
}

void DUP_scalar(Emitter& e, Imm<5> imm5, Reg Rn, Reg Rd) {
  if (!names_lane(imm5)) return e.unallocated();
  const Lane l = lane_of(imm5);
  Value v = l.index ? vec(e, Op::VDupLane, {e.V(Rn)}, l.esize, l.index) : e.V(Rn);
  e.V(Rd, vec(e, Op::VLowLane, {v}, l.esize));
}
void DUP_element(Emitter& e, bool Q, Imm<5> imm5, Reg Rn, Reg Rd) {
  if (!names_lane(imm5) || (lane_of(imm5).esize == 3 && !Q)) return e.unallocated();
  const Lane l = lane_of(imm5);
  write(e, Q, Rd, vec(e, Op::VDupLane, {e.V(Rn)}, l.esize, l.index));
}
void DUP_general(Emitter& e, bool Q, Imm<5> imm5, Reg Rn, Reg Rd) {
  if (!names_lane(imm5) || (lane_of(imm5).esize == 3 && !Q)) return e.unallocated();
  write(e, Q, Rd, vec(e, Op::VDup, {e.X(Rn)}, lane_of(imm5).esize));
}
// SMOV: Q is the width of the result, which is wider than the lane.
void SMOV(Emitter& e, bool Q, Imm<5> imm5, Reg Rn, Reg Rd) {
  if (!names_lane(imm5) || lane_of(imm5).esize > (Q ? 2u : 1u)) return e.unallocated();
  const Lane l = lane_of(imm5);
  Value v = e.ir.emit(Op::VLaneSigned, Type::I64, {e.V(Rn)}, l.index, u8(l.esize));
  e.X(Rd, Q ? v : e.truncate(v));
}
// UMOV: a 64-bit result takes a 64-bit lane.
void UMOV(Emitter& e, bool Q, Imm<5> imm5, Reg Rn, Reg Rd) {
  if (!names_lane(imm5) || (lane_of(imm5).esize == 3) != Q) return e.unallocated();
  const Lane l = lane_of(imm5);
  e.X(Rd, e.ir.emit(Op::VLane, Type::I64, {e.V(Rn)}, l.index, u8(l.esize)));
}
void INS_general(Emitter& e, Imm<5> imm5, Reg Rn, Reg Rd) {
  if (!names_lane(imm5)) return e.unallocated();
  const Lane l = lane_of(imm5);
  e.V(Rd, vec(e, Op::VInsert, {e.V(Rd), e.X(Rn)}, l.esize, l.index));
}
void INS_element(Emitter& e, Imm<5> imm5, Imm<4> imm4, Reg Rn, Reg Rd) {
  if (!names_lane(imm5)) return e.unallocated();
  const Lane l = lane_of(imm5);
  const unsigned source = imm4 >> l.esize;
  e.V(Rd, vec(e, Op::VInsertLane, {e.V(Rd), e.V(Rn)}, l.esize, l.index | source << 8));
}

template <Op op>
void permute(Emitter& e, bool Q, Imm<2> size, Reg Rm, Reg Rn, Reg Rd) {
  if (reserved(size, Q, kBHSD)) return e.unallocated();
  e.V(Rd, vec(e, op, {e.V(Rn), e.V(Rm)}, size, 0, Q ? 16 : 8));
}
void EXT(Emitter& e, bool Q, Reg Rm, Imm<4> imm4, Reg Rn, Reg Rd) {
  if (!Q && imm4 >= 8) return e.unallocated();
  e.V(Rd, vec(e, Op::VExtract, {e.V(Rn), e.V(Rm)}, 0, imm4, Q ? 16 : 8));
}

// One VTable for each of the len + 1 registers, which wrap around at V31.
Value look_up(Emitter& e, Value fallback, Reg first, unsigned len, Reg indices) {
  Value result = fallback, index = e.V(indices);
  for (unsigned i = 0; i <= len; i++) {
    const Reg part{u8((first.n + i) % 32)};
    result = vec(e, Op::VTable, {result, e.V(part), index}, 0, 16 * i);
  }
  return result;
}
void TBL(Emitter& e, bool Q, Reg Rm, Imm<2> len, Reg Rn, Reg Rd) {
  write(e, Q, Rd, look_up(e, vec_zero(e), Rn, len, Rm));
}
void TBX(Emitter& e, bool Q, Reg Rm, Imm<2> len, Reg Rn, Reg Rd) {
  write(e, Q, Rd, look_up(e, e.V(Rd), Rn, len, Rm));
}

// clang-format off
constexpr Insn kCopyRows[] = {
    insn<"01 0 11110000 imm5:5 0 0000 1 Rn:5 Rd:5", DUP_scalar>("DUP", "<Ed.5>, <L.n>"),
    insn<"0 Q 0 01110000 imm5:5 0 0000 1 Rn:5 Rd:5", DUP_element>("DUP", "<Vd.5>, <L.n>"),
    insn<"0 Q 0 01110000 imm5:5 0 0001 1 Rn:5 Rd:5", DUP_general>("DUP", "<Vd.5>, <Y5>"),
    insn<"0 Q 0 01110000 imm5:5 0 0101 1 Rn:5 Rd:5", SMOV>("SMOV", "<Qd>, <L.n>"),
    insn<"0 Q 0 01110000 imm5:5 0 0111 1 Rn:5 Rd:5", UMOV>("UMOV", "<Qd>, <L.n>"),
    insn<"0 1 0 01110000 imm5:5 0 0011 1 Rn:5 Rd:5", INS_general>("INS", "<L.d>, <Y5>"),
    insn<"0 1 1 01110000 imm5:5 0 imm4:4 1 Rn:5 Rd:5", INS_element>("INS", "<L.d>, <L.4>"),
};
// clang-format on
// clang-format off
constexpr Insn kPermuteRows[] = {
    insn<"0 Q 001110 size:2 0 Rm:5 0 001 10 Rn:5 Rd:5", permute<Op::VUzp1>>("UZP1", kVdVnVm),
    insn<"0 Q 001110 size:2 0 Rm:5 0 010 10 Rn:5 Rd:5", permute<Op::VTrn1>>("TRN1", kVdVnVm),
    insn<"0 Q 001110 size:2 0 Rm:5 0 011 10 Rn:5 Rd:5", permute<Op::VZip1>>("ZIP1", kVdVnVm),
    insn<"0 Q 001110 size:2 0 Rm:5 0 101 10 Rn:5 Rd:5", permute<Op::VUzp2>>("UZP2", kVdVnVm),
    insn<"0 Q 001110 size:2 0 Rm:5 0 110 10 Rn:5 Rd:5", permute<Op::VTrn2>>("TRN2", kVdVnVm),
    insn<"0 Q 001110 size:2 0 Rm:5 0 111 10 Rn:5 Rd:5", permute<Op::VZip2>>("ZIP2", kVdVnVm),
    insn<"0 Q 101110 00 0 Rm:5 0 imm4:4 0 Rn:5 Rd:5", EXT>("EXT", "<Vd.b>, <Vn.b>, <Vm.b>, <u11:4>"),
    insn<"0 Q 001110 00 0 Rm:5 0 len:2 0 00 Rn:5 Rd:5", TBL>("TBL", kTable),
    insn<"0 Q 001110 00 0 Rm:5 0 len:2 1 00 Rn:5 Rd:5", TBX>("TBX", kTable),
};
// clang-format on

}  // namespace

const Group kSimdCopy{"Advanced SIMD copy", kCopyRows, true};
const Group kSimdPermute{"Advanced SIMD permute, extract and table lookup", kPermuteRows, true};

}  // namespace sluice::cpu::a64
