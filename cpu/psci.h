// cpu/psci.h: Power State Coordination Interface 1.1 (Arm DEN 0022), answered by the emulator itself when no
// firmware runs below the guest.
#pragma once
#include "base/types.h"

namespace sluice::cpu {

class Pe;

enum class PsciConduit : u8 { None, Hvc, Smc };

namespace psci {

inline constexpr u32 kVersion = 0x84000000, kCpuSuspend = 0x84000001, kCpuOff = 0x84000002,
                     kCpuOn = 0x84000003, kAffinityInfo = 0x84000004, kMigrate = 0x84000005,
                     kMigrateInfoType = 0x84000006, kMigrateInfoUpCpu = 0x84000007, kSystemOff = 0x84000008,
                     kSystemReset = 0x84000009, kFeatures = 0x8400000a, kSystemReset2 = 0x84000012,
                     kSmcccVersion = 0x80000000;
inline constexpr u32 k64 = 0x40000000;  // the SMC64 form of a function id

inline constexpr i32 kSuccess = 0, kNotSupported = -1, kInvalidParameters = -2, kDenied = -3, kAlreadyOn = -4,
                     kOnPending = -5, kInternalFailure = -6, kNotPresent = -7, kDisabled = -8,
                     kInvalidAddress = -9;

// The call in X0..X3 of `caller`: leaves the result in X0. Returns false when the id is not one of a firmware
// call at all (bit 31 clear: a yielding call): X0 is then NOT_SUPPORTED too, as SMCCC asks.
void call(Pe& caller) noexcept;

}  // namespace psci
}  // namespace sluice::cpu
