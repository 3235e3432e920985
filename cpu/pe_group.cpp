#include "cpu/pe_group.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>

#include "base/log.h"
#include "tcg/vcpu.h"

namespace sluice::cpu {

// One host thread and the PEs that it runs: one, or all of them under icount.
struct PeGroup::Runner {
  std::vector<unsigned> pes;
  std::thread thread;
};

PeGroup::PeGroup(InvalidationHub& hub, Clock& clock, GroupOptions options)
    : hub_(hub), clock_(clock), options_(options) {}

PeGroup::~PeGroup() {
  stop();
  for (auto& pe : pes_) pe->attach_vcpu(nullptr);
}

Pe& PeGroup::add(std::unique_ptr<Pe> pe, const BootState& boot) {
  Pe& added = *pe;
  added.attach(this, nullptr);
  tcg::Vcpu::Options translator = options_.translator;
  translator.icount = options_.icount;
  vcpus_.push_back(std::make_unique<tcg::Vcpu>(added, added.state(), translator));
  added.attach_vcpu(vcpus_.back().get());
  added.instructions().exact = options_.icount;
  pes_.push_back(std::move(pe));
  boots_.push_back(boot);
  return added;
}

void PeGroup::set_boot(unsigned index, const BootState& boot) { boots_[index] = boot; }

Pe* PeGroup::by_affinity(u64 affinity) {
  for (auto& pe : pes_)
    if ((pe->mpidr() & kMpidrAffinity) == affinity) return pe.get();
  return nullptr;
}

// --- Running
// -------------------------------------------------------------------------------------------------

void PeGroup::reset() {
  for (unsigned i = 0; i < pes_.size(); i++) {
    Pe& pe = *pes_[i];
    pe.reset(boots_[i]);
    std::lock_guard lock{mutex_};
    pe.power.store(boots_[i].powered ? Pe::Power::On : Pe::Power::Off, std::memory_order_release);
  }
  std::lock_guard lock{mutex_};
  if (guest_stopped_) pause_requests_.fetch_sub(1, std::memory_order_acq_rel);
  guest_stopped_ = false;
  changed_.notify_all();
}

void PeGroup::start() {
  if (started_) return;
  started_ = true;
  stopping_.store(false, std::memory_order_release);
  size_t threads = options_.icount ? std::min<size_t>(pes_.size(), 1) : pes_.size();
  for (size_t t = 0; t < threads; t++) {
    auto runner = std::make_unique<Runner>();
    for (unsigned i = unsigned(t); i < pes_.size(); i += unsigned(threads)) runner->pes.push_back(i);
    runners_.push_back(std::move(runner));
  }
  for (auto& runner : runners_) {
    runner->thread = std::thread([this, &r = *runner] { thread_main(r); });
    std::string name = options_.icount ? "PEs" : "PE" + std::to_string(runner->pes[0]);
    pthread_setname_np(runner->thread.native_handle(), name.c_str());
  }
}

void PeGroup::kick_all() {
  for (auto& pe : pes_) pe->request_attention();
  wake_scheduler();
}

void PeGroup::pause() {
  {
    std::lock_guard lock{mutex_};
    pause_requests_.fetch_add(1, std::memory_order_seq_cst);
  }
  kick_all();
  std::unique_lock lock{mutex_};
  changed_.wait(lock, [&] { return running_ == 0; });
}

void PeGroup::resume() {
  std::lock_guard lock{mutex_};
  if (pause_requests_.load(std::memory_order_acquire) == 0) return;
  pause_requests_.fetch_sub(1, std::memory_order_seq_cst);
  changed_.notify_all();
}

void PeGroup::stop() {
  if (!started_) return;
  {
    std::lock_guard lock{mutex_};
    stopping_.store(true, std::memory_order_seq_cst);
    changed_.notify_all();
  }
  kick_all();
  for (auto& runner : runners_) runner->thread.join();
  runners_.clear();
  started_ = false;
}

void PeGroup::run_on(unsigned index, const std::function<void(Pe&)>& f) {
  pause();
  {
    Participant::Running running(pes_[index]->participant());
    EpochDomain::Guard guard(hub_.epochs());
    f(*pes_[index]);
  }
  resume();
}

void PeGroup::thread_main(Runner& runner) {
  EpochDomain::Thread reader(hub_.epochs());
  for (unsigned i : runner.pes) pes_[i]->attach(this, &reader);
  for (;;) {
    reader.go_offline();
    bool go = wait_until_runnable(runner);
    reader.go_online();
    if (!go) break;
    for (unsigned i : runner.pes) switch_on(i);
    if (options_.icount)
      run_icount(runner);
    else
      run_one(*pes_[runner.pes[0]]);
    std::lock_guard lock{mutex_};
    running_--;
    changed_.notify_all();
  }
  for (unsigned i : runner.pes) pes_[i]->attach(this, nullptr);
}

// Counts this runner as running, or returns false when its thread shall end.
bool PeGroup::wait_until_runnable(Runner& runner) {
  std::unique_lock lock{mutex_};
  auto powered = [&](unsigned i) { return pes_[i]->power.load(std::memory_order_acquire) != Pe::Power::Off; };
  changed_.wait(
      lock, [&] { return stopping_ || (pause_requests_ == 0 && std::ranges::any_of(runner.pes, powered)); });
  if (stopping_) return false;
  running_++;
  return true;
}

// CPU_ON: the target resets and starts on its own thread.
void PeGroup::switch_on(unsigned index) {
  Pe& pe = *pes_[index];
  if (pe.power.load(std::memory_order_acquire) != Pe::Power::OnPending) return;
  BootState boot;
  {
    std::lock_guard lock{mutex_};
    boot = pending_boots_[index];
  }
  if (power_up_) power_up_(index);
  pe.reset(boot);
  std::lock_guard lock{mutex_};
  pe.power.store(Pe::Power::On, std::memory_order_release);
}

void PeGroup::run_one(Pe& pe) {
  Participant::Running running(pe.participant());
  pe.request_attention();  // a WFI that was interrupted by a pause goes on, mail is read, interrupts are
                           // taken
  pe.vcpu()->run();
}

// All PEs in turn, in virtual time, until something asks to leave. The order and the lengths of the slices
// depend on the guest and the options alone.
void PeGroup::run_icount(Runner& runner) {
  while (!should_leave()) {
    bool ran = false, any_on = false;
    for (unsigned i : runner.pes) {
      switch_on(i);
      any_on |= pes_[i]->power.load(std::memory_order_acquire) == Pe::Power::On;
      if (should_leave()) return;
      if (!pes_[i]->runnable()) continue;
      ran = true;
      run_slice(*pes_[i]);
    }
    if (!any_on) return;
    if (!ran) skip_idle_time();
  }
}

void PeGroup::run_slice(Pe& pe) {
  u64 now = clock_.now_ns(), deadline = clock_.next_deadline_ns();
  u64 budget = options_.icount_slice;
  if (deadline != Clock::kNever) {
    u64 until = deadline > now ? ((deadline - now) >> options_.icount_shift) + 1 : 1;
    budget = std::min(budget, until);
  }
  pe.begin_slice(now, i64(budget), options_.icount_shift);
  run_one(pe);
  pe.end_slice();
  clock_.run_expired();
}

// Everybody waits: virtual time jumps to the next timer, or stands still until somebody outside has something
// to say.
void PeGroup::skip_idle_time() {
  u64 deadline = clock_.next_deadline_ns();
  if (deadline != Clock::kNever) {
    clock_.advance_to(deadline);
    clock_.run_expired();
    return;
  }
  std::unique_lock lock{idle_mutex_};
  idle_.wait_for(lock, std::chrono::milliseconds(100), [&] {
    return should_leave() || clock_.next_deadline_ns() != Clock::kNever ||
           std::ranges::any_of(pes_, [](auto& pe) { return pe->runnable(); });
  });
}

void PeGroup::wake_scheduler() {
  if (!options_.icount) return;
  { std::lock_guard lock{idle_mutex_}; }
  idle_.notify_all();
}

// --- Events
// --------------------------------------------------------------------------------------------------

void PeGroup::post(MachineEvent event) {
  constexpr size_t kLimit = 1024;  // a guest cannot make the queue grow for ever
  {
    std::lock_guard lock{event_mutex_};
    if (events_.size() >= kLimit) return;
    events_.push_back(std::move(event));
  }
  event_posted_.notify_all();
  if (notify_) notify_();
}

std::optional<MachineEvent> PeGroup::wait_event(u64 timeout_ns) {
  std::unique_lock lock{event_mutex_};
  auto ready = [&] { return !events_.empty() || wait_interrupted_; };
  constexpr u64 kLongest = u64{3600} * 1'000'000'000;
  if (timeout_ns >= kLongest)
    event_posted_.wait(lock, ready);
  else
    event_posted_.wait_for(lock, std::chrono::nanoseconds(timeout_ns), ready);
  wait_interrupted_ = false;
  if (events_.empty()) return std::nullopt;
  MachineEvent event = std::move(events_.front());
  events_.pop_front();
  return event;
}

void PeGroup::interrupt_wait() {
  std::lock_guard lock{event_mutex_};
  wait_interrupted_ = true;
  event_posted_.notify_all();
}

void PeGroup::stop_and_post(MachineEvent event) {
  {
    std::lock_guard lock{mutex_};
    if (!guest_stopped_) pause_requests_.fetch_add(1, std::memory_order_seq_cst);
    guest_stopped_ = true;
  }
  kick_all();
  post(std::move(event));
}

void PeGroup::send_event_to_all() {
  for (auto& pe : pes_) pe->send_event();
  wake_scheduler();
}

// --- PSCI
// ----------------------------------------------------------------------------------------------------

i32 PeGroup::cpu_on(u64 target, u64 entry, u64 context_id) {
  std::lock_guard lock{mutex_};
  Pe* pe = by_affinity(target);
  if (!pe) return psci::kInvalidParameters;
  switch (pe->power.load(std::memory_order_acquire)) {
    case Pe::Power::On: return psci::kAlreadyOn;
    case Pe::Power::OnPending: return psci::kOnPending;
    case Pe::Power::Off: break;
  }
  unsigned position =
      unsigned(std::ranges::find_if(pes_, [&](auto& p) { return p.get() == pe; }) - pes_.begin());
  pending_boots_.resize(pes_.size());
  pending_boots_[position] = {.powered = true, .pc = entry, .x = {context_id}};
  pe->power.store(Pe::Power::OnPending, std::memory_order_release);
  changed_.notify_all();
  return psci::kSuccess;
}

void PeGroup::cpu_off(Pe& pe) {
  bool all_off;
  {
    std::lock_guard lock{mutex_};
    pe.power.store(Pe::Power::Off, std::memory_order_release);
    all_off = std::ranges::all_of(pes_, [](auto& p) { return p->power.load() == Pe::Power::Off; });
  }
  pe.request_attention();
  if (all_off) post({.kind = MachineEvent::Kind::AllOff, .pe = pe.index()});
}

// 0 ON, 1 OFF, 2 ON_PENDING; for a level above 0, ON when any PE of that affinity instance is.
i32 PeGroup::affinity_info(u64 target, u64 level) {
  constexpr u64 kMask[] = {kMpidrAffinity, kMpidrAffinity & ~u64{0xff}, kMpidrAffinity & ~u64{0xffff},
                           kMpidrAffinity & ~u64{0xffffff}};
  if (level > 3 || (target & ~kMpidrAffinity)) return psci::kInvalidParameters;
  std::lock_guard lock{mutex_};
  bool found = false, pending = false;
  for (auto& pe : pes_) {
    if ((pe->mpidr() ^ target) & kMask[level]) continue;
    found = true;
    Pe::Power power = pe->power.load(std::memory_order_acquire);
    if (power == Pe::Power::On) return 0;
    pending |= power == Pe::Power::OnPending;
  }
  if (!found) return psci::kInvalidParameters;
  return pending ? 2 : 1;
}

void PeGroup::system_off() { stop_and_post({.kind = MachineEvent::Kind::PowerOff}); }
void PeGroup::system_reset() { stop_and_post({.kind = MachineEvent::Kind::Reset}); }

}  // namespace sluice::cpu
