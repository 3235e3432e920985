// devices/iommu/smmuv3/iotlb.h: the IOTLB: the shared translation cache, tagged by StreamWorld, VMID and
// ASID. Not synchronised: the device's lock protects it.
#pragma once
#include "devices/iommu/smmuv3/translation.h"

namespace sluice::smmuv3 {

// What a CMD_TLBI_* by address names.
struct AddressScope {
  InclusiveRange range{};
  u8 granule_tag = 0;  // CMD_TLBI_*.TG, 0: any
  i8 level = -1;       // CMD_TLBI_*.TTL, -1: any
};

// For people.
const char* name_of(World world);

class Iotlb {
 public:
  Iotlb(TranslationCache::Policy policy, u32 entries);

  bool find(const StreamContext& context, u64 address, Mapping& mapping);
  void insert(const StreamContext& context, const Mapping& mapping);

  size_t remove_everything() { return cache_.remove_everything(); }
  size_t remove_world(World world) { return cache_.remove_world(u8(world)); }
  size_t remove_vmid(World world, u16 vmid) { return cache_.remove_vmid(u8(world), vmid); }
  size_t remove_asid(World world, u16 vmid, u16 asid) { return cache_.remove_asid(u8(world), vmid, asid); }
  // In one ASID, and what is global; or in all of them. Pieces of a block of stage 1 that the range touches
  // go as well, whichever piece it touches: to software the block is one entry.
  size_t remove_range(World world, u16 vmid, u16 asid, const AddressScope& scope);
  size_t remove_range_all_asids(World world, u16 vmid, const AddressScope& scope);

  size_t size() const { return cache_.size(); }
  const TranslationCache::Counters& counters() const { return cache_.counters(); }
  // At most `limit` entries, one a line.
  std::string describe(size_t limit) const;
  // Sizes, as log2, of stage 1 blocks that can be cut: one bit each in `Iotlb::cut_bit`.
  static u8 cut_code(u8 block_log2);
  static u8 cut_log2(u8 code);
  static constexpr u8 kCutCodes = 6;

 private:
  template <class F>
  size_t each_piece(const AddressScope& scope, F&& remove);
  TranslationCache cache_;
  u32 cut_entries_[kCutCodes + 1] = {};  // by code
};

// The range grown so that it holds every block of 2^log2 bytes that it touches.
InclusiveRange grown(InclusiveRange range, unsigned log2);

}  // namespace sluice::smmuv3
