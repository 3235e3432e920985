// tests/support/secure_world.h: a PE with EL3 whose Secure and Non-secure physical address spaces hold
// different RAM at the same addresses, so that every access shows which one it went to.
#pragma once
#include "tests/support/mmu_world.h"

namespace sluice::test {

struct SecureMachine : MmuMachine {
  std::shared_ptr<GuestRam> secure_ram = make_ram(kRamSize);
  std::shared_ptr<Container> secure_root = std::make_shared<Container>("secure root", kWholeSpace);
  AddressSpace secure{topology, "secure memory", secure_root};
  SecureMachine() {
    Topology::Transaction tx(topology);
    tx.add(*secure_root, kRamBase, std::make_shared<RamRegion>("secure ram", secure_ram));
    tx.add(*secure_root, kDeviceBase,
           std::make_shared<MmioRegion>("device", u64{0x1000}, device, &device_lock));
  }
  u8* secure_at(u64 pa) { return secure_ram->host() + (pa - kRamBase); }
};

struct SecurePe : MmuPe {
  explicit SecurePe(SecureMachine& m, unsigned number = 0) : MmuPe(m, number, "max", false, &m.secure) {
    state.sysregs[cpu::Slot::SCR_EL3] = cpu::scr::kNs;
    mmu.update_context();
  }
  // An ERET of EL3, or an exception to it: registers below EL3 belong to both worlds.
  void go(unsigned el, bool ns) {
    u64& scr = state.sysregs[cpu::Slot::SCR_EL3];
    scr = ns ? scr | cpu::scr::kNs : scr & ~cpu::scr::kNs;
    state.el = u8(el);
    state.secure = el == 3 || !ns;
    mmu.update_context();
  }
  static constexpr u64 kTcrEl3 = 16 | 5 << 16;  // 48 bits, 4 KiB granules
  void enable_el3(u64 ttbr, u64 tcr = kTcrEl3) {
    state.sysregs[cpu::Slot::MAIR_EL3] = 0x4400ff;
    state.sysregs[cpu::Slot::TTBR0_EL3] = ttbr;
    state.sysregs[cpu::Slot::TCR_EL3] = tcr;
    set(cpu::Slot::SCTLR_EL3, 1);
  }
  void tlbi_above(unsigned op1, unsigned crm, unsigned op2, u64 xt = 0) {
    mmu.tlbi(SysregId{1, op1, 8, crm, op2}, xt);
  }
};

// The same tables at the same addresses in either RAM, but for what a test changes: EL1&0 of both worlds uses
// `low`, EL3 uses `el3`.
struct SecureWorld : SecureMachine {
  SecurePe pe{*this};
  Participant::Running running{pe.participant};
  PageTables low_ns{*ram, kRamBase, 0}, low_s{*secure_ram, kRamBase, 0};
  PageTables el3{*secure_ram, kRamBase, u64{8} << 20};
  SecureWorld() {
    pe.enable(low_ns.root(), low_ns.root());
    pe.enable_el3(el3.root());
  }
  void fill(u64 pa, u64 non_secure, u64 secure_value) {
    std::memcpy(at(pa), &non_secure, 8);
    std::memcpy(secure_at(pa), &secure_value, 8);
  }
};

}  // namespace sluice::test
