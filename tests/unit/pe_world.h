// tests/unit/pe_world.h: one PE with some RAM, its code run by the interpreter, in a virtual time that the
// test moves.
#pragma once
#include <cstring>
#include <initializer_list>
#include <memory>
#include <vector>

#include "cpu/pe.h"
#include "cpu/sysreg/table.h"
#include "memory/address_space.h"
#include "memory/region.h"
#include "memory/topology.h"
#include "tcg/vcpu.h"

namespace sluice::cpu {

struct PeWorld : SemihostingHandler {
  static constexpr u64 kRam = 0x40000000, kRamSize = 1 << 20, kCode = kRam + 0x10000,
                       kVectors = kRam + 0x20000, kEl3Vectors = kRam + 0x30000, kSecureRam = 0x0e000000;
  static constexpr u32 kHlt = 0xd45e0000;  // HLT #0xf000: ends run()

  // `more`: Feature::EL3. The PE then starts at EL3, and has memory that only Secure accesses see.
  explicit PeWorld(const char* cpu = "max", PeWiring wiring = {}, FeatureSet more = {}) {
    Topology::Transaction t(topology);
    t.add(*root, kRam, std::make_shared<RamRegion>("ram", ram));
    t.add(*secure_root, 0, root, -1);
    t.add(*secure_root, kSecureRam, std::make_shared<RamRegion>("secure ram", secure_ram));
    t.commit();
    wiring.model = *parse_cpu_option(cpu);
    wiring.model.features = wiring.model.features.with(more);
    wiring.secure_memory = &secure_space;
    wiring.secure_timer = IrqLine{[this](bool level) { secure_timer_level = level; }};
    wiring.clock = &clock;
    wiring.hub = &hub;
    wiring.memory = &space;
    wiring.semihosting = this;
    wiring.virtual_timer = IrqLine{[this](bool level) { virtual_timer_level = level; }};
    wiring.physical_timer = IrqLine{[this](bool level) { physical_timer_level = level; }};
    wiring.pmu_overflow = IrqLine{[this](bool level) { pmu_level = level; }};
    pe = std::make_unique<Pe>(wiring);
    vcpu = std::make_unique<tcg::Vcpu>(*pe, pe->state(),
                                       tcg::Vcpu::Options{.accel = tcg::Vcpu::Accel::Interpreter});
    pe->attach_vcpu(vcpu.get());
    pe->reset({.powered = true, .pc = kCode, .el = u8(more.has(Feature::EL3) ? 3 : 1)});
    set("VBAR_EL1", kVectors);
    set("VBAR_EL3", kEl3Vectors);
    for (u64 v = 0; v < 0x800; v += 4) put(kVectors + v, kHlt), put(kEl3Vectors + v, kHlt);
  }
  ~PeWorld() { pe->attach_vcpu(nullptr); }

  PeState& s() { return pe->state(); }
  void put(u64 address, u32 word) { std::memcpy(ram->host() + (address - kRam), &word, 4); }
  // Puts words at kCode, HLT behind them, and runs until any HLT #0xf000 at EL0 or EL1.
  void run(std::initializer_list<u32> words) {
    u64 at = kCode;
    for (u32 w : words) put(at, w), at += 4;
    put(at, kHlt);
    resume(kCode);
  }
  void resume(u64 pc) {
    s().pc = pc;
    pe->power = Pe::Power::On;
    pe->update_context();
    vcpu->flush_all_code();
    Participant::Running running(pe->participant());
    pe->request_attention();
    vcpu->run();
  }
  bool el0_may_call = true;
  bool allows_el0() const override { return el0_may_call; }
  u64 call(u32, u64, GuestMemory&) override {  // HLT #0xf000
    stopped_at = s().pc - 4;
    pe->power = Pe::Power::Off;
    pe->request_attention();
    return s().x[0];
  }
  bool at_vector(u64 offset) const { return stopped_at == kVectors + offset; }
  bool at_el3_vector(u64 offset) const { return stopped_at == kEl3Vectors + offset; }

  u64 get(const char* name) { return sysreg::peek(*pe, *sysreg::find(name)); }
  void set(const char* name, u64 value) { sysreg::poke(*pe, *sysreg::find(name), value); }
  unsigned ec() { return unsigned(get("ESR_EL1") >> 26); }
  u64 iss() { return get("ESR_EL1") & 0x1ffffff; }
  void advance(u64 ns) { clock.advance_to(clock.now_ns() + ns), clock.run_expired(); }
  // To EL0 with all exceptions unmasked.
  void drop_to_el0() { exception_return(s(), kCode, 0); }

  InvalidationHub hub;
  Clock clock{Clock::Mode::Icount};
  Topology topology{hub};
  std::shared_ptr<Container> root = std::make_shared<Container>("root", kWholeSpace);
  std::shared_ptr<GuestRam> ram = *GuestRam::create("ram", kRamSize);
  AddressSpace space{topology, "memory", root};
  std::shared_ptr<Container> secure_root = std::make_shared<Container>("secure root", kWholeSpace);
  std::shared_ptr<GuestRam> secure_ram = *GuestRam::create("secure ram", 1 << 16);
  AddressSpace secure_space{topology, "secure memory", secure_root};
  bool secure_timer_level = false;
  bool virtual_timer_level = false, physical_timer_level = false, pmu_level = false;
  u64 stopped_at = 0;
  std::unique_ptr<Pe> pe;
  std::unique_ptr<tcg::Vcpu> vcpu;
};

// A64 words.
constexpr u32 mrs(SysregId id, unsigned rt) { return 0xd5200000 | u32(id.value & 0xffff) << 5 | rt; }
constexpr u32 msr(SysregId id, unsigned rt) { return 0xd5000000 | u32(id.value & 0xffff) << 5 | rt; }

}  // namespace sluice::cpu
