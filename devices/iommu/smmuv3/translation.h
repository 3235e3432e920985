// devices/iommu/smmuv3/translation.h: one address through the stages that a stream has: what the IOTLB
// caches, and what the answer to a transaction is.
#pragma once
#include "devices/iommu/smmuv3/walk.h"
#include "memory/iommu_region.h"

namespace sluice::smmuv3 {

// A translation of all enabled stages: a block of the size of the smaller one, with the rights of each, so
// that a refusal can name the stage. Kept in the IOTLB.
struct Mapping {
  u64 input = 0;  // of the first byte; a VA is sign-extended, whatever the top byte was
  u64 ipa = 0;
  u64 output = 0;
  u8 log2 = 0;         // of its size
  u8 level = 0;        // of the leaf of the first enabled stage, as CMD_TLBI_*.TTL means it
  u8 granule_tag = 0;  // of the first enabled stage, as CMD_TLBI_*.TG
  u8 block_log2 = 0;   // of the leaf of stage 1: larger than `log2` when stage 2 cuts it into pieces
  bool global = false;
  Permissions stage1{Access::All, Access::All}, stage2{Access::All, Access::All};

  bool cut() const { return block_log2 > log2; }
};

// Which table an address selects, and the address as the tables and the IOTLB know it. False: outside.
// `tagged`: TBI removed a top byte.
struct Selected {
  u64 address = 0;
  unsigned x = 0;
  bool tagged = false;
};
bool select_table(const StreamContext& context, u64 input, unsigned ias_bits, Selected& selected,
                  Fault& fault);
// Walks. False with `fault`. The context translates in at least one stage.
bool walk_all(const StreamContext& context, const TableMemory& memory, unsigned oas_bits,
              const Selected& selected, Mapping& mapping, Fault& fault);

// How STE.PRIVCFG and STE.INSTCFG see a transaction (13.1.2: a write is always Data).
struct Attributes {
  bool privileged, instruction, write;
};
Attributes attributes_of(const Ste& ste, MemTxAttrs attrs, Access access);
// Rights by the kind of access that comes in, after the overrides.
Access rights_of(const StreamContext& context, const Mapping& mapping, MemTxAttrs attrs);
// Why `access` is refused by the mapping; false when it is not.
bool permission_fault(const StreamContext& context, const Mapping& mapping, MemTxAttrs attrs, Access access,
                      u64 ipa, Fault& fault);

// A fault as it travels from `translate` to `refuse`: IommuEntry::reason and ::detail.
struct Refusal {
  Fault fault;
  bool privileged = false, instruction = false, read = false;
  u32 reason() const;
  static Refusal from(u32 reason, u64 detail);
};

}  // namespace sluice::smmuv3
