#include "tcg/x86_64/emit_fp.h"

#include "tcg/ir/eval.h"

namespace sluice::tcg::x86_64 {

using ir::EvalFrame;

namespace {

constexpr FpIds kAdd = {X::kIdVaddss, X::kIdVaddsd, X::kIdVaddps, X::kIdVaddpd};
constexpr FpIds kSub = {X::kIdVsubss, X::kIdVsubsd, X::kIdVsubps, X::kIdVsubpd};
constexpr FpIds kMul = {X::kIdVmulss, X::kIdVmulsd, X::kIdVmulps, X::kIdVmulpd};
constexpr FpIds kDiv = {X::kIdVdivss, X::kIdVdivsd, X::kIdVdivps, X::kIdVdivpd};
constexpr FpIds kFma[4] = {  // by FMulAdd's imm: bit 0 negates the addend, bit 1 the product
    {X::kIdVfmadd231ss, X::kIdVfmadd231sd, X::kIdVfmadd231ps, X::kIdVfmadd231pd},
    {X::kIdVfmsub231ss, X::kIdVfmsub231sd, X::kIdVfmsub231ps, X::kIdVfmsub231pd},
    {X::kIdVfnmadd231ss, X::kIdVfnmadd231sd, X::kIdVfnmadd231ps, X::kIdVfnmadd231pd},
    {X::kIdVfnmsub231ss, X::kIdVfnmsub231sd, X::kIdVfnmsub231ps, X::kIdVfnmsub231pd}};

Mem frame(size_t offset, u32 size) { return x86::ptr(x86::rsp, i32(kFrameEval + offset), size); }

// The thunk calls what it finds in place of the result.
void call_meaning(Compiler& c, const Inst& i) {
  auto store64 = [&](size_t offset, u64 v) {
    c.a.mov(frame(offset, 4), imm(u32(v)));
    c.a.mov(frame(offset + 4, 4), imm(u32(v >> 32)));
  };
  store64(offsetof(EvalFrame, imm), i.imm);
  store64(offsetof(EvalFrame, out), u64(ir::meaning(i.op).vector));
  c.a.mov(frame(offsetof(EvalFrame, esize), 1), imm(i.esize));
  c.a.mov(frame(offsetof(EvalFrame, aux), 1), imm(i.aux));
  c.a.mov(frame(offsetof(EvalFrame, bits), 1), imm(64));
  c.a.call(imm(u64(c.thunks().evaluate)));
}
Mem operand_slot(unsigned k) { return frame(offsetof(EvalFrame, in) + k * sizeof(Vec), 16); }

}  // namespace

void again_by_meaning(Compiler& c, const Inst& i, Label slow, Label done, std::array<Xmm, 3> operands,
                      Xmm d) {
  const Inst inst = i;
  c.cold([&c, inst, slow, done, operands, d] {
    c.a.bind(slow);
    for (unsigned k = 0; k < 3 && inst.args[k] != kNoValue; k++) c.a.vmovaps(operand_slot(k), operands[k]);
    call_meaning(c, inst);
    c.a.vmovaps(d, frame(offsetof(EvalFrame, out), 16));
    c.a.jmp(done);
  });
}
void again_by_meaning(Compiler& c, const Inst& i, Label slow, Label done, Xmm operand, Gp d) {
  const Inst inst = i;
  c.cold([&c, inst, slow, done, operand, d] {
    c.a.bind(slow);
    c.a.vmovaps(operand_slot(0), operand);
    call_meaning(c, inst);
    c.a.mov(d.r64(), frame(offsetof(EvalFrame, out), 8));
    c.a.jmp(done);
  });
}

void check(Compiler& c, Xmm d, const FpShape& s, Suspect what, Label slow) {
  const FpConstants& k = *c.thunks().constants;
  Mem min = x86::ptr(u64(s.is_double ? k.min_normal64 : k.min_normal32), 16);
  if (s.scalar) {
    if (what == Suspect::NaN) {
      s.is_double ? c.a.vucomisd(d, d) : c.a.vucomiss(d, d);
      c.a.jp(slow);
      return;
    }
    c.a.vandps(kScratchXmm, d, fp_abs_mask(c, s));
    min.setSize(s.is_double ? 8 : 4);
    s.is_double ? c.a.vucomisd(kScratchXmm, min) : c.a.vucomiss(kScratchXmm, min);
    c.a.je(slow);  // equal, or unordered
    return;
  }
  constexpr int kUnordered = 3, kEqualOrUnordered = 8;
  if (what == Suspect::NaN) {
    s.is_double ? c.a.vcmppd(kScratchXmm, d, d, imm(kUnordered))
                : c.a.vcmpps(kScratchXmm, d, d, imm(kUnordered));
  } else {
    c.a.vandps(kScratchXmm, d, fp_abs_mask(c, s));
    s.is_double ? c.a.vcmppd(kScratchXmm, kScratchXmm, min, imm(kEqualOrUnordered))
                : c.a.vcmpps(kScratchXmm, kScratchXmm, min, imm(kEqualOrUnordered));
  }
  when_scratch(c, slow);
}

Xmm use_fp_lanes(Compiler& c, const Inst& i, unsigned k, const FpShape& s) {
  Xmm x = c.regs.use_xmm(i.args[k]);
  const unsigned bytes = s.whole ? 16u : s.scalar && !s.is_double ? 4u : 8u;
  if (c.significant_bytes(i.args[k]) <= bytes) return x;
  Xmm t = c.regs.temp_xmm();
  bytes == 4 ? c.a.vinsertps(t, x, x, imm(0x0e)) : c.a.vmovq(t, x);
  return t;
}

void even_and_odd(Compiler& c, Xmm even, Xmm odd, Xmm x, Xmm y, const FpShape& s) {
  if (s.is_double) {
    c.a.vunpcklpd(even, x, y);
    c.a.vunpckhpd(odd, x, y);
  } else if (s.whole) {
    c.a.vshufps(even, x, y, imm(0x88));
    c.a.vshufps(odd, x, y, imm(0xdd));
  } else {
    c.a.vunpcklps(odd, x, y);  // x0 y0 x1 y1
    c.a.vmovq(even, odd);
    c.a.vpsrldq(odd, odd, imm(8));
  }
}

namespace {

void binary(Compiler& c, const Inst& i, const FpIds& ids, Suspect what, bool absolute = false) {
  FpShape s;
  if (!fp_shape(i, s) || (i.op == Op::FDiv && s.half())) return c.emit_by_meaning(i);
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm p = x, q = y;
  if (s.half()) p = use_fp_lanes(c, i, 0, s), q = use_fp_lanes(c, i, 1, s);
  bool clean = !s.scalar || upper_is_zero(c, i.args[0], i.esize);
  // The upper lanes of a scalar result come from the first operand; NaNs, where the order counts, are
  // computed again.
  if (!clean && (ir::info(i.op).properties & ir::Commutative || i.op == Op::FAdd || i.op == Op::FMul) &&
      upper_is_zero(c, i.args[1], i.esize))
    std::swap(p, q), clean = true;
  Xmm d = c.regs.define_xmm(c.id());
  Label slow = c.a.newLabel(), done = c.a.newLabel();
  c.a.emit(ids.of(s.is_double, s.scalar), d, p, q);
  // 0 - 0 is -0 when rounding toward minus infinity: in the lanes that do not take part, too.
  if (!clean || (s.half() && i.op == Op::FSub)) zero_above(c, d, s);
  check(c, d, s, what, slow);
  if (absolute) c.a.vandps(d, d, fp_abs_mask(c, s));
  c.a.bind(done);
  again_by_meaning(c, i, slow, done, {x, y, Xmm()}, d);
}

// Sums are never tiny and inexact: only NaNs are suspect.
void f_add(Compiler& c, const Inst& i) { binary(c, i, kAdd, Suspect::NaN); }
void f_sub(Compiler& c, const Inst& i) { binary(c, i, kSub, Suspect::NaN); }
void f_mul(Compiler& c, const Inst& i) { binary(c, i, kMul, Suspect::NaNOrMinNormal); }
void f_div(Compiler& c, const Inst& i) { binary(c, i, kDiv, Suspect::NaNOrMinNormal); }
void f_abd(Compiler& c, const Inst& i) { binary(c, i, kSub, Suspect::NaN, true); }

void f_sqrt(Compiler& c, const Inst& i) {
  FpShape s;
  if (!fp_shape(i, s)) return c.emit_by_meaning(i);
  Xmm x = c.regs.use_xmm(i.args[0]);
  Xmm p = s.half() ? use_fp_lanes(c, i, 0, s) : x;
  Xmm d = c.regs.define_xmm(c.id());
  Label slow = c.a.newLabel(), done = c.a.newLabel();
  if (s.scalar) {
    s.is_double ? c.a.vsqrtsd(d, p, p) : c.a.vsqrtss(d, p, p);
    if (!upper_is_zero(c, i.args[0], i.esize)) zero_above(c, d, s);
  } else {
    s.is_double ? c.a.vsqrtpd(d, p) : c.a.vsqrtps(d, p);
  }
  check(c, d, s, Suspect::NaN, slow);
  c.a.bind(done);
  again_by_meaning(c, i, slow, done, {x, Xmm(), Xmm()}, d);
}

// a + b * c
void f_mul_add(Compiler& c, const Inst& i) {
  FpShape s;
  if (!fp_shape(i, s) || i.imm > 3) return c.emit_by_meaning(i);
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]), z = c.regs.use_xmm(i.args[2]);
  Xmm q = y, r = z;
  if (s.half()) q = use_fp_lanes(c, i, 1, s), r = use_fp_lanes(c, i, 2, s);
  Xmm d = c.regs.define_xmm(c.id());
  Label slow = c.a.newLabel(), done = c.a.newLabel();
  s.half() ? c.a.vmovq(d, x) : c.a.vmovaps(d, x);
  c.a.emit(kFma[i.imm].of(s.is_double, s.scalar), d, q, r);
  if (s.half() ? i.imm != 0 : s.scalar && !upper_is_zero(c, i.args[0], i.esize))
    zero_above(c, d, s);  // see binary()
  check(c, d, s, Suspect::NaNOrMinNormal, slow);
  c.a.bind(done);
  again_by_meaning(c, i, slow, done, {x, y, z}, d);
}

// 2 - a * b and (3 - a * b) / 2: the steps of Newton's method. Infinity times zero is valid here and must not
// be computed, nor a product that overflows before it is halved: large operands (and NaNs) are suspect before
// anything is. The halving is exact: the difference is not tiny, unless it is zero.
void f_step(Compiler& c, const Inst& i) {
  FpShape s;
  if (!fp_shape(i, s)) return c.emit_by_meaning(i);
  const bool root = i.op == Op::FRSqrtStep;
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm p = use_fp_lanes(c, i, 0, s), q = use_fp_lanes(c, i, 1, s);
  Xmm d = c.regs.define_xmm(c.id());
  Label slow = c.a.newLabel(), done = c.a.newLabel();
  Mem largest = fp_lanes(c, s, 0x5effffff, 0x5fdfffffffffffff);  // below 2^63, 2^511
  const Id greater = s.is_double ? X::kIdVpcmpgtq : X::kIdVpcmpgtd;
  c.a.vandps(d, p, fp_abs_mask(c, s));
  c.a.emit(greater, d, d, largest);
  c.a.vandps(kScratchXmm, q, fp_abs_mask(c, s));
  c.a.emit(greater, kScratchXmm, kScratchXmm, largest);
  c.a.vorps(kScratchXmm, kScratchXmm, d);
  when_scratch(c, slow);
  c.a.vmovaps(d, root ? fp_lanes(c, s, 0x40400000, 0x4008000000000000)
                      : fp_lanes(c, s, 0x40000000, 0x4000000000000000));
  c.a.emit(kFma[2].of(s.is_double, false), d, p, q);
  if (root) c.a.emit(kMul.of(s.is_double, false), d, d, fp_lanes(c, s, 0x3f000000, 0x3fe0000000000000));
  if (!s.whole) zero_above(c, d, s);
  c.a.bind(done);
  again_by_meaning(c, i, slow, done, {x, y, Xmm()}, d);
}

void f_add_pair(Compiler& c, const Inst& i) {
  FpShape s;
  if (!fp_shape(i, s) || s.scalar) return c.emit_by_meaning(i);
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id()), t = c.regs.temp_xmm();
  Label slow = c.a.newLabel(), done = c.a.newLabel();
  even_and_odd(c, d, t, x, y, s);
  c.a.emit(kAdd.of(s.is_double, false), d, d, t);
  check(c, d, s, Suspect::NaN, slow);
  c.a.bind(done);
  again_by_meaning(c, i, slow, done, {x, y, Xmm()}, d);
}

// Bit operations on the lanes that take part; the others are zero.
void sign_bits(Compiler& c, const Inst& i, bool negate) {
  u64 lane_ones = ones(8u << i.esize), sign = u64{1} << ((8u << i.esize) - 1);
  u64 keep[2] = {}, flip[2] = {};
  unsigned per_word = 8u >> i.esize;
  for (unsigned n = 0; n < i.aux; n++) {
    unsigned shift = (n % per_word) * (8u << i.esize);
    keep[n / per_word] |= (negate ? lane_ones : lane_ones & ~sign) << shift;
    flip[n / per_word] |= sign << shift;
  }
  Xmm x = c.regs.use_xmm(i.args[0]);
  Xmm d = c.regs.define_xmm(c.id());
  if (negate) {
    c.a.vpxor(d, x, c.constant(flip[0], flip[1]));
    if (c.significant_bytes(i.args[0]) <= unsigned(i.aux) << i.esize) return;
    x = d;
  }
  c.a.vpand(d, x, c.constant(keep[0], keep[1]));
}
void f_neg(Compiler& c, const Inst& i) { sign_bits(c, i, true); }
void f_abs(Compiler& c, const Inst& i) { sign_bits(c, i, false); }

constexpr FpRow kRows[] = {
    {Op::FAdd, f_add},        {Op::FSub, f_sub},          {Op::FMul, f_mul},        {Op::FDiv, f_div},
    {Op::FAbd, f_abd},        {Op::FSqrt, f_sqrt},        {Op::FMulAdd, f_mul_add}, {Op::FRecipStep, f_step},
    {Op::FRSqrtStep, f_step}, {Op::FAddPair, f_add_pair}, {Op::FNeg, f_neg},        {Op::FAbs, f_abs},
};

std::array<VectorEmitter, ir::kOpCount> make_table() {
  std::array<VectorEmitter, ir::kOpCount> table{};
  for (std::span<const FpRow> rows :
       {std::span<const FpRow>(kRows), fp_comparison_emitters(), fp_conversion_emitters()})
    for (const FpRow& row : rows) table[unsigned(row.op)] = row.emit;
  return table;
}

}  // namespace

VectorEmitter fp_emitter(Op op) {
  static const auto table = make_table();
  return table[unsigned(op)];
}

}  // namespace sluice::tcg::x86_64
