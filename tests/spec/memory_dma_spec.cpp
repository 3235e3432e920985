// Devices in front of IOMMUs: each spec is a defect that an existing emulator has had (reference: D rows of
// the lessons).
#include <chrono>
#include <thread>

#include "tests/support/memory_world.h"

namespace sluice {
namespace {

using test::ChainWorld;
using test::kDevice;
using test::kNs;
using test::kPage;
using test::kSecure;
using test::TestDevice;
using test::TestPe;
using Status = MemTxResult::Status;

// A Non-secure device, RAM that only Secure may touch at page 1 and everybody at page 0, registers at
// page 16.
struct Guarded : ChainWorld {
  TestDevice registers;
  AddressSpace bus{topology, "bus", std::make_shared<MmioRegion>("regs", 0x1000, registers, nullptr)};
  IommuIndex index = iommu().index_for(kDevice);
  Guarded() {
    map(0, {0, 0xfff}, 0, Access::ReadWrite, kDevice);
    map(0, {0x1000, 0x1fff}, 0x1000, Access::ReadWrite, kSecure);
    iommu().map(index, {{0x10000, 0x10fff}, 0, Access::ReadWrite, &bus});
  }
  DmaPort port{top(), kDevice};
  DmaMapper mapper{port};
};

// D1
SPEC("D1: a bounce buffer is written back with the attributes of its owner") {
  Guarded w;
  auto [mapping, result] = w.mapper.map(0x10000, 64, Access::Write);
  ASSERT_TRUE(result.is_ok());
  ASSERT_TRUE(mapping.bounced());
  EXPECT_TRUE(mapping.unmap(64).is_ok());
  EXPECT_EQ(w.registers.last.attrs, kDevice);
}
SPEC("D1: a right that was lost meanwhile stops the write-back of a bounce buffer") {
  Guarded w;
  auto [mapping, result] = w.mapper.map(0x10000, 64, Access::Write);
  w.hub.wait(w.iommu().unmap(w.index, {0x10000, 0x10fff}));
  EXPECT_EQ(mapping.unmap(64).status, Status::AccessError);
  EXPECT_EQ(w.registers.writes, 0);
}

// D2
SPEC("D2: every way to reach memory states who it is") {
  Guarded w;
  u64 value;
  std::array<std::byte, 8> bytes{};
  EXPECT_EQ(w.port.load(0x1000, 8, value).status, Status::AccessError);
  EXPECT_EQ(w.port.store(0x1000, 8, 1).status, Status::AccessError);
  EXPECT_EQ(w.port.read(0x1000, bytes).status, Status::AccessError);
  EXPECT_EQ(w.port.write(0x1000, bytes).status, Status::AccessError);
  EXPECT_EQ(w.mapper.map(0x1000, 8, Access::Read).result.status, Status::AccessError);
  EXPECT_TRUE(w.port.with_attrs(kSecure).load(0x1000, 8, value).is_ok());
}

// D3
SPEC("D3: a mapping gets the rights that every hop gives, and may be a device") {
  ChainWorld w(2);
  w.map(0, {0, 0xffff}, 0, Access::ReadWrite, kDevice);
  w.map(1, {0, 0xffff}, 0, Access::Read, kDevice);
  Translation t = translate({w.top(), 0, 1, Access::Read, kDevice, Intent::AtsRequest});
  EXPECT_EQ(t.rights, Access::Read);
  DmaMapper mapper(DmaPort(w.top(), kDevice));
  EXPECT_TRUE(mapper.map(0, 16, Access::Read).result.is_ok());
  EXPECT_EQ(mapper.map(0, 16, Access::ReadWrite).result, MemTxResult::access_error(1));
}

// D5
SPEC("D5: DMA goes through an IOMMU behind an IOMMU, as a PE does") {
  ChainWorld w(8);
  for (unsigned i = 0; i < 8; i++) {
    w.map(i, {0x1000, 0x1fff}, 0x1000, Access::All, kDevice);
    w.map(i, {0x1000, 0x1fff}, 0x1000, Access::All, kNs);
  }
  DmaPort port(w.top(), kDevice);
  EXPECT_TRUE(port.store(0x1008, 8, 0x1234).is_ok());
  TestPe pe(w.top(), w.hub);
  EXPECT_EQ(pe.load(0x1008, 8, kNs), 0x1234u);
  // A change in the seventh of them is enough for both.
  w.hub.wait(w.iommus[6]->unmap(w.iommus[6]->index_for(kNs), {0x1800, 0x1800}));
  pe.participant.drain();
  EXPECT_FALSE(pe.load(0x1008, 8, kNs));
}

// D6
SPEC("D6: a mapped host pointer does not survive an unmap of what it depends on") {
  Guarded w;
  auto [mapping, result] = w.mapper.map(0x100, 64, Access::ReadWrite);
  ASSERT_TRUE(result.is_ok());
  EXPECT_TRUE(mapping.pin());
  (void)w.iommu().unmap(w.index, {0x0, 0xfff});
  EXPECT_TRUE(mapping.revoked());
  EXPECT_FALSE(mapping.pin());
  EXPECT_EQ(w.mapper.counters().revoked, 1u);
}
SPEC("D6: an unmap elsewhere, or of another index, leaves a mapping alone") {
  Guarded w;
  auto [mapping, result] = w.mapper.map(0x100, 64, Access::ReadWrite);
  (void)w.iommu().publish_unmap({w.index, false, {0x1000, ~u64{0}}});
  (void)w.iommu().publish_unmap({w.iommu().index_for(kSecure), false, {0, ~u64{0}}});
  EXPECT_FALSE(mapping.revoked());
}
SPEC("D6: an unmap is not complete while a transaction through the old pointer is in flight") {
  Guarded w;
  auto [mapping, result] = w.mapper.map(0x100, 64, Access::ReadWrite);
  Ticket t;
  {
    auto pin = mapping.pin();
    t = w.iommu().unmap(w.index, {0x0, 0xfff});
    EXPECT_FALSE(w.hub.is_complete(t));
  }
  EXPECT_TRUE(w.hub.is_complete(t));
}
SPEC("D6: ending a mapping ends its claims, and none is left when the device is idle") {
  Guarded w;
  for (int i = 0; i < 100; i++) {
    auto mapped = w.mapper.map(0x100, 64, Access::ReadWrite);
    ASSERT_TRUE(mapped.result.is_ok());
    if (i % 2) {
      EXPECT_TRUE(mapped.mapping.unmap(64).is_ok());
    }
  }
  EXPECT_EQ(w.mapper.live(), 0u);
  EXPECT_TRUE(w.hub.is_complete(w.iommu().unmap(w.index, {0, ~u64{0}})));
  EXPECT_EQ(w.iommu().unmaps().subscriptions(), 1u);
}

// D7
SPEC("D7: an eight-byte descriptor is never seen half written") {
  ChainWorld w(1);
  w.map(0, {0, 0xffff}, 0, Access::ReadWrite, kDevice);
  DmaPort port(w.top(), kDevice);
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (u64 v = 0; !stop; v++) (void)port.store(0x40, 8, v % 2 ? ~u64{0} : 0);
  });
  for (int i = 0; i < 3000; i++) {
    u64 value = 0;
    std::array<std::byte, 16> two;
    (void)port.load(0x40, 8, value);
    EXPECT_TRUE(value == 0 || value == ~u64{0});
    (void)port.read(0x38, two);
    std::memcpy(&value, &two[8], 8);
    EXPECT_TRUE(value == 0 || value == ~u64{0});
  }
  stop = true;
  writer.join();
}

// D11
SPEC("D11: an unmap may reach beyond the region and everything that was mapped") {
  Guarded w;
  auto [mapping, result] = w.mapper.map(0x100, 64, Access::Read);
  for (InclusiveRange wide : {InclusiveRange{0x200000, ~u64{0}}, InclusiveRange{0, ~u64{0}}})
    (void)w.iommu().publish_unmap({.all_indexes = true, .range = wide});
  EXPECT_TRUE(mapping.revoked());
}

// D12
SPEC("D12: ranges that are no power of two are invalidated exactly") {
  ChainWorld w;
  InclusiveRange blocks[] = {{0x1001, 0x1fff}, {0x2000, 0x4abc}, {0x4abd, 0x4abd}, {0x5000, 0x6000}};
  for (InclusiveRange b : blocks) w.map(0, b, b.first);
  TestPe pe(w.top(), w.hub);
  auto fill = [&] {
    for (InclusiveRange b : blocks) EXPECT_TRUE(pe.load(b.last, 1, kNs));
  };
  auto left_after = [&](InclusiveRange unmap) {
    fill();
    (void)w.iommu().publish_unmap({w.iommu().index_for(kNs), false, unmap});
    pe.participant.drain();
    return pe.cache.size();
  };
  EXPECT_EQ(left_after({0x4abd, 0x4fff}), 3u);
  EXPECT_EQ(left_after({0x1fff, 0x2000}), 2u);
  EXPECT_EQ(left_after({0x6001, ~u64{0}}), 4u);
  EXPECT_EQ(left_after({0, 0x1000}), 4u);
  EXPECT_EQ(left_after({0x6000, ~u64{0}}), 3u);
  EXPECT_EQ(left_after({0, ~u64{0}}), 0u);
}

SPEC("a device's store to code is heard by whoever translated it, also through an IOMMU") {
  Guarded w;
  int heard = 0;
  Publisher<CodeWritten>::Subscription listen(w.ram->code_written(), [&](const CodeWritten&) { heard++; });
  w.ram->mark_code(0);
  EXPECT_TRUE(w.port.store(0x10, 4, 1).is_ok());
  EXPECT_EQ(heard, 1);
  auto [mapping, result] = w.mapper.map(0x100, 64, Access::Write);
  EXPECT_TRUE(mapping.unmap(64).is_ok());
  EXPECT_EQ(heard, 2);
}

}  // namespace
}  // namespace sluice
