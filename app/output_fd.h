// app/output_fd.h: writes to standard output without ever waiting for whoever reads it, and without changing
// the file status flags that we share with the shell and its other children.
#pragma once
#include <span>

#include "base/types.h"

namespace sluice {

class OutputFd {
 public:
  // Does not own `fd`, which stays open meanwhile.
  explicit OutputFd(int fd);
  ~OutputFd();
  OutputFd(const OutputFd&) = delete;
  OutputFd& operator=(const OutputFd&) = delete;

  // Writes what the other side takes now; returns how many bytes. Once nobody can take any more, everything
  // is dropped and counts as taken; why is said on stderr, except that the reader has gone.
  size_t write_some(std::span<const u8> bytes);
  // Waits until the other side takes bytes again, at most `ms`.
  void wait(int ms) const;
  int fd() const { return fd_; }

 private:
  enum class Kind : u8 { NonBlocking, Socket, MayBlock };
  size_t fail(int error, size_t size);
  int fd_;
  Kind kind_ = Kind::MayBlock;
  bool owned_ = false, broken_ = false;
};

}  // namespace sluice
