// devices/gic/interrupt_controller.h: what a board wires, whichever GIC it has.
#pragma once
#include <string>

#include "base/wire.h"
#include "memory/mmio.h"

namespace sluice {

// Lines may be driven from any thread. The controller has one lock of its own and drives the PE's irq and fiq
// lines while it holds it: their sinks set a flag and wake the PE, and never call back.
class InterruptController {
 public:
  virtual ~InterruptController() = default;
  // SPI n, which is INTID 32 + n. A line that does not exist goes nowhere.
  virtual IrqLine spi(unsigned n) = 0;
  // The PPI with this INTID (16..31) of one PE.
  virtual IrqLine ppi(unsigned pe, unsigned intid) = 0;
  // Where the interrupt requests of one PE go. Before the machine runs.
  virtual void connect(unsigned pe, IrqLine irq, IrqLine fiq) = 0;
  virtual MmioDevice& distributor() = 0;
  // Everything but the levels of the input lines, which belong to the devices that drive them.
  virtual void reset() = 0;
  // The CPU interface of a PE that is reset or powered up on its own (PSCI CPU_ON).
  virtual void reset_cpu_interface(unsigned pe) = 0;
  // Whether reset() leaves a controller with two Security states as Secure firmware leaves it for a
  // Non-secure kernel: every interrupt in Non-secure Group 1. At first it does not. Takes effect at the next
  // reset().
  virtual void reset_for_non_secure(bool yes) = 0;
  // For `info irq`: what is pending and active, and where it goes.
  virtual std::string describe() = 0;
};

}  // namespace sluice
