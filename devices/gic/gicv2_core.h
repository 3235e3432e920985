// devices/gic/gicv2_core.h: the state of a GICv2 and the rules by which it delivers (IHI 0048B.b chapter 3).
// The register frames change the state and then say what changed; this part keeps, for each PE, the highest
// priority pending interrupt and its two lines. Every function here is called with `mutex` held.
#pragma once
#include <mutex>
#include <vector>

#include "base/wire.h"
#include "devices/gic/active_priorities.h"
#include "devices/gic/gicv2.h"
#include "devices/gic/irq_word.h"

namespace sluice {

// Whose registers an access sees: the PE, and in a GIC with Security Extensions the Security state.
struct Gicv2View {
  unsigned pe;
  bool ns = false;  // a Non-secure access: Group 0 is hidden, priorities are shifted
};

struct Gicv2Core {
  static constexpr unsigned kMaxPes = 8;
  static constexpr unsigned kWords = 32;

  struct Pe {
    explicit Pe(unsigned preemption_bits)
        : active{ActivePriorities{preemption_bits}, ActivePriorities{preemption_bits}} {}
    // Distributor, banked: SGIs and PPIs, who sent each SGI, and the SPIs that may come here.
    IrqWord own;
    std::array<u8, 16> sgi_sources{};  // one bit per sending PE
    std::array<u32, kWords> targeted{};
    // CPU interface
    u32 ctlr = 0;                            // GICC_CTLR, the Secure copy
    u8 pmr = 0, bpr = 0, abpr = 0;           // abpr is the Non-secure copy of GICC_BPR
    std::array<ActivePriorities, 2> active;  // GICC_APR<n> (Group 0), GICC_NSAPR<n> (Group 1)
    // Derived
    IrqKey best = kNoIrq;
    bool irq_high = false, fiq_high = false;
    IrqLine irq, fiq;
  };

  explicit Gicv2Core(Gicv2::Config config);
  void reset();
  void reset_cpu_interface(Pe& pe);

  void drive_spi(unsigned intid, bool high);
  void drive_own(unsigned pe, unsigned intid, bool high);

  IrqWord& word_of(unsigned pe, unsigned intid) { return intid < 32 ? pes[pe].own : spi[intid / 32]; }
  bool exists(unsigned intid) const { return intid < lines; }
  bool uniprocessor() const { return pes.size() == 1; }

  // After a change of state. `before` is what deliverable() was.
  void word_changed(unsigned pe, unsigned word, u32 before);
  // After a change that may sort the interrupts of `mask` differently (priority, group, target).
  void reordered(unsigned pe, unsigned word, u32 mask);
  void set_target(unsigned intid, u8 pe_mask);
  void send_sgi(unsigned from, unsigned to, unsigned intid);
  bool is_group1(unsigned pe, unsigned intid) { return bit(word_of(pe, intid).group, intid % 32); }
  Gicv2View view(const MemTxAttrs& attrs) const;
  // Which bits of a word an access may see.
  u32 visible(const Gicv2View& v, unsigned word) {
    return present[word] & (v.ns ? word_of(v.pe, word * 32).group : ~u32{0});
  }
  bool hides(const Gicv2View& v, unsigned intid) { return v.ns && !is_group1(v.pe, intid); }
  void set_sgi_sources(unsigned pe, unsigned intid, u8 sources);
  void rescan_all();

  // CPU interface.
  void rescan(unsigned pe);
  void signal(Pe& pe);
  bool best_is_group1(const Pe& pe) const;
  u8 group_mask(const Pe& pe, bool group1) const;
  bool can_be_signalled(const Pe& pe, bool group1) const;
  // Makes it active; returns the value for GICC_IAR: the INTID, and who sent it if it is an SGI.
  u32 activate(unsigned pe, unsigned intid);
  void deactivate(unsigned pe, unsigned intid);
  u32 with_source(const Pe& pe, unsigned intid) const;
  u32 running_priority(const Pe& pe) const {
    return std::min(pe.active[0].running(), pe.active[1].running());
  }

  std::mutex mutex;
  const bool security;
  bool reset_non_secure = false;
  const unsigned lines, words;
  const unsigned preemption_bits;
  const u8 priority_mask, min_bpr;
  std::array<u32, kWords> present{};
  std::array<bool, 2> group_enabled{};  // GICD_CTLR.EnableGrp0, EnableGrp1
  std::vector<Pe> pes;
  std::array<IrqWord, kWords> spi;       // [0] is not used
  std::array<u8, kWords * 32> target{};  // GICD_ITARGETSR, SPIs

 private:
  u32 groups_forwarded(u32 group) const {
    return (group_enabled[1] ? group : 0) | (group_enabled[0] ? ~group : 0);
  }
  u32 live_ = 0;  // words with deliverable SPIs
};

// GICC_CTLR: in a GIC without Security Extensions, or the Secure copy.
namespace gicc_ctlr {
inline constexpr u32 kEnableGrp0 = 1 << 0, kEnableGrp1 = 1 << 1, kAckCtl = 1 << 2, kFiqEn = 1 << 3,
                     kCbpr = 1 << 4;
inline constexpr u32 kBypassDisable = 0xf << 5, kEoiMode = 1 << 9;
inline constexpr u32 kEoiModeNs = 1 << 10;  // with Security Extensions
inline constexpr u32 kWritable = 0x3ff, kSecureWritable = 0x7ff;
// The Non-secure copy, at the positions of the Secure one.
inline constexpr u32 kBypassDisableGrp1 = 3 << 7;
constexpr u32 non_secure(u32 ctlr) {
  return (ctlr & kEnableGrp1) >> 1 | (ctlr & kBypassDisableGrp1) >> 2 | (ctlr & kEoiModeNs) >> 1;
}
constexpr u32 with_non_secure(u32 ctlr, u32 v) {
  constexpr u32 kTheirs = kEnableGrp1 | kBypassDisableGrp1 | kEoiModeNs;
  return (ctlr & ~kTheirs) | ((v & 1) << 1 | (v & (3 << 5)) << 2 | (v & (1 << 9)) << 1);
}
}  // namespace gicc_ctlr

}  // namespace sluice
