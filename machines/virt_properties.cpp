// machines/virt_properties.cpp: the -machine properties of the `virt` board.
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
    {"secure", "off: no EL3 and no Secure state yet", "off"},
    {"virtualization", "off: no EL2 yet", "off"},
    {"iommu", "none: no IOMMU yet", "none"},
    {"mte", "off: no memory tagging yet", "off"},
    {"acpi", "off: the device tree describes the machine", "off"},
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
    else if (name == "dtb-randomness" || name == "dtb-kaslr-seed")
      choices.device_tree_randomness = on_or_off(name, value);
    for (const VirtProperty& p : kProperties)
      if (name == p.name && p.only_value && value != p.only_value)
        throw ConfigError::usage("-machine: " + name + "=" + value + " is not available (" + p.help + ")");
  }
  choices.gic_version = gic_version(gic, pes);
  return choices;
}

}  // namespace sluice
