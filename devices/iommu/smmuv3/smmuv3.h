// devices/iommu/smmuv3/smmuv3.h: System MMU, Arm IHI 0070 (SMMUv3.1 with range invalidation).
// Wiring: an IommuRegion that covers a master's whole address space; MMIO 128 KiB (two pages of 64 KiB);
// three interrupts, each a pulse; a DmaPort for its tables, queues and MSIs. Modelled: stage 1, stage 2,
// nested; 4K/16K/64K; linear and 2-level Stream and CD tables; substreams; IOTLB and configuration cache with
// exact invalidation. Not modelled, and not in the ID registers: ATS, PRI, stall, HTTU, Secure state,
// broadcast TLB maintenance, MPAM, 52-bit VAs. Memory attributes do not matter here.
//
// Threads. `lock()` protects registers and caches. It is never held while memory is accessed, while unmaps
// are published, or while waiting; so a guest that points a queue or a table anywhere cannot lock the machine
// up. Translations look up under the lock, walk without it, and try again when an invalidation came between.
#pragma once
#include <atomic>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "devices/iommu/smmuv3/event.h"
#include "devices/iommu/smmuv3/invalidation.h"
#include "devices/register_block.h"

namespace sluice {

class Smmuv3 final : public IommuRegion, public RegisterDevice<Smmuv3> {
 public:
  static constexpr const char* kName = "smmuv3";
  static constexpr u64 kFrameSize = smmuv3::kFrameSize;

  // `downstream`: where translated transactions go. `port`: tables, queues and MSIs; its attributes say who
  // the SMMU is there (for an ITS: its DeviceID). Neither may lead back into this SMMU. `clock` continues
  // long command queues.
  Smmuv3(InvalidationHub& hub, AddressSpace& downstream, DmaPort port, Clock& clock, Smmuv3Config config,
         Smmuv3Wires wires);
  ~Smmuv3() override;

  // Masters are quiet. Registers get their reset values, caches are emptied, subscribers are told.
  void reset();
  const Smmuv3Config& config() const { return config_; }

  // --- IommuRegion ---
  // DEVIATION: SMMU_S_IDR1.SECURE_IMPL is 0, and transactions that are not Non-secure pass unchanged instead
  // of becoming Non-secure: to them, the system has no SMMU here.
  IommuIndex index_for(MemTxAttrs attrs) const override;
  IommuEntry translate(Iova input, Access access, IommuIndex index, MemTxAttrs attrs,
                       Intent intent) const override;
  MemTxResult refuse(Iova input, Access access, MemTxAttrs attrs, const IommuEntry& entry) override;

  // --- MmioDevice: 4 and 8-byte accesses, naturally aligned ---
  AccessRules access_rules() const override {
    return {.valid_min = 4, .valid_max = 8, .impl_min = 4, .impl_max = 4};
  }
  MemTxResult read(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) override;
  MemTxResult write(u64 offset, unsigned size, u64 value, MemTxAttrs attrs) override;
  static RegisterTable<Smmuv3> registers();

  // --- For people ---
  struct CommandCount {
    u64 executed = 0, removed = 0;  // removed: IOTLB and configuration cache entries
  };
  struct Counters {
    u64 translations = 0, config_hits = 0, config_misses = 0, iotlb_hits = 0, iotlb_misses = 0, walks = 0,
        walks_repeated = 0, commands = 0, syncs = 0, command_errors = 0, events = 0, events_lost = 0,
        events_suppressed = 0, faults = 0, unmaps_published = 0, evicted = 0, fills = 0;
    std::array<CommandCount, 256> by_opcode{};
    bool enabled = false, aborts = false;  // CR0.SMMUEN, GBPA.ABORT
  };
  Counters counters() const;
  size_t iotlb_entries() const;
  // At most `limit` of them, as text.
  std::string describe_iotlb(size_t limit) const;
  // The streams with cached configuration.
  std::vector<smmuv3::StreamContext> streams() const;
  // Registers, streams, caches and counters as text.
  std::string report() const;

  // How an access would be translated now, from memory, with what was read on the way. No side effect.
  struct Explanation {
    std::vector<smmuv3::FetchStep> steps;
    bool cached = false;  // the IOTLB has an entry: real transactions use that
    Access rights = Access::None;
    InclusiveRange block{};
    u64 output = 0;       // of `address`
    std::string verdict;  // "bypass", "translated", or the event
  };
  Explanation explain(u64 address, MemTxAttrs attrs, Access access) const;

 private:
  enum class Driver : u8 { Store, Timer };
  // What a register write leads to, done after the lock is released.
  struct Actions {
    bool publish_all = false, run_queue = false;
    u32 update = 0;  // CR0 bits whose Update waits for the publication
    bool gbpa = false;
  };

  // translate.cpp
  [[nodiscard]] std::unique_lock<std::mutex> hold() const { return const_cast<Smmuv3*>(this)->lock(); }
  smmuv3::StreamTableRegisters table_registers() const;
  IommuEntry pass(InclusiveRange block) const;
  IommuEntry refused(u64 input, const smmuv3::StreamContext* context, const smmuv3::Fault& fault,
                     MemTxAttrs attrs, Access access) const;
  IommuEntry answer(u64 input, const smmuv3::StreamContext& context, const smmuv3::Selected& selected,
                    const smmuv3::Mapping& mapping, MemTxAttrs attrs, Access access) const;
  // One call of translate, and what it has found out.
  struct Question {
    Question(u64 i, Access a, IommuIndex n, MemTxAttrs t) : input(i), access(a), index(n), attrs(t) {}
    const u64 input;
    const Access access;
    const IommuIndex index;
    const MemTxAttrs attrs;
    // As of the last look at the caches:
    u64 generation = 0;
    smmuv3::StreamTableRegisters table;
    std::shared_ptr<const smmuv3::StreamContext> context;
    bool fetched = false;  // the context comes from memory
    smmuv3::Selected selected;
    std::optional<smmuv3::Mapping> mapping;
  };
  bool answer_from_caches(Question& q, IommuEntry& entry) const;
  bool look_up(Question& q, const smmuv3::TableMemory& memory, IommuEntry& entry) const;
  bool keep(const Question& q) const;

  // registers.cpp
  friend class RegisterDevice<Smmuv3>;
  bool guarded(u64 offset) const;
  u32 read_idr0() { return config_.idr0(bool(wires_.send_event)); }
  u32 read_idr1() { return config_.idr1(); }
  u32 read_idr3() { return config_.idr3(); }
  u32 read_idr5() { return config_.idr5(); }
  u32 read_cr0() { return cr0_; }
  u32 read_gbpa() { return gbpa_ | (gbpa_updating_ ? smmuv3::kGbpaUpdate : 0); }
  u32 read_irq_ctrl() { return irq_ctrl_; }
  u32 read_cmdq_prod() { return cmdq_prod_ & 0xfffff; }
  void write_cr0(RegWrite w);
  void write_cr1(RegWrite w);
  void write_cr2(RegWrite w);
  void write_gbpa(RegWrite w);
  void write_irq_ctrl(RegWrite w);
  void write_gerrorn(RegWrite w);
  void write_cmdq_prod(RegWrite w);
  void update_acknowledge();  // with the lock held
  void perform(const Actions& actions);
  void reset_state();

  // command_queue.cpp
  void run_queue(Driver driver);
  void continue_queue(Driver driver, u32 session, unsigned budget);
  // With the lock held.
  bool next_command(unsigned budget, u64& address);
  bool execute(const smmuv3::Command& command, smmuv3::ConfigurationCache::Unmaps& unmaps);
  void park();
  void leave_queue();
  void consume();
  // Without.
  enum class Step : u8 { Next, Stop };
  Step run_command(const smmuv3::Command& command, u32 session);
  Step synchronise(const smmuv3::Command& command, Driver driver, u32 session, unsigned budget);
  void finish_sync(u32 session, const smmuv3::Command& command);
  void fail_command(u32 session, smmuv3::CommandError error);
  void slice_due();

  // event_queue.cpp, interrupts.cpp
  void record(const smmuv3::EventRecord& event);
  bool event_slot(u64& address);
  bool activate_gerror(u32 error);  // with the lock held; true: `signal_gerror` after it is released
  void signal_gerror();
  void pulse(const IrqLine& line, u64 msi_address, u32 msi_data, u32 abort_error);

  const Smmuv3Config config_;
  AddressSpace& downstream_;
  const DmaPort port_;
  Clock& clock_;
  const Smmuv3Wires wires_;

  // Under the lock.
  u32 cr0_ = 0, cr0ack_ = 0, cr0_updating_ = 0, cr1_ = 0, cr2_ = 0, gbpa_ = 0;
  bool gbpa_updating_ = false;
  u32 irq_ctrl_ = 0, irq_ctrlack_ = 0, gerror_ = 0, gerrorn_ = 0;
  u32 gerror_cfg_[4]{}, eventq_cfg_[4]{};  // IRQ_CFG0 low, high, IRQ_CFG1, IRQ_CFG2
  u32 strtab_base_[2]{}, strtab_base_cfg_ = 0;
  u32 cmdq_base_[2]{}, cmdq_prod_ = 0, cmdq_cons_ = 0;
  u32 eventq_base_[2]{}, eventq_prod_ = 0, eventq_cons_ = 0;
  u32 read_gerror_cfg(u32 word) { return gerror_cfg_[word]; }
  void write_gerror_cfg(u32 word, u32 value);
  u32 read_eventq_cfg(u32 word) { return eventq_cfg_[word]; }
  void write_eventq_cfg(u32 word, u32 value);
  u32 read_strtab_base(u32 word) { return strtab_base_[word]; }
  void write_strtab_base(u32 word, u32 value);
  u32 read_cmdq_base(u32 word) { return cmdq_base_[word]; }
  void write_cmdq_base(u32 word, u32 value);
  u32 read_eventq_base(u32 word) { return eventq_base_[word]; }
  void write_eventq_base(u32 word, u32 value);
  Actions actions_;  // of the write in progress

  enum class QueueState : u8 { Idle, Running, Parked };
  QueueState queue_state_ = QueueState::Idle;
  std::optional<Ticket> sync_;  // what the CMD_SYNC at the head of a parked queue waits for
  u32 session_ = 0;             // moves at reset: whoever worked on the queue before forgets it
  Ticket invalidations_;        // published since the last CMD_SYNC
  bool event_busy_ = false;
  u32 msis_in_flight_ = 0;

  mutable smmuv3::Caches caches_;
  mutable u64 generation_ = 0;  // moves with every commit: a walk that saw another value is made again
  mutable Counters counters_;

  std::mutex event_mutex_;  // one record at a time; nothing but the lock and memory is reached with it held
  std::atomic<std::thread::id> event_writer_{};  // who writes a record now
  Clock::Timer slice_;                           // last: destroyed first
};

}  // namespace sluice
