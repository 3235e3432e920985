// tcg/interp/interpreter.h: runs IR as it is. The reference for every back end.
#pragma once
#include <span>

#include "tcg/exec_state.h"
#include "tcg/ir/block.h"

namespace sluice::tcg {

// Runs one block from its first op until it exits; then state.pc is where the guest goes on (or an exception
// was taken). `insns`: guest instructions of the block (icount mode takes them from state.icount_left).
void interpret(ExecState& state, u64 pc, u32 insns, std::span<const ir::Inst> insts, bool icount) noexcept;

// The same for a region, whose Labels look at `attention`. Not under icount.
void interpret_region(ExecState& state, const ir::Block& region) noexcept;

}  // namespace sluice::tcg
