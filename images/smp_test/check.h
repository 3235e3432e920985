// images/smp_test/check.h: checks that count, and the groups of tests.
#pragma once
#include "lib/arm.h"

// Reports a failure with both values. Only the boot PE may call it.
void check_equal(const char* what, u64 value, u64 expected);
static inline void check(const char* what, bool good) { check_equal(what, good, true); }

// What the exception must have left behind.
struct expectation {
  u64 vector;
  u32 ec;
  u32 iss, iss_mask;
  u64 elr;
  u64 far;
  bool has_far;
};
void check_caught(const char* what, const struct caught* c, struct expectation e);

enum { kVectorSp0 = 0, kVectorSpx = 4, kVectorLower = 8 };

// Fresh test pages: `n` is private to one test.
u64 test_page(u32 n);

void test_exclusives(void);
void test_exceptions(void);
void test_debug(void);
void test_translation(void);
void test_code(void);
void test_interrupts(void);
void test_power(void);
