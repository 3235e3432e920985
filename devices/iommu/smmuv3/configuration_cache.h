// devices/iommu/smmuv3/configuration_cache.h: the configuration cache, by {StreamID, SubstreamID}; and with
// it the list of who may hold a translation derived from which ASID and VMID: an index whose configuration is
// not here has no derived translation anywhere (unless `overflowed`).
// Not synchronised: the device's lock protects it.
#pragma once
#include <memory>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "devices/iommu/smmuv3/iotlb.h"

namespace sluice::smmuv3 {

// IommuIndex: [54:53] PA space, [52:21] StreamID, [20] SSV, [19:0] SubstreamID.
IommuIndex index_of(StreamId id, PaSpace space);
StreamId id_of(IommuIndex index);
PaSpace space_of(IommuIndex index);

class ConfigurationCache {
 public:
  struct Entry {
    std::shared_ptr<const StreamContext> context;
    // What has been answered to this index since its configuration was cached:
    u8 cut_log2 = 0;          // the largest stage 1 block that stage 2 has cut into pieces
    bool has_global = false;  // a global translation
    bool has_tagged = false;  // a translation of an address whose top byte TBI ignores
  };
  using Unmaps = std::vector<IommuUnmap>;

  explicit ConfigurationCache(u32 capacity) : capacity_(capacity) {}

  // Valid until the next insertion or removal.
  Entry* find(IommuIndex index);
  // nullptr, and overflowed, when the cache is full.
  Entry* insert(IommuIndex index, std::shared_ptr<const StreamContext> context);
  // Notes that this index has been given the mapping.
  void used(IommuIndex index, Entry& entry, const Mapping& mapping, bool tagged);

  // Removals: what has gone is appended to `unmaps`, whole indexes.
  void remove_all(Unmaps& unmaps);
  void remove_streams(u32 first, u32 last, Unmaps& unmaps);
  // The index of the CD table that the configuration was read from; without SubstreamID it is CD 0.
  void remove_cd(u32 stream, u32 substream, Unmaps& unmaps);

  // Who may hold translations that an invalidation names. `range` is in terms of their input addresses.
  void users_of_asid(World world, u16 vmid, u16 asid, bool and_global, InclusiveRange range,
                     Unmaps& unmaps) const;
  void users_of_vmid(World world, u16 vmid, InclusiveRange range, Unmaps& unmaps) const;
  void users_of_world(World world, Unmaps& unmaps) const;

  size_t size() const { return entries_.size(); }
  bool overflowed() const { return overflowed_; }
  template <class F>
  void for_each(F&& visit) const {
    for (u64 key : order_) visit(*entries_.at(key).context);
  }

 private:
  using Keys = std::unordered_set<u64>;
  void erase(u64 key, Unmaps& unmaps);
  void add(const Keys& keys, InclusiveRange range, Unmaps& unmaps) const;
  static u64 tag(World world, u16 vmid, u16 asid) { return u64(world) << 32 | u64{vmid} << 16 | asid; }
  static u32 tag(World world, u16 vmid) { return u32(world) << 16 | vmid; }

  const u32 capacity_;
  bool overflowed_ = false;
  std::unordered_map<u64, Entry> entries_;
  std::set<u64> order_;
  std::unordered_map<u64, Keys> by_asid_;
  std::unordered_map<u32, Keys> by_vmid_, with_global_;
};

// Everything in every index.
inline constexpr IommuUnmap kUnmapAll{.index = {}, .all_indexes = true, .range = {}};

}  // namespace sluice::smmuv3
