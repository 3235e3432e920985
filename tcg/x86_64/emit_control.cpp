// Exits from a block, calls of helpers, polls.
#include <bit>

#include "tcg/helper.h"
#include "tcg/jump_cache.h"
#include "tcg/x86_64/compiler.h"

namespace sluice::tcg::x86_64 {

using asmjit::imm;
using ir::Type;

void Compiler::set_pc(u64 pc) {
  a.mov(state_field(offsetof(ExecState, pc), 4), imm(u32(pc)));
  a.mov(state_field(offsetof(ExecState, pc) + 4, 4), imm(u32(pc >> 32)));
}

// Back to the run loop, which goes on at `pc`.
void Compiler::leave(u64 pc) {
  set_pc(pc);
  a.jmp(imm(u64(thunks_.exit)));
}

// Guest instructions of the block that this exit leaves behind have not been executed. Clobbers EFLAGS.
void Compiler::give_back(const Inst& i) {
  if (icount_ && unrun(i)) a.add(state_field(offsetof(ExecState, icount_left)), imm(unrun(i)));
}

// Every cycle of guest code has a backward or an indirect branch in it: these look at `attention`.
void Compiler::poll(u64 target) {
  Label wanted = a.newLabel();
  a.cmp(state_field(offsetof(ExecState, attention), 4), imm(0));
  a.jne(wanted);
  cold([=, this] {
    a.bind(wanted);
    store_pins_out_of_line();
    leave(target);
  });
}

// A jump that the run loop links to the block of `target`, in the same page and mode. The ways back of loops
// count how often they are taken: a hot one asks for a region.
void Compiler::chained_jump(u64 target, bool is_loop) {
  size_t n = out_->sites.size();
  out_->sites.push_back({.owner = out_, .target_pc = target});
  ChainSite* site = &out_->sites.back();
  if (is_loop && loop_heat_) {
    Label hot = a.newLabel();
    site->heat = i32(loop_heat_);
    a.mov(x86::rax, imm(u64(&site->heat)));
    a.sub(x86::dword_ptr(x86::rax), imm(1));
    a.js(hot);
    cold([=, this] {
      a.bind(hot);
      a.mov(x86::rax, imm(u64(site) | ChainSite::kHot));
      a.mov(state_field(offsetof(ExecState, link_site)), x86::rax);
      leave(target);
    });
  }
  Label unlinked = a.newLabel();
  a.jmp(unlinked);
  site->jump_offset = u32(a.offset() - 4);
  cold([=, this] {
    a.bind(unlinked);
    out_->sites[n].unlinked_offset = u32(a.offset());
    a.mov(x86::rax, imm(u64(site)));
    a.mov(x86::rcx, imm(target));
    a.mov(state_field(offsetof(ExecState, link_site)), x86::rax);
    a.jmp(imm(u64(thunks_.find)));
  });
}

// Another page: what the jump cache of the current context says now. A known target has a known slot.
void Compiler::probe_jump_cache(u64 target) {
  i32 slot = i32(jump_cache_index(target) * sizeof(JumpCacheEntry));
  a.mov(x86::rdx, state_field(offsetof(ExecState, jump_cache)));
  a.mov(x86::rcx, imm(target));
  a.cmp(x86::qword_ptr(x86::rdx, slot), x86::rcx);
  a.jne(imm(u64(thunks_.find)));
  a.jmp(x86::qword_ptr(x86::rdx, slot + i32(offsetof(JumpCacheEntry, code))));
}

// The last thing on a path: registers hold nothing that is needed any more.
void Compiler::exit_known(const Inst& i, u64 target) {
  if (const RegionLabel* inside = label_of(target)) {
    bool falls_through = &i == &block_->insts[current_] && current_ + 1 < block_->insts.size() &&
                         block_->insts[current_ + 1].op == Op::Label &&
                         block_->insts[current_ + 1].imm == target;
    if (!falls_through) a.jmp(inside->label);
    return;
  }
  regs.store_pins();
  give_back(i);
  if (out_->isolated) return leave(target);
  bool is_loop = target <= block_->pc_of(i);
  if (is_loop) poll(target);
  if (same_page(target)) return chained_jump(target, is_loop);
  probe_jump_cache(target);
}

void Compiler::exit_when(const Inst& i, CondCode cc) {
  if (const RegionLabel* inside = label_of(i.imm)) return void(a.j(cc, inside->label));
  Label taken = a.newLabel();
  a.j(cc, taken);
  const Inst inst = i;
  cold([=, this] {
    a.bind(taken);
    exit_known(inst, inst.imm);
  });
}

void Compiler::emit_ExitIf(const Inst& i) {
  if (i.aux >= 14) return exit_known(i, i.imm);
  exit_when(i, condition(i.args[0], i.aux));
}

void Compiler::emit_ExitIfZero(const Inst& i) {
  Gp r = sized(regs.use(i.args[0]), i.type);
  a.test(r, r);
  exit_when(i, CondCode::kZ);
}
void Compiler::emit_ExitIfNonZero(const Inst& i) {
  Gp r = sized(regs.use(i.args[0]), i.type);
  a.test(r, r);
  exit_when(i, CondCode::kNZ);
}
void Compiler::emit_ExitIfBitSet(const Inst& i) {
  a.bt(sized(regs.use(i.args[0]), i.type), imm(i.aux));
  exit_when(i, CondCode::kC);
}
void Compiler::emit_ExitIfBitClear(const Inst& i) {
  a.bt(sized(regs.use(i.args[0]), i.type), imm(i.aux));
  exit_when(i, CondCode::kNC);
}

void Compiler::emit_ExitTo(const Inst& i) { exit_known(i, i.imm); }
void Compiler::emit_ExitToRunLoop(const Inst& i) {
  regs.store_pins();
  give_back(i);
  if (out_->isolated) return leave(i.imm);
  set_pc(i.imm);
  a.jmp(imm(u64(thunks_.go_on)));
}

void Compiler::emit_ExitIndirect(const Inst& i) {
  regs.copy_to(x86::rcx, i.args[0]);
  ir::IndirectKind(i.aux) == ir::IndirectKind::Return ? return_inside() : branch_inside();
  regs.store_pins();
  give_back(i);
  if (!out_->isolated) {
    a.cmp(state_field(offsetof(ExecState, attention), 4), imm(0));
    a.jne(imm(u64(thunks_.find)));  // which leaves
    emit_jump_cache_probe(a, thunks_.find);
    return;
  }
  a.mov(state_field(offsetof(ExecState, pc)), x86::rcx);
  a.jmp(imm(u64(thunks_.exit)));
}

// --- Helpers ---

void Compiler::leave_check(const Inst& i) {
  Label wanted = a.newLabel();
  a.cmp(state_field(offsetof(ExecState, leave), 4), imm(0));
  a.jne(wanted);
  const Inst inst = i;
  cold([=, this] {
    a.bind(wanted);
    give_back(inst);
    a.jmp(imm(u64(thunks_.go_on)));
  });
}

void Compiler::call_helper(const Inst& i) {
  const Helper& h = *reinterpret_cast<const Helper*>(i.imm);
  static const Gp kArguments[] = {x86::rsi, x86::rdx, x86::rcx};
  if (h.needs_pc) set_pc(block_->pc_of(i));
  a.lea(x86::rdi, x86::ptr(kState, -kStateBias));
  unsigned count = i.op == Op::Call ? i.aux : 0;
  for (unsigned k = 0; k < 3; k++) {
    if (k < count)
      a.mov(kArguments[k], x86::qword_ptr(x86::rsp, i32(kFrameEval + k * 8)));
    else
      a.xor_(kArguments[k].r32(), kArguments[k].r32());
  }
  a.mov(x86::rax, imm(u64(h.function)));
  a.call(x86::rax);
  a.mov(kBank, state_field(offsetof(ExecState, bank)));
}

void Compiler::emit_Call(const Inst& i) {
  const Helper& h = *reinterpret_cast<const Helper*>(i.imm);
  regs.before_call(i, true);
  // Through memory, so that no move can overwrite another argument.
  for (unsigned k = 0; k < i.aux; k++) {
    Mem slot = x86::qword_ptr(x86::rsp, i32(kFrameEval + k * 8));
    if (regs.fits_imm32(i.args[k]))
      a.mov(slot, imm(i32(u32(regs.constant(i.args[k])))));
    else
      a.mov(slot, regs.use(i.args[k]));
  }
  call_helper(i);
  regs.after_call(true);
  if (regs.remaining_uses(id())) regs.define_in(id(), x86::rax);
  if (h.may_leave) leave_check(i);
}

void Compiler::emit_LeaveIfNonZero(const Inst& i) {
  Gp r = sized(regs.use(i.args[0]), i.type);
  a.test(r, r);
  leave_when_not_zero(i);
}

// As EFLAGS say. The helper runs on a path that does not come back.
void Compiler::leave_when_not_zero(const Inst& i) {
  Label taken = a.newLabel();
  a.jnz(taken);
  const Inst inst = i;
  cold([=, this] {
    a.bind(taken);
    store_pins_out_of_line();
    call_helper(inst);
    give_back(inst);
    a.jmp(imm(u64(thunks_.go_on)));
  });
}

}  // namespace sluice::tcg::x86_64
