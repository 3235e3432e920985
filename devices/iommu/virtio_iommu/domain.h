// devices/iommu/virtio_iommu/domain.h: what a virtio-iommu keeps per endpoint and per domain.
// VIRTIO 1.3, 5.13.6.
#pragma once
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "memory/mapping_table.h"

namespace sluice::virtio_iommu {

// 5.13.6.6.3: virtual addresses that an endpoint cannot have mapped. Through a doorbell of interrupts (Msi)
// its writes pass untranslated.
struct ReservedRegion {
  enum class Subtype : u8 { Reserved = 0, Msi = 1 };
  InclusiveRange range;
  Subtype subtype = Subtype::Reserved;
  bool operator==(const ReservedRegion&) const = default;
};

// Sorted, disjoint, with touching and overlapping Reserved ones joined, and with the Msi one taken out of the
// others. The error says what a device SHOULD NOT present: two different Msi regions, or an upside-down
// range.
Result<std::vector<ReservedRegion>> normalised(std::vector<ReservedRegion> regions);

struct Domain;

struct Endpoint {
  Endpoint(u32 id_, std::vector<ReservedRegion> reserved_) : id(id_), reserved(std::move(reserved_)) {}
  const u32 id;
  const std::vector<ReservedRegion> reserved;
  std::atomic<const Domain*> domain{nullptr};  // nullptr: unattached
};

// Exists as long as an endpoint is attached.
struct Domain {
  Domain(u32 id_, bool bypass_, EpochDomain& epochs) : id(id_), bypass(bypass_), mappings(epochs) {}
  const u32 id;
  const bool bypass;
  MappingTable mappings;
  std::vector<u32> endpoints;  // in order of attachment; the committing thread's
};

// The endpoints that the machine has wired to one IOMMU. Immutable: a change makes a new one.
class EndpointDirectory {
 public:
  EndpointDirectory() = default;
  explicit EndpointDirectory(std::vector<std::shared_ptr<Endpoint>> endpoints);
  Endpoint* find(u32 id) const;
  const std::vector<std::shared_ptr<Endpoint>>& all() const { return endpoints_; }  // ascending

 private:
  std::vector<u32> ids_;
  std::vector<std::shared_ptr<Endpoint>> endpoints_;
};

}  // namespace sluice::virtio_iommu
