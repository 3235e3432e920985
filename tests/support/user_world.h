// tests/support/user_world.h: a PE at EL0 with flat memory, for tests of the translator: no MMU, no
// exceptions, no system registers with effects. Code and data lie in one block of RAM at a fixed address, as
// in the memory of a process.
#pragma once
#include <atomic>
#include <memory>
#include <span>
#include <vector>

#include "cpu/a64/decoder.h"
#include "cpu/state.h"
#include "memory/guest_ram.h"
#include "tcg/guest.h"
#include "tcg/soft_tlb.h"
#include "tcg/vcpu.h"

namespace sluice::test {

// The features that both Sluice's `max` and the oracle's `-cpu max` have and that no test has to configure.
cpu::FeatureSet user_features();

class UserWorld final : public tcg::Guest {
 public:
  static constexpr u64 kBase = 0x10000000, kSize = 4 << 20;  // all of it is readable and writable

  struct Options {
    tcg::Vcpu::Accel accel = tcg::Vcpu::Accel::Interpreter;
    tcg::PassSet passes = tcg::PassSet::all();
    bool icount = false;
    size_t code_bytes = size_t{16} << 20;
    u32 loop_heat = 2;  // so that short tests have regions, too
  };
  enum class End : u8 {
    Arrived,     // the PE wants to execute at `stop_pc`, or outside RAM
    DataFault,   // an access outside RAM
    Misaligned,  // an access that must be aligned and is not
    OutOfTime,   // icount: the instructions are used up
    Stopped,     // stop() was called
  };
  struct Touched {
    u64 va;
    unsigned size;
    bool write;
  };

  explicit UserWorld(const Options& options);
  ~UserWorld() override;

  cpu::PeState& state() { return *state_; }
  tcg::Vcpu& vcpu() { return *vcpu_; }
  u8* host(u64 va) { return ram_->host() + (va - kBase); }
  void put(u64 va, std::span<const u32> words);  // new code: what was translated from there is forgotten
  template <class T>
  T peek(u64 va) {
    T t;
    std::memcpy(&t, host(va), sizeof t);
    return t;
  }

  // FPCR and all that depends on it. FPSR as the guest sees it.
  void set_fp(u32 fpcr, u32 fpsr);
  u32 fpsr();
  // From state().pc until one of `End`. In icount mode state().icount_left says how many instructions may
  // run.
  End run(u64 stop_pc);
  void stop();  // any thread
  u64 fault_address() const { return fault_address_; }

  bool fast_memory = true;              // fill the soft TLB: later accesses do not come here any more
  std::vector<Touched>* log = nullptr;  // of accesses that come here

  tcg::FetchTarget fetch(u64 pc) noexcept override;
  void translate(tcg::ir::Block& block, const tcg::FetchTarget& from, unsigned max_insns) noexcept override;
  bool translate_region(tcg::ir::Block& region, const tcg::FetchTarget& from) noexcept override;
  tcg::DataTarget access(u64 va, unsigned size, Access access, tcg::ir::MemOp op) noexcept override;
  bool alignment_fault(u64 va, Access access, tcg::ir::MemOp op) noexcept override;
  bool mmio_load(const tcg::DataTarget&, u64, unsigned, tcg::Vec&) noexcept override { return false; }
  bool mmio_store(const tcg::DataTarget&, u64, unsigned, tcg::Vec) noexcept override { return false; }
  void code_written(GuestRam& ram, u64 offset, u64 length) noexcept override;
  bool attend() noexcept override;

 private:
  bool contains(u64 va, u64 size) const { return va >= kBase && va - kBase <= kSize - size; }
  void end(End how) { end_ = how, ended_ = true, state_->leave = 1; }

  const bool icount_;
  std::shared_ptr<GuestRam> ram_;
  std::unique_ptr<cpu::PeState> state_;
  tcg::SoftTlb soft_tlb_;
  std::unique_ptr<tcg::Vcpu> vcpu_;
  u64 stop_pc_ = 0, fault_address_ = 0;
  End end_ = End::Arrived;
  bool ended_ = false;
  std::atomic<bool> stop_wanted_{false};
};

}  // namespace sluice::test
