// Floating point: conversions, and rounding to integers.
#include "tcg/x86_64/emit_fp.h"

namespace sluice::tcg::x86_64 {
namespace {

constexpr u8 kToZero = 3;

// ROUNDxx's control for a rounding mode: as MXCSR says, or its own. With kQuietly it raises nothing.
constexpr int kQuietly = 8;
int round_control(u8 rounding) {
  constexpr u8 kModes[] = {0, 2, 1, 3};  // Arm's RMode -> x86's
  return rounding == FpConversion::kFpcr ? 4 : kModes[rounding];
}
void round_lanes(Compiler& c, Xmm d, Xmm s, const FpShape& shape, int control) {
  if (shape.scalar)
    shape.is_double ? c.a.vroundsd(d, s, s, imm(control)) : c.a.vroundss(d, s, s, imm(control));
  else
    shape.is_double ? c.a.vroundpd(d, s, imm(control)) : c.a.vroundps(d, s, imm(control));
}

// d = x rounded to the nearest integer, ties away from zero; raises nothing for numbers below the size at
// which all are integers. Clobbers t and scratch.
void round_ties_away(Compiler& c, Xmm d, Xmm x, Xmm t, const FpShape& s) {
  round_lanes(c, d, x, s, kToZero | kQuietly);
  const bool dbl = s.is_double;
  if (s.scalar)
    dbl ? c.a.vsubsd(t, x, d) : c.a.vsubss(t, x, d);
  else
    dbl ? c.a.vsubpd(t, x, d) : c.a.vsubps(t, x, d);
  c.a.vandps(t, t, fp_abs_mask(c, s));
  Mem half = fp_lanes(c, s, 0x3f000000, 0x3fe0000000000000);
  constexpr FpIds kCompare = {X::kIdVcmpss, X::kIdVcmpsd, X::kIdVcmpps, X::kIdVcmppd};
  constexpr int kNotLess = 5;
  half.setSize(s.scalar ? (dbl ? 8 : 4) : 16);
  c.a.emit(kCompare.of(dbl, s.scalar), t, t, half, imm(kNotLess));
  c.a.vandps(t, t, fp_lanes(c, s, 0x3f800000, 0x3ff0000000000000));
  // One, or zero, of the sign of x: adding it keeps the sign of a zero.
  c.a.vandps(kScratchXmm, x, fp_lanes(c, s, 0x80000000, u64{1} << 63));
  c.a.vorps(t, t, kScratchXmm);
  if (s.scalar)
    dbl ? c.a.vaddsd(d, d, t) : c.a.vaddss(d, d, t);
  else
    dbl ? c.a.vaddpd(d, d, t) : c.a.vaddps(d, d, t);
}
// Jumps to `slow` unless every lane is below the size at which all numbers are integers.
void large_are_slow(Compiler& c, Xmm x, const FpShape& s, Label slow) {
  constexpr int kNotLessQuiet = 0x15;
  Mem limit = fp_lanes(c, s, 0x4b000000, 0x4330000000000000);
  c.a.vandps(kScratchXmm, x, fp_abs_mask(c, s));
  if (s.scalar) {
    s.is_double ? c.a.vucomisd(kScratchXmm, limit) : c.a.vucomiss(kScratchXmm, limit);
    c.a.jae(slow);
    c.a.jp(slow);
    return;
  }
  s.is_double ? c.a.vcmppd(kScratchXmm, kScratchXmm, limit, imm(kNotLessQuiet))
              : c.a.vcmpps(kScratchXmm, kScratchXmm, limit, imm(kNotLessQuiet));
  when_scratch(c, slow);
}

void f_round_int(Compiler& c, const Inst& i) {
  FpShape s;
  FpConversion conv = FpConversion::unpack(i.imm);
  if (!fp_shape(i, s)) return c.emit_by_meaning(i);
  Xmm x = c.regs.use_xmm(i.args[0]);
  Xmm p = s.half() ? use_fp_lanes(c, i, 0, s) : x;
  Xmm d = c.regs.define_xmm(c.id());
  Label slow = c.a.newLabel(), done = c.a.newLabel();
  if (conv.rounding == FpConversion::kTieAway) {
    Xmm t = c.regs.temp_xmm();
    large_are_slow(c, p, s, slow);
    round_ties_away(c, d, p, t, s);
  } else {
    round_lanes(c, d, p, s, round_control(conv.rounding) | (conv.exact ? 0 : kQuietly));
  }
  if (s.scalar && !upper_is_zero(c, i.args[0], i.esize)) zero_above(c, d, s);
  if (conv.rounding != FpConversion::kTieAway) check(c, d, s, Suspect::NaN, slow);
  c.a.bind(done);
  again_by_meaning(c, i, slow, done, {x, Xmm(), Xmm()}, d);
}

// --- To integers in general registers ---

// x, rounded as asked for unless that is toward zero, in p or where it was. What is rounded here raises no
// Inexact: that is for raise_inexact, when the result is known to fit.
Xmm rounded_quietly(Compiler& c, Xmm x, FpConversion conv, const FpShape& s, Label slow) {
  if (conv.rounding == kToZero) return x;
  Xmm p = c.regs.temp_xmm();
  if (conv.rounding == FpConversion::kTieAway) {
    Xmm t = c.regs.temp_xmm();
    large_are_slow(c, x, s, slow);
    round_ties_away(c, p, x, t, s);
  } else {
    round_lanes(c, p, x, s, round_control(conv.rounding) | kQuietly);
  }
  return p;
}
void raise_inexact(Compiler& c, Xmm x, FpConversion conv, const FpShape& s) {
  if (conv.rounding == kToZero) return;
  round_lanes(c, kScratchXmm, x, s, kToZero);  // any mode raises it
}
void convert_to_zero(Compiler& c, Gp d, Xmm x, bool is_double) {
  is_double ? c.a.vcvttsd2si(d, x) : c.a.vcvttss2si(d, x);
}

// x86 answers everything that does not fit with the smallest integer: only that minus one overflows.
void signed_to_int(Compiler& c, Gp d, Xmm x, bool is_double, Label slow) {
  convert_to_zero(c, d, x, is_double);
  c.a.cmp(d, imm(1));
  c.a.jo(slow);
}
// Into a 64-bit register: what is between -1 and 2^32, or what is below 2^63. Others are refused before x86
// could find them inexact; 2^63 and more are rare.
void unsigned_to_int(Compiler& c, Gp d, Xmm x, const FpShape& s, u8 size, Label slow) {
  Mem minus_one = fp_lanes(c, s, 0xbf800000, 0xbff0000000000000),
      limit = size == 32 ? fp_lanes(c, s, 0x4f800000, 0x41f0000000000000)
                         : fp_lanes(c, s, 0x5f000000, 0x43e0000000000000);
  auto compare = [&](Mem with) { s.is_double ? c.a.vucomisd(x, with) : c.a.vucomiss(x, with); };
  compare(minus_one);
  c.a.jbe(slow);  // or unordered
  compare(limit);
  c.a.jae(slow);
  convert_to_zero(c, d.r64(), x, s.is_double);
}

void f_to_int(Compiler& c, const Inst& i) {
  FpConversion conv = FpConversion::unpack(i.imm);
  const bool known_size = conv.size == 32 || conv.size == 64;
  if (conv.fbits || !known_size || (i.esize != 2 && i.esize != 3) || conv.rounding == FpConversion::kFpcr)
    return c.emit_by_meaning(i);
  const FpShape s{i.esize == 3, true, false};
  Xmm x = c.regs.use_xmm(i.args[0]);
  Gp d = c.regs.define(c.id());
  Label slow = c.a.newLabel(), done = c.a.newLabel();
  Xmm p = rounded_quietly(c, x, conv, s, slow);
  if (conv.is_unsigned)
    unsigned_to_int(c, d, p, s, conv.size, slow);
  else
    signed_to_int(c, conv.size == 64 ? Gp(d.r64()) : Gp(d.r32()), p, s.is_double, slow);
  raise_inexact(c, x, conv, s);
  c.a.bind(done);
  again_by_meaning(c, i, slow, done, x, d);
}

// --- From integers in general registers ---

void f_from_int(Compiler& c, const Inst& i) {
  FpConversion conv = FpConversion::unpack(i.imm);
  const bool known_size = conv.size == 32 || conv.size == 64,
             unsigned64 = conv.is_unsigned && conv.size == 64;
  if (!known_size || conv.rounding != FpConversion::kFpcr || (i.esize != 2 && i.esize != 3) ||
      (unsigned64 && !c.host().avx512))
    return c.emit_by_meaning(i);
  const bool dbl = i.esize == 3;
  Gp s = c.regs.use(i.args[0]);
  Xmm d = c.regs.define_xmm(c.id());
  Gp from = conv.size == 32 && !conv.is_unsigned ? Gp(s.r32()) : Gp(s.r64());
  if (conv.size == 32 && conv.is_unsigned) {  // as the 64-bit number it is when it is zero-extended
    from = c.regs.temp();
    c.a.mov(from.r32(), s.r32());
  }
  c.a.vxorps(d, d, d);
  if (unsigned64)
    dbl ? c.a.vcvtusi2sd(d, d, from) : c.a.vcvtusi2ss(d, d, from);
  else
    dbl ? c.a.vcvtsi2sd(d, d, from) : c.a.vcvtsi2ss(d, d, from);
  if (!conv.fbits) return;
  // Times a power of two: exact.
  const FpShape shape{dbl, true, false};
  Mem scale = fp_lanes(c, shape, u64{127u - conv.fbits} << 23, u64{1023u - conv.fbits} << 52);
  dbl ? c.a.vmulsd(d, d, scale) : c.a.vmulss(d, d, scale);
}

// --- Lanes to and from integers of their size ---

// Unsigned, without AVX-512: what is from 0 to below half the range is as the signed number; the bits of all
// others are larger, as unsigned integers.
void outside_signed_range(Compiler& c, Xmm x, Xmm t, Label slow) {
  c.a.vpxor(kScratchXmm, x, c.constant(0x8000000080000000));
  c.a.vmovdqa(t, c.constant(0xceffffffceffffff));  // the largest float below 2^31, its sign inverted
  c.a.vpcmpgtd(kScratchXmm, kScratchXmm, t);
  when_scratch(c, slow);
}
void f_to_fixed(Compiler& c, const Inst& i) {
  FpShape s;
  FpConversion conv = FpConversion::unpack(i.imm);
  const bool avx512 = c.host().avx512;
  if (!fp_shape(i, s) || conv.fbits || conv.rounding == FpConversion::kFpcr || (s.is_double && !avx512))
    return c.emit_by_meaning(i);
  Xmm x = c.regs.use_xmm(i.args[0]);
  Xmm p = use_fp_lanes(c, i, 0, s);
  const FpShape vector{s.is_double, false, true};
  Xmm d = c.regs.define_xmm(c.id()), t = c.regs.temp_xmm();
  Label slow = c.a.newLabel(), done = c.a.newLabel();
  const bool by_sign = conv.is_unsigned && !avx512;
  if (by_sign) outside_signed_range(c, p, t, slow);
  // Numbers out of range have no fraction, but for negative ones as unsigned: their Inexact must not be
  // raised before it is known that they round to zero.
  Xmm r = rounded_quietly(c, p, conv, vector, slow);
  if (conv.is_unsigned)
    s.is_double ? c.a.vcvttpd2uqq(d, r) : avx512 ? c.a.vcvttps2udq(d, r) : c.a.vcvttps2dq(d, r);
  else
    s.is_double ? c.a.vcvttpd2qq(d, r) : c.a.vcvttps2dq(d, r);
  if (!by_sign) {  // all ones, and the smallest number, are the answer to what does not fit
    const Id equal = s.is_double ? X::kIdVpcmpeqq : X::kIdVpcmpeqd;
    if (conv.is_unsigned) {
      c.a.vpcmpeqd(kScratchXmm, kScratchXmm, kScratchXmm);
      c.a.emit(equal, kScratchXmm, kScratchXmm, d);
    } else {
      c.a.emit(equal, kScratchXmm, d, fp_lanes(c, s, 0x80000000, u64{1} << 63));
    }
    when_scratch(c, slow);
  }
  raise_inexact(c, p, conv, vector);
  c.a.bind(done);
  again_by_meaning(c, i, slow, done, {x, Xmm(), Xmm()}, d);
}

// Unsigned singles without AVX-512: the halves of the number, which are exact, in a sum that is rounded once.
void from_unsigned_words(Compiler& c, Xmm d, Xmm x) {
  c.a.vpsrld(d, x, imm(16));
  c.a.vpand(kScratchXmm, x, c.constant(0x0000ffff0000ffff));
  c.a.vcvtdq2ps(d, d);
  c.a.vcvtdq2ps(kScratchXmm, kScratchXmm);
  c.a.vfmadd132ps(d, kScratchXmm, c.constant(0x4780000047800000));  // d * 65536 + scratch
}
void f_from_fixed(Compiler& c, const Inst& i) {
  FpShape s;
  FpConversion conv = FpConversion::unpack(i.imm);
  const bool avx512 = c.host().avx512;
  if (!fp_shape(i, s) || conv.rounding != FpConversion::kFpcr || (s.is_double && !avx512))
    return c.emit_by_meaning(i);
  Xmm p = use_fp_lanes(c, i, 0, s);
  Xmm d = c.regs.define_xmm(c.id());
  if (conv.is_unsigned) {
    if (avx512)
      s.is_double ? c.a.vcvtuqq2pd(d, p) : c.a.vcvtudq2ps(d, p);
    else
      from_unsigned_words(c, d, p);
  } else {
    s.is_double ? c.a.vcvtqq2pd(d, p) : c.a.vcvtdq2ps(d, p);
  }
  if (!conv.fbits) return;
  Mem scale = fp_lanes(c, s, u64{127u - conv.fbits} << 23, u64{1023u - conv.fbits} << 52);
  s.is_double ? c.a.vmulpd(d, d, scale) : c.a.vmulps(d, d, scale);
}

// --- Between formats ---

// Half and single precision, by F16C. To half, the suspects are found among 16-bit integers.
void half_to_single(Compiler& c, const Inst& i) {
  Xmm x = c.regs.use_xmm(i.args[0]);
  const FpShape result{false, i.aux == 1, i.aux != 1};
  Xmm d = c.regs.define_xmm(c.id());
  Label slow = c.a.newLabel(), done = c.a.newLabel();
  Xmm p = x;
  if (i.imm & 4)
    c.a.vpsrldq(d, x, imm(8)), p = d;
  else if (result.scalar && c.significant_bytes(i.args[0]) > 2)
    c.a.vpand(d, x, c.constant(0xffff, 0)), p = d;
  c.a.vcvtph2ps(d, p);
  check(c, d, result, Suspect::NaN, slow);
  c.a.bind(done);
  again_by_meaning(c, i, slow, done, {x, Xmm(), Xmm()}, d);
}
void single_to_half(Compiler& c, const Inst& i) {
  const FpShape s{false, i.aux == 1, i.aux != 1};
  Xmm x = c.regs.use_xmm(i.args[0]);
  Xmm p = use_fp_lanes(c, i, 0, s);
  Xmm d = c.regs.define_xmm(c.id()), t = c.regs.temp_xmm();
  Label slow = c.a.newLabel(), done = c.a.newLabel();
  constexpr int kAsMxcsr = 4;
  c.a.vcvtps2ph(d, p, imm(kAsMxcsr));
  auto words = [&](u64 v) { return c.constant(replicate(v, 16)); };
  c.a.vpand(t, d, words(0x7fff));
  c.a.vpcmpeqw(kScratchXmm, t, words(0x0400));
  c.a.vpcmpgtw(t, t, words(0x7c00));
  c.a.vpor(kScratchXmm, kScratchXmm, t);
  when_scratch(c, slow);
  c.a.bind(done);
  again_by_meaning(c, i, slow, done, {x, Xmm(), Xmm()}, d);
}

// imm<1:0>: the format of the result; imm<2>: from the upper half. Single and double, either way.
void f_convert(Compiler& c, const Inst& i) {
  if (c.block().half_inline && i.esize == 1 && (i.imm & 3) == 2) return half_to_single(c, i);
  if (c.block().half_inline && i.esize == 2 && (i.imm & 3) == 1) return single_to_half(c, i);
  const bool widen = i.esize == 2 && (i.imm & 3) == 3, narrow = i.esize == 3 && (i.imm & 3) == 2;
  if ((!widen && !narrow) || (i.imm & 8)) return c.emit_by_meaning(i);
  Xmm x = c.regs.use_xmm(i.args[0]);
  Xmm d = c.regs.define_xmm(c.id());
  Label slow = c.a.newLabel(), done = c.a.newLabel();
  const FpShape result{widen, i.aux == 1, i.aux != 1};
  if (result.scalar) {
    c.a.vxorps(kScratchXmm, kScratchXmm, kScratchXmm);
    widen ? c.a.vcvtss2sd(d, kScratchXmm, x) : c.a.vcvtsd2ss(d, kScratchXmm, x);
  } else if (narrow) {
    c.a.vcvtpd2ps(d, x);  // zeros above
  } else if (i.imm & 4) {
    c.a.vpsrldq(d, x, imm(8));
    c.a.vcvtps2pd(d, d);
  } else {
    c.a.vcvtps2pd(d, x);
  }
  check(c, d, result, widen ? Suspect::NaN : Suspect::NaNOrMinNormal, slow);
  c.a.bind(done);
  again_by_meaning(c, i, slow, done, {x, Xmm(), Xmm()}, d);
}

constexpr FpRow kRows[] = {
    {Op::FRoundInt, f_round_int}, {Op::FToInt, f_to_int},         {Op::FFromInt, f_from_int},
    {Op::FToFixed, f_to_fixed},   {Op::FFromFixed, f_from_fixed}, {Op::FConvert, f_convert},
};

}  // namespace

std::span<const FpRow> fp_conversion_emitters() { return kRows; }

}  // namespace sluice::tcg::x86_64
