// Trace events of the other devices and of the PE, as lines.
#include <gtest/gtest.h>

#include "tests/support/its_world.h"
#include "tests/support/mmu_world.h"
#include "tests/support/mpc_world.h"
#include "tests/support/trace_file.h"
#include "tests/unit/gic_rig.h"
#include "tests/unit/pci_rig.h"

namespace sluice {
namespace {

using namespace test;
using Lines = std::vector<std::string>;

TEST(TzMpcTrace, RegisterWritesNotificationsAndBlockedAccesses) {
  MpcWorld w;
  TraceFile trace{"tz_mpc_reg_write", "tz_mpc_iommu_notify", "tz_mpc_mem_blocked_*"};
  w.set_lut(0, 0b110);
  u64 value;
  (void)w.load(0, value, kNs);
  (void)w.store(0x1004, 1, kSecure);
  EXPECT_EQ(
      trace.lines(),
      (Lines{"tz_mpc_reg_write offset=0x18 data=0x0 size=4", "tz_mpc_reg_write offset=0x1c data=0x6 size=4",
             "tz_mpc_iommu_notify addr=0x1000 last=0x2fff secure=1",
             "tz_mpc_iommu_notify addr=0x1000 last=0x2fff secure=0",
             "tz_mpc_mem_blocked_read addr=0x0 secure=0", "tz_mpc_mem_blocked_write addr=0x1004 secure=1"}));
}

TEST(ItsTrace, EveryCommandIsNamedWithItsFields) {
  ItsWorld w;
  w.boot();
  TraceFile trace{"gicv3_its_cmd_*", "gicv3_its_translation_write"};
  w.run({ItsCommand::mapc(3, 1), ItsCommand::mapd(0x10, ItsWorld::kItt, 5),
         ItsCommand::mapti(0x10, 2, 8195, 3), ItsCommand::inv(0x10, 2), ItsCommand::sync(1)});
  w.message(0x10, 2);
  EXPECT_EQ(trace.lines(),
            (Lines{"gicv3_its_cmd_mapc ICID=0x3 RDbase=0x1 V=1",
                   "gicv3_its_cmd_mapd DeviceID=0x10 Size=4 ITT_addr=0x40300000 V=1",
                   "gicv3_its_cmd_mapti DeviceID=0x10 EventID=0x2 ICID=0x3 pINTID=0x2003",
                   "gicv3_its_cmd_inv DeviceID=0x10 EventID=0x2", "gicv3_its_cmd_sync RDbase=0x1",
                   "gicv3_its_translation_write DeviceID=0x10 EventID=0x2"}));
}

TEST(PciTrace, ConfigurationAccessesOfSoftware) {
  pci_test::World w;
  TraceFile trace{"pci_cfg_*"};
  w.cfg(0, pci_test::VENDOR, 2);
  w.cfg(0, pci_test::COMMAND, 2, 6);
  EXPECT_EQ(trace.lines(), (Lines{"pci_cfg_read dev=00:00.0 offset=0x0 size=2 value=0x1b36 name=host bridge",
                                  "pci_cfg_write dev=00:00.0 offset=0x4 size=2 value=0x6 name=host bridge"}));
}

TEST(TlbiTrace, TheInstructionAndHowManyEntriesThePeHasRemoved) {
  constexpr u64 kVa = 0x12345000;
  MmuWorld w;
  w.low.map(kVa, kRamBase + 0x10000, pte::kNormal);
  EXPECT_TRUE(w.pe.load(kVa));
  TraceFile trace{"arm_*"};
  w.pe.tlbi(kTlbiLocal, kTlbiVa, tlbi_operand(kVa));
  w.pe.tlbi(kTlbiLocal, kTlbiVa, tlbi_operand(kVa));
  const Lines lines = trace.lines();
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[0], "arm_tlbi pe=0 op=VAE1 xt=0x12345 world=EL1&0-NS");
  EXPECT_EQ(lines[1],
            "arm_tlbi_apply pe=0 world=EL1&0-NS vmid=0 asid=0 first=0x12345000 last=0x12345000 removed=1");
  EXPECT_TRUE(lines[3].ends_with(" removed=0")) << lines[3];
}

TEST(WalkTrace, EveryDescriptorThatIsReadAndWhatCameOfIt) {
  constexpr u64 kVa = 0x12345000;
  MmuWorld w;
  w.low.map(kVa, kRamBase + 0x10000, pte::kNormal);
  TraceFile trace{"arm_ptw_*"};
  EXPECT_TRUE(w.pe.load(kVa + 8));
  EXPECT_TRUE(w.pe.load(kVa + 16));                   // from the TLB
  EXPECT_FALSE(w.pe.load(kVa + 0x1000));              // the walk cache knows the last table
  EXPECT_FALSE(w.pe.ok(u64{1} << 50, Access::Read));  // beyond the range: no table is read
  auto read = [&](unsigned level, u64 va) {
    const u64& entry = w.low.entry(va, level);
    const u64 at = kRamBase + u64(reinterpret_cast<const u8*>(&entry) - w.ram->host());
    return fmt::format("arm_ptw_read pe=0 va={:#x} level={} addr={:#x} descriptor={:#x}", va, level, at,
                       entry);
  };
  EXPECT_EQ(trace.lines(),
            (Lines{read(0, kVa + 8), read(1, kVa + 8), read(2, kVa + 8), read(3, kVa + 8),
                   "arm_ptw_done pe=0 va=0x12345008 pa=0x40010008 level=3 size=0x1000", read(3, kVa + 0x1000),
                   "arm_ptw_fault pe=0 va=0x12346000 fault=translation level=3",
                   "arm_ptw_fault pe=0 va=0x4000000000000 fault=translation level=0"}));
}

TEST(GicTrace, RegistersOfAGicv2) {
  gic_rig::Rig<Gicv2> r({.pes = 2, .spis = 32}, 2);
  TraceFile trace{"gic_*"};
  r.d(gic_rig::GICD_CTLR, 1, 0);
  r.d(gic_rig::GICD_CTLR, 1);
  (void)r.gic.cpu_interface().write(4, 4, 0xf0, gic_rig::by_pe(1));
  EXPECT_EQ(trace.lines(), (Lines{"gic_dist_write offset=0x0 data=0x1 size=4 secure=1",
                                  "gic_dist_read offset=0x0 data=0x1 size=4 secure=1",
                                  "gic_cpu_write cpu=1 offset=0x4 data=0xf0 secure=1"}));
}

TEST(GicTrace, RegistersOfAGicv3) {
  gic_rig::V3 r(2);
  TraceFile trace{"gicv3_dist_*", "gicv3_redist_*", "gicv3_icc_*"};
  constexpr SysregAccessor kEl1{.el = 1};
  r.d(gic_rig::GICD_CTLR, 2, 0);
  (void)gic_rig::mmio_read(r.gic.redistributors(), 0x20014, 4, gic_rig::by_pe(0));  // GICR_WAKER of PE 1
  r.gic.cpu_interface(1).write(gic_rig::ICC_PMR, 0xf8, kEl1);
  (void)r.gic.cpu_interface(1).read(gic_rig::ICC_IAR1, kEl1);
  r.gic.cpu_interface(0).write(gic_rig::ICC_EOIR1, 1023, kEl1);
  const Lines lines = trace.lines();
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_TRUE(lines[0].starts_with("gicv3_dist_write offset=0x0 data=0x2 size=4 secure=")) << lines[0];
  EXPECT_TRUE(lines[1].starts_with("gicv3_redist_read cpu=1 offset=0x14 data=0x6 size=4 secure="))
      << lines[1];
  EXPECT_EQ(lines[2], "gicv3_icc_pmr_write cpu=1 value=0xf8");
  EXPECT_EQ(lines[3], "gicv3_icc_iar1_read cpu=1 value=0x3ff");  // nothing is pending
  EXPECT_EQ(lines[4], "gicv3_icc_eoir_write cpu=0 value=0x3ff");
}

}  // namespace
}  // namespace sluice
