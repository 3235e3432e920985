// EL3 and the Security states of a PE: reset, exceptions to and from EL3, routing, traps, registers (Arm DDI
// 0487, chapters D1 and D19).
#include <gtest/gtest.h>

#include "cpu/pstate.h"
#include "tests/unit/pe_world.h"

namespace sluice::cpu {
namespace {

constexpr u32 kEret = 0xd69f03e0, kWfi = 0xd503207f, kWfe = 0xd503205f, kNop = 0xd503201f;
constexpr u32 smc(u32 imm) { return 0xd4000003 | imm << 5; }
constexpr u32 svc(u32 imm) { return 0xd4000001 | imm << 5; }
constexpr u32 brk(u32 imm) { return 0xd4200000 | imm << 5; }
constexpr u32 ldr_x0_x1 = 0xf9400020, str_x0_x1 = 0xf9000020;
SysregId id_of(const char* name) { return sysreg::find(name)->id; }

struct El3World : PeWorld {
  explicit El3World(const char* cpu = "max", PeWiring wiring = {}) : PeWorld(cpu, wiring, {Feature::EL3}) {}
  // As an ERET of EL3 with this SCR_EL3: PSTATE.M and the masks are in `spsr`.
  void drop(u64 scr_bits, u64 spsr) {
    set("SCR_EL3", scr_bits);
    exception_return(s(), kCode, spsr);
  }
  static constexpr u64 kEl1h = 5, kEl0 = 0, kEl1hMasked = 0x3c5;
  // Firmware's usual choice: nothing of EL1's use of pointer authentication traps.
  static constexpr u64 kOpen = scr::kApi | scr::kApk;
  void drop_ns(u64 more = 0, u64 spsr = kEl1hMasked) { drop(kOpen | scr::kNs | more, spsr); }
  void drop_secure(u64 more = 0, u64 spsr = kEl1hMasked) { drop(kOpen | more, spsr); }
  unsigned ec3() { return unsigned(get("ESR_EL3") >> 26); }
  u64 iss3() { return get("ESR_EL3") & 0x1ffffff; }
};

TEST(El3, ResetEntersEl3SecureWithEverythingMasked) {
  El3World w;
  EXPECT_EQ(w.s().el, 3);
  EXPECT_EQ(w.s().sp_sel, 1);
  EXPECT_EQ(w.s().secure, 1);
  EXPECT_EQ(w.s().daif, 15);
  EXPECT_EQ(w.get("SCR_EL3"), 0x430u);         // RES1 in bits 5:4, RW is RAO without AArch32
  EXPECT_EQ(w.get("SCTLR_EL3"), 0x30c50830u);  // MMU, caches off; the RES1 bits
  EXPECT_EQ(w.get("RVBAR_EL3"), PeWorld::kCode);
  EXPECT_EQ(w.get("CurrentEL"), 3u << 2);
}

TEST(El3, IdRegistersSayWhetherThereIsEl3) {
  El3World with;
  PeWorld without;
  EXPECT_EQ(extract(with.get("ID_AA64PFR0_EL1"), 12, 4), 1u);   // AArch64 only
  EXPECT_EQ(extract(with.get("ID_AA64PFR0_EL1"), 8, 4), 0u);    // no EL2
  EXPECT_EQ(extract(with.get("ID_AA64MMFR0_EL1"), 12, 4), 1u);  // SNSMem
  EXPECT_EQ(extract(without.get("ID_AA64PFR0_EL1"), 12, 4), 0u);
  EXPECT_EQ(extract(without.get("ID_AA64MMFR0_EL1"), 12, 4), 0u);
}

TEST(El3, ItsRegistersAreUndefinedBelowItAndWithoutIt) {
  for (const char* name : {"SCR_EL3", "SCTLR_EL3", "TCR_EL3", "VBAR_EL3", "MDCR_EL3", "ELR_EL3", "TPIDR_EL3",
                           "SP_EL1", "HCR_EL2", "SCTLR_EL2"}) {
    El3World w;
    w.drop_ns();
    w.run({mrs(id_of(name), 0)});
    EXPECT_TRUE(w.at_vector(0x200)) << name;
    EXPECT_EQ(w.ec(), 0u) << name;
    PeWorld without;
    without.run({mrs(id_of(name), 0)});
    EXPECT_TRUE(without.at_vector(0x200)) << name;
  }
}

TEST(El3, WithoutEl2TheRegistersOfEl2AreRes0) {
  El3World w;
  w.s().x[1] = ~u64{0};
  w.run({msr(id_of("HCR_EL2"), 1), mrs(id_of("HCR_EL2"), 0), mrs(id_of("VPIDR_EL2"), 2),
         mrs(id_of("VMPIDR_EL2"), 3)});
  EXPECT_EQ(w.s().x[0], 0u);
  EXPECT_EQ(w.s().x[2], w.get("MIDR_EL1"));
  EXPECT_EQ(w.s().x[3], w.get("MPIDR_EL1"));
}

TEST(El3, SmcFromNonSecureEl1ArrivesWithEc17) {
  El3World w;
  w.drop_ns();
  EXPECT_EQ(w.s().secure, 0);
  w.run({kNop, smc(0x123)});
  EXPECT_TRUE(w.at_el3_vector(0x400));
  EXPECT_EQ(w.s().el, 3);
  EXPECT_EQ(w.s().secure, 1);
  EXPECT_EQ(w.ec3(), 0x17u);
  EXPECT_EQ(w.iss3(), 0x123u);
  EXPECT_EQ(w.get("ELR_EL3"), PeWorld::kCode + 8);
  EXPECT_EQ(w.get("SPSR_EL3") & 0x3cf, El3World::kEl1hMasked);
  EXPECT_EQ(w.s().daif, 15);
  EXPECT_EQ(w.get("ESR_EL1"), 0u);  // EL1's registers are left alone
}

TEST(El3, SmcAtEl3UsesItsOwnVector) {
  El3World w;
  w.run({smc(1)});
  EXPECT_TRUE(w.at_el3_vector(0x200));
  w.run({msr(id_of("SPSel"), 31), smc(1)});
  EXPECT_TRUE(w.at_el3_vector(0x000));
}

TEST(El3, SmcIsUndefinedAtEl0AndWhenDisabled) {
  El3World w;
  w.drop_ns(0, El3World::kEl0);
  w.run({smc(0)});
  EXPECT_TRUE(w.at_vector(0x400));
  EXPECT_EQ(w.ec(), 0u);
  El3World smd;
  smd.drop_ns(scr::kSmd);
  smd.run({smc(0)});
  EXPECT_TRUE(smd.at_vector(0x200));
  EXPECT_EQ(smd.ec(), 0u);
}

TEST(El3, SvcGoesToEl1AndAtEl3ToEl3) {
  El3World w;
  w.drop_secure(0, El3World::kEl0);
  w.run({svc(7)});
  EXPECT_TRUE(w.at_vector(0x400));
  EXPECT_EQ(w.s().secure, 1);
  El3World above;
  above.run({svc(7)});
  EXPECT_TRUE(above.at_el3_vector(0x200));
  EXPECT_EQ(above.ec3(), 0x15u);
}

TEST(El3, EretEntersTheSecurityStateThatNsNames) {
  for (bool ns : {false, true}) {
    El3World w;
    w.set("SCR_EL3", El3World::kOpen | (ns ? scr::kNs : 0));
    w.set("ELR_EL3", PeWorld::kCode + 4);
    w.set("SPSR_EL3", El3World::kEl1hMasked);
    w.run({kEret});
    EXPECT_EQ(w.s().el, 1);
    EXPECT_EQ(w.s().secure, !ns);
    EXPECT_EQ(w.stopped_at, PeWorld::kCode + 4);
  }
}

TEST(El3, ReturnsToStatesThatDoNotExistAreIllegal) {
  for (u64 spsr :
       {0x3c9ull, 0x3c8ull, 0x3d0ull, 0x3c1ull, 0x3ceull}) {  // EL2h, EL2t, AArch32, EL0 with SP, M<1>
    El3World w;
    exception_return(w.s(), PeWorld::kCode, spsr);
    EXPECT_EQ(w.s().il, 1) << spsr;
    EXPECT_EQ(w.s().el, 3) << spsr;
  }
  El3World w;
  exception_return(w.s(), PeWorld::kCode, 0x3cd);  // EL3h
  EXPECT_EQ(w.s().il, 0);
  w.drop_ns();
  exception_return(w.s(), PeWorld::kCode, 0x3cd);
  EXPECT_EQ(w.s().il, 1);
  EXPECT_EQ(w.s().el, 1);
}

// Table D1 "Physical interrupt target and masking" without EL2: below EL3 an interrupt that is routed to EL3
// is not masked by PSTATE; at EL3 one that is not routed there waits.
TEST(El3, InterruptsAreRoutedAndMaskedAsTheArchitectureSays) {
  struct Kind {
    u64 route;
    u8 mask;
    u64 vector;
    IrqLine (Pe::*line)();
  };
  for (const Kind& k :
       {Kind{scr::kIrq, kDaifI, 0x80, &Pe::irq_line}, Kind{scr::kFiq, kDaifF, 0x100, &Pe::fiq_line}})
    for (unsigned el : {0u, 1u, 3u})
      for (bool ns : {false, true})
        for (bool routed : {false, true})
          for (bool masked : {false, true}) {
            El3World w;
            u64 daif = masked ? u64{k.mask} << 6 : 0;
            u64 scr = El3World::kOpen | (ns ? scr::kNs : 0) | (routed ? k.route : 0);
            w.drop(scr, daif | (el == 3 ? 0xd : el == 1 ? 5 : 0));
            ((*w.pe).*k.line)()(true);
            w.run({kNop, kNop});
            std::string what = "EL" + std::to_string(el) + " ns " + std::to_string(ns) + " routed " +
                               std::to_string(routed) + " masked " + std::to_string(masked);
            if (el == 3 ? routed && !masked : routed)
              EXPECT_TRUE(w.at_el3_vector(el == 3 ? 0x200 + k.vector : 0x400 + k.vector)) << what;
            else if (el < 3 && !routed && !masked)
              EXPECT_TRUE(w.at_vector(el == 1 ? 0x200 + k.vector : 0x400 + k.vector)) << what;
            else
              EXPECT_EQ(w.stopped_at, PeWorld::kCode + 8) << what;
          }
}

TEST(El3, ExternalAbortsGoToEl3WhenEaIsSet) {
  for (bool ea : {false, true}) {
    El3World w;
    w.drop_ns(ea ? scr::kEa : 0);
    w.s().x[1] = 0x1000;  // nothing there
    w.run({ldr_x0_x1});
    EXPECT_TRUE(ea ? w.at_el3_vector(0x400) : w.at_vector(0x200));
    EXPECT_EQ(ea ? w.ec3() : w.ec(), ea ? 0x24u : 0x25u);
    EXPECT_EQ(w.get(ea ? "FAR_EL3" : "FAR_EL1"), 0x1000u);
    EXPECT_EQ((ea ? w.iss3() : w.iss()) & 0x3f, 0x10u);
  }
}

TEST(El3, SErrorIsTakenOnceWhenUnmaskedAndGoesToEl3WhenEaIsSet) {
  for (bool ea : {false, true}) {
    El3World w;
    w.drop_ns(ea ? scr::kEa : 0);
    w.pe->pend_serror();
    EXPECT_EQ(w.get("ISR_EL1"), 1u << 8);
    w.run({kNop});
    if (ea) {  // PSTATE.A does not mask it below EL3
      EXPECT_TRUE(w.at_el3_vector(0x580));
      EXPECT_EQ(w.get("ESR_EL3"), 0x2full << 26 | 1 << 25);
    } else {
      EXPECT_EQ(w.stopped_at, PeWorld::kCode + 4);
      w.run({0xd50344ff, kNop});  // MSR DAIFClr, #4
      EXPECT_TRUE(w.at_vector(0x380));
      EXPECT_EQ(w.get("ELR_EL1"), PeWorld::kCode + 4);
      EXPECT_EQ(w.get("ESR_EL1"), 0x2full << 26 | 1 << 25);
    }
    EXPECT_EQ(w.get("ISR_EL1"), 0u);
  }
}

TEST(El3, SecureRamIsNotThereForNonSecureAccesses) {
  El3World w;
  w.s().x[0] = 0x5ec, w.s().x[1] = PeWorld::kSecureRam;
  w.run({str_x0_x1});
  EXPECT_EQ(w.secure_ram->host()[0], 0xec);
  w.drop_secure();
  w.s().x[0] = 0;
  w.run({ldr_x0_x1});
  EXPECT_EQ(w.s().x[0], 0x5ecu);
  El3World ns;
  ns.drop_ns();
  ns.s().x[1] = PeWorld::kSecureRam;
  ns.run({ldr_x0_x1});
  EXPECT_TRUE(ns.at_vector(0x200));
  EXPECT_EQ(ns.ec(), 0x25u);
}

TEST(El3, FpTrapsGoToEl1FirstThenToEl3) {
  constexpr u32 fmov_d0_d1 = 0x1e604020;
  El3World w;
  w.set("CPTR_EL3", cptr3::kTfp);
  w.drop_ns();
  w.run({fmov_d0_d1});  // CPACR_EL1.FPEN is 0
  EXPECT_TRUE(w.at_vector(0x200));
  EXPECT_EQ(w.ec(), 7u);
  w.set("CPACR_EL1", 3 << 20);
  w.run({fmov_d0_d1});
  EXPECT_TRUE(w.at_el3_vector(0x400));
  EXPECT_EQ(w.ec3(), 7u);
  w.run({fmov_d0_d1});  // TFP holds at EL3 too
  EXPECT_TRUE(w.at_el3_vector(0x200));
  w.set("CPTR_EL3", 0);
  w.run({fmov_d0_d1});  // and CPACR_EL1 does not
  EXPECT_EQ(w.stopped_at, PeWorld::kCode + 4);
}

// Each control with an instruction that it traps, at EL1, to EL3.
TEST(El3, TrapsOfLowerLevels) {
  struct Case {
    const char* control;
    u64 value;
    u32 instruction;
    unsigned ec;
  };
  u32 pacia_x0_x1 = 0xdac10020;
  for (const Case& c :
       {Case{"CPTR_EL3", cptr3::kTcpac, mrs(id_of("CPACR_EL1"), 0), 0x18},
        Case{"MDCR_EL3", mdcr3::kTda, mrs(id_of("MDSCR_EL1"), 0), 0x18},
        Case{"MDCR_EL3", mdcr3::kTdosa, mrs(id_of("OSLSR_EL1"), 0), 0x18},
        Case{"MDCR_EL3", mdcr3::kTpm, mrs(id_of("PMCR_EL0"), 0), 0x18},
        Case{"SCR_EL3", scr::kApi | scr::kNs, mrs(id_of("APIAKeyLo_EL1"), 0), 0x18},
        Case{"SCR_EL3", scr::kApk | scr::kNs, pacia_x0_x1, 0x09},
        Case{"SCR_EL3", El3World::kOpen | scr::kNs | scr::kTlor, mrs(id_of("LORID_EL1"), 0), 0x18},
        Case{"SCR_EL3", El3World::kOpen | scr::kTwi, kWfi, 0x01},
        Case{"SCR_EL3", El3World::kOpen | scr::kTwe, kWfe, 0x01},
        Case{"SCR_EL3", El3World::kOpen, mrs(id_of("CNTPS_CTL_EL1"), 0), 0x18}}) {
    El3World w;
    w.set("SCTLR_EL1", w.get("SCTLR_EL1") | u64{1} << 31);  // EnIA
    w.set("SCR_EL3", El3World::kOpen | scr::kSt);
    w.set(c.control, c.value);
    exception_return(w.s(), PeWorld::kCode, El3World::kEl1hMasked);
    w.pe->take_event();  // the ERET was one
    w.run({c.instruction});
    EXPECT_TRUE(w.at_el3_vector(0x400)) << c.control << " " << std::hex << c.value;
    EXPECT_EQ(w.ec3(), c.ec) << c.control << " " << std::hex << c.value;
    EXPECT_EQ(w.get("ELR_EL3"), PeWorld::kCode);
    El3World open;  // and without the control, nothing
    open.set("SCTLR_EL1", open.get("SCTLR_EL1") | u64{1} << 31);
    if (c.instruction != kWfi) {
      open.pe->set_event_register();
      bool non_secure_only = c.instruction == mrs(id_of("LORID_EL1"), 0);
      open.drop(El3World::kOpen | scr::kSt | (non_secure_only ? scr::kNs : 0), El3World::kEl1hMasked);
      open.run({c.instruction});
      EXPECT_EQ(open.stopped_at, PeWorld::kCode + 4) << c.control << " " << std::hex << c.value;
    }
  }
}

TEST(El3, TheSecureStateHasNoLORegions) {
  El3World w;
  w.drop_secure();
  w.run({mrs(id_of("LORID_EL1"), 0)});
  EXPECT_TRUE(w.at_vector(0x200));
  EXPECT_EQ(w.ec(), 0u);
}

TEST(El3, ADisabledKeyDoesNotTrap) {
  El3World w;
  w.drop(scr::kNs, El3World::kEl1hMasked);  // API is 0, SCTLR_EL1.EnIA too
  w.run({0xdac10020});
  EXPECT_EQ(w.stopped_at, PeWorld::kCode + 4);
}

TEST(El3, SecureTimerBelongsToEl3AndWithStToSecureEl1) {
  El3World w;
  w.s().x[0] = 1;
  w.run({msr(id_of("CNTPS_CTL_EL1"), 0)});
  EXPECT_TRUE(w.secure_timer_level);  // CVAL is 0: the condition is met
  w.drop_secure(scr::kSt);
  w.s().x[0] = 3;
  w.run({msr(id_of("CNTPS_CTL_EL1"), 0)});
  EXPECT_FALSE(w.secure_timer_level);
  El3World ns;
  ns.drop_ns(scr::kSt);
  ns.run({mrs(id_of("CNTPS_CTL_EL1"), 0)});
  EXPECT_TRUE(ns.at_vector(0x200));
  EXPECT_EQ(ns.ec(), 0u);
}

TEST(El3, OnlyEl3SetsTheFrequency) {
  El3World w;
  w.s().x[0] = 1000;
  w.run({msr(id_of("CNTFRQ_EL0"), 0)});
  EXPECT_EQ(w.get("CNTFRQ_EL0"), 1000u);
  w.drop_ns();
  w.s().x[0] = 2000;
  w.run({msr(id_of("CNTFRQ_EL0"), 0)});
  EXPECT_TRUE(w.at_vector(0x200));
  w.drop_ns();
  w.run({mrs(id_of("CNTFRQ_EL0"), 0)});
  EXPECT_EQ(w.s().x[0], 1000u);
}

TEST(El3, StackPointersOfOtherLevels) {
  El3World w;
  w.s().sp = 0x3000;
  w.s().x[0] = 0x1000, w.s().x[1] = 0x100;
  w.run({msr(id_of("SP_EL1"), 0), msr(id_of("SP_EL0"), 1)});
  w.drop_ns();
  EXPECT_EQ(w.s().sp, 0x1000u);
  w.run({smc(0)});
  EXPECT_EQ(w.s().sp, 0x3000u);
  EXPECT_EQ(w.get("SP_EL0"), 0x100u);
}

TEST(El3, BreakpointInstructionsAreTakenWhereTheyAre) {
  El3World w;
  w.run({brk(3)});
  EXPECT_TRUE(w.at_el3_vector(0x200));
  EXPECT_EQ(w.ec3(), 0x3cu);
}

TEST(El3, DebugExceptionsAreNotGeneratedAtEl3NorInASecureStateThatForbidsThem) {
  for (bool forbidden : {false, true})
    for (bool secure : {false, true}) {
      El3World w;
      w.set("OSLAR_EL1", 0);
      w.set("MDCR_EL3", forbidden ? mdcr3::kSdd : 0);
      w.set("MDSCR_EL1", 1);  // SS
      EXPECT_FALSE(Mode{w.s().mode}.get<Mode::Step>());
      w.drop(El3World::kOpen | (secure ? 0 : scr::kNs), El3World::kEl0);
      EXPECT_EQ(Mode{w.s().mode}.get<Mode::Step>(), !(secure && forbidden));
    }
}

TEST(El3, PanIsNotSetByExceptionsToEl3) {
  El3World w;
  w.drop_ns();
  w.run({smc(0)});
  EXPECT_EQ(w.s().pan, 0);
}

TEST(El3, SifKeepsTheSecureStateFromRunningNonSecureMemory) {
  // MMU off: what the Secure state fetches is Secure memory, so SIF does not matter.
  El3World w;
  w.drop_secure(scr::kSif);
  w.run({kNop});
  EXPECT_EQ(w.stopped_at, PeWorld::kCode + 4);
}

TEST(El3, AKernelStartsInTheNonSecureStateAsFirmwareWouldLeaveIt) {
  El3World w;
  w.pe->reset({.powered = true, .pc = PeWorld::kCode, .x = {1, 2, 3, 4}, .el = 1});
  w.set("VBAR_EL1", PeWorld::kVectors);
  EXPECT_EQ(w.s().el, 1);
  EXPECT_EQ(w.s().secure, 0);
  w.set("SCTLR_EL1", w.get("SCTLR_EL1") | u64{1} << 31);
  w.set("CPACR_EL1", 3 << 20);
  w.run({0xdac10020, 0x1e604020, mrs(id_of("MDSCR_EL1"), 0), mrs(id_of("PMCR_EL0"), 0),
         mrs(id_of("APIAKeyLo_EL1"), 0)});
  EXPECT_EQ(w.stopped_at, PeWorld::kCode + 20);
  w.run({smc(0)});  // nobody would answer
  EXPECT_TRUE(w.at_vector(0x200));
  EXPECT_EQ(w.ec(), 0u);
}

TEST(El3, CyclesOfTheSecureStateAreCountedOnlyWithSpme) {
  for (bool spme : {false, true}) {
    El3World w;
    w.set("MDCR_EL3", spme ? mdcr3::kSpme : 0);
    w.set("PMCNTENSET_EL0", 1);
    w.set("PMEVTYPER0_EL0", 0x11);  // CPU_CYCLES
    w.set("PMCR_EL0", 1);
    w.drop_secure();
    u64 before = w.get("PMEVCNTR0_EL0");
    w.advance(1000);
    EXPECT_EQ(w.get("PMEVCNTR0_EL0") - before, spme ? 1000u : 0u);
    w.run({smc(0)});
    w.drop_ns();
    before = w.get("PMEVCNTR0_EL0");
    w.advance(1000);
    EXPECT_EQ(w.get("PMEVCNTR0_EL0") - before, 1000u);
  }
}

}  // namespace
}  // namespace sluice::cpu
