// devices/iommu/smmuv3/invalidation.h: what each CMD_CFGI_* and CMD_TLBI_* removes, and who has to be told.
#pragma once
#include "devices/iommu/smmuv3/command.h"
#include "devices/iommu/smmuv3/configuration_cache.h"

namespace sluice::smmuv3 {

struct Caches {
  ConfigurationCache configuration;
  Iotlb iotlb;
  bool e2h = false;  // SMMU_CR2.E2H, for CMD_TLBI_EL2_*
};

// Step 1 of the invalidation protocol (docs/invalidation.md): removes, and appends to `unmaps` what to
// publish afterwards. `removed`: IOTLB and configuration entries that went. False: CERROR_ILL; nothing
// happened.
bool invalidate(const Smmuv3Config& config, const Command& command, Caches& caches,
                ConfigurationCache::Unmaps& unmaps, size_t& removed);

}  // namespace sluice::smmuv3
