// cpu/pe_group.h: all PEs of a machine: their threads, starting, pausing and stopping them together, power
// states, and what they tell the application.
#pragma once
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cpu/pe.h"
#include "tcg/vcpu.h"

namespace sluice::cpu {

// What the application must react to. Any thread may post one.
struct MachineEvent {
  enum class Kind : u8 {
    PowerOff,   // PSCI SYSTEM_OFF
    Reset,      // PSCI SYSTEM_RESET, or a reset device
    Exit,       // semihosting SYS_EXIT: `code`
    Panic,      // the guest cannot go on (no PE can ever run again): `text`
    DebugStop,  // a PE stopped for the debugger: `pe`
    AllOff,     // every PE has been switched off by CPU_OFF
    Custom,     // the application's own: `code`
  };
  Kind kind{};
  int code = 0;
  unsigned pe = 0;
  std::string text = {};
};

struct GroupOptions {
  bool icount = false;        // all PEs round robin on one thread, in virtual time
  unsigned icount_shift = 0;  // one instruction takes 2^shift ns
  u32 icount_slice = 50'000;  // instructions before the next PE has its turn
  tcg::Vcpu::Options translator;
};

class PeGroup {
 public:
  PeGroup(InvalidationHub& hub, Clock& clock, GroupOptions options);
  ~PeGroup();  // stops

  // Before start(): takes ownership. PEs are numbered in this order.
  Pe& add(std::unique_ptr<Pe> pe, const BootState& boot);
  // What PE `index` does after reset() (the loader knows the entry only later).
  void set_boot(unsigned index, const BootState& boot);
  size_t size() const { return pes_.size(); }
  Pe& pe(unsigned index) { return *pes_[index]; }
  Pe* by_affinity(u64 mpidr_affinity);

  // Resets all PEs to their BootState; only while they do not run (before start(), or paused).
  void reset();
  void start();  // makes the threads; they run
  // Pauses nest: each needs its resume().
  void pause();  // returns when no PE runs guest code any more; not from a PE's thread
  void resume();
  void stop();  // ends the threads; not from a PE's thread
  bool paused() const { return pause_requests_.load(std::memory_order_acquire) != 0; }
  bool started() const { return started_; }
  // Called on the thread of PE `index` when PSCI CPU_ON has switched it on, before it runs: what belongs to
  // the PE and lives elsewhere resets with it. Before start().
  void on_power_up(std::function<void(unsigned index)> reset_parts) { power_up_ = std::move(reset_parts); }
  // Calls `f`, which may look at and change the PE, with all PEs paused. Not from a PE's thread.
  void run_on(unsigned index, const std::function<void(Pe&)>& f);

  // After SYSTEM_OFF, SYSTEM_RESET or SYS_EXIT no PE runs until reset().
  void stop_and_post(MachineEvent event);
  void post(MachineEvent event);
  // Waits for an event, at most `ns` (Clock::kNever: for ever). nullopt: timed out, or `interrupt_wait` was
  // called.
  std::optional<MachineEvent> wait_event(u64 timeout_ns);
  void interrupt_wait();
  // Called after post(), on the poster's thread: for an application that waits in poll().
  void on_event(std::function<void()> notify) { notify_ = std::move(notify); }

  // --- For PSCI ---
  i32 cpu_on(u64 target_affinity, u64 entry, u64 context_id);
  void cpu_off(Pe& pe);
  i32 affinity_info(u64 target_affinity, u64 level);
  void system_off();
  void system_reset();

  // --- For Pe ---
  void send_event_to_all();  // SEV
  void wake_scheduler();     // an interrupt line rose: the icount scheduler may be waiting for it
  bool should_leave() const {
    return stopping_.load(std::memory_order_acquire) || pause_requests_.load(std::memory_order_acquire) != 0;
  }
  bool icount() const { return options_.icount; }
  Clock& clock() { return clock_; }
  InvalidationHub& hub() { return hub_; }

 private:
  struct Runner;
  void thread_main(Runner& runner);
  bool wait_until_runnable(Runner& runner);
  void switch_on(unsigned index);
  void run_one(Pe& pe);
  void run_icount(Runner& runner);
  void run_slice(Pe& pe);
  void skip_idle_time();
  void kick_all();

  InvalidationHub& hub_;
  Clock& clock_;
  const GroupOptions options_;
  std::vector<std::unique_ptr<Pe>> pes_;
  std::vector<std::unique_ptr<tcg::Vcpu>> vcpus_;
  std::vector<BootState> boots_, pending_boots_;
  std::vector<std::unique_ptr<Runner>> runners_;
  std::atomic<u32> pause_requests_{0};
  std::atomic<bool> stopping_{false};
  bool started_ = false;
  std::mutex mutex_;  // power states, pausing; nothing is called with it held
  std::condition_variable changed_;
  unsigned running_ = 0;        // runners that may run guest code now
  bool guest_stopped_ = false;  // one of the pause requests is the guest's own
  std::mutex idle_mutex_;       // icount: nothing to run
  std::condition_variable idle_;
  std::mutex event_mutex_;
  std::condition_variable event_posted_;
  std::deque<MachineEvent> events_;
  bool wait_interrupted_ = false;
  std::function<void()> notify_;
  std::function<void(unsigned)> power_up_;
};

}  // namespace sluice::cpu
