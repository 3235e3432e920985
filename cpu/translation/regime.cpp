#include "cpu/translation/regime.h"

#include <algorithm>

namespace sluice::cpu {
namespace {

// SCTLR_ELx.
constexpr unsigned kM = 0, kWxn = 19, kEe = 25;
// TCR_EL1; those of the upper range follow their names.
constexpr unsigned kT0sz = 0, kEpd0 = 7, kTg0 = 14, kT1sz = 16, kA1 = 22, kEpd1 = 23, kTg1 = 30, kIps = 32,
                   kAs = 36, kTbi0 = 37, kHa = 39, kHd = 40, kHpd0 = 41, kTbid0 = 51, kE0pd0 = 55;
// TCR_EL3, where it differs.
constexpr unsigned kEl3Ps = 16, kEl3Tbi = 20, kEl3Ha = 21, kEl3Hd = 22, kEl3Hpd = 24, kEl3Tbid = 29;

// A granule that is reserved or not implemented is taken for 4 KiB: IMPLEMENTATION DEFINED.
Granule granule_of(u64 tg, bool upper, const CpuModel& model) {
  constexpr u8 kLower[] = {12, 16, 14, 12}, kUpper[] = {12, 14, 12, 16};
  u8 bits = (upper ? kUpper : kLower)[tg];
  return {bits == 14 && !model.granule_16k ? u8{12} : bits};
}

u8 output_bits_of(u64 ips, unsigned pa_bits) {
  constexpr u8 kSizes[] = {32, 36, 40, 42, 44, 48, 48, 48};  // 52 bits are not implemented, 7 is reserved
  return u8(std::min<unsigned>(kSizes[ips], pa_bits));
}

// TxSZ outside of its limits is CONSTRAINED UNPREDICTABLE; here the range is then not usable (Translation
// fault, level 0).
void set_size(VaRange& r, unsigned txsz, const CpuModel& model) {
  unsigned largest = !model.features.has(Feature::TTST) ? 39 : r.granule.bits == 16 ? 47 : 48;
  r.usable = txsz >= 16 && txsz <= largest;
  if (!r.usable) return;
  r.input_bits = u8(64 - txsz);
  unsigned resolved = r.input_bits - r.granule.bits, stride = r.granule.stride();
  unsigned levels = (resolved + stride - 1) / stride;
  r.start_level = u8(4 - levels);
  r.table_alignment = u8(r.input_bits - r.granule.shift(r.start_level) + 3);
}

void read_sctlr(RegimeControls& c, u64 sctlr, const CpuModel& model) {
  c.on = bit(sctlr, kM);
  c.big_endian = bit(sctlr, kEe);
  c.wxn = bit(sctlr, kWxn);
  c.pa_bits = u8(model.pa_bits);
}

void read_el10(RegimeControls& c, const PeState& s, const CpuModel& model) {
  u64 tcr = s.sysregs[Slot::TCR_EL1];
  read_sctlr(c, s.sysregs[Slot::SCTLR_EL1], model);
  c.hardware_af = bit(tcr, kHa) && model.features.has(Feature::HAFDBS);
  c.hardware_dirty = c.hardware_af && bit(tcr, kHd);
  c.output_bits = output_bits_of(extract(tcr, kIps, 3), model.pa_bits);
  c.asid_mask = bit(tcr, kAs) ? 0xffff : 0xff;
  c.mair = s.sysregs[Slot::MAIR_EL1];
  for (unsigned n = 0; n < 2; n++) {
    VaRange& r = c.range[n];
    r.granule = granule_of(extract(tcr, n ? kTg1 : kTg0, 2), n, model);
    r.walks_disabled = bit(tcr, n ? kEpd1 : kEpd0);
    r.tbi_data = bit(tcr, kTbi0 + n);
    r.tbi_instruction = r.tbi_data && !(model.features.has(Feature::PAuth) && bit(tcr, kTbid0 + n));
    r.ignore_limits = model.features.has(Feature::HPDS) && bit(tcr, kHpd0 + n);
    r.el0_denied = model.features.has(Feature::E0PD) && bit(tcr, kE0pd0 + n);
    set_size(r, unsigned(extract(tcr, n ? kT1sz : kT0sz, 6)), model);
  }
  read_table_bases(c, s);
}

void read_el3(RegimeControls& c, const PeState& s, const CpuModel& model) {
  u64 tcr = s.sysregs[Slot::TCR_EL3];
  read_sctlr(c, s.sysregs[Slot::SCTLR_EL3], model);
  c.hardware_af = bit(tcr, kEl3Ha) && model.features.has(Feature::HAFDBS);
  c.hardware_dirty = c.hardware_af && bit(tcr, kEl3Hd);
  c.output_bits = output_bits_of(extract(tcr, kEl3Ps, 3), model.pa_bits);
  c.asid_mask = 0;
  c.asid = 0;
  c.mair = s.sysregs[Slot::MAIR_EL3];
  c.range[1] = {};  // not usable
  VaRange& r = c.range[0];
  r.granule = granule_of(extract(tcr, kTg0, 2), false, model);
  r.walks_disabled = r.el0_denied = false;
  r.tbi_data = bit(tcr, kEl3Tbi);
  r.tbi_instruction = r.tbi_data && !(model.features.has(Feature::PAuth) && bit(tcr, kEl3Tbid));
  r.ignore_limits = model.features.has(Feature::HPDS) && bit(tcr, kEl3Hpd);
  set_size(r, unsigned(extract(tcr, kT0sz, 6)), model);
  r.ttbr = s.sysregs[Slot::TTBR0_EL3];
}

}  // namespace

void read_table_bases(RegimeControls& c, const PeState& s) {
  c.range[0].ttbr = s.sysregs[Slot::TTBR0_EL1];
  c.range[1].ttbr = s.sysregs[Slot::TTBR1_EL1];
  c.asid = u16(c.range[bit(s.sysregs[Slot::TCR_EL1], kA1)].ttbr >> 48) & c.asid_mask;
}

void read_controls(RegimeControls& c, const PeState& s, const CpuModel& model, Regime regime, bool secure) {
  if (regime == Regime::El3) {
    read_el3(c, s, model);
    secure = true;
  } else {
    read_el10(c, s, model);
  }
  c.world = World::of(regime, secure, c.on);
  c.secure_fetch_only = secure && (s.sysregs[Slot::SCR_EL3] & scr::kSif);
}

const char* name_of_memory_type(u8 a) {
  if (is_device(a)) {
    constexpr const char* kDevices[] = {"Device-nGnRnE", "Device-nGnRE", "Device-nGRE", "Device-GRE"};
    return kDevices[a >> 2 & 3];
  }
  unsigned outer = a >> 4, inner = a & 15;
  if (outer == 4 && inner == 4) return "Normal NC";
  if (outer == 15 && inner == 0) return "Normal WB tagged";
  bool write_back = (outer & 4) && outer != 4 && (inner & 4) && inner != 4;
  return write_back ? "Normal WB" : "Normal WT/NC";
}

}  // namespace sluice::cpu
