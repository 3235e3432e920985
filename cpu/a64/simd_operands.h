// cpu/a64/simd_operands.h: the operand tokens that the templates of Advanced SIMD and floating-point rows add
// to those of cpu/a64/disassembler.cpp.
//   <Vd.c>  vector d, n, m or a with an arrangement: c is i (size and Q), f (sz and Q), h (halves), s (immh
//   and Q), 5 (imm5
//           and Q), w, W, g (lanes twice those of size, immh or sz, 128 bits), l (the same with Q), j (half
//           those of sz), p (two lanes by sz), b, x, t (bytes, two or four halves, singles, by Q), or the
//           arrangement itself.
//   <Ed.c>  scalar d, n, m: c is i, f, h, s, 5 as above, w (twice size), W (twice immh), g (twice sz), or B,
//   H, S, D, Q. <M.c>   the indexed element of a multiplication: i, f, h, b (four bytes), c (a complex pair).
//   <L.d>, <L.n>, <L.4>  the element that imm5 (imm4) names in Vd, Vn and Vn.
//   <Fd>    scalar floating-point register of the type `ptype`. <Y5> X or W register n by imm5.
//           <Qd> X or W register d by Q. <G15> scalar d of the type in bits 16:15 (FCVT).
//   <table> <shl> <shr> <shll> <fbits> <rot11> <rot12> <rot13> <cond> <fimm> <imm> <sm3>  what they say
#pragma once
#include <string>
#include <string_view>

#include "base/types.h"

namespace sluice::cpu::a64 {

// "" when the token is not one of these.
std::string simd_operand(std::string_view token, u32 word);

}  // namespace sluice::cpu::a64
