// Arm DDI 0487, "Loads and Stores" of one general register; prefetches, which do nothing; LDRAA and LDRAB.
// CONSTRAINED UNPREDICTABLE choices: a load with write-back whose base is its destination does not write
// back; a store with write-back whose base is its source stores the old value.
#include "base/bits.h"
#include "cpu/a64/groups.h"
#include "cpu/a64/memory_access.h"
#include "cpu/a64/operands.h"
#include "cpu/a64/pointer_authentication.h"
#include "cpu/emit.h"

namespace sluice::cpu::a64 {
namespace {

constexpr bool is_load(Kind k) { return k != Kind::Store; }

// --- Load register (literal) ---

template <Kind K, unsigned Log2>
void literal(Emitter& e, Imm<19> imm19, Reg Rt) {
  load_or_store(e, K, Rt, e.ir.i64(e.pc + (sign_extend(imm19, 19) << 2)), {.log2_size = Log2});
}

// --- Unsigned offset, unscaled, immediate pre- and post-indexed, unprivileged, register offset ---

template <Kind K, unsigned Log2>
void scaled(Emitter& e, Imm<12> imm12, Reg Rn, Reg Rt) {
  Value address = displaced(e, base_address(e, Rn), u64{imm12} << Log2);
  load_or_store(e, K, Rt, address, {.log2_size = Log2, .base = base_hint(Rn)});
}
template <Kind K, unsigned Log2, Index I>
void immediate(Emitter& e, Imm<9> imm9, Reg Rn, Reg Rt) {
  Address a = indexed(e, I, Rn, sign_extend(imm9, 9));
  load_or_store(e, K, Rt, a.access, {.log2_size = Log2, .base = base_hint(Rn)});
  write_back(e, I, Rn, a, is_load(K) && Rn.n == Rt.n && Rn.n != 31);
}
template <Kind K, unsigned Log2>
void unprivileged(Emitter& e, Imm<9> imm9, Reg Rn, Reg Rt) {
  Value address = displaced(e, base_address(e, Rn), sign_extend(imm9, 9));
  bool as_el0 = e.mode.get<Mode::UnprivilegedAsEl0>() && !e.mode.get<Mode::Uao>();
  load_or_store(e, K, Rt, address, {.log2_size = Log2, .unprivileged = as_el0});
}
template <Kind K, unsigned Log2>
void by_register(Emitter& e, Reg Rm, Imm<3> option, bool S, Reg Rn, Reg Rt) {
  if (!(option & 2)) return e.unallocated();
  Value base = base_address(e, Rn);
  load_or_store(e, K, Rt, e.add(base, extend_reg(e, true, Rm, option, S ? Log2 : 0)), {.log2_size = Log2});
}

// --- LDAPUR, STLUR ---

template <Kind K, unsigned Log2>
void ordered(Emitter& e, Imm<9> imm9, Reg Rn, Reg Rt) {
  Value address = displaced(e, base_address(e, Rn), sign_extend(imm9, 9));
  load_or_store(e, K, Rt, address,
                {.log2_size = Log2,
                 .aligned = true,
                 .acquire = is_load(K),
                 .release = !is_load(K),
                 .base = base_hint(Rn)});
}

// --- PRFM ---

void PRFM_literal(Emitter&, Imm<19>, Imm<5>) {}
void PRFM_scaled(Emitter&, Imm<12>, Reg, Imm<5>) {}
void PRFUM(Emitter&, Imm<9>, Reg, Imm<5>) {}
void PRFM_register(Emitter& e, Reg, Imm<3> option, bool, Reg, Imm<5>) {
  if (!(option & 2)) e.unallocated();
}

// --- LDRAA, LDRAB ---

template <Index I>
void LDRA(Emitter& e, bool M, bool S, Imm<9> imm9, Reg Rn, Reg Rt) {
  Value base = base_address(e, Rn);
  Value pointer = authenticate(e, M ? pauth::KeyName::DB : pauth::KeyName::DA, base, e.ir.i64(0));
  Value address = displaced(e, pointer, sign_extend(u64{S} << 9 | imm9, 10) << 3);
  load_or_store(e, Kind::Load, Rt, address, {.log2_size = 3});
  write_back(e, I, Rn, {address, address}, Rn.n == Rt.n && Rn.n != 31);
}

constexpr Kind kStore = Kind::Store, kLoad = Kind::Load, kSigned64 = Kind::LoadSigned64,
               kSigned32 = Kind::LoadSigned32;
constexpr Index kPost = Index::Post, kPre = Index::Pre, kNone = Index::Offset;

constexpr Insn kRows[] = {
    insn<"00 011 0 00 imm19:19 Rt:5", literal<kLoad, 2>>("LDR", "<Wd>, <pc5:19>"),
    insn<"01 011 0 00 imm19:19 Rt:5", literal<kLoad, 3>>("LDR", "<Xd>, <pc5:19>"),
    insn<"10 011 0 00 imm19:19 Rt:5", literal<kSigned64, 2>>("LDRSW", "<Xd>, <pc5:19>"),
    insn<"11 011 0 00 imm19:19 prfop:5", PRFM_literal>("PRFM", "<u0:5>, <pc5:19>"),

    insn<"00 111 0 01 00 imm12:12 Rn:5 Rt:5", scaled<kStore, 0>>("STRB", "<Wd>, [<Xn|SP>, <u10:12>]"),
    insn<"00 111 0 01 01 imm12:12 Rn:5 Rt:5", scaled<kLoad, 0>>("LDRB", "<Wd>, [<Xn|SP>, <u10:12>]"),
    insn<"00 111 0 01 10 imm12:12 Rn:5 Rt:5", scaled<kSigned64, 0>>("LDRSB", "<Xd>, [<Xn|SP>, <u10:12>]"),
    insn<"00 111 0 01 11 imm12:12 Rn:5 Rt:5", scaled<kSigned32, 0>>("LDRSB", "<Wd>, [<Xn|SP>, <u10:12>]"),
    insn<"01 111 0 01 00 imm12:12 Rn:5 Rt:5", scaled<kStore, 1>>("STRH", "<Wd>, [<Xn|SP>, <u10:12*2>]"),
    insn<"01 111 0 01 01 imm12:12 Rn:5 Rt:5", scaled<kLoad, 1>>("LDRH", "<Wd>, [<Xn|SP>, <u10:12*2>]"),
    insn<"01 111 0 01 10 imm12:12 Rn:5 Rt:5", scaled<kSigned64, 1>>("LDRSH", "<Xd>, [<Xn|SP>, <u10:12*2>]"),
    insn<"01 111 0 01 11 imm12:12 Rn:5 Rt:5", scaled<kSigned32, 1>>("LDRSH", "<Wd>, [<Xn|SP>, <u10:12*2>]"),
    insn<"10 111 0 01 00 imm12:12 Rn:5 Rt:5", scaled<kStore, 2>>("STR", "<Wd>, [<Xn|SP>, <u10:12*4>]"),
    insn<"10 111 0 01 01 imm12:12 Rn:5 Rt:5", scaled<kLoad, 2>>("LDR", "<Wd>, [<Xn|SP>, <u10:12*4>]"),
    insn<"10 111 0 01 10 imm12:12 Rn:5 Rt:5", scaled<kSigned64, 2>>("LDRSW", "<Xd>, [<Xn|SP>, <u10:12*4>]"),
    insn<"11 111 0 01 00 imm12:12 Rn:5 Rt:5", scaled<kStore, 3>>("STR", "<Xd>, [<Xn|SP>, <u10:12*8>]"),
    insn<"11 111 0 01 01 imm12:12 Rn:5 Rt:5", scaled<kLoad, 3>>("LDR", "<Xd>, [<Xn|SP>, <u10:12*8>]"),
    insn<"11 111 0 01 10 imm12:12 Rn:5 prfop:5", PRFM_scaled>("PRFM", "<u0:5>, [<Xn|SP>, <u10:12*8>]"),

    insn<"00 111 0 00 00 0 imm9:9 00 Rn:5 Rt:5", immediate<kStore, 0, kNone>>("STURB",
                                                                              "<Wd>, [<Xn|SP>, <s12:9>]"),
    insn<"00 111 0 00 01 0 imm9:9 00 Rn:5 Rt:5", immediate<kLoad, 0, kNone>>("LDURB",
                                                                             "<Wd>, [<Xn|SP>, <s12:9>]"),
    insn<"00 111 0 00 10 0 imm9:9 00 Rn:5 Rt:5", immediate<kSigned64, 0, kNone>>("LDURSB",
                                                                                 "<Xd>, [<Xn|SP>, <s12:9>]"),
    insn<"00 111 0 00 11 0 imm9:9 00 Rn:5 Rt:5", immediate<kSigned32, 0, kNone>>("LDURSB",
                                                                                 "<Wd>, [<Xn|SP>, <s12:9>]"),
    insn<"01 111 0 00 00 0 imm9:9 00 Rn:5 Rt:5", immediate<kStore, 1, kNone>>("STURH",
                                                                              "<Wd>, [<Xn|SP>, <s12:9>]"),
    insn<"01 111 0 00 01 0 imm9:9 00 Rn:5 Rt:5", immediate<kLoad, 1, kNone>>("LDURH",
                                                                             "<Wd>, [<Xn|SP>, <s12:9>]"),
    insn<"01 111 0 00 10 0 imm9:9 00 Rn:5 Rt:5", immediate<kSigned64, 1, kNone>>("LDURSH",
                                                                                 "<Xd>, [<Xn|SP>, <s12:9>]"),
    insn<"01 111 0 00 11 0 imm9:9 00 Rn:5 Rt:5", immediate<kSigned32, 1, kNone>>("LDURSH",
                                                                                 "<Wd>, [<Xn|SP>, <s12:9>]"),
    insn<"10 111 0 00 00 0 imm9:9 00 Rn:5 Rt:5", immediate<kStore, 2, kNone>>("STUR",
                                                                              "<Wd>, [<Xn|SP>, <s12:9>]"),
    insn<"10 111 0 00 01 0 imm9:9 00 Rn:5 Rt:5", immediate<kLoad, 2, kNone>>("LDUR",
                                                                             "<Wd>, [<Xn|SP>, <s12:9>]"),
    insn<"10 111 0 00 10 0 imm9:9 00 Rn:5 Rt:5", immediate<kSigned64, 2, kNone>>("LDURSW",
                                                                                 "<Xd>, [<Xn|SP>, <s12:9>]"),
    insn<"11 111 0 00 00 0 imm9:9 00 Rn:5 Rt:5", immediate<kStore, 3, kNone>>("STUR",
                                                                              "<Xd>, [<Xn|SP>, <s12:9>]"),
    insn<"11 111 0 00 01 0 imm9:9 00 Rn:5 Rt:5", immediate<kLoad, 3, kNone>>("LDUR",
                                                                             "<Xd>, [<Xn|SP>, <s12:9>]"),
    insn<"11 111 0 00 10 0 imm9:9 00 Rn:5 prfop:5", PRFUM>("PRFUM", "<u0:5>, [<Xn|SP>, <s12:9>]"),

    insn<"00 111 0 00 00 0 imm9:9 01 Rn:5 Rt:5", immediate<kStore, 0, kPost>>("STRB",
                                                                              "<Wd>, [<Xn|SP>], <s12:9>"),
    insn<"00 111 0 00 01 0 imm9:9 01 Rn:5 Rt:5", immediate<kLoad, 0, kPost>>("LDRB",
                                                                             "<Wd>, [<Xn|SP>], <s12:9>"),
    insn<"00 111 0 00 10 0 imm9:9 01 Rn:5 Rt:5", immediate<kSigned64, 0, kPost>>("LDRSB",
                                                                                 "<Xd>, [<Xn|SP>], <s12:9>"),
    insn<"00 111 0 00 11 0 imm9:9 01 Rn:5 Rt:5", immediate<kSigned32, 0, kPost>>("LDRSB",
                                                                                 "<Wd>, [<Xn|SP>], <s12:9>"),
    insn<"01 111 0 00 00 0 imm9:9 01 Rn:5 Rt:5", immediate<kStore, 1, kPost>>("STRH",
                                                                              "<Wd>, [<Xn|SP>], <s12:9>"),
    insn<"01 111 0 00 01 0 imm9:9 01 Rn:5 Rt:5", immediate<kLoad, 1, kPost>>("LDRH",
                                                                             "<Wd>, [<Xn|SP>], <s12:9>"),
    insn<"01 111 0 00 10 0 imm9:9 01 Rn:5 Rt:5", immediate<kSigned64, 1, kPost>>("LDRSH",
                                                                                 "<Xd>, [<Xn|SP>], <s12:9>"),
    insn<"01 111 0 00 11 0 imm9:9 01 Rn:5 Rt:5", immediate<kSigned32, 1, kPost>>("LDRSH",
                                                                                 "<Wd>, [<Xn|SP>], <s12:9>"),
    insn<"10 111 0 00 00 0 imm9:9 01 Rn:5 Rt:5", immediate<kStore, 2, kPost>>("STR",
                                                                              "<Wd>, [<Xn|SP>], <s12:9>"),
    insn<"10 111 0 00 01 0 imm9:9 01 Rn:5 Rt:5", immediate<kLoad, 2, kPost>>("LDR",
                                                                             "<Wd>, [<Xn|SP>], <s12:9>"),
    insn<"10 111 0 00 10 0 imm9:9 01 Rn:5 Rt:5", immediate<kSigned64, 2, kPost>>("LDRSW",
                                                                                 "<Xd>, [<Xn|SP>], <s12:9>"),
    insn<"11 111 0 00 00 0 imm9:9 01 Rn:5 Rt:5", immediate<kStore, 3, kPost>>("STR",
                                                                              "<Xd>, [<Xn|SP>], <s12:9>"),
    insn<"11 111 0 00 01 0 imm9:9 01 Rn:5 Rt:5", immediate<kLoad, 3, kPost>>("LDR",
                                                                             "<Xd>, [<Xn|SP>], <s12:9>"),

    insn<"00 111 0 00 00 0 imm9:9 11 Rn:5 Rt:5", immediate<kStore, 0, kPre>>("STRB",
                                                                             "<Wd>, [<Xn|SP>, <s12:9>]!"),
    insn<"00 111 0 00 01 0 imm9:9 11 Rn:5 Rt:5", immediate<kLoad, 0, kPre>>("LDRB",
                                                                            "<Wd>, [<Xn|SP>, <s12:9>]!"),
    insn<"00 111 0 00 10 0 imm9:9 11 Rn:5 Rt:5", immediate<kSigned64, 0, kPre>>("LDRSB",
                                                                                "<Xd>, [<Xn|SP>, <s12:9>]!"),
    insn<"00 111 0 00 11 0 imm9:9 11 Rn:5 Rt:5", immediate<kSigned32, 0, kPre>>("LDRSB",
                                                                                "<Wd>, [<Xn|SP>, <s12:9>]!"),
    insn<"01 111 0 00 00 0 imm9:9 11 Rn:5 Rt:5", immediate<kStore, 1, kPre>>("STRH",
                                                                             "<Wd>, [<Xn|SP>, <s12:9>]!"),
    insn<"01 111 0 00 01 0 imm9:9 11 Rn:5 Rt:5", immediate<kLoad, 1, kPre>>("LDRH",
                                                                            "<Wd>, [<Xn|SP>, <s12:9>]!"),
    insn<"01 111 0 00 10 0 imm9:9 11 Rn:5 Rt:5", immediate<kSigned64, 1, kPre>>("LDRSH",
                                                                                "<Xd>, [<Xn|SP>, <s12:9>]!"),
    insn<"01 111 0 00 11 0 imm9:9 11 Rn:5 Rt:5", immediate<kSigned32, 1, kPre>>("LDRSH",
                                                                                "<Wd>, [<Xn|SP>, <s12:9>]!"),
    insn<"10 111 0 00 00 0 imm9:9 11 Rn:5 Rt:5", immediate<kStore, 2, kPre>>("STR",
                                                                             "<Wd>, [<Xn|SP>, <s12:9>]!"),
    insn<"10 111 0 00 01 0 imm9:9 11 Rn:5 Rt:5", immediate<kLoad, 2, kPre>>("LDR",
                                                                            "<Wd>, [<Xn|SP>, <s12:9>]!"),
    insn<"10 111 0 00 10 0 imm9:9 11 Rn:5 Rt:5", immediate<kSigned64, 2, kPre>>("LDRSW",
                                                                                "<Xd>, [<Xn|SP>, <s12:9>]!"),
    insn<"11 111 0 00 00 0 imm9:9 11 Rn:5 Rt:5", immediate<kStore, 3, kPre>>("STR",
                                                                             "<Xd>, [<Xn|SP>, <s12:9>]!"),
    insn<"11 111 0 00 01 0 imm9:9 11 Rn:5 Rt:5", immediate<kLoad, 3, kPre>>("LDR",
                                                                            "<Xd>, [<Xn|SP>, <s12:9>]!"),

    insn<"00 111 0 00 00 0 imm9:9 10 Rn:5 Rt:5", unprivileged<kStore, 0>>("STTRB",
                                                                          "<Wd>, [<Xn|SP>, <s12:9>]"),
    insn<"00 111 0 00 01 0 imm9:9 10 Rn:5 Rt:5", unprivileged<kLoad, 0>>("LDTRB", "<Wd>, [<Xn|SP>, <s12:9>]"),
    insn<"00 111 0 00 10 0 imm9:9 10 Rn:5 Rt:5", unprivileged<kSigned64, 0>>("LDTRSB",
                                                                             "<Xd>, [<Xn|SP>, <s12:9>]"),
    insn<"00 111 0 00 11 0 imm9:9 10 Rn:5 Rt:5", unprivileged<kSigned32, 0>>("LDTRSB",
                                                                             "<Wd>, [<Xn|SP>, <s12:9>]"),
    insn<"01 111 0 00 00 0 imm9:9 10 Rn:5 Rt:5", unprivileged<kStore, 1>>("STTRH",
                                                                          "<Wd>, [<Xn|SP>, <s12:9>]"),
    insn<"01 111 0 00 01 0 imm9:9 10 Rn:5 Rt:5", unprivileged<kLoad, 1>>("LDTRH", "<Wd>, [<Xn|SP>, <s12:9>]"),
    insn<"01 111 0 00 10 0 imm9:9 10 Rn:5 Rt:5", unprivileged<kSigned64, 1>>("LDTRSH",
                                                                             "<Xd>, [<Xn|SP>, <s12:9>]"),
    insn<"01 111 0 00 11 0 imm9:9 10 Rn:5 Rt:5", unprivileged<kSigned32, 1>>("LDTRSH",
                                                                             "<Wd>, [<Xn|SP>, <s12:9>]"),
    insn<"10 111 0 00 00 0 imm9:9 10 Rn:5 Rt:5", unprivileged<kStore, 2>>("STTR", "<Wd>, [<Xn|SP>, <s12:9>]"),
    insn<"10 111 0 00 01 0 imm9:9 10 Rn:5 Rt:5", unprivileged<kLoad, 2>>("LDTR", "<Wd>, [<Xn|SP>, <s12:9>]"),
    insn<"10 111 0 00 10 0 imm9:9 10 Rn:5 Rt:5", unprivileged<kSigned64, 2>>("LDTRSW",
                                                                             "<Xd>, [<Xn|SP>, <s12:9>]"),
    insn<"11 111 0 00 00 0 imm9:9 10 Rn:5 Rt:5", unprivileged<kStore, 3>>("STTR", "<Xd>, [<Xn|SP>, <s12:9>]"),
    insn<"11 111 0 00 01 0 imm9:9 10 Rn:5 Rt:5", unprivileged<kLoad, 3>>("LDTR", "<Xd>, [<Xn|SP>, <s12:9>]"),

    insn<"00 111 0 00 00 1 Rm:5 option:3 S 10 Rn:5 Rt:5", by_register<kStore, 0>>("STRB", ""),
    insn<"00 111 0 00 01 1 Rm:5 option:3 S 10 Rn:5 Rt:5", by_register<kLoad, 0>>("LDRB", ""),
    insn<"00 111 0 00 10 1 Rm:5 option:3 S 10 Rn:5 Rt:5", by_register<kSigned64, 0>>("LDRSB", ""),
    insn<"00 111 0 00 11 1 Rm:5 option:3 S 10 Rn:5 Rt:5", by_register<kSigned32, 0>>("LDRSB", ""),
    insn<"01 111 0 00 00 1 Rm:5 option:3 S 10 Rn:5 Rt:5", by_register<kStore, 1>>("STRH", ""),
    insn<"01 111 0 00 01 1 Rm:5 option:3 S 10 Rn:5 Rt:5", by_register<kLoad, 1>>("LDRH", ""),
    insn<"01 111 0 00 10 1 Rm:5 option:3 S 10 Rn:5 Rt:5", by_register<kSigned64, 1>>("LDRSH", ""),
    insn<"01 111 0 00 11 1 Rm:5 option:3 S 10 Rn:5 Rt:5", by_register<kSigned32, 1>>("LDRSH", ""),
    insn<"10 111 0 00 00 1 Rm:5 option:3 S 10 Rn:5 Rt:5", by_register<kStore, 2>>("STR", ""),
    insn<"10 111 0 00 01 1 Rm:5 option:3 S 10 Rn:5 Rt:5", by_register<kLoad, 2>>("LDR", ""),
    insn<"10 111 0 00 10 1 Rm:5 option:3 S 10 Rn:5 Rt:5", by_register<kSigned64, 2>>("LDRSW", ""),
    insn<"11 111 0 00 00 1 Rm:5 option:3 S 10 Rn:5 Rt:5", by_register<kStore, 3>>("STR", ""),
    insn<"11 111 0 00 01 1 Rm:5 option:3 S 10 Rn:5 Rt:5", by_register<kLoad, 3>>("LDR", ""),
    insn<"11 111 0 00 10 1 Rm:5 option:3 S 10 Rn:5 prfop:5", PRFM_register>("PRFM", ""),

    insn<"00 011001 00 0 imm9:9 00 Rn:5 Rt:5", ordered<kStore, 0>>("STLURB", "<Wd>, [<Xn|SP>, <s12:9>]",
                                                                   Feature::LRCPC2),
    insn<"00 011001 01 0 imm9:9 00 Rn:5 Rt:5", ordered<kLoad, 0>>("LDAPURB", "<Wd>, [<Xn|SP>, <s12:9>]",
                                                                  Feature::LRCPC2),
    insn<"00 011001 10 0 imm9:9 00 Rn:5 Rt:5", ordered<kSigned64, 0>>("LDAPURSB", "<Xd>, [<Xn|SP>, <s12:9>]",
                                                                      Feature::LRCPC2),
    insn<"00 011001 11 0 imm9:9 00 Rn:5 Rt:5", ordered<kSigned32, 0>>("LDAPURSB", "<Wd>, [<Xn|SP>, <s12:9>]",
                                                                      Feature::LRCPC2),
    insn<"01 011001 00 0 imm9:9 00 Rn:5 Rt:5", ordered<kStore, 1>>("STLURH", "<Wd>, [<Xn|SP>, <s12:9>]",
                                                                   Feature::LRCPC2),
    insn<"01 011001 01 0 imm9:9 00 Rn:5 Rt:5", ordered<kLoad, 1>>("LDAPURH", "<Wd>, [<Xn|SP>, <s12:9>]",
                                                                  Feature::LRCPC2),
    insn<"01 011001 10 0 imm9:9 00 Rn:5 Rt:5", ordered<kSigned64, 1>>("LDAPURSH", "<Xd>, [<Xn|SP>, <s12:9>]",
                                                                      Feature::LRCPC2),
    insn<"01 011001 11 0 imm9:9 00 Rn:5 Rt:5", ordered<kSigned32, 1>>("LDAPURSH", "<Wd>, [<Xn|SP>, <s12:9>]",
                                                                      Feature::LRCPC2),
    insn<"10 011001 00 0 imm9:9 00 Rn:5 Rt:5", ordered<kStore, 2>>("STLUR", "<Wd>, [<Xn|SP>, <s12:9>]",
                                                                   Feature::LRCPC2),
    insn<"10 011001 01 0 imm9:9 00 Rn:5 Rt:5", ordered<kLoad, 2>>("LDAPUR", "<Wd>, [<Xn|SP>, <s12:9>]",
                                                                  Feature::LRCPC2),
    insn<"10 011001 10 0 imm9:9 00 Rn:5 Rt:5", ordered<kSigned64, 2>>("LDAPURSW", "<Xd>, [<Xn|SP>, <s12:9>]",
                                                                      Feature::LRCPC2),
    insn<"11 011001 00 0 imm9:9 00 Rn:5 Rt:5", ordered<kStore, 3>>("STLUR", "<Xd>, [<Xn|SP>, <s12:9>]",
                                                                   Feature::LRCPC2),
    insn<"11 011001 01 0 imm9:9 00 Rn:5 Rt:5", ordered<kLoad, 3>>("LDAPUR", "<Xd>, [<Xn|SP>, <s12:9>]",
                                                                  Feature::LRCPC2),

    insn<"11 111 0 00 M S 1 imm9:9 01 Rn:5 Rt:5", LDRA<kNone>>("LDRA<ab23>", "<Xd>, [<Xn|SP>, <ra>]",
                                                               Feature::PAuth),
    insn<"11 111 0 00 M S 1 imm9:9 11 Rn:5 Rt:5", LDRA<kPre>>("LDRA<ab23>", "<Xd>, [<Xn|SP>, <ra>]!",
                                                              Feature::PAuth),
};

}  // namespace

const Group kLoadsStores{"Load/store register", kRows, false};

}  // namespace sluice::cpu::a64
