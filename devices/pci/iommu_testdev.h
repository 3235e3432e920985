// devices/pci/iommu_testdev.h: a DMA master for tests of IOMMUs, 1b36:0005: it writes a pattern to an IOVA
// and reads it back from a guest physical address. Register-compatible with the device of that name; QEMU
// docs/specs/iommu-testdev. Wiring: PciWiring, and the system memory that the read-back bypasses the IOMMU
// with. BAR 0: 4 KiB, 32-bit registers.
#pragma once
#include "devices/pci/function.h"
#include "devices/register_block.h"

namespace sluice {

class IommuTestdev final : public PciFunction {
 public:
  static constexpr u32 kIdle = 0xffffffff, kBusy = 0xfffffffe;  // RESULT
  static constexpr u32 kBadLength = 0xdead0001, kWriteFailed = 0xdead0002, kReadFailed = 0xdead0003,
                       kMismatch = 0xdead0004, kNotArmed = 0xdead0005, kBadAttributes = 0xdead0006;
  static constexpr u32 kPattern = 0x12345678;
  static constexpr u32 kMaxLength = 1 << 20;

  IommuTestdev(PciWiring wiring, const AddressSpace& system);
  ~IommuTestdev() override;

 private:
  class Registers;
  void reset_device() override;
  u32 run(u32 attributes, u64 iova, u64 physical, u32 length);

  const DmaPort system_;
  std::unique_ptr<Registers> registers_;
};

}  // namespace sluice
