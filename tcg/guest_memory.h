// tcg/guest_memory.h: guest memory for C++ helpers: atomics, exclusives, block zeroing. state.pc must be
// valid. Each returns false when a fault was taken (state.leave is set and nothing was changed).
#pragma once
#include "tcg/exec_state.h"
#include "tcg/ir/mem_op.h"
#include "tcg/vec.h"

namespace sluice::tcg {

// op.size() bytes at va, zero-extended (op.sign_extend is ignored). Single-copy atomic when aligned and <= 16
// bytes of RAM.
bool read_guest(ExecState& state, u64 va, ir::MemOp op, Vec& value) noexcept;
bool write_guest(ExecState& state, u64 va, ir::MemOp op, Vec value) noexcept;

using ir::AtomicKind;
// old = [va]; [va] = kind(old, operand): sequentially consistent; old is zero-extended.
bool atomic_rmw(ExecState& state, u64 va, ir::MemOp op, AtomicKind kind, u64 operand, u64& old) noexcept;
// Up to 16 bytes: if [va] == expected, [va] = desired. `old` receives what was there.
bool compare_exchange(ExecState& state, u64 va, ir::MemOp op, Vec expected, Vec desired, Vec& old) noexcept;
// Stores if the monitor is open for exactly this access and [va] is what was loaded: `failed` is 0, else 1.
bool store_exclusive(ExecState& state, u64 va, ir::MemOp op, Vec value, u64& failed) noexcept;

// Zeroes the naturally aligned block of 1 << log2_bytes that va lies in; a fault is one of va. DC ZVA.
bool zero_block(ExecState& state, u64 va, unsigned log2_bytes) noexcept;

}  // namespace sluice::tcg
