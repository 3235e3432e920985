// A pure op, or a read of state, whose result nobody uses is removed.
#include "tcg/opt/passes.h"

namespace sluice::tcg {

void eliminate_dead_code(ir::Block& block) {
  auto& insts = block.insts;
  std::vector<bool> used(insts.size());
  auto removable = [](const ir::Inst& i) {
    u8 p = ir::info(i.op).properties;
    return (p & ir::Pure) || i.op == ir::Op::GetState;
  };
  for (size_t n = insts.size(); n-- > 0;) {
    if (removable(insts[n]) && !used[n]) continue;
    used[n] = true;
    for (ir::ValueId a : insts[n].args)
      if (a != ir::kNoValue) used[a] = true;
  }
  std::vector<ir::ValueId> moved(insts.size());
  size_t to = 0;
  for (size_t n = 0; n < insts.size(); n++) {
    if (!used[n]) continue;
    moved[n] = ir::ValueId(to);
    ir::Inst i = insts[n];
    for (ir::ValueId& a : i.args)
      if (a != ir::kNoValue) a = moved[a];
    insts[to++] = i;
  }
  insts.resize(to);
}

}  // namespace sluice::tcg
