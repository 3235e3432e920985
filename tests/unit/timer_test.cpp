// The Generic Timer against Arm DDI 0487, chapter D11, with the clock in the test's hands.
#include "cpu/timer.h"

#include <gtest/gtest.h>

#include <atomic>

namespace sluice::cpu {
namespace {

struct World {
  Clock clock{Clock::Mode::Icount};
  bool level = false;
  GenericTimer timer{clock, IrqLine{[this](bool l) { level = l; }}};
  void to(u64 ns) { clock.advance_to(ns), clock.run_expired(); }
};

TEST(GenericTimer, CountsAtSixtyTwoAndAHalfMegahertz) {
  World w;
  EXPECT_EQ(w.timer.counter(), 0u);
  w.to(1'000'000'000);
  EXPECT_EQ(w.timer.counter(), 62'500'000u);
}

TEST(GenericTimer, FiresWhenTheCounterReachesCval) {
  World w;
  w.timer.write_cval(100);
  w.timer.write_ctl(1);
  w.to(100 * 16 - 1);
  EXPECT_FALSE(w.level);
  EXPECT_EQ(w.timer.ctl(), 1u);
  w.to(100 * 16);
  EXPECT_TRUE(w.level);
  EXPECT_EQ(w.timer.ctl(), 5u);  // ISTATUS
}

TEST(GenericTimer, LevelFallsWhenCvalMovesIntoTheFuture) {
  World w;
  w.to(16000);
  w.timer.write_cval(10);
  w.timer.write_ctl(1);
  EXPECT_TRUE(w.level);
  w.timer.write_cval(2000);
  EXPECT_FALSE(w.level);
  EXPECT_EQ(w.timer.ctl(), 1u);
}

TEST(GenericTimer, ImaskHidesTheLineAndNotTheStatus) {
  World w;
  w.to(16000);
  w.timer.write_ctl(3);
  EXPECT_FALSE(w.level);
  EXPECT_EQ(w.timer.ctl(), 7u);
  w.timer.write_ctl(1);
  EXPECT_TRUE(w.level);
  w.timer.write_ctl(0);
  EXPECT_FALSE(w.level);
  EXPECT_EQ(w.timer.ctl(), 0u);
}

TEST(GenericTimer, TvalIsSignedAndRunsDown) {
  World w;
  w.to(1600);
  w.timer.write_tval(50);
  EXPECT_EQ(w.timer.cval(), 150u);
  w.to(3200);
  EXPECT_EQ(w.timer.tval(), u32(-50));
  w.timer.write_tval(0xffffffff);  // -1: due already
  EXPECT_EQ(w.timer.cval(), 199u);
  w.timer.write_ctl(1);
  EXPECT_TRUE(w.level);
}

TEST(GenericTimer, ComparisonIsSigned) {
  World w;
  w.timer.write_ctl(1);
  w.timer.write_cval(~u64{0});  // 1 tick ago, as a signed distance
  EXPECT_TRUE(w.level);
  w.timer.write_cval(u64{1} << 62);  // very far away
  EXPECT_FALSE(w.level);
  EXPECT_EQ(w.clock.next_deadline_ns(), Clock::kNever);
}

// In real time the counter moves while CVAL is written. A timer that was set to the next tick has fired, or
// will.
TEST(GenericTimer, ADeadlineThatPassesWhileItIsSetIsNotMissed) {
  Clock clock;
  std::atomic<bool> level{false};
  GenericTimer timer{clock, IrqLine{[&](bool l) { level = l; }}};
  timer.write_ctl(1);
  for (unsigned n = 0; n < 20'000; n++) {
    timer.write_cval(timer.counter() + n % 8);
    ASSERT_TRUE(level || clock.next_deadline_ns() != Clock::kNever) << n;
  }
}

TEST(GenericTimer, ResetDisables) {
  World w;
  w.to(16000);
  w.timer.write_ctl(1);
  EXPECT_TRUE(w.level);
  w.timer.reset();
  EXPECT_FALSE(w.level);
  EXPECT_EQ(w.timer.ctl(), 0u);
}

}  // namespace
}  // namespace sluice::cpu
