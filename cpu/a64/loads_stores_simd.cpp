// Arm DDI 0487, "Loads and Stores" of one SIMD&FP register or a pair of them. B, H, S, D and Q are sizes 0
// to 4.
#include "base/bits.h"
#include "cpu/a64/groups.h"
#include "cpu/a64/memory_access.h"
#include "cpu/a64/operands.h"
#include "cpu/emit.h"

namespace sluice::cpu::a64 {
namespace {

template <bool Load, unsigned Log2>
void transfer(Emitter& e, Reg Rt, Value address, u8 base = 0) {
  MemOp op{.log2_size = Log2, .base = base};
  if (Load)
    e.V(Rt, load_vector(e, address, op, Log2));
  else
    store_vector(e, address, e.V(Rt), op, Log2);
}

template <unsigned Log2>
void literal(Emitter& e, Imm<19> imm19, Reg Rt) {
  transfer<true, Log2>(e, Rt, e.ir.i64(e.pc + (sign_extend(imm19, 19) << 2)));
}
template <bool Load, unsigned Log2>
void scaled(Emitter& e, Imm<12> imm12, Reg Rn, Reg Rt) {
  transfer<Load, Log2>(e, Rt, displaced(e, base_address(e, Rn), u64{imm12} << Log2), base_hint(Rn));
}
template <bool Load, unsigned Log2, Index I>
void immediate(Emitter& e, Imm<9> imm9, Reg Rn, Reg Rt) {
  Address a = indexed(e, I, Rn, sign_extend(imm9, 9));
  transfer<Load, Log2>(e, Rt, a.access, base_hint(Rn));
  write_back(e, I, Rn, a);
}
template <bool Load, unsigned Log2>
void by_register(Emitter& e, Reg Rm, Imm<3> option, bool S, Reg Rn, Reg Rt) {
  if (!(option & 2)) return e.unallocated();
  Value base = base_address(e, Rn);
  transfer<Load, Log2>(e, Rt, e.add(base, extend_reg(e, true, Rm, option, S ? Log2 : 0)));
}

template <unsigned Log2, Index I>
void STP(Emitter& e, Imm<7> imm7, Reg Rt2, Reg Rn, Reg Rt) {
  Address a = indexed(e, I, Rn, sign_extend(imm7, 7) << Log2);
  MemOp op{.log2_size = Log2, .base = base_hint(Rn)};
  Value first = e.V(Rt), second = e.V(Rt2);
  store_vector_pair(e, a.access, {first, second}, op, Log2);
  write_back(e, I, Rn, a);
}
// CONSTRAINED UNPREDICTABLE: the same register twice gives the second value.
template <unsigned Log2, Index I>
void LDP(Emitter& e, Imm<7> imm7, Reg Rt2, Reg Rn, Reg Rt) {
  Address a = indexed(e, I, Rn, sign_extend(imm7, 7) << Log2);
  MemOp op{.log2_size = Log2, .base = base_hint(Rn)};
  Pair v = load_vector_pair(e, a.access, op, Log2);
  e.V(Rt, v.first);
  e.V(Rt2, v.second);
  write_back(e, I, Rn, a);
}

constexpr Index kPost = Index::Post, kPre = Index::Pre, kNone = Index::Offset;

constexpr Insn kRows[] = {
    insn<"00 011 1 00 imm19:19 Rt:5", literal<2>>("LDR", ""),
    insn<"01 011 1 00 imm19:19 Rt:5", literal<3>>("LDR", ""),
    insn<"10 011 1 00 imm19:19 Rt:5", literal<4>>("LDR", ""),

    insn<"00 111 1 01 00 imm12:12 Rn:5 Rt:5", scaled<false, 0>>("STR", ""),
    insn<"00 111 1 01 01 imm12:12 Rn:5 Rt:5", scaled<true, 0>>("LDR", ""),
    insn<"01 111 1 01 00 imm12:12 Rn:5 Rt:5", scaled<false, 1>>("STR", ""),
    insn<"01 111 1 01 01 imm12:12 Rn:5 Rt:5", scaled<true, 1>>("LDR", ""),
    insn<"10 111 1 01 00 imm12:12 Rn:5 Rt:5", scaled<false, 2>>("STR", ""),
    insn<"10 111 1 01 01 imm12:12 Rn:5 Rt:5", scaled<true, 2>>("LDR", ""),
    insn<"11 111 1 01 00 imm12:12 Rn:5 Rt:5", scaled<false, 3>>("STR", ""),
    insn<"11 111 1 01 01 imm12:12 Rn:5 Rt:5", scaled<true, 3>>("LDR", ""),
    insn<"00 111 1 01 10 imm12:12 Rn:5 Rt:5", scaled<false, 4>>("STR", ""),
    insn<"00 111 1 01 11 imm12:12 Rn:5 Rt:5", scaled<true, 4>>("LDR", ""),

    insn<"00 111 1 00 00 0 imm9:9 00 Rn:5 Rt:5", immediate<false, 0, kNone>>("STUR", ""),
    insn<"00 111 1 00 01 0 imm9:9 00 Rn:5 Rt:5", immediate<true, 0, kNone>>("LDUR", ""),
    insn<"01 111 1 00 00 0 imm9:9 00 Rn:5 Rt:5", immediate<false, 1, kNone>>("STUR", ""),
    insn<"01 111 1 00 01 0 imm9:9 00 Rn:5 Rt:5", immediate<true, 1, kNone>>("LDUR", ""),
    insn<"10 111 1 00 00 0 imm9:9 00 Rn:5 Rt:5", immediate<false, 2, kNone>>("STUR", ""),
    insn<"10 111 1 00 01 0 imm9:9 00 Rn:5 Rt:5", immediate<true, 2, kNone>>("LDUR", ""),
    insn<"11 111 1 00 00 0 imm9:9 00 Rn:5 Rt:5", immediate<false, 3, kNone>>("STUR", ""),
    insn<"11 111 1 00 01 0 imm9:9 00 Rn:5 Rt:5", immediate<true, 3, kNone>>("LDUR", ""),
    insn<"00 111 1 00 10 0 imm9:9 00 Rn:5 Rt:5", immediate<false, 4, kNone>>("STUR", ""),
    insn<"00 111 1 00 11 0 imm9:9 00 Rn:5 Rt:5", immediate<true, 4, kNone>>("LDUR", ""),

    insn<"00 111 1 00 00 0 imm9:9 01 Rn:5 Rt:5", immediate<false, 0, kPost>>("STR", ""),
    insn<"00 111 1 00 01 0 imm9:9 01 Rn:5 Rt:5", immediate<true, 0, kPost>>("LDR", ""),
    insn<"01 111 1 00 00 0 imm9:9 01 Rn:5 Rt:5", immediate<false, 1, kPost>>("STR", ""),
    insn<"01 111 1 00 01 0 imm9:9 01 Rn:5 Rt:5", immediate<true, 1, kPost>>("LDR", ""),
    insn<"10 111 1 00 00 0 imm9:9 01 Rn:5 Rt:5", immediate<false, 2, kPost>>("STR", ""),
    insn<"10 111 1 00 01 0 imm9:9 01 Rn:5 Rt:5", immediate<true, 2, kPost>>("LDR", ""),
    insn<"11 111 1 00 00 0 imm9:9 01 Rn:5 Rt:5", immediate<false, 3, kPost>>("STR", ""),
    insn<"11 111 1 00 01 0 imm9:9 01 Rn:5 Rt:5", immediate<true, 3, kPost>>("LDR", ""),
    insn<"00 111 1 00 10 0 imm9:9 01 Rn:5 Rt:5", immediate<false, 4, kPost>>("STR", ""),
    insn<"00 111 1 00 11 0 imm9:9 01 Rn:5 Rt:5", immediate<true, 4, kPost>>("LDR", ""),

    insn<"00 111 1 00 00 0 imm9:9 11 Rn:5 Rt:5", immediate<false, 0, kPre>>("STR", ""),
    insn<"00 111 1 00 01 0 imm9:9 11 Rn:5 Rt:5", immediate<true, 0, kPre>>("LDR", ""),
    insn<"01 111 1 00 00 0 imm9:9 11 Rn:5 Rt:5", immediate<false, 1, kPre>>("STR", ""),
    insn<"01 111 1 00 01 0 imm9:9 11 Rn:5 Rt:5", immediate<true, 1, kPre>>("LDR", ""),
    insn<"10 111 1 00 00 0 imm9:9 11 Rn:5 Rt:5", immediate<false, 2, kPre>>("STR", ""),
    insn<"10 111 1 00 01 0 imm9:9 11 Rn:5 Rt:5", immediate<true, 2, kPre>>("LDR", ""),
    insn<"11 111 1 00 00 0 imm9:9 11 Rn:5 Rt:5", immediate<false, 3, kPre>>("STR", ""),
    insn<"11 111 1 00 01 0 imm9:9 11 Rn:5 Rt:5", immediate<true, 3, kPre>>("LDR", ""),
    insn<"00 111 1 00 10 0 imm9:9 11 Rn:5 Rt:5", immediate<false, 4, kPre>>("STR", ""),
    insn<"00 111 1 00 11 0 imm9:9 11 Rn:5 Rt:5", immediate<true, 4, kPre>>("LDR", ""),

    insn<"00 111 1 00 00 1 Rm:5 option:3 S 10 Rn:5 Rt:5", by_register<false, 0>>("STR", ""),
    insn<"00 111 1 00 01 1 Rm:5 option:3 S 10 Rn:5 Rt:5", by_register<true, 0>>("LDR", ""),
    insn<"01 111 1 00 00 1 Rm:5 option:3 S 10 Rn:5 Rt:5", by_register<false, 1>>("STR", ""),
    insn<"01 111 1 00 01 1 Rm:5 option:3 S 10 Rn:5 Rt:5", by_register<true, 1>>("LDR", ""),
    insn<"10 111 1 00 00 1 Rm:5 option:3 S 10 Rn:5 Rt:5", by_register<false, 2>>("STR", ""),
    insn<"10 111 1 00 01 1 Rm:5 option:3 S 10 Rn:5 Rt:5", by_register<true, 2>>("LDR", ""),
    insn<"11 111 1 00 00 1 Rm:5 option:3 S 10 Rn:5 Rt:5", by_register<false, 3>>("STR", ""),
    insn<"11 111 1 00 01 1 Rm:5 option:3 S 10 Rn:5 Rt:5", by_register<true, 3>>("LDR", ""),
    insn<"00 111 1 00 10 1 Rm:5 option:3 S 10 Rn:5 Rt:5", by_register<false, 4>>("STR", ""),
    insn<"00 111 1 00 11 1 Rm:5 option:3 S 10 Rn:5 Rt:5", by_register<true, 4>>("LDR", ""),

    insn<"00 101 1 000 0 imm7:7 Rt2:5 Rn:5 Rt:5", STP<2, kNone>>("STNP", ""),
    insn<"00 101 1 000 1 imm7:7 Rt2:5 Rn:5 Rt:5", LDP<2, kNone>>("LDNP", ""),
    insn<"01 101 1 000 0 imm7:7 Rt2:5 Rn:5 Rt:5", STP<3, kNone>>("STNP", ""),
    insn<"01 101 1 000 1 imm7:7 Rt2:5 Rn:5 Rt:5", LDP<3, kNone>>("LDNP", ""),
    insn<"10 101 1 000 0 imm7:7 Rt2:5 Rn:5 Rt:5", STP<4, kNone>>("STNP", ""),
    insn<"10 101 1 000 1 imm7:7 Rt2:5 Rn:5 Rt:5", LDP<4, kNone>>("LDNP", ""),
    insn<"00 101 1 001 0 imm7:7 Rt2:5 Rn:5 Rt:5", STP<2, kPost>>("STP", ""),
    insn<"00 101 1 001 1 imm7:7 Rt2:5 Rn:5 Rt:5", LDP<2, kPost>>("LDP", ""),
    insn<"01 101 1 001 0 imm7:7 Rt2:5 Rn:5 Rt:5", STP<3, kPost>>("STP", ""),
    insn<"01 101 1 001 1 imm7:7 Rt2:5 Rn:5 Rt:5", LDP<3, kPost>>("LDP", ""),
    insn<"10 101 1 001 0 imm7:7 Rt2:5 Rn:5 Rt:5", STP<4, kPost>>("STP", ""),
    insn<"10 101 1 001 1 imm7:7 Rt2:5 Rn:5 Rt:5", LDP<4, kPost>>("LDP", ""),
    insn<"00 101 1 010 0 imm7:7 Rt2:5 Rn:5 Rt:5", STP<2, kNone>>("STP", ""),
    insn<"00 101 1 010 1 imm7:7 Rt2:5 Rn:5 Rt:5", LDP<2, kNone>>("LDP", ""),
    insn<"01 101 1 010 0 imm7:7 Rt2:5 Rn:5 Rt:5", STP<3, kNone>>("STP", ""),
    insn<"01 101 1 010 1 imm7:7 Rt2:5 Rn:5 Rt:5", LDP<3, kNone>>("LDP", ""),
    insn<"10 101 1 010 0 imm7:7 Rt2:5 Rn:5 Rt:5", STP<4, kNone>>("STP", ""),
    insn<"10 101 1 010 1 imm7:7 Rt2:5 Rn:5 Rt:5", LDP<4, kNone>>("LDP", ""),
    insn<"00 101 1 011 0 imm7:7 Rt2:5 Rn:5 Rt:5", STP<2, kPre>>("STP", ""),
    insn<"00 101 1 011 1 imm7:7 Rt2:5 Rn:5 Rt:5", LDP<2, kPre>>("LDP", ""),
    insn<"01 101 1 011 0 imm7:7 Rt2:5 Rn:5 Rt:5", STP<3, kPre>>("STP", ""),
    insn<"01 101 1 011 1 imm7:7 Rt2:5 Rn:5 Rt:5", LDP<3, kPre>>("LDP", ""),
    insn<"10 101 1 011 0 imm7:7 Rt2:5 Rn:5 Rt:5", STP<4, kPre>>("STP", ""),
    insn<"10 101 1 011 1 imm7:7 Rt2:5 Rn:5 Rt:5", LDP<4, kPre>>("LDP", ""),
};

}  // namespace

const Group kSimdLoadsStores{"Load/store SIMD&FP register", kRows, true};

}  // namespace sluice::cpu::a64
