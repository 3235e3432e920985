#include "memory/host_iommu.h"

#include <algorithm>
#include <cassert>

#include "base/bits.h"
#include "base/log.h"

namespace sluice {
namespace {

std::string hex(u64 value) {
  char text[19];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}
std::string words(InclusiveRange range) { return "[" + hex(range.first) + ", " + hex(range.last) + "]"; }

}  // namespace

std::string PageSizeMask::restrict_to(u64 container, const std::string& who) {
  u64 common = mask_ & container;
  std::string masks = "page sizes " + hex(container) + " of " + who + ", " + hex(mask_) + " of the IOMMU";
  if (!common) return "no page size in common: " + masks;
  if (frozen_) {
    // Larger sizes are hints, and the guest has them already.
    if (common & granule()) return {};
    return "the granule would change from " + hex(granule()) + ", which the guest relies on: " + masks;
  }
  mask_ = common;
  return {};
}

SoftHostIommu::SoftHostIommu(InvalidationHub& hub, Config config)
    : IommuRegion(config.name, kWholeSpace, hub), config_(std::move(config)), table_(epochs_) {
  assert(config_.page_size_mask);
}

SoftHostIommu::~SoftHostIommu() { listener_.reset(); }

std::string SoftHostIommu::mirror(IommuRegion& source, MemTxAttrs attrs, InclusiveRange window) {
  if (listener_) return config_.name + " mirrors an IOMMU already";
  auto on_map = [this](const IommuMapped& mapped) {
    if (std::string why = map(mapped); !why.empty()) guest_error("%s: %s", config_.name.c_str(), why.c_str());
  };
  auto listener =
      IommuListener::listen(source, source.index_for(attrs), IommuEvents::Map | IommuEvents::Unmap, window,
                            {on_map, [this](InclusiveRange range) { unmap(range); }});
  if (!listener) return listener.error();
  listener_ = std::move(*listener);
  return {};
}

void SoftHostIommu::stop_mirroring() {
  listener_.reset();
  unmap({});
}

// Call with mutex_ held.
std::string SoftHostIommu::refuse_map(const IommuMapped& mapped) const {
  u64 granule = PageSizeMask(config_.page_size_mask).granule();
  if (!is_aligned(mapped.input.first | mapped.output.value, granule) ||
      !is_aligned(mapped.input.last + 1, granule))
    return words(mapped.input) + " -> " + hex(mapped.output.value) + " is not aligned to " + hex(granule);
  for (InclusiveRange reserved : config_.reserved)
    if (reserved.overlaps(mapped.input))
      return words(mapped.input) + " overlaps the reserved range " + words(reserved);
  if (table_.overlaps(mapped.input)) return words(mapped.input) + " is in use";
  return {};
}

// Call with mutex_ held. `range` is a part of from.input.
void SoftHostIommu::insert_blocks(InclusiveRange range, const Mapping& from) {
  for_each_power_of_two(range, [&](InclusiveRange block) {
    Mapping piece = from;
    piece.input = block;
    piece.output = from.output + (block.first - from.input.first);
    table_.insert(piece);
  });
}

std::string SoftHostIommu::map(const IommuMapped& mapped) {
  std::lock_guard lock{mutex_};
  std::string why = refuse_map(mapped);
  if (!why.empty()) {
    counters_.refused_maps++;
    return why;
  }
  counters_.maps++;
  insert_blocks(mapped.input, {mapped.input, mapped.output.value, mapped.target, mapped.rights, mapped.mmio});
  return {};
}

// Takes the blocks that the ends of `range` cut out of the table and puts back what lies outside; for a
// moment it is not there. Exact sources never come here, and hardware knows no better.
void SoftHostIommu::keep_outside(InclusiveRange range) {
  for (u64 end : {range.first, range.last}) {
    const std::optional<Mapping> cut = table_.find(end).mapping;
    if (!cut) continue;
    const Mapping& whole = *cut;
    if (whole.input.first >= range.first && whole.input.last <= range.last) continue;
    table_.erase(whole.input);
    if (whole.input.first < range.first) insert_blocks({whole.input.first, range.first - 1}, whole);
    if (whole.input.last > range.last) insert_blocks({range.last + 1, whole.input.last}, whole);
  }
}

void SoftHostIommu::unmap(InclusiveRange range) {
  {
    std::lock_guard lock{mutex_};
    counters_.unmaps++;
    keep_outside(range);
    table_.erase(range);
  }
  // Whoever made this known waits for completion: our message is older than its ticket.
  (void)publish_unmap({IommuIndex{0}, false, range});
}

SoftHostIommu::Counters SoftHostIommu::counters() const {
  std::lock_guard lock{mutex_};
  return counters_;
}

IommuEntry SoftHostIommu::translate(Iova input, Access, IommuIndex, MemTxAttrs, Intent) const {
  EpochDomain::Guard guard(epochs_);
  auto [mapping, hole] = table_.find(input.value);
  if (!mapping) return {.input = hole, .output = {}};
  return {.input = mapping->input,
          .output = {mapping->output},
          .rights = mapping->rights,
          .target = mapping->target};
}

// A host's IOMMU reports a fault to the host, and the guest sees none: here it goes on to the guest's IOMMU,
// whose driver would otherwise look for a fault that nobody recorded. What only the container refuses (the
// host's ranges, what does not fit its granule) the guest's IOMMU knows nothing of: the device has an error,
// and the counter tells.
MemTxResult SoftHostIommu::refuse(Iova input, Access access, MemTxAttrs attrs, const IommuEntry&) {
  {
    std::lock_guard lock{mutex_};
    counters_.refused_accesses++;
  }
  if (!reports_to_) return MemTxResult::access_error();
  const IommuEntry own =
      reports_to_->translate(input, access, reports_to_->index_for(attrs), attrs, Intent::Access);
  if (allows(own.rights, access) && own.target) return MemTxResult::access_error();
  return reports_to_->refuse(input, access, attrs, own);
}

}  // namespace sluice
