#include "tcg/x86_64/code_arena.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "base/bits.h"

namespace sluice::tcg::x86_64 {

CodeArena::CodeArena(size_t bytes) : size_(bytes), end_(bytes) {
  int fd = memfd_create("sluice-code", MFD_CLOEXEC);
  if (fd < 0) return;
  if (ftruncate(fd, off_t(bytes)) == 0) {
    void* w = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    void* x = mmap(nullptr, bytes, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    if (w != MAP_FAILED && x != MAP_FAILED) {
      write_ = static_cast<u8*>(w), execute_ = static_cast<u8*>(x);
    } else {
      if (w != MAP_FAILED) munmap(w, bytes);
      if (x != MAP_FAILED) munmap(x, bytes);
    }
  }
  close(fd);
}

CodeArena::~CodeArena() {
  if (!execute_) return;
  munmap(write_, size_);
  munmap(execute_, size_);
}

void CodeArena::begin_segments() {
  first_segment_ = used_;
  segments_ = unsigned(std::clamp<size_t>(size_ / kSmallestSegment, 1, kMostSegments));
  segment_bytes_ = align_down((size_ - first_segment_) / segments_, 32);
  go_to_segment(0);
}

void CodeArena::go_to_segment(unsigned n) {
  segment_ = n;
  used_ = first_segment_ + n * segment_bytes_;
  end_ = used_ + segment_bytes_;
}

// Pages come in batches: one by one, each would cost two page faults.
std::span<u8> CodeArena::room_for_writing() {
  constexpr size_t kBatch = 256 << 10, kAhead = 64 << 10;
#ifdef MADV_POPULATE_WRITE
  if (prepared_ < size_ && used_ + kAhead > prepared_) {
    size_t bytes = std::min(kBatch, size_ - prepared_);
    madvise(write_ + prepared_, bytes, MADV_POPULATE_WRITE);
    madvise(execute_ + prepared_, bytes, MADV_POPULATE_READ);
    prepared_ += bytes;
  }
#endif
  return {write_ + used_, room()};
}

const u8* CodeArena::take(size_t bytes) {
  const u8* at = next();
  used_ = std::min(align_up(used_ + bytes, 32), end_);
  return at;
}

const u8* CodeArena::place(std::span<const u8> code) {
  if (align_up(code.size(), 32) > room()) return nullptr;
  std::memcpy(write_ + used_, code.data(), code.size());
  return take(code.size());
}

}  // namespace sluice::tcg::x86_64
