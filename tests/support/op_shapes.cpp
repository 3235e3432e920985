#include "tests/support/op_shapes.h"

#include <initializer_list>

#include "tcg/ir/fp_conversion.h"

namespace sluice::test {
namespace {

using tcg::ir::FpConversion;
using tcg::ir::Op;
using Shapes = std::vector<OpShape>;

constexpr unsigned kB = 1, kH = 2, kS = 4, kD = 8, kBHS = 7, kHS = 6, kAll = 15;

template <class F>
Shapes for_sizes(unsigned sizes, F&& f) {
  Shapes shapes;
  for (u8 esize = 0; esize < 4; esize++)
    if (sizes >> esize & 1) f(shapes, esize);
  return shapes;
}
Shapes plain(unsigned sizes) {
  return for_sizes(sizes, [](Shapes& s, u8 esize) { s.push_back({esize}); });
}
Shapes with_immediates(unsigned sizes, std::initializer_list<u64> imms) {
  return for_sizes(sizes, [&](Shapes& s, u8 esize) {
    for (u64 imm : imms) s.push_back({esize, imm});
  });
}
// first..last bits of the lane.
Shapes amounts(unsigned sizes, unsigned first, bool including_all) {
  return for_sizes(sizes, [&](Shapes& s, u8 esize) {
    for (unsigned n = first; n < (8u << esize) + including_all; n++) s.push_back({esize, n});
  });
}
// The lanes of 128 bits, of 64 bits, and one.
Shapes counted(unsigned sizes, std::initializer_list<u64> imms = {0}) {
  return for_sizes(sizes, [&](Shapes& s, u8 esize) {
    for (u64 imm : imms)
      for (unsigned bytes : {16u, 8u, 1u << esize}) s.push_back({esize, imm, u8(bytes >> esize)});
  });
}
// Two lanes at least.
Shapes pairs(unsigned sizes) {
  return for_sizes(sizes, [](Shapes& s, u8 esize) {
    s.push_back({esize, 0, u8(16 >> esize)});
    if (esize < 3) s.push_back({esize, 0, u8(8 >> esize)});
  });
}
Shapes across_fp() {
  Shapes s = pairs(kH | kS | kD);
  s.push_back({1, 0, 2});
  return s;
}
Shapes halves(unsigned sizes) {  // lanes of half a vector, and one
  return for_sizes(sizes, [](Shapes& s, u8 esize) {
    for (u64 imm : {0, 1})
      for (unsigned count : {8u >> esize, 1u})
        if (imm == 0 || count > 1) s.push_back({esize, imm, u8(count)});
  });
}
Shapes permutes() {
  return for_sizes(kAll, [](Shapes& s, u8 esize) {
    for (u8 bytes : {16, 8})
      if (esize < 3 || bytes == 16) s.push_back({esize, 0, bytes});
  });
}
Shapes lanes(bool of_two) {
  return for_sizes(kAll, [&](Shapes& s, u8 esize) {
    const unsigned count = 16u >> esize;
    for (unsigned to = 0; to < count; to++)
      for (unsigned from = 0; from < (of_two ? count : 1); from++) s.push_back({esize, to | from << 8});
  });
}
Shapes fp_conversions(bool fixed_point, bool of_integers_in_x) {
  return for_sizes(kHS | kD, [&](Shapes& s, u8 esize) {
    for (u8 size : {u8(32), u8(64)})
      for (bool is_unsigned : {false, true})
        for (u8 fbits : {u8(0), u8(1), u8(13), u8(8u << esize)})
          for (u8 rounding : {u8(0), u8(1), u8(2), u8(3), FpConversion::kTieAway, FpConversion::kFpcr}) {
            if (!of_integers_in_x && size == 32) continue;
            if (rounding != (fixed_point ? 3 : FpConversion::kFpcr) && (fbits || !fixed_point)) continue;
            FpConversion c{.rounding = rounding, .is_unsigned = is_unsigned, .fbits = fbits, .size = size};
            if (of_integers_in_x && fbits > size) continue;
            if (of_integers_in_x) {
              s.push_back({esize, c.pack(), 1});
              continue;
            }
            for (unsigned bytes : {16u, 8u, 1u << esize}) s.push_back({esize, c.pack(), u8(bytes >> esize)});
          }
  });
}
Shapes round_int() {
  return for_sizes(kHS | kD, [](Shapes& s, u8 esize) {
    for (u8 rounding : {u8(0), u8(1), u8(2), u8(3), FpConversion::kTieAway, FpConversion::kFpcr})
      for (bool exact : {false, true}) {
        if (exact && rounding != FpConversion::kFpcr) continue;
        for (unsigned bytes : {16u, 8u, 1u << esize})
          s.push_back({esize, FpConversion{.rounding = rounding, .exact = exact}.pack(), u8(bytes >> esize)});
      }
  });
}
Shapes round_int_sized() {
  return for_sizes(kS | kD, [](Shapes& s, u8 esize) {
    for (u8 rounding : {u8(3), FpConversion::kFpcr})
      for (u8 size : {u8(32), u8(64)})
        for (unsigned bytes : {16u, 8u, 1u << esize})
          s.push_back({esize, FpConversion{.rounding = rounding, .size = size}.pack(), u8(bytes >> esize)});
  });
}
Shapes convert() {
  Shapes s;
  for (u8 from = 1; from < 4; from++)
    for (u64 to = 1; to < 4; to++) {
      if (to == from) continue;
      s.push_back({from, to, 1});
      if (to + 1 != from && from + 1u != to) continue;  // vectors: to the neighbour only
      const u8 count = to < from ? u8(16 >> from) : u8(16 >> to);
      s.push_back({from, to, count});
      if (to > from) s.push_back({from, to | 4, count});
    }
  for (u8 count : {u8(1), u8(2)}) s.push_back({3, 2 | 8, count});
  return s;
}

}  // namespace

bool is_fp_op(Op op) {
  switch (op) {
#define OP(name, ...) case Op::name:
    TCG_IR_FP_OPS(OP)
#undef OP
    return true;
    default: return false;
  }
}

Shapes shapes_of(Op op) {
  switch (op) {
    case Op::VConst: return {{0, 0x123456789abcdef0}, {3, 0x123456789abcdef0}, {3, 0}, {3, ~u64{0}}};
    case Op::VSelectCondition: {
      Shapes s;
      for (u8 condition = 0; condition < 16; condition++) s.push_back({0, 0, condition});
      return s;
    }
    case Op::VLowLane:
    case Op::VAdd:
    case Op::VSub:
    case Op::VNeg:
    case Op::VAbs:
    case Op::VCmpEq:
    case Op::VCmpGtS:
    case Op::VCmpGeS:
    case Op::VCmpGtU:
    case Op::VCmpGeU:
    case Op::VCmpTest:
    case Op::VSShl:
    case Op::VUShl:
    case Op::VSRShl:
    case Op::VURShl:
    case Op::VDup: return plain(kAll);
    case Op::VMul:
    case Op::VSMax:
    case Op::VSMin:
    case Op::VUMax:
    case Op::VUMin:
    case Op::VSAbd:
    case Op::VUAbd:
    case Op::VSHAdd:
    case Op::VUHAdd:
    case Op::VSRHAdd:
    case Op::VURHAdd:
    case Op::VSHSub:
    case Op::VUHSub:
    case Op::VCountLeadingZeros:
    case Op::VCountLeadingSigns:
    case Op::VSAddPairLong:
    case Op::VUAddPairLong:
    case Op::VNarrow: return plain(kBHS);
    case Op::VReverse: {
      Shapes s;
      for (u8 esize = 0; esize < 3; esize++)
        for (u64 container = esize + 1u; container < 4; container++) s.push_back({esize, container});
      return s;
    }
    case Op::VAddPair: return pairs(kAll);
    case Op::VAddAcross: return pairs(kAll);
    case Op::VSMaxPair:
    case Op::VSMinPair:
    case Op::VUMaxPair:
    case Op::VUMinPair:
    case Op::VSMaxAcross:
    case Op::VSMinAcross:
    case Op::VUMaxAcross:
    case Op::VUMinAcross:
    case Op::VSAddAcrossLong:
    case Op::VUAddAcrossLong: return pairs(kBHS);
    case Op::VShlImm: return amounts(kAll, 0, false);
    case Op::VSShrImm:
    case Op::VUShrImm: return amounts(kAll, 0, true);
    case Op::VSRShrImm:
    case Op::VURShrImm:
    case Op::VShrInsertImm: return amounts(kAll, 1, true);
    case Op::VShlInsertImm: return amounts(kAll, 0, false);
    case Op::VSqAdd:
    case Op::VUqAdd:
    case Op::VSqSub:
    case Op::VUqSub:
    case Op::VSuqAdd:
    case Op::VUsqAdd:
    case Op::VSqAbs:
    case Op::VSqNeg:
    case Op::VSqShl:
    case Op::VUqShl:
    case Op::VSqShlu:
    case Op::VSqRShl:
    case Op::VUqRShl: return counted(kAll);
    case Op::VSqNarrow:
    case Op::VUqNarrow:
    case Op::VSqUNarrow: {
      Shapes s;
      for (u8 esize = 0; esize < 3; esize++)
        for (unsigned count : {8u >> esize, 1u}) s.push_back({esize, 0, u8(count)});
      return s;
    }
    case Op::VSqDMulHigh:
    case Op::VSqRDMulHigh:
    case Op::VSqRDMulAddHigh:
    case Op::VSqRDMulSubHigh: return counted(kHS);
    case Op::VSqDMulLong: return halves(kHS);
    case Op::VZip1:
    case Op::VZip2:
    case Op::VUzp1:
    case Op::VUzp2:
    case Op::VTrn1:
    case Op::VTrn2: return permutes();
    case Op::VExtract: {
      Shapes s;
      for (u8 bytes : {16, 8})
        for (u64 first = 0; first < bytes; first++) s.push_back({0, first, bytes});
      return s;
    }
    case Op::VTable: return with_immediates(kB, {0, 16, 32, 48});
    case Op::VDupLane:
    case Op::VInsert:
    case Op::VLane:
    case Op::VLaneSigned: return lanes(false);
    case Op::VInsertLane: return lanes(true);
    case Op::VSignExtend:
    case Op::VZeroExtend:
    case Op::VSMulLong:
    case Op::VUMulLong: return with_immediates(kBHS, {0, 1});
    case Op::VPMulLong: return with_immediates(kB | kD, {0, 1});
    case Op::VXar: {
      Shapes s;
      for (u64 amount = 0; amount < 64; amount++) s.push_back({3, amount});
      return s;
    }
    case Op::VSm3Tt: {
      Shapes s;
      for (u8 kind = 0; kind < 4; kind++)
        for (u64 lane = 0; lane < 4; lane++) s.push_back({2, lane, kind});
      return s;
    }
    case Op::FMulAdd: return counted(kHS | kD, {0, 1, 2, 3});
    case Op::FCmpGe:
    case Op::FCmpGt: return counted(kHS | kD, {0, 1});
    case Op::FAddPair:
    case Op::FMaxPair:
    case Op::FMinPair:
    case Op::FMaxNumPair:
    case Op::FMinNumPair: return pairs(kHS | kD);
    case Op::FMaxAcross:
    case Op::FMinAcross:
    case Op::FMaxNumAcross:
    case Op::FMinNumAcross: return across_fp();
    case Op::FCompare: {
      Shapes s = with_immediates(kHS | kD, {0, 1});
      for (OpShape& shape : s) shape.aux = 1;
      return s;
    }
    case Op::FCondCompare: {
      Shapes s;
      for (u8 esize = 1; esize < 4; esize++)
        for (u8 condition = 0; condition < 16; condition++)
          s.push_back({esize, u64(condition & 1) | u64{condition} << 8, condition});
      return s;
    }
    case Op::FComplexAdd: return {{1, 90, 8}, {2, 270, 4}, {3, 90, 2}, {2, 90, 2}, {1, 270, 4}};
    case Op::FComplexMulAdd: {
      Shapes s;
      for (u64 degrees : {0, 90, 180, 270}) {
        s.push_back({1, degrees, 8}), s.push_back({2, degrees, 4});
        s.push_back({3, degrees, 2}), s.push_back({2, degrees, 2});
      }
      return s;
    }
    case Op::FMulAddLong: {
      Shapes s;
      for (u64 imm = 0; imm < 4; imm++) s.push_back({2, imm, 4}), s.push_back({2, imm, 2});
      return s;
    }
    case Op::FRoundInt: return round_int();
    case Op::FRoundIntSized: return round_int_sized();
    case Op::FToFixed: return fp_conversions(true, false);
    case Op::FFromFixed: return fp_conversions(false, false);
    case Op::FToInt: return fp_conversions(true, true);
    case Op::FFromInt: return fp_conversions(false, true);
    case Op::FToIntJavaScript: return {{3, 0, 1}};
    case Op::FConvert: return convert();
    default: break;
  }
  if (is_fp_op(op)) return counted(kHS | kD);
  return {{2}};  // of bits, or of one lane size
}

}  // namespace sluice::test
