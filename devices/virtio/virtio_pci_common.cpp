// devices/virtio/virtio_pci_common.cpp: the common configuration structure. VIRTIO 1.3, 4.1.4.3.
#include <algorithm>

#include "base/bits.h"
#include "base/log.h"
#include "devices/virtio/virtio_pci.h"

namespace sluice {

using Rings = VirtQueue::Rings;

// 4.1.3.1: a driver accesses each field with its own width, a 64-bit one as two halves.
struct VirtioPci::CommonRow {
  const char* name;
  u8 offset, size;
  u32 (VirtioPci::*get)();
  void (VirtioPci::*set)(u32);  // nullptr: read-only
};

const VirtioPci::CommonRow* VirtioPci::find_common(u64 offset, unsigned size) {
  using P = VirtioPci;
  static constexpr CommonRow kRows[] = {
      {"device_feature_select", 0x00, 4, &P::get_device_feature_select, &P::set_device_feature_select},
      {"device_feature", 0x04, 4, &P::get_device_feature, nullptr},
      {"driver_feature_select", 0x08, 4, &P::get_driver_feature_select, &P::set_driver_feature_select},
      {"driver_feature", 0x0c, 4, &P::get_driver_feature, &P::set_driver_feature},
      {"config_msix_vector", 0x10, 2, &P::get_config_vector, &P::set_config_vector},
      {"num_queues", 0x12, 2, &P::get_num_queues, nullptr},
      {"device_status", 0x14, 1, &P::get_status, &P::set_status},
      {"config_generation", 0x15, 1, &P::get_generation, nullptr},
      {"queue_select", 0x16, 2, &P::get_queue_select, &P::set_queue_select},
      {"queue_size", 0x18, 2, &P::get_queue_size, &P::set_queue_size},
      {"queue_msix_vector", 0x1a, 2, &P::get_queue_vector, &P::set_queue_vector},
      {"queue_enable", 0x1c, 2, &P::get_queue_enable, &P::set_queue_enable},
      {"queue_notify_off", 0x1e, 2, &P::get_notify_off, nullptr},
      {"queue_desc", 0x20, 4, &P::get_ring<&Rings::descriptors, 0>, &P::set_ring<&Rings::descriptors, 0>},
      {"queue_desc", 0x24, 4, &P::get_ring<&Rings::descriptors, 32>, &P::set_ring<&Rings::descriptors, 32>},
      {"queue_driver", 0x28, 4, &P::get_ring<&Rings::available, 0>, &P::set_ring<&Rings::available, 0>},
      {"queue_driver", 0x2c, 4, &P::get_ring<&Rings::available, 32>, &P::set_ring<&Rings::available, 32>},
      {"queue_device", 0x30, 4, &P::get_ring<&Rings::used, 0>, &P::set_ring<&Rings::used, 0>},
      {"queue_device", 0x34, 4, &P::get_ring<&Rings::used, 32>, &P::set_ring<&Rings::used, 32>},
      {"queue_notif_config_data", 0x38, 2, &P::get_zero, nullptr},
      {"queue_reset", 0x3a, 2, &P::get_zero, &P::set_queue_reset},  // complete when the write retires
      {"admin_queue_index", 0x3c, 2, &P::get_zero, nullptr},
      {"admin_queue_num", 0x3e, 2, &P::get_zero, nullptr},
  };
  for (const CommonRow& row : kRows)
    if (row.offset == offset && row.size == size) return &row;
  return nullptr;
}

u32 VirtioPci::read_common(u64 offset, unsigned size) {
  if (const CommonRow* row = find_common(offset, size)) return (this->*row->get)();
  guest_error("virtio-pci: %u-byte read of the common configuration at 0x%x", size, unsigned(offset));
  return 0;
}

void VirtioPci::write_common(u64 offset, unsigned size, u32 value) {
  const CommonRow* row = find_common(offset, size);
  if (!row)
    guest_error("virtio-pci: %u-byte write to the common configuration at 0x%x", size, unsigned(offset));
  else if (!row->set)
    guest_error("virtio-pci: write to the read-only field %s", row->name);
  else
    (this->*row->set)(value);
}

VirtQueue* VirtioPci::selected() {
  return queue_select_ < device_->queue_count() ? &device_->queue(queue_select_) : nullptr;
}

// 4.1.5.1.2.1: a vector that cannot be mapped reads back as NO_VECTOR.
u16 VirtioPci::valid_vector(u32 value) const { return value < options_.vectors ? u16(value) : kNoVector; }

u32 VirtioPci::get_device_feature() {
  u64 features = device_->offered_features();
  return device_feature_select_ == 0 ? u32(features) : device_feature_select_ == 1 ? u32(features >> 32) : 0;
}

u32 VirtioPci::get_driver_feature() {
  u64 features = device_->driver_features();
  return driver_feature_select_ == 0 ? u32(features) : driver_feature_select_ == 1 ? u32(features >> 32) : 0;
}

u32 VirtioPci::get_queue_size() {
  VirtQueue* q = selected();
  return q ? q->size() : 0;
}

u32 VirtioPci::get_queue_vector() { return selected() ? queue_vectors_[queue_select_] : kNoVector; }

u32 VirtioPci::get_queue_enable() {
  VirtQueue* q = selected();
  return q && q->enabled();
}

void VirtioPci::set_status(u32 value) {
  device_->write_status(u8(value));
  if (u8(value) == 0) after_device_reset();
}

void VirtioPci::set_queue_size(u32 value) {
  if (VirtQueue* q = selected()) q->set_size(u16(value));
}

void VirtioPci::set_queue_vector(u32 value) {
  if (selected()) queue_vectors_[queue_select_] = valid_vector(value);
}

// 4.1.4.3.2: the driver does not write 0.
void VirtioPci::set_queue_enable(u32 value) {
  if (!selected() || value != 1)
    guest_error("virtio-pci: queue_enable of queue %u written with %u", queue_select_, value);
  else
    device_->enable_queue(queue_select_);
}

void VirtioPci::set_queue_reset(u32 value) {
  if (!(device_->driver_features() & kVirtioRingReset))
    guest_error("virtio-pci: queue_reset not negotiated");
  else if (selected() && value == 1)
    device_->reset_queue(queue_select_);
}

template <u64 Rings::*Ring, unsigned kShift>
u32 VirtioPci::get_ring() {
  VirtQueue* q = selected();
  return q ? u32(q->rings.*Ring >> kShift) : 0;
}

template <u64 Rings::*Ring, unsigned kShift>
void VirtioPci::set_ring(u32 value) {
  if (VirtQueue* q = selected()) q->rings.*Ring = deposit(q->rings.*Ring, kShift, 32, value);
}

}  // namespace sluice
