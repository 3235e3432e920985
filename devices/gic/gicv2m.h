// devices/gic/gicv2m.h: GICv2m frame: message-signalled interrupts for a GICv2. Arm Server Base System
// Architecture 3.0 (DEN 0029), Appendix E. Wiring: MMIO 4 KiB; edge-triggered SPIs out.
#pragma once
#include <mutex>
#include <vector>

#include "base/wire.h"
#include "memory/mmio.h"

namespace sluice {

class Gicv2m final : public MmioDevice {
 public:
  static constexpr u64 kRegionSize = 0x1000;

  // `spis` are the lines of the SPIs from `first_intid` on.
  Gicv2m(u32 first_intid, std::vector<IrqLine> spis) : first_intid_(first_intid), spis_(std::move(spis)) {}

  bool locks_itself() const override { return true; }
  AccessRules access_rules() const override { return {.valid_min = 4, .valid_max = 4}; }
  MemTxResult read(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) override;
  MemTxResult write(u64 offset, unsigned size, u64 value, MemTxAttrs attrs) override;

 private:
  const u32 first_intid_;
  const std::vector<IrqLine> spis_;
  std::mutex mutex_;  // of the lines: two messages for one SPI must not become one edge
};

}  // namespace sluice
