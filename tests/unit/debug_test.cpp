// Self-hosted debug against Arm DDI 0487, chapter D2.
#include "cpu/debug.h"

#include <gtest/gtest.h>

#include "tests/unit/pe_world.h"

namespace sluice::cpu {
namespace {

constexpr u32 kNop = 0xd503201f, kSvc5 = 0xd40000a1, kLdrX2X1 = 0xf9400022, kStrbX1 = 0x39000020,
              kStrbX1Plus1 = 0x39000420;
constexpr u64 kSs = 1, kKde = 1 << 13, kMde = 1 << 15, kSpsrSs = 1 << 21;
constexpr u64 kEnableEl0 = 1 | 0b10 << 1 | 0xf << 5, kEnableEl1 = 1 | 0b01 << 1 | 0xf << 5;

// Runs code at EL0 under MDSCR_EL1 as given, entered by ERET with SPSR.SS.
void run_at_el0(PeWorld& w, u64 mdscr, u64 spsr, std::initializer_list<u32> words) {
  w.set("OSLAR_EL1", 0);
  w.set("MDSCR_EL1", mdscr);
  exception_return(w.s(), PeWorld::kCode, spsr);
  w.run(words);
}

TEST(SoftwareStep, OneInstructionThenTheException) {
  PeWorld w;
  run_at_el0(w, kSs, kSpsrSs, {kNop, kNop});
  EXPECT_TRUE(w.at_vector(0x400));
  EXPECT_EQ(w.ec(), 0x32u);
  EXPECT_EQ(w.iss(), 1u << 24 | 0x22);  // ISV, not a load-exclusive
  EXPECT_EQ(w.get("ELR_EL1"), PeWorld::kCode + 4);
  EXPECT_EQ(w.get("SPSR_EL1") & kSpsrSs, 0u);
}

TEST(SoftwareStep, ReturningWithSsClearStepsNothing) {
  PeWorld w;
  run_at_el0(w, kSs, 0, {kNop});
  EXPECT_EQ(w.ec(), 0x32u);
  EXPECT_EQ(w.iss(), 0x22u);  // ISV 0
  EXPECT_EQ(w.get("ELR_EL1"), PeWorld::kCode);
}

TEST(SoftwareStep, SvcIsSteppedAndAFaultIsNot) {
  PeWorld w;
  run_at_el0(w, kSs, kSpsrSs, {kSvc5});
  EXPECT_EQ(w.ec(), 0x15u);
  EXPECT_EQ(w.get("SPSR_EL1") & kSpsrSs, 0u);
  PeWorld f;
  f.s().x[1] = 0x10;
  run_at_el0(f, kSs, kSpsrSs, {kLdrX2X1});
  EXPECT_EQ(f.ec(), 0x24u);
  EXPECT_EQ(f.get("SPSR_EL1") & kSpsrSs, kSpsrSs);
}

TEST(SoftwareStep, OsLockDisablesIt) {
  PeWorld w;  // the OS Lock is set by reset
  EXPECT_EQ(w.get("OSLSR_EL1"), 0xau);
  w.set("MDSCR_EL1", kSs);
  exception_return(w.s(), PeWorld::kCode, kSpsrSs);
  w.run({kNop});
  EXPECT_EQ(w.stopped_at, PeWorld::kCode + 4);
}

TEST(Breakpoint, AtEl0) {
  PeWorld w;
  w.set("DBGBVR0_EL1", PeWorld::kCode + 4);
  w.set("DBGBCR0_EL1", kEnableEl0);
  run_at_el0(w, kMde, 0, {kNop, kNop});
  EXPECT_EQ(w.ec(), 0x30u);
  EXPECT_EQ(w.iss(), 0x22u);
  EXPECT_EQ(w.get("ELR_EL1"), PeWorld::kCode + 4);
}

TEST(Breakpoint, NeedsMdeAndTheRightEl) {
  PeWorld w;
  w.set("DBGBVR0_EL1", PeWorld::kCode);
  w.set("DBGBCR0_EL1", kEnableEl0);
  run_at_el0(w, 0, 0, {kNop});
  EXPECT_EQ(w.stopped_at, PeWorld::kCode + 4);
  w.set("DBGBCR0_EL1", kEnableEl1);
  run_at_el0(w, kMde, 0, {kNop});
  EXPECT_EQ(w.stopped_at, PeWorld::kCode + 4);
}

TEST(Breakpoint, AtEl1NeedsKdeAndPstateD) {
  PeWorld w;
  w.set("OSLAR_EL1", 0);
  w.set("DBGBVR1_EL1", PeWorld::kCode);
  w.set("DBGBCR1_EL1", kEnableEl1);
  w.set("MDSCR_EL1", kMde);
  w.s().daif = 7;
  w.run({kNop});
  EXPECT_EQ(w.stopped_at, PeWorld::kCode + 4);
  w.set("MDSCR_EL1", kMde | kKde);
  w.s().daif = 15;
  w.run({kNop});
  EXPECT_EQ(w.stopped_at, PeWorld::kCode + 4);
  w.s().daif = 7;
  w.run({kNop});
  EXPECT_EQ(w.ec(), 0x31u);
}

TEST(Breakpoint, LinkedToAContext) {
  PeWorld w;
  unsigned aware = 4;  // the last two of six compare contexts
  w.set("DBGBVR4_EL1", 0x42);
  w.set("DBGBCR4_EL1", 1 | 0b10 << 1 | 0xf << 5 | 0b0011 << 20);
  w.set("DBGBVR0_EL1", PeWorld::kCode);
  w.set("DBGBCR0_EL1", kEnableEl0 | aware << 16 | 0b0001 << 20);
  w.set("CONTEXTIDR_EL1", 0x41);
  run_at_el0(w, kMde, 0, {kNop});
  EXPECT_EQ(w.stopped_at, PeWorld::kCode + 4);
  w.set("CONTEXTIDR_EL1", 0x42);
  run_at_el0(w, kMde, 0, {kNop});
  EXPECT_EQ(w.ec(), 0x30u);
}

TEST(Watchpoint, ByteAddressSelect) {
  PeWorld w;
  w.s().x[1] = PeWorld::kRam + 0x1000;
  w.set("DBGWVR0_EL1", PeWorld::kRam + 0x1000);
  w.set("DBGWCR0_EL1", 1 | 0b10 << 1 | 0b10 << 3 | 0b10 << 5);  // EL0 stores to byte 1
  run_at_el0(w, kMde, 0, {kStrbX1, kLdrX2X1, kStrbX1Plus1});
  EXPECT_EQ(w.ec(), 0x34u);
  EXPECT_EQ(w.get("ELR_EL1"), PeWorld::kCode + 8);
  EXPECT_EQ(w.get("FAR_EL1"), PeWorld::kRam + 0x1001);
  EXPECT_EQ(w.iss(), 0x22u | 1 << 6);  // WnR
}

TEST(Watchpoint, MaskCoversARange) {
  PeWorld w;
  w.s().x[1] = PeWorld::kRam + 0x17f8;
  w.set("DBGWVR1_EL1", PeWorld::kRam + 0x1000);
  w.set("DBGWCR1_EL1", 1 | 0b10 << 1 | 0b01 << 3 | 0xff << 5 | 11 << 24);  // loads from 2 KiB
  run_at_el0(w, kMde, 0, {kLdrX2X1});
  EXPECT_EQ(w.ec(), 0x34u);
  EXPECT_EQ(w.get("FAR_EL1"), PeWorld::kRam + 0x17f8);
  w.s().x[1] = PeWorld::kRam + 0x1800;
  run_at_el0(w, kMde, 0, {kLdrX2X1});
  EXPECT_EQ(w.stopped_at, PeWorld::kCode + 4);
}

TEST(Watchpoint, APageThatWasCachedBeforeIsWatchedToo) {
  PeWorld w;
  w.s().x[1] = PeWorld::kRam + 0x1000;
  run_at_el0(w, 0, 0, {kLdrX2X1, kStrbX1});
  EXPECT_EQ(w.stopped_at, PeWorld::kCode + 8);
  w.set("DBGWVR0_EL1", PeWorld::kRam + 0x1000);
  w.set("DBGWCR0_EL1", 1 | 0b10 << 1 | 0b11 << 3 | 0xff << 5);
  run_at_el0(w, kMde, 0, {kLdrX2X1});
  EXPECT_EQ(w.ec(), 0x34u);
}

}  // namespace
}  // namespace sluice::cpu
