// base/trace.cpp: see trace.h.
#include "base/trace.h"

#include <fnmatch.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/log.h"

namespace sluice {
namespace {

constexpr size_t kLongestLine = 400;

// The list grows before main only, while there is one thread. Constant-initialised: events of any file may
// come first.
constinit TraceEvent* events = nullptr;

// nullptr: to the log. A file that was opened stays open: somebody may be about to write to it.
constinit std::atomic<std::FILE*> sink{nullptr};

}  // namespace

TraceEvent::TraceEvent(const char* name, std::string_view format)
    : name_(name), format_(format), next_(std::exchange(events, this)) {}

void TraceEvent::write(fmt::format_args values) const {
  char text[kLongestLine];
  char* end = fmt::format_to_n(text, sizeof text, "{} ", name_).out;
  const size_t room = size_t(text + sizeof text - end);
  const size_t size = fmt::vformat_to_n(end, room, {format_.data(), format_.size()}, values).size;
  std::string_view line{text, size_t(end - text) + std::min(size, room)};
  if (line.ends_with(' ')) line.remove_suffix(1);
  if (std::FILE* file = sink.load(std::memory_order_acquire))
    std::fprintf(file, "%.*s\n", int(line.size()), line.data());
  else
    Log::line(LogTopic{}, line);  // of no topic
}

std::vector<TraceEvent*> trace_events(const std::string& pattern) {
  std::vector<TraceEvent*> found;
  for (TraceEvent* e = events; e; e = e->next_)
    if (fnmatch(pattern.c_str(), e->name_, 0) == 0) found.push_back(e);
  std::sort(found.begin(), found.end(),
            [](const TraceEvent* a, const TraceEvent* b) { return a->name() < b->name(); });
  return found;
}

size_t set_trace(std::string_view pattern) {
  const bool on = !pattern.starts_with('-');
  if (!on) pattern.remove_prefix(1);
  const std::vector<TraceEvent*> found = trace_events(std::string{pattern});
  for (TraceEvent* e : found) e->set(on);
  return found.size();
}

bool trace_to_file(const std::string& path) {
  std::FILE* file = path.empty() ? nullptr : std::fopen(path.c_str(), "w");
  if (!path.empty() && !file) return false;
  if (file) std::setvbuf(file, nullptr, _IOLBF, 0);
  sink.store(file, std::memory_order_release);
  return true;
}

std::string trace_help() {
  std::string text;
  for (const TraceEvent* e : trace_events()) {
    std::string name{e->name()};
    if (!e->format().empty()) name.resize(std::max<size_t>(32, name.size() + 1), ' ');
    text += name + std::string{e->format()} + "\n";
  }
  return text;
}

}  // namespace sluice
