// app/output_fd.cpp: see output_fd.h.
#include "app/output_fd.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

namespace sluice {
namespace {

// POLLOUT on a descriptor that may block promises little more than one byte; this much is taken in practice.
constexpr size_t kCarefulPiece = 256;

}  // namespace

OutputFd::OutputFd(int fd) : fd_(fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return;
  if (S_ISREG(status.st_mode)) kind_ = Kind::NonBlocking;
  if (S_ISSOCK(status.st_mode)) kind_ = Kind::Socket;
  if (!S_ISFIFO(status.st_mode) && !S_ISCHR(status.st_mode)) return;
  // A description of our own, with a flag of our own.
  std::string path = "/proc/self/fd/" + std::to_string(fd);
  int own = open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (own < 0) return;
  fd_ = own;
  owned_ = true;
  kind_ = Kind::NonBlocking;
}

OutputFd::~OutputFd() {
  if (owned_) close(fd_);
}

size_t OutputFd::fail(int error, size_t size) {
  broken_ = true;
  if (error != EPIPE && error != EIO)  // EIO: the terminal has been closed
    std::fprintf(stderr, "sluice: standard output: %s; the rest is lost\n", std::strerror(error));
  return size;
}

size_t OutputFd::write_some(std::span<const u8> bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    if (broken_) return bytes.size();
    std::span<const u8> rest = bytes.subspan(done);
    if (kind_ == Kind::MayBlock) {
      pollfd ready{fd_, POLLOUT, 0};
      if (poll(&ready, 1, 0) != 1) return done;
      rest = rest.first(std::min(rest.size(), kCarefulPiece));
    }
    ssize_t n = kind_ == Kind::Socket ? send(fd_, rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
                                      : write(fd_, rest.data(), rest.size());
    if (n >= 0)
      done += size_t(n);
    else if (errno == EAGAIN || errno == EWOULDBLOCK)
      return done;
    else if (errno != EINTR)
      return fail(errno, bytes.size());
  }
  return done;
}

void OutputFd::wait(int ms) const {
  pollfd ready{fd_, POLLOUT, 0};
  poll(&ready, 1, ms);
}

}  // namespace sluice
