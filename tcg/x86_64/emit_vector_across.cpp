// Vector ops: of neighbouring lanes, and across all lanes.
#include "tcg/x86_64/emit_vector.h"

namespace sluice::tcg::x86_64 {
namespace {

// --- Pairs: lane i of the result is of lanes 2i and 2i + 1 of b:a. For 64-bit vectors b:a is put together
// first, and the results come out in the low half. ---

// d = the sum, or `op`, of each pair, in the low half of the pair.
void combine_pairs(Compiler& c, Xmm d, Xmm s, Id op, unsigned esize) {
  c.a.emit(kShiftRight[esize + 1], kScratchXmm, s, imm(8u << esize));
  c.a.emit(op, d, s, kScratchXmm);
}
// d = the low halves of the pairs of x, then of y (zero if it is not given).
void gather_pairs(Compiler& c, Xmm d, Xmm x, const Xmm* y, unsigned esize) {
  if (esize == 0) {
    Mem low = lanes_of(c, 0xff, 1);
    c.a.vpand(d, x, low);
    if (y)
      c.a.vpand(kScratchXmm, *y, low);
    else
      zero_in(c, kScratchXmm);
    c.a.vpackuswb(d, d, kScratchXmm);
    return;
  }
  zero_in(c, kScratchXmm);
  if (!y) {
    c.a.vpblendw(d, x, kScratchXmm, imm(0xaa));
    c.a.vpackusdw(d, d, kScratchXmm);
    return;
  }
  c.a.vpblendw(*y, *y, kScratchXmm, imm(0xaa));
  c.a.vpblendw(d, x, kScratchXmm, imm(0xaa));
  c.a.vpackusdw(d, d, *y);
}
void small_pairs(Compiler& c, const Inst& i, Id op) {
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  if (unsigned(i.aux) << i.esize == 16) {
    Xmm t = c.regs.temp_xmm();
    combine_pairs(c, t, y, op, i.esize);
    combine_pairs(c, d, x, op, i.esize);
    return gather_pairs(c, d, d, &t, i.esize);
  }
  c.a.vpunpcklqdq(d, x, y);
  combine_pairs(c, d, d, op, i.esize);
  gather_pairs(c, d, d, nullptr, i.esize);
}
void pairs(Compiler& c, const Inst& i, const ByLane& ids) {
  const bool whole = unsigned(i.aux) << i.esize == 16;
  if (ids[i.esize] == kNone || (i.esize == 3 && !whole)) return c.emit_by_meaning(i);
  if (i.esize < 2) return small_pairs(c, i, ids[i.esize]);
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  if (i.esize == 3) {
    c.a.vpunpcklqdq(kScratchXmm, x, y);
    c.a.vpunpckhqdq(d, x, y);
  } else if (whole) {
    c.a.vshufps(kScratchXmm, x, y, imm(0x88));
    c.a.vshufps(d, x, y, imm(0xdd));
  } else {
    c.a.vpunpckldq(d, x, y);  // x0 y0 x1 y1
    c.a.vpsrldq(kScratchXmm, d, imm(8));
    c.a.vmovq(d, d);
  }
  c.a.emit(ids[i.esize], d, d, kScratchXmm);
}
void v_add_pair(Compiler& c, const Inst& i) { pairs(c, i, kAdd); }
void v_smax_pair(Compiler& c, const Inst& i) { pairs(c, i, kSMax); }
void v_smin_pair(Compiler& c, const Inst& i) { pairs(c, i, kSMin); }
void v_umax_pair(Compiler& c, const Inst& i) { pairs(c, i, kUMax); }
void v_umin_pair(Compiler& c, const Inst& i) { pairs(c, i, kUMin); }

// d = sums of neighbours in lanes twice as large. Signed numbers of 32 bits have an offset of 2^31 meanwhile.
void add_pairs_long(Compiler& c, Xmm d, Xmm s, unsigned esize, bool is_signed) {
  if (esize == 0) {
    c.a.vmovdqa(kScratchXmm, lanes_of(c, 1, 0));
    is_signed ? c.a.vpmaddubsw(d, kScratchXmm, s) : c.a.vpmaddubsw(d, s, kScratchXmm);
  } else if (esize == 1 && is_signed) {
    c.a.vpmaddwd(d, s, lanes_of(c, 1, 1));
  } else if (esize == 1) {
    c.a.vpsrld(kScratchXmm, s, imm(16));
    c.a.vpand(d, s, lanes_of(c, 0xffff, 2));
    c.a.vpaddd(d, d, kScratchXmm);
  } else {
    if (is_signed) c.a.vpxor(d, s, lanes_of(c, sign_bit(2), 2)), s = d;
    c.a.vpsrlq(kScratchXmm, s, imm(32));
    c.a.vpand(d, s, lanes_of(c, ones(32), 3));
    c.a.vpaddq(d, d, kScratchXmm);
    if (is_signed) c.a.vpsubq(d, d, lanes_of(c, u64{1} << 32, 3));
  }
}
template <bool Signed>
void v_add_pair_long(Compiler& c, const Inst& i) {
  if (i.esize == 3) return c.emit_by_meaning(i);
  Xmm s = c.regs.use_xmm(i.args[0]);
  add_pairs_long(c, c.regs.define_xmm(c.id()), s, i.esize, Signed);
}

// --- Across ---

// Lane 0 of d = `op` over `count` lanes of 4 or 8 bytes, the rest zero.
void fold(Compiler& c, Xmm d, Xmm s, Id op, unsigned esize, unsigned count) {
  if (unsigned(count) << esize == 16) {
    c.a.vpshufd(kScratchXmm, s, imm(0x4e));
    c.a.emit(op, d, s, kScratchXmm);
    s = d;
  }
  if (esize == 2 && count > 1) {
    c.a.vpshufd(kScratchXmm, s, imm(0xb1));
    c.a.emit(op, d, s, kScratchXmm);
    s = d;
  }
  keep_low(c, d, s, 1u << esize);
}
// Sums of bytes: PSADBW.
void add_bytes(Compiler& c, Xmm d, Xmm s, unsigned count) {
  if (count < 16) c.a.vmovq(d, s), s = d;
  c.a.vpsadbw(d, s, zero_in(c, kScratchXmm));
  if (count == 16) fold(c, d, d, X::kIdVpaddq, 3, 2);
}
void v_add_across(Compiler& c, const Inst& i) {
  Xmm s = c.regs.use_xmm(i.args[0]);
  Xmm d = c.regs.define_xmm(c.id());
  if (i.esize >= 2) return fold(c, d, s, kAdd[i.esize], i.esize, i.aux);
  if (i.esize == 0) {
    add_bytes(c, d, s, i.aux);
  } else {  // the sums of signed pairs are right in their low half
    c.a.vpmaddwd(d, s, lanes_of(c, 1, 1));
    fold(c, d, d, X::kIdVpaddd, 2, i.aux / 2);
  }
  keep_low(c, d, d, 1u << i.esize);
}
template <bool Signed>
void v_add_across_long(Compiler& c, const Inst& i) {
  if (i.esize == 3) return c.emit_by_meaning(i);
  Xmm s = c.regs.use_xmm(i.args[0]);
  Xmm d = c.regs.define_xmm(c.id());
  if (i.esize == 0) {
    if (Signed) c.a.vpxor(d, s, lanes_of(c, 0x80, 0)), s = d;
    add_bytes(c, d, s, i.aux);
    if (Signed) {
      c.a.vpsubw(d, d, c.constant(0x80u * i.aux, 0));
      keep_low(c, d, d, 2);
    }
    return;
  }
  add_pairs_long(c, d, s, i.esize, Signed);
  fold(c, d, d, kAdd[i.esize + 1], i.esize + 1u, i.aux / 2);
}

// Bytes and words: PHMINPOSUW finds the smallest of eight unsigned words. Other orders are turned into that
// one by inverting bits.
void small_extremum(Compiler& c, const Inst& i, bool is_signed, bool maximum) {
  const u64 all = ones(8u << i.esize), sign = sign_bit(i.esize);
  const u64 flip = (maximum ? all : 0) ^ (is_signed ? sign : 0);
  Xmm s = c.regs.use_xmm(i.args[0]);
  Xmm d = c.regs.define_xmm(c.id());
  if (unsigned(i.aux) << i.esize == 8) c.a.vpshufd(d, s, imm(0x44)), s = d;
  if (flip) c.a.vpxor(d, s, lanes_of(c, flip, i.esize)), s = d;
  if (i.esize == 0) {  // into the low byte of each word; the other becomes zero
    c.a.vpsrlw(kScratchXmm, s, imm(8));
    c.a.vpminub(d, s, kScratchXmm);
    s = d;
  }
  c.a.vphminposuw(d, s);
  c.a.vpand(d, d, c.constant(all, 0));
  if (flip) c.a.vpxor(d, d, c.constant(flip, 0));
}
template <bool Signed, bool Maximum>
void v_extremum_across(Compiler& c, const Inst& i) {
  if (i.esize == 3) return c.emit_by_meaning(i);
  if (i.esize < 2) return small_extremum(c, i, Signed, Maximum);
  Xmm s = c.regs.use_xmm(i.args[0]);
  const Id id = (Signed ? (Maximum ? kSMax : kSMin) : (Maximum ? kUMax : kUMin))[2];
  fold(c, c.regs.define_xmm(c.id()), s, id, 2, i.aux);
}

constexpr VectorRow kRows[] = {
    {Op::VAddPair, v_add_pair},
    {Op::VSMaxPair, v_smax_pair},
    {Op::VSMinPair, v_smin_pair},
    {Op::VUMaxPair, v_umax_pair},
    {Op::VUMinPair, v_umin_pair},
    {Op::VSAddPairLong, v_add_pair_long<true>},
    {Op::VUAddPairLong, v_add_pair_long<false>},
    {Op::VAddAcross, v_add_across},
    {Op::VSAddAcrossLong, v_add_across_long<true>},
    {Op::VUAddAcrossLong, v_add_across_long<false>},
    {Op::VSMaxAcross, v_extremum_across<true, true>},
    {Op::VSMinAcross, v_extremum_across<true, false>},
    {Op::VUMaxAcross, v_extremum_across<false, true>},
    {Op::VUMinAcross, v_extremum_across<false, false>},
};

}  // namespace

std::span<const VectorRow> vector_across_emitters() { return kRows; }

}  // namespace sluice::tcg::x86_64
