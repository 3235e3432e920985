// tests/unit/gicv2_test.cpp: the GICv2 through its registers. Expected values are those of Arm IHI 0048B.b.
#include "devices/gic/gicv2.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/gic_rig.h"

namespace sluice {
namespace {

using namespace gic_rig;

constexpr u32 kNone = 1023;

// GICD_TYPER: ITLinesNumber (4:0), CPUNumber (7:5); SecurityExtn (10) is 0.
TEST(Gicv2Distributor, TyperAndIdentification) {
  V2 g;
  EXPECT_EQ(g.d(GICD_TYPER), 8u | 3u << 5);
  EXPECT_EQ(g.d(GICD_IIDR) & 0xfff, 0x43bu);
  EXPECT_EQ(g.d(0xfe8) & 0xf0, 0x20u);  // ICPIDR2.ArchRev
  EXPECT_EQ(g.d(0xff0), 0x0du);
  EXPECT_EQ(g.d(0xffc), 0xb1u);
  EXPECT_EQ(g.c(0, GICC_IIDR) & 0xf'0fff, 0x2'043bu);
}

// GICD_CTLR without Security Extensions: EnableGrp0, EnableGrp1.
TEST(Gicv2Distributor, CtlrHasTwoEnables) {
  V2 g;
  g.d(GICD_CTLR, ~0u, 0);
  EXPECT_EQ(g.d(GICD_CTLR), 3u);
}

// GICD_ITARGETSR0..7 read as the accessing PE; the others hold one bit per PE that exists.
TEST(Gicv2Distributor, TargetsAreBankedForPrivateInterrupts) {
  V2 g;
  EXPECT_EQ(g.d(GICD_ITARGETSR, 0), 0x0101'0101u);
  EXPECT_EQ(g.d(GICD_ITARGETSR + 28, 3), 0x0808'0808u);
  g.d(GICD_ITARGETSR + 4, 0, 1);
  EXPECT_EQ(g.d(GICD_ITARGETSR + 4, 1), 0x0202'0202u);
  g.d(GICD_ITARGETSR + 32, 0xff04'0201, 0);
  EXPECT_EQ(g.d(GICD_ITARGETSR + 32), 0x0f04'0201u);
  g.d8(GICD_ITARGETSR + 33, 0x0c);
  EXPECT_EQ(g.d8r(GICD_ITARGETSR + 33), 0x0cu);
}

// On a uniprocessor GICD_ITARGETSR is RAZ/WI, and every SPI goes to the PE.
TEST(Gicv2Distributor, UniprocessorHasNoTargets) {
  V2 g(1);
  g.d(GICD_ITARGETSR + 32, ~0u, 0);
  EXPECT_EQ(g.d(GICD_ITARGETSR), 0u);
  EXPECT_EQ(g.d(GICD_ITARGETSR + 32), 0u);
  g.boot();
  g.d(GICD_ISENABLER + 4, 1, 0);
  g.gic.spi(0)(true);
  EXPECT_TRUE(g.out[0].irq);
}

TEST(Gicv2Distributor, PrivateRegistersAreBanked) {
  V2 g;
  g.d(GICD_ISENABLER, 0x8000'0000, 1);
  EXPECT_EQ(g.d(GICD_ISENABLER, 0), 0x0000'ffffu);  // SGIs are always enabled
  EXPECT_EQ(g.d(GICD_ISENABLER, 1), 0x8000'ffffu);
  g.d(GICD_ICENABLER, ~0u, 1);
  EXPECT_EQ(g.d(GICD_ISENABLER, 1), 0x0000'ffffu);
  g.d8(GICD_IPRIORITYR + 30, 0x55, 2);
  EXPECT_EQ(g.d8r(GICD_IPRIORITYR + 30, 2), 0x55u);
  EXPECT_EQ(g.d8r(GICD_IPRIORITYR + 30, 0), 0u);
  EXPECT_EQ(g.d(GICD_ICFGR, 0), 0xaaaa'aaaau);
  g.d(GICD_ISPENDR, ~0u, 2);
  EXPECT_EQ(g.d(GICD_ISPENDR, 2), 0xffff'0000u);  // SGIs: GICD_SPENDSGIR
}

// GICC_IAR: INTID (9:0) and, for an SGI, the sending PE (12:10). GICD_SGIR.TargetListFilter 0, 1, 2.
TEST(Gicv2Sgi, TellsItsSender) {
  V2 g;
  g.boot();
  g.d(GICD_SGIR, 0x000a'0005, 2);  // the list: PEs 1 and 3
  EXPECT_FALSE(g.out[0].irq || g.out[2].irq);
  EXPECT_EQ(g.c(1, GICC_HPPIR), 2u << 10 | 5);
  EXPECT_EQ(g.c(1, GICC_IAR), 2u << 10 | 5);
  EXPECT_EQ(g.c(3, GICC_IAR), 2u << 10 | 5);
  g.d(GICD_SGIR, 1u << 24 | 6, 3);  // all but itself
  EXPECT_EQ(g.c(0, GICC_IAR), 3u << 10 | 6);
  EXPECT_EQ(g.d(GICD_CPENDSGIR + 4, 3), 0u);
  g.d(GICD_SGIR, 2u << 24 | 7, 3);  // itself
  g.c(3, GICC_EOIR, 2u << 10 | 5);
  EXPECT_EQ(g.c(3, GICC_IAR), 3u << 10 | 7);
  g.d(GICD_SGIR, 3u << 24 | 0xff'000f, 0);  // reserved
  EXPECT_EQ(g.c(2, GICC_IAR), 3u << 10 | 6);
}

// The same SGI from two senders is taken twice, one at a time.
TEST(Gicv2Sgi, IsPendingOncePerSender) {
  V2 g;
  g.boot();
  g.d(GICD_SGIR, 0x0001'0004, 3);
  g.d(GICD_SGIR, 0x0001'0004, 1);
  g.d(GICD_SGIR, 0x0001'0004, 1);
  EXPECT_EQ(g.d(GICD_SPENDSGIR + 4, 0), 0x0au);
  EXPECT_EQ(g.c(0, GICC_IAR), 1u << 10 | 4);
  EXPECT_EQ(g.d(GICD_ISPENDR, 0), 1u << 4);
  EXPECT_EQ(g.c(0, GICC_IAR), kNone);
  g.c(0, GICC_EOIR, 1u << 10 | 4);
  EXPECT_EQ(g.c(0, GICC_IAR), 3u << 10 | 4);
  g.c(0, GICC_EOIR, 3u << 10 | 4);
  EXPECT_EQ(g.c(0, GICC_IAR), kNone);
}

TEST(Gicv2Sgi, PendingBySoftware) {
  V2 g;
  g.boot();
  g.d8(GICD_SPENDSGIR + 9, 0x84, 1);  // PE 7 does not exist
  EXPECT_EQ(g.d8r(GICD_CPENDSGIR + 9, 1), 0x04u);
  EXPECT_TRUE(g.out[1].irq);
  g.d(GICD_CPENDSGIR + 8, 0x0000'0400, 1);
  EXPECT_FALSE(g.out[1].irq);
}

TEST(Gicv2CpuInterface, AcknowledgeAndEndOfInterrupt) {
  V2 g;
  g.boot();
  g.arm(40, 0xa4, 0b0110);
  g.gic.spi(8)(true);
  EXPECT_FALSE(g.out[0].irq);
  EXPECT_TRUE(g.out[1].irq && g.out[2].irq);
  EXPECT_EQ(g.c(2, GICC_IAR), 40u);
  EXPECT_EQ(g.c(1, GICC_IAR), kNone);  // 1 of N: the other one won
  EXPECT_FALSE(g.out[1].irq || g.out[2].irq);
  EXPECT_EQ(g.c(2, GICC_RPR), 0xa4u);
  EXPECT_EQ(g.c(2, GICC_APR + 8), 1u << (0xa4 / 2 % 32));
  g.gic.spi(8)(false);
  g.c(2, GICC_EOIR, 40);
  EXPECT_EQ(g.c(2, GICC_RPR), 0xffu);
  EXPECT_EQ(g.d(GICD_ISACTIVER + 4), 0u);
}

// GICC_CTLR.EOImode (9): GICC_EOIR drops the priority, GICC_DIR deactivates.
TEST(Gicv2CpuInterface, SplitEndOfInterrupt) {
  V2 g;
  g.boot();
  g.c(0, GICC_CTLR, 1 | 1 << 9);
  g.arm(27);
  g.gic.ppi(0, 27)(true);
  EXPECT_EQ(g.c(0, GICC_IAR), 27u);
  g.c(0, GICC_EOIR, 27);
  EXPECT_EQ(g.c(0, GICC_RPR), 0xffu);
  EXPECT_EQ(g.d(GICD_ISACTIVER), 1u << 27);
  EXPECT_FALSE(g.out[0].irq);
  g.c(0, GICC_DIR, 27);
  EXPECT_TRUE(g.out[0].irq);
}

// GICC_CTLR.FIQEn signals Group 0 as FIQ; Group 1 is always IRQ.
TEST(Gicv2CpuInterface, GroupsAndFiq) {
  V2 g;
  g.boot();
  g.d(GICD_CTLR, 3, 0);
  g.arm(40, 0x80);
  g.arm(41, 0x90);
  g.d(GICD_IGROUPR + 4, 1u << 9, 0);
  g.gic.spi(8)(true);
  EXPECT_TRUE(g.out[0].irq);
  g.c(0, GICC_CTLR, 0xb);
  EXPECT_TRUE(g.out[0].fiq);
  EXPECT_FALSE(g.out[0].irq);
  EXPECT_EQ(g.c(0, GICC_AIAR), kNone);
  EXPECT_EQ(g.c(0, GICC_AHPPIR), kNone);
  EXPECT_EQ(g.c(0, GICC_IAR), 40u);
  g.gic.spi(8)(false);
  g.c(0, GICC_EOIR, 40);
  g.gic.spi(9)(true);
  EXPECT_TRUE(g.out[0].irq);
  EXPECT_EQ(g.c(0, GICC_IAR), 1022u);  // AckCtl is 0
  EXPECT_EQ(g.c(0, GICC_HPPIR), 1022u);
  EXPECT_EQ(g.c(0, GICC_AHPPIR), 41u);
  EXPECT_EQ(g.c(0, GICC_AIAR), 41u);
  EXPECT_EQ(g.c(0, GICC_NSAPR + 8), 1u << (0x90 / 2 % 32));
  g.gic.spi(9)(false);
  g.c(0, GICC_AEOIR, 41);
  EXPECT_EQ(g.c(0, GICC_RPR), 0xffu);
  g.c(0, GICC_CTLR, 0xf);  // AckCtl
  g.gic.spi(9)(true);
  EXPECT_EQ(g.c(0, GICC_IAR), 41u);
}

// GICC_BPR = n compares bits 7:n+1; GICC_ABPR = n, for Group 1, bits 7:n; GICC_CTLR.CBPR uses GICC_BPR for
// both.
TEST(Gicv2CpuInterface, BinaryPoints) {
  V2 g;
  g.boot();
  EXPECT_EQ(g.c(0, GICC_BPR), 0u);
  EXPECT_EQ(g.c(0, GICC_ABPR), 1u);
  g.c(0, GICC_ABPR, 0);
  EXPECT_EQ(g.c(0, GICC_ABPR), 1u);
  g.c(0, GICC_BPR, 3);
  g.arm(40, 0x58);
  g.arm(41, 0x50);
  g.gic.spi(8)(true);
  EXPECT_EQ(g.c(0, GICC_IAR), 40u);
  EXPECT_EQ(g.c(0, GICC_RPR), 0x50u);
  g.gic.spi(9)(true);
  EXPECT_FALSE(g.out[0].irq);
  g.d8(GICD_IPRIORITYR + 41, 0x4f);
  EXPECT_TRUE(g.out[0].irq);
}

TEST(Gicv2CpuInterface, PmrMasks) {
  V2 g;
  g.boot();
  g.arm(40, 0x80);
  g.c(0, GICC_PMR, 0x80);
  g.gic.spi(8)(true);
  EXPECT_EQ(g.c(0, GICC_IAR), kNone);
  g.c(0, GICC_PMR, 0x81);
  EXPECT_EQ(g.c(0, GICC_IAR), 40u);
}

// Who is not a PE sees the Distributor as PE 0 does, and has no CPU interface; a debugger acknowledges
// nothing.
TEST(Gicv2CpuInterface, IsForPesOnly) {
  V2 g;
  g.boot();
  g.arm(40);
  g.gic.spi(8)(true);
  EXPECT_EQ(mmio_read(g.gic.cpu_interface(), GICC_IAR, 4, MemTxAttrs::device(0, 1)), 0u);
  EXPECT_EQ(mmio_read(g.gic.cpu_interface(), GICC_IAR, 4, by_pe(9)), 0u);
  EXPECT_EQ(mmio_read(g.gic.cpu_interface(), GICC_IAR, 4, MemTxAttrs::debugger()), 40u);
  EXPECT_EQ(g.d(GICD_ISACTIVER + 4), 0u);
  EXPECT_TRUE(g.out[0].irq);
}

TEST(Gicv2Reset, RestoresRegistersAndKeepsLines) {
  V2 g;
  g.boot();
  g.arm(40);
  g.gic.spi(8)(true);
  g.gic.reset();
  EXPECT_FALSE(g.out[0].irq);
  EXPECT_EQ(g.d(GICD_CTLR), 0u);
  EXPECT_EQ(g.c(0, GICC_CTLR), 0u);
  EXPECT_EQ(g.d(GICD_ISENABLER + 4), 0u);
  EXPECT_EQ(g.d(GICD_ISPENDR + 4), 1u << 8);
}

TEST(Gicv2Guest, NonsenseIsHarmless) {
  unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  V2 g(3);
  for (int i = 0; i < 200'000; i++) {
    u64 value = 0;
    unsigned size = 1u << random() % 4;
    u64 offset = random() % 0x2000 & ~u64(random() % 2 ? size - 1 : 0);
    if (random() % 16 == 0) offset = random();
    MmioDevice& d = random() % 2 ? g.gic.distributor() : g.gic.cpu_interface();
    MemTxAttrs who = by_pe(unsigned(random() % 5));
    if (random() % 2)
      EXPECT_TRUE(d.read(offset, size, value, who).is_ok());
    else
      EXPECT_TRUE(d.write(offset, size, random() & (random() % 2 ? 0x3ff : ~u64{0}), who).is_ok());
    if (random() % 4 == 0) g.gic.spi(unsigned(random() % 300))(random() % 2);
  }
  EXPECT_FALSE(g.gic.describe().empty());
}

}  // namespace
}  // namespace sluice
