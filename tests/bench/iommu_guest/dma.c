// Bare metal, for tests/bench/iommu: a disk (virtio-blk, VIRTIO 1.3, 5.2) that writes what it reads to pages
// at random, of 100,000 that are mapped for it. What is read is little and in the host's page cache, so that
// most of the time goes to DMA. The ways: no IOMMU, an SMMUv3 (nested where it has both stages, else stage
// 1), or a virtio-iommu. Prints what tests/bench/compare understands.
#include "demo/smmu.h"
#include "lib/arm.h"
#include "lib/console.h"
#include "lib/gic.h"
#include "lib/mmu.h"
#include "lib/smp.h"
#include "viommu.h"

enum { kMappings = 100000, kPages = 250, kRequests = 400 };  // 100,000 pages in requests of 250
enum { kEntries = 512, kPage = 4096, kDataPages = 4096, kDiskInterrupt = 32 + 6, kTables = 0x60000000 };
static const u64 kFirstIova = 0x400000000, kRam = 0x40000000, kGiB = 0x40000000;
static const u64 kData = 0x50000000, kBar = 0x10100000;

static struct ring ring;
static struct {
  u32 type, reserved;
  u64 sector;
} header;
static u8 status;

// --- Where pages are
static u64 output_of(u64 page) { return kData + page * 2654435761u % kDataPages * kPage; }

static u64* new_table(void) {
  static u64 next = kTables;
  u64* t = (u64*)next;
  next += kPage;
  for (u32 i = 0; i < kEntries; i++) t[i] = 0;
  return t;
}

static void set_page(u64* root, u64 from, u64 to, u64 attributes) {
  for (u32 shift = 30; shift > 12; shift -= 9) {
    u64* entry = &root[from >> shift & 511];
    if (!*entry) *entry = (u64)new_table() | 3;
    root = (u64*)(*entry & 0xfffffffff000);
  }
  root[from >> 12 & 511] = to | attributes;
}

static bool start_smmu(void) {
  const address_space stage1 = {new_table()};
  stage1.root[kRam >> 30] = kRam | 1 | kPageAccessed | kPageShared | kPageUser;  // rings
  for (u64 n = 0; n < kMappings; n++)
    set_page(stage1.root, kFirstIova + n * kPage, output_of(n), kPageReadWrite | kPageUser);
  if (!smmu_start(board.smmu, kEndpoint, stage1)) return false;
  u64* stage2 = new_table();
  for (u64 at = kRam; at < kRam + kGiB; at += kPage) set_page(stage2, at, at, smmu_stage2_page());
  print("BENCH stages: %s\n", smmu_nest(kEndpoint, stage2) ? "nested" : "1");
  return true;
}

static void start_viommu(void) {
  viommu_map(kRam, kGiB, kRam);
  for (u64 n = 0; n < kMappings; n++) viommu_map(kFirstIova + n * kPage, kPage, output_of(n));
  if (viommu_flush()) print("BENCH failed: the IOMMU refuses\n");
}

// --- The disk
static void wait_for(struct virtio* disk) {
  while (!virtio_idle(disk)) wfi();  // pending is enough: interrupts are not taken
  (void)*(volatile u8*)disk->isr;
}

static u64 read_pages(struct virtio* disk, bool mapped, bool in_order) {
  u64 state = 1, wrong = 0;
  for (u32 n = 0; n < kRequests; n++) {
    u64 last = 0;
    for (u32 i = 1; i <= kPages; i++) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      const u64 page = in_order ? n * kPages + i - 1 : (state >> 33) % kMappings;
      ring.descriptors[i].address = mapped ? kFirstIova + page * kPage : output_of(page);
      last = output_of(page);
    }
    *(volatile u64*)last = ~0ull;
    ring.available.ring[ring.available.index % kRing] = 0;
    virtio_submit(disk, 1);
    wait_for(disk);
    // The first word of each page of the disk is its number.
    wrong += status != 0 || *(volatile u64*)last != kPages - 1;
  }
  return wrong;
}

static void prepare(void) {
  for (u32 i = 0; i < kPages + 2; i++) {
    ring.descriptors[i].length = kPage;
    ring.descriptors[i].flags = kDescNext | kDescWrite;
    ring.descriptors[i].next = (u16)(i + 1);
  }
  ring.descriptors[0].address = (u64)&header, ring.descriptors[0].length = sizeof header;
  ring.descriptors[0].flags = kDescNext;
  ring.descriptors[kPages + 1].address = (u64)&status, ring.descriptors[kPages + 1].length = 1;
  ring.descriptors[kPages + 1].flags = kDescWrite;
}

static void enable_disk_interrupt(void) {
  const u64 distributor = 0x08000000;
  const u32 word = 4 * (kDiskInterrupt / 32), bit = 1u << kDiskInterrupt % 32;
  gic_init(board.gic_version);
  gic_init_pe();
  if (board.gic_version == 3) write32(distributor + 0x080 + word, bit);  // GICD_IGROUPR
  write32(distributor + 0x100 + word, bit);                              // GICD_ISENABLER
  if (board.gic_version == 2) write32(distributor + 0x800 + (kDiskInterrupt & ~3u), 0x01010101);  // ITARGETSR
}

int main(void) {
  mmu_enable(space_create());
  irq_off();
  print("BENCH ready\n");
  const bool virtio = viommu_start();
  if (virtio) start_viommu();
  if (board.smmu && !start_smmu()) print("BENCH failed: no SMMU\n");
  enable_disk_interrupt();
  prepare();
  struct virtio disk;
  if (!virtio_start(&disk, kBlockDevice, kBar, &ring, 0)) print("BENCH failed: no disk\n");
  const bool mapped = virtio || board.smmu;
  read_pages(&disk, mapped, true);  // everybody has seen everything
  print("BENCH begin requests|random DMA\n");
  const u64 wrong = read_pages(&disk, mapped, false);
  print("BENCH end random DMA|%u|0\n", (u32)wrong);
  print("BENCH done\n");
  for (;;) wfi();
}
