// Readers load the root, then a leaf, and find both whole: a change makes new nodes and swaps one pointer. So
// each lookup sees the table as it was at one moment as far as the mapping that it returns goes.
#include "memory/mapping_table.h"

#include <algorithm>
#include <cassert>
#include <span>
#include <utility>

namespace sluice {
namespace {

constexpr size_t kCapacity = 64;       // entries of a leaf: 64 or so make copies and searches cost the same
constexpr size_t kGarbageLimit = 128;  // nodes kept until they are handed to the EpochDomain

bool by_first(const Mapping& m, u64 address) { return m.input.first < address; }

}  // namespace

// Sorted by address, never empty.
struct MappingTable::Leaf {
  u32 count;
  Mapping entries[kCapacity];

  std::span<const Mapping> all() const { return {entries, count}; }
  const Mapping& last() const { return entries[count - 1]; }
  static std::unique_ptr<Leaf> of(std::span<const Mapping> from) {
    std::unique_ptr<Leaf> leaf{new Leaf};
    leaf->count = u32(from.size());
    std::copy(from.begin(), from.end(), leaf->entries);
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
  return size_t(std::upper_bound(root.firsts.begin(), root.firsts.end(), address) - root.firsts.begin()) - 1;
}

MappingTable::Found MappingTable::find(u64 address) const {
  const Root& root = *root_.load(std::memory_order_seq_cst);
  InclusiveRange hole{0, ~u64{0}};
  if (root.size() == 0) return {nullptr, hole};
  size_t at = leaf_of(root, address);
  const Leaf& leaf = root.leaf(at);
  std::span<const Mapping> all = leaf.all();
  auto next = std::upper_bound(all.begin(), all.end(), address,
                               [](u64 a, const Mapping& m) { return a < m.input.first; });
  const Mapping* before = next != all.begin() ? &*(next - 1) : at ? &root.leaf(at - 1).last() : nullptr;
  if (before && before->input.last >= address) return {before, {}};
  if (before) hole.first = before->input.last + 1;
  if (next != all.end())
    hole.last = next->input.first - 1;
  else if (at + 1 < root.size())
    hole.last = root.leaf(at + 1).entries[0].input.first - 1;
  return {nullptr, hole};
}

const Mapping* MappingTable::first_from(u64 address) const {
  const Root& root = *root_.load(std::memory_order_seq_cst);
  if (root.size() == 0) return nullptr;
  size_t at = leaf_of(root, address);
  if (at && root.leaf(at - 1).last().input.last >= address) return &root.leaf(at - 1).last();
  std::span<const Mapping> all = root.leaf(at).all();
  auto found = std::lower_bound(all.begin(), all.end(), address,
                                [](const Mapping& m, u64 a) { return m.input.last < a; });
  if (found != all.end()) return &*found;
  return at + 1 < root.size() ? &root.leaf(at + 1).entries[0] : nullptr;
}

bool MappingTable::overlaps(InclusiveRange range) const {
  const Mapping* m = first_from(range.first);
  return m && m->input.first <= range.last;
}

bool MappingTable::would_split(InclusiveRange range) const {
  auto sticks_out = [&](const Mapping* m) {
    return m && m->input.overlaps(range) && (m->input.first < range.first || m->input.last > range.last);
  };
  return sticks_out(first_from(range.first)) || sticks_out(first_from(range.last));
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

void MappingTable::replace(size_t from, size_t to, std::vector<Mapping> entries) {
  const Root& old = *root_.load(std::memory_order_relaxed);
  std::vector<std::unique_ptr<Leaf>> leaves;
  size_t pieces = (entries.size() + kCapacity - 1) / kCapacity;
  std::span<const Mapping> rest = entries;
  for (size_t left = pieces; left; left--) {
    size_t n = (rest.size() + left - 1) / left;
    leaves.push_back(Leaf::of(rest.first(n)));
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
  auto place = std::lower_bound(all.begin(), all.end(), mapping.input.first, by_first);
  size_t before = size_t(place - all.begin());
  if (all.size() == kCapacity) {
    // Drivers hand out addresses upwards or downwards: the leaf at that end stays full instead of half full.
    if (at + 1 == root.size() && place == all.end()) return replace(at + 1, at + 1, {mapping}), true;
    std::vector<Mapping> entries(all.begin(), all.end());
    entries.insert(entries.begin() + std::ptrdiff_t(before), mapping);
    return replace(at, at + 1, std::move(entries)), true;
  }
  std::unique_ptr<Leaf> leaf{new Leaf};
  leaf->count = u32(all.size() + 1);
  std::copy(all.begin(), place, leaf->entries);
  leaf->entries[before] = mapping;
  std::copy(place, all.end(), leaf->entries + before + 1);
  swap_leaf(root, at, std::move(leaf));
  return true;
}

MappingTable::Erased MappingTable::erase(InclusiveRange range) {
  const Mapping* first = first_from(range.first);
  if (!first || first->input.first > range.last || would_split(range)) return {};
  Root& root = *root_.load(std::memory_order_relaxed);
  size_t from = leaf_of(root, first->input.first), to = from;
  Erased erased{0, {first->input.first, first->input.last}};
  std::vector<Mapping> kept;
  for (; to < root.size() && root.leaf(to).entries[0].input.first <= range.last; to++) {
    for (const Mapping& m : root.leaf(to).all()) {
      if (!range.contains(m.input.first)) {
        kept.push_back(m);
        continue;
      }
      erased.count++;
      erased.hull.last = m.input.last;
    }
  }
  size_.fetch_sub(erased.count, std::memory_order_relaxed);
  // Neighbours that together would fill half a leaf become one: memory follows the number of mappings.
  auto absorbs = [&](size_t leaf) { return root.leaf(leaf).count + kept.size() <= kCapacity / 2; };
  if (from > 0 && absorbs(from - 1)) {
    std::span<const Mapping> all = root.leaf(--from).all();
    kept.insert(kept.begin(), all.begin(), all.end());
  }
  if (to < root.size() && absorbs(to)) {
    std::span<const Mapping> all = root.leaf(to++).all();
    kept.insert(kept.end(), all.begin(), all.end());
  }
  if (to - from == 1 && !kept.empty())
    swap_leaf(root, from, Leaf::of(kept));
  else
    replace(from, to, std::move(kept));
  return erased;
}

}  // namespace sluice
