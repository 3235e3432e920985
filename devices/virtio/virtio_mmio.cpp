// devices/virtio/virtio_mmio.cpp: the register file. VIRTIO 1.3, 4.2.2 and 4.2.4.
#include "devices/virtio/virtio_mmio.h"

#include <algorithm>

#include "base/bits.h"
#include "base/log.h"

namespace sluice {
namespace {

enum Register : u64 {
  kMagicValue = 0x000,
  kVersion = 0x004,
  kDeviceId = 0x008,
  kVendorId = 0x00c,
  kDeviceFeatures = 0x010,
  kDeviceFeaturesSel = 0x014,
  kDriverFeatures = 0x020,
  kDriverFeaturesSel = 0x024,
  kGuestPageSize = 0x028,  // legacy
  kQueueSel = 0x030,
  kQueueSizeMax = 0x034,
  kQueueSize = 0x038,
  kQueueAlign = 0x03c,  // legacy
  kQueuePfn = 0x040,    // legacy
  kQueueReady = 0x044,
  kQueueNotify = 0x050,
  kInterruptStatus = 0x060,
  kInterruptAck = 0x064,
  kStatus = 0x070,
  kQueueDescLow = 0x080,
  kQueueDescHigh = 0x084,
  kQueueDriverLow = 0x090,
  kQueueDriverHigh = 0x094,
  kQueueDeviceLow = 0x0a0,
  kQueueDeviceHigh = 0x0a4,
  kShmSel = 0x0ac,
  kShmLenLow = 0x0b0,
  kShmLenHigh = 0x0b4,
  kShmBaseLow = 0x0b8,
  kShmBaseHigh = 0x0bc,
  kQueueReset = 0x0c0,
  kConfigGeneration = 0x0fc,
  kConfig = 0x100,
};

constexpr u32 kMagic = 0x74726976;                 // "virt"
constexpr u32 kVendor = 0x554d4551;                // what the `virt` machine has always answered
constexpr u32 kUsedBuffer = 1, kConfigChange = 2;  // InterruptStatus
constexpr u32 kDefaultAlign = 4096;

void set_low(u64& into, u32 value) { into = deposit(into, 0, 32, value); }
void set_high(u64& into, u32 value) { into = deposit(into, 32, 32, value); }

}  // namespace

VirtioMmio::VirtioMmio(DmaPort dma, IrqLine irq, Clock& clock, VirtioMmioOptions options)
    : dma_(dma), irq_(std::move(irq)), options_(options), deferred_(clock, *this, device_) {}

VirtioMmio::~VirtioMmio() {
  // The device joins its threads when it dies, and those need the lock; the timer must not find it half dead.
  std::unique_ptr<VirtioDevice> dying;
  std::lock_guard lock{mutex_};
  dying = std::move(device_);
}

void VirtioMmio::plug(std::unique_ptr<VirtioDevice> device) {
  device_.reset();
  device->connect(*this);
  queue_align_.assign(device->queue_count(), kDefaultAlign);
  queue_pfn_.assign(device->queue_count(), 0);
  device_ = std::move(device);
  reset();
}

u64 VirtioMmio::bus_features() const {
  u64 platform = options_.access_platform ? kVirtioAccessPlatform : 0;
  return options_.force_legacy ? 0 : kVirtioVersion1 | kVirtioRingReset | platform;
}

void VirtioMmio::reset() {
  if (device_) device_->reset();
  device_features_sel_ = driver_features_sel_ = queue_sel_ = 0;
  guest_page_size_ = 0;
  std::fill(queue_align_.begin(), queue_align_.end(), kDefaultAlign);
  after_device_reset();
}

// What a reset through the Status register covers. GuestPageSize is not part of it: legacy drivers write it
// first.
void VirtioMmio::after_device_reset() {
  interrupt_status_ = 0;
  std::fill(queue_pfn_.begin(), queue_pfn_.end(), 0);
  deferred_.clear();
  update_interrupt();
}

void VirtioMmio::queue_interrupt(u16) {
  interrupt_status_ |= kUsedBuffer;
  update_interrupt();
}

void VirtioMmio::config_interrupt() {
  interrupt_status_ |= kConfigChange;
  update_interrupt();
}

void VirtioMmio::defer(u16 queue) { deferred_.add(queue); }

VirtQueue* VirtioMmio::selected() {
  return queue_sel_ < device_->queue_count() ? &device_->queue(u16(queue_sel_)) : nullptr;
}

MemTxResult VirtioMmio::read(u64 offset, unsigned size, u64& value, MemTxAttrs) {
  value = 0;
  if (offset >= kConfig) {
    if (device_) value = device_->read_config(offset - kConfig, size);
  } else if (size != 4) {
    guest_error("virtio-mmio: %u-byte read of control register 0x%03x", size, unsigned(offset));
  } else {
    value = read_register(offset);
  }
  return MemTxResult::ok();
}

u32 VirtioMmio::read_feature_word() const {
  u64 features = device_->offered_features();
  return device_features_sel_ == 0 ? u32(features) : device_features_sel_ == 1 ? u32(features >> 32) : 0;
}

u32 VirtioMmio::read_register(u64 offset) {
  switch (offset) {
    case kMagicValue: return kMagic;
    case kVersion: return options_.force_legacy ? 1 : 2;
    case kDeviceId: return device_ ? u32(device_->id()) : 0;
    case kVendorId: return kVendor;
    default: break;
  }
  if (!device_) return 0;
  switch (offset) {
    case kDeviceFeatures: return read_feature_word();
    case kInterruptStatus: return interrupt_status_;
    case kStatus: return device_->status();
    default: return read_queue_register(offset);
  }
}

u32 VirtioMmio::read_queue_register(u64 offset) {
  VirtQueue* queue = selected();
  if (offset == kQueueSizeMax) return queue ? queue->max_size() : 0;
  if (options_.force_legacy) {
    if (offset == kQueuePfn) return queue ? queue_pfn_[queue_sel_] : 0;
  } else {
    switch (offset) {
      case kQueueReady: return queue && queue->enabled();
      case kQueueReset: return 0;  // a reset is complete when the write that asked for it retires
      case kShmLenLow:             // 4.2.2: a region that does not exist has the length 2^64 - 1
      case kShmLenHigh:
      case kShmBaseLow:
      case kShmBaseHigh: return ~u32{0};
      case kConfigGeneration: return device_->config_generation();
      default: break;
    }
  }
  guest_error("virtio-mmio: read of register 0x%03x", unsigned(offset));
  return 0;
}

MemTxResult VirtioMmio::write(u64 offset, unsigned size, u64 value, MemTxAttrs) {
  if (!device_) return MemTxResult::ok();
  if (offset >= kConfig) {
    device_->write_config(offset - kConfig, size, u32(value));
  } else if (size != 4) {
    guest_error("virtio-mmio: %u-byte write of control register 0x%03x", size, unsigned(offset));
  } else {
    write_register(offset, u32(value));
  }
  return MemTxResult::ok();
}

void VirtioMmio::write_register(u64 offset, u32 value) {
  if (write_common(offset, value)) return;
  VirtQueue* queue = selected();
  if (!queue) {
    guest_error("virtio-mmio: write of register 0x%03x of queue %u, which does not exist", unsigned(offset),
                queue_sel_);
  } else if (offset == kQueueSize) {
    queue->set_size(u16(std::min<u32>(value, 0xffff)));
  } else {
    write_queue_register(*queue, offset, value);
  }
}

// What does not depend on the selected queue. False: not one of these.
bool VirtioMmio::write_common(u64 offset, u32 value) {
  switch (offset) {
    case kDeviceFeaturesSel: device_features_sel_ = value; return true;
    case kDriverFeatures: device_->write_driver_features(driver_features_sel_, value); return true;
    case kDriverFeaturesSel: driver_features_sel_ = value; return true;
    case kQueueSel: queue_sel_ = value; return true;
    case kQueueNotify: device_->kick(value); return true;
    case kInterruptAck:
      interrupt_status_ &= ~value;
      update_interrupt();
      return true;
    case kStatus: write_status(value); return true;
    case kShmSel: return !options_.force_legacy;
    case kGuestPageSize:
      if (!options_.force_legacy) return false;
      if (is_power_of_two(value))
        guest_page_size_ = value;
      else
        guest_error("virtio-mmio: GuestPageSize 0x%x is not a power of two", value);
      return true;
    default: return false;
  }
}

void VirtioMmio::write_status(u32 value) {
  device_->write_status(u8(value));
  if (u8(value) == 0) after_device_reset();
}

void VirtioMmio::write_queue_register(VirtQueue& queue, u64 offset, u32 value) {
  if (options_.force_legacy)
    write_legacy_queue_register(queue, offset, value);
  else
    write_modern_queue_register(queue, offset, value);
}

void VirtioMmio::write_legacy_queue_register(VirtQueue& queue, u64 offset, u32 value) {
  switch (offset) {
    case kQueueAlign:
      if (is_power_of_two(value))
        queue_align_[queue_sel_] = value;
      else
        guest_error("virtio-mmio: QueueAlign 0x%x is not a power of two", value);
      break;
    case kQueuePfn: write_queue_pfn(queue, value); break;
    default: guest_error("virtio-mmio: write of register 0x%03x", unsigned(offset));
  }
}

// 4.2.4: a page number starts the queue there, 0 stops it.
void VirtioMmio::write_queue_pfn(VirtQueue& queue, u32 value) {
  u16 size = queue.size();
  u16 n = u16(queue_sel_);
  if (queue.enabled() || value == 0) device_->reset_queue(n);
  queue_pfn_[n] = value;
  if (value == 0) return;
  if (guest_page_size_ == 0) {
    guest_error("virtio-mmio: QueuePFN written before GuestPageSize");
    return;
  }
  queue.set_size(size);
  queue.rings = VirtQueue::legacy_rings(u64{value} * guest_page_size_, size, queue_align_[n]);
  device_->enable_queue(n);
}

void VirtioMmio::write_modern_queue_register(VirtQueue& queue, u64 offset, u32 value) {
  u16 n = u16(queue_sel_);
  switch (offset) {
    case kQueueReady:
      if (value & 1)
        device_->enable_queue(n);
      else
        device_->reset_queue(n);
      break;
    case kQueueReset:
      if (!(device_->driver_features() & kVirtioRingReset))
        guest_error("virtio-mmio: QueueReset not negotiated");
      else if (value & 1)
        device_->reset_queue(n);
      break;
    case kQueueDescLow: set_low(queue.rings.descriptors, value); break;
    case kQueueDescHigh: set_high(queue.rings.descriptors, value); break;
    case kQueueDriverLow: set_low(queue.rings.available, value); break;
    case kQueueDriverHigh: set_high(queue.rings.available, value); break;
    case kQueueDeviceLow: set_low(queue.rings.used, value); break;
    case kQueueDeviceHigh: set_high(queue.rings.used, value); break;
    default: guest_error("virtio-mmio: write of register 0x%03x", unsigned(offset));
  }
}

}  // namespace sluice
