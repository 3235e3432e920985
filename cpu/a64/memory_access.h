// cpu/a64/memory_access.h: Mem[] of the pseudocode as IR, with the checks that come before it. Registers are
// written by the caller, after the last access of the instruction: each access may fault.
#pragma once
#include "cpu/a64/insn.h"
#include "cpu/emit.h"

namespace sluice::cpu::a64 {

// Xn or SP as the base of an access: CheckSPAlignment() when it is SP.
Value base_address(Emitter& e, Reg n);
inline Value displaced(Emitter& e, Value address, u64 offset) {
  return offset ? e.add(address, e.ir.i64(offset)) : address;
}

// MemOp::base of accesses whose address is the base register and a fixed offset.
constexpr u8 base_hint(Reg n) { return u8(n.n + 1); }
// Of all atomics and store-exclusives: checked as a write, ordered in every way.
constexpr MemOp atomic_op(unsigned log2_size, Reg n) {
  return {.log2_size = u8(log2_size),
          .aligned = true,
          .acquire = true,
          .release = true,
          .as_write = true,
          .base = base_hint(n)};
}

// Mem[address, op.size()], extended to `type` as op.sign_extend says.
Value load(Emitter& e, Type type, Value address, MemOp op);
void store(Emitter& e, Value address, Value v, MemOp op);
// As lanes of 1 << element_log2 bytes (what a big-endian access swaps), zero-extended to 128 bits.
Value load_vector(Emitter& e, Value address, MemOp op, unsigned element_log2);
void store_vector(Emitter& e, Value address, Value v, MemOp op, unsigned element_log2);

// Two neighbouring accesses of op.size() bytes, each a single-copy atomic one of its own.
struct Pair {
  Value first, second;
};
Pair load_pair(Emitter& e, Type type, Value address, MemOp op);
void store_pair(Emitter& e, Value address, Pair values, MemOp op);
Pair load_vector_pair(Emitter& e, Value address, MemOp op, unsigned element_log2);
void store_vector_pair(Emitter& e, Value address, Pair values, MemOp op, unsigned element_log2);

// An i64 value of 1 << log2_size bytes as a little-endian access moves it, and back: for helpers that access
// memory.
Value in_memory_order(Emitter& e, Value v, unsigned log2_size);

// How the base register takes part.
enum class Index : u8 { Offset, Post, Pre };
struct Address {
  Value access;   // of the first byte
  Value written;  // what the base register becomes, unless Index::Offset
};
inline Address indexed(Emitter& e, Index index, Reg n, u64 offset) {
  Value base = base_address(e, n);
  Value moved = displaced(e, base, offset);
  return {index == Index::Post ? base : moved, moved};
}
// `suppressed`: CONSTRAINED UNPREDICTABLE, the base is also a destination of a load: the loaded value stays.
inline void write_back(Emitter& e, Index index, Reg n, const Address& a, bool suppressed = false) {
  if (index != Index::Offset && !suppressed) e.XSP(n, a.written);
}

// Access type of the kinds of general-register loads and stores.
enum class Kind : u8 { Store, Load, LoadSigned64, LoadSigned32 };
void load_or_store(Emitter& e, Kind kind, Reg Rt, Value address, MemOp op);

}  // namespace sluice::cpu::a64
