// tests/spec/device_chain_spec.cpp: the real gates, SMMUv3, virtio-iommu and MPC, in front of a PE's MMU and
// of DMA, in any order. The letters are rows of docs/iommu-conformance.md.
#include <fstream>
#include <sstream>
#include <thread>

#include "base/log.h"
#include "tests/support/device_chain.h"

namespace sluice::test {
namespace {

using enum Access;
using Kind = cpu::Fault::Kind;
using Reason = MemTxResult::Reason;

constexpr u64 kSizes[3][5] = {{1 << 12, 1 << 14, 1 << 16, 1 << 12, 1 << 16},  // SMMUv3: translation granules
                              {1 << 6, 1 << 8, 1 << 12, 1 << 13, 1 << 16},    // virtio-iommu
                              {32, 256, 1 << 12, 1 << 14, 1 << 16}};          // MPC

std::vector<GateChoice> random_chain(Random& random, unsigned depth) {
  std::vector<GateChoice> chain;
  for (unsigned i = 0; i < depth; i++) {
    u64 type = random.below(3);
    chain.push_back({GateType(type), kSizes[type][random.below(5)]});
  }
  return chain;
}
// Random contents: blocks go anywhere in the window, some nowhere, some with fewer rights.
void scramble(Random& random, TestGate& gate, bool close_first) {
  const u64 blocks = kWindowSize / gate.granule();
  for (u64 n = 0; n < blocks; n++) {
    if (close_first && random.chance(90)) continue;
    const u64 from = kWindow + n * gate.granule(), to = kWindow + random.below(blocks) * gate.granule();
    if (close_first && gate.translates()) gate.close(from);
    Access rights = random.chance(80) ? All : random.chance(50) ? Read : Access(u8(Read) | u8(Execute));
    bool open = random.chance(95);
    if (open || !gate.translates()) gate.open(from, to, open ? rights : None);
  }
}

// One PE with its MMU off, and one master.
struct Prober {
  ChainMachine& m;
  Random& random;
  MmuPe pe{m};
  Participant::Running running{pe.participant};
  DmaPort port{m.seen(), kDevice};
  int reached = 0, refused = 0;

  u64 address() {
    u64 block = u64{32} << random.below(12);
    u64 edge = random.below(kWindowSize / block) * block;
    return kWindow + (edge + random.between(0, 2) + kWindowSize - 1) % kWindowSize;
  }
  std::optional<u64> expected(u64 at, Access access, MemTxAttrs attrs) {
    const auto want = m.expected(at, access);
    EXPECT_EQ(want, m.composed(at, access, attrs)) << std::hex << at;
    (want ? reached : refused)++;
    return want;
  }
  void probe(u64 at) {
    auto a = random.chance(60) ? Read : random.chance(60) ? Write : Execute;
    const auto want = expected(at, a == Execute ? Read : a, kDevice);
    u64 value = 0;
    if (a == Write) {
      const u8 before = want ? *m.at(*want) : 0;
      EXPECT_EQ(port.store(at, 1, u8(before + 1)).is_ok(), want.has_value()) << std::hex << at;
      if (want) {
        EXPECT_EQ(*m.at(*want), u8(before + 1)) << std::hex << at;
      }
    } else {
      if (want) *m.at(*want) = u8(random.below(256));
      EXPECT_EQ(port.load(at, 1, value).is_ok(), want.has_value()) << std::hex << at;
      if (want) {
        EXPECT_EQ(value, *m.at(*want)) << std::hex << at;
      }
    }
    if (a == Execute) {
      at &= ~u64{3};
      const auto code = expected(at, Execute, MemTxAttrs::pe(0, PaSpace::NonSecure, true, true));
      tcg::FetchTarget t = pe.fetch(at);
      EXPECT_EQ(t.kind == tcg::FetchTarget::Kind::Host, code.has_value()) << std::hex << at;
      if (code) {
        EXPECT_EQ(t.host, m.at(*code)) << std::hex << at;
      }
      return;
    }
    const auto data = expected(at, a, kNs);
    tcg::DataTarget t = pe.access(at, a, 1);
    EXPECT_EQ(t.kind == tcg::DataTarget::Kind::Host, data.has_value()) << std::hex << at;
    if (data && t.kind == tcg::DataTarget::Kind::Host) {
      EXPECT_EQ(t.host, m.at(*data)) << std::hex << at;
    }
    if (u8* fast = pe.fast(at)) {
      EXPECT_EQ(fast, m.at(*m.expected(at, Read)));
    }
  }
};

// C22, C9, D5
SPEC(
    "C9, D5: PEs and DMA behind one to eight real gates, of any kind, order and block size, get what the "
    "gates answer") {
  Random random(0xc4a1);
  for (unsigned depth = 1; depth <= 8; depth++) {
    for (int round = 0; round < 4; round++) {
      ChainMachine m(random_chain(random, depth));
      for (auto& gate : m.gates) scramble(random, *gate, false);
      Prober prober{m, random};
      for (int i = 0; i < 1500; i++) prober.probe(prober.address());
      EXPECT_GT(prober.reached, 300);
      EXPECT_GT(prober.refused, 30);
      if (::testing::Test::HasFailure()) return;
    }
  }
}
SPEC("C5, D5: after any gate of a chain has changed and said so, PEs and DMA get what the gates answer now") {
  Random random(0xc4a2);
  for (unsigned depth = 1; depth <= 8; depth++) {
    ChainMachine m(random_chain(random, depth));
    for (auto& gate : m.gates) scramble(random, *gate, false);
    Prober prober{m, random};
    for (int change = 0; change < 10; change++) {
      std::vector<u64> again;
      for (int i = 0; i < 100; i++) prober.probe(again.emplace_back(prober.address()));
      scramble(random, *m.gates[random.below(depth)], true);
      for (u64 at : again) prober.probe(at);
      if (::testing::Test::HasFailure()) return;
    }
    EXPECT_EQ(prober.pe.participant.counters().full_flushes, 0u);
  }
}

// C22
SPEC("C22: a cycle of real gates is a decode error, and the log names the gates in their order") {
  MmuMachine m;
  auto loop = std::make_shared<Container>("loop", kWholeSpace);
  AddressSpace back(m.topology, "back", loop);
  auto gate = [&](AddressSpace& behind, const char* name) {
    return std::make_shared<VirtioIommuRegion>(m.hub, behind,
                                               VirtioIommuConfig{.name = name, .bypass_at_boot = true});
  };
  auto inner = gate(back, "inner");
  AddressSpace middle(m.topology, "middle", inner);
  auto outer = gate(middle, "outer");
  Topology::Transaction(m.topology).add(*loop, 0, outer);
  m.through = std::make_unique<AddressSpace>(m.topology, "through", outer);
  const std::string file = testing::TempDir() + "sluice-cycle.log";
  ASSERT_TRUE(Log::configure(u32(LogTopic::GuestErrors), file));
  u64 value;
  EXPECT_EQ(m.seen().load({kWindow}, 4, value, kDevice), MemTxResult::decode_error(Reason::ChainCycle, 2));
  MmuPe pe(m);
  EXPECT_EQ(pe.why(kWindow), Kind::External);
  ASSERT_TRUE(Log::configure(0, ""));
  std::stringstream log;
  log << std::ifstream(file).rdbuf();
  EXPECT_NE(log.str().find("cycle of IOMMUs at 0x40400000: outer(0x40400000) -> inner(0x40400000) -> outer"),
            std::string::npos)
      << log.str();
  std::remove(file.c_str());
}

const std::vector<GateChoice> kAllThree = {
    {GateType::Smmu, 1 << 12}, {GateType::Virtio, 1 << 12}, {GateType::Mpc, 32}};

// A PE with tables of its own behind gates.
struct ChainPe : ChainMachine {
  explicit ChainPe(const std::vector<GateChoice>& choices = kAllThree) : ChainMachine(choices) {
    open_all();
    pe.enable(tables.root(), tables.root());
  }
  static constexpr u64 kVa = 0x7654320000;
  MmuPe pe{*this};
  Participant::Running running{pe.participant};
  PageTables tables{*ram, kRamBase, 0};
  u64 table_of(u64 va, unsigned level) { return tables.entry(va, level - 1) & ones(48) & ~ones(12); }
};

SPEC("C11: a PE's table walk passes the gates with the attributes of a walk, whatever the access it is for") {
  ChainPe w({{GateType::Smmu, 1 << 12}, {GateType::Mpc, 32}});
  w.tables.map(w.kVa, kWindow, pte::kNormal | pte::kEl0 | pte::kNotGlobal);
  // The tables are for privileged accesses alone: EL0 may use them through the walker and not by itself.
  auto& smmu = w.gate<SmmuGate>(0);
  for (unsigned level = 1; level <= 3; level++)
    smmu.open_privileged(w.table_of(w.kVa, level), w.table_of(w.kVa, level));
  smmu.open_privileged(w.tables.root(), w.tables.root());
  w.tables.map(w.kVa + 0x1000, w.tables.root(), pte::kNormal | pte::kEl0 | pte::kNotGlobal);
  w.pe.el(0);
  EXPECT_EQ(w.pe.why(w.kVa), Kind::None);
  EXPECT_EQ(w.pe.why(w.kVa + 0x1000), Kind::External);
  auto event = smmu.event();
  ASSERT_TRUE(event);
  EXPECT_EQ((*event)[0] & 0xff, 0x13u);  // F_PERMISSION
  EXPECT_EQ((*event)[1] >> 33 & 1, 0u);  // PnU: the access was EL0's
  EXPECT_FALSE(smmu.event());
}
SPEC("C17: a walk that a gate refuses is an abort on its level, recorded once, by the gate, for the PE") {
  ChainPe w;
  w.tables.map(w.kVa, kWindow, pte::kNormal);
  auto& mpc = w.gate<MpcGate>(2);
  const u64 level2 = w.table_of(w.kVa, 2);
  mpc.close((level2 + extract(w.kVa, 21, 9) * 8) & ~u64{31});
  EXPECT_EQ(w.pe.why(w.kVa, Write), Kind::ExternalOnWalk);
  EXPECT_EQ(w.pe.fault.level, 2);
  EXPECT_EQ(mpc.mpc().blocked(), 1u);
  EXPECT_EQ(mpc.read(0x30) & 0x1ffff, 1u << 16 | 0u);  // INT_INFO2: HNONSEC, HMASTER of PE 0
  w.gate<SmmuGate>(0).close(level2 & ~u64{0xfff});
  EXPECT_EQ(w.pe.why(w.kVa, Write), Kind::ExternalOnWalk);
  EXPECT_EQ(mpc.mpc().blocked(), 1u) << "the first gate has refused already";
  auto event = w.gate<SmmuGate>(0).event();
  ASSERT_TRUE(event);
  EXPECT_EQ((*event)[0] & 0xff, 0x10u);  // F_TRANSLATION
  EXPECT_EQ((*event)[1] >> 33 & 1, 1u);  // PnU: a walk is privileged
  EXPECT_EQ((*event)[1] >> 35 & 1, 1u);  // RnW: the descriptor is read, though the access is a write
  EXPECT_EQ((*event)[2], level2 + extract(w.kVa, 21, 9) * 8);
}

// C14
SPEC(
    "C14: a change of one block in any gate of a chain removes that block from a PE's TLB and nothing else") {
  for (unsigned changed = 0; changed < 3; changed++) {
    ChainPe w({{GateType::Smmu, 1 << 12}, {GateType::Virtio, 1 << 12}, {GateType::Mpc, 1 << 12}});
    w.tables.map_range(w.kVa, kWindow, 0x20000, pte::kNormal);
    for (u64 at = 0; at < 0x20000; at += 0x1000) EXPECT_TRUE(w.pe.ok(w.kVa + at));
    w.gates[changed]->close(kWindow + 0x7000);
    for (u64 at = 0; at < 0x20000; at += 0x1000)
      EXPECT_EQ(w.pe.fast(w.kVa + at) != nullptr, at != 0x7000) << changed << " " << at;
    EXPECT_EQ(w.pe.why(w.kVa + 0x7000), Kind::External);
    EXPECT_EQ(w.pe.participant.counters().full_flushes, 0u);
  }
}

// C6
SPEC("C6: a device access that takes away its own translation while it waits ends where it was going") {
  MmuWorld w(true);
  const u64 va = 0x7654321000;
  w.low.map(va, kDeviceBase, pte::kNormal);
  w.device.on_write = [&](u64, u64) {
    w.hub.complete(w.iommu->unmap(w.iommu->index_for(kNs), {0, ~u64{0}}));  // waits before the access retires
  };
  tcg::DataTarget t = w.pe.access(va + 8, Write);
  ASSERT_EQ(t.kind, tcg::DataTarget::Kind::Mmio);
  EXPECT_TRUE(w.pe.mmu.mmio_store(t, va + 8, 8, {0x1234, 0}, w.pe.fault));
  EXPECT_EQ(w.device.log.size(), 1u);
  EXPECT_EQ(w.device.last.offset, 8u);
  EXPECT_EQ(w.device.last.value, 0x1234u);
  EXPECT_EQ(w.pe.why(va), Kind::ExternalOnWalk) << "the next one does not even find its tables";
}

// D1, D2
SPEC(
    "D1, D2: through three gates, bounced, split, scattered and repeated DMA says at each access who it is") {
  ChainMachine m(kAllThree);
  m.open_all();
  // A page of registers behind a page of RAM, for the master.
  m.gates[0]->close(kWindow + 0x1000), m.gates[0]->open(kWindow + 0x1000, kDeviceBase, ReadWrite);
  m.gates[1]->open(kDeviceBase, kDeviceBase, ReadWrite);
  DmaMapper mapper(DmaPort(m.seen(), kDevice));
  {
    auto [mapping, result] = mapper.map(kWindow + 0xff0, 0x20, ReadWrite);
    ASSERT_TRUE(result.is_ok());
    EXPECT_TRUE(mapping.bounced());
    EXPECT_EQ(m.device.last.attrs, kDevice);
    EXPECT_TRUE(mapping.unmap(0x20).is_ok());
  }
  EXPECT_GT(m.device.writes, 0);
  for (const auto& call : m.device.log) EXPECT_EQ(call.attrs, kDevice);
  DmaWindow window(mapper, kWindow + 0x1000, 64, ReadWrite);
  EXPECT_TRUE(window.store(8, 8, 1).is_ok());
  EXPECT_EQ(m.device.last.attrs, kDevice);
  u64 value = 0;
  EXPECT_TRUE(mapper.port().load(kWindow + 0xffd, 8, value).is_ok());  // half RAM, half registers
  EXPECT_EQ(m.device.last.attrs, kDevice);
}
SPEC("D1: a write that is split at a block which the master may not touch changes nothing there") {
  ChainMachine m(kAllThree);
  m.open_all();
  m.gates[2]->close(kWindow + 0x20);
  std::memset(m.at(kWindow), 0x11, 0x60);
  std::vector<std::byte> bytes(0x60, std::byte{0xee});
  DmaPort port(m.seen(), kDevice);
  EXPECT_FALSE(port.write(kWindow, bytes).is_ok());
  for (u64 i = 0x20; i < 0x40; i++) EXPECT_EQ(*m.at(kWindow + i), 0x11) << i;
  EXPECT_FALSE(port.store(kWindow + 0x1c, 8, ~u64{0}).is_ok());
  EXPECT_EQ(*m.at(kWindow + 0x20), 0x11);
  EXPECT_EQ(m.gate<MpcGate>(2).read(0x30) & 0x1ffff, 1u << 16 | 0x8001);  // HNONSEC, the master's HMASTER
}

// C23
SPEC("C23: PEs and masters may go at any time while they hold translations and gates change") {
  ChainMachine m(kAllThree);
  m.open_all();
  std::atomic<bool> stop{false};
  std::thread changes([&] {
    for (u64 n = 0; !stop; n++) {
      TestGate& gate = *m.gates[n % 3];
      gate.close(kWindow), gate.open(kWindow, kWindow, All);
    }
  });
  for (int i = 0; i < 200; i++) {
    MmuPe pe(m, 1);
    Participant::Running running(pe.participant);
    DmaMapper mapper(DmaPort(m.seen(), kDevice));
    auto mapped = mapper.map(kWindow, 64, Read);
    for (u64 at = 0; at < 0x4000; at += 0x1000) (void)pe.ok(kWindow + at);
    // A device that is unplugged or reset with its mapping in use.
    if (i % 2) {
      Ticket t = mapper.close();
      Participant::Quiescent waiting(pe.participant);
      m.hub.wait(t);
    }
  }
  stop = true;
  changes.join();
  for (auto& gate : m.gates) EXPECT_EQ(gate->region().unmaps().subscriptions(), 0u);
}

}  // namespace
}  // namespace sluice::test
