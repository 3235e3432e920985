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

u32 tag_offset(bool write) {
  return write ? offsetof(SoftTlbSlot, write_tag) : offsetof(SoftTlbSlot, read_tag);
}

}  // namespace

// Compares the page of the access (and its alignment where that is required) with the first way. Way 1 and
// everything else is behind the block. Every register is settled before the first branch, because the slow
// path joins here again.
Compiler::Probe Compiler::probe(const Inst& i, MemOp op, bool write) {
  Probe p{};
  p.is_store = i.op == Op::Store || i.op == Op::StoreVec;
  p.is_vector = i.op == Op::StoreVec || i.op == Op::LoadVec;
  p.is_constant = i.op == Op::Store && regs.fits_imm32(i.args[1]);
  p.address = regs.use(i.args[0]);
  if (p.is_vector)
    p.vector = p.is_store ? regs.use_xmm(i.args[1]) : regs.define_xmm(id());
  else if (!p.is_constant)
    p.value = p.is_store ? regs.use(i.args[1]) : regs.define(id());
  p.tag = regs.temp(), p.offset = regs.temp();
  p.keep_vectors = regs.any_xmm_in_use();
  p.slow = a.newLabel(), p.hit = a.newLabel(), p.done = a.newLabel();
  u32 size = op.size();
  // The page of the last byte: an access that crosses into the next page never equals the tag of its own set.
  // Where alignment is required the low bits stay in the comparison instead.
  if (size > 1 && !op.aligned)
    a.lea(p.tag, x86::ptr(p.address, i32(size - 1)));
  else
    a.mov(p.tag, p.address);
  a.mov(p.offset.r32(), p.address.r32());
  a.shr(p.offset.r32(), imm(kSoftPageBits - kSetShift));
  a.and_(p.tag, imm(i32(~u32(kSoftPageMask) | (op.aligned ? size - 1 : 0))));
  a.and_(p.offset.r32(), imm(kSetMask));
  a.add(p.offset,
        state_field(op.unprivileged ? offsetof(ExecState, unprivileged_bank) : offsetof(ExecState, bank)));
  a.cmp(p.tag, x86::ptr(p.offset, i32(tag_offset(write))));
  a.jne(p.slow);
  a.mov(p.offset, x86::ptr(p.offset, offsetof(SoftTlbSlot, addend)));
  a.bind(p.hit);
  const Inst inst = i;
  cold([=, this] {
    a.bind(p.slow);
    Label miss = a.newLabel();
    a.cmp(p.tag, x86::ptr(p.offset, i32(sizeof(SoftTlbSlot) + tag_offset(write))));
    a.jne(miss);
    a.mov(p.offset, x86::ptr(p.offset, i32(sizeof(SoftTlbSlot) + offsetof(SoftTlbSlot, addend))));
    a.jmp(p.hit);
    a.bind(miss);
    call_slow_path(inst, p);
    a.jmp(p.done);
  });
  return p;
}

void Compiler::call_slow_path(const Inst& i, const Probe& p) {
  store_pins_out_of_line();  // a fault shows them
  Mem slot = state_field(offsetof(ExecState, slow_value));
  Mem wide_slot = state_field(offsetof(ExecState, slow_value), 16);
  a.mov(state_field(offsetof(ExecState, slow_address)), p.address);
  a.mov(state_field(offsetof(ExecState, slow_op), 4), imm(u32(i.imm)));
  if (icount_) a.mov(state_field(offsetof(ExecState, slow_unrun), 4), imm(unrun(i)));
  set_pc(block_->pc_of(i));
  if (p.is_store) {
    if (p.is_vector)
      a.movups(wide_slot, p.vector);
    else if (p.is_constant)
      a.mov(slot, imm(i32(u32(regs.constant(i.args[1])))));
    else
      a.mov(slot, p.value);
    a.call(imm(u64(thunks_.store[p.keep_vectors])));
    return;
  }
  a.call(imm(u64(thunks_.load[p.keep_vectors])));
  if (p.is_vector)
    a.movups(p.vector, wide_slot);
  else if (i.type == Type::I64)
    a.mov(p.value, slot);
  else
    a.mov(p.value.r32(), state_field(offsetof(ExecState, slow_value), 4));
}

void Compiler::load_from(const Inst& i, MemOp op, const Probe& p) {
  Mem m = x86::ptr(p.address, p.offset, 0, 0, op.size());
  Gp d = p.value, sized_d = sized(d, i.type);
  bool s = op.sign_extend;
  switch (op.log2_size) {
    case 0:
    case 1: s ? a.movsx(sized_d, m) : a.movzx(d.r32(), m); break;
    case 2: s&& i.type == Type::I64 ? a.movsxd(d.r64(), m) : a.mov(d.r32(), m); break;
    default: a.mov(d.r64(), m); break;
  }
}

void Compiler::store_to(const Inst& i, MemOp op, const Probe& p) {
  Mem m = x86::ptr(p.address, p.offset, 0, 0, op.size());
  if (p.is_constant) {
    a.mov(m, imm(i32(u32(regs.constant(i.args[1])))));
    return;
  }
  switch (op.log2_size) {
    case 0: a.mov(m, p.value.r8()); break;
    case 1: a.mov(m, p.value.r16()); break;
    case 2: a.mov(m, p.value.r32()); break;
    default: a.mov(m, p.value.r64()); break;
  }
}

void Compiler::emit_Load(const Inst& i) {
  MemOp op = MemOp::unpack(i.imm);
  Probe p = probe(i, op, op.as_write);
  load_from(i, op, p);
  a.bind(p.done);
}

void Compiler::emit_Store(const Inst& i) {
  MemOp op = MemOp::unpack(i.imm);
  Probe p = probe(i, op, true);
  store_to(i, op, p);
  a.bind(p.done);
  // STLR: ordered before every later LDAR, which x86 gives a store only with a barrier behind it.
  if (op.release) emit_Fence(i);
}

void Compiler::emit_LoadVec(const Inst& i) {
  MemOp op = MemOp::unpack(i.imm);
  Probe p = probe(i, op, false);
  Xmm d = p.vector;
  Mem m = x86::ptr(p.address, p.offset);
  switch (op.log2_size) {
    case 0:
      a.movzx(p.offset.r32(), x86::byte_ptr(p.address, p.offset));
      a.movd(d, p.offset.r32());
      break;
    case 1:
      a.movzx(p.offset.r32(), x86::word_ptr(p.address, p.offset));
      a.movd(d, p.offset.r32());
      break;
    case 2: a.movd(d, m); break;
    case 3: a.movq(d, m); break;
    default: a.movups(d, m); break;
  }
  a.bind(p.done);
}

void Compiler::emit_StoreVec(const Inst& i) {
  MemOp op = MemOp::unpack(i.imm);
  Probe p = probe(i, op, true);
  Xmm v = p.vector;
  Mem m = x86::ptr(p.address, p.offset);
  switch (op.log2_size) {
    case 0: a.pextrb(x86::byte_ptr(p.address, p.offset), v, imm(0)); break;
    case 1: a.pextrw(x86::word_ptr(p.address, p.offset), v, imm(0)); break;
    case 2: a.movd(m, v); break;
    case 3: a.movq(m, v); break;
    default: a.movups(m, v); break;
  }
  a.bind(p.done);
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
