// tests/unit/pl031_test.cpp: the RTC through its registers. Expected values are those of Arm DDI 0224C.
#include "devices/timer/pl031.h"

#include <gtest/gtest.h>

#include <ctime>

namespace sluice {
namespace {

enum : u64 { DR = 0x00, MR = 0x04, LR = 0x08, CR = 0x0c, IMSC = 0x10, RIS = 0x14, MIS = 0x18, ICR = 0x1c };
constexpr u64 kSecond = 1'000'000'000;

struct Bench {
  Clock clock{Clock::Mode::Icount};
  bool irq = false;
  Pl031 rtc{clock, 1'700'000'000, IrqLine([this](bool high) { irq = high; })};
  u32 r(u64 offset) {
    u64 value = 0;
    EXPECT_TRUE(rtc.read(offset, 4, value, MemTxAttrs::pe(0, PaSpace::NonSecure, true)).is_ok());
    return u32(value);
  }
  void w(u64 offset, u32 value) {
    EXPECT_TRUE(rtc.write(offset, 4, value, MemTxAttrs::pe(0, PaSpace::NonSecure, true)).is_ok());
  }
  void to(u64 ns) {
    clock.advance_to(ns);
    clock.run_expired();
  }
};

TEST(Pl031, ResetValuesAndIdentification) {
  Bench b;
  for (u64 at : {MR, LR, IMSC, RIS, MIS}) EXPECT_EQ(b.r(at), 0u);
  const u8 ids[] = {0x31, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
  for (unsigned i = 0; i < 8; i++) EXPECT_EQ(b.r(0xfe0 + 4 * i), ids[i]);
}

// RTCCR: once it runs, writes have no effect.
TEST(Pl031, RunsFromTheStart) {
  Bench b;
  EXPECT_EQ(b.r(CR), 1u);
  b.w(CR, 0);
  EXPECT_EQ(b.r(CR), 1u);
  EXPECT_EQ(b.r(DR), 1'700'000'000u);
  b.to(5 * kSecond + 1);
  EXPECT_EQ(b.r(DR), 1'700'000'005u);
  b.w(DR, 1);
  EXPECT_EQ(b.r(DR), 1'700'000'005u);
}

TEST(Pl031, LoadSetsTheCounter) {
  Bench b;
  b.to(3 * kSecond);
  b.w(LR, 100);
  EXPECT_EQ(b.r(DR), 100u);
  EXPECT_EQ(b.r(LR), 100u);
  b.to(10 * kSecond);
  EXPECT_EQ(b.r(DR), 107u);
  b.w(LR, 0xffff'ffff);
  b.to(11 * kSecond);
  EXPECT_EQ(b.r(DR), 0u);  // 32 bits
}

TEST(Pl031, MatchInterrupts) {
  Bench b;
  b.w(IMSC, 1);
  b.w(MR, 1'700'000'004);
  b.to(4 * kSecond - 1);
  EXPECT_FALSE(b.irq);
  b.to(4 * kSecond);
  EXPECT_TRUE(b.irq);
  EXPECT_EQ(b.r(RIS), 1u);
  EXPECT_EQ(b.r(MIS), 1u);
  b.w(IMSC, 0);
  EXPECT_FALSE(b.irq);
  EXPECT_EQ(b.r(RIS), 1u);
  b.w(ICR, 1);
  EXPECT_EQ(b.r(RIS), 0u);
  b.to(100 * kSecond);
  EXPECT_EQ(b.r(RIS), 0u);
}

TEST(Pl031, MatchMovesWithRtcmrAndRtclr) {
  Bench b;
  b.w(IMSC, 1);
  b.w(MR, 1'700'000'004);
  b.w(MR, 1'700'000'009);
  b.to(8 * kSecond);
  EXPECT_FALSE(b.irq);
  b.w(LR, 1'700'000'009);  // equal now
  EXPECT_TRUE(b.irq);
  b.w(ICR, 1);
  b.w(LR, 1'700'000'000);
  b.to(16 * kSecond);
  EXPECT_FALSE(b.irq);
  b.to(17 * kSecond);
  EXPECT_TRUE(b.irq);
}

TEST(Pl031, ResetKeepsTheCounterAndForgetsTheMatch) {
  Bench b;
  b.w(LR, 500);
  b.w(IMSC, 1);
  b.w(MR, 505);
  b.rtc.reset();
  EXPECT_EQ(b.r(DR), 500u);
  b.to(10 * kSecond);
  EXPECT_FALSE(b.irq);
  EXPECT_EQ(b.r(RIS), 0u);
}

TEST(Pl031, WallClockIsNow) {
  EXPECT_NEAR(double(Pl031::wall_clock_seconds()), double(std::time(nullptr)), 2.0);
}

}  // namespace
}  // namespace sluice
