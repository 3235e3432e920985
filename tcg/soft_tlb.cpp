#include "tcg/soft_tlb.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <new>
#include <utility>

namespace sluice::tcg {
namespace {

constexpr unsigned kKeptSets = 4 * kFewestSets;
constexpr size_t kBankBytes = sizeof(BankHead) + kMostSets * (sizeof(SoftTlbSet) + 32);

// The whole host pages in between.
void discard(void* from, void* to) {
  constexpr uintptr_t kHostPage = 4096;
  const uintptr_t first = (reinterpret_cast<uintptr_t>(from) + kHostPage - 1) & ~(kHostPage - 1);
  const uintptr_t last = reinterpret_cast<uintptr_t>(to) & ~(kHostPage - 1);
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

// kNoTag: none any more.
u64 page_of(const SoftTlbSlot& s) { return s.read_tag != kNoTag ? s.read_tag : s.write_tag; }

}  // namespace

// --- Banks
// -----------------------------------------------------------------------------------------------

// Address space for the largest bank, so that one that grows stays where it is; memory comes with its use.
SoftTlb::Bank::Bank(unsigned n) {
  static_assert(kBankBytes == sizeof(BankHead) + kMostSets * (sizeof(SoftTlbSet) + 2 * sizeof(SlotInfo)));
  void* space =
      mmap(nullptr, kBankBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (space == MAP_FAILED) throw std::bad_alloc();
  head = new (space) BankHead;
  head->number = n;
  sets = reinterpret_cast<SoftTlbSet*>(head + 1);
  infos = infos_of(sets);
}

SoftTlb::Bank::~Bank() { munmap(head, kBankBytes); }

SoftTlb::SoftTlb() { banks_.reserve(kBanks); }

SoftTlbSet* SoftTlb::bank_for(ContextKey context) {
  tick_++;
  if (auto found = by_context_.find(context); found != by_context_.end()) {
    Bank& bank = *banks_[found->second];
    bank.head->last_use = tick_;
    return bank.sets;
  }
  unsigned n = 0;
  if (banks_.size() < kBanks) {
    n = unsigned(banks_.size());
    banks_.push_back(std::make_unique<Bank>(n));
  } else {
    for (unsigned i = 1; i < banks_.size(); i++)
      if (banks_[i]->head->last_use < banks_[n]->head->last_use) n = i;
    empty(*banks_[n]);
    recycled_++;
    by_context_.erase(banks_[n]->context);
  }
  Bank& bank = *banks_[n];
  if (bank.count != kFewestSets) resize(bank, kFewestSets);
  bank.context = context;
  bank.head->last_use = tick_;
  by_context_[context] = n;
  return bank.sets;
}

// Sets that were not in use before are empty now. The bank is empty if it becomes smaller.
void SoftTlb::resize(Bank& bank, unsigned sets) {
  for (unsigned i = bank.count; i < sets; i++) {
    new (&bank.sets[i]) SoftTlbSet;
    new (&bank.infos[2 * i]) SlotInfo[2];
  }
  // Their memory goes back, but for that which nearly every context needs.
  if (const unsigned keep = std::max(sets, kKeptSets); keep < bank.count) {
    discard(bank.sets + keep, bank.sets + bank.count);
    discard(bank.infos + 2 * keep, bank.infos + 2 * bank.count);
  }
  bank.count = sets;
  bank.evicted = 0;
  bank.head->index_mask = u64{sets - 1} << kSetShift;
}

// Twice as many sets: each slot stays in its set, or goes to the same way of the one that is new above it.
void SoftTlb::grow(Bank& bank) {
  const unsigned old = bank.count;
  resize(bank, old * 2);
  for (unsigned group = 0; group < old / kGroup; group++) {
    if (!bank.touched[group]) continue;
    bank.touched.set(group + old / kGroup);
    for (u32 i = group * kGroup * 2; i < (group + 1) * kGroup * 2; i++) {
      const u32 slot = first_slot_of(bank) + i;
      const SoftTlbSlot& s = slot_at(slot);
      if (!s.parent) continue;
      if (const u64 page = page_of(s); page != kNoTag && page >> kSoftPageBits & old)
        move(slot, slot + 2 * old);
    }
  }
}

template <class F>
void SoftTlb::for_each_live(Bank& bank, F f) {
  for (unsigned group = 0; group < bank.count / kGroup; group++) {
    if (!bank.touched[group]) continue;
    for (u32 i = group * kGroup * 2; i < (group + 1) * kGroup * 2; i++)
      if (bank.sets[i / 2].way[i % 2].parent) f(first_slot_of(bank) + i);
  }
}

void SoftTlb::empty(Bank& bank) {
  for_each_live(bank, [&](u32 slot) { unlink(slot); });
  bank.touched.reset();
  bank.written_pages.reset();
}

void SoftTlb::flush_all() {
  for (auto& bank : banks_) {
    for_each_live(*bank, [&](u32 slot) {
      first_of(slot_at(slot).parent) = kNone;
      slot_at(slot) = {};
      info_at(slot) = {};
    });
    std::fill(std::begin(bank->head->front), std::end(bank->head->front), FrontSlot{});
    bank->touched.reset();
    bank->written_pages.reset();
  }
}

size_t SoftTlb::live_slots() {
  size_t n = 0;
  for (auto& bank : banks_) for_each_live(*bank, [&](u32) { n++; });
  return n;
}

// --- Slots
// -----------------------------------------------------------------------------------------------

u32& SoftTlb::first_of(u64 parent) {
  size_t n = u32(parent);
  if (n >= firsts_.size()) firsts_.resize(std::max(n + 1, firsts_.size() * 2), kNone);
  return firsts_[n];
}

void SoftTlb::link(u32 slot, const SoftTlbSlot& content) {
  slot_at(slot) = content;
  u32& first = first_of(content.parent);
  SlotInfo& info = info_at(slot);
  info.previous = kNone, info.next = first;
  if (first != kNone) info_at(first).previous = slot;
  first = slot;
}

void SoftTlb::unlink(u32 slot) {
  const SlotInfo& info = info_at(slot);
  if (info.previous == kNone)
    first_of(slot_at(slot).parent) = info.next;
  else
    info_at(info.previous).next = info.next;
  if (info.next != kNone) info_at(info.next).previous = info.previous;
  kill(slot);
}

// With it go its copies.
void SoftTlb::kill(u32 slot) {
  for_each_copy(slot, [](FrontSlot& copy) { copy = {}; });
  info_at(slot).copies = 0;
  slot_at(slot) = {};
}

// To a slot that is free. Its copies stay.
void SoftTlb::move(u32 from, u32 to) {
  const SlotInfo info = std::exchange(info_at(from), {});
  info_at(to) = info;
  slot_at(to) = std::exchange(slot_at(from), {});
  if (info.previous == kNone)
    first_of(slot_at(to).parent) = to;
  else
    info_at(info.previous).next = to;
  if (info.next != kNone) info_at(info.next).previous = to;
}

template <class F>
void SoftTlb::for_each_copy(u32 slot, F f) {
  const SoftTlbSlot& s = slot_at(slot);
  FrontSlot* front = banks_[slot / kSlotsPerBank]->head->front;
  const u64 page = page_of(s);
  for (u32 mask = info_at(slot).copies; mask; mask &= mask - 1)
    if (FrontSlot& copy = front[unsigned(std::countr_zero(mask))]; copy.page == page) f(copy);
}

void SoftTlb::fill_front(SoftTlbSet* sets, u32 n, unsigned front) {
  const SoftTlbSlot& s = sets[n / 2].way[n % 2];
  bool read = s.read_tag != kNoTag, write = s.write_tag != kNoTag;
  head_of_bank(sets).front[front] = {page_of(s), s.addend, read ? FrontSlot::kLimit : 0,
                                     write ? FrontSlot::kLimit : 0};
  infos_of(sets)[n].copies |= 1u << front;
}

void SoftTlb::copy_to_front(SoftTlbSet* sets, u64 va, unsigned n) {
  const u64 page = va & ~kSoftPageMask;
  const SoftTlbSet& set = set_of(sets, va);
  for (unsigned way = 0; way < 2; way++)
    if (const SoftTlbSlot& s = set.way[way]; s.read_tag == page || s.write_tag == page)
      return fill_front(sets, u32(&set - sets) * 2 + way, n);
}

const FrontSlot& SoftTlb::front_slot(const SoftTlbSet* sets, unsigned n) {
  return head_of_bank(sets).front[n];
}

void SoftTlb::insert(SoftTlbSet* sets, u64 va, u8* host_page, bool readable, bool writable, u64 parent) {
  Bank& bank = bank_of(sets);
  va &= ~kSoftPageMask;
  auto holds = [&](const SoftTlbSlot& s) { return s.read_tag == va || s.write_tag == va; };
  auto live_of_another = [&](const SoftTlbSlot& s) { return s.parent && !holds(s); };
  SoftTlbSet* set = &set_of(sets, va);
  if (live_of_another(set->way[0]) && live_of_another(set->way[1]) && ++bank.evicted > bank.count / 2 &&
      bank.count < kMostSets) {
    grow(bank);
    set = &set_of(sets, va);
  }
  const u32 index = u32(set - sets), first = first_slot_of(bank) + index * 2;
  bank.touched.set(index / kGroup);
  if (holds(set->way[1])) {
    unlink(first + 1);
  } else if (live_of_another(set->way[0])) {
    // The newcomer takes the first way, which translated code probes first; the old first moves to the
    // second.
    if (set->way[1].parent) unlink(first + 1);
    move(first, first + 1);
  }
  if (writable) bank.written_pages.set(page_hash(reinterpret_cast<u64>(host_page)));
  // The same page with other rights: its copies stay copies.
  u32 copies = 0;
  if (holds(set->way[0]))
    for_each_copy(first, [&](FrontSlot& copy) { copies |= 1u << (&copy - bank.head->front); });
  if (set->way[0].parent) unlink(first);
  link(first,
       {readable ? va : kNoTag, writable ? va : kNoTag, reinterpret_cast<u64>(host_page) - va, parent});
  for (; copies; copies &= copies - 1) fill_front(sets, index * 2, unsigned(std::countr_zero(copies)));
}

void SoftTlb::remove_parent(u64 parent) {
  if (u32(parent) >= firsts_.size()) return;
  u32& first = firsts_[u32(parent)];
  if (first == kNone || slot_at(first).parent != parent) return;
  for (u32 slot = first; slot != kNone; slot = info_at(slot).next) kill(slot);
  first = kNone;
}

void SoftTlb::protect_host_page(const u8* host_page) {
  const u64 host = reinterpret_cast<u64>(host_page);
  for (const auto& bank : banks_) {
    if (!bank->written_pages[page_hash(host)]) continue;
    for_each_live(*bank, [&](u32 slot) {
      SoftTlbSlot& s = slot_at(slot);
      if (s.write_tag == kNoTag || s.addend + s.write_tag != host) return;
      for_each_copy(slot, [](FrontSlot& copy) { copy.write_limit = 0; });
      s.write_tag = kNoTag;
    });
  }
}

}  // namespace sluice::tcg
