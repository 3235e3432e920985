// GICv2 with Security Extensions: IHI 0048B.b sections 3.7, 3.8 and the Secure and Non-secure copies of its
// registers.
#include <gtest/gtest.h>

#include "tests/unit/gic_rig.h"

namespace sluice::gic_rig {
namespace {

constexpr MemTxAttrs secure_by(unsigned n) { return MemTxAttrs::pe(u16(n), PaSpace::Secure, true); }

// `ns` of the base class are Non-secure accesses; these are Secure ones.
struct SecureV2 : V2 {
  explicit SecureV2(unsigned pes = 2) : V2(Gicv2::Config{.pes = pes, .security = true}) {}
  u32 sd(u64 at, unsigned pe = 0) { return u32(mmio_read(gic.distributor(), at, 4, secure_by(pe))); }
  void sd(u64 at, u32 value, unsigned pe) { (void)gic.distributor().write(at, 4, value, secure_by(pe)); }
  void sd8(u64 at, u8 value, unsigned pe = 0) { (void)gic.distributor().write(at, 1, value, secure_by(pe)); }
  u8 sd8r(u64 at, unsigned pe = 0) { return u8(mmio_read(gic.distributor(), at, 1, secure_by(pe))); }
  u32 sc(unsigned pe, u64 at) { return u32(mmio_read(gic.cpu_interface(), at, 4, secure_by(pe))); }
  void sc(unsigned pe, u64 at, u32 value) { (void)gic.cpu_interface().write(at, 4, value, secure_by(pe)); }

  static constexpr unsigned kS = 40, kNsIrq = 41;  // SPIs: one of either group
  // As Secure firmware sets it up: FIQ for Group 0, everything that is not its own in Group 1.
  void firmware() {
    for (unsigned n = 0; n < out.size(); n++) sd(GICD_IGROUPR, ~u32{1}, n);  // SGI 0 is Secure
    sd(GICD_IGROUPR + 4, ~(1u << kS % 32), 0);
    sd(GICD_CTLR, 3, 0);
    for (unsigned n = 0; n < out.size(); n++) {
      sc(n, GICC_PMR, 0xff);
      sc(n, GICC_CTLR, 0xb);  // EnableGrp0, EnableGrp1, FIQEn
    }
    sd8(GICD_IPRIORITYR + kS, 0x10);
    sd8(GICD_IPRIORITYR + kNsIrq, 0xa0);
    for (unsigned intid : {kS, kNsIrq}) sd8(GICD_ITARGETSR + intid, 1);
    sd(GICD_ISENABLER + 4, 1u << kS % 32 | 1u << kNsIrq % 32, 0);
  }
  void raise(unsigned intid) { gic.spi(intid - 32)(true); }
};
constexpr u32 kBitS = 1u << SecureV2::kS % 32, kBitNs = 1u << SecureV2::kNsIrq % 32;

TEST(Gicv2Security, TyperTellsAndWithoutItNothingDiffers) {
  SecureV2 with;
  V2 without;
  EXPECT_TRUE(with.sd(GICD_TYPER) & 1 << 10);
  EXPECT_TRUE(with.d(GICD_TYPER) & 1 << 10);
  EXPECT_FALSE(without.d(GICD_TYPER) & 1 << 10);
  without.d(GICD_IGROUPR + 4, ~0u, 0);
  EXPECT_EQ(without.d(GICD_IGROUPR + 4), ~0u);
}

TEST(Gicv2Security, Group0SignalsFiqAndGroup1Irq) {
  SecureV2 g;
  g.firmware();
  g.raise(SecureV2::kNsIrq);
  EXPECT_TRUE(g.out[0].irq);
  EXPECT_FALSE(g.out[0].fiq);
  g.raise(SecureV2::kS);  // more urgent
  EXPECT_TRUE(g.out[0].fiq);
  EXPECT_FALSE(g.out[0].irq);
}

TEST(Gicv2Security, ResetLeavesEverythingInGroup0) {
  SecureV2 g;
  EXPECT_EQ(g.sd(GICD_IGROUPR + 4), 0u);
  EXPECT_EQ(g.sd(GICD_CTLR), 0u);
}

TEST(Gicv2Security, NonSecureAccessesDoNotSeeGroup0) {
  SecureV2 g;
  g.firmware();
  g.raise(SecureV2::kS), g.raise(SecureV2::kNsIrq);
  EXPECT_EQ(g.d(GICD_IGROUPR + 4), 0u);  // RAZ/WI
  g.d(GICD_IGROUPR + 4, ~0u, 0);
  EXPECT_FALSE(g.sd(GICD_IGROUPR + 4) & kBitS);
  EXPECT_EQ(g.d(GICD_ISENABLER + 4), kBitNs);
  EXPECT_EQ(g.sd(GICD_ISENABLER + 4), kBitS | kBitNs);
  g.d(GICD_ICENABLER + 4, ~0u, 0);
  EXPECT_EQ(g.sd(GICD_ISENABLER + 4), kBitS);
  EXPECT_EQ(g.d(GICD_ISPENDR + 4), kBitNs);
  EXPECT_EQ(g.d8r(GICD_ITARGETSR + SecureV2::kS), 0);
  g.d8(GICD_ITARGETSR + SecureV2::kS, 2);
  EXPECT_EQ(g.sd8r(GICD_ITARGETSR + SecureV2::kS), 1);
  g.d(GICD_ICFGR + 40 / 16 * 4, ~0u, 0);
  EXPECT_EQ(g.sd(GICD_ICFGR + 40 / 16 * 4) >> (40 % 16 * 2) & 3, 0u);
  EXPECT_EQ(g.sd(GICD_ICFGR + 40 / 16 * 4) >> (41 % 16 * 2) & 3, 2u);
}

// IHI 0048B 3.8.1 and figure 3-6: Non-secure priority v is priority 0x80 | v >> 1.
TEST(Gicv2Security, NonSecurePrioritiesAreTheLowerHalf) {
  SecureV2 g;
  g.firmware();
  EXPECT_EQ(g.d8r(GICD_IPRIORITYR + SecureV2::kNsIrq), 0x40);  // 0xa0
  EXPECT_EQ(g.d8r(GICD_IPRIORITYR + SecureV2::kS), 0);         // hidden
  g.d8(GICD_IPRIORITYR + SecureV2::kNsIrq, 0x20);
  EXPECT_EQ(g.sd8r(GICD_IPRIORITYR + SecureV2::kNsIrq), 0x90);
  g.d8(GICD_IPRIORITYR + SecureV2::kS, 0xff);
  EXPECT_EQ(g.sd8r(GICD_IPRIORITYR + SecureV2::kS), 0x10);
}

TEST(Gicv2Security, NonSecurePmrWritesNeedAMaskInTheNonSecureHalf) {
  SecureV2 g;
  g.sc(0, GICC_PMR, 0x40);
  EXPECT_EQ(g.c(0, GICC_PMR), 0u);
  g.c(0, GICC_PMR, 0xf0);
  EXPECT_EQ(g.sc(0, GICC_PMR), 0x40u);
  g.sc(0, GICC_PMR, 0x80);
  g.c(0, GICC_PMR, 0xf0);
  EXPECT_EQ(g.sc(0, GICC_PMR), 0xf8u);
  EXPECT_EQ(g.c(0, GICC_PMR), 0xf0u);
}

TEST(Gicv2Security, CpuInterfaceControlIsBanked) {
  SecureV2 g;
  g.sc(0, GICC_CTLR, 0x1f);  // EnableGrp0, EnableGrp1, AckCtl, FIQEn, CBPR
  EXPECT_EQ(g.c(0, GICC_CTLR), 1u);
  g.c(0, GICC_CTLR, 0x200);  // EOImodeNS, and Group 1 off
  EXPECT_EQ(g.sc(0, GICC_CTLR), 0x41du);
  g.c(0, GICC_CTLR, 0x61);  // FIQBypDisGrp1, IRQBypDisGrp1, EnableGrp1
  EXPECT_EQ(g.sc(0, GICC_CTLR), 0x19fu);
  EXPECT_EQ(g.c(0, GICC_CTLR), 0x61u);
}

TEST(Gicv2Security, DistributorControlIsBanked) {
  SecureV2 g;
  g.d(GICD_CTLR, 1, 0);
  EXPECT_EQ(g.sd(GICD_CTLR), 2u);
  EXPECT_EQ(g.d(GICD_CTLR), 1u);
  g.sd(GICD_CTLR, 1, 0);
  EXPECT_EQ(g.d(GICD_CTLR), 0u);
}

TEST(Gicv2Security, TheNonSecureBinaryPointIsTheSecureAlias) {
  SecureV2 g;
  g.c(0, GICC_BPR, 5);
  EXPECT_EQ(g.sc(0, GICC_ABPR), 5u);
  g.sc(0, GICC_BPR, 3);
  EXPECT_EQ(g.c(0, GICC_BPR), 5u);
  g.sc(0, GICC_CTLR, 0x10);  // CBPR: the Secure one counts, Non-secure reads show it plus one
  EXPECT_EQ(g.c(0, GICC_BPR), 4u);
  g.c(0, GICC_BPR, 7);
  g.sc(0, GICC_CTLR, 0);
  EXPECT_EQ(g.c(0, GICC_BPR), 5u);
  EXPECT_EQ(g.c(0, GICC_ABPR), 0u);  // RAZ/WI
}

// Tables 3-10 and 3-11: what GICC_IAR and GICC_HPPIR return.
TEST(Gicv2Security, AcknowledgeByGroupAndSecurityState) {
  SecureV2 g;
  g.firmware();
  g.raise(SecureV2::kS);
  EXPECT_EQ(g.c(0, GICC_HPPIR), 1023u);  // Non-secure, Group 0 pending
  EXPECT_EQ(g.c(0, GICC_IAR), 1023u);
  EXPECT_EQ(g.c(0, GICC_AIAR), 0u);  // RAZ/WI
  EXPECT_EQ(g.sc(0, GICC_IAR), SecureV2::kS);
  g.gic.spi(SecureV2::kS - 32)(false);
  g.sc(0, GICC_EOIR, SecureV2::kS);
  g.raise(SecureV2::kNsIrq);
  EXPECT_EQ(g.sc(0, GICC_IAR), 1022u);  // Secure, Group 1 pending, AckCtl 0
  EXPECT_EQ(g.c(0, GICC_IAR), SecureV2::kNsIrq);
  EXPECT_EQ(g.c(0, GICC_RPR), 0x40u);  // 0xa0
  EXPECT_EQ(g.sc(0, GICC_RPR), 0xa0u);
  g.c(0, GICC_EOIR, SecureV2::kNsIrq);
  EXPECT_EQ(g.c(0, GICC_RPR), 0xffu);
}

TEST(Gicv2Security, AckCtlLetsSecureSoftwareTakeGroup1) {
  SecureV2 g;
  g.firmware();
  g.sc(0, GICC_CTLR, 0xf);
  g.raise(SecureV2::kNsIrq);
  EXPECT_EQ(g.sc(0, GICC_IAR), SecureV2::kNsIrq);
}

TEST(Gicv2Security, NonSecureSoftwareEndsOnlyGroup1) {
  SecureV2 g;
  g.firmware();
  g.raise(SecureV2::kS);
  EXPECT_EQ(g.sc(0, GICC_IAR), SecureV2::kS);
  EXPECT_EQ(g.c(0, GICC_RPR), 0u);  // higher than anything Non-secure
  g.c(0, GICC_EOIR, SecureV2::kS);
  EXPECT_EQ(g.sc(0, GICC_RPR), 0x10u);
  EXPECT_EQ(g.sd(GICD_ISACTIVER + 4), kBitS);
}

TEST(Gicv2Security, EoiModesAreBanked) {
  SecureV2 g;
  g.firmware();
  g.c(0, GICC_CTLR, 0x201);
  g.raise(SecureV2::kNsIrq);
  ASSERT_EQ(g.c(0, GICC_IAR), SecureV2::kNsIrq);
  g.c(0, GICC_EOIR, SecureV2::kNsIrq);
  EXPECT_EQ(g.sd(GICD_ISACTIVER + 4), kBitNs);  // dropped, not deactivated
  g.c(0, GICC_DIR, SecureV2::kNsIrq);
  EXPECT_EQ(g.sd(GICD_ISACTIVER + 4), 0u);
  g.raise(SecureV2::kS);
  ASSERT_EQ(g.sc(0, GICC_IAR), SecureV2::kS);
  g.sc(0, GICC_EOIR, SecureV2::kS);
  EXPECT_EQ(g.sd(GICD_ISACTIVER + 4), 0u);
}

// 4.3.15, NSATT.
TEST(Gicv2Security, SgisGoWhereTheyAreInTheGroupThatWasNamed) {
  SecureV2 g;
  g.firmware();
  constexpr u32 to_pe1 = 2 << 16;
  g.d(GICD_SGIR, to_pe1 | 0, 0);  // Non-secure: SGI 0 is Group 0
  EXPECT_FALSE(g.out[1].fiq || g.out[1].irq);
  g.sd(GICD_SGIR, to_pe1 | 1 << 15 | 0, 0);  // NSATT 1: Group 1 only
  EXPECT_FALSE(g.out[1].fiq || g.out[1].irq);
  g.sd(GICD_SGIR, to_pe1 | 0, 0);
  EXPECT_TRUE(g.out[1].fiq);
  g.sd(GICD_SGIR, to_pe1 | 1 << 15 | 2, 0);
  g.d(GICD_SGIR, to_pe1 | 3, 0);
  EXPECT_EQ(g.d(GICD_SPENDSGIR, 1), 1u << 16 | 1u << 24);  // SGIs 2 and 3 from PE 0; SGI 0 is hidden
  EXPECT_EQ(g.sd(GICD_SPENDSGIR, 1), 1u | 1u << 16 | 1u << 24);
}

TEST(Gicv2Security, NonSecureActivePrioritiesAreTheUpperHalf) {
  SecureV2 g;
  g.firmware();
  g.raise(SecureV2::kNsIrq);
  ASSERT_EQ(g.c(0, GICC_IAR), SecureV2::kNsIrq);  // 0xa0: level 80 of 128
  EXPECT_EQ(g.sc(0, GICC_NSAPR + 8), 1u << 16);
  EXPECT_EQ(g.c(0, GICC_APR), 1u << 16);
  EXPECT_EQ(g.c(0, GICC_NSAPR + 8), 0u);  // RAZ/WI
  g.c(0, GICC_APR, 0);
  EXPECT_EQ(g.sc(0, GICC_RPR), 0xffu);
}

TEST(Gicv2Security, ForAKernelResetLeavesWhatFirmwareWouldHave) {
  SecureV2 g;
  g.gic.reset_for_non_secure(true);
  g.gic.reset();
  EXPECT_EQ(g.sd(GICD_IGROUPR), ~0u);
  EXPECT_EQ(g.sd(GICD_IGROUPR + 4), ~0u);
  g.boot();  // as a kernel does
  g.arm(41, 0xa0);
  g.raise(41);
  EXPECT_TRUE(g.out[0].irq);
  EXPECT_EQ(g.c(0, GICC_IAR), 41u);
  EXPECT_EQ(g.c(0, GICC_RPR), 0xa0u);
}

}  // namespace
}  // namespace sluice::gic_rig
