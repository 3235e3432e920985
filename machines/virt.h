// machines/virt.h: the `virt` board: memory map, interrupts and device tree as kernels and firmware for the
// board of that name expect them. Wiring only: what the parts do is in devices/ and cpu/.
//
//   0x00000000 flash, 64 MiB; Secure with secure=on
//   0x04000000 flash, 64 MiB
//   0x08000000 GIC distributor            SPI  1  PL011   0x09000000
//   0x08010000 GICv2 CPU interface        SPI  2  PL031   0x09010000
//   0x08020000 GICv2m frame                       fw_cfg  0x09020000
//   0x08080000 GICv3 ITS
//   0x080a0000 GICv3 redistributors       SPI  7  PL061   0x09030000 (line 3: power button)
//   0x09040000 PL011, Secure, SPI 8 (secure=on)
//   0x0a000000 32 virtio-mmio slots       SPI  3 to 6     PCIe INTx
//   0x09050000, 0x0b000000 gates          SPI 74, 144 on  gates (machines/gates.h)
//   0x0e000000 16 MiB of RAM, Secure (secure=on)
//   0x10000000 PCIe memory, 32 bit        SPI 16+n        virtio-mmio slot n
//   0x3eff0000 PCIe I/O                   SPI 48 to 111   GICv2m messages
//   0x3f000000 PCIe ECAM with highmem=off
//   0x40000000 RAM, up to 255 GiB
//   0x40'10000000 PCIe ECAM
//   0x80'00000000 PCIe memory, 64 bit, 512 GiB
#pragma once
#include <array>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "cpu/models.h"
#include "cpu/pe_group.h"
#include "devices/char/pl011.h"
#include "devices/flash/cfi_flash.h"
#include "devices/fw_cfg.h"
#include "devices/gic/gicv2.h"
#include "devices/gic/gicv2m.h"
#include "devices/gic/gicv3.h"
#include "devices/gic/its.h"
#include "devices/gpio/pl061.h"
#include "devices/pci/host.h"
#include "devices/timer/pl031.h"
#include "devices/virtio/virtio_mmio.h"
#include "machines/board.h"
#include "machines/gates.h"
#include "machines/host_containers.h"
#include "machines/loader.h"
#include "memory/address_space.h"

namespace sluice {

struct VirtConfig {
  u64 ram_size = u64{128} << 20;
  unsigned pes = 1;
  cpu::CpuModel model;
  unsigned gic_version = 2;
  bool its = true;      // of a GICv3
  bool highmem = true;  // PCIe ECAM and 64-bit memory above RAM
  bool secure = false;  // EL3 and the Secure state, with memory and a UART of its own
  bool virtio_mmio_legacy = true;
  bool direct_tlb = false;
  cpu::GroupOptions group;
  SemihostingHandler* semihosting = nullptr;  // outlives the board
  ByteStream* secure_serial = nullptr;        // of the Secure UART; outlives the board; none: goes nowhere
  u64 rtc_start = 0;                          // seconds since 1970 at virtual time 0
  GateChoices gates;
};

// -machine virt,NAME=VALUE. Where a feature does not exist yet, only the value that says so is accepted.
struct VirtProperty {
  const char* name;
  const char* help;
  const char* only_value;  // nullptr: looked at by parse_virt_properties
};
std::span<const VirtProperty> virt_properties();

struct VirtChoices {
  unsigned gic_version = 2;
  bool its = true;
  bool highmem = true;
  bool secure = false;
  bool acpi = true;  // for firmware
  bool device_tree_randomness = true;
  GateChoices gates;
};
// Throws ConfigError. The names have been checked against virt_properties().
VirtChoices parse_virt_properties(const std::vector<std::pair<std::string, std::string>>& properties,
                                  unsigned pes);

// What is between a PCI function and memory.
enum class PciDma : u8 {
  Translated,    // dma_space(), for data and messages
  DataBypasses,  // data goes to system memory; messages do not: a virtio device without ACCESS_PLATFORM
  Bypasses,      // both go to system memory: the function of an IOMMU itself
};

class Virt {
 public:
  static constexpr unsigned kVirtioSlots = 32;
  static constexpr unsigned kPowerButtonLine = 3;
  static constexpr unsigned kMaxPes = 16;
  static constexpr unsigned kFlashBanks = 2;

  // `serial` outlives the board. Throws ConfigError when the host has no room for the RAM.
  Virt(VirtConfig config, Clock& clock, ByteStream& serial);
  ~Virt();
  Virt(const Virt&) = delete;
  Virt& operator=(const Virt&) = delete;

  // Into the slot, or into the highest free one: the order in which guests number their disks depends on it.
  // Before the machine runs. Throws ConfigError.
  void plug(std::unique_ptr<VirtioDevice> device, std::optional<unsigned> slot = {});
  // PCI functions, before the machine runs: what to make one with, at this device and function number or in
  // the lowest free device; then the function itself. Throws ConfigError.
  PciWiring pci_wiring(PciDma dma, std::optional<u8> devfn = {});
  // The same for a function whose data goes through a container, which stands in for the gate that it
  // mirrors.
  PciWiring pci_wiring_behind(const std::string& container, std::optional<u8> devfn = {});
  void plug(std::unique_ptr<PciFunction> function) { pci_->add(std::move(function)); }
  // The virtio-iommu in front of PCI, as a function. Nothing when there is none. Before other functions.
  void plug_iommu(std::optional<u8> devfn = {});
  // The file behind a flash bank; before the machine runs. Throws ConfigError.
  void attach_flash(unsigned bank, std::unique_ptr<FlashStore> store);
  // A firmware image of any size up to that of the bank, into bank 0, where it stays for this run. Throws
  // ConfigError.
  void load_firmware(const std::string& path);
  // Banks without an image: a loader may fill them.
  std::vector<PhysRange> free_flash() const;
  // Bank 0 has contents: the PEs start there.
  bool has_firmware() const { return has_firmware_; }
  // What firmware finds in fw_cfg, each "" where there is none: paths of a kernel and a RAM disk, and the
  // kernel's command line. Throws ConfigError.
  void offer_kernel(const std::string& kernel, const std::string& initrd, const std::string& command_line);
  // A file of fw_cfg. Throws ConfigError. The contents of a host file, of the size that fw_cfg can have.
  void add_fw_cfg_file(const std::string& name, std::vector<u8> bytes);
  static std::vector<u8> read_for_fw_cfg(const std::string& path);
  // Descriptions for firmware in fw_cfg: SMBIOS, and ACPI when it is wanted. Complete wiring, after
  // start_as_firmware().
  void offer_tables(bool acpi);
  // The wiring is complete: what the record still lacks is added.
  void finish_wiring();
  // Copies what the loader collected into RAM; on a reset again, because the last run has changed it.
  void load(const std::vector<LoadSegment>& segments);
  // Whether the program is the machine's firmware, where there is EL3: then all PEs start in it, at EL3, and
  // there is no PSCI but its own. A kernel starts at EL1 in the Non-secure state, on PE 0 alone, and finds
  // PSCI. Before the device tree is made.
  void start_as_firmware(bool yes);
  // Where PE 0, or all PEs, start at their next reset.
  void set_boot(const BootInfo& boot);
  // Where one PE starts at its next reset; after set_boot(). PSCI keeps those that it holds off.
  void set_start(unsigned pe, GuestPhysAddr entry);
  // Every device as after power-on. The PEs do not run.
  void reset_devices();
  void press_power_button();

  const VirtConfig& config() const { return config_; }
  const BoardRecord& record() const { return record_; }
  InvalidationHub& hub() { return hub_; }
  Topology& topology() { return topology_; }
  AddressSpace& system() { return *system_; }
  // What PEs see as memory behind their own MMUs: the memory map, or the gates in front of it.
  AddressSpace& pe_space(PaSpace space) {
    if (space == PaSpace::Secure && secure_) return pe_secure_ ? *pe_secure_ : *secure_;
    return pe_space_ ? *pe_space_ : *system_;
  }
  // As a PE sees it, but without the gates behind its MMU.
  AddressSpace& memory(PaSpace space) { return space == PaSpace::Secure && secure_ ? *secure_ : *system_; }
  // What PCI functions see as memory: the system memory map, or the gates in front of it.
  AddressSpace& dma_space() { return *dma_space_; }
  PciHost& pci() { return *pci_; }
  const Gates& gates() const { return *gates_; }
  HostContainers& containers() { return *containers_; }
  cpu::PeGroup& pes() { return *pes_; }
  InterruptController& gic() { return *gic_; }
  std::string describe_interrupts() { return gic_->describe() + (its_ ? its_->describe() : std::string{}); }
  // Backs the ICC_* system registers of a PE; nullptr with a GICv2, whose CPU interface is memory mapped.
  SysregPort* gic_cpu_interface(unsigned pe);
  Pl011& uart() { return *uart_; }
  u64 affinity(unsigned pe) const;

 private:
  void add_ram();
  void add_gic();
  void add_uart(ByteStream& serial);
  void add_rtc();
  void add_fw_cfg();
  void add_gpio();
  void add_flash();
  void add_virtio_slots();
  void add_v2m();
  void add_its();
  void add_pcie();
  void add_gates();
  void add_secure_parts();
  void add_pes();
  u8 free_devfn(std::optional<u8> devfn) const;
  // What load() writes to, and where in it; the loader has checked the address.
  std::pair<GuestRam*, u64> memory_at(GuestPhysAddr address);
  void place(GuestPhysAddr address, std::shared_ptr<Region> region);
  void record(Part part, PhysRange window, u32 spi, InterruptInput::Trigger trigger);

  const VirtConfig config_;
  Clock& clock_;
  BoardRecord record_;
  InvalidationHub hub_;
  Topology topology_{hub_};
  std::shared_ptr<GuestRam> ram_;
  std::shared_ptr<Container> memory_ = std::make_shared<Container>("system", kWholeSpace);
  std::unique_ptr<AddressSpace> system_;
  // What Secure accesses see: the parts of the Secure state, and behind them what everybody sees. That of the
  // PEs is behind their gates.
  std::shared_ptr<GuestRam> secure_ram_;
  std::unique_ptr<AddressSpace> secure_, pe_secure_;
  std::unique_ptr<ByteStream> no_serial_;
  bool firmware_ = false;
  std::unique_ptr<Gicv2> gicv2_;
  std::unique_ptr<Gicv2m> v2m_;
  std::unique_ptr<Gicv3> gicv3_;
  std::unique_ptr<Gicv3Its> its_;
  InterruptController* gic_ = nullptr;
  // Destroyed after the devices, which may still drive its interrupts, and before the GIC, which it drives.
  std::unique_ptr<cpu::PeGroup> pes_;
  std::unique_ptr<Pl011> uart_, secure_uart_;
  std::unique_ptr<Pl031> rtc_;
  std::unique_ptr<FwCfg> fw_cfg_;
  std::array<std::unique_ptr<CfiFlash>, kFlashBanks> flash_;
  std::array<bool, kFlashBanks> flash_taken_{};
  bool has_firmware_ = false;
  std::unique_ptr<Pl061> gpio_;
  std::unique_ptr<Clock::Timer> power_button_release_;
  std::array<std::unique_ptr<VirtioMmio>, kVirtioSlots> virtio_;
  std::unique_ptr<Gates> gates_;  // after what they stand in front of, before those who pass them
  std::unique_ptr<AddressSpace> pe_space_, dma_space_;
  std::unique_ptr<HostContainers> containers_;
  std::unique_ptr<PciHost> pci_;
};

}  // namespace sluice
