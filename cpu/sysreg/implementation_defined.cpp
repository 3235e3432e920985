// Implementation defined registers that firmware for the modelled parts touches. They hold what is written to
// them and do nothing: they tune caches, prefetchers and power that do not exist here. The others are
// UNDEFINED.
#include "cpu/pe_group.h"
#include "cpu/sysreg/rows.h"

namespace sluice::cpu::sysreg {
namespace {

constexpr unsigned kPartA53 = 0xd03, kPartA57 = 0xd07, kPartA72 = 0xd08, kPartA76 = 0xd0b;
unsigned part(const CpuModel& model) { return unsigned(extract(model.midr, 4, 12)); }

// The Cortex-A53, A57 and A72 share a layout; the A76 has a new one.
bool first_generation(const CpuModel& m, const Row&) {
  return part(m) == kPartA53 || part(m) == kPartA57 || part(m) == kPartA72;
}
bool a76(const CpuModel& m, const Row&) { return part(m) == kPartA76; }

// L2CTLR_EL1.NumCPU, bits 25:24: PEs in the cluster less one.
u64 l2ctlr(Pe& pe, const Row&) {
  u64 pes = pe.group() ? pe.group()->size() : 1;
  return (pes > 4 ? 3 : pes - 1) << 24;
}

constexpr Row kept(std::string_view name, SysregId id, Slot slot,
                   bool (*present)(const CpuModel&, const Row&)) {
  return only_if(stored(name, id, kEl1RW, slot), present);
}
constexpr Slot slot(unsigned n) { return Slot(unsigned(Slot::IMPDEF0) + n); }

constexpr Row kRows[] = {
    only_if(hook("L2CTLR_EL1", {3, 1, 11, 0, 2}, kEl1RW, l2ctlr, ignore_write), first_generation),
    kept("L2ECTLR_EL1", {3, 1, 11, 0, 3}, slot(0), first_generation),
    kept("L2ACTLR_EL1", {3, 1, 15, 0, 0}, slot(1), first_generation),
    kept("CPUACTLR_EL1", {3, 1, 15, 2, 0}, slot(2), first_generation),
    kept("CPUECTLR_EL1", {3, 1, 15, 2, 1}, slot(3), first_generation),
    kept("CPUMERRSR_EL1", {3, 1, 15, 2, 2}, slot(4), first_generation),
    kept("L2MERRSR_EL1", {3, 1, 15, 2, 3}, slot(5), first_generation),
    only_if(constant("CBAR_EL1", {3, 1, 15, 3, 0}, kEl1RO, read_zero), first_generation),
    kept("CPUACTLR_EL1", {3, 0, 15, 1, 0}, slot(6), a76),
    kept("CPUACTLR2_EL1", {3, 0, 15, 1, 1}, slot(7), a76),
    kept("CPUECTLR_EL1", {3, 0, 15, 1, 4}, slot(8), a76),
    kept("CPUPWRCTLR_EL1", {3, 0, 15, 2, 7}, slot(9), a76),
    only_if(constant("CPUCFR_EL1", {3, 0, 15, 0, 0}, kEl1RO, read_zero), a76),
};

}  // namespace

std::span<const Row> implementation_defined_rows() { return kRows; }

}  // namespace sluice::cpu::sysreg
