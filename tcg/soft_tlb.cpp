#include "tcg/soft_tlb.h"

#include <algorithm>
#include <bit>

namespace sluice::tcg {

SoftTlb::SoftTlb() { banks_.reserve(kBanks); }

SoftTlbSet* SoftTlb::bank_for(ContextKey context) {
  tick_++;
  if (auto found = by_context_.find(context); found != by_context_.end()) {
    Bank& bank = *banks_[found->second];
    bank.last_use = tick_;
    return bank.sets.data();
  }
  unsigned n = 0;
  if (banks_.size() < kBanks) {
    n = unsigned(banks_.size());
    banks_.push_back(std::make_unique<Bank>());
    banks_[n]->number = n;
  } else {
    for (unsigned i = 1; i < banks_.size(); i++)
      if (banks_[i]->last_use < banks_[n]->last_use) n = i;
    empty(n);
    recycled_++;
    by_context_.erase(banks_[n]->context);
  }
  banks_[n]->context = context;
  banks_[n]->last_use = tick_;
  by_context_[context] = n;
  return banks_[n]->sets.data();
}

u32& SoftTlb::head_of(u64 parent) {
  size_t n = u32(parent);
  if (n >= heads_.size()) heads_.resize(std::max(n + 1, heads_.size() * 2), kNone);
  return heads_[n];
}

void SoftTlb::unlink(u32 slot) {
  Link& l = link_at(slot);
  if (l.previous == kNone)
    head_of(slot_at(slot).parent) = l.next;
  else
    link_at(l.previous).next = l.next;
  if (l.next != kNone) link_at(l.next).previous = l.previous;
  kill(slot);
}

// With it go its copies.
void SoftTlb::kill(u32 slot) {
  Bank& bank = *banks_[slot / kSlotsPerBank];
  for_each_copy(slot, [](FrontSlot& copy) { copy = {}; });
  bank.copies[slot % kSlotsPerBank] = 0;
  bank.live--;
  slot_at(slot) = {};
}

template <class F>
void SoftTlb::for_each_copy(u32 slot, F f) {
  Bank& bank = *banks_[slot / kSlotsPerBank];
  const SoftTlbSlot& s = slot_at(slot);
  u64 page = s.read_tag != kNoTag ? s.read_tag : s.write_tag;
  for (u32 mask = bank.copies[slot % kSlotsPerBank]; mask; mask &= mask - 1)
    if (FrontSlot& copy = bank.front[unsigned(std::countr_zero(mask))]; copy.page == page) f(copy);
}

void SoftTlb::fill_front(Bank& bank, u32 slot, unsigned n) {
  const SoftTlbSlot& s = bank.sets[slot / 2].way[slot % 2];
  bool read = s.read_tag != kNoTag, write = s.write_tag != kNoTag;
  bank.front[n] = {read ? s.read_tag : s.write_tag, s.addend, read ? FrontSlot::kLimit : 0,
                   write ? FrontSlot::kLimit : 0};
  bank.copies[slot] |= 1u << n;
}

void SoftTlb::copy_to_front(SoftTlbSet* sets, u64 va, unsigned n) {
  u64 page = va & ~kSoftPageMask;
  for (unsigned way = 0; way < 2; way++)
    if (const SoftTlbSlot& s = sets[set_index(va)].way[way]; s.read_tag == page || s.write_tag == page)
      return fill_front(bank_of(sets), set_index(va) * 2 + way, n);
}

const FrontSlot& SoftTlb::front_slot(const SoftTlbSet* sets, unsigned n) {
  return bank_of(const_cast<SoftTlbSet*>(sets)).front[n];
}

void SoftTlb::empty(unsigned bank) {
  for (u32 i = 0; i < kSlotsPerBank && banks_[bank]->live; i++)
    if (u32 slot = bank * kSlotsPerBank + i; slot_at(slot).parent) unlink(slot);
  banks_[bank]->written_pages.reset();
}

void SoftTlb::insert(SoftTlbSet* bank, u64 va, u8* host_page, bool readable, bool writable, u64 parent) {
  unsigned n = bank_of(bank).number;
  va &= ~kSoftPageMask;
  SoftTlbSet& set = bank[set_index(va)];
  auto holds = [&](const SoftTlbSlot& s) { return s.read_tag == va || s.write_tag == va; };
  u32 first = n * kSlotsPerBank + set_index(va) * 2;
  if (holds(set.way[1])) {
    unlink(first + 1);
  } else if (!holds(set.way[0]) && set.way[0].parent) {
    // The newcomer takes the first way, which translated code probes first; the old first moves to the
    // second.
    if (set.way[1].parent) unlink(first + 1);
    SoftTlbSlot moved = set.way[0];
    unlink(first);
    link(first + 1, moved);
  }
  if (writable) bank_of(bank).written_pages.set(page_hash(reinterpret_cast<u64>(host_page)));
  // The same page with other rights: its copies stay copies.
  u32 copies = 0;
  if (holds(set.way[0]))
    for_each_copy(first, [&](FrontSlot& copy) { copies |= 1u << (&copy - bank_of(bank).front.data()); });
  if (set.way[0].parent) unlink(first);
  link(first,
       {readable ? va : kNoTag, writable ? va : kNoTag, reinterpret_cast<u64>(host_page) - va, parent});
  for (; copies; copies &= copies - 1)
    fill_front(bank_of(bank), set_index(va) * 2, unsigned(std::countr_zero(copies)));
}

void SoftTlb::link(u32 slot, const SoftTlbSlot& content) {
  banks_[slot / kSlotsPerBank]->live++;
  slot_at(slot) = content;
  u32& head = head_of(content.parent);
  link_at(slot) = {kNone, head};
  if (head != kNone) link_at(head).previous = slot;
  head = slot;
}

void SoftTlb::remove_parent(u64 parent) {
  if (u32(parent) >= heads_.size()) return;
  u32& head = heads_[u32(parent)];
  if (head == kNone || slot_at(head).parent != parent) return;
  for (u32 slot = head; slot != kNone; slot = link_at(slot).next) kill(slot);
  head = kNone;
}

void SoftTlb::protect_host_page(const u8* host_page) {
  const u64 host = reinterpret_cast<u64>(host_page);
  for (const auto& bank : banks_) {
    if (!bank->written_pages[page_hash(host)]) continue;
    for (u32 n = 0; n < kSlotsPerBank; n++) {
      SoftTlbSlot& s = bank->sets[n / 2].way[n % 2];
      if (s.write_tag == kNoTag || s.addend + s.write_tag != host) continue;
      for_each_copy(bank->number * kSlotsPerBank + n, [](FrontSlot& copy) { copy.write_limit = 0; });
      s.write_tag = kNoTag;
    }
  }
}

void SoftTlb::flush_all() {
  for (auto& bank : banks_) {
    bank->sets.fill({}), bank->front.fill({}), bank->copies.fill(0);
    bank->written_pages.reset();
    bank->live = 0;
  }
  std::fill(heads_.begin(), heads_.end(), kNone);
}

size_t SoftTlb::live_slots() const {
  size_t n = 0;
  for (auto& bank : banks_)
    for (auto& set : bank->sets)
      for (auto& way : set.way) n += way.parent != 0;
  return n;
}

}  // namespace sluice::tcg
