// devices/iommu/smmuv3/context_descriptor.cpp: from an STE to a valid CD: IHI 0070 5.3 "L1CD", 5.4 "CD", and
// which CD a transaction uses (S1DSS, S1CDMax).
#include <algorithm>

#include "devices/iommu/smmuv3/walk.h"

namespace sluice::smmuv3 {
namespace {

bool fail(Fault& fault, EventType type) {
  fault = {.type = type};
  return false;
}

bool beyond(u64 address, unsigned bits) { return bits < 64 && address >> bits; }

u64 aligned_base(u64 base, unsigned log2) { return align_down(base, u64{1} << std::max(log2, 6u)); }

// Substreams: 7.3.9 C_BAD_SUBSTREAMID, 7.3.7 F_STREAM_DISABLED. `bypass`: S1DSS skips stage 1.
bool choose_cd(const Smmuv3Config& config, const Ste& ste, StreamId id, u32& index, bool& bypass,
               Fault& fault) {
  bool enabled = ste.stage1() && config.ssid_bits && ste.S1CDMax();
  index = 0;
  bypass = false;
  if (id.substream_valid) {
    if (!enabled || id.substream >> ste.S1CDMax()) return fail(fault, EventType::C_BAD_SUBSTREAMID);
    if (id.substream == 0 && ste.S1DSS() == 2) return fail(fault, EventType::F_STREAM_DISABLED);
    index = id.substream;
    return true;
  }
  if (!enabled) return true;
  bypass = ste.S1DSS() == 1;
  if (!bypass && ste.S1DSS() != 2) return fail(fault, EventType::F_STREAM_DISABLED);
  return true;
}

bool read_cd(const Smmuv3Config& config, Walk& walk, StreamContext& c, u32 index, Fault& fault) {
  const Ste& ste = c.ste;
  unsigned max = config.ssid_bits ? ste.S1CDMax() : 0;
  unsigned format = max ? ste.S1Fmt() : 0;
  u64 address = 0;
  if (format == 1 || format == 2) {
    unsigned leaf_log2 = format == 1 ? 6 : 10;
    unsigned l1_log2 = max > leaf_log2 ? max - leaf_log2 : 0;
    u64 l1cd = 0;
    u64 l1 = aligned_base(ste.S1ContextPtr(), l1_log2 + 3) + (index >> leaf_log2) * 8;
    if (!walk.read_ipa(l1, FaultClass::CD, {&l1cd, 1}, "L1CD")) return fault = walk.fault(), false;
    u64 l2 = l1cd & ones(56) & ~ones(12);
    if (!bit(l1cd, 0) || beyond(l2, config.oas_bits)) return fail(fault, EventType::C_BAD_SUBSTREAMID);
    address = align_down(l2, u64{kStructureBytes} << leaf_log2) + (index & ones(leaf_log2)) * kStructureBytes;
  } else {
    address = aligned_base(ste.S1ContextPtr(), 6 + max) + u64{index} * kStructureBytes;
  }
  if (!walk.read_ipa(address, FaultClass::CD, c.cd.words, "CD")) return fault = walk.fault(), false;
  return true;
}

// The effective CD.EPDx: 5.4, ignored in EL2.
bool disabled(const Cd& cd, World world, unsigned x) { return world == World::El2 ? x == 1 : cd.EPDx(x); }

unsigned granule_of(const Cd& cd, unsigned x) {
  return x ? granule_of_tg1(cd.TGx(1)) : granule_of_tg0(cd.TGx(0));
}

}  // namespace

bool cd_is_legal(const Smmuv3Config& config, const Cd& cd, World world) {
  if (!cd.V() || !cd.A() || cd.S() || !cd.AA64() || cd.HA() || cd.HD()) return false;
  unsigned output = std::min(address_bits(cd.IPS()), config.oas_bits);
  bool used = false;
  for (unsigned x = 0; x < 2; x++) {
    if (disabled(cd, world, x)) continue;
    used = true;
    unsigned granule = granule_of(cd, x);
    if (!config.has_granule(granule)) return false;
    if (cd.TxSZ(x) < 16 || cd.TxSZ(x) > 39) return false;  // STT and VAX are 0
    if (beyond(cd.TTBx(x), granule == 16 ? output : std::min(output, 48u))) return false;
  }
  return !(used && cd.ENDI());
}

TableBase stage1_base(const Smmuv3Config& config, const Cd& cd, unsigned x) {
  TableBase t;
  t.enabled = true;
  t.granule = u8(granule_of(cd, x));
  t.input_bits = u8(64 - cd.TxSZ(x));
  unsigned stride = t.granule - 3u;
  t.start_level = u8(3 - (t.input_bits - 1u - t.granule) / stride);
  t.output_bits = u8(std::min(address_bits(cd.IPS()), config.oas_bits));
  t.hierarchical = !cd.HADx(x);
  t.ignore_access_flag = cd.AFFD();
  unsigned log2 = t.input_bits - t.shift(t.start_level) + 3;
  t.base = align_down(cd.TTBx(x), u64{1} << std::max(log2, t.output_bits == 52 ? 6u : 3u));
  return t;
}

bool find_context(const Smmuv3Config& config, const StreamTableRegisters& table, const TableMemory& memory,
                  StreamId id, StreamContext& c, Fault& fault) {
  c.id = id;
  if (!find_ste(config, table, memory, id.stream, c.ste, fault)) return false;
  u32 index = 0;
  bool bypass = false;
  if (!choose_cd(config, c.ste, id, index, bypass, fault)) return false;
  c.stage1 = c.ste.stage1() && !bypass;
  c.stage2 = c.ste.stage2();
  c.world = c.stage1 ? stream_world(config, c.ste, table.e2h) : World::El1Stage2;
  bool tagged_by_vmid = c.world == World::El1 || c.world == World::El1Stage2;
  c.vmid = tagged_by_vmid && config.stage2() && (c.stage1 || c.stage2) ? c.ste.S2VMID() : u16{0};
  if (c.stage2) c.s2 = stage2_base(config, c.ste);
  if (!c.stage1) return true;
  Walk walk(c, memory, config.oas_bits);
  if (!read_cd(config, walk, c, index, fault)) return false;
  if (!cd_is_legal(config, c.cd, c.world)) return fail(fault, EventType::C_BAD_CD);
  c.asid = c.world == World::El2 ? u16{0} : c.cd.ASID();
  c.has_ttb1 = c.world != World::El2;
  for (unsigned x = 0; x < 2; x++)
    if (!disabled(c.cd, c.world, x)) c.ttb[x] = stage1_base(config, c.cd, x);
  return true;
}

}  // namespace sluice::smmuv3
