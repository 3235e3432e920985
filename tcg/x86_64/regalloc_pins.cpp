// The part of the register allocator that deals with pinned slots of guest state (pins.h).
#include <algorithm>

#include "tcg/x86_64/regalloc.h"

namespace sluice::tcg::x86_64 {

using ir::kNoValue;
using ir::Op;

namespace {

// How far ahead of the write of its slot a value is looked for.
constexpr size_t kEarlyDistance = 8;

bool may_leave(const Inst& i) {
  return ir::info(i.op).properties & (ir::Memory | ir::SideExit | ir::EndsBlock);
}

}  // namespace

// A value that is written to a pinned slot soon, with nothing in between that may leave the region or looks
// at the slot, may be computed in the pin.
void RegAlloc::find_early_pins() {
  for (size_t n = 0; n < block_->insts.size(); n++) {
    const Inst& i = block_->insts[n];
    if (i.op != Op::SetState) continue;
    if (const Pin* pin = pins_.find(u32(i.imm))) mark_early(n, pin->reg, pin->offset);
  }
}

void RegAlloc::mark_early(size_t write, i16 reg, u32 offset) {
  ValueId wanted = block_->insts[write].args[0];
  for (size_t n = write; n-- > 0 && write - n <= kEarlyDistance;) {
    const Inst& i = block_->insts[n];
    if (n == wanted) {
      if (at(wanted).early == kNoReg) at(wanted).early = reg;
      if (i.op != Op::ZeroExtend32) return;
      wanted = i.args[0];  // what is extended is computed there as well
      if (may_leave(i)) return;
      continue;
    }
    bool touches_slot = (i.op == Op::GetState || i.op == Op::SetState) && u32(i.imm) == offset;
    if (touches_slot || may_leave(i)) return;
  }
}

i16 RegAlloc::early_pin(ValueId v, ValueId from) {
  const i16 reg = at(v).early;
  if (reg == kNoReg) return kNoReg;
  const bool is_xmm = type_of(v) == Type::V128;
  if ((is_xmm ? xmm_locked_ : gp_locked_) >> reg & 1) return kNoReg;
  // Somebody else is computed there already (two writes of one slot with nothing in between).
  if ((is_xmm ? xmm_owner_ : gp_owner_)[reg] != kNoValue) return kNoReg;
  const Inst& inst = block_->insts[v];
  for (ValueId u : in_pin(reg, is_xmm)) {
    const Home& h = at(u);
    if (h.pin != reg || h.uses == 0) continue;
    const bool in_register = (is_xmm ? h.xmm : h.gp) != kNoReg;
    const auto here = count(inst, u);
    if (from != kNoValue && holder(u) == holder(from) && here == 1 && h.uses == 1)
      continue;  // it is overwritten by its last use
    if (!in_register || here) return kNoReg;
  }
  for (ValueId u : in_pin(reg, is_xmm))
    if (at(u).pin == reg && (from == kNoValue || holder(u) != holder(from))) at(u).pin = kNoReg;
  return reg;
}

void RegAlloc::enter_pin(ValueId v, i16 reg, bool clean) {
  at(v).pin = reg;
  at(v).clean = clean;
  auto& inside = in_pin(reg, type_of(v) == Type::V128);
  std::erase_if(inside, [&](ValueId u) { return at(u).uses == 0 || at(u).pin != reg; });
  inside.push_back(v);
}

// The values that live only in the pin move to registers of their own.
void RegAlloc::leave_pin(i16 reg, bool is_xmm, ValueId except) {
  for (ValueId u : in_pin(reg, is_xmm)) {
    Home& h = at(u);
    if (h.pin != reg || holder(u) == except) continue;
    if (h.uses && (is_xmm ? h.xmm : h.gp) == kNoReg && !has_memory(h)) {
      if (is_xmm) {
        unsigned n = pick_xmm();
        load_xmm(x86::xmm(n), u);
        bind_xmm(u, n);
      } else {
        unsigned n = pick_gp();
        load_gp(x86::gpq(n), holder(u));
        bind_gp(holder(u), n);
        h.clean = true;
      }
    }
    h.pin = kNoReg;
  }
  in_pin(reg, is_xmm).clear();
}

void RegAlloc::read_state(ValueId v, u32 offset) {
  if (const Pin* pin = pin_of(offset))
    enter_pin(v, pin->reg, true);
  else
    after_state_write(v, offset);
}

void RegAlloc::write_pin(const Pin& pin, ValueId v) {
  v = holder(v);
  Home& h = at(v);
  const i16 reg = pin.reg;
  if (h.pin == reg && (pin.is_xmm ? h.xmm : h.gp) != reg) return;  // it is what the slot holds
  i16& own = pin.is_xmm ? h.xmm : h.gp;
  ValueId& owner = (pin.is_xmm ? xmm_owner_ : gp_owner_)[reg];
  if (own == reg) {  // it was computed there
    in_pin(reg, pin.is_xmm).clear();
  } else {
    if (owner != kNoValue) {  // another value that was to be written here is in the way
      if (pin.is_xmm)
        evict_xmm(unsigned(reg));
      else
        evict_gp(unsigned(reg));
    }
    if (pin.is_xmm) {
      if (own != kNoReg) xmm_locked_ |= 1u << own;
      leave_pin(reg, true, v);
      load_xmm(x86::xmm(u32(reg)), v);
    } else {
      if (own != kNoReg) gp_locked_ |= 1u << own;
      leave_pin(reg, false, v);
      load_gp(x86::gpq(u32(reg)), v);
    }
  }
  if (own != kNoReg) {
    (pin.is_xmm ? xmm_owner_ : gp_owner_)[own] = kNoValue;
    own = kNoReg;
  }
  if (is_constant(v) && !pin.is_xmm) return;
  enter_pin(v, reg, true);
}

// To the guest state or from it. `all`: the state is looked at, and may have changed; otherwise only what a
// call of C++ destroys.
void RegAlloc::move_pins(bool store, bool all) {
  for (const Pin& p : pins_.all()) {
    if (store && !p.written) continue;
    if (!all && !p.is_xmm && (kCalleeSavedGps >> p.reg & 1)) continue;
    Mem slot = state_field(p.offset, p.is_xmm ? 16 : 8);
    if (p.is_xmm)
      store ? a_.movaps(slot, x86::xmm(p.reg)) : a_.movaps(x86::xmm(p.reg), slot);
    else
      store ? a_.mov(slot, x86::gpq(p.reg)) : a_.mov(x86::gpq(p.reg), slot);
  }
}

void RegAlloc::load_pins() { move_pins(false, true); }
void RegAlloc::store_pins() { move_pins(true, true); }

void RegAlloc::at_label() {
  std::fill_n(gp_owner_, kGpCount, kNoValue);
  std::fill_n(xmm_owner_, kXmmCount, kNoValue);
  for (const Pin& p : pins_.all()) in_pin(p.reg, p.is_xmm).clear();
  in_state_.clear();
}

}  // namespace sluice::tcg::x86_64
