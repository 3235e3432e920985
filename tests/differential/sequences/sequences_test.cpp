// tests/differential/sequences/sequences_test.cpp: random instruction sequences on three machines: the IR
// interpreter, the x86-64 back end, and qemu-aarch64 -cpu max. Registers, flags, FPSR and memory afterwards
// must be equal. Without the cross compiler or qemu-aarch64, the two of ours are still compared.
//
// SLUICE_SEQUENCES sets how many, SLUICE_SEQUENCES_SEED repeats a run, SLUICE_SEQUENCES_FIRST begins with
// that number.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>

#include "tests/differential/sequences/oracle.h"
#include "tests/differential/sequences/runner.h"

namespace sluice::test {
namespace {

using Accel = tcg::Vcpu::Accel;

u64 from_environment(const char* name, u64 otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 0) : otherwise;
}

constexpr u64 kBatch = 1024;
constexpr u64 kCodeBytes = 1 << 21;
static_assert(kBatch * (kSequenceMaxWords + 4) * 4 <= kCodeBytes);

class SequencesTest : public testing::TestWithParam<u64> {
 protected:
  // The first is the reference of ours. Those with a period run only every so many sequences.
  struct Machine {
    const char* name;
    UserWorld world;
    u64 period;
  };
  static constexpr u64 kBudget = 1 << 20;

  SequencesTest() {
    add("interpreter", {.accel = Accel::Interpreter}, 1);
    add("jit", {.accel = Accel::Jit}, 1);
    add("interpreter, not optimised", {.accel = Accel::Interpreter, .passes = tcg::PassSet::none()}, 8);
    add("jit, not optimised", {.accel = Accel::Jit, .passes = tcg::PassSet::none()}, 4);
    add("interpreter, icount", {.accel = Accel::Interpreter, .icount = true}, 8);
    add("jit, icount", {.accel = Accel::Jit, .icount = true}, 8);
    for (const tcg::PassInfo& p : tcg::all_passes())
      add(p.name.data(), {.accel = Accel::Jit, .passes = tcg::PassSet::all().with(p.pass, false)}, 16);
  }
  void add(const char* name, const UserWorld::Options& options, u64 period) {
    machines_.push_back(std::unique_ptr<Machine>(new Machine{name, UserWorld(options), period}));
  }

  SequenceResult run(Machine& m, const SequenceCase& c) {
    m.world.state().icount_left = kBudget;
    return run_sequence(m.world, c);
  }
  // Whether machine `m` and the reference (ours, or the oracle's) differ, for each case.
  std::vector<bool> differences(Machine& m, const std::vector<SequenceCase>& cases, bool with_oracle) {
    std::vector<SequenceResult> expected;
    if (with_oracle) {
      for (size_t i = 0; i < cases.size(); i += kBatch) {
        auto part = oracle_.ask(std::span(cases).subspan(i, std::min<size_t>(kBatch, cases.size() - i)));
        expected.insert(expected.end(), part.begin(), part.end());
      }
      if (expected.size() != cases.size()) return std::vector<bool>(cases.size());
    }
    std::vector<bool> differ;
    for (size_t i = 0; i < cases.size(); i++) {
      const SequenceResult r = run(m, cases[i]);
      differ.push_back(!agree(r, with_oracle ? expected[i] : run(*machines_[0], cases[i])));
    }
    return differ;
  }

  void report(Machine& m, const Sequence& s, u64 number, bool with_oracle) {
    if (++failures_ > 12) return;
    const Sequence smallest = minimise(s, [&](const std::vector<SequenceCase>& candidates) {
      return one_address_at_a_time(m, candidates, with_oracle);
    });
    std::vector<NamedResult> results{{m.name, run(m, smallest.data)}};
    if (with_oracle) {
      auto theirs = oracle_.ask(std::span(&smallest.data, 1));
      if (!theirs.empty()) results.push_back({"oracle", theirs[0]});
    } else {
      results.push_back({machines_[0]->name, run(*machines_[0], smallest.data)});
    }
    ADD_FAILURE() << "seed " << seed_ << ", sequence " << number << "\n" << describe(smallest, results);
  }
  // Candidates have the same address: the oracle places all of a batch before it runs the first, so each gets
  // its own.
  std::vector<bool> one_address_at_a_time(Machine& m, const std::vector<SequenceCase>& candidates,
                                          bool with_oracle) {
    if (!with_oracle) return differences(m, candidates, false);
    std::vector<SequenceCase> moved = candidates;
    // Multiples of 64 KiB keep PC-relative pages and the position in the page. There is room for 32 at once.
    std::vector<bool> differ;
    for (size_t first = 0; first < moved.size(); first += 31) {
      std::vector<SequenceCase> part(moved.begin() + std::ptrdiff_t(first),
                                     moved.begin() + std::ptrdiff_t(std::min(first + 31, moved.size())));
      for (size_t i = 0; i < part.size(); i++)
        part[i].code = kSequenceBase + (i << 16) + (part[i].code & 0xffff);
      auto some = differences(m, part, true);
      differ.insert(differ.end(), some.begin(), some.end());
    }
    return differ;
  }

  void run_batch(u64 first, u64 count) {
    std::vector<Sequence> sequences;
    std::vector<SequenceCase> cases;
    u64 address = kSequenceBase;
    for (u64 n = first; n < first + count; n++) {
      sequences.push_back(SequenceGenerator(seed_, n).make(address));
      cases.push_back(sequences.back().data);
      address += (cases.back().count + 1 + n % 3) * 4;
    }
    std::vector<SequenceResult> expected;
    if (oracle_.available()) {
      expected = oracle_.ask(cases);
      ASSERT_EQ(expected.size(), cases.size())
          << "the oracle did not finish; seed " << seed_ << " from " << first;
    }
    for (size_t i = 0; i < cases.size(); i++)
      judge(sequences[i], first + i, expected.empty() ? nullptr : &expected[i]);
  }

  void judge(const Sequence& s, u64 number, const SequenceResult* oracle) {
    const SequenceResult ours = run(*machines_[0], s.data);
    if (oracle && !agree(ours, *oracle)) report(*machines_[0], s, number, true);
    i64 icount_left = -1;
    for (size_t k = 1; k < machines_.size(); k++) {
      Machine& m = *machines_[k];
      if (number % m.period) continue;
      const bool good = agree(run(m, s.data), ours);
      const i64 left = m.world.state().icount_left;
      if (!good) report(m, s, number, false);
      if (!std::strstr(m.name, "icount")) continue;
      if (icount_left >= 0) {
        EXPECT_EQ(left, icount_left) << "instructions left; seed " << seed_ << ", sequence " << number;
      }
      icount_left = left;
    }
  }

  const u64 seed_ = from_environment("SLUICE_SEQUENCES_SEED", std::random_device{}());
  SequenceOracle oracle_;
  std::vector<std::unique_ptr<Machine>> machines_;
  unsigned failures_ = 0;
};

// In slices, which CTest runs side by side.
constexpr u64 kSlices = 8;

TEST_P(SequencesTest, AgreeOnAllMachines) {
  const u64 all = from_environment("SLUICE_SEQUENCES", 20000), count = (all + kSlices - 1) / kSlices;
  const u64 first = from_environment("SLUICE_SEQUENCES_FIRST", 0) + GetParam() * count;
  std::printf("seed %lu\n", seed_);
  if (!oracle_.available())
    std::printf("no aarch64-linux-gnu-gcc or qemu-aarch64: comparing our own machines only\n");
  for (u64 n = first; n < first + count && failures_ <= 12 && !HasFatalFailure(); n += kBatch)
    run_batch(n, std::min(kBatch, first + count - n));
  std::printf("%lu sequences, %u differences\n", count, failures_);
}

// What a failure prints, to be pasted into regressions.inc.
struct Regression {
  struct X {
    unsigned n;
    u64 value;
  };
  struct V {
    unsigned n;
    u64 low, high;
  };
  struct Word {
    unsigned offset;
    u64 value;
  };
  u64 code, fpcr, fpsr, nzcv, sp;
  std::vector<X> x;
  std::vector<V> v;
  std::vector<Word> window;
  std::vector<u32> pool, words;
};

SequenceCase case_of(const Regression& r) {
  SequenceCase c{};
  c.code = r.code;
  c.registers.fpcr = r.fpcr, c.registers.fpsr = r.fpsr, c.registers.nzcv = r.nzcv, c.registers.sp = r.sp;
  for (const Regression::X& x : r.x) c.registers.x[x.n] = x.value;
  for (const Regression::V& v : r.v) c.registers.v[v.n][0] = v.low, c.registers.v[v.n][1] = v.high;
  for (const Regression::Word& w : r.window) std::memcpy(c.window + w.offset, &w.value, sizeof w.value);
  std::copy_n(r.pool.begin(), std::min<size_t>(r.pool.size(), kSequencePoolWords), c.words);
  constexpr u32 kEntry[] = {0xf940781e, 0xf9400000};  // see record.h
  std::memcpy(c.words + kSequencePoolWords, kEntry, sizeof kEntry);
  std::memcpy(c.words + kSequencePoolWords + kSequenceEntryWords, r.words.data(), r.words.size() * 4);
  c.count = kSequencePoolWords + kSequenceEntryWords + r.words.size();
  return c;
}

const Regression kRegressions[] = {
#include "tests/differential/sequences/regressions.inc"
};

class SequenceRegressions : public SequencesTest {};
TEST_P(SequenceRegressions, StayFixed) {
  for (size_t n = 0; n < std::size(kRegressions); n++) {
    const Sequence s{case_of(kRegressions[n]), {}};
    std::vector<SequenceResult> oracle;
    if (oracle_.available()) oracle = oracle_.ask(std::span(&s.data, 1));
    judge(s, 0, oracle.empty() ? nullptr : &oracle[0]);
  }
}

INSTANTIATE_TEST_SUITE_P(Slice, SequencesTest, testing::Range(u64{0}, kSlices));
INSTANTIATE_TEST_SUITE_P(All, SequenceRegressions, testing::Values(u64{0}));

}  // namespace
}  // namespace sluice::test
