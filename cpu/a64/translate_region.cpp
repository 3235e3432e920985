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

constexpr u32 kPageWords = u32(tcg::kSoftPageSize / 4);
constexpr u32 kMaxInsns = 400;
// A return compares its address with each of them.
constexpr unsigned kMaxReturnSites = 6;
// A loop with a helper call in fewer than so many instructions gains nothing from registers that each call
// has to store and load.
constexpr size_t kInsnsPerCall = 8;

// How an instruction passes control on, from its encoding ("Branches, Exception Generating and System
// instructions").
struct Flow {
  enum class Kind : u8 {
    Straight,
    Branch,
    ConditionalBranch,
    Call,
    Return,
    Jump,
    Leave
  } kind = Kind::Straight;
  i32 target = 0;  // of branches and calls, in words from the instruction
  bool has_target() const {
    return kind == Kind::Branch || kind == Kind::ConditionalBranch || kind == Kind::Call;
  }
  bool falls_through() const { return kind == Kind::Straight || kind == Kind::ConditionalBranch; }
};

Flow flow_of(u32 word) {
  using Kind = Flow::Kind;
  auto words = [&](unsigned lsb, unsigned width) {
    return i32(sign_extend(extract(word, lsb, width), width));
  };
  bool always = (word & 0xe) == 0xe;                                           // AL, NV
  if ((word & 0xfc000000) == 0x14000000) return {Kind::Branch, words(0, 26)};  // B
  if ((word & 0xfc000000) == 0x94000000) return {Kind::Call, words(0, 26)};    // BL
  if ((word & 0xff000010) == 0x54000000)                                       // B.cond
    return {always ? Kind::Branch : Kind::ConditionalBranch, words(5, 19)};
  if ((word & 0x7e000000) == 0x34000000) return {Kind::ConditionalBranch, words(5, 19)};  // CBZ, CBNZ
  if ((word & 0x7e000000) == 0x36000000) return {Kind::ConditionalBranch, words(5, 14)};  // TBZ, TBNZ
  if ((word & 0xfffff800) == 0xd65f0800) return {Kind::Return};                           // RETAA, RETAB
  if ((word & 0xfffffc1f) == 0xd65f0000) return {Kind::Return};                           // RET
  if ((word & 0xfffffc1f) == 0xd61f0000) return {Kind::Jump};                             // BR
  if ((word & 0xfe000000) == 0xd6000000 || (word & 0xff000000) == 0xd4000000)  // BR, BLR, ERET; exceptions
    return {Kind::Leave};
  return {};
}

// A piece of straight code, in words from the start of the page.
struct Piece {
  u32 first, end;
  Flow::Kind last;        // how its last instruction passes control on
  std::vector<u32> next;  // the first words of the pieces that may follow
  bool in_loop = false;
  u8 kind = 0;  // tcg::ir::LabelKind of its Label
};
using Pieces = std::vector<Piece>;

// The piece that begins at a word, or null.
template <class P>
auto* find(P& pieces, u32 first) {
  auto found = std::ranges::find_if(pieces, [&](const Piece& p) { return p.first == first; });
  return found == pieces.end() ? nullptr : &*found;
}

class Finder {
 public:
  // Nothing from the word `limit` on is looked at. `entries`: where execution has begun before; indirect
  // jumps may go there.
  Finder(const u8* page, u32 head, u32 limit, const std::vector<u32>& entries)
      : page_(page), head_(head), limit_(limit) {
    follow(head);
    if (!jumps_) return;
    for (u32 entry : entries)
      if (entry < limit_) entry_[entry] = true, follow(entry);
  }

  // The pieces of the loops through the head, by address; none: it is in no loop. With `from_head`, without
  // the outer loops, which begin before it.
  Pieces loops(bool from_head) const {
    Pieces pieces = cut();
    if (from_head) std::erase_if(pieces, [&](const Piece& p) { return p.first < head_; });
    connect_returns(pieces);
    connect_jumps(pieces);
    // The head is reached again from: whatever leads to a piece that does.
    for (bool changed = true; changed;) {
      changed = false;
      for (Piece& p : pieces)
        if (!p.in_loop && leads_to_loop(pieces, p)) p.in_loop = changed = true;
    }
    std::erase_if(pieces, [](const Piece& p) { return !p.in_loop; });
    if (std::ranges::none_of(pieces, [](const Piece& p) { return p.last == Flow::Kind::Jump; }))
      for (Piece& p : pieces) p.kind &= u8(~tcg::ir::LabelKind::kIndirectTarget);
    const Piece* head = find(pieces, head_);
    return head ? pieces : Pieces{};
  }

 private:
  u32 word(u32 at) const { return word_at(page_ + at * 4); }
  // Inside the page.
  std::optional<u32> target(u32 at, const Flow& flow) const {
    i64 to = i64{at} + flow.target;
    if (!flow.has_target() || to < 0 || to >= limit_) return {};
    return u32(to);
  }
  void follow(u32 from) {
    std::vector<u32> to_do{from};
    leader_[from] = true;
    auto leads_to = [&](u32 to) {
      if (to >= limit_) return;
      leader_[to] = true;
      to_do.push_back(to);
    };
    while (!to_do.empty()) {
      u32 at = to_do.back();
      to_do.pop_back();
      for (; at < limit_ && !reached_[at]; at++) {
        reached_[at] = true;
        Flow flow = flow_of(word(at));
        if (flow.kind == Flow::Kind::Straight) continue;
        jumps_ |= flow.kind == Flow::Kind::Jump;
        if (auto to = target(at, flow)) {
          leads_to(*to);
          if (flow.kind == Flow::Kind::Call) leads_to(at + 1);
        }
        if (flow.falls_through()) leads_to(at + 1);
        break;
      }
    }
  }

  Pieces cut() const {
    Pieces pieces;
    for (u32 first = 0; first < limit_; first++) {
      if (!leader_[first] || !reached_[first]) continue;
      Piece p{.first = first, .end = first, .last = Flow::Kind::Straight, .next = {}};
      do {
        Flow flow = flow_of(word(p.end));
        p.last = flow.kind;
        if (auto to = target(p.end++, flow)) p.next.push_back(*to);
      } while (p.last == Flow::Kind::Straight && p.end < limit_ && !leader_[p.end]);
      bool falls_through = p.last == Flow::Kind::Straight || p.last == Flow::Kind::ConditionalBranch;
      if (falls_through && p.end < limit_) p.next.push_back(p.end);
      pieces.push_back(p);
    }
    return pieces;
  }

  // The returns of a function that is called inside lead behind the calls.
  static void connect_returns(Pieces& pieces) {
    unsigned sites = 0;
    for (const Piece& call : pieces) {
      if (call.last != Flow::Kind::Call || call.next.empty()) continue;
      Piece* site = find(pieces, call.end);
      if (!site || sites == kMaxReturnSites) continue;
      std::vector<u32> returns = returns_of(pieces, call.next[0]);
      for (u32 r : returns) find(pieces, r)->next.push_back(site->first);
      if (returns.empty()) continue;
      site->kind |= tcg::ir::LabelKind::kReturnSite;
      sites++;
    }
  }

  // An indirect jump leads to wherever execution has begun before.
  void connect_jumps(Pieces& pieces) const {
    std::vector<u32> targets;
    for (Piece& p : pieces)
      if (entry_[p.first]) targets.push_back(p.first), p.kind |= tcg::ir::LabelKind::kIndirectTarget;
    for (Piece& p : pieces)
      if (p.last == Flow::Kind::Jump) p.next.insert(p.next.end(), targets.begin(), targets.end());
  }

  // The pieces that return from the function at `entry`; calls inside it are taken to come back.
  static std::vector<u32> returns_of(const Pieces& pieces, u32 entry) {
    std::vector<u32> to_do{entry}, returns;
    std::array<bool, kPageWords> seen{};
    while (!to_do.empty()) {
      u32 at = to_do.back();
      to_do.pop_back();
      const Piece* p = at < kPageWords && !seen[at] ? find(pieces, at) : nullptr;
      if (!p) continue;
      seen[at] = true;
      if (p->last == Flow::Kind::Return)
        returns.push_back(at);
      else if (p->last == Flow::Kind::Call)
        to_do.push_back(p->end);
      else
        to_do.insert(to_do.end(), p->next.begin(), p->next.end());
    }
    return returns;
  }

  bool leads_to_loop(const Pieces& pieces, const Piece& p) const {
    return std::ranges::any_of(p.next, [&](u32 to) {
      const Piece* q = find(pieces, to);
      return to == head_ || (q && q->in_loop);
    });
  }

  const u8* page_;
  const u32 head_, limit_;
  bool jumps_ = false;
  std::array<bool, kPageWords> leader_{}, reached_{}, entry_{};
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
    builder_.label(e_.pc, p.kind);
    if (p.kind & tcg::ir::LabelKind::kIndirectTarget) check_branch_target(e_);
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

u32 insns_of(const Pieces& pieces) {
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

bool translate_region(tcg::ir::Block& region, const Decoder& decoder, FeatureSet features, CodeBytes code) {
  const u32 in_page = u32(region.pc & tcg::kSoftPageMask);
  const u8* page = code.host - in_page;
  Mode mode{region.mode};
  if (mode.get<Mode::Step>() || mode.get<Mode::Breakpoints>() || mode.get<Mode::IllegalState>()) return false;
  std::vector<u32> entries;
  for (u64 pc : region.entries) entries.push_back(u32(pc & tcg::kSoftPageMask) / 4);
  Finder finder(page, in_page / 4, (in_page + code.bytes) / 4, entries);
  Pieces loops = finder.loops(false);
  if (insns_of(loops) > kMaxInsns) loops = finder.loops(true);
  if (loops.empty() || insns_of(loops) > kMaxInsns) return false;
  region.is_region = true;
  region.fp_inline = fp_may_be_inline(mode);
  region.half_inline = half_may_be_inline(mode);
  RegionBuilder builder(region, decoder, features, page);
  builder.entry();
  for (const Piece& p : loops)
    if (!builder.piece(p)) return false;
  return worth_it(region);
}

}  // namespace sluice::cpu::a64
