// tests/support/smmu_reference.h: an independent walker for VMSAv8-64 stage 1, stage 2 and both, for tests.
// It works on a plain description of what the tables should do, page by page, and shares nothing with the
// device.
#pragma once
#include <functional>

#include "tests/support/smmu_world.h"

namespace sluice::test::reference {

// One stage as a test builds it.
struct Stage {
  bool present = false;
  unsigned granule = 12, input_bits = 48, start = 0;
  u64 root = 0;
  unsigned output_bits = 44;
  bool wxn = false, pan = false, had = false, affd = false;
};

enum class Why { Ok, Translation = 0x10, AddrSize = 0x11, Access = 0x12, Permission = 0x13, Abort = 0x0b };

struct Rights {
  bool r = false, w = false, x = false;
};

struct Result {
  Why why = Why::Ok;
  int stage = 0;         // that faulted
  bool walking = false;  // stage 2 faulted on the address of a stage 1 descriptor
  u64 ipa = 0, pa = 0;
  u64 size = 0;      // of the block
  Rights rights[2];  // unprivileged, privileged; of the first stage
  Rights stage2_rights[2] = {{true, true, true}, {true, true, true}};
};

using Fetch = std::function<bool(u64 pa, u64& value)>;

inline unsigned lsb_of(unsigned granule, unsigned level) {
  unsigned per_level = granule - 3;
  unsigned lsb = granule;
  for (unsigned l = 3; l > level; l--) lsb += per_level;
  return lsb;
}

inline Rights both(Rights a, Rights b) { return {a.r && b.r, a.w && b.w, a.x && b.x}; }

struct Machine {
  Stage s1, s2;
  Fetch fetch;

  // Stage 2 of one IPA.
  Result stage2(u64 ipa) const {
    Result out;
    out.stage = 2;
    out.ipa = ipa;
    if (s2.input_bits < 64 && (ipa >> s2.input_bits) != 0) return out.why = Why::Translation, out;
    u64 table = s2.root;
    unsigned level = s2.start;
    while (true) {
      unsigned lsb = lsb_of(s2.granule, level);
      u64 index = ipa >> lsb;
      if (level != s2.start) index %= u64{1} << (s2.granule - 3);
      u64 d = 0;
      if (!fetch(table + 8 * index, d)) return out.why = Why::Abort, out;
      bool valid = d % 2 == 1, upper = d / 2 % 2 == 1;
      bool block = level != 3 && !upper;
      bool block_ok = (s2.granule == 12 && level == 1) || level == 2;
      if (!valid || (level == 3 && !upper) || (block && !block_ok)) return out.why = Why::Translation, out;
      u64 address = d % (u64{1} << 48) / (u64{1} << s2.granule) * (u64{1} << s2.granule);
      if (address >= u64{1} << s2.output_bits) return out.why = Why::AddrSize, out;
      if (level != 3 && upper) {
        table = address;
        level++;
        continue;
      }
      if (!(d & u64{1} << 10) && !s2.affd) return out.why = Why::Access, out;
      out.size = u64{1} << lsb;
      out.pa = address / out.size * out.size + ipa % out.size;
      bool read = d & 0x40, write = d & 0x80;
      unsigned xn = d >> 53 & 3;
      out.rights[0] = {read, write, xn == 0 || xn == 1};
      out.rights[1] = {read, write, xn == 0 || xn == 3};
      out.why = Why::Ok;
      return out;
    }
  }

  Result translate(u64 va) const {
    if (!s1.present) return stage2(va);
    Result out;
    out.stage = 1;
    if (va >> s1.input_bits) return out.why = Why::Translation, out;
    u64 table = s1.root, d = 0;
    unsigned level = s1.start, lsb = 0;
    bool ap_table0 = false, ap_table1 = false, uxn_table = false, pxn_table = false;
    while (true) {
      lsb = lsb_of(s1.granule, level);
      u64 index = va >> lsb;
      if (level != s1.start) index %= u64{1} << (s1.granule - 3);
      u64 where = table + 8 * index;
      if (s2.present) {
        Result inner = stage2(where);
        if (inner.why == Why::Ok && !inner.rights[1].r) inner.why = Why::Permission;
        if (inner.why != Why::Ok) return inner.walking = true, inner;
        where = inner.pa;
      }
      if (!fetch(where, d)) return out.why = Why::Abort, out;
      bool valid = d % 2 == 1, upper = d / 2 % 2 == 1;
      bool block = level != 3 && !upper;
      bool block_ok = (s1.granule == 12 && level == 1) || level == 2;
      if (!valid || (level == 3 && !upper) || (block && !block_ok)) return out.why = Why::Translation, out;
      u64 address = d % (u64{1} << 48) / (u64{1} << s1.granule) * (u64{1} << s1.granule);
      if (address >= u64{1} << s1.output_bits) return out.why = Why::AddrSize, out;
      if (level == 3 || !upper) {
        if (!(d & u64{1} << 10) && !s1.affd) return out.why = Why::Access, out;
        out.size = u64{1} << lsb;
        out.ipa = address / out.size * out.size + va % out.size;
        break;
      }
      pxn_table |= d >> 59 & 1;
      uxn_table |= d >> 60 & 1;
      ap_table0 |= d >> 61 & 1;
      ap_table1 |= d >> 62 & 1;
      table = address;
      level++;
    }
    if (s1.had) ap_table0 = ap_table1 = uxn_table = pxn_table = false;
    bool el0 = (d >> 6 & 1) && !ap_table0, rw = !(d >> 7 & 1) && !ap_table1;
    bool uxn = (d >> 54 & 1) || uxn_table, pxn = (d >> 53 & 1) || pxn_table;
    Rights user{el0, el0 && rw, !uxn}, kernel{true, rw, !pxn};
    if (user.w) kernel.x = false;
    if (s1.pan && el0) kernel.r = kernel.w = false;
    if (s1.wxn && user.w) user.x = false;
    if (s1.wxn && kernel.w) kernel.x = false;
    out.rights[0] = user;
    out.rights[1] = kernel;
    out.pa = out.ipa;
    if (!s2.present) return out;
    Result second = stage2(out.ipa);
    if (second.why != Why::Ok) return second;
    out.pa = second.pa;
    out.size = std::min(out.size, second.size);
    out.stage2_rights[0] = second.rights[0], out.stage2_rights[1] = second.rights[1];
    return out;
  }
};

}  // namespace sluice::test::reference
