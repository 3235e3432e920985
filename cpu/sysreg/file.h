// cpu/sysreg/file.h: where the values of stored system registers live. A register whose row says `stored` and
// that nothing traps is read and written by translated code at its offset in PeState.
#pragma once
#include <array>

#include "base/types.h"

namespace sluice::cpu {

enum class Slot : u8 {
  SCTLR_EL1,
  ACTLR_EL1,
  CPACR_EL1,
  TTBR0_EL1,
  TTBR1_EL1,
  TCR_EL1,
  MAIR_EL1,
  AMAIR_EL1,
  AFSR0_EL1,
  AFSR1_EL1,
  ESR_EL1,
  FAR_EL1,
  PAR_EL1,
  VBAR_EL1,
  CONTEXTIDR_EL1,
  CSSELR_EL1,
  CNTKCTL_EL1,
  CNTFRQ_EL0,
  MDSCR_EL1,
  MDCCINT_EL1,
  OSDTRRX_EL1,
  OSDTRTX_EL1,
  OSECCR_EL1,
  OSDLR_EL1,
  OSLSR_EL1,
  DBGPRCR_EL1,
  DBGCLAIM,
  DBGVCR32_EL2,
  DBGBVR0,
  DBGBVR15 = DBGBVR0 + 15,
  DBGBCR0,
  DBGBCR15 = DBGBCR0 + 15,
  DBGWVR0,
  DBGWVR15 = DBGWVR0 + 15,
  DBGWCR0,
  DBGWCR15 = DBGWCR0 + 15,
  LORSA_EL1,
  LOREA_EL1,
  LORN_EL1,
  LORC_EL1,
  APIAKeyLo_EL1,
  APIAKeyHi_EL1,
  APIBKeyLo_EL1,
  APIBKeyHi_EL1,
  APDAKeyLo_EL1,
  APDAKeyHi_EL1,
  APDBKeyLo_EL1,
  APDBKeyHi_EL1,
  APGAKeyLo_EL1,
  APGAKeyHi_EL1,
  SCR_EL3,
  SCTLR_EL3,
  TTBR0_EL3,
  TCR_EL3,
  MAIR_EL3,
  VBAR_EL3,
  ESR_EL3,
  FAR_EL3,
  CPTR_EL3,
  MDCR_EL3,
  IMPDEF0,
  IMPDEF15 = IMPDEF0 + 15,  // implementation defined registers of a model that read back what was written
  kCount
};

class SysregFile {
 public:
  u64& operator[](Slot s) { return value_[unsigned(s)]; }
  u64 operator[](Slot s) const { return value_[unsigned(s)]; }
  u64& at(Slot first, unsigned n) { return value_[unsigned(first) + n]; }
  u64 at(Slot first, unsigned n) const { return value_[unsigned(first) + n]; }
  void clear() { value_.fill(0); }
  static constexpr u32 offset_in_file(Slot s) { return unsigned(s) * 8; }

 private:
  std::array<u64, unsigned(Slot::kCount)> value_{};
};

}  // namespace sluice::cpu
