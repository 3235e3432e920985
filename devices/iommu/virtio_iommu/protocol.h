// devices/iommu/virtio_iommu/protocol.h: what the driver and the device exchange. VIRTIO 1.3, 5.13. Names are
// the specification's. All fields are little endian, so a struct is a list of offsets here.
#pragma once
#include "base/types.h"

namespace sluice::virtio_iommu {

inline constexpr u16 kRequestQueue = 0, kEventQueue = 1;  // 5.13.2

// 5.13.3: feature bits.
enum Feature : unsigned {
  kInputRange = 0,
  kDomainRange = 1,
  kMapUnmap = 2,
  kProbe = 4,
  kMmio = 5,
  kBypassConfig = 6,
};

// 5.13.4: struct virtio_iommu_config.
struct ConfigLayout {
  static constexpr u32 kPageSizeMask = 0, kInputRangeStart = 8, kInputRangeEnd = 16, kDomainRangeStart = 24,
                       kDomainRangeEnd = 28, kProbeSize = 32, kBypass = 36, kSize = 40;
};

// 5.13.6: types and their device-readable parts, from the start of struct virtio_iommu_req_head (type u8,
// reserved 3).
enum class RequestType : u8 { Attach = 1, Detach = 2, Map = 3, Unmap = 4, Probe = 5 };
struct AttachRequest {
  static constexpr u32 kDomain = 4, kEndpoint = 8, kFlags = 12, kReserved = 16, kSize = 20;
  static constexpr u32 kFlagBypass = 1;
};
struct DetachRequest {
  static constexpr u32 kDomain = 4, kEndpoint = 8, kSize = 20;
};
struct MapRequest {
  static constexpr u32 kDomain = 4, kVirtStart = 8, kVirtEnd = 16, kPhysStart = 24, kFlags = 32, kSize = 36;
  static constexpr u32 kFlagRead = 1, kFlagWrite = 2, kFlagMmio = 4;
};
struct UnmapRequest {
  static constexpr u32 kDomain = 4, kVirtStart = 8, kVirtEnd = 16, kReserved = 24, kSize = 28;
};
struct ProbeRequest {
  static constexpr u32 kEndpoint = 4, kSize = 72;
};
inline constexpr u32 kLargestRequest = ProbeRequest::kSize;

// struct virtio_iommu_req_tail: status u8, reserved 3.
inline constexpr u32 kTailSize = 4;
enum class RequestStatus : u8 {
  Ok = 0,
  IoErr = 1,
  Unsupp = 2,
  DevErr = 3,
  Inval = 4,
  Range = 5,
  NoEnt = 6,
  Fault = 7,
  NoMem = 8,
};

// 5.13.6.6.3: struct virtio_iommu_probe_resv_mem, with its header.
struct ResvMemProperty {
  static constexpr u16 kType = 1;
  static constexpr u32 kLength = 2, kSubtype = 4, kStart = 8, kEnd = 16, kSize = 24;
  static constexpr u32 kHeaderSize = 4;
};

// 5.13.6.7: struct virtio_iommu_fault.
struct FaultLayout {
  static constexpr u32 kReason = 0, kFlags = 4, kEndpoint = 8, kAddress = 16, kSize = 24;
  static constexpr u32 kFlagRead = 1 << 0, kFlagWrite = 1 << 1, kFlagAddress = 1 << 8;
};
enum class FaultReason : u8 { Unknown = 0, Domain = 1, Mapping = 2 };

}  // namespace sluice::virtio_iommu
