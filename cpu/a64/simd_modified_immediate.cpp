// cpu/a64/simd_modified_immediate.cpp: Arm ARM, "Advanced SIMD modified immediate".
#include "cpu/a64/simd_modified_immediate.h"

#include "cpu/a64/groups.h"
#include "cpu/a64/simd_support.h"

namespace sluice::cpu::a64 {
namespace {

// The immediate in the low half, or in both.
Value vector_of(Emitter& e, bool Q, u64 imm) { return vec(e, Op::VConst, {}, Q ? 3 : 0, imm); }

// MOVI, MVNI with a shift amount in cmode.
template <class Shift>
void move(Emitter& e, bool Q, Imm<3>, Shift, Imm<5>, Reg Rd) {
  const u64 imm = expand_modified_immediate(e.word);
  e.V(Rd, vector_of(e, Q, bit(e.word, 29) ? ~imm : imm));
}
// ORR, BIC.
template <Op op, class Shift>
void combine(Emitter& e, bool Q, Imm<3>, Shift, Imm<5>, Reg Rd) {
  write(e, Q, Rd, vec(e, op, {e.V(Rd), vector_of(e, true, expand_modified_immediate(e.word))}));
}
void move_fixed(Emitter& e, bool Q, Imm<3>, Imm<5>, Reg Rd) {
  e.V(Rd, vector_of(e, Q, expand_modified_immediate(e.word)));
}
void FMOV_double(Emitter& e, Imm<3> abc, Imm<5> defgh, Reg Rd) { move_fixed(e, true, abc, defgh, Rd); }

// clang-format off
constexpr Insn kRows[] = {
    insn<"0 Q 0 0111100000 abc:3 0 lsl:2 0 0 1 defgh:5 Rd:5", move<Imm<2>>>("MOVI", "<Vd.t>, <imm>"),
    insn<"0 Q 0 0111100000 abc:3 10 lsl 0 0 1 defgh:5 Rd:5", move<bool>>("MOVI", "<Vd.h>, <imm>"),
    insn<"0 Q 0 0111100000 abc:3 110 lsl 0 1 defgh:5 Rd:5", move<bool>>("MOVI", "<Vd.t>, <imm>"),
    insn<"0 Q 0 0111100000 abc:3 0 lsl:2 1 0 1 defgh:5 Rd:5", combine<Op::VOr, Imm<2>>>(
        "ORR", "<Vd.t>, <imm>"),
    insn<"0 Q 0 0111100000 abc:3 10 lsl 1 0 1 defgh:5 Rd:5", combine<Op::VOr, bool>>("ORR", "<Vd.h>, <imm>"),
    insn<"0 Q 1 0111100000 abc:3 0 lsl:2 0 0 1 defgh:5 Rd:5", move<Imm<2>>>("MVNI", "<Vd.t>, <imm>"),
    insn<"0 Q 1 0111100000 abc:3 10 lsl 0 0 1 defgh:5 Rd:5", move<bool>>("MVNI", "<Vd.h>, <imm>"),
    insn<"0 Q 1 0111100000 abc:3 110 lsl 0 1 defgh:5 Rd:5", move<bool>>("MVNI", "<Vd.t>, <imm>"),
    insn<"0 Q 1 0111100000 abc:3 0 lsl:2 1 0 1 defgh:5 Rd:5", combine<Op::VAndNot, Imm<2>>>(
        "BIC", "<Vd.t>, <imm>"),
    insn<"0 Q 1 0111100000 abc:3 10 lsl 1 0 1 defgh:5 Rd:5", combine<Op::VAndNot, bool>>(
        "BIC", "<Vd.h>, <imm>"),
    insn<"0 Q 0 0111100000 abc:3 1110 0 1 defgh:5 Rd:5", move_fixed>("MOVI", "<Vd.b>, <imm>"),
    insn<"0 Q 1 0111100000 abc:3 1110 0 1 defgh:5 Rd:5", move_fixed>("MOVI", "<Vd.2d>, <imm>"),
    insn<"0 Q 0 0111100000 abc:3 1111 0 1 defgh:5 Rd:5", move_fixed>("FMOV", "<Vd.t>, <fimm>"),
    insn<"0 1 1 0111100000 abc:3 1111 0 1 defgh:5 Rd:5", FMOV_double>("FMOV", "<Vd.2d>, <fimm>"),
    insn<"0 Q 0 0111100000 abc:3 1111 1 1 defgh:5 Rd:5", move_fixed>("FMOV", "<Vd.h>, <fimm>", Feature::FP16),
};
// clang-format on

}  // namespace

const Group kSimdModifiedImmediate{"Advanced SIMD modified immediate", kRows, true};

}  // namespace sluice::cpu::a64
