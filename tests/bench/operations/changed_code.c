// tests/bench/operations/changed_code.c: branches from page to page, code that changes, stores beside code.
#include "operations.h"

static u64 page_crossings(u64 rounds) { return run_page_crossings(rounds / 2); }

// A function of two instructions, "MOVZ W0, #n" and RET, is written and called each time.
static u64 self_modifying(u64 rounds) {
  static u32 code[1024] __attribute__((aligned(4096)));
  u64 wrong = 0;
  code[1] = 0xd65f03c0;
  for (; rounds; rounds--) {
    const u32 n = (u32)rounds & 0xffff;
    *(volatile u32*)code = 0x52800000 | n << 5;
    __asm__ volatile("dc cvau, %0\n\tdsb ish\n\tic ivau, %0\n\tdsb ish\n\tisb" ::"r"(code) : "memory");
    wrong += ((u32(*)(void))code)() != n;
  }
  return wrong;
}

const struct operation code_operations[] = {{"page-crossing branch", page_crossings, 20000000},
                                            {"self-modifying code", self_modifying, 20000},
                                            {"store next to code", run_stores_next_to_code, 1000000},
                                            {0, 0, 0}};
