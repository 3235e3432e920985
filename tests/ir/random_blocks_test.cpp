// tests/ir/random_blocks_test.cpp: random IR blocks, far denser than what a front end makes, in the
// interpreter and in the x86-64 back end. Operands are picked from everything defined before, so that values
// live long and registers run out; helper calls and writes of state come in between. Regions are made of
// several such pieces that jump to each other. SLUICE_SEED repeats a run.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "base/bits.h"
#include "tcg/backend.h"
#include "tcg/flags.h"
#include "tcg/fp_status.h"
#include "tcg/interp/interpreter.h"
#include "tcg/ir/builder.h"
#include "tcg/jump_cache.h"
#include "tcg/opt/passes.h"
#include "tcg/vec.h"
#include "tests/support/op_shapes.h"

namespace sluice::tcg {
namespace {

using ir::Block;
using ir::Builder;
using ir::Op;
using ir::Type;
using ir::Value;

constexpr unsigned kX = 16, kV = 8, kFlags = 4;
struct State : ExecState {
  u64 x[kX];
  alignas(16) Vec v[kV];
  u32 f[kFlags];
  u64 calls;
  u64 turns;  // pieces that a region may still enter
};
constexpr u32 offset_x(unsigned n) { return u32(offsetof(State, x)) + n * 8; }
constexpr u32 offset_v(unsigned n) { return u32(offsetof(State, v)) + n * 16; }
constexpr u32 offset_f(unsigned n) { return u32(offsetof(State, f)) + n * 4; }

// Reads and writes guest state and destroys every register that a call may.
u64 stir(ExecState& state, u64 a, u64 b, u64 c) noexcept {
  auto& s = static_cast<State&>(state);
  s.calls++;
  const unsigned n = unsigned(a % kX);
  s.x[n] += b, s.v[n % kV].hi ^= c;
  return a ^ std::rotl(b, 7) ^ std::rotl(c, 13) ^ s.x[(n + 1) % kX];
}
constexpr Helper kStir = make_helper("stir", stir, false, true);

class RandomBlock {
 public:
  explicit RandomBlock(u64 seed) : random_(seed) {}

  Block make() {
    const unsigned length = 10 + below(250);
    for (unsigned n = 0; n < length; n++) step();
    show_everything();
    ir_.exit_to_run_loop(0x1234);
    block_.guest_insns = 1, block_.guest_bytes = 4;
    block_.fp_inline = block_.half_inline = true;
    return std::move(block_);
  }

  Block make_region() {
    block_.is_region = true;
    pieces_ = 1 + below(5);
    for (unsigned n = below(10); n > 0; n--) step();
    ir_.exit_to(pc_of(below(pieces_)));
    for (unsigned k = 0; k < pieces_; k++) {
      forget_values();
      ir_.label(pc_of(k), u8(below(4)));
      count_turn();
      for (unsigned n = 2 + below(60); n > 0; n--) step();
      if (below(4) == 0) show_everything();
      maybe_jump();
      end_piece();
    }
    block_.guest_insns = 1, block_.guest_bytes = 4;
    block_.fp_inline = block_.half_inline = true;
    return std::move(block_);
  }

 private:
  // Most of what was computed is looked at.
  void show_everything() {
    for (unsigned n = 0; n < kX; n++) ir_.set_state(offset_x(n), integer(Type::I64));
    for (unsigned n = 0; n < kV; n++) ir_.set_state(offset_v(n), vector());
    for (unsigned n = 0; n < kFlags; n++) ir_.set_state(offset_f(n), flags());
  }

  static u64 pc_of(unsigned piece) { return 0x100 + piece * 0x10; }
  void forget_values() { wide_.clear(), narrow_.clear(), flags_.clear(), vectors_.clear(); }
  // Out when there were enough.
  void count_turn() {
    constexpr u32 offset = u32(offsetof(State, turns));
    Value left = ir_.binary(Op::Sub, ir_.get_state(Type::I64, offset), ir_.i64(1));
    ir_.set_state(offset, left);
    ir_.exit_if_zero(left, 0x2000);
  }
  void maybe_jump() {
    const u64 to = below(4) ? pc_of(below(pieces_)) : 0x3000;
    switch (below(4)) {
      case 0: return ir_.exit_if(flags(), u8(below(15)), to);
      case 1: return ir_.exit_if_nonzero(integer(width()), to);
      case 2: return ir_.exit_if_bit(integer(Type::I64), u8(below(64)), below(2), to);
      default: return;
    }
  }
  void end_piece() {
    switch (below(10)) {
      case 2: {  // to one of two pieces, if they are return sites
        Value one = ir_.i64(pc_of(below(pieces_))), other = ir_.i64(pc_of(below(pieces_)));
        Value to = ir_.emit(Op::Select, Type::I64, {one, other, flags()}, 0, 0, u8(below(14)));
        return ir_.exit_indirect(to, below(2) ? ir::IndirectKind::Return : ir::IndirectKind::Jump);
      }
      case 0: {
        Value to = ir_.binary(Op::And, integer(Type::I64), ir_.i64(~u64{3}));
        return ir_.exit_indirect(to, ir::IndirectKind::Jump);
      }
      case 1: return ir_.exit_to_run_loop(0x1234);
      default: return ir_.exit_to(pc_of(below(pieces_)));
    }
  }

  unsigned below(u64 n) { return unsigned(random_() % n); }
  Type width() { return below(2) ? Type::I64 : Type::I32; }

  u64 constant() {
    switch (below(4)) {
      case 0: return below(64);
      case 1: return u64{0} - below(64);
      case 2: return u64{1} << below(64);
      default: return random_();
    }
  }
  Value keep(Value v) {
    (v.type == Type::V128    ? vectors_
     : v.type == Type::Flags ? flags_
     : v.type == Type::I64   ? wide_
                             : narrow_)
        .push_back(v);
    return v;
  }
  // A recent one, any one, a new constant, or guest state.
  Value pick(std::vector<Value>& from, Type t) {
    const unsigned how = below(8);
    if (how < 6 && !from.empty()) {
      const size_t window = how < 3 ? std::min<size_t>(from.size(), 4) : from.size();
      return from[from.size() - 1 - below(window)];
    }
    if (t == Type::V128) return keep(ir_.get_state(t, offset_v(below(kV))));
    if (t == Type::Flags) return keep(ir_.get_state(t, offset_f(below(kFlags))));
    if (how == 6) return keep(ir_.constant(t, constant()));
    Value v = keep(ir_.get_state(Type::I64, offset_x(below(kX))));
    return t == Type::I64 ? v : keep(ir_.emit(Op::Truncate, Type::I32, {v}));
  }
  Value integer(Type t) { return pick(t == Type::I64 ? wide_ : narrow_, t); }
  Value vector() { return pick(vectors_, Type::V128); }
  Value flags() { return pick(flags_, Type::Flags); }

  void binary() {
    constexpr Op ops[] = {Op::Add, Op::Sub,    Op::Mul, Op::DivSigned, Op::DivUnsigned, Op::And, Op::Or,
                          Op::Xor, Op::AndNot, Op::Shl, Op::Shr,       Op::Sar,         Op::Ror};
    const Type t = width();
    const Value a = integer(t), b = integer(t);
    const Op op = ops[below(std::size(ops))];
    keep(ir_.binary(op, a, b));
    // The pair that the back end joins.
    if (op == Op::Add && below(2)) keep(ir_.flags(Op::FlagsAdd, {a, b}));
    if (op == Op::Sub && below(2)) keep(ir_.flags(Op::FlagsSub, {a, b}));
  }
  void with_carry() {
    constexpr Op ops[] = {Op::Adc, Op::Sbc};
    constexpr Op flag_ops[] = {Op::FlagsAdc, Op::FlagsSbc};
    const Type t = width();
    const Value a = integer(t), b = integer(t), f = flags();
    const unsigned k = below(2), which = below(3);
    if (which != 1) keep(ir_.emit(ops[k], t, {a, b, f}));
    if (which != 0) keep(ir_.flags(flag_ops[k], {a, b, f}));
  }
  void unary() {
    const Type t = width();
    const unsigned bits = ir::bits_of(t), lsb = below(4) ? below(bits) : 0,
                   size = below(4) ? 1 + below(bits - lsb) : bits - lsb;
    const Value a = integer(t);
    switch (below(11)) {
      case 0: return void(keep(ir_.unary(Op::Not, a)));
      case 10: return void(keep(ir_.unary(Op::CountTrailingZeros, a)));
      case 1: return void(keep(ir_.unary(Op::Neg, a)));
      case 2: return void(keep(ir_.unary(Op::CountLeadingZeros, a)));
      case 3: return void(keep(ir_.unary(Op::ReverseBits, a)));
      case 4: return void(keep(ir_.unary(Op::ReverseBytes, a, below(2) ? 16 : bits)));
      case 5: return void(keep(ir_.unary(below(2) ? Op::SignExtend8 : Op::SignExtend16, a)));
      case 6: return void(keep(ir_.unary(Op::ExtractUnsigned, a, lsb | size << 8)));
      case 7: return void(keep(ir_.unary(Op::ExtractSigned, a, lsb | size << 8)));
      case 8: return void(keep(ir_.binary(Op::Deposit, a, integer(t), lsb | size << 8)));
      default: return void(keep(ir_.binary(Op::ExtractPair, a, integer(t), lsb)));
    }
  }
  void convert() {
    switch (below(6)) {
      case 0: return void(keep(ir_.emit(Op::SignExtend32, Type::I64, {integer(Type::I32)})));
      case 1:
      case 2: return void(keep(ir_.emit(Op::ZeroExtend32, Type::I64, {integer(Type::I32)})));
      case 3: return void(keep(ir_.emit(Op::NzcvFromFlags, Type::I32, {flags()})));
      case 4: return void(keep(ir_.emit(Op::FlagsFromNzcv, Type::Flags, {integer(Type::I32)})));
      default: return void(keep(ir_.emit(Op::Truncate, Type::I32, {integer(Type::I64)})));
    }
  }
  void choose() {
    const Type t = width();
    const u8 cond = u8(below(4) ? below(16) : 14);
    switch (below(9)) {
      case 0:
      case 1: return void(keep(ir_.emit(Op::Select, t, {integer(t), integer(t), flags()}, 0, 0, cond)));
      case 2: return void(keep(ir_.emit(Op::SelectNonZero, t, {integer(t), integer(t), integer(Type::I64)})));
      case 3: return void(keep(ir_.emit(Op::Condition, Type::I32, {flags()}, 0, 0, cond)));
      case 4: return void(keep(ir_.emit(Op::EqualZero, Type::I32, {integer(t)})));
      case 5: return void(keep(ir_.emit(Op::LessUnsigned, Type::I32, {integer(t), integer(t)})));
      case 6:
        return void(keep(ir_.emit(Op::FlagsSelect, Type::Flags, {flags(), flags(), flags()}, 0, 0, cond)));
      case 7:
        return void(
            keep(ir_.emit(Op::VSelectCondition, Type::V128, {vector(), vector(), flags()}, 0, 0, cond)));
      default: return void(keep(ir_.flags(Op::FlagsLogic, {integer(t)})));
    }
  }
  void wide_multiply() {
    constexpr Op ops[] = {Op::MulHighSigned, Op::MulHighUnsigned};
    if (below(3)) return void(keep(ir_.binary(ops[below(2)], integer(Type::I64), integer(Type::I64))));
    const Op crc = below(2) ? Op::Crc32 : Op::Crc32C;
    keep(ir_.emit(crc, Type::I32, {integer(Type::I32), integer(Type::I64)}, 0, 0, u8(below(4))));
  }
  // Any vector or FP op, in one of its shapes.
  void any_vector_op() {
    const Op op = test::kVectorAndFpOps[below(std::size(test::kVectorAndFpOps))];
    const auto shapes = test::shapes_of(op);
    const test::OpShape& shape = shapes[below(shapes.size())];
    const ir::OpInfo& info = ir::info(op);
    const Type result = info.result == 'V' ? Type::V128 : info.result == 'F' ? Type::Flags : Type::I64;
    ir::Inst i{op, result, shape.esize, shape.aux, 0, {}, shape.imm};
    std::ranges::fill(i.args, ir::kNoValue);
    for (size_t n = 0; n < info.operands.size(); n++) {
      const char c = info.operands[n];
      i.args[n] = (c == 'v' ? vector() : c == 'f' ? flags() : integer(c == 't' ? width() : Type::I64)).id;
    }
    block_.insts.push_back(i);
    keep({ir::ValueId(block_.insts.size() - 1), result});
  }
  Value vector_op(Op op, std::initializer_list<Value> args, u64 imm = 0, unsigned esize = 0) {
    return keep(ir_.emit(op, Type::V128, args, imm, u8(esize)));
  }
  // What the pass over vector ops looks for, or nearly.
  void vector_pattern() {
    const unsigned esize = below(4), bits = 8u << esize, n = 1 + below(bits - 1),
                   rest = below(8) ? bits - n : below(bits);
    const Value a = vector(), b = below(8) ? a : vector();
    switch (below(6)) {
      case 0:
      case 1: {
        constexpr Op joins[] = {Op::VOr, Op::VAdd, Op::VXor};
        const Value l = vector_op(Op::VShlImm, {a}, n, esize), r = vector_op(Op::VUShrImm, {b}, rest, esize);
        if (below(2)) return void(vector_op(joins[below(3)], {l, r}, 0, esize));
        return void(vector_op(joins[below(3)], {r, l}, 0, esize));
      }
      case 2:
        return void(
            vector_op(Op::VShrInsertImm, {vector_op(Op::VShlImm, {a}, n, esize), b}, bits - n, esize));
      case 3:
        return void(
            vector_op(Op::VShlInsertImm, {vector_op(Op::VUShrImm, {a}, n, esize), b}, bits - n, esize));
      case 4: {
        const bool encrypt = below(2);
        Value state = vector();
        for (unsigned k = below(4); k < 4; k++) {
          state = vector_op(encrypt ? Op::VAesE : Op::VAesD, {state, vector()});
          state = vector_op(encrypt ? Op::VAesMc : Op::VAesImc, {state});
        }
        return void(vector_op(Op::VXor, {vector(), state}));
      }
      default: {
        Value abcd = vector(), efgh = vector();
        for (unsigned k = below(3); k < 3; k++) {
          const Value w = vector(), before = abcd;
          abcd = vector_op(Op::VSha256H, {abcd, efgh, w});
          efgh = vector_op(Op::VSha256H2, {efgh, before, w});
        }
      }
    }
  }
  void vectors() {
    switch (below(12)) {
      case 0: return void(keep(ir_.emit(Op::VFromInt, Type::V128, {integer(width())})));
      case 1: return void(keep(ir_.emit(below(2) ? Op::VNot : Op::VZeroUpper, Type::V128, {vector()})));
      case 2: return vector_pattern();
      default: return any_vector_op();
    }
  }
  void state() {
    switch (below(5)) {
      case 0: return ir_.set_state(offset_v(below(kV)), vector());
      case 1: return ir_.set_state(offset_f(below(kFlags)), flags());
      // The halves of a register: what lives in it must be told. (Such slots are not pinned.)
      case 2:
        return ir_.set_state(offset_x(below(block_.is_region ? 3 : kX)) + 4 * below(2), integer(Type::I32));
      default: return ir_.set_state(offset_x(below(kX)), integer(Type::I64));
    }
  }

  void step() {
    const unsigned kind = below(100);
    if (kind < 22)
      binary();
    else if (kind < 30)
      with_carry();
    else if (kind < 42)
      unary();
    else if (kind < 52)
      convert();
    else if (kind < 64)
      choose();
    else if (kind < 67)
      wide_multiply();
    else if (kind < 86)
      vectors();
    else if (kind < 97)
      state();
    else
      keep(ir_.call(kStir, {integer(Type::I64), integer(Type::I64), integer(Type::I64)}));
  }

  std::mt19937_64 random_;
  unsigned pieces_ = 0;
  Block block_;
  Builder ir_{block_};
  std::vector<Value> wide_, narrow_, flags_, vectors_;
};

std::unique_ptr<State> start_state(u64 seed) {
  auto s = std::make_unique<State>();
  std::mt19937_64 random(seed);
  for (u64& x : s->x) x = random() % 4 ? random() : random() % 3 - 1;
  for (Vec& v : s->v) v = {random(), random()};
  for (u32& f : s->f) f = Flags::from_nzcv(u32(random() & 15)).word;
  s->calls = 0, s->turns = 1 + random() % 40;
  return s;
}

std::string difference(const State& a, const State& b) {
  for (unsigned n = 0; n < kX; n++)
    if (a.x[n] != b.x[n]) return "x" + std::to_string(n);
  for (unsigned n = 0; n < kV; n++)
    if (!(a.v[n] == b.v[n])) return "v" + std::to_string(n);
  for (unsigned n = 0; n < kFlags; n++)
    if ((a.f[n] ^ b.f[n]) & Flags::kAll) return "f" + std::to_string(n);
  if (a.calls != b.calls) return "calls";
  if (a.turns != b.turns) return "turns";
  if ((a.fpsr | fpsr_of_mxcsr(a.guest_mxcsr)) != (b.fpsr | fpsr_of_mxcsr(b.guest_mxcsr))) return "fpsr";
  return a.pc != b.pc ? "pc" : "";
}

class RandomBlocks : public testing::Test {
 protected:
  void SetUp() override {
    if (!jit_) GTEST_SKIP() << "no back end for this host";
    const char* text = std::getenv("SLUICE_SEED");
    seed_ = text ? std::strtoull(text, nullptr, 0) : std::random_device{}();
    std::printf("seed %lu\n", seed_);
  }

  void run_interpreted(State& state, const Block& block) {
    block.is_region ? interpret_region(state, block) : interpret(state, 0, 1, block.insts, false);
  }
  void run_compiled(State& state, const Block& block) {
    TranslatedBlock translated;
    if (!jit_->compile(block, translated)) {
      jit_->reset();
      ASSERT_TRUE(jit_->compile(block, translated));
    }
    // No code is at the targets of indirect jumps.
    std::vector<JumpCacheEntry> nothing(kJumpCacheEntries);
    state.jump_cache = nothing.data();
    jit_->enter(state, translated.code);
  }

  // As it is in the interpreter, and as each set of passes leaves it in both.
  void compare(const Block& block, u64 n) {
    std::vector<PassSet> pass_sets{PassSet::none(), PassSet::all()};
    for (Pass p : {Pass::RedundantState, Pass::ConstantFold, Pass::DeadCode, Pass::RedundantChecks,
                   Pass::FoldAddresses})
      if (n % 5 == unsigned(p)) pass_sets.push_back(PassSet::all().with(p, false));
    ASSERT_EQ(verify(block), "") << "seed " << seed_ << ", block " << n;
    auto expected = start_state(seed_ ^ n);
    run_interpreted(*expected, block);
    for (PassSet passes : pass_sets) {
      Block mine = block;
      optimise(mine, passes);
      ASSERT_EQ(verify(mine), "");
      auto state = start_state(seed_ ^ n), interpreted = start_state(seed_ ^ n);
      run_compiled(*state, mine);
      run_interpreted(*interpreted, mine);
      ASSERT_EQ(difference(*state, *expected) + difference(*interpreted, *expected), "")
          << "seed " << seed_ << ", block " << n << ", passes " << passes.bits << "\n"
          << ir::print(mine);
    }
  }

  std::unique_ptr<Backend> jit_ = make_jit({.code_bytes = size_t{16} << 20});
  u64 seed_ = 0;
};

TEST_F(RandomBlocks, GiveTheSameInTheInterpreterAndInTheBackEnd) {
  for (u64 n = 0; n < 3000 && !HasFatalFailure(); n++) compare(RandomBlock(seed_ * 1000003 + n).make(), n);
}

TEST_F(RandomBlocks, RegionsGiveTheSameInTheInterpreterAndInTheBackEnd) {
  for (u64 n = 0; n < 3000 && !HasFatalFailure(); n++)
    compare(RandomBlock(seed_ * 1000003 + n).make_region(), n);
}

}  // namespace
}  // namespace sluice::tcg
