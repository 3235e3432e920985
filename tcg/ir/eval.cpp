#include "tcg/ir/eval.h"

#include <array>

#include "tcg/ir/fp_meaning.h"
#include "tcg/ir/integer_meaning.h"
#include "tcg/ir/vector_meaning.h"

namespace sluice::tcg::ir {
namespace {

// One function per integer row; unused parameters are normal.
#define OP(name, result, operands, properties, ...)                                          \
  u64 integer_##name([[maybe_unused]] u64 a, [[maybe_unused]] u64 b, [[maybe_unused]] u64 c, \
                     [[maybe_unused]] u64 imm, [[maybe_unused]] unsigned bits,               \
                     [[maybe_unused]] unsigned aux) {                                        \
    return u64(__VA_ARGS__);                                                                 \
  }
TCG_IR_INTEGER_OPS(OP)
#undef OP

void give(EvalFrame& f, const Vec& v) { f.out = v; }
template <class T>
void give(EvalFrame& f, T v) {
  f.out = {u64(v), 0};
}

#define OP(name, result, operands, properties, ...)                                    \
  void vector_##name(EvalFrame& f) {                                                   \
    [[maybe_unused]] const Vec &a = f.in[0], &b = f.in[1], &c = f.in[2], &d = f.in[3]; \
    [[maybe_unused]] const u64 imm = f.imm;                                            \
    [[maybe_unused]] const unsigned esize = f.esize, aux = f.aux, bits = f.bits;       \
    [[maybe_unused]] ExecState& state = *f.state;                                      \
    give(f, __VA_ARGS__);                                                              \
  }
TCG_IR_VECTOR_OPS(OP)
TCG_IR_FP_OPS(OP)
#undef OP

constexpr Meaning kMeanings[] = {
#define OP(name, ...) {&integer_##name, nullptr},
    TCG_IR_INTEGER_OPS(OP)
#undef OP
#define OP(name, ...) {nullptr, &vector_##name},
        TCG_IR_VECTOR_OPS(OP) TCG_IR_FP_OPS(OP)
#undef OP
#define OP(name, ...) {nullptr, nullptr},
            TCG_IR_SYSTEM_OPS(OP)
#undef OP
};
static_assert(std::size(kMeanings) == kOpCount);
static_assert([] {
  for (unsigned n = 0; n < kOpCount; n++)
    if (is_integer_op(Op(n)) != (kMeanings[n].integer != nullptr)) return false;
  return true;
}());

}  // namespace

const Meaning& meaning(Op op) { return kMeanings[unsigned(op)]; }

}  // namespace sluice::tcg::ir
