// tests/unit/its_test.cpp: the GICv3 ITS and the LPIs of the Redistributors through their registers, tables
// and command queue. Expected values are those of Arm IHI 0069H.
#include "devices/gic/its.h"

#include <gtest/gtest.h>

#include "tests/support/its_world.h"

namespace sluice {
namespace {

using namespace test;
using namespace gic_rig;
using C = ItsCommand;

constexpr unsigned kNone = 1023;

TEST(ItsRegisters, TyperSaysWhatThereIs) {
  ItsWorld w;
  u64 typer = w.r(GITS_TYPER);
  EXPECT_EQ(typer & 3, 1u);                 // Physical, not Virtual
  EXPECT_EQ(extract(typer, 4, 4), 7u);      // ITT_entry_size: 8 bytes
  EXPECT_EQ(extract(typer, 8, 5), 15u);     // ID_bits
  EXPECT_EQ(extract(typer, 13, 5), 15u);    // Devbits
  EXPECT_EQ(extract(typer, 18, 2), 0u);     // SEIS, PTA
  EXPECT_EQ(extract(typer, 24, 8), 0u);     // HCC
  EXPECT_EQ(extract(typer, 32, 5), 0x1fu);  // CIL, CIDbits
  EXPECT_EQ(typer >> 37, 0u);               // VMOVP and the rest
  EXPECT_EQ(w.r(GITS_TYPER + 4, 4), 0x1fu);
  EXPECT_EQ(w.r(GITS_IIDR, 4) & 0xfff, 0x43bu);
  EXPECT_EQ(w.r(0xffe8, 4) & 0xf0, 0x30u);  // GITS_PIDR2.ArchRev
  EXPECT_EQ(w.r(0xfff0, 4), 0x0du);
}

TEST(ItsRegisters, ResetValues) {
  ItsWorld w;
  EXPECT_EQ(w.r(GITS_CTLR, 4), 0x8000'0000u);  // Quiescent
  for (u64 zero : {GITS_CBASER, GITS_CWRITER, GITS_CREADR}) EXPECT_EQ(w.r(zero), 0u);
  EXPECT_EQ(w.r(GITS_BASER0), u64{1} << 56 | u64{7} << 48);  // Devices
  EXPECT_EQ(w.r(GITS_BASER1), u64{4} << 56 | u64{7} << 48);  // Interrupt collections
  for (u64 n = 2; n < 8; n++) EXPECT_EQ(w.r(GITS_BASER0 + 8 * n), 0u);
}

TEST(ItsRegisters, BaserKeepsWhatItModelsAndFixesTypeAndEntrySize) {
  ItsWorld w;
  w.w(GITS_BASER0, ~u64{0});
  EXPECT_EQ(w.r(GITS_BASER0), 0xf9e7'ffff'ffff'f2ffu);  // Page_Size 3 is 2, Shareability 3 is 0
  w.w(GITS_BASER1, 0);
  EXPECT_EQ(w.r(GITS_BASER1), u64{4} << 56 | u64{7} << 48);
  w.w(GITS_BASER0 + 16, ~u64{0});
  EXPECT_EQ(w.r(GITS_BASER0 + 16), 0u);
  for (u64 field : {0u, 1u, 2u}) {
    w.w(GITS_BASER0, field << 8 | u64{1} << 10 | 0x4000'0000);
    EXPECT_EQ(extract(w.r(GITS_BASER0), 8, 4), field | 4);
  }
}

TEST(ItsRegisters, SixtyFourBitRegistersTakeHalves) {
  ItsWorld w;
  w.w(GITS_CBASER, 0x4000'0403, 4);
  w.w(GITS_CBASER + 4, 0x8000'0001, 4);
  EXPECT_EQ(w.r(GITS_CBASER), 0x8000'0001'4000'0403u);
  EXPECT_EQ(w.r(GITS_CBASER + 4, 4), 0x8000'0001u);
  w.w(GITS_BASER0 + 4, 0xc000'0001, 4);
  EXPECT_EQ(w.r(GITS_BASER0), 0xc107'0001'0000'0000u);
}

TEST(ItsRegisters, BaseRegistersAreLockedWhileEnabled) {
  ItsWorld w;
  w.boot();
  u64 cbaser = w.r(GITS_CBASER), baser = w.r(GITS_BASER0);
  w.w(GITS_CBASER, 0);
  w.w(GITS_BASER0, 0);
  EXPECT_EQ(w.r(GITS_CBASER), cbaser);
  EXPECT_EQ(w.r(GITS_BASER0), baser);
  EXPECT_EQ(w.r(GITS_CTLR, 4), 1u);
  w.w(GITS_CTLR, 0, 4);
  EXPECT_EQ(w.r(GITS_CTLR, 4), 0x8000'0000u);
}

TEST(ItsRegisters, WritingCbaserRestartsTheQueue) {
  ItsWorld w;
  w.boot();
  w.run({C::sync(0), C::sync(0)});
  EXPECT_EQ(w.r(GITS_CREADR), 64u);
  w.w(GITS_CTLR, 0, 4);
  w.w(GITS_CBASER, w.r(GITS_CBASER));
  EXPECT_EQ(w.r(GITS_CREADR), 0u);
}

TEST(ItsRegisters, OddAccessesAreRazWi) {
  ItsWorld w;
  w.boot();
  for (auto [offset, size] : {std::pair<u64, unsigned>{GITS_CTLR, 1},
                              {GITS_CTLR, 2},
                              {0x2000, 4},
                              {0x10000, 4},
                              {0x10048, 8},
                              {GITS_TRANSLATER, 1},
                              {GITS_TRANSLATER, 8},
                              {0x1fff8, 8}}) {
    w.w(offset, ~u64{0}, size);
    EXPECT_EQ(w.r(offset, size), 0u) << std::hex << offset;
  }
  EXPECT_EQ(w.r(GITS_TRANSLATER, 4), 0u);  // write-only
  w.w(GITS_CREADR, 0x40);
  w.w(GITS_TYPER, 0);
  EXPECT_EQ(w.r(GITS_CREADR), 0u);
  EXPECT_NE(w.r(GITS_TYPER), 0u);
}

TEST(ItsRegisters, ResetForgetsEverything) {
  ItsWorld w;
  w.boot();
  w.run({C::sync(0)});
  w.its.reset();
  EXPECT_EQ(w.r(GITS_CTLR, 4), 0x8000'0000u);
  EXPECT_EQ(w.r(GITS_CREADR), 0u);
  EXPECT_EQ(w.r(GITS_CWRITER), 0u);
  EXPECT_EQ(w.r(GITS_BASER0), u64{1} << 56 | u64{7} << 48);
}

// --- Redistributor
// ----------------------------------------------------------------------------------------------

TEST(Lpis, IdRegistersShowThemOnlyWithAnIts) {
  ItsWorld w;
  V3 without;
  EXPECT_EQ(w.gic.d(GICD_TYPER) ^ without.d(GICD_TYPER), 1u << 17);      // LPIS
  EXPECT_EQ(w.gic.d(GICD_TYPER) >> 19 & 0x1f, 15u);                      // IDbits
  EXPECT_EQ(w.gic.d(GICD_TYPER) >> 11 & 0x1f, 0u);                       // num_LPIs: as IDbits says
  EXPECT_EQ(w.gic.r64(0, GICR_TYPER) ^ without.r64(0, GICR_TYPER), 1u);  // PLPIS; no DirectLPI
  EXPECT_EQ(w.gic.r(0, GICR_CTLR), 2u);                                  // CES
  EXPECT_EQ(without.r(0, GICR_CTLR), 0u);
  without.r(0, GICR_CTLR, 1);
  without.r(0, GICR_PROPBASER, ~0u);
  without.r(0, GICR_PENDBASER, ~0u);
  EXPECT_EQ(without.r(0, GICR_CTLR), 0u);
  EXPECT_EQ(without.r64(0, GICR_PROPBASER), 0u);
  EXPECT_EQ(without.r64(0, GICR_PENDBASER), 0u);
}

TEST(Lpis, TableRegistersKeepTheirFieldsAndAreLockedWhileEnabled) {
  ItsWorld w;
  w.gicr(1, GICR_PROPBASER, ~u64{0});
  EXPECT_EQ(w.gicr(1, GICR_PROPBASER), 0x070f'ffff'ffff'ff9fu);
  w.gicr(1, GICR_PENDBASER, ~u64{0});
  EXPECT_EQ(w.gicr(1, GICR_PENDBASER), 0x070f'ffff'ffff'0f80u);  // PTZ reads as 0
  w.boot();
  u64 prop = w.gicr(1, GICR_PROPBASER), pend = w.gicr(1, GICR_PENDBASER);
  w.gicr(1, GICR_PROPBASER, 0);
  w.gicr(1, GICR_PENDBASER, 0);
  EXPECT_EQ(w.gicr(1, GICR_PROPBASER), prop);
  EXPECT_EQ(w.gicr(1, GICR_PENDBASER), pend);
  EXPECT_EQ(w.gic.r(1, GICR_CTLR), 3u);
}

TEST(Lpis, EnablingReadsThePendingTableUnlessItIsSaidToBeZero) {
  for (bool zero : {false, true}) {
    ItsWorld w;
    w.boot();
    w.enable_lpis(2, false);
    w.configure(8192 + 77, kLpiOn);
    w.poke<u8>(w.kPending + 0x20000 + (8192 + 77) / 8, 1 << 77 % 8);
    w.gicr(2, GICR_PENDBASER, (w.kPending + 0x20000) | (zero ? u64{1} << 62 : 0));
    w.enable_lpis(2, true);
    EXPECT_EQ(w.take(2), zero ? kNone : 8192u + 77);
  }
}

// GICR_CTLR.CES == 1: EnableLPIs can be cleared, and the pending table then holds what was pending.
TEST(Lpis, DisablingWritesThePendingTableAndEnablingFindsItThere) {
  ItsWorld w;
  w.boot();
  w.map(5, 0, 1, 2);
  w.configure(8193, kLpiOn);
  w.message(5, 1);
  w.message(5, 3);  // off in the configuration table: pending all the same
  EXPECT_TRUE(w.irq(2));
  w.poke<u8>(w.kPending + 0x20000 + 9000 / 8, 0xff);  // stale: not pending
  w.enable_lpis(2, false);
  EXPECT_FALSE(w.irq(2));
  EXPECT_EQ(w.peek<u8>(w.kPending + 0x20000 + 8192 / 8), 0b1010);
  EXPECT_EQ(w.peek<u8>(w.kPending + 0x20000 + 9000 / 8), 0);
  w.message(5, 0);  // ignored: LPIs are disabled
  w.configure(8195, kLpiOn);
  w.enable_lpis(2, true);
  EXPECT_EQ(w.take(2), 8193u);
  EXPECT_EQ(w.take(2), 8195u);
  EXPECT_EQ(w.take(2), kNone);
}

TEST(Lpis, TablesWhereThereIsNoMemoryAreNoPendingLpis) {
  ItsWorld w;
  w.boot();
  w.map(5, 0, 1, 1);
  w.enable_lpis(1, false);
  w.gicr(1, GICR_PROPBASER, 0x10'0000'0000 | 15);
  w.gicr(1, GICR_PENDBASER, 0x20'0000'0000);
  w.enable_lpis(1, true);
  w.message(5, 0);
  EXPECT_FALSE(w.irq(1));
  w.enable_lpis(1, false);
}

TEST(Lpis, IntidsBeyondPropbaserIdbitsDoNotExist) {
  ItsWorld w;
  w.boot();
  w.map(5, 0, 1, 1);
  w.run({C::mapti(5, 1, 16384, 1)});
  w.configure(8192, kLpiOn);
  w.configure(16384, kLpiOn);
  w.enable_lpis(1, false);
  w.gicr(1, GICR_PROPBASER, w.kProperties | 13);
  w.enable_lpis(1, true);
  w.message(5, 1);
  EXPECT_EQ(w.take(1), kNone);
  w.message(5, 0);
  EXPECT_EQ(w.take(1), 8192u);
  w.enable_lpis(1, false);
  w.gicr(1, GICR_PROPBASER, w.kProperties | 12);
  w.enable_lpis(1, true);
  w.message(5, 0);
  EXPECT_EQ(w.take(1), kNone);
}

// --- Messages
// ------------------------------------------------------------------------------------------------

TEST(ItsMessages, ReachThePeOfTheirCollection) {
  ItsWorld w;
  w.boot();
  for (u32 n = 0; n < 4; n++) {
    w.configure(8192 + 100 * n + 2, kLpiOn);
    w.map(0x18 + n, 100 * n, u16(7 + n), n);
  }
  for (u32 n = 0; n < 4; n++) w.message(0x18 + n, 2);
  for (unsigned pe = 0; pe < 4; pe++) {
    EXPECT_TRUE(w.irq(pe));
    EXPECT_EQ(w.take(pe), 8192u + 100 * pe + 2);
    EXPECT_FALSE(w.irq(pe));
    EXPECT_EQ(w.take(pe), kNone);
  }
}

TEST(ItsMessages, SixteenBitWritesAreMessagesToo) {
  ItsWorld w;
  w.boot();
  w.map(1, 0, 0, 0);
  w.configure(8195, kLpiOn);
  w.message(1, 3, 2);
  EXPECT_EQ(w.take(0), 8195u);
}

TEST(ItsMessages, ThatNameNothingAreDropped) {
  ItsWorld w;
  w.boot();
  w.map(1, 0, 0, 0);
  std::memset(w.ram->host() + (w.kProperties - w.kRam), kLpiOn, 0x100);
  w.message(2, 0);        // no such device
  w.message(0x10001, 0);  // DeviceID out of range: not device 1
  w.message(1, 4);        // not mapped
  w.message(1, 32);       // EventID out of range
  w.message(1, ~0u);
  w.run({C::mapc(0, 0, false)});
  w.message(1, 0);  // no collection
  w.run({C::mapc(0, 0)});
  w.w(GITS_CTLR, 0, 4);
  w.message(1, 0);  // disabled
  for (unsigned pe = 0; pe < 4; pe++) EXPECT_EQ(w.take(pe), kNone);
  w.w(GITS_CTLR, 1, 4);
  w.message(1, 0);
  EXPECT_EQ(w.take(0), 8192u);
}

TEST(ItsMessages, DeliveryFollowsPriorityThenIntidAndSortsWithSpis) {
  ItsWorld w;
  w.boot();
  w.map(1, 0, 0, 0);
  w.configure(8192, 0x81);
  w.configure(8193, 0x41);
  w.configure(8194, 0x81);
  for (u32 event : {2, 0, 1}) w.message(1, event);
  w.gic.arm(40, 0x80);
  w.gic.gic.spi(8)(true);
  w.gic.gic.spi(8)(false);
  w.gic.arm(41, 0x60);
  w.gic.make_edge(41);
  w.gic.gic.spi(9)(true);
  EXPECT_EQ(w.take(0), 8193u);
  EXPECT_EQ(w.take(0), 41u);
  EXPECT_EQ(w.take(0), 8192u);
  EXPECT_EQ(w.take(0), 8194u);
}

TEST(ItsMessages, AnLpiHasNoActiveState) {
  ItsWorld w;
  w.boot();
  w.map(1, 0, 0, 0);
  w.configure(8192, 0x41);
  w.message(1, 0);
  w.message(1, 0);  // pending already: one interrupt
  EXPECT_EQ(w.gic.c(0, ICC_HPPIR1), 8192u);
  EXPECT_EQ(w.gic.c(0, ICC_IAR1), 8192u);
  EXPECT_EQ(w.gic.c(0, ICC_RPR), 0x40u);
  EXPECT_EQ(w.gic.c(0, ICC_IAR1), kNone);
  w.message(1, 0);  // pending again before the end of the first: waits for the priority drop only
  EXPECT_FALSE(w.irq(0));
  w.gic.c(0, ICC_EOIR1, 8192);
  EXPECT_EQ(w.gic.c(0, ICC_RPR), 0xffu);
  EXPECT_TRUE(w.irq(0));
  // EOImode 1: ICC_DIR_EL1 of an LPI does nothing.
  w.gic.c(0, ICC_CTLR, 2);
  EXPECT_EQ(w.gic.c(0, ICC_IAR1), 8192u);
  w.gic.c(0, ICC_EOIR1, 8192);
  w.gic.c(0, ICC_DIR, 8192);
  EXPECT_EQ(w.take(0), kNone);
}

TEST(ItsMessages, LpisAreGroup1AndWaitForItsEnable) {
  ItsWorld w;
  w.boot();
  w.map(1, 0, 0, 0);
  w.configure(8192, kLpiOn);
  w.gic.c(0, ICC_IGRPEN1, 0);
  w.message(1, 0);
  EXPECT_FALSE(w.irq(0));
  w.gic.c(0, ICC_IGRPEN1, 1);
  EXPECT_TRUE(w.irq(0));
  w.gic.d(GICD_CTLR, 0, 0);
  EXPECT_FALSE(w.irq(0));
  w.gic.d(GICD_CTLR, 2, 0);
  EXPECT_EQ(w.gic.c(0, ICC_IAR0), kNone);
  EXPECT_EQ(w.take(0), 8192u);
}

// With two Security states LPIs are Non-secure Group 1, and their table has the Non-secure view of
// priorities.
TEST(ItsMessages, BelongToTheNonSecureStateWhenThereAreTwo) {
  constexpr SysregAccessor kEl3{.el = 3, .secure = true, .fiq_to_el3 = true, .secure_el1 = false};
  constexpr SysregAccessor kSecureEl1{.el = 1, .secure = true, .fiq_to_el3 = true, .secure_el1 = true};
  constexpr SysregAccessor kNsEl1{.el = 1, .secure = false, .fiq_to_el3 = true, .secure_el1 = false};
  ItsWorld w(true);
  SysregPort& icc = w.gic.gic.cpu_interface(0);
  (void)w.gic.gic.distributor().write(GICD_CTLR, 4, 0x37, kSecure);
  icc.write(ICC_PMR, 0xff, kEl3);
  icc.write({3, 6, 12, 12, 7}, 3, kEl3);  // ICC_IGRPEN1_EL3
  w.boot();
  w.map(1, 0, 0, 0);
  w.configure(8192, 0x41);
  w.message(1, 0);
  icc.security_changed(kNsEl1);
  EXPECT_TRUE(w.gic.out[0].irq);
  icc.security_changed(kSecureEl1);
  EXPECT_FALSE(w.gic.out[0].irq);
  EXPECT_TRUE(w.gic.out[0].fiq);
  EXPECT_EQ(icc.read(ICC_IAR1, kSecureEl1), kNone);
  icc.security_changed(kNsEl1);
  EXPECT_EQ(icc.read(ICC_IAR1, kNsEl1), 8192u);
  EXPECT_EQ(icc.read(ICC_RPR, kNsEl1), 0x40u);
  EXPECT_EQ(icc.read(ICC_RPR, kEl3), 0xa0u);  // 0x80 + 0x40 / 2
  icc.write(ICC_EOIR1, 8192, kNsEl1);
  EXPECT_EQ(icc.read(ICC_RPR, kEl3), 0xffu);
}

// --- Commands
// ------------------------------------------------------------------------------------------------

TEST(ItsCommands, IntClearAndDiscard) {
  ItsWorld w;
  w.boot();
  w.map(1, 0, 0, 3);
  w.configure(8192, kLpiOn);
  w.run({C::int_(1, 0)});
  EXPECT_TRUE(w.irq(3));
  w.run({C::clear(1, 0)});
  EXPECT_FALSE(w.irq(3));
  w.run({C::int_(1, 0), C::discard(1, 0)});
  EXPECT_FALSE(w.irq(3));
  w.message(1, 0);
  EXPECT_FALSE(w.irq(3));
}

TEST(ItsCommands, InvReadsTheConfigurationOfOneLpiAgainInvallOfACollections) {
  ItsWorld w;
  w.boot();
  w.map(1, 0, 0, 0);
  w.map(2, 10, 1, 1);
  for (u32 event : {0, 1}) w.message(1, event), w.message(2, event);
  for (u32 intid : {8192, 8193, 8202, 8203}) w.configure(intid, kLpiOn);
  EXPECT_FALSE(w.irq(0));
  w.run({C::inv(1, 1)});
  EXPECT_EQ(w.take(0), 8193u);
  EXPECT_EQ(w.take(0), kNone);
  w.run({C::invall(0), C::sync(0)});
  EXPECT_EQ(w.take(0), 8192u);
  EXPECT_FALSE(w.irq(1));
  w.run({C::invall(1)});
  EXPECT_EQ(w.take(1), 8202u);
  w.configure(8203, kLpiOff);
  w.run({C::inv(2, 1)});
  EXPECT_EQ(w.take(1), kNone);
}

TEST(ItsCommands, MapiUsesTheEventAsIntid) {
  ItsWorld w;
  w.boot();
  w.run({C::mapc(0, 0), C::mapd(1, w.itt(1), 14), C::mapi(1, 8200, 0), C::mapi(1, 5, 0)});
  w.configure(8200, kLpiOn);
  w.message(1, 8200);
  EXPECT_EQ(w.take(0), 8200u);
  w.message(1, 5);  // INTID 5 is no LPI: the command was refused
  EXPECT_EQ(w.take(0), kNone);
}

TEST(ItsCommands, MoviTakesThePendingStateAlong) {
  ItsWorld w;
  w.boot();
  w.map(1, 0, 0, 0);
  w.run({C::mapc(1, 2)});
  w.configure(8192, kLpiOn);
  w.message(1, 0);
  w.run({C::movi(1, 0, 1), C::sync(0), C::sync(2)});
  EXPECT_FALSE(w.irq(0));
  EXPECT_EQ(w.take(2), 8192u);
  w.message(1, 0);
  EXPECT_EQ(w.take(2), 8192u);
}

TEST(ItsCommands, MovallTakesAllPendingLpisAlong) {
  ItsWorld w;
  w.boot();
  w.map(1, 0, 0, 0);
  for (u32 n = 0; n < 4; n++) w.configure(8192 + n, kLpiOn), w.message(1, n);
  w.run({C::movall(0, 3)});
  EXPECT_EQ(w.take(0), kNone);
  for (u32 n = 0; n < 4; n++) EXPECT_EQ(w.take(3), 8192 + n);
  w.run({C::movall(3, 3)});
}

TEST(ItsCommands, UnmappingADeviceOrACollectionStopsItsMessages) {
  ItsWorld w;
  w.boot();
  w.map(1, 0, 0, 0);
  w.configure(8192, kLpiOn);
  w.run({C::mapd(1, 0, 1, false)});
  w.message(1, 0);
  EXPECT_FALSE(w.irq(0));
  w.run({C::mapd(1, w.itt(1), 5)});  // the ITT is as it was
  w.message(1, 0);
  EXPECT_EQ(w.take(0), 8192u);
}

// Every wrong command is skipped: CREADR moves on, nothing stalls, the next one is done, nothing is changed.
TEST(ItsCommands, WrongOnesAreSkipped) {
  ItsWorld w;
  w.boot();
  w.map(1, 0, 0, 0);
  w.configure(8192, kLpiOn);
  w.message(1, 0);
  const std::pair<const char*, C> wrong[] = {
      {"unknown opcode", {0xff}},
      {"opcode 0", {}},
      {"a GICv4 command", {0x2a}},
      {"MAPD: DeviceID", C::mapd(0x10000, w.itt(0), 5)},
      {"MAPD: Size", C::mapd(1, w.itt(1), 17)},
      {"MAPC: ICID beyond the table", C::mapc(512, 0)},
      {"MAPC: RDbase", C::mapc(0, 4)},
      {"MAPC: RDbase", C::mapc(0, u64{1} << 34)},
      {"MAPTI: device not mapped", C::mapti(2, 0, 8192, 0)},
      {"MAPTI: EventID", C::mapti(1, 32, 8192, 0)},
      {"MAPTI: INTID", C::mapti(1, 0, 8191, 0)},
      {"MAPTI: INTID", C::mapti(1, 0, 65536, 0)},
      {"MAPTI: ICID", C::mapti(1, 0, 8192, 512)},
      {"MAPI: INTID", C::mapi(1, 3, 0)},
      {"MOVI: not mapped", C::movi(1, 9, 0)},
      {"MOVI: collection not mapped", C::movi(1, 0, 5)},
      {"INT: not mapped", C::int_(1, 9)},
      {"INT: DeviceID", C::int_(0xffff'ffff, 0)},
      {"CLEAR: EventID", C::clear(1, 99)},
      {"INV: not mapped", C::inv(3, 0)},
      {"DISCARD: not mapped", C::discard(1, 10)},
      {"INVALL: collection not mapped", C::invall(77)},
      {"MOVALL: RDbase1", C::movall(9, 0)},
      {"MOVALL: RDbase2", C::movall(0, 9)},
      {"SYNC: RDbase", C::sync(4)},
  };
  for (const auto& [what, command] : wrong) {
    w.run({command, C::sync(0)});
    EXPECT_TRUE(w.queue_is_done()) << what;
    EXPECT_TRUE(w.irq(0)) << what;
  }
  EXPECT_EQ(w.take(0), 8192u);
  w.message(1, 0);
  EXPECT_EQ(w.take(0), 8192u);
  EXPECT_NE(w.its.describe().find("25 wrong"), std::string::npos) << w.its.describe();
}

// --- Tables
// --------------------------------------------------------------------------------------------------

TEST(ItsTables, TwoLevelsOfEveryPageSize) {
  for (u64 code : {0, 1, 2}) {
    ItsWorld w;
    w.boot();
    w.w(GITS_CTLR, 0, 4);
    u64 page = u64{0x1000} << 2 * code, per_page = page / 8;
    w.w(GITS_BASER0, kValidBit | u64{1} << 62 | w.kDevices | code << 8);
    w.w(GITS_CTLR, 1, 4);
    w.configure(8192, kLpiOn);
    u32 device = u32(per_page + 3);  // the first entry of level 1 stays invalid
    w.poke<u64>(w.kDevices + 8, kValidBit | w.kLevel2);
    w.run({C::mapc(0, 0), C::mapd(device, w.itt(1), 5), C::mapti(device, 0, 8192, 0)});
    EXPECT_NE(w.peek<u64>(w.kLevel2 + 3 * 8), 0u);
    w.message(device, 0);
    EXPECT_EQ(w.take(0), 8192u) << code;
    w.run({C::mapd(3, w.itt(2), 5), C::mapti(3, 0, 8192, 0)});
    EXPECT_TRUE(w.queue_is_done());
    w.message(3, 0);
    EXPECT_EQ(w.take(0), kNone);
  }
}

TEST(ItsTables, TheLastEntryThatFitsAndTheFirstThatDoesNot) {
  ItsWorld w;
  w.boot();
  w.w(GITS_CTLR, 0, 4);
  w.w(GITS_BASER0, kValidBit | w.kDevices | 0 << 8 | 1);  // two pages of 4 KiB: 1024 devices
  w.w(GITS_CTLR, 1, 4);
  w.configure(8192, kLpiOn);
  for (u32 device : {1023, 1024})
    w.run({C::mapc(0, 0), C::mapd(device, w.itt(1), 5), C::mapti(device, 0, 8192, 0)});
  EXPECT_EQ(w.peek<u64>(w.kDevices + 1024 * 8), 0u);
  w.message(1024, 0);
  EXPECT_EQ(w.take(0), kNone);
  w.message(1023, 0);
  EXPECT_EQ(w.take(0), 8192u);
}

TEST(ItsTables, WithoutAValidTableNothingIsMapped) {
  ItsWorld w;
  w.boot();
  w.w(GITS_CTLR, 0, 4);
  w.w(GITS_BASER0, 0);
  w.w(GITS_CTLR, 1, 4);
  w.run({C::mapd(1, w.itt(1), 5)});
  EXPECT_TRUE(w.queue_is_done());
  w.message(1, 0);
}

// The guest may write what it likes into tables whose format is ours.
TEST(ItsTables, GarbageInThemIsHarmless) {
  ItsWorld w;
  w.boot();
  for (u64 at = 0; at < 0x1000; at += 8) {
    w.poke<u64>(w.kDevices + at, kValidBit | w.kItt | 0x1f);
    w.poke<u64>(w.kItt + at, at % 16 ? ~u64{0} : kValidBit | u64{8192} << 16 | at);
    w.poke<u64>(w.kCollections + at, ~u64{0});
  }
  for (u32 n = 0; n < 64; n++) w.message(n, n), w.message(n, ~0u);
  for (u8 opcode = 0; opcode < 16; opcode++) w.run({C::of_event(opcode, opcode, opcode)});
  EXPECT_TRUE(w.queue_is_done());
}

// --- The queue
// -----------------------------------------------------------------------------------------------

TEST(ItsQueue, WrapsAround) {
  ItsWorld w;
  w.boot();
  for (int i = 0; i < 300; i++) w.run({C::sync(0)});
  EXPECT_EQ(w.r(GITS_CREADR), 300 % 128 * 32u);
}

TEST(ItsQueue, WaitsUntilTheItsIsEnabled) {
  ItsWorld w;
  w.boot();
  w.w(GITS_CTLR, 0, 4);
  u64 end = w.put(0, C::mapc(0, 1));
  w.w(GITS_CWRITER, end);
  EXPECT_EQ(w.r(GITS_CREADR), 0u);
  w.w(GITS_CTLR, 1, 4);
  EXPECT_TRUE(w.queue_is_done());
}

TEST(ItsQueue, AnInvalidQueueAndACwriterBeyondItsEndDoNothing) {
  ItsWorld w;
  w.boot();
  w.w(GITS_CWRITER, 0x2000);
  EXPECT_EQ(w.r(GITS_CREADR), 0u);
  w.w(GITS_CWRITER, 0);
  w.w(GITS_CTLR, 0, 4);
  w.w(GITS_CBASER, w.kQueue);
  w.w(GITS_CTLR, 1, 4);
  w.w(GITS_CWRITER, 32);
  EXPECT_EQ(w.r(GITS_CREADR), 0u);
}

// A queue, or a table that a command needs, where there is no memory: Stalled, until Retry.
TEST(ItsQueue, StallsWithoutMemoryAndGoesOnWithRetry) {
  ItsWorld w;
  w.boot();
  w.run({C::mapc(0, 0)});
  w.run({C::mapd(1, 0x10'0000'0000, 5), C::mapti(1, 0, 8192, 0), C::sync(0)});
  EXPECT_EQ(w.r(GITS_CREADR), 64u | kStalledBit);
  w.w(GITS_CWRITER, w.r(GITS_CWRITER));  // without Retry
  EXPECT_EQ(w.r(GITS_CREADR), 64u | kStalledBit);
  w.put(64, C::sync(0));
  w.w(GITS_CWRITER, w.r(GITS_CWRITER) | kRetryBit);
  EXPECT_EQ(w.r(GITS_CREADR), 128u);
  EXPECT_EQ(w.r(GITS_CWRITER), 128u);  // Retry is not kept
  w.w(GITS_CTLR, 0, 4);
  w.w(GITS_CBASER, kValidBit | 0x10'0000'0000);
  w.w(GITS_CTLR, 1, 4);
  EXPECT_EQ(w.r(GITS_CREADR), kStalledBit);
  w.w(GITS_CTLR, 0, 4);
  w.w(GITS_CBASER, kValidBit | w.kQueue);
  EXPECT_EQ(w.r(GITS_CREADR), 0u);
}

// 32,768 commands are too many for one store.
TEST(ItsQueue, IsDoneInSlicesThatPollingMovesOn) {
  ItsWorld w;
  w.boot(256);
  for (u64 at = 0; at < 0x100000; at += 32) w.put(at, C::sync(0));
  w.w(GITS_CWRITER, 0xfffe0);
  u64 first = w.peek<u64>(w.kQueue) ? w.r(GITS_CREADR) : 0;
  EXPECT_LE(first, 1024 * 32u);
  u64 polls = 0, last = first;
  while (!w.queue_is_done()) {
    ASSERT_LT(polls++, 1000u);
    u64 now = w.r(GITS_CREADR);
    EXPECT_GE(now, last);
    last = now;
  }
  EXPECT_GT(polls, 10u);
}

TEST(ItsQueue, ATimerFinishesItForWhoDoesNotPoll) {
  ItsWorld w;
  w.boot(256);
  w.configure(8192, kLpiOn);
  u64 at = 0;
  for (const C& c : {C::mapc(0, 0), C::mapd(1, w.itt(1), 5), C::mapti(1, 0, 8192, 0)}) at = w.put(at, c);
  for (int i = 0; i < 5000; i++) at = w.put(at, C::sync(0));
  at = w.put(at, C::int_(1, 0));
  w.w(GITS_CWRITER, at);
  EXPECT_FALSE(w.irq(0));
  for (int i = 0; i < 1000 && !w.irq(0); i++) {
    ASSERT_NE(w.clock.next_deadline_ns(), Clock::kNever);
    w.clock.advance_to(w.clock.next_deadline_ns());
    w.clock.run_expired();
  }
  EXPECT_TRUE(w.irq(0));
  EXPECT_EQ(w.clock.next_deadline_ns(), Clock::kNever);
}

// INVALL and MOVALL count by what they have to do.
TEST(ItsQueue, ExpensiveCommandsEndASliceSooner) {
  ItsWorld w;
  w.boot(16);
  w.run({C::mapc(0, 0), C::mapd(1, w.itt(1), 9)});
  for (u32 n = 0; n < 500; n++) w.run({C::mapti(1, n, 8192 + n, 0), C::int_(1, n)});
  u64 at = w.r(GITS_CWRITER), start = at;
  for (int i = 0; i < 100; i++) at = w.put(at, C::invall(0));
  w.w(GITS_CWRITER, at);
  EXPECT_LE(w.r(GITS_CREADR) - start, 4 * 32u);
  while (!w.queue_is_done()) {
  }
}

// A guest that points the ITS and the Redistributors at their own registers.
TEST(ItsQueue, TablesOnRegistersAreNoMemory) {
  ItsWorld w;
  w.boot();
  for (u64 target : {w.kIts, w.kIts + 0x10000, w.kRedistributors, w.kDistributor}) {
    w.w(GITS_CTLR, 0, 4);
    w.w(GITS_CBASER, kValidBit | target);
    w.w(GITS_CTLR, 1, 4);
    w.w(GITS_CWRITER, 64);
    EXPECT_EQ(w.r(GITS_CREADR), kStalledBit);
    w.w(GITS_CTLR, 0, 4);
    w.w(GITS_CBASER, kValidBit | w.kQueue);
    w.w(GITS_CWRITER, 0);
    w.w(GITS_BASER0, kValidBit | target);
    w.w(GITS_CTLR, 1, 4);
    w.run({C::mapd(1, target, 5)});
    EXPECT_TRUE(w.stalled());
    w.message(1, 0);
    w.enable_lpis(1, false);
    w.gicr(1, GICR_PENDBASER, target);
    w.gicr(1, GICR_PROPBASER, target | 15);
    w.enable_lpis(1, true);
    w.enable_lpis(1, false);
  }
}

TEST(ItsFuzz, AnyQueueAndAnyRegisterWriteIsAnswered) {
  Random random(0x1175);
  for (int round = 0; round < 60; round++) {
    ItsWorld w;
    w.boot(1 + random.below(4));
    u64 at = 0;
    auto id = [&] { return random.chance(90) ? u32(random.below(6)) : u32(random.below(u64{1} << 32)); };
    for (int i = 0; i < 400; i++) {
      C c;
      switch (random.below(14)) {
        case 0:
          c = C::mapd(id(), random.chance(90) ? w.itt(id()) : random.below(~u64{0}), 1 + random.below(20));
          break;
        case 1: c = C::mapc(u16(id()), id(), random.chance(80)); break;
        case 2:
        case 3: c = C::mapti(id(), id(), 8192 + id(), u16(id())); break;
        case 4: c = C::movi(id(), id(), u16(id())); break;
        case 5: c = C::invall(u16(id())); break;
        case 6: c = C::movall(id(), id()); break;
        case 7:
          c = {random.below(~u64{0}), random.below(~u64{0}), random.below(~u64{0}), random.below(~u64{0})};
          break;
        default: c = C::of_event(u8(random.below(16)), id(), id()); break;
      }
      at = w.put(at, c);
      if (random.chance(30)) w.w(GITS_CWRITER, at | (random.chance(50) ? kRetryBit : 0));
      if (random.chance(30)) w.message(id(), id());
      if (random.chance(20)) w.configure(8192 + u32(random.below(8)), u8(random.below(256)));
      if (random.chance(20)) (void)w.take(unsigned(random.below(4)));
      if (random.chance(5)) w.enable_lpis(unsigned(random.below(4)), random.chance(70));
      if (random.chance(3)) w.poke<u64>(w.kRam + 8 * random.below(w.kRamSize / 8), random.below(~u64{0}));
      if (random.chance(5)) {
        u64 offset = random.chance(80) ? random.below(0x140) & ~u64{3} : random.below(Gicv3Its::kSize);
        unsigned size = 1u << random.below(4);
        (void)w.space.store({w.kIts + offset}, size, random.below(~u64{0}), kNs);
        u64 value;
        (void)w.space.load({w.kIts + offset}, size, value, kNs);
        if (random.chance(50)) w.w(GITS_CTLR, 1, 4);
      }
    }
    for (unsigned pe = 0; pe < 4; pe++)
      for (int i = 0; i < 100 && w.take(pe) != kNone; i++) {
      }
  }
}

}  // namespace
}  // namespace sluice
