// tests/ir/vector_patterns_test.cpp: the pass over vector ops, as text before and after; that it does not
// change results is for random_blocks_test.cpp.
#include <gtest/gtest.h>

#include "tcg/ir/builder.h"
#include "tcg/opt/passes.h"

namespace sluice::tcg {
namespace {

using ir::Block;
using ir::Builder;
using ir::Op;
using ir::Type;
using ir::Value;

class VectorPatterns : public testing::Test {
 protected:
  static constexpr u32 offset(unsigned n) { return 0x200 + 16 * n; }
  Value v(unsigned n) { return ir.get_state(Type::V128, offset(n)); }
  Value op(Op o, std::initializer_list<Value> args, u64 imm = 0, u8 esize = 0, u8 aux = 0) {
    return ir.emit(o, Type::V128, args, imm, esize, aux);
  }
  void set(unsigned n, Value value) { ir.set_state(offset(n), value); }
  // What is left of the ops, without GetState and the exit.
  std::vector<std::string> after() {
    ir.exit_to_run_loop(0);
    EXPECT_EQ(verify(block), "");
    match_vector_patterns(block);
    eliminate_dead_code(block);
    EXPECT_EQ(verify(block), "");
    std::vector<std::string> names;
    for (const ir::Inst& i : block.insts)
      if (i.op != Op::GetState && i.op != Op::SetState && i.op != Op::ExitToRunLoop)
        names.push_back(std::string(ir::info(i.op).name));
    return names;
  }
  using Names = std::vector<std::string>;

  Block block;
  Builder ir{block};
};

TEST_F(VectorPatterns, EqualOpsBecomeOne) {
  const Value a = v(0), b = v(1);
  set(2, op(Op::VAdd, {a, b}, 0, 2)), set(3, op(Op::VAdd, {a, b}, 0, 2));
  set(4, op(Op::VAdd, {a, b}, 0, 1));  // of other lanes
  EXPECT_EQ(after(), (Names{"VAdd", "VAdd"}));
}
TEST_F(VectorPatterns, ShiftsOfOneValueToBothSidesAreARotation) {
  const Value a = v(0);
  set(1, op(Op::VOr, {op(Op::VUShrImm, {a}, 20, 2), op(Op::VShlImm, {a}, 12, 2)}));
  set(2, op(Op::VAdd, {op(Op::VShlImm, {a}, 7, 2), op(Op::VUShrImm, {a}, 25, 2)}, 0, 2));  // USRA
  set(3, op(Op::VShrInsertImm, {op(Op::VShlImm, {a}, 5, 3), a}, 59, 3));                   // SRI
  set(4, op(Op::VShlInsertImm, {op(Op::VUShrImm, {a}, 3, 1), a}, 13, 1));                  // SLI
  EXPECT_EQ(after(), (Names{"VRotateImm", "VRotateImm", "VRotateImm", "VRotateImm"}));
  std::vector<u64> amounts;
  for (const ir::Inst& i : block.insts)
    if (i.op == Op::VRotateImm) amounts.push_back(i.imm);
  EXPECT_EQ(amounts, (std::vector<u64>{12, 7, 5, 13}));
}
TEST_F(VectorPatterns, OtherShiftsAreNoRotation) {
  const Value a = v(0), b = v(1);
  set(2, op(Op::VOr, {op(Op::VUShrImm, {a}, 20, 2), op(Op::VShlImm, {b}, 12, 2)}));
  set(3, op(Op::VOr, {op(Op::VUShrImm, {a}, 19, 2), op(Op::VShlImm, {a}, 12, 2)}));
  set(4, op(Op::VOr, {op(Op::VUShrImm, {a}, 20, 2), op(Op::VShlImm, {a}, 12, 3)}));
  set(5, op(Op::VShrInsertImm, {op(Op::VShlImm, {a}, 12, 2), b}, 20, 2));
  for (const std::string& name : after()) EXPECT_NE(name, "VRotateImm");
}
TEST_F(VectorPatterns, MiddleRoundsOfAesTakeTheNextKey) {
  Value state = v(0);
  for (unsigned key = 1; key < 4; key++) state = op(Op::VAesMc, {op(Op::VAesE, {state, v(key)})});
  set(0, state);
  EXPECT_EQ(after(), (Names{"VConst", "VXor", "VAesRoundE", "VAesRoundE", "VAesRoundE"}));
}
TEST_F(VectorPatterns, ARoundThatIsStoredIsNotFused) {
  const Value round = op(Op::VAesMc, {op(Op::VAesE, {v(0), v(1)})});
  set(0, round);
  set(2, op(Op::VXor, {round, v(3)}));
  EXPECT_EQ(after(), (Names{"VConst", "VXor", "VAesRoundE", "VXor"}));
}
TEST_F(VectorPatterns, Sha256KeepsTheHostsOrderBetweenGroupsOfRounds) {
  Value abcd = v(0), efgh = v(1);
  for (unsigned w = 2; w < 5; w++) {
    const Value k = v(w), before = abcd;
    abcd = op(Op::VSha256H, {abcd, efgh, k});
    efgh = op(Op::VSha256H2, {efgh, before, k});
  }
  set(0, abcd), set(1, efgh);
  unsigned rounds = 0, shuffles = 0;
  for (const std::string& name : after()) rounds += name == "VSha256Rounds", shuffles += name == "VShuffle32";
  EXPECT_EQ(rounds, 6u);
  EXPECT_EQ(shuffles, 2u + 3u + 2u);  // in, the upper words of each group, out
}
TEST_F(VectorPatterns, ZerosAboveAreNotWrittenTwice) {
  const Value low = op(Op::VZeroUpper, {v(0)});
  set(1, op(Op::VZeroUpper, {op(Op::VAdd, {low, op(Op::VZeroUpper, {v(2)})}, 0, 1)}));
  set(3, op(Op::VZeroUpper, {op(Op::VCmpEq, {low, low}, 0, 1)}));  // zeros are equal
  EXPECT_EQ(after(), (Names{"VZeroUpper", "VZeroUpper", "VAdd", "VCmpEq", "VZeroUpper"}));
}

}  // namespace
}  // namespace sluice::tcg
