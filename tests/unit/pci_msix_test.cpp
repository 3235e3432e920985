// MSI-X and MSI, and the GICv2m frame. PCI Express Base Specification 5.0, 6.1.4, 7.7.1, 7.7.2; Arm Server
// Base System Architecture 3.0, Appendix E.
#include "devices/gic/gicv2.h"
#include "devices/gic/gicv2m.h"
#include "tests/unit/pci_rig.h"

namespace sluice::pci_test {
namespace {

constexpr u8 kDev = 2 << 3;
constexpr u64 kTable = kWindow + 0x2000, kPba = kTable + 0x800;
constexpr u32 kEnable = 0x8000, kMaskAll = 0x4000;

struct MsixWorld : World {
  Probe& probe;
  u16 control;
  explicit MsixWorld(unsigned vectors = 4) : probe(add<Probe>(kDev, vectors)) {
    enable(kDev, 1, kTable);
    control = u16(capability(kDev, 0x11) + 2);
  }
  void entry(unsigned n, u32 data, bool masked = false) {
    store(kTable + 16 * n, 4, kDoorbell + kDoorbellRegister);
    store(kTable + 16 * n + 4, 4, 0);
    store(kTable + 16 * n + 8, 4, data);
    store(kTable + 16 * n + 12, 4, masked);
  }
};

TEST(Msix, CapabilityNamesVectorsTableAndPba) {
  MsixWorld w;
  u16 at = u16(w.control - 2);
  EXPECT_EQ(w.cfg(kDev, w.control, 2), 3u);  // N - 1
  EXPECT_EQ(w.cfg(kDev, u16(at + 4)), 1u);
  EXPECT_EQ(w.cfg(kDev, u16(at + 8)), 0x801u);
  w.cfg(kDev, w.control, 2, 0xffff);
  EXPECT_EQ(w.cfg(kDev, w.control, 2), 0xc003u);
}

TEST(Msix, VectorsAreMaskedAfterResetAndTheTableReadsBack) {
  MsixWorld w;
  for (unsigned n = 0; n < 4; n++) EXPECT_EQ(w.load(kTable + 16 * n + 12, 4), 1u);
  w.store(kTable + 16, 8, 0xfedcba9876543213);
  EXPECT_EQ(w.load(kTable + 16, 8), 0xfedcba9876543210u);  // address[1:0] are zero
  w.store(kTable + 28, 4, ~0u);
  EXPECT_EQ(w.load(kTable + 28, 4), 1u);
}

TEST(Msix, ResetForgetsTableAndPendingBits) {
  MsixWorld w;
  w.entry(0, 7);
  w.entry(1, 8, true);
  w.cfg(kDev, w.control, 2, kEnable);
  w.probe.event(1);
  w.host.reset();
  w.enable(kDev, 1, kTable);
  EXPECT_EQ(w.cfg(kDev, w.control, 2), 3u);
  EXPECT_EQ(w.load(kTable, 8), 0u);
  EXPECT_EQ(w.load(kTable + 12, 4), 1u);
  EXPECT_EQ(w.load(kPba, 8), 0u);
  w.probe.event(0);  // not enabled: neither sent nor pending
  EXPECT_EQ(w.load(kPba, 8), 0u);
  EXPECT_EQ(w.doorbell.writes, 0);
}

TEST(Msix, AMessageIsAWriteOfTheFunctionWithItsRequesterId) {
  MsixWorld w;
  w.entry(2, 0xcafe);
  w.cfg(kDev, w.control, 2, kEnable);
  w.probe.event(2);
  ASSERT_EQ(w.doorbell.writes, 1);
  EXPECT_EQ(w.doorbell.last.offset, kDoorbellRegister);
  EXPECT_EQ(w.doorbell.last.size, 4u);
  EXPECT_EQ(w.doorbell.last.value, 0xcafeu);
  EXPECT_EQ(w.doorbell.last.attrs.requester, u32{kDev});
}

TEST(Msix, AMaskedVectorPendsAndIsSentOnceWhenUnmasked) {
  MsixWorld w;
  w.entry(1, 7, true);
  w.cfg(kDev, w.control, 2, kEnable);
  w.probe.event(1);
  w.probe.event(1);
  EXPECT_EQ(w.doorbell.writes, 0);
  EXPECT_EQ(w.load(kPba, 8), 2u);
  w.store(kTable + 16 + 12, 4, 0);
  EXPECT_EQ(w.doorbell.writes, 1);
  EXPECT_EQ(w.doorbell.last.value, 7u);
  EXPECT_EQ(w.load(kPba, 8), 0u);
}

TEST(Msix, TheFunctionMaskPendsAllVectors) {
  MsixWorld w;
  for (unsigned n = 0; n < 4; n++) w.entry(n, n);
  w.cfg(kDev, w.control, 2, kEnable | kMaskAll);
  w.probe.event(0);
  w.probe.event(3);
  EXPECT_EQ(w.doorbell.writes, 0);
  EXPECT_EQ(w.load(kPba, 4), 9u);
  w.cfg(kDev, w.control, 2, kEnable);
  EXPECT_EQ(w.doorbell.writes, 2);
  EXPECT_EQ(w.load(kPba, 4), 0u);
}

TEST(Msix, WithoutBusMasterEnableNoMessageLeaves) {
  MsixWorld w;
  w.entry(0, 1);
  w.cfg(kDev, w.control, 2, kEnable);
  w.cfg(kDev, COMMAND, 2, MEMORY);
  w.probe.event(0);
  EXPECT_EQ(w.doorbell.writes, 0);
}

TEST(Msix, WhileEnabledTheFunctionDoesNotUseIntx) {
  MsixWorld w;
  w.probe.level(true);
  EXPECT_TRUE(w.intx[2]);
  w.cfg(kDev, w.control, 2, kEnable);
  EXPECT_FALSE(w.intx[2]);
  w.cfg(kDev, w.control, 2, 0);
  EXPECT_TRUE(w.intx[2]);
}

TEST(Msix, NothingHappensForVectorsAndOffsetsThatAreNotThere) {
  MsixWorld w{3};
  w.cfg(kDev, w.control, 2, kEnable);
  w.probe.event(3);
  w.probe.event(0xffff);
  w.store(kTable + 48, 4, ~0u);
  EXPECT_EQ(w.load(kTable + 48, 4), 0u);
  w.store(kPba, 4, ~0u);
  EXPECT_EQ(w.load(kPba, 4), 0u);
  u64 value = 0;
  EXPECT_FALSE(w.system.load({kTable}, 1, value, kPe).is_ok());  // 7.7.2.5: dwords and qwords only
  EXPECT_EQ(w.doorbell.writes, 0);
}

TEST(Msix, TwoThousandVectorsHaveRoomForTableAndPba) {
  MsixWorld w{2048};
  w.cfg(kDev, BAR0 + 4, 4, ~0u);
  EXPECT_EQ(w.cfg(kDev, BAR0 + 4), 0xffff0000u);
  w.enable(kDev, 1, 0x20000000);
  w.cfg(kDev, w.control, 2, kEnable);
  w.probe.event(2047);
  EXPECT_EQ(w.load(0x20008000 + 2047 / 8 / 4 * 4, 4), 1u << 31);
}

TEST(Msi, EduSendsItsOneVector) {
  World w;
  w.add<Edu>(kDev, w.clock);
  u64 at = w.enable(kDev, 0, kWindow);
  u16 msi = w.capability(kDev, 0x05);
  EXPECT_EQ(w.cfg(kDev, u16(msi + 2), 2), 0x80u);  // 64 bit, one vector
  w.cfg(kDev, u16(msi + 4), 4, kDoorbell + kDoorbellRegister);
  w.cfg(kDev, u16(msi + 8), 4, 0);
  w.cfg(kDev, u16(msi + 12), 2, 0x55);
  w.store(at + 0x60, 4, 1);
  EXPECT_EQ(w.doorbell.writes, 0);
  EXPECT_TRUE(w.intx[2]);
  w.store(at + 0x64, 4, 1);
  w.cfg(kDev, u16(msi + 2), 2, 1);
  w.store(at + 0x60, 4, 0x10);
  EXPECT_EQ(w.doorbell.last.value, 0x55u);
  EXPECT_EQ(w.doorbell.last.attrs.requester, u32{kDev});
  EXPECT_FALSE(w.intx[2]);
}

struct V2mWorld {
  Gicv2 gic{{.pes = 1, .spis = 256}};
  std::vector<IrqLine> lines() {
    std::vector<IrqLine> all;
    for (unsigned n = 48; n < 112; n++) all.push_back(gic.spi(n));
    return all;
  }
  Gicv2m frame{80, lines()};
  u64 read(u64 offset) {
    u64 value = 0;
    EXPECT_TRUE(frame.read(offset, 4, value, kPe).is_ok());
    return value;
  }
  void write(u64 offset, u64 value) {
    EXPECT_TRUE(frame.write(offset, 4, value, MemTxAttrs::device(1, 8)).is_ok());
  }
  u64 pending(unsigned word) {
    u64 value = 0;
    (void)gic.distributor().read(0x200 + 4 * word, 4, value, kPe);
    return value;
  }
};

TEST(Gicv2m, TyperNamesTheFirstIntidAndHowMany) {
  V2mWorld w;
  EXPECT_EQ(w.read(0x008), 80u << 16 | 64);
}

TEST(Gicv2m, AMessageMakesItsSpiPending) {
  V2mWorld w;
  (void)w.gic.distributor().write(0xc00 + 80 / 16 * 4, 4, 0xaaaaaaaa, kPe);  // edge triggered
  w.write(0x040, 80);
  EXPECT_EQ(w.pending(2), 1u << 16);
  (void)w.gic.distributor().write(0xc00 + 143 / 16 * 4, 4, 0xaaaaaaaa, kPe);
  w.write(0x040, 143);
  EXPECT_EQ(w.pending(4), 1u << 15);
}

TEST(Gicv2m, MessagesForOtherInterruptsAndOtherRegistersDoNothing) {
  V2mWorld w;
  for (u32 n = 0; n < 8; n++) (void)w.gic.distributor().write(0xc08 + 4 * n, 4, 0xaaaaaaaa, kPe);
  for (u64 intid : {0, 1, 32, 79, 144, 1023}) w.write(0x040, intid);
  w.write(0x008, 80);
  w.write(0x000, 80);
  w.write(0xffc, 80);
  for (unsigned word = 1; word < 8; word++) EXPECT_EQ(w.pending(word), 0u);
  EXPECT_EQ(w.read(0x040), 0u);
}

}  // namespace
}  // namespace sluice::pci_test
