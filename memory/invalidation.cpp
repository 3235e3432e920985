// The protocol of docs/invalidation.md.
// Every message gets a number from one counter; a mailbox knows the number of its oldest unprocessed message.
// So a ticket is just a number, and it is complete when no active holder has anything that old left. The
// pairs of sequentially consistent store and load (post: number, then `active`; run: `active`, then number)
// make sure that either the poster sees that the owner runs, or the owner sees the mail before it runs.
#include "memory/invalidation.h"

#include <algorithm>

#include "memory/iommu_region.h"

namespace sluice {
namespace {

// What the calling thread is doing. Nothing here is shared between threads.
thread_local Participant* t_running = nullptr;    // innermost of those that this thread runs
thread_local CompletionScope* t_scope = nullptr;  // the outermost one

constexpr size_t kManyRetired = 64;  // objects that wait for a safe point

}  // namespace

// --- InvalidationHolder
// --------------------------------------------------------------------------------------

void InvalidationHolder::attach() {
  std::lock_guard lock{hub_.mutex_};
  hub_.holders_.push_back(this);
}

void InvalidationHolder::detach() {
  {
    std::lock_guard lock{hub_.mutex_};
    std::erase(hub_.holders_, this);
  }
  hub_.acknowledged();
}

u64 InvalidationHolder::next_sequence() { return hub_.next_sequence(); }
void InvalidationHolder::made_progress() { hub_.acknowledged(); }

// --- Participant
// ---------------------------------------------------------------------------------------------

struct Participant::Link {
  Link(Participant& to, IommuRegion& region)
      : subscription(region.unmaps(), [&to, from = &region](const IommuUnmap& unmap) {
          to.receive(IommuUnmapped{from, unmap});
        }) {}
  IommuRegion::Subscription subscription;
};

Participant::Participant(InvalidationHub& hub, Kind kind, std::string name, Handler apply)
    : InvalidationHolder(hub), kind_(kind), name_(std::move(name)), apply_(std::move(apply)) {
  {
    std::lock_guard lock{hub.mutex_};
    hub.participants_.push_back(this);
  }
  attach();
}

Participant::~Participant() {
  followed_.clear();  // no publisher calls us any more
  {
    std::lock_guard lock{hub_.mutex_};
    std::erase(hub_.participants_, this);
  }
  detach();
}

// Beyond the limit, remembering each message costs more than dropping everything once.
void Participant::coalesce() {
  std::vector<Mail> kept{{mailbox_.front().sequence, FullFlush{}}};
  for (Mail& mail : mailbox_)
    if (std::holds_alternative<Custom>(mail.message)) kept.push_back(std::move(mail));
  counters_.coalesced += mailbox_.size() - (kept.size() - 1);
  counters_.full_flushes++;
  mailbox_ = std::move(kept);
  full_flush_ = true;
}

void Participant::push(const Invalidation& message) {
  bool custom = std::holds_alternative<Custom>(message);
  u64 sequence = next_sequence();
  counters_.posted++;
  if (!custom && full_flush_) {
    counters_.coalesced++;
    return;  // the flush comes after it and covers it
  }
  if (!custom && mailbox_.size() >= kMailboxLimit) {
    coalesce();
    return;
  }
  mailbox_.push_back({sequence, message});
  customs_ += custom;
  full_flush_ |= std::holds_alternative<FullFlush>(message);
  // While the owner applies older mail, the older number stays.
  if (oldest_pending_.load(std::memory_order_relaxed) == kNone)
    oldest_pending_.store(sequence, std::memory_order_seq_cst);
}

void Participant::signal() {
  if (attention_) attention_->fetch_or(kAttentionMail, std::memory_order_seq_cst);
}

void Participant::receive(const Invalidation& message) {
  {
    std::lock_guard lock{mutex_};
    push(message);
  }
  signal();
}

Ticket Participant::post(const Invalidation& message) {
  receive(message);
  return hub_.ticket();
}

bool Participant::post_custom(const Custom& message) {
  {
    std::lock_guard lock{mutex_};
    if (customs_ >= kMailboxLimit / 2) return false;
    push(message);
  }
  signal();
  if (wake_) wake_();
  return true;
}

void Participant::drain() {
  if (attention_ && (attention_->load(std::memory_order_relaxed) & kAttentionMail))
    attention_->fetch_and(~kAttentionMail, std::memory_order_seq_cst);
  if (!has_mail() || draining_) return;
  draining_ = true;
  {
    std::lock_guard lock{mutex_};
    taken_.swap(mailbox_);
    customs_ = 0;
    full_flush_ = false;
    counters_.drains++;
  }
  for (const Mail& mail : taken_) apply_(mail.message);
  taken_.clear();
  drains_++;
  {
    std::lock_guard lock{mutex_};
    oldest_pending_.store(mailbox_.empty() ? kNone : mailbox_.front().sequence, std::memory_order_seq_cst);
  }
  draining_ = false;
  made_progress();
}

void Participant::leave_quiescent() {
  outer_ = t_running;
  t_running = this;
  active_.store(true, std::memory_order_seq_cst);
  drain();
}

void Participant::enter_quiescent() {
  Participant** link = &t_running;
  while (*link && *link != this) link = &(*link)->outer_;
  if (*link) *link = outer_;
  active_.store(false, std::memory_order_seq_cst);
  made_progress();
}

void Participant::follow(IommuRegion& region) {
  u64 deaths = hub_.region_deaths_.load(std::memory_order_seq_cst);
  if (deaths != region_deaths_seen_) {
    // A region may have been rebuilt at a dead one's address: only live links count.
    std::erase_if(followed_, [](const auto& link) { return !link.second->subscription.live(); });
    last_followed_ = nullptr;
    region_deaths_seen_ = deaths;
  }
  if (last_followed_ == &region) return;
  auto& link = followed_[&region];
  if (!link) link = std::make_unique<Link>(*this, region);
  last_followed_ = &region;
}

Participant::Counters Participant::counters() const {
  std::lock_guard lock{mutex_};
  return counters_;
}

// --- InvalidationHub
// -----------------------------------------------------------------------------------------

InvalidationHub::InvalidationHub() = default;
InvalidationHub::~InvalidationHub() = default;

Ticket InvalidationHub::broadcast(Participant::Kind kind, const Invalidation& message,
                                  const Participant* except) {
  bool received = false;
  {
    std::lock_guard lock{mutex_};
    for (Participant* p : participants_)
      if (p != except && p->kind_ == kind) p->receive(message), received = true;
  }
  return received ? ticket() : Ticket{};
}

Ticket InvalidationHub::broadcast(const Invalidation& message) {
  {
    std::lock_guard lock{mutex_};
    for (InvalidationHolder* h : holders_) h->receive(message);
  }
  return ticket();
}

Ticket InvalidationHub::ticket() {
  u64 sequence = sequence_.load(std::memory_order_seq_cst);
  return {sequence, epochs_.advance()};
}

bool InvalidationHub::holders_done(u64 sequence) const {
  std::lock_guard lock{mutex_};
  return std::all_of(holders_.begin(), holders_.end(),
                     [&](const InvalidationHolder* h) { return h->acknowledged(sequence); });
}

bool InvalidationHub::is_complete(Ticket ticket) const {
  return holders_done(ticket.sequence) && epochs_.guards_passed(ticket.epoch);
}

void InvalidationHub::acknowledged() {
  if (!waiters_.load(std::memory_order_seq_cst)) return;
  progress_.fetch_add(1, std::memory_order_seq_cst);
  progress_.notify_all();
}

void InvalidationHub::wait(Ticket ticket) {
  waited_.fetch_add(1, std::memory_order_relaxed);
  if (!is_complete(ticket)) {
    // We use no translation while we wait: two PEs that wait for each other both go on.
    for (Participant* p = t_running; p; p = p->outer_) {
      p->active_.store(false, std::memory_order_seq_cst);
      p->made_progress();
    }
    waiters_.fetch_add(1, std::memory_order_seq_cst);
    for (;;) {
      u32 progress = progress_.load(std::memory_order_seq_cst);
      if (holders_done(ticket.sequence)) break;
      slept_.fetch_add(1, std::memory_order_relaxed);
      progress_.wait(progress, std::memory_order_seq_cst);
    }
    waiters_.fetch_sub(1, std::memory_order_seq_cst);
    epochs_.wait_for_guards(ticket.epoch);
    for (Participant* p = t_running; p; p = p->outer_) {
      p->active_.store(true, std::memory_order_seq_cst);
      p->drain();
    }
  }
  // What has been replaced is freed at safe points. A PE that changes the memory map in a loop comes to none
  // by itself, because it has drained its mail here: it is sent to one, so that it cannot make the host grow.
  if (epochs_.retired() < kManyRetired) return;
  for (Participant* p = t_running; p; p = p->outer_) p->signal();
}

void InvalidationHub::complete(Ticket ticket, std::function<void()> then) {
  if (CompletionScope* scope = CompletionScope::current()) {
    scope->noted_.push_back({this, ticket, std::move(then)});
    return;
  }
  wait(ticket);
  if (then) then();
}

InvalidationHub::Counters InvalidationHub::counters() const {
  return {waited_.load(std::memory_order_relaxed), slept_.load(std::memory_order_relaxed)};
}

// --- CompletionScope
// -----------------------------------------------------------------------------------------

CompletionScope* CompletionScope::current() { return t_scope; }

CompletionScope::CompletionScope() {
  if (!t_scope) t_scope = this;
}

CompletionScope::~CompletionScope() {
  if (t_scope != this) return;
  // What runs after a wait may publish again; it is noted here too.
  while (!noted_.empty()) {
    std::vector<Noted> batch = std::move(noted_);
    noted_.clear();
    for (Noted& noted : batch) {
      noted.hub->wait(noted.ticket);
      if (noted.then) noted.then();
    }
  }
  t_scope = nullptr;
}

}  // namespace sluice
