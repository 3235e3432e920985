// cpu/pstate.h: PSTATE as one word, as SPSR_ELx holds it (Arm DDI 0487, SPSR_EL1 "when exception taken from
// AArch64").
#pragma once
#include "base/bits.h"
#include "cpu/features.h"
#include "cpu/state.h"

namespace sluice::cpu {

namespace spsr {
inline constexpr unsigned kSp = 0, kEl = 2, kM4 = 4, kF = 6, kI = 7, kA = 8, kD = 9, kBtype = 10, kSsbs = 12,
                          kIl = 20, kSs = 21, kPan = 22, kUao = 23, kDit = 24, kNzcv = 28;
}

// Bits of PeState::daif.
inline constexpr u8 kDaifD = 8, kDaifA = 4, kDaifI = 2, kDaifF = 1;

// GetPSRFromPSTATE().
inline u64 spsr_from_pstate(const PeState& s) {
  return u64(s.nzcv.nzcv()) << spsr::kNzcv | u64(s.dit) << spsr::kDit | u64(s.uao) << spsr::kUao |
         u64(s.pan) << spsr::kPan | u64(s.ss) << spsr::kSs | u64(s.il) << spsr::kIl |
         u64(s.ssbs) << spsr::kSsbs | u64(s.btype) << spsr::kBtype | u64(s.daif) << spsr::kF |
         u64(s.el) << spsr::kEl | s.sp_sel;
}
// Selects another stack pointer: the one in use is parked in sp_el.
inline void select_sp(PeState& s, u8 el, u8 sp_sel) {
  s.sp_el[s.sp_sel ? s.el : 0] = s.sp;
  s.el = el;
  s.sp_sel = sp_sel;
  s.sp = s.sp_el[sp_sel ? el : 0];
}
// SP_ELn, whether selected or not.
inline u64 banked_sp(const PeState& s, unsigned el) {
  return (s.sp_sel ? s.el : 0u) == el ? s.sp : s.sp_el[el];
}
inline void set_banked_sp(PeState& s, unsigned el, u64 value) {
  if ((s.sp_sel ? s.el : 0u) == el)
    s.sp = value;
  else
    s.sp_el[el] = value;
}
// SetPSTATEFromPSR(): all but EL, SP and the legality check, which are ERET's (cpu/exception.cpp).
inline void set_pstate_flags(PeState& s, u64 v, FeatureSet features) {
  s.nzcv = tcg::Flags::from_nzcv(u32(v >> spsr::kNzcv));
  s.daif = u8(extract(v, spsr::kF, 4));
  s.il = bit(v, spsr::kIl);
  s.pan = features.has(Feature::PAN) && bit(v, spsr::kPan);
  s.uao = features.has(Feature::UAO) && bit(v, spsr::kUao);
  s.dit = features.has(Feature::DIT) && bit(v, spsr::kDit);
  s.ssbs = features.has(Feature::SSBS) && bit(v, spsr::kSsbs);
  s.btype = features.has(Feature::BTI) ? u32(extract(v, spsr::kBtype, 2)) : 0;
}

}  // namespace sluice::cpu
