// devices/gic/gicv3_lpis.h: locality-specific peripheral interrupts (IHI 0069H chapter 5). Their
// configuration and, while GICR_CTLR.EnableLPIs == 0, their pending state are tables in guest memory.
//
// While EnableLPIs == 1 the Redistributor keeps the pending LPIs, each with the configuration that it had
// when it became pending or when an INV or INVALL last named it; nothing else is cached. Clearing EnableLPIs
// (GICR_CTLR.CES says that it can be) writes the pending table back.
#pragma once
#include <mutex>
#include <set>
#include <unordered_map>

#include "base/types.h"
#include "devices/gic/irq_word.h"

namespace sluice {

struct Gicv3Core;
class GuestTables;

inline constexpr u32 kFirstLpi = 8192;
inline constexpr unsigned kIntidBits = 16;  // GICD_TYPER.IDbits + 1
constexpr bool is_lpi(unsigned intid) { return intid >= kFirstLpi && intid < (1u << kIntidBits); }

// Of one Redistributor; with Gicv3Core::mutex held.
struct LpiState {
  bool enable = false;  // GICR_CTLR.EnableLPIs
  bool ready = false;   // it is set, and the pending table has been read
  u64 switches = 0;     // counts changes of `enable`
  u64 propbaser = 0, pendbaser = 0;
  bool pending_table_zero = false;      // GICR_PENDBASER.PTZ
  std::unordered_map<u32, u8> pending;  // INTID -> its byte of the configuration table
  std::set<IrqKey> deliverable;         // those of them that are enabled
  unsigned intid_bits() const;          // GICR_PROPBASER.IDbits + 1, at most kIntidBits
  bool in_table(u32 intid) const { return intid >= kFirstLpi && intid >> intid_bits() == 0; }
  u64 configuration_of(u32 intid) const;  // address of the byte
};

// What the Redistributors and the ITS do with LPIs. No function may be called with Gicv3Core::mutex held,
// because each may read guest memory. Those below the line are the ITS's, which does one thing at a time.
class Gicv3Lpis {
 public:
  Gicv3Lpis(Gicv3Core& core, const GuestTables& memory) : core_(core), memory_(memory) {}

  // After GICR_CTLR.EnableLPIs has changed to what LpiState::enable says.
  void switched(unsigned pe);
  // ---
  // Ignored while the Redistributor has EnableLPIs == 0, or its table has no such LPI.
  void make_pending(unsigned pe, u32 intid);
  void clear_pending(unsigned pe, u32 intid);
  // The configuration table has changed: for one LPI, or for all.
  void reload(unsigned pe, u32 intid);
  void reload_all(unsigned pe);
  void move(unsigned from, unsigned to, u32 intid);
  void move_all(unsigned from, unsigned to);
  // How much `reload_all` and `move_all` would have to do.
  size_t pending(unsigned pe) const;

 private:
  u8 read_configuration(u64 address, u32 intid) const;
  void switch_on(unsigned pe, u64 switches);
  void write_back(u64 table, const std::unordered_map<u32, u8>& pending, unsigned intid_bits) const;
  void add(unsigned pe, u32 intid, u8 configuration);
  void remove(unsigned pe, u32 intid);
  Gicv3Core& core_;
  const GuestTables& memory_;
};

}  // namespace sluice
