// tcg/ir/fp_lanes.h: how the meanings of floating-point ops go over lanes, and their Context.
#pragma once
#include <type_traits>

#include "tcg/exec_state.h"
#include "tcg/fp/fp.h"
#include "tcg/ir/lane_loops.h"

namespace sluice::tcg::ir::fpl {

// FPCR of the state; what is raised goes to FPSR at the end of the scope.
class StateContext {
 public:
  explicit StateContext(ExecState& state) : state_(state), context_{state.fpcr, 0} {}
  ~StateContext() { state_.fpsr |= context_.fpsr; }
  StateContext(const StateContext&) = delete;
  StateContext& operator=(const StateContext&) = delete;
  operator fp::Context&() { return context_; }

 private:
  ExecState& state_;
  fp::Context context_;
};

// f(Format{}) with the format of 2^esize bytes.
template <class F>
decltype(auto) with_format(unsigned esize, F&& f) {
  switch (esize) {
    case 1: return f(fp::Half{});
    case 2: return f(fp::Single{});
    default: return f(fp::Double{});
  }
}

// f.operator()<Format>(lanes..., context) for the first `count` lanes.
template <class F, class... V>
Vec map_fp(unsigned esize, unsigned count, ExecState& state, const F& f, const V&... v) {
  StateContext context(state);
  fp::Context& cx = context;
  return with_format(esize, [&]<class Format>(Format) {
    auto lane = [&](auto... x) { return f.template operator()<Format>(x..., cx); };
    return map_lanes<fp::Bits<Format>>(count, lane, v...);
  });
}

}  // namespace sluice::tcg::ir::fpl
