// cpu/translation/tlbi.h: the TLBI instructions: what their operands name, and which entries that is (Arm DDI
// 0487, "TLB maintenance instructions", AArch64.TLBI_*).
#pragma once
#include <span>
#include <string_view>

#include "base/sysreg_port.h"
#include "cpu/models.h"
#include "cpu/translation/regime.h"
#include "cpu/translation/walk_cache.h"

namespace sluice::cpu {

enum class TlbiKind : u8 {
  All,  // VMALLE1 (of the current VMID), ALLE2, ALLE3
  Asid,
  Va,  // of one ASID, and global entries
  VaAnyAsid,
};
enum class TlbiDomain : u8 { Local, Inner, Outer };

// One instruction as the architecture lists it.
struct TlbiRow {
  std::string_view name;
  SysregId id;
  Regime regime;
  TlbiKind kind;
  TlbiDomain domain;
  bool last_level;
  bool range;
};
const TlbiRow* find_tlbi(SysregId id);
std::span<const TlbiRow> tlbi_rows();

// An instruction with its operand: what goes into the mailboxes of the other PEs.
struct TlbiOperation {
  TlbiKind kind = TlbiKind::All;
  bool last_level = false;
  i8 level = -1;   // hint: only leaves of this level; -1: any
  u8 granule = 0;  // log2, of those leaves; 0: any
  World world;
  u16 asid = 0, vmid = 0;
  InclusiveRange va{0, ~u64{0}};
};
static_assert(sizeof(TlbiOperation) <= 32);

// False: the operand names nothing (a reserved granule).
bool decode_tlbi(const TlbiRow& row, u64 xt, const RegimeControls& controls, const CpuModel& model,
                 TlbiOperation& out);

// Which kinds of fragments exist: leaves that were cut by the memory behind them (see apply_tlbi).
using FragmentClasses = u64;
inline constexpr u8 kTagFragment = 1, kTagContiguous = 2;  // CacheEntry::tags; the granule is at kTagGranule
inline constexpr unsigned kTagGranule = 2;
inline constexpr u8 kTagGranuleMask = 3 << kTagGranule;
constexpr u8 tags_of(const Leaf& leaf, bool fragment) {
  return u8((fragment ? kTagFragment : 0) | (leaf.contiguous ? kTagContiguous : 0) |
            Granule{leaf.granule}.code() << kTagGranule);
}
constexpr FragmentClasses fragment_class(u8 tags, u8 level) { return u64{1} << ((tags >> 1) * 4 + level); }

struct TlbiTarget {
  TranslationCache& cache;
  WalkCache& walks;
  FragmentClasses fragments;  // classes of fragments that may exist
  bool variants;              // entries behind IOMMUs may exist
};
// Removes exactly the leaves that the operation names. A leaf may be held in fragments, each smaller than
// what its descriptor maps: a TLBI of any address of the leaf removes all of them.
void apply_tlbi(const TlbiOperation& operation, const TlbiTarget& target);

}  // namespace sluice::cpu
