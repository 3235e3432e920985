// memory/address_space.h: an address space as an initiator sees it, and transactions in it.
#pragma once
#include <atomic>
#include <memory>
#include <span>
#include <string>

#include "memory/topology.h"

namespace sluice {

class AddressSpace {
 public:
  AddressSpace(Topology& topology, std::string name, std::shared_ptr<Region> root);
  ~AddressSpace();
  AddressSpace(const AddressSpace&) = delete;
  AddressSpace& operator=(const AddressSpace&) = delete;

  const std::string& name() const { return name_; }
  const std::shared_ptr<Region>& root() const { return root_; }
  Topology& topology() const { return topology_; }
  InvalidationHub& hub() const { return topology_.hub(); }

  // Valid until the calling thread's next safe point, or the end of its EpochDomain::Guard.
  const FlatView& view() const { return *view_.load(std::memory_order_seq_cst); }

  // One bus access of 1, 2, 4 or 8 bytes, value in the low bits, little endian. Naturally aligned accesses to
  // RAM are single-copy atomic; others are split.
  MemTxResult load(GuestPhysAddr address, unsigned size, u64& value, MemTxAttrs attrs) const;
  MemTxResult store(GuestPhysAddr address, unsigned size, u64 value, MemTxAttrs attrs) const;
  // Any length, in ascending pieces. Stops at the first piece that fails; what follows is untouched (read:
  // zero).
  MemTxResult read(GuestPhysAddr address, std::span<std::byte> bytes, MemTxAttrs attrs) const;
  MemTxResult write(GuestPhysAddr address, std::span<const std::byte> bytes, MemTxAttrs attrs) const;
  // For the debugger and the monitor: no side effect anywhere, reaches memory only, and may write ROM.
  MemTxResult peek(GuestPhysAddr address, std::span<std::byte> bytes, MemTxAttrs attrs) const;
  MemTxResult poke(GuestPhysAddr address, std::span<const std::byte> bytes, MemTxAttrs attrs) const;

 private:
  friend Topology;
  Topology& topology_;
  const std::string name_;
  const std::shared_ptr<Region> root_;
  std::atomic<const FlatView*> view_{nullptr};
  std::shared_ptr<const FlatView> owned_view_;  // keeps *view_; the topology's lock protects it
};

// `info mtree` and `info mtree -f`.
std::string describe_memory_tree(Topology& topology);
std::string describe_flat_views(Topology& topology);

}  // namespace sluice
