// tests/bench/iommu_guest/viommu.c: see viommu.h.
#include "viommu.h"

enum { kBatch = 64 };
enum { kAttach = 1, kMap = 3, kUnmap = 4 };
static const u32 kAttachBytes = 20, kMapBytes = 36, kUnmapBytes = 28;
static const u64 kBar = 0x10000000;

static struct ring ring;
static struct virtio device;
static struct {
  u8 request[48];
  u8 status[16];
} slots[kBatch];
static u32 waiting, failures;

static void put32(u8* at, u32 value) {
  for (int i = 0; i < 4; i++) at[i] = (u8)(value >> 8 * i);
}
static void put64(u8* at, u64 value) { put32(at, (u32)value), put32(at + 4, (u32)(value >> 32)); }

u32 viommu_flush(void) {
  if (!waiting) return failures;
  virtio_submit(&device, (u16)waiting);
  while (!virtio_idle(&device)) {
  }
  for (u32 i = 0; i < waiting; i++) failures += slots[i].status[0] != 0;
  waiting = 0;
  return failures;
}

static u8* begin(u8 type) {
  u8* r = slots[waiting].request;
  put32(r, type);
  put32(r + 4, 1);
  return r;
}

static void submit(u32 bytes) {
  const u32 n = waiting++;
  slots[n].status[0] = 0xff;
  ring.descriptors[2 * n].address = (u64)slots[n].request;
  ring.descriptors[2 * n].length = bytes;
  ring.descriptors[2 * n].flags = kDescNext, ring.descriptors[2 * n].next = (u16)(2 * n + 1);
  ring.descriptors[2 * n + 1].address = (u64)slots[n].status;
  ring.descriptors[2 * n + 1].length = 4;
  ring.descriptors[2 * n + 1].flags = kDescWrite;
  ring.available.ring[(ring.available.index + n) % kRing] = (u16)(2 * n);
  if (waiting == kBatch) viommu_flush();
}

bool viommu_start(void) {
  ring.available.flags = 1;                                                // no interrupt
  if (!virtio_start(&device, kIommuDevice, kBar, &ring, 7)) return false;  // INPUT_, DOMAIN_RANGE, MAP_UNMAP
  u8* r = begin(kAttach);
  put32(r + 8, kEndpoint), put32(r + 12, 0), put32(r + 16, 0);
  submit(kAttachBytes);
  return true;
}

void viommu_map(u64 iova, u64 bytes, u64 output) {
  u8* r = begin(kMap);
  put64(r + 8, iova), put64(r + 16, iova + bytes - 1);
  put64(r + 24, output), put32(r + 32, 3);
  submit(kMapBytes);
}

void viommu_unmap(u64 iova, u64 bytes) {
  u8* r = begin(kUnmap);
  put64(r + 8, iova), put64(r + 16, iova + bytes - 1);
  put32(r + 24, 0);
  submit(kUnmapBytes);
}
