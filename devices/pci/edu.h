// devices/pci/edu.h: the educational device, 1234:11e8: factorials, interrupts and asynchronous DMA.
// Register-compatible with the device of that name; QEMU docs/specs/edu.
// Wiring: PciWiring, clock. BAR 0: 1 MiB; INTA or one MSI.
#pragma once
#include <array>

#include "base/clock.h"
#include "devices/pci/function.h"

namespace sluice {

class Edu final : public PciFunction, private MmioDevice {
 public:
  static constexpr u64 kBarSize = 1 << 20;
  static constexpr u64 kBuffer = 0x40000, kBufferSize = 4096;        // as DMA addresses, not in the BAR
  static constexpr u64 kDmaNs = 100'000'000, kFactorialNs = 10'000;  // of virtual time
  static constexpr u64 kDefaultDmaMask = (1 << 28) - 1;

  Edu(PciWiring wiring, Clock& clock, u64 dma_mask = kDefaultDmaMask);

 private:
  struct Row;
  static const Row* find(u64 offset);

  void reset_device() override;
  AccessRules access_rules() const override { return {.valid_min = 4, .impl_min = 4, .impl_max = 8}; }
  MemTxResult read(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) override;
  MemTxResult write(u64 offset, unsigned size, u64 value, MemTxAttrs attrs) override;

  void write_liveness(u64 value) { liveness_ = ~value & 0xffffffff; }
  void write_factorial(u64 value);
  void write_status(u64 value);
  void raise(u64 value);
  void acknowledge(u64 value);
  void write_command(u64 value);
  void finish_factorial();
  void finish_dma();
  void transfer();

  const u64 dma_mask_;
  Clock& clock_;
  u64 identification_ = 0x010000ed, liveness_ = 0, factorial_ = 0, status_ = 0, interrupts_ = 0;
  u64 source_ = 0, destination_ = 0, count_ = 0, command_ = 0;
  std::array<std::byte, kBufferSize> buffer_{};
  // Last: they end before what their callbacks use.
  Clock::Timer factorial_timer_, dma_timer_;
};

}  // namespace sluice
