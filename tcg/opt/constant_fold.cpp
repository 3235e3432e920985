// Integer ops over constants are evaluated now; identities become their operand.
#include "tcg/ir/eval.h"
#include "tcg/opt/passes.h"
#include "tcg/opt/value_map.h"

namespace sluice::tcg {
namespace {

using ir::Inst;
using ir::kNoValue;
using ir::Op;
using ir::ValueId;

bool all_constant(const ir::Block& block, const Inst& i) {
  if (i.args[0] == kNoValue) return false;
  for (ValueId a : i.args)
    if (a != kNoValue && block.insts[a].op != Op::Const) return false;
  return true;
}

void make_constant(Inst& i, u64 value) {
  Inst c;
  c.op = Op::Const, c.type = i.type, c.guest_offset = i.guest_offset;
  c.imm = ir::truncate_to(i.type, value);
  i = c;
}

u64 evaluate(const ir::Block& block, const Inst& i) {
  u64 in[3] = {};
  for (unsigned k = 0; k < 3 && i.args[k] != kNoValue; k++) in[k] = block.insts[i.args[k]].imm;
  unsigned bits = ir::bits_of(block.insts[i.args[0]].type) == 32 ? 32 : 64;
  return ir::meaning(i.op).integer(in[0], in[1], in[2], i.imm, bits, i.aux);
}

// The operand that the op is equal to, or kNoValue. Constants have been moved to the right.
ValueId identity(const ir::Block& block, const Inst& i) {
  auto constant = [&](unsigned k, u64 value) {
    if (i.args[k] == kNoValue) return false;
    const Inst& a = block.insts[i.args[k]];
    return a.op == Op::Const && a.imm == ir::truncate_to(a.type, value);
  };
  switch (i.op) {
    case Op::Add:
    case Op::Sub:
    case Op::Or:
    case Op::Xor:
    case Op::Shl:
    case Op::Shr:
    case Op::Sar:
    case Op::Ror:
    case Op::AndNot: return constant(1, 0) ? i.args[0] : kNoValue;
    case Op::And: return constant(1, ~u64{0}) ? i.args[0] : kNoValue;
    case Op::Mul: return constant(1, 1) ? i.args[0] : kNoValue;
    // Truncate(ZeroExtend32(x)) is x.
    case Op::Truncate: {
      const Inst& a = block.insts[i.args[0]];
      return a.op == Op::ZeroExtend32 ? a.args[0] : kNoValue;
    }
    default: return kNoValue;
  }
}

}  // namespace

void fold_constants(ir::Block& block) {
  ValueMap same_as(block);
  for (size_t n = 0; n < block.insts.size(); n++) {
    Inst& i = block.insts[n];
    same_as[n] = ValueId(n);
    same_as.apply_to(i);
    if (!ir::is_integer_op(i.op) || i.op == Op::Const) continue;
    if (all_constant(block, i)) {
      make_constant(i, evaluate(block, i));
      continue;
    }
    if ((ir::info(i.op).properties & ir::Commutative) && block.insts[i.args[0]].op == Op::Const)
      std::swap(i.args[0], i.args[1]);
    // RBIT and CLZ: how A64 counts trailing zeros.
    if (const Inst& a = block.insts[i.args[0]]; i.op == Op::CountLeadingZeros && a.op == Op::ReverseBits)
      i.op = Op::CountTrailingZeros, i.args[0] = a.args[0];
    if (ValueId same = identity(block, i); same != kNoValue) same_as[n] = same;
  }
}

}  // namespace sluice::tcg
