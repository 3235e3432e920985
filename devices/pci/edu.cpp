// devices/pci/edu.cpp: see edu.h.
#include "devices/pci/edu.h"

#include "base/log.h"

namespace sluice {
namespace {

constexpr u64 kComputing = 0x01, kInterruptWhenComputed = 0x80;       // status
constexpr u64 kRun = 0x1, kToMemory = 0x2, kInterruptWhenDone = 0x4;  // DMA command
constexpr u64 kFactorialInterrupt = 0x1, kDmaInterrupt = 0x100;
constexpr u64 kFirstWide = 0x80;  // from here on registers have 64 bits

unsigned long long arg(u64 value) { return value; }

}  // namespace

struct Edu::Row {
  u64 offset;
  u64 Edu::*value;          // what a read returns; nullptr: all ones
  void (Edu::*write)(u64);  // nullptr: read-only, or for a DMA address just kept
};

const Edu::Row* Edu::find(u64 offset) {
  static constexpr Row kRows[] = {
      {0x00, &Edu::identification_, nullptr},
      {0x04, &Edu::liveness_, &Edu::write_liveness},
      {0x08, &Edu::factorial_, &Edu::write_factorial},
      {0x20, &Edu::status_, &Edu::write_status},
      {0x24, &Edu::interrupts_, nullptr},
      {0x60, nullptr, &Edu::raise},
      {0x64, nullptr, &Edu::acknowledge},
      {0x80, &Edu::source_, nullptr},
      {0x88, &Edu::destination_, nullptr},
      {0x90, &Edu::count_, nullptr},
      {0x98, &Edu::command_, &Edu::write_command},
  };
  for (const Row& row : kRows)
    if (row.offset == offset) return &row;
  return nullptr;
}

Edu::Edu(PciWiring wiring, Clock& clock, u64 dma_mask)
    : PciFunction("edu", {.vendor = 0x1234, .device = 0x11e8, .revision = 0x10, .class_code = 0x00ff00},
                  std::move(wiring)),
      dma_mask_(dma_mask),
      clock_(clock),
      factorial_timer_(clock, [this] { MmioRegion::enter(lock(), [this] { finish_factorial(); }); }),
      dma_timer_(clock, [this] { MmioRegion::enter(lock(), [this] { finish_dma(); }); }) {
  add_bar(0, BarKind::Memory32, kBarSize, *this);
  add_msi();
}

void Edu::reset_device() {
  liveness_ = factorial_ = status_ = interrupts_ = 0;
  source_ = destination_ = count_ = command_ = 0;
  buffer_.fill({});
}

MemTxResult Edu::read(u64 offset, unsigned size, u64& value, MemTxAttrs) {
  const Row* row = find(offset);
  value = ~u64{0};
  if (row && row->value && (size == 4 || offset >= kFirstWide)) value = this->*row->value;
  return MemTxResult::ok();
}

MemTxResult Edu::write(u64 offset, unsigned size, u64 value, MemTxAttrs) {
  const Row* row = find(offset);
  if (!row || (size != 4 && offset < kFirstWide)) {
    guest_error("edu: %u-byte write at offset 0x%llx", size, arg(offset));
  } else if (row->write) {
    (this->*row->write)(value);
  } else if (offset < kFirstWide) {
    guest_error("edu: write to a read-only register at offset 0x%llx", arg(offset));
  } else if (!(command_ & kRun)) {
    this->*row->value = value;
  }
  return MemTxResult::ok();
}

void Edu::write_factorial(u64 value) {
  if (status_ & kComputing) return;
  factorial_ = value;
  status_ |= kComputing;
  factorial_timer_.arm(clock_.now_ns() + kFactorialNs);
}

void Edu::write_status(u64 value) { status_ = (status_ & kComputing) | (value & kInterruptWhenComputed); }

void Edu::finish_factorial() {
  if (!(status_ & kComputing)) return;  // a reset was faster
  u32 product = 1;
  // Modulo 2^32; from 34 on nothing is left.
  for (u64 n = factorial_; n > 1 && product; n--) product *= u32(n);
  if (factorial_ >= 34) product = 0;
  factorial_ = product;
  status_ &= ~kComputing;
  if (status_ & kInterruptWhenComputed) raise(kFactorialInterrupt);
}

void Edu::raise(u64 value) {
  interrupts_ |= value & 0xffffffff;
  if (interrupts_ == 0) return;
  if (msi()->enabled())
    msi()->notify();
  else
    set_intx(true);
}

void Edu::acknowledge(u64 value) {
  interrupts_ &= ~value;
  set_intx(interrupts_ != 0 && !msi()->enabled());
}

// While a transfer is under way none of its registers can be written.
void Edu::write_command(u64 value) {
  if (!(value & kRun) || command_ & kRun) return;
  command_ = value;
  dma_timer_.arm(clock_.now_ns() + kDmaNs);
}

void Edu::finish_dma() {
  if (!(command_ & kRun)) return;  // a reset was faster
  transfer();
  command_ &= ~kRun;
  if (command_ & kInterruptWhenDone) raise(kDmaInterrupt);
}

void Edu::transfer() {
  bool to_memory = command_ & kToMemory;
  u64 inside = to_memory ? source_ : destination_, outside = to_memory ? destination_ : source_;
  if (inside < kBuffer || inside - kBuffer > kBufferSize || count_ > kBufferSize - (inside - kBuffer)) {
    guest_error("edu: %llu bytes at 0x%llx are not in the buffer", arg(count_), arg(inside));
    return;
  }
  u64 address = outside & dma_mask_;
  if (address != outside) guest_error("edu: DMA address 0x%llx masked to 0x%llx", arg(outside), arg(address));
  std::span<std::byte> bytes{buffer_.data() + (inside - kBuffer), count_};
  if (!(to_memory ? dma_port().write(address, bytes) : dma_port().read(address, bytes)).is_ok())
    guest_error("edu: DMA of %llu bytes at 0x%llx failed", arg(count_), arg(address));
}

}  // namespace sluice
