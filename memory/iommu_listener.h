// memory/iommu_listener.h: one consumer's registration with one translation context of an IOMMU.
// For consumers that cannot ask at every access: containers that mirror the mappings (memory/host_iommu.h)
// and devices with a TLB of their own. Whoever caches translations inside Sluice uses Participant::follow.
#pragma once
#include <functional>
#include <memory>

#include "base/result.h"
#include "memory/iommu_region.h"

namespace sluice {

class IommuListener {
 public:
  // Called on the thread that commits, with the IOMMU's commits held up: must not wait, nor register.
  struct Handlers {
    std::function<void(const IommuMapped&)> mapped{};
    std::function<void(InclusiveRange)> unmapped{};
  };

  // Hears of what concerns `index` and lies in `window`, clipped to it, in the order of the commits. With
  // Map, `mapped` is first called for all that is reachable already, for this listener alone. An error is the
  // IOMMU's reason to refuse these events. The IOMMU may die first.
  static Result<std::unique_ptr<IommuListener>> listen(IommuRegion& region, IommuIndex index,
                                                       IommuEvents events, InclusiveRange window,
                                                       Handlers handlers);
  ~IommuListener();
  IommuListener(const IommuListener&) = delete;
  IommuListener& operator=(const IommuListener&) = delete;

 private:
  IommuListener(IommuIndex index, InclusiveRange window, Handlers handlers);
  void on_map(IommuMapped mapped) const;
  void on_unmap(const IommuUnmap& unmap) const;

  const IommuIndex index_;
  const InclusiveRange window_;
  const Handlers handlers_;
  std::unique_ptr<Publisher<IommuMapped>::Subscription> maps_;
  std::unique_ptr<Publisher<IommuUnmap>::Subscription> unmaps_;
};

}  // namespace sluice
