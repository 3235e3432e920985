#include "cpu/pe.h"

#include <fmt/format.h>

#include <chrono>
#include <cstring>
#include <string>

#include "base/log.h"
#include "cpu/a64/disassembler.h"
#include "cpu/a64/translate_block.h"
#include "cpu/debug.h"
#include "cpu/pauth.h"
#include "cpu/pe_group.h"
#include "cpu/pstate.h"
#include "cpu/sysreg/fp_control.h"
#include "cpu/sysreg/table.h"
#include "cpu/translation/regime.h"
#include "memory/address_space.h"
#include "memory/translate.h"
#include "tcg/vcpu.h"

namespace sluice::cpu {
namespace {

// SCTLR_ELx.
constexpr unsigned kM = 0, kA = 1, kSa = 3, kSa0 = 4, kE0e = 24, kEe = 25, kEnDb = 13, kEnDa = 27, kEnIb = 30,
                   kEnIa = 31, kBt0 = 35, kBt1 = 36, kDze = 14;
// TCR_EL1, and of TCR_EL3.
constexpr unsigned kT0sz = 0, kT1sz = 16, kTbi0 = 37, kTbi1 = 38, kTbid0 = 51, kTbid1 = 52, kEl3Tbi = 20,
                   kEl3Tbid = 29;

u64 mpidr_value(const PeWiring& w) {
  constexpr u64 kRes1 = u64{1} << 31, kUniprocessor = u64{1} << 30;
  return kRes1 | (w.uniprocessor ? kUniprocessor : 0) |
         (w.affinity.value_or(default_affinity(w.index)) & kMpidrAffinity);
}

// The EL that traps FP and SIMD, 0 for none: CPACR_EL1.FPEN, then CPTR_EL3.TFP.
unsigned fp_trap_el(const PeState& s) {
  u64 fpen = extract(s.sysregs[Slot::CPACR_EL1], 20, 2);
  bool enabled = s.el == 3 || fpen == 3 || (fpen == 1 && s.el == 1);
  if (!enabled) return 1;
  return s.sysregs[Slot::CPTR_EL3] & cptr3::kTfp ? 3 : 0;
}

// Whether EL3 traps system registers: see cpu/sysreg/el3_traps.h. The Secure state has no LORegions.
bool el3_traps_sysregs(const PeState& s, const FeatureSet& features) {
  u64 scr = s.sysregs[Slot::SCR_EL3];
  return (s.sysregs[Slot::MDCR_EL3] & (mdcr3::kTpm | mdcr3::kTda | mdcr3::kTdosa)) ||
         (s.sysregs[Slot::CPTR_EL3] & cptr3::kTcpac) || (scr & scr::kTlor) ||
         (features.has(Feature::LOR) && s.secure) || (features.has(Feature::PAuth) && !(scr & scr::kApk));
}

// Top byte ignored for data and for instructions: bit 0 for VA<55> = 0, bit 1 for VA<55> = 1.
struct TopByteIgnored {
  u64 data, instruction;
};
TopByteIgnored top_byte_ignored(const PeState& s, bool pauth) {
  static_assert(kTbi1 == kTbi0 + 1 && kTbid1 == kTbid0 + 1);
  bool el3 = s.el == 3;
  u64 tcr = s.sysregs[el3 ? Slot::TCR_EL3 : Slot::TCR_EL1];
  u64 data = el3 ? extract(tcr, kEl3Tbi, 1) : extract(tcr, kTbi0, 2);
  u64 data_only = el3 ? extract(tcr, kEl3Tbid, 1) : extract(tcr, kTbid0, 2);
  return {data, pauth ? data & ~data_only : data};
}

// FPCR as Mode::FpcrMode holds it.
u64 fpcr_mode(u32 fpcr) {
  return extract(fpcr, 22, 2) | extract(fpcr, 24, 1) << 2 | extract(fpcr, 25, 1) << 3 |
         extract(fpcr, 19, 1) << 4 | extract(fpcr, 26, 1) << 5;
}

}  // namespace

Pe::Pe(const PeWiring& w)
    : model_(w.model),
      index_(w.index),
      mpidr_(mpidr_value(w)),
      id_(id_registers(w.model, w.gic != nullptr)),
      decoder_(w.decoder ? w.decoder : std::make_shared<const a64::Decoder>(w.model.features)),
      clock_(*w.clock),
      memory_(*w.memory),
      secure_memory_(w.secure_memory ? *w.secure_memory : *w.memory),
      has_el3_(w.model.features.has(Feature::EL3)),
      gic_(w.gic),
      semihosting_(w.semihosting),
      psci_(w.psci),
      participant_(*w.hub, Participant::Kind::Pe, "PE" + std::to_string(w.index),
                   [this](const Invalidation& message) { apply(message); }),
      mmu_({state_, model_, soft_tlb_, participant_, memory_, u16(w.index), w.direct_tlb, &secure_memory_}),
      virtual_timer_(clock_, w.virtual_timer),
      physical_timer_(clock_, w.physical_timer),
      secure_timer_(clock_, w.secure_timer),
      pmu_(model_, state_, instructions_, clock_, w.pmu_overflow) {
  state_.pe = this;
  participant_.set_attention(&state_.attention);
  participant_.set_wake([this] { request_attention(); });
  reset({});
}

Pe::~Pe() = default;

void Pe::attach_vcpu(tcg::Vcpu* vcpu) {
  vcpu_ = vcpu;
  contexts_.clear();
  if (vcpu) update_context();
}

void Pe::reset(const BootState& boot) {
  for (u64& x : state_.x) x = 0;
  for (tcg::Vec& v : state_.v) v = {};
  for (unsigned el = 0; el < 4; el++)
    state_.sp_el[el] = state_.elr_el[el] = state_.spsr_el[el] = state_.tpidr_el[el] = 0;
  state_.tpidrro_el0 = 0;
  state_.sp = 0;
  state_.nzcv = {};
  state_.btype = state_.pan = state_.uao = state_.dit = state_.ssbs = state_.ss = state_.il = 0;
  state_.el = has_el3_ ? boot.el : std::min<u8>(boot.el, 1);
  state_.sp_sel = state_.el != 0;
  state_.daif = 15;
  state_.exclusive_size = 0;
  state_.fpsr = 0;
  state_.fpcr = 0;
  fp_control_changed(state_);
  state_.sysregs.clear();
  sysreg::reset_all(*this);
  reset_vector_ = boot.pc;
  // For a kernel, what firmware sets up before it leaves EL3: nothing is routed or trapped there, and SMC,
  // which nobody would answer, is UNDEFINED.
  if (has_el3_ && state_.el < 3)
    state_.sysregs[Slot::SCR_EL3] |=
        scr::kNs | scr::kSmd | (model_.features.has(Feature::PAuth) ? scr::kApk | scr::kApi : 0);
  virtual_timer_.reset();
  physical_timer_.reset();
  secure_timer_.reset();
  pmu_.reset();
  el_changed();
  mmu_.reset();
  if (vcpu_) vcpu_->flush_all_code();
  step_in_progress = stepped = false;
  deferred_ = Deferred::Nothing;
  pending_.fetch_and(~kSErrorPending,
                     std::memory_order_seq_cst);  // the lines belong to the interrupt controller
  waiting_.store(false, std::memory_order_release);
  event_register_.store(false, std::memory_order_release);
  state_.pc = boot.pc;
  for (unsigned i = 0; i < 4; i++) state_.x[i] = boot.x[i];
  update_context();
}

Mode Pe::compute_mode() const {
  const PeState& s = state_;
  u64 sctlr = current_sctlr(s);
  bool el0 = s.el == 0, pauth = model_.features.has(Feature::PAuth);
  TopByteIgnored tbi = top_byte_ignored(s, pauth);
  Mode m;
  m.set<Mode::El>(s.el);
  m.set<Mode::Secure>(s.secure);
  m.set<Mode::FpTrapEl>(fp_trap_el(s));
  m.set<Mode::FpcrMode>(fpcr_mode(s.fpcr));
  m.set<Mode::Step>(debug::step_active(s));
  m.set<Mode::BigEndian>(bit(sctlr, el0 ? kE0e : kEe));
  // With the MMU off all data accesses are to Device memory, which an unaligned one may not touch.
  m.set<Mode::AlignCheck>(bit(sctlr, kA) || !bit(sctlr, kM));
  m.set<Mode::SpAlignCheck>(bit(sctlr, el0 ? kSa0 : kSa));
  m.set<Mode::BtypeChecked>(bit(sctlr, el0 ? kBt0 : kBt1));
  m.set<Mode::ZeroBlocks>(!el0 || bit(sctlr, kDze));
  m.set<Mode::Tbi>(tbi.instruction);
  m.set<Mode::TcrTbiData>(tbi.data);
  m.set<Mode::OneRange>(s.el == 3);
  if (pauth) {
    m.set<Mode::PacEnabled>(u64(bit(sctlr, kEnIa)) | u64(bit(sctlr, kEnIb)) << 1 |
                            u64(bit(sctlr, kEnDa)) << 2 | u64(bit(sctlr, kEnDb)) << 3);
    u64 tcr = s.sysregs[s.el == 3 ? Slot::TCR_EL3 : Slot::TCR_EL1];
    m.set<Mode::BottomPacBit0>(pauth::bottom_pac_bit(extract(tcr, kT0sz, 6)));
    m.set<Mode::BottomPacBit1>(pauth::bottom_pac_bit(extract(tcr, s.el == 3 ? kT0sz : kT1sz, 6)));
  }
  m.set<Mode::IllegalState>(s.il);
  m.set<Mode::Breakpoints>(debug::breakpoints_armed(s, model_));
  m.set<Mode::Icount>(group_ && group_->icount());
  m.set<Mode::Uao>(s.uao);
  m.set<Mode::SpSel>(!el0 && s.sp_sel);
  m.set<Mode::UnprivilegedAsEl0>(s.el == 1 && !s.uao);
  if (has_el3_ && s.el < 3) {
    m.set<Mode::El3Traps>(el3_traps_sysregs(s, model_.features));
    m.set<Mode::PacTrapEl3>(pauth && !(scr() & scr::kApi));
  }
  return m;
}

void Pe::update_context() noexcept {
  contexts_.clear();
  find_context();
  if (interrupts_unmasked()) request_attention();
}

namespace {

bool debug_in_use(const PeState& s) {
  return s.sysregs[Slot::MDSCR_EL1] & (debug::kMdscrSs | debug::kMdscrMde);
}

}  // namespace

void Pe::find_context() noexcept {
  auto replaced = [this] { return mmu_.contexts_replaced() + (vcpu_ ? vcpu_->jump_caches_recycled() : 0); };
  const u64 before = replaced();
  state_.mode = compute_mode().word;
  watchpoints_armed = debug::watchpoints_armed(state_, model_);
  tcg::ContextKey key = mmu_.update_context();
  regime_ = current_regime(state_), regime_is_secure_ = state_.secure;
  if (!vcpu_) return;
  state_.jump_cache = vcpu_->jump_cache_for(key, state_.mode);
  if (replaced() != before) contexts_.clear();
  if (!vcpu_->has(tcg::Pass::Contexts)) return;
  contexts_.add({.known = true,
                 .watchpoints_armed = watchpoints_armed,
                 .name = ContextName::of(state_, mmu_.asid(), debug_in_use(state_)),
                 .mode = state_.mode,
                 .bank = state_.bank,
                 .unprivileged_bank = state_.unprivileged_bank,
                 .jump_cache = state_.jump_cache});
}

void Pe::update_pstate() noexcept {
  const bool same_controls = regime_ == current_regime(state_) && regime_is_secure_ == bool(state_.secure);
  const ContextMemo::Entry* known =
      same_controls ? contexts_.find(ContextName::of(state_, mmu_.asid(), debug_in_use(state_))) : nullptr;
  if (known) {
    state_.mode = known->mode;
    watchpoints_armed = known->watchpoints_armed;
    state_.bank = known->bank, state_.unprivileged_bank = known->unprivileged_bank;
    state_.jump_cache = known->jump_cache;
    soft_tlb_.touch(known->bank);
    soft_tlb_.touch(known->unprivileged_bank);
    vcpu_->touch_jump_cache(known->jump_cache);
  } else {
    find_context();
  }
  if (interrupts_unmasked()) request_attention();
}

void Pe::table_bases_changed() noexcept {
  if (regime_ != Regime::El10 || !vcpu_ || !vcpu_->has(tcg::Pass::Contexts)) return context_changed();
  u16 asid = mmu_.asid();
  mmu_.update_table_bases();
  if (mmu_.asid() != asid) pstate_changed();
}

// The EL or SCR_EL3 has changed.
void Pe::el_changed() noexcept {
  bool prohibited = false;
  if (has_el3_) {
    state_.secure = state_.el == 3 || secure_el1();
    prohibited = state_.secure && !(state_.sysregs[Slot::MDCR_EL3] & mdcr3::kSpme);
    routed_to_el3_ = u32((scr() & scr::kIrq ? kIrqPending : 0) | (scr() & scr::kFiq ? kFiqPending : 0) |
                         (scr() & scr::kEa ? kSErrorPending : 0));
    SysregAccessor now = accessor();
    bool same = now.secure == told_gic_.secure && (now.el == 3) == (told_gic_.el == 3);
    if (gic_ && !same) gic_->security_changed(now);
    told_gic_ = now;
  }
  pmu_.el_changes(state_.el, state_.secure, prohibited);
}

// --- Interrupts
// ----------------------------------------------------------------------------------------------

IrqLine Pe::irq_line() {
  return IrqLine{[this](bool level) { set_pending(kIrqPending, level); }};
}
IrqLine Pe::fiq_line() {
  return IrqLine{[this](bool level) { set_pending(kFiqPending, level); }};
}

void Pe::request_attention() {
  state_.attention.fetch_or(tcg::Attention::kOther, std::memory_order_seq_cst);
  if (!waiting_.load(std::memory_order_seq_cst)) return;
  {
    std::lock_guard lock{sleep_mutex_};
  }  // it is either not yet asleep and will look, or asleep and will hear
  wake_.notify_all();
}

void Pe::set_pending(u32 bit, bool level) {
  if (!level) {
    pending_.fetch_and(~bit, std::memory_order_seq_cst);
    return;
  }
  pending_.fetch_or(bit, std::memory_order_seq_cst);
  request_attention();
  if (group_) group_->wake_scheduler();
}

void Pe::send_event() {
  event_register_.store(true, std::memory_order_seq_cst);
  if (waiting_.load(std::memory_order_seq_cst)) request_attention();
}

// What is pending and not masked. PSTATE does not mask what goes to EL3 from below; at EL3, what goes to EL1
// waits.
u32 Pe::takeable() const {
  u32 pending = pending_.load(std::memory_order_seq_cst);
  if (!pending) return 0;
  u32 unmasked = u32((state_.daif & kDaifI ? 0 : kIrqPending) | (state_.daif & kDaifF ? 0 : kFiqPending) |
                     (state_.daif & kDaifA ? 0 : kSErrorPending));
  return pending & (state_.el == 3 ? routed_to_el3_ & unmasked : routed_to_el3_ | unmasked);
}

bool Pe::interrupts_unmasked() const { return takeable() != 0; }

bool Pe::deliver_interrupt() noexcept {
  u32 now = takeable();
  if (!now) return false;
  if (now & kSErrorPending) set_pending(kSErrorPending, false);
  take_interrupt(state_, now & kSErrorPending ? Interrupt::SError
                         : now & kFiqPending  ? Interrupt::Fiq
                                              : Interrupt::Irq);
  return true;
}

// --- WFI and WFE
// ---------------------------------------------------------------------------------------------

bool Pe::wake_condition(bool for_event) const {
  if (group_ && group_->should_leave()) return true;
  if (!for_event) return interrupt_pending();
  return event_register_.load(std::memory_order_seq_cst) || interrupts_unmasked();
}

// Only WFI leaves the PE waiting there (see wait), and the event register does not end a WFI.
bool Pe::runnable() const {
  if (power.load(std::memory_order_acquire) == Power::Off) return false;
  return !waiting() || interrupt_pending();
}

// Sleeps until there is a reason to go on. WFE also ends after a while: on a real PE another PE's store to a
// monitored address, or the event stream, would end it.
void Pe::sleep(bool for_event) noexcept {
  constexpr auto kLongestEventWait = std::chrono::microseconds(500);
  waiting_.store(true, std::memory_order_seq_cst);
  participant_.enter_quiescent();
  if (reader_) reader_->go_offline();
  {
    std::unique_lock lock{sleep_mutex_};
    auto ready = [&] { return wake_condition(for_event); };
    if (for_event)
      wake_.wait_for(lock, kLongestEventWait, ready);
    else
      wake_.wait(lock, ready);
  }
  if (reader_) reader_->go_online();
  participant_.leave_quiescent();
  waiting_.store(false, std::memory_order_seq_cst);
}

// False: the PE still waits, and its thread has something else to do.
bool Pe::wait(Deferred what) noexcept {
  bool for_event = what == Deferred::WaitForEvent;
  if (group_ && group_->icount()) {  // other PEs share this thread: the scheduler waits
    bool go_on = for_event || interrupt_pending();
    waiting_.store(!go_on, std::memory_order_release);
    if (go_on) deferred_ = Deferred::Nothing;
    return go_on;
  }
  if (!wake_condition(for_event)) sleep(for_event);
  if (group_ && group_->should_leave() && !for_event && !interrupt_pending()) return false;
  if (for_event) take_event();
  deferred_ = Deferred::Nothing;
  return true;
}

// --- Semihosting
// ---------------------------------------------------------------------------------------------

namespace {

// The PE's own virtual memory, byte range by byte range, with the rights of the current EL and no side
// effects. The PE is quiescent while the handler waits, and takes part again for each access.
class VirtualMemory final : public GuestMemory {
 public:
  explicit VirtualMemory(Pe& pe) : pe_(pe) {}
  bool read(u64 va, std::span<u8> into) override {
    return pieces(va, into.size(), [&](GuestPhysAddr pa, PaSpace space, u64 offset, u64 length) {
      auto piece = std::as_writable_bytes(into.subspan(offset, length));
      return pe_.memory(space).peek(pa, piece, attrs(space)).is_ok();
    });
  }
  bool write(u64 va, std::span<const u8> from) override {
    return pieces(va, from.size(), [&](GuestPhysAddr pa, PaSpace space, u64 offset, u64 length) {
      auto piece = std::as_bytes(from.subspan(offset, length));
      return pe_.memory(space).write(pa, piece, attrs(space)).is_ok();
    });
  }

 private:
  MemTxAttrs attrs(PaSpace space) const { return MemTxAttrs::pe(u16(pe_.index()), space, true); }
  template <class F>
  bool pieces(u64 va, u64 size, F&& each) {
    Participant::Running running(pe_.participant());
    EpochDomain::Guard guard{pe_.participant().hub().epochs()};
    for (u64 done = 0; done < size;) {
      GuestPhysAddr pa;
      u64 length = 0;
      PaSpace space{};
      if (!pe_.mmu().debug_translate(va + done, pa, length, space) || length == 0) return false;
      length = std::min(length, size - done);
      if (!each(pa, space, done, length)) return false;
      done += length;
    }
    return true;
  }
  Pe& pe_;
};

}  // namespace

void Pe::call_semihosting() noexcept {
  deferred_ = Deferred::Nothing;
  u32 operation = u32(state_.x[0]);
  u64 parameter = state_.x[1];
  VirtualMemory memory(*this);
  participant_.enter_quiescent();
  if (reader_) reader_->go_offline();
  u64 result = semihosting_->call(operation, parameter, memory);
  if (reader_) reader_->go_online();
  participant_.leave_quiescent();
  if (result == SemihostingHandler::kTryAgain)
    state_.pc -= 4;  // the trap is executed again when the machine goes on
  else
    state_.x[0] = result;
}

// --- tcg::Guest
// ----------------------------------------------------------------------------------------------

bool Pe::attend() noexcept {
  step_in_progress = false;
  state_.attention.store(0, std::memory_order_seq_cst);
  if (reader_) reader_->safe_point();
  participant_.drain();
  if (group_ && group_->should_leave()) return false;
  if (power.load(std::memory_order_acquire) != Power::On) return false;
  if (slice_.active && (slice_.cut || state_.icount_left <= 0)) return false;
  if (deferred_ == Deferred::Semihosting) {
    call_semihosting();
    bool exits = (group_ && group_->should_leave()) || power.load(std::memory_order_acquire) != Power::On;
    if (exits) return false;  // SYS_EXIT
  } else if (deferred_ != Deferred::Nothing && !wait(deferred_)) {
    return false;
  }
  deliver_interrupt();
  state_.leave = 0;
  return true;
}

tcg::FetchTarget Pe::fetch(u64 pc) noexcept {
  if (Mode{state_.mode}.get<Mode::Step>() &&
      !state_.ss) {  // before any fault of the next instruction's fetch
    state_.pc = pc;
    helper_software_step(state_, 0, 0, 0);
    return {};
  }
  if (pc & 3) {
    helper_pc_misaligned(state_, pc, 0, 0);
    return {};
  }
  Fault fault;
  tcg::FetchTarget target = mmu_.fetch(pc, fault);
  if (target.kind == tcg::FetchTarget::Kind::Fault) {
    state_.pc = pc;
    fault.va = pc;
    take_instruction_abort(state_, fault);
  }
  return target;
}

// A device may make its PE wait until an invalidation is complete, and the PE applies its own mail before the
// access retires. What that takes away asks to leave translated code; but the access has been made, and code
// that left here would begin its instruction again. It goes on to the end of its block instead, which has
// lost its links and leads to the run loop.
class Pe::AccessRetires {
 public:
  explicit AccessRetires(Pe& pe) : pe_(pe), leave_(pe.state_.leave) {}
  // It has been made, without a fault.
  bool made() noexcept {
    if (pe_.state_.leave == leave_) [[likely]]
      return true;
    pe_.state_.leave = leave_;
    pe_.state_.attention.fetch_or(tcg::Attention::kOther, std::memory_order_relaxed);
    return true;
  }

 private:
  Pe& pe_;
  const u32 leave_;
};

tcg::DataTarget Pe::access(u64 va, unsigned size, Access access, tcg::ir::MemOp op) noexcept {
  AccessRetires retires(*this);  // a descriptor of a walk may be a device's
  bool may_cache = true;
  Fault fault;
  if (watchpoints_armed) [[unlikely]] {
    bool as_el0 = op.unprivileged && !state_.uao;
    u64 hit = 0;
    if (debug::watchpoint_matches(state_, model_, va, size, access, as_el0, hit)) {
      // Translation faults have priority: the watchpoint counts only when the access would succeed.
      tcg::DataTarget target = mmu_.access(va, size, access, op, false, fault);
      if (target.kind != tcg::DataTarget::Kind::Fault)
        fault = {.kind = Fault::Kind::Debug, .write = allows(access, Access::Write), .va = hit};
      take_data_abort(state_, fault);
      return {};
    }
  }
  if (debug::any_watchpoint_enabled(state_)) [[unlikely]]
    may_cache = !debug::watchpoint_in_page(state_, model_, va);
  tcg::DataTarget target = mmu_.access(va, size, access, op, may_cache, fault);
  if (target.kind == tcg::DataTarget::Kind::Fault)
    take_data_abort(state_, fault);
  else
    retires.made();
  return target;
}

bool Pe::alignment_fault(u64 va, Access access, tcg::ir::MemOp op) noexcept {
  Fault fault;
  if (!mmu_.alignment_faults(va, op.size(), access, op, fault)) return false;
  take_data_abort(state_, fault);
  return true;
}

bool Pe::mmio_load(const tcg::DataTarget& target, u64 va, unsigned size, tcg::Vec& value) noexcept {
  AccessRetires retires(*this);
  Fault fault;
  catch_up_virtual_time();  // a device may look at the clock
  if (mmu_.mmio_load(target, va, size, value, fault)) return retires.made();
  take_data_abort(state_, fault);
  return false;
}

bool Pe::mmio_store(const tcg::DataTarget& target, u64 va, unsigned size, tcg::Vec value) noexcept {
  AccessRetires retires(*this);
  Fault fault;
  catch_up_virtual_time();
  bool done = mmu_.mmio_store(target, va, size, value, fault);
  // The device may have armed a timer.
  if (slice_.active && clock_.next_deadline_ns() < slice_end_ns()) cut_slice();
  if (done) return retires.made();
  take_data_abort(state_, fault);
  return false;
}

void Pe::translate(tcg::ir::Block& block, const tcg::FetchTarget& from, unsigned max_insns) noexcept {
  u8 word[4] = {u8(from.word), u8(from.word >> 8), u8(from.word >> 16), u8(from.word >> 24)};
  bool uncached = from.kind == tcg::FetchTarget::Kind::Uncached;
  // Mmu::fetch, which `from` comes from, has seen to it that stores to the page are noticed from now on.
  a64::CodeBytes code = uncached ? a64::CodeBytes{word, 4} : a64::CodeBytes{from.host, from.bytes};
  a64::translate_block(block, *decoder_, model_.features, code, uncached ? 1 : max_insns);
  if (Log::on(LogTopic::InAsm)) log_guest_code(block, code.host);
}

bool Pe::translate_region(tcg::ir::Block& region, const tcg::FetchTarget& from) noexcept {
  return a64::translate_region(region, *decoder_, model_.features, {from.host, from.bytes});
}

// -d in_asm: all lines of a block in one piece, because other PEs translate too.
void Pe::log_guest_code(const tcg::ir::Block& block, const u8* code) const {
  a64::Disassembler disassembler(*decoder_);
  std::string text = fmt::format("PE{} IN: EL{}", index_, unsigned(state_.el));
  for (u32 offset = 0; offset < block.guest_bytes; offset += 4) {
    u32 word;
    std::memcpy(&word, code + offset, sizeof word);
    u64 pc = block.pc + offset;
    text += fmt::format("\n0x{:016x}:  {:08x}  {}", pc, word, disassembler.text(word, pc));
  }
  Log::line(LogTopic::InAsm, text);
}

// --- Virtual time under icount
// -------------------------------------------------------------------------------

void Pe::begin_slice(u64 now, i64 instructions, unsigned shift) {
  slice_ = {true, false, now, instructions, shift};
  state_.icount_left = instructions;
  instructions_.granted += u64(instructions);
}

void Pe::end_slice() {
  catch_up_virtual_time();
  instructions_.granted -= u64(state_.icount_left);
  state_.icount_left = 0;
  slice_.active = false;
  if (instructions_.exact) pmu_.synchronize();
}

void Pe::catch_up_virtual_time() noexcept {
  if (!slice_.active) return;
  clock_.advance_to(slice_.start_ns + (u64(slice_.instructions - state_.icount_left) << slice_.shift));
}

void Pe::cut_slice() noexcept {
  if (!slice_.active) return;
  slice_.cut = true;
  request_attention();
}

// --- Instruction caches
// --------------------------------------------------------------------------------------

// The PE's own translated code is coherent with its own stores at once. The other PEs keep theirs until IC
// IVAU, as the architecture has it: a guest that forgets the IC finds out here too.
void Pe::code_written(GuestRam& ram, u64 offset, u64 length) noexcept {
  if (vcpu_) vcpu_->invalidate_code(ram, offset, length);
}

void Pe::invalidate_instructions(u64 va) noexcept {
  constexpr u64 kLine = 64;
  va = align_down(va, kLine);
  GuestPhysAddr pa;
  u64 length = 0;
  PaSpace space{};
  if (!mmu_.debug_translate(va, pa, length, space)) return;
  Translation t = sluice::translate({memory(space), pa.value, kLine, Access::Read,
                                     MemTxAttrs::pe(u16(index_), space, true), Intent::Debug});
  if (!t.ram || !t.ram->has_code(t.offset, kLine)) return;
  code_written(*t.ram, t.offset, kLine);
  code_ticket_.merge(participant_.hub().broadcast(
      Participant::Kind::Pe, InstructionCacheInvalidate{t.ram, t.offset, kLine}, &participant_));
}

void Pe::invalidate_all_instructions(Shareability domain) noexcept {
  if (vcpu_) vcpu_->flush_all_code();
  if (domain == Shareability::Inner)
    code_ticket_.merge(
        participant_.hub().broadcast(Participant::Kind::Pe, InstructionCacheInvalidate{}, &participant_));
}

void Pe::data_synchronization_barrier() noexcept {
  mmu_.complete_invalidations();
  InvalidationHub& hub = participant_.hub();
  if (code_ticket_.sequence && !hub.is_complete(code_ticket_)) hub.wait(code_ticket_);
  code_ticket_ = {};
}

bool Pe::check_cache_operation(u64 va, Access access) noexcept {
  Fault fault;
  tcg::ir::MemOp byte;
  byte.log2_size = 0;
  tcg::DataTarget target = mmu_.access(va, 1, access, byte, true, fault);
  if (target.kind != tcg::DataTarget::Kind::Fault) return true;
  fault.cache_maintenance = true;
  fault.write = true;
  take_data_abort(state_, fault);
  return false;
}

void Pe::apply(const Invalidation& message) {
  mmu_.apply(message);
  if (std::holds_alternative<FullFlush>(message)) {
    soft_tlb_.flush_all();
    if (vcpu_) vcpu_->flush_all_code();
  } else if (auto* ic = std::get_if<InstructionCacheInvalidate>(&message)) {
    if (!vcpu_) return;
    if (ic->ram)
      vcpu_->invalidate_code(const_cast<GuestRam&>(*ic->ram), ic->offset, ic->length);
    else
      vcpu_->flush_all_code();
  } else if (auto* page = std::get_if<CodePageProtect>(&message)) {
    soft_tlb_.protect_host_page(page->ram->host() + page->page * GuestRam::kPage);
  }
}

}  // namespace sluice::cpu
