// tcg/x86_64/pins.h: the slots of guest state that a region keeps in host registers from end to end: loaded
// at its entry, stored where something else may look at them. In a loop this takes the memory out of every
// dependency from one turn to the next.
#pragma once
#include <span>
#include <vector>

#include "tcg/ir/block.h"
#include "tcg/x86_64/registers.h"

namespace sluice::tcg::x86_64 {

struct Pin {
  u32 offset;  // of the slot in the guest state
  u8 reg;      // number of the GP register (64-bit slots) or of the XMM register (128-bit slots)
  bool is_xmm;
  bool written;  // by the region
};

class Pins {
 public:
  // Those of a region that are used most, inner loops first; none for a plain block.
  void choose(const ir::Block& block);
  const Pin* find(u32 offset) const {
    for (const Pin& p : pins_)
      if (p.offset == offset) return &p;
    return nullptr;
  }
  std::span<const Pin> all() const { return pins_; }
  bool empty() const { return pins_.empty(); }
  u32 gp_mask() const { return gp_mask_; }
  u32 xmm_mask() const { return xmm_mask_; }

 private:
  std::vector<Pin> pins_;
  u32 gp_mask_ = 0, xmm_mask_ = 0;
};

}  // namespace sluice::tcg::x86_64
