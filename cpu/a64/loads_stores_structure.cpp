// Arm DDI 0487, "Advanced SIMD load/store multiple structures" and "single structure", with post-index: LD1
// to LD4, ST1 to ST4, LD1R to LD4R. Memory holds the structures one after the other; register k gets element
// k of each.
#include <array>

#include "base/bits.h"
#include "cpu/a64/groups.h"
#include "cpu/a64/memory_access.h"
#include "cpu/emit.h"

namespace sluice::cpu::a64 {
namespace {

using Vectors = std::array<Value, 4>;

Reg register_at(Reg first, unsigned k) { return Reg{u8((first.n + k) % 32)}; }
Value vconst(Emitter& e, u64 repeated) { return e.ir.emit(Op::VConst, Type::V128, {}, repeated, 1); }
Value permute(Emitter& e, Op op, Value a, Value b, unsigned esize, unsigned bytes) {
  return e.ir.emit(op, Type::V128, {a, b}, 0, u8(esize), u8(bytes));
}

// What the instruction moves: `bytes` (8 or 16) of each register, in elements of 1 << esize bytes.
struct Shape {
  unsigned esize, bytes;
  u8 base;  // MemOp::base
};

// --- Three registers, by byte tables ---

// Byte i of the result is byte index(i) of the 48 bytes a:b:c (16 or 8 each); an index of 255 gives 0.
template <class F>
Value gather(Emitter& e, const Vectors& from, unsigned bytes, F index) {
  u64 table[2] = {0, 0};
  for (unsigned i = 0; i < 16; i++) {
    unsigned at = i < bytes ? index(i) : 255;
    // VTable works on 16-byte tables: with 8 bytes in each register there are gaps.
    u8 byte = u8(at == 255 ? 255 : at / bytes * 16 + at % bytes);
    table[i / 8] |= u64{byte} << (i % 8 * 8);
  }
  Value indices = e.ir.emit(Op::VConcatLow, Type::V128, {vconst(e, table[0]), vconst(e, table[1])});
  Value r = vconst(e, 0);
  for (unsigned k = 0; k < 3; k++) r = e.ir.emit(Op::VTable, Type::V128, {r, from[k], indices}, k * 16);
  return r;
}

// --- Between memory order and registers ---

Vectors deinterleave(Emitter& e, const Vectors& m, unsigned selem, Shape s) {
  auto even = [&](Value a, Value b) { return permute(e, Op::VUzp1, a, b, s.esize, s.bytes); };
  auto odd = [&](Value a, Value b) { return permute(e, Op::VUzp2, a, b, s.esize, s.bytes); };
  switch (selem) {
    case 2: return {even(m[0], m[1]), odd(m[0], m[1])};
    case 4: {
      Value p = even(m[0], m[1]), q = odd(m[0], m[1]), r = even(m[2], m[3]), t = odd(m[2], m[3]);
      return {even(p, r), even(q, t), odd(p, r), odd(q, t)};
    }
    case 3: {
      Vectors out;
      for (unsigned k = 0; k < 3; k++)
        out[k] = gather(e, m, s.bytes, [&](unsigned i) {
          return (((i >> s.esize) * 3 + k) << s.esize) + (i & ((1u << s.esize) - 1));
        });
      return out;
    }
    default: return m;
  }
}

Vectors interleave(Emitter& e, const Vectors& v, unsigned selem, Shape s) {
  auto low = [&](Value a, Value b) { return permute(e, Op::VZip1, a, b, s.esize, s.bytes); };
  auto high = [&](Value a, Value b) { return permute(e, Op::VZip2, a, b, s.esize, s.bytes); };
  switch (selem) {
    case 2: return {low(v[0], v[1]), high(v[0], v[1])};
    case 4: {
      Value p = low(v[0], v[2]), q = low(v[1], v[3]), r = high(v[0], v[2]), t = high(v[1], v[3]);
      return {low(p, q), high(p, q), low(r, t), high(r, t)};
    }
    case 3: {
      Vectors out;
      for (unsigned k = 0; k < 3; k++)
        out[k] = gather(e, v, s.bytes, [&](unsigned i) {
          unsigned at = k * s.bytes + i, element = at >> s.esize;
          return element % 3 * s.bytes + ((element / 3) << s.esize) + (at & ((1u << s.esize) - 1));
        });
      return out;
    }
    default: return v;
  }
}

// --- Accesses ---

// SCTLR.A asks for the alignment of an element only, so whole registers are moved without a check unless it
// matters; then, element by element.
bool by_element(const Emitter& e, Shape s) { return e.mode.get<Mode::AlignCheck>() && s.esize > 0; }

MemOp whole_op(Shape s) {
  return {.log2_size = u8(s.bytes == 16 ? 4 : 3), .any_alignment = true, .base = s.base};
}
Value load_whole(Emitter& e, Value address, Shape s) {
  if (!by_element(e, s)) return load_vector(e, address, whole_op(s), s.esize);
  Value r = vconst(e, 0);
  for (unsigned i = 0; i < s.bytes >> s.esize; i++) {
    Value element = load(e, Type::I64, displaced(e, address, u64{i} << s.esize), {.log2_size = u8(s.esize)});
    r = e.ir.emit(Op::VInsert, Type::V128, {r, element}, i, u8(s.esize));
  }
  return r;
}
void store_whole(Emitter& e, Value address, Value v, Shape s) {
  if (!by_element(e, s)) return store_vector(e, address, v, whole_op(s), s.esize);
  for (unsigned i = 0; i < s.bytes >> s.esize; i++) {
    Value element = e.ir.emit(Op::VLane, Type::I64, {v}, i, u8(s.esize));
    store(e, displaced(e, address, u64{i} << s.esize), element, {.log2_size = u8(s.esize)});
  }
}

// Several of them, in pairs.
template <unsigned Registers>
Vectors load_all(Emitter& e, Value base, Shape s) {
  Vectors m;
  for (unsigned k = 0; k < Registers;) {
    Value address = displaced(e, base, k * s.bytes);
    if (by_element(e, s) || k + 1 == Registers) {
      m[k++] = load_whole(e, address, s);
    } else {
      Pair p = load_vector_pair(e, address, whole_op(s), s.esize);
      m[k++] = p.first, m[k++] = p.second;
    }
  }
  return m;
}
template <unsigned Registers>
void store_all(Emitter& e, Value base, const Vectors& m, Shape s) {
  for (unsigned k = 0; k < Registers;) {
    Value address = displaced(e, base, k * s.bytes);
    if (by_element(e, s) || k + 1 == Registers) {
      store_whole(e, address, m[k++], s);
    } else {
      store_vector_pair(e, address, {m[k], m[k + 1]}, whole_op(s), s.esize);
      k += 2;
    }
  }
}

// Post-index: Rm = 31 stands for the number of bytes transferred.
void post_index(Emitter& e, Reg n, Reg m, Value base, unsigned bytes) {
  e.XSP(n, e.add(base, m.n == 31 ? e.ir.i64(bytes) : e.X(m)));
}

// --- Multiple structures: `Registers` of them; `Selem` elements to a structure ---

template <unsigned Registers, unsigned Selem>
bool load_multiple(Emitter& e, bool Q, u32 size, Reg Rn, Reg Rt, Value& base) {
  if (size == 3 && !Q && Selem != 1) return e.unallocated(), false;
  Shape s{size, Q ? 16u : 8u, base_hint(Rn)};
  base = base_address(e, Rn);
  Vectors m = load_all<Registers>(e, base, s);
  Vectors v = deinterleave(e, m, Selem, s);
  for (unsigned k = 0; k < Registers; k++) e.V(register_at(Rt, k), v[k]);
  return true;
}
template <unsigned Registers, unsigned Selem>
bool store_multiple(Emitter& e, bool Q, u32 size, Reg Rn, Reg Rt, Value& base) {
  if (size == 3 && !Q && Selem != 1) return e.unallocated(), false;
  Shape s{size, Q ? 16u : 8u, base_hint(Rn)};
  base = base_address(e, Rn);
  Vectors v;
  for (unsigned k = 0; k < Registers; k++) v[k] = e.V(register_at(Rt, k));
  Vectors m = interleave(e, v, Selem, s);
  store_all<Registers>(e, base, m, s);
  return true;
}

template <unsigned Registers, unsigned Selem>
void LD(Emitter& e, bool Q, Imm<2> size, Reg Rn, Reg Rt) {
  Value base;
  load_multiple<Registers, Selem>(e, Q, size, Rn, Rt, base);
}
template <unsigned Registers, unsigned Selem>
void LD_post(Emitter& e, bool Q, Reg Rm, Imm<2> size, Reg Rn, Reg Rt) {
  Value base;
  if (load_multiple<Registers, Selem>(e, Q, size, Rn, Rt, base))
    post_index(e, Rn, Rm, base, Registers * (Q ? 16 : 8));
}
template <unsigned Registers, unsigned Selem>
void ST(Emitter& e, bool Q, Imm<2> size, Reg Rn, Reg Rt) {
  Value base;
  store_multiple<Registers, Selem>(e, Q, size, Rn, Rt, base);
}
template <unsigned Registers, unsigned Selem>
void ST_post(Emitter& e, bool Q, Reg Rm, Imm<2> size, Reg Rn, Reg Rt) {
  Value base;
  if (store_multiple<Registers, Selem>(e, Q, size, Rn, Rt, base))
    post_index(e, Rn, Rm, base, Registers * (Q ? 16 : 8));
}

// --- Single structure: one lane of each register ---

struct Lane {
  unsigned esize, index;
};
// scale is opcode<2:1>: which of Q:S:size are the index and which must be zero. False: UNDEFINED.
bool decode_lane(bool Q, u32 scale, bool S, u32 size, Lane& lane) {
  u32 qs = u32(Q) << 1 | u32(S);
  switch (scale) {
    case 0: lane = {0, qs << 2 | size}; return true;
    case 1: lane = {1, qs << 1 | size >> 1}; return !(size & 1);
    case 2:
      if (size & 2) return false;
      lane = size & 1 ? Lane{3, u32(Q)} : Lane{2, qs};
      return !((size & 1) && S);
    default: return false;
  }
}

void load_lane(Emitter& e, unsigned selem, Lane lane, Reg Rn, Reg Rt, Value& base) {
  base = base_address(e, Rn);
  Vectors v;
  for (unsigned k = 0; k < selem; k++)
    v[k] = load(e, Type::I64, displaced(e, base, u64{k} << lane.esize), {.log2_size = u8(lane.esize)});
  for (unsigned k = 0; k < selem; k++) {
    Reg t = register_at(Rt, k);
    e.V(t, e.ir.emit(Op::VInsert, Type::V128, {e.V(t), v[k]}, lane.index, u8(lane.esize)));
  }
}
void store_lane(Emitter& e, unsigned selem, Lane lane, Reg Rn, Reg Rt, Value& base) {
  base = base_address(e, Rn);
  for (unsigned k = 0; k < selem; k++) {
    Value element = e.ir.emit(Op::VLane, Type::I64, {e.V(register_at(Rt, k))}, lane.index, u8(lane.esize));
    store(e, displaced(e, base, u64{k} << lane.esize), element, {.log2_size = u8(lane.esize)});
  }
}
template <bool Load, unsigned Selem>
void single(Emitter& e, bool Q, Imm<2> scale, bool S, Imm<2> size, Reg Rn, Reg Rt) {
  Lane lane;
  if (!decode_lane(Q, scale, S, size, lane)) return e.unallocated();
  Value base;
  (Load ? load_lane : store_lane)(e, Selem, lane, Rn, Rt, base);
}
template <bool Load, unsigned Selem>
void single_post(Emitter& e, bool Q, Reg Rm, Imm<2> scale, bool S, Imm<2> size, Reg Rn, Reg Rt) {
  Lane lane;
  if (!decode_lane(Q, scale, S, size, lane)) return e.unallocated();
  Value base;
  (Load ? load_lane : store_lane)(e, Selem, lane, Rn, Rt, base);
  post_index(e, Rn, Rm, base, Selem << lane.esize);
}

Value load_replicated(Emitter& e, unsigned selem, bool Q, u32 size, Reg Rn, Reg Rt) {
  Value base = base_address(e, Rn);
  Vectors v;
  for (unsigned k = 0; k < selem; k++)
    v[k] = load(e, Type::I64, displaced(e, base, u64{k} << size), {.log2_size = u8(size)});
  for (unsigned k = 0; k < selem; k++) {
    Value all = e.ir.emit(Op::VDup, Type::V128, {v[k]}, 0, u8(size));
    e.V(register_at(Rt, k), Q ? all : e.ir.emit(Op::VZeroUpper, Type::V128, {all}));
  }
  return base;
}
template <unsigned Selem>
void LDR(Emitter& e, bool Q, Imm<2> size, Reg Rn, Reg Rt) {
  load_replicated(e, Selem, Q, size, Rn, Rt);
}
template <unsigned Selem>
void LDR_post(Emitter& e, bool Q, Reg Rm, Imm<2> size, Reg Rn, Reg Rt) {
  post_index(e, Rn, Rm, load_replicated(e, Selem, Q, size, Rn, Rt), Selem << size);
}

constexpr Insn kRows[] = {
    insn<"0 Q 0011000 0 000000 0000 size:2 Rn:5 Rt:5", ST<4, 4>>("ST4", ""),
    insn<"0 Q 0011000 0 000000 0010 size:2 Rn:5 Rt:5", ST<4, 1>>("ST1", ""),
    insn<"0 Q 0011000 0 000000 0100 size:2 Rn:5 Rt:5", ST<3, 3>>("ST3", ""),
    insn<"0 Q 0011000 0 000000 0110 size:2 Rn:5 Rt:5", ST<3, 1>>("ST1", ""),
    insn<"0 Q 0011000 0 000000 0111 size:2 Rn:5 Rt:5", ST<1, 1>>("ST1", ""),
    insn<"0 Q 0011000 0 000000 1000 size:2 Rn:5 Rt:5", ST<2, 2>>("ST2", ""),
    insn<"0 Q 0011000 0 000000 1010 size:2 Rn:5 Rt:5", ST<2, 1>>("ST1", ""),
    insn<"0 Q 0011000 1 000000 0000 size:2 Rn:5 Rt:5", LD<4, 4>>("LD4", ""),
    insn<"0 Q 0011000 1 000000 0010 size:2 Rn:5 Rt:5", LD<4, 1>>("LD1", ""),
    insn<"0 Q 0011000 1 000000 0100 size:2 Rn:5 Rt:5", LD<3, 3>>("LD3", ""),
    insn<"0 Q 0011000 1 000000 0110 size:2 Rn:5 Rt:5", LD<3, 1>>("LD1", ""),
    insn<"0 Q 0011000 1 000000 0111 size:2 Rn:5 Rt:5", LD<1, 1>>("LD1", ""),
    insn<"0 Q 0011000 1 000000 1000 size:2 Rn:5 Rt:5", LD<2, 2>>("LD2", ""),
    insn<"0 Q 0011000 1 000000 1010 size:2 Rn:5 Rt:5", LD<2, 1>>("LD1", ""),
    insn<"0 Q 0011001 0 0 Rm:5 0000 size:2 Rn:5 Rt:5", ST_post<4, 4>>("ST4", ""),
    insn<"0 Q 0011001 0 0 Rm:5 0010 size:2 Rn:5 Rt:5", ST_post<4, 1>>("ST1", ""),
    insn<"0 Q 0011001 0 0 Rm:5 0100 size:2 Rn:5 Rt:5", ST_post<3, 3>>("ST3", ""),
    insn<"0 Q 0011001 0 0 Rm:5 0110 size:2 Rn:5 Rt:5", ST_post<3, 1>>("ST1", ""),
    insn<"0 Q 0011001 0 0 Rm:5 0111 size:2 Rn:5 Rt:5", ST_post<1, 1>>("ST1", ""),
    insn<"0 Q 0011001 0 0 Rm:5 1000 size:2 Rn:5 Rt:5", ST_post<2, 2>>("ST2", ""),
    insn<"0 Q 0011001 0 0 Rm:5 1010 size:2 Rn:5 Rt:5", ST_post<2, 1>>("ST1", ""),
    insn<"0 Q 0011001 1 0 Rm:5 0000 size:2 Rn:5 Rt:5", LD_post<4, 4>>("LD4", ""),
    insn<"0 Q 0011001 1 0 Rm:5 0010 size:2 Rn:5 Rt:5", LD_post<4, 1>>("LD1", ""),
    insn<"0 Q 0011001 1 0 Rm:5 0100 size:2 Rn:5 Rt:5", LD_post<3, 3>>("LD3", ""),
    insn<"0 Q 0011001 1 0 Rm:5 0110 size:2 Rn:5 Rt:5", LD_post<3, 1>>("LD1", ""),
    insn<"0 Q 0011001 1 0 Rm:5 0111 size:2 Rn:5 Rt:5", LD_post<1, 1>>("LD1", ""),
    insn<"0 Q 0011001 1 0 Rm:5 1000 size:2 Rn:5 Rt:5", LD_post<2, 2>>("LD2", ""),
    insn<"0 Q 0011001 1 0 Rm:5 1010 size:2 Rn:5 Rt:5", LD_post<2, 1>>("LD1", ""),

    insn<"0 Q 0011010 00 00000 scale:2 0 S size:2 Rn:5 Rt:5", single<false, 1>>("ST1", ""),
    insn<"0 Q 0011010 01 00000 scale:2 0 S size:2 Rn:5 Rt:5", single<false, 2>>("ST2", ""),
    insn<"0 Q 0011010 00 00000 scale:2 1 S size:2 Rn:5 Rt:5", single<false, 3>>("ST3", ""),
    insn<"0 Q 0011010 01 00000 scale:2 1 S size:2 Rn:5 Rt:5", single<false, 4>>("ST4", ""),
    insn<"0 Q 0011010 10 00000 scale:2 0 S size:2 Rn:5 Rt:5", single<true, 1>>("LD1", ""),
    insn<"0 Q 0011010 11 00000 scale:2 0 S size:2 Rn:5 Rt:5", single<true, 2>>("LD2", ""),
    insn<"0 Q 0011010 10 00000 scale:2 1 S size:2 Rn:5 Rt:5", single<true, 3>>("LD3", ""),
    insn<"0 Q 0011010 11 00000 scale:2 1 S size:2 Rn:5 Rt:5", single<true, 4>>("LD4", ""),
    insn<"0 Q 0011011 00 Rm:5 scale:2 0 S size:2 Rn:5 Rt:5", single_post<false, 1>>("ST1", ""),
    insn<"0 Q 0011011 01 Rm:5 scale:2 0 S size:2 Rn:5 Rt:5", single_post<false, 2>>("ST2", ""),
    insn<"0 Q 0011011 00 Rm:5 scale:2 1 S size:2 Rn:5 Rt:5", single_post<false, 3>>("ST3", ""),
    insn<"0 Q 0011011 01 Rm:5 scale:2 1 S size:2 Rn:5 Rt:5", single_post<false, 4>>("ST4", ""),
    insn<"0 Q 0011011 10 Rm:5 scale:2 0 S size:2 Rn:5 Rt:5", single_post<true, 1>>("LD1", ""),
    insn<"0 Q 0011011 11 Rm:5 scale:2 0 S size:2 Rn:5 Rt:5", single_post<true, 2>>("LD2", ""),
    insn<"0 Q 0011011 10 Rm:5 scale:2 1 S size:2 Rn:5 Rt:5", single_post<true, 3>>("LD3", ""),
    insn<"0 Q 0011011 11 Rm:5 scale:2 1 S size:2 Rn:5 Rt:5", single_post<true, 4>>("LD4", ""),
    insn<"0 Q 0011010 10 00000 110 0 size:2 Rn:5 Rt:5", LDR<1>>("LD1R", ""),
    insn<"0 Q 0011010 11 00000 110 0 size:2 Rn:5 Rt:5", LDR<2>>("LD2R", ""),
    insn<"0 Q 0011010 10 00000 111 0 size:2 Rn:5 Rt:5", LDR<3>>("LD3R", ""),
    insn<"0 Q 0011010 11 00000 111 0 size:2 Rn:5 Rt:5", LDR<4>>("LD4R", ""),
    insn<"0 Q 0011011 10 Rm:5 110 0 size:2 Rn:5 Rt:5", LDR_post<1>>("LD1R", ""),
    insn<"0 Q 0011011 11 Rm:5 110 0 size:2 Rn:5 Rt:5", LDR_post<2>>("LD2R", ""),
    insn<"0 Q 0011011 10 Rm:5 111 0 size:2 Rn:5 Rt:5", LDR_post<3>>("LD3R", ""),
    insn<"0 Q 0011011 11 Rm:5 111 0 size:2 Rn:5 Rt:5", LDR_post<4>>("LD4R", ""),
};

}  // namespace

const Group kSimdLoadsStoresStructure{"Advanced SIMD load/store structures", kRows, true};

}  // namespace sluice::cpu::a64
