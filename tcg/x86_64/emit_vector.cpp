// Vector ops: the table of all of them, moves, and bits.
#include "tcg/x86_64/emit_vector.h"

namespace sluice::tcg::x86_64 {
namespace {

void v_const(Compiler& c, const Inst& i) {
  Xmm d = c.regs.define_xmm(c.id());
  if (i.imm == 0)
    zero_in(c, d);
  else if (i.imm == ~u64{0} && i.esize)
    ones_in(c, d);
  else
    c.a.vmovdqa(d, c.constant(i.imm, i.esize ? i.imm : 0));
}

void v_zero_upper(Compiler& c, const Inst& i) {
  Xmm s = c.regs.use_xmm(i.args[0]);
  c.a.vmovq(c.regs.define_xmm(c.id()), s);
}

void v_from_int(Compiler& c, const Inst& i) {
  Gp s = c.regs.use(i.args[0]);
  Xmm d = c.regs.define_xmm(c.id());
  c.wide(i.args[0]) ? c.a.vmovq(d, s.r64()) : c.a.vmovd(d, s.r32());
}

template <Id id>
void bitwise(Compiler& c, const Inst& i) {
  Xmm x = c.regs.use_xmm(i.args[0]);
  Operand y = c.regs.use_xmm_any(i.args[1]);
  c.a.emit(id, c.regs.define_xmm(c.id()), x, y);
}

// a & ~b
void v_and_not(Compiler& c, const Inst& i) {
  Xmm b = c.regs.use_xmm(i.args[1]);
  Operand x = c.regs.use_xmm_any(i.args[0]);
  c.a.emit(X::kIdVpandn, c.regs.define_xmm(c.id()), b, x);
}

// a | ~b = ~(~a & b)
void v_or_not(Compiler& c, const Inst& i) {
  Xmm x = c.regs.use_xmm(i.args[0]);
  Operand b = c.regs.use_xmm_any(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  c.a.emit(X::kIdVpandn, d, x, b);
  invert(c, d);
}

void v_not(Compiler& c, const Inst& i) {
  Xmm x = c.regs.use_xmm(i.args[0]);
  c.a.vpxor(c.regs.define_xmm(c.id()), x, ones_in(c, kScratchXmm));
}

void v_select(Compiler& c, const Inst& i) {
  Xmm yes = c.regs.use_xmm(i.args[0]), no = c.regs.use_xmm(i.args[1]);
  if (c.host().avx512 && i.args[2] != i.args[0] && i.args[2] != i.args[1]) {
    Xmm d = c.regs.define_xmm_over(i, c.id(), i.args[2]);
    c.a.vpternlogd(d, yes, no, imm(0xca));  // the first ? the second : the third
    return;
  }
  Xmm mask = c.regs.use_xmm(i.args[2]), d = c.regs.define_xmm(c.id());
  c.a.vpand(kScratchXmm, yes, mask);
  c.a.vpandn(d, mask, no);
  c.a.vpor(d, d, kScratchXmm);
}

void v_select_condition(Compiler& c, const Inst& i) {
  if (i.aux >= 14) {
    c.regs.define_xmm_over(i, c.id(), i.args[0]);
    return;
  }
  c.prepare_condition(i.args[2]);
  Xmm yes = c.regs.use_xmm(i.args[0]), no = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  Label done = c.a.newLabel();
  c.a.vmovdqa(d, yes);
  c.a.j(c.condition(i.args[2], i.aux), done);
  c.a.vmovdqa(d, no);
  c.a.bind(done);
}

void v_low_lane(Compiler& c, const Inst& i) {
  Xmm s = c.regs.use_xmm(i.args[0]);
  keep_low(c, c.regs.define_xmm(c.id()), s, 1u << i.esize);
}

// GF(2) matrices by which VGF2P8AFFINEQB multiplies each byte.
constexpr u64 kReversal = 0x8040201008040201;

void v_pop_count(Compiler& c, const Inst& i) {
  Xmm s = c.regs.use_xmm(i.args[0]);
  Xmm d = c.regs.define_xmm(c.id());
  if (c.host().bitalg) return void(c.a.vpopcntb(d, s));
  Xmm table = c.regs.temp_xmm();
  c.a.vmovdqa(table, c.constant(0x0302020102010100, 0x0403030203020201));
  c.a.vpsrlw(kScratchXmm, s, imm(4));
  c.a.vpand(kScratchXmm, kScratchXmm, c.constant(0x0f0f0f0f0f0f0f0f));
  c.a.vpshufb(kScratchXmm, table, kScratchXmm);
  c.a.vpand(d, s, c.constant(0x0f0f0f0f0f0f0f0f));
  c.a.vpshufb(d, table, d);
  c.a.vpaddb(d, d, kScratchXmm);
}

void v_reverse_bits(Compiler& c, const Inst& i) {
  Xmm s = c.regs.use_xmm(i.args[0]);
  Xmm d = c.regs.define_xmm(c.id());
  if (c.host().gfni) return void(c.a.vgf2p8affineqb(d, s, c.constant(kReversal), imm(0)));
  Xmm t = c.regs.temp_xmm();
  // The reversed nibble, at the top for the low one and at the bottom for the high one.
  c.a.vpsrlw(t, s, imm(4));
  c.a.vpand(t, t, c.constant(0x0f0f0f0f0f0f0f0f));
  c.a.vmovdqa(kScratchXmm, c.constant(0x0e060a020c040800, 0x0f070b030d050901));
  c.a.vpshufb(t, kScratchXmm, t);
  c.a.vpand(d, s, c.constant(0x0f0f0f0f0f0f0f0f));
  c.a.vmovdqa(kScratchXmm, c.constant(0xe060a020c0408000, 0xf070b030d0509010));
  c.a.vpshufb(d, kScratchXmm, d);
  c.a.vpor(d, d, t);
}

// Leading zeros of each byte in d: the smaller of what the high nibble gives (8 if it is zero) and what the
// low one does.
void leading_zeros_of_bytes(Compiler& c, Xmm d, Xmm s, Xmm t) {
  Mem nibble = c.constant(0x0f0f0f0f0f0f0f0f);
  c.a.vpsrlw(t, s, imm(4));
  c.a.vpand(t, t, nibble);
  c.a.vmovdqa(kScratchXmm, c.constant(0x0101010102020308, 0));
  c.a.vpshufb(t, kScratchXmm, t);
  c.a.vpand(d, s, nibble);
  c.a.vmovdqa(kScratchXmm, c.constant(0x0505050506060708, 0x0404040404040404));
  c.a.vpshufb(d, kScratchXmm, d);
  c.a.vpminub(d, d, t);
}
// From the counts of half lanes: that of the upper half, and that of the lower too where the upper is zero.
void join_leading_zeros(Compiler& c, Xmm d, Xmm t, unsigned esize) {
  const unsigned half = 4u << esize;
  c.a.emit(kShiftRight[esize], t, d, imm(half));
  c.a.emit(kEqual[esize], kScratchXmm, t, lanes_of(c, half, esize));
  c.a.vpand(kScratchXmm, kScratchXmm, lanes_of(c, ones(half), esize));
  c.a.vpand(d, d, kScratchXmm);
  c.a.emit(kAdd[esize], d, d, t);
}
void leading_zeros(Compiler& c, Xmm d, Xmm s, unsigned esize) {
  if (esize == 2 && c.host().avx512) return void(c.a.vplzcntd(d, s));
  Xmm t = c.regs.temp_xmm();
  leading_zeros_of_bytes(c, d, s, t);
  for (unsigned e = 1; e <= esize; e++) join_leading_zeros(c, d, t, e);
}
void v_count_leading_zeros(Compiler& c, const Inst& i) {
  Xmm s = c.regs.use_xmm(i.args[0]);
  leading_zeros(c, c.regs.define_xmm(c.id()), s, i.esize);
}
// The leading zeros of the number or its complement, less one.
void v_count_leading_signs(Compiler& c, const Inst& i) {
  Xmm s = c.regs.use_xmm(i.args[0]);
  Xmm d = c.regs.define_xmm(c.id()), magnitude = c.regs.temp_xmm();
  c.a.emit(kGreater[i.esize], magnitude, zero_in(c, kScratchXmm), s);
  c.a.vpxor(magnitude, magnitude, s);
  leading_zeros(c, d, magnitude, i.esize);
  c.a.emit(kAdd[i.esize], d, d, ones_in(c, kScratchXmm));
}

constexpr VectorRow kRows[] = {
    {Op::VConst, v_const},
    {Op::VZeroUpper, v_zero_upper},
    {Op::VFromInt, v_from_int},
    {Op::VAnd, bitwise<X::kIdVpand>},
    {Op::VOr, bitwise<X::kIdVpor>},
    {Op::VXor, bitwise<X::kIdVpxor>},
    {Op::VConcatLow, bitwise<X::kIdVpunpcklqdq>},
    {Op::VAndNot, v_and_not},
    {Op::VOrNot, v_or_not},
    {Op::VNot, v_not},
    {Op::VSelect, v_select},
    {Op::VSelectCondition, v_select_condition},
    {Op::VLowLane, v_low_lane},
    {Op::VPopCount, v_pop_count},
    {Op::VReverseBits, v_reverse_bits},
    {Op::VCountLeadingZeros, v_count_leading_zeros},
    {Op::VCountLeadingSigns, v_count_leading_signs},
};

std::array<VectorEmitter, ir::kOpCount> make_table() {
  std::array<VectorEmitter, ir::kOpCount> table{};
  for (std::span<const VectorRow> rows :
       {std::span<const VectorRow>(kRows), vector_arithmetic_emitters(), vector_across_emitters(),
        vector_shift_emitters(), vector_saturating_emitters(), vector_permute_emitters(),
        vector_multiply_emitters(), vector_crypto_emitters()})
    for (const VectorRow& row : rows) table[unsigned(row.op)] = row.emit;
  return table;
}

}  // namespace

VectorEmitter vector_emitter(Op op) {
  static const auto table = make_table();
  return table[unsigned(op)];
}

}  // namespace sluice::tcg::x86_64
