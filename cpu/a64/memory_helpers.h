// cpu/a64/memory_helpers.h: the instructions that read and write memory in one step, as C++ under translated
// code. Each takes a fault by itself (state.leave is set); then no register and no memory has changed.
#pragma once
#include "base/types.h"
#include "tcg/guest_memory.h"
#include "tcg/helper.h"

namespace sluice::cpu::a64 {

// How an atomic accesses memory, packed into one argument of a helper.
struct AtomicAccess {
  u8 log2_size = 3;
  bool big_endian = false;
  tcg::AtomicKind kind = tcg::AtomicKind::Swap;
  constexpr u64 pack() const { return log2_size | u64(big_endian) << 3 | u64(kind) << 8; }
  static constexpr AtomicAccess unpack(u64 v) {
    return {u8(v & 7), bool(v >> 3 & 1), tcg::AtomicKind(v >> 8 & 15)};
  }
};

// LD<op>, SWP: (address, operand, AtomicAccess) -> the old value, zero-extended.
u64 helper_atomic(tcg::ExecState&, u64 address, u64 operand, u64 access) noexcept;

// CAS: (address, expected, desired) -> what was there, zero-extended. Values are in memory order.
template <unsigned Log2>
u64 helper_compare_swap(tcg::ExecState&, u64 address, u64 expected, u64 desired) noexcept;

// CASP: (address, Rs | Rt << 8, AtomicAccess of the whole pair); writes Rs and Rs+1.
u64 helper_compare_swap_pair(tcg::ExecState&, u64 address, u64 registers, u64 access) noexcept;

// STXR, STXP: (address, value, upper half for 16 bytes) -> 0 when stored, else 1. Closes the monitor. Values
// in memory order.
template <unsigned Log2>
u64 helper_store_exclusive(tcg::ExecState&, u64 address, u64 low, u64 high) noexcept;

inline constexpr tcg::Helper kAtomic = tcg::make_helper("atomic", helper_atomic);
inline constexpr tcg::Helper kCompareSwap[] = {tcg::make_helper("compare_swap_1", helper_compare_swap<0>),
                                               tcg::make_helper("compare_swap_2", helper_compare_swap<1>),
                                               tcg::make_helper("compare_swap_4", helper_compare_swap<2>),
                                               tcg::make_helper("compare_swap_8", helper_compare_swap<3>)};
inline constexpr tcg::Helper kCompareSwapPair =
    tcg::make_helper("compare_swap_pair", helper_compare_swap_pair);
inline constexpr tcg::Helper kStoreExclusive[] = {
    tcg::make_helper("store_exclusive_1", helper_store_exclusive<0>),
    tcg::make_helper("store_exclusive_2", helper_store_exclusive<1>),
    tcg::make_helper("store_exclusive_4", helper_store_exclusive<2>),
    tcg::make_helper("store_exclusive_8", helper_store_exclusive<3>),
    tcg::make_helper("store_exclusive_16", helper_store_exclusive<4>)};

}  // namespace sluice::cpu::a64
