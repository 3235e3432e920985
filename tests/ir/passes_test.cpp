// tests/ir/passes_test.cpp: each pass of the optimiser, as text before and text after.
#include "tcg/opt/passes.h"

#include <gtest/gtest.h>

#include "tcg/helper.h"
#include "tcg/ir/builder.h"

namespace sluice::tcg {
namespace {

using ir::Block;
using ir::Builder;
using ir::Op;
using ir::Type;
using ir::Value;

constexpr u32 kX0 = 0x100, kX1 = 0x108, kV0 = 0x200;

u64 nothing(ExecState&, u64, u64, u64) noexcept { return 0; }
constexpr Helper kNothing = make_helper("nothing", nothing);

// The ops without the header.
std::string text(const Block& block) {
  std::string all = ir::print(block);
  return all.substr(all.find('\n') + 1);
}

class PassTest : public testing::Test {
 protected:
  Block block;
  Builder ir{block};

  // `pass`, and the ops that it made useless removed.
  template <class Pass>
  void expect(Pass pass, const char* before, const char* after) {
    if (!ir.ended()) ir.exit_to_run_loop(0);
    EXPECT_EQ(text(block), before);
    EXPECT_EQ(verify(block), "");
    pass(block);
    EXPECT_EQ(verify(block), "");
    eliminate_dead_code(block);
    EXPECT_EQ(text(block), after);
    EXPECT_EQ(verify(block), "");
  }
};

using RedundantState = PassTest;
using RedundantChecks = PassTest;
using ConstantFold = PassTest;
using DeadCode = PassTest;

TEST_F(RedundantState, AReadAfterAWriteIsTheValueWritten) {
  Value a = ir.get_state(Type::I64, kX0);
  ir.set_state(kX1, a);
  ir.set_state(kX0, ir.get_state(Type::I64, kX1));
  expect(eliminate_redundant_state,
         " 0x0:\n"
         "  %0 = GetState.i64 #0x100\n"
         "  SetState.i64 %0 #0x108\n"
         "  %2 = GetState.i64 #0x108\n"
         "  SetState.i64 %2 #0x100\n"
         "  ExitToRunLoop.void\n",
         " 0x0:\n"
         "  %0 = GetState.i64 #0x100\n"
         "  SetState.i64 %0 #0x108\n"
         "  ExitToRunLoop.void\n");
}

TEST_F(RedundantState, OfTwoWritesTheFirstGoes) {
  ir.set_state(kX0, ir.i64(1));
  ir.set_state(kX0, ir.i64(2));
  expect(eliminate_redundant_state,
         " 0x0:\n"
         "  %0 = Const.i64 #0x1\n"
         "  SetState.i64 %0 #0x100\n"
         "  %2 = Const.i64 #0x2\n"
         "  SetState.i64 %2 #0x100\n"
         "  ExitToRunLoop.void\n",
         " 0x0:\n"
         "  %0 = Const.i64 #0x2\n"
         "  SetState.i64 %0 #0x100\n"
         "  ExitToRunLoop.void\n");
}

TEST_F(RedundantState, ALoadMayFaultSoTheWriteBeforeItStays) {
  ir.set_state(kX0, ir.i64(1));
  Value v = ir.load(Type::I64, ir.i64(16), {});
  ir.set_state(kX0, v);
  expect(eliminate_redundant_state,
         " 0x0:\n"
         "  %0 = Const.i64 #0x1\n"
         "  SetState.i64 %0 #0x100\n"
         "  %2 = Const.i64 #0x10\n"
         "  %3 = Load.i64 %2 64\n"
         "  SetState.i64 %3 #0x100\n"
         "  ExitToRunLoop.void\n",
         " 0x0:\n"
         "  %0 = Const.i64 #0x1\n"
         "  SetState.i64 %0 #0x100\n"
         "  %2 = Const.i64 #0x10\n"
         "  %3 = Load.i64 %2 64\n"
         "  SetState.i64 %3 #0x100\n"
         "  ExitToRunLoop.void\n");
}

TEST_F(RedundantState, AHelperMayChangeEverything) {
  Value a = ir.get_state(Type::I64, kX0);
  ir.call(kNothing);
  Value b = ir.get_state(Type::I64, kX0);
  ir.set_state(kX1, ir.binary(Op::Add, a, b));
  const char* same =
      " 0x0:\n"
      "  %0 = GetState.i64 #0x100\n"
      "  %1 = Call.i64 nothing\n"
      "  %2 = GetState.i64 #0x100\n"
      "  %3 = Add.i64 %0, %2\n"
      "  SetState.i64 %3 #0x108\n"
      "  ExitToRunLoop.void\n";
  expect(eliminate_redundant_state, same, same);
}

TEST_F(RedundantState, ASlotThatWasWrittenInAnotherWidthIsReadAgain) {
  ir.set_state(kV0, ir.emit(Op::VConst, Type::V128, {}, 1));
  Value low = ir.get_state(Type::I64, kV0);
  ir.set_state(kX0, low);
  const char* same =
      " 0x0:\n"
      "  %0 = VConst.v128 #0x1\n"
      "  SetState.v128 %0 #0x200\n"
      "  %2 = GetState.i64 #0x200\n"
      "  SetState.i64 %2 #0x100\n"
      "  ExitToRunLoop.void\n";
  expect(eliminate_redundant_state, same, same);
}

TEST_F(RedundantChecks, AStackPointerIsCheckedOnceWhileItMovesByMultiples) {
  auto check = [&](Value v) { ir.leave_if_nonzero(ir.binary(Op::And, v, ir.i64(15)), kNothing); };
  Value sp = ir.get_state(Type::I64, kX0);
  check(sp);
  Value lower = ir.binary(Op::Sub, sp, ir.i64(48));
  check(lower);
  check(ir.binary(Op::Add, lower, ir.i64(8)));
  ir.set_state(kX0, lower);
  ir.exit_to_run_loop(0);
  eliminate_redundant_checks(block);
  eliminate_dead_code(block);
  EXPECT_EQ(verify(block), "");
  EXPECT_EQ(text(block),
            " 0x0:\n"
            "  %0 = GetState.i64 #0x100\n"
            "  %1 = Const.i64 #0xf\n"
            "  %2 = And.i64 %0, %1\n"
            "  LeaveIfNonZero.i64 %2 nothing\n"
            "  %4 = Const.i64 #0x30\n"
            "  %5 = Sub.i64 %0, %4\n"
            "  %6 = Const.i64 #0x8\n"
            "  %7 = Add.i64 %5, %6\n"
            "  %8 = Const.i64 #0xf\n"
            "  %9 = And.i64 %7, %8\n"
            "  LeaveIfNonZero.i64 %9 nothing\n"
            "  SetState.i64 %5 #0x100\n"
            "  ExitToRunLoop.void\n");
}

TEST_F(ConstantFold, LeadingZerosOfReversedBitsAreTrailingZeros) {
  Value x = ir.get_state(Type::I64, kX0);
  ir.set_state(kX0, ir.unary(Op::CountLeadingZeros, ir.unary(Op::ReverseBits, x)));
  expect(fold_constants,
         " 0x0:\n"
         "  %0 = GetState.i64 #0x100\n"
         "  %1 = ReverseBits.i64 %0\n"
         "  %2 = CountLeadingZeros.i64 %1\n"
         "  SetState.i64 %2 #0x100\n"
         "  ExitToRunLoop.void\n",
         " 0x0:\n"
         "  %0 = GetState.i64 #0x100\n"
         "  %1 = CountTrailingZeros.i64 %0\n"
         "  SetState.i64 %1 #0x100\n"
         "  ExitToRunLoop.void\n");
}

TEST_F(ConstantFold, OpsOverConstantsBecomeConstantsOfTheirWidth) {
  Value a = ir.i32(0xffffffff), b = ir.i32(2);
  ir.set_state(kX0, ir.binary(Op::Add, a, b));
  expect(fold_constants,
         " 0x0:\n"
         "  %0 = Const.i32 #0xffffffff\n"
         "  %1 = Const.i32 #0x2\n"
         "  %2 = Add.i32 %0, %1\n"
         "  SetState.i32 %2 #0x100\n"
         "  ExitToRunLoop.void\n",
         " 0x0:\n"
         "  %0 = Const.i32 #0x1\n"
         "  SetState.i32 %0 #0x100\n"
         "  ExitToRunLoop.void\n");
}

TEST_F(ConstantFold, FlagsOfConstants) {
  ir.set_state(kX0, ir.flags(Op::FlagsSub, {ir.i64(5), ir.i64(5)}));  // Z and C
  expect(fold_constants,
         " 0x0:\n"
         "  %0 = Const.i64 #0x5\n"
         "  %1 = Const.i64 #0x5\n"
         "  %2 = FlagsSub.flags %0, %1\n"
         "  SetState.flags %2 #0x100\n"
         "  ExitToRunLoop.void\n",
         " 0x0:\n"
         "  %0 = Const.flags #0x4100\n"
         "  SetState.flags %0 #0x100\n"
         "  ExitToRunLoop.void\n");
}

TEST_F(ConstantFold, AnIdentityIsItsOperandOnWhicheverSideTheConstantStands) {
  Value a = ir.get_state(Type::I64, kX0);
  Value b = ir.binary(Op::Add, ir.i64(0), a);
  ir.set_state(kX1, ir.binary(Op::And, b, ir.i64(~u64{0})));
  expect(fold_constants,
         " 0x0:\n"
         "  %0 = GetState.i64 #0x100\n"
         "  %1 = Const.i64 #0x0\n"
         "  %2 = Add.i64 %1, %0\n"
         "  %3 = Const.i64 #0xffffffffffffffff\n"
         "  %4 = And.i64 %2, %3\n"
         "  SetState.i64 %4 #0x108\n"
         "  ExitToRunLoop.void\n",
         " 0x0:\n"
         "  %0 = GetState.i64 #0x100\n"
         "  SetState.i64 %0 #0x108\n"
         "  ExitToRunLoop.void\n");
}

TEST_F(ConstantFold, ZeroMinusXIsNotX) {
  Value a = ir.get_state(Type::I64, kX0);
  ir.set_state(kX0, ir.binary(Op::Sub, ir.i64(0), a));
  const char* same =
      " 0x0:\n"
      "  %0 = GetState.i64 #0x100\n"
      "  %1 = Const.i64 #0x0\n"
      "  %2 = Sub.i64 %1, %0\n"
      "  SetState.i64 %2 #0x100\n"
      "  ExitToRunLoop.void\n";
  expect(fold_constants, same, same);
}

TEST_F(DeadCode, UnusedResultsGoWithWhatOnlyTheyUsed) {
  Value a = ir.get_state(Type::I64, kX0), b = ir.i64(3);
  ir.flags(Op::FlagsAdd, {a, b});
  ir.set_state(kX1, a);
  expect([](Block&) {},
         " 0x0:\n"
         "  %0 = GetState.i64 #0x100\n"
         "  %1 = Const.i64 #0x3\n"
         "  %2 = FlagsAdd.flags %0, %1\n"
         "  SetState.i64 %0 #0x108\n"
         "  ExitToRunLoop.void\n",
         " 0x0:\n"
         "  %0 = GetState.i64 #0x100\n"
         "  SetState.i64 %0 #0x108\n"
         "  ExitToRunLoop.void\n");
}

TEST_F(DeadCode, LoadsCallsAndWhatSetsFpsrStay) {
  Value v = ir.get_state(Type::V128, kV0);
  ir.load(Type::I64, ir.i64(16), {});
  ir.call(kNothing);
  ir.emit(Op::FAdd, Type::V128, {v, v}, 0, 3, 1);
  const char* same =
      " 0x0:\n"
      "  %0 = GetState.v128 #0x200\n"
      "  %1 = Const.i64 #0x10\n"
      "  %2 = Load.i64 %1 64\n"
      "  %3 = Call.i64 nothing\n"
      "  %4 = FAdd.v128 %0, %0 esize=64 aux=1\n"
      "  ExitToRunLoop.void\n";
  expect([](Block&) {}, same, same);
}

TEST_F(DeadCode, GuestAddressesOfWhatIsLeftDoNotChange) {
  block.pc = 0x1000;
  ir.at(0x1000), ir.i64(1);
  ir.at(0x1004), ir.set_state(kX0, ir.i64(2));
  ir.at(0x1008), ir.exit_to(0x2000);
  expect([](Block&) {},
         " 0x1000:\n"
         "  %0 = Const.i64 #0x1\n"
         " 0x1004:\n"
         "  %1 = Const.i64 #0x2\n"
         "  SetState.i64 %1 #0x100\n"
         " 0x1008:\n"
         "  ExitTo.void #0x2000\n",
         " 0x1004:\n"
         "  %0 = Const.i64 #0x2\n"
         "  SetState.i64 %0 #0x100\n"
         " 0x1008:\n"
         "  ExitTo.void #0x2000\n");
}

}  // namespace
}  // namespace sluice::tcg
