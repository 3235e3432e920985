// Special-purpose and thread registers: Arm DDI 0487, "Special-purpose registers" (op0 3, CRn 4) and TPIDR*.
#include "cpu/pstate.h"
#include "cpu/sysreg/fp_control.h"
#include "cpu/sysreg/rows.h"

namespace sluice::cpu::sysreg {
namespace {

void write_daif(Pe& pe, const Row&, u64 value) {
  PeState& s = pe.state();
  s.daif = u8(extract(value, spsr::kF, 4));
  pe.pstate_changed();
}
u64 read_daif(Pe& pe, const Row&) { return u64(pe.state().daif) << spsr::kF; }

u64 read_nzcv(Pe& pe, const Row&) { return u64(pe.state().nzcv.nzcv()) << spsr::kNzcv; }
void write_nzcv(Pe& pe, const Row&, u64 value) {
  pe.state().nzcv = tcg::Flags::from_nzcv(u32(extract(value, spsr::kNzcv, 4)));
}

u64 read_current_el(Pe& pe, const Row&) { return u64(pe.state().el) << 2; }

u64 read_spsel(Pe& pe, const Row&) { return pe.state().sp_sel; }
void write_spsel(Pe& pe, const Row&, u64 value) {
  select_sp(pe.state(), pe.state().el, value & 1);
  pe.pstate_changed();
}

u64 read_pan(Pe& pe, const Row&) { return u64(pe.state().pan) << spsr::kPan; }
void write_pan(Pe& pe, const Row&, u64 value) {
  pe.state().pan = bit(value, spsr::kPan);
  pe.pstate_changed();
}
u64 read_uao(Pe& pe, const Row&) { return u64(pe.state().uao) << spsr::kUao; }
void write_uao(Pe& pe, const Row&, u64 value) {
  pe.state().uao = bit(value, spsr::kUao);
  pe.pstate_changed();
}
u64 read_dit(Pe& pe, const Row&) { return u64(pe.state().dit) << spsr::kDit; }
void write_dit(Pe& pe, const Row&, u64 value) { pe.state().dit = bit(value, spsr::kDit); }
u64 read_ssbs(Pe& pe, const Row&) { return u64(pe.state().ssbs) << spsr::kSsbs; }
void write_ssbs(Pe& pe, const Row&, u64 value) { pe.state().ssbs = bit(value, spsr::kSsbs); }

u64 read_sp_el0(Pe& pe, const Row&) { return banked_sp(pe.state(), 0); }
void write_sp_el0(Pe& pe, const Row&, u64 value) { set_banked_sp(pe.state(), 0, value); }

// FPCR: AHP, DN, FZ, RMode, and FZ16 with FEAT_FP16. Trapped FP exceptions are not implemented: their enables
// are RES0.
u64 read_fpcr(Pe& pe, const Row&) { return pe.state().fpcr; }
void write_fpcr(Pe& pe, const Row&, u64 value) {
  u32 writable = 0x07c00000 | (pe.model().features.has(Feature::FP16) ? 1u << 19 : 0);
  u32 after = u32(value) & writable;
  if (after == pe.state().fpcr) return;
  pe.state().fpcr = after;
  fp_control_changed(pe.state());
  pe.pstate_changed();
}

// FPSR: QC and the cumulative exception bits. NZCV belong to AArch32.
constexpr u32 kFpsrBits = 0x0800009f;
u64 read_fpsr(Pe& pe, const Row&) { return fp_status(pe.state()) & kFpsrBits; }
void write_fpsr(Pe& pe, const Row&, u64 value) { set_fp_status(pe.state(), u32(value) & kFpsrBits); }

constexpr size_t kElr = offsetof(PeState, elr_el) + 8, kSpsr = offsetof(PeState, spsr_el) + 8;
constexpr size_t kTpidrEl0 = offsetof(PeState, tpidr_el), kTpidrEl1 = kTpidrEl0 + 8;

constexpr Row kRows[] = {
    in_state("SPSR_EL1", {3, 0, 4, 0, 0}, kEl1RW, kSpsr),
    in_state("ELR_EL1", {3, 0, 4, 0, 1}, kEl1RW, kElr),
    with(hook("SP_EL0", {3, 0, 4, 1, 0}, kEl1RW, read_sp_el0, write_sp_el0), Trap::SpEl0),
    ending_block(hook("SPSel", {3, 0, 4, 2, 0}, kEl1RW, read_spsel, write_spsel)),
    hook("CurrentEL", {3, 0, 4, 2, 2}, kEl1RO, read_current_el, nullptr),
    with(ending_block(hook("PAN", {3, 0, 4, 2, 3}, kEl1RW, read_pan, write_pan)), Feature::PAN),
    with(ending_block(hook("UAO", {3, 0, 4, 2, 4}, kEl1RW, read_uao, write_uao)), Feature::UAO),
    hook("NZCV", {3, 3, 4, 2, 0}, kEl0RW, read_nzcv, write_nzcv),
    with(ending_block(hook("DAIF", {3, 3, 4, 2, 1}, kEl0RW, read_daif, write_daif)), Trap::Uma),
    with(hook("DIT", {3, 3, 4, 2, 5}, kEl0RW, read_dit, write_dit), Feature::DIT),
    with(hook("SSBS", {3, 3, 4, 2, 6}, kEl0RW, read_ssbs, write_ssbs), Feature::SSBS2),
    with(ending_block(hook("FPCR", {3, 3, 4, 4, 0}, kEl0RW, read_fpcr, write_fpcr)), Trap::Fp),
    with(hook("FPSR", {3, 3, 4, 4, 1}, kEl0RW, read_fpsr, write_fpsr), Trap::Fp),
    in_state("TPIDR_EL0", {3, 3, 13, 0, 2}, kEl0RW, kTpidrEl0),
    in_state("TPIDRRO_EL0", {3, 3, 13, 0, 3}, kEl0ROEl1RW, offsetof(PeState, tpidrro_el0)),
    in_state("TPIDR_EL1", {3, 0, 13, 0, 4}, kEl1RW, kTpidrEl1),
};

}  // namespace

std::span<const Row> special_rows() { return kRows; }

}  // namespace sluice::cpu::sysreg
