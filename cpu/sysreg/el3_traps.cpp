#include "cpu/sysreg/el3_traps.h"

#include "cpu/pe.h"

namespace sluice::cpu::sysreg {
namespace {

// Encodings from `first` to `last`; the first row that contains one says what traps it.
struct Range {
  SysregId first, last;
  El3Trap trap;
};
constexpr SysregId kHighest(3, 7, 15, 15, 7);

constexpr Range kRanges[] = {
    {{2, 0, 1, 0, 4}, {2, 0, 1, 4, 4}, El3Trap::OsLock},  // OSLAR, OSLSR, OSDLR, DBGPRCR
    {{2, 0, 0, 0, 0}, {2, 7, 15, 15, 7}, El3Trap::Debug},
    {{3, 0, 1, 0, 2}, {3, 0, 1, 0, 2}, El3Trap::CpacrAccess},
    {{3, 0, 2, 1, 0}, {3, 0, 2, 3, 1}, El3Trap::PacKeys},
    {{3, 0, 4, 6, 0}, {3, 0, 4, 6, 0}, El3Trap::IccCommon},  // ICC_PMR_EL1
    {{3, 0, 9, 14, 1}, {3, 0, 9, 14, 2}, El3Trap::Pmu},      // PMINTENSET_EL1, PMINTENCLR_EL1
    {{3, 0, 10, 4, 0}, {3, 0, 10, 4, 7}, El3Trap::LoRegions},
    {{3, 0, 12, 8, 0}, {3, 0, 12, 8, 7}, El3Trap::IccGroup0},    // ICC_IAR0 .. ICC_AP0R3
    {{3, 0, 12, 9, 0}, {3, 0, 12, 9, 3}, El3Trap::IccGroup1},    // ICC_AP1R<n>
    {{3, 0, 12, 11, 1}, {3, 0, 12, 11, 7}, El3Trap::IccCommon},  // ICC_DIR, ICC_RPR, ICC_SGI<x>R
    {{3, 0, 12, 12, 0}, {3, 0, 12, 12, 3}, El3Trap::IccGroup1},  // ICC_IAR1 .. ICC_BPR1
    {{3, 0, 12, 12, 4}, {3, 0, 12, 12, 4}, El3Trap::IccCommon},  // ICC_CTLR
    {{3, 0, 12, 12, 6}, {3, 0, 12, 12, 6}, El3Trap::IccGroup0},  // ICC_IGRPEN0
    {{3, 0, 12, 12, 7}, {3, 0, 12, 12, 7}, El3Trap::IccGroup1},  // ICC_IGRPEN1
    {{3, 3, 9, 12, 0}, {3, 3, 9, 14, 7}, El3Trap::Pmu},
    {{3, 3, 14, 8, 0}, {3, 3, 14, 15, 7}, El3Trap::Pmu},
    {kHighest, kHighest, El3Trap::None},
};

}  // namespace

El3Trap el3_trap_of(SysregId id) {
  for (const Range& r : kRanges)
    if (id >= r.first && id <= r.last) return r.trap;
  return El3Trap::None;
}

bool trapped_to_el3(const Pe& pe, El3Trap trap) {
  if (trap == El3Trap::None || !pe.has_el3()) return false;
  const SysregFile& r = pe.state().sysregs;
  u64 scr = pe.scr(), mdcr = r[Slot::MDCR_EL3];
  switch (trap) {
    case El3Trap::None: return false;
    case El3Trap::CpacrAccess: return r[Slot::CPTR_EL3] & cptr3::kTcpac;
    case El3Trap::Debug: return mdcr & mdcr3::kTda;
    case El3Trap::OsLock: return mdcr & mdcr3::kTdosa;
    case El3Trap::Pmu: return mdcr & mdcr3::kTpm;
    case El3Trap::PacKeys: return !(scr & scr::kApk);
    case El3Trap::LoRegions: return scr & scr::kTlor;
    case El3Trap::IccGroup0: return scr & scr::kFiq;
    case El3Trap::IccGroup1: return scr & scr::kIrq;
    case El3Trap::IccCommon: return (scr & (scr::kIrq | scr::kFiq)) == (scr::kIrq | scr::kFiq);
  }
  return false;
}

}  // namespace sluice::cpu::sysreg
