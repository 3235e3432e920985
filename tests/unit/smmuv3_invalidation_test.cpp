// SMMUv3: what each CMD_CFGI_* and CMD_TLBI_* removes and what it leaves, in the IOTLB, in the configuration
// cache and at subscribers: IHI 0070 4.3, 4.4.
#include "tests/support/smmu_world.h"

namespace sluice {
namespace {

using namespace test;
namespace reg = smmu_reg;
namespace cmd = smmu_cmd;

// Streams 1 to 3 and 6: stage 1; 4 and 5: stage 2 only; 7: nested; 8: EL2. Pages 0x1000 and 0x2000 are
// non-global, 0x3000 is global, 0x20'0000 is a 2 MiB block.
struct Scopes : SmmuWorld {
  static constexpr u64 kPages[] = {0x1000, 0x2000, 0x3000, 0x20'0000};
  std::vector<std::unique_ptr<SmmuTables>> tables;
  explicit Scopes(bool hyp = true) : SmmuWorld({.ssid_bits = 4, .hyp = hyp}) {
    start();
    s1(1, 1, 1), s1(2, 1, 2), s1(3, 2, 1), s1(6, 1, 1);
    s2(4, 1), s2(5, 2);
    nested(7, 3, 1);
    s1(8, 0, 0, u64{2} << 30);
  }
  SmmuTables& new_tables(unsigned bits, int start, u64 attributes, u64 global_clear) {
    tables.push_back(std::make_unique<SmmuTables>(*this, 12, bits, start));
    SmmuTables& t = *tables.back();
    for (u64 page : {0x1000, 0x2000}) t.map(page, kRam + page, attributes);
    t.map(0x3000, kRam + 0x3000, attributes & ~global_clear);
    t.map(0x20'0000, kRam + 0x20'0000, attributes, 2);
    return t;
  }
  void s1(u32 sid, u64 vmid, u64 asid, u64 word1 = 0) {
    SmmuTables& t = new_tables(39, -1, kPage1Rw, kNg);
    Words8 ste = smmu_ste::make(smmu_ste::kS1);
    ste[1] = word1, ste[2] = vmid;
    put_stream_s1(sid, smmu_cd::make(t.root(), 25, 0, asid), ste);
  }
  void s2(u32 sid, u64 vmid) {
    SmmuTables& t = new_tables(40, 1, kPage2Rw, 0);
    Words8 ste = smmu_ste::make(smmu_ste::kS2);
    smmu_ste::add_s2(ste, t.root(), 24, 1, 0, vmid);
    put_ste(sid, ste);
  }
  // Stage 1 maps a 2 MiB block that stage 2 has as 4 KiB pages.
  void nested(u32 sid, u64 vmid, u64 asid) {
    SmmuTables& t = new_tables(39, -1, kPage1Rw, kNg);
    u64 cd = take(64);
    put(cd, smmu_cd::make(t.root(), 25, 0, asid));
    tables.push_back(std::make_unique<SmmuTables>(*this, 12, 40, 1));
    SmmuTables& second = *tables.back();
    for (u64 page = kRam; page < kRam + 0x80'0000; page += 0x1000) second.map(page, page, kPage2Rw);
    Words8 ste = smmu_ste::make(smmu_ste::kNested, cd);
    smmu_ste::add_s2(ste, second.root(), 24, 1, 0, vmid);
    put_ste(sid, ste);
  }
  void fill() {
    for (u32 sid = 1; sid <= 8; sid++)
      for (u64 page : kPages) EXPECT_TRUE(pa(page, master(sid))) << sid << " " << page;
  }
  bool cached(u32 sid, u64 page) { return smmu->explain(page, master(sid), Access::Read).cached; }
  // What has gone, as "stream:page ..." in hexadecimal; streams that share entries are looked at once.
  std::string gone() {
    std::string text;
    for (u32 sid : {1, 2, 3, 4, 5, 7, 8})
      for (u64 page : kPages) {
        if (cached(sid, page)) continue;
        char item[32];
        std::snprintf(item, sizeof item, "%s%u:%llx", text.empty() ? "" : " ", sid,
                      static_cast<unsigned long long>(page));
        text += item;
      }
    return text;
  }
};

TEST(Smmuv3Invalidation, EachTlbiRemovesItsScopeAndNothingElse) {
  struct Row {
    const char* name;
    Words2 command;
    const char* gone;
  };
  const Row rows[] = {
      {"NH_ALL", cmd::nh_all(1), "1:1000 1:2000 1:3000 1:200000 2:1000 2:2000 2:3000 2:200000"},
      {"NH_ALL of a VMID without entries", cmd::nh_all(9), ""},
      // The global page of VMID 1 is one entry, whichever ASID brought it in.
      {"NH_ASID", cmd::nh_asid(1, 1), "1:1000 1:2000 1:200000"},
      {"NH_ASID of the other VMID", cmd::nh_asid(1, 2), "3:1000 3:2000 3:200000"},
      {"NH_VA", cmd::nh_va(0x1000, 1, 1), "1:1000"},
      {"NH_VA of a global page, any ASID", cmd::nh_va(0x3000, 77, 1), "1:3000 2:3000"},
      {"NH_VA anywhere in a block", cmd::nh_va(0x3f'f000, 2, 1), "2:200000"},
      {"NH_VA of another page", cmd::nh_va(0x4000, 1, 1), ""},
      {"NH_VAA", cmd::nh_vaa(0x1000, 1), "1:1000 2:1000"},
      {"NH_VAA of a global page", cmd::nh_vaa(0x3000, 2), "3:3000"},
      {"NH_VA of the nested stream", cmd::nh_va(0x2000, 1, 3), "7:2000"},
      {"S2_IPA", cmd::s2_ipa(0x1000, 1), "4:1000"},
      {"S2_IPA leaves combined entries alone", cmd::s2_ipa(SmmuWorld::kRam + 0x1000, 3), ""},
      {"S2_IPA in a block", cmd::s2_ipa(0x20'1000, 2), "5:200000"},
      {"S12_VMALL", cmd::s12_vmall(2), "3:1000 3:2000 3:3000 3:200000 5:1000 5:2000 5:3000 5:200000"},
      {"S12_VMALL of the nested stream", cmd::s12_vmall(3), "7:1000 7:2000 7:3000 7:200000"},
      {"NSNH_ALL leaves EL2", cmd::nsnh_all(),
       "1:1000 1:2000 1:3000 1:200000 2:1000 2:2000 2:3000 2:200000 3:1000 3:2000 3:3000 3:200000 "
       "4:1000 4:2000 4:3000 4:200000 5:1000 5:2000 5:3000 5:200000 7:1000 7:2000 7:3000 7:200000"},
      {"EL2_ALL", {0x20, 0}, "8:1000 8:2000 8:3000 8:200000"},
      {"EL2_VA ignores the ASID without E2H", {0x22 | u64{5} << 48, 0x1000}, "8:1000"},
      {"EL2_VAA", {0x23, 0x2000}, "8:2000"},
      {"EL2_ASID is about E2H", {0x21, 0}, ""},
      // Range and level hint.
      {"two pages", cmd::ranged(cmd::nh_va(0x1000, 1, 1), 1, 0, 1), "1:1000 1:2000"},
      {"two pages of level 3", cmd::ranged(cmd::nh_va(0x1000, 1, 1), 1, 0, 1, 3), "1:1000 1:2000"},
      {"level 2 spares pages", cmd::ranged(cmd::nh_va(0, 2, 1), 7, 7, 1, 2), "2:200000"},
      {"level 3 spares blocks", cmd::ranged(cmd::nh_va(0, 2, 1), 7, 7, 1, 3), "1:3000 2:1000 2:2000 2:3000"},
      {"another granule spares everything", cmd::ranged(cmd::nh_va(0, 1, 1), 31, 10, 3), ""},
      {"a range of IPAs", cmd::ranged(cmd::s2_ipa(0x2000, 1), 0, 1, 1), "4:2000 4:3000"},
      // No TLB entry depends on these.
      {"CFGI_STE", cmd::cfgi_ste(1), ""},
      {"CFGI_ALL", cmd::cfgi_all(), ""},
      {"PREFETCH_CONFIG", {0x01 | u64{1} << 32, 0}, ""},
      {"PREFETCH_ADDR", {0x02 | u64{1} << 32, 0x1000}, ""},
  };
  for (const Row& r : rows) {
    Scopes w;
    w.fill();
    EXPECT_EQ(w.gone(), "") << r.name;
    w.command_and_sync(r.command);
    if (std::string(r.name).starts_with("CFGI")) {
      // The configuration has gone, and `cached` needs it.
      for (u32 sid = 1; sid <= 8; sid++) EXPECT_TRUE(w.pa(0x1000, w.master(sid)));
    }
    EXPECT_EQ(w.gone(), r.gone) << r.name;
  }
}

TEST(Smmuv3Invalidation, E2hDecidesWhichEl2EntriesAnEl2CommandMeans) {
  Scopes w;
  w.write32(reg::CR0, 0xc);
  w.write32(reg::CR2, 3);  // E2H
  w.write32(reg::CR0, 0xd);
  w.s1(9, 0, 5, u64{2} << 30);
  w.command(cmd::cfgi_all());
  EXPECT_TRUE(w.pa(0x1000, w.master(9)));
  EXPECT_TRUE(w.pa(0x2000, w.master(9)));
  w.command({0x22 | u64{6} << 48, 0x1000});
  EXPECT_TRUE(w.cached(9, 0x1000));
  w.command({0x22 | u64{5} << 48, 0x1000});
  EXPECT_FALSE(w.cached(9, 0x1000));
  w.command({0x21 | u64{5} << 48, 0});
  EXPECT_FALSE(w.cached(9, 0x2000));
}

// To software a block of stage 1 is one entry, however many pieces stage 2 cuts it into.
TEST(Smmuv3Invalidation, OneTlbiByVaRemovesAllPiecesOfABlockThatStage2HasCut) {
  Scopes w;
  for (u64 offset = 0; offset < 0x20'0000; offset += 0x1'0000)
    EXPECT_EQ(w.pa(0x20'0000 + offset, w.master(7)), SmmuWorld::kRam + 0x20'0000 + offset);
  EXPECT_TRUE(w.pa(0x1000, w.master(7)));
  std::vector<InclusiveRange> heard;
  IommuRegion::Subscription listen(w.smmu->unmaps(), [&](const IommuUnmap& u) { heard.push_back(u.range); });
  w.command(cmd::nh_va(0x3f'f000, 1, 3));
  for (u64 offset = 0; offset < 0x20'0000; offset += 0x1'0000)
    EXPECT_FALSE(w.cached(7, 0x20'0000 + offset)) << offset;
  EXPECT_TRUE(w.cached(7, 0x1000));
  // Subscribers hold pieces as well.
  EXPECT_EQ(heard, std::vector<InclusiveRange>{InclusiveRange(0x20'0000, 0x3f'ffff)});
}

// --- Range arithmetic: 4.4.1.1 ---

TEST(Smmuv3Invalidation, RangesFollowNumScaleAndTgUpToTheLastByte) {
  struct Row {
    u64 address, num, scale, tg, ttl;
    bool legal;
    InclusiveRange range;
    int level;
  };
  const u64 top = ~u64{0};
  const Row rows[] = {
      {0x1234'5000, 0, 0, 0, 0, true, {0x1234'5000, 0x1234'5000}, -1},
      {0x1234'5000, 9, 9, 0, 3, true, {0x1234'5000, 0x1234'5000}, -1},  // TG 0: no range, no hint
      {0x1000, 0, 0, 1, 0, false, {}, 0},                               // Reserved
      {0x4000, 0, 0, 2, 1, false, {}, 0},                               // TTL 1 of 16 KiB counts as 0
      {0x1000, 0, 0, 1, 3, true, {0x1000, 0x1fff}, 3},
      {0x1000, 0, 1, 1, 0, true, {0x1000, 0x2fff}, -1},
      {0x1000, 2, 0, 1, 0, true, {0x1000, 0x3fff}, -1},
      {0x4000, 1, 2, 2, 2, true, {0x4000, 0x4000 + 8 * 0x4000 - 1}, 2},
      {0x1'0000, 3, 5, 3, 1, true, {0x1'0000, 0x1'0000 + 128 * 0x1'0000 - 1}, 1},
      {0, 31, 31, 3, 0, true, {0, (u64{1} << 52) - 1}, -1},
      {u64{1} << 63, 31, 31, 3, 0, true, {u64{1} << 63, (u64{1} << 63) + (u64{1} << 52) - 1}, -1},
      {top & ~ones(12), 0, 0, 1, 3, true, {top & ~ones(12), top}, 3},
      {top & ~ones(12), 31, 31, 1, 0, true, {top & ~ones(12), top}, -1},  // does not wrap
      {0xffff'ffff'ffff'0000, 1, 0, 3, 0, true, {0xffff'ffff'ffff'0000, top}, -1},
  };
  for (const Row& r : rows) {
    smmuv3::Command c{cmd::ranged(cmd::nh_va(r.address, 0), r.num, r.scale, r.tg, r.ttl)};
    smmuv3::AddressScope scope;
    EXPECT_EQ(smmuv3::address_scope(c, false, scope), r.legal) << std::hex << r.address;
    if (!r.legal) continue;
    EXPECT_EQ(scope.range, r.range) << std::hex << r.address << " " << r.num << " " << r.scale;
    EXPECT_EQ(int(scope.level), r.level);
  }
}

TEST(Smmuv3Invalidation, ARangeAtTheTopOfTtb1DoesNotReachTtb0) {
  SmmuWorld w;
  w.start();
  SmmuTables low(w, 12, 39), high(w, 12, 39);
  low.map(0, SmmuWorld::kRam, kPage1Rw);
  high.map(ones(39) & ~ones(12), SmmuWorld::kRam, kPage1Rw);
  Words8 cd = smmu_cd::make(low.root(), 25, 0, 1);
  cd[0] = (cd[0] & ~smmu_cd::kEpd1) | u64{25} << 16 | u64{2} << 22;
  cd[2] = high.root();
  w.put_stream_s1(1, cd);
  EXPECT_TRUE(w.pa(0, w.master(1)) && w.pa(~u64{0}, w.master(1)));
  w.command(cmd::ranged(cmd::nh_va(~ones(12), 1), 31, 31, 1));
  EXPECT_TRUE(w.smmu->explain(0, w.master(1), Access::Read).cached);
  EXPECT_FALSE(w.smmu->explain(~u64{0}, w.master(1), Access::Read).cached);
}

// --- Configuration ---

// After the STE or CD has changed in memory: which streams still use the old one?
struct Configurations : SmmuWorld {
  Configurations() : SmmuWorld({.sid_bits = 8, .ssid_bits = 4}) {
    strtab_log2 = 8;
    start();
  }
  // All streams bypass and are known as such; then memory says abort.
  void fill() {
    for (u32 sid = 0; sid < 256; sid++) put_ste(sid, smmu_ste::make(smmu_ste::kBypass));
    for (u32 sid = 0; sid < 256; sid++) EXPECT_TRUE(pa(0, master(sid)));
    for (u32 sid = 0; sid < 256; sid++) put_ste(sid, smmu_ste::make(smmu_ste::kAbort));
  }
  // First, last and number of streams that read their STE again.
  std::array<int, 3> refetched() {
    std::array<int, 3> r{-1, -1, 0};
    for (int sid = 0; sid < 256; sid++) {
      if (pa(0, master(u32(sid)))) continue;
      if (r[0] < 0) r[0] = sid;
      r[1] = sid;
      r[2]++;
    }
    return r;
  }
};

TEST(Smmuv3Invalidation, CfgiRangesAreAlignedToTheirSizeAndDoNotOverflow) {
  struct Row {
    Words2 command;
    std::array<int, 3> expected;
  };
  const Row rows[] = {
      {cmd::cfgi_ste(7), {7, 7, 1}},
      {cmd::cfgi_ste(7, false), {7, 7, 1}},
      {cmd::cfgi_range(7, 0), {6, 7, 2}},
      {cmd::cfgi_range(5, 2), {0, 7, 8}},
      {cmd::cfgi_range(255, 3), {240, 255, 16}},
      {cmd::cfgi_range(0, 7), {0, 255, 256}},
      {cmd::cfgi_range(0xffff'ffff, 0), {-1, -1, 0}},
      {cmd::cfgi_range(0xffff'ffff, 30), {-1, -1, 0}},
      {cmd::cfgi_range(0x7fff'ffff, 30), {0, 255, 256}},
      {cmd::cfgi_range(0xffff'ffff, 31), {0, 255, 256}},
      {cmd::cfgi_all(), {0, 255, 256}},
  };
  for (const Row& r : rows) {
    Configurations w;
    w.fill();
    w.command_and_sync(r.command);
    EXPECT_EQ(w.refetched(), r.expected) << std::hex << r.command[0] << " " << r.command[1];
  }
}

TEST(Smmuv3Invalidation, CfgiCdMeansOneIndexOfTheTableAndCfgiCdAllAllOfThem) {
  for (int which = 0; which < 5; which++) {
    SmmuWorld w({.ssid_bits = 4});
    w.start();
    SmmuTables t(w, 12, 39);
    t.map(0x1000, SmmuWorld::kRam, kPage1Rw);
    u64 cds = w.take(64 * 4);
    for (u64 i = 0; i < 4; i++) w.put(cds + i * 64, smmu_cd::make(t.root(), 25, 0, i));
    Words8 ste = smmu_ste::make(smmu_ste::kS1, cds, 2);
    ste[1] = 2;  // without SubstreamID: CD 0
    w.put_ste(1, ste), w.put_ste(2, ste);
    auto works = [&](u32 sid, int ssid) {
      return w.pa(0x1000, ssid < 0 ? w.master(sid) : w.master_ss(sid, u32(ssid))).has_value();
    };
    for (u32 sid : {1, 2})
      for (int ssid : {-1, 1, 2}) EXPECT_TRUE(works(sid, ssid));
    for (u64 i = 0; i < 4; i++) w.at(cds + i * 64) = 0;
    const Words2 commands[] = {cmd::cfgi_cd(1, 1), cmd::cfgi_cd(1, 0), cmd::cfgi_cd_all(1), cmd::cfgi_ste(1),
                               cmd::cfgi_cd(1, 3)};
    const bool left[][3] = {{true, false, true}, {false, true, true}, {}, {}, {true, true, true}};
    w.command_and_sync(commands[which]);
    EXPECT_EQ(works(1, -1), left[which][0]) << which;
    EXPECT_EQ(works(1, 1), left[which][1]) << which;
    EXPECT_EQ(works(1, 2), left[which][2]) << which;
    for (int ssid : {-1, 1, 2}) EXPECT_TRUE(works(2, ssid)) << which;
  }
}

TEST(Smmuv3Invalidation, AFailedConfigurationIsNotCached) {
  SmmuWorld w;
  w.start();
  EXPECT_FALSE(w.pa(0, w.master(1)));
  w.put_ste(1, smmu_ste::make(smmu_ste::kBypass));
  EXPECT_TRUE(w.pa(0, w.master(1)));
}

// --- Subscribers ---

struct Listening : Scopes {
  std::vector<IommuUnmap> heard;
  IommuRegion::Subscription listen{smmu->unmaps(), [this](const IommuUnmap& u) { heard.push_back(u); }};
  // Streams that have heard, with the range; "all" for all indexes.
  std::string after(const Words2& c) {
    heard.clear();
    command_and_sync(c);
    std::vector<std::string> items;
    for (const IommuUnmap& u : heard) {
      char item[64];
      if (u.all_indexes) {
        std::snprintf(item, sizeof item, "all");
      } else {
        std::snprintf(item, sizeof item, "%u", smmuv3::id_of(u.index).stream);
      }
      std::string text = item;
      if (u.range != InclusiveRange{}) {
        std::snprintf(item, sizeof item, "[%llx,%llx]", static_cast<unsigned long long>(u.range.first),
                      static_cast<unsigned long long>(u.range.last));
        text += item;
      }
      items.push_back(text);
    }
    std::sort(items.begin(), items.end());
    std::string all;
    for (const std::string& i : items) all += (all.empty() ? "" : " ") + i;
    return all;
  }
};

TEST(Smmuv3Invalidation, SubscribersOfTheStreamsThatUseAnAsidOrVmidAreToldAndNoOthers) {
  struct Row {
    Words2 command;
    const char* heard;
  };
  const Row rows[] = {
      {cmd::nh_asid(1, 1), "1 6"},  // two streams with one ASID
      {cmd::nh_asid(9, 1), ""},
      {cmd::nh_va(0x5000, 2, 2), "3[5000,5000]"},  // 3 holds a global page, which any ASID may mean
      {cmd::nh_vaa(0x5000, 2), "3[5000,5000]"},
      {cmd::nh_all(1), "1 2 6"},
      {cmd::s2_ipa(0x1000, 1), "4[1000,1000]"},
      {cmd::s12_vmall(1), "1 2 4 6"},
      {cmd::nsnh_all(), "1 2 3 4 5 6 7"},
      {{0x20, 0}, "8"},
      {cmd::cfgi_ste(3), "3"},
      {cmd::cfgi_ste(40), ""},
      {cmd::cfgi_range(4, 1), "4 5 6 7"},
      {cmd::cfgi_cd_all(7), "7"},
      {cmd::cfgi_all(), "all"},
  };
  for (const Row& r : rows) {
    Listening w;
    w.fill();
    EXPECT_EQ(w.after(r.command), r.heard) << std::hex << r.command[0];
  }
}

TEST(Smmuv3Invalidation, ATaggedAddressIsFoundThroughItsCanonicalOne) {
  Scopes w;
  Words8 cd = smmu_cd::make(w.tables[0]->root(), 25, 0, 30);
  cd[0] |= u64{1} << 38;  // TBI0
  w.put_stream_s1(20, cd);
  u64 tagged = 0x7700'0000'0000'1000;
  EXPECT_TRUE(w.pa(tagged, w.master(20)));
  EXPECT_TRUE(w.smmu->explain(0x1000, w.master(20), Access::Read).cached);  // one entry for all tags
  std::vector<IommuUnmap> heard;
  IommuRegion::Subscription listen(w.smmu->unmaps(), [&](const IommuUnmap& u) { heard.push_back(u); });
  w.command(cmd::nh_va(0x1000, 30));
  EXPECT_FALSE(w.smmu->explain(tagged, w.master(20), Access::Read).cached);
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_TRUE(heard[0].range.contains(tagged));
}

TEST(Smmuv3Invalidation, SubstreamsHearOfTheirOwnAsid) {
  SmmuWorld w({.ssid_bits = 4});
  w.start();
  SmmuTables t(w, 12, 39);
  t.map(0x1000, SmmuWorld::kRam, kPage1Rw);
  u64 cds = w.take(64 * 4);
  for (u64 i = 0; i < 4; i++) w.put(cds + i * 64, smmu_cd::make(t.root(), 25, 0, i));
  w.put_ste(1, smmu_ste::make(smmu_ste::kS1, cds, 2));
  for (u32 ssid = 1; ssid < 4; ssid++) EXPECT_TRUE(w.pa(0x1000, w.master_ss(1, ssid)));
  std::vector<IommuUnmap> heard;
  IommuRegion::Subscription listen(w.smmu->unmaps(), [&](const IommuUnmap& u) { heard.push_back(u); });
  w.command(cmd::nh_asid(2));
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_EQ(heard[0].index, w.smmu->index_for(w.master_ss(1, 2)));
  EXPECT_NE(heard[0].index, w.smmu->index_for(w.master(1)));
}

TEST(Smmuv3Invalidation, AHundredStreamsWithOneAsidAreToldAtOnce) {
  SmmuWorld w;
  w.start();
  SmmuTables t(w, 12, 39);
  t.map(0x1000, SmmuWorld::kRam, kPage1Rw);
  for (u32 sid = 1; sid <= 100; sid++) w.put_stream_s1(sid, smmu_cd::make(t.root(), 25, 0, 7));
  for (u32 sid = 1; sid <= 100; sid++) EXPECT_TRUE(w.pa(0x1000, w.master(sid)));
  EXPECT_EQ(w.smmu->iotlb_entries(), 1u);
  std::vector<IommuUnmap> heard;
  IommuRegion::Subscription listen(w.smmu->unmaps(), [&](const IommuUnmap& u) { heard.push_back(u); });
  for (const Words2& c : {cmd::nh_va(0x1000, 7), cmd::nh_all(), cmd::cfgi_range(0, 6)}) {
    heard.clear();
    w.command(c);
    ASSERT_EQ(heard.size(), 1u);
    EXPECT_TRUE(heard[0].all_indexes);
    EXPECT_EQ(heard[0].range,
              (c == cmd::nh_va(0x1000, 7) ? InclusiveRange{0x1000, 0x1000} : InclusiveRange{}));
  }
}

// A full configuration cache forgets nobody: from then on everybody is told.
TEST(Smmuv3Invalidation, WhoDoesNotFitIntoTheConfigurationCacheIsToldWithAllOthers) {
  SmmuWorld w({.config_entries = 2});
  w.start();
  SmmuTables t(w, 12, 39);
  t.map(0x1000, SmmuWorld::kRam, kPage1Rw);
  for (u32 sid = 1; sid <= 4; sid++) w.put_stream_s1(sid, smmu_cd::make(t.root(), 25, 0, sid));
  for (u32 sid = 1; sid <= 4; sid++) EXPECT_TRUE(w.pa(0x1000, w.master(sid)));
  std::vector<IommuUnmap> heard;
  IommuRegion::Subscription listen(w.smmu->unmaps(), [&](const IommuUnmap& u) { heard.push_back(u); });
  w.command(cmd::nh_asid(4));
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_TRUE(heard[0].all_indexes);
  w.command(cmd::cfgi_all());
  EXPECT_TRUE(w.pa(0x1000, w.master(4)));
  heard.clear();
  w.command(cmd::nh_asid(4));
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_FALSE(heard[0].all_indexes);
}

TEST(Smmuv3Invalidation, RandomCommandsNeverLeaveAStaleEntry) {
  Random random(77);
  Scopes w;
  std::map<std::pair<u32, u64>, u64> seen;
  // Page tables change at random; after the matching TLBI the new output must be seen.
  for (int i = 0; i < 3000; i++) {
    u32 sid = u32(random.between(1, 3));
    u64 page = random.between(1, 2) << 12, vmid = sid == 3 ? 2 : 1, asid = sid == 2 ? 2 : 1;
    u64 to = SmmuWorld::kRam + (random.below(4096) << 12);
    w.tables[sid - 1]->map(page, to, kPage1Rw);
    switch (random.below(6)) {
      case 0: w.command(cmd::nh_va(page, asid, vmid)); break;
      case 1: w.command(cmd::nh_vaa(page, vmid)); break;
      case 2: w.command(cmd::nh_asid(asid, vmid)); break;
      case 3: w.command(cmd::nh_all(vmid)); break;
      case 4: w.command(cmd::ranged(cmd::nh_va(0, asid, vmid), random.between(2, 31), 0, 1)); break;
      default: w.command(cmd::nsnh_all());
    }
    EXPECT_EQ(w.pa(page, w.master(sid)), to);
    for (u32 other = 1; other <= 7; other++) w.pa(0x1000 << random.below(2), w.master(other));
  }
  EXPECT_FALSE(w.event());
}

}  // namespace
}  // namespace sluice
