// tests/bench/iommu_guest/viommu.h: requests to a virtio-iommu (VIRTIO 1.3, 5.13.6), collected and made
// available many at a time.
#pragma once
#include "virtio.h"

// Domain 1, with the endpoint kEndpoint attached. False: there is no such IOMMU.
bool viommu_start(void);
void viommu_map(u64 iova, u64 bytes, u64 output);
void viommu_unmap(u64 iova, u64 bytes);
// What has been collected is done when it returns: how many requests were refused so far.
u32 viommu_flush(void);
