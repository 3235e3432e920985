// What a virtio driver may rely on. VIRTIO 1.3; one claim each.
#include "devices/block/raw_file.h"
#include "devices/virtio/blk.h"
#include "devices/virtio/console.h"
#include "devices/virtio/net.h"
#include "devices/virtio/rng.h"
#include "tests/support/memory_world.h"
#include "tests/unit/virtio_rig.h"

namespace sluice::virtio_test {
namespace {

std::vector<std::unique_ptr<VirtioDevice>> every_device() {
  class NoDisk final : public BlockBackend {
   public:
    u64 size() const override { return 512; }
    bool read_only() const override { return true; }
    std::string name() const override { return "none"; }
    BlockStatus read(u64, std::span<u8>) override { return BlockStatus::IoError; }
    BlockStatus write(u64, std::span<const u8>) override { return BlockStatus::IoError; }
    BlockStatus flush() override { return BlockStatus::Ok; }
    BlockStatus discard(u64, u64) override { return BlockStatus::IoError; }
    BlockStatus write_zeroes(u64, u64, Unmap) override { return BlockStatus::IoError; }
  };
  std::vector<std::unique_ptr<VirtioDevice>> all;
  all.push_back(std::make_unique<VirtioBlk>(std::make_unique<NoDisk>()));
  all.push_back(std::make_unique<VirtioConsole>());
  all.push_back(std::make_unique<VirtioNet>(std::make_unique<NullNet>()));
  all.push_back(std::make_unique<VirtioRng>(u64{1}));
  return all;
}

SPEC("virtio: every device offers VERSION_1 on a modern transport and only there") {
  for (bool legacy : {false, true})
    for (auto& device : every_device()) {
      Driver d{legacy};
      d.slot().plug(std::move(device));
      EXPECT_EQ(d.offered() >> 32 & 1, legacy ? 0u : 1u);
    }
}

SPEC("virtio: every device accepts exactly what it offers") {
  for (auto& device : every_device()) {
    Driver d;
    d.slot().plug(std::move(device));
    EXPECT_TRUE(d.negotiate(~u64{0}));
    EXPECT_EQ(d.features, d.offered());
  }
}

SPEC("virtio: a reset returns every device to status 0 with no queue ready and the line low") {
  for (auto& device : every_device()) {
    Driver d;
    d.slot().plug(std::move(device));
    d.start(~u64{0}, 1, 8);
    ASSERT_FALSE(d.needs_reset());
    d.put_descriptor(d.rings[0].descriptors, 0, kRamBase, 1, 1, 0);  // a loop
    d.make_available(0, 0);
    d.kick(0);
    d.write(0x70, 0);
    EXPECT_EQ(d.read(0x70), 0u);
    EXPECT_EQ(d.read(0x60), 0u);
    EXPECT_FALSE(d.line());
    d.write(0x30, 0);
    EXPECT_EQ(d.read(0x44), 0u);
  }
}

SPEC("virtio: a device sends no used buffer before DRIVER_OK") {
  Driver d;
  d.plug<VirtioRng>(u64{1});
  ASSERT_TRUE(d.negotiate(0));
  d.add_queue(0, 8);
  d.add(0, {{d.memory.allocate(8), 8, true}});
  d.kick(0);
  EXPECT_FALSE(d.next_used(0));
  d.driver_ok();
  d.kick(0);
  EXPECT_TRUE(d.next_used(0));
}

SPEC("virtio: a device that needs reset touches memory no more") {
  Driver d;
  d.plug<VirtioRng>(u64{1});
  d.start(0, 1, 8);
  ASSERT_FALSE(d.needs_reset());
  d.memory.put<u16>(d.rings[0].available + 2, 1000);
  d.kick(0);
  ASSERT_TRUE(d.needs_reset());
  d.memory.put<u16>(d.rings[0].available + 2, 0);
  d.add(0, {{d.memory.allocate(8), 8, true}});
  const Bytes before = d.memory.get_bytes(d.rings[0].descriptors, 16384);
  d.kick(0);
  EXPECT_EQ(d.memory.get_bytes(d.rings[0].descriptors, 16384), before);
}

SPEC("virtio: an acknowledged interrupt stays low until the next used buffer") {
  Driver d;
  d.plug<VirtioRng>(u64{1});
  d.start(0, 1, 8);
  auto use_one = [&] {
    d.add(0, {{d.memory.allocate(8), 8, true}});
    d.kick(0);
  };
  use_one();
  EXPECT_TRUE(d.line());
  d.write(0x64, d.read(0x60));
  EXPECT_FALSE(d.line());
  use_one();
  EXPECT_TRUE(d.line());
}

SPEC("virtio: a driver whose kick falls between two uses is never forgotten (EVENT_IDX)") {
  // Chains are made available before, between and after kicks; as long as every time that avail_event asks
  // for a notification one is given, all of them are used.
  constexpr unsigned kSeed = 3;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937 random{kSeed};
  Driver d;
  d.plug<VirtioRng>(u64{1});
  d.start(Driver::kEventIdx, 1, 8);
  const Ring& r = d.rings[0];
  const u64 avail_event = r.used + 4 + 8u * r.size;
  u64 buffer = d.memory.allocate(8);
  u32 added = 0, used = 0;
  for (int round = 0; round < 5000; round++) {
    u16 old = r.available_index;
    for (unsigned n = random() % 4; n && added - used < 8; n--) d.add(0, {{buffer, 8, true}}), added++;
    u16 event = d.memory.get<u16>(avail_event), now = r.available_index;
    if (u16(now - event - 1) < u16(now - old)) d.kick(0);
    while (d.next_used(0)) used++;
    ASSERT_EQ(used, added) << "round " << round;
  }
}

}  // namespace
}  // namespace sluice::virtio_test
