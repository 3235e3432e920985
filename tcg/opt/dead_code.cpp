// A pure op, or a read of state, whose result nobody uses is removed.
#include "tcg/opt/passes.h"
#include "tcg/opt/value_map.h"

namespace sluice::tcg {

void eliminate_dead_code(ir::Block& block) {
  auto& insts = block.insts;
  constexpr ir::ValueId kUnused = ir::kNoValue, kUsed = 0;
  ValueMap map(block);
  for (size_t n = 0; n < insts.size(); n++) map[n] = kUnused;
  size_t removed = 0;
  for (size_t n = insts.size(); n-- > 0;) {
    const ir::Inst& i = insts[n];
    bool removable = (ir::info(i.op).properties & ir::Pure) || i.op == ir::Op::GetState;
    if (removable && map[n] == kUnused) {
      removed++;
      continue;
    }
    map[n] = kUsed;
    for (ir::ValueId a : i.args)
      if (a != ir::kNoValue) map[a] = kUsed;
  }
  if (!removed) return;
  // From here on the map says where each value has gone.
  size_t to = 0;
  for (size_t n = 0; n < insts.size(); n++) {
    if (map[n] == kUnused) continue;
    map[n] = ir::ValueId(to);
    ir::Inst i = insts[n];
    map.apply_to(i);
    insts[to++] = i;
  }
  insts.resize(to);
}

}  // namespace sluice::tcg
