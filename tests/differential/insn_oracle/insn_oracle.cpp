#include "tests/differential/insn_oracle/insn_oracle.h"

#include <unistd.h>

#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>

#include "base/bits.h"
#include "cpu/emit.h"
#include "cpu/exception.h"
#include "tcg/fp/fp.h"
#include "tcg/interp/interpreter.h"

namespace sluice::test {
namespace {

constexpr u64 kSigill = 4;
constexpr u64 kFpsrBits = u32{fp::kFpsrCumulative} | u32{fp::kFpsrQC};

int run_command(const std::string& command) { return std::system(command.c_str()); }
bool installed(const char* program) {
  return run_command(std::string("command -v ") + program + " >/dev/null 2>&1") == 0;
}

cpu::Mode mode_for(u64 fpcr) {
  cpu::Mode mode;
  mode.set<cpu::Mode::El>(1);
  mode.set<cpu::Mode::FpcrMode>(extract(fpcr, 22, 2) | extract(fpcr, 24, 1) << 2 | extract(fpcr, 25, 1) << 3 |
                                extract(fpcr, 19, 1) << 4 | extract(fpcr, 26, 1) << 5);
  return mode;
}

void load(cpu::PeState& state, const InsnRecord& r) {
  std::memcpy(state.x, r.x, sizeof state.x);
  state.sp = r.sp;
  for (unsigned i = 0; i < 32; i++) state.v[i] = {r.v[i][0], r.v[i][1]};
  state.nzcv = tcg::Flags::from_nzcv(u32(r.nzcv >> 28) & 15);
  state.fpcr = u32(r.fpcr);
  state.fpsr = u32(r.fpsr);
  state.leave = 0;
  state.pc = 0;
}
InsnRecord store(const cpu::PeState& state) {
  InsnRecord r{};
  std::memcpy(r.x, state.x, sizeof state.x);
  r.sp = state.sp;
  for (unsigned i = 0; i < 32; i++) r.v[i][0] = state.v[i].lo, r.v[i][1] = state.v[i].hi;
  r.nzcv = u64{state.nzcv.nzcv()} << 28;
  r.fpcr = state.fpcr;
  r.fpsr = state.fpsr;
  return r;
}

bool raises_undefined(const tcg::ir::Block& block) {
  for (const tcg::ir::Inst& i : block.insts)
    if (i.op == tcg::ir::Op::Call && i.imm == reinterpret_cast<u64>(&cpu::kUndefined)) return true;
  return false;
}

void append(std::string& text, const char* format, auto... values) {
  char line[200];
  std::snprintf(line, sizeof line, format, values...);
  text += line;
}

}  // namespace

InsnOracle::InsnOracle() {
  if (!installed("aarch64-linux-gnu-gcc") || !installed("qemu-aarch64")) return;
  std::string pattern = (std::filesystem::temp_directory_path() / "insn_oracle_XXXXXX").string();
  if (!mkdtemp(pattern.data())) return;
  directory_ = pattern;
  const auto source = std::filesystem::path(SLUICE_SOURCE_DIR) / "tests/differential/insn_oracle/oracle.c";
  available_ = run_command("aarch64-linux-gnu-gcc -O1 -static -o '" + directory_ + "/oracle' '" +
                           source.string() + "'") == 0;
}
InsnOracle::~InsnOracle() {
  std::error_code ignored;
  if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
}

std::vector<InsnRecord> InsnOracle::ask(const std::vector<InsnRecord>& requests) const {
  const std::string in = directory_ + "/in", out = directory_ + "/out";
  std::ofstream(in, std::ios::binary)
      .write(reinterpret_cast<const char*>(requests.data()),
             std::streamsize(requests.size() * sizeof requests[0]));
  if (run_command("timeout 120 qemu-aarch64 -cpu max '" + directory_ + "/oracle' <'" + in + "' >'" + out +
                  "'"))
    return {};
  std::vector<InsnRecord> replies(requests.size());
  std::ifstream file(out, std::ios::binary);
  file.read(reinterpret_cast<char*>(replies.data()), std::streamsize(replies.size() * sizeof replies[0]));
  if (size_t(file.gcount()) != replies.size() * sizeof replies[0]) return {};
  return replies;
}

void run_in_interpreter(cpu::PeState& state, const tcg::ir::Block& block) {
  tcg::interpret(state, block.pc, 1, block.insts, false);
}

InsnRecord execute(const cpu::a64::Decoder& decoder, cpu::FeatureSet features, const InsnRecord& request,
                   RunBlock run) {
  static const auto state = std::make_unique<cpu::PeState>();
  const u32 word = u32(request.word);
  load(*state, request);
  tcg::ir::Block block;
  block.pc = 0x1000;
  const cpu::Mode mode = mode_for(request.fpcr);
  block.mode = mode.word;
  tcg::ir::Builder builder(block);
  builder.at(block.pc);
  cpu::Emitter emitter(builder, mode, features);
  emitter.pc = block.pc, emitter.word = word;
  const cpu::a64::Insn* insn = decoder.decode(word);
  if (insn) insn->emit(emitter, word);
  InsnRecord result = request;
  result.word = kSigill;
  if (!insn || raises_undefined(block)) return result;
  if (!emitter.stop) builder.exit_to(block.pc + 4);
  block.guest_bytes = 4, block.guest_insns = 1;
  run(*state, block);
  return store(*state);
}

bool agree(const InsnRecord& ours, const InsnRecord& theirs) {
  if (ours.word || theirs.word) return ours.word == theirs.word;
  return !std::memcmp(ours.x, theirs.x, sizeof ours.x) && ours.sp == theirs.sp &&
         !std::memcmp(ours.v, theirs.v, sizeof ours.v) && !((ours.nzcv ^ theirs.nzcv) >> 28 & 15) &&
         !((ours.fpsr ^ theirs.fpsr) & kFpsrBits);
}

std::string describe(const cpu::a64::Decoder& decoder, const InsnRecord& request, const InsnRecord& ours,
                     const InsnRecord& theirs) {
  const u32 word = u32(request.word);
  const cpu::a64::Insn* insn = decoder.decode(word);
  std::string text = insn ? std::string(insn->mnemonic) : "(no row)";
  append(text, " %08x FPCR=%08lx FPSR=%08lx NZCV=%lx\n", word, u64(request.fpcr), u64(request.fpsr),
         u64(request.nzcv >> 28));
  for (unsigned lsb : {0, 5, 16, 10}) {
    const unsigned n = word >> lsb & 31;
    append(text, "  in  V%-2u = %016lx_%016lx  X%-2u = %016lx\n", n, u64(request.v[n][1]),
           u64(request.v[n][0]), n, u64(n == 31 ? request.sp : request.x[n]));
  }
  if (ours.word || theirs.word) {
    append(text, "  signal: ours %lu, oracle %lu\n", u64(ours.word), u64(theirs.word));
    return text;
  }
  for (unsigned n = 0; n < 32; n++)
    if (std::memcmp(ours.v[n], theirs.v[n], 16))
      append(text, "  out V%-2u = %016lx_%016lx, oracle %016lx_%016lx\n", n, u64(ours.v[n][1]),
             u64(ours.v[n][0]), u64(theirs.v[n][1]), u64(theirs.v[n][0]));
  for (unsigned n = 0; n < 31; n++)
    if (ours.x[n] != theirs.x[n])
      append(text, "  out X%-2u = %016lx, oracle %016lx\n", n, u64(ours.x[n]), u64(theirs.x[n]));
  if (ours.sp != theirs.sp) append(text, "  out SP = %016lx, oracle %016lx\n", u64(ours.sp), u64(theirs.sp));
  if ((ours.nzcv ^ theirs.nzcv) >> 28)
    append(text, "  out NZCV = %lx, oracle %lx\n", u64(ours.nzcv >> 28), u64(theirs.nzcv >> 28));
  if ((ours.fpsr ^ theirs.fpsr) & kFpsrBits)
    append(text, "  out FPSR = %08lx, oracle %08lx\n", u64(ours.fpsr), u64(theirs.fpsr));
  return text;
}

RecordGenerator::RecordGenerator(u64 seed) {
  // SplitMix64 fills the state of xoshiro256**.
  for (u64& word : state_) {
    u64 z = seed += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    word = z ^ z >> 31;
  }
}
u64 RecordGenerator::random() {
  const u64 result = std::rotl(state_[1] * 5, 7) * 9, t = state_[1] << 17;
  state_[2] ^= state_[0], state_[3] ^= state_[1], state_[1] ^= state_[2], state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

u64 RecordGenerator::lane(unsigned bits) {
  const u64 r = random(), kind = r >> 60;
  const u64 sign = u64{1} << (bits - 1);
  if (kind < 5) return random() & ones(bits);
  if (kind < 8) {  // near zero, or near a power of two
    const u64 power = kind == 7 ? 0 : u64{1} << (r % bits);
    return ((r & 0x100 ? 0 - power : power) + (r >> 16) % 5 - 2) & ones(bits);
  }
  if (bits == 8) return r % 3 == 0 ? 0x80 : r % 3 == 1 ? 0x7f : 0xff;
  const unsigned fraction = bits == 16 ? 10 : bits == 32 ? 23 : 52, width = bits - fraction - 1;
  const u64 bias = ones(width) >> 1, minus = r & 0x200 ? sign : 0;
  u64 mantissa = random() & ones(fraction);
  if (r & 0x400) mantissa &= ~u64{0} << (random() % fraction);
  switch (kind) {
    case 8: return minus;                                                                // zero
    case 9: return minus | mantissa;                                                     // denormal
    case 10: return minus | ones(width) << fraction;                                     // infinity
    case 11: return minus | ones(width) << fraction | mantissa;                          // NaN
    case 12: return minus | (ones(width) - 1) << fraction | mantissa;                    // large
    case 13: return minus | (1 + r % 4) << fraction | mantissa;                          // small
    case 14: return minus | ((bias + r % 70 - 3) & ones(width)) << fraction | mantissa;  // to integers
    default: return minus | (bias + r % 5 - 2) << fraction | mantissa;                   // near one
  }
}

InsnRecord RecordGenerator::registers() {
  InsnRecord r{};
  for (auto& v : r.v) {
    const unsigned bits = 8u << (random() & 3);
    for (unsigned i = 0; i < 128 / bits; i++) v[i * bits / 64] |= lane(bits) << (i * bits % 64);
  }
  for (u64& x : r.x) x = random() & 1 ? lane(64) : lane(32) | (random() & 1 ? random() << 32 : 0);
  r.sp = random();
  // Equal operands are common in programs and rare by chance.
  if (random() % 4 == 0) std::memcpy(r.v[random() % 32], r.v[random() % 32], 16);
  r.nzcv = (random() & 15) << 28;
  r.fpcr = random() & 1 ? 0 : random() & fp::kFpcrImplemented;
  r.fpsr = random() & 3 ? 0 : random() & kFpsrBits;
  return r;
}

}  // namespace sluice::test
