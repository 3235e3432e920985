// tcg/ir/vector_ops.h: the rows of the IR op table that work on 128-bit vectors of integers.
// Meaning: a C++ expression over a, b, c, d (const Vec&), imm, aux, and `esize` (log2 of the lane size in
// bytes), giving a Vec; for ops with an integer result, a u64. Integer and flags operands are read with .lo.
// The functions are in tcg/ir/vector_meaning.h.
//
// An op without an active lane count works on all 128 bits (a 64-bit A64 form is the op and VZeroUpper).
// Where `aux` is named `count` below, only that many lanes of the operands take part: the other lanes of the
// result are zero, and they do not saturate.
#pragma once

// clang-format off
#define TCG_IR_VECTOR_OPS(OP) TCG_IR_VECTOR_BASIC_OPS(OP) TCG_IR_VECTOR_SHIFT_OPS(OP) TCG_IR_VECTOR_SATURATING_OPS(OP) \
  TCG_IR_VECTOR_PERMUTE_OPS(OP) TCG_IR_VECTOR_MULTIPLY_OPS(OP) TCG_IR_CRYPTO_OPS(OP)

#define TCG_IR_VECTOR_BASIC_OPS(OP)                                                                         \
  OP(VConst,            'V', "",     Pure,                   (Vec{imm, u64(esize) ? imm : 0}))              \
  OP(VZeroUpper,        'V', "v",    Pure,                   (Vec{a.lo, 0}))                                \
  OP(VFromInt,          'V', "t",    Pure,                   (Vec{a.lo, 0}))                                \
  OP(VAnd,              'V', "vv",   Pure | Commutative,     (Vec{a.lo & b.lo, a.hi & b.hi}))               \
  OP(VOr,               'V', "vv",   Pure | Commutative,     (Vec{a.lo | b.lo, a.hi | b.hi}))               \
  OP(VXor,              'V', "vv",   Pure | Commutative,     (Vec{a.lo ^ b.lo, a.hi ^ b.hi}))               \
  OP(VAndNot,           'V', "vv",   Pure,                   (Vec{a.lo & ~b.lo, a.hi & ~b.hi}))             \
  OP(VOrNot,            'V', "vv",   Pure,                   (Vec{a.lo | ~b.lo, a.hi | ~b.hi}))             \
  OP(VNot,              'V', "v",    Pure,                   (Vec{~a.lo, ~a.hi}))                           \
  /* BSL: bits of a where c is 1, of b where it is 0 */                                                     \
  OP(VSelect,           'V', "vvv",  Pure,                   lanes::select(a, b, c))                        \
  /* FCSEL: aux is the condition */                                                                         \
  OP(VSelectCondition,  'V', "vvf",  Pure,                   (condition_holds(Flags{u32(c.lo)}, aux) ? a : b)) \
  /* the lowest lane of size esize; the rest is zero */                                                     \
  OP(VLowLane,          'V', "v",    Pure,                   (Vec{a.lo & ones(8u << esize), 0}))            \
  OP(VAdd,              'V', "vv",   Pure | Commutative,     lanes::add(a, b, esize))                       \
  OP(VSub,              'V', "vv",   Pure,                   lanes::sub(a, b, esize))                       \
  OP(VMul,              'V', "vv",   Pure | Commutative,     lanes::mul(a, b, esize))                       \
  OP(VNeg,              'V', "v",    Pure,                   lanes::neg(a, esize))                          \
  OP(VAbs,              'V', "v",    Pure,                   lanes::abs(a, esize))                          \
  OP(VSMax,             'V', "vv",   Pure | Commutative,     lanes::smax(a, b, esize))                      \
  OP(VSMin,             'V', "vv",   Pure | Commutative,     lanes::smin(a, b, esize))                      \
  OP(VUMax,             'V', "vv",   Pure | Commutative,     lanes::umax(a, b, esize))                      \
  OP(VUMin,             'V', "vv",   Pure | Commutative,     lanes::umin(a, b, esize))                      \
  /* |a - b| */                                                                                             \
  OP(VSAbd,             'V', "vv",   Pure | Commutative,     lanes::sabd(a, b, esize))                      \
  OP(VUAbd,             'V', "vv",   Pure | Commutative,     lanes::uabd(a, b, esize))                      \
  /* (a + b [+ 1]) >> 1 and (a - b) >> 1 without loss of the carry */                                       \
  OP(VSHAdd,            'V', "vv",   Pure | Commutative,     lanes::shadd(a, b, esize))                     \
  OP(VUHAdd,            'V', "vv",   Pure | Commutative,     lanes::uhadd(a, b, esize))                     \
  OP(VSRHAdd,           'V', "vv",   Pure | Commutative,     lanes::srhadd(a, b, esize))                    \
  OP(VURHAdd,           'V', "vv",   Pure | Commutative,     lanes::urhadd(a, b, esize))                    \
  OP(VSHSub,            'V', "vv",   Pure,                   lanes::shsub(a, b, esize))                     \
  OP(VUHSub,            'V', "vv",   Pure,                   lanes::uhsub(a, b, esize))                     \
  /* comparisons give a lane of ones or zeros */                                                            \
  OP(VCmpEq,            'V', "vv",   Pure | Commutative,     lanes::cmeq(a, b, esize))                      \
  OP(VCmpGtS,           'V', "vv",   Pure,                   lanes::cmgt(a, b, esize))                      \
  OP(VCmpGeS,           'V', "vv",   Pure,                   lanes::cmge(a, b, esize))                      \
  OP(VCmpGtU,           'V', "vv",   Pure,                   lanes::cmhi(a, b, esize))                      \
  OP(VCmpGeU,           'V', "vv",   Pure,                   lanes::cmhs(a, b, esize))                      \
  OP(VCmpTest,          'V', "vv",   Pure | Commutative,     lanes::cmtst(a, b, esize))                     \
  OP(VCountLeadingZeros,'V', "v",    Pure,                   lanes::clz(a, esize))                          \
  OP(VCountLeadingSigns,'V', "v",    Pure,                   lanes::cls(a, esize))                          \
  /* of bytes, whatever esize */                                                                            \
  OP(VPopCount,         'V', "v",    Pure,                   lanes::cnt(a))                                 \
  OP(VReverseBits,      'V', "v",    Pure,                   lanes::rbit(a))                                \
  /* the lanes inside each container of 2^imm bytes in reverse order */                                     \
  OP(VReverse,          'V', "v",    Pure,                   lanes::rev(a, esize, unsigned(imm)))           \
  /* lane i is lanes 2i and 2i+1 of b:a, each of `count` lanes */                                           \
  OP(VAddPair,          'V', "vv",   Pure,                   lanes::addp(a, b, esize, aux))                 \
  OP(VSMaxPair,         'V', "vv",   Pure,                   lanes::smaxp(a, b, esize, aux))                \
  OP(VSMinPair,         'V', "vv",   Pure,                   lanes::sminp(a, b, esize, aux))                \
  OP(VUMaxPair,         'V', "vv",   Pure,                   lanes::umaxp(a, b, esize, aux))                \
  OP(VUMinPair,         'V', "vv",   Pure,                   lanes::uminp(a, b, esize, aux))                \
  /* neighbours of size esize into lanes twice as large */                                                  \
  OP(VSAddPairLong,     'V', "v",    Pure,                   lanes::saddlp(a, esize))                       \
  OP(VUAddPairLong,     'V', "v",    Pure,                   lanes::uaddlp(a, esize))                       \
  /* over `count` lanes, into lane 0 (of twice the size for Long) */                                        \
  OP(VAddAcross,        'V', "v",    Pure,                   lanes::addv(a, esize, aux))                    \
  OP(VSMaxAcross,       'V', "v",    Pure,                   lanes::smaxv(a, esize, aux))                   \
  OP(VSMinAcross,       'V', "v",    Pure,                   lanes::sminv(a, esize, aux))                   \
  OP(VUMaxAcross,       'V', "v",    Pure,                   lanes::umaxv(a, esize, aux))                   \
  OP(VUMinAcross,       'V', "v",    Pure,                   lanes::uminv(a, esize, aux))                   \
  OP(VSAddAcrossLong,   'V', "v",    Pure,                   lanes::saddlv(a, esize, aux))                  \
  OP(VUAddAcrossLong,   'V', "v",    Pure,                   lanes::uaddlv(a, esize, aux))

// Immediate shifts: imm is 0..lane bits. Register shifts (SSHL and friends): by the signed low byte of each lane of b, to
// the right if negative.
#define TCG_IR_VECTOR_SHIFT_OPS(OP)                                                                         \
  OP(VShlImm,           'V', "v",    Pure,                   lanes::shl_imm(a, esize, unsigned(imm)))       \
  OP(VSShrImm,          'V', "v",    Pure,                   lanes::sshr_imm(a, esize, unsigned(imm)))      \
  OP(VUShrImm,          'V', "v",    Pure,                   lanes::ushr_imm(a, esize, unsigned(imm)))      \
  /* with rounding: (a + 2^(imm-1)) >> imm, the sum unbounded; imm is not 0 */                              \
  OP(VSRShrImm,         'V', "v",    Pure,                   lanes::srshr_imm(a, esize, unsigned(imm)))     \
  OP(VURShrImm,         'V', "v",    Pure,                   lanes::urshr_imm(a, esize, unsigned(imm)))     \
  /* b shifted into a: SLI, SRI */                                                                          \
  /* left, of the bits of each lane; made by tcg/opt/vector_patterns.cpp */                                  \
  OP(VRotateImm,        'V', "v",    Pure,                   lanes::rotl_imm(a, esize, unsigned(imm)))      \
  OP(VShlInsertImm,     'V', "vv",   Pure,                   lanes::sli(a, b, esize, unsigned(imm)))        \
  OP(VShrInsertImm,     'V', "vv",   Pure,                   lanes::sri(a, b, esize, unsigned(imm)))        \
  OP(VSShl,             'V', "vv",   Pure,                   lanes::sshl(a, b, esize))                      \
  OP(VUShl,             'V', "vv",   Pure,                   lanes::ushl(a, b, esize))                      \
  OP(VSRShl,            'V', "vv",   Pure,                   lanes::srshl(a, b, esize))                     \
  OP(VURShl,            'V', "vv",   Pure,                   lanes::urshl(a, b, esize))

// aux is `count`; saturation sets FPSR.QC.
#define TCG_IR_VECTOR_SATURATING_OPS(OP)                                                                    \
  OP(VSqAdd,            'V', "vv",   TouchesFpsr,            lanes::sqadd(a, b, esize, aux, state))         \
  OP(VUqAdd,            'V', "vv",   TouchesFpsr,            lanes::uqadd(a, b, esize, aux, state))         \
  OP(VSqSub,            'V', "vv",   TouchesFpsr,            lanes::sqsub(a, b, esize, aux, state))         \
  OP(VUqSub,            'V', "vv",   TouchesFpsr,            lanes::uqsub(a, b, esize, aux, state))         \
  /* SUQADD: a signed, b unsigned, result signed; USQADD: a unsigned, b signed, result unsigned */          \
  OP(VSuqAdd,           'V', "vv",   TouchesFpsr,            lanes::suqadd(a, b, esize, aux, state))        \
  OP(VUsqAdd,           'V', "vv",   TouchesFpsr,            lanes::usqadd(a, b, esize, aux, state))        \
  OP(VSqAbs,            'V', "v",    TouchesFpsr,            lanes::sqabs(a, esize, aux, state))            \
  OP(VSqNeg,            'V', "v",    TouchesFpsr,            lanes::sqneg(a, esize, aux, state))            \
  /* register shifts as VSShl; SqShlu: signed operand, unsigned result */                                   \
  OP(VSqShl,            'V', "vv",   TouchesFpsr,            lanes::sqshl(a, b, esize, aux, state))         \
  OP(VUqShl,            'V', "vv",   TouchesFpsr,            lanes::uqshl(a, b, esize, aux, state))         \
  OP(VSqShlu,           'V', "vv",   TouchesFpsr,            lanes::sqshlu(a, b, esize, aux, state))        \
  OP(VSqRShl,           'V', "vv",   TouchesFpsr,            lanes::sqrshl(a, b, esize, aux, state))        \
  OP(VUqRShl,           'V', "vv",   TouchesFpsr,            lanes::uqrshl(a, b, esize, aux, state))        \
  /* esize and count are the result's; the lanes of a are twice as large */                                 \
  OP(VSqNarrow,         'V', "v",    TouchesFpsr,            lanes::sqxtn(a, esize, aux, state))            \
  OP(VUqNarrow,         'V', "v",    TouchesFpsr,            lanes::uqxtn(a, esize, aux, state))            \
  OP(VSqUNarrow,        'V', "v",    TouchesFpsr,            lanes::sqxtun(a, esize, aux, state))           \
  /* high half of 2 * a * b, and with rounding */                                                           \
  OP(VSqDMulHigh,       'V', "vv",   TouchesFpsr,            lanes::sqdmulh(a, b, esize, aux, state))       \
  OP(VSqRDMulHigh,      'V', "vv",   TouchesFpsr,            lanes::sqrdmulh(a, b, esize, aux, state))      \
  /* a +- that of b * c, rounded and saturated once: SQRDMLAH, SQRDMLSH */                                  \
  OP(VSqRDMulAddHigh,   'V', "vvv",  TouchesFpsr,            lanes::sqrdmlah(a, b, c, esize, aux, state))   \
  OP(VSqRDMulSubHigh,   'V', "vvv",  TouchesFpsr,            lanes::sqrdmlsh(a, b, c, esize, aux, state))   \
  /* 2 * a * b into lanes twice as large; lanes from imm * count on; esize and count are the operands' */   \
  OP(VSqDMulLong,       'V', "vv",   TouchesFpsr,            lanes::sqdmull(a, b, esize, aux, imm, state))

#define TCG_IR_VECTOR_PERMUTE_OPS(OP)                                                                       \
  /* aux: 16 bytes, or 8 and the upper half of the result is zero */                                        \
  OP(VZip1,             'V', "vv",   Pure,                   lanes::zip1(a, b, esize, aux))                 \
  OP(VZip2,             'V', "vv",   Pure,                   lanes::zip2(a, b, esize, aux))                 \
  OP(VUzp1,             'V', "vv",   Pure,                   lanes::uzp1(a, b, esize, aux))                 \
  OP(VUzp2,             'V', "vv",   Pure,                   lanes::uzp2(a, b, esize, aux))                 \
  OP(VTrn1,             'V', "vv",   Pure,                   lanes::trn1(a, b, esize, aux))                 \
  OP(VTrn2,             'V', "vv",   Pure,                   lanes::trn2(a, b, esize, aux))                 \
  /* `aux` bytes of b:a from byte imm on */                                                                 \
  OP(VExtract,          'V', "vv",   Pure,                   lanes::ext(a, b, unsigned(imm), aux))          \
  /* byte i: index c[i] - imm in 0..15 ? b[that] : a[i]; a chain of them is TBL and TBX */                  \
  OP(VTable,            'V', "vvv",  Pure,                   lanes::table(a, b, c, unsigned(imm)))          \
  /* 32-bit lanes imm<1:0> and imm<3:2> of a, imm<5:4> and imm<7:6> of b */                                 \
  OP(VShuffle32,        'V', "vv",   Pure,                   lanes::shuffle32(a, b, unsigned(imm)))         \
  OP(VConcatLow,        'V', "vv",   Pure,                   (Vec{a.lo, b.lo}))                             \
  OP(VDup,              'V', "x",    Pure,                   lanes::dup(a.lo, esize))                       \
  OP(VDupLane,          'V', "v",    Pure,                   lanes::dup(lanes::get(a, esize, unsigned(imm)), esize)) \
  /* lane imm of a replaced by the integer b */                                                             \
  OP(VInsert,           'V', "vx",   Pure,                   lanes::insert(a, esize, unsigned(imm), b.lo))  \
  /* lane imm<7:0> of a replaced by lane imm<15:8> of b */                                                  \
  OP(VInsertLane,       'V', "vv",   Pure,                   lanes::insert(a, esize, unsigned(imm & 0xff), lanes::get(b, esize, unsigned(imm >> 8)))) \
  OP(VLane,             'X', "v",    Pure,                   lanes::get(a, esize, unsigned(imm)))           \
  OP(VLaneSigned,       'X', "v",    Pure,                   sign_extend(lanes::get(a, esize, unsigned(imm)), 8u << esize)) \
  /* the low (imm 0) or high (imm 1) half of a, lanes of esize into lanes twice as large */                 \
  OP(VSignExtend,       'V', "v",    Pure,                   lanes::sxtl(a, esize, imm))                    \
  OP(VZeroExtend,       'V', "v",    Pure,                   lanes::uxtl(a, esize, imm))                    \
  /* the low half of each lane of twice esize; upper half of the result zero */                             \
  OP(VNarrow,           'V', "v",    Pure,                   lanes::xtn(a, esize))

// Long: lanes of esize from the low (imm 0) or high (imm 1) half, products twice as large.
#define TCG_IR_VECTOR_MULTIPLY_OPS(OP)                                                                      \
  OP(VSMulLong,         'V', "vv",   Pure | Commutative,     lanes::smull(a, b, esize, imm))                \
  OP(VUMulLong,         'V', "vv",   Pure | Commutative,     lanes::umull(a, b, esize, imm))                \
  OP(VPMul,             'V', "vv",   Pure | Commutative,     lanes::pmul(a, b))                             \
  /* polynomial; esize 0 or 3 */                                                                            \
  OP(VPMulLong,         'V', "vv",   Pure | Commutative,     lanes::pmull(a, b, esize, imm))                \
  /* 32-bit lanes of a plus sums of four byte products of b and c: SDOT, UDOT; US: b unsigned, c signed */  \
  OP(VSDot,             'V', "vvv",  Pure,                   lanes::sdot(a, b, c))                          \
  OP(VUDot,             'V', "vvv",  Pure,                   lanes::udot(a, b, c))                          \
  OP(VUsDot,            'V', "vvv",  Pure,                   lanes::usdot(a, b, c))                         \
  /* 2x8 by 8x2 matrix products */                                                                          \
  OP(VSMatMul,          'V', "vvv",  Pure,                   lanes::smmla(a, b, c))                         \
  OP(VUMatMul,          'V', "vvv",  Pure,                   lanes::ummla(a, b, c))                         \
  OP(VUsMatMul,         'V', "vvv",  Pure,                   lanes::usmmla(a, b, c))                        \
  /* of 32-bit lanes: URECPE, URSQRTE */                                                                     \
  OP(VURecipEstimate,   'V', "v",    Pure,                   lanes::urecpe(a))                              \
  OP(VURSqrtEstimate,   'V', "v",    Pure,                   lanes::ursqrte(a))

// The instructions of these names; operands in the order Vd (if it is read), Vn, Vm, Va.
#define TCG_IR_CRYPTO_OPS(OP)                                                                               \
  OP(VAesE,             'V', "vv",   Pure | Commutative,     crypto::aese(a, b))                            \
  OP(VAesD,             'V', "vv",   Pure | Commutative,     crypto::aesd(a, b))                            \
  OP(VAesMc,            'V', "v",    Pure,                   crypto::aesmc(a))                              \
  OP(VAesImc,           'V', "v",    Pure,                   crypto::aesimc(a))                             \
  /* what follows AddRoundKey in a middle round, then the next key: AESMC(AESE(a, 0)) ^ b; AESIMC(AESD(a, 0)) ^ b */ \
  OP(VAesRoundE,        'V', "vv",   Pure,                   crypto::aes_round(a, b))                       \
  OP(VAesRoundD,        'V', "vv",   Pure,                   crypto::aes_inverse_round(a, b))               \
  OP(VSha1C,            'V', "vvv",  Pure,                   crypto::sha1c(a, b, c))                        \
  OP(VSha1P,            'V', "vvv",  Pure,                   crypto::sha1p(a, b, c))                        \
  OP(VSha1M,            'V', "vvv",  Pure,                   crypto::sha1m(a, b, c))                        \
  OP(VSha1H,            'V', "v",    Pure,                   crypto::sha1h(a))                              \
  OP(VSha1Su0,          'V', "vvv",  Pure,                   crypto::sha1su0(a, b, c))                      \
  OP(VSha1Su1,          'V', "vv",   Pure,                   crypto::sha1su1(a, b))                         \
  /* two rounds: a is h:g:d:c, b f:e:b:a, the low half of c the two words with their constants; the next f:e:b:a */ \
  OP(VSha256Rounds,     'V', "vvv",  Pure,                   crypto::sha256_rounds(a, b, c))                \
  OP(VSha256H,          'V', "vvv",  Pure,                   crypto::sha256h(a, b, c))                      \
  OP(VSha256H2,         'V', "vvv",  Pure,                   crypto::sha256h2(a, b, c))                     \
  OP(VSha256Su0,        'V', "vv",   Pure,                   crypto::sha256su0(a, b))                       \
  OP(VSha256Su1,        'V', "vvv",  Pure,                   crypto::sha256su1(a, b, c))                    \
  OP(VSha512H,          'V', "vvv",  Pure,                   crypto::sha512h(a, b, c))                      \
  OP(VSha512H2,         'V', "vvv",  Pure,                   crypto::sha512h2(a, b, c))                     \
  OP(VSha512Su0,        'V', "vv",   Pure,                   crypto::sha512su0(a, b))                       \
  OP(VSha512Su1,        'V', "vvv",  Pure,                   crypto::sha512su1(a, b, c))                    \
  OP(VRax1,             'V', "vv",   Pure,                   crypto::rax1(a, b))                            \
  /* imm: rotate right by */                                                                                \
  OP(VXar,              'V', "vv",   Pure,                   crypto::xar(a, b, unsigned(imm)))              \
  OP(VSm3Ss1,           'V', "vvv",  Pure,                   crypto::sm3ss1(a, b, c))                       \
  /* imm: lane of c; aux: 0 TT1A, 1 TT1B, 2 TT2A, 3 TT2B */                                                 \
  OP(VSm3Tt,            'V', "vvv",  Pure,                   crypto::sm3tt(a, b, c, unsigned(imm), aux))    \
  OP(VSm3PartW1,        'V', "vvv",  Pure,                   crypto::sm3partw1(a, b, c))                    \
  OP(VSm3PartW2,        'V', "vvv",  Pure,                   crypto::sm3partw2(a, b, c))                    \
  OP(VSm4E,             'V', "vv",   Pure,                   crypto::sm4e(a, b))                            \
  OP(VSm4EKey,          'V', "vv",   Pure,                   crypto::sm4ekey(a, b))
// clang-format on
