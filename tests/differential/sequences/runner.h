// tests/differential/sequences/runner.h: a sequence on Sluice, and what to make of a difference.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "tests/differential/sequences/generator.h"
#include "tests/differential/sequences/record.h"
#include "tests/support/user_world.h"

namespace sluice::test {

SequenceResult run_sequence(UserWorld& world, const SequenceCase& c);
// In all that code can see: registers, flags, FPSR, memory, where it stopped.
bool agree(const SequenceResult& a, const SequenceResult& b);

// The smallest sequence that this can make of `s` while `differs` holds: units and registers that do not
// matter are taken out. `differs` gets several candidates at once and says which of them differ.
using Differs = std::function<std::vector<bool>(const std::vector<SequenceCase>&)>;
Sequence minimise(const Sequence& s, const Differs& differs);

// Code with disassembly, what differs, and the case as C++ for regressions.inc.
struct NamedResult {
  const char* name;
  SequenceResult result;
};
std::string describe(const Sequence& s, const std::vector<NamedResult>& results);

}  // namespace sluice::test
