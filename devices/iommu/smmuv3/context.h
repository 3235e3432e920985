// devices/iommu/smmuv3/context.h: the configuration of one {StreamID, SubstreamID}, decoded: what the
// configuration cache holds.
#pragma once
#include "devices/iommu/smmuv3/config.h"
#include "devices/iommu/smmuv3/structures.h"
#include "devices/iommu/smmuv3/table_memory.h"

namespace sluice::smmuv3 {

// Where a walk begins.
struct TableBase {
  bool enabled = false;  // false: CD.EPDx
  u64 base = 0;          // aligned to the size of the first table
  u8 granule = 12;       // log2
  u8 input_bits = 0;     // 64 - TxSZ
  u8 start_level = 0;
  u8 output_bits = 0;  // effective IPS or S2PS
  bool hierarchical = true;
  bool ignore_access_flag = false;

  unsigned shift(unsigned level) const { return granule + (3 - level) * (granule - 3u); }
  u8 granule_tag() const { return granule == 12 ? 1 : granule == 14 ? 2 : 3; }  // as CMD_TLBI_*.TG
};

struct StreamId {
  u32 stream = 0;
  u32 substream = 0;
  bool substream_valid = false;
};

struct StreamContext {
  StreamId id;
  Ste ste;
  Cd cd;  // with stage 1 only
  bool stage1 = false, stage2 = false;
  World world = World::El1;
  u16 vmid = 0, asid = 0;
  TableBase ttb[2];
  bool has_ttb1 = false;
  TableBase s2;

  // 13.4.1: in EL2 every access counts as privileged.
  bool all_privileged() const { return world == World::El2; }
};

// SMMU_STRTAB_BASE, SMMU_STRTAB_BASE_CFG and what else the configuration lookup depends on.
struct StreamTableRegisters {
  u64 base = 0;
  u32 cfg = 0;
  bool e2h = false;
  bool record_bad_streamid = false;
};

// stream_table.cpp: false with `fault`.
bool find_ste(const Smmuv3Config& config, const StreamTableRegisters& table, const TableMemory& memory,
              u32 stream, Ste& ste, Fault& fault);
bool ste_is_legal(const Smmuv3Config& config, const Ste& ste);
World stream_world(const Smmuv3Config& config, const Ste& ste, bool e2h);
TableBase stage2_base(const Smmuv3Config& config, const Ste& ste);

// context_descriptor.cpp
bool cd_is_legal(const Smmuv3Config& config, const Cd& cd, World world);
TableBase stage1_base(const Smmuv3Config& config, const Cd& cd, unsigned x);
// The whole configuration of a stream: STE, then CD if stage 1 translates. False with `fault`.
bool find_context(const Smmuv3Config& config, const StreamTableRegisters& table, const TableMemory& memory,
                  StreamId id, StreamContext& context, Fault& fault);

}  // namespace sluice::smmuv3
