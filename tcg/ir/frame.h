// tcg/ir/frame.h: how one IR op is evaluated outside generated code. The interpreter runs every op this way;
// the back end runs those ops this way for which it has no emitter.
#pragma once
#include "tcg/exec_state.h"
#include "tcg/vec.h"

namespace sluice::tcg::ir {

struct EvalFrame {
  Vec out;
  Vec in[4];
  u64 imm = 0;
  u8 bits = 64;  // width of an integer op: 32 or 64; inputs and results of 32-bit ops are zero-extended
  u8 esize = 0;  // log2 of the lane size in bytes
  u8 aux = 0;    // the op's own: condition, lane count, ...
  ExecState* state = nullptr;
};

}  // namespace sluice::tcg::ir
