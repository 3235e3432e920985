// machines/device_tree.cpp: see device_tree.h. Node names, properties and values are those that kernels and
// firmware for the `virt` board expect; bindings are those of the Linux kernel
// (Documentation/devicetree/bindings).
#include "machines/device_tree.h"

#include <libfdt.h>

#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <list>
#include <string_view>

#include "machines/config_error.h"

namespace sluice {
namespace {

// A node before it is flattened.
struct Node {
  std::string name;
  std::vector<std::pair<std::string, std::string>> properties{};
  std::list<Node> children{};  // a list: references to nodes stay valid

  Node& child(const std::string& n) { return children.emplace_back(Node{n}); }
  void flag(const char* key) { properties.emplace_back(key, std::string{}); }
  void text(const char* key, std::string_view value) {
    properties.emplace_back(key, std::string{value} + '\0');
  }
  void texts(const char* key, std::initializer_list<std::string_view> values) {
    std::string all;
    for (std::string_view v : values) all += std::string{v} + '\0';
    properties.emplace_back(key, all);
  }
  void bytes(const char* key, const std::vector<u8>& value) {
    properties.emplace_back(key, std::string(value.begin(), value.end()));
  }
  void cells(const char* key, const std::vector<u32>& values) {
    std::string all;
    for (u32 v : values)
      for (int shift = 24; shift >= 0; shift -= 8) all += char(v >> shift);
    properties.emplace_back(key, all);
  }
  void cell(const char* key, u32 value) { cells(key, {value}); }
  void wide(const char* key, u64 value) { cells(key, {u32(value >> 32), u32(value)}); }
  void reg(const std::vector<PhysRange>& windows) {
    std::vector<u32> all;
    for (PhysRange w : windows)
      for (u64 v : {w.first.value, w.size}) all.push_back(u32(v >> 32)), all.push_back(u32(v));
    cells("reg", all);
  }
};

std::string at(const char* name, u64 address) {
  char text[64];
  std::snprintf(text, sizeof text, "%s@%" PRIx64, name, address);
  return text;
}

int emit(void* blob, const Node& node) {
  if (int e = fdt_begin_node(blob, node.name.c_str())) return e;
  for (const auto& [key, value] : node.properties)
    if (int e = fdt_property(blob, key.c_str(), value.data(), int(value.size()))) return e;
  for (const Node& child : node.children)
    if (int e = emit(blob, child)) return e;
  return fdt_end_node(blob);
}

std::vector<u8> flatten(const Node& root) {
  for (size_t size = 16384;; size *= 2) {
    std::vector<u8> blob(size);
    int error = fdt_create(blob.data(), int(size));
    if (!error) error = fdt_finish_reservemap(blob.data());
    if (!error) error = emit(blob.data(), root);
    if (!error) error = fdt_finish(blob.data());
    if (error == -FDT_ERR_NOSPACE) continue;
    if (error) throw ConfigError::file("device tree", fdt_strerror(error));
    blob.resize(fdt_totalsize(blob.data()));
    return blob;
  }
}

constexpr u32 kGicPhandle = 1, kClockPhandle = 2, kGpioPhandle = 3, kMsiPhandle = 4, kIommuPhandle = 5,
              kFirstPePhandle = 16;

class TreeBuilder {
 public:
  TreeBuilder(const BoardRecord& board, const ChosenInfo& chosen) : board_(board), chosen_(chosen) {}

  Node build() {
    root_.cell("interrupt-parent", kGicPhandle);
    root_.text("model", "linux,dummy-virt");
    root_.text("compatible", "linux,dummy-virt");
    root_.cell("#address-cells", 2);
    root_.cell("#size-cells", 2);
    add_psci();
    add_memory();
    for (const PlacedPart& part : board_.parts) add_part(part);
    add_secure_ram();
    add_flash();
    add_pmu();
    for (const PlacedGate& gate : board_.gates) add_gate(gate);
    add_pcie();
    add_gic();
    add_cpus();
    add_timer();
    add_clock();
    add_aliases_and_chosen();
    return std::move(root_);
  }

 private:
  // The third cell of an interrupt. For PPIs of a GICv2 it carries the PEs that have the interrupt as well.
  std::vector<u32> interrupt(InterruptInput i) const {
    u32 flags = u32(i.trigger);
    if (i.kind == InterruptInput::Kind::Ppi && board_.gic.version == 2)
      flags |= ((1u << board_.pes.size()) - 1) << 8;
    return {u32(i.kind), i.number, flags};
  }
  std::vector<u32> ppi(u32 number) const {
    return interrupt({InterruptInput::Kind::Ppi, number, InterruptInput::Trigger::LevelHigh});
  }

  void add_psci() {
    if (board_.psci == cpu::PsciConduit::None) return;
    Node& n = root_.child("psci");
    n.texts("compatible", {"arm,psci-1.0", "arm,psci-0.2", "arm,psci"});
    n.text("method", board_.psci == cpu::PsciConduit::Hvc ? "hvc" : "smc");
    // Function identifiers: used by PSCI 0.1 clients only (Arm DEN 0022).
    n.cell("cpu_suspend", 0xc4000001);
    n.cell("cpu_off", 0x84000002);
    n.cell("cpu_on", 0xc4000003);
  }

  void add_memory() {
    Node& n = root_.child(at("memory", board_.ram.first.value));
    n.text("device_type", "memory");
    n.reg({board_.ram});
  }

  void add_part(const PlacedPart& p) {
    switch (p.part) {
      case Part::Pl011: {
        Node& n = primecell("pl011", p);
        n.cells("clocks", {kClockPhandle, kClockPhandle});
        n.texts("clock-names", {"uartclk", "apb_pclk"});
        std::string& first = p.secure_only ? secure_uart_ : uart_;
        if (first.empty()) first = "/" + n.name;
        return;
      }
      case Part::Pl031: {
        Node& n = primecell("pl031", p);
        n.cell("clocks", kClockPhandle);
        n.text("clock-names", "apb_pclk");
        return;
      }
      case Part::Pl061: return add_gpio(p);
      case Part::FwCfg: {
        Node& n = root_.child(at("fw-cfg", p.window.first.value));
        n.text("compatible", "qemu,fw-cfg-mmio");
        n.reg({p.window});
        n.flag("dma-coherent");
        return;
      }
      case Part::VirtioMmio: {
        Node& n = root_.child(at("virtio_mmio", p.window.first.value));
        n.text("compatible", "virtio,mmio");
        n.reg({p.window});
        n.cells("interrupts", interrupt(p.interrupt));
        n.flag("dma-coherent");
        return;
      }
    }
  }

  Node& primecell(const char* name, const PlacedPart& p) {
    Node& n = root_.child(at(name, p.window.first.value));
    n.texts("compatible", {std::string{"arm,"} + name, "arm,primecell"});
    n.reg({p.window});
    n.cells("interrupts", interrupt(p.interrupt));
    if (p.secure_only) hide(n);
    return n;
  }

  // For Secure software alone.
  void hide(Node& n) {
    n.text("status", "disabled");
    n.text("secure-status", "okay");
  }

  void add_secure_ram() {
    if (!board_.secure_ram) return;
    Node& n = root_.child(at("secram", board_.secure_ram->first.value));
    n.text("device_type", "memory");
    n.reg({*board_.secure_ram});
    hide(n);
  }

  // Linux binding mtd/mtd-physmap.yaml. Banks that everybody sees are one device.
  void add_flash() {
    std::vector<PhysRange> banks;
    for (const PlacedFlash& f : board_.flash) {
      if (f.secure_only)
        hide(flash("secflash", {f.window}));
      else
        banks.push_back(f.window);
    }
    if (!banks.empty()) flash("flash", banks);
  }
  Node& flash(const char* name, const std::vector<PhysRange>& banks) {
    Node& n = root_.child(at(name, banks[0].first.value));
    n.text("compatible", "cfi-flash");
    n.reg(banks);
    n.cell("bank-width", 4);
    return n;
  }

  void add_gpio(const PlacedPart& p) {
    Node& n = primecell("pl061", p);
    n.cell("#gpio-cells", 2);
    n.flag("gpio-controller");
    n.cell("clocks", kClockPhandle);
    n.text("clock-names", "apb_pclk");
    n.cell("phandle", kGpioPhandle);
    if (!board_.power_button_line) return;
    constexpr u32 kKeyPower = 116;  // Linux input event code KEY_POWER
    Node& keys = root_.child("gpio-keys");
    keys.text("compatible", "gpio-keys");
    Node& button = keys.child("poweroff");
    button.text("label", "GPIO Key Poweroff");
    button.cell("linux,code", kKeyPower);
    button.cells("gpios", {kGpioPhandle, *board_.power_button_line, 0});
  }

  void add_pmu() {
    if (!board_.pmu_ppi) return;
    Node& n = root_.child("pmu");
    n.text("compatible", "arm,armv8-pmuv3");
    n.cells("interrupts", ppi(*board_.pmu_ppi));
  }

  void add_gic() {
    const PlacedGic& gic = board_.gic;
    Node& n = root_.child(at("intc", gic.distributor.first.value));
    n.text("compatible", gic.version == 2 ? "arm,cortex-a15-gic" : "arm,gic-v3");
    n.cell("#interrupt-cells", 3);
    n.flag("interrupt-controller");
    n.cell("#address-cells", 2);
    n.cell("#size-cells", 2);
    n.flag("ranges");
    std::vector<PhysRange> windows{gic.distributor};
    if (gic.version == 2) {
      if (gic.cpu_interface) windows.push_back(*gic.cpu_interface);
    } else {
      n.cell("#redistributor-regions", u32(gic.redistributors.size()));
      windows.insert(windows.end(), gic.redistributors.begin(), gic.redistributors.end());
    }
    n.reg(windows);
    if (gic.maintenance_ppi) n.cells("interrupts", ppi(*gic.maintenance_ppi));
    n.cell("phandle", kGicPhandle);
    if (gic.its) add_its(n, *gic.its);
    if (!gic.v2m_frame) return;
    Node& v2m = n.child(at("v2m", gic.v2m_frame->first.value));
    v2m.text("compatible", "arm,gic-v2m-frame");
    v2m.flag("msi-controller");
    v2m.reg({*gic.v2m_frame});
    v2m.cell("phandle", kMsiPhandle);
  }

  // What the operating system programs in front of PCIe.
  const PlacedGate* pci_iommu() const {
    for (const PlacedGate& g : board_.gates)
      if (g.path == GatePath::Dma && g.outermost && g.kind != GateKind::TzMpc) return &g;
    return nullptr;
  }

  // A gate that is not next to the devices is there for firmware, and for programs that know it: an operating
  // system that took it for its own would block everything.
  void add_gate(const PlacedGate& g) {
    static constexpr const char* kNames[] = {"smmuv3", "virtio_mmio", "mpc"};  // by GateKind
    if (g.devfn) return;
    Node& n = root_.child(at(kNames[size_t(g.kind)], g.frame.first.value));
    const bool ours = &g == pci_iommu();
    n.reg({g.frame});
    if (g.kind == GateKind::Smmuv3) {
      n.text("compatible", "arm,smmu-v3");
      std::vector<u32> wires;
      for (u32 i = 0; i < 4; i++)
        for (u32 cell :
             interrupt({InterruptInput::Kind::Spi, g.first_spi + i, InterruptInput::Trigger::EdgeRising}))
          wires.push_back(cell);
      n.cells("interrupts", wires);
      n.texts("interrupt-names", {"eventq", "priq", "cmdq-sync", "gerror"});
      n.flag("dma-coherent");
    } else {
      n.text("compatible", g.kind == GateKind::TzMpc ? "arm,sie200-mpc" : "virtio,mmio");
      n.cells("interrupts",
              interrupt({InterruptInput::Kind::Spi, g.first_spi, InterruptInput::Trigger::LevelHigh}));
    }
    if (g.kind != GateKind::TzMpc) n.cell("#iommu-cells", 1);
    if (ours)
      n.cell("phandle", kIommuPhandle);
    else
      n.text("status", "disabled");
    n.text("label", g.name);
  }

  // Linux binding iommu/virtio-iommu: a child of the host bridge.
  static void add_pci_iommu(Node& bridge, const PlacedGate& g) {
    const u32 devfn = *g.devfn;
    Node& n = bridge.child("iommu@" + hex(devfn >> 3) + "," + hex(devfn & 7));
    n.texts("compatible", {"virtio,pci-iommu", "pci1af4,1057"});
    n.cells("reg", {devfn << 8, 0, 0, 0, 0});
    n.cell("#iommu-cells", 1);
    n.cell("phandle", kIommuPhandle);
  }
  static std::string hex(u32 value) {
    char text[16];
    std::snprintf(text, sizeof text, "%x", value);
    return text;
  }

  // Linux binding interrupt-controller/arm,gic-v3.yaml: one MSI cell, the DeviceID.
  void add_its(Node& gic, PhysRange window) {
    Node& n = gic.child(at("its", window.first.value));
    n.text("compatible", "arm,gic-v3-its");
    n.flag("msi-controller");
    n.cell("#msi-cells", 1);
    n.reg({window});
    n.cell("phandle", kMsiPhandle);
  }

  // Linux bindings pci/host-generic-pci.yaml and pci/pci-msi.txt; IEEE Std 1275 PCI bus binding.
  void add_pcie() {
    if (!board_.pcie) return;
    const PlacedPcie& p = *board_.pcie;
    Node& n = root_.child(at("pcie", p.memory.first.value));
    n.text("compatible", "pci-host-ecam-generic");
    n.text("device_type", "pci");
    n.cell("#address-cells", 3);
    n.cell("#size-cells", 2);
    n.cell("linux,pci-domain", 0);
    n.cells("bus-range", {0, p.buses - 1});
    n.flag("dma-coherent");
    // Requester IDs are passed on as they are, all 64 Ki of them.
    if (board_.gic.v2m_frame || board_.gic.its) n.cells("msi-map", {0, kMsiPhandle, 0, 0x10000});
    n.reg({p.ecam});
    std::vector<u32> ranges;
    auto range = [&](u32 space, u64 bus, PhysRange cpu) {
      ranges.push_back(space);
      for (u64 v : {bus, cpu.first.value, cpu.size}) ranges.push_back(u32(v >> 32)), ranges.push_back(u32(v));
    };
    constexpr u32 kIo = 0x01000000, kMemory32 = 0x02000000, kMemory64 = 0x03000000;
    if (const PlacedGate* iommu = pci_iommu()) {
      // A function that is itself the IOMMU is left out: it does not translate its own accesses.
      const u32 own = iommu->devfn ? *iommu->devfn : 0x10000;
      std::vector<u32> map;
      if (own) map = {0, kIommuPhandle, 0, own};
      if (own < 0x10000) map.insert(map.end(), {own + 1, kIommuPhandle, own + 1, 0xffff - own});
      n.cells("iommu-map", map);
      if (iommu->devfn) add_pci_iommu(n, *iommu);
    }
    range(kIo, 0, p.io);
    range(kMemory32, p.memory.first.value, p.memory);
    if (p.high_memory) range(kMemory64, p.high_memory->first.value, *p.high_memory);
    n.cells("ranges", ranges);
    n.cell("#interrupt-cells", 1);
    n.cells("interrupt-map", intx_map(p));
    n.cells("interrupt-map-mask", {kIntxDevices << 11, 0, 0, 7});
  }

  // Pins INTA..INTD of device d are lines (d + pin) mod 4: four devices say it for all.
  static constexpr u32 kIntxDevices = 3;
  std::vector<u32> intx_map(const PlacedPcie& p) const {
    std::vector<u32> map;
    for (u32 device = 0; device <= kIntxDevices; device++) {
      for (u32 pin = 0; pin < 4; pin++) {
        for (u32 cell : {device << 11, 0u, 0u, pin + 1, kGicPhandle, 0u, 0u}) map.push_back(cell);
        InterruptInput spi{InterruptInput::Kind::Spi, p.first_intx_spi + (device + pin) % 4,
                           InterruptInput::Trigger::LevelHigh};
        for (u32 cell : interrupt(spi)) map.push_back(cell);
      }
    }
    return map;
  }

  void add_cpus() {
    Node& cpus = root_.child("cpus");
    cpus.cell("#address-cells", 1);
    cpus.cell("#size-cells", 0);
    Node& cluster = cpus.child("cpu-map").child("socket0").child("cluster0");
    u32 number = 0;
    for (const PlacedPe& pe : board_.pes) {
      u32 affinity = u32(pe.mpidr & 0xffffff);
      Node& n = cpus.child(at("cpu", affinity));
      n.text("device_type", "cpu");
      n.text("compatible", pe.compatible);
      if (board_.psci != cpu::PsciConduit::None && board_.pes.size() > 1) n.text("enable-method", "psci");
      n.cell("reg", affinity);
      n.cell("phandle", kFirstPePhandle + number);
      cluster.child("core" + std::to_string(number)).cell("cpu", kFirstPePhandle + number);
      number++;
    }
  }

  void add_timer() {
    Node& n = root_.child("timer");
    n.texts("compatible", {"arm,armv8-timer", "arm,armv7-timer"});
    std::vector<u32> all;
    const TimerPpis& t = board_.timer;
    std::vector<u32> numbers{t.secure_physical, t.physical, t.virtual_, t.hypervisor};
    if (t.hypervisor_virtual) numbers.push_back(*t.hypervisor_virtual);
    for (u32 number : numbers)
      for (u32 c : ppi(number)) all.push_back(c);
    n.cells("interrupts", all);
    n.flag("always-on");
  }

  void add_clock() {
    Node& n = root_.child("apb-pclk");
    n.text("compatible", "fixed-clock");
    n.cell("#clock-cells", 0);
    n.cell("clock-frequency", 24'000'000);
    n.text("clock-output-names", "clk24mhz");
    n.cell("phandle", kClockPhandle);
  }

  void add_aliases_and_chosen() {
    if (!uart_.empty()) root_.child("aliases").text("serial0", uart_);
    Node& n = root_.child("chosen");
    if (!secure_uart_.empty()) root_.child("secure-chosen").text("stdout-path", secure_uart_);
    if (!uart_.empty()) n.text("stdout-path", uart_);
    if (!chosen_.bootargs.empty()) n.text("bootargs", chosen_.bootargs);
    if (chosen_.initrd) {
      n.wide("linux,initrd-start", chosen_.initrd->first.value);
      n.wide("linux,initrd-end", chosen_.initrd->first.value + chosen_.initrd->size);
    }
    if (!chosen_.rng_seed.empty()) n.bytes("rng-seed", chosen_.rng_seed);
    if (chosen_.kaslr_seed) n.wide("kaslr-seed", *chosen_.kaslr_seed);
  }

  const BoardRecord& board_;
  const ChosenInfo& chosen_;
  Node root_{""};
  std::string uart_, secure_uart_;  // paths of the first UARTs
};

// The user's tree, opened for changes.
class TreePatcher {
 public:
  TreePatcher(const std::string& name, std::span<const u8> tree, size_t spare) : name_(name) {
    size_t total = tree.size() >= sizeof(fdt_header) ? size_t(fdt_totalsize(tree.data())) : 0;
    int bad = tree.size() < sizeof(fdt_header) ? -FDT_ERR_TRUNCATED : fdt_check_header(tree.data());
    if (bad == -FDT_ERR_BADMAGIC) throw ConfigError::file(name, "is not a device tree blob");
    if (!bad && total > tree.size()) bad = -FDT_ERR_TRUNCATED;
    if (!bad) bad = fdt_check_full(tree.data(), tree.size());
    if (bad) throw ConfigError::file(name, std::string{"bad device tree: "} + fdt_strerror(bad));
    blob_.resize(total + spare);
    check(fdt_open_into(tree.data(), blob_.data(), int(blob_.size())));
  }

  int node(const char* path) {
    int at = fdt_path_offset(blob_.data(), path);
    if (at == -FDT_ERR_NOTFOUND) at = fdt_add_subnode(blob_.data(), 0, path + 1);
    return check(at);
  }
  void set(int node, const char* key, const std::string& value) {
    check(fdt_setprop(blob_.data(), node, key, value.data(), int(value.size())));
  }
  void set_text(int node, const char* key, const std::string& value) { set(node, key, value + '\0'); }
  u32 root_cells(const char* key, u32 otherwise) {
    int length = 0;
    auto* value = static_cast<const fdt32_t*>(fdt_getprop(blob_.data(), 0, key, &length));
    u32 cells = value && length == 4 ? fdt32_to_cpu(*value) : otherwise;
    if (cells < 1 || cells > 2)
      throw ConfigError::file(name_, std::string{"unusable "} + key + " at the root");
    return cells;
  }
  std::string number(u64 value, u32 cells) {
    if (cells == 1 && value >> 32)
      throw ConfigError::file(name_, "its root has one cell for addresses or sizes; this machine needs two");
    std::string all;
    for (int shift = int(cells) * 32 - 8; shift >= 0; shift -= 8) all += char(value >> shift);
    return all;
  }
  void remove_memory_nodes() {
    for (int n = memory_node(); n >= 0; n = memory_node()) check(fdt_del_node(blob_.data(), n));
  }
  std::vector<u8> pack() {
    check(fdt_pack(blob_.data()));
    blob_.resize(fdt_totalsize(blob_.data()));
    return std::move(blob_);
  }
  int check(int status) const {
    if (status < 0) throw ConfigError::file(name_, std::string{"device tree: "} + fdt_strerror(status));
    return status;
  }

 private:
  int memory_node() { return fdt_node_offset_by_prop_value(blob_.data(), -1, "device_type", "memory", 7); }

  std::string name_;
  std::vector<u8> blob_;
};

}  // namespace

std::vector<u8> build_device_tree(const BoardRecord& board, const ChosenInfo& chosen) {
  return flatten(TreeBuilder{board, chosen}.build());
}

std::vector<u8> patch_device_tree(const std::string& name, std::span<const u8> tree, const BoardRecord& board,
                                  const ChosenInfo& chosen) {
  TreePatcher patch{name, tree, 4096 + chosen.bootargs.size() + chosen.rng_seed.size()};
  u32 address_cells = patch.root_cells("#address-cells", 2), size_cells = patch.root_cells("#size-cells", 1);
  patch.remove_memory_nodes();
  int memory = patch.node(("/" + at("memory", board.ram.first.value)).c_str());
  patch.set(memory, "reg",
            patch.number(board.ram.first.value, address_cells) + patch.number(board.ram.size, size_cells));
  patch.set_text(memory, "device_type", "memory");
  int n = patch.node("/chosen");
  if (!chosen.bootargs.empty()) patch.set_text(n, "bootargs", chosen.bootargs);
  if (chosen.initrd) {
    u64 start = chosen.initrd->first.value;
    patch.set(n, "linux,initrd-start", patch.number(start, address_cells));
    patch.set(n, "linux,initrd-end", patch.number(start + chosen.initrd->size, address_cells));
  }
  if (!chosen.rng_seed.empty())
    patch.set(n, "rng-seed", std::string(chosen.rng_seed.begin(), chosen.rng_seed.end()));
  if (chosen.kaslr_seed) patch.set(n, "kaslr-seed", patch.number(*chosen.kaslr_seed, 2));
  return patch.pack();
}

}  // namespace sluice
