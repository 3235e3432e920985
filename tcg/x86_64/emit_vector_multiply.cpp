// Vector ops: products, of numbers and of polynomials, and sums of them.
#include "tcg/x86_64/emit_vector.h"

namespace sluice::tcg::x86_64 {
namespace {

void v_mul(Compiler& c, const Inst& i) {
  if (i.esize == 3) return c.emit_by_meaning(i);
  if (i.esize) {
    Xmm x = c.regs.use_xmm(i.args[0]);
    Operand y = c.regs.use_xmm_any(i.args[1]);
    c.a.emit(i.esize == 1 ? X::kIdVpmullw : X::kIdVpmulld, c.regs.define_xmm(c.id()), x, y);
    return;
  }
  // The low byte of a product of words is that of the low bytes; for the odd ones, one factor stays up.
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  c.a.vpsrlw(kScratchXmm, x, imm(8));
  c.a.vpand(d, y, lanes_of(c, 0xff00, 1));
  c.a.vpmullw(kScratchXmm, kScratchXmm, d);
  c.a.vpmullw(d, x, y);
  c.a.vpand(d, d, lanes_of(c, 0xff, 1));
  c.a.vpor(d, d, kScratchXmm);
}

template <bool Signed>
void v_mul_long(Compiler& c, const Inst& i) {
  if (i.esize == 3) return c.emit_by_meaning(i);
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  if (i.esize == 2) {  // the two lanes to the even places
    const int lanes = i.imm ? 0x32 : 0x10;
    c.a.vpshufd(kScratchXmm, x, imm(lanes));
    c.a.vpshufd(d, y, imm(lanes));
    c.a.emit(Signed ? X::kIdVpmuldq : X::kIdVpmuludq, d, d, kScratchXmm);
  } else if (i.esize == 1) {  // low and high halves of the products
    c.a.vpmullw(kScratchXmm, x, y);
    c.a.emit(Signed ? X::kIdVpmulhw : X::kIdVpmulhuw, d, x, y);
    c.a.emit(i.imm ? X::kIdVpunpckhwd : X::kIdVpunpcklwd, d, kScratchXmm, d);
  } else {
    constexpr Id kExtend = Signed ? X::kIdVpmovsxbw : X::kIdVpmovzxbw;
    if (i.imm) {
      c.a.vpsrldq(d, x, imm(8));
      c.a.vpsrldq(kScratchXmm, y, imm(8));
      x = d, y = kScratchXmm;
    }
    c.a.emit(kExtend, d, x);
    c.a.emit(kExtend, kScratchXmm, y);
    c.a.vpmullw(d, d, kScratchXmm);
  }
}

// d ^= the product of words x and y, whose upper bytes are zero: the sum of x << n over the bits n of y.
// Clobbers x, y and t.
void multiply_polynomials(Compiler& c, Xmm d, Xmm x, Xmm y, Xmm t) {
  for (int n = 0; n < 8; n++) {
    c.a.vpsllw(t, y, imm(15 - n));
    c.a.vpsraw(t, t, imm(15));
    c.a.vpand(t, t, x);
    n ? c.a.vpxor(d, d, t) : c.a.vmovdqa(d, t);
    if (n < 7) c.a.vpaddw(x, x, x);
  }
}
void v_pmul_long(Compiler& c, const Inst& i) {
  if (i.esize != 0 && i.esize != 3) return c.emit_by_meaning(i);
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  if (i.esize == 3) return void(c.a.vpclmulqdq(d, x, y, imm(i.imm ? 0x11 : 0x00)));
  Xmm p = c.regs.temp_xmm(), q = c.regs.temp_xmm();
  zero_in(c, kScratchXmm);
  const Id unpack = i.imm ? X::kIdVpunpckhbw : X::kIdVpunpcklbw;
  c.a.emit(unpack, p, x, kScratchXmm);
  c.a.emit(unpack, q, y, kScratchXmm);
  multiply_polynomials(c, d, p, q, kScratchXmm);
}
// Products modulo x^8: of the even and of the odd bytes.
void v_pmul(Compiler& c, const Inst& i) {
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  Xmm p = c.regs.temp_xmm(), q = c.regs.temp_xmm(), odd = c.regs.temp_xmm();
  c.a.vpsrlw(p, x, imm(8));
  c.a.vpsrlw(q, y, imm(8));
  multiply_polynomials(c, odd, p, q, kScratchXmm);
  Mem low = lanes_of(c, 0xff, 1);
  c.a.vpand(p, x, low);
  c.a.vpand(q, y, low);
  multiply_polynomials(c, d, p, q, kScratchXmm);
  c.a.vpand(d, d, low);
  c.a.vpsllw(odd, odd, imm(8));
  c.a.vpor(d, d, odd);
}

// Even and odd bytes as words, whose products PMADDWD sums by two.
void dot_by_words(Compiler& c, const Inst& i, bool x_signed, bool y_signed) {
  Xmm sum = c.regs.use_xmm(i.args[0]), x = c.regs.use_xmm(i.args[1]), y = c.regs.use_xmm(i.args[2]);
  Xmm d = c.regs.define_xmm(c.id()), t = c.regs.temp_xmm();
  auto odd = [&](Xmm to, Xmm from, bool is_signed) {
    is_signed ? c.a.vpsraw(to, from, imm(8)) : c.a.vpsrlw(to, from, imm(8));
  };
  auto even = [&](Xmm to, Xmm from, bool is_signed) {
    if (!is_signed) return void(c.a.vpand(to, from, lanes_of(c, 0xff, 1)));
    c.a.vpsllw(to, from, imm(8));
    c.a.vpsraw(to, to, imm(8));
  };
  odd(t, x, x_signed), odd(kScratchXmm, y, y_signed);
  c.a.vpmaddwd(t, t, kScratchXmm);
  c.a.vpaddd(d, sum, t);
  even(t, x, x_signed), even(kScratchXmm, y, y_signed);
  c.a.vpmaddwd(t, t, kScratchXmm);
  c.a.vpaddd(d, d, t);
}
// VPDPBUSD multiplies unsigned by signed bytes. 128 is added to signed x, or taken from unsigned y, and its
// products with the other operand are taken from the sum again.
template <bool XSigned, bool YSigned>
void v_dot(Compiler& c, const Inst& i) {
  if (!c.host().vnni) return dot_by_words(c, i, XSigned, YSigned);
  Xmm x = c.regs.use_xmm(i.args[1]), y = c.regs.use_xmm(i.args[2]);
  Xmm d = c.regs.define_xmm_over(i, c.id(), i.args[0]);
  if (!XSigned && YSigned) return void(c.a.vpdpbusd(d, x, y));
  Xmm correction = c.regs.temp_xmm(), t = c.regs.temp_xmm();
  zero_in(c, correction);
  c.a.vmovdqa(kScratchXmm, lanes_of(c, 0x80, 0));
  if (XSigned) {
    c.a.vpxor(t, x, kScratchXmm);
    c.a.vpdpbusd(d, t, y);
    c.a.vpdpbusd(correction, kScratchXmm, y);  // 128 * y
  } else {
    c.a.vpxor(t, y, kScratchXmm);
    c.a.vpdpbusd(d, x, t);
    c.a.vpdpbusd(correction, x, kScratchXmm);  // x * -128
  }
  c.a.vpsubd(d, d, correction);
}

constexpr VectorRow kRows[] = {
    {Op::VMul, v_mul},
    {Op::VSMulLong, v_mul_long<true>},
    {Op::VUMulLong, v_mul_long<false>},
    {Op::VPMul, v_pmul},
    {Op::VPMulLong, v_pmul_long},
    {Op::VSDot, v_dot<true, true>},
    {Op::VUDot, v_dot<false, false>},
    {Op::VUsDot, v_dot<false, true>},
};

}  // namespace

std::span<const VectorRow> vector_multiply_emitters() { return kRows; }

}  // namespace sluice::tcg::x86_64
