// app/io_loop.h: the I/O thread: one poll() over file descriptors, signals, wake-ups from other threads, and
// the machine's clock.
#pragma once
#include <signal.h>

#include <functional>
#include <vector>

#include "base/clock.h"

namespace sluice {

class IoLoop {
 public:
  // Blocks `signals` in the calling thread (and so in all threads made later) and delivers them to
  // `on_signal`.
  IoLoop(Clock& clock, const std::vector<int>& signals, std::function<void(int)> on_signal);
  ~IoLoop();
  IoLoop(const IoLoop&) = delete;
  IoLoop& operator=(const IoLoop&) = delete;

  // `ready` runs on the I/O thread when `fd` can be read (or is at its end), as long as `wanted` says so.
  void watch(int fd, std::function<bool()> wanted, std::function<void()> ready);
  // The round ends when `fd` can be written, as long as `wanted` says so.
  void watch_output(int fd, std::function<bool()> wanted);
  // `work` runs on the I/O thread in every round, before it waits.
  void every_round(std::function<void()> work);
  // Ends the wait of the I/O thread. Any thread.
  void wake();
  // From now on the signals do what they do without us: the next SIGTERM ends the process.
  void release_signals();
  // One round: waits at most `at_most_ns`, then does what is due.
  void run_once(u64 at_most_ns = Clock::kNever);

 private:
  struct Watch {
    int fd;
    std::function<bool()> wanted;
    std::function<void()> ready;
    short events;
  };
  void drain_wake();
  void drain_signals();

  Clock& clock_;
  std::function<void(int)> on_signal_;
  sigset_t signals_;
  int wake_fd_, signal_fd_;
  std::vector<Watch> watches_;
  std::vector<std::function<void()>> rounds_;
};

}  // namespace sluice
