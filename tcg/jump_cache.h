// tcg/jump_cache.h: VA of an instruction -> its translated code, one table for each translation context and
// mode. Translated code probes it inline for returns, indirect branches and branches to another page; what it
// finds is as good as a fetch through the MMU, because an entry dies with the fetch translation it came from
// (forget) and with its block.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "base/types.h"
#include "tcg/soft_tlb.h"

namespace sluice::tcg {

struct JumpCacheEntry {
  u64 pc = kNoPc;
  const void* code = nullptr;      // JIT: host code; interpreter: TranslatedBlock*
  static constexpr u64 kNoPc = 1;  // empty; translated code does not look up addresses that are not aligned
};
static_assert(sizeof(JumpCacheEntry) == 16);

inline constexpr unsigned kJumpCacheBits = 12;
inline constexpr unsigned kJumpCacheEntries = 1u << kJumpCacheBits;
// Consecutive instructions have consecutive slots: a page owns a quarter of the table.
constexpr unsigned jump_cache_index(u64 pc) { return (pc >> 2) & (kJumpCacheEntries - 1); }

// Selects contexts: those with (context & mask) == value.
struct ContextMatch {
  ContextKey mask = 0, value = 0;
  constexpr bool operator()(ContextKey c) const { return (c & mask) == value; }
};

class JumpCaches {
 public:
  static constexpr unsigned kTables = 48;
  // The table of a context and mode: found, or the least recently used one, emptied.
  JumpCacheEntry* table_for(ContextKey context, u64 mode);
  // Drops what was fetched from [va, va + size) in matching contexts; size 0: everything.
  void forget(u64 va, u64 size, ContextMatch contexts);
  // Drops one translated block from every table.
  void forget_code(u64 pc, const void* code);
  void clear();

 private:
  struct Table {
    JumpCacheEntry entries[kJumpCacheEntries];
    ContextKey context;
    u64 mode;
    u64 last_use;
  };
  std::vector<std::unique_ptr<Table>> tables_;
  Table* latest_ = nullptr;
  u64 tick_ = 0;
};

}  // namespace sluice::tcg
