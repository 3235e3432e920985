// tests/bench/iommu_guest/virtio.h: as much of a virtio driver on PCI as the benchmarks need (VIRTIO 1.3, 2.7
// and 4.1): one function, one queue, no features but those of the caller.
#pragma once
#include "lib/arm.h"

enum { kRing = 256, kEndpoint = 0x18 };  // kEndpoint: requester ID of the disk, which is device 3
enum { kIommuDevice = 0x1057, kBlockDevice = 0x1042 };
enum { kDescNext = 1, kDescWrite = 2 };

struct ring {
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
} __attribute__((aligned(4096)));

struct virtio {
  struct ring* ring;
  u64 notify, isr;
};

// Finds the function, puts its BAR at `bar`, and starts queue 0 on `ring` with the low feature bits
// `features` where they are offered. False: there is none, or it does not start.
bool virtio_start(struct virtio* v, u16 device, u64 bar, struct ring* ring, u32 features);
// Makes `count` chains available, whose heads are in available.ring already.
void virtio_submit(struct virtio* v, u16 count);
static inline bool virtio_idle(const struct virtio* v) {
  return __atomic_load_n(&v->ring->used.index, __ATOMIC_ACQUIRE) == v->ring->available.index;
}
