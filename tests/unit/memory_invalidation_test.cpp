// Mailboxes, tickets, quiescence and reclamation, with real threads. Runs under ThreadSanitizer.
#include <gtest/gtest.h>

#include <thread>

#include "tests/support/eventually.h"
#include "tests/support/memory_world.h"

namespace sluice {
namespace {

using test::ChainWorld;
using test::eventually;
using test::kNs;
using test::kPage;
using test::SleepsForCompletion;
using test::TestPe;

using Kind = Participant::Kind;

TEST(Epoch, WhatAReaderSawLivesUntilItsSafePoint) {
  EpochDomain domain;
  auto object = std::make_shared<int>(5);
  std::weak_ptr<int> watch = object;
  EpochDomain::Thread self(domain);
  domain.retire(std::move(object));
  EXPECT_FALSE(watch.expired());
  domain.reclaim();
  EXPECT_FALSE(watch.expired());
  self.safe_point();
  EXPECT_TRUE(watch.expired());
}

TEST(Epoch, AnOfflineThreadKeepsNobodyWaitingAndAGuardBringsItBack) {
  EpochDomain domain;
  EpochDomain::Thread self(domain);
  self.go_offline();
  auto one = std::make_shared<int>(1), two = std::make_shared<int>(2);
  std::weak_ptr<int> first = one, second = two;
  domain.retire(std::move(one));
  EXPECT_TRUE(first.expired());
  {
    EpochDomain::Guard guard(domain);
    domain.retire(std::move(two));
    self.safe_point();  // inside a guard it is none
    EXPECT_FALSE(second.expired());
  }
  EXPECT_TRUE(second.expired());
}

TEST(Epoch, MoreGuardsThanSlotsStillProtect) {
  EpochDomain domain;
  std::atomic<int*> shared{new int(0)};
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; i++) {
    readers.emplace_back([&] {
      u64 sum = 0;
      while (!stop.load()) {
        EpochDomain::Guard guard(domain);
        EpochDomain::Guard nested(domain);
        sum += u64(*shared.load());
      }
      EXPECT_LT(sum, ~u64{0});
    });
  }
  for (int i = 0; i < 2000; i++) domain.retire(std::shared_ptr<const int>(shared.exchange(new int(i))));
  stop = true;
  for (auto& t : readers) t.join();
  domain.reclaim();
  EXPECT_EQ(domain.retired(), 0u);
  delete shared.load();
}

TEST(Participant, MailArrivesInOrderAndSetsTheAttentionBit) {
  InvalidationHub hub;
  std::vector<u64> seen;
  Participant p(hub, Kind::Pe, "pe",
                [&](const Invalidation& m) { seen.push_back(std::get<Tlbi>(m).operation.as<u64>()); });
  std::atomic<u32> attention{0x10};
  p.set_attention(&attention);
  for (u64 i = 0; i < 5; i++) (void)p.post(Tlbi{Pod32::of(i)});
  EXPECT_EQ(attention, 0x11u);
  EXPECT_TRUE(p.has_mail());
  p.drain();
  EXPECT_EQ(seen, (std::vector<u64>{0, 1, 2, 3, 4}));
  EXPECT_EQ(attention, 0x10u);
  EXPECT_FALSE(p.has_mail());
}

TEST(Participant, AFloodBecomesOneFullFlushAndCustomMailSurvivesIt) {
  InvalidationHub hub;
  int flushes = 0, others = 0;
  std::vector<u32> tags;
  Participant p(hub, Kind::Pe, "pe", [&](const Invalidation& m) {
    if (auto* c = std::get_if<Custom>(&m)) {
      tags.push_back(c->tag);
    } else {
      (std::holds_alternative<FullFlush>(m) ? flushes : others)++;
    }
  });
  int wakes = 0;
  p.set_wake([&] { wakes++; });
  for (u32 i = 0; i < 3; i++) EXPECT_TRUE(p.post_custom({.tag = i}));
  for (u64 i = 0; i < 100000; i++) (void)p.post(Tlbi{Pod32::of(i)});
  p.drain();
  EXPECT_EQ(flushes, 1);
  EXPECT_EQ(others, 0);
  EXPECT_EQ(tags, (std::vector<u32>{0, 1, 2}));
  EXPECT_EQ(wakes, 3);
  size_t taken = 0;
  while (p.post_custom({})) taken++;
  EXPECT_EQ(taken, Participant::kMailboxLimit / 2);
  (void)p.post(Tlbi{});
  p.drain();
  EXPECT_EQ(others, 1);
}

TEST(Hub, ATicketWaitsForRunningParticipantsOnly) {
  InvalidationHub hub;
  int applied = 0;
  Participant busy(hub, Kind::Pe, "busy", [&](const Invalidation&) { applied++; });
  Participant idle(hub, Kind::Pe, "idle", [&](const Invalidation&) { applied += 100; });
  busy.leave_quiescent();
  Ticket t = hub.broadcast(Kind::Pe, Tlbi{});
  EXPECT_FALSE(hub.is_complete(t));
  busy.drain();
  EXPECT_TRUE(hub.is_complete(t));
  EXPECT_EQ(applied, 1);
  idle.leave_quiescent();  // reads its mail before anything else
  EXPECT_EQ(applied, 101);
  idle.enter_quiescent();
  busy.enter_quiescent();
  EXPECT_TRUE(hub.is_complete(hub.broadcast(Kind::Device, Tlbi{})));
}

TEST(Hub, TwoPesThatInvalidateEachOtherForEverBothProgress) {
  InvalidationHub hub;
  std::atomic<u64> applied{0};
  auto run = [&](Participant& self, int rounds) {
    EpochDomain::Thread epoch(hub.epochs());
    self.leave_quiescent();
    for (int i = 0; i < rounds; i++) {
      hub.wait(hub.broadcast(Kind::Pe, Tlbi{}, &self));
      epoch.safe_point();
      self.drain();
    }
    self.enter_quiescent();
  };
  auto count = [&](const Invalidation&) { applied++; };
  Participant a(hub, Kind::Pe, "a", count), b(hub, Kind::Pe, "b", count), c(hub, Kind::Pe, "c", count);
  std::thread ta(run, std::ref(a), 3000), tb(run, std::ref(b), 3000), tc(run, std::ref(c), 3000);
  ta.join(), tb.join(), tc.join();
  a.drain(), b.drain(), c.drain();
  EXPECT_GT(applied, 0u);
}

// The value behind the IOMMU moves from page to page, and each page is poisoned once its translation is
// complete. Whoever still reads through the old translation sees the poison.
TEST(Hub, NobodyReadsThroughATranslationWhoseRemovalIsComplete) {
  ChainWorld w(2);
  constexpr int kRounds = 400;
  constexpr u64 kPoison = 0xdeaddeaddeaddead, kGood = 0x600d600d600d600d;
  auto put = [&](u64 page, u64 value) {
    (void)w.below(1).store({page * kPage}, 8, value, MemTxAttrs::debugger());
  };
  IommuIndex index = w.iommus[1]->index_for(kNs);
  put(0, kGood);
  w.map(0, {0, 0xfffff}, 0);
  w.map(1, {0x1000, 0x1fff}, 0);
  std::atomic<bool> stop{false};
  std::atomic<u64> reads{0}, poisoned{0};
  auto read_all_the_time = [&](std::string name) {
    TestPe pe(w.top(), w.hub, std::move(name));
    EpochDomain::Thread epoch(w.hub.epochs());
    Participant::Running run(pe.participant);
    while (!stop.load()) {
      std::optional<u64> v = pe.load(0x1000, 8, kNs);
      reads++;
      if (v && *v != kGood) poisoned++;
      epoch.safe_point();
      pe.participant.drain();
    }
  };
  std::thread r1(read_all_the_time, "pe1"), r2(read_all_the_time, "pe2");
  std::thread dma([&] {
    while (!stop.load()) {
      u64 v = 0;
      if (w.top().load({0x1000}, 8, v, kNs).is_ok() && v != kGood) poisoned++;
    }
  });
  while (reads < 100) std::this_thread::yield();
  for (u64 i = 1; i <= kRounds; i++) {
    put(i % 8, kGood);
    Ticket t = w.iommus[1]->remap(index, {{0x1000, 0x1fff}, (i % 8) * kPage, Access::All, &w.below(1)});
    w.hub.wait(t);
    put((i - 1) % 8, kPoison);
  }
  stop = true;
  r1.join(), r2.join(), dma.join();
  EXPECT_EQ(poisoned, 0u);
  EXPECT_GT(reads, 100u);
}

TEST(Hub, MemoryMapChangesUnderReadersNeverShowAFreedView) {
  InvalidationHub hub;
  Topology topology(hub);
  auto root = std::make_shared<Container>("root", kWholeSpace);
  AddressSpace space(topology, "s", root);
  std::atomic<bool> stop{false};
  std::atomic<u64> hits{0};
  auto reader = [&](bool registered) {
    std::optional<EpochDomain::Thread> epoch;
    if (registered) epoch.emplace(hub.epochs());
    while (!stop.load()) {
      u64 v = 0;
      if (space.load({0x1000}, 4, v, kNs).is_ok()) {
        EXPECT_EQ(v, 0x77u);
        hits++;
      }
      if (epoch) epoch->safe_point();
    }
  };
  std::thread a(reader, true), b(reader, false);
  u64 rounds = 0;
  for (; rounds < 300 || (hits < 20 && rounds < 20000); rounds++) {
    auto ram = test::make_ram(kPage);
    ram->host()[0] = 0x77;
    auto region = std::make_shared<RamRegion>("ram", ram);
    Topology::Transaction(topology).add(*root, 0x1000, region);
    std::this_thread::yield();
    Topology::Transaction(topology).remove(*root, *region);
  }
  stop = true;
  a.join(), b.join();
  EXPECT_GT(hits, 0u);
  hub.epochs().reclaim();
  EXPECT_EQ(hub.epochs().retired(), 0u);
}

// As a PE whose code moves a BAR in a loop: it looks at its attention word between two stores, and comes to a
// safe point only when that says so. The wait of each store has drained its mail.
TEST(Hub, APeThatChangesTheMemoryMapInALoopIsSentToSafePoints) {
  InvalidationHub hub;
  Topology topology(hub);
  auto root = std::make_shared<Container>("root", kWholeSpace);
  AddressSpace space(topology, "s", root);
  auto region = std::make_shared<RamRegion>("ram", test::make_ram(kPage));
  EpochDomain::Thread epoch(hub.epochs());
  Participant pe(hub, Kind::Pe, "pe", [](const Invalidation&) {});
  std::atomic<u32> attention{0};
  pe.set_attention(&attention);
  Participant::Running running(pe);
  size_t most = 0, safe_points = 0;
  for (int i = 0; i < 2000; i++) {
    {
      CompletionScope store;
      Topology::Transaction t(topology);
      if (i % 2)
        t.remove(*root, *region);
      else
        t.add(*root, 0x1000, region);
    }
    most = std::max(most, hub.epochs().retired());
    if (!(attention & Participant::kAttentionMail)) continue;
    safe_points++;
    epoch.safe_point();
    pe.drain();
  }
  EXPECT_LT(most, 200u);
  EXPECT_LT(safe_points, 500u);
}

TEST(Hub, ADeviceDefersItsWaitUntilItsLockIsFree) {
  ChainWorld w(1);
  test::TestDevice registers;
  std::mutex device_lock;
  auto region = std::make_shared<MmioRegion>("regs", 0x100, registers, &device_lock);
  AddressSpace bus(w.topology, "bus", region);
  std::atomic<bool> completed{false}, lock_was_free{false};
  registers.on_write = [&](u64, u64) {
    Ticket t = w.iommu().unmap(w.iommu().index_for(kNs), {0, ~u64{0}});
    w.hub.complete(t, [&] {
      lock_was_free = device_lock.try_lock();
      if (lock_was_free) device_lock.unlock();
      completed = true;
    });
    EXPECT_FALSE(completed);  // the lock is held here
  };
  w.map(0, {0, 0xffff}, 0);
  std::atomic<int> stage{0};
  SleepsForCompletion writer_waits(w.hub);
  std::thread other([&] {
    TestPe pe(w.top(), w.hub);
    EpochDomain::Thread epoch(w.hub.epochs());
    Participant::Running run(pe.participant);
    EXPECT_TRUE(pe.load(0, 4, kNs));
    stage = 1;
    u64 ignored;
    while (!pe.participant.has_mail()) std::this_thread::yield();
    (void)bus.load({0}, 4, ignored, kNs);  // needs the device's lock before it reaches its safe point
    EXPECT_TRUE(eventually(writer_waits));
    EXPECT_FALSE(completed);  // still running on the old translation: not complete
    pe.participant.drain();
    while (!completed) std::this_thread::yield();
    EXPECT_FALSE(pe.load(0, 4, kNs));
  });
  while (stage < 1) std::this_thread::yield();
  EXPECT_TRUE(bus.store({0}, 4, 1, kNs).is_ok());
  EXPECT_TRUE(completed);
  EXPECT_TRUE(lock_was_free);
  other.join();
}

}  // namespace
}  // namespace sluice
