// app/machine_target.h: the monitor's view of a `virt` board.
#pragma once
#include <functional>
#include <string>

#include "app/monitor.h"
#include "cpu/a64/disassembler.h"
#include "machines/virt.h"

namespace sluice {

class MachineTarget final : public MonitorTarget {
 public:
  // What the session decides: whether the machine runs, and when it ends.
  struct Control {
    std::function<bool()> running;
    std::function<void()> stop, cont, reset, quit;
    // Around every look at a PE, which pauses it: calls that wait for the user are interrupted meanwhile.
    std::function<void()> before_pause, after_pause;
  };
  MachineTarget(Virt& board, std::string name, Control control)
      : board_(board),
        name_(std::move(name)),
        control_(std::move(control)),
        disassembler_(board.pes().pe(0).decoder()) {}

  std::string name() override { return name_; }
  bool running() override { return control_.running(); }
  void stop() override { control_.stop(); }
  void cont() override { control_.cont(); }
  void system_reset() override { control_.reset(); }
  void system_powerdown() override { board_.press_power_button(); }
  void quit() override { control_.quit(); }
  unsigned pes() override { return unsigned(board_.pes().size()); }
  std::string memory_tree() override { return describe_memory_tree(board_.topology()); }
  std::string flat_views() override { return describe_flat_views(board_.topology()); }
  std::string registers(unsigned pe) override;
  std::string tlb(unsigned pe) override;
  std::string memory_map(unsigned pe) override;
  std::string translator_counters(unsigned pe) override;
  std::string interrupts() override { return board_.describe_interrupts(); }
  std::string pci() override { return board_.pci().describe(); }
  std::string gates() override;
  std::string iotlbs() override;
  std::optional<std::string> path(const std::string& initiator, u64 address, char access) override;
  PeStatus pe_status(unsigned pe) override;
  std::optional<u64> register_value(unsigned pe, const std::string& name) override;
  std::optional<u64> read_virtual(unsigned pe, u64 va, unsigned size) override;
  std::optional<u64> read_physical(u64 pa, unsigned size) override;
  std::string disassemble(u64 address, u32 word) override;

 private:
  void look_at(unsigned pe, const std::function<void(cpu::Pe&)>& look);
  Virt& board_;
  const std::string name_;
  const Control control_;
  const cpu::a64::Disassembler disassembler_;
};

// `info registers` of one PE: X0..X30, SP, PSTATE, and the FP and SIMD registers.
std::string describe_registers(const cpu::PeState& state);

}  // namespace sluice
