// devices/pci/msix.h: MSI-X, PCI Express Base Specification 5.0, 6.1.4 and 7.7.2, and MSI, 7.7.1.
// A message is a DMA write of the function: it carries its requester ID, passes its IOMMU, and needs Bus
// Master Enable.
#pragma once
#include <functional>
#include <vector>

#include "devices/pci/config_space.h"
#include "memory/mmio.h"

namespace sluice {

// Sends one message: a 32-bit write of `data` to `address`.
using MessageSender = std::function<void(u64 address, u32 data)>;

// The table and the pending bit array, one BAR: the table at 0, the PBA in the BAR's second half. All members
// are called with the function's lock held.
class Msix final : public MmioDevice {
 public:
  // 1..2048 vectors. Adds the capability to `config`; the BAR is `bar`.
  Msix(ConfigSpace& config, unsigned vectors, unsigned bar, MessageSender send);

  unsigned vectors() const { return unsigned(entries_.size()); }
  // A power of two, at least 4 KiB.
  u64 bar_size() const { return bar_size_; }
  bool enabled() const;
  // An event of the vector: sends its message, or pends it while the vector or the function is masked.
  // Vectors that do not exist do nothing.
  void notify(unsigned vector);
  bool pending(unsigned vector) const { return vector < vectors() && pending_[vector]; }
  void reset();

  AccessRules access_rules() const override { return {.valid_min = 4, .impl_min = 4, .impl_max = 4}; }
  MemTxResult read(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) override;
  MemTxResult write(u64 offset, unsigned size, u64 value, MemTxAttrs attrs) override;

 private:
  struct Entry {
    u32 address_low, address_high, data, control;
  };
  static constexpr u64 kEntrySize = 16;
  static constexpr u32 kMasked = 1;  // Vector Control
  bool masked(unsigned vector) const;
  void send_pending();
  void send(unsigned vector);

  ConfigSpace& config_;
  const u64 bar_size_;
  u16 capability_ = 0;
  std::vector<Entry> entries_;
  std::vector<bool> pending_;
  MessageSender send_;
};

// MSI with one vector and a 64-bit address, without per-vector masking.
class Msi final {
 public:
  Msi(ConfigSpace& config, MessageSender send);
  bool enabled() const;
  void notify();

 private:
  ConfigSpace& config_;
  u16 capability_ = 0;
  MessageSender send_;
};

}  // namespace sluice
