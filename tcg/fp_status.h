// tcg/fp_status.h: where FPSR's cumulative bits are. Inline floating point gathers them in the host's MXCSR;
// they join ExecState::fpsr when somebody looks.
#pragma once
#include "tcg/exec_state.h"
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace sluice::tcg {

inline constexpr u32 kMxcsrSticky = 0x3f, kMxcsrMasked = 0x1f80;

// MXCSR's exception flags as FPSR's: IE, ZE, OE, UE, PE -> IOC, DZC, OFC, UFC, IXC. DE (a denormal operand)
// has no counterpart while flush-to-zero is off.
constexpr u32 fpsr_of_mxcsr(u32 mxcsr) { return (mxcsr & 1) | ((mxcsr >> 1) & 0x1e); }

// Moves what MXCSR has gathered into state.fpsr, and leaves MXCSR at `control` without flags.
inline void settle_fp_status(ExecState& s, u32 control) {
#if defined(__x86_64__)
  if (s.in_translated_code) s.guest_mxcsr = _mm_getcsr();
#endif
  s.fpsr |= fpsr_of_mxcsr(s.guest_mxcsr);
  s.guest_mxcsr = control & ~kMxcsrSticky;
#if defined(__x86_64__)
  if (s.in_translated_code) _mm_setcsr(s.guest_mxcsr);
#endif
}
inline void settle_fp_status(ExecState& s) {
#if defined(__x86_64__)
  if (s.in_translated_code) s.guest_mxcsr = _mm_getcsr();
#endif
  settle_fp_status(s, s.guest_mxcsr);
}

// C++ that may use the host's floating point (devices) runs inside one of these when translated code called
// it.
class HostFpScope {
 public:
  explicit HostFpScope(ExecState& s) : active_(s.in_translated_code) {
#if defined(__x86_64__)
    if (active_) guest_ = _mm_getcsr(), _mm_setcsr(kMxcsrMasked);
#endif
  }
  ~HostFpScope() {
#if defined(__x86_64__)
    if (active_) _mm_setcsr(guest_);
#endif
  }
  HostFpScope(const HostFpScope&) = delete;
  HostFpScope& operator=(const HostFpScope&) = delete;

 private:
  bool active_;
  u32 guest_ = 0;
};

}  // namespace sluice::tcg
