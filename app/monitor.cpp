// app/monitor.cpp: see monitor.h. The commands; memory dumps are in monitor_dump.cpp.
#include "app/monitor.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <utility>

#include "app/key_values.h"
#include "base/trace.h"

namespace sluice {
namespace {

constexpr const char* kPrompt = "(sluice) ";
constexpr size_t kLongestLine = 1024, kHistory = 100;

std::vector<std::string> split_words(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  for (char c : line) {
    if (c != ' ' && c != '\t') {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

}  // namespace

const std::vector<Monitor::Command>& Monitor::commands() {
  static const std::vector<Command> table = {
      {"cont", "c", "", "go on after a stop", &Monitor::cont, false},
      {"cpu", "", "N", "choose the PE for x and info", &Monitor::select_pe, false},
      {"help", "?", "[COMMAND]", "this list", &Monitor::help, false},
      {"info", "", "[SUBJECT]", "show something about the machine", &Monitor::info, false},
      {"quit", "q", "", "end", &Monitor::quit, false},
      {"stop", "s", "", "stop the machine", &Monitor::stop, false},
      {"system_powerdown", "", "", "press the power button", &Monitor::system_powerdown, false},
      {"system_reset", "", "", "reset the machine", &Monitor::system_reset, false},
      {"trace-event", "", "NAME on|off", "log a trace event, or those that match smmuv3_*",
       &Monitor::trace_event, false},
      {"x", "", "/FMT ADDRESS", "show memory at a virtual address", &Monitor::examine_virtual, false},
      {"xp", "", "/FMT ADDRESS", "show memory at a physical address", &Monitor::examine_physical, false},
      {"xlate", "", "INITIATOR ADDRESS [r|w|x]",
       "how pe0, 00:01.0 (a PCI function) or system gets to an address, hop by hop", &Monitor::xlate, false},
      {"cpus", "", "", "the PEs", &Monitor::info_cpus, true},
      {"iommu", "", "", "gates on the ways to memory: streams, domains, counters", &Monitor::info_iommu,
       true},
      {"iotlb", "", "", "translations that the SMMUs cache", &Monitor::info_iotlb, true},
      {"irq", "pic", "", "the interrupt controller", &Monitor::info_irq, true},
      {"jit", "", "[-a]", "what the translator has done for the PE; -a: for all", &Monitor::info_jit, true},
      {"mem", "", "", "virtual memory map of the PE", &Monitor::info_mem, true},
      {"mtree", "", "[-f]", "memory regions; -f: as the initiators see them", &Monitor::info_mtree, true},
      {"name", "", "", "name of the machine", &Monitor::info_name, true},
      {"pci", "", "", "PCI functions, their BARs and requester IDs", &Monitor::info_pci, true},
      {"registers", "", "[-a]", "registers of the PE; -a: of all", &Monitor::info_registers, true},
      {"status", "", "", "whether the machine runs", &Monitor::info_status, true},
      {"tlb", "", "[-pe N]", "translations that the PE caches", &Monitor::info_tlb, true},
      {"trace-events", "", "[PATTERN]", "trace events, and whether they are on", &Monitor::info_trace_events,
       true},
      {"version", "", "", "version of Sluice", &Monitor::info_version, true},
  };
  return table;
}

Monitor::Monitor(MonitorTarget& target, ByteStream& stream, std::string version)
    : target_(target), stream_(stream), version_(std::move(version)) {
  stream_.on_receive([this](std::span<const u8> bytes) { return receive(bytes); });
}

Monitor::~Monitor() { stream_.on_receive({}); }

const Monitor::Command* Monitor::find(const std::string& name, bool is_info) const {
  for (const Command& c : commands())
    if (c.is_info == is_info && (name == c.name || (*c.alias && name == c.alias))) return &c;
  return nullptr;
}

std::string Monitor::execute(std::string_view line) {
  std::vector<std::string> words = split_words(line);
  if (words.empty()) return "";
  // "x/4wx $pc": the format may touch the command.
  size_t slash = words[0].find('/');
  if (slash != std::string::npos && slash > 0) {
    words.insert(words.begin() + 1, words[0].substr(slash));
    words[0].resize(slash);
  }
  const Command* command = find(words[0], false);
  if (command) return (this->*command->run)(words);
  std::vector<std::string_view> names;
  for (const Command& c : commands())
    if (!c.is_info) names.push_back(c.name);
  std::string_view near = nearest(words[0], names);
  return "unknown command: '" + words[0] + "'" +
         (near.empty() ? std::string{} : "; did you mean '" + std::string{near} + "'?") + "\n";
}

std::string Monitor::help(const std::vector<std::string>& words) {
  std::string text;
  for (const Command& c : commands()) {
    if (c.is_info || (words.size() > 1 && words[1] != c.name && words[1] != c.alias)) continue;
    std::string left = std::string{c.name} + (*c.alias ? std::string{"|"} + c.alias : "") +
                       (*c.arguments ? std::string{" "} + c.arguments : "");
    text += left + " -- " + c.help + "\n";
  }
  return text.empty() ? "no such command\n" : text;
}

std::string Monitor::info(const std::vector<std::string>& words) {
  const Command* subject = words.size() > 1 ? find(words[1], true) : nullptr;
  if (subject) return (this->*subject->run)({words.begin() + 1, words.end()});
  std::string text;
  for (const Command& c : commands())
    if (c.is_info)
      text += "info " + std::string{c.name} + (*c.arguments ? std::string{" "} + c.arguments : "") + " -- " +
              c.help + "\n";
  return text;
}

std::string Monitor::info_mtree(const std::vector<std::string>& words) {
  bool flat = words.size() > 1 && words[1] == "-f";
  return flat ? target_.flat_views() : target_.memory_tree();
}

std::string Monitor::info_registers(const std::vector<std::string>& words) {
  bool all = words.size() > 1 && words[1] == "-a";
  std::string text;
  for (unsigned pe = all ? 0 : pe_; pe < (all ? target_.pes() : pe_ + 1); pe++)
    text += "\nCPU#" + std::to_string(pe) + "\n" + target_.registers(pe);
  return text;
}

std::string Monitor::info_pci(const std::vector<std::string>&) { return target_.pci(); }

std::string Monitor::info_jit(const std::vector<std::string>& words) {
  bool all = words.size() > 1 && words[1] == "-a";
  std::string text;
  for (unsigned pe = all ? 0 : pe_; pe < (all ? target_.pes() : pe_ + 1); pe++)
    text += target_.translator_counters(pe);
  return text;
}

std::string Monitor::info_iommu(const std::vector<std::string>&) { return target_.gates(); }
std::string Monitor::info_iotlb(const std::vector<std::string>&) { return target_.iotlbs(); }

std::string Monitor::info_tlb(const std::vector<std::string>& words) {
  if (words.size() < 2) return target_.tlb(pe_);
  const auto n = words.size() == 3 && words[1] == "-pe" ? parse_number(words[2]) : std::nullopt;
  if (!n) return "usage: info tlb [-pe N]\n";
  return *n < target_.pes() ? target_.tlb(unsigned(*n)) : "invalid CPU index\n";
}

std::string Monitor::xlate(const std::vector<std::string>& words) {
  constexpr const char* kUsage = "usage: xlate pe0|00:01.0|system ADDRESS [r|w|x]\n";
  if (words.size() < 3 || words.size() > 4) return kUsage;
  const std::string access = words.size() == 4 ? words[3] : "r";
  if (access != "r" && access != "w" && access != "x") return kUsage;
  const auto address = evaluate(words[2]);
  if (!address) return "bad address '" + words[2] + "'\n";
  return target_.path(words[1], *address, access[0])
      .value_or("no initiator is called '" + words[1] + "': see info cpus and info pci\n");
}

std::string Monitor::info_mem(const std::vector<std::string>&) { return target_.memory_map(pe_); }
std::string Monitor::info_irq(const std::vector<std::string>&) { return target_.interrupts(); }
std::string Monitor::info_name(const std::vector<std::string>&) { return target_.name() + "\n"; }
std::string Monitor::info_version(const std::vector<std::string>&) { return version_; }

std::string Monitor::info_trace_events(const std::vector<std::string>& words) {
  std::string text;
  for (const TraceEvent* e : trace_events(words.size() > 1 ? words[1] : "*"))
    text += std::string{e->name()} + " : state " + (e->on() ? "1" : "0") + "\n";
  return text.empty() ? "no such trace event\n" : text;
}

std::string Monitor::trace_event(const std::vector<std::string>& words) {
  const auto on = words.size() == 3 ? parse_bool(words[2]) : std::nullopt;
  if (!on) return "usage: trace-event NAME on|off\n";
  const std::vector<TraceEvent*> events = trace_events(words[1]);
  for (TraceEvent* e : events) e->set(*on);
  return events.empty() ? "unknown trace event '" + words[1] + "'; info trace-events lists them\n" : "";
}

std::string Monitor::info_status(const std::vector<std::string>&) {
  return target_.running() ? "VM status: running\n" : "VM status: paused\n";
}

std::string Monitor::info_cpus(const std::vector<std::string>&) {
  std::string text;
  for (unsigned pe = 0; pe < target_.pes(); pe++) {
    MonitorTarget::PeStatus status = target_.pe_status(pe);
    char line[128];
    std::snprintf(line, sizeof line, "%c CPU #%u: pc=0x%016" PRIx64 " (%s)\n", pe == pe_ ? '*' : ' ', pe,
                  status.pc, status.state.c_str());
    text += line;
  }
  return text;
}

std::string Monitor::stop(const std::vector<std::string>&) {
  target_.stop();
  return "";
}
std::string Monitor::cont(const std::vector<std::string>&) {
  target_.cont();
  return "";
}
std::string Monitor::system_reset(const std::vector<std::string>&) {
  target_.system_reset();
  return "";
}
std::string Monitor::system_powerdown(const std::vector<std::string>&) {
  target_.system_powerdown();
  return "";
}
std::string Monitor::quit(const std::vector<std::string>&) {
  target_.quit();
  return "";
}

std::string Monitor::select_pe(const std::vector<std::string>& words) {
  auto n = words.size() > 1 ? parse_number(words[1]) : std::nullopt;
  if (!n || *n >= target_.pes()) return "invalid CPU index\n";
  pe_ = unsigned(*n);
  return "";
}

// ---- The line that is being typed ----

void Monitor::print(std::string_view text) {
  stream_.transmit({reinterpret_cast<const u8*>(text.data()), text.size()});
}

void Monitor::focused() {
  if (!std::exchange(greeted_, true)) {
    std::string first = version_.substr(0, version_.find('\n'));
    print(first + " monitor - type 'help' for more information\n");
  }
  print(kPrompt + line_);
}

size_t Monitor::receive(std::span<const u8> bytes) {
  for (u8 byte : bytes) typed(byte);
  return bytes.size();
}

void Monitor::typed(u8 byte) {
  u8 before = std::exchange(last_, byte);
  if (escape_) return escape_sequence(byte);
  switch (byte) {
    case '\n':
      if (before == '\r') return;  // CR LF is one end of line
      [[fallthrough]];
    case '\r': {
      print("\n");
      std::string line = std::exchange(line_, {});
      if (!line.empty() && (history_.empty() || history_.back() != line)) history_.push_back(line);
      if (history_.size() > kHistory) history_.erase(history_.begin());
      history_at_ = history_.size();
      print(execute(line));
      print(kPrompt);
      return;
    }
    case 0x08:
    case 0x7f:
      if (line_.empty()) return;
      line_.pop_back();
      return print("\b \b");
    case 0x15: return replace_line("");  // Ctrl-U
    case 0x1b: escape_ = 1; return;
    default:
      if (byte < 0x20 || line_.size() == kLongestLine) return;
      line_ += char(byte);
      print({&line_.back(), 1});
  }
}

// ESC [ A and ESC [ B: up and down through the history.
void Monitor::escape_sequence(u8 byte) {
  if (escape_ == 1) {
    escape_ = byte == '[' || byte == 'O' ? 2 : 0;
    return;
  }
  if (byte < 0x40) return;  // parameters
  escape_ = 0;
  if (byte == 'A' && history_at_ > 0) replace_line(history_[--history_at_]);
  if (byte == 'B' && history_at_ < history_.size()) {
    history_at_++;
    replace_line(history_at_ < history_.size() ? history_[history_at_] : "");
  }
}

void Monitor::replace_line(const std::string& line) {
  std::string erase;
  for (size_t i = 0; i < line_.size(); i++) erase += "\b \b";
  line_ = line;
  print(erase + line_);
}

}  // namespace sluice
