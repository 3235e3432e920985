// tests/unit/gic_rig.h: a GIC on the bench: its frames, its system registers and what it tells each PE.
#pragma once
#include <vector>

#include "devices/gic/gicv2.h"
#include "devices/gic/gicv3.h"

namespace sluice::gic_rig {

struct Outputs {
  bool irq = false, fiq = false;
  unsigned changes = 0;
};

inline u64 mmio_read(MmioDevice& d, u64 offset, unsigned size, MemTxAttrs attrs) {
  u64 value = 0xdead'beef'dead'beef;
  (void)d.read(offset, size, value, attrs);
  return value;
}

inline constexpr MemTxAttrs by_pe(unsigned n) { return MemTxAttrs::pe(u16(n), PaSpace::NonSecure, true); }

template <class Gic>
struct Rig {
  Gic gic;
  std::vector<Outputs> out;
  Rig(typename Gic::Config config, unsigned pes) : gic(std::move(config)), out(pes) {
    for (unsigned n = 0; n < pes; n++) {
      Outputs* o = &out[n];
      gic.connect(n, IrqLine([o](bool high) { o->irq = high, o->changes++; }),
                  IrqLine([o](bool high) { o->fiq = high, o->changes++; }));
    }
  }
  u32 d(u64 offset, unsigned pe = 0) { return u32(mmio_read(gic.distributor(), offset, 4, by_pe(pe))); }
  void d(u64 offset, u32 value, unsigned pe) { (void)gic.distributor().write(offset, 4, value, by_pe(pe)); }
  void d8(u64 offset, u8 value, unsigned pe = 0) {
    (void)gic.distributor().write(offset, 1, value, by_pe(pe));
  }
  u8 d8r(u64 offset, unsigned pe = 0) { return u8(mmio_read(gic.distributor(), offset, 1, by_pe(pe))); }
};

// Distributor registers that both versions have.
enum : u64 {
  GICD_CTLR = 0x000,
  GICD_TYPER = 0x004,
  GICD_IIDR = 0x008,
  GICD_IGROUPR = 0x080,
  GICD_ISENABLER = 0x100,
  GICD_ICENABLER = 0x180,
  GICD_ISPENDR = 0x200,
  GICD_ICPENDR = 0x280,
  GICD_ISACTIVER = 0x300,
  GICD_ICACTIVER = 0x380,
  GICD_IPRIORITYR = 0x400,
  GICD_ITARGETSR = 0x800,
  GICD_ICFGR = 0xc00,
  GICD_SGIR = 0xf00,
  GICD_CPENDSGIR = 0xf10,
  GICD_SPENDSGIR = 0xf20,
  GICD_IROUTER = 0x6000,
};
enum : u64 {
  GICC_CTLR = 0x00,
  GICC_PMR = 0x04,
  GICC_BPR = 0x08,
  GICC_IAR = 0x0c,
  GICC_EOIR = 0x10,
  GICC_RPR = 0x14,
  GICC_HPPIR = 0x18,
  GICC_ABPR = 0x1c,
  GICC_AIAR = 0x20,
  GICC_AEOIR = 0x24,
  GICC_AHPPIR = 0x28,
  GICC_APR = 0xd0,
  GICC_NSAPR = 0xe0,
  GICC_IIDR = 0xfc,
  GICC_DIR = 0x1000,
};
enum : u64 {
  GICR_CTLR = 0x0,
  GICR_IIDR = 0x4,
  GICR_TYPER = 0x8,
  GICR_WAKER = 0x14,
  GICR_IGROUPR0 = 0x10080,
  GICR_ISENABLER0 = 0x10100,
  GICR_ICENABLER0 = 0x10180,
  GICR_ISPENDR0 = 0x10200,
  GICR_ICPENDR0 = 0x10280,
  GICR_ISACTIVER0 = 0x10300,
  GICR_ICACTIVER0 = 0x10380,
  GICR_IPRIORITYR = 0x10400,
  GICR_ICFGR0 = 0x10c00,
  GICR_ICFGR1 = 0x10c04,
};

constexpr SysregId icc(unsigned crm, unsigned op2) { return {3, 0, 12, crm, op2}; }
inline constexpr SysregId ICC_PMR{3, 0, 4, 6, 0},
    ICC_IAR0 = icc(8, 0), ICC_EOIR0 = icc(8, 1), ICC_HPPIR0 = icc(8, 2), ICC_BPR0 = icc(8, 3),
    ICC_AP0R0 = icc(8, 4), ICC_AP1R0 = icc(9, 0), ICC_DIR = icc(11, 1), ICC_RPR = icc(11, 3),
    ICC_SGI1R = icc(11, 5), ICC_ASGI1R = icc(11, 6), ICC_SGI0R = icc(11, 7), ICC_IAR1 = icc(12, 0),
    ICC_EOIR1 = icc(12, 1), ICC_HPPIR1 = icc(12, 2), ICC_BPR1 = icc(12, 3), ICC_CTLR = icc(12, 4),
    ICC_SRE = icc(12, 5), ICC_IGRPEN0 = icc(12, 6), ICC_IGRPEN1 = icc(12, 7);

// GICv3 with PEs at affinities 0.0.0.0, 0.0.0.1, ... unless the configuration names them.
struct V3 : Rig<Gicv3> {
  explicit V3(unsigned pes = 4) : V3(Gicv3::Config{.pes = pes, .affinities = numbered(pes)}) {}
  explicit V3(Gicv3::Config config) : Rig(config, config.pes) {}
  static std::vector<u64> numbered(unsigned pes) {
    std::vector<u64> mpidr;
    for (unsigned n = 0; n < pes; n++) mpidr.push_back(0x8000'0000u | (n / 16) << 8 | n % 16);
    return mpidr;
  }
  u32 r(unsigned pe, u64 offset) {
    return u32(mmio_read(gic.redistributors(), pe * Gicv3::kRedistributorStride + offset, 4, by_pe(pe)));
  }
  void r(unsigned pe, u64 offset, u32 value) {
    (void)gic.redistributors().write(pe * Gicv3::kRedistributorStride + offset, 4, value, by_pe(pe));
  }
  void r8(unsigned pe, u64 offset, u8 value) {
    (void)gic.redistributors().write(pe * Gicv3::kRedistributorStride + offset, 1, value, by_pe(pe));
  }
  u64 r64(unsigned pe, u64 offset) {
    return mmio_read(gic.redistributors(), pe * Gicv3::kRedistributorStride + offset, 8, by_pe(pe));
  }
  void route(unsigned intid, u64 affinity) {
    (void)gic.distributor().write(GICD_IROUTER + 8 * intid, 8, affinity, by_pe(0));
  }
  u64 c(unsigned pe, SysregId id) { return gic.cpu_interface(pe).read(id, {}); }
  void c(unsigned pe, SysregId id, u64 value) { gic.cpu_interface(pe).write(id, value, {}); }

  // What an operating system that uses Group 1 only does at boot: see GICD_CTLR, GICR_WAKER, ICC_*.
  void boot() {
    for (unsigned w = 1; w < (d(GICD_TYPER) & 0x1f) + 1; w++) d(GICD_IGROUPR + 4 * w, ~0u, 0);
    d(GICD_CTLR, 0x13, 0);
    for (unsigned n = 0; n < out.size(); n++) {
      r(n, GICR_WAKER, 0);
      r(n, GICR_IGROUPR0, ~0u);
      c(n, ICC_PMR, 0xf0);
      c(n, ICC_IGRPEN1, 1);
    }
  }
  // Enables one interrupt at one priority.
  void arm(unsigned intid, u8 priority = 0xa0, unsigned pe = 0) {
    if (intid < 32) {
      r8(pe, GICR_IPRIORITYR + intid, priority);
      r(pe, GICR_ISENABLER0, 1u << intid);
    } else {
      d8(GICD_IPRIORITYR + intid, priority);
      d(GICD_ISENABLER + intid / 32 * 4, 1u << intid % 32, 0);
    }
  }
  void make_edge(unsigned intid) { d(GICD_ICFGR + intid / 16 * 4, 2u << intid % 16 * 2, 0); }
};

struct V2 : Rig<Gicv2> {
  explicit V2(unsigned pes = 4) : V2(Gicv2::Config{.pes = pes}) {}
  explicit V2(Gicv2::Config config) : Rig(config, config.pes) {}
  u32 c(unsigned pe, u64 offset) { return u32(mmio_read(gic.cpu_interface(), offset, 4, by_pe(pe))); }
  void c(unsigned pe, u64 offset, u32 value) { (void)gic.cpu_interface().write(offset, 4, value, by_pe(pe)); }
  // What an operating system that knows no groups does at boot: everything is Group 0 and an IRQ.
  void boot() {
    d(GICD_CTLR, 1, 0);
    for (unsigned n = 0; n < out.size(); n++) {
      c(n, GICC_PMR, 0xf0);
      c(n, GICC_CTLR, 1);
    }
  }
  void arm(unsigned intid, u8 priority = 0xa0, u8 targets = 1, unsigned pe = 0) {
    d8(GICD_IPRIORITYR + intid, priority, pe);
    if (intid >= 32) d8(GICD_ITARGETSR + intid, targets);
    d(GICD_ISENABLER + intid / 32 * 4, 1u << intid % 32, pe);
  }
};

}  // namespace sluice::gic_rig
