// tcg/x86_64/flag_uses.h: what becomes of each Flags value of a block. A comparison leaves it in EFLAGS,
// where the next few ops may find it; only who needs the word itself makes it worth putting one together, and
// who comes when EFLAGS are lost compares again.
#pragma once
#include <vector>

#include "tcg/ir/block.h"

namespace sluice::tcg::x86_64 {

// Ops that leave EFLAGS alone (moves only), so that a comparison can be used several times.
bool keeps_host_flags(ir::Op op);

class FlagUses {
 public:
  void analyse(const ir::Block& block);
  // Somebody needs the word (Flags::word) of the value.
  bool needs_word(ir::ValueId flags) const { return needs_word_[flags]; }
  // The op at `at` evaluates a condition that EFLAGS do not hold any more; the value can be compared again.
  bool compares_again(size_t at) const { return compares_again_[at]; }

 private:
  void follow(const ir::Block& block, size_t def, unsigned uses);
  std::vector<bool> needs_word_, compares_again_;
};

}  // namespace sluice::tcg::x86_64
