// The system register table, through MRS and MSR as the interpreter runs them.
#include <gtest/gtest.h>

#include <set>

#include "cpu/sysreg/table.h"
#include "tests/unit/pe_world.h"

namespace sluice::cpu {
namespace {

constexpr SysregId kMidr{3, 0, 0, 0, 0}, kCtr{3, 3, 0, 0, 1}, kTpidrEl0{3, 3, 13, 0, 2},
    kTpidrroEl0{3, 3, 13, 0, 3}, kSpEl0{3, 0, 4, 1, 0}, kDaif{3, 3, 4, 2, 1}, kCntvct{3, 3, 14, 0, 2},
    kSctlr{3, 0, 1, 0, 0}, kVbar{3, 0, 12, 0, 0}, kPmccntr{3, 3, 9, 13, 0}, kIdPfr0{3, 0, 0, 1, 0},
    kCpuectlrA57{3, 1, 15, 2, 1}, kIccPmr{3, 0, 4, 6, 0}, kNzcv{3, 3, 4, 2, 0}, kFpcr{3, 3, 4, 4, 0},
    kApia{3, 0, 2, 1, 0}, kTtbr0El2{3, 4, 2, 0, 0}, kPan{3, 0, 4, 2, 3};

TEST(Sysreg, EncodingsAreUniqueForAModelAndNamed) {
  std::set<u16> seen;
  for (const sysreg::Row* row : sysreg::all()) {
    EXPECT_FALSE(row->name.empty());
    bool first = seen.insert(row->id.value).second;
    EXPECT_TRUE(first || row->present) << row->name;
  }
}

TEST(Sysreg, EveryRowIsReadAndWrittenWithoutHarm) {
  PeWorld w;
  for (const sysreg::Row* row : sysreg::all()) {
    bool instruction = row->id.value >> 14 == 1;
    if (instruction) continue;
    u64 before = sysreg::peek(*w.pe, *row);
    sysreg::poke(*w.pe, *row, ~u64{0});
    sysreg::peek(*w.pe, *row);
    sysreg::poke(*w.pe, *row, before);
  }
}

TEST(Sysreg, StoredRowsKeepTheirReservedBits) {
  PeWorld w;
  for (const sysreg::Row* row : sysreg::all()) {
    if (row->storage != sysreg::Storage::Stored || row->write) continue;
    sysreg::poke(*w.pe, *row, ~u64{0});
    EXPECT_EQ(sysreg::peek(*w.pe, *row), row->writable | row->reset) << row->name;
    sysreg::poke(*w.pe, *row, 0);
    EXPECT_EQ(sysreg::peek(*w.pe, *row), row->reset & ~row->writable) << row->name;
  }
}

TEST(Sysreg, IdentificationAtEl1) {
  PeWorld w("cortex-a57");
  w.run({mrs(kMidr, 5), mrs(kIdPfr0, 6)});
  EXPECT_EQ(w.s().x[5], 0x411fd070u);
  EXPECT_EQ(w.s().x[6], 0u);  // AArch32 ID registers: no AArch32
  EXPECT_EQ(w.stopped_at, PeWorld::kCode + 8);
}

TEST(Sysreg, WritingAnIdRegisterIsUndefined) {
  PeWorld w;
  w.run({msr(kMidr, 0)});
  EXPECT_EQ(w.ec(), 0u);
  EXPECT_TRUE(w.at_vector(0x200));
}

TEST(Sysreg, El1RegisterAtEl0IsUndefined) {
  PeWorld w;
  w.drop_to_el0();
  w.run({mrs(kSctlr, 0)});
  EXPECT_TRUE(w.at_vector(0x400));
  EXPECT_EQ(w.ec(), 0u);
}

TEST(Sysreg, RegistersOfAbsentExceptionLevelsAreUndefined) {
  PeWorld w;
  w.run({mrs(kTtbr0El2, 0)});
  EXPECT_EQ(w.ec(), 0u);
}

TEST(Sysreg, ThreadPointers) {
  PeWorld w;
  w.s().x[2] = 0x123456789abcdef0;
  w.run({msr(kTpidrEl0, 2), mrs(kTpidrEl0, 3), msr(kTpidrroEl0, 2)});
  EXPECT_EQ(w.s().x[3], 0x123456789abcdef0u);
  w.drop_to_el0();
  w.run({mrs(kTpidrroEl0, 4), msr(kTpidrroEl0, 2)});
  EXPECT_EQ(w.s().x[4], 0x123456789abcdef0u);
  EXPECT_EQ(w.ec(), 0u);  // read-only at EL0
}

TEST(Sysreg, SpEl0IsUndefinedWhileItIsTheStackPointer) {
  PeWorld w;
  w.set("SP_EL0", 0x77);
  w.run({mrs(kSpEl0, 0)});
  EXPECT_EQ(w.s().x[0], 0x77u);
  w.run({0xd50040bf /* MSR SPSel, #0 */, mrs(kSpEl0, 0)});
  EXPECT_EQ(w.ec(), 0u);
  EXPECT_EQ(w.get("ELR_EL1"), PeWorld::kCode + 4);
}

TEST(Sysreg, CtrAtEl0IsTrappedByUct) {
  PeWorld w("cortex-a57");
  w.drop_to_el0();
  w.run({mrs(kCtr, 3)});
  EXPECT_EQ(w.ec(), 0x18u);
  // Op0 3, Op2 1, Op1 3, CRn 0, Rt 3, CRm 0, read.
  EXPECT_EQ(w.iss(), 3u << 20 | 1 << 17 | 3 << 14 | 0 << 10 | 3 << 5 | 0 << 1 | 1);
  w.set("SCTLR_EL1", w.get("SCTLR_EL1") | 1 << 15);
  w.drop_to_el0();
  w.run({mrs(kCtr, 3)});
  EXPECT_EQ(w.s().x[3], 0x8444c004u);
}

TEST(Sysreg, DaifAtEl0NeedsUma) {
  PeWorld w;
  w.drop_to_el0();
  w.run({mrs(kDaif, 0)});
  EXPECT_EQ(w.ec(), 0x18u);
  w.drop_to_el0();
  w.run({0xd50342df /* MSR DAIFSet, #2 */});
  EXPECT_EQ(w.ec(), 0x18u);
  EXPECT_EQ(w.iss(), 0u << 20 | 6 << 17 | 3 << 14 | 4 << 10 | 31 << 5 | 2 << 1);
  w.set("SCTLR_EL1", w.get("SCTLR_EL1") | 1 << 9);
  w.drop_to_el0();
  w.run({0xd50342df, mrs(kDaif, 0)});
  EXPECT_EQ(w.s().x[0], 0x80u);
}

TEST(Sysreg, CounterAtEl0IsTrappedByCntkctl) {
  PeWorld w;
  w.advance(1600);
  w.drop_to_el0();
  w.run({mrs(kCntvct, 1)});
  EXPECT_EQ(w.ec(), 0x18u);
  w.set("CNTKCTL_EL1", 2);
  w.drop_to_el0();
  w.run({mrs(kCntvct, 1)});
  EXPECT_EQ(w.s().x[1], 100u);
}

TEST(Sysreg, PmuAtEl0IsTrappedByPmuserenr) {
  PeWorld w;
  w.drop_to_el0();
  w.run({mrs(kPmccntr, 1)});
  EXPECT_EQ(w.ec(), 0x18u);
  w.set("PMUSERENR_EL0", 4);  // CR: reads of the cycle counter only
  w.drop_to_el0();
  w.run({mrs(kPmccntr, 1), msr(kPmccntr, 1)});
  EXPECT_EQ(w.get("ELR_EL1"), PeWorld::kCode + 4);
}

TEST(Sysreg, NoPmuNoRegisters) {
  PeWorld w("max,pmu=off");
  w.run({mrs(kPmccntr, 1)});
  EXPECT_EQ(w.ec(), 0u);
}

TEST(Sysreg, FeatureRegistersExistOnlyWithTheFeature) {
  PeWorld a57("cortex-a57"), max("max");
  a57.run({mrs(kApia, 0)});
  EXPECT_EQ(a57.ec(), 0u);
  EXPECT_TRUE(a57.at_vector(0x200));
  max.run({mrs(kApia, 0), mrs(kPan, 1)});
  EXPECT_EQ(max.stopped_at, PeWorld::kCode + 8);
}

TEST(Sysreg, ImplementationDefinedRegistersOfThePartThatHasThem) {
  PeWorld a57("cortex-a57"), max("max");
  a57.s().x[1] = 0x40;
  a57.run({msr(kCpuectlrA57, 1), mrs(kCpuectlrA57, 2)});
  EXPECT_EQ(a57.s().x[2], 0x40u);
  max.run({mrs(kCpuectlrA57, 2)});
  EXPECT_EQ(max.ec(), 0u);
  EXPECT_TRUE(max.at_vector(0x200));
}

TEST(Sysreg, NzcvIsBits31To28) {
  PeWorld w;
  w.s().x[1] = 0x60000000;
  w.run({msr(kNzcv, 1), mrs(kNzcv, 2)});
  EXPECT_EQ(w.s().x[2], 0x60000000u);
  EXPECT_EQ(w.s().nzcv.nzcv(), 6u);
}

TEST(Sysreg, FpcrKeepsWhatIsImplementedAndChangesTheMode) {
  PeWorld w;
  w.set("CPACR_EL1", 3 << 20);
  w.s().x[1] = ~u64{0};
  w.run({msr(kFpcr, 1), mrs(kFpcr, 2)});
  EXPECT_EQ(w.s().x[2], 0x07c80000u);  // AHP DN FZ RMode FZ16
  EXPECT_EQ(Mode{w.s().mode}.get<Mode::FpcrMode>(), 0b111111u);
  PeWorld a57("cortex-a57");
  a57.set("CPACR_EL1", 3 << 20);
  a57.s().x[1] = ~u64{0};
  a57.run({msr(kFpcr, 1), mrs(kFpcr, 2)});
  EXPECT_EQ(a57.s().x[2], 0x07c00000u);
}

TEST(Sysreg, FpsrKeepsItsBitsAcrossAChangeOfFpcr) {
  constexpr SysregId kFpsr(3, 3, 4, 4, 1);
  PeWorld w;
  w.set("CPACR_EL1", 3 << 20);
  w.s().x[1] = ~u64{0};
  w.s().x[2] = 1 << 22;
  w.run({msr(kFpsr, 1), msr(kFpcr, 2), mrs(kFpsr, 3), msr(kFpsr, 31), mrs(kFpsr, 4)});
  EXPECT_EQ(w.s().x[3], 0x0800009fu);  // QC IDC IXC UFC OFC DZC IOC
  EXPECT_EQ(w.s().x[4], 0u);
}

TEST(Sysreg, FpcrIsTrappedWithFpDisabled) {
  PeWorld w;
  w.run({mrs(kFpcr, 2)});
  EXPECT_EQ(w.ec(), 0x07u);
}

TEST(Sysreg, VbarAlignmentAndSctlrReservedBits) {
  PeWorld w("cortex-a53");
  w.set("VBAR_EL1", 0x12345fff);
  EXPECT_EQ(w.get("VBAR_EL1"), 0x12345800u);
  w.set("SCTLR_EL1", 0);
  EXPECT_EQ(w.get("SCTLR_EL1"), 0x30d00980u);  // the RES1 bits of Armv8.0, without AArch32
  (void)kVbar;
}

// A GICv3 CPU interface answers where the table has no row.
class OnePmr final : public SysregPort {
 public:
  bool implements(SysregId id) const override { return id == kIccPmr; }
  u64 read(SysregId, SysregAccessor) override { return pmr; }
  void write(SysregId, u64 value, SysregAccessor who) override { pmr = value, el = who.el; }
  u64 pmr = 0xf0;
  u8 el = 9;
};

TEST(Sysreg, InterruptControllerPort) {
  OnePmr gic;
  PeWiring wiring;
  wiring.gic = &gic;
  PeWorld w("max", wiring);
  w.s().x[1] = 0x80;
  w.run({mrs(kIccPmr, 0), msr(kIccPmr, 1)});
  EXPECT_EQ(w.s().x[0], 0xf0u);
  EXPECT_EQ(gic.pmr, 0x80u);
  EXPECT_EQ(gic.el, 1);
  w.drop_to_el0();
  w.run({mrs(kIccPmr, 0)});
  EXPECT_TRUE(w.at_vector(0x400));
  EXPECT_EQ(w.ec(), 0u);
  PeWorld without;
  without.run({mrs(kIccPmr, 0)});
  EXPECT_EQ(without.ec(), 0u);
}

TEST(Sysreg, DcZvaZeroesOneAlignedBlock) {
  PeWorld w;
  std::memset(w.ram->host() + 0x1000, 0xff, 256);
  w.s().x[1] = PeWorld::kRam + 0x1048;
  w.run({0xd50b7421 /* DC ZVA, X1 */});
  EXPECT_EQ(w.ram->host()[0x103f], 0xff);
  for (unsigned i = 0x1040; i < 0x1080; i++) EXPECT_EQ(w.ram->host()[i], 0) << i;
  EXPECT_EQ(w.ram->host()[0x1080], 0xff);
}

TEST(Sysreg, CacheOperationOnNothingAborts) {
  PeWorld w;
  w.s().x[1] = 0x100;
  w.run({0xd50b7a21 /* DC CVAC, X1 */});
  EXPECT_EQ(w.ec(), 0x25u);
  EXPECT_EQ(w.iss() >> 8 & 1, 1u);  // CM
  EXPECT_EQ(w.iss() >> 6 & 1, 1u);  // WnR
}

TEST(Sysreg, NameOfAnUnknownOne) { EXPECT_EQ(sysreg::generic_name({3, 1, 15, 2, 1}), "S3_1_C15_C2_1"); }

}  // namespace
}  // namespace sluice::cpu
