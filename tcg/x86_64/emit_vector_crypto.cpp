// The cryptographic ops on AES-NI and SHA-NI, and the small ones with ordinary instructions.
#include "tcg/x86_64/emit_vector.h"

namespace sluice::tcg::x86_64 {
namespace {

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
template <Id id>
void v_aes_middle_round(Compiler& c, const Inst& i) {
  Xmm x = c.regs.use_xmm(i.args[0]);
  Operand y = c.regs.use_xmm_any(i.args[1]);
  c.a.emit(id, c.regs.define_xmm(c.id()), x, y);
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

// --- SHA-1: x86 has the first word at the top, adds the round constant itself, and E to the first word ---

template <int function>
void v_sha1_rounds(Compiler& c, const Inst& i) {
  constexpr u32 kConstants[] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc};
  if (!c.host().sha) return c.emit_by_meaning(i);
  Xmm abcd = c.regs.use_xmm(i.args[0]), e = c.regs.use_xmm(i.args[1]), w = c.regs.use_xmm(i.args[2]);
  Xmm d = c.regs.define_xmm(c.id());
  c.a.vpsubd(kScratchXmm, w, lanes_of(c, kConstants[function], 2));
  c.a.vpshufd(kScratchXmm, kScratchXmm, imm(0x1b));
  c.a.vpslldq(d, e, imm(12));
  c.a.vpaddd(kScratchXmm, kScratchXmm, d);
  c.a.vpshufd(d, abcd, imm(0x1b));
  c.a.sha1rnds4(d, kScratchXmm, imm(function));
  c.a.vpshufd(d, d, imm(0x1b));
}
// d = s rotated left by `amount` in lanes of 32 bits. Clobbers scratch.
void rotate32(Compiler& c, Xmm d, Xmm s, unsigned amount) {
  if (c.host().avx512) return void(c.a.vprold(d, s, imm(amount)));
  c.a.vpslld(kScratchXmm, s, imm(amount));
  c.a.vpsrld(d, s, imm(32 - amount));
  c.a.vpor(d, d, kScratchXmm);
}
void v_sha1_h(Compiler& c, const Inst& i) {
  Xmm s = c.regs.use_xmm(i.args[0]);
  Xmm d = c.regs.define_xmm(c.id());
  rotate32(c, d, s, 30);
  keep_low(c, d, d, 4);
}
// a ^ (the upper half of a, the lower of b) ^ c
void v_sha1_su0(Compiler& c, const Inst& i) {
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]), z = c.regs.use_xmm(i.args[2]);
  Xmm d = c.regs.define_xmm(c.id());
  c.a.vpalignr(d, y, x, imm(8));
  c.a.vpxor(kScratchXmm, x, z);
  c.a.vpxor(d, d, kScratchXmm);
}
// Every word of t = a ^ (b >> one word) rotated by one; the last also gets the first rotated by two.
void v_sha1_su1(Compiler& c, const Inst& i) {
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id()), t = c.regs.temp_xmm();
  c.a.vpsrldq(t, y, imm(4));
  c.a.vpxor(t, t, x);
  rotate32(c, d, t, 1);
  c.a.vpslldq(t, d, imm(12));
  Xmm first = c.regs.temp_xmm();
  rotate32(c, first, t, 1);
  c.a.vpxor(d, d, first);
}

// --- SHA-256 ---

// Two rounds from the words in the low half of w, which must be XMM0: what lives there moves.
void sha256_rounds(Compiler& c, Xmm d, Xmm other, Xmm w) {
  c.a.vmovdqa(x86::xmm0, w);
  c.a.sha256rnds2(d, other, x86::xmm0);
}
void v_sha256_rounds(Compiler& c, const Inst& i) {
  if (!c.host().sha) return c.emit_by_meaning(i);
  c.regs.take_xmm(x86::xmm0);
  Xmm recent = c.regs.use_xmm(i.args[1]), w = c.regs.use_xmm(i.args[2]);
  Xmm d = i.args[0] == i.args[1] || i.args[0] == i.args[2] ? c.regs.define_xmm(c.id())
                                                           : c.regs.define_xmm_over(i, c.id(), i.args[0]);
  if (i.args[0] == i.args[1] || i.args[0] == i.args[2]) c.a.vmovdqa(d, c.regs.use_xmm(i.args[0]));
  sha256_rounds(c, d, recent, w);
}
// Four rounds: a:b:c:d and e:f:g:h become f:e:b:a and h:g:d:c, and the wanted half comes back.
template <bool Second>
void v_sha256_h(Compiler& c, const Inst& i) {
  if (!c.host().sha) return c.emit_by_meaning(i);
  c.regs.take_xmm(x86::xmm0);
  Xmm abcd = c.regs.use_xmm(i.args[Second]), efgh = c.regs.use_xmm(i.args[!Second]);
  Xmm w = c.regs.use_xmm(i.args[2]);
  Xmm d = c.regs.define_xmm(c.id()), t = c.regs.temp_xmm();
  c.a.vshufps(d, efgh, abcd, imm(0x11));
  c.a.vshufps(t, efgh, abcd, imm(0xbb));
  sha256_rounds(c, t, d, w);
  c.a.vpshufd(kScratchXmm, w, imm(0x0e));
  sha256_rounds(c, d, t, kScratchXmm);
  c.a.vshufps(d, d, t, imm(Second ? 0x11 : 0xbb));
}
void v_sha256_su0(Compiler& c, const Inst& i) {
  if (!c.host().sha) return c.emit_by_meaning(i);
  Xmm y = c.regs.use_xmm(i.args[1]);
  Xmm d = i.args[0] == i.args[1] ? c.regs.define_xmm(c.id()) : c.regs.define_xmm_over(i, c.id(), i.args[0]);
  if (i.args[0] == i.args[1]) c.a.vmovdqa(d, y);
  c.a.sha256msg1(d, y);
}
void v_sha256_su1(Compiler& c, const Inst& i) {
  if (!c.host().sha) return c.emit_by_meaning(i);
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]), z = c.regs.use_xmm(i.args[2]);
  Xmm d = c.regs.define_xmm(c.id());
  c.a.vpalignr(d, z, y, imm(4));
  c.a.vpaddd(d, d, x);
  c.a.sha256msg2(d, z);
}

// --- SHA-3 ---

// d = s rotated left by `amount` in lanes of 64 bits. Clobbers scratch.
void rotate64(Compiler& c, Xmm d, Xmm s, unsigned amount) {
  if (c.host().avx512) return void(c.a.vprolq(d, s, imm(amount)));
  c.a.vpsllq(kScratchXmm, s, imm(amount));
  c.a.vpsrlq(d, s, imm(64 - amount));
  c.a.vpor(d, d, kScratchXmm);
}
void v_rax1(Compiler& c, const Inst& i) {
  Xmm x = c.regs.use_xmm(i.args[0]), y = c.regs.use_xmm(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  rotate64(c, d, y, 1);
  c.a.vpxor(d, d, x);
}
void v_xar(Compiler& c, const Inst& i) {
  Xmm x = c.regs.use_xmm(i.args[0]);
  Operand y = c.regs.use_xmm_any(i.args[1]);
  Xmm d = c.regs.define_xmm(c.id());
  c.a.emit(X::kIdVpxor, d, x, y);
  if (i.imm % 64) rotate64(c, d, d, 64 - unsigned(i.imm % 64));
}

constexpr VectorRow kRows[] = {
    {Op::VAesE, v_aes_round<true>},
    {Op::VAesD, v_aes_round<false>},
    {Op::VAesMc, v_aes_mix},
    {Op::VAesImc, v_aes_inverse_mix},
    {Op::VAesRoundE, v_aes_middle_round<X::kIdVaesenc>},
    {Op::VAesRoundD, v_aes_middle_round<X::kIdVaesdec>},
    {Op::VSha1C, v_sha1_rounds<0>},
    {Op::VSha1P, v_sha1_rounds<1>},
    {Op::VSha1M, v_sha1_rounds<2>},
    {Op::VSha1H, v_sha1_h},
    {Op::VSha1Su0, v_sha1_su0},
    {Op::VSha1Su1, v_sha1_su1},
    {Op::VSha256Rounds, v_sha256_rounds},
    {Op::VSha256H, v_sha256_h<false>},
    {Op::VSha256H2, v_sha256_h<true>},
    {Op::VSha256Su0, v_sha256_su0},
    {Op::VSha256Su1, v_sha256_su1},
    {Op::VRax1, v_rax1},
    {Op::VXar, v_xar},
};

}  // namespace

std::span<const VectorRow> vector_crypto_emitters() { return kRows; }

}  // namespace sluice::tcg::x86_64
