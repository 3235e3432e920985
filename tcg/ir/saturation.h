// tcg/ir/saturation.h: SignedSatQ and UnsignedSatQ of the Arm pseudocode.
#pragma once
#include <limits>

#include "tcg/exec_state.h"

namespace sluice::tcg::ir {

inline constexpr u32 kFpsrQc = 1u << 27;

// `value` in the range of T; what did not fit sets FPSR.QC.
template <class T>
T saturate(i128 value, ExecState& state) {
  constexpr i128 low = std::numeric_limits<T>::min(), high = std::numeric_limits<T>::max();
  if (low <= value && value <= high) return T(value);
  state.fpsr |= kFpsrQc;
  return value < low ? T(low) : T(high);
}

}  // namespace sluice::tcg::ir
