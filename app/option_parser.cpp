// app/option_parser.cpp: see option_parser.h.
#include "app/option_parser.h"

#include <algorithm>

#include "app/pattern.h"
#include "base/log.h"
#include "base/trace.h"
#include "machines/config_error.h"

namespace sluice {
namespace {

constexpr unsigned kMaxPes = 16;
constexpr u64 kMiB = 1 << 20, kGiB = 1 << 30;

std::string list_text(const std::string& heading, const std::vector<NameAndHelp>& rows) {
  std::string text = heading + "\n";
  for (const NameAndHelp& row : rows) {
    std::string name = "  " + row.name;
    name.resize(std::max<size_t>(24, name.size() + 1), ' ');
    text += name + row.help + "\n";
  }
  return text;
}

std::vector<std::string_view> names_of(const std::vector<NameAndHelp>& rows) {
  std::vector<std::string_view> names;
  for (const NameAndHelp& row : rows) names.push_back(row.name);
  return names;
}

bool contains(const std::vector<NameAndHelp>& rows, const std::string& name) {
  return std::any_of(rows.begin(), rows.end(), [&](const NameAndHelp& row) { return row.name == name; });
}

bool wants_help(const std::string& text) { return text == "help" || text == "?"; }

std::string suggestion(const std::string& word, const std::vector<std::string_view>& candidates) {
  std::string_view near = nearest(word, candidates);
  return near.empty() ? "" : "; did you mean '" + std::string{near} + "'?";
}

}  // namespace

void OptionParser::machine(const std::string& a) {
  if (wants_help(a)) throw Text{list_text("Supported machines are:", catalogue_.machines)};
  KeyValues values{"-machine", a, "type"};
  options_.machine = values.get_or("type", options_.machine);
  if (!contains(catalogue_.machines, options_.machine))
    throw ConfigError::usage("unsupported machine type: \"" + options_.machine +
                             "\"\nUse -machine help to list supported machines");
  if (values.get("help"))
    throw Text{list_text(options_.machine + " options:", catalogue_.machine_properties)};
  std::vector<std::string_view> known = names_of(catalogue_.machine_properties);
  known.insert(known.end(), {"type", "dumpdtb", "accel"});
  values.allow_only(known);
  for (const auto& [key, value] : values.all()) {
    if (key == "dumpdtb")
      options_.dump_device_tree = value;
    else if (key == "accel")
      accel(value);
    else if (key == "pflash0" || key == "pflash1")
      use_flash("-machine " + key, key.back() - '0', value);
    else if (key != "type")
      options_.machine_properties.emplace_back(key, value);
  }
}

void OptionParser::cpu(const std::string& a) {
  if (wants_help(a)) throw Text{catalogue_.cpu_help};
  std::string error = catalogue_.check_cpu ? catalogue_.check_cpu(a) : "";
  if (!error.empty()) throw ConfigError::usage("-cpu: " + error);
  options_.cpu = a;
}

void OptionParser::smp(const std::string& a) {
  KeyValues values{"-smp", a, "cpus"};
  values.allow_only({"cpus", "maxcpus", "sockets", "clusters", "cores", "threads"});
  u64 product = values.get_number("sockets", 1, 1, kMaxPes) * values.get_number("clusters", 1, 1, kMaxPes) *
                values.get_number("cores", 1, 1, kMaxPes) * values.get_number("threads", 1, 1, kMaxPes);
  bool topology =
      values.get("sockets") || values.get("clusters") || values.get("cores") || values.get("threads");
  u64 pes = values.get_number("cpus", product, 1, kMaxPes);
  if (pes > kMaxPes) throw ConfigError::usage("-smp: at most " + std::to_string(kMaxPes) + " PEs");
  if (values.get_number("maxcpus", pes, 1, kMaxPes) != pes)
    throw ConfigError::usage("-smp: maxcpus must equal cpus: PEs cannot be plugged in later");
  if (topology && product != pes)
    throw ConfigError::usage("-smp: sockets * clusters * cores * threads is " + std::to_string(product) +
                             ", but cpus is " + std::to_string(pes));
  options_.pes = unsigned(pes);
}

void OptionParser::memory(const std::string& a) {
  KeyValues values{"-m", a, "size"};
  values.allow_only({"size"});
  std::string text = values.require("size");
  auto size = parse_size(text, kMiB);
  if (!size || *size < kMiB || *size > 255 * kGiB || *size % kMiB != 0)
    throw ConfigError::usage("-m: '" + text + "' is not a RAM size: whole MiB, from 1M to 255G");
  options_.ram_size = *size;
}

void OptionParser::name(const std::string& a) {
  KeyValues values{"-name", a, "guest"};
  values.allow_only({"guest"});
  options_.name = values.require("guest");
}

void OptionParser::accel(const std::string& a) {
  if (wants_help(a)) throw Text{"Accelerators:\n  jit (or tcg)\n  interp\n"};
  KeyValues values{"-accel", a, "type"};
  values.allow_only({"type", "thread"});
  if (values.get_or("thread", "multi") != "multi")
    throw ConfigError::usage("-accel: thread=single is not available; -icount runs all PEs on one thread");
  std::string type = values.require("type");
  if (type == "jit" || type == "tcg")
    options_.accelerator = Accelerator::Jit;
  else if (type == "interp")
    options_.accelerator = Accelerator::Interpreter;
  else
    throw ConfigError::usage("-accel: invalid accelerator '" + type + "' (jit, interp)");
}

void OptionParser::icount(const std::string& a) {
  KeyValues values{"-icount", a, "shift"};
  values.allow_only({"shift", "align", "sleep"});
  if (values.get_or("shift", "") == "auto")
    throw ConfigError::usage("-icount: shift=auto is not available; give a number from 0 to 10");
  values.require("shift");
  options_.icount_shift = unsigned(values.get_number("shift", 0, 0, 10));
  if (values.get_bool("align", false)) throw ConfigError::usage("-icount: align=on is not available");
  if (values.get_bool("sleep", false))
    throw ConfigError::usage("-icount: sleep=on is not available: idle guest time passes at once");
}

void OptionParser::global(const std::string& a) {
  size_t equals = a.find('=');
  std::string key = a.substr(0, equals), value = equals == a.npos ? "" : a.substr(equals + 1);
  constexpr std::string_view kSmmu = "arm-smmuv3.";
  if (key.starts_with(kSmmu)) {
    options_.smmu_properties.emplace_back(key.substr(kSmmu.size()), value);
    return;
  }
  if (key != "virtio-mmio.force-legacy")
    throw ConfigError::usage(
        "-global: '" + key +
        "' is not a property here (virtio-mmio.force-legacy=on|off and arm-smmuv3.* are)");
  auto legacy = parse_bool(value);
  if (!legacy) throw ConfigError::usage("-global: " + key + " expects 'on' or 'off'");
  options_.virtio_mmio_legacy = *legacy;
}

// The clock chip always counts guest time from the host's UTC at start, or from 1970 under -icount.
void OptionParser::rtc(const std::string& a) {
  KeyValues values{"-rtc", a};
  values.allow_only({"base", "clock"});
  if (values.get_or("base", "utc") != "utc") throw ConfigError::usage("-rtc: only base=utc is available");
  std::string clock = values.get_or("clock", "vm");
  if (clock != "vm" && clock != "host") throw ConfigError::usage("-rtc: clock expects 'vm' or 'host'");
}

void OptionParser::semihosting_config(const std::string& a) {
  KeyValues values{"-semihosting-config", a, "enable"};
  values.allow_only({"enable", "target", "chardev", "userspace", "arg"});
  options_.semihosting.from_el0 = values.get_bool("userspace", options_.semihosting.from_el0);
  options_.semihosting.chardev = values.get_or("chardev", options_.semihosting.chardev);
  options_.semihosting.enabled = values.get_bool("enable", true);
  std::string target = values.get_or("target", "native");
  if (target != "native" && target != "auto")
    throw ConfigError::usage("-semihosting-config: target=" + target + " is not available (native is)");
  for (const auto& [key, value] : values.all())
    if (key == "arg") options_.semihosting.arguments.push_back(value);
}

void OptionParser::display(const std::string& a) {
  if (a != "none") throw ConfigError::usage("-display: '" + a + "' is not available (none is)");
}

// The value of -serial and -monitor: makes a character device where needed and returns its id.
std::string OptionParser::stream(const std::string& option, const std::string& text) {
  if (text == "none") return "";
  std::string id = "#" + text;
  if (text == "null") {
    add_chardev(id + option, {});
    return id + option;
  }
  if (text == "stdio" || text == "mon:stdio") {
    ChardevOptions stdio{.kind = ChardevOptions::Kind::Stdio};
    stdio.mux = text == "mon:stdio";
    stdio.signals = !stdio.mux;
    add_chardev(id, stdio);
    return id;
  }
  if (text.starts_with("file:") && text.size() > 5) {
    add_chardev(id, {.kind = ChardevOptions::Kind::File, .path = text.substr(5)});
    return id;
  }
  if (text.starts_with("chardev:")) return text.substr(8);
  throw ConfigError::usage(option + ": '" + text +
                           "' is not available (stdio, mon:stdio, file:PATH, null, none, chardev:ID are)");
}

void OptionParser::serial(const std::string& a) {
  if (secure_serial_given_) throw ConfigError::usage("-serial: this machine has at most two serial ports");
  if (serial_given_) {
    if (a == "mon:stdio") throw ConfigError::usage("-serial mon:stdio: only for the first serial port");
    secure_serial_given_ = true;
    options_.secure_serial = stream("second -serial", a);
    return;
  }
  serial_given_ = true;
  options_.serial = stream("-serial", a);
  if (a == "mon:stdio") {
    if (monitor_given_ && !options_.monitor.empty())
      throw ConfigError::usage("-serial mon:stdio: there is a monitor already");
    monitor_given_ = true;
    options_.monitor = options_.serial;
  }
}

void OptionParser::monitor(const std::string& a) {
  if (a == "mon:stdio") throw ConfigError::usage("-monitor: use 'stdio'");
  if (monitor_given_ && !options_.monitor.empty())
    throw ConfigError::usage("-monitor: there is a monitor already");
  monitor_given_ = true;
  if (a == "null") return;
  options_.monitor = stream("-monitor", a);
}

void OptionParser::mon(const std::string& a) {
  KeyValues values{"-mon", a, "chardev"};
  values.allow_only({"chardev", "mode"});
  if (values.get_or("mode", "readline") != "readline")
    throw ConfigError::usage("-mon: mode=" + values.get_or("mode", "") + " is not available (readline is)");
  monitor_given_ = true;
  options_.monitor = values.require("chardev");
}

void OptionParser::chardev(const std::string& a) {
  if (wants_help(a)) throw Text{"Available chardev backend types:\n  file\n  null\n  stdio\n"};
  KeyValues values{"-chardev", a, "backend"};
  std::string backend = values.require("backend"), id = values.require("id");
  ChardevOptions device;
  if (backend == "null") {
    values.allow_only({"backend", "id"});
  } else if (backend == "file") {
    values.allow_only({"backend", "id", "path", "append"});
    device = {.kind = ChardevOptions::Kind::File, .path = values.require("path")};
    device.append = values.get_bool("append", false);
  } else if (backend == "stdio") {
    values.allow_only({"backend", "id", "mux", "signal"});
    device.kind = ChardevOptions::Kind::Stdio;
    device.mux = values.get_bool("mux", false);
    device.signals = values.get_bool("signal", true);
  } else {
    throw ConfigError::usage("-chardev: '" + backend + "' is not available (file, null, stdio are)");
  }
  add_chardev(id, device);
}

void OptionParser::add_chardev(const std::string& id, ChardevOptions device) {
  if (device.kind == ChardevOptions::Kind::Stdio)
    for (const auto& [other, options] : options_.chardevs)
      if (options.kind == ChardevOptions::Kind::Stdio)
        throw ConfigError::usage("stdio is used twice; share it with mux=on, or with -serial mon:stdio");
  if (!options_.chardevs.emplace(id, device).second)
    throw ConfigError::usage("-chardev: there are two with id '" + id + "'");
}

void OptionParser::drive(const std::string& a) {
  KeyValues values{"-drive", a};
  values.allow_only(
      {"file", "if", "unit", "index", "format", "readonly", "read-only", "snapshot", "id", "media"});
  DriveOptions d;
  d.path = values.require("file");
  std::string bus = values.get_or("if", "virtio");
  if (bus != "none" && bus != "virtio" && bus != "pflash")
    throw ConfigError::usage("-drive: if=" + bus + " is not available (none, virtio, pflash are)");
  std::optional<unsigned> unit;
  for (const char* key : {"index", "unit"})
    if (values.get(key)) unit = unsigned(values.get_number(key, 0, 0, 1));
  if (unit && bus != "pflash") throw ConfigError::usage("-drive: unit= is for if=pflash");
  d.attach = bus == "virtio";
  std::string format = values.get_or("format", "raw");
  if (format != "raw") throw ConfigError::usage("-drive: format=" + format + " is not available (raw is)");
  if (values.get_or("media", "disk") != "disk")
    throw ConfigError::usage("-drive: only media=disk is available");
  d.read_only = values.get_bool("readonly", values.get_bool("read-only", false));
  d.snapshot = values.get_bool("snapshot", false);
  d.id = values.get_or("id", "#drive" + std::to_string(options_.drives.size()));
  if (!options_.drives.emplace(d.id, d).second)
    throw ConfigError::usage("-drive: there are two with id '" + d.id + "'");
  options_.drive_order.push_back(d.id);
  if (bus == "pflash") use_flash("-drive if=pflash", unit, d.id);
}

// A raw node on top of a file node is the file under another name: the file node has no use of its own then.
void OptionParser::blockdev(const std::string& a) {
  KeyValues values{"-blockdev", a, "driver"};
  const std::string driver = values.require("driver"), id = values.require("node-name");
  DriveOptions d;
  d.id = id;
  d.attach = false;
  if (driver == "file") {
    values.allow_only({"driver", "node-name", "filename", "read-only", "auto-read-only"});
    d.path = values.require("filename");
  } else if (driver == "raw") {
    values.allow_only({"driver", "node-name", "file", "file.driver", "file.filename", "read-only"});
    if (values.get_or("file.driver", "file") != "file")
      throw ConfigError::usage("-blockdev: file.driver is not available, except file");
    if (auto node = values.get("file")) {
      auto below = options_.drives.find(*node);
      if (below == options_.drives.end())
        throw ConfigError::usage("-blockdev: there is no node '" + *node + "' before this one");
      d.path = below->second.path;
      d.read_only = below->second.read_only;
      options_.drives.erase(below);
      std::erase(options_.drive_order, *node);
    } else {
      d.path = values.require("file.filename");
    }
  } else {
    throw ConfigError::usage("-blockdev: driver=" + driver + " is not available (file, raw are)");
  }
  d.read_only |= values.get_bool("read-only", false);
  if (!options_.drives.emplace(id, d).second)
    throw ConfigError::usage("-blockdev: there are two with node-name '" + id + "'");
  options_.drive_order.push_back(id);
}

void OptionParser::fw_cfg(const std::string& a) {
  KeyValues values{"-fw_cfg", a, "name"};
  values.allow_only({"name", "file", "string"});
  FwCfgOptions f{values.require("name"), values.get_or("file", ""), values.get_or("string", "")};
  if (f.path.empty() == !values.get("string"))
    throw ConfigError::usage("-fw_cfg: one of file= and string= is needed");
  options_.fw_cfg.push_back(std::move(f));
}

void OptionParser::pflash(const std::string& a) {
  DriveOptions d{.id = "#drive" + std::to_string(options_.drives.size()), .path = a, .attach = false};
  options_.drives.emplace(d.id, d);
  use_flash("-pflash", {}, d.id);
}

// Without a number, the first bank that has nothing.
void OptionParser::use_flash(const std::string& option, std::optional<unsigned> bank,
                             const std::string& drive) {
  auto& banks = options_.flash_drives;
  if (!bank) bank = unsigned(std::find(banks.begin(), banks.end(), "") - banks.begin());
  if (*bank >= banks.size()) throw ConfigError::usage(option + ": this machine has two flash banks");
  if (!banks[*bank].empty())
    throw ConfigError::usage(option + ": flash bank " + std::to_string(*bank) + " has an image already");
  banks[*bank] = drive;
}

void OptionParser::netdev(const std::string& a) {
  if (wants_help(a)) throw Text{"Available netdev backend types:\n  null\n"};
  KeyValues values{"-netdev", a, "type"};
  std::string type = values.require("type");
  if (type == "user")
    throw ConfigError::usage(
        "-netdev: user networking is not available in this version (null is: a card without a cable)");
  if (type != "null") throw ConfigError::usage("-netdev: '" + type + "' is not available (null is)");
  values.allow_only({"type", "id"});
  std::string id = values.require("id");
  if (!options_.netdevs.emplace(id, NetdevOptions{id}).second)
    throw ConfigError::usage("-netdev: there are two with id '" + id + "'");
}

void OptionParser::device(const std::string& a) {
  if (wants_help(a)) {
    std::vector<NameAndHelp> rows;
    for (const DeviceInfo& d : device_table()) rows.push_back({d.name, d.help});
    throw Text{list_text("Devices:", rows)};
  }
  KeyValues values{"-device", a, "driver"};
  std::string driver = values.require("driver");
  const DeviceInfo* info = find_device(driver);
  if (!info) {
    std::vector<std::string_view> names;
    for (const DeviceInfo& d : device_table()) names.push_back(d.name);
    throw ConfigError::usage("-device: '" + driver + "' is not a valid device model name" +
                             suggestion(driver, names));
  }
  if (values.get("help")) throw Text{list_text(std::string{info->name} + " options:", info->properties)};
  std::vector<std::string_view> known = names_of(info->properties);
  known.push_back("driver");
  KeyValues properties{std::string{"-device "} + info->name, a, "driver"};
  properties.allow_only(known);
  options_.devices.push_back({info->name, std::move(properties)});
}

void OptionParser::object(const std::string& a) {
  if (wants_help(a)) throw Text{"Objects:\n  soft-host-iommu\n"};
  KeyValues values{"-object", a, "type"};
  std::string type = values.require("type");
  if (type != "soft-host-iommu")
    throw ConfigError::usage("-object: '" + type + "' is not available (soft-host-iommu is)");
  values.allow_only({"type", "id", "page-sizes", "reserved"});
  HostContainerOptions o{.id = values.require("id")};
  o.page_sizes = values.get_number("page-sizes", o.page_sizes, 1, ~u64{0});
  for (const auto& [key, value] : values.all()) {
    if (key != "reserved") continue;
    size_t colon = value.find(':');
    auto first = parse_number(std::string_view{value}.substr(0, colon));
    auto last = colon == value.npos ? std::nullopt : parse_number(std::string_view{value}.substr(colon + 1));
    if (!first || !last || *first > *last)
      throw ConfigError::usage("-object: reserved=" + value + " is not FIRST:LAST");
    o.reserved.emplace_back(*first, *last);
  }
  options_.containers.push_back(std::move(o));
}

void OptionParser::log_topics(const std::string& a) {
  constexpr std::string_view kTrace = "trace:";
  if (wants_help(a))
    throw Text{std::string{log_topics_help()} + "  trace:PATTERN  trace events by name, as -trace\n"};
  std::string others;
  for (std::string_view rest = a;; rest.remove_prefix(rest.find(',') + 1)) {
    std::string word{rest.substr(0, rest.find(','))};
    if (word.starts_with(kTrace))
      trace_pattern("-d", word.substr(kTrace.size()));
    else
      others += (others.empty() ? "" : ",") + word;
    if (rest.find(',') == rest.npos) break;
  }
  u32 topics = 0;
  std::string bad{parse_log_topics(others, topics)};
  if (!bad.empty()) throw ConfigError::usage("-d: '" + bad + "' is not a topic; -d help lists them");
  options_.log_topics |= topics;
}

void OptionParser::trace_pattern(const std::string& option, const std::string& pattern) {
  if (wants_help(pattern)) throw Text{trace_help()};
  if (pattern.empty() || pattern == "-") throw ConfigError::usage(option + ": which trace events?");
  options_.trace.items.push_back({.text = pattern});
}

void OptionParser::trace(const std::string& a) {
  KeyValues values{"-trace", a, "enable"};
  values.allow_only({"enable", "events", "file"});
  for (const auto& [key, value] : values.all()) {
    if (key == "enable")
      trace_pattern("-trace", value);
    else if (value.empty())
      throw ConfigError::usage("-trace: " + key + " expects a file");
    else if (key == "events")
      options_.trace.items.push_back({.text = value, .is_file = true});
    else
      options_.trace.file = value;
  }
}

void OptionParser::tlb(const std::string& a) {
  if (a == "precise")
    options_.tlb = TlbPolicy::Precise;
  else if (a == "direct")
    options_.tlb = TlbPolicy::Direct;
  else
    throw ConfigError::usage("--tlb: '" + a + "' is not a policy (precise, direct)");
}

void OptionParser::tcg_opt(const std::string& a) {
  if (wants_help(a)) {
    std::string text = "Optimisations of translated code (-NAME switches one off, -all all of them):\n";
    for (const tcg::PassInfo& p : tcg::all_passes())
      text += "  " + std::string{p.name} + std::string(18 - p.name.size(), ' ') + std::string{p.help} + "\n";
    throw Text{text};
  }
  if (auto wrong = tcg::parse_passes(a, options_.passes); !wrong.empty())
    throw ConfigError::usage("--tcg-opt: there is no optimisation '" + std::string{wrong} +
                             "' (-tcg-opt help)");
}

void OptionParser::timeout(const std::string& a) {
  options_.timeout_ns = parse_duration(a);
  if (!options_.timeout_ns) throw ConfigError::usage("--timeout: '" + a + "' is not a time (10s, 500ms, 2m)");
}

void OptionParser::expect(const std::string& a) {
  Pattern{"--expect", a};  // is it one?
  options_.expect.push_back(a);
}

void OptionParser::fail_on(const std::string& a) {
  Pattern{"--fail-on", a};
  options_.fail_on.push_back(a);
}

void OptionParser::verdict(const std::string& a) {
  if (!a.starts_with("json:") || a.size() == 5)
    throw ConfigError::usage("--verdict: expects json:FILE, not '" + a + "'");
  options_.verdict_file = a.substr(5);
}

void OptionParser::finish() {
  // The defaults need the terminal to be free.
  bool stdio_free = std::none_of(options_.chardevs.begin(), options_.chardevs.end(),
                                 [](const auto& c) { return c.second.kind == ChardevOptions::Kind::Stdio; });
  if (!no_defaults_ && stdio_free) {
    if (!serial_given_ && !monitor_given_)
      serial("mon:stdio");
    else if (!serial_given_)
      serial("stdio");
    else if (!monitor_given_)
      monitor("stdio");
  }
  if (snapshot_all_)
    for (auto& [id, drive] : options_.drives) drive.snapshot = true;
  check_chardev_users();
  for (const std::string& id : options_.flash_drives)
    if (!id.empty() && !options_.drives.contains(id))
      throw ConfigError::usage("-machine: there is no -drive with id '" + id + "' for the flash");
  if (!options_.bios.empty() && !options_.flash_drives[0].empty())
    throw ConfigError::usage("-bios: flash bank 0 has an image already");
}

void OptionParser::check_chardev_users() {
  std::map<std::string, unsigned> users;
  auto use = [&](const std::string& option, const std::string& id) {
    if (id.empty()) return;
    auto found = options_.chardevs.find(id);
    if (found == options_.chardevs.end())
      throw ConfigError::usage(option + ": there is no -chardev with id '" + id + "'");
    if (++users[id] > 1 && !found->second.mux)
      throw ConfigError::usage(
          option + ": chardev '" + id + "' is in use already" +
          (found->second.kind == ChardevOptions::Kind::Stdio ? " (share it with mux=on)" : ""));
  };
  use("-serial", options_.serial);
  use("-monitor", options_.monitor);
  use("-semihosting-config", options_.semihosting.chardev);
  for (const DeviceOptions& d : options_.devices)
    use("-device " + d.driver, d.properties.get_or("chardev", ""));
}

}  // namespace sluice
