// Arm DDI 0487, shared pseudocode "Mem", "CheckSPAlignment", "BigEndianReverse".
#include "cpu/a64/memory_access.h"

#include "cpu/exception.h"

namespace sluice::cpu::a64 {
namespace {

bool big_endian(const Emitter& e) { return e.mode.get<Mode::BigEndian>(); }

// SCTLR.A: the soft TLB knows nothing of it, the access itself has to ask.
MemOp with_alignment(const Emitter& e, MemOp op) {
  if (e.mode.get<Mode::AlignCheck>() && !op.any_alignment) op.aligned = true;
  return op;
}

// The low 1 << log2_size bytes of `v` in reverse order, zero-extended.
Value reversed(Emitter& e, Value v, unsigned log2_size) {
  unsigned bits = 8u << log2_size;
  Value r = e.ir.unary(Op::ReverseBytes, v, bits);
  return bits == bits_of(v.type) ? r : e.and_(r, e.ir.constant(v.type, ones(bits)));
}

Value extended(Emitter& e, Value v, unsigned log2_size) {
  switch (log2_size) {
    case 0: return e.ir.unary(Op::SignExtend8, v);
    case 1: return e.ir.unary(Op::SignExtend16, v);
    case 2: return v.type == Type::I64 ? e.ir.emit(Op::SignExtend32, Type::I64, {e.truncate(v)}) : v;
    default: return v;
  }
}

}  // namespace

Value base_address(Emitter& e, Reg n) {
  Value base = e.XSP(true, n);
  if (n.n == 31 && e.mode.get<Mode::SpAlignCheck>())
    e.ir.leave_if_nonzero(e.and_(base, e.ir.i64(15)), kSpMisaligned);
  return base;
}

Value in_memory_order(Emitter& e, Value v, unsigned log2_size) {
  return big_endian(e) && log2_size ? reversed(e, v, log2_size) : v;
}

namespace {

// The value of a load whose op was `op`.
Value from_memory(Emitter& e, Value v, MemOp op) {
  if (!big_endian(e) || op.log2_size == 0) return v;
  v = reversed(e, v, op.log2_size);
  return op.sign_extend ? extended(e, v, op.log2_size) : v;
}
// The op that loads it: a value that is reversed is extended afterwards.
MemOp load_op(const Emitter& e, MemOp op) {
  op = with_alignment(e, op);
  if (big_endian(e) && op.log2_size) op.sign_extend = false;
  return op;
}
Value to_memory(Emitter& e, Value v, unsigned log2_size) {
  return big_endian(e) && log2_size ? reversed(e, v, log2_size) : v;
}
Value lanes_reversed(Emitter& e, Value v, unsigned element_log2) {
  if (!big_endian(e) || element_log2 == 0) return v;
  return e.ir.emit(Op::VReverse, Type::V128, {v}, element_log2);
}

// Of the two accesses of a pair.
MemOp first_of(MemOp op) { return op.with_next = true, op; }
MemOp second_of(MemOp op) { return op.behind = true, op; }

}  // namespace

Value load(Emitter& e, Type type, Value address, MemOp op) {
  return from_memory(e, e.ir.load(type, address, load_op(e, op)), op);
}

void store(Emitter& e, Value address, Value v, MemOp op) {
  v = to_memory(e, v, op.log2_size);
  e.ir.store(address, v, with_alignment(e, op));
}

Pair load_pair(Emitter& e, Type type, Value address, MemOp op) {
  MemOp access = load_op(e, op);
  Value first = e.ir.load(type, address, first_of(access));
  Value second = e.ir.load(type, address, second_of(access));
  first = from_memory(e, first, op);
  return {first, from_memory(e, second, op)};
}

void store_pair(Emitter& e, Value address, Pair values, MemOp op) {
  values.first = to_memory(e, values.first, op.log2_size);
  values.second = to_memory(e, values.second, op.log2_size);
  op = with_alignment(e, op);
  e.ir.store(address, values.first, first_of(op));
  e.ir.store(address, values.second, second_of(op));
}

Value load_vector(Emitter& e, Value address, MemOp op, unsigned element_log2) {
  return lanes_reversed(e, e.ir.load_vec(address, with_alignment(e, op)), element_log2);
}

void store_vector(Emitter& e, Value address, Value v, MemOp op, unsigned element_log2) {
  v = lanes_reversed(e, v, element_log2);
  e.ir.store_vec(address, v, with_alignment(e, op));
}

Pair load_vector_pair(Emitter& e, Value address, MemOp op, unsigned element_log2) {
  op = with_alignment(e, op);
  Value first = e.ir.load_vec(address, first_of(op)), second = e.ir.load_vec(address, second_of(op));
  first = lanes_reversed(e, first, element_log2);
  return {first, lanes_reversed(e, second, element_log2)};
}

void store_vector_pair(Emitter& e, Value address, Pair values, MemOp op, unsigned element_log2) {
  values.first = lanes_reversed(e, values.first, element_log2);
  values.second = lanes_reversed(e, values.second, element_log2);
  op = with_alignment(e, op);
  e.ir.store_vec(address, values.first, first_of(op));
  e.ir.store_vec(address, values.second, second_of(op));
}

void load_or_store(Emitter& e, Kind kind, Reg Rt, Value address, MemOp op) {
  // A value of 64 bits is moved as such; smaller ones as I32, which X() extends.
  bool wide = op.log2_size == 3 || kind == Kind::LoadSigned64;
  if (kind == Kind::Store) return store(e, address, e.X(wide, Rt), op);
  op.sign_extend = kind != Kind::Load;
  e.X(Rt, load(e, wide ? Type::I64 : Type::I32, address, op));
}

}  // namespace sluice::cpu::a64
