// devices/gic/gicv3_core.h: the state of a GICv3 and the rules by which it delivers (IHI 0069H chapters 3 and
// 4). The register frames (gicv3_distributor.cpp, gicv3_redistributor.cpp, gicv3_cpu_interface.cpp) change
// the state and then say what changed; this part keeps, for each PE, the highest priority pending interrupt
// and its two lines. Every function here is called with `mutex` held.
#pragma once
#include <mutex>
#include <vector>

#include "base/wire.h"
#include "devices/gic/active_priorities.h"
#include "devices/gic/gicv3.h"
#include "devices/gic/gicv3_lpis.h"
#include "devices/gic/irq_word.h"

namespace sluice {

struct Gicv3Core {
  static constexpr unsigned kWords = 32;
  static constexpr u16 kNoPe = 0xffff;
  static constexpr u32 kRoutingMode = u32{1} << 31;  // GICD_IROUTER<n>.Interrupt_Routing_Mode

  struct Pe {
    explicit Pe(unsigned preemption_bits)
        : active{ActivePriorities{preemption_bits}, ActivePriorities{preemption_bits}} {}
    // Redistributor: SGIs and PPIs, and the SPIs that are routed here (a bit per interrupt).
    IrqWord own;
    std::array<u32, kWords> routed{};
    bool processor_sleep = true;      // GICR_WAKER
    std::array<bool, 2> opted_out{};  // GICR_CTLR.DPG0, DPG1NS
    u32 affinity = 0;                 // as in GICR_TYPER<63:32>
    LpiState lpis;
    // CPU interface
    std::array<bool, 2> group_enabled{};  // ICC_IGRPEN0_EL1, ICC_IGRPEN1_EL1
    u8 pmr = 0, bpr0 = 0, bpr1 = 0;
    bool cbpr = false, eoi_mode = false;     // ICC_CTLR_EL1
    std::array<ActivePriorities, 2> active;  // by group
    // Derived
    IrqKey best = kNoIrq;  // highest priority pending interrupt of an enabled group
    bool irq_high = false, fiq_high = false;
    IrqLine irq, fiq;
  };

  explicit Gicv3Core(Gicv3::Config config);

  // Input lines.
  void drive_spi(unsigned intid, bool high);
  void drive_own(unsigned pe, unsigned intid, bool high);

  void reset();
  void reset_cpu_interface(Pe& pe);

  IrqWord& word_of(unsigned pe, unsigned intid) { return intid < 32 ? pes[pe].own : spi[intid / 32]; }
  bool exists(unsigned intid) const { return intid < lines || (has_lpis && is_lpi(intid)); }
  // With one Security state LPIs are always Group 1.
  bool is_group1(unsigned pe, unsigned intid) {
    return is_lpi(intid) || bit(word_of(pe, intid).group, intid % 32);
  }

  // After a change of state. `before` is what deliverable() was.
  void spis_changed(unsigned word, u32 before);
  void own_changed(unsigned pe, u32 before);
  // After a change of priority or group of the interrupts in `mask` of an SPI word: they may sort
  // differently.
  void spis_reordered(unsigned word, u32 mask);
  // After a change of the groups that a PE, or with all_groups_changed every PE, takes.
  void groups_changed(unsigned pe);
  void all_groups_changed();
  void set_route(unsigned intid, u64 irouter);

  // CPU interface.
  void rescan(unsigned pe);
  void signal(Pe& pe);
  u8 group_mask(const Pe& pe, bool group1) const;
  bool can_be_signalled(const Pe& pe, bool group1) const;
  void activate(unsigned pe, unsigned intid);
  void deactivate(unsigned pe, unsigned intid);
  // This LPI is not pending any more. The caller rescans.
  void retire_lpi(Pe& pe, u32 intid);
  // `configuration`: its byte of the configuration table, whose bits 7:2 are the priority.
  IrqKey lpi_key(u32 intid, u8 configuration) const {
    return irq_key(u8(configuration & 0xfc) & priority_mask, intid);
  }
  void send_sgi(unsigned pe, unsigned intid, bool group1);
  u32 running_priority(const Pe& pe) const {
    return std::min(pe.active[0].running(), pe.active[1].running());
  }

  // The PE with this affinity (Aff3:Aff2:Aff1:Aff0), or kNoPe.
  u16 pe_with_affinity(u32 affinity) const;

  std::mutex mutex;
  const bool has_lpis;
  const unsigned lines, words;
  const unsigned priority_bits, preemption_bits;
  const u8 priority_mask, min_bpr0;
  const unsigned first_region;
  std::array<u32, kWords> present{};    // which interrupts of a word exist
  std::array<bool, 2> group_enabled{};  // GICD_CTLR.EnableGrp0, EnableGrp1
  std::vector<Pe> pes;
  std::array<IrqWord, kWords> spi;  // [0] is not used
  std::array<u64, kWords * 32> irouter{};
  std::array<u16, kWords * 32> target{};  // the PE that an SPI goes to now

 private:
  u32 groups_taken(const Pe& pe, u32 group) const;
  void offer(unsigned pe, IrqKey key, bool group1);
  void set_target(unsigned intid, u16 pe);
  u16 choose(unsigned intid) const;
  bool participates(const Pe& pe, bool group1) const;
  void choose_again();

  std::vector<std::pair<u32, u16>> by_affinity_;  // sorted
  u32 live_ = 0;                                  // words with deliverable SPIs
  std::array<u32, kWords> one_of_n_{};            // SPIs with IROUTER.IRM == 1
  unsigned one_of_n_count_ = 0;
  mutable unsigned next_choice_ = 0;
};

}  // namespace sluice
