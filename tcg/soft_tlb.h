// tcg/soft_tlb.h: VA page -> host page, as translated code probes it. Derived from the PE's architectural
// TLB: every slot names the entry it came from and dies with it.
//
// A bank holds the slots of one translation context (regime, security, ASID, VMID, privilege): changing the
// context changes a pointer and flushes nothing. Banks are 2-way; a set is one cache line. Translated code
// (tcg/x86_64/emit_memory.cpp) probes a front slot or the first way inline, and both ways out of line.
#pragma once
#include <array>
#include <bitset>
#include <cstddef>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/types.h"

namespace sluice::tcg {

inline constexpr unsigned kSoftPageBits = 12;
inline constexpr u64 kSoftPageSize = u64{1} << kSoftPageBits;
inline constexpr u64 kSoftPageMask = kSoftPageSize - 1;
inline constexpr u64 kNoTag =
    1;  // no address compares equal to it: compares see page bits and alignment bits only

struct SoftTlbSlot {
  u64 read_tag = kNoTag;   // VA of the page when reads may go straight to host memory
  u64 write_tag = kNoTag;  // the same for writes (not for a page with translated code in it)
  u64 addend = 0;          // host address - VA
  u64 parent =
      0;  // id of the architectural entry; its low 32 bits are a small number, unique among live ones
};
struct alignas(64) SoftTlbSet {
  SoftTlbSlot way[2];
};
inline constexpr unsigned kSetShift = 6;  // log2 of its size
static_assert(sizeof(SoftTlbSet) == 1u << kSetShift);

// What the accesses through one base register of the guest used last: a copy of a slot of the same bank, made
// for the comparison that translated code makes first. It dies with the slot.
struct FrontSlot {
  u64 page = 0;
  u64 addend = 0;
  // An access may begin below this offset in the page: so that 16 bytes fit behind, or nowhere.
  u64 read_limit = 0, write_limit = 0;
  static constexpr u64 kLimit = kSoftPageSize - 15;
};
inline constexpr unsigned kFrontSlots = 32;  // X0 to X30, SP
// From the pointer to a bank.
constexpr i32 front_slot_offset(unsigned n) { return (i32(n) - i32(kFrontSlots)) * i32(sizeof(FrontSlot)); }

inline constexpr unsigned kBankSets = 1024;
constexpr unsigned set_index(u64 va) { return (va >> kSoftPageBits) & (kBankSets - 1); }

// A context as an open key; the guest packs what it likes into it (see cpu/translation/context.h).
using ContextKey = u64;

class SoftTlb {
 public:
  static constexpr unsigned kBanks = 64;
  SoftTlb();
  // The bank of a context: found, or the least recently used one, emptied. The pointer stays good until it is
  // recycled for another context, which happens only inside bank_for.
  SoftTlbSet* bank_for(ContextKey context);
  // The bank, found without bank_for, is in use now.
  void touch(SoftTlbSet* bank) { bank_of(bank).last_use = ++tick_; }
  u64 recycled() const { return recycled_; }  // how many banks have been given to another context
  // Puts a page into `bank` (as returned by bank_for). `parent` is not 0.
  void insert(SoftTlbSet* bank, u64 va, u8* host_page, bool readable, bool writable, u64 parent);
  // Copies the slot of the page to front slot n of its bank, if the bank has it.
  static void copy_to_front(SoftTlbSet* bank, u64 va, unsigned n);
  static const FrontSlot& front_slot(const SoftTlbSet* bank, unsigned n);
  // Kills every slot whose parent is `parent`: O(slots of that entry).
  void remove_parent(u64 parent);
  // Kills write access to a host page (it has code in it now).
  void protect_host_page(const u8* host_page);
  void flush_all();
  // For `info tlb` and tests.
  size_t live_slots() const;

 private:
  // Slots are numbered through all banks; those of one parent form a list.
  static constexpr u32 kSlotsPerBank = kBankSets * 2;
  static constexpr u32 kNone = ~u32{0};
  struct Link {
    u32 previous = kNone, next = kNone;
  };
  struct Bank {
    std::array<FrontSlot, kFrontSlots> front;  // right before the sets: see front_slot_offset
    std::array<SoftTlbSet, kBankSets> sets;    // a pointer to them is a pointer to the bank
    std::array<Link, kSlotsPerBank> links;
    std::array<u32, kSlotsPerBank>
        copies{};  // the front slots that may hold a copy of the slot: a bit for each
    // By a hash of the host page: whether a slot may have allowed writes to it since the bank was empty.
    std::bitset<4096> written_pages;
    unsigned number = 0;
    ContextKey context = ~ContextKey{0};
    u64 last_use = 0;
    u32 live = 0;  // slots
  };
  static Bank& bank_of(SoftTlbSet* sets) {
    return *reinterpret_cast<Bank*>(reinterpret_cast<char*>(sets) - offsetof(Bank, sets));
  }
  static void fill_front(Bank& bank, u32 slot, unsigned n);
  static size_t page_hash(u64 host_page) { return host_page >> kSoftPageBits & 4095; }
  void kill(u32 slot);
  template <class F>
  void for_each_copy(u32 slot, F f);
  SoftTlbSlot& slot_at(u32 n) { return banks_[n / kSlotsPerBank]->sets[n % kSlotsPerBank / 2].way[n % 2]; }
  Link& link_at(u32 n) { return banks_[n / kSlotsPerBank]->links[n % kSlotsPerBank]; }
  void link(u32 slot, const SoftTlbSlot& content);
  void unlink(u32 slot);
  void empty(unsigned bank);

  std::vector<std::unique_ptr<Bank>> banks_;
  std::unordered_map<ContextKey, unsigned> by_context_;
  static_assert(offsetof(Bank, sets) == kFrontSlots * sizeof(FrontSlot));
  u32& head_of(u64 parent);
  std::vector<u32> heads_;  // first slot of each parent, by its low 32 bits
  u64 tick_ = 0, recycled_ = 0;
};

}  // namespace sluice::tcg
