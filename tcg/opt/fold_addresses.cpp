// A constant that was added to an address becomes the displacement of the access. Only where nothing else
// needs the sum: the host's addressing is free, a second live value is not.
#include <vector>

#include "tcg/ir/mem_op.h"
#include "tcg/opt/passes.h"

namespace sluice::tcg {
namespace {

using ir::Inst;
using ir::kNoValue;
using ir::MemOp;
using ir::Op;
using ir::ValueId;

bool has_displacement(const Inst& i) {
  return i.op == Op::Load || i.op == Op::LoadVec || i.op == Op::Store || i.op == Op::StoreVec;
}

// What x + constant adds, when it is small enough for another 16 bytes and a pair.
bool is_displaced(const ir::Block& block, const Inst& i, i32& by) {
  if (i.op != Op::Add || i.type != ir::Type::I64 || block.insts[i.args[1]].op != Op::Const) return false;
  constexpr i64 kMost = 1 << 20;
  i64 c = i64(block.insts[i.args[1]].imm);
  by = i32(c);
  return c >= -kMost && c <= kMost;
}

}  // namespace

void fold_addresses(ir::Block& block) {
  std::vector<bool> used_otherwise(block.insts.size());
  for (const Inst& i : block.insts)
    for (unsigned k = has_displacement(i); k < 4; k++)
      if (i.args[k] != kNoValue) used_otherwise[i.args[k]] = true;
  for (Inst& i : block.insts) {
    if (!has_displacement(i)) continue;
    i32 by = 0;
    ValueId address = i.args[0];
    if (used_otherwise[address] || !is_displaced(block, block.insts[address], by)) continue;
    MemOp op = MemOp::unpack(i.imm);
    op.displacement += by;
    i.imm = op.pack();
    i.args[0] = block.insts[address].args[0];
  }
}

}  // namespace sluice::tcg
