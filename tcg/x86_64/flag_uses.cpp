#include "tcg/x86_64/flag_uses.h"

#include <algorithm>

namespace sluice::tcg::x86_64 {
namespace {

using ir::Block;
using ir::Inst;
using ir::Op;
using ir::Type;
using ir::ValueId;

// The operand that is looked at as a condition, or as the carry alone: EFLAGS will do.
int condition_operand(Op op) {
  switch (op) {
    case Op::ExitIf:
    case Op::Condition: return 0;
    case Op::Select:
    case Op::FlagsSelect:
    case Op::VSelectCondition: return 2;
    default: return -1;
  }
}
bool uses_carry(Op op) { return op == Op::Adc || op == Op::Sbc || op == Op::FlagsAdc || op == Op::FlagsSbc; }

// The other half of a sum with carry, emitted together with it.
bool is_joined(const Block& block, size_t n) {
  const Inst &sum = block.insts[n - 1], &flags = block.insts[n];
  bool pair =
      (sum.op == Op::Adc && flags.op == Op::FlagsAdc) || (sum.op == Op::Sbc && flags.op == Op::FlagsSbc);
  return pair && std::equal(sum.args, sum.args + 3, flags.args);
}
// The others are made as words.
bool is_made_in_eflags(Op op) {
  return op == Op::FlagsSub || op == Op::FlagsAdd || op == Op::FlagsLogic || op == Op::FlagsAdc ||
         op == Op::FlagsSbc;
}
// Two operands, or one, are enough to make these flags again.
bool can_compare_again(Op op) { return op == Op::FlagsSub || op == Op::FlagsAdd || op == Op::FlagsLogic; }

}  // namespace

bool keeps_host_flags(Op op) {
  switch (op) {
    case Op::Const:
    case Op::GetState:
    case Op::SetState:
    case Op::Truncate:
    case Op::ZeroExtend32:
    case Op::ExitIf:
    case Op::Select:
    case Op::FlagsSelect:
    case Op::Condition: return true;
    default: return false;
  }
}

void FlagUses::analyse(const Block& block) {
  needs_word_.assign(block.insts.size(), false);
  compares_again_.assign(block.insts.size(), false);
  std::vector<u16> uses;
  for (size_t n = 0; n < block.insts.size(); n++) {
    const Inst& i = block.insts[n];
    if (i.type != Type::Flags || ir::info(i.op).result != 'F') continue;
    if (uses.empty()) {
      uses.assign(block.insts.size(), 0);
      for (const Inst& user : block.insts)
        for (ValueId a : user.args)
          if (a != ir::kNoValue) uses[a]++;
    }
    follow(block, n, uses[n]);
  }
}

void FlagUses::follow(const Block& block, size_t def, unsigned uses) {
  bool in_eflags = is_made_in_eflags(block.insts[def].op);
  for (size_t n = def + 1; uses && n < block.insts.size(); n++) {
    const Inst& i = block.insts[n];
    for (int k = 0; k < 4; k++) {
      if (i.args[k] != def) continue;
      uses--;
      if (in_eflags && (condition_operand(i.op) == k || uses_carry(i.op))) continue;
      if (n > def + 1 && is_joined(block, n)) continue;  // its other half has been told
      if (condition_operand(i.op) == k && can_compare_again(block.insts[def].op))
        compares_again_[n] = true;
      else
        needs_word_[def] = true;
    }
    // A condition on other flags puts those into EFLAGS.
    int condition = condition_operand(i.op);
    bool others = condition >= 0 && i.aux < 14 && i.args[condition] != def;
    if (others || !keeps_host_flags(i.op)) in_eflags = false;
  }
}

}  // namespace sluice::tcg::x86_64
