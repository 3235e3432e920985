// devices/iommu/smmuv3/stream_table.cpp: from a StreamID to a valid STE: IHI 0070 3.3.1, 5.1 "L1STD", 5.2
// "STE".
#include <algorithm>

#include "devices/iommu/smmuv3/context.h"

namespace sluice::smmuv3 {
namespace {

bool fail(Fault& fault, EventType type, u64 address = 0) {
  fault = {.type = type, .address = address};
  return false;
}

bool beyond(u64 address, unsigned bits) { return bits < 64 && address >> bits; }

// With `log2` up to 63 + 6: everything below is taken as zero.
u64 aligned_base(u64 base, unsigned log2) { return log2 >= 64 ? 0 : align_down(base, u64{1} << log2); }

bool read_structure(const TableMemory& memory, u64 address, std::span<u64> words, const char* what) {
  bool ok = memory.read(address, words, false);
  if (memory.traced()) memory.label(what);
  return ok;
}

// FMT and SPLIT: Reserved values behave as linear, and as 6.
unsigned split_of(u32 cfg) {
  unsigned split = unsigned(extract(cfg, 6, 5));
  return split == 8 || split == 10 ? split : 6;
}

bool locate(const Smmuv3Config& config, const StreamTableRegisters& table, const TableMemory& memory,
            u32 stream, u64& address, Fault& fault) {
  unsigned literal = unsigned(extract(table.cfg, 0, 6));
  unsigned log2size = std::min(literal, config.sid_bits);
  u64 base = table.base & ones(config.oas_bits) & ~ones(6);
  EventType bad_id = table.record_bad_streamid ? EventType::C_BAD_STREAMID : EventType::None;
  if (u64{stream} >> log2size) return fail(fault, bad_id);
  if (extract(table.cfg, 16, 2) != 1) {
    address = aligned_base(base, literal + 6) + u64{stream} * kStructureBytes;
    return true;
  }
  unsigned split = split_of(table.cfg);
  unsigned l1_log2 = literal > split ? literal - split : 0;
  u64 l1std_address = aligned_base(base, std::max(6u, l1_log2 + 3)) + (u64{stream} >> split) * 8;
  u64 l1std = 0;
  if (beyond(l1std_address, config.oas_bits) || !read_structure(memory, l1std_address, {&l1std, 1}, "L1STD"))
    return fail(fault, EventType::F_STE_FETCH, l1std_address);
  unsigned span = unsigned(extract(l1std, 0, 5));
  if (span == 0 || span > 11 || span > split + 1) return fail(fault, bad_id);
  u64 index = stream & ones(split);
  if (index >> (span - 1)) return fail(fault, bad_id);
  u64 l2 = l1std & ones(56) & ~ones(6);
  address = aligned_base(l2, 6 + span - 1) + index * kStructureBytes;
  return true;
}

// The start level of VTCR_EL2.SL0, or -1 where the encoding is not available: AArch64.S2InvalidSL of the Arm
// ARM.
int stage2_start_level(const Smmuv3Config& config, unsigned granule, unsigned sl0) {
  if (granule == 12) {
    if (sl0 == 3) return -1;  // needs small translation tables
    if (sl0 == 2 && config.oas_bits < 44) return -1;
    return int(2 - sl0);
  }
  if (sl0 == 3) return -1;
  if (sl0 == 2 && config.oas_bits < (granule == 14 ? 42u : 44u)) return -1;
  return int(3 - sl0);
}

// Bits that the levels below the first one and the page offset resolve.
unsigned resolved_below(unsigned granule, unsigned start_level) {
  return granule + (3 - start_level) * (granule - 3);
}

// STEWalkConfigInconsistentAA64, which is AArch64.S2InconsistentSL of the Arm ARM.
bool stage2_walk_consistent(const Smmuv3Config& config, const Ste& ste, unsigned granule) {
  int start = stage2_start_level(config, granule, ste.S2SL0());
  if (start < 0) return false;
  unsigned input = 64 - ste.S2T0SZ();
  unsigned smallest = resolved_below(granule, unsigned(start)) + 1;
  unsigned largest = smallest + (granule - 3 - 1) + 4;  // one more stride, and 16 tables side by side
  return input >= smallest && input <= largest;
}

bool stage2_is_legal(const Smmuv3Config& config, const Ste& ste) {
  if (!config.stage2()) return false;
  if (ste.S2S()) return false;  // STALL_MODEL
  if (!ste.S2AA64()) return false;
  if (ste.S2HA() || ste.S2HD()) return false;
  if (ste.S2ENDI()) return false;
  unsigned granule = granule_of_tg0(ste.S2TG());
  if (!config.has_granule(granule)) return false;
  unsigned output = std::min(address_bits(ste.S2PS()), config.oas_bits);
  if (beyond(ste.S2TTB(), granule == 16 ? output : std::min(output, 48u))) return false;
  unsigned smallest = std::max(granule == 16 ? 12u : 16u, 64 - config.oas_bits);
  if (ste.S2T0SZ() < smallest || ste.S2T0SZ() > 39) return false;
  return stage2_walk_consistent(config, ste, granule);
}

bool stage1_is_legal(const Smmuv3Config& config, const Ste& ste) {
  if (!config.stage1()) return false;
  if (ste.S1STALLD()) return false;
  if (config.ssid_bits) {
    if (ste.S1CDMax() > config.ssid_bits) return false;
    bool two_level = ste.S1Fmt() == 1 || ste.S1Fmt() == 2;
    if (ste.S1CDMax() && two_level && !config.cd2l()) return false;
  }
  return !beyond(ste.S1ContextPtr(), config.oas_bits);  // PA or IPA: IAS is OAS here
}

}  // namespace

bool ste_is_legal(const Smmuv3Config& config, const Ste& ste) {
  if (!ste.V()) return false;
  if (!ste.passes()) return true;
  if (config.hypervisor() && ste.Config() == 0b101 && (ste.STRW() & 1)) return false;
  if (ste.stage1() && !stage1_is_legal(config, ste)) return false;
  return !ste.stage2() || stage2_is_legal(config, ste);
}

World stream_world(const Smmuv3Config& config, const Ste& ste, bool e2h) {
  if (ste.Config() == 0b101 && config.hypervisor() && ste.STRW() == 2)
    return e2h ? World::El2E2h : World::El2;
  return ste.stage1() ? World::El1 : World::El1Stage2;
}

TableBase stage2_base(const Smmuv3Config& config, const Ste& ste) {
  TableBase t;
  t.enabled = true;
  t.granule = u8(granule_of_tg0(ste.S2TG()));
  t.input_bits = u8(64 - ste.S2T0SZ());
  t.start_level = u8(stage2_start_level(config, t.granule, ste.S2SL0()));
  t.output_bits = u8(std::min(address_bits(ste.S2PS()), config.oas_bits));
  t.ignore_access_flag = ste.S2AFFD();
  unsigned log2 = t.input_bits - resolved_below(t.granule, t.start_level) + 3;
  t.base = align_down(ste.S2TTB(), u64{1} << std::max(log2, t.output_bits == 52 ? 6u : 3u));
  return t;
}

bool find_ste(const Smmuv3Config& config, const StreamTableRegisters& table, const TableMemory& memory,
              u32 stream, Ste& ste, Fault& fault) {
  u64 address = 0;
  if (!locate(config, table, memory, stream, address, fault)) return false;
  if (beyond(address, config.oas_bits) || !read_structure(memory, address, ste.words, "STE"))
    return fail(fault, EventType::F_STE_FETCH, address);
  if (!ste_is_legal(config, ste)) return fail(fault, EventType::C_BAD_STE);
  if (!ste.passes()) return fail(fault, EventType::None);
  return true;
}

}  // namespace sluice::smmuv3
