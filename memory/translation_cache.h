// memory/translation_cache.h: a cache of translation entries as the architecture speaks of them.
// A PE's architectural TLB, an SMMU's IOTLB, a device's ATC and the front of virtio-iommu are all this. Only
// the owner's thread touches it; others post to the owner's mailbox (memory/invalidation.h).
#pragma once
#include <array>
#include <functional>
#include <memory>
#include <span>

#include "memory/translate.h"

namespace sluice {

// The tags of an entry. What the numbers mean is the owner's business:
//   PE TLB   world = regime, Security state, stage   vmid = VMID   asid = ASID
//   SMMU     world = StreamWorld                      vmid = VMID   asid = ASID
//   ATC      world = 0                                vmid = SubstreamID + 1, or 0   asid = StreamID
//   virtio   world = 0                                vmid = 0      asid = domain or endpoint
// A global entry (nG == 0) matches every asid of its world and vmid.
struct Scope {
  u8 world = 0;
  u32 vmid = 0;
  u32 asid = 0;
  bool global = false;
  constexpr bool operator==(const Scope&) const = default;
};

// A stable name: it never names another entry once its own is gone.
struct EntryId {
  u32 slot = ~u32{0};
  u32 generation = 0;
  constexpr bool operator==(const EntryId&) const = default;
  explicit constexpr operator bool() const { return slot != ~u32{0}; }
};

struct CacheEntry {
  Scope scope;
  InclusiveRange input;  // its true size, whatever that is
  u64 output = 0;        // of input.first
  Access rights = Access::None;
  u8 level = 3;                  // translation table level of the descriptor
  bool last_level = true;        // a leaf (block or page); false: a cached table descriptor
  u8 tags = 0;                   // the owner's, see RemoveFilter
  std::array<u64, 4> payload{};  // the owner's: attributes, host pointer, ...
};

// Narrows a removal to some of the entries that the scope and range name.
struct RemoveFilter {
  bool last_level_only = false;  // TLBI VALE1 and its kin
  i8 level = -1;                 // TTL hint; -1 = any level
  u8 tag_mask = 0, tag_value = 0;
};

enum class RemoveReason : u8 {
  Address,
  Range,
  Asid,
  Vmid,
  World,
  Everything,
  Provenance,
  Replaced,
  Dropped,
  Evicted
};
inline constexpr size_t kRemoveReasons = 10;

class TranslationCache {
 public:
  enum class Policy : u8 {
    Precise,  // an entry goes only when something required it to go; a high cap keeps a guest from growing
              // the host
    Direct,   // bounded, like hardware: old entries go whenever room is needed
  };
  static constexpr u32 kPreciseCapacity = 1u << 20;
  static constexpr u32 kDirectCapacity = 1024;

  using OnRemove = std::function<void(EntryId, const CacheEntry&, RemoveReason)>;

  explicit TranslationCache(Policy policy = Policy::Precise, u32 capacity = 0);  // 0: the policy's own
  ~TranslationCache();
  TranslationCache(const TranslationCache&) = delete;
  TranslationCache& operator=(const TranslationCache&) = delete;

  // Called for every entry that goes, before it goes; it must not touch the cache. Set once.
  void set_on_remove(OnRemove on_remove);

  // An entry that matches, or nothing; of several (a block and a page inside it) one with the smallest size
  // class. Valid until the next insertion or removal.
  struct Found {
    EntryId id;
    const CacheEntry* entry = nullptr;
    explicit operator bool() const { return entry != nullptr; }
  };
  Found lookup(Scope scope, u64 address);
  const CacheEntry* get(EntryId id) const;  // nullptr once it is gone
  // Adds an entry; one with the same scope and the same input range is replaced. `hops` may be empty.
  EntryId insert(const CacheEntry& entry, std::span<const Hop> hops = {});
  EntryId insert(const CacheEntry& entry, const Provenance& hops) {
    return insert(entry, std::span(hops.begin(), hops.end()));
  }

  // All return how many entries went. With a scope: those that a lookup in it would match (global ones
  // included).
  size_t remove(EntryId id);
  size_t remove_address(Scope scope, u64 address, RemoveFilter filter = {});
  size_t remove_range(Scope scope, InclusiveRange range, RemoveFilter filter = {});
  size_t remove_range_all_asids(u8 world, u32 vmid, InclusiveRange range, RemoveFilter filter = {});
  size_t remove_asid(u8 world, u32 vmid, u32 asid, RemoveFilter filter = {});  // not the global ones
  size_t remove_vmid(u8 world, u32 vmid, RemoveFilter filter = {});
  size_t remove_world(u8 world, RemoveFilter filter = {});
  size_t remove_everything();
  // What was derived from this IOMMU, in this index (or all), from input addresses in this range.
  size_t remove_derived(const IommuRegion* region, const IommuUnmap& unmap);

  size_t size() const;
  // Worlds and VMIDs whose entries are in the block index now, because ranges are asked for often (for
  // tests).
  size_t indexed_families() const;
  void for_each(const std::function<void(EntryId, const CacheEntry&)>& visit) const;

  struct Counters {
    u64 fills = 0, hits = 0, misses = 0;
    std::array<u64, kRemoveReasons> removed{};
    u64 evicted() const { return removed[size_t(RemoveReason::Evicted)]; }
  };
  const Counters& counters() const { return counters_; }

 private:
  struct Index;
  size_t remove_found(RemoveFilter filter, RemoveReason reason);
  void erase(u32 slot, RemoveReason reason);

  const u32 capacity_;
  OnRemove on_remove_;
  Counters counters_;
  std::unique_ptr<Index> index_;
};

}  // namespace sluice
