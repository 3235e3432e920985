#include "cpu/psci.h"

#include "cpu/pe.h"
#include "cpu/pe_group.h"

namespace sluice::cpu::psci {
namespace {

constexpr u32 kArchFeatures = 0x80000001, kArchWorkaround1 = 0x80008000, kArchWorkaround2 = 0x80007fff,
              kArchWorkaround3 = 0x80003fff;
constexpr u64 kVersion11 = 0x10001;  // PSCI 1.1 and SMCCC 1.1 look the same
constexpr u64 kTosNotPresent = 2;    // MIGRATE_INFO_TYPE: no Trusted OS to migrate
constexpr i64 kNotRequired = 1;      // SMCCC_ARCH_WORKAROUND_1, _3: this PE does not speculate
constexpr i64 kWorkaround2NotRequired = -2;

bool has_64bit_form(u32 id) {
  switch (id & ~k64) {
    case kCpuSuspend:
    case kCpuOn:
    case kAffinityInfo:
    case kSystemReset2: return true;
    default: return false;
  }
}

bool is_implemented(u32 id) {
  if (id & k64) return has_64bit_form(id) && is_implemented(id & ~k64);
  switch (id) {
    case kVersion:
    case kCpuSuspend:
    case kCpuOff:
    case kCpuOn:
    case kAffinityInfo:
    case kMigrateInfoType:
    case kSystemOff:
    case kSystemReset:
    case kSystemReset2:
    case kFeatures:
    case kSmcccVersion: return true;
    default: return false;
  }
}

i64 arch_features(u32 id) {
  switch (id) {
    case kSmcccVersion:
    case kArchFeatures: return kSuccess;
    case kArchWorkaround1:
    case kArchWorkaround3: return kNotRequired;
    case kArchWorkaround2: return kWorkaround2NotRequired;
    default: return kNotSupported;
  }
}

// Standby: the PE waits here for an interrupt and goes on after the call. A request for a powerdown state is
// met with standby, which the specification allows.
i64 cpu_suspend(Pe& pe, u64 power_state) {
  constexpr u32 kReserved = ~(u32{0xffff} | 1u << 16 | 3u << 24);
  if (u32(power_state) & kReserved) return kInvalidParameters;
  pe.defer(Pe::Deferred::WaitForInterrupt);
  return kSuccess;
}

i64 answer(Pe& pe, u32 id, const u64 (&a)[3]) {
  PeGroup* group = pe.group();
  switch (id & ~k64) {
    case kVersion:
    case kSmcccVersion: return i64(kVersion11);
    case kCpuSuspend: return cpu_suspend(pe, a[0]);
    case kCpuOff: return group->cpu_off(pe), i64{kDenied};
    case kCpuOn: return group->cpu_on(a[0], a[1], a[2]);
    case kAffinityInfo: return group->affinity_info(a[0], a[1]);
    case kMigrateInfoType: return i64(kTosNotPresent);
    case kSystemOff: return group->system_off(), i64{kInternalFailure};
    case kSystemReset: return group->system_reset(), i64{kInternalFailure};
    case kSystemReset2: {
      bool vendor_or_unknown = a[0] != 0;  // SYSTEM_WARM_RESET only
      return vendor_or_unknown ? i64{kInvalidParameters} : (group->system_reset(), i64{kInternalFailure});
    }
    case kFeatures: return is_implemented(u32(a[0])) ? kSuccess : kNotSupported;
    default: return kNotSupported;
  }
}

}  // namespace

void call(Pe& pe) noexcept {
  PeState& s = pe.state();
  u32 id = u32(s.x[0]);
  u64 a[3] = {s.x[1], s.x[2], s.x[3]};
  if (!(id & k64))
    for (u64& v : a) v = u32(v);
  i64 result = kNotSupported;
  if (id == kArchFeatures)
    result = arch_features(u32(a[0]));
  else if (id == kArchWorkaround1 || id == kArchWorkaround3)
    result = kSuccess;
  else if (is_implemented(id) && pe.group())
    result = answer(pe, id, a);
  s.x[0] = u64(result);
}

}  // namespace sluice::cpu::psci
