#include "tcg/ir/significant_bytes.h"

#include <algorithm>

#include "tcg/ir/mem_op.h"

namespace sluice::tcg::ir {
namespace {

constexpr unsigned kAll = 16;

// Ops of which `aux` lanes take part and the others are zero.
unsigned counted(const Inst& i) { return std::min(kAll, unsigned(i.aux) << i.esize); }

}  // namespace

unsigned significant_bytes(const Inst& i, const std::vector<u8>& known) {
  auto of = [&](unsigned k) { return unsigned(known[i.args[k]]); };
  switch (i.op) {
    case Op::VConst: return i.esize && i.imm ? kAll : i.imm ? 8 : 0;
    case Op::LoadVec: return 1u << MemOp::unpack(i.imm).log2_size;
    case Op::VZeroUpper: return std::min(8u, of(0));
    case Op::VLowLane: return std::min(1u << i.esize, of(0));
    case Op::VNarrow: return 8;
    case Op::VAnd: return std::min(of(0), of(1));
    case Op::VAndNot: return of(0);
    case Op::VOr:
    case Op::VXor:
    case Op::VAdd:
    case Op::VSub:
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
    case Op::VSelectCondition: return std::max(of(0), of(1));
    case Op::VMul: return std::min(of(0), of(1));
    case Op::VNeg:
    case Op::VAbs:
    case Op::VShlImm:
    case Op::VSShrImm:
    case Op::VUShrImm:
    case Op::VSRShrImm:
    case Op::VURShrImm:
    case Op::VRotateImm: {  // in whole lanes
      const unsigned lane = 1u << i.esize;
      return (of(0) + lane - 1) & ~(lane - 1);
    }
    case Op::VZip1:
    case Op::VZip2:
    case Op::VUzp1:
    case Op::VUzp2:
    case Op::VTrn1:
    case Op::VTrn2:
    case Op::VExtract: return i.aux;
    case Op::VSqAdd:
    case Op::VUqAdd:
    case Op::VSqSub:
    case Op::VUqSub:
    case Op::VSqAbs:
    case Op::VSqNeg:
    case Op::VSqNarrow:
    case Op::VUqNarrow:
    case Op::VSqUNarrow:
    case Op::VSqDMulHigh:
    case Op::VSqRDMulHigh:
    case Op::VAddPair:
    case Op::VSMaxPair:
    case Op::VSMinPair:
    case Op::VUMaxPair:
    case Op::VUMinPair:
    case Op::FNeg:
    case Op::FAbs:
    case Op::FAdd:
    case Op::FSub:
    case Op::FMul:
    case Op::FDiv:
    case Op::FSqrt:
    case Op::FMulX:
    case Op::FAbd:
    case Op::FMulAdd:
    case Op::FMax:
    case Op::FMin:
    case Op::FMaxNum:
    case Op::FMinNum:
    case Op::FRecipStep:
    case Op::FRSqrtStep:
    case Op::FCmpEq:
    case Op::FCmpGe:
    case Op::FCmpGt:
    case Op::FRoundInt:
    case Op::FToFixed:
    case Op::FFromFixed: return counted(i);
    case Op::VAddAcross:
    case Op::VSMaxAcross:
    case Op::VSMinAcross:
    case Op::VUMaxAcross:
    case Op::VUMinAcross:
    case Op::FFromInt: return 1u << i.esize;
    case Op::FConvert: return std::min(kAll, unsigned(i.aux) << (i.imm & 3));
    default: return kAll;
  }
}

std::vector<u8> significant_bytes(const Block& block) {
  std::vector<u8> known(block.insts.size(), u8(kAll));
  for (size_t n = 0; n < block.insts.size(); n++) {
    const Inst& i = block.insts[n];
    if (i.op == Op::VFromInt)
      known[n] = block.insts[i.args[0]].type == Type::I32 ? 4 : 8;
    else if (i.type == Type::V128)
      known[n] = u8(significant_bytes(i, known));
  }
  return known;
}

}  // namespace sluice::tcg::ir
