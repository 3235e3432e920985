// images/lib/gic.c: see gic.h.
#include "lib/gic.h"

static const u64 kDistributor = 0x08000000, kCpuInterface = 0x08010000, kRedistributors = 0x080a0000;
enum {
  kGicdCtlr = 0x000,
  kGicdIsenabler = 0x100,
  kGicdIpriorityr = 0x400,
  kGicdSgir = 0xf00,
  kGiccCtlr = 0x00,
  kGiccPmr = 0x04,
  kGiccIar = 0x0c,
  kGiccEoir = 0x10,
  kGicrTyper = 0x0008,
  kGicrWaker = 0x0014,
  kGicrFrame = 0x20000,
  kSgiFrame = 0x10000,
  kGicrIgroupr0 = kSgiFrame + 0x080,
  kGicrIsenabler0 = kSgiFrame + 0x100,
};
static u32 version;
static u64 redistributor[kMaxPes];

void gic_init(u32 wanted) {
  version = wanted;
  if (version == 2) {
    write32(kDistributor + kGicdCtlr, 1);
    return;
  }
  write32(kDistributor + kGicdCtlr, 1 << 4 | 2);  // ARE, then group 1
  while (read32(kDistributor + kGicdCtlr) >> 31) {
  }
}

static u64 find_redistributor(u64 mpidr) {
  const u64 affinity = (mpidr >> 32 & 0xff) << 24 | (mpidr & 0xffffff);
  for (u64 at = kRedistributors;; at += kGicrFrame) {
    u64 type = read64(at + kGicrTyper);
    if (type >> 32 == affinity || type & 1 << 4) return at;
  }
}

void gic_init_pe(void) {
  if (version == 2) {
    write32(kCpuInterface + kGiccPmr, 0xf8);
    write32(kCpuInterface + kGiccCtlr, 1);
    return;
  }
  u64 frame = find_redistributor(this_pe()->mpidr);
  redistributor[this_pe()->index] = frame;
  write32(frame + kGicrWaker, 0);
  while (read32(frame + kGicrWaker) & 4) {
  }
  write32(frame + kGicrIgroupr0, ~0u);
  WRITE_SYSREG(S3_0_C12_C12_5, 7);  // ICC_SRE_EL1
  isb();
  WRITE_SYSREG(S3_0_C4_C6_0, 0xf8);  // ICC_PMR_EL1
  WRITE_SYSREG(S3_0_C12_C12_7, 1);   // ICC_IGRPEN1_EL1
  isb();
}

void gic_enable_private(u32 intid) {
  u64 at = version == 2 ? kDistributor + kGicdIsenabler : redistributor[this_pe()->index] + kGicrIsenabler0;
  write32(at, 1u << intid);
}

u32 gic_acknowledge(void) {
  if (version == 2) return read32(kCpuInterface + kGiccIar);
  u32 intid = (u32)READ_SYSREG(S3_0_C12_C12_0);  // ICC_IAR1_EL1
  __asm__ volatile("dsb sy" ::: "memory");
  return intid;
}

void gic_end(u32 intid) {
  if (version == 2)
    write32(kCpuInterface + kGiccEoir, intid);
  else
    WRITE_SYSREG(S3_0_C12_C12_1, intid);  // ICC_EOIR1_EL1
  isb();
}

void gic_send(u32 intid, u64 index, u64 mpidr) {
  dsb_ish();
  if (version == 2) {
    write32(kDistributor + kGicdSgir, 1u << (16 + index) | intid);
    return;
  }
  u64 value = 1ull << (mpidr & 15) | (mpidr >> 8 & 0xff) << 16 | (mpidr >> 16 & 0xff) << 32 |
              (mpidr >> 32 & 0xff) << 48 | (u64)intid << 24;
  WRITE_SYSREG(S3_0_C12_C11_5, value);  // ICC_SGI1R_EL1
  isb();
}
