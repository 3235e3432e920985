// The soft TLB by itself: what happens to front slots, which are copies, when the slots that they were made
// from change.
#include "tcg/soft_tlb.h"

#include <gtest/gtest.h>

namespace sluice::tcg {
namespace {

constexpr u64 kPage = 0x12345000, kAlias = kPage + (u64{kBankSets} << kSoftPageBits),
              kAlias2 = kAlias + (u64{kBankSets} << kSoftPageBits);
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

}  // namespace
}  // namespace sluice::tcg
