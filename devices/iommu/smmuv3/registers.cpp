// devices/iommu/smmuv3/registers.cpp: IHI 0070 chapter 6, "Memory map and registers".
#include "base/trace.h"
#include "devices/iommu/smmuv3/smmuv3.h"

namespace sluice {

using namespace smmuv3;

namespace {

Trace<u32, u32> trace_gerrorn{"smmuv3_write_gerrorn", "acked={:#x} gerrorn={:#x}"};

constexpr u64 kPage1 = 0x10000;
constexpr u64 kCmdqCons = 0x9c, kEventqProd = 0xa8, kEventqCons = 0xac;  // the last two in page 1
constexpr u32 kCr1Table = 0xfc0, kCr1Queue = 0x03f;

// Registers that a write reaches only while what uses them is disabled: both CR0 and CR0ACK (or IRQ_CTRL and
// IRQ_CTRLACK) say so. SMMUv3.2 requires such writes to be ignored.
struct Guard {
  u64 first, last;  // offsets; page 1 as in page 0
  u32 cr0, irq_ctrl;
};
constexpr Guard kGuards[] = {
    {0x2c, 0x2c, kSmmuEn, 0},                  // CR2
    {0x68, 0x74, 0, kGerrorIrqEn},             // GERROR_IRQ_CFG0..2
    {0x80, 0x88, kSmmuEn, 0},                  // STRTAB_BASE, STRTAB_BASE_CFG
    {0x90, 0x94, kCmdqEn, 0},                  // CMDQ_BASE
    {kCmdqCons, kCmdqCons, kCmdqEn, 0},        // CMDQ_CONS
    {0xa0, 0xa4, kEventqEn, 0},                // EVENTQ_BASE
    {kEventqProd, kEventqProd, kEventqEn, 0},  // EVENTQ_PROD
    {0xb0, 0xbc, 0, kEventqIrqEn},             // EVENTQ_IRQ_CFG0..2
};

// The halves of a 64-bit register and two words more, as `indexed` rows have them.
constexpr u32 kMsiMasks[4] = {0xffff'fffc, 0x00ff'ffff, 0xffff'ffff, 0x0000'003f};
constexpr u32 kBaseHigh = 0x40ff'ffff;  // RA or WA, ADDR[55:32]

// Where the row of the table is: page 1 has two registers of its own, and page 0 does not alias them.
bool row_offset(u64 offset, u64& row) {
  row = offset & (kPage1 - 1);
  bool in_page1 = row == kEventqProd || row == kEventqCons;
  return row < 0x1000 && in_page1 == (offset >= kPage1);
}

}  // namespace

RegisterTable<Smmuv3> Smmuv3::registers() {
  using S = Smmuv3;
  static constexpr auto kTable = register_table<S>({
      // clang-format off
      // name                      offset reset writable     behaviour                                                 IHI 0070
      {"SMMU_IDR0",                0x000, 0,    0,           computed(&S::read_idr0),                                  "6.3.1"},
      {"SMMU_IDR1",                0x004, 0,    0,           computed(&S::read_idr1),                                  "6.3.2"},
      {"SMMU_IDR2",                0x008, 0,    0,           constant(),                                               "6.3.3"},
      {"SMMU_IDR3",                0x00c, 0,    0,           computed(&S::read_idr3),                                  "6.3.4"},
      {"SMMU_IDR4",                0x010, 0,    0,           constant(),                                               "6.3.5"},
      {"SMMU_IDR5",                0x014, 0,    0,           computed(&S::read_idr5),                                  "6.3.6"},
      {"SMMU_IIDR",                0x018, 0,    0,           constant(),                                               "6.3.7"},
      {"SMMU_AIDR",                0x01c, 1,    0,           constant(),                                               "6.3.8"},
      {"SMMU_CR0",                 0x020, 0,    0x0000'000d, computed(&S::read_cr0, &S::write_cr0),                    "6.3.9"},
      {"SMMU_CR0ACK",              0x024, 0,    0,           stored(&S::cr0ack_),                                      "6.3.10"},
      {"SMMU_CR1",                 0x028, 0,    0x0000'0fff, stored(&S::cr1_, &S::write_cr1),                          "6.3.11"},
      {"SMMU_CR2",                 0x02c, 0,    0x0000'0003, stored(&S::cr2_, &S::write_cr2),                          "6.3.12"},
      {"SMMU_STATUSR",             0x040, 0,    0,           constant(),                                               "6.3.13"},
      {"SMMU_GBPA",                0x044, 0,    0x801f'3f1f, computed(&S::read_gbpa, &S::write_gbpa),                  "6.3.14"},
      {"SMMU_AGBPA",               0x048, 0,    0,           constant(),                                               "6.3.15"},
      {"SMMU_IRQ_CTRL",            0x050, 0,    0x0000'0005, computed(&S::read_irq_ctrl, &S::write_irq_ctrl),          "6.3.16"},
      {"SMMU_IRQ_CTRLACK",         0x054, 0,    0,           stored(&S::irq_ctrlack_),                                 "6.3.18"},
      {"SMMU_GERROR",              0x060, 0,    0,           stored(&S::gerror_),                                      "6.3.19"},
      {"SMMU_GERRORN",             0x064, 0,    0x0000'00b5, stored(&S::gerrorn_, &S::write_gerrorn),                  "6.3.20"},
      {"SMMU_GERROR_IRQ_CFG",      0x068, 0,    0xffff'ffff, indexed(&S::read_gerror_cfg, &S::write_gerror_cfg),       "6.3.21", 4},
      {"SMMU_STRTAB_BASE",         0x080, 0,    0xffff'ffff, indexed(&S::read_strtab_base, &S::write_strtab_base),     "6.3.24", 2},
      {"SMMU_STRTAB_BASE_CFG",     0x088, 0,    0x0003'07ff, stored(&S::strtab_base_cfg_),                             "6.3.25"},
      {"SMMU_CMDQ_BASE",           0x090, 0,    0xffff'ffff, indexed(&S::read_cmdq_base, &S::write_cmdq_base),         "6.3.26", 2},
      {"SMMU_CMDQ_PROD",           0x098, 0,    0x000f'ffff, stored(&S::cmdq_prod_, &S::write_cmdq_prod),              "6.3.27"},
      {"SMMU_CMDQ_CONS",           0x09c, 0,    0x000f'ffff, stored(&S::cmdq_cons_),                                   "6.3.28"},
      {"SMMU_EVENTQ_BASE",         0x0a0, 0,    0xffff'ffff, indexed(&S::read_eventq_base, &S::write_eventq_base),     "6.3.29", 2},
      {"SMMU_EVENTQ_PROD",         0x0a8, 0,    0x800f'ffff, stored(&S::eventq_prod_),                                 "6.3.104"},
      {"SMMU_EVENTQ_CONS",         0x0ac, 0,    0x800f'ffff, stored(&S::eventq_cons_),                                 "6.3.105"},
      {"SMMU_EVENTQ_IRQ_CFG",      0x0b0, 0,    0xffff'ffff, indexed(&S::read_eventq_cfg, &S::write_eventq_cfg),       "6.3.30", 4},
      {"SMMU_PIDR4",               0xfd0, 0x04, 0,           constant(),                                               "6.2"},
      {"SMMU_PIDR5",               0xfd4, 0x00, 0,           constant(),                                               "6.2"},
      {"SMMU_PIDR6",               0xfd8, 0x00, 0,           constant(),                                               "6.2"},
      {"SMMU_PIDR7",               0xfdc, 0x00, 0,           constant(),                                               "6.2"},
      {"SMMU_PIDR0",               0xfe0, 0x84, 0,           constant(),                                               "6.2"},
      {"SMMU_PIDR1",               0xfe4, 0xb4, 0,           constant(),                                               "6.2"},
      {"SMMU_PIDR2",               0xfe8, 0xf0, 0,           constant(),                                               "6.2"},
      {"SMMU_PIDR3",               0xfec, 0x10, 0,           constant(),                                               "6.2"},
      {"SMMU_CIDR0",               0xff0, 0x0d, 0,           constant(),                                               "6.2"},
      {"SMMU_CIDR1",               0xff4, 0xf0, 0,           constant(),                                               "6.2"},
      {"SMMU_CIDR2",               0xff8, 0x05, 0,           constant(),                                               "6.2"},
      {"SMMU_CIDR3",               0xffc, 0xb1, 0,           constant(),                                               "6.2"},
      // clang-format on
  });
  return kTable.table();
}

bool Smmuv3::guarded(u64 offset) const {
  for (const Guard& g : kGuards)
    if (offset >= g.first && offset <= g.last)
      return ((cr0_ | cr0ack_) & g.cr0) || ((irq_ctrl_ | irq_ctrlack_) & g.irq_ctrl);
  return false;
}

MemTxResult Smmuv3::read(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) {
  value = 0;
  u64 row = 0;
  if (!row_offset(offset, row)) return MemTxResult::ok();  // RES0
  bool parked = false;
  if (row == kCmdqCons && attrs.initiator.kind != Initiator::Kind::Debugger) {
    auto held = lock();
    parked = queue_state_ == QueueState::Parked;
  }
  if (parked) run_queue(Driver::Store);  // software that polls need not wait for the timer
  auto held = lock();
  value = read_locked(row, size, attrs);
  return MemTxResult::ok();
}

MemTxResult Smmuv3::write(u64 offset, unsigned size, u64 value, MemTxAttrs) {
  u64 row = 0;
  if (!row_offset(offset, row)) return MemTxResult::ok();  // RES0
  Actions actions;
  {
    auto held = lock();
    if (guarded(row)) {
      guest_error("%s: write to offset 0x%llx is ignored while what it configures is enabled",
                  config_.name.c_str(), static_cast<unsigned long long>(offset));
      return MemTxResult::ok();
    }
    actions_ = {};
    write_locked(row, size, value);
    actions = std::exchange(actions_, {});
  }
  perform(actions);
  return MemTxResult::ok();
}

void Smmuv3::perform(const Actions& actions) {
  if (actions.publish_all) {
    Ticket ticket = publish_unmap(kUnmapAll);
    u32 session;
    {
      auto held = lock();
      session = session_;
      counters_.unmaps_published++;
    }
    // Only now may software see that the change has taken effect.
    hub().complete(ticket, [this, actions, session] {
      auto held = lock();
      if (session != session_) return;
      cr0_updating_ &= ~actions.update;
      if (actions.gbpa) gbpa_updating_ = false;
      update_acknowledge();
    });
  }
  if (actions.run_queue) run_queue(Driver::Store);
}

// CR0ACK follows CR0, except for bits whose Update has side effects that are not complete (6.3.9).
void Smmuv3::update_acknowledge() {
  u32 wait = cr0_updating_;
  if (queue_state_ == QueueState::Running) wait |= kCmdqEn & ~cr0_;
  if (event_busy_) wait |= kEventqEn & ~cr0_;
  cr0ack_ = (cr0ack_ & wait) | (cr0_ & ~wait);
  if (!msis_in_flight_) irq_ctrlack_ = irq_ctrl_;
}

void Smmuv3::write_cr0(RegWrite w) {
  u32 in_transition = cr0_ ^ cr0ack_;  // a second change before the acknowledgement is ignored
  u32 now = (cr0_ & in_transition) | (w.value & ~in_transition);
  u32 changed = now ^ cr0_;
  cr0_ = now;
  if (changed & kSmmuEn) {
    generation_++;
    cr0_updating_ |= kSmmuEn;
    actions_.publish_all = true;
    actions_.update = kSmmuEn;
  }
  actions_.run_queue = changed & now & kCmdqEn;
  if ((changed & ~now & kCmdqEn) && queue_state_ == QueueState::Parked) leave_queue();
  update_acknowledge();
}

void Smmuv3::write_cr1(RegWrite w) {
  u32 enabled = cr0_ | cr0ack_;
  u32 fixed = (enabled & kSmmuEn ? kCr1Table : 0) | (enabled & (kCmdqEn | kEventqEn) ? kCr1Queue : 0);
  cr1_ ^= w.changed & fixed;
}

void Smmuv3::write_cr2(RegWrite) {
  if (!config_.hypervisor()) cr2_ &= ~kE2h;
  caches_.e2h = cr2_ & kE2h;
}

void Smmuv3::write_gbpa(RegWrite w) {
  if (!(w.value & kGbpaUpdate) || gbpa_updating_) {
    guest_error("%s: SMMU_GBPA write ignored: Update is %s", config_.name.c_str(),
                gbpa_updating_ ? "in progress" : "not set");
    return;
  }
  gbpa_ = w.value & ~kGbpaUpdate;
  generation_++;
  gbpa_updating_ = true;
  actions_.publish_all = true;
  actions_.gbpa = true;
}

void Smmuv3::write_irq_ctrl(RegWrite w) {
  irq_ctrl_ = w.value;
  update_acknowledge();
}

void Smmuv3::write_gerrorn(RegWrite w) {
  constexpr u32 kMsiErrors = kMsiCmdqAbtErr | kMsiEventqAbtErr | kMsiGerrorAbtErr;
  if (!config_.msi) gerrorn_ &= ~kMsiErrors;
  trace_gerrorn(w.changed, gerrorn_);
  // Acknowledging a command error starts the queue again (7.1).
  actions_.run_queue = (w.changed & kCmdqErr) && !((gerror_ ^ gerrorn_) & kCmdqErr);
}

void Smmuv3::write_cmdq_prod(RegWrite) { actions_.run_queue = true; }

void Smmuv3::write_gerror_cfg(u32 word, u32 value) {
  gerror_cfg_[word] = config_.msi ? value & kMsiMasks[word] : 0;
}
void Smmuv3::write_eventq_cfg(u32 word, u32 value) {
  eventq_cfg_[word] = config_.msi ? value & kMsiMasks[word] : 0;
}
void Smmuv3::write_strtab_base(u32 word, u32 value) {
  strtab_base_[word] = value & (word ? kBaseHigh : 0xffff'ffc0);
}
void Smmuv3::write_cmdq_base(u32 word, u32 value) { cmdq_base_[word] = word ? value & kBaseHigh : value; }
void Smmuv3::write_eventq_base(u32 word, u32 value) { eventq_base_[word] = word ? value & kBaseHigh : value; }

}  // namespace sluice
