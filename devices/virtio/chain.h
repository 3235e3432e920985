// devices/virtio/chain.h: one descriptor chain as the device sees it: scatter-gather lists of guest memory.
// VIRTIO 1.3, 2.6 and 2.7.
#pragma once
#include <span>
#include <vector>

#include "base/small_vector.h"
#include "base/types.h"
#include "memory/dma.h"

namespace sluice {

// A validated chain: first everything the device may read, then everything it may write. The bytes themselves
// are only touched by `read` and `write`, whose offsets count from the start of the respective part.
class Chain {
 public:
  struct Segment {
    u64 address;
    u32 length;
  };

  u64 readable_size() const { return readable_size_; }
  u64 writable_size() const { return writable_size_; }
  std::span<const Segment> readable() const { return {segments_.data(), readable_count_}; }
  std::span<const Segment> writable() const {
    return {segments_.data() + readable_count_, segments_.size() - readable_count_};
  }

  // False when the range does not lie inside the part, or when a memory transaction failed (then a prefix may
  // have been copied).
  [[nodiscard]] bool read(u64 offset, std::span<u8> out) const;
  [[nodiscard]] bool write(u64 offset, std::span<const u8> bytes) const;

  // [offset, offset + length) of a part as host memory, for transfers that need no copy. Empty when it does
  // not lie inside the part or is not plain memory that may be accessed now: use `read` and `write` then,
  // which report what is wrong.
  DmaMapping map_readable(u64 offset, u64 length) const {
    return map(readable(), offset, length, Access::Read);
  }
  DmaMapping map_writable(u64 offset, u64 length) const {
    return map(writable(), offset, length, Access::Write);
  }

 private:
  friend class VirtQueue;
  DmaMapping map(std::span<const Segment> part, u64 offset, u64 length, Access access) const;
  SmallVector<Segment, 4> segments_;
  size_t readable_count_ = 0;
  u64 readable_size_ = 0, writable_size_ = 0;
  std::shared_ptr<DmaMapper> dma_;
  u16 head_ = 0;
  u32 generation_ = 0;  // of the queue when the chain was taken
};

}  // namespace sluice
