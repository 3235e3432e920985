// tcg/x86_64/emit_vector.h: what the emitters of vector ops share. Their host has AVX2; three-operand forms
// throughout, so nothing has to be copied first.
#pragma once
#include <array>
#include <span>

#include "base/bits.h"
#include "tcg/x86_64/compiler.h"

namespace sluice::tcg::x86_64 {

using asmjit::imm;
using asmjit::Operand;
namespace X = x86::Inst;
using Id = X::Id;

struct VectorRow {
  Op op;
  VectorEmitter emit;
};

// One file each: emit_vector_<what>.cpp.
std::span<const VectorRow> vector_arithmetic_emitters();
std::span<const VectorRow> vector_across_emitters();
std::span<const VectorRow> vector_shift_emitters();
std::span<const VectorRow> vector_saturating_emitters();
std::span<const VectorRow> vector_permute_emitters();
std::span<const VectorRow> vector_multiply_emitters();
std::span<const VectorRow> vector_crypto_emitters();

// One x86 instruction for each lane size (bytes, words, doublewords, quadwords), or none.
using ByLane = std::array<Id, 4>;
inline constexpr Id kNone = X::kIdNone;
inline constexpr ByLane kAdd = {X::kIdVpaddb, X::kIdVpaddw, X::kIdVpaddd, X::kIdVpaddq};
inline constexpr ByLane kSub = {X::kIdVpsubb, X::kIdVpsubw, X::kIdVpsubd, X::kIdVpsubq};
inline constexpr ByLane kEqual = {X::kIdVpcmpeqb, X::kIdVpcmpeqw, X::kIdVpcmpeqd, X::kIdVpcmpeqq};
inline constexpr ByLane kGreater = {X::kIdVpcmpgtb, X::kIdVpcmpgtw, X::kIdVpcmpgtd, X::kIdVpcmpgtq};
inline constexpr ByLane kSMax = {X::kIdVpmaxsb, X::kIdVpmaxsw, X::kIdVpmaxsd, kNone};
inline constexpr ByLane kSMin = {X::kIdVpminsb, X::kIdVpminsw, X::kIdVpminsd, kNone};
inline constexpr ByLane kUMax = {X::kIdVpmaxub, X::kIdVpmaxuw, X::kIdVpmaxud, kNone};
inline constexpr ByLane kUMin = {X::kIdVpminub, X::kIdVpminuw, X::kIdVpminud, kNone};
// Of words and larger lanes; those of bytes are made of them.
inline constexpr ByLane kShiftLeft = {X::kIdVpsllw, X::kIdVpsllw, X::kIdVpslld, X::kIdVpsllq};
inline constexpr ByLane kShiftRight = {X::kIdVpsrlw, X::kIdVpsrlw, X::kIdVpsrld, X::kIdVpsrlq};

inline Xmm ones_in(Compiler& c, Xmm x) {
  c.a.vpcmpeqd(x, x, x);
  return x;
}
inline Xmm zero_in(Compiler& c, Xmm x) {
  c.a.vpxor(x, x, x);
  return x;
}
// d = ~d; clobbers the scratch register.
inline void invert(Compiler& c, Xmm d) {
  if (c.host().avx512)
    c.a.vpternlogd(d, d, d, imm(0x55));
  else
    c.a.vpxor(d, d, ones_in(c, kScratchXmm));
}
// `value` in every lane of 2^esize bytes.
inline Mem lanes_of(Compiler& c, u64 value, unsigned esize) {
  return c.constant(replicate(value & ones(8u << esize), 8u << esize));
}
inline constexpr u64 sign_bit(unsigned esize) { return u64{1} << ((8u << esize) - 1); }

// d = s with zeros above the lowest `bytes` (1, 2, 4, 8; 16: a copy). Clobbers nothing else.
inline void keep_low(Compiler& c, Xmm d, Xmm s, unsigned bytes) {
  switch (bytes) {
    case 4: c.a.vinsertps(d, s, s, imm(0x0e)); break;
    case 8: c.a.vmovq(d, s); break;
    case 16:
      if (d != s) c.a.vmovdqa(d, s);
      break;
    default: c.a.vpand(d, s, c.constant(ones(8 * bytes), 0)); break;
  }
}
// The operand with zeros above the lanes that take part in the op.
inline Xmm use_counted(Compiler& c, const Inst& i, unsigned k) {
  const unsigned bytes = unsigned(i.aux) << i.esize;
  Xmm x = c.regs.use_xmm(i.args[k]);
  if (bytes >= 16 || c.significant_bytes(i.args[k]) <= bytes) return x;
  Xmm t = c.regs.temp_xmm();
  keep_low(c, t, x, bytes);
  return t;
}

// a >> amount within each lane, arithmetic; amount up to the lane's bits. d may be s. Clobbers scratch.
void shift_right_signed(Compiler& c, Xmm d, Xmm s, unsigned esize, unsigned amount);
void shift_right_unsigned(Compiler& c, Xmm d, Xmm s, unsigned esize, unsigned amount);

}  // namespace sluice::tcg::x86_64
