#include "memory/region.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <thread>

#include "base/bits.h"
#include "base/log.h"
#include "memory/invalidation.h"

namespace sluice {

RamRegion::RamRegion(std::string name, std::shared_ptr<GuestRam> ram, bool read_only)
    : Region(read_only ? Kind::Rom : Kind::Ram, std::move(name), ram->size()),
      ram_(std::move(ram)),
      ram_offset_(0) {}

RamRegion::RamRegion(std::string name, std::shared_ptr<GuestRam> ram, u64 ram_offset, u64 size,
                     bool read_only)
    : Region(read_only ? Kind::Rom : Kind::Ram, std::move(name), size),
      ram_(std::move(ram)),
      ram_offset_(ram_offset) {
  assert(ram_->contains(ram_offset, size));
}

MmioRegion::MmioRegion(Kind kind, std::string name, u128 size, MmioDevice& device, std::mutex* lock,
                       std::shared_ptr<const void> owner)
    : Region(kind, std::move(name), size),
      device_(device),
      lock_(lock),
      owner_(std::move(owner)),
      rules_(device.access_rules()) {}

RomDeviceRegion::RomDeviceRegion(std::string name, std::shared_ptr<GuestRam> ram, MmioDevice& device,
                                 std::mutex* lock, std::shared_ptr<const void> owner)
    : MmioRegion(Kind::RomDevice, std::move(name), ram->size(), device, lock, std::move(owner)),
      ram_(std::move(ram)) {}

// Takes a device's lock for one access. A guest can make a device reach its own registers by DMA, or two
// devices each other's: neither may hang the emulator. The first is seen at once; for the second, a thread
// that holds a device lock already asks for another one only for a while.
class MmioRegion::Locked {
 public:
  Locked(std::mutex* lock, const char* name) : lock_(lock), outer_(t_innermost) {
    held_ = acquire(name);
    if (held_) t_innermost = this;
  }
  ~Locked() {
    if (!held_) return;
    t_innermost = outer_;
    if (lock_) lock_->unlock();
  }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;
  explicit operator bool() const { return held_; }

 private:
  static constexpr std::chrono::milliseconds kPatience{50};
  static constexpr unsigned kMaxNesting = 8;  // device handlers inside device handlers

  bool acquire(const char* name) {
    unsigned depth = 0;
    bool holds_any = false;
    for (const Locked* l = outer_; l; l = l->outer_, depth++) {
      holds_any |= l->lock_ != nullptr;
      if (lock_ ? l->lock_ == lock_ : depth >= kMaxNesting)
        return complain(name, "is in use by the same access");
    }
    if (depth >= kMaxNesting) return complain(name, "is too deep in a chain of device accesses");
    if (!lock_) return true;
    if (!holds_any) return lock_->lock(), true;
    auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!lock_->try_lock()) {
      if (std::chrono::steady_clock::now() > deadline)
        return complain(name, "stays busy: devices wait in a circle");
      std::this_thread::yield();
    }
    return true;
  }
  static bool complain(const char* name, const char* why) {
    guest_error("%s %s: access refused", name, why);
    return false;
  }

  static thread_local const Locked* t_innermost;
  std::mutex* const lock_;
  const Locked* const outer_;
  bool held_ = false;
};
thread_local const MmioRegion::Locked* MmioRegion::Locked::t_innermost = nullptr;

namespace {

u64 swap_bytes(u64 value, unsigned size) { return __builtin_bswap64(value) >> (64 - 8 * size); }
// value << bytes * 8, to the right when negative.
u64 shift_bytes(u64 value, int bytes) { return bytes >= 0 ? value << (8 * bytes) : value >> (-8 * bytes); }
bool is_bus_size(unsigned size) { return size == 1 || size == 2 || size == 4 || size == 8; }

// The accesses that the device's code implements and that together cover `size` bytes from `offset`.
struct Cover {
  Cover(const AccessRules& rules, u64 offset, unsigned size)
      : width(std::clamp<unsigned>(size, rules.impl_min, rules.impl_max)),
        first(rules.impl_unaligned && size >= width ? offset : align_down(offset, width)) {}
  unsigned width;
  u64 first;
};

}  // namespace

// Calls piece(offset, size, shift) for the whole access, or for its naturally aligned pieces where the device
// takes nothing else; a piece of a size that the device does not take is a decode error.
template <class Piece>
MemTxResult MmioRegion::aligned(u64 offset, unsigned size, Piece&& piece) const {
  auto takes = [&](unsigned n) { return n >= rules_.valid_min && n <= rules_.valid_max; };
  if (rules_.valid_unaligned || is_aligned(offset, size))
    return takes(size) ? piece(offset, size, 0u) : MemTxResult::decode_error(MemTxResult::Reason::BadSize);
  for (unsigned done = 0; done < size;) {
    unsigned n = size;
    while (n > size - done || !is_aligned(offset + done, n)) n /= 2;
    MemTxResult r = takes(n) ? piece(offset + done, n, 8 * done)
                             : MemTxResult::decode_error(MemTxResult::Reason::BadSize);
    if (!r.is_ok()) return r;
    done += n;
  }
  return MemTxResult::ok();
}

MemTxResult MmioRegion::read_pieces(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) const {
  Cover cover(rules_, offset, size);
  u64 sum = 0;
  for (u64 at = cover.first; at < offset + size; at += cover.width) {
    u64 word = 0;
    MemTxResult r = device_.read(at, cover.width, word, attrs);
    if (!r.is_ok()) return r;
    word &= ones(8 * cover.width);
    if (rules_.endian == Endian::Big) word = swap_bytes(word, cover.width);
    sum |= shift_bytes(word, int(i64(at - offset)));
  }
  value = sum & ones(8 * size);
  return MemTxResult::ok();
}

MemTxResult MmioRegion::write_pieces(u64 offset, unsigned size, u64 value, MemTxAttrs attrs) const {
  Cover cover(rules_, offset, size);
  value &= ones(8 * size);
  for (u64 at = cover.first; at < offset + size; at += cover.width) {
    // Byte lanes that the access does not reach carry zero: a device that can merge implements smaller sizes.
    u64 word = shift_bytes(value, -int(i64(at - offset))) & ones(8 * cover.width);
    if (rules_.endian == Endian::Big) word = swap_bytes(word, cover.width);
    MemTxResult r = device_.write(at, cover.width, word, attrs);
    if (!r.is_ok()) return r;
  }
  return MemTxResult::ok();
}

MemTxResult MmioRegion::load(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) const {
  value = 0;
  if (!is_bus_size(size)) return MemTxResult::decode_error(MemTxResult::Reason::BadSize);
  CompletionScope scope;  // ends, and waits, after the lock is released
  Locked locked(lock_, name().c_str());
  if (!locked) return MemTxResult::device_error();
  return aligned(offset, size, [&](u64 at, unsigned n, unsigned shift) {
    u64 piece = 0;
    MemTxResult r = read_pieces(at, n, piece, attrs);
    value |= piece << shift;
    return r;
  });
}

MemTxResult MmioRegion::store(u64 offset, unsigned size, u64 value, MemTxAttrs attrs) const {
  if (!is_bus_size(size)) return MemTxResult::decode_error(MemTxResult::Reason::BadSize);
  CompletionScope scope;
  Locked locked(lock_, name().c_str());
  if (!locked) return MemTxResult::device_error();
  return aligned(offset, size, [&](u64 at, unsigned n, unsigned shift) {
    return write_pieces(at, n, value >> shift, attrs);
  });
}

bool MmioRegion::enter(std::mutex& lock, const std::function<void()>& body) {
  CompletionScope scope;
  Locked locked(&lock, "a device");
  if (locked) body();
  return bool(locked);
}

}  // namespace sluice
