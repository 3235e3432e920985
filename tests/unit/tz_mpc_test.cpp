// tests/unit/tz_mpc_test.cpp: the TrustZone MPC through its register frame and as a gate. Expected values are
// those of Arm CoreLink SIE-200 (DDI 0571) and SSE-200 (101104) section 3.4.4.
#include "devices/iommu/tz_mpc.h"

#include <gtest/gtest.h>

#include "tests/support/mpc_world.h"

namespace sluice {
namespace {

using namespace test;
using Status = MemTxResult::Status;

TEST(TzMpcRegisters, ResetValues) {
  MpcWorld w;
  struct {
    u64 offset;
    u32 value;
  } expected[] = {{MPC_CTRL, kAutoIncrement},
                  {0x004, 0},
                  {0x008, 0},
                  {0x00c, 0},
                  {MPC_BLK_IDX, 0},
                  {MPC_BLK_LUT, 0},
                  {MPC_INT_STAT, 0},
                  {MPC_INT_CLEAR, 0},
                  {MPC_INT_EN, 1},
                  {MPC_INT_INFO1, 0},
                  {MPC_INT_INFO2, 0},
                  {MPC_INT_SET, 0},
                  {0xfd0, 0x04},
                  {0xfd4, 0x00},
                  {0xfd8, 0x00},
                  {0xfdc, 0x00},
                  {0xfe0, 0x60},
                  {0xfe4, 0xb8},
                  {0xfe8, 0x1b},
                  {0xfec, 0x00},
                  {0xff0, 0x0d},
                  {0xff4, 0xf0},
                  {0xff8, 0x05},
                  {0xffc, 0xb1}};
  for (auto [offset, value] : expected) EXPECT_EQ(w.r(offset), value) << std::hex << offset;
  EXPECT_FALSE(w.irq);
}

TEST(TzMpcRegisters, BlkCfgIsTheBinaryLogarithmOfTheBlockSizeLessFive) {
  for (unsigned code = 0; code <= 15; code++)
    EXPECT_EQ(MpcWorld(u64{32} << code).r(MPC_BLK_CFG), code) << code;
}

// M8: the highest legal BLK_IDX, not the number of words.
TEST(TzMpcRegisters, M8BlkMaxIsTheHighestLegalIndexForEverySize) {
  struct {
    u64 size, block;
    u32 blk_max;
  } rows[] = {{0x1000, 0x1000, 0},
              {0x20000, 0x1000, 0},
              {0x21000, 0x1000, 1},
              {0x40000, 0x1000, 1},
              {0x400000, 0x1000, 31},
              {32, 32, 0},
              {1024, 32, 0},
              {1056, 32, 1},
              {0x100000, 32, 1023},
              {0x100000, 0x100000, 0},
              {0x2000000, 0x100000, 0},
              {0x2100000, 0x100000, 1}};
  for (auto [size, block, blk_max] : rows) {
    MpcWorld w(block, size);
    EXPECT_EQ(w.r(MPC_BLK_MAX), blk_max) << size << "/" << block;
    w.w(MPC_BLK_IDX, blk_max);
    EXPECT_EQ(w.r(MPC_BLK_IDX), blk_max);
    w.w(MPC_BLK_IDX, blk_max + 1);
    EXPECT_EQ(w.r(MPC_BLK_IDX), 0u);
  }
}

TEST(TzMpcRegisters, EveryBitOfTheFrameThatIsNotARegisterFieldIsRazWi) {
  MpcWorld w;
  for (u64 offset = 0; offset < TzMpc::kFrameSize; offset += 4) {
    if (offset == MPC_CTRL || offset == MPC_BLK_IDX || offset == MPC_BLK_LUT) continue;
    if (offset == MPC_INT_CLEAR || offset == MPC_INT_EN || offset == MPC_INT_SET) continue;
    u32 before = w.r(offset);
    w.w(offset, ~0u);
    EXPECT_EQ(w.r(offset), before) << std::hex << offset;
  }
  w.w(MPC_CTRL, 0x7fff'fe2f);  // all reserved bits, no gate
  EXPECT_EQ(w.r(MPC_CTRL), 0u);
  w.w(MPC_INT_EN, ~0u);
  EXPECT_EQ(w.r(MPC_INT_EN), 1u);
}

TEST(TzMpcRegisters, AutoIncrementStepsOnFullWordReadsAndWritesAndWraps) {
  MpcWorld w(0x1000, 0x60000);  // three words
  w.w(MPC_BLK_LUT, 0x11);
  EXPECT_EQ(w.r(MPC_BLK_IDX), 1u);
  w.w(MPC_BLK_LUT, 0x22);
  w.w(MPC_BLK_LUT, 0x33);
  EXPECT_EQ(w.r(MPC_BLK_IDX), 0u);
  EXPECT_EQ(w.r(MPC_BLK_LUT), 0x11u);
  EXPECT_EQ(w.r(MPC_BLK_LUT), 0x22u);
  EXPECT_EQ(w.r(MPC_BLK_LUT), 0x33u);
  EXPECT_EQ(w.r(MPC_BLK_LUT), 0x11u);
}

TEST(TzMpcRegisters, WithoutAutoIncrementTheIndexStays) {
  MpcWorld w;
  w.w(MPC_CTRL, 0);
  w.w(MPC_BLK_IDX, 2);
  w.w(MPC_BLK_LUT, 5);
  EXPECT_EQ(w.r(MPC_BLK_LUT), 5u);
  EXPECT_EQ(w.r(MPC_BLK_LUT), 5u);
  EXPECT_EQ(w.r(MPC_BLK_IDX), 2u);
}

TEST(TzMpcRegisters, SubWordAccessesMergeAndNeverStep) {
  MpcWorld w;
  w.w(MPC_BLK_LUT + 2, 0xab, 1);
  w.w(MPC_BLK_LUT, 0x1234, 2);
  EXPECT_EQ(w.r(MPC_BLK_IDX), 0u);
  EXPECT_EQ(w.r(MPC_BLK_LUT + 2, 2), 0x00abu);
  EXPECT_EQ(w.r(MPC_BLK_LUT + 1, 1), 0x12u);
  EXPECT_EQ(w.r(MPC_BLK_IDX), 0u);
  EXPECT_EQ(w.r(MPC_BLK_LUT), 0x00ab'1234u);
  w.w(MPC_BLK_IDX, 3);
  w.w(MPC_BLK_IDX + 1, 0, 1);
  EXPECT_EQ(w.r(MPC_BLK_IDX), 3u);
  w.w(MPC_CTRL, kSecResp, 1);  // CTRL[8] keeps its value
  EXPECT_EQ(w.r(MPC_CTRL), kAutoIncrement | kSecResp);
  EXPECT_EQ(w.r(MPC_CTRL + 1, 1), 1u);
  w.w(MPC_CTRL + 1, 0, 1);
  EXPECT_EQ(w.r(MPC_CTRL), kSecResp);
}

// In the other registers the bytes that a sub-word write does not reach are written as zero.
TEST(TzMpcRegisters, SubWordWritesElsewhereWriteZeroes) {
  MpcWorld w;
  w.w(MPC_INT_EN + 1, 0xff, 1);
  EXPECT_EQ(w.r(MPC_INT_EN), 0u);
}

TEST(TzMpcRegisters, AccessesOfEightBytesAreNotAccepted) {
  MpcWorld w;
  u64 value;
  EXPECT_EQ(w.registers.load({0}, 8, value, kSecure).status, Status::DecodeError);
  EXPECT_EQ(w.registers.store({0}, 8, 0, kSecure).status, Status::DecodeError);
}

TEST(TzMpcRegisters, NonSecureAccessesAreRazWiButForTheIdBlock) {
  MpcWorld w;
  w.set_lut(0, 0xffff);
  w.w(MPC_BLK_IDX, 0);
  for (u64 offset = 0; offset < 0xfd0; offset += 4) EXPECT_EQ(w.r(offset, 4, kNs), 0u) << offset;
  for (u64 offset : {MPC_CTRL, MPC_BLK_LUT, MPC_INT_EN, MPC_INT_SET, MPC_BLK_IDX}) w.w(offset, 0, 4, kNs);
  w.w(MPC_INT_SET, 1, 4, kNs);
  EXPECT_EQ(w.r(MPC_CTRL), kAutoIncrement);
  EXPECT_EQ(w.r(MPC_INT_STAT), 0u);
  EXPECT_EQ(w.r(MPC_INT_EN), 1u);
  EXPECT_EQ(w.r(MPC_BLK_IDX), 0u);  // the reads of BLK_LUT did not step it
  EXPECT_EQ(w.r(MPC_BLK_LUT), 0xffffu);
  EXPECT_EQ(w.r(0xfe0, 4, kNs), 0x60u);
  EXPECT_EQ(w.r(0xff4, 4, kNs), 0xf0u);
}

TEST(TzMpcRegisters, ADebuggerLooksWithoutSteppingTheIndex) {
  MpcWorld w;
  EXPECT_EQ(w.r(MPC_BLK_LUT, 4, MemTxAttrs::debugger(PaSpace::Secure)), 0u);
  EXPECT_EQ(w.r(MPC_BLK_IDX), 0u);
}

TEST(TzMpcRegisters, LockdownMakesCtrlLutAndIntEnReadOnlyUntilReset) {
  MpcWorld w;
  w.set_lut(0, 0xf0);
  w.w(MPC_CTRL, kLockdown | kAutoIncrement | kSecResp);
  for (u64 offset : {MPC_CTRL, MPC_INT_EN}) w.w(offset, 0);
  w.w(MPC_CTRL + 3, 0, 1);
  EXPECT_EQ(w.r(MPC_CTRL), kLockdown | kAutoIncrement | kSecResp);
  EXPECT_EQ(w.r(MPC_INT_EN), 1u);
  w.set_lut(0, 0xff);
  w.w(MPC_BLK_LUT, 0xff, 1);
  EXPECT_EQ(w.r(MPC_BLK_IDX), 0u);  // an ignored write does not step it
  EXPECT_EQ(w.r(MPC_BLK_LUT), 0xf0u);
  EXPECT_EQ(w.r(MPC_BLK_IDX), 1u);  // a read does
  w.w(MPC_INT_SET, 1);
  EXPECT_TRUE(w.irq);
  w.w(MPC_INT_CLEAR, 1);
  EXPECT_FALSE(w.irq);
  w.mpc->reset();
  EXPECT_EQ(w.r(MPC_CTRL), kAutoIncrement);
  w.set_lut(0, 0xff);
  EXPECT_EQ(w.lut(0), 0xffu);
}

TEST(TzMpcRegisters, IntSetAndIntClearDriveTheLineAndLeaveTheInfoAlone) {
  MpcWorld w;
  u64 value;
  EXPECT_TRUE(w.load(0x2000, value, kNs).is_ok());
  w.w(MPC_INT_CLEAR, 0);
  EXPECT_TRUE(w.irq);
  w.w(MPC_INT_CLEAR, 1);
  EXPECT_FALSE(w.irq);
  EXPECT_EQ(w.r(MPC_INT_STAT), 0u);
  w.w(MPC_INT_EN, 0);
  w.w(MPC_INT_SET, 1);
  EXPECT_FALSE(w.irq);
  EXPECT_EQ(w.r(MPC_INT_STAT), 1u);
  w.w(MPC_INT_EN, 1);
  EXPECT_TRUE(w.irq);
  EXPECT_EQ(w.r(MPC_INT_INFO1), 0x2000u);
  // INT_SET counts as pending: a violation meanwhile is blocked and not recorded.
  EXPECT_TRUE(w.load(0x3000, value, kNs).is_ok());
  EXPECT_EQ(w.r(MPC_INT_INFO1), 0x2000u);
}

// M4: INT_INFO2 names the initiator: [15:0] HMASTER, [16] HNONSEC, [17] CFG_NS.
TEST(TzMpcViolations, M4EveryInitiatorHasItsOwnHmaster) {
  MpcWorld w;
  w.set_lut(0, 2);  // block 1 is Non-secure
  struct {
    MemTxAttrs attrs;
    u64 address;
    u32 info2;
  } rows[] = {{MemTxAttrs::pe(0, PaSpace::NonSecure, true), 0, 1 << 16},
              {MemTxAttrs::pe(3, PaSpace::NonSecure, false, true), 0x10, 1 << 16 | 3},
              {MemTxAttrs::walk(3, PaSpace::NonSecure), 0x18, 1 << 16 | 3},
              {MemTxAttrs::pe(3, PaSpace::Secure, true), 0x1010, 1 << 17 | 3},
              {MemTxAttrs::device(3, 0x99), 0x20, 1 << 16 | 0x8003},
              {MemTxAttrs::device(17, 0, PaSpace::Secure), 0x1020, 1 << 17 | 0x8011}};
  for (auto& row : rows) {
    u64 value;
    EXPECT_TRUE(w.load(row.address, value, row.attrs).is_ok());
    EXPECT_EQ(w.r(MPC_INT_INFO1), row.address);
    EXPECT_EQ(w.r(MPC_INT_INFO2), row.info2) << row.address;
    w.w(MPC_INT_CLEAR, 1);
  }
}

TEST(TzMpcViolations, HmasterNumbersAreGivenAtWiring) {
  MpcWorld w(TzMpc::Config{.size = 0x10000, .hmaster = [](Initiator i) {
                             return u16(i.kind == Initiator::Kind::Device ? 100 + i.number : i.number);
                           }});
  u64 value;
  EXPECT_TRUE(w.load(0, value, kDevice).is_ok());
  EXPECT_EQ(w.r(MPC_INT_INFO2), 1u << 16 | 101);
}

TEST(TzMpcViolations, TheFirstOneIsKeptUntilItIsCleared) {
  MpcWorld w;
  w.w(MPC_CTRL, kSecResp);
  u64 value;
  EXPECT_EQ(w.load(0x5678, value, kNs).status, Status::AccessError);
  EXPECT_EQ(w.store(0x9000, 1, kDevice).status, Status::AccessError);
  EXPECT_EQ(w.r(MPC_INT_INFO1), 0x5678u);
  EXPECT_EQ(w.r(MPC_INT_INFO2), 1u << 16);
  EXPECT_EQ(w.mpc->blocked(), 2u);
  w.w(MPC_INT_CLEAR, 1);
  EXPECT_EQ(w.r(MPC_INT_INFO1), 0x5678u);
  EXPECT_EQ(w.store(0x9004, 1, kDevice).status, Status::AccessError);
  EXPECT_EQ(w.r(MPC_INT_INFO1), 0x9004u);
}

// Security state of the access x of the block x read, write, execute x response.
TEST(TzMpcGate, BehaviourMatrix) {
  for (bool bus_error : {false, true}) {
    for (bool block_ns : {false, true}) {
      for (PaSpace space : {PaSpace::Secure, PaSpace::NonSecure}) {
        for (Access access : {Access::Read, Access::Write, Access::Execute}) {
          MpcWorld w;
          w.fill(0x3000, 0x1122'3344'5566'7788);
          w.w(MPC_CTRL, bus_error ? kSecResp : 0);
          w.set_block(3, block_ns);
          bool passes = block_ns == (space == PaSpace::NonSecure);
          MemTxAttrs attrs = MemTxAttrs::pe(0, space, true, access == Access::Execute);
          u64 value = 99;
          MemTxResult r =
              access == Access::Write ? w.store(0x3000, 0, attrs, 8) : w.load(0x3000, value, attrs, 8);
          EXPECT_EQ(r.status, passes || !bus_error ? Status::Ok : Status::AccessError);
          if (access == Access::Write) {
            EXPECT_EQ(w.peek(0x3000), passes ? 0 : 0x1122'3344'5566'7788);
          } else {
            EXPECT_EQ(value, passes ? 0x1122'3344'5566'7788 : 0);
          }
          EXPECT_EQ(w.irq, !passes);
          EXPECT_EQ(w.r(MPC_INT_INFO1), passes ? 0u : 0x3000u);
        }
      }
    }
  }
}

TEST(TzMpcGate, DebugAndPrefetchAreSilent) {
  MpcWorld w;
  std::array<std::byte, 8> bytes;
  EXPECT_EQ(w.upstream.peek({0}, bytes, kNs).status, Status::AccessError);
  for (Intent quiet : {Intent::Debug, Intent::Prefetch, Intent::AtsRequest})
    EXPECT_EQ(translate({w.upstream, 0, 1, Access::Read, kNs, quiet}).result.status, Status::AccessError);
  EXPECT_FALSE(w.irq);
  EXPECT_EQ(w.mpc->blocked(), 0u);
}

// An access that crosses from a block that passes into one that does not.
TEST(TzMpcGate, AnAccessAcrossBlocksIsCheckedBlockByBlock) {
  MpcWorld w(32);
  w.w(MPC_CTRL, kSecResp);
  w.fill(28, ~u64{0});
  u64 value;
  w.set_block(0, true);
  EXPECT_EQ(w.load(28, value, kNs, 8).status, Status::AccessError);
  EXPECT_EQ(w.r(MPC_INT_INFO1), 32u);
  EXPECT_TRUE(w.load(28, value, kNs, 4).is_ok());
  w.set_block(1, true);
  EXPECT_TRUE(w.load(28, value, kNs, 8).is_ok());
  EXPECT_EQ(value, ~u64{0});
}

// M1: every block size, at both edges of a block.
TEST(TzMpcGate, M1BlocksFrom32BytesTo1MiB) {
  for (u64 size = TzMpc::kMinBlock; size <= TzMpc::kMaxBlock; size *= 2) {
    MpcWorld w(size, std::max(size * 4, u64{0x1000}));
    w.w(MPC_CTRL, kSecResp);
    w.set_block(2, true);
    u64 value;
    EXPECT_EQ(w.load(2 * size - 1, value, kNs, 1).status, Status::AccessError) << size;
    EXPECT_TRUE(w.load(2 * size, value, kNs, 1).is_ok()) << size;
    EXPECT_TRUE(w.load(3 * size - 1, value, kNs, 1).is_ok()) << size;
    EXPECT_EQ(w.load(3 * size, value, kNs, 1).status, Status::AccessError) << size;
  }
}

TEST(TzMpcGate, LutBitsBeyondTheMemoryAreWritableAndHarmless) {
  MpcWorld w(0x1000, 0x21000);
  int heard = 0;
  IommuRegion::Subscription s(w.mpc->unmaps(), [&](const IommuUnmap&) { heard++; });
  w.set_lut(1, ~1u);
  EXPECT_EQ(w.lut(1), ~1u);
  EXPECT_EQ(heard, 0);
  u64 value;
  EXPECT_EQ(w.load(0x21000, value, kNs).status, Status::DecodeError);
}

// M2: CTRL[6] requests the gate to close, CTRL[7] shows that no transfer is under way any more.
TEST(TzMpcGate, M2AClosedGateBlocksEverythingAndIsNoViolation) {
  MpcWorld w;
  w.fill(0, 42);
  w.w(MPC_CTRL, kGateRequest);
  EXPECT_EQ(w.r(MPC_CTRL), kGateRequest | kGateAck);
  u64 value;
  EXPECT_EQ(w.load(0, value, kSecure).status, Status::AccessError);
  EXPECT_EQ(w.load(0, value, kNs).status, Status::AccessError);
  EXPECT_FALSE(w.irq);
  std::array<std::byte, 1> byte;
  EXPECT_TRUE(w.upstream.peek({0}, byte, kSecure).is_ok());
  w.w(MPC_CTRL, 0);
  EXPECT_EQ(w.r(MPC_CTRL), 0u);
  EXPECT_TRUE(w.load(0, value, kSecure).is_ok());
  EXPECT_EQ(value, 42u);
}
TEST(TzMpcGate, M2TheAcknowledgeIsReadOnly) {
  MpcWorld w;
  w.w(MPC_CTRL, kGateAck);
  EXPECT_EQ(w.r(MPC_CTRL), 0u);
}
TEST(TzMpcGate, ResetOpensTheGate) {
  MpcWorld w;
  w.w(MPC_CTRL, kGateRequest);
  w.mpc->reset();
  u64 value;
  EXPECT_TRUE(w.load(0, value, kSecure).is_ok());
}

// Rights are those of the whole entry, whatever was asked for; a uniform page of small blocks is one entry.
TEST(TzMpcGate, EntriesHaveMergedRightsAndNeverReachBeyondTheirPage) {
  MpcWorld w(32, 0x4000);
  auto ask = [&](u64 address) {
    return w.mpc->translate({address}, Access::Read, w.mpc->index_for(kSecure), kSecure, Intent::Prefetch);
  };
  EXPECT_EQ(ask(0x1234).input, (InclusiveRange{0x1000, 0x1fff}));
  EXPECT_EQ(ask(0x1234).rights, Access::All);
  w.set_block(0x1400 / 32, true);
  EXPECT_EQ(ask(0x1234).input, (InclusiveRange{0x1000, 0x13ff}));
  EXPECT_EQ(ask(0x1410).input, (InclusiveRange{0x1400, 0x141f}));
  EXPECT_EQ(ask(0x1410).rights, Access::None);
  EXPECT_EQ(ask(0x1420).input, (InclusiveRange{0x1420, 0x1fff}));
  EXPECT_EQ(ask(0x3fff).input, (InclusiveRange{0x3000, 0x3fff}));
  MpcWorld tail(32, 0x1040);
  EXPECT_EQ(
      tail.mpc->translate({0x1000}, Access::Read, tail.mpc->index_for(kSecure), kSecure, Intent::Debug).input,
      (InclusiveRange{0x1000, 0x103f}));
}

TEST(TzMpcFuzz, AnyAccessToTheFrameAndTheMemoryIsAnswered) {
  Random random(0x6d70'6301);
  for (u64 block : {u64{32}, u64{0x1000}, u64{0x8000}}) {
    MpcWorld w(block, 0x18000);
    for (int i = 0; i < 20000; i++) {
      u64 offset = random.chance(80) ? random.below(0x38) : random.below(0x1000);
      unsigned size = 1u << random.below(4);
      MemTxAttrs attrs = random.chance(80) ? kSecure : random.chance(50) ? kNs : kDevice;
      u64 value = random.chance(50) ? random.below(~u64{0}) : u64{1} << random.below(32);
      if (offset + size > TzMpc::kFrameSize) continue;
      if (random.chance(2)) w.mpc->reset();
      if (random.chance(50))
        (void)w.registers.store({offset}, size, value, attrs);
      else
        (void)w.registers.load({offset}, size, value, attrs);
      u64 at = random.below(0x18000 + 64);
      (void)w.load(at, value, attrs, size);
      // The model: an access that passes, passes by the LUT.
      if (at < 0x18000 && !(w.r(MPC_CTRL) & kGateRequest)) {
        u32 idx = w.r(MPC_BLK_IDX), ctrl = w.r(MPC_CTRL);
        bool ns = bit(w.lut(u32(at / block / 32)), at / block % 32);
        w.w(MPC_BLK_IDX, idx);
        EXPECT_EQ(w.r(MPC_CTRL), ctrl);
        EXPECT_EQ(translate({w.upstream, at, 1, Access::Read, kNs, Intent::Prefetch}).is_ok(), ns);
        EXPECT_EQ(translate({w.upstream, at, 1, Access::Read, kSecure, Intent::Prefetch}).is_ok(), !ns);
      }
      EXPECT_EQ(w.irq, (w.r(MPC_INT_STAT) & w.r(MPC_INT_EN)) != 0);
    }
  }
}

}  // namespace
}  // namespace sluice
