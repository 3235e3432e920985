// devices/virtio/queue.h: the device side of a split virtqueue. VIRTIO 1.3, 2.7; legacy layout 2.7.2.
// Everything in the rings is guest data and is checked before use. A ring that breaks a rule of the
// specification breaks the queue: it yields no more chains until it is reset, and `defect` says why.
#pragma once
#include <optional>
#include <string_view>

#include "base/types.h"
#include "devices/virtio/chain.h"
#include "memory/dma.h"

namespace sluice {

class VirtQueue {
 public:
  // An indirect table may be longer than the ring (see DEVIATION in queue.cpp) but no longer than this.
  static constexpr u16 kMaxIndirect = 1024;
  struct Rings {
    u64 descriptors = 0, available = 0, used = 0;
  };
  struct Features {
    bool indirect = false, event_index = false;
  };

  // Around several uses of a queue in a row: its rings are found once. As short as a DmaMapping::Pin.
  class Batch {
   public:
    explicit Batch(VirtQueue& queue)
        : descriptors_(queue.descriptors_), available_(queue.available_), used_(queue.used_) {}

   private:
    DmaWindow::Hold descriptors_, available_, used_;
  };

  explicit VirtQueue(u16 max_size) : max_size_(max_size), size_(max_size) {}

  // What the transport's registers hold. The size takes effect at `enable`.
  u16 max_size() const { return max_size_; }
  u16 size() const { return size_; }
  void set_size(u16 size) { size_ = size; }
  Rings rings;
  // Where the legacy layout puts the rings of a queue of this size.
  static Rings legacy_rings(u64 descriptors, u16 size, u64 align);

  // False, with `defect` set, when size or addresses are not acceptable.
  bool enable(const DmaPort& dma, Features features);
  // Back to the state after a device reset. Chains taken before are stale: pushing them does nothing. Host
  // accesses to their memory that are under way end before the access that resets retires.
  void reset();
  bool enabled() const { return dma_ != nullptr; }
  bool usable() const { return dma_ && defect_.empty(); }
  std::string_view defect() const { return defect_; }
  void set_defect(std::string_view why) { defect_ = why; }  // `why` must be a string literal

  // The next available chain. Nothing: the ring is empty or broken.
  std::optional<Chain> pop();
  // Puts the chain that was popped last back, unserved.
  void unpop(const Chain& chain);
  // Returns the chain as used with `written` bytes written from the start of its writable part. False: the
  // chain is stale or the ring cannot be written.
  bool push(const Chain& chain, u64 written);
  bool is_stale(const Chain& chain) const { return chain.generation_ != generation_; }
  // Whether chains are waiting (also true when finding out broke the queue).
  bool has_available();
  // Chains popped and not yet pushed.
  u16 in_flight() const { return in_flight_; }

  // Asks the driver (not) to notify about new chains. After asking for notifications, look at `has_available`
  // again.
  void want_notifications(bool wanted);
  // Whether the driver wants to hear about what was pushed since the last time this returned true.
  bool should_interrupt();

  u16 next_available() const { return last_available_; }
  u16 next_used() const { return used_index_; }

 private:
  struct Descriptor {
    u64 address;
    u32 length;
    u16 flags, next;
  };
  bool fail(std::string_view why);
  bool check_layout();
  bool load16(DmaWindow& ring, u64 offset, u16& value);
  bool store16(DmaWindow& ring, u64 offset, u16 value);
  struct Table;
  bool load_descriptor(Table& table, u32 index, Descriptor& out);
  bool enter_indirect(const Descriptor& via, Table& table);
  bool add_segment(Chain& chain, const Descriptor& from);
  bool walk(u16 head, Chain& chain);
  u64 used_event_at() const { return 4 + 2 * u64{active_size_}; }   // in the available ring
  u64 avail_event_at() const { return 4 + 8 * u64{active_size_}; }  // in the used ring

  const u16 max_size_;
  u16 size_;
  std::shared_ptr<DmaMapper> dma_;  // before its windows; stale chains in a worker's hands keep it
  Features features_;
  DmaWindow descriptors_, available_, used_;  // as the registers said at `enable`
  u16 active_size_ = 0;
  u16 last_available_ = 0, seen_available_ = 0, used_index_ = 0, in_flight_ = 0;
  u16 signalled_used_ = 0;
  bool signalled_valid_ = false;
  u32 generation_ = 0;
  std::string_view defect_;
};

}  // namespace sluice
