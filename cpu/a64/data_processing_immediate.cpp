// Arm DDI 0487, "Data Processing -- Immediate".
#include <optional>

#include "base/bits.h"
#include "cpu/a64/groups.h"
#include "cpu/a64/operands.h"
#include "cpu/emit.h"

namespace sluice::cpu::a64 {
namespace {

// X[d] = a value that is known now.
void set_constant(Emitter& e, bool sf, Reg d, u64 value) { e.X(d, e.ir.i64(sf ? value : u32(value))); }

// --- PC-relative addressing ---

void ADR(Emitter& e, Imm<2> immlo, Imm<19> immhi, Reg Rd) {
  e.X(Rd, e.ir.i64(e.pc + sign_extend(immhi << 2 | immlo, 21)));
}
void ADRP(Emitter& e, Imm<2> immlo, Imm<19> immhi, Reg Rd) {
  u64 pages = sign_extend(immhi << 2 | immlo, 21);
  e.X(Rd, e.ir.i64(align_down(e.pc, 4096) + (pages << 12)));
}

// --- Add/subtract (immediate) ---

u64 shifted_imm12(bool sh, Imm<12> imm12) { return u64{imm12} << (sh ? 12 : 0); }

void ADD(Emitter& e, bool sf, bool sh, Imm<12> imm12, Reg Rn, Reg Rd) {
  Value n = e.XSP(sf, Rn);
  u64 imm = shifted_imm12(sh, imm12);
  e.XSP(Rd, imm ? e.add(n, e.constant(sf, imm)) : n);  // with 0: MOV (to/from SP)
}
void SUB(Emitter& e, bool sf, bool sh, Imm<12> imm12, Reg Rn, Reg Rd) {
  e.XSP(Rd, e.sub(e.XSP(sf, Rn), e.constant(sf, shifted_imm12(sh, imm12))));
}
void ADDS(Emitter& e, bool sf, bool sh, Imm<12> imm12, Reg Rn, Reg Rd) {
  Value n = e.XSP(sf, Rn), imm = e.constant(sf, shifted_imm12(sh, imm12));
  add_sub_with_flags(e, Op::Add, Op::FlagsAdd, Rd, {n, imm});
}
void SUBS(Emitter& e, bool sf, bool sh, Imm<12> imm12, Reg Rn, Reg Rd) {
  Value n = e.XSP(sf, Rn), imm = e.constant(sf, shifted_imm12(sh, imm12));
  add_sub_with_flags(e, Op::Sub, Op::FlagsSub, Rd, {n, imm});
}

// --- Logical (immediate) ---

// DecodeBitMasks(): the pattern of S+1 ones rotated right by R in elements of 2 to 64 bits.
std::optional<u64> bit_mask(bool sf, bool N, u32 imms, u32 immr) {
  if (N && !sf) return {};
  u32 size_bits = u32(N) << 6 | (~imms & 0x3f);
  if (size_bits < 2) return {};  // no element size
  unsigned esize = std::bit_floor(size_bits);
  u32 levels = esize - 1;
  unsigned S = imms & levels, R = immr & levels;
  if (S == levels) return {};  // all ones
  return replicate(rotate_right(ones(S + 1), R, esize), esize);
}

enum class Logic : u8 { And, Or, Xor };
constexpr Op op_of(Logic l) { return l == Logic::And ? Op::And : l == Logic::Or ? Op::Or : Op::Xor; }

template <Logic L>
void logical(Emitter& e, bool sf, bool N, Imm<6> immr, Imm<6> imms, Reg Rn, Reg Rd) {
  auto imm = bit_mask(sf, N, imms, immr);
  if (!imm) return e.unallocated();
  if (L == Logic::Or && Rn.n == 31)  // MOV (bitmask immediate)
    return e.XSP(Rd, e.ir.i64(sf ? *imm : u32(*imm)));
  e.XSP(Rd, e.ir.binary(op_of(L), e.X(sf, Rn), e.constant(sf, *imm)));
}
void ANDS(Emitter& e, bool sf, bool N, Imm<6> immr, Imm<6> imms, Reg Rn, Reg Rd) {
  auto imm = bit_mask(sf, N, imms, immr);
  if (!imm) return e.unallocated();
  Value r = e.and_(e.X(sf, Rn), e.constant(sf, *imm));
  Value flags = e.ir.flags(Op::FlagsLogic, {r});
  e.X(Rd, r);
  e.flags(flags);
}

// --- Move wide (immediate) ---

void MOVN(Emitter& e, bool sf, Imm<2> hw, Imm<16> imm16, Reg Rd) {
  if (!sf && hw >= 2) return e.unallocated();
  set_constant(e, sf, Rd, ~(u64{imm16} << (hw * 16)));
}
void MOVZ(Emitter& e, bool sf, Imm<2> hw, Imm<16> imm16, Reg Rd) {
  if (!sf && hw >= 2) return e.unallocated();
  set_constant(e, sf, Rd, u64{imm16} << (hw * 16));
}
void MOVK(Emitter& e, bool sf, Imm<2> hw, Imm<16> imm16, Reg Rd) {
  if (!sf && hw >= 2) return e.unallocated();
  e.X(Rd, e.ir.binary(Op::Deposit, e.X(sf, Rd), e.constant(sf, imm16), (hw * 16) | 16u << 8));
}

// --- Bitfield ---

bool bitfield_unallocated(bool sf, bool N, u32 immr, u32 imms) {
  return sf != N || (!sf && (immr >= 32 || imms >= 32));
}
constexpr u64 field_imm(unsigned lsb, unsigned width) { return lsb | u64{width} << 8; }

Value sign_extend_field(Emitter& e, bool sf, Value v, unsigned lsb, unsigned width) {
  unsigned bits = sf ? 64 : 32;
  if (lsb + width == bits) return lsb ? e.ir.binary(Op::Sar, v, e.constant(sf, lsb)) : v;
  if (lsb == 0 && width == 8) return e.ir.unary(Op::SignExtend8, v);
  if (lsb == 0 && width == 16) return e.ir.unary(Op::SignExtend16, v);
  if (lsb == 0 && width == 32) return e.ir.emit(Op::SignExtend32, Type::I64, {e.truncate(v)});
  return e.ir.unary(Op::ExtractSigned, v, field_imm(lsb, width));
}
Value zero_extend_field(Emitter& e, bool sf, Value v, unsigned lsb, unsigned width) {
  unsigned bits = sf ? 64 : 32;
  if (lsb + width == bits) return lsb ? e.ir.binary(Op::Shr, v, e.constant(sf, lsb)) : v;
  if (lsb == 0) return e.and_(v, e.constant(sf, ones(width)));
  return e.ir.unary(Op::ExtractUnsigned, v, field_imm(lsb, width));
}

// imms >= immr: the field <imms:immr> goes to bit 0. Otherwise the low imms+1 bits go to bit datasize - immr.
template <bool Signed>
void extract_or_insert(Emitter& e, bool sf, bool N, Imm<6> immr, Imm<6> imms, Reg Rn, Reg Rd) {
  if (bitfield_unallocated(sf, N, immr, imms)) return e.unallocated();
  unsigned bits = sf ? 64 : 32;
  auto field = Signed ? sign_extend_field : zero_extend_field;
  Value n = e.X(sf, Rn);
  if (imms >= immr) return e.X(Rd, field(e, sf, n, immr, imms - immr + 1));
  unsigned left = bits - immr, width = imms + 1;
  Value low = left + width == bits ? n : field(e, sf, n, 0, width);
  e.X(Rd, e.ir.binary(Op::Shl, low, e.constant(sf, left)));
}
constexpr auto SBFM = extract_or_insert<true>;
constexpr auto UBFM = extract_or_insert<false>;

void BFM(Emitter& e, bool sf, bool N, Imm<6> immr, Imm<6> imms, Reg Rn, Reg Rd) {
  if (bitfield_unallocated(sf, N, immr, imms)) return e.unallocated();
  unsigned bits = sf ? 64 : 32;
  Value n = e.X(sf, Rn), d = e.X(sf, Rd);
  if (imms >= immr) {
    unsigned width = imms - immr + 1;
    Value field = immr ? e.ir.binary(Op::Shr, n, e.constant(sf, immr)) : n;
    return e.X(Rd, width == bits ? field : e.ir.binary(Op::Deposit, d, field, field_imm(0, width)));
  }
  e.X(Rd, e.ir.binary(Op::Deposit, d, n, field_imm(bits - immr, imms + 1)));
}

// --- Extract ---

void EXTR(Emitter& e, bool sf, bool N, Reg Rm, Imm<6> imms, Reg Rn, Reg Rd) {
  if (sf != N || (!sf && imms >= 32)) return e.unallocated();
  Value low = e.X(sf, Rm);
  if (imms == 0) return e.X(Rd, low);
  if (Rn.n == Rm.n) return e.X(Rd, e.ir.binary(Op::Ror, low, e.constant(sf, imms)));
  e.X(Rd, e.ir.binary(Op::ExtractPair, e.X(sf, Rn), low, imms));
}

constexpr Insn kRows[] = {
    insn<"0 immlo:2 10000 immhi:19 Rd:5", ADR>("ADR", "<Xd>, <adr>"),
    insn<"1 immlo:2 10000 immhi:19 Rd:5", ADRP>("ADRP", "<Xd>, <adrp>"),
    insn<"sf 00 100010 sh imm12:12 Rn:5 Rd:5", ADD>("ADD", "<Rd|SP>, <Rn|SP>, <u10:12>"),
    insn<"sf 01 100010 sh imm12:12 Rn:5 Rd:5", ADDS>("ADDS", "<Rd>, <Rn|SP>, <u10:12>"),
    insn<"sf 10 100010 sh imm12:12 Rn:5 Rd:5", SUB>("SUB", "<Rd|SP>, <Rn|SP>, <u10:12>"),
    insn<"sf 11 100010 sh imm12:12 Rn:5 Rd:5", SUBS>("SUBS", "<Rd>, <Rn|SP>, <u10:12>"),
    insn<"sf 00 100100 N immr:6 imms:6 Rn:5 Rd:5", logical<Logic::And>>("AND", ""),
    insn<"sf 01 100100 N immr:6 imms:6 Rn:5 Rd:5", logical<Logic::Or>>("ORR", ""),
    insn<"sf 10 100100 N immr:6 imms:6 Rn:5 Rd:5", logical<Logic::Xor>>("EOR", ""),
    insn<"sf 11 100100 N immr:6 imms:6 Rn:5 Rd:5", ANDS>("ANDS", ""),
    insn<"sf 00 100101 hw:2 imm16:16 Rd:5", MOVN>("MOVN", "<Rd>, <u5:16>"),
    insn<"sf 10 100101 hw:2 imm16:16 Rd:5", MOVZ>("MOVZ", "<Rd>, <u5:16>"),
    insn<"sf 11 100101 hw:2 imm16:16 Rd:5", MOVK>("MOVK", "<Rd>, <u5:16>"),
    insn<"sf 00 100110 N immr:6 imms:6 Rn:5 Rd:5", SBFM>("SBFM", "<Rd>, <Rn>, <u16:6>, <u10:6>"),
    insn<"sf 01 100110 N immr:6 imms:6 Rn:5 Rd:5", BFM>("BFM", "<Rd>, <Rn>, <u16:6>, <u10:6>"),
    insn<"sf 10 100110 N immr:6 imms:6 Rn:5 Rd:5", UBFM>("UBFM", "<Rd>, <Rn>, <u16:6>, <u10:6>"),
    insn<"sf 00 100111 N 0 Rm:5 imms:6 Rn:5 Rd:5", EXTR>("EXTR", "<Rd>, <Rn>, <Rm>, <u10:6>"),
};

}  // namespace

const Group kDataProcessingImmediate{"Data Processing -- Immediate", kRows, false};

}  // namespace sluice::cpu::a64
