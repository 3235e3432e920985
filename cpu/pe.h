// cpu/pe.h: one processing element (PE): its state, and what the translator asks of it (tcg::Guest).
// Wiring: the GIC drives irq() and fiq(); the timers and the PMU drive the lines given in PeWiring; a GICv3
// CPU interface answers ICC_* registers through a SysregPort.
#pragma once
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "base/clock.h"
#include "base/epoch.h"
#include "base/semihosting.h"
#include "base/sysreg_port.h"
#include "base/wire.h"
#include "cpu/context_memo.h"
#include "cpu/exception.h"
#include "cpu/mode.h"
#include "cpu/models.h"
#include "cpu/pmu.h"
#include "cpu/psci.h"
#include "cpu/state.h"
#include "cpu/timer.h"
#include "cpu/translation/context.h"
#include "cpu/translation/mmu.h"
#include "memory/invalidation.h"
#include "tcg/guest.h"
#include "tcg/soft_tlb.h"

namespace sluice {
class AddressSpace;
}
namespace sluice::tcg {
class Vcpu;
}
namespace sluice::cpu::a64 {
class Decoder;
}

namespace sluice::cpu {

class PeGroup;

struct PeWiring {
  CpuModel model;
  unsigned index = 0;           // number of the PE: MemTxAttrs, and MPIDR unless `affinity` says otherwise
  std::optional<u64> affinity;  // Aff3..Aff0 as in MPIDR_EL1
  bool uniprocessor = false;    // MPIDR_EL1.U
  Clock* clock = nullptr;
  InvalidationHub* hub = nullptr;
  AddressSpace* memory = nullptr;
  AddressSpace* secure_memory = nullptr;      // what Secure accesses see; none: the same
  SysregPort* gic = nullptr;                  // ICC_*: a GICv3 CPU interface, or none
  SemihostingHandler* semihosting = nullptr;  // HLT #0xF000, or none
  PsciConduit psci = PsciConduit::None;
  bool direct_tlb = false;
  std::shared_ptr<const a64::Decoder> decoder;  // of the model, shared by the PEs; none: the PE makes its own
  // Outputs, PPIs of this PE.
  IrqLine virtual_timer, physical_timer, pmu_overflow, secure_timer;
};

// Where a PE starts when it is switched on: at reset (the boot PE), or by PSCI CPU_ON.
struct BootState {
  bool powered = false;
  u64 pc = 0;
  u64 x[4] = {};  // X0..X3
  // 3: EL3, as after a reset. 1: EL1 and, where there is EL3, Non-secure, as firmware leaves it for a kernel.
  u8 el = 1;
};

class Pe final : public tcg::Guest {
 public:
  explicit Pe(const PeWiring& wiring);
  ~Pe() override;

  // --- Wiring, any thread ---
  IrqLine irq_line();  // level inputs from the interrupt controller
  IrqLine fiq_line();
  void pend_serror() { set_pending(kSErrorPending, true); }  // a physical SError, until it is taken
  void send_event();  // SEV of another PE, or the interrupt controller's wake-up
  void request_attention();

  // --- What the group, the monitor and the debugger ask; the PE must not be running (or it is the PE's own
  // thread) ---
  PeState& state() { return state_; }
  const PeState& state() const { return state_; }
  const CpuModel& model() const { return model_; }
  const IdRegisters& id() const { return id_; }
  const a64::Decoder& decoder() const { return *decoder_; }
  AddressSpace& memory() { return memory_; }
  AddressSpace& memory(PaSpace space) { return space == PaSpace::Secure ? secure_memory_ : memory_; }
  bool has_el3() const { return has_el3_; }
  u64 scr() const { return state_.sysregs[Slot::SCR_EL3]; }
  u64 reset_vector() const { return reset_vector_; }  // RVBAR_EL3
  // EL1 and EL0 are in the Secure state.
  bool secure_el1() const { return has_el3_ && !(scr() & scr::kNs); }
  SysregAccessor accessor() const {
    return {state_.el, state_.secure != 0, (scr() & scr::kFiq) != 0, secure_el1()};
  }
  unsigned index() const { return index_; }
  u64 mpidr() const { return mpidr_; }
  Mmu& mmu() { return mmu_; }
  tcg::SoftTlb& soft_tlb() { return soft_tlb_; }
  GenericTimer& virtual_timer() { return virtual_timer_; }
  GenericTimer& physical_timer() { return physical_timer_; }
  GenericTimer& secure_timer() { return secure_timer_; }
  Pmu& pmu() { return pmu_; }
  Clock& clock() { return clock_; }
  SysregPort* gic() { return gic_; }
  SemihostingHandler* semihosting() { return semihosting_; }
  Participant& participant() { return participant_; }
  PsciConduit psci_conduit() const { return psci_; }
  void set_psci_conduit(PsciConduit psci) { psci_ = psci; }  // before the machine runs
  PeGroup* group() { return group_; }
  tcg::Vcpu* vcpu() { return vcpu_; }
  void attach(PeGroup* group, EpochDomain::Thread* reader) { group_ = group, reader_ = reader; }
  void attach_vcpu(tcg::Vcpu* vcpu);

  // Cold reset; then starts as `boot` says.
  void reset(const BootState& boot);
  // After any change of EL, SCTLR, TCR, TTBR, ASID, FPCR, CPACR, MDSCR or debug registers: recomputes the
  // mode word, the banks and the jump cache. Own thread.
  void update_context() noexcept;
  // The same when nothing has changed but PSTATE and FPCR.
  void update_pstate() noexcept;
  Mode compute_mode() const;
  // Something that the context depends on has changed inside a helper: the block that has called it must end.
  void context_changed() noexcept { update_context(), state_.leave |= tcg::Leave::kToRunLoop; }
  // The same when nothing has changed but PSTATE and FPCR: code of the new context may go on at state.pc.
  void pstate_changed() noexcept {
    bool stepping = Mode{state_.mode}.get<Mode::Step>();
    update_pstate();
    end_block(stepping);
  }
  // Or but TTBRn_EL1: the block may even stay in what is the same context.
  void table_bases_changed() noexcept;
  // The EL or SCR_EL3 has changed: the Security state, where interrupts go, what is counted. update_context()
  // follows.
  void el_changed() noexcept;
  // IC IVAU: translated code of the line, here and in the other PEs (by the next
  // data_synchronization_barrier).
  void invalidate_instructions(u64 va) noexcept;
  // IC IALLU, IC IALLUIS.
  enum class Shareability : u8 { Local, Inner };
  void invalidate_all_instructions(Shareability domain) noexcept;
  // DSB: what this PE has broadcast is complete everywhere.
  void data_synchronization_barrier() noexcept;
  // DC and IC by VA: false when the address does not translate (the exception has been taken).
  bool check_cache_operation(u64 va, sluice::Access access) noexcept;
  // Instructions that the run loop may execute before it comes back (icount mode).
  InstructionCount& instructions() { return instructions_; }
  // icount mode: this PE may run `instructions` from virtual time `now` on. Time follows while it runs.
  void begin_slice(u64 now, i64 instructions, unsigned shift);
  void end_slice();
  void catch_up_virtual_time() noexcept;  // before anything looks at the clock
  void cut_slice() noexcept;              // a deadline may have moved closer

  bool interrupt_pending() const { return pending_.load(std::memory_order_acquire) != 0; }
  bool irq_level() const { return pending_.load(std::memory_order_acquire) & kIrqPending; }
  bool fiq_level() const { return pending_.load(std::memory_order_acquire) & kFiqPending; }
  bool serror_pending() const { return pending_.load(std::memory_order_acquire) & kSErrorPending; }
  // What a helper leaves for attend(), which runs with the host's floating-point state and may wait.
  enum class Deferred : u8 { Nothing, WaitForInterrupt, WaitForEvent, Semihosting };
  void defer(Deferred what) noexcept {
    deferred_ = what;
    state_.leave |= tcg::Leave::kToRunLoop;
    request_attention();
  }
  bool take_event() { return event_register_.exchange(false, std::memory_order_acq_rel); }  // WFE
  void set_event_register() { event_register_.store(true, std::memory_order_release); }
  bool waiting() const { return waiting_.load(std::memory_order_acquire); }
  // A waiting PE that has something to do now, or one that does not wait (for the icount scheduler).
  bool runnable() const;

  // Software step: the current instruction has used up PSTATE.SS.
  bool step_in_progress = false;
  bool stepped = false;  // the pending step exception follows a step (ESR_ELx.ISV)
  u64 exceptions_taken = 0;
  // MDSCR-controlled features that are looked at on every data access.
  bool watchpoints_armed = false;

  // --- tcg::Guest ---
  tcg::FetchTarget fetch(u64 pc) noexcept override;
  void translate(tcg::ir::Block& block, const tcg::FetchTarget& from, unsigned max_insns) noexcept override;
  bool translate_region(tcg::ir::Block& region, const tcg::FetchTarget& from) noexcept override;
  tcg::DataTarget access(u64 va, unsigned size, sluice::Access access, tcg::ir::MemOp op) noexcept override;
  bool alignment_fault(u64 va, Access access, tcg::ir::MemOp op) noexcept override;
  bool mmio_load(const tcg::DataTarget& target, u64 va, unsigned size, tcg::Vec& value) noexcept override;
  bool mmio_store(const tcg::DataTarget& target, u64 va, unsigned size, tcg::Vec value) noexcept override;
  void code_written(GuestRam& ram, u64 offset, u64 length) noexcept override;
  bool attend() noexcept override;

  // --- Power state (PSCI), guarded by the group's lock ---
  enum class Power : u8 { Off, OnPending, On };
  std::atomic<Power> power{Power::Off};

 private:
  friend PeGroup;
  class AccessRetires;
  static constexpr u32 kIrqPending = 1, kFiqPending = 2, kSErrorPending = 4;
  void set_pending(u32 bit, bool level);
  u32 takeable() const;
  bool deliver_interrupt() noexcept;
  bool wake_condition(bool for_event) const;
  bool wait(Deferred what) noexcept;
  void sleep(bool for_event) noexcept;
  bool interrupts_unmasked() const;
  void call_semihosting() noexcept;
  void log_guest_code(const tcg::ir::Block& block, const u8* code) const;
  u64 slice_end_ns() const { return slice_.start_ns + (u64(slice_.instructions) << slice_.shift); }
  void apply(const Invalidation& message);
  void find_context() noexcept;
  // Software step is looked at by the run loop, before and after each instruction.
  void end_block(bool stepping) noexcept {
    stepping |= Mode{state_.mode}.get<Mode::Step>() != 0;
    state_.leave |= stepping ? tcg::Leave::kToRunLoop : tcg::Leave::kToPc;
  }

  const CpuModel model_;
  const unsigned index_;
  const u64 mpidr_;
  const IdRegisters id_;
  const std::shared_ptr<const a64::Decoder> decoder_;
  Clock& clock_;
  AddressSpace& memory_;
  AddressSpace& secure_memory_;
  const bool has_el3_;
  SysregPort* const gic_;
  SemihostingHandler* const semihosting_;
  PsciConduit psci_;
  PeState state_;
  InstructionCount instructions_;
  ContextMemo contexts_;
  // What the MMU's controls have been read for.
  Regime regime_ = Regime::El10;
  bool regime_is_secure_ = false;
  tcg::SoftTlb soft_tlb_;
  Participant participant_;
  Mmu mmu_;
  GenericTimer virtual_timer_, physical_timer_, secure_timer_;
  Pmu pmu_;
  PeGroup* group_ = nullptr;
  tcg::Vcpu* vcpu_ = nullptr;
  EpochDomain::Thread* reader_ = nullptr;
  std::atomic<u32> pending_{0};
  u32 routed_to_el3_ = 0;  // of the bits of pending_: SCR_EL3.{IRQ, FIQ, EA}
  u64 reset_vector_ = 0;
  SysregAccessor told_gic_;
  std::atomic<bool> event_register_{false};
  std::atomic<bool> waiting_{false};  // in WFI or WFE
  Deferred deferred_ = Deferred::Nothing;
  struct Slice {
    bool active = false, cut = false;
    u64 start_ns = 0;
    i64 instructions = 0;
    unsigned shift = 0;
  };
  Slice slice_;
  Ticket code_ticket_;  // instruction invalidations that the next DSB waits for
  std::mutex sleep_mutex_;
  std::condition_variable wake_;
};

// The PE that a helper runs for.
inline Pe& pe_of(PeState& state) { return *state.pe; }
inline PeState& pe_state(tcg::ExecState& state) { return static_cast<PeState&>(state); }
inline Pe& pe_of(tcg::ExecState& state) { return *pe_state(state).pe; }

}  // namespace sluice::cpu
