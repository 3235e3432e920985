// tests/spec/translated_code_contexts_spec.cpp: what translated code finds behind a branch to another page is
// what the current context has fetched, or would fetch: not what another context has.
#include "tests/support/running_pe.h"

namespace sluice::test {
namespace {

// A page that is not global, and two pieces of memory that say which they are.
struct Contexts : ChainMachine {
  static constexpr u64 kPage = u64{1} << 39, kOne = RunningPe::kCode + 0x1000,
                       kTwo = RunningPe::kCode + 0x2000;
  RunningPe pe{*this, 0, true};

  Contexts() : ChainMachine({{GateType::Mpc, 1 << 12}}) {
    open_all();
    RunningPe::put(*this, RunningPe::kCode,
                   {0xd5182002,    // msr ttbr0_el1, x2
                    0xd5033fdf,    // isb
                    0xd63f0020,    // blr x1
                    0x14000000});  // b .
    RunningPe::put(*this, RunningPe::kCode + 0x20,
                   {0xd5088743,                             // tlbi aside1, x3
                    0xd5033b9f,                             // dsb ish
                    0xd5033fdf,                             // isb
                    0x14000000});                           // b .
    RunningPe::put(*this, kOne, {0xd2800020, 0xd65f03c0});  // mov x0, #1; ret
    RunningPe::put(*this, kTwo, {0xd2800040, 0xd65f03c0});  // mov x0, #2; ret
    page_is(kOne);
  }
  void page_is(u64 memory) {
    pe.tables().map(kPage, memory, pte::kNormal | pte::kReadOnly | pte::kNotGlobal);
  }
  // What the page says to whoever calls it with that ASID.
  u64 ask(u64 asid) {
    pe.x(0) = 0, pe.x(1) = kPage, pe.x(2) = pe.tables().root() | asid << 48;
    pe.step(RunningPe::kCode, 6);
    return pe.x(0);
  }
  void invalidate(u64 asid) {
    pe.x(3) = asid << 48;
    pe.step(RunningPe::kCode + 0x20, 4);
  }
};

SPEC("A context does not use what another one has fetched before the descriptor changed") {
  Contexts m;
  for (int i = 0; i < 3; i++) EXPECT_EQ(m.ask(1), 1u);
  m.page_is(m.kTwo);
  for (int i = 0; i < 3; i++) EXPECT_EQ(m.ask(2), 2u);
  for (int i = 0; i < 3; i++) EXPECT_EQ(m.ask(1), 1u) << "nobody has invalidated what this one holds";
}

SPEC("TLBI ASIDE1 ends what that ASID has fetched, and nothing of others") {
  Contexts m;
  for (u64 asid : {1, 2, 1, 2}) EXPECT_EQ(m.ask(asid), 1u);
  m.page_is(m.kTwo);
  m.invalidate(2);
  for (int i = 0; i < 3; i++) {
    EXPECT_EQ(m.ask(1), 1u);
    EXPECT_EQ(m.ask(2), 2u);
  }
  m.invalidate(1);
  EXPECT_EQ(m.ask(1), 2u);
}

}  // namespace
}  // namespace sluice::test
