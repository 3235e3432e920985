// devices/gic/gic_id.h: the identification registers, at the end of each register frame.
#pragma once
#include "base/types.h"

namespace sluice {

enum class GicVersion : u8 { V2 = 2, V3 = 3 };

inline constexpr u32 kGicIidr = 0x43b;        // GICD_IIDR, GICR_IIDR: implementer Arm, product and revision 0
inline constexpr u32 kGicIdOffset = 0xffd0;   // GICv3: in the last 48 bytes of a 64 KiB frame
inline constexpr u32 kGicv2IdOffset = 0xfd0;  // GICv2: of the 4 KiB Distributor

// PIDR4..PIDR7, PIDR0..PIDR3, CIDR0..CIDR3: a CoreSight peripheral of Arm; PIDR2.ArchRev is the GIC version.
constexpr u32 gic_id(GicVersion version, u32 offset) {
  u32 arch = u32(version) << 4 | 0xb;
  u32 part = version == GicVersion::V2 ? 0x90 : 0x92;
  u32 pidr4 = version == GicVersion::V2 ? 0x04 : 0x44;
  const u32 bytes[12] = {pidr4, 0, 0, 0, part, 0xb4, arch, 0, 0x0d, 0xf0, 0x05, 0xb1};
  return bytes[(offset & 0x3f) / 4 >= 4 ? (offset & 0x3f) / 4 - 4 : 0];
}

}  // namespace sluice
