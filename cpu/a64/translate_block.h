// cpu/a64/translate_block.h: fills a block of IR from A64 code.
#pragma once
#include "cpu/a64/decoder.h"
#include "cpu/mode.h"
#include "tcg/ir/block.h"

namespace sluice::cpu::a64 {

// Where the words of a block come from.
struct CodeBytes {
  const u8* host = nullptr;  // little endian, as in guest memory
  u32 bytes = 0;             // up to the end of the page, or of the smaller block that was translated
};

// Translates at least one and at most `max_insns` instructions from block.pc on, in the mode `block.mode`
// (which says what is enabled, trapped and checked). Stops behind a branch or another instruction that ends
// the block. The block verifies afterwards. `block` is empty apart from pc and mode.
void translate_block(tcg::ir::Block& block, const Decoder& decoder, FeatureSet features, CodeBytes code,
                     unsigned max_insns);

// The loops through `region.pc` (pc and mode set, empty) inside its page, as a region. `code` is at region.pc
// and goes no further than the page; what is in front of it in the page belongs to it, too. False: there is
// no loop, or none that is worth it (too large, full of helper calls), or the mode looks at every
// instruction.
bool translate_region(tcg::ir::Block& region, const Decoder& decoder, FeatureSet features, CodeBytes code);

}  // namespace sluice::cpu::a64
