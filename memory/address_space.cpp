#include "memory/address_space.h"

#include <algorithm>
#include <cstring>

#include "base/bits.h"
#include "memory/translate.h"

namespace sluice {
namespace {

using Target = Translation::Target;

constexpr size_t kWordCopyLimit =
    64;  // descriptors of queues and tables: copied in words, so that none tears

template <class T>
u64 atomic_load(const u8* host) {
  return std::atomic_ref(*reinterpret_cast<T*>(const_cast<u8*>(host))).load(std::memory_order_acquire);
}
template <class T>
void atomic_store(u8* host, u64 value) {
  std::atomic_ref(*reinterpret_cast<T*>(host)).store(T(value), std::memory_order_release);
}

// `size` is a power of two up to 8 and `host` is aligned to it.
u64 load_host(const u8* host, unsigned size) {
  switch (size) {
    case 1: return atomic_load<u8>(host);
    case 2: return atomic_load<u16>(host);
    case 4: return atomic_load<u32>(host);
    default: return atomic_load<u64>(host);
  }
}
void store_host(u8* host, unsigned size, u64 value) {
  switch (size) {
    case 1: return atomic_store<u8>(host, value);
    case 2: return atomic_store<u16>(host, value);
    case 4: return atomic_store<u32>(host, value);
    default: return atomic_store<u64>(host, value);
  }
}

// The largest naturally aligned access at `address` that fits in `limit` bytes.
unsigned natural_size(u64 address, u64 limit, unsigned at_most = 8) {
  unsigned n = at_most;
  while (n > limit || !is_aligned(address, n)) n /= 2;
  return n;
}

void copy_from_ram(std::byte* to, const u8* from, size_t n) {
  if (n > kWordCopyLimit) {
    std::memcpy(to, from, n);
    return;
  }
  for (size_t done = 0; done < n;) {
    unsigned piece = natural_size(reinterpret_cast<uintptr_t>(from + done), n - done);
    u64 value = load_host(from + done, piece);
    std::memcpy(to + done, &value, piece);
    done += piece;
  }
}
void copy_to_ram(u8* to, const std::byte* from, size_t n) {
  if (n > kWordCopyLimit) {
    std::memcpy(to, from, n);
    return;
  }
  for (size_t done = 0; done < n;) {
    unsigned piece = natural_size(reinterpret_cast<uintptr_t>(to + done), n - done);
    u64 value = 0;
    std::memcpy(&value, from + done, piece);
    store_host(to + done, piece, value);
    done += piece;
  }
}

Access read_access(MemTxAttrs attrs) { return attrs.instruction ? Access::Execute : Access::Read; }

// What the bus makes of the next bytes of a long transfer to a device: the largest access that device and
// alignment allow.
unsigned mmio_size(const Translation& t, u64 remaining) {
  const AccessRules& rules = t.mmio->rules();
  u64 limit = std::min(remaining, t.length);
  if (!rules.valid_unaligned)
    return natural_size(t.mmio_offset, limit, std::min<unsigned>(rules.valid_max, 8));
  return natural_size(0, limit, std::min<unsigned>(rules.valid_max, 8));
}

// One bus access that the translation covers. RAM is reached in naturally aligned pieces.
MemTxResult load_target(const Translation& t, unsigned size, u64& value) {
  value = 0;
  if (t.target == Target::Mmio) return t.mmio->load(t.mmio_offset, size, value, t.attrs);
  if (t.target == Target::RazWi) return MemTxResult::ok();
  for (unsigned done = 0; done < size;) {
    unsigned n = natural_size(t.offset + done, size - done);
    value |= load_host(t.host + done, n) << (8 * done);
    done += n;
  }
  return MemTxResult::ok();
}

MemTxResult store_target(const Translation& t, unsigned size, u64 value) {
  if (t.target == Target::Mmio || t.target == Target::RomDevice)
    return t.mmio->store(t.mmio_offset, size, value, t.attrs);
  if (t.target == Target::RazWi) return MemTxResult::ok();
  for (unsigned done = 0; done < size;) {
    unsigned n = natural_size(t.offset + done, size - done);
    store_host(t.host + done, n, value >> (8 * done));
    done += n;
  }
  t.ram->note_write(t.offset, size);
  return MemTxResult::ok();
}

bool is_bus_size(unsigned size) { return size == 1 || size == 2 || size == 4 || size == 8; }

}  // namespace

AddressSpace::AddressSpace(Topology& topology, std::string name, std::shared_ptr<Region> root)
    : topology_(topology), name_(std::move(name)), root_(std::move(root)) {
  topology_.add_space(*this);
}

AddressSpace::~AddressSpace() { topology_.remove_space(*this); }

// In all of these the CompletionScope comes first: it ends last, when neither a lock nor the guard is held,
// and that is where an access waits for the invalidations that it has caused.

MemTxResult AddressSpace::load(GuestPhysAddr address, unsigned size, u64& value, MemTxAttrs attrs) const {
  value = 0;
  if (!is_bus_size(size)) return MemTxResult::decode_error(MemTxResult::Reason::BadSize);
  CompletionScope scope;
  EpochDomain::Guard guard(hub().epochs());
  Translation t = translate({*this, address.value, size, read_access(attrs), attrs, Intent::Access});
  if (!t.is_ok()) return t.result;
  if (t.length >= size) return load_target(t, size, value);
  // It crosses into something else: several transactions.
  for (unsigned done = 0; done < size;) {
    if (done)
      t = translate({*this, address.value + done, size - done, read_access(attrs), attrs, Intent::Access});
    if (!t.is_ok()) return t.result;
    unsigned n = natural_size(address.value + done, std::min<u64>(t.length, size - done));
    u64 piece = 0;
    MemTxResult r = load_target(t, n, piece);
    if (!r.is_ok()) return r;
    value |= piece << (8 * done);
    done += n;
  }
  return MemTxResult::ok();
}

MemTxResult AddressSpace::store(GuestPhysAddr address, unsigned size, u64 value, MemTxAttrs attrs) const {
  if (!is_bus_size(size)) return MemTxResult::decode_error(MemTxResult::Reason::BadSize);
  CompletionScope scope;
  EpochDomain::Guard guard(hub().epochs());
  Translation t = translate({*this, address.value, size, Access::Write, attrs, Intent::Access});
  if (!t.is_ok()) return t.result;
  if (t.length >= size) return store_target(t, size, value);
  for (unsigned done = 0; done < size;) {
    if (done) t = translate({*this, address.value + done, size - done, Access::Write, attrs, Intent::Access});
    if (!t.is_ok()) return t.result;
    unsigned n = natural_size(address.value + done, std::min<u64>(t.length, size - done));
    MemTxResult r = store_target(t, n, value >> (8 * done));
    if (!r.is_ok()) return r;
    done += n;
  }
  return MemTxResult::ok();
}

MemTxResult AddressSpace::read(GuestPhysAddr address, std::span<std::byte> bytes, MemTxAttrs attrs) const {
  CompletionScope scope;
  MemTxResult result;
  while (!bytes.empty() && result.is_ok()) {
    EpochDomain::Guard guard(
        hub().epochs());  // per piece: a long transfer must not hold up a change of the map
    Translation t =
        translate({*this, address.value, bytes.size(), read_access(attrs), attrs, Intent::Access});
    result = t.result;
    if (!result.is_ok()) break;
    size_t n = size_t(t.length);
    switch (t.target) {
      case Target::Mmio: {
        n = mmio_size(t, bytes.size());
        u64 value = 0;
        result = t.mmio->load(t.mmio_offset, unsigned(n), value, t.attrs);
        if (result.is_ok()) std::memcpy(bytes.data(), &value, n);
        break;
      }
      case Target::RazWi: std::fill_n(bytes.begin(), n, std::byte{0}); break;
      default: copy_from_ram(bytes.data(), t.host, n); break;
    }
    if (!result.is_ok()) break;
    address = address + n;
    bytes = bytes.subspan(n);
  }
  std::fill(bytes.begin(), bytes.end(), std::byte{0});
  return result;
}

MemTxResult AddressSpace::write(GuestPhysAddr address, std::span<const std::byte> bytes,
                                MemTxAttrs attrs) const {
  CompletionScope scope;
  while (!bytes.empty()) {
    EpochDomain::Guard guard(hub().epochs());
    Translation t = translate({*this, address.value, bytes.size(), Access::Write, attrs, Intent::Access});
    if (!t.is_ok()) return t.result;
    size_t n = size_t(t.length);
    switch (t.target) {
      case Target::Mmio:
      case Target::RomDevice: {
        n = mmio_size(t, bytes.size());
        u64 value = 0;
        std::memcpy(&value, bytes.data(), n);
        MemTxResult r = t.mmio->store(t.mmio_offset, unsigned(n), value, t.attrs);
        if (!r.is_ok()) return r;
        break;
      }
      case Target::RazWi: break;
      default:
        copy_to_ram(t.host, bytes.data(), n);
        t.ram->note_write(t.offset, n);
        break;
    }
    address = address + n;
    bytes = bytes.subspan(n);
  }
  return MemTxResult::ok();
}

MemTxResult AddressSpace::peek(GuestPhysAddr address, std::span<std::byte> bytes, MemTxAttrs attrs) const {
  EpochDomain::Guard guard(hub().epochs());
  std::fill(bytes.begin(), bytes.end(), std::byte{0});
  while (!bytes.empty()) {
    Translation t = translate({*this, address.value, bytes.size(), Access::Read, attrs, Intent::Debug});
    if (!t.is_ok()) return t.result;
    if (!t.host) return MemTxResult::decode_error(MemTxResult::Reason::WrongKind, u8(t.hops.size()));
    copy_from_ram(bytes.data(), t.host, size_t(t.length));
    address = address + t.length;
    bytes = bytes.subspan(size_t(t.length));
  }
  return MemTxResult::ok();
}

MemTxResult AddressSpace::poke(GuestPhysAddr address, std::span<const std::byte> bytes,
                               MemTxAttrs attrs) const {
  EpochDomain::Guard guard(hub().epochs());
  while (!bytes.empty()) {
    Translation t = translate({*this, address.value, bytes.size(), Access::None, attrs, Intent::Debug});
    if (!t.is_ok()) return t.result;
    if (!t.host) return MemTxResult::decode_error(MemTxResult::Reason::WrongKind, u8(t.hops.size()));
    copy_to_ram(t.host, bytes.data(), size_t(t.length));
    t.ram->note_write(t.offset, t.length);
    address = address + t.length;
    bytes = bytes.subspan(size_t(t.length));
  }
  return MemTxResult::ok();
}

}  // namespace sluice
