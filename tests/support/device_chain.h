// tests/support/device_chain.h: PEs and DMA masters behind any number of real gates in a row: SMMUv3s with
// tables in RAM, virtio-iommus and TrustZone MPCs. Each is changed as software changes it, up to the
// architected point at which the change is complete.
#pragma once
#include <unordered_map>

#include "devices/iommu/smmuv3/smmuv3.h"
#include "devices/iommu/tz_mpc.h"
#include "devices/iommu/virtio_iommu/region.h"
#include "tests/support/mmu_world.h"

namespace sluice::test {

// What passes the gates: addresses [kWindow, kWindow + kWindowSize), and untranslated the PE's own tables and
// code, [kRamBase, kRamBase + kFixedSize). The SMMUs' tables lie elsewhere, 1 MiB each.
inline constexpr u64 kFixedSize = u64{2} << 20, kWindow = kRamBase + (u64{4} << 20), kWindowSize = 512 << 10,
                     kGateTables = kRamBase + (u64{16} << 20);
inline constexpr u32 kMasterId = 0x18;  // of kDevice; PEs have their number

enum class GateType : u8 { Smmu, Virtio, Mpc };

// One gate, and what it was told: the expected answers come from there, not from the device. Addresses are
// those of the memory map.
class TestGate {
 public:
  TestGate(GateType type, u64 granule) : type_(type), granule_(granule) {}
  virtual ~TestGate() = default;
  virtual IommuRegion& region() = 0;
  virtual u64 base() const { return 0; }  // address of offset 0 of the region
  u64 granule() const { return granule_; }
  bool translates() const { return type_ != GateType::Mpc; }
  // One block for every master and PE, closed before. An MPC's go where they are, with all rights or none.
  void open(u64 from, u64 to, Access rights) {
    if (!translates()) to = from, rights = rights == Access::None ? rights : Access::All;
    open_[from] = {to, rights};
    do_open(from, to, rights);
  }
  // Returns at the architected point: CMD_SYNC consumed, the request used, the store retired.
  void close(u64 from) {
    open_.erase(from);
    do_close(from);
  }
  // Where an access of EL1 or of a master arrives, or nothing. In an SMMU's tables everything is for EL0 too,
  // and what EL0 may write is never executable by EL1.
  std::optional<u64> expected(u64 address, Access access) const {
    auto block = open_.find(address & ~(granule_ - 1));
    if (block == open_.end() || !allows(block->second.rights, access)) return {};
    bool writable = allows(block->second.rights, Access::Write);
    if (type_ == GateType::Smmu && access == Access::Execute && writable) return {};
    return block->second.to + (address & (granule_ - 1));
  }

 protected:
  virtual void do_open(u64 from, u64 to, Access rights) = 0;
  virtual void do_close(u64 from) = 0;

 private:
  struct Block {
    u64 to;
    Access rights;
  };
  const GateType type_;
  const u64 granule_;
  std::unordered_map<u64, Block> open_;
};

// Never moves. Old memory maps keep an SMMU until the hub goes, so its clock lives longer than the machine.
inline Clock& still_clock() {
  static Clock clock{Clock::Mode::Icount};
  return clock;
}

// ---- SMMUv3: one table for all streams, stage 1, ASID 1 ----
class SmmuGate final : public TestGate {
 public:
  SmmuGate(MmuMachine& m, AddressSpace& behind, unsigned number, unsigned granule_bits)
      : TestGate(GateType::Smmu, u64{1} << granule_bits),
        m_(m),
        first_(kGateTables + (u64{number} << 20)),
        frame_(0x0a000000 + u64{number} * Smmuv3::kFrameSize),
        tables_(*m.ram, kRamBase, first_ - kRamBase + 0x10000, granule_bits),
        smmu_(std::make_shared<Smmuv3>(m.hub, behind, DmaPort(m.memory, MemTxAttrs::device(99, 0xffff)),
                                       still_clock(), Smmuv3Config{}, Smmuv3Wires{})) {
    Topology::Transaction(m.topology)
        .add(*m.root, frame_, std::make_shared<MmioRegion>("smmu", Smmuv3::kFrameSize, *smmu_, nullptr));
    const u64 tg = granule_bits == 12 ? 0 : granule_bits == 16 ? 1 : 2;
    const u64 strtab = first_, cd = first_ + 0x8000, cmdq = first_ + 0x9000, eventq = first_ + 0xa000;
    tables_.at(cd) = 16 | tg << 6 | 1 << 30 | u64{1} << 31 | u64{4} << 32 | u64{7} << 45 | u64{1} << 41 |
                     u64{1} << 48;  // T0SZ, TG0, EPD1, V, IPS, R, A, AA64, ASID
    tables_.at(cd + 8) = tables_.root();
    for (u64 sid = 0; sid < 64; sid++) tables_.at(strtab + sid * 64) = 1 | 5 << 1 | cd;  // S1 translates
    write(0x80, strtab, 8), write(0x88, 6, 4), write(0x90, cmdq | 6, 8), write(0xa0, eventq | 6, 8);
    write(0x20, 0xd, 4);
    for (u64 at = 0; at < kFixedSize; at += granule())
      do_open(kRamBase + at, kRamBase + at, Access::Read | Access::Execute);
  }
  IommuRegion& region() override { return *smmu_; }
  std::shared_ptr<Smmuv3> shared() const { return smmu_; }
  Smmuv3& smmu() { return *smmu_; }
  void do_open(u64 from, u64 to, Access rights) override {
    u64 bits = pte::kNormal | pte::kNotGlobal | pte::kEl0 | pte::kPage;
    if (!allows(rights, Access::Write)) bits |= pte::kReadOnly;
    if (!allows(rights, Access::Execute)) bits |= pte::kPxn | pte::kUxn;
    leaf(from).store(to | bits);
  }
  // For EL1 alone: masters are not privileged.
  void open_privileged(u64 from, u64 to) { leaf(from).store(to | pte::kNormal | pte::kPage); }
  void do_close(u64 from) override {
    leaf(from).store(0);
    command(0x12 | u64{1} << 48, from);  // CMD_TLBI_NH_VA, ASID 1
    command(0x46, 0);                    // CMD_SYNC
    u64 cons = 0;
    while ((cons & 0x7f) != prod_) EXPECT_TRUE(m_.memory.load({frame_ + 0x9c}, 4, cons, kNs).is_ok());
  }
  // The oldest event that nobody has taken.
  std::optional<std::array<u64, 4>> event() {
    u64 prod = 0;
    EXPECT_TRUE(m_.memory.load({frame_ + 0x100a8}, 4, prod, kNs).is_ok());
    if (((prod ^ event_seen_) & 0x7f) == 0) return {};
    std::array<u64, 4> e;
    std::memcpy(e.data(), m_.at(first_ + 0xa000 + (event_seen_ & 0x3f) * 32), 32);
    event_seen_++;
    write(0x100ac, event_seen_ & 0x7f, 4);
    return e;
  }

 private:
  std::atomic_ref<u64> leaf(u64 at) { return std::atomic_ref(tables_.entry(at, 3)); }
  void write(u64 reg, u64 value, unsigned size) {
    EXPECT_TRUE(m_.memory.store({frame_ + reg}, size, value, kNs).is_ok());
  }
  void command(u64 w0, u64 w1) {
    u64* slot = &tables_.at(first_ + 0x9000 + (prod_ & 0x3f) * 16);
    slot[0] = w0, slot[1] = w1;
    prod_ = (prod_ + 1) & 0x7f;
    write(0x98, prod_, 4);
  }

  MmuMachine& m_;
  const u64 first_, frame_;
  PageTables tables_;
  const std::shared_ptr<Smmuv3> smmu_;
  u32 prod_ = 0;
  u64 event_seen_ = 0;
};

// ---- virtio-iommu: all endpoints in one domain ----
class VirtioGate final : public TestGate {
 public:
  VirtioGate(MmuMachine& m, AddressSpace& behind, u64 granule)
      : TestGate(GateType::Virtio, granule),
        m_(m),
        region_(std::make_shared<VirtioIommuRegion>(
            m.hub, behind, VirtioIommuConfig{.page_size_mask = ~(granule - 1), .bypass_at_boot = false})) {
    for (u32 id : {0u, 1u, kMasterId}) {
      EXPECT_EQ(region_->add_endpoint(id), "");
      EXPECT_EQ(region_->attach(1, id, false).status, Status::Ok);
    }
    add({kRamBase, kRamBase + kFixedSize - 1}, kRamBase, Access::All);
  }
  using Status = VirtioIommuRegion::Status;
  IommuRegion& region() override { return *region_; }
  std::shared_ptr<VirtioIommuRegion> shared() const { return region_; }
  void do_open(u64 from, u64 to, Access rights) override { add({from, from + granule() - 1}, to, rights); }
  void do_close(u64 from) override {
    auto done = region_->unmap(1, {from, from + granule() - 1});
    EXPECT_EQ(done.status, Status::Ok);
    if (done.ticket) m_.hub.wait(*done.ticket);
  }

 private:
  void add(InclusiveRange input, u64 to, Access rights) {
    EXPECT_EQ(region_->map({1, input, to, rights, false}).status, Status::Ok);
  }
  MmuMachine& m_;
  const std::shared_ptr<VirtioIommuRegion> region_;
};

// ---- MPC in front of the addresses of RAM ----
class MpcGate final : public TestGate {
 public:
  MpcGate(MmuMachine& m, std::shared_ptr<Region> behind, unsigned number, u64 block)
      : TestGate(GateType::Mpc, block),
        m_(m),
        frame_(0x0c000000 + u64{number} * TzMpc::kFrameSize),
        ram_part_(m.topology, "mpc-out", std::make_shared<AliasRegion>("ram", behind, kRamBase, kRamSize)),
        mpc_(std::make_shared<TzMpc>("mpc", m.hub, ram_part_,
                                     TzMpc::Config{.size = kRamSize, .block_size = block},
                                     IrqLine([](bool) {}))),
        in_front_(std::make_shared<Container>("mpc-in", kWholeSpace)) {
    Topology::Transaction tx(m.topology);
    tx.add(*in_front_, 0, std::make_shared<AliasRegion>("beside", behind, 0, kWholeSpace));
    tx.add(*in_front_, kRamBase, mpc_, 1);
    tx.add(*m.root, frame_, std::make_shared<MmioRegion>("mpc", TzMpc::kFrameSize, *mpc_, nullptr));
    tx.commit();
    write(0x00, 1 << 4);  // blocked accesses are bus errors; no auto-increment
    for (u64 at = 0; at < kFixedSize; at += block) set(kRamBase + at, true);
  }
  IommuRegion& region() override { return *mpc_; }
  std::shared_ptr<Region> in_front() const { return in_front_; }
  TzMpc& mpc() { return *mpc_; }
  u64 base() const override { return kRamBase; }
  void do_open(u64 from, u64, Access rights) override { set(from, rights != Access::None); }
  void do_close(u64 from) override { set(from, false); }
  void set_raz_wi() { write(0x00, 0); }
  u32 read(u64 reg) {
    u64 value = 0;
    EXPECT_TRUE(m_.memory.load({frame_ + reg}, 4, value, kSecure).is_ok());
    return u32(value);
  }

 private:
  void write(u64 reg, u32 value) { EXPECT_TRUE(m_.memory.store({frame_ + reg}, 4, value, kSecure).is_ok()); }
  void set(u64 at, bool non_secure) {
    const u64 n = (at - kRamBase) / granule();
    write(0x18, u32(n / 32));
    write(0x1c, u32(deposit(read(0x1c), unsigned(n % 32), 1, non_secure)));
  }
  MmuMachine& m_;
  const u64 frame_;
  AddressSpace ram_part_;
  const std::shared_ptr<TzMpc> mpc_;
  const std::shared_ptr<Container> in_front_;
};

// A machine whose PEs and master see memory through gates; gates[0] is asked first.
struct GateChoice {
  GateType type;
  u64 granule;
};
struct ChainMachine : MmuMachine {
  std::vector<std::unique_ptr<AddressSpace>> between;  // what each gate looks into
  std::vector<std::unique_ptr<TestGate>> gates;

  explicit ChainMachine(const std::vector<GateChoice>& choices) {
    std::shared_ptr<Region> behind = root;
    std::vector<std::unique_ptr<TestGate>> reversed;
    for (size_t i = choices.size(); i-- > 0;) {
      between.push_back(std::make_unique<AddressSpace>(topology, "behind gate " + std::to_string(i), behind));
      const GateChoice c = choices[i];
      if (c.type == GateType::Smmu) {
        unsigned bits = unsigned(std::countr_zero(c.granule));
        auto gate = std::make_unique<SmmuGate>(*this, *between.back(), unsigned(i), bits);
        behind = gate->shared();
        reversed.push_back(std::move(gate));
      } else if (c.type == GateType::Virtio) {
        auto gate = std::make_unique<VirtioGate>(*this, *between.back(), c.granule);
        behind = gate->shared();
        reversed.push_back(std::move(gate));
      } else {
        auto gate = std::make_unique<MpcGate>(*this, behind, unsigned(i), c.granule);
        behind = gate->in_front();
        reversed.push_back(std::move(gate));
      }
    }
    while (!reversed.empty()) gates.push_back(std::move(reversed.back())), reversed.pop_back();
    through = std::make_unique<AddressSpace>(topology, "through", behind);
  }
  // Every gate maps the whole window one to one.
  void open_all(Access rights = Access::All) {
    for (auto& gate : gates)
      for (u64 at = kWindow; at < kWindow + kWindowSize; at += gate->granule()) gate->open(at, at, rights);
  }
  template <class Gate>
  Gate& gate(unsigned i) {
    return dynamic_cast<Gate&>(*gates[i]);
  }
  // What a PE at EL1 or a master gets, by what the gates were told, and by what they answer one after
  // another.
  std::optional<u64> expected(u64 address, Access access) {
    std::optional<u64> at = address;
    for (auto& gate : gates)
      if (at) at = gate->expected(*at, access);
    return at;
  }
  std::optional<u64> composed(u64 address, Access access, MemTxAttrs attrs) {
    EpochDomain::Guard guard(hub.epochs());
    for (auto& gate : gates) {
      const u64 input = address - gate->base();
      IommuRegion& r = gate->region();
      IommuEntry e = r.translate(Iova{input}, access, r.index_for(attrs), attrs, Intent::Debug);
      EXPECT_TRUE(e.input.contains(input));
      if (!allows(e.rights, access) || !e.target) return {};
      address = e.output.value + (input - e.input.first) + gate->base();
    }
    return address;
  }
};

}  // namespace sluice::test
