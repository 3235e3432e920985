// devices/gic/gicv3_distributor.cpp: GICD_*, Arm IHI 0069H, with ARE == 1. With two Security states a
// Non-secure access sees Non-secure Group 1 only.
#include "base/log.h"
#include "base/trace.h"
#include "devices/gic/gic_id.h"
#include "devices/gic/gicv3_frames.h"

namespace sluice {
namespace {

Trace<u64, u64, unsigned, bool> trace_read{"gicv3_dist_read", "offset={:#x} data={:#x} size={} secure={:d}"};
Trace<u64, u64, unsigned, bool> trace_write{"gicv3_dist_write",
                                            "offset={:#x} data={:#x} size={} secure={:d}"};

constexpr u32 kCtlr = 0x0000, kTyper = 0x0004, kIidr = 0x0008, kTyper2 = 0x000c, kStatusr = 0x0010;
constexpr u32 kIgroupr = 0x0080, kIpriorityr = 0x0400, kItargetsr = 0x0800, kIcfgr = 0x0c00,
              kIgrpmodr = 0x0d00;
constexpr u32 kIrouter = 0x6000, kIrouterEnd = 0x8000;

// GICD_CTLR
constexpr u32 kEnableGrp0 = 1 << 0, kEnableGrp1 = 1 << 1, kAre = 1 << 4, kDs = 1 << 6;
constexpr u32 kEnableGrp1S = 1 << 2, kAreNs = 1 << 5;  // with two Security states, Secure view
// GICD_TYPER
constexpr u32 kSecurityExtn = 1 << 10, kLpis = 1 << 17, kA3v = 1 << 24, kRss = 1 << 26;
constexpr u32 kIdBits = kIntidBits - 1;  // 16 bits, as in ICC_CTLR_EL1.IDbits

bool is_word(u32 offset, unsigned size) { return size == 4 && offset % 4 == 0; }
bool is_router(u32 offset) { return offset >= kIrouter && offset < kIrouterEnd; }

}  // namespace

MemTxResult Gicv3Distributor::read(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) {
  std::lock_guard held{core_.mutex};
  bool ns = core_.is_non_secure(attrs);
  u32 at = u32(offset & 0xffff);
  if (is_word(at, size)) {
    value = read32(at, ns);
  } else if (size == 8 && at % 8 == 0 && is_router(at)) {
    unsigned intid = (at - kIrouter) / 8;
    value = hides(intid, ns) ? 0 : core_.irouter[intid];
  } else if (size == 1 && at >= kIpriorityr && at < kItargetsr) {
    value = u8(read32(at & ~3u, ns) >> at % 4 * 8);
  } else {
    value = 0;
    guest_error("gicv3: %u-byte read of the Distributor at offset 0x%x", size, at);
  }
  trace_read(offset, value, size, !ns);
  return MemTxResult::ok();
}

MemTxResult Gicv3Distributor::write(u64 offset, unsigned size, u64 value, MemTxAttrs attrs) {
  std::lock_guard held{core_.mutex};
  bool ns = core_.is_non_secure(attrs);
  u32 at = u32(offset & 0xffff);
  trace_write(offset, value, size, !ns);
  if (is_router(at) && (is_word(at, size) || (size == 8 && at % 8 == 0))) {
    if (!hides((at - kIrouter) / 8, ns)) write_router(at, size, value);
  } else if (is_word(at, size)) {
    write32(at, u32(value), ns);
  } else if (size == 1 && at >= kIpriorityr && at < kItargetsr) {
    write_priority(at - kIpriorityr, u8(value), ns);
  } else {
    guest_error("gicv3: %u-byte write to the Distributor at offset 0x%x", size, at);
  }
  return MemTxResult::ok();
}

// With affinity routing the registers of INTIDs 0..31 are in the Redistributors, and RES0 here.
bool Gicv3Distributor::hides(unsigned intid, bool ns) const {
  return ns && (intid >= core_.words * 32 || !bit(core_.spi[intid / 32].group, intid % 32));
}

u32 Gicv3Distributor::read_ctlr(bool ns) const {
  const auto& enabled = core_.group_enabled;
  if (ns) return kAre | (enabled[kGroup1Ns] ? kEnableGrp1 : 0);
  return kAre | (core_.security ? kAreNs : kDs) | (enabled[kGroup0] ? kEnableGrp0 : 0) |
         (enabled[kGroup1Ns] ? kEnableGrp1 : 0) | (enabled[kGroup1S] ? kEnableGrp1S : 0);
}

void Gicv3Distributor::write_ctlr(u32 value, bool ns) {
  core_.group_enabled[kGroup1Ns] = value & kEnableGrp1;
  if (!ns) {
    core_.group_enabled[kGroup0] = value & kEnableGrp0;
    core_.group_enabled[kGroup1S] = core_.security && (value & kEnableGrp1S);
  }
  core_.all_groups_changed();
}

u32 Gicv3Distributor::read32(u32 at, bool ns) {
  if (at >= kIgroupr && at < kIpriorityr) {
    unsigned w = at % 0x80 / 4;
    IrqBitmap which = IrqBitmap(at / 0x80);
    if (w == 0 || (ns && which == IrqBitmap::IGROUPR)) return 0;
    return core_.spi[w].read(which) & core_.visible(core_.spi[w], w, ns);
  }
  if (at >= kIpriorityr && at < kItargetsr) {
    unsigned intid = at - kIpriorityr;
    if (intid < 32) return 0;
    return core_.spi[intid / 32].read_ipriorityr(intid % 32, ns);
  }
  if (at >= kIcfgr && at < kIgrpmodr) {
    unsigned n = (at - kIcfgr) / 4;
    return n < 2 ? 0 : core_.spi[n / 2].read_icfgr(n % 2, core_.visible(core_.spi[n / 2], n / 2, ns));
  }
  if (at >= kIgrpmodr && at < kIgrpmodr + 0x80) {
    unsigned w = (at - kIgrpmodr) / 4;
    return w && !ns ? core_.spi[w].modifier : 0;
  }
  if (is_router(at)) {
    unsigned intid = (at - kIrouter) / 8;
    return hides(intid, ns) ? 0 : u32(core_.irouter[intid] >> at % 8 * 8);
  }
  if (at >= kGicIdOffset) return gic_id(GicVersion::V3, at);
  switch (at) {
    case kCtlr: return read_ctlr(ns);
    case kTyper:
      return (core_.words - 1) | kIdBits << 19 | kA3v | kRss | (core_.has_lpis ? kLpis : 0) |
             (core_.security ? kSecurityExtn : 0);
    case kIidr: return kGicIidr;
    default: return 0;  // RES0, or write-only
  }
}

void Gicv3Distributor::write32(u32 at, u32 value, bool ns) {
  if (at >= kIgroupr && at < kIpriorityr) return write_bitmap(at, value, ns);
  if (at >= kIpriorityr && at < kItargetsr) {
    for (unsigned i = 0; i < 4; i++) write_priority(at - kIpriorityr + i, u8(value >> i * 8), ns);
    return;
  }
  if (at >= kIcfgr && at < kIgrpmodr) {
    unsigned n = (at - kIcfgr) / 4;
    if (n < 2) return;
    IrqWord& w = core_.spi[n / 2];
    u32 before = w.deliverable();
    w.write_icfgr(n % 2, value, core_.visible(w, n / 2, ns));
    return core_.spis_changed(n / 2, before);
  }
  if (at == kCtlr) return write_ctlr(value, ns);
  if (core_.security && at >= kIgrpmodr && at < kIgrpmodr + 0x80) {
    unsigned w = (at - kIgrpmodr) / 4;
    if (w == 0 || ns) return;
    u32 moved = (core_.spi[w].modifier ^ value) & core_.present[w];
    core_.spi[w].modifier ^= moved;
    return core_.spis_reordered(w, moved);
  }
  bool res0 = at == kStatusr || at == kTyper2 || (at >= kItargetsr && at < kIcfgr) ||
              (at >= kIgrpmodr && at < 0x1000);
  if (!res0) guest_error("gicv3: write to read-only or unknown Distributor register 0x%x", at);
}

void Gicv3Distributor::write_bitmap(u32 at, u32 value, bool ns) {
  unsigned n = at % 0x80 / 4;
  if (n == 0) return;
  IrqBitmap which = IrqBitmap(at / 0x80);
  if (ns && which == IrqBitmap::IGROUPR) return;
  IrqWord& w = core_.spi[n];
  u32 before = w.deliverable(), old_group = w.group;
  w.write(which, value, core_.visible(w, n, ns));
  core_.spis_changed(n, before);
  if (u32 moved = w.group ^ old_group) core_.spis_reordered(n, moved);
}

void Gicv3Distributor::write_priority(unsigned intid, u8 priority, bool ns) {
  if (intid < 32 || intid >= core_.lines || hides(intid, ns)) return;
  if (ns) priority = from_non_secure_priority(priority);
  u8& now = core_.spi[intid / 32].priority[intid % 32];
  if (now == (priority & core_.priority_mask)) return;
  now = priority & core_.priority_mask;
  core_.spis_reordered(intid / 32, u32{1} << intid % 32);
}

void Gicv3Distributor::write_router(u32 at, unsigned size, u64 value) {
  constexpr u64 kWritable = 0xff'80ff'ffff;  // Aff3, Interrupt_Routing_Mode, Aff2, Aff1, Aff0
  unsigned intid = (at - kIrouter) / 8;
  if (intid < 32 || !core_.exists(intid)) return;
  u64 now = size == 8 ? value : deposit(core_.irouter[intid], at % 8 * 8, 32, value);
  if ((now & kWritable) != core_.irouter[intid]) core_.set_route(intid, now & kWritable);
}

}  // namespace sluice
