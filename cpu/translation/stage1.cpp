#include "cpu/translation/stage1.h"

#include <atomic>

#include "base/log.h"
#include "base/trace.h"

namespace sluice::cpu {

namespace d = descriptor;

// Where the walk is: about to read, or having read, the descriptor of `level`.
struct Stage1Walker::Cursor {
  const VaRange* range = nullptr;
  unsigned level = 0;
  WalkCache::Table table;
  u64 address = 0;           // of the descriptor
  const u8* host = nullptr;  // the same
  u64 value = 0;
};

namespace {

Trace<unsigned, u64, unsigned, u64, u64> trace_read{"arm_ptw_read",
                                                    "pe={} va={:#x} level={} addr={:#x} descriptor={:#x}"};
Trace<unsigned, u64, u64, unsigned, u64> trace_done{"arm_ptw_done",
                                                    "pe={} va={:#x} pa={:#x} level={} size={:#x}"};
Trace<unsigned, u64, const char*, unsigned> trace_fault{"arm_ptw_fault", "pe={} va={:#x} fault={} level={}"};

const char* name_of(Fault::Kind kind) {
  switch (kind) {
    case Fault::Kind::AddressSize: return "address-size";
    case Fault::Kind::Translation: return "translation";
    case Fault::Kind::AccessFlag: return "access-flag";
    case Fault::Kind::Permission: return "permission";
    case Fault::Kind::Alignment: return "alignment";
    case Fault::Kind::ExternalOnWalk: return "external-on-walk";
    case Fault::Kind::AtomicUpdate: return "atomic-update";
    default: return "other";
  }
}

bool fail(Fault& fault, Fault::Kind kind, unsigned level) {
  fault.kind = kind;
  fault.level = u8(level);
  return false;
}

u64 load_descriptor(const u8* host, bool big_endian) {
  u64 v = std::atomic_ref(*reinterpret_cast<u64*>(const_cast<u8*>(host))).load(std::memory_order_acquire);
  return big_endian ? __builtin_bswap64(v) : v;
}

// The output address bits of a descriptor whose entry covers `shift` bits.
u64 address_bits(u64 descriptor, unsigned shift) { return descriptor & ones(48) & ~ones(shift); }

Leaf decode_leaf(const RegimeControls& c, const VaRange& range, u64 v, const TableLimits& limits) {
  Leaf leaf{};
  unsigned ap = unsigned(extract(v, d::kAp1, 2));
  // With hardware management of dirty state, DBM makes a clean page writable.
  bool clean = c.hardware_dirty && bit(v, d::kDbm) && (ap & 2);
  if (clean) ap &= 1;
  if (!c.has_el0()) ap &= 2;
  if (!range.ignore_limits) {
    if (limits.no_el0) ap &= 2;
    if (limits.read_only) ap |= 2;
  }
  leaf.ap = u8(ap & 3);
  leaf.clean = clean && !(ap & 2);
  leaf.uxn = bit(v, d::kUxn) || (limits.uxn && !range.ignore_limits);
  leaf.pxn = c.has_el0() ? bit(v, d::kPxn) || (limits.pxn && !range.ignore_limits) : leaf.uxn;
  leaf.guarded = bit(v, d::kGuarded);
  leaf.attr_index = u8(extract(v, d::kAttrIndex, 3) & 7);
  leaf.sh = u8(extract(v, d::kSh, 2) & 3);
  // What the Secure state reads from Non-secure tables is never global.
  leaf.not_global = c.has_el0() && (bit(v, d::kNg) || (limits.ns && c.world.secure()));
  leaf.ns = limits.ns || bit(v, d::kNs);
  leaf.granule = range.granule.bits;
  return leaf;
}

// The range that the leaf covers: one entry, or the contiguous group that it belongs to. A group that would
// not fit the input size, or whose output is not aligned to its size, is a programming error: then the bit is
// ignored.
void set_extent(const VaRange& range, u64 va, unsigned level, u64 v, Mapping& out) {
  unsigned shift = range.granule.shift(level);
  u64 output = address_bits(v, shift);
  unsigned group = shift + range.granule.contiguous_entries(level);
  if (bit(v, d::kContiguous) && group <= range.input_bits) {
    u64 within_group = align_down(va, u64{1} << shift) & ones(group);
    if (is_aligned(output - within_group, u64{1} << group)) {
      output -= within_group;
      shift = group;
      out.leaf.contiguous = 1;
    }
  }
  u64 first = align_down(va, u64{1} << shift);
  out.input = {first, first + ones(shift)};
  out.output = output;
}

}  // namespace

bool check_leaf(const RegimeControls& c, const Leaf& leaf, u8 level, const Purpose& p, Fault& fault) {
  bool instruction = p.access == Access::Execute;
  // Instructions from Device memory that is executable: CONSTRAINED UNPREDICTABLE; here as from Normal
  // memory.
  if (p.unaligned && !instruction && (leaf.flat || is_device(mair_attribute(c.mair, leaf.attr_index))))
    return fail(fault, Fault::Kind::Alignment, 0);
  Access rights = rights_of(leaf, p.privilege, c.wxn);
  bool refused = instruction && c.secure_fetch_only && leaf.ns;
  if (allows(rights, p.access) && !refused) return true;
  // WnR of an atomic: 0 when a read would have faulted in the same way.
  fault.write =
      allows(p.access, Access::Write) && (p.access == Access::Write || allows(rights, Access::Read));
  return fail(fault, Fault::Kind::Permission, level);
}

bool Stage1Walker::flat(const RegimeControls& c, u64 va, Mapping& out, Fault& fault) {
  if (va >> c.pa_bits) return fail(fault, Fault::Kind::AddressSize, 0);
  out = {};
  out.input = {0, ones(c.pa_bits)};
  out.leaf.flat = 1;
  out.leaf.ns = !c.world.secure();
  out.leaf.granule = 12;
  return true;
}

// The first table: of the range, or the deepest one that the walk cache knows (a trace shows all).
bool Stage1Walker::begin(const RegimeControls& c, u64 va, Cursor& at, Fault& fault) const {
  const VaRange& r = c.range_of(va);
  u64 upper_bits = &r == &c.range[1] ? ~u64{0} : 0;
  if (!r.usable || r.walks_disabled || u64(i64(va) >> r.input_bits) != upper_bits)
    return fail(fault, Fault::Kind::Translation, 0);
  at.range = &r;
  WalkCache::Key key{c.world.value, c.vmid, c.asid};
  for (unsigned level = 3; level > r.start_level && !trace_; level--) {
    if (const WalkCache::Table* known = cache_.find(key, va, r.granule.shift(level - 1))) {
      at.table = *known;
      at.level = level;
      return true;
    }
  }
  at.level = r.start_level;
  at.table = {};
  at.table.address = r.table();
  at.table.limits.ns = !c.world.secure();
  if (at.table.address >> c.output_bits) return fail(fault, Fault::Kind::AddressSize, 0);
  return true;
}

bool Stage1Walker::read(const RegimeControls& c, u64 va, Intent intent, Cursor& at, Fault& fault) {
  const VaRange& r = *at.range;
  unsigned shift = r.granule.shift(at.level);
  unsigned index_bits = at.level == r.start_level ? r.input_bits - shift : r.granule.stride();
  u64 offset = extract(va, shift, index_bits) * 8;
  at.address = at.table.address + offset;
  reads_++;
  if (at.table.host) {
    at.host = at.table.host + offset;
  } else if (RamWindow& window = memory_.window(at.table.limits.ns); window.covers(at.address, 8)) {
    at.host = window.host(at.address);
  } else {
    bool ns = at.table.limits.ns;
    u64 generation = window.generation();
    Translation t = translate({memory_.space(ns), at.address, 8, Access::Read, attrs(ns), intent});
    // A table in device memory is not read: CONSTRAINED UNPREDICTABLE, an external abort as from a bus that
    // refuses.
    if (!t.is_ok() || !t.host || t.length < 8) return fail(fault, Fault::Kind::ExternalOnWalk, at.level);
    at.host = t.host;
    window.remember(at.address, t, generation);
  }
  at.value = load_descriptor(at.host, c.big_endian);
  if (trace_) trace_->push_back({u8(at.level), at.address, at.value});
  if (intent == Intent::Access) trace_read(number_, va, at.level, at.address, at.value);
  return true;
}

// Follows table descriptors down to a leaf.
bool Stage1Walker::descend(const RegimeControls& c, u64 va, Intent intent, FillGuard* guard, Cursor& at,
                           Fault& fault) {
  const VaRange& r = *at.range;
  for (;;) {
    if (!read(c, va, intent, at, fault)) return false;
    u64 v = at.value;
    bool table_or_page = v & d::kTableOrPage;
    if (!(v & d::kValid) || (at.level == 3 && !table_or_page) ||
        (!table_or_page && !r.granule.block_allowed(at.level)))
      return fail(fault, Fault::Kind::Translation, at.level);
    if (at.level == 3 || !table_or_page) return true;
    u64 next = address_bits(v, r.granule.bits);
    if (next >> c.output_bits) return fail(fault, Fault::Kind::AddressSize, at.level);
    at.table.limits.add(v);
    at.table.address = next;
    at.table.host = nullptr;
    at.level++;
    if (guard) find_table(c, va, *guard, at);
  }
}

// Where the next table is in host memory, for this walk and for others.
void Stage1Walker::find_table(const RegimeControls& c, u64 va, FillGuard& guard, Cursor& at) {
  u64 address = at.table.address, size = u64{1} << at.range->granule.bits;
  bool ns = at.table.limits.ns;
  if (RamWindow& window = memory_.window(ns); window.covers(address, size)) {
    if (!guard.still_valid(Provenance{})) return;
    at.table.host = window.host(address);
  } else {
    Translation t = translate({memory_.space(ns), address, 8, Access::Read, attrs(ns), Intent::Prefetch});
    if (!t.is_ok() || t.target != Translation::Target::Ram || t.block.last - address < size - 1 ||
        !guard.still_valid(t.hops))
      return;
    at.table.host = t.host;
  }
  cache_.insert({c.world.value, c.vmid, c.asid}, va, at.range->granule.shift(at.level - 1), at.table);
}

// Changes the descriptor that was read to `wanted`, if it is still what was read.
Stage1Walker::Step Stage1Walker::update(const RegimeControls& c, const Cursor& at, u64 wanted, Fault& fault) {
  bool ns = at.table.limits.ns;
  Translation t = translate({memory_.space(ns), at.address, 8, Access::ReadWrite, attrs(ns), Intent::Access});
  if (!t.is_ok() || t.target != Translation::Target::Ram || t.length < 8) {
    bool refused = t.result.status == MemTxResult::Status::AccessError;
    fail(fault, refused ? Fault::Kind::ExternalOnWalk : Fault::Kind::AtomicUpdate, at.level);
    return Step::Failed;
  }
  u64 expected = c.big_endian ? __builtin_bswap64(at.value) : at.value;
  u64 desired = c.big_endian ? __builtin_bswap64(wanted) : wanted;
  std::atomic_ref word(*reinterpret_cast<u64*>(t.host));
  if (!word.compare_exchange_strong(expected, desired, std::memory_order_seq_cst)) return Step::Again;
  t.ram->note_write(t.offset, 8);
  return Step::Done;
}

Stage1Walker::Step Stage1Walker::attempt(const RegimeControls& c, u64 va, const Purpose& p, FillGuard* guard,
                                         Mapping& out, Fault& fault) {
  Cursor at;
  if (!begin(c, va, at, fault) || !descend(c, va, p.intent, guard, at, fault)) return Step::Failed;
  const VaRange& r = *at.range;
  u64 v = at.value;
  if (address_bits(v, r.granule.shift(at.level)) >> c.output_bits) {
    fail(fault, Fault::Kind::AddressSize, at.level);
    return Step::Failed;
  }
  bool debug = p.intent == Intent::Debug;
  bool set_af = !bit(v, d::kAf);
  if (set_af && !c.hardware_af && !debug) {
    fail(fault, Fault::Kind::AccessFlag, at.level);
    return Step::Failed;
  }
  out.leaf = decode_leaf(c, r, v, at.table.limits);
  out.level = u8(at.level);
  set_extent(r, va, at.level, v, out);
  if (!debug && !check_leaf(c, out.leaf, out.level, p, fault)) return Step::Failed;
  bool make_dirty = out.leaf.clean && allows(p.access, Access::Write) && p.marks_dirty;
  u64 wanted = v | (set_af ? u64{1} << d::kAf : 0);
  if (make_dirty) wanted &= ~(u64{1} << d::kAp2);
  out.descriptor = wanted;
  if (wanted == v || debug) return Step::Done;
  Step step = update(c, at, wanted, fault);
  if (make_dirty) out.leaf.clean = 0;
  return step;
}

bool Stage1Walker::walk(const RegimeControls& c, u64 va, const Purpose& p, FillGuard* guard, Mapping& out,
                        Fault& fault) {
  // Somebody else may change the descriptor between our read and our update. Whoever does so time and again
  // is not allowed to keep us here for ever.
  constexpr unsigned kAttempts = 1000;
  walks_++;
  for (unsigned n = 0; n < kAttempts; n++) {
    out = {};
    Step step = attempt(c, va, p, guard, out, fault);
    if (step == Step::Again) continue;
    if (p.intent == Intent::Access) {
      if (step == Step::Done)
        trace_done(number_, va, out.at(va), out.level, out.input.last - out.input.first + 1);
      else
        trace_fault(number_, va, name_of(fault.kind), fault.level);
    }
    if (Log::on(LogTopic::Mmu) && p.intent == Intent::Access) {
      if (step == Step::Done)
        log_line(LogTopic::Mmu, "PE%u walk va 0x%llx -> pa 0x%llx, level %u, descriptor 0x%llx", number_,
                 static_cast<unsigned long long>(va), static_cast<unsigned long long>(out.at(va)), out.level,
                 static_cast<unsigned long long>(out.descriptor));
    }
    return step == Step::Done;
  }
  return fail(fault, Fault::Kind::AtomicUpdate, out.level);
}

}  // namespace sluice::cpu
