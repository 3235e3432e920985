// devices/gpio/pl061.h: PrimeCell General Purpose Input/Output (PL061), Arm DDI 0190B.
// Wiring: MMIO 4 KiB; 8 lines, each an input (set_line) or an output (connect_output); GPIOINTR out (level,
// active high). Lines that nothing drives are low. Hardware control (GPIOAFSEL) is stored and changes
// nothing, because the alternate inputs and outputs are not wired.
#pragma once
#include "base/wire.h"
#include "devices/register_block.h"

namespace sluice {

class Pl061 final : public RegisterDevice<Pl061> {
 public:
  static constexpr const char* kName = "pl061";
  static constexpr unsigned kLines = 8;
  explicit Pl061(IrqLine gpiointr);

  void reset();
  // The level that the board drives on line n. Any thread.
  void set_line(unsigned n, bool level);
  IrqLine input(unsigned n) {
    return IrqLine([this, n](bool level) { set_line(n, level); });
  }
  // Where line n goes while it is an output. Before the machine runs.
  void connect_output(unsigned n, IrqLine line);
  static RegisterTable<Pl061> registers();

 private:
  u32 pins() const { return (data_ & dir_) | (input_ & ~dir_); }
  u32 raw_status() const;
  u32 read_data(u32 mask) { return pins() & mask; }
  void write_data(u32 mask, u32 value);
  void write_dir(RegWrite) { pins_changed(); }
  void write_sense(RegWrite) { update_interrupt(); }
  u32 read_ris() { return raw_status(); }
  u32 read_mis() { return raw_status() & ie_; }
  void write_ic(RegWrite w);
  void pins_changed();
  void update_interrupt() { gpiointr_((raw_status() & ie_) != 0); }

  u32 data_ = 0, dir_ = 0, is_ = 0, ibe_ = 0, iev_ = 0, ie_ = 0, afsel_ = 0;
  u32 input_ = 0;  // what the board drives
  u32 seen_pins_ = 0, seen_outputs_ = 0;
  u32 edges_ = 0;  // latched edge interrupts
  std::array<IrqLine, kLines> outputs_;
  IrqLine gpiointr_;
};

}  // namespace sluice
