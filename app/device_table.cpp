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

std::vector<DeviceInfo> make_table() {
  std::vector<NameAndHelp> port = {{"chardev", "id of the -chardev"},
                                   {"name", "name of the port, as the guest sees it"},
                                   {"nr", "port number; the lowest free one by default"},
                                   {"bus", "ID.0 of the virtio-serial-device; the last one by default"}};
  return {
      {"virtio-blk-device", "virtio-blk", "disk",
       with_slot({{"drive", "id of the -drive"},
                  {"serial", "serial number, up to 20 characters"},
                  {"num-queues", "number of request queues, 1..16"},
                  {"queue-size", "entries of each queue: a power of two, 4..1024"},
                  {"logical_block_size", "a power of two, 512..32768"},
                  {"physical_block_size", "a power of two, at least logical_block_size"},
                  {"discard", "on|off: offer discard and write zeroes"},
                  {"write-cache", "on|off: start in write-back mode"}})},
      {"virtio-net-device", "virtio-net", "network card",
       with_slot({{"netdev", "id of the -netdev"},
                  {"mac", "hardware address, 52:54:00:12:34:56 by default"},
                  {"host_mtu", "MTU that the card announces; 0 = none"}})},
      {"virtio-rng-device", "virtio-rng", "source of random numbers", with_slot({})},
      {"virtio-serial-device", "virtio-serial", "serial controller for virtconsole and virtserialport",
       with_slot({{"max_ports", "number of ports, 1..31"}})},
      {"virtconsole", "", "console port of a virtio-serial-device", with_common(port)},
      {"virtserialport", "", "data port of a virtio-serial-device", with_common(port)},
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
