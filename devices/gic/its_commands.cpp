// devices/gic/its_commands.cpp: the commands of the ITS, Arm IHI 0069H, "ITS commands". Fields of a command
// are named by 64-bit word and bits.
#include "base/bits.h"
#include "base/trace.h"
#include "devices/gic/gicv3_lpis.h"
#include "devices/gic/its.h"

namespace sluice {
namespace {

// Our entries. Device: Valid 63, ITT address 51:8, Size 4:0. Interrupt translation: Valid 63, INTID 39:16,
// ICID 15:0. Collection: Valid 63, PE 15:0.
constexpr u64 kValid = u64{1} << 63;
constexpr u64 kIttAddress = 0x000f'ffff'ffff'ff00;
constexpr unsigned kDeviceTable = 0, kCollectionTable = 1;
constexpr u64 kEntrySize = 8;

u32 device_id(u64 word0) { return u32(extract(word0, 32, 32)); }
u32 event_id(u64 word1) { return u32(word1); }
u16 collection_id(u64 word2) { return u16(word2); }
bool valid(u64 word) { return word & kValid; }

Trace<u32, u64, u64, bool> trace_mapd{"gicv3_its_cmd_mapd", "DeviceID={:#x} Size={} ITT_addr={:#x} V={:d}"};
Trace<u16, u64, bool> trace_mapc{"gicv3_its_cmd_mapc", "ICID={:#x} RDbase={:#x} V={:d}"};
Trace<u32, u32, u16, u32> trace_mapti{"gicv3_its_cmd_mapti",
                                      "DeviceID={:#x} EventID={:#x} ICID={:#x} pINTID={:#x}"};
Trace<u32, u32, u16> trace_mapi{"gicv3_its_cmd_mapi", "DeviceID={:#x} EventID={:#x} ICID={:#x}"};
Trace<u32, u32, u16> trace_movi{"gicv3_its_cmd_movi", "DeviceID={:#x} EventID={:#x} ICID={:#x}"};
Trace<u32, u32> trace_discard{"gicv3_its_cmd_discard", "DeviceID={:#x} EventID={:#x}"};
Trace<u32, u32> trace_int{"gicv3_its_cmd_int", "DeviceID={:#x} EventID={:#x}"};
Trace<u32, u32> trace_clear{"gicv3_its_cmd_clear", "DeviceID={:#x} EventID={:#x}"};
Trace<u32, u32> trace_inv{"gicv3_its_cmd_inv", "DeviceID={:#x} EventID={:#x}"};
Trace<u16> trace_invall{"gicv3_its_cmd_invall", "ICID={:#x}"};
Trace<u64, u64> trace_movall{"gicv3_its_cmd_movall", "RDbase1={:#x} RDbase2={:#x}"};
Trace<u64> trace_sync{"gicv3_its_cmd_sync", "RDbase={:#x}"};

u64 rdbase(u64 word) { return extract(word, 16, 35); }

}  // namespace

const Gicv3Its::Row Gicv3Its::kCommands[] = {
    // clang-format off
    {0x01, "MOVI",    &Gicv3Its::movi},
    {0x03, "INT",     &Gicv3Its::int_},
    {0x04, "CLEAR",   &Gicv3Its::clear},
    {0x05, "SYNC",    &Gicv3Its::sync},
    {0x08, "MAPD",    &Gicv3Its::mapd},
    {0x09, "MAPC",    &Gicv3Its::mapc},
    {0x0a, "MAPTI",   &Gicv3Its::mapti},
    {0x0b, "MAPI",    &Gicv3Its::mapi},
    {0x0c, "INV",     &Gicv3Its::inv},
    {0x0d, "INVALL",  &Gicv3Its::invall},
    {0x0e, "MOVALL",  &Gicv3Its::movall},
    {0x0f, "DISCARD", &Gicv3Its::discard},
    {0,    nullptr,   nullptr},
    // clang-format on
};

// Passes on why the step before has failed.
#define TRY(name, expression)    \
  auto name = expression;        \
  if (!name) return {            \
      name.outcome, name.why, {} \
    }

Gicv3Its::Found<Gicv3Its::Entry> Gicv3Its::device(u32 id) const {
  if (id >> kDeviceIdBits) return {.outcome = Outcome::Wrong, .why = "DeviceID out of range"};
  return table_entry(kDeviceTable, id);
}

Gicv3Its::Found<Gicv3Its::Entry> Gicv3Its::interrupt_translation(u32 device, u32 event) const {
  TRY(dte, this->device(device));
  u64 d = dte.value.value;
  if (!valid(d)) return {.outcome = Outcome::Wrong, .why = "the device is not mapped"};
  if (u64{event} >> (extract(d, 0, 5) + 1)) return {.outcome = Outcome::Wrong, .why = "EventID out of range"};
  Entry e{.address = (d & kIttAddress) + event * kEntrySize};
  if (!memory_.load64(e.address, e.value))
    return {.outcome = Outcome::NoMemory, .why = "no memory for the interrupt translation table"};
  return {.value = e};
}

Gicv3Its::Found<Gicv3Its::Event> Gicv3Its::event(u32 device, u32 event) const {
  TRY(ite, interrupt_translation(device, event));
  u64 e = ite.value.value;
  if (!valid(e)) return {.outcome = Outcome::Wrong, .why = "the event is not mapped"};
  return {.value = {ite.value, u32(extract(e, 16, 24)), u16(e)}};
}

// The PE of a collection. The guest can write what it wants into our tables: a PE is checked here again.
Gicv3Its::Found<unsigned> Gicv3Its::target(u16 collection) const {
  TRY(cte, table_entry(kCollectionTable, collection));
  if (!valid(cte.value.value)) return {.outcome = Outcome::Wrong, .why = "the collection is not mapped"};
  unsigned pe = u16(cte.value.value);
  if (pe >= pes_) return {.outcome = Outcome::Wrong, .why = "the collection has no such PE"};
  return {.value = pe};
}

// RDbase: bits 50:16, which with GITS_TYPER.PTA == 0 hold GICR_TYPER.Processor_Number.
Gicv3Its::Found<unsigned> Gicv3Its::redistributor(u64 word) const {
  u64 pe = rdbase(word);
  if (pe >= pes_) return {.outcome = Outcome::Wrong, .why = "no such Redistributor"};
  return {.value = unsigned(pe)};
}

Gicv3Its::Found<Gicv3Its::Lpi> Gicv3Its::lpi(u32 device, u32 event) const {
  TRY(e, this->event(device, event));
  TRY(pe, target(e.value.collection));
  if (!is_lpi(e.value.intid)) return {.outcome = Outcome::Wrong, .why = "its INTID is no LPI"};
  return {.value = {e.value.intid, pe.value}};
}

Gicv3Its::Found<unsigned> Gicv3Its::put(const Entry& entry, u64 value) {
  if (!memory_.store64(entry.address, value)) return {.outcome = Outcome::NoMemory, .why = "no memory"};
  return {};
}

// DeviceID 0[63:32], Size 1[4:0], ITT_addr 2[51:8], V 2[63]
Gicv3Its::Found<unsigned> Gicv3Its::mapd(const Command& c) {
  trace_mapd(device_id(c.words[0]), extract(c.words[1], 0, 5), c.words[2] & kIttAddress, valid(c.words[2]));
  TRY(dte, device(device_id(c.words[0])));
  if (!valid(c.words[2])) return put(dte.value, 0);
  u64 size = extract(c.words[1], 0, 5);
  if (size >= kEventIdBits) return {.outcome = Outcome::Wrong, .why = "too many EventID bits"};
  return put(dte.value, kValid | (c.words[2] & kIttAddress) | size);
}

// ICID 2[15:0], RDbase 2[50:16], V 2[63]
Gicv3Its::Found<unsigned> Gicv3Its::mapc(const Command& c) {
  trace_mapc(collection_id(c.words[2]), rdbase(c.words[2]), valid(c.words[2]));
  TRY(cte, table_entry(kCollectionTable, collection_id(c.words[2])));
  if (!valid(c.words[2])) return put(cte.value, 0);
  TRY(pe, redistributor(c.words[2]));
  return put(cte.value, kValid | pe.value);
}

// DeviceID 0[63:32], EventID 1[31:0], pINTID 1[63:32], ICID 2[15:0]
Gicv3Its::Found<unsigned> Gicv3Its::mapti(const Command& c) {
  trace_mapti(device_id(c.words[0]), event_id(c.words[1]), collection_id(c.words[2]),
              u32(extract(c.words[1], 32, 32)));
  return map_event(c, u32(extract(c.words[1], 32, 32)));
}
// As MAPTI, but the EventID is the INTID.
Gicv3Its::Found<unsigned> Gicv3Its::mapi(const Command& c) {
  trace_mapi(device_id(c.words[0]), event_id(c.words[1]), collection_id(c.words[2]));
  return map_event(c, event_id(c.words[1]));
}

Gicv3Its::Found<unsigned> Gicv3Its::map_event(const Command& c, u32 intid) {
  TRY(ite, interrupt_translation(device_id(c.words[0]), event_id(c.words[1])));
  if (!is_lpi(intid)) return {.outcome = Outcome::Wrong, .why = "the INTID is no LPI"};
  TRY(cte, table_entry(kCollectionTable, collection_id(c.words[2])));  // it exists; mapped it may be later
  return put(ite.value, kValid | u64{intid} << 16 | collection_id(c.words[2]));
}

// DeviceID 0[63:32], EventID 1[31:0], ICID 2[15:0]
Gicv3Its::Found<unsigned> Gicv3Its::movi(const Command& c) {
  trace_movi(device_id(c.words[0]), event_id(c.words[1]), collection_id(c.words[2]));
  TRY(old, event(device_id(c.words[0]), event_id(c.words[1])));
  TRY(to, target(collection_id(c.words[2])));
  TRY(written, put(old.value.entry, kValid | u64{old.value.intid} << 16 | collection_id(c.words[2])));
  if (auto from = target(old.value.collection)) lpis_.move(from.value, to.value, old.value.intid);
  return {};
}

// DeviceID 0[63:32], EventID 1[31:0]: no longer pending, no longer mapped.
Gicv3Its::Found<unsigned> Gicv3Its::discard(const Command& c) {
  trace_discard(device_id(c.words[0]), event_id(c.words[1]));
  TRY(old, event(device_id(c.words[0]), event_id(c.words[1])));
  TRY(written, put(old.value.entry, 0));
  if (auto pe = target(old.value.collection)) lpis_.clear_pending(pe.value, old.value.intid);
  return {};
}

// DeviceID 0[63:32], EventID 1[31:0], as for CLEAR and INV
Gicv3Its::Found<unsigned> Gicv3Its::int_(const Command& c) {
  trace_int(device_id(c.words[0]), event_id(c.words[1]));
  TRY(found, lpi(device_id(c.words[0]), event_id(c.words[1])));
  lpis_.make_pending(found.value.pe, found.value.intid);
  return {};
}
Gicv3Its::Found<unsigned> Gicv3Its::clear(const Command& c) {
  trace_clear(device_id(c.words[0]), event_id(c.words[1]));
  TRY(found, lpi(device_id(c.words[0]), event_id(c.words[1])));
  lpis_.clear_pending(found.value.pe, found.value.intid);
  return {};
}
Gicv3Its::Found<unsigned> Gicv3Its::inv(const Command& c) {
  trace_inv(device_id(c.words[0]), event_id(c.words[1]));
  TRY(found, lpi(device_id(c.words[0]), event_id(c.words[1])));
  lpis_.reload(found.value.pe, found.value.intid);
  return {};
}

// ICID 2[15:0]
Gicv3Its::Found<unsigned> Gicv3Its::invall(const Command& c) {
  trace_invall(collection_id(c.words[2]));
  TRY(pe, target(collection_id(c.words[2])));
  unsigned work = unsigned(lpis_.pending(pe.value));
  lpis_.reload_all(pe.value);
  return {.value = work};
}

// RDbase1 2[50:16], RDbase2 3[50:16]
Gicv3Its::Found<unsigned> Gicv3Its::movall(const Command& c) {
  trace_movall(rdbase(c.words[2]), rdbase(c.words[3]));
  TRY(from, redistributor(c.words[2]));
  TRY(to, redistributor(c.words[3]));
  unsigned work = unsigned(lpis_.pending(from.value));
  lpis_.move_all(from.value, to.value);
  return {.value = work};
}

// RDbase 2[50:16]: what came before has taken effect already.
Gicv3Its::Found<unsigned> Gicv3Its::sync(const Command& c) {
  trace_sync(rdbase(c.words[2]));
  TRY(pe, redistributor(c.words[2]));
  return {};
}

}  // namespace sluice
