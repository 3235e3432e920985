// tests/unit/pl061_test.cpp: the GPIO through its registers. Expected values are those of Arm DDI 0190B.
#include "devices/gpio/pl061.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

enum : u64 {
  DATA = 0x000,
  DIR = 0x400,
  IS = 0x404,
  IBE = 0x408,
  IEV = 0x40c,
  IE = 0x410,
  RIS = 0x414,
  MIS = 0x418,
  IC = 0x41c,
  AFSEL = 0x420,
};

struct Bench {
  bool irq = false, out7 = false;
  Pl061 gpio{IrqLine([this](bool high) { irq = high; })};
  Bench() {
    gpio.connect_output(7, IrqLine([this](bool high) { out7 = high; }));
  }
  u32 r(u64 offset) {
    u64 value = 0;
    EXPECT_TRUE(gpio.read(offset, 4, value, MemTxAttrs::pe(0, PaSpace::NonSecure, true)).is_ok());
    return u32(value);
  }
  void w(u64 offset, u32 value) {
    EXPECT_TRUE(gpio.write(offset, 4, value, MemTxAttrs::pe(0, PaSpace::NonSecure, true)).is_ok());
  }
};

TEST(Pl061, ResetValuesAndIdentification) {
  Bench b;
  for (u64 at : {u64(0x3fc), u64(DIR), u64(IS), u64(IBE), u64(IEV), u64(IE), u64(RIS), u64(MIS), u64(AFSEL)})
    EXPECT_EQ(b.r(at), 0u);
  const u8 ids[] = {0x61, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
  for (unsigned i = 0; i < 8; i++) EXPECT_EQ(b.r(0xfe0 + 4 * i), ids[i]);
}

// GPIODATA: address bits 9:2 mask both reads and writes.
TEST(Pl061, DataIsMaskedByTheAddress) {
  Bench b;
  b.w(DIR, 0xff);
  b.w(DATA + 0x098, 0xfb);  // mask 0x26, as in the manual's example
  EXPECT_EQ(b.r(0x3fc), 0x22u);
  b.w(0x3fc, 0xff);
  EXPECT_EQ(b.r(DATA + 0x0c4), 0x31u);
  b.w(DATA + 0x004, 0);
  EXPECT_EQ(b.r(0x3fc), 0xfeu);  // the other lines keep their value
  EXPECT_EQ(b.r(DATA), 0u);
}

TEST(Pl061, InputsAndOutputs) {
  Bench b;
  b.gpio.set_line(0, true);
  b.w(0x3fc, 0x80);
  EXPECT_EQ(b.r(0x3fc), 0x01u);
  EXPECT_FALSE(b.out7);
  b.w(DIR, 0x80);
  EXPECT_TRUE(b.out7);
  EXPECT_EQ(b.r(0x3fc), 0x81u);
  b.w(0x200, 0);
  EXPECT_FALSE(b.out7);
}

// GPIOIEV selects the edge; GPIOIBE both; GPIOIC clears; GPIOIE masks.
TEST(Pl061, Edges) {
  Bench b;
  b.w(IE, 1 << 3);
  b.w(IEV, 1 << 3);
  IrqLine button = b.gpio.input(3);
  button(true);
  EXPECT_TRUE(b.irq);
  EXPECT_EQ(b.r(MIS), 8u);
  b.w(IC, 8);
  EXPECT_FALSE(b.irq);
  button(false);
  EXPECT_FALSE(b.irq);
  b.w(IEV, 0);
  button(true);
  EXPECT_FALSE(b.irq);
  button(false);
  EXPECT_TRUE(b.irq);
  b.w(IC, 8);
  b.w(IBE, 8);
  button(true);
  EXPECT_TRUE(b.irq);
  b.w(IC, 8);
  button(false);
  EXPECT_TRUE(b.irq);
  b.w(IE, 0);
  EXPECT_FALSE(b.irq);
  EXPECT_EQ(b.r(RIS), 8u);
}

// GPIOIS: a level interrupt follows its line, and GPIOIC does not clear it.
TEST(Pl061, Levels) {
  Bench b;
  b.w(IS, 0x03);
  b.w(IEV, 0x01);
  b.w(IE, 0x01);
  EXPECT_EQ(b.r(RIS), 0x02u);  // line 1 is low, and low is its level
  b.gpio.set_line(0, true);
  EXPECT_TRUE(b.irq);
  b.w(IC, 0xff);
  EXPECT_TRUE(b.irq);
  b.gpio.set_line(0, false);
  EXPECT_FALSE(b.irq);
}

TEST(Pl061, ResetClearsEdgesAndOutputs) {
  Bench b;
  b.w(DIR, 0x80);
  b.w(0x3fc, 0x80);
  b.w(IE, 0xff);
  b.w(IEV, 0xff);
  b.gpio.set_line(3, true);
  EXPECT_TRUE(b.irq && b.out7);
  b.gpio.reset();
  EXPECT_FALSE(b.irq || b.out7);
  EXPECT_EQ(b.r(RIS), 0u);
  EXPECT_EQ(b.r(0x3fc), 8u);  // the line is the board's
  b.gpio.set_line(99, true);  // no such line
}

}  // namespace
}  // namespace sluice
