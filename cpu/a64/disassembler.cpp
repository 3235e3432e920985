// Templates of a row (cpu/a64/insn.h). In the mnemonic: <aN> and <lN> are "a" and "l" where bit N is set,
// <al> both at bits 23 and 22; <bh> the suffix of size<31:30>; <abN> "a" or "b", <keyN> and <zkeyN> a pointer
// authentication key; <idN> "i" or "d". In the operands: <Xd> is a register: X, W, R (by bit 31) or T (by
// size<31:30>), P a pair of X or W (by bit 30); its number is in d (bits 4:0), n (9:5), a (14:10) or m
// (20:16); |SP: 31 is the stack pointer. <uL:W> and <sL:W> are an unsigned or signed field at bit L, with *K
// its scale; <pcL:W> a branch offset; <adr>, <adrp>, <ra>, <shift> what they say.
#include "cpu/a64/disassembler.h"

#include <capstone/capstone.h>
#include <fmt/format.h>

#include <cctype>
#include <charconv>

#include "base/bits.h"
#include "cpu/a64/simd_operands.h"

namespace sluice::cpu::a64 {
namespace {

unsigned number(std::string_view& s) {
  unsigned n = 0;
  auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), n);
  s.remove_prefix(size_t(end - s.data()));
  return n;
}
bool take(std::string_view& s, std::string_view prefix) {
  if (!s.starts_with(prefix)) return false;
  s.remove_prefix(prefix.size());
  return true;
}

std::string mnemonic_token(std::string_view t, u32 word) {
  constexpr std::string_view keys[] = {"IA", "IB", "DA", "DB"}, zero_keys[] = {"IZA", "IZB", "DZA", "DZB"};
  if (t == "al") return std::string(bit(word, 23) ? "A" : "") + (bit(word, 22) ? "L" : "");
  if (t == "bh") return word >> 30 == 0 ? "B" : word >> 30 == 1 ? "H" : "";
  if (take(t, "ab")) return bit(word, number(t)) ? "B" : "A";
  if (take(t, "key")) return std::string(keys[extract(word, number(t), 2)]);
  if (take(t, "zkey")) return std::string(zero_keys[extract(word, number(t), 2)]);
  if (take(t, "id")) return bit(word, number(t)) ? "D" : "I";
  if (take(t, "a")) return bit(word, number(t)) ? "A" : "";
  if (take(t, "l")) return bit(word, number(t)) ? "L" : "";
  return "";
}

std::string register_name(bool wide, unsigned n, bool sp) {
  if (n == 31) return sp ? (wide ? "sp" : "wsp") : (wide ? "xzr" : "wzr");
  return fmt::format("{}{}", wide ? 'x' : 'w', n);
}

std::string register_token(std::string_view t, u32 word) {
  char kind = t[0], field = t[1];
  unsigned lsb = field == 'd' ? 0 : field == 'n' ? 5 : field == 'a' ? 10 : 16;
  unsigned n = unsigned(extract(word, lsb, 5));
  bool sp = t.ends_with("|SP");
  bool wide = kind == 'X' || (kind == 'R' && bit(word, 31)) || (kind == 'T' && word >> 30 == 3) ||
              (kind == 'P' && bit(word, 30));
  if (kind != 'P') return register_name(wide, n, sp);
  return register_name(wide, n, false) + ", " + register_name(wide, (n + 1) % 32, false);
}

std::string field_token(std::string_view t, u32 word, bool is_signed) {
  unsigned lsb = number(t);
  take(t, ":");
  unsigned width = number(t);
  u64 scale = take(t, "*") ? number(t) : 1;
  u64 raw = extract(word, lsb, width);
  return fmt::format("#{}", i64((is_signed ? sign_extend(raw, width) : raw) * scale));
}

std::string operand_token(std::string_view t, u32 word, u64 pc) {
  if (std::string s = simd_operand(t, word); !s.empty()) return s;
  u64 page_offset = sign_extend(extract(word, 5, 19) << 2 | extract(word, 29, 2), 21);
  if (t == "adr") return fmt::format("{:#x}", pc + page_offset);
  if (t == "adrp") return fmt::format("{:#x}", align_down(pc, 4096) + (page_offset << 12));
  if (t == "ra")
    return fmt::format("#{}", i64(sign_extend(extract(word, 22, 1) << 9 | extract(word, 12, 9), 10) << 3));
  if (t == "shift") {
    constexpr std::string_view names[] = {"lsl", "lsr", "asr", "ror"};
    return std::string(names[extract(word, 22, 2)]);
  }
  if (take(t, "pc")) {
    unsigned lsb = number(t);
    take(t, ":");
    unsigned width = number(t);
    return fmt::format("{:#x}", pc + (sign_extend(extract(word, lsb, width), width) << 2));
  }
  if (take(t, "u")) return field_token(t, word, false);
  if (take(t, "s")) return field_token(t, word, true);
  return register_token(t, word);
}

bool is_register_token(std::string_view t) {
  if (t.ends_with("|SP")) t.remove_suffix(3);
  return t.size() == 2 && std::string_view("XWRTP").find(t[0]) != t.npos &&
         std::string_view("dnam").find(t[1]) != t.npos;
}
bool is_field_token(std::string_view t) {
  if (!take(t, "pc") && !take(t, "u") && !take(t, "s")) return false;
  return !t.empty() && std::isdigit(static_cast<unsigned char>(t[0]));
}
bool can_expand(std::string_view operands) {
  for (size_t open; (open = operands.find('<')) != operands.npos;) {
    size_t close = operands.find('>', open);
    if (close == operands.npos) return false;
    std::string_view t = operands.substr(open + 1, close - open - 1);
    bool named = t == "adr" || t == "adrp" || t == "ra" || t == "shift";
    if (!named && !is_register_token(t) && !is_field_token(t)) return false;
    operands.remove_prefix(close + 1);
  }
  return true;
}

// `text` with every <token> replaced.
template <class F>
std::string expand(std::string_view text, F token) {
  std::string out;
  while (!text.empty()) {
    size_t open = text.find('<');
    out += text.substr(0, open);
    if (open == text.npos) break;
    size_t close = text.find('>', open);
    out += token(text.substr(open + 1, close - open - 1));
    text.remove_prefix(close + 1);
  }
  return out;
}

bool known_to_capstone(Feature f) {
  switch (f) {
    case Feature::Base:
    case Feature::AES:
    case Feature::PMULL:
    case Feature::SHA1:
    case Feature::SHA256:
    case Feature::CRC32: return true;
    default: return false;
  }
}

}  // namespace

std::string mnemonic_of(const Insn& insn, u32 word) {
  std::string s = expand(insn.mnemonic, [&](std::string_view t) { return mnemonic_token(t, word); });
  for (char& c : s) c = char(std::tolower(static_cast<unsigned char>(c)));
  return s;
}

std::string describe(const Insn& insn, u32 word, u64 pc) {
  if (!can_expand(insn.operands)) return fmt::format("{} ({:#010x})", mnemonic_of(insn, word), word);
  std::string operands =
      expand(insn.operands, [&](std::string_view t) { return operand_token(t, word, pc); });
  std::string s = mnemonic_of(insn, word);
  return operands.empty() ? s : s + " " + operands;
}

Disassembler::Disassembler(const Decoder& decoder) : decoder_(decoder) {
  if (cs_open(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, &capstone_) != CS_ERR_OK) capstone_ = 0;
}
Disassembler::~Disassembler() {
  if (capstone_) cs_close(&capstone_);
}

std::string Disassembler::capstone_text(u32 word, u64 pc) const {
  if (!capstone_) return "";
  u8 bytes[4] = {u8(word), u8(word >> 8), u8(word >> 16), u8(word >> 24)};
  cs_insn* insn = nullptr;
  size_t count = cs_disasm(capstone_, bytes, sizeof bytes, pc, 1, &insn);
  if (!count) return "";
  std::string s = insn->mnemonic;
  if (insn->op_str[0]) s += std::string(" ") + insn->op_str;
  cs_free(insn, count);
  return s;
}

std::string Disassembler::text(u32 word, u64 pc) const {
  const Insn* insn = decoder_.decode(word);
  if (!insn) return fmt::format(".word {:#010x}", word);
  if (known_to_capstone(insn->feature))
    if (std::string s = capstone_text(word, pc); !s.empty()) return s;
  return describe(*insn, word, pc);
}

}  // namespace sluice::cpu::a64
