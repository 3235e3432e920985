// images/smp_test/interrupts.c: software generated interrupts between all PEs, WFI, and the generic timer.
#include "lib/gic.h"
#include "lib/smp.h"
#include "smp_test/check.h"

enum { kSgi = 3, kTicks = 4, kRounds = 20 };
static u64 received[kMaxPes], early[kMaxPes], tick_count[kMaxPes];

static void on_sgi(u32 intid) {
  if (intid == kSgi) __atomic_fetch_add(&received[this_pe()->index], 1, __ATOMIC_RELAXED);
}

static u64 received_by(u64 index) { return __atomic_load_n(&received[index], __ATOMIC_RELAXED); }

// A token goes round: each PE sleeps until its interrupt comes, and then wakes the next one.
static void run_ring(u64 index) {
  const u64 n = smp_online(), next = (index + 1) % n;
  this_pe()->irq = on_sgi;
  gic_enable_private(kSgi);
  smp_barrier();
  for (u64 round = 1; round <= kRounds; round++) {
    if (index == 0) gic_send(kSgi, next, pes[next].mpidr);
    while (received_by(index) < round) {
      wfi();
      irq_on();
      isb();
      irq_off();
    }
    if (index != 0) gic_send(kSgi, next, pes[next].mpidr);
  }
}

static void on_timer(u32 intid) {
  if (intid != kTimerInterrupt) return;
  struct pe* pe = this_pe();
  if (READ_SYSREG(cntvct_el0) < READ_SYSREG(cntv_cval_el0)) early[pe->index]++;
  tick_count[pe->index]++;
  WRITE_SYSREG(cntv_tval_el0, READ_SYSREG(cntfrq_el0) / 500);
  isb();
}

static void run_timers(u64 index) {
  this_pe()->irq = on_timer;
  gic_enable_private(kTimerInterrupt);
  WRITE_SYSREG(cntv_tval_el0, READ_SYSREG(cntfrq_el0) / 500);
  WRITE_SYSREG(cntv_ctl_el0, 1);
  isb();
  irq_on();
  // Half of the PEs spin, half sleep.
  while (*(volatile u64*)&tick_count[index] < kTicks)
    if (index & 1) __asm__ volatile("wfi");
  irq_off();
  WRITE_SYSREG(cntv_ctl_el0, 0);
  isb();
}

// What the timer registers say, without interrupts.
static void test_timer_registers(void) {
  u64 before = READ_SYSREG(cntvct_el0);
  isb();
  check("the counter counts", READ_SYSREG(cntvct_el0) >= before);
  WRITE_SYSREG(cntv_tval_el0, 0x7fffffff);
  WRITE_SYSREG(cntv_ctl_el0, 3);  // enabled, masked
  isb();
  check_equal("ISTATUS before", READ_SYSREG(cntv_ctl_el0), 3);
  WRITE_SYSREG(cntv_cval_el0, READ_SYSREG(cntvct_el0) - 1);
  isb();
  check_equal("ISTATUS after", READ_SYSREG(cntv_ctl_el0), 7);
  check_equal("TVAL is negative when it is late", READ_SYSREG(cntv_tval_el0) >> 31 & 1, 1);
  WRITE_SYSREG(cntv_ctl_el0, 0);
  isb();
}

// A pending interrupt that is masked by DAIF ends WFI, and shows in ISR_EL1.
static void test_masked_wakeup(void) {
  this_pe()->irq = on_timer;
  gic_enable_private(kTimerInterrupt);
  const u64 before = tick_count[0];
  WRITE_SYSREG(cntv_tval_el0, READ_SYSREG(cntfrq_el0) / 1000);
  WRITE_SYSREG(cntv_ctl_el0, 1);
  isb();
  while (!(READ_SYSREG(isr_el1) & 1 << 7)) wfi();
  check_equal("no interrupt while it is masked", tick_count[0], before);
  irq_on();
  isb();
  irq_off();
  check_equal("taken when it is unmasked", tick_count[0], before + 1);
  WRITE_SYSREG(cntv_ctl_el0, 0);
  isb();
  tick_count[0] = 0;
}

void test_interrupts(void) {
  const u64 n = smp_online();
  test_timer_registers();
  test_masked_wakeup();
  smp_run(run_ring);
  for (u64 pe = 0; pe < n; pe++) check_equal("software generated interrupts", received[pe], kRounds);
  smp_run(run_timers);
  for (u64 pe = 0; pe < n; pe++) {
    check("timer interrupts on every PE", tick_count[pe] >= kTicks);
    check_equal("timer interrupts before their time", early[pe], 0);
  }
}
