// images/lib/mmu.h: stage 1 tables of EL1&0 with 4 KiB granule and 39-bit addresses, so that the walk begins
// at level 1 (Arm ARM D8.3). Devices in the first GiB and at 256 GiB, and RAM in the second GiB, are identity
// mapped and global; pages for tests are mapped above.
#pragma once
#include "lib/arm.h"

enum {
  kPageValid = 3,
  kPageNormal = 0 << 2,  // MAIR 0: write-back
  kPageDevice = 1 << 2,  // MAIR 1: Device-nGnRE
  kPageUser = 1 << 6,
  kPageReadOnly = 1 << 7,
  kPageShared = 3 << 8,
  kPageAccessed = 1 << 10,
  kPageNotGlobal = 1 << 11,
};
static const u64 kPageNoExecute = 3ull << 53;
static const u64 kPageReadWrite = kPageValid | kPageNormal | kPageShared | kPageAccessed | 3ull << 53;
static const u64 kTestWindow = 0x400000000;  // 16 GiB: nothing is mapped there at first

typedef struct {
  u64* root;
} address_space;

// A new set of tables with the identity map.
address_space space_create(void);
// The level 3 descriptor of a page in the test window; tables are made on the way.
u64* space_descriptor(address_space s, u64 va);
// Writes the descriptor and makes it visible to walks. Invalidates nothing.
void space_map(address_space s, u64 va, u64 pa, u64 attributes);
void space_unmap(address_space s, u64 va);
// TTBR0_EL1 with the ASID. Invalidates nothing.
void space_activate(address_space s, u64 asid);
void mmu_enable(address_space s);

// TLBI of one page for all ASIDs, for all PEs or for this one, and the barriers that complete it.
void tlbi_page_all_pes(u64 va);
void tlbi_page_this_pe(u64 va);
void tlbi_all_pes(void);
