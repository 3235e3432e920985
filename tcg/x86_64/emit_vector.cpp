// Vector ops on AVX2. Three-operand forms throughout, so nothing has to be copied first.
#include <array>

#include "base/bits.h"
#include "tcg/x86_64/compiler.h"

namespace sluice::tcg::x86_64 {

using asmjit::imm;
using asmjit::Operand;
using ir::Type;
namespace X = x86::Inst;
using Id = X::Id;

namespace {

constexpr Id kNone = X::kIdNone;

// One x86 instruction for each lane size (bytes, words, doublewords, quadwords), or none.
struct ByLane {
  Op op;
  std::array<Id, 4> ids;
};

constexpr ByLane kBinary[] = {
    {Op::VAnd, {X::kIdVpand, X::kIdVpand, X::kIdVpand, X::kIdVpand}},
    {Op::VOr, {X::kIdVpor, X::kIdVpor, X::kIdVpor, X::kIdVpor}},
    {Op::VXor, {X::kIdVpxor, X::kIdVpxor, X::kIdVpxor, X::kIdVpxor}},
    {Op::VAdd, {X::kIdVpaddb, X::kIdVpaddw, X::kIdVpaddd, X::kIdVpaddq}},
    {Op::VSub, {X::kIdVpsubb, X::kIdVpsubw, X::kIdVpsubd, X::kIdVpsubq}},
    {Op::VMul, {kNone, X::kIdVpmullw, X::kIdVpmulld, kNone}},
    {Op::VSMax, {X::kIdVpmaxsb, X::kIdVpmaxsw, X::kIdVpmaxsd, kNone}},
    {Op::VSMin, {X::kIdVpminsb, X::kIdVpminsw, X::kIdVpminsd, kNone}},
    {Op::VUMax, {X::kIdVpmaxub, X::kIdVpmaxuw, X::kIdVpmaxud, kNone}},
    {Op::VUMin, {X::kIdVpminub, X::kIdVpminuw, X::kIdVpminud, kNone}},
    {Op::VURHAdd, {X::kIdVpavgb, X::kIdVpavgw, kNone, kNone}},
    {Op::VCmpEq, {X::kIdVpcmpeqb, X::kIdVpcmpeqw, X::kIdVpcmpeqd, X::kIdVpcmpeqq}},
    {Op::VCmpGtS, {X::kIdVpcmpgtb, X::kIdVpcmpgtw, X::kIdVpcmpgtd, X::kIdVpcmpgtq}},
    {Op::VConcatLow, {X::kIdVpunpcklqdq, X::kIdVpunpcklqdq, X::kIdVpunpcklqdq, X::kIdVpunpcklqdq}},
};
constexpr std::array<Id, 4> kEqual = {X::kIdVpcmpeqb, X::kIdVpcmpeqw, X::kIdVpcmpeqd, X::kIdVpcmpeqq};
constexpr std::array<Id, 4> kGreater = {X::kIdVpcmpgtb, X::kIdVpcmpgtw, X::kIdVpcmpgtd, X::kIdVpcmpgtq};
constexpr std::array<Id, 4> kUMax = {X::kIdVpmaxub, X::kIdVpmaxuw, X::kIdVpmaxud, kNone};
constexpr std::array<Id, 4> kUMin = {X::kIdVpminub, X::kIdVpminuw, X::kIdVpminud, kNone};
constexpr std::array<Id, 4> kSub = {X::kIdVpsubb, X::kIdVpsubw, X::kIdVpsubd, X::kIdVpsubq};
constexpr std::array<Id, 4> kZip1 = {X::kIdVpunpcklbw, X::kIdVpunpcklwd, X::kIdVpunpckldq, X::kIdVpunpcklqdq};
constexpr std::array<Id, 4> kZip2 = {X::kIdVpunpckhbw, X::kIdVpunpckhwd, X::kIdVpunpckhdq, X::kIdVpunpckhqdq};

Xmm ones_in(Compiler& c, Xmm x) {
  c.a.vpcmpeqd(x, x, x);
  return x;
}
Xmm zero_in(Compiler& c, Xmm x) {
  c.a.vpxor(x, x, x);
  return x;
}

void binary(Compiler& c, const Inst& i) {
  for (const ByLane& row : kBinary) {
    if (row.op != i.op) continue;
    Id id = row.ids[i.esize];
    if (id == kNone) return c.emit_by_meaning(i);
    Xmm x = c.regs.use_xmm(i.args[0]);
    Operand y = c.regs.use_xmm_any(i.args[1]);
    c.a.emit(id, c.regs.define_xmm(c.id()), x, y);
  }
}

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
  c.a.vpxor(d, d, ones_in(c, kScratchXmm));
}

void v_not(Compiler& c, const Inst& i) {
  Xmm x = c.regs.use_xmm(i.args[0]);
  c.a.vpxor(c.regs.define_xmm(c.id()), x, ones_in(c, kScratchXmm));
}

void v_select(Compiler& c, const Inst& i) {
  Xmm yes = c.regs.use_xmm(i.args[0]), no = c.regs.use_xmm(i.args[1]), mask = c.regs.use_xmm(i.args[2]);
  Xmm d = c.regs.define_xmm(c.id());
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
  Xmm d = c.regs.define_xmm(c.id());
  if (i.esize == 3)
    c.a.vmovq(d, s);
  else if (i.esize == 2)
    c.a.vblendps(d, zero_in(c, kScratchXmm), s, imm(1));
  else
    c.a.vpand(d, s, c.constant(ones(8u << i.esize), 0));
}

void v_neg(Compiler& c, const Inst& i) {
  Operand s = c.regs.use_xmm_any(i.args[0]);
  c.a.emit(kSub[i.esize], c.regs.define_xmm(c.id()), zero_in(c, kScratchXmm), s);
}

void v_abs(Compiler& c, const Inst& i) {
  constexpr std::array<Id, 4> kAbs = {X::kIdVpabsb, X::kIdVpabsw, X::kIdVpabsd, kNone};
  Xmm s = c.regs.use_xmm(i.args[0]);
  Xmm d = c.regs.define_xmm(c.id());
  if (i.esize < 3) {
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
  constexpr std::array<Id, 3> kMax = {Signed ? X::kIdVpmaxsb : X::kIdVpmaxub,
                                      Signed ? X::kIdVpmaxsw : X::kIdVpmaxuw,
                                      Signed ? X::kIdVpmaxsd : X::kIdVpmaxud};
  constexpr std::array<Id, 3> kMin = {Signed ? X::kIdVpminsb : X::kIdVpminub,
                                      Signed ? X::kIdVpminsw : X::kIdVpminuw,
                                      Signed ? X::kIdVpminsd : X::kIdVpminud};
  if (i.esize == 3) return c.emit_by_meaning(i);
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  c.a.emit(kMax[i.esize], d, x, y);
  c.a.emit(kMin[i.esize], kScratchXmm, x, y);
  c.a.emit(kSub[i.esize], d, d, kScratchXmm);
}

void v_cmp_ge_signed(Compiler& c, const Inst& i) {
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  c.a.emit(kGreater[i.esize], d, y, x);
  c.a.vpxor(d, d, ones_in(c, kScratchXmm));
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
    if (OrEqual) c.a.vpxor(d, d, ones_in(c, kScratchXmm));
    return;
  }
  c.a.emit(OrEqual ? kUMax[i.esize] : kUMin[i.esize], kScratchXmm, x, y);
  // a >= b: max == a. a > b: not (min == a).
  c.a.emit(kEqual[i.esize], d, kScratchXmm, x);
  if (!OrEqual) c.a.vpxor(d, d, ones_in(c, kScratchXmm));
}

void v_cmp_test(Compiler& c, const Inst& i) {
  Xmm x = c.regs.use_xmm(i.args[0]);
  Operand y = c.regs.use_xmm_any(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  c.a.emit(X::kIdVpand, d, x, y);
  c.a.emit(kEqual[i.esize], d, d, zero_in(c, kScratchXmm));
  c.a.vpxor(d, d, ones_in(c, kScratchXmm));
}

void v_pop_count(Compiler& c, const Inst& i) {
  Xmm s = c.regs.use_xmm(i.args[0]);
  Xmm d = c.regs.define_xmm(c.id()), table = c.regs.temp_xmm();
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
  Xmm d = c.regs.define_xmm(c.id()), t = c.regs.temp_xmm();
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

void v_reverse(Compiler& c, const Inst& i) {
  u8 index[16];
  unsigned container = 1u << i.imm, lane = 1u << i.esize;
  for (unsigned k = 0; k < 16; k++) {
    unsigned in = k % container;
    index[k] = u8(k - in + (container - lane - in / lane * lane) + in % lane);
  }
  u64 halves[2];
  std::memcpy(halves, index, sizeof halves);
  Xmm s = c.regs.use_xmm(i.args[0]);
  c.a.vpshufb(c.regs.define_xmm(c.id()), s, c.constant(halves[0], halves[1]));
}

// Pairs of both operands, for `count` lanes each.
void v_add_pair(Compiler& c, const Inst& i) {
  bool whole = unsigned(i.aux) << i.esize == 16;
  if (i.esize == 0 || (i.esize == 3 && !whole)) return c.emit_by_meaning(i);
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  if (i.esize == 3) {
    c.a.vpunpcklqdq(kScratchXmm, x, y);
    c.a.vpunpckhqdq(d, x, y);
    c.a.vpaddq(d, d, kScratchXmm);
    return;
  }
  Id hadd = i.esize == 1 ? X::kIdVphaddw : X::kIdVphaddd;
  if (whole) {
    c.a.emit(hadd, d, x, y);
  } else {
    c.a.vpunpcklqdq(d, x, y);
    c.a.emit(hadd, d, d, d);
    c.a.vmovq(d, d);
  }
}

// Maximum or minimum of unsigned byte pairs: as 16-bit lanes of even and odd bytes, packed again.
template <bool Max>
void v_unsigned_pair(Compiler& c, const Inst& i) {
  if (i.esize != 0 || i.aux != 16) return c.emit_by_meaning(i);
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id()), t = c.regs.temp_xmm();
  Id op = Max ? X::kIdVpmaxuw : X::kIdVpminuw;
  Mem low = c.constant(0x00ff00ff00ff00ff);
  c.a.vpand(t, x, low);
  c.a.vpsrlw(kScratchXmm, x, imm(8));
  c.a.emit(op, t, t, kScratchXmm);
  c.a.vpand(d, y, low);
  c.a.vpsrlw(kScratchXmm, y, imm(8));
  c.a.emit(op, d, d, kScratchXmm);
  c.a.vpackuswb(d, t, d);
}

// --- Shifts by an immediate ---

void v_shl_imm(Compiler& c, const Inst& i) {
  constexpr std::array<Id, 4> kIds = {X::kIdVpsllw, X::kIdVpsllw, X::kIdVpslld, X::kIdVpsllq};
  Xmm s = c.regs.use_xmm(i.args[0]);
  Xmm d = c.regs.define_xmm(c.id());
  c.a.emit(kIds[i.esize], d, s, imm(i.imm));
  if (i.esize == 0) c.a.vpand(d, d, c.constant(replicate((0xffu << i.imm) & 0xff, 8)));
}

void v_ushr_imm(Compiler& c, const Inst& i) {
  constexpr std::array<Id, 4> kIds = {X::kIdVpsrlw, X::kIdVpsrlw, X::kIdVpsrld, X::kIdVpsrlq};
  Xmm s = c.regs.use_xmm(i.args[0]);
  Xmm d = c.regs.define_xmm(c.id());
  c.a.emit(kIds[i.esize], d, s, imm(i.imm));
  if (i.esize == 0) c.a.vpand(d, d, c.constant(replicate(0xffu >> i.imm, 8)));
}

void v_sshr_imm(Compiler& c, const Inst& i) {
  Xmm s = c.regs.use_xmm(i.args[0]);
  Xmm d = c.regs.define_xmm(c.id());
  switch (i.esize) {
    case 0:  // even and odd bytes at the top of 16-bit lanes
      c.a.vpsllw(kScratchXmm, s, imm(8));
      c.a.vpsraw(kScratchXmm, kScratchXmm, imm(i.imm > 7 ? 7 : i.imm));
      c.a.vpsrlw(kScratchXmm, kScratchXmm, imm(8));
      c.a.vpsraw(d, s, imm(i.imm > 7 ? 7 : i.imm));
      c.a.vpand(d, d, c.constant(0xff00ff00ff00ff00));
      c.a.vpor(d, d, kScratchXmm);
      break;
    case 1: c.a.vpsraw(d, s, imm(i.imm)); break;
    case 2: c.a.vpsrad(d, s, imm(i.imm)); break;
    default:
      c.a.vpcmpgtq(kScratchXmm, zero_in(c, kScratchXmm), s);
      c.a.vpsrlq(d, s, imm(i.imm));
      c.a.vpsllq(kScratchXmm, kScratchXmm, imm(64 - i.imm));
      c.a.vpor(d, d, kScratchXmm);
      break;
  }
}

// --- Permutations ---

void v_zip(Compiler& c, const Inst& i) {
  bool first = i.op == Op::VZip1, whole = i.aux == 16;
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  c.a.emit(first || !whole ? kZip1[i.esize] : kZip2[i.esize], d, x, y);
  if (whole) return;
  // Halves of 64-bit vectors: both results are in the interleaved low quadwords.
  first ? c.a.vmovq(d, d) : c.a.vpsrldq(d, d, imm(8));
}

// pshufb control that gathers the even or odd lanes into the low quadword.
std::array<u64, 2> gather_control(unsigned esize, bool odd) {
  u8 index[16];
  unsigned lane = 1u << esize;
  for (unsigned k = 0; k < 16; k++) index[k] = k < 8 ? u8((k / lane * 2 + odd) * lane + k % lane) : 0x80;
  std::array<u64, 2> halves;
  std::memcpy(halves.data(), index, sizeof index);
  return halves;
}

void v_unzip(Compiler& c, const Inst& i) {
  bool odd = i.op == Op::VUzp2;
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  auto control = gather_control(i.esize, odd);
  if (i.aux != 16) {
    c.a.vpunpcklqdq(d, x, y);
    c.a.vpshufb(d, d, c.constant(control[0], control[1]));
  } else if (i.esize == 3) {
    odd ? c.a.vpunpckhqdq(d, x, y) : c.a.vpunpcklqdq(d, x, y);
  } else if (i.esize == 2) {
    c.a.vshufps(d, x, y, imm(odd ? 0xdd : 0x88));
  } else {
    Mem m = c.constant(control[0], control[1]);
    c.a.vpshufb(kScratchXmm, x, m);
    c.a.vpshufb(d, y, m);
    c.a.vpunpcklqdq(d, kScratchXmm, d);
  }
}

// Even lanes of both (TRN1), odd lanes of both (TRN2): a shift aligns the one that moves, a blend joins them.
void v_transpose(Compiler& c, const Inst& i) {
  bool second = i.op == Op::VTrn2;
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  if (i.esize == 3) {
    second ? c.a.vpunpckhqdq(d, x, y) : c.a.vpunpcklqdq(d, x, y);
  } else if (i.esize == 0) {
    Mem low = c.constant(0x00ff00ff00ff00ff);
    Xmm even = second ? y : x;
    if (second) {
      c.a.vpsrlw(kScratchXmm, x, imm(8));
      c.a.vmovdqa(d, low);
      c.a.vpandn(d, d, even);
    } else {
      c.a.vpsllw(kScratchXmm, y, imm(8));
      c.a.vpand(d, even, low);
    }
    c.a.vpor(d, d, kScratchXmm);
  } else {
    Id shift = i.esize == 1 ? (second ? X::kIdVpsrld : X::kIdVpslld) : (second ? X::kIdVpsrlq : X::kIdVpsllq);
    int blend = i.esize == 1 ? 0xaa : 0xcc;  // lanes from the second operand of the blend
    c.a.emit(shift, kScratchXmm, second ? x : y, imm(8u << i.esize));
    second ? c.a.vpblendw(d, kScratchXmm, y, imm(blend)) : c.a.vpblendw(d, x, kScratchXmm, imm(blend));
  }
  if (i.aux != 16) c.a.vmovq(d, d);
}

void v_extract(Compiler& c, const Inst& i) {
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  if (i.aux == 16) {
    c.a.vpalignr(d, y, x, imm(i.imm));
    return;
  }
  c.a.vpunpcklqdq(d, x, y);
  if (i.imm) c.a.vpsrldq(d, d, imm(i.imm));
  c.a.vmovq(d, d);
}

// Byte i: index c[i] - imm in 0..15 ? b[that] : a[i].
void v_table(Compiler& c, const Inst& i) {
  Xmm otherwise = c.regs.use_xmm(i.args[0]), table = c.regs.use_xmm(i.args[1]),
      index = c.regs.use_xmm(i.args[2]);
  Xmm d = c.regs.define_xmm(c.id());
  if (i.imm)
    c.a.vpsubb(kScratchXmm, index, c.constant(replicate(i.imm, 8)));
  else
    c.a.vmovdqa(kScratchXmm, index);
  c.a.vpaddusb(kScratchXmm, kScratchXmm, c.constant(0x7070707070707070));  // bit 7: out of range
  c.a.vpshufb(d, table, kScratchXmm);
  c.a.vpblendvb(d, d, otherwise, kScratchXmm);
}

void v_dup(Compiler& c, const Inst& i) {
  constexpr std::array<Id, 4> kIds = {X::kIdVpbroadcastb, X::kIdVpbroadcastw, X::kIdVpbroadcastd,
                                      X::kIdVpbroadcastq};
  Gp s = c.regs.use(i.args[0]);
  Xmm d = c.regs.define_xmm(c.id());
  c.a.vmovq(d, s.r64());
  c.a.emit(kIds[i.esize], d, d);
}

void v_dup_lane(Compiler& c, const Inst& i) {
  u8 index[16];
  unsigned lane = 1u << i.esize;
  for (unsigned k = 0; k < 16; k++) index[k] = u8(i.imm * lane + k % lane);
  u64 halves[2];
  std::memcpy(halves, index, sizeof halves);
  Xmm s = c.regs.use_xmm(i.args[0]);
  Xmm d = c.regs.define_xmm(c.id());
  if (i.esize == 2)
    c.a.vpshufd(d, s, imm(i.imm * 0x55));
  else
    c.a.vpshufb(d, s, c.constant(halves[0], halves[1]));
}

void insert_lane(Compiler& c, Xmm d, Xmm from, Gp value, unsigned esize, u64 lane) {
  switch (esize) {
    case 0: c.a.vpinsrb(d, from, value.r32(), imm(lane)); break;
    case 1: c.a.vpinsrw(d, from, value.r32(), imm(lane)); break;
    case 2: c.a.vpinsrd(d, from, value.r32(), imm(lane)); break;
    default: c.a.vpinsrq(d, from, value.r64(), imm(lane)); break;
  }
}
void extract_lane(Compiler& c, Gp d, Xmm from, unsigned esize, u64 lane) {
  switch (esize) {
    case 0: c.a.vpextrb(d.r32(), from, imm(lane)); break;
    case 1: c.a.vpextrw(d.r32(), from, imm(lane)); break;
    case 2: lane ? c.a.vpextrd(d.r32(), from, imm(lane)) : c.a.vmovd(d.r32(), from); break;
    default: lane ? c.a.vpextrq(d.r64(), from, imm(lane)) : c.a.vmovq(d.r64(), from); break;
  }
}

void v_insert(Compiler& c, const Inst& i) {
  Xmm x = c.regs.use_xmm(i.args[0]);
  Gp v = c.regs.use(i.args[1]);
  insert_lane(c, c.regs.define_xmm(c.id()), x, v, i.esize, i.imm);
}
void v_insert_lane(Compiler& c, const Inst& i) {
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Gp t = c.regs.temp();
  extract_lane(c, t, y, i.esize, i.imm >> 8);
  insert_lane(c, c.regs.define_xmm(c.id()), x, t, i.esize, i.imm & 0xff);
}
void v_lane(Compiler& c, const Inst& i) {
  Xmm s = c.regs.use_xmm(i.args[0]);
  extract_lane(c, c.regs.define(c.id()), s, i.esize, i.imm);
}
void v_lane_signed(Compiler& c, const Inst& i) {
  Xmm s = c.regs.use_xmm(i.args[0]);
  Gp d = c.regs.define(c.id());
  extract_lane(c, d, s, i.esize, i.imm);
  if (i.esize == 0) c.a.movsx(d.r64(), d.r8());
  if (i.esize == 1) c.a.movsx(d.r64(), d.r16());
  if (i.esize == 2) c.a.movsxd(d.r64(), d.r32());
}

template <bool Signed>
void v_extend(Compiler& c, const Inst& i) {
  constexpr std::array<Id, 3> kIds = {Signed ? X::kIdVpmovsxbw : X::kIdVpmovzxbw,
                                      Signed ? X::kIdVpmovsxwd : X::kIdVpmovzxwd,
                                      Signed ? X::kIdVpmovsxdq : X::kIdVpmovzxdq};
  Xmm s = c.regs.use_xmm(i.args[0]);
  Xmm d = c.regs.define_xmm(c.id());
  if (i.imm) {
    c.a.vpsrldq(d, s, imm(8));
    s = d;
  }
  c.a.emit(kIds[i.esize], d, s);
}

void v_narrow(Compiler& c, const Inst& i) {
  auto control = gather_control(i.esize, false);
  Xmm s = c.regs.use_xmm(i.args[0]);
  c.a.vpshufb(c.regs.define_xmm(c.id()), s, c.constant(control[0], control[1]));
}

// --- Multiplication ---

template <bool Signed>
void v_mul_long(Compiler& c, const Inst& i) {
  constexpr std::array<Id, 3> kExtend = {Signed ? X::kIdVpmovsxbw : X::kIdVpmovzxbw,
                                         Signed ? X::kIdVpmovsxwd : X::kIdVpmovzxwd,
                                         Signed ? X::kIdVpmovsxdq : X::kIdVpmovzxdq};
  constexpr std::array<Id, 3> kMul = {X::kIdVpmullw, X::kIdVpmulld, Signed ? X::kIdVpmuldq : X::kIdVpmuludq};
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  if (i.imm) {
    c.a.vpsrldq(d, x, imm(8));
    c.a.vpsrldq(kScratchXmm, y, imm(8));
    x = d, y = kScratchXmm;
  }
  c.a.emit(kExtend[i.esize], d, x);
  c.a.emit(kExtend[i.esize], kScratchXmm, y);
  c.a.emit(kMul[i.esize], d, d, kScratchXmm);
}

void v_pmul_long(Compiler& c, const Inst& i) {
  if (i.esize != 3) return c.emit_by_meaning(i);
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  c.a.vpclmulqdq(c.regs.define_xmm(c.id()), x, y, imm(i.imm ? 0x11 : 0x00));
}

// --- AES: x86's last rounds with a zero key are Arm's rounds after the key has been added ---

template <bool Encrypt>
void v_aes_round(Compiler& c, const Inst& i) {
  Xmm x = c.regs.use_xmm(i.args[0]);
  Operand y = c.regs.use_xmm_any(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  c.a.emit(X::kIdVpxor, d, x, y);
  zero_in(c, kScratchXmm);
  Encrypt ? c.a.vaesenclast(d, d, kScratchXmm) : c.a.vaesdeclast(d, d, kScratchXmm);
}
void v_aes_mix(Compiler& c, const Inst& i) {
  Xmm x = c.regs.use_xmm(i.args[0]);
  Xmm d = c.regs.define_xmm(c.id());
  zero_in(c, kScratchXmm);
  c.a.vaesdeclast(d, x, kScratchXmm);  // undoes what AESENC does besides MixColumns
  c.a.vaesenc(d, d, kScratchXmm);
}
void v_aes_inverse_mix(Compiler& c, const Inst& i) {
  Xmm x = c.regs.use_xmm(i.args[0]);
  c.a.vaesimc(c.regs.define_xmm(c.id()), x);
}

struct Row {
  Op op;
  VectorEmitter emit;
};
constexpr Row kEmitters[] = {
    {Op::VConst, v_const},
    {Op::VZeroUpper, v_zero_upper},
    {Op::VFromInt, v_from_int},
    {Op::VAndNot, v_and_not},
    {Op::VOrNot, v_or_not},
    {Op::VNot, v_not},
    {Op::VSelect, v_select},
    {Op::VSelectCondition, v_select_condition},
    {Op::VLowLane, v_low_lane},
    {Op::VNeg, v_neg},
    {Op::VAbs, v_abs},
    {Op::VSAbd, v_abd<true>},
    {Op::VUAbd, v_abd<false>},
    {Op::VCmpGeS, v_cmp_ge_signed},
    {Op::VCmpGtU, v_cmp_unsigned<false>},
    {Op::VCmpGeU, v_cmp_unsigned<true>},
    {Op::VCmpTest, v_cmp_test},
    {Op::VPopCount, v_pop_count},
    {Op::VReverseBits, v_reverse_bits},
    {Op::VReverse, v_reverse},
    {Op::VAddPair, v_add_pair},
    {Op::VUMaxPair, v_unsigned_pair<true>},
    {Op::VUMinPair, v_unsigned_pair<false>},
    {Op::VShlImm, v_shl_imm},
    {Op::VUShrImm, v_ushr_imm},
    {Op::VSShrImm, v_sshr_imm},
    {Op::VZip1, v_zip},
    {Op::VZip2, v_zip},
    {Op::VUzp1, v_unzip},
    {Op::VUzp2, v_unzip},
    {Op::VTrn1, v_transpose},
    {Op::VTrn2, v_transpose},
    {Op::VExtract, v_extract},
    {Op::VTable, v_table},
    {Op::VDup, v_dup},
    {Op::VDupLane, v_dup_lane},
    {Op::VInsert, v_insert},
    {Op::VInsertLane, v_insert_lane},
    {Op::VLane, v_lane},
    {Op::VLaneSigned, v_lane_signed},
    {Op::VSignExtend, v_extend<true>},
    {Op::VZeroExtend, v_extend<false>},
    {Op::VNarrow, v_narrow},
    {Op::VSMulLong, v_mul_long<true>},
    {Op::VUMulLong, v_mul_long<false>},
    {Op::VPMulLong, v_pmul_long},
    {Op::VAesE, v_aes_round<true>},
    {Op::VAesD, v_aes_round<false>},
    {Op::VAesMc, v_aes_mix},
    {Op::VAesImc, v_aes_inverse_mix},
};

constexpr auto kByOp = [] {
  std::array<VectorEmitter, ir::kOpCount> table{};
  for (const ByLane& row : kBinary) table[unsigned(row.op)] = binary;
  for (const Row& row : kEmitters) table[unsigned(row.op)] = row.emit;
  return table;
}();

}  // namespace

VectorEmitter vector_emitter(Op op) { return kByOp[unsigned(op)]; }

}  // namespace sluice::tcg::x86_64
