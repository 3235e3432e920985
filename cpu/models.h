// cpu/models.h: the processors that `-cpu` names, and their identification registers.
// Sources: the Technical Reference Manuals (Cortex-A53 DDI 0500, A57 DDI 0488, A72 100095, A76 100798) for
// MIDR, caches and counts; the ID_AA64* fields are computed from the feature set, so that they never
// advertise what is not there.
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/types.h"
#include "cpu/features.h"

namespace sluice::cpu {

// DCZID_EL0.BS of all models: DC ZVA zeroes so many words, as log2.
inline constexpr u8 kDczBlockSize = 4;

struct CpuModel {
  std::string_view name;           // of `-cpu`
  std::string_view dt_compatible;  // of the device tree
  FeatureSet features;
  u64 midr = 0;
  u64 revidr = 0;
  u64 ctr = 0;
  u64 clidr = 0;
  u64 ccsidr[3] = {};  // L1 data, L1 instruction, L2 unified
  unsigned pa_bits = 40;
  u8 breakpoints = 6, context_breakpoints = 2, watchpoints = 4;
  u8 debug_version = 6;  // ID_AA64DFR0_EL1.DebugVer
  u8 pmu_counters = 6;
  u8 pmu_version = 1;  // ID_AA64DFR0_EL1.PMUVer; 0: no PMU
  bool granule_16k = false;
  u16 pmcr_id = 0;  // PMCR_EL0.{IMP, IDCODE}
};

std::span<const CpuModel> cpu_models();
const CpuModel* find_cpu_model(std::string_view name);
// The argument of `-cpu`: "max", "cortex-a72,pmu=off", "max,pauth=off,lse=off". The error names the word at
// fault.
Result<CpuModel> parse_cpu_option(std::string_view option);
std::string cpu_help();  // `-cpu help`

struct IdRegisters {
  u64 pfr0, pfr1, dfr0, dfr1, afr0, afr1, isar0, isar1, isar2, mmfr0, mmfr1, mmfr2;
};
// ID_AA64*_EL1. `gic_sysregs`: the machine has a GICv3 CPU interface (PFR0.GIC).
IdRegisters id_registers(const CpuModel& model, bool gic_sysregs);

// Affinity of PE number `index` unless the board has its own rule: eight to a cluster, so that a GICv2 target
// list and a GICv3 SGI target list reach a whole cluster.
constexpr u64 default_affinity(unsigned index) { return u64(index / 8) << 8 | index % 8; }
inline constexpr u64 kMpidrAffinity = 0xff00ffffff;  // Aff3, Aff2, Aff1, Aff0

inline constexpr u64 kTimerFrequency = 62'500'000;  // CNTFRQ_EL0: 16 ns a tick

}  // namespace sluice::cpu
