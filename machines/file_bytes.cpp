// machines/file_bytes.cpp: see file_bytes.h.
#include "machines/file_bytes.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "machines/config_error.h"

namespace sluice {

// `file` is -1 where `bytes` hold everything.
struct FileBytes::Source {
  std::vector<u8> bytes;
  int file = -1;
  void* mapped = MAP_FAILED;
  u64 size = 0;

  ~Source() {
    if (mapped != MAP_FAILED) munmap(mapped, size);
    if (file >= 0) close(file);
  }
};

namespace {

constexpr u64 kMiB = 1 << 20;

// From `at` on until `to` is full or the file ends; -1: an error.
ssize_t read_fully(int file, u8* to, u64 size, u64 at, bool seekable) {
  u64 done = 0;
  while (done < size) {
    ssize_t n =
        seekable ? pread(file, to + done, size - done, off_t(at + done)) : read(file, to + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    if (n == 0) break;
    done += u64(n);
  }
  return ssize_t(done);
}

// Pipes, and files that do not say how long they are.
std::vector<u8> read_stream(int file, const std::string& path, u64 limit) {
  std::vector<u8> bytes;
  for (;;) {
    u64 done = bytes.size();
    bytes.resize(done + kMiB);
    ssize_t n = read_fully(file, bytes.data() + done, kMiB, 0, false);
    if (n < 0) throw ConfigError::file(path, std::strerror(errno));
    bytes.resize(done + u64(n));
    if (u64(n) < kMiB || bytes.size() > limit) return bytes;
  }
}

}  // namespace

FileBytes::FileBytes(std::vector<u8> bytes) : size_(bytes.size()) {
  auto source = std::make_shared<Source>();
  source->bytes = std::move(bytes);
  source_ = std::move(source);
}

FileBytes FileBytes::open(const std::string& path, u64 limit) {
  auto source = std::make_shared<Source>();
  source->file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat about {};
  if (source->file < 0 || fstat(source->file, &about) != 0)
    throw ConfigError::file(path, std::strerror(errno));
  if (S_ISDIR(about.st_mode)) throw ConfigError::file(path, std::strerror(EISDIR));
  FileBytes result;
  source->size = S_ISREG(about.st_mode) ? u64(about.st_size) : 0;
  if (source->size && source->size <= limit)
    source->mapped = mmap(nullptr, source->size, PROT_READ, MAP_PRIVATE, source->file, 0);
  if (source->mapped == MAP_FAILED && source->size <= limit) {
    source->bytes = read_stream(source->file, path, limit);
    close(std::exchange(source->file, -1));
    source->size = source->bytes.size();
  }
  if (source->size > limit)
    throw ConfigError::file(path,
                            "does not fit into " + std::to_string(limit / kMiB) + " MiB of RAM (see -m)");
  result.size_ = source->size;
  result.source_ = std::move(source);
  return result;
}

FileBytes FileBytes::part(u64 offset, u64 size) const {
  FileBytes result = *this;
  result.offset_ += std::min(offset, size_);
  result.size_ = std::min(size, size_ - std::min(offset, size_));
  return result;
}

std::span<const u8> FileBytes::view() const {
  if (!size_) return {};
  const u8* first = source_->file >= 0 ? static_cast<const u8*>(source_->mapped) : source_->bytes.data();
  return {first + offset_, size_};
}

bool FileBytes::copy_to(u8* to) const {
  if (!size_) return true;
  if (source_->file < 0) {
    std::memcpy(to, source_->bytes.data() + offset_, size_);
    return true;
  }
  ssize_t n = read_fully(source_->file, to, size_, offset_, true);
  u64 done = n < 0 ? 0 : u64(n);
  std::memset(to + done, 0, size_ - done);
  return done == size_;
}

}  // namespace sluice
