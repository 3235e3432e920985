// virtio-iommu and other threads: when the used-ring entry of a request is visible, nobody has what the
// request took away (docs/invalidation.md).
#include <atomic>
#include <cstring>
#include <thread>

#include "memory/dma.h"
#include "tests/support/eventually.h"
#include "tests/support/memory_world.h"
#include "tests/unit/virtio_iommu_rig.h"

namespace sluice::virtio_test {
namespace {

using test::eventually;
using test::SleepsForCompletion;
using test::TestPe;
constexpr u64 kTop = ~u64{0};
const MemTxAttrs k8 = MemTxAttrs::device(1, 8);

struct Attached : IommuDriver {
  Attached() {
    EXPECT_EQ(attach(1, 8), kOk);
    EXPECT_EQ(map(1, 0, 0xfff, kWindow), kOk);
  }
  // The used index as another thread may read it.
  u16 used_now() {
    return std::atomic_ref(*reinterpret_cast<u16*>(memory.at(rings[0].used + 2)))
        .load(std::memory_order_acquire);
  }
};

// C2 and D6, for each request that takes something away.
SPEC("C2: a request is used only after a PE that has cached what it takes away has drained") {
  for (Bytes request : {IommuDriver::unmap_bytes(1, 0, kTop), IommuDriver::detach_bytes(1, 8),
                        IommuDriver::attach_bytes(2, 8)}) {
    Attached w;
    TestPe pe(w.dma, w.memory.hub());
    std::atomic<bool> cached{false}, drain{false};
    std::thread pe_thread([&] {
      Participant::Running running(pe.participant);
      EXPECT_TRUE(pe.load(0, 8, k8));
      cached = true;
      while (!drain) std::this_thread::yield();
      pe.participant.drain();
      EXPECT_FALSE(pe.load(0, 8, k8));
    });
    while (!cached) std::this_thread::yield();
    u16 before = w.used_now();
    SleepsForCompletion driver_waits(w.memory.hub());
    std::thread driver([&] { EXPECT_EQ(w.status_of(request), kOk); });
    EXPECT_TRUE(eventually(driver_waits));
    EXPECT_EQ(w.used_now(), before);
    drain = true;
    pe_thread.join();
    driver.join();
    EXPECT_NE(w.used_now(), before);
  }
}

SPEC("D6: a request is used only after a device has let go of the pointer that it takes away") {
  Attached w;
  DmaMapper mapper(w.port(8));
  auto kept = mapper.map(0, 0x1000, Access::Write);
  std::optional<DmaMapping::Pin> pin{kept.mapping.pin()};
  ASSERT_TRUE(*pin);
  u16 before = w.used_now();
  SleepsForCompletion driver_waits(w.memory.hub());
  std::thread driver([&] { EXPECT_EQ(w.unmap(1, 0, 0xfff), kOk); });
  EXPECT_TRUE(eventually(driver_waits));
  EXPECT_EQ(w.used_now(), before);
  pin.reset();
  driver.join();
  EXPECT_NE(w.used_now(), before);
}

SPEC("the bypass switch is through only after whoever used the bypass has drained") {
  IommuDriver w{{.config = {.bypass_at_boot = true}}};
  TestPe pe(w.dma, w.memory.hub());
  std::atomic<bool> cached{false}, drain{false}, through{false};
  std::thread pe_thread([&] {
    Participant::Running running(pe.participant);
    EXPECT_TRUE(pe.load(kWindow, 8, k8));
    cached = true;
    while (!drain) std::this_thread::yield();
    EXPECT_FALSE(through);
    pe.participant.drain();
  });
  while (!cached) std::this_thread::yield();
  SleepsForCompletion driver_waits(w.memory.hub());
  std::thread driver([&] {
    w.write_bypass(0);
    through = true;
  });
  EXPECT_TRUE(eventually(driver_waits));
  drain = true;
  pe_thread.join();
  driver.join();
}

// The driver gives a page to the device, takes it back, and then owns it: plain accesses, which TSan watches.
SPEC("a device that writes by mapped pointers never writes to a page after the UNMAP is used") {
  IommuDriver w;
  EXPECT_EQ(w.attach(1, 8), kOk);
  std::atomic<bool> stop{false};
  std::atomic<u64> written{0};
  std::thread device([&] {
    DmaMapper mapper(w.port(8));
    while (!stop) {
      auto m = mapper.map(0, 0x1000, Access::Write);
      if (!m.result.is_ok()) continue;
      for (int i = 0; i < 50; i++) {
        auto pin = m.mapping.pin();
        if (!pin) break;
        for (std::span<std::byte> span : pin.spans()) std::memset(span.data(), 0x5a, span.size());
        written++;
      }
    }
  });
  u8* page = w.memory.at(kWindow);
  for (int round = 0; round < 200; round++) {
    EXPECT_EQ(w.map(1, 0, 0xfff, kWindow), kOk);
    u64 goal = written + 2;
    for (int i = 0; i < 20000 && written < goal; i++) std::this_thread::yield();
    ASSERT_EQ(w.unmap(1, 0, 0xfff), kOk);
    std::memset(page, 0, 0x1000);  // ours again
    std::this_thread::yield();
    for (u64 i = 0; i < 0x1000; i++) ASSERT_EQ(page[i], 0) << round;
  }
  stop = true;
  device.join();
  EXPECT_GT(written, 0u);
}

SPEC("transactions of several devices run beside a storm of MAP and UNMAP, and each sees one or the other") {
  IommuDriver w;
  EXPECT_EQ(w.attach(1, 8), kOk);
  EXPECT_EQ(w.attach(1, 9), kOk);
  for (u64 i = 0; i < 64; i++) {
    w.memory.put<u64>(kWindow + (i << 12), i);
    if (i % 2 == 0) {
      EXPECT_TRUE(w.map(1, i << 12, (i << 12) + 0xfff, kWindow + (i << 12), kReadFlag) == kOk);
    }
  }
  std::atomic<bool> stop{false};
  std::atomic<u64> wrong{0};
  auto device = [&](u32 endpoint, u64 seed) {
    std::mt19937_64 engine(seed);
    while (!stop) {
      u64 page = engine() % 64, value = ~u64{0};
      bool ok = w.port(endpoint).load(page << 12, 8, value).is_ok();
      if (page % 2 == 0 && !ok) wrong++;
      if (ok && value != page) wrong++;
    }
  };
  std::thread a(device, 8, 1), b(device, 9, 2);
  test::Random random(9);
  for (int i = 0; i < 2000; i++) {
    u64 page = random.below(32) * 2 + 1, at = page << 12;
    if (w.map(1, at, at + 0xfff, kWindow + at, kReadFlag) != kOk) {
      EXPECT_TRUE(w.unmap(1, at, at + 0xfff) == kOk);
    }
  }
  stop = true;
  a.join(), b.join();
  EXPECT_EQ(wrong, 0u);
}

SPEC("V13: domains that end under running devices are not read after that") {
  IommuDriver w;
  std::atomic<bool> stop{false};
  std::atomic<u64> wrong{0};
  auto device = [&](u32 endpoint) {
    for (u64 at = 0; !stop; at = (at + 0x1008) % 0x10000) {
      u64 value = 0;
      if (w.port(endpoint).load(at, 8, value).is_ok() && value != 0x77) wrong++;
    }
  };
  w.memory.put<u64>(kWindow, 0x77);
  for (u64 i = 0; i < 0x2000; i += 8) w.memory.put<u64>(kWindow + i, 0x77);
  std::thread a(device, 8), b(device, 9);
  for (int round = 0; round < 400; round++) {
    u32 domain = u32(round % 3) + 1;
    (void)w.attach(domain, 8), (void)w.attach(domain, 9);
    for (u64 page = 0; page < 16; page++) (void)w.map(domain, page << 12, (page << 12) + 0xfff, kWindow);
    if (round % 7 == 0) w.begin(kAllIommuFeatures);
    (void)w.detach(domain, 8);
  }
  stop = true;
  a.join(), b.join();
  EXPECT_EQ(wrong, 0u);
}

SPEC("an endpoint that is unplugged reaches nothing, although it goes on trying") {
  IommuDriver w;
  std::atomic<bool> stop{false};
  std::thread device([&] {
    DmaMapper mapper(w.port(30));
    while (!stop) {
      auto m = mapper.map(0, 0x1000, Access::Write);
      if (auto pin = m.mapping.pin())
        for (std::span<std::byte> span : pin.spans()) std::memset(span.data(), 0x5a, span.size());
    }
  });
  for (int round = 0; round < 100; round++) {
    EXPECT_EQ(w.iommu.add_endpoint(30), "");
    EXPECT_EQ(w.attach(1, 30), kOk);
    EXPECT_EQ(w.map(1, 0, 0xfff, kWindow), kOk);
    std::this_thread::yield();
    w.iommu.region()->remove_endpoint(30);
    std::memset(w.memory.at(kWindow), 0, 0x1000);  // nobody else's any more
    EXPECT_EQ(w.where(30, 0), std::nullopt);
    EXPECT_TRUE(w.iommu.region()->domains().empty());
  }
  stop = true;
  device.join();
}

SPEC(
    "a PE that sends the UNMAP itself has lost the translation when its store to the notify register "
    "retires") {
  Attached w;
  TestPe pe(w.dma, w.memory.hub()), other(w.dma, w.memory.hub(), "other");
  Participant::Running running(pe.participant);
  EXPECT_TRUE(pe.load(0, 8, k8));
  EXPECT_EQ(w.unmap(1, 0, kTop), kOk);
  EXPECT_EQ(pe.cache.size(), 0u);
  EXPECT_FALSE(pe.load(0, 8, k8));
}

SPEC("a mirror that comes and goes while requests run is exact whenever it is there") {
  IommuDriver w;
  EXPECT_EQ(w.attach(1, 8), kOk);
  std::atomic<bool> stop{false};
  std::atomic<int> requests{0};
  std::thread driver([&] {
    test::Random random(4);
    for (; !stop; requests++) {
      u64 at = random.below(32) << 12;
      if (w.map(1, at, at + 0xfff, kWindow + at) != kOk) (void)w.unmap(1, at, at + 0xfff);
    }
  });
  for (int i = 0; i < 100 || requests < 2000; i++) {
    SoftHostIommu host(w.memory.hub(), {});
    ASSERT_EQ(host.mirror(*w.iommu.region(), k8), "");
    w.iommu.region()->between_commits([&] { EXPECT_EQ(compare(*w.iommu.region(), host, 8), ""); });
    EXPECT_EQ(host.counters().refused_maps, 0u);
  }
  stop = true;
  driver.join();
}

}  // namespace
}  // namespace sluice::virtio_test
