// devices/gic/gicv2_core.cpp: delivery of interrupts, Arm IHI 0048B.b chapter 3.
#include "devices/gic/gicv2_core.h"

#include <algorithm>
#include <utility>

namespace sluice {
namespace {

constexpr u32 kSgis = 0xffff;

}  // namespace

Gicv2Core::Gicv2Core(Gicv2::Config config)
    : security(config.security),
      lines(32 + std::min(config.spis, kSpecialIntid - 32)),
      words((lines + 31) / 32),
      preemption_bits(std::min(std::clamp(config.priority_bits, 4u, 8u), 7u)),
      priority_mask(u8(0xff << (8 - std::clamp(config.priority_bits, 4u, 8u)))),
      min_bpr(u8(7 - preemption_bits)) {
  for (unsigned w = 0; w < words; w++) present[w] = u32(ones(std::min(32u, lines - w * 32)));
  unsigned count = std::clamp(config.pes, 1u, kMaxPes);
  for (unsigned n = 0; n < count; n++) pes.emplace_back(preemption_bits);
  reset();
}

// SGIs are permanently enabled (GICD_ISENABLER0: implementation defined), as in Arm's own GICv2
// implementations.
void Gicv2Core::reset() {
  group_enabled = {};
  live_ = 0;
  target.fill(0);
  for (Pe& pe : pes) {
    pe.own.reset(kSgis);
    pe.own.enabled = kSgis;
    pe.sgi_sources = {};
    // A uniprocessor GIC has no GICD_ITARGETSR: every SPI goes to the only PE.
    pe.targeted.fill(uniprocessor() ? ~u32{0} : 0);
  }
  if (uniprocessor()) target.fill(1);
  for (unsigned w = 1; w < words; w++) spi[w].reset(0);
  if (security && reset_non_secure) {
    for (Pe& pe : pes) pe.own.group = ~u32{0};
    for (IrqWord& word : spi) word.group = ~u32{0};
  }
  for (Pe& pe : pes) reset_cpu_interface(pe);
}

void Gicv2Core::reset_cpu_interface(Pe& pe) {
  pe.ctlr = 0;
  // A Non-secure write of GICC_PMR counts only while the mask is in the Non-secure half.
  pe.pmr = security && reset_non_secure ? 0x80 : 0;
  pe.bpr = min_bpr;
  pe.abpr = u8(min_bpr + 1);
  for (ActivePriorities& a : pe.active) a.clear();
  rescan(unsigned(&pe - pes.data()));
}

void Gicv2Core::drive_spi(unsigned intid, bool high) {
  IrqWord& w = spi[intid / 32];
  u32 before = w.deliverable();
  w.drive(u32{1} << intid % 32, high);
  word_changed(0, intid / 32, before);
}

void Gicv2Core::drive_own(unsigned pe, unsigned intid, bool high) {
  IrqWord& w = pes[pe].own;
  u32 before = w.deliverable();
  w.drive(u32{1} << intid, high);
  word_changed(pe, 0, before);
}

void Gicv2Core::word_changed(unsigned pe, unsigned word, u32 before) {
  u32 now = word_of(pe, word * 32).deliverable();
  if (now == before) return;
  if (word == 0) return rescan(pe);
  live_ = u32(deposit(live_, word, 1, now != 0));
  reordered(pe, word, now ^ before);
}

void Gicv2Core::reordered(unsigned pe, unsigned word, u32 mask) {
  if (word == 0) return rescan(pe);
  for (unsigned n = 0; n < pes.size(); n++)
    if (pes[n].targeted[word] & mask) rescan(n);
}

void Gicv2Core::set_target(unsigned intid, u8 pe_mask) {
  target[intid] = pe_mask;
  u32 mask = u32{1} << intid % 32;
  for (unsigned n = 0; n < pes.size(); n++) {
    u32& targeted = pes[n].targeted[intid / 32];
    u32 now = bit(pe_mask, n) ? targeted | mask : targeted & ~mask;
    if (std::exchange(targeted, now) != now && (spi[intid / 32].deliverable() & mask)) rescan(n);
  }
}

void Gicv2Core::send_sgi(unsigned from, unsigned to, unsigned intid) {
  set_sgi_sources(to, intid, u8(pes[to].sgi_sources[intid] | 1u << from));
}

// An SGI is pending while it has a sender.
void Gicv2Core::set_sgi_sources(unsigned n, unsigned intid, u8 sources) {
  Pe& pe = pes[n];
  u32 before = pe.own.deliverable();
  pe.sgi_sources[intid] = sources;
  pe.own.latch = u32(deposit(pe.own.latch, intid, 1, sources != 0));
  word_changed(n, 0, before);
}

// Other initiators than PEs see what PE 0 sees.
Gicv2View Gicv2Core::view(const MemTxAttrs& attrs) const {
  bool is_pe = attrs.initiator.kind == Initiator::Kind::Pe && attrs.initiator.number < pes.size();
  return {is_pe ? attrs.initiator.number : 0u, security && attrs.space != PaSpace::Secure};
}

void Gicv2Core::rescan_all() {
  for (unsigned n = 0; n < pes.size(); n++) rescan(n);
}

void Gicv2Core::rescan(unsigned n) {
  Pe& pe = pes[n];
  IrqKey best = most_urgent(pe.own, pe.own.deliverable() & groups_forwarded(pe.own.group), 0, kNoIrq);
  for_each_bit(live_, [&](unsigned w) {
    u32 candidates = spi[w].deliverable() & pe.targeted[w] & groups_forwarded(spi[w].group);
    best = most_urgent(spi[w], candidates, w * 32, best);
  });
  pe.best = best;
  signal(pe);
}

bool Gicv2Core::best_is_group1(const Pe& pe) const {
  unsigned intid = key_intid(pe.best);
  return bit((intid < 32 ? pe.own : spi[intid / 32]).group, intid % 32);
}

// Priority grouping. GICC_BPR = n splits above bit n, GICC_ABPR = n above bit n - 1.
u8 Gicv2Core::group_mask(const Pe& pe, bool group1) const {
  if (group1 && !(pe.ctlr & gicc_ctlr::kCbpr)) return u8(0xff << pe.abpr);
  return u8(0xff << (pe.bpr + 1));
}

bool Gicv2Core::can_be_signalled(const Pe& pe, bool group1) const {
  if (pe.best == kNoIrq || !(pe.ctlr & (group1 ? gicc_ctlr::kEnableGrp1 : gicc_ctlr::kEnableGrp0)))
    return false;
  u8 priority = key_priority(pe.best);
  return priority < pe.pmr && (priority & group_mask(pe, group1)) < running_priority(pe);
}

void Gicv2Core::signal(Pe& pe) {
  bool irq = false, fiq = false;
  if (pe.best != kNoIrq) {
    bool group1 = best_is_group1(pe), yes = can_be_signalled(pe, group1);
    bool as_fiq = !group1 && (pe.ctlr & gicc_ctlr::kFiqEn);
    irq = yes && !as_fiq;
    fiq = yes && as_fiq;
  }
  if (std::exchange(pe.irq_high, irq) != irq) pe.irq(irq);
  if (std::exchange(pe.fiq_high, fiq) != fiq) pe.fiq(fiq);
}

u32 Gicv2Core::with_source(const Pe& pe, unsigned intid) const {
  if (intid >= 16 || !pe.sgi_sources[intid]) return intid;
  return intid | u32(std::countr_zero(pe.sgi_sources[intid])) << 10;
}

u32 Gicv2Core::activate(unsigned n, unsigned intid) {
  Pe& pe = pes[n];
  IrqWord& w = word_of(n, intid);
  bool group1 = bit(w.group, intid % 32);
  pe.active[group1].activate(u8(w.priority[intid % 32] & group_mask(pe, group1)));
  u32 result = with_source(pe, intid);
  u32 before = w.deliverable();
  w.acknowledge(u32{1} << intid % 32);
  if (intid < 16) {  // another sender's SGI stays pending
    pe.sgi_sources[intid] &= u8(pe.sgi_sources[intid] - 1);
    w.latch = u32(deposit(w.latch, intid, 1, pe.sgi_sources[intid] != 0));
  }
  word_changed(n, intid / 32, before);
  return result;
}

void Gicv2Core::deactivate(unsigned n, unsigned intid) {
  IrqWord& w = word_of(n, intid);
  u32 before = w.deliverable();
  w.active &= ~(u32{1} << intid % 32);
  word_changed(n, intid / 32, before);
}

}  // namespace sluice
