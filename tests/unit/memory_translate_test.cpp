// The walk through chains of IOMMUs against a resolver that follows one byte at a time.
#include <gtest/gtest.h>

#include "tests/support/memory_world.h"

namespace sluice {
namespace {

using test::ChainWorld;
using test::kNs;
using test::Random;
using Target = Translation::Target;

struct Byte {
  bool ok = false;
  u64 ram_offset = 0;
  Access rights = Access::All;
  unsigned hops = 0;
  bool operator==(const Byte&) const = default;
};

// Own copy of every mapping, so that the reference does not ask the code under test.
struct Reference {
  struct Mapping {
    InclusiveRange input;
    u64 output;
    Access rights;
  };
  std::vector<std::vector<Mapping>> stages;
  u64 ram_size;
  Byte resolve(u64 a) const {
    Byte b;
    for (const auto& stage : stages) {
      const Mapping* hit = nullptr;
      for (const Mapping& m : stage)
        if (m.input.contains(a)) hit = &m;
      b.hops++;
      if (!hit) return {false, 0, Access::None, b.hops};
      a = hit->output + (a - hit->input.first);
      b.rights = b.rights & hit->rights;
    }
    if (a >= ram_size) return {false, 0, b.rights, b.hops};
    b.ok = true;
    b.ram_offset = a;
    return b;
  }
};

TEST(Translate, ChainsAgreeWithAPerByteResolver) {
  for (unsigned depth = 0; depth <= 8; depth++) {
    Random random(1000 + depth);
    ChainWorld w(depth);
    Reference reference{.stages = std::vector<std::vector<Reference::Mapping>>(depth),
                        .ram_size = w.ram->size()};
    for (unsigned i = 0; i < depth; i++) {
      u64 at = 0;
      while (at < 0x20000) {
        u64 size = random.chance(50) ? u64{1} << random.below(15) : random.between(1, 0x3000);
        if (random.chance(85)) {
          Reference::Mapping m{{at, at + size - 1}, random.below(0x1c000), Access(1 | random.below(8))};
          reference.stages[i].push_back(m);
          w.map(i, m.input, m.output, m.rights);
        }
        at += size;
      }
    }
    for (int probe = 0; probe < 400; probe++) {
      u64 a = random.below(0x20000), length = random.between(1, 0x4000);
      Translation t = translate({w.top(), a, length, Access::None, kNs, Intent::Prefetch});
      Byte want = reference.resolve(a);
      ASSERT_EQ(t.is_ok(), want.ok);
      ASSERT_TRUE(t.block.contains(a));
      ASSERT_EQ(t.length, std::min(length, t.block.last - a + 1));
      EXPECT_EQ(t.hops.size(), want.hops);
      if (!want.ok) continue;
      ASSERT_EQ(t.target, Target::Ram);
      ASSERT_EQ(t.offset, want.ram_offset);
      EXPECT_EQ(t.rights, want.rights);
      EXPECT_EQ(t.host, w.ram->host() + want.ram_offset);
      for (u64 b : {t.block.first, t.block.last, t.block.first + (t.block.last - t.block.first) / 2}) {
        Byte there = reference.resolve(b);  // the whole block goes the same way
        ASSERT_TRUE(there.ok);
        ASSERT_EQ(there.ram_offset - want.ram_offset, b - a);
        ASSERT_EQ(there.rights, want.rights);
      }
    }
  }
}

TEST(Translate, ProvenanceNamesEveryHopWithItsBlockAndEpoch) {
  ChainWorld w(3);
  w.map(0, {0x10000, 0x1ffff}, 0x400000);
  w.map(1, {0x400000, 0x5fffff}, 0x7000);
  w.map(2, {0x7000, 0x70ff}, 0x3000, Access::Read);
  Translation t = translate({w.top(), 0x10010, 8, Access::Read, kNs, Intent::Access});
  ASSERT_TRUE(t.is_ok());
  ASSERT_EQ(t.hops.size(), 3u);
  EXPECT_EQ(t.offset, 0x3010u);
  EXPECT_EQ(t.block, (InclusiveRange{0x10000, 0x100ff}));  // the smallest block, in the first space's terms
  EXPECT_EQ(t.rights, Access::Read);
  EXPECT_EQ(t.hops[1].region, w.iommus[1].get());
  EXPECT_EQ(t.hops[1].input, (InclusiveRange{0x400000, 0x5fffff}));
  EXPECT_EQ(t.hops[2].epoch, w.iommus[2]->epoch());
  EXPECT_EQ(t.final_space, w.spaces[3].get());
  EXPECT_EQ(t.final_address, 0x3010u);
}

TEST(Translate, AnIommuBehindAnIommuRegionOffsetIsAskedInItsOwnTerms) {
  InvalidationHub hub;
  Topology topology(hub);
  auto ram = test::make_ram(0x10000);
  AddressSpace memory(topology, "memory", std::make_shared<RamRegion>("ram", ram));
  auto iommu = std::make_shared<test::TestIommu>(hub, 0x4000);
  auto root = std::make_shared<Container>("root", kWholeSpace);
  AddressSpace space(topology, "space", root);
  {
    Topology::Transaction tx(topology);
    tx.add(*root, 0x80000000, iommu);
  }
  iommu->map(iommu->index_for(kNs), {{0, ~u64{0}}, 0x100, Access::All, &memory});
  Translation t = translate({space, 0x80003ff0, 0x100, Access::Read, kNs, Intent::Access});
  EXPECT_EQ(t.offset, 0x40f0u);
  EXPECT_EQ(t.length, 0x10u);  // the region ends
  EXPECT_EQ(t.block, (InclusiveRange{0x80000000, 0x80003fff}));
}

TEST(Translate, SixteenHopsWorkAndSeventeenDoNot) {
  for (unsigned depth : {16u, 17u}) {
    ChainWorld w(depth);
    for (unsigned i = 0; i < depth; i++) w.map(i, {0, 0xffff}, 0);
    Translation t = translate({w.top(), 0x123, 1, Access::Read, kNs, Intent::Access});
    EXPECT_EQ(t.is_ok(), depth == 16);
    EXPECT_EQ(t.result, depth == 16 ? MemTxResult::ok()
                                    : MemTxResult::decode_error(MemTxResult::Reason::ChainTooDeep, 16));
  }
}

TEST(Translate, AnOutputThatWrapsAroundTheTopEndsItsBlockThere) {
  ChainWorld w(1);
  w.map(0, {0, 0xffff}, ~u64{0} - 0xff);
  Translation t = translate({w.top(), 0x10, 0x1000, Access::Read, kNs, Intent::Prefetch});
  EXPECT_EQ(t.result.reason, MemTxResult::Reason::Unmapped);
  EXPECT_EQ(t.block.last, 0xffu);
  t = translate({w.top(), 0x100, 0x1000, Access::Read, kNs, Intent::Prefetch});
  EXPECT_EQ(t.offset, 0u);
  EXPECT_EQ(t.block.first, 0x100u);
}

TEST(Translate, AnIommuMayMoveTheTransactionToAnotherPhysicalAddressSpace) {
  ChainWorld w(2);
  w.iommus[0]->space_override = PaSpace::Secure;
  w.map(0, {0, 0xffff}, 0);
  w.map(1, {0, 0xffff}, 0x1000, Access::All, test::kSecure);
  Translation t = translate({w.top(), 0, 1, Access::Read, kNs, Intent::Access});
  ASSERT_TRUE(t.is_ok());
  EXPECT_EQ(t.attrs.space, PaSpace::Secure);
  EXPECT_EQ(t.offset, 0x1000u);
}

}  // namespace
}  // namespace sluice
