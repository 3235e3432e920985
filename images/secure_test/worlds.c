// images/secure_test/worlds.c: the programs at Secure and Non-secure EL1, with an MMU of their own each. The
// same addresses mean different memory in either world.
#include "lib/console.h"
#include "secure_test/secure_test.h"

enum { kRounds = 1000, kAttributeDevice = 1 << 2 };
// Descriptor of a page of Secure RAM; the tables of the Secure world are there too.
static struct tables* const secure_tables = (struct tables*)(kSecureRam + 0x10000);
static struct tables non_secure_tables __attribute__((aligned(4096)));
static const u64 kSecurePage = kSecureRam + 0x200000;
static struct recorded non_secure_caught, secure_caught;

// Plain pages of the windows: what is at the same address in both worlds, and what they share.
enum { kOwn, kShared, kMoving, kForbidden };

void tables_init(struct tables* t) {
  for (unsigned n = 0; n < 512; n++)
    t->level1[n] = t->level2[n] = t->window_level2[n] = t->window_level3[n] = 0;
  for (u64 n = 0; n < 512; n++) {
    u64 at = n << 21;
    bool memory = at >= kSecureRam && at < kSecureRam + (16 << 20);
    t->level2[n] = at | 1 | 1 << 10 | (memory ? 3 << 8 : kAttributeDevice | 1ull << 54);
  }
  t->level1[0] = (u64)t->level2 | 3;
  t->level1[kRam >> 30] = kRam | 1 | 3 << 8 | 1 << 10;
  t->level1[kWindow >> 30] = (u64)t->window_level2 | 3;
  t->window_level2[0] = (u64)t->window_level3 | 3;
  dsb_ish();
}

static void mmu_on(struct tables* t) {
  WRITE_SYSREG(mair_el1, kMair);
  WRITE_SYSREG(tcr_el1, kTcr39 | 1 << 23 | 2ull << 32);
  WRITE_SYSREG(ttbr0_el1, t->level1);
  isb();
  __asm__ volatile("tlbi vmalle1\n\tdsb ish\n\tisb" ::: "memory");
  WRITE_SYSREG(sctlr_el1, READ_SYSREG(sctlr_el1) | 1 | 1 << 2 | 1 << 12);
  isb();
}

// The Secure world has a UART of its own.
static void put_secure(const char* text) {
  for (; *text; text++) write32(0x09040000, (u8)*text);
}

static u64 to_other_world(u64 value) { return smc_call(kSmcOtherWorld, value, 0); }

// --- Non-secure EL1

static void check_secure_memory_is_out_of_reach(void) {
  struct recorded* c = &non_secure_caught;
  u64 before = c->count;
  (void)read64(kSecureRam);
  check_equal("NS: exceptions", c->count - before, 1);
  check_equal("NS: external abort", c->esr & ~0x1c00000ull, 0x25ull << 26 | 1 << 25 | 0x10);
  check_equal("NS: FAR", c->far, kSecureRam);
  (void)read32(0x09040000);
  check_equal("NS: no Secure UART", c->far, 0x09040000);
  // Nor is there another way to it.
  window_set(&non_secure_tables, kForbidden, kSecurePage | kPage);
  (void)read64(window_va(kForbidden));
  check_equal("NS: exceptions", c->count - before, 3);
  __asm__ volatile("mrs x0, scr_el3" ::: "x0");
  check_equal("NS: SCR_EL3 is UNDEFINED", c->esr, 1 << 25);
}

static void check_interrupts(void) {
  u64 patience = 100000000;
  while (smc_call(kSmcFiqs, 0, 0) == 0 && --patience) {
  }
  check_equal("FIQs at EL3 while NS-EL1 masks them", smc_call(kSmcFiqs, 0, 0), 1);
}

_Noreturn void non_secure_main(void) {
  WRITE_SYSREG(tpidr_el1, &non_secure_caught);
  tables_init(&non_secure_tables);
  window_set(&non_secure_tables, kOwn, (u64)non_secure_page | kPage);
  window_set(&non_secure_tables, kShared, (u64)shared_page | kPage);
  mmu_on(&non_secure_tables);
  check_secure_memory_is_out_of_reach();
  check_interrupts();
  write64(window_va(kOwn), 0x1000);
  write64(window_va(kShared), 0x1234);
  check_equal("first words of the Secure world", to_other_world(7), 0x5ec);
  check_equal("reply in shared memory", read64(window_va(kShared) + 8), 0x4321);
  check_equal("PAR of NS", smc_call(kSmcTranslate, window_va(kOwn), 0) & 0xfffffffff000,
              (u64)non_secure_page);
  for (u64 n = 0; n < kRounds; n++) {
    u64 own = read64(window_va(kOwn));
    if (own != 0x1000 + n) check_equal("NS: own page", own, 0x1000 + n);
    write64(window_va(kOwn), own + 1);
    if (to_other_world(n) != n * 3) check_equal("NS: answer", 0, n);
  }
  check_equal("NS: own page at the end", read64(window_va(kOwn)), 0x1000 + kRounds);
  check_equal("NS: no more exceptions", non_secure_caught.count, 4);
  smc_call(kSmcDone, 0, 0);
  for (;;) wfi();
}

// --- Secure EL1

static void check_tlbi(void) {
  struct tables* t = secure_tables;
  window_set(t, kMoving, kSecurePage + 0x1000 + kPage);
  write64(kSecurePage + 0x1000, 1), write64(kSecurePage + 0x2000, 2), write64(kSecurePage + 0x3000, 3);
  check_equal("S: page", read64(window_va(kMoving)), 1);
  window_set(t, kMoving, kSecurePage + 0x2000 + kPage);
  __asm__ volatile("tlbi vae1is, %0\n\tdsb ish\n\tisb" ::"r"(window_va(kMoving) >> 12) : "memory");
  check_equal("S: after TLBI VAE1IS", read64(window_va(kMoving)), 2);
  window_set(t, kMoving, kSecurePage + 0x3000 + kPage);
  __asm__ volatile("tlbi vmalle1\n\tdsb ish\n\tisb" ::: "memory");
  check_equal("S: after TLBI VMALLE1", read64(window_va(kMoving)), 3);
  // Neither world's entries are lost, or kept, by what is done to the other's: its own page still is there.
  smc_call(kSmcTlbiOther, 0, 0);
  check_equal("S: after TLBI ALLE1 of the other world", read64(window_va(kMoving)), 3);
}

_Noreturn void secure_main(void) {
  WRITE_SYSREG(tpidr_el1, &secure_caught);
  tables_init(secure_tables);
  window_set(secure_tables, kOwn, kSecurePage | kPage);
  window_set(secure_tables, kShared, (u64)shared_page | kPage | kNotSecure);
  mmu_on(secure_tables);
  write64(window_va(kOwn), 0x9000);
  put_secure("Secure EL1 is here\n");
  check_equal("S: what NS has written", read64(window_va(kShared)), 0x1234);
  write64(window_va(kShared) + 8, 0x4321);
  check_equal("S: NS page is not this world's", read64(kSecurePage), 0x9000);
  check_equal("PAR of S: Secure", smc_call(kSmcTranslate, window_va(kOwn), 0) & 0xfffffffff200, kSecurePage);
  check_equal("PAR of S: Non-secure page", smc_call(kSmcTranslate, window_va(kShared), 0) & 0xfffffffff200,
              (u64)shared_page | 1 << 9);
  check_tlbi();
  u64 n = to_other_world(0x5ec);
  for (u64 round = 0;; round++) {
    u64 own = read64(window_va(kOwn));
    if (own != 0x9000 + round * 2) check_equal("S: own page", own, 0x9000 + round * 2);
    write64(window_va(kOwn), own + 2);
    if (secure_caught.count) check_equal("S: exceptions", secure_caught.count, 0);
    n = to_other_world(n * 3);
  }
}
