// tests/spec/device_access_spec.cpp: what a device does to the PE that is accessing it: it takes translations
// away, also that of the running code, and raises the PE's interrupt.
#include "tests/support/eventually.h"
#include "tests/support/running_pe.h"

namespace sluice::test {
namespace {

using Accel = tcg::Vcpu::Accel;
constexpr u64 kDevice = kWindow, kBlock = kWindow + 0x3000, kData = kWindow + 0x10000;

// A PE whose code is in a block of its own, behind a virtio-iommu, with a device. X1 is the device, X10 data.
struct Accessing : ChainMachine {
  explicit Accessing(Accel accel) : ChainMachine({{GateType::Virtio, 1 << 12}}) {
    for (u64 at = kWindow + 0x1000; at < kWindow + kWindowSize; at += 0x1000)
      gates[0]->open(at, at, Access::All);
    gates[0]->open(kDevice, kDeviceBase, Access::ReadWrite);
    pe = std::make_unique<RunningPe>(*this, 0, tcg::Vcpu::Options{.accel = accel});
    pe->set("CPACR_EL1", 3 << 20);
    pe->pe().update_context();
    pe->x(1) = kDevice, pe->x(10) = kData;
    RunningPe::put(*this, RunningPe::kVectors + 0x200,
                   {0xd5384022,    // mrs x2, elr_el1
                    0xf9000542,    // str x2, [x10, #8]
                    0x14000000});  // b .
    RunningPe::put(*this, RunningPe::kVectors + 0x280,
                   {0xd2800022,    // mov x2, #1
                    0xf9000942,    // str x2, [x10, #16]
                    0x14000000});  // b .
  }
  ~Accessing() { pe->stop(); }
  u64 word(u64 offset) { return std::atomic_ref(*reinterpret_cast<u64*>(at(kData + offset))); }
  u64 done() { return word(0); }
  u64 aborted_at() { return word(8); }
  u64 interrupted() { return word(16); }
  // From inside the device: the PE has to apply this before its access retires.
  void take_code_away(bool back_again) { take_away(kBlock, back_again); }
  void take_away(u64 page, bool back_again) {
    auto& region = *gate<VirtioGate>(0).shared();
    auto gone = region.unmap(1, {page, page + 0xfff});
    if (back_again) {
      EXPECT_EQ(region.map({1, {page, page + 0xfff}, page, Access::All, false}).status,
                VirtioGate::Status::Ok);
    }
    hub.complete(*gone.ticket);
  }
  std::unique_ptr<RunningPe> pe;
};

// Each is one instruction, then "x0 = 1; [x10] = x0" and an endless loop.
SPEC(
    "an instruction that accesses a device is executed once, although the device makes its PE drain its "
    "mail") {
  struct Case {
    u32 word;
    int reads, writes;
    u64 x1;
  };
  const Case cases[] = {
      {0xf9000022, 0, 1, kDevice},       // str x2, [x1]
      {0xf8008422, 0, 1, kDevice + 8},   // str x2, [x1], #8
      {0xf8408c22, 1, 0, kDevice + 8},   // ldr x2, [x1, #8]!
      {0xa9000c22, 0, 2, kDevice},       // stp x2, x3, [x1]
      {0xa8c10c22, 2, 0, kDevice + 16},  // ldp x2, x3, [x1], #16
      {0x3d800022, 0, 2, kDevice},       // str q2, [x1]
      {0x3dc00022, 2, 0, kDevice},       // ldr q2, [x1]
      {0xf8228023, 1, 1, kDevice},       // swp x2, x3, [x1]
      {0xf8220023, 1, 1, kDevice},       // ldadd x2, x3, [x1]
      {0x08dffc22, 1, 0, kDevice},       // ldarb w2, [x1]
  };
  for (Accel accel : {Accel::Jit, Accel::Interpreter})
    for (const Case& c : cases) {
      Accessing m(accel);
      int times = 0;
      auto touched = [&] {
        if (times++ < 4) m.take_code_away(true);
      };
      m.device.on_read = [&](u64) { touched(); };
      m.device.on_write = [&](u64, u64) { touched(); };
      RunningPe::put(m, kBlock, {c.word, 0xd2800020, 0xf9000140, 0x14000000});
      m.pe->start(kBlock);
      EXPECT_TRUE(eventually([&] { return m.done(); }));
      m.pe->stop();
      EXPECT_EQ(m.device.reads, c.reads) << std::hex << c.word;
      EXPECT_EQ(m.device.writes, c.writes) << std::hex << c.word;
      EXPECT_EQ(m.pe->x(1), c.x1) << std::hex << c.word;
    }
}

// C16
SPEC("C16: code that takes itself away by a store to a device ends behind the block of the store") {
  for (Accel accel : {Accel::Jit, Accel::Interpreter}) {
    Accessing m(accel);
    m.device.on_write = [&](u64, u64 turn) {
      if (turn == 50) m.take_code_away(false);
    };
    RunningPe::put(m, kBlock,
                   {0x91000400,    // loop: add x0, x0, #1
                    0xf9000020,    //       str x0, [x1]
                    0x14000002,    //       b next
                    0xd503201f,    //       nop
                    0x91000463,    // next: add x3, x3, #1
                    0x17fffffb});  //       b loop
    m.pe->x(0) = m.pe->x(3) = 0;
    m.pe->start(kBlock);
    EXPECT_TRUE(eventually([&] { return m.aborted_at(); }));
    m.pe->stop();
    EXPECT_EQ(m.device.writes, 50);
    EXPECT_EQ(m.aborted_at(), kBlock + 16);
    EXPECT_EQ(m.pe->x(3), 49u);
  }
}

SPEC("an interrupt that a device raises while it makes the PE drain its mail is taken") {
  for (Accel accel : {Accel::Jit, Accel::Interpreter}) {
    Accessing m(accel);
    IrqLine irq = m.pe->pe().irq_line();
    m.device.on_write = [&](u64, u64) {
      irq(true);
      m.take_away(kData, true);
    };
    RunningPe::put(m, kBlock,
                   {0xd50342ff,    // msr daifclr, #2
                    0xf9000020,    // str x0, [x1]
                    0x14000000});  // b .
    m.pe->start(kBlock);
    EXPECT_TRUE(eventually([&] { return m.interrupted(); }));
  }
}

}  // namespace
}  // namespace sluice::test
