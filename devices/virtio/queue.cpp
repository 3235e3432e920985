// devices/virtio/queue.cpp: ring walking. VIRTIO 1.3, 2.7.
// Guest memory is shared with running PEs: an index is loaded before what it covers (acquire) and stored
// after it (release); the exchanges of 2.7.7 and 2.7.10 (store one side's wish, load the other's index) need
// a full fence.
#include "devices/virtio/queue.h"

#include <algorithm>
#include <array>
#include <atomic>

#include "base/bits.h"

namespace sluice {
namespace {

constexpr u16 kDescNext = 1, kDescWrite = 2, kDescIndirect = 4;  // VIRTQ_DESC_F_*
constexpr u64 kDescSize = 16, kUsedElementSize = 8;
constexpr u16 kAvailNoInterrupt = 1;  // VIRTQ_AVAIL_F_NO_INTERRUPT
constexpr u16 kUsedNoNotify = 1;      // VIRTQ_USED_F_NO_NOTIFY

u16 get16(const u8* p) { return u16(p[0] | p[1] << 8); }
u32 get32(const u8* p) { return get16(p) | u32{get16(p + 2)} << 16; }
u64 get64(const u8* p) { return get32(p) | u64{get32(p + 4)} << 32; }

bool range_wraps(u64 address, u64 size) { return size && address + (size - 1) < address; }

// 2.7.10: has the index moved past `event` between `old` and `now`?
bool passed_event(u16 event, u16 now, u16 old) { return u16(now - event - 1) < u16(now - old); }

}  // namespace

VirtQueue::Rings VirtQueue::legacy_rings(u64 descriptors, u16 size, u64 align) {
  Rings r;
  r.descriptors = descriptors;
  r.available = descriptors + kDescSize * size;
  r.used = align_up(r.available + 4 + 2 * u64{size} + 2, align);
  return r;
}

bool VirtQueue::fail(std::string_view why) {
  if (defect_.empty()) defect_ = why;
  return false;
}

bool VirtQueue::check_layout() {
  if (size_ == 0 || size_ > max_size_ || !is_power_of_two(size_)) return fail("bad queue size");
  if (!is_aligned(rings.descriptors, 16) || !is_aligned(rings.available, 2) || !is_aligned(rings.used, 4))
    return fail("misaligned ring address");
  if (range_wraps(rings.descriptors, kDescSize * size_) || range_wraps(rings.available, 6 + 2 * u64{size_}) ||
      range_wraps(rings.used, 6 + kUsedElementSize * size_))
    return fail("ring wraps around the end of memory");
  return true;
}

bool VirtQueue::enable(const DmaPort& dma, Features features) {
  if (!check_layout()) return false;
  active_size_ = size_;
  features_ = features;
  dma_ = std::make_shared<DmaMapper>(dma);
  const u64 event = features.event_index ? 2 : 0;
  descriptors_ = {*dma_, rings.descriptors, kDescSize * size_, Access::Read};
  available_ = {*dma_, rings.available, 4 + 2 * u64{size_} + event, Access::Read};
  used_ = {*dma_, rings.used, 4 + kUsedElementSize * size_ + event, Access::ReadWrite};
  return true;
}

void VirtQueue::reset() {
  for (DmaWindow* ring : {&descriptors_, &available_, &used_}) *ring = {};
  if (dma_) dma_->port().space().hub().complete(dma_->close());
  dma_ = nullptr;
  size_ = max_size_;
  rings = {};
  active_size_ = 0;
  last_available_ = seen_available_ = used_index_ = in_flight_ = signalled_used_ = 0;
  signalled_valid_ = false;
  generation_++;
  defect_ = {};
}

bool VirtQueue::load16(DmaWindow& ring, u64 offset, u16& value) {
  u64 loaded = 0;
  if (!ring.load(offset, 2, loaded).is_ok()) return fail("ring is not readable");
  value = u16(loaded);
  return true;
}

bool VirtQueue::store16(DmaWindow& ring, u64 offset, u16 value) {
  return ring.store(offset, 2, value).is_ok() || fail("ring is not writable");
}

// The queue's own descriptors, or an indirect table, which is read once and not worth a mapping: some
// descriptors at a time, since they mostly follow each other.
struct VirtQueue::Table {
  static constexpr u32 kSome = 32;
  bool indirect = false;
  u64 address = 0;
  u32 size;
  u32 first = 0, count = 0;  // what `some` holds
  std::array<u8, kDescSize * kSome> some;
};

bool VirtQueue::load_descriptor(Table& table, u32 index, Descriptor& out) {
  std::array<u8, kDescSize> own;
  const u8* raw = own.data();
  MemTxResult result;
  if (!table.indirect) {
    result = descriptors_.read(kDescSize * index, std::as_writable_bytes(std::span{own}));
  } else {
    if (index - table.first >= table.count) {
      table.first = index;
      // Not into another page: it may be out of reach, and the chain may not get there.
      const u64 at = table.address + kDescSize * index, in_page = std::max<u64>((-at & 0xfff) / kDescSize, 1);
      table.count = u32(std::min<u64>({Table::kSome, table.size - index, in_page}));
      result =
          dma_->port().read(at, std::as_writable_bytes(std::span{table.some}.first(kDescSize * table.count)));
    }
    raw = &table.some[kDescSize * (index - table.first)];
  }
  if (!result.is_ok()) return fail("descriptor table is not readable");
  out = {get64(raw), get32(raw + 8), get16(raw + 12), get16(raw + 14)};
  return true;
}

bool VirtQueue::has_available() {
  if (!usable()) return false;
  if (seen_available_ != last_available_) return true;
  u16 index;
  if (!load16(available_, 2, index)) return true;
  std::atomic_thread_fence(std::memory_order_acquire);
  if (u16(index - last_available_) > active_size_) {
    fail("available index runs ahead of the queue");
    return true;
  }
  seen_available_ = index;
  return index != last_available_;
}

bool VirtQueue::enter_indirect(const Descriptor& via, Table& table) {
  if (!features_.indirect) return fail("indirect descriptor without VIRTIO_F_INDIRECT_DESC");
  if (table.indirect) return fail("indirect table inside an indirect table");
  if (via.flags & kDescNext) return fail("indirect descriptor with a next one");
  if (via.length == 0 || via.length % kDescSize) return fail("bad size of an indirect table");
  if (range_wraps(via.address, via.length)) return fail("indirect table wraps around the end of memory");
  table.indirect = true;
  table.address = via.address;
  table.size = u32(via.length / kDescSize);
  return true;
}

bool VirtQueue::add_segment(Chain& chain, const Descriptor& from) {
  if (range_wraps(from.address, from.length)) return fail("buffer wraps around the end of memory");
  bool writable = from.flags & kDescWrite;
  if (!writable && chain.readable_count_ != chain.segments_.size())
    return fail("device-readable buffer after a device-writable one");
  chain.segments_.push_back({from.address, from.length});
  (writable ? chain.writable_size_ : chain.readable_size_) += from.length;
  if (!writable) chain.readable_count_++;
  return true;
}

// Follows one chain. Its length is bounded whatever the links say.
// DEVIATION: 2.7.5.3.1 forbids drivers to make a chain longer than the queue size, but widespread drivers do
// so with indirect tables on small queues; up to kMaxIndirect descriptors are accepted there.
bool VirtQueue::walk(u16 head, Chain& chain) {
  Table table;
  table.size = active_size_;
  u32 index = head, budget = active_size_;
  for (;;) {
    if (index >= table.size) return fail("descriptor index out of range");
    if (budget-- == 0) return fail("descriptor chain is too long or loops");
    Descriptor d;
    if (!load_descriptor(table, index, d)) return false;
    if (d.flags & kDescIndirect) {
      if (!enter_indirect(d, table)) return false;
      index = 0;
      budget = std::max<u32>(active_size_, kMaxIndirect);
      continue;
    }
    if (!add_segment(chain, d)) return false;
    if (!(d.flags & kDescNext)) return true;
    index = d.next;
  }
}

std::optional<Chain> VirtQueue::pop() {
  if (!has_available() || !usable()) return {};
  if (in_flight_ >= active_size_) {
    fail("more chains in flight than the queue has descriptors");
    return {};
  }
  u16 head;
  if (!load16(available_, 4 + 2 * u64(last_available_ & (active_size_ - 1)), head)) return {};
  Chain chain;
  if (!walk(head, chain)) return {};
  chain.dma_ = dma_;
  chain.head_ = head;
  chain.generation_ = generation_;
  last_available_++;
  in_flight_++;
  return chain;
}

void VirtQueue::unpop(const Chain& chain) {
  if (is_stale(chain) || in_flight_ == 0) return;
  last_available_--;
  in_flight_--;
}

bool VirtQueue::push(const Chain& chain, u64 written) {
  if (is_stale(chain) || !usable()) return false;
  u64 length = std::min({written, chain.writable_size(), u64{~u32{0}}});
  const u64 slot = 4 + kUsedElementSize * (used_index_ & (active_size_ - 1));
  in_flight_--;
  // le32 id, le32 len: the driver does not look at them until the index moves.
  if (!used_.store(slot, 4, chain.head_).is_ok() || !used_.store(slot + 4, 4, length).is_ok())
    return fail("ring is not writable");
  std::atomic_thread_fence(std::memory_order_release);
  return store16(used_, 2, ++used_index_);
}

void VirtQueue::want_notifications(bool wanted) {
  if (!usable()) return;
  if (features_.event_index) {
    if (wanted) store16(used_, avail_event_at(), last_available_);
  } else {
    store16(used_, 0, wanted ? 0 : kUsedNoNotify);
  }
  if (wanted) std::atomic_thread_fence(std::memory_order_seq_cst);
}

bool VirtQueue::should_interrupt() {
  if (!usable()) return false;
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!features_.event_index) {
    u16 flags;
    return load16(available_, 0, flags) && !(flags & kAvailNoInterrupt);
  }
  u16 event;
  if (!load16(available_, used_event_at(), event)) return false;
  u16 old = signalled_used_;
  bool first = !signalled_valid_;
  signalled_used_ = used_index_;
  signalled_valid_ = true;
  return first || passed_event(event, used_index_, old);
}

}  // namespace sluice
