// devices/iommu/smmuv3/structures.h: IHI 0070 chapter 5, "Data structure formats". Field names are the
// specification's.
#pragma once
#include <array>

#include "base/bits.h"

namespace sluice::smmuv3 {

using Structure = std::array<u64, 8>;

// 5.2
struct Ste {
  Structure words{};
  bool V() const { return bit(words[0], 0); }
  unsigned Config() const { return unsigned(extract(words[0], 1, 3)); }
  bool passes() const { return Config() & 4; }
  bool stage1() const { return (Config() & 5) == 5; }
  bool stage2() const { return (Config() & 6) == 6; }
  unsigned S1Fmt() const { return unsigned(extract(words[0], 4, 2)); }
  u64 S1ContextPtr() const { return words[0] & ones(56) & ~ones(6); }
  unsigned S1CDMax() const { return unsigned(extract(words[0], 59, 5)); }
  unsigned S1DSS() const { return unsigned(extract(words[1], 0, 2)); }
  bool MEV() const { return bit(words[1], 19); }
  bool S1STALLD() const { return bit(words[1], 27); }
  unsigned STRW() const { return unsigned(extract(words[1], 30, 2)); }
  unsigned PRIVCFG() const { return unsigned(extract(words[1], 48, 2)); }
  unsigned INSTCFG() const { return unsigned(extract(words[1], 50, 2)); }
  u16 S2VMID() const { return u16(extract(words[2], 0, 16)); }
  unsigned S2T0SZ() const { return unsigned(extract(words[2], 32, 6)); }
  unsigned S2SL0() const { return unsigned(extract(words[2], 38, 2)); }
  unsigned S2TG() const { return unsigned(extract(words[2], 46, 2)); }
  unsigned S2PS() const { return unsigned(extract(words[2], 48, 3)); }
  bool S2AA64() const { return bit(words[2], 51); }
  bool S2ENDI() const { return bit(words[2], 52); }
  bool S2AFFD() const { return bit(words[2], 53); }
  bool S2PTW() const { return bit(words[2], 54); }
  bool S2HD() const { return bit(words[2], 55); }
  bool S2HA() const { return bit(words[2], 56); }
  bool S2S() const { return bit(words[2], 57); }
  bool S2R() const { return bit(words[2], 58); }
  u64 S2TTB() const { return words[3] & ones(52) & ~ones(4); }
};

// 5.4
struct Cd {
  Structure words{};
  unsigned TxSZ(unsigned x) const { return unsigned(extract(words[0], x ? 16 : 0, 6)); }
  unsigned TGx(unsigned x) const { return unsigned(extract(words[0], x ? 22 : 6, 2)); }
  bool EPDx(unsigned x) const { return bit(words[0], x ? 30 : 14); }
  bool ENDI() const { return bit(words[0], 15); }
  bool V() const { return bit(words[0], 31); }
  unsigned IPS() const { return unsigned(extract(words[0], 32, 3)); }
  bool AFFD() const { return bit(words[0], 35); }
  bool WXN() const { return bit(words[0], 36); }
  bool TBIx(unsigned x) const { return bit(words[0], x ? 39 : 38); }
  bool PAN() const { return bit(words[0], 40); }
  bool AA64() const { return bit(words[0], 41); }
  bool HD() const { return bit(words[0], 42); }
  bool HA() const { return bit(words[0], 43); }
  bool S() const { return bit(words[0], 44); }
  bool R() const { return bit(words[0], 45); }
  bool A() const { return bit(words[0], 46); }
  u16 ASID() const { return u16(extract(words[0], 48, 16)); }
  bool HADx(unsigned x) const { return bit(words[1 + x], 1); }
  u64 TTBx(unsigned x) const { return words[1 + x] & ones(52) & ~ones(4); }
};

// log2 of the granule, 0 for the Reserved encoding. CD.TG0 and STE.S2TG; CD.TG1 is encoded in another way.
constexpr unsigned granule_of_tg0(unsigned tg) {
  constexpr u8 kBits[4] = {12, 16, 14, 0};
  return kBits[tg & 3];
}
constexpr unsigned granule_of_tg1(unsigned tg) {
  constexpr u8 kBits[4] = {0, 14, 12, 16};
  return kBits[tg & 3];
}

}  // namespace sluice::smmuv3
