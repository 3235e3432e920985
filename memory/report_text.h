// memory/report_text.h: what the monitor's reports are made of.
#pragma once
#include <cstdarg>
#include <cstdio>
#include <string>

#include "memory/attrs.h"

namespace sluice {

// printf to the end of a string; at most 319 characters at a time.
[[gnu::format(printf, 2, 3)]] inline void append(std::string& to, const char* format, ...) {
  char text[320];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  to += text;
}

// "rwx", "r--", ...
inline std::string rights_text(Access a) {
  std::string s = "---";
  if (allows(a, Access::Read)) s[0] = 'r';
  if (allows(a, Access::Write)) s[1] = 'w';
  if (allows(a, Access::Execute)) s[2] = 'x';
  return s;
}

}  // namespace sluice
