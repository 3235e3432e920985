#include <fmt/format.h>

#include "tcg/helper.h"
#include "tcg/ir/block.h"
#include "tcg/ir/mem_op.h"

namespace sluice::tcg::ir {
namespace {

bool carries_mem_op(Op op) {
  switch (op) {
    case Op::Load:
    case Op::LoadVec:
    case Op::Store:
    case Op::StoreVec:
    case Op::AtomicRmw:
    case Op::CompareSwap:
    case Op::StoreExclusive:
    case Op::ZeroBlock: return true;
    default: return false;
  }
}
bool carries_helper(Op op) { return op == Op::Call || op == Op::LeaveIfNonZero; }

std::string mem_op_text(MemOp m) {
  std::string s = fmt::format("{}", 8u << m.log2_size);
  if (m.sign_extend) s += ".signed";
  if (m.unprivileged) s += ".unprivileged";
  if (m.aligned) s += ".aligned";
  if (m.acquire) s += ".acquire";
  if (m.release) s += ".release";
  if (m.as_write) s += ".as_write";
  if (m.with_next) s += ".with_next";
  if (m.behind) s += ".behind";
  if (m.base) s += fmt::format(".base{}", m.base - 1);
  if (m.displacement) s += fmt::format(" {:+}", m.displacement);
  return s;
}

std::string details(const Inst& i) {
  std::string s;
  if (carries_mem_op(i.op))
    s += " " + mem_op_text(MemOp::unpack(i.imm));
  else if (carries_helper(i.op))
    s += std::string(" ") + reinterpret_cast<const Helper*>(i.imm)->name;
  else if (i.imm || i.op == Op::Const || i.op == Op::GetState || i.op == Op::SetState || i.op == Op::Label)
    s += fmt::format(" #{:#x}", i.imm);
  if (i.esize) s += fmt::format(" esize={}", 8u << i.esize);
  if (i.aux && i.op != Op::Call) s += fmt::format(" aux={}", i.aux);
  return s;
}

}  // namespace

std::string print(const Block& block) {
  std::string s =
      fmt::format("block pc={:#x} mode={:#x} insns={}\n", block.pc, block.mode, block.guest_insns);
  int last_offset = -1;
  for (size_t n = 0; n < block.insts.size(); n++) {
    const Inst& i = block.insts[n];
    if (i.guest_offset != last_offset) s += fmt::format(" {:#x}:\n", block.pc_of(i));
    last_offset = i.guest_offset;
    bool has_result = info(i.op).result != 'N';
    s += has_result ? fmt::format("  %{} = {}.{}", n, info(i.op).name, name_of(i.type))
                    : fmt::format("  {}.{}", info(i.op).name, name_of(i.type));
    bool first = true;
    for (ValueId a : i.args) {
      if (a == kNoValue) continue;
      s += fmt::format("{}%{}", first ? " " : ", ", a);
      first = false;
    }
    s += details(i) + "\n";
  }
  return s;
}

namespace {

bool type_matches(char want, Type have, Type polymorphic) {
  switch (want) {
    case 't': return have == polymorphic && (have == Type::I32 || have == Type::I64);
    case 'w': return have == Type::I32;
    case 'x': return have == Type::I64;
    case 'f': return have == Type::Flags;
    case 'v': return have == Type::V128;
    default: return have != Type::Void;
  }
}

bool result_matches(const Inst& i, char want) {
  switch (want) {
    case 'T':
      return i.type == Type::I32 || i.type == Type::I64 || (i.op == Op::Const && i.type == Type::Flags);
    case 'W': return i.type == Type::I32;
    case 'X': return i.type == Type::I64;
    case 'F': return i.type == Type::Flags;
    case 'V': return i.type == Type::V128;
    default: return true;
  }
}

// The type that 't' stands for: the result's where the row says 'T', else the first 't' operand's own.
Type polymorphic_type(const Block& block, const Inst& i) {
  if (info(i.op).result == 'T' && info(i.op).operands != "x") return i.type;
  size_t first = info(i.op).operands.find('t');
  if (first == std::string_view::npos || i.args[first] == kNoValue) return i.type;
  return block.insts[i.args[first]].type;
}

// An access that says with_next has its other half behind it, and the other way round.
bool pairs_up(const Block& block, size_t n) {
  const Inst& i = block.insts[n];
  MemOp op = MemOp::unpack(i.imm);
  if (op.with_next == op.behind) return !op.behind;
  size_t other = op.with_next ? n + 1 : n - 1;
  if (other >= block.insts.size()) return false;
  const Inst& o = block.insts[other];
  MemOp wanted = op;
  std::swap(wanted.with_next, wanted.behind);
  return o.op == i.op && o.type == i.type && o.args[0] == i.args[0] && MemOp::unpack(o.imm) == wanted;
}

// `segment`: the first op behind the latest Label.
std::string check(const Block& block, size_t n, size_t segment) {
  const Inst& i = block.insts[n];
  const OpInfo& row = info(i.op);
  auto wrong = [&](std::string_view what) { return fmt::format("%{} {}: {}", n, row.name, what); };
  if (!result_matches(i, row.result)) return wrong("result type");
  bool variadic = row.operands == "...";
  size_t count = variadic ? i.aux : row.operands.size();
  Type poly = polymorphic_type(block, i);
  for (size_t k = 0; k < 4; k++) {
    if (k >= count) {
      if (i.args[k] != kNoValue) return wrong("too many operands");
      continue;
    }
    if (i.args[k] == kNoValue) return wrong("operand missing");
    if (i.args[k] >= n) return wrong("operand is not defined yet");
    if (i.args[k] < segment) return wrong("operand from before a Label");
    const Inst& def = block.insts[i.args[k]];
    if (info(def.op).result == 'N') return wrong("operand has no value");
    if (!type_matches(variadic ? 'x' : row.operands[k], def.type, poly)) return wrong("operand type");
  }
  if (carries_mem_op(i.op) && !pairs_up(block, n)) return wrong("half of a pair");
  bool last = n + 1 == block.insts.size() || block.insts[n + 1].op == Op::Label;
  if (bool(row.properties & EndsBlock) != last)
    return wrong(last ? "block does not end" : "op after the end");
  return "";
}

}  // namespace

std::string verify(const Block& block) {
  if (block.insts.empty()) return "empty block";
  size_t segment = 0;
  for (size_t n = 0; n < block.insts.size(); n++) {
    if (block.insts[n].op == Op::Label) segment = n;
    if (block.insts[n].op == Op::Label && !block.is_region) return "Label outside a region";
    if (std::string wrong = check(block, n, segment); !wrong.empty()) return wrong;
  }
  return "";
}

}  // namespace sluice::tcg::ir
