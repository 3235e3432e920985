// memory/mmio.h: the device end of a transaction.
#pragma once
#include "memory/attrs.h"

namespace sluice {

enum class Endian : u8 { Little, Big };

// `valid`: what the modelled device accepts (anything else is a decode error). `impl`: what its code
// implements; the memory core splits and merges between the two. Sizes in bytes, powers of two, 1..8.
struct AccessRules {
  u8 valid_min = 1, valid_max = 8;
  bool valid_unaligned = false;
  u8 impl_min = 4, impl_max = 4;
  bool impl_unaligned = false;
  Endian endian = Endian::Little;
};

// Called with the device's lock held by the MMIO region (see MmioRegion in memory/region.h), so device code
// reads as single-threaded. `offset` is from the start of the region; `size` obeys the impl rules.
class MmioDevice {
 public:
  virtual ~MmioDevice() = default;
  virtual AccessRules access_rules() const { return {}; }
  // True for a device that takes its own lock, because lines, timers or host streams reach it on other
  // threads: the MMIO layer then takes none.
  virtual bool locks_itself() const { return false; }
  virtual MemTxResult read(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) = 0;
  virtual MemTxResult write(u64 offset, unsigned size, u64 value, MemTxAttrs attrs) = 0;
};

}  // namespace sluice
