// Integer ops on x86-64. Values of 32 bits are computed by 32-bit instructions, which leave zeros above.
#include "tcg/flags.h"
#include "tcg/x86_64/compiler.h"

namespace sluice::tcg::x86_64 {

using asmjit::imm;
using asmjit::Operand;
using ir::Type;
namespace X = x86::Inst;

// into <- into `inst` v, with v as an immediate or in memory where that works.
void Compiler::source(X::Id inst, Gp into, ValueId v) {
  if (regs.fits_imm32(v))
    a.emit(inst, into, imm(i32(u32(regs.constant(v)))));
  else
    a.emit(inst, into, regs.use_any(v));
}

void Compiler::two_operand(const Inst& i, X::Id inst) {
  ValueId lhs = i.args[0], rhs = i.args[1];
  // The right operand is pinned first, so that taking over the left one's register cannot lose it.
  Operand right;
  if (!regs.fits_imm32(rhs)) right = lhs == rhs ? Operand(sized(regs.use(rhs), i.type)) : regs.use_any(rhs);
  Gp d = sized(regs.define_over(i, id(), lhs), i.type);
  if (regs.fits_imm32(rhs))
    a.emit(inst, d, imm(i32(u32(regs.constant(rhs)))));
  else
    a.emit(inst, d, right);
}

// x + y << amount, where it takes fewer instructions than with operands that are overwritten. Leaves EFLAGS.
bool Compiler::add_by_lea(const Inst& i) {
  const ValueId lhs = i.args[0], rhs = i.args[1];
  if (!regs.would_copy(i, id(), lhs)) return false;
  const bool small = regs.fits_imm32(rhs);
  if (regs.is_constant(rhs) && !small) return false;
  // The other one can be overwritten as well.
  if (!small && !regs.is_constant(rhs) && !regs.would_copy(i, id(), rhs)) return false;
  const Gp x = regs.use(lhs), y = small ? Gp() : regs.use(rhs);
  const Gp d = sized(regs.define(id()), i.type);
  small ? a.lea(d, x86::ptr(x, i32(u32(regs.constant(rhs))))) : a.lea(d, x86::ptr(x, y));
  return true;
}

// x << amount, whose only use is the addition that comes next.
bool Compiler::shift_and_add(const Inst& i) {
  if (current_ + 1 >= block_->insts.size() || regs.remaining_uses(id()) != 1) return false;
  const Inst& add = block_->insts[current_ + 1];
  if (add.op != Op::Add || add.type != i.type || (add.args[0] == id()) == (add.args[1] == id())) return false;
  if (current_ + 2 < block_->insts.size()) {
    const Inst& flags = block_->insts[current_ + 2];
    if (flags.op == Op::FlagsAdd && flags.args[0] == add.args[0] && flags.args[1] == add.args[1])
      return false;
  }
  const u64 amount = regs.constant(i.args[1]) & (i.type == Type::I64 ? 63 : 31);
  const ValueId other = add.args[add.args[0] == id()];
  if (amount > 3 || regs.is_constant(other) || regs.is_constant(i.args[0])) return false;
  const Gp y = regs.use(i.args[0]), x = regs.use(other);
  a.lea(sized(regs.define(ValueId(current_ + 1)), i.type), x86::ptr(x, y, u32(amount)));
  regs.end_op(add);
  skip_next_ = true;
  return true;
}

bool Compiler::next_is(Op op, const Inst& like) const {
  if (current_ + 1 >= block_->insts.size()) return false;
  const Inst& n = block_->insts[current_ + 1];
  return n.op == op && n.args[0] == like.args[0] && n.args[1] == like.args[1] && n.args[2] == like.args[2];
}

// The next op is emitted together with this one, whose operands it shares.
void Compiler::join_next() {
  regs.join(block_->insts[current_ + 1]);
  skip_next_ = true;
}

void Compiler::emit_Add(const Inst& i) { arithmetic_with_flags(i, X::kIdAdd, false); }
void Compiler::emit_Sub(const Inst& i) { arithmetic_with_flags(i, X::kIdSub, true); }
void Compiler::emit_And(const Inst& i) {
  if (next_is_logic_flags()) return logic_with_flags(i);
  if (current_ + 1 < block_->insts.size()) {  // a check of low bits needs no result
    const Inst& check = block_->insts[current_ + 1];
    bool only_checked =
        check.op == Op::LeaveIfNonZero && check.args[0] == id() && regs.remaining_uses(id()) == 1;
    if (only_checked && regs.fits_imm32(i.args[1]) && !regs.is_constant(i.args[0])) {
      a.test(sized(regs.use(i.args[0]), i.type), imm(i32(u32(regs.constant(i.args[1])))));
      leave_when_not_zero(check);
      join_next();
      return;
    }
  }
  two_operand(i, X::kIdAnd);
}
void Compiler::emit_Or(const Inst& i) { two_operand(i, X::kIdOr); }
void Compiler::emit_Xor(const Inst& i) { two_operand(i, X::kIdXor); }

void Compiler::emit_Mul(const Inst& i) {
  Gp b = sized(regs.use(i.args[1]), i.type);
  Gp d = sized(regs.define_over(i, id(), i.args[0]), i.type);
  a.imul(d, b);
}

void Compiler::emit_AndNot(const Inst& i) {
  const bool with_flags = next_is_logic_flags();
  if (with_flags && flag_uses_.needs_word(ValueId(current_ + 1))) regs.take(x86::rax);
  Gp t = sized(regs.temp(), i.type);
  if (regs.is_constant(i.args[1])) {
    u64 mask = ~regs.constant(i.args[1]);
    i.type == Type::I64 ? a.mov(t, imm(i64(mask))) : a.mov(t, imm(u32(mask)));
  } else {
    regs.copy_to(t, i.args[1]);
    a.not_(t);
  }
  Gp d = sized(regs.define_over(i, id(), i.args[0]), i.type);
  a.and_(d, t);
  if (with_flags) logic_flags_are_made();
}
void Compiler::emit_Not(const Inst& i) { a.not_(sized(regs.define_over(i, id(), i.args[0]), i.type)); }
void Compiler::emit_Neg(const Inst& i) { a.neg(sized(regs.define_over(i, id(), i.args[0]), i.type)); }
void Compiler::emit_Const(const Inst&) {}  // where it is used

void Compiler::shift(const Inst& i, X::Id inst) {
  if (regs.is_constant(i.args[1])) {
    u64 amount = regs.constant(i.args[1]) & (i.type == Type::I64 ? 63 : 31);
    if (amount == 0) return void(regs.define_same(i, id(), i.args[0]));
    if (inst == X::kIdShl && shift_and_add(i)) return;
    a.emit(inst, sized(regs.define_over(i, id(), i.args[0]), i.type), imm(amount));
    return;
  }
  regs.take(x86::rcx);
  regs.copy_to(x86::rcx, i.args[1]);
  Gp d = sized(regs.define_over(i, id(), i.args[0]), i.type);
  a.emit(inst, d, x86::cl);
}
void Compiler::emit_Shl(const Inst& i) { shift(i, X::kIdShl); }
void Compiler::emit_Shr(const Inst& i) { shift(i, X::kIdShr); }
void Compiler::emit_Sar(const Inst& i) { shift(i, X::kIdSar); }
void Compiler::emit_Ror(const Inst& i) { shift(i, X::kIdRor); }

void Compiler::emit_ExtractPair(const Inst& i) {
  if (i.imm == 0) return void(regs.define_same(i, id(), i.args[1]));
  Gp high = sized(regs.use(i.args[0]), i.type);
  a.shrd(sized(regs.define_over(i, id(), i.args[1]), i.type), high, imm(i.imm));
}

void Compiler::emit_ExtractUnsigned(const Inst& i) {
  unsigned lsb = unsigned(i.imm & 63), width = unsigned(i.imm >> 8);
  unsigned bits = i.type == Type::I64 ? 64 : 32;
  if (width == bits) return void(regs.define_same(i, id(), i.args[0]));
  Gp d = sized(regs.define_over(i, id(), i.args[0]), i.type);
  if (lsb + width == bits || width > 32) {  // shift both ways; no mask would fit
    if (lsb + width < bits) a.shl(d, imm(bits - lsb - width));
    if (bits - width) a.shr(d, imm(bits - width));
    return;
  }
  if (lsb) a.shr(d, imm(lsb));
  if (width == 8)
    a.movzx(d.r32(), d.r8());
  else if (width == 16)
    a.movzx(d.r32(), d.r16());
  else if (width == 32)
    a.mov(d.r32(), d.r32());
  else
    a.and_(d.r32(), imm(i32(ones(width))));
}

void Compiler::emit_ExtractSigned(const Inst& i) {
  unsigned lsb = unsigned(i.imm & 63), width = unsigned(i.imm >> 8);
  unsigned bits = i.type == Type::I64 ? 64 : 32;
  if (width == bits) return void(regs.define_same(i, id(), i.args[0]));
  Gp d = sized(regs.define_over(i, id(), i.args[0]), i.type);
  if (bits - lsb - width) a.shl(d, imm(bits - lsb - width));
  if (bits - width) a.sar(d, imm(bits - width));
}

void Compiler::emit_Deposit(const Inst& i) {
  const unsigned lsb = unsigned(i.imm & 63), width = unsigned(i.imm >> 8);
  const unsigned bits = i.type == Type::I64 ? 64 : 32;
  const u64 mask = ones(width) << lsb;
  if (width == bits) return void(regs.define_same(i, id(), i.args[1]));
  Gp t = sized(regs.temp(), i.type);
  regs.copy_to(t, i.args[1]);
  if (lsb == 0 && (width == 8 || width == 16)) {  // a part of a register: what is above stays as it is
    Gp whole = regs.define_same(i, id(), i.args[0]);
    width == 8 ? a.mov(whole.r8(), t.r8()) : a.mov(whole.r16(), t.r16());
    return;
  }
  Gp d = sized(regs.define_over(i, id(), i.args[0]), i.type);
  // The field alone, in its place; everything but the field.
  a.shl(t, imm(bits - width));
  if (unsigned down = bits - width - lsb) a.shr(t, imm(down));
  if (bits == 32 || i64(~mask) == i32(u32(~mask))) {
    a.and_(d, imm(i32(u32(~mask))));
  } else if (lsb == 0) {
    a.shr(d, imm(width));
    a.shl(d, imm(width));
  } else {
    Gp m = regs.temp();
    a.mov(m, imm(i64(~mask)));
    a.and_(d, m);
  }
  a.or_(d, t);
}

void Compiler::emit_CountLeadingZeros(const Inst& i) {
  Gp s = sized(regs.use(i.args[0]), i.type), d = sized(regs.define(id()), i.type);
  if (host_.avx2) {  // and LZCNT
    a.lzcnt(d, s);
    return;
  }
  Gp none = sized(regs.temp(), i.type);
  u32 bits = i.type == Type::I64 ? 64 : 32;
  a.mov(none.r32(), imm(2 * bits - 1));
  a.bsr(d, s);
  a.cmovz(d, none);
  a.xor_(d, imm(bits - 1));
}

void Compiler::emit_CountTrailingZeros(const Inst& i) {
  Gp s = sized(regs.use(i.args[0]), i.type), d = sized(regs.define(id()), i.type);
  if (host_.avx2) {  // so did BMI1
    a.tzcnt(d, s);
    return;
  }
  Gp none = sized(regs.temp(), i.type);
  a.mov(none.r32(), imm(i.type == Type::I64 ? 64 : 32));
  a.bsf(d, s);
  a.cmovz(d, none);
}

void Compiler::emit_ReverseBits(const Inst& i) {
  Gp d = sized(regs.define_over(i, id(), i.args[0]), i.type), t = sized(regs.temp(), i.type),
     m = sized(regs.temp(), i.type);
  a.bswap(d);
  struct Step {
    u64 mask;
    unsigned shift;
  };
  for (Step s : {Step{0x0f0f0f0f0f0f0f0f, 4}, Step{0x3333333333333333, 2}, Step{0x5555555555555555, 1}}) {
    i.type == Type::I64 ? a.mov(m, imm(i64(s.mask))) : a.mov(m, imm(u32(s.mask)));
    a.mov(t, d);
    a.shr(t, imm(s.shift));
    a.and_(t, m);
    a.and_(d, m);
    a.shl(d, imm(s.shift));
    a.or_(d, t);
  }
}

void Compiler::emit_ReverseBytes(const Inst& i) {
  Gp d = sized(regs.define_over(i, id(), i.args[0]), i.type);
  unsigned bits = i.type == Type::I64 ? 64 : 32;
  if (i.imm == bits) {
    a.bswap(d);
  } else if (i.imm == 32) {  // of 64
    a.bswap(d);
    a.ror(d, imm(32));
  } else {  // 16-bit containers
    Gp t = sized(regs.temp(), i.type), m = sized(regs.temp(), i.type);
    bits == 64 ? a.mov(m, imm(i64(0x00ff00ff00ff00ff))) : a.mov(m, imm(0x00ff00ff));
    a.mov(t, d);
    a.shr(t, imm(8));
    a.and_(t, m);
    a.and_(d, m);
    a.shl(d, imm(8));
    a.or_(d, t);
  }
}

void Compiler::emit_SignExtend8(const Inst& i) {
  Gp s = regs.use(i.args[0]);
  a.movsx(sized(regs.define(id()), i.type), s.r8());
}
void Compiler::emit_SignExtend16(const Inst& i) {
  Gp s = regs.use(i.args[0]);
  a.movsx(sized(regs.define(id()), i.type), s.r16());
}
void Compiler::emit_SignExtend32(const Inst& i) {
  Gp s = regs.use(i.args[0]);
  a.movsxd(regs.define(id()), s.r32());
}
void Compiler::emit_ZeroExtend32(const Inst& i) { regs.zero_extend(i, id(), i.args[0]); }
void Compiler::emit_Truncate(const Inst& i) { regs.truncate(i, id(), i.args[0]); }

void Compiler::divide(const Inst& i, bool is_signed) {
  bool w64 = i.type == Type::I64;
  Gp divisor = sized(regs.temp(), i.type);
  regs.take(x86::rax);
  regs.take(x86::rdx);
  if (divisor.id() == 0 || divisor.id() == 2) divisor = sized(regs.temp(), i.type);
  regs.copy_to(divisor, i.args[1]);
  regs.copy_to(x86::rax, i.args[0]);
  Gp lo = sized(x86::rax, i.type), hi = sized(x86::rdx, i.type);
  Label zero = a.newLabel(), minus_one = a.newLabel(), done = a.newLabel();
  a.test(divisor, divisor);
  a.jz(zero);
  if (is_signed) {
    a.cmp(divisor, imm(-1));
    a.je(minus_one);
    w64 ? a.cqo() : a.cdq();
    a.idiv(hi, lo, divisor);
  } else {
    a.xor_(x86::edx, x86::edx);
    a.div(hi, lo, divisor);
  }
  a.bind(done);
  regs.define_in(id(), x86::rax);
  cold([=, this] {
    a.bind(zero);
    a.xor_(x86::eax, x86::eax);
    a.jmp(done);
    if (is_signed) {
      a.bind(minus_one);
      a.neg(lo);
      a.jmp(done);
    }
  });
}
void Compiler::emit_DivSigned(const Inst& i) { divide(i, true); }
void Compiler::emit_DivUnsigned(const Inst& i) { divide(i, false); }

void Compiler::multiply_high(const Inst& i, bool is_signed) {
  if (!is_signed && host_.avx2) {  // BMI2 came with AVX2: no fixed result
    regs.take(x86::rdx);
    Gp factor = regs.use(i.args[1]);
    regs.copy_to(x86::rdx, i.args[0]);
    Gp low = regs.temp();
    a.mulx(regs.define(id()), low, factor);
    return;
  }
  regs.take(x86::rax);
  regs.take(x86::rdx);
  Gp factor = regs.temp();
  regs.copy_to(factor, i.args[1]);
  regs.copy_to(x86::rax, i.args[0]);
  is_signed ? a.imul(x86::rdx, x86::rax, factor) : a.mul(x86::rdx, x86::rax, factor);
  regs.define_in(id(), x86::rdx);
}
void Compiler::emit_MulHighSigned(const Inst& i) { multiply_high(i, true); }
void Compiler::emit_MulHighUnsigned(const Inst& i) { multiply_high(i, false); }

void Compiler::emit_SelectNonZero(const Inst& i) {
  Gp c = regs.use(i.args[2]);
  Gp yes = sized(regs.use(i.args[0]), i.type);
  Gp d = sized(regs.define_over(i, id(), i.args[1]), i.type);
  a.test(c, c);
  a.cmovnz(d, yes);
}

void Compiler::emit_EqualZero(const Inst& i) {
  Gp s = sized(regs.use(i.args[0]), block_->insts[i.args[0]].type);
  Gp d = regs.define(id());
  a.test(s, s);
  a.setz(d.r8());
  a.movzx(d.r32(), d.r8());
}

void Compiler::emit_LessUnsigned(const Inst& i) {
  Type t = block_->insts[i.args[0]].type;
  Gp left = sized(regs.use(i.args[0]), t);
  Gp right = sized(regs.use(i.args[1]), t);
  Gp d = regs.define(id());
  a.cmp(left, right);
  a.setb(d.r8());
  a.movzx(d.r32(), d.r8());
}

void Compiler::emit_Crc32(const Inst& i) { emit_by_meaning(i); }
void Compiler::emit_Crc32C(const Inst& i) {
  Gp v = regs.use(i.args[1]);
  Gp d = regs.define_over(i, id(), i.args[0]);
  switch (i.aux) {
    case 0: a.crc32(d.r32(), v.r8()); break;
    case 1: a.crc32(d.r32(), v.r16()); break;
    case 2: a.crc32(d.r32(), v.r32()); break;
    default: a.crc32(d.r64(), v.r64()); break;
  }
}

}  // namespace sluice::tcg::x86_64
