// app/file_stream.cpp: see file_stream.h.
#include "app/file_stream.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "machines/config_error.h"

namespace sluice {

// O_NONBLOCK: a named pipe that nobody reads is an error and not an endless wait. It changes nothing for
// files.
FileStream::FileStream(const std::string& path, bool append, std::function<void(std::span<const u8>)> output)
    : path_(path),
      fd_(open(path.c_str(),
               O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (append ? O_APPEND : O_TRUNC), 0666)),
      output_(std::move(output)) {
  if (fd_ < 0)
    throw ConfigError::file(path, errno == ENXIO ? "is a pipe that nobody reads" : std::strerror(errno));
}

FileStream::~FileStream() { close(fd_); }

bool FileStream::write_fully(std::span<const u8> bytes) {
  constexpr int kLookAgainMs = 50;
  while (!bytes.empty()) {
    ssize_t n = write(fd_, bytes.data(), bytes.size());
    if (n >= 0) {
      bytes = bytes.subspan(size_t(n));
    } else if (errno == EAGAIN) {
      if (released_.load(std::memory_order_acquire)) return true;
      pollfd wait{fd_, POLLOUT, 0};
      poll(&wait, 1, kLookAgainMs);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

void FileStream::transmit(std::span<const u8> bytes) {
  std::lock_guard lock{mutex_};
  if (output_) output_(bytes);
  if (broken_ || write_fully(bytes)) return;
  broken_ = true;
  std::fprintf(stderr, "sluice: %s: %s; the rest of the output is lost\n", path_.c_str(),
               std::strerror(errno));
}

}  // namespace sluice
