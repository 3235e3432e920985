// devices/iommu/tz_mpc.cpp: TrustZone Memory Protection Controller, Arm CoreLink SIE-200.
#include "devices/iommu/tz_mpc.h"

#include <bit>
#include <cassert>

#include "base/bits.h"
#include "base/trace.h"

namespace sluice {
namespace {

Trace<u64, u64, unsigned> trace_read{"tz_mpc_reg_read", "offset={:#x} data={:#x} size={}"};
Trace<u64, u64, unsigned> trace_write{"tz_mpc_reg_write", "offset={:#x} data={:#x} size={}"};
Trace<u64, bool> trace_blocked_read{"tz_mpc_mem_blocked_read", "addr={:#x} secure={:d}"};
Trace<u64, bool> trace_blocked_write{"tz_mpc_mem_blocked_write", "addr={:#x} secure={:d}"};
Trace<u64, unsigned, bool, bool> trace_translate{"tz_mpc_translate",
                                                 "addr={:#x} rw={} secure={:d} pass={:d}"};
Trace<u64, u64, bool> trace_notify{"tz_mpc_iommu_notify", "addr={:#x} last={:#x} secure={:d}"};

// CTRL
constexpr u32 kSecResp = 1 << 4, kGateRequest = 1 << 6, kGateAck = 1 << 7, kAutoIncrement = 1 << 8;
constexpr u32 kLockdown = 1u << 31;
constexpr u32 kCtrlWritable = kSecResp | kGateRequest | kAutoIncrement | kLockdown;
// INT_INFO2
constexpr u32 kHnonsec = 1 << 16, kCfgNs = 1 << 17;

constexpr u32 kCtrl = 0x000, kBlkIdx = 0x018, kBlkLut = 0x01c, kIdBlock = 0xfd0;
// Translations reach this far at most, aligned: see run_around.
constexpr u64 kPage = 0x1000;

bool is_secure(PaSpace space) { return space == PaSpace::Secure || space == PaSpace::Root; }
// Registers whose other bytes a sub-word write keeps.
bool merges(u64 word) { return word == kCtrl || word == kBlkIdx || word == kBlkLut; }

}  // namespace

RegisterTable<TzMpc> TzMpc::registers() {
  static constexpr auto kTable = register_table<TzMpc>({
      // clang-format off
      // name       offset reset writable       behaviour                                                   101104
      {"CTRL",      0x000, 0,    kCtrlWritable, computed(&TzMpc::read_ctrl, &TzMpc::write_ctrl),            "3.4.4"},
      {"BLK_MAX",   0x010, 0,    0,             computed(&TzMpc::read_blk_max),                             "3.4.4"},
      {"BLK_CFG",   0x014, 0,    0,             computed(&TzMpc::read_blk_cfg),                             "3.4.4"},
      {"BLK_IDX",   0x018, 0,    ~u32{0},       computed(&TzMpc::read_blk_idx, &TzMpc::write_blk_idx),      "3.4.4"},
      {"BLK_LUT",   0x01c, 0,    ~u32{0},       computed(&TzMpc::read_blk_lut, &TzMpc::write_blk_lut),      "3.4.4"},
      {"INT_STAT",  0x020, 0,    0,             computed(&TzMpc::read_int_stat),                            "3.4.4"},
      {"INT_CLEAR", 0x024, 0,    1,             command(&TzMpc::write_int_clear),                           "3.4.4"},
      {"INT_EN",    0x028, 0,    1,             computed(&TzMpc::read_int_en, &TzMpc::write_int_en),        "3.4.4"},
      {"INT_INFO1", 0x02c, 0,    0,             computed(&TzMpc::read_int_info1),                           "3.4.4"},
      {"INT_INFO2", 0x030, 0,    0,             computed(&TzMpc::read_int_info2),                           "3.4.4"},
      {"INT_SET",   0x034, 0,    1,             command(&TzMpc::write_int_set),                             "3.4.4"},
      {"PIDR4",     0xfd0, 0x04, 0,             constant(),                                                 "3.4.4"},
      {"PIDR5",     0xfd4, 0x00, 0,             constant(),                                                 "3.4.4"},
      {"PIDR6",     0xfd8, 0x00, 0,             constant(),                                                 "3.4.4"},
      {"PIDR7",     0xfdc, 0x00, 0,             constant(),                                                 "3.4.4"},
      {"PIDR0",     0xfe0, 0x60, 0,             constant(),                                                 "3.4.4"},
      {"PIDR1",     0xfe4, 0xb8, 0,             constant(),                                                 "3.4.4"},
      {"PIDR2",     0xfe8, 0x1b, 0,             constant(),                                                 "3.4.4"},
      {"PIDR3",     0xfec, 0x00, 0,             constant(),                                                 "3.4.4"},
      {"CIDR0",     0xff0, 0x0d, 0,             constant(),                                                 "3.4.4"},
      {"CIDR1",     0xff4, 0xf0, 0,             constant(),                                                 "3.4.4"},
      {"CIDR2",     0xff8, 0x05, 0,             constant(),                                                 "3.4.4"},
      {"CIDR3",     0xffc, 0xb1, 0,             constant(),                                                 "3.4.4"},
      // clang-format on
  });
  return kTable.table();
}

u16 TzMpc::default_hmaster(Initiator initiator) {
  switch (initiator.kind) {
    case Initiator::Kind::Pe: return initiator.number;
    case Initiator::Kind::Device: return u16(0x8000 | initiator.number);
    case Initiator::Kind::Loader: return 0x7ffe;
    case Initiator::Kind::Debugger: break;
  }
  return 0x7fff;
}

bool TzMpc::is_valid(const Config& config) {
  return is_power_of_two(config.block_size) && config.block_size >= kMinBlock &&
         config.block_size <= kMaxBlock && config.size && config.size % config.block_size == 0 &&
         config.hmaster;
}

TzMpc::TzMpc(std::string name, InvalidationHub& hub, const AddressSpace& downstream, Config config,
             IrqLine mpc_irq)
    : IommuRegion(std::move(name), config.size, hub),
      downstream_(downstream),
      hmaster_(std::move(config.hmaster)),
      block_shift_(unsigned(std::countr_zero(config.block_size))),
      blocks_(config.size >> block_shift_),
      irq_(std::move(mpc_irq)),
      lut_((blocks_ + 31) / 32) {
  assert(is_power_of_two(config.block_size) && block_shift_ >= 5 && block_shift_ <= 20 && blocks_);
  reset();
}

void TzMpc::reset(bool non_secure) {
  CompletionScope completion;
  auto held = lock();
  ctrl_ = kAutoIncrement;
  blk_idx_ = int_stat_ = int_info1_ = int_info2_ = 0;
  int_en_ = 1;
  gate_requests_++;
  for (auto& word : lut_) word.store(non_secure ? ~u32{0} : 0, std::memory_order_release);
  gated_.store(false, std::memory_order_release);
  update_interrupt();
  hub().complete(publish_unmap({.all_indexes = true, .range = {0, u64(size() - 1)}}));
}

// --- The gate
// -------------------------------------------------------------------------------------------------

IommuIndex TzMpc::index_for(MemTxAttrs attrs) const {
  return IommuIndex(is_secure(attrs.space) ? kSecure : kNonSecure);
}

bool TzMpc::is_non_secure(u64 block) const {
  return bit(lut_[block / 32].load(std::memory_order_acquire), block % 32);
}

// What a translation may cover: the block, and where blocks are smaller than a page, its neighbours of equal
// state within the same 4 KiB. A uniform page then is one entry, and has a fast slot in a soft TLB; a mixed
// page has one per run. Not beyond the page: whoever holds the entry of one page must not lose it because a
// block of another one changes. A holder that uses all of the entry, as a PE does, so loses exactly what a
// changed block is part of; one that uses a few bytes of it, as a DMA mapping does, goes by piece_size().
InclusiveRange TzMpc::run_around(u64 input) const {
  u64 block = input >> block_shift_;
  u64 first = block, last = block;
  if (block_size() < kPage) {
    u64 low = align_down(input, kPage) >> block_shift_;
    u64 high = std::min(low + (kPage >> block_shift_), blocks_) - 1;
    bool state = is_non_secure(block);
    while (first > low && is_non_secure(first - 1) == state) first--;
    while (last < high && is_non_secure(last + 1) == state) last++;
  }
  return {first << block_shift_, (last << block_shift_) + block_size() - 1};
}

IommuEntry TzMpc::translate(Iova input, Access access, IommuIndex index, MemTxAttrs, Intent intent) const {
  if (input.value >> block_shift_ >= blocks_) return {.input = {input.value, input.value}, .output = {}};
  bool configured = is_non_secure(input.value >> block_shift_);
  // A debugger is not a transfer that the gate could hold.
  if (gated_.load(std::memory_order_acquire) && intent != Intent::Debug)
    return {.input = {0, u64(size() - 1)}, .output = {}, .reason = kGated, .detail = configured};
  InclusiveRange run = run_around(input.value);
  bool pass = configured == (index == IommuIndex(kNonSecure));
  trace_translate(input.value, unsigned(access), index == IommuIndex(kSecure), pass);
  IommuEntry entry{.input = run, .output = {run.first}};
  entry.detail = configured;
  if (pass) {
    entry.rights = Access::All;
    entry.target = &downstream_;
  } else {
    entry.reason = kSecurityViolation;
  }
  return entry;
}

// INT_INFO1 and INT_INFO2 keep the first violation until INT_CLEAR; later ones are blocked all the same.
// INT_INFO1 is the offset into the protected memory, modulo 4 GiB.
MemTxResult TzMpc::refuse(Iova input, Access access, MemTxAttrs attrs, const IommuEntry& entry) {
  auto held = lock();
  (allows(access, Access::Write) ? trace_blocked_write : trace_blocked_read)(input.value,
                                                                             is_secure(attrs.space));
  blocked_.fetch_add(1, std::memory_order_relaxed);
  // DEVIATION: a closed gate stalls transfers until it opens again. Here no transaction may wait for a
  // guest (the PE that would open the gate might be the one that waits), so it ends with a bus error,
  // whatever CTRL.SEC_RESP says: a write that is dropped in silence would be worse. It is no violation.
  // See docs/decisions/017-closed-mpc-gate.md.
  if (entry.reason == kGated) return MemTxResult::access_error();
  if (!int_stat_) {
    int_stat_ = 1;
    int_info1_ = u32(input.value);
    int_info2_ =
        hmaster_(attrs.initiator) | (is_secure(attrs.space) ? 0 : kHnonsec) | (entry.detail ? kCfgNs : 0);
    update_interrupt();
  }
  return ctrl_ & kSecResp ? MemTxResult::access_error() : MemTxResult::ok();
}

// --- The register frame
// ---------------------------------------------------------------------------------------

MemTxResult TzMpc::read(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) {
  value = 0;
  bool peek = attrs.initiator.kind == Initiator::Kind::Debugger;
  if (!is_secure(attrs.space) && offset < kIdBlock) {
    if (!peek) guest_error("%s: Non-secure read at offset 0x%x", kName, unsigned(offset));
    return MemTxResult::ok();
  }
  auto held = lock();
  value = read_locked(offset, size, attrs);
  trace_read(offset, value, size);
  if (offset == kBlkLut && size == 4 && !peek) step_blk_idx();
  return MemTxResult::ok();
}

MemTxResult TzMpc::write(u64 offset, unsigned size, u64 value, MemTxAttrs attrs) {
  if (!is_secure(attrs.space)) {
    guest_error("%s: Non-secure write at offset 0x%x", kName, unsigned(offset));
    return MemTxResult::ok();
  }
  CompletionScope
      completion;  // for who calls this outside of a transaction; otherwise that one's scope counts
  auto held = lock();
  u64 word = align_down(offset, 4);
  if (size < 4 && merges(word)) {
    u64 old = read_locked(word, 4, MemTxAttrs::debugger(PaSpace::Secure));
    write_locked(word, 4, deposit(old, unsigned(offset % 4) * 8, size * 8, value));
    return MemTxResult::ok();
  }
  trace_write(offset, value, size);
  bool steps = offset == kBlkLut && size == 4 && !locked_down();
  write_locked(offset, size, value);
  if (steps) step_blk_idx();
  return MemTxResult::ok();
}

void TzMpc::step_blk_idx() {
  if (ctrl_ & kAutoIncrement) blk_idx_ = u32((blk_idx_ + 1) % words());
}

bool TzMpc::locked_down() const { return ctrl_ & kLockdown; }

bool TzMpc::writable(const char* name) const {
  if (locked_down()) guest_error("%s: write to %s under security lockdown", kName, name);
  return !locked_down();
}

void TzMpc::write_ctrl(RegWrite w) {
  if (!writable("CTRL")) return;
  bool was_gated = ctrl_ & kGateRequest;
  ctrl_ = w.value | (ctrl_ & kGateAck);
  bool gated = ctrl_ & kGateRequest;
  if (gated == was_gated) return;
  gate_requests_++;
  gated_.store(gated, std::memory_order_release);
  if (gated)
    close_gate();
  else
    ctrl_ &= ~kGateAck;  // relaxing: nobody waits for it
}

// The acknowledge says that no transfer is under way any more: it shows when that is so.
void TzMpc::close_gate() {
  Ticket ticket = publish_unmap({.all_indexes = true, .range = {0, u64(size() - 1)}});
  hub().complete(ticket, [this, request = gate_requests_] {
    auto held = lock();
    if (request == gate_requests_) ctrl_ |= kGateAck;
  });
}

void TzMpc::write_blk_idx(RegWrite w) {
  if (w.value >= words()) guest_error("%s: BLK_IDX 0x%x is above BLK_MAX", kName, w.value);
  blk_idx_ = u32(w.value % words());
}

// Commit, then publish: exactly the changed blocks, a message for each run of them and Security state. Each
// change restricts one state, so the store retires when nobody uses the old LUT any more.
void TzMpc::write_blk_lut(RegWrite w) {
  if (!writable("BLK_LUT")) return;
  u64 base = u64{blk_idx_} * 32;
  u32 present = u32(ones(unsigned(std::min<u64>(blocks_ - base, 32))));
  u32 old = lut_[blk_idx_].exchange(w.value, std::memory_order_acq_rel);
  u32 changed = (old ^ w.value) & present;
  if (!changed) return;
  Ticket ticket;
  while (changed) {
    unsigned first = unsigned(std::countr_zero(changed));
    unsigned count = unsigned(std::countr_one(changed >> first));
    changed &= ~u32(ones(count) << first);
    InclusiveRange run{(base + first) << block_shift_, ((base + first + count) << block_shift_) - 1};
    for (Index index : {kSecure, kNonSecure}) {
      trace_notify(run.first, run.last, index == kSecure);
      ticket.merge(publish_unmap({.index = IommuIndex(index), .range = run}));
    }
  }
  hub().complete(ticket);
}

void TzMpc::write_int_clear(RegWrite w) {
  int_stat_ &= ~w.value;
  update_interrupt();
}

void TzMpc::write_int_en(RegWrite w) {
  if (!writable("INT_EN")) return;
  int_en_ = w.value;
  update_interrupt();
}

void TzMpc::write_int_set(RegWrite w) {
  int_stat_ |= w.value;
  update_interrupt();
}

std::string TzMpc::report() const {
  u64 open = 0;
  for (u64 block = 0; block < blocks_; block++) open += is_non_secure(block);
  char text[200];
  std::snprintf(text, sizeof text,
                "  %llu blocks of %llu bytes, %llu Non-secure; %s; %llu transactions blocked\n",
                static_cast<unsigned long long>(blocks_), static_cast<unsigned long long>(block_size()),
                static_cast<unsigned long long>(open), gated_.load() ? "gate closed" : "gate open",
                static_cast<unsigned long long>(blocked()));
  return text;
}

}  // namespace sluice
