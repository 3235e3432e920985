// Registers that control translation, traps and exceptions at EL1: Arm DDI 0487, "General system control
// registers".
#include "cpu/sysreg/rows.h"

namespace sluice::cpu::sysreg {
namespace {

// SCTLR_EL1: the bits of features that this PE lacks are RES0, and those without a writable meaning RES1.
constexpr u64 kSctlrBase = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 |  // M A C SA SA0
                           1 << 9 | 1 << 12 | 1 << 14 | 1 << 15 | 1 << 16 | 1 << 18 | 1 << 19 | 1 << 24 |
                           1 << 25 | 1 << 26;  // UMA I DZE UCT nTWI nTWE WXN E0E EE UCI
constexpr u64 kSpan = 1 << 23, kLsmaoe = 1 << 29, kNtlsmd = 1 << 28, kEis = 1 << 22, kEos = 1 << 11,
              kTscxt = 1 << 20, kItd = 1 << 7, kSed = 1 << 8;
// RES1 while AArch32, LSMAOC, ExS and CSV2_2 are absent. Bits 7 and 8 concern AArch32 at EL0: RES1.
constexpr u64 kSctlrRes1 = kLsmaoe | kNtlsmd | kEis | kEos | kTscxt | kItd | kSed;

u64 sctlr_writable(const CpuModel& model) {
  u64 bits = kSctlrBase;
  if (model.features.has(Feature::PAN)) bits |= kSpan;
  if (model.features.has(Feature::PAuth)) bits |= u64{1} << 31 | u64{1} << 30 | u64{1} << 27 | u64{1} << 13;
  if (model.features.has(Feature::BTI)) bits |= u64{3} << 35;
  if (model.features.has(Feature::SSBS)) bits |= u64{1} << 44;
  return bits;
}

void write_sctlr(Pe& pe, const Row& row, u64 value) {
  u64 writable = sctlr_writable(pe.model());
  u64 res1 = kSctlrRes1 | (pe.model().features.has(Feature::PAN) ? 0 : kSpan);
  u64& sctlr = location(pe, row);
  u64 after = (value & writable) | res1;
  if (after == sctlr) return;
  sctlr = after;
  pe.context_changed();
}

// TCR_EL1: bits of absent features are RES0.
void write_tcr(Pe& pe, const Row& row, u64 value) {
  const FeatureSet& f = pe.model().features;
  u64 writable = 0x00000000ffffffbf | u64{7} << 32 | u64{1} << 36 | u64{3} << 37;  // IPS AS TBI
  if (f.has(Feature::HAFDBS)) writable |= u64{3} << 39;
  if (f.has(Feature::HPDS)) writable |= u64{3} << 41;
  if (f.has(Feature::PAuth)) writable |= u64{3} << 51;
  if (f.has(Feature::E0PD)) writable |= u64{3} << 55;
  u64& tcr = location(pe, row);
  if ((value & writable) == tcr) return;
  tcr = value & writable;
  pe.context_changed();
}

// TTBRn_EL1: ASID, BADDR, and CnP where implemented.
void write_ttbr(Pe& pe, const Row& row, u64 value) {
  if (!pe.model().features.has(Feature::TTCNP)) value &= ~u64{1};
  location(pe, row) = value;
  pe.table_bases_changed();
}

void write_mair(Pe& pe, const Row& row, u64 value) {
  if (location(pe, row) == value) return;
  location(pe, row) = value;
  pe.context_changed();
}

void write_and_update(Pe& pe, const Row& row, u64 value) {
  store(pe, row, value);
  pe.context_changed();
}

// ISR_EL1: A at bit 8, I at 7, F at 6, whatever PSTATE masks.
u64 read_isr(Pe& pe, const Row&) {
  return u64(pe.serror_pending()) << 8 | u64(pe.irq_level()) << 7 | u64(pe.fiq_level()) << 6;
}

constexpr u64 kCpacr = u64{3} << 20;  // FPEN; there is no trace unit for TTA
constexpr u64 kVbar = ~u64{0x7ff};
constexpr u64 kLor = 0;

u64 read_rvbar(Pe&, const Row&) { return 0; }
// Only of the highest EL.
bool is_highest_el(const CpuModel& model, const Row&) { return !model.features.has(Feature::EL3); }

constexpr Row kRows[] = {
    stored_then("SCTLR_EL1", {3, 0, 1, 0, 0}, kEl1RW, Slot::SCTLR_EL1, ~u64{0}, kSctlrRes1 | kSpan,
                write_sctlr),
    hook("ACTLR_EL1", {3, 0, 1, 0, 1}, kEl1RW, read_zero, ignore_write),
    stored_then("CPACR_EL1", {3, 0, 1, 0, 2}, kEl1RW, Slot::CPACR_EL1, kCpacr, 0, write_and_update),
    stored_then("TTBR0_EL1", {3, 0, 2, 0, 0}, kEl1RW, Slot::TTBR0_EL1, ~u64{0}, 0, write_ttbr),
    stored_then("TTBR1_EL1", {3, 0, 2, 0, 1}, kEl1RW, Slot::TTBR1_EL1, ~u64{0}, 0, write_ttbr),
    stored_then("TCR_EL1", {3, 0, 2, 0, 2}, kEl1RW, Slot::TCR_EL1, ~u64{0}, 0, write_tcr),
    stored("AFSR0_EL1", {3, 0, 5, 1, 0}, kEl1RW, Slot::AFSR0_EL1, 0),
    stored("AFSR1_EL1", {3, 0, 5, 1, 1}, kEl1RW, Slot::AFSR1_EL1, 0),
    stored("ESR_EL1", {3, 0, 5, 2, 0}, kEl1RW, Slot::ESR_EL1, ones(37)),
    stored("FAR_EL1", {3, 0, 6, 0, 0}, kEl1RW, Slot::FAR_EL1),
    stored("PAR_EL1", {3, 0, 7, 4, 0}, kEl1RW, Slot::PAR_EL1),
    stored_then("MAIR_EL1", {3, 0, 10, 2, 0}, kEl1RW, Slot::MAIR_EL1, ~u64{0}, 0, write_mair),
    stored("AMAIR_EL1", {3, 0, 10, 3, 0}, kEl1RW, Slot::AMAIR_EL1, 0),
    with(stored("LORSA_EL1", {3, 0, 10, 4, 0}, kEl1RW, Slot::LORSA_EL1, kLor), Feature::LOR),
    with(stored("LOREA_EL1", {3, 0, 10, 4, 1}, kEl1RW, Slot::LOREA_EL1, kLor), Feature::LOR),
    with(stored("LORN_EL1", {3, 0, 10, 4, 2}, kEl1RW, Slot::LORN_EL1, kLor), Feature::LOR),
    with(stored("LORC_EL1", {3, 0, 10, 4, 3}, kEl1RW, Slot::LORC_EL1, kLor), Feature::LOR),
    with(constant("LORID_EL1", {3, 0, 10, 4, 7}, kEl1RO, read_zero), Feature::LOR),
    stored("VBAR_EL1", {3, 0, 12, 0, 0}, kEl1RW, Slot::VBAR_EL1, kVbar),
    only_if(constant("RVBAR_EL1", {3, 0, 12, 0, 1}, kEl1RO, read_rvbar), is_highest_el),
    hook("ISR_EL1", {3, 0, 12, 1, 0}, kEl1RO, read_isr, nullptr),
    stored_then("CONTEXTIDR_EL1", {3, 0, 13, 0, 1}, kEl1RW, Slot::CONTEXTIDR_EL1, ones(32), 0,
                write_and_update),
};

}  // namespace

std::span<const Row> control_rows() { return kRows; }

}  // namespace sluice::cpu::sysreg
