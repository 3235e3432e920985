// app/monitor.h: the human monitor: commands and formats that people have in their fingers from QEMU's.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/wire.h"

namespace sluice {

// What the monitor asks of a machine. All calls come from the I/O thread.
class MonitorTarget {
 public:
  virtual ~MonitorTarget() = default;
  virtual std::string name() = 0;
  virtual bool running() = 0;
  virtual void stop() = 0;
  virtual void cont() = 0;
  virtual void system_reset() = 0;
  virtual void system_powerdown() = 0;
  virtual void quit() = 0;
  virtual unsigned pes() = 0;
  virtual std::string memory_tree() = 0;
  virtual std::string flat_views() = 0;
  virtual std::string registers(unsigned pe) = 0;
  virtual std::string tlb(unsigned pe) = 0;
  virtual std::string memory_map(unsigned pe) = 0;
  virtual std::string translator_counters(unsigned pe) = 0;
  virtual std::string interrupts() = 0;
  virtual std::string pci() = 0;
  virtual std::string gates() = 0;
  virtual std::string iotlbs() = 0;
  // How an initiator's access at a virtual (PE) or bus address is translated, hop by hop. Nothing: there is
  // no such initiator. `access`: r, w or x.
  virtual std::optional<std::string> path(const std::string& initiator, u64 address, char access) = 0;
  struct PeStatus {
    u64 pc = 0;
    std::string state;  // "running", "halted", "off"
  };
  virtual PeStatus pe_status(unsigned pe) = 0;
  // $pc, $x0 .. $x30, $sp of a PE.
  virtual std::optional<u64> register_value(unsigned pe, const std::string& name) = 0;
  // Exactly one access of 1, 2, 4 or 8 bytes: at a virtual address, with the PE's translation, or at a
  // physical one.
  virtual std::optional<u64> read_virtual(unsigned pe, u64 va, unsigned size) = 0;
  virtual std::optional<u64> read_physical(u64 pa, unsigned size) = 0;
  // One A64 instruction as text.
  virtual std::string disassemble(u64 address, u32 word) = 0;
};

class Monitor {
 public:
  // `version` for the greeting. The stream and the target outlive the monitor.
  Monitor(MonitorTarget& target, ByteStream& stream, std::string version);
  ~Monitor();
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;

  // Greeting and prompt, the first time; later the prompt and what has been typed.
  void focused();
  // One command line. For tests and for `typed`.
  std::string execute(std::string_view line);

 private:
  struct Command {
    const char* name;
    const char* alias;
    const char* arguments;
    const char* help;
    std::string (Monitor::*run)(const std::vector<std::string>& words);
    bool is_info;
  };
  static const std::vector<Command>& commands();
  const Command* find(const std::string& name, bool is_info) const;

  // A format and an address, as of x and xp.
  struct DumpFormat {
    unsigned count = 1;
    char format = 'x';
    unsigned size = 4;
  };
  std::string help(const std::vector<std::string>& words);
  std::string info(const std::vector<std::string>& words);
  std::string info_mtree(const std::vector<std::string>& words);
  std::string info_registers(const std::vector<std::string>& words);
  std::string info_tlb(const std::vector<std::string>& words);
  std::string info_mem(const std::vector<std::string>& words);
  std::string info_irq(const std::vector<std::string>& words);
  std::string info_iommu(const std::vector<std::string>& words);
  std::string info_iotlb(const std::vector<std::string>& words);
  std::string xlate(const std::vector<std::string>& words);
  std::string info_pci(const std::vector<std::string>& words);
  std::string info_jit(const std::vector<std::string>& words);
  std::string info_status(const std::vector<std::string>& words);
  std::string info_cpus(const std::vector<std::string>& words);
  std::string info_name(const std::vector<std::string>& words);
  std::string info_trace_events(const std::vector<std::string>& words);
  std::string trace_event(const std::vector<std::string>& words);
  std::string info_version(const std::vector<std::string>& words);
  std::string examine_virtual(const std::vector<std::string>& words);
  std::string examine_physical(const std::vector<std::string>& words);
  std::string stop(const std::vector<std::string>& words);
  std::string cont(const std::vector<std::string>& words);
  std::string system_reset(const std::vector<std::string>& words);
  std::string system_powerdown(const std::vector<std::string>& words);
  std::string quit(const std::vector<std::string>& words);
  std::string select_pe(const std::vector<std::string>& words);

  using Reader = std::function<std::optional<u64>(u64 address, unsigned size)>;
  std::string examine(const std::vector<std::string>& words, const Reader& read);
  std::string dump_words(u64 address, const Reader& read);
  std::string dump_instructions(u64 address, const Reader& read);
  bool parse_format(std::string_view text);
  std::optional<u64> evaluate(std::string_view expression);

  size_t receive(std::span<const u8> bytes);
  void typed(u8 byte);
  void escape_sequence(u8 byte);
  void replace_line(const std::string& line);
  void print(std::string_view text);

  MonitorTarget& target_;
  ByteStream& stream_;
  const std::string version_;
  unsigned pe_ = 0;
  DumpFormat dump_;
  bool greeted_ = false;
  std::string line_;
  std::vector<std::string> history_;
  size_t history_at_ = 0;
  unsigned escape_ = 0;  // 1 after ESC, 2 after ESC [
  u8 last_ = 0;
};

}  // namespace sluice
