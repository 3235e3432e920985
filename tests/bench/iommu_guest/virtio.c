// tests/bench/iommu_guest/virtio.c: see virtio.h.
#include "virtio.h"

#include "lib/smp.h"

enum { kVendor = 0x1af4 };
enum { kCommon = 1, kNotify = 2, kIsr = 3 };  // virtio_pci_cap.cfg_type

// --- Accesses of a byte and of two
static u8 read8(u64 at) { return *(volatile u8*)at; }
static void write8(u64 at, u8 value) { *(volatile u8*)at = value; }
static u16 read16(u64 at) { return *(volatile u16*)at; }
static void write16(u64 at, u16 value) { *(volatile u16*)at = value; }

static u64 find_function(u16 device) {
  for (u32 n = 0; board.ecam && n < 256; n++)
    if (read32(board.ecam + ((u64)n << 12)) == (u32)(kVendor | (u32)device << 16))
      return board.ecam + ((u64)n << 12);
  return 0;
}

static void place_bar(u64 function, u32 bar, u64 at) {
  write32(function + 0x10 + 4 * bar, (u32)at);
  if ((read32(function + 0x10 + 4 * bar) >> 1 & 3) == 2) write32(function + 0x14 + 4 * bar, 0);
  write32(function + 4, 6);  // memory space, bus master
}

static bool start_queue(struct virtio* v, u64 common, u64 notify_base, u32 multiplier, u32 features) {
  write8(common + 20, 0);
  while (read8(common + 20)) {
  }
  write8(common + 20, 1 | 2);
  write32(common, 0);
  const u32 low = read32(common + 4);
  write32(common, 1);
  const u32 high = read32(common + 4);
  write32(common + 8, 0), write32(common + 12, low & features);
  write32(common + 8, 1), write32(common + 12, high & 3);  // VERSION_1, ACCESS_PLATFORM
  write8(common + 20, 1 | 2 | 8);
  if (!(read8(common + 20) & 8)) return false;
  write16(common + 22, 0);
  if (read16(common + 24) < kRing) return false;
  write16(common + 24, kRing);
  write16(common + 26, 0xffff);
  const u64 at[] = {(u64)v->ring->descriptors, (u64)&v->ring->available, (u64)&v->ring->used};
  for (u32 i = 0; i < 3; i++) {
    write32(common + 32 + 8 * i, (u32)at[i]);
    write32(common + 36 + 8 * i, (u32)(at[i] >> 32));
  }
  v->notify = notify_base + (u64)multiplier * read16(common + 30);
  write16(common + 28, 1);
  write8(common + 20, 1 | 2 | 8 | 4);
  return true;
}

bool virtio_start(struct virtio* v, u16 device, u64 bar, struct ring* ring, u32 features) {
  const u64 function = find_function(device);
  if (!function) return false;
  *v = (struct virtio){.ring = ring};
  u64 common = 0, notify_base = 0, base = 0;
  u32 multiplier = 0;
  for (u32 cap = read8(function + 0x34); cap; cap = read8(function + cap + 1)) {
    if (read8(function + cap) != 9) continue;
    const u32 kind = read8(function + cap + 3), in = read8(function + cap + 4);
    if (kind < kCommon || kind > kIsr) continue;
    if (!base) place_bar(function, in, base = bar);
    const u64 at = base + read32(function + cap + 8);
    if (kind == kCommon) common = at;
    if (kind == kIsr) v->isr = at;
    if (kind == kNotify) notify_base = at, multiplier = read32(function + cap + 16);
  }
  return common && notify_base && start_queue(v, common, notify_base, multiplier, features);
}

void virtio_submit(struct virtio* v, u16 count) {
  u16* index = &v->ring->available.index;
  __atomic_store_n(index, (u16)(*index + count), __ATOMIC_RELEASE);
  dsb_ish();
  write16(v->notify, 0);
}
