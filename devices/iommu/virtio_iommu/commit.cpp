// devices/iommu/virtio_iommu/commit.cpp: the changes that requests make. VIRTIO 1.3, 5.13.6.
// Each one checks everything first, then commits, then publishes, under one lock that readers do not take.
#include <algorithm>
#include <utility>

#include "base/bits.h"
#include "base/trace.h"
#include "devices/iommu/virtio_iommu/region.h"

namespace sluice {

using Status = virtio_iommu::RequestStatus;
using Subtype = virtio_iommu::ReservedRegion::Subtype;
using virtio_iommu::ResvMemProperty;

namespace {

Trace<u32, u32, bool> trace_attach{"virtio_iommu_attach", "domain={} endpoint={:#x} bypass={:d}"};
Trace<u32, u32> trace_detach{"virtio_iommu_detach", "domain={} endpoint={:#x}"};
// rights: bit 0 is read, bit 1 write, bit 2 execute
Trace<u32, u64, u64, u64, unsigned, bool> trace_map{
    "virtio_iommu_map", "domain={} virt_start={:#x} virt_end={:#x} phys_start={:#x} rights={} mmio={:d}"};
Trace<u32, u64, u64> trace_unmap{"virtio_iommu_unmap", "domain={} virt_start={:#x} virt_end={:#x}"};
Trace<u32, u64, u64, size_t> trace_unmap_done{"virtio_iommu_unmap_done",
                                              "domain={} virt_start={:#x} virt_end={:#x} mappings={}"};

}  // namespace

// --- Wiring ---

void VirtioIommuRegion::set_directory(std::vector<std::shared_ptr<Endpoint>> endpoints) {
  auto next = std::make_shared<const Directory>(std::move(endpoints));
  directory_.store(next.get(), std::memory_order_seq_cst);
  epochs_.retire(std::exchange(owned_directory_, std::move(next)));
}

std::string VirtioIommuRegion::check_regions(const std::vector<Reserved>& regions) const {
  if (regions.size() * ResvMemProperty::kSize <= config_.probe_size) return {};
  return name() + ": an endpoint has more reserved regions than " + std::to_string(config_.probe_size) +
         " bytes of properties can describe";
}

namespace {

// A container maps whole granules: around a reserved region it can leave out more, but not less.
std::string widen(std::vector<virtio_iommu::ReservedRegion>& regions, u64 granule) {
  for (virtio_iommu::ReservedRegion& r : regions) {
    InclusiveRange wide{r.range.first & ~(granule - 1), r.range.last | (granule - 1)};
    if (r.subtype == Subtype::Msi && wide != r.range) return "an MSI region is not aligned to its container";
    r.range = wide;
  }
  return {};
}

}  // namespace

std::string VirtioIommuRegion::add_endpoint(u32 id, std::vector<Reserved> reserved) {
  return add_endpoint(id, std::move(reserved), 1);
}

std::string VirtioIommuRegion::add_endpoint(u32 id, std::vector<Reserved> reserved, u64 granule) {
  std::unique_lock lock{commit_mutex_};
  const Endpoint* known = directory().find(id);
  if (known && known->domain.load()) return name() + ": endpoint " + std::to_string(id) + " is in use";
  if (known) reserved.insert(reserved.end(), known->reserved.begin(), known->reserved.end());
  if (std::string why = widen(reserved, granule); !why.empty()) return name() + ": " + why;
  auto regions = virtio_iommu::normalised(std::move(reserved));
  if (!regions) return name() + ": " + regions.error();
  if (std::string why = check_regions(*regions); !why.empty()) return why;
  std::vector<std::shared_ptr<Endpoint>> all = directory().all();
  std::erase_if(all, [&](const auto& e) { return e->id == id; });
  all.push_back(std::make_shared<Endpoint>(id, std::move(*regions)));
  set_directory(std::move(all));
  // Until now it was one of the unmanaged, or had fewer reserved regions.
  Ticket ticket = republish(known ? IommuIndex{id} : kUnmanaged);
  lock.unlock();
  hub().complete(ticket);
  return {};
}

void VirtioIommuRegion::remove_endpoint(u32 id) {
  Ticket ticket;
  {
    std::lock_guard lock{commit_mutex_};
    Endpoint* e = directory().find(id);
    if (!e) return;
    leave_domain(*e);
    std::vector<std::shared_ptr<Endpoint>> all = directory().all();
    std::erase_if(all, [&](const auto& other) { return other->id == id; });
    set_directory(std::move(all));
    ticket = publish_unmap({IommuIndex{id}, false, kWhole});
  }
  hub().complete(ticket);
}

std::string VirtioIommuRegion::add_mirrored_endpoint(u32 id, SoftHostIommu& container,
                                                     std::vector<Reserved> reserved) {
  const u64 sizes = container.config().page_size_mask;
  if (container.is_mirroring()) return container.name() + " mirrors an IOMMU already";
  {
    std::lock_guard lock{commit_mutex_};
    PageSizeMask after = page_sizes_;
    std::string why = after.restrict_to(sizes, container.name());
    if (!why.empty()) return name() + ": " + why;
  }
  for (InclusiveRange range : container.config().reserved) reserved.push_back({range, Subtype::Reserved});
  const u64 granule = PageSizeMask(sizes).granule();
  if (std::string why = add_endpoint(id, std::move(reserved), granule); !why.empty()) return why;
  {
    std::lock_guard lock{commit_mutex_};
    (void)page_sizes_.restrict_to(sizes, container.name());
  }
  return container.mirror(*this, MemTxAttrs::device(0, id));
}

void VirtioIommuRegion::freeze_page_sizes() {
  std::lock_guard lock{commit_mutex_};
  page_sizes_.freeze();
}

u64 VirtioIommuRegion::page_size_mask() const {
  std::lock_guard lock{commit_mutex_};
  return page_sizes_.mask();
}

// --- Publishing ---

// What the endpoint can reach, as a consumer that mirrors it must map it.
void VirtioIommuRegion::for_each_reachable(const Endpoint& e,
                                           const std::function<void(const IommuMapped&)>& visit) const {
  const IommuIndex index{e.id};
  const Domain* domain = e.domain.load(std::memory_order_seq_cst);
  auto tell = [&](InclusiveRange range, Access rights, bool mmio) {
    visit({index, range, {range.first}, rights, mmio, &downstream_});
  };
  if (!bypasses(e)) {
    if (!domain) return;
    for (const Reserved& r : e.reserved)
      if (r.subtype == Subtype::Msi) tell(r.range, Access::Write, true);
    domain->mappings.for_each([&](const Mapping& m) {
      visit({index, m.input, {m.output}, m.rights, m.mmio, m.target});
    });
    return;
  }
  u64 from = 0;
  for (const Reserved& r : e.reserved) {
    if (r.subtype != Subtype::Reserved) continue;
    if (r.range.first > from) tell({from, r.range.first - 1}, Access::All, false);
    if (r.range.last == ~u64{0}) return;
    from = r.range.last + 1;
  }
  tell({from, ~u64{0}}, Access::All, false);
}

// Everything about this context may be different now.
Ticket VirtioIommuRegion::republish(IommuIndex index) {
  Ticket ticket = publish_unmap({index, false, kWhole});
  const Endpoint* e = find(index);
  if (e && is_mirrored()) for_each_reachable(*e, [&](const IommuMapped& mapped) { maps().publish(mapped); });
  return ticket;
}

// All that is gone lies in `removed`, and so may the doorbell of an endpoint, which is not gone.
Ticket VirtioIommuRegion::publish_removed(const Domain& domain, InclusiveRange removed) {
  Ticket ticket;
  for (u32 id : domain.endpoints) {
    InclusiveRange rest = removed;
    for (const Reserved& r : directory().find(id)->reserved) {
      if (r.subtype != Subtype::Msi || !r.range.overlaps(rest)) continue;
      ticket = publish_unmap({IommuIndex{id}, false, {rest.first, r.range.first - 1}});
      rest.first = r.range.last + 1;
    }
    ticket = publish_unmap({IommuIndex{id}, false, rest});
  }
  return ticket;
}

// --- Domains ---

VirtioIommuRegion::Domain* VirtioIommuRegion::find_domain(u32 id) const {
  auto found = domains_.find(id);
  return found == domains_.end() ? nullptr : found->second.get();
}

// 5.13.6.2: without endpoints a domain ceases to exist.
size_t VirtioIommuRegion::leave_domain(Endpoint& e) {
  const Domain* old = e.domain.exchange(nullptr, std::memory_order_seq_cst);
  if (!old) return 0;
  auto found = domains_.find(old->id);
  std::erase(found->second->endpoints, e.id);
  if (!found->second->endpoints.empty()) return 0;
  size_t dropped = found->second->mappings.size();
  mapping_count_ -= dropped;
  epochs_.retire(std::move(found->second));
  domains_.erase(found);
  return dropped;
}

// 5.13.6.1: what is mapped in the domain must not be reserved for the endpoint.
bool VirtioIommuRegion::compatible(const Domain& domain, const Endpoint& e) const {
  return std::none_of(e.reserved.begin(), e.reserved.end(),
                      [&](const Reserved& r) { return domain.mappings.overlaps(r.range); });
}

VirtioIommuRegion::Outcome VirtioIommuRegion::attach(u32 domain_id, u32 endpoint, bool bypass) {
  trace_attach(domain_id, endpoint, bypass);
  std::lock_guard lock{commit_mutex_};
  Endpoint* e = directory().find(endpoint);
  if (!e) return {Status::NoEnt};
  if (domain_id < config_.first_domain || domain_id > config_.last_domain) return {Status::Range};
  Domain* domain = find_domain(domain_id);
  if (domain && domain->bypass != bypass) return {Status::Inval};
  if (domain && e->domain.load() == domain) return {};
  if (domain && !compatible(*domain, *e)) return {Status::Unsupp};

  size_t dropped = leave_domain(*e);  // never the last one of `domain`
  if (!domain) {
    auto made = std::make_shared<Domain>(domain_id, bypass, epochs_);
    domain = made.get();
    domains_.emplace(domain_id, std::move(made));
  }
  domain->endpoints.push_back(endpoint);
  e->domain.store(domain, std::memory_order_seq_cst);
  return {Status::Ok, republish(IommuIndex{endpoint}),
          1 + dropped + (is_mirrored() ? domain->mappings.size() : 0)};
}

VirtioIommuRegion::Outcome VirtioIommuRegion::detach(u32 domain_id, u32 endpoint) {
  trace_detach(domain_id, endpoint);
  std::lock_guard lock{commit_mutex_};
  Endpoint* e = directory().find(endpoint);
  if (!e) return {Status::NoEnt};
  const Domain* domain = e->domain.load();
  if (!domain || domain->id != domain_id) return {Status::Inval};
  size_t dropped = leave_domain(*e);
  return {Status::Ok, republish(IommuIndex{endpoint}), 1 + dropped};
}

// 5.13.6.3. The specification names no order; that of the tests below is ours.
Status VirtioIommuRegion::check_map(const MapArguments& wanted, const Domain& domain) const {
  const InclusiveRange input = wanted.input;
  const u64 granule = page_sizes_.granule();
  if (domain.bypass || input.first > input.last) return Status::Inval;
  if (!is_aligned(input.first | wanted.output, granule) || !is_aligned(input.last + 1, granule))
    return Status::Range;
  if (input.first < config_.input_range.first || input.last > config_.input_range.last) return Status::Range;
  if (input.last - input.first > ~wanted.output) return Status::Range;  // phys_end wraps around
  for (u32 id : domain.endpoints)
    for (const Reserved& r : directory().find(id)->reserved)
      if (r.range.overlaps(input)) return Status::Inval;
  if (mapping_count_ >= config_.max_mappings) return Status::NoMem;
  return Status::Ok;
}

VirtioIommuRegion::Outcome VirtioIommuRegion::map(const MapArguments& wanted) {
  trace_map(wanted.domain, wanted.input.first, wanted.input.last, wanted.output, unsigned(wanted.rights),
            wanted.mmio);
  std::lock_guard lock{commit_mutex_};
  Domain* domain = find_domain(wanted.domain);
  if (!domain) return {Status::NoEnt};
  if (Status status = check_map(wanted, *domain); status != Status::Ok) return {status};
  if (!domain->mappings.insert({wanted.input, wanted.output, &downstream_, wanted.rights, wanted.mmio}))
    return {Status::Inval};  // something is mapped there
  mapping_count_++;
  // It only allows more: whoever caches translations need not hear of it.
  if (is_mirrored())
    for (u32 id : domain->endpoints)
      maps().publish(
          {IommuIndex{id}, wanted.input, {wanted.output}, wanted.rights, wanted.mmio, &downstream_});
  return {};
}

VirtioIommuRegion::Outcome VirtioIommuRegion::unmap(u32 domain_id, InclusiveRange input) {
  trace_unmap(domain_id, input.first, input.last);
  std::lock_guard lock{commit_mutex_};
  Domain* domain = find_domain(domain_id);
  if (!domain) return {Status::NoEnt};
  if (domain->bypass || input.first > input.last) return {Status::Inval};
  MappingTable::Erased erased = domain->mappings.erase(input);
  if (erased.split) return {Status::Range};
  if (!erased.count) return {};
  mapping_count_ -= erased.count;
  trace_unmap_done(domain_id, erased.hull.first, erased.hull.last, erased.count);
  return {Status::Ok, publish_removed(*domain, erased.hull), 1 + erased.count};
}

VirtioIommuRegion::Outcome VirtioIommuRegion::set_bypass(bool bypass) {
  std::lock_guard lock{commit_mutex_};
  if (bypass_.exchange(bypass, std::memory_order_seq_cst) == bypass) return {};
  Ticket ticket = republish(kUnmanaged);
  for (const auto& e : directory().all())
    if (!e->domain.load()) ticket.merge(republish(IommuIndex{e->id}));
  return {Status::Ok, ticket};
}

VirtioIommuRegion::Outcome VirtioIommuRegion::detach_all() {
  std::lock_guard lock{commit_mutex_};
  Outcome outcome;
  for (const auto& e : directory().all()) {
    if (!e->domain.load()) continue;
    leave_domain(*e);
    outcome.ticket = republish(IommuIndex{e->id});
  }
  return outcome;
}

}  // namespace sluice
