// The translation cache against a list of entries that is searched from end to end.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "memory/block_index.h"
#include "tests/support/memory_world.h"

namespace sluice {
namespace {

using test::Random;

CacheEntry entry(u32 asid, InclusiveRange input, u64 output = 0) {
  return {.scope = {.asid = asid}, .input = input, .output = output, .rights = Access::All};
}
Hop hop(u64 region, u64 index, InclusiveRange input) {
  return {reinterpret_cast<IommuRegion*>(region), IommuIndex(index), input, 1, input.first};
}
const IommuRegion* region(u64 n) { return reinterpret_cast<const IommuRegion*>(n); }

TEST(TranslationCache, BlocksOfARangeCoverItOnceAndAreAligned) {
  Random random(11);
  for (int i = 0; i < 2000; i++) {
    u64 a = random.below(2) ? random.below(1000) : random.between(0, ~u64{0} - 1),
        b = a + random.below(100000);
    InclusiveRange range{a, b < a ? ~u64{0} : b};
    u64 next = range.first;
    int blocks = 0;
    for_each_block(range, [&](Block block) {
      EXPECT_EQ(block.number << block.size_class, next);
      next += u64{1} << block.size_class;
      blocks++;
    });
    EXPECT_EQ(next - 1, range.last);
    EXPECT_LE(blocks, 126);
  }
  int halves = 0;
  for_each_block({0, ~u64{0}}, [&](Block block) { halves += block.size_class == 63; });
  EXPECT_EQ(halves, 2);
}

TEST(TranslationCache, FindsTheLastByteOfTheAddressSpaceAndNothingBeyondARange) {
  TranslationCache cache;
  cache.insert(entry(1, {~u64{0} - 0xfff, ~u64{0}}));
  EXPECT_TRUE(cache.lookup({.asid = 1}, ~u64{0}));
  EXPECT_FALSE(cache.lookup({.asid = 1}, ~u64{0} - 0x1000));
  EXPECT_FALSE(cache.lookup({.asid = 1}, 0));
  EXPECT_EQ(cache.remove_range({.asid = 1}, {~u64{0}, ~u64{0}}), 1u);
  cache.insert(entry(1, {0, ~u64{0}}));
  EXPECT_TRUE(cache.lookup({.asid = 1}, 0x1234567890));
  EXPECT_EQ(cache.remove_address({.asid = 1}, ~u64{0}), 1u);
  EXPECT_EQ(cache.size(), 0u);
}

TEST(TranslationCache, GlobalEntriesServeEveryAsidOfTheirWorldAndVmid) {
  TranslationCache cache;
  CacheEntry e = entry(1, {0x1000, 0x1fff});
  e.scope.global = true;
  e.scope.vmid = 5;
  cache.insert(e);
  EXPECT_TRUE(cache.lookup({.vmid = 5, .asid = 99}, 0x1800));
  EXPECT_FALSE(cache.lookup({.vmid = 6, .asid = 1}, 0x1800));
  EXPECT_FALSE(cache.lookup({.world = 1, .vmid = 5, .asid = 1}, 0x1800));
  EXPECT_EQ(cache.remove_asid(0, 5, 1), 0u);
  EXPECT_EQ(cache.remove_address({.vmid = 5, .asid = 3}, 0x1000), 1u);
}

TEST(TranslationCache, FiltersByLevelLastLevelAndTags) {
  TranslationCache cache;
  auto add = [&](u64 page, u8 level, bool last, u8 tags) {
    CacheEntry e = entry(1, {page << 12, (page << 12) | 0xfff});
    e.level = level, e.last_level = last, e.tags = tags;
    cache.insert(e);
  };
  add(1, 3, true, 0), add(2, 2, true, 1), add(3, 2, false, 1), add(4, 1, false, 2);
  InclusiveRange all{};
  EXPECT_EQ(cache.remove_range({.asid = 1}, all, {.level = 3}), 1u);
  EXPECT_EQ(cache.remove_range({.asid = 1}, all, {.last_level_only = true}), 1u);
  EXPECT_EQ(cache.remove_range({.asid = 1}, all, {.tag_mask = 3, .tag_value = 2}), 1u);
  EXPECT_EQ(cache.size(), 1u);
}

TEST(TranslationCache, TheCallbackNamesTheEntryAndStaleNamesStayDead) {
  TranslationCache cache;
  std::vector<EntryId> gone;
  cache.set_on_remove([&](EntryId id, const CacheEntry& e, RemoveReason why) {
    gone.push_back(id);
    EXPECT_EQ(e.payload[2], 77u);
    EXPECT_TRUE(why == RemoveReason::Replaced || why == RemoveReason::Asid);
  });
  CacheEntry e = entry(1, {0x1000, 0x1fff});
  e.payload[2] = 77;
  EntryId first = cache.insert(e), second = cache.insert(e);
  EXPECT_EQ(cache.get(first), nullptr);
  EXPECT_NE(cache.get(second), nullptr);
  EXPECT_EQ(cache.size(), 1u);
  EXPECT_EQ(cache.remove_asid(0, 0, 1), 1u);
  EXPECT_EQ(gone, (std::vector<EntryId>{first, second}));
  EXPECT_EQ(cache.get(second), nullptr);
  EXPECT_EQ(cache.remove(second), 0u);
  EXPECT_EQ(cache.counters().removed[size_t(RemoveReason::Replaced)], 1u);
}

TEST(TranslationCache, EvictsAtTheCapCountsItAndReusesItsMemory) {
  TranslationCache cache(TranslationCache::Policy::Direct, 64);
  for (u64 i = 0; i < 10000; i++) {
    u64 base = i * 0x10000;
    cache.insert(entry(u32(i), {base + 1, base + 0xfffe}), std::array{hop(8, i, {base + 3, base + 0x7ffd})});
    EXPECT_LE(cache.size(), 64u);
  }
  EXPECT_EQ(cache.counters().evicted() + cache.size(), 10000u);
  EXPECT_GT(cache.counters().evicted(), 9000u);
}

// The oracle: what the cache must hold, as a list.
struct Known {
  EntryId id;
  CacheEntry entry;
  std::vector<Hop> hops;
};
bool matches(const Scope& have, const Scope& asked) {
  return have.world == asked.world && have.vmid == asked.vmid &&
         (have.global || (!asked.global && have.asid == asked.asid));
}
bool passes(const CacheEntry& e, RemoveFilter f) {
  return (!f.last_level_only || e.last_level) && (f.level < 0 || e.level == f.level) &&
         (e.tags & f.tag_mask) == f.tag_value;
}

class Oracle {
 public:
  explicit Oracle(u64 seed, TranslationCache::Policy policy, u32 capacity)
      : random_(seed), cache_(policy, capacity) {
    cache_.set_on_remove([this](EntryId id, const CacheEntry&, RemoveReason) {
      auto it = std::find_if(list_.begin(), list_.end(), [&](const Known& k) { return k.id == id; });
      ASSERT_NE(it, list_.end());
      list_.erase(it);
      removed_++;
    });
  }
  // Percentages: insertions below the first, look-ups below the second, the rest removals.
  void run(int steps, unsigned insert_below = 45, unsigned look_below = 85) {
    for (int i = 0; i < steps && !testing::Test::HasFailure(); i++) {
      unsigned what = unsigned(random_.below(100));
      if (what < insert_below) {
        insert();
      } else if (what < look_below) {
        look();
      } else {
        remove();
      }
    }
    EXPECT_EQ(cache_.size(), list_.size());
    size_t seen = 0;
    cache_.for_each([&](EntryId, const CacheEntry&) { seen++; });
    EXPECT_EQ(seen, list_.size());
  }

 private:
  Scope scope() {
    return {.world = u8(random_.below(3)),
            .vmid = u32(random_.below(2)),
            .asid = u32(random_.below(4)),
            .global = random_.chance(15)};
  }
  // Crowded low addresses, the very top, and sizes from one byte to everything; not only powers of two.
  InclusiveRange range() {
    u64 first, size;
    switch (random_.below(4)) {
      case 0: size = u64{1} << random_.below(22), first = random_.below(64) * size; break;
      case 1: size = random_.between(1, 0x5000), first = random_.below(0x40000); break;
      case 2:
        size = random_.between(1, u64{1} << random_.below(63)), first = ~u64{0} - random_.below(0x10000);
        break;
      default: size = 0x1000, first = random_.below(128) * 0x1000; break;
    }
    u64 last = first + (size - 1);
    return {first, last < first ? ~u64{0} : last};
  }
  u64 address() {
    if (!list_.empty() && random_.chance(70)) {
      InclusiveRange r = list_[random_.below(list_.size())].entry.input;
      switch (random_.below(4)) {
        case 0: return r.first;
        case 1: return r.last;
        case 2: return r.last + 1;
        default: return r.first + random_.below(r.last - r.first + 1 ? r.last - r.first + 1 : 1);
      }
    }
    return random_.below(0x50000);
  }
  void insert() {
    CacheEntry e{.scope = scope(),
                 .input = range(),
                 .output = random_.below(1u << 30),
                 .rights = Access::All,
                 .level = u8(random_.below(4)),
                 .last_level = random_.chance(70),
                 .tags = u8(random_.below(4))};
    std::vector<Hop> hops;
    for (u64 n = random_.below(4); n > 0; n--)
      hops.push_back(hop((1 + random_.below(3)) * 64, random_.below(3), range()));
    EntryId id = cache_.insert(e, hops);  // may replace or evict: the callback keeps the list right
    list_.push_back({id, e, hops});
  }
  void look() {
    Scope s = scope();
    u64 a = address();
    auto fits = [&](const Known& k) { return matches(k.entry.scope, s) && k.entry.input.contains(a); };
    auto found = cache_.lookup(s, a);
    ASSERT_EQ(bool(found), std::any_of(list_.begin(), list_.end(), fits)) << std::hex << a;
    if (!found) return;
    auto it = std::find_if(list_.begin(), list_.end(), [&](const Known& k) { return k.id == found.id; });
    ASSERT_NE(it, list_.end());
    EXPECT_TRUE(fits(*it));
    EXPECT_EQ(it->entry.output, found.entry->output);
  }
  template <class Doomed, class Remove>
  void expect_gone(Doomed doomed, Remove remove) {
    std::set<u32> kept, left;
    for (const Known& k : list_)
      if (!doomed(k)) kept.insert(k.id.slot);
    size_t before = list_.size(), callbacks = removed_;
    size_t n = remove();
    for (const Known& k : list_) left.insert(k.id.slot);
    EXPECT_EQ(left, kept);
    EXPECT_EQ(n, before - list_.size());
    EXPECT_EQ(n, removed_ - callbacks);
  }
  void remove() {
    Scope s = scope();
    u64 a = address();
    InclusiveRange r =
        random_.chance(30) ? InclusiveRange{a, std::max(a, a + random_.below(0x200000))} : range();
    RemoveFilter f;
    if (random_.chance(30)) f.last_level_only = true;
    if (random_.chance(30)) f.level = i8(random_.below(4));
    if (random_.chance(20)) f.tag_mask = 1, f.tag_value = u8(random_.below(2));
    auto in_family = [&](const Known& k) {
      return k.entry.scope.world == s.world && k.entry.scope.vmid == s.vmid;
    };
    switch (random_.below(8)) {
      case 0:
        return expect_gone(
            [&](const Known& k) {
              return matches(k.entry.scope, s) && k.entry.input.contains(a) && passes(k.entry, f);
            },
            [&] { return cache_.remove_address(s, a, f); });
      case 1:
        return expect_gone(
            [&](const Known& k) {
              return matches(k.entry.scope, s) && k.entry.input.overlaps(r) && passes(k.entry, f);
            },
            [&] { return cache_.remove_range(s, r, f); });
      case 2:
        return expect_gone(
            [&](const Known& k) { return in_family(k) && k.entry.input.overlaps(r) && passes(k.entry, f); },
            [&] { return cache_.remove_range_all_asids(s.world, s.vmid, r, f); });
      case 3:
        return expect_gone(
            [&](const Known& k) {
              return in_family(k) && !k.entry.scope.global && k.entry.scope.asid == s.asid &&
                     passes(k.entry, f);
            },
            [&] { return cache_.remove_asid(s.world, s.vmid, s.asid, f); });
      case 4:
        if (!random_.chance(20)) return;
        return expect_gone([&](const Known& k) { return in_family(k) && passes(k.entry, f); },
                           [&] { return cache_.remove_vmid(s.world, s.vmid, f); });
      case 5:
        if (!random_.chance(10)) return;
        return expect_gone(
            [&](const Known& k) { return k.entry.scope.world == s.world && passes(k.entry, f); },
            [&] { return cache_.remove_world(s.world, f); });
      case 6:
        if (!random_.chance(5)) return;
        return expect_gone([](const Known&) { return true; }, [&] { return cache_.remove_everything(); });
      default: {
        IommuUnmap u{IommuIndex(random_.below(3)), random_.chance(20), r};
        const IommuRegion* from = region((1 + random_.below(3)) * 64);
        return expect_gone(
            [&](const Known& k) {
              return std::any_of(k.hops.begin(), k.hops.end(), [&](const Hop& h) {
                return h.region == from && (u.all_indexes || h.index == u.index) && h.input.overlaps(u.range);
              });
            },
            [&] { return cache_.remove_derived(from, u); });
      }
    }
  }

  Random random_;
  TranslationCache cache_;
  std::vector<Known> list_;
  size_t removed_ = 0;
};

TEST(TranslationCache, AgreesWithAListPrecise) {
  Oracle(101, TranslationCache::Policy::Precise, 0).run(12000);
}
TEST(TranslationCache, AgreesWithAListDirect) {
  Oracle(102, TranslationCache::Policy::Direct, 40).run(20000);
}

TEST(TranslationCache, LargeRemovalsThroughTheBlockIndexAgreeWithCounting) {
  TranslationCache cache;
  for (u32 asid = 0; asid < 4; asid++)
    for (u64 page = 0; page < 3000; page++) cache.insert(entry(asid, {page << 12, (page << 12) | 0xfff}));
  EXPECT_EQ(cache.remove_range({.asid = 1}, {1000 << 12, (2000 << 12) - 1}), 1000u);
  EXPECT_EQ(cache.remove_range_all_asids(0, 0, {0, (500 << 12) - 1}), 2000u);
  EXPECT_EQ(cache.size(), 12000u - 3000u);
  EXPECT_EQ(cache.remove_everything(), 9000u);
}

TEST(TranslationCache, TheBlockIndexComesWithQueriesOfRangesAndGoesWithFills) {
  constexpr u32 kAsids = 64;
  constexpr u64 kPages = 10;
  TranslationCache cache;
  const Hop through = hop(64, 0, {0, 0xffff'ffff});
  auto page = [](u64 n) { return InclusiveRange{n << 12, (n << 12) | 0xfff}; };
  auto fill = [&](u32 asid, u64 n) { cache.insert(entry(asid, page(n)), std::span(&through, 1)); };
  for (u32 asid = 0; asid < kAsids; asid++)
    for (u64 n = 0; n < kPages; n++) fill(asid, n);
  for (int round = 0; round < 3; round++) {
    EXPECT_EQ(cache.indexed_families(), 0u);
    EXPECT_EQ(cache.remove_range_all_asids(0, 0, page(3)), kAsids);
    for (int n = 0; n < 1000; n++) EXPECT_EQ(cache.remove_range_all_asids(0, 0, page(kPages + n)), 0u);
    EXPECT_EQ(cache.indexed_families(), 1u);
    for (u32 asid = 0; asid < kAsids; asid++) fill(asid, 3);
    EXPECT_EQ(cache.remove_range_all_asids(0, 0, page(3)), kAsids);
    EXPECT_EQ(cache.remove_asid(0, 0, 5), kPages - 1);
    for (int n = 0; n < 3000; n++) fill(6, 7);  // each replaces the one before
    EXPECT_EQ(cache.indexed_families(), 0u);
    EXPECT_EQ(cache.remove_range_all_asids(0, 0, page(7)), kAsids - 1);
    for (u32 asid = 0; asid < kAsids; asid++)
      for (u64 n = 0; n < kPages; n++) fill(asid, n);
    EXPECT_EQ(cache.size(), kAsids * kPages);
  }
  EXPECT_EQ(cache.remove_derived(through.region, {through.index, false, page(2)}), kAsids * kPages);
  EXPECT_EQ(cache.size(), 0u);
}

TEST(TranslationCache, AgreesWithAListWhileTheBlockIndexComesAndGoes) {
  Oracle oracle(103, TranslationCache::Policy::Precise, 0);
  for (int round = 0; round < 6; round++) oracle.run(1500, 90, 95), oracle.run(1500, 2, 4);
}

}  // namespace
}  // namespace sluice
