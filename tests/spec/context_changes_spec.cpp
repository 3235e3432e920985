// tests/spec/context_changes_spec.cpp: exceptions, their returns and changes of address space that go on in
// translated code are what they are in the run loop: nothing that must be looked at on the way is missed.
#include <random>

#include "cpu/pstate.h"
#include "tests/support/running_pe.h"

namespace sluice::test {
namespace {

using Accel = tcg::Vcpu::Accel;

constexpr u32 kEret = 0xd69f03e0, kSvc = 0xd4000001, kLoop = 0x14000000, kIsb = 0xd5033fdf,
              kDsbIsh = 0xd5033b9f;
constexpr u32 add_one(unsigned x) { return 0x91000400 | x << 5 | x; }
constexpr u64 kIllegalIl = 1 << 20, kSpsrSs = 1 << 21, kMaskedEl1h = 0x3c5;
constexpr u64 kSyncVector = 0x200, kSyncVectorEl0 = 0x400, kIrqVectorEl0 = 0x480;
constexpr unsigned kEcSvc = 0x15, kEcStep = 0x32, kEcBreakpoint = 0x30, kEcIllegalState = 0x0e;

// A kernel and a page of user code, which is not global.
struct Kernel : ChainMachine {
  static constexpr u64 kUser = u64{1} << 39, kOne = RunningPe::kCode + 0x8000, kTwo = kOne + 0x1000,
                       kData = kWindow;
  RunningPe pe;

  explicit Kernel(tcg::Vcpu::Options options = {.icount = true})
      : ChainMachine(std::vector<GateChoice>{}), pe(*this, 0, options) {
    put(RunningPe::kCode, {kEret});
    user_page_is(kOne);
  }
  void put(u64 address, std::initializer_list<u32> words) { RunningPe::put(*this, address, words); }
  void vector(u64 offset, std::initializer_list<u32> words) { put(RunningPe::kVectors + offset, words); }
  void user_page_is(u64 memory) {
    pe.tables().map(kUser, memory, pte::kNormal | pte::kReadOnly | pte::kEl0 | pte::kPxn | pte::kNotGlobal);
  }
  // User code that counts in X0, or X6 in the second page, and makes system calls, which X4 counts.
  void count_system_calls() {
    put(kOne, {add_one(0), kSvc, 0x17fffffe});
    put(kTwo, {add_one(6), kSvc, 0x17fffffe});
    vector(kSyncVectorEl0, {add_one(4), kEret});
  }
  // From EL1, with everything masked.
  void eret_to(u64 pc, u64 spsr, i64 budget) {
    cpu::select_sp(pe.state(), 1, 1);
    pe.state().daif = 15, pe.state().il = 0;
    pe.pe().el_changed(), pe.pe().update_pstate();
    pe.set("ELR_EL1", pc), pe.set("SPSR_EL1", spsr);
    pe.step(RunningPe::kCode, budget);
  }
  void go_on(i64 budget) { pe.step(pe.state().pc, budget); }
};

SPEC("Exceptions and their returns need the run loop only when they are new") {
  Kernel m;
  m.count_system_calls();
  m.eret_to(Kernel::kUser, 0, 100);
  const u64 lookups = m.pe.vcpu().counters().lookups, calls = m.pe.x(4);
  m.go_on(50'000);
  EXPECT_GE(m.pe.x(4), calls + 9'000);
  EXPECT_LE(m.pe.vcpu().counters().lookups, lookups + 4);
}

SPEC("An interrupt that is pending at an ERET is taken before the instruction it returns to") {
  for (i64 budget = 20; budget < 40; budget++) {
    Kernel m;
    m.count_system_calls();
    m.vector(kIrqVectorEl0, {kLoop});
    m.eret_to(Kernel::kUser, 0, budget);
    const bool in_kernel = m.pe.state().el == 1;
    const u64 user_pc = in_kernel ? Kernel::kUser + 8 : m.pe.state().pc, counted = m.pe.x(0);
    m.pe.pe().irq_line()(true);
    m.go_on(100);
    EXPECT_EQ(m.pe.state().pc, RunningPe::kVectors + kIrqVectorEl0);
    EXPECT_EQ(m.pe.get("ELR_EL1"), user_pc);
    EXPECT_EQ(m.pe.get("SPSR_EL1"), 0u);
    EXPECT_EQ(m.pe.x(0), counted);
  }
}

SPEC("An interrupt that waits while PSTATE.I is set is taken where MSR DAIF clears it") {
  Kernel m;
  m.put(RunningPe::kCode, {0xd51b422d,    // msr daif, x13
                           add_one(0),    //
                           0x17fffffe});  // b .-8
  m.vector(0x280, {kLoop});
  m.pe.x(13) = cpu::kDaifI << 6;
  m.pe.step(RunningPe::kCode, 30);
  m.pe.pe().irq_line()(true);
  m.go_on(30);
  EXPECT_EQ(m.pe.state().el, 1);
  EXPECT_GE(m.pe.x(0), 18u);
  m.pe.x(13) = 0;
  m.go_on(30);
  EXPECT_EQ(m.pe.state().pc, RunningPe::kVectors + 0x280);
  EXPECT_EQ(m.pe.get("ELR_EL1"), RunningPe::kCode + 4);
}

SPEC("ERET to a page that TLBI has taken fetches anew") {
  Kernel m;
  m.count_system_calls();
  m.vector(kSyncVectorEl0, {add_one(4),  //
                            0xb4000085,  //    cbz x5, 1f
                            0xd5088725,  //    tlbi vae1, x5
                            kDsbIsh,     //
                            kIsb,        //
                            kEret});     // 1: eret
  m.eret_to(Kernel::kUser, 0, 1000);
  const u64 counted = m.pe.x(0);
  EXPECT_GE(counted, 100u);
  m.user_page_is(Kernel::kTwo);
  m.pe.x(5) = Kernel::kUser >> 12;
  m.go_on(1000);
  EXPECT_LE(m.pe.x(0), counted + 1);
  EXPECT_GE(m.pe.x(6), 50u);
}

// The kernel enters the space of TTBR0_EL1 = X2; X0 says which of the two pages the user ran.
void enters_spaces(Kernel& m) {
  m.put(RunningPe::kCode, {0xd5182002,  // msr ttbr0_el1, x2
                           kIsb, kEret});
  m.put(Kernel::kOne, {0xd2800020, kSvc});  // mov x0, #1; svc
  m.put(Kernel::kTwo, {0xd2800040, kSvc});  // mov x0, #2; svc
  m.vector(kSyncVectorEl0, {kLoop});
}

SPEC("An address space of which there are more than the PE remembers finds its own code again") {
  Kernel m;
  enters_spaces(m);
  auto ask = [&](u64 asid) {
    m.pe.x(0) = 0, m.pe.x(2) = m.pe.tables().root() | asid << 48;
    m.eret_to(Kernel::kUser, 0, 8);
    return m.pe.x(0);
  };
  constexpr u64 kSpaces = 3 * tcg::SoftTlb::kBanks;
  auto page_of = [](u64 asid) { return asid % 3 == 0 ? Kernel::kTwo : Kernel::kOne; };
  for (int round = 0; round < 3; round++)
    for (u64 asid = 0; asid < kSpaces; asid++) {
      m.user_page_is(page_of(asid));
      EXPECT_EQ(ask(asid), asid % 3 == 0 ? 2u : 1u) << "ASID " << asid;
    }
}

SPEC("A space that comes back finds its own code when another has got its tables meanwhile") {
  Kernel m;
  enters_spaces(m);
  auto ask = [&](u64 asid) {
    m.user_page_is(asid % 100 ? Kernel::kOne : Kernel::kTwo);
    m.pe.x(0) = 0, m.pe.x(2) = m.pe.tables().root() | asid << 48;
    m.eret_to(Kernel::kUser, 0, 8);
    return m.pe.x(0);
  };
  // Two contexts each: enough for all tables, too few for all that the PE remembers.
  constexpr u64 kOthers = tcg::JumpCaches::kTables / 2 + 2;
  for (u64 space = 100; space < 4000; space += 100) {
    EXPECT_EQ(ask(space), 2u);
    // One more, so that a table of EL0 goes to EL0 again.
    for (u8 uao : {1, 0}) m.pe.state().uao = uao, m.pe.pe().update_pstate();
    for (u64 n = 1; n <= kOthers; n++) EXPECT_EQ(ask(space + n), 1u);
    EXPECT_EQ(ask(space), 2u) << "ASID " << space;
  }
}

SPEC("An ASID that is used again after TLBI ASIDE1 has nothing of its former space") {
  Kernel m;
  m.put(RunningPe::kCode, {0xb4000063,  //    cbz x3, 1f
                           0xd5088743,  //    tlbi aside1, x3
                           kDsbIsh,     //
                           0xd5182002,  // 1: msr ttbr0_el1, x2
                           kIsb, kEret});
  m.put(Kernel::kOne, {0xd2800020, kSvc});
  m.put(Kernel::kTwo, {0xd2800040, kSvc});
  m.vector(kSyncVectorEl0, {kLoop});
  auto ask = [&](u64 asid, bool invalidate) {
    m.pe.x(0) = 0, m.pe.x(2) = m.pe.tables().root() | asid << 48, m.pe.x(3) = invalidate ? asid << 48 : 0;
    m.eret_to(Kernel::kUser, 0, 11);
    return m.pe.x(0);
  };
  for (u64 asid : {7, 8, 7, 8}) EXPECT_EQ(ask(asid, false), 1u);
  m.user_page_is(Kernel::kTwo);
  EXPECT_EQ(ask(7, true), 2u);
  EXPECT_EQ(ask(8, false), 1u) << "nobody has invalidated what this one holds";
  EXPECT_EQ(ask(7, false), 2u);
}

SPEC("TTBR0 of the same ASID: what is not in the TLB comes from the new tables") {
  Kernel m;
  PageTables other(*m.ram, kRamBase, u64{1} << 19);
  constexpr u64 kPage = Kernel::kUser + 0x10000;
  m.pe.tables().map(kPage, Kernel::kData, pte::kNormal);
  other.map(kPage, Kernel::kData + 0x1000, pte::kNormal);
  *reinterpret_cast<u64*>(m.at(Kernel::kData)) = 1, *reinterpret_cast<u64*>(m.at(Kernel::kData + 0x1000)) = 2;
  m.put(RunningPe::kCode, {0xd5182002,  // msr ttbr0_el1, x2
                           kIsb,        //
                           0xd5088725,  // tlbi vae1, x5
                           kDsbIsh, kIsb,
                           0xf9400189,  // ldr x9, [x12]
                           kLoop});
  // The rest of the tables is the same.
  for (u64 i = 0; i < 512; i++)
    if (u64 entry = m.pe.tables().at(m.pe.tables().root() + i * 8); entry && !other.at(other.root() + i * 8))
      other.at(other.root() + i * 8) = entry;
  m.pe.x(5) = kPage >> 12, m.pe.x(12) = kPage;
  for (u64 n : {1, 2, 1, 2}) {
    m.pe.x(2) = n == 1 ? m.pe.tables().root() : other.root();
    m.pe.step(RunningPe::kCode, 8);
    EXPECT_EQ(m.pe.x(9), n);
  }
}

// Each exception from EL0 leaves its class and return address; the handler returns with PSTATE.SS as X11
// says.
struct Stepping : Kernel {
  struct Taken {
    u64 ec, elr;
    bool operator==(const Taken&) const = default;
  };
  Stepping() {
    put(kOne, {kSvc, add_one(0), add_one(0), kSvc, 0x17fffffc});
    vector(kSyncVectorEl0, {0xd5385203,  // mrs x3, esr_el1
                            0xd35afc61,  // lsr x1, x3, #26
                            0xd5384022,  // mrs x2, elr_el1
                            0xa8810941,  // stp x1, x2, [x10], #16
                            0xd5384002,  // mrs x2, spsr_el1
                            0xaa0b0042,  // orr x2, x2, x11
                            0xd5184002,  // msr spsr_el1, x2
                            kEret});
    pe.set("OSLAR_EL1", 0), pe.set("MDSCR_EL1", 1);
    pe.x(10) = kData, pe.x(11) = kSpsrSs;
  }
  Taken taken(u64 n) const {
    auto* words = reinterpret_cast<const u64*>(const_cast<Stepping*>(this)->at(kData));
    return {words[2 * n], words[2 * n + 1]};
  }
};

SPEC("Under software step each SVC is one step, and so is each instruction behind it") {
  Stepping m;
  m.eret_to(Kernel::kUser, kSpsrSs, 400);
  const Stepping::Taken round[] = {{kEcSvc, Kernel::kUser + 4},
                                   {kEcStep, Kernel::kUser + 8},
                                   {kEcStep, Kernel::kUser + 12},
                                   {kEcSvc, Kernel::kUser + 16},
                                   {kEcStep, Kernel::kUser}};
  for (u64 n = 0; n < 30; n++) EXPECT_EQ(m.taken(n), round[n % 5]) << n;
}

SPEC("ERET with PSTATE.SS clear takes the step exception before anything is executed") {
  Stepping m;
  m.pe.x(11) = 0;
  m.eret_to(Kernel::kUser, kSpsrSs, 40);
  EXPECT_EQ(m.taken(0), (Stepping::Taken{kEcSvc, Kernel::kUser + 4}));
  EXPECT_EQ(m.taken(1), (Stepping::Taken{kEcStep, Kernel::kUser + 4}));
  EXPECT_EQ(m.pe.x(0), 0u);
}

SPEC("Step that is switched on in the kernel begins with the next ERET") {
  Stepping m;
  m.pe.set("MDSCR_EL1", 0);
  m.eret_to(Kernel::kUser, 0, 400);
  EXPECT_EQ(m.taken(1), (Stepping::Taken{kEcSvc, Kernel::kUser + 16}));
  m.pe.set("MDSCR_EL1", 1);
  m.pe.x(10) = Kernel::kData;
  m.eret_to(Kernel::kUser + 4, kSpsrSs, 100);
  EXPECT_EQ(m.taken(0), (Stepping::Taken{kEcStep, Kernel::kUser + 8}));
  EXPECT_EQ(m.taken(1), (Stepping::Taken{kEcStep, Kernel::kUser + 12}));
}

SPEC("A hardware breakpoint of EL0 hits behind an ERET, and not in the kernel") {
  Kernel m;
  m.count_system_calls();
  m.eret_to(Kernel::kUser, 0, 100);
  m.pe.set("OSLAR_EL1", 0), m.pe.set("MDSCR_EL1", 1 << 15);
  m.pe.set("DBGBVR0_EL1", Kernel::kUser + 8), m.pe.set("DBGBCR0_EL1", 1 | 0b10 << 1 | 0xf << 5);
  m.eret_to(Kernel::kUser, 0, 100);
  EXPECT_EQ(m.pe.get("ESR_EL1") >> 26, kEcBreakpoint);
  EXPECT_EQ(m.pe.get("ELR_EL1"), Kernel::kUser + 8);
}

SPEC("An illegal return takes the exception at its target, in the EL that it could not leave") {
  Kernel m;
  m.count_system_calls();
  m.vector(kSyncVector, {kLoop});
  m.eret_to(Kernel::kUser, 0, 100);
  for (u64 spsr : {0x10, 0x9, 0x1, 0xd}) {
    m.eret_to(RunningPe::kCode + 0x40, spsr, 20);
    EXPECT_EQ(m.pe.state().pc, RunningPe::kVectors + kSyncVector) << spsr;
    EXPECT_EQ(m.pe.get("ESR_EL1") >> 26, kEcIllegalState);
    EXPECT_EQ(m.pe.get("ELR_EL1"), RunningPe::kCode + 0x40);
    EXPECT_EQ(m.pe.get("SPSR_EL1") & (kIllegalIl | 0xf), kIllegalIl | 5);
  }
}

SPEC("A PE that does nothing but exceptions can be stopped") {
  Kernel m(tcg::Vcpu::Options{});
  m.count_system_calls();
  m.pe.set("ELR_EL1", Kernel::kUser), m.pe.set("SPSR_EL1", 0x3c0);
  m.pe.start(RunningPe::kCode);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  m.pe.stop();
  EXPECT_GE(m.pe.x(4), 1u);
}

// --- By chance ---

constexpr u32 movz(unsigned rd, u32 imm, unsigned shift = 0) {
  return (shift ? 0xf2800000 : 0xd2800000) | shift / 16 << 21 | imm << 5 | rd;
}

// Straight-line code that changes PSTATE, FPCR and address spaces, takes exceptions and goes to EL0 and back.
// X20 gathers what is seen on the way, X21 and X28 count exceptions.
class Wandering {
 public:
  Wandering(u32 seed, tcg::Vcpu::Options options) : machine_(options), random_(seed) {
    // From EL1 with either stack pointer, and from EL0.
    for (u64 from : {0x000, 0x200, 0x400}) {
      branch(RunningPe::kVectors + from, kSync);
      branch(RunningPe::kVectors + from + 0x80, kIrq);
    }
    machine_.put(kSync, {0xd5385216,  //    mrs x22, esr_el1
                         0x8b160294,  //    add x20, x20, x22
                         0xd5384017,  //    mrs x23, spsr_el1
                         0x8b170294,  //    add x20, x20, x23
                         0x926bfaf7,  //    bic x23, x23, #IL
                         0xd5184017,  //    msr spsr_el1, x23
                         0xd5384037,  //    mrs x23, elr_el1
                         0xca170294,  //    eor x20, x20, x23
                         0x93d41e94,  //    ror x20, x20, #7
                         0x910006b5,  //    add x21, x21, #1
                         0xd35a7ed6,  //    ubfx x22, x22, #26, #6
                         0xf10056df,  //    cmp x22, #0x15 (SVC)
                         0x540000e0,  //    b.eq 2f
                         0xf1003adf,  //    cmp x22, #0x0e (illegal state)
                         0x54000060,  //    b.eq 1f
                         0x910012f7,  //    add x23, x23, #4
                         0xd5184037,  //    msr elr_el1, x23
                         kEret,       // 1: eret
                         kEret,       //
                         0xb4000078,  // 2: cbz x24, 3f
                         0xd5184038,  //    msr elr_el1, x24
                         0xd5184019,  //    msr spsr_el1, x25
                         0xd2800018,  // 3: mov x24, #0
                         kEret});
    machine_.put(kIrq, {0x9100079c,  // add x28, x28, #1
                        0xd5384016,  // mrs x22, spsr_el1
                        0xb27902d6,  // orr x22, x22, #0x80
                        0xd5184016,  // msr spsr_el1, x22
                        kEret});
    machine_.put(Kernel::kOne, {0xf840096e,  // ldtr x14, [x11]: of the kernel
                                0xf940026e,  // ldr x14, [x19]
                                0x8b0e0294,  // add x20, x20, x14
                                0xd53b422e,  // mrs x14, daif: trapped
                                0x1e611802,  // fdiv d2, d0, d1
                                0x9e66004e,  // fmov x14, d2
                                0x8b0e0294,  // add x20, x20, x14
                                kSvc, kLoop});
    RunningPe& pe = machine_.pe;
    pe.tables().map(kUserData, Kernel::kData + 0x1000, pte::kNormal | pte::kEl0 | pte::kNotGlobal);
    *reinterpret_cast<u64*>(machine_.at(Kernel::kData + 0x1000)) = 0x123456789abcdef;
    pe.set("CPACR_EL1", 3 << 20);
    pe.x(11) = Kernel::kData, pe.x(12) = u64{1} << 40, pe.x(19) = kUserData;
    pe.x(16) = pe.tables().root() | u64{1} << 48, pe.x(17) = pe.tables().root() | u64{2} << 48;
    pe.x(26) = Kernel::kUser;
    pe.state().v[0] = {0x3ff0000000000000, 0}, pe.state().v[1] = {0x4008000000000000, 0};
    u64 end = RunningPe::kCode;
    for (int n = 0; n < 400; n++) end = piece(end);
    branch(end, RunningPe::kCode);
    pe.state().pc = RunningPe::kCode;
  }
  // Some instructions, with an interrupt that comes and goes between.
  void wander() {
    machine_.pe.pe().irq_line()(random_() % 2);
    machine_.go_on(i64(random_() % 300 + 1));
  }
  std::string state() {
    RunningPe& pe = machine_.pe;
    std::string s;
    for (unsigned n = 0; n < 31; n++) s += std::to_string(pe.x(n)) + " ";
    for (const char* name : {"ESR_EL1", "FAR_EL1", "ELR_EL1", "SPSR_EL1", "TTBR0_EL1"})
      s += std::string(name) + "=" + std::to_string(pe.get(name)) + " ";
    const cpu::PeState& p = pe.state();
    return s + "pstate=" + std::to_string(spsr_from_pstate(p)) + " pc=" + std::to_string(p.pc) +
           " mode=" + std::to_string(p.mode) + " fpcr=" + std::to_string(p.fpcr);
  }
  u64 exceptions() { return machine_.pe.x(21); }

 private:
  static constexpr u64 kSync = RunningPe::kVectors + 0x1000, kIrq = kSync + 0x100,
                       kUserData = Kernel::kUser + 0x5000;
  void branch(u64 from, u64 to) { machine_.put(from, {u32(0x14000000 | ((to - from) / 4 & 0x3ffffff))}); }
  u64 add(u64 at, std::initializer_list<u32> words) {
    machine_.put(at, words);
    return at + 4 * words.size();
  }
  u64 piece(u64 at) {
    constexpr u32 kGather = 0x8b0e0294;  // add x20, x20, x14
    switch (random_() % 22) {
      case 0: return add(at, {0xd50342df});                                 // msr daifset, #2
      case 1: return add(at, {0xd50342ff});                                 // msr daifclr, #2
      case 2: return add(at, {movz(13, random_() % 16 << 6), 0xd51b422d});  // msr daif, x13
      case 3: return add(at, {0xd53b422e, kGather});                        // mrs x14, daif
      case 4: return add(at, {0xd500409f | u32(random_() % 2) << 8});       // msr pan, #n
      case 5: return add(at, {0xd50040bf | u32(random_() % 2) << 8});       // msr spsel, #n
      case 6: return add(at, {0xd500407f | u32(random_() % 2) << 8});       // msr uao, #n
      case 7: return add(at, {0xf940016e, kGather});                        // ldr x14, [x11]
      case 8: return add(at, {0xf840096e, kGather});                        // ldtr x14, [x11]
      case 9: return add(at, {0xf940026e, kGather});                        // ldr x14, [x19]
      case 10: return add(at, {0xf840081f | 19 << 5 | 14, kGather});        // ldtr x14, [x19]
      case 11: return add(at, {0xf9000574});                                // str x20, [x11, #8]
      case 12: return add(at, {0xf9400189});                                // ldr x9, [x12]
      case 13: return add(at, {0x1e611802, 0x9e66004e, kGather});           // fdiv d2, d0, d1
      case 14: return add(at, {movz(15, 0), movz(15, u32(random_() % 4) << 6, 16), 0xd51b440f});  // FPCR
      case 15: return add(at, {0xd5182010});                       // msr ttbr0_el1, x16
      case 16: return add(at, {0xd5182011, kIsb});                 // msr ttbr0_el1, x17
      case 17: return add(at, {0xd518d034, 0xd538d02e, kGather});  // contextidr_el1
      case 18: return add(at, {kSvc});
      case 19: {  // ERET to the next instruction
        constexpr u32 kLow[] = {0x3c5, 0x3c4, 0x005, 0x004, 0x085, 0x044, 0x3c9, 0x3d5, 0x3c6};
        return add(at, {movz(14, kLow[random_() % std::size(kLow)]), movz(14, u32(random_() % 4) << 6, 16),
                        0xd518400e,  // msr spsr_el1, x14
                        0x1000006e,  // adr x14, .+12
                        0xd518402e,  // msr elr_el1, x14
                        kEret});
      }
      case 20: {                     // to EL0, from where the first SVC brings us back
        return add(at, {0x10000118,  // adr x24, .+32
                        movz(25, u32(random_() % 16) << 6 | 4 | u32(random_() % 2)),
                        0xd518403a,  // msr elr_el1, x26
                        movz(14, u32(random_() % 16) << 6),
                        0xd518400e,  // msr spsr_el1, x14
                        kEret, kLoop, kLoop});
      }
      default: return add(at, {add_one(0), 0xd538402e, kGather});  // mrs x14, elr_el1
    }
  }
  Kernel machine_;
  std::mt19937 random_;
};

SPEC("Changes of context in any order are the same with and without the run loop between, and interpreted") {
  u64 exceptions = 0;
  for (u32 seed = 1; seed <= 12; seed++) {
    Wandering fast(seed, {.icount = true});
    Wandering slow(seed, {.icount = true, .passes = tcg::PassSet::all().with(tcg::Pass::Contexts, false)});
    Wandering interpreted(seed, {.accel = Accel::Interpreter, .icount = true});
    for (int n = 0; n < 200; n++) {
      fast.wander(), slow.wander(), interpreted.wander();
      ASSERT_EQ(fast.state(), interpreted.state()) << "seed " << seed << ", after " << n;
      ASSERT_EQ(fast.state(), slow.state()) << "seed " << seed << ", after " << n;
    }
    exceptions += fast.exceptions();
  }
  EXPECT_GE(exceptions, 12u * 200);
}

}  // namespace
}  // namespace sluice::test
