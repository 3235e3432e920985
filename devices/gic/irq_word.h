// devices/gic/irq_word.h: the state of 32 interrupts, one bit each, as the GICD_*<n> bitmap registers group
// them. Common to GICv2 (IHI 0048B) and GICv3 (IHI 0069H): their interrupt state machine is the same.
#pragma once
#include <array>
#include <bit>

#include "base/bits.h"
#include "base/types.h"

namespace sluice {

// The bitmap registers: offset 0x080 * value from the start of the frame, in either version.
enum class IrqBitmap : u8 {
  IGROUPR = 1,
  ISENABLER = 2,
  ICENABLER = 3,
  ISPENDR = 4,
  ICPENDR = 5,
  ISACTIVER = 6,
  ICACTIVER = 7,
};

// Of an interrupt: what IGROUPR and, where there are two Security states, IGRPMODR say (IHI 0069H 4.6). With
// one Security state Group 1 is kGroup1Ns.
enum IrqGroup : u8 { kGroup0, kGroup1Ns, kGroup1S };
inline constexpr unsigned kIrqGroups = 3;

// The Non-secure view of priorities (IHI 0048B 3.8.1, IHI 0069H 4.8.1): the lower half of the range, as if it
// were all of it.
constexpr u8 non_secure_priority(u8 priority) { return priority & 0x80 ? u8(priority << 1) : 0; }
constexpr u8 from_non_secure_priority(u8 view) { return u8(0x80 | view >> 1); }

struct IrqWord {
  u32 level = 0;  // input lines
  u32 edge = 0;   // ICFGR: 1 = edge-triggered
  u32 latch = 0;  // pending by an edge, by software, or (SGIs) by a sender
  u32 enabled = 0;
  u32 active = 0;
  u32 group = 0;     // IGROUPR: 1 = (Non-secure) Group 1
  u32 modifier = 0;  // IGRPMODR: 1 = Secure Group 1, where group is 0
  std::array<u8, 32> priority{};

  // A level-sensitive interrupt is pending while its line is high, or from ISPENDR until it is acknowledged.
  u32 pending() const { return latch | (level & ~edge); }
  u32 deliverable() const { return pending() & enabled & ~active; }

  IrqGroup group_of(unsigned n) const {
    return bit(group, n) ? kGroup1Ns : bit(modifier, n) ? kGroup1S : kGroup0;
  }
  // The interrupts of a group.
  u32 members(IrqGroup g) const {
    return g == kGroup1Ns ? group : g == kGroup1S ? modifier & ~group : ~(group | modifier);
  }

  void drive(u32 mask, bool high) {
    if (high) {
      latch |= mask & edge & ~level;
      level |= mask;
    } else {
      level &= ~mask;
    }
  }
  void acknowledge(u32 mask) {
    active |= mask;
    latch &= ~mask;
  }
  // Everything but the lines.
  void reset(u32 edge_at_reset) {
    u32 lines = level;
    *this = IrqWord{};
    level = lines;
    edge = edge_at_reset;
  }

  u32 read(IrqBitmap which) const {
    switch (which) {
      case IrqBitmap::IGROUPR: return group;
      case IrqBitmap::ISENABLER:
      case IrqBitmap::ICENABLER: return enabled;
      case IrqBitmap::ISPENDR:
      case IrqBitmap::ICPENDR: return pending();
      case IrqBitmap::ISACTIVER:
      case IrqBitmap::ICACTIVER: return active;
    }
    return 0;
  }
  // `present`: the bits that a guest can change.
  void write(IrqBitmap which, u32 value, u32 present) {
    value &= present;
    switch (which) {
      case IrqBitmap::IGROUPR: group = (group & ~present) | value; break;
      case IrqBitmap::ISENABLER: enabled |= value; break;
      case IrqBitmap::ICENABLER: enabled &= ~value; break;
      case IrqBitmap::ISPENDR: latch |= value; break;
      case IrqBitmap::ICPENDR: latch &= ~value; break;
      case IrqBitmap::ISACTIVER: active |= value; break;
      case IrqBitmap::ICACTIVER: active &= ~value; break;
    }
  }

  // IPRIORITYR: four interrupts from n on. A Non-secure access of a GIC with two Security states (`ns`) sees
  // those of Group 1, and its view of their priorities.
  u32 read_ipriorityr(unsigned n, bool ns) const {
    u32 value = 0;
    for (unsigned i = 0; i < 4; i++) {
      u8 p = priority[n + i];
      if (ns) p = bit(group, n + i) ? non_secure_priority(p) : 0;
      value |= u32{p} << i * 8;
    }
    return value;
  }

  // ICFGR: two bits for each of the 16 interrupts of one half of the word; bit 1 of each = edge-triggered.
  u32 read_icfgr(unsigned half, u32 visible = ~u32{0}) const {
    u32 value = 0;
    for (unsigned i = 0; i < 16; i++) value |= u32(bit(edge & visible, half * 16 + i)) << (2 * i + 1);
    return value;
  }
  void write_icfgr(unsigned half, u32 value, u32 present) {
    u32 now = 0;
    for (unsigned i = 0; i < 16; i++) now |= u32(bit(value, 2 * i + 1)) << (half * 16 + i);
    u32 mask = present & (0xffffu << half * 16);
    edge = (edge & ~mask) | (now & mask);
  }
};

// A pending interrupt as one number: the smaller, the sooner. Equal priorities go by INTID.
using IrqKey = u32;
inline constexpr IrqKey kNoIrq = ~IrqKey{0};
constexpr IrqKey irq_key(u8 priority, unsigned intid) { return IrqKey{priority} << 24 | intid; }
constexpr unsigned key_intid(IrqKey key) { return key & 0xff'ffff; }
constexpr u8 key_priority(IrqKey key) { return u8(key >> 24); }

// The most urgent of `candidates` (bits of `word`, whose first INTID is `base`) and `best`.
inline IrqKey most_urgent(const IrqWord& word, u32 candidates, unsigned base, IrqKey best) {
  for (; candidates; candidates &= candidates - 1) {
    unsigned n = unsigned(std::countr_zero(candidates));
    IrqKey key = irq_key(word.priority[n], base + n);
    if (key < best) best = key;
  }
  return best;
}

// Calls `visit(bit number)` for each bit set.
template <class Visit>
void for_each_bit(u32 bits, Visit visit) {
  for (; bits; bits &= bits - 1) visit(unsigned(std::countr_zero(bits)));
}

inline constexpr unsigned kSpecialIntid = 1020;  // 1020..1023 name no interrupt
inline constexpr unsigned kSpuriousIntid = 1023;

}  // namespace sluice
