// devices/gic/gicv2_distributor.cpp: GICD_*, Arm IHI 0048B.b section 4.3. A Non-secure access sees Group 1
// only.
#include "base/log.h"
#include "base/trace.h"
#include "devices/gic/gic_id.h"
#include "devices/gic/gicv2_frames.h"

namespace sluice {
namespace {

Trace<u64, u64, unsigned, bool> trace_read{"gic_dist_read", "offset={:#x} data={:#x} size={} secure={:d}"};
Trace<u64, u64, unsigned, bool> trace_write{"gic_dist_write", "offset={:#x} data={:#x} size={} secure={:d}"};

constexpr u32 kCtlr = 0x000, kTyper = 0x004, kIidr = 0x008;
constexpr u32 kIgroupr = 0x080, kIpriorityr = 0x400, kItargetsr = 0x800, kIcfgr = 0xc00, kIcfgrEnd = 0xd00;
constexpr u32 kNsacr = 0xe00, kSgir = 0xf00, kCpendsgir = 0xf10, kSpendsgir = 0xf20, kSgiEnd = 0xf30;
constexpr u32 kSgis = 0xffff, kPpis = 0xffff'0000;
constexpr u32 kSecurityExtn = 1 << 10;  // GICD_TYPER

bool in(u32 at, u32 first, u32 end) { return at >= first && at < end; }
// GICD_IPRIORITYR, GICD_ITARGETSR, GICD_CPENDSGIR and GICD_SPENDSGIR are byte accessible.
bool has_bytes(u32 at) { return in(at, kIpriorityr, kIcfgr) || in(at, kCpendsgir, kSgiEnd); }

}  // namespace

MemTxResult Gicv2Distributor::read(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) {
  std::lock_guard held{core_.mutex};
  Gicv2View v = core_.view(attrs);
  u32 at = u32(offset & 0xfff);
  value = 0;
  if (offset >= Gicv2::kDistributorSize) {
    guest_error("gicv2: read beyond the Distributor, offset 0x%llx", static_cast<unsigned long long>(offset));
  } else if (size == 4 && at % 4 == 0) {
    value = read32(v, at);
  } else if (size == 1 && has_bytes(at)) {
    value = read_byte(v, at);
  } else {
    guest_error("gicv2: %u-byte read of the Distributor at offset 0x%x", size, at);
  }
  trace_read(offset, value, size, !v.ns);
  return MemTxResult::ok();
}

MemTxResult Gicv2Distributor::write(u64 offset, unsigned size, u64 value, MemTxAttrs attrs) {
  std::lock_guard held{core_.mutex};
  Gicv2View v = core_.view(attrs);
  u32 at = u32(offset & 0xfff);
  trace_write(offset, value, size, !v.ns);
  if (offset >= Gicv2::kDistributorSize) {
    guest_error("gicv2: write beyond the Distributor, offset 0x%llx",
                static_cast<unsigned long long>(offset));
  } else if (size == 4 && at % 4 == 0) {
    write32(v, at, u32(value));
  } else if (size == 1 && has_bytes(at)) {
    write_byte(v, at, u8(value));
  } else {
    guest_error("gicv2: %u-byte write to the Distributor at offset 0x%x", size, at);
  }
  return MemTxResult::ok();
}

u8 Gicv2Distributor::read_byte(Gicv2View v, u32 at) {
  if (at < kItargetsr) {
    unsigned intid = at - kIpriorityr;
    if (!core_.exists(intid) || core_.hides(v, intid)) return 0;
    u8 priority = core_.word_of(v.pe, intid).priority[intid % 32];
    return v.ns ? non_secure_priority(priority) : priority;
  }
  if (at < kIcfgr) {
    unsigned intid = at - kItargetsr;
    if (core_.uniprocessor() || !core_.exists(intid) || core_.hides(v, intid)) return 0;
    return intid < 32 ? u8(1u << v.pe) : core_.target[intid];
  }
  return core_.hides(v, at % 16) ? 0 : core_.pes[v.pe].sgi_sources[at % 16];
}

void Gicv2Distributor::write_byte(Gicv2View v, u32 at, u8 value) {
  if (at < kItargetsr) {
    unsigned intid = at - kIpriorityr;
    if (!core_.exists(intid) || core_.hides(v, intid)) return;
    if (v.ns) value = from_non_secure_priority(value);
    u8& now = core_.word_of(v.pe, intid).priority[intid % 32];
    if (now == (value & core_.priority_mask)) return;
    now = value & core_.priority_mask;
    core_.reordered(v.pe, intid / 32, u32{1} << intid % 32);
  } else if (at < kIcfgr) {
    unsigned intid = at - kItargetsr;
    if (core_.uniprocessor() || intid < 32 || !core_.exists(intid) || core_.hides(v, intid)) return;
    core_.set_target(intid, u8(value & ones(unsigned(core_.pes.size()))));
  } else {
    unsigned intid = at % 16;
    if (core_.hides(v, intid)) return;
    u8 valid = u8(value & ones(unsigned(core_.pes.size()))), now = core_.pes[v.pe].sgi_sources[intid];
    core_.set_sgi_sources(v.pe, intid, at < kSpendsgir ? u8(now & ~valid) : u8(now | valid));
  }
}

u32 Gicv2Distributor::read32(Gicv2View v, u32 at) {
  if (has_bytes(at)) {
    u32 value = 0;
    for (unsigned i = 0; i < 4; i++) value |= u32{read_byte(v, at + i)} << i * 8;
    return value;
  }
  if (in(at, kIgroupr, kIpriorityr)) {
    unsigned n = at % 0x80 / 4;
    IrqBitmap which = IrqBitmap(at / 0x80);
    if (v.ns && which == IrqBitmap::IGROUPR) return 0;
    return core_.word_of(v.pe, n * 32).read(which) & core_.visible(v, n);
  }
  if (in(at, kIcfgr, kIcfgrEnd)) {
    unsigned n = (at - kIcfgr) / 4;
    return core_.word_of(v.pe, n * 16).read_icfgr(n % 2, core_.visible(v, n / 2));
  }
  if (at >= kGicv2IdOffset) return gic_id(GicVersion::V2, at);
  switch (at) {
    case kCtlr:
      if (v.ns) return core_.group_enabled[1];
      return u32(core_.group_enabled[0]) | u32(core_.group_enabled[1]) << 1;
    case kTyper:
      return (core_.words - 1) | u32(core_.pes.size() - 1) << 5 | (core_.security ? kSecurityExtn : 0);
    case kIidr: return kGicIidr;
    default: return 0;  // reserved, or write-only (GICD_SGIR)
  }
}

void Gicv2Distributor::write32(Gicv2View v, u32 at, u32 value) {
  if (has_bytes(at)) {
    for (unsigned i = 0; i < 4; i++) write_byte(v, at + i, u8(value >> i * 8));
    return;
  }
  if (in(at, kIgroupr, kIpriorityr)) return write_bitmap(v, at, value);
  if (in(at, kIcfgr, kIcfgrEnd)) {
    unsigned n = (at - kIcfgr) / 4;
    IrqWord& w = core_.word_of(v.pe, n * 16);
    u32 before = w.deliverable();
    u32 sgis_fixed = n < 2 ? kPpis : ~u32{0};  // SGIs are always edge-triggered
    w.write_icfgr(n % 2, value, core_.visible(v, n / 2) & sgis_fixed);
    return core_.word_changed(v.pe, n / 2, before);
  }
  switch (at) {
    case kCtlr: return write_ctlr(v, value);
    case kSgir: return write_sgir(v, value);
    default:
      if (!in(at, kNsacr, kSgir))
        guest_error("gicv2: write to read-only or unknown Distributor register 0x%x", at);
  }
}

// The Non-secure copy has one bit: Group 1.
void Gicv2Distributor::write_ctlr(Gicv2View v, u32 value) {
  if (v.ns)
    core_.group_enabled[1] = bit(value, 0);
  else
    core_.group_enabled = {bit(value, 0), bit(value, 1)};
  core_.rescan_all();
}

// SGIs: always enabled, and GICD_ISPENDR0 and GICD_ICPENDR0 cannot change them (GICD_SPENDSGIR and
// GICD_CPENDSGIR do).
void Gicv2Distributor::write_bitmap(Gicv2View v, u32 at, u32 value) {
  unsigned n = at % 0x80 / 4;
  IrqBitmap which = IrqBitmap(at / 0x80);
  if (v.ns && which == IrqBitmap::IGROUPR) return;
  u32 writable = core_.visible(v, n);
  bool sgis_fixed = which >= IrqBitmap::ISENABLER && which <= IrqBitmap::ICPENDR;
  if (n == 0 && sgis_fixed) writable &= ~kSgis;
  IrqWord& w = core_.word_of(v.pe, n * 32);
  u32 before = w.deliverable(), old_group = w.group;
  w.write(which, value, writable);
  core_.word_changed(v.pe, n, before);
  if (u32 moved = w.group ^ old_group) core_.reordered(v.pe, n, moved);
}

// GICD_SGIR: TargetListFilter 0 = the list, 1 = all but the requester, 2 = the requester. With Security
// Extensions it is delivered where it is in the group that NSATT (bit 15) names; a Non-secure one in Group 1.
void Gicv2Distributor::write_sgir(Gicv2View v, u32 value) {
  u32 everyone = u32(ones(unsigned(core_.pes.size()))), targets = 0;
  switch (extract(value, 24, 2)) {
    case 0: targets = u32(extract(value, 16, 8)) & everyone; break;
    case 1: targets = everyone & ~(1u << v.pe); break;
    case 2: targets = 1u << v.pe; break;
    default: guest_error("gicv2: GICD_SGIR with the reserved TargetListFilter 3");
  }
  unsigned intid = unsigned(extract(value, 0, 4));
  bool group1 = v.ns || bit(value, 15);
  for_each_bit(targets, [&](unsigned to) {
    if (!core_.security || core_.is_group1(to, intid) == group1) core_.send_sgi(v.pe, to, intid);
  });
}

}  // namespace sluice
