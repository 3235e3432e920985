// app/device_table.cpp: the devices that -device offers.
#include "app/options.h"

namespace sluice {
namespace {

std::vector<NameAndHelp> with_common(std::vector<NameAndHelp> properties) {
  properties.push_back({"id", "name of the device"});
  return properties;
}

std::vector<NameAndHelp> with_slot(std::vector<NameAndHelp> properties) {
  properties.push_back({"bus", "virtio-mmio-bus.N: the slot; the highest free one by default"});
  return with_common(std::move(properties));
}

std::vector<NameAndHelp> with_place(std::vector<NameAndHelp> properties) {
  properties.push_back({"addr", "DEVICE[.FUNCTION] in hexadecimal; the lowest free device by default"});
  properties.push_back({"bus", "pcie.0, the only one"});
  properties.push_back({"multifunction", "on|off: accepted; function 0 says what is there"});
  return with_common(std::move(properties));
}

// Of those whose data passes the IOMMU.
std::vector<NameAndHelp> with_dma(std::vector<NameAndHelp> properties) {
  properties.push_back({"container", "id of the -object that data goes through, in place of the IOMMU"});
  return with_place(std::move(properties));
}

// virtio-pci.
std::vector<NameAndHelp> with_virtio_pci(std::vector<NameAndHelp> properties) {
  properties.push_back({"iommu_platform", "on|off: DMA goes through the IOMMU in front of PCIe"});
  properties.push_back({"vectors", "MSI-X vectors, 0..2048; 0 = INTx only"});
  properties.push_back({"disable-legacy", "on|auto: there is only the modern interface"});
  properties.push_back({"disable-modern", "off: there is only the modern interface"});
  return with_dma(std::move(properties));
}

std::vector<DeviceInfo> make_table() {
  const std::vector<NameAndHelp> blk = {
      {"drive", "id of the -drive"},
      {"serial", "serial number, up to 20 characters"},
      {"num-queues", "number of request queues, 1..16"},
      {"queue-size", "entries of each queue: a power of two, 4..1024"},
      {"logical_block_size", "a power of two, 512..32768"},
      {"physical_block_size", "a power of two, at least logical_block_size"},
      {"discard", "on|off: offer discard and write zeroes"},
      {"write-cache", "on|off: start in write-back mode"}};
  const std::vector<NameAndHelp> net = {{"netdev", "id of the -netdev"},
                                        {"mac", "hardware address, 52:54:00:12:34:56 by default"},
                                        {"host_mtu", "MTU that the card announces; 0 = none"}};
  const std::vector<NameAndHelp> serial = {{"max_ports", "number of ports, 1..31"}};
  const std::vector<NameAndHelp> port = {{"chardev", "id of the -chardev"},
                                         {"name", "name of the port, as the guest sees it"},
                                         {"nr", "port number; the lowest free one by default"},
                                         {"bus", "ID.0 of the controller; the last one by default"}};
  const char* disk = "disk";
  const char* card = "network card";
  const char* random = "source of random numbers";
  const char* controller = "serial controller for virtconsole and virtserialport";
  return {
      {"virtio-blk-pci", "virtio-blk", disk, with_virtio_pci(blk)},
      {"virtio-blk-device", "", disk, with_slot(blk)},
      {"virtio-net-pci", "virtio-net", card, with_virtio_pci(net)},
      {"virtio-net-device", "", card, with_slot(net)},
      {"virtio-rng-pci", "virtio-rng", random, with_virtio_pci({})},
      {"virtio-rng-device", "", random, with_slot({})},
      {"virtio-serial-pci", "virtio-serial", controller, with_virtio_pci(serial)},
      {"virtio-serial-device", "", controller, with_slot(serial)},
      {"virtconsole", "", "console port of a serial controller", with_common(port)},
      {"virtserialport", "", "data port of a serial controller", with_common(port)},
      {"virtio-iommu-pci", "virtio-iommu", "IOMMU in front of PCIe: the same as -machine iommu=virtio",
       with_place({})},
      {"loader", "", "puts a file or a value into memory, or starts a PE somewhere",
       with_common({{"file", "ELF, Intel HEX or S-records, or raw with addr="},
                    {"addr", "where a raw file or a value goes; where the PE starts"},
                    {"cpu-num", "the PE that starts at addr, or at the entry of the file"},
                    {"force-raw", "on|off: the file is raw whatever it looks like"},
                    {"data", "a value of data-len bytes"},
                    {"data-len", "1..8, by default 8"},
                    {"data-be", "on|off: the value is stored big endian"}})},
      {"edu", "", "educational device: factorials, interrupts, DMA",
       with_dma({{"dma_mask", "bits of DMA addresses that it can drive; 0x0fffffff by default"}})},
      {"iommu-testdev", "", "DMA master for tests of IOMMUs", with_dma({})},
  };
}

}  // namespace

const std::vector<DeviceInfo>& device_table() {
  static const std::vector<DeviceInfo> table = make_table();
  return table;
}

const DeviceInfo* find_device(std::string_view name) {
  for (const DeviceInfo& d : device_table())
    if (name == d.name || (*d.alias && name == d.alias)) return &d;
  return nullptr;
}

}  // namespace sluice
