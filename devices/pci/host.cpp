// devices/pci/host.cpp: see host.h.
#include "devices/pci/host.h"

#include <cassert>

#include "base/bits.h"
#include "memory/address_space.h"

namespace sluice {
namespace {

constexpr u64 kFunctionSize = ConfigSpace::kSize;

// 00:00.0. The identity is the one that software for the `virt` machine knows.
class HostBridge final : public PciFunction {
 public:
  explicit HostBridge(PciWiring wiring)
      : PciFunction("host bridge",
                    {.vendor = pci::kVendorRedHat,
                     .device = 0x0008,
                     .revision = 0,
                     .class_code = 0x060000,
                     .interrupt_pin = false},
                    std::move(wiring)) {}

 private:
  void reset_device() override {}
};

}  // namespace

// Where no function decodes the address.
class PciHost::AllOnes final : public MmioDevice {
 public:
  AccessRules access_rules() const override {
    return {.valid_unaligned = true, .impl_min = 1, .impl_max = 8, .impl_unaligned = true};
  }
  MemTxResult read(u64, unsigned size, u64& value, MemTxAttrs) override {
    value = ones(size * 8);
    return MemTxResult::ok();
  }
  MemTxResult write(u64, unsigned, u64, MemTxAttrs) override { return MemTxResult::ok(); }
};

PciHost::PciHost(Topology& topology, std::array<IrqLine, kIntxLines> intx, unsigned buses,
                 u16 first_initiator)
    : topology_(topology),
      first_initiator_(first_initiator),
      intx_(std::move(intx)),
      all_ones_(std::make_unique<AllOnes>()),
      ecam_(std::make_shared<Container>("pcie-ecam", buses * kEcamPerBus)),
      memory_(std::make_shared<Container>("pcie-memory", kWholeSpace)),
      io_(std::make_shared<MmioRegion>("pcie-io", kIoSize, *all_ones_, nullptr)) {
  constexpr int kBehindAll = -1;
  {
    Topology::Transaction t{topology_};
    t.add(*ecam_, 0, std::make_shared<MmioRegion>("pcie-ecam-empty", ecam_->size(), *all_ones_, nullptr),
          kBehindAll);
    t.add(*memory_, 0, std::make_shared<MmioRegion>("pcie-memory-empty", kWholeSpace, *all_ones_, nullptr),
          kBehindAll);
  }
  add(std::make_unique<HostBridge>(wiring(0, nullptr, nullptr)));
}

PciHost::~PciHost() = default;

PciWiring PciHost::wiring(u8 devfn, const AddressSpace* dma, const AddressSpace* messages) {
  PciWiring w;
  w.topology = &topology_;
  w.memory = memory_;
  w.dma = dma;
  w.messages = messages;
  // Bus 0 is the only one: the requester ID is the device and function number.
  w.attrs = MemTxAttrs::device(u16(first_initiator_ + devfn), devfn);
  w.intx = IrqLine{[this, devfn](bool level) { drive(devfn, level); }};
  return w;
}

void PciHost::add(std::unique_ptr<PciFunction> function) {
  u8 devfn = function->devfn();
  assert(is_free(devfn));
  Topology::Transaction{topology_}.add(*ecam_, devfn * kFunctionSize, function->config_region());
  functions_[devfn] = std::move(function);
  u8 first = pci::make_devfn(pci::device_of(devfn), 0);
  bool others = false;
  for (u8 n = 1; n < 8; n++) others |= !is_free(u8(first + n));
  if (others && !is_free(first)) functions_[first]->set_multi_function();
}

// PCI-to-PCI Bridge Architecture Specification 1.2, 9.1: pin INTA..INTD of device d is line (d + pin) mod 4.
// All functions here use INTA. A line is high while any of its functions asks.
void PciHost::drive(u8 devfn, bool level) {
  unsigned line = pci::device_of(devfn) % kIntxLines;
  std::lock_guard lock{intx_mutex_};
  auto& asserted = asserted_[line];
  asserted[devfn / 64] = deposit(asserted[devfn / 64], devfn % 64, 1, level);
  intx_[line]((asserted[0] | asserted[1] | asserted[2] | asserted[3]) != 0);
}

void PciHost::reset() {
  for (auto& [devfn, function] : functions_) {
    std::lock_guard lock{function->lock()};
    function->reset();
  }
}

std::string PciHost::describe() {
  std::string text;
  for (auto& [devfn, function] : functions_) text += function->describe();
  return text;
}

}  // namespace sluice
