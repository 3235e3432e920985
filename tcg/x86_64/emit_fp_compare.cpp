// Floating point: comparisons, extrema.
#include "tcg/flags.h"
#include "tcg/x86_64/emit_fp.h"

namespace sluice::tcg::x86_64 {
namespace {

constexpr FpIds kMax = {X::kIdVmaxss, X::kIdVmaxsd, X::kIdVmaxps, X::kIdVmaxpd};
constexpr FpIds kMin = {X::kIdVminss, X::kIdVminsd, X::kIdVminps, X::kIdVminpd};

// --- Extrema. NaNs are looked for before anything else, since x86 would drop them. x86 gives the second
// operand for equal zeros: both orders, joined, are Arm's answer. ---

// d = the extremum of numbers x and y; clobbers t, which may be y.
void extremum(Compiler& c, Xmm d, Xmm x, Xmm y, Xmm t, const FpShape& s, bool maximum) {
  const Id id = (maximum ? kMax : kMin).of(s.is_double, s.scalar);
  c.a.emit(id, d == x ? kScratchXmm : d, x, y);
  c.a.emit(id, t, y, x);
  maximum ? c.a.vandps(d, d == x ? kScratchXmm : d, t) : c.a.vorps(d, d == x ? kScratchXmm : d, t);
}
void unordered(Compiler& c, Xmm d, Xmm x, Xmm y, const FpShape& s) {
  s.is_double ? c.a.vcmppd(d, x, y, imm(3)) : c.a.vcmpps(d, x, y, imm(3));
}
template <bool Maximum>
void f_extremum(Compiler& c, const Inst& i) {
  FpShape s;
  if (!fp_shape(i, s)) return c.emit_by_meaning(i);
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm p = x, q = y;
  if (s.half()) p = use_fp_lanes(c, i, 0, s), q = use_fp_lanes(c, i, 1, s);
  Xmm d = c.regs.define_xmm(c.id()), t = c.regs.temp_xmm();
  Label slow = c.a.newLabel(), done = c.a.newLabel();
  if (s.scalar) {
    s.is_double ? c.a.vucomisd(p, q) : c.a.vucomiss(p, q);
    c.a.jp(slow);
  } else {
    unordered(c, kScratchXmm, p, q, s);
    when_scratch(c, slow);
  }
  extremum(c, d, p, q, t, s, Maximum);
  if (s.scalar && !(upper_is_zero(c, i.args[0], i.esize) && upper_is_zero(c, i.args[1], i.esize)))
    zero_above(c, d, s);
  c.a.bind(done);
  again_by_meaning(c, i, slow, done, {x, y, Xmm()}, d);
}

template <bool Maximum>
void f_extremum_pair(Compiler& c, const Inst& i) {
  FpShape s;
  if (!fp_shape(i, s) || s.scalar) return c.emit_by_meaning(i);
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id()), even = c.regs.temp_xmm(), odd = c.regs.temp_xmm();
  Label slow = c.a.newLabel(), done = c.a.newLabel();
  even_and_odd(c, even, odd, x, y, s);
  unordered(c, kScratchXmm, even, odd, s);
  when_scratch(c, slow);
  extremum(c, d, even, odd, odd, s, Maximum);
  c.a.bind(done);
  again_by_meaning(c, i, slow, done, {x, y, Xmm()}, d);
}

// Over two or four lanes. Without NaNs the order does not matter.
template <bool Maximum>
void f_extremum_across(Compiler& c, const Inst& i) {
  FpShape s;
  if (!fp_shape(i, s) || s.scalar) return c.emit_by_meaning(i);
  Xmm x = c.regs.use_xmm(i.args[0]);
  Xmm p = use_fp_lanes(c, i, 0, s);
  Xmm d = c.regs.define_xmm(c.id()), t = c.regs.temp_xmm();
  Label slow = c.a.newLabel(), done = c.a.newLabel();
  unordered(c, kScratchXmm, p, p, s);
  when_scratch(c, slow);
  if (s.whole) {
    c.a.vpshufd(t, p, imm(0x4e));
    extremum(c, d, p, t, t, s, Maximum);
    p = d;
  }
  if (!s.is_double) {
    c.a.vpshufd(t, p, imm(0xb1));
    extremum(c, d, p, t, t, s, Maximum);
  }
  zero_above(c, d, {s.is_double, true, false});
  c.a.bind(done);
  again_by_meaning(c, i, slow, done, {x, Xmm(), Xmm()}, d);
}

// --- Comparisons ---

// EFLAGS = x compared with y.
void compare_scalars(Compiler& c, Xmm x, Xmm y, unsigned esize, bool signalling) {
  if (esize == 3)
    signalling ? c.a.vcomisd(x, y) : c.a.vucomisd(x, y);
  else
    signalling ? c.a.vcomiss(x, y) : c.a.vucomiss(x, y);
}
// RAX (taken) = ZF:PF:CF of (U)COMISx as Flags: AH's bits 6, 2 and 0 index a table.
void flags_to_rax(Compiler& c, Gp table) {
  c.a.lahf();
  c.a.lea(table, x86::ptr(u64(c.thunks().constants->compare_flags)));
  c.a.movzx(x86::eax, x86::ah);
  c.a.and_(x86::eax, imm(0x45));
  c.a.movzx(x86::eax, x86::word_ptr(table, x86::rax, 1));
}
void f_compare(Compiler& c, const Inst& i) {
  if (i.esize != 2 && i.esize != 3) return c.emit_by_meaning(i);
  c.regs.take(x86::rax);
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Gp table = c.regs.temp();
  compare_scalars(c, x, y, i.esize, i.imm & 1);
  flags_to_rax(c, table);
  c.regs.define_in(c.id(), x86::rax);
}
// If the condition fails, nothing is compared and the flags are given.
void f_cond_compare(Compiler& c, const Inst& i) {
  if (i.esize != 2 && i.esize != 3) return c.emit_by_meaning(i);
  if (i.aux >= 14) return f_compare(c, i);
  c.regs.take(x86::rax);
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Gp table = c.regs.temp();
  Label holds = c.a.newLabel(), done = c.a.newLabel();
  c.a.j(c.condition(i.args[2], i.aux), holds);
  c.a.mov(x86::eax, imm(Flags::from_nzcv(u32(i.imm >> 8 & 15)).word));
  c.a.jmp(done);
  c.a.bind(holds);
  compare_scalars(c, x, y, i.esize, i.imm & 1);
  flags_to_rax(c, table);
  c.a.bind(done);
  c.forget_host_flags();
  c.regs.define_in(c.id(), x86::rax);
}

// imm 1: of absolute values.
template <int predicate>
void f_compare_lanes(Compiler& c, const Inst& i) {
  FpShape s;
  if (!fp_shape(i, s)) return c.emit_by_meaning(i);
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm p = x, q = y;
  if (s.half()) p = use_fp_lanes(c, i, 0, s), q = use_fp_lanes(c, i, 1, s);
  Xmm d = c.regs.define_xmm(c.id());
  if (i.imm) {
    c.a.vandps(d, p, fp_abs_mask(c, s));
    c.a.vandps(kScratchXmm, q, fp_abs_mask(c, s));
    p = d, q = kScratchXmm;
  }
  constexpr FpIds kCompare = {X::kIdVcmpss, X::kIdVcmpsd, X::kIdVcmpps, X::kIdVcmppd};
  c.a.emit(kCompare.of(s.is_double, s.scalar), d, p, q, imm(predicate));
  if (!s.whole) zero_above(c, d, s);
}

constexpr FpRow kRows[] = {
    {Op::FMax, f_extremum<true>},
    {Op::FMin, f_extremum<false>},
    {Op::FMaxNum, f_extremum<true>},
    {Op::FMinNum, f_extremum<false>},
    {Op::FMaxPair, f_extremum_pair<true>},
    {Op::FMinPair, f_extremum_pair<false>},
    {Op::FMaxNumPair, f_extremum_pair<true>},
    {Op::FMinNumPair, f_extremum_pair<false>},
    {Op::FMaxAcross, f_extremum_across<true>},
    {Op::FMinAcross, f_extremum_across<false>},
    {Op::FMaxNumAcross, f_extremum_across<true>},
    {Op::FMinNumAcross, f_extremum_across<false>},
    {Op::FCompare, f_compare},
    {Op::FCondCompare, f_cond_compare},
    {Op::FCmpEq, f_compare_lanes<0x00>},  // EQ_OQ
    {Op::FCmpGe, f_compare_lanes<0x0d>},  // GE_OS
    {Op::FCmpGt, f_compare_lanes<0x0e>},  // GT_OS
};

}  // namespace

std::span<const FpRow> fp_comparison_emitters() { return kRows; }

}  // namespace sluice::tcg::x86_64
