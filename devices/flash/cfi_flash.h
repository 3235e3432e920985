// devices/flash/cfi_flash.h: a bank of two 16-bit NOR flash chips side by side: one has bytes 0 and 1 of each
// 32-bit word, the other bytes 2 and 3. Commands are those of the Intel command set (CFI primary command set
// 0001), as of Intel StrataFlash P30 (Numonyx 306666), the query table is that of JEDEC JESD68.01.
// Wiring: 64 MiB of ROM-device memory; no interrupt.
//
// In read-array mode the bank is memory; otherwise reads come here.
// Not modelled: time (operations are over at once, so there is nothing to suspend), VPP, the one-time
// programmable registers, synchronous reads.
//
// DEVIATION: both chips always do the same, whichever lanes a command drives. Firmware for this board counts
// on it: U-Boot drives the bank as if it were one 16-bit chip.
#pragma once
#include <array>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "devices/flash/flash_store.h"
#include "memory/region.h"
#include "memory/topology.h"

namespace sluice {

class CfiFlash final : public MmioDevice {
 public:
  static constexpr unsigned kChips = 2;
  static constexpr u64 kSize = u64{64} << 20;
  static constexpr u64 kBlock = 256 << 10;  // of the bank: 128 KiB of each chip
  static constexpr unsigned kBlocks = kSize / kBlock;

  // `memory`: kSize bytes, zero as it is made.
  CfiFlash(std::string name, Topology& topology, std::shared_ptr<GuestRam> memory);

  // Before the machine runs. Without a store what the guest writes is kept until the end of the run. The
  // error is a text to print.
  Result<u64> attach(std::unique_ptr<FlashStore> store);
  const std::shared_ptr<RomDeviceRegion>& region() const { return region_; }
  GuestRam& memory() { return *memory_; }

  // Machine reset: the array is read and no block is locked; the contents stay, and reach the host file. The
  // caller holds `lock()`.
  void reset();
  std::mutex& lock() { return mutex_; }

  AccessRules access_rules() const override {
    return {.valid_min = 1,
            .valid_max = 8,
            .valid_unaligned = false,
            .impl_min = 1,
            .impl_max = 4,
            .impl_unaligned = false,
            .endian = Endian::Little};
  }
  MemTxResult read(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) override;
  MemTxResult write(u64 offset, unsigned size, u64 value, MemTxAttrs attrs) override;

 private:
  enum class Reads : u8 { Array, Status, Identifier, Query };
  // What the next write is.
  enum class Expects : u8 {
    Command,
    Word,
    EraseConfirm,
    LockSubcommand,
    BufferCount,
    BufferWord,
    BufferConfirm
  };
  struct Word {
    u64 offset;
    unsigned size;
    u32 data;
  };
  struct State {
    Reads reads = Reads::Array;
    Expects expects = Expects::Command;
    u8 status = 0;
    unsigned block = 0;  // of a buffered program
    size_t words = 0;
    std::vector<Word> buffer{};
    std::array<u8, kBlocks> lock{};  // kLocked, kLockedDown
  };

  u16 identification(u32 address) const;
  void take(const Word& w);
  void command(u8 code);
  void lock_subcommand(unsigned block, u8 code);
  void take_count(unsigned block, u16 count);
  void take_word(const Word& w);
  void sequence_error();
  void program(const std::vector<Word>& words);
  void erase(unsigned block);
  void finish(u8 error, unsigned block, const FlashStore::Change& change);
  void follow_mode();

  const std::string name_;
  Topology& topology_;
  const std::shared_ptr<GuestRam> memory_;
  std::mutex mutex_;
  std::unique_ptr<FlashStore> store_;
  std::shared_ptr<RomDeviceRegion> region_;
  State state_;
};

}  // namespace sluice
