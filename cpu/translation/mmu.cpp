#include "cpu/translation/mmu.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/trace.h"
#include "cpu/translation/inside.h"
#include "tcg/vcpu.h"

namespace sluice::cpu {
namespace {

// The instruction, on the PE that executes it; then what each PE that it reaches has removed.
Trace<u16, std::string_view, u64, const char*> trace_tlbi{"arm_tlbi", "pe={} op={} xt={:#x} world={}"};
Trace<u16, const char*, u16, u16, u64, u64, size_t> trace_applied{
    "arm_tlbi_apply", "pe={} world={} vmid={} asid={} first={:#x} last={:#x} removed={}"};

const char* name_of(World world) {
  switch (world.regime()) {
    case Regime::El10: return world.secure() ? "EL1&0-S" : "EL1&0-NS";
    case Regime::El2: return "EL2";
    case Regime::El20: return "EL2&0";
    case Regime::El3: return "EL3";
  }
  return "?";
}

}  // namespace

Mmu::Inside::Inside(const MmuWiring& wiring)
    : w(wiring),
      tlb(wiring.direct_tlb ? TranslationCache::Policy::Direct : TranslationCache::Policy::Precise),
      walker(memory, wiring.number) {
  tlb.set_on_remove([this](EntryId id, const CacheEntry& entry, RemoveReason) { removed(id, entry); });
}

Mmu::Mmu(const MmuWiring& wiring) : in_(std::make_unique<Inside>(wiring)) {}
Mmu::~Mmu() = default;

// --- Context
// -------------------------------------------------------------------------------------------------

tcg::ContextKey Mmu::update_context() {
  Inside& in = *in_;
  PeState& s = in.w.state;
  RegimeControls& c = in.controls;
  read_controls(c, s, in.w.model, current_regime(s), s.secure);
  u8 flags = u8(c.wxn | c.secure_fetch_only << 1);
  for (unsigned n = 0; n < 2; n++)
    flags |= u8((c.range[n].el0_denied | c.range[n].tbi_data << 1 | c.range[n].tbi_instruction << 2)
                << (2 + 3 * n));
  c.view = in.number_of({c.mair, flags});
  s.bank = in.w.soft_tlb.bank_for(c.key(in.privilege(false)));
  bool as_el0 = s.el == 1 && !s.uao;
  s.unprivileged_bank = as_el0 ? in.w.soft_tlb.bank_for(c.key(Privilege::El0)) : s.bank;
  return c.key(in.fetch_privilege());
}

void Mmu::update_table_bases() { read_table_bases(in_->controls, in_->w.state); }
u16 Mmu::asid() const { return in_->controls.on ? in_->controls.asid : 0; }
u64 Mmu::contexts_replaced() const { return in_->w.soft_tlb.recycled() + in_->views_dropped; }

// Entries keep raw attributes, and what TCR_ELx decided when they were made: the architecture lets them live
// until a TLBI. What was derived from them with the old MAIR_ELx and SCTLR_ELx.WXN in mind must not be used
// with the new ones: each combination is a view, with banks and jump caches of its own. (SCTLR_ELx.M changes
// the world.)
u8 Mmu::Inside::number_of(const View& view) {
  constexpr size_t kMost = 256;
  if (latest_view < views.size() && views[latest_view] == view) [[likely]]
    return latest_view;
  auto known = std::find(views.begin(), views.end(), view);
  if (known == views.end() && views.size() == kMost) {
    w.soft_tlb.flush_all();
    if (w.state.vcpu) w.state.vcpu->forget_fetch(0, 0, kMatchEverything);
    views.clear();
    views_dropped++;
    known = views.end();
  }
  if (known == views.end()) known = views.insert(known, view);
  return latest_view = u8(known - views.begin());
}

// Of a regime that need not be the current one: those below EL3 are in the Security state that SCR_EL3 names.
RegimeControls Mmu::Inside::controls_of(Regime regime) const {
  RegimeControls c;
  const PeState& s = w.state;
  bool el3 = w.model.features.has(Feature::EL3);
  read_controls(c, s, w.model, regime, el3 && !(s.sysregs[Slot::SCR_EL3] & scr::kNs));
  return c;
}

void Mmu::reset() {
  in_->remove_everything();
  in_->pending = {};
}

// --- Removing
// ------------------------------------------------------------------------------------------------

void Mmu::Inside::removed(EntryId id, const CacheEntry& entry) {
  w.soft_tlb.remove_parent(parent_of(id));
  if (id.slot >= fetched.size() || !fetched[id.slot]) return;
  fetched[id.slot] = false;
  if (!removal) {  // replaced, or evicted
    if (w.state.vcpu)
      w.state.vcpu->forget_fetch(entry.input.first, entry.input.last - entry.input.first + 1,
                                 kMatchEverything);
    return;
  }
  const u64 pc = controls.canonical(w.state.pc, true);
  if (w.state.in_translated_code && w.state.vcpu && entry.input.contains(pc) && entry.payload[payload::kRam])
    w.state.vcpu->unlink_page(*reinterpret_cast<GuestRam*>(entry.payload[payload::kRam]),
                              entry.payload[payload::kOffset] + (pc - entry.input.first));
  Removal& r = *removal;
  r.fetched = r.any_fetched ? InclusiveRange{std::min(r.fetched.first, entry.input.first),
                                             std::max(r.fetched.last, entry.input.last)}
                            : entry.input;
  r.any_fetched = true;
  r.any_global |= entry.scope.global;
}

Mmu::Inside::Removal::~Removal() {
  in.removal = outer;
  if (!any_fetched || !in.w.state.vcpu) return;
  // A size of 2^64 wraps to 0, which means everything there too.
  in.w.state.vcpu->forget_fetch(fetched.first, fetched.last - fetched.first + 1,
                                any_global ? with_global : contexts);
  in.w.state.leave |= tcg::Leave::kToRunLoop;  // chained code of the page that runs now must not go on
}

void Mmu::Inside::remove_everything() {
  // Entry by entry would do the same; this is quicker.
  fetched.assign(fetched.size(), false);
  w.soft_tlb.flush_all();
  tlb.remove_everything();
  walker.cache().clear();
  memory.forget();
  fragments = 0;
  variants = false;
  if (w.state.vcpu) {
    w.state.vcpu->forget_fetch(0, 0, kMatchEverything);
    w.state.leave |= tcg::Leave::kToRunLoop;
  }
}

void Mmu::Inside::apply(const TlbiOperation& op) {
  bool one_asid = op.kind == TlbiKind::Asid || op.kind == TlbiKind::Va;
  tcg::ContextMatch all = match_all_asids(op.world, op.vmid);
  Removal scope(*this, one_asid ? match_asid(op.world, op.vmid, op.asid) : all, all);
  const size_t before = tlb.size();
  apply_tlbi(op, {tlb, walker.cache(), fragments, variants});
  trace_applied(w.number, name_of(op.world), op.vmid, op.asid, op.va.first, op.va.last, before - tlb.size());
}

// Entries of the changed space go if their output is in the range; what is behind an IOMMU may be in any
// space.
void Mmu::Inside::apply(const TopologyChanged& change) {
  std::vector<EntryId> gone;
  tlb.for_each([&](EntryId id, const CacheEntry& e) {
    InclusiveRange output{e.output, e.output + (e.input.last - e.input.first)};
    Leaf leaf = Leaf::unpack(e.payload[payload::kLeaf]);
    bool chained = leaf.hops, ours = !change.space || change.space == &memory.space(leaf.ns);
    if (chained || (ours && (!change.space || output.overlaps(change.range)))) gone.push_back(id);
  });
  Removal scope(*this, kMatchEverything, kMatchEverything);
  for (EntryId id : gone) tlb.remove(id);
  walker.cache().clear();
  memory.forget();
}

void Mmu::apply(const Invalidation& message) {
  Inside& in = *in_;
  if (auto* tlbi = std::get_if<Tlbi>(&message)) {
    in.apply(tlbi->operation.as<TlbiOperation>());
  } else if (auto* unmapped = std::get_if<IommuUnmapped>(&message)) {
    Inside::Removal scope(in, kMatchEverything, kMatchEverything);
    in.tlb.remove_derived(unmapped->region, unmapped->unmap);
    in.walker.cache().clear();
    in.memory.forget();
  } else if (auto* topology = std::get_if<TopologyChanged>(&message)) {
    in.apply(*topology);
  } else if (std::holds_alternative<FullFlush>(message)) {
    in.remove_everything();
  }
}

// --- TLBI
// ----------------------------------------------------------------------------------------------------

void Mmu::tlbi(SysregId id, u64 xt) {
  Inside& in = *in_;
  const TlbiRow* row = find_tlbi(id);
  if (!row) return;
  RegimeControls other;
  const RegimeControls* controls = &in.controls;
  if (row->regime != controls->world.regime()) controls = &(other = in.controls_of(row->regime));
  TlbiOperation op;
  if (!decode_tlbi(*row, xt, *controls, in.w.model, op)) return;
  trace_tlbi(in.w.number, row->name, xt, name_of(op.world));
  if (Log::on(LogTopic::Mmu))
    log_line(LogTopic::Mmu, "PE%u TLBI %.*s 0x%llx", in.w.number, int(row->name.size()), row->name.data(),
             static_cast<unsigned long long>(xt));
  in.apply(op);
  if (row->domain == TlbiDomain::Local) return;
  in.pending.merge(
      in.w.participant.hub().broadcast(Participant::Kind::Pe, Tlbi{Pod32::of(op)}, &in.w.participant));
}

bool Mmu::invalidations_pending() const {
  return in_->pending.sequence && !in_->w.participant.hub().is_complete(in_->pending);
}

void Mmu::complete_invalidations() {
  Inside& in = *in_;
  if (invalidations_pending()) {
    in.w.participant.hub().wait(in.pending);
    in.w.state.leave |= tcg::Leave::kToRunLoop;  // our own mail may have been applied meanwhile
  }
  in.pending = {};
}

// --- AT and the debugger
// -------------------------------------------------------------------------------------

namespace {

// PAR_EL1 of a translation that failed.
u64 par_fault(const Fault& fault) {
  constexpr u64 kF = 1, kRes1 = 1 << 11;
  return kF | u64(fault_status_code(fault)) << 1 | kRes1;
}

// PAR_EL1 of one that succeeded. Device and Normal Non-cacheable memory are reported as Outer Shareable.
u64 par_success(const RegimeControls& c, const Leaf& leaf, u64 pa) {
  constexpr u64 kRes1 = 1 << 11, kNs = 1 << 9;
  constexpr u8 kNormalNonCacheable = 0x44;
  u8 attribute = leaf.flat ? 0 : mair_attribute(c.mair, leaf.attr_index);
  u64 sh = is_device(attribute) || attribute == kNormalNonCacheable ? 2 : leaf.sh;
  u64 ns = leaf.ns ? kNs : 0;
  return (pa & ones(48) & ~ones(12)) | u64{attribute} << 56 | sh << 7 | ns | kRes1;
}

}  // namespace

u64 Mmu::address_translate(SysregId operation, u64 va) {
  // CRm 8: op2 is 0 S1E1R (S1E3R with op1 6), 1 S1E1W, 2 S1E0R, 3 S1E0W, with op1 4 and 4 more S12E1R and so
  // on (one stage without EL2); CRm 9: 0 S1E1RP, 1 S1E1WP.
  Inside& in = *in_;
  bool of_el3 = extract(operation.value, 11, 3) == 6;
  struct OtherRegime {  // stands in for the current one
    OtherRegime(RegimeControls& current, const RegimeControls& other)
        : current(current), saved(std::exchange(current, other)) {}
    ~OtherRegime() { current = saved; }
    RegimeControls& current;
    RegimeControls saved;
  } swapped(in.controls, in.controls_of(of_el3 ? Regime::El3 : Regime::El10));
  bool with_pan = extract(operation.value, 3, 4) == 9, el0 = bit(operation.value, 1),
       write = bit(operation.value, 0);
  Inside::Request request{va, 1, {}};
  request.purpose.access = write ? Access::Write : Access::Read;
  request.purpose.privilege = el0                          ? Privilege::El0
                              : with_pan && in.w.state.pan ? Privilege::El1Pan
                                                           : Privilege::El1;
  request.purpose.marks_dirty = false;
  Resolved r;
  Fault fault;
  r.va = in.controls.canonical(va, false);
  if (in.el0_denied(request, r.va)) {
    fault.kind = Fault::Kind::Translation;
    return par_fault(fault);
  }
  if (in.find(request, r)) {
    bool ok = check_leaf(in.controls, r.leaf, r.entry.level, request.purpose, fault);
    return ok ? par_success(in.controls, r.leaf, r.pa()) : par_fault(fault);
  }
  EpochDomain::Guard epoch(in.w.participant.hub().epochs());
  FillGuard guard(in.w.participant);
  Mapping mapping;
  // DEVIATION: an external abort on the walk is reported in PAR_EL1 as well; the architecture takes it as an
  // exception.
  if (!in.map(request, &guard, r.va, mapping, fault)) return par_fault(fault);
  return par_success(in.controls, mapping.leaf, mapping.at(r.va));
}

bool Mmu::debug_translate(u64 va, GuestPhysAddr& pa, u64& length, PaSpace& space) {
  Inside& in = *in_;
  Inside::Request request{va, 1, {}};
  request.purpose.privilege = in.fetch_privilege();
  request.purpose.intent = Intent::Debug;
  Resolved r;
  r.va = in.controls.canonical(va, false);
  Mapping mapping;
  if (in.find(request, r)) {
    mapping.input = r.entry.input;
    mapping.output = r.entry.output;
    mapping.leaf = r.leaf;
  } else {
    EpochDomain::Guard epoch(in.w.participant.hub().epochs());
    Fault fault;
    if (!in.map(request, nullptr, r.va, mapping, fault)) return false;
  }
  pa = {mapping.at(r.va)};
  space = PhysicalMemory::name(mapping.leaf.ns);
  length = mapping.input.last - r.va + 1;
  if (length == 0) length = ~u64{0};
  return true;
}

}  // namespace sluice::cpu
