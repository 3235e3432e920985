// memory/host_iommu.h and memory/iommu_listener.h without any particular IOMMU.
#include "memory/host_iommu.h"

#include <gtest/gtest.h>

#include "tests/support/memory_world.h"

namespace sluice {
namespace {

using test::ChainWorld;
using test::kDevice;
constexpr u64 kTop = ~u64{0};
using Ranges = std::vector<InclusiveRange>;

Ranges cut(InclusiveRange range) {
  Ranges blocks;
  for_each_power_of_two(range, [&](InclusiveRange b) { blocks.push_back(b); });
  return blocks;
}

TEST(PowerOfTwoBlocks, CoverARangeOnceInAlignedBlocks) {
  EXPECT_EQ(cut({0, 0}), (Ranges{{0, 0}}));
  EXPECT_EQ(cut({0x1000, 0x3fff}), (Ranges{{0x1000, 0x1fff}, {0x2000, 0x3fff}}));
  EXPECT_EQ(cut({0, kTop}), (Ranges{{0, kTop}}));
  EXPECT_EQ(cut({kTop, kTop}), (Ranges{{kTop, kTop}}));
  EXPECT_EQ(cut({0, kTop - 1}).size(), 64u);
  EXPECT_EQ(cut({1, kTop}).size(), 64u);
  EXPECT_EQ(cut({1, kTop - 1}).size(), 126u);
  test::Random random(11);
  for (int i = 0; i < 20000; i++) {
    u64 a = random.below(kTop) >> random.below(64), b = random.below(kTop) >> random.below(64);
    InclusiveRange range{std::min(a, b), std::max(a, b)};
    u64 next = range.first;
    bool wrapped = false;
    for (InclusiveRange block : cut(range)) {
      ASSERT_FALSE(wrapped);
      u64 minus_one = block.last - block.first;
      ASSERT_EQ(block.first, next);
      ASSERT_EQ(minus_one & (minus_one + 1), 0u);
      ASSERT_EQ(block.first & minus_one, 0u);
      next = block.last + 1;
      wrapped = next == 0;
    }
    ASSERT_EQ(next, range.last + 1);
  }
}

TEST(PageSizeMask, IsTheIntersectionAndNamesBothMasksWhenNothingIsLeft) {
  PageSizeMask sizes(0x40201000);
  EXPECT_EQ(sizes.restrict_to(0x201000, "a"), "");
  EXPECT_EQ(sizes.mask(), 0x201000u);
  EXPECT_EQ(sizes.restrict_to(0x10000, "b"),
            "no page size in common: page sizes 0x10000 of b, 0x201000 of the IOMMU");
  EXPECT_EQ(sizes.restrict_to(0x200000, "c"), "");
  EXPECT_EQ(sizes.granule(), 0x200000u);
}

TEST(PageSizeMask, FrozenItKeepsItsGranule) {
  PageSizeMask sizes(0x201000);
  sizes.freeze();
  EXPECT_EQ(sizes.restrict_to(0x200000, "b"),
            "the granule would change from 0x1000, which the guest relies on: page sizes 0x200000 of b, "
            "0x201000 of the IOMMU");
  EXPECT_EQ(sizes.restrict_to(0x1000, "c"), "");
  EXPECT_EQ(sizes.mask(), 0x201000u);
}

struct Container : ChainWorld {
  SoftHostIommu host{hub, {"host", ~u64{0xfff}, {{0x100000, 0x1fffff}}}};
  IommuMapped mapped(u64 first, u64 last, u64 output, Access rights = Access::ReadWrite, bool mmio = false) {
    return {IommuIndex{0}, {first, last}, {output}, rights, mmio, &below(0)};
  }
  Ranges blocks() {
    Ranges list;
    EpochDomain::Guard guard(hub.epochs());
    host.for_each_block([&](const Mapping& m) { list.push_back(m.input); });
    return list;
  }
};

TEST(SoftHostIommu, MapsInBlocksWithRightsAndTarget) {
  Container w;
  EXPECT_EQ(w.host.map(w.mapped(0x1000, 0x3fff, 0x8000, Access::Read)), "");
  EXPECT_EQ(w.blocks(), (Ranges{{0x1000, 0x1fff}, {0x2000, 0x3fff}}));
  AddressSpace space(w.topology, "behind", unowned(w.host));
  DmaPort port(space, kDevice);
  w.fill(0x9008, 77);
  u64 value = 0;
  EXPECT_TRUE(port.load(0x2008, 8, value).is_ok());
  EXPECT_EQ(value, 77u);
  EXPECT_FALSE(port.store(0x2008, 8, 1).is_ok());
  EXPECT_FALSE(port.load(0x4000, 8, value).is_ok());
  EXPECT_EQ(w.host.counters().refused_accesses, 2u);
}

TEST(SoftHostIommu, RefusesWhatItCannotHoldAndSaysWhy) {
  Container w;
  EXPECT_EQ(w.host.map(w.mapped(0x1000, 0x1ffe, 0)), "[0x1000, 0x1ffe] -> 0x0 is not aligned to 0x1000");
  EXPECT_NE(w.host.map(w.mapped(0x1000, 0x1fff, 0x10)), "");
  EXPECT_EQ(w.host.map(w.mapped(0xff000, 0x100fff, 0)),
            "[0xff000, 0x100fff] overlaps the reserved range [0x100000, 0x1fffff]");
  EXPECT_EQ(w.host.map(w.mapped(0x1000, 0x1fff, 0)), "");
  EXPECT_EQ(w.host.map(w.mapped(0, 0x7fff, 0)), "[0x0, 0x7fff] is in use");
  EXPECT_EQ(w.host.counters().refused_maps, 4u);
  EXPECT_EQ(w.blocks(), (Ranges{{0x1000, 0x1fff}}));
}

TEST(SoftHostIommu, UnmapsTheSameBlocksThatItMapped) {
  Container w;
  test::Random random(3);
  for (int i = 0; i < 500; i++) {
    u64 first = random.below(0xf0) << 12, last = first + (random.between(1, 15) << 12) - 1;
    EXPECT_EQ(w.host.map(w.mapped(first, last, 0)), "");
    w.host.unmap({first, last});
    ASSERT_EQ(w.host.blocks(), 0u);
  }
}

TEST(SoftHostIommu, KeepsWhatAnUnmapDoesNotName) {
  Container w;
  EXPECT_EQ(w.host.map(w.mapped(0, 0x7fff, 0x10000)), "");
  w.host.unmap({0x3000, 0x3fff});
  EXPECT_EQ(w.blocks(), (Ranges{{0, 0x1fff}, {0x2000, 0x2fff}, {0x4000, 0x7fff}}));
  IommuEntry e = w.host.translate(Iova{0x5000}, Access::Read, IommuIndex{0}, kDevice, Intent::Debug);
  EXPECT_EQ(e.output.value + (0x5000 - e.input.first), 0x15000u);
  w.host.unmap({0x1000, kTop});
  EXPECT_EQ(w.blocks(), (Ranges{{0, 0xfff}}));
}

TEST(SoftHostIommu, HoldsAllOf2To64) {
  ChainWorld w;
  SoftHostIommu host(w.hub, {});
  EXPECT_EQ(host.map({IommuIndex{0}, {0, kTop}, {0}, Access::All, false, &w.below(0)}), "");
  EXPECT_EQ(host.blocks(), 1u);
  host.unmap({0, kTop});
  EXPECT_EQ(host.blocks(), 0u);
}

// Its own users hear of what it loses, before whoever caused it gets a ticket.
TEST(SoftHostIommu, RevokesTheMappingsOfTheDevicesBehindIt) {
  Container w;
  EXPECT_EQ(w.host.map(w.mapped(0, 0xffff, 0)), "");
  AddressSpace space(w.topology, "behind", unowned(w.host));
  DmaMapper mapper(DmaPort(space, kDevice));
  auto kept = mapper.map(0x1000, 0x1000, Access::Write), other = mapper.map(0xf000, 0x1000, Access::Write);
  ASSERT_TRUE(kept.mapping.pin());
  w.host.unmap({0, 0x7fff});
  EXPECT_FALSE(kept.mapping.pin());
}

// S17, D10: an IOMMU with tables in guest memory cannot tell what becomes mapped.
TEST(IommuListener, IsRefusedMapEventsWithTheReasonOfTheIommu) {
  ChainWorld w;
  SoftHostIommu host(w.hub, {});
  std::string why = host.mirror(w.iommu(), kDevice);
  EXPECT_EQ(why.rfind("iommu0 cannot tell what becomes mapped", 0), 0u) << why;
  EXPECT_EQ(w.iommu().unmaps().subscriptions(), 0u);
  auto cache = IommuListener::listen(w.iommu(), w.iommu().index_for(kDevice),
                                     IommuEvents::Unmap | IommuEvents::DeviceTlbUnmap, {}, {{}, [](auto) {}});
  EXPECT_TRUE(bool(cache));
}

TEST(IommuListener, HearsItsOwnContextAndWhatConcernsAll) {
  ChainWorld w;
  std::vector<InclusiveRange> heard;
  auto listener = IommuListener::listen(w.iommu(), IommuIndex{5}, IommuEvents::Unmap, {0x1000, 0x2fff},
                                        {{}, [&](InclusiveRange r) { heard.push_back(r); }});
  (void)w.iommu().publish_unmap({IommuIndex{6}, false, {0x1000, 0x1fff}});
  (void)w.iommu().publish_unmap({IommuIndex{5}, false, {0x2000, 0x4fff}});
  (void)w.iommu().publish_unmap({IommuIndex{5}, false, {0x3000, 0x4fff}});
  (void)w.iommu().publish_unmap({.all_indexes = true});
  EXPECT_EQ(heard, (Ranges{{0x2000, 0x2fff}, {0x1000, 0x2fff}}));
  listener = Failure{std::string()};
  EXPECT_EQ(w.iommu().unmaps().subscriptions(), 0u);
}

// An IOMMU with ATS commands tells device TLBs by those, and caches of translations by its own.
TEST(IommuListener, DeviceTlbsHearTheCommandsForThemWhereThereAreSuch) {
  struct WithAts final : IommuRegion {
    explicit WithAts(InvalidationHub& hub) : IommuRegion("ats", kWholeSpace, hub) {}
    bool has_device_tlb_commands() const override { return true; }
    IommuIndex index_for(MemTxAttrs) const override { return {}; }
    IommuEntry translate(Iova, Access, IommuIndex, MemTxAttrs, Intent) const override { return {}; }
    MemTxResult refuse(Iova, Access, MemTxAttrs, const IommuEntry&) override {
      return MemTxResult::access_error();
    }
  };
  InvalidationHub hub;
  WithAts iommu(hub);
  int tlb = 0, cache = 0;
  auto a = IommuListener::listen(iommu, {}, IommuEvents::DeviceTlbUnmap, {}, {{}, [&](auto) { tlb++; }});
  auto b = IommuListener::listen(iommu, {}, IommuEvents::Unmap, {}, {{}, [&](auto) { cache++; }});
  (void)iommu.publish_unmap({});
  EXPECT_EQ(tlb, 0);
  EXPECT_EQ(cache, 1);
  iommu.device_tlb_unmaps().publish({});
  EXPECT_EQ(tlb, 1);
  EXPECT_EQ(cache, 1);
}

}  // namespace
}  // namespace sluice
