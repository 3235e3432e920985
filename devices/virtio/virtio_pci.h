// devices/virtio/virtio_pci.h: virtio over PCI, modern interface only. VIRTIO 1.3, 4.1.
// Wiring: PciWiring (its `dma` is system memory for a device that bypasses the IOMMU), clock, one
// VirtioDevice. BAR 1 is MSI-X; BAR 4 holds, a page each: common configuration, ISR status, device
// configuration, notifications.
#pragma once
#include <memory>
#include <vector>

#include "devices/pci/function.h"
#include "devices/virtio/deferred_kicks.h"

namespace sluice {

struct VirtioPciOptions {
  unsigned vectors = 2;          // of MSI-X, 0..2048; 0: INTx only
  bool access_platform = false;  // offer VIRTIO_F_ACCESS_PLATFORM: `dma` is what the IOMMU makes of it
};

class VirtioPci final : public PciFunction, public VirtioTransport, private MmioDevice {
 public:
  VirtioPci(PciWiring wiring, Clock& clock, std::unique_ptr<VirtioDevice> device,
            VirtioPciOptions options = {});
  ~VirtioPci() override;

  VirtioDevice& device() { return *device_; }

  std::mutex& lock() override { return PciFunction::lock(); }
  DmaPort& dma() override { return dma_port(); }
  bool is_legacy() const override { return false; }
  u64 bus_features() const override;
  void queue_interrupt(u16 queue) override;
  void config_interrupt() override;
  void defer(u16 queue) override { deferred_.add(queue); }

 private:
  static constexpr u16 kNoVector = 0xffff;  // VIRTIO_MSI_NO_VECTOR
  struct CommonRow;
  static const CommonRow* find_common(u64 offset, unsigned size);

  void add_capabilities();
  void reset_device() override;
  AccessRules access_rules() const override { return {.impl_min = 1, .impl_max = 4}; }
  MemTxResult read(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) override;
  MemTxResult write(u64 offset, unsigned size, u64 value, MemTxAttrs attrs) override;
  bool window(u64& offset, unsigned& size) const;
  void read_through_window();
  void write_through_window();
  u32 read_common(u64 offset, unsigned size);
  void write_common(u64 offset, unsigned size, u32 value);
  u32 read_isr(bool peek);
  void raise(u8 isr, u16 vector);
  void after_device_reset();

  // The common configuration, one function for each field.
  VirtQueue* selected();
  u16 valid_vector(u32 value) const;
  u32 get_device_feature_select() { return device_feature_select_; }
  u32 get_device_feature();
  u32 get_driver_feature_select() { return driver_feature_select_; }
  u32 get_driver_feature();
  u32 get_config_vector() { return config_vector_; }
  u32 get_num_queues() { return device_->queue_count(); }
  u32 get_status() { return device_->status(); }
  u32 get_generation() { return device_->config_generation() & 0xff; }
  u32 get_queue_select() { return queue_select_; }
  u32 get_queue_size();
  u32 get_queue_vector();
  u32 get_queue_enable();
  u32 get_notify_off() { return selected() ? queue_select_ : 0; }
  template <u64 VirtQueue::Rings::*Ring, unsigned kShift>
  u32 get_ring();
  u32 get_zero() { return 0; }
  void set_device_feature_select(u32 value) { device_feature_select_ = value; }
  void set_driver_feature_select(u32 value) { driver_feature_select_ = value; }
  void set_driver_feature(u32 value) { device_->write_driver_features(driver_feature_select_, value); }
  void set_config_vector(u32 value) { config_vector_ = valid_vector(value); }
  void set_status(u32 value);
  void set_queue_select(u32 value) { queue_select_ = u16(value); }
  void set_queue_size(u32 value);
  void set_queue_vector(u32 value);
  void set_queue_enable(u32 value);
  void set_queue_reset(u32 value);
  template <u64 VirtQueue::Rings::*Ring, unsigned kShift>
  void set_ring(u32 value);

  const VirtioPciOptions options_;
  std::unique_ptr<VirtioDevice> device_;
  u16 window_ = 0;  // the PCI configuration access capability
  u32 device_feature_select_ = 0, driver_feature_select_ = 0;
  u16 queue_select_ = 0, config_vector_ = kNoVector;
  std::vector<u16> queue_vectors_;
  u8 isr_ = 0;
  DeferredKicks deferred_;
};

}  // namespace sluice
