#include "devices/iommu/smmuv3/translation.h"

#include <algorithm>

namespace sluice::smmuv3 {

bool select_table(const StreamContext& c, u64 input, unsigned ias_bits, Selected& s, Fault& fault) {
  s = {.address = input};
  if (!c.stage1) {
    // 3.4: where stage 1 bypasses, its output is checked against the IAS.
    if (input >> ias_bits == 0) return true;
    fault = {.type = EventType::F_ADDR_SIZE};
    return false;
  }
  s.x = c.has_ttb1 && bit(input, 55);
  const TableBase& t = c.ttb[s.x];
  if (c.cd.TBIx(s.x)) {
    s.address = c.has_ttb1 ? sign_extend(input, 56) : input & ones(56);
    s.tagged = s.address != input;
  }
  u64 upper = t.enabled ? s.address >> t.input_bits : 0;
  if (t.enabled && upper == (s.x ? ones(64u - t.input_bits) : 0)) return true;
  fault = {.type = EventType::F_TRANSLATION, .record = c.cd.R()};
  return false;
}

bool walk_all(const StreamContext& c, const TableMemory& memory, unsigned oas_bits, const Selected& s,
              Mapping& m, Fault& fault) {
  Walk walk(c, memory, oas_bits);
  Leaf s1, s2;
  m = {};
  u64 ipa = s.address;
  if (c.stage1) {
    if (!walk.stage1(s.address, s.x, s1)) return fault = walk.fault(), false;
    ipa = s1.output + (s.address & ones(s1.log2));
    m.log2 = m.block_log2 = s1.log2;
    m.level = s1.level;
    m.granule_tag = c.ttb[s.x].granule_tag();
    m.global = s1.global && c.world != World::El2;
    m.stage1 = s1.rights;
  }
  u64 pa = ipa;
  if (c.stage2) {
    if (!walk.stage2(ipa, FaultClass::IN, s2)) return fault = walk.fault(), false;
    pa = s2.output + (ipa & ones(s2.log2));
    m.stage2 = s2.rights;
    if (!c.stage1) {
      m.log2 = m.block_log2 = s2.log2;
      m.level = s2.level;
      m.granule_tag = c.s2.granule_tag();
    }
    m.log2 = std::min(m.log2, s2.log2);
  }
  u64 within = ones(m.log2);
  m.input = s.address & ~within;
  m.ipa = ipa & ~within;
  m.output = pa & ~within;
  return true;
}

Attributes attributes_of(const Ste& ste, MemTxAttrs attrs, Access access) {
  Attributes a;
  a.write = allows(access, Access::Write);
  a.privileged = ste.PRIVCFG() & 2 ? ste.PRIVCFG() & 1 : attrs.privileged;
  bool instruction = allows(access, Access::Execute) || attrs.instruction;
  a.instruction = !a.write && (ste.INSTCFG() & 2 ? ste.INSTCFG() & 1 : instruction);
  return a;
}

namespace {

Access incoming_rights(const Ste& ste, Access checked) {
  Access rights = checked & Access::Write;
  bool r = allows(checked, Access::Read), x = allows(checked, Access::Execute);
  bool all_data = ste.INSTCFG() == 2, all_instruction = ste.INSTCFG() == 3;
  if (all_instruction ? x : r) rights = rights | Access::Read;
  if (all_data ? r : x) rights = rights | Access::Execute;
  return rights;
}

Access stage1_rights(const StreamContext& c, const Mapping& m, bool privileged) {
  return incoming_rights(c.ste, m.stage1.of(privileged || c.all_privileged()));
}
Access stage2_rights(const StreamContext& c, const Mapping& m, bool privileged) {
  return incoming_rights(c.ste, m.stage2.of(privileged));
}

}  // namespace

Access rights_of(const StreamContext& c, const Mapping& m, MemTxAttrs attrs) {
  bool privileged = attributes_of(c.ste, attrs, Access::Read).privileged;
  return stage1_rights(c, m, privileged) & stage2_rights(c, m, privileged);
}

bool permission_fault(const StreamContext& c, const Mapping& m, MemTxAttrs attrs, Access access, u64 ipa,
                      Fault& fault) {
  bool privileged = attributes_of(c.ste, attrs, access).privileged;
  if (!allows(stage1_rights(c, m, privileged), access)) {
    fault = {.type = EventType::F_PERMISSION, .record = c.cd.R()};
    return true;
  }
  if (allows(stage2_rights(c, m, privileged), access)) return false;
  fault = {.type = EventType::F_PERMISSION, .stage2 = true, .record = c.ste.S2R(), .address = ipa};
  return true;
}

u32 Refusal::reason() const {
  return u32(fault.type) | u32{fault.stage2} << 8 | u32(fault.fault_class) << 9 | u32{fault.record} << 11 |
         u32{privileged} << 12 | u32{instruction} << 13 | u32{read} << 14;
}

Refusal Refusal::from(u32 reason, u64 detail) {
  Refusal r;
  r.fault.type = EventType(reason & 0xff);
  r.fault.stage2 = bit(reason, 8);
  r.fault.fault_class = FaultClass(extract(reason, 9, 2));
  r.fault.record = bit(reason, 11);
  r.fault.address = detail;
  r.privileged = bit(reason, 12);
  r.instruction = bit(reason, 13);
  r.read = bit(reason, 14);
  return r;
}

}  // namespace sluice::smmuv3
