// Vector ops: lanes to other places, in and out, wider and narrower.
#include "tcg/x86_64/emit_vector.h"

namespace sluice::tcg::x86_64 {
namespace {

constexpr ByLane kZip1 = {X::kIdVpunpcklbw, X::kIdVpunpcklwd, X::kIdVpunpckldq, X::kIdVpunpcklqdq};
constexpr ByLane kZip2 = {X::kIdVpunpckhbw, X::kIdVpunpckhwd, X::kIdVpunpckhdq, X::kIdVpunpckhqdq};

// PSHUFB's control: byte k of the result is byte f(k).
template <class F>
Mem shuffle_control(Compiler& c, const F& f) {
  u8 index[16];
  for (unsigned k = 0; k < 16; k++) index[k] = u8(f(k));
  u64 halves[2];
  std::memcpy(halves, index, sizeof halves);
  return c.constant(halves[0], halves[1]);
}
// The even or odd lanes, in the low half.
Mem gather_control(Compiler& c, unsigned esize, bool odd) {
  const unsigned lane = 1u << esize;
  return shuffle_control(c,
                         [=](unsigned k) { return k < 8 ? (k / lane * 2 + odd) * lane + k % lane : 0x80; });
}

void v_reverse(Compiler& c, const Inst& i) {
  const unsigned inside = (1u << i.imm) - (1u << i.esize);  // the bits of a byte's number that are inverted
  Xmm s = c.regs.use_xmm(i.args[0]);
  c.a.vpshufb(c.regs.define_xmm(c.id()), s, shuffle_control(c, [=](unsigned k) { return k ^ inside; }));
}

void v_zip(Compiler& c, const Inst& i) {
  bool first = i.op == Op::VZip1, whole = i.aux == 16;
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  c.a.emit(first || !whole ? kZip1[i.esize] : kZip2[i.esize], d, x, y);
  if (whole) return;
  // Halves of 64-bit vectors: both results are in the interleaved low quadwords.
  first ? c.a.vmovq(d, d) : c.a.vpsrldq(d, d, imm(8));
}

void v_unzip(Compiler& c, const Inst& i) {
  bool odd = i.op == Op::VUzp2;
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  if (i.aux != 16) {
    c.a.vpunpcklqdq(d, x, y);
    c.a.vpshufb(d, d, gather_control(c, i.esize, odd));
  } else if (i.esize == 3) {
    odd ? c.a.vpunpckhqdq(d, x, y) : c.a.vpunpcklqdq(d, x, y);
  } else if (i.esize == 2) {
    c.a.vshufps(d, x, y, imm(odd ? 0xdd : 0x88));
  } else if (i.esize == 0) {
    if (odd) {
      c.a.vpsrlw(kScratchXmm, x, imm(8));
      c.a.vpsrlw(d, y, imm(8));
    } else {
      Mem low = lanes_of(c, 0xff, 1);
      c.a.vpand(kScratchXmm, x, low);
      c.a.vpand(d, y, low);
    }
    c.a.vpackuswb(d, kScratchXmm, d);
  } else {
    Mem m = gather_control(c, i.esize, odd);
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
    if (second) {
      c.a.vpsrlw(kScratchXmm, x, imm(8));
      c.a.vpand(d, y, lanes_of(c, 0xff00, 1));
    } else {
      c.a.vpsllw(kScratchXmm, y, imm(8));
      c.a.vpand(d, x, lanes_of(c, 0xff, 1));
    }
    c.a.vpor(d, d, kScratchXmm);
  } else {
    Id shift = second ? kShiftRight[i.esize + 1] : kShiftLeft[i.esize + 1];
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

void v_shuffle32(Compiler& c, const Inst& i) {
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  i.args[0] == i.args[1] ? c.a.vpshufd(d, x, imm(i.imm)) : c.a.vshufps(d, x, y, imm(i.imm));
}

// Byte i: index c[i] - imm in 0..15 ? b[that] : a[i].
void v_table(Compiler& c, const Inst& i) {
  const Inst& fallback = c.block().insts[i.args[0]];
  const bool zero = fallback.op == Op::VConst && fallback.imm == 0;  // as PSHUFB itself does
  Xmm table = c.regs.use_xmm(i.args[1]), index = c.regs.use_xmm(i.args[2]);
  Mem out_of_range = c.constant(0x7070707070707070);  // added, it sets bit 7
  Xmm control = kScratchXmm;
  if (i.imm) {
    c.a.vpsubb(control, index, lanes_of(c, i.imm, 0));
    c.a.vpaddusb(control, control, out_of_range);
  } else {
    c.a.vpaddusb(control, index, out_of_range);
  }
  if (zero) return void(c.a.vpshufb(c.regs.define_xmm(c.id()), table, control));
  Xmm otherwise = c.regs.use_xmm(i.args[0]), d = c.regs.define_xmm(c.id());
  c.a.vpshufb(d, table, control);
  c.a.vpblendvb(d, d, otherwise, control);
}

void v_dup(Compiler& c, const Inst& i) {
  constexpr ByLane kIds = {X::kIdVpbroadcastb, X::kIdVpbroadcastw, X::kIdVpbroadcastd, X::kIdVpbroadcastq};
  Gp s = c.regs.use(i.args[0]);
  Xmm d = c.regs.define_xmm(c.id());
  if (c.host().avx512) {
    c.a.emit(kIds[i.esize], d, i.esize == 3 ? Operand(s.r64()) : Operand(s.r32()));
    return;
  }
  c.a.vmovq(d, s.r64());
  c.a.emit(kIds[i.esize], d, d);
}

void v_dup_lane(Compiler& c, const Inst& i) {
  const unsigned lane = 1u << i.esize, first = unsigned(i.imm) * lane;
  Xmm s = c.regs.use_xmm(i.args[0]);
  Xmm d = c.regs.define_xmm(c.id());
  if (i.esize == 3)
    i.imm ? c.a.vpunpckhqdq(d, s, s) : c.a.vpunpcklqdq(d, s, s);
  else if (i.esize == 2)
    c.a.vpshufd(d, s, imm(i.imm * 0x55));
  else if (i.imm == 0)
    i.esize ? c.a.vpbroadcastw(d, s) : c.a.vpbroadcastb(d, s);
  else
    c.a.vpshufb(d, s, shuffle_control(c, [=](unsigned k) { return first + k % lane; }));
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
  const unsigned to = unsigned(i.imm & 0xff), from = unsigned(i.imm >> 8), lane = 1u << i.esize;
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  if (i.esize == 2) return void(c.a.vinsertps(d, x, y, imm(from << 6 | to << 4)));
  if (i.esize == 3) {
    if (from == to) return void(c.a.vpblendd(d, x, y, imm(to ? 0b1100 : 0b0011)));
    return void(to ? c.a.vpunpcklqdq(d, x, y) : c.a.vpunpckhqdq(d, y, x));
  }
  Xmm moved = y;  // by whole bytes to its place
  if (from != to) c.a.vpalignr(kScratchXmm, y, y, imm((from - to) * lane & 15)), moved = kScratchXmm;
  if (i.esize == 1) return void(c.a.vpblendw(d, x, moved, imm(1u << to)));
  const u64 mask = u64{0xff} << to % 8 * 8;
  Xmm t = c.regs.temp_xmm();
  c.a.vmovdqa(t, c.constant(to < 8 ? mask : 0, to < 8 ? 0 : mask));
  c.a.vpblendvb(d, x, moved, t);
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
  if (i.imm && !Signed) {
    c.a.emit(kZip2[i.esize], d, s, zero_in(c, kScratchXmm));
    return;
  }
  if (i.imm) {
    c.a.vpsrldq(d, s, imm(8));
    s = d;
  }
  c.a.emit(kIds[i.esize], d, s);
}

void v_narrow(Compiler& c, const Inst& i) {
  Xmm s = c.regs.use_xmm(i.args[0]);
  c.a.vpshufb(c.regs.define_xmm(c.id()), s, gather_control(c, i.esize, false));
}

constexpr VectorRow kRows[] = {
    {Op::VReverse, v_reverse},
    {Op::VZip1, v_zip},
    {Op::VZip2, v_zip},
    {Op::VUzp1, v_unzip},
    {Op::VUzp2, v_unzip},
    {Op::VTrn1, v_transpose},
    {Op::VTrn2, v_transpose},
    {Op::VExtract, v_extract},
    {Op::VShuffle32, v_shuffle32},
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
};

}  // namespace

std::span<const VectorRow> vector_permute_emitters() { return kRows; }

}  // namespace sluice::tcg::x86_64
