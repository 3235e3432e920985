// The cache of translated blocks against a list that is searched from end to end.
#include "tcg/block_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace sluice::tcg {
namespace {

GuestRam* ram(u64 n) { return reinterpret_cast<GuestRam*>(n * 4096 + 4096); }

struct Known {
  TranslatedBlock* block;
  GuestRam* ram;
  u64 offset, pc, mode;
  u32 before, bytes, segment;
};

TEST(BlockCache, FindsWhatIsThereAndNothingElse) {
  u64 seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  auto below = [&](u64 n) { return random() % n; };
  BlockCache cache;
  std::vector<Known> all;
  auto expect_gone = [&](auto&& goes, auto&& remove) {
    std::vector<TranslatedBlock*> gone, expected;
    remove([&](TranslatedBlock& b) { gone.push_back(&b); });
    std::erase_if(all, [&](const Known& k) {
      if (!goes(k)) return false;
      expected.push_back(k.block);
      return true;
    });
    std::ranges::sort(gone);
    std::ranges::sort(expected);
    EXPECT_EQ(gone, expected);
  };
  for (unsigned step = 0; step < 30000; step++) {
    Known k{nullptr, ram(below(2)), below(30) << 12, 0, below(3), 0, 0, u32(below(4))};
    u64 in_page = below(64) * 16;
    k.before = u32(below(4) ? 0 : below(in_page + 1)), k.bytes = u32(4 + below(32) * 4);
    k.offset += in_page, k.pc = 0x400000 + (below(2) << 20) + k.offset;
    auto same_key = [&](const Known& o) {
      return o.ram == k.ram && o.offset == k.offset && o.pc == k.pc && o.mode == k.mode;
    };
    auto known = std::ranges::find_if(all, same_key);
    TranslatedBlock* found = cache.find(k.ram, k.offset, k.pc, k.mode);
    ASSERT_EQ(found, known == all.end() ? nullptr : known->block) << "step " << step;
    if (!found) {
      k.block = cache.make();
      k.block->ram = k.ram, k.block->ram_offset = k.offset, k.block->pc = k.pc, k.block->mode = k.mode;
      k.block->bytes = k.bytes, k.block->bytes_before = k.before, k.block->segment = k.segment;
      cache.insert(k.block);
      all.push_back(k);
    }
    switch (below(40)) {
      case 0: {
        u64 from = below(30 << 12), length = 1 + below(3 << 12);
        expect_gone(
            [&](const Known& o) {
              return o.ram == k.ram && o.offset - o.before < from + length && from < o.offset + o.bytes;
            },
            [&](auto&& gone) { cache.remove_overlapping(k.ram, from, length, gone); });
        break;
      }
      case 1:
        if (step % 8 == 0)
          expect_gone([&](const Known& o) { return o.segment == k.segment; },
                      [&](auto&& gone) { cache.remove_segment(k.segment, gone); });
        break;
      case 2: cache.release(); break;
      case 3: {
        auto one = std::ranges::find_if(all, same_key);
        cache.remove(*one->block);
        all.erase(one);
        break;
      }
    }
    ASSERT_EQ(cache.size(), all.size());
    u64 page = below(30);
    bool has_code =
        std::ranges::any_of(all, [&](const Known& o) { return o.ram == k.ram && o.offset >> 12 == page; });
    ASSERT_EQ(cache.has_code_in_page(k.ram, page << 12), has_code) << "step " << step;
  }
  cache.clear();
  EXPECT_EQ(cache.size(), 0u);
  EXPECT_FALSE(cache.has_code_in_page(ram(0), 0));
}

TEST(BlockCache, CodeOfAnIsolatedBlockIsNotToBeEnteredFromElsewhere) {
  BlockCache cache;
  const int code[2] = {};
  for (u64 n = 0; n < 2; n++) {
    TranslatedBlock* b = cache.make();
    b->ram = ram(0), b->ram_offset = b->pc = n * 4096, b->bytes = 4, b->code = &code[n], b->isolated = n == 1;
    cache.insert(b);
  }
  EXPECT_EQ(cache.find_code(ram(0), 0, 0, 0).code, &code[0]);
  EXPECT_EQ(cache.find_code(ram(0), 4096, 4096, 0).code, nullptr);
  EXPECT_NE(cache.find_code(ram(0), 4096, 4096, 0).block, nullptr);
}

}  // namespace
}  // namespace sluice::tcg
