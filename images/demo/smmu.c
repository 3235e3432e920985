// images/demo/smmu.c: see smmu.h. Names as in the specification.
#include "demo/smmu.h"

enum {
  kIdr0 = 0x00,
  kCr0 = 0x20,
  kCr0Ack = 0x24,
  kCr1 = 0x28,
  kStrtabBase = 0x80,
  kStrtabBaseCfg = 0x88,
  kCmdqBase = 0x90,
  kCmdqProd = 0x98,
  kCmdqCons = 0x9c,
  kEventqBase = 0xa0,
  kEventqProd = 0x100a8,
  kEventqCons = 0x100ac,
};
enum { kSmmuEn = 1, kEventqEn = 4, kCmdqEn = 8 };
enum { kCmdCfgiAll = 4, kCmdTlbiNhVa = 0x12, kCmdTlbiNsnhAll = 0x30, kCmdSync = 0x46 };
enum { kStreams = 256, kLogQueue = 4, kQueue = 1 << kLogQueue, kAsid = 7, kPatience = 100000 };

static u64 stream_table[kStreams][8] __attribute__((aligned(kStreams * 64)));
static u64 context[8] __attribute__((aligned(64)));
static u64 commands[kQueue][2] __attribute__((aligned(kQueue * 16)));
static u64 events[kQueue][4] __attribute__((aligned(kQueue * 32)));
static u64 base;
static u32 produced;

static bool wait_for(u64 offset, u32 value) {
  for (u32 n = 0; n < kPatience; n++)
    if (read32(base + offset) == value) return true;
  return false;
}

static bool enable(u32 bits) {
  write32(base + kCr0, bits);
  return wait_for(kCr0Ack, bits);
}

static bool command(u64 word0, u64 word1) {
  u64* at = commands[produced & (kQueue - 1)];
  at[0] = word0;
  at[1] = word1;
  dsb_ish();
  produced = (produced + 1) & (2 * kQueue - 1);
  write32(base + kCmdqProd, produced);
  return wait_for(kCmdqCons, produced);
}

bool smmu_start(u64 registers, u32 stream, address_space tables) {
  base = registers;
  // T0SZ 25, write-back inner shareable walks, EPD1, V, IPS 44 bits, AA64, R, A, ASET, ASID.
  context[0] = 25 | 1 << 8 | 1 << 10 | 3 << 12 | 1ull << 30 | 1ull << 31 | 4ull << 32 | 1ull << 41 |
               7ull << 45 | (u64)kAsid << 48;
  context[1] = (u64)tables.root;
  context[3] = 0x04ff;                                  // MAIR, as the PEs'
  stream_table[stream][1] = 1ull << 44;                 // SHCFG: as the transaction says
  stream_table[stream][0] = 1 | 5 << 1 | (u64)context;  // V, Config: stage 1
  dsb_ish();
  write32(base + kCr0, 0);
  write32(base + kCr1, 0x0d75);  // tables and queues: inner shareable, write-back
  write64(base + kStrtabBase, (u64)stream_table);
  write32(base + kStrtabBaseCfg, 8);  // linear, 2^8 entries
  write64(base + kCmdqBase, (u64)commands | kLogQueue);
  write32(base + kCmdqProd, 0);
  write32(base + kCmdqCons, 0);
  write64(base + kEventqBase, (u64)events | kLogQueue);
  write32(base + kEventqProd, 0);
  write32(base + kEventqCons, 0);
  return enable(kCmdqEn) && command(kCmdCfgiAll, 31) && command(kCmdTlbiNsnhAll, 0) && command(kCmdSync, 0) &&
         enable(kCmdqEn | kEventqEn) && enable(kCmdqEn | kEventqEn | kSmmuEn);
}

bool smmu_nest(u32 stream, const u64* root) {
  if ((read32(base + kIdr0) & 3) != 3) return false;
  // VMID 1, S2T0SZ 25, S2SL0 1, write-back inner shareable walks, S2PS 44 bits, S2AA64, S2R.
  stream_table[stream][2] =
      1 | 25ull << 32 | 1ull << 38 | 5ull << 40 | 3ull << 44 | 4ull << 48 | 1ull << 51 | 1ull << 58;
  stream_table[stream][3] = (u64)root;
  stream_table[stream][0] |= 7 << 1;
  dsb_ish();
  return command(kCmdCfgiAll, 31) && command(kCmdTlbiNsnhAll, 0) && command(kCmdSync, 0);
}

void smmu_invalidate(u64 address) {
  command(kCmdTlbiNhVa | (u64)kAsid << 48, address | 1);
  command(kCmdSync, 0);
}

bool smmu_take_event(struct smmu_event* event) {
  const u32 at = read32(base + kEventqCons);
  if (read32(base + kEventqProd) == at) return false;
  const u64* record = events[at & (kQueue - 1)];
  *event =
      (struct smmu_event){(u32)record[0] & 0xff, (u32)(record[0] >> 32), record[2], !(record[1] >> 35 & 1)};
  write32(base + kEventqCons, (at + 1) & (2 * kQueue - 1));
  return true;
}
