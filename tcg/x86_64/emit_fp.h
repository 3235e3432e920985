// tcg/x86_64/emit_fp.h: floating point on AVX and FMA with Arm's results, for single and double precision
// without flush-to-zero, and what is exact of half precision.
//
// Where x86 and Arm differ the result says so: a NaN (which operand's, quiet or default, its sign), or, since
// Arm detects tininess before rounding and x86 after it, a result of exactly the smallest normal number.
// Those results are computed again by the op's meaning, out of line. Everything else is bit-exact in every
// rounding mode, and MXCSR's flags are FPSR's. An emitter must not let x86 raise what Arm does not: flags
// that are set cannot be taken back.
#pragma once
#include <array>
#include <span>

#include "base/bits.h"
#include "tcg/ir/fp_conversion.h"
#include "tcg/x86_64/compiler.h"

namespace sluice::tcg::x86_64 {

using asmjit::imm;
using ir::FpConversion;
namespace X = x86::Inst;
using Id = X::Id;

struct FpRow {
  Op op;
  VectorEmitter emit;
};
std::span<const FpRow> fp_comparison_emitters();
std::span<const FpRow> fp_conversion_emitters();

// Packed and scalar forms for single and double.
struct FpIds {
  Id ss, sd, ps, pd;
  constexpr Id of(bool is_double, bool scalar) const {
    return scalar ? (is_double ? sd : ss) : (is_double ? pd : ps);
  }
};

// The lanes that take part.
struct FpShape {
  bool is_double, scalar, whole;
  bool half() const { return !scalar && !whole; }  // of a 64-bit vector
};
// False: half precision, or lanes that no emitter here handles.
inline bool fp_shape(const Inst& i, FpShape& s) {
  if (i.esize != 2 && i.esize != 3) return false;
  s = {i.esize == 3, i.aux == 1, (unsigned(i.aux) << i.esize) == 16};
  return s.scalar || s.whole || (i.esize == 2 && i.aux == 2);
}

enum class Suspect : u8 { NaN, NaNOrMinNormal };

// All bits above the lowest lane are known to be zero.
inline bool upper_is_zero(Compiler& c, ValueId v, unsigned esize) {
  return c.significant_bytes(v) <= 1u << esize;
}
// d with zeros above the lanes that take part.
inline void zero_above(Compiler& c, Xmm d, const FpShape& s) {
  s.is_double || !s.scalar ? c.a.vmovq(d, d) : c.a.vinsertps(d, d, d, imm(0x0e));
}
// An operand with zeros above the lanes that take part, so that nothing is raised there.
Xmm use_fp_lanes(Compiler& c, const Inst& i, unsigned k, const FpShape& s);

// Out of line: the op again, by its meaning. Every register is kept; the operands are still where they were.
void again_by_meaning(Compiler& c, const Inst& i, Label slow, Label done, std::array<Xmm, 3> operands, Xmm d);
// The same for an op whose result goes to a general register.
void again_by_meaning(Compiler& c, const Inst& i, Label slow, Label done, Xmm operand, Gp d);

// Jumps to `slow` when a lane of d is suspect. Lanes that do not take part are zero or harmless.
void check(Compiler& c, Xmm d, const FpShape& s, Suspect what, Label slow);
// Jumps to `slow` when a bit of the scratch register is set.
inline void when_scratch(Compiler& c, Label slow) {
  c.a.vptest(kScratchXmm, kScratchXmm);
  c.a.jnz(slow);
}

// The even and the odd lanes of y:x, with zeros above.
void even_and_odd(Compiler& c, Xmm even, Xmm odd, Xmm x, Xmm y, const FpShape& s);

// Constants of both lane sizes.
inline Mem fp_lanes(Compiler& c, const FpShape& s, u64 single, u64 dbl) {
  return s.is_double ? c.constant(dbl) : c.constant(single << 32 | single);
}
inline Mem fp_abs_mask(Compiler& c, const FpShape& s) {
  const FpConstants& k = *c.thunks().constants;
  return x86::ptr(u64(s.is_double ? k.abs64 : k.abs32), 16);
}

}  // namespace sluice::tcg::x86_64
