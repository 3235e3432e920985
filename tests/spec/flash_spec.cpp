// Flash as memory that turns into registers: what a PE has cached of the array must not outlive the store
// that ends read-array mode.
#include <thread>

#include "devices/flash/cfi_flash.h"
#include "memory/address_space.h"
#include "tests/support/memory_world.h"

namespace sluice {
namespace {

using test::kNs;
using test::make_ram;
using test::TestPe;

struct FlashWorld {
  InvalidationHub hub;
  Topology topology{hub};
  std::shared_ptr<Container> root = std::make_shared<Container>("system", kWholeSpace);
  AddressSpace space{topology, "memory", root};
  CfiFlash flash{"flash", topology, make_ram(CfiFlash::kSize, "flash")};
  TestPe pe{space, hub};

  FlashWorld() {
    Topology::Transaction{topology}.add(*root, 0, flash.region());
    flash.memory().host()[0] = 0x5a;
  }
  std::optional<u64> cached_load() {
    Participant::Running running{pe.participant};
    return pe.load(0, 4, kNs);
  }
  void command(u8 code) { EXPECT_TRUE(space.store({0}, 4, code * 0x10001u, kNs).is_ok()); }
};

SPEC("Flash: a command ends what PEs have cached of the array") {
  FlashWorld w;
  EXPECT_EQ(w.cached_load(), 0x5au);
  w.command(0x70);
  EXPECT_EQ(w.cached_load(), std::nullopt) << "registers are not cached";
  w.command(0xff);
  EXPECT_EQ(w.cached_load(), 0x5au);
}

SPEC("Flash: no PE that runs meanwhile reads the array once the store of the command has retired") {
  FlashWorld w;
  std::atomic<u32> phase{0};  // odd: the command has retired, and the one that ends it has not begun
  std::atomic<bool> stop{false};
  std::atomic<int> stale{0}, hits{0};
  std::thread other{[&] {
    Participant::Running running{w.pe.participant};
    while (!stop.load()) {
      const u32 before = phase.load();
      const bool value = w.pe.load(0, 4, kNs).has_value();
      if (value) hits++;
      if (value && before % 2 && phase.load() == before) stale++;
      w.pe.participant.drain();
    }
  }};
  for (int round = 0; round < 40; round++) {
    const int seen = hits.load();
    while (hits.load() == seen) std::this_thread::yield();
    w.command(0x70);
    phase++;
    for (int i = 0; i < 10; i++) std::this_thread::yield();
    phase++;
    w.command(0xff);
  }
  stop = true;
  other.join();
  EXPECT_EQ(stale, 0);
}

SPEC("Flash: what is programmed is seen by a PE that had cached the old contents") {
  FlashWorld w;
  EXPECT_EQ(w.cached_load(), 0x5au);
  w.command(0x40);
  w.command(0x0a);
  w.command(0xff);
  EXPECT_EQ(w.cached_load(), 0x0au);
}

}  // namespace
}  // namespace sluice
