// app/device_setup.cpp: see device_setup.h.
#include "app/device_setup.h"

#include <array>
#include <bit>
#include <cstdio>
#include <set>

#include "devices/block/raw_file.h"
#include "devices/block/snapshot_overlay.h"
#include "devices/virtio/blk.h"
#include "devices/virtio/console.h"
#include "devices/virtio/net.h"
#include "devices/virtio/rng.h"
#include "machines/config_error.h"

namespace sluice {
namespace {

class DevicePlugger {
 public:
  DevicePlugger(Virt& board, const Options& options, Consoles& consoles)
      : board_(board), options_(options), consoles_(consoles) {}

  void run() {
    for (const DeviceOptions& d : options_.devices) plug(d);
    // Drives with an interface of their own come behind all explicit devices.
    for (const std::string& id : options_.drive_order)
      if (options_.drives.at(id).attach) add_disk(KeyValues{"-drive", "drive=" + id});
    for (const auto& [id, drive] : options_.drives)
      if (!drive.attach && !used_drives_.contains(id))
        std::fprintf(stderr, "sluice: warning: -drive id=%s has if=none and no -device uses it\n",
                     id.c_str());
  }

 private:
  void plug(const DeviceOptions& d) {
    if (d.driver == "virtio-blk-device") return add_disk(d.properties);
    if (d.driver == "virtio-net-device") return add_network_card(d.properties);
    if (d.driver == "virtio-serial-device") return add_serial_controller(d.properties);
    if (d.driver == "virtconsole") return add_port(d.properties, VirtioConsole::PortKind::Console);
    if (d.driver == "virtserialport") return add_port(d.properties, VirtioConsole::PortKind::Serial);
    if (d.driver == "virtio-rng-device") {
      // Under -icount every run sees the same bytes.
      std::optional<u64> seed;
      if (options_.icount_shift) seed = 1;
      return board_.plug(std::make_unique<VirtioRng>(seed), slot(d.properties));
    }
    throw ConfigError::usage("-device: '" + d.driver + "' cannot be added");
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

  void add_disk(const KeyValues& p) {
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
    board_.plug(std::make_unique<VirtioBlk>(open_drive(p), o), slot(p));
  }

  void add_network_card(const KeyValues& p) {
    std::string id = p.require("netdev");
    if (!options_.netdevs.contains(id))
      throw ConfigError::usage(p.option() + ": there is no -netdev with id '" + id + "'");
    if (!used_netdevs_.insert(id).second)
      throw ConfigError::usage(p.option() + ": netdev '" + id + "' is in use already");
    VirtioNetOptions o;
    o.mac[5] = u8(o.mac[5] + used_netdevs_.size() - 1);
    if (auto mac = p.get("mac")) o.mac = parse_mac(p, *mac);
    o.mtu = u16(p.get_number("host_mtu", 0, 0, 65535));
    board_.plug(std::make_unique<VirtioNet>(std::make_unique<NullNet>(), o), slot(p));
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

  void add_serial_controller(const KeyValues& p) {
    auto device =
        std::make_unique<VirtioConsole>(u32(p.get_number("max_ports", VirtioConsole::kMaxPorts, 1, 31)));
    controllers_.push_back({p.get_or("id", ""), device.get()});
    board_.plug(std::move(device), slot(p));
  }

  void add_port(const KeyValues& p, VirtioConsole::PortKind kind) {
    if (controllers_.empty())
      throw ConfigError::usage(p.option() + ": no virtio-serial-device comes before it");
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
  Consoles& consoles_;
  std::set<std::string> used_drives_, used_netdevs_;
  std::vector<Controller> controllers_;
};

}  // namespace

void plug_devices(Virt& board, const Options& options, Consoles& consoles) {
  DevicePlugger{board, options, consoles}.run();
}

}  // namespace sluice
