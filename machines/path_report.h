// machines/path_report.h: a transaction's way to memory as people read it: every hop with what it read,
// whether the answer is cached, and which hop denies it. Nothing here has a side effect on the machine.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "machines/virt.h"

namespace sluice {

// Somebody who makes transactions, and the first address space on his way.
struct PathStart {
  const AddressSpace* space = nullptr;
  MemTxAttrs attrs = MemTxAttrs::debugger();
};
// "pe1" (physical addresses of PE 1), "00:02.0" (a PCI function), "system" (the memory map itself, as a
// debugger). Nothing: there is no such initiator.
std::optional<PathStart> find_initiator(Virt& board, std::string_view name);

std::string describe_path(Virt& board, const PathStart& start, u64 address, Access access);
// `info iommu`: every gate with its registers' address, its state and its counters.
std::string describe_gates(const Gates& gates);
// `info iotlb`: what the gates cache.
std::string describe_iotlbs(const Gates& gates, size_t limit);

}  // namespace sluice
