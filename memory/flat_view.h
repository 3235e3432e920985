// memory/flat_view.h: an immutable picture of an address space: which region answers at which address.
#pragma once
#include <memory>
#include <vector>

#include "memory/region.h"

namespace sluice {

class FlatView {
 public:
  // A stretch of addresses with one answer. Every address belongs to exactly one section.
  struct Section {
    enum class What : u8 { Nothing, Ram, RomDevice, Mmio, Iommu, Reserved };
    InclusiveRange range;
    What what = What::Nothing;
    bool read_only = false;
    int priority = 0;  // of the region among its siblings; for people
    const Region* region = nullptr;
    u64 offset = 0;           // of range.first, in the region
    GuestRam* ram = nullptr;  // Ram, RomDevice
    u64 ram_offset = 0;       // of range.first, in ram
  };

  // Renders the tree below `root`.
  static std::shared_ptr<const FlatView> render(const std::shared_ptr<const Region>& root);

  const Section& find(u64 address) const {
    // Branch-free binary search: no shared last-hit hint that several PEs would fight for.
    const u64* base = starts_.data();
    size_t n = starts_.size();
    while (n > 1) {
      size_t half = n / 2;
      base += base[half] <= address ? half : 0;
      n -= half;
    }
    return sections_[size_t(base - starts_.data())];
  }
  const std::vector<Section>& sections() const { return sections_; }
  const Region& root() const { return *root_; }
  bool same_as(const FlatView& other) const;
  // The smallest range that contains every address that the two views answer differently; false when none.
  bool difference(const FlatView& other, InclusiveRange& range) const;

 private:
  FlatView() = default;
  std::vector<u64> starts_;
  std::vector<Section> sections_;
  std::shared_ptr<const Region> root_;
  std::vector<std::shared_ptr<const Region>> owners_;
};

}  // namespace sluice
