// memory/host_iommu.h: what a host's IOMMU is to a passed-through device: a container with a page table of
// its own, that learns of the guest's translations only by the MAP and UNMAP events of the guest's IOMMU.
#pragma once
#include <bit>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "memory/iommu_listener.h"
#include "memory/mapping_table.h"

namespace sluice {

// The page sizes that a guest's IOMMU may offer, given the containers that mirror it. Bit n: pages of 2^n
// bytes; the lowest bit is the granule. Any number of containers, in any order, gives the same.
class PageSizeMask {
 public:
  explicit PageSizeMask(u64 mask) : mask_(mask) {}
  u64 mask() const { return mask_; }
  u64 granule() const { return mask_ & (~mask_ + 1); }
  // The guest has seen the mask: from now on the granule stays.
  void freeze() { frozen_ = true; }
  // Keeps only the sizes that a container has as well. Otherwise nothing changes, and the error, which names
  // both masks, says that none is left, or that the granule would change after the guest has seen it.
  [[nodiscard]] std::string restrict_to(u64 container, const std::string& who);

 private:
  u64 mask_;
  bool frozen_ = false;
};

// Cuts a range into naturally aligned power-of-two blocks, from the bottom: the same for the same range,
// always. `visit(InclusiveRange)`. At most 128 of them, also for all 2^64 bytes.
template <class F>
void for_each_power_of_two(InclusiveRange range, F&& visit) {
  for (u64 first = range.first;;) {
    u64 left = range.last - first;  // minus one
    u64 aligned = first ? (first & (~first + 1)) - 1 : ~u64{0};
    u64 fits = left == ~u64{0} ? left : std::bit_floor(left + 1) - 1;
    u64 last = first + (aligned < fits ? aligned : fits);
    visit(InclusiveRange{first, last});
    if (last == range.last) return;
    first = last + 1;
  }
}

// A DMA device is attached to the container by an AddressSpace whose root is this region. It translates with
// its own table, whatever the attributes: those who share a container share its address space.
class SoftHostIommu final : public IommuRegion {
 public:
  struct Config {
    std::string name = "host-iommu";
    u64 page_size_mask = ~u64{0xfff};
    std::vector<InclusiveRange> reserved{};  // input addresses that the host needs for itself
  };
  SoftHostIommu(InvalidationHub& hub, Config config);
  ~SoftHostIommu() override;

  const Config& config() const { return config_; }

  // Mirrors, from now on, what `attrs` can reach through `source`, with a replay of what it can reach
  // already. One at a time. "" or the reason why not: nothing is mirrored then.
  [[nodiscard]] std::string mirror(IommuRegion& source, MemTxAttrs attrs, InclusiveRange window = {});
  void stop_mirroring();  // and forgets everything
  // Accesses that are refused here because the IOMMU refuses them are recorded there, as if it had met them
  // itself. Before the container is used.
  void report_faults_to(std::shared_ptr<IommuRegion> source) { reports_to_ = std::move(source); }
  bool is_mirroring() const { return listener_ != nullptr; }

  // What the listener calls. "" or why the container cannot hold this: unaligned to its granule, reserved, or
  // in use. Cut into power-of-two blocks, each with the rights and the target of the whole.
  std::string map(const IommuMapped& mapped);
  // Removes the range. Where it cuts a block, the rest of the block stays, in smaller blocks.
  void unmap(InclusiveRange range);

  struct Counters {
    u64 maps = 0, unmaps = 0, refused_maps = 0, refused_accesses = 0;
  };
  Counters counters() const;
  // In ascending order.
  template <class F>
  void for_each_block(F&& visit) const {
    EpochDomain::Guard guard(epochs_);
    table_.for_each(visit);
  }
  size_t blocks() const { return table_.size(); }

  IommuIndex index_for(MemTxAttrs) const override { return IommuIndex{0}; }
  IommuEntry translate(Iova input, Access access, IommuIndex index, MemTxAttrs attrs,
                       Intent intent) const override;
  MemTxResult refuse(Iova input, Access access, MemTxAttrs attrs, const IommuEntry& entry) override;

 private:
  std::string refuse_map(const IommuMapped& mapped) const;
  void insert_blocks(InclusiveRange range, const Mapping& from);
  void keep_outside(InclusiveRange range);

  const Config config_;
  mutable std::mutex mutex_;    // of changes to the table, and of counters_
  mutable EpochDomain epochs_;  // as VirtioIommuRegion's
  MappingTable table_;
  Counters counters_;
  std::unique_ptr<IommuListener> listener_;
  std::shared_ptr<IommuRegion> reports_to_;
};

}  // namespace sluice
