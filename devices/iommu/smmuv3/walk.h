// devices/iommu/smmuv3/walk.h: VMSAv8-64 translation table walks: stage 1, stage 2, and stage 1 whose tables
// are read through stage 2.
#pragma once
#include "devices/iommu/smmuv3/context.h"

namespace sluice::smmuv3 {

// What the descriptors of one stage allow.
struct Permissions {
  Access privileged = Access::None, unprivileged = Access::None;
  Access of(bool is_privileged) const { return is_privileged ? privileged : unprivileged; }
};

// The end of one walk: a block or page.
struct Leaf {
  u64 output = 0;  // of the first byte of the block
  u8 log2 = 0;     // of the size of the block
  u8 level = 0;
  bool global = false;
  bool device_memory = false;  // stage 2 MemAttr
  Permissions rights;
};

class Walk {
 public:
  Walk(const StreamContext& context, const TableMemory& memory, unsigned oas_bits)
      : c_(context), memory_(memory), oas_bits_(oas_bits) {}

  // False: `fault()` says why. Permissions are not checked.
  bool stage1(u64 va, unsigned x, Leaf& leaf);
  // `why`: what the IPA is of.
  bool stage2(u64 ipa, FaultClass why, Leaf& leaf);
  // A structure or descriptor that stage 1 reads: through stage 2 if that is enabled.
  bool read_ipa(u64 ipa, FaultClass why, std::span<u64> words, const char* what);
  const Fault& fault() const { return fault_; }

 private:
  struct Limits;
  bool fail(EventType type, bool at_stage2, FaultClass why, u64 address);
  bool descend(const TableBase& t, u64 input, bool at_stage2, FaultClass why, Leaf& leaf);
  bool next(u64 address, bool at_stage2, FaultClass why, u64 input, unsigned level, u64& descriptor);
  Permissions decode_stage1(const TableBase& t, u64 descriptor, const Limits& limits) const;

  const StreamContext& c_;
  const TableMemory& memory_;
  const unsigned oas_bits_;
  Fault fault_;
};

}  // namespace sluice::smmuv3
