// tests/unit/pci_rig.h: a PCI Express host bridge, RAM, a doorbell for messages, and a driver's way to
// configuration space and BARs, written from the specification and sharing nothing with the devices' code.
#pragma once
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "devices/pci/edu.h"
#include "devices/pci/host.h"
#include "devices/pci/iommu_testdev.h"
#include "tests/support/memory_world.h"

namespace sluice::pci_test {

inline constexpr u64 kRam = 0x40000000, kRamSize = 1 << 20;
inline constexpr u64 kEcam = 0x3f000000, kIo = 0x3eff0000;
inline constexpr u64 kWindow = 0x10000000, kWindowSize = 0x2eff0000;
inline constexpr u64 kHighWindow = 0x8000000000, kHighWindowSize = u64{512} << 30;
inline constexpr u64 kDoorbell = 0x08020000;
inline constexpr u32 kDoorbellRegister = 0x40;
inline constexpr MemTxAttrs kPe = MemTxAttrs::pe(0, PaSpace::NonSecure, true);

// Registers of configuration space, PCI Express Base Specification 5.0, 7.5.1.
enum Config : u16 {
  VENDOR = 0x00,
  DEVICE = 0x02,
  COMMAND = 0x04,
  STATUS = 0x06,
  CLASS = 0x0a,
  HEADER = 0x0e,
  BAR0 = 0x10,
  CAP = 0x34,
  LINE = 0x3c,
  PIN = 0x3d
};
enum Command : u16 { MEMORY = 2, MASTER = 4, INTX_DISABLE = 0x400 };

struct World {
  InvalidationHub hub;
  Topology topology{hub};
  Clock clock{Clock::Mode::Icount};
  std::shared_ptr<GuestRam> ram = test::make_ram(kRamSize);
  std::shared_ptr<Container> root = std::make_shared<Container>("system", kWholeSpace);
  std::shared_ptr<Container> dma_root = std::make_shared<Container>("dma", kWholeSpace);
  AddressSpace system{topology, "system", root};
  AddressSpace dma{topology, "dma", dma_root};
  test::TestDevice doorbell;
  std::array<bool, 4> intx{};
  PciHost host{topology, lines(), 16, 256};
  std::shared_ptr<test::TestIommu> iommu;

  // `with_iommu`: what functions see as memory is behind a TestIommu that maps nothing yet.
  explicit World(bool with_iommu = false) {
    Topology::Transaction t{topology};
    t.add(*root, kRam, std::make_shared<RamRegion>("ram", ram));
    t.add(*root, kEcam, host.ecam());
    t.add(*root, kIo, host.io());
    t.add(*root, kWindow, std::make_shared<AliasRegion>("low", host.memory(), kWindow, kWindowSize));
    t.add(*root, kHighWindow,
          std::make_shared<AliasRegion>("high", host.memory(), kHighWindow, kHighWindowSize));
    t.add(*root, kDoorbell, std::make_shared<MmioRegion>("doorbell", 0x1000, doorbell, nullptr));
    if (with_iommu) {
      iommu = std::make_shared<test::TestIommu>(hub);
      t.add(*dma_root, 0, iommu);
    } else {
      t.add(*dma_root, 0, std::make_shared<AliasRegion>("all", root, 0, kWholeSpace));
    }
  }

  template <class F, class... Args>
  F& add(u8 devfn, Args&&... args) {
    auto function = std::make_unique<F>(host.wiring(devfn, &dma, &dma), std::forward<Args>(args)...);
    F& reference = *function;
    host.add(std::move(function));
    return reference;
  }

  u64 load(u64 address, unsigned size) {
    u64 value = 0;
    EXPECT_TRUE(system.load({address}, size, value, kPe).is_ok()) << std::hex << address;
    return value;
  }
  void store(u64 address, unsigned size, u64 value) {
    EXPECT_TRUE(system.store({address}, size, value, kPe).is_ok()) << std::hex << address;
  }
  static u64 ecam(u8 devfn, u16 offset) { return kEcam + devfn * 4096u + offset; }
  u32 cfg(u8 devfn, u16 offset, unsigned size = 4) { return u32(load(ecam(devfn, offset), size)); }
  void cfg(u8 devfn, u16 offset, unsigned size, u32 value) { store(ecam(devfn, offset), size, value); }
  // 7.5.3.1 and PCI 3.0, 6.7: the capability with this ID, or 0.
  u16 capability(u8 devfn, u8 id, u16 after = 0) {
    u16 at = u16(cfg(devfn, after ? u16(after + 1) : u16(CAP), 1));
    for (unsigned budget = 48; at && budget; budget--) {
      if (cfg(devfn, at, 1) == id) return at;
      at = u16(cfg(devfn, u16(at + 1), 1));
    }
    return 0;
  }
  // Places a BAR and turns decoding and mastering on; returns the address.
  u64 enable(u8 devfn, unsigned bar, u64 address, u16 command = MEMORY | MASTER) {
    u16 at = u16(BAR0 + 4 * bar);
    cfg(devfn, at, 4, u32(address));
    if (address >> 32) cfg(devfn, u16(at + 4), 4, u32(address >> 32));
    cfg(devfn, COMMAND, 2, command);
    return address;
  }
  template <class T>
  T ram_get(u64 address) {
    T value;
    std::memcpy(&value, ram->host() + (address - kRam), sizeof value);
    return value;
  }
  template <class T>
  void ram_put(u64 address, T value) {
    std::memcpy(ram->host() + (address - kRam), &value, sizeof value);
  }
  void run_for(u64 ns) {
    clock.advance_to(clock.now_ns() + ns);
    clock.run_expired();
  }

 private:
  std::array<IrqLine, 4> lines() {
    std::array<IrqLine, 4> all;
    for (unsigned n = 0; n < 4; n++) all[n] = IrqLine{[this, n](bool level) { intx[n] = level; }};
    return all;
  }
};

// A function whose insides a test drives: BAR 0 of 4 KiB, BAR 2 of 64 KiB above 4 GiB, MSI-X in BAR 1.
class Probe final : public PciFunction {
 public:
  explicit Probe(PciWiring wiring, unsigned vectors = 4)
      : PciFunction("probe", {.vendor = 0x1234, .device = 0x5678, .revision = 3, .class_code = 0xff0000},
                    std::move(wiring)) {
    add_pci_express();
    add_bar(0, BarKind::Memory32, 0x1000, registers);
    add_bar(2, BarKind::Memory64Prefetchable, 0x10000, wide_registers);
    if (vectors) add_msix(vectors, 1);
  }
  using PciFunction::dma_port;
  using PciFunction::set_intx;
  void event(unsigned vector) {
    std::lock_guard guard{lock()};
    msix()->notify(vector);
  }
  void level(bool high) {
    std::lock_guard guard{lock()};
    set_intx(high);
  }
  test::TestDevice registers, wide_registers;
  int resets = 0;

 private:
  void reset_device() override { resets++; }
};

}  // namespace sluice::pci_test
