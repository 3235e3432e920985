// machines/host_containers.cpp: see host_containers.h.
#include "machines/host_containers.h"

#include <algorithm>
#include <cinttypes>

#include "machines/config_error.h"
#include "memory/report_text.h"

namespace sluice {
namespace {

std::string place_of(u8 devfn) {
  std::string text;
  append(text, "00:%02x.%u", devfn >> 3, devfn & 7u);
  return text;
}

}  // namespace

void HostContainers::add(SoftHostIommu::Config config) {
  const std::string name = config.name;
  for (const Entry& e : entries_)
    if (e.container->name() == name)
      throw ConfigError::usage("-object: there are two with id '" + name + "'");
  auto container = std::make_shared<SoftHostIommu>(topology_.hub(), std::move(config));
  auto space = std::make_unique<AddressSpace>(topology_, name, container);
  entries_.push_back({std::move(container), std::move(space), {}});
}

const AddressSpace& HostContainers::attach(const std::string& name, u8 devfn) {
  auto found = std::ranges::find_if(entries_, [&](const Entry& e) { return e.container->name() == name; });
  if (found == entries_.end())
    throw ConfigError::usage("container=" + name + ": there is no -object soft-host-iommu with that id");
  if (found->devfn)
    throw ConfigError::usage("container=" + name + ": it is that of " + place_of(*found->devfn) +
                             "; another endpoint of the IOMMU needs a container of its own");
  gates_.add_mirrored_master(devfn, found->container);
  found->devfn = devfn;
  return *found->space;
}

std::vector<std::string> HostContainers::unused() const {
  std::vector<std::string> names;
  for (const Entry& e : entries_)
    if (!e.devfn) names.push_back(e.container->name());
  return names;
}

std::string HostContainers::describe() const {
  std::string text;
  for (const Entry& e : entries_) {
    const SoftHostIommu& c = *e.container;
    const SoftHostIommu::Counters n = c.counters();
    const Gates::Gate* mirrored = gates_.outermost(GatePath::Dma);
    append(text, "%s: container, ", c.name().c_str());
    if (e.devfn && mirrored)
      append(text, "mirrors %s for %s\n", mirrored->placed.name.c_str(), place_of(*e.devfn).c_str());
    else
      text += "not in use\n";
    append(text, "  page sizes 0x%" PRIx64 "; %zu blocks; %" PRIu64 " maps, %" PRIu64 " refused; %" PRIu64,
           c.config().page_size_mask, c.blocks(), n.maps, n.refused_maps, n.unmaps);
    append(text, " unmaps; %" PRIu64 " accesses refused\n", n.refused_accesses);
  }
  return text;
}

}  // namespace sluice
