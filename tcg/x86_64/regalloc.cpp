#include "tcg/x86_64/regalloc.h"

#include <algorithm>
#include <bit>

namespace sluice::tcg::x86_64 {

using asmjit::imm;
using ir::kNoValue;
using ir::Op;

template <class F>
void RegAlloc::for_compared(const Inst& inst, F f) const {
  if (!flag_uses_->compares_again(size_t(&inst - block_->insts.data()))) return;
  for (ValueId flags : inst.args)
    if (flags != kNoValue && type_of(flags) == Type::Flags)
      for (ValueId a : block_->insts[flags].args)
        if (a != kNoValue) f(a);
}

void RegAlloc::start(const Block& block, const FlagUses& flag_uses) {
  block_ = &block;
  flag_uses_ = &flag_uses;
  values_.assign(block.insts.size(), Home{});
  for (const Inst& i : block.insts) {
    for (ValueId a : i.args)
      if (a != kNoValue) values_[a].uses++;
    for_compared(i, [&](ValueId a) { values_[a].uses++; });
  }
  pins_.choose(block);
  for (const Pin& p : pins_.all()) in_pin(p.reg, p.is_xmm).clear();
  if (!pins_.empty()) find_early_pins();
  free_spills_.clear();
  in_state_.clear();
  next_spill_ = kFrameSpills;
  std::fill_n(gp_owner_, kGpCount, kNoValue);
  std::fill_n(xmm_owner_, kXmmCount, kNoValue);
  gp_locked_ = xmm_locked_ = stamp_ = 0;
}

void RegAlloc::end_op(const Inst& inst) {
  gp_locked_ = xmm_locked_ = 0;
  auto used = [&](ValueId a) {
    if (--at(a).uses == 0) drop(a);
  };
  for (ValueId a : inst.args)
    if (a != kNoValue) used(a);
  for_compared(inst, used);
}

void RegAlloc::join(const Inst& next) {
  for (ValueId a : next.args)
    if (a != kNoValue) at(a).uses--;
}

void RegAlloc::end_value(ValueId v) {
  if (at(v).uses == 0) drop(v);
}

long RegAlloc::count(const Inst& inst, ValueId v) const {
  return std::count_if(std::begin(inst.args), std::end(inst.args),
                       [&](ValueId a) { return a != kNoValue && holder(a) == holder(v); });
}

bool RegAlloc::dies_here(const Inst& inst, ValueId v) const { return at(v).uses == count(inst, v); }

void RegAlloc::drop(ValueId v) {
  v = holder(v);
  Home& h = at(v);
  if (h.gp != kNoReg && gp_owner_[h.gp] == v) gp_owner_[h.gp] = kNoValue;
  if (h.xmm != kNoReg && xmm_owner_[h.xmm] == v) xmm_owner_[h.xmm] = kNoValue;
  if (h.spill >= 0) free_spills_.push_back(h.spill);
  h.gp = h.xmm = h.pin = kNoReg;
  h.spill = h.state = -1;
}

bool RegAlloc::fits_imm32(ValueId v) const {
  if (!is_constant(v)) return false;
  u64 c = constant(v);
  return type_of(v) != Type::I64 || i64(c) == i32(u32(c));
}

Mem RegAlloc::home_memory(const Home& h, Type type) const {
  u32 size = ir::bits_of(type) / 8;
  return h.spill >= 0 ? x86::ptr(x86::rsp, h.spill, size) : state_field(size_t(h.state), size);
}

unsigned RegAlloc::pick_gp() {
  // Those that instructions want for themselves (RAX, RDX, RCX) last.
  static constexpr u8 kOrder[] = {6, 7, 3, 8, 9, 10, 11, 12, 13, 14, 1, 2, 0};
  unsigned best = 0;
  u64 best_rank = ~u64{0};
  for (unsigned n : kOrder) {
    if ((gp_locked_ | pins_.gp_mask()) >> n & 1) continue;
    if (gp_owner_[n] == kNoValue) return n;
    const Home& h = at(gp_owner_[n]);
    u64 cost = is_elsewhere(h) || is_constant(gp_owner_[n]) ? 0 : u64{1} << 32;
    if (u64 rank = cost + gp_stamp_[n]; rank < best_rank) best = n, best_rank = rank;
  }
  evict_gp(best);
  return best;
}

unsigned RegAlloc::pick_xmm() {
  u32 candidates = kAllocatableXmms & ~xmm_locked_ & ~pins_.xmm_mask();
  unsigned best = 0;
  u64 best_rank = ~u64{0};
  for (u32 c = candidates; c;) {
    unsigned n = unsigned(std::bit_width(c)) - 1;  // XMM0, which some instructions want for themselves, last
    c &= ~(1u << n);
    if (xmm_owner_[n] == kNoValue) return n;
    u64 cost = is_elsewhere(at(xmm_owner_[n])) ? 0 : u64{1} << 32;
    if (u64 rank = cost + xmm_stamp_[n]; rank < best_rank) best = n, best_rank = rank;
  }
  evict_xmm(best);
  return best;
}

void RegAlloc::spill(ValueId v) {
  Home& h = at(v);
  if (free_spills_.empty()) {
    h.spill = next_spill_;
    next_spill_ += 16;
  } else {
    h.spill = free_spills_.back();
    free_spills_.pop_back();
  }
  if (type_of(v) == Type::V128)
    a_.movaps(x86::ptr(x86::rsp, h.spill, 16), x86::xmm(u32(h.xmm != kNoReg ? h.xmm : h.pin)));
  else
    a_.mov(x86::ptr(x86::rsp, h.spill, 8), x86::gpq(u32(h.gp != kNoReg ? h.gp : h.pin)));
}

void RegAlloc::evict_gp(unsigned n) {
  ValueId v = gp_owner_[n];
  if (v == kNoValue) return;
  Home& h = at(v);
  if (!is_elsewhere(h) && !is_constant(v)) spill(v);
  h.gp = kNoReg;
  // What a reload from memory gives is zero-extended; a pin may hold all of a register of which v is the low
  // half.
  h.clean = has_memory(h) || is_constant(v);
  gp_owner_[n] = kNoValue;
}

void RegAlloc::evict_xmm(unsigned n) {
  ValueId v = xmm_owner_[n];
  if (v == kNoValue) return;
  Home& h = at(v);
  if (!is_elsewhere(h)) spill(v);
  h.xmm = kNoReg;
  xmm_owner_[n] = kNoValue;
}

void RegAlloc::bind_gp(ValueId v, unsigned n) {
  gp_owner_[n] = v;
  at(v).gp = i16(n);
  gp_locked_ |= 1u << n;
  gp_stamp_[n] = ++stamp_;
}
void RegAlloc::bind_xmm(ValueId v, unsigned n) {
  xmm_owner_[n] = v;
  at(v).xmm = i16(n);
  xmm_locked_ |= 1u << n;
  xmm_stamp_[n] = ++stamp_;
}

// `to` = v. Does not touch the host's flags.
void RegAlloc::load_gp(Gp to, ValueId v) {
  const Home& h = at(v);
  bool wide = type_of(v) == Type::I64;
  if (is_constant(v)) {
    u64 c = constant(v);
    if (c <= 0xffffffff)
      a_.mov(to.r32(), imm(u32(c)));
    else
      a_.mov(to.r64(), imm(i64(c)));
  } else if (h.gp != kNoReg) {
    wide ? a_.mov(to.r64(), x86::gpq(u32(h.gp))) : a_.mov(to.r32(), x86::gpd(u32(h.gp)));
  } else if (h.pin != kNoReg) {
    wide ? a_.mov(to.r64(), x86::gpq(u32(h.pin))) : a_.mov(to.r32(), x86::gpd(u32(h.pin)));
  } else {
    wide ? a_.mov(to.r64(), home_memory(h, Type::I64)) : a_.mov(to.r32(), home_memory(h, Type::I32));
  }
}

Gp RegAlloc::use(ValueId v) {
  v = holder(v);
  Home& h = at(v);
  if (h.gp == kNoReg && h.pin != kNoReg) {
    gp_locked_ |= 1u << h.pin;
    return x86::gpq(u32(h.pin));
  }
  if (h.gp == kNoReg) {
    unsigned n = pick_gp();
    load_gp(x86::gpq(n), v);
    bind_gp(v, n);
  } else {
    gp_locked_ |= 1u << h.gp;
    gp_stamp_[h.gp] = ++stamp_;
  }
  return x86::gpq(u32(h.gp));
}

asmjit::Operand RegAlloc::use_any(ValueId v) {
  Home& h = at(v);
  bool wide = type_of(v) == Type::I64;
  // A value that is needed again is worth a register.
  bool only_in_memory = h.gp == kNoReg && h.pin == kNoReg && !is_constant(v) && has_memory(h);
  if (only_in_memory && h.uses <= 1) return home_memory(h, type_of(v));
  Gp r = use(v);
  if (wide) return r.r64();
  return r.r32();
}

Gp RegAlloc::define(ValueId v) {
  i16 early = early_pin(v, kNoValue);
  unsigned n = early != kNoReg ? unsigned(early) : pick_gp();
  bind_gp(v, n);
  return x86::gpq(n);
}

Gp RegAlloc::define_in(ValueId v, Gp fixed) {
  take(fixed);
  bind_gp(v, fixed.id());
  return fixed.r64();
}

Gp RegAlloc::temp() {
  unsigned n = pick_gp();
  gp_locked_ |= 1u << n;
  return x86::gpq(n);
}

void RegAlloc::take(Gp fixed) {
  evict_gp(fixed.id());
  gp_locked_ |= 1u << fixed.id();
}

void RegAlloc::copy_to(Gp fixed, ValueId v) { load_gp(fixed, v); }

Gp RegAlloc::define_over(const Inst& inst, ValueId v, ValueId from) {
  Home& f = at(from);
  if (i16 early = early_pin(v, from); early != kNoReg) {
    if (f.gp != kNoReg || f.pin != early) load_gp(x86::gpq(u32(early)), from);
    if (f.pin == early) f.pin = kNoReg;
    bind_gp(v, unsigned(early));
    return x86::gpq(u32(early));
  }
  bool once = count(inst, from) == 1;
  if (f.gp != kNoReg && once && dies_here(inst, from) && !(gp_locked_ >> f.gp & 1)) {
    unsigned n = unsigned(f.gp);
    f.gp = kNoReg;
    bind_gp(v, n);
    return x86::gpq(n);
  }
  if (f.gp != kNoReg) gp_locked_ |= 1u << f.gp;  // not a victim while it is copied
  unsigned n = pick_gp();
  load_gp(x86::gpq(n), from);
  bind_gp(v, n);
  return x86::gpq(n);
}

Gp RegAlloc::define_same(const Inst& inst, ValueId v, ValueId from) {
  i16 before = at(from).gp != kNoReg ? at(from).gp : at(from).pin;
  bool clean = is_clean(from);
  Gp r = define_over(inst, v, from);
  if (i16(r.id()) == before) at(v).clean = clean;
  return r;
}

void RegAlloc::truncate(const Inst& inst, ValueId v, ValueId from) {
  Home& f = at(from);
  if (is_constant(from)) {
    define_over(inst, v, from);
    at(v).clean = false;
  } else if (f.gp == kNoReg && f.pin != kNoReg) {  // the low half of the pin is the value
    enter_pin(v, f.pin, false);
  } else if (f.gp == kNoReg && f.state >= 0) {  // the low half of the slot is the value
    after_state_write(v, u32(f.state));
  } else if (f.gp != kNoReg && dies_here(inst, from)) {
    unsigned n = unsigned(f.gp);
    f.gp = kNoReg;
    bind_gp(v, n);
    at(v).clean = false;
  } else {
    extend(v, from);
  }
}

void RegAlloc::zero_extend(const Inst& inst, ValueId v, ValueId from) {
  Home& f = at(from);
  if (f.gp == kNoReg) return extend(v, from);
  const bool dies = dies_here(inst, from);
  if (!dies && is_clean(from) && !is_constant(from)) return share(v, from);
  if (!dies) return extend(v, from);
  unsigned n = unsigned(f.gp);
  if (!is_clean(from)) a_.mov(x86::gpd(n), x86::gpd(n));
  f.gp = kNoReg;
  bind_gp(v, n);
}

// v = ZeroExtend(from), which is in a register with zeros above, and is needed further on.
void RegAlloc::share(ValueId v, ValueId from) {
  const ValueId known = holder(from);
  if (known != from) {
    values_[known].uses = u16(values_[known].uses + values_[v].uses);
    values_[v].holder = known;
    return;
  }
  Home& f = values_[from];
  const unsigned n = unsigned(f.gp);
  if (f.spill >= 0) free_spills_.push_back(f.spill);  // whose upper half may be anything
  values_[v].uses = u16(values_[v].uses + f.uses);
  f = Home{.holder = v};
  bind_gp(v, n);
}

bool RegAlloc::would_copy(const Inst& inst, ValueId v, ValueId from) {
  const Home& f = at(from);
  const i16 early = at(v).early;
  if (is_constant(from)) return false;
  if (f.gp != kNoReg) return early != kNoReg || !dies_here(inst, from);
  return f.pin != kNoReg && (f.pin != early || !dies_here(inst, from));
}

// A new register for v = ZeroExtend(from<31:0>).
void RegAlloc::extend(ValueId v, ValueId from) {
  Home& f = at(from);
  i16 early = early_pin(v, from);
  if (f.gp != kNoReg) gp_locked_ |= 1u << f.gp;
  unsigned n = early != kNoReg ? unsigned(early) : pick_gp();
  if (is_constant(from))
    a_.mov(x86::gpd(n), imm(u32(constant(from))));
  else if (f.gp != kNoReg)
    a_.mov(x86::gpd(n), x86::gpd(u32(f.gp)));
  else if (f.pin != kNoReg)
    a_.mov(x86::gpd(n), x86::gpd(u32(f.pin)));
  else
    a_.mov(x86::gpd(n), home_memory(f, Type::I32));
  if (early != kNoReg && f.pin == early) f.pin = kNoReg;
  bind_gp(v, n);
}

void RegAlloc::load_xmm(Xmm to, ValueId v) {
  const Home& h = at(v);
  if (h.xmm != kNoReg || h.pin != kNoReg)
    a_.movaps(to, x86::xmm(u32(h.xmm != kNoReg ? h.xmm : h.pin)));
  else
    a_.movaps(to, home_memory(h, Type::V128));
}

Xmm RegAlloc::use_xmm(ValueId v) {
  Home& h = at(v);
  if (h.xmm == kNoReg && h.pin != kNoReg) {
    xmm_locked_ |= 1u << h.pin;
    return x86::xmm(u32(h.pin));
  }
  if (h.xmm == kNoReg) {
    unsigned n = pick_xmm();
    load_xmm(x86::xmm(n), v);
    bind_xmm(v, n);
  } else {
    xmm_locked_ |= 1u << h.xmm;
    xmm_stamp_[h.xmm] = ++stamp_;
  }
  return x86::xmm(u32(h.xmm));
}

asmjit::Operand RegAlloc::use_xmm_any(ValueId v) {
  Home& h = at(v);
  if (h.xmm == kNoReg && h.pin == kNoReg && has_memory(h) && h.uses <= 1) return home_memory(h, Type::V128);
  return use_xmm(v);
}

Xmm RegAlloc::define_xmm(ValueId v) {
  i16 early = early_pin(v, kNoValue);
  unsigned n = early != kNoReg ? unsigned(early) : pick_xmm();
  bind_xmm(v, n);
  return x86::xmm(n);
}

Xmm RegAlloc::define_xmm_over(const Inst& inst, ValueId v, ValueId from) {
  Home& f = at(from);
  if (i16 early = early_pin(v, from); early != kNoReg) {
    if (f.xmm != kNoReg || f.pin != early) load_xmm(x86::xmm(u32(early)), from);
    if (f.pin == early) f.pin = kNoReg;
    bind_xmm(v, unsigned(early));
    return x86::xmm(u32(early));
  }
  bool once = std::count(std::begin(inst.args), std::end(inst.args), from) == 1;
  if (f.xmm != kNoReg && once && dies_here(inst, from) && !(xmm_locked_ >> f.xmm & 1)) {
    unsigned n = unsigned(f.xmm);
    f.xmm = kNoReg;
    bind_xmm(v, n);
    return x86::xmm(n);
  }
  if (f.xmm != kNoReg) xmm_locked_ |= 1u << f.xmm;
  unsigned n = pick_xmm();
  load_xmm(x86::xmm(n), from);
  bind_xmm(v, n);
  return x86::xmm(n);
}

Xmm RegAlloc::temp_xmm() {
  unsigned n = pick_xmm();
  xmm_locked_ |= 1u << n;
  return x86::xmm(n);
}

void RegAlloc::take_xmm(Xmm fixed) {
  const unsigned n = fixed.id();
  const ValueId v = xmm_owner_[n];
  xmm_locked_ |= 1u << n;
  if (v == kNoValue) return;
  const unsigned other = pick_xmm();
  a_.movaps(x86::xmm(other), fixed);
  xmm_owner_[n] = kNoValue;
  bind_xmm(v, other);
  xmm_locked_ &= ~(1u << other);
}

void RegAlloc::before_state_write(u32 offset, u32 bytes) {
  std::erase_if(in_state_, [&](ValueId v) {
    Home& h = at(v);
    if (h.uses == 0 || h.state < 0) return true;
    u32 size = ir::bits_of(type_of(v)) / 8;
    if (u32(h.state) >= offset + bytes || u32(h.state) + size <= offset) return false;
    bool elsewhere = h.gp != kNoReg || h.xmm != kNoReg || h.pin != kNoReg || h.spill >= 0;
    if (!elsewhere) type_of(v) == Type::V128 ? void(use_xmm(v)) : void(use(v));
    h.state = -1;
    gp_locked_ = xmm_locked_ = 0;  // there may be more of them than registers; nothing else is locked yet
    return true;
  });
}

void RegAlloc::after_state_write(ValueId v, u32 offset) {
  if (type_of(holder(v)) != type_of(v)) return;  // the slot has only the lower half of what holds v
  at(v).state = i32(offset);
  in_state_.push_back(v);
}

bool RegAlloc::any_xmm_in_use() const {
  return pins_.xmm_mask() ||
         std::any_of(std::begin(xmm_owner_), std::end(xmm_owner_), [](ValueId v) { return v != kNoValue; });
}

void RegAlloc::before_call(const Inst& inst, bool state_changes) {
  gp_locked_ = xmm_locked_ = 0;
  if (!pins_.empty()) move_pins(true, state_changes);
  for (unsigned n = 0; n < kGpCount; n++) {
    ValueId v = gp_owner_[n];
    if (v == kNoValue || dies_here(inst, v) || is_constant(v)) continue;
    Home& h = at(v);
    if (h.spill >= 0) continue;
    if (kCalleeSavedGps >> n & 1) {
      if (state_changes) h.state = -1;  // the register is its only home
    } else if (h.state < 0 || state_changes) {
      spill(v);
    }
  }
  for (unsigned n = 0; n < kXmmCount; n++) {
    ValueId v = xmm_owner_[n];
    if (v == kNoValue || dies_here(inst, v)) continue;
    Home& h = at(v);
    if (h.spill < 0 && (h.state < 0 || state_changes)) spill(v);
  }
  if (!state_changes) return;
  for (const Pin& p : pins_.all())
    for (ValueId v : in_pin(p.reg, p.is_xmm)) {
      const Home& h = at(v);
      if (h.uses == 0 || h.pin != p.reg || dies_here(inst, v)) continue;
      if (h.gp == kNoReg && h.xmm == kNoReg && h.spill < 0) spill(v);
    }
  for (size_t k = 0; k < in_state_.size(); k++) {
    ValueId v = in_state_[k];
    Home& h = at(v);
    if (h.uses == 0 || h.state < 0 || dies_here(inst, v)) continue;
    if (h.gp != kNoReg || h.xmm != kNoReg || h.pin != kNoReg || h.spill >= 0) continue;
    type_of(v) == Type::V128 ? void(use_xmm(v)) : void(use(v));
    spill(v);
    gp_locked_ = xmm_locked_ = 0;  // there may be more of them than registers
  }
  gp_locked_ = xmm_locked_ = 0;
}

void RegAlloc::after_call(bool state_changes) {
  for (unsigned n = 0; n < kGpCount; n++) {
    ValueId v = gp_owner_[n];
    if (v == kNoValue || (kCalleeSavedGps >> n & 1)) continue;
    at(v).gp = kNoReg, at(v).clean = true;
    gp_owner_[n] = kNoValue;
  }
  for (unsigned n = 0; n < kXmmCount; n++) {
    if (ValueId v = xmm_owner_[n]; v != kNoValue) at(v).xmm = kNoReg;
    xmm_owner_[n] = kNoValue;
  }
  if (!pins_.empty()) move_pins(false, state_changes);
  if (!state_changes) return;
  for (const Pin& p : pins_.all()) {
    for (ValueId v : in_pin(p.reg, p.is_xmm)) at(v).pin = kNoReg;
    in_pin(p.reg, p.is_xmm).clear();
  }
  for (ValueId v : in_state_) at(v).state = -1;
  in_state_.clear();
}

Mem RegAlloc::memory_of(ValueId v) {
  Home& h = at(v);
  if (!has_memory(h)) spill(v);
  return home_memory(h, type_of(v));
}

}  // namespace sluice::tcg::x86_64
