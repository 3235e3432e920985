// images/lib/monitor.c: see monitor.h. Code and data are in blocks of their own, which stay Secure: once RAM
// is Non-secure, a Secure access to anything else in it is blocked. So nothing here may use the rest of the
// image: no strings, no library.
#include "lib/monitor.h"

#define MONITOR_TEXT __attribute__((section(".monitor.text"), noinline))
#define MONITOR_DATA __attribute__((section(".monitor.data")))

enum {
  kMpc = 0x0b000000,  // AHB5 TrustZone MPC (Arm DDI 0571)
  kMpcCtrl = 0x00,
  kMpcBlkMax = 0x10,
  kMpcBlkCfg = 0x14,
  kMpcBlkIdx = 0x18,
  kMpcBlkLut = 0x1c,
  kMpcIntStat = 0x20,
  kMpcIntClear = 0x24,
  kMpcInfo1 = 0x28 + 4,
  kMpcInfo2 = 0x30,
  kMpcPidr0 = 0xfe0,
  kMpcSecResp = 1 << 4,  // CTRL: a bus error for what is blocked
};
enum {
  kDistributor = 0x08000000,
  kCpuInterface = 0x08010000,
  kRedistributors = 0x080a0000,
  kRedistributor = 0x20000,
  kSgiFrame = 0x10000,
};
static const u64 kRam = 0x40000000;
enum { kScrNs = 1, kScrRes1 = 3 << 4, kScrHce = 1 << 8, kScrRw = 1 << 10, kScrKeys = 3 << 16 };
enum { kEl1hMasked = 0x3c5 };

extern char monitor_vectors[], monitor_begin[], monitor_end[];
void monitor_enter(u64 entry, u64 argument, u64 spsr) __attribute__((noreturn));
void el1_start(void);

MONITOR_DATA u64 monitor_stacks[kMaxPes][128] __attribute__((aligned(16))) = {{0}};
static MONITOR_DATA struct { u64 entry, context, on; } mailbox[kMaxPes] = {{0}};
static MONITOR_DATA u64 mpc_is_there = 0, exit_block[2] = {0x20026, 0};
static MONITOR_DATA u64 opened = 0;

static inline bool gicv3(void) { return READ_SYSREG(id_aa64pfr0_el1) >> 24 & 15; }

static MONITOR_TEXT void set_block(u64 address, u64 non_secure) {
  const u64 shift = (read32(kMpc + kMpcBlkCfg) & 15) + 5, block = (address - kRam) >> shift;
  write32(kMpc + kMpcBlkIdx, (u32)(block >> 5));
  const u32 word = read32(kMpc + kMpcBlkLut), bit = 1u << (block & 31);
  write32(kMpc + kMpcBlkLut, non_secure ? word | bit : word & ~bit);
}

// All of RAM but the monitor itself.
static MONITOR_TEXT void open_ram(void) {
  mpc_is_there = (read32(kMpc + kMpcPidr0) & 0xff) == 0x60;
  if (!mpc_is_there) return;
  write32(kMpc + kMpcCtrl, kMpcSecResp);  // no auto-increment
  const u64 shift = (read32(kMpc + kMpcBlkCfg) & 15) + 5;
  const u64 first = ((u64)monitor_begin - kRam) >> shift, last = ((u64)monitor_end - 1 - kRam) >> shift;
  const u32 words = read32(kMpc + kMpcBlkMax) + 1;
  for (u64 n = 0; n < words; n++) {
    u32 lut = ~0u;
    for (u64 block = first; block <= last; block++)
      if (block >> 5 == n) lut &= ~(1u << (block & 31));
    write32(kMpc + kMpcBlkIdx, (u32)n);
    write32(kMpc + kMpcBlkLut, lut);
  }
}

// Group 1 Non-secure for everything; Non-secure software does the rest.
static MONITOR_TEXT void give_interrupts_away(u64 index) {
  if (index == 0) {
    if (gicv3()) write32(kDistributor, 1 << 4 | 1 << 5);  // ARE_S, ARE_NS
    const u32 words = (read32(kDistributor + 4) & 31) + 1;
    for (u32 n = 1; n < words; n++) write32(kDistributor + 0x80 + n * 4, ~0u);  // IGROUPR
    write32(kDistributor, gicv3() ? 1 << 4 | 1 << 5 | 2 : 3);  // EnableGrp1NS; EnableGrp0 and 1
  }
  if (!gicv3()) {
    write32(kDistributor + 0x80, ~0u);
    write32(kCpuInterface + 4, 0xff);  // GICC_PMR: with it, Non-secure software can unmask
    write32(kCpuInterface, 3);
    return;
  }
  const u64 frame = kRedistributors + index * kRedistributor;
  write32(frame + 0x14, 0);                // GICR_WAKER
  write32(frame + kSgiFrame + 0x80, ~0u);  // GICR_IGROUPR0
  WRITE_SYSREG(S3_6_C12_C12_5, 0xf);       // ICC_SRE_EL3
  isb();
  WRITE_SYSREG(S3_0_C4_C6_0, 0xff);  // ICC_PMR_EL1
  isb();
}

// Every PE comes here at reset, at EL3 with the MMU off.
MONITOR_TEXT _Noreturn void monitor_main(u64 index, u64 device_tree) {
  WRITE_SYSREG(vbar_el3, monitor_vectors);
  WRITE_SYSREG(cptr_el3, 0);
  WRITE_SYSREG(scr_el3, kScrNs | kScrRes1 | kScrHce | kScrRw | kScrKeys);
  WRITE_SYSREG(sctlr_el1, 0x30d00800);
  isb();
  if (index == 0) {
    monitor_present = 1;  // still Secure memory
    open_ram();
    store_release(&opened, 1);
    sev();
  }
  while (!load_acquire(&opened)) wfe();
  give_interrupts_away(index);
  if (index == 0) {
    mailbox[0].on = 1;
    monitor_enter((u64)el1_start, device_tree, kEl1hMasked);
  }
  while (!load_acquire(&mailbox[index].entry)) wfe();
  monitor_enter(mailbox[index].entry, mailbox[index].context, kEl1hMasked);
}

static MONITOR_TEXT u64 cpu_on(u64 target, u64 entry, u64 context) {
  if (target >= kMaxPes) return (u64)-2;  // INVALID_PARAMETERS
  if (__atomic_exchange_n(&mailbox[target].on, 1, __ATOMIC_ACQ_REL)) return (u64)-4;
  mailbox[target].context = context;
  store_release(&mailbox[target].entry, entry);
  sev();
  return 0;
}

static MONITOR_TEXT _Noreturn void power_off(void) {
  register u64 x0 __asm__("x0") = 0x18;  // SYS_EXIT
  register u64 x1 __asm__("x1") = (u64)exit_block;
  for (;;) __asm__ volatile("hlt #0xf000" : "+r"(x0) : "r"(x1) : "memory");
}

static MONITOR_TEXT u64 take_violation(void) {
  if (!mpc_is_there || !(read32(kMpc + kMpcIntStat) & 1)) return 0;
  const u64 info = (u64)read32(kMpc + kMpcInfo2) << 32 | read32(kMpc + kMpcInfo1);
  write32(kMpc + kMpcIntClear, 1);
  return info;
}

MONITOR_TEXT u64 monitor_smc(u64 function, u64 a, u64 b, u64 c) {
  if (function == 0x84000000) return 0x10001;  // PSCI_VERSION
  if (function == 0xc4000003) return cpu_on(a, b, c);
  if (function == 0x84000008) power_off();
  if (function == kMonitorViolation) return take_violation();
  if (function != kMonitorSetBlock || !mpc_is_there) return (u64)-1;
  set_block(a, b);
  return 0;
}
