// tests/spec/gic_delivery_spec.cpp: what software may rely on when interrupts are delivered, one claim per
// spec. GICv3: Arm IHI 0069H. GICv2: Arm IHI 0048B.b.
#include "tests/support/memory_world.h"
#include "tests/unit/gic_rig.h"

namespace sluice {
namespace {

using namespace gic_rig;

constexpr unsigned kNone = 1023;

// "Interrupt handling state machine": level-sensitive.
SPEC("GIC: a level interrupt whose line stays high comes again after its end") {
  V3 g;
  g.boot();
  g.arm(40);
  g.gic.spi(8)(true);
  ASSERT_EQ(g.c(0, ICC_IAR1), 40u);
  EXPECT_EQ(g.c(0, ICC_IAR1), kNone);
  g.c(0, ICC_EOIR1, 40);
  EXPECT_TRUE(g.out[0].irq);
  EXPECT_EQ(g.c(0, ICC_IAR1), 40u);
}

SPEC("GIC: a level interrupt whose line falls before it is taken is spurious") {
  V3 g;
  g.boot();
  g.arm(40);
  g.gic.spi(8)(true);
  g.gic.spi(8)(false);
  EXPECT_FALSE(g.out[0].irq);
  EXPECT_EQ(g.c(0, ICC_IAR1), kNone);
}

SPEC("GIC: an edge is remembered when the line falls") {
  V3 g;
  g.boot();
  g.arm(40);
  g.make_edge(40);
  g.gic.spi(8)(true);
  g.gic.spi(8)(false);
  EXPECT_EQ(g.c(0, ICC_IAR1), 40u);
  g.c(0, ICC_EOIR1, 40);
  EXPECT_EQ(g.c(0, ICC_IAR1), kNone);
}

SPEC("GIC: an edge that comes while its interrupt is active is delivered after its end") {
  V3 g;
  g.boot();
  g.arm(40);
  g.make_edge(40);
  IrqLine line = g.gic.spi(8);
  line(true), line(false);
  ASSERT_EQ(g.c(0, ICC_IAR1), 40u);
  line(true), line(false);
  line(true), line(false);
  EXPECT_FALSE(g.out[0].irq);
  g.c(0, ICC_EOIR1, 40);
  EXPECT_EQ(g.c(0, ICC_IAR1), 40u);
  g.c(0, ICC_EOIR1, 40);
  EXPECT_EQ(g.c(0, ICC_IAR1), kNone);  // two edges, one pending state
}

SPEC("GIC: repeating a level makes no second edge") {
  V3 g;
  g.boot();
  g.arm(40);
  g.make_edge(40);
  IrqLine line = g.gic.spi(8);
  line(true);
  ASSERT_EQ(g.c(0, ICC_IAR1), 40u);
  g.c(0, ICC_EOIR1, 40);
  line(true);
  EXPECT_EQ(g.c(0, ICC_IAR1), kNone);
}

// GICD_ICPENDR<n>: no effect on a level-sensitive interrupt that is pending because of its line.
SPEC("GIC: ICPENDR cannot clear what a line holds pending") {
  V3 g;
  g.boot();
  g.arm(40);
  g.gic.spi(8)(true);
  g.d(GICD_ICPENDR + 4, 1u << 8, 0);
  EXPECT_TRUE(g.out[0].irq);
  g.make_edge(40);
  g.d(GICD_ISPENDR + 4, 1u << 8, 0);
  g.d(GICD_ICPENDR + 4, 1u << 8, 0);
  EXPECT_FALSE(g.out[0].irq);
}

// GICD_ISPENDR<n>: a level-sensitive interrupt stays pending, without its line, until it is acknowledged.
SPEC("GIC: ISPENDR makes a level interrupt pending once") {
  V3 g;
  g.boot();
  g.arm(40);
  g.d(GICD_ISPENDR + 4, 1u << 8, 0);
  g.gic.spi(8)(true);
  g.gic.spi(8)(false);
  ASSERT_EQ(g.c(0, ICC_IAR1), 40u);
  g.c(0, ICC_EOIR1, 40);
  EXPECT_EQ(g.c(0, ICC_IAR1), kNone);
}

SPEC("GIC: pending is kept while an interrupt is disabled") {
  V3 g;
  g.boot();
  g.arm(40);
  g.make_edge(40);
  g.d(GICD_ICENABLER + 4, 1u << 8, 0);
  g.gic.spi(8)(true);
  g.gic.spi(8)(false);
  EXPECT_FALSE(g.out[0].irq);
  g.d(GICD_ISENABLER + 4, 1u << 8, 0);
  EXPECT_TRUE(g.out[0].irq);
}

// GICD_ISACTIVER<n> and GICD_ICACTIVER<n>: how a hypervisor moves an interrupt.
SPEC("GIC: an interrupt made active by software is not delivered until made inactive") {
  V3 g;
  g.boot();
  g.arm(40);
  g.d(GICD_ISACTIVER + 4, 1u << 8, 0);
  g.gic.spi(8)(true);
  EXPECT_FALSE(g.out[0].irq);
  g.d(GICD_ICACTIVER + 4, 1u << 8, 0);
  EXPECT_TRUE(g.out[0].irq);
}

SPEC("GIC: of two pending interrupts the smaller priority value comes first") {
  V3 g;
  g.boot();
  g.arm(40, 0xa0);
  g.arm(41, 0x98);
  g.gic.spi(8)(true);
  g.gic.spi(9)(true);
  EXPECT_EQ(g.c(0, ICC_HPPIR1), 41u);
  g.d8(GICD_IPRIORITYR + 40, 0x40);
  EXPECT_EQ(g.c(0, ICC_HPPIR1), 40u);
}

SPEC("GIC: a group that is disabled does not hide the other") {
  V3 g;
  g.boot();
  g.arm(40, 0x20);
  g.arm(41, 0xa0);
  g.d(GICD_IGROUPR + 4, ~(1u << 8), 0);  // 40 in Group 0, which ICC_IGRPEN0_EL1 disables
  g.gic.spi(8)(true);
  g.gic.spi(9)(true);
  EXPECT_TRUE(g.out[0].irq);
  EXPECT_EQ(g.c(0, ICC_IAR1), 41u);
}

SPEC("GIC: a pending Group 0 interrupt of higher priority holds the IRQ back") {
  V3 g;
  g.boot();
  g.c(0, ICC_IGRPEN0, 1);
  g.arm(40, 0x20);
  g.arm(41, 0xa0);
  g.d(GICD_IGROUPR + 4, ~(1u << 8), 0);
  g.gic.spi(8)(true);
  g.gic.spi(9)(true);
  EXPECT_TRUE(g.out[0].fiq);
  EXPECT_FALSE(g.out[0].irq);
  EXPECT_EQ(g.c(0, ICC_IAR1), kNone);
  EXPECT_EQ(g.c(0, ICC_IAR0), 40u);
}

SPEC("GIC: an SPI that moves while it is active is ended by the PE that took it") {
  V3 g;
  g.boot();
  g.arm(40);
  g.gic.spi(8)(true);
  ASSERT_EQ(g.c(0, ICC_IAR1), 40u);
  g.route(40, 1);
  EXPECT_FALSE(g.out[1].irq);
  g.c(0, ICC_EOIR1, 40);
  EXPECT_FALSE(g.out[0].irq);
  EXPECT_TRUE(g.out[1].irq);
}

// GICD_IROUTER<n>.Interrupt_Routing_Mode == 1.
SPEC("GIC: a 1-of-N interrupt reaches exactly one participating PE") {
  V3 g;
  g.boot();
  g.arm(40);
  g.route(40, 0x8000'0000);
  g.gic.spi(8)(true);
  EXPECT_EQ(g.out[0].irq + g.out[1].irq + g.out[2].irq + g.out[3].irq, 1);
}

SPEC("GIC: a 1-of-N interrupt avoids PEs that sleep or opted out or disabled the group") {
  V3 g;
  g.boot();
  g.arm(40);
  g.route(40, 0x8000'0000);
  g.r(0, GICR_WAKER, 2);
  g.r(1, GICR_CTLR, 1u << 25);  // DPG1NS
  g.c(2, ICC_IGRPEN1, 0);
  g.gic.spi(8)(true);
  EXPECT_TRUE(g.out[3].irq);
  g.c(3, ICC_IGRPEN1, 0);  // nobody is left
  for (auto& pe : g.out) EXPECT_FALSE(pe.irq);
  g.r(1, GICR_CTLR, 0);
  EXPECT_TRUE(g.out[1].irq);
}

SPEC("GIC: a 1-of-N interrupt prefers an idle PE") {
  V3 g(2);
  g.boot();
  for (unsigned intid : {40u, 41u}) g.arm(intid), g.route(intid, 0x8000'0000);
  g.gic.spi(8)(true);
  g.gic.spi(9)(true);
  EXPECT_TRUE(g.out[0].irq && g.out[1].irq);
}

SPEC("GIC: an SGI to oneself is pending at once") {
  V3 g;
  g.boot();
  g.arm(0, 0xa0, 2);
  g.c(2, ICC_SGI1R, 1u << 2);
  EXPECT_EQ(g.c(2, ICC_IAR1), 0u);
}

SPEC("GIC: two SGIs of one INTID are one pending interrupt in GICv3") {
  V3 g;
  g.boot();
  g.arm(0, 0xa0, 0);
  g.c(1, ICC_SGI1R, 1);
  g.c(2, ICC_SGI1R, 1);
  ASSERT_EQ(g.c(0, ICC_IAR1), 0u);
  g.c(0, ICC_EOIR1, 0);
  EXPECT_EQ(g.c(0, ICC_IAR1), kNone);
}

// ICC_EOIR1_EL1: the special INTIDs are ignored.
SPEC("GIC: ending a spurious interrupt drops nothing") {
  V3 g;
  g.boot();
  g.arm(40);
  g.gic.spi(8)(true);
  ASSERT_EQ(g.c(0, ICC_IAR1), 40u);
  for (unsigned special = 1020; special < 1024; special++) g.c(0, ICC_EOIR1, special);
  EXPECT_EQ(g.c(0, ICC_RPR), 0xa0u);
}

SPEC("GIC: a line is driven only when it changes") {
  V3 g;
  g.boot();
  g.arm(40);
  g.arm(41);
  g.gic.spi(8)(true);
  g.gic.spi(9)(true);
  g.gic.spi(8)(true);
  EXPECT_EQ(g.out[0].changes, 1u);
}

SPEC("GIC: a priority of 0xff is never signalled") {
  V3 g(Gicv3::Config{.priority_bits = 8});
  g.boot();
  g.c(0, ICC_PMR, 0xff);
  g.arm(40, 0xff);
  g.gic.spi(8)(true);
  EXPECT_FALSE(g.out[0].irq);
  g.d8(GICD_IPRIORITYR + 40, 0xfe);
  EXPECT_TRUE(g.out[0].irq);
}

// ICC_BPR1_EL1 with ICC_CTLR_EL1.CBPR.
SPEC("GIC: CBPR makes ICC_BPR0 group both groups") {
  V3 g;
  g.boot();
  g.c(0, ICC_BPR0, 7);  // no group priority bits: nothing preempts
  g.c(0, ICC_CTLR, 1);
  g.arm(40, 0xa0);
  g.arm(41, 0x00);
  g.gic.spi(8)(true);
  ASSERT_EQ(g.c(0, ICC_IAR1), 40u);
  g.gic.spi(9)(true);
  EXPECT_FALSE(g.out[0].irq);
  g.c(0, ICC_EOIR1, 40);
  EXPECT_EQ(g.c(0, ICC_IAR1), 41u);
}

// GICv2 1 of N: GICC_IAR.
SPEC("GICv2: an SPI for many PEs is acknowledged by one") {
  V2 g;
  g.boot();
  g.arm(40, 0xa0, 0xf);
  g.gic.spi(8)(true);
  unsigned taken = 0;
  for (unsigned n = 0; n < 4; n++) taken += g.c(n, GICC_IAR) == 40;
  EXPECT_EQ(taken, 1u);
}

SPEC("GICv2: an SPI without a target stays pending") {
  V2 g;
  g.boot();
  g.arm(40, 0xa0, 0);
  g.gic.spi(8)(true);
  for (auto& pe : g.out) EXPECT_FALSE(pe.irq);
  EXPECT_EQ(g.d(GICD_ISPENDR + 4), 1u << 8);
  g.d8(GICD_ITARGETSR + 40, 4);
  EXPECT_TRUE(g.out[2].irq);
}

// GICC_HPPIR is of the Distributor's making: a group that only GICC_CTLR disables is seen, and not signalled.
SPEC("GICv2: HPPIR shows what GICC_CTLR does not signal") {
  V2 g;
  g.boot();
  g.arm(40);
  g.c(0, GICC_CTLR, 0);
  g.gic.spi(8)(true);
  EXPECT_FALSE(g.out[0].irq);
  EXPECT_EQ(g.c(0, GICC_IAR), kNone);
  EXPECT_EQ(g.c(0, GICC_HPPIR), 40u);
  g.d(GICD_CTLR, 0, 0);
  EXPECT_EQ(g.c(0, GICC_HPPIR), kNone);
}

}  // namespace
}  // namespace sluice
