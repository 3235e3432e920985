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

// EFLAGS of an add or sub -> the Flags value, with Arm's C.
void Compiler::capture_flags(ValueId flags, bool subtract) {
  if (subtract) a.cmc();
  regs.take(x86::rax);  // a move at most: EFLAGS stay
  regs.define_in(flags, x86::rax);
  a.lahf();
  a.seto(x86::al);
  host_flags_ = flags;
}

void Compiler::arithmetic_with_flags(const Inst& i, X::Id inst, bool subtract) {
  Op flags_op = subtract ? Op::FlagsSub : Op::FlagsAdd;
  bool both = next_is(flags_op, i);
  if (!both) return two_operand(i, inst);
  join_next();
  regs.take(x86::rax);
  two_operand(i, inst);
  capture_flags(ValueId(current_ + 1), subtract);
}

void Compiler::emit_Add(const Inst& i) { arithmetic_with_flags(i, X::kIdAdd, false); }
void Compiler::emit_Sub(const Inst& i) { arithmetic_with_flags(i, X::kIdSub, true); }
void Compiler::emit_And(const Inst& i) {
  if (current_ + 1 < block_->insts.size()) {  // a check of low bits needs no result
    const Inst& check = block_->insts[current_ + 1];
    bool only_checked =
        check.op == Op::LeaveIfNonZero && check.args[0] == id() && regs.remaining_uses(id()) == 1;
    if (only_checked && regs.fits_imm32(i.args[1]) && !regs.is_constant(i.args[0])) {
      a.test(sized(regs.use(i.args[0]), i.type), imm(i32(u32(regs.constant(i.args[1])))));
      leave_when_not_zero(check);
      skip_next_ = true;
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
}
void Compiler::emit_Not(const Inst& i) { a.not_(sized(regs.define_over(i, id(), i.args[0]), i.type)); }
void Compiler::emit_Neg(const Inst& i) { a.neg(sized(regs.define_over(i, id(), i.args[0]), i.type)); }
void Compiler::emit_Const(const Inst&) {}  // where it is used

void Compiler::shift(const Inst& i, X::Id inst) {
  if (regs.is_constant(i.args[1])) {
    u64 amount = regs.constant(i.args[1]) & (i.type == Type::I64 ? 63 : 31);
    if (amount == 0) return void(regs.define_same(i, id(), i.args[0]));
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
  unsigned lsb = unsigned(i.imm & 63), width = unsigned(i.imm >> 8);
  u64 mask = ones(width) << lsb;
  Gp t = sized(regs.temp(), i.type), m = sized(regs.temp(), i.type);
  regs.copy_to(t, i.args[1]);
  if (lsb) a.shl(t, imm(lsb));
  Gp d = sized(regs.define_over(i, id(), i.args[0]), i.type);
  i.type == Type::I64 ? a.mov(m, imm(i64(mask))) : a.mov(m, imm(u32(mask)));
  a.and_(t, m);
  a.not_(m);
  a.and_(d, m);
  a.or_(d, t);
}

void Compiler::emit_CountLeadingZeros(const Inst& i) {
  Gp s = sized(regs.use(i.args[0]), i.type), d = sized(regs.define(id()), i.type);
  if (has_avx2_) {  // LZCNT came before AVX2 on every x86-64
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

// --- Flags ---

void Compiler::flags_only(const Inst& i, X::Id inst, bool subtract) {
  regs.take(x86::rax);
  if (subtract && !regs.is_constant(i.args[0])) {
    source(X::kIdCmp, sized(regs.use(i.args[0]), block_->insts[i.args[0]].type), i.args[1]);
  } else {
    Type t = block_->insts[i.args[0]].type;
    Gp work = sized(regs.temp(), t);
    regs.copy_to(work, i.args[0]);
    source(inst, work, i.args[1]);
  }
  capture_flags(id(), subtract);
}
void Compiler::emit_FlagsAdd(const Inst& i) { flags_only(i, X::kIdAdd, false); }
void Compiler::emit_FlagsSub(const Inst& i) { flags_only(i, X::kIdSub, true); }

// CF = C of a Flags value, or its inverse.
void Compiler::set_carry_from(ValueId flags, bool inverted) {
  if (host_flags_ != flags) {
    Gp f = regs.use32(flags);
    a.bt(f, imm(8));
  }
  if (inverted) a.cmc();
}

void Compiler::carry_arithmetic(const Inst& i, bool subtract, bool wants_flags) {
  Type t = block_->insts[i.args[0]].type;
  X::Id inst = subtract ? X::kIdSbb : X::kIdAdc;
  ValueId flags_in = i.args[2];
  bool both = !wants_flags && next_is(subtract ? Op::FlagsSbc : Op::FlagsAdc, i);
  if (both) join_next();
  // Everything is in registers before CF is made; what follows are moves.
  Gp f = regs.use32(flags_in);
  Gp right = sized(regs.use(i.args[1]), t);
  if (wants_flags || both) regs.take(x86::rax);
  if (f.id() == 0 || right.id() == 0) {  // take() evicted an operand from RAX: use it from its new place
    f = regs.use32(flags_in);
    right = sized(regs.use(i.args[1]), t);
  }
  Gp d = sized(wants_flags ? regs.temp() : regs.define_over(i, id(), i.args[0]), t);
  if (wants_flags) regs.copy_to(d, i.args[0]);
  a.bt(f, imm(8));
  if (subtract) a.cmc();
  a.emit(inst, d, right);
  if (!wants_flags && !both) return;
  capture_flags(both ? ValueId(current_ + 1) : id(), subtract);
}
void Compiler::emit_Adc(const Inst& i) { carry_arithmetic(i, false, false); }
void Compiler::emit_Sbc(const Inst& i) { carry_arithmetic(i, true, false); }
void Compiler::emit_FlagsAdc(const Inst& i) { carry_arithmetic(i, false, true); }
void Compiler::emit_FlagsSbc(const Inst& i) { carry_arithmetic(i, true, true); }

void Compiler::emit_FlagsLogic(const Inst& i) {
  Gp s = sized(regs.use(i.args[0]), block_->insts[i.args[0]].type);
  regs.take(x86::rax);
  if (s.id() == 0) s = sized(regs.use(i.args[0]), block_->insts[i.args[0]].type);
  a.test(s, s);  // CF = OF = 0
  capture_flags(id(), false);
}

// Arm condition -> x86 condition, when EFLAGS hold N, Z, C (as CF) and V. HI and LS have no single
// counterpart and need CF inverted first.
CondCode Compiler::condition(ValueId flags, u8 cond) {
  if (host_flags_ != flags) {
    regs.take(x86::rax);
    regs.copy_to(x86::rax, flags);
    a.add(x86::al, imm(0x7f));  // OF = V
    a.sahf();                   // SF, ZF, CF
    host_flags_ = flags;
  }
  static constexpr CondCode kCodes[] = {
      CondCode::kE,  CondCode::kNE, CondCode::kC,  CondCode::kNC, CondCode::kS, CondCode::kNS, CondCode::kO,
      CondCode::kNO, CondCode::kA,  CondCode::kBE, CondCode::kGE, CondCode::kL, CondCode::kG,  CondCode::kLE};
  if (cond == 8 || cond == 9) {
    a.cmc();
    host_flags_ = kNoValue;  // CF is inverted now
  }
  return kCodes[cond];
}

void Compiler::emit_Select(const Inst& i) {
  if (i.aux >= 14) return void(regs.define_same(i, id(), i.args[0]));
  // The operands are in registers before EFLAGS are made; later loads are moves. The false operand is what is
  // overwritten.
  if (host_flags_ != i.args[2]) regs.take(x86::rax);
  Gp yes = sized(regs.use(i.args[0]), i.type);
  Gp d = sized(regs.define_over(i, id(), i.args[1]), i.type);
  a.cmov(condition(i.args[2], i.aux), d, yes);
}

void Compiler::emit_SelectNonZero(const Inst& i) {
  Gp c = regs.use(i.args[2]);
  Gp yes = sized(regs.use(i.args[0]), i.type);
  Gp d = sized(regs.define_over(i, id(), i.args[1]), i.type);
  a.test(c, c);
  a.cmovnz(d, yes);
}

void Compiler::emit_FlagsSelect(const Inst& i) {
  if (i.aux >= 14) return void(regs.define_same(i, id(), i.args[0]));
  if (host_flags_ != i.args[2]) regs.take(x86::rax);
  Gp yes = regs.use32(i.args[0]);
  Gp d = regs.define_over(i, id(), i.args[1]).r32();
  a.cmov(condition(i.args[2], i.aux), d, yes);
}

void Compiler::emit_Condition(const Inst& i) {
  if (i.aux < 14 && host_flags_ != i.args[0]) regs.take(x86::rax);
  Gp d = regs.define(id()).r32();
  a.mov(d, imm(i.aux >= 14));  // a move: EFLAGS stay
  if (i.aux < 14) a.set(condition(i.args[0], i.aux), d.r8());
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
