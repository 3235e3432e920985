// A PE whose memory lies behind IOMMUs, or changes under it: what its TLB holds follows.
#include <gtest/gtest.h>

#include "tests/support/mmu_world.h"

namespace sluice::test {
namespace {

using Kind = cpu::Fault::Kind;
using enum Access;
constexpr u64 kVa = 0x7654321000, kPa = kRamBase + 0x1000000, kElsewhere = kRamBase + 0x1400000;

struct BehindIommu : MmuWorld {
  BehindIommu() : MmuWorld(true) {}
  IommuIndex index() { return iommu->index_for(kNs); }
  // Replaces what the IOMMU does with [pa, pa + size): the rest stays as it was.
  Ticket remap(u64 pa, u64 size, u64 to, Access rights = All) {
    Ticket t = iommu->unmap(index(), {0, ~u64{0}});
    if (pa) iommu->map(index(), {{0, pa - 1}, 0, All, &memory});
    iommu->map(index(), {{pa, pa + size - 1}, to, rights, &memory});
    iommu->map(index(), {{pa + size, kRamBase + kRamSize - 1}, pa + size, All, &memory});
    return t;
  }
};

TEST(MmuChain, WalksAndAccessesGoThroughTheIommu) {
  BehindIommu w;
  w.remap(kPa, 0x1000, kElsewhere);
  w.pe.participant.drain();
  w.low.map(kVa, kPa, pte::kNormal);
  EXPECT_EQ(w.pe.access(kVa).host, w.at(kElsewhere));
  EXPECT_NE(w.pe.fast(kVa), nullptr);
}

TEST(MmuChain, AnUnmapKillsTheSoftSlotAndTheFetch) {
  BehindIommu w;
  w.low.map(kVa, kPa, pte::kNormal);
  EXPECT_EQ(w.pe.access(kVa).host, w.at(kPa));
  EXPECT_TRUE(w.pe.fetch(kVa).whole_page);
  Ticket t = w.remap(kPa, 0x1000, kElsewhere);
  EXPECT_FALSE(w.hub.is_complete(t));
  w.pe.participant.drain();
  EXPECT_TRUE(w.hub.is_complete(t));
  EXPECT_EQ(w.pe.fast(kVa), nullptr);
  EXPECT_EQ(w.pe.access(kVa).host, w.at(kElsewhere));
  EXPECT_EQ(w.pe.fetch(kVa).host, w.at(kElsewhere));
}

TEST(MmuChain, BlocksSmallerThanAPageAreNeverFast) {
  BehindIommu w;
  w.remap(kPa + 0x40, 0x20, kElsewhere + 0x40);
  w.pe.participant.drain();
  w.low.map(kVa, kPa, pte::kNormal);
  EXPECT_EQ(w.pe.access(kVa).host, w.at(kPa));
  EXPECT_EQ(w.pe.access(kVa + 0x40).host, w.at(kElsewhere + 0x40));
  EXPECT_EQ(w.pe.access(kVa + 0x60).host, w.at(kPa + 0x60));
  EXPECT_EQ(w.pe.fast(kVa), nullptr);
  tcg::FetchTarget t = w.pe.fetch(kVa + 0x48);
  EXPECT_FALSE(t.whole_page);
  EXPECT_EQ(t.bytes, 0x18u);
  EXPECT_EQ(t.host, w.at(kElsewhere + 0x48));
  EXPECT_EQ(w.pe.fetch(kVa + 0x3c).bytes, 4u);
  // Across the edge: piece by piece.
  *w.at(kPa + 0x3f) = 0xaa, *w.at(kElsewhere + 0x40) = 0xbb;
  EXPECT_EQ(w.pe.load(kVa + 0x3f, 2), 0xbbaau);
}

TEST(MmuChain, TlbiOfAnyAddressOfALeafRemovesAllItsFragments) {
  BehindIommu w;
  w.remap(kPa + 0x5000, 0x20, kElsewhere + 0x5000);
  w.pe.participant.drain();
  constexpr u64 block = 0x200000;
  w.low.map(block, kPa, pte::kNormal, 2);
  EXPECT_EQ(w.pe.access(block + 0x1000).host, w.at(kPa + 0x1000));
  EXPECT_EQ(w.pe.access(block + 0x5000).host, w.at(kElsewhere + 0x5000));
  EXPECT_EQ(w.pe.access(block + 0x9000).host, w.at(kPa + 0x9000));
  w.low.map(block, kPa + 0x200000, pte::kNormal, 2);
  EXPECT_EQ(w.pe.access(block + 0x9000).host, w.at(kPa + 0x9000)) << "cached";
  w.pe.tlbi(kTlbiLocal, kTlbiVal, tlbi_operand(block + 0x100000));
  EXPECT_EQ(w.pe.access(block + 0x1000).host, w.at(kPa + 0x201000));
  EXPECT_EQ(w.pe.access(block + 0x5000).host, w.at(kPa + 0x205000));
  EXPECT_EQ(w.pe.access(block + 0x9000).host, w.at(kPa + 0x209000));
}

TEST(MmuChain, ARefusalIsToldOnceAndIsAnExternalAbort) {
  BehindIommu w;
  w.remap(kPa, 0x1000, kPa, Read);
  w.pe.participant.drain();
  w.low.map(kVa, kPa, pte::kNormal);
  EXPECT_EQ(w.pe.why(kVa, Read), Kind::None);
  EXPECT_EQ(w.pe.fast(kVa, Write), nullptr);
  EXPECT_EQ(w.iommu->refusals, 0);
  EXPECT_EQ(w.pe.why(kVa, Write), Kind::External);
  EXPECT_EQ(w.iommu->refusals, 1);
  EXPECT_EQ(w.pe.why(kVa, Execute), Kind::External) << "X does not follow from R";
  EXPECT_EQ(w.iommu->refusals, 2);
  // Relaxing needs no message.
  w.iommu->raz_wi = false;
  EXPECT_EQ(w.pe.why(kVa, Read), Kind::None);
  EXPECT_EQ(w.iommu->refusals, 2);
}

TEST(MmuChain, ARefusalMayBeSilent) {
  BehindIommu w;
  w.remap(kPa, 0x1000, kPa, None);
  w.pe.participant.drain();
  w.iommu->raz_wi = true;
  std::memset(w.at(kPa), 0xee, 8);
  w.low.map(kVa, kPa, pte::kNormal);
  EXPECT_EQ(w.pe.load(kVa), 0u);
  EXPECT_EQ(w.iommu->refusals, 1);
  tcg::DataTarget t = w.pe.access(kVa, Write);
  EXPECT_TRUE(w.pe.mmu.mmio_store(t, kVa, 8, {1, 0}, w.pe.fault));
  EXPECT_EQ(*w.at(kPa), 0xee);
  EXPECT_EQ(w.iommu->refusals, 2);
}

TEST(MmuChain, ARefusedWalkSaysItsLevel) {
  BehindIommu w;
  w.low.map(kVa, kPa, pte::kNormal);
  u64 level2 = w.low.entry(kVa, 1) & ones(48) & ~ones(12);
  w.remap(level2, 0x1000, level2, None);
  w.pe.participant.drain();
  EXPECT_EQ(w.pe.why(kVa), Kind::ExternalOnWalk);
  EXPECT_EQ(w.pe.fault.level, 2);
  EXPECT_EQ(w.iommu->refusals, 1);
  EXPECT_TRUE(w.iommu->last_refused->attrs.page_table_walk);
}

TEST(MmuChain, ATableThatMovesBehindTheIommuIsReadAnew) {
  BehindIommu w;
  w.low.map(kVa, kPa, pte::kNormal);
  w.low.map(kVa + 0x1000, kPa, pte::kNormal);
  EXPECT_TRUE(w.pe.ok(kVa));
  u64 level3 = w.low.entry(kVa, 2) & ones(48) & ~ones(12), copy = w.low.take_table();
  std::memcpy(w.at(copy), w.at(level3), 0x1000);
  w.low.at(copy + extract(kVa + 0x1000, 12, 9) * 8) = kElsewhere | pte::kNormal | pte::kPage;
  w.remap(level3, 0x1000, copy);
  w.pe.participant.drain();
  EXPECT_EQ(w.pe.access(kVa + 0x1000).host, w.at(kElsewhere)) << "not through the walk cache";
}

TEST(MmuChain, AnIommuMayAnswerDifferentlyToPrivilegedAccesses) {
  // The index does not depend on it here; what matters is that the entry of one kind of access is not used
  // for the other.
  BehindIommu w;
  w.low.map(kVa, kPa, pte::kNormal | pte::kEl0 | pte::kNotGlobal);
  EXPECT_TRUE(w.pe.ok(kVa));
  int before = w.iommu->translations;
  EXPECT_TRUE(w.pe.ok(kVa));
  EXPECT_EQ(w.iommu->translations, before);
  w.pe.el(0);
  EXPECT_TRUE(w.pe.ok(kVa));
  EXPECT_GT(w.iommu->translations, before);
  w.pe.tlbi(kTlbiLocal, kTlbiVal, tlbi_operand(kVa));
  w.low.map(kVa, kElsewhere, pte::kNormal | pte::kEl0 | pte::kNotGlobal);
  EXPECT_EQ(w.pe.access(kVa).host, w.at(kElsewhere));
  w.pe.el(1);
  EXPECT_EQ(w.pe.access(kVa).host, w.at(kElsewhere)) << "the TLBI reached both";
}

TEST(MmuChain, AChangeOfTheMemoryMapRemovesWhatItTouches) {
  MmuWorld w;
  w.low.map(kVa, kPa, pte::kNormal);
  w.low.map(kVa + 0x1000, kElsewhere, pte::kNormal);
  EXPECT_TRUE(w.pe.ok(kVa));
  EXPECT_TRUE(w.pe.ok(kVa + 0x1000));
  {
    Topology::Transaction tx(w.topology);
    tx.add(*w.root, kPa, std::make_shared<MmioRegion>("overlay", u64{0x1000}, w.device, &w.device_lock), 1);
  }
  w.pe.participant.drain();
  EXPECT_EQ(w.pe.fast(kVa), nullptr);
  EXPECT_NE(w.pe.fast(kVa + 0x1000), nullptr);
  EXPECT_EQ(w.pe.access(kVa).kind, tcg::DataTarget::Kind::Mmio);
}

TEST(MmuChain, DmaToAPageWithCodeReachesThePe) {
  MmuWorld w;
  w.low.map(kVa, kPa, pte::kNormal);
  w.pe.fetch(kVa);
  EXPECT_FALSE(w.pe.participant.has_mail());
  w.ram->note_write(kPa - kRamBase + 0x10, 4);
  EXPECT_TRUE(w.pe.participant.has_mail());
}

}  // namespace
}  // namespace sluice::test
