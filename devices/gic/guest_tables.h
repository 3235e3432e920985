// devices/gic/guest_tables.h: the tables that a GICv3 keeps in guest memory: LPI configuration and pending
// tables, ITS command queue and ITS tables.
#pragma once
#include "memory/dma.h"

namespace sluice {

// Reaches RAM and nothing else: a guest that points a table at registers, of this interrupt controller say,
// gets a failed access, as from a bus without a path there, and never a device inside a device. Aligned
// accesses are single-copy atomic. Not to be called with a lock held that an interrupt line takes: an IOMMU
// on the way may raise its own interrupt.
class GuestTables {
 public:
  explicit GuestTables(DmaPort port) : port_(port) {}

  // `address` is aligned to the size. False: there is no RAM, or somebody on the way refused.
  bool load64(u64 address, u64& value) const;
  bool load8(u64 address, u8& value) const;
  bool store64(u64 address, u64 value) const;

 private:
  template <class T>
  bool load(u64 address, T& value) const;
  DmaPort port_;
};

}  // namespace sluice
