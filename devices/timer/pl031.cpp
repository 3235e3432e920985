// devices/timer/pl031.cpp: PrimeCell Real Time Clock (PL031), Arm DDI 0224C.
#include "devices/timer/pl031.h"

#include <chrono>
#include <utility>

namespace sluice {

RegisterTable<Pl031> Pl031::registers() {
  static constexpr auto kTable = register_table<Pl031>({
      // clang-format off
      // name           offset reset writable     behaviour                                      DDI 0224C
      {"RTCDR",         0x000, 0,    0,           computed(&Pl031::read_dr),                     "3.3.1"},
      {"RTCMR",         0x004, 0,    0xffff'ffff, stored(&Pl031::mr_, &Pl031::write_mr),         "3.3.2"},
      {"RTCLR",         0x008, 0,    0xffff'ffff, stored(&Pl031::lr_, &Pl031::write_lr),         "3.3.3"},
      {"RTCCR",         0x00c, 0,    0x1,         computed(&Pl031::read_cr, &Pl031::write_cr),   "3.3.4"},
      {"RTCIMSC",       0x010, 0,    0x1,         stored(&Pl031::imsc_, &Pl031::write_imsc),     "3.3.5"},
      {"RTCRIS",        0x014, 0,    0,           stored(&Pl031::ris_),                          "3.3.6"},
      {"RTCMIS",        0x018, 0,    0,           computed(&Pl031::read_mis),                    "3.3.7"},
      {"RTCICR",        0x01c, 0,    0x1,         command(&Pl031::write_icr),                    "3.3.8"},
      {"RTCPeriphID0",  0xfe0, 0x31, 0,           constant(),                                    "3.3.9"},
      {"RTCPeriphID1",  0xfe4, 0x10, 0,           constant(),                                    "3.3.9"},
      {"RTCPeriphID2",  0xfe8, 0x04, 0,           constant(),                                    "3.3.9"},
      {"RTCPeriphID3",  0xfec, 0x00, 0,           constant(),                                    "3.3.9"},
      {"RTCPCellID0",   0xff0, 0x0d, 0,           constant(),                                    "3.3.10"},
      {"RTCPCellID1",   0xff4, 0xf0, 0,           constant(),                                    "3.3.10"},
      {"RTCPCellID2",   0xff8, 0x05, 0,           constant(),                                    "3.3.10"},
      {"RTCPCellID3",   0xffc, 0xb1, 0,           constant(),                                    "3.3.10"},
      // clang-format on
  });
  return kTable.table();
}

Pl031::Pl031(Clock& clock, u64 start_seconds, IrqLine rtcintr)
    : clock_(clock),
      offset_(start_seconds),
      rtcintr_(std::move(rtcintr)),
      match_(clock, [this] { expired(); }) {
  reset_registers();
}

u64 Pl031::wall_clock_seconds() {
  using namespace std::chrono;
  return u64(duration_cast<seconds>(system_clock::now().time_since_epoch()).count());
}

void Pl031::reset() {
  auto held = lock();
  reset_registers();
  deadline_ns_ = Clock::kNever;
  match_.cancel();
  update_interrupt();
}

void Pl031::write_lr(RegWrite w) {
  offset_ = u64{w.value} - virtual_seconds();
  arm();
}

// The raw interrupt is set when the counter reaches RTCMR, which may be now.
void Pl031::arm() {
  u64 seconds = virtual_seconds();
  u32 distance = mr_ - u32(seconds + offset_);
  deadline_ns_ = (seconds + distance) * 1'000'000'000;
  if (distance) {
    match_.arm(deadline_ns_);
    return;
  }
  deadline_ns_ = Clock::kNever;
  match_.cancel();
  ris_ = 1;
  update_interrupt();
}

// A callback that was already on its way when the match moved finds its deadline in the future.
void Pl031::expired() {
  auto held = lock();
  if (clock_.now_ns() < deadline_ns_) return;
  deadline_ns_ = Clock::kNever;
  ris_ = 1;
  update_interrupt();
}

void Pl031::write_icr(RegWrite w) {
  ris_ &= ~w.value;
  update_interrupt();
}

}  // namespace sluice
