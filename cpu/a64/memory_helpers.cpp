// Arm DDI 0487, shared pseudocode "MemAtomic", "MemAtomicCompareAndSwap", "AArch64.ExclusiveMonitorsPass".
#include "cpu/a64/memory_helpers.h"

#include "base/bits.h"
#include "cpu/state.h"

namespace sluice::cpu::a64 {
namespace {

using tcg::AtomicKind;
using tcg::Vec;
using tcg::ir::MemOp;

constexpr MemOp atomic_op(unsigned log2_size) {
  return {.log2_size = u8(log2_size), .aligned = true, .acquire = true, .release = true, .as_write = true};
}

// The low 1 << log2_size bytes of v in reverse order.
constexpr u64 reversed(u64 v, unsigned log2_size) { return __builtin_bswap64(v) >> (64 - (8u << log2_size)); }

u64 combine(AtomicKind kind, u64 old, u64 operand, unsigned bits) {
  i64 a = i64(sign_extend(old, bits)), b = i64(sign_extend(operand, bits));
  switch (kind) {
    case AtomicKind::Add: return old + operand;
    case AtomicKind::Clear: return old & ~operand;
    case AtomicKind::Xor: return old ^ operand;
    case AtomicKind::Set: return old | operand;
    case AtomicKind::SignedMax: return a > b ? old : operand;
    case AtomicKind::SignedMin: return a < b ? old : operand;
    case AtomicKind::UnsignedMax: return old > operand ? old : operand;
    case AtomicKind::UnsignedMin: return old < operand ? old : operand;
    case AtomicKind::Swap: return operand;
  }
  return operand;
}

// Big-endian data: the arithmetic cannot be done in place.
u64 big_endian_atomic(tcg::ExecState& state, u64 address, u64 operand, AtomicAccess a) {
  unsigned bits = 8u << a.log2_size;
  MemOp op = atomic_op(a.log2_size);
  Vec current;
  if (!tcg::read_guest(state, address, op, current)) return 0;
  for (;;) {
    u64 old = reversed(current.lo, a.log2_size);
    u64 result = combine(a.kind, old, operand & ones(bits), bits) & ones(bits);
    Vec seen;
    if (!tcg::compare_exchange(state, address, op, current, {reversed(result, a.log2_size), 0}, seen))
      return 0;
    if (seen == current) return old;
    current = seen;
  }
}

u64 read_x(const PeState& s, unsigned n) { return n == 31 ? 0 : s.x[n]; }
void write_x(PeState& s, unsigned n, u64 v) {
  if (n != 31) s.x[n] = v;
}

}  // namespace

u64 helper_big_endian_atomic(tcg::ExecState& state, u64 address, u64 operand, u64 access) noexcept {
  return big_endian_atomic(state, address, operand, AtomicAccess::unpack(access));
}

u64 helper_compare_swap_pair(tcg::ExecState& state, u64 address, u64 registers, u64 access) noexcept {
  auto& s = static_cast<PeState&>(state);
  AtomicAccess a = AtomicAccess::unpack(access);
  unsigned rs = registers & 31, rt = registers >> 8 & 31;
  bool wide = a.log2_size == 4;
  unsigned half = wide ? 3 : 2;
  // Element order: the first register of the pair is at the lower address; each element has the data
  // endianness.
  auto in_memory = [&](u64 v) { return a.big_endian ? reversed(v, half) : v & ones(8u << half); };
  auto pack = [&](unsigned n) -> Vec {
    u64 first = in_memory(read_x(s, n)), second = in_memory(read_x(s, n + 1));
    return wide ? Vec{first, second} : Vec{first | second << 32, 0};
  };
  Vec old;
  if (!tcg::compare_exchange(state, address, atomic_op(a.log2_size), pack(rs), pack(rt), old)) return 0;
  write_x(s, rs, in_memory(wide ? old.lo : old.lo & ones(32)));
  write_x(s, rs + 1, in_memory(wide ? old.hi : old.lo >> 32));
  return 0;
}

u64 helper_store_exclusive_16(tcg::ExecState& state, u64 address, u64 low, u64 high) noexcept {
  u64 failed = 1;
  tcg::store_exclusive(state, address, atomic_op(4), {low, high}, failed);
  return failed;
}

}  // namespace sluice::cpu::a64
