// What the oracle of tests/differential/insn_oracle cannot see: memory, branches, modes, and pointer
// authentication. Expected values are computed here from the Arm ARM's pseudocode in the plainest way.
#include <gtest/gtest.h>

#include <random>

#include "cpu/exception.h"
#include "cpu/pauth.h"
#include "cpu/qarma.h"
#include "tests/support/a64_machine.h"

namespace sluice::cpu::a64 {
namespace {

using test::A64Machine;
constexpr u64 kData = A64Machine::kData, kCode = A64Machine::kCode;

class A64 : public testing::Test {
 protected:
  void run(const std::vector<u32>& words) {
    m.run(words);
    ASSERT_EQ(m.malformed, "");
  }
  u64& x(unsigned n) { return m.state->x[n]; }
  bool calls(const tcg::Helper& helper) const {
    for (const tcg::ir::Inst& i : m.block.insts)
      if ((i.op == tcg::ir::Op::Call || i.op == tcg::ir::Op::LeaveIfNonZero) &&
          i.imm == reinterpret_cast<u64>(&helper))
        return true;
    return false;
  }
  A64Machine m;
};

// --- Loads and stores of general registers ---

TEST_F(A64, LoadsExtendAsTheirNameSays) {
  m.poke<u64>(kData, 0xfedcba9876543210ull | 0x80808080);
  x(1) = kData;
  struct Case {
    u32 word;
    u64 expected;
  };
  u64 v = m.peek<u64>(kData);
  for (Case c : {Case{0x39400020, v & 0xff}, Case{0x39800020, sign_extend(v, 8)},
                 Case{0x39c00020, u32(sign_extend(v, 8))}, Case{0x79400020, v & 0xffff},
                 Case{0x79800020, sign_extend(v, 16)}, Case{0x79c00020, u32(sign_extend(v, 16))},
                 Case{0xb9400020, u32(v)}, Case{0xb9800020, sign_extend(v, 32)}, Case{0xf9400020, v}}) {
    x(0) = ~u64{0};
    run({c.word});
    EXPECT_EQ(x(0), c.expected) << std::hex << c.word;
  }
}

TEST_F(A64, BigEndianDataIsSwappedBeforeItIsExtended) {
  m.mode.set<Mode::BigEndian>(1);
  m.poke<u64>(kData, 0x8877665544332281);
  x(1) = kData;
  run({0xf9400020});
  EXPECT_EQ(x(0), 0x8122334455667788u);
  run({0xb9800020});
  EXPECT_EQ(x(0), 0xffffffff81223344u);
  run({0x79c00020});
  EXPECT_EQ(x(0), 0xffff8122u);
  x(0) = 0x0102030405060708;
  run({0xf9000020});
  EXPECT_EQ(m.peek<u64>(kData), 0x0807060504030201u);
  run({0x79000020});
  EXPECT_EQ(m.peek<u16>(kData), 0x0807u);
}

TEST_F(A64, WriteBackIsLastAndPostIndexUsesTheOldBase) {
  m.poke<u64>(kData + 8, 42);
  x(1) = kData;
  run({0xf8408c20});
  EXPECT_EQ(x(0), 42u);
  EXPECT_EQ(x(1), kData + 8);  // LDR X0, [X1, #8]!
  run({0xf85f8420});
  EXPECT_EQ(x(0), 42u);
  EXPECT_EQ(x(1), kData);  // LDR X0, [X1], #-8
  x(1) = kData + A64Machine::kSize - 4;
  run({0xf8408c20});
  EXPECT_TRUE(m.faulted);
  EXPECT_EQ(x(1), kData + A64Machine::kSize - 4);
}

TEST_F(A64, APairThatFaultsInItsSecondHalfChangesNoRegister) {
  u64 last = kData + A64Machine::kSize - 8;
  m.poke<u64>(last, 7);
  x(0) = 100, x(2) = 102, x(1) = last;
  run({0xa8c10820});  // LDP X0, X2, [X1], #16
  EXPECT_TRUE(m.faulted);
  EXPECT_EQ(x(0), 100u);
  EXPECT_EQ(x(2), 102u);
  EXPECT_EQ(x(1), last);
  EXPECT_EQ(m.state->pc, kCode);
}

TEST_F(A64, RegisterOffsetsAreExtendedAndScaled) {
  m.poke<u32>(kData + 4 * 3, 0x1234);
  x(1) = kData + 24, x(2) = 0x5'ffff'fffdull;  // W2 = -3
  run({0xb862d820});
  EXPECT_EQ(x(0), 0x1234u);  // LDR W0, [X1, W2, SXTW #2]
  run({0xb8624820});         // option 010 without S: UXTW
  EXPECT_TRUE(m.faulted);
}

TEST_F(A64, UnprivilegedAccessesFollowTheMode) {
  x(1) = kData;
  auto unprivileged = [&] {
    run({0xf8400820});  // LDTR X0, [X1]
    for (const tcg::ir::Inst& i : m.block.insts)
      if (i.op == tcg::ir::Op::Load) return tcg::ir::MemOp::unpack(i.imm).unprivileged;
    return false;
  };
  EXPECT_FALSE(unprivileged());
  m.mode.set<Mode::UnprivilegedAsEl0>(1);
  EXPECT_TRUE(unprivileged());
  m.mode.set<Mode::Uao>(1);
  EXPECT_FALSE(unprivileged());
}

TEST_F(A64, TheStackPointerIsCheckedOnlyAsABaseAndOnlyWhenEnabled) {
  m.state->sp = kData + 16;
  run({0xf94003e0});
  EXPECT_FALSE(calls(kSpMisaligned));  // LDR X0, [SP]
  m.mode.set<Mode::SpAlignCheck>(1);
  run({0xf94003e0});
  EXPECT_TRUE(calls(kSpMisaligned));
  x(1) = kData;
  run({0xf9400020});
  EXPECT_FALSE(calls(kSpMisaligned));
  run({0xf98003e0});
  EXPECT_FALSE(calls(kSpMisaligned));  // PRFM
}

TEST_F(A64, AlignmentIsCheckedByElementAndOnlyWhenTheModeSaysSo) {
  m.state->v[0] = {};
  x(1) = kData + 1;
  struct Case {
    u32 word;
    bool faults;
  };
  for (Case c :
       {Case{0xf9400020, true}, Case{0xf9000020, true}, Case{0x3dc00020, true}, Case{0x3d800020, true},
        Case{0xa9400820, true}, Case{0x39400020, false}, Case{0x4c407020, false} /* LD1 {V0.16B} */,
        Case{0x4c407420, true} /* LD1 {V0.8H} */, Case{0x0d404020, true} /* LD1 {V0.H}[0] */}) {
    m.mode.set<Mode::AlignCheck>(0);
    run({c.word});
    EXPECT_FALSE(m.faulted) << std::hex << c.word;
    m.mode.set<Mode::AlignCheck>(1);
    run({c.word});
    EXPECT_EQ(m.faulted, c.faults) << std::hex << c.word;
  }
  x(1) = kData + 8;
  run({0xa9400820});
  EXPECT_FALSE(m.faulted);  // LDP of X: 8 is enough
  run({0x3dc00020});
  EXPECT_TRUE(m.faulted);  // LDR Q: 16
}

// --- Advanced SIMD structures ---

struct Multiple {
  unsigned opcode, registers, selem;
};
constexpr Multiple kMultiples[] = {{0, 4, 4}, {2, 4, 1}, {4, 3, 3}, {6, 3, 1},
                                   {7, 1, 1}, {8, 2, 2}, {10, 2, 1}};

// The element loop of the pseudocode. memory[] and v[] are bytes.
template <class F>
void for_each_element(const Multiple& f, unsigned esize, unsigned bytes, F move) {
  unsigned ebytes = 1u << esize, elements = bytes / ebytes, offset = 0,
           repeat = f.selem == 1 ? f.registers : 1;
  for (unsigned r = 0; r < repeat; r++)
    for (unsigned e = 0; e < elements; e++)
      for (unsigned s = 0; s < f.selem; s++, offset += ebytes) move(r + s, e * ebytes, offset);
}

class A64Structures : public A64, public testing::WithParamInterface<unsigned> {
 protected:
  void SetUp() override {
    m.mode.set<Mode::BigEndian>(GetParam() & 1);
    m.mode.set<Mode::AlignCheck>(GetParam() >> 1);
    std::mt19937_64 random(1);
    for (u8& b : m.memory) b = u8(random());
    for (tcg::Vec& v : m.state->v) v = {random(), random()};
  }
  u8* bytes_of(unsigned n) { return reinterpret_cast<u8*>(&m.state->v[n % 32]); }
  bool big() const { return GetParam() & 1; }
};

TEST_P(A64Structures, LoadMultiple) {
  for (const Multiple& f : kMultiples)
    for (u32 size = 0; size < 4; size++)
      for (u32 Q = 0; Q < 2; Q++) {
        if (size == 3 && !Q && f.selem != 1) continue;
        unsigned bytes = Q ? 16 : 8, ebytes = 1u << size;
        u8 expected[4][16] = {};
        for_each_element(f, size, bytes, [&](unsigned reg, unsigned at, unsigned offset) {
          for (unsigned b = 0; b < ebytes; b++)
            expected[reg][at + (big() ? ebytes - 1 - b : b)] = m.memory[64 + offset + b];
        });
        x(1) = kData + 64;
        run({0x0cdf0000 | Q << 30 | f.opcode << 12 | size << 10 | 1 << 5 | 30});  // LDn {V30, ...}, [X1], #n
        EXPECT_EQ(x(1), kData + 64 + bytes * f.registers);
        for (unsigned r = 0; r < f.registers; r++)
          EXPECT_EQ(std::memcmp(bytes_of(30 + r), expected[r], 16), 0)
              << "opcode " << f.opcode << " size " << size << " Q " << Q << " register " << r;
      }
}

TEST_P(A64Structures, StoreMultiple) {
  for (const Multiple& f : kMultiples)
    for (u32 size = 0; size < 4; size++)
      for (u32 Q = 0; Q < 2; Q++) {
        if (size == 3 && !Q && f.selem != 1) continue;
        unsigned bytes = Q ? 16 : 8, ebytes = 1u << size;
        auto expected = m.memory;
        for_each_element(f, size, bytes, [&](unsigned reg, unsigned at, unsigned offset) {
          for (unsigned b = 0; b < ebytes; b++)
            expected[64 + offset + b] = bytes_of(30 + reg)[at + (big() ? ebytes - 1 - b : b)];
        });
        x(1) = kData + 64, x(2) = 5;
        run({0x0c820000 | Q << 30 | f.opcode << 12 | size << 10 | 1 << 5 | 30});  // STn {V30, ...}, [X1], X2
        EXPECT_EQ(x(1), kData + 69);
        EXPECT_EQ(m.memory, expected) << "opcode " << f.opcode << " size " << size << " Q " << Q;
      }
}

TEST_P(A64Structures, OneLaneAndReplicate) {
  for (unsigned selem = 1; selem <= 4; selem++)
    for (unsigned esize = 0; esize < 4; esize++) {
      unsigned ebytes = 1u << esize, R = (selem - 1) & 1, o0 = (selem - 1) >> 1;
      auto element = [&](unsigned s) {
        u64 v = 0;
        for (unsigned b = 0; b < ebytes; b++)
          v |= u64{m.memory[32 + s * ebytes + (big() ? ebytes - 1 - b : b)]} << (b * 8);
        return v;
      };
      for (unsigned index = 0; index < 16u >> esize; index++) {
        u32 qsz = index << (esize == 3 ? 3 : esize) | (esize == 3 ? 1 : 0);  // Q:S:size
        u32 scale = esize == 3 ? 2 : esize;
        for (unsigned s = 0; s < selem; s++) m.state->v[(31 + s) % 32] = {~u64{0}, ~u64{0}};
        x(1) = kData + 32;
        run({0x0d400000 | (qsz >> 3 & 1) << 30 | R << 21 | scale << 14 | o0 << 13 | (qsz >> 2 & 1) << 12 |
             (qsz & 3) << 10 | 1 << 5 | 31});
        for (unsigned s = 0; s < selem; s++) {
          u8 expected[16];
          std::memset(expected, 0xff, 16);
          u64 v = element(s);
          std::memcpy(expected + index * ebytes, &v, ebytes);
          EXPECT_EQ(std::memcmp(bytes_of(31 + s), expected, 16), 0) << selem << " " << esize << " " << index;
        }
      }
      x(1) = kData + 32;
      run({0x0d40c000 | R << 21 | o0 << 13 | esize << 10 | 1 << 5 | 31});  // LDnR, 8 bytes
      for (unsigned s = 0; s < selem; s++) {
        const tcg::Vec& v = m.state->v[(31 + s) % 32];
        EXPECT_EQ(v.lo, replicate(element(s), 8u << esize));
        EXPECT_EQ(v.hi, 0u);
      }
    }
}

INSTANTIATE_TEST_SUITE_P(Modes, A64Structures, testing::Range(0u, 4u));

TEST_F(A64, ALoadOfSeveralRegistersThatFaultsLateChangesNone) {
  m.state->v[0] = {1, 2}, m.state->v[1] = {3, 4};
  x(1) = kData + A64Machine::kSize - 16;
  run({0x4cdf8020});  // LD2 {V0.16B, V1.16B}, [X1], #32
  EXPECT_TRUE(m.faulted);
  EXPECT_EQ(m.state->v[0], (tcg::Vec{1, 2}));
  EXPECT_EQ(m.state->v[1], (tcg::Vec{3, 4}));
  EXPECT_EQ(x(1), kData + A64Machine::kSize - 16);
}

// --- Exclusives and atomics ---

TEST_F(A64, StoreExclusiveSucceedsOnceAndOnlyForWhatWasLoaded) {
  m.poke<u64>(kData, 5);
  x(1) = kData, x(2) = 6, x(3) = 9;
  run({0xc85f7c20, 0xc8037c22});  // LDXR X0, [X1]; STXR W3, X2, [X1]
  EXPECT_EQ(x(0), 5u);
  EXPECT_EQ(x(3), 0u);
  EXPECT_EQ(m.peek<u64>(kData), 6u);
  run({0xc8037c22});
  EXPECT_EQ(x(3), 1u);  // the monitor is closed
  run({0xc85f7c20});
  m.poke<u64>(kData, 77);  // somebody else
  run({0xc8037c22});
  EXPECT_EQ(x(3), 1u);
  EXPECT_EQ(m.peek<u64>(kData), 77u);
  run({0xc85f7c20, 0x88037c22});
  EXPECT_EQ(x(3), 1u);  // another size
  x(4) = kData + 8;
  run({0xc85f7c20, 0xc8037c82});
  EXPECT_EQ(x(3), 1u);  // another address
}

TEST_F(A64, ExclusivePairs) {
  m.poke<u64>(kData, 1), m.poke<u64>(kData + 8, 2);
  x(1) = kData, x(4) = 30, x(5) = 40;
  run({0xc87f0820, 0xc8231424});  // LDXP X0, X2, [X1]; STXP W3, X4, X5, [X1]
  EXPECT_EQ(x(0), 1u);
  EXPECT_EQ(x(2), 2u);
  EXPECT_EQ(x(3), 0u);
  EXPECT_EQ(m.peek<u64>(kData), 30u);
  EXPECT_EQ(m.peek<u64>(kData + 8), 40u);
  run({0x887f0820, 0x88231424});  // the same with W registers
  EXPECT_EQ(x(0), 30u);
  EXPECT_EQ(x(2), 0u);
  EXPECT_EQ(x(3), 0u);
  EXPECT_EQ(m.peek<u32>(kData + 4), 40u);
}

TEST_F(A64, ExclusivesAndAtomicsMustBeAligned) {
  x(1) = kData + 1, x(3) = 9;
  for (u32 word : {0xc85f7c20u, 0xc8037c22u, 0xc8a07c22u, 0xf8200022u, 0xc8dffc20u, 0xc89ffc20u}) {
    run({word});
    EXPECT_TRUE(m.faulted) << std::hex << word;
  }
  EXPECT_EQ(x(3), 9u);
}

TEST_F(A64, AtomicOperationsOfAllSizesAndByteOrders) {
  std::mt19937_64 random(2);
  auto swap = [](u64 v, unsigned size) { return __builtin_bswap64(v) >> (64 - (8u << size)); };
  for (unsigned big = 0; big < 2; big++)
    for (u32 size = 0; size < 4; size++)
      for (u32 op = 0; op < 9; op++)
        for (int i = 0; i < 20; i++) {
          m.mode.set<Mode::BigEndian>(big);
          unsigned bits = 8u << size;
          u64 old = random() & ones(bits), s = random() & ones(bits), raw = random();
          m.poke<u64>(kData, deposit(raw, 0, bits, big ? swap(old, size) : old));
          x(1) = kData, x(2) = s | (bits < 64 ? random() << bits : 0);
          run({0x38200020 | size << 30 | 2 << 16 | (op == 8 ? 0x8000 : op << 12) | (i & 3) << 22});
          i64 a = i64(sign_extend(old, bits)), b = i64(sign_extend(s, bits));
          u64 expected[] = {old + s,         old & ~s,          old ^ s,           old | s, a > b ? old : s,
                            a < b ? old : s, old > s ? old : s, old < s ? old : s, s};
          EXPECT_EQ(x(0), old);
          u64 stored = expected[op] & ones(bits);
          EXPECT_EQ(m.peek<u64>(kData), deposit(raw, 0, bits, big ? swap(stored, size) : stored))
              << op << " " << size;
        }
}

TEST_F(A64, CompareAndSwap) {
  m.poke<u64>(kData, 0x1122334455667788);
  x(1) = kData, x(0) = 0xff88, x(2) = 0x99;
  run({0x08a07c22});
  EXPECT_EQ(x(0), 0x88u);
  EXPECT_EQ(m.peek<u64>(kData), 0x1122334455667799u);  // CASB: equal in 8 bits
  x(0) = 1;
  run({0xc8a07c22});
  EXPECT_EQ(x(0), 0x1122334455667799u);
  EXPECT_EQ(m.peek<u64>(kData), 0x1122334455667799u);
  m.poke<u64>(kData, 1), m.poke<u64>(kData + 8, 2);
  x(2) = 1, x(3) = 2, x(4) = 10, x(5) = 20;
  run({0x48227c24});
  EXPECT_EQ(m.peek<u64>(kData), 10u);
  EXPECT_EQ(m.peek<u64>(kData + 8), 20u);  // CASP X2, X4
  run({0x48227c24});
  EXPECT_EQ(x(2), 10u);
  EXPECT_EQ(x(3), 20u);  // not equal: what is there
  m.translate({0x48217c24});
  EXPECT_TRUE(calls(kUndefined));  // an odd register
}

// --- Branches ---

TEST_F(A64, ConditionalBranchesForwardStayInTheBlock) {
  x(0) = 1;
  run({0xb4000040, 0x91000400, 0x91000400});  // CBZ X0, +8; ADD X0, X0, #1 twice
  EXPECT_EQ(x(0), 3u);
  EXPECT_EQ(m.state->pc, kCode + 12);
  x(0) = 0;
  run({0xb4000040, 0x91000400, 0x91000400});
  EXPECT_EQ(x(0), 0u);
  EXPECT_EQ(m.state->pc, kCode + 8);
}

TEST_F(A64, CallsSetTheLinkRegisterAfterTheTargetWasRead) {
  x(30) = 0x5000;
  run({0xd63f03c0});  // BLR X30
  EXPECT_EQ(m.state->pc, 0x5000u);
  EXPECT_EQ(x(30), kCode + 4);
  run({0x97ffffff});  // BL -4
  EXPECT_EQ(m.state->pc, kCode - 4);
  EXPECT_EQ(x(30), kCode + 4);
}

TEST_F(A64, TheTopByteOfABranchTargetIsIgnoredWhereTheModeSaysSo) {
  constexpr u64 low = 0x5a00'1234'5678'9ab0, high = 0x5aff'1234'5678'9ab0;
  auto target = [&](u64 tbi, bool one_range, u64 address) {
    m.mode.set<Mode::Tbi>(tbi), m.mode.set<Mode::OneRange>(one_range);
    x(3) = address;
    run({0xd61f0060});
    return m.state->pc;
  };
  EXPECT_EQ(target(0, false, low), low);
  EXPECT_EQ(target(1, false, low), 0x0000'1234'5678'9ab0u);
  EXPECT_EQ(target(1, false, high), high);
  EXPECT_EQ(target(2, false, low), low);
  EXPECT_EQ(target(2, false, high), 0xffff'1234'5678'9ab0u);
  EXPECT_EQ(target(3, false, low), 0x0000'1234'5678'9ab0u);
  EXPECT_EQ(target(3, false, high), 0xffff'1234'5678'9ab0u);
  EXPECT_EQ(target(1, true, high), 0x00ff'1234'5678'9ab0u);
}

TEST_F(A64, IndirectBranchesSetBtypeAndTheNextInstructionClearsIt) {
  auto btype_after = [&](u32 word, u32 before = 0) {
    m.state->btype = before;
    run({word});
    return m.state->btype;
  };
  EXPECT_EQ(btype_after(0xd61f0060), 1u);     // BR X3
  EXPECT_EQ(btype_after(0xd63f0060), 2u);     // BLR X3
  EXPECT_EQ(btype_after(0xd65f03c0, 2), 0u);  // RET
  EXPECT_EQ(btype_after(0xd503201f, 2), 0u);  // NOP
  m.mode.set<Mode::Guarded>(1);
  EXPECT_EQ(btype_after(0xd61f0060), 3u);
  EXPECT_EQ(btype_after(0xd61f0200), 1u);     // BR X16
  EXPECT_EQ(btype_after(0xd503245f, 2), 0u);  // BTI c
}

TEST_F(A64, LandingPadsOnGuardedPages) {
  m.mode.set<Mode::Guarded>(1);
  struct Case {
    u32 word;
    bool checked_bt;
    u32 accepted;
  };  // bits 1..3
  for (Case c :
       {Case{0xd503201f, false, 0}, Case{0xd503241f, false, 0}, Case{0xd503245f, false, 0b0110},
        Case{0xd503249f, false, 0b1010}, Case{0xd50324df, false, 0b1110}, Case{0xd503233f, false, 0b1110},
        Case{0xd503233f, true, 0b0110}, Case{0xd4200000, false, 0b1110}}) {
    m.mode.set<Mode::BtypeChecked>(c.checked_bt);
    tcg::ir::Block block;
    block.pc = kCode, block.mode = m.mode.word;
    Decoder decoder(test::every_feature());
    translate_block(block, decoder, test::every_feature(), {reinterpret_cast<const u8*>(&c.word), 4}, 1);
    u32 refused = 0;  // the constant behind the check
    for (size_t i = 0; i < block.insts.size(); i++)
      if (block.insts[i].op == tcg::ir::Op::LeaveIfNonZero &&
          block.insts[i].imm == reinterpret_cast<u64>(&kBtiFail))
        for (size_t k = 0; k < i; k++)
          if (block.insts[k].op == tcg::ir::Op::Shr) refused = u32(block.insts[block.insts[k].args[0]].imm);
    EXPECT_EQ(refused, 0b1110 & ~c.accepted) << std::hex << c.word;
  }
}

TEST_F(A64, FpInstructionsTrapWhenDisabledButUndefinedOnesAreUndefined) {
  m.mode.set<Mode::FpTrapEl>(1);
  Decoder decoder(test::every_feature());
  auto first_helper = [&](u32 word) -> std::string {
    tcg::ir::Block block;
    block.pc = kCode, block.mode = m.mode.word;
    translate_block(block, decoder, test::every_feature(), {reinterpret_cast<const u8*>(&word), 4}, 1);
    EXPECT_EQ(verify(block), "");
    return block.insts[0].op == tcg::ir::Op::Call || block.insts.size() > 2
               ? reinterpret_cast<const tcg::Helper*>(block.insts[block.insts.size() - 2].imm)->name
               : "";
  };
  EXPECT_EQ(first_helper(0x3dc00020), "fp_access_trap");  // LDR Q0, [X1]
  EXPECT_EQ(first_helper(0x0c408c20), "undefined");       // LD2 {V0.1D, V1.1D}: reserved
}

// --- Pointer authentication ---

// R. Avanzi, "The QARMA Block Cipher Family", appendix: QARMA5-64 with sigma 2.
TEST(PointerAuthentication, TheCipherGivesThePublishedVector) {
  EXPECT_EQ(
      pauth::compute_pac(0xfb623599da6e8127, 0x477d469dec0b8762, {0xec2802d4e0a488e9, 0x84be85ce9804e94b}),
      0xc003b93999b33765u);
}

TEST(PointerAuthentication, TheVectorFormOfTheCipherIsTheSteps) {
  std::mt19937_64 random(5);
  for (int n = 0; n < 20'000; n++) {
    u64 data = random(), tweak = random(), key0 = random(), key1 = random();
    ASSERT_EQ(qarma::encrypt(data, tweak, key0, key1), qarma::encrypt_by_steps(data, tweak, key0, key1))
        << "seed 5, round " << n;
  }
}

TEST(PointerAuthentication, AuthenticationAcceptsWhatWasAddedAndMarksWhatWasNot) {
  std::mt19937_64 random(3);
  auto state = std::make_unique<PeState>();  // remembers recent codes
  PeState& pe = *state;
  for (bool tbi : {false, true})
    for (int i = 0; i < 1000; i++) {
      pauth::Algorithm a = i % 2 ? pauth::Algorithm::Own : pauth::Algorithm::Qarma5;
      pauth::PointerFormat f{{tbi, tbi}, {48, 48}};
      pauth::Key key{random(), random()};
      u64 modifier = random(), pointer = sign_extend(random(), 49);
      if (tbi) pointer = deposit(pointer, 56, 8, random());
      u64 with_pac = pauth::add_pac(pe, pointer, modifier, key, f, a);
      EXPECT_EQ(pauth::strip(with_pac, f), pointer);
      EXPECT_EQ(pauth::authenticate(pe, with_pac, modifier, key, f, false, a), pointer);
      u64 broken = with_pac ^ u64 { 1 } << (48 + random() % 7);
      u64 bad = pauth::authenticate(pe, broken, modifier, key, f, true, a);
      EXPECT_EQ(extract(bad, tbi ? 53 : 61, 2), 2u);  // key B: error code 10
      EXPECT_EQ(extract(pauth::authenticate(pe, broken, modifier, key, f, false, a), tbi ? 53 : 61, 2), 1u);
    }
}

// Each bit of the pointer, the modifier and the key changes each bit of the code about every other time.
TEST(PointerAuthentication, OurOwnAlgorithmSpreadsEachBitOfItsInput) {
  std::mt19937_64 random(7);
  constexpr int kSamples = 2000;
  for (unsigned in = 0; in < 256; in++) {
    int changed[64] = {};
    for (int n = 0; n < kSamples; n++) {
      // Return addresses and stack pointers of a kernel, whose upper halves hardly differ.
      u64 input[4] = {0xffff800080000000 + (random() & 0x1fffffc), 0xffff800081000000 + (random() & 0xfffff0),
                      random(), random()};
      auto code = [&] {
        return pauth::compute_pac(input[0], input[1], {input[2], input[3]}, pauth::Algorithm::Own);
      };
      u64 before = code();
      input[in / 64] ^= u64{1} << in % 64;
      u64 difference = before ^ code();
      for (unsigned out = 0; out < 64; out++) changed[out] += difference >> out & 1;
    }
    for (unsigned out = 0; out < 64; out++)
      EXPECT_NEAR(changed[out], kSamples / 2, kSamples / 10) << "input bit " << in << ", bit " << out;
  }
}

TEST_F(A64, GenericCodesHaveTheirKeyAndAlgorithm) {
  m.state->sysregs[Slot::APGAKeyLo_EL1] = 0x3333, m.state->sysregs[Slot::APGAKeyHi_EL1] = 0x4444;
  x(1) = 0x123456789, x(2) = 0x1000;
  run({0x9ac23020});  // PACGA X0, X1, X2
  EXPECT_EQ(x(0), pauth::compute_pac(x(1), x(2), {0x3333, 0x4444}, pauth::Algorithm::Own) & ~ones(32));
}

TEST_F(A64, PacInstructionsObeyTheEnableBits) {
  m.mode.set<Mode::BottomPacBit0>(48), m.mode.set<Mode::BottomPacBit1>(48);
  m.state->sysregs[Slot::APIAKeyLo_EL1] = 0x1111, m.state->sysregs[Slot::APIAKeyHi_EL1] = 0x2222;
  x(30) = 0x0000'1234'5678'0000, m.state->sp = kData;
  u64 pointer = x(30);
  run({0xd503233f});
  EXPECT_EQ(x(30), pointer);  // PACIASP, keys disabled
  m.mode.set<Mode::PacEnabled>(1);
  run({0xd503233f});
  EXPECT_EQ(x(30), pauth::add_pac(*m.state, pointer, kData, {0x1111, 0x2222},
                                  pauth::PointerFormat{{}, {48, 48}}, pauth::Algorithm::Own));
  EXPECT_NE(x(30), pointer);
  run({0xd65f0bff});
  EXPECT_EQ(m.state->pc, pointer);  // RETAA
}

}  // namespace
}  // namespace sluice::cpu::a64
