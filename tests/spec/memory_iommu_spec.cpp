// IOMMUs in the path of a PE: each spec is a defect that an existing emulator has had (reference: C rows of
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
using test::TestIommu;
using test::TestPe;
using Reason = MemTxResult::Reason;
using Status = MemTxResult::Status;

// One PE in front of one IOMMU that maps the first 64 KiB one to one.
struct OnePe : ChainWorld {
  OnePe() {
    map(0, {0, 0xffff}, 0);
    fill(0x3000, 42);
    fill(0x8000, 43);
  }
  IommuIndex ns = iommu().index_for(kNs);
  TestPe pe{top(), hub};
  Participant::Running running{pe.participant};
};

// C1
SPEC("C1: an unmap from another thread leaves a PE's cache alone until the PE itself drains") {
  OnePe w;
  EXPECT_TRUE(w.pe.load(0x3000, 8, kNs));
  std::thread([&] { (void)w.iommu().unmap(w.ns, {0, 0xffff}); }).join();
  EXPECT_EQ(w.pe.cache.size(), 1u);
  EXPECT_TRUE(w.pe.participant.has_mail());
  w.pe.participant.drain();
  EXPECT_EQ(w.pe.cache.size(), 0u);
  EXPECT_FALSE(w.pe.load(0x3000, 8, kNs));
}

// C2
SPEC("C2: an unmap is not complete while a PE may still use the old translation") {
  OnePe w;
  w.pe.load(0x3000, 8, kNs);
  Ticket t = w.iommu().unmap(w.ns, {0, 0xffff});
  EXPECT_FALSE(w.hub.is_complete(t));
  w.pe.participant.drain();
  EXPECT_TRUE(w.hub.is_complete(t));
}
SPEC("C2: a PE that sleeps counts as acknowledged and drains before it goes on") {
  OnePe w;
  w.pe.load(0x3000, 8, kNs);
  {
    Participant::Quiescent asleep(w.pe.participant);
    EXPECT_TRUE(w.hub.is_complete(w.iommu().unmap(w.ns, {0, 0xffff})));
    EXPECT_EQ(w.pe.cache.size(), 1u);
  }
  EXPECT_EQ(w.pe.cache.size(), 0u);
}

// C3
SPEC("C3: a fill after an unmap hears of the next unmap as well") {
  OnePe w;
  for (int i = 0; i < 100; i++) {
    EXPECT_TRUE(w.pe.load(0x3000, 8, kNs));
    w.hub.wait(w.iommu().remap(w.ns, {{0, 0xffff}, 0, Access::All, &w.below(0)}));
    EXPECT_EQ(w.pe.cache.size(), 0u);
  }
  EXPECT_EQ(w.iommu().unmaps().subscriptions(), 1u);
}

// C4
SPEC("C4: PEs that come, fill and go do not disturb an IOMMU that publishes all the time") {
  ChainWorld w;
  w.map(0, {0, 0xffff}, 0);
  std::atomic<bool> stop{false};
  std::thread publisher([&] {
    while (!stop) (void)w.iommu().publish_unmap({.all_indexes = true});
  });
  auto come_and_go = [&] {
    for (int i = 0; i < 100; i++) {
      TestPe pe(w.top(), w.hub);
      EpochDomain::Guard guard(w.hub.epochs());
      FillGuard fill(pe.participant);
      Translation t = translate({w.top(), 0x10, 1, Access::Read, kNs, Intent::Access});
      (void)fill.still_valid(t.hops);
    }
  };
  std::thread a(come_and_go), b(come_and_go);
  a.join(), b.join();
  stop = true;
  publisher.join();
  EXPECT_EQ(w.iommu().unmaps().subscriptions(), 0u);
}

// C5
SPEC("C5: whoever translates again from inside the notification sees the new state") {
  OnePe w;
  Access seen = Access::All;
  IommuRegion::Subscription eager(w.iommu().unmaps(), [&](const IommuUnmap& u) {
    seen = w.iommu().translate(Iova{u.range.first}, Access::Read, u.index, kNs, Intent::Prefetch).rights;
  });
  (void)w.iommu().unmap(w.ns, {0, 0xffff});
  EXPECT_EQ(seen, Access::None);
}
SPEC("C5: a fill that an unmap overtakes between its walk and its insertion is dropped") {
  OnePe w;
  w.fill(0x13000, 99);
  w.pe.between_walk_and_insert = [&] {
    w.pe.between_walk_and_insert = nullptr;
    (void)w.iommu().remap(w.ns, {{0, 0xffff}, 0x10000, Access::All, &w.below(0)});
  };
  EXPECT_EQ(w.pe.load(0x3000, 8, kNs), 99u);
}
SPEC("C5: a fill that was interrupted by a drain of the very unmap is dropped too") {
  OnePe w;
  w.pe.load(0x9000, 8, kNs);  // follows the IOMMU already
  w.fill(0x13000, 99);
  w.hub.wait(w.iommu().publish_unmap({.all_indexes = true}));
  w.pe.between_walk_and_insert = [&] {
    w.pe.between_walk_and_insert = nullptr;
    (void)w.iommu().remap(w.ns, {{0, 0xffff}, 0x10000, Access::All, &w.below(0)});
    w.pe.participant.drain();
  };
  EXPECT_EQ(w.pe.load(0x3000, 8, kNs), 99u);
}

// C7
SPEC("C7: what a translation points to survives any number of memory map changes until the PE has drained") {
  InvalidationHub hub;
  Topology topology(hub);
  auto root = std::make_shared<Container>("root", kWholeSpace);
  AddressSpace space(topology, "s", root);
  auto ram = std::make_shared<RamRegion>("ram", test::make_ram(kPage));
  Topology::Transaction(topology).add(*root, 0, ram);
  TestPe pe(space, hub);
  EpochDomain::Thread epoch(hub.epochs());
  Participant::Running run(pe.participant);
  pe.load(0, 1, kNs);
  std::thread others([&] {
    for (u64 i = 1; i < 20; i++) {
      Topology::Transaction tx(topology);
      tx.add(*root, i << 20, std::make_shared<ReservationRegion>("r", kPage), 1);
      if (i == 5) tx.remove(*root, *ram), ram.reset();
    }
  });
  for (int i = 0; i < 200; i++) {
    EXPECT_TRUE(pe.load(0, 1, kNs) || !pe.last.is_ok());
    epoch.safe_point();
    pe.participant.drain();
  }
  Participant::Quiescent done(pe.participant);
  others.join();
}

// C8
SPEC("C8: the index always comes from the attributes of the transaction") {
  ChainWorld w;
  w.map(0, {0, 0xfff}, 0x1000, Access::All, kNs);
  w.map(0, {0, 0xfff}, 0x2000, Access::All, kSecure);
  w.map(0, {0, 0xfff}, 0x3000, Access::All, kDevice);
  for (auto [attrs, page] : {std::pair{kNs, 1}, {kSecure, 2}, {kDevice, 3}})
    EXPECT_EQ(translate({w.top(), 0, 1, Access::Read, attrs, Intent::Access}).offset, u64(page) * kPage);
}

// C9, C24
SPEC("C9: a 32-byte block is cached as 32 bytes, not as the page around it") {
  ChainWorld w;
  w.map(0, {0x1000, 0x101f}, 0x2000);
  w.map(0, {0x1040, 0x105f}, 0x3000, Access::Read);
  w.fill(0x2000, 7), w.fill(0x3000, 8);
  TestPe pe(w.top(), w.hub);
  EXPECT_EQ(pe.load(0x1000, 8, kNs), 7u);
  EXPECT_FALSE(pe.load(0x1020, 8, kNs));
  EXPECT_EQ(pe.load(0x1040, 8, kNs), 8u);
  EXPECT_FALSE(pe.load(0x1040, 8, kNs, Access::Write));
  EXPECT_FALSE(pe.load(0x101c, 8, kNs));  // half in, half out
}
SPEC("C24: RAM smaller than a page behind an IOMMU works and its neighbours do not") {
  ChainWorld w;
  auto tiny = std::make_shared<RamRegion>("tiny", w.ram, 0x100, 24);
  AddressSpace downstream(w.topology, "downstream", tiny);
  w.iommu().map(w.iommu().index_for(kNs), {{0, 0xffff}, 0, Access::All, &downstream});
  w.fill(0x110, 5);
  TestPe pe(w.top(), w.hub);
  EXPECT_EQ(pe.load(16, 8, kNs), 5u);
  EXPECT_FALSE(pe.load(24, 1, kNs));
  EXPECT_EQ(pe.last, MemTxResult::decode_error(Reason::Unmapped, 1));
}

// C10
SPEC("C10: ten thousand sections of odd sizes are no problem") {
  InvalidationHub hub;
  Topology topology(hub);
  auto root = std::make_shared<Container>("root", kWholeSpace);
  AddressSpace space(topology, "s", root);
  auto ram = test::make_ram(u64{1} << 20);
  {
    Topology::Transaction tx(topology);
    for (u64 i = 0; i < 10000; i++)
      tx.add(*root, i * 100 + 3, std::make_shared<RamRegion>("r", ram, i * 7, 33 + i % 60));
  }
  for (u64 i = 0; i < 10000; i += 37) {
    Translation t = translate({space, i * 100 + 3 + 32, 1, Access::Read, kNs, Intent::Access});
    EXPECT_EQ(t.offset, i * 7 + 32);
    EXPECT_FALSE(translate({space, i * 100 + 2, 1, Access::Read, kNs, Intent::Access}).is_ok());
  }
}

// C11, C12
SPEC("C11: an IOMMU is told the access that is made, and its rights are kept for the next one") {
  ChainWorld w;
  w.map(0, {0, 0xfff}, 0, Access::Read);
  TestPe pe(w.top(), w.hub);
  for (Access a : {Access::Read, Access::Write, Access::Execute}) {
    pe.cache.remove_everything();
    EXPECT_EQ(bool(pe.load(0, 1, kNs, a)), a == Access::Read);
    EXPECT_EQ(w.iommu().last_access, a);
  }
  pe.load(0, 1, kNs);
  EXPECT_FALSE(pe.load(0, 1, kNs, Access::Write));  // from the cache
}
SPEC("C12: execute never follows from read, and may stand alone") {
  ChainWorld w;
  w.map(0, {0, 0xfff}, 0, Access::ReadWrite);
  w.map(0, {0x1000, 0x1fff}, 0, Access::Execute);
  TestPe pe(w.top(), w.hub);
  EXPECT_FALSE(pe.load(0, 4, kNs, Access::Execute));
  EXPECT_TRUE(pe.load(0x1000, 4, kNs, Access::Execute));
  EXPECT_FALSE(pe.load(0x1000, 4, kNs, Access::Read));
}

// C13, D11
SPEC("C13: an unmap of everything is fine for a region of any size and for a part of it") {
  InvalidationHub hub;
  Topology topology(hub);
  auto ram = test::make_ram(0x10000);
  AddressSpace memory(topology, "memory", std::make_shared<RamRegion>("ram", ram));
  auto iommu = std::make_shared<TestIommu>(hub, 0x4000);
  auto root = std::make_shared<Container>("root", kWholeSpace);
  Topology::Transaction(topology).add(*root, 0x8000,
                                      std::make_shared<AliasRegion>("part", iommu, 0x1000, 0x1000));
  AddressSpace space(topology, "s", root);
  iommu->map(iommu->index_for(kNs), {{0, ~u64{0}}, 0, Access::All, &memory});
  TestPe pe(space, hub);
  EXPECT_TRUE(pe.load(0x8000, 4, kNs));
  EXPECT_EQ(pe.cache.size(), 1u);
  hub.wait(iommu->publish_unmap({.all_indexes = true, .range = {0, ~u64{0}}}));
  pe.participant.drain();
  EXPECT_EQ(pe.cache.size(), 0u);
}

// C14
SPEC("C14: an unmap of one block in one index leaves all other entries in the cache") {
  ChainWorld w;
  for (u64 page = 0; page < 16; page++) {
    w.map(0, {page << 12, (page << 12) | 0xfff}, page << 12, Access::All, kNs);
    w.map(0, {page << 12, (page << 12) | 0xfff}, page << 12, Access::All, kSecure);
  }
  TestPe pe(w.top(), w.hub);
  for (u64 page = 0; page < 16; page++) pe.load(page << 12, 1, kNs), pe.load(page << 12, 1, kSecure);
  EXPECT_EQ(pe.cache.size(), 32u);
  (void)w.iommu().unmap(w.iommu().index_for(kSecure), {0x3000, 0x3fff});
  pe.participant.drain();
  EXPECT_EQ(pe.cache.size(), 31u);
  int asked = w.iommu().translations;
  EXPECT_TRUE(pe.load(0x3000, 1, kNs));
  EXPECT_EQ(w.iommu().translations, asked);
}

// C15, C23
SPEC("C15: a PE subscribes once to an IOMMU, however many indexes and fills it sees") {
  ChainWorld w(3);
  for (unsigned i = 0; i < 3; i++)
    for (u32 endpoint = 0; endpoint < 50; endpoint++)
      w.map(i, {0, 0xffff}, 0, Access::All, MemTxAttrs::device(1, endpoint));
  {
    TestPe pe(w.top(), w.hub);
    for (u32 endpoint = 0; endpoint < 50; endpoint++) {
      pe.cache.remove_everything();
      EXPECT_TRUE(pe.load(0, 1, MemTxAttrs::device(1, endpoint)));
    }
    for (auto& iommu : w.iommus) EXPECT_EQ(iommu->unmaps().subscriptions(), 1u);
  }
  for (auto& iommu : w.iommus) EXPECT_EQ(iommu->unmaps().subscriptions(), 0u);
  (void)w.iommu().unmap(w.iommu().index_for(kNs), {0, 0xfff});  // nobody is called
}
SPEC("a region rebuilt at a dead region's address gets its own subscription") {
  InvalidationHub hub;
  Topology topology(hub);
  auto ram = test::make_ram(0x10000);
  AddressSpace memory(topology, "memory", std::make_shared<RamRegion>("ram", ram));
  std::optional<TestIommu> iommu(std::in_place, hub);
  TestPe* watcher = nullptr;
  auto use = [&](TestPe* pe) {
    iommu->map(iommu->index_for(kNs), {{0, 0xffff}, 0, Access::All, &memory});
    AddressSpace space(topology, "s", unowned<Region>(*iommu));
    Translation t = translate({space, 0, 1, Access::Read, kNs, Intent::Access});
    FillGuard fill(pe->participant);
    EXPECT_TRUE(fill.still_valid(t.hops));
    EXPECT_EQ(iommu->unmaps().subscriptions(), 1u);
  };
  TestPe pe(memory, hub);
  watcher = &pe;
  use(watcher);
  iommu.emplace(hub);
  pe.participant.drain();
  use(watcher);
  EXPECT_EQ(pe.participant.followed(), 1u);
}

// C17, C18
SPEC("C17: 'denied' and 'nothing there' are different answers, and say at which hop") {
  ChainWorld w(2);
  w.map(0, {0, 0x1fff}, 0);
  w.map(1, {0, 0xfff}, 0x1000000);  // beyond the RAM
  TestPe pe(w.top(), w.hub);
  EXPECT_FALSE(pe.load(0x5000, 1, kNs));
  EXPECT_EQ(pe.last, MemTxResult::access_error(0));
  EXPECT_FALSE(pe.load(0x1000, 1, kNs));
  EXPECT_EQ(pe.last, MemTxResult::access_error(1));
  EXPECT_FALSE(pe.load(0, 1, kNs));
  EXPECT_EQ(pe.last, MemTxResult::decode_error(Reason::Unmapped, 2));
}
SPEC("C18: a failure reports the address and attributes as they were where it failed") {
  ChainWorld w(2);
  w.iommus[0]->space_override = PaSpace::Secure;
  w.map(0, {0, 0xffff}, 0x70000);
  Translation t = translate({w.top(), 0x123, 1, Access::Read, kNs, Intent::Access});
  EXPECT_FALSE(t.is_ok());
  EXPECT_EQ(t.final_space, w.spaces[1].get());
  EXPECT_EQ(t.final_address, 0x70123u);
  ASSERT_TRUE(w.iommus[1]->last_refused);
  EXPECT_EQ(w.iommus[1]->last_refused->input, 0x70123u);
  EXPECT_EQ(w.iommus[1]->last_refused->attrs.space, PaSpace::Secure);
  EXPECT_EQ(w.iommus[1]->last_refused->reason, TestIommu::kNotMapped);
}

// C19
SPEC("C19: debug reads and prefetches are silent, real transactions are reported exactly once") {
  ChainWorld w;
  std::array<std::byte, 16> buffer;
  EXPECT_EQ(w.top().peek({0}, buffer, kNs).status, Status::AccessError);
  for (Intent quiet : {Intent::Debug, Intent::Prefetch, Intent::AtsRequest})
    EXPECT_EQ(translate({w.top(), 0, 1, Access::Read, kNs, quiet}).result, MemTxResult::access_error(0));
  EXPECT_EQ(w.iommu().refusals, 0);
  EXPECT_EQ(w.top().read({0}, buffer, kNs).status, Status::AccessError);
  EXPECT_EQ(w.iommu().refusals, 1);
  u64 value;
  EXPECT_EQ(w.top().load({8}, 8, value, kNs).status, Status::AccessError);
  EXPECT_EQ(w.iommu().refusals, 2);
}
SPEC("a refusal that is RAZ/WI reads zero, ignores writes, and is still recorded") {
  ChainWorld w;
  w.iommu().raz_wi = true;
  u64 value = 99;
  EXPECT_TRUE(w.top().load({0}, 8, value, kNs).is_ok());
  EXPECT_EQ(value, 0u);
  EXPECT_TRUE(w.top().store({0}, 8, 7, kNs).is_ok());
  EXPECT_EQ(w.iommu().refusals, 2);
}

// C22
SPEC("C22: a chain that comes back to itself is a decode error") {
  ChainWorld w(3);
  auto join = [&](unsigned i, const AddressSpace& to, u64 output) {
    w.iommus[i]->map(w.iommus[i]->index_for(kNs), {{0, 0xffff}, output, Access::All, &to});
  };
  join(0, w.below(0), 0), join(1, w.below(1), 0), join(2, w.top(), 0);
  u64 value;
  EXPECT_EQ(w.top().load({0x10}, 4, value, kNs), MemTxResult::decode_error(Reason::ChainCycle, 3));
}
SPEC("C22: a chain that comes back at another address each time ends at the depth limit") {
  ChainWorld w(1);
  w.iommu().map(w.iommu().index_for(kNs), {{0, ~u64{0} - 0x1000}, 0x1000, Access::All, &w.top()});
  u64 value;
  EXPECT_EQ(w.top().load({0x10}, 4, value, kNs), MemTxResult::decode_error(Reason::ChainTooDeep, 16));
}

// One flush message per store; the mailbox cannot grow.
SPEC("an IOMMU that unmaps a million blocks while a PE sleeps costs the PE one full flush") {
  OnePe w;
  w.pe.load(0x3000, 8, kNs);
  {
    Participant::Quiescent asleep(w.pe.participant);
    for (u64 i = 0; i < 20000; i++)
      (void)w.iommu().publish_unmap({w.ns, false, {i << 12, (i << 12) | 0xfff}});
    w.pe.applied = 0;
  }
  EXPECT_EQ(w.pe.applied, 1);
  EXPECT_EQ(w.pe.cache.size(), 0u);
}

}  // namespace
}  // namespace sluice
