// Exception entry and return, by running code (Arm DDI 0487, AArch64.TakeException, AArch64.ExceptionReturn).
#include "cpu/exception.h"

#include <gtest/gtest.h>

#include "cpu/pstate.h"
#include "tests/unit/pe_world.h"

namespace sluice::cpu {
namespace {

constexpr u32 kSvc5 = 0xd40000a1, kBrk7 = 0xd42000e0, kUdf = 0x00000000, kEretWord = 0xd69f03e0,
              kNop = 0xd503201f, kWfiWord = 0xd503207f, kFaddD0 = 0x1e602800, kHvc0 = 0xd4000002,
              kLdrX0X1 = 0xf9400020, kStrX0X1 = 0xf9000020, kMovSpSelZero = 0xd50040bf, kSubSp8 = 0xd10023ff,
              kLdrX0Sp = 0xf94003e0, kMsrDaifClr2 = 0xd50342ff, kBrX1 = 0xd61f0020, kMovX0One = 0xd2800020;

// Semihosting opens the host to the kernel; to its users only when asked for.
TEST(Exception, SemihostingAtEl0IsUndefinedUnlessAllowed) {
  for (bool allowed : {false, true}) {
    PeWorld w;
    w.el0_may_call = allowed;
    w.drop_to_el0();
    w.run({});
    EXPECT_EQ(w.at_vector(0x400), !allowed);
    EXPECT_EQ(w.ec(), 0u);  // unknown reason
  }
}

TEST(Exception, SvcFromEl0UsesTheLowerElVectorAndReturnsBehindIt) {
  PeWorld w;
  w.drop_to_el0();
  w.run({kSvc5});
  EXPECT_TRUE(w.at_vector(0x400));
  EXPECT_EQ(w.get("ESR_EL1"), 0x15ull << 26 | 1 << 25 | 5);
  EXPECT_EQ(w.get("ELR_EL1"), PeWorld::kCode + 4);
  EXPECT_EQ(w.get("SPSR_EL1"), 0u);
  EXPECT_EQ(w.s().el, 1);
  EXPECT_EQ(w.s().daif, 15);
}

TEST(Exception, SvcFromEl1UsesTheCurrentElVectors) {
  PeWorld w;
  w.run({kSvc5});
  EXPECT_TRUE(w.at_vector(0x200));
  EXPECT_EQ(w.get("SPSR_EL1"), 0x3c5u);  // EL1h, DAIF
  PeWorld t;
  t.run({kMovSpSelZero, kSvc5});
  EXPECT_TRUE(t.at_vector(0x000));
  EXPECT_EQ(t.get("SPSR_EL1"), 0x3c4u);  // EL1t
}

TEST(Exception, BrkReportsItsImmediateAndItself) {
  PeWorld w;
  w.run({kNop, kBrk7});
  EXPECT_TRUE(w.at_vector(0x200));
  EXPECT_EQ(w.ec(), 0x3cu);
  EXPECT_EQ(w.iss(), 7u);
  EXPECT_EQ(w.get("ELR_EL1"), PeWorld::kCode + 4);
}

TEST(Exception, UnallocatedEncodingHasAnUnknownSyndrome) {
  PeWorld w;
  w.run({kUdf});
  EXPECT_EQ(w.get("ESR_EL1"), 1u << 25);
}

TEST(Exception, HvcWithoutEl2IsUndefined) {
  PeWorld w;
  w.run({kHvc0});
  EXPECT_EQ(w.ec(), 0u);
  EXPECT_EQ(w.get("ELR_EL1"), PeWorld::kCode);
}

TEST(Exception, FpAccessIsTrappedByCpacr) {
  PeWorld w;
  w.run({kFaddD0});
  EXPECT_EQ(w.ec(), 0x07u);
  EXPECT_EQ(w.iss(), 0x1e00000u);
  PeWorld enabled;
  enabled.set("CPACR_EL1", 3 << 20);
  enabled.run({kFaddD0});
  EXPECT_EQ(enabled.stopped_at, PeWorld::kCode + 4);
}

TEST(Exception, FpenOneTrapsEl0Only) {
  PeWorld w;
  w.set("CPACR_EL1", 1 << 20);
  w.run({kFaddD0});
  EXPECT_EQ(w.stopped_at, PeWorld::kCode + 4);
  w.drop_to_el0();
  w.run({kFaddD0});
  EXPECT_TRUE(w.at_vector(0x400));
  EXPECT_EQ(w.ec(), 0x07u);
}

TEST(Exception, DataAbortOnNothing) {
  PeWorld w;
  w.s().x[1] = 0x10;
  w.run({kLdrX0X1});
  EXPECT_EQ(w.ec(), 0x25u);
  EXPECT_EQ(w.iss() & 0x3f, 0x10u);  // synchronous external abort
  EXPECT_EQ(w.iss() >> 6 & 1, 0u);
  EXPECT_EQ(w.get("FAR_EL1"), 0x10u);
  w.s().x[1] = 0x18;
  w.run({kStrX0X1});
  EXPECT_EQ(w.iss() >> 6 & 1, 1u);  // WnR
  EXPECT_EQ(w.get("FAR_EL1"), 0x18u);
}

TEST(Exception, InstructionAbortFromEl0HasItsOwnClass) {
  PeWorld w;
  w.drop_to_el0();
  w.s().x[1] = 0x1000;
  w.run({kBrX1});
  EXPECT_TRUE(w.at_vector(0x400));
  EXPECT_EQ(w.ec(), 0x20u);
  EXPECT_EQ(w.get("FAR_EL1"), 0x1000u);
  EXPECT_EQ(w.get("ELR_EL1"), 0x1000u);
}

TEST(Exception, MisalignedPc) {
  PeWorld w;
  w.s().x[1] = PeWorld::kCode + 2;
  w.run({kBrX1});
  EXPECT_EQ(w.ec(), 0x22u);
  EXPECT_EQ(w.get("FAR_EL1"), PeWorld::kCode + 2);
  EXPECT_EQ(w.get("ELR_EL1"), PeWorld::kCode + 2);
}

TEST(Exception, MisalignedSpIsReportedWhenSctlrSaIsSet) {
  PeWorld w;
  w.s().sp = PeWorld::kRam + 0x1000;
  w.run({kSubSp8, kLdrX0Sp});
  EXPECT_EQ(w.stopped_at, PeWorld::kCode + 8);  // SA is 0
  w.set("SCTLR_EL1", w.get("SCTLR_EL1") | 1 << 3);
  w.s().sp = PeWorld::kRam + 0x1000;
  w.run({kSubSp8, kLdrX0Sp});
  EXPECT_EQ(w.ec(), 0x26u);
  EXPECT_EQ(w.get("ELR_EL1"), PeWorld::kCode + 4);
}

TEST(Exception, EretRestoresPstateAndTheStackPointer) {
  PeWorld w;
  w.s().sp = 0x1111;
  w.set("SP_EL0", 0x2222);
  w.set("ELR_EL1", PeWorld::kCode + 0x100);
  w.set("SPSR_EL1", 0xa0000000);  // N, C; EL0
  w.put(PeWorld::kCode + 0x100, PeWorld::kHlt);
  w.run({kEretWord});
  EXPECT_EQ(w.stopped_at, PeWorld::kCode + 0x100);
  EXPECT_EQ(w.s().el, 0);
  EXPECT_EQ(w.s().sp, 0x2222u);
  EXPECT_EQ(w.s().sp_el[1], 0x1111u);
  EXPECT_EQ(w.s().nzcv.nzcv(), 0b1010u);
  EXPECT_EQ(w.s().daif, 0);
}

TEST(Exception, EretToAnElThatIsNotThereSetsIllegalState) {
  for (u64 spsr :
       {0x3c9ull, 0x3cdull, 0x3d0ull, 0x3c1ull, 0x3c6ull}) {  // EL2h, EL3h, AArch32, EL0 with SP, M<1>
    PeWorld w;
    w.set("ELR_EL1", PeWorld::kCode + 0x100);
    w.set("SPSR_EL1", spsr);
    w.run({kEretWord});
    EXPECT_TRUE(w.at_vector(0x200)) << std::hex << spsr;
    EXPECT_EQ(w.ec(), 0x0eu) << std::hex << spsr;
    EXPECT_EQ(w.get("ELR_EL1"), PeWorld::kCode + 0x100);
    EXPECT_TRUE(w.get("SPSR_EL1") >> 20 & 1);
    EXPECT_EQ(w.s().il, 0);
  }
}

TEST(Exception, EretClosesTheExclusiveMonitor) {
  PeWorld w;
  w.s().exclusive_size = 8;
  w.set("ELR_EL1", PeWorld::kCode + 4);
  w.set("SPSR_EL1", 0x3c5);
  w.run({kEretWord});
  EXPECT_EQ(w.s().exclusive_size, 0u);
}

TEST(Exception, PanIsSetOnEntryUnlessSpanSaysNot) {
  PeWorld w;
  w.set("SCTLR_EL1", w.get("SCTLR_EL1") & ~u64{1 << 23});
  w.run({kSvc5});
  EXPECT_EQ(w.s().pan, 1);
  PeWorld keep;
  keep.set("SCTLR_EL1", keep.get("SCTLR_EL1") | 1 << 23);
  keep.run({kSvc5});
  EXPECT_EQ(keep.s().pan, 0);
  PeWorld absent("cortex-a57");  // SPAN is RES1
  absent.set("SCTLR_EL1", 0);
  absent.run({kSvc5});
  EXPECT_EQ(absent.s().pan, 0);
}

TEST(Exception, SsbsFollowsDssbsOnEntry) {
  PeWorld w;
  w.set("SCTLR_EL1", w.get("SCTLR_EL1") | u64{1} << 44);
  w.run({kSvc5});
  EXPECT_EQ(w.s().ssbs, 1);
}

TEST(Exception, PendingIrqIsTakenWhenDaifAllows) {
  PeWorld w;
  w.pe->irq_line()(true);
  w.run({kNop, kMsrDaifClr2, kMovX0One});
  EXPECT_TRUE(w.at_vector(0x280));
  EXPECT_EQ(w.get("ELR_EL1"), PeWorld::kCode + 8);  // behind the MSR, before the MOV
  EXPECT_EQ(w.s().x[0], 0u);
  EXPECT_EQ(w.get("ISR_EL1"), 0x80u);
}

TEST(Exception, FiqBeforeIrqAndWithdrawnIrqIsForgotten) {
  PeWorld w;
  w.pe->irq_line()(true);
  w.pe->fiq_line()(true);
  w.s().daif = 0;
  w.run({kNop});
  EXPECT_TRUE(w.at_vector(0x300));
  PeWorld gone;
  gone.pe->irq_line()(true);
  gone.pe->irq_line()(false);
  gone.s().daif = 0;
  gone.run({kNop});
  EXPECT_EQ(gone.stopped_at, PeWorld::kCode + 4);
}

TEST(Exception, WfiAtEl0TrapsWithoutNtwi) {
  PeWorld w;
  w.drop_to_el0();
  w.run({kWfiWord});
  EXPECT_EQ(w.ec(), 0x01u);
  EXPECT_EQ(w.iss(), 0x1e00000u);
}

TEST(Exception, WfiEndsWithAPendingInterruptEvenIfMasked) {
  PeWorld w;
  w.pe->irq_line()(true);
  w.run({kWfiWord});
  EXPECT_EQ(w.stopped_at, PeWorld::kCode + 4);
}

TEST(Exception, FaultStatusCodes) {
  EXPECT_EQ(fault_status_code({.kind = Fault::Kind::Translation, .level = 3}), 0b000111u);
  EXPECT_EQ(fault_status_code({.kind = Fault::Kind::AccessFlag, .level = 1}), 0b001001u);
  EXPECT_EQ(fault_status_code({.kind = Fault::Kind::Permission, .level = 2}), 0b001110u);
  EXPECT_EQ(fault_status_code({.kind = Fault::Kind::AddressSize, .level = 0}), 0b000000u);
  EXPECT_EQ(fault_status_code({.kind = Fault::Kind::ExternalOnWalk, .level = 1}), 0b010101u);
  EXPECT_EQ(fault_status_code({.kind = Fault::Kind::Alignment}), 0b100001u);
}

}  // namespace
}  // namespace sluice::cpu
