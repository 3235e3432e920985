// memory/mapping_table.h: which ranges of an IOMMU's input space go where. Every entry has its true size,
// from one byte to all 2^64; no byte beside it is reachable through it. A B+ tree of two levels
// (docs/decisions/011-mapping-table.md): a lookup takes no lock and runs while one other thread inserts or
// erases.
#pragma once
#include <atomic>
#include <memory>
#include <optional>
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
  class Leaf;
  struct Root;

 public:
  explicit MappingTable(EpochDomain& epochs);
  ~MappingTable();  // nobody reads any more
  MappingTable(const MappingTable&) = delete;
  MappingTable& operator=(const MappingTable&) = delete;

  // --- Any thread, inside an EpochDomain::Guard. ---
  // The mapping around `address`, or the hole around it.
  struct Found {
    std::optional<Mapping> mapping;
    InclusiveRange hole{};
  };
  Found find(u64 address) const;
  size_t size() const { return size_.load(std::memory_order_relaxed); }
  // In ascending order; what is changed meanwhile may be missed or seen.
  template <class F>
  void for_each(F&& visit) const {
    for (std::optional<Mapping> m = first_from(0); m; m = after(*m)) visit(*m);
  }
  // The mapping with the lowest addresses of those that reach `address` or beyond.
  std::optional<Mapping> first_from(u64 address) const;
  std::optional<Mapping> after(const Mapping& m) const {
    return m.input.last == ~u64{0} ? std::nullopt : first_from(m.input.last + 1);
  }
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
  struct Around {
    std::optional<Mapping> before, next;
    bool reaches(u64 address) const { return before && before->input.last >= address; }
  };
  Around around(u64 address) const;
  static size_t leaf_of(const Root& root, u64 address);
  // --- The writer's ---
  struct Position {
    size_t leaf, at;
  };
  static Position first_at(const Root& root, u64 address);
  // Leaves [from, to) give way to `entries`: leaves of equal size, or `first` of them in the first of two.
  void replace(size_t from, size_t to, std::span<const Mapping> entries, size_t first = 0);
  void erase_between(Position begin, Position end);

  EpochDomain& epochs_;
  std::atomic<Root*> root_;
  std::atomic<size_t> size_{0};
};

}  // namespace sluice
