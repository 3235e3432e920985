// cpu/state.h: the registers of a PE that translated code touches, in one struct. Everything else of the PE
// (system registers, timers, TLB) is in cpu/pe.h and cpu/sysreg.
#pragma once
#include <cstddef>

#include "cpu/sysreg/file.h"
#include "tcg/exec_state.h"
#include "tcg/flags.h"
#include "tcg/vec.h"

namespace sluice::cpu {

class Pe;

// A pointer authentication code that was computed before (cpu/pauth.cpp).
struct PacMemo {
  u64 data = 0, modifier = 0, key_lo = 0, key_hi = 0, pac = 0;
  bool valid = false;
};
inline constexpr unsigned kPacMemoBits = 6;

struct PeState : tcg::ExecState {
  u64 x[31] = {};   // X0..X30
  u64 sp = 0;       // the stack pointer that PSTATE.SP selects now; the others are in sp_el
  tcg::Flags nzcv;  // PSTATE.{N,Z,C,V}
  u32 btype = 0;    // PSTATE.BTYPE: a word, because translated code writes it
  // The rest of PSTATE (cpu/pstate.h gathers and scatters SPSR). Changed by helpers only.
  u8 el = 1;
  u8 sp_sel = 1;
  u8 daif = 15;  // D:A:I:F in bits 3..0
  u8 pan = 0, uao = 0, dit = 0, ssbs = 0, ss = 0, il = 0;
  u8 secure = 0;  // the current Security state: 1 at EL3, below it NOT SCR_EL3.NS, 0 without EL3

  alignas(16) tcg::Vec v[32];

  u64 sp_el[4] = {};   // SP_EL0..3; the slot of the selected one is stale while selected
  u64 elr_el[4] = {};  // ELR_EL1..3 at [1..3]
  u64 spsr_el[4] = {};
  u64 tpidr_el[4] = {};
  u64 tpidrro_el0 = 0;

  SysregFile sysregs;  // the stored system registers that are not above
  PacMemo pac_memo[1u << kPacMemoBits];
  Pe* pe = nullptr;  // whose state this is; null only in tests of instructions
};

inline constexpr u32 offset_of_x(unsigned n) { return u32(offsetof(PeState, x)) + n * 8; }
inline constexpr u32 offset_of_sysreg(Slot s) {
  return u32(offsetof(PeState, sysregs)) + SysregFile::offset_in_file(s);
}
inline constexpr u32 offset_of_v(unsigned n) { return u32(offsetof(PeState, v)) + n * 16; }

// SCR_EL3, CPTR_EL3, MDCR_EL3. Without EL3 all of them are 0, and nothing is routed or trapped there.
namespace scr {
inline constexpr u64 kNs = 1 << 0, kIrq = 1 << 1, kFiq = 1 << 2, kEa = 1 << 3, kSmd = 1 << 7, kSif = 1 << 9,
                     kRw = 1 << 10, kSt = 1 << 11, kTwi = 1 << 12, kTwe = 1 << 13, kTlor = 1 << 14,
                     kApk = 1 << 16, kApi = 1 << 17, kRes1 = 3 << 4;
}
namespace cptr3 {
inline constexpr u64 kTfp = 1 << 10, kTcpac = u64{1} << 31;
}
namespace mdcr3 {
inline constexpr u64 kTpm = 1 << 6, kTda = 1 << 9, kTdosa = 1 << 10, kSdd = 1 << 16, kSpme = 1 << 17;
}

// SCTLR_ELx of the translation regime of the current EL.
inline u64 current_sctlr(const PeState& s) {
  return s.sysregs[s.el == 3 ? Slot::SCTLR_EL3 : Slot::SCTLR_EL1];
}

}  // namespace sluice::cpu
