// tests/unit/gicv3_test.cpp: the GICv3 through its registers. Expected values are those of Arm IHI 0069H.
#include "devices/gic/gicv3.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <thread>

#include "tests/unit/gic_rig.h"

namespace sluice {
namespace {

using namespace gic_rig;

constexpr unsigned kNone = 1023;

// GICD_CTLR: with DS == 1 and affinity routing always on, ARE (4) and DS (6) are RAO/WI, RWP (31) reads 0.
TEST(Gicv3Distributor, CtlrHasOneSecurityStateAndAffinityRouting) {
  V3 g;
  EXPECT_EQ(g.d(GICD_CTLR), 0x50u);
  g.d(GICD_CTLR, 0xffff'ffff, 0);
  EXPECT_EQ(g.d(GICD_CTLR), 0x53u);
  g.d(GICD_CTLR, 0, 0);
  EXPECT_EQ(g.d(GICD_CTLR), 0x50u);
}

// GICD_TYPER: ITLinesNumber = INTIDs / 32 - 1, IDbits = 15, A3V, RSS; no LPIs, MBIs, ESPIs, SecurityExtn.
TEST(Gicv3Distributor, TyperAndIdentification) {
  V3 g;
  EXPECT_EQ(g.d(GICD_TYPER), 8u | 15u << 19 | 1u << 24 | 1u << 26);
  EXPECT_EQ(g.d(GICD_IIDR) & 0xfff, 0x43bu);
  EXPECT_EQ(g.d(0xffe8) & 0xf0, 0x30u);  // GICD_PIDR2.ArchRev
  EXPECT_EQ(g.r(0, 0xffe8) & 0xf0, 0x30u);
  EXPECT_EQ(g.d(0xfff0), 0x0du);
  EXPECT_EQ(g.d(0xfff4), 0xf0u);
  EXPECT_EQ(g.d(0xfff8), 0x05u);
  EXPECT_EQ(g.d(0xfffc), 0xb1u);
  EXPECT_EQ(V3(Gicv3::Config{.spis = 988}).d(GICD_TYPER) & 0x1f, 31u);
  EXPECT_EQ(V3(Gicv3::Config{.spis = 0}).d(GICD_TYPER) & 0x1f, 0u);
}

// With ARE == 1 the Distributor's registers for INTIDs 0..31, ITARGETSR, SGIR and IGRPMODR (DS == 1) are
// RES0.
TEST(Gicv3Distributor, RegistersThatAffinityRoutingReplacesAreRes0) {
  V3 g;
  for (u64 at : {u64(GICD_IGROUPR), u64(GICD_ISENABLER), u64(GICD_ISPENDR), u64(GICD_ISACTIVER),
                 u64(GICD_IPRIORITYR), u64(GICD_ICFGR), u64(GICD_ICFGR + 4), u64(GICD_ITARGETSR + 32),
                 u64(GICD_SGIR), u64(0xd04), u64(0xe00), u64(0x6000)}) {
    g.d(at, ~0u, 0);
    EXPECT_EQ(g.d(at), 0u) << std::hex << at;
  }
}

TEST(Gicv3Distributor, BitmapsSetAndClear) {
  V3 g;
  struct {
    u64 set, clear;
  } pairs[] = {
      {GICD_ISENABLER, GICD_ICENABLER}, {GICD_ISPENDR, GICD_ICPENDR}, {GICD_ISACTIVER, GICD_ICACTIVER}};
  for (auto [set, clear] : pairs) {
    g.d(set + 4, 0xff00'00ff, 0);
    EXPECT_EQ(g.d(set + 4), 0xff00'00ffu);
    EXPECT_EQ(g.d(clear + 4), 0xff00'00ffu);
    g.d(set + 4, 0x0000'0f00, 0);
    g.d(clear + 4, 0x0f00'000f, 0);
    EXPECT_EQ(g.d(set + 4), 0xf000'0ff0u);
    EXPECT_EQ(g.d(set + 8), 0u);
  }
}

// Interrupts that are not implemented are RAZ/WI: with 40 SPIs, INTIDs 72 and up.
TEST(Gicv3Distributor, UnimplementedInterruptsAreRazWi) {
  V3 g(Gicv3::Config{.spis = 40});
  g.d(GICD_ISENABLER + 8, ~0u, 0);
  EXPECT_EQ(g.d(GICD_ISENABLER + 8), 0xffu);
  g.d(GICD_IPRIORITYR + 72, ~0u, 0);
  EXPECT_EQ(g.d(GICD_IPRIORITYR + 72), 0u);
  g.d(GICD_ISENABLER + 12, ~0u, 0);
  EXPECT_EQ(g.d(GICD_ISENABLER + 12), 0u);
  g.route(72, 1);
  EXPECT_EQ(mmio_read(g.gic.distributor(), GICD_IROUTER + 8 * 72, 8, by_pe(0)), 0u);
  V3 full(Gicv3::Config{.spis = 2000});
  full.d(GICD_ISENABLER + 124, ~0u, 0);
  EXPECT_EQ(full.d(GICD_ISENABLER + 124), 0x0fff'ffffu);  // 1020..1023 are special
}

// GICD_IPRIORITYR<n>: byte accessible; unimplemented priority bits are RAZ/WI (5 bits here).
TEST(Gicv3Distributor, PrioritiesAreByteAccessible) {
  V3 g;
  g.d(GICD_IPRIORITYR + 40, 0xffa5'0708, 0);
  EXPECT_EQ(g.d(GICD_IPRIORITYR + 40), 0xf8a0'0008u);
  g.d8(GICD_IPRIORITYR + 41, 0x90);
  EXPECT_EQ(g.d(GICD_IPRIORITYR + 40), 0xf8a0'9008u);
  EXPECT_EQ(g.d8r(GICD_IPRIORITYR + 42), 0xa0u);
  EXPECT_EQ(g.d8r(GICD_ISENABLER + 4), 0u);  // not byte accessible
  V3 eight(Gicv3::Config{.priority_bits = 8});
  eight.d(GICD_IPRIORITYR + 32, 0x12345678, 0);
  EXPECT_EQ(eight.d(GICD_IPRIORITYR + 32), 0x12345678u);
}

// GICD_ICFGR<n>: bit 1 of each field is the trigger, bit 0 is RES0.
TEST(Gicv3Distributor, IcfgrKeepsTheTriggerBits) {
  V3 g;
  g.d(GICD_ICFGR + 8, ~0u, 0);
  EXPECT_EQ(g.d(GICD_ICFGR + 8), 0xaaaa'aaaau);
  g.d(GICD_ICFGR + 8, 0x8000'0002, 0);
  EXPECT_EQ(g.d(GICD_ICFGR + 8), 0x8000'0002u);
}

// GICD_IROUTER<n> may be accessed by 64 bits or by its two halves.
TEST(Gicv3Distributor, IrouterBy32And64Bits) {
  V3 g;
  g.route(40, ~u64{0});
  EXPECT_EQ(mmio_read(g.gic.distributor(), GICD_IROUTER + 8 * 40, 8, by_pe(0)), 0xff'80ff'ffffull);
  g.d(GICD_IROUTER + 8 * 40, 0x12, 0);
  g.d(GICD_IROUTER + 8 * 40 + 4, 0x34, 0);
  EXPECT_EQ(mmio_read(g.gic.distributor(), GICD_IROUTER + 8 * 40, 8, by_pe(0)), 0x34'0000'0012ull);
  EXPECT_EQ(g.d(GICD_IROUTER + 8 * 40), 0x12u);
  EXPECT_EQ(g.d(GICD_IROUTER + 8 * 40 + 4), 0x34u);
}

// GICR_TYPER: Affinity (63:32), Processor_Number (23:8), DPGS (5), Last (4), no LPIs (0).
TEST(Gicv3Redistributor, TyperNamesEachPe) {
  V3 g(Gicv3::Config{.pes = 3, .affinities = {0, 0x12'0034'5678, 0x102}, .first_region = 2});
  EXPECT_EQ(g.r64(0, GICR_TYPER), 0x20u);
  EXPECT_EQ(g.r64(1, GICR_TYPER), 0x1234'5678'0000'0130u);
  EXPECT_EQ(g.r64(2, GICR_TYPER), 0x0000'0102'0000'0230u);
  EXPECT_EQ(g.r(1, GICR_TYPER + 4), 0x1234'5678u);
  EXPECT_EQ(g.r(3, GICR_TYPER), 0u);  // there is no fourth one
}

// GICR_WAKER: resets asleep; ChildrenAsleep follows ProcessorSleep.
TEST(Gicv3Redistributor, WakerWakes) {
  V3 g;
  EXPECT_EQ(g.r(0, GICR_WAKER), 6u);
  g.r(0, GICR_WAKER, 4);
  EXPECT_EQ(g.r(0, GICR_WAKER), 0u);
  g.r(0, GICR_WAKER, 2);
  EXPECT_EQ(g.r(0, GICR_WAKER), 6u);
}

TEST(Gicv3Redistributor, SgiFrameIsPerPe) {
  V3 g;
  g.r(1, GICR_IGROUPR0, 0x1234'5678);
  EXPECT_EQ(g.r(1, GICR_IGROUPR0), 0x1234'5678u);
  EXPECT_EQ(g.r(0, GICR_IGROUPR0), 0u);
  g.r(1, GICR_ISENABLER0, 0xffff'ffff);
  g.r(1, GICR_ICENABLER0, 0x0000'00ff);
  EXPECT_EQ(g.r(1, GICR_ISENABLER0), 0xffff'ff00u);
  g.r(1, GICR_IPRIORITYR + 28, 0xffff'ffff);
  EXPECT_EQ(g.r(1, GICR_IPRIORITYR + 28), 0xf8f8'f8f8u);
  EXPECT_EQ(g.r(2, GICR_IPRIORITYR + 28), 0u);
  EXPECT_EQ(g.r(0, GICR_ICFGR0), 0xaaaa'aaaau);  // SGIs are edge-triggered, always
  g.r(0, GICR_ICFGR0, 0);
  EXPECT_EQ(g.r(0, GICR_ICFGR0), 0xaaaa'aaaau);
  g.r(0, GICR_ICFGR1, ~0u);
  EXPECT_EQ(g.r(0, GICR_ICFGR1), 0xaaaa'aaaau);
}

// ICC_*: what the CPU interface implements depends on the priority bits; there is no EL2 or EL3 part.
TEST(Gicv3CpuInterface, ImplementsWhatItHas) {
  auto has = [](unsigned bits, SysregId id) {
    return V3(Gicv3::Config{.priority_bits = bits}).gic.cpu_interface(0).implements(id);
  };
  for (SysregId id : {ICC_PMR,    ICC_IAR0, ICC_EOIR0, ICC_HPPIR0, ICC_BPR0,    ICC_AP0R0,  ICC_AP1R0,
                      ICC_DIR,    ICC_RPR,  ICC_SGI1R, ICC_ASGI1R, ICC_SGI0R,   ICC_IAR1,   ICC_EOIR1,
                      ICC_HPPIR1, ICC_BPR1, ICC_CTLR,  ICC_SRE,    ICC_IGRPEN0, ICC_IGRPEN1})
    EXPECT_TRUE(has(5, id)) << std::hex << id.value;
  EXPECT_FALSE(has(5, icc(8, 5)));
  EXPECT_TRUE(has(6, icc(8, 5)));
  EXPECT_FALSE(has(6, icc(9, 2)));
  EXPECT_TRUE(has(8, icc(9, 3)));
  EXPECT_FALSE(has(5, SysregId(3, 4, 12, 9, 5)));   // ICC_SRE_EL2
  EXPECT_FALSE(has(5, SysregId(3, 6, 12, 12, 4)));  // ICC_CTLR_EL3
  EXPECT_FALSE(has(5, SysregId(3, 6, 12, 12, 7)));  // ICC_IGRPEN1_EL3
}

// ICC_CTLR_EL1: CBPR and EOImode; PRIbits (10:8), IDbits (13:11) = 0, A3V (15), RSS (18).
TEST(Gicv3CpuInterface, CtlrAndSre) {
  V3 g;
  EXPECT_EQ(g.c(0, ICC_CTLR), 4u << 8 | 1u << 15 | 1u << 18);
  g.c(0, ICC_CTLR, ~u64{0});
  EXPECT_EQ(g.c(0, ICC_CTLR), 3u | 4u << 8 | 1u << 15 | 1u << 18);
  g.c(0, ICC_SRE, 0);
  EXPECT_EQ(g.c(0, ICC_SRE), 7u);
}

// ICC_PMR_EL1: unimplemented bits are RAZ/WI; software finds the number of bits this way.
TEST(Gicv3CpuInterface, PmrShowsTheImplementedPriorityBits) {
  for (unsigned bits : {4u, 5u, 6u, 7u, 8u}) {
    V3 g(Gicv3::Config{.priority_bits = bits});
    g.c(0, ICC_PMR, 0xff);
    EXPECT_EQ(g.c(0, ICC_PMR), u8(0xff << (8 - bits)));
    EXPECT_EQ(g.c(0, ICC_CTLR) >> 8 & 7, bits - 1);
  }
}

// ICC_BPR0_EL1 and ICC_BPR1_EL1: a value below the minimum sets the minimum; the latter's is one more.
TEST(Gicv3CpuInterface, BinaryPointsHaveAMinimum) {
  V3 g;
  g.c(0, ICC_BPR0, 0);
  g.c(0, ICC_BPR1, 0);
  EXPECT_EQ(g.c(0, ICC_BPR0), 2u);
  EXPECT_EQ(g.c(0, ICC_BPR1), 3u);
  g.c(0, ICC_BPR1, 5);
  EXPECT_EQ(g.c(0, ICC_BPR1), 5u);
  g.c(0, ICC_CTLR, 1);  // CBPR: reads ICC_BPR0_EL1 + 1, writes ignored
  EXPECT_EQ(g.c(0, ICC_BPR1), 3u);
  g.c(0, ICC_BPR1, 6);
  g.c(0, ICC_BPR0, 7);
  EXPECT_EQ(g.c(0, ICC_BPR1), 7u);
  g.c(0, ICC_CTLR, 0);
  EXPECT_EQ(g.c(0, ICC_BPR1), 5u);
}

TEST(Gicv3CpuInterface, AcknowledgeAndEndOfInterrupt) {
  V3 g;
  g.boot();
  g.arm(40, 0xa0);
  EXPECT_EQ(g.c(0, ICC_IAR1), kNone);
  EXPECT_EQ(g.c(0, ICC_RPR), 0xffu);
  IrqLine line = g.gic.spi(8);
  line(true);
  EXPECT_TRUE(g.out[0].irq);
  EXPECT_FALSE(g.out[0].fiq);
  EXPECT_FALSE(g.out[1].irq);
  EXPECT_EQ(g.c(0, ICC_HPPIR1), 40u);
  EXPECT_EQ(g.c(0, ICC_HPPIR0), kNone);
  EXPECT_EQ(g.c(0, ICC_IAR0), kNone);
  EXPECT_EQ(g.c(0, ICC_IAR1), 40u);
  EXPECT_FALSE(g.out[0].irq);
  EXPECT_EQ(g.c(0, ICC_RPR), 0xa0u);
  EXPECT_EQ(g.c(0, ICC_AP1R0), 1u << (0xa0 >> 3));
  EXPECT_EQ(g.d(GICD_ISACTIVER + 4), 1u << 8);
  EXPECT_EQ(g.d(GICD_ISPENDR + 4), 1u << 8);  // the line is still high: active and pending
  line(false);
  EXPECT_EQ(g.d(GICD_ISPENDR + 4), 0u);
  g.c(0, ICC_EOIR1, 40);
  EXPECT_EQ(g.c(0, ICC_RPR), 0xffu);
  EXPECT_EQ(g.d(GICD_ISACTIVER + 4), 0u);
  EXPECT_FALSE(g.out[0].irq);
}

TEST(Gicv3CpuInterface, Group0IsFiq) {
  V3 g;
  g.boot();
  g.d(GICD_IGROUPR + 4, 0, 0);
  g.arm(33);
  g.gic.spi(1)(true);
  EXPECT_FALSE(g.out[0].fiq);  // ICC_IGRPEN0_EL1 is 0
  g.c(0, ICC_IGRPEN0, 1);
  EXPECT_TRUE(g.out[0].fiq);
  EXPECT_FALSE(g.out[0].irq);
  EXPECT_EQ(g.c(0, ICC_IAR1), kNone);
  EXPECT_EQ(g.c(0, ICC_IAR0), 33u);
  EXPECT_EQ(g.c(0, ICC_AP0R0), 1u << (0xa0 >> 3));
  g.c(0, ICC_EOIR1, 33);  // the wrong group: ignored
  EXPECT_EQ(g.c(0, ICC_RPR), 0xa0u);
  g.c(0, ICC_EOIR0, 33);
  EXPECT_EQ(g.c(0, ICC_RPR), 0xffu);
}

// ICC_CTLR_EL1.EOImode == 1: ICC_EOIR1_EL1 drops the priority, ICC_DIR_EL1 deactivates.
TEST(Gicv3CpuInterface, SplitEndOfInterrupt) {
  V3 g;
  g.boot();
  g.c(0, ICC_CTLR, 2);
  g.arm(27);
  g.gic.ppi(0, 27)(true);
  EXPECT_EQ(g.c(0, ICC_IAR1), 27u);
  g.c(0, ICC_EOIR1, 27);
  EXPECT_EQ(g.c(0, ICC_RPR), 0xffu);
  EXPECT_EQ(g.r(0, GICR_ISACTIVER0), 1u << 27);
  EXPECT_FALSE(g.out[0].irq);
  g.c(0, ICC_DIR, 27);
  EXPECT_EQ(g.r(0, GICR_ISACTIVER0), 0u);
  EXPECT_TRUE(g.out[0].irq);  // the line never fell
}

TEST(Gicv3CpuInterface, PmrMasks) {
  V3 g;
  g.boot();
  g.arm(40, 0x80);
  g.c(0, ICC_PMR, 0x80);
  g.gic.spi(8)(true);
  EXPECT_FALSE(g.out[0].irq);
  EXPECT_EQ(g.c(0, ICC_IAR1), kNone);
  EXPECT_EQ(g.c(0, ICC_HPPIR1), 40u);
  g.c(0, ICC_PMR, 0x88);
  EXPECT_TRUE(g.out[0].irq);
}

// Only a higher group priority preempts; ICC_BPR1_EL1 = n ignores priority bits n - 1 and below.
TEST(Gicv3CpuInterface, PreemptionIsByGroupPriority) {
  V3 g;
  g.boot();
  g.c(0, ICC_BPR1, 6);
  g.arm(40, 0xa0);
  g.arm(41, 0x80);
  g.arm(42, 0x40);
  g.gic.spi(8)(true);
  EXPECT_EQ(g.c(0, ICC_IAR1), 40u);
  EXPECT_EQ(g.c(0, ICC_RPR), 0x80u);
  g.gic.spi(9)(true);
  EXPECT_FALSE(g.out[0].irq);
  EXPECT_EQ(g.c(0, ICC_IAR1), kNone);
  g.gic.spi(10)(true);
  EXPECT_TRUE(g.out[0].irq);
  EXPECT_EQ(g.c(0, ICC_IAR1), 42u);
  EXPECT_EQ(g.c(0, ICC_RPR), 0x40u);
  g.c(0, ICC_EOIR1, 42);
  g.gic.spi(10)(false);
  EXPECT_EQ(g.c(0, ICC_RPR), 0x80u);
  g.c(0, ICC_EOIR1, 40);
  EXPECT_EQ(g.c(0, ICC_IAR1), 41u);
}

// ICC_SGI1R_EL1: Aff3 55:48, RS 47:44, IRM 40, Aff2 39:32, INTID 27:24, Aff1 23:16, TargetList 15:0.
TEST(Gicv3Sgi, GoesToAffinities) {
  V3 g(Gicv3::Config{.pes = 5, .affinities = {0, 1, 0x101, 0x25, 0x7'0003'0201}});
  g.boot();
  for (unsigned n = 0; n < 5; n++) g.arm(3, 0xa0, n);
  auto irqs = [&] {
    std::vector<unsigned> who;
    for (unsigned n = 0; n < 5; n++)
      if (g.out[n].irq) {
        who.push_back(n);
        EXPECT_EQ(g.c(n, ICC_IAR1), 3u);
        g.c(n, ICC_EOIR1, 3);
      }
    return who;
  };
  g.c(0, ICC_SGI1R, 3u << 24 | 0x3);
  EXPECT_EQ(irqs(), (std::vector<unsigned>{0, 1}));
  g.c(0, ICC_SGI1R, 3u << 24 | 1u << 16 | 0xffff);
  EXPECT_EQ(irqs(), (std::vector<unsigned>{2}));
  g.c(0, ICC_SGI1R, u64{2} << 44 | 3u << 24 | 1u << 5);
  EXPECT_EQ(irqs(), (std::vector<unsigned>{3}));
  g.c(0, ICC_SGI1R, u64{7} << 48 | u64{3} << 32 | 3u << 24 | 2u << 16 | 1u << 1);
  EXPECT_EQ(irqs(), (std::vector<unsigned>{4}));
  g.c(1, ICC_SGI1R, u64{1} << 40 | 3u << 24);
  EXPECT_EQ(irqs(), (std::vector<unsigned>{0, 2, 3, 4}));
}

TEST(Gicv3Sgi, IsDeliveredInItsGroupOnly) {
  V3 g;
  g.boot();
  g.arm(1, 0xa0, 1);
  g.c(0, ICC_SGI0R, 1u << 24 | 2);
  EXPECT_EQ(g.r(1, GICR_ISPENDR0), 0u);
  g.c(0, ICC_SGI1R, 1u << 24 | 2);
  EXPECT_EQ(g.r(1, GICR_ISPENDR0), 2u);
  g.r(1, GICR_ICPENDR0, 2);
  g.r(1, GICR_IGROUPR0, 0);
  g.c(0, ICC_SGI1R, 1u << 24 | 2);
  EXPECT_EQ(g.r(1, GICR_ISPENDR0), 0u);
  g.c(0, ICC_SGI0R, 1u << 24 | 2);
  EXPECT_EQ(g.r(1, GICR_ISPENDR0), 2u);
}

TEST(Gicv3Routing, FollowsIrouter) {
  V3 g;
  g.boot();
  g.arm(40);
  g.gic.spi(8)(true);
  EXPECT_TRUE(g.out[0].irq);
  g.route(40, 2);
  EXPECT_FALSE(g.out[0].irq);
  EXPECT_TRUE(g.out[2].irq);
  g.route(40, 0x77);  // no such PE
  EXPECT_FALSE(g.out[2].irq);
  EXPECT_EQ(g.d(GICD_ISPENDR + 4), 1u << 8);
  g.route(40, 3);
  EXPECT_EQ(g.c(3, ICC_IAR1), 40u);
}

// 32 clusters of 16.
TEST(Gicv3Routing, ReachesPe511) {
  V3 g(512);
  g.boot();
  g.arm(286, 0x20);
  g.route(286, 31u << 8 | 15);
  g.gic.spi(254)(true);
  EXPECT_TRUE(g.out[511].irq);
  EXPECT_EQ(g.c(511, ICC_IAR1), 286u);
  EXPECT_EQ(g.r64(511, GICR_TYPER) & 0x10, 0x10u);
}

TEST(Gicv3Reset, RestoresRegistersAndKeepsLines) {
  V3 g;
  g.boot();
  g.arm(40);
  g.route(40, 1);
  g.gic.spi(8)(true);
  EXPECT_TRUE(g.out[1].irq);
  g.gic.reset();
  EXPECT_FALSE(g.out[1].irq);
  EXPECT_EQ(g.d(GICD_CTLR), 0x50u);
  EXPECT_EQ(g.d(GICD_ISENABLER + 4), 0u);
  EXPECT_EQ(g.d(GICD_ISPENDR + 4), 1u << 8);  // the line is still high
  EXPECT_EQ(g.c(1, ICC_IGRPEN1), 0u);
  EXPECT_EQ(g.c(1, ICC_PMR), 0u);
  EXPECT_EQ(g.r(1, GICR_WAKER), 6u);
  g.boot();
  g.arm(40);
  EXPECT_TRUE(g.out[0].irq);
}

TEST(Gicv3Reset, OfOneCpuInterface) {
  V3 g;
  g.boot();
  g.arm(40, 0xa0);
  g.gic.spi(8)(true);
  g.c(0, ICC_IAR1);
  g.gic.reset_cpu_interface(0);
  EXPECT_EQ(g.c(0, ICC_RPR), 0xffu);
  EXPECT_EQ(g.c(0, ICC_IGRPEN1), 0u);
  EXPECT_EQ(g.c(1, ICC_IGRPEN1), 1u);
  EXPECT_EQ(g.d(GICD_ISENABLER + 4), 1u << 8);
}

// The sequence of an operating system's probe, boot and hotplug, as far as the registers tell.
TEST(Gicv3Boot, AnOperatingSystemFindsItsWay) {
  V3 g;
  EXPECT_EQ(g.d(GICD_CTLR) >> 31, 0u);  // RWP
  unsigned n = 0;
  while (!(g.r64(n, GICR_TYPER) & 0x10)) n++;
  EXPECT_EQ(n, 3u);
  g.c(0, ICC_SRE, 1);
  EXPECT_EQ(g.c(0, ICC_SRE) & 1, 1u);
  g.c(0, ICC_PMR, 1u << (8 - ((g.c(0, ICC_CTLR) >> 8 & 7) + 1)));
  EXPECT_NE(g.c(0, ICC_PMR), 0u);  // Group 0 is there
  g.boot();
  g.arm(27, 0xa0, 0);
  g.gic.ppi(0, 27)(true);
  EXPECT_EQ(g.c(0, ICC_IAR1), 27u);
  // CPU_OFF and CPU_ON of PE 1.
  g.c(1, ICC_IGRPEN1, 0);
  g.gic.reset_cpu_interface(1);
  g.r(1, GICR_WAKER, 0);
  g.c(1, ICC_PMR, 0xf0);
  g.c(1, ICC_AP1R0, 0);
  g.c(1, ICC_IGRPEN1, 1);
  g.arm(0, 0xa0, 1);
  g.c(0, ICC_SGI1R, 2);
  EXPECT_EQ(g.c(1, ICC_IAR1), 0u);
}

TEST(Gicv3Guest, NonsenseIsHarmless) {
  unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  V3 g(3);
  for (int i = 0; i < 200'000; i++) {
    u64 value = 0;
    unsigned size = 1u << random() % 4;
    u64 offset = random() % 0x80000 & ~u64(random() % 2 ? size - 1 : 0);
    if (random() % 16 == 0) offset = random();
    MmioDevice& d = random() % 2 ? g.gic.distributor() : g.gic.redistributors();
    if (random() % 2)
      EXPECT_TRUE(d.read(offset, size, value, by_pe(unsigned(random() % 6))).is_ok());
    else
      EXPECT_TRUE(d.write(offset, size, random(), by_pe(unsigned(random() % 6))).is_ok());
    SysregId id;
    id.value = random() % 2 ? u16(random()) : u16(SysregId(3, 0, 12, 8 + random() % 5, random() % 8).value);
    if (random() % 2)
      g.c(unsigned(random() % 3), id);
    else
      g.c(unsigned(random() % 3), id, random() & (random() % 2 ? 0x3ff : ~u64{0}));
    if (random() % 4 == 0) g.gic.spi(unsigned(random() % 300))(random() % 2);
  }
  EXPECT_FALSE(g.gic.describe().empty());
}

TEST(Gicv3Threads, LinesAndPesMayMoveAtOnce) {
  V3 g(2);
  g.boot();
  for (unsigned i = 0; i < 2; i++) g.arm(40 + i), g.make_edge(40 + i), g.route(40 + i, i);
  std::atomic<bool> done{false};
  std::thread devices[2];
  for (unsigned i = 0; i < 2; i++)
    devices[i] = std::thread([&, i] {
      IrqLine line = g.gic.spi(8 + i);
      for (int n = 0; n < 20'000; n++) line(true), line(false);
      if (i == 0) done = true;
    });
  std::thread pe([&] {
    while (!done)
      if (u64 intid = g.c(0, ICC_IAR1); intid != kNone) g.c(0, ICC_EOIR1, intid);
  });
  for (std::thread& t : devices) t.join();
  pe.join();
  if (u64 intid = g.c(0, ICC_IAR1); intid != kNone) g.c(0, ICC_EOIR1, intid);
  EXPECT_FALSE(g.out[0].irq);
  EXPECT_TRUE(g.out[1].irq);
  EXPECT_EQ(g.c(1, ICC_IAR1), 41u);
}

}  // namespace
}  // namespace sluice
