// devices/gic/gicv2_frames.h: the two register frames of a GICv2 over one Gicv2Core.
#pragma once
#include "devices/gic/gicv2_core.h"

namespace sluice {

// GICD_*: IHI 0048B.b section 4.3. Registers of INTIDs 0..31 are banked by the accessing PE.
class Gicv2Distributor final : public MmioDevice {
 public:
  explicit Gicv2Distributor(Gicv2Core& core) : core_(core) {}
  AccessRules access_rules() const override { return {.valid_max = 4, .impl_min = 1, .impl_max = 4}; }
  bool locks_itself() const override { return true; }
  MemTxResult read(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) override;
  MemTxResult write(u64 offset, unsigned size, u64 value, MemTxAttrs attrs) override;

 private:
  u8 read_byte(Gicv2View v, u32 offset);
  void write_byte(Gicv2View v, u32 offset, u8 value);
  u32 read32(Gicv2View v, u32 offset);
  void write32(Gicv2View v, u32 offset, u32 value);
  void write_ctlr(Gicv2View v, u32 value);
  void write_bitmap(Gicv2View v, u32 offset, u32 value);
  void write_sgir(Gicv2View v, u32 value);
  Gicv2Core& core_;
};

// GICC_*: section 4.4, for the accessing PE only.
class Gicv2CpuInterface final : public MmioDevice {
 public:
  explicit Gicv2CpuInterface(Gicv2Core& core) : core_(core) {}
  AccessRules access_rules() const override { return {.valid_max = 4, .impl_min = 1, .impl_max = 4}; }
  bool locks_itself() const override { return true; }
  MemTxResult read(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) override;
  MemTxResult write(u64 offset, unsigned size, u64 value, MemTxAttrs attrs) override;

 private:
  // The group that an access is for: GICC_AIAR and its siblings address Group 1, and so do all Non-secure
  // accesses; the others are the Secure ones, or those of a GIC without Security Extensions.
  enum class Alias : u8 { No, Yes };
  u32 read32(Gicv2View v, u32 offset, Intent intent);
  u32 read_non_secure(unsigned pe, u32 offset, Intent intent);
  void write32(Gicv2View v, u32 offset, u32 value);
  void write_non_secure(unsigned pe, u32 offset, u32 value);
  u32 highest_pending(unsigned pe, Alias alias);
  u32 acknowledge(unsigned pe, Alias alias);
  void end_of_interrupt(Gicv2View v, u32 value, Alias alias);
  void deactivate(Gicv2View v, u32 value);
  bool splits_eoi(Gicv2View v) const;
  Gicv2Core& core_;
};

}  // namespace sluice
