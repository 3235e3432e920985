// virtio over MMIO: registers, negotiation, interrupts. VIRTIO 1.3, 4.2.2, 4.2.4 and 3.1.
#include "devices/virtio/rng.h"
#include "tests/unit/virtio_rig.h"

namespace sluice::virtio_test {
namespace {

// Offers bit 5, refuses bit 6 together with bit 5, has 6 bytes of configuration of which the first two are
// writable.
class Sample final : public VirtioDevice {
 public:
  Sample() : VirtioDevice(VirtioId::Net, {64, 8}, 6) {
    for (u8 i = 0; i < 6; i++) config()[i] = u8(0x10 + i);
  }
  void change_config() {
    config()[5]++;
    commit_config();
  }
  int resets = 0;
  std::vector<u16> notified;

 protected:
  u64 device_features(bool) const override { return 3 << 5; }
  bool accept_features(u64 f) override { return (f >> 5 & 3) != 3; }
  void notify(u16 n) override { notified.push_back(n); }
  void reset_device() override { resets++; }
  void config_written(u32 offset, std::span<const u8> bytes) override {
    if (offset + bytes.size() > 2) return VirtioDevice::config_written(offset, bytes);
    std::copy(bytes.begin(), bytes.end(), config().begin() + offset);
  }
};

TEST(VirtioMmio, AnEmptySlotHasDeviceIdZero) {
  for (bool legacy : {false, true}) {
    Driver d{legacy};
    EXPECT_EQ(d.read(0x000), 0x74726976u);
    EXPECT_EQ(d.read(0x004), legacy ? 1u : 2u);
    EXPECT_EQ(d.read(0x008), 0u);
    for (u64 offset = 0x10; offset < 0x200; offset += 4) {
      d.write(offset, ~0u);
      EXPECT_EQ(d.read(offset), 0u);
    }
  }
}

TEST(VirtioMmio, IdentifiesTheDevice) {
  Driver d;
  d.plug<Sample>();
  EXPECT_EQ(d.read(0x008), 1u);
  EXPECT_EQ(d.offered(), 3ull << 5 | 1ull << 28 | 1ull << 29 | 1ull << 32 | 1ull << 40);
  d.write(0x14, 2);
  EXPECT_EQ(d.read(0x10), 0u);
}

TEST(VirtioMmio, LegacyOffersOnlyTheLowWord) {
  Driver d{true};
  d.plug<Sample>();
  EXPECT_EQ(d.offered(), 3ull << 5 | 1ull << 27 | 1ull << 28 | 1ull << 29);
}

TEST(VirtioMmio, AccessPlatformIsOfferedAndThenRequired) {
  Clock clock{Clock::Mode::Icount};
  GuestMemory memory;
  VirtioMmio slot{memory.port(), {}, clock, {.force_legacy = false, .access_platform = true}};
  slot.plug(std::make_unique<Sample>());
  VirtioDevice& device = *slot.device();
  EXPECT_TRUE(device.offered_features() >> 33 & 1);
  device.write_driver_features(1, 1);
  device.write_status(11);
  EXPECT_EQ(device.status(), 3);
  device.write_driver_features(1, 3);
  device.write_status(11);
  EXPECT_EQ(device.status(), 11);
}

TEST(VirtioMmio, FeaturesOkIsRefused) {
  struct {
    u32 low, high;
    const char* why;
  } cases[] = {
      {1 << 5, 0, "without VERSION_1"}, {1 << 7, 1, "not offered"}, {3 << 5, 1, "the device refuses"}};
  for (auto& c : cases) {
    Driver d;
    d.plug<Sample>();
    d.write(0x70, 3);
    d.write(0x24, 0), d.write(0x20, c.low);
    d.write(0x24, 1), d.write(0x20, c.high);
    d.write(0x70, 11);
    EXPECT_EQ(d.read(0x70), 3u) << c.why;
    d.write(0x70, 15);
    EXPECT_EQ(d.read(0x70), 3u) << c.why;
    // The driver may think again.
    d.write(0x24, 0), d.write(0x20, 1 << 6);
    d.write(0x24, 1), d.write(0x20, 1);
    d.write(0x70, 11);
    EXPECT_EQ(d.read(0x70), 11u) << c.why;
  }
}

TEST(VirtioMmio, FeaturesAreFixedAfterFeaturesOk) {
  Driver d;
  Sample& device = d.plug<Sample>();
  ASSERT_TRUE(d.negotiate(1 << 5));
  d.write(0x24, 0), d.write(0x20, 0);
  EXPECT_EQ(device.driver_features() & 1 << 5, 1u << 5);
}

TEST(VirtioMmio, QueueRegistersBelongToTheSelectedQueue) {
  Driver d;
  d.plug<Sample>();
  d.write(0x30, 0);
  EXPECT_EQ(d.read(0x34), 64u);
  d.write(0x30, 1);
  EXPECT_EQ(d.read(0x34), 8u);
  for (u32 n : {2u, 0xffffffffu}) {
    d.write(0x30, n);
    EXPECT_EQ(d.read(0x34), 0u);
    d.write(0x44, 1);
    EXPECT_EQ(d.read(0x44), 0u);
  }
}

TEST(VirtioMmio, QueueReadyNeedsFeaturesOkAndFollowsReset) {
  Driver d;
  Sample& device = d.plug<Sample>();
  d.write(0x30, 0), d.write(0x44, 1);
  EXPECT_EQ(d.read(0x44), 0u);
  d.start(0, 2, 8);
  d.write(0x30, 1);
  EXPECT_EQ(d.read(0x44), 1u);
  d.write(0x44, 0);
  EXPECT_EQ(d.read(0x44), 0u);
  d.write(0x30, 0);
  EXPECT_EQ(d.read(0x44), 1u);
  int before = device.resets;
  d.write(0x70, 0);
  EXPECT_EQ(device.resets, before + 1);
  EXPECT_EQ(d.read(0x44), 0u);
  EXPECT_EQ(d.read(0x70), 0u);
}

TEST(VirtioMmio, QueueResetStopsOneQueue) {
  Driver d;
  d.plug<Sample>();
  d.start(1ull << 40, 2, 8);
  d.write(0x30, 0), d.write(0xc0, 1);
  EXPECT_EQ(d.read(0xc0), 0u);
  EXPECT_EQ(d.read(0x44), 0u);
  d.write(0x30, 1);
  EXPECT_EQ(d.read(0x44), 1u);
}

TEST(VirtioMmio, NotificationsReachTheDeviceOnlyWhenLive) {
  Driver d;
  Sample& device = d.plug<Sample>();
  d.kick(0);
  ASSERT_TRUE(d.negotiate(0));
  d.add_queue(0, 8);
  d.kick(0);
  EXPECT_TRUE(device.notified.empty());
  d.driver_ok();
  d.kick(0);
  d.kick(1);       // not enabled
  d.kick(0xffff);  // does not exist
  EXPECT_EQ(device.notified, std::vector<u16>{0});
}

TEST(VirtioMmio, ALegacyDriverMayNotifyBeforeDriverOk) {
  Driver d{true};
  Sample& device = d.plug<Sample>();
  ASSERT_TRUE(d.negotiate(0));
  d.add_queue(0, 8);
  d.kick(0);
  EXPECT_EQ(device.notified, std::vector<u16>{0});
}

// Drivers write GuestPageSize once, before they reset the device through Status.
TEST(VirtioMmio, LegacyPageSizeSurvivesADriversReset) {
  Driver d{true};
  d.plug<Sample>();
  d.write(0x28, 4096);
  d.write(0x70, 0);
  d.write(0x30, 0), d.write(0x38, 8), d.write(0x3c, 4096), d.write(0x40, 0x40100);
  EXPECT_EQ(d.read(0x40), 0x40100u);
  EXPECT_TRUE(d.slot().device()->queue(0).enabled());
  d.write(0x40, 0);
  EXPECT_EQ(d.read(0x40), 0u);
  EXPECT_FALSE(d.slot().device()->queue(0).enabled());
}

// 2.7.2: qalign(sizeof(desc) * num + 2 * (3 + num)) + 2 * 3 + 8 * num, in the words of the legacy interface.
TEST(VirtioMmio, LegacyRingsFollowEachOther) {
  for (u32 align : {4u, 64u, 4096u, 65536u})
    for (u16 size : {1, 2, 64, 256, 1024}) {
      VirtQueue::Rings r = VirtQueue::legacy_rings(0x12345000, size, align);
      u64 end_of_available = 0x12345000 + 16u * size + 2u * (3 + size);
      EXPECT_EQ(r.available, 0x12345000 + 16u * size);
      EXPECT_EQ(r.used, (end_of_available + align - 1) / align * align);
    }
}

TEST(VirtioMmio, ConfigurationInAllWidths) {
  Driver d;
  d.plug<Sample>();
  EXPECT_EQ(d.read(0x100, 1), 0x10u);
  EXPECT_EQ(d.read(0x103, 1), 0x13u);
  EXPECT_EQ(d.read(0x102, 2), 0x1312u);
  EXPECT_EQ(d.read(0x100, 4), 0x13121110u);
  EXPECT_EQ(d.read(0x104, 4), 0x1514u);
  EXPECT_EQ(d.read(0x1fc, 4), 0u);
  d.write(0x101, 0x77, 1);
  d.write(0x102, 0x77, 1);  // read-only
  d.write(0x1f0, 0x77, 4);
  EXPECT_EQ(d.read(0x100, 4), 0x13127710u);
}

TEST(VirtioMmio, ConfigurationChangesAreAnnounced) {
  Driver d;
  Sample& device = d.plug<Sample>();
  u32 generation = d.read(0xfc);
  device.change_config();  // before DRIVER_OK: in silence
  EXPECT_FALSE(d.line());
  EXPECT_NE(d.read(0xfc), generation);
  d.start(0, 1, 8);
  device.change_config();
  EXPECT_TRUE(d.line());
  EXPECT_EQ(d.read(0x60), 2u);
  d.write(0x64, 1);
  EXPECT_TRUE(d.line());
  d.write(0x64, 2);
  EXPECT_FALSE(d.line());
  EXPECT_EQ(d.read(0x60), 0u);
}

TEST(VirtioMmio, ResetLowersTheInterrupt) {
  Driver d;
  Sample& device = d.plug<Sample>();
  d.start(0, 1, 8);
  device.change_config();
  ASSERT_TRUE(d.line());
  d.write(0x70, 0);
  EXPECT_FALSE(d.line());
}

TEST(VirtioMmio, ControlRegistersTakeOnlyWords) {
  Driver d;
  d.plug<Sample>();
  EXPECT_EQ(d.read(0x000, 1), 0u);
  d.write(0x70, 1, 1);
  EXPECT_EQ(d.read(0x70), 0u);
}

TEST(VirtioMmio, SharedMemoryRegionsDoNotExist) {
  Driver d;
  d.plug<Sample>();
  d.write(0xac, 0);
  EXPECT_EQ(d.read(0xb0), ~0u);
  EXPECT_EQ(d.read(0xb4), ~0u);
}

TEST(VirtioMmio, TheDriverCannotSetOrClearNeedsReset) {
  Driver d;
  d.plug<Sample>();
  d.write(0x70, 0x40 | 3);
  EXPECT_EQ(d.read(0x70), 3u);
}

// Every register with every pattern, before and after start: no crash, and the device works afterwards.
TEST(VirtioMmio, RandomRegisterAccessesAreHarmless) {
  constexpr unsigned kSeed = 4711;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  for (bool legacy : {false, true}) {
    Driver d{legacy};
    d.plug<VirtioRng>(u64{1});
    u32 state = kSeed;
    auto next = [&] { return state = state * 1664525 + 1013904223, state >> 8; };
    for (int i = 0; i < 100000; i++) {
      unsigned size = 1u << next() % 3;
      u64 offset = next() % 0x200 / size * size;
      if (next() % 2)
        d.read(offset, size);
      else
        d.write(offset, next() % 4 ? next() % 64 : next() << 12, size);
    }
    d.start(0, 1, 8);
    d.add(0, {{d.memory.allocate(16), 16, true}});
    d.kick(0);
    EXPECT_TRUE(d.next_used(0));
  }
}

}  // namespace
}  // namespace sluice::virtio_test
