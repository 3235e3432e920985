// Vector ops: equal ones become one, and what Arm does in several instructions and a host in one becomes an
// op of its own: rotations, the middle rounds of AES, and SHA-256 in the host's order of words, where the
// shuffles between one group of rounds and the next cancel out.
#include <algorithm>

#include "tcg/ir/significant_bytes.h"
#include "tcg/opt/passes.h"

namespace sluice::tcg {
namespace {

using ir::Block;
using ir::Inst;
using ir::kNoValue;
using ir::Op;
using ir::Type;
using ir::ValueId;

// Builds the block anew; values are those of the new one.
class Matcher {
 public:
  explicit Matcher(const Block& block) : from_(block), to_(block.insts.size()) {
    size_t size = 64;
    while (size < 2 * block.insts.size()) size *= 2;
    table_.assign(size, kNoValue);
    uses_.resize(block.insts.size());
    out_.reserve(block.insts.size() + block.insts.size() / 4);
    for (const Inst& i : block.insts)
      for (ValueId a : i.args)
        if (a != kNoValue) uses_[a]++;
  }

  std::vector<Inst> run() {
    for (size_t n = 0; n < from_.insts.size(); n++) {
      Inst i = from_.insts[n];
      at_ = i.guest_offset;
      if (i.op == Op::Label) std::ranges::fill(table_, kNoValue), entries_ = 0;  // values end here
      for (ValueId& a : i.args)
        if (a != kNoValue) a = to_[a];
      single_use_ = uses_[n] == 1;
      to_[n] = i.type == Type::V128 && (ir::info(i.op).properties & ir::Pure) ? match(i) : append(i);
    }
    return std::move(out_);
  }

 private:
  const Inst& at(ValueId v) const { return out_[v]; }
  static Inst make(Op op, std::initializer_list<ValueId> args, unsigned esize = 0, u64 imm = 0) {
    Inst i{op, Type::V128, u8(esize), 0, 0, {kNoValue, kNoValue, kNoValue, kNoValue}, imm};
    std::ranges::copy(args, i.args);
    return i;
  }

  ValueId append(const Inst& i) {
    const ValueId v = ValueId(out_.size());
    out_.push_back(i);
    single_.push_back(single_use_);
    unsigned bytes = 16;
    if (i.op == Op::VFromInt)
      bytes = at(i.args[0]).type == Type::I32 ? 4 : 8;
    else if (i.type == Type::V128)
      bytes = ir::significant_bytes(i, known_);
    known_.push_back(u8(bytes));
    return v;
  }
  // An equal op that is there already, or a new one.
  ValueId add(Inst i) {
    i.guest_offset = at_;
    u64 hash = i.imm * 0x9e3779b97f4a7c15 + unsigned(i.op) * 0x85ebca6bu + i.esize * 31u + i.aux * 131u;
    for (ValueId a : i.args) hash = (hash ^ a) * 0x9e3779b97f4a7c15;
    for (size_t slot = hash >> 32;; slot++) {
      ValueId& entry = table_[slot & (table_.size() - 1)];
      if (entry == kNoValue)
        return entries_ * 2 < table_.size() ? (entries_++, entry = append(i)) : append(i);
      const Inst& e = at(entry);
      if (e.op != i.op || e.imm != i.imm || e.esize != i.esize || e.aux != i.aux) continue;
      if (!std::ranges::equal(e.args, i.args)) continue;
      single_[entry] = false;
      return entry;
    }
  }

  ValueId match(const Inst& i) {
    switch (i.op) {
      case Op::VZeroUpper:
        if (known_[i.args[0]] <= 8) return same(i.args[0]);
        break;
      case Op::VLowLane:
        if (known_[i.args[0]] <= 1u << i.esize) return same(i.args[0]);
        break;
      case Op::VOr:
      case Op::VAdd:
      case Op::VXor:
        if (ValueId v = rotation(i, i.args[0], i.args[1]); v != kNoValue) return v;
        if (ValueId v = rotation(i, i.args[1], i.args[0]); v != kNoValue) return v;
        if (i.op != Op::VXor) break;
        if (ValueId v = round_and_key(i.args[0], i.args[1]); v != kNoValue) return v;
        if (ValueId v = round_and_key(i.args[1], i.args[0]); v != kNoValue) return v;
        break;
      case Op::VShrInsertImm:
      case Op::VShlInsertImm:
        if (ValueId v = inserted_rotation(i); v != kNoValue) return v;
        break;
      case Op::VAesMc: return aes_round(i, Op::VAesE, Op::VAesRoundE);
      case Op::VAesImc: return aes_round(i, Op::VAesD, Op::VAesRoundD);
      case Op::VSha256H: return sha256(i.args[0], i.args[1], i.args[2], 0xbb);
      case Op::VSha256H2: return sha256(i.args[1], i.args[0], i.args[2], 0x11);
      default: break;
    }
    return add(i);
  }
  ValueId same(ValueId v) {
    single_[v] = false;  // the uses of two values
    return v;
  }

  // x << n with x >> (bits - n).
  ValueId rotation(const Inst& i, ValueId left, ValueId right) {
    const Inst &l = at(left), &r = at(right);
    if (l.op != Op::VShlImm || r.op != Op::VUShrImm || l.args[0] != r.args[0] || l.esize != r.esize)
      return kNoValue;
    const unsigned bits = 8u << l.esize;
    if (i.op == Op::VAdd && i.esize != l.esize) return kNoValue;
    if (l.imm == 0 || l.imm + r.imm != bits) return kNoValue;
    return add(make(Op::VRotateImm, {l.args[0]}, l.esize, l.imm));
  }
  // SRI of x into x << n, SLI of x into x >> n.
  ValueId inserted_rotation(const Inst& i) {
    const bool right = i.op == Op::VShrInsertImm;
    const Inst& other = at(i.args[0]);
    if (other.op != (right ? Op::VShlImm : Op::VUShrImm) || other.esize != i.esize) return kNoValue;
    const unsigned bits = 8u << i.esize;
    if (other.args[0] != i.args[1] || other.imm == 0 || other.imm + i.imm != bits) return kNoValue;
    return add(make(Op::VRotateImm, {i.args[1]}, i.esize, right ? other.imm : i.imm));
  }

  // AESMC(AESE(a, b)) is AESENC of a ^ b; the key that is added next is its second operand.
  ValueId aes_round(const Inst& i, Op first, Op round) {
    const Inst before = at(i.args[0]);
    if (before.op != first || !single_[i.args[0]]) return add(i);
    const bool single_use = single_use_;
    single_use_ = true;
    // The key comes first into the sum: then the sum may be the end of another round.
    const ValueId zero = add(make(Op::VConst, {}));
    const ValueId sum = match(make(Op::VXor, {before.args[0], before.args[1]}));
    single_use_ = single_use;
    return add(make(round, {sum, zero}));
  }
  ValueId round_and_key(ValueId round, ValueId key) {
    const Inst& r = at(round);
    if ((r.op != Op::VAesRoundE && r.op != Op::VAesRoundD) || !single_[round]) return kNoValue;
    const Inst& zero = at(r.args[1]);
    if (zero.op != Op::VConst || zero.imm != 0) return kNoValue;
    return add(make(r.op, {r.args[0], key}));
  }

  // Where lane k of a shuffle comes from.
  struct Lane {
    ValueId v;
    unsigned lane;
    bool operator==(const Lane&) const = default;
  };
  Lane source(const Inst& shuffle, unsigned k) const {
    const ValueId v = shuffle.args[k / 2];
    const unsigned lane = unsigned(shuffle.imm >> (2 * k)) & 3;
    const Inst& inner = at(v);
    if (inner.op != Op::VShuffle32) return {v, lane};
    return {inner.args[lane / 2], unsigned(inner.imm >> (2 * lane)) & 3};
  }
  ValueId shuffle(ValueId a, ValueId b, u64 selection) {
    const Inst i = make(Op::VShuffle32, {a, b}, 2, selection);
    Lane from[4];
    bool unchanged = true;
    for (unsigned k = 0; k < 4; k++) from[k] = source(i, k), unchanged &= from[k] == Lane{from[0].v, k};
    if (unchanged) return same(from[0].v);
    if (from[0].v != from[1].v || from[2].v != from[3].v) return add(i);
    u64 combined = 0;
    for (unsigned k = 0; k < 4; k++) combined |= u64{from[k].lane} << (2 * k);
    return add(make(Op::VShuffle32, {from[0].v, from[2].v}, 2, combined));
  }
  // Four rounds in two steps of two. VShuffle32 by 0x11 makes f:e:b:a of e:f:g:h and a:b:c:d, and by 0xbb
  // h:g:d:c; the same selections take the halves of the state out of the results of the steps.
  ValueId sha256(ValueId abcd, ValueId efgh, ValueId w, u64 result) {
    const ValueId recent = shuffle(efgh, abcd, 0x11), old = shuffle(efgh, abcd, 0xbb);
    const ValueId first = add(make(Op::VSha256Rounds, {old, recent, w}, 2));
    const ValueId second =
        add(make(Op::VSha256Rounds, {recent, first, add(make(Op::VShuffle32, {w, w}, 2, 0x0e))}, 2));
    return shuffle(second, first, result);
  }

  const Block& from_;
  std::vector<ValueId> to_;
  std::vector<u16> uses_;  // of the old values
  std::vector<Inst> out_;
  std::vector<u8> known_;     // significant bytes of the new values
  std::vector<bool> single_;  // the new value has one use at most
  std::vector<ValueId> table_;
  size_t entries_ = 0;
  i16 at_ = 0;
  bool single_use_ = false;
};

}  // namespace

void match_vector_patterns(Block& block) {
  const auto is_vector_op = [](const Inst& i) {
    return i.type == Type::V128 && (ir::info(i.op).properties & ir::Pure);
  };
  // Patterns make at most six ops of one.
  if (block.insts.size() * 6 > Block::kMaxInsts || std::ranges::none_of(block.insts, is_vector_op)) return;
  block.insts = Matcher(block).run();
}

}  // namespace sluice::tcg
