// tests/spec/translated_code_gates_spec.cpp: guest code that runs while gates in front of its PE change. The
// letters are rows of docs/iommu-conformance.md.
#include <chrono>

#include "tests/support/running_pe.h"

namespace sluice::test {
namespace {

using enum Access;

constexpr u32 kUdiv = 0x9ac30842;  // udiv x2, x2, x3

u64 accesses_wanted() { return std::getenv("SLUICE_LONG") ? 10'000'000 : 1'000'000; }
const std::vector<GateChoice> kPages = {
    {GateType::Smmu, 1 << 12}, {GateType::Virtio, 1 << 12}, {GateType::Mpc, 1 << 12}};
const std::vector<GateChoice> kSmallBlocks = {
    {GateType::Smmu, 1 << 12}, {GateType::Virtio, 1 << 8}, {GateType::Mpc, 32}};

// Two PEs that count in a block of their window; a PE that may not go on says so and waits to be let on.
struct Counting : ChainMachine {
  static constexpr u64 kBlock = kWindow + 0x3000, kWords = kWindow + 0x10000;
  enum : u64 { kCount = 0, kAborts = 8, kGo = 16 };
  explicit Counting(const std::vector<GateChoice>& choices) : ChainMachine(choices) {
    open_all();
    for (auto& gate : gates) reopen(*gate);
    put_loop(choices.back().granule);
    RunningPe::put_handler(*this, {0x9100054a,    //       add x10, x10, #1
                                   0xf900016a,    //       str x10, [x11]
                                   0xf94001ac,    // wait: ldr x12, [x13]
                                   0xb4ffffec,    //       cbz x12, wait
                                   0xd69f03e0});  //       eret
    for (unsigned n = 0; n < 2; n++) {
      pes.push_back(std::make_unique<RunningPe>(*this, n));
      pes[n]->x(7) = word_at(n, kCount), pes[n]->x(11) = word_at(n, kAborts), pes[n]->x(13) = word_at(n, kGo);
      pes[n]->x(2) = ~u64{0}, pes[n]->x(3) = 1;
    }
    for (auto& pe : pes) pe->start(kBlock);
  }
  // Fills a block with a loop that leaves nothing out and polls only at its end: whoever does not wait for it
  // sees it count on. udiv takes its time.
  void put_loop(u64 bytes) {
    const u64 words = std::min<u64>(bytes / 4, 1024), counts = (words - 1) / 7;
    u64 to = kBlock;
    for (u64 n = 0; n < counts; n++, to += 28)
      RunningPe::put(*this, to,
                     {kUdiv, kUdiv, kUdiv, kUdiv, kUdiv,
                      0x91000400,                                                     // add x0, x0, #1
                      0xf90000e0});                                                   // str x0, [x7]
    RunningPe::put(*this, to, {u32(0x14000000 | (-(to - kBlock) / 4 & 0x3ffffff))});  // b kBlock
  }
  // Executable for EL1 in an SMMU means not writable for EL0.
  void reopen(TestGate& gate) {
    if (gate.translates()) gate.close(kBlock & ~(gate.granule() - 1));
    gate.open(kBlock, kBlock, Access(u8(Read) | u8(Execute)));
  }
  static u64 word_at(unsigned n, u64 which) { return kWords + n * 64 + which; }
  std::atomic_ref<u64> word(unsigned n, u64 which) {
    return std::atomic_ref(*reinterpret_cast<u64*>(at(word_at(n, which))));
  }
  void wait_beyond(unsigned n, u64 which, u64 value) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (word(n, which) <= value) {
      if (std::chrono::steady_clock::now() > end) return ADD_FAILURE() << "PE " << n << " does not go on";
      std::this_thread::yield();
    }
  }
  // Both PEs run in the block; the gate closes under them; then they try again in vain; then it opens.
  void round(TestGate& gate) {
    u64 aborts[2], count[2];
    for (unsigned n = 0; n < 2; n++) {
      word(n, kGo) = 0, aborts[n] = word(n, kAborts);
      wait_beyond(n, kCount, word(n, kCount));
    }
    gate.close(kBlock);
    for (unsigned n = 0; n < 2; n++) count[n] = word(n, kCount);
    for (unsigned n = 0; n < 2; n++) wait_beyond(n, kAborts, aborts[n]);
    for (unsigned n = 0; n < 2; n++) EXPECT_EQ(word(n, kCount), count[n]) << "ran on after completion";
    for (unsigned n = 0; n < 2; n++) {
      aborts[n] = word(n, kAborts);
      word(n, kGo) = 1;
      wait_beyond(n, kAborts, aborts[n]);
      EXPECT_EQ(word(n, kCount), count[n]) << "entered a closed block";
    }
    reopen_closed(gate);
    for (unsigned n = 0; n < 2; n++) wait_beyond(n, kCount, count[n]);
  }
  void reopen_closed(TestGate& gate) { gate.open(kBlock, kBlock, Access(u8(Read) | u8(Execute))); }
  std::vector<std::unique_ptr<RunningPe>> pes;
};

void revoke_execution(const std::vector<GateChoice>& choices) {
  for (unsigned gate = 0; gate < choices.size(); gate++) {
    Counting m(choices);
    const int rounds = std::getenv("SLUICE_LONG") ? 500 : 8;
    for (int i = 0; i < rounds && !testing::Test::HasFailure(); i++) m.round(*m.gates[gate]);
    for (auto& pe : m.pes) {
      pe->stop();
      EXPECT_EQ(pe->pe().participant().counters().full_flushes, 0u);
    }
  }
}

// C16
SPEC("C16: linked translated code of two PEs ends when any gate in front of them takes its block away") {
  revoke_execution(kPages);
}
SPEC("C16: code in a block of 32 bytes ends with that block, whichever gate takes it away") {
  revoke_execution(kSmallBlocks);
}

// While the block is open its word is odd; it becomes even only when the block has been closed. Two PEs read
// it for ever, through translated code; a refused read is skipped. Each keeps a count of even words.
struct Reading : ChainMachine {
  static constexpr u64 kVictim = kWindow + 0x3040, kWords = kWindow + 0x10000;
  enum : u64 { kStale = 0, kReads = 8 };
  static constexpr int kDelay = 64;
  explicit Reading(const std::vector<GateChoice>& choices) : ChainMachine(choices) {
    open_all();
    u64 to = RunningPe::kCode;  // of a loop with a long way from where it polls to where it reads
    for (int i = 0; i < kDelay; i++, to += 4) RunningPe::put(*this, to, {kUdiv});
    RunningPe::put(*this, to,
                   {0xf9400024,                   //       ldr x4, [x1]
                    0xb4000084,                   //       cbz x4, next
                    0x37000064,                   //       tbnz w4, #0, next
                    0x910004a5,                   //       add x5, x5, #1
                    0xf90000c5,                   //       str x5, [x6]
                    0x91000400,                   // next: add x0, x0, #1
                    0xf90000e0,                   //       str x0, [x7]
                    u32(0x17fffff9 - kDelay)});   //       b loop
    RunningPe::put_handler(*this, {0xd5384029,    // mrs x9, elr_el1
                                   0x91001129,    // add x9, x9, #4
                                   0xd5184029,    // msr elr_el1, x9
                                   0xd2800004,    // mov x4, #0
                                   0xd69f03e0});  // eret
    for (unsigned n = 0; n < 2; n++) {
      pes.push_back(std::make_unique<RunningPe>(*this, n));
      pes[n]->x(1) = kVictim, pes[n]->x(6) = kWords + n * 64, pes[n]->x(7) = kWords + n * 64 + kReads;
      pes[n]->x(2) = ~u64{0}, pes[n]->x(3) = 1;
    }
    victim() = 1;
    for (auto& pe : pes) pe->start(RunningPe::kCode);
  }
  std::atomic_ref<u64> at_address(u64 a) { return std::atomic_ref(*reinterpret_cast<u64*>(at(a))); }
  std::atomic_ref<u64> victim() { return at_address(kVictim); }
  u64 reads() { return at_address(kWords + kReads) + at_address(kWords + 64 + kReads); }
  u64 stale() { return at_address(kWords) + at_address(kWords + 64); }
  // Closes and opens one gate, often, and until the PEs have read `wanted` times.
  void flip(TestGate& gate, u64 wanted) {
    const int flips = std::getenv("SLUICE_LONG") ? 2000 : 50;
    const u64 block = kVictim & ~(gate.granule() - 1), end = reads() + wanted;
    int n = 0;
    for (u64 odd = 3; reads() < end || n < flips; odd += 2, n++) {
      for (u64 before = reads(); reads() < before + 2000;) std::this_thread::yield();
      gate.close(block);
      victim() = odd - 1;
      for (u64 before = reads(); reads() < before + 200;) std::this_thread::yield();
      victim() = odd;
      gate.open(block, block, All);
    }
  }
  std::vector<std::unique_ptr<RunningPe>> pes;
};

// C2
SPEC("C2: in a million reads by translated code of two PEs, none uses what a gate has taken away") {
  for (unsigned gate = 0; gate < 3; gate++) {
    Reading m(gate == 1 ? kSmallBlocks : kPages);
    m.flip(*m.gates[gate], accesses_wanted());
    for (auto& pe : m.pes) {
      pe->stop();
      EXPECT_EQ(pe->pe().participant().counters().full_flushes, 0u);
    }
    EXPECT_EQ(m.stale(), 0u) << gate;
  }
}
SPEC("C2, M2: the same when a gate refuses in silence, so that nothing stops the reader") {
  Reading m({{GateType::Virtio, 1 << 12}, {GateType::Mpc, 32}});
  m.gate<MpcGate>(1).set_raz_wi();
  m.flip(*m.gates[1], accesses_wanted());
  for (auto& pe : m.pes) pe->stop();
  EXPECT_EQ(m.stale(), 0u);
}

// C20
SPEC("C20: an instruction counts as one whether a gate lets it reach RAM or refuses it in silence") {
  for (i64 budget = 1; budget < 60; budget++) {
    struct End {
      u64 pc, x0;
      i64 left;
      bool operator==(const End&) const = default;
    };
    std::vector<End> ends;
    for (bool refused : {false, true}) {
      ChainMachine m({{GateType::Mpc, 1 << 12}});
      m.open_all();
      m.gate<MpcGate>(0).set_raz_wi();
      if (refused) m.gates[0]->close(kWindow);
      RunningPe::put(m, RunningPe::kCode,
                     {0xf9400024,    // loop: ldr x4, [x1]
                      0x91000400,    //       add x0, x0, #1
                      0xf9000024,    //       str x4, [x1]
                      0xd503201f,    //       nop
                      0x17fffffc});  //       b loop
      RunningPe pe(m, 0, true);
      pe.x(0) = 0, pe.x(1) = kWindow;
      pe.step(RunningPe::kCode, budget);
      ends.push_back({pe.state().pc, pe.x(0), pe.state().icount_left});
    }
    EXPECT_EQ(ends[0], ends[1]) << budget;
    EXPECT_EQ(ends[0].x0, u64(budget - ends[0].left + 3) / 5) << budget;
  }
}

}  // namespace
}  // namespace sluice::test
