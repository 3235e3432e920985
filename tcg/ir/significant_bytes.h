// tcg/ir/significant_bytes.h: what is known of the upper part of vectors.
#pragma once
#include <vector>

#include "tcg/ir/block.h"

namespace sluice::tcg::ir {

// How many low bytes of the result of `i` may be other than zero; `known` says it of earlier values (16 of
// what is no vector).
unsigned significant_bytes(const Inst& i, const std::vector<u8>& known);
// For each value of the block.
std::vector<u8> significant_bytes(const Block& block);

}  // namespace sluice::tcg::ir
