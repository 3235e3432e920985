// cpu/a64/operands.h: ShiftReg() and ExtendReg() of the shared pseudocode; AddWithCarry() with its flags.
#pragma once
#include "cpu/emit.h"

namespace sluice::cpu::a64 {

// X[m] shifted by LSL, LSR, ASR or ROR (0..3).
inline Value shift_reg(Emitter& e, bool sf, Reg m, u32 shift, u32 amount) {
  constexpr Op ops[] = {Op::Shl, Op::Shr, Op::Sar, Op::Ror};
  Value v = e.X(sf, m);
  return amount && m.n != 31 ? e.ir.binary(ops[shift], v, e.constant(sf, amount)) : v;
}

// X[m] extended by UXTB, UXTH, UXTW, UXTX, SXTB, SXTH, SXTW, SXTX (0..7), then shifted left by 0 to 4.
inline Value extend_reg(Emitter& e, bool sf, Reg m, u32 option, u32 shift) {
  Value v = e.X(sf, m);
  if (m.n == 31) return v;
  switch (option) {
    case 0: v = e.and_(v, e.constant(sf, 0xff)); break;
    case 1: v = e.and_(v, e.constant(sf, 0xffff)); break;
    case 2: v = sf ? e.zero_extend(e.truncate(v)) : v; break;
    case 4: v = e.ir.unary(Op::SignExtend8, v); break;
    case 5: v = e.ir.unary(Op::SignExtend16, v); break;
    case 6: v = sf ? e.ir.emit(Op::SignExtend32, Type::I64, {e.truncate(v)}) : v; break;
    default: break;
  }
  return shift ? e.ir.binary(Op::Shl, v, e.constant(sf, shift)) : v;
}

// X[d] = a sum or difference, and PSTATE.NZCV of it; `operands` are two, and the flags with the carry. The
// two ops are neighbours, so that the back end makes them one.
inline void add_sub_with_flags(Emitter& e, Op op, Op flags_op, Reg d, std::initializer_list<Value> operands) {
  Value sum = e.ir.emit(op, operands.begin()->type, operands);
  Value flags = e.ir.flags(flags_op, operands);
  e.X(d, sum);
  e.flags(flags);
}

}  // namespace sluice::cpu::a64
