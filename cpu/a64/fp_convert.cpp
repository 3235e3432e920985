// cpu/a64/fp_convert.cpp: Arm ARM, "Conversion between floating-point and fixed-point" and "Conversion
// between floating-point and integer".
#include "cpu/a64/fp_type.h"
#include "cpu/a64/groups.h"
#include "cpu/a64/simd_support.h"
#include "tcg/ir/fp_conversion.h"

namespace sluice::cpu::a64 {
namespace {

using tcg::ir::FpConversion;
constexpr std::string_view kRdFn = "<Rd>, <Fn>", kFdRn = "<Fd>, <Rn>";
constexpr u8 kToZero = 3;

constexpr u8 size_of(bool sf) { return sf ? 64 : 32; }
// X[d], zero-extended by the op.
void float_to_int(Emitter& e, FpType type, FpConversion c, Reg Rn, Reg Rd) {
  e.X(Rd, e.ir.emit(Op::FToInt, Type::I64, {e.V(Rn)}, c.pack(), u8(type.esize), 1));
}
void int_to_float(Emitter& e, FpType type, FpConversion c, Reg Rn, Reg Rd) {
  e.V(Rd, vec(e, Op::FFromInt, {e.X(Rn)}, type.esize, c.pack(), 1));
}

template <u8 rounding, bool is_unsigned>
void to_int(Emitter& e, bool sf, Imm<2> ptype, Reg Rn, Reg Rd) {
  const FpType type = fp_type(e, ptype);
  if (!type) return e.unallocated();
  float_to_int(e, type, {.rounding = rounding, .is_unsigned = is_unsigned, .size = size_of(sf)}, Rn, Rd);
}
template <bool is_unsigned>
void from_int(Emitter& e, bool sf, Imm<2> ptype, Reg Rn, Reg Rd) {
  const FpType type = fp_type(e, ptype);
  if (!type) return e.unallocated();
  int_to_float(e, type, {.is_unsigned = is_unsigned, .size = size_of(sf)}, Rn, Rd);
}
// fbits is 64 - scale; a W register has at most 32 bits.
template <bool is_unsigned>
void to_fixed(Emitter& e, bool sf, Imm<2> ptype, Imm<6> scale, Reg Rn, Reg Rd) {
  const FpType type = fp_type(e, ptype);
  if (!type || (!sf && scale < 32)) return e.unallocated();
  const FpConversion c{
      .rounding = kToZero, .is_unsigned = is_unsigned, .fbits = u8(64 - scale), .size = size_of(sf)};
  float_to_int(e, type, c, Rn, Rd);
}
template <bool is_unsigned>
void from_fixed(Emitter& e, bool sf, Imm<2> ptype, Imm<6> scale, Reg Rn, Reg Rd) {
  const FpType type = fp_type(e, ptype);
  if (!type || (!sf && scale < 32)) return e.unallocated();
  int_to_float(e, type, {.is_unsigned = is_unsigned, .fbits = u8(64 - scale), .size = size_of(sf)}, Rn, Rd);
}

// FMOV between registers of the same size; a half goes with either width of general register.
bool fmov_allocated(bool sf, Imm<2> ptype) { return ptype == 3 || (ptype < 2 && (ptype == 1) == sf); }
void FMOV_to_general(Emitter& e, bool sf, Imm<2> ptype, Reg Rn, Reg Rd) {
  const FpType type = fp_type(e, ptype);
  if (!type || !fmov_allocated(sf, ptype)) return e.unallocated();
  e.X(Rd, e.ir.emit(Op::VLane, Type::I64, {e.V(Rn)}, 0, u8(type.esize)));
}
void FMOV_from_general(Emitter& e, bool sf, Imm<2> ptype, Reg Rn, Reg Rd) {
  const FpType type = fp_type(e, ptype);
  if (!type || !fmov_allocated(sf, ptype)) return e.unallocated();
  Value v = vec(e, Op::VFromInt, {e.X(type.esize == 3, Rn)});
  e.V(Rd, type.esize == 1 ? vec(e, Op::VLowLane, {v}, 1) : v);
}
void FMOV_high_to_general(Emitter& e, Reg Rn, Reg Rd) {
  e.X(Rd, e.ir.emit(Op::VLane, Type::I64, {e.V(Rn)}, 1, 3));
}
void FMOV_high_from_general(Emitter& e, Reg Rn, Reg Rd) {
  e.V(Rd, vec(e, Op::VInsert, {e.V(Rd), e.X(Rn)}, 3, 1));
}
// The op returns NZCV above the 32-bit result.
void FJCVTZS(Emitter& e, Reg Rn, Reg Rd) {
  Value both = e.ir.emit(Op::FToIntJavaScript, Type::I64, {e.V(Rn)}, 0, 3, 1);
  e.X(Rd, e.truncate(both));
  Value nzcv = e.truncate(e.ir.binary(Op::Shr, both, e.ir.i64(32)));
  e.flags(e.ir.emit(Op::FlagsFromNzcv, Type::Flags, {nzcv}));
}

// clang-format off
constexpr Insn kFixedRows[] = {
    insn<"sf 00 11110 ptype:2 0 00 010 scale:6 Rn:5 Rd:5", from_fixed<false>>("SCVTF", "<Fd>, <Rn>, <fbits>"),
    insn<"sf 00 11110 ptype:2 0 00 011 scale:6 Rn:5 Rd:5", from_fixed<true>>("UCVTF", "<Fd>, <Rn>, <fbits>"),
    insn<"sf 00 11110 ptype:2 0 11 000 scale:6 Rn:5 Rd:5", to_fixed<false>>("FCVTZS", "<Rd>, <Fn>, <fbits>"),
    insn<"sf 00 11110 ptype:2 0 11 001 scale:6 Rn:5 Rd:5", to_fixed<true>>("FCVTZU", "<Rd>, <Fn>, <fbits>"),
};
// clang-format on
// clang-format off
constexpr Insn kIntegerRows[] = {
    insn<"sf 00 11110 ptype:2 1 00 000 000000 Rn:5 Rd:5", to_int<0, false>>("FCVTNS", kRdFn),
    insn<"sf 00 11110 ptype:2 1 00 001 000000 Rn:5 Rd:5", to_int<0, true>>("FCVTNU", kRdFn),
    insn<"sf 00 11110 ptype:2 1 01 000 000000 Rn:5 Rd:5", to_int<1, false>>("FCVTPS", kRdFn),
    insn<"sf 00 11110 ptype:2 1 01 001 000000 Rn:5 Rd:5", to_int<1, true>>("FCVTPU", kRdFn),
    insn<"sf 00 11110 ptype:2 1 10 000 000000 Rn:5 Rd:5", to_int<2, false>>("FCVTMS", kRdFn),
    insn<"sf 00 11110 ptype:2 1 10 001 000000 Rn:5 Rd:5", to_int<2, true>>("FCVTMU", kRdFn),
    insn<"sf 00 11110 ptype:2 1 11 000 000000 Rn:5 Rd:5", to_int<3, false>>("FCVTZS", kRdFn),
    insn<"sf 00 11110 ptype:2 1 11 001 000000 Rn:5 Rd:5", to_int<3, true>>("FCVTZU", kRdFn),
    insn<"sf 00 11110 ptype:2 1 00 100 000000 Rn:5 Rd:5", to_int<FpConversion::kTieAway, false>>(
        "FCVTAS", kRdFn),
    insn<"sf 00 11110 ptype:2 1 00 101 000000 Rn:5 Rd:5", to_int<FpConversion::kTieAway, true>>(
        "FCVTAU", kRdFn),
    insn<"sf 00 11110 ptype:2 1 00 010 000000 Rn:5 Rd:5", from_int<false>>("SCVTF", kFdRn),
    insn<"sf 00 11110 ptype:2 1 00 011 000000 Rn:5 Rd:5", from_int<true>>("UCVTF", kFdRn),
    insn<"sf 00 11110 ptype:2 1 00 110 000000 Rn:5 Rd:5", FMOV_to_general>("FMOV", kRdFn),
    insn<"sf 00 11110 ptype:2 1 00 111 000000 Rn:5 Rd:5", FMOV_from_general>("FMOV", kFdRn),
    insn<"1 00 11110 10 1 01 110 000000 Rn:5 Rd:5", FMOV_high_to_general>("FMOV", "<Xd>, <Vn.d[1]>"),
    insn<"1 00 11110 10 1 01 111 000000 Rn:5 Rd:5", FMOV_high_from_general>("FMOV", "<Vd.d[1]>, <Xn>"),
    insn<"0 00 11110 01 1 11 110 000000 Rn:5 Rd:5", FJCVTZS>("FJCVTZS", "<Wd>, <En.D>", Feature::JSCVT),
};
// clang-format on

}  // namespace

const Group kFpConvertFixed{"Conversion between floating-point and fixed-point", kFixedRows, true};
const Group kFpConvertInteger{"Conversion between floating-point and integer", kIntegerRows, true};

}  // namespace sluice::cpu::a64
