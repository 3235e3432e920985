// The virtio network device. VIRTIO 1.3, 5.1.
#include "devices/virtio/net.h"
#include "tests/unit/virtio_rig.h"

namespace sluice::virtio_test {
namespace {

constexpr u64 kMrg = 1 << 15, kMac = 1 << 5, kStatus = 1 << 16, kMtu = 1 << 3;

struct Wire {
  std::vector<Bytes> sent;
  NetBackend::Receiver receiver;
  int resumed = 0;
};
class TestNet final : public NetBackend {
 public:
  explicit TestNet(Wire& w) : w_(w) {}
  void send(std::span<const u8> frame) override { w_.sent.emplace_back(frame.begin(), frame.end()); }
  void on_receive(Receiver r) override { w_.receiver = std::move(r); }
  void resume() override { w_.resumed++; }

 private:
  Wire& w_;
};
Bytes frame(size_t size) {
  Bytes b(size);
  for (size_t i = 0; i < size; i++) b[i] = u8(i * 3 + 1);
  return b;
}

class VirtioNetFrames : public testing::TestWithParam<bool> {
 protected:
  VirtioNetFrames() : d(GetParam()) {}
  VirtioNet& plug(VirtioNetOptions o = {}) { return d.plug<VirtioNet>(std::make_unique<TestNet>(wire), o); }
  size_t header(u64 features) const { return GetParam() && !(features & kMrg) ? 10 : 12; }
  u64 give(u32 size) {
    u64 b = d.memory.allocate(size);
    std::memset(d.memory.at(b), 0xee, size);
    d.add(0, {{b, size, true}});
    return b;
  }
  Wire wire;
  Driver d;
};
INSTANTIATE_TEST_SUITE_P(ModernAndLegacy, VirtioNetFrames, testing::Bool());

TEST_P(VirtioNetFrames, DescribesItself) {
  plug({.mac = {0x52, 0x54, 0, 1, 2, 3}, .mtu = 9000});
  EXPECT_EQ(d.read(0x008), 1u);
  EXPECT_EQ(d.offered() & (kMrg | kMac | kStatus | kMtu), kMrg | kMac | kStatus | kMtu);
  EXPECT_EQ(d.read(0x100), 0x01005452u);
  EXPECT_EQ(d.read(0x104, 2), 0x0302u);
  EXPECT_EQ(d.read(0x106, 2), 1u);  // VIRTIO_NET_S_LINK_UP
  EXPECT_EQ(d.read(0x10a, 2), 9000u);
  EXPECT_FALSE(Driver{}.plug<VirtioNet>(std::make_unique<NullNet>()).offered_features() & kMtu);
}

TEST_P(VirtioNetFrames, TransmitsFramesWithoutTheirHeader) {
  for (u64 features : {u64{0}, kMrg}) {
    plug();
    wire.sent.clear();
    d.start(features, 2);
    size_t h = header(features);
    u64 b = d.memory.allocate(h + 60);
    d.memory.put_bytes(b + h, frame(60));
    d.add(1, {{b, u32(h), false}, {b + h, 60, false}});
    d.add(1, {{b, 5, false}, {b + 5, u32(h + 60 - 5), false}});  // header and frame cut anywhere
    d.kick(1);
    EXPECT_EQ(wire.sent, (std::vector<Bytes>{frame(60), frame(60)}));
    EXPECT_EQ(d.next_used(1)->length, 0u);
    EXPECT_TRUE(d.next_used(1));
  }
}

TEST_P(VirtioNetFrames, BadFramesAreDropped) {
  VirtioNet& net = plug();
  d.start(0, 2);
  u64 b = d.memory.allocate(100000);
  d.add(1, {{b, 4, false}});
  d.add(1, {{b, u32(header(0)), false}});
  d.add(1, {{b, 100000, false}});
  d.kick(1);
  for (int i = 0; i < 3; i++) EXPECT_TRUE(d.next_used(1));
  EXPECT_TRUE(wire.sent.empty());
  EXPECT_EQ(net.dropped(), 3u);
  EXPECT_FALSE(d.needs_reset());
}

TEST_P(VirtioNetFrames, ReceivesIntoOneBuffer) {
  for (u64 features : {u64{0}, kMrg}) {
    plug();
    d.start(features, 2);
    size_t h = header(features);
    u64 b = give(2000);
    EXPECT_TRUE(wire.receiver(frame(100)));
    auto used = d.next_used(0);
    ASSERT_TRUE(used);
    EXPECT_EQ(used->length, h + 100);
    EXPECT_EQ(d.memory.get_bytes(b + h, 100), frame(100));
    EXPECT_EQ(d.memory.get_bytes(b, 10), Bytes(10));  // no offload
    if (h == 12) {
      EXPECT_EQ(d.memory.get<u16>(b + 10), 1);
    }
  }
}

TEST_P(VirtioNetFrames, MergesReceiveBuffers) {
  plug();
  d.start(kMrg, 2);
  std::vector<u64> b;
  for (int i = 0; i < 4; i++) b.push_back(give(64));
  EXPECT_TRUE(wire.receiver(frame(150)));  // 162 bytes: 64 + 64 + 34
  Bytes all;
  for (u32 length : {64u, 64u, 34u}) {
    auto used = d.next_used(0);
    ASSERT_TRUE(used);
    EXPECT_EQ(used->length, length);
    Bytes part = d.memory.get_bytes(b[used->id], length);
    all.insert(all.end(), part.begin(), part.end());
  }
  EXPECT_FALSE(d.next_used(0));
  EXPECT_EQ(all[10] | all[11] << 8, 3);  // num_buffers
  EXPECT_EQ(Bytes(all.begin() + 12, all.end()), frame(150));
}

TEST_P(VirtioNetFrames, AFrameWaitsForEnoughBuffers) {
  plug();
  d.start(kMrg, 2);
  give(64);
  EXPECT_FALSE(wire.receiver(frame(150)));
  EXPECT_FALSE(d.next_used(0));
  give(64), give(64);
  int before = wire.resumed;
  d.kick(0);
  EXPECT_GT(wire.resumed, before);
  EXPECT_TRUE(wire.receiver(frame(150)));
  for (int i = 0; i < 3; i++) EXPECT_TRUE(d.next_used(0));
}

TEST_P(VirtioNetFrames, ATooSmallBufferLosesTheFrameButNotTheBuffer) {
  VirtioNet& net = plug();
  d.start(0, 2);
  give(64);
  EXPECT_TRUE(wire.receiver(frame(150)));
  EXPECT_EQ(net.dropped(), 1u);
  EXPECT_TRUE(wire.receiver(frame(40)));
  EXPECT_TRUE(d.next_used(0));
}

TEST_P(VirtioNetFrames, WithoutADriverFramesAreLost) {
  VirtioNet& net = plug();
  EXPECT_TRUE(wire.receiver(frame(60)));
  EXPECT_EQ(net.dropped(), 1u);
}

TEST_P(VirtioNetFrames, LinkChangesAreAnnounced) {
  VirtioNet& net = plug();
  d.start(kStatus, 2);
  net.set_link(false);
  EXPECT_EQ(d.read(0x60), 2u);
  EXPECT_EQ(d.read(0x106, 2), 0u);
  give(2000);
  EXPECT_TRUE(wire.receiver(frame(60)));
  EXPECT_FALSE(d.next_used(0));
}

TEST_P(VirtioNetFrames, OnlyALegacyDriverSetsTheAddress) {
  plug();
  d.write(0x100, 0xaa, 1);
  EXPECT_EQ(d.read(0x100, 1), GetParam() ? 0xaau : 0x52u);
}

}  // namespace
}  // namespace sluice::virtio_test
