// devices/iommu/smmuv3/table_memory.h: how the SMMU reads its structures and tables, and writes its queues.
// Only memory is reached: a register of a device answers with an external abort, so that no guest can make a
// walk provoke side effects or come back to the SMMU itself. Accesses are Privileged Data (13.1.2), and each
// 64-bit word is single-copy atomic.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "memory/dma.h"

namespace sluice::smmuv3 {

// One structure or descriptor that was read, for people.
struct FetchStep {
  std::string what;
  u64 address;  // as given to the memory: after stage 2
  std::vector<u64> words;
  bool aborted;
};

// "L1 descriptor at 0x40001000: 0x0000000040002003".
std::string text_of(const FetchStep& step);

class TableMemory {
 public:
  TableMemory(const DmaPort& port, Intent intent, std::vector<FetchStep>* steps = nullptr)
      : port_(port), intent_(intent), steps_(steps) {}

  // `address` is 8-byte aligned. False: external abort. The caller holds an EpochDomain::Guard, the same one
  // for all calls.
  bool read(u64 address, std::span<u64> words, bool walk) const;
  bool write(u64 address, std::span<const u64> words) const;
  bool traced() const { return steps_; }
  // With traced() only: names the last read.
  void label(std::string what) const { steps_->back().what = std::move(what); }

 private:
  bool read_near(u64 address, std::span<u64> words) const;

  const DmaPort& port_;
  const Intent intent_;
  // RAM that needs no gate to be passed, around the last read: the other tables are there as well, mostly.
  mutable InclusiveRange near_{1, 0};
  mutable const u8* near_host_ = nullptr;  // of near_.first
  std::vector<FetchStep>* const steps_;
};

}  // namespace sluice::smmuv3
