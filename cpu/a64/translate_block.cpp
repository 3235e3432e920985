// The loop around the semantics functions: what happens before each instruction whatever it is, in the order
// of the architecture's priorities (Arm DDI 0487, "Synchronous exception types and their prioritization"):
// software step, hardware breakpoint, illegal state, branch target, then the instruction's own.
#include "cpu/a64/translate_block.h"

#include "cpu/a64/translate_instruction.h"
#include "cpu/exception.h"

namespace sluice::cpu::a64 {
namespace {

bool is_breakpoint(u32 word) {  // BRK, HLT
  return (word & 0xffe0001f) == 0xd4200000 || (word & 0xffe0001f) == 0xd4400000;
}

// The values of PSTATE.BTYPE (bits 1 to 3) with which an instruction on a guarded page may be entered:
// "BTypeCompatible".
u32 accepted_btypes(u32 word, const Mode& mode, FeatureSet features) {
  constexpr u32 kJump = 1 << 1, kCall = 1 << 2, kGuardedJump = 1 << 3;
  if (is_breakpoint(word)) return kJump | kCall | kGuardedJump;
  switch (word) {
    case 0xd503245f: return kJump | kCall;                 // BTI c
    case 0xd503249f: return kJump | kGuardedJump;          // BTI j
    case 0xd50324df: return kJump | kCall | kGuardedJump;  // BTI jc
    case 0xd503233f:                                       // PACIASP
    case 0xd503237f:                                       // PACIBSP
      if (!features.has(Feature::PAuth)) return 0;
      return kJump | kCall | (mode.get<Mode::BtypeChecked>() ? 0 : kGuardedJump);
    default: return 0;
  }
}

void check_and_clear_btype(Emitter& e, u32 word) {
  constexpr u32 offset = u32(offsetof(PeState, btype)), kAll = 0b1110;
  u32 refused = e.mode.get<Mode::Guarded>() ? kAll & ~accepted_btypes(word, e.mode, e.features) : 0;
  if (refused) {
    Value btype = e.ir.get_state(Type::I32, offset);
    Value fails = e.and_(e.ir.binary(Op::Shr, e.ir.i32(refused), btype), e.ir.i32(1));
    e.ir.leave_if_nonzero(fails, kBtiFail);
  }
  if (!is_breakpoint(word)) e.ir.set_state(offset, e.ir.i32(0));  // BRK reports it
}

// True when the instruction at e.pc is not to be looked at.
bool before_instruction(Emitter& e) {
  if (e.mode.get<Mode::Step>()) e.ir.call(kSoftwareStep);
  if (e.mode.get<Mode::Breakpoints>()) e.ir.call(kBreakpointCheck);
  if (!e.mode.get<Mode::IllegalState>()) return false;
  e.call_and_stop(kIllegalState);
  return true;
}

bool ends_as_undefined(const tcg::ir::Block& block) {
  size_t n = block.insts.size();
  if (n < 2) return false;
  const tcg::ir::Inst& call = block.insts[n - 2];
  return call.op == Op::Call && call.imm == reinterpret_cast<u64>(&kUndefined);
}

// UNDEFINED comes before the trap of a disabled FP unit: the instruction is translated to see whether it is,
// and dropped.
void emit_with_fp_disabled(Emitter& e, const Insn& insn) {
  tcg::ir::Block& block = e.ir.block();
  size_t before = block.insts.size();
  insn.emit(e, e.word);
  if (e.stop && ends_as_undefined(block)) return;
  block.insts.resize(before);
  e.call_and_stop(kFpAccessTrap);
}

// An instruction that has turned out to use an enabled key (keys that are not enabled trap nothing).
void emit_with_pac_trapped(Emitter& e, const Insn& insn) {
  tcg::ir::Block& block = e.ir.block();
  size_t before = block.insts.size();
  e.authenticates = false;
  insn.emit(e, e.word);
  if (!e.authenticates) return;
  block.insts.resize(before);
  e.call_and_stop(kPacTrap);
}

}  // namespace

u32 word_at(const u8* host) {
  u32 word;
  std::memcpy(&word, host, sizeof word);
  static_assert(std::endian::native == std::endian::little);
  return word;
}

void check_branch_target(Emitter& e) {
  if (e.features.has(Feature::BTI)) check_and_clear_btype(e, e.word);
}

bool translate_instruction(Emitter& e, const Decoder& decoder, bool first) {
  if (before_instruction(e)) return false;
  if (first) check_branch_target(e);
  const Decoder::Row* row = decoder.find(e.word);
  if (!row)
    e.unallocated();
  else if (row->group->uses_fp && !e.mode.fp_enabled())
    emit_with_fp_disabled(e, *row->insn);
  else if (e.mode.get<Mode::PacTrapEl3>())
    emit_with_pac_trapped(e, *row->insn);
  else
    row->insn->emit(e, e.word);
  return true;
}

namespace {
constexpr u64 kFz = 1 << 2, kAhp = 1 << 5;  // of the FpcrMode field
}
bool fp_may_be_inline(Mode mode) { return !(mode.get<Mode::FpcrMode>() & kFz); }
bool half_may_be_inline(Mode mode) { return !(mode.get<Mode::FpcrMode>() & (kFz | kAhp)); }

void translate_block(tcg::ir::Block& block, const Decoder& decoder, FeatureSet features, CodeBytes code,
                     unsigned max_insns) {
  tcg::ir::Builder builder(block);
  Emitter e(builder, Mode{block.mode}, features);
  if (e.mode.get<Mode::Step>()) max_insns = 1;
  block.fp_inline = fp_may_be_inline(e.mode);
  block.half_inline = half_may_be_inline(e.mode);
  u32 offset = 0;
  do {
    e.pc = block.pc + offset;
    e.word = word_at(code.host + offset);
    builder.at(e.pc);
    offset += 4;
    block.guest_insns++;
    if (!translate_instruction(e, decoder, block.guest_insns == 1)) break;
  } while (!e.stop && block.guest_insns < max_insns && offset + 4 <= code.bytes &&
           block.insts.size() + kMaxOpsPerInstruction < tcg::ir::Block::kMaxInsts);
  block.guest_bytes = offset;
  if (!e.stop) builder.exit_to(block.pc + offset);
}

}  // namespace sluice::cpu::a64
