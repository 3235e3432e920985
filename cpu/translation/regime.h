// cpu/translation/regime.h: the registers that control a translation regime, decoded (Arm DDI 0487: TCR_EL1,
// TTBRn_EL1, SCTLR_EL1, MAIR_EL1). A regime with two VA ranges (EL1&0, EL2&0) uses both members of `range`,
// the others the first.
#pragma once
#include "cpu/models.h"
#include "cpu/state.h"
#include "cpu/translation/context.h"

namespace sluice::cpu {

struct VaRange {
  Granule granule;
  bool usable = false;          // TxSZ is within the limits of the granule
  bool walks_disabled = false;  // EPDx
  bool tbi_data = false, tbi_instruction = false;
  bool ignore_limits = false;  // HPDx: no hierarchical permissions
  bool el0_denied = false;     // E0PDx
  u8 input_bits = 0;
  u8 start_level = 0;
  u8 table_alignment = 0;  // log2 of the size of the first table
  u64 ttbr = 0;
  u64 table() const { return ttbr & ones(48) & ~ones(table_alignment); }
};

struct RegimeControls {
  World world;
  bool on = false;          // SCTLR.M
  bool big_endian = false;  // SCTLR.EE: of the tables
  bool wxn = false;
  bool hardware_af = false, hardware_dirty = false;
  u8 output_bits = 48;  // the smaller of TCR.IPS and what the PE has
  u8 pa_bits = 48;
  u16 asid = 0, vmid = 0;
  u16 asid_mask = 0xff;
  u64 mair = 0;
  VaRange range[2];

  const VaRange& range_of(u64 va) const { return range[bit(va, 55)]; }
  // The address without its tag.
  u64 canonical(u64 va, bool instruction) const {
    const VaRange& r = range_of(va);
    return (instruction ? r.tbi_instruction : r.tbi_data) ? sign_extend(va, 56) : va;
  }
  Scope scope() const { return {.world = world.value, .vmid = vmid, .asid = on ? asid : u32{0}}; }
  tcg::ContextKey key(Privilege who) const { return context_key(world, vmid, on ? asid : u16{0}, who); }
};

// Of the EL1&0 regime. `read_tables` is the cheap part, for writes of TTBRn_EL1.
void read_controls(RegimeControls& controls, const PeState& state, const CpuModel& model);
void read_tables(RegimeControls& controls, const PeState& state);

}  // namespace sluice::cpu
