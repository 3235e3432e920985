// machines/virt_properties.cpp: the -machine properties of the `virt` board.
#include <cstdlib>

#include "base/bits.h"
#include "machines/config_error.h"
#include "machines/virt.h"

namespace sluice {
namespace {

constexpr VirtProperty kProperties[] = {
    {"gic-version", "2, 3 or max (default: 2, or 3 for more than 8 PEs)", nullptr},
    {"its", "on|off: interrupt translation service of a GICv3 (default: on)", nullptr},
    {"highmem", "on|off: PCIe configuration space and 64-bit memory above 4 GiB", nullptr},
    {"dtb-randomness", "on|off: seeds in the device tree; off makes it the same every time", nullptr},
    {"dtb-kaslr-seed", "the same, older spelling", nullptr},
    {"pflash0", "id of the -drive if=none whose file is flash bank 0", nullptr},
    {"pflash1", "the same for bank 1", nullptr},
    {"secure", "on|off: PEs with EL3, and memory and a UART for the Secure state", nullptr},
    {"virtualization", "off: no EL2 yet", "off"},
    {"iommu", "none|smmuv3|virtio: the gate in front of PCIe; short for chain=dma:...", nullptr},
    {"cpu-iommu", "none|smmuv3|virtio: the gate behind each PE's own MMU; short for chain=pe:...", nullptr},
    {"chain", "pe:GATE+GATE... or dma:GATE+GATE...: gates from the initiator to memory (smmuv3, virtio, mpc)",
     nullptr},
    {"mpc", "on|off: a TrustZone memory protection controller in front of RAM", nullptr},
    {"mpc-block", "size of its blocks in bytes: a power of two, 32 to 1048576 (default 4096)", nullptr},
    {"mte", "off: no memory tagging yet", "off"},
    {"acpi", "on|off|auto: firmware gets ACPI tables as well as the device tree (default: on)", nullptr},
    {"usb", "off: no USB", "off"},
};

unsigned gic_version(const std::string& text, unsigned pes) {
  constexpr unsigned kGicv2Pes = 8;
  if (text.empty()) return pes > kGicv2Pes ? 3 : 2;
  if (text == "host")
    throw ConfigError::usage("gic-version=host is for hardware virtualization; use 2, 3 or max");
  if (text == "3" || text == "max") return 3;
  if (text != "2") throw ConfigError::usage("invalid gic-version '" + text + "' (2, 3, max)");
  if (pes > kGicv2Pes) throw ConfigError::usage("gic-version=2 serves at most 8 PEs; use gic-version=3");
  return 2;
}

bool on_or_off(const std::string& name, const std::string& value) {
  if (value == "on" || value == "true" || value == "yes") return true;
  if (value == "off" || value == "false" || value == "no") return false;
  throw ConfigError::usage("-machine: " + name + " expects 'on' or 'off', not '" + value + "'");
}

u64 block_size(const std::string& text) {
  char* end = nullptr;
  const u64 value = std::strtoull(text.c_str(), &end, 0);
  if (end == text.c_str() || *end || !is_power_of_two(value) || value < TzMpc::kMinBlock ||
      value > TzMpc::kMaxBlock)
    throw ConfigError::usage("-machine: mpc-block expects a power of two, 32 to 1048576, not '" + text + "'");
  return value;
}

// An MPC at the end of a chain is the one in front of RAM.
void set_chain(const std::string& option, std::string_view text, std::vector<GateKind>& path, bool& mpc) {
  if (!path.empty()) throw ConfigError::usage(option + ": the gates of this path have been given already");
  path = parse_gates(option, text);
  if (path.empty() || path.back() != GateKind::TzMpc) return;
  mpc = true;
  path.pop_back();
}

void parse_gate_property(const std::string& name, const std::string& value, GateChoices& gates) {
  const std::string option = "-machine: " + name;
  if (name == "iommu") return set_chain(option, value, gates.dma, gates.mpc);
  if (name == "cpu-iommu") return set_chain(option, value, gates.pe, gates.mpc);
  if (name == "mpc" && on_or_off(name, value)) gates.mpc = true;
  if (name == "mpc-block") gates.mpc_block = block_size(value);
  if (name != "chain") return;
  if (value.starts_with("pe:")) return set_chain(option, value.substr(3), gates.pe, gates.mpc);
  if (value.starts_with("dma:")) return set_chain(option, value.substr(4), gates.dma, gates.mpc);
  throw ConfigError::usage(option + " expects pe:GATES or dma:GATES, not '" + value + "'");
}

}  // namespace

std::span<const VirtProperty> virt_properties() { return kProperties; }

VirtChoices parse_virt_properties(const std::vector<std::pair<std::string, std::string>>& properties,
                                  unsigned pes) {
  VirtChoices choices;
  std::string gic;
  for (const auto& [name, value] : properties) {
    if (name == "gic-version")
      gic = value;
    else if (name == "its")
      choices.its = on_or_off(name, value);
    else if (name == "highmem")
      choices.highmem = on_or_off(name, value);
    else if (name == "secure")
      choices.secure = on_or_off(name, value);
    else if (name == "acpi")
      choices.acpi = value == "auto" || on_or_off(name, value);
    else if (name == "dtb-randomness" || name == "dtb-kaslr-seed")
      choices.device_tree_randomness = on_or_off(name, value);
    else
      parse_gate_property(name, value, choices.gates);
    for (const VirtProperty& p : kProperties)
      if (name == p.name && p.only_value && value != p.only_value)
        throw ConfigError::usage("-machine: " + name + "=" + value + " is not available (" + p.help + ")");
  }
  choices.gic_version = gic_version(gic, pes);
  if (choices.gates.has_mpc() && !choices.secure)
    throw ConfigError::usage("-machine: an MPC needs secure=on: only Secure software can program it");
  return choices;
}

}  // namespace sluice
