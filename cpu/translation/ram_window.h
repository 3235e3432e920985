// cpu/translation/ram_window.h: the physical address spaces as a PE reaches them, and of each the stretch of
// RAM that was used last, when no IOMMU is before it. Walks and fills nearly always stay in it, and then need
// not ask the address space.
#pragma once
#include "memory/address_space.h"
#include "memory/translate.h"

namespace sluice::cpu {

class RamWindow {
 public:
  explicit RamWindow(const AddressSpace& memory) : hub_(memory.hub()) {}

  // Whether [pa, pa + length) lies in the window, and the memory map is the one that it was seen in.
  bool covers(u64 pa, u64 length) const {
    return pa >= range_.first && pa <= range_.last && range_.last - pa >= length - 1 &&
           generation_ == hub_.topology_generation();
  }
  u8* host(u64 pa) const { return host_ + (pa - range_.first); }
  // What translate() would say about an address that it covers.
  InclusiveRange range() const { return range_; }
  GuestRam* ram() const { return ram_; }
  u64 offset(u64 pa) const { return offset_ + (pa - range_.first); }

  // `generation`: of the topology before `t` was made.
  void remember(u64 pa, const Translation& t, u64 generation) {
    if (!t.is_ok() || t.target != Translation::Target::Ram || t.read_only || !t.hops.empty() ||
        t.rights != Access::All)
      return;
    u64 before = pa - t.block.first;
    range_ = t.block;
    host_ = t.host - before;
    ram_ = t.ram;
    offset_ = t.offset - before;
    generation_ = generation;
  }
  u64 generation() const { return hub_.topology_generation(); }
  void forget() { generation_ = 0; }

 private:
  InvalidationHub& hub_;
  InclusiveRange range_{};
  u8* host_ = nullptr;
  GuestRam* ram_ = nullptr;
  u64 offset_ = 0;
  u64 generation_ = 0;  // the hub's starts at 1
};

// The physical address spaces of a PE. One of them may be both.
class PhysicalMemory {
 public:
  PhysicalMemory(AddressSpace& non_secure, AddressSpace& secure)
      : spaces_{&secure, &non_secure}, windows_{RamWindow{secure}, RamWindow{non_secure}} {}
  AddressSpace& space(bool ns) const { return *spaces_[ns]; }
  RamWindow& window(bool ns) { return windows_[ns]; }
  void forget() {
    for (RamWindow& window : windows_) window.forget();
  }
  static constexpr PaSpace name(bool ns) { return ns ? PaSpace::NonSecure : PaSpace::Secure; }

 private:
  AddressSpace* spaces_[2];
  RamWindow windows_[2];
};

}  // namespace sluice::cpu
