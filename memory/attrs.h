// memory/attrs.h: what every transaction says about itself, and what comes back.
#pragma once
#include "base/types.h"

namespace sluice {

// The physical address space of a transaction (Arm ARM: PAS). There is no "unspecified" value.
enum class PaSpace : u8 { Secure, NonSecure, Root, Realm };

// Who started the transaction. `kind` and `number` never change once the machine is wired.
struct Initiator {
  enum class Kind : u8 { Pe, Device, Loader, Debugger };
  Kind kind = Kind::Debugger;
  u16 number = 0;
  constexpr bool operator==(const Initiator&) const = default;
};

// Mandatory attributes. Built only by the factories below, so that nothing is left at a default by accident.
struct MemTxAttrs {
  PaSpace space;
  bool privileged;
  bool instruction;
  bool page_table_walk;
  u32 requester;  // StreamID (SMMUv3), endpoint (virtio-iommu); of a PE: its number
  u32 substream;  // PASID, 20 bits
  bool substream_valid;
  Initiator initiator;

  static constexpr MemTxAttrs pe(u16 number, PaSpace space, bool privileged, bool instruction = false) {
    return {space, privileged, instruction, false, number, 0, false, {Initiator::Kind::Pe, number}};
  }
  static constexpr MemTxAttrs walk(u16 number, PaSpace space) {
    return {space, true, false, true, number, 0, false, {Initiator::Kind::Pe, number}};
  }
  static constexpr MemTxAttrs device(u16 number, u32 requester, PaSpace space = PaSpace::NonSecure) {
    return {space, false, false, false, requester, 0, false, {Initiator::Kind::Device, number}};
  }
  static constexpr MemTxAttrs loader(PaSpace space = PaSpace::NonSecure) {
    return {space, true, false, false, 0, 0, false, {Initiator::Kind::Loader, 0}};
  }
  static constexpr MemTxAttrs debugger(PaSpace space = PaSpace::NonSecure) {
    return {space, true, false, false, 0, 0, false, {Initiator::Kind::Debugger, 0}};
  }
  constexpr bool operator==(const MemTxAttrs&) const = default;
};

// Rights as a set; X never follows from R.
enum class Access : u8 { None = 0, Read = 1, Write = 2, Execute = 4, ReadWrite = 3, All = 7 };
constexpr Access operator|(Access a, Access b) { return Access(u8(a) | u8(b)); }
constexpr Access operator&(Access a, Access b) { return Access(u8(a) & u8(b)); }
constexpr bool allows(Access have, Access want) { return (u8(have) & u8(want)) == u8(want); }

// Why a transaction is made. Only Access has side effects.
enum class Intent : u8 { Access, Prefetch, AtsRequest, Debug };

// The outcome of a transaction: what, at which hop of the chain (0 = the first address space), and why.
struct [[nodiscard]] MemTxResult {
  enum class Status : u8 {
    Ok,
    DecodeError,  // nothing there, or a size the target does not accept
    DeviceError,  // the target refused
    AccessError,  // an IOMMU or a protection stage refused
  };
  enum class Reason : u8 {
    None,
    Unmapped,
    BadSize,
    ReadOnly,
    Refused,
    ChainTooDeep,
    ChainCycle,
    Device,
    WrongKind
  };
  Status status = Status::Ok;
  u8 hop = 0;
  Reason reason = Reason::None;

  static constexpr MemTxResult ok() { return {}; }
  static constexpr MemTxResult decode_error(Reason why = Reason::Unmapped, u8 hop = 0) {
    return {Status::DecodeError, hop, why};
  }
  static constexpr MemTxResult device_error() { return {Status::DeviceError, 0, Reason::Device}; }
  static constexpr MemTxResult access_error(u8 hop = 0) {
    return {Status::AccessError, hop, Reason::Refused};
  }
  constexpr bool is_ok() const { return status == Status::Ok; }
  constexpr bool operator==(const MemTxResult&) const = default;
};

}  // namespace sluice
