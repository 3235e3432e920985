#include "tcg/soft_tlb.h"

#include <algorithm>

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
  slot_at(slot) = {};
}

void SoftTlb::empty(unsigned bank) {
  for (u32 i = 0; i < kSlotsPerBank; i++)
    if (u32 slot = bank * kSlotsPerBank + i; slot_at(slot).parent) unlink(slot);
}

void SoftTlb::insert(SoftTlbSet* bank, u64 va, u8* host_page, bool readable, bool writable, u64 parent) {
  unsigned n = reinterpret_cast<const Bank*>(bank)->number;
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
  if (set.way[0].parent) unlink(first);
  link(first,
       {readable ? va : kNoTag, writable ? va : kNoTag, reinterpret_cast<u64>(host_page) - va, parent});
}

void SoftTlb::link(u32 slot, const SoftTlbSlot& content) {
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
  for (u32 slot = head; slot != kNone; slot = link_at(slot).next) slot_at(slot) = {};
  head = kNone;
}

void SoftTlb::protect_host_page(const u8* host_page) {
  for (auto& bank : banks_)
    for (auto& set : bank->sets)
      for (auto& way : set.way)
        if (way.write_tag != kNoTag && way.addend + way.write_tag == reinterpret_cast<u64>(host_page))
          way.write_tag = kNoTag;
}

void SoftTlb::flush_all() {
  for (auto& bank : banks_) bank->sets.fill({});
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
