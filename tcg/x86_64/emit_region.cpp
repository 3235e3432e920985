// Regions: blocks with loops inside (tcg/ir/block.h), whose hottest slots of guest state are in host
// registers (pins.h). An exit to a Label is a jump; every other way out stores what is pinned first.
#include <algorithm>

#include "tcg/x86_64/compiler.h"

namespace sluice::tcg::x86_64 {

using asmjit::imm;

void Compiler::start_region() {
  const auto& insts = block_->insts;
  for (size_t n = 0; n < insts.size(); n++) {
    if (insts[n].op != Op::Label) continue;
    auto jumps_here = [&](const Inst& i) { return ir::is_direct_exit(i.op) && i.imm == insts[n].imm; };
    bool is_loop = insts[n].aux || std::any_of(insts.begin() + long(n), insts.end(), jumps_here);
    labels_.push_back({insts[n].imm, a.newLabel(), insts[n].aux, is_loop});
  }
  store_pins_ = a.newLabel();
  regs.load_pins();
}

// Behind the cold code, for its sake.
void Compiler::end_region() {
  a.bind(store_pins_);
  regs.store_pins();
  a.ret();
}

const Compiler::RegionLabel* Compiler::label_of(u64 target) const {
  for (const RegionLabel& l : labels_)
    if (l.pc == target) return &l;
  return nullptr;
}

// For cold code, where size counts more than time.
void Compiler::store_pins_out_of_line() {
  if (!regs.pins().empty()) a.call(store_pins_);
}

// RCX holds the address that a return goes to: the callers inside the region are known.
void Compiler::return_inside() {
  for (const RegionLabel& l : labels_) {
    if (!(l.kind & ir::LabelKind::kReturnSite)) continue;
    a.mov(x86::rax, imm(l.pc));
    a.cmp(x86::rcx, x86::rax);
    a.je(l.label);
  }
}

// RCX holds the address that an indirect branch goes to: the places inside that are known to be branched to
// are in a table by address. Clobbers RAX and RDX.
void Compiler::branch_inside() {
  auto is_target = [](const RegionLabel& l) { return (l.kind & ir::LabelKind::kIndirectTarget) != 0; };
  auto first = std::ranges::find_if(labels_, is_target);
  if (first == labels_.end()) return;
  u64 low = ~u64{0}, high = 0;
  for (const RegionLabel& l : labels_)
    if (is_target(l)) low = std::min(low, l.pc), high = std::max(high, l.pc);
  const Label table = a.newLabel(), outside = a.newLabel();
  a.mov(x86::rdx, imm(low));
  a.mov(x86::rax, x86::rcx);
  a.sub(x86::rax, x86::rdx);
  a.cmp(x86::rax, imm(high - low));
  a.ja(outside);
  a.test(x86::al, imm(3));
  a.jnz(outside);
  a.lea(x86::rdx, x86::ptr(table));
  a.jmp(x86::ptr(x86::rdx, x86::rax, 1, 0, 8));  // 4 bytes of code have 8 in the table
  static_assert(sizeof(u64) == 2 * 4);
  a.bind(outside);
  cold([=, this] {
    a.align(asmjit::AlignMode::kData, 8);
    a.bind(table);
    for (u64 pc = low; pc <= high; pc += 4) {
      const RegionLabel* l = label_of(pc);
      a.embedLabel(l && is_target(*l) ? l->label : outside);
    }
  });
}

void Compiler::emit_Label(const Inst& i) {
  const RegionLabel& l = *label_of(i.imm);
  regs.at_label();
  host_flags_ = kNoValue;
  a.bind(l.label);
  if (l.is_loop) poll(i.imm);
}

}  // namespace sluice::tcg::x86_64
