// tests/support/its_world.h: a GICv3 with an ITS and the tables that an operating system gives them.
#pragma once
#include <cstring>
#include <initializer_list>

#include "base/bits.h"
#include "devices/gic/gicv3_lpis.h"
#include "devices/gic/its.h"
#include "tests/support/memory_world.h"
#include "tests/unit/gic_rig.h"

namespace sluice::test {

enum : u64 {
  GITS_CTLR = 0x00000,
  GITS_IIDR = 0x00004,
  GITS_TYPER = 0x00008,
  GITS_CBASER = 0x00080,
  GITS_CWRITER = 0x00088,
  GITS_CREADR = 0x00090,
  GITS_BASER0 = 0x00100,
  GITS_BASER1 = 0x00108,
  GITS_TRANSLATER = 0x10040,
  GICR_PROPBASER = 0x70,
  GICR_PENDBASER = 0x78,
};
inline constexpr u64 kValidBit = u64{1} << 63;
inline constexpr u64 kStalledBit = 1, kRetryBit = 1;
inline constexpr u8 kLpiOn = 0xa1, kLpiOff = 0xa0;  // of the configuration table: priority 0xa0, Enable

// What goes into the queue: IHI 0069H, "ITS commands".
struct ItsCommand {
  u64 w0 = 0, w1 = 0, w2 = 0, w3 = 0;
  static ItsCommand mapd(u32 device, u64 itt, unsigned event_bits, bool valid = true) {
    return {u64{device} << 32 | 0x08, event_bits - 1, (valid ? kValidBit : 0) | itt};
  }
  static ItsCommand mapc(u16 collection, u64 pe, bool valid = true) {
    return {0x09, 0, (valid ? kValidBit : 0) | pe << 16 | collection};
  }
  static ItsCommand mapti(u32 device, u32 event, u32 intid, u16 collection) {
    return {u64{device} << 32 | 0x0a, u64{intid} << 32 | event, collection};
  }
  static ItsCommand mapi(u32 device, u32 event, u16 collection) {
    return {u64{device} << 32 | 0x0b, event, collection};
  }
  static ItsCommand movi(u32 device, u32 event, u16 collection) {
    return {u64{device} << 32 | 0x01, event, collection};
  }
  static ItsCommand of_event(u8 opcode, u32 device, u32 event) { return {u64{device} << 32 | opcode, event}; }
  static ItsCommand int_(u32 device, u32 event) { return of_event(0x03, device, event); }
  static ItsCommand clear(u32 device, u32 event) { return of_event(0x04, device, event); }
  static ItsCommand inv(u32 device, u32 event) { return of_event(0x0c, device, event); }
  static ItsCommand discard(u32 device, u32 event) { return of_event(0x0f, device, event); }
  static ItsCommand invall(u16 collection) { return {0x0d, 0, collection}; }
  static ItsCommand movall(u64 from, u64 to) { return {0x0e, 0, from << 16, to << 16}; }
  static ItsCommand sync(u64 pe) { return {0x05, 0, pe << 16}; }
};

struct ItsWorld {
  static constexpr u64 kIts = 0x0808'0000, kRedistributors = 0x080a'0000, kDistributor = 0x0800'0000;
  static constexpr u64 kRam = 0x4000'0000, kRamSize = u64{8} << 20;
  static constexpr u64 kQueue = kRam, kDevices = kRam + 0x100000, kCollections = kRam + 0x200000;
  static constexpr u64 kLevel2 = kRam + 0x280000, kItt = kRam + 0x300000, kProperties = kRam + 0x400000;
  static constexpr u64 kPending = kRam + 0x500000;  // 64 KiB for each PE
  static constexpr unsigned kPes = 4;

  InvalidationHub hub;
  Topology topology{hub};
  std::shared_ptr<GuestRam> ram = make_ram(kRamSize);
  std::shared_ptr<Container> root = std::make_shared<Container>("root", kWholeSpace);
  AddressSpace space{topology, "memory", root};
  Clock clock{Clock::Mode::Icount};
  gic_rig::V3 gic;
  Gicv3Its its;

  // `security`: a GIC with two Security states.
  explicit ItsWorld(bool security = false)
      : gic(Gicv3::Config{.pes = kPes,
                          .affinities = gic_rig::V3::numbered(kPes),
                          .security = security,
                          .lpi_memory = port()}),
        its(gic.gic, port(), clock) {
    Topology::Transaction t(topology);
    t.add(*root, kRam, std::make_shared<RamRegion>("ram", ram));
    t.add(*root, kIts, std::make_shared<MmioRegion>("its", Gicv3Its::kSize, its, &its.lock()));
    t.add(*root, kDistributor,
          std::make_shared<MmioRegion>("gicd", Gicv3::kDistributorSize, gic.gic.distributor(), nullptr));
    t.add(*root, kRedistributors,
          std::make_shared<MmioRegion>("gicr", kPes * Gicv3::kRedistributorStride, gic.gic.redistributors(),
                                       nullptr));
  }
  DmaPort port() { return {space, MemTxAttrs::device(2, 0)}; }

  // GITS_*
  u64 r(u64 offset, unsigned size = 8) {
    u64 value = 0;
    EXPECT_TRUE(space.load({kIts + offset}, size, value, kNs).is_ok());
    return value;
  }
  void w(u64 offset, u64 value, unsigned size = 8) {
    EXPECT_TRUE(space.store({kIts + offset}, size, value, kNs).is_ok());
  }
  // GICR_* of 64 bits
  u64 gicr(unsigned pe, u64 offset) {
    u64 value = 0;
    EXPECT_TRUE(
        space.load({kRedistributors + pe * Gicv3::kRedistributorStride + offset}, 8, value, kNs).is_ok());
    return value;
  }
  void gicr(unsigned pe, u64 offset, u64 value) {
    EXPECT_TRUE(
        space.store({kRedistributors + pe * Gicv3::kRedistributorStride + offset}, 8, value, kNs).is_ok());
  }

  template <class T>
  T peek(u64 address) {
    T value;
    std::memcpy(&value, ram->host() + (address - kRam), sizeof value);
    return value;
  }
  template <class T>
  void poke(u64 address, T value) {
    std::memcpy(ram->host() + (address - kRam), &value, sizeof value);
  }
  void configure(u32 intid, u8 value) { poke<u8>(kProperties + intid - kFirstLpi, value); }

  // What an operating system does at boot: flat tables, all LPIs at priority 0xa0 and off.
  void boot(u64 queue_pages = 1) {
    gic.boot();
    std::memset(ram->host() + (kProperties - kRam), kLpiOff, 0x10000 - kFirstLpi);
    for (unsigned pe = 0; pe < kPes; pe++) {
      gicr(pe, GICR_PROPBASER, kProperties | 15);
      gicr(pe, GICR_PENDBASER, (kPending + pe * 0x10000) | u64{1} << 62);
      enable_lpis(pe, true);
    }
    w(GITS_BASER0, kValidBit | kDevices | 2 << 8 | 7);      // 8 pages of 64 KiB: every DeviceID
    w(GITS_BASER1, kValidBit | kCollections | 0 << 8 | 0);  // one page of 4 KiB: 512 collections
    w(GITS_CBASER, kValidBit | kQueue | (queue_pages - 1));
    w(GITS_CWRITER, 0);
    w(GITS_CTLR, 1, 4);
  }
  void enable_lpis(unsigned pe, bool on) { gic.r(pe, gic_rig::GICR_CTLR, on); }

  u64 queue_size() { return ((r(GITS_CBASER) & 0xff) + 1) * 0x1000; }
  // Into the queue without telling the ITS; returns the new CWRITER.
  u64 put(u64 at, const ItsCommand& c) {
    u64 words[4] = {c.w0, c.w1, c.w2, c.w3};
    std::memcpy(ram->host() + (kQueue - kRam) + at, words, sizeof words);
    return (at + 32) % queue_size();
  }
  // Done when this returns, or the queue has stalled.
  void run(std::initializer_list<ItsCommand> commands) {
    u64 at = r(GITS_CWRITER);
    for (const ItsCommand& c : commands) at = put(at, c);
    w(GITS_CWRITER, at);
    for (int i = 0; i < 100000 && r(GITS_CREADR) != r(GITS_CWRITER) && !stalled(); i++) {
    }
  }
  bool stalled() { return r(GITS_CREADR) & kStalledBit; }
  bool queue_is_done() { return r(GITS_CREADR) == r(GITS_CWRITER); }

  // Device `device` with 32 events; event n is LPI 8192 + first + n, in collection `collection` of PE `pe`.
  void map(u32 device, u32 first, u16 collection, unsigned pe, u32 events = 4) {
    run({ItsCommand::mapc(collection, pe), ItsCommand::mapd(device, itt(device), 5)});
    for (u32 n = 0; n < events; n++) run({ItsCommand::mapti(device, n, kFirstLpi + first + n, collection)});
  }
  static u64 itt(u32 device) { return kItt + device % 256 * 0x1000; }
  // A message, as the device with this DeviceID sends it.
  void message(u32 device, u32 event, unsigned size = 4) {
    EXPECT_TRUE(space.store({kIts + GITS_TRANSLATER}, size, event, MemTxAttrs::device(9, device)).is_ok());
  }
  // What the PE is given next: acknowledges and ends it.
  unsigned take(unsigned pe) {
    unsigned intid = unsigned(gic.c(pe, gic_rig::ICC_IAR1));
    if (intid != 1023) gic.c(pe, gic_rig::ICC_EOIR1, intid);
    return intid;
  }
  bool irq(unsigned pe) { return gic.out[pe].irq; }
};

}  // namespace sluice::test
