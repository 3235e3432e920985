// devices/gic/gicv2.h: Generic Interrupt Controller v2 (Arm IHI 0048B.b), with or without Security
// Extensions. Wiring: distributor() 4 KiB (virt gives it 64 KiB), cpu_interface() 8 KiB, banked by the
// accessing PE (attrs.initiator) and, with Security Extensions, by the Security state of the access
// (attrs.space); SPI and PPI lines in, irq and fiq out. Group 0 is signalled as FIQ when GICC_CTLR.FIQEn is
// set.
#pragma once
#include <memory>

#include "devices/gic/interrupt_controller.h"

namespace sluice {

class Gicv2 final : public InterruptController {
 public:
  struct Config {
    unsigned pes = 1;            // 1..8
    unsigned spis = 256;         // 0..988
    unsigned priority_bits = 8;  // 4..8; with Security Extensions 5..8
    bool security = false;       // Security Extensions
  };
  static constexpr u64 kDistributorSize = 0x1000;
  static constexpr u64 kCpuInterfaceSize = 0x2000;

  explicit Gicv2(Config config);
  ~Gicv2() override;
  Gicv2(const Gicv2&) = delete;
  Gicv2& operator=(const Gicv2&) = delete;

  IrqLine spi(unsigned n) override;
  IrqLine ppi(unsigned pe, unsigned intid) override;
  void connect(unsigned pe, IrqLine irq, IrqLine fiq) override;
  MmioDevice& distributor() override;
  MmioDevice& cpu_interface();
  void reset() override;
  void reset_cpu_interface(unsigned pe) override;
  void reset_for_non_secure(bool yes) override;
  std::string describe() override;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace sluice
