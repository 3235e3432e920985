// tcg/backend.h: what the run loop asks of a code generator.
#pragma once
#include <memory>
#include <span>
#include <string>

#include "tcg/block_cache.h"
#include "tcg/exec_state.h"
#include "tcg/ir/block.h"

namespace sluice::tcg {

class Backend {
 public:
  virtual ~Backend() = default;
  // Fills `out.code`, `out.sites`; false: there is no room (make_room() and try again).
  virtual bool compile(const ir::Block& block, TranslatedBlock& out) = 0;
  virtual void enter(ExecState& state, const void* code) noexcept = 0;
  virtual void link(ChainSite& site, const void* code) = 0;
  virtual void unlink(ChainSite& site) = 0;
  // Code memory is a ring of segments. segment(): the one that code goes to now. make_room(): goes to the
  // next one and returns it; what was compiled into that one before is gone.
  virtual unsigned segment() const = 0;
  virtual unsigned make_room() = 0;
  virtual void reset() = 0;  // everything is gone
  // The host code of the block compiled last, for -d out_asm.
  virtual std::string disassemble_latest() const = 0;
};

struct BackendOptions {
  size_t code_bytes = size_t{64} << 20;  // of the code arena
  bool icount = false;
  bool contexts = true;  // exceptions and changes of context go on without the run loop where they may
  u32 loop_heat = 0;     // turns of a loop until its way back asks for a region; 0: never
};
// The x86-64 back end, or null where the host is something else or lacks SSE4.1 and POPCNT-era basics.
std::unique_ptr<Backend> make_jit(const BackendOptions& options);

}  // namespace sluice::tcg
