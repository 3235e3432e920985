// machines/path_report.cpp: see path_report.h.
#include "machines/path_report.h"

#include <cinttypes>
#include <cstdio>

#include "memory/report_text.h"
#include "memory/translate.h"

namespace sluice {
namespace {

const char* name_of(PaSpace space) {
  constexpr const char* kNames[] = {"Secure", "Non-secure", "Root", "Realm"};
  return kNames[size_t(space)];
}

const Gates::Gate* find_gate(const Gates& gates, const Region* region) {
  for (const Gates::Gate& g : gates.all())
    if (g.region == region) return &g;
  return nullptr;
}

// What a gate says about one address: indented lines.
std::string gate_steps(const Gates::Gate& gate, u64 input, MemTxAttrs attrs, Access access) {
  std::string text;
  if (gate.smmu) {
    Smmuv3::Explanation e = gate.smmu->explain(input, attrs, access);
    append(text, "     StreamID 0x%x", attrs.requester);
    if (attrs.substream_valid) append(text, " SubstreamID 0x%x", attrs.substream);
    append(text, ": %s%s\n", e.verdict.c_str(), e.cached ? ", cached in the IOTLB" : "");
    for (const smmuv3::FetchStep& step : e.steps) text += "       " + smmuv3::text_of(step) + "\n";
  }
  if (gate.viommu) text += "     " + gate.viommu->region()->explain(input, attrs, access) + "\n";
  return text;
}

std::string arrival(const FlatView::Section& section, u64 address) {
  std::string text;
  if (section.what == FlatView::Section::What::Nothing || !section.region) return "nothing is there";
  append(text, "%s + 0x%" PRIx64, section.region->name().c_str(),
         section.offset + (address - section.range.first));
  if (section.what == FlatView::Section::What::Reserved) text += " (reserved: nothing answers)";
  return text;
}

}  // namespace

std::optional<PathStart> find_initiator(Virt& board, std::string_view name) {
  unsigned a, b, c;
  char end;
  const std::string text{name};
  if (text == "system") return PathStart{&board.system(), MemTxAttrs::debugger()};
  if (std::sscanf(text.c_str(), "pe%u%c", &a, &end) == 1 && a < board.pes().size())
    return PathStart{&board.pe_space(PaSpace::NonSecure), MemTxAttrs::pe(u16(a), PaSpace::NonSecure, true)};
  if (std::sscanf(text.c_str(), "%x:%x.%u%c", &a, &b, &c, &end) == 3 && a == 0 && b < 32 && c < 8)
    if (const PciFunction* f = board.pci().find(pci::make_devfn(b, c)))
      return PathStart{f->wiring().dma, f->wiring().attrs};
  return std::nullopt;
}

std::string describe_path(Virt& board, const PathStart& start, u64 address, Access access) {
  EpochDomain::Guard guard(board.hub().epochs());
  std::string text;
  const AddressSpace* space = start.space;
  MemTxAttrs attrs = start.attrs;
  Access rights = Access::All;
  if (!space) return "  is not a bus master\n";
  append(text, "  0x%016" PRIx64 " in '%s', %s, %s\n", address, space->name().c_str(), name_of(attrs.space),
         rights_text(access).c_str());
  for (unsigned hop = 1; hop <= kMaxHops; hop++) {
    const FlatView::Section& section = space->view().find(address);
    if (section.what != FlatView::Section::What::Iommu) {
      append(text, "  => %s, rights %s\n", arrival(section, address).c_str(), rights_text(rights).c_str());
      return text;
    }
    const auto& region = static_cast<const IommuRegion&>(*section.region);
    const u64 input = section.offset + (address - section.range.first);
    const IommuEntry entry =
        region.translate(Iova{input}, access, region.index_for(attrs), attrs, Intent::Debug);
    append(text, "  %u. %s 0x%" PRIx64 "\n", hop, region.name().c_str(), input);
    if (const Gates::Gate* gate = find_gate(board.gates(), &region))
      text += gate_steps(*gate, input, attrs, access);
    append(text, "     block 0x%" PRIx64 "-0x%" PRIx64 " %s\n", entry.input.first, entry.input.last,
           rights_text(entry.rights).c_str());
    rights = rights & entry.rights;
    if (!allows(entry.rights, access) || !entry.target) {
      append(text, "  => denied by %s\n", region.name().c_str());
      return text;
    }
    if (entry.sets_space) attrs.space = entry.space;
    space = entry.target;
    address = entry.output.value + (input - entry.input.first);
    append(text, "     -> 0x%016" PRIx64 " in '%s', %s\n", address, space->name().c_str(),
           name_of(attrs.space));
  }
  return text + "  => a chain without an end\n";
}

std::string describe_gates(const Gates& gates) {
  constexpr const char* kPaths[] = {"in front of RAM", "behind the PEs", "in front of PCIe"};  // by GatePath
  std::string text;
  if (gates.all().empty()) return "no gates: see -machine help (iommu, cpu-iommu, chain, mpc)\n";
  for (const Gates::Gate& g : gates.all()) {
    append(text, "%s: %s, ", g.placed.name.c_str(), kPaths[size_t(g.placed.path)]);
    if (g.placed.devfn)
      append(text, "PCI 00:%02x.%u\n", *g.placed.devfn >> 3, *g.placed.devfn & 7u);
    else
      append(text, "registers at 0x%08" PRIx64 "\n", g.placed.frame.first.value);
    if (g.smmu) text += g.smmu->report();
    if (g.mpc) text += g.mpc->report();
    if (g.viommu) text += g.viommu->report();
  }
  return text;
}

std::string describe_iotlbs(const Gates& gates, size_t limit) {
  std::string text;
  for (const Gates::Gate& g : gates.all())
    if (g.smmu) text += g.placed.name + ":\n" + g.smmu->describe_iotlb(limit);
  return text.empty() ? "no SMMU\n" : text;
}

}  // namespace sluice
