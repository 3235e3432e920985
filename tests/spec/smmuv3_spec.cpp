// What a driver and a master may rely on behind an SMMUv3. The names begin with the row of the catalogue of
// other implementations' defects that they rule out, where there is one (docs/iommu-conformance.md).
#include <thread>

#include "tests/support/eventually.h"
#include "tests/support/smmu_world.h"

namespace sluice {
namespace {

using namespace test;
namespace reg = smmu_reg;
namespace cmd = smmu_cmd;

// Stream 1: stage 1 with 4 KiB pages and ASID 1. Page 0x1000 shows `ram` at kRam, which holds 0x11.
struct Mapped : SmmuWorld {
  SmmuTables tables{*this, 12, 39};
  static constexpr u64 kVa = 0x1000, kOther = kRam + 0x8000;
  explicit Mapped(Smmuv3Config config = {}) : SmmuWorld(std::move(config)) {
    start();
    tables.map(kVa, kRam, kPage1Rw);
    put_stream_s1(1, smmu_cd::make(tables.root(), 25, 0, 1));
    at(kRam) = 0x11, at(kOther) = 0x22;
  }
  void remap(u64 to) { tables.map(kVa, to, kPage1Rw); }
  void unmap() { tables.entry(kVa, 3) = 0; }
};

// S1
SPEC("S1: no STE and no CD can abort the emulator: reserved sizes and absent formats are events") {
  SmmuWorld w({.ssid_bits = 3});
  w.start();
  for (u64 ps = 0; ps < 8; ps++)
    for (u64 aa64 = 0; aa64 < 2; aa64++) {
      Words8 ste = smmu_ste::make(smmu_ste::kS2);
      smmu_ste::add_s2(ste, SmmuWorld::kRam, 24, 1, 0, 0, ps);
      ste[2] = (ste[2] & ~(u64{1} << 51)) | aa64 << 51;
      w.put_ste(1, ste);
      w.command(cmd::cfgi_all());
      EXPECT_FALSE(w.pa(0x1000, w.master(1)));
      EXPECT_EQ(w.event_type(), aa64 ? 0x10u : 0x04u);  // F_TRANSLATION, C_BAD_STE
      Words8 cd = smmu_cd::make(SmmuWorld::kRam, 25, 0, 0, ps);
      cd[0] = (cd[0] & ~smmu_cd::kAa64) | aa64 << 41;
      w.put_stream_s1(1, cd);
      w.command(cmd::cfgi_all());
      EXPECT_FALSE(w.pa(0x1000, w.master(1)));
      EXPECT_EQ(w.event_type(), aa64 ? 0x10u : 0x0au);
    }
}

// S2
SPEC("S2: translations and invalidations may run at once: an answer never comes from a freed entry") {
  Mapped w;
  std::atomic<bool> stop{false};
  std::atomic<int> started{0};
  std::vector<std::thread> masters;
  for (int i = 0; i < 2; i++)
    masters.emplace_back([&] {
      started++;
      for (int n = 0; n < 2000 || !stop; n++) {
        auto out = w.pa(Mapped::kVa, w.master(1));
        EXPECT_TRUE(out == SmmuWorld::kRam || out == Mapped::kOther);
      }
    });
  while (started < 2) std::this_thread::yield();
  for (int i = 0; i < 3000; i++) {
    w.remap(i % 2 ? SmmuWorld::kRam : Mapped::kOther);
    w.command_and_sync(i % 3 ? cmd::nh_va(Mapped::kVa, 1) : cmd::cfgi_all());
    if (i % 3 == 0) w.command_and_sync(cmd::nsnh_all());
  }
  stop = true;
  for (std::thread& t : masters) t.join();
}

// S3
SPEC("S3: a second-level stream table ends at 2^(Span-1) entries, and beyond it is C_BAD_STREAMID") {
  SmmuWorld w;
  w.make_queues();
  u64 l1 = w.take(64), l2 = w.take(64 * 64);
  for (u64 i = 0; i < 64; i++) w.put(l2 + i * 64, smmu_ste::make(smmu_ste::kBypass));
  w.at(l1) = l2 | 3;  // Span 3: four STEs
  w.write64(reg::STRTAB_BASE, l1);
  w.write32(reg::STRTAB_BASE_CFG, 1 << 16 | 6 << 6 | 8);
  w.write32(reg::CR2, 2);
  w.write32(reg::CR0, 0xd);
  EXPECT_TRUE(w.pa(0, w.master(3)));
  EXPECT_FALSE(w.pa(0, w.master(4)));
  EXPECT_EQ(w.event_type(), 0x02u);
}

// S4
SPEC("S4: a stream table may be two-level first and linear later") {
  SmmuWorld w;
  w.start();
  w.put_ste(70, smmu_ste::make(smmu_ste::kBypass));
  w.write32(reg::CR0, 0xc);
  w.write32(reg::STRTAB_BASE_CFG, 1 << 16 | 6 << 6 | 8);
  w.write32(reg::CR0, 0xd);
  EXPECT_FALSE(w.pa(0, w.master(70)));
  w.write32(reg::CR0, 0xc);
  w.write32(reg::STRTAB_BASE_CFG, 8);
  w.write32(reg::CR0, 0xd);
  EXPECT_TRUE(w.pa(0, w.master(70)));
}

// S5
SPEC("S5: a full event queue overflows by OVFLG and is no global error") {
  SmmuWorld w;
  w.eventq_log2 = 1;
  w.start();
  for (int i = 0; i < 3; i++) EXPECT_FALSE(w.pa(0, w.master(1)));
  EXPECT_EQ(w.read32(reg::EVENTQ_PROD), 0x8000'0002u);
  EXPECT_EQ(w.read32(reg::GERROR), 0u);
}

// S6
SPEC("S6: CMD_TLBI_NH_ALL reaches subscribers, with stage 2 present as without") {
  for (auto stages : {Smmuv3Config::Stages::One, Smmuv3Config::Stages::Nested}) {
    Mapped w({.stages = stages});
    TestPe pe(*w.dma, w.hub);
    EXPECT_EQ(pe.load(Mapped::kVa, 8, w.master(1)), 0x11u);
    w.remap(Mapped::kOther);
    w.command_and_sync(cmd::nh_all());
    pe.participant.drain();
    EXPECT_EQ(pe.load(Mapped::kVa, 8, w.master(1)), 0x22u);
  }
}

// S7
SPEC("S7: a cached bypass dies with CFGI_STE, with SMMUEN and with GBPA") {
  SmmuWorld w;
  w.start();
  u64 here = SmmuWorld::kRam;
  w.at(here) = 5;
  w.put_ste(1, smmu_ste::make(smmu_ste::kBypass));
  TestPe pe(*w.dma, w.hub);
  auto reads = [&] {
    pe.participant.drain();
    return pe.load(here, 8, w.master(1)).has_value();
  };
  EXPECT_TRUE(reads());
  w.put_ste(1, smmu_ste::make(smmu_ste::kAbort));
  EXPECT_TRUE(reads());  // the architecture allows it until CFGI
  w.command_and_sync(cmd::cfgi_ste(1));
  EXPECT_FALSE(reads());
  w.write32(reg::CR0, 0xc);
  EXPECT_TRUE(reads());
  w.write32(reg::GBPA, 1u << 31 | 1u << 20);
  EXPECT_FALSE(reads());
  w.write32(reg::GBPA, 1u << 31);
  EXPECT_TRUE(reads());
  w.write32(reg::CR0, 0xd);
  EXPECT_FALSE(reads());
}

// S8
SPEC("S8: commands of features that are not in the ID registers are CERROR_ILL") {
  for (u64 opcode : {0x18, 0x1a, 0x20, 0x21, 0x22, 0x23, 0x40, 0x41, 0x44, 0x45, 0x50, 0x60}) {
    SmmuWorld w;
    w.start();
    w.queue({opcode, 0});
    EXPECT_EQ(w.read32(reg::CMDQ_CONS), 1u << 24) << opcode;
    EXPECT_EQ(w.read32(reg::GERROR), 1u) << opcode;
  }
}

// S9
SPEC("S9: a nested entry has the rights of both stages, for reads as for writes, walked or cached") {
  SmmuWorld w;
  w.start();
  SmmuTables s1(w, 12, 39), s2(w, 12, 40, 1);
  u64 cd = w.take(64);
  w.put(cd, smmu_cd::make(s1.root(), 25, 0, 1));
  for (u64 i = 0; i < 4; i++) s1.map(0x1000 * i, SmmuWorld::kRam + 0x1000 * i, kPage1Rw | (i & 2 ? kRo : 0));
  for (u64 page = SmmuWorld::kRam; page < w.next_free; page += 0x1000) s2.map(page, page, kPage2Rw);
  for (u64 page = SmmuWorld::kRam; page < w.next_free; page += 0x1000) s2.map(page, page, kPage2Rw);
  for (u64 i = 1; i < 4; i += 2)
    s2.map(SmmuWorld::kRam + 0x1000 * i, SmmuWorld::kRam, kPage2Rw & ~(u64{1} << 6));  // not readable
  Words8 ste = smmu_ste::make(smmu_ste::kNested, cd);
  smmu_ste::add_s2(ste, s2.root(), 24, 1);
  w.put_ste(1, ste);
  for (int again = 0; again < 2; again++)
    for (u64 i = 0; i < 4; i++) {
      EXPECT_EQ(w.pa(0x1000 * i, w.master(1), Access::Read).has_value(), !(i & 1)) << i;
      EXPECT_EQ(w.pa(0x1000 * i, w.master(1), Access::Write).has_value(), !(i & 2)) << i;
    }
  EXPECT_EQ(w.smmu->counters().fills, 4u);
}

// S10
SPEC("S10: ten thousand pages stay in the IOTLB, and one invalidation removes one of them") {
  Mapped w;
  for (u64 i = 0; i < 10000; i++) w.tables.map(0x10'0000 + (i << 12), SmmuWorld::kRam, kPage1Rw);
  for (u64 i = 0; i < 10000; i++) EXPECT_TRUE(w.pa(0x10'0000 + (i << 12), w.master(1)));
  EXPECT_EQ(w.smmu->iotlb_entries(), 10000u);
  w.command(cmd::nh_va(0x10'5000, 1));
  EXPECT_EQ(w.smmu->iotlb_entries(), 9999u);
  EXPECT_EQ(w.smmu->counters().by_opcode[0x12].removed, 1u);
  EXPECT_EQ(w.smmu->counters().evicted, 0u);
}

// S11
SPEC("S11: the SMMU's own accesses go to its own address space and carry who it is") {
  InvalidationHub hub;
  Topology topology(hub);
  auto ram = make_ram(u64{1} << 20);
  AddressSpace memory(topology, "memory", std::make_shared<RamRegion>("ram", ram));
  auto gate = std::make_shared<TestIommu>(hub, kWholeSpace, "gate");
  AddressSpace tables(topology, "tables", gate),
      nowhere(topology, "nowhere", std::make_shared<Container>("empty", 0x1000));
  Clock clock(Clock::Mode::Icount);
  MemTxAttrs who = MemTxAttrs::device(7, 0x1234);
  Smmuv3 smmu(hub, nowhere, DmaPort(tables, who), clock, {}, {});
  AddressSpace dma(topology, "dma", unowned<Region>(smmu));
  gate->map(gate->index_for(who), {{0, 0xfffff}, 0, Access::ReadWrite, &memory});
  u64 ste = 1 | smmu_ste::kBypass << 1;
  std::memcpy(ram->host() + 0x1000 + 64, &ste, 8);
  auto store = [&](u64 offset, u64 v) { EXPECT_TRUE(smmu.write(offset, 4, v, kNs).is_ok()); };
  store(reg::STRTAB_BASE, 0x1000), store(reg::STRTAB_BASE_CFG, 4), store(reg::CR0, 1);
  EpochDomain::Guard guard(hub.epochs());
  Translation t = translate({dma, 0x5000, 1, Access::Read, kDevice, Intent::Access});
  t = translate({dma, 0x800, 1, Access::Read, MemTxAttrs::device(1, 1), Intent::Access});
  EXPECT_EQ(t.final_space, &nowhere);  // translated transactions go downstream
  EXPECT_GT(gate->translations, 0);
  gate->translations = 0;
  hub.wait(gate->unmap(gate->index_for(who), {0x1000, 0x1fff}));
  t = translate({dma, 0x800, 1, Access::Read, MemTxAttrs::device(1, 2), Intent::Access});
  EXPECT_FALSE(t.is_ok());
  ASSERT_TRUE(gate->last_refused);
  EXPECT_EQ(gate->last_refused->attrs.requester, 0x1234u);
  EXPECT_TRUE(gate->last_refused->attrs.privileged);
}

// S12
SPEC("S12: an event has the SubstreamID, PnU, InD and RnW of the transaction") {
  SmmuWorld w({.ssid_bits = 8});
  w.start();
  SmmuTables t(w, 12, 39);
  u64 cds = w.take(64 * 16);
  for (u64 i = 0; i < 16; i++) w.put(cds + i * 64, smmu_cd::make(t.root(), 25, 0, i));
  w.put_ste(1, smmu_ste::make(smmu_ste::kS1, cds, 4));
  for (u64 i = 0; i < 16; i++) {
    MemTxAttrs a = w.master_ss(1, u32(i));
    a.privileged = i & 1;
    Access access = i & 2 ? Access::Execute : i & 4 ? Access::Write : Access::Read;
    EXPECT_FALSE(w.pa(0x7123, a, access));
    u64 flags = (i & 1) << 33 | u64{access == Access::Execute} << 34 | u64{access != Access::Write} << 35;
    EXPECT_EQ(w.event(), (Words4{0x10 | 1 << 11 | i << 12 | u64{1} << 32, flags | u64{2} << 40, 0x7123, 0}));
  }
}

// S13
SPEC("S13: privilege and execute rights of stage 1 count: UXN, PXN, AP, PAN and WXN") {
  struct Row {
    u64 bits, cd;
    const char* unprivileged;
    const char* privileged;
  };
  constexpr u64 kWxn = u64{1} << 36, kPan = u64{1} << 40;
  const Row rows[] = {
      {0, 0, "x", "rwx"},
      {kEl0, 0, "rwx", "rw"},  // what EL0 may write, EL1 does not execute
      {kRo, 0, "x", "rx"},
      {kEl0 | kRo, 0, "rx", "rx"},
      {kEl0 | kRo | kUxn, 0, "r", "rx"},
      {kEl0 | kRo | kPxn, 0, "rx", "r"},
      {0, kWxn, "x", "rw"},
      {kEl0, kWxn, "rw", "rw"},
      {kEl0, kPan, "rwx", ""},
      {kEl0 | kRo, kPan, "rx", "x"},
      {0, kPan, "x", "rwx"},
  };
  for (const Row& r : rows) {
    SmmuWorld w;
    w.start();
    SmmuTables t(w, 12, 39);
    t.map(0x1000, SmmuWorld::kRam, kAf | kNg | r.bits);
    Words8 cd = smmu_cd::make(t.root(), 25, 0, 1);
    cd[0] |= r.cd;
    w.put_stream_s1(1, cd);
    for (bool privileged : {false, true}) {
      std::string rights;
      for (auto [letter, access] :
           {std::pair{'r', Access::Read}, {'w', Access::Write}, {'x', Access::Execute}})
        if (w.pa(0x1000, w.master(1, privileged), access)) rights += letter;
      EXPECT_EQ(rights, privileged ? r.privileged : r.unprivileged) << std::hex << r.bits << " " << r.cd;
    }
  }
}

// S14
SPEC("S14: CMDQ_CONS, EVENTQ_PROD and CR0ACK belong to the SMMU while it is enabled") {
  SmmuWorld w;
  w.start();
  for (u64 r : {reg::CMDQ_CONS, reg::EVENTQ_PROD, reg::CR0ACK, reg::STRTAB_BASE, reg::STRTAB_BASE_CFG}) {
    u32 before = w.read32(r);
    w.write32(r, before ^ 0x15);
    EXPECT_EQ(w.read32(r), before);
  }
  w.write32(reg::CR0, 0xffff'ffff);
  EXPECT_EQ(w.read32(reg::CR0), 0xdu);
}

// S15
SPEC("S15: half a million commands cost one store no more than a slice, and are all consumed") {
  SmmuWorld w;
  w.cmdq_log2 = 19;
  w.start();
  std::vector<Words2> many((1 << 19) - 1, cmd::nh_va(0x1000, 1));
  many.push_back(cmd::sync());
  w.queue_all(many);
  EXPECT_EQ(w.smmu->counters().commands, w.smmu->config().slice);
  unsigned polls = 0;
  while ((w.read32(reg::CMDQ_CONS) & 0xfffff) != w.queued && polls < 4096) polls++;
  EXPECT_EQ(w.smmu->counters().syncs, 1u);
  EXPECT_LE(polls, (1u << 19) / w.smmu->config().slice);
}

// S16 is many small rows: tests/unit/smmuv3_*_test.cpp has them as tables. Two that need a master:
SPEC("S16: a cached configuration remembers CD.R, and a bypassed stream allows every access") {
  Mapped w;
  EXPECT_FALSE(w.pa(0x9000, w.master(1)));
  EXPECT_EQ(w.event_type(), 0x10u);
  EXPECT_FALSE(w.pa(0x9000, w.master(1)));  // from the cached CD
  EXPECT_EQ(w.event_type(), 0x10u);
  w.put_ste(2, smmu_ste::make(smmu_ste::kBypass));
  EXPECT_EQ(w.ask(0, w.master(2)).hops[0].input, (InclusiveRange{0, ones(44)}));
  for (Access a : {Access::Read, Access::Write, Access::Execute, Access::ReadWrite})
    EXPECT_TRUE(w.pa(SmmuWorld::kRam, w.master(2), a));
}

// S17: what a consumer needs that mirrors mappings is in the generic layer; the SMMU gives it unmaps.
SPEC("S17: every change of a mapping that software makes visible is an unmap with index and range") {
  Mapped w;
  EXPECT_TRUE(w.pa(Mapped::kVa, w.master(1)));
  std::vector<IommuUnmap> heard;
  IommuRegion::Subscription listen(w.smmu->unmaps(), [&](const IommuUnmap& u) { heard.push_back(u); });
  w.unmap();
  w.command(cmd::ranged(cmd::nh_va(Mapped::kVa, 1), 0, 0, 1, 3));
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_EQ(heard[0].index, w.smmu->index_for(w.master(1)));
  EXPECT_EQ(heard[0].range, (InclusiveRange{0x1000, 0x1fff}));
}

// --- No stale use ---

SPEC("D6: a mapped DMA pointer is gone when CMD_SYNC is consumed, and CMD_SYNC waits for its pin") {
  Mapped w;
  DmaMapper mapper(DmaPort(*w.dma, w.master(1)));
  DmaMapper::Mapped m = mapper.map(Mapped::kVa, 0x1000, Access::Write);
  ASSERT_TRUE(bool(m.mapping));
  std::atomic<int> stage{0};
  SleepsForCompletion driver_waits(w.hub);
  std::thread device([&] {
    {
      DmaMapping::Pin pin = m.mapping.pin();
      ASSERT_TRUE(bool(pin));
      stage = 1;
      EXPECT_TRUE(eventually(driver_waits));
      EXPECT_TRUE(m.mapping.revoked());
      EXPECT_EQ(w.smmu->counters().syncs, 0u);
      std::memset(pin.spans()[0].data(), 0x77, 8);  // a write in flight
    }
    EXPECT_FALSE(bool(m.mapping.pin()));
  });
  while (stage < 1) std::this_thread::yield();
  w.unmap();
  w.command_and_sync(cmd::nh_va(Mapped::kVa, 1));
  EXPECT_EQ(w.smmu->counters().syncs, 1u);
  EXPECT_EQ(w.at(SmmuWorld::kRam), 0x7777'7777'7777'7777u);  // before the CMD_SYNC, so allowed
  device.join();
  EXPECT_EQ(w.dma->store({Mapped::kVa}, 8, 1, w.master(1)).status, MemTxResult::Status::AccessError);
  (void)m.mapping.unmap(0);
}

SPEC("C2: after CMD_SYNC no other thread reads through the old translation, in 300 rounds of remapping") {
  Mapped w;
  w.at(SmmuWorld::kRam) = 0;
  std::atomic<u64> promised{0};  // rounds whose CMD_SYNC has been consumed
  std::atomic<bool> stop{false}, started{false};
  std::thread master([&] {
    TestPe pe(*w.dma, w.hub);
    EpochDomain::Thread epoch(w.hub.epochs());
    Participant::Running run(pe.participant);
    u64 reads = 0;
    while (!stop || reads < 100) {
      epoch.safe_point();
      pe.participant.drain();
      u64 least = promised;
      auto value = pe.load(Mapped::kVa, 8, w.master(1));
      ASSERT_TRUE(value);
      EXPECT_GE(*value, least);
      reads++;
      started = true;
      std::this_thread::yield();
    }
  });
  u64 pages[2] = {SmmuWorld::kRam + 0x8000, SmmuWorld::kRam + 0x9000};
  while (!started) std::this_thread::yield();
  for (u64 round = 1; round <= 300; round++) {
    u64 to = pages[round % 2];
    std::atomic_ref(w.at(to)).store(round);
    std::atomic_ref(w.tables.entry(Mapped::kVa, 3)).store(to | kPage1Rw | 3);
    w.command_and_sync(round % 4 ? cmd::nh_va(Mapped::kVa, 1) : cmd::nh_asid(1));
    promised = round;
  }
  stop = true;
  master.join();
}

SPEC("C5: whoever translates again from inside the notification sees the new tables") {
  Mapped w;
  EXPECT_EQ(w.pa(Mapped::kVa, w.master(1)), SmmuWorld::kRam);
  std::optional<u64> eager;
  IommuRegion::Subscription listen(w.smmu->unmaps(),
                                   [&](const IommuUnmap&) { eager = w.pa(Mapped::kVa, w.master(1)); });
  w.remap(Mapped::kOther);
  w.command(cmd::nh_va(Mapped::kVa, 1));
  EXPECT_EQ(eager, Mapped::kOther);
}

// RAM once more, at another address; something happens whenever a table is read there.
class Tripwire final : public IommuRegion {
 public:
  static constexpr u64 kBase = 0x80'0000'0000;
  explicit Tripwire(SmmuWorld& w) : IommuRegion("tripwire", SmmuWorld::kRamSize, w.hub), bus_(w.bus) {}
  IommuIndex index_for(MemTxAttrs) const override { return IommuIndex{}; }
  IommuEntry translate(Iova, Access, IommuIndex, MemTxAttrs, Intent) const override {
    if (happens) happens();
    return {.input = {0, SmmuWorld::kRamSize - 1},
            .output = {SmmuWorld::kRam},
            .rights = Access::ReadWrite,
            .target = &bus_};
  }
  MemTxResult refuse(Iova, Access, MemTxAttrs, const IommuEntry&) override {
    return MemTxResult::access_error();
  }
  std::function<void()> happens;

 private:
  AddressSpace& bus_;
};
// The last level of the tables is read through the tripwire.
struct Tripped : Mapped {
  std::shared_ptr<Tripwire> wire = std::make_shared<Tripwire>(*this);
  Tripped() {
    Topology::Transaction(topology).add(*bus_root, Tripwire::kBase, wire);
    tables.entry(kVa, 2) += Tripwire::kBase - kRam;
    leaf = kRam + ((tables.entry(kVa, 2) & ones(48) & ~ones(12)) - Tripwire::kBase) + 8;
  }
  u64 leaf;  // of kVa
};

SPEC("C5: an invalidation in the middle of a walk makes the walk start again, and later ones arrive too") {
  Tripped w;
  TestPe pe(*w.dma, w.hub);
  int trips = 0;
  w.wire->happens = [&] {
    if (trips++) return;
    w.at(w.leaf) = Mapped::kOther | kPage1Rw | 3;
    w.command_and_sync(cmd::nh_va(Mapped::kVa, 1));
    w.at(w.leaf) = SmmuWorld::kRam | kPage1Rw | 3;  // seen by the walk that has begun, were it kept
    w.command_and_sync(cmd::nh_va(Mapped::kVa, 1));
  };
  EXPECT_EQ(pe.load(Mapped::kVa, 8, w.master(1)), 0x11u);
  EXPECT_GE(w.smmu->counters().walks_repeated, 1u);
  w.at(w.leaf) = Mapped::kOther | kPage1Rw | 3;
  w.command_and_sync(cmd::nh_va(Mapped::kVa, 1));
  pe.participant.drain();
  EXPECT_EQ(pe.load(Mapped::kVa, 8, w.master(1)), 0x22u);
}

SPEC("C5: a configuration that is invalidated while it is read is read again") {
  Tripped w;
  w.wire->happens = [&, first = true]() mutable {
    if (!std::exchange(first, false)) return;
    w.put_ste(1, smmu_ste::make(smmu_ste::kAbort));
    w.command_and_sync(cmd::cfgi_ste(1));
  };
  EXPECT_FALSE(w.pa(Mapped::kVa, w.master(1)));
  EXPECT_TRUE(w.smmu->streams().empty());
}

SPEC("two configurations of one stream never count at once: the one that is cached first does") {
  Tripped w;
  u64 cd = w.at(w.strtab + 64) & ones(56) & ~ones(6);
  w.wire->happens = [&, first = true]() mutable {
    if (!std::exchange(first, false)) return;
    w.at(cd) ^= u64{3} << 48;  // ASID 2, and no CFGI
    EXPECT_TRUE(w.pa(Mapped::kVa, w.master(1)));
  };
  EXPECT_TRUE(w.pa(Mapped::kVa, w.master(1)));
  EXPECT_EQ(w.smmu->streams()[0].asid, 2);
  w.command(cmd::nh_asid(1));
  EXPECT_EQ(w.smmu->counters().by_opcode[0x11].removed, 0u);
  w.command(cmd::nh_asid(2));
  EXPECT_EQ(w.smmu->counters().by_opcode[0x11].removed, 1u);
}

SPEC("a guest that invalidates during every walk cannot keep a master waiting for ever") {
  Tripped w;
  int trips = 0;
  w.wire->happens = [&] {
    if (trips++ < 64) w.command(cmd::nh_va(Mapped::kVa, 1));
  };
  EXPECT_EQ(w.pa(Mapped::kVa, w.master(1)), SmmuWorld::kRam);
  EXPECT_EQ(trips, 65);
  EXPECT_EQ(w.smmu->counters().walks_repeated, 64u);
}

SPEC("C14: a TLBI of one page leaves other pages, streams and substreams in a subscriber's cache") {
  Mapped w;
  for (u64 i = 2; i < 10; i++) w.tables.map(i << 12, SmmuWorld::kRam + (i << 12), kPage1Rw);
  w.put_stream_s1(2, smmu_cd::make(w.tables.root(), 25, 0, 2));
  TestPe pe(*w.dma, w.hub);
  for (u64 i = 1; i < 10; i++) EXPECT_TRUE(pe.load(i << 12, 8, w.master(1)));
  pe.cache.remove_everything();
  for (u64 i = 1; i < 10; i++) EXPECT_TRUE(pe.load(i << 12, 8, w.master(1)));
  EXPECT_TRUE(w.pa(0x1000, w.master(2)));
  w.command_and_sync(cmd::nh_va(0x3000, 2));
  pe.participant.drain();
  EXPECT_EQ(pe.cache.size(), 9u);  // another ASID
  w.command_and_sync(cmd::nh_va(0x3000, 1));
  pe.participant.drain();
  EXPECT_EQ(pe.cache.size(), 8u);
}

SPEC("C21: a 1 GiB block is one entry, in the IOTLB and for subscribers") {
  SmmuWorld w;
  w.start();
  SmmuTables t(w, 12, 39);
  t.map(0x8000'0000, 0x4000'0000, kPage1Rw, 1);
  w.put_stream_s1(1, smmu_cd::make(t.root(), 25, 0, 1));
  for (u64 offset : {u64{0}, u64{0x123'4567}, ones(30)})
    EXPECT_EQ(w.pa(0x8000'0000 + offset, w.master(1)), 0x4000'0000 + offset);
  EXPECT_EQ(w.smmu->iotlb_entries(), 1u);
  EXPECT_EQ(w.ask(0x8012'3000, w.master(1)).hops[0].input, (InclusiveRange{0x8000'0000, 0xbfff'ffff}));
}

SPEC("D7: a descriptor is read in one piece: a walk sees the old one or the new one, never a mixture") {
  Mapped w;
  std::atomic<bool> stop{false};
  // The two leaves differ in both halves of the word.
  u64 a = SmmuWorld::kRam | kPage1Rw | 3, b = u64{0x123'4000'0000} | kPage1Rw | kUxn | 3;
  std::thread writer([&] {
    while (!stop) {
      std::atomic_ref(w.tables.entry(Mapped::kVa, 3)).store(b, std::memory_order_relaxed);
      std::atomic_ref(w.tables.entry(Mapped::kVa, 3)).store(a, std::memory_order_relaxed);
    }
  });
  for (int i = 0; i < 20000; i++) {
    Translation t = w.ask(Mapped::kVa, w.master(1), Access::Read, Intent::Debug);
    bool x = allows(t.rights, Access::Execute);
    EXPECT_TRUE(t.final_address == (x ? SmmuWorld::kRam : 0x123'4000'0000));
  }
  stop = true;
  writer.join();
}

SPEC("D14: a stream is its StreamID: nothing is remembered by who used it last") {
  Mapped w;
  EXPECT_TRUE(w.pa(Mapped::kVa, w.master(1)));
  MemTxAttrs other = MemTxAttrs::device(55, 1);  // another device at the same StreamID
  EXPECT_TRUE(w.pa(Mapped::kVa, other));
  EXPECT_FALSE(w.pa(Mapped::kVa, MemTxAttrs::device(1, 2)));
  EXPECT_EQ(w.smmu->streams().size(), 1u);
}

SPEC("an SMMU in front of another one translates twice, and each tells only about itself") {
  Mapped inner;
  auto& w = inner;
  Smmuv3 outer(w.hub, *w.dma, DmaPort(w.bus, MemTxAttrs::device(98, 0xfffe)), w.clock, {.name = "outer"}, {});
  AddressSpace top(w.topology, "top", unowned<Region>(outer));
  u64 strtab = w.take(64 * 16);
  SmmuTables t(w, 16, 42);
  t.map(0x7'0000, 0, kPage1Rw);  // 64 KiB at 0 of the inner stream
  u64 cd = w.take(64);
  w.put(cd, smmu_cd::make(t.root(), 22, 1, 5));
  w.put(strtab + 64, smmu_ste::make(smmu_ste::kS1, cd));
  auto store = [&](u64 offset, u64 v) { EXPECT_TRUE(outer.write(offset, 4, v, kNs).is_ok()); };
  store(reg::STRTAB_BASE, strtab), store(reg::STRTAB_BASE_CFG, 4), store(reg::CR0, 1);
  u64 value = 0;
  EXPECT_TRUE(top.load({0x7'0000 + Mapped::kVa}, 8, value, w.master(1)).is_ok());
  EXPECT_EQ(value, 0x11u);
  EXPECT_EQ(top.load({0x7'0000 + 0x2000}, 8, value, w.master(1)), MemTxResult::access_error(1));
  EXPECT_EQ(w.event_type(), 0x10u);
  EXPECT_EQ(outer.counters().faults, 0u);
}

SPEC("tables behind a small-block protection controller are read block by block") {
  InvalidationHub hub;
  Topology topology(hub);
  auto ram = make_ram(u64{1} << 20);
  AddressSpace memory(topology, "memory", std::make_shared<RamRegion>("ram", ram));
  auto mpc = std::make_shared<TestIommu>(hub, kWholeSpace, "mpc");
  AddressSpace tables(topology, "tables", mpc);
  Clock clock(Clock::Mode::Icount);
  MemTxAttrs who = MemTxAttrs::device(7, 9);
  Smmuv3 smmu(hub, memory, DmaPort(tables, who), clock, {}, {});
  AddressSpace dma(topology, "dma", unowned<Region>(smmu));
  auto store = [&](u64 offset, u64 v) { EXPECT_TRUE(smmu.write(offset, 4, v, kNs).is_ok()); };
  store(reg::STRTAB_BASE, 0x1000), store(reg::STRTAB_BASE_CFG, 4), store(reg::CR0, 1);
  u64 ste = 1 | smmu_ste::kBypass << 1;
  std::memcpy(ram->host() + 0x1000, &ste, 8);
  u64 value;
  mpc->map(mpc->index_for(who), {{0x1000, 0x101f}, 0x1000, Access::Read, &memory});
  EXPECT_FALSE(dma.load({0x2000}, 4, value, MemTxAttrs::device(1, 0)).is_ok());  // half of the STE
  mpc->map(mpc->index_for(who), {{0x1020, 0x103f}, 0x1020, Access::Read, &memory});
  EXPECT_TRUE(dma.load({0x2000}, 4, value, MemTxAttrs::device(1, 0)).is_ok());
}

}  // namespace
}  // namespace sluice
