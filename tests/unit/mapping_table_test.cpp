// memory/mapping_table.h against a list, at the edges, and under concurrent readers.
#include "memory/mapping_table.h"

#include <gtest/gtest.h>

#include <atomic>
#include <list>
#include <thread>

#include "tests/support/memory_world.h"

namespace sluice {
namespace {

Mapping mapping(u64 first, u64 last, u64 output = 0) {
  return {{first, last}, output, nullptr, Access::ReadWrite, false};
}

// The obvious implementation.
class List {
 public:
  bool insert(const Mapping& m) {
    if (m.input.first > m.input.last) return false;
    for (const Mapping& other : all)
      if (other.input.overlaps(m.input)) return false;
    all.push_back(m);
    return true;
  }
  bool would_split(InclusiveRange r) const {
    return std::any_of(all.begin(), all.end(), [&](const Mapping& m) {
      return m.input.overlaps(r) && (m.input.first < r.first || m.input.last > r.last);
    });
  }
  size_t erase(InclusiveRange r) {
    if (would_split(r)) return 0;
    return std::erase_if(all, [&](const Mapping& m) { return m.input.overlaps(r); });
  }
  const Mapping* find(u64 a) const {
    for (const Mapping& m : all)
      if (m.input.contains(a)) return &m;
    return nullptr;
  }
  InclusiveRange hole(u64 a) const {
    InclusiveRange h{0, ~u64{0}};
    for (const Mapping& m : all) {
      if (m.input.last < a) h.first = std::max(h.first, m.input.last + 1);
      if (m.input.first > a) h.last = std::min(h.last, m.input.first - 1);
    }
    return h;
  }
  std::vector<Mapping> all;
};

void expect_same(const MappingTable& table, const List& list, u64 address) {
  auto [found, hole] = table.find(address);
  const Mapping* expected = list.find(address);
  ASSERT_EQ(found.has_value(), expected != nullptr) << address;
  if (found) {
    ASSERT_EQ(*found, *expected);
  } else {
    ASSERT_EQ(hole, list.hole(address)) << address;
  }
}

TEST(MappingTable, AgreesWithAListUnderRandomInsertionsAndErasures) {
  test::Random random(20261121);
  for (u64 space : {u64{300}, u64{20000}}) {
    EpochDomain epochs;
    MappingTable table(epochs);
    List list;
    for (int step = 0; step < 6000; step++) {
      u64 first = random.below(space), last = first + random.below(random.chance(10) ? space / 4 : 6);
      if (random.chance(2)) std::swap(first, last);
      InclusiveRange range{first, last};
      if (random.chance(list.all.size() > 400 ? 45 : 65)) {
        Mapping m = mapping(first, last, u64(step) << 20);
        ASSERT_EQ(table.insert(m), list.insert(m));
      } else if (first <= last) {
        ASSERT_EQ(table.would_split(range), list.would_split(range));
        size_t before = list.all.size();
        ASSERT_EQ(table.erase(range).count, list.erase(range));
        ASSERT_EQ(table.size(), list.all.size()) << before;
      }
      for (u64 a : {first, last, last + 1, first - 1, random.below(space)}) expect_same(table, list, a);
    }
    size_t seen = 0;
    u64 next = 0;
    table.for_each([&](const Mapping& m) {
      EXPECT_GE(m.input.first, next);
      next = m.input.last + 1;
      seen++;
    });
    EXPECT_EQ(seen, list.all.size());
  }
}

TEST(MappingTable, HoldsAMappingOfAllAddressesAndOneThatEndsAtTheLastByte) {
  EpochDomain epochs;
  MappingTable table(epochs);
  EXPECT_TRUE(table.insert(mapping(0, ~u64{0}, 5)));
  EXPECT_FALSE(table.insert(mapping(~u64{0}, ~u64{0})));
  EXPECT_EQ(table.find(~u64{0}).mapping->output, 5u);
  EXPECT_EQ(table.erase({0, ~u64{0} - 1}).count, 0u);  // it would be split
  EXPECT_EQ(table.erase({0, ~u64{0}}).count, 1u);
  EXPECT_TRUE(table.insert(mapping(~u64{0}, ~u64{0})));
  EXPECT_TRUE(table.insert(mapping(0, 0)));
  EXPECT_EQ(table.find(1).hole, (InclusiveRange{1, ~u64{0} - 1}));
  int n = 0;
  table.for_each([&](const Mapping&) { n++; });
  EXPECT_EQ(n, 2);
}

TEST(MappingTable, ErasesAHundredThousandAtOnceAndInEitherOrder) {
  for (bool upwards : {false, true}) {
    EpochDomain epochs;
    MappingTable table(epochs);
    constexpr u64 kCount = 100'000;
    for (u64 i = 0; i < kCount; i++) {
      u64 at = (upwards ? i : kCount - 1 - i) * 0x2000;
      ASSERT_TRUE(table.insert(mapping(at, at + 0xfff, at)));
    }
    EXPECT_EQ(table.size(), kCount);
    EXPECT_EQ(table.find(0x2000 * 777 + 0x123).mapping->output, 0x2000u * 777);
    EXPECT_FALSE(table.find(0x2000 * 777 + 0x1123).mapping);
    auto erased = table.erase({0x2000, (kCount - 1) * 0x2000 - 1});
    EXPECT_EQ(erased.count, kCount - 2);
    EXPECT_EQ(erased.hull, (InclusiveRange{0x2000, (kCount - 2) * 0x2000 + 0xfff}));
    EXPECT_EQ(table.find(0x2000).hole, (InclusiveRange{0x1000, (kCount - 1) * 0x2000 - 1}));
  }
}

// Mappings at even slots stay for ever: a reader never misses one. Those at odd slots come and go whole.
TEST(MappingTable, ReadersOnOtherThreadsAlwaysFindWhatStaysMapped) {
  EpochDomain epochs;
  MappingTable table(epochs);
  constexpr u64 kSlots = 2000;
  for (u64 i = 0; i < kSlots; i += 2) table.insert(mapping(i * 16, i * 16 + 15, i));
  std::atomic<bool> stop{false};
  std::atomic<u64> wrong{0}, looked{0};
  auto read = [&](u64 seed) {
    std::mt19937_64 engine(seed);
    while (!stop.load(std::memory_order_relaxed)) {
      EpochDomain::Guard guard(epochs);
      u64 i = engine() % kSlots;
      auto found = table.find(i * 16 + engine() % 16);
      if (i % 2 == 0 && !found.mapping) wrong++;
      if (found.mapping &&
          (found.mapping->output != i || found.mapping->input != InclusiveRange{i * 16, i * 16 + 15}))
        wrong++;
      looked++;
    }
  };
  std::thread a(read, 1), b(read, 2);
  test::Random random(5);
  for (int round = 0; round < 20000 || looked < 1000; round++) {
    u64 i = random.below(kSlots / 2) * 2 + 1;
    if (!table.insert(mapping(i * 16, i * 16 + 15, i))) table.erase({i * 16, i * 16 + 15});
  }
  stop = true;
  a.join(), b.join();
  EXPECT_EQ(wrong, 0u);
}

}  // namespace
}  // namespace sluice
