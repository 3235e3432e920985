// memory/topology.h: the only way to change a memory map: inside a transaction, all at once.
#pragma once
#include <mutex>
#include <vector>

#include "memory/flat_view.h"
#include "memory/invalidation.h"

namespace sluice {

class AddressSpace;

// One per machine. Any thread may begin a transaction; they take turns, and nest on one thread.
class Topology {
 public:
  explicit Topology(InvalidationHub& hub) : hub_(hub) {}
  ~Topology();
  Topology(const Topology&) = delete;
  Topology& operator=(const Topology&) = delete;

  // begin ... commit. The outermost commit renders, swaps, tells the participants and completes before it
  // returns (inside an MMIO access: before that access retires). Destroying it commits.
  class Transaction {
   public:
    explicit Transaction(Topology& topology);
    ~Transaction();
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;

    // False, and nothing changes, for a parent that is an alias or a child that would contain itself.
    bool add(Region& parent, u64 offset, std::shared_ptr<Region> child, int priority = 0);
    bool remove(Region& parent, const Region& child);
    bool move(Region& parent, const Region& child, u64 offset);
    void set_enabled(Region& region, bool enabled);
    void set_alias_offset(AliasRegion& alias, u64 target_offset);
    void set_reads_memory(RomDeviceRegion& region, bool reads_memory);
    void commit();

   private:
    Topology& topology_;
    bool open_ = true;
  };

  InvalidationHub& hub() const { return hub_; }
  // Calls `visit` for every address space, in order of creation, while no transaction can run.
  template <class F>
  void for_each_space(F&& visit) {
    std::lock_guard lock{mutex_};
    for (AddressSpace* space : spaces_) visit(*space);
  }

 private:
  friend AddressSpace;
  void add_space(AddressSpace& space);
  void remove_space(AddressSpace& space);
  bool finish(Ticket& ticket);
  bool contains(const Region& outer, const Region& inner, unsigned depth = 0) const;
  static Region::Child* find_child(Region& parent, const Region& child);

  InvalidationHub& hub_;
  std::recursive_mutex mutex_;
  unsigned depth_ = 0;
  bool dirty_ = false;
  std::vector<AddressSpace*> spaces_;
};

}  // namespace sluice
