// devices/gic/its.cpp: GITS_* registers and the command queue, Arm IHI 0069H.
#include "devices/gic/its.h"

#include <cstdio>

#include "base/bits.h"
#include "base/log.h"
#include "base/trace.h"
#include "devices/gic/gic_id.h"
#include "devices/gic/gicv3_lpis.h"

namespace sluice {
namespace {

Trace<u64, unsigned> trace_command{"gicv3_its_process_command", "CREADR={:#x} command={:#x}"};
Trace<u32, u32> trace_message{"gicv3_its_translation_write", "DeviceID={:#x} EventID={:#x}"};

// Control frame. Offsets of 64-bit words: GITS_CTLR is the lower and GITS_IIDR the upper half of the first.
constexpr u64 kCtlr = 0x0000, kTyper = 0x0008, kCbaser = 0x0080, kCwriter = 0x0088, kCreadr = 0x0090;
constexpr u64 kBaser = 0x0100, kBaserEnd = 0x0140, kTranslationFrame = 0x10000;

constexpr u32 kEnabled = 1 << 0, kQuiescent = 1u << 31;  // GITS_CTLR
constexpr u64 kRetry = 1, kStalled = 1, kQueueOffset = 0xf'ffe0;
constexpr u64 kValid = u64{1} << 63;
constexpr u64 kCommandSize = 32;

// GITS_CBASER: Valid, InnerCache, OuterCache, address, Shareability, Size.
constexpr u64 kCbaserWritable = 0xb8ef'ffff'ffff'fcff;
// GITS_BASER<n>: Valid, Indirect, InnerCache, OuterCache, address, Shareability, Page_Size, Size. Type and
// Entry_Size are fixed.
constexpr u64 kBaserWritable = 0xf8e0'ffff'ffff'ffff;
constexpr u64 kIndirect = u64{1} << 62;
constexpr unsigned kEntrySize = 8;
constexpr u64 kDevices = 1, kCollections = 4;  // GITS_BASER<n>.Type
constexpr u64 baser_reset(unsigned n) {
  u64 type = n == 0 ? kDevices : n == 1 ? kCollections : 0;
  return type ? type << 56 | u64{kEntrySize - 1} << 48 : 0;
}

// Physical LPIs, entries of eight bytes, PTA == 0 (Redistributors are named by number), CIL with 16 bits.
constexpr u64 kTyperValue = 1 | u64{kEntrySize - 1} << 4 | u64{Gicv3Its::kEventIdBits - 1} << 8 |
                            u64{Gicv3Its::kDeviceIdBits - 1} << 13 |
                            u64{Gicv3Its::kCollectionIdBits - 1} << 32 | u64{1} << 36;

// Commands, weighted by what they touch, that one access may do before it returns.
constexpr u64 kSlice = 256;
constexpr u64 kSliceIntervalNs = 50'000;

u64 page_size(u64 baser) {
  u64 code = extract(baser, 8, 2);
  return code == 0 ? 0x1000 : code == 1 ? 0x4000 : 0x10000;
}
// Physical_Address: bits 47:12; with 64 KiB pages bits 15:12 are bits 51:48 of the address.
u64 table_address(u64 baser) {
  u64 field = baser & 0x0000'ffff'ffff'f000;
  if (page_size(baser) != 0x10000) return field & ~(page_size(baser) - 1);
  return (field & ~u64{0xffff}) | extract(baser, 12, 4) << 48;
}

}  // namespace

Gicv3Its::Gicv3Its(Gicv3& gic, DmaPort memory, Clock& clock)
    : lpis_(*gic.lpis()), pes_(gic.pes()), memory_(memory), clock_(clock), more_(clock, [this] {
        CompletionScope completion;
        std::lock_guard held{mutex_};
        run_queue();
      }) {
  reset();
}
Gicv3Its::~Gicv3Its() = default;

void Gicv3Its::reset() {
  std::lock_guard held{mutex_};
  more_.cancel();
  enabled_ = stalled_ = false;
  cbaser_ = cwriter_ = creadr_ = 0;
  for (unsigned n = 0; n < baser_.size(); n++) baser_[n] = baser_reset(n);
}

std::string Gicv3Its::describe() {
  std::lock_guard held{mutex_};
  char line[160];
  std::snprintf(line, sizeof line,
                "ITS: %s, queue %s, %llu commands (%llu wrong), %llu messages translated, %llu dropped\n",
                enabled_ ? "enabled" : "disabled",
                stalled_     ? "stalled"
                : has_work() ? "busy"
                             : "idle",
                static_cast<unsigned long long>(commands_), static_cast<unsigned long long>(wrong_),
                static_cast<unsigned long long>(translated_), static_cast<unsigned long long>(dropped_));
  return line;
}

// --- Registers
// ------------------------------------------------------------------------------------------------

MemTxResult Gicv3Its::read(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) {
  value = 0;
  bool word = size == 4 && offset % 4 == 0, pair = size == 8 && offset % 8 == 0;
  if ((!word && !pair) || offset >= kTranslationFrame) {
    // GITS_TRANSLATER is write-only.
    guest_error("its: %u-byte read at offset 0x%x", size, unsigned(offset));
    return MemTxResult::ok();
  }
  bool peek = attrs.initiator.kind == Initiator::Kind::Debugger;
  if (align_down(offset, 8) == kCreadr && has_work() && !peek) run_queue();
  if (word && offset >= kGicIdOffset)
    value = gic_id(GicVersion::V3, u32(offset));
  else
    value = extract(read64(align_down(offset, 8)), unsigned(offset % 8) * 8, size * 8);
  return MemTxResult::ok();
}

MemTxResult Gicv3Its::write(u64 offset, unsigned size, u64 value, MemTxAttrs attrs) {
  if (offset == kTranslaterOffset && (size == 2 || size == 4)) {
    translate(attrs.requester, u32(value));
    return MemTxResult::ok();
  }
  bool word = size == 4 && offset % 4 == 0, pair = size == 8 && offset % 8 == 0;
  if ((!word && !pair) || offset >= kTranslationFrame) {
    guest_error("its: %u-byte write at offset 0x%x", size, unsigned(offset));
    return MemTxResult::ok();
  }
  u64 at = align_down(offset, 8);
  write64(at, word ? deposit(read64(at), unsigned(offset % 8) * 8, 32, value) : value);
  return MemTxResult::ok();
}

u64 Gicv3Its::read64(u64 at) const {
  if (at >= kBaser && at < kBaserEnd) return baser_[(at - kBaser) / 8];
  switch (at) {
    case kCtlr: return (enabled_ ? kEnabled : kQuiescent) | u64{kGicIidr} << 32;
    case kTyper: return kTyperValue;
    case kCbaser: return cbaser_;
    case kCwriter: return cwriter_;
    case kCreadr: return creadr_ | (stalled_ ? kStalled : 0);
    default: return 0;
  }
}

void Gicv3Its::write64(u64 at, u64 value) {
  if (at >= kBaser && at < kBaserEnd) return write_baser(unsigned((at - kBaser) / 8), value);
  switch (at) {
    case kCtlr: return write_ctlr(u32(value));
    case kCbaser: return write_cbaser(value);
    case kCwriter: return write_cwriter(value);
    default: guest_error("its: write to read-only or unknown register 0x%x", unsigned(at));
  }
}

void Gicv3Its::write_ctlr(u32 value) {
  enabled_ = value & kEnabled;
  run_queue();
}

// While Enabled is 1 writes of the base registers are UNPREDICTABLE; they are ignored.
void Gicv3Its::write_baser(unsigned n, u64 value) {
  if (!baser_reset(n)) return;  // Type == 0: RES0
  if (enabled_) return guest_error("its: write to GITS_BASER%u with Enabled == 1", n);
  if (extract(value, 8, 2) == 3) value = deposit(value, 8, 2, 2);    // reserved: treated as 64 KiB
  if (extract(value, 10, 2) == 3) value = deposit(value, 10, 2, 0);  // reserved: treated as Non-shareable
  baser_[n] = (value & kBaserWritable) | baser_reset(n);
}

void Gicv3Its::write_cbaser(u64 value) {
  if (enabled_) return guest_error("its: write to GITS_CBASER with Enabled == 1");
  if (extract(value, 10, 2) == 3) value = deposit(value, 10, 2, 0);
  cbaser_ = value & kCbaserWritable;
  creadr_ = 0;
  stalled_ = false;
}

void Gicv3Its::write_cwriter(u64 value) {
  cwriter_ = value & kQueueOffset;
  if (cwriter_ >= queue_size()) guest_error("its: GITS_CWRITER beyond the end of the queue");
  if (value & kRetry) stalled_ = false;
  run_queue();
}

// --- The command queue
// ----------------------------------------------------------------------------------------

u64 Gicv3Its::queue_size() const { return (extract(cbaser_, 0, 8) + 1) * 0x1000; }

bool Gicv3Its::has_work() const {
  return enabled_ && (cbaser_ & kValid) && !stalled_ && creadr_ != cwriter_ && cwriter_ < queue_size();
}

void Gicv3Its::run_queue() {
  for (u64 work = 0; has_work() && work < kSlice;)
    if (!run_command(work)) break;
  if (has_work())
    more_.arm(clock_.now_ns() + kSliceIntervalNs);
  else
    more_.cancel();
}

// False: the queue has stalled.
bool Gicv3Its::run_command(u64& work) {
  constexpr u64 kQueueAddress = 0x000f'ffff'ffff'f000;
  Command c;
  bool there = true;
  for (unsigned i = 0; i < c.words.size(); i++)
    there = memory_.load64((cbaser_ & kQueueAddress) + creadr_ + i * 8, c.words[i]) && there;
  Found<unsigned> done{.outcome = Outcome::Wrong, .why = "unknown command"};
  const char* name = "queue";
  if (there) trace_command(creadr_, unsigned(u8(c.words[0])));
  if (!there) done = {.outcome = Outcome::NoMemory, .why = "no memory"};
  for (const Row* row = kCommands; there && row->run; row++) {
    if (row->opcode != u8(c.words[0])) continue;
    name = row->name;
    done = (this->*row->run)(c);
  }
  work += 1 + done.value;
  if (done.outcome == Outcome::NoMemory) {
    stalled_ = true;
    guest_error("its: %s: no memory; the command queue has stalled", name);
    return false;
  }
  commands_++;
  if (done.outcome == Outcome::Wrong) {
    wrong_++;
    guest_error("its: command 0x%02x (%s): %s", unsigned(u8(c.words[0])), name, done.why);
  }
  creadr_ = (creadr_ + kCommandSize) % queue_size();
  return true;
}

// --- Messages
// -------------------------------------------------------------------------------------------------

void Gicv3Its::translate(u32 device_id, u32 event_id) {
  trace_message(device_id, event_id);
  if (!enabled_) {
    dropped_++;
    return guest_error("its: message of device 0x%x with Enabled == 0", device_id);
  }
  Found<Lpi> found = lpi(device_id, event_id);
  if (!found) {
    dropped_++;
    return guest_error("its: message 0x%x of device 0x%x: %s", event_id, device_id, found.why);
  }
  translated_++;
  lpis_.make_pending(found.value.pe, found.value.intid);
}

// Where entry `index` of a device or collection table is.
Gicv3Its::Found<Gicv3Its::Entry> Gicv3Its::table_entry(unsigned n, u64 index) const {
  u64 baser = baser_[n], page = page_size(baser), pages = extract(baser, 0, 8) + 1;
  if (!(baser & kValid)) return {.outcome = Outcome::Wrong, .why = "its table is not valid"};
  Entry e;
  u64 offset = index * kEntrySize;
  if (baser & kIndirect) {
    u64 first = offset / page * kEntrySize;
    if (first >= pages * page) return {.outcome = Outcome::Wrong, .why = "beyond its table"};
    u64 level1 = 0;
    if (!memory_.load64(table_address(baser) + first, level1))
      return {.outcome = Outcome::NoMemory, .why = "no memory for its table"};
    if (!(level1 & kValid)) return {.outcome = Outcome::Wrong, .why = "no second-level table"};
    e.address = (level1 & 0x000f'ffff'ffff'f000 & ~(page - 1)) + offset % page;
  } else {
    if (offset >= pages * page) return {.outcome = Outcome::Wrong, .why = "beyond its table"};
    e.address = table_address(baser) + offset;
  }
  if (!memory_.load64(e.address, e.value))
    return {.outcome = Outcome::NoMemory, .why = "no memory for its table"};
  return {.value = e};
}

}  // namespace sluice
