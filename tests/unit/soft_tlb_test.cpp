// The soft TLB by itself: what happens to front slots, which are copies, when the slots that they were made
// from change; and banks that grow.
#include "tcg/soft_tlb.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/support/memory_world.h"

namespace sluice::tcg {
namespace {

constexpr u64 kPage = 0x12345000, kAlias = kPage + (u64{kFewestSets} << kSoftPageBits),
              kAlias2 = kAlias + (u64{kFewestSets} << kSoftPageBits);
constexpr unsigned kBase = 7, kOther = 31;

struct SoftTlbFront : testing::Test {
  SoftTlb tlb;
  SoftTlbSet* bank = tlb.bank_for(1);
  alignas(kSoftPageSize) u8 memory[4 * kSoftPageSize];
  u8* host(unsigned n) { return memory + n * kSoftPageSize; }
  const FrontSlot& front(unsigned n = kBase) { return SoftTlb::front_slot(bank, n); }
  // Through front slot n: the host address, or null.
  u8* find(u64 va, bool write, unsigned n = kBase) {
    const FrontSlot& f = front(n);
    return va - f.page < (write ? f.write_limit : f.read_limit) ? reinterpret_cast<u8*>(va + f.addend)
                                                                : nullptr;
  }
};

TEST_F(SoftTlbFront, IsEmptyUntilItIsFilled) {
  for (unsigned n = 0; n < kFrontSlots; n++)
    for (u64 va : {u64{0}, u64{1}, ~u64{0}, kPage}) {
      EXPECT_EQ(find(va, false, n), nullptr);
      EXPECT_EQ(find(va, true, n), nullptr);
    }
  SoftTlb::copy_to_front(bank, kPage, kBase);  // which the bank does not have
  EXPECT_EQ(find(kPage, false), nullptr);
}

TEST_F(SoftTlbFront, AnswersAsTheSlotDoes) {
  tlb.insert(bank, kPage, host(0), true, true, 1);
  SoftTlb::copy_to_front(bank, kPage + 0x123, kBase);
  EXPECT_EQ(find(kPage + 8, false), host(0) + 8);
  EXPECT_EQ(find(kPage + 0xff0, true), host(0) + 0xff0) << "16 bytes fit behind it";
  EXPECT_EQ(find(kPage + 0xff1, true), nullptr);
  EXPECT_EQ(find(kPage - 1, false), nullptr);
  EXPECT_EQ(find(kPage + 0x1000, false), nullptr);
  EXPECT_EQ(find(kPage, false, kOther), nullptr);
}

TEST_F(SoftTlbFront, HasTheRightsOfTheSlot) {
  tlb.insert(bank, kPage, host(0), true, false, 1);
  SoftTlb::copy_to_front(bank, kPage, kBase);
  EXPECT_EQ(find(kPage, false), host(0));
  EXPECT_EQ(find(kPage, true), nullptr);
  tlb.insert(bank, kPage, host(0), true, true, 1);  // a store has found that it may
  EXPECT_EQ(find(kPage, true), host(0)) << "the copy has been made again";
  tlb.insert(bank, kPage, host(0), false, true, 1);
  EXPECT_EQ(find(kPage, false), nullptr);
}

TEST_F(SoftTlbFront, DiesWithTheEntryAndAlone) {
  tlb.insert(bank, kPage, host(0), true, true, 1);
  tlb.insert(bank, kPage + 0x1000, host(1), true, true, 2);
  SoftTlb::copy_to_front(bank, kPage, kBase);
  SoftTlb::copy_to_front(bank, kPage, 0);
  SoftTlb::copy_to_front(bank, kPage + 0x1000, kOther);
  tlb.remove_parent(1);
  EXPECT_EQ(find(kPage, false), nullptr);
  EXPECT_EQ(find(kPage, false, 0), nullptr);
  EXPECT_EQ(find(kPage + 0x1000, false, kOther), host(1));
}

TEST_F(SoftTlbFront, WhatHasMovedOnIsNotTouched) {
  tlb.insert(bank, kPage, host(0), true, true, 1);
  tlb.insert(bank, kPage + 0x1000, host(1), true, true, 2);
  SoftTlb::copy_to_front(bank, kPage, kBase);
  SoftTlb::copy_to_front(bank, kPage + 0x1000, kBase);
  tlb.remove_parent(1);
  EXPECT_EQ(find(kPage + 0x1000, true), host(1));
  tlb.remove_parent(2);
  EXPECT_EQ(find(kPage + 0x1000, true), nullptr);
}

TEST_F(SoftTlbFront, DiesWhenTheSetHasNoRoomForItsSlot) {
  tlb.insert(bank, kPage, host(0), true, true, 1);
  SoftTlb::copy_to_front(bank, kPage, kBase);
  tlb.insert(bank, kAlias, host(1), true, true, 2);
  tlb.insert(bank, kAlias2, host(2), true, true, 3);
  EXPECT_EQ(find(kPage, false), nullptr);
  tlb.remove_parent(1);
  EXPECT_EQ(tlb.live_slots(), 2u);
}

TEST_F(SoftTlbFront, LosesTheRightToWriteWhenThePageHasCode) {
  tlb.insert(bank, kPage, host(0), true, true, 1);
  tlb.insert(bank, kPage + 0x1000, host(1), true, true, 1);
  SoftTlb::copy_to_front(bank, kPage, kBase);
  SoftTlb::copy_to_front(bank, kPage + 0x1000, kOther);
  tlb.protect_host_page(host(0));
  EXPECT_EQ(find(kPage, true), nullptr);
  EXPECT_EQ(find(kPage, false), host(0));
  EXPECT_EQ(find(kPage + 0x1000, true, kOther), host(1));
}

TEST_F(SoftTlbFront, DiesWithItsBank) {
  tlb.insert(bank, kPage, host(0), true, true, 1);
  SoftTlb::copy_to_front(bank, kPage, kBase);
  SoftTlbSet* other = tlb.bank_for(2);
  tlb.insert(other, kPage, host(3), true, true, 4);
  SoftTlb::copy_to_front(other, kPage, kBase);
  for (ContextKey context = 3; context <= SoftTlb::kBanks + 1; context++) tlb.bank_for(context);
  EXPECT_EQ(find(kPage, false), nullptr) << "the bank is another context's now";
  EXPECT_EQ(SoftTlb::front_slot(other, kBase).page, kPage);
  tlb.flush_all();
  EXPECT_EQ(SoftTlb::front_slot(other, kBase).read_limit, 0u);
}

// --- Growth ---

struct SoftTlbGrowth : testing::Test {
  SoftTlb tlb;
  SoftTlbSet* bank = tlb.bank_for(1);
  // Host pages are only addresses here.
  static u8* host(u64 n) { return reinterpret_cast<u8*>((u64{1} << 40) + (n << kSoftPageBits)); }
  static const SoftTlbSlot* slot(const SoftTlbSet* in, u64 va) {
    for (const SoftTlbSlot& s : SoftTlb::set_of(in, va).way)
      if (s.read_tag == va || s.write_tag == va) return &s;
    return nullptr;
  }
  // Uses `pages` pages in turn.
  void sweep(u64 pages) {
    for (u64 n = 0; n < pages; n++)
      if (u64 va = n << kSoftPageBits; !slot(bank, va)) tlb.insert(bank, va, host(n), true, n % 2, 100 + n);
  }
};

TEST_F(SoftTlbGrowth, ABankIsLargeEnoughForWhatItsContextUses) {
  constexpr u64 kPages = 8 * kFewestSets;
  for (int turn = 0; turn < 20; turn++) sweep(kPages);
  EXPECT_GE(SoftTlb::set_count(bank), kPages / 2);
  EXPECT_EQ(tlb.live_slots(), kPages);
  for (u64 n = 0; n < kPages; n++) {
    const SoftTlbSlot* s = slot(bank, n << kSoftPageBits);
    ASSERT_NE(s, nullptr) << n;
    EXPECT_EQ(s->addend + (n << kSoftPageBits), reinterpret_cast<u64>(host(n)));
    EXPECT_EQ(s->write_tag != kNoTag, n % 2 == 1);
    EXPECT_EQ(s->parent, 100 + n);
  }
}

TEST_F(SoftTlbGrowth, HasABound) {
  for (int turn = 0; turn < 3; turn++) sweep(6 * u64{kMostSets});
  EXPECT_EQ(SoftTlb::set_count(bank), kMostSets);
  EXPECT_LE(tlb.live_slots(), 2 * size_t{kMostSets});
}

TEST_F(SoftTlbGrowth, AContextThatTakesABankOverBeginsSmall) {
  for (int turn = 0; turn < 20; turn++) sweep(4 * kFewestSets);
  ASSERT_GT(SoftTlb::set_count(bank), kFewestSets);
  for (ContextKey context = 2; context <= SoftTlb::kBanks + 1; context++) tlb.bank_for(context);
  EXPECT_EQ(SoftTlb::set_count(bank), kFewestSets);
  EXPECT_EQ(tlb.live_slots(), 0u);
  tlb.insert(bank, kPage, host(1), true, true, 1);
  EXPECT_NE(slot(bank, kPage), nullptr);
}

// Whatever is inserted, removed, protected or copied: what is found is what the last insert said, and nothing
// that was removed is found.
TEST_F(SoftTlbGrowth, NeverAnswersWrongly) {
  test::Random random(1);
  struct Page {
    u64 host, parent;
    bool read, write;
  };
  SoftTlbSet* banks[] = {bank, tlb.bank_for(2), tlb.bank_for(3)};
  std::map<u64, Page> expected[3];
  std::map<u64, std::vector<std::pair<unsigned, u64>>> of_parent;
  auto check = [&](unsigned b, u64 va) {
    auto known = expected[b].find(va);
    if (const SoftTlbSlot* s = slot(banks[b], va)) {
      ASSERT_NE(known, expected[b].end()) << std::hex << va;
      EXPECT_EQ(s->addend + va, known->second.host);
      EXPECT_EQ(s->parent, known->second.parent);
      EXPECT_TRUE(s->read_tag == kNoTag || known->second.read);
      EXPECT_TRUE(s->write_tag == kNoTag || known->second.write);
    }
    for (unsigned n = 0; n < kFrontSlots; n++) {
      const FrontSlot& f = SoftTlb::front_slot(banks[b], n);
      if (va - f.page >= std::max(f.read_limit, f.write_limit)) continue;
      ASSERT_NE(known, expected[b].end()) << std::hex << va;
      EXPECT_EQ(va + f.addend, known->second.host);
      EXPECT_TRUE(!f.read_limit || known->second.read);
      EXPECT_TRUE(!f.write_limit || known->second.write);
    }
  };
  for (int i = 0; i < 200000 && !HasFatalFailure(); i++) {
    const unsigned b = unsigned(random.below(3));
    const u64 va = random.below(3 * kFewestSets) * (b == 2 ? 8 : 1) << kSoftPageBits;
    const u64 dice = random.below(1000);
    if (dice < 700) {
      Page p{reinterpret_cast<u64>(host(random.below(4096))), 1 + random.below(3000), random.below(8) != 0,
             random.below(2) == 0};
      if (!p.read && !p.write) p.read = true;
      tlb.insert(banks[b], va, reinterpret_cast<u8*>(p.host), p.read, p.write, p.parent);
      expected[b][va] = p;
      of_parent[p.parent].push_back({b, va});
    } else if (dice < 900) {
      SoftTlb::copy_to_front(banks[b], va, unsigned(random.below(kFrontSlots)));
    } else if (dice < 990) {
      const u64 parent = 1 + random.below(3000);
      tlb.remove_parent(parent);
      for (auto [in, page] : std::exchange(of_parent[parent], {}))
        if (auto p = expected[in].find(page); p != expected[in].end() && p->second.parent == parent)
          expected[in].erase(p);
    } else if (dice < 999) {
      const u64 page = reinterpret_cast<u64>(host(random.below(4096)));
      tlb.protect_host_page(reinterpret_cast<const u8*>(page));
      for (auto& pages : expected)
        for (auto& [at, p] : pages)
          if (p.host == page) p.write = false;
    } else if (random.below(10) == 0) {
      tlb.flush_all();
      for (auto& pages : expected) pages.clear();
      of_parent.clear();
    }
    check(b, va);
  }
  EXPECT_GT(SoftTlb::set_count(bank), kFewestSets);
  EXPECT_GT(tlb.live_slots(), 0u);
}

}  // namespace
}  // namespace sluice::tcg
