#include "cpu/pmu.h"

#include <algorithm>

#include "base/bits.h"

namespace sluice::cpu {
namespace {

// PMEVTYPER<n>_EL0 and PMCCFILTR_EL0.
constexpr u64 kNoEl1 = u64{1} << 31, kNoEl0 = u64{1} << 30;
constexpr unsigned kP = 31, kU = 30, kNsk = 29, kNsu = 28, kM = 26;
constexpr u64 kFilterBits = kNoEl1 | kNoEl0;  // the others belong to EL2, EL3 and Secure state
constexpr u64 kEl3FilterBits = u64{1} << kNsk | u64{1} << kNsu | u64{1} << kM;
constexpr u64 kWrap32 = u64{1} << 32;
constexpr unsigned kCycleDivider = 64;  // PMCR_EL0.D

}  // namespace

Pmu::Pmu(const CpuModel& model, const PeState& state, const InstructionCount& instructions, Clock& clock,
         IrqLine overflow)
    : model_(model),
      state_(state),
      instructions_(instructions),
      clock_(clock),
      overflow_(std::move(overflow)),
      counters_(std::min<unsigned>(model.pmu_counters, kMaxCounters)),
      timer_(clock, [this] { synchronize(); }) {}

u64 Pmu::pmceid0() const {
  u64 events = u64{1} << kSwIncr | u64{1} << kCpuCycles | u64{1} << kChain;
  return instructions_.exact ? events | u64{1} << kInstRetired : events;
}

Pmu::Source Pmu::source(unsigned n) const {
  if (n == kCycle) return Source::Cycles;
  switch (extract(types_[n], 0, 16)) {
    case kSwIncr: return Source::Software;
    case kInstRetired: return instructions_.exact ? Source::Instructions : Source::None;
    case kCpuCycles: return Source::Cycles;
    case kChain: return n & 1 ? Source::Chain : Source::None;
    default: return Source::None;
  }
}

bool Pmu::counts(unsigned n) const {
  if (!(pmcr_ & kPmcrE) || !bit(enabled_, n)) return false;
  unsigned where = el_.load(std::memory_order_relaxed);
  if ((where & kProhibited) && (n != kCycle || (pmcr_ & kPmcrDp))) return false;
  // Without EL3 the bits that are compared with are 0.
  u64 type = types_[n];
  bool secure = where & kSecure;
  switch (where & 3) {
    case 0: return bit(type, kU) == (!secure && bit(type, kNsu));
    case 3: return bit(type, kM) == bit(type, kP);
    default: return bit(type, kP) == (!secure && bit(type, kNsk));
  }
}

// Adds to a counter; a carry out of bit 31 (or 63) is an overflow, and a step of the odd neighbour in a
// chain.
void Pmu::bump(unsigned n, u64 by) {
  u64 before = values_[n], after = before + by;
  if (n == kCycle) {
    values_[n] = after;
    bool carry = (pmcr_ & kPmcrLc) ? after < before : (before & (kWrap32 - 1)) + by >= kWrap32;
    if (carry) overflow_bits_ |= u64{1} << n;
    return;
  }
  values_[n] = after & (kWrap32 - 1);
  u64 carries = after / kWrap32;
  if (!carries) return;
  overflow_bits_ |= u64{1} << n;
  unsigned odd = n + 1;
  if (!(n & 1) && odd < counters_ && source(odd) == Source::Chain && counts(odd)) bump(odd, carries);
}

void Pmu::count_up_to_now() {
  u64 now = clock_.now_ns(), instructions = instructions_.exact ? instructions_.value(state_) : 0;
  u64 cycles = now - counted_ns_;
  u64 divided = now / kCycleDivider - counted_ns_ / kCycleDivider;
  u64 executed = instructions - counted_instructions_;
  counted_ns_ = now;
  counted_instructions_ = instructions;
  for (u64 left = enabled_; left; left &= left - 1) {
    unsigned n = unsigned(std::countr_zero(left));
    if (!counts(n)) continue;
    bool divide = n == kCycle && (pmcr_ & kPmcrD) && !(pmcr_ & kPmcrLc);
    if (source(n) == Source::Cycles) bump(n, divide ? divided : cycles);
    if (source(n) == Source::Instructions) bump(n, executed);
  }
}

u64 Pmu::ns_to_overflow(unsigned n) const {
  if (source(n) != Source::Cycles || !counts(n)) return Clock::kNever;
  bool chained = !(n & 1) && n + 1 < counters_ && source(n + 1) == Source::Chain && bit(interrupts_, n + 1);
  if (!bit(interrupts_, n) && !chained) return Clock::kNever;
  if (n == kCycle && (pmcr_ & kPmcrLc)) return values_[n] ? 0 - values_[n] : Clock::kNever;
  u64 left = kWrap32 - (values_[n] & (kWrap32 - 1));
  return n == kCycle && (pmcr_ & kPmcrD) ? left * kCycleDivider : left;
}

void Pmu::settle() {
  bool level = (pmcr_ & kPmcrE) && (overflow_bits_ & interrupts_) != 0;
  u64 wait = Clock::kNever;
  bool running = false;
  for (u64 left = (pmcr_ & kPmcrE) ? enabled_ : 0; left; left &= left - 1) {
    unsigned n = unsigned(std::countr_zero(left));
    running = true;
    wait = std::min(wait, ns_to_overflow(n));
  }
  running_.store(running, std::memory_order_relaxed);
  u64 deadline = counted_ns_ + wait;
  if (wait == Clock::kNever || deadline < wait)
    timer_.cancel();
  else
    timer_.arm(deadline);
  if (level != level_) {
    level_ = level;
    overflow_(level);
  }
}

void Pmu::synchronize() {
  std::lock_guard lock{mutex_};
  count_up_to_now();
  settle();
}

void Pmu::el_changes_while_running(unsigned where) {
  std::lock_guard lock{mutex_};
  count_up_to_now();
  el_.store(u8(where), std::memory_order_relaxed);
  settle();
}

void Pmu::reset() {
  std::lock_guard lock{mutex_};
  count_up_to_now();
  pmcr_ = enabled_ = interrupts_ = overflow_bits_ = 0;
  values_.fill(0);
  types_.fill(0);
  selected = user_enable = 0;
  settle();
}

u64 Pmu::pmcr() const {
  return u64(model_.pmcr_id >> 8) << 24 | u64(model_.pmcr_id & 0xff) << 16 | u64(counters_) << 11 | pmcr_;
}

void Pmu::write_pmcr(u64 value) {
  std::lock_guard lock{mutex_};
  count_up_to_now();
  if (value & kPmcrP) std::fill_n(values_.begin(), counters_, 0);
  if (value & kPmcrC) values_[kCycle] = 0;
  constexpr u64 kX = 16;
  pmcr_ = value & (kPmcrE | kPmcrD | kX | kPmcrDp | kPmcrLc);
  settle();
}

u64 Pmu::overflows() {
  std::lock_guard lock{mutex_};
  count_up_to_now();
  settle();
  return overflow_bits_;
}

void Pmu::set_enabled(u64 bits) {
  std::lock_guard lock{mutex_};
  count_up_to_now();
  enabled_ |= bits & implemented_mask();
  settle();
}

void Pmu::clear_enabled(u64 bits) {
  std::lock_guard lock{mutex_};
  count_up_to_now();
  enabled_ &= ~bits;
  settle();
}

void Pmu::set_interrupts(u64 bits) {
  std::lock_guard lock{mutex_};
  count_up_to_now();
  interrupts_ |= bits & implemented_mask();
  settle();
}

void Pmu::clear_interrupts(u64 bits) {
  std::lock_guard lock{mutex_};
  count_up_to_now();
  interrupts_ &= ~bits;
  settle();
}

void Pmu::set_overflows(u64 bits) {
  std::lock_guard lock{mutex_};
  count_up_to_now();
  overflow_bits_ |= bits & implemented_mask();
  settle();
}

void Pmu::clear_overflows(u64 bits) {
  std::lock_guard lock{mutex_};
  count_up_to_now();
  overflow_bits_ &= ~bits;
  settle();
}

void Pmu::software_increment(u64 bits) {
  std::lock_guard lock{mutex_};
  count_up_to_now();
  for (unsigned n = 0; n < counters_; n++)
    if (bit(bits, n) && counts(n) && source(n) == Source::Software) bump(n, 1);
  settle();
}

u64 Pmu::counter(unsigned n) {
  std::lock_guard lock{mutex_};
  count_up_to_now();
  settle();
  return exists(n) ? values_[n] : 0;
}

void Pmu::set_counter(unsigned n, u64 value) {
  std::lock_guard lock{mutex_};
  if (!exists(n)) return;
  count_up_to_now();
  values_[n] = n == kCycle ? value : value & (kWrap32 - 1);
  settle();
}

void Pmu::set_type(unsigned n, u64 value) {
  std::lock_guard lock{mutex_};
  if (!exists(n)) return;
  count_up_to_now();
  u64 event_bits = n == kCycle ? 0 : ones(model_.pmu_version >= 4 ? 16 : 10);
  u64 filter = kFilterBits | (model_.features.has(Feature::EL3) ? kEl3FilterBits : 0);
  types_[n] = value & (filter | event_bits);
  settle();
}

}  // namespace sluice::cpu
