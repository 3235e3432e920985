// FlatViews against a resolver that asks the region tree about one byte at a time.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "memory/address_space.h"
#include "tests/support/memory_world.h"

namespace sluice {
namespace {

using test::kPage;
using test::make_ram;
using test::Random;
using test::TestDevice;
using What = FlatView::Section::What;

struct Answer {
  const Region* region = nullptr;
  u64 offset = 0;
  bool operator==(const Answer&) const = default;
};

// The rule, one byte at a time: children in precedence, holes show what is below, the region itself last.
Answer resolve(const Region& region, i128 at) {
  if (!region.enabled() || at < 0 || at >= i128(region.size())) return {};
  if (region.kind() == Region::Kind::Alias) {
    auto& alias = static_cast<const AliasRegion&>(region);
    return resolve(*alias.target(), at + i128(alias.target_offset()));
  }
  for (const Region::Child& child : region.children())
    if (Answer a = resolve(*child.region, at - i128(child.offset)); a.region) return a;
  if (region.kind() == Region::Kind::Container) return {};
  return {&region, u64(at)};
}

struct RandomTree {
  explicit RandomTree(u64 seed) : random(seed) {}
  InvalidationHub hub;
  Topology topology{hub};
  TestDevice device;
  std::mutex lock;
  Random random;
  std::shared_ptr<GuestRam> ram = make_ram(64 * kPage);
  std::vector<std::shared_ptr<Region>> made;
  std::vector<std::shared_ptr<Region>> parents;

  std::shared_ptr<Region> make(u64 limit) {
    u64 size = random.between(1, limit);
    std::string name = "r" + std::to_string(made.size());
    std::shared_ptr<Region> r;
    switch (random.below(6)) {
      case 0:
        r = std::make_shared<RamRegion>(name, ram, random.below(16), std::min<u64>(size, 0x20000));
        break;
      case 1: r = std::make_shared<MmioRegion>(name, size, device, &lock); break;
      case 2: r = std::make_shared<ReservationRegion>(name, size); break;
      case 3:
        if (!made.empty()) {
          auto& target = made[random.below(made.size())];
          r = std::make_shared<AliasRegion>(name, target, random.below(u64(target->size())), size);
          break;
        }
        [[fallthrough]];
      default: r = std::make_shared<Container>(name, size); break;
    }
    made.push_back(r);
    if (r->kind() != Region::Kind::Alias) parents.push_back(r);
    return r;
  }
};

void compare(const AddressSpace& space, Random& random, u64 limit) {
  const FlatView& view = space.view();
  u64 next = 0;
  for (const auto& s : view.sections()) {  // every address exactly once
    ASSERT_EQ(s.range.first, next);
    next = s.range.last + 1;
  }
  ASSERT_EQ(next, 0u);
  std::vector<u64> probes;
  for (const auto& s : view.sections())
    for (u64 a : {s.range.first, s.range.first - 1, s.range.last, s.range.last + 1}) probes.push_back(a);
  for (int i = 0; i < 300; i++) probes.push_back(random.below(limit));
  for (u64 a : probes) {
    const auto& s = view.find(a);
    ASSERT_TRUE(s.range.contains(a));
    Answer want = resolve(*space.root(), a);
    Answer have{s.region, s.region ? s.offset + (a - s.range.first) : 0};
    ASSERT_EQ(have, want) << std::hex << a;
  }
}

TEST(FlatView, AgreesWithAPerByteResolverOverRandomTrees) {
  for (u64 seed = 1; seed <= 60 && !testing::Test::HasFailure(); seed++) {
    RandomTree t(seed);
    auto root = std::make_shared<Container>("root", t.random.chance(50) ? kWholeSpace : u128{0x40000});
    t.parents.push_back(root);
    AddressSpace space(t.topology, "s", root);
    for (int step = 0; step < 40; step++) {
      {
        Topology::Transaction tx(t.topology);
        Region& parent = *t.parents[t.random.below(t.parents.size())];
        u64 offset = t.random.chance(5) ? ~u64{0} - t.random.below(0x8000) : t.random.below(0x30000);
        if (step < 30) tx.add(parent, offset, t.make(0x10000), int(t.random.below(5)) - 2);
        if (step > 20 && !parent.children().empty() && t.random.chance(30))
          tx.remove(parent, *parent.children()[t.random.below(parent.children().size())].region);
        if (t.random.chance(30)) tx.set_enabled(*t.made[t.random.below(t.made.size())], t.random.chance(60));
      }
      compare(space, t.random, 0x60000);
    }
    for (auto& p : t.parents)  // no cycle of owners is left behind
      while (!p->children().empty()) Topology::Transaction(t.topology).remove(*p, *p->children()[0].region);
  }
}

struct Map {
  InvalidationHub hub;
  Topology topology{hub};
  std::shared_ptr<Container> root = std::make_shared<Container>("system", kWholeSpace);
  AddressSpace space{topology, "memory", root};
  void add(u64 at, std::shared_ptr<Region> r, int priority = 0) {
    Topology::Transaction tx(topology);
    EXPECT_TRUE(tx.add(*root, at, std::move(r), priority));
  }
};

TEST(FlatView, OneByteSectionsAndTheTopOfTheAddressSpaceWork) {
  Map m;
  auto ram = make_ram(kPage);
  m.add(0x1003, std::make_shared<RamRegion>("one", ram, 5, 1));
  m.add(~u64{0}, std::make_shared<RamRegion>("top", ram, 7, 1));
  EXPECT_EQ(m.space.view().find(0x1002).what, What::Nothing);
  EXPECT_EQ(m.space.view().find(0x1003).ram_offset, 5u);
  EXPECT_EQ(m.space.view().find(0x1004).what, What::Nothing);
  EXPECT_EQ(m.space.view().find(~u64{0}).ram_offset, 7u);
}

TEST(FlatView, TheLaterOfEqualsWinsAndHolesShowWhatIsBelow) {
  Map m;
  auto ram = make_ram(0x4000);
  auto a = std::make_shared<RamRegion>("a", ram), b = std::make_shared<RamRegion>("b", ram);
  m.add(0, a), m.add(0x1000, b);
  EXPECT_EQ(m.space.view().find(0x1000).region, b.get());
  auto window = std::make_shared<Container>("window", 0x10000);
  m.add(0, window, 5);
  EXPECT_EQ(m.space.view().find(0).region, a.get());  // the window is all hole
}

TEST(Topology, RefusesAliasesAsParentsAndCycles) {
  InvalidationHub hub;
  Topology topology(hub);
  auto outer = std::make_shared<Container>("outer", 0x1000),
       inner = std::make_shared<Container>("inner", 0x1000);
  auto alias = std::make_shared<AliasRegion>("alias", outer, 0, 0x1000);
  Topology::Transaction tx(topology);
  EXPECT_TRUE(tx.add(*outer, 0, inner));
  EXPECT_FALSE(tx.add(*inner, 0, outer));
  EXPECT_FALSE(tx.add(*inner, 0, alias));
  EXPECT_FALSE(tx.add(*alias, 0, std::make_shared<Container>("c", 0x10)));
  EXPECT_FALSE(tx.remove(*inner, *outer));
}

TEST(Topology, OneChangePerTransactionWithTheSmallestRangeAndNoneForNothing) {
  Map m;
  std::vector<TopologyChanged> seen;
  Participant p(m.hub, Participant::Kind::Pe, "pe", [&](const Invalidation& i) {
    if (auto* c = std::get_if<TopologyChanged>(&i)) seen.push_back(*c);
  });
  auto ram = make_ram(0x4000);
  {
    Topology::Transaction tx(m.topology);
    Topology::Transaction nested(m.topology);
    nested.add(*m.root, 0x8000, std::make_shared<RamRegion>("a", ram));
    nested.commit();
    p.drain();
    EXPECT_TRUE(seen.empty());  // the outer one is still open
    tx.add(*m.root, 0x10000, std::make_shared<RamRegion>("b", ram));
  }
  p.drain();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].range, (InclusiveRange{0x8000, 0x13fff}));
  m.add(0x8000, std::make_shared<Container>("nothing", 0x1000), 9);
  p.drain();
  EXPECT_EQ(seen.size(), 1u);
}

TEST(FlatView, KeepsRemovedRegionsUntilReadersHavePassedASafePoint) {
  Map m;
  auto ram = make_ram(0x1000);
  std::weak_ptr<GuestRam> watch = ram;
  auto region = std::make_shared<RamRegion>("gone", std::move(ram));
  m.add(0, region);
  std::thread changer;
  {
    EpochDomain::Guard guard(m.hub.epochs());
    const FlatView& view = m.space.view();
    changer = std::thread([&] {
      Topology::Transaction tx(m.topology);
      tx.remove(*m.root, *region);
      region.reset();
      tx.commit();  // complete only when our guard has ended
    });
    while (&m.space.view() == &view) std::this_thread::yield();
    EXPECT_EQ(view.find(0).what, What::Ram);
    EXPECT_FALSE(watch.expired());
  }
  changer.join();
  m.hub.epochs().reclaim();
  EXPECT_TRUE(watch.expired());
}

TEST(MemoryTree, PrintsTheFamiliarRows) {
  Map m;
  AddressSpace cpu(m.topology, "cpu-memory-0", m.root);
  TestDevice device;
  auto ram = make_ram(0x8000000, "mach-virt.ram");
  m.add(0x9050000, std::make_shared<MmioRegion>("pl061", 0x1000, device, nullptr));
  auto ram_region = std::make_shared<RamRegion>("mach-virt.ram", ram);
  m.add(0x40000000, std::make_shared<AliasRegion>("window", ram_region, 0x1000, 0x2000));
  auto off = std::make_shared<ReservationRegion>("off", 0x10);
  m.add(0x5000, off, -2);
  {
    Topology::Transaction tx(m.topology);
    tx.set_enabled(*off, false);
  }
  EXPECT_EQ(describe_memory_tree(m.topology),
            "address-space: memory\n"
            "address-space: cpu-memory-0\n"
            "  0000000000000000-ffffffffffffffff (prio 0, i/o): system\n"
            "    0000000000005000-000000000000500f (prio -2, i/o): off [disabled]\n"
            "    0000000009050000-0000000009050fff (prio 0, i/o): pl061\n"
            "    0000000040000000-0000000040001fff (prio 0, ram): alias window @mach-virt.ram "
            "0000000000001000-0000000000002fff\n"
            "\n"
            "memory-region: mach-virt.ram\n"
            "  0000000000000000-0000000007ffffff (prio 0, ram): mach-virt.ram\n\n");
  EXPECT_EQ(describe_flat_views(m.topology),
            "FlatView #0\n"
            " AS \"memory\", root: system\n"
            " AS \"cpu-memory-0\", root: system\n"
            " Root memory region: system\n"
            "  0000000009050000-0000000009050fff (prio 0, i/o): pl061\n"
            "  0000000040000000-0000000040001fff (prio 0, ram): mach-virt.ram @0000000000001000\n\n");
}

}  // namespace
}  // namespace sluice
