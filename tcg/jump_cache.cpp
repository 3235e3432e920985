#include "tcg/jump_cache.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <new>

namespace sluice::tcg {

JumpCaches::JumpCaches() {
  void* p = mmap(nullptr, kTables * sizeof(Table), PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) throw std::bad_alloc{};
  tables_ = static_cast<Table*>(p);
  about_.reserve(kTables);
}

JumpCaches::~JumpCaches() { munmap(tables_, kTables * sizeof(Table)); }

JumpCacheEntry* JumpCaches::table_for(ContextKey context, u64 mode) {
  tick_++;
  auto is_it = [&](unsigned n) { return about_[n].context == context && about_[n].mode == mode; };
  unsigned n = recent_[recent_slot(context, mode)];
  if (n >= about_.size() || !is_it(n)) {
    for (n = 0; n < about_.size() && !is_it(n);) n++;
    if (n == about_.size()) {
      if (n < kTables) {
        about_.emplace_back();
        tables_[n].entries[0] = {};
      } else {
        n = 0;
        for (unsigned k = 1; k < kTables; k++)
          if (about_[k].last_use < about_[n].last_use) n = k;
        empty(n);
        recycled_++;
      }
      about_[n].context = context, about_[n].mode = mode;
    }
    recent_[recent_slot(context, mode)] = u8(n);
  }
  about_[n].last_use = tick_;
  return tables_[n].entries;
}

void JumpCaches::add_page(JumpCacheEntry* table, const FetchedPage& page) {
  unsigned slot = page_slot(page.page);
  about(table).used_pages |= 1u << (slot / kPartPages);
  reinterpret_cast<Table*>(table)->pages[slot] = page;
}

void JumpCaches::add(JumpCacheEntry* table, u64 pc, const void* code) {
  About& a = about(table);
  unsigned slot = jump_cache_index(pc), bit = filter_bit(pc);
  a.used_entries |= 1u << (slot / kPartEntries);
  a.filter[bit / 64] |= u64{1} << (bit % 64);
  table[slot] = {pc, code};
}

namespace {

template <class F>
void for_each_bit(u32 bits, F&& f) {
  for (; bits; bits &= bits - 1) f(unsigned(std::countr_zero(bits)));
}

}  // namespace

void JumpCaches::empty(unsigned number) {
  Table& t = tables_[number];
  About& a = about_[number];
  for_each_bit(a.used_entries, [&](unsigned part) {
    std::fill_n(&t.entries[part * kPartEntries], kPartEntries, JumpCacheEntry{});
  });
  for_each_bit(a.used_pages,
               [&](unsigned part) { std::fill_n(&t.pages[part * kPartPages], kPartPages, FetchedPage{}); });
  a.used_entries = a.used_pages = 0;
  a.filter = {};
}

void JumpCaches::forget_in(unsigned number, u64 va, u64 size) {
  Table& t = tables_[number];
  const About& a = about_[number];
  if (!a.used_entries && !a.used_pages) return;
  auto overlaps = [&](u64 page) { return page - va < size || va - page < kSoftPageSize; };
  constexpr u64 kFew = 8 * kSoftPageSize;
  if (size <= kFew) {
    u64 pages = ((va & kSoftPageMask) + size + kSoftPageMask) >> kSoftPageBits;
    for (u64 page = va & ~kSoftPageMask; pages--; page += kSoftPageSize) {
      if (FetchedPage& p = t.pages[page_slot(page)]; p.page == page) p = {};
      if (!a.may_have(page)) continue;
      for (u64 pc = page; pc - page < kSoftPageSize; pc += 4)
        if (unsigned slot = jump_cache_index(pc); t.entries[slot].pc == pc) t.entries[slot] = {};
    }
    return;
  }
  for_each_bit(a.used_pages, [&](unsigned part) {
    for (unsigned n = part * kPartPages; n < (part + 1) * kPartPages; n++)
      if (overlaps(t.pages[n].page)) t.pages[n] = {};
  });
  for_each_bit(a.used_entries, [&](unsigned part) {
    for (unsigned n = part * kPartEntries; n < (part + 1) * kPartEntries; n++)
      if (overlaps(t.entries[n].pc & ~kSoftPageMask)) t.entries[n] = {};
  });
}

void JumpCaches::forget(u64 va, u64 size, ContextMatch contexts) {
  for (unsigned n = 0; n < about_.size(); n++) {
    if (!contexts(about_[n].context)) continue;
    size ? forget_in(n, va, size) : empty(n);
  }
}

void JumpCaches::forget_code(u64 pc, const void* code) {
  unsigned slot = jump_cache_index(pc);
  for (unsigned n = 0; n < about_.size(); n++)
    if (about_[n].may_have(pc) && tables_[n].entries[slot].code == code) tables_[n].entries[slot] = {};
}

void JumpCaches::clear() {
  for (unsigned n = 0; n < about_.size(); n++) empty(n);
}

}  // namespace sluice::tcg
