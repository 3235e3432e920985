// cpu/a64/translate_instruction.h: what translate_block and translate_region do for one instruction.
#pragma once
#include <bit>
#include <cstring>

#include "cpu/a64/decoder.h"
#include "cpu/emit.h"

namespace sluice::cpu::a64 {

// One guest instruction never becomes more IR ops than this.
inline constexpr size_t kMaxOpsPerInstruction = 600;

u32 word_at(const u8* host);

// The check of PSTATE.BTYPE, which is only ever non-zero where a block is entered.
void check_branch_target(Emitter& e);

// The instruction `e.word` at `e.pc`, with what comes before each and, for the `first` one of a block, before
// that. False: an exception comes before it.
bool translate_instruction(Emitter& e, const Decoder& decoder, bool first);

// In this mode FPCR lets the host's FPU compute (ir::Block::fp_inline, half_inline).
bool fp_may_be_inline(Mode mode);
bool half_may_be_inline(Mode mode);

}  // namespace sluice::cpu::a64
