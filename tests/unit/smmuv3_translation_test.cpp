// SMMUv3: what a transaction gets: walks against an independent walker, address ranges, rights, events.
#include "tests/support/smmu_reference.h"

namespace sluice {
namespace {

using namespace test;
namespace reg = smmu_reg;
using reference::Machine;
using reference::Why;

constexpr u64 kWalkEabt = 0x0b, kTranslation = 0x10, kAddrSize = 0x11, kAccess = 0x12, kPermission = 0x13;
constexpr u64 tg0(unsigned granule) { return granule == 12 ? 0 : granule == 16 ? 1 : 2; }
constexpr u64 tg1(unsigned granule) { return granule == 12 ? 2 : granule == 16 ? 3 : 1; }

// Tables of random content: descriptors that are right, slightly wrong, and nonsense.
struct RandomTables {
  SmmuWorld& w;
  Random& random;
  reference::Stage& stage;
  bool at_stage2, nested;
  std::vector<u64> tables;

  u64 leaf_bits() {
    u64 bits = random.chance(92) ? kAf : 0;
    bits |= random.below(4) << 6 | random.below(4) << 53 | random.below(2) << 11;
    return bits | (at_stage2 ? random.chance(80) ? u64{0xf} << 2 : 0 : 0);
  }
  u64 output() {
    if (random.chance(4)) return random.below(u64{1} << 48);
    return SmmuWorld::kRam + random.below(nested ? u64{64} << 12 : SmmuWorld::kRamSize);
  }
  u64 make(unsigned level, unsigned entries) {
    u64 table = w.take(std::max<u64>(8 * u64{entries}, u64{1} << stage.granule));
    tables.push_back(table);
    for (unsigned i = 0; i < std::min(entries, 4u); i++) {
      u64& d = w.at(table + 8 * i);
      bool block_level = level == 2 || (stage.granule == 12 && level == 1);
      if (random.chance(6)) {
        d = random.below(~u64{0});
      } else if (level == 3) {
        d = (output() & ~ones(stage.granule)) | leaf_bits() | 3;
      } else if (block_level && random.chance(35)) {
        d = (output() & ~ones(reference::lsb_of(stage.granule, level))) | leaf_bits() | 1;
      } else {
        d = make(level + 1, 1u << (stage.granule - 3)) | 3;
        if (!at_stage2 && random.chance(25)) d |= random.below(16) << 59;
      }
    }
    return table;
  }
  void build() {
    unsigned lsb = reference::lsb_of(stage.granule, stage.start);
    stage.root = make(stage.start, 1u << (stage.input_bits - lsb));
  }
  // An address that is likely to be mapped: small indexes at every level.
  u64 address() {
    if (random.chance(4)) return random.below(~u64{0});
    u64 a = random.below(u64{1} << stage.granule);
    for (unsigned level = stage.start; level <= 3; level++) {
      unsigned lsb = reference::lsb_of(stage.granule, level);
      unsigned bits = level == stage.start ? stage.input_bits - lsb : stage.granule - 3;
      a |= random.below(std::min<u64>(u64{1} << bits, 5)) << lsb;
    }
    return a;
  }
};

struct Trial {
  SmmuWorld w;
  Machine machine;
  std::unique_ptr<RandomTables> t1, t2;
  u64 cd_at = 0;

  Trial(Random& random, bool s1, bool s2) {
    w.start();
    machine.fetch = [this](u64 pa, u64& value) {
      if (pa < SmmuWorld::kRam || pa + 8 > SmmuWorld::kRam + SmmuWorld::kRamSize) return false;
      value = w.at(pa);
      return true;
    };
    const unsigned granules[] = {12, 14, 16};
    if (s1) {
      auto& s = machine.s1;
      s.present = true;
      s.granule = granules[random.below(3)];
      s.input_bits = unsigned(random.between(25, 48));
      s.start = 3;
      while (reference::lsb_of(s.granule, s.start) + s.granule - 3 < s.input_bits) s.start--;
      s.output_bits = random.chance(80) ? 44 : 32;
      s.wxn = random.chance(30), s.pan = random.chance(30), s.had = random.chance(30);
      s.affd = random.chance(20);
      t1 = std::make_unique<RandomTables>(RandomTables{w, random, s, false, s2, {}});
      t1->build();
    }
    if (s2) {
      auto& s = machine.s2;
      s.present = true;
      s.granule = granules[random.below(3)];
      // Start level and size that belong together; the first level may be up to 16 tables.
      const unsigned lowest = s.granule == 12 ? 0 : 1;
      s.start = unsigned(random.between(lowest, s2_deepest(s.granule)));
      unsigned least = reference::lsb_of(s.granule, s.start) + 1, most = std::min(least + s.granule, 44u);
      s.input_bits = unsigned(random.between(std::max(least, 25u), most));
      if (s1 && most > 31) s.input_bits = std::max(s.input_bits, 32u);  // reaches the RAM
      s.output_bits = random.chance(80) ? 44 : 36;
      s.affd = random.chance(20);
      t2 = std::make_unique<RandomTables>(RandomTables{w, random, s, true, s1, {}});
      t2->build();
      if (s1) map_stage1_through(random);
    }
    configure();
  }
  static unsigned s2_deepest(unsigned granule) { return granule == 12 ? 2 : 3; }

  // Nested: stage 1's own tables and RAM are identity-mapped in stage 2, mostly.
  void map_stage1_through(Random& random) {
    auto& s = machine.s2;
    if (s.input_bits <= 30) return;
    auto entry = [&](u64 ipa, unsigned level) -> u64& {
      u64 table = s.root;
      for (unsigned l = s.start;; l++) {
        unsigned lsb = reference::lsb_of(s.granule, l);
        u64 index = l == s.start ? ipa >> lsb : (ipa >> lsb) % (u64{1} << (s.granule - 3));
        u64& d = w.at(table + 8 * index);
        if (l == level) return d;
        if ((d & 3) != 3 || (d & ones(48)) < SmmuWorld::kRam ||
            (d & ones(48) & ~ones(s.granule)) >= SmmuWorld::kRam + SmmuWorld::kRamSize)
          d = w.take(u64{1} << s.granule) | 3;
        table = d & ones(48) & ~ones(s.granule);
      }
    };
    cd_at = w.take(64);
    entry(cd_at, 3) = (cd_at & ~ones(s.granule)) | kPage2Rw | 3;
    for (u64 table : t1->tables) {
      if (random.chance(3)) continue;
      for (u64 at = table; at < table + (u64{1} << machine.s1.granule); at += u64{1} << s.granule)
        entry(at, 3) = (at & ~ones(s.granule)) | kPage2Rw | 3;
    }
    // The start of RAM piecewise, with odd rights.
    for (u64 page = 0; page < 64; page++) {
      u64 ipa = SmmuWorld::kRam + (page << s.granule);
      if (random.chance(85)) entry(ipa, 3) = ipa | t2->leaf_bits() | 3;
    }
  }

  void configure() {
    Words8 ste = smmu_ste::make(4 | (machine.s1.present ? 1 : 0) | (machine.s2.present ? 2 : 0));
    if (machine.s2.present) {
      const auto& s = machine.s2;
      u64 sl0 = s.granule == 12 ? 2 - s.start : 3 - s.start;
      smmu_ste::add_s2(ste, s.root, 64 - s.input_bits, sl0, tg0(s.granule), 3, s.output_bits == 44 ? 4 : 1);
      ste[2] |= u64{s.affd} << 53;
    }
    if (machine.s1.present) {
      const auto& s = machine.s1;
      Words8 cd = smmu_cd::make(s.root, 64 - s.input_bits, tg0(s.granule), 9, s.output_bits == 44 ? 4 : 0);
      cd[0] |= u64{s.wxn} << 36 | u64{s.pan} << 40 | u64{s.affd} << 35;
      cd[1] |= u64{s.had} << 1;
      if (!cd_at) cd_at = w.take(64);
      w.put(cd_at, cd);
      ste[0] |= cd_at;
    }
    w.put_ste(2, ste);
  }
  void check(u64 va, bool privileged, Access access) {
    reference::Result want = machine.translate(va);
    const bool nested_cd = machine.s1.present && machine.s2.present;
    if (nested_cd) {
      // The CD itself is behind stage 2.
      reference::Result cd = machine.stage2(cd_at);
      if (cd.why != Why::Ok || !cd.rights[1].r || cd.pa != cd_at) return;
    }
    reference::Rights first = want.rights[privileged], second = want.stage2_rights[privileged];
    auto has = [&](reference::Rights r) {
      return (!allows(access, Access::Read) || r.r) && (!allows(access, Access::Write) || r.w) &&
             (!allows(access, Access::Execute) || r.x);
    };
    Why why = want.why;
    int stage = want.stage;
    if (why == Why::Ok && !has(first)) {
      why = Why::Permission;
    } else if (why == Why::Ok && !has(second)) {
      why = Why::Permission;
      stage = 2;
    }
    Translation t = w.ask(va, w.master(2, privileged), access);
    auto event = w.event();
    if (why == Why::Ok) {
      ASSERT_NE(t.result.status, MemTxResult::Status::AccessError) << std::hex << va;
      EXPECT_EQ(t.final_address, want.pa);
      EXPECT_EQ(t.hops[0].input, (InclusiveRange{va & ~(want.size - 1), va | (want.size - 1)}));
      reference::Rights both = reference::both(first, second);
      Access merged = (both.r ? Access::Read : Access::None) | (both.w ? Access::Write : Access::None) |
                      (both.x ? Access::Execute : Access::None);
      // RAM limits nothing, and nothing at all is there only where `final_address` is no RAM.
      EXPECT_EQ(t.rights, merged);
      EXPECT_FALSE(event);
      return;
    }
    EXPECT_EQ(t.result.status, MemTxResult::Status::AccessError);
    ASSERT_TRUE(event);
    EXPECT_EQ((*event)[0] & 0xff, u64(why)) << std::hex << va;
    EXPECT_EQ(bit((*event)[1], 39), stage == 2 && why != Why::Ok);
    u64 event_class = want.walking || (why == Why::Abort && stage == 1) ? 1 : 2;
    EXPECT_EQ(extract((*event)[1], 40, 2), event_class);
    EXPECT_EQ(bit((*event)[1], 33), privileged);
    EXPECT_EQ(bit((*event)[1], 34), access == Access::Execute);
    EXPECT_EQ(bit((*event)[1], 35), access != Access::Write);
    EXPECT_EQ((*event)[2], va);
    if (stage == 2 && why != Why::Abort) {
      EXPECT_EQ((*event)[3], want.ipa & ones(56) & ~ones(12));
    }
  }
};

void compare_with_reference(u64 seed, bool s1, bool s2, int trials) {
  Random random(seed);
  const Access kinds[] = {Access::Read, Access::Write, Access::Execute};
  u64 allowed = 0;
  for (int i = 0; i < trials && !testing::Test::HasFailure(); i++) {
    Trial trial(random, s1, s2);
    RandomTables& first = s1 ? *trial.t1 : *trial.t2;
    for (int n = 0; n < 300 && !testing::Test::HasFailure(); n++) {
      u64 va = first.address();
      if (!s1 && va >> 44) continue;  // a stage 1 Address Size fault, tested elsewhere
      trial.check(va, random.chance(50), kinds[random.below(3)]);
    }
    allowed += trial.w.smmu->counters().fills;
  }
  EXPECT_GT(allowed, u64(trials) * 4);
}

TEST(Smmuv3Translation, Stage1AgreesWithAnIndependentWalker) { compare_with_reference(1, true, false, 60); }
TEST(Smmuv3Translation, Stage2AgreesWithAnIndependentWalker) { compare_with_reference(2, false, true, 60); }
TEST(Smmuv3Translation, NestedAgreesWithAnIndependentWalker) { compare_with_reference(3, true, true, 120); }

// --- Addresses ---

struct OneStream : SmmuWorld {
  SmmuTables low{*this, 12, 39}, high{*this, 12, 39};
  u64 cd_at = 0;
  Words8 cd;
  explicit OneStream(Smmuv3Config config = {}) : SmmuWorld(std::move(config)) {
    start();
    cd = smmu_cd::make(low.root(), 25, 0, 1);
    cd[0] &= ~smmu_cd::kEpd1;
    cd[0] |= u64{25} << 16 | tg1(12) << 22;
    cd[2] = high.root();
    low.map(0x1000, kRam, kPage1Rw);
    low.map(u64(ones(39)) & ~ones(12), kRam + 0x1000, kPage1Rw);
    high.map(0x1000, kRam + 0x2000, kPage1Rw);
    high.map(ones(39) & ~ones(12), kRam + 0x3000, kPage1Rw);
    use(cd);
  }
  void use(const Words8& new_cd, Words8 ste = smmu_ste::make(smmu_ste::kS1)) {
    cd_at = put_stream_s1(4, new_cd, ste);
    command(smmu_cmd::cfgi_all());
    command(smmu_cmd::nsnh_all());
  }
  std::optional<u64> out(u64 va, Access access = Access::Read) { return pa(va, master(4), access); }
};

TEST(Smmuv3Translation, Ttb0AndTtb1EndExactlyWhereTheirSizesSay) {
  OneStream w;
  EXPECT_EQ(w.out(0x1fff), SmmuWorld::kRam + 0xfff);
  EXPECT_EQ(w.out(ones(39)), SmmuWorld::kRam + 0x1fff);
  EXPECT_EQ(w.out(~ones(39) + 0x1000), SmmuWorld::kRam + 0x2000);
  EXPECT_EQ(w.out(~u64{0}), SmmuWorld::kRam + 0x3fff);
  for (u64 va : {ones(39) + 1, ~ones(39) - 1, u64{0x1000} | u64{1} << 63, u64{1} << 55, ~u64{0} >> 1}) {
    EXPECT_FALSE(w.out(va)) << std::hex << va;
    EXPECT_EQ(w.event(), (Words4{kTranslation | u64{4} << 32, u64{1} << 35 | u64{2} << 40, va, 0}));
  }
}

TEST(Smmuv3Translation, TbiIgnoresTheTopByteOfItsHalfOnly) {
  OneStream w;
  Words8 cd = w.cd;
  cd[0] |= u64{1} << 38;  // TBI0
  w.use(cd);
  EXPECT_EQ(w.out(0xab00'0000'0000'1234), SmmuWorld::kRam + 0x234);
  EXPECT_FALSE(w.out(0xab00'0080'0000'1234));                         // bit 39 is not part of the byte
  EXPECT_EQ(w.event().value_or(Words4{})[2], 0xab00'0080'0000'1234);  // as it came
  EXPECT_FALSE(w.out(0x12ff'ff80'0000'1000));                         // TTB1: TBI1 is off
  EXPECT_TRUE(w.event());
  cd[0] |= u64{1} << 39;
  w.use(cd);
  EXPECT_EQ(w.out(0x12ff'ff80'0000'1000), SmmuWorld::kRam + 0x2000);
  // The block that is answered has the same top byte.
  Translation t = w.ask(0xab00'0000'0000'1234, w.master(4));
  EXPECT_EQ(t.hops[0].input, (InclusiveRange{0xab00'0000'0000'1000, 0xab00'0000'0000'1fff}));
}

TEST(Smmuv3Translation, TableBasesAreAlignedToTheSizeOfTheFirstTable) {
  OneStream w;
  Words8 cd = w.cd;
  cd[1] |= 0xff0, cd[2] |= 0x840;
  w.use(cd);
  EXPECT_EQ(w.out(0x1000), SmmuWorld::kRam);
  EXPECT_EQ(w.out(~ones(39) + 0x1000), SmmuWorld::kRam + 0x2000);
  // Four tables side by side at stage 2: 16 KiB.
  SmmuTables s2(w, 12, 41, 1);
  s2.map(u64{3} << 39, SmmuWorld::kRam, kPage2Rw);
  Words8 ste = smmu_ste::make(smmu_ste::kS2);
  smmu_ste::add_s2(ste, s2.root() | 0x2000, 23, 1);
  w.put_ste(9, ste);
  EXPECT_EQ(w.pa(u64{3} << 39, w.master(9)), SmmuWorld::kRam);
}

TEST(Smmuv3Translation, ABypassedStreamReachesTheOutputSizeAndNotBeyond) {
  SmmuWorld w;
  w.start();
  w.put_ste(1, smmu_ste::make(smmu_ste::kBypass));
  u64 top = u64{1} << 44;
  EXPECT_EQ(w.pa(top - 1, w.master(1), Access::Write), top - 1);
  EXPECT_FALSE(w.pa(top, w.master(1), Access::Write));
  EXPECT_EQ(w.event(), (Words4{kAddrSize | u64{1} << 32, u64{2} << 40, top, 0}));
  EXPECT_FALSE(w.pa(~u64{0}, w.master(1)));
  EXPECT_EQ(w.event_type(), kAddrSize);
}

TEST(Smmuv3Translation, Stage2InputIsCheckedAgainstIasAndThenS2t0sz) {
  SmmuWorld w;
  w.start();
  SmmuTables s2(w, 12, 36, 1);
  s2.map(ones(36) & ~ones(12), SmmuWorld::kRam, kPage2Rw);
  Words8 ste = smmu_ste::make(smmu_ste::kS2);
  smmu_ste::add_s2(ste, s2.root(), 28, 1);
  w.put_ste(1, ste);
  EXPECT_EQ(w.pa(ones(36), w.master(1)), SmmuWorld::kRam + 0xfff);
  EXPECT_FALSE(w.pa(ones(36) + 1, w.master(1)));
  EXPECT_EQ(w.event(), (Words4{kTranslation | u64{1} << 32, u64{1} << 35 | u64{1} << 39 | u64{2} << 40,
                               ones(36) + 1, ones(36) + 1}));
  EXPECT_FALSE(w.pa(u64{1} << 44, w.master(1)));
  auto e = w.event();
  ASSERT_TRUE(e);
  EXPECT_EQ((*e)[0] & 0xff, kAddrSize);
  EXPECT_FALSE(bit((*e)[1], 39));  // a fault of stage 1, which is bypassed
}

TEST(Smmuv3Translation, FiftyTwoBitOutputNeedsThe64KGranule) {
  SmmuWorld w({.oas_bits = 52});
  w.start();
  SmmuTables big(w, 16, 48), small(w, 12, 48);
  big.entry(0, 3) = 0xa << 12 | kPage1Rw | 3;  // [15:12] are address bits [51:48]
  small.entry(0, 3) = u64{0xa} << 48 | kPage1Rw | 3;
  w.put_stream_s1(1, smmu_cd::make(big.root(), 16, 1, 1, 6));
  w.put_stream_s1(2, smmu_cd::make(small.root(), 16, 0, 2, 6));
  EXPECT_EQ(w.pa(0x123, w.master(1)), u64{0xa} << 48 | 0x123);
  EXPECT_EQ(w.pa(0x123, w.master(2)), 0x123u);
  w.put_stream_s1(3, smmu_cd::make(big.root(), 16, 1, 3, 5));  // IPS 48
  EXPECT_FALSE(w.pa(0, w.master(3)));
  EXPECT_EQ(w.event_type(), kAddrSize);
}

TEST(Smmuv3Translation, ADescriptorThatCannotBeReadIsWalkEabtWithBothAddresses) {
  OneStream w;
  w.low.entry(0x4000'0000, 1) = 0x8'0000'0000 | 3;  // a table where nothing is
  EXPECT_FALSE(w.out(0x4000'1000, Access::Write));
  EXPECT_EQ(w.event(), (Words4{kWalkEabt | u64{4} << 32, u64{1} << 40, 0x4000'1000, 0x8'0000'0000}));
}

// --- Rights ---

TEST(Smmuv3Translation, PrivcfgAndInstcfgReplaceWhatTheMasterSays) {
  OneStream w;
  w.low.map(0x5000, SmmuWorld::kRam, kAf | kNg | kUxn);                      // EL1: RWX, EL0: nothing
  w.low.map(0x6000, SmmuWorld::kRam, kAf | kNg | kEl0 | kRo | kPxn | kUxn);  // read-only data
  struct Row {
    u64 privcfg, instcfg;
    u64 va;
    bool privileged;
    Access access;
    bool allowed;
    u64 pnu, ind;
  };
  const Row rows[] = {
      {0, 0, 0x5000, false, Access::Read, false, 0, 0},   {0, 0, 0x5000, true, Access::Read, true, 1, 0},
      {1, 0, 0x5000, true, Access::Read, true, 1, 0},   // Reserved: as 0
      {2, 0, 0x5000, true, Access::Read, false, 0, 0},  // unprivileged
      {3, 0, 0x5000, false, Access::Read, true, 1, 0},  // privileged
      {3, 0, 0x5000, false, Access::Execute, true, 1, 1}, {0, 0, 0x6000, false, Access::Execute, false, 0, 1},
      {0, 2, 0x6000, false, Access::Execute, true, 0, 0},  // data
      {0, 3, 0x6000, false, Access::Read, false, 0, 1},    // instruction
      {0, 3, 0x6000, false, Access::Write, false, 0, 0},   // writes are always data
  };
  for (const Row& r : rows) {
    Words8 ste = smmu_ste::make(smmu_ste::kS1);
    ste[1] = r.privcfg << 48 | r.instcfg << 50;
    w.use(w.cd, ste);
    EXPECT_EQ(w.pa(r.va, w.master(4, r.privileged), r.access).has_value(), r.allowed);
    auto e = w.event();
    EXPECT_EQ(e.has_value(), !r.allowed);
    if (e) {
      EXPECT_EQ(extract((*e)[1], 33, 2), r.pnu | r.ind << 1);
    }
  }
}

TEST(Smmuv3Translation, RightsOfOneEntryServeEveryKindOfAccess) {
  OneStream w;
  w.low.map(0x5000, SmmuWorld::kRam, kAf | kNg | kEl0 | kRo | kUxn);
  EXPECT_TRUE(w.out(0x5000));
  u64 walks = w.smmu->counters().walks;
  EXPECT_FALSE(w.out(0x5000, Access::Write));
  EXPECT_EQ(w.event_type(), kPermission);
  EXPECT_FALSE(w.out(0x5000, Access::Execute));
  EXPECT_EQ(w.event_type(), kPermission);
  EXPECT_TRUE(w.pa(0x5000, w.master(4, true), Access::Execute));
  EXPECT_EQ(w.smmu->counters().walks, walks);  // all from the IOTLB
}

TEST(Smmuv3Translation, AnAtomicAccessReportsTheReadOnlyWhenTheWriteIsAllowed) {
  SmmuWorld w;
  w.start();
  SmmuTables s2(w, 12, 40, 1);
  s2.map(0x1000, SmmuWorld::kRam, kAf | u64{2} << 6 | u64{0xf} << 2);  // write only
  s2.map(0x2000, SmmuWorld::kRam, kAf | u64{1} << 6 | u64{0xf} << 2);  // read only
  Words8 ste = smmu_ste::make(smmu_ste::kS2);
  smmu_ste::add_s2(ste, s2.root(), 24, 1);
  w.put_ste(1, ste);
  EXPECT_FALSE(w.pa(0x1000, w.master(1), Access::ReadWrite));
  EXPECT_TRUE(bit(w.event().value_or(Words4{})[1], 35));
  EXPECT_FALSE(w.pa(0x2000, w.master(1), Access::ReadWrite));
  EXPECT_FALSE(bit(w.event().value_or(Words4{0, ~u64{0}, 0, 0})[1], 35));
}

TEST(Smmuv3Translation, EventsAreSuppressedByCdRAndByS2RForTheirStage) {
  OneStream w;
  Words8 quiet = w.cd;
  quiet[0] &= ~smmu_cd::kR;
  w.use(quiet);
  EXPECT_FALSE(w.out(0x9000));
  EXPECT_FALSE(w.out(u64{1} << 50));
  w.low.map(0x5000, SmmuWorld::kRam, kEl0);
  EXPECT_FALSE(w.out(0x5000));
  w.low.map(0x6000, SmmuWorld::kRam, kPage1Rw | kRo);
  EXPECT_FALSE(w.out(0x6000, Access::Write));
  EXPECT_FALSE(w.event());
  EXPECT_EQ(w.smmu->counters().events_suppressed, 4u);
  w.low.entry(0x4000'0000, 1) = 0x8'0000'0000 | 3;
  EXPECT_FALSE(w.out(0x4000'0000));
  EXPECT_EQ(w.event_type(), kWalkEabt);  // not one of the four
}

TEST(Smmuv3Translation, AccessFlagFaultsAndAffd) {
  OneStream w;
  w.low.map(0x5000, SmmuWorld::kRam, kPage1Rw & ~kAf);
  EXPECT_FALSE(w.out(0x5000));
  EXPECT_EQ(w.event_type(), kAccess);
  EXPECT_FALSE(w.out(0x5000));  // not cached
  EXPECT_EQ(w.event_type(), kAccess);
  w.low.map(0x5000, SmmuWorld::kRam, kPage1Rw);
  EXPECT_TRUE(w.out(0x5000));
  w.low.map(0x6000, SmmuWorld::kRam, kPage1Rw & ~kAf);
  Words8 cd = w.cd;
  cd[0] |= u64{1} << 35;
  w.use(cd);
  EXPECT_TRUE(w.out(0x6000));
}

TEST(Smmuv3Translation, Nested2FaultsSayWhichAccessOfStage1MetThem) {
  SmmuWorld w;
  w.start();
  SmmuTables s1(w, 12, 39), s2(w, 12, 40, 1);
  s1.map(0x1000, SmmuWorld::kRam, kPage1Rw);
  u64 cd_at = w.take(64);
  w.put(cd_at, smmu_cd::make(s1.root(), 25, 0, 1));
  Words8 ste = smmu_ste::make(smmu_ste::kNested, cd_at);
  smmu_ste::add_s2(ste, s2.root(), 24, 1);
  w.put_ste(1, ste);
  auto expect = [&](u64 type, u64 event_class, u64 ipa, u64 extra = 0) {
    EXPECT_FALSE(w.pa(0x1abc, w.master(1), Access::Write));
    EXPECT_EQ(w.event(),
              (Words4{type | u64{1} << 32, u64{1} << 39 | event_class << 40 | extra, 0x1abc, ipa}));
  };
  expect(kTranslation, 0, cd_at & ~ones(12));
  s2.map(cd_at & ~ones(12), cd_at & ~ones(12), kPage2Rw);
  expect(kTranslation, 1, s1.root());
  s2.map(s1.root(), s1.root(), kAf | u64{2} << 6 | u64{0xf} << 2);  // not readable
  expect(kPermission, 1, s1.root(), u64{1} << 44);                  // TTRnW
  for (u64 table = s1.root(); table < w.next_free; table += 0x1000) s2.map(table, table, kPage2Rw);
  s2.entry(SmmuWorld::kRam, 3) = 0;
  expect(kTranslation, 2, SmmuWorld::kRam);
  s2.map(SmmuWorld::kRam, SmmuWorld::kRam, kPage2Rw & ~(u64{2} << 6));
  expect(kPermission, 2, SmmuWorld::kRam);
  EXPECT_EQ(w.pa(0x1abc, w.master(1)), SmmuWorld::kRam + 0xabc);
}

TEST(Smmuv3Translation, S2ptwRefusesTablesInDeviceMemory) {
  SmmuWorld w;
  w.start();
  SmmuTables s1(w, 12, 39), s2(w, 12, 40, 1);
  s1.map(0x1000, SmmuWorld::kRam, kPage1Rw);
  u64 cd_at = w.take(64);
  w.put(cd_at, smmu_cd::make(s1.root(), 25, 0, 1));
  u64 device = kAf | u64{3} << 6 | u64{1} << 2;
  for (u64 page = SmmuWorld::kRam; page < w.next_free; page += 0x1000) s2.map(page, page, device);
  Words8 ste = smmu_ste::make(smmu_ste::kNested, cd_at);
  smmu_ste::add_s2(ste, s2.root(), 24, 1);
  for (u64 page = SmmuWorld::kRam; page < w.next_free; page += 0x1000) s2.map(page, page, device);
  w.put_ste(1, ste);
  EXPECT_TRUE(w.pa(0x1000, w.master(1)));
  ste[2] |= u64{1} << 54;
  w.put_ste(1, ste);
  w.command(smmu_cmd::cfgi_all());
  w.command(smmu_cmd::nsnh_all());
  EXPECT_FALSE(w.pa(0x1000, w.master(1)));
  auto e = w.event();
  ASSERT_TRUE(e);
  EXPECT_EQ((*e)[0] & 0xff, kPermission);
  EXPECT_EQ(extract((*e)[1], 40, 2), 0u);  // the CD comes first
}

// --- Stream worlds ---

TEST(Smmuv3Translation, El2StreamsHaveOneTableAndNoPrivilegeLevels) {
  OneStream w({.hyp = true});
  Words8 ste = smmu_ste::make(smmu_ste::kS1);
  ste[1] = u64{2} << 30;                           // STRW
  w.low.map(0x5000, SmmuWorld::kRam, kAf | kPxn);  // AP[1] and PXN do not count
  Words8 cd = w.cd;
  cd[0] |= u64{1} << 14;  // nor does EPD0
  w.use(cd, ste);
  EXPECT_TRUE(w.out(0x5000, Access::Write));
  EXPECT_TRUE(w.out(0x5000, Access::Execute));
  EXPECT_FALSE(w.out(~ones(39) + 0x1000));  // no TTB1
  EXPECT_EQ(w.event_type(), kTranslation);
  ASSERT_EQ(w.smmu->streams().size(), 1u);
  EXPECT_EQ(w.smmu->streams()[0].world, smmuv3::World::El2);
  ste[1] = u64{1} << 30;
  w.use(w.cd, ste);
  EXPECT_FALSE(w.out(0x1000));
  EXPECT_EQ(w.event_type(), 0x04u);  // STRW x1: C_BAD_STE
}

// --- Seeing it ---

TEST(Smmuv3Translation, ExplainShowsEveryDescriptorAndChangesNothing) {
  OneStream w;
  Smmuv3::Explanation e = w.smmu->explain(0x1234, w.master(4), Access::Read);
  EXPECT_EQ(e.verdict, "translated");
  EXPECT_EQ(e.output, SmmuWorld::kRam + 0x234);
  EXPECT_FALSE(e.cached);
  ASSERT_EQ(e.steps.size(), 5u);  // STE, CD, levels 1 to 3
  EXPECT_EQ(e.steps[0].what, "STE");
  EXPECT_EQ(e.steps[0].address, w.strtab + 4 * 64);
  EXPECT_EQ(e.steps[1].what, "CD");
  EXPECT_EQ(e.steps[1].words[0], w.cd[0]);
  EXPECT_EQ(e.steps[4].words, std::vector<u64>{SmmuWorld::kRam | kPage1Rw | 3});
  Smmuv3::Explanation refused = w.smmu->explain(0x9000, w.master(4), Access::Read);
  EXPECT_EQ(refused.verdict, "F_TRANSLATION");
  EXPECT_FALSE(w.event());
  EXPECT_EQ(w.smmu->iotlb_entries(), 0u);
  EXPECT_TRUE(w.smmu->streams().empty());
  EXPECT_TRUE(w.out(0x1234));
  EXPECT_TRUE(w.smmu->explain(0x1234, w.master(4), Access::Read).cached);
  EXPECT_NE(w.smmu->report().find("stream 0x4: stage 1, world EL1, VMID 0, ASID 1"), std::string::npos);
}

}  // namespace
}  // namespace sluice
