// tests/support/eventually.h: waits for what another thread does, by a condition and not by time.
#pragma once
#include <chrono>
#include <thread>

#include "memory/invalidation.h"

namespace sluice::test {

// True as soon as `condition()` is. False after a minute: something hangs.
template <class Condition>
[[nodiscard]] bool eventually(Condition&& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

// Made before another thread begins a change; `eventually(waits)` returns when that thread sleeps until the
// holders have acknowledged: whatever it does before completion, it has done.
class SleepsForCompletion {
 public:
  explicit SleepsForCompletion(const InvalidationHub& hub)
      : hub_(hub), before_(hub.counters().waits_that_slept) {}
  bool operator()() const { return hub_.counters().waits_that_slept != before_; }

 private:
  const InvalidationHub& hub_;
  const u64 before_;
};

}  // namespace sluice::test
