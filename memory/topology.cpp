#include "memory/topology.h"

#include <algorithm>
#include <cassert>
#include <map>

#include "memory/address_space.h"

namespace sluice {

Topology::~Topology() { assert(spaces_.empty()); }

Topology::Transaction::Transaction(Topology& topology) : topology_(topology) {
  topology_.mutex_.lock();
  topology_.depth_++;
}

Topology::Transaction::~Transaction() { commit(); }

void Topology::Transaction::commit() {
  if (!open_) return;
  open_ = false;
  Ticket ticket;
  bool changed = topology_.finish(ticket);
  topology_.mutex_.unlock();
  // Without our lock: somebody who has to acknowledge may want it.
  if (changed) topology_.hub_.complete(ticket);
}

// Whether `inner` is shown anywhere below `outer`, or is it.
bool Topology::contains(const Region& outer, const Region& inner, unsigned depth) const {
  if (&outer == &inner) return true;
  if (depth > 64) return true;  // no board is as deep as that: refuse
  if (outer.kind() == Region::Kind::Alias)
    return contains(*static_cast<const AliasRegion&>(outer).target(), inner, depth + 1);
  return std::any_of(outer.children().begin(), outer.children().end(),
                     [&](const Region::Child& c) { return contains(*c.region, inner, depth + 1); });
}

Region::Child* Topology::find_child(Region& parent, const Region& child) {
  auto it = std::find_if(parent.children_.begin(), parent.children_.end(),
                         [&](const Region::Child& c) { return c.region.get() == &child; });
  return it == parent.children_.end() ? nullptr : &*it;
}

bool Topology::Transaction::add(Region& parent, u64 offset, std::shared_ptr<Region> child, int priority) {
  if (parent.kind() == Region::Kind::Alias || !child || topology_.contains(*child, parent)) return false;
  auto& children = parent.children_;
  auto before = std::find_if(children.begin(), children.end(),
                             [&](const Region::Child& c) { return c.priority <= priority; });
  children.insert(before, {std::move(child), offset, priority});
  topology_.dirty_ = true;
  return true;
}

bool Topology::Transaction::remove(Region& parent, const Region& child) {
  Region::Child* found = find_child(parent, child);
  if (!found) return false;
  parent.children_.erase(parent.children_.begin() + (found - parent.children_.data()));
  topology_.dirty_ = true;
  return true;
}

bool Topology::Transaction::move(Region& parent, const Region& child, u64 offset) {
  Region::Child* found = find_child(parent, child);
  if (!found) return false;
  found->offset = offset;
  topology_.dirty_ = true;
  return true;
}

void Topology::Transaction::set_enabled(Region& region, bool enabled) {
  topology_.dirty_ |= region.enabled_ != enabled;
  region.enabled_ = enabled;
}

void Topology::Transaction::set_alias_offset(AliasRegion& alias, u64 target_offset) {
  topology_.dirty_ |= alias.target_offset_ != target_offset;
  alias.target_offset_ = target_offset;
}

void Topology::Transaction::set_reads_memory(RomDeviceRegion& region, bool reads_memory) {
  topology_.dirty_ |= region.reads_memory() != reads_memory;
  region.reads_memory_.store(reads_memory, std::memory_order_relaxed);
}

// Swap, move the generation, tell everybody, and only then let the old views go: whoever passes a safe point
// after that has the message in its mailbox.
bool Topology::finish(Ticket& ticket) {
  if (--depth_ || !dirty_) return false;
  dirty_ = false;
  std::map<const Region*, std::shared_ptr<const FlatView>> rendered;  // spaces with one root share a view
  std::vector<TopologyChanged> changes;
  std::vector<std::shared_ptr<const FlatView>> old;
  for (AddressSpace* space : spaces_) {
    auto& view = rendered[space->root_.get()];
    if (!view) view = FlatView::render(space->root_);
    TopologyChanged change{space, {}};
    if (!space->owned_view_->difference(*view, change.range)) continue;
    old.push_back(std::exchange(space->owned_view_, view));
    space->view_.store(view.get(), std::memory_order_seq_cst);
    changes.push_back(change);
  }
  if (changes.empty()) return false;
  hub_.topology_committed();
  for (const TopologyChanged& change : changes) hub_.broadcast(change);
  ticket = hub_.ticket();
  for (auto& view : old) hub_.epochs().retire(std::move(view));
  return true;
}

void Topology::add_space(AddressSpace& space) {
  std::lock_guard lock{mutex_};
  // A space with a known root shares its view.
  for (AddressSpace* other : spaces_)
    if (other->root_ == space.root_) space.owned_view_ = other->owned_view_;
  if (!space.owned_view_ || dirty_) space.owned_view_ = FlatView::render(space.root_);
  space.view_.store(space.owned_view_.get(), std::memory_order_seq_cst);
  spaces_.push_back(&space);
}

void Topology::remove_space(AddressSpace& space) {
  std::lock_guard lock{mutex_};
  std::erase(spaces_, &space);
  hub_.topology_committed();
  hub_.broadcast(TopologyChanged{&space, {}});
  hub_.epochs().retire(std::move(space.owned_view_));
}

}  // namespace sluice
