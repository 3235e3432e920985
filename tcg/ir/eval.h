// tcg/ir/eval.h: the meaning of every op that is not `system`, as functions made from the op table.
#pragma once
#include "tcg/ir/frame.h"
#include "tcg/ir/ops.h"

namespace sluice::tcg::ir {

// Operands are zero-extended; the result still has to be truncated to the result type.
using IntegerFunction = u64 (*)(u64 a, u64 b, u64 c, u64 imm, unsigned bits, unsigned aux);
using VectorFunction = void (*)(EvalFrame&);

struct Meaning {
  IntegerFunction integer = nullptr;  // integer rows
  VectorFunction vector = nullptr;    // vector and FP rows
};
const Meaning& meaning(Op op);

constexpr u64 truncate_to(Type type, u64 v) { return bits_of(type) == 32 ? u32(v) : v; }

// True for integer rows, the first of the table: evaluated from and to plain u64.
constexpr bool is_integer_op(Op op) {
#define OP(...) +1
  return unsigned(op) < unsigned(TCG_IR_INTEGER_OPS(OP));
#undef OP
}

}  // namespace sluice::tcg::ir
