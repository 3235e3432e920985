// What each TLBI must remove, and what it must keep: Arm DDI 0487, "TLB maintenance instructions". A page
// table is changed behind the TLB's back; whether the old translation is still used tells whether the entry
// is still there.
#include <gtest/gtest.h>

#include "tests/support/mmu_world.h"

namespace sluice::test {
namespace {

constexpr u64 kOld = kRamBase + 0x1000000, kNew = kRamBase + 0x1800000;  // both 2 MiB aligned
constexpr u64 kVa = 0x123456000, kOther = 0x523457000;
constexpr u64 kUser = pte::kNormal | pte::kNotGlobal | pte::kEl0, kKernel = pte::kNormal;
constexpr u16 kA = 1, kB = 2;

struct TlbiWorld : MmuWorld {
  TlbiWorld() {
    // The PA tells which translation was used.
    for (u64 offset = 0; offset < u64{6} << 20; offset += 0x1000) {
      *reinterpret_cast<u64*>(at(kOld) + offset) = 1;
      *reinterpret_cast<u64*>(at(kNew) + offset) = 2;
    }
    pe.asid(kA);
  }
  // Maps, uses, and maps to something else without telling the TLB.
  void cache_then_change(u64 va, u64 attributes, unsigned level = 3) {
    PageTables& tables = va >> 63 ? high : low;
    tables.map(va, kOld, attributes, level);
    ASSERT_EQ(pe.load(va), 1u);
    tables.map(va, kNew, attributes, level);
    ASSERT_EQ(pe.load(va), 1u) << "cached";
  }
  bool kept(u64 va) { return pe.load(va) == 1u; }
};

SPEC("TLBI VAE1 removes the page of the given ASID and no other page") {
  TlbiWorld w;
  w.cache_then_change(kVa, kUser);
  w.cache_then_change(kOther, kUser);
  w.pe.tlbi(kTlbiLocal, kTlbiVa, tlbi_operand(kVa, kA));
  EXPECT_FALSE(w.kept(kVa));
  EXPECT_TRUE(w.kept(kOther));
}

SPEC("TLBI VAE1 of another ASID keeps the page") {
  TlbiWorld w;
  w.cache_then_change(kVa, kUser);
  w.pe.tlbi(kTlbiLocal, kTlbiVa, tlbi_operand(kVa, kB));
  EXPECT_TRUE(w.kept(kVa));
}

SPEC("TLBI VAE1 of any ASID removes a global page") {
  TlbiWorld w;
  w.cache_then_change(kHigh, kKernel);
  w.pe.tlbi(kTlbiLocal, kTlbiVa, tlbi_operand(kHigh, kB));
  EXPECT_FALSE(w.kept(kHigh));
}

SPEC("TLBI ASIDE1 removes the pages of that ASID, keeps those of others, and keeps global entries") {
  TlbiWorld w;
  w.cache_then_change(kVa, kUser);
  w.cache_then_change(kHigh, kKernel);
  w.pe.asid(kB);
  w.cache_then_change(kOther, kUser);
  w.pe.tlbi(kTlbiLocal, kTlbiAsid, u64{kA} << 48);
  EXPECT_TRUE(w.kept(kHigh));
  EXPECT_TRUE(w.kept(kOther));
  w.pe.asid(kA);
  EXPECT_FALSE(w.kept(kVa));
}

SPEC("TLBI VAAE1 removes the page of every ASID, and the global one") {
  TlbiWorld w;
  w.cache_then_change(kVa, kUser);
  w.pe.asid(kB);
  w.low.map(kVa, kOld, kUser);
  w.cache_then_change(kVa, kUser);
  w.cache_then_change(kHigh, kKernel);
  w.pe.tlbi(kTlbiLocal, kTlbiVaa, tlbi_operand(kVa));
  EXPECT_FALSE(w.kept(kVa));
  w.pe.asid(kA);
  EXPECT_FALSE(w.kept(kVa));
  EXPECT_TRUE(w.kept(kHigh));
  w.pe.tlbi(kTlbiLocal, kTlbiVaa, tlbi_operand(kHigh));
  EXPECT_FALSE(w.kept(kHigh));
}

SPEC("TLBI VMALLE1 removes everything") {
  TlbiWorld w;
  w.cache_then_change(kVa, kUser);
  w.cache_then_change(kHigh, kKernel);
  w.pe.tlbi(kTlbiLocal, kTlbiVmall);
  EXPECT_FALSE(w.kept(kVa));
  EXPECT_FALSE(w.kept(kHigh));
}

// Two tables of level 3 for the same VA: which one a walk uses tells whether the table descriptor was cached.
struct TableWorld : TlbiWorld {
  TableWorld() {
    low.map(kVa, kOld, kUser);
    EXPECT_EQ(pe.load(kVa), 1u);
    u64 second = low.take_table();
    low.at(second + extract(kVa, 12, 9) * 8) = kNew | kUser | pte::kPage;
    low.entry(kVa, 2) = second | pte::kTable;
  }
};

SPEC("TLBI VALE1 keeps table entries") {
  TableWorld w;
  w.pe.tlbi(kTlbiLocal, kTlbiVal, tlbi_operand(kVa, kA));
  EXPECT_TRUE(w.kept(kVa));  // the leaf is gone, and was read again through the old table
}

SPEC("TLBI VAE1 removes table entries") {
  TableWorld w;
  w.pe.tlbi(kTlbiLocal, kTlbiVa, tlbi_operand(kVa, kA));
  EXPECT_FALSE(w.kept(kVa));
}

SPEC("TLBI VAAE1, ASIDE1, VMALLE1 and RVAE1 remove table entries; VAALE1 and RVALE1 keep them") {
  u64 range = u64{1} << 46 | extract(kVa, 12, 37) | u64{kA} << 48;
  struct {
    unsigned crm, op2;
    u64 xt;
    bool keeps;
  } cases[] = {
      {kTlbiLocal, kTlbiVaa, tlbi_operand(kVa), false},
      {kTlbiLocal, kTlbiAsid, u64{kA} << 48, false},
      {kTlbiLocal, kTlbiVmall, 0, false},
      {kTlbiRange, kTlbiVa, range, false},
      {kTlbiLocal, kTlbiVaal, tlbi_operand(kVa), true},
      {kTlbiRange, kTlbiVal, range, true},
  };
  for (auto& c : cases) {
    TableWorld w;
    w.pe.tlbi(c.crm, c.op2, c.xt);
    EXPECT_EQ(w.kept(kVa), c.keeps) << "CRm " << c.crm << " op2 " << c.op2;
  }
}

SPEC("A block mapping is one entry of its true size: TLBI of any of its addresses removes all of it") {
  TlbiWorld w;
  constexpr u64 block = 0x200000;
  w.cache_then_change(block, kUser, 2);
  EXPECT_TRUE(w.kept(block + 0x1ff000));  // never walked: the entry covers it
  w.pe.tlbi(kTlbiLocal, kTlbiVal, tlbi_operand(block + 0x8000, kA));
  EXPECT_FALSE(w.kept(block + 0x1ff000));
  EXPECT_FALSE(w.kept(block));
}

SPEC("TLBI of the page next to a block keeps the block") {
  TlbiWorld w;
  w.cache_then_change(0x200000, kUser, 2);
  w.pe.tlbi(kTlbiLocal, kTlbiVa, tlbi_operand(0x400000, kA));
  w.pe.tlbi(kTlbiLocal, kTlbiVa, tlbi_operand(0x1ff000, kA));
  EXPECT_TRUE(w.kept(0x200000));
}

SPEC("Sixteen contiguous pages are one entry") {
  TlbiWorld w;
  constexpr u64 first = 0x300000;
  w.low.map_range(first, kOld, 0x10000, kUser | pte::kContiguous);
  EXPECT_EQ(w.pe.load(first + 0x3000), 1u);
  w.low.map_range(first, kNew, 0x10000, kUser | pte::kContiguous);
  EXPECT_TRUE(w.kept(first));
  EXPECT_TRUE(w.kept(first + 0xf000));
  w.pe.tlbi(kTlbiLocal, kTlbiVal, tlbi_operand(first + 0x7000, kA));
  EXPECT_FALSE(w.kept(first));
  EXPECT_FALSE(w.kept(first + 0xf000));
}

SPEC("A level hint limits TLBI to leaves of that level and granule") {
  constexpr unsigned l3_4k = 0b0111, l2_4k = 0b0110, l3_64k = 0b1111;
  for (auto [ttl, removed] :
       {std::pair{l3_4k, true}, {l2_4k, false}, {l3_64k, false}, {0u, true}, {0b0100u, true}}) {
    TlbiWorld w;
    w.cache_then_change(kVa, kUser);
    w.pe.tlbi(kTlbiLocal, kTlbiVal, tlbi_operand(kVa, kA, ttl));
    EXPECT_EQ(!w.kept(kVa), removed) << ttl;
  }
}

SPEC("Without FEAT_TTL the level hint is ignored") {
  TlbiWorld w;
  w.pe.model.features = w.pe.model.features.without(cpu::Feature::TTL);
  w.cache_then_change(kVa, kUser);
  w.pe.tlbi(kTlbiLocal, kTlbiVal, tlbi_operand(kVa, kA, 0b0110));
  EXPECT_FALSE(w.kept(kVa));
}

constexpr u64 range_operand(u64 va, unsigned pages_num, unsigned scale, u16 asid, unsigned tg = 1,
                            unsigned ttl = 0) {
  return u64{asid} << 48 | u64{tg} << 46 | u64{scale} << 44 | u64{pages_num} << 39 | u64{ttl} << 37 |
         extract(va, 12, 37);
}

SPEC("TLBI RVAE1 removes (NUM + 1) * 2^(5 * SCALE + 1) pages from BaseADDR on, and no more") {
  constexpr u64 first = 0x40000000;
  for (auto [num, scale, pages] : {std::tuple{0u, 0u, 2u}, {2u, 0u, 6u}, {0u, 1u, 64u}}) {
    TlbiWorld w;
    for (u64 n = 0; n <= pages; n++) w.cache_then_change(first + n * 0x1000, kUser);
    w.cache_then_change(first - 0x1000, kUser);
    w.pe.tlbi(kTlbiRange, kTlbiVa, range_operand(first, num, scale, kA));
    EXPECT_TRUE(w.kept(first - 0x1000));
    for (u64 n = 0; n < pages; n++) EXPECT_FALSE(w.kept(first + n * 0x1000)) << n;
    EXPECT_TRUE(w.kept(first + pages * 0x1000));
  }
}

SPEC("TLBI RVAE1 with another granule than the mapping's, or a reserved one, removes nothing") {
  TlbiWorld w;
  w.cache_then_change(0x40000000, kUser);
  w.pe.tlbi(kTlbiRange, kTlbiVa, range_operand(0x40000000, 0, 0, kA, 0));
  w.pe.tlbi(kTlbiRange, kTlbiVa, u64{kA} << 48 | u64{3} << 46 | 0x40000000 >> 16);
  EXPECT_TRUE(w.kept(0x40000000));
}

SPEC("TLBI RVAE1 with a level hint keeps leaves of other levels") {
  TlbiWorld w;
  w.cache_then_change(0x40000000, kUser);
  w.cache_then_change(0x40200000, kUser, 2);
  w.pe.tlbi(kTlbiRange, kTlbiVa, range_operand(0x40000000, 31, 1, kA, 1, 2));
  EXPECT_TRUE(w.kept(0x40000000));
  EXPECT_FALSE(w.kept(0x40200000));
}

SPEC("TLBI RVAAE1 at the very top of the address map does not wrap around") {
  TlbiWorld w;
  constexpr u64 top = 0xfffffffffffff000;
  w.cache_then_change(top, kKernel);
  w.cache_then_change(0x1000, kUser);
  w.pe.tlbi(kTlbiRange, kTlbiVaa, range_operand(top, 31, 3, 0));
  EXPECT_FALSE(w.kept(top));
  EXPECT_TRUE(w.kept(0x1000));
}

SPEC("With 8-bit ASIDs the upper half of the operand's ASID does not count") {
  TlbiWorld w;
  w.pe.set(cpu::Slot::TCR_EL1, MmuPe::kTcr & ~(u64{1} << 36));
  w.cache_then_change(kVa, kUser);
  w.pe.tlbi(kTlbiLocal, kTlbiVa, tlbi_operand(kVa, 0x700 | kA));
  EXPECT_FALSE(w.kept(kVa));
}

SPEC("TLBI VAE1 ignores the tag byte of the VA field") {
  TlbiWorld w;
  w.pe.set(cpu::Slot::TCR_EL1, MmuPe::kTcr | u64{1} << 37);
  w.low.map(kVa, kOld, kUser);
  EXPECT_EQ(w.pe.load(kVa | u64{0x5a} << 56), 1u);
  w.low.map(kVa, kNew, kUser);
  EXPECT_TRUE(w.kept(kVa | u64{0xa5} << 56)) << "one entry for all tags";
  w.pe.tlbi(kTlbiLocal, kTlbiVal, tlbi_operand(kVa, kA));
  EXPECT_FALSE(w.kept(kVa | u64{0x5a} << 56));
}

SPEC("A local TLBI stays on its PE; IS and OS forms reach the others before DSB completes") {
  for (unsigned crm : {kTlbiLocal, kTlbiIs, kTlbiOs}) {
    TlbiWorld w;
    MmuPe other(w, 1);
    other.enable(w.low.root(), w.high.root());
    other.asid(kA);
    w.cache_then_change(kVa, kUser);
    w.low.map(kVa, kOld, kUser);
    {
      Participant::Running running(other.participant);
      EXPECT_EQ(other.load(kVa), 1u);
    }
    w.low.map(kVa, kNew, kUser);
    w.pe.tlbi(crm, kTlbiVa, tlbi_operand(kVa, kA));
    w.pe.mmu.complete_invalidations();
    EXPECT_FALSE(w.pe.mmu.invalidations_pending());
    EXPECT_FALSE(w.kept(kVa));
    Participant::Running running(other.participant);
    EXPECT_EQ(other.load(kVa) == 1u, crm == kTlbiLocal) << crm;
  }
}

SPEC("DSB waits for a running PE until it has passed a safe point") {
  TlbiWorld w;
  MmuPe other(w, 1);
  other.participant.leave_quiescent();
  w.pe.tlbi(kTlbiIs, kTlbiVmall);
  EXPECT_TRUE(w.pe.mmu.invalidations_pending());
  other.participant.drain();
  EXPECT_FALSE(w.pe.mmu.invalidations_pending());
  other.participant.enter_quiescent();
}

SPEC("Faults are not cached: a page that becomes valid needs no TLBI") {
  TlbiWorld w;
  EXPECT_EQ(w.pe.load(kVa), std::nullopt);
  EXPECT_EQ(w.pe.fault.kind, cpu::Fault::Kind::Translation);
  w.low.map(kVa, kOld, kUser & ~pte::kAf);
  EXPECT_EQ(w.pe.load(kVa), std::nullopt);
  EXPECT_EQ(w.pe.fault.kind, cpu::Fault::Kind::AccessFlag);
  w.low.map(kVa, kOld, kUser);
  EXPECT_EQ(w.pe.load(kVa), 1u);
}

SPEC("A change of TTBR or ASID flushes nothing: going back finds everything as it was") {
  TlbiWorld w;
  w.cache_then_change(kVa, kUser);
  w.pe.asid(kB);
  EXPECT_EQ(w.pe.load(kVa), 2u);
  w.pe.asid(kA);
  EXPECT_NE(w.pe.fast(kVa), nullptr) << "the bank is still there";
  EXPECT_TRUE(w.kept(kVa));
}

SPEC("Slots of the soft TLB die with the entry that they came from, in every bank") {
  TlbiWorld w;
  w.cache_then_change(kHigh, kKernel);
  w.pe.asid(kB);
  EXPECT_EQ(w.pe.load(kHigh), 1u);
  EXPECT_NE(w.pe.fast(kHigh), nullptr);
  w.pe.tlbi(kTlbiLocal, kTlbiVaa, tlbi_operand(kHigh));
  EXPECT_EQ(w.pe.fast(kHigh), nullptr);
  w.pe.asid(kA);
  EXPECT_EQ(w.pe.fast(kHigh), nullptr);
  EXPECT_EQ(w.pe.soft_tlb.live_slots(), 0u);
}

SPEC("What a base register remembers dies with its translation; what others remember stays") {
  TlbiWorld w;
  w.cache_then_change(kVa, kUser);
  w.cache_then_change(kOther, kUser);
  w.pe.fill_front(kVa, 3);
  w.pe.fill_front(kVa, 31);
  w.pe.fill_front(kOther, 4);
  EXPECT_NE(w.pe.front(kVa, 3), nullptr);
  w.pe.tlbi(kTlbiLocal, kTlbiVa, tlbi_operand(kVa, kA));
  EXPECT_EQ(w.pe.front(kVa, 3), nullptr);
  EXPECT_EQ(w.pe.front(kVa, 31), nullptr);
  EXPECT_NE(w.pe.front(kOther, 4), nullptr);
  w.pe.tlbi(kTlbiLocal, kTlbiAsid, u64{kA} << 48);
  EXPECT_EQ(w.pe.front(kOther, 4), nullptr);
}

SPEC("What a base register remembers belongs to the context: another ASID does not see it") {
  TlbiWorld w;
  w.cache_then_change(kVa, kUser);
  w.pe.fill_front(kVa, 3);
  w.pe.asid(kB);
  EXPECT_EQ(w.pe.front(kVa, 3), nullptr);
  w.pe.asid(kA);
  EXPECT_NE(w.pe.front(kVa, 3), nullptr);
}

SPEC("A page that code has been read from is not written through a base register's memory of it") {
  TlbiWorld w;
  w.low.map(kVa, kOld, pte::kNormal);
  ASSERT_TRUE(w.pe.ok(kVa, Access::Write));
  w.pe.fill_front(kVa, 3);
  ASSERT_NE(w.pe.front(kVa, 3, Access::Write), nullptr);
  ASSERT_EQ(w.pe.fetch(kVa).kind, tcg::FetchTarget::Kind::Host);
  EXPECT_EQ(w.pe.front(kVa, 3, Access::Write), nullptr);
}

SPEC("Turning the MMU off and on again keeps the entries") {
  TlbiWorld w;
  w.cache_then_change(kVa, kUser);
  w.pe.set(cpu::Slot::SCTLR_EL1, 0);
  EXPECT_EQ(w.pe.load(kNew), 2u);
  w.pe.set(cpu::Slot::SCTLR_EL1, 1);
  EXPECT_TRUE(w.kept(kVa));
}

}  // namespace
}  // namespace sluice::test
