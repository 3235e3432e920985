#include "tcg/x86_64/compiler.h"

#include "tcg/ir/eval.h"

namespace sluice::tcg::x86_64 {

using asmjit::imm;
using ir::EvalFrame;
using ir::Type;

void Compiler::compile(const ir::Block& block, TranslatedBlock& out) {
  block_ = &block;
  out_ = &out;
  size_t exits = 0;
  for (const Inst& i : block.insts) exits += ir::is_direct_exit(i.op);
  out.sites.reserve(exits);  // the addresses of sites are in the code
  flag_uses_.analyse(block);
  regs.start(block, flag_uses_);
  significant_bytes_.clear();
  host_flags_ = kNoValue;
  skip_next_ = ordered_ = false;
  exclusive_status_ = kNoValue;
  labels_.clear();
  if (block.is_region) start_region();
  if (icount_) {
    Label over = a.newLabel();
    a.cmp(state_field(offsetof(ExecState, icount_left)), imm(0));
    a.jle(over);
    a.sub(state_field(offsetof(ExecState, icount_left)), imm(block.guest_insns));
    cold([=, this] {
      a.bind(over);
      leave(block_->pc);
    });
  }
  for (current_ = 0; current_ < block.insts.size(); current_++) {
    const Inst& i = block.insts[current_];
    if (!std::exchange(skip_next_, false)) {
      ValueId flags_before = host_flags_;
      emit_op(i);
      if (host_flags_ == flags_before && !keeps_host_flags(i.op)) host_flags_ = kNoValue;
      regs.end_op(i);
      follow_order(i);
    }
    if (ir::info(i.op).result != 'N') regs.end_value(id());
  }
  // Cold code may add more of itself.
  for (ColdPiece* piece = cold_; piece; piece = piece->next) piece->emit(*piece);
  cold_ = nullptr, cold_end_ = &cold_;
  cold_memory_.reset();
  if (block.is_region) end_region();
}

Mem Compiler::constant(u64 lo, u64 hi) {
  Label at = a.newLabel();
  cold([=, this] {
    a.align(asmjit::AlignMode::kData, 16);
    a.bind(at);
    a.embedUInt64(lo);
    a.embedUInt64(hi);
  });
  return x86::ptr(at, 0, 16);
}

void Compiler::emit_op(const Inst& i) {
  using Emit = void (Compiler::*)(const Inst&);
  static constexpr Emit kEmitters[] = {
#define OP(name, ...) &Compiler::emit_##name,
      TCG_IR_INTEGER_OPS(OP)
#undef OP
#define OP(name, ...) nullptr,
          TCG_IR_VECTOR_OPS(OP) TCG_IR_FP_OPS(OP)
#undef OP
#define OP(name, ...) &Compiler::emit_##name,
              TCG_IR_SYSTEM_OPS(OP)
#undef OP
  };
  static_assert(std::size(kEmitters) == ir::kOpCount);
  if (Emit emit = kEmitters[unsigned(i.op)]) return (this->*emit)(i);
  VectorEmitter emit = host_.avx2 ? vector_emitter(i.op) : nullptr;
  if (!emit && fp_inline()) emit = fp_emitter(i.op);
  emit ? emit(*this, i) : emit_by_meaning(i);
}

namespace {

// Integer rows have another signature than vector rows; this gives them the same.
void evaluate_integer(EvalFrame& f) {
  // imm holds the op number in its upper half: integer ops evaluated this way use only small immediates.
  Op op = Op(f.imm >> 48);
  f.out.lo = ir::meaning(op).integer(f.in[0].lo, f.in[1].lo, f.in[2].lo, f.imm & ones(48), f.bits, f.aux);
}

}  // namespace

void Compiler::emit_by_meaning(const Inst& i) {
  const ir::Meaning& m = ir::meaning(i.op);
  regs.before_call(i, false);
  auto frame = [](size_t offset, u32 size) { return x86::ptr(x86::rsp, i32(kFrameEval + offset), size); };
  for (unsigned k = 0; k < 4 && i.args[k] != kNoValue; k++) {
    ValueId v = i.args[k];
    size_t slot = offsetof(EvalFrame, in) + k * sizeof(Vec);
    if (block_->insts[v].type == Type::V128) {
      a.movaps(frame(slot, 16), regs.use_xmm(v));
    } else {
      Gp r = regs.use(v);
      if (wide(v) || regs.is_clean(v)) {
        a.mov(frame(slot, 8), r.r64());
      } else {  // meanings want zeros above
        a.mov(frame(slot, 4), r.r32());
        a.mov(frame(slot + 4, 4), imm(0));
      }
    }
  }
  u64 immediate = m.integer ? i.imm | u64(i.op) << 48 : i.imm;
  a.lea(x86::rcx, x86::ptr(kState, -kStateBias));
  a.mov(x86::rax, imm(immediate));
  a.mov(frame(offsetof(EvalFrame, imm), 8), x86::rax);
  a.mov(frame(offsetof(EvalFrame, bits), 1), imm(ir::bits_of(i.type) == 32 ? 32 : 64));
  a.mov(frame(offsetof(EvalFrame, esize), 1), imm(i.esize));
  a.mov(frame(offsetof(EvalFrame, aux), 1), imm(i.aux));
  a.mov(frame(offsetof(EvalFrame, state), 8), x86::rcx);
  a.lea(x86::rdi, x86::ptr(x86::rsp, i32(kFrameEval)));
  a.mov(x86::rax, imm(m.integer ? u64(&evaluate_integer) : u64(m.vector)));
  a.call(x86::rax);
  regs.after_call(false);
  if (i.type == Type::V128) {
    a.movaps(regs.define_xmm(id()), frame(offsetof(EvalFrame, out), 16));
  } else {
    Gp d = regs.define(id());
    i.type == Type::I64 ? a.mov(d.r64(), frame(offsetof(EvalFrame, out), 8))
                        : a.mov(d.r32(), frame(offsetof(EvalFrame, out), 4));
  }
}

}  // namespace sluice::tcg::x86_64
