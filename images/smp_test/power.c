// images/smp_test/power.c: PSCI (Arm DEN 0022E): two PEs race to switch on the same third. Exactly one of
// them may succeed, the other is told ALREADY_ON or ON_PENDING, and the PE starts once.
#include "lib/console.h"
#include "lib/smp.h"
#include "smp_test/check.h"

enum { kRaces = 200, kOn = 0, kOff = 1 };
void brief_life(void);

static struct { u64 starts, ended_rounds; } life __attribute__((aligned(64)));
static u64 successes, refusals, wrong_answers, ready[2];

static void wait_affinity(u64 mpidr, u64 state) {
  while (psci_call(kPsciAffinityInfo, mpidr, 0, 0) != state) {
  }
}

// PEs 0 and 1 meet. The others may be anything.
static void meet(u64 index, u64 round) {
  store_release(&ready[index], round);
  while (load_acquire(&ready[1 - index]) < round) {
  }
}

static void race(u64 index) {
  const u64 target = board.mpidr[2];
  for (u64 round = 1; round <= kRaces; round++) {
    meet(index, 2 * round - 1);
    int answer = (int)psci_call(kPsciCpuOn, target, (u64)brief_life, (u64)&life);
    if (answer == kPsciSuccess)
      __atomic_fetch_add(&successes, 1, __ATOMIC_RELAXED);
    else
      __atomic_fetch_add(answer == kPsciAlreadyOn || answer == kPsciOnPending ? &refusals : &wrong_answers, 1,
                         __ATOMIC_RELAXED);
    meet(index, 2 * round);
    store_release(&life.ended_rounds, round);
    wait_affinity(target, kOff);
  }
}

static void test_answers(void) {
  check("PSCI is 1.0 or later", psci_call(kPsciVersion, 0, 0, 0) >= 0x10000);
  check_equal("CPU_ON of a PE that does not exist", (u32)psci_call(kPsciCpuOn, 0xff00, (u64)brief_life, 0),
              (u32)-2);
  check_equal("CPU_ON of oneself", (u32)psci_call(kPsciCpuOn, board.mpidr[0], (u64)brief_life, 0),
              (u32)kPsciAlreadyOn);
  check_equal("a function that does not exist", (u32)psci_call(0x84000fff, 0, 0, 0), (u32)-1);
  if (board.pes < 2) return;
  check_equal("AFFINITY_INFO of a PE that is off", psci_call(kPsciAffinityInfo, board.mpidr[1], 0, 0), kOff);
  check_equal("CPU_ON", psci_call(kPsciCpuOn, board.mpidr[1], (u64)secondary_start, 1), kPsciSuccess);
  while (smp_online() < 2) wfe();
  check_equal("AFFINITY_INFO of a PE that is on", psci_call(kPsciAffinityInfo, board.mpidr[1], 0, 0), kOn);
}

void test_power(void) {
  test_answers();
  if (board.pes > 2) {
    smp_run(race);
    check_equal("winners, one for each race", successes, kRaces);
    check_equal("starts", life.starts, kRaces);
    check_equal("everybody was answered", successes + refusals, 2 * kRaces);
    check_equal("no other answer", wrong_answers, 0);
  }
  for (u64 n = 2; n < board.pes; n++)
    check_equal("CPU_ON of the rest", psci_call(kPsciCpuOn, board.mpidr[n], (u64)secondary_start, n),
                kPsciSuccess);
  while (smp_online() < board.pes) wfe();
}
