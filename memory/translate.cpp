#include "memory/translate.h"

#include <algorithm>
#include <string>

#include "base/log.h"

namespace sluice {
namespace {

using Section = FlatView::Section;
using Reason = MemTxResult::Reason;

// How many bytes below and above the current address still go the same way. Offsets from the address mean the
// same in every address space on the way, so no block has to be translated back.
struct Span {
  u64 below = ~u64{0}, above = ~u64{0};
  void narrow(InclusiveRange block, u64 at) {
    below = std::min(below, at - block.first);
    above = std::min(above, block.last - at);
  }
};

// The path as people read it: "smmu(0x1000) -> mpc(0x1000)".
[[gnu::cold]] void complain_about_chain(const TranslateRequest& request, const Provenance& hops,
                                        const IommuRegion& next, u64 input, const char* what) {
  if (request.intent != Intent::Access) return;
  std::string path;
  char address[24];
  for (const Hop& hop : hops) {
    std::snprintf(address, sizeof address, "(0x%llx) -> ", static_cast<unsigned long long>(hop.at));
    path += hop.region->name() + address;
  }
  std::snprintf(address, sizeof address, "(0x%llx)", static_cast<unsigned long long>(input));
  guest_error("%s: %s of IOMMUs at 0x%llx: %s", request.space.name().c_str(), what,
              static_cast<unsigned long long>(request.address), (path + next.name() + address).c_str());
}

// The walk's state between two hops.
struct Walk {
  const TranslateRequest& request;
  Translation& out;
  Span span;
  const AddressSpace* space;
  u64 address;

  Walk(const TranslateRequest& r, Translation& t) : request(r), out(t), space(&r.space), address(r.address) {}

  u8 hop() const { return u8(out.hops.size()); }
  bool chain_is_endless(IommuRegion& region, IommuIndex index, u64 input);
  bool through(IommuRegion& region, u64 input);
  void arrive(const Section& section);
  void finish();
};

// The same question to the same IOMMU has the same answer: asking it again would go on for ever.
bool Walk::chain_is_endless(IommuRegion& region, IommuIndex index, u64 input) {
  for (const Hop& before : out.hops) {
    if (before.region == &region && before.index == index && before.at == input) {
      complain_about_chain(request, out.hops, region, input, "cycle");
      out.result = MemTxResult::decode_error(Reason::ChainCycle, hop());
      return true;
    }
  }
  if (out.hops.size() == kMaxHops) {
    complain_about_chain(request, out.hops, region, input, "too long a chain");
    out.result = MemTxResult::decode_error(Reason::ChainTooDeep, hop());
    return true;
  }
  return false;
}

// One hop. False: the walk ends here.
bool Walk::through(IommuRegion& region, u64 input) {
  IommuIndex index = region.index_for(out.attrs);
  if (chain_is_endless(region, index, input)) return false;
  u64 epoch = region.epoch();  // before the question: see FillGuard
  IommuEntry entry = region.translate(Iova{input}, request.access, index, out.attrs, request.intent);
  if (!entry.input.contains(input)) {
    out.result = MemTxResult::decode_error(Reason::WrongKind, hop());
    return false;
  }
  u8 at = hop();
  out.hops.push({&region, index, entry.input, epoch, input});
  span.narrow(entry.input, input);
  out.rights = out.rights & entry.rights;
  if (!allows(entry.rights, request.access) || !entry.target) {
    out.result = MemTxResult::access_error(at);
    if (request.intent != Intent::Access) return false;
    MemTxResult verdict = region.refuse(Iova{input}, request.access, out.attrs, entry);
    if (verdict.is_ok()) {
      out.target = Translation::Target::RazWi;
      out.result = verdict;
    } else {
      out.result = {verdict.status, at, verdict.reason == Reason::None ? Reason::Refused : verdict.reason};
    }
    return false;
  }
  if (entry.sets_space) out.attrs.space = entry.space;
  space = entry.target;
  address = entry.output.value + (input - entry.input.first);
  // A block whose output would wrap around the top of the address space ends there.
  span.narrow({0, ~u64{0}}, address);
  return true;
}

void Walk::arrive(const Section& section) {
  u64 into = address - section.range.first;
  if (section.ram) {
    out.ram = section.ram;
    out.offset = section.ram_offset + into;
    out.host = section.ram->host() + out.offset;
  }
  switch (section.what) {
    case Section::What::Ram:
      out.target = Translation::Target::Ram;
      out.read_only = section.read_only;
      if (section.read_only) {
        out.rights = out.rights & (Access::Read | Access::Execute);
        if (allows(request.access, Access::Write) && request.intent != Intent::Debug)
          out.result = MemTxResult::decode_error(Reason::ReadOnly, hop());
      }
      break;
    case Section::What::RomDevice:
    case Section::What::Mmio:
      out.target =
          section.what == Section::What::Mmio ? Translation::Target::Mmio : Translation::Target::RomDevice;
      out.mmio = static_cast<const MmioRegion*>(section.region);
      out.mmio_offset = section.offset + into;
      break;
    case Section::What::Nothing:
    case Section::What::Reserved:
    case Section::What::Iommu: out.result = MemTxResult::decode_error(Reason::Unmapped, hop()); break;
  }
}

void Walk::finish() {
  out.final_space = space;
  out.final_address = address;
  out.block = {request.address - span.below, request.address + span.above};
  out.length = std::min(std::max<u64>(request.length, 1) - 1, span.above) + 1;
}

}  // namespace

Translation translate(const TranslateRequest& request) {
  Translation out;
  out.attrs = request.attrs;
  Walk walk(request, out);
  for (;;) {
    const Section& section = walk.space->view().find(walk.address);
    walk.span.narrow(section.range, walk.address);
    if (section.what != Section::What::Iommu) {
      walk.arrive(section);
      break;
    }
    // FlatViews hold regions as const because they never change them; asking and refusing is the region's own
    // affair.
    auto& region = const_cast<IommuRegion&>(static_cast<const IommuRegion&>(*section.region));
    if (!walk.through(region, section.offset + (walk.address - section.range.first))) break;
  }
  walk.finish();
  return out;
}

FillGuard::FillGuard(Participant& participant)
    : participant_(participant),
      drains_(participant.drains()),
      topology_(participant.hub().topology_generation()) {}

bool FillGuard::still_valid(const Provenance& hops) {
  // Follow first, compare second: a commit after the comparison finds us subscribed and sends mail.
  bool same = true;
  for (const Hop& hop : hops) {
    participant_.follow(*hop.region);
    same &= hop.region->epoch() == hop.epoch;
  }
  return same && participant_.drains() == drains_ && participant_.hub().topology_generation() == topology_;
}

}  // namespace sluice
