// tests/unit/gic_model_test.cpp: the incremental delivery of both GICs against a model that looks at
// everything every time. The model is written from the specifications' prose: an interrupt is delivered when
// it is pending, enabled, not active, its group is enabled and it goes to the PE; the smallest priority wins,
// then the smallest INTID; it is signalled below PMR and above the running group priority.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "tests/unit/gic_rig.h"

namespace sluice {
namespace {

using namespace gic_rig;

constexpr unsigned kPes = 3, kLines = 96;

struct Irq {
  bool line = false, latch = false, edge = false, enabled = false, active = false, group1 = false;
  u8 priority = 0;
  u8 targets = 1;  // one bit per PE
  bool pending() const { return latch || (line && !edge); }
};

struct Model {
  Irq own[kPes][32], spi[kLines];
  bool group_on[2] = {}, pe_group_on[kPes][2] = {};
  u8 pmr[kPes] = {}, group_mask = 0xf8;
  std::multiset<unsigned> running[kPes][2];

  Irq& irq(unsigned pe, unsigned intid) { return intid < 32 ? own[pe][intid] : spi[intid]; }
  unsigned best(unsigned pe) {
    unsigned found = 1023;
    for (unsigned n = 0; n < kLines; n++) {
      Irq& i = irq(pe, n);
      if (!i.pending() || !i.enabled || i.active || !group_on[i.group1] || !pe_group_on[pe][i.group1])
        continue;
      if (n >= 32 && !(i.targets >> pe & 1)) continue;
      if (found == 1023 || i.priority < irq(pe, found).priority) found = n;
    }
    return found;
  }
  unsigned run(unsigned pe) {
    unsigned r = 0x100;
    for (auto& s : running[pe])
      if (!s.empty()) r = std::min(r, *s.begin());
    return r;
  }
  unsigned signalled(unsigned pe) {
    unsigned n = best(pe);
    if (n == 1023) return n;
    u8 p = irq(pe, n).priority;
    return p < pmr[pe] && (p & group_mask) < run(pe) ? n : 1023;
  }
};

TEST(GicModel, Gicv3AgreesWithTheModel) {
  unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  V3 g(Gicv3::Config{.pes = kPes, .affinities = V3::numbered(kPes), .spis = kLines - 32});
  g.boot();
  Model m;
  for (unsigned n = 0; n < kLines; n++)
    for (unsigned pe = 0; pe < kPes; pe++) m.irq(pe, n).group1 = true, m.irq(pe, n).edge = n < 16;
  m.group_on[0] = m.group_on[1] = true;  // as boot() leaves GICD_CTLR
  for (unsigned pe = 0; pe < kPes; pe++) m.pmr[pe] = 0xf0, m.pe_group_on[pe][1] = true;

  for (int step = 0; step < 60'000; step++) {
    unsigned pe = random() % kPes, n = random() % kLines, b = n % 32, value = random();
    Irq& i = m.irq(pe, n);
    bool own = n < 32;
    auto bitmap = [&](u64 at) { own ? g.r(pe, 0x10000 + at, 1u << b) : g.d(at + n / 32 * 4, 1u << b, 0); };
    switch (random() % 16) {
      case 0:
      case 1:
      case 2:
        if (n < 16) break;
        if (!i.line && (value & 1) && i.edge) i.latch = true;
        i.line = value & 1;
        own ? g.gic.ppi(pe, n)(i.line) : g.gic.spi(n - 32)(i.line);
        break;
      case 3:
      case 4:
        i.enabled = true;
        bitmap(GICD_ISENABLER);
        break;
      case 5:
        i.enabled = false;
        bitmap(GICD_ICENABLER);
        break;
      case 6:
        i.latch = true;
        bitmap(GICD_ISPENDR);
        break;
      case 7:
        i.latch = false;
        bitmap(GICD_ICPENDR);
        break;
      case 8:
        i.priority = u8(value) & 0xf8;
        own ? g.r8(pe, GICR_IPRIORITYR + n, u8(value)) : g.d8(GICD_IPRIORITYR + n, u8(value));
        break;
      case 9:
        if (own) break;
        i.targets = u8(1u << value % 4);  // 3: no such PE
        g.route(n, value % 4);
        break;
      case 10: {
        if (own) break;
        i.group1 = !i.group1;
        u32 word = g.d(GICD_IGROUPR + n / 32 * 4);
        g.d(GICD_IGROUPR + n / 32 * 4, word ^ 1u << b, 0);
        break;
      }
      case 11: {
        if (n < 16) break;
        i.edge = value & 1;
        u64 at = own ? GICR_ICFGR1 : GICD_ICFGR + n / 16 * 4;
        u32 old = own ? g.r(pe, at) : g.d(at), field = 2u << n % 16 * 2;
        u32 now = i.edge ? old | field : old & ~field;
        own ? g.r(pe, at, now) : g.d(at, now, 0);
        break;
      }
      case 12:
        m.pmr[pe] = u8(value) & 0xf8;
        g.c(pe, ICC_PMR, value & 0xff);
        break;
      case 13:
        if (value % 8 == 0) {
          m.group_on[0] = value & 16, m.group_on[1] = value & 32;
          g.d(GICD_CTLR, value >> 4 & 3, 0);
        } else {
          bool which = value & 16;
          m.pe_group_on[pe][which] = value & 96;
          g.c(pe, which ? ICC_IGRPEN1 : ICC_IGRPEN0, m.pe_group_on[pe][which]);
        }
        break;
      case 14: {
        unsigned want = m.signalled(pe);
        bool group1 = want != 1023 && m.irq(pe, want).group1;
        ASSERT_EQ(g.c(pe, group1 ? ICC_IAR0 : ICC_IAR1), 1023u);
        ASSERT_EQ(g.c(pe, group1 ? ICC_IAR1 : ICC_IAR0), want);
        if (want == 1023) break;
        Irq& taken = m.irq(pe, want);
        taken.active = true, taken.latch = false;
        m.running[pe][group1].insert(taken.priority & m.group_mask);
        break;
      }
      case 15: {
        unsigned r = m.run(pe);
        if (r == 0x100) break;
        bool group1 = m.running[pe][0].empty() || *m.running[pe][0].begin() > r;
        m.running[pe][group1].erase(m.running[pe][group1].begin());
        i.active = false;
        g.c(pe, group1 ? ICC_EOIR1 : ICC_EOIR0, n);
        break;
      }
    }
    for (unsigned p = 0; p < kPes; p++) {
      unsigned s = m.signalled(p);
      bool group1 = s != 1023 && m.irq(p, s).group1;
      ASSERT_EQ(g.out[p].irq, s != 1023 && group1) << "step " << step << " PE " << p;
      ASSERT_EQ(g.out[p].fiq, s != 1023 && !group1) << "step " << step << " PE " << p;
      ASSERT_EQ(g.c(p, ICC_RPR), std::min(m.run(p), 0xffu));
    }
  }
}

TEST(GicModel, Gicv2AgreesWithTheModel) {
  unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  V2 g(Gicv2::Config{.pes = kPes, .spis = kLines - 32});
  g.boot();
  Model m;
  m.group_mask = 0xfe;
  for (unsigned n = 0; n < kLines; n++)
    for (unsigned pe = 0; pe < kPes; pe++) {
      Irq& i = m.irq(pe, n);
      i.edge = i.enabled = n < 16;
      i.targets = 0;
    }
  m.group_on[0] = true;
  for (unsigned pe = 0; pe < kPes; pe++) m.pmr[pe] = 0xf0, m.pe_group_on[pe][0] = true;

  for (int step = 0; step < 60'000; step++) {
    unsigned pe = random() % kPes, n = 16 + random() % (kLines - 16), b = n % 32, value = random();
    Irq& i = m.irq(pe, n);
    bool own = n < 32;
    auto bitmap = [&](u64 at) { g.d(at + n / 32 * 4, 1u << b, pe); };
    switch (random() % 12) {
      case 0:
      case 1:
      case 2:
        if (!i.line && (value & 1) && i.edge) i.latch = true;
        i.line = value & 1;
        own ? g.gic.ppi(pe, n)(i.line) : g.gic.spi(n - 32)(i.line);
        break;
      case 3:
      case 4:
        i.enabled = true;
        bitmap(GICD_ISENABLER);
        break;
      case 5:
        i.enabled = false;
        bitmap(GICD_ICENABLER);
        break;
      case 6:
        i.latch = true;
        bitmap(GICD_ISPENDR);
        break;
      case 7:
        i.latch = false;
        bitmap(GICD_ICPENDR);
        break;
      case 8:
        i.priority = u8(value);
        g.d8(GICD_IPRIORITYR + n, u8(value), pe);
        break;
      case 9:
        if (own) break;
        i.targets = value & 7;
        g.d8(GICD_ITARGETSR + n, u8(value));
        break;
      case 10: {
        unsigned want = m.signalled(pe);
        ASSERT_EQ(g.c(pe, GICC_IAR), want);
        if (want == 1023) break;
        Irq& taken = m.irq(pe, want);
        taken.active = true, taken.latch = false;
        m.running[pe][0].insert(taken.priority & m.group_mask);
        break;
      }
      case 11:
        if (m.run(pe) == 0x100) break;
        m.running[pe][0].erase(m.running[pe][0].begin());
        i.active = false;
        g.c(pe, GICC_EOIR, n);
        break;
    }
    for (unsigned p = 0; p < kPes; p++) {
      ASSERT_EQ(g.out[p].irq, m.signalled(p) != 1023) << "step " << step << " PE " << p;
      ASSERT_EQ(g.c(p, GICC_HPPIR), m.best(p));
    }
  }
}

}  // namespace
}  // namespace sluice
