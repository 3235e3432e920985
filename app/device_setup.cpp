// app/device_setup.cpp: see device_setup.h.
#include "app/device_setup.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <functional>
#include <set>

#include "devices/block/raw_file.h"
#include "devices/block/snapshot_overlay.h"
#include "devices/pci/edu.h"
#include "devices/pci/iommu_testdev.h"
#include "devices/virtio/blk.h"
#include "devices/virtio/console.h"
#include "devices/virtio/net.h"
#include "devices/virtio/rng.h"
#include "devices/virtio/virtio_pci.h"
#include "machines/config_error.h"

namespace sluice {
namespace {

constexpr std::string_view kVirtioIommuPci = "virtio-iommu-pci";

class DevicePlugger {
 public:
  DevicePlugger(Virt& board, const Options& options, Clock& clock, Consoles& consoles)
      : board_(board), options_(options), clock_(clock), consoles_(consoles) {}

  void run() {
    plug_iommu();
    add_containers();
    for (const DeviceOptions& d : options_.devices) plug(d);
    for (const std::string& id : board_.containers().unused())
      std::fprintf(stderr, "sluice: warning: -object id=%s: no -device uses it\n", id.c_str());
    // Drives with an interface of their own come behind all explicit devices, on virtio-mmio: that is where
    // small guests look, and large ones find it as well.
    for (const std::string& id : options_.drive_order)
      if (options_.drives.at(id).attach) add_disk(KeyValues{"-drive", "drive=" + id}, Bus::Mmio);
    for (const std::string& id : options_.flash_drives) used_drives_.insert(id);
    for (const auto& [id, drive] : options_.drives)
      if (!drive.attach && !used_drives_.contains(id))
        std::fprintf(stderr, "sluice: warning: -drive id=%s has if=none and no -device uses it\n",
                     id.c_str());
  }

 private:
  enum class Bus : u8 { Mmio, Pci };

  // First: the others are endpoints of it.
  void plug_iommu() {
    const DeviceOptions* asked = nullptr;
    for (const DeviceOptions& d : options_.devices) {
      if (d.driver != kVirtioIommuPci) continue;
      if (asked) throw ConfigError::usage("-device: there is one virtio-iommu-pci");
      asked = &d;
    }
    board_.plug_iommu(asked ? devfn(asked->properties) : std::nullopt);
  }

  void add_containers() {
    for (const HostContainerOptions& o : options_.containers) {
      SoftHostIommu::Config config{.name = o.id, .page_size_mask = o.page_sizes};
      for (auto [first, last] : o.reserved) config.reserved.push_back({first, last});
      board_.containers().add(std::move(config));
    }
  }

  PciWiring wiring(const KeyValues& p, PciDma dma) {
    auto container = p.get("container");
    if (!container) return board_.pci_wiring(dma, devfn(p));
    if (dma != PciDma::Translated)
      throw ConfigError::usage(p.option() + ": container= needs iommu_platform=on: its DMA bypasses IOMMUs");
    return board_.pci_wiring_behind(*container, devfn(p));
  }

  void plug(const DeviceOptions& d) {
    struct Maker {
      std::string_view driver;
      std::function<void()> make;
    };
    const KeyValues& p = d.properties;
    Bus bus = d.driver.ends_with("-pci") ? Bus::Pci : Bus::Mmio;
    const Maker makers[] = {
        {"virtio-blk-", [&] { add_disk(p, bus); }},
        {"virtio-net-", [&] { add_network_card(p, bus); }},
        {"virtio-rng-", [&] { add_random_source(p, bus); }},
        {"virtio-serial-", [&] { add_serial_controller(p, bus); }},
        {"virtconsole", [&] { add_port(p, VirtioConsole::PortKind::Console); }},
        {"virtserialport", [&] { add_port(p, VirtioConsole::PortKind::Serial); }},
        {"loader", [] {}},         // run_loaders()
        {kVirtioIommuPci, [] {}},  // plug_iommu()
        {"edu", [&] { add_edu(p); }},
        {"iommu-testdev", [&] { add_iommu_testdev(p); }},
    };
    for (const Maker& m : makers)
      if (d.driver.starts_with(m.driver)) return m.make();
    throw ConfigError::usage("-device: '" + d.driver + "' cannot be added");
  }

  // `vectors`: what MSI-X has by default.
  void plug(const KeyValues& p, Bus bus, std::unique_ptr<VirtioDevice> device, unsigned vectors) {
    if (bus == Bus::Mmio) return board_.plug(std::move(device), slot(p));
    VirtioPciOptions o;
    o.access_platform = p.get_bool("iommu_platform", false);
    o.vectors = unsigned(p.get_number("vectors", vectors, 0, 2048));
    bool modern = p.get_or("disable-legacy", "on") == "auto" || p.get_bool("disable-legacy", true);
    if (!modern || p.get_bool("disable-modern", false))
      throw ConfigError::usage(p.option() + ": there is no legacy interface");
    PciDma dma = o.access_platform ? PciDma::Translated : PciDma::DataBypasses;
    board_.plug(std::make_unique<VirtioPci>(wiring(p, dma), clock_, std::move(device), o));
  }

  // addr=4, addr=0x4, addr=04.1: hexadecimal, as PCI addresses are written.
  static std::optional<u8> devfn(const KeyValues& p) {
    if (auto bus = p.get("bus"); bus && *bus != "pcie.0")
      throw ConfigError::usage(p.option() + ": bus '" + *bus + "' not found (pcie.0 is there)");
    auto addr = p.get("addr");
    if (!addr) return std::nullopt;
    std::string_view text = *addr;
    size_t dot = text.find('.');
    auto hex = [](std::string_view digits) {
      if (digits.starts_with("0x")) digits.remove_prefix(2);
      return parse_number("0x" + std::string{digits});
    };
    auto device = hex(text.substr(0, dot));
    auto function = dot == text.npos ? std::optional<u64>{0} : hex(text.substr(dot + 1));
    if (!device || *device > 31 || !function || *function > 7)
      throw ConfigError::usage(p.option() + ": addr=" + *addr + " is not DEVICE[.FUNCTION], 0..1f and 0..7");
    return pci::make_devfn(unsigned(*device), unsigned(*function));
  }

  void add_random_source(const KeyValues& p, Bus bus) {
    // Under -icount every run sees the same bytes.
    std::optional<u64> seed;
    if (options_.icount_shift) seed = 1;
    plug(p, bus, std::make_unique<VirtioRng>(seed), 2);
  }

  void add_edu(const KeyValues& p) {
    u64 mask = p.get_number("dma_mask", Edu::kDefaultDmaMask, 0, ~u64{0});
    board_.plug(std::make_unique<Edu>(wiring(p, PciDma::Translated), clock_, mask));
  }

  void add_iommu_testdev(const KeyValues& p) {
    board_.plug(std::make_unique<IommuTestdev>(wiring(p, PciDma::Translated), board_.system()));
  }

  static std::optional<unsigned> slot(const KeyValues& p) {
    auto bus = p.get("bus");
    if (!bus) return std::nullopt;
    constexpr std::string_view kPrefix = "virtio-mmio-bus.";
    auto n = bus->starts_with(kPrefix) ? parse_number(std::string_view{*bus}.substr(kPrefix.size()))
                                       : std::nullopt;
    if (!n || *n >= Virt::kVirtioSlots)
      throw ConfigError::usage(p.option() + ": bus '" + *bus +
                               "' not found (virtio-mmio-bus.0 to .31 are there)");
    return unsigned(*n);
  }

  static u64 power_of_two(const KeyValues& p, std::string_view key, u64 otherwise, u64 least, u64 most) {
    u64 value = p.get_number(key, otherwise, least, most);
    if (!std::has_single_bit(value))
      throw ConfigError::usage(p.option() + ": " + std::string{key} + " must be a power of two");
    return value;
  }

  std::unique_ptr<BlockBackend> open_drive(const KeyValues& p) {
    std::string id = p.require("drive");
    auto found = options_.drives.find(id);
    if (found == options_.drives.end())
      throw ConfigError::usage(p.option() + ": there is no -drive with id '" + id + "'");
    if (!used_drives_.insert(id).second)
      throw ConfigError::usage(p.option() + ": drive '" + id + "' is in use already");
    const DriveOptions& d = found->second;
    bool writes = !d.read_only && !d.snapshot;
    auto file = RawFile::open(d.path, writes ? RawFile::Mode::ReadWrite : RawFile::Mode::ReadOnly);
    if (!file) throw ConfigError::image(file.error());
    std::unique_ptr<BlockBackend> backend = std::move(*file);
    refuse_known_format(d.path, *backend);
    if (d.snapshot && !d.read_only) backend = std::make_unique<SnapshotOverlay>(std::move(backend));
    return backend;
  }

  // A container format that was taken for a raw image would be destroyed by the guest's first write.
  static void refuse_known_format(const std::string& path, BlockBackend& disk) {
    std::array<u8, 4> magic{};
    if (disk.size() < 512 || disk.read(0, magic) != BlockStatus::Ok) return;
    if (magic == std::array<u8, 4>{'Q', 'F', 'I', 0xfb})
      throw ConfigError::file(path,
                              "is a qcow2 image; only raw ones are available "
                              "(qemu-img convert -O raw makes one)");
  }

  void add_disk(const KeyValues& p, Bus bus) {
    VirtioBlkOptions o;
    o.serial = p.get_or("serial", "");
    if (o.serial.size() > 20) throw ConfigError::usage(p.option() + ": serial is longer than 20 characters");
    o.num_queues = u16(p.get_number("num-queues", 1, 1, 16));
    o.queue_size = u16(power_of_two(p, "queue-size", 256, 4, 1024));
    o.logical_block_size = u32(power_of_two(p, "logical_block_size", 512, 512, 32768));
    o.physical_block_size = u32(power_of_two(p, "physical_block_size", o.logical_block_size, 512, 32768));
    if (o.physical_block_size < o.logical_block_size)
      throw ConfigError::usage(p.option() + ": physical_block_size is less than logical_block_size");
    o.discard = p.get_bool("discard", true);
    o.write_cache = p.get_bool("write-cache", true);
    o.synchronous = options_.icount_shift.has_value();
    plug(p, bus, std::make_unique<VirtioBlk>(open_drive(p), o), o.num_queues + 1u);
  }

  void add_network_card(const KeyValues& p, Bus bus) {
    std::string id = p.require("netdev");
    if (!options_.netdevs.contains(id))
      throw ConfigError::usage(p.option() + ": there is no -netdev with id '" + id + "'");
    if (!used_netdevs_.insert(id).second)
      throw ConfigError::usage(p.option() + ": netdev '" + id + "' is in use already");
    VirtioNetOptions o;
    o.mac[5] = u8(o.mac[5] + used_netdevs_.size() - 1);
    if (auto mac = p.get("mac")) o.mac = parse_mac(p, *mac);
    o.mtu = u16(p.get_number("host_mtu", 0, 0, 65535));
    plug(p, bus, std::make_unique<VirtioNet>(std::make_unique<NullNet>(), o), 4);
  }

  static std::array<u8, 6> parse_mac(const KeyValues& p, const std::string& text) {
    std::array<u8, 6> mac{};
    unsigned b[6];
    char rest;
    if (text.size() != 17 || std::sscanf(text.c_str(), "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1], &b[2],
                                         &b[3], &b[4], &b[5], &rest) != 6)
      throw ConfigError::usage(p.option() + ": '" + text + "' is not a MAC address");
    for (unsigned i = 0; i < 6; i++) mac[i] = u8(b[i]);
    if (mac[0] & 1) throw ConfigError::usage(p.option() + ": '" + text + "' is a multicast address");
    return mac;
  }

  void add_serial_controller(const KeyValues& p, Bus bus) {
    u32 ports = u32(p.get_number("max_ports", VirtioConsole::kMaxPorts, 1, 31));
    auto device = std::make_unique<VirtioConsole>(ports);
    controllers_.push_back({p.get_or("id", ""), device.get()});
    plug(p, bus, std::move(device), ports + 1);
  }

  void add_port(const KeyValues& p, VirtioConsole::PortKind kind) {
    if (controllers_.empty())
      throw ConfigError::usage(p.option() + ": no virtio-serial-pci or virtio-serial-device comes before it");
    VirtioConsole* controller = controllers_.back().device;
    if (auto bus = p.get("bus")) {
      controller = nullptr;
      for (const Controller& c : controllers_)
        if (*bus == c.id || *bus == c.id + ".0") controller = c.device;
      if (!controller) throw ConfigError::usage(p.option() + ": bus '" + *bus + "' not found");
    }
    std::string name = p.get_or("name", ""), label = name.empty() ? p.get_or("id", "virtconsole") : name;
    std::optional<u32> number;
    if (p.get("nr")) number = u32(p.get_number("nr", 0, 0, 30));
    ByteStream& stream = consoles_.open(p.get_or("chardev", ""), label, {.observed = true});
    if (!controller->add_port({.kind = kind, .name = name, .stream = &stream}, number))
      throw ConfigError::usage(p.option() + ": there is no free port with that number");
  }

  struct Controller {
    std::string id;
    VirtioConsole* device;
  };
  Virt& board_;
  const Options& options_;
  Clock& clock_;
  Consoles& consoles_;
  std::set<std::string> used_drives_, used_netdevs_;
  std::vector<Controller> controllers_;
};

}  // namespace

void choose_gates(GateChoices& gates, const Options& options) {
  for (const DeviceOptions& d : options.devices) {
    if (d.driver != kVirtioIommuPci) continue;
    if (gates.dma.empty()) gates.dma.push_back(GateKind::VirtioIommu);
    if (std::count(gates.dma.begin(), gates.dma.end(), GateKind::VirtioIommu) == 0)
      throw ConfigError::usage(
          "-device virtio-iommu-pci: -machine names other gates for PCI devices; name all of them "
          "in chain=dma:...");
  }
}

void plug_devices(Virt& board, const Options& options, Clock& clock, Consoles& consoles) {
  DevicePlugger{board, options, clock, consoles}.run();
}

}  // namespace sluice
