#include "tcg/guest_memory.h"

#include "tcg/fp_status.h"
#include "tcg/guest.h"
#include "tcg/host_atomics.h"
#include "tcg/soft_tlb.h"
#include "tcg/vcpu.h"

namespace sluice::tcg {
namespace {

using ir::MemOp;

// The host address of [va, va + size) in the soft TLB, or null. The access does not cross a page.
u8* probe(const ExecState& state, u64 va, Access access, MemOp op) {
  const SoftTlbSet* bank = op.unprivileged ? state.unprivileged_bank : state.bank;
  if (!bank) return nullptr;
  u64 page = va & ~kSoftPageMask;
  for (const SoftTlbSlot& s : SoftTlb::set_of(bank, va).way) {
    bool ok =
        (access == Access::Read || s.write_tag == page) && (access == Access::Write || s.read_tag == page);
    if (ok) return reinterpret_cast<u8*>(va + s.addend);
  }
  return nullptr;
}

DataTarget find(ExecState& state, u64 va, unsigned size, Access access, MemOp op) {
  if (u8* host = probe(state, va, access, op)) return {DataTarget::Kind::Host, host, {}};
  return state.guest->access(va, size, access, op);
}

bool aligned_or_allowed(ExecState& state, u64 va, Access access, MemOp op) {
  return is_aligned(va, op.size()) || !op.aligned || !state.guest->alignment_fault(va, access, op);
}

bool crosses_page(u64 va, unsigned size) { return (va & kSoftPageMask) + size > kSoftPageSize; }

bool read_piece(ExecState& state, const DataTarget& t, u64 va, unsigned size, Vec& value) {
  if (t.kind == DataTarget::Kind::Host) {
    value = host_load(t.host, size);
    return true;
  }
  HostFpScope host_fp{state};
  return t.kind == DataTarget::Kind::Mmio && state.guest->mmio_load(t, va, size, value);
}
bool write_piece(ExecState& state, const DataTarget& t, u64 va, unsigned size, const Vec& value) {
  if (t.kind == DataTarget::Kind::Host) {
    host_store(t.host, size, value);
    return true;
  }
  HostFpScope host_fp{state};
  return t.kind == DataTarget::Kind::Mmio && state.guest->mmio_store(t, va, size, value);
}

// The two halves of an access that crosses a page; both are checked before either is performed.
struct Halves {
  DataTarget first, second;
  u64 second_va;
  unsigned first_size, second_size;
  bool ok;
};
Halves find_halves(ExecState& state, u64 va, Access access, MemOp op) {
  Halves h{};
  h.first_size = unsigned(kSoftPageSize - (va & kSoftPageMask));
  h.second_size = op.size() - h.first_size;
  h.second_va = va + h.first_size;
  h.first = find(state, va, h.first_size, access, op);
  h.ok = h.first.kind != DataTarget::Kind::Fault;
  if (h.ok) h.second = find(state, h.second_va, h.second_size, access, op);
  h.ok = h.ok && h.second.kind != DataTarget::Kind::Fault;
  // Filling the second page may have changed the first one's mapping to memory only through a code-page
  // write, which keeps host addresses: the first answer stays good.
  return h;
}

// An odd-sized piece, byte by byte where it is MMIO.
bool read_bytes(ExecState& state, const DataTarget& t, u64 va, unsigned size, u8* out) {
  if (t.kind == DataTarget::Kind::Host) {
    std::memcpy(out, t.host, size);
    return true;
  }
  for (unsigned i = 0; i < size; i++) {
    Vec byte;
    if (!read_piece(state, find(state, va + i, 1, Access::Read, {}), va + i, 1, byte)) return false;
    out[i] = u8(byte.lo);
  }
  return true;
}
bool write_bytes(ExecState& state, const DataTarget& t, u64 va, unsigned size, const u8* in) {
  if (t.kind == DataTarget::Kind::Host) {
    std::memcpy(t.host, in, size);
    return true;
  }
  for (unsigned i = 0; i < size; i++)
    if (!write_piece(state, find(state, va + i, 1, Access::Write, {}), va + i, 1, {in[i], 0})) return false;
  return true;
}

u64 apply(AtomicKind kind, u64 old, u64 operand, unsigned bits) {
  i64 a = i64(sign_extend(old, bits)), b = i64(sign_extend(operand, bits));
  switch (kind) {
    case AtomicKind::Add: return old + operand;
    case AtomicKind::Clear: return old & ~operand;
    case AtomicKind::Xor: return old ^ operand;
    case AtomicKind::Set: return old | operand;
    case AtomicKind::SignedMax: return u64(a > b ? a : b);
    case AtomicKind::SignedMin: return u64(a < b ? a : b);
    case AtomicKind::UnsignedMax: return old > operand ? old : operand;
    case AtomicKind::UnsignedMin: return old < operand ? old : operand;
    case AtomicKind::Swap: return operand;
  }
  return old;
}

template <class T>
u64 rmw(u8* host, AtomicKind kind, u64 operand) {
  T* p = reinterpret_cast<T*>(host);
  if (kind == AtomicKind::Add) return __atomic_fetch_add(p, T(operand), __ATOMIC_SEQ_CST);
  if (kind == AtomicKind::Swap) return __atomic_exchange_n(p, T(operand), __ATOMIC_SEQ_CST);
  T old = __atomic_load_n(p, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(p, &old, T(apply(kind, old, operand, sizeof(T) * 8)), false,
                                      __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
  }
  return old;
}

u64 rmw_of_size(u8* host, unsigned log2_size, AtomicKind kind, u64 operand) {
  switch (log2_size) {
    case 0: return rmw<u8>(host, kind, operand);
    case 1: return rmw<u16>(host, kind, operand);
    case 2: return rmw<u32>(host, kind, operand);
    default: return rmw<u64>(host, kind, operand);
  }
}

Vec cas_of_size(u8* host, unsigned log2_size, const Vec& expected, const Vec& desired) {
  switch (log2_size) {
    case 0: return {host_compare_exchange<u8>(host, u8(expected.lo), u8(desired.lo)), 0};
    case 1: return {host_compare_exchange<u16>(host, u16(expected.lo), u16(desired.lo)), 0};
    case 2: return {host_compare_exchange<u32>(host, u32(expected.lo), u32(desired.lo)), 0};
    case 3: return {host_compare_exchange<u64>(host, expected.lo, desired.lo), 0};
    default: return host_compare_exchange_16(host, expected, desired);
  }
}

u64 mask_of(unsigned log2_size) { return ones(8u << log2_size); }

// An atomic that is not naturally aligned but allowed to be (SCTLR.A = 0 and FEAT_LSE2): only inside 16
// bytes.
bool find_atomic(ExecState& state, u64 va, MemOp op, DataTarget& t) {
  if (!is_aligned(va, op.size())) {
    op.aligned = true;
    state.guest->alignment_fault(va, Access::ReadWrite, op);
    return false;
  }
  t = find(state, va, op.size(), Access::ReadWrite, op);
  return t.kind != DataTarget::Kind::Fault;
}

}  // namespace

bool read_guest(ExecState& state, u64 va, MemOp op, Vec& value) noexcept {
  Access access = op.as_write ? Access::ReadWrite : Access::Read;
  if (!aligned_or_allowed(state, va, access, op)) return false;
  if (!crosses_page(va, op.size()))
    return read_piece(state, find(state, va, op.size(), access, op), va, op.size(), value);
  Halves h = find_halves(state, va, access, op);
  u8 bytes[16] = {};
  if (!h.ok || !read_bytes(state, h.first, va, h.first_size, bytes) ||
      !read_bytes(state, h.second, h.second_va, h.second_size, bytes + h.first_size))
    return false;
  std::memcpy(&value, bytes, sizeof value);
  return true;
}

bool write_guest(ExecState& state, u64 va, MemOp op, Vec value) noexcept {
  if (!aligned_or_allowed(state, va, Access::Write, op)) return false;
  if (!crosses_page(va, op.size()))
    return write_piece(state, find(state, va, op.size(), Access::Write, op), va, op.size(), value);
  Halves h = find_halves(state, va, Access::Write, op);
  u8 bytes[16];
  std::memcpy(bytes, &value, sizeof bytes);
  return h.ok && write_bytes(state, h.first, va, h.first_size, bytes) &&
         write_bytes(state, h.second, h.second_va, h.second_size, bytes + h.first_size);
}

bool atomic_rmw(ExecState& state, u64 va, MemOp op, AtomicKind kind, u64 operand, u64& old) noexcept {
  DataTarget t;
  if (!find_atomic(state, va, op, t)) return false;
  operand &= mask_of(op.log2_size);
  if (t.kind == DataTarget::Kind::Host) {
    old = rmw_of_size(t.host, op.log2_size, kind, operand);
    return true;
  }
  Vec was;
  if (!read_piece(state, t, va, op.size(), was)) return false;
  old = was.lo;
  u64 now = apply(kind, old, operand, op.size() * 8) & mask_of(op.log2_size);
  return write_piece(state, t, va, op.size(), {now, 0});
}

bool compare_exchange(ExecState& state, u64 va, MemOp op, Vec expected, Vec desired, Vec& old) noexcept {
  DataTarget t;
  if (!find_atomic(state, va, op, t)) return false;
  if (t.kind == DataTarget::Kind::Host) {
    old = cas_of_size(t.host, op.log2_size, expected, desired);
    return true;
  }
  if (!read_piece(state, t, va, op.size(), old)) return false;
  u64 mask = mask_of(op.log2_size);
  bool equal = op.log2_size == 4 ? old == expected : ((old.lo ^ expected.lo) & mask) == 0;
  return !equal || write_piece(state, t, va, op.size(), desired);
}

bool zero_block(ExecState& state, u64 va, unsigned log2_bytes) noexcept {
  u64 size = u64{1} << log2_bytes, first = align_down(va, size);
  MemOp op;
  if (u8* host = probe(state, first, Access::Write, op)) {
    std::memset(host, 0, size);
    return true;
  }
  op.log2_size = 0;
  if (state.guest->access(va, 1, Access::Write, op).kind == DataTarget::Kind::Fault) return false;
  op.log2_size = 4;
  for (u64 done = 0; done < size; done += op.size())
    if (!write_guest(state, first + done, op, {})) return false;
  return true;
}

bool store_exclusive(ExecState& state, u64 va, MemOp op, Vec value, u64& failed) noexcept {
  failed = 1;
  Vec old;
  if (state.exclusive_size != op.size() || state.exclusive_address != va) {
    // An address that is not aligned faults, whatever the monitor says: the access sees to it.
    if (!is_aligned(va, op.size()) && !read_guest(state, va, op, old)) return false;
    state.exclusive_size = 0;
    return true;
  }
  Vec expected = state.exclusive_value;
  u64 mask = op.log2_size < 3 ? mask_of(op.log2_size) : ~u64{0};
  if (op.log2_size < 4) expected = {expected.lo & mask, 0}, value = {value.lo & mask, 0};
  if (!compare_exchange(state, va, op, expected, value, old)) return false;
  state.exclusive_size = 0;
  failed = old != expected;
  return true;
}

}  // namespace sluice::tcg
