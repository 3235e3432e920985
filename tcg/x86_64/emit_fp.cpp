// Floating point on AVX and FMA with Arm's results, for single and double precision without flush-to-zero.
//
// Where x86 and Arm differ the result says so: a NaN (which operand's, quiet or default, its sign), or, since
// Arm detects tininess before rounding and x86 after it, a result of exactly the smallest normal number.
// Those results are computed again by the op's meaning, out of line. Everything else is bit-exact in every
// rounding mode, and MXCSR's flags are FPSR's.
#include <array>

#include "base/bits.h"
#include "tcg/ir/eval.h"
#include "tcg/ir/fp_conversion.h"
#include "tcg/x86_64/compiler.h"

namespace sluice::tcg::x86_64 {

using asmjit::imm;
using ir::EvalFrame;
using ir::FpConversion;
using ir::Type;
namespace X = x86::Inst;
using Id = X::Id;

namespace {

// Packed and scalar forms for single and double.
struct FpIds {
  Id ss, sd, ps, pd;
  Id of(bool is_double, bool scalar) const { return scalar ? (is_double ? sd : ss) : (is_double ? pd : ps); }
};
constexpr FpIds kAdd = {X::kIdVaddss, X::kIdVaddsd, X::kIdVaddps, X::kIdVaddpd};
constexpr FpIds kSub = {X::kIdVsubss, X::kIdVsubsd, X::kIdVsubps, X::kIdVsubpd};
constexpr FpIds kMul = {X::kIdVmulss, X::kIdVmulsd, X::kIdVmulps, X::kIdVmulpd};
constexpr FpIds kDiv = {X::kIdVdivss, X::kIdVdivsd, X::kIdVdivps, X::kIdVdivpd};
constexpr FpIds kMax = {X::kIdVmaxss, X::kIdVmaxsd, X::kIdVmaxps, X::kIdVmaxpd};
constexpr FpIds kMin = {X::kIdVminss, X::kIdVminsd, X::kIdVminps, X::kIdVminpd};
constexpr FpIds kFma[4] = {  // by FMulAdd's imm: bit 0 negates the addend, bit 1 the product
    {X::kIdVfmadd231ss, X::kIdVfmadd231sd, X::kIdVfmadd231ps, X::kIdVfmadd231pd},
    {X::kIdVfmsub231ss, X::kIdVfmsub231sd, X::kIdVfmsub231ps, X::kIdVfmsub231pd},
    {X::kIdVfnmadd231ss, X::kIdVfnmadd231sd, X::kIdVfnmadd231ps, X::kIdVfnmadd231pd},
    {X::kIdVfnmsub231ss, X::kIdVfnmsub231sd, X::kIdVfnmsub231ps, X::kIdVfnmsub231pd}};

enum class Suspect : u8 { NaN, NaNOrMinNormal };

// The lanes that take part.
struct Shape {
  bool is_double, scalar, whole;
};

// False: half precision, or lanes that no emitter here handles.
bool shape_of(const Inst& i, Shape& s) {
  if (i.esize != 2 && i.esize != 3) return false;
  s = {i.esize == 3, i.aux == 1, (unsigned(i.aux) << i.esize) == 16};
  return s.scalar || s.whole || (i.esize == 2 && i.aux == 2);
}

// All bits above the lowest lane are known to be zero.
bool upper_is_zero(Compiler& c, ValueId v, unsigned esize) {
  const Inst& d = c.block().insts[v];
  switch (d.op) {
    case Op::LoadVec: return MemOp::unpack(d.imm).log2_size <= esize;
    case Op::VLowLane: return d.esize <= esize;
    case Op::VZeroUpper: return esize == 3;
    case Op::VFromInt: return esize == 3 || c.block().insts[d.args[0]].type == Type::I32;
    case Op::FAdd:
    case Op::FSub:
    case Op::FMul:
    case Op::FDiv:
    case Op::FSqrt:
    case Op::FMulAdd:
    case Op::FNeg:
    case Op::FAbs:
    case Op::FMax:
    case Op::FMin:
    case Op::FRoundInt:
    case Op::FFromInt: return (d.aux == 1 || d.op == Op::FFromInt) && d.esize <= esize;
    default: return false;
  }
}

void zero_above(Compiler& c, Xmm d, const Shape& s) {
  if (s.is_double || !s.scalar) {
    c.a.vmovq(d, d);
    return;
  }
  c.a.vxorps(kScratchXmm, kScratchXmm, kScratchXmm);
  c.a.vblendps(d, kScratchXmm, d, imm(1));
}

// Out of line: the op again, by its meaning. Every register is kept; the operands are still where they were.
void again_by_meaning(Compiler& c, const Inst& i, Label slow, Label done, std::array<Xmm, 3> operands,
                      Xmm d) {
  const Inst inst = i;
  c.cold([&c, inst, slow, done, operands, d] {
    auto frame = [](size_t offset, u32 size) { return x86::ptr(x86::rsp, i32(kFrameEval + offset), size); };
    c.a.bind(slow);
    for (unsigned k = 0; k < 3 && inst.args[k] != kNoValue; k++)
      c.a.vmovaps(frame(offsetof(EvalFrame, in) + k * sizeof(Vec), 16), operands[k]);
    auto store64 = [&](size_t offset, u64 v) {
      c.a.mov(frame(offset, 4), imm(u32(v)));
      c.a.mov(frame(offset + 4, 4), imm(u32(v >> 32)));
    };
    store64(offsetof(EvalFrame, imm), inst.imm);
    store64(offsetof(EvalFrame, out),
            u64(ir::meaning(inst.op).vector));  // the thunk calls what it finds there
    c.a.mov(frame(offsetof(EvalFrame, esize), 1), imm(inst.esize));
    c.a.mov(frame(offsetof(EvalFrame, aux), 1), imm(inst.aux));
    c.a.mov(frame(offsetof(EvalFrame, bits), 1), imm(64));
    c.a.call(imm(u64(c.thunks().evaluate)));
    c.a.vmovaps(d, frame(offsetof(EvalFrame, out), 16));
    c.a.jmp(done);
  });
}

// Jumps to `slow` when a lane of d is suspect. Lanes that do not take part are zero or harmless.
void check(Compiler& c, Xmm d, const Shape& s, Suspect what, Label slow) {
  const FpConstants& k = *c.thunks().constants;
  auto at = [](const u64* p) { return x86::ptr(u64(p), 16); };
  Mem abs = at(s.is_double ? k.abs64 : k.abs32), min = at(s.is_double ? k.min_normal64 : k.min_normal32);
  if (s.scalar) {
    if (what == Suspect::NaN) {
      s.is_double ? c.a.vucomisd(d, d) : c.a.vucomiss(d, d);
      c.a.jp(slow);
      return;
    }
    c.a.vandps(kScratchXmm, d, abs);
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
    c.a.vandps(kScratchXmm, d, abs);
    s.is_double ? c.a.vcmppd(kScratchXmm, kScratchXmm, min, imm(kEqualOrUnordered))
                : c.a.vcmpps(kScratchXmm, kScratchXmm, min, imm(kEqualOrUnordered));
  }
  c.a.vptest(kScratchXmm, kScratchXmm);
  c.a.jnz(slow);
}

// An operand of a 64-bit vector form with zeros above, so that nothing is raised there.
Xmm lower_half(Compiler& c, Xmm x) {
  Xmm t = c.regs.temp_xmm();
  c.a.vmovq(t, x);
  return t;
}

void binary(Compiler& c, const Inst& i, const FpIds& ids, Suspect what) {
  Shape s;
  if (!shape_of(i, s) || (i.op == Op::FDiv && !s.scalar && !s.whole)) return c.emit_by_meaning(i);
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm p = x, q = y;
  if (!s.scalar && !s.whole) p = lower_half(c, x), q = lower_half(c, y);
  bool clean = !s.scalar || upper_is_zero(c, i.args[0], i.esize);
  // The upper lanes of a scalar result come from the first operand; NaNs, where the order counts, are
  // computed again.
  if (!clean && (ir::info(i.op).name == "FAdd" || ir::info(i.op).name == "FMul") &&
      upper_is_zero(c, i.args[1], i.esize))
    std::swap(p, q), clean = true;
  Xmm d = c.regs.define_xmm(c.id());
  Label slow = c.a.newLabel(), done = c.a.newLabel();
  c.a.emit(ids.of(s.is_double, s.scalar), d, p, q);
  // 0 - 0 is -0 when rounding toward minus infinity: in the lanes that do not take part, too.
  bool half = !s.scalar && !s.whole;
  if (!clean || (half && i.op == Op::FSub)) zero_above(c, d, s);
  check(c, d, s, what, slow);
  c.a.bind(done);
  again_by_meaning(c, i, slow, done, {x, y, Xmm()}, d);
}

// Sums are never tiny and inexact: only NaNs are suspect.
void f_add(Compiler& c, const Inst& i) { binary(c, i, kAdd, Suspect::NaN); }
void f_sub(Compiler& c, const Inst& i) { binary(c, i, kSub, Suspect::NaN); }
void f_mul(Compiler& c, const Inst& i) { binary(c, i, kMul, Suspect::NaNOrMinNormal); }
void f_div(Compiler& c, const Inst& i) { binary(c, i, kDiv, Suspect::NaNOrMinNormal); }

void f_sqrt(Compiler& c, const Inst& i) {
  Shape s;
  if (!shape_of(i, s)) return c.emit_by_meaning(i);
  Xmm x = c.regs.use_xmm(i.args[0]);
  Xmm p = s.scalar || s.whole ? x : lower_half(c, x);
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
  Shape s;
  if (!shape_of(i, s) || i.imm > 3) return c.emit_by_meaning(i);
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]), z = c.regs.use_xmm(i.args[2]);
  Xmm q = y, r = z;
  bool half = !s.scalar && !s.whole;
  if (half) q = lower_half(c, y), r = lower_half(c, z);
  Xmm d = c.regs.define_xmm(c.id());
  Label slow = c.a.newLabel(), done = c.a.newLabel();
  half ? c.a.vmovq(d, x) : c.a.vmovaps(d, x);
  c.a.emit(kFma[i.imm].of(s.is_double, s.scalar), d, q, r);
  if (half ? i.imm != 0 : s.scalar && !upper_is_zero(c, i.args[0], i.esize))
    zero_above(c, d, s);  // see binary()
  check(c, d, s, Suspect::NaNOrMinNormal, slow);
  c.a.bind(done);
  again_by_meaning(c, i, slow, done, {x, y, z}, d);
}

// x86 gives the second operand for equal zeros: both orders, joined, are Arm's answer.
void extremum(Compiler& c, const Inst& i, const FpIds& ids, bool is_max) {
  Shape s;
  if (!shape_of(i, s) || (!s.scalar && !s.whole)) return c.emit_by_meaning(i);
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id()), t = c.regs.temp_xmm();
  Label slow = c.a.newLabel(), done = c.a.newLabel();
  // A NaN in either operand, before anything else, since max and min would drop it.
  if (s.scalar) {
    s.is_double ? c.a.vucomisd(x, y) : c.a.vucomiss(x, y);
    c.a.jp(slow);
  } else {
    s.is_double ? c.a.vcmppd(d, x, y, imm(3)) : c.a.vcmpps(d, x, y, imm(3));
    c.a.vptest(d, d);
    c.a.jnz(slow);
  }
  Id id = ids.of(s.is_double, s.scalar);
  c.a.emit(id, d, x, y);
  c.a.emit(id, t, y, x);
  is_max ? c.a.vandps(d, d, t) : c.a.vorps(d, d, t);
  if (s.scalar) zero_above(c, d, s);
  c.a.bind(done);
  again_by_meaning(c, i, slow, done, {x, y, Xmm()}, d);
}
void f_max(Compiler& c, const Inst& i) { extremum(c, i, kMax, true); }
void f_min(Compiler& c, const Inst& i) { extremum(c, i, kMin, false); }

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
  bool all = (unsigned(i.aux) << i.esize) == 16;
  if (negate) {
    c.a.vpxor(d, x, c.constant(flip[0], flip[1]));
    if (all || (i.aux == 1 && upper_is_zero(c, i.args[0], i.esize))) return;
    x = d;
  }
  c.a.vpand(d, x, c.constant(keep[0], keep[1]));
}
void f_neg(Compiler& c, const Inst& i) { sign_bits(c, i, true); }
void f_abs(Compiler& c, const Inst& i) { sign_bits(c, i, false); }

// --- Comparisons ---

// ZF:PF:CF of (U)COMISx -> Flags. The four outcomes index a table by AH's bits 6, 2 and 0.
void f_compare(Compiler& c, const Inst& i) {
  if (i.esize != 2 && i.esize != 3) return c.emit_by_meaning(i);
  c.regs.take(x86::rax);
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Gp table = c.regs.temp();
  bool d = i.esize == 3;
  if (i.imm & 1)
    d ? c.a.vcomisd(x, y) : c.a.vcomiss(x, y);
  else
    d ? c.a.vucomisd(x, y) : c.a.vucomiss(x, y);
  c.a.lahf();
  c.a.lea(table, x86::ptr(u64(c.thunks().constants->compare_flags)));
  c.a.movzx(x86::eax, x86::ah);
  c.a.and_(x86::eax, imm(0x45));
  c.a.movzx(x86::eax, x86::word_ptr(table, x86::rax, 1));
  c.regs.define_in(c.id(), x86::rax);
}

void compare_mask(Compiler& c, const Inst& i, int predicate) {
  Shape s;
  if (!shape_of(i, s) || i.imm) return c.emit_by_meaning(i);
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm p = x, q = y;
  if (!s.scalar && !s.whole) p = lower_half(c, x), q = lower_half(c, y);
  Xmm d = c.regs.define_xmm(c.id());
  if (s.scalar)
    s.is_double ? c.a.vcmpsd(d, p, q, imm(predicate)) : c.a.vcmpss(d, p, q, imm(predicate));
  else
    s.is_double ? c.a.vcmppd(d, p, q, imm(predicate)) : c.a.vcmpps(d, p, q, imm(predicate));
  if (!s.whole) zero_above(c, d, s);
}
void f_cmp_eq(Compiler& c, const Inst& i) { compare_mask(c, i, 0x00); }  // EQ_OQ
void f_cmp_ge(Compiler& c, const Inst& i) { compare_mask(c, i, 0x0d); }  // GE_OS
void f_cmp_gt(Compiler& c, const Inst& i) { compare_mask(c, i, 0x0e); }  // GT_OS

// --- Conversions ---

void f_round_int(Compiler& c, const Inst& i) {
  Shape s;
  FpConversion conv = FpConversion::unpack(i.imm);
  if (!shape_of(i, s) || conv.rounding == FpConversion::kTieAway || (!s.scalar && !s.whole))
    return c.emit_by_meaning(i);
  constexpr u8 kModes[] = {0, 2, 1, 3};  // Arm's RMode -> x86's
  int control = (conv.rounding == FpConversion::kFpcr ? 4 : kModes[conv.rounding]) | (conv.exact ? 0 : 8);
  Xmm x = c.regs.use_xmm(i.args[0]);
  Xmm d = c.regs.define_xmm(c.id());
  Label slow = c.a.newLabel(), done = c.a.newLabel();
  if (s.scalar) {
    s.is_double ? c.a.vroundsd(d, x, x, imm(control)) : c.a.vroundss(d, x, x, imm(control));
    if (!upper_is_zero(c, i.args[0], i.esize)) zero_above(c, d, s);
  } else {
    s.is_double ? c.a.vroundpd(d, x, imm(control)) : c.a.vroundps(d, x, imm(control));
  }
  check(c, d, s, Suspect::NaN, slow);
  c.a.bind(done);
  again_by_meaning(c, i, slow, done, {x, Xmm(), Xmm()}, d);
}

// FCVTZS to a general register: x86 answers everything that does not fit with the smallest integer.
void f_to_int(Compiler& c, const Inst& i) {
  FpConversion conv = FpConversion::unpack(i.imm);
  bool simple =
      conv.rounding == 3 && !conv.is_unsigned && conv.fbits == 0 && (conv.size == 32 || conv.size == 64);
  if (!simple || (i.esize != 2 && i.esize != 3)) return c.emit_by_meaning(i);
  Xmm x = c.regs.use_xmm(i.args[0]);
  Gp d = c.regs.define(c.id());
  Gp sized = conv.size == 64 ? Gp(d.r64()) : Gp(d.r32());
  Label slow = c.a.newLabel(), done = c.a.newLabel();
  i.esize == 3 ? c.a.vcvttsd2si(sized, x) : c.a.vcvttss2si(sized, x);
  c.a.cmp(sized, imm(1));
  c.a.jo(slow);  // only the smallest integer minus one overflows
  c.a.bind(done);
  const Inst inst = i;
  c.cold([&c, inst, slow, done, x, d] {
    Label back = c.a.newLabel();
    again_by_meaning(c, inst, slow, back, {x, Xmm(), Xmm()}, kScratchXmm);
    c.cold([&c, back, done, d] {
      c.a.bind(back);
      c.a.vmovq(d.r64(), kScratchXmm);
      c.a.jmp(done);
    });
  });
}

void f_from_int(Compiler& c, const Inst& i) {
  FpConversion conv = FpConversion::unpack(i.imm);
  bool simple = conv.fbits == 0 && conv.rounding == FpConversion::kFpcr &&
                (conv.size == 32 || (conv.size == 64 && !conv.is_unsigned));
  if (!simple || (i.esize != 2 && i.esize != 3)) return c.emit_by_meaning(i);
  Gp s = c.regs.use(i.args[0]);
  Xmm d = c.regs.define_xmm(c.id());
  Gp from = conv.size == 32 && !conv.is_unsigned ? Gp(s.r32()) : Gp(s.r64());
  if (conv.size == 32 && conv.is_unsigned) {  // as the 64-bit number it is when it is zero-extended
    from = c.regs.temp();
    c.a.mov(from.r32(), s.r32());
  }
  c.a.vxorps(d, d, d);
  i.esize == 3 ? c.a.vcvtsi2sd(d, d, from) : c.a.vcvtsi2ss(d, d, from);
}

// Scalar single <-> double.
void f_convert(Compiler& c, const Inst& i) {
  bool widen = i.esize == 2 && i.imm == 3, narrow = i.esize == 3 && i.imm == 2;
  if (i.aux != 1 || (!widen && !narrow)) return c.emit_by_meaning(i);
  Xmm x = c.regs.use_xmm(i.args[0]);
  Xmm d = c.regs.define_xmm(c.id());
  Label slow = c.a.newLabel(), done = c.a.newLabel();
  c.a.vxorps(kScratchXmm, kScratchXmm, kScratchXmm);
  widen ? c.a.vcvtss2sd(d, kScratchXmm, x) : c.a.vcvtsd2ss(d, kScratchXmm, x);
  check(c, d, {widen, true, false}, widen ? Suspect::NaN : Suspect::NaNOrMinNormal, slow);
  c.a.bind(done);
  again_by_meaning(c, i, slow, done, {x, Xmm(), Xmm()}, d);
}

struct Row {
  Op op;
  VectorEmitter emit;
};
constexpr Row kEmitters[] = {
    {Op::FAdd, f_add},
    {Op::FSub, f_sub},
    {Op::FMul, f_mul},
    {Op::FDiv, f_div},
    {Op::FSqrt, f_sqrt},
    {Op::FMulAdd, f_mul_add},
    {Op::FMax, f_max},
    {Op::FMin, f_min},
    {Op::FMaxNum, f_max},
    {Op::FMinNum, f_min},
    {Op::FNeg, f_neg},
    {Op::FAbs, f_abs},
    {Op::FCompare, f_compare},
    {Op::FCmpEq, f_cmp_eq},
    {Op::FCmpGe, f_cmp_ge},
    {Op::FCmpGt, f_cmp_gt},
    {Op::FRoundInt, f_round_int},
    {Op::FToInt, f_to_int},
    {Op::FFromInt, f_from_int},
    {Op::FConvert, f_convert},
};

constexpr auto kByOp = [] {
  std::array<VectorEmitter, ir::kOpCount> table{};
  for (const Row& row : kEmitters) table[unsigned(row.op)] = row.emit;
  return table;
}();

}  // namespace

VectorEmitter fp_emitter(Op op) { return kByOp[unsigned(op)]; }

}  // namespace sluice::tcg::x86_64
