#include "cpu/translation/tlbi.h"

#include <array>
#include <bit>

namespace sluice::cpu {
namespace {

using enum TlbiKind;
using enum TlbiDomain;

constexpr SysregId id_of(unsigned op1, unsigned crm, unsigned op2) { return {1, op1, 8, crm, op2}; }

// The rows of the EL2 regime wait for that Exception level: cpu/sysreg decides what is decoded. Without it
// there is one VMID, and ALLE1 is VMALLE1 of the Security state that SCR_EL3.NS names.
// clang-format off
constexpr TlbiRow kRows[] = {
    // name           encoding         regime        kind       domain last  range
    {"VMALLE1OS",  id_of(0, 1, 0), Regime::El10, All,       Outer, false, false},
    {"VAE1OS",     id_of(0, 1, 1), Regime::El10, Va,        Outer, false, false},
    {"ASIDE1OS",   id_of(0, 1, 2), Regime::El10, Asid,      Outer, false, false},
    {"VAAE1OS",    id_of(0, 1, 3), Regime::El10, VaAnyAsid, Outer, false, false},
    {"VALE1OS",    id_of(0, 1, 5), Regime::El10, Va,        Outer, true,  false},
    {"VAALE1OS",   id_of(0, 1, 7), Regime::El10, VaAnyAsid, Outer, true,  false},
    {"RVAE1IS",    id_of(0, 2, 1), Regime::El10, Va,        Inner, false, true},
    {"RVAAE1IS",   id_of(0, 2, 3), Regime::El10, VaAnyAsid, Inner, false, true},
    {"RVALE1IS",   id_of(0, 2, 5), Regime::El10, Va,        Inner, true,  true},
    {"RVAALE1IS",  id_of(0, 2, 7), Regime::El10, VaAnyAsid, Inner, true,  true},
    {"VMALLE1IS",  id_of(0, 3, 0), Regime::El10, All,       Inner, false, false},
    {"VAE1IS",     id_of(0, 3, 1), Regime::El10, Va,        Inner, false, false},
    {"ASIDE1IS",   id_of(0, 3, 2), Regime::El10, Asid,      Inner, false, false},
    {"VAAE1IS",    id_of(0, 3, 3), Regime::El10, VaAnyAsid, Inner, false, false},
    {"VALE1IS",    id_of(0, 3, 5), Regime::El10, Va,        Inner, true,  false},
    {"VAALE1IS",   id_of(0, 3, 7), Regime::El10, VaAnyAsid, Inner, true,  false},
    {"RVAE1OS",    id_of(0, 5, 1), Regime::El10, Va,        Outer, false, true},
    {"RVAAE1OS",   id_of(0, 5, 3), Regime::El10, VaAnyAsid, Outer, false, true},
    {"RVALE1OS",   id_of(0, 5, 5), Regime::El10, Va,        Outer, true,  true},
    {"RVAALE1OS",  id_of(0, 5, 7), Regime::El10, VaAnyAsid, Outer, true,  true},
    {"RVAE1",      id_of(0, 6, 1), Regime::El10, Va,        Local, false, true},
    {"RVAAE1",     id_of(0, 6, 3), Regime::El10, VaAnyAsid, Local, false, true},
    {"RVALE1",     id_of(0, 6, 5), Regime::El10, Va,        Local, true,  true},
    {"RVAALE1",    id_of(0, 6, 7), Regime::El10, VaAnyAsid, Local, true,  true},
    {"VMALLE1",    id_of(0, 7, 0), Regime::El10, All,       Local, false, false},
    {"VAE1",       id_of(0, 7, 1), Regime::El10, Va,        Local, false, false},
    {"ASIDE1",     id_of(0, 7, 2), Regime::El10, Asid,      Local, false, false},
    {"VAAE1",      id_of(0, 7, 3), Regime::El10, VaAnyAsid, Local, false, false},
    {"VALE1",      id_of(0, 7, 5), Regime::El10, Va,        Local, true,  false},
    {"VAALE1",     id_of(0, 7, 7), Regime::El10, VaAnyAsid, Local, true,  false},
    {"ALLE1OS",      id_of(4, 1, 4), Regime::El10, All,     Outer, false, false},
    {"VMALLS12E1OS", id_of(4, 1, 6), Regime::El10, All,     Outer, false, false},
    {"ALLE1IS",      id_of(4, 3, 4), Regime::El10, All,     Inner, false, false},
    {"VMALLS12E1IS", id_of(4, 3, 6), Regime::El10, All,     Inner, false, false},
    {"ALLE1",        id_of(4, 7, 4), Regime::El10, All,     Local, false, false},
    {"VMALLS12E1",   id_of(4, 7, 6), Regime::El10, All,     Local, false, false},
    {"ALLE2IS",    id_of(4, 3, 0), Regime::El2,  All,       Inner, false, false},
    {"VAE2IS",     id_of(4, 3, 1), Regime::El2,  VaAnyAsid, Inner, false, false},
    {"VALE2IS",    id_of(4, 3, 5), Regime::El2,  VaAnyAsid, Inner, true,  false},
    {"ALLE2",      id_of(4, 7, 0), Regime::El2,  All,       Local, false, false},
    {"VAE2",       id_of(4, 7, 1), Regime::El2,  VaAnyAsid, Local, false, false},
    {"VALE2",      id_of(4, 7, 5), Regime::El2,  VaAnyAsid, Local, true,  false},
    {"ALLE3OS",    id_of(6, 1, 0), Regime::El3,  All,       Outer, false, false},
    {"VAE3OS",     id_of(6, 1, 1), Regime::El3,  VaAnyAsid, Outer, false, false},
    {"VALE3OS",    id_of(6, 1, 5), Regime::El3,  VaAnyAsid, Outer, true,  false},
    {"RVAE3IS",    id_of(6, 2, 1), Regime::El3,  VaAnyAsid, Inner, false, true},
    {"RVALE3IS",   id_of(6, 2, 5), Regime::El3,  VaAnyAsid, Inner, true,  true},
    {"RVAE3OS",    id_of(6, 5, 1), Regime::El3,  VaAnyAsid, Outer, false, true},
    {"RVALE3OS",   id_of(6, 5, 5), Regime::El3,  VaAnyAsid, Outer, true,  true},
    {"RVAE3",      id_of(6, 6, 1), Regime::El3,  VaAnyAsid, Local, false, true},
    {"RVALE3",     id_of(6, 6, 5), Regime::El3,  VaAnyAsid, Local, true,  true},
    {"ALLE3IS",    id_of(6, 3, 0), Regime::El3,  All,       Inner, false, false},
    {"VAE3IS",     id_of(6, 3, 1), Regime::El3,  VaAnyAsid, Inner, false, false},
    {"VALE3IS",    id_of(6, 3, 5), Regime::El3,  VaAnyAsid, Inner, true,  false},
    {"ALLE3",      id_of(6, 7, 0), Regime::El3,  All,       Local, false, false},
    {"VAE3",       id_of(6, 7, 1), Regime::El3,  VaAnyAsid, Local, false, false},
    {"VALE3",      id_of(6, 7, 5), Regime::El3,  VaAnyAsid, Local, true,  false},
};
// clang-format on

constexpr u8 granule_of_code(u64 code) { return u8(10 + 2 * code); }

// TTL<3:2> is the granule, TTL<1:0> the level. Reserved values are no hint (as are all without FEAT_TTL).
void set_level_hint(u64 ttl, const CpuModel& model, TlbiOperation& op) {
  u64 granule = ttl >> 2, level = ttl & 3;
  bool reserved = level == 0 || (granule == 2 && level == 1);
  if (granule == 0 || reserved || !model.features.has(Feature::TTL)) return;
  op.granule = granule_of_code(granule);
  op.level = i8(level);
}

// [BaseADDR, BaseADDR + ((NUM + 1) << (5 * SCALE + 1)) granules), not beyond the half of the address map that
// it is in.
bool set_range(u64 xt, TlbiOperation& op) {
  u64 code = extract(xt, 46, 2);
  if (code == 0) return false;
  op.granule = granule_of_code(code);
  u64 first = sign_extend(extract(xt, 0, 37) << op.granule, 37u + op.granule);
  u64 size = (extract(xt, 39, 5) + 1) << (5 * extract(xt, 44, 2) + 1) << op.granule;
  u64 limit = bit(first, 63) ? ~u64{0} : ones(63);
  op.va = {first, size - 1 > limit - first ? limit : first + size - 1};
  // A level 1 hint with 16 KiB granules is reserved, and so no hint.
  u64 ttl = extract(xt, 37, 2);
  if (ttl && !(code == 2 && ttl == 1)) op.level = i8(ttl);
  return true;
}

struct Remover {
  const TlbiOperation& op;
  TranslationCache& cache;
  u8 world;

  Scope scope() const { return {.world = world, .vmid = op.vmid, .asid = op.asid}; }
  RemoveFilter filter() const {
    RemoveFilter f;
    f.last_level_only = op.last_level;
    f.level = op.level;
    if (op.granule) f.tag_mask = kTagGranuleMask, f.tag_value = u8(Granule{op.granule}.code() << kTagGranule);
    return f;
  }
  void range(InclusiveRange r, const RemoveFilter& f) const {
    if (op.kind == VaAnyAsid) {
      cache.remove_range_all_asids(world, op.vmid, r, f);
    } else if (r.first == r.last) {
      cache.remove_address(scope(), r.first, f);
    } else {
      cache.remove_range(scope(), r, f);
    }
  }
  // Fragments of leaves that the range touches: the range, widened to whole leaves of each kind that exists.
  void fragments(FragmentClasses classes) const {
    for (; classes; classes &= classes - 1) {
      unsigned n = unsigned(std::countr_zero(classes));
      u8 tags = u8(n / 4 * 2 | kTagFragment), level = u8(n % 4);
      Granule granule{granule_of_code(tags >> kTagGranule)};
      if ((op.level >= 0 && op.level != level) || (op.granule && op.granule != granule.bits)) continue;
      unsigned shift = granule.shift(level) + (tags & kTagContiguous ? granule.contiguous_entries(level) : 0);
      RemoveFilter f;
      f.level = i8(level);
      f.tag_mask = 0x0f, f.tag_value = tags;
      range({op.va.first & ~ones(shift), op.va.last | ones(shift)}, f);
    }
  }
};

void drop_tables(const TlbiOperation& op, WalkCache& walks) {
  if (op.last_level) return;
  WalkCache::Key key{op.world.value, op.vmid, op.asid};
  if (op.kind == All)
    walks.remove_all(key.world, key.vmid);
  else if (op.kind == Asid)
    walks.remove_asid(key);
  else if (op.kind == Va && op.va.first == op.va.last)
    walks.remove_address(key, op.va.first);
  else
    walks.remove_range(key, op.kind == VaAnyAsid, op.va);
}

}  // namespace

std::span<const TlbiRow> tlbi_rows() { return kRows; }

namespace {

// Rows by op1, CRm and op2 (the rest is the same for all): 1 + the number of the row.
constexpr unsigned index_of(SysregId id) {
  return unsigned(extract(id.value, 11, 3) << 7 | extract(id.value, 0, 7));
}
constexpr std::array<u8, 1024> kByEncoding = [] {
  std::array<u8, 1024> r{};
  for (u8 n = 0; n < std::size(kRows); n++) r[index_of(kRows[n].id)] = n + 1;
  return r;
}();

}  // namespace

const TlbiRow* find_tlbi(SysregId id) {
  u8 n = kByEncoding[index_of(id)];
  return n && kRows[n - 1].id == id ? &kRows[n - 1] : nullptr;
}

bool decode_tlbi(const TlbiRow& row, u64 xt, const RegimeControls& c, const CpuModel& model,
                 TlbiOperation& op) {
  op = {};
  op.kind = row.kind;
  op.last_level = row.last_level;
  op.world = World::of(row.regime, c.world.secure(), true);
  op.vmid = c.vmid;
  op.asid = u16(xt >> 48) & c.asid_mask;
  if (row.kind == All || row.kind == Asid) return true;
  if (row.range) return set_range(xt, op);
  u64 va = sign_extend(xt << 12, 56) & ~ones(12);
  op.va = {va, va};
  set_level_hint(extract(xt, 44, 4), model, op);
  return true;
}

void apply_tlbi(const TlbiOperation& op, const TlbiTarget& target) {
  for (unsigned n = 0; n < (target.variants ? World::kVariants : 1); n++) {
    Remover remover{op, target.cache, op.world.variant(n).value};
    switch (op.kind) {
      case All: target.cache.remove_vmid(remover.world, op.vmid, remover.filter()); break;
      case Asid: target.cache.remove_asid(remover.world, op.vmid, op.asid, remover.filter()); break;
      case Va:
      case VaAnyAsid:
        remover.range(op.va, remover.filter());
        remover.fragments(target.fragments);
        break;
    }
  }
  drop_tables(op, target.walks);
}

}  // namespace sluice::cpu
