// Arm DDI 0487, "Compare and swap", "Compare and swap pair" and "Atomic memory operations" (FEAT_LSE). All
// are sequentially consistent, whatever acquire and release semantics they ask for.
#include "cpu/a64/groups.h"
#include "cpu/a64/memory_access.h"
#include "cpu/a64/memory_helpers.h"
#include "cpu/emit.h"

namespace sluice::cpu::a64 {
namespace {

using tcg::AtomicKind;

template <AtomicKind K>
void atomic(Emitter& e, Imm<2> size, bool, bool, Reg Rs, Reg Rn, Reg Rt) {
  Value address = base_address(e, Rn);
  if (e.mode.get<Mode::BigEndian>() && size) {
    AtomicAccess access{u8(size), true, K};
    return e.X(Rt, e.ir.call(kBigEndianAtomic, {address, e.X(Rs), e.ir.i64(access.pack())}));
  }
  e.X(Rt, e.ir.atomic(K, address, e.X(size == 3, Rs), atomic_op(size, Rn)));
}

void CAS(Emitter& e, Imm<2> size, bool, Reg Rs, bool, Reg Rn, Reg Rt) {
  Value address = base_address(e, Rn);
  Value expected = in_memory_order(e, e.X(size == 3, Rs), size),
        desired = in_memory_order(e, e.X(size == 3, Rt), size);
  e.X(Rs, in_memory_order(e, e.ir.compare_swap(address, expected, desired, atomic_op(size, Rn)), size));
}

void CASP(Emitter& e, bool sz, bool, Reg Rs, bool, Reg Rn, Reg Rt) {
  if ((Rs.n | Rt.n) & 1) return e.unallocated();
  Value address = base_address(e, Rn);
  AtomicAccess access{sz ? u8{4} : u8{3}, bool(e.mode.get<Mode::BigEndian>())};
  e.ir.call(kCompareSwapPair, {address, e.ir.i64(Rs.n | u64{Rt.n} << 8), e.ir.i64(access.pack())});
}

constexpr Feature kLse = Feature::LSE;

constexpr Insn kRows[] = {
    insn<"size:2 001000 1 L 1 Rs:5 o0 11111 Rn:5 Rt:5", CAS>("CAS<a22><l15><bh>", "<Tm>, <Td>, [<Xn|SP>]",
                                                             kLse),
    insn<"0 sz 001000 0 L 1 Rs:5 o0 11111 Rn:5 Rt:5", CASP>("CASP<a22><l15>", "<Pm>, <Pd>, [<Xn|SP>]", kLse),
    insn<"size:2 111000 A R 1 Rs:5 0 000 00 Rn:5 Rt:5", atomic<AtomicKind::Add>>(
        "LDADD<al><bh>", "<Tm>, <Td>, [<Xn|SP>]", kLse),
    insn<"size:2 111000 A R 1 Rs:5 0 001 00 Rn:5 Rt:5", atomic<AtomicKind::Clear>>(
        "LDCLR<al><bh>", "<Tm>, <Td>, [<Xn|SP>]", kLse),
    insn<"size:2 111000 A R 1 Rs:5 0 010 00 Rn:5 Rt:5", atomic<AtomicKind::Xor>>(
        "LDEOR<al><bh>", "<Tm>, <Td>, [<Xn|SP>]", kLse),
    insn<"size:2 111000 A R 1 Rs:5 0 011 00 Rn:5 Rt:5", atomic<AtomicKind::Set>>(
        "LDSET<al><bh>", "<Tm>, <Td>, [<Xn|SP>]", kLse),
    insn<"size:2 111000 A R 1 Rs:5 0 100 00 Rn:5 Rt:5", atomic<AtomicKind::SignedMax>>(
        "LDSMAX<al><bh>", "<Tm>, <Td>, [<Xn|SP>]", kLse),
    insn<"size:2 111000 A R 1 Rs:5 0 101 00 Rn:5 Rt:5", atomic<AtomicKind::SignedMin>>(
        "LDSMIN<al><bh>", "<Tm>, <Td>, [<Xn|SP>]", kLse),
    insn<"size:2 111000 A R 1 Rs:5 0 110 00 Rn:5 Rt:5", atomic<AtomicKind::UnsignedMax>>(
        "LDUMAX<al><bh>", "<Tm>, <Td>, [<Xn|SP>]", kLse),
    insn<"size:2 111000 A R 1 Rs:5 0 111 00 Rn:5 Rt:5", atomic<AtomicKind::UnsignedMin>>(
        "LDUMIN<al><bh>", "<Tm>, <Td>, [<Xn|SP>]", kLse),
    insn<"size:2 111000 A R 1 Rs:5 1 000 00 Rn:5 Rt:5", atomic<AtomicKind::Swap>>(
        "SWP<al><bh>", "<Tm>, <Td>, [<Xn|SP>]", kLse),
};

}  // namespace

const Group kAtomics{"Atomic memory operations", kRows, false};

}  // namespace sluice::cpu::a64
