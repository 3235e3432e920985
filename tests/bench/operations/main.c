// tests/bench/operations/main.c: runs all of them, each between the markers that tests/bench/compare looks
// for. The checksum is the number of wrong results.
#include "lib/console.h"
#include "operations.h"

#ifndef SCALE
#define SCALE 100
#endif

static void pause(void) {  // so that both markers are seen apart: 20 ms
  const u64 until = READ_SYSREG(cntvct_el0) + READ_SYSREG(cntfrq_el0) / 50;
  while (READ_SYSREG(cntvct_el0) < until) {
  }
}

static void run_all(const struct operation* o) {
  for (; o->name; o++) {
    const u64 rounds = o->rounds * SCALE / 100;
    print("BENCH begin single operations|%s|%lu\n", o->name, rounds);
    const u64 wrong = o->run(rounds);
    print("BENCH end %s|%016lx|0\n", o->name, wrong);
    pause();
  }
}

int main(void) {
  print("BENCH ready\n");
  pause();
  run_all(translation_operations);
  run_all(exception_operations);
  run_all(code_operations);
  print("BENCH done\n");
  return 0;
}
