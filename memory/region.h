// memory/region.h: what can be placed in an address space.
// A region is made with std::make_shared: a FlatView keeps every region alive that its readers may still
// meet. The tree is changed only through a Topology::Transaction (memory/topology.h).
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "memory/guest_ram.h"
#include "memory/mmio.h"

namespace sluice {

class Topology;

// The size of a region that covers all 64 bits of address; every smaller size is written as itself.
inline constexpr u128 kWholeSpace = u128{1} << 64;

class Region {
 public:
  enum class Kind : u8 { Container, Ram, Rom, RomDevice, Mmio, Alias, Reservation, Iommu };

  virtual ~Region() = default;
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  Kind kind() const { return kind_; }
  const std::string& name() const { return name_; }
  u128 size() const { return size_; }
  bool enabled() const { return enabled_; }

  // Placed inside another region. Higher priority wins among siblings, the later one among equals; where a
  // region has a hole, what lies below shows through, and last the parent itself.
  struct Child {
    std::shared_ptr<Region> region;
    u64 offset;
    int priority;
  };
  const std::vector<Child>& children() const { return children_; }  // in order of precedence

 protected:
  Region(Kind kind, std::string name, u128 size) : kind_(kind), name_(std::move(name)), size_(size) {}

 private:
  friend Topology;
  const Kind kind_;
  const std::string name_;
  const u128 size_;
  bool enabled_ = true;
  std::vector<Child> children_;
};

// Only holds others.
class Container final : public Region {
 public:
  Container(std::string name, u128 size) : Region(Kind::Container, std::move(name), size) {}
};

// `ram` from `ram_offset` on. Rom: writes are refused (a loader writes to the GuestRam itself).
class RamRegion final : public Region {
 public:
  RamRegion(std::string name, std::shared_ptr<GuestRam> ram, bool read_only = false);
  RamRegion(std::string name, std::shared_ptr<GuestRam> ram, u64 ram_offset, u64 size,
            bool read_only = false);
  GuestRam& ram() const { return *ram_; }
  u64 ram_offset() const { return ram_offset_; }
  bool read_only() const { return kind() == Kind::Rom; }

 private:
  const std::shared_ptr<GuestRam> ram_;
  const u64 ram_offset_;
};

// The registers of a device. `lock` (one per device, shared by all its regions) is taken around every call;
// nullptr: the device synchronises itself. `owner` keeps the device alive as long as the region, for devices
// that can be unplugged.
class MmioRegion : public Region {
 public:
  MmioRegion(std::string name, u128 size, MmioDevice& device, std::mutex* lock,
             std::shared_ptr<const void> owner = {})
      : MmioRegion(Kind::Mmio, std::move(name), size, device, lock, std::move(owner)) {}

  // One access of the bus: 1, 2, 4 or 8 bytes at `offset`, value in the low bits, as a little-endian bus
  // shows it. Checked against the device's AccessRules, split or merged, under its lock. Invalidations that
  // the device publishes meanwhile are complete when this returns: it waits after it has unlocked. A device
  // whose handler reaches its own registers again, by DMA, gets a device error instead of a deadlock.
  MemTxResult load(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) const;
  MemTxResult store(u64 offset, unsigned size, u64 value, MemTxAttrs attrs) const;
  // How a timer, a worker or a host stream enters a device: `body` runs as if it answered such an access,
  // under the device's lock. So a transaction of the device that hits its own registers is refused instead of
  // waiting for itself, and what it invalidates is waited for after the lock is given back. False, without
  // running it, when the calling thread is inside this device already.
  static bool enter(std::mutex& lock, const std::function<void()>& body);
  MmioDevice& device() const { return device_; }
  const AccessRules& rules() const { return rules_; }

 protected:
  MmioRegion(Kind kind, std::string name, u128 size, MmioDevice& device, std::mutex* lock,
             std::shared_ptr<const void> owner);

 private:
  class Locked;
  template <class Piece>
  MemTxResult aligned(u64 offset, unsigned size, Piece&& piece) const;
  MemTxResult read_pieces(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) const;
  MemTxResult write_pieces(u64 offset, unsigned size, u64 value, MemTxAttrs attrs) const;

  MmioDevice& device_;
  std::mutex* const lock_;
  const std::shared_ptr<const void> owner_;
  const AccessRules rules_;  // asked once: a device's bus interface does not change
};

// Flash and the like: reads come straight from memory, writes go to the device. In MMIO mode
// (Topology::Transaction switches it) reads go to the device as well.
class RomDeviceRegion final : public MmioRegion {
 public:
  RomDeviceRegion(std::string name, std::shared_ptr<GuestRam> ram, MmioDevice& device, std::mutex* lock,
                  std::shared_ptr<const void> owner = {});
  GuestRam& ram() const { return *ram_; }
  bool reads_memory() const { return reads_memory_.load(std::memory_order_relaxed); }

 private:
  friend Topology;
  const std::shared_ptr<GuestRam> ram_;
  std::atomic<bool> reads_memory_{true};
};

// A window on `target` from `target_offset` on.
class AliasRegion final : public Region {
 public:
  AliasRegion(std::string name, std::shared_ptr<Region> target, u64 target_offset, u128 size)
      : Region(Kind::Alias, std::move(name), size),
        target_(std::move(target)),
        target_offset_(target_offset) {}
  const std::shared_ptr<Region>& target() const { return target_; }
  u64 target_offset() const { return target_offset_; }

 private:
  friend Topology;
  const std::shared_ptr<Region> target_;
  u64 target_offset_;
};

// Claims addresses and answers nothing: a decode error where something of lower priority would show through.
class ReservationRegion final : public Region {
 public:
  ReservationRegion(std::string name, u128 size) : Region(Kind::Reservation, std::move(name), size) {}
};

// For a region that lives in a device or on a stack and outlives every address space that shows it.
template <class R>
std::shared_ptr<R> unowned(R& region) {
  return std::shared_ptr<R>(std::shared_ptr<void>{}, &region);
}

}  // namespace sluice
