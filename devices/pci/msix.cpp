// devices/pci/msix.cpp: see msix.h.
#include "devices/pci/msix.h"

#include <algorithm>
#include <cassert>

#include "base/bits.h"
#include "base/log.h"
#include "devices/pci/config_registers.h"

namespace sluice {
namespace {

constexpr u32 kMsixEnable = 1 << 15, kFunctionMask = 1 << 14;  // Message Control
constexpr u16 kMessageControl = 2;
constexpr u32 kMsiEnable = 1 << 0, kMsi64Bit = 1 << 7;

}  // namespace

Msix::Msix(ConfigSpace& config, unsigned vectors, unsigned bar, MessageSender send)
    : config_(config),
      bar_size_(std::max<u64>(4096, 2 * std::bit_ceil(vectors * kEntrySize))),
      entries_(vectors),
      pending_(vectors),
      send_(std::move(send)) {
  assert(vectors >= 1 && vectors <= 2048);
  const ConfigField fields[] = {
      {"Message Control", kMessageControl, 2, vectors - 1, kMsixEnable | kFunctionMask, 0, "7.7.2.2"},
      {"Table Offset/Table BIR", 4, 4, bar, 0, 0, "7.7.2.3"},
      {"PBA Offset/PBA BIR", 8, 4, u32(bar_size_ / 2) | bar, 0, 0, "7.7.2.4"},
  };
  capability_ = config_.add_capability(pci::kCapMsix, 12, fields);
  config_.after_write(u16(capability_ + kMessageControl), 2, [this] { send_pending(); });
  reset();
}

void Msix::reset() {
  std::fill(entries_.begin(), entries_.end(), Entry{0, 0, 0, kMasked});
  std::fill(pending_.begin(), pending_.end(), false);
}

bool Msix::enabled() const { return config_.get(u16(capability_ + kMessageControl), 2) & kMsixEnable; }

bool Msix::masked(unsigned vector) const {
  return config_.get(u16(capability_ + kMessageControl), 2) & kFunctionMask ||
         entries_[vector].control & kMasked;
}

void Msix::send(unsigned vector) {
  const Entry& e = entries_[vector];
  send_(u64{e.address_high} << 32 | e.address_low, e.data);
}

void Msix::notify(unsigned vector) {
  if (vector >= vectors() || !enabled()) return;
  if (masked(vector))
    pending_[vector] = true;
  else
    send(vector);
}

void Msix::send_pending() {
  if (!enabled()) return;
  for (unsigned v = 0; v < vectors(); v++) {
    if (!pending_[v] || masked(v)) continue;
    pending_[v] = false;
    send(v);
  }
}

MemTxResult Msix::read(u64 offset, unsigned, u64& value, MemTxAttrs) {
  value = 0;
  if (offset >= bar_size_ / 2) {
    u64 first = (offset - bar_size_ / 2) * 8;
    for (unsigned i = 0; i < 32; i++) value |= u64{pending(unsigned(first + i))} << i;
  } else if (u64 v = offset / kEntrySize; v < vectors()) {
    const Entry& e = entries_[v];
    const u32 words[] = {e.address_low, e.address_high, e.data, e.control};
    value = words[offset % kEntrySize / 4];
  }
  return MemTxResult::ok();
}

MemTxResult Msix::write(u64 offset, unsigned, u64 value, MemTxAttrs) {
  u64 v = offset / kEntrySize;
  if (offset >= bar_size_ / 2 || v >= vectors()) {
    guest_error("MSI-X: write outside the table, at offset 0x%llx", static_cast<unsigned long long>(offset));
    return MemTxResult::ok();
  }
  Entry& e = entries_[v];
  switch (offset % kEntrySize / 4) {
    case 0: e.address_low = u32(value) & ~3u; break;  // 7.7.2.5: [1:0] are zero
    case 1: e.address_high = u32(value); break;
    case 2: e.data = u32(value); break;
    default: e.control = u32(value) & kMasked; send_pending();
  }
  return MemTxResult::ok();
}

Msi::Msi(ConfigSpace& config, MessageSender send) : config_(config), send_(std::move(send)) {
  static constexpr ConfigField kFields[] = {
      // Multiple Message Enable can be written, as software expects; there is one vector whatever it says.
      {"Message Control", kMessageControl, 2, kMsi64Bit, kMsiEnable | 7 << 4, 0, "7.7.1.2"},
      {"Message Address", 4, 4, 0, ~3u, 0, "7.7.1.3"},
      {"Message Upper Address", 8, 4, 0, ~0u, 0, "7.7.1.4"},
      {"Message Data", 12, 2, 0, 0xffff, 0, "7.7.1.5"},
  };
  capability_ = config_.add_capability(pci::kCapMsi, 14, kFields);
}

bool Msi::enabled() const { return config_.get(u16(capability_ + kMessageControl), 2) & kMsiEnable; }

void Msi::notify() {
  if (!enabled()) return;
  auto word = [this](u16 offset) { return config_.get(u16(capability_ + offset), 4); };
  send_(u64{word(8)} << 32 | word(4), word(12) & 0xffff);
}

}  // namespace sluice
