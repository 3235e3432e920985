// Bare metal, for tests/bench/iommu: requests to an IOMMU, without an operating system that does more than
// that. Behind a virtio-iommu it maps kMappings pages and then takes pages away and maps them again, in no
// order. With an SMMUv3 it sends CMD_TLBI_NH_VA and CMD_SYNC. Prints what tests/bench/compare understands.
#include "demo/smmu.h"
#include "lib/arm.h"
#include "lib/console.h"
#include "lib/mmu.h"
#include "lib/smp.h"
#include "viommu.h"

enum { kMappings = 100000, kPairs = 100000, kSyncs = 100000 };
static const u64 kFirstIova = 0x100000000;

static void map_page(u64 page) {
  viommu_map(kFirstIova + page * 4096, 4096, 0x50000000 + page % 4096 * 4096);
}

static void map_and_unmap(void) {
  for (u64 n = 0; n < kMappings; n++) map_page(n);
  viommu_flush();
  print("BENCH begin requests|MAP + UNMAP\n");
  u64 state = 1;
  for (u32 n = 0; n < kPairs; n++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const u64 page = (state >> 33) % kMappings;
    viommu_unmap(kFirstIova + page * 4096, 4096);
    map_page(page);
  }
  print("BENCH end MAP + UNMAP|%u|0\n", viommu_flush());
}

static void invalidate_and_sync(address_space space) {
  if (!smmu_start(board.smmu, kEndpoint, space)) print("BENCH failed: no SMMU\n");
  print("BENCH begin requests|TLBI + SYNC\n");
  for (u32 n = 0; n < kSyncs; n++) smmu_invalidate(kFirstIova + (u64)n % 4096 * 4096);
  print("BENCH end TLBI + SYNC|0|0\n");
}

int main(void) {
  const address_space space = space_create();
  mmu_enable(space);
  print("BENCH ready\n");
  if (viommu_start()) map_and_unmap();
  if (board.smmu) invalidate_and_sync(space);
  print("BENCH done\n");
  for (;;) wfi();
}
