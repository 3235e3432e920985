// devices/flash/cfi_flash.cpp: see cfi_flash.h. Names of commands and bits are those of the P30 data sheet.
#include "devices/flash/cfi_flash.h"

#include <algorithm>
#include <cstring>

#include "base/bits.h"
#include "base/log.h"
#include "base/trace.h"

namespace sluice {
namespace {

const Trace<std::string, u64, unsigned, u64> trace_read{"pflash_io_read",
                                                        "name={} offset={:#x} size={} value={:#x}"};
const Trace<std::string, u64, unsigned, u64> trace_write{"pflash_io_write",
                                                         "name={} offset={:#x} size={} value={:#x}"};
const Trace<std::string, bool> trace_mode{"pflash_mode_read_array", "name={} on={}"};
const Trace<std::string, u64> trace_erase{"pflash_sector_erase_start", "name={} offset={:#x}"};
const Trace<std::string, u64, u64> trace_program{"pflash_write", "name={} offset={:#x} length={}"};

// Status register.
constexpr u8 kReady = 1 << 7, kEraseError = 1 << 5, kProgramError = 1 << 4, kLockedError = 1 << 1;
// Block lock status, as the identifier mode shows it.
constexpr u8 kLocked = 1, kLockedDown = 2;
constexpr u16 kManufacturer = 0x89, kDevice = 0x18;

constexpr u32 kBothChips = 0x10001;
constexpr u32 kWordsOfBlock = CfiFlash::kBlock / 4;
constexpr size_t kBufferWords = 512;  // of each chip, and writes to the bank
constexpr u8 kBufferLog2 = 10;        // the same in bytes
constexpr u8 kChipLog2 = 25;
constexpr u32 kQueryWords = 0x100;  // the table repeats

static_assert(kBufferWords * 2 == 1 << kBufferLog2);
static_assert(CfiFlash::kSize / CfiFlash::kChips == u64{1} << kChipLog2);

// JESD68.01 tables 1 to 4, then the vendor's extension at 0x31 (version 1.0).
constexpr std::array<u8, kQueryWords> make_query() {
  constexpr u8 kTable = 0x31;
  std::array<u8, kQueryWords> q{};
  q[0x00] = kManufacturer, q[0x01] = kDevice;
  q[0x10] = 'Q', q[0x11] = 'R', q[0x12] = 'Y';
  q[0x13] = 0x01;                  // command set 0001, Intel
  q[0x15] = kTable;                // where its extension is
  q[0x1b] = 0x17, q[0x1c] = 0x20;  // VCC 1.7 V to 2.0 V
  // Typical times 2^n: of a word in us, of a buffer in us, of a block in ms; the longest are 2^4 times that.
  q[0x1f] = 4, q[0x20] = 6, q[0x21] = 1;
  q[0x23] = 4, q[0x24] = 4, q[0x25] = 4;
  q[0x27] = kChipLog2;
  q[0x28] = 0x01;  // x16
  q[0x2a] = kBufferLog2;
  q[0x2c] = 1;  // one region: number of blocks - 1, and size / 256
  q[0x2d] = u8(CfiFlash::kBlocks - 1);
  q[0x30] = u8(CfiFlash::kBlock / CfiFlash::kChips / 256 >> 8);
  q[kTable] = 'P', q[kTable + 1] = 'R', q[kTable + 2] = 'I';
  q[kTable + 3] = '1', q[kTable + 4] = '0';
  q[kTable + 5] = 1 << 5;  // instant individual block locking
  q[kTable + 10] = kLocked | kLockedDown;
  q[kTable + 12] = 0x18;  // VCC 1.8 V
  return q;
}
constexpr auto kQuery = make_query();

unsigned block_of(u64 offset) { return unsigned(offset / CfiFlash::kBlock); }

}  // namespace

CfiFlash::CfiFlash(std::string name, Topology& topology, std::shared_ptr<GuestRam> memory)
    : name_(std::move(name)), topology_(topology), memory_(std::move(memory)), state_{.status = kReady} {
  region_ = std::make_shared<RomDeviceRegion>(name_, memory_, *this, &mutex_);
}

Result<u64> CfiFlash::attach(std::unique_ptr<FlashStore> store) {
  store_ = std::move(store);
  return store_->load(memory_->host());
}

void CfiFlash::reset() {
  state_ = {.status = kReady};
  follow_mode();
  if (store_) static_cast<void>(store_->checkpoint());  // what fails is in the journal
}

void CfiFlash::follow_mode() {
  const bool array = state_.reads == Reads::Array;
  if (array == region_->reads_memory()) return;
  trace_mode(name_, array);
  Topology::Transaction{topology_}.set_reads_memory(*region_, array);
}

// --- Reads ---

// Of one chip, by its word address.
u16 CfiFlash::identification(u32 address) const {
  // Word 2 of every block is its lock status; the rest is the same everywhere.
  if (address % kWordsOfBlock == 2) return state_.lock[address / kWordsOfBlock];
  const u32 at = address % kQueryWords;
  if (state_.reads == Reads::Identifier && at > 1) return 0;
  return kQuery[at];
}

MemTxResult CfiFlash::read(u64 offset, unsigned size, u64& value, MemTxAttrs) {
  u32 word = 0;
  switch (state_.reads) {
    case Reads::Array: std::memcpy(&word, memory_->host() + align_down(offset, 4), sizeof word); break;
    case Reads::Status: word = state_.status * kBothChips; break;
    case Reads::Identifier:
    case Reads::Query: word = identification(u32(offset / 4)) * kBothChips; break;
  }
  value = word >> (8 * (offset % 4)) & ones(8 * size);
  trace_read(name_, offset, size, value);
  return MemTxResult::ok();
}

// --- Writes ---

MemTxResult CfiFlash::write(u64 offset, unsigned size, u64 value, MemTxAttrs) {
  trace_write(name_, offset, size, value);
  take({offset, size, u32(value)});
  follow_mode();
  return MemTxResult::ok();
}

void CfiFlash::take(const Word& w) {
  const unsigned block = block_of(w.offset);
  const u8 code = u8(w.data);
  switch (state_.expects) {
    case Expects::Command: return command(code);
    case Expects::Word: return program({w});
    case Expects::EraseConfirm: return code == 0xd0 ? erase(block) : sequence_error();
    case Expects::LockSubcommand: return lock_subcommand(block, code);
    case Expects::BufferCount: return take_count(block, u16(w.data));
    case Expects::BufferWord: return take_word(w);
    case Expects::BufferConfirm:
      // Wherever it is written: EDK2 writes it to the start of the bank.
      return code == 0xd0 ? program(state_.buffer) : sequence_error();
  }
}

void CfiFlash::command(u8 code) {
  auto set_up = [&](Expects next) { state_.reads = Reads::Status, state_.expects = next; };
  switch (code) {
    case 0xff: state_.reads = Reads::Array; return;
    case 0x70: state_.reads = Reads::Status; return;
    case 0x90: state_.reads = Reads::Identifier; return;
    case 0x98: state_.reads = Reads::Query; return;
    case 0x50: state_.status = kReady; return;
    case 0x10:
    case 0x40: return set_up(Expects::Word);
    case 0xe8: return set_up(Expects::BufferCount);
    case 0x20: return set_up(Expects::EraseConfirm);
    case 0x60: return set_up(Expects::LockSubcommand);
    case 0xb0:  // suspend, resume: everything is over already
    case 0xd0: state_.reads = Reads::Status; return;
    default: break;
  }
  // 0xf0 is "read array" of other vendors' chips: drivers that do not know yet what is there write it.
  if (code != 0xf0) guest_error("%s: command 0x%02x", name_.c_str(), unsigned(code));
  state_.reads = Reads::Array;
}

// Both error bits: a command that does not end as it has to.
void CfiFlash::sequence_error() {
  guest_error("%s: wrong sequence of commands", name_.c_str());
  state_.status |= kEraseError | kProgramError;
  state_.expects = Expects::Command;
}

void CfiFlash::lock_subcommand(unsigned block, u8 code) {
  u8& lock = state_.lock[block];
  state_.expects = Expects::Command;
  switch (code) {
    case 0x01: lock |= kLocked; return;
    case 0x2f: lock |= kLocked | kLockedDown; return;
    case 0xd0:
      // Locked down stays so until the next reset: WP# is low.
      if (!(lock & kLockedDown)) lock = 0;
      return;
    case 0x03: return;  // read configuration register: nothing in it is modelled
    default: return sequence_error();
  }
}

void CfiFlash::take_count(unsigned block, u16 count) {
  if (count >= kBufferWords) return sequence_error();
  state_.words = count + size_t{1};
  state_.block = block;
  state_.buffer.clear();
  state_.expects = Expects::BufferWord;
}

void CfiFlash::take_word(const Word& w) {
  if (block_of(w.offset) != state_.block) return sequence_error();
  state_.buffer.push_back(w);
  if (state_.buffer.size() == state_.words) state_.expects = Expects::BufferConfirm;
}

// --- Operations. All of them end in status mode, and one that fails changes nothing. ---

// All words are in one block. Programming clears bits and sets none.
void CfiFlash::program(const std::vector<Word>& words) {
  u64 first = words[0].offset, end = first;
  for (const Word& w : words) first = std::min(first, w.offset), end = std::max(end, w.offset + w.size);
  std::vector<u8> bytes(memory_->host() + first, memory_->host() + end);
  for (const Word& w : words)
    for (unsigned i = 0; i < w.size; i++) bytes[w.offset - first + i] &= u8(w.data >> (8 * i));
  trace_program(name_, first, end - first);
  finish(kProgramError, block_of(first), {.offset = first, .length = end - first, .bytes = bytes});
}

void CfiFlash::erase(unsigned block) {
  trace_erase(name_, block * kBlock);
  finish(kEraseError, block, {.offset = block * kBlock, .length = kBlock, .fill = 0xff});
}

void CfiFlash::finish(u8 error, unsigned block, const FlashStore::Change& change) {
  state_.expects = Expects::Command;
  const bool write_protected = store_ && store_->read_only();
  if (state_.lock[block] & kLocked || write_protected) {
    guest_error("%s: block %u is %s", name_.c_str(), block, write_protected ? "write protected" : "locked");
    state_.status |= error | kLockedError;
    return;
  }
  if (!store_) {
    FlashStore::apply(memory_->host(), change);
  } else if (store_->change(change) != BlockStatus::Ok) {
    state_.status |= error;
  }
  memory_->note_write(change.offset, change.length);
}

}  // namespace sluice
