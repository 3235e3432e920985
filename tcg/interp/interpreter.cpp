#include "tcg/interp/interpreter.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "tcg/flags.h"
#include "tcg/guest_memory.h"
#include "tcg/helper.h"
#include "tcg/ir/eval.h"
#include "tcg/ir/mem_op.h"

namespace sluice::tcg {
namespace {

using ir::Inst;
using ir::Op;
using ir::Type;

class Execution {
 public:
  Execution(ExecState& state, u64 pc, u32 insns, std::span<const Inst> insts, bool icount)
      : state_(state), pc_(pc), insns_(insns), insts_(insts), icount_(icount) {}
  Execution(ExecState& state, const ir::Block& region)
      : state_(state), pc_(region.pc), insns_(0), insts_(region.insts), icount_(false), is_region_(true) {}

  void run() {
    if (icount_) {
      if (state_.icount_left <= 0) return leave_at(pc_);
      state_.icount_left -= insns_;
    }
    for (next_ = 0; next_ < insts_.size();) {
      const size_t n = next_++;
      const Inst& i = insts_[n];
      if (const ir::Meaning& m = ir::meaning(i.op); m.integer)
        integer(i, m.integer, values_[n]);
      else if (m.vector)
        vector(i, m.vector, values_[n]);
      else if (!system(i, values_[n]))
        return;
    }
  }

 private:
  const Vec& arg(const Inst& i, unsigned k) const { return values_[i.args[k]]; }
  // Width of an integer op: that of its first operand where it has one (Flags ops), else its own.
  unsigned width(const Inst& i) const {
    Type t = i.args[0] == ir::kNoValue ? i.type : insts_[i.args[0]].type;
    return ir::bits_of(t) == 32 ? 32 : 64;
  }

  void integer(const Inst& i, ir::IntegerFunction f, Vec& out) const {
    u64 in[3] = {};
    for (unsigned k = 0; k < 3 && i.args[k] != ir::kNoValue; k++) in[k] = arg(i, k).lo;
    out = {ir::truncate_to(i.type, f(in[0], in[1], in[2], i.imm, width(i), i.aux)), 0};
  }

  void vector(const Inst& i, ir::VectorFunction f, Vec& out) const {
    ir::EvalFrame frame;
    for (unsigned k = 0; k < 4 && i.args[k] != ir::kNoValue; k++) frame.in[k] = arg(i, k);
    frame.imm = i.imm, frame.esize = i.esize, frame.aux = i.aux, frame.state = &state_;
    frame.bits = ir::bits_of(i.type) == 32 ? 32 : 64;
    f(frame);
    out = i.type == Type::V128 ? frame.out : Vec{ir::truncate_to(i.type, frame.out.lo), 0};
  }

  void leave_at(u64 pc) {
    state_.pc = pc;
    state_.link_site = 0;
  }
  // Instructions of the block behind `i` have not run.
  void give_back(const Inst& i) {
    if (icount_) state_.icount_left += i64(insns_) - (i.guest_offset / 4 + 1);
  }
  // `kind`: 0 for a direct exit.
  bool jump_to_label(u64 pc, u8 kind) {
    auto is_target = [&](const Inst& to) {
      return to.op == Op::Label && to.imm == pc && (!kind || (to.aux & kind));
    };
    auto to = std::ranges::find_if(insts_, is_target);
    if (to == insts_.end()) return false;
    next_ = size_t(to - insts_.begin());
    return true;
  }
  // True: the way was to a Label of this region.
  bool exit_to(const Inst& i, u64 pc) {
    const bool indirect = i.op == Op::ExitIndirect;
    const u8 kind = indirect ? ir::LabelKind::of(ir::IndirectKind(i.aux)) : 0;
    if (is_region_ && (indirect || ir::is_direct_exit(i.op)) && jump_to_label(pc, kind)) return true;
    give_back(i);
    leave_at(pc);
    return false;
  }
  bool stay(const Inst& i) {
    if (!state_.leave) return true;
    give_back(i);
    state_.link_site = 0;
    return false;
  }
  void set_pc(const Inst& i) { state_.pc = pc_ + u64(i64(i.guest_offset)); }

  bool load(const Inst& i, Vec& out) {
    set_pc(i);
    ir::MemOp op = ir::MemOp::unpack(i.imm);
    if (!read_guest(state_, op.address(arg(i, 0).lo), op, out)) return stay(i);
    if (i.op == Op::Load && op.sign_extend)
      out = {ir::truncate_to(i.type, sign_extend(out.lo, op.size() * 8)), 0};
    return true;
  }

  bool store(const Inst& i) {
    set_pc(i);
    ir::MemOp op = ir::MemOp::unpack(i.imm);
    if (!write_guest(state_, op.address(arg(i, 0).lo), op, arg(i, 1))) return stay(i);
    if (op.release) std::atomic_thread_fence(std::memory_order_seq_cst);
    return true;
  }

  bool call(const Inst& i, Vec& out) {
    const Helper& h = *reinterpret_cast<const Helper*>(i.imm);
    u64 in[3] = {};
    unsigned count = i.op == Op::Call ? i.aux : 0;
    for (unsigned k = 0; k < count; k++) in[k] = arg(i, k).lo;
    if (h.needs_pc) set_pc(i);
    out = {h.function(state_, in[0], in[1], in[2]), 0};
    return !h.may_leave || stay(i);
  }

  bool get_state(const Inst& i, Vec& out) {
    out = {};
    std::memcpy(&out, reinterpret_cast<const char*>(&state_) + i.imm, ir::bits_of(i.type) / 8);
    return true;
  }
  bool set_state(const Inst& i) {
    std::memcpy(reinterpret_cast<char*>(&state_) + i.imm, &arg(i, 0), ir::bits_of(i.type) / 8);
    return true;
  }

  bool atomic(const Inst& i, Vec& out) {
    set_pc(i);
    ir::MemOp op = ir::MemOp::unpack(i.imm);
    u64 va = op.address(arg(i, 0).lo), mask = ones(8 * op.size());
    Vec first{arg(i, 1).lo & mask, 0};
    out = {};
    bool ok = i.op == Op::StoreExclusive ? store_exclusive(state_, va, op, first, out.lo)
              : i.op == Op::AtomicRmw
                  ? atomic_rmw(state_, va, op, AtomicKind(i.aux), first.lo, out.lo)
                  : compare_exchange(state_, va, op, first, {arg(i, 2).lo & mask, 0}, out);
    return ok || stay(i);
  }

  // False: the block has been left.
  bool system(const Inst& i, Vec& out) {
    auto bit_set = [&] { return arg(i, 0).lo >> i.aux & 1; };
    switch (i.op) {
      case Op::GetState: return get_state(i, out);
      case Op::SetState: return set_state(i);
      case Op::Load:
      case Op::LoadVec: return load(i, out);
      case Op::Store:
      case Op::StoreVec: return store(i);
      case Op::AtomicRmw:
      case Op::CompareSwap:
      case Op::StoreExclusive: return atomic(i, out);
      case Op::ZeroBlock: set_pc(i); return zero_block(state_, arg(i, 0).lo, i.aux) || stay(i);
      case Op::Fence: std::atomic_thread_fence(std::memory_order_seq_cst); return true;
      case Op::Call: return call(i, out);
      case Op::LeaveIfNonZero: {
        Vec ignored;
        return arg(i, 0).lo == 0 || call(i, ignored);
      }
      case Op::ExitIf: return !condition_holds(Flags{u32(arg(i, 0).lo)}, i.aux) || exit_to(i, i.imm);
      case Op::ExitIfZero: return arg(i, 0).lo != 0 || exit_to(i, i.imm);
      case Op::ExitIfNonZero: return arg(i, 0).lo == 0 || exit_to(i, i.imm);
      case Op::ExitIfBitSet: return !bit_set() || exit_to(i, i.imm);
      case Op::ExitIfBitClear: return bit_set() || exit_to(i, i.imm);
      case Op::ExitIndirect: return exit_to(i, arg(i, 0).lo);
      case Op::Label: return !state_.attention.load(std::memory_order_relaxed) || exit_to(i, i.imm);
      default: return exit_to(i, i.imm);  // ExitTo, ExitToRunLoop
    }
  }

  ExecState& state_;
  const u64 pc_;
  const u32 insns_;
  const std::span<const Inst> insts_;
  const bool icount_, is_region_ = false;
  size_t next_ = 0;  // the op to be executed
  // Results by value number. Not initialised: every use follows its definition.
  struct Values {
    Values() {}
    Vec& operator[](size_t n) { return v[n]; }
    const Vec& operator[](size_t n) const { return v[n]; }
    union {
      Vec v[ir::Block::kMaxInsts];
    };
  } values_;
};

}  // namespace

void interpret(ExecState& state, u64 pc, u32 insns, std::span<const Inst> insts, bool icount) noexcept {
  Execution{state, pc, insns, insts, icount}.run();
}

void interpret_region(ExecState& state, const ir::Block& region) noexcept { Execution{state, region}.run(); }

}  // namespace sluice::tcg
