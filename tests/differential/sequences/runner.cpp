#include "tests/differential/sequences/runner.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "cpu/a64/disassembler.h"
#include "tcg/fp/fp.h"

namespace sluice::test {
namespace {

constexpr u32 kNop = 0xd503201f;
constexpr u64 kFpsrBits = u32{fp::kFpsrCumulative} | u32{fp::kFpsrQC};
constexpr u64 kSigsegv = 11, kSigbus = 7, kTimeout = 99;
constexpr u32 kStart = kSequencePoolWords + kSequenceEntryWords;

void append(std::string& text, const char* format, auto... values) {
  char line[256];
  std::snprintf(line, sizeof line, format, values...);
  text += line;
}

bool is_entry_default(const SequenceCase& c, unsigned n) { return c.registers.x[n] == 0; }

void erase_unit(SequenceCase& c, const SequenceUnit& u) {
  for (u32 i = 0; i < u.count; i++) c.words[u.first + i] = kNop;
}

// Tries the candidates together; takes the first that still differs.
bool improve(SequenceCase& c, std::vector<SequenceCase>& candidates, const Differs& differs) {
  if (candidates.empty()) return false;
  const std::vector<bool> bad = differs(candidates);
  for (size_t i = 0; i < bad.size(); i++)
    if (bad[i]) return c = candidates[i], true;
  return false;
}

}  // namespace

SequenceResult run_sequence(UserWorld& world, const SequenceCase& c) {
  cpu::PeState& s = world.state();
  world.put(c.code, std::span(c.words, c.count));
  std::memcpy(world.host(kSequenceWindow), c.window, sizeof c.window);
  std::memcpy(s.x, c.registers.x, sizeof s.x);
  s.sp = c.registers.sp;
  for (unsigned i = 0; i < 32; i++) s.v[i] = {c.registers.v[i][0], c.registers.v[i][1]};
  s.nzcv = tcg::Flags::from_nzcv(u32(c.registers.nzcv >> 28) & 15);
  s.exclusive_size = 0;
  s.btype = 0;
  world.set_fp(u32(c.registers.fpcr), u32(c.registers.fpsr));
  s.pc = c.code + kStart * 4;
  const UserWorld::End end = world.run(c.code + c.count * 4);

  SequenceResult r{};
  std::memcpy(r.registers.x, s.x, sizeof s.x);
  r.registers.sp = s.sp;
  for (unsigned i = 0; i < 32; i++) r.registers.v[i][0] = s.v[i].lo, r.registers.v[i][1] = s.v[i].hi;
  r.registers.nzcv = u64{s.nzcv.nzcv()} << 28;
  r.registers.fpcr = s.fpcr;
  r.registers.fpsr = world.fpsr();
  r.registers.pc = s.pc;
  r.signal = end == UserWorld::End::DataFault    ? kSigsegv
             : end == UserWorld::End::Misaligned ? kSigbus
             : end == UserWorld::End::OutOfTime  ? kTimeout
                                                 : 0;
  std::memcpy(r.window, world.host(kSequenceWindow), sizeof r.window);
  return r;
}

bool agree(const SequenceResult& a, const SequenceResult& b) {
  const SequenceRegisters &x = a.registers, &y = b.registers;
  return a.signal == b.signal && x.pc == y.pc && !std::memcmp(x.x, y.x, sizeof x.x) && x.sp == y.sp &&
         !std::memcmp(x.v, y.v, sizeof x.v) && !((x.nzcv ^ y.nzcv) >> 28 & 15) &&
         !((x.fpsr ^ y.fpsr) & kFpsrBits) && !std::memcmp(a.window, b.window, sizeof a.window);
}

Sequence minimise(const Sequence& s, const Differs& differs) {
  Sequence best = s;
  SequenceCase& c = best.data;
  for (size_t chunk = s.units.size(); chunk >= 1; chunk /= 2) {
    bool again = true;
    while (again) {
      std::vector<SequenceCase> candidates;
      for (size_t first = 0; first < s.units.size(); first += chunk) {
        SequenceCase tried = c;
        for (size_t u = first; u < std::min(first + chunk, s.units.size()); u++)
          erase_unit(tried, s.units[u]);
        if (std::memcmp(&tried, &c, sizeof c)) candidates.push_back(tried);
      }
      again = improve(c, candidates, differs);
    }
  }
  // Everything at zero that may be; one round each.
  auto one_by_one = [&](unsigned count, auto&& clear) {
    for (unsigned n = 0; n < count; n++) {
      std::vector<SequenceCase> candidates;
      for (unsigned k = n; k < count; k++) {
        SequenceCase tried = c;
        clear(tried, k);
        if (std::memcmp(&tried, &c, sizeof c)) candidates.push_back(tried);
      }
      if (!improve(c, candidates, differs)) break;
    }
  };
  one_by_one(3, [](SequenceCase& t, unsigned k) {
    (k == 0 ? t.registers.fpcr : k == 1 ? t.registers.fpsr : t.registers.nzcv) = 0;
  });
  one_by_one(1, [](SequenceCase& t, unsigned) { std::memset(t.window, 0, sizeof t.window); });
  one_by_one(1, [](SequenceCase& t, unsigned) { std::memset(t.words, 0, kSequencePoolWords * 4); });
  one_by_one(32, [](SequenceCase& t, unsigned k) { t.registers.v[k][0] = t.registers.v[k][1] = 0; });
  one_by_one(25, [](SequenceCase& t, unsigned k) { t.registers.x[k] = 0; });
  return best;
}

namespace {

void list_code(std::string& text, const SequenceCase& c) {
  const cpu::a64::Disassembler disassembler(SequenceGenerator::decoder());
  for (u32 i = kStart; i < c.count; i++) {
    if (c.words[i] == kNop) continue;
    append(text, "  %#lx: %08x  %s\n", c.code + i * 4, c.words[i],
           disassembler.text(c.words[i], c.code + i * 4).c_str());
  }
}

void list_differences(std::string& text, const std::vector<NamedResult>& results) {
  auto row = [&](const char* what, unsigned n, auto&& value) {
    bool same = true;
    for (const NamedResult& r : results) same &= value(r.result) == value(results[0].result);
    if (same) return;
    append(text, "  %s%u:", what, n);
    for (const NamedResult& r : results)
      append(text, "  %s %016lx%016lx", r.name, u64(value(r.result) >> 64), u64(value(r.result)));
    text += "\n";
  };
  for (unsigned n = 0; n < 31; n++)
    row("X", n, [&](const SequenceResult& r) { return u128(r.registers.x[n]); });
  for (unsigned n = 0; n < 32; n++)
    row("V", n,
        [&](const SequenceResult& r) { return u128(r.registers.v[n][1]) << 64 | r.registers.v[n][0]; });
  row("SP", 0, [](const SequenceResult& r) { return u128(r.registers.sp); });
  row("NZCV", 0, [](const SequenceResult& r) { return u128(r.registers.nzcv); });
  row("FPSR", 0, [](const SequenceResult& r) { return u128(r.registers.fpsr & kFpsrBits); });
  row("PC", 0, [](const SequenceResult& r) { return u128(r.registers.pc); });
  row("signal", 0, [](const SequenceResult& r) { return u128(r.signal); });
  for (unsigned n = 0; n < kSequenceWindowBytes / 8; n++)
    row("window+8*", n, [&](const SequenceResult& r) {
      u64 v;
      std::memcpy(&v, r.window + n * 8, 8);
      return u128(v);
    });
}

bool has_pool_words(const SequenceCase& c) {
  return std::any_of(c.words, c.words + kSequencePoolWords, [](u32 w) { return w != 0; });
}

// Words whose meaning depends on where they are: ADR, literal loads, branches.
bool has_relative(const SequenceCase& c) {
  for (u32 i = kStart; i < c.count; i++) {
    const u32 w = c.words[i];
    if ((w & 0x1f000000) == 0x10000000 || (w & 0x3b000000) == 0x18000000 || (w & 0x1c000000) == 0x14000000)
      return true;
  }
  return false;
}

// As a Regression of regressions.inc.
void list_source(std::string& text, const SequenceCase& c) {
  append(text, "{.code = %#lx, .fpcr = %#lx, .fpsr = %#lx, .nzcv = %#lx, .sp = %#lx,\n .x = {", c.code,
         c.registers.fpcr, c.registers.fpsr, c.registers.nzcv, c.registers.sp);
  for (unsigned n = 0; n < 31; n++)
    if (!is_entry_default(c, n)) append(text, "{%u, %#lx}, ", n, c.registers.x[n]);
  text += "},\n .v = {";
  for (unsigned n = 0; n < 32; n++)
    if (c.registers.v[n][0] | c.registers.v[n][1])
      append(text, "{%u, %#lx, %#lx}, ", n, c.registers.v[n][0], c.registers.v[n][1]);
  text += "},\n .window = {";
  for (unsigned n = 0; n < kSequenceWindowBytes / 8; n++) {
    u64 v;
    std::memcpy(&v, c.window + n * 8, 8);
    if (v) append(text, "{%u, %#lx}, ", n * 8, v);
  }
  text += "},\n .pool = {";
  for (u32 i = 0; i < kSequencePoolWords; i++)
    if (has_pool_words(c)) append(text, "%#x, ", c.words[i]);
  text += "},\n .words = {";
  // Without the NOPs at either end, unless what goes first is where a branch leads or a literal is: then with
  // all.
  u32 begin = kStart, end = u32(c.count);
  while (end > begin && c.words[end - 1] == kNop) end--;
  while (begin < end && c.words[begin] == kNop) begin++;
  if (has_relative(c)) begin = kStart;
  for (u32 i = begin; i < end; i++) append(text, "%#x, ", c.words[i]);
  text += "}},\n";
}

}  // namespace

std::string describe(const Sequence& s, const std::vector<NamedResult>& results) {
  std::string text;
  append(text, "FPCR %#lx FPSR %#lx NZCV %#lx\n", s.data.registers.fpcr, s.data.registers.fpsr,
         s.data.registers.nzcv);
  list_code(text, s.data);
  list_differences(text, results);
  list_source(text, s.data);
  return text;
}

}  // namespace sluice::test
