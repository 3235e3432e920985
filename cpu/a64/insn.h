// cpu/a64/insn.h: an A64 instruction as one function and one row.
// The encoding string is the Arm ARM's diagram from bit 31 down: "sf 00 11011 000 Rm:5 0 Ra:5 Rn:5 Rd:5".
// Each name is a field (1 bit unless ":width"), and the semantics function takes the fields in encoding order
// with types of the same width; a mismatch does not compile. `x` stands for a bit that is ignored ("should
// be" bits).
#pragma once
#include <array>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/types.h"
#include "cpu/features.h"

namespace sluice::cpu {
class Emitter;
}

namespace sluice::cpu::a64 {

// A general or SIMD register number.
struct Reg {
  u8 n;
  static constexpr unsigned width = 5;
};
template <unsigned W>
struct Imm {
  u32 value;
  static constexpr unsigned width = W;
  constexpr operator u32() const { return value; }
};
template <class T>
constexpr unsigned width_of = T::width;
template <>
inline constexpr unsigned width_of<bool> = 1;

template <size_t N>
struct FixedString {
  char text[N];
  consteval FixedString(const char (&s)[N]) {
    for (size_t i = 0; i < N; i++) text[i] = s[i];
  }
};
struct Field {
  u8 lsb = 0, width = 0;
};
struct Encoding {
  u32 mask = 0, match = 0;
  std::array<Field, 10> fields{};
  size_t count = 0;
};

template <size_t N>
consteval Encoding parse(const char (&s)[N]) {
  Encoding e;
  unsigned bit = 32;
  for (size_t i = 0; s[i];) {
    char c = s[i];
    if (c == ' ') {
      i++;
      continue;
    }
    if (bit == 0) throw "encoding is longer than 32 bits";
    if (c == '0' || c == '1') {
      bit--;
      e.mask |= 1u << bit;
      e.match |= u32(c - '0') << bit;
      i++;
      continue;
    }
    if (c == 'x' && (s[i + 1] == ' ' || s[i + 1] == 'x' || !s[i + 1])) {
      bit--, i++;
      continue;
    }
    unsigned width = 1;
    while (s[i] && s[i] != ' ' && s[i] != ':') i++;
    if (s[i] == ':')
      for (width = 0, i++; s[i] >= '0' && s[i] <= '9'; i++) width = width * 10 + unsigned(s[i] - '0');
    if (width > bit) throw "encoding is longer than 32 bits";
    bit -= width;
    e.fields[e.count++] = {u8(bit), u8(width)};
  }
  if (bit != 0) throw "encoding is shorter than 32 bits";
  return e;
}

struct Insn {
  std::string_view mnemonic;  // as the Arm ARM spells it, without the operand-dependent suffix
  std::string_view operands;  // template of the disassembler, see cpu/a64/disassembler.cpp
  u32 mask, match;
  void (*emit)(Emitter&, u32 word);
  Feature feature;  // the row exists only when the PE has it
};

template <class T>
constexpr T take(u32 word, Field f) {
  u32 v = (word >> f.lsb) & u32((u64{1} << f.width) - 1);
  if constexpr (std::is_same_v<T, bool>)
    return v != 0;
  else if constexpr (std::is_same_v<T, Reg>)
    return Reg{u8(v)};
  else
    return T{v};
}

template <FixedString S, auto Semantics>
struct Binder;
template <FixedString S, class... Args, void (*Semantics)(Emitter&, Args...)>
struct Binder<S, Semantics> {
  static constexpr Encoding e = parse(S.text);
  static_assert(e.count == sizeof...(Args), "one parameter per encoding field, in encoding order");
  static consteval bool widths_agree() {
    [[maybe_unused]] unsigned i = 0;
    return ((e.fields[i++].width == width_of<Args>)&&...);
  }
  static_assert(widths_agree(), "parameter type and encoding field differ in width");
  static void emit(Emitter& em, [[maybe_unused]] u32 w) {
    [&]<size_t... I>(std::index_sequence<I...>) { Semantics(em, take<Args>(w, e.fields[I])...); }
    (std::index_sequence_for<Args...>{});
  }
};
template <FixedString S, auto Semantics>
constexpr Insn insn(std::string_view mnemonic, std::string_view operands, Feature feature = Feature::Base) {
  using B = Binder<S, Semantics>;
  return {mnemonic, operands, B::e.mask, B::e.match, &B::emit, feature};
}

// One table of the Arm ARM's chapter C4.1. Rows of FP/SIMD groups trap when FP is disabled before anything
// else happens.
struct Group {
  std::string_view title;
  std::span<const Insn> rows;
  bool uses_fp;
};

}  // namespace sluice::cpu::a64
