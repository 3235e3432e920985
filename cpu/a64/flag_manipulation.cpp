// Arm DDI 0487: RMIF, SETF8, SETF16, CFINV (FEAT_FlagM), AXFLAG, XAFLAG (FEAT_FlagM2). They work on N:Z:C:V
// in bits 3..0.
#include "base/bits.h"
#include "cpu/a64/groups.h"
#include "cpu/emit.h"

namespace sluice::cpu::a64 {
namespace {

constexpr u32 kC = 2;

Value nzcv(Emitter& e) { return e.ir.emit(Op::NzcvFromFlags, Type::I32, {e.flags()}); }
void set_nzcv(Emitter& e, Value v) { e.flags(e.ir.flags(Op::FlagsFromNzcv, {v})); }
Value one_if(Emitter& e, u8 cond) { return e.ir.emit(Op::Condition, Type::I32, {e.flags()}, 0, 0, cond); }
Value shl(Emitter& e, Value v, u32 n) { return e.ir.binary(Op::Shl, v, e.ir.i32(n)); }
Value shr(Emitter& e, Value v, u32 n) { return e.ir.binary(Op::Shr, v, e.ir.i32(n)); }
Value masked(Emitter& e, Value v, u32 mask) { return e.and_(v, e.ir.i32(mask)); }

void RMIF(Emitter& e, Imm<6> imm6, Reg Rn, Imm<4> mask) {
  Value rotated = e.truncate(e.ir.binary(Op::Ror, e.X(Rn), e.ir.i64(imm6)));
  set_nzcv(e, e.or_(masked(e, rotated, mask), masked(e, nzcv(e), ~mask & 15)));
}

// N is the sign, V whether the next bit differs from it, Z of the low Width bits; C stays.
template <unsigned Width>
void SETF(Emitter& e, Reg Rn) {
  Value v = e.X(false, Rn);
  Value n = shl(e, masked(e, shr(e, v, Width - 1), 1), 3);
  Value z = shl(e, e.ir.emit(Op::EqualZero, Type::I32, {masked(e, v, u32(ones(Width)))}), 2);
  Value o = masked(e, e.xor_(shr(e, v, Width), shr(e, v, Width - 1)), 1);
  set_nzcv(e, e.or_(e.or_(n, z), e.or_(o, masked(e, nzcv(e), kC))));
}

void CFINV(Emitter& e) { set_nzcv(e, e.xor_(nzcv(e), e.ir.i32(kC))); }

constexpr u8 kEq = 0, kCs = 2, kCc = 3, kVs = 6, kVc = 7;

// From the flags of an FCMP to those of the alternative format, and back.
void AXFLAG(Emitter& e) {
  Value z = e.or_(one_if(e, kEq), one_if(e, kVs));
  Value c = e.and_(one_if(e, kCs), one_if(e, kVc));
  set_nzcv(e, e.or_(shl(e, z, 2), shl(e, c, 1)));
}
void XAFLAG(Emitter& e) {
  Value zero = one_if(e, kEq), carry = one_if(e, kCs), no_carry = one_if(e, kCc);
  Value n = e.ir.binary(Op::AndNot, no_carry, zero);
  Value z = e.and_(zero, carry), c = e.or_(carry, zero), v = e.and_(no_carry, zero);
  set_nzcv(e, e.or_(e.or_(shl(e, n, 3), shl(e, z, 2)), e.or_(shl(e, c, 1), v)));
}

constexpr Insn kRows[] = {
    insn<"1 01 11010000 imm6:6 00001 Rn:5 0 mask:4", RMIF>("RMIF", "<Xn>, <u15:6>, <u0:4>", Feature::FlagM),
    insn<"0 01 11010000 000000 0 0010 Rn:5 0 1101", SETF<8>>("SETF8", "<Wn>", Feature::FlagM),
    insn<"0 01 11010000 000000 1 0010 Rn:5 0 1101", SETF<16>>("SETF16", "<Wn>", Feature::FlagM),
    insn<"1101010100 0 00 000 0100 xxxx 000 11111", CFINV>("CFINV", "", Feature::FlagM),
    insn<"1101010100 0 00 000 0100 xxxx 001 11111", XAFLAG>("XAFLAG", "", Feature::FlagM2),
    insn<"1101010100 0 00 000 0100 xxxx 010 11111", AXFLAG>("AXFLAG", "", Feature::FlagM2),
};

}  // namespace

const Group kFlagManipulation{"Flag manipulation", kRows, false};

}  // namespace sluice::cpu::a64
