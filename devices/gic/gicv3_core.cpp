// devices/gic/gicv3_core.cpp: delivery of interrupts, Arm IHI 0069H chapter 4.
#include "devices/gic/gicv3_core.h"

#include <algorithm>
#include <utility>

namespace sluice {
namespace {

constexpr u32 kSgis = 0xffff;

// Aff3 is in bits 39:32 of MPIDR_EL1 and of GICD_IROUTER<n>, and in 31:24 of GICR_TYPER.Affinity.
constexpr u32 packed_affinity(u64 mpidr) { return u32(extract(mpidr, 32, 8) << 24 | extract(mpidr, 0, 24)); }

}  // namespace

Gicv3Core::Gicv3Core(Gicv3::Config config)
    : security(config.security),
      has_lpis(config.lpi_memory.has_value()),
      lines(32 + std::min(config.spis, kSpecialIntid - 32)),
      words((lines + 31) / 32),
      priority_bits(std::clamp(config.priority_bits, 4u, 8u)),
      preemption_bits(std::min(priority_bits, 7u)),
      priority_mask(u8(0xff << (8 - priority_bits))),
      min_bpr0(u8(7 - preemption_bits)),
      first_region(config.first_region) {
  for (unsigned w = 0; w < words; w++) present[w] = u32(ones(std::min(32u, lines - w * 32)));
  unsigned count = std::clamp(config.pes, 1u, 512u);
  for (unsigned n = 0; n < count; n++) {
    Pe& pe = pes.emplace_back(preemption_bits);
    pe.affinity =
        packed_affinity(n < config.affinities.size() ? config.affinities[n] : (n / 16) << 8 | n % 16);
    by_affinity_.emplace_back(pe.affinity, u16(n));
  }
  std::sort(by_affinity_.begin(), by_affinity_.end());
  reset();
}

u16 Gicv3Core::pe_with_affinity(u32 affinity) const {
  auto at = std::lower_bound(by_affinity_.begin(), by_affinity_.end(), std::pair<u32, u16>{affinity, 0});
  return at != by_affinity_.end() && at->first == affinity ? at->second : kNoPe;
}

void Gicv3Core::reset() {
  group_enabled = {};
  one_of_n_ = {};
  one_of_n_count_ = 0;
  next_choice_ = 0;
  irouter = {};
  live_ = 0;
  for (Pe& pe : pes) {
    pe.own.reset(kSgis);
    pe.routed = {};
    pe.processor_sleep = true;
    pe.opted_out = {};
    u64 switches = pe.lpis.switches + 1;
    pe.lpis = LpiState{};
    pe.lpis.switches = switches;
  }
  target.fill(kNoPe);
  for (unsigned w = 1; w < words; w++) spi[w].reset(0);
  if (security && reset_non_secure) {
    for (IrqWord& word : spi) word.group = ~u32{0};
    for (Pe& pe : pes) pe.own.group = ~u32{0}, pe.processor_sleep = false;
  }
  for (unsigned intid = 32; intid < lines; intid++) set_route(intid, 0);
  for (Pe& pe : pes) reset_cpu_interface(pe);
}

void Gicv3Core::reset_cpu_interface(Pe& pe) {
  pe.group_enabled = {};
  pe.pmr = 0;
  pe.bpr0 = min_bpr0;
  pe.bank[Pe::kNs] = {.bpr1 = u8(min_bpr0 + 1)};
  pe.bank[Pe::kS] = {.bpr1 = min_bpr0};
  pe.eoi_mode_el3 = false;
  for (ActivePriorities& a : pe.active) a.clear();
  groups_changed(unsigned(&pe - pes.data()));
}

void Gicv3Core::drive_spi(unsigned intid, bool high) {
  IrqWord& w = spi[intid / 32];
  u32 before = w.deliverable();
  w.drive(u32{1} << intid % 32, high);
  spis_changed(intid / 32, before);
}

void Gicv3Core::drive_own(unsigned pe, unsigned intid, bool high) {
  IrqWord& w = pes[pe].own;
  u32 before = w.deliverable();
  w.drive(u32{1} << intid, high);
  own_changed(pe, before);
}

void Gicv3Core::spis_changed(unsigned word, u32 before) {
  const IrqWord& w = spi[word];
  u32 now = w.deliverable();
  u32 changed = now ^ before;
  if (!changed) return;
  live_ = u32(deposit(live_, word, 1, now != 0));
  for_each_bit(changed, [&](unsigned n) {
    unsigned intid = word * 32 + n;
    bool rose = bit(now, n);
    if (rose && bit(one_of_n_[word], n)) set_target(intid, choose(intid));
    u16 pe = target[intid];
    if (pe == kNoPe) return;
    if (rose)
      offer(pe, irq_key(w.priority[n], intid), w.group_of(n));
    else if (key_intid(pes[pe].best) == intid)
      rescan(pe);
  });
}

void Gicv3Core::own_changed(unsigned pe, u32 before) {
  if (pes[pe].own.deliverable() != before) rescan(pe);
}

void Gicv3Core::spis_reordered(unsigned word, u32 mask) {
  for_each_bit(mask & spi[word].deliverable(), [&](unsigned n) {
    unsigned intid = word * 32 + n;
    if (bit(one_of_n_[word], n)) set_target(intid, choose(intid));
    if (target[intid] != kNoPe) rescan(target[intid]);
  });
}

void Gicv3Core::groups_changed(unsigned pe) {
  choose_again();
  rescan(pe);
}

void Gicv3Core::all_groups_changed() {
  choose_again();
  for (unsigned pe = 0; pe < pes.size(); pe++) rescan(pe);
}

// The interrupts of a word whose group is enabled here.
u32 Gicv3Core::groups_taken(const Pe& pe, const IrqWord& w) const {
  u32 taken = 0;
  for (IrqGroup g : {kGroup0, kGroup1Ns, kGroup1S})
    if (group_enabled[g] && pe.group_enabled[g]) taken |= w.members(g);
  return taken;
}

// One more interrupt is deliverable to this PE.
void Gicv3Core::offer(unsigned n, IrqKey key, IrqGroup group) {
  Pe& pe = pes[n];
  if (key >= pe.best || !group_enabled[group] || !pe.group_enabled[group]) return;
  pe.best = key;
  signal(pe);
}

void Gicv3Core::rescan(unsigned n) {
  Pe& pe = pes[n];
  IrqKey best = most_urgent(pe.own, pe.own.deliverable() & groups_taken(pe, pe.own), 0, kNoIrq);
  for_each_bit(live_, [&](unsigned w) {
    u32 candidates = spi[w].deliverable() & pe.routed[w] & groups_taken(pe, spi[w]);
    best = most_urgent(spi[w], candidates, w * 32, best);
  });
  if (!pe.lpis.deliverable.empty() && group_enabled[kGroup1Ns] && pe.group_enabled[kGroup1Ns])
    best = std::min(best, *pe.lpis.deliverable.begin());
  pe.best = best;
  signal(pe);
}

// Priority grouping. ICC_BPR0_EL1 = n and the Secure ICC_BPR1_EL1 = n split above bit n, the Non-secure one
// above bit n - 1.
u8 Gicv3Core::group_mask(const Pe& pe, IrqGroup group) const {
  if (group == kGroup1Ns && !pe.bank[Pe::kNs].cbpr) return u8(0xff << pe.bank[Pe::kNs].bpr1);
  if (group == kGroup1S && !pe.bank[Pe::kS].cbpr) return u8(0xff << (pe.bank[Pe::kS].bpr1 + 1));
  return u8(0xff << (pe.bpr0 + 1));
}

bool Gicv3Core::can_be_signalled(const Pe& pe, IrqGroup group) const {
  u8 priority = key_priority(pe.best);
  return pe.best != kNoIrq && priority < pe.pmr && (priority & group_mask(pe, group)) < running_priority(pe);
}

// IHI 0069H table 4-3, for an EL3 that uses AArch64: Group 0 is an FIQ; Group 1 of the Security state in
// which the PE is is an IRQ, unless it is at EL3.
bool Gicv3Core::is_fiq(const Pe& pe, IrqGroup group) const {
  return group == kGroup0 || pe.el3 || (group == kGroup1S) != pe.secure;
}

void Gicv3Core::signal(Pe& pe) {
  bool irq = false, fiq = false;
  if (pe.best != kNoIrq && key_priority(pe.best) < pe.pmr) {
    IrqGroup group = group_of(unsigned(&pe - pes.data()), key_intid(pe.best));
    bool yes = can_be_signalled(pe, group), as_fiq = is_fiq(pe, group);
    irq = yes && !as_fiq;
    fiq = yes && as_fiq;
  }
  if (std::exchange(pe.irq_high, irq) != irq) pe.irq(irq);
  if (std::exchange(pe.fiq_high, fiq) != fiq) pe.fiq(fiq);
}

void Gicv3Core::activate(unsigned n, unsigned intid) {
  Pe& pe = pes[n];
  if (is_lpi(intid)) {  // LPIs have no active state: acknowledged is done with
    pe.active[kGroup1Ns].activate(u8(key_priority(pe.best) & group_mask(pe, kGroup1Ns)));
    retire_lpi(pe, intid);
    return rescan(n);
  }
  IrqWord& w = word_of(n, intid);
  IrqGroup group = w.group_of(intid % 32);
  pe.active[group].activate(u8(w.priority[intid % 32] & group_mask(pe, group)));
  u32 before = w.deliverable();
  w.acknowledge(u32{1} << intid % 32);
  if (intid < 32)
    own_changed(n, before);
  else
    spis_changed(intid / 32, before);
}

void Gicv3Core::retire_lpi(Pe& pe, u32 intid) {
  auto at = pe.lpis.pending.find(intid);
  if (at == pe.lpis.pending.end()) return;
  pe.lpis.deliverable.erase(lpi_key(intid, at->second));
  pe.lpis.pending.erase(at);
}

void Gicv3Core::deactivate(unsigned n, unsigned intid) {
  if (is_lpi(intid)) return;
  IrqWord& w = word_of(n, intid);
  u32 before = w.deliverable();
  w.active &= ~(u32{1} << intid % 32);
  if (intid < 32)
    own_changed(n, before);
  else
    spis_changed(intid / 32, before);
}

// IHI 0069H 4.4: delivered where it is in that group; what is sent as Secure Group 1 also where it is in
// Group 0. (GICR_NSACR is RAZ/WI: Non-secure software reaches no Secure interrupt.)
void Gicv3Core::send_sgi(unsigned n, unsigned intid, IrqGroup group, bool from_ns) {
  IrqWord& w = pes[n].own;
  IrqGroup own = w.group_of(intid);
  if (own != group && !(group == kGroup1S && own == kGroup0)) return;
  if (from_ns && own != kGroup1Ns) return;
  u32 before = w.deliverable();
  w.latch |= u32{1} << intid;
  own_changed(n, before);
}

void Gicv3Core::set_target(unsigned intid, u16 pe) {
  u16 old = std::exchange(target[intid], pe);
  if (old == pe) return;
  u32 mask = u32{1} << intid % 32;
  if (old != kNoPe) {
    pes[old].routed[intid / 32] &= ~mask;
    if (key_intid(pes[old].best) == intid) rescan(old);
  }
  if (pe != kNoPe) pes[pe].routed[intid / 32] |= mask;
}

void Gicv3Core::set_route(unsigned intid, u64 value) {
  irouter[intid] = value;
  u32 mask = u32{1} << intid % 32;
  bool any = value & kRoutingMode, was_any = one_of_n_[intid / 32] & mask;
  if (any != was_any) {
    one_of_n_[intid / 32] ^= mask;
    any ? one_of_n_count_++ : one_of_n_count_--;
  }
  set_target(intid, any ? choose(intid) : pe_with_affinity(packed_affinity(value)));
  if (target[intid] != kNoPe && (spi[intid / 32].deliverable() & mask)) rescan(target[intid]);
}

// 1 of N: a PE takes part while it is awake, takes the group and has not opted out (GICR_CTLR.DPG*).
bool Gicv3Core::participates(const Pe& pe, IrqGroup group) const {
  return pe.group_enabled[group] && !pe.processor_sleep && !pe.opted_out[group];
}

// The first participating PE that is idle and would take it at once, else the first one; in turn.
u16 Gicv3Core::choose(unsigned intid) const {
  const IrqWord& w = spi[intid / 32];
  IrqGroup group = w.group_of(intid % 32);
  u16 fallback = kNoPe;
  for (unsigned i = 0; i < pes.size(); i++) {
    unsigned n = (next_choice_ + i) % unsigned(pes.size());
    const Pe& pe = pes[n];
    if (!participates(pe, group)) continue;
    bool idle = running_priority(pe) == ActivePriorities::kIdle && pe.best == kNoIrq;
    if (idle && w.priority[intid % 32] < pe.pmr) {
      next_choice_ = n + 1;
      return u16(n);
    }
    if (fallback == kNoPe) fallback = u16(n);
  }
  return fallback;
}

// Who participates has changed: pending 1 of N interrupts must not wait for a PE that left.
void Gicv3Core::choose_again() {
  if (!one_of_n_count_) return;
  for_each_bit(live_, [&](unsigned word) {
    for_each_bit(one_of_n_[word] & spi[word].deliverable(), [&](unsigned n) {
      unsigned intid = word * 32 + n;
      u16 now = target[intid];
      if (now != kNoPe && participates(pes[now], spi[word].group_of(n))) return;
      set_target(intid, choose(intid));
      if (target[intid] != kNoPe) rescan(target[intid]);
    });
  });
}

}  // namespace sluice
