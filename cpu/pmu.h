// cpu/pmu.h: Performance Monitors (Arm DDI 0487, chapter D13): the cycle counter and the event counters.
// Cycles follow virtual time at a nominal 1 GHz. PMCEID advertises only what is counted truthfully:
// instructions under -icount only.
#pragma once
#include <array>
#include <atomic>
#include <mutex>

#include "base/clock.h"
#include "base/wire.h"
#include "cpu/models.h"
#include "cpu/state.h"

namespace sluice::cpu {

// Instructions that a PE has executed: what it has been granted so far, less what is left of it (icount
// mode).
struct InstructionCount {
  bool exact = false;
  u64 granted = 0;
  u64 value(const PeState& state) const { return granted - u64(state.icount_left); }
};

class Pmu {
 public:
  static constexpr unsigned kMaxCounters = 31, kCycle = 31;
  static constexpr u16 kSwIncr = 0x00, kInstRetired = 0x08, kCpuCycles = 0x11, kChain = 0x1e;
  static constexpr u64 kPmcrE = 1, kPmcrP = 2, kPmcrC = 4, kPmcrD = 8, kPmcrDp = 32, kPmcrLc = 64;
  static constexpr u64 kUserEn = 1, kUserSw = 2, kUserCr = 4, kUserEr = 8;  // PMUSERENR_EL0

  Pmu(const CpuModel& model, const PeState& state, const InstructionCount& instructions, Clock& clock,
      IrqLine overflow);

  // PMEVTYPER filters by EL and Security state: the PE tells before it changes. `prohibited`: Secure, and
  // MDCR_EL3.SPME is 0.
  void el_changes(unsigned to, bool secure = false, bool prohibited = false) {
    unsigned where = to | (secure ? kSecure : 0) | (prohibited ? kProhibited : 0);
    if (running_.load(std::memory_order_relaxed)) el_changes_while_running(where);
    el_.store(u8(where), std::memory_order_relaxed);
  }
  void reset();
  // Brings all counters up to now and looks for overflows.
  void synchronize();

  u64 pmcr() const;
  void write_pmcr(u64 value);
  u64 enabled() const { return enabled_; }
  u64 interrupts() const { return interrupts_; }
  u64 overflows();
  // Each names counters by bits, the cycle counter is bit 31.
  void set_enabled(u64 bits);
  void clear_enabled(u64 bits);
  void set_interrupts(u64 bits);
  void clear_interrupts(u64 bits);
  void set_overflows(u64 bits);
  void clear_overflows(u64 bits);
  void software_increment(u64 bits);
  u64 counter(unsigned n);
  void set_counter(unsigned n, u64 value);
  u64 type(unsigned n) const { return types_[n & 31]; }
  void set_type(unsigned n, u64 value);

  u64 selected = 0;     // PMSELR_EL0
  u64 user_enable = 0;  // PMUSERENR_EL0
  unsigned counters() const { return counters_; }
  bool exists(u64 n) const { return n < counters_ || n == kCycle; }
  u64 implemented_mask() const { return u64{1} << kCycle | ((u64{1} << counters_) - 1); }
  u64 pmceid0() const;  // common events 0x00 to 0x1f

 private:
  enum class Source : u8 { None, Software, Instructions, Cycles, Chain };
  Source source(unsigned n) const;
  bool counts(unsigned n) const;                           // enabled, and not filtered at the current EL
  static constexpr unsigned kSecure = 4, kProhibited = 8;  // beside the EL in el_
  void el_changes_while_running(unsigned where);
  void count_up_to_now();
  void bump(unsigned n, u64 by);
  void settle();  // line, timer and the fast-path flag, after any change
  u64 ns_to_overflow(unsigned n) const;

  const CpuModel& model_;
  const PeState& state_;
  const InstructionCount& instructions_;
  Clock& clock_;
  const IrqLine overflow_;
  const unsigned counters_;
  mutable std::mutex mutex_;
  std::atomic<bool> running_{false};  // some enabled counter may advance by itself
  std::atomic<u8> el_{1};
  u64 pmcr_ = 0, enabled_ = 0, interrupts_ = 0, overflow_bits_ = 0;
  std::array<u64, 32> values_{}, types_{};
  u64 counted_ns_ = 0, counted_instructions_ = 0;
  bool level_ = false;
  Clock::Timer timer_;  // last: its callback uses the rest
};

}  // namespace sluice::cpu
