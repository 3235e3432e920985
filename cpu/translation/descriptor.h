// cpu/translation/descriptor.h: stage 1 descriptors of VMSAv8-64 and what a TLB entry keeps of a leaf (Arm
// DDI 0487, "VMSAv8-64 translation table format descriptors").
#pragma once
#include <cstring>

#include "base/bits.h"
#include "memory/attrs.h"

namespace sluice::cpu {

// A translation granule: a table fills one, and each level resolves bits - 3 bits of the address.
struct Granule {
  u8 bits = 12;  // 12, 14 or 16
  constexpr unsigned stride() const { return bits - 3u; }
  // Of the address bits that an entry of `level` covers.
  constexpr unsigned shift(unsigned level) const { return bits + (3 - level) * stride(); }
  // As TLBI's TG and TTL<3:2> name it: 1, 2, 3.
  constexpr u8 code() const { return u8(bits / 2 - 5); }
  constexpr bool block_allowed(unsigned level) const {
    return level == 2 || level == 3 || (level == 1 && bits == 12);
  }
  // log2 of the entries that the Contiguous bit joins at a level.
  constexpr unsigned contiguous_entries(unsigned level) const {
    if (bits == 12) return 4;
    return bits == 14 && level == 3 ? 7 : 5;
  }
  constexpr bool operator==(const Granule&) const = default;
};
static_assert(Granule{12}.code() == 1 && Granule{14}.code() == 2 && Granule{16}.code() == 3);

namespace descriptor {
inline constexpr u64 kValid = 1, kTableOrPage = 2;
inline constexpr unsigned kAttrIndex = 2, kNs = 5, kAp1 = 6, kAp2 = 7, kSh = 8, kAf = 10, kNg = 11,
                          kGuarded = 50, kDbm = 51, kContiguous = 52, kPxn = 53, kUxn = 54;
inline constexpr unsigned kPxnTable = 59, kUxnTable = 60, kApTable = 61, kNsTable = 63;
}  // namespace descriptor

// What the table descriptors on the way say about everything below them; all of them accumulate.
struct TableLimits {
  bool pxn = false, uxn = false, no_el0 = false, read_only = false;
  bool ns = false;  // the tables below are in Non-secure memory: always, outside of the Secure state
  constexpr void add(u64 table_descriptor) {
    pxn |= bit(table_descriptor, descriptor::kPxnTable);
    uxn |= bit(table_descriptor, descriptor::kUxnTable);
    no_el0 |= bit(table_descriptor, descriptor::kApTable);
    read_only |= bit(table_descriptor, descriptor::kApTable + 1);
    ns |= bit(table_descriptor, descriptor::kNsTable);
  }
};

// Who accesses, as far as permissions go. PAN is applied here, at the time of use, so that toggling it
// flushes nothing.
enum class Privilege : u8 { El0, El1, El1Pan };

// The attributes of a leaf as it is kept in a TLB entry: raw, so that PAN, WXN and MAIR_ELx act when it is
// used. That of a regime with one privilege level has EL0's rights denied and PXN = UXN = XN.
struct Leaf {
  u8 ap : 2;  // AP[2:1], with the tables' limits and, under hardware dirty state, DBM in it
  u8 pxn : 1, uxn : 1;
  u8 guarded : 1;
  u8 clean : 1;  // writable, but the descriptor must be marked dirty first
  u8 contiguous : 1;
  u8 flat : 1;        // stage 1 is off: no permissions, Device-nGnRnE data
  u8 attr_index : 3;  // of MAIR_ELx
  u8 sh : 2;
  u8 not_global : 1;
  u8 ns : 1;                // the output is in the Non-secure physical address space
  u8 read_only_target : 1;  // ROM
  u8 target;                // Translation::Target
  u8 granule;               // log2
  u8 hops;                  // IOMMUs on the way
  u8 unused[3];

  static Leaf unpack(u64 word) {
    Leaf leaf;
    std::memcpy(&leaf, &word, sizeof leaf);
    return leaf;
  }
  u64 pack() const {
    u64 word;
    std::memcpy(&word, this, sizeof word);
    return word;
  }
};
static_assert(sizeof(Leaf) == 8);

// AArch64.S1DirectBasePermissions() and S1 WXN, PAN: what `who` may do.
constexpr Access rights_of(const Leaf& leaf, Privilege who, bool wxn) {
  if (leaf.flat) return Access::All;
  bool el0_reads = leaf.ap & 1, read_only = leaf.ap & 2;
  bool el0_writes = el0_reads && !read_only;
  bool read, write, execute;
  if (who == Privilege::El0) {
    read = el0_reads;
    write = el0_writes;
    execute = !leaf.uxn && !(wxn && el0_writes);
  } else {
    bool denied = who == Privilege::El1Pan && el0_reads;
    read = !denied;
    write = !denied && !read_only;
    execute = !leaf.pxn && !el0_writes && !(wxn && !read_only);
  }
  return (read ? Access::Read : Access::None) | (write ? Access::Write : Access::None) |
         (execute ? Access::Execute : Access::None);
}

// An attribute of MAIR_ELx: 0b0000xx00 is Device memory. Every unaligned access to it faults.
constexpr u8 mair_attribute(u64 mair, unsigned index) { return u8(mair >> (8 * index)); }
constexpr bool is_device(u8 attribute) { return attribute < 0x10; }
// "Device-nGnRE", "Normal WB", ...: for people.
const char* name_of_memory_type(u8 attribute);

}  // namespace sluice::cpu
