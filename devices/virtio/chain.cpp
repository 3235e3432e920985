// devices/virtio/chain.cpp: bounds-checked copies between a descriptor chain and host buffers.
#include "devices/virtio/chain.h"

#include <algorithm>

namespace sluice {
namespace {

// Cuts [offset, offset + length) of the concatenated segments into transactions and runs them in order.
template <class Copy>
bool for_each_piece(std::span<const Chain::Segment> segments, u64 offset, size_t length, Copy copy) {
  size_t done = 0;
  for (const Chain::Segment& segment : segments) {
    if (done == length) break;
    if (offset >= segment.length) {
      offset -= segment.length;
      continue;
    }
    size_t piece = size_t(std::min<u64>(segment.length - offset, length - done));
    if (!copy(segment.address + offset, done, piece)) return false;
    done += piece;
    offset = 0;
  }
  return done == length;
}

bool fits(u64 offset, u64 length, u64 size) { return offset <= size && length <= size - offset; }

}  // namespace

bool Chain::read(u64 offset, std::span<u8> out) const {
  if (!fits(offset, out.size(), readable_size_)) return false;
  return for_each_piece(readable(), offset, out.size(), [&](u64 address, size_t at, size_t size) {
    return dma_->port().read(address, std::as_writable_bytes(out.subspan(at, size))).is_ok();
  });
}

bool Chain::write(u64 offset, std::span<const u8> bytes) const {
  if (!fits(offset, bytes.size(), writable_size_)) return false;
  return for_each_piece(writable(), offset, bytes.size(), [&](u64 address, size_t at, size_t size) {
    return dma_->port().write(address, std::as_bytes(bytes.subspan(at, size))).is_ok();
  });
}

DmaMapping Chain::map(std::span<const Segment> part, u64 offset, u64 length, Access access) const {
  std::vector<DmaSegment> pieces;
  if (length > DmaMapper::kMaxLength) return {};
  const bool inside = for_each_piece(part, offset, size_t(length), [&](u64 address, size_t, size_t size) {
    if (size) pieces.push_back({address, size});
    return true;
  });
  return inside ? dma_->map_direct(pieces, access) : DmaMapping{};
}

}  // namespace sluice
