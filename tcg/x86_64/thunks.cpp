#include "tcg/x86_64/thunks.h"

#include "base/bits.h"
#include "tcg/flags.h"
#include "tcg/guest_memory.h"
#include "tcg/ir/block.h"

namespace sluice::tcg::x86_64 {
namespace {

using asmjit::imm;

constexpr u32 kFrameBytes = kFrameSpills + 16 * u32(ir::Block::kMaxInsts);

void slow_load(ExecState* s) noexcept {
  ir::MemOp op = ir::MemOp::unpack(s->slow_op);
  Vec value;
  if (read_guest(*s, s->slow_address, op, value)) {
    if (op.sign_extend) value.lo = sign_extend(value.lo, op.size() * 8);
    s->slow_value[0] = value.lo, s->slow_value[1] = value.hi;
  } else {
    s->icount_left += s->slow_unrun;
  }
}

void slow_store(ExecState* s) noexcept {
  if (!write_guest(*s, s->slow_address, ir::MemOp::unpack(s->slow_op), {s->slow_value[0], s->slow_value[1]}))
    s->icount_left += s->slow_unrun;
}

u64 operand_mask(ir::MemOp op) { return ones(8 * op.size()); }

void finish_atomic(ExecState* s, bool ok, u64 result) {
  s->slow_value[0] = result;
  if (!ok) s->icount_left += s->slow_unrun;
}

void slow_atomic_rmw(ExecState* s) noexcept {
  ir::MemOp op = ir::MemOp::unpack(s->slow_op);
  u64 old = 0;
  bool ok = atomic_rmw(*s, s->slow_address, op, AtomicKind(s->slow_op >> kSlowOpAux),
                       s->slow_value[0] & operand_mask(op), old);
  finish_atomic(s, ok, old);
}

void slow_compare_swap(ExecState* s) noexcept {
  ir::MemOp op = ir::MemOp::unpack(s->slow_op);
  u64 mask = operand_mask(op);
  Vec old;
  bool ok = compare_exchange(*s, s->slow_address, op, {s->slow_value[0] & mask, 0},
                             {s->slow_value[1] & mask, 0}, old);
  finish_atomic(s, ok, old.lo);
}

void slow_store_exclusive(ExecState* s) noexcept {
  u64 failed = 1;
  bool ok =
      store_exclusive(*s, s->slow_address, ir::MemOp::unpack(s->slow_op), {s->slow_value[0], 0}, failed);
  finish_atomic(s, ok, failed);
}

template <class Emit>
const u8* assemble(CodeArena& arena, Emit emit) {
  asmjit::CodeHolder code;
  code.init(asmjit::Environment::host(), u64(arena.next()));
  x86::Assembler a(&code);
  emit(a);
  code.flatten();
  code.relocateToBase(u64(arena.next()));
  const auto& buffer = code.textSection()->buffer();
  return arena.place({buffer.data(), buffer.size()});
}

constexpr u32 kSavedGps[] = {0, 1, 2, 6, 7, 8, 9, 10, 11};  // caller-saved

}  // namespace

namespace {

// On entry RSP is 8 below a multiple of 16; nine pushes make it a multiple of 16 again.
void save_registers(x86::Assembler& a, bool vectors) {
  for (u32 r : kSavedGps) a.push(x86::gpq(r));
  if (!vectors) return;
  a.sub(x86::rsp, 256);
  for (u32 n = 0; n < kXmmCount; n++) a.movaps(x86::ptr(x86::rsp, i32(n * 16)), x86::xmm(n));
}
void restore_registers(x86::Assembler& a, bool vectors) {
  if (vectors) {
    for (u32 n = 0; n < kXmmCount; n++) a.movaps(x86::xmm(n), x86::ptr(x86::rsp, i32(n * 16)));
    a.add(x86::rsp, 256);
  }
  for (size_t k = std::size(kSavedGps); k-- > 0;) a.pop(x86::gpq(kSavedGps[k]));
}
constexpr i32 kSavedBytes = 256 + i32(std::size(kSavedGps)) * 8 + 8;  // and the return address

}  // namespace

const u8* Thunks::slow_path(CodeArena& arena, const void* function, bool keep_vectors) {
  return assemble(arena, [&](x86::Assembler& a) {
    save_registers(a, keep_vectors);
    a.lea(x86::rdi, x86::ptr(kState, -kStateBias));
    a.mov(x86::rax, imm(u64(function)));
    a.call(x86::rax);
    restore_registers(a, keep_vectors);
    asmjit::Label faulted = a.newLabel();
    a.cmp(state_field(offsetof(ExecState, leave), 4), 0);
    a.jne(faulted);
    a.ret();
    a.bind(faulted);
    a.add(x86::rsp, 8);  // the return address
    a.jmp(imm(u64(exit)));
  });
}

Thunks::Thunks(CodeArena& arena) {
  FpConstants c{};
  for (int k = 0; k < 2; k++) {
    c.abs32[k] = 0x7fffffff7fffffff, c.abs64[k] = 0x7fffffffffffffff;
    c.min_normal32[k] = 0x0080000000800000, c.min_normal64[k] = 0x0010000000000000;
  }
  c.compare_flags[0x00] = u16(Flags::of(false, false, true, false).word);
  c.compare_flags[0x01] = u16(Flags::of(true, false, false, false).word);
  c.compare_flags[0x40] = u16(Flags::of(false, true, true, false).word);
  c.compare_flags[0x45] = u16(Flags::of(false, false, true, true).word);
  constants = reinterpret_cast<const FpConstants*>(arena.place({reinterpret_cast<const u8*>(&c), sizeof c}));
  const u32 saved[] = {3, 5, 12, 13, 14, 15};
  enter = reinterpret_cast<Enter>(assemble(arena, [&](x86::Assembler& a) {
    for (u32 r : saved) a.push(x86::gpq(r));
    a.sub(x86::rsp, kFrameBytes + 8);
    a.lea(kState, x86::ptr(x86::rdi, kStateBias));
    a.ldmxcsr(state_field(offsetof(ExecState, guest_mxcsr), 4));
    a.jmp(x86::rsi);
  }));
  exit = assemble(arena, [&](x86::Assembler& a) {
    a.stmxcsr(state_field(offsetof(ExecState, guest_mxcsr), 4));
    a.add(x86::rsp, kFrameBytes + 8);
    for (size_t k = std::size(saved); k-- > 0;) a.pop(x86::gpq(saved[k]));
    a.ret();
  });
  evaluate = assemble(arena, [&](x86::Assembler& a) {
    save_registers(a, true);
    a.lea(x86::rdi, x86::ptr(x86::rsp, kSavedBytes + i32(kFrameEval)));
    a.lea(x86::rcx, x86::ptr(kState, -kStateBias));
    a.mov(x86::ptr(x86::rdi, offsetof(ir::EvalFrame, state)), x86::rcx);
    a.call(x86::qword_ptr(x86::rdi, offsetof(ir::EvalFrame, out)));
    restore_registers(a, true);
    a.ret();
  });
  for (int keep = 0; keep < 2; keep++) {
    load[keep] = slow_path(arena, reinterpret_cast<const void*>(&slow_load), keep);
    store[keep] = slow_path(arena, reinterpret_cast<const void*>(&slow_store), keep);
    atomic_rmw[keep] = slow_path(arena, reinterpret_cast<const void*>(&slow_atomic_rmw), keep);
    compare_swap[keep] = slow_path(arena, reinterpret_cast<const void*>(&slow_compare_swap), keep);
    store_exclusive[keep] = slow_path(arena, reinterpret_cast<const void*>(&slow_store_exclusive), keep);
  }
}

}  // namespace sluice::tcg::x86_64
