// tests/differential/fp_oracle/fp_oracle_test.cpp: tcg/fp against an independent implementation of the same
// instructions: random and special operands in every FPCR mode go through oracle.c under qemu-aarch64, and
// results and FPSR must agree bit for bit. Skipped where the cross compiler or qemu-aarch64 is not installed.
//
// SLUICE_FP_ORACLE_SEED repeats a run; SLUICE_FP_ORACLE_CASES sets the random cases per operation.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/bits.h"
#include "tcg/fp/fp.h"
#include "tests/differential/fp_oracle/protocol.h"

namespace sluice {
namespace {

using fp::Double, fp::Half, fp::Rounding, fp::Single;

enum class Operand : u8 {
  Half,
  Single,
  Double,
  Int16,
  Int32,
  Int64,
  IntHalf = Int16,
  IntSingle = Int32,
  IntDouble = Int64
};
enum class Result : u8 { V, X, Flags };

struct Operation {
  const char* name;
  Operand operand;
  unsigned count;
  Result result;
  u64 (*meaning)(u64 a, u64 b, u64 c, fp::Context& cx);
};

template <class F>
u64 mask(bool condition) {
  return condition ? ones(F::kBits) : 0;
}

constexpr Operation kOperations[] = {
#define OP(name, operand, count, result, instruction, ...)                    \
  {#name, Operand::operand, count, Result::result,                            \
   []([[maybe_unused]] u64 a, [[maybe_unused]] u64 b, [[maybe_unused]] u64 c, \
      [[maybe_unused]] fp::Context& cx) -> u64 { return __VA_ARGS__; }},
#include "tests/differential/fp_oracle/operations.inc"
#undef OP
};

struct Format {
  unsigned bits, fraction;
};
constexpr Format kFormats[] = {{16, 10}, {32, 23}, {64, 52}, {16, 0}, {32, 0}, {64, 0}};

// Zeros, denormals, the edges of every range, infinities, quiet and signalling NaNs, of both signs.
std::vector<u64> special_values(Format f) {
  std::vector<u64> values;
  const u64 one = ((ones(f.bits - f.fraction - 1) >> 1)) << f.fraction;
  const u64 infinity = ones(f.bits - f.fraction - 1) << f.fraction;
  const u64 minimum = u64{1} << f.fraction;
  const u64 quiet = minimum >> 1;
  for (u64 v : {u64{0},
                u64{1},
                u64{2},
                quiet,
                quiet + 1,
                minimum - 1,
                minimum,
                minimum + 1,
                minimum * 2,
                one - 1,
                one,
                one + 1,
                one - minimum,
                one + quiet,
                one + minimum,
                one + minimum + quiet,
                infinity - 1,
                infinity - minimum,
                infinity - 2 * minimum,
                infinity,
                infinity | 1,
                infinity | (quiet - 1),
                infinity | quiet,
                infinity | quiet | 5,
                infinity | (minimum - 1)}) {
    values.push_back(v & ones(f.bits));
    values.push_back((v | u64{1} << (f.bits - 1)) & ones(f.bits));
  }
  return values;
}

class Generator {
 public:
  explicit Generator(u64 seed) : random_(seed) {
    for (unsigned i = 0; i < 6; i++)
      special_[i] = i < 3 ? special_values(kFormats[i]) : integers(kFormats[i].bits);
  }

  const std::vector<u64>& special(Operand operand) const { return special_[unsigned(operand)]; }

  u32 fpcr() {
    u64 r = random_();
    return u32(r) & fp::kFpcrImplemented & (r >> 32 & 1 ? ~0u : u32{fp::kFpcrRMode});
  }

  u64 operand(Operand type) {
    const Format f = kFormats[unsigned(type)];
    u64 value = random_();
    switch (random_() % 8) {
      case 0: return special(type)[value % special(type).size()];
      case 1: value &= ~u64{0} << (random_() % f.bits); break;     // trailing zeros: exact results, ties
      case 2: value |= ones(unsigned(random_() % f.bits)); break;  // trailing ones: carries
      case 3: value >>= random_() % 64; break;                     // small integers, denormals
      case 4: return f.fraction ? near_one(f, value, 4) : value & ones(f.bits);
      case 5: return f.fraction ? near_one(f, value, 40) : value & ones(f.bits);
      case 6: return f.fraction ? near_one(f, value, 130) : value & ones(f.bits);
      default: break;
    }
    return value & ones(f.bits);
  }

  // An operand for use with `other`: sometimes its neighbour, so that sums cancel and comparisons meet.
  u64 related(Operand type, u64 other) {
    const Format f = kFormats[unsigned(type)];
    const u64 r = random_();
    if (r % 8 == 0) return (other ^ (r >> 8 & 1) << (f.bits - 1)) & ones(f.bits);
    if (r % 8 == 1) return (other + (r >> 8) % 5 - 2 + ((r >> 16 & 1) << (f.bits - 1))) & ones(f.bits);
    return operand(type);
  }

  // For a fused multiply-add: minus the rounded product, or so.
  u64 related_addend(Operand type, u64 a, u64 b) {
    const u64 r = random_();
    if (r % 4 != 0 || type > Operand::Double) return operand(type);
    const Format f = kFormats[unsigned(type)];
    fp::Context cx;
    u64 product = 0;
    if (type == Operand::Half) product = fp::FPMul<Half>(u16(a), u16(b), cx);
    if (type == Operand::Single) product = fp::FPMul<Single>(u32(a), u32(b), cx);
    if (type == Operand::Double) product = fp::FPMul<Double>(a, b, cx);
    return (product + (r >> 8) % 5 - 2 + ((r >> 16 & 1) << (f.bits - 1)) + ((r >> 20 & 7) << f.fraction)) &
           ones(f.bits);
  }

 private:
  // An exponent within `spread` of that of 1.0 (wrapping is welcome), any sign and fraction.
  u64 near_one(Format f, u64 value, unsigned spread) {
    const unsigned width = f.bits - f.fraction - 1;
    const u64 exponent = (ones(width) >> 1) + random_() % (2 * spread + 1) - spread;
    return deposit(value, f.fraction, width, exponent) & ones(f.bits);
  }

  static std::vector<u64> integers(unsigned bits) {
    std::vector<u64> values;
    for (unsigned shift = 0; shift < bits; shift += 1)
      for (u64 offset : {~u64{0}, u64{0}, u64{1}}) {
        values.push_back(((u64{1} << shift) + offset) & ones(bits));
        values.push_back((0 - ((u64{1} << shift) + offset)) & ones(bits));
      }
    return values;
  }

  std::mt19937_64 random_;
  std::array<std::vector<u64>, 6> special_;
};

u64 from_environment(const char* name, u64 otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 0) : otherwise;
}

std::vector<OracleRequest> make_requests(Generator& g, u64 cases) {
  std::vector<OracleRequest> requests;
  for (u32 i = 0; i < std::size(kOperations); i++) {
    const Operation& op = kOperations[i];
    const auto& special = g.special(op.operand);
    if (op.count == 1)
      for (u64 a : special)
        for (int n = 0; n < 6; n++) requests.push_back({i, g.fpcr(), a, 0, 0});
    if (op.count == 2)
      for (u64 a : special)
        for (u64 b : special) requests.push_back({i, g.fpcr(), a, b, 0});
    if (op.count == 3)
      for (u64 a : special)
        for (u64 b : special)
          for (int n = 0; n < 8; n++)
            requests.push_back({i, g.fpcr(), a, b, special[(g.operand(Operand::Int64)) % special.size()]});
    for (u64 n = 0; n < cases * op.count; n++) {
      const u64 a = g.operand(op.operand);
      const u64 b = op.count > 1 ? g.related(op.operand, a) : 0;
      requests.push_back({i, g.fpcr(), a, b, op.count > 2 ? g.related_addend(op.operand, a, b) : 0});
    }
  }
  return requests;
}

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "fp_oracle_XXXXXX").string();
    if (mkdtemp(pattern.data())) path_ = pattern;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  std::string file(const char* name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

int run(const std::string& command) { return std::system(command.c_str()); }

bool installed(const std::string& program) { return run("command -v " + program + " >/dev/null 2>&1") == 0; }

std::vector<OracleReply> ask(const TemporaryDirectory& directory,
                             const std::vector<OracleRequest>& requests) {
  const auto source = std::filesystem::path(SLUICE_SOURCE_DIR) / "tests/differential/fp_oracle/oracle.c";
  const std::string program = directory.file("oracle"), in = directory.file("in"),
                    out = directory.file("out");
  if (run("aarch64-linux-gnu-gcc -O1 -static -march=armv8.5-a+fp16 -o '" + program + "' '" + source.string() +
          "'"))
    return {};
  std::ofstream(in, std::ios::binary)
      .write(reinterpret_cast<const char*>(requests.data()),
             std::streamsize(requests.size() * sizeof requests[0]));
  if (run("timeout 120 qemu-aarch64 -cpu max '" + program + "' <'" + in + "' >'" + out + "'")) return {};
  std::vector<OracleReply> replies(requests.size());
  std::ifstream file(out, std::ios::binary);
  file.read(reinterpret_cast<char*>(replies.data()), std::streamsize(replies.size() * sizeof replies[0]));
  if (size_t(file.gcount()) != replies.size() * sizeof replies[0]) return {};
  return replies;
}

struct Answer {
  u64 value;
  u32 fpsr;
  bool operator==(const Answer&) const = default;
};

Answer ours(const OracleRequest& q) {
  fp::Context cx{q.fpcr, 0};
  const u64 value = kOperations[q.operation].meaning(q.a, q.b, q.c, cx);
  return {value, cx.fpsr};
}

Answer theirs(const OracleRequest& q, const OracleReply& r) {
  const Result where = kOperations[q.operation].result;
  const u64 value = where == Result::V ? r.v : where == Result::X ? r.x : r.nzcv >> 28;
  return {value, r.fpsr & fp::kFpsrCumulative};
}

// Where the oracle of this test's generation (qemu 7.2) is known not to do what the Arm ARM says; the Arm ARM
// wins.
// - FCVTZS Hd, Hn, #fbits: V[d] is zero above the 16-bit result; qemu leaves the sign in bits 31:16.
// - FJCVTZS with FPCR.FZ of a positive denormal: FPToFixedJS() clears Z when a nonzero operand was flushed to
// zero,
//   and so do later versions of qemu; 7.2 leaves Z set. FPSR and the result agree.
bool agree(const OracleRequest& q, Answer us, Answer them) {
  const std::string_view name = kOperations[q.operation].name;
  if (name.starts_with("fcvtzs_v_h_")) them.value &= 0xffff;
  const bool positive_denormal = q.a != 0 && q.a < u64{1} << 52;
  if (name == "fjcvtzs_flags" && (q.fpcr & fp::kFpcrFZ) && positive_denormal)
    return us.value == 0 && us.fpsr == them.fpsr;
  return us == them;
}

std::string describe(const OracleRequest& q, const Answer& us, const Answer& them) {
  char text[400];
  std::snprintf(text, sizeof text,
                "%s FPCR=%08x (RMode=%u%s%s%s%s) a=%#lx b=%#lx c=%#lx\n"
                "  ours %#lx FPSR=%02x, oracle %#lx FPSR=%02x",
                kOperations[q.operation].name, q.fpcr, q.fpcr >> 22 & 3, q.fpcr & fp::kFpcrFZ ? " FZ" : "",
                q.fpcr & fp::kFpcrFZ16 ? " FZ16" : "", q.fpcr & fp::kFpcrDN ? " DN" : "",
                q.fpcr & fp::kFpcrAHP ? " AHP" : "", q.a, q.b, q.c, us.value, us.fpsr, them.value, them.fpsr);
  return text;
}

// How much a reader has to look at: mode bits that are set, then operand bits that are set.
int complexity(const OracleRequest& q) {
  return 64 * std::popcount(q.fpcr) + std::popcount(q.a) + std::popcount(q.b) + std::popcount(q.c);
}

TEST(FpOracle, EveryInstructionAgreesBitForBit) {
  if (!installed("aarch64-linux-gnu-gcc") || !installed("qemu-aarch64"))
    GTEST_SKIP() << "needs aarch64-linux-gnu-gcc and qemu-aarch64";
  const u64 seed = from_environment("SLUICE_FP_ORACLE_SEED", std::random_device{}());
  std::printf("seed %lu\n", seed);
  Generator generator(seed);
  const auto requests = make_requests(generator, from_environment("SLUICE_FP_ORACLE_CASES", 3000));
  TemporaryDirectory directory;
  const auto replies = ask(directory, requests);
  ASSERT_EQ(replies.size(), requests.size()) << "the oracle did not build or did not finish";

  std::array<size_t, std::size(kOperations)> failures{};
  std::array<const OracleRequest*, std::size(kOperations)> simplest{};
  for (size_t i = 0; i < requests.size(); i++) {
    const OracleRequest& q = requests[i];
    if (agree(q, ours(q), theirs(q, replies[i]))) continue;
    failures[q.operation]++;
    const OracleRequest*& best = simplest[q.operation];
    if (!best || complexity(q) < complexity(*best)) best = &q;
  }
  for (size_t op = 0; op < failures.size(); op++)
    if (failures[op]) {
      const OracleRequest& q = *simplest[op];
      ADD_FAILURE() << failures[op] << " differences, the simplest: "
                    << describe(q, ours(q), theirs(q, replies[size_t(&q - requests.data())])) << "\n  seed "
                    << seed;
    }
  std::printf("%zu cases of %zu operations\n", requests.size(), std::size(kOperations));
}

}  // namespace
}  // namespace sluice
