// devices/iommu/smmuv3/command_queue.cpp: IHI 0070 3.5 "Command and Event queues", 4.1.4, 4.7.3
// "CMD_SYNC", 7.1. One thread at a time works on the queue. The store that makes commands visible processes a
// slice of them; a longer queue is parked, and goes on from a timer, from the next store, or when software
// reads CMDQ_CONS. A CMD_SYNC is consumed when everything that was published before it is complete: a store
// waits for that after its access has left the device, the timer looks again later.
#include <algorithm>

#include "base/trace.h"
#include "devices/iommu/smmuv3/smmuv3.h"

namespace sluice {

using namespace smmuv3;

static Trace<const char*, unsigned, u32> trace_error{"smmuv3_cmdq_consume_error",
                                                     "smmu={} error={} cons={:#x}"};

// With the lock held: where the next command is. False: the queue is left, or parked.
bool Smmuv3::next_command(unsigned budget, u64& address) {
  u64 base = u64{cmdq_base_[1]} << 32 | cmdq_base_[0];
  unsigned log2 = std::min(unsigned(extract(base, 0, 5)), config_.cmdq_log2);
  u32 size = u32{1} << log2, mask = 2 * size - 1;
  u32 waiting = (cmdq_prod_ - cmdq_cons_) & mask;
  if (waiting > size)
    guest_error("%s: CMDQ_PROD 0x%x and CMDQ_CONS 0x%x are inconsistent", config_.name.c_str(), cmdq_prod_,
                cmdq_cons_);
  bool stopped = !(cr0_ & kCmdqEn) || ((gerror_ ^ gerrorn_) & kCmdqErr);
  if (stopped || waiting == 0 || waiting > size) {
    leave_queue();
    return false;
  }
  if (!budget) {
    park();
    return false;
  }
  u64 bytes = std::max<u64>(u64{kCommandBytes} << log2, 32);
  u64 start = base & ones(config_.oas_bits) & ~ones(5) & ~(bytes - 1);
  address = start + u64{cmdq_cons_ & (size - 1)} * kCommandBytes;
  return true;
}

// What a parked CMD_SYNC has waited for says nothing about the command that is at the head later.
void Smmuv3::leave_queue() {
  queue_state_ = QueueState::Idle;
  sync_.reset();
  update_acknowledge();
}

void Smmuv3::park() {
  queue_state_ = QueueState::Parked;
  slice_.arm(clock_.now_ns() + config_.slice_gap_ns);
  update_acknowledge();
}

void Smmuv3::consume() {
  unsigned log2 = std::min(unsigned(cmdq_base_[0] & 0x1f), config_.cmdq_log2);
  cmdq_cons_ = u32(deposit(cmdq_cons_, 0, 20, (cmdq_cons_ + 1) & ones(log2 + 1)));
}

void Smmuv3::run_queue(Driver driver) {
  u32 session;
  {
    auto held = lock();
    // Whoever runs the queue looks at CMDQ_PROD again before it leaves.
    if (queue_state_ == QueueState::Running) return;
    queue_state_ = QueueState::Running;
    session = session_;
  }
  continue_queue(driver, session, config_.slice);
}

void Smmuv3::slice_due() {
  CompletionScope scope;
  {
    auto held = lock();
    if (queue_state_ != QueueState::Parked) return;
  }
  run_queue(Driver::Timer);
}

void Smmuv3::continue_queue(Driver driver, u32 session, unsigned budget) {
  for (;; budget--) {
    u64 address = 0;
    {
      auto held = lock();
      if (session != session_ || !next_command(budget, address)) return;
    }
    Command command;
    bool fetched;
    {
      EpochDomain::Guard guard(hub().epochs());
      fetched = TableMemory(port_, Intent::Access).read(address, command.words, false);
    }
    if (!fetched) return fail_command(session, CommandError::Abt);
    Step step = command.opcode() == Opcode::CMD_SYNC ? synchronise(command, driver, session, budget)
                                                     : run_command(command, session);
    if (step == Step::Stop) return;
  }
}

bool Smmuv3::execute(const Command& command, ConfigurationCache::Unmaps& unmaps) {
  CommandCount& count = counters_.by_opcode[u8(command.opcode())];
  counters_.commands++;
  switch (command.opcode()) {
    case Opcode::CMD_PREFETCH_CONFIG:
    case Opcode::CMD_PREFETCH_ADDR:
      if (command.SSec()) return false;
      break;  // hints
    default: {
      size_t removed = 0;
      if (!invalidate(config_, command, caches_, unmaps, removed)) return false;
      generation_++;
      count.removed += removed;
      counters_.unmaps_published += unmaps.size();
    }
  }
  count.executed++;
  return true;
}

Smmuv3::Step Smmuv3::run_command(const Command& command, u32 session) {
  trace_command(command);
  ConfigurationCache::Unmaps unmaps;
  bool legal;
  {
    auto held = lock();
    if (session != session_) return Step::Stop;
    legal = execute(command, unmaps);
  }
  if (!legal) {
    guest_error("%s: illegal command 0x%llx 0x%llx (%s)", config_.name.c_str(),
                static_cast<unsigned long long>(command.words[0]),
                static_cast<unsigned long long>(command.words[1]), name_of(command.opcode()));
    fail_command(session, CommandError::Ill);
    return Step::Stop;
  }
  // Committed; now publish. Subscribers may translate again right from the notification.
  Ticket ticket;
  for (const IommuUnmap& unmap : unmaps) ticket.merge(publish_unmap(unmap));
  auto held = lock();
  if (session != session_) return Step::Stop;
  invalidations_.merge(ticket);
  consume();
  return Step::Next;
}

Smmuv3::Step Smmuv3::synchronise(const Command& command, Driver driver, u32 session, unsigned budget) {
  if (command.CS() == 3) {
    fail_command(session, CommandError::Ill);
    return Step::Stop;
  }
  // Transactions in flight count as well: their events become visible before the CMD_SYNC is consumed.
  Ticket ticket = hub().ticket();
  {
    auto held = lock();
    if (session != session_) return Step::Stop;
    if (!sync_) {
      ticket.merge(invalidations_);
      sync_ = ticket;
    }
    ticket = *sync_;
  }
  if (driver == Driver::Store && !hub().is_complete(ticket)) {
    hub().complete(ticket, [this, command, session, budget] {
      finish_sync(session, command);
      continue_queue(Driver::Store, session, budget - 1);
    });
    return Step::Stop;
  }
  if (driver == Driver::Timer && !hub().is_complete(ticket)) {
    auto held = lock();
    if (session == session_) park();
    return Step::Stop;
  }
  finish_sync(session, command);
  return Step::Next;
}

void Smmuv3::finish_sync(u32 session, const Command& command) {
  {
    auto held = lock();
    if (session != session_) return;
    trace_command(command);
    sync_.reset();
    invalidations_ = {};
    consume();
    counters_.commands++;
    counters_.syncs++;
    counters_.by_opcode[u8(Opcode::CMD_SYNC)].executed++;
  }
  if (command.CS() == 1) pulse(wires_.cmd_sync, command.MSIAddress(), command.MSIData(), kMsiCmdqAbtErr);
  if (command.CS() == 2 && wires_.send_event) wires_.send_event();
}

// CMDQ_CONS.RD stays at the command, and nothing is consumed until the error is acknowledged.
void Smmuv3::fail_command(u32 session, CommandError error) {
  bool signal;
  {
    auto held = lock();
    if (session != session_) return;
    cmdq_cons_ = u32(deposit(cmdq_cons_, 24, 7, u64(error)));
    counters_.command_errors++;
    trace_error(config_.name.c_str(), unsigned(error), cmdq_cons_ & 0xfffff);
    signal = activate_gerror(kCmdqErr);
    leave_queue();
  }
  if (signal) signal_gerror();
}

}  // namespace sluice
