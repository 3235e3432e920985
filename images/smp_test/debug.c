// images/smp_test/debug.c: hardware breakpoints and watchpoints, and software step, at EL1 itself (Arm ARM
// D2).
#include "lib/smp.h"
#include "smp_test/check.h"

void watched_store(u64), watched_load(u64), breakpoint_here(u64), step_from(u64);
extern char watched_store_at[], watched_load_at[], breakpoint_here_at[], stepped[], stepped_branch[],
    stepped_end[];

enum {
  kDebugFault = 0x22,
  kWnR = 1 << 6,
  kMdscrSs = 1 << 0,
  kMdscrKde = 1 << 13,
  kMdscrMde = 1 << 15,
  kEnable = 1,
  kEl1 = 1 << 1,  // PMC, PAC: EL1 only
  kLoads = 1 << 3,
  kStores = 2 << 3,
};

static u64 cells[2] __attribute__((aligned(64)));

static void debug_on(void) {
  WRITE_SYSREG(mdscr_el1, kMdscrKde | kMdscrMde);
  isb();
  __asm__ volatile("msr daifclr, #8" ::: "memory");
}

static void debug_off(void) {
  __asm__ volatile("msr daifset, #8" ::: "memory");
  WRITE_SYSREG(mdscr_el1, 0);
  WRITE_SYSREG(dbgbcr0_el1, 0);
  WRITE_SYSREG(dbgwcr0_el1, 0);
  isb();
}

// The caught exception masks D again: it is unmasked inside.
static u64 debugged_argument;
static void (*debugged_function)(u64);
static void run_unmasked(u64 unused) {
  (void)unused;
  debug_on();
  debugged_function(debugged_argument);
}

static struct caught run(void (*fn)(u64), u64 argument) {
  debugged_function = fn;
  debugged_argument = argument;
  struct caught c = attempt(run_unmasked, 0);
  debug_off();
  return c;
}

static void test_watchpoint(void) {
  WRITE_SYSREG(dbgwvr0_el1, &cells[1]);
  WRITE_SYSREG(dbgwcr0_el1, kEnable | kEl1 | kStores | 1 << (5 + 3));  // byte 3 of the doubleword
  struct caught other = run(watched_store, (u64)&cells[1] + 2);
  check_equal("store to the byte beside", other.taken, 0);
  WRITE_SYSREG(dbgwcr0_el1, kEnable | kEl1 | kStores | 1 << (5 + 3));
  other = run(watched_load, (u64)&cells[1]);
  check_equal("load, when stores are watched", other.taken, 0);
  WRITE_SYSREG(dbgwcr0_el1, kEnable | kEl1 | kStores | 1 << (5 + 3));
  struct caught c = run(watched_store, (u64)&cells[1] + 3);
  check_caught("watched store", &c,
               (struct expectation){kVectorSpx, kEcWatchpoint, kWnR | kDebugFault, 0xff,
                                    (u64)watched_store_at, (u64)&cells[1] + 3, true});
  WRITE_SYSREG(dbgwcr0_el1, kEnable | kEl1 | kLoads | 0xff << 5);
  c = run(watched_load, (u64)&cells[1]);
  check_caught("watched load", &c,
               (struct expectation){kVectorSpx, kEcWatchpoint, kDebugFault, 0xff, (u64)watched_load_at,
                                    (u64)&cells[1], true});
}

static void test_breakpoint(void) {
  WRITE_SYSREG(dbgbvr0_el1, breakpoint_here_at);
  WRITE_SYSREG(dbgbcr0_el1, kEnable | kEl1 | 0xf << 5);
  struct caught c = run(breakpoint_here, 0);
  check_caught("breakpoint", &c,
               (struct expectation){kVectorSpx, kEcBreakpoint, kDebugFault, 0x1ffffff,
                                    (u64)breakpoint_here_at, 0, false});
  check_equal("no breakpoint once it is off", run(breakpoint_here, 0).taken, 0);
  WRITE_SYSREG(dbgbcr0_el1, kEnable | 2 << 1 | 0xf << 5);
  check_equal("a breakpoint for EL0 only", run(breakpoint_here, 0).taken, 0);
}

static void expect_step(const char* what, const char* from, const char* to) {
  WRITE_SYSREG(mdscr_el1, kMdscrKde | kMdscrMde | kMdscrSs);
  isb();
  struct caught c = attempt(step_from, (u64)from);
  debug_off();
  check_caught(
      what, &c,
      (struct expectation){kVectorSpx, kEcStep, 1 << 24 | kDebugFault, 0x1ffffff, (u64)to, 0, false});
  check_equal("SPSR.SS is clear after the step", c.spsr >> 21 & 1, 0);
}

void test_debug(void) {
  WRITE_SYSREG(oslar_el1, 0);
  isb();
  test_watchpoint();
  test_breakpoint();
  expect_step("step over an instruction", stepped, stepped + 4);
  expect_step("step over the next", stepped + 4, stepped_branch);
  expect_step("step over a branch", stepped_branch, stepped_end);
}
