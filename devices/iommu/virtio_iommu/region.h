// devices/iommu/virtio_iommu/region.h: the translating half of a virtio-iommu: the address space of its
// endpoints, and the changes that requests make to it. VIRTIO 1.3, 5.13.6.
// Wiring: the root of the AddressSpace of DMA masters (or of PEs); an AddressSpace downstream. An endpoint is
// what has its ID as MemTxAttrs::requester.
// Not modelled: page request and nested translation, which the specification does not have either.
#pragma once
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "devices/iommu/virtio_iommu/domain.h"
#include "devices/iommu/virtio_iommu/protocol.h"
#include "memory/host_iommu.h"
#include "memory/iommu_region.h"

namespace sluice {

struct VirtioIommuConfig {
  std::string name = "virtio-iommu";
  u64 page_size_mask = ~u64{0xfff};  // not 0; the lowest bit is the granule
  InclusiveRange input_range{};
  u32 first_domain = 0, last_domain = ~u32{0};
  bool bypass_at_boot = true;   // `bypass` after a system reset: firmware may do DMA before a driver comes
  u32 probe_size = 512;         // bytes of properties per endpoint; a region takes 24
  u32 max_mappings = 1u << 20;  // of all domains: a guest cannot make the host grow for ever
};

class VirtioIommuRegion final : public IommuRegion {
 public:
  using Reserved = virtio_iommu::ReservedRegion;
  using Status = virtio_iommu::RequestStatus;

  VirtioIommuRegion(InvalidationHub& hub, AddressSpace& downstream, const VirtioIommuConfig& config);
  ~VirtioIommuRegion() override;

  // --- Wiring ---
  // The endpoint exists from now on, unattached. The same ID again (devices behind one bridge share it) adds
  // regions, unless it is attached. "" or what is wrong with it.
  [[nodiscard]] std::string add_endpoint(u32 id, std::vector<Reserved> reserved = {});
  void remove_endpoint(u32 id);
  // `container` mirrors this endpoint: the endpoint gets the container's reserved ranges, and the IOMMU only
  // those page sizes that it has.
  [[nodiscard]] std::string add_mirrored_endpoint(u32 id, SoftHostIommu& container,
                                                  std::vector<Reserved> reserved = {});
  // The guest runs: the granule is settled.
  void freeze_page_sizes();

  // --- IommuRegion ---
  // The endpoint; all requesters that are none share a context.
  IommuIndex index_for(MemTxAttrs attrs) const override;
  IommuEntry translate(Iova input, Access access, IommuIndex index, MemTxAttrs attrs,
                       Intent intent) const override;
  MemTxResult refuse(Iova input, Access access, MemTxAttrs attrs, const IommuEntry& entry) override;
  std::string refuse_events(IommuIndex index, IommuEvents wanted) const override;
  void replay(IommuIndex index, const std::function<void(const IommuMapped&)>& deliver) const override;
  void between_commits(const std::function<void()>& body) const override;

  // --- Requests: each checks everything, then commits and publishes, or changes nothing. ---
  struct Outcome {
    Status status = Status::Ok;
    std::optional<Ticket> ticket{};  // the driver may hear of success when this is complete
    size_t work = 1;                 // in mappings touched
  };
  Outcome attach(u32 domain, u32 endpoint, bool bypass);
  Outcome detach(u32 domain, u32 endpoint);
  struct MapArguments {
    u32 domain;
    InclusiveRange input;  // may be upside down: it is the guest's
    u64 output;
    Access rights;
    bool mmio;
  };
  Outcome map(const MapArguments& wanted);
  Outcome unmap(u32 domain, InclusiveRange input);
  // The field `bypass` of the configuration: what unattached endpoints may do.
  Outcome set_bypass(bool bypass);
  bool bypass() const { return bypass_.load(std::memory_order_relaxed); }
  // 5.13.5: a device reset detaches all endpoints; `bypass` stays.
  Outcome detach_all();

  // nullopt: no such endpoint.
  std::optional<std::vector<Reserved>> properties(u32 endpoint) const;
  u64 page_size_mask() const;
  const VirtioIommuConfig& config() const { return config_; }

  // Whoever records faults. Called by `refuse`, without any lock of ours held.
  struct Fault {
    virtio_iommu::FaultReason reason;
    Access access;
    u32 endpoint;
    u64 address;
  };
  void set_fault_sink(std::function<void(const Fault&)> sink);

  // --- For the monitor ---
  struct EndpointInfo {
    u32 id;
    std::optional<u32> domain;
    bool bypass;  // its accesses pass untranslated
    std::vector<Reserved> reserved;
  };
  struct DomainInfo {
    u32 id;
    bool bypass;
    std::vector<u32> endpoints;
    size_t mappings;
  };
  std::vector<EndpointInfo> endpoints() const;
  std::vector<DomainInfo> domains() const;
  // At most `limit` mappings of a domain, ascending, from `from` on.
  std::vector<Mapping> mappings(u32 domain, u64 from = 0, size_t limit = ~size_t{0}) const;
  size_t mapping_count() const;
  // One line: what becomes of an access, and why.
  std::string explain(u64 address, MemTxAttrs attrs, Access access) const;

 private:
  using Endpoint = virtio_iommu::Endpoint;
  using Domain = virtio_iommu::Domain;
  using Directory = virtio_iommu::EndpointDirectory;
  static constexpr IommuIndex kUnmanaged{u64{1} << 32};
  static constexpr InclusiveRange kWhole{};

  const Directory& directory() const { return *directory_.load(std::memory_order_seq_cst); }
  Endpoint* find(IommuIndex index) const;
  bool bypasses(const Endpoint& e) const;
  IommuEntry identity(InclusiveRange range, Access rights) const;

  std::string add_endpoint(u32 id, std::vector<Reserved> reserved, u64 granule);

  // Call these with commit_mutex_ held.
  void set_directory(std::vector<std::shared_ptr<Endpoint>> endpoints);
  std::string check_regions(const std::vector<Reserved>& regions) const;
  Domain* find_domain(u32 id) const;
  bool compatible(const Domain& domain, const Endpoint& e) const;
  Status check_map(const MapArguments& wanted, const Domain& domain) const;
  size_t leave_domain(Endpoint& e);  // how many mappings that has cost
  void for_each_reachable(const Endpoint& e, const std::function<void(const IommuMapped&)>& visit) const;
  Ticket republish(IommuIndex index);
  bool is_mirrored() { return maps().subscriptions() != 0; }
  Ticket publish_removed(const Domain& domain, InclusiveRange removed);

  AddressSpace& downstream_;
  const VirtioIommuConfig config_;
  // Not the hub's: there, what is replaced would wait for a safe point of every PE, and a PE that sends
  // requests in a loop may not come to one for long.
  mutable EpochDomain epochs_;
  PageSizeMask page_sizes_;
  std::atomic<const Directory*> directory_;
  std::atomic<bool> bypass_;
  mutable std::mutex commit_mutex_;  // one change at a time, published before the next
  std::shared_ptr<const Directory> owned_directory_;
  std::map<u32, std::shared_ptr<Domain>> domains_;
  size_t mapping_count_ = 0;
  std::mutex sink_mutex_;
  std::shared_ptr<const std::function<void(const Fault&)>> sink_;
};

}  // namespace sluice
