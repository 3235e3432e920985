// app/pattern.cpp: see pattern.h.
#include "app/pattern.h"

#include <regex.h>

#include "machines/config_error.h"

namespace sluice {

struct Pattern::Compiled {
  regex_t regex;
  bool valid = false;
  ~Compiled() {
    if (valid) regfree(&regex);
  }
};

Pattern::Pattern(const std::string& option, const std::string& text) : text_(text) {
  auto compiled = std::make_shared<Compiled>();
  int error = regcomp(&compiled->regex, text.c_str(), REG_EXTENDED | REG_NOSUB);
  if (error) {
    char why[128];
    regerror(error, &compiled->regex, why, sizeof why);
    throw ConfigError::usage(option + ": bad regular expression '" + text + "': " + why);
  }
  compiled->valid = true;
  compiled_ = std::move(compiled);
}

bool Pattern::found_in(const std::string& line) const {
  return regexec(&compiled_->regex, line.c_str(), 0, nullptr, 0) == 0;
}

}  // namespace sluice
