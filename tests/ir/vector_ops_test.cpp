// tests/ir/vector_ops_test.cpp: every vector and FP op in every shape, from the x86-64 back end and from the
// op's meaning: results, FPSR, in every FPCR mode, on this host and on lesser ones. SLUICE_SEED repeats a
// run.
#include <gtest/gtest.h>

#include <bit>
#include <cstdlib>
#include <random>

#include "cpu/sysreg/fp_control.h"
#include "tcg/interp/interpreter.h"
#include "tcg/ir/builder.h"
#include "tcg/ir/eval.h"
#include "tcg/jump_cache.h"
#include "tcg/x86_64/jit.h"
#include "tests/support/op_shapes.h"

namespace sluice::test {
namespace {

using tcg::Vec;
using tcg::ir::Block;
using tcg::ir::Builder;
using tcg::ir::Op;
using tcg::ir::OpInfo;
using tcg::ir::Type;
using tcg::ir::Value;
using tcg::x86_64::HostFeatures;

constexpr u32 kFz = 1u << 24, kDn = 1u << 25, kRModeShift = 22, kAhp = 1u << 26, kFz16 = 1u << 19;

// This host, and what is baseline and below it.
std::vector<std::pair<const char*, HostFeatures>> hosts() {
  const HostFeatures best = HostFeatures::of_this_host();
  HostFeatures avx2 = best, plain;
  avx2.avx512 = avx2.bitalg = avx2.vnni = avx2.gfni = avx2.sha = false;
  return {{"this host", best}, {"AVX2", avx2}, {"SSE4.2", plain}};
}

Type type_of(char operand) {
  switch (operand) {
    case 'V':
    case 'v': return Type::V128;
    case 'F':
    case 'f': return Type::Flags;
    case 'W':
    case 'w': return Type::I32;
    default: return Type::I64;
  }
}
u32 offset_of(Type type, unsigned n) {
  if (type == Type::V128) return cpu::offset_of_v(n);
  return type == Type::Flags ? u32(offsetof(cpu::PeState, nzcv)) : cpu::offset_of_x(n);
}

// How the operands come to the op.
enum class Way { FromState, InRegisters, AllTheSame };

constexpr unsigned kResult = 20, kLater = 10;

Block block_of(Op op, const OpShape& shape, Way way, u32 fpcr) {
  Block block;
  Builder ir(block);
  block.pc = 0x1000, block.guest_insns = 1, block.guest_bytes = 4;
  block.fp_inline = !(fpcr & kFz);
  block.half_inline = block.fp_inline && !(fpcr & kAhp);
  const OpInfo& info = tcg::ir::info(op);
  std::vector<Value> args;
  for (char c : info.operands) {
    const Type t = type_of(c);
    const unsigned n = way == Way::AllTheSame && t == Type::V128 ? 0 : unsigned(args.size());
    args.push_back(ir.get_state(t, offset_of(t, n)));
  }
  std::vector<Value> copies = args;
  if (way == Way::InRegisters)  // and they live on
    for (Value& v : args)
      if (v.type == Type::V128) v = ir.emit(Op::VNot, v.type, {ir.emit(Op::VNot, v.type, {v})});
  tcg::ir::Inst inst{op, type_of(info.result), shape.esize, shape.aux, 0, {}, shape.imm};
  std::ranges::fill(inst.args, tcg::ir::kNoValue);
  for (size_t n = 0; n < args.size(); n++) inst.args[n] = args[n].id;
  block.insts.push_back(inst);
  const Value result{tcg::ir::ValueId(block.insts.size() - 1), inst.type};
  ir.set_state(offset_of(inst.type, kResult), result);
  if (way == Way::InRegisters)
    for (size_t n = 0; n < args.size(); n++)
      if (args[n].type == Type::V128) ir.set_state(offset_of(Type::V128, unsigned(kLater + n)), args[n]);
  ir.exit_to_run_loop(0x1234);
  return block;
}

class VectorOps : public testing::Test {
 protected:
  void SetUp() override { std::printf("seed %lu\n", seed_); }

  u64 fp_lane(unsigned bits, unsigned fraction) {
    const u64 minimum = u64{1} << fraction, infinity = ones(bits - 1) & ~ones(fraction),
              one = (ones(bits - 2 - fraction)) << fraction, quiet = minimum >> 1;
    const u64 r = random_();
    const u64 special[] = {0,
                           1,
                           minimum - 1,
                           minimum,
                           minimum + 1,
                           quiet,
                           one,
                           one - 1,
                           one + 1,
                           one + minimum,
                           one + quiet,
                           infinity - 1,
                           infinity,
                           infinity | 1,
                           infinity | quiet,
                           infinity | quiet | 5,
                           one - 40 * minimum / 40,
                           one + (u64{bits - 1} << fraction),
                           one + (u64{bits - 2} << fraction),
                           one + (u64{31} << fraction),
                           one + (u64{32} << fraction),
                           (one >> fraction) / 2 * minimum,
                           (one >> fraction) / 2 * minimum + 3};
    const u64 sign = (r & 1) << (bits - 1);
    switch (r >> 8 & 7) {
      case 0:
      case 1: return special[(r >> 16) % std::size(special)] | sign;
      case 2: return (random_() & ones(bits)) | 0;
      case 3: {  // near one half of the smallest exponent: products at the edge of the normal range
        const u64 half = (one >> fraction) / 2 + (r >> 16 & 3) - 1;
        return sign | half << fraction | (r >> 20 & 1 ? random_() & ones(fraction) : (r >> 21 & 3));
      }
      case 4: {  // small integers and halves of them
        const u64 exponent = (one >> fraction) + (r >> 16) % 34 - 1;
        return sign | (exponent << fraction & infinity) | (random_() & ones(fraction) & ~ones(fraction - 4));
      }
      default: {
        const u64 exponent = (one >> fraction) + (r >> 16) % 40 - 20;
        return sign | (exponent << fraction & infinity) | (random_() & ones(fraction));
      }
    }
  }
  Vec fp_vector(unsigned esize) {
    constexpr unsigned kFraction[] = {0, 10, 23, 52};
    Vec v;
    for (unsigned i = 0; i < 16u >> esize; i++) {
      const u64 lane = fp_lane(8u << esize, kFraction[esize]);
      std::memcpy(reinterpret_cast<u8*>(&v) + (i << esize), &lane, size_t{1} << esize);
    }
    return v;
  }
  Vec integer_vector(unsigned esize) {
    Vec v;
    for (unsigned i = 0; i < 16u >> esize; i++) {
      const u64 r = random_(), bits = 8u << esize;
      const u64 special[] = {0,
                             1,
                             ones(bits),
                             ones(bits - 1),
                             u64{1} << (bits - 1),
                             bits,
                             bits - 1,
                             0 - bits,
                             ones(bits / 2),
                             ones(bits / 2 - 1),
                             u64{1} << (bits / 2),
                             ones(bits - 1) - 1,
                             0 - (u64{1} << (bits / 2 - 1))};
      u64 lane = r;
      if ((r >> 40) % 3 == 0) lane = special[(r >> 8) % std::size(special)];
      if ((r >> 40) % 5 == 1) lane = (r & 0xff) - 128;
      std::memcpy(reinterpret_cast<u8*>(&v) + (i << esize), &lane, size_t{1} << esize);
    }
    return v;
  }
  void randomise(cpu::PeState& s, Op op, unsigned esize) {
    const bool fp = is_fp_op(op) && random_() % 8;
    const unsigned size = random_() % 8 || is_fp_op(op) ? esize : unsigned(random_() % 4);
    for (unsigned n = 0; n < 4; n++) s.v[n] = fp ? fp_vector(size) : integer_vector(size);
    for (unsigned n = 0; n < 4; n++) s.x[n] = random_() >> random_() % 64, s.x[n] ^= 0 - (random_() & 1);
    s.nzcv = tcg::Flags::from_nzcv(u32(random_() & 15));
  }

  void compare(Op op, const OpShape& shape, Way way, u32 fpcr, tcg::Backend& jit, const char* host) {
    Block block = block_of(op, shape, way, fpcr);
    ASSERT_EQ(verify(block), "");
    tcg::TranslatedBlock translated;
    jit.reset();
    ASSERT_TRUE(jit.compile(block, translated));
    blocks_++;
    auto state = std::make_unique<cpu::PeState>(), expected = std::make_unique<cpu::PeState>();
    static std::vector<tcg::JumpCacheEntry> nothing(tcg::kJumpCacheEntries);  // what comes behind the block
    state->jump_cache = nothing.data();
    for (int n = 0; n < 24; n++) {
      randomise(*state, op, shape.esize);
      state->fpsr = 0, state->fpcr = fpcr;
      for (unsigned k = 0; k < 4; k++) expected->v[k] = state->v[k], expected->x[k] = state->x[k];
      expected->nzcv = state->nzcv, expected->fpsr = 0, expected->fpcr = fpcr;
      cpu::fp_control_changed(*state);
      state->fpsr = 0;
      tcg::interpret(*expected, 0, 1, block.insts, false);
      jit.enter(*state, translated.code);
      const u32 fpsr = cpu::fp_status(*state);
      auto where = [&] {
        std::string text = std::string(tcg::ir::info(op).name) + " esize " + std::to_string(shape.esize) +
                           " imm " + std::to_string(shape.imm) + " aux " + std::to_string(shape.aux) +
                           " way " + std::to_string(int(way)) + " fpcr " + std::to_string(fpcr >> 19) +
                           " on " + host + " seed " + std::to_string(seed_);
        for (unsigned k = 0; k < 3; k++) {
          char v[64];
          std::snprintf(v, sizeof v, "\n  operand %016lx:%016lx", expected->v[k].hi, expected->v[k].lo);
          text += v;
        }
        return text + "\n" + jit.disassemble_latest();
      };
      for (unsigned k : {kResult, kLater, kLater + 1, kLater + 2}) {
        ASSERT_EQ(state->v[k].lo, expected->v[k].lo) << where();
        ASSERT_EQ(state->v[k].hi, expected->v[k].hi) << where();
      }
      ASSERT_EQ(state->x[kResult], expected->x[kResult]) << where();
      ASSERT_EQ(state->nzcv.nzcv(), expected->nzcv.nzcv()) << where();
      ASSERT_EQ(fpsr, expected->fpsr) << where();
    }
  }

  u32 random_fpcr() {
    u32 fpcr = u32(random_() & 3) << kRModeShift;
    if (random_() % 3 == 0) fpcr |= kDn;
    if (random_() % 4 == 0) fpcr |= kFz;
    if (random_() % 4 == 0) fpcr |= kFz16;
    if (random_() % 8 == 0) fpcr |= kAhp;
    return fpcr;
  }

  const u64 seed_ = [] {
    const char* text = std::getenv("SLUICE_SEED");
    return text ? std::strtoull(text, nullptr, 0) : u64{std::random_device{}()};
  }();
  std::mt19937_64 random_{seed_};
  size_t blocks_ = 0;
};

TEST_F(VectorOps, EveryShapeGivesWhatItsMeaningSays) {
  for (const auto& [name, features] : hosts()) {
    auto jit = tcg::x86_64::make_jit_for(features, {.code_bytes = size_t{4} << 20});
    if (!jit) GTEST_SKIP() << "no back end for this host";
    for (Op op : kVectorAndFpOps) {
      const auto shapes = shapes_of(op);
      const size_t rounds = std::max<size_t>(1, (is_fp_op(op) ? 48 : 8) / shapes.size());
      for (const OpShape& shape : shapes)
        for (size_t round = 0; round < rounds; round++)
          for (Way way : {Way::FromState, Way::InRegisters, Way::AllTheSame}) {
            if (way == Way::AllTheSame && random_() % 4) continue;
            compare(op, shape, way, is_fp_op(op) ? random_fpcr() : 0, *jit, name);
            if (HasFatalFailure()) return;
          }
    }
  }
  std::printf("%zu blocks\n", blocks_);
}

}  // namespace
}  // namespace sluice::test
