// machines/board.h: the wiring record: what a board placed where and soldered to what. The board writes it
// while it builds; the device tree and the monitor read it. It holds facts about the machine, never text of a
// device tree.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/types.h"
#include "cpu/psci.h"

namespace sluice {

using PhysRange = Range<GuestPhysAddr>;

// One input of the interrupt controller.
struct InterruptInput {
  enum class Kind : u8 { Spi = 0, Ppi = 1 };  // as the GIC device-tree binding numbers them
  enum class Trigger : u8 { EdgeRising = 1, LevelHigh = 4 };
  Kind kind = Kind::Spi;
  u32 number = 0;  // SPI or PPI number: INTID - 32 or INTID - 16
  Trigger trigger = Trigger::LevelHigh;
};

enum class Part : u8 { Pl011, Pl031, Pl061, FwCfg, VirtioMmio };

struct PlacedPart {
  Part part;
  PhysRange window;
  InterruptInput interrupt;  // not used by a FwCfg
  bool secure_only = false;  // not there for the Non-secure state
};

struct PlacedPe {
  std::string compatible;  // "arm,cortex-a57"
  u64 mpidr = 0;           // affinity fields only
};

struct PlacedGic {
  unsigned version = 3;
  PhysRange distributor;
  std::vector<PhysRange> redistributors;   // GICv3
  std::optional<PhysRange> cpu_interface;  // GICv2
  std::optional<PhysRange> its;            // GICv3: where message-signalled interrupts are written
  std::optional<PhysRange> v2m_frame;      // GICv2: where message-signalled interrupts are written
  std::optional<u32> maintenance_ppi;      // with EL2
};

struct PlacedPcie {
  PhysRange ecam, memory;                // memory: 32-bit addresses, the same on the bus
  std::optional<PhysRange> high_memory;  // 64-bit addresses, the same on the bus
  PhysRange io;                          // bus address 0 on
  u32 buses = 0;
  u32 first_intx_spi = 0;  // four in a row
};

// A bank of CFI flash, two 16-bit chips side by side.
struct PlacedFlash {
  PhysRange window;
  bool secure_only = false;
};

// A translation or protection stage on a path to memory (machines/gates.h).
enum class GateKind : u8 { Smmuv3, VirtioIommu, TzMpc };
enum class GatePath : u8 { Ram, Pe, Dma };
struct PlacedGate {
  GateKind kind = GateKind::Smmuv3;
  GatePath path = GatePath::Dma;
  std::string name;         // "smmuv3-dma"
  PhysRange frame;          // its registers; empty for a PCI function
  u32 first_spi = 0;        // an SMMU: eventq, priq, cmdq-sync, gerror; others: one
  bool outermost = false;   // next to the initiator: what an operating system programs
  std::optional<u8> devfn;  // a virtio-iommu that is a PCI function
};

struct TimerPpis {
  u32 secure_physical = 13, physical = 14, virtual_ = 11, hypervisor = 10;
  std::optional<u32> hypervisor_virtual;
};

struct BoardRecord {
  PhysRange ram;
  std::optional<PhysRange> secure_ram;
  std::vector<PlacedPe> pes;
  PlacedGic gic;
  TimerPpis timer;
  std::optional<u32> pmu_ppi;
  cpu::PsciConduit psci = cpu::PsciConduit::None;
  std::vector<PlacedPart> parts;  // by address
  std::optional<PlacedPcie> pcie;
  std::vector<PlacedGate> gates;
  std::vector<PlacedFlash> flash;        // by address
  std::optional<u32> power_button_line;  // of the Pl061
};

}  // namespace sluice
