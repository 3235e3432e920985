// images/demo/smmu.h: as much of an SMMUv3 driver (Arm IHI 0070) as the demo needs: one stream, stage 1.
#pragma once
#include "lib/arm.h"
#include "lib/mmu.h"

struct smmu_event {
  u32 type, stream;
  u64 address;
  bool write;
};

// Translates the stream through `tables` and blocks all others. False: the SMMU does not answer.
bool smmu_start(u64 registers, u32 stream, address_space tables);
// Puts a stage 2 behind that stream's stage 1: 39-bit addresses, 4 KiB granule, the walk begins at level 1.
// False, and nothing changes: the SMMU has only one stage.
bool smmu_nest(u32 stream, const u64* root);
// Attributes of a page of such tables: valid, all rights, write-back, inner shareable, accessed.
static inline u64 smmu_stage2_page(void) { return 3 | 0xf << 2 | 3 << 6 | 3 << 8 | 1 << 10; }
// CMD_TLBI_NH_VA of one page, and CMD_SYNC; returns when that is consumed.
void smmu_invalidate(u64 address);
// The oldest event that has not been taken. False: there is none.
bool smmu_take_event(struct smmu_event* event);
