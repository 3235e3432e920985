// images/smp_test/main.c: a bare-metal self-test of the PEs, alone and against each other. Ends by
// semihosting SYS_EXIT with 0 when every check held, else 1; 2 after an exception that nobody expected.
#include "lib/console.h"
#include "lib/semihosting.h"
#include "lib/smp.h"
#include "smp_test/check.h"

static u32 checks, failures;

void check_equal(const char* what, u64 value, u64 expected) {
  checks++;
  if (value == expected) return;
  failures++;
  print("FAIL %s: %lx, expected %lx\n", what, value, expected);
}

void check_caught(const char* what, const struct caught* c, struct expectation e) {
  const u32 before = failures;
  check_equal("exception taken", c->taken, 1);
  if (c->taken) {
    check_equal("vector", c->vector, e.vector);
    check_equal("ESR.EC", caught_class(c), e.ec);
    check_equal("ESR.IL", c->esr >> 25 & 1, 1);
    check_equal("ESR.ISS", caught_iss(c) & e.iss_mask, e.iss);
    check_equal("ELR", c->elr, e.elr);
    if (e.has_far) check_equal("FAR", c->far, e.far);
  }
  if (failures != before) print("  ... in: %s\n", what);
}

u64 test_page(u32 n) { return kTestWindow + 0x100000 + (u64)n * 4096; }

_Noreturn void give_up(void) { semihosting_exit(2); }

static void group(const char* name, void (*test)(void)) {
  const u32 before = failures, checks_before = checks;
  test();
  print("%s %s: %u checks\n", failures == before ? "ok  " : "FAIL", name, checks - checks_before);
}

int main(void) {
  console_by_semihosting();
  print("smp_test: %u PEs, GICv%u\n", board.pes, board.gic_version);
  group("power: PSCI CPU_ON under contention", test_power);
  group("exclusives and atomics", test_exclusives);
  group("exceptions", test_exceptions);
  group("debug", test_debug);
  group("translation", test_translation);
  group("code", test_code);
  group("interrupts", test_interrupts);
  print("smp_test: %u checks, %u failures\n", checks, failures);
  semihosting_exit(failures ? 1 : 0);
}
