// tests/support/smmu_world.h: RAM, an SMMUv3 with its registers, and a master behind it. Everything is done
// as a driver would: structures in memory, commands in the queue, registers through the frame.
#pragma once
#include <thread>

#include "devices/iommu/smmuv3/smmuv3.h"
#include "tests/support/memory_world.h"

namespace sluice::test {

// Register offsets, from the specification and not from the device.
namespace smmu_reg {
inline constexpr u64 IDR0 = 0x0, IDR1 = 0x4, IDR3 = 0xc, IDR5 = 0x14, AIDR = 0x1c, CR0 = 0x20, CR0ACK = 0x24,
                     CR1 = 0x28, CR2 = 0x2c, GBPA = 0x44, IRQ_CTRL = 0x50, IRQ_CTRLACK = 0x54, GERROR = 0x60,
                     GERRORN = 0x64, GERROR_IRQ_CFG0 = 0x68, STRTAB_BASE = 0x80, STRTAB_BASE_CFG = 0x88,
                     CMDQ_BASE = 0x90, CMDQ_PROD = 0x98, CMDQ_CONS = 0x9c, EVENTQ_BASE = 0xa0,
                     EVENTQ_IRQ_CFG0 = 0xb0, EVENTQ_PROD = 0x100a8, EVENTQ_CONS = 0x100ac;
}  // namespace smmu_reg

using Words8 = std::array<u64, 8>;
using Words4 = std::array<u64, 4>;
using Words2 = std::array<u64, 2>;

// Structures with nothing illegal in them, to be spoilt by tests.
namespace smmu_ste {
inline constexpr u64 kAbort = 0, kBypass = 4, kS1 = 5, kS2 = 6, kNested = 7;
inline Words8 make(u64 config, u64 s1_context_ptr = 0, u64 s1_cd_max = 0) {
  return {1 | config << 1 | s1_context_ptr | s1_cd_max << 59, 0, 0, 0, 0, 0, 0, 0};
}
// tg: 0 4K, 1 64K, 2 16K; ps: encoding.
inline void add_s2(Words8& ste, u64 ttb, u64 t0sz, u64 sl0, u64 tg = 0, u64 vmid = 0, u64 ps = 4) {
  ste[2] = vmid | t0sz << 32 | sl0 << 38 | tg << 46 | ps << 48 | u64{1} << 51 | u64{1} << 58;  // AA64, R
  ste[3] = ttb;
}
}  // namespace smmu_ste
namespace smmu_cd {
inline constexpr u64 kEpd1 = u64{1} << 30, kV = u64{1} << 31, kAa64 = u64{1} << 41, kR = u64{1} << 45,
                     kA = u64{1} << 46;
// tg: 0 4K, 1 64K, 2 16K. TTB1 is disabled.
inline Words8 make(u64 ttb0, u64 t0sz = 16, u64 tg = 0, u64 asid = 0, u64 ips = 4) {
  return {t0sz | tg << 6 | kEpd1 | kV | ips << 32 | kAa64 | kR | kA | asid << 48, ttb0, 0, 0, 0, 0, 0, 0};
}
}  // namespace smmu_cd

namespace smmu_cmd {
inline Words2 cfgi_ste(u64 sid, bool leaf = true) { return {0x03 | sid << 32, leaf}; }
inline Words2 cfgi_range(u64 sid, u64 range) { return {0x04 | sid << 32, range}; }
inline Words2 cfgi_all() { return cfgi_range(0, 31); }
inline Words2 cfgi_cd(u64 sid, u64 ssid) { return {0x05 | ssid << 12 | sid << 32, 1}; }
inline Words2 cfgi_cd_all(u64 sid) { return {0x06 | sid << 32, 0}; }
inline Words2 nh_all(u64 vmid = 0) { return {0x10 | vmid << 32, 0}; }
inline Words2 nh_asid(u64 asid, u64 vmid = 0) { return {0x11 | vmid << 32 | asid << 48, 0}; }
inline Words2 nh_va(u64 va, u64 asid, u64 vmid = 0) { return {0x12 | vmid << 32 | asid << 48, va}; }
inline Words2 nh_vaa(u64 va, u64 vmid = 0) { return {0x13 | vmid << 32, va}; }
inline Words2 s12_vmall(u64 vmid) { return {0x28 | vmid << 32, 0}; }
inline Words2 s2_ipa(u64 ipa, u64 vmid) { return {0x2a | vmid << 32, ipa}; }
inline Words2 nsnh_all() { return {0x30, 0}; }
inline Words2 sync(u64 cs = 0, u64 msi_address = 0, u64 msi_data = 0) {
  return {0x46 | cs << 12 | msi_data << 32, msi_address};
}
// Range invalidation: NUM, SCALE, TG and TTL for any of the commands with an address.
inline Words2 ranged(Words2 c, u64 num, u64 scale, u64 tg, u64 ttl = 0) {
  return {c[0] | num << 12 | scale << 20, c[1] | tg << 10 | ttl << 8};
}
}  // namespace smmu_cmd

struct SmmuWorld {
  static constexpr u64 kRam = 0x4000'0000, kRamSize = u64{64} << 20, kFrame = 0x0905'0000;

  InvalidationHub hub;
  Topology topology{hub};
  Clock clock{Clock::Mode::Icount};
  std::shared_ptr<GuestRam> ram = make_ram(kRamSize);
  std::shared_ptr<Container> bus_root = std::make_shared<Container>("bus", kWholeSpace);
  AddressSpace bus{topology, "bus", bus_root};
  int eventq_irqs = 0, gerror_irqs = 0, sync_irqs = 0, sevs = 0;
  std::shared_ptr<Smmuv3> smmu;
  std::unique_ptr<AddressSpace> dma;
  u64 next_free = kRam + 0x100000;
  u64 strtab = 0, cmdq = 0, eventq = 0;
  unsigned cmdq_log2 = 8, eventq_log2 = 5, strtab_log2 = 8;
  u32 event_seen = 0;

  explicit SmmuWorld(Smmuv3Config config = {}, bool with_sev = true, AddressSpace* tables = nullptr) {
    {
      Topology::Transaction tx(topology);
      tx.add(*bus_root, kRam, std::make_shared<RamRegion>("ram", ram));
    }
    auto count = [](int& n) { return IrqLine([&n](bool level) { n += level; }); };
    Smmuv3Wires wires{count(eventq_irqs), count(gerror_irqs), count(sync_irqs), {}};
    if (with_sev) wires.send_event = [this] { sevs++; };
    DmaPort port(tables ? *tables : bus, MemTxAttrs::device(99, 0xffff));
    smmu = std::make_shared<Smmuv3>(hub, bus, port, clock, std::move(config), std::move(wires));
    dma = std::make_unique<AddressSpace>(topology, "dma", smmu);
    Topology::Transaction(topology).add(
        *bus_root, kFrame, std::make_shared<MmioRegion>("smmu", Smmuv3::kFrameSize, *smmu, nullptr, smmu));
  }

  // --- memory ---
  u64 take(u64 size) {
    u64 at = align_up(next_free, is_power_of_two(size) ? size : std::bit_ceil(size));
    next_free = at + size;
    EXPECT_LE(next_free, kRam + kRamSize);
    return at;
  }
  u64& at(u64 pa) { return *reinterpret_cast<u64*>(ram->host() + (pa - kRam)); }
  template <size_t N>
  void put(u64 pa, const std::array<u64, N>& words) {
    std::memcpy(ram->host() + (pa - kRam), words.data(), N * 8);
  }

  // --- registers ---
  void write32(u64 reg, u32 v) { EXPECT_TRUE(bus.store({kFrame + reg}, 4, v, kNs).is_ok()); }
  void write64(u64 reg, u64 v) { EXPECT_TRUE(bus.store({kFrame + reg}, 8, v, kNs).is_ok()); }
  u32 read32(u64 reg) {
    u64 v = 0;
    EXPECT_TRUE(bus.load({kFrame + reg}, 4, v, kNs).is_ok());
    return u32(v);
  }
  u64 read64(u64 reg) {
    u64 v = 0;
    EXPECT_TRUE(bus.load({kFrame + reg}, 8, v, kNs).is_ok());
    return v;
  }

  // --- set-up ---
  void make_queues() {
    cmdq = take(u64{16} << cmdq_log2);
    eventq = take(u64{32} << eventq_log2);
    write64(smmu_reg::CMDQ_BASE, cmdq | cmdq_log2);
    write64(smmu_reg::EVENTQ_BASE, eventq | eventq_log2);
  }
  void make_linear_table() {
    strtab = take(u64{64} << strtab_log2);
    write64(smmu_reg::STRTAB_BASE, strtab);
    write32(smmu_reg::STRTAB_BASE_CFG, strtab_log2);
  }
  // Linear stream table, both queues, everything enabled.
  void start() {
    make_queues();
    make_linear_table();
    write32(smmu_reg::CR2, 2);
    write32(smmu_reg::IRQ_CTRL, 5);
    write32(smmu_reg::CR0, 0xd);
    EXPECT_EQ(read32(smmu_reg::CR0ACK), 0xdu);
  }
  void put_ste(u32 sid, const Words8& ste) { put(strtab + u64{sid} * 64, ste); }
  // A stream with one CD; returns where the CD is.
  u64 put_stream_s1(u32 sid, const Words8& cd, Words8 ste = smmu_ste::make(smmu_ste::kS1)) {
    u64 at = take(64);
    put(at, cd);
    ste[0] |= at;
    put_ste(sid, ste);
    return at;
  }

  // --- queues ---
  void queue(const Words2& command) {
    u32 prod = read32(smmu_reg::CMDQ_PROD), size = 1u << cmdq_log2;
    put(cmdq + u64{prod & (size - 1)} * 16, command);
    queued = (prod + 1) & (2 * size - 1);
    write32(smmu_reg::CMDQ_PROD, queued);
  }
  // Several commands that one store makes visible.
  void queue_all(std::span<const Words2> commands) {
    u32 prod = read32(smmu_reg::CMDQ_PROD), size = 1u << cmdq_log2;
    for (const Words2& c : commands) {
      put(cmdq + u64{prod & (size - 1)} * 16, c);
      prod = (prod + 1) & (2 * size - 1);
    }
    queued = prod;
    write32(smmu_reg::CMDQ_PROD, queued);
  }
  // Lets virtual time pass, and what is due happen.
  void pass_time(u64 ns) {
    clock.advance_to(clock.now_ns() + ns);
    clock.run_expired();
  }
  void command(const Words2& c) {
    queue(c);
    EXPECT_EQ(read32(smmu_reg::CMDQ_CONS) & 0xfffff, queued) << "command not consumed";
  }
  void command_and_sync(const Words2& c) { command(c), command(smmu_cmd::sync()); }
  u32 queued = 0;
  // The oldest record not yet taken.
  std::optional<Words4> event() {
    u32 prod = read32(smmu_reg::EVENTQ_PROD), size = 1u << eventq_log2, mask = 2 * size - 1;
    if (((prod ^ event_seen) & mask) == 0) return std::nullopt;
    Words4 e;
    std::memcpy(e.data(), ram->host() + (eventq - kRam) + u64{event_seen & (size - 1)} * 32, 32);
    event_seen = (event_seen + 1) & mask;
    write32(smmu_reg::EVENTQ_CONS, (prod & 0x80000000) | event_seen);
    return e;
  }
  u64 event_type() {
    auto e = event();
    return e ? (*e)[0] & 0xff : 0;
  }

  // --- the master ---
  static MemTxAttrs master(u32 sid, bool privileged = false) {
    MemTxAttrs a = MemTxAttrs::device(1, sid);
    a.privileged = privileged;
    return a;
  }
  static MemTxAttrs master_ss(u32 sid, u32 ssid) {
    MemTxAttrs a = MemTxAttrs::device(1, sid);
    a.substream = ssid;
    a.substream_valid = true;
    return a;
  }
  Translation ask(u64 address, MemTxAttrs attrs, Access access = Access::Read,
                  Intent intent = Intent::Access) {
    EpochDomain::Guard guard(hub.epochs());
    return translate({*dma, address, 1, access, attrs, intent});
  }
  // The output address, or nothing.
  std::optional<u64> pa(u64 address, MemTxAttrs attrs, Access access = Access::Read) {
    EpochDomain::Guard guard(hub.epochs());
    Translation t = translate({*dma, address, 1, access, attrs, Intent::Access});
    if (t.result.status == MemTxResult::Status::AccessError) return std::nullopt;
    return t.final_address;
  }
};

// Writes VMSAv8-64 tables into the world's RAM. `fetch` addresses may be IPAs that differ from PAs by
// `offset`.
class SmmuTables {
 public:
  SmmuTables(SmmuWorld& w, unsigned granule, unsigned input_bits, int start_level = -1)
      : w_(w), granule_(granule), input_bits_(input_bits) {
    unsigned stride = granule - 3;
    start_ = start_level >= 0 ? unsigned(start_level) : 3 - (input_bits - 1 - granule) / stride;
    root_ = w.take(std::max<u64>(u64{8} << (input_bits - shift(start_)), u64{1} << granule));
  }
  unsigned shift(unsigned level) const { return granule_ + (3 - level) * (granule_ - 3); }
  u64 root() const { return root_; }
  unsigned start() const { return start_; }
  // The descriptor of `address` at `level`; tables above are made as needed.
  u64& entry(u64 address, unsigned level, u64 table_bits = 0) {
    address &= ones(input_bits_);
    u64 table = root_;
    for (unsigned l = start_;; l++) {
      unsigned top = l == start_ ? input_bits_ : shift(l) + granule_ - 3;
      u64& d = w_.at(table + extract(address, shift(l), top - shift(l)) * 8);
      if (l == level) return d;
      if ((d & 3) != 3) d = w_.take(u64{1} << granule_) | 3 | table_bits;
      table = d & ones(48) & ~ones(granule_);
    }
  }
  void map(u64 address, u64 output, u64 bits, unsigned level = 3) {
    // Masters may walk on other threads.
    std::atomic_ref(entry(address, level)).store(output | bits | (level == 3 ? 3 : 1));
  }

 private:
  SmmuWorld& w_;
  const unsigned granule_, input_bits_;
  unsigned start_;
  u64 root_;
};

// Leaf attributes. Stage 1: AF, nG, AP[1] (EL0), AP[2] (read-only), PXN, UXN. Stage 2: AF, S2AP, Normal
// memory.
inline constexpr u64 kAf = u64{1} << 10, kNg = u64{1} << 11, kEl0 = u64{1} << 6, kRo = u64{1} << 7,
                     kPxn = u64{1} << 53, kUxn = u64{1} << 54;
inline constexpr u64 kPage1Rw = kAf | kNg | kEl0;
inline constexpr u64 kPage2Rw = kAf | u64{3} << 6 | u64{0xf} << 2;

}  // namespace sluice::test
