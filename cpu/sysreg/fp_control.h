// cpu/sysreg/fp_control.h: FPCR and FPSR between the guest's view and the translator's.
#pragma once
#include "cpu/state.h"
#include "tcg/fp_status.h"

namespace sluice::cpu {

// state.fpcr has been written: derives what the host's MXCSR holds while translated code runs. The rounding
// mode has a direct counterpart; flush-to-zero has none that is exact, so operations are not inlined then.
// All x86 exceptions stay masked.
inline void fp_control_changed(PeState& s) {
  constexpr u32 kRounding[] = {0u << 13, 2u << 13, 1u << 13, 3u << 13};  // RN, RP, RM, RZ
  tcg::settle_fp_status(s, tcg::kMxcsrMasked | kRounding[s.fpcr >> 22 & 3]);
}

inline u32 fp_status(PeState& s) {
  tcg::settle_fp_status(s);
  return s.fpsr;
}
inline void set_fp_status(PeState& s, u32 fpsr) {
  tcg::settle_fp_status(s);
  s.fpsr = fpsr;
}

}  // namespace sluice::cpu
