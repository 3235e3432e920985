// images/secure_test/secure_test.h: what the monitor at EL3 and the programs of the two worlds share.
#pragma once
#include "lib/arm.h"

// What the worlds ask of the monitor by SMC, in x0.
enum {
  kSmcOtherWorld = 1,  // runs the other world until it asks back; returns what that passed in x1
  kSmcTlbiOther = 2,   // TLBI ALLE1 of the other world
  kSmcTranslate = 3,   // PAR_EL1 of AT S1E1R at x1 in the caller's world
  kSmcFiqs = 4,        // how many FIQs the monitor has taken
  kSmcDone = 5,        // ends the test
};
u64 smc_call(u64 function, u64 a, u64 b);

// An exception taken to EL1 of the running world; vectors in start.S, found through TPIDR_EL1.
struct recorded {
  u64 count, esr, far, irqs;
};

// Only one world runs at a time.
void check_equal(const char* what, u64 value, u64 expected);

// Stage 1 tables of EL1&0 or EL3: 4 KiB granules and 39-bit addresses; the first GiB by level 2 (devices, and
// the Secure RAM as memory), RAM as one block, and a window of pages.
struct tables {
  u64 level1[512], level2[512], window_level2[512], window_level3[512];
};
enum { kSecureRam = 0x0e000000, kRam = 0x40000000 };
static const u64 kWindow = 0x80000000;                               // 2 GiB up
static const u64 kPage = 3 | 3 << 8 | 1 << 10, kNotSecure = 1 << 5;  // inner shareable, accessed, attribute 0
void tables_init(struct tables* t);
static inline void window_set(struct tables* t, unsigned page, u64 descriptor) {
  *(volatile u64*)&t->window_level3[page] = descriptor;
  dsb_ish();
}
static inline u64 window_va(unsigned page) { return kWindow + page * 0x1000ull; }
enum {
  kTcr39 = 25 | 1 << 8 | 1 << 10 | 3 << 12,
  kMair = 0x04ff
};  // write-back, inner shareable; 1: Device-nGnRE

// The pages that the worlds exchange.
extern u64 shared_page[512], non_secure_page[512];

_Noreturn void non_secure_main(void);
_Noreturn void secure_main(void);
