// Vector ops that saturate. The common case is checked inline; FPSR.QC is set, and where the host has no
// saturating instruction the lanes are repaired, behind the block. Operands are cleared above the lanes that
// take part: zeros do not saturate.
#include "tcg/ir/saturation.h"
#include "tcg/x86_64/emit_vector.h"

namespace sluice::tcg::x86_64 {
namespace {

// Flags say whether a lane has saturated (non-zero): sets QC, after `repair`.
template <class F>
void when_saturated(Compiler& c, CondCode saturated, F repair) {
  Label cold = c.a.newLabel(), done = c.a.newLabel();
  c.a.j(saturated, cold);
  c.a.bind(done);
  c.cold([&c, cold, done, repair] {
    c.a.bind(cold);
    c.a.or_(state_field(offsetof(ExecState, fpsr), 4), imm(ir::kFpsrQc));
    repair();
    c.a.jmp(done);
  });
}
void when_saturated(Compiler& c) {
  when_saturated(c, CondCode::kNZ, [] {});
}
// The bits of t say which lanes have.
void when_any_bit(Compiler& c, Xmm t) {
  c.a.vptest(t, t);
  when_saturated(c);
}

// d = the largest number of the sign of x, in lanes where the sign of `where` is set. Clobbers scratch.
void saturate_signed(Compiler& c, Xmm d, Xmm x, Xmm where, unsigned esize) {
  c.a.emit(kGreater[esize], kScratchXmm, zero_in(c, kScratchXmm), x);
  c.a.vpxor(kScratchXmm, kScratchXmm, lanes_of(c, ones((8u << esize) - 1), esize));
  esize == 2 ? c.a.vblendvps(d, d, kScratchXmm, where) : c.a.vblendvpd(d, d, kScratchXmm, where);
}

constexpr std::array<Id, 2> kAddSaturate[] = {{X::kIdVpaddusb, X::kIdVpaddusw},
                                              {X::kIdVpaddsb, X::kIdVpaddsw}};
constexpr std::array<Id, 2> kSubSaturate[] = {{X::kIdVpsubusb, X::kIdVpsubusw},
                                              {X::kIdVpsubsb, X::kIdVpsubsw}};

// Bytes and words: saturated unless equal to the sum modulo the lane.
void small_sum(Compiler& c, const Inst& i, Xmm x, Xmm y, bool subtract, bool is_signed) {
  Xmm d = c.regs.define_xmm(c.id());
  c.a.emit((subtract ? kSubSaturate : kAddSaturate)[is_signed][i.esize], d, x, y);
  c.a.emit((subtract ? kSub : kAdd)[i.esize], kScratchXmm, x, y);
  c.a.vpxor(kScratchXmm, kScratchXmm, d);
  when_any_bit(c, kScratchXmm);
}
// Overflow: operands of the same sign (of different ones, to subtract) and a result of another.
void signed_sum(Compiler& c, const Inst& i, Xmm x, Xmm y, bool subtract) {
  Xmm d = c.regs.define_xmm(c.id()), t = c.regs.temp_xmm();
  c.a.emit((subtract ? kSub : kAdd)[i.esize], d, x, y);
  c.a.vpxor(t, x, d);
  c.a.vpxor(kScratchXmm, subtract ? x : d, y);
  c.a.vpand(t, t, kScratchXmm);
  i.esize == 2 ? c.a.vtestps(t, t) : c.a.vtestpd(t, t);
  const unsigned esize = i.esize;
  when_saturated(c, CondCode::kNZ, [&c, d, x, t, esize] { saturate_signed(c, d, x, t, esize); });
}
// t = ones where the sum is less than x, or where x is less than y.
void unsigned_sum(Compiler& c, const Inst& i, Xmm x, Xmm y, bool subtract) {
  Xmm d = c.regs.define_xmm(c.id()), t = c.regs.temp_xmm();
  c.a.emit((subtract ? kSub : kAdd)[i.esize], d, x, y);
  Mem sign = lanes_of(c, sign_bit(i.esize), i.esize);
  c.a.vpxor(t, subtract ? y : x, sign);
  c.a.vpxor(kScratchXmm, subtract ? x : d, sign);
  c.a.emit(kGreater[i.esize], t, t, kScratchXmm);
  subtract ? c.a.vpandn(d, t, d) : c.a.vpor(d, d, t);
  when_any_bit(c, t);
}
template <bool Subtract, bool Signed>
void v_sum(Compiler& c, const Inst& i) {
  Xmm x = use_counted(c, i, 0), y = use_counted(c, i, 1);
  if (i.esize < 2) return small_sum(c, i, x, y, Subtract, Signed);
  Signed ? signed_sum(c, i, x, y, Subtract) : unsigned_sum(c, i, x, y, Subtract);
}

// Only the smallest number has no negative.
template <bool Absolute>
void v_negative(Compiler& c, const Inst& i) {
  static constexpr ByLane kAbs = {X::kIdVpabsb, X::kIdVpabsw, X::kIdVpabsd, kNone};
  Xmm x = use_counted(c, i, 0);
  Xmm d = c.regs.define_xmm(c.id()), t = c.regs.temp_xmm();
  c.a.emit(kEqual[i.esize], t, x, lanes_of(c, sign_bit(i.esize), i.esize));
  if (!Absolute) {
    c.a.emit(kSub[i.esize], d, zero_in(c, kScratchXmm), x);
  } else if (i.esize < 3) {
    c.a.emit(kAbs[i.esize], d, x);
  } else {
    c.a.vpcmpgtq(kScratchXmm, zero_in(c, kScratchXmm), x);
    c.a.vpxor(d, x, kScratchXmm);
    c.a.vpsubq(d, d, kScratchXmm);
  }
  c.a.vpxor(d, d, t);  // 100.. -> 011..
  when_any_bit(c, t);
}

// --- Narrowing: esize is that of the result ---

// Packed, and extended again: saturated unless equal to the operand.
void v_signed_narrow(Compiler& c, const Inst& i) {
  const bool to_unsigned = i.op == Op::VSqUNarrow;
  if (i.esize == 2) return c.emit_by_meaning(i);
  Xmm x = c.regs.use_xmm(i.args[0]);
  Xmm d = c.regs.define_xmm(c.id()), t = c.regs.temp_xmm();
  const unsigned bytes = unsigned(i.aux) << (i.esize + 1);
  if (bytes < 16) keep_low(c, d, x, bytes), x = d;
  constexpr Id kPack[2][2] = {{X::kIdVpacksswb, X::kIdVpackssdw}, {X::kIdVpackuswb, X::kIdVpackusdw}};
  constexpr Id kExtend[2][2] = {{X::kIdVpmovsxbw, X::kIdVpmovsxwd}, {X::kIdVpmovzxbw, X::kIdVpmovzxwd}};
  zero_in(c, kScratchXmm);
  c.a.emit(kPack[to_unsigned][i.esize], t, x, kScratchXmm);
  c.a.emit(kExtend[to_unsigned][i.esize], kScratchXmm, t);
  c.a.vpxor(kScratchXmm, kScratchXmm, x);
  c.a.vmovdqa(d, t);
  when_any_bit(c, kScratchXmm);
}
// The host packs signed numbers: they are cut down first.
void v_unsigned_narrow(Compiler& c, const Inst& i) {
  if (i.esize == 2) return c.emit_by_meaning(i);
  Xmm x = c.regs.use_xmm(i.args[0]);
  Xmm d = c.regs.define_xmm(c.id()), t = c.regs.temp_xmm();
  const unsigned bytes = unsigned(i.aux) << (i.esize + 1);
  if (bytes < 16) keep_low(c, d, x, bytes), x = d;
  c.a.emit(kUMin[i.esize + 1], t, x, lanes_of(c, ones(8u << i.esize), i.esize + 1u));
  c.a.vpxor(kScratchXmm, x, t);
  c.a.vptest(kScratchXmm, kScratchXmm);
  zero_in(c, kScratchXmm);
  i.esize ? c.a.vpackusdw(d, t, kScratchXmm) : c.a.vpackuswb(d, t, kScratchXmm);
  when_saturated(c);
}

// --- Doubling products: only the smallest number squared saturates, and becomes itself modulo the lane ---

// Lanes of d that are 100..: saturated to 011...
void saturate_square(Compiler& c, Xmm d, unsigned esize) {
  c.a.emit(kEqual[esize], kScratchXmm, d, lanes_of(c, sign_bit(esize), esize));
  c.a.vpxor(d, d, kScratchXmm);
  when_any_bit(c, kScratchXmm);
}
template <bool Rounding>
void v_doubling_high(Compiler& c, const Inst& i) {
  Xmm x = use_counted(c, i, 0), y = use_counted(c, i, 1);
  Xmm d = c.regs.define_xmm(c.id());
  if (i.esize == 1 && Rounding) {
    c.a.vpmulhrsw(d, x, y);
  } else if (i.esize == 1) {
    c.a.vpmulhw(d, x, y);
    c.a.vpmullw(kScratchXmm, x, y);
    c.a.vpaddw(d, d, d);
    c.a.vpsrlw(kScratchXmm, kScratchXmm, imm(15));
    c.a.vpor(d, d, kScratchXmm);
  } else {  // the high halves of doubled 64-bit products
    Xmm odd = c.regs.temp_xmm();
    c.a.vpsrlq(odd, x, imm(32));
    c.a.vpsrlq(kScratchXmm, y, imm(32));
    c.a.vpmuldq(odd, odd, kScratchXmm);
    c.a.vpmuldq(kScratchXmm, x, y);
    if (Rounding) {
      Mem half = c.constant(u64{1} << 30);
      c.a.vpaddq(odd, odd, half);
      c.a.vpaddq(kScratchXmm, kScratchXmm, half);
    }
    c.a.vpaddq(odd, odd, odd);
    c.a.vpsrlq(kScratchXmm, kScratchXmm, imm(31));
    c.a.vpblendd(d, kScratchXmm, odd, imm(0b1010));
  }
  saturate_square(c, d, i.esize);
}

void v_doubling_long(Compiler& c, const Inst& i) {
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  if (i.esize == 1) {
    c.a.vpmullw(kScratchXmm, x, y);
    c.a.vpmulhw(d, x, y);
    i.imm ? c.a.vpunpckhwd(d, kScratchXmm, d) : c.a.vpunpcklwd(d, kScratchXmm, d);
    c.a.vpaddd(d, d, d);
  } else {
    const int lanes = i.imm ? 0x32 : 0x10;  // the two to the even places
    c.a.vpshufd(kScratchXmm, x, imm(lanes));
    c.a.vpshufd(d, y, imm(lanes));
    c.a.vpmuldq(d, d, kScratchXmm);
    c.a.vpaddq(d, d, d);
  }
  if (const unsigned bytes = unsigned(i.aux) << (i.esize + 1); bytes < 16) keep_low(c, d, d, bytes);
  saturate_square(c, d, i.esize + 1u);
}

constexpr VectorRow kRows[] = {
    {Op::VSqAdd, v_sum<false, true>},          {Op::VUqAdd, v_sum<false, false>},
    {Op::VSqSub, v_sum<true, true>},           {Op::VUqSub, v_sum<true, false>},
    {Op::VSqNeg, v_negative<false>},           {Op::VSqAbs, v_negative<true>},
    {Op::VSqNarrow, v_signed_narrow},          {Op::VSqUNarrow, v_signed_narrow},
    {Op::VUqNarrow, v_unsigned_narrow},        {Op::VSqDMulHigh, v_doubling_high<false>},
    {Op::VSqRDMulHigh, v_doubling_high<true>}, {Op::VSqDMulLong, v_doubling_long},
};

}  // namespace

std::span<const VectorRow> vector_saturating_emitters() { return kRows; }

}  // namespace sluice::tcg::x86_64
