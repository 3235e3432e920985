// `info tlb` and `info mem`.
#include <algorithm>

#include "cpu/translation/inside.h"
#include "memory/report_text.h"

namespace sluice::cpu {
namespace {

std::string size_text(u64 bytes) {
  const char* units[] = {"", "K", "M", "G", "T"};
  unsigned n = 0;
  while (n < 4 && bytes && bytes % 1024 == 0) bytes /= 1024, n++;
  return std::to_string(bytes) + units[n];
}

unsigned long long ull(u64 v) { return v; }

std::string line_of(const CacheEntry& e, const RegimeControls& c) {
  Leaf leaf = Leaf::unpack(e.payload[payload::kLeaf]);
  std::string line;
  append(line, "%016llx-%016llx -> %012llx %5s", ull(e.input.first), ull(e.input.last), ull(e.output),
         size_text(e.input.last - e.input.first + 1).c_str());
  append(line, "  EL1 %s EL0 %s", rights_text(rights_of(leaf, Privilege::El1, c.wxn) & e.rights).c_str(),
         rights_text(rights_of(leaf, Privilege::El0, c.wxn) & e.rights).c_str());
  if (leaf.flat)
    append(line, "  mmu off ");
  else if (e.scope.global)
    append(line, "  global  ");
  else
    append(line, "  asid %-3u", e.scope.asid);
  // Of another regime or Security state MAIR_ELx is not at hand, or another one.
  World world{e.scope.world};
  bool current = world.regime() == c.world.regime() && world.secure() == c.world.secure();
  const char* type = current ? name_of_memory_type(mair_attribute(c.mair, leaf.attr_index)) : "";
  if (!leaf.flat)
    append(line, "  attr %u %s  L%u%s", leaf.attr_index, type, e.level, leaf.contiguous ? " contiguous" : "");
  if (world.secure())
    append(line, "  %s%s", world.regime() == Regime::El3 ? "EL3" : "Secure", leaf.ns ? " to NS" : "");
  if (leaf.guarded) line += " guarded";
  if (leaf.clean) line += " clean";
  if (e.tags & kTagFragment) line += " fragment";
  if (leaf.hops) append(line, " %u hop%s", leaf.hops, leaf.hops > 1 ? "s" : "");
  return line + "\n";
}

// A stretch of `info mem`: neighbours with the same rights and type are one.
struct Stretch {
  u64 first = 0, last = 0, next_output = 0;
  std::string what;
};

}  // namespace

std::string Mmu::describe_tlb(size_t limit) const {
  std::vector<CacheEntry> entries;
  in_->tlb.for_each([&](EntryId, const CacheEntry& e) { entries.push_back(e); });
  std::sort(entries.begin(), entries.end(), [](const CacheEntry& a, const CacheEntry& b) {
    return a.input.first != b.input.first ? a.input.first < b.input.first : a.scope.asid < b.scope.asid;
  });
  std::string text;
  for (size_t n = 0; n < entries.size() && n < limit; n++) text += line_of(entries[n], in_->controls);
  if (entries.size() > limit) append(text, "... %zu more\n", entries.size() - limit);
  const TranslationCache::Counters& counters = in_->tlb.counters();
  append(text,
         "%zu entries, %llu fills, %llu hits, %llu misses, %llu evicted; %llu walks, %llu descriptors read\n",
         entries.size(), ull(counters.fills), ull(counters.hits), ull(counters.misses),
         ull(counters.evicted()), ull(in_->walker.walks()), ull(in_->walker.descriptors_read()));
  return text;
}

Mmu::Explanation Mmu::explain(u64 va, Access access) {
  Inside& in = *in_;
  EpochDomain::Guard epoch(in.w.participant.hub().epochs());
  Explanation e;
  Inside::Request request{va, 1, {}};
  request.purpose.access = access;
  request.purpose.privilege = access == Access::Execute ? in.fetch_privilege() : in.privilege(false);
  request.purpose.intent = Intent::Debug;
  const u64 address = in.controls.canonical(va, access == Access::Execute);
  Resolved cached;
  cached.va = address;
  append(e.text, "  0x%016llx, EL%u %s", ull(va), unsigned(in.w.state.el),
         in.controls.on ? "stage 1" : "stage 1 is off");
  if (in.controls.on) append(e.text, ", ASID %u", in.controls.scope().asid);
  e.text += in.find(request, cached) ? ", cached in the TLB\n" : "\n";
  std::vector<Stage1Walker::DescriptorRead> reads;
  Mapping mapping;
  Fault fault;
  in.walker.trace(&reads);
  const bool mapped = in.map(request, nullptr, address, mapping, fault);
  in.walker.trace(nullptr);
  for (const Stage1Walker::DescriptorRead& r : reads)
    append(e.text, "     level %u descriptor at 0x%llx: %016llx\n", r.level, ull(r.address), ull(r.value));
  if (!mapped || !check_leaf(in.controls, mapping.leaf, mapping.level, request.purpose, fault)) {
    append(e.text, "  => denied by stage 1: fault status 0x%02x, level %u\n", fault_status_code(fault),
           fault.level);
    return e;
  }
  e.output = mapping.at(address);
  e.attrs = in.attrs(mapping.leaf.ns, request.purpose.privilege != Privilege::El0, access == Access::Execute);
  append(e.text, "     block 0x%llx-0x%llx %s -> 0x%llx\n", ull(mapping.input.first), ull(mapping.input.last),
         rights_text(rights_of(mapping.leaf, request.purpose.privilege, in.controls.wxn)).c_str(),
         ull(*e.output));
  return e;
}

// Follows the current tables from both ends of the address map. Tables may point at each other: the work is
// bounded.
std::string Mmu::describe_memory_map() {
  Inside& in = *in_;
  constexpr unsigned kProbes = 200'000, kLines = 2000;
  if (!in.controls.on) return "The MMU is off: VA = PA.\n";
  EpochDomain::Guard epoch(in.w.participant.hub().epochs());
  std::string text;
  Stretch run;
  unsigned lines = 0, probes = 0;
  auto finish = [&] {
    if (!run.what.empty())
      lines++, append(text, "%016llx-%016llx %6s %s\n", ull(run.first), ull(run.last),
                      size_text(run.last - run.first + 1).c_str(), run.what.c_str());
    run = {};
  };
  for (unsigned half = 0; half < 2; half++) {
    const VaRange& range = in.controls.range[half];
    if (!range.usable || range.walks_disabled) continue;
    u64 va = half ? ~ones(range.input_bits) : 0;
    u64 end = half ? ~u64{0} : ones(range.input_bits);
    for (;;) {
      if (++probes > kProbes || lines >= kLines) return text + "... more\n";
      Purpose purpose;
      purpose.intent = Intent::Debug;
      Mapping m;
      Fault fault;
      u64 last;
      if (in.walker.walk(in.controls, va, purpose, nullptr, m, fault)) {
        last = m.input.last;
        std::string what = "EL1 " + rights_text(rights_of(m.leaf, Privilege::El1, in.controls.wxn)) +
                           " EL0 " + rights_text(rights_of(m.leaf, Privilege::El0, in.controls.wxn)) + " " +
                           name_of_memory_type(mair_attribute(in.controls.mair, m.leaf.attr_index)) +
                           (m.leaf.not_global ? " nG" : "");
        if (run.what != what || run.last + 1 != va) finish();
        if (run.what.empty()) run = {.first = va, .last = 0, .next_output = 0, .what = what};
        run.last = last;
      } else {
        finish();
        last = va | ones(range.granule.shift(std::max<unsigned>(fault.level, range.start_level)));
      }
      if (last >= end) break;
      va = last + 1;
    }
    finish();
  }
  return text;
}

}  // namespace sluice::cpu
