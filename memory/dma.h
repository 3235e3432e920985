// memory/dma.h: how a device reaches memory: single transactions, and host pointers that can be revoked.
#pragma once
#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "memory/translate.h"

namespace sluice {

// A device's window on memory: an address space, and who it is. The attributes go with every transaction.
class DmaPort {
 public:
  DmaPort(const AddressSpace& space, MemTxAttrs attrs) : space_(&space), attrs_(attrs) {}
  MemTxResult read(u64 address, std::span<std::byte> bytes) const {
    return space_->read(GuestPhysAddr{address}, bytes, attrs_);
  }
  MemTxResult write(u64 address, std::span<const std::byte> bytes) const {
    return space_->write(GuestPhysAddr{address}, bytes, attrs_);
  }
  MemTxResult load(u64 address, unsigned size, u64& value) const {
    return space_->load(GuestPhysAddr{address}, size, value, attrs_);
  }
  MemTxResult store(u64 address, unsigned size, u64 value) const {
    return space_->store(GuestPhysAddr{address}, size, value, attrs_);
  }
  const AddressSpace& space() const { return *space_; }
  MemTxAttrs attrs() const { return attrs_; }
  DmaPort with_attrs(MemTxAttrs attrs) const { return {*space_, attrs}; }

 private:
  const AddressSpace* space_;
  MemTxAttrs attrs_;
};

class DmaMapper;

// A piece of guest memory, in terms of the port's address space. At least one byte; does not wrap.
struct DmaSegment {
  u64 address, length;
};

// Guest memory as host pointers, for as long as no IOMMU on the way and no memory map change takes it back.
// Where the guest address is not plain RAM, a bounce buffer stands in; it is filled, and written back, with
// the port's attributes. Made by DmaMapper, which outlives it. Movable; one thread at a time uses it.
class DmaMapping {
  struct State;

 public:
  DmaMapping();
  DmaMapping(DmaMapping&& other) noexcept;
  DmaMapping& operator=(DmaMapping&& other) noexcept;
  ~DmaMapping();  // without unmap(): a bounce buffer is not written back

  // Uses the pointers: two atomic operations, no lock. An unmap of what the mapping depends on is complete
  // only when no pin is held: hardware, too, waits for transactions in flight. So hold it for one host read
  // or write, never while waiting for the guest.
  class Pin {
   public:
    Pin(Pin&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    Pin& operator=(Pin&&) = delete;
    ~Pin();
    // False: the mapping has been revoked. Use the DmaPort, or map again.
    explicit operator bool() const { return state_ != nullptr; }
    std::span<const std::span<std::byte>> spans() const;
    // The device has written `length` bytes at `offset` through the pointers: whoever has translated code
    // from that RAM is told. Not for bounce buffers, which unmap() writes back.
    void note_write(u64 offset, u64 length) const;

   private:
    friend DmaMapping;
    explicit Pin(State* state) : state_(state) {}
    State* state_;
  };
  Pin pin();
  bool revoked() const;
  bool bounced() const;
  u64 length() const;
  explicit operator bool() const { return state_ != nullptr; }
  // Ends the mapping; no pin is held. The device has produced the first `written` bytes: a bounce buffer is
  // written back, and whoever has translated code from that RAM is told.
  MemTxResult unmap(u64 written);

 private:
  friend DmaMapper;
  explicit DmaMapping(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Makes and tracks the mappings of one device. Any thread.
class DmaMapper final : private InvalidationHolder {
 public:
  static constexpr u64 kMaxLength = u64{1} << 30;
  static constexpr u64 kMaxBounce = u64{16} << 20;  // of all bounce buffers of this device at a time
  static constexpr size_t kMaxSpans = 4096;         // more pieces than this are bounced

  explicit DmaMapper(DmaPort port);
  ~DmaMapper();  // every mapping has ended
  DmaMapper(const DmaMapper&) = delete;
  DmaMapper& operator=(const DmaMapper&) = delete;

  // Access::Read: the device reads memory; Write: it writes; ReadWrite: both. All or nothing: when a part is
  // refused or missing, `result` says why, the IOMMU has recorded it, and the mapping is empty.
  struct Mapped {
    DmaMapping mapping;
    MemTxResult result;
  };
  Mapped map(std::span<const DmaSegment> segments, Access access);
  Mapped map(u64 address, u64 length, Access access) {
    DmaSegment one{address, length};
    return map({&one, 1}, access);
  }
  // The same without a bounce buffer and without any side effect: empty unless all of it is plain RAM that
  // may be accessed now. The caller then uses transactions, and those that are refused are reported.
  DmaMapping map_direct(std::span<const DmaSegment> segments, Access access);
  // Every mapping dies, and new ones are revoked from the start. Complete when no pin is held any more: a
  // device that is being reset has stopped.
  Ticket close();
  const DmaPort& port() const { return port_; }

  size_t live() const;  // mappings not yet ended: not zero when the device is idle means a leak
  struct Counters {
    u64 mapped = 0, bounced = 0, revoked = 0;
  };
  Counters counters() const;

 private:
  friend DmaMapping;
  enum class Walked : u8 { Direct, NeedsBounce, Failed };
  struct Link;
  void receive(const Invalidation& message) override;
  void on_unmap(const IommuRegion& region, const IommuUnmap& unmap);
  template <class F>
  void revoke_if(u64 sequence, F&& depends);
  void update_pending();
  void follow(const DmaMapping::State& state);
  std::unique_ptr<DmaMapping::State> new_state(std::span<const DmaSegment> segments, Access access);
  Walked look(DmaMapping::State& state, DmaSegment& refused) const;
  Walked enlist_direct(DmaMapping::State& state, DmaSegment& refused);
  bool unchanged(const DmaMapping::State& state, u64 topology) const;
  MemTxResult fill_bounce(DmaMapping::State& state);
  MemTxResult write_back(const DmaMapping::State& state, u64 written) const;
  void enlist(DmaMapping::State& state);
  void delist(DmaMapping::State& state);
  bool add_pin(DmaMapping::State& state);
  void drop_pin(DmaMapping::State& state);
  void unpinned(DmaMapping::State& state);

  const DmaPort port_;
  mutable std::mutex mutex_;  // of the list and of every State's pending_since
  std::vector<DmaMapping::State*> states_;
  bool closed_ = false;
  u64 bounce_bytes_ = 0;
  Counters counters_;
  std::mutex links_mutex_;  // never taken by a callback
  std::unordered_map<const IommuRegion*, std::unique_ptr<Link>> links_;
};

// A range that a device reads and writes again and again, such as a ring: host memory for as long as nothing
// takes it back, mapped again when somebody did, transactions of the port where it is not plain RAM.
// One thread at a time. Little-endian; accesses of 1, 2, 4 or 8 bytes that are aligned are single.
class DmaWindow {
 public:
  // Several accesses for one pin: until it ends, the window does not let go of the pin that its next access
  // takes, and stores are told to translators of code at the end, all at once. Keep it as short as a pin. One
  // inside another does nothing. The window stays where it is meanwhile; when another one is assigned to it,
  // the hold ends there and then.
  class Hold {
   public:
    explicit Hold(DmaWindow& window);
    ~Hold();
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    friend DmaWindow;
    void end();
    void stored(u64 offset, u64 length) {
      dirty_from_ = std::min(dirty_from_, offset);
      dirty_to_ = std::max(dirty_to_, offset + length);
    }
    DmaWindow* window_;  // nullptr: another one holds it
    std::optional<DmaMapping::Pin> pin_;
    std::byte* whole_ = nullptr;  // of the window, when it lies in one piece
    u64 dirty_from_ = ~u64{0}, dirty_to_ = 0;
  };

  DmaWindow() = default;
  // The mapper outlives the window. `length` at least 1; the range does not wrap.
  DmaWindow(DmaMapper& mapper, u64 address, u64 length, Access access)
      : mapper_(&mapper), segment_{address, length}, access_(access) {}
  DmaWindow(DmaWindow&& other) noexcept;
  DmaWindow& operator=(DmaWindow&& other) noexcept;
  MemTxResult load(u64 offset, unsigned size, u64& value);
  MemTxResult store(u64 offset, unsigned size, u64 value);
  MemTxResult read(u64 offset, std::span<std::byte> bytes);

 private:
  template <class Direct, class Transaction>
  MemTxResult access(u64 offset, u64 length, bool stores, Direct direct, Transaction transaction);
  DmaMapper* mapper_ = nullptr;
  DmaSegment segment_{};
  Access access_ = Access::None;
  DmaMapping mapping_;
  Hold* hold_ = nullptr;
};

}  // namespace sluice
