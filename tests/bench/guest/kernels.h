// tests/bench/guest/kernels.h: the kernels that tests/bench/compare runs: C programs of a few lines for one
// kind of work each. Built for the guest and for the host from the same source; the checksums of both must
// agree.
#pragma once
#include <stdint.h>
#include <string.h>

struct kernel {
  const char* name;
  const char* kind;
  uint64_t (*run)(uint64_t rounds);
  uint64_t rounds;  // about 0.1 s under emulation
};
extern const struct kernel integer_kernels[], deflate_kernels[], branch_kernels[], memory_kernels[],
    atomic_kernels[], float_kernels[], vector_kernels[], fixed_point_kernels[], crypto_kernels[],
    system_kernels[], process_kernels[], smp_kernels[];

// A linear congruential generator: the high bits are the good ones.
static inline uint32_t next_random(uint32_t* seed) { return *seed = *seed * 1664525u + 1013904223u; }

static inline uint64_t bits_of(double d) {
  uint64_t b;
  memcpy(&b, &d, sizeof b);
  return b;
}

// What the compiler must not know across this point: all of memory.
static inline void forget(void) { __asm__ volatile("" ::: "memory"); }

// atomics.c: *p += n by LDAXR and STLXR on the guest; returns the sum.
uint64_t add_exclusively(uint64_t* p, uint64_t n);
// process.c
enum { kAnywhere = -1 };
void stay_on(int pe);
uint64_t pipe_between(uint64_t rounds, int first_pe, int second_pe);
