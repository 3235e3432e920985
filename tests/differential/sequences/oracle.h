// tests/differential/sequences/oracle.h: qemu-aarch64 as the judge of code sequences.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "tests/differential/sequences/record.h"

namespace sluice::test {

// The oracle program, built into a temporary directory.
class SequenceOracle {
 public:
  SequenceOracle();
  ~SequenceOracle();
  SequenceOracle(const SequenceOracle&) = delete;
  SequenceOracle& operator=(const SequenceOracle&) = delete;
  // The cross compiler and qemu-aarch64 are installed and the program was built.
  bool available() const { return available_; }
  // One result for each case; none at all when the oracle did not finish. Cases must not overlap within 1024.
  std::vector<SequenceResult> ask(std::span<const SequenceCase> cases) const;

 private:
  std::string directory_;
  bool available_ = false;
};

}  // namespace sluice::test
