// devices/gic/active_priorities.h: the active priorities of one group of one CPU interface: ICC_AP0R<n>_EL1,
// ICC_AP1R<n>_EL1 (IHI 0069H) and GICC_APR<n>, GICC_NSAPR<n> (IHI 0048B). One bit per preemption level.
#pragma once
#include <array>
#include <bit>

#include "base/types.h"

namespace sluice {

class ActivePriorities {
 public:
  static constexpr u32 kIdle = 0x100;  // lower than any priority

  // `preemption_bits`: how many upper bits of a priority can be a group priority, 4..7.
  explicit ActivePriorities(unsigned preemption_bits) : shift_(8 - preemption_bits) {}

  void clear() {
    words_ = {};
    running_ = kIdle;
  }
  void activate(u8 group_priority) {
    unsigned level = group_priority >> shift_;
    words_[level / 32] |= u32{1} << level % 32;
    find_running();
  }
  // The highest active group priority, or kIdle.
  u32 running() const { return running_; }
  // Priority drop.
  void drop() {
    for (u32& w : words_) {
      if (!w) continue;
      w &= w - 1;
      break;
    }
    find_running();
  }
  unsigned registers() const { return shift_ >= 3 ? 1 : shift_ == 2 ? 2 : 4; }
  u32 read(unsigned n) const { return words_[n & 3]; }
  void write(unsigned n, u32 value) {
    u32 levels = u32{1} << (8 - shift_);
    if (n < registers()) words_[n] = levels < 32 ? value & ((u32{1} << levels) - 1) : value;
    find_running();
  }

  // The Non-secure view of a GIC with two Security states: the levels of priorities from 0x80 on.
  u32 read_upper_half(unsigned n) const {
    return registers() == 1      ? words_[0] >> half_of_one()
           : n < registers() / 2 ? words_[n + registers() / 2]
                                 : 0;
  }
  void write_upper_half(unsigned n, u32 value) {
    if (registers() == 1)
      write(0, (words_[0] & ((u32{1} << half_of_one()) - 1)) | value << half_of_one());
    else if (n < registers() / 2)
      write(n + registers() / 2, value);
  }

 private:
  unsigned half_of_one() const { return (1u << (8 - shift_)) / 2; }
  void find_running() {
    running_ = kIdle;
    for (unsigned w = registers(); w-- > 0;)
      if (words_[w]) running_ = (w * 32 + unsigned(std::countr_zero(words_[w]))) << shift_;
  }

  unsigned shift_;
  std::array<u32, 4> words_{};
  u32 running_ = kIdle;
};

}  // namespace sluice
