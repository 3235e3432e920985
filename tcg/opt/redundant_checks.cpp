// A check that leaves the block when low bits of a value are set needs no repetition for a value that differs
// by a constant with those bits clear.
#include <algorithm>
#include <optional>
#include <vector>

#include "base/bits.h"
#include "tcg/opt/passes.h"

namespace sluice::tcg {
namespace {

using ir::Block;
using ir::Inst;
using ir::kNoValue;
using ir::Op;
using ir::ValueId;

struct Check {
  ValueId base;
  u64 mask;
  u64 helper;
  bool operator==(const Check&) const = default;
};

std::optional<u64> constant(const Block& block, ValueId v) {
  if (v == kNoValue || block.insts[v].op != Op::Const) return {};
  return block.insts[v].imm;
}

// What the op checks: `base`, and the bits of it that must be clear.
std::optional<Check> check_of(const Block& block, const Inst& i) {
  if (i.op != Op::LeaveIfNonZero) return {};
  const Inst& test = block.insts[i.args[0]];
  if (test.op != Op::And) return {};
  auto mask = constant(block, test.args[1]);
  if (!mask || (*mask & (*mask + 1))) return {};
  ValueId base = test.args[0];
  for (;;) {  // a sum with a multiple of the alignment has the same low bits
    const Inst& def = block.insts[base];
    if (def.op != Op::Add && def.op != Op::Sub) break;
    auto addend = constant(block, def.args[1]);
    if (!addend || (*addend & *mask)) break;
    base = def.args[0];
  }
  return Check{base, *mask, i.imm};
}

}  // namespace

void eliminate_redundant_checks(Block& block) {
  std::vector<Check> passed;
  for (Inst& i : block.insts) {
    if (i.op == Op::Label) passed.clear();
    auto check = check_of(block, i);
    if (!check) continue;
    if (std::find(passed.begin(), passed.end(), *check) == passed.end()) {
      passed.push_back(*check);
      continue;
    }
    Inst nothing;
    nothing.op = Op::Const, nothing.type = ir::Type::I32, nothing.guest_offset = i.guest_offset;
    i = nothing;
  }
}

}  // namespace sluice::tcg
