// Loads and stores: the inline probe of the soft TLB (layout: tcg/soft_tlb.h) and the way out to the slow
// path.
#include "tcg/soft_tlb.h"
#include "tcg/x86_64/compiler.h"

namespace sluice::tcg::x86_64 {

using asmjit::imm;
using ir::Type;

// Front slots pay where a base register stays in a page: the stack pointer and the frame pointer, and all of
// them in hot loops. Elsewhere each change of page is a branch that the host has not foreseen.
bool Compiler::uses_front(MemOp op) const {
  constexpr u8 kFrame = 29 + 1, kStack = 31 + 1;
  return op.base && !op.unprivileged && (block_->is_region || op.base == kFrame || op.base == kStack);
}

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
  p.offset = regs.temp();
  if (!uses_front(op)) p.tag = regs.temp();
  p.keep_vectors = regs.any_xmm_in_use();
  p.miss = a.newLabel(), p.hit = a.newLabel(), p.done = a.newLabel();
  skip_next_ = op.with_next;
  return p;
}

void Compiler::address_of(Gp to, const Probe& p, i32 offset) {
  offset ? a.lea(to, x86::ptr(p.address, offset)) : a.mov(to, p.address);
}

// The front slot of the base register: nothing that is loaded depends on the address, and an access that does
// not begin too near to the end of the page need not be aligned.
void Compiler::probe_front(const Probe& p, MemOp op, Access access, Label cold_label) {
  auto field = [&](size_t offset) { return x86::ptr(kBank, front_slot_offset(op.base - 1u) + i32(offset)); };
  constexpr u32 kAlways = unsigned(kSoftPageSize - FrontSlot::kLimit) + 1;  // bytes that fit below the limit
  u32 bytes = op.size() * p.count;
  address_of(p.offset, p, op.displacement);
  if (op.aligned && op.size() > 1) {
    a.test(p.offset.r8(), imm(op.size() - 1));
    a.jnz(p.miss);
  }
  a.sub(p.offset, field(offsetof(FrontSlot, page)));
  if (bytes > kAlways) {
    a.cmp(p.offset, imm(kSoftPageSize - bytes));
    a.ja(cold_label);
  }
  if (allows(access, Access::Write)) {
    a.cmp(p.offset, field(offsetof(FrontSlot, write_limit)));
    a.jae(cold_label);
  }
  if (allows(access, Access::Read)) {
    a.cmp(p.offset, field(offsetof(FrontSlot, read_limit)));
    a.jae(cold_label);
  }
  a.mov(p.offset, field(offsetof(FrontSlot, addend)));
}

void Compiler::compare_way(const Probe& p, Access access, Gp base, unsigned way, Label otherwise) {
  auto field = [&](size_t offset) {
    i32 at = i32(way * sizeof(SoftTlbSlot) + offset);
    return base == kBank ? x86::ptr(kBank, p.offset, 0, at) : x86::ptr(p.offset, at);
  };
  if (allows(access, Access::Write)) {
    a.cmp(p.tag, field(offsetof(SoftTlbSlot, write_tag)));
    a.jne(otherwise);
  }
  if (allows(access, Access::Read)) {
    a.cmp(p.tag, field(offsetof(SoftTlbSlot, read_tag)));
    a.jne(otherwise);
  }
  a.mov(p.offset, field(offsetof(SoftTlbSlot, addend)));
}

// The first way of the set. The comparison is with the page of the last byte: an access that crosses into the
// next page never equals the tag of its own set. Where alignment is required the low bits stay in the
// comparison instead, those of the last of a pair.
void Compiler::probe_bank(const Probe& p, MemOp op, Access access, Label cold_label) {
  u32 size = op.size(), bytes = size * p.count;
  address_of(p.offset, p, op.displacement);
  a.shr(p.offset.r32(), imm(kSoftPageBits - kSetShift));
  if (op.unprivileged) {
    a.mov(p.tag, state_field(offsetof(ExecState, unprivileged_bank)));
    a.and_(p.offset.r32(), x86::dword_ptr(p.tag, kIndexMaskOffset));
    a.add(p.offset, p.tag);
  } else {
    a.and_(p.offset.r32(), x86::dword_ptr(kBank, kIndexMaskOffset));
  }
  address_of(p.tag, p, op.displacement + i32(op.aligned ? bytes - size : bytes - 1));
  a.and_(p.tag, imm(i32(~u32(kSoftPageMask) | (op.aligned ? size - 1 : 0))));
  compare_way(p, access, op.unprivileged ? Gp() : kBank, 0, cold_label);
}

void Compiler::probe_second_way(const Probe& p, MemOp op, Access access) {
  compare_way(p, access, op.unprivileged ? Gp() : kBank, 1, p.miss);
}

// The bank, both ways, by a thunk: p.offset = address -> addend.
void Compiler::probe_out_of_line(const Probe& p, MemOp op, Access access) {
  address_of(p.offset, p, op.displacement);
  a.mov(state_field(offsetof(ExecState, probe), 4), imm(u32(op.size() * p.count - 1) | u32(op.base) << 8));
  a.call(imm(u64(thunks_.probe[unsigned(access) - 1][p.offset.id()])));
  a.jc(p.miss);
}

// Returns where what it does not find goes on.
Label Compiler::probe_first(const Probe& p, MemOp op, Access access) {
  Label cold_label = a.newLabel();
  uses_front(op) ? probe_front(p, op, access, cold_label) : probe_bank(p, op, access, cold_label);
  a.bind(p.hit);
  return cold_label;
}

// For the instruction of i: what every call of a slow path needs.
void Compiler::prepare_slow_path(const Probe& p, const Inst& i) {
  store_pins_out_of_line();  // a fault shows them
  if (i32 offset = MemOp::unpack(i.imm).displacement) {
    a.lea(p.offset, x86::ptr(p.address, offset));
    a.mov(state_field(offsetof(ExecState, slow_address)), p.offset);
  } else {
    a.mov(state_field(offsetof(ExecState, slow_address)), p.address);
  }
  if (icount_) a.mov(state_field(offsetof(ExecState, slow_unrun), 4), imm(unrun(i)));
  set_pc(block_->pc_of(i));
}

void Compiler::call_slow_path(const Probe& p, MemOp op) {
  prepare_slow_path(p, *p.parts[0].inst);
  call_slow_path(p, p.parts[0]);
  if (p.count == 1) return;
  a.lea(p.offset, x86::ptr(p.address, op.displacement + i32(op.size())));
  a.mov(state_field(offsetof(ExecState, slow_address)), p.offset);
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
      a.movzx(p.offset.r32(), m);
      a.movd(d, p.offset.r32());
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
  ordered_ = false;
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

// The probe is of the block's first byte; a fault, of the address that was given.
void Compiler::emit_ZeroBlock(const Inst& i) {
  MemOp op = MemOp::unpack(i.imm);
  const i32 bytes = 1 << i.aux;
  Gp given = regs.use(i.args[0]);
  Probe p{};
  p.address = regs.temp(), p.offset = regs.temp(), p.tag = regs.temp();
  p.keep_vectors = regs.any_xmm_in_use();
  p.miss = a.newLabel(), p.hit = a.newLabel(), p.done = a.newLabel();
  a.mov(p.address, given);
  a.and_(p.address, imm(-bytes));
  const Inst inst = i;
  probe(p, op, Access::Write, [=, this](const Probe& block) {
    Probe at_given = block;
    at_given.address = given;
    prepare_slow_path(at_given, inst);
    a.mov(state_field(offsetof(ExecState, slow_op), 4), imm(u32(inst.imm) | u32(inst.aux) << kSlowOpAux));
    a.call(imm(u64(thunks_.zero_block[block.keep_vectors])));
  });
  a.xorps(kScratchXmm, kScratchXmm);
  for (i32 at = 0; at < bytes; at += 16) a.movups(x86::ptr(p.address, p.offset, 0, at), kScratchXmm);
  a.bind(p.done);
}

// A locked read-modify-write of the stack orders everything, and costs less than MFENCE.
void Compiler::emit_Fence(const Inst&) {
  if (ordered_) return;
  a.lock().or_(x86::dword_ptr(x86::rsp, kFrameEval), imm(0));
}

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
