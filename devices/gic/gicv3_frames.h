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
  // `ns`: a Non-secure access, with two Security states.
  bool hides(unsigned intid, bool ns) const;
  u32 read_ctlr(bool ns) const;
  void write_ctlr(u32 value, bool ns);
  u32 read32(u32 offset, bool ns);
  void write32(u32 offset, u32 value, bool ns);
  void write_bitmap(u32 offset, u32 value, bool ns);
  void write_priority(unsigned intid, u8 priority, bool ns);
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
  // `ns`: a Non-secure access, with two Security states.
  u32 read_rd(unsigned pe, u32 offset, bool ns);
  void write_rd(unsigned pe, u32 offset, u32 value, bool ns);
  void write_ctlr(unsigned pe, u32 value, bool ns);
  void write_lpi_base(unsigned pe, u32 offset, u32 value);
  bool write_locked(u64 offset, unsigned size, u64 value, bool ns);
  u32 read_sgi(unsigned pe, u32 offset, bool ns);
  void write_sgi(unsigned pe, u32 offset, u32 value, bool ns);
  void write_priority(unsigned pe, unsigned intid, u8 priority, bool ns);
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
  void security_changed(SysregAccessor who) override;

 private:
  Gicv3Core::Pe& pe() const { return core_.pes[number_]; }
  // ICC_*1_EL1 of which Security state, and Group 1 of which: with one state, or at EL1, the accessor's own;
  // EL3 sees those that SCR_EL3.NS names.
  bool ns_bank(SysregAccessor who) const {
    return !core_.security || !(who.el == 3 ? who.secure_el1 : who.secure);
  }
  Gicv3Core::Pe::Bank& bank(SysregAccessor who) const {
    return pe().bank[ns_bank(who) ? Gicv3Core::Pe::kNs : Gicv3Core::Pe::kS];
  }
  IrqGroup group1(SysregAccessor who) const { return ns_bank(who) ? kGroup1Ns : kGroup1S; }
  bool shifts_priorities(SysregAccessor who) const { return core_.security && !who.secure && who.fiq_to_el3; }
  bool may_handle(IrqGroup group, SysregAccessor who) const;
  unsigned highest_pending(bool group1, SysregAccessor who);
  unsigned acknowledge(bool group1, SysregAccessor who);
  void end_of_interrupt(bool group1, u64 value, SysregAccessor who);
  void deactivate(u64 value, SysregAccessor who);
  bool splits_eoi(SysregAccessor who) const { return who.el == 3 ? pe().eoi_mode_el3 : bank(who).eoi_mode; }
  u64 read_pmr(SysregAccessor who) const;
  void write_pmr(u64 value, SysregAccessor who);
  u64 read_rpr(SysregAccessor who) const;
  u64 common_ctlr() const;
  u64 read_ctlr(SysregAccessor who) const;
  void write_ctlr(u64 value, SysregAccessor who);
  u64 read_ctlr_el3() const;
  void write_ctlr_el3(u64 value);
  u64 read_bpr1(SysregAccessor who) const;
  void write_bpr0(u64 value);
  void write_bpr1(u64 value, SysregAccessor who);
  void enable(IrqGroup group, bool yes);
  void write_sgir(IrqGroup group, u64 value, SysregAccessor who);
  Gicv3Core& core_;
  const unsigned number_;
};

}  // namespace sluice
