#include "devices/iommu/smmuv3/iotlb.h"

#include "base/trace.h"
#include "memory/report_text.h"

namespace sluice::smmuv3 {
namespace {

// CacheEntry::tags: [1:0] granule, [4:2] code of the size of the stage 1 block that this is a piece of.
constexpr unsigned kCutShift = 2;
constexpr u8 kGranuleMask = 3, kCutMask = 7 << kCutShift;
constexpr u8 kCutLog2[Iotlb::kCutCodes + 1] = {0, 14, 16, 21, 25, 30, 42};

u64 pack(const Permissions& s1, const Permissions& s2) {
  return u64(s1.privileged) | u64(s1.unprivileged) << 3 | u64(s2.privileged) << 6 | u64(s2.unprivileged) << 9;
}
Permissions unpack(u64 packed, unsigned shift) {
  return {Access(extract(packed, shift, 3)), Access(extract(packed, shift + 3, 3))};
}

Trace<u16, u16, u64, unsigned, int> trace_insert{"smmu_iotlb_insert",
                                                 "asid={} vmid={} addr={:#x} tg={} level={}"};

Scope scope_of(const StreamContext& c) { return {u8(c.world), c.vmid, c.asid, false}; }

}  // namespace

InclusiveRange grown(InclusiveRange range, unsigned log2) {
  return {range.first & ~ones(log2), range.last | ones(log2)};
}

// 16 KiB and 64 KiB pages, 2 MiB, 32 MiB, 512 MiB or 1 GiB, 4 TiB. 512 MiB blocks share a code with 1 GiB
// ones: a grown range may then take a neighbour along, which is allowed.
u8 Iotlb::cut_code(u8 block_log2) {
  u8 code = 1;
  while (code < kCutCodes && kCutLog2[code] < block_log2) code++;
  return code;
}
u8 Iotlb::cut_log2(u8 code) { return kCutLog2[code]; }

Iotlb::Iotlb(TranslationCache::Policy policy, u32 entries) : cache_(policy, entries) {
  cache_.set_on_remove([this](EntryId, const CacheEntry& e, RemoveReason) {
    cut_entries_[(e.tags & kCutMask) >> kCutShift]--;
  });
}

bool Iotlb::find(const StreamContext& c, u64 address, Mapping& m) {
  TranslationCache::Found found = cache_.lookup(scope_of(c), address);
  if (!found) return false;
  const CacheEntry& e = *found.entry;
  m = {};
  m.input = e.input.first;
  m.output = e.output;
  m.level = e.level;
  m.granule_tag = e.tags & kGranuleMask;
  m.global = e.scope.global;
  m.stage1 = unpack(e.payload[0], 0);
  m.stage2 = unpack(e.payload[0], 6);
  m.ipa = e.payload[1];
  m.log2 = u8(e.payload[2]);
  m.block_log2 = u8(e.payload[2] >> 8);
  return true;
}

void Iotlb::insert(const StreamContext& c, const Mapping& m) {
  u8 cut = m.cut() ? cut_code(m.block_log2) : u8{0};
  CacheEntry e;
  e.scope = scope_of(c);
  e.scope.global = m.global;
  e.input = {m.input, m.input + ones(m.log2)};
  e.output = m.output;
  e.rights = (m.stage1.privileged | m.stage1.unprivileged) & (m.stage2.privileged | m.stage2.unprivileged);
  e.level = m.level;
  e.tags = u8(m.granule_tag | cut << kCutShift);
  e.payload = {pack(m.stage1, m.stage2), m.ipa, u64{m.log2} | u64{m.block_log2} << 8, 0};
  cut_entries_[cut]++;
  trace_insert(c.asid, c.vmid, m.input, m.granule_tag, m.level);
  cache_.insert(e);
}

template <class F>
size_t Iotlb::each_piece(const AddressScope& scope, F&& remove) {
  RemoveFilter filter;
  filter.level = scope.level;
  if (scope.granule_tag) {
    filter.tag_mask = kGranuleMask;
    filter.tag_value = scope.granule_tag;
  }
  size_t removed = remove(scope.range, filter);
  for (u8 code = 1; code <= kCutCodes; code++) {
    if (!cut_entries_[code]) continue;
    RemoveFilter pieces = filter;
    pieces.tag_mask |= kCutMask;
    pieces.tag_value |= u8(code << kCutShift);
    removed += remove(grown(scope.range, kCutLog2[code]), pieces);
  }
  return removed;
}

size_t Iotlb::remove_range(World world, u16 vmid, u16 asid, const AddressScope& scope) {
  return each_piece(scope, [&](InclusiveRange range, RemoveFilter filter) {
    return cache_.remove_range({u8(world), vmid, asid, false}, range, filter);
  });
}

size_t Iotlb::remove_range_all_asids(World world, u16 vmid, const AddressScope& scope) {
  return each_piece(scope, [&](InclusiveRange range, RemoveFilter filter) {
    return cache_.remove_range_all_asids(u8(world), vmid, range, filter);
  });
}

const char* name_of(World world) {
  static constexpr const char* kNames[] = {"EL1", "EL1 stage 2", "EL2", "EL2-E2H"};
  return kNames[unsigned(world) & 3];
}

std::string Iotlb::describe(size_t limit) const {
  std::string text;
  size_t shown = 0;
  cache_.for_each([&](EntryId, const CacheEntry& e) {
    if (shown++ >= limit) return;
    auto number = [](u64 value) { return static_cast<unsigned long long>(value); };
    append(text, "  %016llx-%016llx -> %012llx  %s VMID %u ASID %u%s level %u %s\n", number(e.input.first),
           number(e.input.last), number(e.output), name_of(World(e.scope.world)), e.scope.vmid, e.scope.asid,
           e.scope.global ? " global" : "", unsigned(e.level), rights_text(e.rights).c_str());
  });
  if (shown > limit) text += "  ... " + std::to_string(shown - limit) + " more\n";
  return text + "  " + std::to_string(shown) + " entries\n";
}

}  // namespace sluice::smmuv3
