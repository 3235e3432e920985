// tcg/helper.h: C++ functions that translated code calls.
#pragma once
#include <utility>

#include "tcg/exec_state.h"

namespace sluice::tcg {

// Arguments are guest values (unused ones are 0); the result is an i64 value for the IR. A helper that wants
// the block to end (it took an exception, changed the mode, ...) sets state.pc and bits of state.leave.
using HelperFunction = u64 (*)(ExecState&, u64, u64, u64);

struct Helper {
  const char* name;
  HelperFunction function;
  bool needs_pc;   // state.pc is the address of the calling instruction
  bool may_leave;  // checks state.leave after the call
};

// No exception may cross translated code: a helper that is not noexcept does not compile here.
template <class F>
constexpr Helper make_helper(const char* name, F function, bool needs_pc = true, bool may_leave = true) {
  static_assert(noexcept(function(std::declval<ExecState&>(), u64{}, u64{}, u64{})), "helpers are noexcept");
  return {name, function, needs_pc, may_leave};
}

}  // namespace sluice::tcg
