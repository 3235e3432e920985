// Arm DDI 0487, "Data Processing -- Register". Pointer authentication is in pauth.cpp, RMIF and SETF in
// flag_manipulation.cpp.
#include "base/bits.h"
#include "cpu/a64/groups.h"
#include "cpu/a64/operands.h"
#include "cpu/emit.h"

namespace sluice::cpu::a64 {
namespace {

// --- Logical (shifted register) ---

template <Op O>
void logical(Emitter& e, bool sf, Imm<2> shift, Reg Rm, Imm<6> imm6, Reg Rn, Reg Rd) {
  if (!sf && imm6 >= 32) return e.unallocated();
  Value m = shift_reg(e, sf, Rm, shift, imm6);
  if (O == Op::Or && Rn.n == 31) return e.X(Rd, m);  // MOV (register)
  e.X(Rd, e.ir.binary(O, e.X(sf, Rn), m));
}
constexpr auto AND = logical<Op::And>;
constexpr auto BIC = logical<Op::AndNot>;
constexpr auto ORR = logical<Op::Or>;
constexpr auto EOR = logical<Op::Xor>;

template <Op O>
void logical_inverted(Emitter& e, bool sf, Imm<2> shift, Reg Rm, Imm<6> imm6, Reg Rn, Reg Rd) {
  if (!sf && imm6 >= 32) return e.unallocated();
  Value m = e.ir.unary(Op::Not, shift_reg(e, sf, Rm, shift, imm6));
  if (O == Op::Or && Rn.n == 31) return e.X(Rd, m);  // MVN
  e.X(Rd, e.ir.binary(O, e.X(sf, Rn), m));
}
constexpr auto ORN = logical_inverted<Op::Or>;
constexpr auto EON = logical_inverted<Op::Xor>;

template <Op O>
void logical_flags(Emitter& e, bool sf, Imm<2> shift, Reg Rm, Imm<6> imm6, Reg Rn, Reg Rd) {
  if (!sf && imm6 >= 32) return e.unallocated();
  Value m = shift_reg(e, sf, Rm, shift, imm6);
  Value r = O == Op::And && Rn.n == Rm.n && imm6 == 0 ? m : e.ir.binary(O, e.X(sf, Rn), m);  // TST Xn, Xn
  Value flags = e.ir.flags(Op::FlagsLogic, {r});
  e.X(Rd, r);
  e.flags(flags);
}
constexpr auto ANDS = logical_flags<Op::And>;
constexpr auto BICS = logical_flags<Op::AndNot>;

// --- Add/subtract (shifted register), (extended register), (with carry) ---

template <bool Subtract, bool SetFlags>
void add_sub_shifted(Emitter& e, bool sf, Imm<2> shift, Reg Rm, Imm<6> imm6, Reg Rn, Reg Rd) {
  if (shift == 3 || (!sf && imm6 >= 32)) return e.unallocated();
  Value m = shift_reg(e, sf, Rm, shift, imm6);
  if (Subtract && !SetFlags && Rn.n == 31) return e.X(Rd, e.ir.unary(Op::Neg, m));
  Value n = e.X(sf, Rn);
  constexpr Op kOp = Subtract ? Op::Sub : Op::Add, kFlags = Subtract ? Op::FlagsSub : Op::FlagsAdd;
  if (SetFlags) return add_sub_with_flags(e, kOp, kFlags, Rd, {n, m});
  e.X(Rd, e.ir.binary(kOp, n, m));
}

template <bool Subtract, bool SetFlags>
void add_sub_extended(Emitter& e, bool sf, Reg Rm, Imm<3> option, Imm<3> imm3, Reg Rn, Reg Rd) {
  if (imm3 > 4) return e.unallocated();
  Value m = extend_reg(e, sf, Rm, option, imm3), n = e.XSP(sf, Rn);
  constexpr Op kOp = Subtract ? Op::Sub : Op::Add, kFlags = Subtract ? Op::FlagsSub : Op::FlagsAdd;
  if (SetFlags) return add_sub_with_flags(e, kOp, kFlags, Rd, {n, m});
  e.XSP(Rd, e.ir.binary(kOp, n, m));
}

template <bool Subtract, bool SetFlags>
void add_sub_carry(Emitter& e, bool sf, Reg Rm, Reg Rn, Reg Rd) {
  Value n = e.X(sf, Rn), m = e.X(sf, Rm), carry = e.flags();
  constexpr Op kOp = Subtract ? Op::Sbc : Op::Adc, kFlags = Subtract ? Op::FlagsSbc : Op::FlagsAdc;
  if (SetFlags) return add_sub_with_flags(e, kOp, kFlags, Rd, {n, m, carry});
  e.X(Rd, e.ir.emit(kOp, n.type, {n, m, carry}));
}

// --- Conditional compare ---

void compare_if(Emitter& e, Op compare, Value n, Value m, Imm<4> cond, Imm<4> nzcv) {
  Value flags = e.ir.flags(compare, {n, m});
  if (cond < 14) {
    Value otherwise = e.ir.flags(Op::FlagsFromNzcv, {e.ir.i32(nzcv)});
    flags = e.ir.flags(Op::FlagsSelect, {flags, otherwise, e.flags()}, u8(cond));
  }
  e.flags(flags);
}
template <Op Compare>
void compare_register(Emitter& e, bool sf, Reg Rm, Imm<4> cond, Reg Rn, Imm<4> nzcv) {
  compare_if(e, Compare, e.X(sf, Rn), e.X(sf, Rm), cond, nzcv);
}
template <Op Compare>
void compare_immediate(Emitter& e, bool sf, Imm<5> imm5, Imm<4> cond, Reg Rn, Imm<4> nzcv) {
  compare_if(e, Compare, e.X(sf, Rn), e.constant(sf, imm5), cond, nzcv);
}

// --- Conditional select ---

enum class Otherwise : u8 { Same, Increment, Invert, Negate };

template <Otherwise Else>
void select(Emitter& e, bool sf, Reg Rm, Imm<4> cond, Reg Rn, Reg Rd) {
  if (cond >= 14) return e.X(Rd, e.X(sf, Rn));                   // AL and NV both always hold
  if (Else == Otherwise::Increment && Rn.n == 31 && Rm.n == 31)  // CSET
    return e.X(Rd, e.ir.emit(Op::Condition, Type::I32, {e.flags()}, 0, 0, u8(cond ^ 1)));
  Value a = e.X(sf, Rn), b = e.X(sf, Rm);
  if (Else == Otherwise::Increment) b = e.add(b, e.constant(sf, 1));
  if (Else == Otherwise::Invert) b = e.ir.unary(Op::Not, b);
  if (Else == Otherwise::Negate) b = e.ir.unary(Op::Neg, b);
  e.X(Rd, e.ir.emit(Op::Select, a.type, {a, b, e.flags()}, 0, 0, u8(cond)));
}

// --- Data-processing (2 source) ---

template <Op O>
void two_source(Emitter& e, bool sf, Reg Rm, Reg Rn, Reg Rd) {
  e.X(Rd, e.ir.binary(O, e.X(sf, Rn), e.X(sf, Rm)));
}
template <Op O>
void checksum(Emitter& e, Reg Rm, Imm<2> sz, Reg Rn, Reg Rd) {
  if (sz == 3) return e.unallocated();
  e.X(Rd, e.ir.emit(O, Type::I32, {e.X(false, Rn), e.X(Rm)}, 0, 0, u8(sz)));
}
template <Op O>
void checksum_x(Emitter& e, Reg Rm, Reg Rn, Reg Rd) {
  e.X(Rd, e.ir.emit(O, Type::I32, {e.X(false, Rn), e.X(Rm)}, 0, 0, 3));
}

// --- Data-processing (1 source) ---

void RBIT(Emitter& e, bool sf, Reg Rn, Reg Rd) { e.X(Rd, e.ir.unary(Op::ReverseBits, e.X(sf, Rn))); }
void REV16(Emitter& e, bool sf, Reg Rn, Reg Rd) { e.X(Rd, e.ir.unary(Op::ReverseBytes, e.X(sf, Rn), 16)); }
void REV_W(Emitter& e, Reg Rn, Reg Rd) { e.X(Rd, e.ir.unary(Op::ReverseBytes, e.X(false, Rn), 32)); }
void REV32(Emitter& e, Reg Rn, Reg Rd) { e.X(Rd, e.ir.unary(Op::ReverseBytes, e.X(Rn), 32)); }
void REV_X(Emitter& e, Reg Rn, Reg Rd) { e.X(Rd, e.ir.unary(Op::ReverseBytes, e.X(Rn), 64)); }
void CLZ(Emitter& e, bool sf, Reg Rn, Reg Rd) { e.X(Rd, e.ir.unary(Op::CountLeadingZeros, e.X(sf, Rn))); }
// The number of bits behind the sign bit that are equal to it.
void CLS(Emitter& e, bool sf, Reg Rn, Reg Rd) {
  Value n = e.X(sf, Rn), one = e.constant(sf, 1);
  Value differs = e.xor_(n, e.ir.binary(Op::Sar, n, one));  // its top bit is 0
  e.X(Rd, e.sub(e.ir.unary(Op::CountLeadingZeros, differs), one));
}

// --- Data-processing (3 source) ---

// MADD: Rd = Ra + Rn * Rm
void MADD(Emitter& e, bool sf, Reg Rm, Reg Ra, Reg Rn, Reg Rd) {
  Value product = e.mul(e.X(sf, Rn), e.X(sf, Rm));
  e.X(Rd, Ra.n == 31 ? product : e.add(e.X(sf, Ra), product));
}
void MSUB(Emitter& e, bool sf, Reg Rm, Reg Ra, Reg Rn, Reg Rd) {
  e.X(Rd, e.sub(e.X(sf, Ra), e.mul(e.X(sf, Rn), e.X(sf, Rm))));
}
template <bool Signed, bool Subtract>
void multiply_long(Emitter& e, Reg Rm, Reg Ra, Reg Rn, Reg Rd) {
  Op extend = Signed ? Op::SignExtend32 : Op::ZeroExtend32;
  Value n = e.ir.emit(extend, Type::I64, {e.X(false, Rn)}),
        m = e.ir.emit(extend, Type::I64, {e.X(false, Rm)});
  Value product = e.mul(n, m);
  if (!Subtract && Ra.n == 31) return e.X(Rd, product);
  e.X(Rd, Subtract ? e.sub(e.X(Ra), product) : e.add(e.X(Ra), product));
}
void SMULH(Emitter& e, Reg Rm, Reg Rn, Reg Rd) { e.X(Rd, e.ir.binary(Op::MulHighSigned, e.X(Rn), e.X(Rm))); }
void UMULH(Emitter& e, Reg Rm, Reg Rn, Reg Rd) {
  e.X(Rd, e.ir.binary(Op::MulHighUnsigned, e.X(Rn), e.X(Rm)));
}

constexpr Insn kRows[] = {
    insn<"sf 00 01010 shift:2 0 Rm:5 imm6:6 Rn:5 Rd:5", AND>("AND", "<Rd>, <Rn>, <Rm>, <shift> <u10:6>"),
    insn<"sf 00 01010 shift:2 1 Rm:5 imm6:6 Rn:5 Rd:5", BIC>("BIC", "<Rd>, <Rn>, <Rm>, <shift> <u10:6>"),
    insn<"sf 01 01010 shift:2 0 Rm:5 imm6:6 Rn:5 Rd:5", ORR>("ORR", "<Rd>, <Rn>, <Rm>, <shift> <u10:6>"),
    insn<"sf 01 01010 shift:2 1 Rm:5 imm6:6 Rn:5 Rd:5", ORN>("ORN", "<Rd>, <Rn>, <Rm>, <shift> <u10:6>"),
    insn<"sf 10 01010 shift:2 0 Rm:5 imm6:6 Rn:5 Rd:5", EOR>("EOR", "<Rd>, <Rn>, <Rm>, <shift> <u10:6>"),
    insn<"sf 10 01010 shift:2 1 Rm:5 imm6:6 Rn:5 Rd:5", EON>("EON", "<Rd>, <Rn>, <Rm>, <shift> <u10:6>"),
    insn<"sf 11 01010 shift:2 0 Rm:5 imm6:6 Rn:5 Rd:5", ANDS>("ANDS", "<Rd>, <Rn>, <Rm>, <shift> <u10:6>"),
    insn<"sf 11 01010 shift:2 1 Rm:5 imm6:6 Rn:5 Rd:5", BICS>("BICS", "<Rd>, <Rn>, <Rm>, <shift> <u10:6>"),

    insn<"sf 00 01011 shift:2 0 Rm:5 imm6:6 Rn:5 Rd:5", add_sub_shifted<false, false>>("ADD", ""),
    insn<"sf 01 01011 shift:2 0 Rm:5 imm6:6 Rn:5 Rd:5", add_sub_shifted<false, true>>("ADDS", ""),
    insn<"sf 10 01011 shift:2 0 Rm:5 imm6:6 Rn:5 Rd:5", add_sub_shifted<true, false>>("SUB", ""),
    insn<"sf 11 01011 shift:2 0 Rm:5 imm6:6 Rn:5 Rd:5", add_sub_shifted<true, true>>("SUBS", ""),
    insn<"sf 00 01011 001 Rm:5 option:3 imm3:3 Rn:5 Rd:5", add_sub_extended<false, false>>("ADD", ""),
    insn<"sf 01 01011 001 Rm:5 option:3 imm3:3 Rn:5 Rd:5", add_sub_extended<false, true>>("ADDS", ""),
    insn<"sf 10 01011 001 Rm:5 option:3 imm3:3 Rn:5 Rd:5", add_sub_extended<true, false>>("SUB", ""),
    insn<"sf 11 01011 001 Rm:5 option:3 imm3:3 Rn:5 Rd:5", add_sub_extended<true, true>>("SUBS", ""),
    insn<"sf 00 11010000 Rm:5 000000 Rn:5 Rd:5", add_sub_carry<false, false>>("ADC", "<Rd>, <Rn>, <Rm>"),
    insn<"sf 01 11010000 Rm:5 000000 Rn:5 Rd:5", add_sub_carry<false, true>>("ADCS", "<Rd>, <Rn>, <Rm>"),
    insn<"sf 10 11010000 Rm:5 000000 Rn:5 Rd:5", add_sub_carry<true, false>>("SBC", "<Rd>, <Rn>, <Rm>"),
    insn<"sf 11 11010000 Rm:5 000000 Rn:5 Rd:5", add_sub_carry<true, true>>("SBCS", "<Rd>, <Rn>, <Rm>"),

    insn<"sf 01 11010010 Rm:5 cond:4 00 Rn:5 0 nzcv:4", compare_register<Op::FlagsAdd>>("CCMN", ""),
    insn<"sf 11 11010010 Rm:5 cond:4 00 Rn:5 0 nzcv:4", compare_register<Op::FlagsSub>>("CCMP", ""),
    insn<"sf 01 11010010 imm5:5 cond:4 10 Rn:5 0 nzcv:4", compare_immediate<Op::FlagsAdd>>("CCMN", ""),
    insn<"sf 11 11010010 imm5:5 cond:4 10 Rn:5 0 nzcv:4", compare_immediate<Op::FlagsSub>>("CCMP", ""),

    insn<"sf 00 11010100 Rm:5 cond:4 00 Rn:5 Rd:5", select<Otherwise::Same>>("CSEL", ""),
    insn<"sf 00 11010100 Rm:5 cond:4 01 Rn:5 Rd:5", select<Otherwise::Increment>>("CSINC", ""),
    insn<"sf 10 11010100 Rm:5 cond:4 00 Rn:5 Rd:5", select<Otherwise::Invert>>("CSINV", ""),
    insn<"sf 10 11010100 Rm:5 cond:4 01 Rn:5 Rd:5", select<Otherwise::Negate>>("CSNEG", ""),

    insn<"sf 00 11010110 Rm:5 000010 Rn:5 Rd:5", two_source<Op::DivUnsigned>>("UDIV", "<Rd>, <Rn>, <Rm>"),
    insn<"sf 00 11010110 Rm:5 000011 Rn:5 Rd:5", two_source<Op::DivSigned>>("SDIV", "<Rd>, <Rn>, <Rm>"),
    insn<"sf 00 11010110 Rm:5 001000 Rn:5 Rd:5", two_source<Op::Shl>>("LSLV", "<Rd>, <Rn>, <Rm>"),
    insn<"sf 00 11010110 Rm:5 001001 Rn:5 Rd:5", two_source<Op::Shr>>("LSRV", "<Rd>, <Rn>, <Rm>"),
    insn<"sf 00 11010110 Rm:5 001010 Rn:5 Rd:5", two_source<Op::Sar>>("ASRV", "<Rd>, <Rn>, <Rm>"),
    insn<"sf 00 11010110 Rm:5 001011 Rn:5 Rd:5", two_source<Op::Ror>>("RORV", "<Rd>, <Rn>, <Rm>"),
    insn<"0 00 11010110 Rm:5 0100 sz:2 Rn:5 Rd:5", checksum<Op::Crc32>>("CRC32", "", Feature::CRC32),
    insn<"1 00 11010110 Rm:5 0100 11 Rn:5 Rd:5", checksum_x<Op::Crc32>>("CRC32X", "", Feature::CRC32),
    insn<"0 00 11010110 Rm:5 0101 sz:2 Rn:5 Rd:5", checksum<Op::Crc32C>>("CRC32C", "", Feature::CRC32),
    insn<"1 00 11010110 Rm:5 0101 11 Rn:5 Rd:5", checksum_x<Op::Crc32C>>("CRC32CX", "", Feature::CRC32),

    insn<"sf 10 11010110 00000 000000 Rn:5 Rd:5", RBIT>("RBIT", "<Rd>, <Rn>"),
    insn<"sf 10 11010110 00000 000001 Rn:5 Rd:5", REV16>("REV16", "<Rd>, <Rn>"),
    insn<"0 10 11010110 00000 000010 Rn:5 Rd:5", REV_W>("REV", "<Rd>, <Rn>"),
    insn<"1 10 11010110 00000 000010 Rn:5 Rd:5", REV32>("REV32", "<Rd>, <Rn>"),
    insn<"1 10 11010110 00000 000011 Rn:5 Rd:5", REV_X>("REV", "<Rd>, <Rn>"),
    insn<"sf 10 11010110 00000 000100 Rn:5 Rd:5", CLZ>("CLZ", "<Rd>, <Rn>"),
    insn<"sf 10 11010110 00000 000101 Rn:5 Rd:5", CLS>("CLS", "<Rd>, <Rn>"),

    insn<"sf 00 11011 000 Rm:5 0 Ra:5 Rn:5 Rd:5", MADD>("MADD", "<Rd>, <Rn>, <Rm>, <Ra>"),
    insn<"sf 00 11011 000 Rm:5 1 Ra:5 Rn:5 Rd:5", MSUB>("MSUB", "<Rd>, <Rn>, <Rm>, <Ra>"),
    insn<"1 00 11011 001 Rm:5 0 Ra:5 Rn:5 Rd:5", multiply_long<true, false>>("SMADDL",
                                                                             "<Xd>, <Wn>, <Wm>, <Xa>"),
    insn<"1 00 11011 001 Rm:5 1 Ra:5 Rn:5 Rd:5", multiply_long<true, true>>("SMSUBL",
                                                                            "<Xd>, <Wn>, <Wm>, <Xa>"),
    insn<"1 00 11011 101 Rm:5 0 Ra:5 Rn:5 Rd:5", multiply_long<false, false>>("UMADDL",
                                                                              "<Xd>, <Wn>, <Wm>, <Xa>"),
    insn<"1 00 11011 101 Rm:5 1 Ra:5 Rn:5 Rd:5", multiply_long<false, true>>("UMSUBL",
                                                                             "<Xd>, <Wn>, <Wm>, <Xa>"),
    insn<"1 00 11011 010 Rm:5 0 xxxxx Rn:5 Rd:5", SMULH>("SMULH", "<Xd>, <Xn>, <Xm>"),
    insn<"1 00 11011 110 Rm:5 0 xxxxx Rn:5 Rd:5", UMULH>("UMULH", "<Xd>, <Xn>, <Xm>"),
};

}  // namespace

const Group kDataProcessingRegister{"Data Processing -- Register", kRows, false};

}  // namespace sluice::cpu::a64
