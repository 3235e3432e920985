// tests/bench/operations/exceptions.c: exceptions, interrupts, system registers, devices.
#include "lib/gic.h"
#include "lib/mmu.h"
#include "lib/smp.h"
#include "operations.h"

static const u64 kUserCode = 0x400400000, kNothing = 0x400600000, kUartFlags = 0x09000018;

static u64 svc(u64 rounds) {
  const u64 executable = kPageValid | kPageNormal | kPageShared | kPageAccessed | kPageUser | kPageReadOnly |
                         1ull << 53;  // for EL0 only
  space_activate(kernel_space, 1);
  space_map(kernel_space, kUserCode, (u64)user_svc, executable);
  return run_svc(rounds, kUserCode);
}

static u64 data_abort(u64 rounds) {
  space_activate(kernel_space, 1);
  return run_data_aborts(rounds, kNothing);
}

static u64 hvc(u64 rounds) {
  u64 wrong = 0;
  for (; rounds; rounds--) wrong += psci_call(kPsciVersion, 0, 0, 0) >> 16 == 0;
  return wrong;
}

static u64 interrupts_to_self(u64 rounds) {
  struct pe* pe = this_pe();
  const u64 before = pe->irqs, expected = rounds;
  gic_enable_private(3);
  irq_on();
  for (; rounds; rounds--) {
    const u64 seen = pe->irqs;
    gic_send(3, pe->index, pe->mpidr);
    while (((volatile struct pe*)pe)->irqs == seen) {
    }
  }
  irq_off();
  return pe->irqs - before != expected;
}

static u64 mmio_read(u64 rounds) {
  u64 wrong = 0;
  for (; rounds; rounds--) wrong += (read32(kUartFlags) & 1 << 4) == 0;  // RXFE: nothing was typed
  return wrong;
}

static u64 counter_read(u64 rounds) {
  u64 last = 0, wrong = 0;
  for (; rounds; rounds--) {
    const u64 now = READ_SYSREG(cntvct_el0);
    wrong += now < last;
    last = now;
  }
  return wrong;
}

static u64 timer_write(u64 rounds) {
  u64 wrong = 0;
  for (u64 n = rounds; n; n--) {
    WRITE_SYSREG(cntv_cval_el0, ~0ull >> 1 ^ n);
    WRITE_SYSREG(cntv_ctl_el0, 1);
  }
  wrong += READ_SYSREG(cntv_cval_el0) != (~0ull >> 1 ^ 1);
  WRITE_SYSREG(cntv_ctl_el0, 0);
  return wrong;
}

static u64 daif_pair(u64 rounds) {
  irq_off();
  for (; rounds; rounds--) __asm__ volatile("msr daifset, #2\n\tmsr daifclr, #2" ::: "memory");
  const u64 wrong = (READ_SYSREG(daif) & 0x80) != 0;
  irq_off();
  return wrong;
}

static u64 thread_register(u64 rounds) {
  u64 wrong = 0;
  for (; rounds; rounds--) {
    WRITE_SYSREG(tpidr_el0, rounds);
    wrong += READ_SYSREG(tpidr_el0) != rounds;
  }
  return wrong;
}

const struct operation exception_operations[] = {{"SVC + ERET", svc, 300000},
                                                 {"data abort + ERET", data_abort, 200000},
                                                 {"HVC", hvc, 200000},
                                                 {"interrupt to self", interrupts_to_self, 50000},
                                                 {"MMIO read", mmio_read, 1000000},
                                                 {"CNTVCT read", counter_read, 2000000},
                                                 {"timer write", timer_write, 500000},
                                                 {"DAIFSet + DAIFClr", daif_pair, 1000000},
                                                 {"TPIDR write + read", thread_register, 10000000},
                                                 {0, 0, 0}};
