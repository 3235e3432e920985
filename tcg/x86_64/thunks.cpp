#include "tcg/x86_64/thunks.h"

#include <atomic>

#include "base/bits.h"
#include "tcg/flags.h"
#include "tcg/guest_memory.h"
#include "tcg/ir/block.h"
#include "tcg/jump_cache.h"
#include "tcg/soft_tlb.h"
#include "tcg/vcpu.h"

namespace sluice::tcg::x86_64 {
namespace {

using asmjit::imm;

constexpr u32 kFrameBytes = kFrameSpills + 16 * u32(ir::Block::kMaxInsts);

// The page that a slow path has just put into the bank is the one that its base register points to.
void remember_page(ExecState* s, ir::MemOp op) {
  if (op.base && !op.unprivileged) SoftTlb::copy_to_front(s->bank, s->slow_address, op.base - 1u);
}

void slow_load(ExecState* s) noexcept {
  ir::MemOp op = ir::MemOp::unpack(s->slow_op);
  Vec value;
  if (read_guest(*s, s->slow_address, op, value)) {
    if (op.sign_extend) value.lo = sign_extend(value.lo, op.size() * 8);
    s->slow_value[0] = value.lo, s->slow_value[1] = value.hi;
    remember_page(s, op);
  } else {
    s->icount_left += s->slow_unrun;
  }
}

void slow_store(ExecState* s) noexcept {
  ir::MemOp op = ir::MemOp::unpack(s->slow_op);
  if (write_guest(*s, s->slow_address, op, {s->slow_value[0], s->slow_value[1]}))
    remember_page(s, op);
  else
    s->icount_left += s->slow_unrun;
}

u64 operand_mask(ir::MemOp op) { return ones(8 * op.size()); }

void finish_atomic(ExecState* s, bool ok, u64 result) {
  s->slow_value[0] = result;
  // The back end counts on a barrier, which an access to a device need not be.
  std::atomic_thread_fence(std::memory_order_seq_cst);
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

void slow_zero_block(ExecState* s) noexcept {
  if (zero_block(*s, s->slow_address, s->slow_op >> kSlowOpAux))
    remember_page(s, ir::MemOp::unpack(s->slow_op));
  else
    s->icount_left += s->slow_unrun;
}

void fill_front_slot(ExecState* s) noexcept {
  constexpr u32 kHitsBetweenCopies = 7;
  s->probes_until_copy = kHitsBetweenCopies;
  SoftTlb::copy_to_front(s->bank, s->slow_address, (s->probe >> 8) - 1);
}

const void* find_known(ExecState* s) noexcept { return s->vcpu ? s->vcpu->find_known() : nullptr; }

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
    a.mov(kBank, state_field(offsetof(ExecState, bank)));
    asmjit::Label faulted = a.newLabel();
    a.cmp(state_field(offsetof(ExecState, leave), 4), 0);
    a.jne(faulted);
    a.ret();
    a.bind(faulted);
    a.add(x86::rsp, 8);  // the return address
    a.jmp(imm(u64(go_on)));
  });
}

void emit_jump_cache_probe(x86::Assembler& a, const u8* otherwise) {
  constexpr u32 kPcMask = (kJumpCacheEntries - 1) << 2;
  constexpr u32 kScale = 2;  // 4 bytes of pc are one entry of 16
  static_assert(sizeof(JumpCacheEntry) == 4u << kScale);
  a.test(x86::cl, imm(3));  // it faults, and the mark of an empty entry is such an address
  a.jnz(imm(u64(otherwise)));
  a.mov(x86::eax, x86::ecx);
  a.mov(x86::rdx, state_field(offsetof(ExecState, jump_cache)));
  a.and_(x86::eax, imm(kPcMask));
  a.cmp(x86::qword_ptr(x86::rdx, x86::rax, kScale), x86::rcx);
  a.jne(imm(u64(otherwise)));
  a.jmp(x86::qword_ptr(x86::rdx, x86::rax, kScale, offsetof(JumpCacheEntry, code)));
}

// Both ways of the set. Of many hits one fills the front slot, so that accesses that go here and there do not
// spend their time on copies.
const u8* Thunks::probe_thunk(CodeArena& arena, Access access, Gp address, const u8* copy) {
  constexpr i32 kWay = sizeof(SoftTlbSlot);
  const Gp set = address.id() == 0 ? x86::rcx : x86::rax, page = address.id() == 2 ? x86::rcx : x86::rdx;
  return assemble(arena, [&](x86::Assembler& a) {
    asmjit::Label second = a.newLabel(), found = a.newLabel(), miss = a.newLabel(), fill = a.newLabel();
    auto compare = [&](i32 way, asmjit::Label otherwise) {
      if (allows(access, Access::Write)) {
        a.cmp(page, x86::ptr(set, way + i32(offsetof(SoftTlbSlot, write_tag))));
        a.jne(otherwise);
      }
      if (allows(access, Access::Read)) {
        a.cmp(page, x86::ptr(set, way + i32(offsetof(SoftTlbSlot, read_tag))));
        a.jne(otherwise);
      }
    };
    auto leave = [&](bool missed) {
      a.pop(page), a.pop(set);
      missed ? a.stc() : a.clc();
      a.ret();
    };
    a.push(set), a.push(page);
    a.mov(set.r32(), address.r32());
    a.shr(set.r32(), imm(kSoftPageBits - kSetShift));
    a.and_(set.r32(), x86::dword_ptr(kBank, kIndexMaskOffset));
    a.add(set, kBank);
    a.movzx(page.r32(), state_field(offsetof(ExecState, probe), 1));
    a.add(page, address);
    a.and_(page, imm(i32(~u32(kSoftPageMask))));
    compare(0, second);
    a.bind(found);
    a.sub(state_field(offsetof(ExecState, probes_until_copy), 4), imm(1));
    a.jc(fill);
    a.mov(address, x86::ptr(set, offsetof(SoftTlbSlot, addend)));
    leave(false);
    a.bind(second);
    compare(kWay, miss);
    a.add(set, imm(kWay));
    a.jmp(found);
    a.bind(miss);
    leave(true);
    a.bind(fill);
    a.mov(state_field(offsetof(ExecState, slow_address)), address);
    a.mov(address, x86::ptr(set, offsetof(SoftTlbSlot, addend)));
    a.call(imm(u64(copy)));
    leave(false);
  });
}

const u8* Thunks::go_on_thunk(CodeArena& arena) {
  return assemble(arena, [&](x86::Assembler& a) {
    Mem leave = state_field(offsetof(ExecState, leave), 4);
    a.test(leave, imm(i32(~Leave::kToPc)));
    a.jnz(imm(u64(exit)));
    a.cmp(state_field(offsetof(ExecState, attention), 4), imm(0));
    a.jne(imm(u64(exit)));
    a.mov(x86::rcx, state_field(offsetof(ExecState, pc)));
    a.mov(leave, imm(0));
    emit_jump_cache_probe(a, find);
  });
}

Thunks::Thunks(CodeArena& arena, bool contexts) {
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
    a.mov(kBank, state_field(offsetof(ExecState, bank)));
    a.ldmxcsr(state_field(offsetof(ExecState, guest_mxcsr), 4));
    a.jmp(x86::rsi);
  }));
  exit = assemble(arena, [&](x86::Assembler& a) {
    a.stmxcsr(state_field(offsetof(ExecState, guest_mxcsr), 4));
    a.add(x86::rsp, kFrameBytes + 8);
    for (size_t k = std::size(saved); k-- > 0;) a.pop(x86::gpq(saved[k]));
    a.ret();
  });
  find = assemble(arena, [&](x86::Assembler& a) {
    a.mov(state_field(offsetof(ExecState, pc)), x86::rcx);
    a.lea(x86::rdi, x86::ptr(kState, -kStateBias));
    a.mov(x86::rax, imm(u64(&find_known)));
    a.call(x86::rax);
    asmjit::Label unknown = a.newLabel();
    a.test(x86::rax, x86::rax);
    a.jz(unknown);
    a.jmp(x86::rax);
    a.bind(unknown);
    a.jmp(imm(u64(exit)));
  });
  go_on = contexts ? go_on_thunk(arena) : exit;
  evaluate = assemble(arena, [&](x86::Assembler& a) {
    save_registers(a, true);
    a.lea(x86::rdi, x86::ptr(x86::rsp, kSavedBytes + i32(kFrameEval)));
    a.lea(x86::rcx, x86::ptr(kState, -kStateBias));
    a.mov(x86::ptr(x86::rdi, offsetof(ir::EvalFrame, state)), x86::rcx);
    a.call(x86::qword_ptr(x86::rdi, offsetof(ir::EvalFrame, out)));
    restore_registers(a, true);
    a.ret();
  });
  const u8* copy = assemble(arena, [&](x86::Assembler& a) {
    // Called with three more words on the stack than a thunk.
    a.sub(x86::rsp, 8);
    save_registers(a, true);
    a.lea(x86::rdi, x86::ptr(kState, -kStateBias));
    a.mov(x86::rax, imm(u64(&fill_front_slot)));
    a.call(x86::rax);
    restore_registers(a, true);
    a.add(x86::rsp, 8);
    a.ret();
  });
  for (Access access : {Access::Read, Access::Write, Access::ReadWrite})
    for (u32 r = 0; r < kGpCount; r++)
      if (r != kState.id() && r != kBank.id() && r != x86::rsp.id())
        probe[unsigned(access) - 1][r] = probe_thunk(arena, access, x86::gpq(r), copy);
  for (int keep = 0; keep < 2; keep++) {
    load[keep] = slow_path(arena, reinterpret_cast<const void*>(&slow_load), keep);
    store[keep] = slow_path(arena, reinterpret_cast<const void*>(&slow_store), keep);
    atomic_rmw[keep] = slow_path(arena, reinterpret_cast<const void*>(&slow_atomic_rmw), keep);
    compare_swap[keep] = slow_path(arena, reinterpret_cast<const void*>(&slow_compare_swap), keep);
    zero_block[keep] = slow_path(arena, reinterpret_cast<const void*>(&slow_zero_block), keep);
    store_exclusive[keep] = slow_path(arena, reinterpret_cast<const void*>(&slow_store_exclusive), keep);
  }
}

}  // namespace sluice::tcg::x86_64
