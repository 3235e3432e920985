#include "cpu/a64/decoder.h"

#include <algorithm>
#include <bit>

#include "cpu/a64/groups.h"

namespace sluice::cpu::a64 {

std::span<const Group* const> all_groups() {
  static constexpr const Group* groups[] = {&kDataProcessingImmediate,
                                            &kDataProcessingRegister,
                                            &kFlagManipulation,
                                            &kBranches,
                                            &kPointerAuthentication,
                                            &kSystemInstructions,
                                            &kLoadsStores,
                                            &kLoadsStoresPair,
                                            &kLoadsStoresExclusive,
                                            &kAtomics,
                                            &kSimdLoadsStores,
                                            &kSimdLoadsStoresStructure,
                                            &kSimdThreeSame,
                                            &kSimdScalarThreeSame,
                                            &kSimdThreeSameFp,
                                            &kSimdThreeSameFp16,
                                            &kSimdScalarThreeSameFp,
                                            &kSimdScalarThreeSameFp16,
                                            &kSimdThreeSameExtra,
                                            &kSimdTwoRegister,
                                            &kSimdScalarTwoRegister,
                                            &kSimdTwoRegisterFp,
                                            &kSimdTwoRegisterFp16,
                                            &kSimdScalarTwoRegisterFp,
                                            &kSimdScalarTwoRegisterFp16,
                                            &kSimdAcrossLanes,
                                            &kSimdScalarPairwise,
                                            &kSimdThreeDifferent,
                                            &kSimdScalarThreeDifferent,
                                            &kSimdByElement,
                                            &kSimdScalarByElement,
                                            &kSimdModifiedImmediate,
                                            &kSimdShiftImmediate,
                                            &kSimdScalarShiftImmediate,
                                            &kSimdCopy,
                                            &kSimdPermute,
                                            &kCryptographic,
                                            &kFpDataProcessing,
                                            &kFpCompare,
                                            &kFpConvertFixed,
                                            &kFpConvertInteger};
  return groups;
}

Decoder::Decoder(FeatureSet features) : Decoder(features, all_groups()) {}

Decoder::Decoder(FeatureSet features, std::span<const Group* const> groups) : first_(kBuckets + 1) {
  for (const Group* group : groups)
    for (const Insn& insn : group->rows)
      if (features.has(insn.feature)) rows_.push_back({&insn, group});
  std::ranges::stable_sort(rows_, std::greater{}, [](const Row& r) { return std::popcount(r.insn->mask); });

  // Every bucket that agrees with the fixed bits of a row above kBucketShift, by counting through the free
  // bits.
  auto for_each_bucket = [](const Insn& insn, auto&& visit) {
    u32 fixed = insn.mask >> kBucketShift, match = insn.match >> kBucketShift, free = ~fixed & (kBuckets - 1);
    u32 subset = 0;
    do {
      visit(match | subset);
      subset = (subset - free) & free;
    } while (subset);
  };
  for (const Row& row : rows_) for_each_bucket(*row.insn, [&](u32 bucket) { first_[bucket + 1]++; });
  for (u32 bucket = 0; bucket < kBuckets; bucket++) first_[bucket + 1] += first_[bucket];
  order_.resize(first_[kBuckets]);
  std::vector<u32> next(first_.begin(), first_.end() - 1);
  for (size_t i = 0; i < rows_.size(); i++)
    for_each_bucket(*rows_[i].insn, [&](u32 bucket) { order_[next[bucket]++] = u16(i); });
}

}  // namespace sluice::cpu::a64
