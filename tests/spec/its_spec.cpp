// tests/spec/its_spec.cpp: what software may rely on when devices send messages through an ITS (Arm IHI
// 0069H).
#include <thread>

#include "tests/support/its_world.h"
#include "tests/support/mpc_world.h"

namespace sluice {
namespace {

using namespace test;
using namespace gic_rig;
using C = ItsCommand;

constexpr unsigned kNone = 1023;

SPEC("ITS: the DeviceID of a message is the requester of the write, whatever the PE or bus in between") {
  ItsWorld w;
  w.boot();
  w.map(0x0018, 0, 0, 0), w.map(0x0118, 8, 1, 1);
  for (u32 n : {0, 8}) w.configure(8192 + n, kLpiOn);
  DmaPort device(w.space, MemTxAttrs::device(40, 0x0118));
  EXPECT_TRUE(device.store(w.kIts + GITS_TRANSLATER, 4, 0).is_ok());
  EXPECT_EQ(w.take(0), kNone);
  EXPECT_EQ(w.take(1), 8200u);
}

SPEC("ITS: a mapping command is in effect as soon as CREADR has passed it") {
  ItsWorld w;
  w.boot();
  w.map(1, 0, 0, 0);
  w.run({C::mapc(1, 3)});
  w.configure(8192, kLpiOn);
  for (u16 collection : {1, 0, 1}) {
    w.run({C::movi(1, 0, collection)});
    w.message(1, 0);
    EXPECT_EQ(w.take(collection ? 3 : 0), 8192u);
  }
}

SPEC("ITS: an LPI that is pending and disabled is delivered when it is enabled and invalidated") {
  ItsWorld w;
  w.boot();
  w.map(1, 0, 0, 0);
  w.message(1, 0);
  w.configure(8192, kLpiOn);
  EXPECT_FALSE(w.irq(0));
  w.run({C::inv(1, 0)});
  EXPECT_TRUE(w.irq(0));
}

SPEC("ITS: a wrong command does not hold up the commands behind it") {
  ItsWorld w;
  w.boot();
  w.configure(8192, kLpiOn);
  w.run({C::int_(1, 0),
         {0x77},
         C::mapc(0, 2),
         C::mapd(1, w.itt(1), 5),
         C::mapti(1, 0, 8192, 0),
         C::int_(1, 0)});
  EXPECT_TRUE(w.queue_is_done());
  EXPECT_EQ(w.take(2), 8192u);
}

SPEC("ITS: a moved interrupt is pending on one PE only, and is not lost, while messages go on") {
  ItsWorld w;
  w.boot();
  w.map(1, 0, 0, 0);
  w.run({C::mapc(1, 1)});
  w.configure(8192, kLpiOn);
  constexpr u64 kMessages = 300;
  std::atomic<u64> sent{0}, taken{0};
  std::atomic<bool> stop{false};
  auto pe = [&](unsigned n) {
    while (!stop) {
      if (w.take(n) == 8192)
        taken++;
      else
        std::this_thread::yield();
    }
  };
  std::thread pe0(pe, 0), pe1(pe, 1);
  std::thread mover([&] {
    for (u16 to = 1; !stop; to ^= 1) {
      w.run({C::movi(1, 0, to), C::inv(1, 0)});
      std::this_thread::yield();
    }
  });
  for (; sent < kMessages; sent++) {
    u64 before = taken;
    w.message(1, 0);
    while (taken == before) std::this_thread::yield();  // the next one only when this one has arrived
  }
  stop = true;
  pe0.join(), pe1.join(), mover.join();
  EXPECT_EQ(taken, sent);
}

SPEC(
    "ITS: its table accesses are transactions of their own, which an MPC in front of the memory can refuse") {
  MpcWorld w(0x1000, u64{8} << 20);
  gic_rig::V3 gic(Gicv3::Config{.pes = 1, .lpi_memory = DmaPort{w.upstream, MemTxAttrs::device(2, 0)}});
  Clock clock(Clock::Mode::Icount);
  Gicv3Its its(gic.gic, DmaPort{w.upstream, MemTxAttrs::device(2, 0)}, clock);
  w.w(MPC_CTRL, kSecResp);
  (void)its.write(GITS_CBASER, 8, kValidBit | 0x10000, kNs);
  (void)its.write(GITS_CTLR, 4, 1, kNs);
  (void)its.write(GITS_CWRITER, 8, 32, kNs);  // every block is Secure
  u64 creadr = 0;
  (void)its.read(GITS_CREADR, 8, creadr, kNs);
  EXPECT_EQ(creadr, kStalledBit);
  EXPECT_EQ(w.r(MPC_INT_INFO1), 0x10000u);
  EXPECT_EQ(w.r(MPC_INT_INFO2), 1u << 16 | 0x8002);
}

}  // namespace
}  // namespace sluice
