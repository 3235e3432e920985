// app/io_loop.cpp: see io_loop.h.
#include "app/io_loop.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>

namespace sluice {

IoLoop::IoLoop(Clock& clock, const std::vector<int>& signals, std::function<void(int)> on_signal)
    : clock_(clock), on_signal_(std::move(on_signal)) {
  sigemptyset(&signals_);
  for (int s : signals) sigaddset(&signals_, s);
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  signal_fd_ = signalfd(-1, &signals_, SFD_NONBLOCK | SFD_CLOEXEC);
  wake_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (signal_fd_ < 0 || wake_fd_ < 0) throw std::runtime_error("cannot make an event descriptor");
  clock_.on_wake([this] { wake(); });
}

IoLoop::~IoLoop() {
  clock_.on_wake({});
  close(signal_fd_);
  close(wake_fd_);
}

void IoLoop::watch(int fd, std::function<bool()> wanted, std::function<void()> ready) {
  watches_.push_back({fd, std::move(wanted), std::move(ready), POLLIN});
}

void IoLoop::watch_output(int fd, std::function<bool()> wanted) {
  watches_.push_back({fd, std::move(wanted), [] {}, POLLOUT});
}

void IoLoop::release_signals() { pthread_sigmask(SIG_UNBLOCK, &signals_, nullptr); }

void IoLoop::every_round(std::function<void()> work) { rounds_.push_back(std::move(work)); }

void IoLoop::wake() {
  u64 one = 1;
  // A full counter means that the loop is awake already.
  [[maybe_unused]] ssize_t written = write(wake_fd_, &one, sizeof one);
}

void IoLoop::drain_wake() {
  u64 count;
  [[maybe_unused]] ssize_t got = read(wake_fd_, &count, sizeof count);
}

void IoLoop::drain_signals() {
  signalfd_siginfo info;
  while (read(signal_fd_, &info, sizeof info) == ssize_t(sizeof info)) on_signal_(int(info.ssi_signo));
}

void IoLoop::run_once(u64 at_most_ns) {
  for (auto& work : rounds_) work();
  std::vector<pollfd> polled{{wake_fd_, POLLIN, 0}, {signal_fd_, POLLIN, 0}};
  std::vector<size_t> indexes;
  for (size_t i = 0; i < watches_.size(); i++) {
    if (!watches_[i].wanted()) continue;
    polled.push_back({watches_[i].fd, watches_[i].events, 0});
    indexes.push_back(i);
  }
  u64 ns = std::min(at_most_ns, clock_.host_ns_until_deadline());
  timespec limit{time_t(ns / 1'000'000'000), long(ns % 1'000'000'000)};
  int count = ppoll(polled.data(), polled.size(), ns == Clock::kNever ? nullptr : &limit, nullptr);
  if (count > 0) {
    if (polled[0].revents) drain_wake();
    if (polled[1].revents) drain_signals();
    for (size_t i = 0; i < indexes.size(); i++)
      if (polled[i + 2].revents) watches_[indexes[i]].ready();
  }
  if (clock_.host_ns_until_deadline() == 0) clock_.run_expired();
}

}  // namespace sluice
