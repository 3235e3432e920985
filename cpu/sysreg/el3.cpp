// Registers of EL3 (Arm DDI 0487, chapter D19), and those of EL2 as EL3 sees them while there is no EL2.
#include <array>

#include "cpu/sysreg/rows.h"

namespace sluice::cpu::sysreg {
namespace {

constexpr u64 kScr =
    scr::kNs | scr::kIrq | scr::kFiq | scr::kEa | scr::kSmd | scr::kSif | scr::kSt | scr::kTwi | scr::kTwe;
// RW is RAO/WI: no EL is AArch32. HCE belongs to EL2.
constexpr u64 kScrReset = scr::kRes1 | scr::kRw;

void write_scr(Pe& pe, const Row& row, u64 value) {
  const FeatureSet& f = pe.model().features;
  u64 writable =
      kScr | (f.has(Feature::LOR) ? scr::kTlor : 0) | (f.has(Feature::PAuth) ? scr::kApk | scr::kApi : 0);
  location(pe, row) = (value & writable) | kScrReset;
  pe.el_changed();
  pe.context_changed();
}

// SCTLR_EL3: M A C SA I WXN EE, and what the features add.
constexpr u64 kSctlrBase = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 12 | 1 << 19 | 1 << 25;
constexpr u64 kSctlrRes1 = u64{3} << 4 | 1 << 11 | 1 << 16 | 1 << 18 | 1 << 22 | 1 << 23 | u64{3} << 28;

void write_sctlr(Pe& pe, const Row& row, u64 value) {
  const FeatureSet& f = pe.model().features;
  u64 writable = kSctlrBase;
  if (f.has(Feature::PAuth)) writable |= u64{1} << 31 | u64{1} << 30 | u64{1} << 27 | u64{1} << 13;
  if (f.has(Feature::BTI)) writable |= u64{1} << 36;
  if (f.has(Feature::SSBS)) writable |= u64{1} << 44;
  location(pe, row) = (value & writable) | kSctlrRes1;
  pe.context_changed();
}

// TCR_EL3: T0SZ IRGN0 ORGN0 SH0 TG0 PS TBI, then by feature HA HD, HPD, TBID. Bits 31 and 23 are RES1.
constexpr u64 kTcrRes1 = u64{1} << 31 | 1 << 23;
void write_tcr(Pe& pe, const Row& row, u64 value) {
  const FeatureSet& f = pe.model().features;
  u64 writable = 0xff3f | 7 << 16 | 1 << 20;
  if (f.has(Feature::HAFDBS)) writable |= 3 << 21;
  if (f.has(Feature::HPDS)) writable |= 1 << 24;
  if (f.has(Feature::PAuth)) writable |= 1 << 29;
  location(pe, row) = (value & writable) | kTcrRes1;
  pe.context_changed();
}

void write_ttbr(Pe& pe, const Row& row, u64 value) {
  u64 writable = ones(48) & ~u64{pe.model().features.has(Feature::TTCNP) ? 0u : 1u};
  location(pe, row) = value & writable;
  pe.context_changed();
}

void write_and_update(Pe& pe, const Row& row, u64 value) {
  store(pe, row, value);
  pe.context_changed();
}

// MDCR_EL3.SPME decides what is counted.
void write_mdcr(Pe& pe, const Row& row, u64 value) {
  store(pe, row, value);
  pe.el_changed();
  pe.context_changed();
}

u64 read_rvbar(Pe& pe, const Row&) { return pe.reset_vector(); }
u64 read_midr(Pe& pe, const Row&) { return pe.model().midr; }
u64 read_mpidr(Pe& pe, const Row&) { return pe.mpidr(); }

constexpr u64 kVbar = ~u64{0x7ff};
constexpr u64 kMdcr = mdcr3::kTpm | mdcr3::kTda | mdcr3::kTdosa | mdcr3::kSdd | mdcr3::kSpme;
constexpr size_t at_el(size_t offset, unsigned el) { return offset + el * 8; }

// RES0 from EL3 while there is no EL2.
constexpr Row no_el2(std::string_view name, SysregId id) {
  return hook(name, id, kEl3RW, read_zero, ignore_write);
}

constexpr Row kRows[] = {
    stored_then("SCR_EL3", {3, 6, 1, 1, 0}, kEl3RW, Slot::SCR_EL3, ~u64{0}, kScrReset, write_scr),
    stored_then("SCTLR_EL3", {3, 6, 1, 0, 0}, kEl3RW, Slot::SCTLR_EL3, ~u64{0}, kSctlrRes1, write_sctlr),
    hook("ACTLR_EL3", {3, 6, 1, 0, 1}, kEl3RW, read_zero, ignore_write),
    stored_then("CPTR_EL3", {3, 6, 1, 1, 2}, kEl3RW, Slot::CPTR_EL3, cptr3::kTfp | cptr3::kTcpac, 0,
                write_and_update),
    stored_then("MDCR_EL3", {3, 6, 1, 3, 1}, kEl3RW, Slot::MDCR_EL3, kMdcr, 0, write_mdcr),
    stored_then("TTBR0_EL3", {3, 6, 2, 0, 0}, kEl3RW, Slot::TTBR0_EL3, ~u64{0}, 0, write_ttbr),
    stored_then("TCR_EL3", {3, 6, 2, 0, 2}, kEl3RW, Slot::TCR_EL3, ~u64{0}, kTcrRes1, write_tcr),
    in_state("SPSR_EL3", {3, 6, 4, 0, 0}, kEl3RW, at_el(offsetof(PeState, spsr_el), 3)),
    in_state("ELR_EL3", {3, 6, 4, 0, 1}, kEl3RW, at_el(offsetof(PeState, elr_el), 3)),
    in_state("SP_EL1", {3, 4, 4, 1, 0}, kEl2RW, at_el(offsetof(PeState, sp_el), 1)),
    hook("AFSR0_EL3", {3, 6, 5, 1, 0}, kEl3RW, read_zero, ignore_write),
    hook("AFSR1_EL3", {3, 6, 5, 1, 1}, kEl3RW, read_zero, ignore_write),
    stored("ESR_EL3", {3, 6, 5, 2, 0}, kEl3RW, Slot::ESR_EL3, ones(37)),
    stored("FAR_EL3", {3, 6, 6, 0, 0}, kEl3RW, Slot::FAR_EL3),
    stored_then("MAIR_EL3", {3, 6, 10, 2, 0}, kEl3RW, Slot::MAIR_EL3, ~u64{0}, 0, write_and_update),
    hook("AMAIR_EL3", {3, 6, 10, 3, 0}, kEl3RW, read_zero, ignore_write),
    stored("VBAR_EL3", {3, 6, 12, 0, 0}, kEl3RW, Slot::VBAR_EL3, kVbar),
    constant("RVBAR_EL3", {3, 6, 12, 0, 1}, kEl3RO, read_rvbar),
    in_state("TPIDR_EL3", {3, 6, 13, 0, 2}, kEl3RW, at_el(offsetof(PeState, tpidr_el), 3)),

    hook("VPIDR_EL2", {3, 4, 0, 0, 0}, kEl3RW, read_midr, ignore_write),
    hook("VMPIDR_EL2", {3, 4, 0, 0, 5}, kEl3RW, read_mpidr, ignore_write),
    no_el2("SCTLR_EL2", {3, 4, 1, 0, 0}),
    no_el2("ACTLR_EL2", {3, 4, 1, 0, 1}),
    no_el2("HCR_EL2", {3, 4, 1, 1, 0}),
    no_el2("MDCR_EL2", {3, 4, 1, 1, 1}),
    no_el2("CPTR_EL2", {3, 4, 1, 1, 2}),
    no_el2("HSTR_EL2", {3, 4, 1, 1, 3}),
    no_el2("HACR_EL2", {3, 4, 1, 1, 7}),
    no_el2("TTBR0_EL2", {3, 4, 2, 0, 0}),
    no_el2("TCR_EL2", {3, 4, 2, 0, 2}),
    no_el2("VTTBR_EL2", {3, 4, 2, 1, 0}),
    no_el2("VTCR_EL2", {3, 4, 2, 1, 2}),
    no_el2("SPSR_EL2", {3, 4, 4, 0, 0}),
    no_el2("ELR_EL2", {3, 4, 4, 0, 1}),
    no_el2("SP_EL2", {3, 6, 4, 1, 0}),
    no_el2("AFSR0_EL2", {3, 4, 5, 1, 0}),
    no_el2("AFSR1_EL2", {3, 4, 5, 1, 1}),
    no_el2("ESR_EL2", {3, 4, 5, 2, 0}),
    no_el2("FAR_EL2", {3, 4, 6, 0, 0}),
    no_el2("HPFAR_EL2", {3, 4, 6, 0, 4}),
    no_el2("MAIR_EL2", {3, 4, 10, 2, 0}),
    no_el2("AMAIR_EL2", {3, 4, 10, 3, 0}),
    no_el2("VBAR_EL2", {3, 4, 12, 0, 0}),
    no_el2("TPIDR_EL2", {3, 4, 13, 0, 2}),
    no_el2("CNTVOFF_EL2", {3, 4, 14, 0, 3}),
    no_el2("CNTHCTL_EL2", {3, 4, 14, 1, 0}),
    no_el2("CNTHP_TVAL_EL2", {3, 4, 14, 2, 0}),
    no_el2("CNTHP_CTL_EL2", {3, 4, 14, 2, 1}),
    no_el2("CNTHP_CVAL_EL2", {3, 4, 14, 2, 2}),
};

constexpr auto kOfEl3 = [] {
  std::array<Row, std::size(kRows)> rows{};
  for (size_t i = 0; i < rows.size(); i++) rows[i] = with(kRows[i], Feature::EL3);
  return rows;
}();

}  // namespace

std::span<const Row> el3_rows() { return kOfEl3; }

}  // namespace sluice::cpu::sysreg
