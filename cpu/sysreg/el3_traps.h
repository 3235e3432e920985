// cpu/sysreg/el3_traps.h: which system registers EL3 may trap when a lower Exception level uses them (Arm DDI
// 0487: SCR_EL3, CPTR_EL3, MDCR_EL3).
#pragma once
#include "base/sysreg_port.h"

namespace sluice::cpu {

class Pe;

namespace sysreg {

enum class El3Trap : u8 {
  None,
  CpacrAccess,  // CPTR_EL3.TCPAC
  Debug,        // MDCR_EL3.TDA
  OsLock,       // MDCR_EL3.TDOSA
  Pmu,          // MDCR_EL3.TPM
  PacKeys,      // SCR_EL3.APK == 0
  LoRegions,    // SCR_EL3.TLOR
  IccGroup0,    // SCR_EL3.FIQ
  IccGroup1,    // SCR_EL3.IRQ
  IccCommon,    // both
};

El3Trap el3_trap_of(SysregId id);
// Whether EL3 has set the control, for a PE that is below EL3.
bool trapped_to_el3(const Pe& pe, El3Trap trap);

}  // namespace sysreg
}  // namespace sluice::cpu
