// app/machine_target.cpp: see machine_target.h.
#include "app/machine_target.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "app/key_values.h"
#include "base/bits.h"
#include "cpu/pstate.h"
#include "machines/path_report.h"

namespace sluice {
namespace {

constexpr size_t kTlbLines = 200;

template <class... Values>
std::string format(const char* pattern, Values... values) {
  char text[160];
  std::snprintf(text, sizeof text, pattern, values...);
  return text;
}

}  // namespace

std::string describe_registers(const cpu::PeState& s) {
  std::string text = format(" PC=%016" PRIx64 " ", s.pc);
  for (unsigned n = 0; n < 31; n++)
    text += format("X%02u=%016" PRIx64 "%s", n, s.x[n], n % 3 == 1 ? "\n" : " ");
  text += format(" SP=%016" PRIx64 "\n", s.sp);
  u32 nzcv = s.nzcv.nzcv();
  text += format("PSTATE=%08" PRIx64 " %c%c%c%c EL%u%c", cpu::spsr_from_pstate(s), nzcv & 8 ? 'N' : '-',
                 nzcv & 4 ? 'Z' : '-', nzcv & 2 ? 'C' : '-', nzcv & 1 ? 'V' : '-', unsigned(s.el),
                 s.sp_sel ? 'h' : 't');
  text += format("    FPCR=%08x FPSR=%08x\n", s.fpcr, s.fpsr);
  for (unsigned n = 0; n < 32; n++)
    text += format("Q%02u=%016" PRIx64 ":%016" PRIx64 "%s", n, s.v[n].hi, s.v[n].lo, n % 2 ? "\n" : " ");
  return text;
}

void MachineTarget::look_at(unsigned pe, const std::function<void(cpu::Pe&)>& look) {
  control_.before_pause();
  board_.pes().run_on(pe, look);
  control_.after_pause();
}

std::string MachineTarget::registers(unsigned pe) {
  std::string text;
  look_at(pe, [&](cpu::Pe& p) { text = describe_registers(p.state()); });
  return text;
}

std::string MachineTarget::tlb(unsigned pe) {
  std::string text;
  look_at(pe, [&](cpu::Pe& p) { text = p.mmu().describe_tlb(kTlbLines); });
  return text;
}

std::string MachineTarget::memory_map(unsigned pe) {
  std::string text;
  look_at(pe, [&](cpu::Pe& p) { text = p.mmu().describe_memory_map(); });
  return text;
}

std::string MachineTarget::gates() { return describe_gates(board_.gates()) + board_.containers().describe(); }
std::string MachineTarget::iotlbs() { return describe_iotlbs(board_.gates(), kTlbLines); }

std::optional<std::string> MachineTarget::path(const std::string& initiator, u64 address, char letter) {
  auto start = find_initiator(board_, initiator);
  if (!start) return std::nullopt;
  const Access access = letter == 'w' ? Access::Write : letter == 'x' ? Access::Execute : Access::Read;
  if (start->attrs.initiator.kind != Initiator::Kind::Pe)
    return describe_path(board_, *start, address, access);
  std::string text;
  look_at(start->attrs.initiator.number, [&](cpu::Pe& p) {
    const cpu::Mmu::Explanation stage1 = p.mmu().explain(address, access);
    text = stage1.text;
    if (!stage1.output) return;
    start->attrs = stage1.attrs;
    start->space = &board_.pe_space(stage1.attrs.space);
    text += describe_path(board_, *start, *stage1.output, access);
  });
  return text;
}

MonitorTarget::PeStatus MachineTarget::pe_status(unsigned pe) {
  PeStatus status;
  look_at(pe, [&](cpu::Pe& p) {
    status.pc = p.state().pc;
    bool on = p.power.load(std::memory_order_acquire) == cpu::Pe::Power::On;
    status.state = !on ? "off" : p.waiting() ? "halted" : "running";
  });
  return status;
}

std::optional<u64> MachineTarget::register_value(unsigned pe, const std::string& name) {
  std::optional<u64> value;
  look_at(pe, [&](cpu::Pe& p) {
    const cpu::PeState& s = p.state();
    if (name == "pc")
      value = s.pc;
    else if (name == "sp")
      value = s.sp;
    else if (name == "lr")
      value = s.x[30];
    else if (name == "pstate" || name == "cpsr")
      value = cpu::spsr_from_pstate(s);
    else if (name.size() > 1 && name[0] == 'x')
      if (auto n = parse_number(std::string_view{name}.substr(1)); n && *n < 31) value = s.x[*n];
  });
  return value;
}

std::optional<u64> MachineTarget::read_virtual(unsigned pe, u64 va, unsigned size) {
  GuestPhysAddr pa{};
  PaSpace space = PaSpace::NonSecure;
  bool mapped = false;
  look_at(pe, [&](cpu::Pe& p) {
    u64 length = 0;
    mapped = p.mmu().debug_translate(va, pa, length, space) && length >= size;
  });
  if (!mapped) return std::nullopt;
  u64 value = 0;
  auto result = board_.memory(space).load(pa, size, value, MemTxAttrs::debugger(space));
  return result.is_ok() ? std::optional{value & ones(size * 8)} : std::nullopt;
}

std::optional<u64> MachineTarget::read_physical(u64 pa, unsigned size) {
  u64 value = 0;
  auto result = board_.system().load(GuestPhysAddr{pa}, size, value, MemTxAttrs::debugger());
  return result.is_ok() ? std::optional{value & ones(size * 8)} : std::nullopt;
}

std::string MachineTarget::disassemble(u64 address, u32 word) { return disassembler_.text(word, address); }

std::string MachineTarget::translator_counters(unsigned pe) {
  std::string text;
  look_at(pe, [&](cpu::Pe& p) {
    const tcg::Vcpu::Counters& c = p.vcpu()->counters();
    text = format("PE %u: %s\n", pe, p.vcpu()->uses_jit() ? "x86-64 code" : "interpreter");
    auto row = [&](const char* name, u64 value) { text += format("  %-28s %12" PRIu64 "\n", name, value); };
    row("blocks translated", c.blocks_translated);
    row("instructions translated", c.insns_translated);
    row("block lookups", c.lookups);
    row("fetch translations", c.fetches);
    row("direct jumps linked", c.links);
    row("loops made regions", c.regions);
    row("times old code was dropped", c.evictions);
    row("times all code was dropped", c.code_flushes);
  });
  return text;
}

}  // namespace sluice
