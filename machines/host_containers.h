// machines/host_containers.h: containers that mirror the IOMMU in front of PCIe (memory/host_iommu.h), each
// for one function, whose data goes through the container and not through the IOMMU: what a host's IOMMU does
// for a passed-through device.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "machines/gates.h"
#include "memory/address_space.h"
#include "memory/host_iommu.h"

namespace sluice {

class HostContainers {
 public:
  HostContainers(Topology& topology, Gates& gates) : topology_(topology), gates_(gates) {}

  // config.name is how devices name it. Throws ConfigError when there is one already.
  void add(SoftHostIommu::Config config);
  // The container mirrors the outermost gate for this function from now on. Its address space. Throws
  // ConfigError: there is no such container, it has a function already, or the gate and it do not go
  // together.
  const AddressSpace& attach(const std::string& name, u8 devfn);
  // Names of those that no function uses.
  std::vector<std::string> unused() const;
  // For `info iommu`.
  std::string describe() const;

 private:
  struct Entry {
    std::shared_ptr<SoftHostIommu> container;
    std::unique_ptr<AddressSpace> space;
    std::optional<u8> devfn;
  };
  Topology& topology_;
  Gates& gates_;
  std::vector<Entry> entries_;
};

}  // namespace sluice
