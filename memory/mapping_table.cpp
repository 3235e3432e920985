// Readers load the root, then a leaf, and find both whole: a change makes new nodes and swaps one pointer. So
// each lookup sees the table as it was at one moment as far as the mapping that it returns goes.
#include "memory/mapping_table.h"

#include <algorithm>
#include <cassert>
#include <span>
#include <utility>

namespace sluice {
namespace {

constexpr size_t kCapacity = 32;       // entries of a leaf
constexpr size_t kGarbageLimit = 128;  // nodes kept until they are handed to the EpochDomain
// What the last leaf passes on to a new one behind it. A new leaf with one entry would come and go with it,
// and each time take a copy of the root along; two neighbours of together more than half a leaf stay apart.
constexpr size_t kPassedOn = kCapacity / 4;

// How many of the `n` ascending keys are at or below `address`. Without branches to mispredict: in a table of
// many random addresses a branch would be wrong half the time.
size_t count_up_to(const u64* keys, size_t n, u64 address) {
  if (!n) return 0;
  const u64* at = keys;
  while (n > 1) {
    size_t half = n / 2;
    at += at[half - 1] <= address ? half : 0;
    n -= half;
  }
  return size_t(at - keys) + (*at <= address);
}

}  // namespace

// Sorted by address, never empty. The first bytes are kept once more, close together: a search among them
// touches few cache lines, and then one entry.
struct MappingTable::Leaf {
  u32 count;
  u64 firsts[kCapacity];
  Mapping entries[kCapacity];

  std::span<const Mapping> all() const { return {entries, count}; }
  const Mapping& last() const { return entries[count - 1]; }
  // How many mappings begin at or below `address`.
  size_t begun(u64 address) const { return count_up_to(firsts, count, address); }
  void append(std::span<const Mapping> from) {
    for (const Mapping& m : from) {
      firsts[count] = m.input.first;
      entries[count++] = m;
    }
  }
  static std::unique_ptr<Leaf> of(std::initializer_list<std::span<const Mapping>> parts) {
    std::unique_ptr<Leaf> leaf{new Leaf};
    leaf->count = 0;
    for (std::span<const Mapping> part : parts) leaf->append(part);
    return leaf;
  }
};

// Leaf i holds the mappings that begin in [firsts[i], firsts[i + 1]); firsts[0] is 0. The last of them may
// reach beyond firsts[i + 1].
struct MappingTable::Root {
  explicit Root(size_t n) : firsts(n), leaves(new std::atomic<const Leaf*>[n]) {}
  size_t size() const { return firsts.size(); }
  const Leaf& leaf(size_t i) const { return *leaves[i].load(std::memory_order_seq_cst); }
  void set(size_t i, u64 first, const Leaf* leaf) {
    firsts[i] = first;
    leaves[i].store(leaf, std::memory_order_relaxed);
  }
  std::vector<u64> firsts;
  std::unique_ptr<std::atomic<const Leaf*>[]> leaves;
};

struct MappingTable::Garbage {
  std::vector<std::unique_ptr<const Leaf>> leaves;
  std::vector<std::unique_ptr<const Root>> roots;
};

MappingTable::MappingTable(EpochDomain& epochs)
    : epochs_(epochs), root_(new Root(0)), garbage_(std::make_shared<Garbage>()) {}

MappingTable::~MappingTable() {
  std::unique_ptr<Root> root{root_.load()};
  for (size_t i = 0; i < root->size(); i++) delete &root->leaf(i);
}

// The root is not empty.
size_t MappingTable::leaf_of(const Root& root, u64 address) {
  return count_up_to(root.firsts.data(), root.size(), address) - 1;
}

MappingTable::Found MappingTable::find(u64 address) const {
  const Root& root = *root_.load(std::memory_order_seq_cst);
  InclusiveRange hole{0, ~u64{0}};
  if (root.size() == 0) return {nullptr, hole};
  size_t at = leaf_of(root, address);
  const Leaf& leaf = root.leaf(at);
  size_t next = leaf.begun(address);
  const Mapping* before = next ? &leaf.entries[next - 1] : at ? &root.leaf(at - 1).last() : nullptr;
  if (before && before->input.last >= address) return {before, {}};
  if (before) hole.first = before->input.last + 1;
  if (next < leaf.count)
    hole.last = leaf.firsts[next] - 1;
  else if (at + 1 < root.size())
    hole.last = root.leaf(at + 1).firsts[0] - 1;
  return {nullptr, hole};
}

const Mapping* MappingTable::first_from(u64 address) const {
  const Root& root = *root_.load(std::memory_order_seq_cst);
  if (root.size() == 0) return nullptr;
  size_t at = leaf_of(root, address);
  if (at && root.leaf(at - 1).last().input.last >= address) return &root.leaf(at - 1).last();
  const Leaf& leaf = root.leaf(at);
  size_t next = leaf.begun(address);
  if (next && leaf.entries[next - 1].input.last >= address) return &leaf.entries[next - 1];
  if (next < leaf.count) return &leaf.entries[next];
  return at + 1 < root.size() ? &root.leaf(at + 1).entries[0] : nullptr;
}

bool MappingTable::overlaps(InclusiveRange range) const {
  const Mapping* m = first_from(range.first);
  return m && m->input.first <= range.last;
}

// `first` is the first mapping that `range` touches. Only the last one can be another that sticks out.
bool MappingTable::cuts(const Mapping& first, InclusiveRange range) const {
  auto sticks_out = [&](const Mapping& m) {
    return m.input.overlaps(range) && (m.input.first < range.first || m.input.last > range.last);
  };
  if (sticks_out(first) || first.input.last >= range.last) return sticks_out(first);
  const Mapping* last = first_from(range.last);
  return last && sticks_out(*last);
}

bool MappingTable::would_split(InclusiveRange range) const {
  const Mapping* first = first_from(range.first);
  return first && cuts(*first, range);
}

void MappingTable::swap_leaf(Root& root, size_t at, std::unique_ptr<Leaf> leaf) {
  garbage_->leaves.emplace_back(root.leaves[at].exchange(leaf.release(), std::memory_order_seq_cst));
  if (garbage_->leaves.size() >= kGarbageLimit) release_garbage();
}

void MappingTable::swap_root(std::unique_ptr<Root> root) {
  garbage_->roots.emplace_back(root_.exchange(root.release(), std::memory_order_seq_cst));
}

void MappingTable::release_garbage() {
  if (garbage_->leaves.empty() && garbage_->roots.empty()) return;
  epochs_.retire(std::exchange(garbage_, std::make_shared<Garbage>()));
}

void MappingTable::replace(size_t from, size_t to, std::vector<Mapping> entries, size_t first) {
  const Root& old = *root_.load(std::memory_order_relaxed);
  std::vector<std::unique_ptr<Leaf>> leaves;
  size_t pieces = (entries.size() + kCapacity - 1) / kCapacity;
  std::span<const Mapping> rest = entries;
  for (size_t left = pieces; left; left--) {
    size_t n = first && left == pieces ? first : (rest.size() + left - 1) / left;
    leaves.push_back(Leaf::of({rest.first(n)}));
    rest = rest.subspan(n);
  }
  auto root = std::make_unique<Root>(old.size() - (to - from) + leaves.size());
  size_t out = 0;
  for (size_t i = 0; i < from; i++) root->set(out++, old.firsts[i], &old.leaf(i));
  for (auto& leaf : leaves) {
    const Leaf* raw = leaf.release();
    root->set(out++, raw->entries[0].input.first, raw);
  }
  for (size_t i = to; i < old.size(); i++) root->set(out++, old.firsts[i], &old.leaf(i));
  if (out) root->firsts[0] = 0;
  for (size_t i = from; i < to; i++) garbage_->leaves.emplace_back(&old.leaf(i));
  swap_root(std::move(root));
  if (garbage_->leaves.size() >= kGarbageLimit) release_garbage();
}

bool MappingTable::insert(const Mapping& mapping) {
  if (mapping.input.first > mapping.input.last || overlaps(mapping.input)) return false;
  size_.fetch_add(1, std::memory_order_relaxed);
  Root& root = *root_.load(std::memory_order_relaxed);
  if (root.size() == 0) return replace(0, 0, {mapping}), true;
  size_t at = leaf_of(root, mapping.input.first);
  std::span<const Mapping> all = root.leaf(at).all();
  size_t before = root.leaf(at).begun(mapping.input.first);
  if (all.size() == kCapacity) {
    // Drivers hand out addresses upwards or downwards: a leaf at that end stays fuller than half.
    const size_t first = at + 1 == root.size() && before == all.size() ? all.size() - kPassedOn
                         : at == 0 && before == 0                      ? kPassedOn + 1
                                                                       : 0;
    std::vector<Mapping> entries(all.begin(), all.end());
    entries.insert(entries.begin() + std::ptrdiff_t(before), mapping);
    return replace(at, at + 1, std::move(entries), first), true;
  }
  swap_leaf(root, at, Leaf::of({all.first(before), {&mapping, 1}, all.subspan(before)}));
  return true;
}

MappingTable::Erased MappingTable::erase(InclusiveRange range) {
  const Mapping* first = first_from(range.first);
  if (!first || first->input.first > range.last) return {};
  if (cuts(*first, range)) return {.split = true};
  Root& root = *root_.load(std::memory_order_relaxed);
  const size_t from = leaf_of(root, first->input.first);
  size_t to = from, after = 0;  // leaves [from, to) hold what goes, and `after` mappings of the last one stay
  Erased erased{0, {first->input.first, first->input.last}};
  const size_t before = size_t(first - root.leaf(from).entries);
  for (size_t begin = before; to < root.size() && root.leaf(to).firsts[0] <= range.last; begin = 0) {
    const Leaf& leaf = root.leaf(to++);
    size_t end = leaf.begun(range.last);
    after = leaf.count - end;
    erased.count += end - begin;
    erased.hull.last = leaf.entries[end - 1].input.last;
  }
  size_.fetch_sub(erased.count, std::memory_order_relaxed);
  std::span<const Mapping> head = root.leaf(from).all().first(before),
                           tail = root.leaf(to - 1).all().last(after);
  merge(from, to, head, tail);
  return erased;
}

// Leaves [from, to) keep only `head` and `tail`. Neighbours that together would fill half a leaf become one:
// memory follows the number of mappings.
void MappingTable::merge(size_t from, size_t to, std::span<const Mapping> head,
                         std::span<const Mapping> tail) {
  Root& root = *root_.load(std::memory_order_relaxed);
  const size_t kept = head.size() + tail.size();
  auto absorbs = [&](size_t leaf) { return root.leaf(leaf).count + kept <= kCapacity / 2; };
  const bool left = from > 0 && absorbs(from - 1), right = !left && to < root.size() && absorbs(to);
  if (to - from == 1 && kept && !left && !right) return swap_leaf(root, from, Leaf::of({head, tail}));
  std::span<const Mapping> joined = left    ? root.leaf(from - 1).all()
                                    : right ? root.leaf(to).all()
                                            : head.first(0);
  std::vector<Mapping> entries;
  entries.reserve(kept + joined.size());
  auto add = [&](std::span<const Mapping> part) { entries.insert(entries.end(), part.begin(), part.end()); };
  if (left) add(joined);
  add(head), add(tail);
  if (right) add(joined);
  replace(from - left, to + right, std::move(entries));
}

}  // namespace sluice
