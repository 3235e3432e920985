// devices/virtio/device.cpp: status, feature negotiation and configuration space.
// VIRTIO 1.3, 2.1, 2.2, 2.5, 3.1.
#include "devices/virtio/device.h"

#include <algorithm>

#include "base/log.h"
#include "base/trace.h"
#include "memory/region.h"

namespace sluice {
namespace {

// device: the device ID of VIRTIO 1.3, 5
Trace<u32, u32> trace_notify{"virtio_queue_notify", "device={} n={}"};
Trace<u32, u8> trace_set_status{"virtio_set_status", "device={} val={:#x}"};

}  // namespace

bool enter_device(VirtioTransport& transport, const std::function<void()>& body) {
  return MmioRegion::enter(transport.lock(), body);
}

VirtioDevice::VirtioDevice(VirtioId id, std::vector<u16> queue_sizes, size_t config_size)
    : id_(id), batches_(queue_sizes.size()), config_(config_size) {
  queues_.reserve(queue_sizes.size());
  for (u16 size : queue_sizes) queues_.emplace_back(size);
}

u64 VirtioDevice::offered_features() const {
  u64 bits =
      device_features(is_legacy()) | kVirtioIndirectDesc | kVirtioEventIdx | transport_->bus_features();
  return is_legacy() ? (bits | kVirtioAnyLayout) & ~u32{0} : bits;
}

void VirtioDevice::write_driver_features(u32 word, u32 value) {
  if (word > 1 || (is_legacy() && word > 0)) {
    if (value) guest_error("virtio: feature word %u written with 0x%x", word, value);
    return;
  }
  if (status_ & VirtioStatus::kFeaturesOk) {
    guest_error("virtio: features written after FEATURES_OK");
    return;
  }
  u64 keep = word ? u64{~u32{0}} : ~u64{0} << 32;
  driver_features_ = (driver_features_ & keep) | u64{value} << (32 * word);
  // 2.2.3: a legacy driver's acceptance has no handshake, so what was not offered is dropped here.
  if (is_legacy()) {
    driver_features_ &= offered_features();
    features_changed();
  }
}

bool VirtioDevice::negotiate() {
  if (driver_features_ & ~offered_features()) {
    guest_error("virtio: driver accepts features that were not offered: 0x%llx",
                static_cast<unsigned long long>(driver_features_ & ~offered_features()));
    return false;
  }
  if (!(driver_features_ & kVirtioVersion1)) {
    guest_error("virtio: driver does not accept VIRTIO_F_VERSION_1");
    return false;
  }
  if (transport_->bus_features() & kVirtioAccessPlatform & ~driver_features_) {
    guest_error("virtio: driver does not accept VIRTIO_F_ACCESS_PLATFORM");
    return false;
  }
  return accept_features(driver_features_);
}

void VirtioDevice::write_status(u8 value) {
  trace_set_status(u32(id_), value);
  if (value == 0) return reset();
  u8 added = u8(value & ~status_ & ~VirtioStatus::kNeedsReset);
  if (status_ & ~value & ~VirtioStatus::kNeedsReset)
    guest_error("virtio: driver clears status bits one by one");
  if (!is_legacy()) {
    if (added & VirtioStatus::kFeaturesOk) {
      if (!negotiate()) {
        added &= u8(~VirtioStatus::kFeaturesOk);
      } else {
        status_ |= VirtioStatus::kFeaturesOk;
        features_changed();
      }
    }
    if ((added & VirtioStatus::kDriverOk) && !(status_ & VirtioStatus::kFeaturesOk)) {
      guest_error("virtio: DRIVER_OK before FEATURES_OK");
      added &= u8(~VirtioStatus::kDriverOk);
    }
  }
  status_ |= added;
  if (added & VirtioStatus::kDriverOk) driver_ok();
}

void VirtioDevice::reset() {
  for (VirtQueue& q : queues_) q.reset();
  status_ = 0;
  driver_features_ = 0;
  reset_device();
  features_changed();
}

u32 VirtioDevice::read_config(u64 offset, unsigned size) const {
  u32 value = 0;
  for (unsigned i = 0; i < size; i++)
    if (offset + i < config_.size()) value |= u32{config_[offset + i]} << (8 * i);
  return value;
}

void VirtioDevice::write_config(u64 offset, unsigned size, u32 value) {
  if (offset >= config_.size() || size > config_.size() - offset) {
    guest_error("virtio: write past the configuration space");
    return;
  }
  u8 bytes[4];
  for (unsigned i = 0; i < size; i++) bytes[i] = u8(value >> (8 * i));
  config_written(u32(offset), {bytes, size});
}

void VirtioDevice::config_written(u32 offset, std::span<const u8>) {
  guest_error("virtio: write to read-only configuration byte %u of device type %u", offset, u32(id_));
}

void VirtioDevice::commit_config() {
  config_generation_++;
  if (transport_ && (status_ & VirtioStatus::kDriverOk)) transport_->config_interrupt();
}

bool VirtioDevice::is_live() const {
  if (!transport_) return false;
  if (status_ & (VirtioStatus::kNeedsReset | VirtioStatus::kFailed)) return false;
  // 3.1.2: legacy drivers may use the device before they set DRIVER_OK.
  return is_legacy() || (status_ & VirtioStatus::kDriverOk);
}

void VirtioDevice::enable_queue(u16 n) {
  VirtQueue& q = queues_[n];
  if (q.enabled()) return;
  if (!is_legacy() && !(status_ & VirtioStatus::kFeaturesOk)) {
    guest_error("virtio: queue %u enabled before FEATURES_OK", n);
    return;
  }
  VirtQueue::Features features{.indirect = (driver_features_ & kVirtioIndirectDesc) != 0,
                               .event_index = (driver_features_ & kVirtioEventIdx) != 0};
  if (!q.enable(transport_->dma(), features)) check_queue(n);
}

void VirtioDevice::reset_queue(u16 n) {
  queues_[n].reset();
  queue_was_reset(n);
}

void VirtioDevice::kick(u32 n) {
  if (n >= queues_.size()) {
    guest_error("virtio: notification of queue %u, which does not exist", n);
    return;
  }
  trace_notify(u32(id_), n);
  if (!is_live() || !queues_[n].usable()) return;
  notify(u16(n));
  check_queue(u16(n));
}

void VirtioDevice::complete(u16 n, const Chain& chain, u64 written) {
  VirtQueue& q = queues_[n];
  if (q.is_stale(chain)) return;
  if (q.push(chain, written)) {
    if (Batch* batch = batches_[n])
      batch->completed_ = true;
    else
      interrupt_if_wanted(n);
  }
  check_queue(n);
}

void VirtioDevice::interrupt_if_wanted(u16 n) {
  if (queues_[n].should_interrupt()) transport_->queue_interrupt(n);
}

VirtioDevice::Batch::Batch(VirtioDevice& device, u16 n)
    : device_(device), n_(n), outermost_(!device.batches_[n]), rings_(device.queues_[n]) {
  if (outermost_) device.batches_[n] = this;
}

VirtioDevice::Batch::~Batch() {
  if (!outermost_) return;
  device_.batches_[n_] = nullptr;
  if (!completed_) return;
  device_.interrupt_if_wanted(n_);
  device_.check_queue(n_);
}

void VirtioDevice::fail(u16 n, const char* why) {
  queues_[n].set_defect(why);
  check_queue(n);
}

// 2.1.2: a device in an error state that only a reset cures sets DEVICE_NEEDS_RESET, and says so after
// DRIVER_OK.
void VirtioDevice::check_queue(u16 n) {
  const VirtQueue& q = queues_[n];
  if (q.defect().empty()) return;
  guest_error("virtio: device type %u, queue %u: %s", u32(id_), n, q.defect().data());
  if (is_legacy() || (status_ & VirtioStatus::kNeedsReset)) return;
  status_ |= VirtioStatus::kNeedsReset;
  if (status_ & VirtioStatus::kDriverOk) transport_->config_interrupt();
}

}  // namespace sluice
