// Arm DDI 0487, "Load/store exclusive" and "Load/store ordered", and LDAPR. Register fields that should be
// one are ignored (LDAPR: UNDEFINED if they are not). The monitor of a PE is {VA, size, value} in PeState;
// STXR is a compare-exchange with that value, so that a store of any other observer in between is seen unless
// it restored the value. DEVIATION: such an ABA store does not clear the monitor, and the monitor is by VA,
// not by PA. LDXR/STXR loops cannot tell, because they compute the new value from the old one. CONSTRAINED
// UNPREDICTABLE choices: STXR whose status register is also source or base uses the old values; LDXP of the
// same register twice gives the second value.
#include "base/bits.h"
#include "cpu/a64/groups.h"
#include "cpu/a64/memory_access.h"
#include "cpu/a64/memory_helpers.h"
#include "cpu/emit.h"

namespace sluice::cpu::a64 {
namespace {

// --- Exclusive ---

// Opens the monitor on what has just been read: an I64, or a V128 of 16 bytes.
void open_monitor(Emitter& e, Value address, unsigned size, Value value) {
  e.ir.set_state(u32(offsetof(PeState, exclusive_address)), address);
  e.ir.set_state(u32(offsetof(PeState, exclusive_value)), value);
  e.ir.set_state(u32(offsetof(PeState, exclusive_size)), e.ir.i32(size));
}

template <unsigned Log2>
void LDXR(Emitter& e, bool o0, Reg Rn, Reg Rt) {
  Value address = base_address(e, Rn);
  Value v = e.ir.load(Type::I64, address,
                      {.log2_size = Log2, .aligned = true, .acquire = o0, .base = base_hint(Rn)});
  open_monitor(e, address, 1u << Log2, v);
  e.X(Rt, in_memory_order(e, v, Log2));
}

template <unsigned Log2>
void STXR(Emitter& e, Reg Rs, bool, Reg Rn, Reg Rt) {
  Value address = base_address(e, Rn);
  Value v = in_memory_order(e, e.X(Log2 == 3, Rt), Log2);
  e.X(Rs, e.ir.store_exclusive(address, v, atomic_op(Log2, Rn)));
}

void LDXP_W(Emitter& e, bool o0, Reg Rt2, Reg Rn, Reg Rt) {
  Value address = base_address(e, Rn);
  Value v =
      e.ir.load(Type::I64, address, {.log2_size = 3, .aligned = true, .acquire = o0, .base = base_hint(Rn)});
  open_monitor(e, address, 8, v);
  e.X(Rt, in_memory_order(e, e.and_(v, e.ir.i64(ones(32))), 2));
  e.X(Rt2, in_memory_order(e, e.ir.binary(Op::Shr, v, e.ir.i64(32)), 2));
}
void LDXP_X(Emitter& e, bool o0, Reg Rt2, Reg Rn, Reg Rt) {
  Value address = base_address(e, Rn);
  Value v = e.ir.load_vec(address, {.log2_size = 4, .aligned = true, .acquire = o0, .base = base_hint(Rn)});
  open_monitor(e, address, 16, v);
  e.X(Rt, in_memory_order(e, e.ir.emit(Op::VLane, Type::I64, {v}, 0, 3), 3));
  e.X(Rt2, in_memory_order(e, e.ir.emit(Op::VLane, Type::I64, {v}, 1, 3), 3));
}

void STXP_W(Emitter& e, Reg Rs, bool, Reg Rt2, Reg Rn, Reg Rt) {
  Value address = base_address(e, Rn);
  Value low = in_memory_order(e, e.zero_extend(e.X(false, Rt)), 2);
  Value high = in_memory_order(e, e.zero_extend(e.X(false, Rt2)), 2);
  Value v = e.or_(low, e.ir.binary(Op::Shl, high, e.ir.i64(32)));
  e.X(Rs, e.ir.store_exclusive(address, v, atomic_op(3, Rn)));
}
void STXP_X(Emitter& e, Reg Rs, bool, Reg Rt2, Reg Rn, Reg Rt) {
  Value address = base_address(e, Rn);
  Value low = in_memory_order(e, e.X(Rt), 3), high = in_memory_order(e, e.X(Rt2), 3);
  e.X(Rs, e.ir.call(kStoreExclusive16, {address, low, high}));
}

// --- Ordered: LDAR, LDLAR, LDAPR, STLR, STLLR ---

template <unsigned Log2>
void load_acquire(Emitter& e, Reg Rn, Reg Rt) {
  load_or_store(e, Kind::Load, Rt, base_address(e, Rn),
                {.log2_size = Log2, .aligned = true, .acquire = true, .base = base_hint(Rn)});
}
template <unsigned Log2>
void store_release(Emitter& e, Reg Rn, Reg Rt) {
  load_or_store(e, Kind::Store, Rt, base_address(e, Rn),
                {.log2_size = Log2, .aligned = true, .release = true, .base = base_hint(Rn)});
}

constexpr Insn kRows[] = {
    insn<"00 001000 000 Rs:5 o0 xxxxx Rn:5 Rt:5", STXR<0>>("ST<l15>XRB", "<Wm>, <Wd>, [<Xn|SP>]"),
    insn<"01 001000 000 Rs:5 o0 xxxxx Rn:5 Rt:5", STXR<1>>("ST<l15>XRH", "<Wm>, <Wd>, [<Xn|SP>]"),
    insn<"10 001000 000 Rs:5 o0 xxxxx Rn:5 Rt:5", STXR<2>>("ST<l15>XR", "<Wm>, <Wd>, [<Xn|SP>]"),
    insn<"11 001000 000 Rs:5 o0 xxxxx Rn:5 Rt:5", STXR<3>>("ST<l15>XR", "<Wm>, <Xd>, [<Xn|SP>]"),
    insn<"00 001000 010 xxxxx o0 xxxxx Rn:5 Rt:5", LDXR<0>>("LD<a15>XRB", "<Wd>, [<Xn|SP>]"),
    insn<"01 001000 010 xxxxx o0 xxxxx Rn:5 Rt:5", LDXR<1>>("LD<a15>XRH", "<Wd>, [<Xn|SP>]"),
    insn<"10 001000 010 xxxxx o0 xxxxx Rn:5 Rt:5", LDXR<2>>("LD<a15>XR", "<Wd>, [<Xn|SP>]"),
    insn<"11 001000 010 xxxxx o0 xxxxx Rn:5 Rt:5", LDXR<3>>("LD<a15>XR", "<Xd>, [<Xn|SP>]"),
    insn<"10 001000 001 Rs:5 o0 Rt2:5 Rn:5 Rt:5", STXP_W>("ST<l15>XP", "<Wm>, <Wd>, <Wa>, [<Xn|SP>]"),
    insn<"11 001000 001 Rs:5 o0 Rt2:5 Rn:5 Rt:5", STXP_X>("ST<l15>XP", "<Wm>, <Xd>, <Xa>, [<Xn|SP>]"),
    insn<"10 001000 011 xxxxx o0 Rt2:5 Rn:5 Rt:5", LDXP_W>("LD<a15>XP", "<Wd>, <Wa>, [<Xn|SP>]"),
    insn<"11 001000 011 xxxxx o0 Rt2:5 Rn:5 Rt:5", LDXP_X>("LD<a15>XP", "<Xd>, <Xa>, [<Xn|SP>]"),

    insn<"00 001000 100 xxxxx 1 xxxxx Rn:5 Rt:5", store_release<0>>("STLRB", "<Wd>, [<Xn|SP>]"),
    insn<"01 001000 100 xxxxx 1 xxxxx Rn:5 Rt:5", store_release<1>>("STLRH", "<Wd>, [<Xn|SP>]"),
    insn<"10 001000 100 xxxxx 1 xxxxx Rn:5 Rt:5", store_release<2>>("STLR", "<Wd>, [<Xn|SP>]"),
    insn<"11 001000 100 xxxxx 1 xxxxx Rn:5 Rt:5", store_release<3>>("STLR", "<Xd>, [<Xn|SP>]"),
    insn<"00 001000 110 xxxxx 1 xxxxx Rn:5 Rt:5", load_acquire<0>>("LDARB", "<Wd>, [<Xn|SP>]"),
    insn<"01 001000 110 xxxxx 1 xxxxx Rn:5 Rt:5", load_acquire<1>>("LDARH", "<Wd>, [<Xn|SP>]"),
    insn<"10 001000 110 xxxxx 1 xxxxx Rn:5 Rt:5", load_acquire<2>>("LDAR", "<Wd>, [<Xn|SP>]"),
    insn<"11 001000 110 xxxxx 1 xxxxx Rn:5 Rt:5", load_acquire<3>>("LDAR", "<Xd>, [<Xn|SP>]"),
    insn<"00 001000 100 xxxxx 0 xxxxx Rn:5 Rt:5", store_release<0>>("STLLRB", "<Wd>, [<Xn|SP>]",
                                                                    Feature::LOR),
    insn<"01 001000 100 xxxxx 0 xxxxx Rn:5 Rt:5", store_release<1>>("STLLRH", "<Wd>, [<Xn|SP>]",
                                                                    Feature::LOR),
    insn<"10 001000 100 xxxxx 0 xxxxx Rn:5 Rt:5", store_release<2>>("STLLR", "<Wd>, [<Xn|SP>]", Feature::LOR),
    insn<"11 001000 100 xxxxx 0 xxxxx Rn:5 Rt:5", store_release<3>>("STLLR", "<Xd>, [<Xn|SP>]", Feature::LOR),
    insn<"00 001000 110 xxxxx 0 xxxxx Rn:5 Rt:5", load_acquire<0>>("LDLARB", "<Wd>, [<Xn|SP>]", Feature::LOR),
    insn<"01 001000 110 xxxxx 0 xxxxx Rn:5 Rt:5", load_acquire<1>>("LDLARH", "<Wd>, [<Xn|SP>]", Feature::LOR),
    insn<"10 001000 110 xxxxx 0 xxxxx Rn:5 Rt:5", load_acquire<2>>("LDLAR", "<Wd>, [<Xn|SP>]", Feature::LOR),
    insn<"11 001000 110 xxxxx 0 xxxxx Rn:5 Rt:5", load_acquire<3>>("LDLAR", "<Xd>, [<Xn|SP>]", Feature::LOR),
    insn<"00 111000 101 11111 1 100 00 Rn:5 Rt:5", load_acquire<0>>("LDAPRB", "<Wd>, [<Xn|SP>]",
                                                                    Feature::LRCPC),
    insn<"01 111000 101 11111 1 100 00 Rn:5 Rt:5", load_acquire<1>>("LDAPRH", "<Wd>, [<Xn|SP>]",
                                                                    Feature::LRCPC),
    insn<"10 111000 101 11111 1 100 00 Rn:5 Rt:5", load_acquire<2>>("LDAPR", "<Wd>, [<Xn|SP>]",
                                                                    Feature::LRCPC),
    insn<"11 111000 101 11111 1 100 00 Rn:5 Rt:5", load_acquire<3>>("LDAPR", "<Xd>, [<Xn|SP>]",
                                                                    Feature::LRCPC),
};

}  // namespace

const Group kLoadsStoresExclusive{"Load/store exclusive and ordered", kRows, false};

}  // namespace sluice::cpu::a64
