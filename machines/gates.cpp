// machines/gates.cpp: see gates.h.
#include "machines/gates.h"

#include <algorithm>
#include <iterator>

#include "machines/config_error.h"

namespace sluice {
namespace {

constexpr GuestPhysAddr kPciSmmu{0x09050000}, kRamMpc{0x0b000000}, kOthers{0x0b020000};
constexpr u32 kPciSmmuSpi = 74, kRamMpcSpi = 144, kOtherSpi = 148, kSpisOfGate = 4;
constexpr u64 kGateWindow = 0x20000;
constexpr size_t kMaxGates = 12;  // of one path; a walk is at most 16 hops deep

struct GateName {
  std::string_view name;
  GateKind kind;
};
constexpr GateName kNames[] = {
    {"smmuv3", GateKind::Smmuv3}, {"virtio", GateKind::VirtioIommu}, {"mpc", GateKind::TzMpc}};
constexpr const char* kPathNames[] = {"ram", "pe", "dma"};  // by GatePath

u64 frame_size(GateKind kind) {
  switch (kind) {
    case GateKind::Smmuv3: return Smmuv3::kFrameSize;
    case GateKind::TzMpc: return TzMpc::kFrameSize;
    case GateKind::VirtioIommu: break;
  }
  return VirtioMmio::kRegionSize;
}

}  // namespace

void set_smmu_property(Smmuv3Config& config, const std::string& name, const std::string& value) {
  struct Choice {
    std::string_view property, value;
    std::function<void()> set;
  };
  using Stages = Smmuv3Config::Stages;
  std::vector<Choice> choices = {{"stage", "1", [&] { config.stages = Stages::One; }},
                                 {"stage", "2", [&] { config.stages = Stages::Two; }},
                                 {"stage", "nested", [&] { config.stages = Stages::Nested; }},
                                 {"msi", "on", [&] { config.msi = true; }},
                                 {"msi", "off", [&] { config.msi = false; }}};
  static constexpr std::string_view kSizes[] = {"32", "36", "40", "42", "44", "48"};
  static constexpr std::string_view kSubstreams[] = {"0", "1", "4", "8", "16", "20"};
  for (std::string_view bits : kSizes)
    choices.push_back({"oas", bits, [&config, &value] { config.oas_bits = unsigned(std::stoul(value)); }});
  for (std::string_view bits : kSubstreams)
    choices.push_back(
        {"ssidsize", bits, [&config, &value] { config.ssid_bits = unsigned(std::stoul(value)); }});
  std::string allowed;
  for (const Choice& c : choices) {
    if (c.property != name) continue;
    if (c.value == value) return c.set();
    allowed += (allowed.empty() ? "" : ", ") + std::string{c.value};
  }
  const std::string option = "-global: arm-smmuv3." + name;
  if (allowed.empty())
    throw ConfigError::usage(option + " is not a property (stage, oas, ssidsize, msi are)");
  throw ConfigError::usage(option + "=" + value + ": expects one of " + allowed);
}

std::vector<GateKind> parse_gates(const std::string& option, std::string_view text) {
  std::vector<GateKind> gates;
  if (text == "none") return gates;
  while (!text.empty()) {
    const std::string_view name = text.substr(0, text.find('+'));
    text.remove_prefix(std::min(text.size(), name.size() + 1));
    const GateName* found =
        std::find_if(std::begin(kNames), std::end(kNames), [&](const GateName& g) { return g.name == name; });
    if (found == std::end(kNames))
      throw ConfigError::usage(option + ": no gate is called '" + std::string{name} +
                               "' (smmuv3, virtio, mpc; none)");
    gates.push_back(found->kind);
  }
  if (gates.empty()) throw ConfigError::usage(option + ": expects gates, such as smmuv3+mpc, or none");
  if (gates.size() > kMaxGates)
    throw ConfigError::usage(option + ": at most " + std::to_string(kMaxGates) + " gates");
  return gates;
}

Gates::Gates(Board board, GateChoices choices) : board_(std::move(board)), choices_(std::move(choices)) {}
Gates::~Gates() = default;

AddressSpace& Gates::space_of(std::shared_ptr<Region> root, const std::string& name) {
  spaces_.push_back(std::make_unique<AddressSpace>(board_.topology, name, std::move(root)));
  return *spaces_.back();
}

Gates::Slot Gates::next_slot(GateKind kind, GatePath path) {
  const auto is_like = [&](const Gate& g) { return g.placed.kind == kind && g.placed.path == path; };
  if (path == GatePath::Ram) return {{kRamMpc, frame_size(kind)}, kRamMpcSpi};
  if (kind == GateKind::Smmuv3 && path == GatePath::Dma &&
      std::none_of(gates_.begin(), gates_.end(), is_like))
    return {{kPciSmmu, frame_size(kind)}, kPciSmmuSpi};
  const unsigned n = other_slots_++;
  return {{kOthers + n * kGateWindow, frame_size(kind)}, kOtherSpi + n * kSpisOfGate};
}

Gates::Gate& Gates::note(GateKind kind, GatePath path, const Slot& slot) {
  auto same = std::count_if(gates_.begin(), gates_.end(),
                            [&](const Gate& g) { return g.placed.kind == kind && g.placed.path == path; });
  const GateName& known =
      *std::find_if(std::begin(kNames), std::end(kNames), [&](const GateName& g) { return g.kind == kind; });
  std::string name = std::string{known.name} + "-" + kPathNames[size_t(path)];
  if (same) name += std::to_string(same + 1);
  for (Gate& g : gates_)
    if (g.placed.path == path) g.placed.outermost = false;
  Gate gate;
  gate.placed = {kind, path, std::move(name), slot.frame, slot.first_spi, true, {}};
  return gates_.emplace_back(std::move(gate));
}

// Each has a number of its own, so that a protection controller's record says who it was.
DmaPort Gates::port() const {
  constexpr u32 kFirstRequester = 0xff00;  // of a bus without functions: DeviceIDs of their own at an ITS
  const u32 n = u32(gates_.size());
  return {board_.system, MemTxAttrs::device(u16(board_.first_initiator + n), kFirstRequester + n)};
}

std::shared_ptr<Region> Gates::add_smmu(std::shared_ptr<Region> behind, GatePath path) {
  const Slot slot = next_slot(GateKind::Smmuv3, path);
  const DmaPort own = port();
  Gate& gate = note(GateKind::Smmuv3, path, slot);
  Smmuv3Config config = choices_.smmu;
  config.name = gate.placed.name;
  // Priorities as the interrupts' names in the device tree; there is no PRI queue, and no wire for it.
  Smmuv3Wires wires{.eventq = board_.spi(slot.first_spi),
                    .gerror = board_.spi(slot.first_spi + 3),
                    .cmd_sync = board_.spi(slot.first_spi + 2),
                    .send_event = board_.send_event};
  auto smmu =
      std::make_shared<Smmuv3>(board_.topology.hub(), space_of(std::move(behind), config.name + "-out"), own,
                               board_.clock, config, std::move(wires));
  gate.region = gate.smmu = smmu.get();
  board_.place(slot.frame.first, std::make_shared<MmioRegion>(config.name, slot.frame.size, *smmu, nullptr));
  smmus_.push_back(smmu);
  return smmu;
}

std::shared_ptr<TzMpc> Gates::make_mpc(const AddressSpace& behind, GatePath path, const Slot& slot) {
  Gate& gate = note(GateKind::TzMpc, path, slot);
  TzMpc::Config config{.size = board_.ram.size, .block_size = choices_.mpc_block};
  if (!TzMpc::is_valid(config))
    throw ConfigError::usage(
        "-machine: mpc-block must be a power of two, 32 to 1048576, that divides the RAM");
  auto mpc = std::make_shared<TzMpc>(gate.placed.name, board_.topology.hub(), behind, config,
                                     board_.spi(slot.first_spi));
  gate.region = gate.mpc = mpc.get();
  board_.place(slot.frame.first,
               std::make_shared<MmioRegion>(gate.placed.name, slot.frame.size, *mpc, nullptr));
  mpcs_.push_back(mpc);
  return mpc;
}

// In front of the addresses of RAM; everything else passes beside it.
std::shared_ptr<Region> Gates::add_mpc(std::shared_ptr<Region> behind, GatePath path) {
  const Slot slot = next_slot(GateKind::TzMpc, path);
  const u64 base = board_.ram.first.value;
  auto window = std::make_shared<AliasRegion>("mpc-window", behind, base, board_.ram.size);
  auto mpc = make_mpc(space_of(std::move(window), "mpc-out"), path, slot);
  auto both = std::make_shared<Container>("mpc-in", kWholeSpace);
  Topology::Transaction wiring{board_.topology};
  wiring.add(*both, 0, std::make_shared<AliasRegion>("beside-mpc", std::move(behind), 0, kWholeSpace));
  wiring.add(*both, base, mpc, 1);
  wiring.commit();
  return both;
}

std::shared_ptr<Region> Gates::add_virtio(std::shared_ptr<Region> behind, GatePath path) {
  const bool on_pci = path == GatePath::Dma && !pci_iommu_;
  const Slot slot = on_pci ? Slot{} : next_slot(GateKind::VirtioIommu, path);
  const DmaPort own = port();
  Gate& gate = note(GateKind::VirtioIommu, path, slot);
  auto device = std::make_unique<VirtioIommu>(board_.topology.hub(),
                                              space_of(std::move(behind), gate.placed.name + "-out"));
  gate.viommu = device.get();
  gate.region = device->region().get();
  std::shared_ptr<Region> region = device->region();
  if (on_pci) {
    pci_iommu_ = std::move(device);
    return region;
  }
  auto transport = std::make_unique<VirtioMmio>(own, board_.spi(slot.first_spi), board_.clock,
                                                VirtioMmioOptions{.force_legacy = false});
  board_.place(slot.frame.first, std::make_shared<MmioRegion>(gate.placed.name, slot.frame.size, *transport,
                                                              &transport->lock()));
  transport->plug(std::move(device));
  transports_.push_back(std::move(transport));
  return region;
}

std::shared_ptr<Region> Gates::guard_ram(std::shared_ptr<RamRegion> ram) {
  if (!choices_.mpc) return ram;
  return make_mpc(space_of(std::move(ram), "behind-mpc"), GatePath::Ram,
                  next_slot(GateKind::TzMpc, GatePath::Ram));
}

std::shared_ptr<Region> Gates::in_front_of(std::shared_ptr<Region> memory, GatePath path) {
  const std::vector<GateKind>& gates = path == GatePath::Pe ? choices_.pe : choices_.dma;
  for (auto kind = gates.rbegin(); kind != gates.rend(); ++kind) {
    switch (*kind) {
      case GateKind::Smmuv3: memory = add_smmu(std::move(memory), path); break;
      case GateKind::VirtioIommu: memory = add_virtio(std::move(memory), path); break;
      case GateKind::TzMpc: memory = add_mpc(std::move(memory), path); break;
    }
  }
  return memory;
}

std::unique_ptr<VirtioIommu> Gates::take_pci_iommu(u8 devfn) {
  for (Gate& gate : gates_)
    if (gate.viommu == pci_iommu_.get()) gate.placed.devfn = devfn;
  return std::move(pci_iommu_);
}

// Interrupts are messages to the frame: they pass, so that drivers need not map it.
std::vector<VirtioIommuRegion::Reserved> Gates::reserved_for(GatePath path) const {
  const PhysRange msi = board_.msi_frame;
  if (!msi.size || path != GatePath::Dma) return {};
  return {{{msi.first.value, msi.first.value + msi.size - 1}, VirtioIommuRegion::Reserved::Subtype::Msi}};
}

void Gates::add_master(GatePath path, u32 requester) {
  for (Gate& gate : gates_)
    if (gate.viommu && gate.placed.path == path)
      if (std::string why = gate.viommu->add_endpoint(requester, reserved_for(path)); !why.empty())
        throw ConfigError::usage(gate.placed.name + ": " + why);
}

const Gates::Gate* Gates::outermost(GatePath path) const {
  for (const Gate& gate : gates_)
    if (gate.placed.path == path && gate.placed.outermost) return &gate;
  return nullptr;
}

void Gates::add_mirrored_master(u32 requester, const std::shared_ptr<SoftHostIommu>& container) {
  const Gate* mirrored = outermost(GatePath::Dma);
  if (!mirrored)
    throw ConfigError::usage("-object " + container->name() +
                             ": there is no IOMMU in front of PCIe to mirror (-machine iommu=virtio)");
  for (Gate& gate : gates_)
    if (gate.viommu && gate.placed.path == GatePath::Dma && &gate != mirrored)
      if (std::string why = gate.viommu->add_endpoint(requester, reserved_for(GatePath::Dma)); !why.empty())
        throw ConfigError::usage(gate.placed.name + ": " + why);
  // Others than a virtio-iommu say why they cannot be mirrored.
  std::string why = mirrored->viommu ? mirrored->viommu->add_mirrored_endpoint(requester, *container,
                                                                               reserved_for(GatePath::Dma))
                                     : container->mirror(*mirrored->region, MemTxAttrs::device(0, requester));
  if (!why.empty()) throw ConfigError::usage("-object " + container->name() + ": " + why);
  if (mirrored->viommu) container->report_faults_to(mirrored->viommu->region());
}

void Gates::freeze() {
  for (Gate& gate : gates_)
    if (gate.viommu) gate.viommu->region()->freeze_page_sizes();
}

void Gates::reset(bool firmware) {
  for (auto& transport : transports_) {
    std::lock_guard lock{transport->lock()};
    transport->reset();
  }
  for (Gate& gate : gates_) {
    if (gate.smmu) gate.smmu->reset();
    if (gate.mpc) firmware ? gate.mpc->reset() : gate.mpc->reset_opened();
    if (gate.viommu) gate.viommu->machine_reset();
  }
}

}  // namespace sluice
