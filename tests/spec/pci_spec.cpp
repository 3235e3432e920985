// What software may rely on when PCI functions, IOMMUs and memory meet. One claim each.
#include <thread>

#include "tests/unit/pci_rig.h"

namespace sluice::pci_test {
namespace {

constexpr u8 kDev = 6 << 3;

IommuIndex index_of(u8 devfn) { return test::TestIommu::index_of(PaSpace::NonSecure, devfn); }

void start_edu_dma(World& w, u64 bar, u64 to) {
  w.store(bar + 0x80, 8, 0x40000);
  w.store(bar + 0x88, 8, to);
  w.store(bar + 0x90, 8, 64);
  w.store(bar + 0x98, 8, 7);
}

SPEC("D1, D2: data and messages of a PCI function carry the same requester ID and initiator") {
  World w;
  Probe& p = w.add<Probe>(kDev + 1);
  w.enable(kDev + 1, 1, kWindow);
  w.store(kWindow, 8, kDoorbell);
  w.store(kWindow + 8, 8, 5);
  w.cfg(kDev + 1, u16(w.capability(kDev + 1, 0x11) + 2), 2, 0x8000);
  p.event(0);
  ASSERT_EQ(w.doorbell.writes, 1);
  const MemTxAttrs message = w.doorbell.last.attrs;
  ASSERT_TRUE(p.dma_port().store(kDoorbell, 4, 6).is_ok());
  EXPECT_EQ(w.doorbell.last.attrs, message);
  EXPECT_EQ(message.requester, u32{kDev + 1});
  EXPECT_EQ(message.initiator.kind, Initiator::Kind::Device);
}

SPEC("D5: DMA of a PCI function goes through an IOMMU behind an IOMMU") {
  World w{true};
  auto second = std::make_shared<test::TestIommu>(w.hub, kWholeSpace, "second");
  AddressSpace between{w.topology, "between", second};
  Probe& p = w.add<Probe>(kDev);
  w.cfg(kDev, COMMAND, 2, MASTER);
  w.iommu->map(index_of(kDev), {{0x1000, 0x1fff}, 0x8000, Access::ReadWrite, &between});
  EXPECT_FALSE(p.dma_port().store(0x1000, 4, 1).is_ok());
  EXPECT_EQ(second->refusals, 1);
  second->map(index_of(kDev), {{0x8000, 0x8fff}, kRam, Access::ReadWrite, &w.system});
  EXPECT_TRUE(p.dma_port().store(0x1004, 4, 0xabcd).is_ok());
  EXPECT_EQ(w.ram_get<u32>(kRam + 4), 0xabcdu);
}

SPEC("D6: memory that a PCI function has mapped is taken back by an unmap of its IOMMU") {
  World w{true};
  Probe& p = w.add<Probe>(kDev);
  w.cfg(kDev, COMMAND, 2, MASTER);
  w.iommu->map(index_of(kDev), {{0, 0xffff}, kRam, Access::ReadWrite, &w.system});
  DmaMapper mapper{p.dma_port()};
  auto [mapping, result] = mapper.map(0x1000, 0x1000, Access::Write);
  ASSERT_TRUE(result.is_ok());
  w.hub.complete(w.iommu->unmap(index_of(kDev + 8), {0, 0xffff}));
  EXPECT_FALSE(mapping.revoked());
  w.hub.complete(w.iommu->unmap(index_of(kDev), {0, 0xffff}));
  EXPECT_TRUE(mapping.revoked());
}

SPEC("D13: a PCI function whose machine is reset makes no transaction that an IOMMU could refuse") {
  World w{true};
  w.add<Edu>(kDev, w.clock, ~u64{0});
  u64 bar = w.enable(kDev, 0, kWindow);
  start_edu_dma(w, bar, kRam);
  w.host.reset();
  w.run_for(2 * Edu::kDmaNs);
  EXPECT_EQ(w.iommu->refusals, 0);
  w.enable(kDev, 0, kWindow);
  start_edu_dma(w, bar, kRam);
  w.run_for(2 * Edu::kDmaNs);
  EXPECT_EQ(w.iommu->refusals, 1);
}

SPEC("D14: whatever software writes into configuration space, a function keeps its requester ID") {
  World w;
  Probe& p = w.add<Probe>(kDev);
  for (u32 value : {0u, 0x01010101u, ~0u})
    for (u16 offset = 0; offset < 0x100; offset += 4) {
      w.cfg(kDev, offset, 4, value);
      w.cfg(kDev, COMMAND, 2, MASTER);
      ASSERT_TRUE(p.dma_port().store(kDoorbell, 4, 1).is_ok());
      ASSERT_EQ(w.doorbell.last.attrs.requester, u32{kDev}) << offset;
    }
}

SPEC("a PCI function's IOMMU table entry for another function gives it nothing") {
  World w{true};
  Probe& p = w.add<Probe>(kDev);
  w.cfg(kDev, COMMAND, 2, MASTER);
  w.iommu->map(index_of(kDev + 8), {{0, ~u64{0}}, 0, Access::ReadWrite, &w.system});
  EXPECT_FALSE(p.dma_port().store(kRam, 4, 1).is_ok());
  EXPECT_EQ(w.iommu->last_refused->attrs.requester, u32{kDev});
}

SPEC("clearing Bus Master Enable is complete when the write has retired, also while a transfer runs") {
  World w;
  Probe& p = w.add<Probe>(kDev);
  w.cfg(kDev, COMMAND, 2, MASTER);
  std::atomic<unsigned> phase{0};  // odd: the write that cleared it has retired
  std::atomic<bool> stop{false}, late{false};
  std::thread device{[&] {
    while (!stop) {
      EpochDomain::Guard guard(w.hub.epochs());
      unsigned before = phase;
      bool done = p.dma_port().store(kRam, 4, 1).is_ok();
      if (done && before % 2 && phase == before) late = true;
    }
  }};
  for (int i = 0; i < 500; i++) {
    w.cfg(kDev, COMMAND, 2, 0);
    phase++;
    std::this_thread::yield();
    phase++;
    w.cfg(kDev, COMMAND, 2, MASTER);
  }
  stop = true;
  device.join();
  EXPECT_FALSE(late);
}

SPEC("two PCI functions that reach each other's registers by DMA do not hang the machine") {
  World w;
  constexpr u8 kA = 1 << 3, kB = 2 << 3;
  w.add<IommuTestdev>(kA, w.system);
  w.add<IommuTestdev>(kB, w.system);
  u64 a = w.enable(kA, 0, kWindow), b = w.enable(kB, 0, kWindow + 0x1000);
  auto hammer = [&](u64 own, u64 other) {
    for (int i = 0; i < 50; i++) {
      w.store(own + 0x04, 4, other + 0x1c);
      w.store(own + 0x0c, 4, 4);
      w.store(own + 0x14, 4, 1);
      w.load(own, 4);
      u64 result = w.load(own + 0x10, 4);
      EXPECT_EQ(result >> 16, 0xdeadu);  // nothing reads back as written: the other function is in the way
    }
  };
  std::thread other{[&] { hammer(b, a); }};
  hammer(a, b);
  other.join();
}

}  // namespace
}  // namespace sluice::pci_test
