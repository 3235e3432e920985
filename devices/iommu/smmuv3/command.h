// devices/iommu/smmuv3/command.h: IHI 0070 chapter 4, "Commands": the 16-byte commands and their fields.
#pragma once
#include <array>

#include "devices/iommu/smmuv3/iotlb.h"

namespace sluice::smmuv3 {

enum class Opcode : u8 {
  CMD_PREFETCH_CONFIG = 0x01,
  CMD_PREFETCH_ADDR = 0x02,
  CMD_CFGI_STE = 0x03,
  CMD_CFGI_STE_RANGE = 0x04,
  CMD_CFGI_CD = 0x05,
  CMD_CFGI_CD_ALL = 0x06,
  CMD_TLBI_NH_ALL = 0x10,
  CMD_TLBI_NH_ASID = 0x11,
  CMD_TLBI_NH_VA = 0x12,
  CMD_TLBI_NH_VAA = 0x13,
  CMD_TLBI_EL2_ALL = 0x20,
  CMD_TLBI_EL2_ASID = 0x21,
  CMD_TLBI_EL2_VA = 0x22,
  CMD_TLBI_EL2_VAA = 0x23,
  CMD_TLBI_S12_VMALL = 0x28,
  CMD_TLBI_S2_IPA = 0x2a,
  CMD_TLBI_NSNH_ALL = 0x30,
  CMD_SYNC = 0x46,
};
// The specification's name; "reserved" for opcodes that this SMMU never has.
const char* name_of(Opcode opcode);

struct Command {
  std::array<u64, 2> words{};
  Opcode opcode() const { return Opcode(words[0] & 0xff); }
  bool SSec() const { return bit(words[0], 10); }
  u32 SubstreamID() const { return u32(extract(words[0], 12, 20)); }
  u32 StreamID() const { return u32(words[0] >> 32); }
  unsigned Range() const { return unsigned(extract(words[1], 0, 5)); }
  unsigned NUM() const { return unsigned(extract(words[0], 12, 5)); }
  unsigned SCALE() const { return unsigned(extract(words[0], 20, 5)); }
  u16 VMID() const { return u16(extract(words[0], 32, 16)); }
  u16 ASID() const { return u16(extract(words[0], 48, 16)); }
  unsigned TTL() const { return unsigned(extract(words[1], 8, 2)); }
  unsigned TG() const { return unsigned(extract(words[1], 10, 2)); }
  u64 Address() const { return words[1] & ~ones(12); }
  // CMD_SYNC
  unsigned CS() const { return unsigned(extract(words[0], 12, 2)); }
  u32 MSIData() const { return u32(words[0] >> 32); }
  u64 MSIAddress() const { return words[1] & ones(56) & ~ones(2); }
};

// 4.4.1.1: range and level hint. False: a Reserved combination, CERROR_ILL.
bool address_scope(const Command& command, bool ipa, AddressScope& scope);

// The trace events of a command that is about to be executed.
void trace_command(const Command& command);

}  // namespace sluice::smmuv3
