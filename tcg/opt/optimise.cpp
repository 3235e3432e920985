#include "tcg/opt/passes.h"

namespace sluice::tcg {

void optimise(ir::Block& block, PassSet passes) {
  if (passes.has(Pass::RedundantState)) eliminate_redundant_state(block);
  if (passes.has(Pass::ConstantFold)) fold_constants(block);
  if (passes.has(Pass::RedundantChecks)) eliminate_redundant_checks(block);
  if (passes.has(Pass::FoldAddresses)) fold_addresses(block);
  if (passes.has(Pass::VectorPatterns)) match_vector_patterns(block);
  if (passes.has(Pass::DeadCode)) eliminate_dead_code(block);
}

}  // namespace sluice::tcg
