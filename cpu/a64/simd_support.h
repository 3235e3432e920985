// cpu/a64/simd_support.h: what the Advanced SIMD and floating-point tables share: arrangements, lane counts,
// writes that zero the rest of the register, and the operand templates of the disassembler.
#pragma once
#include "cpu/emit.h"

namespace sluice::cpu::a64 {

// Sets of lane sizes that an instruction has.
inline constexpr unsigned kB = 1, kH = 2, kS = 4, kD = 8;
inline constexpr unsigned kBH = kB | kH, kHS = kH | kS, kBHS = kB | kH | kS, kBHSD = kBHS | kD;

// Lanes of 2^esize bytes, of which `count` take part.
struct Lanes {
  unsigned esize = 0, count = 1;
};
constexpr unsigned lane_count(bool Q, unsigned esize) { return (Q ? 16u : 8u) >> esize; }
// Lanes of a half of a vector: what widening instructions read and narrowing ones write.
constexpr unsigned lanes_of_half(unsigned esize) { return 8u >> esize; }
constexpr unsigned bits_of_lane(unsigned esize) { return 8u << esize; }
// The vector arrangement (size, Q) is reserved: not in `allowed`, or .1D.
constexpr bool reserved(unsigned size, bool Q, unsigned allowed) {
  return !(allowed >> size & 1) || (size == 3 && !Q);
}

inline Value vec(Emitter& e, Op op, std::initializer_list<Value> args, unsigned esize = 0, u64 imm = 0,
                 unsigned aux = 0) {
  return e.ir.emit(op, Type::V128, args, imm, u8(esize), u8(aux));
}
// Every lane of 2^esize bytes is `value`.
inline Value vec_constant(Emitter& e, unsigned esize, u64 value) {
  return vec(e, Op::VConst, {}, 3, replicate(value, bits_of_lane(esize)));
}
inline Value vec_zero(Emitter& e) { return vec(e, Op::VConst, {}); }

// V[d] = v: all of it, or its low half with zeros above.
inline void write(Emitter& e, bool Q, Reg Rd, Value v) { e.V(Rd, Q ? v : vec(e, Op::VZeroUpper, {v})); }
// The result of a narrowing instruction (upper half zero): into the low half with zeros above, or the high
// half.
inline void write_narrow(Emitter& e, bool high, Reg Rd, Value v) {
  e.V(Rd, high ? vec(e, Op::VConcatLow, {e.V(Rd), v}) : v);
}

// Operand templates (cpu/a64/simd_operands.h) of integer lanes.
inline constexpr std::string_view kVdVn = "<Vd.i>, <Vn.i>", kVdVnVm = "<Vd.i>, <Vn.i>, <Vm.i>",
                                  kVdVnZero = "<Vd.i>, <Vn.i>, #0", kScalarVdVn = "<Ed.i>, <En.i>",
                                  kScalarVdVnVm = "<Ed.i>, <En.i>, <Em.i>",
                                  kScalarVdVnZero = "<Ed.i>, <En.i>, #0";

}  // namespace sluice::cpu::a64
