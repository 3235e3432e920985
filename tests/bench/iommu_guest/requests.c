// Bare metal, for tests/bench/iommu: requests to an IOMMU, without an operating system that does more than
// that. Behind a virtio-iommu (VIRTIO 1.3, 5.13) it maps kMappings pages and then takes pages away and maps
// them again, in no order. With an SMMUv3 it sends CMD_TLBI_NH_VA and CMD_SYNC. Prints what
// tests/bench/compare understands.
#include "demo/smmu.h"
#include "lib/arm.h"
#include "lib/console.h"
#include "lib/mmu.h"
#include "lib/smp.h"

enum { kVendor = 0x1af4, kIommuDevice = 0x1057, kEndpoint = 0x18 };
enum { kMappings = 100000, kPairs = 100000, kSyncs = 100000, kRing = 128, kBatch = kRing / 2 };
enum { kCommon = 1, kNotify = 2, kCapabilities = 4 };  // virtio_pci_cap.cfg_type
static const u64 kBar = 0x10000000, kFirstIova = 0x100000000;

// --- Accesses of a byte and of two
static u8 read8(u64 at) { return *(volatile u8*)at; }
static void write8(u64 at, u8 value) { *(volatile u8*)at = value; }
static u16 read16(u64 at) { return *(volatile u16*)at; }
static void write16(u64 at, u16 value) { *(volatile u16*)at = value; }

static struct {
  struct {
    u64 address;
    u32 length;
    u16 flags, next;
  } descriptors[kRing];
  struct {
    u16 flags, index, ring[kRing];
  } available;
  struct {
    u16 flags, index;
    struct {
      u32 id, length;
    } ring[kRing];
  } used __attribute__((aligned(4)));
} queue __attribute__((aligned(4096)));

enum { kAttach = 1, kMap = 3, kUnmap = 4 };
static const u32 kAttachBytes = 20, kMapBytes = 36, kUnmapBytes = 28;
static struct {
  u8 request[48];
  u8 status[16];
} slots[kBatch];
static u64 notify;
static u32 waiting, failures;

static void put32(u8* at, u32 value) {
  for (int i = 0; i < 4; i++) at[i] = (u8)(value >> 8 * i);
}
static void put64(u8* at, u64 value) { put32(at, (u32)value), put32(at + 4, (u32)(value >> 32)); }

// --- PCI and the transport (4.1)
static u64 bar_address(u64 function, u32 bar) {
  write32(function + 0x10 + 4 * bar, (u32)kBar);
  if ((read32(function + 0x10 + 4 * bar) >> 1 & 3) == 2) write32(function + 0x14 + 4 * bar, 0);
  write32(function + 4, 6);  // memory space, bus master
  return kBar;
}

static u64 find_iommu(void) {
  for (u32 n = 0; board.ecam && n < 256; n++)
    if (read32(board.ecam + ((u64)n << 12)) == (kVendor | kIommuDevice << 16))
      return board.ecam + ((u64)n << 12);
  return 0;
}

static bool start_queue(u64 common, u64 notify_base, u32 multiplier) {
  write8(common + 20, 0);
  while (read8(common + 20)) {
  }
  write8(common + 20, 1 | 2);
  write32(common, 0);
  const u32 low = read32(common + 4);
  write32(common, 1);
  const u32 high = read32(common + 4);
  write32(common + 8, 0), write32(common + 12, low & 7);   // INPUT_RANGE, DOMAIN_RANGE, MAP_UNMAP
  write32(common + 8, 1), write32(common + 12, high & 3);  // VERSION_1, ACCESS_PLATFORM
  write8(common + 20, 1 | 2 | 8);
  if (!(read8(common + 20) & 8)) return false;
  write16(common + 22, 0);
  if (read16(common + 24) < kRing) return false;
  write16(common + 24, kRing);
  write16(common + 26, 0xffff);
  queue.available.flags = 1;  // no interrupt
  const u64 at[] = {(u64)queue.descriptors, (u64)&queue.available, (u64)&queue.used};
  for (u32 i = 0; i < 3; i++) {
    write32(common + 32 + 8 * i, (u32)at[i]);
    write32(common + 36 + 8 * i, (u32)(at[i] >> 32));
  }
  notify = notify_base + (u64)multiplier * read16(common + 30);
  write16(common + 28, 1);
  write8(common + 20, 1 | 2 | 8 | 4);
  return true;
}

static bool start_iommu(u64 function) {
  u64 common = 0, notify_base = 0, base = 0;
  u32 multiplier = 0;
  for (u32 cap = read8(function + 0x34); cap; cap = read8(function + cap + 1)) {
    if (read8(function + cap) != 9) continue;
    const u32 kind = read8(function + cap + 3), bar = read8(function + cap + 4);
    if (kind != kCommon && kind != kNotify) continue;
    if (!base) base = bar_address(function, bar);
    const u64 at = base + read32(function + cap + 8);
    if (kind == kCommon) common = at;
    if (kind == kNotify) notify_base = at, multiplier = read32(function + cap + 16);
  }
  return common && notify_base && start_queue(common, notify_base, multiplier);
}

// --- Requests (5.13.6): collected, and made available kBatch at a time
static void flush(void) {
  if (!waiting) return;
  __atomic_store_n(&queue.available.index, (u16)(queue.available.index + waiting), __ATOMIC_RELEASE);
  dsb_ish();
  write16(notify, 0);
  while (__atomic_load_n(&queue.used.index, __ATOMIC_ACQUIRE) != queue.available.index) {
  }
  for (u32 i = 0; i < waiting; i++) failures += slots[i].status[0] != 0;
  waiting = 0;
}

static void submit(u8 type, u64 first, u64 output) {
  const u32 n = waiting++;
  u8* r = slots[n].request;
  put32(r, type);
  put32(r + 4, 1);
  u32 bytes = kMapBytes;
  if (type == kAttach) {
    put32(r + 8, kEndpoint), put32(r + 12, 0), put32(r + 16, 0);
    bytes = kAttachBytes;
  } else {
    put64(r + 8, first), put64(r + 16, first + 4095);
    if (type == kMap) put64(r + 24, output), put32(r + 32, 3);
    if (type == kUnmap) put32(r + 24, 0), bytes = kUnmapBytes;
  }
  slots[n].status[0] = 0xff;
  queue.descriptors[2 * n].address = (u64)r;
  queue.descriptors[2 * n].length = bytes;
  queue.descriptors[2 * n].flags = 1, queue.descriptors[2 * n].next = (u16)(2 * n + 1);
  queue.descriptors[2 * n + 1].address = (u64)slots[n].status;
  queue.descriptors[2 * n + 1].length = 4;
  queue.descriptors[2 * n + 1].flags = 2;
  queue.available.ring[(queue.available.index + n) % kRing] = (u16)(2 * n);
  if (waiting == kBatch) flush();
}

static void map_and_unmap(void) {
  submit(kAttach, 0, 0);
  for (u64 n = 0; n < kMappings; n++) submit(kMap, kFirstIova + n * 4096, 0x50000000 + n % 4096 * 4096);
  flush();
  print("BENCH begin requests|MAP + UNMAP\n");
  u64 state = 1;
  for (u32 n = 0; n < kPairs; n++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const u64 page = (state >> 33) % kMappings;
    submit(kUnmap, kFirstIova + page * 4096, 0);
    submit(kMap, kFirstIova + page * 4096, 0x50000000 + page % 4096 * 4096);
  }
  flush();
  print("BENCH end MAP + UNMAP|%u|0\n", failures);
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
  const u64 function = find_iommu();
  if (function && start_iommu(function)) map_and_unmap();
  if (board.smmu) invalidate_and_sync(space);
  print("BENCH done\n");
  for (;;) wfi();
}
