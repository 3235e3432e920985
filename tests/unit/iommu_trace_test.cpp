// Trace events of the SMMUv3: a driver's commands and a master's accesses, as lines.
#include <gtest/gtest.h>

#include "tests/support/smmu_world.h"
#include "tests/support/trace_file.h"

namespace sluice {
namespace {

using namespace test;
using Lines = std::vector<std::string>;
namespace cmd = smmu_cmd;
namespace reg = smmu_reg;

// Stream 5: stage 1 with ASID 7, of which one page is mapped.
struct Rig : SmmuWorld {
  static constexpr u64 kVa = 0x12345000, kPa = kRam + 0x3000;
  SmmuTables tables{*this, 12, 48};
  Rig() {
    start();
    put_stream_s1(5, smmu_cd::make(tables.root(), 16, 0, 7));
    tables.map(kVa, kPa, kPage1Rw);
  }
};

TEST(Smmuv3Trace, EveryCommandIsNamedWithWhatItNames) {
  Rig w;
  TraceFile trace{"smmuv3_cmdq_*", "smmuv3_range_inval", "-smmuv3_cmdq_opcode"};
  w.command(cmd::cfgi_ste(5));
  w.command(cmd::cfgi_range(0x15, 3));  // the 16 streams around it
  w.command(cmd::cfgi_cd(5, 0));
  w.command(cmd::cfgi_cd_all(6));
  w.command(cmd::nh_all(2));
  w.command(cmd::nsnh_all());
  w.command(cmd::nh_asid(7, 2));
  w.command(cmd::s12_vmall(3));
  w.command(cmd::nh_va(0x5000, 7, 2));
  w.command(cmd::ranged(cmd::nh_vaa(0x8000, 2), 3, 1, 1, 3));
  w.command(cmd::s2_ipa(0x9000, 3));
  EXPECT_EQ(trace.lines(),
            (Lines{"smmuv3_cmdq_cfgi_ste sid=0x5", "smmuv3_cmdq_cfgi_ste_range start=0x10 end=0x1f",
                   "smmuv3_cmdq_cfgi_cd sid=0x5", "smmuv3_cmdq_cfgi_cd sid=0x6", "smmuv3_cmdq_tlbi_nh vmid=2",
                   "smmuv3_cmdq_tlbi_nsnh", "smmuv3_cmdq_tlbi_nh_asid vmid=2 asid=7",
                   "smmuv3_cmdq_tlbi_s12_vmid vmid=3",
                   "smmuv3_range_inval vmid=2 asid=7 addr=0x5000 tg=0 num_pages=0x1 ttl=0 leaf=0 stage=1",
                   "smmuv3_range_inval vmid=2 asid=-1 addr=0x8000 tg=1 num_pages=0x8 ttl=3 leaf=0 stage=1",
                   "smmuv3_range_inval vmid=3 asid=-1 addr=0x9000 tg=0 num_pages=0x1 ttl=0 leaf=0 stage=2"}));
}

TEST(Smmuv3Trace, ACommandSyncIsOneLineWhenItIsConsumed) {
  Rig w;
  TraceFile trace{"smmuv3_cmdq_opcode", "smmuv3_trigger_irq"};
  w.command_and_sync(cmd::nsnh_all());
  EXPECT_EQ(trace.lines(),
            (Lines{"smmuv3_cmdq_opcode opcode=CMD_TLBI_NSNH_ALL", "smmuv3_cmdq_opcode opcode=CMD_SYNC"}));
}

TEST(Smmuv3Trace, AnIllegalCommandShowsItsErrorAndTheAcknowledgement) {
  Rig w;
  TraceFile trace{"smmuv3_cmdq_consume_error", "smmuv3_write_gerror*", "smmuv3_trigger_irq"};
  w.queue({0xff, 0});
  w.write32(reg::GERRORN, 1);
  const Lines lines = trace.lines();
  ASSERT_GE(lines.size(), 4u);
  EXPECT_TRUE(lines[0].starts_with("smmuv3_cmdq_consume_error ")) << lines[0];
  EXPECT_NE(lines[0].find(" error=1 cons=0x0"), std::string::npos) << lines[0];
  EXPECT_EQ(lines[1], "smmuv3_write_gerror toggled=0x1 gerror=0x1");
  EXPECT_EQ(lines[2], "smmuv3_trigger_irq irq=gerror msi=0x0");
  EXPECT_EQ(lines[3], "smmuv3_write_gerrorn acked=0x1 gerrorn=0x1");
}

TEST(Smmuv3Trace, AnAccessMissesIsInsertedAndHits) {
  Rig w;
  TraceFile trace{"smmu_iotlb_*", "smmuv3_translate_*"};
  w.ask(Rig::kVa + 8, Rig::master(5));
  w.ask(Rig::kVa + 16, Rig::master(5));
  const Lines lines = trace.lines();
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[0], "smmuv3_translate_success sid=0x5 iova=0x12345008 translated=0x40003008 perm=7");
  EXPECT_EQ(lines[1], "smmu_iotlb_insert asid=7 vmid=0 addr=0x12345000 tg=1 level=3");
  EXPECT_EQ(lines[2], "smmu_iotlb_lookup_hit asid=7 vmid=0 addr=0x12345010 hits=1 misses=0");
  EXPECT_EQ(lines[3], "smmuv3_translate_success sid=0x5 iova=0x12345010 translated=0x40003010 perm=7");
}

TEST(Smmuv3Trace, AFaultIsAnAbortAndARecord) {
  Rig w;
  TraceFile trace{"smmuv3_translate_abort", "smmuv3_record_event", "smmuv3_trigger_irq"};
  w.ask(0x777000, Rig::master(5), Access::Write);
  EXPECT_EQ(trace.lines(), (Lines{"smmuv3_translate_abort sid=0x5 iova=0x777000 rw=2 event=F_TRANSLATION",
                                  "smmuv3_record_event type=F_TRANSLATION sid=0x5 addr=0x777000",
                                  "smmuv3_trigger_irq irq=eventq msi=0x0"}));
}

TEST(Smmuv3Trace, BypassAndADisabledSmmuAreToldApart) {
  Rig w;
  w.put_ste(9, smmu_ste::make(smmu_ste::kBypass));
  TraceFile trace{"smmuv3_translate_*"};
  w.ask(0x1000, Rig::master(9));
  w.write32(reg::CR0, 0);
  w.ask(0x1000, Rig::master(9));
  EXPECT_EQ(trace.lines(), (Lines{"smmuv3_translate_bypass sid=0x9 iova=0x1000 rw=1",
                                  "smmuv3_translate_disable sid=0x9 iova=0x1000 rw=1"}));
}

}  // namespace
}  // namespace sluice
