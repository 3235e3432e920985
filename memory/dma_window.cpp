// memory/dma_window.cpp: see DmaWindow in dma.h.
#include <cstring>

#include "memory/dma.h"

namespace sluice {
namespace {

// One access where the host can do it in one: the other side may look at the same moment. Ordered as the
// transactions of an AddressSpace are.
template <class T>
u64 load_single(const std::byte* at) {
  return __atomic_load_n(reinterpret_cast<const T*>(at), __ATOMIC_ACQUIRE);
}
template <class T>
void store_single(std::byte* at, u64 value) {
  __atomic_store_n(reinterpret_cast<T*>(at), T(value), __ATOMIC_RELEASE);
}

u64 load_host(const std::byte* at, unsigned size) {
  switch (size) {
    case 1: return load_single<u8>(at);
    case 2: return load_single<u16>(at);
    case 4: return load_single<u32>(at);
    default: return load_single<u64>(at);
  }
}
void store_host(std::byte* at, unsigned size, u64 value) {
  switch (size) {
    case 1: return store_single<u8>(at, value);
    case 2: return store_single<u16>(at, value);
    case 4: return store_single<u32>(at, value);
    default: return store_single<u64>(at, value);
  }
}

// The bytes [offset, offset + length) where they lie in one piece, or nullptr.
std::byte* contiguous(std::span<const std::span<std::byte>> spans, u64 offset, u64 length) {
  for (std::span<std::byte> s : spans) {
    if (offset < s.size()) return length <= s.size() - offset ? s.data() + offset : nullptr;
    offset -= s.size();
  }
  return nullptr;
}

bool is_single(u64 address, unsigned size) { return (address & (size - 1)) == 0; }

}  // namespace

DmaWindow::Hold::Hold(DmaWindow& window) : window_(window.hold_ ? nullptr : &window) {
  if (window_) window_->hold_ = this;
}

DmaWindow::Hold::~Hold() { end(); }

void DmaWindow::Hold::end() {
  if (!window_) return;
  std::exchange(window_, nullptr)->hold_ = nullptr;
  if (dirty_from_ < dirty_to_) pin_->note_write(dirty_from_, dirty_to_ - dirty_from_);
  whole_ = nullptr;
  pin_.reset();
}

DmaWindow::DmaWindow(DmaWindow&& other) noexcept { *this = std::move(other); }

DmaWindow& DmaWindow::operator=(DmaWindow&& other) noexcept {
  if (this == &other) return *this;
  for (DmaWindow* window : {this, &other})
    if (window->hold_) window->hold_->end();
  mapper_ = std::exchange(other.mapper_, nullptr);
  segment_ = other.segment_;
  access_ = other.access_;
  mapping_ = std::move(other.mapping_);
  return *this;
}

// Through the pointers if they are good, or can be had again; otherwise the transaction, which reports why
// not.
template <class Direct, class Transaction>
MemTxResult DmaWindow::access(u64 offset, u64 length, bool stores, Direct direct, Transaction transaction) {
  if (hold_ && hold_->whole_) {
    direct(hold_->whole_ + offset);
    if (stores) hold_->stored(offset, length);
    return MemTxResult::ok();
  }
  for (bool again : {false, true}) {
    if (again) mapping_ = mapper_->map_direct({&segment_, 1}, access_);
    DmaMapping::Pin pin = mapping_.pin();
    if (!pin) continue;
    std::byte* at = contiguous(pin.spans(), offset, length);
    if (!at) break;
    direct(at);
    if (stores) pin.note_write(offset, length);
    if (hold_ && pin.spans().size() == 1) {
      hold_->whole_ = pin.spans()[0].data();
      hold_->pin_.emplace(std::move(pin));
    }
    return MemTxResult::ok();
  }
  return transaction();
}

MemTxResult DmaWindow::load(u64 offset, unsigned size, u64& value) {
  auto transaction = [&] { return mapper_->port().load(segment_.address + offset, size, value); };
  if (!is_single(segment_.address + offset, size)) return transaction();
  return access(
      offset, size, false, [&](std::byte* at) { value = load_host(at, size); }, transaction);
}

MemTxResult DmaWindow::store(u64 offset, unsigned size, u64 value) {
  auto transaction = [&] { return mapper_->port().store(segment_.address + offset, size, value); };
  if (!is_single(segment_.address + offset, size)) return transaction();
  return access(
      offset, size, true, [&](std::byte* at) { store_host(at, size, value); }, transaction);
}

MemTxResult DmaWindow::read(u64 offset, std::span<std::byte> bytes) {
  return access(
      offset, bytes.size(), false, [&](std::byte* at) { std::memcpy(bytes.data(), at, bytes.size()); },
      [&] { return mapper_->port().read(segment_.address + offset, bytes); });
}

}  // namespace sluice
