// memory/mapping_table.h: which ranges of an IOMMU's input space go where. Every entry has its true size,
// from one byte to all 2^64; no byte beside it is reachable through it. A two-level B+ tree whose nodes never
// change once they can be seen (docs/decisions/011-mapping-table.md): a lookup takes no lock and runs
// while one other thread inserts or erases.
#pragma once
#include <atomic>
#include <memory>
#include <span>
#include <vector>

#include "base/epoch.h"
#include "memory/attrs.h"

namespace sluice {

class AddressSpace;

struct Mapping {
  InclusiveRange input;
  u64 output;  // where input.first goes, in *target
  const AddressSpace* target;
  Access rights;
  bool mmio;  // device registers, by the word of whoever mapped them

  bool operator==(const Mapping&) const = default;
};

class MappingTable {
  struct Leaf;
  struct Root;

 public:
  explicit MappingTable(EpochDomain& epochs);
  ~MappingTable();  // nobody reads any more
  MappingTable(const MappingTable&) = delete;
  MappingTable& operator=(const MappingTable&) = delete;

  // --- Any thread, inside an EpochDomain::Guard; what they return lives until its end. ---
  // The mapping around `address`, or nullptr and the hole around it.
  struct Found {
    const Mapping* mapping;
    InclusiveRange hole;
  };
  Found find(u64 address) const;
  size_t size() const { return size_.load(std::memory_order_relaxed); }
  // In ascending order; what is changed meanwhile may be missed or seen.
  template <class F>
  void for_each(F&& visit) const {
    for (const Mapping* m = first_from(0); m;) {
      visit(*m);
      m = m->input.last == ~u64{0} ? nullptr : first_from(m->input.last + 1);
    }
  }
  // The mapping with the lowest addresses of those that reach `address` or beyond; nullptr: none.
  const Mapping* first_from(u64 address) const;
  bool overlaps(InclusiveRange range) const;
  // Whether a mapping lies partly inside and partly outside of `range`.
  bool would_split(InclusiveRange range) const;

  // --- One thread at a time. ---
  // False, and nothing changes: it overlaps an entry, or its range is upside down.
  bool insert(const Mapping& mapping);
  // Removes all entries in `range`. Nothing, with `split` set, if one of them sticks out.
  struct Erased {
    size_t count = 0;
    InclusiveRange hull{};  // from the first byte of the first to the last byte of the last
    bool split = false;
  };
  Erased erase(InclusiveRange range);

 private:
  struct Garbage;  // old nodes: given back to the host in batches, when nobody can read them any more
  void release_garbage();
  bool cuts(const Mapping& first, InclusiveRange range) const;
  static size_t leaf_of(const Root& root, u64 address);
  void swap_leaf(Root& root, size_t at, std::unique_ptr<Leaf> leaf);
  // Leaves [from, to) give way to `entries`: leaves of equal size, or `first` of them in the first of two.
  void replace(size_t from, size_t to, std::vector<Mapping> entries, size_t first = 0);
  void merge(size_t from, size_t to, std::span<const Mapping> head, std::span<const Mapping> tail);
  void swap_root(std::unique_ptr<Root> root);

  EpochDomain& epochs_;
  std::atomic<Root*> root_;
  std::atomic<size_t> size_{0};
  std::shared_ptr<Garbage> garbage_;
};

}  // namespace sluice
