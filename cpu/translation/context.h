// cpu/translation/context.h: how a PE names its translation contexts: as the scope of a TLB entry, and as the
// key of a soft TLB bank or jump cache.
#pragma once
#include "cpu/translation/descriptor.h"
#include "memory/translation_cache.h"
#include "tcg/jump_cache.h"

namespace sluice::cpu {

// The translation regimes of AArch64 (Arm DDI 0487, "Translation regimes").
enum class Regime : u8 { El10, El2, El3, El20 };

// Scope::world. An entry of a disabled stage 1 lives in a world of its own, so that SCTLR_ELx.M flushes
// nothing. What an IOMMU answers may depend on the privileged and instruction attributes of the transaction:
// such entries have a variant of the world for each combination.
struct World {
  u8 value = 0;
  static constexpr u8 kSecure = 4, kOff = 8, kVariant = 16, kVariantShift = 5;
  static constexpr World of(Regime regime, bool secure, bool on) {
    return {u8(u8(regime) | (secure ? kSecure : 0) | (on ? 0 : kOff))};
  }
  constexpr World behind_iommu(bool privileged, bool instruction) const {
    return {u8(value | kVariant | u8(privileged) << kVariantShift | u8(instruction) << (kVariantShift + 1))};
  }
  // This world and its variants.
  static constexpr unsigned kVariants = 5;
  constexpr World variant(unsigned n) const {
    return n == 0 ? *this : behind_iommu((n - 1) & 1, (n - 1) & 2);
  }
  constexpr Regime regime() const { return Regime(value & 3); }
  constexpr bool secure() const { return value & kSecure; }
  constexpr bool operator==(const World&) const = default;
};

// ASID in bits 15:0, VMID in 31:16, world (without variant) in 35:32, privilege in 37:36, view in 45:38. The
// view numbers what slots are derived with besides the entry: MAIR_ELx, SCTLR_ELx.WXN and the like. Software
// that swaps those registers for another world's comes back to the banks that it left.
constexpr tcg::ContextKey context_key(World world, u16 vmid, u16 asid, Privilege who, u8 view = 0) {
  return asid | u64{vmid} << 16 | u64{world.value} << 32 | u64(who) << 36 | u64{view} << 38;
}
// Contexts of one address space, at any privilege and with any view.
constexpr tcg::ContextMatch match_asid(World world, u16 vmid, u16 asid) {
  return {ones(36), context_key(world, vmid, asid, Privilege::El0)};
}
// All address spaces of a regime.
constexpr tcg::ContextMatch match_all_asids(World world, u16 vmid) {
  return {ones(36) & ~ones(16), context_key(world, vmid, 0, Privilege::El0)};
}
inline constexpr tcg::ContextMatch kMatchEverything{};

// A TLB entry's name as the soft TLB knows it: never 0.
constexpr u64 parent_of(EntryId id) { return (u64{id.generation} << 32) | (u64{id.slot} + 1); }

}  // namespace sluice::cpu
