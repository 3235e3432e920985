// devices/gic/gicv3_cpu_interface.cpp: ICC_*_EL1 and ICC_*_EL3, Arm IHI 0069H, for one Security state or
// two.
#include <algorithm>

#include "base/log.h"
#include "base/trace.h"
#include "devices/gic/gicv3_frames.h"

namespace sluice {
namespace {

using RegisterTrace = Trace<unsigned, u64>;
RegisterTrace trace_iar1_read{"gicv3_icc_iar1_read", "cpu={} value={:#x}"};
RegisterTrace trace_iar0_read{"gicv3_icc_iar0_read", "cpu={} value={:#x}"};
RegisterTrace trace_pmr_read{"gicv3_icc_pmr_read", "cpu={} value={:#x}"};
RegisterTrace trace_hppir0_read{"gicv3_icc_hppir0_read", "cpu={} value={:#x}"};
RegisterTrace trace_hppir1_read{"gicv3_icc_hppir1_read", "cpu={} value={:#x}"};
RegisterTrace trace_bpr_read{"gicv3_icc_bpr_read", "cpu={} value={:#x}"};
RegisterTrace trace_rpr_read{"gicv3_icc_rpr_read", "cpu={} value={:#x}"};
RegisterTrace trace_ctlr_read{"gicv3_icc_ctlr_read", "cpu={} value={:#x}"};
RegisterTrace trace_ctlr_el3_read{"gicv3_icc_ctlr_el3_read", "cpu={} value={:#x}"};
RegisterTrace trace_igrpen_read{"gicv3_icc_igrpen_read", "cpu={} value={:#x}"};
RegisterTrace trace_igrpen1_el3_read{"gicv3_icc_igrpen1_el3_read", "cpu={} value={:#x}"};
RegisterTrace trace_eoir_write{"gicv3_icc_eoir_write", "cpu={} value={:#x}"};
RegisterTrace trace_dir_write{"gicv3_icc_dir_write", "cpu={} value={:#x}"};
RegisterTrace trace_pmr_write{"gicv3_icc_pmr_write", "cpu={} value={:#x}"};
RegisterTrace trace_sgi1r_write{"gicv3_icc_sgi1r_write", "cpu={} value={:#x}"};
RegisterTrace trace_asgi1r_write{"gicv3_icc_asgi1r_write", "cpu={} value={:#x}"};
RegisterTrace trace_sgi0r_write{"gicv3_icc_sgi0r_write", "cpu={} value={:#x}"};
RegisterTrace trace_bpr_write{"gicv3_icc_bpr_write", "cpu={} value={:#x}"};
RegisterTrace trace_ctlr_write{"gicv3_icc_ctlr_write", "cpu={} value={:#x}"};
RegisterTrace trace_ctlr_el3_write{"gicv3_icc_ctlr_el3_write", "cpu={} value={:#x}"};
RegisterTrace trace_igrpen_write{"gicv3_icc_igrpen_write", "cpu={} value={:#x}"};
RegisterTrace trace_igrpen1_el3_write{"gicv3_icc_igrpen1_el3_write", "cpu={} value={:#x}"};

// Every ICC register but ICC_PMR_EL1 is op0 3, CRn 12. Two Security states are two because there is EL3;
// there is no EL2, and ICC_SRE_EL2 is then RES0 from EL3.
constexpr u16 icc(unsigned op1, unsigned crm, unsigned op2) { return SysregId(3, op1, 12, crm, op2).value; }
constexpr u16 ICC_PMR_EL1 = SysregId(3, 0, 4, 6, 0).value;
constexpr u16 ICC_IAR0_EL1 = icc(0, 8, 0), ICC_EOIR0_EL1 = icc(0, 8, 1), ICC_HPPIR0_EL1 = icc(0, 8, 2);
constexpr u16 ICC_BPR0_EL1 = icc(0, 8, 3), ICC_AP0R0_EL1 = icc(0, 8, 4), ICC_AP0R3_EL1 = icc(0, 8, 7);
constexpr u16 ICC_AP1R0_EL1 = icc(0, 9, 0), ICC_AP1R3_EL1 = icc(0, 9, 3);
constexpr u16 ICC_DIR_EL1 = icc(0, 11, 1), ICC_RPR_EL1 = icc(0, 11, 3), ICC_SGI1R_EL1 = icc(0, 11, 5);
constexpr u16 ICC_ASGI1R_EL1 = icc(0, 11, 6), ICC_SGI0R_EL1 = icc(0, 11, 7);
constexpr u16 ICC_IAR1_EL1 = icc(0, 12, 0), ICC_EOIR1_EL1 = icc(0, 12, 1), ICC_HPPIR1_EL1 = icc(0, 12, 2);
constexpr u16 ICC_BPR1_EL1 = icc(0, 12, 3), ICC_CTLR_EL1 = icc(0, 12, 4), ICC_SRE_EL1 = icc(0, 12, 5);
constexpr u16 ICC_IGRPEN0_EL1 = icc(0, 12, 6), ICC_IGRPEN1_EL1 = icc(0, 12, 7);
constexpr u16 ICC_SRE_EL2 = icc(4, 9, 5);
constexpr u16 ICC_CTLR_EL3 = icc(6, 12, 4), ICC_SRE_EL3 = icc(6, 12, 5), ICC_IGRPEN1_EL3 = icc(6, 12, 7);

// ICC_CTLR_EL1
constexpr u64 kCbpr = 1 << 0, kEoiMode = 1 << 1, kA3v = 1 << 15, kRss = 1 << 18;
// ICC_SRE_EL1: SRE, DFB and DIB are RAO/WI: there is no memory-mapped CPU interface and no bypass.
constexpr u64 kSre = 7, kSreEnable = 8;
// ICC_CTLR_EL3, where it differs from ICC_CTLR_EL1. nDS: the distributor cannot have its Security states
// disabled.
constexpr u64 kCbprS = 1 << 0, kCbprNs = 1 << 1, kEoiModeEl3 = 1 << 2, kEoiModeS = 1 << 3,
              kEoiModeNs = 1 << 4, kNds = 1 << 17;
// Special INTIDs that ICC_IAR0_EL1 and ICC_HPPIR0_EL1 return to EL3: a Group 1 interrupt of that state is
// pending.
constexpr unsigned kSecurePending = 1020, kNonSecurePending = 1021;

constexpr bool within(u16 id, u16 first, u16 last) { return id >= first && id <= last; }

}  // namespace

bool Gicv3CpuInterface::implements(SysregId id) const {
  u16 r = id.value;
  unsigned ap_registers = pe().active[0].registers();
  if (within(r, ICC_AP0R0_EL1, ICC_AP0R3_EL1)) return unsigned(r - ICC_AP0R0_EL1) < ap_registers;
  if (within(r, ICC_AP1R0_EL1, ICC_AP1R3_EL1)) return unsigned(r - ICC_AP1R0_EL1) < ap_registers;
  switch (r) {
    case ICC_PMR_EL1:
    case ICC_IAR0_EL1:
    case ICC_EOIR0_EL1:
    case ICC_HPPIR0_EL1:
    case ICC_BPR0_EL1:
    case ICC_DIR_EL1:
    case ICC_RPR_EL1:
    case ICC_SGI1R_EL1:
    case ICC_ASGI1R_EL1:
    case ICC_SGI0R_EL1:
    case ICC_IAR1_EL1:
    case ICC_EOIR1_EL1:
    case ICC_HPPIR1_EL1:
    case ICC_BPR1_EL1:
    case ICC_CTLR_EL1:
    case ICC_SRE_EL1:
    case ICC_IGRPEN0_EL1:
    case ICC_IGRPEN1_EL1: return true;
    case ICC_SRE_EL2:
    case ICC_CTLR_EL3:
    case ICC_SRE_EL3:
    case ICC_IGRPEN1_EL3: return core_.security;
    default: return false;
  }
}

void Gicv3CpuInterface::security_changed(SysregAccessor who) {
  std::lock_guard held{core_.mutex};
  pe().el3 = who.el == 3;
  pe().secure = who.secure;
  core_.signal(pe());
}

u64 Gicv3CpuInterface::read(SysregId id, SysregAccessor who) {
  std::lock_guard held{core_.mutex};
  auto traced = [&](const RegisterTrace& event, u64 value) {
    event(number_, value);
    return value;
  };
  u16 r = id.value;
  switch (r) {
    case ICC_IAR1_EL1: return traced(trace_iar1_read, acknowledge(true, who));
    case ICC_IAR0_EL1: return traced(trace_iar0_read, acknowledge(false, who));
    case ICC_PMR_EL1: return traced(trace_pmr_read, read_pmr(who));
    case ICC_HPPIR0_EL1: return traced(trace_hppir0_read, highest_pending(false, who));
    case ICC_HPPIR1_EL1: return traced(trace_hppir1_read, highest_pending(true, who));
    case ICC_BPR0_EL1: return traced(trace_bpr_read, pe().bpr0);
    case ICC_BPR1_EL1: return traced(trace_bpr_read, read_bpr1(who));
    case ICC_RPR_EL1: return traced(trace_rpr_read, read_rpr(who));
    case ICC_CTLR_EL1: return traced(trace_ctlr_read, read_ctlr(who));
    case ICC_CTLR_EL3: return traced(trace_ctlr_el3_read, read_ctlr_el3());
    case ICC_SRE_EL1: return kSre;
    case ICC_SRE_EL2: return 0;
    case ICC_SRE_EL3: return kSre | kSreEnable;
    case ICC_IGRPEN0_EL1: return traced(trace_igrpen_read, pe().group_enabled[kGroup0]);
    case ICC_IGRPEN1_EL1: return traced(trace_igrpen_read, pe().group_enabled[group1(who)]);
    case ICC_IGRPEN1_EL3:
      return traced(trace_igrpen1_el3_read,
                    pe().group_enabled[kGroup1Ns] | pe().group_enabled[kGroup1S] << 1);
    default: break;
  }
  if (within(r, ICC_AP0R0_EL1, ICC_AP0R3_EL1)) return pe().active[kGroup0].read(r - ICC_AP0R0_EL1);
  if (within(r, ICC_AP1R0_EL1, ICC_AP1R3_EL1)) return pe().active[group1(who)].read(r - ICC_AP1R0_EL1);
  guest_error("gicv3: read of write-only or unknown CPU interface register 0x%x", r);
  return 0;
}

void Gicv3CpuInterface::write(SysregId id, u64 value, SysregAccessor who) {
  std::lock_guard held{core_.mutex};
  u16 r = id.value;
  switch (r) {
    case ICC_EOIR1_EL1: trace_eoir_write(number_, value); return end_of_interrupt(true, value, who);
    case ICC_EOIR0_EL1: trace_eoir_write(number_, value); return end_of_interrupt(false, value, who);
    case ICC_DIR_EL1: trace_dir_write(number_, value); return deactivate(value, who);
    case ICC_PMR_EL1: trace_pmr_write(number_, value); return write_pmr(value, who);
    case ICC_SGI1R_EL1: trace_sgi1r_write(number_, value); return write_sgir(group1(who), value, who);
    // The other state's Group 1. With one Security state that is Group 0.
    case ICC_ASGI1R_EL1:
      trace_asgi1r_write(number_, value);
      return write_sgir(ns_bank(who) ? kGroup1S : kGroup1Ns, value, who);
    case ICC_SGI0R_EL1: trace_sgi0r_write(number_, value); return write_sgir(kGroup0, value, who);
    case ICC_BPR0_EL1: trace_bpr_write(number_, value); return write_bpr0(value);
    case ICC_BPR1_EL1: trace_bpr_write(number_, value); return write_bpr1(value, who);
    case ICC_CTLR_EL1: trace_ctlr_write(number_, value); return write_ctlr(value, who);
    case ICC_CTLR_EL3: trace_ctlr_el3_write(number_, value); return write_ctlr_el3(value);
    case ICC_SRE_EL1:
    case ICC_SRE_EL2:
    case ICC_SRE_EL3: return;
    case ICC_IGRPEN0_EL1: trace_igrpen_write(number_, value); return enable(kGroup0, value & 1);
    case ICC_IGRPEN1_EL1: trace_igrpen_write(number_, value); return enable(group1(who), value & 1);
    case ICC_IGRPEN1_EL3:
      trace_igrpen1_el3_write(number_, value);
      enable(kGroup1Ns, value & 1);
      return enable(kGroup1S, value & 2);
    default: break;
  }
  if (within(r, ICC_AP0R0_EL1, ICC_AP0R3_EL1)) {
    pe().active[kGroup0].write(r - ICC_AP0R0_EL1, u32(value));
    core_.signal(pe());
  } else if (within(r, ICC_AP1R0_EL1, ICC_AP1R3_EL1)) {
    pe().active[group1(who)].write(r - ICC_AP1R0_EL1, u32(value));
    core_.signal(pe());
  } else {
    guest_error("gicv3: write to read-only or unknown CPU interface register 0x%x", r);
  }
}

void Gicv3CpuInterface::enable(IrqGroup group, bool yes) {
  pe().group_enabled[group] = yes;
  core_.groups_changed(number_);
}

// Whether software there deals with interrupts of this group at all: Secure EL1 not with Non-secure Group 1,
// the Non-secure state with nothing else; EL3 with all.
bool Gicv3CpuInterface::may_handle(IrqGroup group, SysregAccessor who) const {
  if (!core_.security || who.el == 3) return true;
  return who.secure == (group != kGroup1Ns);
}

// ICC_HPPIR<x>_EL1 does not look at the priority mask or at the running priority.
unsigned Gicv3CpuInterface::highest_pending(bool group1, SysregAccessor who) {
  if (pe().best == kNoIrq) return kSpuriousIntid;
  unsigned intid = key_intid(pe().best);
  IrqGroup group = core_.group_of(number_, intid);
  if (group1 == (group != kGroup0)) return may_handle(group, who) ? intid : kSpuriousIntid;
  if (group1 || who.el != 3) return kSpuriousIntid;
  return group == kGroup1S ? kSecurePending : kNonSecurePending;
}

// ICC_IAR<x>_EL1
unsigned Gicv3CpuInterface::acknowledge(bool group1, SysregAccessor who) {
  unsigned intid = highest_pending(group1, who);
  if (intid == kSpuriousIntid || !core_.can_be_signalled(pe(), core_.group_of(number_, key_intid(pe().best))))
    return kSpuriousIntid;
  if (within(u16(intid), kSpecialIntid, kSpuriousIntid)) return intid;
  core_.activate(number_, intid);
  return intid;
}

// ICC_EOIR<x>_EL1: priority drop and, unless EOImode says that ICC_DIR_EL1 does it, deactivation. A write
// that does not match the highest active priority's group is UNPREDICTABLE; it is ignored.
void Gicv3CpuInterface::end_of_interrupt(bool group1, u64 value, SysregAccessor who) {
  unsigned intid = unsigned(extract(value, 0, 24));
  if (!core_.exists(intid)) {
    if (!within(u16(intid), kSpecialIntid, kSpuriousIntid)) guest_error("gicv3: EOI of INTID %u", intid);
    return;
  }
  Gicv3Core::Pe& p = pe();
  IrqGroup highest = kGroup0;
  for (IrqGroup g : {kGroup1Ns, kGroup1S})
    if (p.active[g].running() < p.active[highest].running()) highest = g;
  bool idle = p.active[highest].running() == ActivePriorities::kIdle;
  if (idle || group1 != (highest != kGroup0) || !may_handle(highest, who)) {
    guest_error("gicv3: EOI of INTID %u in Group %d, which has no highest active priority", intid,
                int(group1));
    return;
  }
  p.active[highest].drop();
  if (!splits_eoi(who) && may_handle(core_.group_of(number_, intid), who)) core_.deactivate(number_, intid);
  core_.signal(p);
}

void Gicv3CpuInterface::deactivate(u64 value, SysregAccessor who) {
  unsigned intid = unsigned(extract(value, 0, 24));
  if (!splits_eoi(who) || !core_.exists(intid)) {
    guest_error("gicv3: ICC_DIR_EL1 write of INTID %u with EOImode %d", intid, int(splits_eoi(who)));
    return;
  }
  if (may_handle(core_.group_of(number_, intid), who)) core_.deactivate(number_, intid);
}

// While SCR_EL3.FIQ is 1 the Non-secure state sees the lower half of the priorities as if it were all of
// them.
u64 Gicv3CpuInterface::read_pmr(SysregAccessor who) const {
  return shifts_priorities(who) ? non_secure_priority(pe().pmr) : pe().pmr;
}

void Gicv3CpuInterface::write_pmr(u64 value, SysregAccessor who) {
  u8 mask = u8(value);
  if (shifts_priorities(who)) {
    if (!(pe().pmr & 0x80)) return;  // the Secure side's mask
    mask = from_non_secure_priority(mask);
  }
  pe().pmr = mask & core_.priority_mask;
  core_.signal(pe());
}

u64 Gicv3CpuInterface::read_rpr(SysregAccessor who) const {
  u32 running = core_.running_priority(pe());
  if (running >= ActivePriorities::kIdle) return 0xff;
  return shifts_priorities(who) ? non_secure_priority(u8(running)) : running;
}

// PRIbits is the number of priority bits less one; IDbits 0 is 16 bits.
u64 Gicv3CpuInterface::common_ctlr() const { return u64{core_.priority_bits - 1} << 8 | kA3v | kRss; }

u64 Gicv3CpuInterface::read_ctlr(SysregAccessor who) const {
  const auto& b = bank(who);
  return common_ctlr() | (b.cbpr ? kCbpr : 0) | (b.eoi_mode ? kEoiMode : 0);
}

// With two Security states CBPR is read-only here.
void Gicv3CpuInterface::write_ctlr(u64 value, SysregAccessor who) {
  if (!core_.security) bank(who).cbpr = value & kCbpr;
  bank(who).eoi_mode = value & kEoiMode;
  core_.signal(pe());
}

u64 Gicv3CpuInterface::read_ctlr_el3() const {
  const auto& s = pe().bank[Gicv3Core::Pe::kS];
  const auto& ns = pe().bank[Gicv3Core::Pe::kNs];
  return common_ctlr() | kNds | (s.cbpr ? kCbprS : 0) | (ns.cbpr ? kCbprNs : 0) |
         (pe().eoi_mode_el3 ? kEoiModeEl3 : 0) | (s.eoi_mode ? kEoiModeS : 0) |
         (ns.eoi_mode ? kEoiModeNs : 0);
}

void Gicv3CpuInterface::write_ctlr_el3(u64 value) {
  auto& s = pe().bank[Gicv3Core::Pe::kS];
  auto& ns = pe().bank[Gicv3Core::Pe::kNs];
  s.cbpr = value & kCbprS, ns.cbpr = value & kCbprNs;
  s.eoi_mode = value & kEoiModeS, ns.eoi_mode = value & kEoiModeNs;
  pe().eoi_mode_el3 = value & kEoiModeEl3;
  core_.signal(pe());
}

// Below EL3, CBPR makes ICC_BPR1_EL1 another name of ICC_BPR0_EL1 in the Secure state; in the Non-secure one,
// and with one state, it shows ICC_BPR0_EL1 + 1, at most 7, and ignores writes.
u64 Gicv3CpuInterface::read_bpr1(SysregAccessor who) const {
  if (!bank(who).cbpr || who.el == 3) return bank(who).bpr1;
  return ns_bank(who) ? std::min(pe().bpr0 + 1, 7) : pe().bpr0;
}

void Gicv3CpuInterface::write_bpr0(u64 value) {
  pe().bpr0 = std::max(u8(value & 7), core_.min_bpr0);
  core_.signal(pe());
}

void Gicv3CpuInterface::write_bpr1(u64 value, SysregAccessor who) {
  if (bank(who).cbpr && who.el != 3) {
    if (!ns_bank(who)) write_bpr0(value);
    return;
  }
  bank(who).bpr1 = std::max(u8(value & 7), u8(core_.min_bpr0 + ns_bank(who)));
  core_.signal(pe());
}

// ICC_SGI<x>R_EL1: an SGI for every other PE (IRM), or for up to 16 PEs with the same Aff3, Aff2 and Aff1,
// whose Aff0 is RS * 16 + n for each bit n of the target list. It is delivered where it belongs to the group.
void Gicv3CpuInterface::write_sgir(IrqGroup group, u64 value, SysregAccessor who) {
  unsigned intid = unsigned(extract(value, 24, 4));
  bool from_ns = core_.security && !who.secure;
  if (bit(value, 40)) {
    for (unsigned n = 0; n < core_.pes.size(); n++)
      if (n != number_) core_.send_sgi(n, intid, group, from_ns);
    return;
  }
  u32 cluster = u32(extract(value, 48, 8) << 24 | extract(value, 32, 8) << 16 | extract(value, 16, 8) << 8);
  u32 first = cluster | u32(extract(value, 44, 4)) << 4;
  for_each_bit(u32(extract(value, 0, 16)), [&](unsigned n) {
    u16 to = core_.pe_with_affinity(first + n);
    if (to != Gicv3Core::kNoPe) core_.send_sgi(to, intid, group, from_ns);
  });
}

}  // namespace sluice
