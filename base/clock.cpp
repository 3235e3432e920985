// base/clock.cpp: guest virtual time and timers.
#include "base/clock.h"

#include <chrono>

namespace sluice {

Clock::Clock(Mode mode) : mode_(mode) { host_offset_ns_ = host_ns(); }
Clock::~Clock() = default;

u64 Clock::host_ns() {
  using namespace std::chrono;
  return u64(duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count());
}

u64 Clock::now_ns() const {
  if (mode_ == Mode::Icount) return virtual_ns_.load(std::memory_order_acquire);
  // The two values of one state belong together; a start or stop in between makes us look again.
  for (;;) {
    bool running = running_.load(std::memory_order_acquire);
    u64 offset = host_offset_ns_.load(std::memory_order_acquire);
    u64 now = running ? host_ns() - offset : virtual_ns_.load(std::memory_order_acquire);
    if (running_.load(std::memory_order_acquire) == running &&
        host_offset_ns_.load(std::memory_order_acquire) == offset)
      return now;
  }
}

Clock::Timer::Timer(Clock& clock, std::function<void()> expired)
    : clock_(clock), expired_(std::move(expired)) {}

Clock::Timer::~Timer() {
  std::unique_lock lock{clock_.mutex_};
  clock_.remove(*this);
  if (clock_.firing_ != this) return;
  if (clock_.firing_thread_ == std::this_thread::get_id())
    clock_.firing_ = nullptr;  // destroyed by its own callback: tell run_expired not to touch it again
  else
    clock_.idle_.wait(lock, [this] { return clock_.firing_ != this; });
}

void Clock::Timer::arm(u64 deadline_ns) {
  bool earlier;
  {
    std::unique_lock lock{clock_.mutex_};
    u64 before = clock_.earliest_ns_.load(std::memory_order_relaxed);
    // The earliest deadline is told once: the I/O thread looks at it without the lock, and would not be woken
    // again for a moment in which there is none.
    if (armed_) clock_.queue_.erase(place_);
    place_ = clock_.queue_.emplace(deadline_ns, this);
    armed_ = true;
    clock_.note_earliest();
    earlier = deadline_ns < before;
  }
  if (earlier) clock_.wake_io_thread();
}

void Clock::Timer::cancel() {
  std::unique_lock lock{clock_.mutex_};
  clock_.remove(*this);
}

void Clock::remove(Timer& timer) {
  if (!timer.armed_) return;
  queue_.erase(timer.place_);
  timer.armed_ = false;
  note_earliest();
}

void Clock::note_earliest() {
  earliest_ns_.store(queue_.empty() ? kNever : queue_.begin()->first, std::memory_order_release);
}

u64 Clock::next_deadline_ns() const { return earliest_ns_.load(std::memory_order_acquire); }

u64 Clock::run_expired() {
  if (next_deadline_ns() > now_ns()) return next_deadline_ns();
  std::unique_lock lock{mutex_};
  // A timer that re-arms itself in the past must not keep this loop going for ever: it fires again the next
  // time.
  for (size_t budget = queue_.size(); budget > 0 && !queue_.empty(); budget--) {
    auto [deadline, timer] = *queue_.begin();
    if (deadline > now_ns()) break;
    remove(*timer);
    firing_ = timer;
    firing_thread_ = std::this_thread::get_id();
    std::function<void()> expired = std::move(timer->expired_);
    lock.unlock();
    expired();
    lock.lock();
    if (firing_ == timer) timer->expired_ = std::move(expired);
    firing_ = nullptr;
    idle_.notify_all();
  }
  return next_deadline_ns();
}

void Clock::advance_to(u64 ns) {
  u64 now = virtual_ns_.load(std::memory_order_relaxed);
  while (now < ns && !virtual_ns_.compare_exchange_weak(now, ns, std::memory_order_acq_rel)) {
  }
}

u64 Clock::host_ns_until_deadline() const {
  u64 deadline = next_deadline_ns();
  if (deadline == kNever || mode_ == Mode::Icount || !running_.load(std::memory_order_acquire)) return kNever;
  u64 now = now_ns();
  return deadline > now ? deadline - now : 0;
}

void Clock::wait_and_run(u64 at_most_ns) {
  // Clamped so that the sum below cannot overflow the host's time type.
  constexpr u64 kLongest = 3600ull * 1'000'000'000;
  auto end = std::chrono::steady_clock::now() + std::chrono::nanoseconds(std::min(at_most_ns, kLongest));
  {
    std::unique_lock lock{mutex_};
    while (!woken_) {
      u64 left = host_ns_until_deadline();
      auto now = std::chrono::steady_clock::now();
      if (left == 0 || now >= end) break;
      auto until = left < kLongest ? std::min(end, now + std::chrono::nanoseconds(left)) : end;
      changed_.wait_until(lock, until);
    }
    woken_ = false;
  }
  if (mode_ == Mode::RealTime && running_.load(std::memory_order_acquire)) run_expired();
}

void Clock::wake() {
  {
    std::unique_lock lock{mutex_};
    woken_ = true;
  }
  wake_io_thread();
}

void Clock::on_wake(std::function<void()> waker) { waker_ = std::move(waker); }

void Clock::wake_io_thread() {
  changed_.notify_all();
  if (waker_) waker_();
}

void Clock::set_running(bool running) {
  if (mode_ == Mode::Icount) return;  // virtual time stands still by itself when nobody executes
  {
    std::unique_lock lock{mutex_};
    if (running_ == running) return;
    if (running) {
      host_offset_ns_ = host_ns() - virtual_ns_;
      running_ = true;
    } else {
      virtual_ns_ = host_ns() - host_offset_ns_;
      running_ = false;
    }
  }
  wake_io_thread();
}

}  // namespace sluice
