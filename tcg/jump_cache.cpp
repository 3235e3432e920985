#include "tcg/jump_cache.h"

#include <algorithm>

namespace sluice::tcg {
namespace {

void empty(std::span<JumpCacheEntry> entries) { std::fill(entries.begin(), entries.end(), JumpCacheEntry{}); }

}  // namespace

JumpCacheEntry* JumpCaches::table_for(ContextKey context, u64 mode) {
  tick_++;
  if (latest_ && latest_->context == context && latest_->mode == mode) {
    latest_->last_use = tick_;
    return latest_->entries;
  }
  Table* oldest = nullptr;
  for (auto& t : tables_) {
    if (t->context == context && t->mode == mode) {
      t->last_use = tick_;
      latest_ = t.get();
      return t->entries;
    }
    if (!oldest || t->last_use < oldest->last_use) oldest = t.get();
  }
  if (tables_.size() < kTables) {
    tables_.push_back(std::make_unique<Table>());
    oldest = tables_.back().get();
  } else {
    empty(oldest->entries);
  }
  oldest->context = context, oldest->mode = mode, oldest->last_use = tick_;
  latest_ = oldest;
  return oldest->entries;
}

void JumpCaches::forget(u64 va, u64 size, ContextMatch contexts) {
  for (auto& t : tables_) {
    if (!contexts(t->context)) continue;
    if (size == 0 || size >= kJumpCacheEntries * 4) {
      for (JumpCacheEntry& e : t->entries)
        if (size == 0 || e.pc - va < size) e = {};
      continue;
    }
    for (u64 pc = va & ~u64{3}; pc - va < size || pc < va; pc += 4) {
      JumpCacheEntry& e = t->entries[jump_cache_index(pc)];
      if (e.pc == pc) e = {};
    }
  }
}

void JumpCaches::forget_code(u64 pc, const void* code) {
  for (auto& t : tables_) {
    JumpCacheEntry& e = t->entries[jump_cache_index(pc)];
    if (e.code == code) e = {};
  }
}

void JumpCaches::clear() {
  for (auto& t : tables_) empty(t->entries);
}

}  // namespace sluice::tcg
