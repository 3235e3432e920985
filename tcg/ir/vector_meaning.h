// tcg/ir/vector_meaning.h: the functions that the meanings of the rows of tcg/ir/vector_ops.h call.
#pragma once
#include "base/bits.h"
#include "tcg/exec_state.h"
#include "tcg/flags.h"
#include "tcg/vec.h"

namespace sluice::tcg::ir::lanes {

using Unary = Vec(const Vec& a, unsigned esize);
using Binary = Vec(const Vec& a, const Vec& b, unsigned esize);
using WithAmount = Vec(const Vec& a, unsigned esize, unsigned amount);
using Counted = Vec(const Vec& a, unsigned esize, unsigned count);
using CountedPair = Vec(const Vec& a, const Vec& b, unsigned esize, unsigned count);
using SaturatingUnary = Vec(const Vec& a, unsigned esize, unsigned count, ExecState& state);
using Saturating = Vec(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state);
using SaturatingTernary = Vec(const Vec& a, const Vec& b, const Vec& c, unsigned esize, unsigned count,
                              ExecState& state);

// vector_meaning.cpp
Vec select(const Vec& a, const Vec& b, const Vec& mask);
Binary add, sub, mul, smax, smin, umax, umin, sabd, uabd, shadd, uhadd, srhadd, urhadd, shsub, uhsub;
Binary cmeq, cmgt, cmge, cmhi, cmhs, cmtst;
Unary neg, abs, clz, cls;
Vec cnt(const Vec& a);
Vec rbit(const Vec& a);
Vec rev(const Vec& a, unsigned esize, unsigned log2_container);
CountedPair addp, smaxp, sminp, umaxp, uminp;
Unary saddlp, uaddlp;
Counted addv, smaxv, sminv, umaxv, uminv, saddlv, uaddlv;

// vector_shift_meaning.cpp
WithAmount shl_imm, sshr_imm, ushr_imm, srshr_imm, urshr_imm, rotl_imm;
Vec sli(const Vec& a, const Vec& b, unsigned esize, unsigned amount);
Vec sri(const Vec& a, const Vec& b, unsigned esize, unsigned amount);
Binary sshl, ushl, srshl, urshl;
Saturating sqshl, uqshl, sqshlu, sqrshl, uqrshl;

// vector_saturating_meaning.cpp
Saturating sqadd, uqadd, sqsub, uqsub, suqadd, usqadd, sqdmulh, sqrdmulh;
SaturatingTernary sqrdmlah, sqrdmlsh;
SaturatingUnary sqabs, sqneg, sqxtn, uqxtn, sqxtun;
Vec sqdmull(const Vec& a, const Vec& b, unsigned esize, unsigned count, u64 part, ExecState& state);

// vector_permute_meaning.cpp. `bytes` is 8 or 16.
using Permute = Vec(const Vec& a, const Vec& b, unsigned esize, unsigned bytes);
Permute zip1, zip2, uzp1, uzp2, trn1, trn2;
Vec ext(const Vec& a, const Vec& b, unsigned position, unsigned bytes);
Vec shuffle32(const Vec& a, const Vec& b, unsigned selection);
Vec table(const Vec& fallback, const Vec& table, const Vec& indices, unsigned first);
Vec dup(u64 value, unsigned esize);
u64 get(const Vec& a, unsigned esize, unsigned lane);
Vec insert(const Vec& a, unsigned esize, unsigned lane, u64 value);
Vec sxtl(const Vec& a, unsigned esize, u64 high);
Vec uxtl(const Vec& a, unsigned esize, u64 high);
Unary xtn;

// vector_multiply_meaning.cpp
using Long = Vec(const Vec& a, const Vec& b, unsigned esize, u64 high);
using Dot = Vec(const Vec& a, const Vec& b, const Vec& c);
Long smull, umull, pmull;
Vec pmul(const Vec& a, const Vec& b);
Dot sdot, udot, usdot, smmla, ummla, usmmla;
Vec urecpe(const Vec& a);
Vec ursqrte(const Vec& a);

}  // namespace sluice::tcg::ir::lanes

// crypto_meaning.cpp
namespace sluice::tcg::ir::crypto {

using Unary = Vec(const Vec& a);
using Binary = Vec(const Vec& a, const Vec& b);
using Ternary = Vec(const Vec& a, const Vec& b, const Vec& c);

Binary aese, aesd, aes_round, aes_inverse_round, sha1su1, sha256su0, sha512su0, rax1, sm4e, sm4ekey;
Unary aesmc, aesimc, sha1h;
Ternary sha1c, sha1p, sha1m, sha1su0, sha256_rounds, sha256h, sha256h2, sha256su1;
Ternary sha512h, sha512h2, sha512su1;
Ternary sm3ss1, sm3partw1, sm3partw2;
Vec xar(const Vec& a, const Vec& b, unsigned rotate);
Vec sm3tt(const Vec& a, const Vec& b, const Vec& c, unsigned lane, unsigned kind);

}  // namespace sluice::tcg::ir::crypto
