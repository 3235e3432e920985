// devices/char/pl011.cpp: PrimeCell UART (PL011), Arm DDI 0183G.
#include "devices/char/pl011.h"

#include <utility>

#include "base/bits.h"

namespace sluice {
namespace {

// UARTDR: flags that travel with a character (framing and parity errors do not happen here).
constexpr u32 kDrBe = 1 << 10, kDrOe = 1 << 11;
// UARTRSR
constexpr u32 kRsrOe = 1 << 3;
// UARTFR
constexpr u32 kFrCts = 1 << 0, kFrDsr = 1 << 1, kFrDcd = 1 << 2, kFrRxfe = 1 << 4, kFrRxff = 1 << 6,
              kFrTxfe = 1 << 7, kFrRi = 1 << 8;
// UARTLCR_H
constexpr u32 kFen = 1 << 4;
// UARTCR
constexpr u32 kLbe = 1 << 7, kRxe = 1 << 9, kDtr = 1 << 10, kRts = 1 << 11, kOut1 = 1 << 12, kOut2 = 1 << 13;
constexpr u32 kSir = 0x6;
// UARTRIS and friends
constexpr u32 kIntRi = 1 << 0, kIntCts = 1 << 1, kIntDcd = 1 << 2, kIntDsr = 1 << 3, kIntRx = 1 << 4,
              kIntTx = 1 << 5, kIntRt = 1 << 6, kIntBe = 1 << 9, kIntOe = 1 << 10;

}  // namespace

RegisterTable<Pl011> Pl011::registers() {
  static constexpr auto kTable = register_table<Pl011>({
      // clang-format off
      // name          offset reset  writable  behaviour                                    DDI 0183G
      {"UARTDR",       0x000, 0x000, 0x00ff, port(&Pl011::read_dr, &Pl011::write_dr),       "3.3.1"},
      {"UARTRSR_ECR",  0x004, 0x000, 0x00ff, computed(&Pl011::read_rsr, &Pl011::write_ecr), "3.3.2"},
      {"UARTFR",       0x018, 0x000, 0x0000, computed(&Pl011::read_fr),                     "3.3.3"},
      {"UARTILPR",     0x020, 0x000, 0x00ff, stored(&Pl011::ilpr_),                         "3.3.4"},
      {"UARTIBRD",     0x024, 0x000, 0xffff, stored(&Pl011::ibrd_),                         "3.3.5"},
      {"UARTFBRD",     0x028, 0x000, 0x003f, stored(&Pl011::fbrd_),                         "3.3.6"},
      {"UARTLCR_H",    0x02c, 0x000, 0x00ff, stored(&Pl011::lcr_h_, &Pl011::write_lcr_h),   "3.3.7"},
      {"UARTCR",       0x030, 0x300, 0xff87, stored(&Pl011::cr_, &Pl011::write_cr),         "3.3.8", 1, kSir},
      {"UARTIFLS",     0x034, 0x012, 0x003f, stored(&Pl011::ifls_),                         "3.3.9"},
      {"UARTIMSC",     0x038, 0x000, 0x07ff, stored(&Pl011::imsc_, &Pl011::write_imsc),     "3.3.10"},
      {"UARTRIS",      0x03c, 0x000, 0x0000, stored(&Pl011::ris_),                          "3.3.11"},
      {"UARTMIS",      0x040, 0x000, 0x0000, computed(&Pl011::read_mis),                    "3.3.12"},
      {"UARTICR",      0x044, 0x000, 0x07ff, command(&Pl011::write_icr),                    "3.3.13"},
      {"UARTDMACR",    0x048, 0x000, 0x0007, stored(&Pl011::dmacr_),                        "3.3.14", 1, 0x3},
      {"UARTPeriphID0",0xfe0, 0x11,  0x0000, constant(),                                    "3.3.15"},
      {"UARTPeriphID1",0xfe4, 0x10,  0x0000, constant(),                                    "3.3.15"},
      {"UARTPeriphID2",0xfe8, 0x34,  0x0000, constant(),                                    "3.3.15"},
      {"UARTPeriphID3",0xfec, 0x00,  0x0000, constant(),                                    "3.3.15"},
      {"UARTPCellID0", 0xff0, 0x0d,  0x0000, constant(),                                    "3.3.16"},
      {"UARTPCellID1", 0xff4, 0xf0,  0x0000, constant(),                                    "3.3.16"},
      {"UARTPCellID2", 0xff8, 0x05,  0x0000, constant(),                                    "3.3.16"},
      {"UARTPCellID3", 0xffc, 0xb1,  0x0000, constant(),                                    "3.3.16"},
      // clang-format on
  });
  return kTable.table();
}

Pl011::Pl011(IrqLine uartintr, ByteStream& host) : uartintr_(std::move(uartintr)), host_(host) {
  reset_registers();
  host_.on_receive([this](std::span<const u8> bytes) { return receive(bytes); });
}

Pl011::~Pl011() { host_.on_receive({}); }

void Pl011::reset() {
  auto held = lock();
  reset_registers();
  rsr_ = 0;
  head_ = count_ = 0;
  overrun_ = false;
  resume_host_ = host_waits_;
  update_interrupt();
  finish(std::move(held));
}

u32 Pl011::depth() const { return lcr_h_ & kFen ? kDepth : 1; }

// UARTIFLS.RXIFLSEL in characters. With the FIFO disabled the holding register is either full or not. The
// reserved values act as the highest level.
u32 Pl011::trigger_level() const {
  if (!(lcr_h_ & kFen)) return 1;
  switch (extract(ifls_, 3, 3)) {
    case 0: return kDepth / 8;
    case 1: return kDepth / 4;
    case 2: return kDepth / 2;
    case 3: return kDepth * 3 / 4;
    default: return kDepth * 7 / 8;
  }
}

// DEVIATION: UARTCR.UARTEN is not asked for, neither here nor to transmit, because programs written for
// emulated boards use the UART without enabling it. Nothing is lost while the receiver is off: the host keeps
// the bytes.
bool Pl011::can_receive() const { return (cr_ & kRxe) && !(cr_ & kLbe) && count_ < depth(); }

void Pl011::push(u32 entry) {
  if (count_ == depth()) {
    overrun_ = true;
    rsr_ |= kRsrOe;
    ris_ |= kIntOe;
    return;
  }
  if (std::exchange(overrun_, false)) entry |= kDrOe;
  fifo_[(head_ + count_++) % kDepth] = u16(entry);
  if (count_ >= trigger_level()) ris_ |= kIntRx;
}

size_t Pl011::receive(std::span<const u8> bytes) {
  auto held = lock();
  size_t taken = 0;
  while (taken < bytes.size() && can_receive()) push(bytes[taken++]);
  host_waits_ = taken < bytes.size();
  if (taken && (lcr_h_ & kFen)) ris_ |= kIntRt;  // nothing follows: the receive timeout has passed
  if (taken) update_interrupt();
  return taken;
}

void Pl011::receive_break() {
  auto held = lock();
  if (!(cr_ & kRxe) || (cr_ & kLbe)) return;
  ris_ |= kIntBe;
  push(kDrBe);
  if (lcr_h_ & kFen) ris_ |= kIntRt;
  update_interrupt();
}

void Pl011::update_interrupt() { uartintr_((ris_ & imsc_) != 0); }

MemTxResult Pl011::read(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) {
  auto held = lock();
  value = read_locked(offset, size, attrs);
  finish(std::move(held));
  return MemTxResult::ok();
}

MemTxResult Pl011::write(u64 offset, unsigned size, u64 value, MemTxAttrs) {
  auto held = lock();
  write_locked(offset, size, value);
  finish(std::move(held));
  return MemTxResult::ok();
}

// The host stream has locks of its own and calls `receive` under them, so it is never called under ours.
void Pl011::finish(std::unique_lock<std::mutex> held) {
  bool send = std::exchange(send_, false), resume = std::exchange(resume_host_, false);
  if (resume) host_waits_ = false;
  u8 byte = send_byte_;
  held.unlock();
  if (send) host_.transmit({&byte, 1});
  if (resume) host_.resume();
}

u32 Pl011::read_dr() {
  if (count_ == 0) return 0;
  u32 entry = fifo_[head_];
  head_ = (head_ + 1) % kDepth;
  count_--;
  rsr_ = (rsr_ & kRsrOe) | u32(extract(entry, 8, 3));
  if (count_ < trigger_level()) ris_ &= ~kIntRx;
  if (count_ == 0) ris_ &= ~kIntRt;
  update_interrupt();
  resume_host_ = host_waits_ && count_ <= depth() / 2 && can_receive();
  return entry;
}

// The transmit FIFO drains at once: it is always empty, and each write passes through its trigger level.
void Pl011::write_dr(RegWrite w) {
  ris_ |= kIntTx;
  if (cr_ & kLbe) {
    if (cr_ & kRxe) push(w.value & 0xff);
    if (count_ && (lcr_h_ & kFen)) ris_ |= kIntRt;
  } else {
    // UARTLCR_H.WLEN does not cut the character: it resets to 5 bits, and early consoles write before they
    // set it.
    send_ = true;
    send_byte_ = u8(w.value);
  }
  update_interrupt();
}

// In loopback the modem outputs are the modem inputs (UARTCR.LBE); otherwise the peer is ready and there is
// no ring.
u32 Pl011::modem_status() const {
  if (!(cr_ & kLbe)) return kFrCts | kFrDsr | kFrDcd;
  return (cr_ & kRts ? kFrCts : 0) | (cr_ & kDtr ? kFrDsr : 0) | (cr_ & kOut1 ? kFrDcd : 0) |
         (cr_ & kOut2 ? kFrRi : 0);
}

u32 Pl011::read_fr() {
  return modem_status() | kFrTxfe | (count_ == 0 ? kFrRxfe : 0) | (count_ == depth() ? kFrRxff : 0);
}

// Turning the FIFOs on or off empties them (UARTLCR_H.FEN).
void Pl011::write_lcr_h(RegWrite w) {
  if (!(w.changed & kFen)) return;
  head_ = count_ = 0;
  ris_ &= ~(kIntRx | kIntRt);
  resume_host_ = host_waits_;
  update_interrupt();
}

void Pl011::write_cr(RegWrite w) {
  u32 after = modem_status();
  cr_ ^= w.changed;
  u32 toggled = after ^ modem_status();
  cr_ ^= w.changed;
  ris_ |= (toggled & kFrRi ? kIntRi : 0) | (toggled & kFrCts ? kIntCts : 0) |
          (toggled & kFrDcd ? kIntDcd : 0) | (toggled & kFrDsr ? kIntDsr : 0);
  resume_host_ = host_waits_ && can_receive();
  update_interrupt();
}

void Pl011::write_icr(RegWrite w) {
  ris_ &= ~w.value;
  update_interrupt();
}

}  // namespace sluice
