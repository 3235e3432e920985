#include "memory/guest_ram.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "base/bits.h"

namespace sluice {
namespace {

u64 code_bytes(u64 size) { return align_up(align_up(size, GuestRam::kPage) / GuestRam::kPage, 64) / 8; }

// Address space only: the host gives memory on first touch. nullptr on failure.
void* reserve(u64 bytes) {
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return p == MAP_FAILED ? nullptr : p;
}

// Orders a writer's bytes before its look at the code bits, and a translator's bits before its look at the
// bytes.
void full_fence() {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wunknown-warning-option"
#pragma GCC diagnostic ignored "-Wtsan"
  std::atomic_thread_fence(std::memory_order_seq_cst);
#pragma GCC diagnostic pop
}

}  // namespace

Result<std::shared_ptr<GuestRam>> GuestRam::create(std::string name, u64 size) {
  if (size == 0) return Failure{"memory '" + name + "': size is zero"};
  if (size > kMaxSize)
    return Failure{"memory '" + name + "': " + std::to_string(size >> 20) +
                   " MiB is more than the limit of " + std::to_string(kMaxSize >> 20) + " MiB"};
  void* host = reserve(align_up(size, kPage));
  if (!host)
    return Failure{"memory '" + name + "': cannot reserve " + std::to_string(size) +
                   " bytes: " + std::strerror(errno)};
  void* code = reserve(code_bytes(size));
  if (!code) {
    munmap(host, align_up(size, kPage));
    return Failure{"memory '" + name + "': cannot reserve its code bitmap: " + std::strerror(errno)};
  }
#ifdef MADV_HUGEPAGE
  // Fewer host TLB misses where it matters; small memories (flash, SRAM) stay exact.
  if (size >= u64{64} << 20) madvise(host, align_up(size, kPage), MADV_HUGEPAGE);
#endif
  return std::shared_ptr<GuestRam>(
      new GuestRam(std::move(name), size, static_cast<u8*>(host), static_cast<u64*>(code)));
}

GuestRam::~GuestRam() {
  munmap(host_, align_up(size_, kPage));
  munmap(code_, code_bytes(size_));
}

void GuestRam::mark_code(u64 page) {
  std::atomic_ref(code_[page / 64]).fetch_or(u64{1} << (page % 64), std::memory_order_seq_cst);
  full_fence();
}

void GuestRam::clear_code(u64 page) {
  std::atomic_ref(code_[page / 64]).fetch_and(~(u64{1} << (page % 64)), std::memory_order_seq_cst);
}

bool GuestRam::has_code(u64 offset) const {
  u64 page = offset / kPage;
  return bit(std::atomic_ref(code_[page / 64]).load(std::memory_order_relaxed), page % 64);
}

bool GuestRam::has_code(u64 offset, u64 length) const {
  if (!length) return false;
  u64 page = offset / kPage, last = (offset + length - 1) / kPage;
  while (page <= last) {
    unsigned from = page % 64;
    u64 here = std::min<u64>(64 - from, last - page + 1);
    u64 bits = std::atomic_ref(code_[page / 64]).load(std::memory_order_relaxed);
    if (extract(bits, from, unsigned(here))) return true;
    page += here;
  }
  return false;
}

void GuestRam::note_write(u64 offset, u64 length) {
  full_fence();
  if (has_code(offset, length)) code_written_.publish({this, offset, length});
}

}  // namespace sluice
