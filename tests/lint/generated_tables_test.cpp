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
#include "tcg/x86_64/compiler.h"
#include "tests/support/op_shapes.h"

namespace sluice {
namespace {

using tcg::ir::Op;
using tcg::ir::Type;
using tcg::ir::Value;

// --- Which shapes of an op are emitted inline ---

using test::OpShape;

class Emitted {
 public:
  // Compiles a block around the op: when it contains the address of the op's meaning, it calls it.
  bool is_inline(Op op, const OpShape& shape) {
    tcg::ir::Block block;
    fill(block, op, shape);
    asmjit::CodeHolder holder;
    holder.init(asmjit::Environment::host(), u64(arena_.next()));
    asmjit::x86::Assembler assembler(&holder);
    tcg::TranslatedBlock out;
    constexpr tcg::x86_64::HostFeatures kHost{.avx2 = true, .sha = true};
    tcg::x86_64::Compiler compiler(assembler, thunks_, {.icount = false, .host = kHost, .loop_heat = 0});
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

 private:
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
  static void fill(tcg::ir::Block& block, Op op, const OpShape& shape) {
    tcg::ir::Builder ir(block);
    block.fp_inline = block.half_inline = true;
    block.guest_insns = 1;
    const tcg::ir::OpInfo& info = tcg::ir::info(op);
    std::vector<Value> args;
    for (char c : info.operands)
      args.push_back(ir.get_state(type_of(c), offset_of(type_of(c), unsigned(args.size()))));
    tcg::ir::Inst inst{op, type_of(info.result), shape.esize, shape.aux, 0, {}, shape.imm};
    std::ranges::fill(inst.args, tcg::ir::kNoValue);
    for (size_t n = 0; n < args.size(); n++) inst.args[n] = args[n].id;
    block.insts.push_back(inst);
    ir.set_state(offset_of(inst.type, 7), {tcg::ir::ValueId(block.insts.size() - 1), inst.type});
    ir.exit_to_run_loop(0);
  }

  tcg::x86_64::CodeArena arena_{1 << 20};
  tcg::x86_64::Thunks thunks_{arena_};
};

bool is_scalar(const OpShape& shape) { return shape.aux == 1; }
bool is_whole(const OpShape& shape) { return unsigned(shape.aux) << shape.esize == 16; }

// The lane sizes of the shapes that `wanted` accepts, of which all (or, for those of FP ops, some: there are
// many kinds of conversions) are inline, or are not.
template <class Wanted>
std::string lane_names(Emitted& emitted, Op op, bool inlined, bool all, const Wanted& wanted) {
  std::string text;
  for (u8 esize = 0; esize < 4; esize++) {
    size_t shapes = 0, inside = 0;
    for (const OpShape& shape : test::shapes_of(op))
      if (shape.esize == esize && wanted(shape)) shapes++, inside += emitted.is_inline(op, shape);
    if (shapes == 0 || (all ? inside == shapes : inside > 0) != inlined) continue;
    text += std::string(text.empty() ? "" : " ") + "BHSD"[esize];
  }
  return text.empty() ? "-" : text;
}

std::string op_tables() {
  Emitted emitted;
  std::ostringstream out, mixed, fp;
  std::string always, never;
  const auto any = [](const OpShape&) { return true; };
  for (Op op : test::kVectorAndFpOps) {
    const std::string name = "`" + std::string(tcg::ir::info(op).name) + "`";
    if (test::is_fp_op(op)) {
      const tcg::ir::OpInfo& info = tcg::ir::info(op);
      const bool has_lanes = info.result == 'V' && info.operands.find('x') == info.operands.npos;
      const std::string rest = lane_names(emitted, op, false, false, any);
      fp << "| " << name << " | " << lane_names(emitted, op, true, false, is_scalar) << " | "
         << (has_lanes ? lane_names(emitted, op, true, false, is_whole) : "") << " | " << rest << " |\n";
      continue;
    }
    const std::string inlined = lane_names(emitted, op, true, true, any),
                      called = lane_names(emitted, op, false, true, any);
    if (called == "-")
      always += (always.empty() ? "" : ", ") + name;
    else if (inlined == "-")
      never += (never.empty() ? "" : ", ") + name;
    else
      mixed << "| " << name << " | " << inlined << " | " << called << " |\n";
  }
  out << "Integer vector ops with an emitter for every lane size that they have: " << always << ".\n\n"
      << "By their meaning: " << never << ".\n\n| by lane size | inline | by meaning |\n|---|---|---|\n"
      << mixed.str()
      << "\n| FP op | inline, scalar | inline, whole vector | by meaning |\n|---|---|---|---|\n"
      << fp.str();
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
