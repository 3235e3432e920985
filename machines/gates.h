// machines/gates.h: the gates between initiators and memory: translation and protection stages, in the order
// that the command line asks for. Wiring only; what a gate does is in devices/iommu.
//
//   PEs         -> [gates of `pe`]  ----+
//                                       +-> system memory map -> [MPC] -> RAM
//   PCI devices -> [gates of `dma`] ----+
//
// The MPC in front of RAM (`mpc=on`, or "mpc" as the last gate of a chain) is one for all initiators. An MPC
// elsewhere in a chain is one of its own, in front of the addresses of RAM. Registers, in the memory map:
//
//   0x09050000  the first SMMU in front of PCIe   SPI 74 eventq, 75 (priq: no wire), 76 cmdq-sync, 77 gerror
//   0x0b000000  the MPC in front of RAM           SPI 144
//   0x0b020000  every other gate, 128 KiB each    SPI 148 + 4n, in the order of the SMMU's
#pragma once
#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "devices/iommu/smmuv3/smmuv3.h"
#include "devices/iommu/tz_mpc.h"
#include "devices/iommu/virtio_iommu/device.h"
#include "devices/virtio/virtio_mmio.h"
#include "machines/board.h"
#include "memory/address_space.h"

namespace sluice {

// Which gates there are, from the initiator on. "none" is an empty list.
struct GateChoices {
  std::vector<GateKind> pe, dma;
  bool mpc = false;  // in front of RAM
  u64 mpc_block = 0x1000;
  Smmuv3Config smmu;  // for every SMMU

  bool has_mpc() const {
    auto in = [](const std::vector<GateKind>& path) {
      return std::find(path.begin(), path.end(), GateKind::TzMpc) != path.end();
    };
    return mpc || in(pe) || in(dma);
  }
};
// A property of every SMMU: stage=1|2|nested, oas=BITS, ssidsize=BITS, msi=on|off. Throws ConfigError.
void set_smmu_property(Smmuv3Config& config, const std::string& name, const std::string& value);
// "smmuv3+mpc": gates by name, from the initiator on. Throws ConfigError.
std::vector<GateKind> parse_gates(const std::string& option, std::string_view text);

class Gates {
 public:
  // The board around them. Everything outlives the gates.
  struct Board {
    Topology& topology;
    Clock& clock;
    const AddressSpace& system;  // where the gates' own tables and queues are
    PhysRange ram;
    std::function<void(GuestPhysAddr, std::shared_ptr<Region>)> place;  // into the memory map
    std::function<IrqLine(u32 spi)> spi;
    std::function<void()> send_event;  // to the PEs
    PhysRange msi_frame;               // where devices write their interrupts; empty: nowhere
    u16 first_initiator = 0;           // each gate that reads memory has one
  };
  // One instance, for the monitor.
  struct Gate {
    PlacedGate placed;
    IommuRegion* region = nullptr;
    Smmuv3* smmu = nullptr;
    TzMpc* mpc = nullptr;
    VirtioIommu* viommu = nullptr;
  };

  Gates(Board board, GateChoices choices);
  ~Gates();

  // RAM as the memory map shows it: itself, or the MPC in front of it.
  std::shared_ptr<Region> guard_ram(std::shared_ptr<RamRegion> ram);
  // The first region of a path to `memory`: the outermost gate, or `memory` itself.
  std::shared_ptr<Region> in_front_of(std::shared_ptr<Region> memory, GatePath path);
  // The virtio-iommu next to the PCI devices: the board plugs it in where drivers look for it. Once; nullptr
  // when there is none.
  std::unique_ptr<VirtioIommu> take_pci_iommu(u8 devfn);
  bool has_pci_iommu() const { return pci_iommu_ != nullptr; }

  // The master exists: a virtio-iommu on its path knows the endpoint.
  void add_master(GatePath path, u32 requester);
  // The same for a PCI function whose data goes through `container`, which mirrors the outermost gate.
  void add_mirrored_master(u32 requester, const std::shared_ptr<SoftHostIommu>& container);
  // The gate that a container of a PCI function would mirror; nullptr: there is none.
  const Gate* outermost(GatePath path) const;

  // The wiring is complete: granules are settled.
  void freeze();

  // Masters are quiet. Inside a CompletionScope. Without firmware that would do it, the MPCs are opened.
  void reset(bool firmware);
  const std::vector<Gate>& all() const { return gates_; }

 private:
  struct Slot {
    PhysRange frame;
    u32 first_spi;
  };
  Slot next_slot(GateKind kind, GatePath path);
  AddressSpace& space_of(std::shared_ptr<Region> root, const std::string& name);
  Gate& note(GateKind kind, GatePath path, const Slot& slot);
  std::shared_ptr<Region> add_smmu(std::shared_ptr<Region> behind, GatePath path);
  std::shared_ptr<Region> add_mpc(std::shared_ptr<Region> behind, GatePath path);
  std::shared_ptr<Region> add_virtio(std::shared_ptr<Region> behind, GatePath path);
  std::shared_ptr<TzMpc> make_mpc(const AddressSpace& behind, GatePath path, const Slot& slot);
  DmaPort port() const;
  std::vector<VirtioIommuRegion::Reserved> reserved_for(GatePath path) const;

  const Board board_;
  const GateChoices choices_;
  std::vector<std::unique_ptr<AddressSpace>> spaces_;  // between the gates
  std::vector<std::shared_ptr<Smmuv3>> smmus_;
  std::vector<std::shared_ptr<TzMpc>> mpcs_;
  std::vector<std::unique_ptr<VirtioMmio>> transports_;  // of virtio-iommus that are not on PCI
  std::unique_ptr<VirtioIommu> pci_iommu_;
  std::vector<Gate> gates_;  // the outermost of a path last
  unsigned other_slots_ = 0;
};

}  // namespace sluice
