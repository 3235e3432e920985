// memory/invalidation.h: the one way in which a cached translation dies (docs/invalidation.md).
// commit -> publish -> mailbox -> acknowledge at a safe point -> complete. Nobody waits while holding a lock.
#pragma once
#include <atomic>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/epoch.h"
#include "base/subscription.h"
#include "memory/attrs.h"

namespace sluice {

class AddressSpace;
class GuestRam;
class IommuRegion;
class InvalidationHub;

// The translation context inside one IOMMU: an open key that only the IOMMU understands.
enum class IommuIndex : u64 {};

// "Forget what you derived from this." Ranges are offsets into the region, and may exceed it: holders clip.
struct IommuUnmap {
  IommuIndex index{};
  bool all_indexes = false;
  InclusiveRange range{};
};

// --- Messages: small values, no closures -------------------------------------------------------------------
struct FullFlush {};  // drop everything: translations and translated code
struct IommuUnmapped {
  const IommuRegion* region = nullptr;  // an identity: may be dead already, do not look inside
  IommuUnmap unmap;
};
struct TopologyChanged {
  const AddressSpace* space = nullptr;  // nullptr: any of them
  InclusiveRange range{};
};
struct Pod32 {
  alignas(8) u8 bytes[32];
  template <class T>
  static Pod32 of(const T& value) {
    static_assert(sizeof(T) <= 32 && std::is_trivially_copyable_v<T>);
    Pod32 p{};
    std::memcpy(p.bytes, &value, sizeof value);
    return p;
  }
  template <class T>
  T as() const {
    static_assert(sizeof(T) <= 32 && std::is_trivially_copyable_v<T>);
    T value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
  }
};
struct Tlbi {
  Pod32 operation;  // defined by the PE
};
struct InstructionCacheInvalidate {
  const GuestRam* ram = nullptr;
  u64 offset = 0, length = 0;
};
struct CodePageProtect {  // a page got its first code: stores to it must leave the fast path
  const GuestRam* ram = nullptr;
  u64 page = 0;
};
struct Custom {
  u32 tag = 0;
  Pod32 data{};
};
using Invalidation = std::variant<FullFlush, IommuUnmapped, TopologyChanged, Tlbi, InstructionCacheInvalidate,
                                  CodePageProtect, Custom>;

// What to wait for. The later of two covers both.
struct Ticket {
  u64 sequence = 0;
  u64 epoch = 0;
  void merge(Ticket other) {
    sequence = sequence > other.sequence ? sequence : other.sequence;
    epoch = epoch > other.epoch ? epoch : other.epoch;
  }
};

// Somebody who holds derived translations. A ticket is complete when every holder either is idle (uses
// nothing and looks at its mail before it uses anything again) or has no unprocessed mail of that age.
class InvalidationHolder {
 public:
  static constexpr u64 kNone = std::numeric_limits<u64>::max();
  InvalidationHolder(const InvalidationHolder&) = delete;
  InvalidationHolder& operator=(const InvalidationHolder&) = delete;

 protected:
  explicit InvalidationHolder(InvalidationHub& hub) : hub_(hub) {}
  virtual ~InvalidationHolder() = default;
  void attach();  // last in the derived constructor: broadcasts arrive from now on
  void detach();  // first in the derived destructor
  // Any thread, with the hub's lock held: must not call the hub.
  virtual void receive(const Invalidation& message) = 0;
  bool acknowledged(u64 sequence) const {
    return oldest_pending_.load(std::memory_order_seq_cst) > sequence ||
           !active_.load(std::memory_order_seq_cst);
  }
  u64 next_sequence();
  void made_progress();  // after oldest_pending_ or active_ has changed: somebody may wait for it
  InvalidationHub& hub_;
  std::atomic<u64> oldest_pending_{kNone};
  std::atomic<bool> active_{false};

 private:
  friend InvalidationHub;
};

// A PE, an IOMMU with a cache, a DMA device with an ATC: one thread at a time owns it ("runs" it), everybody
// else posts. It starts Quiescent.
class Participant final : public InvalidationHolder {
 public:
  enum class Kind : u8 { Pe, Iommu, Device };
  using Handler = std::function<void(const Invalidation&)>;
  static constexpr size_t kMailboxLimit = 1024;  // beyond it, all mail becomes one FullFlush

  // `apply` runs on the owner's thread, inside drain() and when it leaves quiescence; it must not wait or
  // post.
  Participant(InvalidationHub& hub, Kind kind, std::string name, Handler apply);
  ~Participant();

  const std::string& name() const { return name_; }
  Kind kind() const { return kind_; }
  InvalidationHub& hub() const { return hub_; }

  // --- The owner's side ---
  // Bit 0 of `word` is set by whoever posts, so that translated code leaves at its next poll; drain() clears
  // it *before* it reads the mail. The other bits are the owner's. `wake` is called for Custom mail only: one
  // that sleeps counts as acknowledged, so plain invalidations let it sleep. Both are set once, before any
  // mail.
  static constexpr u32 kAttentionMail = 1;
  void set_attention(std::atomic<u32>* word) { attention_ = word; }
  void set_wake(std::function<void()> wake) { wake_ = std::move(wake); }
  // Cheap when there is no mail.
  bool has_mail() const { return oldest_pending_.load(std::memory_order_seq_cst) != kNone; }
  // A safe point: the owner uses no translation right now. Applies all mail, then acknowledges it.
  // A vCPU calls EpochDomain::Thread::safe_point() just *before* this, and runs no guest code in between.
  void drain();
  // Counts drains that applied something: a fill that saw another value must be dropped.
  u64 drains() const { return drains_; }
  void leave_quiescent();  // drains, then runs on the calling thread
  void enter_quiescent();
  bool quiescent() const { return !active_.load(std::memory_order_seq_cst); }

  // Hears of this IOMMU's unmaps from now on (once per region, however often it is called). Owner only.
  void follow(IommuRegion& region);
  size_t followed() const { return followed_.size(); }

  // RAII forms.
  class Running {
   public:
    explicit Running(Participant& p) : p_(p) { p_.leave_quiescent(); }
    ~Running() { p_.enter_quiescent(); }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

   private:
    Participant& p_;
  };
  class Quiescent {
   public:
    explicit Quiescent(Participant& p) : p_(p) { p_.enter_quiescent(); }
    ~Quiescent() { p_.leave_quiescent(); }
    Quiescent(const Quiescent&) = delete;
    Quiescent& operator=(const Quiescent&) = delete;

   private:
    Participant& p_;
  };

  // --- Everybody's side ---
  Ticket post(const Invalidation& message);
  // False when the mailbox holds kMailboxLimit / 2 of them already: nothing was posted.
  bool post_custom(const Custom& message);

  struct Counters {
    u64 posted = 0, coalesced = 0, full_flushes = 0, drains = 0;
  };
  Counters counters() const;

 private:
  friend InvalidationHub;
  struct Mail {
    u64 sequence;
    Invalidation message;
  };
  struct Link;
  void push(const Invalidation& message);  // call with mutex_ held
  void coalesce();
  void receive(const Invalidation& message) override;
  void signal();

  const Kind kind_;
  const std::string name_;
  const Handler apply_;
  std::function<void()> wake_;
  std::atomic<u32>* attention_ = nullptr;
  mutable std::mutex mutex_;
  std::vector<Mail> mailbox_;
  std::vector<Mail> taken_;  // the owner's: what it is applying
  Counters counters_;
  size_t customs_ = 0;       // of the mailbox
  bool full_flush_ = false;  // the mailbox holds one: nothing but Custom needs to be added
  u64 drains_ = 0;
  bool draining_ = false;
  Participant* outer_ = nullptr;  // another one that the same thread runs
  const IommuRegion* last_followed_ = nullptr;
  u64 region_deaths_seen_ = 0;
  std::unordered_map<const IommuRegion*, std::unique_ptr<Link>> followed_;
};

// One per machine.
class InvalidationHub {
 public:
  InvalidationHub();
  ~InvalidationHub();
  InvalidationHub(const InvalidationHub&) = delete;
  InvalidationHub& operator=(const InvalidationHub&) = delete;

  // The readers of this machine's FlatViews and code.
  EpochDomain& epochs() { return epochs_; }

  // To every participant of `kind`, except one.
  Ticket broadcast(Participant::Kind kind, const Invalidation& message, const Participant* except = nullptr);
  // To every holder of any kind.
  Ticket broadcast(const Invalidation& message);
  // Everything that was posted and every transaction that was in flight before this call.
  Ticket ticket();

  bool is_complete(Ticket ticket) const;
  // Blocks until complete, with the participants that the calling thread runs Quiescent meanwhile (they have
  // drained when it returns). Call it with no lock and no Guard held.
  void wait(Ticket ticket);
  // What device code calls: inside a CompletionScope (any MMIO access) it only notes the ticket, and the MMIO
  // layer waits after it has unlocked the device and before the access retires; otherwise it waits here, so
  // that code which takes the device's lock itself (a timer, a socket) opens a CompletionScope first. `then`
  // runs after the wait, without any lock: for state that shows completion (CMD_SYNC's CONS, CR0ACK).
  void complete(Ticket ticket, std::function<void()> then = {});

  // Bumped by every change of any memory map; see FillGuard.
  u64 topology_generation() const { return topology_generation_.load(std::memory_order_seq_cst); }
  void topology_committed() { topology_generation_.fetch_add(1, std::memory_order_seq_cst); }

  struct Counters {
    u64 tickets_waited = 0, waits_that_slept = 0;
  };
  Counters counters() const;

 private:
  friend InvalidationHolder;
  friend IommuRegion;
  friend Participant;
  u64 next_sequence() { return sequence_.fetch_add(1, std::memory_order_seq_cst) + 1; }
  void acknowledged();
  void region_died() { region_deaths_.fetch_add(1, std::memory_order_seq_cst); }
  bool holders_done(u64 sequence) const;

  EpochDomain epochs_;
  std::atomic<u64> sequence_{0};
  std::atomic<u64> topology_generation_{1};
  std::atomic<u32> waiters_{0};
  std::atomic<u32> progress_{0};
  std::atomic<u64> waited_{0}, slept_{0};
  std::atomic<u64> region_deaths_{0};
  mutable std::mutex mutex_;
  std::vector<InvalidationHolder*> holders_;
  std::vector<Participant*> participants_;
};

// The MMIO layer's bracket around one access, and a device's around work that it does under its own lock
// outside of any access. Its end waits for what was noted; only the outermost one of a thread does. Open it
// before any lock and any Guard, so that it ends after them.
class CompletionScope {
 public:
  CompletionScope();
  ~CompletionScope();
  CompletionScope(const CompletionScope&) = delete;
  CompletionScope& operator=(const CompletionScope&) = delete;

 private:
  friend InvalidationHub;
  struct Noted {
    InvalidationHub* hub;
    Ticket ticket;
    std::function<void()> then;
  };
  static CompletionScope* current();
  std::vector<Noted> noted_;
};

}  // namespace sluice
