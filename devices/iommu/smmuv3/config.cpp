#include "devices/iommu/smmuv3/config.h"

namespace sluice {

u32 Smmuv3Config::idr0(bool sev) const {
  u32 v = 0;
  v |= u32{stage2()} << 0;      // S2P
  v |= u32{stage1()} << 1;      // S1P
  v |= 2u << 2;                 // TTF: VMSAv8-64
  v |= 1u << 4;                 // COHACC
  v |= u32{hypervisor()} << 9;  // Hyp
  v |= u32{stage1()} << 12;     // ASID16
  v |= u32{msi} << 13;          // MSI
  v |= u32{sev} << 14;          // SEV
  v |= u32{stage2()} << 18;     // VMID16
  v |= u32{cd2l()} << 19;       // CD2L
  v |= 2u << 21;                // TTENDIAN: little-endian
  v |= 1u << 24;                // STALL_MODEL: no stall
  v |= 1u << 26;                // TERM_MODEL: terminated transactions abort
  v |= 1u << 27;                // ST_LEVEL: linear and 2-level
  return v;
}

u32 Smmuv3Config::idr1() const {
  u32 substreams = stage1() ? ssid_bits : 0;
  return sid_bits | substreams << 6 | eventq_log2 << 16 | cmdq_log2 << 21 | 1u << 26;  // ATTR_PERMS_OVR
}

u32 Smmuv3Config::idr3() const {
  return u32{stage1()} << 2 | u32{stage2()} << 4 | 1u << 10 | 2u << 11;  // HAD, XNX, RIL, BBML
}

u32 Smmuv3Config::idr5() const {
  u32 oas = 0;
  while (oas < 6 && smmuv3::address_bits(oas) < oas_bits) oas++;
  return oas | u32{granule_4k} << 4 | u32{granule_16k} << 5 | u32{granule_64k} << 6;
}

namespace smmuv3 {

const char* name_of(EventType type) {
  switch (type) {
    case EventType::None: return "abort without an event";
    case EventType::C_BAD_STREAMID: return "C_BAD_STREAMID";
    case EventType::F_STE_FETCH: return "F_STE_FETCH";
    case EventType::C_BAD_STE: return "C_BAD_STE";
    case EventType::F_STREAM_DISABLED: return "F_STREAM_DISABLED";
    case EventType::C_BAD_SUBSTREAMID: return "C_BAD_SUBSTREAMID";
    case EventType::F_CD_FETCH: return "F_CD_FETCH";
    case EventType::C_BAD_CD: return "C_BAD_CD";
    case EventType::F_WALK_EABT: return "F_WALK_EABT";
    case EventType::F_TRANSLATION: return "F_TRANSLATION";
    case EventType::F_ADDR_SIZE: return "F_ADDR_SIZE";
    case EventType::F_ACCESS: return "F_ACCESS";
    case EventType::F_PERMISSION: return "F_PERMISSION";
  }
  return "unknown";
}

}  // namespace smmuv3
}  // namespace sluice
