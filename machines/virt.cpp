// machines/virt.cpp: see virt.h.
#include "machines/virt.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "cpu/a64/decoder.h"
#include "devices/virtio/virtio_pci.h"
#include "machines/config_error.h"

namespace sluice {
namespace {

using Trigger = InterruptInput::Trigger;

constexpr GuestPhysAddr kGicDistributor{0x08000000}, kGicCpuInterface{0x08010000}, kGicV2m{0x08020000},
    kGicIts{0x08080000}, kGicRedistributors{0x080a0000};
constexpr GuestPhysAddr kUart{0x09000000}, kRtc{0x09010000}, kFwCfg{0x09020000}, kGpio{0x09030000},
    kSecureUart{0x09040000};
constexpr PhysRange kSecureRam{{0x0e000000}, u64{16} << 20};
constexpr GuestPhysAddr kVirtioMmio{0x0a000000};
constexpr PhysRange kPcieMemory{{0x10000000}, 0x2eff0000}, kPcieIo{{0x3eff0000}, 0x10000},
    kPcieLowEcam{{0x3f000000}, 0x01000000};
constexpr GuestPhysAddr kRam{0x40000000};
constexpr u64 kMostLowRam = u64{3} << 30;
// Behind 255 GiB of RAM, the most that there can be, so that these never move.
constexpr PhysRange kPcieHighEcam{{0x40'10000000}, 0x10000000},
    kPcieHighMemory{{0x80'00000000}, u64{512} << 30};
// What the device tree says: the room in the map, not the size of what is there.
constexpr u64 kGicWindow = 0x10000, kRedistributorWindow = 0xf60000, kPrimecellWindow = 0x1000;

constexpr u32 kUartSpi = 1, kRtcSpi = 2, kPcieSpi = 3, kGpioSpi = 7, kSecureUartSpi = 8, kVirtioSpi = 16,
              kV2mSpi = 48;
constexpr u32 kV2mSpis = 64;
constexpr u32 kPmuPpi = 7, kPpiBase = 16, kSpiBase = 32;  // PPI n is INTID 16 + n
constexpr unsigned kSpis = 256;

// Numbers of the initiators on the bus: virtio-mmio slots and PCI functions follow theirs.
constexpr u16 kFwCfgInitiator = 1, kGicInitiator = 2, kVirtioInitiator = 16, kGateInitiator = 64,
              kPciInitiator = 256;

// EL3 is the machine's choice, whatever the model.
VirtConfig with_el3(VirtConfig config) {
  if (config.secure) config.model.features = config.model.features.with({cpu::Feature::EL3});
  return config;
}

// A serial line that nobody has plugged in.
class NoSerial final : public ByteStream {
 public:
  void transmit(std::span<const u8>) override {}
  void on_receive(Receiver) override {}
  void resume() override {}
};

}  // namespace

Virt::Virt(VirtConfig config, Clock& clock, ByteStream& serial)
    : config_(with_el3(std::move(config))), clock_(clock) {
  if (!config_.highmem && config_.ram_size > kMostLowRam)
    throw ConfigError::usage("highmem=off leaves room for 3 GiB of RAM");
  Topology::Transaction wiring{topology_};
  system_ = std::make_unique<AddressSpace>(topology_, "memory", memory_);
  add_gic();
  add_uart(serial);
  add_rtc();
  add_fw_cfg();
  add_gpio();
  add_flash();
  add_virtio_slots();
  add_gates();
  add_ram();
  add_pcie();
  add_secure_parts();
  wiring.commit();
  add_pes();
}

// The PEs stop before anything that they use goes.
Virt::~Virt() { pes_->stop(); }

void Virt::place(GuestPhysAddr address, std::shared_ptr<Region> region) {
  Topology::Transaction{topology_}.add(*memory_, address.value, std::move(region));
}

void Virt::record(Part part, PhysRange window, u32 spi, Trigger trigger) {
  record_.parts.push_back({part, window, {InterruptInput::Kind::Spi, spi, trigger}});
}

u64 Virt::affinity(unsigned pe) const {
  // A cluster is as large as one SGI target list: 16 PEs with a GICv3, 8 with a GICv2.
  unsigned cluster = config_.gic_version == 2 ? 8 : 16;
  return u64{pe / cluster} << 8 | pe % cluster;
}

void Virt::add_gic() {
  PlacedGic& gic = record_.gic;
  gic.version = config_.gic_version;
  gic.distributor = {kGicDistributor, kGicWindow};
  if (config_.gic_version == 2) {
    gicv2_ =
        std::make_unique<Gicv2>(Gicv2::Config{.pes = config_.pes, .spis = kSpis, .security = config_.secure});
    gic_ = gicv2_.get();
    gic.cpu_interface = PhysRange{kGicCpuInterface, kGicWindow};
    place(kGicDistributor,
          std::make_shared<MmioRegion>("gic_dist", Gicv2::kDistributorSize, gic_->distributor(), nullptr));
    place(kGicCpuInterface, std::make_shared<MmioRegion>("gic_cpu", Gicv2::kCpuInterfaceSize,
                                                         gicv2_->cpu_interface(), nullptr));
    add_v2m();
    return;
  }
  Gicv3::Config wanted{.pes = config_.pes, .affinities = {}, .spis = kSpis, .security = config_.secure};
  for (unsigned pe = 0; pe < config_.pes; pe++) wanted.affinities.push_back(affinity(pe));
  if (config_.its) wanted.lpi_memory = DmaPort{*system_, MemTxAttrs::device(kGicInitiator, 0)};
  gicv3_ = std::make_unique<Gicv3>(wanted);
  gic_ = gicv3_.get();
  gic.redistributors.push_back({kGicRedistributors, kRedistributorWindow});
  place(kGicDistributor,
        std::make_shared<MmioRegion>("gicv3_dist", Gicv3::kDistributorSize, gic_->distributor(), nullptr));
  place(kGicRedistributors,
        std::make_shared<MmioRegion>("gicv3_redist", config_.pes * Gicv3::kRedistributorStride,
                                     gicv3_->redistributors(), nullptr));
  if (config_.its) add_its();
}

void Virt::add_v2m() {
  std::vector<IrqLine> spis;
  for (u32 n = 0; n < kV2mSpis; n++) spis.push_back(gic_->spi(kV2mSpi + n));
  v2m_ = std::make_unique<Gicv2m>(kSpiBase + kV2mSpi, std::move(spis));
  place(kGicV2m, std::make_shared<MmioRegion>("gicv2m", Gicv2m::kRegionSize, *v2m_, nullptr));
  record_.gic.v2m_frame = PhysRange{kGicV2m, Gicv2m::kRegionSize};
}

void Virt::add_its() {
  its_ = std::make_unique<Gicv3Its>(*gicv3_, DmaPort{*system_, MemTxAttrs::device(kGicInitiator, 0)}, clock_);
  place(kGicIts, std::make_shared<MmioRegion>("gicv3_its", Gicv3Its::kSize, *its_, &its_->lock()));
  record_.gic.its = PhysRange{kGicIts, Gicv3Its::kSize};
}

SysregPort* Virt::gic_cpu_interface(unsigned pe) { return gicv3_ ? &gicv3_->cpu_interface(pe) : nullptr; }

void Virt::add_uart(ByteStream& serial) {
  uart_ = std::make_unique<Pl011>(gic_->spi(kUartSpi), serial);
  place(kUart, std::make_shared<MmioRegion>("pl011", kPrimecellWindow, *uart_, nullptr));
  record(Part::Pl011, {kUart, kPrimecellWindow}, kUartSpi, Trigger::LevelHigh);
}

void Virt::add_rtc() {
  rtc_ = std::make_unique<Pl031>(clock_, config_.rtc_start, gic_->spi(kRtcSpi));
  place(kRtc, std::make_shared<MmioRegion>("pl031", kPrimecellWindow, *rtc_, nullptr));
  record(Part::Pl031, {kRtc, kPrimecellWindow}, kRtcSpi, Trigger::LevelHigh);
}

void Virt::add_fw_cfg() {
  fw_cfg_ = std::make_unique<FwCfg>(DmaPort{*system_, MemTxAttrs::device(kFwCfgInitiator, 0)});
  fw_cfg_->add_item_u16(FwCfg::kNbCpus, u16(config_.pes));
  fw_cfg_->add_item_u16(FwCfg::kMaxCpus, u16(config_.pes));
  fw_cfg_->add_item_u64(FwCfg::kRamSize, config_.ram_size);
  fw_cfg_->add_item_u16(FwCfg::kNoGraphic, 1);
  fw_cfg_->add_item_u16(FwCfg::kBootMenu, 0);
  place(kFwCfg, std::make_shared<MmioRegion>("fwcfg", FwCfg::kRegionSize, *fw_cfg_, &fw_cfg_->lock()));
  record(Part::FwCfg, {kFwCfg, FwCfg::kRegionSize}, 0, Trigger::LevelHigh);
}

void Virt::add_gpio() {
  gpio_ = std::make_unique<Pl061>(gic_->spi(kGpioSpi));
  place(kGpio, std::make_shared<MmioRegion>("pl061", kPrimecellWindow, *gpio_, nullptr));
  record(Part::Pl061, {kGpio, kPrimecellWindow}, kGpioSpi, Trigger::LevelHigh);
  record_.power_button_line = kPowerButtonLine;
  power_button_release_ =
      std::make_unique<Clock::Timer>(clock_, [this] { gpio_->set_line(kPowerButtonLine, false); });
}

void Virt::add_virtio_slots() {
  for (unsigned n = 0; n < kVirtioSlots; n++) {
    GuestPhysAddr address = kVirtioMmio + n * VirtioMmio::kRegionSize;
    DmaPort dma{*system_, MemTxAttrs::device(u16(kVirtioInitiator + n), 0)};
    virtio_[n] = std::make_unique<VirtioMmio>(
        dma, gic_->spi(kVirtioSpi + n), clock_,
        VirtioMmioOptions{.force_legacy = config_.virtio_mmio_legacy, .access_platform = false});
    place(address, std::make_shared<MmioRegion>("virtio-mmio", VirtioMmio::kRegionSize, *virtio_[n],
                                                &virtio_[n]->lock()));
    // The line is a level, but the tree has said "edge" from the beginning, and drivers expect it.
    record(Part::VirtioMmio, {address, VirtioMmio::kRegionSize}, kVirtioSpi + n, Trigger::EdgeRising);
  }
}

void Virt::add_pcie() {
  PhysRange ecam = config_.highmem ? kPcieHighEcam : kPcieLowEcam;
  u32 buses = u32(ecam.size / PciHost::kEcamPerBus);
  std::array<IrqLine, PciHost::kIntxLines> intx;
  for (u32 n = 0; n < intx.size(); n++) intx[n] = gic_->spi(kPcieSpi + n);
  pci_ = std::make_unique<PciHost>(topology_, std::move(intx), buses, kPciInitiator);
  auto window = [this](const char* name, PhysRange at) {
    place(at.first, std::make_shared<AliasRegion>(name, pci_->memory(), at.first.value, at.size));
  };
  place(ecam.first, pci_->ecam());
  place(kPcieIo.first, pci_->io());
  window("pcie-mmio", kPcieMemory);
  if (config_.highmem) window("pcie-mmio-high", kPcieHighMemory);
  PlacedPcie placed{ecam, kPcieMemory, {}, kPcieIo, buses, kPcieSpi};
  if (config_.highmem) placed.high_memory = kPcieHighMemory;
  record_.pcie = placed;
}

void Virt::add_gates() {
  const PlacedGic& gic = record_.gic;
  PhysRange msi = gic.v2m_frame.value_or(PhysRange{});
  if (gic.its) msi = {gic.its->first + gic.its->size / 2, gic.its->size / 2};  // the translation frame
  gates_ = std::make_unique<Gates>(
      Gates::Board{.topology = topology_,
                   .clock = clock_,
                   .system = *system_,
                   .ram = {kRam, config_.ram_size},
                   .place = [this](GuestPhysAddr at, std::shared_ptr<Region> r) { place(at, std::move(r)); },
                   .spi = [this](u32 n) { return gic_->spi(n); },
                   .send_event = [this] { pes_->send_event_to_all(); },
                   .msi_frame = msi,
                   .first_initiator = kGateInitiator},
      config_.gates);
  auto path_to_memory = [&](const char* name, GatePath path) {
    auto memory = std::make_shared<AliasRegion>(name, memory_, 0, kWholeSpace);
    return std::make_unique<AddressSpace>(topology_, name, gates_->in_front_of(std::move(memory), path));
  };
  dma_space_ = path_to_memory("pci-dma", GatePath::Dma);
  containers_ = std::make_unique<HostContainers>(topology_, *gates_);
  if (config_.gates.pe.empty()) return;
  pe_space_ = path_to_memory("pe", GatePath::Pe);
  for (unsigned pe = 0; pe < config_.pes; pe++) gates_->add_master(GatePath::Pe, pe);
}

void Virt::finish_wiring() {
  gates_->freeze();
  for (const Gates::Gate& gate : gates_->all()) record_.gates.push_back(gate.placed);
}

void Virt::plug_iommu(std::optional<u8> devfn) {
  if (!gates_->has_pci_iommu()) return;
  PciWiring wiring = pci_wiring(PciDma::Bypasses, devfn);
  auto device = gates_->take_pci_iommu(wiring.devfn());
  plug(std::make_unique<VirtioPci>(std::move(wiring), clock_, std::move(device),
                                   VirtioPciOptions{.vectors = 3}));
}

u8 Virt::free_devfn(std::optional<u8> devfn) const {
  if (devfn && !pci_->is_free(*devfn)) {
    char place[8];
    std::snprintf(place, sizeof place, "%02x.%x", pci::device_of(*devfn), pci::function_of(*devfn));
    throw ConfigError::usage(std::string{"pcie.0: "} + place + " is taken");
  }
  for (unsigned device = 1; device < 32 && !devfn; device++)
    if (u8 first = pci::make_devfn(device, 0); pci_->is_free(first)) devfn = first;
  if (!devfn) throw ConfigError::usage("pcie.0: all devices of bus 0 are taken");
  return *devfn;
}

PciWiring Virt::pci_wiring(PciDma dma, std::optional<u8> asked) {
  const u8 devfn = free_devfn(asked);
  if (dma != PciDma::Bypasses) gates_->add_master(GatePath::Dma, devfn);
  return pci_->wiring(devfn, dma == PciDma::Translated ? dma_space_.get() : system_.get(),
                      dma == PciDma::Bypasses ? system_.get() : dma_space_.get());
}

// Its messages are the guest's: the host's IOMMU has no part in them.
PciWiring Virt::pci_wiring_behind(const std::string& container, std::optional<u8> asked) {
  const u8 devfn = free_devfn(asked);
  return pci_->wiring(devfn, &containers_->attach(container, devfn), dma_space_.get());
}

void Virt::add_ram() {
  auto ram = GuestRam::create("mach-virt.ram", config_.ram_size);
  if (!ram)
    throw ConfigError::usage("cannot have " + std::to_string(config_.ram_size >> 20) +
                             " MiB of RAM: " + ram.error());
  ram_ = *ram;
  place(kRam, gates_->guard_ram(std::make_shared<RamRegion>("mach-virt.ram", ram_)));
  record_.ram = {kRam, config_.ram_size};
}

void Virt::add_secure_parts() {
  if (!config_.secure) return;
  auto ram = GuestRam::create("mach-virt.secure-ram", kSecureRam.size);
  if (!ram) throw ConfigError::usage("cannot have Secure RAM: " + ram.error());
  secure_ram_ = *ram;
  if (!config_.secure_serial) no_serial_ = std::make_unique<NoSerial>();
  secure_uart_ = std::make_unique<Pl011>(gic_->spi(kSecureUartSpi),
                                         config_.secure_serial ? *config_.secure_serial : *no_serial_);
  auto in_front_of = [&](const std::string& name, const std::shared_ptr<Region>& everybody) {
    auto root = std::make_shared<Container>(name, kWholeSpace);
    Topology::Transaction wiring{topology_};
    wiring.add(*root, 0, std::make_shared<AliasRegion>(name + "-others", everybody, 0, kWholeSpace), -1);
    wiring.add(*root, record_.flash[0].window.first.value, flash_[0]->region());
    wiring.add(*root, kSecureRam.first.value,
               std::make_shared<RamRegion>("mach-virt.secure-ram", secure_ram_));
    wiring.add(*root, kSecureUart.value,
               std::make_shared<MmioRegion>("secure-pl011", kPrimecellWindow, *secure_uart_, nullptr));
    return std::make_unique<AddressSpace>(topology_, name, std::move(root));
  };
  secure_ = in_front_of("secure-memory", memory_);
  if (pe_space_) pe_secure_ = in_front_of("secure-pe", pe_space_->root());
  record_.secure_ram = kSecureRam;
  record(Part::Pl011, {kSecureUart, kPrimecellWindow}, kSecureUartSpi, Trigger::LevelHigh);
  record_.parts.back().secure_only = true;
}

void Virt::add_pes() {
  pes_ = std::make_unique<cpu::PeGroup>(hub_, clock_, config_.group);
  pes_->on_power_up([this](unsigned pe) { gic_->reset_cpu_interface(pe); });
  auto decoder = std::make_shared<const cpu::a64::Decoder>(config_.model.features);
  for (unsigned n = 0; n < config_.pes; n++) {
    cpu::PeWiring wiring;
    wiring.model = config_.model;
    wiring.index = n;
    wiring.affinity = affinity(n);
    wiring.clock = &clock_;
    wiring.hub = &hub_;
    wiring.memory = &pe_space(PaSpace::NonSecure);
    wiring.secure_memory = secure_ ? &pe_space(PaSpace::Secure) : nullptr;
    wiring.gic = gic_cpu_interface(n);
    wiring.semihosting = config_.semihosting;
    wiring.psci = cpu::PsciConduit::Hvc;
    wiring.direct_tlb = config_.direct_tlb;
    wiring.decoder = decoder;
    wiring.virtual_timer = gic_->ppi(n, kPpiBase + record_.timer.virtual_);
    wiring.physical_timer = gic_->ppi(n, kPpiBase + record_.timer.physical);
    wiring.secure_timer = gic_->ppi(n, kPpiBase + record_.timer.secure_physical);
    wiring.pmu_overflow = gic_->ppi(n, kPpiBase + kPmuPpi);
    cpu::Pe& pe = pes_->add(std::make_unique<cpu::Pe>(wiring), {});
    gic_->connect(n, pe.irq_line(), pe.fiq_line());
    record_.pes.push_back({std::string{config_.model.dt_compatible}, affinity(n)});
  }
  record_.psci = cpu::PsciConduit::Hvc;
  if (config_.model.pmu_version != 0) record_.pmu_ppi = kPmuPpi;
}

void Virt::plug(std::unique_ptr<VirtioDevice> device, std::optional<unsigned> slot) {
  if (slot && *slot >= kVirtioSlots)
    throw ConfigError::usage("virtio-mmio-bus." + std::to_string(*slot) + ": there are slots 0 to 31");
  if (slot && virtio_[*slot]->device())
    throw ConfigError::usage("virtio-mmio-bus." + std::to_string(*slot) + ": the slot is taken");
  for (unsigned n = kVirtioSlots; n-- > 0 && !slot;)
    if (!virtio_[n]->device()) slot = n;
  if (!slot) throw ConfigError::usage("all 32 virtio-mmio slots are taken");
  virtio_[*slot]->plug(std::move(device));
}

std::pair<GuestRam*, u64> Virt::memory_at(GuestPhysAddr address) {
  if (address >= kRam) return {ram_.get(), address - kRam};
  if (secure_ram_ && address >= kSecureRam.first) return {secure_ram_.get(), address - kSecureRam.first};
  const size_t bank = address.value / CfiFlash::kSize;
  return {&flash_[bank]->memory(), address.value % CfiFlash::kSize};
}

void Virt::load(const std::vector<LoadSegment>& segments) {
  for (const LoadSegment& s : segments) {
    auto [memory, offset] = memory_at(s.address);
    GuestRam& ram = *memory;
    u8* at = ram.host() + offset;
    if (!s.bytes.copy_to(at))
      std::fprintf(stderr, "sluice: warning: %s: its file has become shorter\n", s.what.c_str());
    std::memset(at + s.bytes.size(), 0, s.size - s.bytes.size());
    ram.note_write(offset, s.size);
  }
}

void Virt::start_as_firmware(bool yes) {
  firmware_ = yes && config_.secure;
  record_.psci = firmware_ ? cpu::PsciConduit::None : cpu::PsciConduit::Hvc;
  for (unsigned n = 0; n < config_.pes; n++) pes_->pe(n).set_psci_conduit(record_.psci);
  gic_->reset_for_non_secure(!firmware_);
  gic_->reset();
  CompletionScope completion;
  gates_->reset(firmware_);
}

void Virt::set_boot(const BootInfo& boot) {
  cpu::BootState state{.powered = true, .pc = boot.entry.value, .el = u8(firmware_ ? 3 : 1)};
  std::copy(std::begin(boot.x), std::end(boot.x), std::begin(state.x));
  for (unsigned n = 0; n < (firmware_ ? config_.pes : 1); n++) pes_->set_boot(n, state);
}

void Virt::set_start(unsigned pe, GuestPhysAddr entry) {
  const bool on = firmware_ || pe == 0;
  pes_->set_boot(pe, {.powered = on, .pc = entry.value, .el = u8(firmware_ ? 3 : 1)});
}

// Masters first, so that nothing is in flight when the rest forgets its state.
void Virt::reset_devices() {
  CompletionScope completion;
  pci_->reset();
  for (auto& slot : virtio_) {
    std::lock_guard lock{slot->lock()};
    slot->reset();
  }
  {
    std::lock_guard lock{fw_cfg_->lock()};
    fw_cfg_->reset();
  }
  for (auto& bank : flash_) {
    std::lock_guard lock{bank->lock()};
    bank->reset();
  }
  gates_->reset(firmware_);
  gpio_->reset();
  rtc_->reset();
  uart_->reset();
  if (secure_uart_) secure_uart_->reset();
  if (its_) its_->reset();
  gic_->reset();
}

void Virt::press_power_button() {
  constexpr u64 kPressedNs = 100'000'000;  // longer than any driver's debouncing
  gpio_->set_line(kPowerButtonLine, true);
  power_button_release_->arm(clock_.now_ns() + kPressedNs);
}

}  // namespace sluice
