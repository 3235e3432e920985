// memory/translate.h: THE walk: from an address in an address space, through any chain of IOMMUs, to what is
// there. CPU data and fetch, page-table walks, DMA, debugger and prefetch all use it.
#pragma once
#include "memory/address_space.h"
#include "memory/iommu_region.h"

namespace sluice {

inline constexpr unsigned kMaxHops = 16;

// One IOMMU on the way. `region` is an identity once the translation has been cached.
struct Hop {
  IommuRegion* region;
  IommuIndex index;
  InclusiveRange input;  // the block that was used, as offsets into the region
  u64 epoch;             // of the region, taken before it was asked
  u64 at;                // what it was asked: an offset into the region, in `input`
};

class Provenance {
 public:
  Provenance() {}  // leaves the storage alone: 16 hops are rarely used
  Provenance(const Provenance& other) { *this = other; }
  Provenance& operator=(const Provenance& other) {
    count_ = other.count_;
    for (unsigned i = 0; i < count_; i++) hops_[i] = other.hops_[i];
    return *this;
  }
  unsigned size() const { return count_; }
  bool empty() const { return count_ == 0; }
  const Hop& operator[](unsigned i) const { return hops_[i]; }
  const Hop* begin() const { return hops_; }
  const Hop* end() const { return hops_ + count_; }
  bool push(const Hop& hop) {
    if (count_ == kMaxHops) return false;
    hops_[count_++] = hop;
    return true;
  }

 private:
  unsigned count_ = 0;
  union {
    Hop hops_[kMaxHops];
  };
};

struct TranslateRequest {
  const AddressSpace& space;
  u64 address;
  u64 length;  // at least 1; the answer may cover less
  Access access;
  MemTxAttrs attrs;
  Intent intent;
};

struct Translation {
  enum class Target : u8 {
    Nothing,    // see `result`
    Ram,        // ram, offset, host; for ROM `rights` lacks Write, and a write has result ReadOnly
    RomDevice,  // reads: ram, offset, host; writes: mmio, mmio_offset
    Mmio,       // mmio, mmio_offset
    RazWi,      // refused in silence: reads zero, ignores writes
  };
  Target target = Target::Nothing;
  bool read_only = false;
  Access rights = Access::All;  // intersection over all hops and the target
  MemTxResult result;           // Ok, or why not and at which hop
  GuestRam* ram = nullptr;
  u64 offset = 0;
  u8* host = nullptr;
  const MmioRegion* mmio = nullptr;
  u64 mmio_offset = 0;
  u64 length = 0;          // how much of the request the answer covers
  InclusiveRange block{};  // around the address, in terms of the request's address space
  MemTxAttrs attrs =
      MemTxAttrs::debugger();  // as they arrive at the target (an IOMMU may change the PA space)
  // The last address space reached and the address in it: where a failure happened, after translation.
  const AddressSpace* final_space = nullptr;
  u64 final_address = 0;
  Provenance hops;

  bool is_ok() const { return result.is_ok(); }
};

// Never waits, and allocates only to word a complaint about a chain that has no end. The pointers are valid
// until the thread's next safe point or the end of its EpochDomain::Guard. When an IOMMU or ROM denies
// `access`, result says so; with Intent::Access the refusing IOMMU has been told, once. Call it for one piece
// at a time: a request that crosses a block is answered up to the block's end.
Translation translate(const TranslateRequest& request);

// Brackets the fill of a TranslationCache: begin, walk, insert, `still_valid` or drop the entry again.
class FillGuard {
 public:
  explicit FillGuard(Participant& participant);
  // Subscribes the participant to every hop (first time only) and then compares the epochs. False: something
  // that the walk used has changed meanwhile; drop the entry and start again.
  bool still_valid(const Provenance& hops);

 private:
  Participant& participant_;
  u64 drains_;
  u64 topology_;
};

}  // namespace sluice
