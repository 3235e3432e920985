// The split virtqueue through a device that copies what it reads to what it may write. VIRTIO 1.3, 2.7.
#include <random>

#include "tests/unit/virtio_rig.h"

namespace sluice::virtio_test {
namespace {

// Writes the readable bytes, rotated by one bit, to the writable part; used length = bytes written.
class Echo final : public VirtioDevice {
 public:
  explicit Echo(u16 size = 16) : VirtioDevice(VirtioId::Entropy, {size, size}, 4) {}
  u64 served = 0;
  bool hold = false;  // keep chains instead of returning them
  std::deque<Chain> held;
  void release_one() {
    complete(0, held.front(), 0);
    held.pop_front();
  }

 protected:
  u64 device_features(bool) const override { return 0; }
  void reset_device() override { held.clear(); }
  void notify(u16 n) override {
    drain(n, [&](Chain&& chain) {
      served++;
      if (hold) return held.push_back(std::move(chain)), true;
      size_t size = size_t(std::min<u64>({chain.readable_size(), chain.writable_size(), 65536}));
      std::vector<u8> bytes(size);
      if (!chain.read(0, bytes)) return fail(n, "unreadable"), false;
      for (u8& b : bytes) b = u8(b << 1 | b >> 7);
      if (!chain.write(0, bytes)) return fail(n, "unwritable"), false;
      complete(n, chain, size);
      return true;
    });
  }
};

u8 rotated(u8 b) { return u8(b << 1 | b >> 7); }

struct Layout {
  bool legacy, event_index;
};
class VirtQueueLayouts : public testing::TestWithParam<Layout> {};
INSTANTIATE_TEST_SUITE_P(All, VirtQueueLayouts,
                         testing::Values(Layout{false, false}, Layout{false, true}, Layout{true, false},
                                         Layout{true, true}));

// Random well-formed chains, direct and indirect; contents and used lengths against the test's own
// computation.
TEST_P(VirtQueueLayouts, CopiesAndReportsUsedLengths) {
  constexpr unsigned kSeed = 20240117;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937 random{kSeed};
  Driver d{GetParam().legacy};
  d.plug<Echo>();
  d.start(Driver::kIndirect | (GetParam().event_index ? Driver::kEventIdx : 0), 1);
  for (int round = 0; round < 2000; round++) {
    std::vector<Buffer> buffers;
    Bytes in, expected;
    std::vector<Buffer> out;
    u64 at = kRamBase + 0x800000, size_out = 0;
    unsigned readable = random() % 4, writable = 1 + random() % 4;
    for (unsigned i = 0; i < readable + writable; i++) {
      u32 length = random() % 200;
      at += length + random() % 64;
      buffers.push_back({at, length, i >= readable});
      at += length;
      for (u32 k = 0; k < length; k++) {
        u8 byte = i < readable ? u8(random()) : u8(0xee);
        d.memory.put<u8>(buffers.back().address + k, byte);
        if (i < readable) in.push_back(byte);
      }
      if (i >= readable) out.push_back(buffers.back()), size_out += length;
    }
    u16 head = random() % 2 ? d.add(0, buffers) : d.add_indirect(0, buffers);
    d.kick(0);
    auto used = d.next_used(0);
    ASSERT_TRUE(used);
    EXPECT_EQ(used->id, head);
    u64 copied = std::min<u64>(in.size(), size_out);
    EXPECT_EQ(used->length, copied);
    u64 i = 0;
    for (const Buffer& b : out)
      for (u32 k = 0; k < b.length; k++, i++)
        ASSERT_EQ(d.memory.get<u8>(b.address + k), i < copied ? rotated(in[i]) : 0xee) << "round " << round;
  }
}

TEST_P(VirtQueueLayouts, IndexesWrapAround) {
  Driver d{GetParam().legacy};
  Echo& echo = d.plug<Echo>();
  d.start(GetParam().event_index ? Driver::kEventIdx : 0, 1);
  const u64 buffer = d.memory.allocate(16);
  for (u32 i = 0; i < 70000; i++) {
    u16 head = d.add(0, {{buffer, 8, false}, {buffer + 8, 8, true}});
    d.kick(0);
    auto used = d.next_used(0);
    ASSERT_TRUE(used && used->id == head) << i;
  }
  EXPECT_EQ(echo.served, 70000u);
}

TEST_P(VirtQueueLayouts, ABatchIsServedByOneNotification) {
  Driver d{GetParam().legacy};
  Echo& echo = d.plug<Echo>();
  d.start(GetParam().event_index ? Driver::kEventIdx : 0, 1);
  const u64 buffer = d.memory.allocate(16);
  for (int i = 0; i < 8; i++) d.add(0, {{buffer, 8, false}, {buffer + 8, 8, true}});
  d.kick(0);
  EXPECT_EQ(echo.served, 8u);
  EXPECT_EQ(d.used_index(0), 8);
  EXPECT_TRUE(d.line());
  EXPECT_EQ(d.read(0x60), 1u);
  d.write(0x64, 1);
  EXPECT_FALSE(d.line());
}

TEST(VirtQueue, NoInterruptFlagSuppressesTheInterrupt) {
  Driver d;
  d.plug<Echo>();
  d.start(0, 1);
  const u64 buffer = d.memory.allocate(16);
  d.memory.put<u16>(d.rings[0].available, 1);
  d.add(0, {{buffer, 8, true}});
  d.kick(0);
  EXPECT_TRUE(d.next_used(0));
  EXPECT_FALSE(d.line());
  d.memory.put<u16>(d.rings[0].available, 0);
  d.add(0, {{buffer, 8, true}});
  d.kick(0);
  EXPECT_TRUE(d.line());
}

// 2.7.10: with EVENT_IDX the device interrupts when the used index passes used_event.
TEST(VirtQueue, UsedEventSelectsTheInterrupt) {
  Driver d;
  d.plug<Echo>();
  d.start(Driver::kEventIdx, 1);
  const Ring& r = d.rings[0];
  const u64 buffer = d.memory.allocate(16), used_event = r.available + 4 + 2u * r.size;
  auto one = [&] {
    d.write(0x64, 3);
    d.add(0, {{buffer, 8, true}});
    d.kick(0);
    EXPECT_TRUE(d.next_used(0));
    return d.line();
  };
  one();  // the first use may always interrupt
  d.memory.put<u16>(used_event, 3);
  EXPECT_FALSE(one());  // used index becomes 2
  EXPECT_FALSE(one());  // 3
  EXPECT_TRUE(one());   // 4: entry 3 has been used
  EXPECT_FALSE(one());
}

TEST(VirtQueue, AvailEventAsksForTheNextChain) {
  Driver d;
  d.plug<Echo>();
  d.start(Driver::kEventIdx, 1);
  const Ring& r = d.rings[0];
  const u64 buffer = d.memory.allocate(16), avail_event = r.used + 4 + 8u * r.size;
  for (int i = 0; i < 3; i++) d.add(0, {{buffer, 8, true}});
  d.kick(0);
  EXPECT_EQ(d.memory.get<u16>(avail_event), 3);
}

TEST(VirtQueue, ChainsHeldAcrossAResetAreForgotten) {
  Driver d;
  Echo& echo = d.plug<Echo>();
  d.start(0, 1);
  echo.hold = true;
  d.add(0, {{d.memory.allocate(16), 8, true}});
  d.kick(0);
  ASSERT_EQ(echo.held.size(), 1u);
  Chain stale = std::move(echo.held.front());
  const u64 old_used = d.rings[0].used;
  d.start(0, 1);
  EXPECT_TRUE(echo.held.empty());
  echo.held.push_back(std::move(stale));
  echo.release_one();
  EXPECT_EQ(d.memory.get<u16>(old_used + 2), 0);
  EXPECT_EQ(d.used_index(0), 0);
  EXPECT_FALSE(d.needs_reset());
}

// ---- rings that break a rule: DEVICE_NEEDS_RESET and a configuration interrupt; a legacy queue just stops
// ----

struct Malice {
  const char* name;
  void (*make)(Driver&);
};
void PrintTo(const Malice& m, std::ostream* os) { *os << m.name; }
u64 buffer(Driver& d) { return d.memory.allocate(64); }
const Malice kMalice[] = {
    {"loop",
     [](Driver& d) {
       d.put_descriptor(d.rings[0].descriptors, 0, buffer(d), 8, 1, 1);
       d.put_descriptor(d.rings[0].descriptors, 1, buffer(d), 8, 1, 0);
       d.make_available(0, 0);
     }},
    {"self loop",
     [](Driver& d) {
       d.put_descriptor(d.rings[0].descriptors, 0, buffer(d), 8, 3, 0);
       d.make_available(0, 0);
     }},
    {"head out of range", [](Driver& d) { d.make_available(0, 16); }},
    {"next out of range",
     [](Driver& d) {
       d.put_descriptor(d.rings[0].descriptors, 0, buffer(d), 8, 1, 999);
       d.make_available(0, 0);
     }},
    {"available index too far ahead", [](Driver& d) { d.memory.put<u16>(d.rings[0].available + 2, 17); }},
    {"available index goes back", [](Driver& d) { d.memory.put<u16>(d.rings[0].available + 2, 0xffff); }},
    {"indirect in indirect",
     [](Driver& d) {
       u64 table = d.memory.allocate(32);
       d.put_descriptor(table, 0, table, 32, 4, 0);
       d.put_descriptor(d.rings[0].descriptors, 0, table, 32, 4, 0);
       d.make_available(0, 0);
     }},
    {"indirect and next",
     [](Driver& d) {
       u64 table = d.memory.allocate(16);
       d.put_descriptor(table, 0, buffer(d), 8, 2, 0);
       d.put_descriptor(d.rings[0].descriptors, 0, table, 16, 5, 1);
       d.put_descriptor(d.rings[0].descriptors, 1, buffer(d), 8, 2, 0);
       d.make_available(0, 0);
     }},
    {"empty indirect table",
     [](Driver& d) {
       d.put_descriptor(d.rings[0].descriptors, 0, buffer(d), 0, 4, 0);
       d.make_available(0, 0);
     }},
    {"indirect table of odd size",
     [](Driver& d) {
       d.put_descriptor(d.rings[0].descriptors, 0, buffer(d), 24, 4, 0);
       d.make_available(0, 0);
     }},
    {"indirect table nowhere",
     [](Driver& d) {
       d.put_descriptor(d.rings[0].descriptors, 0, kNowhere, 32, 4, 0);
       d.make_available(0, 0);
     }},
    {"indirect table too long",
     [](Driver& d) {
       u64 table = d.memory.allocate(2000 * 16);
       for (u16 i = 0; i < 2000; i++) d.put_descriptor(table, i, kRamBase, 1, i == 1999 ? 2 : 3, u16(i + 1));
       d.put_descriptor(d.rings[0].descriptors, 0, table, 2000 * 16, 4, 0);
       d.make_available(0, 0);
     }},
    {"readable after writable",
     [](Driver& d) {
       d.put_descriptor(d.rings[0].descriptors, 0, buffer(d), 8, 3, 1);
       d.put_descriptor(d.rings[0].descriptors, 1, buffer(d), 8, 0, 0);
       d.make_available(0, 0);
     }},
    {"buffer wraps around",
     [](Driver& d) {
       d.put_descriptor(d.rings[0].descriptors, 0, ~u64{0} - 3, 8, 2, 0);
       d.make_available(0, 0);
     }},
    {"buffers nowhere",
     [](Driver& d) {
       d.add(0, {{kNowhere, 8, false}, {kNowhere, 8, true}});
     }},
};
class VirtQueueMalice : public testing::TestWithParam<std::tuple<Malice, bool>> {};
INSTANTIATE_TEST_SUITE_P(All, VirtQueueMalice, testing::Combine(testing::ValuesIn(kMalice), testing::Bool()));

TEST_P(VirtQueueMalice, BreaksTheQueueAndAResetCuresIt) {
  const auto& [malice, legacy] = GetParam();
  Driver d{legacy};
  d.plug<Echo>();
  d.start(Driver::kIndirect, 2);
  malice.make(d);
  d.kick(0);
  EXPECT_FALSE(d.next_used(0));
  EXPECT_EQ(d.needs_reset(), !legacy);
  EXPECT_EQ(d.read(0x60), legacy ? 0u : 2u);
  d.kick(0);  // a dead queue stays dead, and harmless
  EXPECT_FALSE(d.next_used(0));
  d.start(Driver::kIndirect, 1);
  EXPECT_FALSE(d.needs_reset());
  const u64 b = buffer(d);
  d.add(0, {{b, 8, false}, {b + 8, 8, true}});
  d.kick(0);
  EXPECT_TRUE(d.next_used(0));
}

TEST(VirtQueue, IndirectDescriptorsNeedTheFeature) {
  Driver d;
  d.plug<Echo>();
  d.start(0, 1);
  d.add_indirect(0, {{d.memory.allocate(8), 8, true}});
  d.kick(0);
  EXPECT_TRUE(d.needs_reset());
}

// 2.7.5.3.1 limits a chain to the queue size; indirect tables beyond it are accepted (DEVIATION in
// queue.cpp).
TEST(VirtQueue, AnIndirectTableMayBeLongerThanTheRing) {
  Driver d;
  d.plug<Echo>();
  d.start(Driver::kIndirect, 1, 4);
  std::vector<Buffer> buffers;
  const u64 b = d.memory.allocate(512);
  for (u64 i = 0; i < 100; i++) buffers.push_back({b + i, 1, i >= 50});
  d.add_indirect(0, buffers);
  d.kick(0);
  auto used = d.next_used(0);
  ASSERT_TRUE(used);
  EXPECT_EQ(used->length, 50u);
}

TEST(VirtQueue, MoreChainsInFlightThanDescriptorsBreakIt) {
  Driver d;
  Echo& echo = d.plug<Echo>();
  d.start(0, 1, 4);
  echo.hold = true;
  const u64 b = d.memory.allocate(16);
  for (int i = 0; i < 4; i++) d.add(0, {{b, 8, true}});
  d.kick(0);
  EXPECT_EQ(echo.held.size(), 4u);
  d.make_available(0, 0);  // a descriptor that the device still owns
  d.kick(0);
  EXPECT_TRUE(d.needs_reset());
  EXPECT_EQ(echo.held.size(), 4u);
}

TEST(VirtQueue, BadSizesAndAddressesAreRefused) {
  for (u32 size : {0u, 3u, 32u, 65536u}) {
    Driver d;
    d.plug<Echo>();
    ASSERT_TRUE(d.negotiate(0));
    d.write(0x30, 0);
    d.write(0x38, size);
    d.write(0x80, u32(kRamBase)), d.write(0x90, u32(kRamBase + 0x1000)),
        d.write(0xa0, u32(kRamBase + 0x2000));
    d.write(0x44, 1);
    EXPECT_EQ(d.read(0x44), 0u) << size;
    EXPECT_TRUE(d.needs_reset()) << size;
  }
  Driver d;
  d.plug<Echo>();
  ASSERT_TRUE(d.negotiate(0));
  d.write(0x30, 0);
  d.write(0x80, u32(kRamBase + 8));  // descriptors need 16
  d.write(0x44, 1);
  EXPECT_EQ(d.read(0x44), 0u);
}

TEST(VirtQueue, RingsOutsideMemoryBreakIt) {
  Driver d;
  d.plug<Echo>();
  ASSERT_TRUE(d.negotiate(0));
  d.write(0x30, 0);
  d.write(0x38, 16);
  for (u64 at : {0x84, 0x94, 0xa4}) d.write(at, 0x80);
  d.write(0x44, 1);
  d.driver_ok();
  d.kick(0);
  EXPECT_TRUE(d.needs_reset());
}

// Rings and buffers inside the device's own registers: the access is refused, nobody waits for himself.
TEST(VirtQueue, RingsInsideTheDevicesOwnRegistersBreakIt) {
  InvalidationHub hub;
  Topology topology{hub};
  auto root = std::make_shared<Container>("root", kWholeSpace);
  AddressSpace space{topology, "system", root};
  Clock clock{Clock::Mode::Icount};
  VirtioMmio slot{{space, MemTxAttrs::device(1, 0)}, {}, clock, {.force_legacy = false}};
  slot.plug(std::make_unique<Echo>());
  {
    Topology::Transaction t{topology};
    t.add(*root, 0xa000000,
          std::make_shared<MmioRegion>("slot", VirtioMmio::kRegionSize, slot, &slot.lock()));
  }
  auto write = [&](u64 offset, u32 value) {
    EXPECT_TRUE(
        space.store({0xa000000 + offset}, 4, value, MemTxAttrs::pe(0, PaSpace::NonSecure, true)).is_ok());
  };
  write(0x70, 3), write(0x24, 1), write(0x20, 1), write(0x70, 11);
  write(0x38, 16);
  for (u64 at : {0x80, 0x90, 0xa0}) write(at, 0xa000000);
  write(0x44, 1), write(0x70, 15), write(0x50, 0);
  EXPECT_TRUE(slot.device()->status() & 64);
  bool entered = false;
  enter_device(slot, [&] {
    u64 value;
    entered = true;
    EXPECT_FALSE(slot.dma().load(0xa000000, 4, value).is_ok());
  });
  EXPECT_TRUE(entered);
}

// A driver that adds chains while the device works must not keep one store busy for ever.
TEST(VirtQueue, AQueueThatNeverRunsEmptyIsDeferred) {
  class Feeder final : public VirtioDevice {
   public:
    explicit Feeder(Driver& d) : VirtioDevice(VirtioId::Entropy, {16}, 0), d_(d) {}
    u64 served = 0;
    u64 limit = 1000;

   protected:
    u64 device_features(bool) const override { return 0; }
    void notify(u16 n) override {
      drain(n, [&](Chain&& chain) {
        complete(n, chain, 0);
        if (++served < limit) d_.make_available(0, 0);
        return true;
      });
    }
    Driver& d_;
  };
  Driver d;
  Feeder& feeder = d.plug<Feeder>(d);
  d.start(0, 1);
  d.add(0, {{d.memory.allocate(8), 8, true}});
  d.kick(0);
  EXPECT_LE(feeder.served, 32u);
  for (int i = 0; i < 200 && feeder.served < feeder.limit; i++) {
    d.clock.advance_to(d.clock.now_ns() + 1'000'000);
    d.clock.run_expired();
  }
  EXPECT_EQ(feeder.served, feeder.limit);
  EXPECT_EQ(d.clock.next_deadline_ns(), Clock::kNever);
}

// Random rings: nothing may crash, hang or be written outside RAM. Bounded by rounds.
TEST(VirtQueue, RandomRingsAreHarmless) {
  constexpr unsigned kSeed = 0x51u;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937_64 random{kSeed};
  u64 broken = 0, served = 0;
  for (bool legacy : {false, true}) {
    Driver d{legacy};
    Echo& echo = d.plug<Echo>();
    const u64 tables = d.memory.allocate(64 * 16, 16);
    for (int round = 0; round < 3000; round++) {
      d.start(random() % 4 ? Driver::kIndirect : Driver::kIndirect | Driver::kEventIdx, 2);
      auto descriptor = [&](u64 table, u16 i, unsigned count) {
        u64 address = random() % 16 ? kRamBase + 0x800000 + random() % 0x10000 : random();
        u16 flags = u16(random() % 32 ? random() % 4 : random());
        if (random() % 8 == 0) address = tables, flags |= 4;
        u32 length = random() % 8 ? u32(random() % 300) : u32(random() % 2 ? 16 * (random() % 64) : random());
        u16 next = u16(random() % 16 ? (i + 1) % count : random());
        d.put_descriptor(table, i, address, length, flags, next);
      };
      for (u16 i = 0; i < 16; i++) descriptor(d.rings[0].descriptors, i, 16);
      for (u16 i = 0; i < 64; i++) descriptor(tables, i, 64);
      for (unsigned kicks = 0; kicks < 4; kicks++) {
        for (u16 i = 0; i < 16; i++) d.memory.put<u16>(d.rings[0].available + 4 + 2 * i, u16(random() % 18));
        u16 index = d.memory.get<u16>(d.rings[0].available + 2);
        d.memory.put<u16>(d.rings[0].available + 2, u16(index + random() % 18));
        d.kick(0);
      }
      broken += d.needs_reset();
    }
    served += echo.served;
  }
  EXPECT_GT(broken, 100u);  // the generator reaches both kinds
  EXPECT_GT(served, 1000u);
}

}  // namespace
}  // namespace sluice::virtio_test
