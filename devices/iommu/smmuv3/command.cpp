#include "devices/iommu/smmuv3/command.h"

namespace sluice::smmuv3 {

const char* name_of(Opcode opcode) {
  switch (opcode) {
    case Opcode::CMD_PREFETCH_CONFIG: return "CMD_PREFETCH_CONFIG";
    case Opcode::CMD_PREFETCH_ADDR: return "CMD_PREFETCH_ADDR";
    case Opcode::CMD_CFGI_STE: return "CMD_CFGI_STE";
    case Opcode::CMD_CFGI_STE_RANGE: return "CMD_CFGI_STE_RANGE";
    case Opcode::CMD_CFGI_CD: return "CMD_CFGI_CD";
    case Opcode::CMD_CFGI_CD_ALL: return "CMD_CFGI_CD_ALL";
    case Opcode::CMD_TLBI_NH_ALL: return "CMD_TLBI_NH_ALL";
    case Opcode::CMD_TLBI_NH_ASID: return "CMD_TLBI_NH_ASID";
    case Opcode::CMD_TLBI_NH_VA: return "CMD_TLBI_NH_VA";
    case Opcode::CMD_TLBI_NH_VAA: return "CMD_TLBI_NH_VAA";
    case Opcode::CMD_TLBI_EL2_ALL: return "CMD_TLBI_EL2_ALL";
    case Opcode::CMD_TLBI_EL2_ASID: return "CMD_TLBI_EL2_ASID";
    case Opcode::CMD_TLBI_EL2_VA: return "CMD_TLBI_EL2_VA";
    case Opcode::CMD_TLBI_EL2_VAA: return "CMD_TLBI_EL2_VAA";
    case Opcode::CMD_TLBI_S12_VMALL: return "CMD_TLBI_S12_VMALL";
    case Opcode::CMD_TLBI_S2_IPA: return "CMD_TLBI_S2_IPA";
    case Opcode::CMD_TLBI_NSNH_ALL: return "CMD_TLBI_NSNH_ALL";
    case Opcode::CMD_SYNC: return "CMD_SYNC";
  }
  return "reserved";
}

bool address_scope(const Command& c, bool ipa, AddressScope& scope) {
  u64 address = ipa ? c.Address() & ones(56) : c.Address();
  scope = {};
  if (c.TG() == 0) {
    // One address, whatever the size of the entry that holds it.
    scope.range = {address, address};
    return true;
  }
  unsigned ttl = c.TTL();
  if (c.TG() == 2 && ttl == 1) ttl = 0;  // 16 KiB has no level 1 blocks without IDR5.DS
  if (c.NUM() == 0 && c.SCALE() == 0 && ttl == 0) return false;
  unsigned granule = 2 * c.TG() + 10;
  u64 length = (u64{c.NUM()} + 1) << (c.SCALE() + granule);  // at most 2^52
  u64 first = align_down(address, u64{1} << granule);
  u64 last = length - 1 > ~first ? ~u64{0} : first + (length - 1);  // does not wrap
  scope.range = {first, last};
  scope.granule_tag = u8(c.TG());
  scope.level = ttl ? i8(ttl) : i8{-1};
  return true;
}

}  // namespace sluice::smmuv3
