#include <algorithm>
#include <iterator>

#include "tcg/opt/passes.h"

namespace sluice::tcg {

std::span<const PassInfo> all_passes() {
  static constexpr PassInfo kPasses[] = {
      {Pass::RedundantState, "redundant-state", "values that guest registers are known to hold"},
      {Pass::ConstantFold, "constant-fold", "results of operations on constants"},
      {Pass::DeadCode, "dead-code", "operations whose results nobody uses go"},
      {Pass::RedundantChecks, "redundant-checks", "repeated checks of the stack pointer's alignment go"},
      {Pass::FoldAddresses, "fold-addresses", "offsets as part of loads and stores"},
      {Pass::VectorPatterns, "vector-patterns",
       "vector operations that are equal, or one of the host's together"},
      {Pass::InlineFp, "inline-fp", "floating point on the host's FPU"},
      {Pass::Regions, "regions", "hot loops as one unit, guest registers in host registers"},
      {Pass::Links, "links", "patched jumps between blocks of a page"},
      {Pass::JumpCache, "jump-cache", "translated code finds the targets of other branches itself"},
      {Pass::FetchedPages, "fetched-pages",
       "code is found without the MMU where a page has been fetched from"},
      {Pass::Contexts, "contexts",
       "exceptions and changes of address space go on in translated code, and find a known context at once"},
  };
  static_assert(std::size(kPasses) == size_t(Pass::kCount));
  return kPasses;
}

std::string_view parse_passes(std::string_view words, PassSet& set) {
  while (!words.empty()) {
    std::string_view word = words.substr(0, words.find(','));
    words.remove_prefix(std::min(words.size(), word.size() + 1));
    std::string_view name = word;
    bool on = !name.starts_with('-');
    if (!on) name.remove_prefix(1);
    auto info = std::ranges::find(all_passes(), name, &PassInfo::name);
    if (name == "all")
      set = on ? PassSet::all() : PassSet::none();
    else if (info != all_passes().end())
      set = set.with(info->pass, on);
    else
      return word;
  }
  return "";
}

void optimise(ir::Block& block, PassSet passes) {
  if (passes.has(Pass::RedundantState)) eliminate_redundant_state(block);
  if (passes.has(Pass::ConstantFold)) fold_constants(block);
  if (passes.has(Pass::RedundantChecks)) eliminate_redundant_checks(block);
  if (passes.has(Pass::FoldAddresses)) fold_addresses(block);
  if (passes.has(Pass::VectorPatterns)) match_vector_patterns(block);
  if (passes.has(Pass::DeadCode)) eliminate_dead_code(block);
}

}  // namespace sluice::tcg
