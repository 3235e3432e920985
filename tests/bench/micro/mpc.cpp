// tests/bench/micro/mpc.cpp: one block of a TrustZone MPC changes hands while a PE uses many other pages
// behind it.
#include <benchmark/benchmark.h>

#include "devices/iommu/tz_mpc.h"
#include "tests/support/mmu_world.h"

namespace sluice::test {
namespace {

constexpr u64 kLow = 0x1000000;  // where the guest maps its pages

// A PE whose memory is behind an MPC, all blocks Non-secure.
struct World : MmuMachine {
  std::shared_ptr<TzMpc> mpc = std::make_shared<TzMpc>(
      "mpc", hub, memory, TzMpc::Config{.size = kRamBase + kRamSize}, IrqLine([](bool) {}));
  std::unique_ptr<AddressSpace> frame;
  std::unique_ptr<MmuPe> pe;
  std::unique_ptr<Participant::Running> running;
  PageTables tables{*ram, kRamBase, 0};
  const u64 pages;
  static constexpr u64 kFirst = u64{8} << 20, kDistinct = (kRamSize - kFirst) / kPage - 1;
  static constexpr u64 kFlipped = kRamBase + kRamSize - kPage;  // mapped once

  explicit World(u64 n) : pages(n) {
    mpc->reset_opened();
    through = std::make_unique<AddressSpace>(topology, "through", mpc);
    frame = std::make_unique<AddressSpace>(
        topology, "frame", std::make_shared<MmioRegion>("mpc-regs", TzMpc::kFrameSize, *mpc, nullptr));
    pe = std::make_unique<MmuPe>(*this);
    running = std::make_unique<Participant::Running>(pe->participant);
    for (u64 i = 0; i < pages; i++)
      tables.map(kLow + i * kPage, kRamBase + kFirst + i % kDistinct * kPage, pte::kNormal | pte::kNotGlobal);
    tables.map(0, kFlipped, pte::kNormal | pte::kNotGlobal);
    pe->enable(tables.root(), tables.root());
    touch_all();
    store(0x00, 0x10);                   // CTRL: no auto-increment
    store(0x18, kFlipped / kPage / 32);  // BLK_IDX
  }
  void store(u64 offset, u32 value) {
    if (!frame->store({offset}, 4, value, kSecure).is_ok()) std::abort();
  }
  void touch(u64 va) {
    if (!pe->ok(va)) std::abort();
  }
  void touch_all() {
    for (u64 i = 0; i < pages; i++) touch(kLow + i * kPage);
  }
  void set_block(bool non_secure) {
    u32 bit = u32{1} << kFlipped / kPage % 32;
    store(0x1c, non_secure ? ~u32{0} : ~bit);  // BLK_LUT
    pe->participant.drain();
  }
};

// One iteration: the block becomes Secure, and Non-secure again, and the PE reads it. Two flips.
void mpc_flip(benchmark::State& state) {
  World w(u64(state.range(0)));
  w.touch(0);
  for (auto _ : state) {
    w.set_block(false);
    w.set_block(true);
    w.touch(0);
  }
  state.SetItemsProcessed(state.iterations() * 2);
}
BENCHMARK(mpc_flip)->Arg(1000)->Arg(10000)->Arg(100000);

// What a flush costs that does not know what has changed.
void mpc_full_flush_and_refill(benchmark::State& state) {
  World w(u64(state.range(0)));
  for (auto _ : state) {
    w.pe->tlbi(kTlbiLocal, kTlbiVmall);
    w.touch_all();
  }
}
BENCHMARK(mpc_full_flush_and_refill)->Arg(1000);

}  // namespace
}  // namespace sluice::test
