// Trace events of the other devices and of the PE, as lines.
#include <gtest/gtest.h>

#include "tests/support/its_world.h"
#include "tests/support/mmu_world.h"
#include "tests/support/mpc_world.h"
#include "tests/support/trace_file.h"
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

}  // namespace
}  // namespace sluice
