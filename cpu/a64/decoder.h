// cpu/a64/decoder.h: from an A64 instruction word to its row. Made once for each CPU model from the tables of
// cpu/a64/groups.h; immutable afterwards, shared by all PEs and threads.
#pragma once
#include <span>
#include <vector>

#include "cpu/a64/insn.h"
#include "cpu/features.h"

namespace sluice::cpu::a64 {

class Decoder {
 public:
  struct Row {
    const Insn* insn;
    const Group* group;
  };

  // Only the rows whose feature the PE has.
  explicit Decoder(FeatureSet features);
  Decoder(FeatureSet features, std::span<const Group* const> groups);

  // The row with the most fixed bits among those that match, or nullptr: unallocated.
  const Row* find(u32 word) const {
    u32 bucket = word >> kBucketShift;
    for (u32 i = first_[bucket]; i < first_[bucket + 1]; i++) {
      const Row& row = rows_[order_[i]];
      if ((word & row.insn->mask) == row.insn->match) return &row;
    }
    return nullptr;
  }
  const Insn* decode(u32 word) const {
    const Row* row = find(word);
    return row ? row->insn : nullptr;
  }
  std::span<const Row> rows() const { return rows_; }  // most fixed bits first

 private:
  static constexpr unsigned kBucketShift = 21;
  static constexpr u32 kBuckets = 1u << (32 - kBucketShift);

  std::vector<Row> rows_;
  std::vector<u16> order_;  // numbers of rows, bucket after bucket
  std::vector<u32> first_;  // where each bucket begins in order_
};

// All tables.
std::span<const Group* const> all_groups();

}  // namespace sluice::cpu::a64
