// tcg/ir/mem_op.h: what a guest memory access is, packed into an IR immediate.
#pragma once
#include "base/types.h"

namespace sluice::tcg::ir {

struct MemOp {
  u8 log2_size = 3;           // 0..4: 1 to 16 bytes
  bool sign_extend = false;   // Load: sign-extend to the op's type
  bool unprivileged = false;  // LDTR/STTR: with EL0's rights
  bool aligned = false;       // must be naturally aligned whatever SCTLR.A says (exclusive, ordered, atomic)
  bool acquire = false;       // Load: LDAR, LDAPR
  bool release = false;       // Store: STLR
  // A store probe: an access that is checked, and faults, as a write although it reads (atomics).
  bool as_write = false;
  // No alignment is required, whatever SCTLR.A says: several elements in one access (LD1, ST1, ...).
  bool any_alignment = false;
  // Two accesses of one instruction to neighbouring bytes, as two ops that follow each other and have the
  // same address operand: the first says with_next, the second is behind it, at address + size().
  bool with_next = false;
  bool behind = false;

  // The base register of the instruction, plus 1, where accesses through it tend to stay in one page: a hint.
  u8 base = 0;
  i32 displacement = 0;  // from the address operand

  constexpr unsigned size() const { return 1u << log2_size; }
  constexpr u64 pack() const {
    return log2_size | u64(sign_extend) << 3 | u64(unprivileged) << 4 | u64(aligned) << 5 |
           u64(acquire) << 6 | u64(release) << 7 | u64(as_write) << 8 | u64(any_alignment) << 9 |
           u64(with_next) << 10 | u64(behind) << 11 | u64(base) << 12 | u64(u32(displacement)) << 32;
  }
  static constexpr MemOp unpack(u64 v) {
    return {u8(v & 7),         bool(v >> 3 & 1),  bool(v >> 4 & 1), bool(v >> 5 & 1),
            bool(v >> 6 & 1),  bool(v >> 7 & 1),  bool(v >> 8 & 1), bool(v >> 9 & 1),
            bool(v >> 10 & 1), bool(v >> 11 & 1), u8(v >> 12 & 63), i32(u32(v >> 32))};
  }
  // Of this access, when the op's operand is `operand`.
  constexpr u64 address(u64 operand) const { return operand + u64(i64(offset())); }
  constexpr i32 offset() const { return displacement + (behind ? i32(size()) : 0); }
  constexpr bool operator==(const MemOp&) const = default;
};
static_assert(
    MemOp::unpack(MemOp{4, true, false, true, false, true, true, false, true, false, 32, -5}.pack()) ==
    MemOp{4, true, false, true, false, true, true, false, true, false, 32, -5});

// What an atomic leaves in memory.
enum class AtomicKind : u8 { Add, Clear, Xor, Set, SignedMax, SignedMin, UnsignedMax, UnsignedMin, Swap };

}  // namespace sluice::tcg::ir
