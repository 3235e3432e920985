// tests/support/mmu_world.h: PEs reduced to their memory side: registers, MMU, soft TLB and mailbox, over RAM
// and a device.
#pragma once
#include <memory>
#include <optional>

#include "base/sysreg_port.h"
#include "cpu/translation/mmu.h"
#include "memory/address_space.h"
#include "tests/support/memory_world.h"
#include "tests/support/page_tables.h"

namespace sluice::test {

inline constexpr u64 kRamBase = 0x40000000, kRamSize = u64{64} << 20, kDeviceBase = 0x09000000;

// Where everything lives. With `behind_iommu`, the PEs see RAM and the device through a TestIommu.
struct MmuMachine {
  InvalidationHub hub;
  Topology topology{hub};
  TestDevice device;
  std::mutex device_lock;
  std::shared_ptr<GuestRam> ram = make_ram(kRamSize);
  std::shared_ptr<Container> root = std::make_shared<Container>("root", kWholeSpace);
  AddressSpace memory{topology, "memory", root};
  std::shared_ptr<TestIommu> iommu;
  std::unique_ptr<AddressSpace> through;

  explicit MmuMachine(bool behind_iommu = false) {
    {
      Topology::Transaction tx(topology);
      tx.add(*root, kRamBase, std::make_shared<RamRegion>("ram", ram));
      tx.add(*root, kDeviceBase, std::make_shared<MmioRegion>("device", u64{0x1000}, device, &device_lock));
    }
    if (!behind_iommu) return;
    iommu = std::make_shared<TestIommu>(hub);
    through = std::make_unique<AddressSpace>(topology, "through", iommu);
  }
  AddressSpace& seen() { return through ? *through : memory; }
  u8* at(u64 pa) { return ram->host() + (pa - kRamBase); }
};

struct MmuPe {
  MmuMachine& machine;
  cpu::CpuModel model;
  cpu::PeState state;
  tcg::SoftTlb soft_tlb;
  Participant participant;
  cpu::Mmu mmu;
  cpu::Fault fault;

  // `secure`: the PE has EL3, and its Secure accesses go there.
  explicit MmuPe(MmuMachine& m, unsigned number = 0, std::string_view model_name = "max", bool direct = false,
                 AddressSpace* secure = nullptr)
      : machine(m),
        model(with_el3(*cpu::find_cpu_model(model_name), secure)),
        participant(m.hub, Participant::Kind::Pe, "pe" + std::to_string(number),
                    [this](const Invalidation& i) { mmu.apply(i); }),
        mmu({state, model, soft_tlb, participant, m.seen(), u16(number), direct, secure}) {
    mmu.update_context();
  }
  static cpu::CpuModel with_el3(cpu::CpuModel model, bool yes) {
    if (yes) model.features = model.features.with({cpu::Feature::EL3});
    return model;
  }

  // --- Registers ---
  void set(cpu::Slot slot, u64 value) {
    state.sysregs[slot] = value;
    mmu.update_context();
  }
  // Everything that a test usually wants: 48-bit ranges of 4 KiB granules, 16-bit ASIDs, attribute 0 Normal
  // WB, 1 Device-nGnRnE, 2 Normal NC.
  static constexpr u64 kTcr = 16 | u64{16} << 16 | u64{2} << 30 | u64{5} << 32 | u64{1} << 36;
  void enable(u64 ttbr0, u64 ttbr1, u64 tcr = kTcr, u64 sctlr = 1) {
    state.sysregs[cpu::Slot::MAIR_EL1] = 0x4400ff;
    state.sysregs[cpu::Slot::TTBR0_EL1] = ttbr0;
    state.sysregs[cpu::Slot::TTBR1_EL1] = ttbr1;
    state.sysregs[cpu::Slot::TCR_EL1] = tcr;
    set(cpu::Slot::SCTLR_EL1, sctlr);
  }
  void el(unsigned n) {
    state.el = u8(n);
    mmu.update_context();
  }
  void asid(u16 asid) {
    set(cpu::Slot::TTBR0_EL1, deposit(state.sysregs[cpu::Slot::TTBR0_EL1], 48, 16, asid));
  }

  // --- Accesses: as the slow path of translated code makes them ---
  tcg::DataTarget access(u64 va, Access a = Access::Read, unsigned size = 8, bool unprivileged = false,
                         bool may_cache = true) {
    EpochDomain::Guard guard(machine.hub.epochs());
    tcg::ir::MemOp op{.log2_size = u8(std::bit_width(size) - 1), .unprivileged = unprivileged};
    return mmu.access(va, size, a, op, may_cache, fault);
  }
  bool ok(u64 va, Access a = Access::Read, unsigned size = 8, bool unprivileged = false) {
    return access(va, a, size, unprivileged).kind != tcg::DataTarget::Kind::Fault;
  }
  tcg::FetchTarget fetch(u64 va) {
    EpochDomain::Guard guard(machine.hub.epochs());
    return mmu.fetch(va, fault);
  }
  std::optional<u64> load(u64 va, unsigned size = 8) {
    tcg::DataTarget t = access(va, Access::Read, size);
    if (t.kind == tcg::DataTarget::Kind::Fault) return std::nullopt;
    u64 value = 0;
    if (t.kind == tcg::DataTarget::Kind::Host) {
      std::memcpy(&value, t.host, size);
      return value;
    }
    tcg::Vec v;
    if (!mmu.mmio_load(t, va, size, v, fault)) return std::nullopt;
    return v.lo;
  }
  // The host address that translated code would find by itself, or null.
  u8* fast(u64 va, Access a = Access::Read, bool unprivileged = false) const {
    const tcg::SoftTlbSet* bank = unprivileged ? state.unprivileged_bank : state.bank;
    for (const tcg::SoftTlbSlot& s : tcg::SoftTlb::set_of(bank, va).way)
      if ((a == Access::Write ? s.write_tag : s.read_tag) == (va & ~tcg::kSoftPageMask))
        return reinterpret_cast<u8*>(va + s.addend);
    return nullptr;
  }
  // The same through the front slot of base register n, which is filled by fill_front.
  void fill_front(u64 va, unsigned n) { tcg::SoftTlb::copy_to_front(state.bank, va, n); }
  u8* front(u64 va, unsigned n, Access a = Access::Read) const {
    const tcg::FrontSlot& f = tcg::SoftTlb::front_slot(state.bank, n);
    u64 limit = a == Access::Write ? f.write_limit : f.read_limit;
    return va - f.page < limit ? reinterpret_cast<u8*>(va + f.addend) : nullptr;
  }
  cpu::Fault::Kind why(u64 va, Access a = Access::Read) {
    fault = {};
    if (a == Access::Execute) {
      if (fetch(va).kind != tcg::FetchTarget::Kind::Fault) fault.kind = cpu::Fault::Kind::None;
    } else if (ok(va, a)) {
      fault.kind = cpu::Fault::Kind::None;
    }
    return fault.kind;
  }
  // TLBI by its encoding below op0 = 1, CRn = 8.
  void tlbi(unsigned crm, unsigned op2, u64 xt = 0) { mmu.tlbi(SysregId{1, 0, 8, crm, op2}, xt); }
};
// CRm and op2 of TLBI.
inline constexpr unsigned kTlbiOs = 1, kTlbiRangeIs = 2, kTlbiIs = 3, kTlbiRangeOs = 5, kTlbiRange = 6,
                          kTlbiLocal = 7;
inline constexpr unsigned kTlbiVmall = 0, kTlbiVa = 1, kTlbiAsid = 2, kTlbiVaa = 3, kTlbiVal = 5,
                          kTlbiVaal = 7;
constexpr u64 tlbi_operand(u64 va, u16 asid = 0, unsigned ttl = 0) {
  return extract(va, 12, 44) | u64{ttl} << 44 | u64{asid} << 48;
}

// One PE with empty tables for both ranges, running.
struct MmuWorld : MmuMachine {
  MmuPe pe;
  Participant::Running running{pe.participant};
  PageTables low, high;
  explicit MmuWorld(bool behind_iommu = false, std::string_view model = "max")
      : MmuMachine(behind_iommu),
        pe(*this, 0, model),
        low(*ram, kRamBase, 0),
        high(*ram, kRamBase, u64{4} << 20) {
    if (iommu) iommu_identity();
    pe.enable(low.root(), high.root());
  }
  void iommu_identity() {
    iommu->map(iommu->index_for(kNs), {{0, kRamBase + kRamSize - 1}, 0, Access::All, &memory});
  }
};
inline constexpr u64 kHigh = 0xffff000000000000;

}  // namespace sluice::test
