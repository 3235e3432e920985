// images/demo/demo.c: what ./boot shows. A program of a few hundred lines at EL1 starts all PEs, switches the
// MMU on and plays the scenes that this emulator is made for: who sees which translation, and when. With
// -M secure=on it starts at EL3 and runs in the Non-secure state.
#include "demo/demo.h"

#include "lib/gic.h"

enum { kRounds = 50000, kTicks = 5 };
u64 page_a[kPage / 8] __attribute__((aligned(4096))), page_b[kPage / 8] __attribute__((aligned(4096)));
u32 pe_count;
static u64 seen[kMaxPes];
static u32 failures;

char letter(u64 value) { return value == 'A' || value == 'B' ? (char)value : '?'; }

void verdict(bool good, const char* text) {
  if (!good) failures++;
  print("  %s  %s\n", good ? "ok  " : "FAIL", text);
}

static void look_at_window(u64 index) { seen[index] = read64(kTestWindow); }

static bool all_saw(u64 value) {
  for (u32 n = 0; n < pe_count; n++)
    if (seen[n] != value) return false;
  return true;
}

static void print_seen(const char* what) {
  smp_run(look_at_window);
  print("    %-50s PEs read:", what);
  for (u32 n = 0; n < pe_count; n++) print(" %c", letter(seen[n]));
  put("\n");
}

static void banner(void) {
  u64 part = READ_SYSREG(midr_el1);
  put("\n  sluice: a gate that every transaction must pass\n");
  put("  -----------------------------------------------\n");
  print("  %u PE%s, MIDR %08lx, GICv%u, %lu MiB of RAM, EL%lu, counter %lu MHz\n\n", pe_count,
        pe_count == 1 ? "" : "s", part, board.gic_version, board.ram_bytes >> 20, READ_SYSREG(CurrentEL) >> 2,
        READ_SYSREG(cntfrq_el0) / 1000000);
}

static void scene_invalidate(void) {
  put("[1] a page changes under running PEs\n");
  space_map(kernel_space, kTestWindow, (u64)page_a, kPageReadWrite);
  print_seen("map the page to A");
  bool first = all_saw('A');
  space_map(kernel_space, kTestWindow, (u64)page_b, kPageReadWrite);
  print_seen("point the descriptor to B, no TLBI (may be stale)");
  bool stale = all_saw('A');
  tlbi_page_all_pes(kTestWindow);
  print_seen("TLBI VAAE1IS, DSB ISH");
  bool fresh = all_saw('B');
  verdict(first && fresh,
          stale ? "stale until invalidated, never after" : "never stale after the invalidation");
}

static void load_one(u64 va) { (void)read64(va); }
static void store_one(u64 va) { write64(va, 1); }

// A page that is not global, in two address spaces. They share the identity map, which is global.
static void scene_asid(void) {
  put("[2] two ASIDs, one address\n");
  const u64 va = kTestWindow + kPage;
  address_space one = space_create(), two = space_create();
  space_map(one, va, (u64)page_a, kPageReadWrite | kPageNotGlobal);
  space_map(two, va, (u64)page_b, kPageReadWrite | kPageNotGlobal);
  space_activate(one, 11);
  u64 in_one = read64(va);
  space_activate(two, 12);
  u64 in_two = read64(va);
  space_unmap(one, va);
  space_activate(one, 11);
  struct caught kept = attempt(load_one, va);
  print("    ASID 11 reads %c, ASID 12 reads %c; unmapped for 11 and back, no TLBI: %s\n", letter(in_one),
        letter(in_two), kept.taken ? "refilled" : "entry kept");
  __asm__ volatile("tlbi aside1is, %0\n\tdsb ish\n\tisb" ::"r"(11ull << 48) : "memory");
  struct caught gone = attempt(load_one, va);
  space_activate(two, 12);
  u64 other = read64(va);
  space_activate(kernel_space, 1);
  verdict(in_one == 'A' && in_two == 'B' && gone.taken && other == 'B',
          "TLBI ASIDE1IS 11 faults ASID 11 and leaves ASID 12 alone");
}

static void print_fault(const char* what, const struct caught* c) {
  static const char* const kinds[] = {"address size", "translation", "access flag", "permission"};
  u32 code = caught_iss(c) & 63;
  print("    %-22s %s fault, level %u: ESR %08lx (EC %02x, %s) FAR %lx\n", what, kinds[code >> 2 & 3],
        code & 3, c->esr, caught_class(c), caught_iss(c) & 1 << 6 ? "write" : "read", c->far);
}

static void scene_fault(void) {
  put("[3] rights are revoked, the fault says why\n");
  const u64 va = kTestWindow + 2 * kPage;
  space_map(kernel_space, va, (u64)page_b, kPageReadWrite);
  struct caught allowed = attempt(store_one, va + 8);
  space_map(kernel_space, va, (u64)page_b, kPageReadWrite | kPageReadOnly);
  tlbi_page_all_pes(va);
  struct caught refused = attempt(store_one, va + 8);
  print_fault("store to a read-only", &refused);
  space_unmap(kernel_space, va);
  tlbi_page_all_pes(va);
  struct caught missing = attempt(load_one, va + 16);
  print_fault("load after unmapping", &missing);
  verdict(!allowed.taken && caught_class(&refused) == kEcDataAbort && (caught_iss(&refused) & 0x7f) == 0x4f &&
              refused.far == va + 8 && caught_class(&missing) == kEcDataAbort &&
              (caught_iss(&missing) & 0x7f) == 0x07 && missing.far == va + 16,
          "ESR and FAR as the architecture has them");
}

static u64 counter __attribute__((aligned(64)));

static void count(u64 index) {
  (void)index;
  for (u32 n = 0; n < kRounds; n++) __atomic_fetch_add(&counter, 1, __ATOMIC_RELAXED);
}

static void scene_atomics(void) {
  put("[4] one counter, all PEs, load and store exclusive\n");
  u64 start = READ_SYSREG(cntvct_el0);
  smp_run(count);
  u64 took = (READ_SYSREG(cntvct_el0) - start) * 1000000 / READ_SYSREG(cntfrq_el0);
  print("    %u PEs x %u increments = %lu, in %lu us\n", pe_count, kRounds, counter, took);
  verdict(counter == (u64)pe_count * kRounds, "no increment was lost");
}

static u64 ticks, timer_period;

static void on_tick(u32 intid) {
  if (intid != kTimerInterrupt) return;
  ticks++;
  WRITE_SYSREG(cntv_cval_el0, READ_SYSREG(cntv_cval_el0) + timer_period);
  isb();
}

static void scene_timer(void) {
  put("[5] the generic timer ticks through the GIC\n");
  timer_period = READ_SYSREG(cntfrq_el0) / 100;
  this_pe()->irq = on_tick;
  gic_enable_private(kTimerInterrupt);
  u64 start = READ_SYSREG(cntvct_el0);
  WRITE_SYSREG(cntv_cval_el0, start + timer_period);
  WRITE_SYSREG(cntv_ctl_el0, 1);
  isb();
  // Masked around the test, so that a tick between the test and the WFI wakes it.
  while (ticks < kTicks) {
    wfi();
    irq_on();
    isb();
    irq_off();
  }
  WRITE_SYSREG(cntv_ctl_el0, 0);
  u64 took = (READ_SYSREG(cntvct_el0) - start) * 1000 / READ_SYSREG(cntfrq_el0);
  print("    %lu ticks of 10 ms, asleep in WFI between them: %lu ms\n", ticks, took);
  verdict(took >= kTicks * 10, "not one tick early");
}

int main(void) {
  pe_count = smp_start();
  page_a[0] = 'A';
  page_b[0] = 'B';
  banner();
  scene_invalidate();
  scene_asid();
  scene_fault();
  scene_atomics();
  scene_timer();
  if (board.mpc && monitor_present && pe_count > 1) scene_mpc();
  if (board.smmu) scene_smmu();
  print_proven();
  print("\n  %s. Now `./boot debian`, or Ctrl-A c for the monitor. PSCI SYSTEM_OFF.\n",
        failures ? "SOMETHING IS WRONG" : "All is well");
  return 0;
}
