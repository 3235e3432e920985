// devices/iommu/smmuv3/spec.h: numbers of the SMMUv3 architecture, Arm IHI 0070.
#pragma once
#include "base/bits.h"

namespace sluice::smmuv3 {

inline constexpr u64 kFrameSize = 0x20000;  // page 0 and page 1, 64 KiB each
inline constexpr unsigned kCommandBytes = 16, kEventBytes = 32, kStructureBytes = 64;

// SMMU_CR0, SMMU_CR0ACK
inline constexpr u32 kSmmuEn = 1 << 0, kEventqEn = 1 << 2, kCmdqEn = 1 << 3;
// SMMU_CR2
inline constexpr u32 kE2h = 1 << 0, kRecInvSid = 1 << 1;
// SMMU_GBPA
inline constexpr u32 kGbpaAbort = 1 << 20, kGbpaUpdate = u32{1} << 31;
// SMMU_IRQ_CTRL
inline constexpr u32 kGerrorIrqEn = 1 << 0, kEventqIrqEn = 1 << 2;
// SMMU_GERROR
inline constexpr u32 kCmdqErr = 1 << 0, kEventqAbtErr = 1 << 2, kMsiCmdqAbtErr = 1 << 4,
                     kMsiEventqAbtErr = 1 << 5, kMsiGerrorAbtErr = 1 << 7;
// SMMU_EVENTQ_PROD.OVFLG, SMMU_EVENTQ_CONS.OVACKFLG
inline constexpr u32 kOverflowFlag = u32{1} << 31;

// SMMU_CMDQ_CONS.ERR
enum class CommandError : u8 { None = 0, Ill = 1, Abt = 2 };

// 7.3 "Event records". None: the transaction is terminated and no event exists for the reason.
enum class EventType : u8 {
  None = 0,
  C_BAD_STREAMID = 0x02,
  F_STE_FETCH = 0x03,
  C_BAD_STE = 0x04,
  F_STREAM_DISABLED = 0x06,
  C_BAD_SUBSTREAMID = 0x08,
  F_CD_FETCH = 0x09,
  C_BAD_CD = 0x0a,
  F_WALK_EABT = 0x0b,
  F_TRANSLATION = 0x10,
  F_ADDR_SIZE = 0x11,
  F_ACCESS = 0x12,
  F_PERMISSION = 0x13,
};
const char* name_of(EventType type);

// What the stage of translation was working on when it faulted.
enum class FaultClass : u8 { CD = 0, TT = 1, IN = 2 };

struct Fault {
  EventType type = EventType::None;
  bool stage2 = false;
  bool record = true;  // CD.R or STE.S2R for the four Translation-related faults
  FaultClass fault_class = FaultClass::IN;
  u64 address = 0;  // IPA or FetchAddr, where the event has one
};

// 3.3.3: part of the tag of a TLB entry. Stage 2-only entries have input addresses that are IPAs, so they are
// a world of their own here.
enum class World : u8 { El1 = 0, El1Stage2 = 1, El2 = 2, El2E2h = 3 };

// Address sizes in bits by the encoding of IDR5.OAS, CD.IPS and STE.S2PS. Reserved values behave as 52 bits
// (SMMUv3.1).
constexpr unsigned address_bits(unsigned encoding) {
  constexpr u8 kBits[8] = {32, 36, 40, 42, 44, 48, 52, 52};
  return kBits[encoding & 7];
}

}  // namespace sluice::smmuv3
