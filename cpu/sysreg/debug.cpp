// Debug registers: Arm DDI 0487, "Debug registers" (op0 2).
#include "cpu/debug.h"

#include <array>

#include "cpu/sysreg/rows.h"

namespace sluice::cpu::sysreg {
namespace {

using Name = std::array<char, 16>;

constexpr u64 kOslm = 8, kOslk = 2;  // OSLSR_EL1: the OS Lock is implemented, and locked

void write_mdscr(Pe& pe, const Row& row, u64 value) {
  u64 before = location(pe, row);
  store(pe, row, value);
  // Pages with a watchpoint must leave the fast path.
  if ((before ^ location(pe, row)) & debug::kMdscrMde) pe.soft_tlb().flush_all();
  pe.context_changed();
}
void write_oslar(Pe& pe, const Row&, u64 value) {
  pe.state().sysregs[Slot::OSLSR_EL1] = kOslm | ((value & 1) ? kOslk : 0);
  pe.context_changed();
}
void write_breakpoint(Pe& pe, const Row& row, u64 value) {
  store(pe, row, value);
  pe.context_changed();
}
void write_watchpoint(Pe& pe, const Row& row, u64 value) {
  store(pe, row, value);
  pe.soft_tlb().flush_all();
  pe.context_changed();
}

constexpr u64 kClaimTags = 0xff;
u64 read_claimset(Pe&, const Row&) { return kClaimTags; }
void write_claimset(Pe& pe, const Row&, u64 v) { pe.state().sysregs[Slot::DBGCLAIM] |= v & kClaimTags; }
u64 read_claimclr(Pe& pe, const Row&) { return pe.state().sysregs[Slot::DBGCLAIM]; }
void write_claimclr(Pe& pe, const Row&, u64 v) { pe.state().sysregs[Slot::DBGCLAIM] &= ~v; }

bool has_breakpoint(const CpuModel& model, const Row& row) { return row.index < model.breakpoints; }
bool has_watchpoint(const CpuModel& model, const Row& row) { return row.index < model.watchpoints; }

// The Debug Communications Channel leads nowhere: there is no external debugger.
constexpr Row kFixed[] = {
    stored("OSDTRRX_EL1", {2, 0, 0, 0, 2}, kEl1RW, Slot::OSDTRRX_EL1, ones(32)),
    stored("MDCCINT_EL1", {2, 0, 0, 2, 0}, kEl1RW, Slot::MDCCINT_EL1, u64{3} << 29),
    stored_then("MDSCR_EL1", {2, 0, 0, 2, 2}, kEl1RW, Slot::MDSCR_EL1,
                debug::kMdscrSs | debug::kMdscrTdcc | debug::kMdscrKde | debug::kMdscrMde, 0, write_mdscr),
    stored("OSDTRTX_EL1", {2, 0, 0, 3, 2}, kEl1RW, Slot::OSDTRTX_EL1, ones(32)),
    stored("OSECCR_EL1", {2, 0, 0, 6, 2}, kEl1RW, Slot::OSECCR_EL1, 0),
    constant("MDRAR_EL1", {2, 0, 1, 0, 0}, kEl1RO, read_zero),
    ending_block(command("OSLAR_EL1", {2, 0, 1, 0, 4}, kEl1WO, write_oslar)),
    stored("OSLSR_EL1", {2, 0, 1, 1, 4}, kEl1RO, Slot::OSLSR_EL1, 0, kOslm | kOslk),
    stored("OSDLR_EL1", {2, 0, 1, 3, 4}, kEl1RW, Slot::OSDLR_EL1, 1),
    stored("DBGPRCR_EL1", {2, 0, 1, 4, 4}, kEl1RW, Slot::DBGPRCR_EL1, 1),
    hook("DBGCLAIMSET_EL1", {2, 0, 7, 8, 6}, kEl1RW, read_claimset, write_claimset),
    hook("DBGCLAIMCLR_EL1", {2, 0, 7, 9, 6}, kEl1RW, read_claimclr, write_claimclr),
    constant("DBGAUTHSTATUS_EL1", {2, 0, 7, 14, 6}, kEl1RO, read_zero),
    with(constant("MDCCSR_EL0", {2, 3, 0, 1, 0}, kEl0RO, read_zero), Trap::Tdcc),
    with(hook("DBGDTR_EL0", {2, 3, 0, 4, 0}, kEl0RW, read_zero, ignore_write), Trap::Tdcc),
    with(hook("DBGDTRRX_EL0", {2, 3, 0, 5, 0}, kEl0RW, read_zero, ignore_write),
         Trap::Tdcc),  // and DBGDTRTX_EL0
};

constexpr unsigned kPoints = 16;
constexpr Name name_of(std::string_view prefix, unsigned n) {
  Name name{};
  size_t i = 0;
  for (char c : prefix) name[i++] = c;
  if (n >= 10) name[i++] = '1';
  name[i++] = char('0' + n % 10);
  for (char c : std::string_view("_EL1")) name[i++] = c;
  return name;
}
constexpr auto kNames = [] {
  std::array<Name, 4 * kPoints> names{};
  constexpr std::string_view prefixes[] = {"DBGBVR", "DBGBCR", "DBGWVR", "DBGWCR"};
  for (unsigned i = 0; i < names.size(); i++) names[i] = name_of(prefixes[i % 4], i / 4);
  return names;
}();
constexpr std::string_view view(const Name& name) {
  size_t length = 0;
  while (name[length]) length++;
  return {name.data(), length};
}

constexpr u64 kBvr = ~u64{0}, kWvr = ~u64{3};
constexpr u64 kBcr = 0x00ffe1e7;  // BT LBN SSC HMC BAS PMC E
constexpr u64 kWcr = 0x1f1fffff;  // MASK WT LBN SSC HMC BAS LSC PAC E

constexpr auto kRows = [] {
  std::array<Row, std::size(kFixed) + 4 * kPoints> rows{};
  size_t i = 0;
  for (const Row& r : kFixed) rows[i++] = r;
  struct Kind {
    Slot first;
    u64 writable;
    Write write;
    bool (*present)(const CpuModel&, const Row&);
  };
  constexpr Kind kinds[] = {{Slot::DBGBVR0, kBvr, write_breakpoint, has_breakpoint},
                            {Slot::DBGBCR0, kBcr, write_breakpoint, has_breakpoint},
                            {Slot::DBGWVR0, kWvr, write_watchpoint, has_watchpoint},
                            {Slot::DBGWCR0, kWcr, write_watchpoint, has_watchpoint}};
  for (unsigned n = 0; n < kPoints; n++)
    for (unsigned k = 0; k < 4; k++) {
      Row r = stored_then(view(kNames[n * 4 + k]), {2, 0, 0, n, 4 + k}, kEl1RW,
                          Slot(unsigned(kinds[k].first) + n), kinds[k].writable, 0, kinds[k].write);
      rows[i++] = only_if(numbered(r, n), kinds[k].present);
    }
  return rows;
}();

}  // namespace

std::span<const Row> debug_rows() { return kRows; }

}  // namespace sluice::cpu::sysreg
