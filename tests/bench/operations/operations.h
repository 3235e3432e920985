// tests/bench/operations/operations.h: single operations of a PE, bare metal. Each kernel does one thing
// again and again, and returns how many results were wrong.
#pragma once
#include "lib/arm.h"

struct operation {
  const char* name;
  u64 (*run)(u64 rounds);
  u64 rounds;
};
extern const struct operation translation_operations[], exception_operations[], code_operations[];

// code.S
u64 run_svc(u64 rounds, u64 pc_of_user_svc);
extern const u32 user_svc[];
u64 run_data_aborts(u64 rounds, u64 address);
u64 run_page_crossings(u64 rounds);
u64 run_stores_next_to_code(u64 rounds);
