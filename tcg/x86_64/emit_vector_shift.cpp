// Vector ops: shifts and rotations by an immediate and by the lanes of a register.
#include "tcg/x86_64/emit_vector.h"

namespace sluice::tcg::x86_64 {

void shift_right_unsigned(Compiler& c, Xmm d, Xmm s, unsigned esize, unsigned amount) {
  c.a.emit(kShiftRight[esize], d, s, imm(amount));
  if (esize == 0) c.a.vpand(d, d, lanes_of(c, 0xffu >> amount, 0));
}

void shift_right_signed(Compiler& c, Xmm d, Xmm s, unsigned esize, unsigned amount) {
  switch (esize) {
    case 0: {
      if (amount > 7) return void(c.a.vpcmpgtb(d, zero_in(c, kScratchXmm), s));
      // Unsigned, then the sign bit's place is made the sign.
      shift_right_unsigned(c, d, s, 0, amount);
      Mem sign = lanes_of(c, 0x80u >> amount, 0);
      c.a.vpxor(d, d, sign);
      c.a.vpsubb(d, d, sign);
      break;
    }
    case 1: c.a.vpsraw(d, s, imm(amount)); break;
    case 2: c.a.vpsrad(d, s, imm(amount)); break;
    default:
      if (c.host().avx512) return void(c.a.vpsraq(d, s, imm(amount)));
      c.a.vpcmpgtq(kScratchXmm, zero_in(c, kScratchXmm), s);
      c.a.vpsrlq(d, s, imm(amount));
      c.a.vpsllq(kScratchXmm, kScratchXmm, imm(64 - amount));
      c.a.vpor(d, d, kScratchXmm);
      break;
  }
}

namespace {

void v_shl_imm(Compiler& c, const Inst& i) {
  Xmm s = c.regs.use_xmm(i.args[0]);
  Xmm d = c.regs.define_xmm(c.id());
  c.a.emit(kShiftLeft[i.esize], d, s, imm(i.imm));
  if (i.esize == 0) c.a.vpand(d, d, lanes_of(c, (0xffu << i.imm) & 0xff, 0));
}

void v_ushr_imm(Compiler& c, const Inst& i) {
  Xmm s = c.regs.use_xmm(i.args[0]);
  shift_right_unsigned(c, c.regs.define_xmm(c.id()), s, i.esize, unsigned(i.imm));
}

void v_sshr_imm(Compiler& c, const Inst& i) {
  Xmm s = c.regs.use_xmm(i.args[0]);
  shift_right_signed(c, c.regs.define_xmm(c.id()), s, i.esize, unsigned(i.imm));
}

// (a >> n) + (a >> (n - 1) & 1); the average with zero does that in one instruction where there is one.
void rounded_average(Compiler& c, Xmm d, Xmm s, unsigned esize, unsigned amount) {
  if (amount > 1) shift_right_unsigned(c, d, s, esize, amount - 1), s = d;
  zero_in(c, kScratchXmm);
  esize ? c.a.vpavgw(d, s, kScratchXmm) : c.a.vpavgb(d, s, kScratchXmm);
}
template <bool Signed>
void v_rounding_shift(Compiler& c, const Inst& i) {
  const unsigned amount = unsigned(i.imm);
  Xmm s = c.regs.use_xmm(i.args[0]);
  Xmm d = c.regs.define_xmm(c.id());
  if (!Signed && i.esize < 2) return rounded_average(c, d, s, i.esize, amount);
  if (i.esize == 0) {  // signed bytes, with an offset of 128
    if (amount == 8) return void(zero_in(c, d));
    c.a.vpxor(d, s, lanes_of(c, 0x80, 0));
    rounded_average(c, d, d, 0, amount);
    c.a.vpsubb(d, d, lanes_of(c, 0x80u >> amount, 0));
    return;
  }
  Xmm t = c.regs.temp_xmm();
  c.a.emit(kShiftRight[i.esize], t, s, imm(amount - 1));
  c.a.vpand(t, t, lanes_of(c, 1, i.esize));
  Signed ? shift_right_signed(c, d, s, i.esize, amount) : shift_right_unsigned(c, d, s, i.esize, amount);
  c.a.emit(kAdd[i.esize], d, d, t);
}

// d = the bits of `kept` where `mask` is 1, else those of d, which are 0 where the mask is 1.
void insert_around(Compiler& c, Xmm d, Xmm kept, u64 mask, unsigned esize) {
  c.a.vpand(kScratchXmm, kept, lanes_of(c, mask, esize));
  c.a.vpor(d, d, kScratchXmm);
}
void v_shl_insert(Compiler& c, const Inst& i) {
  Xmm kept = c.regs.use_xmm(i.args[0]), s = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  c.a.emit(kShiftLeft[i.esize], d, s, imm(i.imm));
  if (i.esize == 0) c.a.vpand(d, d, lanes_of(c, 0xffu << i.imm, 0));
  insert_around(c, d, kept, ones(unsigned(i.imm)), i.esize);
}
void v_shr_insert(Compiler& c, const Inst& i) {
  const unsigned bits = 8u << i.esize;
  Xmm kept = c.regs.use_xmm(i.args[0]), s = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  shift_right_unsigned(c, d, s, i.esize, unsigned(i.imm));
  insert_around(c, d, kept, ones(bits) & ~ones(bits - unsigned(i.imm)), i.esize);
}

void v_rotate(Compiler& c, const Inst& i) {
  Xmm s = c.regs.use_xmm(i.args[0]);
  Xmm d = c.regs.define_xmm(c.id());
  if (i.esize >= 2 && c.host().avx512) {
    i.esize == 2 ? c.a.vprold(d, s, imm(i.imm)) : c.a.vprolq(d, s, imm(i.imm));
  } else if (i.imm % 8 == 0) {
    u8 index[16];
    const unsigned lane = 1u << i.esize, bytes = unsigned(i.imm / 8);
    for (unsigned k = 0; k < 16; k++) index[k] = u8((k & ~(lane - 1)) | ((k - bytes) & (lane - 1)));
    u64 halves[2];
    std::memcpy(halves, index, sizeof halves);
    c.a.vpshufb(d, s, c.constant(halves[0], halves[1]));
  } else {
    c.a.emit(kShiftLeft[i.esize], kScratchXmm, s, imm(i.imm));
    if (i.esize == 0) c.a.vpand(kScratchXmm, kScratchXmm, lanes_of(c, 0xffu << i.imm, 0));
    shift_right_unsigned(c, d, s, i.esize, (8u << i.esize) - unsigned(i.imm));
    c.a.vpor(d, d, kScratchXmm);
  }
}

// --- By the signed low byte of each lane of a register ---

constexpr ByLane kVariableLeft = {kNone, X::kIdVpsllvw, X::kIdVpsllvd, X::kIdVpsllvq};
constexpr ByLane kVariableRight = {kNone, X::kIdVpsrlvw, X::kIdVpsrlvd, X::kIdVpsrlvq};
constexpr ByLane kVariableSigned = {kNone, X::kIdVpsravw, X::kIdVpsravd, X::kIdVpsravq};

struct VariableShift {
  unsigned esize;
  bool is_signed, rounding;
};

// d = s >> n with the sign; an amount of the lane's bits or more (it counts as unsigned) leaves the sign.
void shift_right_variable(Compiler& c, Xmm d, Xmm s, Xmm n, const VariableShift& v) {
  if (!v.is_signed) return void(c.a.emit(kVariableRight[v.esize], d, s, n));
  if (v.esize < 3 || c.host().avx512) return void(c.a.emit(kVariableSigned[v.esize], d, s, n));
  c.a.vpcmpgtq(kScratchXmm, zero_in(c, kScratchXmm), s);
  c.a.vpxor(d, s, kScratchXmm);
  c.a.vpsrlvq(d, d, n);
  c.a.vpxor(d, d, kScratchXmm);
}
// d = s shifted by the lanes of n, which are sign-extended bytes; clobbers n and the temporaries. An amount
// that is negative, seen as unsigned, is too large for the shifts to the other side, which then give zero (or
// the sign).
struct ShiftTemps {
  Xmm sign, left, last;
};
ShiftTemps shift_temps(Compiler& c, const VariableShift& v) {
  Xmm left = c.regs.temp_xmm();
  return {v.is_signed ? c.regs.temp_xmm() : left, left, v.rounding ? c.regs.temp_xmm() : left};
}
void shift_variable(Compiler& c, Xmm d, Xmm s, Xmm n, const ShiftTemps& temps, const VariableShift& v) {
  const unsigned e = v.esize;
  Xmm left = temps.left, t = temps.sign;
  c.a.emit(kVariableLeft[e], left, s, n);
  if (v.is_signed) c.a.vmovdqa(t, n);
  zero_in(c, kScratchXmm);
  c.a.emit(kSub[e], n, kScratchXmm, n);  // the amount to the right
  shift_right_variable(c, d, s, n, v);
  if (v.rounding) {
    Xmm last = temps.last;  // the bit that is shifted out last
    c.a.emit(kAdd[e], n, n, ones_in(c, kScratchXmm));
    shift_right_variable(c, last, s, n, v);
    c.a.vpand(last, last, lanes_of(c, 1, e));
    c.a.emit(kAdd[e], d, d, last);
  }
  if (!v.is_signed) return void(c.a.vpor(d, d, left));
  switch (e) {
    case 1:
      c.a.vpsraw(t, t, imm(15));
      c.a.vpblendvb(d, left, d, t);
      break;
    case 2: c.a.vblendvps(d, left, d, t); break;
    default: c.a.vblendvpd(d, left, d, t); break;
  }
}
// `to` = the low byte of each lane, sign-extended.
void amounts(Compiler& c, Xmm to, Xmm from, unsigned esize) {
  const unsigned up = (8u << esize) - 8;
  c.a.emit(kShiftLeft[esize], to, from, imm(up));
  shift_right_signed(c, to, to, esize, up);
}

// Words and bytes as the even and odd ones of lanes twice as large, whose shifts by registers the host has.
// The upper part of each large lane is an extension of the operand; rounding and sign work out the same, and
// what is shifted to the left beyond the small lane is cut off.
void shift_in_larger_lanes(Compiler& c, Xmm d, Xmm x, Xmm y, const VariableShift& v) {
  const unsigned bits = 8u << v.esize, wide = v.esize + 1;
  VariableShift larger = v;
  larger.esize = wide;
  Xmm s = c.regs.temp_xmm(), n = c.regs.temp_xmm(), even = c.regs.temp_xmm();
  const ShiftTemps temps = shift_temps(c, v);
  auto extend = [&](Xmm from, bool odd) {
    if (!odd) c.a.emit(kShiftLeft[wide], s, from, imm(bits)), from = s;
    v.is_signed ? shift_right_signed(c, s, from, wide, bits) : shift_right_unsigned(c, s, from, wide, bits);
  };
  extend(x, false);
  amounts(c, n, y, wide);
  shift_variable(c, even, s, n, temps, larger);
  extend(x, true);
  c.a.emit(kShiftRight[wide], n, y, imm(bits));
  amounts(c, n, n, wide);
  shift_variable(c, d, s, n, temps, larger);
  c.a.emit(kShiftLeft[wide], d, d, imm(bits));
  c.a.vpand(even, even, lanes_of(c, ones(bits), wide));
  c.a.vpor(d, d, even);
}

template <bool Signed, bool Rounding>
void v_shift(Compiler& c, const Inst& i) {
  const VariableShift v{i.esize, Signed, Rounding};
  if (i.esize == 0 && !c.host().avx512) return c.emit_by_meaning(i);
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  if (i.esize == 0 || (i.esize == 1 && !c.host().avx512)) return shift_in_larger_lanes(c, d, x, y, v);
  Xmm n = c.regs.temp_xmm();
  amounts(c, n, y, i.esize);
  shift_variable(c, d, x, n, shift_temps(c, v), v);
}

constexpr VectorRow kRows[] = {
    {Op::VShlImm, v_shl_imm},
    {Op::VUShrImm, v_ushr_imm},
    {Op::VSShrImm, v_sshr_imm},
    {Op::VSRShrImm, v_rounding_shift<true>},
    {Op::VURShrImm, v_rounding_shift<false>},
    {Op::VShlInsertImm, v_shl_insert},
    {Op::VShrInsertImm, v_shr_insert},
    {Op::VRotateImm, v_rotate},
    {Op::VSShl, v_shift<true, false>},
    {Op::VUShl, v_shift<false, false>},
    {Op::VSRShl, v_shift<true, true>},
    {Op::VURShl, v_shift<false, true>},
};

}  // namespace

std::span<const VectorRow> vector_shift_emitters() { return kRows; }

}  // namespace sluice::tcg::x86_64
