#include "devices/iommu/smmuv3/command.h"

#include "base/trace.h"

namespace sluice::smmuv3 {
namespace {

Trace<const char*> trace_opcode{"smmuv3_cmdq_opcode", "opcode={}"};
Trace<u32> trace_cfgi_ste{"smmuv3_cmdq_cfgi_ste", "sid={:#x}"};
Trace<u32, u32> trace_cfgi_ste_range{"smmuv3_cmdq_cfgi_ste_range", "start={:#x} end={:#x}"};
Trace<u32> trace_cfgi_cd{"smmuv3_cmdq_cfgi_cd", "sid={:#x}"};
Trace<u16> trace_tlbi_nh{"smmuv3_cmdq_tlbi_nh", "vmid={}"};
Trace<> trace_tlbi_nsnh{"smmuv3_cmdq_tlbi_nsnh", ""};
Trace<u16, u16> trace_tlbi_nh_asid{"smmuv3_cmdq_tlbi_nh_asid", "vmid={} asid={}"};
Trace<u16> trace_tlbi_s12_vmid{"smmuv3_cmdq_tlbi_s12_vmid", "vmid={}"};
Trace<> trace_tlbi_el2{"smmuv3_cmdq_tlbi_el2", ""};
Trace<u16> trace_tlbi_el2_asid{"smmuv3_cmdq_tlbi_el2_asid", "asid={}"};
// asid: -1 for all. num_pages: of the granule tg (1: 4 KiB, 2: 16 KiB, 3: 64 KiB); 1 without a tg.
Trace<int, int, u64, unsigned, u64, unsigned, bool, int> trace_range_inval{
    "smmuv3_range_inval", "vmid={} asid={} addr={:#x} tg={} num_pages={:#x} ttl={} leaf={:d} stage={}"};

void trace_range(const Command& c, int asid, int stage) {
  if (!trace_range_inval.on()) return;
  const u64 pages = c.TG() ? (u64{c.NUM()} + 1) << c.SCALE() : 1;
  trace_range_inval(c.VMID(), asid, c.Address(), c.TG(), pages, c.TTL(), bit(c.words[1], 0), stage);
}

}  // namespace

void trace_command(const Command& c) {
  if (trace_opcode.on()) trace_opcode(name_of(c.opcode()));
  switch (c.opcode()) {
    case Opcode::CMD_CFGI_STE: return trace_cfgi_ste(c.StreamID());
    case Opcode::CMD_CFGI_STE_RANGE: {
      const u32 low = u32(ones(c.Range() + 1));
      return trace_cfgi_ste_range(c.StreamID() & ~low, c.StreamID() | low);
    }
    case Opcode::CMD_CFGI_CD:
    case Opcode::CMD_CFGI_CD_ALL: return trace_cfgi_cd(c.StreamID());
    case Opcode::CMD_TLBI_NH_ALL: return trace_tlbi_nh(c.VMID());
    case Opcode::CMD_TLBI_NH_ASID: return trace_tlbi_nh_asid(c.VMID(), c.ASID());
    case Opcode::CMD_TLBI_NSNH_ALL: return trace_tlbi_nsnh();
    case Opcode::CMD_TLBI_S12_VMALL: return trace_tlbi_s12_vmid(c.VMID());
    case Opcode::CMD_TLBI_EL2_ALL: return trace_tlbi_el2();
    case Opcode::CMD_TLBI_EL2_ASID: return trace_tlbi_el2_asid(c.ASID());
    case Opcode::CMD_TLBI_NH_VA:
    case Opcode::CMD_TLBI_EL2_VA: return trace_range(c, c.ASID(), 1);
    case Opcode::CMD_TLBI_NH_VAA:
    case Opcode::CMD_TLBI_EL2_VAA: return trace_range(c, -1, 1);
    case Opcode::CMD_TLBI_S2_IPA: return trace_range(c, -1, 2);
    default: return;
  }
}

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
