// devices/virtio/virtio_mmio.h: virtio over MMIO. VIRTIO 1.3, 4.2 (version 2) and 4.2.4 (legacy, version 1).
// Wiring: 512 bytes of MMIO; one interrupt out (level); DMA port; zero or one VirtioDevice plugged in.
#pragma once
#include <memory>
#include <mutex>
#include <vector>

#include "base/wire.h"
#include "devices/virtio/deferred_kicks.h"
#include "memory/mmio.h"

namespace sluice {

struct VirtioMmioOptions {
  bool force_legacy = true;      // version 1 registers, as existing `virt` machines default to
  bool access_platform = false;  // offer VIRTIO_F_ACCESS_PLATFORM: an IOMMU is in front of `dma`
};

class VirtioMmio final : public MmioDevice, public VirtioTransport {
 public:
  static constexpr u64 kRegionSize = 0x200;

  VirtioMmio(DmaPort dma, IrqLine irq, Clock& clock, VirtioMmioOptions options = {});
  ~VirtioMmio() override;

  // Before the machine runs. A slot that is never plugged reads DeviceID 0.
  void plug(std::unique_ptr<VirtioDevice> device);
  VirtioDevice* device() { return device_.get(); }
  // Machine reset. The caller holds `lock()`.
  void reset();

  AccessRules access_rules() const override {
    return {.valid_min = 1,
            .valid_max = 8,
            .valid_unaligned = false,
            .impl_min = 1,
            .impl_max = 4,
            .impl_unaligned = false,
            .endian = Endian::Little};
  }
  MemTxResult read(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) override;
  MemTxResult write(u64 offset, unsigned size, u64 value, MemTxAttrs attrs) override;

  std::mutex& lock() override { return mutex_; }
  DmaPort& dma() override { return dma_; }
  bool is_legacy() const override { return options_.force_legacy; }
  u64 bus_features() const override;
  void queue_interrupt(u16 queue) override;
  void config_interrupt() override;
  void defer(u16 queue) override;

 private:
  u32 read_register(u64 offset);
  u32 read_queue_register(u64 offset);
  u32 read_feature_word() const;
  void write_register(u64 offset, u32 value);
  bool write_common(u64 offset, u32 value);
  void write_queue_register(VirtQueue& queue, u64 offset, u32 value);
  void write_legacy_queue_register(VirtQueue& queue, u64 offset, u32 value);
  void write_modern_queue_register(VirtQueue& queue, u64 offset, u32 value);
  void write_status(u32 value);
  void write_queue_pfn(VirtQueue& queue, u32 value);
  VirtQueue* selected();
  void update_interrupt() { irq_(interrupt_status_ != 0); }
  void after_device_reset();

  std::mutex mutex_;
  DmaPort dma_;
  IrqLine irq_;
  const VirtioMmioOptions options_;
  u32 device_features_sel_ = 0, driver_features_sel_ = 0, queue_sel_ = 0;
  u32 guest_page_size_ = 0;
  u32 interrupt_status_ = 0;
  std::vector<u32> queue_align_, queue_pfn_;  // legacy, per queue
  std::unique_ptr<VirtioDevice> device_;
  DeferredKicks deferred_;
};

}  // namespace sluice
