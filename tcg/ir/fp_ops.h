// tcg/ir/fp_ops.h: the rows of the IR op table that do floating point on lanes of 128-bit vectors.
// `esize` is log2 of the lane size in bytes (1 half, 2 single, 3 double), `aux` the number of lanes that take
// part (1 for scalar instructions); the other lanes of the result are zero and raise nothing. Rounding and
// flush modes come from FPCR in the state, cumulative exceptions go to FPSR there. The meanings are in
// tcg/ir/fp_meaning.h over tcg/fp.
#pragma once

// clang-format off
#define TCG_IR_FP_OPS(OP) TCG_IR_FP_ARITHMETIC_OPS(OP) TCG_IR_FP_CONVERT_OPS(OP)

#define TCG_IR_FP_ARITHMETIC_OPS(OP)                                                                        \
  OP(FNeg,              'V', "v",    Pure,                   fpl::neg(a, esize, aux))                       \
  OP(FAbs,              'V', "v",    Pure,                   fpl::abs(a, esize, aux))                       \
  OP(FAdd,              'V', "vv",   TouchesFpsr,            fpl::add(a, b, esize, aux, state))             \
  OP(FSub,              'V', "vv",   TouchesFpsr,            fpl::sub(a, b, esize, aux, state))             \
  OP(FMul,              'V', "vv",   TouchesFpsr,            fpl::mul(a, b, esize, aux, state))             \
  OP(FDiv,              'V', "vv",   TouchesFpsr,            fpl::div(a, b, esize, aux, state))             \
  OP(FSqrt,             'V', "v",    TouchesFpsr,            fpl::sqrt(a, esize, aux, state))               \
  OP(FMulX,             'V', "vv",   TouchesFpsr,            fpl::mulx(a, b, esize, aux, state))            \
  OP(FAbd,              'V', "vv",   TouchesFpsr,            fpl::abd(a, b, esize, aux, state))             \
  /* a + b * c, fused. imm bit 0: a is negated first; bit 1: b is */                                        \
  OP(FMulAdd,           'V', "vvv",  TouchesFpsr,            fpl::muladd(a, b, c, esize, aux, imm, state))  \
  /* IEEE 754-2008 maximum and so on; Num: a quiet NaN is missing data */                                   \
  OP(FMax,              'V', "vv",   TouchesFpsr,            fpl::max(a, b, esize, aux, state))             \
  OP(FMin,              'V', "vv",   TouchesFpsr,            fpl::min(a, b, esize, aux, state))             \
  OP(FMaxNum,           'V', "vv",   TouchesFpsr,            fpl::maxnum(a, b, esize, aux, state))          \
  OP(FMinNum,           'V', "vv",   TouchesFpsr,            fpl::minnum(a, b, esize, aux, state))          \
  /* Newton steps: 2 - a * b, (3 - a * b) / 2, fused */                                                     \
  OP(FRecipStep,        'V', "vv",   TouchesFpsr,            fpl::recps(a, b, esize, aux, state))           \
  OP(FRSqrtStep,        'V', "vv",   TouchesFpsr,            fpl::rsqrts(a, b, esize, aux, state))          \
  OP(FRecipEstimate,    'V', "v",    TouchesFpsr,            fpl::recpe(a, esize, aux, state))              \
  OP(FRSqrtEstimate,    'V', "v",    TouchesFpsr,            fpl::rsqrte(a, esize, aux, state))             \
  OP(FRecipExponent,    'V', "v",    TouchesFpsr,            fpl::recpx(a, esize, aux, state))              \
  /* lane i is lanes 2i and 2i+1 of b:a, each of aux lanes */                                               \
  OP(FAddPair,          'V', "vv",   TouchesFpsr,            fpl::addp(a, b, esize, aux, state))            \
  OP(FMaxPair,          'V', "vv",   TouchesFpsr,            fpl::maxp(a, b, esize, aux, state))            \
  OP(FMinPair,          'V', "vv",   TouchesFpsr,            fpl::minp(a, b, esize, aux, state))            \
  OP(FMaxNumPair,       'V', "vv",   TouchesFpsr,            fpl::maxnump(a, b, esize, aux, state))         \
  OP(FMinNumPair,       'V', "vv",   TouchesFpsr,            fpl::minnump(a, b, esize, aux, state))         \
  /* of aux lanes into lane 0, in the tree order of the pseudocode's Reduce() */                            \
  OP(FMaxAcross,        'V', "v",    TouchesFpsr,            fpl::maxv(a, esize, aux, state))               \
  OP(FMinAcross,        'V', "v",    TouchesFpsr,            fpl::minv(a, esize, aux, state))               \
  OP(FMaxNumAcross,     'V', "v",    TouchesFpsr,            fpl::maxnumv(a, esize, aux, state))            \
  OP(FMinNumAcross,     'V', "v",    TouchesFpsr,            fpl::minnumv(a, esize, aux, state))            \
  /* a lane of ones or zeros. imm 1: of absolute values (FACGE, FACGT) */                                   \
  OP(FCmpEq,            'V', "vv",   TouchesFpsr,            fpl::cmeq(a, b, esize, aux, state))            \
  OP(FCmpGe,            'V', "vv",   TouchesFpsr,            fpl::cmge(a, b, esize, aux, imm, state))       \
  OP(FCmpGt,            'V', "vv",   TouchesFpsr,            fpl::cmgt(a, b, esize, aux, imm, state))       \
  /* of lane 0. imm 1: quiet NaNs are invalid too (FCMPE) */                                                \
  OP(FCompare,          'F', "vv",   TouchesFpsr,            fpl::compare(a, b, esize, imm, state))         \
  /* aux: condition on c; if it fails the flags are imm<11:8> (NZCV) and nothing is raised. imm<0> as above */ \
  OP(FCondCompare,      'F', "vvf",  TouchesFpsr,            fpl::cond_compare(a, b, c, esize, imm, aux, state)) \
  /* pairs (real, imaginary): a + b rotated by imm degrees (90, 270) */                                     \
  OP(FComplexAdd,       'V', "vv",   TouchesFpsr,            fpl::cadd(a, b, esize, aux, unsigned(imm), state)) \
  /* a + (part of b) * c rotated by imm degrees: FCMLA */                                                   \
  OP(FComplexMulAdd,    'V', "vvv",  TouchesFpsr,            fpl::cmla(a, b, c, esize, aux, unsigned(imm), state)) \
  /* single lanes of a plus products of half lanes of b and c. imm bit 0: the upper aux half lanes of b and c;  */ \
  /* bit 1: b is negated first: FMLAL, FMLSL */                                                             \
  OP(FMulAddLong,       'V', "vvv",  TouchesFpsr,            fpl::mlal(a, b, c, aux, imm, state))

// A conversion is packed into imm by FpConversion (tcg/ir/fp_conversion.h).
#define TCG_IR_FP_CONVERT_OPS(OP)                                                                           \
  OP(FRoundInt,         'V', "v",    TouchesFpsr,            fpl::round_int(a, esize, aux, imm, state))     \
  /* FRINT32*, FRINT64*: to a range of `size` bits */                                                       \
  OP(FRoundIntSized,    'V', "v",    TouchesFpsr,            fpl::round_int_sized(a, esize, aux, imm, state)) \
  /* lanes of the same size on both sides */                                                                \
  OP(FToFixed,          'V', "v",    TouchesFpsr,            fpl::to_fixed(a, esize, aux, imm, state))      \
  OP(FFromFixed,        'V', "v",    TouchesFpsr,            fpl::from_fixed(a, esize, aux, imm, state))    \
  /* lane 0 to and from an integer of `size` bits (zero-extended) */                                        \
  OP(FToInt,            'X', "v",    TouchesFpsr,            fpl::to_int(a, esize, imm, state))             \
  OP(FFromInt,          'V', "x",    TouchesFpsr,            fpl::from_int(a.lo, esize, imm, state))        \
  /* FJCVTZS: bits 31:0 the integer, bits 35:32 NZCV */                                                     \
  OP(FToIntJavaScript,  'X', "v",    TouchesFpsr,            fpl::to_int_js(a, state))                      \
  /* between formats: esize the source's, imm<1:0> the result's; imm<2>: from the upper half of a; imm<3>: round to odd */ \
  OP(FConvert,          'V', "v",    TouchesFpsr,            fpl::convert(a, esize, aux, imm, state))
// clang-format on
