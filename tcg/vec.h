// tcg/vec.h: a 128-bit guest value as the interpreter, the helpers and the guest state see it.
#pragma once
#include <cstring>

#include "base/types.h"

namespace sluice::tcg {

// Lane i of width w is at bit i * w; memory order is little endian, as in an Arm V register.
struct alignas(16) Vec {
  u64 lo = 0, hi = 0;
  constexpr bool operator==(const Vec&) const = default;

  template <class T>
  T lane(unsigned i) const {
    T t;
    std::memcpy(&t, reinterpret_cast<const char*>(this) + i * sizeof(T), sizeof(T));
    return t;
  }
  template <class T>
  void set_lane(unsigned i, T t) {
    std::memcpy(reinterpret_cast<char*>(this) + i * sizeof(T), &t, sizeof(T));
  }
};
static_assert(sizeof(Vec) == 16);

}  // namespace sluice::tcg
