// devices/iommu/smmuv3/event.h: IHI 0070 7.3 "Event records".
#pragma once
#include <array>

#include "devices/iommu/smmuv3/translation.h"

namespace sluice::smmuv3 {

using EventRecord = std::array<u64, 4>;

EventRecord make_event(const Refusal& refusal, StreamId id, u64 input);

}  // namespace sluice::smmuv3
