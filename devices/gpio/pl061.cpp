// devices/gpio/pl061.cpp: PrimeCell General Purpose Input/Output (PL061), Arm DDI 0190B.
#include "devices/gpio/pl061.h"

#include <utility>

#include "base/bits.h"

namespace sluice {

RegisterTable<Pl061> Pl061::registers() {
  static constexpr auto kTable = register_table<Pl061>({
      // clang-format off
      // name           offset reset writable behaviour                                       DDI 0190B
      {"GPIODATA",      0x000, 0,    0xff,    indexed(&Pl061::read_data, &Pl061::write_data), "3.3.1", 256},
      {"GPIODIR",       0x400, 0,    0xff,    stored(&Pl061::dir_, &Pl061::write_dir),        "3.3.2"},
      {"GPIOIS",        0x404, 0,    0xff,    stored(&Pl061::is_, &Pl061::write_sense),       "3.3.3"},
      {"GPIOIBE",       0x408, 0,    0xff,    stored(&Pl061::ibe_, &Pl061::write_sense),      "3.3.4"},
      {"GPIOIEV",       0x40c, 0,    0xff,    stored(&Pl061::iev_, &Pl061::write_sense),      "3.3.5"},
      {"GPIOIE",        0x410, 0,    0xff,    stored(&Pl061::ie_, &Pl061::write_sense),       "3.3.6"},
      {"GPIORIS",       0x414, 0,    0,       computed(&Pl061::read_ris),                     "3.3.7"},
      {"GPIOMIS",       0x418, 0,    0,       computed(&Pl061::read_mis),                     "3.3.8"},
      {"GPIOIC",        0x41c, 0,    0xff,    command(&Pl061::write_ic),                      "3.3.9"},
      {"GPIOAFSEL",     0x420, 0,    0xff,    stored(&Pl061::afsel_),                      "3.3.10", 1, 0xff},
      {"GPIOPeriphID0", 0xfe0, 0x61, 0,       constant(),                                     "3.3.11"},
      {"GPIOPeriphID1", 0xfe4, 0x10, 0,       constant(),                                     "3.3.11"},
      {"GPIOPeriphID2", 0xfe8, 0x04, 0,       constant(),                                     "3.3.11"},
      {"GPIOPeriphID3", 0xfec, 0x00, 0,       constant(),                                     "3.3.11"},
      {"GPIOPCellID0",  0xff0, 0x0d, 0,       constant(),                                     "3.3.12"},
      {"GPIOPCellID1",  0xff4, 0xf0, 0,       constant(),                                     "3.3.12"},
      {"GPIOPCellID2",  0xff8, 0x05, 0,       constant(),                                     "3.3.12"},
      {"GPIOPCellID3",  0xffc, 0xb1, 0,       constant(),                                     "3.3.12"},
      // clang-format on
  });
  return kTable.table();
}

Pl061::Pl061(IrqLine gpiointr) : gpiointr_(std::move(gpiointr)) { reset_registers(); }

void Pl061::reset() {
  auto held = lock();
  reset_registers();
  data_ = 0;
  pins_changed();
  edges_ = 0;
  update_interrupt();
}

void Pl061::set_line(unsigned n, bool level) {
  if (n >= kLines) return;
  auto held = lock();
  input_ = u32(deposit(input_, n, 1, level));
  pins_changed();
}

void Pl061::connect_output(unsigned n, IrqLine line) {
  auto held = lock();
  if (n < kLines) outputs_[n] = std::move(line);
}

// Address bits 9:2 are the mask of the lines that a write changes and a read shows (GPIODATA).
void Pl061::write_data(u32 mask, u32 value) {
  data_ = (data_ & ~mask) | (value & mask);
  pins_changed();
}

// A level interrupt (GPIOIS = 1) shows the line as it is now; an edge stays until GPIOIC clears it.
u32 Pl061::raw_status() const { return (is_ & ~(pins() ^ iev_)) | (edges_ & ~is_); }

void Pl061::write_ic(RegWrite w) {
  edges_ &= ~w.value;
  update_interrupt();
}

void Pl061::pins_changed() {
  u32 now = pins();
  u32 changed = std::exchange(seen_pins_, now) ^ now;
  u32 selected = ibe_ | ~(now ^ iev_);  // GPIOIBE: both edges; else GPIOIEV: 1 rising, 0 falling
  edges_ |= changed & selected & ~is_;

  u32 driven = data_ & dir_;
  u32 toggled = std::exchange(seen_outputs_, driven) ^ driven;
  for (unsigned n = 0; n < kLines; n++)
    if (bit(toggled, n)) outputs_[n](bit(driven, n));
  update_interrupt();
}

}  // namespace sluice
