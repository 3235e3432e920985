// Jump caches: what has been forgotten is never found, what has been added is, until something else takes its
// place.
#include "tcg/jump_cache.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace sluice::tcg {
namespace {

constexpr u64 kPage = kSoftPageSize;

const void* code(u64 n) { return reinterpret_cast<const void*>(n * 16 + 16); }
GuestRam* ram(u64 n) { return reinterpret_cast<GuestRam*>(n * 4096 + 4096); }

bool has(const JumpCacheEntry* table, u64 pc) { return table[jump_cache_index(pc)].pc == pc; }

TEST(JumpCaches, ATableBelongsToItsContextAndMode) {
  JumpCaches caches;
  JumpCacheEntry* a = caches.table_for(1, 7);
  caches.add(a, 0x1000, code(1));
  EXPECT_EQ(a[jump_cache_index(0x1000)].code, code(1));
  EXPECT_FALSE(has(caches.table_for(2, 7), 0x1000));
  EXPECT_FALSE(has(caches.table_for(1, 8), 0x1000));
  EXPECT_EQ(caches.table_for(1, 7), a);
}

TEST(JumpCaches, NothingIsAtAddressZeroUntilItIsAdded) {
  JumpCaches caches;
  JumpCacheEntry* t = caches.table_for(0, 0);
  EXPECT_FALSE(has(t, 0));
  EXPECT_EQ(caches.fetched(t, 0), nullptr);
  caches.add(t, 0, code(1));
  EXPECT_TRUE(has(t, 0));
  caches.clear();
  EXPECT_FALSE(has(t, 0));
}

TEST(JumpCaches, TheLeastRecentlyUsedTableIsRecycledEmpty) {
  JumpCaches caches;
  JumpCacheEntry* first = caches.table_for(0, 0);
  caches.add(first, 0x4000, code(1));
  caches.add_page(first, {0x4000, ram(0), 0, 0});
  for (u64 n = 1; n < JumpCaches::kTables; n++) caches.table_for(n, 0);
  caches.table_for(1, 0);
  EXPECT_EQ(caches.table_for(1000, 0), first);
  EXPECT_FALSE(has(first, 0x4000));
  EXPECT_EQ(caches.fetched(first, 0x4000), nullptr);
}

TEST(JumpCaches, TheTableThatHasBecomeEmptyLastIsTakenFirst) {
  JumpCaches caches;
  JumpCacheEntry* tables[4];
  for (u64 n = 0; n < 4; n++) {
    tables[n] = caches.table_for(n, 0);
    caches.add(tables[n], 0x4000, code(n));
    caches.add_page(tables[n], {0x4000, ram(n), 0, 0});
  }
  auto forget = [&](u64 context, u64 va, u64 size) { caches.forget(va, size, {~u64{0}, context}); };
  forget(1, 0, 0);
  forget(2, 0x1000, u64{1} << 40);
  forget(3, 0x100000, u64{1} << 40);  // not what it has
  const u64 before = caches.recycled();
  EXPECT_EQ(caches.table_for(10, 0), tables[2]);
  EXPECT_EQ(caches.table_for(11, 0), tables[1]);
  EXPECT_EQ(caches.recycled(), before + 2);
  JumpCacheEntry* fresh = caches.table_for(12, 0);
  for (JumpCacheEntry* t : tables) EXPECT_NE(fresh, t);
  EXPECT_EQ(caches.recycled(), before + 2);
  EXPECT_TRUE(has(tables[3], 0x4000));
  EXPECT_NE(caches.fetched(tables[3], 0x4000), nullptr);
}

TEST(JumpCaches, AnEmptyTableInWhoseContextThePeHasBeenSinceStays) {
  JumpCaches caches;
  JumpCacheEntry* a = caches.table_for(1, 0);
  caches.add(a, 0x4000, code(1));
  caches.forget(0, 0, {});
  EXPECT_EQ(caches.table_for(1, 0), a);
  EXPECT_NE(caches.table_for(2, 0), a);
  caches.forget(0, 0, {});
  caches.touch(a);
  EXPECT_NE(caches.table_for(3, 0), a);
}

TEST(JumpCaches, AForgottenRangeMayEndAtTheTopOfTheAddressSpace) {
  JumpCaches caches;
  JumpCacheEntry* t = caches.table_for(0, 0);
  u64 last = ~u64{3};
  for (u64 pages : {1, 4, 16}) {
    caches.add(t, last, code(1));
    caches.add(t, 0x2000, code(2));
    caches.add_page(t, {last & ~kSoftPageMask, ram(0), 0, 0});
    caches.forget(u64{0} - pages * kPage, pages * kPage, {});
    EXPECT_FALSE(has(t, last)) << pages;
    EXPECT_EQ(caches.fetched(t, last), nullptr) << pages;
    EXPECT_TRUE(has(t, 0x2000)) << pages;
  }
}

// Against sets that remember everything that was added and not forgotten since.
TEST(JumpCaches, NeverFindWhatWasForgotten) {
  u64 seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  auto below = [&](u64 n) { return random() % n; };
  JumpCaches caches;
  struct Model {
    std::map<u64, const void*> entries;
    std::set<u64> pages;
  };
  std::map<std::pair<u64, u64>, Model> models;
  auto some_pc = [&] { return (below(4) ? 0 : 0xffff'8000'0000'0000) + below(40) * kPage + below(8) * 512; };
  for (unsigned step = 0; step < 40000; step++) {
    std::pair<u64, u64> key{below(12), below(3)};
    JumpCacheEntry* table = caches.table_for(key.first, key.second);
    Model& model = models[key];
    u64 pc = some_pc();
    switch (below(8)) {
      case 0: {
        u64 size = below(4) ? kPage : kPage << below(5), va = pc & ~(size - 1);
        ContextMatch contexts = below(2) ? ContextMatch{~u64{0}, key.first} : ContextMatch{};
        caches.forget(va, size, contexts);
        for (auto& [k, m] : models) {
          if (!contexts(k.first)) continue;
          std::erase_if(m.entries, [&](auto& e) { return e.first - va < size; });
          std::erase_if(m.pages, [&](u64 page) { return page - va < size; });
        }
        break;
      }
      case 1: {
        u64 n = below(50);
        caches.forget_code(pc, code(n));
        for (auto& [k, m] : models)
          if (auto e = m.entries.find(pc); e != m.entries.end() && e->second == code(n)) m.entries.erase(e);
        break;
      }
      case 2:
        caches.add_page(table, {pc & ~kSoftPageMask, ram(pc / kPage % 7), pc & ~kSoftPageMask, key.second});
        model.pages.insert(pc & ~kSoftPageMask);
        ASSERT_NE(caches.fetched(table, pc), nullptr);
        break;
      default:
        u64 n = below(50);
        caches.add(table, pc, code(n));
        model.entries[pc] = code(n);
        ASSERT_TRUE(has(table, pc));
    }
    for (unsigned k = 0; k < 4; k++) {
      u64 at = some_pc();
      if (has(table, at)) {
        ASSERT_TRUE(model.entries.contains(at)) << "step " << step;
        ASSERT_EQ(table[jump_cache_index(at)].code, model.entries[at]) << "step " << step;
      }
      if (const FetchedPage* page = caches.fetched(table, at)) {
        ASSERT_TRUE(model.pages.contains(at & ~kSoftPageMask)) << "step " << step;
        ASSERT_EQ(page->ram, ram(at / kPage % 7));
      }
    }
  }
}

}  // namespace
}  // namespace sluice::tcg
