// The Performance Monitors against Arm DDI 0487, chapter D13.
#include <gtest/gtest.h>

#include "tests/unit/pe_world.h"

namespace sluice::cpu {
namespace {

constexpr u64 kCycles = u64{1} << 31;

TEST(Pmu, PmcrTellsTheNumberOfCounters) {
  PeWorld w("cortex-a57");
  EXPECT_EQ(w.get("PMCR_EL0") >> 11 & 31, 6u);
  EXPECT_EQ(w.get("PMCR_EL0") >> 24, 0x41u);
}

TEST(Pmu, CycleCounterNeedsBothEnables) {
  PeWorld w;
  w.advance(1000);
  EXPECT_EQ(w.get("PMCCNTR_EL0"), 0u);
  w.set("PMCNTENSET_EL0", kCycles);
  w.advance(1000);
  EXPECT_EQ(w.get("PMCCNTR_EL0"), 0u);
  w.set("PMCR_EL0", 1);
  w.advance(1000);
  EXPECT_EQ(w.get("PMCCNTR_EL0"), 1000u);
  w.set("PMCNTENCLR_EL0", kCycles);
  w.advance(1000);
  EXPECT_EQ(w.get("PMCCNTR_EL0"), 1000u);
  w.set("PMCR_EL0", 1 | 4);  // C resets it
  EXPECT_EQ(w.get("PMCCNTR_EL0"), 0u);
}

TEST(Pmu, DividerCountsEverySixtyFourthCycle) {
  PeWorld w;
  w.set("PMCNTENSET_EL0", kCycles);
  w.set("PMCR_EL0", 1 | 8);
  w.advance(6400);
  EXPECT_EQ(w.get("PMCCNTR_EL0"), 100u);
}

TEST(Pmu, CycleCounterOverflowsAtItsWidth) {
  PeWorld w;
  w.set("PMCNTENSET_EL0", kCycles);
  w.set("PMINTENSET_EL1", kCycles);
  w.set("PMCCNTR_EL0", 0xfffffff0);
  w.set("PMCR_EL0", 1);
  w.advance(15);
  EXPECT_FALSE(w.pmu_level);
  w.advance(1);
  EXPECT_TRUE(w.pmu_level);
  EXPECT_EQ(w.get("PMCCNTR_EL0"), 0x100000000u);  // 64 bits go on
  EXPECT_EQ(w.get("PMOVSSET_EL0"), kCycles);
  w.set("PMOVSCLR_EL0", kCycles);
  EXPECT_FALSE(w.pmu_level);
  w.set("PMCR_EL0", 1 | 64);  // LC: 64 bits
  w.set("PMCCNTR_EL0", 0xfffffff0);
  w.advance(100);
  EXPECT_EQ(w.get("PMOVSSET_EL0"), 0u);
  w.set("PMCCNTR_EL0", ~u64{0} - 9);
  w.advance(10);
  EXPECT_TRUE(w.pmu_level);
}

TEST(Pmu, SoftwareIncrementAndChain) {
  PeWorld w;
  w.set("PMEVTYPER0_EL0", Pmu::kSwIncr);
  w.set("PMEVTYPER1_EL0", Pmu::kChain);
  w.set("PMCNTENSET_EL0", 3);
  w.set("PMCR_EL0", 1);
  w.set("PMEVCNTR0_EL0", 0xffffffff);
  w.set("PMSWINC_EL0", 1);
  EXPECT_EQ(w.get("PMEVCNTR0_EL0"), 0u);
  EXPECT_EQ(w.get("PMEVCNTR1_EL0"), 1u);
  EXPECT_EQ(w.get("PMOVSSET_EL0"), 1u);
}

TEST(Pmu, FilterStopsCountingAtEl1) {
  PeWorld w;
  w.set("PMCCFILTR_EL0", u64{1} << 31);  // P: not at EL1
  w.set("PMCNTENSET_EL0", kCycles);
  w.set("PMCR_EL0", 1);
  w.advance(100);
  EXPECT_EQ(w.get("PMCCNTR_EL0"), 0u);
  w.drop_to_el0();
  w.advance(100);
  EXPECT_EQ(w.get("PMCCNTR_EL0"), 100u);
}

TEST(Pmu, SelectedRegistersAreTheNumberedOnes) {
  PeWorld w;
  w.set("PMSELR_EL0", 2);
  w.set("PMXEVTYPER_EL0", Pmu::kCpuCycles);
  w.set("PMXEVCNTR_EL0", 55);
  EXPECT_EQ(w.get("PMEVTYPER2_EL0"), u64{Pmu::kCpuCycles});
  EXPECT_EQ(w.get("PMEVCNTR2_EL0"), 55u);
  w.set("PMSELR_EL0", 31);
  w.set("PMXEVTYPER_EL0", u64{1} << 30);
  EXPECT_EQ(w.get("PMCCFILTR_EL0"), u64{1} << 30);
  w.set("PMSELR_EL0", 20);  // not implemented
  w.set("PMXEVCNTR_EL0", 1);
  EXPECT_EQ(w.get("PMXEVCNTR_EL0"), 0u);
}

TEST(Pmu, PmceidAdvertisesWhatIsCounted) {
  PeWorld w;
  EXPECT_EQ(w.get("PMCEID0_EL0"), 1u | 1u << 0x11 | 1u << 0x1e);
  EXPECT_EQ(w.get("PMCEID1_EL0"), 0u);
}

TEST(Pmu, UnimplementedCountersCannotBeEnabled) {
  PeWorld w;
  w.set("PMCNTENSET_EL0", ~u64{0});
  EXPECT_EQ(w.get("PMCNTENSET_EL0"), kCycles | 0x3f);
}

}  // namespace
}  // namespace sluice::cpu
