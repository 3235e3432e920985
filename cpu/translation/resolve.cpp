// Filling the TLB: stage 1, then the address space with whatever IOMMUs are in it (Arm DDI 0487,
// AArch64.TranslateAddress; memory/translate.h). An entry covers what both agree on, in its true size. Faults
// are not cached.
#include <algorithm>

#include "base/log.h"
#include "cpu/translation/inside.h"

namespace sluice::cpu {

// A hit. Entries behind IOMMUs are looked for only while there may be some.
bool Mmu::Inside::find(const Request& request, Resolved& out) {
  TranslationCache::Found found = tlb.lookup(controls.scope(), out.va);
  if (!found && variants)
    found = tlb.lookup(scope_behind_iommu(request.purpose.privilege != Privilege::El0, request.instruction()),
                       out.va);
  if (!found) return false;
  out.entry = *found.entry;
  out.id = found.id;
  out.leaf = Leaf::unpack(out.entry.payload[payload::kLeaf]);
  return true;
}

// Stage 1 alone.
bool Mmu::Inside::map(const Request& request, FillGuard* guard, u64 va, Mapping& mapping, Fault& fault) {
  if (controls.on) return walker.walk(controls, va, request.purpose, guard, mapping, fault);
  return Stage1Walker::flat(controls, va, mapping, fault) &&
         check_leaf(controls, mapping.leaf, mapping.level, request.purpose, fault);
}

Mmu::Inside::Behind Mmu::Inside::look_behind(const Request& request, u64 pa, bool ns, bool privileged,
                                             Provenance& hops) {
  RamWindow& window = memory.window(ns);
  if (window.covers(pa, 1))
    return {window.range(), Translation::Target::Ram, false,        true,
            Access::All,    window.host(pa),          window.ram(), window.offset(pa)};
  u64 generation = window.generation();
  Translation t = translate({memory.space(ns), pa, request.size, request.purpose.access,
                             attrs(ns, privileged, request.instruction()), Intent::Access});
  window.remember(pa, t, generation);
  hops = t.hops;
  return {t.block, t.target, t.read_only, t.is_ok(), t.rights, t.host, t.ram, t.offset};
}

// What is behind stage 1: makes and inserts the entry. `mapping` may be part of a leaf already (is_fragment).
bool Mmu::Inside::attach_memory(const Request& request, FillGuard& guard, const Mapping& mapping,
                                bool is_fragment, Resolved& out, Fault& fault) {
  bool privileged = request.purpose.privilege != Privilege::El0;
  u64 pa = mapping.at(out.va);
  Access access = request.purpose.access;
  Provenance hops;
  Behind b = look_behind(request, pa, mapping.leaf.ns, privileged, hops);
  out.leaf = mapping.leaf;
  out.leaf.target = u8(b.target);
  out.leaf.hops = u8(hops.size());
  out.leaf.read_only_target = b.read_only;
  u64 below = std::min(out.va - mapping.input.first, pa - b.block.first);
  u64 above = std::min(mapping.input.last - out.va, b.block.last - pa);
  CacheEntry& e = out.entry;
  e.scope = hops.empty() ? controls.scope() : scope_behind_iommu(privileged, request.instruction());
  e.scope.global = controls.on && !mapping.leaf.not_global;
  e.input = {out.va - below, out.va + above};
  e.output = pa - below;
  e.rights = b.rights;
  e.level = mapping.level;
  e.last_level = true;
  bool fragment = controls.on && (is_fragment || e.input != mapping.input);
  e.tags = tags_of(mapping.leaf, fragment);
  e.payload = {out.leaf.pack(), b.host ? reinterpret_cast<u64>(b.host - below) : 0,
               reinterpret_cast<u64>(b.ram), b.offset - below};
  out.id = {};
  out.raz_wi = b.target == Translation::Target::RazWi;
  if (!b.ok) {
    fault.kind = Fault::Kind::External;
    fault.write =
        allows(access, Access::Write) && (access == Access::Write || allows(b.rights, Access::Read));
    return false;
  }
  if (!out.raz_wi) keep(guard, hops, fragment, out);  // a refusal in silence is a fault too: not cached
  return true;
}

// Into the TLB, unless something has changed meanwhile: then what was found holds for this access alone,
// which ends before the next safe point.
void Mmu::Inside::keep(FillGuard& guard, const Provenance& hops, bool fragment, Resolved& out) {
  const CacheEntry& e = out.entry;
  EntryId id = tlb.insert(e, hops);
  if (!guard.still_valid(hops)) {
    tlb.remove(id);
    return;
  }
  out.id = id;
  if (fragment) fragments |= fragment_class(e.tags, e.level);
  variants |= !hops.empty();
  if (fetched.size() <= id.slot) fetched.resize(std::max<size_t>(id.slot + 1, fetched.size() * 2));
  fetched[id.slot] = false;
}

namespace {

void log_fill(unsigned number, const Resolved& r) {
  if (!Log::on(LogTopic::Mmu)) return;
  log_line(LogTopic::Mmu, "PE%u fill va 0x%llx..0x%llx -> pa 0x%llx, %s%u, level %u, %u hops%s", number,
           static_cast<unsigned long long>(r.entry.input.first),
           static_cast<unsigned long long>(r.entry.input.last),
           static_cast<unsigned long long>(r.entry.output), r.entry.scope.global ? "global, asid " : "asid ",
           r.entry.scope.asid, r.entry.level, r.leaf.hops, r.id ? "" : ", not kept");
}

}  // namespace

bool Mmu::Inside::resolve(const Request& request, Resolved& out, Fault& fault) {
  Access access = request.purpose.access;
  fault = {};
  fault.va = request.va;
  fault.write = access == Access::Write;
  out.va = controls.canonical(request.va, request.instruction());
  out.raz_wi = false;
  if (el0_denied(request, out.va)) [[unlikely]] {
    fault.kind = Fault::Kind::Translation;
    return false;
  }
  if (find(request, out)) [[likely]] {
    if (!check_leaf(controls, out.leaf, out.entry.level, request.purpose, fault)) return false;
    bool must_mark_dirty = out.leaf.clean && allows(access, Access::Write) && request.purpose.marks_dirty;
    bool to_rom = out.leaf.read_only_target && allows(access, Access::Write);
    if (allows(out.entry.rights, access) && !must_mark_dirty && !to_rom) return true;
    if (!must_mark_dirty) {
      // Stage 1 stands; what is behind it refuses, or has meanwhile been relaxed: it is asked, and told,
      // again.
      FillGuard guard(w.participant);
      Mapping same{
          .input = out.entry.input, .output = out.entry.output, .leaf = out.leaf, .level = out.entry.level};
      return attach_memory(request, guard, same, out.entry.tags & kTagFragment, out, fault);
    }
  }
  FillGuard guard(w.participant);
  Mapping mapping;
  bool ok = map(request, &guard, out.va, mapping, fault) &&
            attach_memory(request, guard, mapping, false, out, fault);
  if (ok)
    log_fill(w.number, out);
  else if (Log::on(LogTopic::Mmu))
    log_line(LogTopic::Mmu, "PE%u fault va 0x%llx, kind %u, level %u, access %u, EL%u, descriptor 0x%llx",
             w.number, static_cast<unsigned long long>(request.va), unsigned(fault.kind), fault.level,
             unsigned(access), w.state.el, static_cast<unsigned long long>(mapping.descriptor));
  return ok;
}

}  // namespace sluice::cpu
