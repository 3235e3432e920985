// edu and iommu-testdev through their registers. Expected values: QEMU docs/specs/edu and
// docs/specs/iommu-testdev.
#include "tests/unit/pci_rig.h"

namespace sluice::pci_test {
namespace {

constexpr u8 kDev = 4 << 3;

struct EduWorld : World {
  u64 at;
  explicit EduWorld(bool with_iommu = false, u64 mask = Edu::kDefaultDmaMask) : World(with_iommu) {
    add<Edu>(kDev, clock, mask);
    at = enable(kDev, 0, kWindow);
  }
  u64 get(u64 offset, unsigned size = 4) { return load(at + offset, size); }
  void put(u64 offset, u64 value, unsigned size = 4) { store(at + offset, size, value); }
  void dma(u64 from, u64 to, u64 count, u64 command) {
    put(0x80, from, 8);
    put(0x88, to, 8);
    put(0x90, count, 8);
    put(0x98, command, 8);
  }
};

TEST(Edu, Identity) {
  EduWorld w;
  EXPECT_EQ(w.cfg(kDev, VENDOR), 0x11e81234u);
  EXPECT_EQ(w.cfg(kDev, 8), 0x00ff0010u);
  EXPECT_EQ(w.get(0x00), 0x010000edu);
  w.put(0x04, 0x12345678);
  EXPECT_EQ(w.get(0x04), 0xedcba987u);
}

TEST(Edu, FactorialTakesTimeAndMayInterrupt) {
  EduWorld w;
  w.put(0x20, 0x80);
  w.put(0x08, 10);
  EXPECT_EQ(w.get(0x20), 0x81u);
  w.put(0x08, 3);  // busy: not taken
  w.run_for(Edu::kFactorialNs);
  EXPECT_EQ(w.get(0x20), 0x80u);
  EXPECT_EQ(w.get(0x08), 3628800u);
  EXPECT_EQ(w.get(0x24), 1u);
  EXPECT_TRUE(w.intx[0]);
  w.put(0x64, 1);
  EXPECT_FALSE(w.intx[0]);
}

TEST(Edu, FactorialsAreModulo32Bits) {
  EduWorld w;
  for (auto [n, result] :
       {std::pair{0u, 1u}, {1u, 1u}, {13u, 1932053504u}, {33u, 2147483648u}, {34u, 0u}, {0xffffffffu, 0u}}) {
    w.put(0x08, n);
    w.run_for(Edu::kFactorialNs);
    EXPECT_EQ(w.get(0x08), result) << n;
  }
  EXPECT_EQ(w.get(0x24), 0u);
}

TEST(Edu, InterruptsAreRaisedAndAcknowledgedBitByBit) {
  EduWorld w;
  w.put(0x60, 0x101);
  EXPECT_EQ(w.get(0x24), 0x101u);
  w.put(0x64, 0x100);
  EXPECT_TRUE(w.intx[0]);
  w.put(0x64, 1);
  EXPECT_FALSE(w.intx[0]);
  w.put(0x60, 0);
  EXPECT_FALSE(w.intx[0]);
}

TEST(Edu, DmaRoundTripInVirtualTime) {
  EduWorld w{false, ~u64{0}};
  for (unsigned i = 0; i < 100; i++) w.ram_put<u8>(kRam + i, u8(i * 7));
  w.dma(kRam, 0x40000 + 50, 100, 1);
  EXPECT_EQ(w.get(0x98, 8), 1u);
  w.put(0x80, 0, 8);  // busy: not taken
  w.run_for(Edu::kDmaNs - 1);
  EXPECT_EQ(w.get(0x98, 8), 1u);
  w.run_for(1);
  EXPECT_EQ(w.get(0x98, 8), 0u);
  EXPECT_FALSE(w.intx[0]);
  w.dma(0x40000 + 50, kRam + 0x1000, 100, 7);
  w.run_for(Edu::kDmaNs);
  for (unsigned i = 0; i < 100; i++) ASSERT_EQ(w.ram_get<u8>(kRam + 0x1000 + i), u8(i * 7));
  EXPECT_EQ(w.get(0x24), 0x100u);
  EXPECT_TRUE(w.intx[0]);
}

TEST(Edu, DmaAddressesAreMasked) {
  EduWorld w;  // 28 bits
  w.ram_put<u32>(kRam, 0x5a5a5a5a);
  w.dma(kRam, 0x40000, 4, 1);  // 0x40000000 becomes 0, where nothing is
  w.run_for(Edu::kDmaNs);
  w.enable(kDev, 0, kWindow);
  EXPECT_EQ(w.get(0x98, 8), 0u);
  w.dma(0x40000, kRam + 4, 4, 3);
  w.run_for(Edu::kDmaNs);
  EXPECT_EQ(w.ram_get<u32>(kRam + 4), 0u);
}

TEST(Edu, DmaOutsideTheBufferMovesNothing) {
  EduWorld w{false, ~u64{0}};
  w.ram_put<u64>(kRam, 0x1122334455667788);
  for (auto [to, count] : {std::pair{u64{0x3ffff}, u64{8}},
                           {0x40ffd, 4},
                           {0x41000, 1},
                           {0x40000, 0x1001},
                           {0x40000, ~u64{0}},
                           {~u64{0}, 8},
                           {0, 0x41000}}) {
    w.dma(kRam, to, count, 5);
    w.run_for(Edu::kDmaNs);
    EXPECT_EQ(w.get(0x98, 8), 4u);
  }
  w.dma(0x40000, kRam + 0x1000, 0x1000, 3);
  w.run_for(Edu::kDmaNs);
  for (unsigned i = 0; i < 0x1000; i += 8) ASSERT_EQ(w.ram_get<u64>(kRam + 0x1000 + i), 0u);
}

TEST(Edu, WrongSizesAndOffsets) {
  EduWorld w;
  u64 value = 0;
  EXPECT_FALSE(w.system.load({w.at}, 1, value, kPe).is_ok());
  EXPECT_FALSE(w.system.store({w.at + 0x60}, 2, 1, kPe).is_ok());
  EXPECT_EQ(w.get(0x00, 8), ~u64{0});
  w.put(0x60, 1, 8);
  EXPECT_EQ(w.get(0x24), 0u);
  EXPECT_EQ(w.get(0x0c), 0xffffffffu);
  EXPECT_EQ(w.get(0xffff8, 8), ~u64{0});
  w.put(0x00, 0);
  w.put(0x24, 1);
  EXPECT_EQ(w.get(0x00), 0x010000edu);
  EXPECT_EQ(w.get(0x24), 0u);
  EXPECT_EQ(w.get(0x60), 0xffffffffu);
}

TEST(Edu, ResetStopsWhatIsUnderWay) {
  EduWorld w{false, ~u64{0}};
  w.put(0x20, 0x80);
  w.put(0x08, 5);
  w.dma(kRam, 0x40000, 8, 5);
  w.host.reset();
  w.run_for(Edu::kDmaNs);
  w.enable(kDev, 0, kWindow);
  for (u64 offset : {0x04, 0x08, 0x20, 0x24, 0x80, 0x88, 0x90, 0x98}) EXPECT_EQ(w.get(offset), 0u) << offset;
  EXPECT_FALSE(w.intx[0]);
}

struct TestdevWorld : World {
  u64 at;
  explicit TestdevWorld(bool with_iommu = false) : World(with_iommu) {
    add<IommuTestdev>(kDev, system);
    at = enable(kDev, 0, kWindow);
  }
  u32 get(u64 offset) { return u32(load(at + offset, 4)); }
  void put(u64 offset, u32 value) { store(at + offset, 4, value); }
  u32 run(u64 iova, u64 physical, u32 length, u32 attributes = 0xa) {
    put(0x04, u32(iova)), put(0x08, u32(iova >> 32));
    put(0x1c, u32(physical)), put(0x20, u32(physical >> 32));
    put(0x0c, length);
    put(0x18, attributes);
    put(0x14, 1);
    EXPECT_EQ(get(0x10), 0xfffffffeu);
    EXPECT_EQ(get(0x00), 0u);
    return get(0x10);
  }
};

TEST(IommuTestdev, IdentityAndResetValues) {
  TestdevWorld w;
  EXPECT_EQ(w.cfg(kDev, VENDOR), 0x00051b36u);
  EXPECT_EQ(w.cfg(kDev, CLASS, 2), 0x00ffu);
  EXPECT_EQ(w.get(0x10), 0xffffffffu);
  EXPECT_EQ(w.get(0x18), 2u);
  for (u64 offset : {0x04, 0x08, 0x0c, 0x14, 0x1c, 0x20, 0x24, 0xffc}) EXPECT_EQ(w.get(offset), 0u) << offset;
}

TEST(IommuTestdev, WritesThePatternAndReadsItBack) {
  TestdevWorld w;
  EXPECT_EQ(w.run(kRam, kRam, 7), 0u);
  EXPECT_EQ(w.ram_get<u32>(kRam), 0x12345678u);
  EXPECT_EQ(w.ram_get<u32>(kRam + 4), 0x00345678u);
  EXPECT_EQ(w.run(kRam, kRam + 0x1000, 4), 0xdead0004u);
}

TEST(IommuTestdev, TellsWhatWentWrong) {
  TestdevWorld w;
  EXPECT_EQ(w.get(0x00), 0u);
  EXPECT_EQ(w.get(0x10), 0xdead0005u);  // not armed
  EXPECT_EQ(w.run(kRam, kRam, 0), 0xdead0001u);
  EXPECT_EQ(w.run(kRam, kRam, IommuTestdev::kMaxLength + 1), 0xdead0001u);
  EXPECT_EQ(w.run(0xffff0000, kRam, 4), 0xdead0002u);
  EXPECT_EQ(w.run(kRam, 0xffff0000, 4), 0xdead0003u);
  EXPECT_EQ(w.run(kRam, kRam, 4, 0xb), 0xdead0006u);  // Secure bit, Non-secure space
  EXPECT_EQ(w.run(kRam, kRam, 4, 0x8), 0xdead0006u);  // the other way round
  w.get(0x00);
  EXPECT_EQ(w.get(0x10), 0xdead0005u);  // a trigger consumes what was armed
}

TEST(IommuTestdev, DoorbellArmsAndDisarms) {
  TestdevWorld w;
  w.put(0x14, 1);
  EXPECT_EQ(w.get(0x10), 0xfffffffeu);
  w.put(0x14, 0);
  EXPECT_EQ(w.get(0x10), 0xffffffffu);
  w.get(0x00);
  EXPECT_EQ(w.get(0x10), 0xdead0005u);
  u64 value = 0;
  EXPECT_FALSE(w.system.load({w.at}, 8, value, kPe).is_ok());
  EXPECT_FALSE(w.system.load({w.at}, 2, value, kPe).is_ok());
}

TEST(IommuTestdev, ADebuggerDoesNotTrigger) {
  TestdevWorld w;
  w.put(0x14, 1);
  u64 value = 0;
  EXPECT_TRUE(w.system.load({w.at}, 4, value, MemTxAttrs::debugger()).is_ok());
  EXPECT_EQ(w.get(0x10), 0xfffffffeu);
}

TEST(IommuTestdev, AttributesReachTheIommuAndTheReadBackBypassesIt) {
  TestdevWorld w{true};
  const PaSpace kSpaces[] = {PaSpace::Secure, PaSpace::NonSecure, PaSpace::Root, PaSpace::Realm};
  const u32 kAttributes[] = {0x9, 0xa, 0xc, 0xe};
  for (unsigned i = 0; i < 4; i++) {
    w.iommu->map(test::TestIommu::index_of(kSpaces[i], kDev),
                 {{0, 0xfff}, kRam + 0x1000 * i, Access::ReadWrite, &w.system});
    EXPECT_EQ(w.run(0x10, kRam + 0x1000 * i + 0x10, 4, kAttributes[i]), 0u) << i;
  }
  EXPECT_EQ(w.run(0x1000, kRam, 4), 0xdead0002u);
  EXPECT_EQ(w.iommu->refusals, 1);
  EXPECT_EQ(w.iommu->last_refused->attrs.requester, u32{kDev});
}

}  // namespace
}  // namespace sluice::pci_test
