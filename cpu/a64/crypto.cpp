// cpu/a64/crypto.cpp: Arm ARM, "Cryptographic AES", "Cryptographic two-, three- and four-register SHA",
// "Cryptographic three-register SHA 512", XAR and the SM3 and SM4 instructions.
#include "cpu/a64/groups.h"
#include "cpu/a64/simd_support.h"

namespace sluice::cpu::a64 {
namespace {

constexpr std::string_view k4S3 = "<Vd.4s>, <Vn.4s>, <Vm.4s>", k2D3 = "<Vd.2d>, <Vn.2d>, <Vm.2d>";

template <Op op>
void unary(Emitter& e, Reg Rn, Reg Rd) {
  e.V(Rd, vec(e, op, {e.V(Rn)}));
}
// V[d] is an operand too.
template <Op op>
void destructive(Emitter& e, Reg Rn, Reg Rd) {
  e.V(Rd, vec(e, op, {e.V(Rd), e.V(Rn)}));
}
template <Op op>
void destructive3(Emitter& e, Reg Rm, Reg Rn, Reg Rd) {
  e.V(Rd, vec(e, op, {e.V(Rd), e.V(Rn), e.V(Rm)}));
}
void EOR3(Emitter& e, Reg Rm, Reg Ra, Reg Rn, Reg Rd) {
  Value nm = vec(e, Op::VXor, {e.V(Rn), e.V(Rm)});
  e.V(Rd, vec(e, Op::VXor, {nm, e.V(Ra)}));
}
void BCAX(Emitter& e, Reg Rm, Reg Ra, Reg Rn, Reg Rd) {
  Value cleared = vec(e, Op::VAndNot, {e.V(Rm), e.V(Ra)});
  e.V(Rd, vec(e, Op::VXor, {e.V(Rn), cleared}));
}
void RAX1(Emitter& e, Reg Rm, Reg Rn, Reg Rd) { e.V(Rd, vec(e, Op::VRax1, {e.V(Rn), e.V(Rm)})); }
void XAR(Emitter& e, Reg Rm, Imm<6> imm6, Reg Rn, Reg Rd) {
  e.V(Rd, vec(e, Op::VXar, {e.V(Rn), e.V(Rm)}, 3, imm6));
}
void SM3SS1(Emitter& e, Reg Rm, Reg Ra, Reg Rn, Reg Rd) {
  e.V(Rd, vec(e, Op::VSm3Ss1, {e.V(Rn), e.V(Rm), e.V(Ra)}));
}
template <unsigned kind>
void SM3TT(Emitter& e, Reg Rm, Imm<2> imm2, Reg Rn, Reg Rd) {
  e.V(Rd, vec(e, Op::VSm3Tt, {e.V(Rd), e.V(Rn), e.V(Rm)}, 2, imm2, kind));
}
void SM4EKEY(Emitter& e, Reg Rm, Reg Rn, Reg Rd) { e.V(Rd, vec(e, Op::VSm4EKey, {e.V(Rn), e.V(Rm)})); }

// clang-format off
constexpr Insn kRows[] = {
    insn<"01001110 00 10100 00100 10 Rn:5 Rd:5", destructive<Op::VAesE>>(
        "AESE", "<Vd.16b>, <Vn.16b>", Feature::AES),
    insn<"01001110 00 10100 00101 10 Rn:5 Rd:5", destructive<Op::VAesD>>(
        "AESD", "<Vd.16b>, <Vn.16b>", Feature::AES),
    insn<"01001110 00 10100 00110 10 Rn:5 Rd:5", unary<Op::VAesMc>>(
        "AESMC", "<Vd.16b>, <Vn.16b>", Feature::AES),
    insn<"01001110 00 10100 00111 10 Rn:5 Rd:5", unary<Op::VAesImc>>(
        "AESIMC", "<Vd.16b>, <Vn.16b>", Feature::AES),
    insn<"01011110 000 Rm:5 0 000 00 Rn:5 Rd:5", destructive3<Op::VSha1C>>(
        "SHA1C", "<Ed.Q>, <En.S>, <Vm.4s>", Feature::SHA1),
    insn<"01011110 000 Rm:5 0 001 00 Rn:5 Rd:5", destructive3<Op::VSha1P>>(
        "SHA1P", "<Ed.Q>, <En.S>, <Vm.4s>", Feature::SHA1),
    insn<"01011110 000 Rm:5 0 010 00 Rn:5 Rd:5", destructive3<Op::VSha1M>>(
        "SHA1M", "<Ed.Q>, <En.S>, <Vm.4s>", Feature::SHA1),
    insn<"01011110 000 Rm:5 0 011 00 Rn:5 Rd:5", destructive3<Op::VSha1Su0>>("SHA1SU0", k4S3, Feature::SHA1),
    insn<"01011110 000 Rm:5 0 100 00 Rn:5 Rd:5", destructive3<Op::VSha256H>>(
        "SHA256H", "<Ed.Q>, <En.Q>, <Vm.4s>", Feature::SHA256),
    insn<"01011110 000 Rm:5 0 101 00 Rn:5 Rd:5", destructive3<Op::VSha256H2>>(
        "SHA256H2", "<Ed.Q>, <En.Q>, <Vm.4s>", Feature::SHA256),
    insn<"01011110 000 Rm:5 0 110 00 Rn:5 Rd:5", destructive3<Op::VSha256Su1>>(
        "SHA256SU1", k4S3, Feature::SHA256),
    insn<"01011110 00 10100 00000 10 Rn:5 Rd:5", unary<Op::VSha1H>>("SHA1H", "<Ed.S>, <En.S>", Feature::SHA1),
    insn<"01011110 00 10100 00001 10 Rn:5 Rd:5", destructive<Op::VSha1Su1>>(
        "SHA1SU1", "<Vd.4s>, <Vn.4s>", Feature::SHA1),
    insn<"01011110 00 10100 00010 10 Rn:5 Rd:5", destructive<Op::VSha256Su0>>(
        "SHA256SU0", "<Vd.4s>, <Vn.4s>", Feature::SHA256),
    insn<"11001110011 Rm:5 1000 00 Rn:5 Rd:5", destructive3<Op::VSha512H>>(
        "SHA512H", "<Ed.Q>, <En.Q>, <Vm.2d>", Feature::SHA512),
    insn<"11001110011 Rm:5 1000 01 Rn:5 Rd:5", destructive3<Op::VSha512H2>>(
        "SHA512H2", "<Ed.Q>, <En.Q>, <Vm.2d>", Feature::SHA512),
    insn<"11001110011 Rm:5 1000 10 Rn:5 Rd:5", destructive3<Op::VSha512Su1>>(
        "SHA512SU1", k2D3, Feature::SHA512),
    insn<"11001110110 00000 1000 00 Rn:5 Rd:5", destructive<Op::VSha512Su0>>(
        "SHA512SU0", "<Vd.2d>, <Vn.2d>", Feature::SHA512),
    insn<"11001110011 Rm:5 1000 11 Rn:5 Rd:5", RAX1>("RAX1", k2D3, Feature::SHA3),
    insn<"11001110 000 Rm:5 0 Ra:5 Rn:5 Rd:5", EOR3>(
        "EOR3", "<Vd.16b>, <Vn.16b>, <Vm.16b>, <Va.16b>", Feature::SHA3),
    insn<"11001110 001 Rm:5 0 Ra:5 Rn:5 Rd:5", BCAX>(
        "BCAX", "<Vd.16b>, <Vn.16b>, <Vm.16b>, <Va.16b>", Feature::SHA3),
    insn<"11001110 100 Rm:5 imm6:6 Rn:5 Rd:5", XAR>(
        "XAR", "<Vd.2d>, <Vn.2d>, <Vm.2d>, <u10:6>", Feature::SHA3),
    insn<"11001110 010 Rm:5 0 Ra:5 Rn:5 Rd:5", SM3SS1>(
        "SM3SS1", "<Vd.4s>, <Vn.4s>, <Vm.4s>, <Va.4s>", Feature::SM3),
    insn<"11001110010 Rm:5 10 imm2:2 00 Rn:5 Rd:5", SM3TT<0>>(
        "SM3TT1A", "<Vd.4s>, <Vn.4s>, <sm3>", Feature::SM3),
    insn<"11001110010 Rm:5 10 imm2:2 01 Rn:5 Rd:5", SM3TT<1>>(
        "SM3TT1B", "<Vd.4s>, <Vn.4s>, <sm3>", Feature::SM3),
    insn<"11001110010 Rm:5 10 imm2:2 10 Rn:5 Rd:5", SM3TT<2>>(
        "SM3TT2A", "<Vd.4s>, <Vn.4s>, <sm3>", Feature::SM3),
    insn<"11001110010 Rm:5 10 imm2:2 11 Rn:5 Rd:5", SM3TT<3>>(
        "SM3TT2B", "<Vd.4s>, <Vn.4s>, <sm3>", Feature::SM3),
    insn<"11001110011 Rm:5 1100 00 Rn:5 Rd:5", destructive3<Op::VSm3PartW1>>("SM3PARTW1", k4S3, Feature::SM3),
    insn<"11001110011 Rm:5 1100 01 Rn:5 Rd:5", destructive3<Op::VSm3PartW2>>("SM3PARTW2", k4S3, Feature::SM3),
    insn<"11001110110 00000 1000 01 Rn:5 Rd:5", destructive<Op::VSm4E>>(
        "SM4E", "<Vd.4s>, <Vn.4s>", Feature::SM4),
    insn<"11001110011 Rm:5 1100 10 Rn:5 Rd:5", SM4EKEY>("SM4EKEY", k4S3, Feature::SM4),
};
// clang-format on

}  // namespace

const Group kCryptographic{"Cryptographic instructions", kRows, true};

}  // namespace sluice::cpu::a64
