// Regions: the loops through one instruction, as far as they stay inside its page.
//
// A first look at the words finds where direct branches go. The pieces from which the head can be reached
// again are the loops; they are translated in the order of their addresses, each behind a Label. Everything
// else, calls and returns too, leaves the region.
#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "base/bits.h"
#include "cpu/a64/translate_block.h"
#include "cpu/a64/translate_instruction.h"
#include "tcg/soft_tlb.h"

namespace sluice::cpu::a64 {
namespace {

constexpr u32 kPageWords = 1024;
constexpr u32 kMaxInsns = 400;
// A loop with a helper call in fewer than so many instructions gains nothing from registers that each call
// has to store and load.
constexpr size_t kInsnsPerCall = 8;

// How an instruction passes control on, from its encoding ("Branches, Exception Generating and System
// instructions").
struct Flow {
  bool falls_through = true;
  std::optional<i32> target;  // in words from the instruction
};

Flow flow_of(u32 word) {
  auto words = [&](unsigned lsb, unsigned width) {
    return i32(sign_extend(extract(word, lsb, width), width));
  };
  if ((word & 0xfc000000) == 0x14000000) return {false, words(0, 26)};  // B
  if ((word & 0xff000010) == 0x54000000)
    return {(word & 0xe) != 0xe, words(5, 19)};                        // B.cond; AL, NV: always
  if ((word & 0x7e000000) == 0x34000000) return {true, words(5, 19)};  // CBZ, CBNZ
  if ((word & 0x7e000000) == 0x36000000) return {true, words(5, 14)};  // TBZ, TBNZ
  bool leaves = (word & 0xfc000000) == 0x94000000 ||                   // BL
                (word & 0xfe000000) == 0xd6000000 ||                   // BR, BLR, RET, ERET
                (word & 0xff000000) == 0xd4000000;                     // exceptions
  return {!leaves, std::nullopt};
}

// A piece of straight code, in words from the start of the page.
struct Piece {
  u32 first, end;
  std::array<std::optional<u32>, 2> next;
  bool in_loop = false;
};

class Finder {
 public:
  Finder(const u8* page, u32 head) : page_(page), head_(head) { follow(head); }

  // The pieces of the loops through the head, by address; none: it is in no loop. With `from_head`, without
  // the outer loops, which begin before it.
  std::vector<Piece> loops(bool from_head) const {
    std::vector<Piece> pieces = cut();
    if (from_head) std::erase_if(pieces, [&](const Piece& p) { return p.first < head_; });
    // The head is reached again from: whatever leads to a piece that does.
    for (bool changed = true; changed;) {
      changed = false;
      for (Piece& p : pieces)
        if (!p.in_loop && leads_to_loop(pieces, p)) p.in_loop = changed = true;
    }
    std::erase_if(pieces, [](const Piece& p) { return !p.in_loop; });
    bool closed = std::any_of(pieces.begin(), pieces.end(), [&](const Piece& p) { return p.first == head_; });
    return closed ? pieces : std::vector<Piece>{};
  }

 private:
  u32 word(u32 at) const { return word_at(page_ + at * 4); }
  std::optional<u32> target(u32 at, const Flow& flow) const {
    if (!flow.target) return {};
    i64 to = i64{at} + *flow.target;
    if (to < 0 || to >= kPageWords) return {};
    return u32(to);
  }

  void follow(u32 from) {
    std::vector<u32> to_do{from};
    leader_[from] = true;
    while (!to_do.empty()) {
      u32 at = to_do.back();
      to_do.pop_back();
      for (; at < kPageWords && !reached_[at]; at++) {
        reached_[at] = true;
        Flow flow = flow_of(word(at));
        if (auto to = target(at, flow)) leader_[*to] = true, to_do.push_back(*to);
        if (!flow.falls_through) break;
        if (flow.target && at + 1 < kPageWords) leader_[at + 1] = true;
      }
    }
  }

  std::vector<Piece> cut() const {
    std::vector<Piece> pieces;
    for (u32 first = 0; first < kPageWords; first++) {
      if (!leader_[first] || !reached_[first]) continue;
      Piece p{first, first, {}};
      for (bool goes_on = true; goes_on;) {
        Flow flow = flow_of(word(p.end));
        p.next[0] = target(p.end++, flow);
        if (flow.falls_through && p.end < kPageWords) p.next[1] = p.end;
        goes_on = flow.falls_through && p.end < kPageWords && !leader_[p.end];
        if (goes_on) p.next = {};
      }
      pieces.push_back(p);
    }
    return pieces;
  }

  bool leads_to_loop(const std::vector<Piece>& pieces, const Piece& p) const {
    auto good = [&](std::optional<u32> to) {
      if (!to) return false;
      if (*to == head_) return true;
      auto is_target = [&](const Piece& q) { return q.first == *to && q.in_loop; };
      return std::any_of(pieces.begin(), pieces.end(), is_target);
    };
    return good(p.next[0]) || good(p.next[1]);
  }

  const u8* page_;
  const u32 head_;
  std::array<bool, kPageWords> leader_{}, reached_{};
};

class RegionBuilder {
 public:
  RegionBuilder(tcg::ir::Block& region, const Decoder& decoder, FeatureSet features, const u8* page)
      : region_(region), decoder_(decoder), page_(page), e_(builder_, Mode{region.mode}, features) {}

  // What an indirect branch must find at the head is looked at once.
  void entry() {
    at(head());
    check_branch_target(e_);
    builder_.exit_to(region_.pc);
  }

  // False: the region has become too large.
  bool piece(const Piece& p) {
    at(p.first);
    builder_.label(e_.pc);
    for (u32 n = p.first; n < p.end && !e_.stop; n++) {
      if (region_.insts.size() + kMaxOpsPerInstruction >= tcg::ir::Block::kMaxInsts) return false;
      at(n);
      region_.guest_insns++;
      translate_instruction(e_, decoder_, false);
    }
    if (!e_.stop) builder_.exit_to(pc_of(p.end));
    e_.stop = false;
    cover(p);
    return true;
  }

 private:
  u32 head() const { return u32(region_.pc & tcg::kSoftPageMask) / 4; }
  u64 pc_of(u32 n) const { return (region_.pc & ~tcg::kSoftPageMask) + u64{n} * 4; }
  void at(u32 n) {
    e_.pc = pc_of(n);
    e_.word = word_at(page_ + n * 4);
    builder_.at(e_.pc);
  }
  void cover(const Piece& p) {
    if (p.first < head())
      region_.guest_bytes_before = std::max(region_.guest_bytes_before, (head() - p.first) * 4);
    if (p.end > head()) region_.guest_bytes = std::max(region_.guest_bytes, (p.end - head()) * 4);
  }

  tcg::ir::Block& region_;
  const Decoder& decoder_;
  const u8* page_;
  tcg::ir::Builder builder_{region_};
  Emitter e_;
};

u32 insns_of(const std::vector<Piece>& pieces) {
  u32 insns = 0;
  for (const Piece& p : pieces) insns += p.end - p.first;
  return insns;
}

bool worth_it(const tcg::ir::Block& region) {
  auto is_call = [](const tcg::ir::Inst& i) { return i.op == Op::Call; };
  size_t calls = size_t(std::count_if(region.insts.begin(), region.insts.end(), is_call));
  return calls * kInsnsPerCall <= region.guest_insns;
}

}  // namespace

bool translate_region(tcg::ir::Block& region, const Decoder& decoder, FeatureSet features, const u8* page) {
  Mode mode{region.mode};
  if (mode.get<Mode::Step>() || mode.get<Mode::Breakpoints>() || mode.get<Mode::IllegalState>()) return false;
  Finder finder(page, u32(region.pc & tcg::kSoftPageMask) / 4);
  std::vector<Piece> loops = finder.loops(false);
  if (insns_of(loops) > kMaxInsns) loops = finder.loops(true);
  if (loops.empty() || insns_of(loops) > kMaxInsns) return false;
  region.is_region = true;
  region.fp_inline = fp_may_be_inline(mode);
  RegionBuilder builder(region, decoder, features, page);
  builder.entry();
  for (const Piece& p : loops)
    if (!builder.piece(p)) return false;
  return worth_it(region);
}

}  // namespace sluice::cpu::a64
