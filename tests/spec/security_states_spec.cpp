// Translation with EL3: the Secure, the Non-secure EL1&0 and the EL3 regime side by side (Arm DDI 0487,
// "Translation regimes", "TLB maintenance instructions", NS and NSTable of VMSAv8-64 descriptors).
#include <gtest/gtest.h>

#include "tests/support/secure_world.h"

namespace sluice::test {
namespace {

constexpr u64 kOld = kRamBase + 0x1000000, kNew = kRamBase + 0x1800000, kVa = 0x123456000;
constexpr u64 kNs = u64{1} << 5, kNsTable = u64{1} << 63;
// Old and new page, by world: what a load returns.
enum : u64 { kNsOld = 1, kNsNew, kSOld, kSNew };
constexpr unsigned kAllE1Op2 = 4, kOp1El2 = 4, kOp1El3 = 6;

struct Worlds : SecureWorld {
  Worlds() {
    fill(kOld, kNsOld, kSOld);
    fill(kNew, kNsNew, kSNew);
  }
  void map_all(u64 pa) {
    low_ns.map(kVa, pa, pte::kNormal);
    low_s.map(kVa, pa, pte::kNormal);
    el3.map(kVa, pa, pte::kNormal);
  }
  // Every regime has the page cached, and the tables say something else since.
  void cache_then_change() {
    map_all(kOld);
    use_all();
    map_all(kNew);
  }
  void use_all() {
    pe.go(1, true), non_secure = pe.load(kVa).value_or(0);
    pe.go(1, false), secure_el1 = pe.load(kVa).value_or(0);
    pe.go(3, false), monitor = pe.load(kVa).value_or(0);
  }
  u64 non_secure = 0, secure_el1 = 0, monitor = 0;
};

SPEC("Each Security state walks its own tables and reaches its own memory") {
  Worlds w;
  w.map_all(kOld);
  w.use_all();
  EXPECT_EQ(w.non_secure, kNsOld);
  EXPECT_EQ(w.secure_el1, kSOld);
  EXPECT_EQ(w.monitor, kSOld);
}

SPEC("A world switch keeps the TLB entries of both worlds and of EL3") {
  Worlds w;
  w.cache_then_change();
  for (unsigned n = 0; n < 3; n++) {
    w.use_all();
    EXPECT_EQ(w.non_secure, kNsOld);
    EXPECT_EQ(w.secure_el1, kSOld);
    EXPECT_EQ(w.monitor, kSOld);
  }
}

SPEC("A world switch keeps the soft TLB slots of both worlds") {
  Worlds w;
  w.cache_then_change();
  w.pe.go(1, true);
  EXPECT_EQ(w.pe.fast(kVa), w.at(kOld));
  w.pe.go(1, false);
  EXPECT_EQ(w.pe.fast(kVa), w.secure_at(kOld));
  w.pe.go(3, false);
  EXPECT_EQ(w.pe.fast(kVa), w.secure_at(kOld));
}

SPEC("Software that swaps MAIR_EL1 with the world gets each world's own memory types, and its slots back") {
  Worlds w;
  w.map_all(kOld);
  auto enter = [&](bool ns) {
    w.pe.state.sysregs[cpu::Slot::MAIR_EL1] =
        ns ? 0x4400ff : 0x440004;  // Secure: attribute 0 is Device-nGnRE
    w.pe.go(1, ns);
  };
  enter(true);
  EXPECT_TRUE(w.pe.load(kVa));
  enter(false);
  EXPECT_EQ(w.pe.why(kVa + 1), cpu::Fault::Kind::Alignment);
  enter(true);
  EXPECT_EQ(w.pe.fast(kVa), w.at(kOld));
  EXPECT_EQ(w.pe.why(kVa + 1), cpu::Fault::Kind::None);
}

SPEC("A change of MAIR_EL1 in one world is seen by the next access, without maintenance of the soft TLB") {
  Worlds w;
  w.map_all(kOld);
  w.pe.go(1, true);
  ASSERT_TRUE(w.pe.load(kVa));
  w.pe.set(cpu::Slot::MAIR_EL1, 0x440004);
  EXPECT_EQ(w.pe.fast(kVa), nullptr);
  EXPECT_EQ(w.pe.why(kVa + 1), cpu::Fault::Kind::Alignment);
}

SPEC("More memory attribute settings than there are views are still told apart") {
  Worlds w;
  w.map_all(kOld);
  w.pe.go(1, true);
  for (unsigned n = 0; n < 700; n++) {
    bool device = n % 3 == 0;
    w.pe.set(cpu::Slot::MAIR_EL1, u64{n} << 16 | (device ? 0x04 : 0xff));
    ASSERT_EQ(w.pe.why(kVa + 1), device ? cpu::Fault::Kind::Alignment : cpu::Fault::Kind::None) << n;
  }
}

SPEC("TLBI VMALLE1 acts on the current Security state alone") {
  for (bool ns : {false, true}) {
    Worlds w;
    w.cache_then_change();
    w.pe.go(1, ns);
    w.pe.tlbi(kTlbiLocal, kTlbiVmall);
    w.use_all();
    EXPECT_EQ(w.non_secure, ns ? kNsNew : kNsOld);
    EXPECT_EQ(w.secure_el1, ns ? kSOld : kSNew);
    EXPECT_EQ(w.monitor, kSOld);
  }
}

SPEC("TLBI ALLE1 and EL1's TLBIs at EL3 act on the Security state that SCR_EL3.NS names") {
  for (bool ns : {false, true})
    for (bool by_va : {false, true}) {
      Worlds w;
      w.cache_then_change();
      w.pe.go(3, ns);
      if (by_va)
        w.pe.tlbi(kTlbiLocal, kTlbiVa, tlbi_operand(kVa));
      else
        w.pe.tlbi_above(kOp1El2, kTlbiLocal, kAllE1Op2);
      w.use_all();
      EXPECT_EQ(w.non_secure, ns ? kNsNew : kNsOld) << by_va;
      EXPECT_EQ(w.secure_el1, ns ? kSOld : kSNew) << by_va;
      EXPECT_EQ(w.monitor, kSOld) << by_va;
    }
}

SPEC("TLBI ALLE3 removes what EL3 has and leaves both worlds below it alone") {
  Worlds w;
  w.cache_then_change();
  w.pe.tlbi_above(kOp1El3, kTlbiLocal, kTlbiVmall);
  w.use_all();
  EXPECT_EQ(w.monitor, kSNew);
  EXPECT_EQ(w.non_secure, kNsOld);
  EXPECT_EQ(w.secure_el1, kSOld);
}

SPEC("TLBI VAE3, VALE3 and RVAE3 remove the page of EL3 and no other page") {
  constexpr u64 kOther = kVa + 0x1000;
  struct Form {
    unsigned crm, op2;
    bool range;
  };
  for (Form f : {Form{kTlbiLocal, kTlbiVa, false}, Form{kTlbiLocal, kTlbiVal, false},
                 Form{kTlbiRange, kTlbiVa, true}}) {
    Worlds w;
    w.cache_then_change();
    w.el3.map(kOther, kOld, pte::kNormal);
    ASSERT_EQ(w.pe.load(kOther), kSOld);
    w.el3.map(kOther, kNew, pte::kNormal);
    // RVAE3: from kVa - 4 KiB, (NUM + 1) * 2 pages of 4 KiB.
    u64 operand = f.range ? (kVa - 0x1000) >> 12 | u64{1} << 46 : tlbi_operand(kVa);
    w.pe.tlbi_above(kOp1El3, f.crm, f.op2, operand);
    EXPECT_EQ(w.pe.load(kVa), kSNew);
    EXPECT_EQ(w.pe.load(kOther), kSOld);
    w.use_all();
    EXPECT_EQ(w.secure_el1, kSOld);
  }
}

SPEC("TLBI ALLE3IS and ALLE1IS reach the other PEs, each in the regime that it names") {
  Worlds w;
  SecurePe other(w, 1);
  other.enable(w.low_ns.root(), w.low_ns.root());
  other.enable_el3(w.el3.root());
  Participant::Running running{other.participant};
  w.map_all(kOld);
  auto use = [&](unsigned el, bool ns) { return other.go(el, ns), other.load(kVa); };
  use(1, true), use(1, false), use(3, false);
  w.map_all(kNew);
  w.pe.go(3, true);
  w.pe.tlbi_above(kOp1El3, kTlbiIs, kTlbiVmall);
  other.participant.drain();
  EXPECT_EQ(use(3, false), kSNew);
  EXPECT_EQ(use(1, true), kNsOld);
  w.pe.tlbi_above(kOp1El2, kTlbiIs, kAllE1Op2);
  other.participant.drain();
  EXPECT_EQ(use(1, true), kNsNew);
  EXPECT_EQ(use(1, false), kSOld);
}

SPEC("NS in a page or block descriptor takes the Secure state and EL3 to Non-secure memory") {
  for (unsigned level : {3u, 2u}) {
    Worlds w;
    w.low_s.map(kVa & ~ones(12 + 9 * (3 - level)), kOld, pte::kNormal | kNs, level);
    w.el3.map(kVa & ~ones(12 + 9 * (3 - level)), kOld, pte::kNormal | kNs, level);
    u64 va = kVa & ~ones(12 + 9 * (3 - level));
    w.pe.go(1, false);
    EXPECT_EQ(w.pe.load(va), kNsOld);
    w.pe.go(3, false);
    EXPECT_EQ(w.pe.load(va), kNsOld);
  }
}

SPEC("NS does not take the Non-secure state anywhere else") {
  Worlds w;
  w.low_ns.map(kVa, kOld, pte::kNormal);
  w.pe.go(1, true);
  EXPECT_EQ(w.pe.load(kVa), kNsOld);
}

SPEC("NSTable makes every table and page below it Non-secure") {
  Worlds w;
  // The level 3 table is in Non-secure memory, at the address that the Secure table names.
  w.low_s.map(kVa, kOld, pte::kNormal);
  u64& table = w.low_s.entry(kVa, 2);
  u64 level3 = table & ones(48) & ~ones(12);
  std::memset(w.at(level3), 0, 0x1000);
  u64 page = kNew | pte::kNormal | pte::kPage;  // NS clear: NSTable decides
  std::memcpy(w.at(level3) + (kVa >> 12 & 511) * 8, &page, 8);
  table |= kNsTable;
  w.pe.go(1, false);
  EXPECT_EQ(w.pe.load(kVa), kNsNew);
  EXPECT_EQ(w.pe.load(kVa + 0x1000), std::nullopt);
}

SPEC("What the Secure state reads from Non-secure tables is not global, whatever nG says") {
  for (bool ns_table : {false, true}) {
    Worlds w;
    w.low_s.map(kVa, kOld, pte::kNormal);  // nG is 0
    u64& table = w.low_s.entry(kVa, 2);
    if (ns_table) {
      std::memcpy(w.at(table & ones(48) & ~ones(12)), w.secure_at(table & ones(48) & ~ones(12)), 0x1000);
      table |= kNsTable;
    }
    w.pe.go(1, false);
    w.pe.asid(1);
    u64 old = w.pe.load(kVa).value_or(0);
    EXPECT_EQ(old, ns_table ? kNsOld : kSOld);
    w.low_s.map(kVa, kNew, pte::kNormal);
    table = w.low_s.entry(kVa, 2) & ~kNsTable;
    w.pe.tlbi(kTlbiLocal, kTlbiVal, tlbi_operand(kVa, 7));  // another ASID: takes global entries only
    EXPECT_EQ(w.pe.load(kVa), ns_table ? kNsOld : kSNew);
  }
}

SPEC("EL3 has one range of addresses: those with upper bits set have no translation") {
  Worlds w;
  w.map_all(kOld);
  w.pe.go(3, false);
  for (u64 bad : {kVa | u64{1} << 48, kVa | u64{1} << 55, kVa | ~ones(48), kVa | u64{0xaa} << 56}) {
    EXPECT_EQ(w.pe.why(bad), cpu::Fault::Kind::Translation) << std::hex << bad;
    EXPECT_EQ(w.pe.fault.level, 0) << std::hex << bad;
  }
  w.pe.set(cpu::Slot::TCR_EL3, SecurePe::kTcrEl3 | 1 << 20);  // TBI
  EXPECT_EQ(w.pe.load(kVa | u64{0xaa} << 56), kSOld);
  EXPECT_EQ(w.pe.why(kVa | u64{1} << 55), cpu::Fault::Kind::Translation);
}

SPEC("EL3's permissions: AP[2], and XN in bit 54; AP[1] and PXN do not count, nor does PAN") {
  Worlds w;
  w.pe.go(3, false);
  w.pe.state.pan = 1;
  w.pe.mmu.update_context();
  w.el3.map(kVa, kOld, pte::kNormal | pte::kEl0 | pte::kPxn);
  EXPECT_TRUE(w.pe.ok(kVa, Access::Write));
  EXPECT_EQ(w.pe.why(kVa, Access::Execute), cpu::Fault::Kind::None);
  EXPECT_TRUE(w.pe.ok(kVa, Access::Read, 8, true));  // LDTR is LDR
  w.el3.map(kVa + 0x1000, kOld, pte::kNormal | pte::kReadOnly | pte::kUxn);
  EXPECT_TRUE(w.pe.ok(kVa + 0x1000));
  EXPECT_EQ(w.pe.why(kVa + 0x1000, Access::Write), cpu::Fault::Kind::Permission);
  EXPECT_EQ(w.pe.why(kVa + 0x1000, Access::Execute), cpu::Fault::Kind::Permission);
}

SPEC("SCR_EL3.SIF: the Secure state may read Non-secure memory but not execute from it") {
  for (unsigned el : {1u, 3u}) {
    Worlds w;
    w.low_s.map(kVa, kOld, pte::kNormal | kNs);
    w.el3.map(kVa, kOld, pte::kNormal | kNs);
    w.pe.go(el, false);
    EXPECT_EQ(w.pe.why(kVa, Access::Execute), cpu::Fault::Kind::None);
    w.pe.set(cpu::Slot::SCR_EL3, cpu::scr::kSif);
    EXPECT_EQ(w.pe.why(kVa, Access::Execute), cpu::Fault::Kind::Permission);
    EXPECT_TRUE(w.pe.load(kVa));
  }
}

SPEC("Stage 1 off: the output is in the physical address space of the Security state") {
  Worlds w;
  w.pe.set(cpu::Slot::SCTLR_EL1, 0);
  w.pe.set(cpu::Slot::SCTLR_EL3, 0);
  w.pe.go(1, true);
  EXPECT_EQ(w.pe.load(kOld), kNsOld);
  w.pe.go(1, false);
  EXPECT_EQ(w.pe.load(kOld), kSOld);
  w.pe.go(3, false);
  EXPECT_EQ(w.pe.load(kOld), kSOld);
}

SPEC(
    "AT S1E1R at EL3 uses the regime that SCR_EL3.NS names, AT S1E3R EL3's own; PAR_EL1.NS tells the space") {
  constexpr SysregId kAtS1E1R{1, 0, 7, 8, 0}, kAtS12E1R{1, 4, 7, 8, 4}, kAtS1E3R{1, 6, 7, 8, 0};
  constexpr u64 kParNs = 1 << 9, kPa = ones(48) & ~ones(12);
  Worlds w;
  w.low_ns.map(kVa, kOld, pte::kNormal);
  w.low_s.map(kVa, kNew, pte::kNormal | kNs);
  w.low_s.map(kVa + 0x1000, kNew, pte::kNormal);
  w.el3.map(kVa, kNew + 0x1000, pte::kNormal);
  EpochDomain::Guard guard(w.hub.epochs());
  w.pe.go(3, true);
  for (SysregId at : {kAtS1E1R, kAtS12E1R}) {
    EXPECT_EQ(w.pe.mmu.address_translate(at, kVa) & kPa, kOld);
    EXPECT_TRUE(w.pe.mmu.address_translate(at, kVa + 0x1000) & 1);
  }
  w.pe.go(3, false);
  EXPECT_EQ(w.pe.mmu.address_translate(kAtS1E1R, kVa) & (kPa | kParNs), kNew | kParNs);
  EXPECT_EQ(w.pe.mmu.address_translate(kAtS1E1R, kVa + 0x1000) & (kPa | kParNs), kNew);
  EXPECT_EQ(w.pe.mmu.address_translate(kAtS1E3R, kVa) & (kPa | kParNs), kNew + 0x1000);
  EXPECT_EQ(w.pe.load(kVa), std::optional<u64>{0});  // and EL3 goes on in its own regime
}

SPEC("A device sees the Security state of the access that reaches it, which is the page's") {
  Worlds w;
  w.el3.map(kVa, kDeviceBase, pte::kAf | pte::attr(1));
  w.el3.map(kVa + 0x1000, kDeviceBase, pte::kAf | pte::attr(1) | kNs);
  w.low_ns.map(kVa, kDeviceBase, pte::kAf | pte::attr(1));
  w.pe.go(3, true);
  ASSERT_TRUE(w.pe.load(kVa, 4));
  EXPECT_EQ(w.device.last.attrs.space, PaSpace::Secure);
  ASSERT_TRUE(w.pe.load(kVa + 0x1000, 4));
  EXPECT_EQ(w.device.last.attrs.space, PaSpace::NonSecure);
  w.pe.go(1, true);
  ASSERT_TRUE(w.pe.load(kVa, 4));
  EXPECT_EQ(w.device.last.attrs.space, PaSpace::NonSecure);
}

SPEC("A change of one physical address space removes the entries that lead there and no others") {
  Worlds w;
  w.cache_then_change();
  Topology::Transaction tx(w.topology);
  tx.add(*w.secure_root, kOld, std::make_shared<ReservationRegion>("hole", u128{0x1000}), 1);
  tx.commit();
  w.pe.participant.drain();
  w.use_all();
  EXPECT_EQ(w.secure_el1, kSNew);
  EXPECT_EQ(w.monitor, kSNew);
  EXPECT_EQ(w.non_secure, kNsOld);
}

}  // namespace
}  // namespace sluice::test
