// SMMUv3 through its registers: IHI 0070 chapter 6.
#include "tests/support/smmu_world.h"

namespace sluice {
namespace {

using namespace test;
namespace reg = smmu_reg;

TEST(Smmuv3Registers, SayWhatIsThereAndWhatIsAbsent) {
  SmmuWorld w;
  u32 idr0 = w.read32(reg::IDR0);
  EXPECT_EQ(idr0 & 3, 3u);              // S1P, S2P
  EXPECT_EQ(extract(idr0, 2, 2), 2u);   // TTF: AArch64
  EXPECT_TRUE(bit(idr0, 4));            // COHACC
  EXPECT_FALSE(bit(idr0, 5));           // BTM
  EXPECT_EQ(extract(idr0, 6, 2), 0u);   // HTTU
  EXPECT_FALSE(bit(idr0, 9));           // Hyp
  EXPECT_FALSE(bit(idr0, 10));          // ATS
  EXPECT_TRUE(bit(idr0, 12));           // ASID16
  EXPECT_FALSE(bit(idr0, 13));          // MSI
  EXPECT_TRUE(bit(idr0, 14));           // SEV
  EXPECT_FALSE(bit(idr0, 16));          // PRI
  EXPECT_TRUE(bit(idr0, 18));           // VMID16
  EXPECT_EQ(extract(idr0, 21, 2), 2u);  // TTENDIAN
  EXPECT_EQ(extract(idr0, 24, 2), 1u);  // STALL_MODEL
  EXPECT_TRUE(bit(idr0, 26));           // TERM_MODEL
  EXPECT_EQ(extract(idr0, 27, 2), 1u);  // ST_LEVEL
  u32 idr1 = w.read32(reg::IDR1);
  EXPECT_EQ(extract(idr1, 0, 6), 16u);
  EXPECT_EQ(extract(idr1, 6, 5), 0u);
  EXPECT_EQ(extract(idr1, 16, 5), 19u);
  EXPECT_EQ(extract(idr1, 21, 5), 19u);
  EXPECT_EQ(extract(idr1, 28, 4), 0u);  // REL, QUEUES_PRESET, TABLES_PRESET, ECMDQ
  EXPECT_EQ(w.read32(reg::IDR3), 1u << 2 | 1u << 4 | 1u << 10 | 2u << 11);
  EXPECT_EQ(w.read32(reg::IDR5), 4u | 7u << 4);
  EXPECT_EQ(w.read32(reg::AIDR), 1u);
}

TEST(Smmuv3Registers, IdRegistersFollowTheConfiguration) {
  SmmuWorld s1({.stages = Smmuv3Config::Stages::One,
                .oas_bits = 48,
                .sid_bits = 8,
                .ssid_bits = 12,
                .cmdq_log2 = 8,
                .eventq_log2 = 7,
                .granule_16k = false,
                .msi = true},
               false);
  u32 idr0 = s1.read32(reg::IDR0);
  EXPECT_EQ(idr0 & 3, 2u);
  EXPECT_TRUE(bit(idr0, 13));
  EXPECT_FALSE(bit(idr0, 14));
  EXPECT_FALSE(bit(idr0, 18));
  EXPECT_TRUE(bit(idr0, 19));
  EXPECT_EQ(s1.read32(reg::IDR1) & 0x7ffffff, 8u | 12u << 6 | 7u << 16 | 8u << 21 | 1u << 26);
  EXPECT_EQ(s1.read32(reg::IDR5), 5u | 5u << 4);
  SmmuWorld s2({.stages = Smmuv3Config::Stages::Two});
  EXPECT_EQ(s2.read32(reg::IDR0) & 3, 1u);
  EXPECT_EQ(s2.read32(reg::IDR3), 1u << 4 | 1u << 10 | 2u << 11);
  SmmuWorld hyp({.hyp = true});
  EXPECT_TRUE(bit(hyp.read32(reg::IDR0), 9));
}

// What arm-smmu-v3 asks for before it touches anything else.
TEST(Smmuv3Registers, SatisfyTheProbeOfLinux) {
  SmmuWorld w;
  u32 idr0 = w.read32(reg::IDR0), idr1 = w.read32(reg::IDR1), idr5 = w.read32(reg::IDR5);
  EXPECT_TRUE(bit(idr0, 0) || bit(idr0, 1));
  EXPECT_TRUE(extract(idr0, 2, 2) == 2 || extract(idr0, 2, 2) == 3);
  EXPECT_TRUE(extract(idr0, 21, 2) == 2 || extract(idr0, 21, 2) == 0);
  EXPECT_EQ(idr1 >> 28 & 7, 0u);
  EXPECT_GT(extract(idr1, 21, 5), 6u);
  EXPECT_NE(idr5 & 0x70, 0u);
  EXPECT_GE(Smmuv3::kFrameSize, 0x20000u);
  // Its reset sequence: every CR0 write is acknowledged, and command and event queue work before SMMUEN.
  w.make_queues();
  w.make_linear_table();
  w.write32(reg::CR0, 0);
  EXPECT_EQ(w.read32(reg::CR0ACK), 0u);
  w.write32(reg::CR1, 0xd75);
  EXPECT_EQ(w.read32(reg::CR1), 0xd75u);
  w.write32(reg::CR2, 7);  // PTM is RES0 without BTM
  EXPECT_EQ(w.read32(reg::CR2), 2u);
  w.write32(reg::CMDQ_PROD, 0);
  w.write32(reg::CMDQ_CONS, 0);
  w.write32(reg::CR0, 8);
  EXPECT_EQ(w.read32(reg::CR0ACK), 8u);
  w.command_and_sync(smmu_cmd::cfgi_all());
  w.command_and_sync(smmu_cmd::nsnh_all());
  w.write32(reg::CR0, 0xc);
  EXPECT_EQ(w.read32(reg::CR0ACK), 0xcu);
  w.write32(reg::IRQ_CTRL, 5);
  EXPECT_EQ(w.read32(reg::IRQ_CTRLACK), 5u);
  w.write32(reg::CR0, 0xd);
  EXPECT_EQ(w.read32(reg::CR0ACK), 0xdu);
  EXPECT_EQ(w.read32(reg::GERROR), 0u);
  EXPECT_EQ(w.gerror_irqs, 0);
}

TEST(Smmuv3Registers, ReservedBitsOfControlRegistersReadZero) {
  SmmuWorld w;
  w.write32(reg::CR0, 0xffff'fff2);
  EXPECT_EQ(w.read32(reg::CR0), 0u);
  EXPECT_EQ(w.read32(reg::CR0ACK), 0u);
  w.write32(reg::CR1, 0xffff'ffff);
  EXPECT_EQ(w.read32(reg::CR1), 0xfffu);
  w.write32(reg::IRQ_CTRL, 0xffff'ffff);
  EXPECT_EQ(w.read32(reg::IRQ_CTRL), 5u);
  EXPECT_EQ(w.read32(reg::IRQ_CTRLACK), 5u);
  w.write64(reg::STRTAB_BASE, ~u64{0});
  EXPECT_EQ(w.read64(reg::STRTAB_BASE), 0x40ff'ffff'ffff'ffc0u);
  w.write32(reg::STRTAB_BASE_CFG, ~0u);
  EXPECT_EQ(w.read32(reg::STRTAB_BASE_CFG), 0x307ffu);
  w.write64(reg::CMDQ_BASE, ~u64{0});
  EXPECT_EQ(w.read64(reg::CMDQ_BASE), 0x40ff'ffff'ffff'ffffu);
  w.write32(reg::EVENTQ_CONS, ~0u);
  EXPECT_EQ(w.read32(reg::EVENTQ_CONS), 0x800f'ffffu);
}

TEST(Smmuv3Registers, AreReadOnlyWhileWhatTheyConfigureIsEnabled) {
  SmmuWorld w;
  w.start();
  struct {
    u64 offset;
    const char* name;
  } const fixed[] = {{reg::CR1, "CR1"},
                     {reg::CR2, "CR2"},
                     {reg::STRTAB_BASE, "STRTAB_BASE"},
                     {reg::STRTAB_BASE + 4, "STRTAB_BASE high"},
                     {reg::STRTAB_BASE_CFG, "STRTAB_BASE_CFG"},
                     {reg::CMDQ_BASE, "CMDQ_BASE"},
                     {reg::CMDQ_CONS, "CMDQ_CONS"},
                     {reg::EVENTQ_BASE, "EVENTQ_BASE"},
                     {reg::EVENTQ_PROD, "EVENTQ_PROD"},
                     {reg::IDR0, "IDR0"},
                     {reg::CR0ACK, "CR0ACK"},
                     {reg::GERROR, "GERROR"},
                     {reg::IRQ_CTRLACK, "IRQ_CTRLACK"}};
  for (const auto& r : fixed) {
    u32 before = w.read32(r.offset);
    w.write32(r.offset, ~before);
    EXPECT_EQ(w.read32(r.offset), before) << r.name;
  }
  // QUEUE_* of CR1 are free again when no queue is enabled, TABLE_* stay fixed.
  w.write32(reg::CR0, 1);
  w.write32(reg::CR1, 0xfff);
  EXPECT_EQ(w.read32(reg::CR1), 0x03fu);
  w.write32(reg::CMDQ_CONS, 5);
  EXPECT_EQ(w.read32(reg::CMDQ_CONS), 5u);
  w.write32(reg::EVENTQ_PROD, 3);
  EXPECT_EQ(w.read32(reg::EVENTQ_PROD), 3u);
}

TEST(Smmuv3Registers, MsiRegistersExistOnlyWithMsisAndAreGuarded) {
  SmmuWorld plain;
  plain.write64(reg::EVENTQ_IRQ_CFG0, ~u64{0});
  EXPECT_EQ(plain.read64(reg::EVENTQ_IRQ_CFG0), 0u);
  plain.write32(reg::GERRORN, ~0u);
  EXPECT_EQ(plain.read32(reg::GERRORN), 0x5u);
  SmmuWorld w({.msi = true});
  for (u64 r : {reg::GERROR_IRQ_CFG0, reg::EVENTQ_IRQ_CFG0}) {
    w.write64(r, ~u64{0});
    w.write64(r + 8, ~u64{0});
    EXPECT_EQ(w.read64(r), 0x00ff'ffff'ffff'fffcu);
    EXPECT_EQ(w.read64(r + 8), 0x0000'003f'ffff'ffffu);
  }
  w.write32(reg::IRQ_CTRL, 4);
  w.write32(reg::EVENTQ_IRQ_CFG0, 0), w.write32(reg::GERROR_IRQ_CFG0, 0);
  EXPECT_EQ(w.read32(reg::EVENTQ_IRQ_CFG0), 0xffff'fffcu);
  EXPECT_EQ(w.read32(reg::GERROR_IRQ_CFG0), 0u);
}

TEST(Smmuv3Registers, EventQueueIndexesLiveInPage1Only) {
  SmmuWorld w;
  w.write32(reg::EVENTQ_PROD, 7), w.write32(reg::EVENTQ_CONS, 6);
  EXPECT_EQ(w.read32(0xa8), 0u);
  w.write32(0xa8, 1), w.write32(0xac, 1);
  EXPECT_EQ(w.read32(reg::EVENTQ_PROD), 7u);
  EXPECT_EQ(w.read32(reg::EVENTQ_CONS), 6u);
  EXPECT_EQ(w.read32(0x10000), 0u);  // IDR0 is not in page 1
  EXPECT_EQ(w.read32(0x8000), 0u);   // no Secure bank
}

TEST(Smmuv3Registers, TakeFourAndEightByteAccessesOnly) {
  SmmuWorld w;
  u64 v;
  for (unsigned size : {1u, 2u})
    EXPECT_EQ(w.bus.load({SmmuWorld::kFrame}, size, v, kNs).status, MemTxResult::Status::DecodeError);
  EXPECT_EQ(w.bus.store({SmmuWorld::kFrame + reg::CR0}, 1, 1, kNs).status, MemTxResult::Status::DecodeError);
  EXPECT_EQ(w.bus.load({SmmuWorld::kFrame + 2}, 4, v, kNs).status, MemTxResult::Status::DecodeError);
  EXPECT_EQ(w.read64(reg::IDR0), u64{w.read32(reg::IDR1)} << 32 | w.read32(reg::IDR0));
}

TEST(Smmuv3Registers, GbpaChangesOnlyWithUpdateAndDecidesWhatPassesWhileDisabled) {
  SmmuWorld w;
  EXPECT_EQ(w.read32(reg::GBPA), 0x1000u);
  w.write32(reg::GBPA, 1u << 20);
  EXPECT_EQ(w.read32(reg::GBPA), 0x1000u);
  EXPECT_EQ(w.pa(0x1234, w.master(1)), 0x1234u);
  w.write32(reg::GBPA, 1u << 31 | 1u << 20);
  EXPECT_EQ(w.read32(reg::GBPA), 1u << 20);  // Update is clear: it has taken effect
  EXPECT_FALSE(w.pa(0x1234, w.master(1)));
  w.write32(reg::GBPA, 1u << 31);
  EXPECT_EQ(w.pa(0x1234, w.master(1)), 0x1234u);
  EXPECT_EQ(w.pa((u64{1} << 44) - 1, w.master(1)), (u64{1} << 44) - 1);
  EXPECT_FALSE(w.pa(u64{1} << 44, w.master(1)));  // beyond the OAS
  EXPECT_EQ(w.read32(reg::EVENTQ_PROD), 0u);
  SmmuWorld denies({.abort_at_reset = true});
  EXPECT_FALSE(denies.pa(0x1234, denies.master(1)));
}

TEST(Smmuv3Registers, ResetGivesResetValuesAndTellsSubscribers) {
  SmmuWorld w;
  w.start();
  w.put_ste(3, smmu_ste::make(smmu_ste::kAbort));
  EXPECT_FALSE(w.pa(0x1000, w.master(3)));
  std::vector<IommuUnmap> heard;
  IommuRegion::Subscription listen(w.smmu->unmaps(), [&](const IommuUnmap& u) { heard.push_back(u); });
  w.smmu->reset();
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_TRUE(heard[0].all_indexes);
  EXPECT_EQ(heard[0].range, InclusiveRange{});
  for (u64 r : {reg::CR0, reg::CR0ACK, reg::CR1, reg::CR2, reg::IRQ_CTRL, reg::STRTAB_BASE, reg::CMDQ_BASE,
                reg::CMDQ_PROD, reg::CMDQ_CONS, reg::EVENTQ_PROD})
    EXPECT_EQ(w.read32(r), 0u) << r;
  EXPECT_EQ(w.read32(reg::GBPA), 0x1000u);
  EXPECT_EQ(w.pa(0x1000, w.master(3)), 0x1000u);
  EXPECT_TRUE(w.smmu->streams().empty());
}

TEST(Smmuv3Registers, TransactionsOfOtherSecurityStatesPassUnchanged) {
  SmmuWorld w;
  w.start();  // stream 0 has no valid STE
  EXPECT_FALSE(w.pa(0x1000, w.master(0)));
  Translation t = w.ask(0x4000'0000, MemTxAttrs::device(1, 0, PaSpace::Secure));
  EXPECT_TRUE(t.is_ok());
  EXPECT_EQ(t.final_address, 0x4000'0000u);
  EXPECT_EQ(t.attrs.space, PaSpace::Secure);
}

}  // namespace
}  // namespace sluice
