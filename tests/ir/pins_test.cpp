// Which slots of guest state a region keeps in host registers.
#include "tcg/x86_64/pins.h"

#include <gtest/gtest.h>

#include "cpu/state.h"
#include "tcg/ir/builder.h"

namespace sluice::tcg::x86_64 {
namespace {

using ir::Block;
using ir::Builder;
using ir::Op;
using ir::Type;

u32 x(unsigned n) { return u32(offsetof(cpu::PeState, x) + 8 * n); }

struct Loop {
  Loop() {
    block.is_region = true;
    ir.label(0x1000, 0);
  }
  void count(u32 slot) { ir.set_state(slot, ir.binary(Op::Add, ir.get_state(Type::I64, slot), ir.i64(1))); }
  Pins end() {
    ir.exit_to(0x1000);
    Pins pins;
    pins.choose(block);
    return pins;
  }
  Block block;
  Builder ir{block};
};

TEST(Pins, EveryGeneralRegisterCanBePinned) {
  for (unsigned n = 0; n < 31; n++) {
    Loop loop;
    loop.count(x(n));
    EXPECT_NE(loop.end().find(x(n)), nullptr) << "X" << n;
  }
}

TEST(Pins, WhatTheExecutionStateHasIsNeverPinned) {
  Loop loop;
  loop.count(u32(offsetof(ExecState, pc)));
  loop.count(u32(offsetof(ExecState, link_site)));
  EXPECT_TRUE(loop.end().empty());
}

TEST(Pins, WhatOneTurnLeavesToTheNextComesBeforeWhatIsOnlyWritten) {
  Loop loop;
  for (unsigned n = 0; n < 8; n++)
    for (int times = 0; times < 2; times++) loop.ir.set_state(x(n), loop.ir.i64(n));
  for (unsigned n = 20; n < 24; n++) loop.count(x(n));
  Pins pins = loop.end();
  for (unsigned n = 20; n < 24; n++) EXPECT_NE(pins.find(x(n)), nullptr) << "X" << n;
}

TEST(Pins, ASlotThatIsAlsoAccessedInPartsIsNotPinned) {
  Loop loop;
  loop.count(x(0));
  loop.ir.set_state(x(0) + 4, loop.ir.i32(0));
  loop.count(x(5));
  Pins pins = loop.end();
  EXPECT_EQ(pins.find(x(0)), nullptr);
  EXPECT_NE(pins.find(x(5)), nullptr);
}

}  // namespace
}  // namespace sluice::tcg::x86_64
