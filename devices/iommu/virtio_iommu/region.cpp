// devices/iommu/virtio_iommu/region.cpp: translating, and telling what there is. VIRTIO 1.3, 5.13.6.
// Translating takes no lock: endpoints, domains and mappings are reached by atomic pointers, and what a
// commit replaces lives until the EpochDomain says that nobody can read it any more.
#include "devices/iommu/virtio_iommu/region.h"

#include <algorithm>
#include <cassert>
#include <cstdio>

#include "base/trace.h"

namespace sluice {

using virtio_iommu::FaultReason;
using Subtype = virtio_iommu::ReservedRegion::Subtype;

namespace {

Trace<u64, u64, u32> trace_out{"virtio_iommu_translate_out", "virt_addr={:#x} phys_addr={:#x} sid={:#x}"};

u32 reason_code(FaultReason reason) { return u32(reason); }

InclusiveRange intersection(InclusiveRange a, InclusiveRange b) {
  return {std::max(a.first, b.first), std::min(a.last, b.last)};
}

// Narrows `clear`, which contains `address`, to what lies beside `region`, which does not.
void narrow_beside(InclusiveRange& clear, InclusiveRange region, u64 address) {
  if (region.last < address)
    clear.first = std::max(clear.first, region.last + 1);
  else
    clear.last = std::min(clear.last, region.first - 1);
}

IommuEntry refusal(InclusiveRange range, FaultReason reason) {
  return {.input = range, .output = {}, .reason = reason_code(reason)};
}

const char* words(FaultReason reason) {
  switch (reason) {
    case FaultReason::Domain: return "not attached to a domain";
    case FaultReason::Mapping: return "not mapped for this access";
    default: return "not an endpoint of this IOMMU";
  }
}

}  // namespace

VirtioIommuRegion::VirtioIommuRegion(InvalidationHub& hub, AddressSpace& downstream,
                                     const VirtioIommuConfig& config)
    : IommuRegion(config.name, kWholeSpace, hub),
      downstream_(downstream),
      config_(config),
      page_sizes_(config.page_size_mask),
      bypass_(config.bypass_at_boot),
      owned_directory_(std::make_shared<const Directory>()) {
  assert(config.page_size_mask);
  directory_.store(owned_directory_.get());
}

VirtioIommuRegion::~VirtioIommuRegion() = default;

VirtioIommuRegion::Endpoint* VirtioIommuRegion::find(IommuIndex index) const {
  return index == kUnmanaged ? nullptr : directory().find(u32(index));
}

IommuIndex VirtioIommuRegion::index_for(MemTxAttrs attrs) const {
  EpochDomain::Guard guard(epochs_);
  return directory().find(attrs.requester) ? IommuIndex(attrs.requester) : kUnmanaged;
}

// 5.13.6: when an endpoint is in bypass mode.
bool VirtioIommuRegion::bypasses(const Endpoint& e) const {
  const Domain* domain = e.domain.load(std::memory_order_seq_cst);
  return domain ? domain->bypass : bypass_.load(std::memory_order_seq_cst);
}

// A permission failure, too, is a fault of the mapping.
IommuEntry VirtioIommuRegion::identity(InclusiveRange range, Access rights) const {
  return {.input = range,
          .output = {range.first},
          .rights = rights,
          .target = &downstream_,
          .reason = reason_code(FaultReason::Mapping)};
}

IommuEntry VirtioIommuRegion::translate(Iova input, Access, IommuIndex index, MemTxAttrs attrs,
                                        Intent) const {
  EpochDomain::Guard guard(epochs_);
  const u64 address = input.value;
  const Endpoint* e = find(index);
  if (!e) {
    // An endpoint that came or went since index_for: nothing may be derived under the wrong index.
    const bool settled = index == kUnmanaged && !directory().find(attrs.requester);
    if (settled && bypass_.load(std::memory_order_seq_cst)) return identity(kWhole, Access::All);
    return refusal(kWhole, FaultReason::Unknown);
  }
  const Domain* domain = e->domain.load(std::memory_order_seq_cst);
  const bool bypass = domain ? domain->bypass : bypass_.load(std::memory_order_seq_cst);
  InclusiveRange clear = kWhole;
  for (const Reserved& r : e->reserved) {
    bool doorbell = r.subtype == Subtype::Msi && !bypass;
    if (r.subtype == Subtype::Msi && !doorbell) continue;  // as everything else then
    if (!r.range.contains(address)) {
      narrow_beside(clear, r.range, address);
      continue;
    }
    // 5.13.6.6.3: accesses to a reserved region affect nobody else, in no mode. A doorbell takes writes, but
    // an unattached endpoint has no business at the interrupt controller either.
    if (!doorbell) return refusal(r.range, FaultReason::Mapping);
    if (domain) return identity(r.range, Access::Write);
    return refusal(r.range, FaultReason::Domain);
  }
  if (bypass) return identity(clear, Access::All);
  if (!domain) return refusal(clear, FaultReason::Domain);
  auto [mapping, hole] = domain->mappings.find(address);
  if (!mapping) return refusal(intersection(hole, clear), FaultReason::Mapping);
  trace_out(address, mapping->output + (address - mapping->input.first), e->id);
  return {.input = mapping->input,
          .output = {mapping->output},
          .rights = mapping->rights,
          .target = mapping->target,
          .reason = reason_code(FaultReason::Mapping)};
}

MemTxResult VirtioIommuRegion::refuse(Iova input, Access access, MemTxAttrs attrs, const IommuEntry& entry) {
  std::shared_ptr<const std::function<void(const Fault&)>> sink;
  {
    std::lock_guard lock{sink_mutex_};
    sink = sink_;
  }
  if (sink) (*sink)({FaultReason(entry.reason), access, attrs.requester, input.value});
  return MemTxResult::access_error();
}

void VirtioIommuRegion::set_fault_sink(std::function<void(const Fault&)> sink) {
  auto next = sink ? std::make_shared<const std::function<void(const Fault&)>>(std::move(sink)) : nullptr;
  std::lock_guard lock{sink_mutex_};
  sink_ = std::move(next);
}

std::string VirtioIommuRegion::refuse_events(IommuIndex index, IommuEvents wanted) const {
  EpochDomain::Guard guard(epochs_);
  if (!includes(wanted, IommuEvents::Map) || find(index)) return {};
  return name() + " has no such endpoint: nothing can be mapped for it";
}

void VirtioIommuRegion::replay(IommuIndex index,
                               const std::function<void(const IommuMapped&)>& deliver) const {
  EpochDomain::Guard guard(epochs_);
  if (const Endpoint* e = find(index)) for_each_reachable(*e, deliver);
}

void VirtioIommuRegion::between_commits(const std::function<void()>& body) const {
  std::lock_guard lock{commit_mutex_};
  body();
}

std::optional<std::vector<VirtioIommuRegion::Reserved>> VirtioIommuRegion::properties(u32 endpoint) const {
  EpochDomain::Guard guard(epochs_);
  if (const Endpoint* e = directory().find(endpoint)) return e->reserved;
  return {};
}

std::vector<VirtioIommuRegion::EndpointInfo> VirtioIommuRegion::endpoints() const {
  std::lock_guard lock{commit_mutex_};
  std::vector<EndpointInfo> list;
  for (const auto& e : directory().all()) {
    const Domain* domain = e->domain.load();
    list.push_back(
        {e->id, domain ? std::optional<u32>(domain->id) : std::nullopt, bypasses(*e), e->reserved});
  }
  return list;
}

std::vector<VirtioIommuRegion::DomainInfo> VirtioIommuRegion::domains() const {
  std::lock_guard lock{commit_mutex_};
  std::vector<DomainInfo> list;
  for (const auto& [id, domain] : domains_)
    list.push_back({id, domain->bypass, domain->endpoints, domain->mappings.size()});
  return list;
}

std::vector<Mapping> VirtioIommuRegion::mappings(u32 domain, u64 from, size_t limit) const {
  std::lock_guard lock{commit_mutex_};
  std::vector<Mapping> list;
  auto found = domains_.find(domain);
  if (found == domains_.end()) return list;
  const MappingTable& table = found->second->mappings;
  for (std::optional<Mapping> m = table.first_from(from); m && list.size() < limit; m = table.after(*m))
    list.push_back(*m);
  return list;
}

size_t VirtioIommuRegion::mapping_count() const {
  std::lock_guard lock{commit_mutex_};
  return mapping_count_;
}

std::string VirtioIommuRegion::explain(u64 address, MemTxAttrs attrs, Access access) const {
  EpochDomain::Guard guard(epochs_);
  IommuIndex index = index_for(attrs);
  IommuEntry entry = translate(Iova{address}, access, index, attrs, Intent::Debug);
  char text[256];
  auto number = [](u64 value) { return static_cast<unsigned long long>(value); };
  int n = std::snprintf(text, sizeof text, "%s: endpoint 0x%x, ", name().c_str(), attrs.requester);
  std::string line(text, size_t(std::clamp<int>(n, 0, sizeof text - 1)));
  const Endpoint* e = find(index);
  const Domain* domain = e ? e->domain.load(std::memory_order_seq_cst) : nullptr;
  line += domain ? "domain " + std::to_string(domain->id) + ": " : e ? "unattached: " : "unknown: ";
  std::snprintf(text, sizeof text, "[0x%llx, 0x%llx] ", number(entry.input.first), number(entry.input.last));
  line += text;
  if (allows(entry.rights, access) && entry.target) {
    std::snprintf(text, sizeof text, "-> 0x%llx", number(entry.output.value + (address - entry.input.first)));
    return line + text + (!e || bypasses(*e) ? " (bypass)" : "");
  }
  return line + "refused: " + words(FaultReason(entry.reason));
}

}  // namespace sluice
