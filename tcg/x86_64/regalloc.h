// tcg/x86_64/regalloc.h: allocates host registers while code is emitted, one pass forward over a block.
// A value lives in a register, in a spill slot, in the guest-state slot that it was read from or written to,
// or is a constant; it may be in several of these at once, and a value that is also in memory or constant is
// evicted for nothing.
//
// In a region some slots of guest state are pinned (pins.h): their home is a register instead of memory. What
// is read from such a slot lives in the pin until the slot is written; what is about to be written to it is
// computed in the pin where nobody needs the old value any more.
#pragma once
#include <vector>

#include "tcg/ir/block.h"
#include "tcg/x86_64/flag_uses.h"
#include "tcg/x86_64/pins.h"

namespace sluice::tcg::x86_64 {

using ir::Block;
using ir::Inst;
using ir::Type;
using ir::ValueId;

class RegAlloc {
 public:
  explicit RegAlloc(x86::Assembler& a) : a_(a) {}

  // --- Block and op brackets ---
  void start(const Block& block, const FlagUses& flag_uses);
  // Unlocks registers and retires operands that the op used for the last time.
  void end_op(const Inst& inst);
  // `next` is emitted together with the current op, which has the same operands: they are used only once.
  void join(const Inst& next);
  void end_value(ValueId v);  // v has been defined; retires it when nobody uses it

  // --- Integers ---
  bool is_constant(ValueId v) const { return block_->insts[v].op == ir::Op::Const; }
  u64 constant(ValueId v) const { return block_->insts[v].imm; }
  // The constant as a 32-bit immediate of an op of v's width (sign-extended for 64 bits).
  bool fits_imm32(ValueId v) const;
  Gp use(ValueId v);  // in a 64-bit register that must not be written
  Gp use32(ValueId v) { return use(v).r32(); }
  // As a source operand: a register, or memory of the value's width.
  asmjit::Operand use_any(ValueId v);
  Gp define(ValueId v);  // a register to be written; locked until end_op
  Gp define_in(ValueId v, Gp fixed);
  // Holds a copy of `from`, which an instruction is about to overwrite: 32-bit ones leave zeros above.
  Gp define_over(const Inst& inst, ValueId v, ValueId from);
  Gp define_same(const Inst& inst, ValueId v, ValueId from);  // v = from: the copy stays as it is
  Gp temp();
  void take(Gp fixed);                // frees a particular register for this op
  void copy_to(Gp fixed, ValueId v);  // fixed (taken) = value
  // v = from<31:0> as i32, and v = ZeroExtend(from) as i64: mostly without an instruction.
  void truncate(const Inst& inst, ValueId v, ValueId from);
  void zero_extend(const Inst& inst, ValueId v, ValueId from);

  // --- Vectors ---
  Xmm use_xmm(ValueId v);
  asmjit::Operand use_xmm_any(ValueId v);  // register or 16-byte memory
  Xmm define_xmm(ValueId v);
  Xmm define_xmm_over(const Inst& inst, ValueId v, ValueId from);
  Xmm temp_xmm();
  void take_xmm(Xmm fixed);  // frees a particular register for this op

  // --- Guest state ---
  void read_state(ValueId v, u32 offset);
  // Before a store to [offset, offset + bytes): values that live only there move to registers.
  void before_state_write(u32 offset, u32 bytes);
  void after_state_write(ValueId v, u32 offset);  // v is also in that slot now
  const Pin* pin_of(u32 offset) const { return pins_.empty() ? nullptr : pins_.find(offset); }
  void write_pin(const Pin& pin, ValueId v);
  void load_pins();
  void store_pins();  // those that the region writes; EFLAGS stay
  const Pins& pins() const { return pins_; }
  void at_label();  // no value is live

  // --- Calls ---
  // Every value that lives beyond the op and that a call would destroy goes to memory; `state_changes`:
  // guest-state slots are no home any more. The operands are still where they were; after_call forgets what
  // the call has destroyed.
  void before_call(const Inst& inst, bool state_changes);
  void after_call(bool state_changes);
  // Memory that holds v (spills it when it is nowhere else): for ops that work from memory.
  Mem memory_of(ValueId v);

  bool any_xmm_in_use() const;
  unsigned remaining_uses(ValueId v) const { return at(v).uses; }
  bool dies_here(const Inst& inst, ValueId v) const;
  // 32-bit values whose register has zeros above: no extension is needed.
  bool is_clean(ValueId v) const { return values_[v].holder != ir::kNoValue || values_[v].clean; }
  // Whether define_over would copy `from` from register to register: an instruction with three operands would
  // not.
  bool would_copy(const Inst& inst, ValueId v, ValueId from);

 private:
  static constexpr i16 kNoReg = -1;
  struct Home {
    i16 gp = kNoReg, xmm = kNoReg;
    i32 spill = -1;                 // frame offset
    i32 state = -1;                 // guest-state offset
    i16 pin = kNoReg;               // the pinned register (of its kind) of a slot that holds it
    i16 early = kNoReg;             // the pin of the slot that it will be written to next
    ValueId holder = ir::kNoValue;  // the 64-bit value that has the homes and the uses of this one, too
    u16 uses = 0;
    bool clean = true;
  };
  // A value and its zero extension are the same in the host: the extension holds both from then on.
  ValueId holder(ValueId v) const { return values_[v].holder == ir::kNoValue ? v : values_[v].holder; }
  Home& at(ValueId v) { return values_[holder(v)]; }
  const Home& at(ValueId v) const { return values_[holder(v)]; }
  long count(const Inst& inst, ValueId v) const;  // how often the op has what v is among its operands
  void share(ValueId v, ValueId from);
  Type type_of(ValueId v) const { return block_->insts[v].type; }
  bool has_memory(const Home& h) const { return h.spill >= 0 || h.state >= 0; }
  bool is_elsewhere(const Home& h) const { return has_memory(h) || h.pin != kNoReg; }
  void find_early_pins();
  void mark_early(size_t write, i16 reg, u32 offset);
  // The pin that v may be computed in, or kNoReg; `from`: the operand that the op overwrites.
  i16 early_pin(ValueId v, ValueId from);
  void enter_pin(ValueId v, i16 reg, bool clean);
  void leave_pin(i16 reg, bool is_xmm, ValueId except);
  std::vector<ValueId>& in_pin(i16 reg, bool is_xmm) { return (is_xmm ? in_xmm_pin_ : in_gp_pin_)[reg]; }
  void move_pins(bool store, bool all);
  Mem home_memory(const Home& h, Type type) const;
  void extend(ValueId v, ValueId from);
  unsigned pick_gp();
  unsigned pick_xmm();
  void evict_gp(unsigned n);
  void evict_xmm(unsigned n);
  void spill(ValueId v);
  void load_gp(Gp to, ValueId v);
  void load_xmm(Xmm to, ValueId v);
  void drop(ValueId v);
  void bind_gp(ValueId v, unsigned n);
  void bind_xmm(ValueId v, unsigned n);

  x86::Assembler& a_;
  // Of a comparison that the op makes once more.
  template <class F>
  void for_compared(const Inst& inst, F f) const;
  const Block* block_ = nullptr;
  const FlagUses* flag_uses_ = nullptr;
  std::vector<Home> values_;
  std::vector<i32> free_spills_;
  i32 next_spill_ = 0;
  ValueId gp_owner_[kGpCount], xmm_owner_[kXmmCount];
  u32 gp_locked_ = 0, xmm_locked_ = 0;
  u32 gp_stamp_[kGpCount] = {}, xmm_stamp_[kXmmCount] = {};
  u32 stamp_ = 0;
  std::vector<ValueId> in_state_;  // values that may have a state home
  Pins pins_;
  std::vector<ValueId> in_gp_pin_[kGpCount], in_xmm_pin_[kXmmCount];  // values that may live there
};

}  // namespace sluice::tcg::x86_64
