// Guest state as SSA: a GetState of a slot whose value the block knows becomes that value; a SetState that is
// overwritten before any op could look at the slot goes. Slots are compared by {offset, width}; an overlap of
// different widths forgets.
#include <array>
#include <bit>
#include <cstddef>

#include "tcg/exec_state.h"
#include "tcg/helper.h"
#include "tcg/ir/mem_op.h"
#include "tcg/opt/passes.h"
#include "tcg/opt/value_map.h"

namespace sluice::tcg {
namespace {

using ir::Block;
using ir::Inst;
using ir::kNoValue;
using ir::Op;
using ir::Type;
using ir::ValueId;

// What is known of the slots of guest state. A slot of which too much would have to be kept is forgotten:
// that loses an optimisation and nothing else.
class Knowledge {
 public:
  Knowledge() { forget(); }

  // The value of exactly this slot, or kNoValue.
  ValueId find(u32 offset, Type type) const {
    unsigned n = owner_[first_granule(offset) % kGranules];
    return is_it(n, offset, type) ? slots_[n].value : kNoValue;
  }
  // A read has found this value there.
  void read(u32 offset, Type type, ValueId value) { add(offset, type, value); }
  // SetState number `inst` writes the slot. Returns the write that nobody has seen and that it replaces, or
  // kNoInst.
  size_t write(u32 offset, Type type, ValueId value, size_t inst) {
    unsigned n = owner_[first_granule(offset) % kGranules];
    size_t unseen = is_it(n, offset, type) && pending_ >> n & 1 ? slots_[n].write : kNoInst;
    n = is_it(n, offset, type) ? n : add(offset, type, value);
    slots_[n].value = value, slots_[n].write = inst;
    pending_ |= u64{1} << n;
    return unseen;
  }
  // Something may read any slot from here on (a fault, an exit, a helper).
  void observe() { pending_ = 0; }
  void forget() {
    owner_.fill(kNobody);
    pending_ = 0;
    live_ = 0;
  }
  // Of what overlaps this slot only.
  void forget(u32 offset, Type type) {
    for (u32 g = first_granule(offset); g <= last_granule(offset, type); g++)
      if (u8 n = owner_[g % kGranules]; n != kNobody) drop(n);
  }
  static constexpr size_t kNoInst = ~size_t{0};

 private:
  struct Slot {
    u32 offset;
    Type type;
    ValueId value;  // the slot's contents
    size_t write;   // the SetState, while it is pending
  };
  static constexpr unsigned kSlots = 64, kGranules = 512;
  static constexpr u8 kNobody = 0xff;
  static u32 first_granule(u32 offset) { return offset / 4; }
  static u32 last_granule(u32 offset, Type type) { return (offset + ir::bits_of(type) / 8 - 1) / 4; }

  bool is_it(unsigned n, u32 offset, Type type) const {
    return n != kNobody && slots_[n].offset == offset && slots_[n].type == type;
  }
  void drop(unsigned n) {
    const Slot& s = slots_[n];
    for (u32 g = first_granule(s.offset); g <= last_granule(s.offset, s.type); g++)
      if (owner_[g % kGranules] == n) owner_[g % kGranules] = kNobody;
    live_ &= ~(u64{1} << n), pending_ &= ~(u64{1} << n);
  }
  // Whatever overlaps it goes: a narrower or wider access. (So does what only shares an entry of owner_.)
  unsigned add(u32 offset, Type type, ValueId value) {
    forget(offset, type);
    if (live_ == ~u64{0}) forget();
    unsigned n = unsigned(std::countr_one(live_));
    live_ |= u64{1} << n;
    slots_[n] = {offset, type, value, kNoInst};
    for (u32 g = first_granule(offset); g <= last_granule(offset, type); g++) owner_[g % kGranules] = u8(n);
    return n;
  }

  Slot slots_[kSlots];
  u64 live_ = 0, pending_ = 0;
  std::array<u8, kGranules> owner_;  // of 4 bytes of state, by their number: the slot that they are part of
};

bool observes_state(const Inst& i) {
  u8 p = ir::info(i.op).properties;
  return p & (ir::Memory | ir::SideExit | ir::EndsBlock);
}

}  // namespace

void eliminate_redundant_state(Block& block) {
  ValueMap same_as(block);
  Knowledge known;
  // A dead op becomes an unused constant; dead-code elimination closes the gaps.
  auto kill = [&](size_t n) {
    Inst dead;
    dead.op = Op::Const, dead.type = Type::I32, dead.guest_offset = block.insts[n].guest_offset;
    block.insts[n] = dead;
  };
  for (size_t n = 0; n < block.insts.size(); n++) {
    Inst& i = block.insts[n];
    same_as[n] = ValueId(n);
    same_as.apply_to(i);
    u32 offset = u32(i.imm);
    if (i.op == Op::GetState) {
      ValueId value = known.find(offset, i.type);
      if (value == kNoValue) {
        known.read(offset, i.type, ValueId(n));
        continue;
      }
      same_as[n] = value;
      kill(n);
    } else if (i.op == Op::SetState) {
      if (known.find(offset, i.type) == i.args[0]) {  // writes what is there already
        kill(n);
        continue;
      }
      size_t unseen = known.write(offset, i.type, i.args[0], n);
      if (unseen != Knowledge::kNoInst) kill(unseen);
    } else {
      if (observes_state(i)) known.observe();
      if (i.op == Op::StoreExclusive)  // closes the monitor
        known.forget(u32(offsetof(ExecState, exclusive_size)), Type::I32);
      if (ir::info(i.op).properties & ir::WritesState) known.forget();
    }
  }
}

}  // namespace sluice::tcg
