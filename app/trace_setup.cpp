// app/trace_setup.cpp: see trace_setup.h.
#include "app/trace_setup.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "base/trace.h"
#include "machines/config_error.h"

namespace sluice {
namespace {

void set_or_warn(const std::string& pattern) {
  if (!set_trace(pattern))
    std::fprintf(stderr, "sluice: -trace: no event matches '%s'; -trace help lists them\n", pattern.c_str());
}

// A pattern a line; '#' begins a comment.
void read_patterns(const std::string& path) {
  constexpr const char* kBlank = " \t\r";
  std::ifstream file{path};
  std::string line;
  if (!file || (file.peek(), file.bad())) throw ConfigError::file(path, std::strerror(errno));
  while (std::getline(file, line)) {
    line.resize(std::min(line.find('#'), line.size()));
    line.erase(0, std::min(line.find_first_not_of(kBlank), line.size()));
    line.resize(line.find_last_not_of(kBlank) + 1);
    if (!line.empty()) set_or_warn(line);
  }
  if (file.bad()) throw ConfigError::file(path, "cannot be read");
}

}  // namespace

void set_up_tracing(const TraceOptions& options) {
  if (!options.file.empty() && !trace_to_file(options.file))
    throw ConfigError::file(options.file, std::strerror(errno));
  for (const TraceOptions::Item& item : options.items) {
    if (item.is_file)
      read_patterns(item.text);
    else
      set_or_warn(item.text);
  }
}

}  // namespace sluice
