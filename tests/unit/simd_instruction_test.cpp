// Single Advanced SIMD and FP instructions, from the word to the registers, where the Arm ARM has a corner:
// writes that zero the rest of the register, encodings that are UNDEFINED, flags that must not be raised.
// (All rows are compared with another implementation by tests/differential/insn_oracle.)
#include <gtest/gtest.h>

#include <memory>

#include "cpu/a64/decoder.h"
#include "cpu/a64/groups.h"
#include "cpu/emit.h"
#include "cpu/exception.h"
#include "tcg/interp/interpreter.h"

namespace sluice::cpu {
namespace {

using tcg::Vec;

constexpr FeatureSet kFeatures{Feature::AES, Feature::PMULL, Feature::RDM, Feature::FP16, Feature::DotProd};
constexpr u32 kQc = 1u << 27, kIoc = 1;

const a64::Group* const kGroups[] = {
    &a64::kSimdThreeSame,    &a64::kSimdScalarThreeSame, &a64::kSimdThreeSameFp,
    &a64::kSimdTwoRegister,  &a64::kSimdTwoRegisterFp,   &a64::kSimdThreeDifferent,
    &a64::kSimdByElement,    &a64::kSimdShiftImmediate,  &a64::kSimdModifiedImmediate,
    &a64::kSimdCopy,         &a64::kSimdPermute,         &a64::kCryptographic,
    &a64::kFpDataProcessing, &a64::kFpCompare,           &a64::kFpConvertInteger,
    &a64::kFpConvertFixed,   &a64::kSimdThreeSameExtra,
};

class SimdInstruction : public testing::Test {
 protected:
  // False: UNDEFINED.
  bool run(u32 word, FeatureSet features = kFeatures) {
    const a64::Decoder decoder(features, kGroups);
    const a64::Insn* insn = decoder.decode(word);
    if (!insn) return false;
    tcg::ir::Block block;
    block.pc = 0x1000;
    tcg::ir::Builder builder(block);
    builder.at(block.pc);
    Emitter emitter(builder, Mode{}, features);
    emitter.pc = block.pc, emitter.word = word;
    insn->emit(emitter, word);
    for (const tcg::ir::Inst& i : block.insts)
      if (i.op == Op::Call && i.imm == reinterpret_cast<u64>(&kUndefined)) return false;
    builder.exit_to(block.pc + 4);
    tcg::interpret(s, block.pc, 1, block.insts, false);
    return true;
  }
  const std::unique_ptr<PeState> state_ = std::make_unique<PeState>();
  PeState& s = *state_;
};

TEST_F(SimdInstruction, A64BitResultZeroesTheUpperHalf) {
  s.v[1] = {0x0101010101010101, ~u64{0}}, s.v[0] = {5, 5};
  ASSERT_TRUE(run(0x0e218420));  // ADD V0.8B, V1.8B, V1.8B
  EXPECT_EQ(s.v[0], (Vec{0x0202020202020202, 0}));
  ASSERT_TRUE(run(0x4e218420));  // ADD V0.16B, V1.16B, V1.16B
  EXPECT_EQ(s.v[0], (Vec{0x0202020202020202, 0xfefefefefefefefe}));
}
TEST_F(SimdInstruction, AScalarResultZeroesTheRestOfTheRegister) {
  s.v[0] = {~u64{0}, ~u64{0}}, s.v[1] = {0xffffffff3f800000, ~u64{0}};  // 1.0 and noise
  ASSERT_TRUE(run(0x1e212820));                                         // FADD S0, S1, S1
  EXPECT_EQ(s.v[0], (Vec{0x40000000, 0}));
  ASSERT_TRUE(run(0x1e204020));  // FMOV S0, S1
  EXPECT_EQ(s.v[0], (Vec{0x3f800000, 0}));
}
TEST_F(SimdInstruction, SecondHalfInstructionsKeepTheLowHalf) {
  s.v[0] = {0x1111, 0x2222}, s.v[1] = {0x0004000300020001, 0x0008000700060005};
  ASSERT_TRUE(run(0x4e212820));  // XTN2 V0.16B, V1.8H
  EXPECT_EQ(s.v[0], (Vec{0x1111, 0x0807060504030201}));
}
TEST_F(SimdInstruction, LanesThatDoNotTakePartDoNotSaturate) {
  s.v[1] = {0x0101010101010101, 0x7f7f7f7f7f7f7f7f};
  ASSERT_TRUE(run(0x0e210c20));  // SQADD V0.8B, V1.8B, V1.8B
  EXPECT_EQ(s.fpsr & kQc, 0u);
  ASSERT_TRUE(run(0x4e210c20));  // SQADD V0.16B, V1.16B, V1.16B
  EXPECT_EQ(s.fpsr & kQc, kQc);
  EXPECT_EQ(s.v[0].hi, 0x7f7f7f7f7f7f7f7fu);
}
TEST_F(SimdInstruction, ConditionalCompareRaisesNothingIfTheConditionFails) {
  s.v[1] = {0x7ff0000000000001, 0};  // a signalling NaN
  s.nzcv = tcg::Flags::from_nzcv(0);
  ASSERT_TRUE(run(0x1e61042a));  // FCCMP D1, D1, #10, EQ
  EXPECT_EQ(s.nzcv.nzcv(), 10u);
  EXPECT_EQ(s.fpsr, 0u);
  ASSERT_TRUE(run(0x1e61142a));  // FCCMP D1, D1, #10, NE
  EXPECT_EQ(s.nzcv.nzcv(), 3u);  // unordered
  EXPECT_EQ(s.fpsr, kIoc);
}
TEST_F(SimdInstruction, TableLookupWrapsFromV31ToV0) {
  s.v[31] = {0x30, 0}, s.v[0] = {0x00, 0}, s.v[1] = {16, 0};
  s.v[0].set_lane<u8>(0, 0x77);
  ASSERT_TRUE(run(0x4e0123e2));  // TBL V2.16B, {V31.16B, V0.16B}, V1.16B
  EXPECT_EQ(s.v[2], (Vec{0x3030303030303077, 0x3030303030303030}));
}
TEST_F(SimdInstruction, ImmediatesExpand) {
  ASSERT_TRUE(run(0x6f02e6a0));  // MOVI V0.2D, #0xff00ff00ff00ff (abcdefgh = 01010101)
  EXPECT_EQ(s.v[0], (Vec{0x00ff00ff00ff00ff, 0x00ff00ff00ff00ff}));
  ASSERT_TRUE(run(0x4f03f600));  // FMOV V0.4S, #1.0
  EXPECT_EQ(s.v[0], (Vec{0x3f8000003f800000, 0x3f8000003f800000}));
  ASSERT_TRUE(run(0x0f01d420));  // MOVI V0.2S, #0x21, MSL #16
  EXPECT_EQ(s.v[0], (Vec{0x0021ffff0021ffff, 0}));
  ASSERT_TRUE(run(0x2f00a420));  // MVNI V0.4H, #1, LSL #8
  EXPECT_EQ(s.v[0], (Vec{0xfefffefffefffeff, 0}));
}
TEST_F(SimdInstruction, ReservedArrangementsAreUndefined) {
  EXPECT_FALSE(run(0x0ee18420));             // ADD .1D
  EXPECT_FALSE(run(0x4ee19c20));             // MUL .2D
  EXPECT_FALSE(run(0x0e61d420));             // FADD .1D
  EXPECT_FALSE(run(0x2f00fc20));             // modified immediate, op = 1, o2 = 1
  EXPECT_FALSE(run(0x6e219c20 | 1u << 22));  // PMUL of halfwords
  EXPECT_FALSE(run(0x1ea12820));             // FADD with ptype = 10
  EXPECT_FALSE(run(0x1e020020));             // SCVTF S0, W1 with more than 32 fraction bits
  EXPECT_FALSE(run(0x2e014020));             // EXT .8B from byte 8
  EXPECT_FALSE(run(0x4e003c20));             // UMOV without a lane size
}
TEST_F(SimdInstruction, HalfPrecisionNeedsTheFeature) {
  const u32 fadd_h = 0x1ee12820, fadd_8h = 0x4e411420, fcvt_s_h = 0x1ee24020;
  EXPECT_TRUE(run(fadd_h));
  EXPECT_FALSE(run(fadd_h, kFeatures.without(Feature::FP16)));
  EXPECT_FALSE(run(fadd_8h, kFeatures.without(Feature::FP16)));
  EXPECT_TRUE(run(fcvt_s_h, kFeatures.without(Feature::FP16)));
}
TEST_F(SimdInstruction, PolynomialDoublewordsNeedTheFeature) {
  EXPECT_TRUE(run(0x0ee1e020));  // PMULL V0.1Q, V1.1D, V1.1D
  EXPECT_FALSE(run(0x0ee1e020, kFeatures.without(Feature::PMULL)));
  EXPECT_TRUE(run(0x0e21e020, kFeatures.without(Feature::PMULL)));  // PMULL V0.8H, V1.8B, V1.8B
}

}  // namespace
}  // namespace sluice::cpu
