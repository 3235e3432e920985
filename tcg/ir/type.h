// tcg/ir/type.h: the types of IR values.
#pragma once
#include <string_view>

#include "base/types.h"

namespace sluice::tcg::ir {

enum class Type : u8 { Void, I32, I64, Flags, V128 };

constexpr unsigned bits_of(Type t) {
  return t == Type::I32 || t == Type::Flags ? 32 : t == Type::I64 ? 64 : t == Type::V128 ? 128 : 0;
}
constexpr std::string_view name_of(Type t) {
  constexpr std::string_view names[] = {"void", "i32", "i64", "flags", "v128"};
  return names[unsigned(t)];
}

}  // namespace sluice::tcg::ir
