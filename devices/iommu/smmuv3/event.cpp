#include "devices/iommu/smmuv3/event.h"

namespace sluice::smmuv3 {
namespace {

// Which fields a record has, beside the event number, the StreamID and the SubstreamID.
struct Format {
  EventType type;
  bool access;  // InputAddr, PnU, InD, RnW, S2, CLASS
  bool fetch;   // FetchAddr[55:3]
  bool ipa;     // IPA[55:12], when S2
};
constexpr Format kFormats[] = {
    {EventType::F_STE_FETCH, false, true, false}, {EventType::F_CD_FETCH, false, true, false},
    {EventType::F_WALK_EABT, true, true, false},  {EventType::F_TRANSLATION, true, false, true},
    {EventType::F_ADDR_SIZE, true, false, true},  {EventType::F_ACCESS, true, false, true},
    {EventType::F_PERMISSION, true, false, true},
};

}  // namespace

EventRecord make_event(const Refusal& refusal, StreamId id, u64 input) {
  const Fault& fault = refusal.fault;
  EventRecord e{};
  // C_BAD_SUBSTREAMID has no SSV: its SubstreamID is always valid.
  bool ssv = id.substream_valid && fault.type != EventType::C_BAD_SUBSTREAMID;
  u64 substream = id.substream_valid ? id.substream : 0;
  e[0] = u64(fault.type) | u64{ssv} << 11 | substream << 12 | u64{id.stream} << 32;
  for (const Format& f : kFormats) {
    if (f.type != fault.type) continue;
    if (f.access) {
      e[1] = u64{refusal.privileged} << 33 | u64{refusal.instruction} << 34 | u64{refusal.read} << 35 |
             u64{fault.stage2} << 39 | u64(fault.fault_class) << 40;
      e[2] = input;
    }
    // TTRnW: the SMMU only ever reads descriptors.
    if (fault.type == EventType::F_PERMISSION && fault.fault_class == FaultClass::TT) e[1] |= u64{1} << 44;
    if (f.fetch) e[3] = fault.address & ones(56) & ~ones(3);
    if (f.ipa && fault.stage2) e[3] = fault.address & ones(56) & ~ones(12);
  }
  return e;
}

}  // namespace sluice::smmuv3
