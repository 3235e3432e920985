#include "base/epoch.h"

#include <algorithm>
#include <limits>
#include <thread>

namespace sluice {
namespace {

// Who the calling thread is, to the domains that it reads in. Nothing here is shared between threads.
thread_local EpochDomain::Thread* t_registrations = nullptr;
thread_local EpochDomain::Guard* t_guards = nullptr;

}  // namespace

EpochDomain::EpochDomain() = default;
EpochDomain::~EpochDomain() = default;

EpochDomain::Thread* EpochDomain::registration() const {
  for (Thread* t = t_registrations; t; t = t->outer_)
    if (&t->domain_ == this) return t;
  return nullptr;
}

EpochDomain::Thread::Thread(EpochDomain& domain) : domain_(domain), outer_(t_registrations) {
  std::lock_guard lock{domain.mutex_};
  domain.threads_.push_back(this);
  t_registrations = this;
  slot_.seen.store(domain.epoch_.load(std::memory_order_seq_cst), std::memory_order_seq_cst);
}

EpochDomain::Thread::~Thread() {
  {
    std::lock_guard lock{domain_.mutex_};
    std::erase(domain_.threads_, this);
  }
  Thread** link = &t_registrations;
  while (*link != this) link = &(*link)->outer_;
  *link = outer_;
  domain_.reclaim();
}

void EpochDomain::Thread::pass(u64 now) {
  // Inside a guard the thread still holds pointers; offline it has nothing to say.
  if (guards_ || !slot_.seen.load(std::memory_order_relaxed)) return;
  slot_.seen.store(now, std::memory_order_seq_cst);
  if (domain_.retired()) domain_.reclaim();
}

void EpochDomain::Thread::go_offline() {
  slot_.seen.store(0, std::memory_order_seq_cst);
  if (domain_.retired()) domain_.reclaim();
}

void EpochDomain::Thread::go_online() {
  // Sequentially consistent, like the pointer loads that follow: whoever scans and misses this store has
  // swapped its pointer before we load it.
  slot_.seen.store(domain_.epoch_.load(std::memory_order_seq_cst), std::memory_order_seq_cst);
}

EpochDomain::Guard::Guard(EpochDomain& domain) : domain_(domain) {
  thread_ = domain.registration();
  if (thread_) {
    thread_->guards_++;
    brought_online_ = !thread_->slot_.seen.load(std::memory_order_relaxed);
    if (brought_online_) thread_->go_online();
    return;
  }
  outer_ = t_guards;
  t_guards = this;
  for (Guard* g = outer_; g; g = g->outer_)
    if (&g->domain_ == &domain) return;  // nested: the outer one protects us too
  size_t at = (reinterpret_cast<uintptr_t>(&t_guards) >> 6) % kGuardSlots;
  for (size_t tries = 0;; tries++, at = (at + 1) % kGuardSlots) {
    u64 free = 0;
    Slot& slot = domain.guards_[at];
    if (slot.seen.compare_exchange_strong(free, domain.epoch_.load(std::memory_order_seq_cst),
                                          std::memory_order_seq_cst)) {
      slot_ = &slot;
      return;
    }
    if (tries % kGuardSlots == kGuardSlots - 1)
      std::this_thread::yield();  // 64 readers at once: wait for one
  }
}

EpochDomain::Guard::~Guard() {
  if (thread_) {
    thread_->guards_--;
    if (brought_online_) thread_->go_offline();
    return;
  }
  Guard** link = &t_guards;
  while (*link != this) link = &(*link)->outer_;
  *link = outer_;
  if (!slot_) return;
  slot_->seen.store(0, std::memory_order_seq_cst);
  domain_.guard_released();
}

void EpochDomain::guard_released() {
  if (guard_waiters_.load(std::memory_order_seq_cst)) {
    guard_releases_.fetch_add(1, std::memory_order_seq_cst);
    guard_releases_.notify_all();
  }
  if (retired()) reclaim();
}

void EpochDomain::retire(std::shared_ptr<const void> object) {
  {
    std::lock_guard lock{mutex_};
    retired_.push_back({advance(), std::move(object)});
    retired_count_.store(retired_.size(), std::memory_order_relaxed);
  }
  reclaim();
}

u64 EpochDomain::oldest_reader() const {
  u64 oldest = std::numeric_limits<u64>::max();
  auto consider = [&](const Slot& slot) {
    u64 seen = slot.seen.load(std::memory_order_seq_cst);
    if (seen) oldest = std::min(oldest, seen);
  };
  for (const Thread* t : threads_) consider(t->slot_);
  for (const Slot& slot : guards_) consider(slot);
  return oldest;
}

void EpochDomain::reclaim() {
  std::vector<std::shared_ptr<const void>> free;  // destroyed after the lock: destructors may retire more
  {
    std::lock_guard lock{mutex_};
    u64 oldest = oldest_reader();
    auto kept = std::remove_if(retired_.begin(), retired_.end(), [&](Retired& r) {
      if (r.epoch > oldest) return false;
      free.push_back(std::move(r.object));
      return true;
    });
    retired_.erase(kept, retired_.end());
    retired_count_.store(retired_.size(), std::memory_order_relaxed);
  }
}

bool EpochDomain::guards_passed(u64 epoch) const {
  const Slot* own = nullptr;
  for (Guard* g = t_guards; g; g = g->outer_)
    if (&g->domain_ == this && g->slot_) own = g->slot_;
  return std::all_of(guards_.begin(), guards_.end(), [&](const Slot& slot) {
    u64 seen = slot.seen.load(std::memory_order_seq_cst);
    return !seen || seen >= epoch || &slot == own;
  });
}

void EpochDomain::wait_for_guards(u64 epoch) {
  if (guards_passed(epoch)) return;
  guard_waiters_.fetch_add(1, std::memory_order_seq_cst);
  for (;;) {
    u32 releases = guard_releases_.load(std::memory_order_seq_cst);
    if (guards_passed(epoch)) break;
    guard_releases_.wait(releases, std::memory_order_seq_cst);
  }
  guard_waiters_.fetch_sub(1, std::memory_order_seq_cst);
}

}  // namespace sluice
