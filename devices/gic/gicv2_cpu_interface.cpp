// devices/gic/gicv2_cpu_interface.cpp: GICC_*, Arm IHI 0048B.b section 4.4. Without Security Extensions every
// access is of the kind that a Secure access is in a GIC that has them; a Non-secure one sees Group 1 as if
// it were all there is.
#include <algorithm>

#include "base/log.h"
#include "base/trace.h"
#include "devices/gic/gicv2_frames.h"

namespace sluice {
namespace {

Trace<unsigned, u64, u64, bool> trace_read{"gic_cpu_read", "cpu={} offset={:#x} data={:#x} secure={:d}"};
Trace<unsigned, u64, u64, bool> trace_write{"gic_cpu_write", "cpu={} offset={:#x} data={:#x} secure={:d}"};

constexpr u32 kCtlr = 0x000, kPmr = 0x004, kBpr = 0x008, kIar = 0x00c, kEoir = 0x010, kRpr = 0x014;
constexpr u32 kHppir = 0x018, kAbpr = 0x01c, kAiar = 0x020, kAeoir = 0x024, kAhppir = 0x028;
constexpr u32 kApr = 0x0d0, kNsapr = 0x0e0, kNsaprEnd = 0x0f0, kIidr = 0x0fc, kDir = 0x1000;
constexpr u32 kGiccIidr = 0x0002'043b;  // architecture version 2, implementer Arm
constexpr u32 kGroup1Pending = 1022;    // "a Group 1 interrupt, which this register may not show"

}  // namespace

MemTxResult Gicv2CpuInterface::read(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) {
  std::lock_guard held{core_.mutex};
  bool is_pe = attrs.initiator.kind == Initiator::Kind::Pe && attrs.initiator.number < core_.pes.size();
  bool peeks = attrs.initiator.kind == Initiator::Kind::Debugger;
  value = 0;
  if (size == 4 && offset % 4 == 0 && offset < Gicv2::kCpuInterfaceSize && (is_pe || peeks)) {
    value = read32(core_.view(attrs), u32(offset), peeks ? Intent::Debug : Intent::Access);
  } else {
    guest_error("gicv2: %u-byte read of the CPU interface at offset 0x%llx", size,
                static_cast<unsigned long long>(offset));
  }
  if (is_pe) trace_read(attrs.initiator.number, offset, value, !core_.view(attrs).ns);
  return MemTxResult::ok();
}

MemTxResult Gicv2CpuInterface::write(u64 offset, unsigned size, u64 value, MemTxAttrs attrs) {
  std::lock_guard held{core_.mutex};
  bool is_pe = attrs.initiator.kind == Initiator::Kind::Pe && attrs.initiator.number < core_.pes.size();
  if (is_pe) trace_write(attrs.initiator.number, offset, value, !core_.view(attrs).ns);
  if (size == 4 && offset % 4 == 0 && offset < Gicv2::kCpuInterfaceSize && is_pe) {
    write32(core_.view(attrs), u32(offset), u32(value));
  } else {
    guest_error("gicv2: %u-byte write to the CPU interface at offset 0x%llx", size,
                static_cast<unsigned long long>(offset));
  }
  return MemTxResult::ok();
}

u32 Gicv2CpuInterface::read32(Gicv2View v, u32 at, Intent intent) {
  unsigned n = v.pe;
  if (v.ns) return read_non_secure(n, at, intent);
  const Gicv2Core::Pe& pe = core_.pes[n];
  bool peek = intent == Intent::Debug;
  if (at >= kApr && at < kNsapr) return pe.active[0].read((at - kApr) / 4);
  if (at >= kNsapr && at < kNsaprEnd) return pe.active[1].read((at - kNsapr) / 4);
  switch (at) {
    case kCtlr: return pe.ctlr;
    case kPmr: return pe.pmr;
    case kBpr: return pe.bpr;
    case kIar: return peek ? highest_pending(n, Alias::No) : acknowledge(n, Alias::No);
    case kRpr: return std::min<u32>(core_.running_priority(pe), 0xff);
    case kHppir: return highest_pending(n, Alias::No);
    case kAbpr: return pe.abpr;
    case kAiar: return peek ? highest_pending(n, Alias::Yes) : acknowledge(n, Alias::Yes);
    case kAhppir: return highest_pending(n, Alias::Yes);
    case kIidr: return kGiccIidr;
    default: return 0;
  }
}

u32 Gicv2CpuInterface::read_non_secure(unsigned n, u32 at, Intent intent) {
  const Gicv2Core::Pe& pe = core_.pes[n];
  // The upper half of the preemption levels. GICC_NSAPR<n> is RAZ/WI.
  if (at >= kApr && at < kNsapr) return pe.active[1].read_upper_half((at - kApr) / 4);
  switch (at) {
    case kCtlr: return gicc_ctlr::non_secure(pe.ctlr);
    case kPmr: return non_secure_priority(pe.pmr);
    case kBpr: return pe.ctlr & gicc_ctlr::kCbpr ? std::min(pe.bpr + 1, 7) : pe.abpr;
    case kIar: return intent == Intent::Debug ? highest_pending(n, Alias::Yes) : acknowledge(n, Alias::Yes);
    case kRpr: {
      u32 running = core_.running_priority(pe);
      return running >= ActivePriorities::kIdle ? 0xff : non_secure_priority(u8(running));
    }
    case kHppir: return highest_pending(n, Alias::Yes);
    case kIidr: return kGiccIidr;
    default: return 0;
  }
}

void Gicv2CpuInterface::write_non_secure(unsigned n, u32 at, u32 value) {
  Gicv2Core::Pe& pe = core_.pes[n];
  switch (at) {
    case kCtlr: pe.ctlr = gicc_ctlr::with_non_secure(pe.ctlr, value); break;
    case kPmr:
      if (!(pe.pmr & 0x80)) return;  // the Secure side's mask
      pe.pmr = from_non_secure_priority(u8(value)) & core_.priority_mask;
      break;
    case kBpr:
      if (pe.ctlr & gicc_ctlr::kCbpr) return;
      pe.abpr = std::max(u8(value & 7), u8(core_.min_bpr + 1));
      break;
    case kEoir: return end_of_interrupt({n, true}, value, Alias::Yes);
    case kDir: return deactivate({n, true}, value);
    default:
      if (at >= kApr && at < kNsapr) pe.active[1].write_upper_half((at - kApr) / 4, value);
  }
  core_.signal(pe);
}

void Gicv2CpuInterface::write32(Gicv2View v, u32 at, u32 value) {
  unsigned n = v.pe;
  if (v.ns) return write_non_secure(n, at, value);
  Gicv2Core::Pe& pe = core_.pes[n];
  if (at >= kApr && at < kNsaprEnd) {
    bool group1 = at >= kNsapr;
    pe.active[group1].write((at - (group1 ? kNsapr : kApr)) / 4, value);
    return core_.signal(pe);
  }
  switch (at) {
    case kCtlr: pe.ctlr = value & (core_.security ? gicc_ctlr::kSecureWritable : gicc_ctlr::kWritable); break;
    case kPmr: pe.pmr = u8(value) & core_.priority_mask; break;
    case kBpr: pe.bpr = std::max(u8(value & 7), core_.min_bpr); break;
    case kAbpr: pe.abpr = std::max(u8(value & 7), u8(core_.min_bpr + 1)); break;
    case kEoir: return end_of_interrupt(v, value, Alias::No);
    case kAeoir: return end_of_interrupt(v, value, Alias::Yes);
    case kDir: return deactivate(v, value);
    default: return guest_error("gicv2: write to read-only or unknown CPU interface register 0x%x", at);
  }
  core_.signal(pe);
}

// GICC_HPPIR, GICC_AHPPIR: not affected by the priority mask or the running priority.
u32 Gicv2CpuInterface::highest_pending(unsigned n, Alias alias) {
  const Gicv2Core::Pe& pe = core_.pes[n];
  if (pe.best == kNoIrq) return kSpuriousIntid;
  bool group1 = core_.best_is_group1(pe);
  if (alias == Alias::Yes && !group1) return kSpuriousIntid;
  if (alias == Alias::No && group1 && !(pe.ctlr & gicc_ctlr::kAckCtl)) return kGroup1Pending;
  return core_.with_source(pe, key_intid(pe.best));
}

// GICC_IAR, GICC_AIAR
u32 Gicv2CpuInterface::acknowledge(unsigned n, Alias alias) {
  const Gicv2Core::Pe& pe = core_.pes[n];
  if (pe.best == kNoIrq || !core_.can_be_signalled(pe, core_.best_is_group1(pe))) return kSpuriousIntid;
  u32 value = highest_pending(n, alias);
  if ((value & 0x3ff) >= kSpecialIntid) return value;
  return core_.activate(n, key_intid(pe.best));
}

// GICC_EOIR, GICC_AEOIR: priority drop and, unless EOImode says that GICC_DIR does it, deactivation.
// GICC_EOIR for a Group 1 interrupt with AckCtl == 0 is UNPREDICTABLE; it acts as with AckCtl == 1.
void Gicv2CpuInterface::end_of_interrupt(Gicv2View v, u32 value, Alias alias) {
  Gicv2Core::Pe& pe = core_.pes[v.pe];
  unsigned intid = value & 0x3ff;
  if (!core_.exists(intid)) {
    if (intid < kSpecialIntid) guest_error("gicv2: EOI of INTID %u", intid);
    return;
  }
  u32 group0 = pe.active[0].running(), group1 = pe.active[1].running();
  bool drop_group1 = group1 < group0;
  if (std::min(group0, group1) == ActivePriorities::kIdle || (alias == Alias::Yes && !drop_group1)) {
    guest_error("gicv2: EOI of INTID %u, which is not the highest active priority", intid);
    return;
  }
  pe.active[drop_group1].drop();
  if (!splits_eoi(v) && !core_.hides(v, intid)) core_.deactivate(v.pe, intid);
  core_.signal(pe);
}

// GICC_CTLR.EOImodeS, EOImodeNS
bool Gicv2CpuInterface::splits_eoi(Gicv2View v) const {
  return core_.pes[v.pe].ctlr & (v.ns ? gicc_ctlr::kEoiModeNs : gicc_ctlr::kEoiMode);
}

void Gicv2CpuInterface::deactivate(Gicv2View v, u32 value) {
  unsigned intid = value & 0x3ff;
  if (!splits_eoi(v) || !core_.exists(intid) || core_.hides(v, intid)) {
    guest_error("gicv2: GICC_DIR write of INTID %u, which needs GICC_CTLR.EOImode", intid);
    return;
  }
  core_.deactivate(v.pe, intid);
}

}  // namespace sluice
