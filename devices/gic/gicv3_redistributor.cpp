// devices/gic/gicv3_redistributor.cpp: GICR_*, Arm IHI 0069H. With two Security states a
// Non-secure access sees Non-secure Group 1 only. No direct LPIs (GICR_TYPER.DirectLPI == 0): an
// ITS makes them. They share their configuration table (GICR_TYPER.CommonLPIAff == 0).
#include "base/log.h"
#include "base/trace.h"
#include "devices/gic/gic_id.h"
#include "devices/gic/gicv3_frames.h"

namespace sluice {
namespace {

Trace<u64, u64, u64, unsigned, bool> trace_read{"gicv3_redist_read",
                                                "cpu={} offset={:#x} data={:#x} size={} secure={:d}"};
Trace<u64, u64, u64, unsigned, bool> trace_write{"gicv3_redist_write",
                                                 "cpu={} offset={:#x} data={:#x} size={} secure={:d}"};

constexpr u32 kCtlr = 0x00, kIidr = 0x04, kTyper = 0x08, kStatusr = 0x10, kWaker = 0x14;
constexpr u32 kPropbaser = 0x70, kPendbaser = 0x78;
constexpr u32 kLpiFirst = 0x40, kLpiEnd = 0xc4;  // GICR_SETLPIR .. GICR_SYNCR: RES0 without direct LPIs
constexpr u32 kIgroupr0 = 0x080, kIpriorityr0 = 0x400, kIpriorityrEnd = 0x420;
constexpr u32 kIcfgr0 = 0xc00, kIcfgr1 = 0xc04, kIgrpmodr0 = 0xd00, kNsacr = 0xe00;

constexpr u32 kEnableLpis = 1 << 0, kCes = 1 << 1;                   // GICR_CTLR
constexpr u32 kDpg0 = 1 << 24, kDpg1Ns = 1 << 25, kDpg1S = 1 << 26;  // GICR_CTLR
constexpr u32 kProcessorSleep = 1 << 1, kChildrenAsleep = 1 << 2;    // GICR_WAKER
constexpr u64 kPlpis = 1 << 0, kLast = 1 << 4, kDpgs = 1 << 5;       // GICR_TYPER
constexpr u32 kPpis = 0xffff'0000;
// Address, cacheability, shareability and IDbits; address, cacheability and shareability. PTZ is write-only.
constexpr u64 kPropbaserWritable = 0x070f'ffff'ffff'ff9f, kPendbaserWritable = 0x070f'ffff'ffff'0f80;
constexpr u64 kPtz = u64{1} << 62;

}  // namespace

MemTxResult Gicv3Redistributors::read(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) {
  std::lock_guard held{core_.mutex};
  bool ns = core_.is_non_secure(attrs);
  u64 n = offset / Gicv3::kRedistributorStride;
  u32 at = u32(offset & 0xffff);
  bool sgi_base = offset & 0x10000;
  value = 0;
  if (n >= core_.pes.size()) {
    guest_error("gicv3: read beyond the last Redistributor, offset 0x%llx",
                static_cast<unsigned long long>(offset));
  } else if (size == 4 && at % 4 == 0) {
    value = sgi_base ? read_sgi(unsigned(n), at, ns) : read_rd(unsigned(n), at, ns);
  } else if (size == 8 && !sgi_base && at % 8 == 0) {
    value = read_rd(unsigned(n), at, ns) | u64{read_rd(unsigned(n), at + 4, ns)} << 32;
  } else if (size == 1 && sgi_base && at >= kIpriorityr0 && at < kIpriorityrEnd) {
    value = u8(core_.pes[n].own.read_ipriorityr((at - kIpriorityr0) & ~3u, ns) >> at % 4 * 8);
  } else {
    guest_error("gicv3: %u-byte read of a Redistributor at offset 0x%x", size, unsigned(offset & 0x1ffff));
  }
  trace_read(n, offset % Gicv3::kRedistributorStride, value, size, !ns);
  return MemTxResult::ok();
}

MemTxResult Gicv3Redistributors::write(u64 offset, unsigned size, u64 value, MemTxAttrs attrs) {
  bool switched;
  {
    std::lock_guard held{core_.mutex};
    switched = write_locked(offset, size, value, core_.is_non_secure(attrs));
  }
  // The tables are in memory, which must not be reached with the lock held.
  if (switched) lpis_->switched(unsigned(offset / Gicv3::kRedistributorStride));
  return MemTxResult::ok();
}

// True: GICR_CTLR.EnableLPIs has changed.
bool Gicv3Redistributors::write_locked(u64 offset, unsigned size, u64 value, bool ns) {
  u64 n = offset / Gicv3::kRedistributorStride;
  u32 at = u32(offset & 0xffff);
  bool sgi_base = offset & 0x10000;
  trace_write(n, offset % Gicv3::kRedistributorStride, value, size, !ns);
  if (n >= core_.pes.size()) {
    guest_error("gicv3: write beyond the last Redistributor, offset 0x%llx",
                static_cast<unsigned long long>(offset));
    return false;
  }
  u64 switches = core_.pes[n].lpis.switches;
  if (size == 4 && at % 4 == 0) {
    sgi_base ? write_sgi(unsigned(n), at, u32(value), ns) : write_rd(unsigned(n), at, u32(value), ns);
  } else if (size == 8 && !sgi_base && at % 8 == 0) {
    write_rd(unsigned(n), at, u32(value), ns);
    write_rd(unsigned(n), at + 4, u32(value >> 32), ns);
  } else if (size == 1 && sgi_base && at >= kIpriorityr0 && at < kIpriorityrEnd) {
    write_priority(unsigned(n), at - kIpriorityr0, u8(value), ns);
  } else {
    guest_error("gicv3: %u-byte write to a Redistributor at offset 0x%x", size, unsigned(offset & 0x1ffff));
  }
  return core_.pes[n].lpis.switches != switches;
}

u64 Gicv3Redistributors::typer(unsigned n) const {
  bool last = n + 1 == core_.pes.size() || n + 1 == core_.first_region;
  return u64{core_.pes[n].affinity} << 32 | u64{n} << 8 | (last ? kLast : 0) | kDpgs | (lpis_ ? kPlpis : 0);
}

// GICR_CTLR.DPG0 and DPG1S, and GICR_WAKER, are Secure software's.
u32 Gicv3Redistributors::read_rd(unsigned n, u32 at, bool ns) {
  const Gicv3Core::Pe& pe = core_.pes[n];
  if (at >= kGicIdOffset) return gic_id(GicVersion::V3, at);
  switch (at) {
    case kCtlr:
      return (pe.lpis.enable ? kEnableLpis : 0) | (lpis_ ? kCes : 0) |
             (pe.opted_out[kGroup1Ns] ? kDpg1Ns : 0) | (pe.opted_out[kGroup0] && !ns ? kDpg0 : 0) |
             (pe.opted_out[kGroup1S] && !ns ? kDpg1S : 0);
    case kIidr: return kGicIidr;
    case kTyper: return u32(typer(n));
    case kTyper + 4: return u32(typer(n) >> 32);
    case kWaker: return pe.processor_sleep && !ns ? kProcessorSleep | kChildrenAsleep : 0;
    case kPropbaser: return u32(pe.lpis.propbaser);
    case kPropbaser + 4: return u32(pe.lpis.propbaser >> 32);
    case kPendbaser: return u32(pe.lpis.pendbaser);
    case kPendbaser + 4: return u32(pe.lpis.pendbaser >> 32);
    default: return 0;
  }
}

void Gicv3Redistributors::write_rd(unsigned n, u32 at, u32 value, bool ns) {
  Gicv3Core::Pe& pe = core_.pes[n];
  switch (at) {
    case kCtlr: return write_ctlr(n, value, ns);
    case kPropbaser:
    case kPropbaser + 4:
    case kPendbaser:
    case kPendbaser + 4: return write_lpi_base(n, at, value);
    // DEVIATION: GICR_WAKER.ProcessorSleep == 1 does not hold interrupts back. It would assert WakeRequest,
    // and the system would wake the PE; firmware for this board never clears the bit and expects interrupts.
    // It does keep the PE out of the 1 of N model.
    case kWaker:
      if (ns) return;
      pe.processor_sleep = value & kProcessorSleep;
      core_.groups_changed(n);
      return;
    default:
      bool res0 = at == kStatusr || (at >= kLpiFirst && at < kLpiEnd);
      if (!res0) guest_error("gicv3: write to read-only or unknown Redistributor register 0x%x", at);
  }
}

void Gicv3Redistributors::write_ctlr(unsigned n, u32 value, bool ns) {
  Gicv3Core::Pe& pe = core_.pes[n];
  bool enable = lpis_ && (value & kEnableLpis);
  if (enable != pe.lpis.enable) {
    pe.lpis.enable = enable;
    pe.lpis.switches++;
  }
  pe.opted_out[kGroup1Ns] = value & kDpg1Ns;
  if (!ns) {
    pe.opted_out[kGroup0] = value & kDpg0;
    pe.opted_out[kGroup1S] = core_.security && (value & kDpg1S);
  }
  core_.groups_changed(n);
}

// While EnableLPIs is 1 a write is UNPREDICTABLE; it is ignored.
void Gicv3Redistributors::write_lpi_base(unsigned n, u32 at, u32 value) {
  LpiState& lpis = core_.pes[n].lpis;
  if (!lpis_) return;
  if (lpis.enable) return guest_error("gicv3: write to LPI table registers with EnableLPIs == 1");
  bool prop = at < kPendbaser;
  u64& base = prop ? lpis.propbaser : lpis.pendbaser;
  u64 now = deposit(base, at % 8 * 8, 32, value);
  if (!prop && at % 8) lpis.pending_table_zero = now & kPtz;
  base = now & (prop ? kPropbaserWritable : kPendbaserWritable);
}

u32 Gicv3Redistributors::read_sgi(unsigned n, u32 at, bool ns) {
  const IrqWord& own = core_.pes[n].own;
  u32 visible = core_.visible(own, 0, ns);
  if (at >= kIgroupr0 && at < kIpriorityr0) {
    IrqBitmap which = IrqBitmap(at / 0x80);
    return at % 0x80 || (ns && which == IrqBitmap::IGROUPR) ? 0 : own.read(which) & visible;
  }
  if (at >= kIpriorityr0 && at < kIpriorityrEnd) {
    return own.read_ipriorityr(at - kIpriorityr0, ns);
  }
  if (at == kIgrpmodr0) return ns ? 0 : own.modifier;
  if (at == kIcfgr0 || at == kIcfgr1) return own.read_icfgr(at == kIcfgr1, visible);
  if (at >= kGicIdOffset) return gic_id(GicVersion::V3, at);
  return 0;
}

void Gicv3Redistributors::write_sgi(unsigned n, u32 at, u32 value, bool ns) {
  IrqWord& own = core_.pes[n].own;
  u32 visible = core_.visible(own, 0, ns);
  u32 before = own.deliverable();
  if (at >= kIgroupr0 && at < kIpriorityr0 && at % 0x80 == 0) {
    IrqBitmap which = IrqBitmap(at / 0x80);
    if (ns && which == IrqBitmap::IGROUPR) return;
    u32 old_group = own.group;
    own.write(which, value, visible);
    core_.own_changed(n, before);
    if (own.group != old_group) core_.rescan(n);
  } else if (at >= kIpriorityr0 && at < kIpriorityrEnd) {
    for (unsigned i = 0; i < 4; i++) write_priority(n, at - kIpriorityr0 + i, u8(value >> i * 8), ns);
  } else if (at == kIcfgr1) {
    own.write_icfgr(1, value, kPpis & visible);
    core_.own_changed(n, before);
  } else if (at == kIgrpmodr0 && core_.security) {
    if (ns) return;
    own.modifier = value;
    core_.rescan(n);
  } else if (at != kIcfgr0 && at != kIgrpmodr0 &&
             at != kNsacr) {  // SGIs are always edge-triggered; one state: RES0
    guest_error("gicv3: write to read-only or unknown Redistributor register 0x%x", 0x10000 + at);
  }
}

void Gicv3Redistributors::write_priority(unsigned n, unsigned intid, u8 priority, bool ns) {
  IrqWord& own = core_.pes[n].own;
  if (ns && !bit(own.group, intid)) return;
  if (ns) priority = from_non_secure_priority(priority);
  own.priority[intid] = priority & core_.priority_mask;
  if (bit(own.deliverable(), intid)) core_.rescan(n);
}

}  // namespace sluice
