// images/demo/edu.c: see edu.h.
#include "demo/edu.h"

enum { kIdentity = 0x11e81234, kCommand = 0x04, kBar0 = 0x10, kMemoryAndMaster = 6 };
enum { kSource = 0x80, kDestination = 0x88, kCount = 0x90, kDma = 0x98, kBuffer = 0x40000 };
enum { kDmaStart = 1, kDmaToMemory = 2 };
static const u64 kBar = 0x10000000;  // the start of the 32-bit PCI memory window

bool edu_find(u64 ecam, u32* stream) {
  for (u32 function = 0; ecam && function < 256; function++) {
    const u64 at = ecam + ((u64)function << 12);
    if (read32(at) != kIdentity) continue;
    write32(at + kBar0, (u32)kBar);
    write32(at + kCommand, kMemoryAndMaster);
    *stream = function;
    return true;
  }
  return false;
}

static void transfer(u64 from, u64 to, u32 bytes, u64 direction) {
  write64(kBar + kSource, from);
  write64(kBar + kDestination, to);
  write64(kBar + kCount, bytes);
  write64(kBar + kDma, kDmaStart | direction);
  while (read64(kBar + kDma) & kDmaStart) {
  }
}

void edu_read(u64 address, u32 bytes) { transfer(address, kBuffer, bytes, 0); }
void edu_write(u64 address, u32 bytes) { transfer(kBuffer, address, bytes, kDmaToMemory); }
