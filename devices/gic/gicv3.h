// devices/gic/gicv3.h: Generic Interrupt Controller v3 (Arm IHI 0069H), with one Security state
// (GICD_CTLR.DS == 1) or two (DS is RAZ/WI). Wiring: distributor() 64 KiB; redistributors() 128 KiB (RD_base,
// SGI_base) per PE, contiguous; cpu_interface(pe) backs the ICC_* system registers of one PE; SPI and PPI
// lines in, irq and fiq out. Affinity routing only (ARE is RAO/WI). LPIs exist when there is an ITS
// (devices/gic/its.h) to make them. Not modelled: extended SPI and PPI ranges, message-based SPIs, NMIs; the
// ID registers say so.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "base/sysreg_port.h"
#include "devices/gic/interrupt_controller.h"
#include "memory/dma.h"

namespace sluice {

class Gicv3Lpis;

class Gicv3 final : public InterruptController {
 public:
  struct Config {
    unsigned pes = 1;                  // 1..512
    std::vector<u64> affinities = {};  // MPIDR_EL1 of each PE (Aff3..Aff0 are used); default: clusters of 16
    unsigned spis = 256;               // 0..988
    unsigned priority_bits = 5;        // 4..8; with two Security states 5..8
    bool security = false;             // two Security states
    // PEs whose redistributors lie in the first of two regions: GICR_TYPER.Last is set on the last of each.
    unsigned first_region = ~0u;
    // Where the Redistributors find the LPI tables of the guest. Without it there are no LPIs.
    std::optional<DmaPort> lpi_memory = {};
  };
  static constexpr u64 kDistributorSize = 0x10000;
  static constexpr u64 kRedistributorStride = 0x20000;

  explicit Gicv3(Config config);
  ~Gicv3() override;
  Gicv3(const Gicv3&) = delete;
  Gicv3& operator=(const Gicv3&) = delete;

  IrqLine spi(unsigned n) override;
  IrqLine ppi(unsigned pe, unsigned intid) override;
  void connect(unsigned pe, IrqLine irq, IrqLine fiq) override;
  MmioDevice& distributor() override;
  MmioDevice& redistributors();
  SysregPort& cpu_interface(unsigned pe);
  unsigned pes() const;
  // nullptr without LPIs.
  Gicv3Lpis* lpis();
  void reset() override;
  void reset_cpu_interface(unsigned pe) override;
  void reset_for_non_secure(bool yes) override;
  std::string describe() override;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace sluice
