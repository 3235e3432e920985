// GICv3 with two Security states (GICD_CTLR.DS == 0): IHI 0069H sections 4.6 to 4.8 and the views of its
// registers.
#include <gtest/gtest.h>

#include "tests/unit/gic_rig.h"

namespace sluice::gic_rig {
namespace {

constexpr MemTxAttrs secure_by(unsigned n) { return MemTxAttrs::pe(u16(n), PaSpace::Secure, true); }
constexpr u64 GICD_IGRPMODR = 0xd00, GICR_IGRPMODR0 = 0x10d00;
constexpr SysregId ICC_CTLR_EL3{3, 6, 12, 12, 4}, ICC_SRE_EL3{3, 6, 12, 12, 5},
    ICC_IGRPEN1_EL3{3, 6, 12, 12, 7}, ICC_SRE_EL2{3, 4, 12, 9, 5};

// Where a PE is.
constexpr SysregAccessor kEl3{.el = 3, .secure = true, .fiq_to_el3 = true, .secure_el1 = false};
constexpr SysregAccessor kEl3ForSecure{.el = 3, .secure = true, .fiq_to_el3 = true, .secure_el1 = true};
constexpr SysregAccessor kSecureEl1{.el = 1, .secure = true, .fiq_to_el3 = true, .secure_el1 = true};
constexpr SysregAccessor kNsEl1{.el = 1, .secure = false, .fiq_to_el3 = true, .secure_el1 = false};

// d(), r() of the base class are Non-secure accesses; sd() and sr() Secure ones.
struct SecureV3 : V3 {
  explicit SecureV3(unsigned pes = 2)
      : V3(Gicv3::Config{.pes = pes, .affinities = numbered(pes), .security = true}) {}
  u32 sd(u64 at) { return u32(mmio_read(gic.distributor(), at, 4, secure_by(0))); }
  void sd(u64 at, u32 value) { (void)gic.distributor().write(at, 4, value, secure_by(0)); }
  void sd8(u64 at, u8 value) { (void)gic.distributor().write(at, 1, value, secure_by(0)); }
  u32 sr(unsigned pe, u64 at) {
    return u32(mmio_read(gic.redistributors(), pe * Gicv3::kRedistributorStride + at, 4, secure_by(pe)));
  }
  void sr(unsigned pe, u64 at, u32 value) {
    (void)gic.redistributors().write(pe * Gicv3::kRedistributorStride + at, 4, value, secure_by(pe));
  }
  u64 icc(SysregId id, SysregAccessor who, unsigned pe = 0) { return gic.cpu_interface(pe).read(id, who); }
  void icc(SysregId id, u64 value, SysregAccessor who, unsigned pe = 0) {
    gic.cpu_interface(pe).write(id, value, who);
  }
  void at(SysregAccessor who, unsigned pe = 0) { gic.cpu_interface(pe).security_changed(who); }

  static constexpr unsigned k0 = 40, k1S = 41, k1Ns = 42;  // SPIs: one of each group
  void firmware() {
    sd(GICD_CTLR, 0x37);
    for (u64 w = 4; w < 36; w += 4) sd(GICD_IGROUPR + w, ~0u);
    sd(GICD_IGROUPR + 4, ~(3u << 8));
    sd(GICD_IGRPMODR + 4, 2u << 8);
    sd8(GICD_IPRIORITYR + k0, 0x10), sd8(GICD_IPRIORITYR + k1S, 0x20), sd8(GICD_IPRIORITYR + k1Ns, 0xa0);
    sd(GICD_ISENABLER + 4, 7u << 8);
    for (unsigned n = 0; n < out.size(); n++) {
      sr(n, GICR_IGROUPR0, ~3u);  // SGI 0 is Group 0, SGI 1 Secure Group 1
      sr(n, GICR_IGRPMODR0, 2);
      icc(ICC_PMR, 0xff, kEl3, n);
      icc(ICC_IGRPEN0, 1, kEl3, n);
      icc(ICC_IGRPEN1_EL3, 3, kEl3, n);
    }
  }
  void raise(unsigned intid, bool high = true) { gic.spi(intid - 32)(high); }
};

TEST(Gicv3Security, ControlRegisterOfTheDistributor) {
  SecureV3 g;
  EXPECT_EQ(g.sd(GICD_CTLR), 0x30u);  // ARE_S, ARE_NS; DS is 0
  g.sd(GICD_CTLR, 0x47);              // DS cannot be set
  EXPECT_EQ(g.sd(GICD_CTLR), 0x37u);
  EXPECT_EQ(g.d(GICD_CTLR), 0x12u);  // ARE_NS and EnableGrp1A at the Non-secure positions
  g.d(GICD_CTLR, 0x5, 0);            // Group 1 off; bits 0 and 2 are not Non-secure software's
  EXPECT_EQ(g.sd(GICD_CTLR), 0x35u);
  EXPECT_TRUE(g.d(GICD_TYPER) & 1 << 10);
}

TEST(Gicv3Security, WithoutItThereIsOneState) {
  V3 g;
  EXPECT_EQ(g.d(GICD_CTLR), 0x50u);  // ARE, DS
  EXPECT_FALSE(g.d(GICD_TYPER) & 1 << 10);
  g.d(GICD_IGRPMODR + 4, ~0u, 0);
  EXPECT_EQ(g.d(GICD_IGRPMODR + 4), 0u);
}

// Table 4-3.
TEST(Gicv3Security, FiqOrIrqDependsOnGroupAndSecurityState) {
  struct Case {
    unsigned intid;
    bool fiq_el3, fiq_secure, fiq_ns;
  };
  for (Case c : {Case{SecureV3::k0, true, true, true}, Case{SecureV3::k1S, true, false, true},
                 Case{SecureV3::k1Ns, true, true, false}}) {
    SecureV3 g;
    g.firmware();
    g.raise(c.intid);
    g.at(kEl3);
    EXPECT_EQ(g.out[0].fiq, c.fiq_el3) << c.intid;
    EXPECT_EQ(g.out[0].irq, !c.fiq_el3) << c.intid;
    g.at(kSecureEl1);
    EXPECT_EQ(g.out[0].fiq, c.fiq_secure) << c.intid;
    EXPECT_EQ(g.out[0].irq, !c.fiq_secure) << c.intid;
    g.at(kNsEl1);
    EXPECT_EQ(g.out[0].fiq, c.fiq_ns) << c.intid;
    EXPECT_EQ(g.out[0].irq, !c.fiq_ns) << c.intid;
  }
}

TEST(Gicv3Security, NonSecureAccessesSeeNonSecureGroup1Only) {
  SecureV3 g;
  g.firmware();
  for (unsigned intid : {SecureV3::k0, SecureV3::k1S, SecureV3::k1Ns}) g.raise(intid);
  EXPECT_EQ(g.d(GICD_IGROUPR + 4), 0u);
  EXPECT_EQ(g.d(GICD_IGRPMODR + 4), 0u);
  EXPECT_EQ(g.sd(GICD_IGRPMODR + 4), 2u << 8);
  g.d(GICD_IGROUPR + 4, ~0u, 0), g.d(GICD_IGRPMODR + 4, 0, 0);
  EXPECT_EQ(g.sd(GICD_IGROUPR + 4), ~(3u << 8));
  EXPECT_EQ(g.sd(GICD_IGRPMODR + 4), 2u << 8);
  EXPECT_EQ(g.d(GICD_ISENABLER + 4), 4u << 8);
  EXPECT_EQ(g.d(GICD_ISPENDR + 4), 4u << 8);
  g.d(GICD_ICENABLER + 4, ~0u, 0);
  EXPECT_EQ(g.sd(GICD_ISENABLER + 4), 3u << 8);
  g.d(GICD_ICFGR + 8, ~0u, 0);
  EXPECT_EQ(g.sd(GICD_ICFGR + 8) >> 16 & 0x3f, 0x20u);
  // GICD_IROUTER
  g.route(SecureV3::k0, 1), g.route(SecureV3::k1Ns, 1);
  EXPECT_EQ(g.sd(GICD_IROUTER + 8 * SecureV3::k0), 0u);
  EXPECT_EQ(g.sd(GICD_IROUTER + 8 * SecureV3::k1Ns), 1u);
  EXPECT_EQ(g.d(GICD_IROUTER + 8 * SecureV3::k1Ns), 1u);
}

TEST(Gicv3Security, RedistributorViews) {
  SecureV3 g;
  g.firmware();
  EXPECT_EQ(g.r(0, GICR_IGROUPR0), 0u);
  EXPECT_EQ(g.r(0, GICR_IGRPMODR0), 0u);
  EXPECT_EQ(g.sr(0, GICR_IGRPMODR0), 2u);
  g.sr(0, GICR_ISENABLER0, 0xff);
  EXPECT_EQ(g.r(0, GICR_ISENABLER0), 0xfcu);
  g.r(0, GICR_ICENABLER0, ~0u);
  EXPECT_EQ(g.sr(0, GICR_ISENABLER0), 3u);
  g.r8(0, GICR_IPRIORITYR + 2, 0x40), g.r8(0, GICR_IPRIORITYR, 0x40);
  EXPECT_EQ(g.sr(0, GICR_IPRIORITYR), 0xa0u << 16);
  EXPECT_EQ(g.r(0, GICR_IPRIORITYR), 0x40u << 16);
  // GICR_WAKER is Secure
  EXPECT_EQ(g.r(0, GICR_WAKER), 0u);
  g.r(0, GICR_WAKER, 0);
  EXPECT_EQ(g.sr(0, GICR_WAKER), 6u);
  g.sr(0, GICR_WAKER, 0);
  EXPECT_EQ(g.sr(0, GICR_WAKER), 0u);
  g.sr(0, GICR_CTLR, 7u << 24);
  EXPECT_EQ(g.r(0, GICR_CTLR) >> 24 & 7, 2u);
  EXPECT_EQ(g.sr(0, GICR_CTLR) >> 24 & 7, 7u);
}

// Section 4.8.1.
TEST(Gicv3Security, NonSecurePrioritiesAreTheLowerHalf) {
  SecureV3 g;
  g.firmware();
  EXPECT_EQ(g.d8r(GICD_IPRIORITYR + SecureV3::k1Ns), 0x40);
  EXPECT_EQ(g.d8r(GICD_IPRIORITYR + SecureV3::k0), 0);
  g.d8(GICD_IPRIORITYR + SecureV3::k1Ns, 0x20);
  EXPECT_EQ(g.sd(GICD_IPRIORITYR + 40) >> 16 & 0xff, 0x90u);
  g.d8(GICD_IPRIORITYR + SecureV3::k0, 0xf0);
  EXPECT_EQ(g.sd(GICD_IPRIORITYR + 40) & 0xff, 0x10u);
}

TEST(Gicv3Security, PriorityMaskAsTheNonSecureStateSeesIt) {
  SecureV3 g;
  g.icc(ICC_PMR, 0x40, kEl3);
  EXPECT_EQ(g.icc(ICC_PMR, kNsEl1), 0u);
  g.icc(ICC_PMR, 0xf0, kNsEl1);  // ignored: the mask is in the Secure half
  EXPECT_EQ(g.icc(ICC_PMR, kEl3), 0x40u);
  g.icc(ICC_PMR, 0x80, kEl3);
  g.icc(ICC_PMR, 0xe0, kNsEl1);
  EXPECT_EQ(g.icc(ICC_PMR, kEl3), 0xf0u);
  EXPECT_EQ(g.icc(ICC_PMR, kSecureEl1), 0xf0u);
  EXPECT_EQ(g.icc(ICC_PMR, kNsEl1), 0xe0u);
  // Without SCR_EL3.FIQ there is no shift.
  SysregAccessor unshifted = kNsEl1;
  unshifted.fiq_to_el3 = false;
  EXPECT_EQ(g.icc(ICC_PMR, unshifted), 0xf0u);
}

TEST(Gicv3Security, BanksOfTheCpuInterface) {
  SecureV3 g;
  g.icc(ICC_IGRPEN1, 1, kNsEl1);
  EXPECT_EQ(g.icc(ICC_IGRPEN1_EL3, kEl3), 1u);
  g.icc(ICC_IGRPEN1, 1, kEl3ForSecure);
  EXPECT_EQ(g.icc(ICC_IGRPEN1_EL3, kEl3), 3u);
  EXPECT_EQ(g.icc(ICC_IGRPEN1, kSecureEl1), 1u);
  g.icc(ICC_BPR1, 3, kSecureEl1);
  g.icc(ICC_BPR1, 6, kNsEl1);
  EXPECT_EQ(g.icc(ICC_BPR1, kSecureEl1), 3u);
  EXPECT_EQ(g.icc(ICC_BPR1, kEl3), 6u);
  EXPECT_EQ(g.icc(ICC_BPR1, kEl3ForSecure), 3u);
  g.icc(ICC_CTLR, 3, kNsEl1);  // EOImode; CBPR is read-only
  EXPECT_EQ(g.icc(ICC_CTLR, kNsEl1) & 3, 2u);
  EXPECT_EQ(g.icc(ICC_CTLR, kSecureEl1) & 3, 0u);
  EXPECT_EQ(g.icc(ICC_CTLR_EL3, kEl3) & 0x1f, 0x10u);
  g.icc(ICC_CTLR_EL3, 0x0f, kEl3);
  EXPECT_EQ(g.icc(ICC_CTLR, kNsEl1) & 3, 1u);
  EXPECT_EQ(g.icc(ICC_CTLR, kSecureEl1) & 3, 3u);
  EXPECT_EQ(g.icc(ICC_SRE_EL3, kEl3), 0xfu);
  EXPECT_EQ(g.icc(ICC_SRE_EL2, kEl3), 0u);  // no EL2
  EXPECT_FALSE(V3().gic.cpu_interface(0).implements(ICC_CTLR_EL3));
}

TEST(Gicv3Security, CommonBinaryPoints) {
  SecureV3 g;
  g.icc(ICC_BPR0, 4, kEl3);
  g.icc(ICC_BPR1, 3, kSecureEl1), g.icc(ICC_BPR1, 6, kNsEl1);
  g.icc(ICC_CTLR_EL3, 3, kEl3);
  EXPECT_EQ(g.icc(ICC_BPR1, kNsEl1), 5u);      // ICC_BPR0 + 1
  EXPECT_EQ(g.icc(ICC_BPR1, kSecureEl1), 4u);  // ICC_BPR0 itself
  g.icc(ICC_BPR1, 7, kNsEl1);
  EXPECT_EQ(g.icc(ICC_BPR0, kEl3), 4u);
  g.icc(ICC_BPR1, 5, kSecureEl1);
  EXPECT_EQ(g.icc(ICC_BPR0, kEl3), 5u);
  EXPECT_EQ(g.icc(ICC_BPR1, kEl3), 6u);  // EL3 reaches the register behind it
}

// The pseudocode of ICC_IAR0_EL1 and ICC_IAR1_EL1.
TEST(Gicv3Security, AcknowledgeByGroupAndSecurityState) {
  struct Case {
    unsigned intid;
    SysregAccessor who;
    u64 iar0, iar1;
  };
  constexpr unsigned k0 = SecureV3::k0, k1S = SecureV3::k1S, k1Ns = SecureV3::k1Ns;
  for (const Case& c :
       {Case{k0, kEl3, k0, 1023}, Case{k0, kSecureEl1, k0, 1023}, Case{k0, kNsEl1, 1023, 1023},
        Case{k1S, kEl3, 1020, k1S}, Case{k1S, kSecureEl1, 1023, k1S}, Case{k1S, kNsEl1, 1023, 1023},
        Case{k1Ns, kEl3, 1021, k1Ns}, Case{k1Ns, kSecureEl1, 1023, 1023}, Case{k1Ns, kNsEl1, 1023, k1Ns}}) {
    SecureV3 g;
    g.firmware();
    g.raise(c.intid);
    EXPECT_EQ(g.icc(ICC_HPPIR0, c.who), c.iar0) << c.intid << " EL" << int(c.who.el) << c.who.secure;
    EXPECT_EQ(g.icc(ICC_HPPIR1, c.who), c.iar1) << c.intid << " EL" << int(c.who.el) << c.who.secure;
    EXPECT_EQ(g.icc(ICC_IAR0, c.who), c.iar0) << c.intid << " EL" << int(c.who.el) << c.who.secure;
    if (c.iar0 == c.intid) continue;
    EXPECT_EQ(g.icc(ICC_IAR1, c.who), c.iar1) << c.intid << " EL" << int(c.who.el) << c.who.secure;
  }
}

TEST(Gicv3Security, RunningPriorityAndEndOfInterrupt) {
  SecureV3 g;
  g.firmware();
  g.raise(SecureV3::k1Ns);
  ASSERT_EQ(g.icc(ICC_IAR1, kNsEl1), SecureV3::k1Ns);
  EXPECT_EQ(g.icc(ICC_RPR, kNsEl1), 0x40u);
  EXPECT_EQ(g.icc(ICC_RPR, kEl3), 0xa0u);
  g.raise(SecureV3::k0);  // preempts
  EXPECT_TRUE(g.out[0].fiq);
  ASSERT_EQ(g.icc(ICC_IAR0, kEl3), SecureV3::k0);
  EXPECT_EQ(g.icc(ICC_RPR, kNsEl1), 0u);
  g.icc(ICC_EOIR1, SecureV3::k1Ns, kNsEl1);  // not the highest active priority
  EXPECT_EQ(g.icc(ICC_RPR, kEl3), 0x10u);
  g.icc(ICC_EOIR0, SecureV3::k0, kNsEl1);  // not Non-secure software's to end
  EXPECT_EQ(g.icc(ICC_RPR, kEl3), 0x10u);
  g.raise(SecureV3::k0, false);
  g.icc(ICC_EOIR0, SecureV3::k0, kEl3);
  g.icc(ICC_EOIR1, SecureV3::k1Ns, kNsEl1);
  EXPECT_EQ(g.icc(ICC_RPR, kNsEl1), 0xffu);
}

TEST(Gicv3Security, SgisGoWhereTheyAreInTheGroupThatTheSenderMayReach) {
  constexpr u64 to_pe1 = 2;
  auto sgi = [](unsigned n) { return u64{n} << 24 | to_pe1; };
  auto pending = [](SecureV3& g) { return g.sr(1, GICR_ISPENDR0); };
  SecureV3 g;
  g.firmware();
  g.icc(ICC_SGI0R, sgi(0), kNsEl1);
  g.icc(ICC_ASGI1R, sgi(1), kNsEl1);
  g.icc(ICC_SGI1R, sgi(1), kNsEl1);
  EXPECT_EQ(pending(g), 0u);
  g.icc(ICC_SGI1R, sgi(2), kNsEl1);
  EXPECT_EQ(pending(g), 4u);
  g.icc(ICC_SGI1R, sgi(3), kSecureEl1);  // Secure Group 1 only
  EXPECT_EQ(pending(g), 4u);
  g.icc(ICC_ASGI1R, sgi(3), kSecureEl1);
  EXPECT_EQ(pending(g), 0xcu);
  g.icc(ICC_SGI1R, sgi(1), kSecureEl1);
  g.icc(ICC_SGI1R, sgi(0), kSecureEl1);  // Group 0 takes Secure Group 1 requests
  EXPECT_EQ(pending(g), 0xfu);
  SecureV3 h;
  h.firmware();
  h.icc(ICC_SGI0R, sgi(0), kEl3);
  h.icc(ICC_SGI1R, sgi(4), kEl3);  // SCR_EL3.NS is 1
  EXPECT_EQ(pending(h), 0x11u);
}

TEST(Gicv3Security, ForAKernelResetLeavesWhatFirmwareWouldHave) {
  SecureV3 g;
  g.gic.reset_for_non_secure(true);
  g.gic.reset();
  SysregAccessor kernel{.el = 1, .secure = false, .fiq_to_el3 = false, .secure_el1 = false};
  g.d(GICD_CTLR, 0x13, 0);
  g.r(0, GICR_WAKER, 0);
  g.icc(ICC_PMR, 0xf0, kernel);
  g.icc(ICC_IGRPEN1, 1, kernel);
  g.arm(42, 0xa0);
  g.raise(42);
  EXPECT_TRUE(g.out[0].irq);
  EXPECT_EQ(g.icc(ICC_IAR1, kernel), 42u);
}

}  // namespace
}  // namespace sluice::gic_rig
