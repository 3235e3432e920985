// PSCI CPU_ON on the whole `virt` board: the parts of a PE that live outside it are reset with it.
#include <gtest/gtest.h>

#include <cstring>

#include "app/file_stream.h"
#include "machines/virt.h"
#include "tests/support/eventually.h"

namespace sluice {
namespace {

constexpr u64 kRam = 0x40000000, kBoot = kRam + 0x1000, kSecond = kRam + 0x2000, kSeen = kRam + 0x3000;
constexpr u32 kSpin = 0x14000000, kHvc = 0xd4000002;
constexpr u32 kMrsPmr = 0xd5384601, kMsrPmr = 0xd5184602;  // ICC_PMR_EL1 to X1, from X2

struct Board {
  explicit Board(bool icount)
      : clock(icount ? Clock::Mode::Icount : Clock::Mode::RealTime), board(config(icount), clock, serial) {
    board.set_boot({.entry = {kBoot}});
    code(kBoot, {kSpin});
    // Stores what it finds in ICC_PMR_EL1 at X0 (the context of CPU_ON), changes it, and switches itself off.
    code(kSecond, {kMrsPmr, 0xf9000001 /* STR X1, [X0] */, 0xd2801e02 /* MOV X2, #0xf0 */, kMsrPmr,
                   0xd2800040 /* MOV X0, #2 */, 0xf2b08000 /* MOVK X0, #0x8400, LSL #16 */, kHvc, kSpin});
    board.pes().reset();
    board.pes().start();
  }
  ~Board() { board.pes().stop(); }
  static VirtConfig config(bool icount) {
    VirtConfig c;
    c.ram_size = u64{2} << 20;
    c.pes = 2;
    c.gic_version = 3;
    c.model = *cpu::parse_cpu_option("max");
    c.group.icount = icount;
    c.group.translator.accel = tcg::Vcpu::Accel::Interpreter;
    return c;
  }
  void code(u64 at, std::initializer_list<u32> words) {
    std::vector<u32> list(words);
    EpochDomain::Guard guard{board.hub().epochs()};
    EXPECT_TRUE(board.system()
                    .poke(GuestPhysAddr{at}, std::as_bytes(std::span{list}), MemTxAttrs::debugger())
                    .is_ok());
  }
  // Switches PE 1 on, waits until it is off again, and returns what it saw.
  u64 life_of_the_second() {
    code(kSeen, {0xdeadbeef, 0});
    EXPECT_EQ(board.pes().cpu_on(1, kSecond, kSeen), 0);
    constexpr i32 kOff = 1;
    EXPECT_TRUE(test::eventually([&] { return board.pes().affinity_info(1, 0) == kOff; }));
    u64 seen = 0;
    EpochDomain::Guard guard{board.hub().epochs()};
    EXPECT_TRUE(
        board.system()
            .peek(GuestPhysAddr{kSeen}, std::as_writable_bytes(std::span{&seen, 1}), MemTxAttrs::debugger())
            .is_ok());
    return seen;
  }

  NullStream serial;
  Clock clock;
  Virt board;
};

TEST(PowerUp, TheGicCpuInterfaceOfAPeIsResetByCpuOn) {
  for (bool icount : {false, true}) {
    Board b{icount};
    EXPECT_EQ(b.life_of_the_second(), 0u);
    EXPECT_EQ(b.life_of_the_second(), 0u) << "what the last life left in ICC_PMR_EL1 is still there";
  }
}

}  // namespace
}  // namespace sluice
