// devices/gic/gicv3_lpis.cpp: LPIs, Arm IHI 0069H chapter 5.
#include "devices/gic/gicv3_lpis.h"

#include <algorithm>
#include <vector>

#include "base/log.h"
#include "devices/gic/gicv3_core.h"
#include "devices/gic/guest_tables.h"

namespace sluice {
namespace {

// GICR_PROPBASER<51:12> and <4:0>, GICR_PENDBASER<51:16>
constexpr u64 propbaser_address(u64 r) { return r & 0x000f'ffff'ffff'f000; }
constexpr u64 pendbaser_address(u64 r) { return r & 0x000f'ffff'ffff'0000; }
constexpr u8 kEnable = 1;  // of a byte of the configuration table
constexpr unsigned kBitsPerWord = 64;

}  // namespace

unsigned LpiState::intid_bits() const { return std::min(unsigned(extract(propbaser, 0, 5)) + 1, kIntidBits); }
u64 LpiState::configuration_of(u32 intid) const { return propbaser_address(propbaser) + intid - kFirstLpi; }

u8 Gicv3Lpis::read_configuration(u64 address, u32 intid) const {
  u8 value = 0;
  if (!memory_.load8(address, value)) guest_error("gicv3: no memory for the configuration of LPI %u", intid);
  return value;
}

// With the core's mutex held.
void Gicv3Lpis::add(unsigned n, u32 intid, u8 configuration) {
  LpiState& lpis = core_.pes[n].lpis;
  remove(n, intid);
  lpis.pending[intid] = configuration;
  if (configuration & kEnable) lpis.deliverable.insert(core_.lpi_key(intid, configuration));
}

void Gicv3Lpis::remove(unsigned n, u32 intid) { core_.retire_lpi(core_.pes[n], intid); }

void Gicv3Lpis::switched(unsigned n) {
  std::unique_lock held{core_.mutex};
  LpiState& lpis = core_.pes[n].lpis;
  if (lpis.enable) {
    u64 switches = lpis.switches;
    held.unlock();
    return switch_on(n, switches);
  }
  if (!lpis.ready) return;
  auto pending = std::move(lpis.pending);
  lpis.pending.clear();
  lpis.deliverable.clear();
  lpis.ready = false;
  u64 table = pendbaser_address(lpis.pendbaser);
  unsigned bits = lpis.intid_bits();
  core_.rescan(n);
  held.unlock();
  write_back(table, pending, bits);
}

// One bit for each INTID. The first 1 KiB, which has no LPIs, is the implementation's own; it is not used.
void Gicv3Lpis::write_back(u64 table, const std::unordered_map<u32, u8>& pending, unsigned intid_bits) const {
  std::vector<u64> words((u64{1} << intid_bits) / kBitsPerWord);
  for (const auto& [intid, configuration] : pending)
    words[intid / kBitsPerWord] |= u64{1} << intid % kBitsPerWord;
  for (u64 w = kFirstLpi / kBitsPerWord; w < words.size(); w++)
    if (!memory_.store64(table + w * 8, words[w]))
      return guest_error("gicv3: no memory for an LPI pending table");
}

void Gicv3Lpis::switch_on(unsigned n, u64 switches) {
  LpiState snapshot;
  {
    std::lock_guard held{core_.mutex};
    const LpiState& lpis = core_.pes[n].lpis;
    snapshot.propbaser = lpis.propbaser;
    snapshot.pendbaser = lpis.pendbaser;
    snapshot.pending_table_zero = lpis.pending_table_zero;
  }
  u64 words = (u64{1} << snapshot.intid_bits()) / kBitsPerWord;
  if (snapshot.pending_table_zero) words = 0;
  for (u64 w = kFirstLpi / kBitsPerWord; w < words; w++) {
    u64 bits = 0;
    if (!memory_.load64(pendbaser_address(snapshot.pendbaser) + w * 8, bits)) {
      guest_error("gicv3: no memory for an LPI pending table");
      break;
    }
    for (; bits; bits &= bits - 1) {
      u32 intid = u32(w * kBitsPerWord) + u32(std::countr_zero(bits));
      snapshot.pending[intid] = read_configuration(snapshot.configuration_of(intid), intid);
    }
  }
  std::lock_guard held{core_.mutex};
  LpiState& lpis = core_.pes[n].lpis;
  if (!lpis.enable || lpis.switches != switches) return;  // somebody else has written GICR_CTLR meanwhile
  lpis.ready = true;
  lpis.pending_table_zero = false;  // it was said of the table as it was then
  for (const auto& [intid, configuration] : snapshot.pending) add(n, intid, configuration);
  core_.rescan(n);
}

void Gicv3Lpis::make_pending(unsigned n, u32 intid) {
  u64 address;
  {
    std::lock_guard held{core_.mutex};
    const LpiState& lpis = core_.pes[n].lpis;
    if (!lpis.ready || !lpis.in_table(intid) || lpis.pending.contains(intid)) return;
    address = lpis.configuration_of(intid);
  }
  u8 configuration = read_configuration(address, intid);
  std::lock_guard held{core_.mutex};
  if (!core_.pes[n].lpis.ready) return;
  add(n, intid, configuration);
  core_.rescan(n);
}

void Gicv3Lpis::clear_pending(unsigned n, u32 intid) {
  std::lock_guard held{core_.mutex};
  remove(n, intid);
  core_.rescan(n);
}

void Gicv3Lpis::reload(unsigned n, u32 intid) {
  u64 address;
  {
    std::lock_guard held{core_.mutex};
    const LpiState& lpis = core_.pes[n].lpis;
    if (!lpis.pending.contains(intid)) return;
    address = lpis.configuration_of(intid);
  }
  u8 configuration = read_configuration(address, intid);
  std::lock_guard held{core_.mutex};
  if (!core_.pes[n].lpis.pending.contains(intid)) return;  // acknowledged meanwhile
  add(n, intid, configuration);
  core_.rescan(n);
}

void Gicv3Lpis::reload_all(unsigned n) {
  std::vector<u32> intids;
  {
    std::lock_guard held{core_.mutex};
    for (const auto& [intid, configuration] : core_.pes[n].lpis.pending) intids.push_back(intid);
  }
  for (u32 intid : intids) reload(n, intid);
}

void Gicv3Lpis::move(unsigned from, unsigned to, u32 intid) {
  std::lock_guard held{core_.mutex};
  LpiState& source = core_.pes[from].lpis;
  auto at = source.pending.find(intid);
  if (from == to || at == source.pending.end() || !core_.pes[to].lpis.ready) return;
  u8 configuration = at->second;
  remove(from, intid);
  add(to, intid, configuration);
  core_.rescan(from);
  core_.rescan(to);
}

void Gicv3Lpis::move_all(unsigned from, unsigned to) {
  std::lock_guard held{core_.mutex};
  if (from == to || !core_.pes[to].lpis.ready) return;
  auto moved = std::move(core_.pes[from].lpis.pending);
  core_.pes[from].lpis.pending.clear();
  core_.pes[from].lpis.deliverable.clear();
  for (const auto& [intid, configuration] : moved) add(to, intid, configuration);
  core_.rescan(from);
  core_.rescan(to);
}

size_t Gicv3Lpis::pending(unsigned n) const {
  std::lock_guard held{core_.mutex};
  return core_.pes[n].lpis.pending.size();
}

}  // namespace sluice
