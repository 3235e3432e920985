// Our decoder against LLVM's: for many words, is it an instruction, and which one? Needs llvm-mc-14 (or
// llvm-mc); skipped without. Words come from every row of our tables with random fields, from the same with
// one bit flipped, and from a random generator. SLUICE_SEED=n repeats a run, SLUICE_WORDS=n sets how many
// words of each kind.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/bits.h"
#include "cpu/a64/disassembler.h"
#include "cpu/a64/translate_block.h"
#include "cpu/exception.h"

namespace sluice::cpu::a64 {
namespace {

constexpr const char* kAttributes =
    "+v8.5a,+fullfp16,+fp16fml,+aes,+sha2,+sha3,+sm4,+lse,+rdm,+dotprod,+crc,+pauth,+flagm,+altnzcv,+rcpc,+"
    "rcpc-immo,"
    "+jsconv,+complxnum,+fptoint,+bti,+sb,+ssbs,+predres,+i8mm,+rand,+ccdp";
constexpr std::string_view kUndefined_ = "undefined";

FeatureSet every_feature() {
  FeatureSet all;
  for (unsigned f = 1; f < unsigned(Feature::kCount); f++)
    if (Feature(f) != Feature::BF16) all = all.with({Feature(f)});  // no BF16 rows in any model yet
  return all;
}

// What LLVM makes of each word: its mnemonic, or "undefined".
class Llvm {
 public:
  Llvm() {
    for (const char* program : {"llvm-mc-14", "llvm-mc"})
      if (program_.empty() &&
          !std::system((std::string("command -v ") + program + " >/dev/null 2>&1").c_str()))
        program_ = program;
    std::string pattern = (std::filesystem::temp_directory_path() / "decoder_vs_llvm_XXXXXX").string();
    if (mkdtemp(pattern.data())) directory_ = pattern;
  }
  ~Llvm() {
    std::error_code ignored;
    if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
  }
  bool available() const { return !program_.empty() && !directory_.empty(); }

  std::vector<std::string> names(const std::vector<u32>& words) const {
    const std::string in = directory_ + "/in", out = directory_ + "/out", err = directory_ + "/err";
    {
      std::ofstream file(in);
      for (u32 w : words) {
        char line[32];
        std::snprintf(line, sizeof line, "0x%02x 0x%02x 0x%02x 0x%02x\n", w & 255, w >> 8 & 255,
                      w >> 16 & 255, w >> 24);
        file << line;
      }
    }
    // It exits with 1 when some word is invalid.
    [[maybe_unused]] int status =
        std::system(("timeout 300 " + program_ + " --disassemble --arch=aarch64 -mattr=" + kAttributes +
                     " <" + in + " >" + out + " 2>" + err)
                        .c_str());
    std::vector<std::string> result(words.size());
    std::ifstream errors(err), text(out);
    for (std::string line; std::getline(errors, line);) {
      unsigned number = 0;
      if (line.find("invalid instruction encoding") != line.npos &&
          std::sscanf(line.c_str(), "<stdin>:%u:", &number) == 1 && number >= 1 && number <= words.size())
        result[number - 1] = kUndefined_;
    }
    size_t at = 0;
    for (std::string line; std::getline(text, line);) {
      size_t first = line.find_first_not_of("\t ");
      if (first == line.npos || line[first] == '.') continue;
      while (at < words.size() && !result[at].empty()) at++;
      if (at == words.size()) return {};
      size_t end = line.find_first_of("\t ", first);
      result[at++] = line.substr(first, end - first);
    }
    return result;
  }

 private:
  std::string program_, directory_;
};

// The same from us: the row's mnemonic, or "undefined" when there is no row or its semantics say so.
std::string our_name(const Decoder& decoder, FeatureSet features, u32 word) {
  tcg::ir::Block block;
  block.pc = 0x1000;
  Mode mode;
  mode.set<Mode::El>(1);
  block.mode = mode.word;
  u8 bytes[4] = {u8(word), u8(word >> 8), u8(word >> 16), u8(word >> 24)};
  translate_block(block, decoder, features, {bytes, 4}, 1);
  EXPECT_EQ(tcg::ir::verify(block), "") << std::hex << word;
  for (const tcg::ir::Inst& i : block.insts)
    if (i.op == tcg::ir::Op::Call && i.imm == reinterpret_cast<u64>(&kUndefined))
      return std::string(kUndefined_);
  const Insn* insn = decoder.decode(word);
  return insn ? mnemonic_of(*insn, word) : std::string(kUndefined_);
}

// Spaces where the two are not expected to agree, with the reason.
struct Exception_ {
  u32 mask, match;
  const char* reason;
};
constexpr Exception_ kExceptions[] = {
    {0xffc00000, 0xd5000000,
     "system registers and instructions: ours depend on the register, tests/unit has them"},
    {0xff000000, 0xd4000000, "exception generation: HVC, SMC, DCPS depend on the EL"},
    {0xff9f0000, 0xd69f0000, "ERET and DRPS depend on the EL"},
    {0xffff0000, 0x00000000, "UDF is permanently undefined: an instruction to LLVM"},
};
const char* exception_for(u32 word) {
  for (const Exception_& e : kExceptions)
    if ((word & e.mask) == e.match) return e.reason;
  return nullptr;
}

// What else LLVM calls an instruction: its preferred aliases.
const std::map<std::string, std::set<std::string>>& aliases() {
  static const std::map<std::string, std::set<std::string>> map = {
      {"add", {"mov"}},
      {"adds", {"cmn"}},
      {"sub", {"neg"}},
      {"subs", {"cmp", "negs"}},
      {"ands", {"tst"}},
      {"orr", {"mov"}},
      {"orn", {"mvn"}},
      {"movz", {"mov"}},
      {"movn", {"mov"}},
      {"sbc", {"ngc"}},
      {"sbcs", {"ngcs"}},
      {"sbfm", {"asr", "sbfx", "sbfiz", "sxtb", "sxth", "sxtw"}},
      {"ubfm", {"lsl", "lsr", "ubfx", "ubfiz", "uxtb", "uxth"}},
      {"bfm", {"bfi", "bfxil", "bfc"}},
      {"extr", {"ror"}},
      {"lslv", {"lsl"}},
      {"lsrv", {"lsr"}},
      {"asrv", {"asr"}},
      {"rorv", {"ror"}},
      {"csinc", {"cset", "cinc"}},
      {"csinv", {"csetm", "cinv"}},
      {"csneg", {"cneg"}},
      {"madd", {"mul"}},
      {"msub", {"mneg"}},
      {"smaddl", {"smull"}},
      {"smsubl", {"smnegl"}},
      {"umaddl", {"umull"}},
      {"umsubl", {"umnegl"}},
      {"not", {"mvn"}},
      {"fccmp", {"fccmpe"}},
      {"umov", {"mov"}},
      {"ins", {"mov"}},
      {"dup", {"mov"}},
      {"sshll", {"sxtl"}},
      {"sshll2", {"sxtl2"}},
      {"ushll", {"uxtl"}},
      {"ushll2", {"uxtl2"}}};
  return map;
}

bool same_name(const std::string& ours, const std::string& llvm) {
  if (ours == llvm) return true;
  if (ours == kUndefined_ || llvm == kUndefined_) return false;
  if (auto a = aliases().find(ours); a != aliases().end() && a->second.contains(llvm)) return true;
  if (ours == "b") return llvm.starts_with("b.");
  if (ours.starts_with("crc32")) return llvm.starts_with(ours);
  // LD<op> into register 31 is ST<op>.
  if (ours.starts_with("ld") && llvm.starts_with("st") && ours.substr(2) == llvm.substr(2)) return true;
  // "Second half" forms: Q is part of the name.
  return llvm == ours + "2";
}

class DecoderVsLlvm : public testing::Test {
 protected:
  void compare(const std::vector<u32>& words) {
    std::vector<std::string> theirs = llvm_.names(words);
    ASSERT_EQ(theirs.size(), words.size()) << "llvm-mc's answer has too many lines";
    for (size_t i = 0; i < words.size(); i++) {
      if (exception_for(words[i])) continue;
      std::string ours = our_name(decoder_, every_feature(), words[i]);
      if (!same_name(ours, theirs[i])) differences_[ours + " / " + theirs[i]].push_back(words[i]);
    }
  }
  void TearDown() override {
    for (auto& [what, words] : differences_) {
      std::string text;
      for (size_t i = 0; i < words.size() && i < 4; i++) {
        char hex[16];
        std::snprintf(hex, sizeof hex, " %08x", words[i]);
        text += hex;
      }
      ADD_FAILURE() << "ours / llvm: " << what << ", " << words.size() << " words:" << text;
    }
  }
  static u64 number_from(const char* variable, u64 otherwise) {
    const char* text = std::getenv(variable);
    return text ? std::strtoull(text, nullptr, 0) : otherwise;
  }

  Llvm llvm_;
  Decoder decoder_{every_feature()};
  u64 seed_ = number_from("SLUICE_SEED", std::random_device{}());
  u64 count_ = number_from("SLUICE_WORDS", 60000);
  std::mt19937_64 random_{seed_};
  std::map<std::string, std::vector<u32>> differences_;
};

TEST_F(DecoderVsLlvm, RandomWords) {
  if (!llvm_.available()) GTEST_SKIP() << "needs llvm-mc";
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed_));
  std::vector<u32> words(count_);
  for (u32& w : words) w = u32(random_());
  compare(words);
}

TEST_F(DecoderVsLlvm, EveryRowWithRandomFieldsAndWithOneFixedBitFlipped) {
  if (!llvm_.available()) GTEST_SKIP() << "needs llvm-mc";
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed_));
  std::vector<u32> words;
  auto rows = decoder_.rows();
  while (words.size() < count_)
    for (const Decoder::Row& row : rows) {
      u32 noise = u32(random_());
      if (random_() % 4 == 0) noise |= 0x1f << (random_() % 4 * 5);  // register 31 is often special
      u32 word = row.insn->match | (noise & ~row.insn->mask);
      words.push_back(word);
      words.push_back(word ^ 1u << random_() % 32);
    }
  compare(words);
}

}  // namespace
}  // namespace sluice::cpu::a64
