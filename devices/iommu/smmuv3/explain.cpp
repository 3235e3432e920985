// devices/iommu/smmuv3/explain.cpp: the SMMU as people see it: counters, streams, and one translation step by
// step.
#include <cstdio>

#include "devices/iommu/smmuv3/smmuv3.h"

namespace sluice {

using namespace smmuv3;

std::string smmuv3::text_of(const FetchStep& step) {
  char text[64];
  std::snprintf(text, sizeof text, " at 0x%llx:", static_cast<unsigned long long>(step.address));
  std::string line = (step.what.empty() ? "descriptor" : step.what) + text;
  if (step.aborted) return line + " external abort";
  for (u64 word : step.words) {
    std::snprintf(text, sizeof text, " %016llx", static_cast<unsigned long long>(word));
    line += text;
  }
  return line;
}

std::string Smmuv3::describe_iotlb(size_t limit) const {
  auto held = hold();
  return caches_.iotlb.describe(limit);
}

Smmuv3::Counters Smmuv3::counters() const {
  auto held = hold();
  Counters c = counters_;
  c.enabled = (cr0_ & kSmmuEn) != 0;
  c.aborts = (gbpa_ & kGbpaAbort) != 0;
  c.fills = caches_.iotlb.counters().fills;
  c.evicted = caches_.iotlb.counters().evicted();
  return c;
}

size_t Smmuv3::iotlb_entries() const {
  auto held = hold();
  return caches_.iotlb.size();
}

std::vector<StreamContext> Smmuv3::streams() const {
  auto held = hold();
  std::vector<StreamContext> all;
  caches_.configuration.for_each([&](const StreamContext& c) { all.push_back(c); });
  return all;
}

Smmuv3::Explanation Smmuv3::explain(u64 address, MemTxAttrs attrs, Access access) const {
  EpochDomain::Guard guard(hub().epochs());
  Explanation e;
  Question q(address, access, index_for(attrs), attrs);
  IommuEntry entry;
  bool decided = false;
  if (space_of(q.index) != PaSpace::NonSecure) {
    entry = pass({});
    decided = true;
  } else {
    auto held = hold();
    Counters before = counters_;
    decided = answer_from_caches(q, entry);
    e.cached = counters_.iotlb_hits != before.iotlb_hits;
    counters_ = before;
    // Without translation there is nothing to read; otherwise memory shows how the answer comes about.
    if (cr0_ & kSmmuEn) decided = false;
  }
  if (!decided) {
    q.context.reset();
    look_up(q, TableMemory(port_, Intent::Debug, &e.steps), entry);
  }
  e.rights = entry.rights;
  e.block = entry.input;
  e.output = entry.output.value + (address - entry.input.first);
  if (!allows(entry.rights, access) || !entry.target) {
    Refusal r = Refusal::from(entry.reason, entry.detail);
    e.verdict = name_of(r.fault.type);
    if (r.fault.stage2) e.verdict += " at stage 2";
  } else {
    e.verdict = q.mapping ? "translated" : "bypass";
  }
  return e;
}

std::string Smmuv3::report() const {
  Counters c = counters();
  char line[160];
  std::string text;
  auto add = [&](const char* format, auto... values) {
    std::snprintf(line, sizeof line, format, values...);
    text += line;
  };
  using Number = unsigned long long;
  add("  %s; stage 1 %s, stage 2 %s, %u-bit output\n",
      c.enabled  ? "enabled"
      : c.aborts ? "disabled: aborts"
                 : "disabled: bypass",
      config_.stage1() ? "yes" : "no", config_.stage2() ? "yes" : "no", config_.oas_bits);
  for (const StreamContext& s : streams()) {
    add("  stream 0x%x", s.id.stream);
    if (s.id.substream_valid) add(" substream 0x%x", s.id.substream);
    add(": %s, world %s, VMID %u, ASID %u\n",
        s.stage1 ? (s.stage2 ? "nested" : "stage 1") : (s.stage2 ? "stage 2" : "bypass"), name_of(s.world),
        s.vmid, s.asid);
  }
  add("  IOTLB: %llu entries, %llu hits, %llu misses, %llu fills, %llu evicted\n", Number(iotlb_entries()),
      Number(c.iotlb_hits), Number(c.iotlb_misses), Number(c.fills), Number(c.evicted));
  add("  configuration cache: %llu hits, %llu misses\n", Number(c.config_hits), Number(c.config_misses));
  add("  commands: %llu, CMD_SYNC %llu, errors %llu; unmaps published %llu\n", Number(c.commands),
      Number(c.syncs), Number(c.command_errors), Number(c.unmaps_published));
  add("  events: %llu recorded, %llu lost, %llu not to be recorded\n", Number(c.events),
      Number(c.events_lost), Number(c.events_suppressed));
  for (unsigned op = 0; op < c.by_opcode.size(); op++)
    if (c.by_opcode[op].executed)
      add("    %s: %llu, entries removed %llu\n", smmuv3::name_of(Opcode(op)),
          Number(c.by_opcode[op].executed), Number(c.by_opcode[op].removed));
  return text;
}

}  // namespace sluice
