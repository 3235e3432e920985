// tcg/opt/passes.h: the optimiser: free functions over a block, one file each; and the switches of everything
// that makes translated code faster and can be done without, for bisection (-tcg-opt).
#pragma once
#include <span>
#include <string_view>

#include "tcg/ir/block.h"

namespace sluice::tcg {

enum class Pass : u8 {
  RedundantState,
  ConstantFold,
  DeadCode,
  RedundantChecks,
  FoldAddresses,
  VectorPatterns,
  InlineFp,
  Regions,
  Links,
  JumpCache,
  FetchedPages,
  Contexts,
  kCount
};
struct PassSet {
  u32 bits = 0;
  static constexpr PassSet all() { return {(1u << unsigned(Pass::kCount)) - 1}; }
  static constexpr PassSet none() { return {0}; }
  constexpr bool has(Pass p) const { return bits >> unsigned(p) & 1; }
  constexpr PassSet with(Pass p, bool on) const {
    u32 bit = 1u << unsigned(p);
    return {on ? bits | bit : bits & ~bit};
  }
};
struct PassInfo {
  Pass pass;
  std::string_view name, help;
};
std::span<const PassInfo> all_passes();
// "-name" takes out, "name" puts in, as do "-all" and "all"; separated by commas. Returns the word that is
// none of these, or "".
std::string_view parse_passes(std::string_view words, PassSet& set);

// Reads of guest state that the block has written or read before become the value itself; writes that are
// overwritten before anything can see them go.
void eliminate_redundant_state(ir::Block& block);
// Ops over constants become constants; identities (x + 0, x & x, ...) become their operand.
void fold_constants(ir::Block& block);
// The constant part of an address becomes the displacement of the access.
void fold_addresses(ir::Block& block);
// Equal vector ops become one; sequences of Arm instructions that are one op of the host become that op.
void match_vector_patterns(ir::Block& block);
// Removes pure ops whose results nobody uses, and closes the gaps.
void eliminate_dead_code(ir::Block& block);

// Of several alignment checks (LeaveIfNonZero of a value AND a mask of low bits) of values that differ by
// multiples of the alignment, the first stays: those of the stack pointer, mostly.
void eliminate_redundant_checks(ir::Block& block);

void optimise(ir::Block& block, PassSet passes);

}  // namespace sluice::tcg
