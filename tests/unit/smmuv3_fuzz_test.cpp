// SMMUv3 under a hostile guest: random register accesses, commands, structures and transactions. Nothing may
// crash, hang or grow; run with the sanitizers this is the fuzz target. The seed is printed.
#include "tests/support/smmu_world.h"

namespace sluice {
namespace {

using namespace test;
namespace reg = smmu_reg;

struct Hostile : SmmuWorld {
  Random& random;
  SmmuTables tables{*this, 12, 39}, second{*this, 12, 40, 1};
  u64 cds = 0;
  std::vector<u64*> descriptors;  // some of each level, while the tables are in order
  explicit Hostile(Random& r, Smmuv3Config config) : SmmuWorld(std::move(config)), random(r) {
    cmdq_log2 = 4;
    start();
    cds = take(64 * 16);
    for (u64 page = 0; page < 32; page++) {
      tables.map(page << 12, kRam + (page << 12), kPage1Rw);
      second.map(page << 12, kRam + (page << 12), kPage2Rw);
      for (SmmuTables* t : {&tables, &second})
        for (unsigned level = page % 8 ? 3 : 2; level <= 3; level++)
          descriptors.push_back(&t->entry(page << 12, level));
    }
    good_.reserve(descriptors.size());
    for (u64* d : descriptors) good_.push_back(*d);
  }
  u64 any() {
    switch (random.below(6)) {
      case 0: return 0;
      case 1: return ~u64{0};
      case 2: return u64{1} << random.below(64);
      case 3: return random.below(64);
      case 4: return kRam + random.below(kRamSize);
      default: return random.below(~u64{0});
    }
  }
  void access_register() {
    static constexpr u64 kOffsets[] = {0x20,  0x28,    0x2c,    0x44, 0x50, 0x60, 0x64,   0x68,   0x70,
                                       0x80,  0x84,    0x88,    0x90, 0x98, 0x9c, 0xa0,   0xb0,   0xb8,
                                       0xfd0, 0x100a8, 0x100ac, 0x0,  0x24, 0x54, 0x8000, 0x1fff8};
    u64 offset = random.chance(90) ? kOffsets[random.below(std::size(kOffsets))] : random.below(0x20000);
    unsigned size = 1u << random.below(4);
    u64 value = random.chance(50) ? any() : random.below(64);
    if (random.chance(50)) {
      (void)bus.store({kFrame + offset}, size, value, kNs);
    } else {
      (void)bus.load({kFrame + offset}, size, value, kNs);
    }
  }
  void change_structure() {
    u32 sid = u32(random.below(8));
    u64 config = random.below(8);
    Words8 ste = smmu_ste::make(config, config & 1 ? cds : 0, random.below(5));
    ste[1] = random.below(4) | (random.chance(20) ? any() : 0);
    if (config & 2) smmu_ste::add_s2(ste, second.root(), 24, 1, 0, random.below(3));
    if (random.chance(15)) ste[random.below(8)] ^= any();
    put_ste(sid, ste);
    Words8 cd = smmu_cd::make(tables.root(), 25, 0, random.below(4));
    if (random.chance(15)) cd[random.below(8)] ^= any();
    put(cds + random.below(16) * 64, cd);
  }
  void change_table() {
    size_t i = random.below(descriptors.size());
    *descriptors[i] = random.chance(50) ? any() : good_[i];
  }
  void send_command() {
    static constexpr u8 kOpcodes[] = {1,    2,    3,    4,    5,    6,    0x10, 0x11, 0x12, 0x13,
                                      0x20, 0x21, 0x22, 0x23, 0x28, 0x2a, 0x30, 0x46, 0x40, 0x45};
    u64 opcode = random.chance(95) ? kOpcodes[random.below(std::size(kOpcodes))] : random.below(256);
    u64 low = random.chance(60) ? random.below(8) << 32 | random.below(4) << 48 : any();
    Words2 c{(low & ~u64{0xff}) | opcode, random.chance(60) ? random.below(32) << 12 : any()};
    u32 prod = read32(reg::CMDQ_PROD);
    put(cmdq + u64{prod & 15} * 16, c);
    write32(reg::CMDQ_PROD, (prod + 1) & 31);
  }
  void make_transaction() {
    MemTxAttrs a = random.chance(50) ? master(u32(random.below(9)), random.chance(50))
                                     : master_ss(u32(random.below(9)), u32(random.below(20)));
    if (random.chance(2)) a.requester = u32(any());
    u64 address = random.chance(80) ? random.below(64) << 12 : any();
    ask(address, a, Access(random.below(8)), Intent(random.below(4)));
    if (random.chance(10)) (void)smmu->explain(address, a, Access(random.below(8)));
  }
  // Back to a state in which things work.
  void recover() {
    for (size_t i = 0; i < good_.size(); i++) *descriptors[i] = good_[i];
    write32(reg::CR0, 0);
    write32(reg::GBPA, 1u << 31);
    write64(reg::STRTAB_BASE, strtab), write32(reg::STRTAB_BASE_CFG, strtab_log2);
    write64(reg::CMDQ_BASE, cmdq | cmdq_log2), write32(reg::CMDQ_PROD, 0), write32(reg::CMDQ_CONS, 0);
    write64(reg::EVENTQ_BASE, eventq | eventq_log2);
    write32(reg::EVENTQ_PROD, 0), write32(reg::EVENTQ_CONS, 0);
    write32(reg::GERRORN, read32(reg::GERROR));
    write32(reg::CR2, 2 | u32(random.below(2)));
    write32(reg::CR0, 0xd);
  }

 private:
  std::vector<u64> good_;
};

void fuzz(u64 seed, Smmuv3Config config, int rounds) {
  Random random(seed);
  Hostile w(random, config);
  TestPe pe(*w.dma, w.hub);
  DmaMapper mapper(DmaPort(*w.dma, w.master(1)));
  for (int i = 0; i < rounds; i++) {
    switch (random.below(10)) {
      case 0: w.access_register(); break;
      case 1:
      case 2: w.change_structure(); break;
      case 3: w.change_table(); break;
      case 4:
      case 5: w.send_command(); break;
      case 6: w.pass_time(10'000); break;
      case 7: {
        DmaMapper::Mapped m = mapper.map(random.below(32) << 12, 64, Access::Read);
        (void)m.mapping.unmap(0);
        pe.participant.drain();
        (void)pe.load(random.below(32) << 12, 8, w.master(1));
        break;
      }
      default: w.make_transaction();
    }
    if (random.chance(3)) w.recover();
    if (random.below(2000) == 0) w.smmu->reset();
  }
  EXPECT_EQ(mapper.live(), 0u);
  EXPECT_FALSE(w.smmu->report().empty());
  Smmuv3::Counters c = w.smmu->counters();
  EXPECT_GT(c.fills, 0u);
  EXPECT_GT(c.events, 0u);
  EXPECT_GT(c.commands, 0u);
}

TEST(Smmuv3Fuzz, ANestedSmmuSurvivesAHostileGuest) { fuzz(101, {.ssid_bits = 5, .slice = 3}, 60000); }
TEST(Smmuv3Fuzz, AnSmmuWithEverythingSurvivesAHostileGuest) {
  fuzz(202, {.ssid_bits = 20, .hyp = true, .msi = true, .iotlb_entries = 16, .config_entries = 6}, 60000);
}
TEST(Smmuv3Fuzz, AStage1SmmuSurvivesAHostileGuest) {
  fuzz(303, {.stages = Smmuv3Config::Stages::One, .oas_bits = 32, .sid_bits = 3}, 30000);
}

}  // namespace
}  // namespace sluice
