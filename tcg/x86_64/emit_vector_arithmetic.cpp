// Vector ops: sums, differences, averages, extrema, comparisons.
#include "tcg/x86_64/emit_vector.h"

namespace sluice::tcg::x86_64 {
namespace {

template <const ByLane& ids>
void binary(Compiler& c, const Inst& i) {
  if (ids[i.esize] == kNone) return c.emit_by_meaning(i);
  Xmm x = c.regs.use_xmm(i.args[0]);
  Operand y = c.regs.use_xmm_any(i.args[1]);
  c.a.emit(ids[i.esize], c.regs.define_xmm(c.id()), x, y);
}

void v_neg(Compiler& c, const Inst& i) {
  Operand s = c.regs.use_xmm_any(i.args[0]);
  c.a.emit(kSub[i.esize], c.regs.define_xmm(c.id()), zero_in(c, kScratchXmm), s);
}

void v_abs(Compiler& c, const Inst& i) {
  static constexpr ByLane kAbs = {X::kIdVpabsb, X::kIdVpabsw, X::kIdVpabsd, X::kIdVpabsq};
  Xmm s = c.regs.use_xmm(i.args[0]);
  Xmm d = c.regs.define_xmm(c.id());
  if (i.esize < 3 || c.host().avx512) {
    c.a.emit(kAbs[i.esize], d, s);
    return;
  }
  c.a.vpcmpgtq(kScratchXmm, zero_in(c, kScratchXmm), s);  // sign
  c.a.vpxor(d, s, kScratchXmm);
  c.a.vpsubq(d, d, kScratchXmm);
}

// |a - b| = max - min
template <bool Signed>
void v_abd(Compiler& c, const Inst& i) {
  constexpr ByLane kMax = Signed ? kSMax : kUMax, kMin = Signed ? kSMin : kUMin;
  if (i.esize == 3) return c.emit_by_meaning(i);
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  c.a.emit(kMax[i.esize], d, x, y);
  c.a.emit(kMin[i.esize], kScratchXmm, x, y);
  c.a.emit(kSub[i.esize], d, d, kScratchXmm);
}

// --- (a + b) >> 1 and the like, without the carry's bit ---

enum class Halving { Sum, RoundedSum, Difference };

// Bytes by PAVGB, which rounds up, of numbers with an offset when they are signed.
void halve_bytes(Compiler& c, const Inst& i, Halving what, bool is_signed) {
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id()), t = c.regs.temp_xmm();
  Mem sign = lanes_of(c, 0x80, 0);
  if (what == Halving::Difference) {  // (a + ~b + 1) / 2 - 128
    c.a.vpxor(t, y, lanes_of(c, is_signed ? 0x7f : 0xff, 0));
    if (is_signed) c.a.vpxor(d, x, sign), x = d;
    c.a.vpavgb(d, x, t);
    c.a.vpxor(d, d, sign);
    return;
  }
  if (is_signed) {
    c.a.vpxor(d, x, sign);
    c.a.vpxor(t, y, sign);
    x = d, y = t;
  }
  if (what == Halving::Sum) {
    c.a.vpxor(kScratchXmm, x, y);
    c.a.vpand(kScratchXmm, kScratchXmm, lanes_of(c, 1, 0));
  }
  c.a.vpavgb(d, x, y);
  if (what == Halving::Sum) c.a.vpsubb(d, d, kScratchXmm);
  if (is_signed) c.a.vpxor(d, d, sign);
}
// a + b = 2 (a & b) + (a ^ b) = 2 (a | b) - (a ^ b), and a - b = (a ^ b) - 2 (~a & b).
template <Halving what, bool is_signed>
void halve(Compiler& c, const Inst& i) {
  if (i.esize == 3) return c.emit_by_meaning(i);
  if (what == Halving::RoundedSum && !is_signed && i.esize < 2) {
    Xmm x = c.regs.use_xmm(i.args[0]);
    Operand y = c.regs.use_xmm_any(i.args[1]);
    c.a.emit(i.esize ? X::kIdVpavgw : X::kIdVpavgb, c.regs.define_xmm(c.id()), x, y);
    return;
  }
  if (i.esize == 0) return halve_bytes(c, i, what, is_signed);
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  c.a.vpxor(kScratchXmm, x, y);
  const Id shift = is_signed ? (i.esize == 1 ? X::kIdVpsraw : X::kIdVpsrad) : kShiftRight[i.esize];
  c.a.emit(shift, kScratchXmm, kScratchXmm, imm(1));
  c.a.emit(what == Halving::Sum          ? X::kIdVpand
           : what == Halving::RoundedSum ? X::kIdVpor
                                         : X::kIdVpandn,
           d, x, y);
  if (what == Halving::Sum)
    c.a.emit(kAdd[i.esize], d, d, kScratchXmm);
  else if (what == Halving::RoundedSum)
    c.a.emit(kSub[i.esize], d, d, kScratchXmm);
  else
    c.a.emit(kSub[i.esize], d, kScratchXmm, d);
}

// --- Comparisons ---

void v_cmp_ge_signed(Compiler& c, const Inst& i) {
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  c.a.emit(kGreater[i.esize], d, y, x);
  invert(c, d);
}

// Unsigned: a >= b is max(a, b) == a; a > b is its opposite the other way round.
template <bool OrEqual>
void v_cmp_unsigned(Compiler& c, const Inst& i) {
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  if (i.esize == 3) {
    Xmm sign = c.regs.temp_xmm();
    c.a.vmovdqa(sign, c.constant(u64{1} << 63));
    c.a.vpxor(kScratchXmm, x, sign);
    c.a.vpxor(sign, y, sign);
    OrEqual ? c.a.vpcmpgtq(d, sign, kScratchXmm) : c.a.vpcmpgtq(d, kScratchXmm, sign);
    if (OrEqual) invert(c, d);
    return;
  }
  c.a.emit(OrEqual ? kUMax[i.esize] : kUMin[i.esize], kScratchXmm, x, y);
  // a >= b: max == a. a > b: not (min == a).
  c.a.emit(kEqual[i.esize], d, kScratchXmm, x);
  if (!OrEqual) invert(c, d);
}

void v_cmp_test(Compiler& c, const Inst& i) {
  Xmm x = c.regs.use_xmm(i.args[0]);
  Operand y = c.regs.use_xmm_any(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  c.a.emit(X::kIdVpand, d, x, y);
  c.a.emit(kEqual[i.esize], d, d, zero_in(c, kScratchXmm));
  invert(c, d);
}

constexpr VectorRow kRows[] = {
    {Op::VAdd, binary<kAdd>},
    {Op::VSub, binary<kSub>},
    {Op::VSMax, binary<kSMax>},
    {Op::VSMin, binary<kSMin>},
    {Op::VUMax, binary<kUMax>},
    {Op::VUMin, binary<kUMin>},
    {Op::VNeg, v_neg},
    {Op::VAbs, v_abs},
    {Op::VSAbd, v_abd<true>},
    {Op::VUAbd, v_abd<false>},
    {Op::VSHAdd, halve<Halving::Sum, true>},
    {Op::VUHAdd, halve<Halving::Sum, false>},
    {Op::VSRHAdd, halve<Halving::RoundedSum, true>},
    {Op::VURHAdd, halve<Halving::RoundedSum, false>},
    {Op::VSHSub, halve<Halving::Difference, true>},
    {Op::VUHSub, halve<Halving::Difference, false>},
    {Op::VCmpEq, binary<kEqual>},
    {Op::VCmpGtS, binary<kGreater>},
    {Op::VCmpGeS, v_cmp_ge_signed},
    {Op::VCmpGtU, v_cmp_unsigned<false>},
    {Op::VCmpGeU, v_cmp_unsigned<true>},
    {Op::VCmpTest, v_cmp_test},
};

}  // namespace

std::span<const VectorRow> vector_arithmetic_emitters() { return kRows; }

}  // namespace sluice::tcg::x86_64
