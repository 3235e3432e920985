// Transactions as an initiator sees them: RAM, devices with access rules, ROM, and what is in between.
#include <gtest/gtest.h>

#include <array>
#include <future>

#include "tests/support/memory_world.h"

namespace sluice {
namespace {

using test::kDevice;
using test::kNs;
using test::kPage;
using test::make_ram;
using test::TestDevice;
using Reason = MemTxResult::Reason;

struct World {
  InvalidationHub hub;
  Topology topology{hub};
  std::shared_ptr<Container> root = std::make_shared<Container>("system", kWholeSpace);
  AddressSpace space{topology, "memory", root};
  std::shared_ptr<GuestRam> ram = make_ram(0x10000);
  TestDevice device;
  std::mutex lock;

  World() { add(0, std::make_shared<RamRegion>("ram", ram)); }
  void add(u64 at, std::shared_ptr<Region> r, int priority = 0) {
    Topology::Transaction tx(topology);
    tx.add(*root, at, std::move(r), priority);
  }
  void add_device(u64 at, u64 size = 0x100) {
    add(at, std::make_shared<MmioRegion>("device", size, device, &lock), 1);
  }
  u64 load(u64 at, unsigned size) {
    u64 value = 0xdead;
    EXPECT_TRUE(space.load({at}, size, value, kNs).is_ok());
    return value;
  }
};

std::span<const std::byte> bytes_of(const auto& object) { return std::as_bytes(std::span(&object, 1)); }

TEST(AddressSpace, RamIsLittleEndianAtEveryAlignmentAndSize) {
  World w;
  for (unsigned i = 0; i < 32; i++) w.ram->host()[i] = u8(i * 7 + 1);
  for (unsigned size : {1u, 2u, 4u, 8u}) {
    for (u64 at = 0; at < 16; at++) {
      u64 want = 0;
      for (unsigned i = 0; i < size; i++) want |= u64(u8((at + i) * 7 + 1)) << 8 * i;
      EXPECT_EQ(w.load(at, size), want);
      EXPECT_TRUE(w.space.store({0x100 + at}, size, want, kNs).is_ok());
      EXPECT_EQ(w.load(0x100 + at, size), want);
    }
  }
  u64 value;
  EXPECT_EQ(w.space.load({0}, 3, value, kNs).reason, Reason::BadSize);
}

TEST(AddressSpace, NothingThereIsADecodeErrorAndAReservationToo) {
  World w;
  w.add(0x2000, std::make_shared<ReservationRegion>("reserved", 0x1000), 3);
  u64 value;
  EXPECT_EQ(w.space.load({0x20000}, 4, value, kNs), MemTxResult::decode_error());
  EXPECT_EQ(w.space.store({0x2004}, 4, 1, kNs), MemTxResult::decode_error());
  EXPECT_EQ(w.space.load({~u64{0} - 1}, 4, value, kNs), MemTxResult::decode_error());
}

TEST(AddressSpace, AReadThatRunsOutOfMemoryKeepsWhatItGotAndZeroesTheRest) {
  World w;
  std::memset(w.ram->host() + 0xfff0, 0x55, 16);
  std::array<std::byte, 32> buffer;
  buffer.fill(std::byte{0xee});
  EXPECT_EQ(w.space.read({0xfff0}, buffer, kNs).status, MemTxResult::Status::DecodeError);
  for (int i = 0; i < 32; i++) EXPECT_EQ(buffer[size_t(i)], std::byte(i < 16 ? 0x55 : 0));
}

TEST(AddressSpace, RomRefusesWritesButTheDebuggerMayPatchIt) {
  World w;
  auto rom = make_ram(kPage, "rom");
  w.add(0x40000, std::make_shared<RamRegion>("rom", rom, true));
  MemTxResult r = w.space.store({0x40000}, 4, 1, kNs);
  EXPECT_EQ(r.status, MemTxResult::Status::DecodeError);
  EXPECT_EQ(r.reason, Reason::ReadOnly);
  EXPECT_EQ(w.load(0x40000, 4), 0u);
  u32 patch = 0x12345678;
  EXPECT_TRUE(w.space.poke({0x40000}, bytes_of(patch), MemTxAttrs::debugger()).is_ok());
  EXPECT_EQ(w.load(0x40000, 4), 0x12345678u);
}

TEST(AddressSpace, ARomDeviceReadsMemoryWritesToTheDeviceAndSwitchesToMmio) {
  World w;
  auto flash = make_ram(kPage, "flash");
  auto region = std::make_shared<RomDeviceRegion>("flash", flash, w.device, &w.lock);
  w.add(0x40000, region);
  flash->host()[4] = 0x99;
  EXPECT_EQ(w.load(0x40004, 1), 0x99u);
  EXPECT_TRUE(w.space.store({0x40004}, 2, 0xabcd, kNs).is_ok());
  EXPECT_EQ(w.device.last.value, 0xabcdu);
  EXPECT_EQ(w.load(0x40004, 1), 0x99u);
  EXPECT_EQ(w.device.reads, 0);
  {
    Topology::Transaction tx(w.topology);
    tx.set_reads_memory(*region, false);
  }
  EXPECT_EQ(w.load(0x40004, 1), 0xcdu);
  EXPECT_EQ(w.device.reads, 1);
}

TEST(AddressSpace, PeekNeverTouchesADevice) {
  World w;
  w.add_device(0x20000);
  std::array<std::byte, 4> buffer;
  EXPECT_EQ(w.space.peek({0x20000}, buffer, MemTxAttrs::debugger()).reason, Reason::WrongKind);
  EXPECT_EQ(w.space.poke({0x20000}, buffer, MemTxAttrs::debugger()).reason, Reason::WrongKind);
  EXPECT_EQ(w.device.reads + w.device.writes, 0);
}

TEST(AccessRules, SizesThatTheDeviceDoesNotTakeAreDecodeErrors) {
  World w;
  w.device.rules = {.valid_min = 4, .valid_max = 4};
  w.add_device(0x20000);
  u64 value;
  for (unsigned size : {1u, 2u, 8u})
    EXPECT_EQ(w.space.load({0x20000}, size, value, kNs).reason, Reason::BadSize);
  EXPECT_TRUE(w.space.load({0x20000}, 4, value, kNs).is_ok());
  EXPECT_EQ(w.space.load({0x20002}, 4, value, kNs).reason, Reason::BadSize);  // two halves on this bus
  EXPECT_EQ(w.device.reads, 1);
}

TEST(AccessRules, WideAccessesAreSplitAndNarrowOnesWidened) {
  World w;
  w.device.rules = {.valid_min = 1, .valid_max = 8, .impl_min = 4, .impl_max = 4};
  w.add_device(0x20000);
  for (unsigned i = 0; i < 16; i++) w.device.bytes[i] = u8(0x10 + i);
  EXPECT_EQ(w.load(0x20000, 8), 0x1716151413121110u);
  EXPECT_EQ(w.device.reads, 2);
  EXPECT_EQ(w.load(0x20005, 1), 0x15u);
  EXPECT_EQ(w.device.last.offset, 4u);
  EXPECT_EQ(w.device.last.size, 4u);
  EXPECT_TRUE(w.space.store({0x20006}, 2, 0xbeef, kNs).is_ok());
  EXPECT_EQ(w.device.last.offset, 4u);
  EXPECT_EQ(w.device.last.value, 0xbeef0000u);
  EXPECT_TRUE(w.space.store({0x20008}, 8, 0x8877665544332211, kNs).is_ok());
  ASSERT_EQ(w.device.log.size(), 3u);
  EXPECT_EQ(w.device.log[1].value, 0x44332211u);
  EXPECT_EQ(w.device.log[2].value, 0x88776655u);
}

TEST(AccessRules, UnalignedAccessesBecomeTwoAlignedOnesWhereTheDeviceAcceptsThem) {
  World w;
  w.device.rules = {.valid_unaligned = true, .impl_min = 4, .impl_max = 4};
  w.add_device(0x20000);
  for (unsigned i = 0; i < 16; i++) w.device.bytes[i] = u8(0x10 + i);
  EXPECT_EQ(w.load(0x20003, 4), 0x16151413u);
  EXPECT_EQ(w.device.reads, 2);
  EXPECT_TRUE(w.space.store({0x20003}, 4, 0xddccbbaa, kNs).is_ok());
  ASSERT_EQ(w.device.log.size(), 2u);
  EXPECT_EQ(w.device.log[0].value, 0xaa000000u);
  EXPECT_EQ(w.device.log[1].value, 0x00ddccbbu);
}

TEST(AccessRules, ABigEndianDeviceIsSwappedOnTheLittleEndianBus) {
  World w;
  w.device.rules = {.impl_min = 4, .impl_max = 4, .endian = Endian::Big};
  w.add_device(0x20000);
  EXPECT_TRUE(w.space.store({0x20000}, 4, 0x11223344, kNs).is_ok());
  EXPECT_EQ(w.device.last.value, 0x44332211u);
  EXPECT_EQ(w.load(0x20000, 4), 0x11223344u);
  EXPECT_EQ(w.load(0x20001, 1), 0x33u);
  EXPECT_TRUE(w.space.store({0x20000}, 8, 0x8877665544332211, kNs).is_ok());
  EXPECT_EQ(w.load(0x20000, 8), 0x8877665544332211u);
}

TEST(AccessRules, ALongTransferUsesTheLargestAccessesThatFit) {
  World w;
  w.device.rules = {.valid_max = 4, .impl_min = 1, .impl_max = 4};
  w.add_device(0x20000);
  std::array<std::byte, 7> data{};
  EXPECT_TRUE(w.space.write({0x20001}, data, kNs).is_ok());
  std::vector<unsigned> sizes;
  for (auto& call : w.device.log) sizes.push_back(call.size);
  EXPECT_EQ(sizes, (std::vector<unsigned>{1, 2, 4}));
}

TEST(AddressSpace, AnAccessAcrossTwoRegionsReachesBoth) {
  World w;
  w.add_device(0x10000);
  w.ram->host()[0xfffe] = 0x11, w.ram->host()[0xffff] = 0x22;
  w.device.bytes[0] = 0x33, w.device.bytes[1] = 0x44;
  EXPECT_EQ(w.load(0xfffe, 4), 0x44332211u);
  EXPECT_TRUE(w.space.store({0xfffe}, 4, 0xa4a3a2a1, kNs).is_ok());
  EXPECT_EQ(w.ram->host()[0xffff], 0xa2);
  EXPECT_EQ(w.device.bytes[1], 0xa4);
}

TEST(MmioRegion, ADeviceThatReachesItselfByDmaGetsAnErrorNotADeadlock) {
  World w;
  MemTxResult inner;
  w.add_device(0x20000);
  w.device.on_write = [&](u64, u64) { inner = w.space.store({0x20010}, 4, 1, kDevice); };
  EXPECT_TRUE(w.space.store({0x20000}, 4, 1, kNs).is_ok());
  EXPECT_EQ(inner.status, MemTxResult::Status::DeviceError);
  EXPECT_TRUE(w.space.store({0x20000}, 4, 1, kNs).is_ok());  // and the lock is free again
}

TEST(MmioRegion, TwoDevicesThatReachEachOtherFromTwoThreadsBothReturn) {
  World w;
  TestDevice other;
  std::mutex other_lock;
  w.add_device(0x20000);
  w.add(0x30000, std::make_shared<MmioRegion>("other", 0x100, other, &other_lock));
  std::atomic<int> inside{0};
  auto meet = [&] {
    inside++;
    while (inside < 2) std::this_thread::yield();
  };
  w.device.on_write = [&](u64 offset, u64) {
    if (!offset) meet(), (void)w.space.store({0x30010}, 4, 1, kDevice);
  };
  other.on_write = [&](u64 offset, u64) {
    if (!offset) meet(), (void)w.space.store({0x20010}, 4, 1, kDevice);
  };
  auto a = std::async(std::launch::async, [&] { (void)w.space.store({0x20000}, 4, 1, kNs); });
  auto b = std::async(std::launch::async, [&] { (void)w.space.store({0x30000}, 4, 1, kNs); });
  EXPECT_EQ(a.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_EQ(b.wait_for(std::chrono::seconds(20)), std::future_status::ready);
}

TEST(GuestRam, ListenersHearOfWritesToPagesWithCodeAndOfNoOthers) {
  World w;
  std::vector<CodeWritten> seen;
  Publisher<CodeWritten>::Subscription listen(w.ram->code_written(),
                                              [&](const CodeWritten& c) { seen.push_back(c); });
  w.ram->mark_code(2);
  (void)w.space.store({0x1ff8}, 8, 1, kNs);
  EXPECT_TRUE(seen.empty());
  (void)w.space.store({0x1ffe}, 4, 1,
                      kNs);  // one store, but two transactions of two bytes would be wrong too
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen[0].ram, w.ram.get());
  EXPECT_LE(seen[0].offset, 0x2000u);
  w.ram->clear_code(2);
  seen.clear();
  (void)w.space.store({0x2000}, 4, 1, kNs);
  EXPECT_TRUE(seen.empty());
}

TEST(GuestRam, HugeMemoriesCostNothingUntilTouchedAndImpossibleOnesAreRefusedInWords) {
  auto huge = GuestRam::create("huge", GuestRam::kMaxSize);
  if (!huge) GTEST_SKIP() << "this host cannot reserve 255 GiB: " << huge.error();
  u64 last_page = GuestRam::kMaxSize / GuestRam::kPage - 1;
  (*huge)->host()[GuestRam::kMaxSize - 1] = 1;
  (*huge)->mark_code(last_page);
  EXPECT_TRUE((*huge)->has_code(GuestRam::kMaxSize - 1));
  EXPECT_TRUE((*huge)->has_code(GuestRam::kMaxSize - 0x100000, 0x100000));
  EXPECT_FALSE((*huge)->has_code(0, GuestRam::kMaxSize - 0x1000));
  EXPECT_NE(GuestRam::create("none", 0).error().find("none"), std::string::npos);
  EXPECT_NE(GuestRam::create("more", GuestRam::kMaxSize + 1).error().find("limit"), std::string::npos);
}

}  // namespace
}  // namespace sluice
