// cpu/qarma.h: QARMA-64 with five rounds and S-box sigma 2, as FEAT_PAuth uses it (R. Avanzi, "The QARMA
// Block Cipher Family"; Arm DDI 0487, ComputePACQARMA5).
#pragma once
#include "base/types.h"

namespace sluice::cpu::qarma {

// key0 is whitening, key1 goes into every round.
u64 encrypt(u64 data, u64 tweak, u64 key0, u64 key1);
// The same, step by step as the paper has it: for hosts without SSSE3, and for tests.
u64 encrypt_by_steps(u64 data, u64 tweak, u64 key0, u64 key1);

}  // namespace sluice::cpu::qarma
