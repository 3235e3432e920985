// tcg/ir/fp_meaning.h: the functions that the meanings of the rows of tcg/ir/fp_ops.h call: tcg/fp, lane by
// lane, with FPCR and FPSR of the state.
#pragma once
#include "tcg/exec_state.h"
#include "tcg/vec.h"

namespace sluice::tcg::ir::fpl {

using Signs = Vec(const Vec& a, unsigned esize, unsigned count);
using Unary = Vec(const Vec& a, unsigned esize, unsigned count, ExecState& state);
using Binary = Vec(const Vec& a, const Vec& b, unsigned esize, unsigned count, ExecState& state);
using Conversion = Vec(const Vec& a, unsigned esize, unsigned count, u64 conversion, ExecState& state);

Signs neg, abs;
Binary add, sub, mul, div, mulx, abd, max, min, maxnum, minnum, recps, rsqrts;
Unary sqrt, recpe, rsqrte, recpx;
Vec muladd(const Vec& a, const Vec& b, const Vec& c, unsigned esize, unsigned count, u64 negated,
           ExecState& state);
Binary addp, maxp, minp, maxnump, minnump;
Unary maxv, minv, maxnumv, minnumv;
Binary cmeq;
Vec cmge(const Vec& a, const Vec& b, unsigned esize, unsigned count, u64 absolute, ExecState& state);
Vec cmgt(const Vec& a, const Vec& b, unsigned esize, unsigned count, u64 absolute, ExecState& state);
// Flags::word.
u32 compare(const Vec& a, const Vec& b, unsigned esize, u64 signal_nans, ExecState& state);
u32 cond_compare(const Vec& a, const Vec& b, const Vec& flags, unsigned esize, u64 imm, unsigned condition,
                 ExecState& state);
Vec cadd(const Vec& a, const Vec& b, unsigned esize, unsigned count, unsigned degrees, ExecState& state);
Vec cmla(const Vec& a, const Vec& b, const Vec& c, unsigned esize, unsigned count, unsigned degrees,
         ExecState& state);
Vec mlal(const Vec& a, const Vec& b, const Vec& c, unsigned count, u64 imm, ExecState& state);

// fp_convert_meaning.cpp; `conversion` is a packed FpConversion.
Conversion round_int, round_int_sized, to_fixed, from_fixed;
u64 to_int(const Vec& a, unsigned esize, u64 conversion, ExecState& state);
Vec from_int(u64 a, unsigned esize, u64 conversion, ExecState& state);
u64 to_int_js(const Vec& a, ExecState& state);
Vec convert(const Vec& a, unsigned esize, unsigned count, u64 imm, ExecState& state);

}  // namespace sluice::tcg::ir::fpl
