// tcg/x86_64/compiler.h: one block of IR -> host code.
// Every integer and system op has a function emit_<Op> here; the dispatch table is made from the op table, so
// a missing one does not link. Vector and FP ops have an emitter where one is registered (emit_vector.cpp,
// emit_fp.cpp); the others call the op's meaning through an EvalFrame.
#pragma once
#include <type_traits>
#include <vector>

#include "memory/attrs.h"
#include "tcg/block_cache.h"
#include "tcg/ir/mem_op.h"
#include "tcg/ir/significant_bytes.h"
#include "tcg/x86_64/host_features.h"
#include "tcg/x86_64/regalloc.h"
#include "tcg/x86_64/thunks.h"

namespace sluice::tcg::x86_64 {

using asmjit::Label;
using ir::kNoValue;
using ir::MemOp;
using ir::Op;
using x86::CondCode;

class Compiler {
 public:
  struct Site {
    u64 target_pc;
    u32 jump_offset;  // of the displacement, from the start of the block
    u32 unlinked_offset;
  };

  struct Options {
    bool icount;
    HostFeatures host;
    u32 loop_heat;  // turns of a loop until its way back asks for a region; 0: never
  };
  Compiler(x86::Assembler& a, const Thunks& thunks, const Options& options)
      : a(a),
        regs(a),
        thunks_(thunks),
        icount_(options.icount),
        host_(options.host),
        loop_heat_(options.icount ? 0 : options.loop_heat) {}

  // Emits a block, one after the other; `out` supplies isolation and the addresses of the sites.
  void compile(const ir::Block& block, TranslatedBlock& out);

  // --- For emitters ---
  x86::Assembler& a;
  RegAlloc regs;
  const ir::Block& block() const { return *block_; }
  ValueId id() const { return ValueId(current_); }
  bool fp_inline() const { return block_->fp_inline && host_.avx2; }
  const HostFeatures& host() const { return host_; }
  const Thunks& thunks() const { return thunks_; }
  // How many low bytes of a vector may be other than zero.
  unsigned significant_bytes(ValueId v) {
    if (significant_bytes_.empty()) significant_bytes_ = ir::significant_bytes(*block_);
    return significant_bytes_[v];
  }
  bool wide(ValueId v) const { return block_->insts[v].type == ir::Type::I64; }
  Gp sized(Gp r, ir::Type t) const {
    if (t == ir::Type::I64) return r.r64();
    return r.r32();
  }
  // Code that runs rarely: emit() is called behind the block.
  template <class F>
  void cold(F emit) {
    static_assert(std::is_trivially_destructible_v<F>);
    auto* piece = cold_memory_.newT<ColdPieceOf<F>>(std::move(emit));
    *cold_end_ = piece;
    cold_end_ = &piece->next;
  }
  // The host condition for an Arm condition on a Flags value: EFLAGS hold them afterwards. Call
  // prepare_condition before anything is defined.
  CondCode condition(ValueId flags, u8 cond);
  void prepare_condition(ValueId flags);
  void forget_host_flags() { host_flags_ = kNoValue; }  // EFLAGS hold something else now
  // 16 bytes behind the block.
  Mem constant(u64 lo, u64 hi);
  Mem constant(u64 both) { return constant(both, both); }
  // The op's meaning through an EvalFrame; the result is defined.
  void emit_by_meaning(const Inst& i);

#define OP(name, ...) void emit_##name(const Inst& i);
  TCG_IR_INTEGER_OPS(OP)
  TCG_IR_SYSTEM_OPS(OP)
#undef OP

 private:
  void emit_op(const Inst& i);
  // Integer building blocks (emit_integer.cpp).
  using RegMem = asmjit::Operand;
  bool add_by_lea(const Inst& i);
  bool shift_and_add(const Inst& i);
  void two_operand(const Inst& i, x86::Inst::Id inst);
  void shift(const Inst& i, x86::Inst::Id inst);
  void divide(const Inst& i, bool is_signed);
  void multiply_high(const Inst& i, bool is_signed);
  void arithmetic_with_flags(const Inst& i, x86::Inst::Id inst, bool subtract);
  void carry_arithmetic(const Inst& i, bool subtract, bool wants_flags);
  void flags_only(const Inst& i, x86::Inst::Id inst, bool subtract);
  void compare(const Inst& i, x86::Inst::Id inst, bool subtract);
  void flags_are_made(ValueId flags, bool subtract);
  void make_flags_live(ValueId flags);
  void compare_again(ValueId flags);
  void source(x86::Inst::Id inst, Gp into, ValueId v);
  void set_carry_from(ValueId flags, bool inverted);
  bool flags_are_live(ValueId flags) const { return host_flags_ == flags; }
  bool next_is(Op op, const Inst& like) const;
  void join_next();
  bool next_is_logic_flags() const;
  void logic_with_flags(const Inst& i);
  void logic_flags_are_made();
  // Memory (emit_memory.cpp).
  // One access, or the two of a pair: what is moved is where `parts` say.
  struct Part {
    const Inst* inst;
    Gp value;  // what is stored or loaded, unless it is a vector or a constant
    Xmm vector;
    bool is_constant;
  };
  struct Probe {
    Gp address, offset;  // host address = address + offset + MemOp::displacement
    Gp tag;              // only without a front slot, and for atomics
    Part parts[2];
    unsigned count = 1;
    bool is_store, is_vector, keep_vectors;
    Label miss, hit, done;
  };
  bool uses_front(MemOp op) const;
  Probe take_operands(const Inst& i, MemOp op);
  // Leaves address + offset + op.displacement as the host address; what misses goes through slow_path(p).
  // Every register is settled before the first branch, because what is behind the block joins here again.
  template <class F>
  void probe(const Probe& p, MemOp op, Access access, F slow_path) {
    Label cold_label = probe_first(p, op, access);
    cold([=, this] {
      a.bind(cold_label);
      uses_front(op) ? probe_out_of_line(p, op, access) : probe_second_way(p, op, access);
      a.jmp(p.hit);
      a.bind(p.miss);
      slow_path(p);
      a.jmp(p.done);
    });
  }
  Label probe_first(const Probe& p, MemOp op, Access access);
  void probe_front(const Probe& p, MemOp op, Access access, Label cold_label);
  void probe_bank(const Probe& p, MemOp op, Access access, Label cold_label);
  void probe_second_way(const Probe& p, MemOp op, Access access);
  void probe_out_of_line(const Probe& p, MemOp op, Access access);
  void compare_way(const Probe& p, Access access, Gp base, unsigned way, Label otherwise);
  void address_of(Gp to, const Probe& p, i32 offset);
  void call_slow_path(const Probe& p, MemOp op);
  void call_slow_path(const Probe& p, const Part& part);
  void finish(const Probe& p);
  void load_from(const Part& part, MemOp op, const Mem& m);
  void store_to(const Part& part, MemOp op, const Mem& m);
  void load_vector_from(const Probe& p, const Part& part, MemOp op, Mem m);
  void store_vector_to(const Part& part, MemOp op, Mem m);
  void prepare_slow_path(const Probe& p, const Inst& i);
  Mem host_memory(const Probe& p, MemOp op, unsigned k = 0) const {
    return x86::ptr(p.address, p.offset, 0, op.displacement + i32(k * op.size()), op.size());
  }
  // Atomics (emit_atomic.cpp).
  void probe_atomic(Probe& p, const Inst& i, Gp operand, const u8* const (&thunk)[2],
                    ValueId second = kNoValue);
  void combine(ir::AtomicKind kind, MemOp op, Gp into, Gp old, Gp operand, Gp scratch);
  void zero_extend_small(Gp r, MemOp op);
  void follow_order(const Inst& i);
  // Control (emit_control.cpp).
  void set_pc(u64 pc);
  void give_back(const Inst& i);
  u32 unrun(const Inst& i) const { return block_->guest_insns - u32(i.guest_offset / 4 + 1); }
  void exit_known(const Inst& i, u64 target);
  void exit_when(const Inst& i, CondCode cc);
  void chained_jump(u64 target, bool is_loop);
  void probe_jump_cache(u64 target);
  void leave(u64 pc);
  void poll(u64 target);
  void leave_check(const Inst& i);
  void leave_when_not_zero(const Inst& i);
  void call_helper(const Inst& i);
  bool same_page(u64 target) const { return ((target ^ block_->pc) >> 12) == 0; }
  // Regions (emit_region.cpp).
  struct RegionLabel {
    u64 pc;
    Label label;
    u8 kind;       // ir::LabelKind
    bool is_loop;  // something jumps back to it
  };
  void start_region();
  void end_region();
  const RegionLabel* label_of(u64 target) const;
  void store_pins_out_of_line();
  void return_inside();
  void branch_inside();
  std::vector<RegionLabel> labels_;
  Label store_pins_;

  const Thunks& thunks_;
  const bool icount_;
  const HostFeatures host_;
  const u32 loop_heat_;
  const ir::Block* block_ = nullptr;
  TranslatedBlock* out_ = nullptr;
  size_t current_ = 0;
  bool skip_next_ = false;  // the next op has been emitted together with this one
  FlagUses flag_uses_;
  // A full barrier has run, or will have where this path goes on, and no store since: another adds nothing.
  bool ordered_ = false;
  ValueId exclusive_status_ = kNoValue;  // of a store-exclusive, with no store since
  ValueId host_flags_ = kNoValue;        // the Flags value that EFLAGS holds now
  bool carry_is_borrow_ = false;         // CF = NOT C, as x86 leaves it after a subtraction; else CF = C
  std::vector<u8> significant_bytes_;    // empty: not looked at yet
  // What cold() has been given for this block: a list.
  struct ColdPiece {
    void (*emit)(ColdPiece&);
    ColdPiece* next = nullptr;
  };
  template <class F>
  struct ColdPieceOf : ColdPiece {
    explicit ColdPieceOf(F f)
        : ColdPiece{[](ColdPiece& p) { static_cast<ColdPieceOf&>(p).f(); }}, f(std::move(f)) {}
    F f;
  };
  asmjit::Zone cold_memory_{8192};
  ColdPiece* cold_ = nullptr;
  ColdPiece** cold_end_ = &cold_;
};

using VectorEmitter = void (*)(Compiler&, const Inst&);
// Null: no emitter; the op is evaluated by its meaning.
VectorEmitter vector_emitter(Op op);
VectorEmitter fp_emitter(Op op);

}  // namespace sluice::tcg::x86_64
