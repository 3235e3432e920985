// tests/spec/tz_mpc_spec.cpp: what holders of translations may rely on when a TrustZone MPC changes (Arm
// SIE-200; docs/invalidation.md). The letters are rows of the list of what other emulators got wrong.
#include <thread>

#include "tests/support/mpc_world.h"

namespace sluice {
namespace {

using namespace test;
using Status = MemTxResult::Status;

// One PE in front of the MPC, with the whole LUT Secure.
struct MpcPe : MpcWorld {
  explicit MpcPe(u64 block = 0x1000) : MpcWorld(block) { w(MPC_CTRL, kSecResp); }
  TestPe pe{upstream, hub};
  Participant::Running running{pe.participant};
};

SPEC(
    "MPC: a block that turns Non-secure is lost to a PE that had it cached as Secure, when the store "
    "retires") {
  MpcPe w;
  w.fill(0x3000, 42);
  EXPECT_EQ(w.pe.load(0x3000, 8, kSecure), 42u);
  EXPECT_FALSE(w.pe.load(0x3000, 8, kNs));
  w.set_block(3, true);
  EXPECT_FALSE(w.pe.load(0x3000, 8, kSecure));
  EXPECT_EQ(w.pe.load(0x3000, 8, kNs), 42u);
  w.set_block(3, false);
  EXPECT_FALSE(w.pe.load(0x3000, 8, kNs));
}

SPEC("MPC C5: whoever translates again from inside the notification sees the new LUT") {
  MpcWorld w;
  Access secure = Access::All, ns = Access::None;
  IommuRegion::Subscription eager(w.mpc->unmaps(), [&](const IommuUnmap& u) {
    bool is_ns = u.index == w.mpc->index_for(kNs);
    (is_ns ? ns : secure) =
        w.mpc->translate({u.range.first}, Access::Read, u.index, is_ns ? kNs : kSecure, Intent::Prefetch)
            .rights;
  });
  w.set_lut(0, 1u << 3);
  EXPECT_EQ(secure, Access::None);
  EXPECT_EQ(ns, Access::All);
}

SPEC("MPC M6: a fill that a LUT write overtakes between its walk and its insertion is dropped") {
  MpcPe w;
  w.pe.between_walk_and_insert = [&] {
    w.pe.between_walk_and_insert = nullptr;
    w.set_block(3, true);
  };
  EXPECT_FALSE(w.pe.load(0x3000, 8, kSecure));
}

SPEC("MPC M5: a word write publishes each run of changed blocks once per Security state, and nothing else") {
  MpcWorld w;
  w.set_lut(1, 0x0000'00f0);
  std::vector<IommuUnmap> heard;
  IommuRegion::Subscription s(w.mpc->unmaps(), [&](const IommuUnmap& u) { heard.push_back(u); });
  w.set_lut(1, 0x0000'00ff);
  ASSERT_EQ(heard.size(), 2u);
  EXPECT_EQ(heard[0].range, (InclusiveRange{0x20000, 0x23fff}));
  EXPECT_EQ(heard[1].range, heard[0].range);
  EXPECT_NE(heard[0].index, heard[1].index);
  heard.clear();
  w.set_lut(1, 0x0000'00ff);
  EXPECT_TRUE(heard.empty());
  w.set_lut(1, 0x8000'00fe);
  ASSERT_EQ(heard.size(), 4u);
  EXPECT_EQ(heard[0].range, (InclusiveRange{0x20000, 0x20fff}));
  EXPECT_EQ(heard[2].range, (InclusiveRange{0x3f000, 0x3ffff}));
}

SPEC("MPC D4: a holder that only makes Non-secure accesses hears of its own index") {
  MpcWorld w;
  w.set_lut(0, ~0u);
  DmaMapper mapper(DmaPort(w.upstream, kDevice));
  auto [mapping, result] = mapper.map(0x2000, 64, Access::ReadWrite);
  ASSERT_TRUE(result.is_ok());
  ASSERT_FALSE(mapping.bounced());
  w.set_block(3, false);
  EXPECT_FALSE(mapping.revoked());
  w.set_block(2, false);
  EXPECT_TRUE(mapping.revoked());
}

SPEC("MPC M3: a reset of the device alone takes the Non-secure blocks away from who had them cached") {
  MpcPe w;
  w.set_lut(0, ~0u);
  EXPECT_TRUE(w.pe.load(0x3000, 8, kNs));
  w.mpc->reset();
  EXPECT_EQ(w.lut(0), 0u);
  EXPECT_FALSE(w.pe.load(0x3000, 8, kNs));
  EXPECT_TRUE(w.pe.load(0x3000, 8, kSecure));
}

SPEC("MPC M7: nobody is Secure by default: loader and debugger say what they are") {
  MpcWorld w;
  w.w(MPC_CTRL, kSecResp);
  std::array<std::byte, 4> bytes{};
  EXPECT_EQ(w.upstream.write({0}, bytes, MemTxAttrs::loader()).status, Status::AccessError);
  EXPECT_TRUE(w.upstream.write({0}, bytes, MemTxAttrs::loader(PaSpace::Secure)).is_ok());
  EXPECT_EQ(w.upstream.peek({0}, bytes, MemTxAttrs::debugger()).status, Status::AccessError);
}

SPEC("MPC C9: in a page of 32-byte blocks each access has the answer of its own block") {
  MpcPe w(32);
  for (u64 block = 0; block < 128; block++) w.fill(block * 32, block);
  for (u32 word = 0; word < 4; word++) w.set_lut(word, 0x5555'5555);
  for (u64 block = 0; block < 128; block++) {
    EXPECT_EQ(w.pe.load(block * 32, 8, kNs).has_value(), block % 2 == 0) << block;
    EXPECT_EQ(w.pe.load(block * 32, 8, kSecure).has_value(), block % 2 == 1) << block;
  }
  EXPECT_EQ(w.pe.cache.size(), 128u);
}

SPEC("MPC C14: a flip of one 32-byte block drops what covers it and leaves all other entries") {
  MpcPe w(32);
  for (u32 word = 0; word < 4; word++) w.set_lut(word, 0x5555'5555);  // page 0 is mixed, the others Secure
  for (u64 block = 1; block < 128; block += 2) EXPECT_TRUE(w.pe.load(block * 32, 8, kSecure));
  for (u64 page = 1; page < 64; page++) EXPECT_TRUE(w.pe.load(page << 12, 8, kSecure));
  EXPECT_EQ(w.pe.cache.size(), 64u + 63u);  // a uniform page is one entry
  w.set_block(5, true);
  EXPECT_EQ(w.pe.cache.size(), 64u + 63u - 1);
  w.set_block(2 * 128 + 7, true);
  EXPECT_EQ(w.pe.cache.size(), 64u + 63u - 2);
  // Its neighbours in the page come back as two entries.
  EXPECT_TRUE(w.pe.load(0x2000, 8, kSecure));
  EXPECT_FALSE(w.pe.load(0x20e0, 8, kSecure));
  EXPECT_TRUE(w.pe.load(0x2ff8, 8, kSecure));
  EXPECT_EQ(w.pe.cache.size(), 64u + 63u);
}

SPEC("MPC: a flip of one block among 200 cached pages removes exactly one entry") {
  MpcPe w;
  for (u64 page = 0; page < 200; page++) EXPECT_TRUE(w.pe.load(page << 12, 8, kSecure));
  EXPECT_EQ(w.pe.cache.size(), 200u);
  w.set_block(77, true);
  EXPECT_EQ(w.pe.cache.size(), 199u);
  EXPECT_EQ(w.pe.participant.counters().full_flushes, 0u);
}

SPEC("MPC: a LUT write retires only when a pinned DMA pointer into the block has been released") {
  MpcWorld w;
  DmaMapper mapper(DmaPort(w.upstream, kSecureDevice));
  auto [mapping, result] = mapper.map(0x2000, 64, Access::ReadWrite);
  std::atomic<bool> retired{false};
  std::thread flip;
  {
    auto pin = mapping.pin();
    ASSERT_TRUE(pin);
    flip = std::thread([&] {
      w.set_block(2, true);
      retired = true;
    });
    while (!mapping.revoked()) std::this_thread::yield();
    EXPECT_FALSE(retired);
  }
  flip.join();
  EXPECT_TRUE(retired);
}

// C9, C14: of the 4 KiB around it, the mapping has used five blocks.
SPEC("MPC C14: a DMA mapping dies with each block that it touches, and with none beside them in the page") {
  for (u64 size : {32, 256, 2048}) {
    const u64 first = 0x1000 / size + 1, last = first + (size == 2048 ? 1 : 4);
    for (u64 block = 0x1000 / size - 2; block <= last + 2; block++) {
      MpcWorld w(size);
      DmaMapper mapper(DmaPort(w.upstream, kSecureDevice));
      auto [mapping, result] = mapper.map(first * size + size - 1, (last - first - 1) * size + 2,
                                          Access::Write);  // one byte of each end
      ASSERT_TRUE(mapping && !mapping.bounced());
      w.set_block(block, true);
      EXPECT_EQ(mapping.revoked(), block >= first && block <= last) << size << " " << block;
    }
  }
}
SPEC("MPC C14: a DMA mapping through another gate in front keeps to the blocks that it reaches in the MPC") {
  MpcWorld w(32);
  auto front = std::make_shared<TestIommu>(w.hub);
  AddressSpace top(w.topology, "top", front);
  front->map(front->index_for(kSecureDevice), {{0x7000, 0x8fff}, 0x1000, Access::All, &w.upstream});
  DmaMapper mapper(DmaPort(top, kSecureDevice));
  auto [mapping, result] = mapper.map(0x7840, 64, Access::Read);  // blocks 0x1840 / 32 and the next
  w.set_block(0x1820 / 32, true), w.set_block(0x1880 / 32, true);
  EXPECT_FALSE(mapping.revoked());
  front->unmap(front->index_for(kSecureDevice), {0x8800, 0x8800});  // of the one block in front: all of it
  EXPECT_TRUE(mapping.revoked());
}

SPEC("MPC M2: the gate acknowledges only when transfers that were under way have ended") {
  MpcWorld w;
  DmaMapper mapper(DmaPort(w.upstream, kSecureDevice));
  auto [mapping, result] = mapper.map(0x2000, 64, Access::ReadWrite);
  std::thread request;
  {
    auto pin = mapping.pin();
    ASSERT_TRUE(pin);
    request = std::thread([&] { w.w(MPC_CTRL, kGateRequest); });
    while (!mapping.revoked()) std::this_thread::yield();
    EXPECT_EQ(w.r(MPC_CTRL), kGateRequest);
  }
  request.join();
  EXPECT_EQ(w.r(MPC_CTRL), kGateRequest | kGateAck);
}

SPEC("MPC M2: the acknowledge of a gate that was opened again does not show for the next one") {
  MpcWorld w;
  DmaMapper mapper(DmaPort(w.upstream, kSecureDevice));
  auto [mapping, result] = mapper.map(0x2000, 64, Access::ReadWrite);
  std::thread request;
  {
    auto pin = mapping.pin();
    ASSERT_TRUE(pin);
    request = std::thread([&] { w.w(MPC_CTRL, kGateRequest); });
    while (!mapping.revoked()) std::this_thread::yield();
    w.w(MPC_CTRL, 0);
  }
  request.join();
  EXPECT_EQ(w.r(MPC_CTRL), 0u);
}

// D1
SPEC("MPC D1: a bounce buffer of a Non-secure device is written back as Non-secure, and blocked") {
  MpcWorld w(32);
  w.set_lut(0, 0x1);  // only the first 32 bytes are Non-secure; the rest is RAZ/WI for the device
  w.fill(32, 0x5ec7e7);
  DmaMapper mapper(DmaPort(w.upstream, kDevice));
  auto [mapping, result] = mapper.map(0, 64, Access::ReadWrite);
  ASSERT_TRUE(result.is_ok());
  ASSERT_TRUE(mapping.bounced());
  {
    auto pin = mapping.pin();
    auto bytes = pin.spans()[0];
    EXPECT_EQ(bytes[32], std::byte{0});  // what is Secure was read as zero
    std::fill(bytes.begin(), bytes.end(), std::byte{0xaa});
  }
  EXPECT_TRUE(mapping.unmap(64).is_ok());
  EXPECT_EQ(w.peek(0), 0xaaaa'aaaa'aaaa'aaaau);
  EXPECT_EQ(w.peek(32), 0x5ec7e7u);
  EXPECT_EQ(w.r(MPC_INT_INFO2) & 0x1ffff, 1u << 16 | 0x8001);
}

SPEC(
    "MPC: a DMA mapping through 32-byte blocks is revoked by a block that it is part of, and by no other "
    "page") {
  MpcWorld w(32);
  DmaMapper mapper(DmaPort(w.upstream, kSecureDevice));
  auto [mapping, result] = mapper.map(0x1000, 0x2000, Access::Read);
  ASSERT_TRUE(result.is_ok());
  w.set_block(0x0fe0 / 32, true);
  w.set_block(0x3000 / 32, true);
  EXPECT_FALSE(mapping.revoked());
  w.set_block(0x2fe0 / 32, true);
  EXPECT_TRUE(mapping.revoked());
  EXPECT_EQ(mapper.counters().revoked, 1u);
}

// While a block is Non-secure its word is odd; Secure software makes it even after it has taken the block
// back. So a Non-secure access that sees an even word used a translation that had to be gone. Each PE also
// holds an entry that nothing changes.
struct Revocation : MpcWorld {
  static constexpr u64 kVictim = 0x1040, kBystander = 0x3000;
  Revocation() : MpcWorld(32, 0x4000) {
    w(MPC_CTRL, 0);  // RAZ/WI: blocked reads give 0, which is no value of the word
    for (u32 page_word = 0; page_word < 4; page_word++) set_lut(u32(kBystander / 1024) + page_word, ~0u);
    word().store(2);
  }
  std::atomic_ref<u64> word() { return std::atomic_ref(*reinterpret_cast<u64*>(ram->host() + kVictim)); }
  void note(u64 value) {
    stale += value && value % 2 == 0;
    accesses.fetch_add(1, std::memory_order_relaxed);
  }
  void run_pe(u16 number) {
    TestPe pe(upstream, hub, "pe" + std::to_string(number));
    Participant::Running running(pe.participant);
    MemTxAttrs attrs = MemTxAttrs::pe(number, PaSpace::NonSecure, true);
    EXPECT_TRUE(pe.load(kBystander, 8, attrs));
    while (!stop) {
      for (int i = 0; i < 50; i++) note(pe.load(kVictim, 8, attrs).value_or(0));
      pe.participant.drain();
    }
    int kept = 0;
    pe.cache.for_each([&](EntryId, const CacheEntry& e) { kept += e.input.contains(kBystander); });
    EXPECT_EQ(kept, 1);
    EXPECT_EQ(pe.participant.counters().full_flushes, 0u);
  }
  void run_device() {
    DmaPort port(upstream, kDevice);
    for (u64 value = 0; !stop; value = 0)
      if (port.load(kVictim, 8, value).is_ok()) note(value);
  }
  std::atomic<bool> stop{false};
  std::atomic<u64> accesses{0}, stale{0};
};

SPEC("MPC: no Non-secure access sees a block after the store that took it away has retired") {
  const u64 wanted = std::getenv("SLUICE_LONG") ? 10'000'000 : 1'000'000;
  constexpr u64 kBetweenFlips = 5000;
  Revocation w;
  std::thread a([&] { w.run_pe(1); }), b([&] { w.run_pe(2); }), c([&] { w.run_device(); });
  for (u64 odd = 3; w.accesses < wanted; odd += 2) {
    w.word().store(odd);
    w.set_block(w.kVictim / 32, true);
    for (u64 before = w.accesses; w.accesses < before + kBetweenFlips;) std::this_thread::yield();
    w.set_block(w.kVictim / 32, false);
    w.word().store(odd + 1);
  }
  w.stop = true;
  a.join(), b.join(), c.join();
  EXPECT_EQ(w.stale, 0u);
}

SPEC("MPC C23: a PE that goes away leaves no subscription behind") {
  MpcWorld w;
  {
    TestPe pe(w.upstream, w.hub);
    Participant::Running running(pe.participant);
    EXPECT_TRUE(pe.load(0, 4, kSecure));
    EXPECT_TRUE(pe.load(0x5000, 4, kSecure));
    EXPECT_EQ(w.mpc->unmaps().subscriptions(), 1u);
  }
  EXPECT_EQ(w.mpc->unmaps().subscriptions(), 0u);
  w.set_lut(0, ~0u);
}

}  // namespace
}  // namespace sluice
