// Stage 1 of the EL1&0 regime through the interface that the PE uses: Arm DDI 0487, chapter D8.
#include <gtest/gtest.h>

#include "tests/support/mmu_world.h"

namespace sluice::test {
namespace {

using Kind = cpu::Fault::Kind;
using cpu::Slot;
using enum Access;

constexpr u64 kVa = 0x7654321000, kPa = kRamBase + 0x1000000;
constexpr u64 kTcrHa = u64{1} << 39, kTcrHd = u64{1} << 40;

TEST(Mmu, OffIsFlat) {
  MmuWorld w;
  w.pe.set(Slot::SCTLR_EL1, 0);
  EXPECT_EQ(w.pe.access(kPa, ReadWrite).host, w.at(kPa));
  EXPECT_NE(w.pe.fast(kPa, Write), nullptr);
  EXPECT_EQ(w.pe.fetch(kPa).host, w.at(kPa));
  EXPECT_EQ(w.pe.why(u64{1} << 48), Kind::AddressSize);
  EXPECT_EQ(w.pe.fault.level, 0);
  EXPECT_EQ(w.pe.why(0x1000), Kind::External);
  // Data is Device memory.
  EXPECT_EQ(w.pe.why(kPa + 0x2001), Kind::Alignment);
}

TEST(Mmu, PermissionsOfApPanAndPrivilege) {
  MmuWorld w;
  struct Case {
    u64 attributes;
    bool el1_r, el1_w, el0_r, el0_w, pan_r;
  } cases[] = {
      {0, true, true, false, false, true},
      {pte::kEl0, true, true, true, true, false},
      {pte::kReadOnly, true, false, false, false, true},
      {pte::kReadOnly | pte::kEl0, true, false, true, false, false},
  };
  u64 va = kVa;
  for (const Case& c : cases) {
    w.low.map(va += 0x1000, kPa, pte::kNormal | c.attributes);
    w.pe.el(1);
    EXPECT_EQ(w.pe.ok(va, Read), c.el1_r);
    EXPECT_EQ(w.pe.ok(va, Write), c.el1_w);
    EXPECT_EQ(w.pe.ok(va, Read, 8, true), c.el0_r) << "LDTR";
    EXPECT_EQ(w.pe.fast(va, Write) != nullptr, c.el1_w);
    w.pe.state.pan = 1;
    w.pe.mmu.update_context();
    EXPECT_EQ(w.pe.ok(va, Read), c.pan_r);
    EXPECT_EQ(w.pe.ok(va, Read, 8, true), c.el0_r) << "LDTR under PAN";
    w.pe.state.uao = 1;
    w.pe.mmu.update_context();
    EXPECT_EQ(w.pe.ok(va, Read, 8, true), c.pan_r) << "LDTR under UAO and PAN";
    w.pe.state.pan = w.pe.state.uao = 0;
    w.pe.el(0);
    EXPECT_EQ(w.pe.ok(va, Read), c.el0_r);
    EXPECT_EQ(w.pe.ok(va, Write), c.el0_w);
  }
  EXPECT_EQ(w.pe.fault.kind, Kind::Permission);
  EXPECT_EQ(w.pe.fault.level, 3);
  EXPECT_TRUE(w.pe.fault.write);
}

TEST(Mmu, PanSwitchesTheBankAndFlushesNothing) {
  MmuWorld w;
  w.low.map(kVa, kPa, pte::kNormal | pte::kEl0);
  EXPECT_TRUE(w.pe.ok(kVa));
  EXPECT_NE(w.pe.fast(kVa), nullptr);
  w.pe.state.pan = 1;
  w.pe.mmu.update_context();
  EXPECT_EQ(w.pe.fast(kVa), nullptr);
  EXPECT_EQ(w.pe.why(kVa), Kind::Permission);
  w.pe.state.pan = 0;
  w.pe.mmu.update_context();
  EXPECT_NE(w.pe.fast(kVa), nullptr);
}

TEST(Mmu, ExecutePermissions) {
  MmuWorld w;
  struct Case {
    u64 attributes;
    bool el1, el0, el1_wxn, el0_wxn;
  } cases[] = {
      {0, true, true, false, true},
      {pte::kPxn, false, true, false, true},
      {pte::kUxn, true, false, false, false},
      {pte::kEl0, false, true, false, false},  // writable at EL0: never executable at EL1
      {pte::kEl0 | pte::kReadOnly, true, true, true, true},
      {pte::kReadOnly, true, true, true, true},
  };
  u64 va = kVa;
  for (const Case& c : cases) {
    w.low.map(va += 0x1000, kPa, pte::kNormal | c.attributes);
    for (bool wxn : {false, true}) {
      w.pe.set(Slot::SCTLR_EL1, 1 | u64{wxn} << 19);
      for (unsigned el : {0u, 1u}) {
        w.pe.el(el);
        bool expected = wxn ? (el ? c.el1_wxn : c.el0_wxn) : (el ? c.el1 : c.el0);
        EXPECT_EQ(w.pe.why(va, Execute), expected ? Kind::None : Kind::Permission)
            << std::hex << c.attributes << wxn << el;
      }
    }
  }
}

TEST(Mmu, FetchTargetTellsPageGuardAndOffset) {
  MmuWorld w;
  w.low.map(kVa, kPa, pte::kNormal | pte::kReadOnly | pte::kGuarded);
  tcg::FetchTarget t = w.pe.fetch(kVa + 0x40);
  EXPECT_EQ(t.kind, tcg::FetchTarget::Kind::Host);
  EXPECT_TRUE(t.whole_page);
  EXPECT_EQ(t.host, w.at(kPa + 0x40));
  EXPECT_EQ(t.ram, w.ram.get());
  EXPECT_EQ(t.ram_offset, kPa + 0x40 - kRamBase);
  EXPECT_EQ(t.bytes, 0xfc0u);
  EXPECT_EQ(t.mode, w.pe.state.mode | u64{1} << 15);
  EXPECT_TRUE(w.ram->has_code(kPa - kRamBase));
}

TEST(Mmu, FetchFromADeviceReadsOneWord) {
  MmuWorld w;
  w.device.bytes[8] = 0x1f, w.device.bytes[9] = 0x20, w.device.bytes[10] = 0x03, w.device.bytes[11] = 0xd5;
  w.low.map(kVa, kDeviceBase, pte::kNormal);
  tcg::FetchTarget t = w.pe.fetch(kVa + 8);
  EXPECT_EQ(t.kind, tcg::FetchTarget::Kind::Uncached);
  EXPECT_EQ(t.word, 0xd503201fu);
  EXPECT_TRUE(w.device.last.attrs.instruction);
  w.device.result = MemTxResult::device_error();
  EXPECT_EQ(w.pe.why(kVa + 8, Execute), Kind::External);
}

TEST(Mmu, FetchTakesFastWritesAway) {
  MmuWorld w;
  w.low.map(kVa, kPa, pte::kNormal);
  EXPECT_TRUE(w.pe.ok(kVa, Write));
  EXPECT_NE(w.pe.fast(kVa, Write), nullptr);
  w.pe.fetch(kVa);
  EXPECT_EQ(w.pe.fast(kVa, Write), nullptr);
  EXPECT_NE(w.pe.fast(kVa, Read), nullptr);
}

TEST(Mmu, DevicesAreReachedAndTheirErrorsAreExternalAborts) {
  MmuWorld w;
  w.low.map(kVa, kDeviceBase, pte::kAf | pte::attr(1) | pte::kUxn);
  tcg::DataTarget t = w.pe.access(kVa + 0x10, Write, 4);
  ASSERT_EQ(t.kind, tcg::DataTarget::Kind::Mmio);
  EXPECT_TRUE(w.pe.mmu.mmio_store(t, kVa + 0x10, 4, {0x12345678, 0}, w.pe.fault));
  EXPECT_EQ(w.device.last.offset, 0x10u);
  EXPECT_EQ(w.device.last.value, 0x12345678u);
  EXPECT_TRUE(w.device.last.attrs.privileged);
  EXPECT_EQ(w.pe.load(kVa + 0x10, 4), 0x12345678u);
  EXPECT_EQ(w.pe.fast(kVa), nullptr);
  w.device.result = MemTxResult::device_error();
  EXPECT_EQ(w.pe.load(kVa + 0x10, 4), std::nullopt);
  EXPECT_EQ(w.pe.fault.kind, Kind::External);
  EXPECT_EQ(w.pe.fault.va, kVa + 0x10);
}

TEST(Mmu, UnalignedDeviceAccessesFault) {
  MmuWorld w;
  w.low.map(kVa, kPa, pte::kAf | pte::attr(1));
  w.low.map(kVa + 0x1000, kPa, pte::kNormal);
  EXPECT_EQ(w.pe.why(kVa + 1), Kind::Alignment);
  EXPECT_EQ(w.pe.why(kVa + 8), Kind::None);
  EXPECT_EQ(w.pe.fast(kVa), nullptr) << "each access is to be checked";
  EXPECT_EQ(w.pe.why(kVa + 0x1001), Kind::None);
  w.pe.set(Slot::SCTLR_EL1, 3);
  EXPECT_EQ(w.pe.why(kVa + 0x1001), Kind::Alignment);
}

TEST(Mmu, AccessFlagAndDirtyStateInHardware) {
  MmuWorld w;
  u64& d = w.low.entry(kVa, 3);
  w.low.map(kVa, kPa, (pte::kNormal & ~pte::kAf) | pte::kReadOnly | pte::kDbm);
  EXPECT_EQ(w.pe.why(kVa), Kind::AccessFlag);
  EXPECT_EQ(w.pe.fault.level, 3);
  w.pe.set(Slot::TCR_EL1, MmuPe::kTcr | kTcrHa);
  EXPECT_EQ(w.pe.why(kVa), Kind::None);
  EXPECT_TRUE(d & pte::kAf);
  EXPECT_EQ(w.pe.why(kVa, Write), Kind::Permission) << "HD is clear";
  w.pe.set(Slot::TCR_EL1, MmuPe::kTcr | kTcrHa | kTcrHd);
  w.pe.tlbi(kTlbiLocal, kTlbiVmall);
  EXPECT_EQ(w.pe.why(kVa), Kind::None);
  EXPECT_TRUE(d & pte::kReadOnly) << "still clean";
  EXPECT_EQ(w.pe.fast(kVa, Write), nullptr);
  EXPECT_EQ(w.pe.why(kVa, Write), Kind::None);
  EXPECT_FALSE(d & pte::kReadOnly) << "dirty";
  EXPECT_NE(w.pe.fast(kVa, Write), nullptr);
}

TEST(Mmu, WithoutHafdbsTheControlBitsDoNothing) {
  MmuWorld w(false, "cortex-a72");
  w.pe.set(Slot::TCR_EL1, MmuPe::kTcr | kTcrHa | kTcrHd);
  w.low.map(kVa, kPa, pte::kNormal & ~pte::kAf);
  EXPECT_EQ(w.pe.why(kVa), Kind::AccessFlag);
}

TEST(Mmu, DescriptorUpdateInReadOnlyMemoryFaults) {
  MmuWorld w;
  auto rom = std::make_shared<RamRegion>("rom", w.ram, u64{0}, u64{0x1000000}, true);
  {
    Topology::Transaction tx(w.topology);
    tx.add(*w.root, 0x100000000, rom);
  }
  w.pe.set(Slot::TCR_EL1, MmuPe::kTcr | kTcrHa);
  w.pe.set(Slot::TTBR0_EL1, w.low.root() - kRamBase + 0x100000000);
  u64& l1 = w.low.entry(0, 1);
  l1 = kRamBase | (pte::kNormal & ~pte::kAf) | pte::kBlock;
  u64& l0 = w.low.entry(0, 0);
  l0 = l0 - kRamBase + 0x100000000;  // the level 1 table as the ROM shows it
  EXPECT_EQ(w.pe.why(0x1000), Kind::AtomicUpdate);
  l1 |= pte::kAf;
  EXPECT_EQ(w.pe.why(0x1000), Kind::None);
}

TEST(Mmu, TablesOutsideOfMemoryAreExternalAbortsOnTheWalk) {
  MmuWorld w;
  w.pe.set(Slot::TTBR0_EL1, 0x200000000);
  EXPECT_EQ(w.pe.why(kVa), Kind::ExternalOnWalk);
  EXPECT_EQ(w.pe.fault.level, 0);
  w.pe.set(Slot::TTBR0_EL1, w.low.root());
  w.low.entry(kVa, 1) = kDeviceBase | pte::kTable;
  EXPECT_EQ(w.pe.why(kVa), Kind::ExternalOnWalk);
  EXPECT_EQ(w.pe.fault.level, 2);
}

TEST(Mmu, LimitsOfTcr) {
  MmuWorld w;
  EXPECT_EQ(w.pe.why(u64{1} << 48), Kind::Translation);
  EXPECT_EQ(w.pe.fault.level, 0);
  w.low.map(kVa, u64{1} << 40, pte::kNormal);
  w.pe.set(Slot::TCR_EL1, (MmuPe::kTcr & ~(u64{7} << 32)) | u64{2} << 32);  // IPS: 40 bits
  EXPECT_EQ(w.pe.why(kVa), Kind::AddressSize);
  EXPECT_EQ(w.pe.fault.level, 3);
  w.pe.set(Slot::TCR_EL1, MmuPe::kTcr | 1 << 7);  // EPD0
  EXPECT_EQ(w.pe.why(kVa), Kind::Translation);
  EXPECT_EQ(w.pe.fault.level, 0);
}

TEST(Mmu, E0pdHidesARangeFromEl0EvenOnATlbHit) {
  MmuWorld w;
  w.high.map(kHigh, kPa, pte::kNormal | pte::kEl0);
  EXPECT_TRUE(w.pe.ok(kHigh));
  w.pe.el(0);
  EXPECT_TRUE(w.pe.ok(kHigh));
  w.pe.set(Slot::TCR_EL1, MmuPe::kTcr | u64{1} << 56);
  EXPECT_EQ(w.pe.fast(kHigh), nullptr);
  EXPECT_EQ(w.pe.why(kHigh), Kind::Translation);
  EXPECT_EQ(w.pe.why(kHigh, Execute), Kind::Translation);
  w.pe.el(1);
  EXPECT_TRUE(w.pe.ok(kHigh));
  EXPECT_FALSE(w.pe.ok(kHigh, Read, 8, true)) << "LDTR";
}

TEST(Mmu, AddressTranslationInstructionsFillPar) {
  MmuWorld w;
  constexpr SysregId s1e1r{1, 0, 7, 8, 0}, s1e1w{1, 0, 7, 8, 1}, s1e0r{1, 0, 7, 8, 2}, s1e1rp{1, 0, 7, 9, 0};
  w.low.map(kVa, kPa, pte::kNormal | pte::kReadOnly);
  u64 normal = kPa | u64{0xff} << 56 | 3 << 7 | 1 << 11 | 1 << 9;
  EXPECT_EQ(w.pe.mmu.address_translate(s1e1r, kVa + 0x123), normal);
  EXPECT_EQ(w.pe.mmu.address_translate(s1e1w, kVa), 1u | 0b001111 << 1 | 1 << 11);
  EXPECT_EQ(w.pe.mmu.address_translate(s1e0r, kVa), 1u | 0b001111 << 1 | 1 << 11);
  EXPECT_EQ(w.pe.mmu.address_translate(s1e1r, kVa + 0x40000000), 1u | 0b000101 << 1 | 1 << 11);
  w.low.map(kVa + 0x1000, kPa, pte::kAf | pte::attr(1) | pte::kEl0);
  EXPECT_EQ(w.pe.mmu.address_translate(s1e1r, kVa + 0x1000), kPa | 2 << 7 | 1 << 11 | 1 << 9)
      << "Device: Outer Shareable";
  w.pe.state.pan = 1;
  EXPECT_EQ(w.pe.mmu.address_translate(s1e1r, kVa + 0x1000) & 1, 0u);
  EXPECT_EQ(w.pe.mmu.address_translate(s1e1rp, kVa + 0x1000), 1u | 0b001111 << 1 | 1 << 11);
}

TEST(Mmu, DebuggerHasNoSideEffect) {
  MmuWorld w;
  w.pe.set(Slot::TCR_EL1, MmuPe::kTcr | kTcrHa);
  w.low.map(0x200000, kPa & ~ones(21), (pte::kNormal & ~pte::kAf) | pte::kReadOnly, 2);
  GuestPhysAddr pa;
  u64 length = 0;
  ASSERT_TRUE(w.pe.mmu.debug_translate(0x201234, pa, length));
  EXPECT_EQ(pa.value, (kPa & ~ones(21)) + 0x1234);
  EXPECT_EQ(length, 0x200000u - 0x1234);
  EXPECT_FALSE(w.low.entry(0x200000, 2) & pte::kAf);
  EXPECT_FALSE(w.pe.mmu.debug_translate(0x600000, pa, length));
}

TEST(Mmu, DescribesTlbAndMap) {
  MmuWorld w;
  w.low.map_range(kVa, kPa, 0x3000, pte::kNormal | pte::kNotGlobal | pte::kEl0 | pte::kPxn | pte::kUxn);
  w.high.map(kHigh, kPa, pte::kNormal | pte::kReadOnly | pte::kUxn);
  EXPECT_TRUE(w.pe.ok(kVa));
  EXPECT_TRUE(w.pe.ok(kHigh));
  std::string tlb = w.pe.mmu.describe_tlb(10);
  EXPECT_NE(tlb.find("0000007654321000-0000007654321fff -> 000041000000    4K  EL1 rw- EL0 rw-  asid 0    "
                     "attr 0 Normal WB  L3"),
            tlb.npos)
      << tlb;
  EXPECT_NE(tlb.find("EL1 r-x EL0 ---  global"), tlb.npos) << tlb;
  std::string map = w.pe.mmu.describe_memory_map();
  EXPECT_NE(map.find("0000007654321000-0000007654323fff    12K EL1 rw- EL0 rw- Normal WB nG"), map.npos)
      << map;
  EXPECT_NE(map.find("ffff000000000000-ffff000000000fff     4K EL1 r-x EL0 --- Normal WB"), map.npos) << map;
}

TEST(Mmu, TablesThatPointAtThemselvesDoNotHangTheMap) {
  MmuWorld w;
  for (unsigned n = 0; n < 512; n++) w.low.at(w.low.root() + n * 8) = w.low.root() | pte::kTable | pte::kAf;
  EXPECT_NE(w.pe.mmu.describe_memory_map(), "");
}

TEST(Mmu, TheDirectPolicyIsBounded) {
  MmuMachine m;
  MmuPe pe(m, 0, "max", true);
  PageTables low(*m.ram, kRamBase, 0);
  pe.enable(low.root(), 0);
  low.map_range(0, kRamBase, u64{16} << 20, pte::kNormal);
  for (u64 va = 0; va < u64{16} << 20; va += 0x1000) EXPECT_TRUE(pe.ok(va));
  EXPECT_NE(pe.mmu.describe_tlb(0).find("1024 entries"), std::string::npos);
}

}  // namespace
}  // namespace sluice::test
