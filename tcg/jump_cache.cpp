#include "tcg/jump_cache.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <new>
#include <span>

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
      n = free_table();
      about_[n].context = context, about_[n].mode = mode;
    }
    recent_[recent_slot(context, mode)] = u8(n);
  }
  about_[n].last_use = tick_;
  return tables_[n].entries;
}

// One that nobody has or that can be taken away.
unsigned JumpCaches::free_table() {
  unsigned oldest = 0, best = kTables;
  for (unsigned k = 0; k < about_.size(); k++) {
    const About& a = about_[k];
    if (a.last_use < about_[oldest].last_use) oldest = k;
    // Who has been in its context since is likely to come back.
    bool abandoned = a.emptied > a.last_use && a.is_empty();
    if (abandoned && (best == kTables || a.emptied > about_[best].emptied)) best = k;
  }
  if (best == kTables && about_.size() < kTables) {
    about_.emplace_back();
    tables_[about_.size() - 1].entries[0] = {};
    return unsigned(about_.size() - 1);
  }
  if (best == kTables) best = oldest, empty(best);
  recycled_++;
  return best;
}

bool JumpCaches::About::is_empty() const {
  return !used_pages && std::ranges::all_of(used_entries, [](u64 word) { return word == 0; });
}

void JumpCaches::add_page(JumpCacheEntry* table, const FetchedPage& page) {
  unsigned slot = page_slot(page.page);
  about(table).used_pages |= 1u << (slot / kPartPages);
  reinterpret_cast<Table*>(table)->pages[slot] = page;
}

void JumpCaches::add(JumpCacheEntry* table, u64 pc, const void* code) {
  About& a = about(table);
  unsigned slot = jump_cache_index(pc), bit = filter_bit(pc);
  unsigned part = slot / kPartEntries;
  a.used_entries[part / 64] |= u64{1} << (part % 64);
  a.filter[bit / 64] |= u64{1} << (bit % 64);
  table[slot] = {pc, code};
}

namespace {

// `visit` tells whether the bit stays.
template <class Word, class F>
void filter_bits(Word& bits, unsigned first, F&& visit) {
  for (Word left = bits; left; left &= left - 1) {
    unsigned n = unsigned(std::countr_zero(left));
    if (!visit(first + n)) bits &= ~(Word{1} << n);
  }
}

}  // namespace

void JumpCaches::empty(unsigned number) {
  Table& t = tables_[number];
  About& a = about_[number];
  for (unsigned word = 0; word < a.used_entries.size(); word++)
    filter_bits(a.used_entries[word], word * 64, [&](unsigned part) {
      std::fill_n(&t.entries[part * kPartEntries], kPartEntries, JumpCacheEntry{});
      return false;
    });
  filter_bits(a.used_pages, 0, [&](unsigned part) {
    std::fill_n(&t.pages[part * kPartPages], kPartPages, FetchedPage{});
    return false;
  });
  a.filter = {};
}

void JumpCaches::forget_in(unsigned number, u64 va, u64 size) {
  Table& t = tables_[number];
  About& a = about_[number];
  if (a.is_empty()) return;
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
  filter_bits(a.used_pages, 0, [&](unsigned part) {
    bool any = false;
    for (FetchedPage& p : std::span(t.pages).subspan(part * kPartPages, kPartPages))
      if (overlaps(p.page))
        p = {};
      else
        any |= p.ram != nullptr;
    return any;
  });
  for (unsigned word = 0; word < a.used_entries.size(); word++)
    filter_bits(a.used_entries[word], word * 64, [&](unsigned part) {
      bool any = false;
      for (JumpCacheEntry& e : std::span(t.entries).subspan(part * kPartEntries, kPartEntries))
        if (overlaps(e.pc & ~kSoftPageMask))
          e = {};
        else
          any |= e.code != nullptr;
      return any;
    });
  if (!a.is_empty()) return;
  a.filter = {};
  a.emptied = ++tick_;
}

void JumpCaches::forget(u64 va, u64 size, ContextMatch contexts) {
  for (unsigned n = 0; n < about_.size(); n++) {
    if (!contexts(about_[n].context)) continue;
    if (size) {
      forget_in(n, va, size);
    } else {
      empty(n);
      about_[n].emptied = ++tick_;
    }
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
