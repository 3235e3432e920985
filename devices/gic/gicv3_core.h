// devices/gic/gicv3_core.h: the state of a GICv3 and the rules by which it delivers (IHI 0069H chapters 3 and
// 4). The register frames (gicv3_distributor.cpp, gicv3_redistributor.cpp, gicv3_cpu_interface.cpp) change
// the state and then say what changed; this part keeps, for each PE, the highest priority pending interrupt
// and its two lines. Every function here is called with `mutex` held.
#pragma once
#include <algorithm>
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
        : active{ActivePriorities{preemption_bits}, ActivePriorities{preemption_bits},
                 ActivePriorities{preemption_bits}} {}
    // Redistributor: SGIs and PPIs, and the SPIs that are routed here (a bit per interrupt).
    IrqWord own;
    std::array<u32, kWords> routed{};
    bool processor_sleep = true;               // GICR_WAKER
    std::array<bool, kIrqGroups> opted_out{};  // GICR_CTLR.DPG0, DPG1NS, DPG1S
    u32 affinity = 0;                          // as in GICR_TYPER<63:32>
    LpiState lpis;
    // CPU interface
    // What ICC_*_EL1 has for each Security state: [kNs] and, with two, [kS].
    struct Bank {
      u8 bpr1 = 0;
      bool cbpr = false, eoi_mode = false;  // ICC_CTLR_EL1
    };
    static constexpr unsigned kNs = 0, kS = 1;
    std::array<bool, kIrqGroups> group_enabled{};  // ICC_IGRPEN0_EL1, ICC_IGRPEN1_EL1 of either state
    u8 pmr = 0, bpr0 = 0;
    std::array<Bank, 2> bank;
    bool eoi_mode_el3 = false;                        // ICC_CTLR_EL3
    std::array<ActivePriorities, kIrqGroups> active;  // by group
    bool el3 = false, secure = false;                 // where the PE is: it tells
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
  // LPIs are always Non-secure Group 1.
  IrqGroup group_of(unsigned pe, unsigned intid) {
    return is_lpi(intid) ? kGroup1Ns : word_of(pe, intid).group_of(intid % 32);
  }
  // Which bits of a word an access may see: with two Security states, a Non-secure one Non-secure Group 1.
  u32 visible(const IrqWord& w, unsigned word, bool ns) const {
    return present[word] & (ns ? w.group : ~u32{0});
  }
  bool is_non_secure(const MemTxAttrs& attrs) const { return security && attrs.space != PaSpace::Secure; }

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
  u8 group_mask(const Pe& pe, IrqGroup group) const;
  bool can_be_signalled(const Pe& pe, IrqGroup group) const;
  bool is_fiq(const Pe& pe, IrqGroup group) const;
  void activate(unsigned pe, unsigned intid);
  void deactivate(unsigned pe, unsigned intid);
  // This LPI is not pending any more. The caller rescans.
  void retire_lpi(Pe& pe, u32 intid);
  // `configuration`: its byte of the configuration table, whose bits 7:2 are the priority, as the Non-secure
  // state sees it.
  IrqKey lpi_key(u32 intid, u8 configuration) const {
    u8 priority = configuration & 0xfc;
    return irq_key((security ? from_non_secure_priority(priority) : priority) & priority_mask, intid);
  }
  // `from_ns`: by Non-secure software, which reaches Group 1 of its own state only.
  void send_sgi(unsigned pe, unsigned intid, IrqGroup group, bool from_ns);
  u32 running_priority(const Pe& pe) const {
    return std::min({pe.active[0].running(), pe.active[1].running(), pe.active[2].running()});
  }

  // The PE with this affinity (Aff3:Aff2:Aff1:Aff0), or kNoPe.
  u16 pe_with_affinity(u32 affinity) const;

  std::mutex mutex;
  const bool security;
  bool reset_non_secure = false;
  const bool has_lpis;
  const unsigned lines, words;
  const unsigned priority_bits, preemption_bits;
  const u8 priority_mask, min_bpr0;
  const unsigned first_region;
  std::array<u32, kWords> present{};             // which interrupts of a word exist
  std::array<bool, kIrqGroups> group_enabled{};  // GICD_CTLR.EnableGrp0, EnableGrp1NS, EnableGrp1S
  std::vector<Pe> pes;
  std::array<IrqWord, kWords> spi;  // [0] is not used
  std::array<u64, kWords * 32> irouter{};
  std::array<u16, kWords * 32> target{};  // the PE that an SPI goes to now

 private:
  u32 groups_taken(const Pe& pe, const IrqWord& w) const;
  void offer(unsigned pe, IrqKey key, IrqGroup group);
  void set_target(unsigned intid, u16 pe);
  u16 choose(unsigned intid) const;
  bool participates(const Pe& pe, IrqGroup group) const;
  void choose_again();

  std::vector<std::pair<u32, u16>> by_affinity_;  // sorted
  u32 live_ = 0;                                  // words with deliverable SPIs
  std::array<u32, kWords> one_of_n_{};            // SPIs with IROUTER.IRM == 1
  unsigned one_of_n_count_ = 0;
  mutable unsigned next_choice_ = 0;
};

}  // namespace sluice
