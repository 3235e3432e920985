// images/smp_test/translation.c: broadcast invalidation against PEs that use the page all the time. After the
// DSB that follows TLBI ...IS nobody may read through the old translation, write through it, or keep the
// rights.
#include "lib/mmu.h"
#include "lib/smp.h"
#include "smp_test/check.h"

enum { kPageWords = 512 };
// Each round takes a time slice of every PE when the host has fewer cores than we have PEs.
static u64 round_count(void) { return 240 / (smp_online() * smp_online()) + 8; }

static u64 frames[2][kPageWords] __attribute__((aligned(4096)));
static u64 generation, acknowledged[kMaxPes], stale_reads[kMaxPes], stop;

// PE 0 moves the page to and fro. `generation` is even while the page is being moved and odd once the TLBI is
// complete; then the page must be frame (generation >> 1) & 1 until the next even number.
static void move_page(void) {
  const u64 va = test_page(40);
  for (u64 round = 1; round <= round_count(); round++) {
    store_release(&generation, 2 * round);
    space_map(kernel_space, va, (u64)frames[round & 1], kPageReadWrite);
    tlbi_page_all_pes(va);
    store_release(&generation, 2 * round + 1);
    for (u64 n = 1; n < smp_online(); n++)
      while (load_acquire(&acknowledged[n]) < 2 * round + 1) wfe();
  }
  store_release(&stop, 1);
}

static void watch_page(u64 index) {
  const u64 va = test_page(40);
  while (!load_acquire(&stop)) {
    u64 before = load_acquire(&generation);
    dmb_ish();
    u64 value = read64(va);
    dmb_ish();
    u64 after = load_acquire(&generation);
    if (before != after || !(before & 1)) continue;
    if (value != (before >> 1 & 1) + 100) stale_reads[index]++;
    if (acknowledged[index] == before) continue;
    store_release(&acknowledged[index], before);
    sev();
  }
}

static void run_moves(u64 index) {
  if (index == 0)
    move_page();
  else
    watch_page(index);
}

// PE 0 takes the right to write away; the others count in the page as long as they may.
static u64 writes_after, faults[kMaxPes];

static void write_until_fault(u64 va) {
  for (;;) {
    u64 mine = va + this_pe()->index * 64;
    write64(mine, read64(mine) + 1);
  }
}

static void run_revocation(u64 index) {
  const u64 va = test_page(41), n = smp_online();
  for (u64 round = 1; round <= round_count() / 4; round++) {
    if (index == 0) {
      space_map(kernel_space, va, (u64)frames[0], kPageReadWrite);
      tlbi_page_all_pes(va);
    }
    smp_barrier();
    if (index != 0) {
      struct caught c = attempt(write_until_fault, va);
      if (caught_class(&c) == kEcDataAbort && (caught_iss(&c) & 0x7f) == 0x4f) faults[index]++;
    } else {
      while (n > 1 && read64(va + 64) < 50) {
      }
      space_map(kernel_space, va, (u64)frames[0], kPageReadWrite | kPageReadOnly);
      tlbi_page_all_pes(va);
      u64 sums[2] = {0, 0};
      for (u32 look = 0; look < 2; look++) {
        for (u64 pe = 1; pe < n; pe++) sums[look] += *(volatile u64*)&frames[0][pe * 8];
        for (volatile u32 pause = 0; pause < 2000; pause++) {
        }
      }
      writes_after += sums[1] - sums[0];
    }
    smp_barrier();
    if (index == 0)
      for (u64 pe = 0; pe < n; pe++) frames[0][pe * 8] = 0;
    smp_barrier();
  }
}

// Without broadcast: TLBI VAAE1 is for this PE only; and an entry for one ASID is not used for another.
static void test_asids(void) {
  const u64 va = test_page(42);
  address_space one = space_create(), two = space_create();
  space_map(one, va, (u64)frames[0], kPageReadWrite | kPageNotGlobal);
  space_map(two, va, (u64)frames[1], kPageReadWrite | kPageNotGlobal);
  u64 wrong = 0;
  for (u32 n = 0; n < 200; n++) {
    space_activate(one, 21);
    wrong += read64(va) != frames[0][0];
    space_activate(two, 22);
    wrong += read64(va) != frames[1][0];
  }
  check_equal("wrong reads while the ASID alternates", wrong, 0);
  space_map(two, va, (u64)frames[0], kPageReadWrite | kPageNotGlobal);
  __asm__ volatile("dsb ishst\n\ttlbi vae1is, %0\n\tdsb ish\n\tisb" ::"r"(22ull << 48 | va >> 12) : "memory");
  check_equal("TLBI VAE1IS of this ASID", read64(va), frames[0][0]);
  space_map(two, va, (u64)frames[1], kPageReadWrite | kPageNotGlobal);
  __asm__ volatile("dsb ishst\n\ttlbi aside1is, %0\n\tdsb ish\n\tisb" ::"r"(22ull << 48) : "memory");
  check_equal("TLBI ASIDE1IS", read64(va), frames[1][0]);
  space_activate(kernel_space, 1);
}

static void load_word(u64 va) { (void)read64(va); }

// AT and PAR_EL1 agree with what a load does.
static void test_at(void) {
  const u64 va = test_page(43);
  space_map(kernel_space, va, (u64)frames[1], kPageReadWrite | kPageReadOnly);
  tlbi_all_pes();
  __asm__ volatile("at s1e1r, %0\n\tisb" ::"r"(va + 0x10) : "memory");
  check_equal("AT S1E1R: PA", READ_SYSREG(par_el1) & 0xfffffffff001, (u64)frames[1]);
  __asm__ volatile("at s1e1w, %0\n\tisb" ::"r"(va) : "memory");
  check_equal("AT S1E1W of a read-only page: permission, level 3", READ_SYSREG(par_el1) & 0x7f,
              0x0f << 1 | 1);
  __asm__ volatile("at s1e0r, %0\n\tisb" ::"r"(va) : "memory");
  check_equal("AT S1E0R of a kernel page", READ_SYSREG(par_el1) & 0x7f, 0x0f << 1 | 1);
  __asm__ volatile("at s1e1r, %0\n\tisb" ::"r"(test_page(44)) : "memory");
  check_equal("AT S1E1R of nothing: translation, level 3", READ_SYSREG(par_el1) & 0x7f, 0x07 << 1 | 1);
  check_equal("and the load faults as well", attempt(load_word, test_page(44)).taken, 1);
}

void test_translation(void) {
  const u64 n = smp_online();
  frames[0][0] = 100;
  frames[1][0] = 101;
  space_map(kernel_space, test_page(40), (u64)frames[0], kPageReadWrite);
  smp_run(run_moves);
  for (u64 pe = 1; pe < n; pe++) check_equal("reads through a stale translation", stale_reads[pe], 0);
  if (n > 1) {
    smp_run(run_revocation);
    for (u64 pe = 1; pe < n; pe++) check_equal("permission faults of writers", faults[pe], round_count() / 4);
    check_equal("writes after the revocation was complete", writes_after, 0);
  }
  frames[0][0] = 100;
  test_asids();
  test_at();
}
