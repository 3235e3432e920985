// base/clock.h: guest virtual time and timers.
// In real-time mode virtual time follows the host's monotonic clock and timers fire on the I/O thread. In
// icount mode (deterministic) the run loop advances virtual time itself and fires timers on its own thread.
#pragma once
#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "base/types.h"

namespace sluice {

class Clock {
 public:
  enum class Mode : u8 { RealTime, Icount };
  explicit Clock(Mode mode = Mode::RealTime);
  ~Clock();
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;

  Mode mode() const { return mode_; }
  // Nanoseconds of guest virtual time since the machine was made. Any thread.
  u64 now_ns() const;

  // A one-shot timer. The callback runs without any lock of the clock held; re-arming from it is allowed.
  // Destroying a timer waits for a callback that is running on another thread.
  class Timer {
   public:
    Timer(Clock& clock, std::function<void()> expired);
    ~Timer();
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;
    void arm(u64 deadline_ns);
    void cancel();

   private:
    friend Clock;
    Clock& clock_;
    std::function<void()> expired_;
    bool armed_ = false;
    std::multimap<u64, Timer*>::iterator place_;
  };

  static constexpr u64 kNever = ~u64{0};
  // Earliest armed deadline, or kNever.
  u64 next_deadline_ns() const;
  // Fires every timer that is due; returns the next deadline. Called by the I/O thread (real time) or the run
  // loop (icount).
  u64 run_expired();
  // Icount mode: moves virtual time forward to `ns` (never backwards).
  void advance_to(u64 ns);
  // Real-time mode: blocks the I/O thread until a timer is due or `wake` is called, then fires what is due.
  void wait_and_run(u64 at_most_ns);
  void wake();
  // For an I/O thread that waits in poll() and not in `wait_and_run`: called, without any lock of the clock
  // held, when the earliest deadline moved closer, when virtual time started or stopped, and by `wake`. Set
  // it before any timer exists.
  void on_wake(std::function<void()> waker);
  // Real-time mode: host nanoseconds until the next timer is due; 0 = due now, kNever = none or time is
  // frozen.
  u64 host_ns_until_deadline() const;
  // Real-time mode: freezes or resumes virtual time (machine stopped in the monitor).
  void set_running(bool running);

 private:
  static u64 host_ns();
  void remove(Timer& timer);  // with mutex_ held
  void note_earliest();       // with mutex_ held
  void wake_io_thread();
  const Mode mode_;
  mutable std::mutex mutex_;
  std::condition_variable changed_, idle_;
  std::multimap<u64, Timer*> queue_;
  Timer* firing_ = nullptr;
  std::thread::id firing_thread_;
  std::function<void()> waker_;
  bool woken_ = false;
  std::atomic<u64> earliest_ns_{kNever};
  std::atomic<u64> virtual_ns_{0};      // icount: the time; real time: the time while stopped
  std::atomic<u64> host_offset_ns_{0};  // real time: host_ns() - offset = virtual time
  std::atomic<bool> running_{true};
};

}  // namespace sluice
