// Readers load the root, then look into a leaf. The root never changes once it can be seen: a change that
// adds or drops leaves makes a new one. A leaf is changed where it is, with its version odd meanwhile, so
// that a reader who has seen half of it looks again. A leaf that is no longer in the root is not changed any
// more: who still reads it sees the table as it was when the root was loaded.
#include "memory/mapping_table.h"

#include <algorithm>
#include <array>
#include <thread>
#include <utility>

namespace sluice {
namespace {

constexpr size_t kCapacity = 32;  // entries of a leaf
// A leaf with fewer looks for a neighbour to share a leaf with. Two that together have more than half a leaf
// stay apart, so that what comes and goes does not split and join leaves all the time.
constexpr size_t kFew = kCapacity / 4;
// What the last leaf passes on to a new one behind it. A new leaf with one entry would come and go with it,
// and each time take a copy of the root along.
constexpr size_t kPassedOn = kCapacity / 4;

// For one writer, and readers who check the version of what they have read.
template <class T>
class Relaxed {
 public:
  operator T() const { return value_.load(std::memory_order_relaxed); }
  void operator=(T value) { value_.store(value, std::memory_order_relaxed); }
  void operator=(const Relaxed& other) { *this = T(other); }

 private:
  std::atomic<T> value_{};
};

}  // namespace

// The ranges are sorted and close together: a search among them touches few cache lines, and then at most one
// entry. Entries stay where they are; `places_` says where that of the i-th range is, and behind them which
// are free.
class alignas(64) MappingTable::Leaf {
 public:
  explicit Leaf(std::span<const Mapping> entries) {
    for (size_t i = 0; i < kCapacity; i++) places_[i] = u8(i);
    for (const Mapping& m : entries) put(count_, m);
  }

  // --- The writer, and readers inside `read` ---
  size_t count() const { return count_; }
  u64 first(size_t i) const { return ranges_[i].first; }
  u64 last(size_t i) const { return ranges_[i].last; }
  Mapping at(size_t i) const {
    const Entry& e = entries_[places_[i]];
    return {{first(i), last(i)}, e.output, e.target, e.rights, e.mmio};
  }
  // How many mappings begin at or below `address`.
  size_t begun(u64 address) const {
    // Few lines, one behind the other, are here sooner than those that a binary search wants one by one.
    size_t n = 0;
    for (size_t i = 0, end = count_; i < end; i++) n += first(i) <= address;
    return n;
  }

  // --- Readers ---
  // What `look(leaf)` returns, of one moment.
  template <class F>
  auto read(F&& look) const {
    for (unsigned tries = 1;; tries++) {
      const u32 before = version_.load(std::memory_order_seq_cst);
      if (!(before & 1)) {
        auto seen = look(*this);
        std::atomic_thread_fence(std::memory_order_acquire);
        if (version_.load(std::memory_order_relaxed) == before) return seen;
      }
      // A change takes less than a microsecond, unless the host has something else for the writer's core.
      if (tries % 64 == 0) std::this_thread::yield();
    }
  }

  // --- The writer ---
  void insert(size_t i, const Mapping& m) {
    Change change(*this);
    put(i, m);
  }
  void erase(size_t from, size_t to) {
    Change change(*this);
    const size_t n = to - from, count = count_;
    for (; to < count; from++, to++) {
      ranges_[from] = ranges_[to];
      const u8 freed = places_[from];
      places_[from] = places_[to];
      places_[to] = freed;
    }
    count_ = u32(count - n);
  }
  void append_to(std::vector<Mapping>& list, size_t from, size_t to) const {
    for (size_t i = from; i < to; i++) list.push_back(at(i));
  }

 private:
  struct Range {
    Relaxed<u64> first, last;
  };
  struct Entry {
    Relaxed<u64> output;
    Relaxed<const AddressSpace*> target;
    Relaxed<Access> rights;
    Relaxed<bool> mmio;
  };
  // Sequentially consistent at its end: whoever then looks for readers (EpochDomain) and misses one knows
  // that it reads the new state.
  class Change {
   public:
    explicit Change(Leaf& leaf) : leaf_(leaf), version_(leaf.version_.load(std::memory_order_relaxed)) {
      leaf_.version_.store(version_ + 1, std::memory_order_relaxed);
      std::atomic_thread_fence(std::memory_order_release);
    }
    ~Change() { leaf_.version_.store(version_ + 2, std::memory_order_seq_cst); }
    Change(const Change&) = delete;
    Change& operator=(const Change&) = delete;

   private:
    Leaf& leaf_;
    const u32 version_;
  };
  void put(size_t i, const Mapping& m) {
    const u32 count = count_;
    const u8 place = places_[count];
    for (size_t j = count; j > i; j--) ranges_[j] = ranges_[j - 1], places_[j] = places_[j - 1];
    ranges_[i].first = m.input.first;
    ranges_[i].last = m.input.last;
    places_[i] = place;
    Entry& e = entries_[place];
    e.output = m.output;
    e.target = m.target;
    e.rights = m.rights;
    e.mmio = m.mmio;
    count_ = count + 1;
  }

  std::atomic<u32> version_{0};  // odd: a change is under way
  Relaxed<u32> count_;
  std::array<Relaxed<u8>, kCapacity> places_;
  std::array<Range, kCapacity> ranges_;
  std::array<Entry, kCapacity> entries_;
};

// Leaf i holds the mappings that begin in [firsts[i], firsts[i + 1]), at least one; firsts[0] is 0. The last
// of them may reach beyond firsts[i + 1].
struct MappingTable::Root {
  size_t size() const { return firsts.size(); }
  Leaf& leaf(size_t i) const { return *leaves[i]; }
  std::vector<u64> firsts;
  std::vector<Leaf*> leaves;  // the table's
};

MappingTable::MappingTable(EpochDomain& epochs) : epochs_(epochs), root_(new Root) {}

MappingTable::~MappingTable() {
  std::unique_ptr<Root> root{root_.load()};
  for (Leaf* leaf : root->leaves) delete leaf;
}

// --- Readers ---

// The root is not empty. Without branches to mispredict: in a table of many random addresses a branch would
// be wrong half the time.
size_t MappingTable::leaf_of(const Root& root, u64 address) {
  const u64* at = root.firsts.data();
  for (size_t n = root.size(); n > 1;) {
    const size_t half = n / 2;
    at += at[half] <= address ? half : 0;
    n -= half;
  }
  return size_t(at - root.firsts.data());
}

// What begins at or below `address`, and, unless that reaches it, what begins above.
MappingTable::Around MappingTable::around(u64 address) const {
  const Root& root = *root_.load(std::memory_order_seq_cst);
  if (root.size() == 0) return {};
  const size_t at = leaf_of(root, address);
  Around found = root.leaf(at).read([address](const Leaf& leaf) {
    Around a;
    const size_t next = leaf.begun(address);
    if (next) a.before = leaf.at(next - 1);
    if (!a.reaches(address) && next < leaf.count()) a.next = leaf.at(next);
    return a;
  });
  auto last = [](const Leaf& leaf) { return leaf.at(leaf.count() - 1); };
  auto first = [](const Leaf& leaf) { return leaf.at(0); };
  if (!found.before && at) found.before = root.leaf(at - 1).read(last);
  if (!found.reaches(address) && !found.next && at + 1 < root.size())
    found.next = root.leaf(at + 1).read(first);
  return found;
}

MappingTable::Found MappingTable::find(u64 address) const {
  const Around found = around(address);
  if (found.reaches(address)) return {found.before};
  return {
      {},
      {found.before ? found.before->input.last + 1 : 0, found.next ? found.next->input.first - 1 : ~u64{0}}};
}

std::optional<Mapping> MappingTable::first_from(u64 address) const {
  const Around found = around(address);
  return found.reaches(address) ? found.before : found.next;
}

bool MappingTable::overlaps(InclusiveRange range) const {
  const std::optional<Mapping> m = first_from(range.first);
  return m && m->input.first <= range.last;
}

bool MappingTable::would_split(InclusiveRange range) const {
  auto sticks_out = [&](const std::optional<Mapping>& m) {
    return m && m->input.overlaps(range) && (m->input.first < range.first || m->input.last > range.last);
  };
  return sticks_out(first_from(range.first)) || sticks_out(first_from(range.last));
}

// --- The writer ---

bool MappingTable::insert(const Mapping& mapping) {
  const InclusiveRange input = mapping.input;
  if (input.first > input.last) return false;
  const Root& root = *root_.load(std::memory_order_relaxed);
  if (root.size() == 0) return size_.store(1, std::memory_order_relaxed), replace(0, 0, {&mapping, 1}), true;
  const size_t at = leaf_of(root, input.first);
  Leaf& leaf = root.leaf(at);
  const size_t before = leaf.begun(input.first), count = leaf.count();
  const bool joins = before ? leaf.last(before - 1) >= input.first
                            : at && root.leaf(at - 1).last(root.leaf(at - 1).count() - 1) >= input.first;
  if (joins) return false;
  if (before < count ? leaf.first(before) <= input.last
                     : at + 1 < root.size() && root.firsts[at + 1] <= input.last &&
                           root.leaf(at + 1).first(0) <= input.last)
    return false;
  size_.fetch_add(1, std::memory_order_relaxed);
  if (count < kCapacity) return leaf.insert(before, mapping), true;
  // Drivers hand out addresses upwards or downwards: a leaf at that end stays fuller than half.
  const size_t first = at + 1 == root.size() && before == count ? count - kPassedOn
                       : at == 0 && before == 0                 ? kPassedOn + 1
                                                                : 0;
  std::vector<Mapping> entries;
  entries.reserve(count + 1);
  leaf.append_to(entries, 0, before);
  entries.push_back(mapping);
  leaf.append_to(entries, before, count);
  return replace(at, at + 1, entries, first), true;
}

// The first mapping that reaches `address` or beyond. At the end: of a leaf that is not there.
MappingTable::Position MappingTable::first_at(const Root& root, u64 address) {
  if (root.size() == 0) return {0, 0};
  const size_t at = leaf_of(root, address), next = root.leaf(at).begun(address);
  if (next && root.leaf(at).last(next - 1) >= address) return {at, next - 1};
  if (!next && at) {
    const size_t last = root.leaf(at - 1).count() - 1;
    if (root.leaf(at - 1).last(last) >= address) return {at - 1, last};
  }
  return next < root.leaf(at).count() ? Position{at, next} : Position{at + 1, 0};
}

MappingTable::Erased MappingTable::erase(InclusiveRange range) {
  const Root& root = *root_.load(std::memory_order_relaxed);
  const Position begin = first_at(root, range.first);
  if (begin.leaf == root.size()) return {};
  const u64 first = root.leaf(begin.leaf).first(begin.at);
  if (first > range.last) return {};
  if (first < range.first) return {.split = true};
  // One behind the last mapping that begins in the range.
  size_t leaf = begin.leaf;
  if (leaf + 1 < root.size() && root.firsts[leaf + 1] <= range.last) {
    leaf = leaf_of(root, range.last);
    while (root.leaf(leaf).first(0) > range.last) leaf--;
  }
  const Position end{leaf, root.leaf(leaf).begun(range.last)};
  const u64 last = root.leaf(leaf).last(end.at - 1);
  if (last > range.last) return {.split = true};
  Erased erased{end.at - begin.at, {first, last}};
  for (size_t i = begin.leaf; i < end.leaf; i++) erased.count += root.leaf(i).count();
  size_.fetch_sub(erased.count, std::memory_order_relaxed);
  erase_between(begin, end);
  return erased;
}

// Leaves that keep something stay, or share a leaf with a neighbour: memory follows the number of mappings.
void MappingTable::erase_between(Position begin, Position end) {
  const Root& root = *root_.load(std::memory_order_relaxed);
  size_t from = begin.leaf, to = end.leaf + 1;
  const size_t tail = root.leaf(end.leaf).count() - end.at, kept = begin.at + tail;
  const bool alone = from + 1 == to;
  auto absorbs = [&](size_t leaf) { return root.leaf(leaf).count() + kept <= kCapacity / 2; };
  const bool few = !alone || kept < kFew;
  const bool left = few && from > 0 && absorbs(from - 1),
             right = few && !left && to < root.size() && absorbs(to);
  if (alone && kept && !left && !right) return root.leaf(from).erase(begin.at, end.at);
  std::vector<Mapping> entries;
  entries.reserve(kCapacity);
  if (left) from--, root.leaf(from).append_to(entries, 0, root.leaf(from).count());
  root.leaf(begin.leaf).append_to(entries, 0, begin.at);
  root.leaf(end.leaf).append_to(entries, end.at, end.at + tail);
  if (right) root.leaf(to).append_to(entries, 0, root.leaf(to).count()), to++;
  replace(from, to, entries);
}

void MappingTable::replace(size_t from, size_t to, std::span<const Mapping> entries, size_t first) {
  const Root& old = *root_.load(std::memory_order_relaxed);
  auto root = std::make_unique<Root>();
  const size_t pieces = (entries.size() + kCapacity - 1) / kCapacity;
  const size_t size = old.size() - (to - from) + pieces;
  root->firsts.reserve(size), root->leaves.reserve(size);
  auto keep = [&](size_t begin, size_t end) {
    root->firsts.insert(root->firsts.end(), old.firsts.begin() + i64(begin), old.firsts.begin() + i64(end));
    root->leaves.insert(root->leaves.end(), old.leaves.begin() + i64(begin), old.leaves.begin() + i64(end));
  };
  keep(0, from);
  for (size_t left = pieces; left; left--) {
    const size_t n = first && left == pieces ? first : (entries.size() + left - 1) / left;
    root->firsts.push_back(entries.front().input.first);
    root->leaves.push_back(new Leaf(entries.first(n)));
    entries = entries.subspan(n);
  }
  keep(to, old.size());
  if (size) root->firsts[0] = 0;
  struct Garbage {
    std::unique_ptr<const Root> root;
    std::vector<std::unique_ptr<const Leaf>> leaves;
  };
  auto garbage = std::make_shared<Garbage>();
  for (size_t i = from; i < to; i++) garbage->leaves.emplace_back(old.leaves[i]);
  garbage->root.reset(root_.exchange(root.release(), std::memory_order_seq_cst));
  epochs_.retire(std::move(garbage));
}

}  // namespace sluice
