// tests/unit/its_model_test.cpp: the ITS and the LPIs of the Redistributors against a model that is written
// from the prose of Arm IHI 0069H: what is mapped where, what is pending where with which configuration, and
// so what each PE is offered next.
#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "tests/support/its_world.h"

namespace sluice {
namespace {

using namespace test;
using C = ItsCommand;

constexpr unsigned kPes = ItsWorld::kPes, kDevices = 4, kEvents = 4, kCollections = 5, kLpis = 12;

struct Model {
  struct Event {
    u32 intid;
    u16 collection;
  };
  bool device[kDevices] = {};
  std::optional<Event> itt[kDevices][kEvents];
  std::optional<unsigned> collection[kCollections];
  u8 configuration[kLpis] = {};
  bool on[kPes] = {true, true, true, true};
  std::map<u32, u8> pending[kPes];
  std::map<u32, u8> table[kPes];  // what a Redistributor that is off has in memory

  std::optional<Event> event(u32 d, u32 e) {
    return d < kDevices && e < kEvents && device[d] ? itt[d][e] : std::nullopt;
  }
  std::optional<unsigned> pe_of(const Event& e) { return collection[e.collection]; }
  u8 configured(u32 intid) { return configuration[intid - kFirstLpi]; }

  void make_pending(u32 d, u32 e) {
    auto found = event(d, e);
    auto pe = found ? pe_of(*found) : std::nullopt;
    if (pe && on[*pe]) pending[*pe].emplace(found->intid, configured(found->intid));
  }
  void move(unsigned from, unsigned to, u32 intid) {
    if (from == to || !on[to] || !pending[from].contains(intid)) return;
    pending[to][intid] = pending[from][intid];
    pending[from].erase(intid);
  }
  void reload(unsigned pe, u32 intid) {
    if (pending[pe].contains(intid)) pending[pe][intid] = configured(intid);
  }
  void set_enable(unsigned pe, bool enable) {
    if (enable == on[pe]) return;
    on[pe] = enable;
    (enable ? pending : table)[pe] = (enable ? table : pending)[pe];
    if (!enable) pending[pe].clear();
    for (auto& [intid, c] : pending[pe]) c = configured(intid);
  }
  unsigned offered(unsigned pe) {
    unsigned best = 1023, best_priority = 0x100;
    for (auto [intid, c] : pending[pe]) {
      unsigned priority = c & 0xf8;  // five bits are implemented
      if ((c & 1) && priority < best_priority) best = intid, best_priority = priority;
    }
    return best;
  }
};

// One random step on both.
void step(Random& random, ItsWorld& w, Model& m) {
  u32 d = u32(random.below(kDevices + 1)), e = u32(random.below(kEvents));
  u16 c = u16(random.below(kCollections));
  unsigned pe = unsigned(random.below(kPes)), to = unsigned(random.below(kPes));
  u32 intid = kFirstLpi + u32(random.below(kLpis));
  bool valid = random.chance(75);
  auto found = m.event(d, e);
  auto at = found ? m.pe_of(*found) : std::nullopt;
  switch (random.below(20)) {
    case 0:
      if (d < kDevices) w.run({C::mapd(d, w.itt(d), 5, valid)}), m.device[d] = valid;
      break;
    case 1:
      w.run({C::mapc(c, pe, valid)});
      m.collection[c] = valid ? std::optional(pe) : std::nullopt;
      break;
    case 2:
    case 3:
      w.run({C::mapti(d, e, intid, c)});
      if (d < kDevices && m.device[d]) m.itt[d][e] = Model::Event{intid, c};
      break;
    case 4:
      w.run({C::movi(d, e, c)});
      if (!found || !m.collection[c]) break;
      m.itt[d][e]->collection = c;
      if (at) m.move(*at, *m.collection[c], found->intid);
      break;
    case 5:
      w.run({C::discard(d, e)});
      if (found) m.itt[d][e].reset();
      if (at) m.pending[*at].erase(found->intid);
      break;
    case 6:
      w.run({C::clear(d, e)});
      if (at) m.pending[*at].erase(found->intid);
      break;
    case 7:
      w.run({C::int_(d, e)});
      m.make_pending(d, e);
      break;
    case 8:
    case 9:
      w.run({C::inv(d, e)});
      if (at) m.reload(*at, found->intid);
      break;
    case 10:
      w.run({C::invall(c)});
      if (m.collection[c])
        for (auto& [lpi, configuration] : m.pending[*m.collection[c]]) configuration = m.configured(lpi);
      break;
    case 11:
      w.run({C::movall(pe, to)});
      for (auto copy = m.pending[pe]; auto& [lpi, configuration] : copy) m.move(pe, to, lpi);
      break;
    case 12:
    case 13:
      m.configuration[intid - kFirstLpi] = u8(random.below(256) | 1);
      if (random.chance(20)) m.configuration[intid - kFirstLpi] &= 0xfe;
      w.configure(intid, m.configured(intid));
      break;
    case 14:
      if (!random.chance(20)) break;
      w.enable_lpis(pe, valid);
      m.set_enable(pe, valid);
      break;
    default:
      w.message(d, e);
      m.make_pending(d, e);
      break;
  }
}

TEST(ItsModel, WhatEachPeIsOfferedFollowsFromTheHistory) {
  Random random(0x17504);
  unsigned taken = 0;
  for (int round = 0; round < 20; round++) {
    ItsWorld w;
    w.boot();
    for (unsigned pe = 0; pe < kPes; pe++) w.gic.c(pe, gic_rig::ICC_PMR, 0xff);
    Model m;
    for (u8& c : m.configuration) c = kLpiOff;
    for (int i = 0; i < 1500; i++) {
      step(random, w, m);
      ASSERT_TRUE(w.queue_is_done());
      for (unsigned pe = 0; pe < kPes; pe++) {
        unsigned want = m.offered(pe);
        ASSERT_EQ(w.gic.c(pe, gic_rig::ICC_HPPIR1), want) << "step " << i << " PE " << pe;
        if (!random.chance(10)) continue;
        unsigned got = w.take(pe);
        // The lowest priority, 0xf8, is not below the mask: PMR has five bits, too.
        bool masked = want != 1023 && (m.pending[pe][want] & 0xf8) == 0xf8;
        ASSERT_EQ(got, masked ? 1023 : want);
        if (got != 1023) m.pending[pe].erase(got), taken++;
      }
    }
  }
  EXPECT_GT(taken, 1000u);
}

}  // namespace
}  // namespace sluice
