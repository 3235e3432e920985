// tests/ir/translated_code_test.cpp: how translated code behaves as a whole, with both engines: linking and
// unlinking, code that changes itself, accesses across pages, faults in the middle of a block, instruction
// counts, leaving on request, and a code arena that is too small.
#include <gtest/gtest.h>

#include <thread>

#include "tests/support/eventually.h"
#include "tests/support/user_world.h"

namespace sluice::test {
namespace {

using Accel = tcg::Vcpu::Accel;
using End = UserWorld::End;

constexpr u64 kCode = UserWorld::kBase + 0x1000, kData = UserWorld::kBase + 0x200000,
              kEnd = UserWorld::kBase + UserWorld::kSize;

class TranslatedCode : public testing::TestWithParam<Accel> {
 protected:
  End run(std::initializer_list<u32> words) { return run(std::vector<u32>(words)); }
  End run(const std::vector<u32>& words) {
    world.put(kCode, words);
    world.state().pc = kCode;
    return world.run(kCode + words.size() * 4);
  }
  bool jit() const { return GetParam() == Accel::Jit; }
  u64& x(unsigned n) { return world.state().x[n]; }

  UserWorld world{{.accel = GetParam()}};
};

TEST_P(TranslatedCode, ALoopIsTranslatedOnceAndLinkedToItself) {
  x(0) = 100000, x(1) = 0;
  EXPECT_EQ(run({
                0xf1000400,  // subs x0, x0, #1
                0x91000421,  // add x1, x1, #1
                0x54ffffc1,  // b.ne -8
            }),
            End::Arrived);
  EXPECT_EQ(x(1), 100000u);
  EXPECT_EQ(world.vcpu().counters().blocks_translated, 1u);
  if (jit()) {
    EXPECT_EQ(world.vcpu().counters().links, 1u);
    EXPECT_LE(world.vcpu().counters().lookups, 3u);
  }
}

TEST_P(TranslatedCode, CallsAndReturnsFindTheirBlocksWithoutTheRunLoop) {
  x(0) = 10000, x(1) = 0;
  EXPECT_EQ(run({
                0x94000004,  // bl +16
                0xf1000400,  // subs x0, x0, #1
                0x54ffffc1,  // b.ne -8
                0x14000003,  // b +12
                0x91000821,  // add x1, x1, #2
                0xd65f03c0,  // ret
            }),
            End::Arrived);
  EXPECT_EQ(x(1), 20000u);
  EXPECT_LE(world.vcpu().counters().blocks_translated, 4u);
  EXPECT_LE(world.vcpu().counters().lookups, 10u);
}

TEST_P(TranslatedCode, CodeThatChangesItselfRunsAsChanged) {
  x(0) = 1000, x(1) = 0xd28000e3, x(2) = kCode;  // movz x3, #7
  EXPECT_EQ(run({
                0xd28000a3,  // movz x3, #5; is replaced
                0x8b030084,  // add x4, x4, x3
                0xd1000400,  // sub x0, x0, #1
                0xf107d01f,  // cmp x0, #500
                0x54000041,  // b.ne +8
                0xb9000041,  // str w1, [x2]
                0xb5ffff40,  // cbnz x0, -24
            }),
            End::Arrived);
  EXPECT_EQ(x(3), 7u);
  EXPECT_EQ(x(4), 500u * 5 + 500u * 7);
}

// Two loops, one in the other, with a diamond inside: one region.
TEST_P(TranslatedCode, HotLoopsBecomeARegion) {
  x(0) = 40;
  EXPECT_EQ(run({
                0xd2800321,  // movz x1, #25
                0x8b010042,  // add x2, x2, x1
                0x36000061,  // tbz w1, #0, +12
                0x91000463,  // add x3, x3, #1
                0x14000002,  // b +8
                0x91000884,  // add x4, x4, #2
                0xf1000421,  // subs x1, x1, #1
                0x54ffff41,  // b.ne -24
                0xd1000400,  // sub x0, x0, #1
                0xb5fffee0,  // cbnz x0, -36
            }),
            End::Arrived);
  EXPECT_EQ(x(2), 40u * 325);
  EXPECT_EQ(x(3), 40u * 13);
  EXPECT_EQ(x(4), 40u * 24);
  EXPECT_EQ(world.vcpu().counters().regions, jit() ? 1u : 0u);
}

// An interpreter's loop: what its branch goes to has been executed before, so the region knows it.
TEST_P(TranslatedCode, AnIndirectBranchStaysInItsRegion) {
  x(0) = 1000, x(4) = kCode + 12;
  EXPECT_EQ(run({
                0x92400002,  // and x2, x0, #1
                0x8b021083,  // add x3, x4, x2, lsl #4
                0xd61f0060,  // br x3
                0x910004a5,  // add x5, x5, #1
                0x14000007,  // b +28
                0xd503201f, 0xd503201f,
                0x91000cc6,  // add x6, x6, #3
                0x14000003,  // b +12
                0xd503201f, 0xd503201f,
                0xd1000400,  // sub x0, x0, #1
                0xb5fffe80,  // cbnz x0, -48
            }),
            End::Arrived);
  EXPECT_EQ(x(5), 500u);
  EXPECT_EQ(x(6), 1500u);
  EXPECT_EQ(world.vcpu().counters().regions, jit() ? 1u : 0u);
  EXPECT_LE(world.vcpu().counters().lookups, 20u);
}

// A function of the page, called in a loop: its return finds the caller inside the region, and another caller
// outside of it.
TEST_P(TranslatedCode, AReturnStaysInItsRegionOrLeavesIt) {
  x(0) = 1000, x(1) = 0;
  const std::vector<u32> words = {
      0x94000004,  // bl +16
      0xf1000400,  // subs x0, x0, #1
      0x54ffffc1,  // b.ne -8
      0x14000003,  // b +12
      0x91000821,  // add x1, x1, #2
      0xd65f03c0,  // ret
  };
  EXPECT_EQ(run(words), End::Arrived);
  EXPECT_EQ(x(1), 2000u);
  EXPECT_EQ(world.vcpu().counters().regions, jit() ? 1u : 0u);
  world.state().pc = kCode + 16, x(30) = kCode + 24;
  EXPECT_EQ(world.run(kCode + 24), End::Arrived);
  EXPECT_EQ(x(1), 2002u);
}

// What a region keeps in host registers is in the guest's when an access faults.
TEST_P(TranslatedCode, AFaultInARegionShowsEveryRegister) {
  x(0) = kEnd - 100 * 8, x(5) = 3;
  world.state().v[7] = {1, 2};
  EXPECT_EQ(run({
                0x91000421,  // add x1, x1, #1
                0xd37ff822,  // lsl x2, x1, #1
                0x4ee784e7,  // add v7.2d, v7.2d, v7.2d
                0xf8008402,  // str x2, [x0], #8
                0x8b0100a5,  // add x5, x5, x1
                0x17fffffb,  // b -20
            }),
            End::DataFault);
  EXPECT_EQ(world.state().pc, kCode + 12);
  EXPECT_EQ(x(0), kEnd);
  EXPECT_EQ(x(1), 101u);
  EXPECT_EQ(x(2), 202u);
  EXPECT_EQ(x(5), 3u + 100 * 101 / 2);
  EXPECT_EQ(world.state().v[7].lo, 0u);
  EXPECT_EQ(world.state().v[7].hi, 0u);
  EXPECT_EQ(world.peek<u64>(kEnd - 8), 200u);
}

// A 32-bit result that is built in part of a register that held 64 bits.
TEST_P(TranslatedCode, AFieldInsertedIntoAWRegisterLeavesNoUpperHalf) {
  x(1) = 0x1234, x(3) = 0xffffffff'00000000, x(4) = 5;
  EXPECT_EQ(run({
                0x8b040062,  // add x2, x3, x4
                0x33003c22,  // bfxil w2, w1, #0, #16
            }),
            End::Arrived);
  EXPECT_EQ(x(2), 0x1234u);
}

// The jump cache has no code for an address that no instruction can have.
TEST_P(TranslatedCode, ABranchToAnOddAddressIsNotFoundInTheJumpCache) {
  x(0) = 1;
  EXPECT_EQ(run({0xd61f0000}), End::Arrived);  // br x0
  EXPECT_EQ(world.state().pc, 1u);
}

TEST_P(TranslatedCode, AStoreBesideTheCodeInItsPageIsOnlyAStore) {
  x(0) = 100, x(2) = kCode + 0x800;
  EXPECT_EQ(run({
                0xf9000040,  // str x0, [x2]
                0xd1000400,  // sub x0, x0, #1
                0xb5ffffc0,  // cbnz x0, -8
            }),
            End::Arrived);
  EXPECT_EQ(world.peek<u64>(kCode + 0x800), 1u);
  EXPECT_EQ(world.vcpu().counters().blocks_translated, 1u);
}

TEST_P(TranslatedCode, AccessesAcrossAPageBoundary) {
  for (u64 before = 1; before < 16; before++) {
    const u64 from = kData + 0x1000 - before, to = kData + 0x5000 - before;
    for (unsigned i = 0; i < 16; i++) *world.host(from + i) = u8(0xa0 + i), *world.host(to + i) = 0;
    for (unsigned i = 0; i < 8; i++) *world.host(to + 0x2000 + i) = 0;
    x(2) = from, x(3) = to, x(4) = to + 0x2000;
    EXPECT_EQ(run({
                  0x3dc00040,  // ldr q0, [x2]
                  0x3d800060,  // str q0, [x3]
                  0xf9400041,  // ldr x1, [x2]
                  0xf9000081,  // str x1, [x4]
                  0xb8800045,  // ldursw x5, [x2]
              }),
              End::Arrived);
    EXPECT_EQ(x(1), 0xa7a6a5a4a3a2a1a0u);
    EXPECT_EQ(x(5), 0xffffffffa3a2a1a0u);
    EXPECT_EQ(world.peek<u64>(to), 0xa7a6a5a4a3a2a1a0u) << before;
    EXPECT_EQ(world.peek<u64>(to + 8), 0xafaeadacabaaa9a8u) << before;
    EXPECT_EQ(world.peek<u64>(to + 0x2000), 0xa7a6a5a4a3a2a1a0u) << before;
  }
}

TEST_P(TranslatedCode, AFaultInTheMiddleLeavesTheStateOfThatInstruction) {
  x(0) = 1, x(1) = 2, x(2) = kEnd, x(3) = 0x55;
  EXPECT_EQ(run({
                0x8b010000,  // add x0, x0, x1
                0xf10c001f,  // cmp x0, #768: N
                0xf8408443,  // ldr x3, [x2], #8
                0x8b010000,  // add x0, x0, x1
            }),
            End::DataFault);
  EXPECT_EQ(world.state().pc, kCode + 8);
  EXPECT_EQ(world.fault_address(), kEnd);
  EXPECT_EQ(x(0), 3u);
  EXPECT_EQ(x(2), kEnd);
  EXPECT_EQ(x(3), 0x55u);
  EXPECT_EQ(world.state().nzcv.nzcv(), 8u);
}

TEST_P(TranslatedCode, AStoreThatLeavesMemoryHalfwayChangesNothing) {
  world.put(kEnd - 4, std::vector<u32>{});
  *world.host(kEnd - 1) = 0x11;
  x(1) = ~u64{0}, x(2) = kEnd - 4;
  EXPECT_EQ(run({0xf9000041}), End::DataFault);  // str x1, [x2]
  EXPECT_EQ(world.fault_address(), kEnd);
  EXPECT_EQ(*world.host(kEnd - 1), 0x11);
}

TEST_P(TranslatedCode, AnEndlessLoopIsLeftOnRequest) {
  std::atomic_ref<u64> turns(*reinterpret_cast<u64*>(world.host(kEnd - 8)));
  x(2) = kEnd - 8;
  std::thread other([&] {
    EXPECT_TRUE(test::eventually([&] { return turns > 10'000; }));  // a region by now
    world.stop();
  });
  // add x1, x1, #1; str x1, [x2]; b -8
  EXPECT_EQ(run({0x91000421, 0xf9000041, 0x17fffffe, 0xd503201f}), End::Stopped);
  other.join();
  EXPECT_GT(x(1), 10'000u);
}

TEST_P(TranslatedCode, AFullArenaStartsOver) {
  UserWorld small({.accel = GetParam(), .code_bytes = size_t{64} << 10});
  std::vector<u32> words;
  for (unsigned n = 0; n < 20000; n++)
    words.push_back(n % 5 == 4 ? 0xb4000021 : 0x91000400);  // cbz x1, +4; add x0, x0, #1
  small.put(kCode, words);
  for (unsigned round = 0; round < 2; round++) {
    small.state().x[0] = 0, small.state().x[1] = round;
    small.state().pc = kCode;
    EXPECT_EQ(small.run(kCode + words.size() * 4), End::Arrived);
    EXPECT_EQ(small.state().x[0], 16000u);
  }
  if (jit()) {
    EXPECT_GT(small.vcpu().counters().evictions, 0u);
  }
}

// More code than fits, round after round: blocks that are linked to each other come and go in all orders.
TEST_P(TranslatedCode, OldCodeGivesWayToNew) {
  UserWorld small({.accel = GetParam(), .code_bytes = size_t{4} << 20});
  constexpr unsigned kWords = 150000;
  std::vector<u32> words;
  for (unsigned n = 0; n < kWords; n++) {
    if (n % 5 == 4)
      words.push_back(0xb4000021);  // cbz x1, +4
    else if (n % 5 == 0)
      words.push_back(0xf9400083);  // ldr x3, [x4]
    else if (n % 1000 == 502)
      words.push_back(0x94000000 | (kWords + 1 - n));  // bl to the function behind the end
    else
      words.push_back(0x91000400);  // add x0, x0, #1
  }
  for (u32 word : {0xd503201f, 0x91000842, 0xd65f03c0}) words.push_back(word);  // nop; add x2, x2, #2; ret
  small.put(kCode, words);
  small.state().x[4] = UserWorld::kBase;
  for (unsigned round = 0; round < 3; round++) {
    small.state().x[0] = small.state().x[2] = 0, small.state().x[1] = round % 2;
    small.state().pc = kCode;
    EXPECT_EQ(small.run(kCode + kWords * 4), End::Arrived);
    EXPECT_EQ(small.state().x[0], kWords * 3 / 5 - kWords / 1000);
    EXPECT_EQ(small.state().x[2], kWords / 1000 * 2);
  }
  if (jit()) {
    EXPECT_GT(small.vcpu().counters().evictions, 1u);
    EXPECT_EQ(small.vcpu().counters().code_flushes, 0u);
  }
}

// The same budgets, the same stops.
TEST(InstructionCounts, AreTheSameInBothEngines) {
  const std::vector<u32> words = {
      0xd2800140,  // movz x0, #10
      0x91000421,  // add x1, x1, #1
      0xb4000060,  // cbz x0, +12
      0xf9000041,  // str x1, [x2]
      0xd1000400,  // sub x0, x0, #1
      0x37000041,  // tbnz w1, #0, +8
      0xd503201f,  // nop
      0xb5ffff40,  // cbnz x0, -24
      0xf8408c43,  // ldr x3, [x2, #8]!: faults
      0xd503201f,  // nop
  };
  for (i64 budget = 1; budget < 90; budget++) {
    struct Seen {
      End end;
      u64 pc, x0, x1;
      i64 left;
      bool operator==(const Seen&) const = default;
    };
    Seen seen[2];
    for (Accel accel : {Accel::Interpreter, Accel::Jit}) {
      UserWorld world({.accel = accel, .icount = true, .code_bytes = size_t{1} << 20});
      world.put(kCode, words);
      world.state().pc = kCode, world.state().x[1] = 0, world.state().x[2] = kEnd - 8;
      world.state().icount_left = budget;
      const End end = world.run(kCode + words.size() * 4);
      const cpu::PeState& s = world.state();
      seen[accel == Accel::Jit] = {end, s.pc, s.x[0], s.x[1], s.icount_left};
    }
    EXPECT_EQ(seen[0].pc, seen[1].pc) << budget;
    EXPECT_EQ(seen[0].left, seen[1].left) << budget;
    EXPECT_TRUE(seen[0] == seen[1]) << budget;
    // A block may run over the end of its time, but by less than itself.
    EXPECT_GT(seen[0].left, -10);
  }
}

INSTANTIATE_TEST_SUITE_P(, TranslatedCode, testing::Values(Accel::Interpreter, Accel::Jit),
                         [](const auto& p) { return p.param == Accel::Jit ? "Jit" : "Interpreter"; });

}  // namespace
}  // namespace sluice::test
