// tests/support/a64_machine.h: executes A64 words in the IR interpreter, with a flat memory of two pages and
// no PE behind it: no system registers with effects, no exceptions. A data access outside memory "faults":
// execution stops there.
#pragma once
#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/bits.h"
#include "cpu/a64/translate_block.h"
#include "cpu/mode.h"
#include "cpu/state.h"
#include "tcg/guest.h"
#include "tcg/interp/interpreter.h"

namespace sluice::test {

inline cpu::FeatureSet every_feature() {
  cpu::FeatureSet all;
  for (unsigned f = 1; f < unsigned(cpu::Feature::kCount); f++) all = all.with({cpu::Feature(f)});
  return all;
}

class A64Machine final : public tcg::Guest {
 public:
  static constexpr u64 kCode = 0x400000, kData = 0x10000, kSize = 0x2000;

  explicit A64Machine(cpu::FeatureSet features = every_feature()) : features_(features), decoder_(features) {
    state->guest = this;
    mode.set<cpu::Mode::El>(1);
  }

  std::unique_ptr<cpu::PeState> state = std::make_unique<cpu::PeState>();
  cpu::Mode mode;
  alignas(16) std::array<u8, kSize> memory{};  // as aligned as guest RAM, for 16-byte atomics
  bool faulted = false;                        // an access left memory, or was not aligned where it must be
  std::string malformed;                       // what the verifier says about the last block
  tcg::ir::Block block;                        // of the last run

  // Translates the words as one block (or less, if it ends before).
  void translate(const std::vector<u32>& words) {
    block = {};
    block.pc = kCode;
    block.mode = mode.word;
    state->pc = kCode;
    state->leave = 0;
    faulted = false;
    cpu::a64::translate_block(block, decoder_, features_,
                              {reinterpret_cast<const u8*>(words.data()), u32(words.size() * 4)},
                              unsigned(words.size()));
    malformed = verify(block);
  }
  // The same, and runs it. Not for what takes exceptions: there is no PE.
  void run(const std::vector<u32>& words) {
    translate(words);
    if (malformed.empty()) tcg::interpret(*state, block.pc, block.guest_insns, block.insts, false);
  }
  template <class T>
  T peek(u64 va) const {
    T t;
    std::memcpy(&t, &memory[va - kData], sizeof t);
    return t;
  }
  template <class T>
  void poke(u64 va, T t) {
    std::memcpy(&memory[va - kData], &t, sizeof t);
  }

  tcg::FetchTarget fetch(u64) noexcept override { return {}; }
  void translate(tcg::ir::Block&, const tcg::FetchTarget&, unsigned) noexcept override {}
  bool translate_region(tcg::ir::Block&, const tcg::FetchTarget&) noexcept override { return false; }
  tcg::DataTarget access(u64 va, unsigned size, Access, tcg::ir::MemOp) noexcept override {
    if (va >= kData && va - kData + size <= kSize)
      return {tcg::DataTarget::Kind::Host, &memory[va - kData], {}};
    fault();
    return {};
  }
  bool alignment_fault(u64, Access, tcg::ir::MemOp op) noexcept override {
    if (op.aligned) fault();
    return op.aligned;
  }
  bool mmio_load(const tcg::DataTarget&, u64, unsigned, tcg::Vec&) noexcept override { return false; }
  bool mmio_store(const tcg::DataTarget&, u64, unsigned, tcg::Vec) noexcept override { return false; }
  void code_written(GuestRam&, u64, u64) noexcept override {}
  bool attend() noexcept override { return false; }

 private:
  void fault() { faulted = true, state->leave = 1; }
  cpu::FeatureSet features_;
  cpu::a64::Decoder decoder_;
};

}  // namespace sluice::test
