#include "cpu/sysreg/table.h"

#include <algorithm>
#include <vector>

#include "base/log.h"
#include "cpu/sysreg/el3_traps.h"
#include "cpu/sysreg/rows.h"

namespace sluice::cpu::sysreg {
namespace {

// ID registers that are not allocated, or describe AArch32 when there is none: op0 3, op1 0, CRn 0, CRm 1..7
// read as zero.
constexpr Row kReservedId = constant("ID_RESERVED", SysregId(3, 0, 0, 1, 0), kEl1RO, read_zero);

class Index {
 public:
  Index() {
    for (std::span<const Row> rows :
         {identification_rows(), control_rows(), special_rows(), timer_rows(), pmu_rows(), debug_rows(),
          maintenance_rows(), pointer_authentication_rows(), implementation_defined_rows(), el3_rows()})
      for (const Row& row : rows) rows_.push_back(&row);
    std::ranges::stable_sort(rows_, {}, [](const Row* r) { return r->id; });
  }
  const Row* find(SysregId id) const {
    auto at = std::ranges::lower_bound(rows_, id, {}, [](const Row* r) { return r->id; });
    return at != rows_.end() && (*at)->id == id ? *at : nullptr;
  }
  std::span<const Row* const> all() const { return rows_; }

 private:
  std::vector<const Row*> rows_;
};

const Index& index() {
  static const Index the;
  return the;
}

SysregId id_of(u64 operand) {
  SysregId id;
  id.value = u16(operand);
  return id;
}
unsigned rt_of(u64 operand) { return unsigned(operand >> 16 & 31); }
bool is_read(u64 operand) { return operand >> 21 & 1; }

// To EL1, or to `target`.
void trap(PeState& s, u64 operand, u8 target = 0) {
  u32 iss = sysreg_iss(u16(operand), rt_of(operand), is_read(operand));
  take_exception(s, {.ec = Ec::Sysreg, .iss = iss, .return_address = s.pc, .target = target});
}

// Whether EL0 may, by the control that `trap` names.
bool el0_allowed(Pe& pe, Trap trap, bool read) {
  const SysregFile& r = pe.state().sysregs;
  u64 sctlr = r[Slot::SCTLR_EL1], kctl = r[Slot::CNTKCTL_EL1], pm = pe.pmu().user_enable;
  switch (trap) {
    case Trap::Never:
    case Trap::Fp:
    case Trap::SecureTimer:
    case Trap::SpEl0: return true;
    case Trap::Uct: return bit(sctlr, 15);
    case Trap::Dze: return bit(sctlr, 14);
    case Trap::Uci: return bit(sctlr, 26);
    case Trap::Uma: return bit(sctlr, 9);
    case Trap::CntPct: return bit(kctl, 0);
    case Trap::CntVct: return bit(kctl, 1);
    case Trap::CntFrq: return kctl & 3;
    case Trap::CntVTimer: return bit(kctl, 8);
    case Trap::CntPTimer: return bit(kctl, 9);
    case Trap::PmEn: return pm & Pmu::kUserEn;
    case Trap::PmSw: return pm & (Pmu::kUserEn | Pmu::kUserSw);
    case Trap::PmCycle: return pm & (Pmu::kUserEn | (read ? Pmu::kUserCr : 0));
    case Trap::PmEvent: return pm & (Pmu::kUserEn | (read ? Pmu::kUserEr : 0));
    case Trap::PmSelect: return pm & (Pmu::kUserEn | Pmu::kUserEr);
    case Trap::Tdcc: return !bit(r[Slot::MDSCR_EL1], 12);
  }
  return true;
}

// False: the exception has been taken.
bool allowed(Pe& pe, const Row& row, u64 operand) {
  PeState& s = pe.state();
  if (row.present && !row.present(pe.model(), row)) {
    take_undefined(s);
    return false;
  }
  if (row.trap == Trap::SpEl0 && !s.sp_sel) {
    take_undefined(s);
    return false;
  }
  if (s.el == 0 && !el0_allowed(pe, row.trap, is_read(operand))) {
    trap(s, operand);
    return false;
  }
  if (row.trap == Trap::SecureTimer && s.el == 1) {
    if (!s.secure) return take_undefined(s), false;
    if (!(pe.scr() & scr::kSt)) return trap(s, operand, 3), false;
  }
  if (s.el == 3 || !pe.has_el3()) return true;
  El3Trap el3_trap = el3_trap_of(id_of(operand));
  if (el3_trap == El3Trap::LoRegions && s.secure) return take_undefined(s), false;
  if (trapped_to_el3(pe, el3_trap)) return trap(s, operand, 3), false;
  return true;
}

// The rights are in the encoding: op1 is 0 for EL1, 4 for EL2 and 6 for EL3.
bool gic_has(Pe& pe, SysregId id) {
  unsigned op1 = id.value >> 11 & 7, least_el = op1 == 6 ? 3 : op1 == 4 ? 2 : 1;
  return pe.gic() && pe.state().el >= least_el && pe.gic()->implements(id);
}

// ICC_* below EL3, of the groups that SCR_EL3 gives to EL3. True: the exception has been taken.
bool gic_trapped(Pe& pe, u64 operand) {
  if (pe.state().el == 3 || !trapped_to_el3(pe, el3_trap_of(id_of(operand)))) return false;
  trap(pe.state(), operand, 3);
  return true;
}

void undefined_encoding(Pe& pe, u64 operand) {
  unimplemented("%s of %s at EL%u, PC 0x%llx: no such system register", is_read(operand) ? "read" : "write",
                generic_name(id_of(operand)).c_str(), pe.state().el,
                static_cast<unsigned long long>(pe.state().pc));
  take_undefined(pe.state());
}

const Row& row_of(u64 pointer) { return *reinterpret_cast<const Row*>(pointer); }

}  // namespace

const Row* find(SysregId id) {
  if (const Row* row = index().find(id)) return row;
  unsigned crm = id.value >> 3 & 15;
  bool id_space = (id.value & ~0x7f) == SysregId(3, 0, 0, 0, 0).value && crm >= 1 && crm <= 7;
  return id_space ? &kReservedId : nullptr;
}

const Row* find(std::string_view name) {
  auto rows = index().all();
  auto at = std::ranges::find(rows, name, [](const Row* r) { return r->name; });
  return at == rows.end() ? nullptr : *at;
}

std::span<const Row* const> all() { return index().all(); }

std::string generic_name(SysregId id) {
  unsigned v = id.value;
  auto n = [](unsigned x) { return std::to_string(x); };
  return "S" + n(v >> 14) + "_" + n(v >> 11 & 7) + "_C" + n(v >> 7 & 15) + "_C" + n(v >> 3 & 15) + "_" +
         n(v & 7);
}

u64 peek(Pe& pe, const Row& row) {
  switch (row.storage) {
    case Storage::Stored: return location(pe, row);
    case Storage::Constant:
    case Storage::Hook: return row.read ? row.read(pe, row) : 0;
    case Storage::Command: return 0;
  }
  return 0;
}

void poke(Pe& pe, const Row& row, u64 value) {
  switch (row.storage) {
    case Storage::Stored:
      if (row.write)
        row.write(pe, row, value);
      else
        store(pe, row, value);
      return;
    case Storage::Hook:
    case Storage::Command:
      if (row.write) row.write(pe, row, value);
      return;
    case Storage::Constant: return;
  }
}

void reset_all(Pe& pe) {
  for (const Row* row : index().all())
    if (row->storage == Storage::Stored && pe.model().features.has(row->feature))
      location(pe, *row) = row->reset;
}

u64 helper_read(tcg::ExecState& state, u64 row, u64 operand, u64) noexcept {
  Pe& pe = pe_of(state);
  return allowed(pe, row_of(row), operand) ? helper_read_untrapped(state, row, operand, 0) : 0;
}

u64 helper_read_untrapped(tcg::ExecState& state, u64 row, u64, u64) noexcept {
  return peek(pe_of(state), row_of(row));
}

u64 helper_write(tcg::ExecState& state, u64 row, u64 operand, u64 value) noexcept {
  Pe& pe = pe_of(state);
  if (!allowed(pe, row_of(row), operand)) return 0;
  u64 exceptions = pe.exceptions_taken;
  poke(pe, row_of(row), value);
  // A hook that asks to leave because the context has changed leaves the pc alone: the instruction is done.
  if (state.leave && pe.exceptions_taken == exceptions) state.pc += 4;
  return 0;
}

u64 helper_read_unknown(tcg::ExecState& state, u64 operand, u64, u64) noexcept {
  Pe& pe = pe_of(state);
  SysregId id = id_of(operand);
  if (gic_has(pe, id)) return gic_trapped(pe, operand) ? 0 : pe.gic()->read(id, pe.accessor());
  undefined_encoding(pe, operand);
  return 0;
}

u64 helper_write_unknown(tcg::ExecState& state, u64 operand, u64 value, u64) noexcept {
  Pe& pe = pe_of(state);
  SysregId id = id_of(operand);
  if (!gic_has(pe, id)) return undefined_encoding(pe, operand), 0;
  if (!gic_trapped(pe, operand)) pe.gic()->write(id, value, pe.accessor());
  return 0;
}

}  // namespace sluice::cpu::sysreg
