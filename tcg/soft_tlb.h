// tcg/soft_tlb.h: VA page -> host page, as translated code probes it. Derived from the PE's architectural
// TLB: every slot names the entry it came from and dies with it.
//
// A bank holds the slots of one translation context (regime, security, ASID, VMID, privilege): changing the
// context changes a pointer and flushes nothing. Banks are 2-way; a set is one cache line. A bank has as many
// sets as its context has shown to need. Translated code (tcg/x86_64/emit_memory.cpp) probes a front slot or
// the first way inline, and both ways out of line.
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

// What lies before the first set of a bank: a pointer to that set is a pointer to the bank.
struct alignas(64) BankHead {
  FrontSlot front[kFrontSlots];
  u32 number = 0;
  u32 unused[11] = {};
  u64 last_use = 0;
  u64 index_mask = 0;  // of the set's offset in bytes: see set_offset
};
// From the pointer to a bank.
constexpr i32 front_slot_offset(unsigned n) {
  return i32(n * sizeof(FrontSlot)) + i32(offsetof(BankHead, front)) - i32(sizeof(BankHead));
}
inline constexpr i32 kIndexMaskOffset = i32(offsetof(BankHead, index_mask)) - i32(sizeof(BankHead));
static_assert(kIndexMaskOffset == -8 && front_slot_offset(kFrontSlots - 1) == -96);

// Of pages: 4 MiB to 256 MiB.
inline constexpr unsigned kFewestSets = 512, kMostSets = 32768;
constexpr u64 set_offset(u64 va, u64 index_mask) { return va >> (kSoftPageBits - kSetShift) & index_mask; }

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
  void touch(SoftTlbSet* bank) { head_of_bank(bank).last_use = ++tick_; }
  u64 recycled() const { return recycled_; }  // how many banks have been given to another context
  // Puts a page into `bank` (as returned by bank_for). `parent` is not 0.
  void insert(SoftTlbSet* bank, u64 va, u8* host_page, bool readable, bool writable, u64 parent);
  // The set of an address.
  static SoftTlbSet& set_of(SoftTlbSet* bank, u64 va) {
    return const_cast<SoftTlbSet&>(set_of(const_cast<const SoftTlbSet*>(bank), va));
  }
  static const SoftTlbSet& set_of(const SoftTlbSet* bank, u64 va) {
    return *reinterpret_cast<const SoftTlbSet*>(reinterpret_cast<const char*>(bank) +
                                                set_offset(va, head_of_bank(bank).index_mask));
  }
  // How many sets the bank has now: a power of two from kFewestSets to kMostSets.
  static unsigned set_count(const SoftTlbSet* bank) {
    return unsigned(head_of_bank(bank).index_mask >> kSetShift) + 1;
  }
  // Copies the slot of the page to front slot n of its bank, if the bank has it.
  static void copy_to_front(SoftTlbSet* bank, u64 va, unsigned n);
  static const FrontSlot& front_slot(const SoftTlbSet* bank, unsigned n);
  // Kills every slot whose parent is `parent`: O(slots of that entry).
  void remove_parent(u64 parent);
  // Kills write access to a host page (it has code in it now).
  void protect_host_page(const u8* host_page);
  void flush_all();
  // For `info tlb` and tests.
  size_t live_slots();

 private:
  // Slots are numbered through all banks; those of one parent form a list.
  static constexpr u32 kSlotsPerBank = kMostSets * 2;
  static constexpr u32 kNone = ~u32{0};
  struct SlotInfo {
    u32 previous = kNone, next = kNone;
    u32 copies = 0;  // the front slots that may hold a copy of the slot: a bit for each
    u32 unused = 0;
  };
  static constexpr unsigned kGroup = 16;  // sets
  struct Bank {
    Bank(unsigned n);
    ~Bank();
    Bank(const Bank&) = delete;
    Bank& operator=(const Bank&) = delete;
    BankHead* head;                           // at the begin of address space for the largest bank
    SoftTlbSet* sets;                         // right behind it
    SlotInfo* infos;                          // behind kMostSets of those
    unsigned count = 0;                       // of sets in use
    unsigned evicted = 0;                     // slots that had to go for others since the bank has this size
    std::bitset<kMostSets / kGroup> touched;  // groups of sets where a slot may be live
    // By a hash of the host page: whether a slot may have allowed writes to it since the bank was empty.
    std::bitset<32768> written_pages;
    ContextKey context = ~ContextKey{0};
  };
  static BankHead& head_of_bank(const SoftTlbSet* sets) {
    return const_cast<BankHead*>(reinterpret_cast<const BankHead*>(sets))[-1];
  }
  Bank& bank_of(const SoftTlbSet* sets) { return *banks_[head_of_bank(sets).number]; }
  static size_t page_hash(u64 host_page) { return host_page >> kSoftPageBits & 32767; }
  void resize(Bank& bank, unsigned sets);
  void grow(Bank& bank);
  static SlotInfo* infos_of(SoftTlbSet* sets) { return reinterpret_cast<SlotInfo*>(sets + kMostSets); }
  static void fill_front(SoftTlbSet* sets, u32 slot_of_bank, unsigned n);
  void kill(u32 slot);
  void move(u32 from, u32 to);
  template <class F>
  void for_each_copy(u32 slot, F f);
  template <class F>
  void for_each_live(Bank& bank, F f);
  SoftTlbSlot& slot_at(u32 n) { return banks_[n / kSlotsPerBank]->sets[n % kSlotsPerBank / 2].way[n % 2]; }
  SlotInfo& info_at(u32 n) { return banks_[n / kSlotsPerBank]->infos[n % kSlotsPerBank]; }
  u32 first_slot_of(const Bank& bank) { return bank.head->number * kSlotsPerBank; }
  void link(u32 slot, const SoftTlbSlot& content);
  void unlink(u32 slot);
  void empty(Bank& bank);

  std::vector<std::unique_ptr<Bank>> banks_;
  std::unordered_map<ContextKey, unsigned> by_context_;
  u32& first_of(u64 parent);
  std::vector<u32> firsts_;  // slot of each parent, by its low 32 bits
  u64 tick_ = 0, recycled_ = 0;
};

}  // namespace sluice::tcg
