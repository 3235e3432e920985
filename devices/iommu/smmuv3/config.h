// devices/iommu/smmuv3/config.h: what an instance implements, as the board chooses it.
#pragma once
#include <functional>
#include <string>

#include "base/wire.h"
#include "devices/iommu/smmuv3/spec.h"
#include "memory/translation_cache.h"

namespace sluice {

struct Smmuv3Config {
  enum class Stages : u8 { One, Two, Nested };
  std::string name = "smmuv3";
  Stages stages = Stages::Nested;
  unsigned oas_bits = 44;                     // 32, 36, 40, 42, 44, 48 or 52
  unsigned sid_bits = 16;                     // 0..32
  unsigned ssid_bits = 0;                     // 0..20; 0: no substreams
  unsigned cmdq_log2 = 19, eventq_log2 = 19;  // 0..19
  bool granule_4k = true, granule_16k = true, granule_64k = true;
  bool two_level_cd = true;     // with substreams
  bool hyp = false;             // NS-EL2 and NS-EL2-E2H stream worlds; with Stages::Nested only
  bool msi = false;             // message-signalled interrupts for its own events
  bool abort_at_reset = false;  // GBPA.ABORT

  TranslationCache::Policy iotlb_policy = TranslationCache::Policy::Precise;
  u32 iotlb_entries = 0;       // 0: the policy's own capacity
  u32 config_entries = 65536;  // {StreamID, SubstreamID} pairs with cached configuration
  unsigned slice = 256;        // commands per register access
  u64 slice_gap_ns = 20'000;   // virtual time until the rest of a long queue goes on

  bool stage1() const { return stages != Stages::Two; }
  bool stage2() const { return stages != Stages::One; }
  bool hypervisor() const { return hyp && stages == Stages::Nested; }
  bool cd2l() const { return two_level_cd && ssid_bits && stage1(); }
  // Granule by its log2.
  bool has_granule(unsigned bits) const {
    return bits == 12 ? granule_4k : bits == 14 ? granule_16k : bits == 16 && granule_64k;
  }
  u32 idr0(bool sev) const;
  u32 idr1() const;
  u32 idr3() const;
  u32 idr5() const;
};

// Edge-triggered by the architecture (3.18.2): each interrupt is a pulse.
struct Smmuv3Wires {
  IrqLine eventq, gerror, cmd_sync;
  std::function<void()> send_event;  // to the PEs, as SEV does; absent: IDR0.SEV is 0
};

}  // namespace sluice
