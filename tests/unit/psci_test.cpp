// PSCI 1.1 (Arm DEN 0022) by HVC, on PEs that run on their own threads, and on one thread under icount.
#include "cpu/psci.h"

#include <gtest/gtest.h>

#include "cpu/pe_group.h"
#include "tests/support/eventually.h"
#include "tests/unit/pe_world.h"

namespace sluice::cpu {
namespace {

constexpr u64 kRam = PeWorld::kRam, kCode = PeWorld::kCode, kFlag = kRam + 0x1000;
constexpr u32 kHvc = 0xd4000002, kLoop = 0x14000000, kWfi = 0xd503207f;

struct Machine {
  explicit Machine(unsigned pes, bool icount = false)
      : clock(icount ? Clock::Mode::Icount : Clock::Mode::RealTime),
        group(hub, clock, {.icount = icount, .translator = {.accel = tcg::Vcpu::Accel::Interpreter}}) {
    Topology::Transaction t(topology);
    t.add(*root, kRam, std::make_shared<RamRegion>("ram", ram));
    t.commit();
    for (unsigned i = 0; i < pes; i++) {
      PeWiring wiring;
      wiring.model = *find_cpu_model("max");
      wiring.index = i;
      wiring.clock = &clock;
      wiring.hub = &hub;
      wiring.memory = &space;
      wiring.psci = PsciConduit::Hvc;
      group.add(std::make_unique<Pe>(wiring), {.powered = i == 0, .pc = kCode});
    }
    group.reset();
  }
  ~Machine() { group.stop(); }
  void code(u64 at, std::initializer_list<u32> words) {
    for (u32 w : words) std::memcpy(ram->host() + (at - kRam), &w, 4), at += 4;
  }
  u64 flag() const { return reinterpret_cast<const std::atomic<u64>*>(ram->host() + 0x1000)->load(); }
  std::optional<MachineEvent> run() {
    group.start();
    return group.wait_event(20'000'000'000);
  }

  InvalidationHub hub;
  Clock clock;
  Topology topology{hub};
  std::shared_ptr<Container> root = std::make_shared<Container>("root", kWholeSpace);
  std::shared_ptr<GuestRam> ram = *GuestRam::create("ram", PeWorld::kRamSize);
  AddressSpace space{topology, "memory", root};
  PeGroup group;
};

// One call on a PE that does not run.
u64 call(Machine& m, unsigned pe, u32 id, u64 a1 = 0, u64 a2 = 0, u64 a3 = 0) {
  PeState& s = m.group.pe(pe).state();
  s.x[0] = id, s.x[1] = a1, s.x[2] = a2, s.x[3] = a3;
  psci::call(m.group.pe(pe));
  return s.x[0];
}
u64 failure(i64 code) { return u64(code); }

TEST(Psci, VersionAndFeatures) {
  Machine m(1);
  EXPECT_EQ(call(m, 0, psci::kVersion), 0x10001u);
  EXPECT_EQ(call(m, 0, psci::kMigrateInfoType), 2u);
  EXPECT_EQ(call(m, 0, psci::kFeatures, psci::kCpuOn | psci::k64), 0u);
  EXPECT_EQ(call(m, 0, psci::kFeatures, psci::kCpuOff | psci::k64), failure(psci::kNotSupported));
  EXPECT_EQ(call(m, 0, psci::kFeatures, psci::kMigrate), failure(psci::kNotSupported));
  EXPECT_EQ(call(m, 0, 0x8400ffff), failure(psci::kNotSupported));
  EXPECT_EQ(call(m, 0, 0x12345678), failure(psci::kNotSupported));
}

TEST(Psci, CpuOnStates) {
  Machine m(3);
  EXPECT_EQ(call(m, 0, psci::kCpuOn | psci::k64, 0, kCode, 0), failure(psci::kAlreadyOn));
  EXPECT_EQ(call(m, 0, psci::kCpuOn | psci::k64, 77, kCode, 0), failure(psci::kInvalidParameters));
  EXPECT_EQ(call(m, 0, psci::kAffinityInfo | psci::k64, 1, 0), 1u);  // OFF
  EXPECT_EQ(call(m, 0, psci::kCpuOn | psci::k64, 1, kCode, 0), 0u);
  EXPECT_EQ(call(m, 0, psci::kCpuOn, 1, kCode, 0), failure(psci::kOnPending));
  EXPECT_EQ(call(m, 0, psci::kAffinityInfo | psci::k64, 1, 0), 2u);  // ON_PENDING
  EXPECT_EQ(call(m, 0, psci::kAffinityInfo | psci::k64, 0, 0), 0u);  // ON
  EXPECT_EQ(call(m, 0, psci::kAffinityInfo | psci::k64, 0, 1), 0u);  // some PE of the cluster
  EXPECT_EQ(call(m, 0, psci::kAffinityInfo | psci::k64, 9, 0), failure(psci::kInvalidParameters));
  EXPECT_EQ(call(m, 0, psci::kAffinityInfo | psci::k64, 0, 4), failure(psci::kInvalidParameters));
}

TEST(Psci, ThirtyTwoBitCallsUseThirtyTwoBitArguments) {
  Machine m(2);
  EXPECT_EQ(call(m, 0, psci::kCpuOn, 0xffffffff00000001, kCode, 0), 0u);
}

TEST(Psci, CpuOnOfOnePeByManyHasOneWinner) {
  Machine m(2);
  std::atomic<int> won{0}, pending{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++)
    threads.emplace_back([&] {
      i32 r = m.group.cpu_on(1, kCode, 0);
      won += r == psci::kSuccess;
      pending += r == psci::kOnPending;
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(won, 1);
  EXPECT_EQ(pending, 3);
}

// PE 0: CPU_ON of PE 1 at kCode + 0x100 with context 0x55; then waits for the flag and switches the machine
// off. PE 1: stores its X0 to the flag and switches itself off.
void write_smp_program(Machine& m) {
  m.code(kCode, {0xd2800060, 0xf2b88000,        // X0 = 0xc4000003
                 0xd2800021,                    // X1 = 1
                 0xd2802002, 0xf2a80022,        // X2 = 0x40010100
                 0xd2800aa3,                    // X3 = 0x55
                 kHvc, 0xd2820004, 0xf2a80004,  // X4 = 0x40001000
                 0xf9400085, 0xb4ffffe5,        // loop: LDR X5, [X4]; CBZ X5, loop
                 0xd2800100, 0xf2b08000, kHvc,  // SYSTEM_OFF
                 kLoop});
  m.code(kCode + 0x100, {0xd2820004, 0xf2a80004, 0xf9000080,  // [0x40001000] = X0
                         0xd2800040, 0xf2b08000, kHvc,        // CPU_OFF
                         kLoop});
}

TEST(Psci, SecondPeStartsRunsAndSwitchesItselfOff) {
  Machine m(2);
  write_smp_program(m);
  std::optional<MachineEvent> event = m.run();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->kind, MachineEvent::Kind::PowerOff);
  EXPECT_EQ(m.flag(), 0x55u);
}

TEST(Psci, TheSameUnderIcount) {
  u64 times[2];
  for (u64& time : times) {
    Machine m(2, true);
    write_smp_program(m);
    std::optional<MachineEvent> event = m.run();
    ASSERT_TRUE(event);
    EXPECT_EQ(event->kind, MachineEvent::Kind::PowerOff);
    EXPECT_EQ(m.flag(), 0x55u);
    m.group.stop();
    time = m.clock.now_ns();
  }
  EXPECT_EQ(times[0], times[1]);
  EXPECT_GT(times[0], 0u);
}

TEST(Psci, LastPeOffIsReported) {
  Machine m(1);
  m.code(kCode, {0xd2800040, 0xf2b08000, kHvc, kLoop});
  std::optional<MachineEvent> event = m.run();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->kind, MachineEvent::Kind::AllOff);
}

TEST(PeGroup, PauseStopsALoopAndASleeperAndResumeGoesOn) {
  Machine m(2);
  m.group.set_boot(1, {.powered = true, .pc = kCode + 0x100});
  m.group.reset();
  m.code(kCode, {kLoop});
  m.code(kCode + 0x100, {kWfi, 0xd2820004, 0xf2a80004, 0xd2800020, 0xf9000080, kLoop});
  m.group.start();
  for (int i = 0; i < 5; i++) {
    m.group.pause();
    EXPECT_EQ(m.group.pe(0).state().pc, kCode);
    m.group.resume();
  }
  EXPECT_EQ(m.flag(), 0u);
  m.group.pe(1).irq_line()(true);
  EXPECT_TRUE(test::eventually([&] { return m.flag() == 1; }));
}

TEST(PeGroup, ResetAfterSystemResetStartsAgain) {
  Machine m(1);
  m.code(kCode, {0xd2800120, 0xf2b08000, kHvc, kLoop});  // SYSTEM_RESET
  for (int i = 0; i < 3; i++) {
    std::optional<MachineEvent> event = m.run();
    ASSERT_TRUE(event);
    EXPECT_EQ(event->kind, MachineEvent::Kind::Reset);
    m.group.pause();
    m.group.reset();
    m.group.resume();
  }
}

}  // namespace
}  // namespace sluice::cpu
