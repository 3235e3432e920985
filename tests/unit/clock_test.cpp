// The clock by itself, in real-time mode: what the I/O thread may see while others set timers.
#include "base/clock.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace sluice {
namespace {

constexpr u64 kHour = 3600ull * 1'000'000'000;

// The I/O thread goes to sleep for as long as next_deadline_ns() says, and a timer that moves further away
// does not wake it.
TEST(Clock, ATimerThatIsSetAgainIsNeverMissingFromTheEarliestDeadline) {
  Clock clock;
  Clock::Timer timer(clock, [] {});
  u64 deadline = clock.now_ns() + kHour;
  timer.arm(deadline);
  std::atomic<bool> stop{false};
  u64 looks = 0, missing = 0;
  std::thread io([&] {
    for (; !stop.load(std::memory_order_relaxed); looks++)
      missing += clock.next_deadline_ns() == Clock::kNever;
  });
  for (int n = 0; n < 200000; n++) timer.arm(++deadline);
  stop = true;
  io.join();
  EXPECT_EQ(missing, 0u) << "of " << looks;
  EXPECT_EQ(clock.next_deadline_ns(), deadline);
}

TEST(Clock, TheEarliestDeadlineIsThatOfTheTimersThatAreSet) {
  Clock clock;
  const u64 now = clock.now_ns();
  Clock::Timer a(clock, [] {}), b(clock, [] {});
  EXPECT_EQ(clock.next_deadline_ns(), Clock::kNever);
  a.arm(now + kHour);
  b.arm(now + 2 * kHour);
  EXPECT_EQ(clock.next_deadline_ns(), now + kHour);
  a.arm(now + 3 * kHour);
  EXPECT_EQ(clock.next_deadline_ns(), now + 2 * kHour);
  b.cancel();
  EXPECT_EQ(clock.next_deadline_ns(), now + 3 * kHour);
  a.cancel();
  EXPECT_EQ(clock.next_deadline_ns(), Clock::kNever);
}

TEST(Clock, WhoeverWaitsIsWokenOnlyByADeadlineThatComesCloser) {
  Clock clock;
  int wakes = 0;
  clock.on_wake([&] { wakes++; });
  const u64 now = clock.now_ns();
  Clock::Timer a(clock, [] {}), b(clock, [] {});
  a.arm(now + 2 * kHour);
  EXPECT_EQ(wakes, 1);
  b.arm(now + 3 * kHour);
  EXPECT_EQ(wakes, 1);
  a.arm(now + 4 * kHour);
  EXPECT_EQ(wakes, 1) << "it wakes by itself, and looks again";
  b.arm(now + kHour);
  EXPECT_EQ(wakes, 2);
}

}  // namespace
}  // namespace sluice
