#include "devices/iommu/smmuv3/walk.h"

#include <cstdio>

namespace sluice::smmuv3 {
namespace {

// Bits of a stage 1 descriptor.
constexpr unsigned kAp1 = 6, kAp2 = 7, kAf = 10, kNotGlobal = 11, kPxn = 53, kUxn = 54, kPxnTable = 59,
                   kUxnTable = 60, kApTable0 = 61, kApTable1 = 62;
// Bits of a stage 2 descriptor.
constexpr unsigned kMemAttrType = 4, kS2Ap = 6, kXn = 53;

Access access_if(bool r, bool w, bool x) {
  return (r ? Access::Read : Access::None) | (w ? Access::Write : Access::None) |
         (x ? Access::Execute : Access::None);
}

// 52-bit addresses need the 64 KiB granule: bits [15:12] hold address bits [51:48].
u64 address_of(u64 descriptor, const TableBase& t, unsigned oas_bits) {
  u64 address = descriptor & ones(48) & ~ones(t.granule);
  if (t.granule == 16 && oas_bits == 52) address |= extract(descriptor, 12, 4) << 48;
  return address;
}

bool block_allowed(const TableBase& t, unsigned level, unsigned oas_bits) {
  if (t.granule == 12) return level == 1 || level == 2;
  if (t.granule == 16 && oas_bits == 52 && level == 1) return true;
  return level == 2;
}

Permissions decode_stage2(u64 descriptor) {
  bool r = bit(descriptor, kS2Ap), w = bit(descriptor, kS2Ap + 1);
  unsigned xn = unsigned(extract(descriptor, kXn, 2));
  return {access_if(r, w, xn == 0 || xn == 3), access_if(r, w, xn == 0 || xn == 1)};
}

}  // namespace

// What table descriptors take away from everything below them.
struct Walk::Limits {
  bool no_unprivileged = false, read_only = false, uxn = false, pxn = false;
  void add(u64 table) {
    no_unprivileged |= bit(table, kApTable0);
    read_only |= bit(table, kApTable1);
    uxn |= bit(table, kUxnTable);
    pxn |= bit(table, kPxnTable);
  }
};

bool Walk::fail(EventType type, bool at_stage2, FaultClass why, u64 address) {
  fault_ = {.type = type, .stage2 = at_stage2, .fault_class = why, .address = address};
  if (type != EventType::F_WALK_EABT && type != EventType::F_CD_FETCH)
    fault_.record = at_stage2 ? c_.ste.S2R() : c_.cd.R();
  return false;
}

// AArch64.S1DirectBasePermissions of the Arm ARM, with 13.4.1.
Permissions Walk::decode_stage1(const TableBase& t, u64 descriptor, const Limits& limits) const {
  bool hierarchical = t.hierarchical;
  bool writable = !bit(descriptor, kAp2) && !(hierarchical && limits.read_only);
  bool uxn = bit(descriptor, kUxn) || (hierarchical && limits.uxn);
  if (c_.all_privileged()) {
    bool x = !uxn && !(c_.cd.WXN() && writable);
    Access a = access_if(true, writable, x);
    return {a, a};
  }
  bool user = bit(descriptor, kAp1) && !(hierarchical && limits.no_unprivileged);
  bool pxn = bit(descriptor, kPxn) || (hierarchical && limits.pxn) || (user && writable);
  bool privileged_data = !(c_.cd.PAN() && user);
  bool privileged_writes = writable && privileged_data;
  bool wxn = c_.cd.WXN();
  return {access_if(privileged_data, privileged_writes, !pxn && !(wxn && privileged_writes)),
          access_if(user, user && writable, !uxn && !(wxn && user && writable))};
}

bool Walk::next(u64 address, bool at_stage2, FaultClass why, u64 input, unsigned level, u64& descriptor) {
  char what[64];
  what[0] = 0;
  if (memory_.traced())
    std::snprintf(what, sizeof what, "stage %d level %u descriptor of 0x%llx", at_stage2 ? 2 : 1, level,
                  static_cast<unsigned long long>(input));
  if (!at_stage2) return read_ipa(address, FaultClass::TT, {&descriptor, 1}, what);
  bool ok = memory_.read(address, {&descriptor, 1}, true);
  if (memory_.traced()) memory_.label(what);
  return ok || fail(EventType::F_WALK_EABT, true, why, address);
}

bool Walk::descend(const TableBase& t, u64 input, bool at_stage2, FaultClass why, Leaf& leaf) {
  // Stage 1 has no IPA to report, stage 2 has.
  const u64 where = at_stage2 ? input : 0;
  Limits limits;
  u64 table = t.base;
  for (unsigned level = t.start_level;; level++) {
    unsigned shift = t.shift(level);
    unsigned top = level == t.start_level ? t.input_bits : shift + t.granule - 3;
    u64 descriptor = 0;
    if (!next(table + extract(input, shift, top - shift) * 8, at_stage2, why, input, level, descriptor))
      return false;
    bool table_bit = bit(descriptor, 1);
    bool is_leaf = level == 3 ? table_bit : !table_bit;
    if (!bit(descriptor, 0) || (level == 3 && !table_bit) ||
        (level < 3 && is_leaf && !block_allowed(t, level, oas_bits_)))
      return fail(EventType::F_TRANSLATION, at_stage2, why, where);
    u64 output = address_of(descriptor, t, oas_bits_);
    if (output >> t.output_bits) return fail(EventType::F_ADDR_SIZE, at_stage2, why, where);
    if (!is_leaf) {
      if (!at_stage2) limits.add(descriptor);
      table = output;
      continue;
    }
    if (!bit(descriptor, kAf) && !t.ignore_access_flag)
      return fail(EventType::F_ACCESS, at_stage2, why, where);
    leaf.output = output & ~ones(shift);
    leaf.log2 = u8(shift);
    leaf.level = u8(level);
    leaf.global = !at_stage2 && !bit(descriptor, kNotGlobal);
    leaf.device_memory = at_stage2 && extract(descriptor, kMemAttrType, 2) == 0;
    leaf.rights = at_stage2 ? decode_stage2(descriptor) : decode_stage1(t, descriptor, limits);
    return true;
  }
}

bool Walk::stage1(u64 va, unsigned x, Leaf& leaf) {
  return descend(c_.ttb[x], va & ones(c_.ttb[x].input_bits), false, FaultClass::IN, leaf);
}

bool Walk::stage2(u64 ipa, FaultClass why, Leaf& leaf) {
  if (ipa >> c_.s2.input_bits) return fail(EventType::F_TRANSLATION, true, why, ipa);
  return descend(c_.s2, ipa, true, why, leaf);
}

bool Walk::read_ipa(u64 ipa, FaultClass why, std::span<u64> words, const char* what) {
  u64 pa = ipa;
  if (c_.stage2) {
    Leaf leaf;
    if (!stage2(ipa, why, leaf)) return false;
    bool refused = c_.ste.S2PTW() && leaf.device_memory;
    if (refused || !allows(leaf.rights.privileged, Access::Read))
      return fail(EventType::F_PERMISSION, true, why, ipa);
    pa = leaf.output + (ipa & ones(leaf.log2));
  }
  bool ok = memory_.read(pa, words, why == FaultClass::TT);
  if (memory_.traced()) memory_.label(what);
  if (ok) return true;
  return why == FaultClass::CD ? fail(EventType::F_CD_FETCH, false, why, pa)
                               : fail(EventType::F_WALK_EABT, false, why, pa);
}

}  // namespace sluice::smmuv3
