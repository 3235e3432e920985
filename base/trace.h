// base/trace.h: trace events: what happens inside the machine, by name, for people who grep. An event is an
// object with static storage next to the code that emits it; it lists itself. Nothing is on until somebody
// asks, and then an event costs its caller one relaxed load and a branch. Names are QEMU's where it has the
// event; the text is always `name key=value ...`.
#pragma once
#include <fmt/core.h>

#include <atomic>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

class TraceEvent {
 public:
  TraceEvent(const TraceEvent&) = delete;
  TraceEvent& operator=(const TraceEvent&) = delete;

  std::string_view name() const { return name_; }
  // "vmid={} addr={:#x}": which values a line has, and how they are written.
  std::string_view format() const { return format_; }
  bool on() const { return on_.load(std::memory_order_relaxed); }
  void set(bool on) { on_.store(on, std::memory_order_relaxed); }

 protected:
  // Before main. Both strings are literals.
  TraceEvent(const char* name, std::string_view format);
  [[gnu::cold, gnu::noinline]] void write(fmt::format_args values) const;

 private:
  friend std::vector<TraceEvent*> trace_events(const std::string& pattern);
  const char* const name_;
  const std::string_view format_;
  std::atomic<bool> on_{false};
  TraceEvent* const next_;
};

// Trace<u32> trace_ste{"smmuv3_cmdq_cfgi_ste", "sid={:#x}"}; ... trace_ste(sid);
// The compiler checks the format. Where a value costs something to find: if (trace_ste.on()) trace_ste(...);
template <class... Values>
class Trace final : public TraceEvent {
 public:
  Trace(const char* name, fmt::format_string<Values...> format) : TraceEvent(name, view(format)) {}
  void operator()(const Values&... values) const {
    if (on()) [[unlikely]]
      write(fmt::make_format_args(values...));
  }

 private:
  static std::string_view view(fmt::string_view text) { return {text.data(), text.size()}; }
};

// The events whose names match, in the order of their names. `*` is any text, `?` any character.
std::vector<TraceEvent*> trace_events(const std::string& pattern = "*");
// Switches events on, or off when the pattern begins with '-'. Any thread. How many match.
size_t set_trace(std::string_view pattern);
// Lines go to a file of their own; with "" to the log, as at first. False: the file cannot be opened.
bool trace_to_file(const std::string& path);
// One event a line, with its values.
std::string trace_help();

}  // namespace sluice
