// PCI Express functions and the host bridge, through the ECAM and the memory windows as software reaches
// them. Expected values: PCI Express Base Specification 5.0, 6.1, 6.6.2, 7.2.2, 7.5.
#include "tests/unit/pci_rig.h"

namespace sluice::pci_test {
namespace {

constexpr u8 kDev = 3 << 3;

TEST(PciHost, AbsentFunctionsReadAllOnesAndIgnoreWrites) {
  World w;
  for (u64 address : {World::ecam(kDev, 0), World::ecam(1, 0), kEcam + (1 << 20), kEcam + 0xfffffc,
                      World::ecam(0xff, 0xffc)}) {
    w.store(address, 4, 0);
    EXPECT_EQ(w.load(address, 4), 0xffffffffu);
    EXPECT_EQ(w.load(address + 1, 1), 0xffu);
    EXPECT_EQ(w.load(address + 2, 2), 0xffffu);
  }
  EXPECT_EQ(w.load(World::ecam(kDev, 0), 8), ~u64{0});
}

TEST(PciHost, UnclaimedMemoryAndIoReadAllOnes) {
  World w;
  for (u64 address : {kWindow, kWindow + kWindowSize - 8, kHighWindow, kHighWindow + kHighWindowSize - 8, kIo,
                      kIo + 0xfff8}) {
    w.store(address, 4, 0x12345678);
    EXPECT_EQ(w.load(address, 8), ~u64{0});
    EXPECT_EQ(w.load(address + 3, 2), 0xffffu);
  }
}

TEST(PciHost, TheBridgeItselfIsFunctionZero) {
  World w;
  EXPECT_EQ(w.cfg(0, VENDOR), 0x00081b36u);
  EXPECT_EQ(w.cfg(0, CLASS, 2), 0x0600u);
  EXPECT_EQ(w.cfg(0, HEADER, 1), 0u);
  EXPECT_EQ(w.cfg(0, BAR0), 0u);
}

TEST(ConfigSpace, EveryBitHasOneBehaviour) {
  ConfigSpace space;
  const ConfigField fields[] = {{"X", 0x80, 4, 0x11223344, 0x0000ff00, 0x00ff0000}};
  space.add(fields);
  space.write(0x80, 4, 0xffffffff);
  EXPECT_EQ(space.read(0x80, 4), 0x1100ff44u);  // written, cleared by 1, and two that are read-only
  space.set(0x80, 4, 0x00ff0000);
  space.write(0x82, 1, 0x0f);
  EXPECT_EQ(space.read(0x80, 4), 0x00f00000u);
  space.reset();
  EXPECT_EQ(space.read(0x80, 4), 0x11223344u);
}

TEST(ConfigSpace, HooksRunForWhatTheyTouch) {
  ConfigSpace space;
  int reads = 0, writes = 0;
  space.before_read(0x44, 4, [&] { reads++; });
  space.after_write(0x44, 4, [&] { writes++; });
  for (u16 offset : {0x43, 0x48}) space.write(offset, 1, 0), (void)space.read(offset, 1);
  EXPECT_EQ(reads + writes, 0);
  for (u16 offset : {0x44, 0x47}) space.write(offset, 1, 0), (void)space.read(offset, 1);
  EXPECT_EQ(reads, 2);
  EXPECT_EQ(writes, 2);
}

TEST(PciConfig, IdentityIsReadOnlyAtEverySize) {
  World w;
  w.add<Probe>(kDev);
  w.cfg(kDev, VENDOR, 4, 0);
  w.cfg(kDev, CLASS, 2, 0);
  EXPECT_EQ(w.cfg(kDev, VENDOR), 0x56781234u);
  EXPECT_EQ(w.cfg(kDev, VENDOR, 1), 0x34u);
  EXPECT_EQ(w.cfg(kDev, 1, 1), 0x12u);
  EXPECT_EQ(w.cfg(kDev, DEVICE, 2), 0x5678u);
  EXPECT_EQ(w.cfg(kDev, 8), 0xff000003u);
  EXPECT_EQ(w.cfg(kDev, 0x2c), 0x11001af4u);
  EXPECT_EQ(w.cfg(kDev, PIN, 1), 1u);
  EXPECT_EQ(w.load(World::ecam(kDev, 0), 8), 0x0010000056781234u);
}

TEST(PciConfig, AccessesAcrossRegistersDoWhatTheirPartsDo) {
  World w;
  w.add<Probe>(kDev);
  EXPECT_EQ(w.load(World::ecam(kDev, 1), 2), 0x7812u);  // bytes 1 and 2
  w.store(World::ecam(kDev, LINE - 1), 2, 0x5aff);
  EXPECT_EQ(w.cfg(kDev, LINE, 1), 0x5au);
  w.store(World::ecam(kDev, COMMAND), 8, MEMORY);
  EXPECT_EQ(w.cfg(kDev, COMMAND, 2), u32{MEMORY});
}

TEST(PciConfig, ReservedBitsAndBytesStayZero) {
  World w;
  w.add<Probe>(kDev);
  for (u16 offset = 0; offset < 4096; offset += 4) {
    if (offset >= BAR0 && offset < 0x100) continue;
    w.cfg(kDev, offset, 4, ~0u);
  }
  // I/O space, special cycles, VGA snoop, fast back-to-back are not there: hardwired 0.
  EXPECT_EQ(w.cfg(kDev, COMMAND, 2) & ~0x546u, 0u);
  for (u16 offset = 0x100; offset < 4096; offset += 4) EXPECT_EQ(w.cfg(kDev, offset), 0u) << offset;
}

TEST(PciConfig, CapabilitiesFormAListInTheirPlace) {
  World w;
  w.add<Probe>(kDev);
  w.add<Edu>(4 << 3, w.clock);
  EXPECT_TRUE(w.cfg(kDev, STATUS, 2) & 0x10);
  u16 express = w.capability(kDev, 0x10);
  ASSERT_NE(express, 0);
  EXPECT_EQ(w.cfg(kDev, u16(express + 2), 2), 0x0092u);  // version 2, root complex integrated endpoint
  EXPECT_NE(w.capability(kDev, 0x11), 0);
  EXPECT_NE(w.capability(4 << 3, 0x05), 0);
  EXPECT_EQ(w.capability(4 << 3, 0x11), 0);
  for (u8 devfn : {kDev, u8(4 << 3)})
    for (u16 at = u16(w.cfg(devfn, CAP, 1)), n = 0; at; at = u16(w.cfg(devfn, u16(at + 1), 1)), n++) {
      ASSERT_LT(n, 48);
      EXPECT_GE(at, 0x40);
      EXPECT_LT(at, 0x100);
      EXPECT_EQ(at % 4, 0);
    }
}

TEST(PciBar, SizingTellsSizeAndKind) {
  World w;
  w.add<Probe>(kDev);
  for (u16 bar = 0; bar < 6; bar++) w.cfg(kDev, u16(BAR0 + 4 * bar), 4, ~0u);
  EXPECT_EQ(w.cfg(kDev, BAR0), 0xfffff000u);
  EXPECT_EQ(w.cfg(kDev, BAR0 + 4), 0xfffff000u);
  EXPECT_EQ(w.cfg(kDev, BAR0 + 8), 0xffff000cu);  // 64 bit, prefetchable
  EXPECT_EQ(w.cfg(kDev, BAR0 + 12), 0xffffffffu);
  EXPECT_EQ(w.cfg(kDev, BAR0 + 16), 0u);
  EXPECT_EQ(w.cfg(kDev, BAR0 + 20), 0u);
  w.cfg(kDev, 0x30, 4, ~0u);
  EXPECT_EQ(w.cfg(kDev, 0x30), 0u);  // no expansion ROM
}

TEST(PciBar, DecodesOnlyWithMemorySpaceEnable) {
  World w;
  Probe& p = w.add<Probe>(kDev);
  p.registers.bytes[0] = 0x42;
  u64 at = w.enable(kDev, 0, kWindow + 0x5000, 0);
  EXPECT_EQ(w.load(at, 1), 0xffu);
  w.cfg(kDev, COMMAND, 2, MEMORY);
  EXPECT_EQ(w.load(at, 1), 0x42u);
  EXPECT_EQ(w.load(at + 0x1000, 1), 0xffu);
  w.cfg(kDev, BAR0, 4, u32(at + 0x10000));
  EXPECT_EQ(w.load(at, 1), 0xffu);
  EXPECT_EQ(w.load(at + 0x10000, 1), 0x42u);
  w.cfg(kDev, COMMAND, 2, 0);
  EXPECT_EQ(w.load(at + 0x10000, 1), 0xffu);
}

TEST(PciBar, SixtyFourBitBarsReachTheHighWindow) {
  World w;
  Probe& p = w.add<Probe>(kDev);
  p.wide_registers.bytes[4] = 0x99;
  u64 at = w.enable(kDev, 2, kHighWindow + kHighWindowSize - 0x10000);
  EXPECT_EQ(w.load(at + 4, 1), 0x99u);
  // One byte at a time, as slow firmware does it.
  for (unsigned i = 0; i < 4; i++) w.cfg(kDev, u16(BAR0 + 8 + i), 1, u8((kWindow + 0x70000) >> 8 * i));
  w.cfg(kDev, BAR0 + 12, 4, 0);
  EXPECT_EQ(w.load(kWindow + 0x70004, 1), 0x99u);
}

TEST(PciBar, OutsideTheWindowsItShadowsNothing) {
  World w;
  w.add<Probe>(kDev);
  w.ram_put<u32>(kRam, 0x11223344);
  for (u64 address : {kRam, kEcam, u64{0}, u64{0xfffff000}, kDoorbell}) {
    w.enable(kDev, 0, address);
    EXPECT_EQ(w.load(kRam, 4), 0x11223344u);
    EXPECT_EQ(w.cfg(kDev, VENDOR), 0x56781234u);
  }
  w.enable(kDev, 2, u64(0) - 0x10000);  // the last 64 KiB of the 64-bit space
  EXPECT_EQ(w.cfg(kDev, BAR0 + 12), 0xffffffffu);
}

TEST(PciFunction, IntxIsSwizzledByDeviceNumberAndShared) {
  World w;
  Probe* p[8];
  for (u8 d = 1; d <= 8; d++) p[d - 1] = &w.add<Probe>(u8(d << 3));
  for (unsigned d = 1; d <= 8; d++) {
    p[d - 1]->level(true);
    EXPECT_TRUE(w.intx[d % 4]) << d;
    p[d - 1]->level(false);
    EXPECT_FALSE(w.intx[d % 4]) << d;
  }
  p[0]->level(true);  // devices 1 and 5 share a line
  p[4]->level(true);
  p[0]->level(false);
  EXPECT_TRUE(w.intx[1]);
  p[4]->level(false);
  EXPECT_FALSE(w.intx[1]);
}

TEST(PciFunction, InterruptDisableKeepsTheLineLowAndStatusTellsTheTruth) {
  World w;
  Probe& p = w.add<Probe>(kDev);
  w.cfg(kDev, COMMAND, 2, INTX_DISABLE);
  p.level(true);
  EXPECT_FALSE(w.intx[3]);
  EXPECT_TRUE(w.cfg(kDev, STATUS, 2) & 8);
  w.cfg(kDev, STATUS, 2, 0xffff);  // not a bit that software clears
  EXPECT_TRUE(w.cfg(kDev, STATUS, 2) & 8);
  w.cfg(kDev, COMMAND, 2, 0);
  EXPECT_TRUE(w.intx[3]);
  p.level(false);
  EXPECT_FALSE(w.intx[3]);
  EXPECT_FALSE(w.cfg(kDev, STATUS, 2) & 8);
}

TEST(PciFunction, DmaNeedsBusMasterEnableAndCarriesTheRequesterId) {
  World w;
  Probe& p = w.add<Probe>(kDev + 2);
  u64 value = 0;
  EXPECT_FALSE(p.dma_port().load(kRam, 4, value).is_ok());
  EXPECT_FALSE(p.dma_port().store(kRam, 4, 1).is_ok());
  w.cfg(kDev + 2, COMMAND, 2, MASTER);
  EXPECT_TRUE(p.dma_port().store(kDoorbell, 4, 1).is_ok());
  EXPECT_EQ(w.doorbell.last.attrs.requester, u32{kDev + 2});
  EXPECT_EQ(w.doorbell.last.attrs, MemTxAttrs::device(256 + kDev + 2, kDev + 2));
  w.cfg(kDev + 2, COMMAND, 2, MEMORY);
  EXPECT_FALSE(p.dma_port().store(kDoorbell, 4, 2).is_ok());
  EXPECT_EQ(w.doorbell.writes, 1);
}

TEST(PciFunction, ClearingBusMasterEnableRevokesMappedMemory) {
  World w;
  Probe& p = w.add<Probe>(kDev);
  w.cfg(kDev, COMMAND, 2, MASTER);
  DmaMapper mapper{p.dma_port()};
  auto [mapping, result] = mapper.map(kRam, 0x2000, Access::ReadWrite);
  ASSERT_TRUE(result.is_ok());
  EXPECT_TRUE(bool(mapping.pin()));
  w.cfg(kDev, COMMAND, 2, 0);
  EXPECT_FALSE(bool(mapping.pin()));
}

TEST(PciFunction, FunctionLevelResetForgetsEverythingButIdentity) {
  World w;
  Probe& p = w.add<Probe>(kDev);
  u64 at = w.enable(kDev, 0, kWindow);
  p.level(true);
  u16 control = u16(w.capability(kDev, 0x10) + 8);
  w.cfg(kDev, control, 2, 0x8000);
  EXPECT_EQ(p.resets, 1);
  EXPECT_EQ(w.cfg(kDev, control, 2), 0x2810u);  // the bit reads 0; the others have their defaults
  EXPECT_EQ(w.cfg(kDev, VENDOR), 0x56781234u);
  EXPECT_EQ(w.cfg(kDev, COMMAND, 2), 0u);
  EXPECT_EQ(w.cfg(kDev, BAR0), 0u);
  EXPECT_EQ(w.load(at, 1), 0xffu);
  EXPECT_FALSE(w.intx[3]);
}

TEST(PciFunction, MultiFunctionDevicesSaySoInFunctionZero) {
  World w;
  w.add<Probe>(kDev + 2);
  EXPECT_EQ(w.cfg(kDev + 2, HEADER, 1), 0u);
  w.add<Probe>(kDev);
  EXPECT_EQ(w.cfg(kDev, HEADER, 1), 0x80u);
  w.host.reset();
  EXPECT_EQ(w.cfg(kDev, HEADER, 1), 0x80u);
  w.add<Probe>(4 << 3);
  EXPECT_EQ(w.cfg(4 << 3, HEADER, 1), 0u);
}

TEST(PciFunction, MachineResetUnmapsAndSilences) {
  World w;
  Probe& p = w.add<Probe>(kDev);
  u64 at = w.enable(kDev, 0, kWindow);
  p.level(true);
  w.host.reset();
  EXPECT_EQ(w.load(at, 4), 0xffffffffu);
  EXPECT_FALSE(w.intx[3]);
  EXPECT_EQ(w.cfg(kDev, COMMAND, 2), 0u);
  EXPECT_EQ(p.resets, 1);
}

TEST(PciFunction, ConfigurationSpaceReachedByItsOwnDmaDoesNotHang) {
  World w;
  w.add<Edu>(kDev, w.clock, ~u64{0});
  u64 at = w.enable(kDev, 0, kWindow);
  for (u64 target : {World::ecam(kDev, 0), at}) {
    w.store(at + 0x80, 8, 0x40000);
    w.store(at + 0x88, 8, target);
    w.store(at + 0x90, 8, 16);
    w.store(at + 0x98, 8, 3);
    w.run_for(Edu::kDmaNs);
    EXPECT_EQ(w.load(at + 0x98, 8), 2u);
  }
  EXPECT_EQ(w.load(at, 4), 0x010000edu);
}

TEST(PciHost, DescribesFunctionsWithRequesterIdsAndBars) {
  World w;
  w.add<Probe>(kDev + 1);
  w.enable(kDev + 1, 0, kWindow);
  std::string text = w.host.describe();
  EXPECT_NE(text.find("device   3, function 1: requester ID 0x0019"), std::string::npos) << text;
  EXPECT_NE(text.find("BAR0: 32 bit memory at 0x10000000 [0x10000fff]"), std::string::npos) << text;
  EXPECT_NE(text.find("BAR2: 64 bit prefetchable memory"), std::string::npos) << text;
}

}  // namespace
}  // namespace sluice::pci_test
