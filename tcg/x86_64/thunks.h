// tcg/x86_64/thunks.h: the fixed pieces of generated code that all blocks share: the way in and out, and the
// calls of the memory slow path, which keep every register.
#pragma once
#include "memory/attrs.h"
#include "tcg/x86_64/code_arena.h"
#include "tcg/x86_64/registers.h"

namespace sluice::tcg::x86_64 {

struct FpConstants {  // 16-byte aligned, in the arena
  alignas(16) u64 abs32[2], abs64[2], min_normal32[2], min_normal64[2];
  // Flags::word by AH & 0x45 after (U)COMISx: greater 0, less 1, equal 0x40, unordered 0x45.
  u16 compare_flags[0x46];
};

inline constexpr unsigned kSlowOpAux = 24;

class Thunks {
 public:
  // Emits them at the start of the arena.
  // `contexts`: see BackendOptions.
  explicit Thunks(CodeArena& arena, bool contexts = true);

  using Enter = void (*)(ExecState*, const void* code);
  Enter enter = nullptr;
  const u8* exit = nullptr;  // jump here with state.pc set
  // Jump here with a target in RCX that the jump cache does not have, or whose exit (state.link_site) is not
  // linked: goes on there, or to the run loop.
  const u8* find = nullptr;
  // Jump here with state.pc set when the context may have changed (ExecState::leave says why, or 0): goes on
  // there in the context of now, or to the run loop.
  const u8* go_on = nullptr;
  // Call with state.slow_* and state.pc set. Return with state.slow_value; do not return when the access
  // faulted.
  const u8* load[2] = {};  // [0]: no vector register is live; [1]: all are kept
  const u8* store[2] = {};
  // The same with the operand, or what is expected and desired, in slow_value; what was there, or the status,
  // comes back in it. Beside the MemOp, slow_op has the op's aux from bit kSlowOpAux on.
  const u8* atomic_rmw[2] = {};
  const u8* compare_swap[2] = {};
  const u8* store_exclusive[2] = {};
  const u8* zero_block[2] = {};
  // Call with an EvalFrame at RSP whose out.lo is the function; keeps every register.
  const u8* evaluate = nullptr;
  // By Access - 1 and register: the register holds an address, state.probe says what is accessed there. With
  // CF clear the bank has the page, and the register holds the addend. Keeps every other register.
  const u8* probe[3][kGpCount] = {};
  const FpConstants* constants = nullptr;

 private:
  const u8* go_on_thunk(CodeArena& arena);
  const u8* slow_path(CodeArena& arena, const void* function, bool keep_vectors);
  const u8* probe_thunk(CodeArena& arena, Access access, Gp address, const u8* copy);
};

// Jumps to the code of the guest address in RCX, if the jump cache of the current context has it, else to
// `otherwise`.
void emit_jump_cache_probe(x86::Assembler& a, const u8* otherwise);

}  // namespace sluice::tcg::x86_64
