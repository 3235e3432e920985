// devices/gic/its.h: GICv3 Interrupt Translation Service (Arm IHI 0069H chapter 5, "The ITS"): a message,
// that is a write of an EventID to GITS_TRANSLATER by the device with a DeviceID, becomes an LPI of one PE.
// Wiring: one MmioRegion of kSize with `lock()`: control frame, then translation frame. The DeviceID is the
// requester of the write (MemTxAttrs::requester), the EventID its data.
//
// The tables (device, collection, interrupt translation) are in guest memory, in a format of our own as the
// architecture wants it: eight bytes an entry. Nothing of them is cached, so a mapping command is in effect
// when it has been done, and SYNC has nothing to wait for.
//
// Commands are done in slices: at a write of GITS_CWRITER, and when GITS_CREADR is read, and by a timer for
// who does not poll. A command that is wrong is ignored and reported; one that memory fails for stalls the
// queue (GITS_CREADR.Stalled) until GITS_CWRITER.Retry is written. Both are choices that the architecture
// leaves open ("Command errors").
// Not modelled: virtual LPIs (GICv4), hardware collections; GITS_TYPER says so.
#pragma once
#include <array>
#include <mutex>
#include <optional>

#include "base/clock.h"
#include "devices/gic/gicv3.h"
#include "devices/gic/guest_tables.h"

namespace sluice {

class Gicv3Its final : public MmioDevice {
 public:
  static constexpr u64 kSize = 0x20000;
  static constexpr u64 kTranslaterOffset = 0x10040;
  static constexpr unsigned kDeviceIdBits = 16, kEventIdBits = 16, kCollectionIdBits = 16;

  // `gic` has LPIs (Gicv3::Config::lpi_memory) and outlives this; `memory` is where the tables are.
  Gicv3Its(Gicv3& gic, DmaPort memory, Clock& clock);
  ~Gicv3Its() override;

  std::mutex& lock() { return mutex_; }
  void reset();  // takes the lock
  // For `info irq`.
  std::string describe();

  AccessRules access_rules() const override { return {.impl_min = 1, .impl_max = 8}; }
  MemTxResult read(u64 offset, unsigned size, u64& value, MemTxAttrs attrs) override;
  MemTxResult write(u64 offset, unsigned size, u64 value, MemTxAttrs attrs) override;

 private:
  struct Command {
    std::array<u64, 4> words;
  };
  enum class Outcome : u8 { Done, Wrong, NoMemory };
  // A step of a command: its value, or why there is none.
  template <class T>
  struct Found {
    Outcome outcome = Outcome::Done;
    const char* why = nullptr;
    T value{};
    explicit operator bool() const { return outcome == Outcome::Done; }
  };
  struct Entry {  // of one of the three kinds of table
    u64 address = 0;
    u64 value = 0;
  };
  struct Event {
    Entry entry;
    u32 intid = 0;
    u16 collection = 0;
  };
  struct Lpi {
    u32 intid = 0;
    unsigned pe = 0;
  };
  struct Row {
    u8 opcode;
    const char* name;
    Found<unsigned> (Gicv3Its::*run)(const Command&);
  };
  static const Row kCommands[];

  // its.cpp: registers and queue
  u64 read64(u64 offset) const;
  void write64(u64 offset, u64 value);
  void write_ctlr(u32 value);
  void write_baser(unsigned n, u64 value);
  void write_cbaser(u64 value);
  void write_cwriter(u64 value);
  u64 queue_size() const;
  bool has_work() const;
  void run_queue();
  bool run_command(u64& work);
  void translate(u32 device_id, u32 event_id);
  Found<Entry> table_entry(unsigned baser, u64 index) const;

  // its_commands.cpp
  Found<Entry> device(u32 device_id) const;
  Found<Entry> interrupt_translation(u32 device_id, u32 event_id) const;
  Found<Event> event(u32 device_id, u32 event_id) const;
  Found<unsigned> target(u16 collection) const;
  Found<unsigned> redistributor(u64 word) const;
  Found<Lpi> lpi(u32 device_id, u32 event_id) const;
  Found<unsigned> put(const Entry& entry, u64 value);
  Found<unsigned> mapd(const Command& c);
  Found<unsigned> mapc(const Command& c);
  Found<unsigned> mapti(const Command& c);
  Found<unsigned> mapi(const Command& c);
  Found<unsigned> map_event(const Command& c, u32 intid);
  Found<unsigned> movi(const Command& c);
  Found<unsigned> discard(const Command& c);
  Found<unsigned> int_(const Command& c);
  Found<unsigned> clear(const Command& c);
  Found<unsigned> inv(const Command& c);
  Found<unsigned> invall(const Command& c);
  Found<unsigned> movall(const Command& c);
  Found<unsigned> sync(const Command& c);

  Gicv3Lpis& lpis_;
  const unsigned pes_;
  const GuestTables memory_;
  Clock& clock_;
  std::mutex mutex_;
  bool enabled_ = false, stalled_ = false;
  u64 cbaser_ = 0, cwriter_ = 0, creadr_ = 0;
  std::array<u64, 8> baser_{};
  u64 translated_ = 0, dropped_ = 0, commands_ = 0, wrong_ = 0;
  Clock::Timer more_;  // last: it dies first
};

}  // namespace sluice
