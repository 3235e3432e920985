// devices/gic/gicv3_frames.h: the three faces of a GICv3 over one Gicv3Core.
#pragma once
#include "devices/gic/gicv3_core.h"

namespace sluice {

// GICD_*: IHI 0069H chapter 12, "The GIC Distributor register descriptions".
class Gicv3Distributor final : public MmioDevice {
 public:
  explicit Gicv3Distributor(Gicv3Core& core) : core_(core) {}
  AccessRules access_rules() const override { return {.impl_min = 1, .impl_max = 8}; }
  bool locks_itself() const override { return true; }
  MemTxResult read(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) override;
  MemTxResult write(u64 offset, unsigned size, u64 value, MemTxAttrs attrs) override;

 private:
  u32 read32(u32 offset);
  void write32(u32 offset, u32 value);
  void write_bitmap(u32 offset, u32 value);
  void write_priority(unsigned intid, u8 priority);
  void write_router(u32 offset, unsigned size, u64 value);
  Gicv3Core& core_;
};

// GICR_*: "The GIC Redistributor register descriptions". One RD_base and one SGI_base frame per PE.
class Gicv3Redistributors final : public MmioDevice {
 public:
  // `lpis`: nullptr when there are none.
  Gicv3Redistributors(Gicv3Core& core, Gicv3Lpis* lpis) : core_(core), lpis_(lpis) {}
  AccessRules access_rules() const override { return {.impl_min = 1, .impl_max = 8}; }
  bool locks_itself() const override { return true; }
  MemTxResult read(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) override;
  MemTxResult write(u64 offset, unsigned size, u64 value, MemTxAttrs attrs) override;

 private:
  u64 typer(unsigned pe) const;
  u32 read_rd(unsigned pe, u32 offset);
  void write_rd(unsigned pe, u32 offset, u32 value);
  void write_ctlr(unsigned pe, u32 value);
  void write_lpi_base(unsigned pe, u32 offset, u32 value);
  bool write_locked(u64 offset, unsigned size, u64 value);
  u32 read_sgi(unsigned pe, u32 offset);
  void write_sgi(unsigned pe, u32 offset, u32 value);
  void write_priority(unsigned pe, unsigned intid, u8 priority);
  Gicv3Core& core_;
  Gicv3Lpis* const lpis_;
};

// ICC_*_EL1: "AArch64 System register descriptions".
class Gicv3CpuInterface final : public SysregPort {
 public:
  Gicv3CpuInterface(Gicv3Core& core, unsigned pe) : core_(core), number_(pe) {}
  bool implements(SysregId id) const override;
  u64 read(SysregId id, SysregAccessor who) override;
  void write(SysregId id, u64 value, SysregAccessor who) override;

 private:
  Gicv3Core::Pe& pe() const { return core_.pes[number_]; }
  unsigned highest_pending(bool group1);
  unsigned acknowledge(bool group1);
  void end_of_interrupt(bool group1, u64 value);
  void deactivate(u64 value);
  u64 read_ctlr() const;
  void write_ctlr(u64 value);
  u64 read_bpr1() const;
  void write_bpr(bool group1, u64 value);
  void write_sgir(bool group1, u64 value);
  Gicv3Core& core_;
  const unsigned number_;
};

}  // namespace sluice
