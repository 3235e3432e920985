// tests/differential/insn_oracle/insn_oracle_test.cpp: every Advanced SIMD, floating-point and cryptographic
// row, and every data-processing row for general registers, against qemu-aarch64 -cpu max: random encodings
// of each row with random and special register contents in all FPCR modes; then random words of the whole
// SIMD and FP encoding space, for what is UNDEFINED.
//
// SLUICE_ORACLE_SEED repeats a run; SLUICE_ORACLE_CASES sets the cases per row; SLUICE_ORACLE_ONLY selects a
// mnemonic.
#include "tests/differential/insn_oracle/insn_oracle.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>

#include "base/bits.h"
#include "cpu/a64/groups.h"

namespace sluice {
namespace {

using cpu::Feature;
using cpu::FeatureSet;
using cpu::a64::Decoder;
using cpu::a64::Group;
using cpu::a64::Insn;
using test::agree;

constexpr const Group* kSimdGroups[] = {
    &cpu::a64::kSimdThreeSame,
    &cpu::a64::kSimdScalarThreeSame,
    &cpu::a64::kSimdThreeSameFp,
    &cpu::a64::kSimdThreeSameFp16,
    &cpu::a64::kSimdScalarThreeSameFp,
    &cpu::a64::kSimdScalarThreeSameFp16,
    &cpu::a64::kSimdThreeSameExtra,
    &cpu::a64::kSimdTwoRegister,
    &cpu::a64::kSimdScalarTwoRegister,
    &cpu::a64::kSimdTwoRegisterFp,
    &cpu::a64::kSimdTwoRegisterFp16,
    &cpu::a64::kSimdScalarTwoRegisterFp,
    &cpu::a64::kSimdScalarTwoRegisterFp16,
    &cpu::a64::kSimdAcrossLanes,
    &cpu::a64::kSimdScalarPairwise,
    &cpu::a64::kSimdThreeDifferent,
    &cpu::a64::kSimdScalarThreeDifferent,
    &cpu::a64::kSimdByElement,
    &cpu::a64::kSimdScalarByElement,
    &cpu::a64::kSimdModifiedImmediate,
    &cpu::a64::kSimdShiftImmediate,
    &cpu::a64::kSimdScalarShiftImmediate,
    &cpu::a64::kSimdCopy,
    &cpu::a64::kSimdPermute,
    &cpu::a64::kCryptographic,
    &cpu::a64::kFpDataProcessing,
    &cpu::a64::kFpCompare,
    &cpu::a64::kFpConvertFixed,
    &cpu::a64::kFpConvertInteger,
};
constexpr const Group* kIntegerGroups[] = {
    &cpu::a64::kDataProcessingImmediate,
    &cpu::a64::kDataProcessingRegister,
    &cpu::a64::kFlagManipulation,
};

constexpr FeatureSet kFeatures{
    Feature::AES,    Feature::PMULL,  Feature::SHA1,    Feature::SHA256, Feature::CRC32,
    Feature::RDM,    Feature::FP16,   Feature::DotProd, Feature::FHM,    Feature::SHA3,
    Feature::SHA512, Feature::SM3,    Feature::SM4,     Feature::JSCVT,  Feature::FCMA,
    Feature::FlagM,  Feature::FlagM2, Feature::FRINTTS, Feature::I8MM,
};

u64 from_environment(const char* name, u64 otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 0) : otherwise;
}

constexpr bool matches(u64 word, u32 mask, u32 match) { return (u32(word) & mask) == match; }

// What no request may contain: QEMU 7.2 aborts on unallocated opcodes of "two-register miscellaneous (FP16)",
// and it takes the "should be zero" CRm of CFINV, AXFLAG and XAFLAG as part of the opcode.
bool avoided(const Decoder& decoder, u64 word) {
  if (matches(word, 0xdf7e0c00, 0x5e780800) || matches(word, 0x9f7e0c00, 0x0e780800))
    return !decoder.decode(u32(word));
  return matches(word, 0xfffff09f, 0xd500401f) && extract(word, 8, 4) != 0;
}
// FEAT_BF16, which `-cpu max` of QEMU has and Sluice has not: BFDOT, BFMLAL (vector, by element), BFMMLA,
// BFCVT, BFCVTN.
bool is_bf16(u64 word) {
  return matches(word, 0xbfe0fc00, 0x2e40fc00) || matches(word, 0xbfe0fc00, 0x2ec0fc00) ||
         matches(word, 0xffe0fc00, 0x6e40ec00) || matches(word, 0xbfc0f400, 0x0f40f000) ||
         matches(word, 0xbfc0f400, 0x0fc0f000) || matches(word, 0xfffffc00, 0x1e634000) ||
         matches(word, 0xbffffc00, 0x0ea16800);
}

// Where QEMU 7.2 departs from the Arm ARM.
bool is_known_difference(const InsnRecord& request, const InsnRecord& ours, const InsnRecord& theirs) {
  // "Modified immediate" with op = 1, cmode = 1111 and o2 = 1 is unallocated; QEMU takes it as a
  // half-precision FMOV.
  if (matches(request.word, 0xbff8fc00, 0x2f00fc00)) return ours.word != 0;
  // Half-precision scalar pairwise and across-lanes instructions have sz = 0; QEMU ignores the bit.
  if (matches(request.word, 0xff7fcc00, 0x5e70c800) || matches(request.word, 0xbf7fcc00, 0x0e70c800))
    return ours.word != 0;
  // FCVTZS (scalar, fixed-point) to a half-word lane: QEMU writes the sign into bits 31:16, which must be
  // zero.
  if (matches(request.word, 0xfff0fc00, 0x5f10fc00)) {
    InsnRecord repaired = theirs;
    repaired.v[request.word & 31][0] &= 0xffff;
    return agree(ours, repaired);
  }
  // FJCVTZS of a denormal that is flushed to zero: FPToFixedJS says Z = 0 ("value == 0.0 &&
  // !IsZero(op<51:0>)").
  if (matches(request.word, 0xfffffc00, 0x1e7e0000)) {
    InsnRecord repaired = theirs;
    repaired.nzcv = 0;
    return bit(request.fpcr, 24) && agree(ours, repaired);
  }
  return false;
}

// How much a reader has to look at.
u64 complexity(const InsnRecord& q) {
  u64 sum = 64 * u64(std::popcount(q.fpcr));
  for (unsigned lsb : {0, 5, 16})
    for (u64 half : q.v[q.word >> lsb & 31]) sum += u64(std::popcount(half));
  return sum;
}

class InsnOracleTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!oracle_.available()) GTEST_SKIP() << "needs aarch64-linux-gnu-gcc and qemu-aarch64";
    std::printf("seed %lu\n", seed_);
  }

  // Asks in batches and reports the simplest failure of each mnemonic.
  void compare(const Decoder& decoder, const std::vector<InsnRecord>& requests) {
    constexpr size_t kBatch = 20000;
    std::map<std::string, Failure> failures;
    for (size_t first = 0; first < requests.size(); first += kBatch) {
      const std::vector<InsnRecord> batch(
          requests.begin() + std::ptrdiff_t(first),
          requests.begin() + std::ptrdiff_t(std::min(first + kBatch, requests.size())));
      const auto replies = oracle_.ask(batch);
      ASSERT_EQ(replies.size(), batch.size()) << "the oracle did not finish";
      for (size_t i = 0; i < batch.size(); i++) judge(decoder, batch[i], replies[i], failures);
    }
    for (const auto& [name, f] : failures)
      ADD_FAILURE() << f.count << " differences, the simplest: " << f.text << "  seed " << seed_;
    std::printf("%zu cases\n", requests.size());
  }

  std::vector<InsnRecord> encodings_of_rows(const Decoder& decoder, u64 cases) {
    const char* only = std::getenv("SLUICE_ORACLE_ONLY");
    std::vector<InsnRecord> requests;
    for (const Decoder::Row& row : decoder.rows()) {
      if (only && row.insn->mnemonic != only) continue;
      if (row.insn->mnemonic.starts_with("ADR")) continue;  // the PC is not the same on both sides
      for (u64 n = 0; n < cases; n++) {
        add(decoder, requests, row.insn->match | (u32(generator_.random()) & ~row.insn->mask));
      }
    }
    return requests;
  }

  void add(const Decoder& decoder, std::vector<InsnRecord>& requests, u32 word) {
    if (avoided(decoder, word) || is_bf16(word)) return;
    requests.push_back(generator_.registers());
    requests.back().word = word;
  }

  struct Failure {
    size_t count = 0;
    u64 complexity = ~u64{0};
    std::string text;
  };
  void judge(const Decoder& decoder, const InsnRecord& request, const InsnRecord& reply,
             std::map<std::string, Failure>& failures) {
    const InsnRecord ours = test::execute(decoder, kFeatures, request);
    if (agree(ours, reply) || is_known_difference(request, ours, reply)) return;
    const Insn* insn = decoder.decode(u32(request.word));
    Failure& f = failures[insn ? std::string(insn->mnemonic) : "(no row)"];
    f.count++;
    if (complexity(request) >= f.complexity) return;
    f.complexity = complexity(request);
    f.text = test::describe(decoder, request, ours, reply);
  }

  const u64 seed_ = from_environment("SLUICE_ORACLE_SEED", std::random_device{}());
  const u64 cases_ = from_environment("SLUICE_ORACLE_CASES", 100);
  test::RecordGenerator generator_{seed_};
  test::InsnOracle oracle_;
};

TEST_F(InsnOracleTest, SimdAndFpRowsAgree) {
  const Decoder decoder(kFeatures, kSimdGroups);
  compare(decoder, encodings_of_rows(decoder, cases_));
}

TEST_F(InsnOracleTest, GeneralDataProcessingRowsAgree) {
  const Decoder decoder(kFeatures, kIntegerGroups);
  compare(decoder, encodings_of_rows(decoder, cases_));
}

// Bits 28:25 = x111: what has no row here must be UNDEFINED there, and the other way round.
TEST_F(InsnOracleTest, TheSimdEncodingSpaceHasTheSameHoles) {
  const Decoder decoder(kFeatures, kSimdGroups);
  const auto rows = decoder.rows();
  std::vector<InsnRecord> requests;
  for (u64 n = 0; n < cases_ * 300; n++) {
    u32 word = u32(generator_.random());
    if (n % 2) {  // most of the space is far from any row: half of the words differ from one in two bits
      const Insn& insn = *rows[generator_.random() % rows.size()].insn;
      word = insn.match | (word & ~insn.mask);
      word ^= 1u << (generator_.random() % 32) | 1u << (generator_.random() % 32);
    }
    add(decoder, requests, word | 7u << 25);
  }
  compare(decoder, requests);
}

}  // namespace
}  // namespace sluice
