// images/lib/smp.c: see smp.h. Also the C side of the exception vectors.
#include "lib/smp.h"

#include "lib/console.h"
#include "lib/gic.h"

struct board board;
address_space kernel_space;
struct pe pes[kMaxPes];

static u64 online, work_number, work_done, barrier_arrived, barrier_round;
static void (*work)(u64);
static const u64 kAffinityMask = 0xff00ffffff;

void attempt_raw(void (*fn)(u64), u64 argument);

struct caught attempt(void (*fn)(u64), u64 argument) {
  struct pe* pe = this_pe();
  pe->caught = (struct caught){0};
  attempt_raw(fn, argument);
  return pe->caught;
}

_Noreturn __attribute__((weak)) void give_up(void) { system_off(); }

static void take_interrupt(struct pe* pe) {
  u32 intid = gic_acknowledge();
  if ((intid & 0x3ff) >= kSpurious) {
    pe->spurious++;
    return;
  }
  pe->irqs++;
  if (pe->irq) pe->irq(intid & 0x3ff);
  gic_end(intid);
}

static bool is_irq(u64 vector) { return vector % 4 == 1; }

// 0: return from the exception; 1: leave attempt().
u64 exception(struct frame* f, u64 vector) {
  struct pe* pe = this_pe();
  if (is_irq(vector)) {
    take_interrupt(pe);
    return 0;
  }
  if (!pe->armed) {
    print("\nPE %lu: unexpected exception, vector %lu ESR %lx FAR %lx ELR %lx SPSR %lx\n", pe->index, vector,
          f->esr, f->far, f->elr, f->spsr);
    give_up();
  }
  pe->armed = 0;
  pe->caught = (struct caught){1, vector, f->esr, f->far, f->elr, f->spsr};
  return 1;
}

static void set_up_pe(u64 index) {
  struct pe* pe = &pes[index];
  pe->index = index;
  pe->mpidr = READ_SYSREG(mpidr_el1) & kAffinityMask;
  WRITE_SYSREG(tpidr_el1, pe);
  mmu_enable(kernel_space);
  gic_init_pe();
}

_Noreturn void boot_main(u64 tree) {
  board = fdt_read(tree ? tree : 0x40000000);
  if (!board.pes) {
    board.pes = 1;
    board.mpidr[0] = READ_SYSREG(mpidr_el1) & kAffinityMask;
  }
  if (!board.gic_version) board.gic_version = READ_SYSREG(id_aa64pfr0_el1) >> 24 & 15 ? 3 : 2;
  kernel_space = space_create();
  gic_init(board.gic_version);
  set_up_pe(0);
  online = 1;
  main();
  system_off();
}

_Noreturn void secondary_main(u64 index) {
  set_up_pe(index);
  u64 seen = load_acquire(&work_number);  // work that is under way does not count on us
  __atomic_fetch_add(&online, 1, __ATOMIC_RELEASE);
  sev();
  for (;;) {
    while (load_acquire(&work_number) == seen) wfe();
    seen = load_acquire(&work_number);
    work(index);
    __atomic_fetch_add(&work_done, 1, __ATOMIC_RELEASE);
    sev();
  }
}

u64 smp_online(void) { return load_acquire(&online); }

u32 smp_start(void) {
  u32 started = 1;
  for (u32 n = 1; n < board.pes; n++)
    if (psci_call(kPsciCpuOn, board.mpidr[n], (u64)secondary_start, n) == kPsciSuccess) started++;
  while (load_acquire(&online) < started) wfe();
  return started;
}

void smp_run(void (*fn)(u64)) {
  const u64 others = load_acquire(&online) - 1;
  work = fn;
  store_release(&work_done, 0);
  __atomic_fetch_add(&work_number, 1, __ATOMIC_RELEASE);
  sev();
  fn(0);
  while (load_acquire(&work_done) < others) wfe();
}

void smp_barrier(void) {
  const u64 round = load_acquire(&barrier_round);
  if (__atomic_add_fetch(&barrier_arrived, 1, __ATOMIC_ACQ_REL) == load_acquire(&online)) {
    store_release(&barrier_arrived, 0);
    store_release(&barrier_round, round + 1);
    sev();
    return;
  }
  while (load_acquire(&barrier_round) == round) wfe();
}

_Noreturn void system_off(void) {
  for (;;) psci_call(kPsciSystemOff, 0, 0, 0);
}
