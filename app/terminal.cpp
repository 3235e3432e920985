// app/terminal.cpp: see terminal.h.
#include "app/terminal.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace sluice {
namespace {

// What the crash handler needs, in a form that a signal handler may read.
struct CrashRestore {
  std::atomic<bool> armed{false};
  int fd = -1;
  termios saved{};
};

CrashRestore& crash_restore() {
  static CrashRestore instance;
  return instance;
}

// Installed with SA_RESETHAND: the second delivery ends the process as if there were no handler.
void on_crash(int number) {
  CrashRestore& restore = crash_restore();
  if (restore.armed.exchange(false)) tcsetattr(restore.fd, TCSANOW, &restore.saved);
  raise(number);
}

void arm_crash_handler(int fd, const termios& saved) {
  CrashRestore& restore = crash_restore();
  restore.fd = fd;
  restore.saved = saved;
  restore.armed = true;
  struct sigaction action {};
  action.sa_handler = on_crash;
  action.sa_flags = int(SA_RESETHAND | SA_NODEFER);
  for (int number : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT}) {
    struct sigaction old {};
    // Somebody who uses the signal for work of his own comes later, and chains.
    if (sigaction(number, nullptr, &old) == 0 && old.sa_handler == SIG_DFL)
      sigaction(number, &action, nullptr);
  }
}

}  // namespace

Terminal::Terminal(int fd, Signals signals) : fd_(fd), signals_(signals) {
  if (!isatty(fd) || tcgetattr(fd, &saved_) != 0) return;
  is_terminal_ = true;
  arm_crash_handler(fd, saved_);
  enter_raw();
}

void Terminal::enter_raw() {
  if (!is_terminal_ || tcgetpgrp(fd_) != getpgrp()) return;
  termios raw = saved_;
  raw.c_iflag &= ~tcflag_t(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
  raw.c_oflag |= OPOST;
  raw.c_lflag &= ~tcflag_t(ECHO | ECHONL | ICANON | IEXTEN);
  if (signals_ == Signals::ToGuest) raw.c_lflag &= ~tcflag_t(ISIG);
  raw.c_cflag &= ~tcflag_t(CSIZE | PARENB);
  raw.c_cflag |= CS8;
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  tcsetattr(fd_, TCSANOW, &raw);
}

void Terminal::restore() {
  if (!is_terminal_) return;
  crash_restore().armed = false;
  if (tcgetpgrp(fd_) == getpgrp()) tcsetattr(fd_, TCSANOW, &saved_);
}

}  // namespace sluice
