#include "tcg/x86_64/code_arena.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/bits.h"

namespace sluice::tcg::x86_64 {

CodeArena::CodeArena(size_t bytes) : size_(bytes) {
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

const u8* CodeArena::place(std::span<const u8> code) {
  size_t aligned = align_up(code.size(), 32);
  if (aligned > room()) return nullptr;
  const u8* at = next();
  std::memcpy(write_ + used_, code.data(), code.size());
  used_ += aligned;
  return at;
}

}  // namespace sluice::tcg::x86_64
