// tcg/ir/fp_conversion.h: what a conversion between floating point and integers is, packed into an IR
// immediate.
#pragma once
#include "base/types.h"

namespace sluice::tcg::ir {

struct FpConversion {
  // 0..3 as FPCR.RMode: to nearest even, up, down, to zero; then to nearest with ties away.
  static constexpr u8 kTieAway = 4, kFpcr = 7;  // kFpcr: as FPCR.RMode says when the op is executed
  u8 rounding = kFpcr;
  bool exact = false;        // FRoundInt: raise Inexact (FRINTX)
  bool is_unsigned = false;  // of the integer
  u8 fbits = 0;              // fraction bits of the integer, 0..64
  u8 size = 64;              // bits of the integer; FToFixed and FFromFixed take it from the lane

  constexpr u64 pack() const {
    return rounding | u64(exact) << 3 | u64(is_unsigned) << 4 | u64(fbits) << 8 | u64(size) << 16;
  }
  static constexpr FpConversion unpack(u64 v) {
    return {u8(v & 7), bool(v >> 3 & 1), bool(v >> 4 & 1), u8(v >> 8), u8(v >> 16)};
  }
  constexpr bool operator==(const FpConversion&) const = default;
};
static_assert(FpConversion::unpack(FpConversion{3, true, false, 17, 32}.pack()) ==
              FpConversion{3, true, false, 17, 32});

}  // namespace sluice::tcg::ir
