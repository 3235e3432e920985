// devices/timer/pl031.h: PrimeCell Real Time Clock (PL031), Arm DDI 0224C.
// Wiring: MMIO 4 KiB; RTCINTR out (level, active high). The counter starts at a wall-clock time chosen by the
// board and follows virtual time from there.
#pragma once
#include "base/clock.h"
#include "base/wire.h"
#include "devices/register_block.h"

namespace sluice {

class Pl031 final : public RegisterDevice<Pl031> {
 public:
  static constexpr const char* kName = "pl031";
  // `start_seconds`: seconds since the Unix epoch when virtual time was 0 (see wall_clock_seconds).
  Pl031(Clock& clock, u64 start_seconds, IrqLine rtcintr);

  // Registers only: the counter is not reset with the bus (nRTCRST is a power-on reset).
  void reset();
  static u64 wall_clock_seconds();
  static RegisterTable<Pl031> registers();

 private:
  u64 virtual_seconds() const { return clock_.now_ns() / 1'000'000'000; }
  u32 read_dr() { return u32(virtual_seconds() + offset_); }
  void write_mr(RegWrite) { arm(); }
  void write_lr(RegWrite w);
  // DEVIATION: RTCCR resets to 1, not 0. The counter runs from power on, as firmware would have left it; once
  // it runs, writes have no effect.
  u32 read_cr() { return 1; }
  void write_cr(RegWrite) {}
  void write_imsc(RegWrite) { update_interrupt(); }
  u32 read_mis() { return ris_ & imsc_; }
  void write_icr(RegWrite w);
  void arm();
  void expired();
  void update_interrupt() { rtcintr_((ris_ & imsc_) != 0); }

  Clock& clock_;
  u64 offset_;  // counter = virtual seconds + offset, modulo 2^32
  u32 mr_ = 0, lr_ = 0, imsc_ = 0, ris_ = 0;
  u64 deadline_ns_ = Clock::kNever;
  IrqLine rtcintr_;
  Clock::Timer match_;  // last: destroyed first, so that no callback outlives the rest
};

}  // namespace sluice
