// SMMUv3: command queue, event queue, global errors, interrupts: IHI 0070 3.5, 3.18, 4.7.3, 7.1 to 7.5.
#include "tests/support/eventually.h"
#include "tests/support/smmu_world.h"

namespace sluice {
namespace {

using namespace test;
namespace reg = smmu_reg;
namespace cmd = smmu_cmd;

constexpr u32 kErrIll = 1, kErrAbt = 2;

// --- Command queue ---

TEST(Smmuv3CommandQueue, WrapsAtItsSizeForEverySize) {
  for (unsigned log2 : {0u, 1u, 4u}) {
    SmmuWorld w;
    w.cmdq_log2 = log2;
    w.start();
    for (int i = 0; i < 70; i++) w.command(i % 2 ? cmd::sync() : cmd::nsnh_all());
    EXPECT_EQ(w.smmu->counters().syncs, 35u);
    EXPECT_EQ(w.read32(reg::CMDQ_CONS), 70u % (2u << log2));
  }
}

TEST(Smmuv3CommandQueue, AFullQueueIsConsumedWhole) {
  SmmuWorld w;
  w.cmdq_log2 = 3;
  w.start();
  std::vector<Words2> eight(8, cmd::sync());
  w.queue_all(eight);
  EXPECT_EQ(w.read32(reg::CMDQ_CONS), 8u);
  EXPECT_EQ(w.smmu->counters().syncs, 8u);
}

TEST(Smmuv3CommandQueue, InconsistentIndexesConsumeNothing) {
  SmmuWorld w;
  w.cmdq_log2 = 3;
  w.start();
  w.write32(reg::CMDQ_PROD, 9);
  EXPECT_EQ(w.read32(reg::CMDQ_CONS), 0u);
  EXPECT_EQ(w.read32(reg::GERROR), 0u);
  EXPECT_EQ(w.smmu->counters().commands, 0u);
}

TEST(Smmuv3CommandQueue, TheBaseIsAlignedToTheSizeOfTheQueueAndTheSizeIsCapped) {
  SmmuWorld w({.cmdq_log2 = 4});
  w.cmdq_log2 = 4;
  w.start();
  w.write32(reg::CR0, 0);
  w.write64(reg::CMDQ_BASE, w.cmdq + 0x40 + 12);  // LOG2SIZE above CMDQS counts as CMDQS
  EXPECT_EQ(w.read64(reg::CMDQ_BASE), w.cmdq + 0x40 + 12);
  w.write32(reg::CR0, 8);
  for (int i = 0; i < 40; i++) w.command(cmd::sync());
  EXPECT_EQ(w.read32(reg::CMDQ_CONS), 40u % 32);
}

TEST(Smmuv3CommandQueue, IsProcessedWhenItIsEnabled) {
  SmmuWorld w;
  w.start();
  w.write32(reg::CR0, 5);
  EXPECT_EQ(w.read32(reg::CR0ACK), 5u);
  w.queue(cmd::sync());
  EXPECT_EQ(w.read32(reg::CMDQ_CONS), 0u);
  w.write32(reg::CR0, 0xd);
  EXPECT_EQ(w.read32(reg::CMDQ_CONS), 1u);
}

TEST(Smmuv3CommandQueue, CommandsOfAbsentFeaturesAndNonsenseAreIllegal) {
  using Stages = Smmuv3Config::Stages;
  struct Row {
    const char* name;
    Words2 command;
    bool one, two, nested, hyp;  // legal with these stages; with Hyp
  };
  const u64 ssec = 1 << 10;
  const Row rows[] = {
      {"opcode 0", {0, 0}, false, false, false, false},
      {"PREFETCH_CONFIG", {1, 0}, true, true, true, true},
      {"PREFETCH_CONFIG SSec", {1 | ssec, 0}, false, false, false, false},
      {"PREFETCH_ADDR", {2, 0}, true, true, true, true},
      {"CFGI_STE", cmd::cfgi_ste(1), true, true, true, true},
      {"CFGI_STE SSec", {3 | ssec, 0}, false, false, false, false},
      {"CFGI_ALL SSec", {4 | ssec, 31}, false, false, false, false},
      {"CFGI_CD", cmd::cfgi_cd(1, 0), true, false, true, true},
      {"CFGI_CD SSec", {5 | ssec, 0}, false, false, false, false},
      {"CFGI_CD_ALL", cmd::cfgi_cd_all(1), true, false, true, true},
      {"CFGI_VMS_PIDM", {7, 0}, false, false, false, false},
      {"TLBI_NH_ALL", cmd::nh_all(), true, false, true, true},
      {"TLBI_NH_ASID", cmd::nh_asid(1), true, false, true, true},
      {"TLBI_NH_VA", cmd::nh_va(0, 1), true, false, true, true},
      {"TLBI_NH_VAA", cmd::nh_vaa(0), true, false, true, true},
      {"TLBI_NH_VA, Reserved range", cmd::ranged(cmd::nh_va(0, 1), 0, 0, 1), false, false, false, false},
      {"TLBI_S2_IPA, Reserved range", cmd::ranged(cmd::s2_ipa(0, 1), 0, 0, 3), false, false, false, false},
      {"TLBI_EL3_ALL", {0x18, 0}, false, false, false, false},
      {"TLBI_EL3_VA", {0x1a, 0}, false, false, false, false},
      {"TLBI_EL2_ALL", {0x20, 0}, false, false, false, true},
      {"TLBI_EL2_ASID", {0x21, 0}, false, false, false, true},
      {"TLBI_EL2_VA", {0x22, 0}, false, false, false, true},
      {"TLBI_EL2_VAA", {0x23, 0}, false, false, false, true},
      {"TLBI_S12_VMALL", cmd::s12_vmall(1), false, true, true, true},
      {"TLBI_S2_IPA", cmd::s2_ipa(0, 1), false, true, true, true},
      {"TLBI_NSNH_ALL", cmd::nsnh_all(), true, true, true, true},
      {"ATC_INV", {0x40, 0}, false, false, false, false},
      {"PRI_RESP", {0x41, 0}, false, false, false, false},
      {"RESUME", {0x44, 0}, false, false, false, false},
      {"STALL_TERM", {0x45, 0}, false, false, false, false},
      {"SYNC", cmd::sync(), true, true, true, true},
      {"SYNC IRQ", cmd::sync(1), true, true, true, true},
      {"SYNC SEV", cmd::sync(2), true, true, true, true},
      {"SYNC CS = 3", cmd::sync(3), false, false, false, false},
      {"TLBI_S_EL2_ALL", {0x50, 0}, false, false, false, false},
      {"TLBI_SNH_ALL", {0x60, 0}, false, false, false, false},
      {"DPTI_ALL", {0x70, 0}, false, false, false, false},
      {"IMPLEMENTATION DEFINED", {0x80, 0}, false, false, false, false},
      {"opcode 0xff", {0xff, 0}, false, false, false, false},
  };
  for (const Row& r : rows) {
    struct {
      Smmuv3Config config;
      bool legal;
    } const machines[] = {{{.stages = Stages::One}, r.one},
                          {{.stages = Stages::Two}, r.two},
                          {{.stages = Stages::Nested}, r.nested},
                          {{.stages = Stages::Nested, .hyp = true}, r.hyp}};
    for (const auto& m : machines) {
      SmmuWorld w(m.config);
      w.start();
      w.queue(r.command);
      EXPECT_EQ(w.read32(reg::CMDQ_CONS), m.legal ? 1 : kErrIll << 24) << r.name;
      EXPECT_EQ(w.read32(reg::GERROR), m.legal ? 0u : 1u) << r.name;
      EXPECT_EQ(w.gerror_irqs, m.legal ? 0 : 1) << r.name;
    }
  }
}

TEST(Smmuv3CommandQueue, AnErrorStopsTheQueueUntilItIsAcknowledged) {
  SmmuWorld w;
  w.start();
  const Words2 three[] = {cmd::sync(), {0xff, 0}, cmd::sync()};
  w.queue_all(three);
  EXPECT_EQ(w.read32(reg::CMDQ_CONS), kErrIll << 24 | 1);
  EXPECT_EQ(w.read32(reg::GERROR), 1u);
  w.queue(cmd::sync());                              // more commands do not start it again
  w.write32(reg::CR0, 5), w.write32(reg::CR0, 0xd);  // nor does this
  EXPECT_EQ(w.read32(reg::CMDQ_CONS) & 0xfffff, 1u);
  w.put(w.cmdq + 16, cmd::nsnh_all());  // software repairs the command
  w.write32(reg::GERRORN, 1);
  EXPECT_EQ(w.read32(reg::CMDQ_CONS) & 0xfffff, 4u);
  EXPECT_EQ(w.gerror_irqs, 1);
  // The next error toggles the bit back.
  w.queue({0, 0});
  EXPECT_EQ(w.read32(reg::GERROR), 0u);
  EXPECT_EQ(w.gerror_irqs, 2);
  // Software may take the command back.
  w.write32(reg::CMDQ_PROD, 4);
  w.write32(reg::GERRORN, 0);
  EXPECT_EQ(w.read32(reg::CMDQ_CONS) & 0xfffff, 4u);
  w.queued = 4;
  w.command(cmd::sync());
}

TEST(Smmuv3CommandQueue, AQueueThatCannotBeReadIsAnAbort) {
  for (u64 base : {u64{0x8'0000'0000}, SmmuWorld::kFrame}) {  // nothing; registers
    SmmuWorld w;
    w.start();
    w.write32(reg::CR0, 0);
    w.write64(reg::CMDQ_BASE, base | 4);
    w.write32(reg::CMDQ_PROD, 1);
    w.write32(reg::CR0, 8);
    EXPECT_EQ(w.read32(reg::CMDQ_CONS), kErrAbt << 24);
    EXPECT_EQ(w.read32(reg::GERROR), 1u);
  }
}

TEST(Smmuv3CommandQueue, OneStoreProcessesASliceAndTheRestGoesOnByItself) {
  SmmuWorld w({.slice = 10, .slice_gap_ns = 1000});
  w.cmdq_log2 = 10;
  w.start();
  std::vector<Words2> many(1000, cmd::nsnh_all());
  w.queue_all(many);
  EXPECT_EQ(w.smmu->counters().commands, 10u);
  w.pass_time(999);
  EXPECT_EQ(w.smmu->counters().commands, 10u);
  w.pass_time(1);
  EXPECT_EQ(w.smmu->counters().commands, 20u);
  w.read32(reg::CMDQ_CONS);  // software that polls is served as well
  EXPECT_EQ(w.smmu->counters().commands, 30u);
  u64 value;
  EXPECT_TRUE(w.bus.load({SmmuWorld::kFrame + reg::CMDQ_CONS}, 4, value, MemTxAttrs::debugger()).is_ok());
  EXPECT_EQ(w.smmu->counters().commands, 30u);  // a debugger is not
  for (int i = 0; i < 97; i++) w.pass_time(1000);
  EXPECT_EQ(w.smmu->counters().commands, 1000u);
  EXPECT_EQ(w.read32(reg::CMDQ_CONS), 1000u);
  EXPECT_EQ(w.clock.next_deadline_ns(), Clock::kNever);
}

TEST(Smmuv3CommandQueue, SyncsCountAgainstTheSliceAsWell) {
  SmmuWorld w({.slice = 10});
  w.start();
  std::vector<Words2> many(100, cmd::sync());
  w.queue_all(many);
  EXPECT_EQ(w.smmu->counters().syncs, 10u);
  for (int i = 0; i < 9; i++) w.pass_time(20'000);
  EXPECT_EQ(w.smmu->counters().syncs, 100u);
}

TEST(Smmuv3CommandQueue, DisablingAParkedQueueIsAcknowledgedAndStopsIt) {
  SmmuWorld w({.slice = 10});
  w.start();
  std::vector<Words2> many(100, cmd::nsnh_all());
  w.queue_all(many);
  w.write32(reg::CR0, 5);
  EXPECT_EQ(w.read32(reg::CR0ACK), 5u);
  w.pass_time(1'000'000);
  EXPECT_EQ(w.read32(reg::CMDQ_CONS), 10u);
  w.write32(reg::CMDQ_CONS, 50);
  w.write32(reg::CR0, 0xd);
  for (int i = 0; i < 10; i++) w.pass_time(20'000);
  EXPECT_EQ(w.read32(reg::CMDQ_CONS), 100u);
  EXPECT_EQ(w.smmu->counters().commands, 60u);
}

TEST(Smmuv3CommandQueue, ResetForgetsAParkedQueue) {
  SmmuWorld w({.slice = 10});
  w.start();
  std::vector<Words2> many(100, cmd::nsnh_all());
  w.queue_all(many);
  w.smmu->reset();
  w.pass_time(1'000'000);
  EXPECT_EQ(w.smmu->counters().commands, 10u);
  EXPECT_EQ(w.read32(reg::CMDQ_CONS), 0u);
}

// --- CMD_SYNC ---

TEST(Smmuv3Sync, SignalsAsItIsTold) {
  SmmuWorld w({.msi = true});
  w.start();
  u64 target = w.take(64);
  w.command(cmd::sync(0, target, 1));
  EXPECT_EQ(w.at(target), 0u);
  EXPECT_EQ(w.sync_irqs + w.sevs, 0);
  w.command(cmd::sync(1, target, 0xfeed));
  EXPECT_EQ(w.at(target), 0xfeedu);  // 32 bits
  EXPECT_EQ(w.sync_irqs, 1);
  w.command(cmd::sync(1));
  EXPECT_EQ(w.sync_irqs, 2);
  w.command(cmd::sync(2));
  EXPECT_EQ(w.sevs, 1);
  SmmuWorld without({}, false);
  without.start();
  without.command(cmd::sync(2));
  without.command(cmd::sync(1, target, 5));
  EXPECT_EQ(without.sync_irqs, 1);
}

TEST(Smmuv3Sync, AnMsiThatAbortsIsAGlobalError) {
  SmmuWorld w({.msi = true});
  w.start();
  w.command(cmd::sync(1, 0x8'0000'0000, 1));
  EXPECT_EQ(w.read32(reg::GERROR), 1u << 4);
  EXPECT_EQ(w.gerror_irqs, 1);
  w.command(cmd::sync(1, 0x8'0000'0000, 1));  // still active: not raised again
  EXPECT_EQ(w.read32(reg::GERROR), 1u << 4);
  EXPECT_EQ(w.gerror_irqs, 1);
  w.write32(reg::GERRORN, 1 << 4);
  w.command(cmd::sync(1, 0x8'0000'0000, 1));
  EXPECT_EQ(w.read32(reg::GERROR), 0u);
}

// A holder of derived translations that has mail and does not read it.
struct BusyHolder {
  Participant participant;
  explicit BusyHolder(SmmuWorld& w)
      : participant(w.hub, Participant::Kind::Device, "busy", [](const Invalidation&) {}) {
    participant.follow(*w.smmu);
    participant.leave_quiescent();
  }
  ~BusyHolder() { participant.enter_quiescent(); }
};

TEST(Smmuv3Sync, FromTheTimerIsNotConsumedWhileSomebodyMayUseOldTranslations) {
  SmmuWorld w({.slice = 1, .slice_gap_ns = 1000});
  w.start();
  w.put_ste(1, smmu_ste::make(smmu_ste::kBypass));
  EXPECT_TRUE(w.pa(0, w.master(1)));
  BusyHolder busy(w);
  const Words2 commands[] = {cmd::cfgi_ste(1), cmd::sync(1)};
  w.queue_all(commands);
  for (int i = 0; i < 5; i++) w.pass_time(1000);
  EXPECT_EQ(w.smmu->counters().syncs, 0u);
  EXPECT_EQ(w.sync_irqs, 0);
  busy.participant.drain();
  w.pass_time(1000);
  EXPECT_EQ(w.smmu->counters().syncs, 1u);
  EXPECT_EQ(w.sync_irqs, 1);
  EXPECT_EQ(w.read32(reg::CMDQ_CONS), 2u);
}

TEST(Smmuv3Sync, AnAbandonedOneSaysNothingAboutTheNext) {
  SmmuWorld w({.slice = 1, .slice_gap_ns = 1000});
  w.start();
  w.put_ste(1, smmu_ste::make(smmu_ste::kBypass));
  EXPECT_TRUE(w.pa(0, w.master(1)));
  BusyHolder busy(w);
  const Words2 commands[] = {cmd::cfgi_ste(1), cmd::sync()};
  w.queue_all(commands);
  w.pass_time(1000);
  EXPECT_EQ(w.smmu->counters().syncs, 0u);
  busy.participant.drain();  // the first could be consumed now, but software takes the queue away
  w.write32(reg::CR0, 5);
  w.write32(reg::CMDQ_CONS, 0), w.write32(reg::CMDQ_PROD, 0);
  EXPECT_TRUE(w.pa(0, w.master(1)));
  w.write32(reg::CR0, 0xd);
  w.queue_all(commands);
  w.pass_time(1000);
  EXPECT_TRUE(busy.participant.has_mail());
  EXPECT_EQ(w.smmu->counters().syncs, 0u);
  busy.participant.drain();
  w.pass_time(1000);
  EXPECT_EQ(w.smmu->counters().syncs, 1u);
}

TEST(Smmuv3Sync, FromAStoreIsConsumedWhenTheStoreRetiresAndNotBefore) {
  SmmuWorld w;
  w.start();
  w.put_ste(1, smmu_ste::make(smmu_ste::kBypass));
  EXPECT_TRUE(w.pa(0, w.master(1)));
  std::atomic<int> stage{0};
  test::SleepsForCompletion driver_waits(w.hub);
  std::thread holder([&] {
    BusyHolder busy(w);
    stage = 1;
    EXPECT_TRUE(test::eventually(driver_waits));
    EXPECT_EQ(w.smmu->counters().syncs, 0u);
    EXPECT_EQ(w.read32(reg::CMDQ_CONS), 1u);  // CFGI is consumed, CMD_SYNC is not
    // Disabling the queue is acknowledged when the command in progress has been consumed.
    w.write32(reg::CR0, 5);
    EXPECT_EQ(w.read32(reg::CR0ACK), 0xdu);
    busy.participant.drain();
    while (stage < 2) std::this_thread::yield();
  });
  while (stage < 1) std::this_thread::yield();
  const Words2 commands[] = {cmd::cfgi_ste(1), cmd::sync()};
  w.queue_all(commands);
  EXPECT_EQ(w.read32(reg::CMDQ_CONS), 2u);
  EXPECT_EQ(w.read32(reg::CR0ACK), 5u);
  stage = 2;
  holder.join();
}

TEST(Smmuv3Sync, Cr0AckAndGbpaUpdateWaitForSubscribersToo) {
  SmmuWorld w;
  w.start();
  std::atomic<int> stage{0};
  std::thread holder([&] {
    BusyHolder busy(w);
    for (auto [before, after] : {std::pair{0xdu, 0xcu}, {0u, 0u}}) {
      test::SleepsForCompletion driver_waits(w.hub);
      stage++;
      EXPECT_TRUE(test::eventually(driver_waits));
      if (before) {
        EXPECT_EQ(w.read32(reg::CR0), after);
        EXPECT_EQ(w.read32(reg::CR0ACK), before);
        w.write32(reg::CR0, before);  // before the acknowledgement: ignored
        EXPECT_EQ(w.read32(reg::CR0), after);
      } else {
        EXPECT_TRUE(bit(w.read32(reg::GBPA), 31));
      }
      int now = stage;
      busy.participant.drain();
      while (stage == now) std::this_thread::yield();
    }
  });
  while (stage < 1) std::this_thread::yield();
  w.write32(reg::CR0, 0xc);
  EXPECT_EQ(w.read32(reg::CR0ACK), 0xcu);
  stage++;
  while (stage < 3) std::this_thread::yield();
  w.write32(reg::GBPA, 1u << 31 | 1u << 20);
  EXPECT_EQ(w.read32(reg::GBPA), 1u << 20);
  stage++;
  holder.join();
}

// --- Event queue ---

struct Events : SmmuWorld {
  explicit Events(unsigned log2, Smmuv3Config config = {}) : SmmuWorld(std::move(config)) {
    eventq_log2 = log2;
    start();
  }
  void fault(u32 sid = 1) { EXPECT_FALSE(pa(0, master(sid))); }
  u32 prod() { return read32(reg::EVENTQ_PROD); }
};

TEST(Smmuv3EventQueue, WrapsAndKeepsTheOrder) {
  for (unsigned log2 : {0u, 2u}) {
    Events w(log2);
    for (u32 i = 0; i < 20; i++) {
      w.fault(i);
      auto e = w.event();
      ASSERT_TRUE(e);
      EXPECT_EQ((*e)[0], 4 | u64{i} << 32);
    }
    EXPECT_EQ(w.prod(), 20u % (2u << log2));
  }
}

TEST(Smmuv3EventQueue, AFullQueueOverflowsByTheFlagAndLosesTheEvent) {
  Events w(2);
  for (u32 i = 0; i < 4; i++) w.fault(i);
  EXPECT_EQ(w.prod(), 4u);  // full is no overflow yet
  w.fault(9);
  EXPECT_EQ(w.prod(), 0x8000'0004u);
  w.fault(9);
  EXPECT_EQ(w.prod(), 0x8000'0004u);  // present already
  EXPECT_EQ(w.smmu->counters().events_lost, 2u);
  EXPECT_EQ(w.read32(reg::GERROR), 0u);  // not an abort
  // Space, but not acknowledged: new events come in.
  w.write32(reg::EVENTQ_CONS, 2);
  w.fault(5);
  EXPECT_EQ(w.prod(), 0x8000'0005u);
  // Acknowledged: the next overflow toggles the flag back.
  w.write32(reg::EVENTQ_CONS, 0x8000'0002);
  w.fault(6);
  w.fault(7);
  EXPECT_EQ(w.prod(), 6u);
}

TEST(Smmuv3EventQueue, InconsistentIndexesCountAsFull) {
  Events w(2);
  w.write32(reg::EVENTQ_CONS, 1);
  w.fault();
  EXPECT_EQ(w.prod(), 0x8000'0000u);
}

TEST(Smmuv3EventQueue, WhenDisabledEventsAreDroppedWithoutOverflow) {
  Events w(2);
  w.write32(reg::CR0, 9);
  EXPECT_EQ(w.read32(reg::CR0ACK), 9u);
  for (int i = 0; i < 10; i++) w.fault();
  EXPECT_EQ(w.prod(), 0u);
  EXPECT_EQ(w.eventq_irqs, 0);
}

TEST(Smmuv3EventQueue, InterruptsWhenItBecomesNonEmpty) {
  Events w(3);
  w.fault(), w.fault();
  EXPECT_EQ(w.eventq_irqs, 1);
  w.event();
  w.fault();
  EXPECT_EQ(w.eventq_irqs, 1);  // was not empty
  while (w.event()) {
  }
  w.fault();
  EXPECT_EQ(w.eventq_irqs, 2);
  while (w.event()) {
  }
  w.write32(reg::IRQ_CTRL, 1);
  w.fault();
  EXPECT_EQ(w.eventq_irqs, 2);
}

TEST(Smmuv3EventQueue, AWriteThatAbortsIsAGlobalErrorAndStopsTheQueue) {
  Events w(3);
  w.write32(reg::CR0, 9);
  u64 good = w.eventq;
  w.write64(reg::EVENTQ_BASE, SmmuWorld::kFrame | 3);  // registers
  w.write32(reg::CR0, 0xd);
  w.fault();
  EXPECT_EQ(w.read32(reg::GERROR), 4u);
  EXPECT_EQ(w.gerror_irqs, 1);
  EXPECT_EQ(w.prod(), 0u);
  w.write32(reg::CR0, 9);
  w.write64(reg::EVENTQ_BASE, good | 3);
  w.write32(reg::CR0, 0xd);
  w.fault();
  EXPECT_EQ(w.prod(), 0u);  // until it is acknowledged
  w.write32(reg::GERRORN, 4);
  w.fault();
  EXPECT_EQ(w.prod(), 1u);
}

TEST(Smmuv3EventQueue, SendsMsisAsConfigured) {
  Events w(3, {.msi = true});
  u64 events = w.take(64), errors = w.take(64);
  w.write32(reg::IRQ_CTRL, 0);
  w.write64(reg::EVENTQ_IRQ_CFG0, events), w.write32(reg::EVENTQ_IRQ_CFG0 + 8, 0x11);
  w.write64(reg::GERROR_IRQ_CFG0, errors), w.write32(reg::GERROR_IRQ_CFG0 + 8, 0x22);
  w.fault();
  EXPECT_EQ(w.at(events), 0u);
  while (w.event()) {
  }
  w.write32(reg::IRQ_CTRL, 5);
  w.fault();
  EXPECT_EQ(w.at(events), 0x11u);
  w.queue({0xff, 0});
  EXPECT_EQ(w.at(errors), 0x22u);
  // An MSI may go to the SMMU's own registers: it ends.
  w.write32(reg::IRQ_CTRL, 0);
  w.write64(reg::EVENTQ_IRQ_CFG0, SmmuWorld::kFrame + reg::CMDQ_PROD);
  w.write64(reg::GERROR_IRQ_CFG0, SmmuWorld::kFrame + reg::GERRORN), w.write32(reg::GERROR_IRQ_CFG0 + 8, 1);
  w.write32(reg::IRQ_CTRL, 5);
  while (w.event()) {
  }
  w.fault();
}

TEST(Smmuv3EventQueue, AFaultCausedByTheWriteOfARecordIsLostAndHarmless) {
  // The queue is behind a gate whose refusal makes another transaction that faults.
  struct Gate final : IommuRegion {
    explicit Gate(SmmuWorld& world) : IommuRegion("gate", 0x1000, world.hub), w(world) {}
    IommuIndex index_for(MemTxAttrs) const override { return {}; }
    IommuEntry translate(Iova i, Access, IommuIndex, MemTxAttrs, Intent) const override {
      return {.input = {i.value & ~u64{7}, i.value | 7}, .output = {}};
    }
    MemTxResult refuse(Iova, Access, MemTxAttrs, const IommuEntry&) override {
      EXPECT_FALSE(w.pa(0, w.master(2)));
      return MemTxResult::access_error();
    }
    SmmuWorld& w;
  };
  Events w(3);
  Topology::Transaction(w.topology).add(*w.bus_root, 0x7000'0000, std::make_shared<Gate>(w));
  w.write32(reg::CR0, 9);
  w.write64(reg::EVENTQ_BASE, 0x7000'0000 | 3);
  w.write32(reg::CR0, 0xd);
  w.fault();
  EXPECT_EQ(w.read32(reg::GERROR), 4u);
  EXPECT_EQ(w.smmu->counters().events_lost, 2u);
}

TEST(Smmuv3EventQueue, DebugReadsAndPrefetchesRecordNothing) {
  Events w(3);
  for (Intent quiet : {Intent::Debug, Intent::Prefetch, Intent::AtsRequest})
    EXPECT_FALSE(w.ask(0, w.master(1), Access::Read, quiet).is_ok());
  EXPECT_EQ(w.prod(), 0u);
  w.put_ste(2, smmu_ste::make(smmu_ste::kBypass));
  EXPECT_EQ(w.ask(0, w.master(2), Access::Read, Intent::AtsRequest).rights, Access::None);  // no ATS
  std::array<std::byte, 8> buffer;
  EXPECT_FALSE(w.dma->peek({0}, buffer, w.master(1)).is_ok());
  EXPECT_EQ(w.prod(), 0u);
  EXPECT_FALSE(w.dma->read({0}, buffer, w.master(1)).is_ok());
  EXPECT_EQ(w.prod(), 1u);
}

}  // namespace
}  // namespace sluice
