#include "memory/iommu_region.h"

namespace sluice {

IommuRegion::~IommuRegion() {
  // Whoever still holds something of ours forgets it before the address can mean another region to it.
  unmaps_.publish({.all_indexes = true});
  hub_.region_died();
}

std::string IommuRegion::refuse_events(IommuIndex, IommuEvents wanted) const {
  if (!includes(wanted, IommuEvents::Map)) return {};
  return name() + " cannot tell what becomes mapped: it publishes only what must be forgotten";
}

Ticket IommuRegion::publish_unmap(const IommuUnmap& unmap) {
  epoch_.fetch_add(1, std::memory_order_seq_cst);
  unmaps_.publish(unmap);
  return hub_.ticket();
}

}  // namespace sluice
