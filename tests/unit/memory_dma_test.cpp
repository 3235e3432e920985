// Mapped DMA: host pointers that can be taken back, and bounce buffers that keep their attributes.
#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include "tests/support/eventually.h"
#include "tests/support/memory_world.h"

namespace sluice {
namespace {

using test::ChainWorld;
using test::kDevice;
using test::TestDevice;

TEST(Dma, ScatteredPagesBecomeSpansAndNeighboursMerge) {
  ChainWorld w(1);
  w.map(0, {0, 0xfff}, 0x4000, Access::ReadWrite, kDevice);
  w.map(0, {0x1000, 0x1fff}, 0x5000, Access::ReadWrite, kDevice);
  w.map(0, {0x2000, 0x2fff}, 0x1000, Access::ReadWrite, kDevice);
  DmaMapper mapper(DmaPort(w.top(), kDevice));
  auto [mapping, result] = mapper.map(0x800, 0x2000, Access::ReadWrite);
  ASSERT_TRUE(result.is_ok());
  EXPECT_FALSE(mapping.bounced());
  {
    auto pin = mapping.pin();
    ASSERT_TRUE(pin);
    ASSERT_EQ(pin.spans().size(), 2u);
    EXPECT_EQ(reinterpret_cast<u8*>(pin.spans()[0].data()), w.ram->host() + 0x4800);
    EXPECT_EQ(pin.spans()[0].size(), 0x1800u);
    EXPECT_EQ(pin.spans()[1].size(), 0x800u);
  }
  EXPECT_EQ(mapper.live(), 1u);
  EXPECT_TRUE(mapping.unmap(0x2000).is_ok());
  EXPECT_EQ(mapper.live(), 0u);
}

TEST(Dma, RefusalsAreReportedOnceAndLeaveNothingBehind) {
  ChainWorld w(1);
  w.map(0, {0, 0xfff}, 0x4000, Access::Read, kDevice);
  DmaMapper mapper(DmaPort(w.top(), kDevice));
  auto refused = mapper.map(0x800, 0x100, Access::Write);
  EXPECT_EQ(refused.result.status, MemTxResult::Status::AccessError);
  EXPECT_FALSE(refused.mapping);
  EXPECT_EQ(w.iommu().refusals, 1);
  EXPECT_TRUE(mapper.map(0x800, 0x100, Access::Read).result.is_ok());
  EXPECT_EQ(mapper.map(0x800, 0x1000, Access::Read).result.status, MemTxResult::Status::AccessError);
  for (u64 length : {u64{0}, DmaMapper::kMaxLength + 1})
    EXPECT_EQ(mapper.map(0, length, Access::Read).result.reason, MemTxResult::Reason::BadSize);
  EXPECT_EQ(mapper.map(~u64{0}, 2, Access::Read).result.reason, MemTxResult::Reason::BadSize);
  EXPECT_EQ(mapper.live(), 0u);
}

TEST(Dma, BounceBuffersAreBoundedAndGivenBack) {
  ChainWorld w(0);
  TestDevice device;
  device.rules = {.impl_min = 1, .impl_max = 8};
  AddressSpace bus(w.topology, "bus", std::make_shared<MmioRegion>("regs", u128{1} << 32, device, nullptr));
  DmaMapper mapper(DmaPort(bus, kDevice));
  {
    auto big = mapper.map(0, DmaMapper::kMaxBounce, Access::Write);
    ASSERT_TRUE(big.result.is_ok());
    EXPECT_TRUE(big.mapping.bounced());
    EXPECT_FALSE(mapper.map(0, 8, Access::Write).result.is_ok());
  }
  auto again = mapper.map(0x40, 8, Access::ReadWrite);
  ASSERT_TRUE(again.result.is_ok());
  {
    auto pin = again.mapping.pin();
    u64 v = 0x1122334455667788;
    std::memcpy(pin.spans()[0].data(), &v, 8);
  }
  EXPECT_TRUE(again.mapping.unmap(8).is_ok());
  EXPECT_EQ(device.bytes[0x40], 0x88);
  EXPECT_EQ(device.last.attrs, kDevice);
}

TEST(Dma, AMapChangeRevokesAndThePointersStayGoodUntilThePinEnds) {
  InvalidationHub hub;
  Topology topology(hub);
  auto root = std::make_shared<Container>("root", kWholeSpace);
  auto ram = test::make_ram(0x1000);
  std::weak_ptr<GuestRam> watch = ram;
  auto region = std::make_shared<RamRegion>("ram", std::move(ram));
  Topology::Transaction(topology).add(*root, 0, region);
  AddressSpace space(topology, "s", root);
  DmaMapper mapper(DmaPort(space, kDevice));
  auto [mapping, result] = mapper.map(0, 0x1000, Access::ReadWrite);
  std::atomic<bool> removed{false};
  std::thread changer;
  {
    auto pin = mapping.pin();
    test::SleepsForCompletion changer_waits(hub);
    changer = std::thread([&] {
      Topology::Transaction tx(topology);
      tx.remove(*root, *region);
      region.reset();
      tx.commit();
      removed = true;
    });
    EXPECT_TRUE(test::eventually(changer_waits));
    EXPECT_TRUE(mapping.revoked());
    EXPECT_FALSE(removed);
    std::memset(pin.spans()[0].data(), 1, 0x1000);
    EXPECT_FALSE(mapping.pin());
  }
  changer.join();
  EXPECT_TRUE(removed);
  EXPECT_TRUE(mapping.unmap(0).is_ok());
  hub.epochs().reclaim();
  EXPECT_TRUE(watch.expired());
}

TEST(Dma, AnAtomicUnmapStormNeverLetsAPinnedWriteLandLate) {
  ChainWorld w(1);
  IommuIndex index = w.iommu().index_for(kDevice);
  DmaMapper mapper(DmaPort(w.top(), kDevice));
  std::atomic<bool> stop{false};
  std::atomic<u64> writes{0};
  std::thread device([&] {
    while (!stop) {
      auto [mapping, result] = mapper.map(0, 0x1000, Access::Write);
      if (!result.is_ok()) continue;
      for (int i = 0; i < 4; i++) {
        if (auto pin = mapping.pin()) {
          std::atomic_ref(*reinterpret_cast<u8*>(pin.spans()[0].data()))
              .store(0xff, std::memory_order_relaxed);
          writes++;
        }
      }
      (void)mapping.unmap(0);
    }
  });
  for (u64 i = 0; i < 300 || (writes < 50 && i < 100000); i++) {
    u64 page = (i % 16) * 0x1000;
    w.iommu().map(index, {{0, 0xfff}, page, Access::ReadWrite, &w.below(0)});
    for (int spin = 0; spin < 50; spin++) std::this_thread::yield();
    w.hub.wait(w.iommu().unmap(index, {0, 0xfff}));
    std::atomic_ref byte(w.ram->host()[page]);
    byte.store(0, std::memory_order_relaxed);
    for (int spin = 0; spin < 20; spin++) std::this_thread::yield();
    ASSERT_EQ(byte.load(std::memory_order_relaxed), 0);
  }
  stop = true;
  device.join();
  EXPECT_EQ(mapper.live(), 0u);
}

TEST(Dma, AScatterGatherListIsOneMapping) {
  ChainWorld w(1);
  w.map(0, {0, 0xffff}, 0x4000, Access::ReadWrite, kDevice);
  DmaMapper mapper(DmaPort(w.top(), kDevice));
  const DmaSegment list[] = {{0x3000, 0x10}, {0x100, 0x20}, {0x120, 0x8}};
  auto [mapping, result] = mapper.map(list, Access::ReadWrite);
  ASSERT_TRUE(result.is_ok());
  EXPECT_EQ(mapping.length(), 0x38u);
  auto pin = mapping.pin();
  ASSERT_EQ(pin.spans().size(), 2u);  // the second and third are neighbours
  EXPECT_EQ(reinterpret_cast<u8*>(pin.spans()[0].data()), w.ram->host() + 0x7000);
  EXPECT_EQ(reinterpret_cast<u8*>(pin.spans()[1].data()), w.ram->host() + 0x4100);
  EXPECT_EQ(pin.spans()[1].size(), 0x28u);
}

TEST(Dma, OneRefusedSegmentRefusesTheWholeListAndIsReportedOnce) {
  ChainWorld w(1);
  w.map(0, {0, 0xfff}, 0x4000, Access::ReadWrite, kDevice);
  DmaMapper mapper(DmaPort(w.top(), kDevice));
  const DmaSegment list[] = {{0x100, 0x10}, {0x2000, 0x10}};
  EXPECT_EQ(mapper.map(list, Access::Write).result.status, MemTxResult::Status::AccessError);
  EXPECT_EQ(w.iommu().refusals, 1);
  EXPECT_EQ(mapper.live(), 0u);
}

TEST(Dma, ADirectMappingHasNoSideEffects) {
  ChainWorld w(1);
  w.map(0, {0, 0xfff}, 0x4000, Access::Read, kDevice);
  DmaMapper mapper(DmaPort(w.top(), kDevice));
  const DmaSegment readable{0x100, 0x10}, missing{0x2000, 0x10};
  EXPECT_TRUE(mapper.map_direct({&readable, 1}, Access::Read));
  EXPECT_FALSE(mapper.map_direct({&readable, 1}, Access::Write));
  EXPECT_FALSE(mapper.map_direct({&missing, 1}, Access::Read));
  EXPECT_EQ(w.iommu().refusals, 0);
}

TEST(Dma, ClosingRefusesNewPinsAndWaitsForThoseThatAreHeld) {
  ChainWorld w(0);
  DmaMapper mapper(DmaPort(w.top(), kDevice));
  auto [mapping, result] = mapper.map(0, 0x1000, Access::ReadWrite);
  Ticket closed;
  {
    auto pin = mapping.pin();
    ASSERT_TRUE(pin);
    closed = mapper.close();
    EXPECT_FALSE(w.hub.is_complete(closed));
    EXPECT_FALSE(mapping.pin());
  }
  EXPECT_TRUE(w.hub.is_complete(closed));
  auto [late, late_result] = mapper.map(0, 0x1000, Access::ReadWrite);
  EXPECT_FALSE(late.pin());
}

TEST(DmaWindow, FollowsTheMemoryBehindIt) {
  ChainWorld w(1);
  w.map(0, {0, 0xfff}, 0x4000, Access::ReadWrite, kDevice);
  DmaMapper mapper(DmaPort(w.top(), kDevice));
  DmaWindow window(mapper, 0x100, 0x20, Access::ReadWrite);
  ASSERT_TRUE(window.store(4, 4, 0x11223344).is_ok());
  EXPECT_EQ(w.ram->host()[0x4104], 0x44);
  w.hub.wait(w.iommu().unmap(w.iommu().index_for(kDevice), {0, 0xfff}));
  w.map(0, {0, 0xfff}, 0x8000, Access::ReadWrite, kDevice);
  w.ram->host()[0x8104] = 0x99;
  u64 value = 0;
  ASSERT_TRUE(window.load(4, 1, value).is_ok());
  EXPECT_EQ(value, 0x99u);
  EXPECT_EQ(mapper.counters().bounced, 0u);
}

TEST(DmaWindow, AHoldIsATransactionInFlight) {
  ChainWorld w(1);
  w.map(0, {0, 0xfff}, 0x4000, Access::ReadWrite, kDevice);
  DmaMapper mapper(DmaPort(w.top(), kDevice));
  DmaWindow window(mapper, 0x100, 0x20, Access::ReadWrite);
  Ticket ticket;
  {
    DmaWindow::Hold hold(window);
    {
      DmaWindow::Hold inner(window);
      ASSERT_TRUE(window.store(0, 4, 1).is_ok());
    }
    ticket = w.iommu().unmap(w.iommu().index_for(kDevice), {0, 0xfff});
    EXPECT_FALSE(w.hub.is_complete(ticket));
    ASSERT_TRUE(window.store(4, 4, 2).is_ok());  // still on its way
    EXPECT_EQ(w.ram->host()[0x4104], 2);
  }
  EXPECT_TRUE(w.hub.is_complete(ticket));
  EXPECT_FALSE(window.store(8, 4, 3).is_ok());
  EXPECT_EQ(w.ram->host()[0x4108], 0);
}

TEST(DmaWindow, WhatAHoldHasStoredIsToldToThoseWhoHaveCodeThere) {
  ChainWorld w(0);
  std::vector<std::pair<u64, u64>> told;
  Publisher<CodeWritten>::Subscription subscription(
      w.ram->code_written(), [&](const CodeWritten& c) { told.emplace_back(c.offset, c.length); });
  w.ram->mark_code(4);
  DmaMapper mapper(DmaPort(w.top(), kDevice));
  DmaWindow window(mapper, 0x4100, 0x20, Access::ReadWrite);
  {
    DmaWindow::Hold hold(window);
    ASSERT_TRUE(window.store(0x10, 4, 1).is_ok());
    told.clear();
    ASSERT_TRUE(window.store(0x4, 2, 1).is_ok());
    ASSERT_TRUE(window.store(0x8, 4, 1).is_ok());
  }
  ASSERT_EQ(told.size(), 1u);
  EXPECT_LE(told[0].first, 0x4104u);
  EXPECT_GE(told[0].first + told[0].second, 0x410cu);
}

TEST(DmaWindow, ReportsARefusalOnceForEachAccess) {
  ChainWorld w(1);
  w.map(0, {0, 0xfff}, 0x4000, Access::Read, kDevice);
  DmaMapper mapper(DmaPort(w.top(), kDevice));
  DmaWindow window(mapper, 0x100, 0x20, Access::ReadWrite);
  u64 value = 0;
  EXPECT_TRUE(window.load(0, 2, value).is_ok());
  EXPECT_EQ(w.iommu().refusals, 0);
  EXPECT_EQ(window.store(0, 2, 1).status, MemTxResult::Status::AccessError);
  EXPECT_EQ(w.iommu().refusals, 1);
}

}  // namespace
}  // namespace sluice
