#include "devices/iommu/smmuv3/configuration_cache.h"

#include <algorithm>

#include "base/trace.h"

namespace sluice::smmuv3 {
namespace {

Trace<u32> trace_removed{"smmuv3_config_cache_inv", "sid={:#x}"};

constexpr size_t kManyIndexes = 64;  // more than these are told "all indexes"

u64 first_key(u32 stream) { return u64{stream} << 21 | u64(PaSpace::NonSecure) << 53; }

}  // namespace

IommuIndex index_of(StreamId id, PaSpace space) {
  u64 substream = id.substream_valid ? (u64{1} << 20 | (id.substream & ones(20))) : 0;
  return IommuIndex(u64(space) << 53 | u64{id.stream} << 21 | substream);
}
StreamId id_of(IommuIndex index) {
  u64 v = u64(index);
  return {u32(extract(v, 21, 32)), u32(extract(v, 0, 20)), bit(v, 20)};
}
PaSpace space_of(IommuIndex index) { return PaSpace(extract(u64(index), 53, 2)); }

ConfigurationCache::Entry* ConfigurationCache::find(IommuIndex index) {
  auto it = entries_.find(u64(index));
  return it == entries_.end() ? nullptr : &it->second;
}

ConfigurationCache::Entry* ConfigurationCache::insert(IommuIndex index,
                                                      std::shared_ptr<const StreamContext> context) {
  if (entries_.size() >= capacity_) {
    overflowed_ = true;
    return nullptr;
  }
  u64 key = u64(index);
  const StreamContext& c = *context;
  if (c.stage1 || c.stage2) {
    by_asid_[tag(c.world, c.vmid, c.asid)].insert(key);
    by_vmid_[tag(c.world, c.vmid)].insert(key);
  }
  order_.insert(key);
  return &(entries_[key] = {.context = std::move(context)});
}

void ConfigurationCache::used(IommuIndex index, Entry& entry, const Mapping& m, bool tagged) {
  entry.has_tagged |= tagged;
  if (m.cut()) entry.cut_log2 = std::max(entry.cut_log2, m.block_log2);
  if (m.global && !entry.has_global) {
    entry.has_global = true;
    with_global_[tag(entry.context->world, entry.context->vmid)].insert(u64(index));
  }
}

void ConfigurationCache::erase(u64 key, Unmaps& unmaps) {
  trace_removed(id_of(IommuIndex(key)).stream);
  auto it = entries_.find(key);
  const StreamContext& c = *it->second.context;
  auto drop = [&](auto& map, auto tag_value) {
    auto keys = map.find(tag_value);
    if (keys == map.end()) return;
    keys->second.erase(key);
    if (keys->second.empty()) map.erase(keys);
  };
  drop(by_asid_, tag(c.world, c.vmid, c.asid));
  drop(by_vmid_, tag(c.world, c.vmid));
  drop(with_global_, tag(c.world, c.vmid));
  unmaps.push_back({.index = IommuIndex(key), .all_indexes = false, .range = {}});
  order_.erase(key);
  entries_.erase(it);
}

void ConfigurationCache::remove_all(Unmaps& unmaps) {
  entries_.clear();
  order_.clear();
  by_asid_.clear();
  by_vmid_.clear();
  with_global_.clear();
  overflowed_ = false;
  unmaps.push_back(kUnmapAll);
}

void ConfigurationCache::remove_streams(u32 first, u32 last, Unmaps& unmaps) {
  auto begin = order_.lower_bound(first_key(first));
  auto end = order_.upper_bound(first_key(last) | ones(21));
  std::vector<u64> gone(begin, end);
  for (u64 key : gone) erase(key, unmaps);
  if (overflowed_ || gone.size() > kManyIndexes) unmaps.assign(1, kUnmapAll);
}

void ConfigurationCache::remove_cd(u32 stream, u32 substream, Unmaps& unmaps) {
  IommuIndex with = index_of({stream, substream, true}, PaSpace::NonSecure);
  IommuIndex without = index_of({stream, 0, false}, PaSpace::NonSecure);
  if (find(with)) erase(u64(with), unmaps);
  if (substream == 0 && find(without)) erase(u64(without), unmaps);
  if (overflowed_) unmaps.assign(1, kUnmapAll);
}

// What has been answered to a user widens what it has to be told. Many users are told together.
void ConfigurationCache::add(const Keys& keys, InclusiveRange range, Unmaps& unmaps) const {
  const bool together = keys.size() > kManyIndexes;
  InclusiveRange widest = range;
  for (u64 key : keys) {
    const Entry& e = entries_.at(key);
    InclusiveRange r = e.has_tagged ? InclusiveRange{} : e.cut_log2 ? grown(range, e.cut_log2) : range;
    if (!together) unmaps.push_back({.index = IommuIndex(key), .all_indexes = false, .range = r});
    widest = {std::min(widest.first, r.first), std::max(widest.last, r.last)};
  }
  if (together) unmaps.push_back({.index = {}, .all_indexes = true, .range = widest});
}

void ConfigurationCache::users_of_asid(World world, u16 vmid, u16 asid, bool and_global, InclusiveRange range,
                                       Unmaps& unmaps) const {
  if (overflowed_) return unmaps.assign(1, kUnmapAll);
  auto own = by_asid_.find(tag(world, vmid, asid));
  if (own != by_asid_.end()) add(own->second, range, unmaps);
  auto global = with_global_.find(tag(world, vmid));
  if (!and_global || global == with_global_.end()) return;
  Keys others = global->second;
  if (own != by_asid_.end())
    for (u64 key : own->second) others.erase(key);
  add(others, range, unmaps);
}

void ConfigurationCache::users_of_vmid(World world, u16 vmid, InclusiveRange range, Unmaps& unmaps) const {
  if (overflowed_) return unmaps.assign(1, kUnmapAll);
  auto own = by_vmid_.find(tag(world, vmid));
  if (own != by_vmid_.end()) add(own->second, range, unmaps);
}

void ConfigurationCache::users_of_world(World world, Unmaps& unmaps) const {
  if (overflowed_) return unmaps.assign(1, kUnmapAll);
  for (const auto& [vmid_tag, keys] : by_vmid_)
    if (vmid_tag >> 16 == u32(world)) add(keys, {}, unmaps);
  if (unmaps.size() > kManyIndexes) unmaps.assign(1, kUnmapAll);
}

}  // namespace sluice::smmuv3
