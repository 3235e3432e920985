// tests/bench/guest/kernels.h: the kernels that tests/bench/compare runs: C programs of a few lines for one
// kind of work each. Built for the guest and for the host from the same source; the checksums of both must
// agree.
#pragma once
#include <stdint.h>

struct kernel {
  const char* name;
  const char* kind;
  uint64_t (*run)(uint64_t rounds);
  uint64_t rounds;  // about 0.2 to 1 s under emulation
};
extern const struct kernel compute_kernels[], memory_kernels[], float_kernels[], crypto_kernels[],
    system_kernels[];
