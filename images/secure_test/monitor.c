// images/secure_test/monitor.c: EL3: makes the two worlds, switches between them by SMC, takes the Secure
// timer's interrupt as FIQ. The worlds share the registers of EL1, so the monitor swaps them.
#include "lib/console.h"
#include "lib/semihosting.h"
#include "secure_test/secure_test.h"

struct world {
  u64 x[31], sp_el0, elr, spsr;  // known to start.S
  u64 scr, sp_el1, sctlr, tcr, ttbr0, ttbr1, mair, vbar, tpidr, cpacr;
};
void enter_world(struct world* w) __attribute__((noreturn));
extern char el1_vectors[];

enum { kScrNs = 1, kScrFiq = 4, kScrRw = 1 << 10, kScrKeys = 3 << 16 };
static struct world non_secure, secure;
static struct tables* const monitor_tables =
    (struct tables*)kSecureRam;  // in memory that only Secure software has
static u64 fiqs, checks, failures, switches;

u64 shared_page[512] __attribute__((aligned(4096)));
u64 non_secure_page[512] __attribute__((aligned(4096)));
static u64 stacks[2][512] __attribute__((aligned(4096)));

void check_equal(const char* what, u64 value, u64 expected) {
  checks++;
  if (value == expected) return;
  failures++;
  print("FAIL %s: 0x%lx, expected 0x%lx\n", what, value, expected);
}

static void save_el1(struct world* w) {
  w->sp_el1 = READ_SYSREG(sp_el1);
  w->sctlr = READ_SYSREG(sctlr_el1);
  w->tcr = READ_SYSREG(tcr_el1);
  w->ttbr0 = READ_SYSREG(ttbr0_el1);
  w->ttbr1 = READ_SYSREG(ttbr1_el1);
  w->mair = READ_SYSREG(mair_el1);
  w->vbar = READ_SYSREG(vbar_el1);
  w->tpidr = READ_SYSREG(tpidr_el1);
  w->cpacr = READ_SYSREG(cpacr_el1);
}

static void load_el1(const struct world* w) {
  WRITE_SYSREG(scr_el3, w->scr);
  WRITE_SYSREG(sp_el1, w->sp_el1);
  WRITE_SYSREG(sctlr_el1, w->sctlr);
  WRITE_SYSREG(tcr_el1, w->tcr);
  WRITE_SYSREG(ttbr0_el1, w->ttbr0);
  WRITE_SYSREG(ttbr1_el1, w->ttbr1);
  WRITE_SYSREG(mair_el1, w->mair);
  WRITE_SYSREG(vbar_el1, w->vbar);
  WRITE_SYSREG(tpidr_el1, w->tpidr);
  WRITE_SYSREG(cpacr_el1, w->cpacr);
  isb();
}

// --- Interrupts: the Secure physical timer is Group 0, everything else Non-secure Group 1.

enum { kSecureTimer = 29, kDistributor = 0x08000000, kCpuInterface = 0x08010000, kSgiFrame = 0x080b0000 };
static bool gicv3;

static void gic_init(void) {
  u64 own = gicv3 ? kSgiFrame : kDistributor;
  write32(own + 0x080, ~(1u << kSecureTimer));              // IGROUPR0
  write32(own + 0x400 + (kSecureTimer & ~3u), 0x10101010);  // IPRIORITYR
  write32(own + 0x100, 1u << kSecureTimer);                 // ISENABLER0
  if (gicv3) {
    write32(kSgiFrame - 0x10000 + 0x14, 0);  // GICR_WAKER
    write32(kDistributor, 0x37);             // EnableGrp0, EnableGrp1NS, EnableGrp1S, ARE_S, ARE_NS
    WRITE_SYSREG(S3_6_C12_C12_5, 0xf);       // ICC_SRE_EL3
    isb();
    WRITE_SYSREG(S3_0_C4_C6_0, 0xff);  // ICC_PMR_EL1
    WRITE_SYSREG(S3_0_C12_C12_6, 1);   // ICC_IGRPEN0_EL1
    WRITE_SYSREG(S3_6_C12_C12_7, 3);   // ICC_IGRPEN1_EL3
  } else {
    write32(kDistributor, 3);
    write32(kCpuInterface + 4, 0xff);  // GICC_PMR
    write32(kCpuInterface, 0xb);       // EnableGrp0, EnableGrp1, FIQEn
  }
  isb();
}

static void take_fiq(void) {
  u64 intid = gicv3 ? READ_SYSREG(S3_0_C12_C8_0) : read32(kCpuInterface + 0xc);
  check_equal("FIQ is the Secure timer's", intid & 0x3ff, kSecureTimer);
  __asm__ volatile("msr cntps_ctl_el1, xzr");
  isb();
  if (gicv3)
    WRITE_SYSREG(S3_0_C12_C8_1, intid);
  else
    write32(kCpuInterface + 0x10, (u32)intid);
  fiqs++;
}

// --- What the worlds ask

static u64 translate(u64 va) {
  __asm__ volatile("at s1e1r, %0\n\tisb" ::"r"(va) : "memory");
  return READ_SYSREG(par_el1);
}

static _Noreturn void finish(void) {
  print("secure_test: GICv%u, %lu world switches, %lu checks, %lu failures\n", gicv3 ? 3 : 2, switches,
        checks, failures);
  semihosting_exit(failures ? 1 : 0);
}

static struct world* answer_smc(struct world* w) {
  struct world* other = w == &secure ? &non_secure : &secure;
  switch (w->x[0]) {
    case kSmcOtherWorld:
      switches++;
      save_el1(w);
      other->x[0] = w->x[1];
      load_el1(other);
      return other;
    case kSmcTlbiOther:
      WRITE_SYSREG(scr_el3, other->scr);
      isb();
      __asm__ volatile("tlbi alle1\n\tdsb ish\n\tisb" ::: "memory");
      WRITE_SYSREG(scr_el3, w->scr);
      isb();
      return w;
    case kSmcTranslate: w->x[0] = translate(w->x[1]); return w;
    case kSmcFiqs: w->x[0] = fiqs; return w;
    case kSmcDone: finish();
    default: w->x[0] = ~0ull; return w;
  }
}

// Of a vector of EL3: 0 synchronous, 2 FIQ. Returns the world to go on with.
struct world* monitor_exception(struct world* w, u64 kind) {
  if (kind == 2) {
    take_fiq();
    return w;
  }
  u64 esr = READ_SYSREG(esr_el3);
  if (kind == 0 && esr >> 26 == 0x17) {
    check_equal("world of the caller", READ_SYSREG(scr_el3) & kScrNs, w == &non_secure);
    return answer_smc(w);
  }
  print("unexpected exception %lu from %s, ESR 0x%lx, ELR 0x%lx, FAR 0x%lx\n", kind,
        w == &secure ? "S" : "NS", esr, w->elr, READ_SYSREG(far_el3));
  semihosting_exit(2);
}

_Noreturn void monitor_broken(void) {
  print("exception at EL3, ESR 0x%lx, ELR 0x%lx, FAR 0x%lx\n", READ_SYSREG(esr_el3), READ_SYSREG(elr_el3),
        READ_SYSREG(far_el3));
  semihosting_exit(3);
}

static void make_world(struct world* w, void (*entry)(void), u64 scr, u64* stack) {
  *w = (struct world){.elr = (u64)entry, .spsr = 0x3c5, .scr = scr, .sp_el1 = (u64)stack + 4096};
  w->sctlr = 0x30d00800;
  w->vbar = (u64)el1_vectors;
}

// EL3's own MMU: a page of its window shows Non-secure memory, one Secure memory.
static void check_own_regime(void) {
  struct tables* t = monitor_tables;
  tables_init(t);
  window_set(t, 0, (u64)non_secure_page | kPage | kNotSecure);
  window_set(t, 1, (kSecureRam + 0x100000) | kPage);
  WRITE_SYSREG(mair_el3, kMair);
  WRITE_SYSREG(tcr_el3, kTcr39 | 2 << 16);
  WRITE_SYSREG(ttbr0_el3, t->level1);
  isb();
  __asm__ volatile("tlbi alle3\n\tdsb ish\n\tisb" ::: "memory");
  WRITE_SYSREG(sctlr_el3, READ_SYSREG(sctlr_el3) | 1 | 1 << 2 | 1 << 12);
  isb();
  write64(kSecureRam + 0x100000, 0x5ec);
  non_secure_page[0] = 0xdead;
  check_equal("EL3 reads Non-secure memory", read64(window_va(0)), 0xdead);
  check_equal("EL3 reads Secure memory", read64(window_va(1)), 0x5ec);
  window_set(t, 1, (kSecureRam + 0x101000) | kPage);
  write64(kSecureRam + 0x101000, 0xab);
  __asm__ volatile("tlbi vae3, %0\n\tdsb ish\n\tisb" ::"r"(window_va(1) >> 12) : "memory");
  check_equal("EL3 after TLBI VAE3", read64(window_va(1)), 0xab);
  __asm__ volatile("at s1e3r, %0\n\tisb" ::"r"(window_va(0)) : "memory");
  check_equal("AT S1E3R: Non-secure", READ_SYSREG(par_el1) & 0xfffffffff200,
              ((u64)non_secure_page & ~0xfffull) | 1 << 9);
}

_Noreturn void monitor_main(void) {
  gicv3 = READ_SYSREG(id_aa64pfr0_el1) >> 24 & 15;
  check_equal("EL3 at reset", READ_SYSREG(CurrentEL), 3 << 2);
  check_equal("EL3 in ID_AA64PFR0_EL1", (READ_SYSREG(id_aa64pfr0_el1) >> 12 & 15) != 0, true);
  check_own_regime();
  gic_init();
  make_world(&non_secure, non_secure_main, kScrRw | kScrKeys | kScrFiq | kScrNs, stacks[0]);
  make_world(&secure, secure_main, kScrRw | kScrKeys | kScrFiq, stacks[1]);
  // The first FIQ comes while the Non-secure world runs with everything masked.
  WRITE_SYSREG(cntps_tval_el1, 62500);  // 1 ms
  WRITE_SYSREG(cntps_ctl_el1, 1);
  load_el1(&non_secure);
  enter_world(&non_secure);
}
