#include "tcg/x86_64/pins.h"

#include <algorithm>

#include "tcg/exec_state.h"

namespace sluice::tcg::x86_64 {
namespace {

using ir::Block;
using ir::Inst;
using ir::Op;
using ir::Type;

// RAX, RCX and RDX are wanted by instructions; RSI, RDI and R8 stay for temporaries, so that the slow paths,
// which use memory operands, always find enough.
constexpr u8 kGpPins[] = {3, 12, 13, 14, 9, 10, 11};
constexpr u8 kXmmPins[] = {14, 13, 12, 11, 10, 9, 8, 7};
constexpr size_t kFewXmmPins = 4;

// The guest's registers begin right behind the last member, in what would be padding.
constexpr size_t kExecStateEnd = offsetof(ExecState, probe) + sizeof(ExecState::probe);

struct Candidate {
  u32 offset;
  Type type;
  u64 reads, writes;  // the deeper in loops, the more
  bool fits;          // every access is of this slot as a whole
  // What is read comes from before: from the turn before, mostly, through memory that somebody waits for.
  // What is only written costs a store that nobody waits for.
  u64 weight() const { return reads ? 2 * (reads + writes) : writes; }
};

// Ops that hold many registers at once: table look-ups, and shifts of small lanes by registers, which the
// host does in larger ones.
bool needs_many_registers(const Inst& i) {
  switch (i.op) {
    case Op::VTable: return true;
    case Op::VSShl:
    case Op::VUShl:
    case Op::VSRShl:
    case Op::VURShl: return i.esize < 2;
    default: return false;
  }
}

u32 bytes_of(Type t) { return ir::bits_of(t) / 8; }

// How deep in loops each op is: a jump back to a Label spans a loop.
std::vector<u8> loop_depths(const Block& block) {
  std::vector<u8> depth(block.insts.size());
  for (size_t at = 0; at < block.insts.size(); at++) {
    const Inst& label = block.insts[at];
    if (label.op != Op::Label) continue;
    size_t last = at;
    for (size_t n = at; n < block.insts.size(); n++)
      if (ir::is_direct_exit(block.insts[n].op) && block.insts[n].imm == label.imm) last = n;
    for (size_t n = at; last > at && n <= last; n++) depth[n]++;
  }
  return depth;
}

std::vector<Candidate> candidates(const Block& block) {
  std::vector<Candidate> all;
  std::vector<u8> depth = loop_depths(block);
  for (size_t n = 0; n < block.insts.size(); n++) {
    const Inst& i = block.insts[n];
    if (i.op != Op::GetState && i.op != Op::SetState) continue;
    u32 offset = u32(i.imm);
    u64 weight = u64{1} << 3 * std::min<u8>(depth[n], 8);
    bool write = i.op == Op::SetState, known = false;
    // The slots of the execution state itself are looked at by translated code and by the run loop.
    bool fits = offset >= kExecStateEnd && (i.type == Type::I64 || i.type == Type::V128);
    for (Candidate& c : all) {
      if (c.offset == offset && c.type == i.type) {
        (write ? c.writes : c.reads) += weight, known = true;
      } else if (c.offset < offset + bytes_of(i.type) && offset < c.offset + bytes_of(c.type)) {
        c.fits = fits = false;
      }
    }
    if (!known) all.push_back({offset, i.type, write ? 0 : weight, write ? weight : 0, fits});
    // A slot that came before this overlap was found.
    if (!fits)
      for (Candidate& c : all)
        if (c.offset == offset && c.type == i.type) c.fits = false;
  }
  return all;
}

}  // namespace

void Pins::choose(const Block& block) {
  pins_.clear();
  gp_mask_ = xmm_mask_ = 0;
  if (!block.is_region) return;
  std::vector<Candidate> all = candidates(block);
  std::stable_sort(all.begin(), all.end(),
                   [](const Candidate& a, const Candidate& b) { return a.weight() > b.weight(); });
  bool many = std::any_of(block.insts.begin(), block.insts.end(), needs_many_registers);
  size_t gps = 0, xmms = 0, most_xmms = many ? kFewXmmPins : std::size(kXmmPins);
  for (const Candidate& c : all) {
    if (!c.fits) continue;
    if (c.type == Type::I64 && gps < std::size(kGpPins)) {
      pins_.push_back({c.offset, kGpPins[gps++], false, c.writes != 0});
      gp_mask_ |= 1u << pins_.back().reg;
    } else if (c.type == Type::V128 && xmms < most_xmms) {
      pins_.push_back({c.offset, kXmmPins[xmms++], true, c.writes != 0});
      xmm_mask_ |= 1u << pins_.back().reg;
    }
  }
}

}  // namespace sluice::tcg::x86_64
