// Identification registers: Arm DDI 0487, "ID registers"; op0 3, CRn 0.
#include "cpu/sysreg/rows.h"

namespace sluice::cpu::sysreg {
namespace {

u64 midr(Pe& pe, const Row&) { return pe.model().midr; }
u64 mpidr(Pe& pe, const Row&) { return pe.mpidr(); }
u64 revidr(Pe& pe, const Row&) { return pe.model().revidr; }
u64 ctr(Pe& pe, const Row&) { return pe.model().ctr; }
u64 clidr(Pe& pe, const Row&) { return pe.model().clidr; }

// CSSELR_EL1 selects: 0 = L1 data, 1 = L1 instruction, 2 = L2.
u64 ccsidr(Pe& pe, const Row&) {
  u64 select = pe.state().sysregs[Slot::CSSELR_EL1] & 15;
  return select < 3 ? pe.model().ccsidr[select] : 0;
}

// DCZID_EL0.DZP tells whether DC ZVA is prohibited here: at EL0, by SCTLR_EL1.DZE.
u64 dczid(Pe& pe, const Row&) {
  bool prohibited = pe.state().el == 0 && !bit(pe.state().sysregs[Slot::SCTLR_EL1], 14);
  return kDczBlockSize | u64(prohibited) << 4;
}

template <u64 IdRegisters::*Member>
u64 id(Pe& pe, const Row&) {
  return pe.id().*Member;
}

constexpr Row kRows[] = {
    constant("MIDR_EL1", {3, 0, 0, 0, 0}, kEl1RO, midr),
    constant("MPIDR_EL1", {3, 0, 0, 0, 5}, kEl1RO, mpidr),
    constant("REVIDR_EL1", {3, 0, 0, 0, 6}, kEl1RO, revidr),
    constant("ID_AA64PFR0_EL1", {3, 0, 0, 4, 0}, kEl1RO, id<&IdRegisters::pfr0>),
    constant("ID_AA64PFR1_EL1", {3, 0, 0, 4, 1}, kEl1RO, id<&IdRegisters::pfr1>),
    constant("ID_AA64DFR0_EL1", {3, 0, 0, 5, 0}, kEl1RO, id<&IdRegisters::dfr0>),
    constant("ID_AA64DFR1_EL1", {3, 0, 0, 5, 1}, kEl1RO, id<&IdRegisters::dfr1>),
    constant("ID_AA64AFR0_EL1", {3, 0, 0, 5, 4}, kEl1RO, id<&IdRegisters::afr0>),
    constant("ID_AA64AFR1_EL1", {3, 0, 0, 5, 5}, kEl1RO, id<&IdRegisters::afr1>),
    constant("ID_AA64ISAR0_EL1", {3, 0, 0, 6, 0}, kEl1RO, id<&IdRegisters::isar0>),
    constant("ID_AA64ISAR1_EL1", {3, 0, 0, 6, 1}, kEl1RO, id<&IdRegisters::isar1>),
    constant("ID_AA64ISAR2_EL1", {3, 0, 0, 6, 2}, kEl1RO, id<&IdRegisters::isar2>),
    constant("ID_AA64MMFR0_EL1", {3, 0, 0, 7, 0}, kEl1RO, id<&IdRegisters::mmfr0>),
    constant("ID_AA64MMFR1_EL1", {3, 0, 0, 7, 1}, kEl1RO, id<&IdRegisters::mmfr1>),
    constant("ID_AA64MMFR2_EL1", {3, 0, 0, 7, 2}, kEl1RO, id<&IdRegisters::mmfr2>),
    hook("CCSIDR_EL1", {3, 1, 0, 0, 0}, kEl1RO, ccsidr, nullptr),
    constant("CLIDR_EL1", {3, 1, 0, 0, 1}, kEl1RO, clidr),
    constant("AIDR_EL1", {3, 1, 0, 0, 7}, kEl1RO, read_zero),
    stored("CSSELR_EL1", {3, 2, 0, 0, 0}, kEl1RW, Slot::CSSELR_EL1, 0xf),
    with(constant("CTR_EL0", {3, 3, 0, 0, 1}, kEl0RO, ctr), Trap::Uct),
    hook("DCZID_EL0", {3, 3, 0, 0, 7}, kEl0RO, dczid, nullptr),
};

}  // namespace

std::span<const Row> identification_rows() { return kRows; }

}  // namespace sluice::cpu::sysreg
