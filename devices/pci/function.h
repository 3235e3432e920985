// devices/pci/function.h: what all PCI Express functions share: configuration space, BARs, bus mastering,
// INTx and messages. PCI Express Base Specification 5.0, 6.1, 6.6 and 7.5.
// Wiring: PciWiring. Every function is a root complex integrated endpoint. Not modelled: I/O BARs, expansion
// ROM, power management, ATS, PASID.
#pragma once
#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/wire.h"
#include "devices/pci/config_registers.h"
#include "devices/pci/config_space.h"
#include "devices/pci/msix.h"
#include "memory/dma.h"

namespace sluice {

// Where a function is, fixed when the machine is wired: whatever bus numbers software writes, the requester
// ID, which is the StreamID and the endpoint ID, stays.
struct PciWiring {
  Topology* topology = nullptr;
  std::shared_ptr<Container> memory;  // the PCI memory space, in which the BARs appear
  const AddressSpace* dma = nullptr;  // data of the function; nullptr: it is no bus master
  // Its messages. Another space than `dma` for a function whose data bypasses the IOMMU: what software
  // writes into an MSI-X table is an address behind the IOMMU even then.
  const AddressSpace* messages = nullptr;
  MemTxAttrs attrs = MemTxAttrs::device(0, 0);  // requester = Routing ID
  IrqLine intx;

  u8 devfn() const { return u8(attrs.requester); }
};

struct PciIdentity {
  u16 vendor = 0, device = 0;
  u8 revision = 0;
  u32 class_code = 0;  // base class, sub-class, programming interface: 24 bits
  u16 subsystem_vendor = pci::kVendorQumranet, subsystem = 0x1100;
  bool interrupt_pin = true;  // INTA
};

class PciFunction {
 public:
  PciFunction(std::string name, const PciIdentity& identity, PciWiring wiring);
  virtual ~PciFunction();
  PciFunction(const PciFunction&) = delete;
  PciFunction& operator=(const PciFunction&) = delete;

  const std::string& name() const { return name_; }
  u8 devfn() const { return wiring_.devfn(); }
  const PciWiring& wiring() const { return wiring_; }
  // The 4 KiB of configuration space, for the ECAM.
  const std::shared_ptr<MmioRegion>& config_region() const { return config_region_; }
  // Device 0..7 of a slot with more than one function says so in function 0. Before the machine runs.
  void set_multi_function();
  // Machine reset. The caller holds `lock()`.
  void reset();
  // Protects configuration space, BARs and the device behind them.
  std::mutex& lock() { return mutex_; }
  // For `info pci`: identity, BARs and interrupts.
  std::string describe();

 protected:
  enum class BarKind : u8 { Memory32, Memory64Prefetchable };
  // In the constructor of the device: `size` bytes (a power of two, 16 or more) of `device`, at BAR `index`.
  void add_bar(unsigned index, BarKind kind, u64 size, MmioDevice& device);
  void add_msix(unsigned vectors, unsigned bar);
  void add_msi();
  // Makes the function a PCI Express one, with function-level reset.
  void add_pci_express();

  // Everything of the device returns to its reset state; configuration space is there already. Also called
  // for a function-level reset. With the lock held.
  virtual void reset_device() = 0;

  ConfigSpace& config() { return config_; }
  const ConfigSpace& config() const { return config_; }
  // Valid for a function that was wired as a bus master. Refuses everything while Bus Master Enable is 0.
  DmaPort& dma_port() { return *dma_; }
  Msix* msix() { return msix_.get(); }
  Msi* msi() { return msi_.get(); }
  // The level of the function's interrupt. Reaches its INTx line unless software has chosen otherwise.
  void set_intx(bool level);

 private:
  class ConfigPort;
  class BusMaster;
  struct Bar {
    unsigned index;
    BarKind kind;
    u64 size;
    std::shared_ptr<MmioRegion> region;
    std::optional<u64> mapped_at;
  };
  void add_header(const PciIdentity& identity);
  void write_config(u16 offset, unsigned size, u32 value);
  void apply_config();
  void reset_locked();
  std::optional<u64> bar_address(const Bar& bar) const;
  void update_bars();
  void update_bus_master();
  void update_intx();
  void send_message(u64 address, u32 data);

  const std::string name_;
  const PciWiring wiring_;
  std::mutex mutex_;
  ConfigSpace config_;
  std::unique_ptr<ConfigPort> config_port_;
  std::shared_ptr<MmioRegion> config_region_;
  std::vector<Bar> bars_;
  std::unique_ptr<BusMaster> data_master_, message_master_;
  std::optional<DmaPort> dma_, messages_;
  std::unique_ptr<Msix> msix_;
  std::unique_ptr<Msi> msi_;
  u16 express_ = 0;  // the PCI Express capability
  bool intx_level_ = false, bus_master_ = false;
};

}  // namespace sluice
