// SMMUv3: every field of an STE or CD that can be illegal, and the bounds of the tables that hold them:
// IHI 0070 5.1 to 5.5, 7.3.
#include "tests/support/smmu_world.h"

namespace sluice {
namespace {

using namespace test;
namespace reg = smmu_reg;

constexpr u64 kBadStreamId = 0x02, kSteFetch = 0x03, kBadSte = 0x04, kStreamDisabled = 0x06,
              kBadSubstreamId = 0x08, kCdFetch = 0x09, kBadCd = 0x0a, kTranslation = 0x10;
constexpr u64 b(unsigned n) { return u64{1} << n; }

Smmuv3Config nested(unsigned ssid_bits = 0) {
  return {.stages = Smmuv3Config::Stages::Nested, .oas_bits = 44, .ssid_bits = ssid_bits};
}

// A stage 1 stream and a stage 2 stream that map one page, for the tests to spoil.
struct Structures : SmmuWorld {
  SmmuTables s1{*this, 12, 48}, s2{*this, 12, 40, 1};
  Words8 good_cd = smmu_cd::make(s1.root());
  Words8 good_s1 = smmu_ste::make(smmu_ste::kS1);
  Words8 good_s2 = smmu_ste::make(smmu_ste::kS2);
  explicit Structures(Smmuv3Config config = nested()) : SmmuWorld(std::move(config)) {
    start();
    s1.map(0x1000, kRam, kPage1Rw);
    s2.map(0x1000, kRam, kPage2Rw);
    smmu_ste::add_s2(good_s2, s2.root(), 24, 1);
  }
  // 0: allowed.
  u64 event_with_cd(const Words8& cd) {
    put_stream_s1(5, cd, good_s1);
    return outcome();
  }
  u64 event_with_ste(Words8 ste) {
    if (ste[0] & 2) {
      u64 at = take(64);
      put(at, good_cd);
      ste[0] |= at;
    }
    put_ste(5, ste);
    return outcome();
  }
  u64 outcome() {
    command(smmu_cmd::cfgi_all());
    command(smmu_cmd::nsnh_all());
    bool allowed = pa(0x1000, master(5)).has_value();
    auto e = event();
    EXPECT_FALSE(event());
    EXPECT_EQ(allowed, !e);
    return e ? (*e)[0] & 0xff : 0;
  }
};

struct Spoil {
  const char* what;
  unsigned word;
  u64 clear, set;
  u64 expected;
};

TEST(Smmuv3Structures, EveryIllegalStage2FieldOfAnSteIsBadSte) {
  Structures w;
  EXPECT_EQ(w.event_with_ste(w.good_s2), 0u);
  constexpr u64 kT0sz = ones(6) << 32, kSl0 = u64{3} << 38, kTg = u64{3} << 46;
  const Spoil rows[] = {
      {"V", 0, b(0), 0, kBadSte},
      {"S2AA64 = 0", 2, b(51), 0, kBadSte},
      {"S2ENDI", 2, 0, b(52), kBadSte},
      {"S2HD", 2, 0, b(55), kBadSte},
      {"S2HA", 2, 0, b(56), kBadSte},
      {"S2S", 2, 0, b(57), kBadSte},
      {"S2TG Reserved", 2, kTg, u64{3} << 46, kBadSte},
      {"S2T0SZ below 64 - IAS", 2, kT0sz, u64{19} << 32, kBadSte},
      {"S2T0SZ above 39", 2, kT0sz, u64{40} << 32, kBadSte},
      {"S2T0SZ too large for S2SL0", 2, kT0sz | kSl0, u64{34} << 32 | u64{1} << 38, kBadSte},
      {"S2T0SZ too small for S2SL0", 2, kT0sz | kSl0, u64{24} << 32, kBadSte},
      {"S2SL0 = 3", 2, kSl0, u64{3} << 38, kBadSte},
      {"S2SL0 = 2 for 40 bits is the fewest", 2, kSl0, u64{2} << 38, kTranslation},
      {"S2SL0 = 2 for 39 bits", 2, kT0sz | kSl0, u64{25} << 32 | u64{2} << 38, kBadSte},
      {"S2TTB beyond S2PS", 3, 0, u64{1} << 44, kBadSte},
      {"S2TTB beyond a smaller S2PS", 2, u64{7} << 48, 0, 0},  // 32 bits: the table itself is below
      {"S2AFFD", 2, 0, b(53), 0},
      {"S2PTW without stage 1", 2, 0, b(54), 0},
      {"S2R = 0", 2, b(58), 0, 0},
      {"S2PS = 7", 2, 0, u64{7} << 48, 0},
      {"S1STALLD without stage 1", 1, 0, b(27), 0},
      {"EATS without ATS", 1, 0, u64{3} << 28, 0},
      {"STRW without Hyp", 1, 0, u64{3} << 30, 0},
  };
  for (const Spoil& r : rows) {
    Words8 ste = w.good_s2;
    ste[r.word] = (ste[r.word] & ~r.clear) | r.set;
    EXPECT_EQ(w.event_with_ste(ste), r.expected) << r.what;
  }
}

TEST(Smmuv3Structures, EveryIllegalStage1FieldOfAnSteIsBadSte) {
  Structures w(nested(6));
  EXPECT_EQ(w.event_with_ste(w.good_s1), 0u);
  const Spoil rows[] = {
      {"V", 0, b(0), 0, kBadSte},
      {"S1STALLD", 1, 0, b(27), kBadSte},
      {"S1CDMax above SSIDSIZE", 0, 0, u64{7} << 59, kBadSte},
      {"S1ContextPtr beyond the OAS", 0, 0, b(44), kBadSte},
      {"EATS without ATS", 1, 0, u64{1} << 28, 0},
      {"stage 2 fields", 2, 0, b(57) | b(52) | b(56), 0},
  };
  for (const Spoil& r : rows) {
    Words8 ste = w.good_s1;
    ste[r.word] = (ste[r.word] & ~r.clear) | r.set;
    EXPECT_EQ(w.event_with_ste(ste), r.expected) << r.what;
  }
  Smmuv3Config no_cd2l = nested(6);
  no_cd2l.two_level_cd = false;
  for (u64 fmt = 0; fmt < 4; fmt++) {
    Structures linear_only(no_cd2l);
    Words8 ste = linear_only.good_s1;
    ste[0] |= fmt << 4 | u64{6} << 59;
    ste[1] |= 2;  // S1DSS: CD 0
    EXPECT_EQ(linear_only.event_with_ste(ste), fmt == 1 || fmt == 2 ? kBadSte : 0) << fmt;
  }
}

TEST(Smmuv3Structures, StagesThatAreAbsentMakeAnSteIllegal) {
  Structures one({.stages = Smmuv3Config::Stages::One});
  EXPECT_EQ(one.event_with_ste(one.good_s1), 0u);
  EXPECT_EQ(one.event_with_ste(one.good_s2), kBadSte);
  Structures two({.stages = Smmuv3Config::Stages::Two});
  EXPECT_EQ(two.event_with_ste(two.good_s1), kBadSte);
  EXPECT_EQ(two.event_with_ste(two.good_s2), 0u);
}

TEST(Smmuv3Structures, ConfigAbortTerminatesWithoutAnEvent) {
  Structures w;
  for (u64 config = 0; config < 4; config++) {
    w.put_ste(5, smmu_ste::make(config));
    w.command(smmu_cmd::cfgi_all());
    EXPECT_FALSE(w.pa(0x1000, w.master(5)));
    EXPECT_FALSE(w.event());
  }
  EXPECT_EQ(w.event_with_ste(smmu_ste::make(smmu_ste::kBypass)), 0u);
}

TEST(Smmuv3Structures, EveryIllegalFieldOfACdIsBadCd) {
  Structures w;
  EXPECT_EQ(w.event_with_cd(w.good_cd), 0u);
  constexpr u64 kT0sz = ones(6), kTg0 = u64{3} << 6, kIps = u64{7} << 32;
  const Spoil rows[] = {
      {"V", 0, b(31), 0, kBadCd},
      {"AA64 = 0", 0, b(41), 0, kBadCd},
      {"A = 0", 0, b(46), 0, kBadCd},
      {"S", 0, 0, b(44), kBadCd},
      {"HA", 0, 0, b(43), kBadCd},
      {"HD", 0, 0, b(42), kBadCd},
      {"ENDI", 0, 0, b(15), kBadCd},
      {"T0SZ = 15", 0, kT0sz, 15, kBadCd},
      {"T0SZ = 40", 0, kT0sz, 40, kBadCd},
      {"T0SZ = 0", 0, kT0sz, 0, kBadCd},
      {"TG0 Reserved", 0, kTg0, u64{3} << 6, kBadCd},
      {"TTB0 beyond IPS", 1, 0, b(44), kBadCd},
      {"TTB0 beyond a smaller IPS", 0, kIps, 0, 0},
      {"TTB1 enabled with TG1 Reserved", 0, b(30), u64{16} << 16, kBadCd},
      {"TTB1 enabled with T1SZ = 0", 0, b(30), u64{2} << 22, kBadCd},
      {"TTB1 enabled", 0, b(30), u64{2} << 22 | u64{16} << 16, 0},
      {"IPS = 6", 0, kIps, u64{6} << 32, 0},
      {"IPS = 7", 0, kIps, u64{7} << 32, 0},
      {"T1SZ and TG1 are ignored with EPD1", 0, 0, u64{3} << 16, 0},
      {"EPD0: no walk", 0, 0, b(14), kTranslation},
      {"EPD0 and EPD1: ENDI and T0SZ are ignored", 0, kT0sz, b(14) | b(15), kTranslation},
  };
  for (const Spoil& r : rows) {
    Words8 cd = w.good_cd;
    cd[r.word] = (cd[r.word] & ~r.clear) | r.set;
    EXPECT_EQ(w.event_with_cd(cd), r.expected) << r.what;
  }
  Words8 far_ttb1 = w.good_cd;
  far_ttb1[0] = (far_ttb1[0] & ~b(30)) | u64{2} << 22 | u64{16} << 16;
  far_ttb1[2] = b(45);
  EXPECT_EQ(w.event_with_cd(far_ttb1), kBadCd);
}

TEST(Smmuv3Structures, AGranuleThatIsNotImplementedIsIllegalInBoth) {
  for (u64 tg = 0; tg < 3; tg++) {
    Smmuv3Config config = nested();
    bool* const granules[] = {&config.granule_4k, &config.granule_64k, &config.granule_16k};
    *granules[tg] = false;
    Structures w(config);
    Words8 cd = w.good_cd;
    cd[0] = (cd[0] & ~(u64{3} << 6)) | tg << 6;
    EXPECT_EQ(w.event_with_cd(cd), kBadCd) << tg;
    Words8 ste = w.good_s2;
    ste[2] = (ste[2] & ~(u64{3} << 46)) | tg << 46;
    EXPECT_EQ(w.event_with_ste(ste), kBadSte) << tg;
  }
}

TEST(Smmuv3Structures, BadStructureEventsNameTheStream) {
  Structures w(nested(4));
  w.put_ste(0x15, {});
  EXPECT_FALSE(w.pa(0, w.master_ss(0x15, 9)));
  EXPECT_EQ(w.event(), (Words4{kBadSte | 1 << 11 | 9 << 12 | u64{0x15} << 32, 0, 0, 0}));
}

// --- Stream tables ---

TEST(Smmuv3Structures, ALinearTableEndsAtItsSizeAndAtSidsize) {
  SmmuWorld w({.sid_bits = 6});
  w.strtab_log2 = 4;
  w.start();
  for (u32 sid = 0; sid < 16; sid++) w.put_ste(sid, smmu_ste::make(smmu_ste::kBypass));
  EXPECT_TRUE(w.pa(0, w.master(15)));
  EXPECT_FALSE(w.pa(0, w.master(16)));
  EXPECT_EQ(w.event(), (Words4{kBadStreamId | u64{16} << 32, 0, 0, 0}));
  // LOG2SIZE larger than SIDSIZE counts as SIDSIZE.
  w.write32(reg::CR0, 0xc);
  w.strtab_log2 = 20;
  w.write64(reg::STRTAB_BASE, SmmuWorld::kRam);  // aligned to the table of 2^20 entries: 64 MiB
  w.write32(reg::STRTAB_BASE_CFG, 20);
  w.strtab = SmmuWorld::kRam;
  w.write32(reg::CR0, 0xd);
  w.put_ste(63, smmu_ste::make(smmu_ste::kBypass));
  EXPECT_TRUE(w.pa(0, w.master(63)));
  EXPECT_FALSE(w.pa(0, w.master(64)));
  EXPECT_EQ(w.event_type(), kBadStreamId);
}

TEST(Smmuv3Structures, BadStreamIdIsRecordedOnlyWithRecinvsid) {
  SmmuWorld w;
  w.start();
  w.write32(reg::CR0, 0xc);
  w.write32(reg::CR2, 0);
  w.write32(reg::CR0, 0xd);
  EXPECT_FALSE(w.pa(0, w.master(0x4000)));
  EXPECT_FALSE(w.event());
}

TEST(Smmuv3Structures, TheBaseOfATableIsAlignedToItsSize) {
  SmmuWorld w;
  w.start();
  w.put_ste(0, smmu_ste::make(smmu_ste::kBypass));
  w.write32(reg::CR0, 0xc);
  w.write64(reg::STRTAB_BASE, w.strtab + 0x40);
  w.write32(reg::CR0, 0xd);
  EXPECT_TRUE(w.pa(0, w.master(0)));
}

struct TwoLevel : SmmuWorld {
  u64 l1 = 0, l2 = 0;
  explicit TwoLevel(unsigned split, unsigned log2size = 10) : SmmuWorld(nested()) {
    make_queues();
    l1 = take(0x1000);
    l2 = take(u64{64} << 10);
    for (u64 i = 0; i < 1024; i++) put(l2 + i * 64, smmu_ste::make(smmu_ste::kBypass));
    write64(reg::STRTAB_BASE, l1);
    write32(reg::STRTAB_BASE_CFG, 1 << 16 | split << 6 | log2size);
    write32(reg::CR2, 2);
    write32(reg::CR0, 0xd);
  }
  u64 with_span(u64 span, u32 sid) {
    at(l1) = l2 | span;
    command(smmu_cmd::cfgi_all());
    bool ok = pa(0, master(sid)).has_value();
    u64 type = event_type();
    EXPECT_EQ(ok, type == 0);
    return type;
  }
};

TEST(Smmuv3Structures, ASpanOfNCoversTwoToTheNMinusOneStreams) {
  for (unsigned split : {6u, 8u, 10u}) {
    TwoLevel w(split);
    EXPECT_EQ(w.with_span(0, 0), kBadStreamId);
    for (u64 span = 1; span <= split + 1; span++) {
      u32 count = 1u << (span - 1);
      EXPECT_EQ(w.with_span(span, count - 1), 0u) << split << " " << span;
      if (count < 1u << split) {
        EXPECT_EQ(w.with_span(span, count), kBadStreamId) << split << " " << span;
      }
    }
    for (u64 span = split + 2; span < 32; span++) EXPECT_EQ(w.with_span(span, 0), kBadStreamId) << span;
  }
}

TEST(Smmuv3Structures, TheFirstLevelIsIndexedAboveTheSplit) {
  TwoLevel w(6, 8);
  for (u64 i = 0; i < 4; i++) w.at(w.l1 + i * 8) = 0;
  w.at(w.l1 + 2 * 8) = w.l2 | 7;
  EXPECT_TRUE(w.pa(0, w.master(0x80)));
  EXPECT_TRUE(w.pa(0, w.master(0xbf)));
  EXPECT_FALSE(w.pa(0, w.master(0x7f)));
  EXPECT_EQ(w.event_type(), kBadStreamId);
  EXPECT_FALSE(w.pa(0, w.master(0x100)));
  EXPECT_EQ(w.event_type(), kBadStreamId);
}

TEST(Smmuv3Structures, AReservedSplitCountsAsSix) {
  TwoLevel w(7);
  EXPECT_EQ(w.with_span(7, 63), 0u);
  EXPECT_EQ(w.with_span(8, 0), kBadStreamId);
}

TEST(Smmuv3Structures, SecondLevelTablesAreAlignedToTheirSpan) {
  TwoLevel w(6);
  w.at(w.l1) = w.l2 + 0x40 + 7;
  EXPECT_TRUE(w.pa(0, w.master(0)));
}

TEST(Smmuv3Structures, AFetchThatAbortsIsSteFetchWithItsAddress) {
  TwoLevel w(6);
  w.at(w.l1) = u64{0x10'0000'0000} | 7;
  EXPECT_FALSE(w.pa(0, w.master(3)));
  EXPECT_EQ(w.event(), (Words4{kSteFetch | u64{3} << 32, 0, 0, 0x10'0000'00c0}));
  w.at(w.l1) = u64{1} << 44 | 7;  // beyond the OAS
  EXPECT_FALSE(w.pa(0, w.master(0)));
  EXPECT_EQ(w.event(), (Words4{kSteFetch, 0, 0, u64{1} << 44}));
  w.at(w.l1) = SmmuWorld::kFrame | 7;  // registers are not memory
  EXPECT_FALSE(w.pa(0, w.master(0)));
  EXPECT_EQ(w.event_type(), kSteFetch);
}

// --- Context descriptors and substreams ---

struct Substreams : SmmuWorld {
  u64 cds = 0;
  std::vector<std::unique_ptr<SmmuTables>> tables;
  explicit Substreams(unsigned ssid_bits = 12, unsigned cds_log2 = 4) : SmmuWorld(nested(ssid_bits)) {
    start();
    cds = take(u64{64} << cds_log2);
  }
  // CD `index` maps page 0x1000 to kRam + index * 0x1000.
  Words8 cd(u64 index) {
    tables.push_back(std::make_unique<SmmuTables>(*this, 12, 39));
    tables.back()->map(0x1000, kRam + index * 0x1000, kPage1Rw);
    return smmu_cd::make(tables.back()->root(), 25, 0, index + 1);
  }
  void set(u64 cd_max, u64 dss, u64 fmt = 0, u64 ptr = 0) {
    Words8 ste = smmu_ste::make(smmu_ste::kS1, ptr ? ptr : cds, cd_max);
    ste[0] |= fmt << 4;
    ste[1] = dss;
    put_ste(7, ste);
    command(smmu_cmd::cfgi_all());
  }
  // The CD that was used, or minus the event.
  i64 used(MemTxAttrs attrs) {
    auto out = pa(0x1000, attrs);
    return out ? i64(*out - kRam) >> 12 : -i64(event_type());
  }
};

TEST(Smmuv3Structures, S1dssDecidesAboutTransactionsWithoutSubstream) {
  Substreams w;
  for (u64 i = 0; i < 4; i++) w.put(w.cds + i * 64, w.cd(i));
  w.set(2, 0);
  EXPECT_EQ(w.used(w.master(7)), -i64(kStreamDisabled));
  EXPECT_EQ(w.used(w.master_ss(7, 0)), 0);
  EXPECT_EQ(w.used(w.master_ss(7, 3)), 3);
  EXPECT_EQ(w.used(w.master_ss(7, 4)), -i64(kBadSubstreamId));
  w.set(2, 1);
  EXPECT_EQ(w.pa(0x5678, w.master(7)), 0x5678u);  // stage 1 is bypassed
  EXPECT_EQ(w.used(w.master_ss(7, 2)), 2);
  w.set(2, 2);
  EXPECT_EQ(w.used(w.master(7)), 0);
  EXPECT_EQ(w.used(w.master_ss(7, 0)), -i64(kStreamDisabled));
  EXPECT_EQ(w.used(w.master_ss(7, 1)), 1);
  w.set(2, 3);
  EXPECT_EQ(w.used(w.master(7)), -i64(kStreamDisabled));
}

TEST(Smmuv3Structures, ASubstreamNeedsSubstreamsToBeEnabled) {
  Substreams w;
  w.put(w.cds, w.cd(0));
  w.set(0, 0);
  EXPECT_EQ(w.used(w.master(7)), 0);
  EXPECT_FALSE(w.pa(0x1000, w.master_ss(7, 5)));
  // C_BAD_SUBSTREAMID has no SSV.
  EXPECT_EQ(w.event(), (Words4{kBadSubstreamId | 5 << 12 | u64{7} << 32, 0, 0, 0}));
  w.put_ste(7, smmu_ste::make(smmu_ste::kBypass));
  w.command(smmu_cmd::cfgi_all());
  EXPECT_EQ(w.used(w.master_ss(7, 0)), -i64(kBadSubstreamId));
  SmmuWorld none(nested(0));
  none.start();
  none.put_ste(7, smmu_ste::make(smmu_ste::kBypass));
  EXPECT_FALSE(none.pa(0, none.master_ss(7, 0)));
  EXPECT_EQ(none.event_type(), kBadSubstreamId);
}

TEST(Smmuv3Structures, TwoLevelCdTablesOfBothLeafSizes) {
  for (u64 fmt : {1, 2}) {
    Substreams w;
    unsigned leaf = fmt == 1 ? 6 : 10;
    u64 l1 = w.take(0x1000), l2 = w.take(u64{64} << leaf);
    w.put(l2 + 5 * 64, w.cd(5));
    w.at(l1 + 8) = l2 | 1;
    w.set(12, 0, fmt, l1);
    u32 ssid = (1u << leaf) + 5;
    EXPECT_EQ(w.used(w.master_ss(7, ssid)), 5);
    EXPECT_EQ(w.used(w.master_ss(7, ssid + 1)), -i64(kBadCd));
    // An L1CD that is not valid, or points too far.
    EXPECT_EQ(w.used(w.master_ss(7, 5)), -i64(kBadSubstreamId));
    w.at(l1) = u64{1} << 44 | 1;
    EXPECT_EQ(w.used(w.master_ss(7, 5)), -i64(kBadSubstreamId));
    w.at(l1) = 0x10'0000'0001;
    EXPECT_FALSE(w.pa(0x1000, w.master_ss(7, 5)));
    EXPECT_EQ(w.event(),
              (Words4{kCdFetch | 1 << 11 | 5 << 12 | u64{7} << 32, 0, 0, 0x10'0000'0000 + 5 * 64}));
  }
}

TEST(Smmuv3Structures, ASmallTwoLevelTableUsesItsFirstPointerOnly) {
  Substreams w;
  u64 l1 = w.take(64), l2 = w.take(0x1000);
  w.put(l2 + 3 * 64, w.cd(3));
  w.at(l1) = l2 | 1;
  w.set(2, 0, 1, l1);
  EXPECT_EQ(w.used(w.master_ss(7, 3)), 3);
  EXPECT_EQ(w.used(w.master_ss(7, 4)), -i64(kBadSubstreamId));
}

TEST(Smmuv3Structures, NothingInAnSteOrCdCanStopTheEmulator) {
  Random random(20260);
  Structures w(nested(8));
  for (int i = 0; i < 20000; i++) {
    Words8 ste, cd;
    for (u64& word : ste) word = random.below(~u64{0});
    for (u64& word : cd) word = random.below(~u64{0});
    if (random.chance(80)) {
      // Nearly right, so that the deeper code is reached.
      ste[0] = (ste[0] & 0x3f) | 9 | (random.below(4) << 59);
      ste[2] = (ste[2] & ~(u64{0x3} << 51 | u64{0xf} << 54)) | u64{1} << 51;
      ste[3] = w.s2.root();
      cd[0] = (cd[0] & ~(u64{7} << 42 | u64{1} << 15)) | smmu_cd::kV | smmu_cd::kAa64 | smmu_cd::kA;
      cd[1] = w.s1.root(), cd[2] = w.s1.root();
      u64 at = w.take(64);
      w.next_free = at;  // over and over
      w.put(at, cd);
      ste[0] |= at;
    }
    w.put_ste(5, ste);
    w.command(smmu_cmd::cfgi_all());
    u64 address = random.chance(50) ? random.below(0x4000) : random.below(~u64{0});
    w.ask(address, random.chance(50) ? w.master(5) : w.master_ss(5, u32(random.below(8))),
          Access(1 + random.below(7)));
    while (w.event()) {
    }
  }
}

}  // namespace
}  // namespace sluice
