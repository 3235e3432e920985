// tests/support/board.h: the board as machines/virt.cpp records it, for tests of what is made from the
// record.
#pragma once
#include "machines/board.h"

namespace sluice::test {

// Without parts and flash: each test names those that it looks at.
inline BoardRecord board(unsigned gic_version, unsigned pes) {
  BoardRecord b;
  b.ram = {{0x40000000}, u64{512} << 20};
  b.psci = cpu::PsciConduit::Hvc;
  b.pmu_ppi = 7;
  b.power_button_line = 3;
  for (unsigned n = 0; n < pes; n++) b.pes.push_back({"arm,cortex-a57", n});
  b.gic.version = gic_version;
  b.gic.distributor = {{0x08000000}, 0x10000};
  if (gic_version == 2) {
    b.gic.cpu_interface = PhysRange{{0x08010000}, 0x10000};
    b.gic.v2m_frame = PhysRange{{0x08020000}, 0x1000};
  } else {
    b.gic.redistributors = {{{0x080a0000}, 0xf60000}};
    b.gic.its = PhysRange{{0x08080000}, 0x20000};
  }
  b.pcie = PlacedPcie{{{0x4010000000}, 0x10000000},
                      {{0x10000000}, 0x2eff0000},
                      PhysRange{{0x8000000000}, u64{512} << 30},
                      {{0x3eff0000}, 0x10000},
                      256,
                      3};
  return b;
}

}  // namespace sluice::test
