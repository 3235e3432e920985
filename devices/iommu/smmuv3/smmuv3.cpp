#include "devices/iommu/smmuv3/smmuv3.h"

#include <utility>

namespace sluice {

using namespace smmuv3;

namespace {

constexpr u32 kGbpaReset = 0x1000;  // SHCFG: use incoming

}  // namespace

Smmuv3::Smmuv3(InvalidationHub& hub, AddressSpace& downstream, DmaPort port, Clock& clock,
               Smmuv3Config config, Smmuv3Wires wires)
    : IommuRegion(config.name, kWholeSpace, hub),
      config_(std::move(config)),
      downstream_(downstream),
      port_(port),
      clock_(clock),
      wires_(std::move(wires)),
      caches_{ConfigurationCache(config_.config_entries), Iotlb(config_.iotlb_policy, config_.iotlb_entries)},
      slice_(clock, [this] { slice_due(); }) {
  reset_state();
}

Smmuv3::~Smmuv3() = default;

// With the lock held, or in the constructor.
void Smmuv3::reset_state() {
  reset_registers();
  cr0_ = cr0_updating_ = irq_ctrl_ = 0;
  gbpa_ = kGbpaReset | (config_.abort_at_reset ? kGbpaAbort : 0);
  gbpa_updating_ = false;
  for (u32* words : {gerror_cfg_, eventq_cfg_}) std::fill_n(words, 4, 0);
  for (u32* words : {strtab_base_, cmdq_base_, eventq_base_}) std::fill_n(words, 2, 0);
  queue_state_ = QueueState::Idle;
  sync_.reset();
  invalidations_ = {};
  session_++;
  generation_++;
  ConfigurationCache::Unmaps everything;
  caches_.configuration.remove_all(everything);
  caches_.iotlb.remove_everything();
  caches_.e2h = false;
}

void Smmuv3::reset() {
  slice_.cancel();
  {
    auto held = lock();
    reset_state();
    counters_.unmaps_published++;
  }
  hub().complete(publish_unmap(kUnmapAll));
}

}  // namespace sluice
