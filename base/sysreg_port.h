// base/sysreg_port.h: how a device (the GIC CPU interface) backs system registers of a PE without knowing it.
#pragma once
#include "base/types.h"

namespace sluice {

// op0:op1:CRn:CRm:op2 as in the MRS/MSR encoding, packed as (op0 << 14 | op1 << 11 | CRn << 7 | CRm << 3 |
// op2).
struct SysregId {
  u16 value = 0;
  constexpr SysregId() = default;
  constexpr SysregId(unsigned op0, unsigned op1, unsigned crn, unsigned crm, unsigned op2)
      : value(u16(op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2)) {}
  constexpr auto operator<=>(const SysregId&) const = default;
};

// Who accesses: the Exception level (0..3) and the Security state of the PE (Secure at EL3).
struct SysregAccessor {
  u8 el = 1;
  bool secure = false;
  bool fiq_to_el3 = false;  // SCR_EL3.FIQ: Group 0 is EL3's, and the Non-secure view of priorities is shifted
  // Of EL1: what "the Security state of ICC_*_EL1" means to EL3, which sees the bank that SCR_EL3.NS selects.
  bool secure_el1 = false;
  constexpr bool operator==(const SysregAccessor&) const = default;
};

// The PE has already done its own trap and privilege checks. Called on the PE's thread only.
class SysregPort {
 public:
  virtual ~SysregPort() = default;
  virtual bool implements(SysregId) const = 0;
  virtual u64 read(SysregId, SysregAccessor) = 0;
  virtual void write(SysregId, u64 value, SysregAccessor) = 0;
  // The PE has entered or left EL3 or changed its Security state: what interrupts look like depends on it.
  virtual void security_changed(SysregAccessor) {}
};

}  // namespace sluice
