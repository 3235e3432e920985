// Random configuration space and BAR accesses on a bus full of functions: nothing hangs, crashes or forgets
// who it is. The seed is printed; SLUICE_SEED chooses another.
#include "devices/virtio/console.h"
#include "devices/virtio/net.h"
#include "devices/virtio/rng.h"
#include "devices/virtio/virtio_pci.h"
#include "tests/unit/pci_rig.h"

namespace sluice::pci_test {
namespace {

using test::Random;

class FuzzWorld : public World {
 public:
  FuzzWorld(bool with_iommu, Random& random) : World(with_iommu), random_(random) {
    add<Probe>(1 << 3);
    add<Edu>(2 << 3, clock, ~u64{0});
    add<IommuTestdev>(3 << 3, system);
    plug(4 << 3, std::make_unique<VirtioRng>(u64{1}), 3);
    plug(5 << 3, std::make_unique<VirtioNet>(std::make_unique<NullNet>()), 0);
    plug((5 << 3) + 3, std::make_unique<VirtioConsole>(), 32);
    if (with_iommu)
      for (u8 d : kDevs)
        iommu->map(test::TestIommu::index_of(PaSpace::NonSecure, d),
                   {{0, ~u64{0}}, 0, Access::ReadWrite, &system});
  }

  void step() {
    u8 devfn = kDevs[random_.below(std::size(kDevs))];
    switch (random_.below(8)) {
      case 0:
      case 1: return random_access(ecam(devfn, u16(random_.below(random_.chance(90) ? 0x100 : 0x1000))));
      case 2: return place_a_bar(devfn);
      case 3: return cfg(devfn, COMMAND, 2, u32(random_.below(0x800)));
      case 4: return run_for(random_.below(2 * Edu::kDmaNs));
      default: return random_access(kWindow + 0x100000 * random_.below(8) + random_.below(0x9000));
    }
  }
  void check() {
    for (u8 d : kDevs) ASSERT_EQ(cfg(d, VENDOR), identity_[d]) << int(d);
  }
  void remember() {
    for (u8 d : kDevs) identity_[d] = cfg(d, VENDOR);
  }

 private:
  static constexpr u8 kDevs[] = {0, 8, 16, 24, 32, 40, 43};

  void plug(u8 devfn, std::unique_ptr<VirtioDevice> device, unsigned vectors) {
    host.add(std::make_unique<VirtioPci>(host.wiring(devfn, &dma, &dma), clock, std::move(device),
                                         VirtioPciOptions{.vectors = vectors, .access_platform = true}));
  }
  // Values that mean something to somebody come more often than chance would have it.
  u64 value() {
    switch (random_.below(6)) {
      case 0: return random_.below(16);
      case 1: return kRam + random_.below(kRamSize);
      case 2: return kWindow + random_.below(0x800000);
      case 3: return kEcam + random_.below(0x40000);
      case 4: return ~u64{0} << random_.below(32);
      default: return random_.below(~u64{0});
    }
  }
  void random_access(u64 address) {
    unsigned size = 1u << random_.below(4);
    u64 read = 0;
    MemTxResult ignored = random_.chance(40) ? system.load({address}, size, read, kPe)
                                             : system.store({address}, size, value(), kPe);
    (void)ignored;
  }
  void place_a_bar(u8 devfn) {
    unsigned bar = unsigned(random_.below(6));
    cfg(devfn, u16(BAR0 + 4 * bar), 4, u32(kWindow + 0x100000 * random_.below(8)));
    if (random_.chance(70)) cfg(devfn, u16(BAR0 + 4 * bar + 4), 4, 0);
    cfg(devfn, COMMAND, 2, MEMORY | MASTER);
  }

  Random& random_;
  std::map<u8, u32> identity_;
};

TEST(PciFuzz, AnythingMayBeWrittenAnywhere) {
  Random random{0x5d1ce};
  for (bool with_iommu : {false, true}) {
    FuzzWorld w{with_iommu, random};
    w.remember();
    for (int round = 0; round < 30; round++) {
      for (int i = 0; i < 1000; i++) w.step();
      w.check();
      if (round % 10 == 9) w.host.reset();
    }
    EXPECT_FALSE(w.host.describe().empty());
  }
}

}  // namespace
}  // namespace sluice::pci_test
