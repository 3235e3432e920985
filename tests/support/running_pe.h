// tests/support/running_pe.h: a PE that runs translated guest code behind a ChainMachine's gates, on a thread
// of its own. Its MMU is on: its tables, vectors and code are in the fixed part of RAM, flat.
#pragma once
#include <initializer_list>
#include <thread>

#include "cpu/pe.h"
#include "cpu/sysreg/table.h"
#include "tcg/vcpu.h"
#include "tests/support/device_chain.h"

namespace sluice::test {

class RunningPe {
 public:
  static constexpr u64 kVectors = kRamBase + (u64{1} << 20), kCode = kVectors + 0x10000;

  explicit RunningPe(ChainMachine& m, unsigned number = 0, bool icount = false)
      : RunningPe(m, number, {.icount = icount}) {}
  RunningPe(ChainMachine& m, unsigned number, tcg::Vcpu::Options options)
      : m_(m),
        pe_(std::make_unique<cpu::Pe>(wiring(m, number))),
        vcpu_(*pe_, pe_->state(), small(options)),
        tables_(*m.ram, kRamBase, u64{number} << 18) {
    pe_->attach_vcpu(&vcpu_);
    pe_->reset({.powered = true, .pc = kCode, .el = 1});
    tables_.map_range(kRamBase, kRamBase, kFixedSize, pte::kNormal | pte::kReadOnly, 2);
    tables_.map_range(kWindow, kWindow, kWindowSize, pte::kNormal);
    set("VBAR_EL1", kVectors), set("MAIR_EL1", 0xff);
    set("TTBR0_EL1", tables_.root()), set("TTBR1_EL1", tables_.root());
    set("TCR_EL1", MmuPe::kTcr), set("SCTLR_EL1", 1);
    pe_->update_context();
  }
  ~RunningPe() {
    stop();
    pe_->attach_vcpu(nullptr);
  }
  void set(const char* name, u64 value) { cpu::sysreg::poke(*pe_, *cpu::sysreg::find(name), value); }
  u64 get(const char* name) { return cpu::sysreg::peek(*pe_, *cpu::sysreg::find(name)); }
  u64& x(unsigned n) { return pe_->state().x[n]; }
  cpu::PeState& state() { return pe_->state(); }
  cpu::Pe& pe() { return *pe_; }
  tcg::Vcpu& vcpu() { return vcpu_; }
  PageTables& tables() { return tables_; }
  void start(u64 pc) {
    state().pc = pc;
    thread_ = std::thread([this] {
      EpochDomain::Thread reader(m_.hub.epochs());
      pe_->attach(nullptr, &reader);
      run();
      pe_->attach(nullptr, nullptr);
    });
  }
  void stop() {
    if (!thread_.joinable()) return;
    pe_->power = cpu::Pe::Power::Off;
    pe_->request_attention();
    thread_.join();
  }
  // icount: on the calling thread, `budget` instructions from `pc` on.
  void step(u64 pc, i64 budget) {
    state().pc = pc;
    pe_->begin_slice(0, budget, 0);
    run();
  }
  static void put(ChainMachine& m, u64 address, std::initializer_list<u32> words) {
    for (u32 word : words) std::memcpy(m.at(address), &word, 4), address += 4;
  }
  // What a PE does with a synchronous exception of its own EL.
  static void put_handler(ChainMachine& m, std::initializer_list<u32> words) {
    put(m, kVectors + 0x200, words);
  }

 private:
  static cpu::PeWiring wiring(ChainMachine& m, unsigned number) {
    cpu::PeWiring w;
    w.model = *cpu::find_cpu_model("max");
    w.index = number;
    w.clock = &still_clock(), w.hub = &m.hub, w.memory = &m.seen();
    return w;
  }
  static tcg::Vcpu::Options small(tcg::Vcpu::Options options) {
    options.code_bytes = size_t{4} << 20;
    return options;
  }
  void run() {
    pe_->power = cpu::Pe::Power::On;
    Participant::Running running(pe_->participant());
    pe_->request_attention();
    vcpu_.run();
  }
  ChainMachine& m_;
  std::unique_ptr<cpu::Pe> pe_;
  tcg::Vcpu vcpu_;
  PageTables tables_;
  std::thread thread_;
};

}  // namespace sluice::test
