// Arm DDI 0487: the pointer authentication instructions that are not branches or loads (FEAT_PAuth). The
// hints are NOPs without the feature: then their rows are absent and the general hint row takes them.
#include "cpu/a64/groups.h"
#include "cpu/a64/pointer_authentication.h"
#include "cpu/emit.h"

namespace sluice::cpu::a64 {
namespace {

using pauth::KeyName;

// PACIA, PACIB, PACDA, PACDB and AUTIA, ...: the key is in bits 11:10, Xn|SP is the modifier.
void PAC(Emitter& e, Imm<2> key, Reg Rn, Reg Rd) {
  e.X(Rd, add_pac(e, KeyName(u32(key)), e.X(Rd), e.XSP(true, Rn)));
}
void AUT(Emitter& e, Imm<2> key, Reg Rn, Reg Rd) {
  e.X(Rd, authenticate(e, KeyName(u32(key)), e.X(Rd), e.XSP(true, Rn)));
}
void PACZ(Emitter& e, Imm<2> key, Reg Rd) { e.X(Rd, add_pac(e, KeyName(u32(key)), e.X(Rd), e.ir.i64(0))); }
void AUTZ(Emitter& e, Imm<2> key, Reg Rd) {
  e.X(Rd, authenticate(e, KeyName(u32(key)), e.X(Rd), e.ir.i64(0)));
}
Value strip(Emitter& e, Value pointer, KeyName key) {
  return e.ir.call(pauth::kStrip, {pointer, e.ir.i64(pauth::operand_of(e.mode, e.features, key).pack())});
}
void XPAC(Emitter& e, bool D, Reg Rd) { e.X(Rd, strip(e, e.X(Rd), D ? KeyName::DA : KeyName::IA)); }
void PACGA(Emitter& e, Reg Rm, Reg Rn, Reg Rd) {
  e.authenticates = true;
  e.X(Rd,
      e.ir.call(pauth::kGenericPac, {e.X(Rn), e.XSP(true, Rm),
                                     e.ir.i64(pauth::operand_of(e.mode, e.features, KeyName::GA).pack())}));
}

// The hint forms: which register, and which modifier.
enum class Form : u8 { X17WithX16, LinkWithZero, LinkWithSp };
template <Form F, bool Authenticate>
void hint(Emitter& e, bool key_b) {
  constexpr Reg pointer{F == Form::X17WithX16 ? u8{17} : u8{30}};
  KeyName key = key_b ? KeyName::IB : KeyName::IA;
  if (!key_enabled(e, key)) return;
  Value modifier = F == Form::X17WithX16   ? e.X(Reg{16})
                   : F == Form::LinkWithSp ? e.XSP(true, Reg{31})
                                           : e.ir.i64(0);
  e.X(pointer, (Authenticate ? authenticate : add_pac)(e, key, e.X(pointer), modifier));
}
void XPACLRI(Emitter& e) { e.X(Reg{30}, strip(e, e.X(Reg{30}), KeyName::IA)); }

constexpr Insn kRows[] = {
    insn<"1 10 11010110 00001 0000 key:2 Rn:5 Rd:5", PAC>("PAC<key10>", "<Xd>, <Xn|SP>", Feature::PAuth),
    insn<"1 10 11010110 00001 0001 key:2 Rn:5 Rd:5", AUT>("AUT<key10>", "<Xd>, <Xn|SP>", Feature::PAuth),
    insn<"1 10 11010110 00001 0010 key:2 11111 Rd:5", PACZ>("PAC<zkey10>", "<Xd>", Feature::PAuth),
    insn<"1 10 11010110 00001 0011 key:2 11111 Rd:5", AUTZ>("AUT<zkey10>", "<Xd>", Feature::PAuth),
    insn<"1 10 11010110 00001 01000 D 11111 Rd:5", XPAC>("XPAC<id10>", "<Xd>", Feature::PAuth),
    insn<"1 00 11010110 Rm:5 001100 Rn:5 Rd:5", PACGA>("PACGA", "<Xd>, <Xn>, <Xm|SP>", Feature::PAuth),
    insn<"1101010100 0 00 011 0010 0000 111 11111", XPACLRI>("XPACLRI", "", Feature::PAuth),
    insn<"1101010100 0 00 011 0010 0001 0 B 0 11111", hint<Form::X17WithX16, false>>("PACI<ab6>1716", "",
                                                                                     Feature::PAuth),
    insn<"1101010100 0 00 011 0010 0001 1 B 0 11111", hint<Form::X17WithX16, true>>("AUTI<ab6>1716", "",
                                                                                    Feature::PAuth),
    insn<"1101010100 0 00 011 0010 0011 0 B 0 11111", hint<Form::LinkWithZero, false>>("PACI<ab6>Z", "",
                                                                                       Feature::PAuth),
    insn<"1101010100 0 00 011 0010 0011 0 B 1 11111", hint<Form::LinkWithSp, false>>("PACI<ab6>SP", "",
                                                                                     Feature::PAuth),
    insn<"1101010100 0 00 011 0010 0011 1 B 0 11111", hint<Form::LinkWithZero, true>>("AUTI<ab6>Z", "",
                                                                                      Feature::PAuth),
    insn<"1101010100 0 00 011 0010 0011 1 B 1 11111", hint<Form::LinkWithSp, true>>("AUTI<ab6>SP", "",
                                                                                    Feature::PAuth),
};

}  // namespace

const Group kPointerAuthentication{"Pointer authentication", kRows, false};

}  // namespace sluice::cpu::a64
