// Loads and stores: the inline probe of the soft TLB (layout: tcg/soft_tlb.h) and the way out to the slow
// path.
#include "tcg/soft_tlb.h"
#include "tcg/x86_64/compiler.h"

namespace sluice::tcg::x86_64 {

using asmjit::imm;
using ir::Type;

namespace {

constexpr unsigned kSetShift = 6;
static_assert(sizeof(SoftTlbSet) == 1u << kSetShift);
constexpr u32 kSetMask = (kBankSets - 1) << kSetShift;

}  // namespace

// Operands and results in registers. A pair takes those of the next op as well, which is emitted with this
// one.
Compiler::Probe Compiler::take_operands(const Inst& i, MemOp op) {
  Probe p{};
  p.is_store = i.op == Op::Store || i.op == Op::StoreVec;
  p.is_vector = i.op == Op::StoreVec || i.op == Op::LoadVec;
  p.count = op.with_next ? 2 : 1;
  p.address = regs.use(i.args[0]);
  for (unsigned k = 0; k < p.count; k++) {
    ValueId result = ValueId(current_ + k);
    const Inst& inst = block_->insts[result];
    Part& part = p.parts[k];
    part.inst = &inst;
    part.is_constant = i.op == Op::Store && regs.fits_imm32(inst.args[1]);
    if (p.is_vector)
      part.vector = p.is_store ? regs.use_xmm(inst.args[1]) : regs.define_xmm(result);
    else if (!part.is_constant)
      part.value = p.is_store ? regs.use(inst.args[1]) : regs.define(result);
  }
  p.tag = regs.temp(), p.offset = regs.temp();
  p.keep_vectors = regs.any_xmm_in_use();
  p.miss = a.newLabel(), p.hit = a.newLabel(), p.done = a.newLabel();
  skip_next_ = op.with_next;
  return p;
}

// Compares the page of the access (and its alignment where that is required) with the first way. Way 1 and
// everything else is behind the block. Every register is settled before the first branch, because the slow
// path joins here again.
void Compiler::probe(const Probe& p, MemOp op, Access access, SlowPath slow_path) {
  u32 size = op.size(), bytes = size * p.count;
  // The page of the last byte: an access that crosses into the next page never equals the tag of its own set.
  // Where alignment is required the low bits stay in the comparison instead, those of the last of a pair.
  if (u32 ahead = op.aligned ? bytes - size : bytes - 1)
    a.lea(p.tag, x86::ptr(p.address, i32(ahead)));
  else
    a.mov(p.tag, p.address);
  a.mov(p.offset.r32(), p.address.r32());
  a.shr(p.offset.r32(), imm(kSoftPageBits - kSetShift));
  a.and_(p.tag, imm(i32(~u32(kSoftPageMask) | (op.aligned ? size - 1 : 0))));
  a.and_(p.offset.r32(), imm(kSetMask));
  a.add(p.offset,
        state_field(op.unprivileged ? offsetof(ExecState, unprivileged_bank) : offsetof(ExecState, bank)));
  Label second_way = a.newLabel();
  auto compare = [=, this](unsigned way, Label otherwise) {
    i32 slot = i32(way * sizeof(SoftTlbSlot));
    if (allows(access, Access::Write)) {
      a.cmp(p.tag, x86::ptr(p.offset, slot + i32(offsetof(SoftTlbSlot, write_tag))));
      a.jne(otherwise);
    }
    if (allows(access, Access::Read)) {
      a.cmp(p.tag, x86::ptr(p.offset, slot + i32(offsetof(SoftTlbSlot, read_tag))));
      a.jne(otherwise);
    }
    a.mov(p.offset, x86::ptr(p.offset, slot + i32(offsetof(SoftTlbSlot, addend))));
  };
  compare(0, second_way);
  a.bind(p.hit);
  cold([=, this] {
    a.bind(second_way);
    compare(1, p.miss);
    a.jmp(p.hit);
    a.bind(p.miss);
    slow_path(p);
    a.jmp(p.done);
  });
}

// For the instruction of i: what every call of a slow path needs.
void Compiler::prepare_slow_path(const Probe& p, const Inst& i) {
  store_pins_out_of_line();  // a fault shows them
  a.mov(state_field(offsetof(ExecState, slow_address)), p.address);
  if (icount_) a.mov(state_field(offsetof(ExecState, slow_unrun), 4), imm(unrun(i)));
  set_pc(block_->pc_of(i));
}

void Compiler::call_slow_path(const Probe& p, MemOp op) {
  prepare_slow_path(p, *p.parts[0].inst);
  call_slow_path(p, p.parts[0]);
  if (p.count == 1) return;
  a.lea(p.tag, x86::ptr(p.address, i32(op.size())));
  a.mov(state_field(offsetof(ExecState, slow_address)), p.tag);
  call_slow_path(p, p.parts[1]);
}

void Compiler::call_slow_path(const Probe& p, const Part& part) {
  Mem slot = state_field(offsetof(ExecState, slow_value));
  Mem wide_slot = state_field(offsetof(ExecState, slow_value), 16);
  a.mov(state_field(offsetof(ExecState, slow_op), 4), imm(u32(part.inst->imm)));
  if (p.is_store) {
    if (p.is_vector)
      a.movups(wide_slot, part.vector);
    else if (part.is_constant)
      a.mov(slot, imm(i32(u32(regs.constant(part.inst->args[1])))));
    else
      a.mov(slot, part.value);
    a.call(imm(u64(thunks_.store[p.keep_vectors])));
    return;
  }
  a.call(imm(u64(thunks_.load[p.keep_vectors])));
  if (p.is_vector)
    a.movups(part.vector, wide_slot);
  else if (part.inst->type == Type::I64)
    a.mov(part.value, slot);
  else
    a.mov(part.value.r32(), state_field(offsetof(ExecState, slow_value), 4));
}

void Compiler::load_from(const Part& part, MemOp op, const Mem& m) {
  Gp d = part.value, sized_d = sized(d, part.inst->type);
  bool s = op.sign_extend;
  switch (op.log2_size) {
    case 0:
    case 1: s ? a.movsx(sized_d, m) : a.movzx(d.r32(), m); break;
    case 2: s&& part.inst->type == Type::I64 ? a.movsxd(d.r64(), m) : a.mov(d.r32(), m); break;
    default: a.mov(d.r64(), m); break;
  }
}

void Compiler::store_to(const Part& part, MemOp op, const Mem& m) {
  if (part.is_constant) {
    a.mov(m, imm(i32(u32(regs.constant(part.inst->args[1])))));
    return;
  }
  switch (op.log2_size) {
    case 0: a.mov(m, part.value.r8()); break;
    case 1: a.mov(m, part.value.r16()); break;
    case 2: a.mov(m, part.value.r32()); break;
    default: a.mov(m, part.value.r64()); break;
  }
}

void Compiler::load_vector_from(const Probe& p, const Part& part, MemOp op, Mem m) {
  Xmm d = part.vector;
  switch (op.log2_size) {
    case 0:
    case 1:
      a.movzx(p.tag.r32(), m);
      a.movd(d, p.tag.r32());
      break;
    case 2: a.movd(d, m); break;
    case 3: a.movq(d, m); break;
    default: a.movups(d, m); break;
  }
}

void Compiler::store_vector_to(const Part& part, MemOp op, Mem m) {
  Xmm v = part.vector;
  switch (op.log2_size) {
    case 0: a.pextrb(m, v, imm(0)); break;
    case 1: a.pextrw(m, v, imm(0)); break;
    case 2: a.movd(m, v); break;
    case 3: a.movq(m, v); break;
    default: a.movups(m, v); break;
  }
}

// The slow path joins. The second of a pair ends with the first.
void Compiler::finish(const Probe& p) {
  a.bind(p.done);
  if (p.count == 2) regs.end_op(*p.parts[1].inst);
}

void Compiler::emit_Load(const Inst& i) {
  MemOp op = MemOp::unpack(i.imm);
  Probe p = take_operands(i, op);
  probe(p, op, op.as_write ? Access::ReadWrite : Access::Read,
        [=, this](const Probe& q) { call_slow_path(q, op); });
  for (unsigned k = 0; k < p.count; k++) load_from(p.parts[k], op, host_memory(p, op, k));
  finish(p);
}

void Compiler::emit_Store(const Inst& i) {
  MemOp op = MemOp::unpack(i.imm);
  Probe p = take_operands(i, op);
  probe(p, op, Access::Write, [=, this](const Probe& q) { call_slow_path(q, op); });
  for (unsigned k = 0; k < p.count; k++) store_to(p.parts[k], op, host_memory(p, op, k));
  finish(p);
  // STLR: ordered before every later LDAR, which x86 gives a store only with a barrier behind it.
  if (op.release) emit_Fence(i);
}

void Compiler::emit_LoadVec(const Inst& i) {
  MemOp op = MemOp::unpack(i.imm);
  Probe p = take_operands(i, op);
  probe(p, op, Access::Read, [=, this](const Probe& q) { call_slow_path(q, op); });
  for (unsigned k = 0; k < p.count; k++) load_vector_from(p, p.parts[k], op, host_memory(p, op, k));
  finish(p);
}

void Compiler::emit_StoreVec(const Inst& i) {
  MemOp op = MemOp::unpack(i.imm);
  Probe p = take_operands(i, op);
  probe(p, op, Access::Write, [=, this](const Probe& q) { call_slow_path(q, op); });
  for (unsigned k = 0; k < p.count; k++) store_vector_to(p.parts[k], op, host_memory(p, op, k));
  finish(p);
}

// A locked read-modify-write of the stack orders everything, and costs less than MFENCE.
void Compiler::emit_Fence(const Inst&) { a.lock().or_(x86::dword_ptr(x86::rsp, kFrameEval), imm(0)); }

// --- Guest state ---

void Compiler::emit_GetState(const Inst& i) { regs.read_state(id(), u32(i.imm)); }

void Compiler::emit_SetState(const Inst& i) {
  u32 offset = u32(i.imm), bytes = ir::bits_of(i.type) / 8;
  if (const Pin* pin = regs.pin_of(offset)) return regs.write_pin(*pin, i.args[0]);
  regs.before_state_write(offset, bytes);
  Mem m = state_field(offset, bytes);
  ValueId v = i.args[0];
  if (i.type == Type::V128) {
    a.movaps(m, regs.use_xmm(v));
  } else if (regs.fits_imm32(v)) {
    a.mov(m, imm(i32(u32(regs.constant(v)))));
  } else {
    Gp r = regs.use(v);
    i.type == Type::I64 ? a.mov(m, r.r64()) : a.mov(m, r.r32());
  }
  if (!regs.is_constant(v)) regs.after_state_write(v, offset);
}

}  // namespace sluice::tcg::x86_64
