// tests/differential/insn_oracle/insn_oracle.h: single A64 instructions on our side (row, IR, interpreter)
// and on the other (oracle.c under qemu-aarch64), with the same registers. For any word that neither branches
// nor accesses memory.
#pragma once
#include <string>
#include <vector>

#include "cpu/a64/decoder.h"
#include "cpu/state.h"
#include "tcg/ir/block.h"
#include "tests/differential/insn_oracle/record.h"

namespace sluice::test {

// The oracle program, built into a temporary directory.
class InsnOracle {
 public:
  InsnOracle();
  ~InsnOracle();
  InsnOracle(const InsnOracle&) = delete;
  InsnOracle& operator=(const InsnOracle&) = delete;
  // The cross compiler and qemu-aarch64 are installed and the program was built.
  bool available() const { return available_; }
  // One reply for each request; none at all when the oracle did not finish.
  std::vector<InsnRecord> ask(const std::vector<InsnRecord>& requests) const;

 private:
  std::string directory_;
  bool available_ = false;
};

// What runs one block of IR on a state: the interpreter, or a back end under test.
using RunBlock = void (*)(cpu::PeState& state, const tcg::ir::Block& block);
void run_in_interpreter(cpu::PeState& state, const tcg::ir::Block& block);

// The registers after request.word. `word` of the result is 4 (SIGILL) when the word is unallocated.
InsnRecord execute(const cpu::a64::Decoder& decoder, cpu::FeatureSet features, const InsnRecord& request,
                   RunBlock run = run_in_interpreter);

// True when the two agree in all that an instruction may change.
bool agree(const InsnRecord& ours, const InsnRecord& theirs);
// A failure for a human: mnemonic, word, the registers that the word names, and what differs.
std::string describe(const cpu::a64::Decoder& decoder, const InsnRecord& request, const InsnRecord& ours,
                     const InsnRecord& theirs);

// Random and special register contents: each register has lanes of one size, of integer or floating-point
// edges or noise.
class RecordGenerator {
 public:
  explicit RecordGenerator(u64 seed);
  u64 random();
  InsnRecord registers();

 private:
  u64 lane(unsigned bits);
  u64 state_[4];
};

}  // namespace sluice::test
