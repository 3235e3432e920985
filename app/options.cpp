// app/options.cpp: see options.h.
#include "app/options.h"

#include <getopt.h>

#include <algorithm>
#include <array>

#include "app/option_parser.h"
#include "base/log.h"
#include "machines/config_error.h"

namespace sluice {
namespace {

constexpr const char* kVersion = "0.1.0";

using Handler = void (OptionParser::*)(const std::string& argument);

struct OptionRow {
  const char* name;
  const char* argument;  // for --help; nullptr = takes none
  Handler handler;
  const char* help;  // "" = an alias, not listed
};

// In the order of --help. A row whose name is nullptr is a heading.
constexpr OptionRow kOptions[] = {
    {nullptr, nullptr, nullptr, "Machine"},
    {"machine", "NAME[,PROP=VALUE...]", &OptionParser::machine, "the board; -machine help lists them"},
    {"M", "NAME[,PROP=VALUE...]", &OptionParser::machine, ""},
    {"cpu", "MODEL[,FEATURE=on|off...]", &OptionParser::cpu,
     "the PE (default: max, a 64-bit one); -cpu help lists them"},
    {"smp", "N", &OptionParser::smp, "number of PEs"},
    {"m", "SIZE", &OptionParser::memory, "RAM, in MiB or with suffix M, G (default: 128M)"},
    {"name", "TEXT", &OptionParser::name, "name of the machine, shown by the monitor"},
    {"accel", "jit|interp", &OptionParser::accel,
     "translate to host code (default; alias tcg), or interpret"},
    {"icount", "shift=N[,align=off][,sleep=off]", &OptionParser::icount,
     "deterministic: each instruction takes 2^N ns of guest time"},
    {"global", "DRIVER.PROP=VALUE", &OptionParser::global,
     "default of a device property (virtio-mmio.force-legacy, arm-smmuv3.*)"},
    {"rtc", "base=utc", &OptionParser::rtc, "start of the real-time clock"},

    {nullptr, nullptr, nullptr, "Software"},
    {"kernel", "FILE", &OptionParser::kernel, "arm64 Image, ELF64 or raw binary; gzip and zstd are unpacked"},
    {"initrd", "FILE", &OptionParser::initrd, "initial RAM disk"},
    {"append", "TEXT", &OptionParser::append, "kernel command line"},
    {"dtb", "FILE", &OptionParser::dtb, "device tree to use in place of the board's own"},
    {"bios", "FILE", &OptionParser::bios, "firmware, at address 0; a -kernel is then offered to it"},
    {"pflash", "FILE", &OptionParser::pflash, "image of a flash bank, 64 MiB; the second one is bank 1"},
    {"fw_cfg", "[name=]NAME,file=F|string=TEXT", &OptionParser::fw_cfg,
     "a file for firmware and operating system in fw_cfg"},
    {"semihosting", nullptr, &OptionParser::semihosting,
     "allow Arm semihosting calls (host files, exit status)"},
    {"semihosting-config", "enable=on[,target=native][,chardev=ID][,userspace=on][,arg=TEXT...]",
     &OptionParser::semihosting_config,
     "the same, with arguments for the guest program, a console of its own, callers at EL0"},

    {nullptr, nullptr, nullptr, "Console and monitor"},
    {"nographic", nullptr, &OptionParser::nographic, "serial port and monitor share the terminal (default)"},
    {"display", "none", &OptionParser::display, "accepted: there is no window"},
    {"serial", "DEV", &OptionParser::serial,
     "stdio, mon:stdio, file:PATH, null, none or chardev:ID; the second is the Secure UART"},
    {"monitor", "DEV", &OptionParser::monitor, "stdio, none or chardev:ID"},
    {"mon", "chardev=ID", &OptionParser::mon, "monitor on a character device"},
    {"chardev", "stdio|file|null,id=ID[,mux=on][,signal=off][,path=F]", &OptionParser::chardev,
     "character device"},
    {"nodefaults", nullptr, &OptionParser::nodefaults,
     "no serial port backend and no monitor unless asked for"},

    {nullptr, nullptr, nullptr, "Devices"},
    {"drive", "file=F[,if=none|virtio|pflash][,unit=N][,id=ID][,format=raw][,readonly=on][,snapshot=on]",
     &OptionParser::drive, "disk, or image of flash bank N"},
    {"blockdev", "driver=file|raw,node-name=ID,filename=F|file=ID[,read-only=on]", &OptionParser::blockdev,
     "the same as -drive if=none, in QEMU's newer words"},
    {"snapshot", nullptr, &OptionParser::snapshot, "keep writes to disks in memory and drop them at the end"},
    {"netdev", "null,id=ID", &OptionParser::netdev, "network backend"},
    {"device", "DRIVER[,PROP=VALUE...]", &OptionParser::device,
     "add a device; -device help and -device DRIVER,help list them"},
    {"object", "soft-host-iommu,id=ID[,page-sizes=MASK][,reserved=FIRST:LAST]", &OptionParser::object,
     "a container that mirrors the IOMMU in front of PCIe, for -device ...,container=ID"},

    {nullptr, nullptr, nullptr, "Running"},
    {"S", nullptr, &OptionParser::start_stopped, "do not start; type 'cont' in the monitor"},
    {"no-reboot", nullptr, &OptionParser::no_reboot, "exit when the guest resets (status 67)"},
    {"no-shutdown", nullptr, &OptionParser::no_shutdown, "stop, and do not exit, when the guest powers off"},
    {"d", "TOPIC[,TOPIC...]", &OptionParser::log_topics, "log; -d help lists the topics"},
    {"D", "FILE", &OptionParser::log_file, "log to a file, not to stderr"},
    {"trace", "[enable=]PATTERN[,events=F][,file=F]", &OptionParser::trace,
     "log trace events by name (smmuv3_*), or those that file F lists; -trace help"},
    {"tlb", "precise|direct", &OptionParser::tlb,
     "how TLB entries are kept: until invalidated, or bounded as in hardware"},
    {"tcg-opt", "-NAME|NAME[,...]", &OptionParser::tcg_opt,
     "switch optimisations of translated code off (-NAME) or on; -tcg-opt help lists them"},

    {nullptr, nullptr, nullptr, "Verdict"},
    {"timeout", "TIME", &OptionParser::timeout,
     "end after this much guest time (10s, 500ms, 2m): status 124"},
    {"expect", "REGEX", &OptionParser::expect,
     "end with success when the console shows it; repeat for several: all are needed"},
    {"fail-on", "REGEX", &OptionParser::fail_on, "end with status 66 when the console shows it"},
    {"verdict", "json:FILE", &OptionParser::verdict, "write what happened as one line of JSON, always"},
    {"qemu-exit", nullptr, &OptionParser::qemu_exit, "exit statuses as QEMU has them"},
    {"help-exit", nullptr, &OptionParser::help_exit, "list the exit statuses"},

    {nullptr, nullptr, nullptr, "Information"},
    {"help", nullptr, &OptionParser::help, "this text"},
    {"h", nullptr, &OptionParser::help, ""},
    {"version", nullptr, &OptionParser::version, "version"},
};

const OptionRow* find_option(std::string_view name) {
  for (const OptionRow& row : kOptions)
    if (row.name && name == row.name) return &row;
  return nullptr;
}

// "-" or "--", the name, and perhaps "=value".
std::string_view option_name(std::string_view word) {
  word.remove_prefix(word.starts_with("--") ? 2 : 1);
  return word.substr(0, word.find('='));
}

// As people write it: our own options have two dashes, those that QEMU has too have one. Both are accepted.
std::string spelled(std::string_view name) {
  constexpr std::string_view kOwn[] = {"tlb",     "tcg-opt",   "timeout",   "expect", "fail-on",
                                       "verdict", "qemu-exit", "help-exit", "help",   "version"};
  bool own = std::find(std::begin(kOwn), std::end(kOwn), name) != std::end(kOwn);
  return (own ? "--" : "-") + std::string{name};
}

[[noreturn]] void unknown_option(const std::string& word) {
  std::vector<std::string_view> names;
  for (const OptionRow& row : kOptions)
    if (row.name) names.push_back(row.name);
  std::string_view near = nearest(option_name(word), names);
  throw ConfigError::usage(word + ": invalid option" +
                           (near.empty() ? std::string{} : "; did you mean '" + spelled(near) + "'?"));
}

// One getopt_long_only loop. Abbreviations, which getopt would accept, are refused: "-s" must not silently
// become
// "-serial" today and something else tomorrow.
void scan(OptionParser& parser, const std::vector<std::string>& arguments) {
  std::vector<option> long_options;
  for (const OptionRow& row : kOptions)
    if (row.name)
      long_options.push_back({row.name, row.argument ? required_argument : no_argument, nullptr, 0});
  long_options.push_back({});
  std::vector<std::string> copies = arguments;
  std::string program = "sluice";
  std::vector<char*> argv{program.data()};
  for (std::string& a : copies) argv.push_back(a.data());
  argv.push_back(nullptr);
  optind = 0;  // starts over, as glibc documents
  opterr = 0;
  for (;;) {
    size_t at = optind ? size_t(optind) : 1;
    int index = -1;
    int code = getopt_long_only(int(argv.size()) - 1, argv.data(), "-:", long_options.data(), &index);
    if (code == -1) {
      if (at < argv.size() - 1 && arguments[at - 1] != "--") return;
      if (size_t(optind) < argv.size() - 1)
        throw ConfigError::usage("unexpected argument '" + arguments[size_t(optind) - 1] + "'");
      return;
    }
    const std::string& word = arguments[at - 1];
    if (code == 1)
      throw ConfigError::usage("unexpected argument '" + word + "' (a disk is given with -drive file=...)");
    const OptionRow* row = find_option(option_name(word));
    if (!row) unknown_option(word);
    if (code == ':') throw ConfigError::usage(word + ": requires an argument: " + row->argument);
    if (code == '?') throw ConfigError::usage(word + ": takes no argument");
    (parser.*row->handler)(row->argument ? optarg : "");
  }
}

// After a mistake: options that say how to report it may come behind it.
void find_report_options(const std::vector<std::string>& arguments, Options& options) {
  for (size_t i = 0; i < arguments.size(); i++) {
    const std::string& word = arguments[i];
    if (!word.starts_with("-")) continue;
    if (option_name(word) == "qemu-exit") options.qemu_exit = true;
    if (option_name(word) != "verdict" || !options.verdict_file.empty()) continue;
    size_t equals = word.find('=');
    std::string value = equals != word.npos        ? word.substr(equals + 1)
                        : i + 1 < arguments.size() ? arguments[i + 1]
                                                   : "";
    if (value.starts_with("json:")) options.verdict_file = value.substr(5);
  }
}

}  // namespace

std::string version_text() { return std::string{"Sluice "} + kVersion + "\n"; }

std::string help_text() {
  std::string text =
      "usage: sluice [options]\n"
      "Boots Arm 64-bit kernels, firmware and bare-metal programs. Options may begin with one dash or two.\n";
  for (const OptionRow& row : kOptions) {
    if (!row.name) {
      text += std::string{"\n"} + row.help + "\n";
    } else if (*row.help) {
      std::string left = "  " + spelled(row.name) + (row.argument ? std::string{" "} + row.argument : "");
      if (left.size() > 30)
        left += "\n" + std::string(32, ' ');
      else
        left.resize(32, ' ');
      text += left + row.help + "\n";
    }
  }
  text +=
      "\nOn the terminal: Ctrl-A x quits, Ctrl-A c switches between serial port and monitor, Ctrl-A h "
      "helps.\n";
  return text;
}

std::string exit_help_text() {
  return "Exit status of sluice:\n"
         "  0       success: the guest powered off, or exited with 0, or all of --expect was seen\n"
         "  1..63   the code that the guest passed to semihosting SYS_EXIT (greater ones become 63;\n"
         "          the verdict has the exact one)\n"
         "  64      wrong command line\n"
         "  65      a file or image cannot be used\n"
         "  66      the console showed --fail-on, or no PE can ever run again\n"
         "  67      the guest reset, under -no-reboot\n"
         "  69      the run ended before --expect was seen\n"
         "  70      internal error of Sluice\n"
         "  71      the host refused memory or another resource\n"
         "  124     --timeout ran out\n"
         "  128+N   ended by signal N\n"
         "With --qemu-exit: 0 for power-off and reset, SYS_EXIT codes unchanged, 1 for errors.\n";
}

CommandLine parse_command_line(const std::vector<std::string>& arguments, const Catalogue& catalogue) {
  CommandLine result;
  OptionParser parser{catalogue, result.options};
  try {
    scan(parser, arguments);
    parser.finish();
  } catch (const OptionParser::Text& text) {
    result.finished = true;
    result.output = text.text;
  } catch (const ConfigError& error) {
    find_report_options(arguments, result.options);
    result.finished = true;
    result.status = error.kind() == ConfigError::Kind::Usage ? 64 : 65;
    result.output = std::string{"sluice: "} + error.what() + "\n";
  }
  return result;
}

}  // namespace sluice
