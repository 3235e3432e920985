// cpu/a64/disassembler.h: A64 instructions as text, for -d in_asm and the monitor. What the installed
// Capstone may not know (everything after Armv8.0) is printed from our own tables; Capstone prints the rest.
#pragma once
#include <string>

#include "cpu/a64/decoder.h"

namespace sluice::cpu::a64 {

class Disassembler {
 public:
  explicit Disassembler(const Decoder& decoder);  // keeps the reference
  ~Disassembler();
  Disassembler(const Disassembler&) = delete;
  Disassembler& operator=(const Disassembler&) = delete;

  // "ldaddal x1, x2, [x3]"; ".word 0x00000000" for what is unallocated on this PE. One thread at a time.
  std::string text(u32 word, u64 pc) const;

 private:
  std::string capstone_text(u32 word, u64 pc) const;
  const Decoder& decoder_;
  size_t capstone_ = 0;  // csh
};

// The row's mnemonic for this word, in lower case: "LDADD<al><bh>" gives "ldaddalb".
std::string mnemonic_of(const Insn& insn, u32 word);
// The same with the operands, as far as the row has a template for them.
std::string describe(const Insn& insn, u32 word, u64 pc);

}  // namespace sluice::cpu::a64
