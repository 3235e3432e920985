#include "cpu/timer.h"

#include "base/bits.h"

namespace sluice::cpu {

GenericTimer::GenericTimer(Clock& clock, IrqLine output)
    : clock_(clock), output_(std::move(output)), timer_(clock, [this] { update(); }) {}

u64 GenericTimer::ctl() {
  std::lock_guard lock{mutex_};
  // ISTATUS is 0 while the timer is disabled (its value is then UNKNOWN).
  bool status = (ctl_ & kEnable) && condition_met(counter());
  return ctl_ | (status ? kIstatus : 0);
}

u64 GenericTimer::cval() {
  std::lock_guard lock{mutex_};
  return cval_;
}

// CVAL minus the counter; 32 bits.
u64 GenericTimer::tval() {
  std::lock_guard lock{mutex_};
  return u32(cval_ - counter());
}

void GenericTimer::write_ctl(u64 value) {
  {
    std::lock_guard lock{mutex_};
    ctl_ = u32(value & (kEnable | kImask));
  }
  update();
}

void GenericTimer::write_cval(u64 value) {
  {
    std::lock_guard lock{mutex_};
    cval_ = value;
  }
  update();
}

void GenericTimer::write_tval(u64 value) {
  {
    std::lock_guard lock{mutex_};
    cval_ = counter() + sign_extend(value, 32);
  }
  update();
}

void GenericTimer::reset() {
  {
    std::lock_guard lock{mutex_};
    ctl_ = 0;
    cval_ = 0;
  }
  update();
}

// Sets the line and arms the clock. The whole is one critical section: two threads (the PE that writes, the
// I/O thread that sees the deadline pass) must not drive the line in the wrong order. The receiver of the
// line is downstream and takes only its own lock.
void GenericTimer::update() {
  // The counter is read once: a condition that is met between two readings would be seen by neither.
  std::lock_guard lock{mutex_};
  u64 now = counter();
  bool enabled = ctl_ & kEnable;
  bool met = enabled && condition_met(now);
  bool level = met && !(ctl_ & kImask);
  if (enabled && !met && !(ctl_ & kImask)) {
    // The counter is 60 bits of nanoseconds away from overflow: a deadline beyond that never comes.
    u64 wait_ticks = cval_ - now;
    u64 deadline_ticks = now + offset_ + wait_ticks;
    bool reachable = deadline_ticks >= wait_ticks && deadline_ticks < Clock::kNever / kNsPerTick;
    if (reachable)
      timer_.arm(deadline_ticks * kNsPerTick);
    else
      timer_.cancel();
  } else {
    timer_.cancel();
  }
  if (level != level_) {
    level_ = level;
    output_(level);
  }
}

}  // namespace sluice::cpu
