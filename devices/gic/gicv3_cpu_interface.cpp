// devices/gic/gicv3_cpu_interface.cpp: ICC_*_EL1, Arm IHI 0069H, as seen in a system with one Security state.
#include <algorithm>

#include "base/log.h"
#include "devices/gic/gicv3_frames.h"

namespace sluice {
namespace {

// Every ICC register but ICC_PMR_EL1 is op0 3, CRn 12. The EL2 and EL3 rows are here so that every register
// of the interface has its name; a CPU interface without those Exception levels does not implement them.
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
constexpr u64 kSre = 7;

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
    case ICC_IGRPEN1_EL3:
    default: return false;
  }
}

u64 Gicv3CpuInterface::read(SysregId id, SysregAccessor) {
  std::lock_guard held{core_.mutex};
  u16 r = id.value;
  switch (r) {
    case ICC_IAR1_EL1: return acknowledge(true);
    case ICC_IAR0_EL1: return acknowledge(false);
    case ICC_PMR_EL1: return pe().pmr;
    case ICC_HPPIR0_EL1: return highest_pending(false);
    case ICC_HPPIR1_EL1: return highest_pending(true);
    case ICC_BPR0_EL1: return pe().bpr0;
    case ICC_BPR1_EL1: return read_bpr1();
    case ICC_RPR_EL1: return std::min<u32>(core_.running_priority(pe()), 0xff);
    case ICC_CTLR_EL1: return read_ctlr();
    case ICC_SRE_EL1: return kSre;
    case ICC_IGRPEN0_EL1: return pe().group_enabled[0];
    case ICC_IGRPEN1_EL1: return pe().group_enabled[1];
    default: break;
  }
  if (within(r, ICC_AP0R0_EL1, ICC_AP0R3_EL1)) return pe().active[0].read(r - ICC_AP0R0_EL1);
  if (within(r, ICC_AP1R0_EL1, ICC_AP1R3_EL1)) return pe().active[1].read(r - ICC_AP1R0_EL1);
  guest_error("gicv3: read of write-only or unknown CPU interface register 0x%x", r);
  return 0;
}

void Gicv3CpuInterface::write(SysregId id, u64 value, SysregAccessor) {
  std::lock_guard held{core_.mutex};
  u16 r = id.value;
  switch (r) {
    case ICC_EOIR1_EL1: return end_of_interrupt(true, value);
    case ICC_EOIR0_EL1: return end_of_interrupt(false, value);
    case ICC_DIR_EL1: return deactivate(value);
    case ICC_PMR_EL1: pe().pmr = u8(value) & core_.priority_mask; return core_.signal(pe());
    case ICC_SGI1R_EL1: return write_sgir(true, value);
    // With one Security state the other one's Group 1, which ICC_ASGI1R_EL1 addresses, is Group 0.
    case ICC_ASGI1R_EL1:
    case ICC_SGI0R_EL1: return write_sgir(false, value);
    case ICC_BPR0_EL1: return write_bpr(false, value);
    case ICC_BPR1_EL1: return write_bpr(true, value);
    case ICC_CTLR_EL1: return write_ctlr(value);
    case ICC_SRE_EL1: return;
    case ICC_IGRPEN0_EL1:
    case ICC_IGRPEN1_EL1:
      pe().group_enabled[r == ICC_IGRPEN1_EL1] = value & 1;
      return core_.groups_changed(number_);
    default: break;
  }
  if (within(r, ICC_AP0R0_EL1, ICC_AP0R3_EL1)) {
    pe().active[0].write(r - ICC_AP0R0_EL1, u32(value));
    core_.signal(pe());
  } else if (within(r, ICC_AP1R0_EL1, ICC_AP1R3_EL1)) {
    pe().active[1].write(r - ICC_AP1R0_EL1, u32(value));
    core_.signal(pe());
  } else {
    guest_error("gicv3: write to read-only or unknown CPU interface register 0x%x", r);
  }
}

// ICC_HPPIR<x>_EL1 does not look at the priority mask or at the running priority.
unsigned Gicv3CpuInterface::highest_pending(bool group1) {
  if (pe().best == kNoIrq) return kSpuriousIntid;
  unsigned intid = key_intid(pe().best);
  return core_.is_group1(number_, intid) == group1 ? intid : kSpuriousIntid;
}

// ICC_IAR<x>_EL1
unsigned Gicv3CpuInterface::acknowledge(bool group1) {
  unsigned intid = highest_pending(group1);
  if (intid == kSpuriousIntid || !core_.can_be_signalled(pe(), group1)) return kSpuriousIntid;
  core_.activate(number_, intid);
  return intid;
}

// ICC_EOIR<x>_EL1: priority drop and, unless EOImode says that ICC_DIR_EL1 does it, deactivation. A write
// that does not match the highest active priority's group is UNPREDICTABLE; it is ignored.
void Gicv3CpuInterface::end_of_interrupt(bool group1, u64 value) {
  unsigned intid = unsigned(extract(value, 0, 24));
  if (!core_.exists(intid)) {
    if (!within(u16(intid), kSpecialIntid, kSpuriousIntid)) guest_error("gicv3: EOI of INTID %u", intid);
    return;
  }
  Gicv3Core::Pe& p = pe();
  u32 mine = p.active[group1].running();
  if (mine == ActivePriorities::kIdle || p.active[!group1].running() < mine) {
    guest_error("gicv3: EOI of INTID %u in Group %d, which has no highest active priority", intid,
                int(group1));
    return;
  }
  p.active[group1].drop();
  if (!p.eoi_mode) core_.deactivate(number_, intid);
  core_.signal(p);
}

void Gicv3CpuInterface::deactivate(u64 value) {
  unsigned intid = unsigned(extract(value, 0, 24));
  if (!pe().eoi_mode || !core_.exists(intid)) {
    guest_error("gicv3: ICC_DIR_EL1 write of INTID %u with EOImode %d", intid, int(pe().eoi_mode));
    return;
  }
  core_.deactivate(number_, intid);
}

// PRIbits is the number of priority bits less one; IDbits 0 is 16 bits.
u64 Gicv3CpuInterface::read_ctlr() const {
  return (pe().cbpr ? kCbpr : 0) | (pe().eoi_mode ? kEoiMode : 0) | u64{core_.priority_bits - 1} << 8 | kA3v |
         kRss;
}

void Gicv3CpuInterface::write_ctlr(u64 value) {
  pe().cbpr = value & kCbpr;
  pe().eoi_mode = value & kEoiMode;
  core_.signal(pe());
}

// With CBPR set, ICC_BPR1_EL1 shows ICC_BPR0_EL1 + 1, at most 7, and ignores writes.
u64 Gicv3CpuInterface::read_bpr1() const { return pe().cbpr ? std::min(pe().bpr0 + 1, 7) : pe().bpr1; }

void Gicv3CpuInterface::write_bpr(bool group1, u64 value) {
  Gicv3Core::Pe& p = pe();
  if (group1 && p.cbpr) return;
  u8 least = u8(core_.min_bpr0 + group1);
  (group1 ? p.bpr1 : p.bpr0) = std::max(u8(value & 7), least);
  core_.signal(p);
}

// ICC_SGI<x>R_EL1: an SGI for every other PE (IRM), or for up to 16 PEs with the same Aff3, Aff2 and Aff1,
// whose Aff0 is RS * 16 + n for each bit n of the target list. It is delivered where it belongs to the group.
void Gicv3CpuInterface::write_sgir(bool group1, u64 value) {
  unsigned intid = unsigned(extract(value, 24, 4));
  if (bit(value, 40)) {
    for (unsigned n = 0; n < core_.pes.size(); n++)
      if (n != number_) core_.send_sgi(n, intid, group1);
    return;
  }
  u32 cluster = u32(extract(value, 48, 8) << 24 | extract(value, 32, 8) << 16 | extract(value, 16, 8) << 8);
  u32 first = cluster | u32(extract(value, 44, 4)) << 4;
  for_each_bit(u32(extract(value, 0, 16)), [&](unsigned n) {
    u16 to = core_.pe_with_affinity(first + n);
    if (to != Gicv3Core::kNoPe) core_.send_sgi(to, intid, group1);
  });
}

}  // namespace sluice
