// app/terminal.h: the user's terminal in raw mode, put back on every way out: a normal end, a signal, a
// crash.
#pragma once
#include <termios.h>

#include "base/types.h"

namespace sluice {

class Terminal {
 public:
  enum class Signals : u8 { ToUs, ToGuest };  // what Ctrl-C does
  // Does nothing when `fd` is not a terminal, or not ours to change (a background job).
  Terminal(int fd, Signals signals);
  ~Terminal() { restore(); }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void restore();
  // After the job was stopped and continued.
  void enter_raw();

 private:
  const int fd_;
  const Signals signals_;
  bool is_terminal_ = false;
  termios saved_{};
};

}  // namespace sluice
