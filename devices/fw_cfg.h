// devices/fw_cfg.h: the firmware configuration device of the `virt` machine, memory-mapped with DMA.
// Interface: "QEMU Firmware Configuration (fw_cfg) Device" and the device-tree binding "qemu,fw-cfg-mmio".
// Wiring: 24 bytes of MMIO; DMA port. No interrupt.
#pragma once
#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "memory/dma.h"
#include "memory/mmio.h"

namespace sluice {

class FwCfg final : public MmioDevice {
 public:
  static constexpr u64 kRegionSize = 0x18;
  // Well-known keys.
  static constexpr u16 kSignature = 0x00, kId = 0x01, kUuid = 0x02, kRamSize = 0x03, kNoGraphic = 0x04,
                       kNbCpus = 0x05, kMachineId = 0x06, kKernelAddr = 0x07, kKernelSize = 0x08,
                       kKernelCmdline = 0x09, kInitrdAddr = 0x0a, kInitrdSize = 0x0b, kBootMenu = 0x0e,
                       kMaxCpus = 0x0f, kKernelEntry = 0x10, kKernelData = 0x11, kInitrdData = 0x12,
                       kCmdlineAddr = 0x13, kCmdlineSize = 0x14, kCmdlineData = 0x15, kFileDir = 0x19,
                       kFirstFile = 0x20, kLastFile = 0x3fff;
  // Called with the lock held after the guest changed `written` at `offset` of the item.
  using Written = std::function<void(std::span<const u8> item, u64 offset, u64 written)>;

  explicit FwCfg(DmaPort dma);

  // Before the machine runs. The key of the new file, or why not.
  Result<u16> add_file(const std::string& name, std::vector<u8> bytes);
  // A file that the guest may write (never grow) through DMA.
  Result<u16> add_writable_file(const std::string& name, std::vector<u8> bytes, Written written);
  void add_item(u16 key, std::vector<u8> bytes);
  void add_item_u16(u16 key, u16 value);
  void add_item_u32(u16 key, u32 value);
  void add_item_u64(u16 key, u64 value);
  // With a terminating NUL.
  void add_item_string(u16 key, const std::string& text);
  // What the guest would read, or nothing.
  const std::vector<u8>* item(u16 key) const;

  // Machine reset. The caller holds `lock()`. Item contents stay.
  void reset();
  std::mutex& lock() { return mutex_; }

  AccessRules access_rules() const override {
    return {.valid_min = 1,
            .valid_max = 8,
            .valid_unaligned = false,
            .impl_min = 1,
            .impl_max = 8,
            .impl_unaligned = false,
            .endian = Endian::Little};
  }
  MemTxResult read(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) override;
  MemTxResult write(u64 offset, unsigned size, u64 value, MemTxAttrs attrs) override;

 private:
  struct Item {
    std::vector<u8> bytes;
    bool writable = false;
    Written written;
  };
  Result<u16> add(const std::string& name, Item item);
  void rebuild_directory();
  void select(u16 key);
  u64 read_data(unsigned size);
  void run_dma(u64 descriptor);
  bool dma_read(u64 address, u64 length);
  bool dma_write(u64 address, u64 length);

  std::mutex mutex_;
  DmaPort dma_;
  std::map<u16, Item> items_;
  std::map<std::string, u16> files_;
  Item* selected_ = nullptr;
  u64 offset_ = 0;
  u64 dma_address_ = 0;
};

}  // namespace sluice
