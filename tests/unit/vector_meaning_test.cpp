// The meanings of the vector IR ops against plain integer arithmetic on one lane at a time, on random and
// extreme lanes.
#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "base/bits.h"
#include "tcg/ir/eval.h"

namespace sluice::tcg::ir {
namespace {

constexpr u32 kQc = 1u << 27;

struct Lane {
  i128 s, u;  // the same bits, signed and unsigned
};
Lane lane(const Vec& v, unsigned esize, unsigned i) {
  const unsigned bits = 8u << esize;
  u64 value = 0;
  for (unsigned k = 0; k < bits / 8; k++) value |= u64{v.lane<u8>(i * bits / 8 + k)} << (8 * k);
  return {i64(sign_extend(value, bits)), value};
}
Vec evaluate(Op op, std::initializer_list<Vec> in, unsigned esize, u64 imm = 0, unsigned aux = 0,
             u32* fpsr = nullptr) {
  ExecState state;
  EvalFrame frame;
  unsigned n = 0;
  for (const Vec& v : in) frame.in[n++] = v;
  frame.imm = imm, frame.esize = u8(esize), frame.aux = u8(aux), frame.state = &state;
  meaning(op).vector(frame);
  if (fpsr) *fpsr = state.fpsr;
  return frame.out;
}

class VectorMeaning : public testing::Test {
 protected:
  void SetUp() override { std::printf("seed %u\n", seed_); }
  Vec random_vector() {
    static constexpr u8 kEdges[] = {0, 1, 0x7f, 0x80, 0xff};
    Vec v;
    for (unsigned i = 0; i < 16; i++) {
      const u32 r = u32(random_());
      v.set_lane<u8>(i, r & 0x300 ? u8(r) : kEdges[(r >> 16) % 5]);
    }
    return v;
  }
  using Expected = std::function<i128(Lane a, Lane b, unsigned bits)>;
  // Result lane = expected(a, b), modulo the lane.
  void expect_lanes(Op op, unsigned sizes, const Expected& expected) {
    for (unsigned esize = 0; esize < 4; esize++)
      for (int n = 0; sizes >> esize & 1 && n < 300; n++) {
        const Vec a = random_vector(), b = n % 8 ? random_vector() : a;
        const Vec r = evaluate(op, {a, b}, esize);
        for (unsigned i = 0; i < 16u >> esize; i++) {
          const Lane x = lane(a, esize, i), y = lane(b, esize, i);
          const u64 want = u64(expected(x, y, 8u << esize)) & ones(8u << esize);
          ASSERT_EQ(u64(lane(r, esize, i).u), want) << info(op).name << " esize " << esize << " a "
                                                    << u64(x.u) << " b " << u64(y.u) << " seed " << seed_;
        }
      }
  }
  // Result lane = expected saturated to the signed or unsigned range; QC exactly when that changed something
  // in the first `count` lanes; other lanes zero.
  void expect_saturated(Op op, unsigned sizes, bool result_signed, const Expected& expected) {
    for (unsigned esize = 0; esize < 4; esize++)
      for (int n = 0; sizes >> esize & 1 && n < 300; n++) {
        const Vec a = random_vector(), b = random_vector();
        const unsigned bits = 8u << esize, count = n % 3 == 0 ? 1 : n % 3 == 1 ? 8u >> esize : 16u >> esize;
        const i128 high = result_signed ? i128(ones(bits - 1)) : i128(ones(bits)),
                   low = result_signed ? -high - 1 : 0;
        u32 fpsr = 0;
        const Vec r = evaluate(op, {a, b}, esize, 0, count, &fpsr);
        bool saturated = false;
        for (unsigned i = 0; i < 16u >> esize; i++) {
          const i128 exact = i < count ? expected(lane(a, esize, i), lane(b, esize, i), bits) : 0;
          const i128 want = exact < low ? low : exact > high ? high : exact;
          saturated |= want != exact;
          ASSERT_EQ(u64(lane(r, esize, i).u), u64(want) & ones(bits)) << info(op).name << " seed " << seed_;
        }
        ASSERT_EQ(fpsr, saturated ? kQc : 0) << info(op).name << " seed " << seed_;
      }
  }

  const unsigned seed_ = std::random_device{}();
  std::mt19937_64 random_{seed_};
};
constexpr unsigned kAll = 15, kUpTo32 = 7, k16And32 = 6;

TEST_F(VectorMeaning, ArithmeticIsModuloTheLane) {
  expect_lanes(Op::VAdd, kAll, [](Lane a, Lane b, unsigned) { return a.u + b.u; });
  expect_lanes(Op::VSub, kAll, [](Lane a, Lane b, unsigned) { return a.u - b.u; });
  expect_lanes(Op::VMul, kUpTo32, [](Lane a, Lane b, unsigned) { return a.u * b.u; });
  expect_lanes(Op::VNeg, kAll, [](Lane a, Lane, unsigned) { return -a.s; });
  expect_lanes(Op::VAbs, kAll, [](Lane a, Lane, unsigned) { return a.s < 0 ? -a.s : a.s; });
}
TEST_F(VectorMeaning, MinimaMaximaAndDifferences) {
  expect_lanes(Op::VSMax, kUpTo32, [](Lane a, Lane b, unsigned) { return a.s > b.s ? a.s : b.s; });
  expect_lanes(Op::VSMin, kUpTo32, [](Lane a, Lane b, unsigned) { return a.s > b.s ? b.s : a.s; });
  expect_lanes(Op::VUMax, kUpTo32, [](Lane a, Lane b, unsigned) { return a.u > b.u ? a.u : b.u; });
  expect_lanes(Op::VUMin, kUpTo32, [](Lane a, Lane b, unsigned) { return a.u > b.u ? b.u : a.u; });
  expect_lanes(Op::VSAbd, kAll, [](Lane a, Lane b, unsigned) { return a.s > b.s ? a.s - b.s : b.s - a.s; });
  expect_lanes(Op::VUAbd, kAll, [](Lane a, Lane b, unsigned) { return a.u > b.u ? a.u - b.u : b.u - a.u; });
}
TEST_F(VectorMeaning, HalvingKeepsTheCarry) {
  expect_lanes(Op::VSHAdd, kUpTo32, [](Lane a, Lane b, unsigned) { return (a.s + b.s) >> 1; });
  expect_lanes(Op::VUHAdd, kUpTo32, [](Lane a, Lane b, unsigned) { return (a.u + b.u) >> 1; });
  expect_lanes(Op::VSRHAdd, kUpTo32, [](Lane a, Lane b, unsigned) { return (a.s + b.s + 1) >> 1; });
  expect_lanes(Op::VURHAdd, kUpTo32, [](Lane a, Lane b, unsigned) { return (a.u + b.u + 1) >> 1; });
  expect_lanes(Op::VSHSub, kUpTo32, [](Lane a, Lane b, unsigned) { return (a.s - b.s) >> 1; });
  expect_lanes(Op::VUHSub, kUpTo32, [](Lane a, Lane b, unsigned) { return (a.u - b.u) >> 1; });
}
TEST_F(VectorMeaning, ComparisonsGiveMasks) {
  expect_lanes(Op::VCmpEq, kAll, [](Lane a, Lane b, unsigned) { return a.u == b.u ? -1 : 0; });
  expect_lanes(Op::VCmpGtS, kAll, [](Lane a, Lane b, unsigned) { return a.s > b.s ? -1 : 0; });
  expect_lanes(Op::VCmpGeS, kAll, [](Lane a, Lane b, unsigned) { return a.s >= b.s ? -1 : 0; });
  expect_lanes(Op::VCmpGtU, kAll, [](Lane a, Lane b, unsigned) { return a.u > b.u ? -1 : 0; });
  expect_lanes(Op::VCmpGeU, kAll, [](Lane a, Lane b, unsigned) { return a.u >= b.u ? -1 : 0; });
  expect_lanes(Op::VCmpTest, kAll, [](Lane a, Lane b, unsigned) { return (a.u & b.u) != 0 ? -1 : 0; });
}
TEST_F(VectorMeaning, CountsOfBits) {
  auto leading = [](Lane a, unsigned bits, bool of_signs) {
    unsigned n = 0;
    const bool first = of_signs && (a.u >> (bits - 1) & 1);
    while (n < bits && bool(a.u >> (bits - 1 - n) & 1) == first) n++;
    return i128(of_signs ? n - 1 : n);
  };
  expect_lanes(Op::VCountLeadingZeros, kUpTo32,
               [&](Lane a, Lane, unsigned bits) { return leading(a, bits, false); });
  expect_lanes(Op::VCountLeadingSigns, kUpTo32,
               [&](Lane a, Lane, unsigned bits) { return leading(a, bits, true); });
  expect_lanes(Op::VPopCount, 1, [](Lane a, Lane, unsigned) {
    i128 n = 0;
    for (unsigned i = 0; i < 8; i++) n += a.u >> i & 1;
    return n;
  });
}

// floor(x * 2^amount), or with rounding floor(x * 2^amount + 1/2), of a value that fits; the amount is a
// signed byte.
i128 shifted(i128 x, Lane by, bool rounding) {
  int amount = i8(u8(by.u));
  for (; amount < 0; amount++) {
    const bool last = amount == -1;
    x = last && rounding ? (x + 1) >> 1 : x >> 1;  // what was shifted out before cannot reach one half
  }
  const i128 limit = i128{1} << 100;
  for (; amount > 0; amount--) x = x >= limit ? limit : x <= -limit ? -limit : 2 * x;
  return x;
}
TEST_F(VectorMeaning, RegisterShiftsGoBothWays) {
  // Modulo the lane a shift by 100 is a shift by the lane width: only amounts below 64 are given to the
  // reference.
  auto modular = [](bool is_signed, bool rounding) {
    return [=](Lane a, Lane by, unsigned bits) -> i128 {
      if (i8(u8(by.u)) >= int(bits)) return 0;
      return shifted(is_signed ? a.s : a.u, by, rounding);
    };
  };
  auto exact = [](bool is_signed, bool rounding) {
    return [=](Lane a, Lane by, unsigned) { return shifted(is_signed ? a.s : a.u, by, rounding); };
  };
  expect_lanes(Op::VSShl, kUpTo32, modular(true, false));
  expect_lanes(Op::VUShl, kUpTo32, modular(false, false));
  expect_lanes(Op::VSRShl, kUpTo32, modular(true, true));
  expect_lanes(Op::VURShl, kUpTo32, modular(false, true));
  expect_saturated(Op::VSqShl, kAll, true, exact(true, false));
  expect_saturated(Op::VUqShl, kAll, false, exact(false, false));
  expect_saturated(Op::VSqRShl, kAll, true, exact(true, true));
  expect_saturated(Op::VUqRShl, kAll, false, exact(false, true));
  expect_saturated(Op::VSqShlu, kAll, false, exact(true, false));
}
TEST_F(VectorMeaning, SaturationSetsQcInActiveLanesOnly) {
  expect_saturated(Op::VSqAdd, kAll, true, [](Lane a, Lane b, unsigned) { return a.s + b.s; });
  expect_saturated(Op::VUqAdd, kAll, false, [](Lane a, Lane b, unsigned) { return a.u + b.u; });
  expect_saturated(Op::VSqSub, kAll, true, [](Lane a, Lane b, unsigned) { return a.s - b.s; });
  expect_saturated(Op::VUqSub, kAll, false, [](Lane a, Lane b, unsigned) { return a.u - b.u; });
  expect_saturated(Op::VSuqAdd, kAll, true, [](Lane a, Lane b, unsigned) { return a.s + b.u; });
  expect_saturated(Op::VUsqAdd, kAll, false, [](Lane a, Lane b, unsigned) { return a.u + b.s; });
  expect_saturated(Op::VSqNeg, kAll, true, [](Lane a, Lane, unsigned) { return -a.s; });
  expect_saturated(Op::VSqAbs, kAll, true, [](Lane a, Lane, unsigned) { return a.s < 0 ? -a.s : a.s; });
  expect_saturated(Op::VSqDMulHigh, k16And32, true,
                   [](Lane a, Lane b, unsigned bits) { return (2 * a.s * b.s) >> bits; });
  expect_saturated(Op::VSqRDMulHigh, k16And32, true, [](Lane a, Lane b, unsigned bits) {
    return (2 * a.s * b.s + (i128{1} << (bits - 1))) >> bits;
  });
}

// By hand, from the descriptions in the Arm ARM.
constexpr Vec kCounting{0x0706050403020100, 0x0f0e0d0c0b0a0908},
    kHigher{0x1716151413121110, 0x1f1e1d1c1b1a1918};

TEST(VectorPermute, InterleavesAndSeparates) {
  EXPECT_EQ(evaluate(Op::VZip1, {kCounting, kHigher}, 0, 0, 16),
            (Vec{0x1303120211011000, 0x1707160615051404}));
  EXPECT_EQ(evaluate(Op::VZip2, {kCounting, kHigher}, 1, 0, 16),
            (Vec{0x1b1a0b0a19180908, 0x1f1e0f0e1d1c0d0c}));
  EXPECT_EQ(evaluate(Op::VZip2, {kCounting, kHigher}, 0, 0, 8), (Vec{0x1707160615051404, 0}));
  EXPECT_EQ(evaluate(Op::VUzp1, {kCounting, kHigher}, 0, 0, 16),
            (Vec{0x0e0c0a0806040200, 0x1e1c1a1816141210}));
  EXPECT_EQ(evaluate(Op::VUzp2, {kCounting, kHigher}, 2, 0, 8), (Vec{0x1716151407060504, 0}));
  EXPECT_EQ(evaluate(Op::VTrn1, {kCounting, kHigher}, 3, 0, 16),
            (Vec{0x0706050403020100, 0x1716151413121110}));
  EXPECT_EQ(evaluate(Op::VTrn2, {kCounting, kHigher}, 1, 0, 8), (Vec{0x1716070613120302, 0}));
}
TEST(VectorPermute, ExtractsAcrossTheBoundary) {
  EXPECT_EQ(evaluate(Op::VExtract, {kCounting, kHigher}, 0, 3, 16),
            (Vec{0x0a09080706050403, 0x1211100f0e0d0c0b}));
  EXPECT_EQ(evaluate(Op::VExtract, {kCounting, kHigher}, 0, 7, 8), (Vec{0x1615141312111007, 0}));
}
TEST(VectorPermute, ReversesInsideContainers) {
  EXPECT_EQ(evaluate(Op::VReverse, {kCounting}, 0, 3).lo, 0x0001020304050607u);
  EXPECT_EQ(evaluate(Op::VReverse, {kCounting}, 1, 2).lo, 0x0504070601000302u);
  EXPECT_EQ(evaluate(Op::VReverseBits, {Vec{0x01, 0x80}}, 0), (Vec{0x80, 0x01}));
}
TEST(VectorPermute, ShufflesTakeTwoWordsOfEachOperand) {
  EXPECT_EQ(evaluate(Op::VShuffle32, {kCounting, kHigher}, 2, 3 | 0 << 2 | 1 << 4 | 2 << 6),
            (Vec{0x030201000f0e0d0c, 0x1b1a191817161514}));
}
TEST(VectorPermute, TableKeepsTheFallbackOutOfRange) {
  const Vec indices{0x1f201110ff0f0100, 0}, fallback{0x8877665544332211, 0};
  const Vec first = evaluate(Op::VTable, {fallback, kCounting, indices}, 0, 0);
  EXPECT_EQ(first.lo, 0x88776655440f0100u);
  EXPECT_EQ(evaluate(Op::VTable, {first, kHigher, indices}, 0, 16).lo, 0x1f771110440f0100u);
}
TEST(VectorPermute, LanesMoveInAndOut) {
  EXPECT_EQ(evaluate(Op::VDupLane, {kCounting}, 1, 5), (Vec{0x0b0a0b0a0b0a0b0a, 0x0b0a0b0a0b0a0b0a}));
  EXPECT_EQ(evaluate(Op::VInsert, {kCounting, Vec{0xaabbccdd, 0}}, 1, 4).hi, 0x0f0e0d0c0b0accddu);
  EXPECT_EQ(evaluate(Op::VInsertLane, {kCounting, kHigher}, 2, 3 | 1 << 8).hi, 0x171615140b0a0908u);
  EXPECT_EQ(evaluate(Op::VLane, {kHigher}, 0, 9).lo, 0x19u);
  EXPECT_EQ(evaluate(Op::VLaneSigned, {Vec{0, 0xff80}}, 0, 8).lo, ~u64{0x7f});
}
TEST(VectorAcross, SumsDoNotOverflowWhenLong) {
  const Vec ones_everywhere{~u64{0}, ~u64{0}};
  EXPECT_EQ(evaluate(Op::VUAddAcrossLong, {ones_everywhere}, 0, 0, 16), (Vec{16 * 255, 0}));
  EXPECT_EQ(evaluate(Op::VSAddAcrossLong, {ones_everywhere}, 0, 0, 16), (Vec{0xfff0, 0}));
  EXPECT_EQ(evaluate(Op::VAddAcross, {ones_everywhere}, 0, 0, 8), (Vec{0xf8, 0}));
  EXPECT_EQ(evaluate(Op::VUMaxAcross, {kCounting}, 0, 0, 8).lo, 7u);
  EXPECT_EQ(evaluate(Op::VSMinAcross, {Vec{0x80, 0}}, 0, 0, 16).lo, 0x80u);
}
TEST(VectorImmediateShift, RoundsWithTheCarry) {
  EXPECT_EQ(evaluate(Op::VURShrImm, {Vec{~u64{0}, 3}}, 3, 1), (Vec{u64{1} << 63, 2}));
  EXPECT_EQ(evaluate(Op::VURShrImm, {Vec{~u64{0}, 1}}, 3, 64), (Vec{1, 0}));
  EXPECT_EQ(evaluate(Op::VSRShrImm, {Vec{~u64{0}, 1}}, 3, 64), (Vec{0, 0}));
  EXPECT_EQ(evaluate(Op::VSShrImm, {Vec{0x80, 0}}, 0, 8), (Vec{0xff, 0}));
  EXPECT_EQ(evaluate(Op::VShlInsertImm, {Vec{0x0f, 0}, Vec{0xab, 0}}, 0, 4).lo, 0xbfu);
  EXPECT_EQ(evaluate(Op::VShrInsertImm, {Vec{0xf0, 0}, Vec{0xab, 0}}, 0, 4).lo, 0xfau);
  EXPECT_EQ(evaluate(Op::VShrInsertImm, {Vec{0xf0, 0}, Vec{0xab, 0}}, 0, 8).lo, 0xf0u);
}
TEST(VectorImmediateShift, RotatesEachLane) {
  EXPECT_EQ(evaluate(Op::VRotateImm, {Vec{0x8000000000000001, 0x0123456789abcdef}}, 3, 4),
            (Vec{0x18, 0x123456789abcdef0}));
  EXPECT_EQ(evaluate(Op::VRotateImm, {Vec{0x80000001, 0x01234567}}, 2, 8), (Vec{0x00000180, 0x23456701}));
  EXPECT_EQ(evaluate(Op::VRotateImm, {Vec{0x81, 0xff0f}}, 0, 1), (Vec{0x03, 0xff1e}));
}
TEST(VectorDot, SumsFourProducts) {
  const Vec a{0xff02ff01, 0}, b{0x7f0380ff, 0};
  // Signed: 1 * -1, -1 * -128, 2 * 3, -1 * 127.
  EXPECT_EQ(u32(evaluate(Op::VSDot, {Vec{10, 0}, a, b}, 2).lo), 10u - 1 + 128 + 6 - 127);
  // Unsigned: 1 * 255, 255 * 128, 2 * 3, 255 * 127.
  EXPECT_EQ(u32(evaluate(Op::VUDot, {Vec{10, 0}, a, b}, 2).lo), 10u + 255 + 255 * 128 + 6 + 255 * 127);
  // Unsigned by signed: 1 * -1, 255 * -128, 2 * 3, 255 * 127.
  EXPECT_EQ(u32(evaluate(Op::VUsDot, {Vec{10, 0}, a, b}, 2).lo), 10u - 1 - 255 * 128 + 6 + 255 * 127);
}

}  // namespace
}  // namespace sluice::tcg::ir
