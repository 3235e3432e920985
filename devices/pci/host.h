// devices/pci/host.h: a generic PCI Express host bridge: one segment, one bus, configuration space by ECAM.
// PCI Express Base Specification 5.0, 7.2.2; Linux binding pci-host-ecam-generic.
// Wiring: three regions that the board places (ECAM, memory space, I/O space), four interrupt lines out
// (level), functions at device and function numbers of bus 0. What nobody decodes reads as all ones and
// ignores writes, as on a bus where the root complex turns an unsupported request into that.
#pragma once
#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "devices/pci/function.h"

namespace sluice {

class PciHost {
 public:
  static constexpr unsigned kIntxLines = 4;
  static constexpr u64 kEcamPerBus = 1 << 20;
  static constexpr u64 kIoSize = 0x10000;

  // Initiators are numbered from `first_initiator`, one for each device and function number.
  PciHost(Topology& topology, std::array<IrqLine, kIntxLines> intx, unsigned buses, u16 first_initiator);
  ~PciHost();
  PciHost(const PciHost&) = delete;
  PciHost& operator=(const PciHost&) = delete;

  // kEcamPerBus for each bus.
  const std::shared_ptr<Container>& ecam() const { return ecam_; }
  // All 64 bits of PCI memory addresses; the board shows windows of it.
  const std::shared_ptr<Container>& memory() const { return memory_; }
  const std::shared_ptr<MmioRegion>& io() const { return io_; }

  // What a function at `devfn` is wired with. `dma` and `messages`: see PciWiring.
  PciWiring wiring(u8 devfn, const AddressSpace* dma, const AddressSpace* messages);
  // Before the machine runs. The place that the function was wired for is free.
  void add(std::unique_ptr<PciFunction> function);
  // nullptr: there is none.
  const PciFunction* find(u8 devfn) const {
    auto found = functions_.find(devfn);
    return found == functions_.end() ? nullptr : found->second.get();
  }
  bool is_free(u8 devfn) const { return !functions_.contains(devfn); }
  // Machine reset: every function, each under its lock.
  void reset();
  // `info pci`.
  std::string describe();

 private:
  class AllOnes;
  void drive(u8 devfn, bool level);

  Topology& topology_;
  const u16 first_initiator_;
  const std::array<IrqLine, kIntxLines> intx_;
  std::unique_ptr<AllOnes> all_ones_;
  std::shared_ptr<Container> ecam_, memory_;
  std::shared_ptr<MmioRegion> io_;
  std::mutex intx_mutex_;  // taken with a function's lock held; the interrupt controller's comes after it
  std::array<std::array<u64, 4>, kIntxLines> asserted_{};  // for each line, one bit for each devfn
  std::map<u8, std::unique_ptr<PciFunction>> functions_;
};

}  // namespace sluice
