// tests/differential/sequences/generator.h: random sequences of A64 instructions that come to an end and
// touch only the memory that the record describes. Words are random encodings of the rows of the decode
// tables, so what is tested follows the tables.
//
// X25 counts loops, X26 is the address of the data window, X27 a small index: nothing else writes them.
#pragma once
#include <vector>

#include "tests/differential/insn_oracle/insn_oracle.h"
#include "tests/differential/sequences/record.h"
#include "tests/support/user_world.h"

namespace sluice::test {

// Words that belong together: an access and what makes its base, a branch and what makes its target.
struct SequenceUnit {
  u32 first, count;
};
struct Sequence {
  SequenceCase data;
  std::vector<SequenceUnit> units;
};

class SequenceGenerator {
 public:
  // Sequence number n of a seed is always the same one.
  SequenceGenerator(u64 seed, u64 number);
  static const cpu::a64::Decoder& decoder();

  // The code is to begin at `address`.
  Sequence make(u64 address);

 private:
  // The rows by what has to be done for them.
  struct Rows {
    std::vector<const cpu::a64::Insn*> general, memory, structure, exclusive, atomic, branch, fp, simd,
        crypto;
  };
  static const Rows& rows();

  struct Link {      // a branch whose target is known when all units are
    u32 word, unit;  // the word to patch; the unit that it is to reach
  };

  u64 random() { return noise_.random(); }
  u64 below(u64 n) { return random() % n; }
  u32 any(const cpu::a64::Insn& insn) { return insn.match | (u32(random()) & ~insn.mask); }
  const cpu::a64::Insn& pick(const std::vector<const cpu::a64::Insn*>& from) {
    return *from[below(from.size())];
  }

  void append(u32 word) { out_.data.words[out_.data.count++] = word; }
  void add_unit();
  void append_some();
  u32 data_processing(const std::vector<const cpu::a64::Insn*>& from);
  bool memory_access(bool faulting);
  u32 memory_word();
  u32 base_setup(unsigned n, u64 offset, bool faulting);
  bool acceptable(u32 word, unsigned base, u64 address, bool faulting);
  void exclusive_pair();
  void state_register();
  void branch();
  void loop_begin();
  void loop_end();

  RecordGenerator noise_;
  Sequence out_;
  std::vector<Link> links_;
  u32 loop_start_ = 0;  // unit number behind the open loop's beginning; 0: none is open
};

}  // namespace sluice::test
