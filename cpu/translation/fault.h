// cpu/translation/fault.h: why a translation or an access failed (Arm DDI 0487, FaultRecord).
// cpu/exception.cpp turns it into ESR_ELx and PAR_EL1 encodings.
#pragma once
#include "base/types.h"

namespace sluice::cpu {

struct Fault {
  enum class Kind : u8 {
    None,
    AddressSize,
    Translation,
    AccessFlag,
    Permission,
    Alignment,
    External,        // synchronous external abort on the access itself
    ExternalOnWalk,  // the same on a translation table walk
    TlbConflict,
    UnsupportedExclusive,  // exclusive or atomic access to memory that does not support it
    AtomicUpdate,          // hardware update of a descriptor failed (unsupported atomic update)
    Debug,                 // a watchpoint matched
  };
  Kind kind = Kind::None;
  u8 level = 0;  // of the walk, 0..3, where the kind has one
  bool second_stage = false;
  bool stage1_walk = false;        // S1PTW: a stage 2 fault on the walk of stage 1
  bool write = false;              // WnR: the access was, or the fault is reported as, a write
  bool cache_maintenance = false;  // CM: DC, IC or AT by VA (WnR is then 1)
  bool external_type = false;      // EA
  u64 va = 0;                      // FAR
  u64 ipa = 0;                     // HPFAR, when second_stage

  explicit operator bool() const { return kind != Kind::None; }
};

// ESR_ELx.ISS<5:0> (DFSC or IFSC); also PAR_EL1.FST.
u32 fault_status_code(const Fault& fault);

}  // namespace sluice::cpu
