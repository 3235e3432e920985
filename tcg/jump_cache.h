// tcg/jump_cache.h: VA of an instruction -> its translated code, one table for each translation context and
// mode. Translated code probes it inline for returns, indirect branches and branches to another page; what it
// finds is as good as a fetch through the MMU, because an entry dies with the fetch translation it came from
// (forget) and with its block. Behind each table are the fetch translations themselves: what is not in the
// table is found through them without asking the MMU again.
#pragma once
#include <array>
#include <vector>

#include "base/types.h"
#include "tcg/soft_tlb.h"

namespace sluice {
class GuestRam;
}

namespace sluice::tcg {

struct JumpCacheEntry {
  u64 pc = kNoPc;                  // kNoPc, or one that has another slot: empty
  const void* code = nullptr;      // JIT: host code; interpreter: TranslatedBlock*
  static constexpr u64 kNoPc = 1;  // empty; translated code does not look up addresses that are not aligned
};
static_assert(sizeof(JumpCacheEntry) == 16);

inline constexpr unsigned kJumpCacheBits = 14;
inline constexpr unsigned kJumpCacheEntries = 1u << kJumpCacheBits;
// Consecutive instructions have consecutive slots: a page owns a sixteenth of the table.
constexpr unsigned jump_cache_index(u64 pc) { return (pc >> 2) & (kJumpCacheEntries - 1); }

// Where the instructions of a page come from.
struct FetchedPage {
  u64 page = 0;  // its VA
  GuestRam* ram = nullptr;
  u64 ram_offset = 0;
  u64 mode = 0;  // FetchTarget::mode
};

// Selects contexts: those with (context & mask) == value.
struct ContextMatch {
  ContextKey mask = 0, value = 0;
  constexpr bool operator()(ContextKey c) const { return (c & mask) == value; }
};

class JumpCaches {
 public:
  static constexpr unsigned kTables = 48;
  JumpCaches();
  ~JumpCaches();
  JumpCaches(const JumpCaches&) = delete;
  JumpCaches& operator=(const JumpCaches&) = delete;

  // The table of a context and mode: found, or one that has become empty (of these the latest, whose memory
  // is still in the host's caches), or the least recently used one, emptied.
  JumpCacheEntry* table_for(ContextKey context, u64 mode);
  // The table, found without table_for, is in use now.
  void touch(const JumpCacheEntry* table) { about(table).last_use = ++tick_; }
  u64 recycled() const { return recycled_; }  // how many tables have been given to another context
  // What `table` (from table_for) has learnt: instructions of this page, and this one, may be entered from
  // now on, until forget() names them.
  void add_page(JumpCacheEntry* table, const FetchedPage& page);
  void add(JumpCacheEntry* table, u64 pc, const void* code);
  // The page of `pc` as `table` knows it, or null.
  const FetchedPage* fetched(const JumpCacheEntry* table, u64 pc) const {
    const FetchedPage& p = reinterpret_cast<const Table*>(table)->pages[page_slot(pc)];
    return p.page == (pc & ~kSoftPageMask) && p.ram ? &p : nullptr;
  }
  // Drops what was fetched from [va, va + size) in matching contexts; size 0: everything.
  void forget(u64 va, u64 size, ContextMatch contexts);
  // Drops one translated block from every table.
  void forget_code(u64 pc, const void* code);
  void clear();

 private:
  // Zeros until they are written, and then in parts: an entry of zeros is empty, because pc 0 has slot 0.
  static constexpr unsigned kPages = 512, kPageParts = 32, kPartPages = kPages / kPageParts;
  static constexpr unsigned kPartEntries = 16, kEntryParts = kJumpCacheEntries / kPartEntries;
  struct Table {
    JumpCacheEntry entries[kJumpCacheEntries];  // first: a pointer to them is a pointer to the table
    FetchedPage pages[kPages];
  };
  static unsigned page_slot(u64 pc) { return (pc >> kSoftPageBits) & (kPages - 1); }
  static unsigned filter_bit(u64 pc) { return unsigned((pc >> kSoftPageBits) * 0x9e3779b97f4a7c15ull >> 53); }
  struct About {
    ContextKey context = 0;
    u64 mode = 0, last_use = 0;
    u64 emptied = 0;  // when everything in it was last forgotten
    // A bit for each part that need not be all zeros.
    u32 used_pages = 0;
    std::array<u64, kEntryParts / 64> used_entries{};
    std::array<u64, 32> filter{};  // a bit for each page, by hash, that entries are of
    bool is_empty() const;
    bool may_have(u64 pc) const { return filter[filter_bit(pc) / 64] >> (filter_bit(pc) % 64) & 1; }
  };
  static unsigned recent_slot(ContextKey context, u64 mode) {
    return unsigned((context ^ mode * 0x9e3779b97f4a7c15ull) * 0xff51afd7ed558ccdull >> 58);
  }
  About& about(const JumpCacheEntry* table) {
    return about_[size_t(reinterpret_cast<const Table*>(table) - tables_)];
  }
  void empty(unsigned number);
  unsigned free_table();
  void forget_in(unsigned number, u64 va, u64 size);

  Table* tables_;  // kTables of them
  std::vector<About> about_;
  std::array<u8, 64> recent_{};  // the table that was asked for last, by hash of context and mode
  u64 tick_ = 0, recycled_ = 0;
};

}  // namespace sluice::tcg
