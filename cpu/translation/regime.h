// cpu/translation/regime.h: the registers that control a translation regime, decoded (Arm DDI 0487: TCR_ELx,
// TTBRn_ELx, SCTLR_ELx, MAIR_ELx). A regime with two VA ranges (EL1&0, EL2&0) uses both members of `range`,
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
  bool secure_fetch_only = false;  // SCR_EL3.SIF, in the Secure state
  bool hardware_af = false, hardware_dirty = false;
  u8 output_bits = 48;  // the smaller of TCR.IPS and what the PE has
  u8 pa_bits = 48;
  u16 asid = 0, vmid = 0;
  u16 asid_mask = 0xff;
  u64 mair = 0;
  u8 view = 0;  // see context_key(); the owner of the controls numbers them
  VaRange range[2];

  // Two VA ranges, two privilege levels, ASIDs.
  bool has_el0() const { return world.regime() == Regime::El10 || world.regime() == Regime::El20; }
  const VaRange& range_of(u64 va) const { return range[has_el0() && bit(va, 55)]; }
  // The address without its tag.
  u64 canonical(u64 va, bool instruction) const {
    const VaRange& r = range_of(va);
    return (instruction ? r.tbi_instruction : r.tbi_data) ? sign_extend(va, 56) : va;
  }
  Scope scope() const { return {.world = world.value, .vmid = vmid, .asid = on ? asid : u32{0}}; }
  tcg::ContextKey key(Privilege who) const { return context_key(world, vmid, on ? asid : u16{0}, who, view); }
};

// Of one regime, EL10 or EL3; `secure`: the Security state of the former.
void read_controls(RegimeControls& controls, const PeState& state, const CpuModel& model, Regime regime,
                   bool secure);
// The part of it that TTBRn_EL1 decide: of a regime EL10 whose controls have been read before.
void read_table_bases(RegimeControls& controls, const PeState& state);
inline Regime current_regime(const PeState& state) { return state.el == 3 ? Regime::El3 : Regime::El10; }

}  // namespace sluice::cpu
