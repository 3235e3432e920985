// cpu/a64/fp_type.h: the `ptype` field of scalar floating-point instructions.
#pragma once
#include "cpu/emit.h"

namespace sluice::cpu::a64 {

// log2 of the size in bytes: 00 single, 01 double, 11 half.
constexpr unsigned esize_of_ptype(unsigned ptype) { return ptype == 0 ? 2 : ptype == 1 ? 3 : 1; }

struct FpType {
  unsigned esize = 0;  // 0: reserved
  explicit operator bool() const { return esize != 0; }
};
// Half precision needs FEAT_FP16.
inline FpType fp_type(const Emitter& e, unsigned ptype) {
  if (ptype == 2 || (ptype == 3 && !e.features.has(Feature::FP16))) return {};
  return {esize_of_ptype(ptype)};
}

}  // namespace sluice::cpu::a64
