#include "memory/translation_cache.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <unordered_map>

#include "memory/block_index.h"

namespace sluice {
namespace {

// Contexts: one per (world, vmid, asid or global). A family is all contexts of one (world, vmid).
struct ContextKey {
  u32 vmid, asid;
  u8 world;
  bool global;
  bool operator==(const ContextKey&) const = default;
};
struct OriginKey {
  const IommuRegion* region;
  u64 index;
  bool operator==(const OriginKey&) const = default;
};
struct KeyHash {
  size_t operator()(const ContextKey& k) const {
    return mix_hash(u64{k.vmid} << 32 | k.asid, u64{k.world} << 1 | u64{k.global});
  }
  size_t operator()(const OriginKey& k) const {
    return mix_hash(reinterpret_cast<uintptr_t>(k.region), k.index);
  }
};
ContextKey family_key(u8 world, u32 vmid) { return {vmid, 0, world, false}; }

// Its entries are in the block index only while range queries pay for that: `balance` weighs what they would
// cost without it against what it costs to keep, in hash probes.
struct Family {
  u32 space = kNil;  // of the block index
  bool indexed = false;
  i64 balance = 0;
  u32 entries = 0, context_count = 0;
  u32 contexts = kNil;
  u32 next = kNil;
  ContextKey key{};
};
struct Context {
  u32 family = kNil;
  u32 entries = kNil;  // list
  u32 count = 0;
  u32 before = kNil, after = kNil;  // in the family
  u32 next = kNil;
  bool kept = false;  // among the empty ones that are kept
  u64 classes = 0;    // sizes that it has had since it was last empty
  ContextKey key{};
};
// What was derived through one IOMMU and index.
struct Origin {
  u32 space = kNil;
  u32 count = 0;
  u32 next = kNil;
  OriginKey key{};
};
// A block of an entry, to find it by exact address in its context.
struct Probe {
  u32 entry = kNil;
  u32 context = kNil;
  u64 number = 0;
  u32 hash = 0, next = kNil;
  u32 next_of_entry = kNil;
  u8 size_class = 0;
};
struct HopRecord {
  u32 origin = kNil;
  u32 next_of_entry = kNil;
  u32 next = kNil;
};
struct Slot {
  CacheEntry entry;
  u32 generation = 0;
  u32 context = kNil;
  u32 before = kNil, after = kNil;  // in the context
  u32 probes = kNil, pieces = kNil, hops = kNil;
  u32 next = kNil;
  bool live = false;
  bool found = false;  // in the scratch list already
};

}  // namespace

// All indexes, and nothing about policy or counters.
struct TranslationCache::Index {
  Pool<Slot> slots;
  Pool<Family> families;
  Pool<Context> contexts;
  Pool<Origin> origins;
  Pool<HopRecord> hops;
  Pool<Probe> probes;
  PoolHash<Probe> probe_hash{probes};
  BlockIndex blocks;
  std::unordered_map<ContextKey, u32, KeyHash> context_of, family_of;
  std::unordered_map<OriginKey, u32, KeyHash> origin_of;
  std::unordered_map<const IommuRegion*, std::vector<u32>> origins_of_region;
  std::vector<u32> found;  // scratch of a removal
  u32 hand = 0;            // of the eviction clock

  // Recently used scopes: saves two hash look-ups per look-up.
  struct Recent {
    Scope scope{};
    u32 own = kNil, global = kNil;
    bool valid = false;
  };
  std::array<Recent, 16> recent;

  // Contexts that have become empty lately: their ASIDs are likely to be used on.
  std::array<u32, 16> kept;
  unsigned next_kept = 0;
  Index() { kept.fill(kNil); }

  // --- Contexts ---
  u32 find_context(ContextKey key) const {
    auto it = context_of.find(key);
    return it == context_of.end() ? kNil : it->second;
  }
  const Recent& contexts_for(const Scope& s) {
    Recent& r = recent[(s.asid ^ s.vmid * 5 ^ s.world * 3u) % recent.size()];
    if (!r.valid || r.scope != s) {
      r = {s, s.global ? kNil : find_context({s.vmid, s.asid, s.world, false}),
           find_context({s.vmid, 0, s.world, true}), true};
    }
    return r;
  }
  void forget_recent() {
    for (Recent& r : recent) r.valid = false;
  }
  u32 need_family(u8 world, u32 vmid);
  u32 need_context(const Scope& s);
  void leave_context(u32 id);
  void drop_context(u32 id);
  u32 need_origin(const Hop& hop);
  void leave_origin(u32 id);

  // --- Finding ---
  static u32 probe_hash_of(u32 context, unsigned size_class, u64 number) {
    return mix_hash(number, u64{context} << 8 | size_class);
  }
  template <class F>
  u32 find_probe(u32 context, unsigned size_class, u64 number, F&& also) const {
    return probe_hash.find(probe_hash_of(context, size_class, number), [&](const Probe& p) {
      return p.number == number && p.context == context && p.size_class == size_class && also(p);
    });
  }
  u32 lookup(u32 context, u64 address) const;
  void note(u32 slot) {
    if (slots[slot].found) return;
    slots[slot].found = true;
    found.push_back(slot);
  }
  void note_address(u32 context, u64 address);
  void note_range(u32 context, InclusiveRange range);
  void note_range_of_family(u32 family, InclusiveRange range);
  u64 cost_of_range(const Context& c, InclusiveRange range) const;
  bool use_blocks(u32 family, u64 cost);
  void index_family(Family& family);
  void forget_blocks(Family& family);
  void note_context(u32 context) {
    for (u32 s = contexts[context].entries; s != kNil; s = slots[s].after) note(s);
  }
  void note_family(u32 family) {
    for (u32 c = families[family].contexts; c != kNil; c = contexts[c].after) note_context(c);
  }
  void note_origin(u32 origin, InclusiveRange range) {
    blocks.query(origins[origin].space, range, [&](u32 slot) { note(slot); });
  }

  void add_piece(Slot& s, u32 space, Block block, u32 id) {
    u32 piece = blocks.insert(space, block, id);
    blocks.piece(piece).next_of_item = s.pieces;
    s.pieces = piece;
  }
  u32 add(const CacheEntry& entry, std::span<const Hop> through);
  void drop(u32 slot);
  u32 next_victim();
};

u32 TranslationCache::Index::need_family(u8 world, u32 vmid) {
  auto [it, is_new] = family_of.try_emplace(family_key(world, vmid), kNil);
  if (!is_new) return it->second;
  u32 id = it->second = families.take();
  families[id] = {.space = blocks.make_space(), .key = it->first};
  return id;
}

u32 TranslationCache::Index::need_context(const Scope& s) {
  const Recent& r = contexts_for(s);
  if (u32 known = s.global ? r.global : r.own; known != kNil) return known;
  ContextKey key{s.vmid, s.global ? 0 : s.asid, s.world, s.global};
  u32 family = need_family(s.world, s.vmid);
  u32 id = contexts.take();
  u32 head = families[family].contexts;
  contexts[id] = {.family = family, .after = head, .key = key};
  if (head != kNil) contexts[head].before = id;
  families[family].contexts = id;
  families[family].context_count++;
  context_of.emplace(key, id);
  forget_recent();
  return id;
}

// Empty contexts go, but for the latest: scopes that a guest no longer uses cost nothing.
void TranslationCache::Index::leave_context(u32 id) {
  Context& c = contexts[id];
  families[c.family].entries--;
  if (--c.count) return;
  c.classes = 0;
  if (std::exchange(c.kept, true)) return;
  u32 oldest = std::exchange(kept[next_kept++ % kept.size()], id);
  if (oldest == kNil) return;
  contexts[oldest].kept = false;
  if (!contexts[oldest].count) drop_context(oldest);
}

// And an empty family with the last of them.
void TranslationCache::Index::drop_context(u32 id) {
  Context& c = contexts[id];
  Family& family = families[c.family];
  family.context_count--;
  if (c.after != kNil) contexts[c.after].before = c.before;
  if (c.before != kNil) {
    contexts[c.before].after = c.after;
  } else {
    family.contexts = c.after;
  }
  if (family.contexts == kNil) {
    blocks.drop_space(family.space);
    family_of.erase(family.key);
    families.give_back(c.family);
  }
  context_of.erase(c.key);
  contexts.give_back(id);
  forget_recent();
}

u32 TranslationCache::Index::need_origin(const Hop& hop) {
  OriginKey key{hop.region, u64(hop.index)};
  auto [it, is_new] = origin_of.try_emplace(key, kNil);
  if (is_new) {
    it->second = origins.take();
    origins[it->second] = {.space = blocks.make_space(), .key = key};
    origins_of_region[hop.region].push_back(it->second);
  }
  origins[it->second].count++;
  return it->second;
}

void TranslationCache::Index::leave_origin(u32 id) {
  Origin& origin = origins[id];
  if (--origin.count) return;
  blocks.drop_space(origin.space);
  origin_of.erase(origin.key);
  auto siblings = origins_of_region.find(origin.key.region);
  std::erase(siblings->second, id);
  if (siblings->second.empty()) origins_of_region.erase(siblings);
  origins.give_back(id);
}

// Small blocks first: a page wins over the block around it, whichever came first.
u32 TranslationCache::Index::lookup(u32 context, u64 address) const {
  if (context == kNil) return kNil;
  for (u64 classes = contexts[context].classes; classes; classes &= classes - 1) {
    unsigned c = unsigned(std::countr_zero(classes));
    u32 probe = find_probe(context, c, address >> c, [](const Probe&) { return true; });
    if (probe != kNil) return probe;
  }
  return kNil;
}

void TranslationCache::Index::note_address(u32 context, u64 address) {
  if (context == kNil) return;
  for (u64 classes = contexts[context].classes; classes; classes &= classes - 1) {
    unsigned c = unsigned(std::countr_zero(classes));
    find_probe(context, c, address >> c, [&](const Probe& p) { return note(p.entry), false; });
  }
}

namespace {

constexpr u64 kFewProbes = 512;
constexpr i64 kProbesPerFill = 10;  // what an entry costs the block index, in and out again
// How many probes in excess, one way or the other, before a family's entries enter or leave the block index.
i64 patience(const Family& f) { return 16 * i64{f.entries} + 1024; }

u64 probes_for(const Context& c, InclusiveRange range) {
  u64 probes_needed = 0;
  for (u64 classes = c.classes; classes && probes_needed <= kFewProbes; classes &= classes - 1) {
    unsigned k = unsigned(std::countr_zero(classes));
    probes_needed += std::min<u64>((range.last >> k) - (range.first >> k), kFewProbes) + 1;
  }
  return probes_needed;
}

}  // namespace

// Without the block index.
u64 TranslationCache::Index::cost_of_range(const Context& c, InclusiveRange range) const {
  u64 probes_needed = probes_for(c, range);
  return probes_needed > kFewProbes ? c.count : std::min<u64>(probes_needed, c.count);
}

// Whether a query that costs so much without the block index is to go through it.
bool TranslationCache::Index::use_blocks(u32 id, u64 cost) {
  Family& f = families[id];
  if (f.indexed) {
    f.balance = std::min<i64>(0, f.balance + i64(cost));
    return true;
  }
  f.balance += i64(cost);
  if (f.balance <= patience(f)) return false;
  index_family(f);
  return true;
}

void TranslationCache::Index::index_family(Family& f) {
  f.indexed = true;
  f.balance = 0;
  for (u32 c = f.contexts; c != kNil; c = contexts[c].after)
    for (u32 s = contexts[c].entries; s != kNil; s = slots[s].after)
      for_each_block(slots[s].entry.input, [&](Block block) { add_piece(slots[s], f.space, block, s); });
}

void TranslationCache::Index::forget_blocks(Family& f) {
  f.indexed = false;
  f.balance = 0;
  for (u32 c = f.contexts; c != kNil; c = contexts[c].after)
    for (u32 s = contexts[c].entries; s != kNil; s = slots[s].after)
      for (u32 p = std::exchange(slots[s].pieces, kNil); p != kNil;) {
        u32 next = blocks.piece(p).next_of_item;
        if (blocks.space_of(p) == f.space) {
          blocks.erase(p);
        } else {
          blocks.piece(p).next_of_item = slots[s].pieces;
          slots[s].pieces = p;
        }
        p = next;
      }
}

void TranslationCache::Index::note_range_of_family(u32 id, InclusiveRange range) {
  u64 cost = 0;
  if (families[id].indexed)
    cost = 4 * u64{families[id].context_count};
  else
    for (u32 c = families[id].contexts; c != kNil; c = contexts[c].after)
      cost += cost_of_range(contexts[c], range);
  if (use_blocks(id, cost))
    blocks.query(families[id].space, range, [&](u32 slot) { note(slot); });
  else
    for (u32 c = families[id].contexts; c != kNil; c = contexts[c].after) note_range(c, range);
}

// Three ways to the same entries; takes the cheapest: probe every block of the range, look at every entry of
// the context, or ask the block index, which may know the whole family.
void TranslationCache::Index::note_range(u32 context, InclusiveRange range) {
  if (context == kNil) return;
  const Context& c = contexts[context];
  const u64 probes_needed = probes_for(c, range);
  if (std::min<u64>(probes_needed, c.count) > kFewProbes && use_blocks(c.family, c.count)) {
    blocks.query(families[c.family].space, range, [&](u32 slot) {
      if (slots[slot].context == context) note(slot);
    });
  } else if (probes_needed > kFewProbes || c.count <= probes_needed) {
    for (u32 s = c.entries; s != kNil; s = slots[s].after)
      if (slots[s].entry.input.overlaps(range)) note(s);
  } else {
    for (u64 classes = c.classes; classes; classes &= classes - 1) {
      unsigned k = unsigned(std::countr_zero(classes));
      for (u64 n = range.first >> k;; n++) {
        find_probe(context, k, n, [&](const Probe& p) { return note(p.entry), false; });
        if (n == range.last >> k) break;
      }
    }
  }
}

u32 TranslationCache::Index::add(const CacheEntry& entry, std::span<const Hop> through) {
  u32 id = slots.take();
  u32 context = need_context(entry.scope);
  Slot& s = slots[id];
  s.entry = entry;
  s.context = context;
  s.probes = s.pieces = s.hops = kNil;
  s.live = true;
  s.found = false;
  Context& c = contexts[context];
  c.count++;
  s.before = kNil;
  s.after = c.entries;
  if (s.after != kNil) slots[s.after].before = id;
  c.entries = id;
  Family& family = families[c.family];
  family.entries++;
  if (family.indexed && (family.balance -= kProbesPerFill) < -patience(family)) {
    forget_blocks(family);
  } else if (!family.indexed) {
    family.balance = std::max<i64>(0, family.balance - kProbesPerFill);
  }
  for_each_block(entry.input, [&](Block block) {
    u32 p = probes.take();
    Probe& probe = probes[p];
    probe.entry = id;
    probe.context = context;
    probe.number = block.number;
    probe.size_class = u8(block.size_class);
    probe.next_of_entry = s.probes;
    s.probes = p;
    probe_hash.insert(p, probe_hash_of(context, block.size_class, block.number));
    c.classes |= u64{1} << block.size_class;
    if (family.indexed) add_piece(s, family.space, block, id);
  });
  for (const Hop& hop : through) {
    u32 h = hops.take();
    u32 origin = need_origin(hop);
    hops[h].origin = origin;
    hops[h].next_of_entry = s.hops;
    s.hops = h;
    for_each_block(hop.input, [&](Block block) { add_piece(s, origins[origin].space, block, id); });
  }
  return id;
}

void TranslationCache::Index::drop(u32 id) {
  Slot& s = slots[id];
  for (u32 p = s.probes; p != kNil;) {
    u32 next = probes[p].next_of_entry;
    probe_hash.erase(p);
    probes.give_back(p);
    p = next;
  }
  for (u32 p = s.pieces; p != kNil;) {
    u32 next = blocks.piece(p).next_of_item;
    blocks.erase(p);
    p = next;
  }
  for (u32 h = s.hops; h != kNil;) {
    u32 next = hops[h].next_of_entry;
    leave_origin(hops[h].origin);
    hops.give_back(h);
    h = next;
  }
  if (s.after != kNil) slots[s.after].before = s.before;
  if (s.before != kNil) {
    slots[s.before].after = s.after;
  } else {
    contexts[s.context].entries = s.after;
  }
  leave_context(s.context);
  s.live = false;
  s.generation++;
  slots.give_back(id);
}

u32 TranslationCache::Index::next_victim() {
  for (;;) {
    hand = hand + 1 < slots.used() ? hand + 1 : 0;
    if (slots[hand].live) return hand;
  }
}

// --- TranslationCache
// ----------------------------------------------------------------------------------------

TranslationCache::TranslationCache(Policy policy, u32 capacity)
    : capacity_(capacity                    ? capacity
                : policy == Policy::Precise ? kPreciseCapacity
                                            : kDirectCapacity),
      index_(std::make_unique<Index>()) {}

TranslationCache::~TranslationCache() = default;

void TranslationCache::set_on_remove(OnRemove on_remove) { on_remove_ = std::move(on_remove); }

TranslationCache::Found TranslationCache::lookup(Scope scope, u64 address) {
  const Index::Recent& r = index_->contexts_for(scope);
  u32 own = index_->lookup(r.own, address);
  u32 shared = index_->lookup(r.global, address);
  if (own == kNil || (shared != kNil && index_->probes[shared].size_class < index_->probes[own].size_class))
    own = shared;
  if (own == kNil) {
    counters_.misses++;
    return {};
  }
  counters_.hits++;
  u32 slot = index_->probes[own].entry;
  const Slot& s = index_->slots[slot];
  return {{slot, s.generation}, &s.entry};
}

const CacheEntry* TranslationCache::get(EntryId id) const {
  if (id.slot >= index_->slots.used()) return nullptr;
  const Slot& s = index_->slots[id.slot];
  return s.live && s.generation == id.generation ? &s.entry : nullptr;
}

EntryId TranslationCache::insert(const CacheEntry& entry, std::span<const Hop> hops) {
  assert(entry.input.first <= entry.input.last);
  const Index::Recent& r = index_->contexts_for(entry.scope);
  if (u32 context = entry.scope.global ? r.global : r.own; context != kNil) {
    bool first = true;
    u32 same = kNil;
    for_each_block(entry.input, [&](Block block) {
      if (!std::exchange(first, false)) return;
      same = index_->find_probe(context, block.size_class, block.number, [&](const Probe& p) {
        return index_->slots[p.entry].entry.input == entry.input;
      });
    });
    if (same != kNil) erase(index_->probes[same].entry, RemoveReason::Replaced);
  }
  // Odd ranges need many index blocks; they count too, or a guest could grow the host through them.
  while (index_->slots.live() &&
         (index_->slots.live() >= capacity_ ||
          std::max(index_->probes.live(), index_->blocks.pieces()) > u64{8} * capacity_ + 4096))
    erase(index_->next_victim(), RemoveReason::Evicted);
  counters_.fills++;
  u32 id = index_->add(entry, hops);
  return {id, index_->slots[id].generation};
}

void TranslationCache::erase(u32 slot, RemoveReason reason) {
  const Slot& s = index_->slots[slot];
  counters_.removed[size_t(reason)]++;
  if (on_remove_) on_remove_({slot, s.generation}, s.entry, reason);
  index_->drop(slot);
}

size_t TranslationCache::remove_found(RemoveFilter filter, RemoveReason reason) {
  size_t removed = 0;
  for (u32 slot : index_->found) {
    Slot& s = index_->slots[slot];
    s.found = false;
    const CacheEntry& e = s.entry;
    if (filter.last_level_only && !e.last_level) continue;
    if (filter.level >= 0 && e.level != filter.level) continue;
    if ((e.tags & filter.tag_mask) != filter.tag_value) continue;
    erase(slot, reason);
    removed++;
  }
  index_->found.clear();
  return removed;
}

size_t TranslationCache::remove(EntryId id) {
  if (!get(id)) return 0;
  erase(id.slot, RemoveReason::Dropped);
  return 1;
}

size_t TranslationCache::remove_address(Scope scope, u64 address, RemoveFilter filter) {
  const Index::Recent& r = index_->contexts_for(scope);
  index_->note_address(r.own, address);
  index_->note_address(r.global, address);
  return remove_found(filter, RemoveReason::Address);
}

size_t TranslationCache::remove_range(Scope scope, InclusiveRange range, RemoveFilter filter) {
  if (range.first > range.last) return 0;
  const Index::Recent& r = index_->contexts_for(scope);
  index_->note_range(r.own, range);
  index_->note_range(r.global, range);
  return remove_found(filter, RemoveReason::Range);
}

size_t TranslationCache::remove_range_all_asids(u8 world, u32 vmid, InclusiveRange range,
                                                RemoveFilter filter) {
  auto family = index_->family_of.find(family_key(world, vmid));
  if (family == index_->family_of.end() || range.first > range.last) return 0;
  index_->note_range_of_family(family->second, range);
  return remove_found(filter, RemoveReason::Range);
}

size_t TranslationCache::remove_asid(u8 world, u32 vmid, u32 asid, RemoveFilter filter) {
  u32 context = index_->find_context({vmid, asid, world, false});
  if (context != kNil) index_->note_context(context);
  return remove_found(filter, RemoveReason::Asid);
}

size_t TranslationCache::remove_vmid(u8 world, u32 vmid, RemoveFilter filter) {
  auto family = index_->family_of.find(family_key(world, vmid));
  if (family != index_->family_of.end()) index_->note_family(family->second);
  return remove_found(filter, RemoveReason::Vmid);
}

size_t TranslationCache::remove_world(u8 world, RemoveFilter filter) {
  for (const auto& [key, family] : index_->family_of)
    if (key.world == world) index_->note_family(family);
  return remove_found(filter, RemoveReason::World);
}

size_t TranslationCache::remove_everything() {
  for (const auto& [key, family] : index_->family_of) index_->note_family(family);
  return remove_found({}, RemoveReason::Everything);
}

size_t TranslationCache::remove_derived(const IommuRegion* region, const IommuUnmap& unmap) {
  if (unmap.range.first > unmap.range.last) return 0;
  if (unmap.all_indexes) {
    auto all = index_->origins_of_region.find(region);
    if (all == index_->origins_of_region.end()) return 0;
    for (u32 origin : all->second) index_->note_origin(origin, unmap.range);
  } else {
    auto one = index_->origin_of.find({region, u64(unmap.index)});
    if (one == index_->origin_of.end()) return 0;
    index_->note_origin(one->second, unmap.range);
  }
  return remove_found({}, RemoveReason::Provenance);
}

size_t TranslationCache::size() const { return index_->slots.live(); }
size_t TranslationCache::indexed_families() const {
  return size_t(std::ranges::count_if(
      index_->family_of, [&](const auto& known) { return index_->families[known.second].indexed; }));
}

void TranslationCache::for_each(const std::function<void(EntryId, const CacheEntry&)>& visit) const {
  for (u32 id = 0; id < index_->slots.used(); id++)
    if (const Slot& s = index_->slots[id]; s.live) visit({id, s.generation}, s.entry);
}

}  // namespace sluice
