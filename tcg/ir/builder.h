// tcg/ir/builder.h: appends typed instructions to a block.
#pragma once
#include <cassert>

#include "tcg/helper.h"
#include "tcg/ir/block.h"
#include "tcg/ir/mem_op.h"

namespace sluice::tcg::ir {

class Builder {
 public:
  explicit Builder(Block& block) : block_(block) {}
  Block& block() { return block_; }
  // The guest instruction that the next ops belong to.
  void at(u64 pc) { offset_ = i16(pc - block_.pc); }

  // Generic form: every convenience below ends here.
  Value emit(Op op, Type type, std::initializer_list<Value> args, u64 imm = 0, u8 esize = 0, u8 aux = 0) {
    Inst inst{op, type, esize, aux, offset_, {kNoValue, kNoValue, kNoValue, kNoValue}, imm};
    unsigned n = 0;
    for (Value v : args) inst.args[n++] = v.id;
    block_.insts.push_back(inst);
    return {ValueId(block_.insts.size() - 1), type};
  }

  Value constant(Type type, u64 v) { return emit(Op::Const, type, {}, type == Type::I32 ? u32(v) : v); }
  Value i32(u32 v) { return constant(Type::I32, v); }
  Value i64(u64 v) { return constant(Type::I64, v); }

  // Integer ops of the type of their first operand.
  Value unary(Op op, Value a, u64 imm = 0) { return emit(op, a.type, {a}, imm); }
  Value binary(Op op, Value a, Value b, u64 imm = 0) {
    assert(a.type == b.type);
    return emit(op, a.type, {a, b}, imm);
  }
  // Flags ops: `type` of the instruction is Flags; the operands give the width.
  Value flags(Op op, std::initializer_list<Value> args, u8 aux = 0) {
    return emit(op, Type::Flags, args, 0, 0, aux);
  }

  Value get_state(Type type, u32 offset) { return emit(Op::GetState, type, {}, offset); }
  void set_state(u32 offset, Value v) { emit(Op::SetState, v.type, {v}, offset); }

  // type: I32 or I64.
  Value load(Type type, Value address, MemOp m) { return emit(Op::Load, type, {address}, m.pack()); }
  Value load_vec(Value address, MemOp m) { return emit(Op::LoadVec, Type::V128, {address}, m.pack()); }
  void store(Value address, Value v, MemOp m) { emit(Op::Store, v.type, {address, v}, m.pack()); }
  void store_vec(Value address, Value v, MemOp m) { emit(Op::StoreVec, Type::V128, {address, v}, m.pack()); }
  // Arithmetic in memory, of the type of the operand (values below 32 bits as I32, of which the low part
  // counts; the result is zero-extended).
  Value atomic(AtomicKind kind, Value address, Value operand, MemOp m) {
    return emit(Op::AtomicRmw, operand.type, {address, operand}, m.pack(), 0, u8(kind));
  }
  Value compare_swap(Value address, Value expected, Value desired, MemOp m) {
    return emit(Op::CompareSwap, desired.type, {address, expected, desired}, m.pack());
  }
  Value store_exclusive(Value address, Value v, MemOp m) {
    return emit(Op::StoreExclusive, Type::I32, {address, v}, m.pack());
  }
  void zero_block(Value address, unsigned log2_bytes, u8 base) {
    emit(Op::ZeroBlock, Type::Void, {address}, MemOp{.log2_size = 0, .base = base}.pack(), 0, u8(log2_bytes));
  }
  // A full barrier as seen by other PEs (DMB/DSB of any kind that orders stores before loads).
  void fence() { emit(Op::Fence, Type::Void, {}); }

  // Arguments must be I64.
  Value call(const Helper& helper, std::initializer_list<Value> args = {}) {
    return emit(Op::Call, Type::I64, args, reinterpret_cast<u64>(&helper), 0, u8(args.size()));
  }

  // Leaves to the run loop, through `helper`, when v is not zero (SP alignment, BTI, ...).
  void leave_if_nonzero(Value v, const Helper& helper) {
    emit(Op::LeaveIfNonZero, v.type, {v}, reinterpret_cast<u64>(&helper));
  }
  void exit_if(Value flags, u8 cond, u64 pc) { emit(Op::ExitIf, Type::Flags, {flags}, pc, 0, cond); }
  void exit_if_zero(Value v, u64 pc) { emit(Op::ExitIfZero, v.type, {v}, pc); }
  void exit_if_nonzero(Value v, u64 pc) { emit(Op::ExitIfNonZero, v.type, {v}, pc); }
  void exit_if_bit(Value v, u8 bit, bool set, u64 pc) {
    emit(set ? Op::ExitIfBitSet : Op::ExitIfBitClear, v.type, {v}, pc, 0, bit);
  }
  // Ends the block: a known target (chained), a computed one, or the run loop (mode may have changed; looks
  // up again). `kind` Call: a BL, whose return address the back end may remember.
  void exit_to(u64 pc, IndirectKind kind = IndirectKind::Jump) {
    emit(Op::ExitTo, Type::Void, {}, pc, 0, u8(kind));
  }
  void exit_indirect(Value pc, IndirectKind kind) {
    emit(Op::ExitIndirect, Type::Void, {pc}, 0, 0, u8(kind));
  }
  // Of a region: exits to `pc` come here, indirect ones as the LabelKind says.
  void label(u64 pc, u8 kind) { emit(Op::Label, Type::Void, {}, pc, 0, kind); }
  // `pc` is where to go on; state.pc is set to it.
  void exit_to_run_loop(u64 pc) { emit(Op::ExitToRunLoop, Type::Void, {}, pc); }

  bool ended() const {
    return !block_.insts.empty() && (info(block_.insts.back().op).properties & EndsBlock);
  }

 private:
  Block& block_;
  i16 offset_ = 0;
};

}  // namespace sluice::tcg::ir
