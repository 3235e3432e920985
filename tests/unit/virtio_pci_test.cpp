// virtio over PCI, driven as a driver would: structures are found through the capabilities, queues are set up
// in the common configuration, buffers are used in real rings. VIRTIO 1.3, 2.7, 3.1, 4.1.
#include "devices/virtio/virtio_pci.h"

#include <bit>

#include "devices/virtio/blk.h"
#include "devices/virtio/console.h"
#include "devices/virtio/net.h"
#include "devices/virtio/rng.h"
#include "tests/unit/pci_rig.h"

namespace sluice::pci_test {
namespace {

constexpr u8 kDev = 5 << 3;
constexpr u64 kBar4 = kHighWindow + 0x10000, kMsixTable = kWindow + 0x8000;
constexpr u64 kVersion1 = u64{1} << 32, kAccessPlatform = u64{1} << 33, kRingReset = u64{1} << 40;

// 4.1.4.3.
enum Common : u64 {
  DEVICE_FEATURE_SELECT = 0x00,
  DEVICE_FEATURE = 0x04,
  DRIVER_FEATURE_SELECT = 0x08,
  DRIVER_FEATURE = 0x0c,
  CONFIG_VECTOR = 0x10,
  NUM_QUEUES = 0x12,
  DEVICE_STATUS = 0x14,
  GENERATION = 0x15,
  QUEUE_SELECT = 0x16,
  QUEUE_SIZE = 0x18,
  QUEUE_VECTOR = 0x1a,
  QUEUE_ENABLE = 0x1c,
  NOTIFY_OFF = 0x1e,
  QUEUE_DESC = 0x20,
  QUEUE_DRIVER = 0x28,
  QUEUE_DEVICE = 0x30,
  QUEUE_RESET = 0x3a
};

class MemoryDisk final : public BlockBackend {
 public:
  u64 size() const override { return 8 * 512; }
  bool read_only() const override { return false; }
  std::string name() const override { return "memory"; }
  BlockStatus read(u64 offset, std::span<u8> out) override {
    for (size_t i = 0; i < out.size(); i++) out[i] = u8((offset + i) * 3);
    return BlockStatus::Ok;
  }
  BlockStatus write(u64, std::span<const u8>) override { return BlockStatus::Ok; }
  BlockStatus flush() override { return BlockStatus::Ok; }
  BlockStatus discard(u64, u64) override { return BlockStatus::Ok; }
  BlockStatus write_zeroes(u64, u64, Unmap) override { return BlockStatus::Ok; }
};

// What a driver knows: where the structures are.
struct Driver : World {
  struct Structure {
    u16 capability = 0;
    u8 bar = 0;
    u64 offset = 0, length = 0;
  };
  std::map<u8, Structure> structures;  // by cfg_type
  u32 notify_multiplier = 0;
  static constexpr u64 kDescriptors = kRam + 0x10000, kAvailable = kRam + 0x11000, kUsed = kRam + 0x12000;
  static constexpr u64 kBuffer = kRam + 0x20000;
  static constexpr u16 kSize = 8;
  u16 available = 0;

  explicit Driver(std::unique_ptr<VirtioDevice> device, VirtioPciOptions options = {.vectors = 3},
                  bool with_iommu = false)
      : World(with_iommu) {
    const AddressSpace* data = options.access_platform ? &dma : &system;
    host.add(std::make_unique<VirtioPci>(host.wiring(kDev, data, &dma), clock, std::move(device), options));
    for (u16 at = capability(kDev, 9); at; at = capability(kDev, 9, at)) {
      u8 type = u8(cfg(kDev, u16(at + 3), 1));
      structures[type] = {at, u8(cfg(kDev, u16(at + 4), 1)), cfg(kDev, u16(at + 8)), cfg(kDev, u16(at + 12))};
      if (type == 2) notify_multiplier = cfg(kDev, u16(at + 16));
    }
    enable(kDev, 1, kMsixTable);
    enable(kDev, 4, kBar4);
  }
  u64 structure(u8 type) { return kBar4 + structures.at(type).offset; }
  u32 get(u64 field, unsigned size) { return u32(load(structure(1) + field, size)); }
  void put(u64 field, unsigned size, u64 value) { store(structure(1) + field, size, value); }
  u64 offered() {
    put(DEVICE_FEATURE_SELECT, 4, 0);
    u64 low = get(DEVICE_FEATURE, 4);
    put(DEVICE_FEATURE_SELECT, 4, 1);
    return low | u64{get(DEVICE_FEATURE, 4)} << 32;
  }
  bool negotiate(u64 features) {
    put(DEVICE_STATUS, 1, 0);
    put(DEVICE_STATUS, 1, 1);
    put(DEVICE_STATUS, 1, 3);
    for (unsigned word = 0; word < 2; word++) {
      put(DRIVER_FEATURE_SELECT, 4, word);
      put(DRIVER_FEATURE, 4, u32(features >> 32 * word));
    }
    put(DEVICE_STATUS, 1, 11);
    return get(DEVICE_STATUS, 1) == 11;
  }
  // `shift`: what a ring address is moved by on the bus.
  void start(u64 features = kVersion1, u64 shift = 0, u16 queue = 0) {
    ASSERT_TRUE(negotiate(features));
    put(QUEUE_SELECT, 2, queue);
    put(QUEUE_SIZE, 2, kSize);
    put(QUEUE_DESC, 8, kDescriptors - shift);
    put(QUEUE_DRIVER, 4, u32(kAvailable - shift)), put(QUEUE_DRIVER + 4, 4, 0);
    put(QUEUE_DEVICE, 8, kUsed - shift);
    put(QUEUE_ENABLE, 2, 1);
    put(DEVICE_STATUS, 1, 15);
  }
  void descriptor(u16 n, u64 address, u32 length, u16 flags, u16 next = 0) {
    ram_put<u64>(kDescriptors + 16 * n, address);
    ram_put<u32>(kDescriptors + 16 * n + 8, length);
    ram_put<u32>(kDescriptors + 16 * n + 12, u32(next) << 16 | flags);
  }
  void offer(u16 head, u16 queue = 0) {
    ram_put<u16>(kAvailable + 4 + 2 * (available % kSize), head);
    ram_put<u16>(kAvailable + 2, ++available);
    put(QUEUE_SELECT, 2, queue);
    store(structure(2) + get(NOTIFY_OFF, 2) * notify_multiplier, 2, queue);
  }
  u16 used() { return ram_get<u16>(kUsed + 2); }
  void message(unsigned vector, u32 data) {
    store(kMsixTable + 16 * vector, 8, kDoorbell + kDoorbellRegister);
    store(kMsixTable + 16 * vector + 8, 8, data);
  }
  void enable_msix() { cfg(kDev, u16(capability(kDev, 0x11) + 2), 2, 0x8000); }
};

std::unique_ptr<VirtioDevice> rng() { return std::make_unique<VirtioRng>(u64{1}); }

TEST(VirtioPci, IdentityIsThatOfAModernDevice) {
  Driver d{rng()};
  EXPECT_EQ(d.cfg(kDev, VENDOR), 0x10441af4u);
  EXPECT_EQ(d.cfg(kDev, 8, 1), 1u);
  Driver blk{std::make_unique<VirtioBlk>(std::make_unique<MemoryDisk>())};
  EXPECT_EQ(blk.cfg(kDev, VENDOR), 0x10421af4u);
  EXPECT_EQ(blk.cfg(kDev, CLASS, 2), 0x0100u);
  Driver net{std::make_unique<VirtioNet>(std::make_unique<NullNet>())};
  EXPECT_EQ(net.cfg(kDev, VENDOR), 0x10411af4u);
  EXPECT_EQ(net.cfg(kDev, CLASS, 2), 0x0200u);
}

TEST(VirtioPci, CapabilitiesNameStructuresInsideTheBar) {
  Driver d{std::make_unique<VirtioBlk>(std::make_unique<MemoryDisk>())};
  d.cfg(kDev, COMMAND, 2, 0);
  d.cfg(kDev, BAR0 + 16, 4, ~0u);
  u32 size = ~(d.cfg(kDev, BAR0 + 16) & ~0xfu) + 1;
  for (u8 type : {1, 2, 3, 4}) {
    ASSERT_TRUE(d.structures.contains(type)) << int(type);
    EXPECT_EQ(d.structures[type].bar, 4);
    EXPECT_LE(d.structures[type].offset + d.structures[type].length, size);
  }
  EXPECT_TRUE(d.structures.contains(5));
  EXPECT_GE(d.structures[1].length, 56u);
  EXPECT_EQ(d.structures[1].offset % 4, 0u);
  EXPECT_TRUE(std::has_single_bit(d.notify_multiplier));
}

TEST(VirtioPci, ADeviceWithoutConfigurationHasNoStructureForIt) {
  Driver d{rng()};
  EXPECT_FALSE(d.structures.contains(4));
  EXPECT_TRUE(d.structures.contains(1));
}

TEST(VirtioPci, OffersTheModernInterfaceAndTheIommuWhenAsked) {
  EXPECT_EQ(Driver{rng()}.offered() >> 32, (kVersion1 | kRingReset) >> 32);
  EXPECT_EQ((Driver{rng(), {.vectors = 2, .access_platform = true}}.offered() >> 32),
            (kVersion1 | kRingReset | kAccessPlatform) >> 32);
  Driver d{rng()};
  d.put(DEVICE_FEATURE_SELECT, 4, 2);
  EXPECT_EQ(d.get(DEVICE_FEATURE, 4), 0u);
  EXPECT_FALSE(d.negotiate(0));  // without VERSION_1
}

TEST(VirtioPci, ARequestIsServedAndInterruptsByMessage) {
  Driver d{rng()};
  d.message(1, 0x77);
  d.enable_msix();
  d.start();
  d.put(QUEUE_VECTOR, 2, 1);
  EXPECT_EQ(d.get(QUEUE_VECTOR, 2), 1u);
  d.descriptor(0, Driver::kBuffer, 32, 2);
  d.offer(0);
  EXPECT_EQ(d.used(), 1);
  EXPECT_EQ(d.ram_get<u32>(Driver::kUsed + 8), 32u);
  EXPECT_NE(d.ram_get<u64>(Driver::kBuffer), 0u);
  ASSERT_EQ(d.doorbell.writes, 1);
  EXPECT_EQ(d.doorbell.last.value, 0x77u);
  EXPECT_EQ(d.doorbell.last.attrs.requester, u32{kDev});
  EXPECT_EQ(d.load(d.structure(3), 1), 0u);  // 4.1.4.5.1: not for queues with MSI-X
  EXPECT_FALSE(d.intx[1]);
}

TEST(VirtioPci, WithoutMsixTheIsrSaysWhyAndReadingItLowersTheLine) {
  for (unsigned vectors : {0u, 3u}) {
    Driver d{rng(), {.vectors = vectors}};
    EXPECT_EQ(d.capability(kDev, 0x11) != 0, vectors != 0);
    d.start();
    d.descriptor(0, Driver::kBuffer, 8, 2);
    d.offer(0);
    EXPECT_TRUE(d.intx[1]);
    EXPECT_TRUE(d.cfg(kDev, STATUS, 2) & 8);
    u64 value = 0;
    EXPECT_TRUE(d.system.load({d.structure(3)}, 1, value, MemTxAttrs::debugger()).is_ok());
    EXPECT_TRUE(d.intx[1]);  // a debugger acknowledges nothing
    EXPECT_EQ(d.load(d.structure(3), 1), 1u);
    EXPECT_FALSE(d.intx[1]);
    EXPECT_EQ(d.load(d.structure(3), 1), 0u);
  }
}

TEST(VirtioPci, ABrokenRingAsksForResetByConfigurationInterrupt) {
  Driver d{rng()};
  d.message(2, 0x99);
  d.enable_msix();
  d.start();
  d.put(CONFIG_VECTOR, 2, 2);
  d.descriptor(0, Driver::kBuffer, 8, 1, 0);  // a loop
  d.offer(0);
  EXPECT_EQ(d.get(DEVICE_STATUS, 1), 15u | 64u);
  EXPECT_EQ(d.doorbell.last.value, 0x99u);
  EXPECT_EQ(d.load(d.structure(3), 1), 2u);  // 4.1.4.5.1: set before the notification, also with MSI-X
}

TEST(VirtioPci, VectorsThatAreNotThereReadBackAsNone) {
  Driver d{rng()};
  for (u32 vector : {3u, 0x800u, 0xfffeu}) {
    d.put(CONFIG_VECTOR, 2, vector);
    EXPECT_EQ(d.get(CONFIG_VECTOR, 2), 0xffffu);
    d.put(QUEUE_SELECT, 2, 0);
    d.put(QUEUE_VECTOR, 2, vector);
    EXPECT_EQ(d.get(QUEUE_VECTOR, 2), 0xffffu);
  }
  d.put(CONFIG_VECTOR, 2, 2);
  EXPECT_EQ(d.get(CONFIG_VECTOR, 2), 2u);
  d.put(DEVICE_STATUS, 1, 0);
  EXPECT_EQ(d.get(CONFIG_VECTOR, 2), 0xffffu);
}

TEST(VirtioPci, QueuesThatAreNotThereHaveSizeZeroAndIgnoreWrites) {
  Driver d{rng()};
  EXPECT_EQ(d.get(NUM_QUEUES, 2), 1u);
  d.put(QUEUE_SELECT, 2, 1);
  EXPECT_EQ(d.get(QUEUE_SELECT, 2), 1u);
  EXPECT_EQ(d.get(QUEUE_SIZE, 2), 0u);
  for (u64 field : {QUEUE_SIZE, QUEUE_VECTOR, QUEUE_ENABLE, QUEUE_RESET}) d.put(field, 2, 1);
  d.put(QUEUE_DESC, 8, kRam);
  EXPECT_EQ(d.load(d.structure(1) + QUEUE_DESC, 8), 0u);
  EXPECT_EQ(d.get(QUEUE_ENABLE, 2), 0u);
  d.store(d.structure(2) + 0xffc, 4, 0);
}

TEST(VirtioPci, FieldsAreAccessedInTheirOwnWidth) {
  Driver d{rng()};
  EXPECT_EQ(d.get(DEVICE_STATUS, 2), 0u);
  d.put(DEVICE_STATUS, 4, 1);
  EXPECT_EQ(d.get(DEVICE_STATUS, 1), 0u);
  d.put(NUM_QUEUES, 2, 7);
  EXPECT_EQ(d.get(NUM_QUEUES, 2), 1u);
  for (u64 offset = 0x40; offset < 0x1000; offset += 4) ASSERT_EQ(d.get(offset, 4), 0u);
}

TEST(VirtioPci, ResetThroughTheStatusFieldForgetsQueuesAndInterrupts) {
  Driver d{rng()};
  d.start();
  d.descriptor(0, Driver::kBuffer, 8, 2);
  d.offer(0);
  EXPECT_TRUE(d.intx[1]);
  d.put(DEVICE_STATUS, 1, 0);
  EXPECT_EQ(d.get(DEVICE_STATUS, 1), 0u);
  EXPECT_EQ(d.get(QUEUE_ENABLE, 2), 0u);
  EXPECT_EQ(d.load(d.structure(1) + QUEUE_DESC, 8), 0u);
  EXPECT_FALSE(d.intx[1]);
  EXPECT_EQ(d.load(d.structure(3), 1), 0u);
}

TEST(VirtioPci, OneQueueCanBeReset) {
  Driver d{rng()};
  d.start(kVersion1 | kRingReset);
  EXPECT_EQ(d.get(QUEUE_ENABLE, 2), 1u);
  d.put(QUEUE_RESET, 2, 1);
  EXPECT_EQ(d.get(QUEUE_RESET, 2), 0u);
  EXPECT_EQ(d.get(QUEUE_ENABLE, 2), 0u);
  EXPECT_EQ(d.get(DEVICE_STATUS, 1), 15u);
}

TEST(VirtioPci, DeviceConfigurationIsReadAtEverySize) {
  Driver d{std::make_unique<VirtioBlk>(std::make_unique<MemoryDisk>())};
  EXPECT_EQ(d.load(d.structure(4), 8), 8u);  // capacity
  EXPECT_EQ(d.load(d.structure(4), 1), 8u);
  EXPECT_EQ(d.load(d.structure(4) + 2, 2), 0u);
  EXPECT_EQ(d.load(d.structure(4) + 0xff8, 8), 0u);
}

TEST(VirtioPci, ADiskIsRead) {
  Driver d{
      std::make_unique<VirtioBlk>(std::make_unique<MemoryDisk>(), VirtioBlkOptions{.synchronous = true})};
  d.start();
  d.ram_put<u64>(Driver::kBuffer, 0);      // VIRTIO_BLK_T_IN
  d.ram_put<u64>(Driver::kBuffer + 8, 1);  // sector
  d.ram_put<u8>(Driver::kBuffer + 0x800, 0xff);
  d.descriptor(0, Driver::kBuffer, 16, 1, 1);
  d.descriptor(1, Driver::kBuffer + 0x100, 512, 3, 2);
  d.descriptor(2, Driver::kBuffer + 0x800, 1, 2);
  d.offer(0);
  ASSERT_EQ(d.used(), 1);
  EXPECT_EQ(d.ram_get<u8>(Driver::kBuffer + 0x800), 0u);
  for (unsigned i = 0; i < 512; i++) ASSERT_EQ(d.ram_get<u8>(Driver::kBuffer + 0x100 + i), u8((512 + i) * 3));
}

TEST(VirtioPci, TheConfigurationAccessWindowReachesTheStructures) {
  Driver d{rng()};
  d.cfg(kDev, COMMAND, 2, MASTER);  // BARs are not decoded: firmware may be at that point
  u16 window = d.structures.at(5).capability;
  auto point = [&](u64 offset, u32 length) {
    d.cfg(kDev, u16(window + 4), 1, 4);
    d.cfg(kDev, u16(window + 8), 4, u32(offset));
    d.cfg(kDev, u16(window + 12), 4, length);
  };
  point(d.structures[1].offset + NUM_QUEUES, 2);
  EXPECT_EQ(d.cfg(kDev, u16(window + 16)), 1u);
  point(d.structures[1].offset + DEVICE_STATUS, 1);
  d.cfg(kDev, u16(window + 16), 4, 3);
  EXPECT_EQ(d.cfg(kDev, u16(window + 16)), 3u);
  for (auto [offset, length] :
       {std::pair{u64{0x4000}, 4u}, {0x3fff, 4u}, {0xfffffffc, 4u}, {0, 0u}, {0, 3u}, {0, 8u}, {2, 4u}}) {
    point(offset, length);
    d.cfg(kDev, u16(window + 16), 4, ~0u);
    EXPECT_EQ(d.cfg(kDev, u16(window + 16)), 0u);
  }
  d.cfg(kDev, u16(window + 4), 1, 1);
  EXPECT_EQ(d.cfg(kDev, u16(window + 16)), 0u);
}

TEST(VirtioPci, WithAccessPlatformEveryTransactionPassesTheIommu) {
  Driver d{rng(), {.vectors = 3, .access_platform = true}, true};
  auto index = test::TestIommu::index_of(PaSpace::NonSecure, kDev);
  d.iommu->map(index, {{0, kRamSize - 1}, kRam, Access::ReadWrite, &d.system});
  d.start(kVersion1 | kAccessPlatform, kRam);
  d.descriptor(0, Driver::kBuffer - kRam, 16, 2);
  d.offer(0);
  EXPECT_EQ(d.used(), 1);
  EXPECT_EQ(d.iommu->refusals, 0);
  d.descriptor(1, Driver::kBuffer, 16, 2);  // a physical address: not mapped
  d.offer(1);
  EXPECT_EQ(d.iommu->refusals, 1);
  EXPECT_EQ(d.iommu->last_refused->attrs.requester, u32{kDev});
  EXPECT_TRUE(d.get(DEVICE_STATUS, 1) & 64);
}

TEST(VirtioPci, ADriverThatRefusesAccessPlatformIsRefused) {
  Driver d{rng(), {.vectors = 3, .access_platform = true}, true};
  EXPECT_FALSE(d.negotiate(kVersion1));
}

TEST(VirtioPci, WithoutAccessPlatformDataBypassesTheIommuAndMessagesDoNot) {
  Driver d{rng(), {.vectors = 3}, true};
  d.message(0, 0x31);
  d.enable_msix();
  d.start();
  d.put(QUEUE_VECTOR, 2, 0);
  d.descriptor(0, Driver::kBuffer, 16, 2);
  d.offer(0);
  EXPECT_EQ(d.used(), 1);
  EXPECT_EQ(d.iommu->refusals, 1);
  EXPECT_EQ(d.iommu->last_refused->input, kDoorbell + kDoorbellRegister);
  EXPECT_EQ(d.doorbell.writes, 0);
  d.iommu->map(test::TestIommu::index_of(PaSpace::NonSecure, kDev),
               {{kDoorbell, kDoorbell + 0xfff}, kDoorbell, Access::Write, &d.system});
  d.descriptor(1, Driver::kBuffer, 16, 2);
  d.offer(1);
  EXPECT_EQ(d.doorbell.last.value, 0x31u);
}

TEST(VirtioPci, WithoutBusMasterEnableTheQueueIsNotTouched) {
  Driver d{rng()};
  d.start();
  d.cfg(kDev, COMMAND, 2, MEMORY);
  d.descriptor(0, Driver::kBuffer, 16, 2);
  d.offer(0);
  EXPECT_EQ(d.used(), 0);
  EXPECT_EQ(d.ram_get<u64>(Driver::kBuffer), 0u);
}

TEST(VirtioPci, FunctionLevelResetResetsTheDevice) {
  Driver d{rng()};
  d.start();
  d.cfg(kDev, u16(d.capability(kDev, 0x10) + 8), 2, 0x8000);
  EXPECT_EQ(d.cfg(kDev, COMMAND, 2), 0u);
  d.enable(kDev, 4, kBar4);
  EXPECT_EQ(d.get(DEVICE_STATUS, 1), 0u);
  EXPECT_EQ(d.get(QUEUE_ENABLE, 2), 0u);
}

}  // namespace
}  // namespace sluice::pci_test
