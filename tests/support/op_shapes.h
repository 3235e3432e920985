// tests/support/op_shapes.h: which lane sizes, lane counts and immediates a vector or FP op of the IR has, as
// the comments of tcg/ir/vector_ops.h and tcg/ir/fp_ops.h say.
#pragma once
#include <vector>

#include "tcg/ir/ops.h"

namespace sluice::test {

struct OpShape {
  u8 esize = 0;  // log2 of the lane size in bytes
  u64 imm = 0;
  u8 aux = 0;
};

// Every shape, or those with the most frequent immediates of each kind where there are very many.
std::vector<OpShape> shapes_of(tcg::ir::Op op);
bool is_fp_op(tcg::ir::Op op);

#define OP(name, ...) tcg::ir::Op::name,
inline constexpr tcg::ir::Op kVectorAndFpOps[] = {TCG_IR_VECTOR_OPS(OP) TCG_IR_FP_OPS(OP)};
#undef OP

}  // namespace sluice::test
