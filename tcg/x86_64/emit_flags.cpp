// Flags on x86-64. A comparison leaves them in EFLAGS, in x86's sense of the carry after a subtraction; the
// word (Flags::word) is made only for those who need it (flag_uses.h).
#include "tcg/flags.h"
#include "tcg/x86_64/compiler.h"

namespace sluice::tcg::x86_64 {

using asmjit::imm;
using ir::Type;
namespace X = x86::Inst;

// --- Making them ---

// EFLAGS are those of an add or, with `subtract`, of a sub. RAX has been taken if the word is needed.
void Compiler::flags_are_made(ValueId flags, bool subtract) {
  host_flags_ = flags;
  carry_is_borrow_ = subtract;
  if (!flag_uses_.needs_word(flags)) return;
  if (subtract) a.cmc();
  carry_is_borrow_ = false;
  regs.define_in(flags, x86::rax);
  a.lahf();
  a.seto(x86::al);
}

void Compiler::arithmetic_with_flags(const Inst& i, X::Id inst, bool subtract) {
  if (!next_is(subtract ? Op::FlagsSub : Op::FlagsAdd, i)) {
    if (subtract || !add_by_lea(i)) two_operand(i, inst);
    return;
  }
  const ValueId flags = ValueId(current_ + 1);
  join_next();
  if (flag_uses_.needs_word(flags)) regs.take(x86::rax);
  two_operand(i, inst);
  flags_are_made(flags, subtract);
}

void Compiler::flags_only(const Inst& i, X::Id inst, bool subtract) {
  if (flag_uses_.needs_word(id())) regs.take(x86::rax);
  compare(i, inst, subtract);
  flags_are_made(id(), subtract);
}

// EFLAGS = those of a FlagsAdd or FlagsSub.
void Compiler::compare(const Inst& i, X::Id inst, bool subtract) {
  Type t = block_->insts[i.args[0]].type;
  if (subtract && !regs.is_constant(i.args[0])) {
    source(X::kIdCmp, sized(regs.use(i.args[0]), t), i.args[1]);
    return;
  }
  Gp work = sized(regs.temp(), t);
  regs.copy_to(work, i.args[0]);
  source(inst, work, i.args[1]);
}

void Compiler::emit_FlagsAdd(const Inst& i) { flags_only(i, X::kIdAdd, false); }
void Compiler::emit_FlagsSub(const Inst& i) { flags_only(i, X::kIdSub, true); }

void Compiler::emit_FlagsLogic(const Inst& i) {
  if (flag_uses_.needs_word(id())) regs.take(x86::rax);
  Gp s = sized(regs.use(i.args[0]), block_->insts[i.args[0]].type);
  a.test(s, s);  // CF = OF = 0
  flags_are_made(id(), false);
}

// The flags of what this op computes come next: an x86 AND has made them.
bool Compiler::next_is_logic_flags() const {
  if (current_ + 1 >= block_->insts.size()) return false;
  const Inst& n = block_->insts[current_ + 1];
  return n.op == Op::FlagsLogic && n.args[0] == id();
}

void Compiler::logic_with_flags(const Inst& i) {
  if (flag_uses_.needs_word(ValueId(current_ + 1))) regs.take(x86::rax);
  // TST: nobody needs the result.
  const Type t = i.type;
  if (regs.remaining_uses(id()) == 1 && !regs.is_constant(i.args[0])) {
    Gp left = sized(regs.use(i.args[0]), t);
    regs.fits_imm32(i.args[1]) ? a.test(left, imm(i32(u32(regs.constant(i.args[1])))))
                               : a.test(left, sized(regs.use(i.args[1]), t));
  } else {
    two_operand(i, X::kIdAnd);
  }
  logic_flags_are_made();
}

void Compiler::logic_flags_are_made() {
  flags_are_made(ValueId(current_ + 1), false);
  join_next();
}

// --- The carry ---

// CF = C of a Flags value, or its inverse.
void Compiler::set_carry_from(ValueId flags, bool inverted) {
  if (flags_are_live(flags)) {
    if (carry_is_borrow_ != inverted) a.cmc();
    return;
  }
  a.bt(regs.use32(flags), imm(8));
  if (inverted) a.cmc();
}

void Compiler::carry_arithmetic(const Inst& i, bool subtract, bool wants_flags) {
  Type t = block_->insts[i.args[0]].type;
  X::Id inst = subtract ? X::kIdSbb : X::kIdAdc;
  const ValueId carry = i.args[2];
  bool both = !wants_flags && next_is(subtract ? Op::FlagsSbc : Op::FlagsAdc, i);
  if (both) join_next();
  const ValueId flags = wants_flags ? id() : ValueId(current_ + 1);
  const bool word = (wants_flags || both) && flag_uses_.needs_word(flags);
  if (word) regs.take(x86::rax);
  // Everything is in registers before CF is made; what follows are moves.
  if (!flags_are_live(carry)) regs.use32(carry);
  Gp right = sized(regs.use(i.args[1]), t);
  Gp d = sized(wants_flags ? regs.temp() : regs.define_over(i, id(), i.args[0]), t);
  if (wants_flags) regs.copy_to(d, i.args[0]);
  set_carry_from(carry, subtract);
  a.emit(inst, d, right);
  host_flags_ = kNoValue;
  if (wants_flags || both) flags_are_made(flags, subtract);
}
void Compiler::emit_Adc(const Inst& i) { carry_arithmetic(i, false, false); }
void Compiler::emit_Sbc(const Inst& i) { carry_arithmetic(i, true, false); }
void Compiler::emit_FlagsAdc(const Inst& i) { carry_arithmetic(i, false, true); }
void Compiler::emit_FlagsSbc(const Inst& i) { carry_arithmetic(i, true, true); }

// --- Conditions ---

void Compiler::prepare_condition(ValueId flags) {
  if (!flags_are_live(flags) && !flag_uses_.compares_again(current_)) regs.take(x86::rax);
}

void Compiler::compare_again(ValueId flags) {
  const Inst& made = block_->insts[flags];
  if (made.op == Op::FlagsLogic) {
    Gp s = sized(regs.use(made.args[0]), block_->insts[made.args[0]].type);
    a.test(s, s);
  } else {
    bool subtract = made.op == Op::FlagsSub;
    compare(made, subtract ? X::kIdSub : X::kIdAdd, subtract);
    carry_is_borrow_ = subtract;
  }
}

void Compiler::make_flags_live(ValueId flags) {
  if (flags_are_live(flags)) return;
  carry_is_borrow_ = false;
  if (flag_uses_.compares_again(current_)) {
    compare_again(flags);
  } else {
    regs.take(x86::rax);
    regs.copy_to(x86::rax, flags);
    a.add(x86::al, imm(0x7f));  // OF = V
    a.sahf();                   // SF, ZF, CF
  }
  host_flags_ = flags;
}

// x86 has a condition for each of Arm's when CF is the borrow; when CF is C, HI and LS have none.
CondCode Compiler::condition(ValueId flags, u8 cond) {
  make_flags_live(flags);
  static constexpr CondCode kCodes[] = {
      CondCode::kE,  CondCode::kNE, CondCode::kC,  CondCode::kNC, CondCode::kS, CondCode::kNS, CondCode::kO,
      CondCode::kNO, CondCode::kA,  CondCode::kBE, CondCode::kGE, CondCode::kL, CondCode::kG,  CondCode::kLE};
  if ((cond == 8 || cond == 9) && !carry_is_borrow_) {
    a.cmc();
    carry_is_borrow_ = true;
  }
  if (carry_is_borrow_ && (cond == 2 || cond == 3)) return cond == 2 ? CondCode::kNC : CondCode::kC;
  return kCodes[cond];
}

void Compiler::emit_Select(const Inst& i) {
  if (i.aux >= 14) return void(regs.define_same(i, id(), i.args[0]));
  // The operands are in registers before EFLAGS are made; later loads are moves. The false operand is what is
  // overwritten.
  prepare_condition(i.args[2]);
  Gp yes = sized(regs.use(i.args[0]), i.type);
  Gp d = sized(regs.define_over(i, id(), i.args[1]), i.type);
  a.cmov(condition(i.args[2], i.aux), d, yes);
}

void Compiler::emit_FlagsSelect(const Inst& i) {
  if (i.aux >= 14) return void(regs.define_same(i, id(), i.args[0]));
  prepare_condition(i.args[2]);
  Gp yes = regs.use32(i.args[0]);
  Gp d = regs.define_over(i, id(), i.args[1]).r32();
  a.cmov(condition(i.args[2], i.aux), d, yes);
}

void Compiler::emit_Condition(const Inst& i) {
  if (i.aux < 14) prepare_condition(i.args[0]);
  Gp d = regs.define(id()).r32();
  a.mov(d, imm(i.aux >= 14));  // a move: EFLAGS stay
  if (i.aux < 14) a.set(condition(i.args[0], i.aux), d.r8());
}

// --- Words ---

void Compiler::emit_FlagsFromNzcv(const Inst& i) {
  // N:Z:C:V at 3..0 -> bits 15, 14, 8, 0.
  Gp d = regs.define_over(i, id(), i.args[0]).r32();
  Gp t = regs.temp().r32();
  a.mov(t, d);
  a.and_(t, imm(0xc));
  a.shl(t, imm(12));
  a.and_(d, imm(3));
  a.imul(d, d, imm(0x81));  // bit 1 -> bit 8, bit 0 stays
  a.and_(d, imm(0x101));
  a.or_(d, t);
}

void Compiler::emit_NzcvFromFlags(const Inst& i) {
  Gp d = regs.define_over(i, id(), i.args[0]).r32();
  Gp t = regs.temp().r32(), u = regs.temp().r32();
  a.mov(t, d);
  a.mov(u, d);
  a.shr(t, imm(12));
  a.and_(t, imm(0xc));
  a.shr(u, imm(7));
  a.and_(u, imm(2));
  a.and_(d, imm(1));
  a.or_(d, t);
  a.or_(d, u);
}

}  // namespace sluice::tcg::x86_64
