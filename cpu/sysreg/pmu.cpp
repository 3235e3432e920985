// Performance Monitors registers: Arm DDI 0487, chapter D13.
#include <array>

#include "cpu/sysreg/rows.h"

namespace sluice::cpu::sysreg {
namespace {

bool has_pmu(const CpuModel& model, const Row&) { return model.pmu_version != 0; }
bool has_counter(const CpuModel& model, const Row& row) {
  return model.pmu_version != 0 && row.index < model.pmu_counters;
}

// Virtual time first: the counters follow it.
Pmu& pmu(Pe& pe) {
  pe.catch_up_virtual_time();
  return pe.pmu();
}

u64 read_pmcr(Pe& pe, const Row&) { return pmu(pe).pmcr(); }
void write_pmcr(Pe& pe, const Row&, u64 v) { pmu(pe).write_pmcr(v); }
u64 read_enabled(Pe& pe, const Row&) { return pmu(pe).enabled(); }
u64 read_interrupts(Pe& pe, const Row&) { return pmu(pe).interrupts(); }
u64 read_overflows(Pe& pe, const Row&) { return pmu(pe).overflows(); }
template <void (Pmu::*Change)(u64)>
void change(Pe& pe, const Row&, u64 v) {
  (pmu(pe).*Change)(u32(v));
  pe.cut_slice();
}
u64 read_pmselr(Pe& pe, const Row&) { return pe.pmu().selected; }
void write_pmselr(Pe& pe, const Row&, u64 v) { pe.pmu().selected = v & 31; }
u64 read_pmceid0(Pe& pe, const Row&) { return pe.pmu().pmceid0(); }
u64 read_pmccntr(Pe& pe, const Row&) { return pmu(pe).counter(Pmu::kCycle); }
void write_pmccntr(Pe& pe, const Row&, u64 v) { pmu(pe).set_counter(Pmu::kCycle, v), pe.cut_slice(); }
u64 read_pmccfiltr(Pe& pe, const Row&) { return pe.pmu().type(Pmu::kCycle); }
void write_pmccfiltr(Pe& pe, const Row&, u64 v) { pmu(pe).set_type(Pmu::kCycle, v); }
u64 read_pmuserenr(Pe& pe, const Row&) { return pe.pmu().user_enable; }
void write_pmuserenr(Pe& pe, const Row&, u64 v) { pe.pmu().user_enable = v & 15; }

u64 read_counter(Pe& pe, const Row& row) { return pmu(pe).counter(row.index); }
void write_counter(Pe& pe, const Row& row, u64 v) { pmu(pe).set_counter(row.index, v), pe.cut_slice(); }
u64 read_type(Pe& pe, const Row& row) { return pe.pmu().type(row.index); }
void write_type(Pe& pe, const Row& row, u64 v) { pmu(pe).set_type(row.index, v), pe.cut_slice(); }

// Through PMSELR_EL0.SEL. The cycle counter has a type register (PMCCFILTR) there, but no counter; what does
// not exist reads as zero and ignores writes, as the architecture permits.
u64 read_selected_type(Pe& pe, const Row&) {
  u64 n = pe.pmu().selected;
  return pe.pmu().exists(n) ? pe.pmu().type(unsigned(n)) : 0;
}
void write_selected_type(Pe& pe, const Row&, u64 v) {
  pmu(pe).set_type(unsigned(pe.pmu().selected), v), pe.cut_slice();
}
u64 read_selected_counter(Pe& pe, const Row&) {
  u64 n = pe.pmu().selected;
  return n == Pmu::kCycle ? 0 : pmu(pe).counter(unsigned(n));
}
void write_selected_counter(Pe& pe, const Row&, u64 v) {
  if (pe.pmu().selected != Pmu::kCycle) pmu(pe).set_counter(unsigned(pe.pmu().selected), v), pe.cut_slice();
}

constexpr Row row(std::string_view name, SysregId id, Rights rights, Read read, Write write, Trap trap) {
  return only_if(with(hook(name, id, rights, read, write), trap), has_pmu);
}

constexpr Row kFixed[] = {
    row("PMCR_EL0", {3, 3, 9, 12, 0}, kEl0RW, read_pmcr, write_pmcr, Trap::PmEn),
    row("PMCNTENSET_EL0", {3, 3, 9, 12, 1}, kEl0RW, read_enabled, change<&Pmu::set_enabled>, Trap::PmEn),
    row("PMCNTENCLR_EL0", {3, 3, 9, 12, 2}, kEl0RW, read_enabled, change<&Pmu::clear_enabled>, Trap::PmEn),
    row("PMOVSCLR_EL0", {3, 3, 9, 12, 3}, kEl0RW, read_overflows, change<&Pmu::clear_overflows>, Trap::PmEn),
    row("PMSWINC_EL0", {3, 3, 9, 12, 4}, kEl0WO, nullptr, change<&Pmu::software_increment>, Trap::PmSw),
    row("PMSELR_EL0", {3, 3, 9, 12, 5}, kEl0RW, read_pmselr, write_pmselr, Trap::PmSelect),
    row("PMCEID0_EL0", {3, 3, 9, 12, 6}, kEl0RO, read_pmceid0, nullptr, Trap::PmEn),
    row("PMCEID1_EL0", {3, 3, 9, 12, 7}, kEl0RO, read_zero, nullptr, Trap::PmEn),
    row("PMCCNTR_EL0", {3, 3, 9, 13, 0}, kEl0RW, read_pmccntr, write_pmccntr, Trap::PmCycle),
    row("PMXEVTYPER_EL0", {3, 3, 9, 13, 1}, kEl0RW, read_selected_type, write_selected_type, Trap::PmEn),
    row("PMXEVCNTR_EL0", {3, 3, 9, 13, 2}, kEl0RW, read_selected_counter, write_selected_counter,
        Trap::PmEvent),
    row("PMUSERENR_EL0", {3, 3, 9, 14, 0}, kEl0ROEl1RW, read_pmuserenr, write_pmuserenr, Trap::Never),
    row("PMOVSSET_EL0", {3, 3, 9, 14, 3}, kEl0RW, read_overflows, change<&Pmu::set_overflows>, Trap::PmEn),
    row("PMINTENSET_EL1", {3, 0, 9, 14, 1}, kEl1RW, read_interrupts, change<&Pmu::set_interrupts>,
        Trap::Never),
    row("PMINTENCLR_EL1", {3, 0, 9, 14, 2}, kEl1RW, read_interrupts, change<&Pmu::clear_interrupts>,
        Trap::Never),
    row("PMCCFILTR_EL0", {3, 3, 14, 15, 7}, kEl0RW, read_pmccfiltr, write_pmccfiltr, Trap::PmEn),
};

constexpr std::string_view kCounterNames[] = {"PMEVCNTR0_EL0", "PMEVCNTR1_EL0", "PMEVCNTR2_EL0",
                                              "PMEVCNTR3_EL0", "PMEVCNTR4_EL0", "PMEVCNTR5_EL0",
                                              "PMEVCNTR6_EL0", "PMEVCNTR7_EL0"};
constexpr std::string_view kTypeNames[] = {"PMEVTYPER0_EL0", "PMEVTYPER1_EL0", "PMEVTYPER2_EL0",
                                           "PMEVTYPER3_EL0", "PMEVTYPER4_EL0", "PMEVTYPER5_EL0",
                                           "PMEVTYPER6_EL0", "PMEVTYPER7_EL0"};
constexpr unsigned kNumbered = std::size(kCounterNames);  // no model has more

constexpr auto kRows = [] {
  std::array<Row, std::size(kFixed) + 2 * kNumbered> rows{};
  size_t i = 0;
  for (const Row& r : kFixed) rows[i++] = r;
  for (unsigned n = 0; n < kNumbered; n++) {
    Row counter = row(kCounterNames[n], {3, 3, 14, 8 + n / 8, n % 8}, kEl0RW, read_counter, write_counter,
                      Trap::PmEvent);
    Row type = row(kTypeNames[n], {3, 3, 14, 12 + n / 8, n % 8}, kEl0RW, read_type, write_type, Trap::PmEn);
    rows[i++] = only_if(numbered(counter, n), has_counter);
    rows[i++] = only_if(numbered(type, n), has_counter);
  }
  return rows;
}();

}  // namespace

std::span<const Row> pmu_rows() { return kRows; }

}  // namespace sluice::cpu::sysreg
