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
// CMD_TLBI_NH_VA of one page, and CMD_SYNC; returns when that is consumed.
void smmu_invalidate(u64 address);
// The oldest event that has not been taken. False: there is none.
bool smmu_take_event(struct smmu_event* event);
