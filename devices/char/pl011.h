// devices/char/pl011.h: PrimeCell UART (PL011) r1p5, Arm DDI 0183G.
// Wiring: MMIO 4 KiB; UARTINTR out (level, active high); a ByteStream to the host.
// Not modelled: DMA, SIR, baud timing: a byte leaves as soon as it is written, and the 32-bit period of the
// receive timeout has passed as soon as the host has nothing more to give. The modem inputs see a peer that
// is always ready.
#pragma once
#include "base/wire.h"
#include "devices/register_block.h"

namespace sluice {

class Pl011 final : public RegisterDevice<Pl011> {
 public:
  static constexpr const char* kName = "pl011";
  Pl011(IrqLine uartintr, ByteStream& host);
  ~Pl011() override;

  void reset();
  // How many of `bytes` the receive FIFO took. Any thread. The host stream calls this.
  size_t receive(std::span<const u8> bytes);
  // A break condition on the line (sent by a console's escape command); taken by Linux as a SysRq prefix.
  void receive_break();

  MemTxResult read(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) override;
  MemTxResult write(u64 offset, unsigned size, u64 value, MemTxAttrs attrs) override;
  static RegisterTable<Pl011> registers();

 private:
  static constexpr u32 kDepth = 32;  // r1p5; the FIFO is a ring
  u32 depth() const;
  u32 trigger_level() const;
  bool can_receive() const;
  void push(u32 entry);
  void update_interrupt();
  // Ends an access: drops the lock and tells the host what the access left to tell.
  void finish(std::unique_lock<std::mutex> held);

  u32 read_dr();
  u32 read_rsr() { return rsr_; }
  u32 read_fr();
  u32 read_mis() { return ris_ & imsc_; }
  void write_dr(RegWrite w);
  void write_ecr(RegWrite) { rsr_ = 0; }
  void write_lcr_h(RegWrite w);
  void write_cr(RegWrite w);
  void write_imsc(RegWrite) { update_interrupt(); }
  void write_icr(RegWrite w);
  u32 modem_status() const;

  u32 rsr_ = 0, ilpr_ = 0, ibrd_ = 0, fbrd_ = 0, lcr_h_ = 0, cr_ = 0, ifls_ = 0, imsc_ = 0, ris_ = 0,
      dmacr_ = 0;
  std::array<u16, kDepth> fifo_{};  // data in 7:0, error flags in 11:8 as in UARTDR
  u32 head_ = 0, count_ = 0;
  bool overrun_ = false;     // a character was lost: UARTDR.OE goes with the next one
  bool host_waits_ = false;  // the host has bytes that did not fit
  // What the current access leaves to tell the host once the lock is dropped.
  bool resume_host_ = false, send_ = false;
  u8 send_byte_ = 0;
  IrqLine uartintr_;
  ByteStream& host_;
};

}  // namespace sluice
