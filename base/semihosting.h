// base/semihosting.h: what a PE asks of the host when it executes the semihosting trap (Arm IHI 0100,
// "Semihosting for AArch32 and AArch64": A64 HLT #0xF000, operation in W0, parameter in X1, result in X0).
#pragma once
#include <span>

#include "base/types.h"

namespace sluice {

// The virtual memory of the PE that called, with its own translation and rights. Both return false when any
// byte cannot be accessed; a write may then have happened in part. Valid only during the call.
class GuestMemory {
 public:
  virtual ~GuestMemory() = default;
  virtual bool read(u64 va, std::span<u8> into) = 0;
  virtual bool write(u64 va, std::span<const u8> from) = 0;
};

// Called on the thread of the calling PE, one call at a time for each PE; several PEs may call at once. The
// PE counts as "not in guest code" meanwhile, because READC may wait for the user. SYS_EXIT asks the machine
// to stop and returns: the PE must look for that request before it executes anything else.
class SemihostingHandler {
 public:
  // A call that waited and was interrupted, because the machine is to pause, returns this and has done
  // nothing: the PE leaves its registers alone and executes the trap again when it goes on. No operation has
  // this result.
  static constexpr u64 kTryAgain = 0x8000'0000'7472'7961;
  virtual ~SemihostingHandler() = default;
  // Whether programs at EL0 may call, too: to an operating system's users the host is closed otherwise.
  virtual bool allows_el0() const { return false; }
  virtual u64 call(u32 operation, u64 parameter, GuestMemory& memory) = 0;
};

}  // namespace sluice
