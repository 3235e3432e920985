#include "memory/iommu_listener.h"

#include <algorithm>

namespace sluice {

IommuListener::IommuListener(IommuIndex index, InclusiveRange window, Handlers handlers)
    : index_(index), window_(window), handlers_(std::move(handlers)) {}

IommuListener::~IommuListener() = default;

Result<std::unique_ptr<IommuListener>> IommuListener::listen(IommuRegion& region, IommuIndex index,
                                                             IommuEvents events, InclusiveRange window,
                                                             Handlers handlers) {
  if (std::string why = region.refuse_events(index, events); !why.empty()) return Failure{std::move(why)};
  std::unique_ptr<IommuListener> listener{new IommuListener(index, window, std::move(handlers))};
  IommuListener* self = listener.get();
  auto on_unmap = [self](const IommuUnmap& unmap) { self->on_unmap(unmap); };
  // A commit is either in the replay or heard of, never both and never neither.
  region.between_commits([&] {
    if (includes(events, IommuEvents::Unmap) ||
        (includes(events, IommuEvents::DeviceTlbUnmap) && !region.has_device_tlb_commands()))
      self->unmaps_ = std::make_unique<Publisher<IommuUnmap>::Subscription>(region.unmaps(), on_unmap);
    else if (includes(events, IommuEvents::DeviceTlbUnmap))
      self->unmaps_ =
          std::make_unique<Publisher<IommuUnmap>::Subscription>(region.device_tlb_unmaps(), on_unmap);
    if (!includes(events, IommuEvents::Map)) return;
    self->maps_ = std::make_unique<Publisher<IommuMapped>::Subscription>(
        region.maps(), [self](const IommuMapped& mapped) { self->on_map(mapped); });
    region.replay(index, [self](const IommuMapped& mapped) { self->on_map(mapped); });
  });
  return listener;
}

void IommuListener::on_map(IommuMapped mapped) const {
  if (mapped.index != index_ || !mapped.input.overlaps(window_)) return;
  u64 first = std::max(mapped.input.first, window_.first);
  mapped.output = mapped.output + (first - mapped.input.first);
  mapped.input = {first, std::min(mapped.input.last, window_.last)};
  handlers_.mapped(mapped);
}

void IommuListener::on_unmap(const IommuUnmap& unmap) const {
  if ((!unmap.all_indexes && unmap.index != index_) || !unmap.range.overlaps(window_)) return;
  handlers_.unmapped({std::max(unmap.range.first, window_.first), std::min(unmap.range.last, window_.last)});
}

}  // namespace sluice
