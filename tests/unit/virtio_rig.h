// tests/unit/virtio_rig.h: guest memory and a driver, written from the specification's driver side
// (VIRTIO 1.3, 2.7, 3.1, 4.2.3, 4.2.4) and sharing nothing with the device's code.
#pragma once
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "devices/virtio/virtio_mmio.h"
#include "memory/address_space.h"
#include "memory/dma.h"
#include "memory/region.h"
#include "tests/support/eventually.h"

namespace sluice::virtio_test {

inline constexpr u64 kRamBase = 0x40000000, kRamSize = 16 << 20;
inline constexpr u64 kNowhere = 0x8000000000;  // no memory there
using Bytes = std::vector<u8>;

class GuestMemory {
 public:
  GuestMemory() {
    Topology::Transaction t{topology_};
    t.add(*root_, kRamBase, ram_region_);
  }
  DmaPort port() { return {space_, MemTxAttrs::device(1, 0)}; }
  InvalidationHub& hub() { return hub_; }
  Topology& topology() { return topology_; }
  AddressSpace& space() { return space_; }
  u8* at(u64 address) { return ram_->host() + (address - kRamBase); }
  // As a PE accesses rings that a device on another thread looks at: in one piece, in order.
  template <class T>
  T get(u64 address) {
    if (address % sizeof(T) == 0)
      return std::atomic_ref(*reinterpret_cast<T*>(at(address))).load(std::memory_order_acquire);
    T value;
    std::memcpy(&value, at(address), sizeof value);
    return value;
  }
  template <class T>
  void put(u64 address, T value) {
    if (address % sizeof(T) == 0)
      return std::atomic_ref(*reinterpret_cast<T*>(at(address))).store(value, std::memory_order_release);
    std::memcpy(at(address), &value, sizeof value);
  }
  void put_bytes(u64 address, const Bytes& bytes) { std::memcpy(at(address), bytes.data(), bytes.size()); }
  Bytes get_bytes(u64 address, size_t size) { return Bytes(at(address), at(address) + size); }
  u64 allocate(u64 size, u64 align = 16) {
    next_ = (next_ + align - 1) / align * align;
    u64 address = next_;
    next_ += size;
    return address;
  }

 private:
  InvalidationHub hub_;
  Topology topology_{hub_};
  std::shared_ptr<Container> root_ = std::make_shared<Container>("root", kWholeSpace);
  std::shared_ptr<GuestRam> ram_ = std::move(*GuestRam::create("ram", kRamSize));
  std::shared_ptr<RamRegion> ram_region_ = std::make_shared<RamRegion>("ram", ram_);
  AddressSpace space_{topology_, "system", root_};
  u64 next_ = kRamBase + 0x10000;
};

struct Buffer {
  u64 address;
  u32 length;
  bool writable;
};

// One split ring as the driver keeps it.
struct Ring {
  u16 size = 0;
  u64 descriptors = 0, available = 0, used = 0;
  u16 free = 0;  // next descriptor to use, round robin
  u16 available_index = 0, used_seen = 0;
};

// A slot, its device and the driver. Accesses go through the MMIO layer, which takes the device's lock.
class Driver {
 public:
  static constexpr u64 kIndirect = 1ull << 28, kEventIdx = 1ull << 29, kVersion1 = 1ull << 32;

  explicit Driver(bool legacy = false)
      : legacy_(legacy),
        slot_(memory.port(), IrqLine{[this](bool level) { line_ = level, interrupts_ += level; }}, clock,
              {.force_legacy = legacy}) {}

  GuestMemory memory;
  Clock clock{Clock::Mode::Icount};

  template <class Device, class... Args>
  Device& plug(Args&&... args) {
    auto device = std::make_unique<Device>(std::forward<Args>(args)...);
    Device& reference = *device;
    slot_.plug(std::move(device));
    return reference;
  }
  VirtioMmio& slot() { return slot_; }
  bool line() const { return line_; }
  u64 interrupts() const { return interrupts_; }
  bool legacy() const { return legacy_; }

  u32 read(u64 offset, unsigned size = 4) {
    u64 value = 0;
    EXPECT_TRUE(registers_.load(offset, size, value, attrs()).is_ok());
    return u32(value);
  }
  void write(u64 offset, u32 value, unsigned size = 4) {
    EXPECT_TRUE(registers_.store(offset, size, value, attrs()).is_ok());
  }
  u64 config64(u64 offset) { return read(0x100 + offset) | u64{read(0x104 + offset)} << 32; }

  u64 offered() {
    write(0x14, 0);
    u64 low = read(0x10);
    write(0x14, 1);
    return low | u64{read(0x10)} << 32;
  }
  // 3.1.1, up to and with FEATURES_OK. What was not offered is not asked for.
  bool negotiate(u64 wanted) {
    if (legacy_) write(0x28, 4096);
    write(0x70, 0);
    write(0x70, 1);
    write(0x70, 3);
    features = offered() & (wanted | (legacy_ ? 0 : kVersion1));
    write(0x24, 0);
    write(0x20, u32(features));
    if (legacy_) return true;
    write(0x24, 1);
    write(0x20, u32(features >> 32));
    write(0x70, 11);
    return read(0x70) == 11;
  }
  void driver_ok() { write(0x70, read(0x70) | 4); }
  // Everything: features, queues 0..count-1, DRIVER_OK.
  void start(u64 wanted, u16 count, u16 size = 16) {
    ASSERT_TRUE(negotiate(wanted));
    for (u16 n = 0; n < count; n++) add_queue(n, size);
    driver_ok();
  }
  void add_queue(u16 n, u16 size) {
    if (rings.size() <= n) rings.resize(n + 1u);
    Ring& r = rings[n];
    const u64 base = r.descriptors ? r.descriptors : memory.allocate(32 * 1024, 4096);
    r = Ring{};
    r.size = size;
    std::memset(memory.at(base), 0, 32 * 1024);
    r.descriptors = base;
    r.available = base + 16u * size;
    r.used = (r.available + 6 + 2u * size + 4095) / 4096 * 4096;
    write(0x30, n);
    write(0x38, size);
    if (legacy_) {
      write(0x3c, 4096);
      write(0x40, u32(base / 4096));
      return;
    }
    write(0x80, u32(r.descriptors)), write(0x84, u32(r.descriptors >> 32));
    write(0x90, u32(r.available)), write(0x94, u32(r.available >> 32));
    write(0xa0, u32(r.used)), write(0xa4, u32(r.used >> 32));
    write(0x44, 1);
  }

  void put_descriptor(u64 table, u16 i, u64 address, u32 length, u16 flags, u16 next) {
    memory.put<u64>(table + 16u * i, address);
    memory.put<u32>(table + 16u * i + 8, length);
    memory.put<u16>(table + 16u * i + 12, flags);
    memory.put<u16>(table + 16u * i + 14, next);
  }
  // Makes a chain available (direct descriptors) and returns its head.
  u16 add(u16 n, const std::vector<Buffer>& buffers) {
    Ring& r = rings[n];
    u16 head = r.free;
    for (size_t i = 0; i < buffers.size(); i++) {
      u16 me = u16(r.free % r.size), next = u16((r.free + 1) % r.size);
      bool last = i + 1 == buffers.size();
      put_descriptor(r.descriptors, me, buffers[i].address, buffers[i].length,
                     u16((buffers[i].writable ? 2 : 0) | (last ? 0 : 1)), last ? 0 : next);
      r.free = next;
    }
    make_available(n, head);
    return head;
  }
  u16 add_indirect(u16 n, const std::vector<Buffer>& buffers) {
    u64 table = memory.allocate(16 * buffers.size());
    for (size_t i = 0; i < buffers.size(); i++)
      put_descriptor(table, u16(i), buffers[i].address, buffers[i].length,
                     u16((buffers[i].writable ? 2 : 0) | (i + 1 == buffers.size() ? 0 : 1)), u16(i + 1));
    Ring& r = rings[n];
    u16 head = r.free;
    put_descriptor(r.descriptors, head, table, u32(16 * buffers.size()), 4, 0);
    r.free = u16((r.free + 1) % r.size);
    make_available(n, head);
    return head;
  }
  void make_available(u16 n, u16 head) {
    Ring& r = rings[n];
    memory.put<u16>(r.available + 4 + 2u * (r.available_index % r.size), head);
    std::atomic_thread_fence(std::memory_order_release);
    memory.put<u16>(r.available + 2, ++r.available_index);
  }
  void kick(u16 n) { write(0x50, n); }

  struct Used {
    u32 id, length;
  };
  u16 used_index(u16 n) { return memory.get<u16>(rings[n].used + 2); }
  std::optional<Used> next_used(u16 n) {
    Ring& r = rings[n];
    if (used_index(n) == r.used_seen) return {};
    std::atomic_thread_fence(std::memory_order_acquire);
    u64 at = r.used + 4 + 8u * (r.used_seen++ % r.size);
    return Used{memory.get<u32>(at), memory.get<u32>(at + 4)};
  }
  // For devices that work on another thread.
  std::optional<Used> wait_used(u16 n) {
    std::optional<Used> used;
    (void)test::eventually([&] {
      std::lock_guard lock{slot_.lock()};
      used = next_used(n);
      return used.has_value();
    });
    return used;
  }
  bool needs_reset() { return read(0x70) & 64; }

  u64 features = 0;
  std::vector<Ring> rings;

 private:
  static MemTxAttrs attrs() { return MemTxAttrs::pe(0, PaSpace::NonSecure, true); }
  const bool legacy_;
  std::atomic<bool> line_{false};
  std::atomic<u64> interrupts_{0};
  VirtioMmio slot_;
  MmioRegion registers_{"slot", VirtioMmio::kRegionSize, slot_, &slot_.lock()};
};

// A host stream that a test drives by hand.
class TestStream final : public ByteStream {
 public:
  void transmit(std::span<const u8> bytes) override { sent.append(bytes.begin(), bytes.end()); }
  void on_receive(Receiver receiver) override { receiver_ = std::move(receiver); }
  void resume() override {
    resumed++;
    offer();
  }
  // The host types: what the device does not take waits for resume().
  void type(const std::string& text) {
    waiting.append(text);
    offer();
  }
  std::string sent, waiting;
  int resumed = 0;

 private:
  void offer() {
    while (!waiting.empty() && receiver_) {
      size_t n = receiver_({reinterpret_cast<const u8*>(waiting.data()), waiting.size()});
      if (n == 0) return;
      waiting.erase(0, n);
    }
  }
  Receiver receiver_;
};

}  // namespace sluice::virtio_test
