// cpu/emit.h: the pseudocode's accessors (X[], W, SP, V[], PSTATE.NZCV, Mem[]) over the IR builder. One
// Emitter lives for one block.
#pragma once
#include "cpu/a64/insn.h"
#include "cpu/features.h"
#include "cpu/mode.h"
#include "cpu/state.h"
#include "tcg/ir/builder.h"

namespace sluice::cpu {

using tcg::ir::MemOp;
using tcg::ir::Op;
using tcg::ir::Type;
using tcg::ir::Value;

class Emitter {
 public:
  Emitter(tcg::ir::Builder& builder, Mode mode, FeatureSet features)
      : ir(builder), mode(mode), features(features) {}

  tcg::ir::Builder& ir;
  const Mode mode;
  const FeatureSet features;
  u64 pc = 0;                  // of the instruction being translated
  u32 word = 0;                // its encoding
  bool authenticates = false;  // a pointer authentication instruction that SCR_EL3.API may trap
  bool stop =
      false;  // set by an instruction after which the block must not go on (it has emitted its terminal op)

  // X[n] with `sf`: 64-bit, else its low half (I32). Register 31 is zero.
  Value X(bool sf, a64::Reg r) {
    Type t = sf ? Type::I64 : Type::I32;
    if (r.n == 31) return ir.constant(t, 0);
    Value v = ir.get_state(Type::I64, offset_of_x(r.n));
    return sf ? v : ir.emit(Op::Truncate, Type::I32, {v});
  }
  Value X(a64::Reg r) { return X(true, r); }
  // X[n] = v; an I32 value is zero-extended.
  void X(a64::Reg r, Value v) {
    if (r.n != 31) ir.set_state(offset_of_x(r.n), zero_extend(v));
  }
  // The same with 31 = the current stack pointer.
  Value XSP(bool sf, a64::Reg r) {
    if (r.n != 31) return X(sf, r);
    Value v = ir.get_state(Type::I64, u32(offsetof(PeState, sp)));
    return sf ? v : ir.emit(Op::Truncate, Type::I32, {v});
  }
  void XSP(a64::Reg r, Value v) {
    if (r.n != 31) return X(r, v);
    ir.set_state(u32(offsetof(PeState, sp)), zero_extend(v));
  }
  // V[n] as 128 bits. Writers of fewer bits zero the rest: wrap the value in VZeroUpper (or use S/D forms
  // below).
  Value V(a64::Reg r) { return ir.get_state(Type::V128, offset_of_v(r.n)); }
  void V(a64::Reg r, Value v) { ir.set_state(offset_of_v(r.n), v); }

  Value flags() { return ir.get_state(Type::Flags, u32(offsetof(PeState, nzcv))); }
  void flags(Value f) { ir.set_state(u32(offsetof(PeState, nzcv)), f); }

  Value zero_extend(Value v) { return v.type == Type::I32 ? ir.emit(Op::ZeroExtend32, Type::I64, {v}) : v; }
  Value truncate(Value v) { return v.type == Type::I64 ? ir.emit(Op::Truncate, Type::I32, {v}) : v; }
  Value constant(bool sf, u64 v) { return ir.constant(sf ? Type::I64 : Type::I32, v); }
  Value add(Value a, Value b) { return ir.binary(Op::Add, a, b); }
  Value sub(Value a, Value b) { return ir.binary(Op::Sub, a, b); }
  Value mul(Value a, Value b) { return ir.binary(Op::Mul, a, b); }
  Value and_(Value a, Value b) { return ir.binary(Op::And, a, b); }
  Value or_(Value a, Value b) { return ir.binary(Op::Or, a, b); }
  Value xor_(Value a, Value b) { return ir.binary(Op::Xor, a, b); }

  // The encoding is UNDEFINED: ends the block with the exception. Written by cpu/exception.
  void unallocated();
  // Calls a helper after which the block cannot go on (exception, mode change); ends the block.
  void call_and_stop(const tcg::Helper& helper, std::initializer_list<Value> args = {}) {
    ir.call(helper, args);
    ir.exit_to_run_loop(pc + 4);
    stop = true;
  }
  // Next-instruction and branch terminals.
  void branch_to(u64 target) { ir.exit_to(target), stop = true; }
  void branch_indirect(Value target, tcg::ir::IndirectKind kind) {
    ir.exit_indirect(target, kind), stop = true;
  }
};

}  // namespace sluice::cpu
