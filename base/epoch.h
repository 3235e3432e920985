// base/epoch.h: quiescent-state reclamation: frees what lock-free readers may still look at, once they
// cannot. A thread that reads all the time (a vCPU) registers, and calls `safe_point` where it holds no
// protected pointer. Everybody else puts a Guard around a short read. Readers then pay one load.
#pragma once
#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "base/types.h"

namespace sluice {

class EpochDomain {
  struct alignas(64) Slot {
    std::atomic<u64> seen{0};  // the epoch at which this reader held nothing; 0 = not reading
  };

 public:
  EpochDomain();
  ~EpochDomain();  // nobody reads any more: frees all that is left
  EpochDomain(const EpochDomain&) = delete;
  EpochDomain& operator=(const EpochDomain&) = delete;

  // The calling thread reads without guards until this object dies. One per thread and domain, on its own
  // stack.
  class Thread {
   public:
    explicit Thread(EpochDomain& domain);
    ~Thread();
    Thread(const Thread&) = delete;
    Thread& operator=(const Thread&) = delete;
    // The thread holds no protected pointer at this moment.
    void safe_point() {
      u64 now = domain_.epoch_.load(std::memory_order_seq_cst);
      if (slot_.seen.load(std::memory_order_relaxed) != now) pass(now);
    }
    // Between these two the thread reads nothing (it sleeps, say) and keeps nobody waiting.
    void go_offline();
    void go_online();

   private:
    friend EpochDomain;
    void pass(u64 now);
    EpochDomain& domain_;
    Slot slot_;
    unsigned guards_ = 0;
    Thread* outer_;  // the same thread's registration with another domain
  };

  // Protects what the calling thread reads until the end of the scope. Costs nothing on a registered thread.
  // Never wait for another thread inside one.
  class Guard {
   public:
    explicit Guard(EpochDomain& domain);
    ~Guard();
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    friend EpochDomain;
    EpochDomain& domain_;
    Thread* thread_ = nullptr;
    Slot* slot_ = nullptr;
    Guard* outer_ = nullptr;
    bool brought_online_ = false;
  };

  // Drops `object` once every reader that could have seen it has passed a safe point. It must be unreachable
  // for new readers already.
  void retire(std::shared_ptr<const void> object);
  // Frees what can be freed now. Called by `retire` and at safe points; call it when idle.
  void reclaim();
  size_t retired() const { return retired_count_.load(std::memory_order_relaxed); }

  // Starts a new epoch and returns it; `guards_passed(e)` tells whether every Guard of another thread that
  // began before it has ended (registered threads are not asked). `wait_for_guards` sleeps until then.
  u64 advance() { return epoch_.fetch_add(1, std::memory_order_seq_cst) + 1; }
  bool guards_passed(u64 epoch) const;
  void wait_for_guards(u64 epoch);

 private:
  static constexpr size_t kGuardSlots = 64;
  struct Retired {
    u64 epoch;
    std::shared_ptr<const void> object;
  };
  Thread* registration() const;
  u64 oldest_reader() const;  // call with mutex_ held
  void guard_released();

  std::atomic<u64> epoch_{1};
  std::atomic<size_t> retired_count_{0};
  std::atomic<u32> guard_waiters_{0};
  std::atomic<u32> guard_releases_{0};
  mutable std::mutex mutex_;
  std::vector<Thread*> threads_;
  std::vector<Retired> retired_;
  std::array<Slot, kGuardSlots> guards_;
};

}  // namespace sluice
