// tests/ir/memory_instructions_test.cpp: pairs, atomics and exclusives as whole instructions, with both
// engines, where the soft TLB has the page and where it has not. Expected values come from the pseudocode of
// the Arm ARM, written down again.
#include <gtest/gtest.h>

#include <random>

#include "base/bits.h"
#include "tests/support/user_world.h"

namespace sluice::test {
namespace {

using Accel = tcg::Vcpu::Accel;
using End = UserWorld::End;

constexpr u64 kCode = UserWorld::kBase + 0x1000, kData = UserWorld::kBase + 0x200000,
              kEnd = UserWorld::kBase + UserWorld::kSize;

class MemoryInstructions : public testing::TestWithParam<Accel> {
 protected:
  End run(std::initializer_list<u32> words) {
    world.put(kCode, std::vector<u32>(words));
    world.state().pc = kCode;
    return world.run(kCode + words.size() * 4);
  }
  u64& x(unsigned n) { return world.state().x[n]; }
  void poke(u64 va, u64 value) { std::memcpy(world.host(va), &value, sizeof value); }

  UserWorld world{{.accel = GetParam()}};
};

// --- Pairs ---

TEST_P(MemoryInstructions, PairsAcrossAPageBoundary) {
  for (u64 before = 0; before <= 64; before++) {
    const u64 from = kData + 0x1000 - before, to = kData + 0x5000 - before;
    for (unsigned i = 0; i < 64; i++) *world.host(from + i) = u8(0x40 + i * 3), *world.host(to + i) = 0;
    for (bool again : {false, true}) {  // the second time the soft TLB has both pages
      x(2) = from, x(3) = to;
      EXPECT_EQ(run({0x4c402040,    // ld1 {v0.16b-v3.16b}, [x2]
                     0x4c002060}),  // st1 {v0.16b-v3.16b}, [x3]
                End::Arrived);
      EXPECT_EQ(std::memcmp(world.host(from), world.host(to), 64), 0) << before << again;
      std::memset(world.host(to), 0, 64);
      EXPECT_EQ(run({0xad400440,    // ldp q0, q1, [x2]
                     0xad000460}),  // stp q0, q1, [x3]
                End::Arrived);
      EXPECT_EQ(std::memcmp(world.host(from), world.host(to), 32), 0) << before << again;
      EXPECT_EQ(world.peek<u64>(to + 32), 0u);
      std::memset(world.host(to), 0, 64);
      EXPECT_EQ(run({0xa9400440,    // ldp x0, x1, [x2]
                     0xa9000460,    // stp x0, x1, [x3]
                     0x69401444}),  // ldpsw x4, x5, [x2]
                End::Arrived);
      EXPECT_EQ(std::memcmp(world.host(from), world.host(to), 16), 0) << before << again;
      EXPECT_EQ(world.peek<u64>(to + 16), 0u);
      EXPECT_EQ(x(4), u64(i64(world.peek<i32>(from)))) << before;
      EXPECT_EQ(x(5), u64(i64(world.peek<i32>(from + 4)))) << before;
      std::memset(world.host(to), 0, 64);
    }
  }
}

TEST_P(MemoryInstructions, APairWhoseSecondHalfFaultsLoadsNothing) {
  for (u64 size : {8, 16}) {
    x(0) = 1, x(1) = 2, x(2) = kEnd - size;
    world.state().v[0] = {3, 4}, world.state().v[1] = {5, 6};
    const u32 word = size == 8 ? 0xa8c10440 : 0xacc10440;  // ldp x0, x1, [x2], #16; ldp q0, q1, [x2], #32
    EXPECT_EQ(run({0xf9400044, word}), End::DataFault);    // ldr x4, [x2]: the soft TLB has the page
    EXPECT_EQ(world.state().pc, kCode + 4);
    EXPECT_EQ(world.fault_address(), kEnd);
    EXPECT_EQ(x(0), 1u);
    EXPECT_EQ(x(1), 2u);
    EXPECT_EQ(x(2), kEnd - size);
    EXPECT_TRUE(world.state().v[0] == (tcg::Vec{3, 4}));
  }
}

TEST_P(MemoryInstructions, APairWhoseSecondHalfFaultsDoesNotWriteBack) {
  x(0) = 1, x(1) = 2, x(2) = kEnd - 8;
  EXPECT_EQ(run({0xf9400044, 0xa8810440}), End::DataFault);  // ldr x4, [x2]; stp x0, x1, [x2], #16
  EXPECT_EQ(world.fault_address(), kEnd);
  EXPECT_EQ(x(2), kEnd - 8);
}

// --- One base register, many pages ---

// The same translated code each time, at addresses that stay in a page for a while and often lie near its
// end.
TEST_P(MemoryInstructions, OneBaseRegisterGoesFromPageToPage) {
  constexpr u64 kSeed = 4;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937_64 random(kSeed);
  const std::vector<u32> words = {0x38401041,   // ldurb w1, [x2, #1]
                                  0xf8403044,   // ldur x4, [x2, #3]
                                  0xad400440,   // ldp q0, q1, [x2]
                                  0xad000460,   // stp q0, q1, [x3]
                                  0xf9001061,   // str x1, [x3, #32]
                                  0x39009c64};  // strb w4, [x3, #39]
  world.put(kCode, words);
  u64 from = kData, to = kData + 0x40000;
  for (unsigned round = 0; round < 4000; round++) {
    if (random() % 8 == 0) from = kData + random() % 16 * 0x1000 + (random() % 2 ? random() % 0x1000 : 0xfc0);
    if (random() % 8 == 0)
      to = kData + 0x40000 + random() % 16 * 0x1000 + (random() % 2 ? random() % 0x1000 : 0xfc0);
    from += random() % 16, to += random() % 16;
    u8 bytes[40], before[56];
    for (u8& b : bytes) b = u8(random());
    std::memcpy(world.host(from), bytes, sizeof bytes);
    std::memcpy(before, world.host(to - 8), sizeof before);
    x(2) = from, x(3) = to;
    world.state().pc = kCode;
    ASSERT_EQ(world.run(kCode + words.size() * 4), End::Arrived);
    u64 wide;
    std::memcpy(&wide, bytes + 3, 8);
    ASSERT_EQ(x(1), bytes[1]) << round;
    ASSERT_EQ(x(4), wide) << round;
    std::memcpy(before + 8, bytes, 32);
    std::memset(before + 40, 0, 8);
    before[40] = bytes[1], before[47] = u8(wide);
    ASSERT_EQ(std::memcmp(world.host(to - 8), before, sizeof before), 0) << round;
  }
}

TEST_P(MemoryInstructions, StoresThroughABaseRegisterAreSeenOnceTheirPageHasCode) {
  constexpr u64 kTarget = kData + 0x9000;
  const std::vector<u32> stores = {0xb9000041,   // str w1, [x2]
                                   0xf1000400,   // subs x0, x0, #1
                                   0x54ffffc1};  // b.ne -8
  world.put(kCode, stores);
  world.put(kTarget, std::vector<u32>{0xd28000a3});  // movz x3, #5
  auto go = [&](u64 pc, u64 end) {
    world.state().pc = pc;
    EXPECT_EQ(world.run(end), End::Arrived);
  };
  x(0) = 100, x(1) = 0, x(2) = kTarget + 0x800;
  go(kCode, kCode + 12);
  go(kTarget, kTarget + 4);
  EXPECT_EQ(x(3), 5u);
  x(0) = 1, x(1) = 0xd28000e3, x(2) = kTarget;  // movz x3, #7
  go(kCode, kCode + 12);
  go(kTarget, kTarget + 4);
  EXPECT_EQ(x(3), 7u);
}

// --- DC ZVA ---

TEST_P(MemoryInstructions, ABlockIsZeroedAndNothingElse) {
  constexpr u32 kDcZva = 0xd50b7422;  // dc zva, x2
  for (u64 page : {kData + 0x11000, kData + 0x11000, kData + 0x13000})
    for (u64 at = 0; at < 0x1000; at += at % 3 ? 61 : 64) {
      const u64 block = (page + at) & ~u64{63};
      std::memset(world.host(block - 64), 0x5a, 192);
      x(2) = page + at;
      ASSERT_EQ(run({kDcZva}), End::Arrived);
      for (u64 n = 0; n < 192; n++)
        ASSERT_EQ(*world.host(block - 64 + n), n / 64 == 1 ? 0 : 0x5a) << std::hex << at << " " << n;
      ASSERT_EQ(x(2), page + at);
    }
  x(2) = kEnd + 0x25;
  EXPECT_EQ(run({kDcZva}), End::DataFault);
  EXPECT_EQ(world.fault_address(), kEnd + 0x25) << "the address that was given";
  EXPECT_EQ(world.state().pc, kCode);
}

// --- Atomics ---

enum Operation : u32 { kAdd, kClear, kXor, kSet, kSMax, kSMin, kUMax, kUMin, kSwap };
constexpr u32 atomic_word(Operation op, unsigned log2, unsigned rs, unsigned rn, unsigned rt) {
  u32 code = op == kSwap ? 0x8000 : op << 12;
  return 0x38200000 | log2 << 30 | rs << 16 | code | rn << 5 | rt;
}
constexpr u32 cas_word(unsigned log2, unsigned rs, unsigned rn, unsigned rt) {
  return 0x08a07c00 | log2 << 30 | rs << 16 | rn << 5 | rt;
}
u64 result_of(Operation op, u64 old, u64 operand, unsigned bits) {
  i64 a = i64(old << (64 - bits)), b = i64(operand << (64 - bits));
  u64 unsigned_a = old << (64 - bits), unsigned_b = operand << (64 - bits);
  switch (op) {
    case kAdd: return old + operand;
    case kClear: return old & ~operand;
    case kXor: return old ^ operand;
    case kSet: return old | operand;
    case kSMax: return a > b ? old : operand;
    case kSMin: return a < b ? old : operand;
    case kUMax: return unsigned_a > unsigned_b ? old : operand;
    case kUMin: return unsigned_a < unsigned_b ? old : operand;
    default: return operand;
  }
}

TEST_P(MemoryInstructions, AtomicsOfAllSizes) {
  constexpr u64 kSeed = 20;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937_64 random(kSeed);
  u64 page = kData;
  for (unsigned round = 0; round < 12; round++)
    for (u32 op = kAdd; op <= kSwap; op++)
      for (unsigned log2 = 0; log2 < 4; log2++) {
        const u64 mask = ones(8u << log2), size = u64{1} << log2;
        // A page that nothing has touched, then the same again.
        const u64 at = page + 16 + random() % 2 * 8 + (log2 < 3 ? size : 0);
        if (round % 2) page = kData + (page + 0x1000 - kData) % 0x100000;
        const u64 was = random(), operand = random() % 4 ? random() : was;
        const u64 expected =
            (was & ~mask) | (result_of(Operation(op), was & mask, operand & mask, 8u << log2) & mask);
        poke(at, was);
        x(5) = operand, x(6) = at, x(7) = random();
        EXPECT_EQ(run({atomic_word(Operation(op), log2, 5, 6, 7)}), End::Arrived);
        EXPECT_EQ(world.peek<u64>(at), expected) << op << " " << log2;
        EXPECT_EQ(x(7), was & mask) << op << " " << log2;
        EXPECT_EQ(x(5), operand);
        poke(at, was);  // ST<op>
        EXPECT_EQ(run({atomic_word(Operation(op), log2, 5, 6, 31)}), End::Arrived);
        EXPECT_EQ(world.peek<u64>(at), expected) << op << " " << log2;
        poke(at, was);  // the same register three times
        x(6) = at;
        EXPECT_EQ(run({atomic_word(Operation(op), log2, 6, 6, 6)}), End::Arrived);
        EXPECT_EQ(x(6), was & mask) << op << " " << log2;
      }
}

TEST_P(MemoryInstructions, CompareAndSwapOfAllSizes) {
  for (unsigned log2 = 0; log2 < 4; log2++)
    for (bool equal : {false, true})
      for (u64 page : {kData, kData, kData + 0x3000}) {
        const u64 mask = ones(8u << log2), was = 0x8192a3b4c5d6e7f8, at = page + 32;
        poke(at, was);
        x(5) = (was & mask) | (~mask & 0x5555555555555555), x(6) = at, x(7) = 0xf1e2d3c4b5a69788;
        if (!equal) x(5) ^= 1;
        EXPECT_EQ(run({cas_word(log2, 5, 6, 7)}), End::Arrived);
        EXPECT_EQ(x(5), was & mask) << log2;
        EXPECT_EQ(world.peek<u64>(at), equal ? (was & ~mask) | (0xf1e2d3c4b5a69788 & mask) : was) << log2;
      }
}

TEST_P(MemoryInstructions, AtomicsFaultWhenTheyAreNotAlignedAndWhereThereIsNothing) {
  for (unsigned log2 = 0; log2 < 4; log2++) {
    for (u32 word : {atomic_word(kAdd, log2, 5, 6, 7), atomic_word(kSMax, log2, 5, 6, 7),
                     atomic_word(kSet, log2, 5, 6, 31), cas_word(log2, 5, 6, 7)}) {
      x(5) = 5, x(6) = kEnd, x(7) = 7;
      EXPECT_EQ(run({word}), End::DataFault) << std::hex << word;
      EXPECT_EQ(world.state().pc, kCode);
      EXPECT_EQ(x(5), 5u);
      EXPECT_EQ(x(7), 7u);
      if (log2 == 0) continue;
      poke(kData, 0), poke(kData + 8, 0);
      x(6) = kData + (u64{1} << (log2 - 1));
      EXPECT_EQ(run({0xf94000c8, word}), End::Misaligned) << std::hex << word;  // ldr x8, [x6]
      EXPECT_EQ(world.state().pc, kCode + 4);
      EXPECT_EQ(x(7), 7u);
      EXPECT_EQ(world.peek<u64>(kData), 0u);
    }
  }
}

// --- Exclusives ---

constexpr u32 ldxr(unsigned log2) { return 0x085f7c43 | log2 << 30; }  // ldxr x3, [x2]
constexpr u32 stxr(unsigned log2) { return 0x08007c41 | log2 << 30; }  // stxr w0, x1, [x2]
constexpr u32 kLoad = 0xf9400044, kClrex = 0xd5033f5f;                 // ldr x4, [x2]

TEST_P(MemoryInstructions, AnExclusiveStoreBehindItsLoadStores) {
  for (unsigned log2 = 0; log2 < 4; log2++)
    for (u64 at : {kData + 8, kData + 8, kData + 0x7008}) {
      const u64 mask = ones(8u << log2);
      poke(at, 0x1122334455667788);
      x(0) = 9, x(1) = 0xf1e2d3c4b5a69788, x(2) = at;
      EXPECT_EQ(run({ldxr(log2), stxr(log2)}), End::Arrived);
      EXPECT_EQ(x(0), 0u) << log2;
      EXPECT_EQ(x(3), 0x1122334455667788 & mask);
      EXPECT_EQ(world.peek<u64>(at), (0x1122334455667788 & ~mask) | (0xf1e2d3c4b5a69788 & mask));
      EXPECT_EQ(run({stxr(log2)}), End::Arrived);
      EXPECT_EQ(x(0), 1u) << "the monitor is closed";
    }
}

TEST_P(MemoryInstructions, AnExclusiveStoreFailsWhenTheMonitorIsNotOpenForIt) {
  for (unsigned log2 = 0; log2 < 4; log2++) {
    auto fails = [&](std::initializer_list<u32> words, const char* why) {
      poke(kData, 0x10), poke(kData + 8, 0x20);
      x(0) = 9, x(1) = 0x77, x(2) = kData, x(5) = 8, x(6) = 0x31;
      EXPECT_EQ(run(words), End::Arrived);
      EXPECT_EQ(x(0), 1u) << why << log2;
      EXPECT_NE(world.peek<u8>(kData), 0x77) << why;
      EXPECT_NE(world.peek<u8>(kData + 8), 0x77) << why;
      EXPECT_EQ(run({stxr(log2)}), End::Arrived);
      EXPECT_EQ(x(0), 1u) << why << ", and closes it";
    };
    fails({kLoad, kClrex, stxr(log2)}, "never opened ");
    fails({kLoad, ldxr(log2), kClrex, stxr(log2)}, "cleared ");
    fails({kLoad, ldxr(log2), 0x8b050042, stxr(log2)}, "another address ");  // add x2, x2, x5
    fails({kLoad, ldxr(log2 ^ 1), stxr(log2)}, "another size ");
    fails({kLoad, ldxr(log2), 0x39000046, stxr(log2)}, "overwritten ");  // strb w6, [x2]
  }
}

TEST_P(MemoryInstructions, AnExclusiveStoreThatIsNotAlignedFaultsAndKeepsTheMonitor) {
  for (unsigned log2 = 1; log2 < 4; log2++) {
    x(0) = 9, x(1) = 0x77, x(2) = kData + 1;
    EXPECT_EQ(run({kLoad, stxr(log2)}), End::Misaligned);
    EXPECT_EQ(x(0), 9u);
  }
}

TEST_P(MemoryInstructions, TwoExclusivePairsInOneBlock) {
  poke(kData, 5);
  x(1) = 6, x(2) = kData;
  EXPECT_EQ(run({ldxr(3), stxr(3), 0xaa0003e5, ldxr(3), 0x91000461, stxr(3)}),  // mov x5, x0; add x1, x3, #1
            End::Arrived);
  EXPECT_EQ(x(5), 0u);
  EXPECT_EQ(x(0), 0u);
  EXPECT_EQ(world.peek<u64>(kData), 7u);
}

INSTANTIATE_TEST_SUITE_P(, MemoryInstructions, testing::Values(Accel::Interpreter, Accel::Jit),
                         [](const auto& p) { return p.param == Accel::Jit ? "Jit" : "Interpreter"; });

}  // namespace
}  // namespace sluice::test
