// Guest state as SSA: a GetState of a slot whose value the block knows becomes that value; a SetState that is
// overwritten before any op could look at the slot goes. Slots are compared by {offset, width}; an overlap of
// different widths forgets.
#include <algorithm>
#include <array>
#include <cstddef>

#include "tcg/exec_state.h"
#include "tcg/helper.h"
#include "tcg/ir/mem_op.h"
#include "tcg/opt/passes.h"

namespace sluice::tcg {
namespace {

using ir::Block;
using ir::Inst;
using ir::kNoValue;
using ir::Op;
using ir::Type;
using ir::ValueId;

constexpr u32 kNoInst = ~u32{0};

// What is known of one slot of guest state.
struct Slot {
  u32 offset;
  u32 bytes;
  Type type;
  ValueId value;      // the slot's contents
  u32 pending_write;  // SetState that nothing has observed yet, or kNoInst
};

class Knowledge {
 public:
  Slot* find(u32 offset, Type type) {
    for (Slot& s : slots_)
      if (s.offset == offset && s.type == type) return &s;
    return nullptr;
  }
  // Forgets what overlaps [offset, offset + bytes) but is not the same slot.
  void clobber_overlaps(u32 offset, u32 bytes, Type type) {
    std::erase_if(slots_, [&](const Slot& s) {
      bool overlaps = s.offset < offset + bytes && offset < s.offset + s.bytes;
      return overlaps && !(s.offset == offset && s.type == type);
    });
  }
  void add(const Slot& s) { slots_.push_back(s); }
  // Something may read any slot from here on (a fault, an exit, a helper).
  void observe() {
    for (Slot& s : slots_) s.pending_write = kNoInst;
  }
  void forget() { slots_.clear(); }

 private:
  std::vector<Slot> slots_;
};

bool observes_state(const Inst& i) {
  u8 p = ir::info(i.op).properties;
  return p & (ir::Memory | ir::SideExit | ir::EndsBlock);
}

}  // namespace

void eliminate_redundant_state(Block& block) {
  std::vector<ValueId> same_as(block.insts.size());
  std::vector<bool> dead(block.insts.size());
  Knowledge known;
  for (size_t n = 0; n < block.insts.size(); n++) {
    Inst& i = block.insts[n];
    same_as[n] = ValueId(n);
    for (ValueId& a : i.args)
      if (a != kNoValue) a = same_as[a];
    u32 offset = u32(i.imm), bytes = ir::bits_of(i.type) / 8;
    if (i.op == Op::GetState) {
      if (Slot* s = known.find(offset, i.type)) {
        same_as[n] = s->value;
        dead[n] = true;
        continue;
      }
      // A narrower or wider write before this read must have happened.
      known.clobber_overlaps(offset, bytes, i.type);
      known.add({offset, bytes, i.type, ValueId(n), kNoInst});
    } else if (i.op == Op::SetState) {
      known.clobber_overlaps(offset, bytes, i.type);
      if (Slot* s = known.find(offset, i.type)) {
        if (s->value == i.args[0]) {  // writes what is there already
          dead[n] = true;
          continue;
        }
        if (s->pending_write != kNoInst) dead[s->pending_write] = true;
        *s = {offset, bytes, i.type, i.args[0], u32(n)};
      } else {
        known.add({offset, bytes, i.type, i.args[0], u32(n)});
      }
    } else {
      if (observes_state(i)) known.observe();
      if (i.op == Op::StoreExclusive)  // closes the monitor
        known.clobber_overlaps(u32(offsetof(ExecState, exclusive_size)), sizeof(u32), Type::Void);
      if (ir::info(i.op).properties & ir::WritesState) known.forget();
    }
  }
  // Dead ops become unused constants; dead-code elimination closes the gaps.
  for (size_t n = 0; n < block.insts.size(); n++)
    if (dead[n]) {
      Inst& i = block.insts[n];
      i16 at = i.guest_offset;
      i = Inst{};
      i.op = Op::Const, i.type = Type::I32, i.guest_offset = at;
    }
}

}  // namespace sluice::tcg
