#include "cpu/a64/simd_operands.h"

#include <fmt/format.h>

#include <bit>

#include "base/bits.h"
#include "cpu/a64/fp_immediate.h"
#include "cpu/a64/fp_type.h"
#include "cpu/a64/simd_modified_immediate.h"

namespace sluice::cpu::a64 {
namespace {

constexpr char kLetters[] = "bhsdq";

unsigned field(u32 word, unsigned lsb, unsigned width) { return unsigned(extract(word, lsb, width)); }
unsigned size_field(u32 word) { return field(word, 22, 2); }
unsigned sz_field(u32 word) { return 2 + field(word, 22, 1); }
unsigned highest_of_immh(u32 word) {
  const unsigned immh = field(word, 19, 4);
  return immh ? unsigned(std::bit_width(immh)) - 1 : 0;
}
unsigned lowest_of_imm5(u32 word) { return unsigned(std::countr_zero(field(word, 16, 5) | 8)); }

unsigned register_number(char name, u32 word) {
  return field(word, name == 'd' ? 0 : name == 'n' ? 5 : name == 'a' ? 10 : 16, 5);
}

// log2 of the lane size for an arrangement code, and whether Q gives the length.
struct Shape {
  unsigned esize;
  bool by_q;
};
Shape shape_of(char code, u32 word) {
  switch (code) {
    case 'f': return {sz_field(word), true};
    case 'h': return {1, true};
    case 's': return {highest_of_immh(word), true};
    case '5': return {lowest_of_imm5(word), true};
    case 'w': return {size_field(word) + 1, false};
    case 'W': return {highest_of_immh(word) + 1, false};
    case 'g': return {sz_field(word), false};
    case 'l': return {size_field(word) + 1, true};
    case 'j': return {sz_field(word) - 1, true};
    case 'b': return {0, true};
    case 't': return {2, true};
    default: return {size_field(word), true};
  }
}

std::string vector_operand(char name, std::string_view code, u32 word) {
  const unsigned n = register_number(name, word);
  if (code.size() > 1) return fmt::format("v{}.{}", n, code);
  if (code[0] == 'p') return fmt::format("v{}.2{}", n, kLetters[sz_field(word)]);
  if (code[0] == 'x') return fmt::format("v{}.{}h", n, bit(word, 30) ? 4 : 2);
  const Shape s = shape_of(code[0], word);
  const unsigned bytes = !s.by_q || bit(word, 30) ? 16 : 8;
  return fmt::format("v{}.{}{}", n, bytes >> s.esize, kLetters[s.esize]);
}

std::string scalar_operand(char name, char code, u32 word) {
  const unsigned n = register_number(name, word);
  if (std::string_view("BHSDQ").find(code) != std::string_view::npos)
    return fmt::format("{}{}", char(code - 'A' + 'a'), n);
  const unsigned esize = code == 'g' ? sz_field(word) + 1 : shape_of(code, word).esize;
  return fmt::format("{}{}", kLetters[esize], n);
}

std::string multiplied_element(char code, u32 word) {
  const unsigned hlm = field(word, 11, 1) << 2 | field(word, 21, 1) << 1 | field(word, 20, 1);
  const unsigned size = code == 'h' ? 1 : code == 'b' ? 2 : code == 'f' ? sz_field(word) : size_field(word);
  if (size == 0 || (size == 3 && code != 'f')) return "?";
  const bool narrow_number = size == 1 && code != 'c';
  const unsigned index = hlm >> (code == 'c' ? size : size - 1);
  const std::string lane = code == 'b' ? "4b" : std::string(1, kLetters[size]);
  return fmt::format("v{}.{}[{}]", field(word, 16, narrow_number ? 4 : 5), lane, index);
}

std::string named_lane(char which, u32 word) {
  const unsigned esize = lowest_of_imm5(word);
  const unsigned index = which == '4' ? field(word, 11, 4) >> esize : field(word, 16, 5) >> (esize + 1);
  return fmt::format("v{}.{}[{}]", field(word, which == 'd' ? 0 : 5, 5), kLetters[esize], index);
}

std::string table_operand(u32 word) {
  std::string s = "{";
  for (unsigned i = 0; i <= field(word, 13, 2); i++)
    s += fmt::format("{}v{}.16b", i ? ", " : "", (field(word, 5, 5) + i) % 32);
  return s + "}";
}

double fp_immediate(u32 word) {
  const bool scalar = bit(word, 28);
  const unsigned imm8 = scalar ? field(word, 13, 8) : field(word, 16, 3) << 5 | field(word, 5, 5);
  return std::bit_cast<double>(expand_fp_immediate(u8(imm8), 3));
}

std::string plain_token(std::string_view t, u32 word) {
  constexpr std::string_view kConditions[] = {"eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc",
                                              "hi", "ls", "ge", "lt", "gt", "le", "al", "nv"};
  const unsigned bits = 8u << highest_of_immh(word), shift = field(word, 16, 7);
  if (t == "table") return table_operand(word);
  if (t == "shl") return fmt::format("#{}", shift - bits);
  if (t == "shr") return fmt::format("#{}", 2 * bits - shift);
  if (t == "shll") return fmt::format("#{}", 8u << size_field(word));
  if (t == "fbits") return fmt::format("#{}", 64 - field(word, 10, 6));
  if (t == "rot11") return fmt::format("#{}", 90 * field(word, 11, 2));
  if (t == "rot13") return fmt::format("#{}", 90 * field(word, 13, 2));
  if (t == "rot12") return bit(word, 12) ? "#270" : "#90";
  if (t == "cond") return std::string(kConditions[field(word, 12, 4)]);
  if (t == "fimm") return fmt::format("#{:.6g}", fp_immediate(word));
  if (t == "imm") return fmt::format("#{:#x}", expand_modified_immediate(word));
  if (t == "sm3") return fmt::format("v{}.s[{}]", field(word, 16, 5), field(word, 12, 2));
  if (t == "G15") return fmt::format("{}{}", kLetters[esize_of_ptype(field(word, 15, 2))], field(word, 0, 5));
  if (t == "Qd") return fmt::format("{}{}", bit(word, 30) ? 'x' : 'w', field(word, 0, 5));
  if (t == "Y5") {
    const unsigned n = field(word, 5, 5);
    const char kind = lowest_of_imm5(word) == 3 ? 'x' : 'w';
    return n == 31 ? fmt::format("{}zr", kind) : fmt::format("{}{}", kind, n);
  }
  return "";
}

}  // namespace

std::string simd_operand(std::string_view t, u32 word) {
  if (t.size() >= 4 && t[2] == '.' && t[0] == 'V') return vector_operand(t[1], t.substr(3), word);
  if (t.size() == 4 && t[2] == '.' && t[0] == 'E') return scalar_operand(t[1], t[3], word);
  if (t.size() == 3 && t[1] == '.' && t[0] == 'M') return multiplied_element(t[2], word);
  if (t.size() == 3 && t[1] == '.' && t[0] == 'L') return named_lane(t[2], word);
  if (t.size() == 2 && t[0] == 'F')
    return fmt::format("{}{}", kLetters[esize_of_ptype(size_field(word))], register_number(t[1], word));
  return plain_token(t, word);
}

}  // namespace sluice::cpu::a64
