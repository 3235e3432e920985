// Arm DDI 0487, "Load/store pair" of general registers; the non-temporal hint of LDNP and STNP is ignored.
// CONSTRAINED UNPREDICTABLE choices: LDP of the same register twice gives the second value; for write-back
// see loads_stores.cpp.
#include "base/bits.h"
#include "cpu/a64/groups.h"
#include "cpu/a64/memory_access.h"
#include "cpu/emit.h"

namespace sluice::cpu::a64 {
namespace {

template <unsigned Log2, Index I>
void STP(Emitter& e, Imm<7> imm7, Reg Rt2, Reg Rn, Reg Rt) {
  Address a = indexed(e, I, Rn, sign_extend(imm7, 7) << Log2);
  MemOp op{.log2_size = Log2, .base = base_hint(Rn)};
  Value first = e.X(Log2 == 3, Rt), second = e.X(Log2 == 3, Rt2);
  store_pair(e, a.access, {first, second}, op);
  write_back(e, I, Rn, a);
}

template <unsigned Log2, bool Signed, Index I>
void LDP(Emitter& e, Imm<7> imm7, Reg Rt2, Reg Rn, Reg Rt) {
  Address a = indexed(e, I, Rn, sign_extend(imm7, 7) << Log2);
  MemOp op{.log2_size = Log2, .sign_extend = Signed, .base = base_hint(Rn)};
  Type type = Log2 == 3 || Signed ? Type::I64 : Type::I32;
  Pair v = load_pair(e, type, a.access, op);
  e.X(Rt, v.first);
  e.X(Rt2, v.second);
  write_back(e, I, Rn, a, Rn.n != 31 && (Rn.n == Rt.n || Rn.n == Rt2.n));
}

constexpr Index kPost = Index::Post, kPre = Index::Pre, kNone = Index::Offset;

constexpr Insn kRows[] = {
    insn<"00 101 0 000 0 imm7:7 Rt2:5 Rn:5 Rt:5", STP<2, kNone>>("STNP", "<Wd>, <Wa>, [<Xn|SP>, <s15:7*4>]"),
    insn<"00 101 0 000 1 imm7:7 Rt2:5 Rn:5 Rt:5", LDP<2, false, kNone>>("LDNP",
                                                                        "<Wd>, <Wa>, [<Xn|SP>, <s15:7*4>]"),
    insn<"10 101 0 000 0 imm7:7 Rt2:5 Rn:5 Rt:5", STP<3, kNone>>("STNP", "<Xd>, <Xa>, [<Xn|SP>, <s15:7*8>]"),
    insn<"10 101 0 000 1 imm7:7 Rt2:5 Rn:5 Rt:5", LDP<3, false, kNone>>("LDNP",
                                                                        "<Xd>, <Xa>, [<Xn|SP>, <s15:7*8>]"),

    insn<"00 101 0 001 0 imm7:7 Rt2:5 Rn:5 Rt:5", STP<2, kPost>>("STP", "<Wd>, <Wa>, [<Xn|SP>], <s15:7*4>"),
    insn<"00 101 0 001 1 imm7:7 Rt2:5 Rn:5 Rt:5", LDP<2, false, kPost>>("LDP",
                                                                        "<Wd>, <Wa>, [<Xn|SP>], <s15:7*4>"),
    insn<"01 101 0 001 1 imm7:7 Rt2:5 Rn:5 Rt:5", LDP<2, true, kPost>>("LDPSW",
                                                                       "<Xd>, <Xa>, [<Xn|SP>], <s15:7*4>"),
    insn<"10 101 0 001 0 imm7:7 Rt2:5 Rn:5 Rt:5", STP<3, kPost>>("STP", "<Xd>, <Xa>, [<Xn|SP>], <s15:7*8>"),
    insn<"10 101 0 001 1 imm7:7 Rt2:5 Rn:5 Rt:5", LDP<3, false, kPost>>("LDP",
                                                                        "<Xd>, <Xa>, [<Xn|SP>], <s15:7*8>"),

    insn<"00 101 0 010 0 imm7:7 Rt2:5 Rn:5 Rt:5", STP<2, kNone>>("STP", "<Wd>, <Wa>, [<Xn|SP>, <s15:7*4>]"),
    insn<"00 101 0 010 1 imm7:7 Rt2:5 Rn:5 Rt:5", LDP<2, false, kNone>>("LDP",
                                                                        "<Wd>, <Wa>, [<Xn|SP>, <s15:7*4>]"),
    insn<"01 101 0 010 1 imm7:7 Rt2:5 Rn:5 Rt:5", LDP<2, true, kNone>>("LDPSW",
                                                                       "<Xd>, <Xa>, [<Xn|SP>, <s15:7*4>]"),
    insn<"10 101 0 010 0 imm7:7 Rt2:5 Rn:5 Rt:5", STP<3, kNone>>("STP", "<Xd>, <Xa>, [<Xn|SP>, <s15:7*8>]"),
    insn<"10 101 0 010 1 imm7:7 Rt2:5 Rn:5 Rt:5", LDP<3, false, kNone>>("LDP",
                                                                        "<Xd>, <Xa>, [<Xn|SP>, <s15:7*8>]"),

    insn<"00 101 0 011 0 imm7:7 Rt2:5 Rn:5 Rt:5", STP<2, kPre>>("STP", "<Wd>, <Wa>, [<Xn|SP>, <s15:7*4>]!"),
    insn<"00 101 0 011 1 imm7:7 Rt2:5 Rn:5 Rt:5", LDP<2, false, kPre>>("LDP",
                                                                       "<Wd>, <Wa>, [<Xn|SP>, <s15:7*4>]!"),
    insn<"01 101 0 011 1 imm7:7 Rt2:5 Rn:5 Rt:5", LDP<2, true, kPre>>("LDPSW",
                                                                      "<Xd>, <Xa>, [<Xn|SP>, <s15:7*4>]!"),
    insn<"10 101 0 011 0 imm7:7 Rt2:5 Rn:5 Rt:5", STP<3, kPre>>("STP", "<Xd>, <Xa>, [<Xn|SP>, <s15:7*8>]!"),
    insn<"10 101 0 011 1 imm7:7 Rt2:5 Rn:5 Rt:5", LDP<3, false, kPre>>("LDP",
                                                                       "<Xd>, <Xa>, [<Xn|SP>, <s15:7*8>]!"),
};

}  // namespace

const Group kLoadsStoresPair{"Load/store pair", kRows, false};

}  // namespace sluice::cpu::a64
