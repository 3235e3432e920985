// tcg/opt/value_map.h: what a pass notes about each instruction of a block: one ValueId, at first undefined.
#pragma once
#include <memory>

#include "tcg/ir/block.h"

namespace sluice::tcg {

class ValueMap {
 public:
  explicit ValueMap(const ir::Block& block) {
    size_t n = block.insts.size();
    if (n > kHere) more_ = std::make_unique_for_overwrite<ir::ValueId[]>(n);
    at_ = more_ ? more_.get() : here_;
  }
  ir::ValueId& operator[](size_t n) { return at_[n]; }
  // Replaces the operands of `inst` by what they map to.
  void apply_to(ir::Inst& inst) const {
    for (ir::ValueId& a : inst.args)
      if (a != ir::kNoValue) a = at_[a];
  }

 private:
  static constexpr size_t kHere = 1024;  // most blocks have fewer
  ir::ValueId here_[kHere];
  std::unique_ptr<ir::ValueId[]> more_;
  ir::ValueId* at_;
};

}  // namespace sluice::tcg
