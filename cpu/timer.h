// cpu/timer.h: the Generic Timer of a PE (Arm DDI 0487, chapter D11): the EL1 virtual and physical timers
// over the machine's clock. Integer arithmetic only: it runs under translated code, whose MXCSR is the
// guest's.
#pragma once
#include <mutex>

#include "base/clock.h"
#include "base/wire.h"
#include "cpu/models.h"

namespace sluice::cpu {

// 16 ns a tick: the counter starts at 0 with virtual time.
static_assert(1'000'000'000 % kTimerFrequency == 0);
inline constexpr u64 kNsPerTick = 1'000'000'000 / kTimerFrequency;
constexpr u64 ticks_from_ns(u64 ns) { return ns / kNsPerTick; }

// One timer: CTL, CVAL, TVAL against a counter. The output is level sensitive: high while ENABLE, ISTATUS and
// not IMASK. Any thread.
class GenericTimer {
 public:
  GenericTimer(Clock& clock, IrqLine output);

  u64 counter() const { return ticks_from_ns(clock_.now_ns()) - offset_; }
  u64 ctl();
  u64 cval();
  u64 tval();
  void write_ctl(u64 value);
  void write_cval(u64 value);
  void write_tval(u64 value);
  void reset();

  static constexpr u64 kEnable = 1, kImask = 2, kIstatus = 4;

 private:
  bool condition_met(u64 now) const { return i64(now - cval_) >= 0; }
  void update();

  Clock& clock_;
  const IrqLine output_;
  u64 offset_ = 0;  // CNTVOFF_EL2
  std::mutex mutex_;
  u64 cval_ = 0;
  u32 ctl_ = 0;
  bool level_ = false;
  Clock::Timer timer_;  // last: its callback uses the rest
};

}  // namespace sluice::cpu
