// Atomics: a probe for reading and writing, then one locked instruction, or a loop around LOCK CMPXCHG. All
// are full barriers, as every locked instruction is.
#include "tcg/soft_tlb.h"
#include "tcg/x86_64/compiler.h"

namespace sluice::tcg::x86_64 {

using asmjit::imm;
using ir::AtomicKind;
using ir::Type;
namespace X = x86::Inst;

namespace {

Gp low_part(Gp r, MemOp op) {
  switch (op.log2_size) {
    case 0: return r.r8();
    case 1: return r.r16();
    case 2: return r.r32();
    default: return r.r64();
  }
}

bool is_comparison(AtomicKind kind) {
  return kind >= AtomicKind::SignedMax && kind <= AtomicKind::UnsignedMin;
}

}  // namespace

// What LOCK CMPXCHG and XADD leave in a register when they move less than 32 bits.
void Compiler::zero_extend_small(Gp r, MemOp op) {
  if (op.log2_size < 2) a.movzx(r.r32(), low_part(r, op));
}

// On a hit host_memory(p) is the place. The slow path does the whole op; `operand` (and `second`) are what it
// is told, and its result comes back in p.parts[0].value.
void Compiler::probe_atomic(Probe& p, const Inst& i, Gp operand, const u8* const (&thunk)[2],
                            ValueId second) {
  MemOp op = MemOp::unpack(i.imm);
  p.keep_vectors = regs.any_xmm_in_use();
  const u8* call = thunk[p.keep_vectors];
  const Inst inst = i;
  Gp second_register = second == kNoValue ? Gp() : regs.use(second);
  p.tag = regs.temp(), p.offset = regs.temp();
  Gp result = p.parts[0].value;
  bool used = regs.remaining_uses(id()) != 0;
  probe(p, op, Access::ReadWrite, [=, this](const Probe& q) {
    prepare_slow_path(q, inst);
    a.mov(state_field(offsetof(ExecState, slow_op), 4), imm(u32(inst.imm) | u32(inst.aux) << kSlowOpAux));
    a.mov(state_field(offsetof(ExecState, slow_value)), operand);
    if (second != kNoValue) a.mov(state_field(offsetof(ExecState, slow_value) + 8), second_register);
    a.call(imm(u64(call)));
    if (used)
      a.mov(sized(result, inst.type),
            state_field(offsetof(ExecState, slow_value), ir::bits_of(inst.type) / 8));
  });
}

// into = kind(old, operand). Neither `old` nor `operand` changes; scratch is for comparisons below 32 bits.
void Compiler::combine(AtomicKind kind, MemOp op, Gp into, Gp old, Gp operand, Gp scratch) {
  if (!is_comparison(kind)) {
    if (kind == AtomicKind::Clear) {
      a.mov(into, operand);
      a.not_(into);
      a.and_(into, old);
    } else {
      a.mov(into, old);
      a.emit(kind == AtomicKind::Set ? X::kIdOr : X::kIdXor, into, operand);
    }
    return;
  }
  bool is_signed = kind == AtomicKind::SignedMax || kind == AtomicKind::SignedMin;
  bool larger = kind == AtomicKind::SignedMax || kind == AtomicKind::UnsignedMax;
  Gp was = old;
  if (op.log2_size < 2) {
    was = scratch.r32(), into = into.r32();
    X::Id extend = is_signed ? X::kIdMovsx : X::kIdMovzx;
    a.emit(extend, was, low_part(old, op));
    a.emit(extend, into, low_part(operand, op));
  } else {
    was = low_part(old, op), into = low_part(into, op);
    a.mov(into, low_part(operand, op));
  }
  a.cmp(was, into);
  if (is_signed)
    larger ? a.cmovg(into, was) : a.cmovl(into, was);
  else
    larger ? a.cmova(into, was) : a.cmovb(into, was);
}

void Compiler::emit_AtomicRmw(const Inst& i) {
  MemOp op = MemOp::unpack(i.imm);
  AtomicKind kind = AtomicKind(i.aux);
  bool one_instruction = kind == AtomicKind::Add || kind == AtomicKind::Swap;
  bool unused = regs.remaining_uses(id()) == 0 && kind != AtomicKind::Swap && !is_comparison(kind);
  bool loop = !one_instruction && !unused;
  Probe p{};
  p.miss = a.newLabel(), p.hit = a.newLabel(), p.done = a.newLabel();
  Gp result = p.parts[0].value = loop ? regs.define_in(id(), x86::rax) : regs.define(id());
  p.address = regs.use(i.args[0]);
  Gp operand = regs.use(i.args[1]);
  Gp scratch = loop && op.log2_size < 2 && is_comparison(kind) ? regs.temp() : result;
  probe_atomic(p, i, operand, thunks_.atomic_rmw);
  Mem m = host_memory(p, op);
  if (unused) {
    a.mov(p.tag, operand);
    if (kind == AtomicKind::Clear) a.not_(p.tag);
    X::Id inst = kind == AtomicKind::Add     ? X::kIdAdd
                 : kind == AtomicKind::Clear ? X::kIdAnd
                 : kind == AtomicKind::Set   ? X::kIdOr
                                             : X::kIdXor;
    a.lock().emit(inst, m, low_part(p.tag, op));
  } else if (loop) {
    a.mov(low_part(result, op), m);
    Label again = a.newLabel();
    a.bind(again);
    combine(kind, op, p.tag, result, operand, scratch);
    a.lock().cmpxchg(m, low_part(p.tag, op), low_part(x86::rax, op));
    a.jne(again);
    zero_extend_small(result, op);
  } else {
    i.type == Type::I64 ? a.mov(result, operand) : a.mov(result.r32(), operand.r32());
    kind == AtomicKind::Add ? a.lock().xadd(m, low_part(result, op)) : a.xchg(m, low_part(result, op));
    zero_extend_small(result, op);
  }
  a.bind(p.done);
}

void Compiler::emit_CompareSwap(const Inst& i) {
  MemOp op = MemOp::unpack(i.imm);
  Probe p{};
  p.miss = a.newLabel(), p.hit = a.newLabel(), p.done = a.newLabel();
  Gp result = p.parts[0].value = regs.define_in(id(), x86::rax);
  p.address = regs.use(i.args[0]);
  Gp desired = regs.use(i.args[2]);
  regs.copy_to(result, i.args[1]);
  probe_atomic(p, i, result, thunks_.compare_swap, i.args[2]);
  a.lock().cmpxchg(host_memory(p, op), low_part(desired, op), low_part(x86::rax, op));
  zero_extend_small(result, op);
  a.bind(p.done);
}

// x86-TSO lets a store pass only later loads, and a locked instruction ends that. A store-exclusive may not
// have come to its locked instruction; where its status was found to be 0, it has.
void Compiler::follow_order(const Inst& i) {
  switch (i.op) {
    case Op::Fence:
    case Op::AtomicRmw:
    case Op::CompareSwap: ordered_ = true, exclusive_status_ = kNoValue; break;
    case Op::StoreExclusive: exclusive_status_ = id(); break;
    case Op::ExitIfNonZero: ordered_ |= i.args[0] == exclusive_status_; break;
    case Op::Store:
    case Op::StoreVec:
    case Op::ZeroBlock:
    case Op::Call:
    case Op::Label:
      ordered_ = MemOp::unpack(i.imm).release && i.op == Op::Store;
      exclusive_status_ = kNoValue;
      break;
    default: break;
  }
}

void Compiler::emit_StoreExclusive(const Inst& i) {
  MemOp op = MemOp::unpack(i.imm);
  Mem size = state_field(offsetof(ExecState, exclusive_size), 4);
  regs.before_state_write(u32(offsetof(ExecState, exclusive_size)), 4);
  Probe p{};
  p.miss = a.newLabel(), p.hit = a.newLabel(), p.done = a.newLabel();
  Gp result = p.parts[0].value = regs.define_in(id(), x86::rax);
  p.address = regs.use(i.args[0]);
  Gp v = regs.use(i.args[1]);
  a.cmp(size, imm(op.size()));
  a.jne(p.miss);
  a.cmp(p.address, state_field(offsetof(ExecState, exclusive_address)));
  a.jne(p.miss);
  probe_atomic(p, i, v, thunks_.store_exclusive);
  a.mov(result, state_field(offsetof(ExecState, exclusive_value)));
  a.lock().cmpxchg(host_memory(p, op), low_part(v, op), low_part(x86::rax, op));
  a.setne(x86::al);
  a.movzx(x86::eax, x86::al);
  a.mov(size, imm(0));
  a.bind(p.done);
}

}  // namespace sluice::tcg::x86_64
