// devices/pci/config_registers.h: offsets, bits and identifiers of configuration space.
// PCI Express Base Specification 5.0, 7.5; PCI Local Bus Specification 3.0, 6.
#pragma once
#include "base/types.h"

namespace sluice::pci {

// 7.5.1: Type 0 header.
inline constexpr u16 kVendorId = 0x00, kDeviceId = 0x02, kCommand = 0x04, kStatus = 0x06, kRevision = 0x08,
                     kClassCode = 0x09, kCacheLineSize = 0x0c, kLatencyTimer = 0x0d, kHeaderType = 0x0e,
                     kBar0 = 0x10, kSubsystemVendorId = 0x2c, kSubsystemId = 0x2e,
                     kCapabilitiesPointer = 0x34, kInterruptLine = 0x3c, kInterruptPin = 0x3d;
inline constexpr u32 kCommandIo = 1 << 0, kCommandMemory = 1 << 1, kCommandBusMaster = 1 << 2,
                     kCommandParity = 1 << 6, kCommandSerr = 1 << 8, kCommandInterruptDisable = 1 << 10;
inline constexpr u32 kStatusInterrupt = 1 << 3, kStatusCapabilitiesList = 1 << 4;
inline constexpr u32 kHeaderMultiFunction = 1 << 7;
inline constexpr u32 kBarMemory64 = 2 << 1, kBarPrefetchable = 1 << 3;
inline constexpr unsigned kBars = 6;

// Capability IDs.
inline constexpr u8 kCapMsi = 0x05, kCapVendor = 0x09, kCapPciExpress = 0x10, kCapMsix = 0x11;

inline constexpr u16 kVendorRedHat = 0x1b36, kVendorQumranet = 0x1af4;

// A Routing ID: bus in [15:8], device in [7:3], function in [2:0]. It is the Requester ID of the function.
constexpr u8 make_devfn(unsigned device, unsigned function) { return u8(device << 3 | function); }
constexpr unsigned device_of(u8 devfn) { return devfn >> 3; }
constexpr unsigned function_of(u8 devfn) { return devfn & 7; }

}  // namespace sluice::pci
