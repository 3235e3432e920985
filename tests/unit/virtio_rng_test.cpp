// The virtio entropy device. VIRTIO 1.3, 5.4.
#include <set>

#include "devices/virtio/rng.h"
#include "tests/unit/virtio_rig.h"

namespace sluice::virtio_test {
namespace {

Bytes draw(Driver& d, u32 size) {
  u64 b = d.memory.allocate(size);
  d.add(0, {{b, size, true}});
  d.kick(0);
  auto used = d.next_used(0);
  EXPECT_TRUE(used);
  return used ? d.memory.get_bytes(b, used->length) : Bytes{};
}

TEST(VirtioRng, FillsBuffers) {
  for (bool legacy : {false, true}) {
    Driver d{legacy};
    d.plug<VirtioRng>();
    EXPECT_EQ(d.read(0x008), 4u);
    d.start(0, 1, 8);
    Bytes a = draw(d, 64), b = draw(d, 64);
    EXPECT_EQ(a.size(), 64u);
    EXPECT_NE(a, b);
    EXPECT_GT(std::set<u8>(a.begin(), a.end()).size(), 20u);
  }
}

TEST(VirtioRng, ASeedGivesTheSameBytesEveryTime) {
  Bytes first;
  for (int run = 0; run < 2; run++) {
    Driver d;
    d.plug<VirtioRng>(u64{42});
    d.start(0, 1, 8);
    Bytes bytes = draw(d, 100);
    d.start(0, 1, 8);
    EXPECT_EQ(draw(d, 100), bytes);  // a reset starts again
    if (run == 0) first = bytes;
    EXPECT_EQ(bytes, first);
  }
  Driver other;
  other.plug<VirtioRng>(u64{43});
  other.start(0, 1, 8);
  EXPECT_NE(draw(other, 100), first);
}

TEST(VirtioRng, ALargeRequestIsAnsweredInPart) {
  Driver d;
  d.plug<VirtioRng>(u64{1});
  d.start(0, 1, 8);
  Bytes b = draw(d, 1 << 20);
  EXPECT_GE(b.size(), 1u);
  EXPECT_LE(b.size(), 65536u);
}

TEST(VirtioRng, WithoutAWritableBufferItNeedsReset) {
  Driver d;
  d.plug<VirtioRng>(u64{1});
  d.start(0, 1, 8);
  d.add(0, {{d.memory.allocate(8), 8, false}});
  d.kick(0);
  EXPECT_TRUE(d.needs_reset());
}

}  // namespace
}  // namespace sluice::virtio_test
