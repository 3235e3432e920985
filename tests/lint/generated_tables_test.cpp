// The tables in docs/ that are made from the code: which vector and FP ops the x86-64 back end emits inline
// (docs/translator.md) and how many instructions each group has (docs/instructions.md). A table that differs
// fails; SLUICE_UPDATE_DOCS=1 writes it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

#include "cpu/a64/decoder.h"
#include "cpu/state.h"
#include "tcg/ir/builder.h"
#include "tcg/ir/eval.h"
#include "tcg/ir/fp_conversion.h"
#include "tcg/x86_64/compiler.h"

namespace sluice {
namespace {

using tcg::ir::Op;
using tcg::ir::Type;
using tcg::ir::Value;

// --- Which shapes of an op are emitted inline ---

struct Shape {
  u8 esize;    // log2 of the lane size in bytes
  bool whole;  // all lanes of the register, or lane 0 alone
};

class Emitted {
 public:
  // With one of the immediates that the op is mostly used with.
  bool is_inline(Op op, Shape shape) {
    for (u64 immediate : immediates(op))
      if (is_inline(op, shape, immediate)) return true;
    return false;
  }

 private:
  static std::vector<u64> immediates(Op op) {
    std::string_view name = tcg::ir::info(op).name;
    if (op == Op::FConvert) return {2, 3};  // to single, to double
    if (!name.starts_with("F") || (name.find("Int") == name.npos && name.find("Fixed") == name.npos))
      return {0};
    return {tcg::ir::FpConversion{}.pack(), tcg::ir::FpConversion{.rounding = 3}.pack()};
  }
  // Compiles a block around the op: when it contains the address of the op's meaning, it calls it.
  bool is_inline(Op op, Shape shape, u64 immediate) {
    tcg::ir::Block block;
    fill(block, op, shape, immediate);
    asmjit::CodeHolder holder;
    holder.init(asmjit::Environment::host(), u64(arena_.next()));
    asmjit::x86::Assembler assembler(&holder);
    tcg::TranslatedBlock out;
    tcg::x86_64::Compiler compiler(assembler, thunks_, {.icount = false, .has_avx2 = true, .loop_heat = 0});
    compiler.compile(block, out);
    holder.flatten();
    const auto& code = holder.textSection()->buffer();
    u64 address = reinterpret_cast<u64>(tcg::ir::meaning(op).vector);
    u8 bytes[8];
    std::memcpy(bytes, &address, sizeof bytes);
    size_t significant = address >> 32 ? 8 : 4;
    return std::search(code.data(), code.data() + code.size(), bytes, bytes + significant) ==
           code.data() + code.size();
  }
  static Type type_of(char operand) {
    switch (operand) {
      case 'V':
      case 'v': return Type::V128;
      case 'F':
      case 'f': return Type::Flags;
      case 'W':
      case 'w': return Type::I32;
      default: return Type::I64;
    }
  }
  static u32 offset_of(Type type, unsigned n) {
    if (type == Type::V128) return cpu::offset_of_v(n);
    return type == Type::Flags ? u32(offsetof(cpu::PeState, nzcv)) : cpu::offset_of_x(n);
  }
  static void fill(tcg::ir::Block& block, Op op, Shape shape, u64 immediate) {
    tcg::ir::Builder ir(block);
    block.fp_inline = true;
    block.guest_insns = 1;
    const tcg::ir::OpInfo& info = tcg::ir::info(op);
    std::vector<Value> args;
    for (char c : info.operands)
      args.push_back(ir.get_state(type_of(c), offset_of(type_of(c), unsigned(args.size()))));
    u8 lanes = shape.whole ? u8(16 >> shape.esize) : 1;
    tcg::ir::Inst inst{op, type_of(info.result), shape.esize, lanes, 0, {}, immediate};
    std::ranges::fill(inst.args, tcg::ir::kNoValue);
    for (size_t n = 0; n < args.size(); n++) inst.args[n] = args[n].id;
    block.insts.push_back(inst);
    ir.set_state(offset_of(inst.type, 7), {tcg::ir::ValueId(block.insts.size() - 1), inst.type});
    ir.exit_to_run_loop(0);
  }

  tcg::x86_64::CodeArena arena_{1 << 20};
  tcg::x86_64::Thunks thunks_{arena_};
};

std::string lane_names(Emitted& emitted, Op op, bool whole, bool inlined, u8 from) {
  std::string text;
  for (u8 esize = from; esize < 4; esize++)
    if (emitted.is_inline(op, {esize, whole}) == inlined)
      text += std::string(text.empty() ? "" : " ") + "BHSD"[esize];
  return text.empty() ? "-" : text;
}

#define OP(name, ...) Op::name,
constexpr Op kVectorOps[] = {TCG_IR_VECTOR_OPS(OP)};
constexpr Op kFpOps[] = {TCG_IR_FP_OPS(OP)};
#undef OP

std::string op_tables() {
  Emitted emitted;
  std::ostringstream out;
  std::string always, never;
  std::ostringstream mixed;
  for (Op op : kVectorOps) {
    std::string name(tcg::ir::info(op).name), inlined = lane_names(emitted, op, true, true, 0);
    if (inlined == "B H S D")
      always += (always.empty() ? "`" : ", `") + name + "`";
    else if (inlined == "-")
      never += (never.empty() ? "`" : ", `") + name + "`";
    else
      mixed << "| `" << name << "` | " << inlined << " | " << lane_names(emitted, op, true, false, 0)
            << " |\n";
  }
  out << "Integer vector ops with an emitter for every lane size: " << always << ".\n\n"
      << "By their meaning: " << never << ".\n\n| by lane size | inline | by meaning |\n|---|---|---|\n"
      << mixed.str()
      << "\n| FP op | inline, scalar | inline, whole vector | by meaning |\n|---|---|---|---|\n";
  for (Op op : kFpOps) {
    std::string scalar = lane_names(emitted, op, false, true, 1),
                whole = lane_names(emitted, op, true, true, 1);
    bool has_lanes =
        tcg::ir::info(op).result == 'V' && tcg::ir::info(op).operands.find('x') == std::string_view::npos;
    if (!has_lanes) whole = "";
    std::string rest =
        scalar == "-" && (whole == "-" || !has_lanes) ? "all" : lane_names(emitted, op, false, false, 1);
    out << "| `" << tcg::ir::info(op).name << "` | " << scalar << " | " << whole << " | " << rest << " |\n";
  }
  return out.str();
}

// --- How many instructions there are ---

std::string instruction_table() {
  std::ostringstream out;
  std::set<std::string_view> all;
  size_t rows = 0;
  out << "| group | encodings | mnemonics |\n|---|---|---|\n";
  for (const cpu::a64::Group* group : cpu::a64::all_groups()) {
    std::set<std::string_view> mnemonics;
    for (const cpu::a64::Insn& insn : group->rows) mnemonics.insert(insn.mnemonic);
    all.insert(mnemonics.begin(), mnemonics.end());
    rows += group->rows.size();
    out << "| " << group->title << " | " << group->rows.size() << " | " << mnemonics.size() << " |\n";
  }
  out << "| **all** | **" << rows << "** | **" << all.size() << "** |\n";
  return out.str();
}

// --- Comparing with the document ---

void expect_in(const std::string& document, const std::string& table) {
  const std::string path = std::string(SLUICE_SOURCE_DIR) + "/" + document;
  const std::string begin = "<!-- generated -->\n", end = "<!-- end -->";
  std::ostringstream content;
  content << std::ifstream(path).rdbuf();
  std::string text = content.str();
  size_t first = text.find(begin), last = text.find(end);
  ASSERT_TRUE(first != text.npos && last != text.npos && first < last) << path << " has no generated part";
  first += begin.size();
  if (std::getenv("SLUICE_UPDATE_DOCS")) {
    std::ofstream(path) << text.replace(first, last - first, table);
    return;
  }
  EXPECT_EQ(text.substr(first, last - first), table)
      << "Write it with SLUICE_UPDATE_DOCS=1 build/tests/sluice_lint_tests";
}

TEST(GeneratedTables, TranslatorOps) { expect_in("docs/translator.md", op_tables()); }
TEST(GeneratedTables, Instructions) { expect_in("docs/instructions.md", instruction_table()); }

}  // namespace
}  // namespace sluice
