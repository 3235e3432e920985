// tcg/exec_state.h: the part of a PE's state that translated code itself needs, whatever the guest
// architecture. The guest's own registers follow in a struct that derives from it (cpu/state.h). Offsets are
// part of the contract with generated code: nearly everything here is reachable with an 8-bit displacement
// from the state pointer.
#pragma once
#include <atomic>
#include <cstddef>

#include "base/types.h"
#include "tcg/vec.h"

namespace sluice::tcg {

class Guest;
class Vcpu;
struct SoftTlbSet;
struct JumpCacheEntry;

// Why a block must not go on behind a helper: bits of ExecState::leave.
struct Leave {
  static constexpr u32 kToRunLoop = 1;
  // The context has changed, or state.pc: alone, it lets code of the context of now go on at state.pc.
  static constexpr u32 kToPc = 2;
};

// Why translated code must leave at its next poll: bits of ExecState::attention.
struct Attention {
  static constexpr u32 kMail = 1;   // Participant's: cleared when mail is drained, in a helper too
  static constexpr u32 kOther = 2;  // stays until the run loop has looked
};

struct alignas(64) ExecState {
  // --- Not reachable with 8 bits: what translated code rarely uses ---
  // Exclusive monitor: the VA, the size in bytes (0: open) and the value that was loaded.
  Vec exclusive_value;
  u64 exclusive_address = 0;
  u32 exclusive_size = 0;
  u32 probes_until_copy = 0;  // hits out of line until one of them fills its front slot
  u64 mode = 0;               // the guest's mode word: part of the key of every block
  Vcpu* vcpu = nullptr;
  Guest* guest = nullptr;
  u32 guest_mxcsr = 0x1f80;    // the host's MXCSR while translated code runs: rounding mode and sticky bits
  u32 in_translated_code = 0;  // MXCSR is the guest's now (also in helpers)

  // --- Reachable with 8 bits, as are the registers behind ---
  std::atomic<u32> attention{0};  // non-zero: leave translated code at the next poll (any thread may set it)
  u32 leave = 0;               // a Leave, set by a helper: the block ends when it returns (own thread only)
  u64 pc = 0;                  // valid whenever no translated code runs, and in helpers that ask for it
  i64 icount_left = 0;         // instructions this time slice may still run (icount mode)
  SoftTlbSet* bank = nullptr;  // soft TLB of data accesses in the current context
  SoftTlbSet* unprivileged_bank = nullptr;  // the same for LDTR/STTR
  JumpCacheEntry* jump_cache = nullptr;     // VA -> translated code, of the current context and mode
  u32 fpcr = 0;                             // Arm FPCR and the cumulative bits of FPSR, for the FP ops
  u32 fpsr = 0;  // (bits that x86 MXCSR has gathered since are merged on every exit)
  // What a slow path of translated code hands to C++ (tcg/memory_access.cpp) and back.
  u64 slow_address = 0;
  u32 slow_op = 0;     // packed MemOp
  u32 slow_unrun = 0;  // guest instructions of the block behind this one (icount mode gives them back)
  u64 slow_value[2] = {};
  u64 link_site = 0;  // the exit through which translated code came back, for chaining; 0: none
  // Of an access that is not where its front slot says: bytes - 1, and the front slot from bit 8 on, plus 1.
  u32 probe = 0;
};
static_assert(offsetof(ExecState, attention) == 64);
static_assert(sizeof(ExecState) == 192);

}  // namespace sluice::tcg
