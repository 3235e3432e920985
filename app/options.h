// app/options.h: the command line. One table of options yields parsing, --help and suggestions for misspelt
// ones. Spelling and meaning are QEMU's where it has the option; our own options are GNU-style long ones.
#pragma once
#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/key_values.h"
#include "base/types.h"
#include "tcg/opt/passes.h"

namespace sluice {

struct ChardevOptions {
  enum class Kind : u8 { Null, Stdio, File } kind = Kind::Null;
  std::string path{};   // File
  bool append = false;  // File
  bool mux = false;     // Stdio: Ctrl-A commands, and several users
  bool signals = true;  // Stdio: Ctrl-C interrupts Sluice instead of going to the guest
};

struct DriveOptions {
  std::string id, path;
  bool attach = true;  // if=virtio: a disk of its own; if=none: used by a -device or -machine pflash0=
  bool read_only = false, snapshot = false;
};

// -object soft-host-iommu.
struct HostContainerOptions {
  std::string id;
  u64 page_sizes = ~u64{0xfff};
  std::vector<std::pair<u64, u64>> reserved{};  // first and last byte
};

struct NetdevOptions {
  std::string id;
};

// -device. The properties are checked against the device's table.
struct DeviceOptions {
  std::string driver;
  KeyValues properties;
};

// -fw_cfg: a file, or a text when `path` is "".
struct FwCfgOptions {
  std::string name, path, text;
};

// -trace and -d trace:PATTERN, in their order.
struct TraceOptions {
  struct Item {
    std::string text;      // a pattern, '-' before it switches off; or a file of them
    bool is_file = false;  // events=
  };
  std::vector<Item> items;
  std::string file;  // where the lines go; "" = to the log
};

struct SemihostingOptions {
  bool enabled = false;
  bool from_el0 = false;               // userspace=
  std::string chardev;                 // "" = the serial port's
  std::vector<std::string> arguments;  // argv[0] first
};

enum class Accelerator : u8 { Jit, Interpreter };
enum class TlbPolicy : u8 { Precise, Direct };

struct Options {
  std::string machine = "virt";
  std::vector<std::pair<std::string, std::string>> machine_properties;
  std::string dump_device_tree;  // -machine dumpdtb=
  std::string cpu = "max";       // the whole argument of -cpu
  unsigned pes = 1;
  u64 ram_size = u64{128} << 20;
  std::string name;

  std::string kernel, initrd, append, device_tree;
  std::string bios;
  std::array<std::string, 2> flash_drives;  // what is in the flash banks: ids of drives, "" = nothing

  // Every character device by its id, and who uses it. "" = nobody.
  std::map<std::string, ChardevOptions> chardevs;
  std::string serial, monitor;
  std::string secure_serial;  // of the second -serial: the Secure UART

  std::map<std::string, DriveOptions> drives;  // by id; ids that Sluice made start with '#'
  std::vector<std::string> drive_order;
  std::map<std::string, NetdevOptions> netdevs;
  std::vector<DeviceOptions> devices;
  std::vector<HostContainerOptions> containers;
  bool virtio_mmio_legacy = true;                                    // -global virtio-mmio.force-legacy
  std::vector<std::pair<std::string, std::string>> smmu_properties;  // -global arm-smmuv3.NAME=VALUE

  std::vector<FwCfgOptions> fw_cfg;
  SemihostingOptions semihosting;
  std::optional<unsigned> icount_shift;
  Accelerator accelerator = Accelerator::Jit;
  TlbPolicy tlb = TlbPolicy::Precise;
  tcg::PassSet passes = tcg::PassSet::all();

  bool no_reboot = false, no_shutdown = false, start_stopped = false;
  u32 log_topics = 0;
  std::string log_file;
  TraceOptions trace;

  std::optional<u64> timeout_ns;  // of guest time
  std::string verdict_file;       // json
  std::vector<std::string> expect, fail_on;
  bool qemu_exit = false;
};

struct NameAndHelp {
  std::string name, help;
};

// What `-M help` and `-cpu help` list, and what -M and -cpu accept.
struct Catalogue {
  std::vector<NameAndHelp> machines, machine_properties;
  std::string cpu_help;
  // What is wrong with the argument of -cpu; "" = nothing.
  std::function<std::string(const std::string& argument)> check_cpu;
};

// Either options for a machine to run, or text to print and an exit status.
struct CommandLine {
  Options options;
  bool finished = false;
  int status = 0;
  std::string output;  // to stdout when status is 0, else to stderr
};

// `arguments` without the name of the program. Never throws.
CommandLine parse_command_line(const std::vector<std::string>& arguments, const Catalogue& catalogue);

// One -device that can be asked for.
struct DeviceInfo {
  const char* name;
  const char* alias;  // accepted as well
  const char* help;
  std::vector<NameAndHelp> properties;
};
const std::vector<DeviceInfo>& device_table();
const DeviceInfo* find_device(std::string_view name);

}  // namespace sluice
